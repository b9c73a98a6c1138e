//! Peers that do as they like with channels and capabilities. Whoever goes too far loses the feed or its connection.

use async_std::task;
use hypercore::{Connection, Dialect, Error, Peer, PeerError, ProtocolError, Role};
use wire::Message;

use crate::{
    duplex::duplex,
    pair::writer,
    raw::{Raw, refusal},
    stage::play,
};

#[test]
fn a_wrong_capability_closes_a_feed_that_the_remote_opened_first_and_the_others_go_on() {
    play(|stage| async move {
        let (secret, shared) = (stage.writer(3).await, stage.writer(4).await);
        let (left, right) = duplex(16 * 1024);
        let connection = Connection::new(Role::Responder)
            .live(true)
            .runtime(stage.runtime());
        let handle = connection.handle();
        let connection = stage.spawn(connection.run(right));
        let mut stranger = Raw::meet(Role::Initiator, left).await;
        for (channel, capability) in [(1, None), (2, Some([7; 32]))] {
            // It knows the name of the feed, as anyone may, but not its key.
            let name = secret.discovery_key();
            stranger.open_with(channel, name, capability).await;
            stage.quiet().await;
            handle.add(&secret).unwrap();
            assert_eq!(stranger.next().await, Some((channel, refusal(name))));
        }
        assert!(secret.peers().is_empty());
        // What it does know is exchanged on the same connection.
        stranger.open(3, &shared.key()).await;
        handle.add(&shared).unwrap();
        let opened = stranger.next().await.unwrap();
        assert!(matches!(opened, (3, Message::Open(_))), "{opened:?}");
        stage.quiet().await;
        assert!(shared.peers().iter().any(Peer::is_open));
        drop(stranger);
        let _ = connection.done().await;
    });
}

#[test]
fn a_wrong_capability_ends_the_connection_if_the_feed_was_opened_here_first() {
    task::block_on(async {
        let feed = writer(3, Dialect::V8).await;
        let (left, right) = duplex(16 * 1024);
        let connection = Connection::new(Role::Responder).live(true);
        connection.add(&feed).unwrap();
        let connection = task::spawn(connection.run(right));
        let mut stranger = Raw::meet(Role::Initiator, left).await;
        let (channel, open) = stranger.next().await.unwrap();
        assert!(matches!(open, Message::Open(_)) && channel == 1);
        // Sending its own capability back to it is no better than another wrong one.
        let Message::Open(open) = open else { return };
        let name = feed.discovery_key();
        stranger.open_with(1, name, open.capability).await;
        let error = connection.await.unwrap_err();
        let capability = matches!(
            error,
            Error::Peer(PeerError::Protocol(ProtocolError::Capability))
        );
        assert!(capability, "{error:?}");
        assert_eq!(stranger.next().await, None);
        assert!(feed.peers().is_empty());
    });
}
