//! `get.js`: a block that is waited for only while somebody may have it.

use hypercore::Error;

use crate::stage::play;

#[test]
fn get_with_if_available_waits_correctly() {
    play(|stage| async move {
        let feed = stage.feed(&["hello"]).await;
        let clone = stage.copy(&feed).await;
        // The connection has been asked for, and hasn't begun: there is hope already.
        stage.live(&feed, &clone);
        assert_eq!(clone.get(0).if_available().await.unwrap(), "hello");
    });
}

#[test]
fn get_with_if_available_returns_null_for_unavailable_index() {
    play(|stage| async move {
        let feed = stage.feed(&["hello"]).await;
        let clone = stage.copy(&feed).await;
        stage.live(&feed, &clone);
        let nobody = clone.get(1).if_available().await;
        assert!(
            matches!(nobody, Err(Error::NotAvailable { block: 1 })),
            "{nobody:?}"
        );
    });
}

#[test]
fn get_with_if_available_does_not_wait_forever() {
    play(|stage| async move {
        let feed = stage.feed(&["hello"]).await;
        let clone = stage.copy(&feed).await;
        let before = stage.now();
        let nobody = clone.get(0).if_available().await;
        assert!(matches!(nobody, Err(Error::NotAvailable { block: 0 })));
        assert_eq!(stage.now(), before, "it is known at once");
        stage.live(&feed, &clone);
        assert_eq!(clone.get(0).if_available().await.unwrap(), "hello");
    });
}

#[test]
fn get_with_top_level_if_available_option_does_not_wait_forever() {
    play(|stage| async move {
        let feed = stage.feed(&["hello"]).await;
        let clone = stage.builder().key(feed.key()).if_available(true);
        let clone = clone.open().await.unwrap();
        let before = stage.now();
        let nobody = clone.get(0).await;
        assert!(matches!(nobody, Err(Error::NotAvailable { block: 0 })));
        assert_eq!(stage.now(), before, "it is known at once");
    });
}
