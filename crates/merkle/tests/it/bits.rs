//! The sets of nodes: the paged bitfield tells the same as the plain set.

use bitfield::{Bitfield, PageSize};
use flat_tree::Index;
use hypercore_merkle::{
    NodeBits, NodeSet, NodeSetMut, ProofRequest, RemoteTree, blocks, digest, insert, plan_proof,
    verified_by,
};
use testkit::{Rng, seed};

#[test]
fn a_bitfield_tells_the_same_as_a_plain_set() {
    let mut rng = Rng::new(seed(1));
    for _ in 0..40 {
        let length = 1 + rng.below(300);
        let mut pages = Bitfield::new(PageSize::Current);
        let mut draft = pages.draft();
        let mut plain = NodeBits::new();
        for _ in 0..rng.below(2 * length) {
            let index = Index::new(rng.below(2 * length));
            insert(&mut draft, index);
            insert(&mut plain, index);
        }
        let same = |paged: &dyn Fn(Index) -> bool| {
            (0..4 * length).all(|n| paged(Index::new(n)) == plain.has(Index::new(n)))
        };
        assert!(same(&|index| NodeSet::has(&draft, index)));
        let changes = draft.finish();
        pages.apply(changes);
        assert!(same(&|index| NodeSet::has(&pages, index)));

        // How far a digest looks depends on the pages, so the plain set has to claim as much.
        let mut plain_as_wide = NodeBits::with_bits(pages.bits());
        plain
            .iter()
            .for_each(|index| insert(&mut plain_as_wide, index));
        assert_eq!(blocks(&pages), blocks(&plain_as_wide));
        for block in 0..length {
            let index = Index::from_block(block);
            assert_eq!(verified_by(&pages, index), verified_by(&plain, index));
            assert_eq!(digest(&pages, block), digest(&plain_as_wide, block));
            let request = ProofRequest {
                block,
                hash: rng.one_in(3),
                digest: rng.below(64),
            };
            assert_eq!(
                plan_proof(&pages, &mut RemoteTree::new(), &request),
                plan_proof(&plain, &mut RemoteTree::new(), &request),
            );
        }
    }
}

#[test]
fn nothing_far_out_takes_long_or_overflows() {
    let mut set = NodeBits::with_bits(u64::MAX);
    for n in [
        0,
        1,
        (1 << 53) - 1,
        1 << 53,
        (1 << 62) - 1,
        1 << 62,
        u64::MAX,
    ] {
        insert(&mut set, Index::new(n));
    }
    assert!(blocks(&set) > 0);
    for block in [0, 1, (1 << 52) - 1, 1 << 52, 1 << 61, 1 << 62, u64::MAX] {
        digest(&set, block);
        verified_by(&set, Index::from_block(block));
        for digest in [0, 1, 2, 3, u64::MAX - 1, u64::MAX] {
            let request = ProofRequest {
                block,
                hash: true,
                digest,
            };
            let plan = plan_proof(&set, &mut RemoteTree::new(), &request);
            assert!(plan.is_none_or(|plan| plan.nodes.len() < 128));
        }
    }
}

#[test]
fn a_block_that_no_feed_has_is_not_mistaken_for_another() {
    let mut set = NodeBits::new();
    insert(&mut set, Index::from_block(0));
    // Twice this number is 2^64.
    let request = ProofRequest {
        block: 1 << 63,
        hash: true,
        digest: 0,
    };
    assert_eq!(plan_proof(&set, &mut RemoteTree::new(), &request), None);
}

#[test]
fn what_a_peer_claims_is_remembered_only_so_far() {
    // Every request claims the sibling; the author has every node of a long feed.
    let length: u64 = 12_000;
    let mut tree = NodeBits::new();
    (0..length).for_each(|block| insert(&mut tree, Index::from_block(block)));
    let mut remote = RemoteTree::new();
    let mut most = 0;
    for block in 0..length {
        let request = ProofRequest {
            block,
            hash: false,
            digest: u64::MAX,
        };
        assert!(plan_proof(&tree, &mut remote, &request).is_some());
        if block % 64 == 0 {
            most = most.max(remote.iter().count());
        }
    }
    assert!((8_000..20_000).contains(&most), "{most}");
}

#[test]
fn a_tree_with_a_gap_above_the_block_proves_nothing() {
    // Both leaves are there, but not their parent, as after a fault of the disk.
    let mut set = NodeBits::new();
    set.set(Index::new(0));
    set.set(Index::new(2));
    let request = ProofRequest {
        block: 0,
        hash: false,
        digest: 0,
    };
    assert_eq!(plan_proof(&set, &mut RemoteTree::new(), &request), None);
}
