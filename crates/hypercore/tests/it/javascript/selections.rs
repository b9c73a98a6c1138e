//! `selections.js`: waits that are ended from outside, by the range that their blocks lie in.

use std::{fmt::Debug, future::IntoFuture};

use hypercore::{Error, Result};

use crate::stage::{Spawned, play};

async fn is_cancelled<T: Debug>(call: Spawned<Result<T>>) {
    let ended = call.done().await;
    assert!(matches!(ended, Err(Error::Cancelled)), "{ended:?}");
}

#[test]
fn cancel() {
    play(|stage| async move {
        let feed = stage.feed(&[]).await;
        let gets = [0, 0].map(|block| stage.spawn(feed.get(block).into_future()));
        stage.quiet().await;
        feed.cancel_range(0..1);
        for get in gets {
            is_cancelled(get).await;
        }
    });
}

#[test]
fn cancel_range() {
    play(|stage| async move {
        let feed = stage.feed(&[]).await;
        let [zero, one, two] = [0, 1, 2].map(|block| stage.spawn(feed.get(block).into_future()));
        stage.quiet().await;
        feed.cancel_range(0..2);
        is_cancelled(zero).await;
        is_cancelled(one).await;
        stage.quiet().await;
        assert!(!two.is_done());
        feed.append_batch(["a", "b", "c"]).await.unwrap();
        assert_eq!(two.done().await.unwrap(), "c");
    });
}

#[test]
fn get_after_cancel() {
    play(|stage| async move {
        let feed = stage.feed(&[]).await;
        let get = stage.spawn(feed.get(0).into_future());
        stage.quiet().await;
        feed.cancel_range(0..1);
        is_cancelled(get).await;
        let again = stage.spawn(feed.get(0).into_future());
        stage.quiet().await;
        assert!(!again.is_done());
        feed.append("a").await.unwrap();
        assert_eq!(again.done().await.unwrap(), "a");
    });
}

#[test]
fn cancel_download() {
    play(|stage| async move {
        let feed = stage.feed(&[]).await;
        let download = stage.spawn(feed.download(0..10).into_future());
        stage.quiet().await;
        feed.cancel_range(0..10);
        is_cancelled(download).await;
    });
}

#[test]
fn cancel_download_and_get() {
    play(|stage| async move {
        let feed = stage.feed(&[]).await;
        let download = stage.spawn(feed.download(1..9).into_future());
        let gets = [5, 7].map(|block| stage.spawn(feed.get(block).into_future()));
        stage.quiet().await;
        feed.cancel_range(0..10);
        is_cancelled(download).await;
        for get in gets {
            is_cancelled(get).await;
        }
    });
}

/// On a copy that knows how long the feed is. JavaScript's waits for a longer feed, in a range that it is given by hand; ours has no
/// such range, and goes on while the feed is too short.
#[test]
fn cancel_seek() {
    play(|stage| async move {
        let feed = stage.feed(&["aa"; 16]).await;
        let clone = stage.sparse(&feed).await;
        let [end, _] = stage.connect(&feed, &clone, |end| end.live(true), |end| end.live(true));
        clone.update().await.unwrap();
        clone.peers()[0].disconnect();
        end.done().await.unwrap();
        let seek = stage.spawn(clone.seek(20).into_future());
        let beyond = stage.spawn(clone.seek(40).into_future());
        stage.quiet().await;
        clone.cancel_range(0..16);
        is_cancelled(seek).await;
        stage.quiet().await;
        assert!(!beyond.is_done());
    });
}
