//! `head.js`: the last block, of the feed as it is known or as a peer knows it.

use std::future::IntoFuture;

use hypercore::Error;

use crate::stage::play;

#[test]
fn head_without_update_does_not_update() {
    play(|stage| async move {
        let feed = stage.feed(&["hello"]).await;
        let clone = stage.sparse(&feed).await;
        stage.live(&feed, &clone);
        assert!(matches!(clone.head().await, Err(Error::Empty)));
        stage.quiet().await;
        // Nor does it later, although by now there is a peer that has told what it has.
        assert_eq!(clone.remote_len(), 1);
        assert!(matches!(clone.head().await, Err(Error::Empty)));
    });
}

#[test]
fn head_with_update_waits_for_an_update() {
    play(|stage| async move {
        let feed = stage.feed(&["hello"]).await;
        let clone = stage.copy(&feed).await;
        let head = stage.spawn(clone.head().update(true).into_future());
        stage.quiet().await;
        assert!(!head.is_done());
        stage.live(&feed, &clone);
        assert_eq!(head.done().await.unwrap(), "hello");
    });
}

#[test]
fn head_with_update_if_available_will_wait_only_if_an_update_is_available() {
    play(|stage| async move {
        let feed = stage.feed(&["hello"]).await;
        let clone = stage.copy(&feed).await;
        stage.live(&feed, &clone);
        let head = clone.head().update(true).if_available();
        assert_eq!(head.await.unwrap(), "hello");
    });
}

#[test]
fn head_with_update_if_available_will_not_wait_forever() {
    play(|stage| async move {
        let feed = stage.feed(&["hello"]).await;
        let clone = stage.copy(&feed).await;
        let before = stage.now();
        let nobody = clone.head().update(true).if_available().await;
        assert!(matches!(nobody, Err(Error::NoUpdate)), "{nobody:?}");
        assert_eq!(stage.now(), before, "it is known at once");
    });
}
