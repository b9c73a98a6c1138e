//! Waits that are ended from outside, and requests that are taken back.

use std::future::IntoFuture;

use async_std::task;
use futures_lite::{AsyncReadExt, StreamExt, future::poll_once};
use hypercore::{Dialect, DownloadRequest, Error, Hypercore, Role};
use wire::{Cancel, Have, Message, Request};

use crate::{
    duplex::duplex,
    pair::{connect, writer},
    patience::copy_of,
    raw::Raw,
};

/// A sparse copy that knows how long the feed is.
async fn copy_with_length(writer: &Hypercore) -> Hypercore {
    let copy = copy_of(writer, false).await;
    let connection = connect(&copy, writer, true);
    copy.update().await.unwrap();
    connection.0.cancel().await;
    while !copy.peers().is_empty() {
        task::yield_now().await;
    }
    copy
}

/// A call that has begun to wait.
async fn begun<C: IntoFuture<IntoFuture: Unpin>>(call: C) -> C::IntoFuture {
    let mut future = call.into_future();
    assert!(poll_once(&mut future).await.is_none());
    future
}

#[test]
fn everything_that_waits_within_the_range_is_cancelled_and_nothing_beyond() {
    task::block_on(async {
        let writer = writer(40, Dialect::V8).await;
        let feed = copy_with_length(&writer).await;
        let get = begun(feed.get(12)).await;
        let range = begun(feed.get_range(10..15)).await;
        let download = begun(feed.download(14..20)).await;
        let list = begun(feed.download(DownloadRequest::blocks([10, 13, 19]))).await;
        let mut stream = feed.read(11..30);
        let next = begun(stream.next()).await;

        let before = begun(feed.get(9)).await;
        let behind = begun(feed.get(20)).await;
        let across = begun(feed.get_range(15..21)).await;
        let all = begun(feed.download(DownloadRequest::all())).await;
        let update = begun(feed.update().min_length(41)).await;
        feed.cancel_range(10..20);

        let ended = [
            get.await.map(drop),
            range.await.map(drop),
            download.await,
            list.await,
            next.await.unwrap().map(drop),
        ];
        for (call, ended) in ended.iter().enumerate() {
            assert!(matches!(ended, Err(Error::Cancelled)), "{call}: {ended:?}");
        }
        assert!(stream.next().await.is_none());

        // The others are served as soon as there is somebody.
        let _connection = connect(&feed, &writer, true);
        assert_eq!(before.await.unwrap(), writer.get(9).await.unwrap());
        assert_eq!(behind.await.unwrap(), writer.get(20).await.unwrap());
        assert_eq!(across.await.unwrap().len(), 6);
        writer.append("more").await.unwrap();
        assert_eq!(update.await.unwrap(), 41);
        drop(begun(all).await);
        // And so is whoever asks again.
        assert_eq!(feed.get(12).await.unwrap(), writer.get(12).await.unwrap());
    });
}

#[test]
fn a_seek_and_a_file_of_bytes_are_cancelled_with_the_blocks_that_they_look_into() {
    task::block_on(async {
        let writer = writer(64, Dialect::V8).await;
        let feed = copy_with_length(&writer).await;
        let byte = writer.byte_len() / 3;
        let mut bytes = feed.bytes(byte..);
        let mut first = [0];
        let read = begun(bytes.read(&mut first)).await;
        let seek = begun(feed.seek(byte)).await;
        feed.cancel_range(0..10);
        let seek = begun(seek).await;
        feed.cancel_range(..);
        assert!(matches!(seek.await, Err(Error::Cancelled)));
        let error = read.await.unwrap_err();
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
        assert!(matches!(inner, Some(Error::Cancelled)));
    });
}

#[test]
fn requests_that_serve_nobody_else_are_taken_back() {
    task::block_on(async {
        let writer = writer(40, Dialect::V8).await;
        let feed = copy_with_length(&writer).await;
        let (left, right) = duplex(64 * 1024);
        let connection = feed.replicate(Role::Initiator, left).live(true);
        let connection = task::spawn(connection.into_future());
        let mut raw = Raw::meet(Role::Responder, right).await;
        raw.open(1, &writer.key()).await;
        let gets = [3, 4, 5, 9].map(|block| task::spawn(feed.get(block).into_future()));
        let wanted = feed.download(5..12);
        let have = Have {
            start: 0,
            length: Some(10),
            bitfield: None,
            ack: None,
        };
        raw.send(1, &Message::Have(have)).await;
        let mut asked = Vec::new();
        while asked.len() < 7 {
            if let (_, Message::Request(request)) = raw.next().await.unwrap() {
                asked.push(request.index);
            }
        }
        asked.sort_unstable();
        assert_eq!(asked, [3, 4, 5, 6, 7, 8, 9]);

        feed.cancel_range(3..7);
        let [three, four, five, nine] = gets;
        for get in [three, four, five] {
            assert!(matches!(get.await, Err(Error::Cancelled)));
        }
        // Block 5 is part of a download that goes on.
        let mut taken_back = Vec::new();
        while taken_back.len() < 2 {
            if let (_, Message::Cancel(cancel)) = raw.next().await.unwrap() {
                assert_eq!((cancel.bytes(), cancel.hash()), (0, false));
                taken_back.push(cancel.index);
            }
        }
        taken_back.sort_unstable();
        assert_eq!(taken_back, [3, 4]);

        // Who doesn't answer loses nobody anything.
        drop((raw, connection.cancel().await));
        let _connection = connect(&feed, &writer, true);
        nine.await.unwrap();
        wanted.await.unwrap();
        assert_eq!(feed.missing(..), [0..5, 12..40]);
    });
}

#[test]
fn what_the_remote_takes_back_in_time_is_not_answered() {
    task::block_on(async {
        let writer = writer(40, Dialect::V8).await;
        let (left, right) = duplex(64 * 1024);
        let connection = writer.replicate(Role::Responder, right).live(true);
        let _connection = task::spawn(connection.into_future());
        let mut raw = Raw::meet(Role::Initiator, left).await;
        raw.open(1, &writer.key()).await;
        let request = |index| {
            Message::Request(Request {
                index,
                bytes: Some(0),
                hash: Some(false),
                nodes: Some(0),
            })
        };
        let cancel = |index| {
            Message::Cancel(Cancel {
                index,
                bytes: Some(0),
                hash: Some(false),
            })
        };
        // All in one piece, so that nothing is answered before the last of them is read. More than are handed out at a time.
        let mut messages: Vec<Message> = (0..40).map(request).collect();
        messages.extend((0..40).filter(|block| block % 10 != 0).map(cancel));
        messages.extend([request(7), cancel(99), cancel(3)]);
        raw.send_all(1, &messages).await;
        let mut answered = Vec::new();
        while answered.len() < 5 {
            if let (_, Message::Data(data)) = raw.next().await.unwrap() {
                answered.push(data.index);
            }
        }
        // Nothing else comes before the answer to the next question.
        raw.send(1, &request(39)).await;
        while let Some((_, message)) = raw.next().await {
            if let Message::Data(data) = message {
                answered.push(data.index);
                break;
            }
        }
        let last = answered.pop();
        answered.sort_unstable();
        assert_eq!((answered, last), (vec![0, 7, 10, 20, 30], Some(39)));
    });
}
