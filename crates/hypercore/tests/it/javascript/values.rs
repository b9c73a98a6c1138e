//! `value-encoding.js`, of streams: their values are those of the feed's encoding, or of another one.

use futures_lite::StreamExt;
use futures_util::SinkExt;
use hypercore::{Json, Utf8};

use crate::stage::play;

#[test]
fn value_encoding_read_stream() {
    play(|stage| async move {
        let feed = stage.feed(&[]).await.typed::<Json<Vec<String>>>();
        let value = vec!["hello".to_owned(), "world".to_owned()];
        feed.append(value.clone()).await.unwrap();
        let mut values = feed.read(..);
        assert_eq!(values.next().await.unwrap().unwrap(), value);
        assert!(values.next().await.is_none());
        let mut texts = feed.read(..).encoding(Utf8);
        assert_eq!(
            texts.next().await.unwrap().unwrap(),
            "[\"hello\",\"world\"]\n"
        );
    });
}

#[test]
fn value_encoding_write_stream() {
    play(|stage| async move {
        let feed = stage.feed(&[]).await.typed::<Json<Vec<u8>>>();
        let mut sink = feed.write();
        // A list is one value, and not three.
        sink.send(vec![1, 2, 3]).await.unwrap();
        sink.close().await.unwrap();
        assert_eq!(feed.len(), 1);
        assert_eq!(feed.get(0).await.unwrap(), [1, 2, 3]);
    });
}
