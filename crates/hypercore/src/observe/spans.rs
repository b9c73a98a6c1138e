//! Spans and events of `tracing`, all of them with the target `hypercore`.
//!
//! ```text
//! connection{role address}            info     as long as it runs; how it ended
//!   feed{feed peer}                   info     the work for one feed on it
//! request{feed wants index}           debug    a call waits for peers, within whatever span it was made
//! ```

use std::future::Future;

use noise::Role;
use replicate::PeerId;
use tracing::{Instrument, Span, debug, debug_span, field, info, info_span, trace, warn};

use crate::{
    ConnectionEvent, Error, Event, Remote, Result, Session, core::Core, patience::Missing,
};

const TARGET: &str = "hypercore";

pub(super) fn opened(feed: &str, core: &Core) {
    let length = core.length();
    info!(target: TARGET, feed, length, writable = core.is_writable(), "opened");
    if let Some(recovery) = core.read(|feed| feed.recovery().cloned()) {
        let (claimed, length, cut) = (recovery.claimed, recovery.length, recovery.cut);
        let lost = recovery.lost.count(0..u64::MAX);
        warn!(target: TARGET, feed, claimed, length, cut, lost, "recovered");
    }
}

pub(super) fn happened(feed: &str, event: &Event) {
    match event {
        Event::Append {
            length,
            byte_length,
        } => debug!(target: TARGET, feed, length, bytes = byte_length, "longer"),
        Event::Download { block, len, peer } => {
            trace!(target: TARGET, feed, peer = peer.0, block, bytes = len, "block stored");
        }
        Event::Upload { block, len, peer } => {
            trace!(target: TARGET, feed, peer = peer.0, block, bytes = len, "block sent");
        }
        Event::Ack { block, peer } => {
            trace!(target: TARGET, feed, peer = peer.0, block, "block confirmed");
        }
        Event::Clear { blocks } => {
            let (start, end) = (blocks.start, blocks.end);
            debug!(target: TARGET, feed, start, end, "blocks cleared");
        }
        Event::Sync => debug!(target: TARGET, feed, "complete"),
        Event::PeerAdd { peer, .. } => trace!(target: TARGET, feed, peer = peer.0, "peer added"),
        Event::PeerOpen { peer, .. } => debug!(target: TARGET, feed, peer = peer.0, "peer open"),
        Event::PeerRemove { peer, .. } => debug!(target: TARGET, feed, peer = peer.0, "peer gone"),
        Event::RemoteUpdate {
            peer,
            remote_length,
        } => trace!(target: TARGET, feed, peer = peer.0, length = remote_length, "peer claims"),
        Event::Fork { peer, .. } => {
            let peer = peer.map(|peer| peer.0);
            warn!(target: TARGET, feed, peer, "the author has signed two histories");
        }
        Event::WriteFailed { reason } => warn!(target: TARGET, feed, %reason, "writing failed"),
        Event::Close => info!(target: TARGET, feed, "closed"),
        Event::Replicating { .. } | Event::Lagged { .. } => {}
    }
}

pub(super) fn refused(feed: &str, peer: PeerId, error: &Error) {
    warn!(target: TARGET, feed, peer = peer.0, error = %error, "refused");
}

pub(super) fn request(feed: &str, missing: &Missing) -> Span {
    let (wants, index) = match *missing {
        Missing::Block(block) => ("block", block),
        Missing::Blocks { first, .. } => ("blocks", first),
        Missing::Length(length) => ("length", length),
        Missing::Tip(length) => ("tip", length),
        Missing::Hashes { byte, .. } | Missing::Byte { byte, .. } => ("byte", byte),
    };
    debug_span!(target: TARGET, "request", feed, wants, index)
}

pub(super) fn channel(feed: &str, peer: PeerId) -> Span {
    info_span!(target: TARGET, "feed", feed, peer = peer.0)
}

pub(super) fn connection<F: Future<Output = Result<Session>>>(
    role: Role,
    remote: Remote,
    work: F,
) -> impl Future<Output = Result<Session>> {
    let role = match role {
        Role::Initiator => "initiator",
        Role::Responder => "responder",
    };
    let address = remote.address.map(field::display);
    let span = info_span!(target: TARGET, "connection", role, address);
    async {
        let ended = work.await;
        match &ended {
            Ok(session) => info!(
                target: TARGET,
                finished = session.finished,
                sent = session.bytes_sent,
                received = session.bytes_received,
                "connection ended"
            ),
            Err(Error::Closed) => info!(target: TARGET, "connection ended with its feed"),
            Err(error) => warn!(target: TARGET, error = %error, "connection failed"),
        }
        ended
    }
    .instrument(span)
}

pub(super) fn connection_event(event: &ConnectionEvent) {
    if let ConnectionEvent::Handshake { dialect, .. } = event {
        info!(target: TARGET, dialect = ?dialect, "handshake done");
    }
}
