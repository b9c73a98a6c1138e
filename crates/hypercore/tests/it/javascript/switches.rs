//! `set-uploading-downloading.js`: fetching and answering are turned off and on again while somebody waits.

use hypercore::{Error, Hypercore};

use crate::stage::play;

/// Nothing is left behind that would make a question wait which nobody can answer.
async fn nobody_is_waited_for(feeds: [&Hypercore; 2]) {
    for feed in feeds {
        let nobody = feed.get(99).if_available().await;
        assert!(matches!(nobody, Err(Error::NotAvailable { block: 99 })));
    }
}

#[test]
fn set_downloading() {
    play(|stage| async move {
        let feed = stage.feed(&["a", "b"]).await;
        let clone = stage.copy(&feed).await;
        clone.set_downloading(false);
        let get = stage.spawn(clone.get(0).into_future());
        stage.live(&feed, &clone);
        stage.quiet().await;
        assert!(!get.is_done());
        clone.set_downloading(true);
        assert_eq!(get.done().await.unwrap(), "a");
        nobody_is_waited_for([&clone, &feed]).await;
    });
}

#[test]
fn set_uploading() {
    play(|stage| async move {
        let feed = stage.feed(&["a", "b"]).await;
        let clone = stage.copy(&feed).await;
        feed.set_uploading(false);
        let get = stage.spawn(clone.get(0).into_future());
        stage.live(&feed, &clone);
        stage.quiet().await;
        assert!(!get.is_done());
        feed.set_uploading(true);
        assert_eq!(get.done().await.unwrap(), "a");
        nobody_is_waited_for([&clone, &feed]).await;
    });
}

#[test]
fn get_block_while_not_uploading() {
    play(|stage| async move {
        let feed = stage.feed(&["a", "b", "c", "d"]).await;
        let clone = stage.sparse(&feed).await;
        stage.live(&feed, &clone);
        assert_eq!(clone.get(0).await.unwrap(), "a");
        let uploads = || clone.peers()[0].info().unwrap().remote_uploading;
        feed.set_uploading(false);
        let get = stage.spawn(clone.get(3).into_future());
        stage.quiet().await;
        assert!(!get.is_done() && !uploads());
        feed.set_uploading(true);
        assert_eq!(get.done().await.unwrap(), "d");
        assert!(uploads());
    });
}
