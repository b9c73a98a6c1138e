//! `extensions.js`: messages of the program's own. Different sets on both sides, and all else about them, are in `extensions`.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use futures_lite::StreamExt;
use hypercore::{Binary, BoxError, Encode, Encoding, Json};

use crate::stage::play;

const NAME: &str = "example";

#[test]
fn send_and_receive_extension_messages() {
    play(|stage| async move {
        let message = Bytes::from_static(&[4, 20]);
        let feed = stage.feed(&[]).await;
        let clone = stage.copy(&feed).await;
        let here = feed.extension(NAME, Binary).unwrap();
        let there = clone.extension(NAME, Binary).unwrap();
        let (mut answers, mut questions) = (here.messages(), there.messages());
        stage.live(&feed, &clone);
        stage.quiet().await;
        assert_eq!(here.broadcast(message.clone()).unwrap(), 1);
        let (peer, heard) = questions.next().await.unwrap().unwrap();
        assert_eq!(heard, message);
        there.send(heard, peer).unwrap();
        assert_eq!(answers.next().await.unwrap().unwrap().1, message);
    });
}

#[test]
fn send_and_receive_extension_messages_with_encoding() {
    play(|stage| async move {
        let json = Json::<Vec<String>>::new;
        let said = |word: &str| vec!["hi".to_owned(), word.to_owned()];
        let feed = stage.feed(&[]).await;
        let clone = stage.copy(&feed).await;
        let here = feed.extension(NAME, json()).unwrap();
        let there = clone.extension(NAME, json()).unwrap();
        let (mut answers, mut questions) = (here.messages(), there.messages());
        stage.live(&feed, &clone);
        stage.quiet().await;
        here.broadcast(said("e2")).unwrap();
        let (peer, heard) = questions.next().await.unwrap().unwrap();
        assert_eq!(heard, said("e2"));
        there.send(said("e1"), peer).unwrap();
        assert_eq!(answers.next().await.unwrap().unwrap().1, said("e1"));
    });
}

/// Numbers as bytes, and how often it was called for that.
#[derive(Clone, Default)]
struct Counting {
    encoded: Arc<AtomicUsize>,
    decoded: Arc<AtomicUsize>,
}

impl Encoding for Counting {
    type Value = u8;

    fn decode(&self, bytes: Bytes) -> Result<u8, BoxError> {
        self.decoded.fetch_add(1, Ordering::Relaxed);
        bytes.first().copied().ok_or_else(|| "no byte".into())
    }
}

impl Encode<u8> for Counting {
    fn encode(&self, value: u8) -> Result<Bytes, BoxError> {
        self.encoded.fetch_add(1, Ordering::Relaxed);
        Ok(vec![value].into())
    }
}

#[test]
fn extension_encoding() {
    play(|stage| async move {
        let codec = Counting::default();
        let feed = stage.feed(&[]).await;
        let clone = stage.copy(&feed).await;
        let here = feed.extension("dummy", codec.clone()).unwrap();
        let there = clone.extension("dummy", codec.clone()).unwrap();
        let mut messages = there.messages();
        stage.live(&feed, &clone);
        stage.quiet().await;
        here.broadcast(42).unwrap();
        assert_eq!(messages.next().await.unwrap().unwrap().1, 42);
        assert_eq!(codec.encoded.load(Ordering::Relaxed), 1);
        assert_eq!(codec.decoded.load(Ordering::Relaxed), 1);
    });
}
