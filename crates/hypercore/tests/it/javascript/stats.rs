//! `stats.js`: what was exchanged, in total and with each peer.

use crate::stage::play;

const BLOCKS: [&str; 5] = ["aa", "bb", "cc", "dd", "ee"];

#[test]
fn accurate_stat_totals() {
    play(|stage| async move {
        let feed = stage.feed(&BLOCKS).await;
        let clone = stage.copy(&feed).await;
        stage.exchange(&feed, &clone).await;
        let (given, taken) = (feed.stats().unwrap().totals, clone.stats().unwrap().totals);
        assert_eq!((given.uploaded_blocks, given.uploaded_bytes), (5, 10));
        assert_eq!((taken.downloaded_blocks, taken.downloaded_bytes), (5, 10));
    });
}

#[test]
fn accurate_per_peer_stats() {
    play(|stage| async move {
        let feed = stage.feed(&BLOCKS).await;
        let clones = [stage.copy(&feed).await, stage.copy(&feed).await];
        for clone in &clones {
            stage.live(&feed, clone);
        }
        stage.quiet().await;
        let given = feed.stats().unwrap();
        let totals = given.totals;
        assert_eq!((totals.uploaded_blocks, totals.uploaded_bytes), (10, 20));
        assert_eq!(given.peers.len(), 2);
        for (_, peer) in given.peers {
            assert_eq!((peer.uploaded_blocks, peer.uploaded_bytes), (5, 10));
        }
        for clone in &clones {
            let taken = clone.stats().unwrap().peers;
            assert_eq!(taken.len(), 1);
            let peer = taken[0].1;
            assert_eq!((peer.downloaded_blocks, peer.downloaded_bytes), (5, 10));
        }
    });
}

#[test]
fn should_not_collect_stats_when_stats_option_is_false() {
    play(|stage| async move {
        let feed = stage.builder().stats(false).open().await.unwrap();
        feed.append_batch(BLOCKS).await.unwrap();
        let clone = stage.builder().key(feed.key()).stats(false);
        let clone = clone.open().await.unwrap();
        stage.exchange(&feed, &clone).await;
        assert_eq!(clone.downloaded(..), 5);
        assert!(feed.stats().is_none() && clone.stats().is_none());
    });
}
