//! `update.js`: the feed gets longer, of itself or because it is asked for, and no block is fetched for that.

use hypercore::{Error, Event};

use crate::stage::{heard, play};

#[test]
fn update() {
    play(|stage| async move {
        let feed = stage.feed(&[]).await;
        let clone = stage.builder().key(feed.key()).sparse(true);
        let clone = clone.eager_update(true).open().await.unwrap();
        let mut events = clone.events();
        stage.live(&feed, &clone);
        feed.append_batch(["hi", "ho", "hi", "ho"]).await.unwrap();
        stage.quiet().await;
        let mut events = heard(&mut events).await;
        events.retain(|event| matches!(event, Event::Append { .. } | Event::Download { .. }));
        let grown = Event::Append {
            length: 4,
            byte_length: 8,
        };
        assert_eq!(events, [grown]);
    });
}

#[test]
fn disable_eager_update() {
    play(|stage| async move {
        let feed = stage.feed(&[]).await;
        let clone = stage.builder().key(feed.key()).sparse(true);
        let clone = clone.eager_update(false).open().await.unwrap();
        let mut events = clone.events();
        stage.live(&feed, &clone);
        feed.append_batch(["hi", "ho", "hi", "ho"]).await.unwrap();
        stage.quiet().await;
        let events = heard(&mut events).await;
        assert!(
            !events
                .iter()
                .any(|event| matches!(event, Event::Append { .. }))
        );
        assert_eq!((clone.len(), clone.remote_len()), (0, 4));
    });
}

#[test]
fn update_if_available() {
    play(|stage| async move {
        let feed = stage.feed(&["a", "b", "c"]).await;
        let clone = stage.sparse(&feed).await;
        stage.live(&feed, &clone);
        assert_eq!(clone.update().if_available().await.unwrap(), 3);
        assert_eq!(clone.len(), 3);
    });
}

#[test]
fn update_if_available_no_peers() {
    play(|stage| async move {
        let feed = stage.feed(&["a", "b", "c"]).await;
        let clone = stage.sparse(&feed).await;
        let before = stage.now();
        let nobody = clone.update().if_available().await;
        assert!(matches!(nobody, Err(Error::NoUpdate)), "{nobody:?}");
        assert_eq!((clone.len(), stage.now()), (0, before));
    });
}

#[test]
fn update_if_available_no_one_has_it() {
    play(|stage| async move {
        let feed = stage.feed(&["a", "b", "c"]).await;
        let clone = stage.sparse(&feed).await;
        stage.live(&feed, &clone);
        let nobody = clone.update().if_available().min_length(4).await;
        assert!(matches!(nobody, Err(Error::NoUpdate)), "{nobody:?}");
        assert_eq!(clone.len(), 0);
    });
}

#[test]
fn update_if_available_through_top_level_option() {
    play(|stage| async move {
        let feed = stage.feed(&["a", "b", "c"]).await;
        let clone = stage.builder().key(feed.key()).sparse(true);
        let clone = clone.if_available(true).open().await.unwrap();
        stage.live(&feed, &clone);
        let nobody = clone.update().min_length(4).await;
        assert!(matches!(nobody, Err(Error::NoUpdate)), "{nobody:?}");
        assert_eq!(clone.len(), 0);
    });
}

#[test]
fn update_with_block_data() {
    play(|stage| async move {
        let feed = stage.feed(&["a", "b", "c", "d"]).await;
        let clone = stage.sparse(&feed).await;
        stage.live(&feed, &clone);
        assert_eq!(clone.update().with_block(true).await.unwrap(), 4);
        assert!(clone.has(3));
        stage.quiet().await;
        assert_eq!(clone.downloaded(..), 1);
    });
}

#[test]
fn update_without_hash_option_should_not_download_block() {
    play(|stage| async move {
        let feed = stage.feed(&["a", "b", "c"]).await;
        let clone = stage.sparse(&feed).await;
        let mut events = clone.events();
        stage.live(&feed, &clone);
        assert_eq!(clone.update().if_available().await.unwrap(), 3);
        stage.quiet().await;
        assert_eq!((clone.len(), clone.downloaded(..)), (3, 0));
        let events = heard(&mut events).await;
        assert!(
            !events
                .iter()
                .any(|event| matches!(event, Event::Download { .. }))
        );
    });
}

/// The second test of that name: what a sparse peer knows of the feed will do for another one.
#[test]
fn update_with_block_data_from_a_sparse_peer() {
    play(|stage| async move {
        let feed = stage.feed(&["a", "b", "c", "d"]).await;
        let (middle, last) = (stage.sparse(&feed).await, stage.sparse(&feed).await);
        stage.live(&feed, &middle);
        stage.live(&middle, &last);
        middle.get(3).await.unwrap();
        assert_eq!(last.update().await.unwrap(), 4);
        assert_eq!((middle.len(), last.len()), (4, 4));
    });
}
