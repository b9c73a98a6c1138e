//! `seek.js`: from a byte to its block on copies that lack most of the tree. What a whole feed does is in `seeking`.

use hypercore::Error;

use crate::stage::play;

#[test]
fn seek_works_for_sparse_trees() {
    play(|stage| async move {
        let feed = stage.feed(&["aa"]).await;
        let clone = stage.sparse(&feed).await;
        stage.live(&feed, &clone);
        // A tree of one block, and then one of sixteen that isn't connected with it.
        clone.get(0).await.unwrap();
        feed.append_batch(["aa"; 15]).await.unwrap();
        clone.get(15).await.unwrap();
        assert_eq!(clone.seek(1).await.unwrap(), (0, 1));
        assert_eq!(clone.seek(8).await.unwrap(), (4, 0));
    });
}

#[test]
fn seek_if_available() {
    play(|stage| async move {
        let feed = stage.feed(&["a", "b", "c"]).await;
        let clone = stage.sparse(&feed).await;
        stage.live(&feed, &clone);
        let beyond = clone.seek(4).if_available().await;
        assert!(
            matches!(beyond, Err(Error::ByteNotLocal { byte: 4 })),
            "{beyond:?}"
        );
        assert_eq!(clone.seek(2).if_available().await.unwrap(), (2, 0));
    });
}

#[test]
fn seek_if_available_multiple_peers() {
    play(|stage| async move {
        let feed = stage.feed(&["a", "b", "c"]).await;
        let (middle, last) = (stage.sparse(&feed).await, stage.sparse(&feed).await);
        stage.live(&feed, &middle);
        stage.live(&middle, &last);
        // The one in the middle has nothing yet.
        let nobody = last.seek(2).if_available().await;
        assert!(
            matches!(nobody, Err(Error::ByteNotLocal { byte: 2 })),
            "{nobody:?}"
        );
        middle.get(2).await.unwrap();
        // JavaScript asks at once, before the news of it can have arrived, and counts on luck.
        stage.quiet().await;
        assert_eq!(last.seek(2).if_available().await.unwrap(), (2, 0));
    });
}

#[test]
fn seek_if_available_with_many_inflight_requests() {
    play(|stage| async move {
        let feed = stage.feed(&["a"; 100]).await;
        let clone = stage.sparse(&feed).await;
        stage.live(&feed, &clone);
        for block in 0..100 {
            stage.spawn(clone.get(block).into_future());
        }
        assert_eq!(clone.seek(2).if_available().await.unwrap(), (2, 0));
    });
}
