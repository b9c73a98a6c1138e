//! Values as blocks and back: each encoding, several on one feed, and what can't be encoded or decoded.

use std::error::Error as _;

use bytes::Bytes;
use futures_lite::future::block_on;
use hypercore::{Base64, BoxError, Encode, Encoding, Error, Hex, Hypercore, Json, Storage, Utf8};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Reading {
    at: u64,
    celsius: f32,
}

async fn memory() -> Hypercore {
    Hypercore::open(Storage::memory()).await.unwrap()
}

#[test]
fn json_is_newline_delimited_as_in_javascript() {
    block_on(async {
        let feed = memory().await;
        let readings = feed.typed::<Json<Reading>>();
        let one = Reading {
            at: 1,
            celsius: 21.5,
        };
        readings.append(&one).await.unwrap();
        readings.append(one.clone()).await.unwrap();
        assert_eq!(feed.get(0).await.unwrap(), "{\"at\":1,\"celsius\":21.5}\n");
        assert_eq!(readings.get(1).await.unwrap(), one);
        // What others wrote without the line feed is read as well.
        feed.append("{\"celsius\":0,\"at\":2}").await.unwrap();
        assert_eq!(readings.head().await.unwrap().at, 2);
    });
}

#[test]
fn text_hex_and_base64_are_views_of_the_same_bytes() {
    block_on(async {
        let feed = memory().await;
        feed.typed::<Utf8>().append("grüße").await.unwrap();
        feed.typed::<Hex>().append("00FFab").await.unwrap();
        feed.typed::<Base64>().append("AP+r").await.unwrap();
        assert_eq!(feed.get(0).await.unwrap(), "grüße".as_bytes());
        assert_eq!(feed.get(1).await.unwrap(), &[0, 255, 171][..]);
        assert_eq!(feed.get(2).await.unwrap(), &[0, 255, 171][..]);
        assert_eq!(feed.get(0).encoding(Utf8).await.unwrap(), "grüße");
        assert_eq!(feed.get(2).encoding(Hex).await.unwrap(), "00ffab");
        assert_eq!(feed.get(1).encoding(Base64).await.unwrap(), "AP+r");
        let all = feed.get_range(1..3).encoding(Hex).await.unwrap();
        assert_eq!(all, ["00ffab", "00ffab"]);
    });
}

#[test]
fn a_value_that_cannot_be_encoded_appends_nothing_and_appending_goes_on() {
    block_on(async {
        let feed = memory().await;
        let hex = feed.typed::<Hex>();
        let refused = hex.append_batch(["00", "no digits", "01"]).await;
        assert!(matches!(refused, Err(Error::Encode(_))), "{refused:?}");
        assert_eq!(feed.len(), 0);
        assert_eq!(hex.append("01").await.unwrap(), 0);
        feed.flush().await.unwrap();
    });
}

#[test]
fn a_block_that_cannot_be_decoded_is_the_error_of_that_call_only() {
    block_on(async {
        let feed = memory().await;
        feed.append_batch([&b"\xff"[..], b"fine"]).await.unwrap();
        let text = feed.typed::<Utf8>();
        let error = text.get(0).await.unwrap_err();
        assert!(matches!(error, Error::Decode { block: 0, .. }), "{error:?}");
        assert!(error.source().is_some());
        assert_eq!(text.get(1).await.unwrap(), "fine");
        assert_eq!(feed.get(0).await.unwrap(), &b"\xff"[..]);
    });
}

/// A codec with parameters: numbers of a fixed width.
#[derive(Clone, Copy)]
struct Width(usize);

impl Encoding for Width {
    type Value = u64;

    fn decode(&self, block: Bytes) -> Result<u64, BoxError> {
        if block.len() != self.0 {
            return Err("the width differs".into());
        }
        Ok(block.iter().fold(0, |n, byte| n << 8 | u64::from(*byte)))
    }
}

impl Encode<u64> for Width {
    fn encode(&self, value: u64) -> Result<Bytes, BoxError> {
        let bytes = value.to_be_bytes();
        Ok(Bytes::copy_from_slice(&bytes[8 - self.0..]))
    }
}

#[test]
fn a_codec_of_the_users_own_is_as_good_as_any() {
    block_on(async {
        let feed = memory().await.with_encoding(Width(3));
        feed.append_batch([1, 70_000]).await.unwrap();
        assert_eq!(feed.byte_len(), 6);
        assert_eq!(feed.get_range(0..2).await.unwrap(), [1, 70_000]);
        let wrong = feed.get(0).encoding(Width(4)).await;
        assert!(matches!(wrong, Err(Error::Decode { block: 0, .. })));
    });
}
