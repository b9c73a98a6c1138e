//! Copies without a connection: proofs, digests and put.

use bytes::Bytes;
use futures_lite::future::block_on;
use hypercore::{Dialect, Error, FeedError, Hypercore, Storage};
use testkit::Rng;

use crate::pair::{reader_of, writer};

/// Carries one block from a copy to another, and says how many hashes it took.
async fn carry(from: &Hypercore, to: &Hypercore, block: u64) -> usize {
    let proof = from.proof(block).digest(to.digest(block)).await.unwrap();
    let nodes = proof.nodes.len();
    to.put(proof, Some(from.get(block).await.unwrap()))
        .await
        .unwrap();
    nodes
}

#[test]
fn blocks_are_copied_in_any_order_and_from_copies_too() {
    for dialect in [Dialect::V8, Dialect::V9] {
        block_on(async {
            let writer = writer(37, dialect).await;
            let (first, second) = (reader_of(&writer).await, reader_of(&writer).await);
            let mut rng = Rng::new(testkit::seed(5));
            let mut order: Vec<u64> = (0..37).collect();
            for n in (1..order.len()).rev() {
                order.swap(n, rng.below(n as u64 + 1) as usize);
            }
            for block in order {
                carry(&writer, &first, block).await;
                carry(&first, &second, block).await;
            }
            for copy in [&first, &second] {
                assert_eq!((copy.len(), copy.tree_hash()), (37, writer.tree_hash()));
                assert_eq!(
                    copy.get_range(0..37).await.unwrap(),
                    writer.get_range(0..37).await.unwrap()
                );
            }
        });
    }
}

#[test]
fn with_the_digest_a_second_proof_is_shorter() {
    block_on(async {
        let writer = writer(64, Dialect::V8).await;
        let reader = reader_of(&writer).await;
        assert_eq!(reader.digest(10), 0);
        assert!(carry(&writer, &reader, 10).await >= 6);
        // The sibling hangs on what is here already.
        assert_eq!(carry(&writer, &reader, 11).await, 0);
    });
}

#[test]
fn hashes_alone_make_the_feed_longer_and_the_block_may_follow() {
    block_on(async {
        let writer = writer(20, Dialect::V8).await;
        let reader = reader_of(&writer).await;
        let hashes = writer.proof(7).hash(true).await.unwrap();
        reader.put(hashes, None).await.unwrap();
        assert_eq!((reader.len(), reader.downloaded(..)), (20, 0));
        assert!(!reader.has(7));
        carry(&writer, &reader, 7).await;
        assert!(reader.has(7));
    });
}

#[test]
fn what_does_not_verify_is_not_stored() {
    block_on(async {
        let writer = writer(20, Dialect::V8).await;
        let reader = reader_of(&writer).await;
        let proof = writer.proof(3).await.unwrap();
        let refused = reader
            .put(proof.clone(), Some(Bytes::from_static(b"made up")))
            .await;
        assert!(refused.unwrap_err().is_verification());
        let mut other = proof.clone();
        other.block = 4;
        let refused = reader.put(other, Some(writer.get(3).await.unwrap())).await;
        assert!(refused.unwrap_err().is_verification());
        assert_eq!((reader.len(), reader.downloaded(..)), (0, 0));
        reader
            .put(proof, Some(writer.get(3).await.unwrap()))
            .await
            .unwrap();
        assert_eq!(reader.len(), 20);
    });
}

#[test]
fn a_block_whose_hash_is_not_here_cannot_be_proved() {
    block_on(async {
        let feed = Hypercore::open(Storage::memory()).await.unwrap();
        let none = feed.proof(0).await;
        assert!(
            matches!(none, Err(Error::Feed(FeedError::NoProof { block: 0 }))),
            "{none:?}"
        );
        feed.close().await.unwrap();
        assert!(matches!(feed.proof(0).await, Err(Error::Closed)));
    });
}

#[test]
fn a_put_reaches_peers_and_those_who_wait() {
    async_std::task::block_on(async {
        let writer = writer(3, Dialect::V8).await;
        let reader = reader_of(&writer).await;
        let waiting = async_std::task::spawn(reader.get(1).into_future());
        carry(&writer, &reader, 1).await;
        assert_eq!(waiting.await.unwrap(), writer.get(1).await.unwrap());
    });
}
