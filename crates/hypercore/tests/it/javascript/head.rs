//! `head.js`: the last block, of the feed as it is known or as a peer knows it.

use hypercore::Error;

use super::stage::play;

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
