//! Both ends of a connection see the same of it, once nothing is under way.

use crate::{
    edge::{Edge, Fate, Up},
    ends::{End, copy_at},
    world::World,
};

/// Looks at the connections of many feeds that stay, and to which nothing has happened.
pub(crate) fn ends(world: &World) {
    let kept = world.edges.iter().filter(|edge| edge.fate == Fate::Kept);
    for (edge, up) in kept.filter_map(|edge| Some((edge, edge.up.as_ref()?))) {
        if let [one, other] = &up.ends[..]
            && up.is_untouched()
        {
            end(world, edge, up, one, other);
            end(world, edge, up, other, one);
        }
    }
}

fn end(world: &World, edge: &Edge, up: &Up, end: &End, other: &End) {
    let (Some(here), Some(there)) = (&end.handle, &other.handle) else {
        return;
    };
    let what = &up.what;
    let hash = here.handshake_hash();
    assert_eq!(hash, there.handshake_hash(), "{what}");
    let remote = hash.map(|_| other.public_key);
    assert_eq!(here.remote_public_key(), remote, "{what}");
    assert!(there.bytes_received() <= here.bytes_sent(), "{what}");
    let shares = edge.shares(&world.nodes, world.feeds.len());
    for (feed, shared) in shares.into_iter().enumerate() {
        let key = world.nodes[world.feeds[feed].writer].feed.key();
        let (name, open) = (key.discovery_key(), shared == [true; 2]);
        let what = format!("feed {feed}, which {shared:?} have: {what}");
        assert_eq!(here.is_opened(&name), open, "{what}");
        assert_eq!(there.is_remote_opened(&name), open, "{what}");
        let known = open && hash.is_some();
        assert_eq!(there.is_remote_verified(&key), known, "{what}");
        if let (Some(node), Some(remote)) = (copy_at(&world.nodes, end.peer, feed), remote) {
            let mut peers = node.feed.peers().into_iter();
            let peer = peers.any(|peer| peer.remote_public_key() == Some(remote));
            assert_eq!(peer, open, "{what}");
        }
    }
}
