//! Blocks from elsewhere on their way to disk: checked together, written together, then made known.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use crypto::{Hash, Signature, SignatureError, Verified};
use feed::{Feed, Put, PutCheck, PutError};
use flat_tree::Index;
use merkle::{Fork, Node, Proof};
use replicate::{PeerId, Replicator};
use wire::Data;

use crate::{
    Error, Event, PeerError, Result, core::Core, hooks::Source, member::Member, serve::wire_node,
    stats::Counters, view::View,
};

/// A block, or only its hashes, with the proof that it belongs to the feed.
#[derive(Clone)]
pub(crate) struct Arrival {
    pub(crate) proof: Proof,
    pub(crate) value: Option<Bytes>,
}

/// Stores what has arrived: from one peer, or by hand. What verifies is stored even if something behind it doesn't.
///
/// What isn't shown to be of the history that is stored is looked at again once the feed has grown, since what shows it may have
/// come along. If that isn't so, the peer is asked again, later.
///
/// # Errors
/// [`Error::Peer`] if something doesn't verify: the connection has to end. [`Error::Unproven`] if something that was put by hand
/// isn't shown to belong here. [`Error::Disk`] if writing fails.
pub(crate) async fn store(
    core: &Arc<Core>,
    from: Option<&Member>,
    arrived: &[Arrival],
) -> Result<()> {
    let peer = from.map(Member::id);
    let mut witness = Witness::default();
    let mut arrived: Vec<&Arrival> = arrived.iter().collect();
    while !arrived.is_empty() {
        let (length, later) = store_round(core, from, arrived, &mut witness).await?;
        if core.read(Feed::length) == length {
            for (arrival, unproven) in later {
                leave_aside(core, peer, arrival, unproven)?;
            }
            return Ok(());
        }
        arrived = later.into_iter().map(|(arrival, _)| arrival).collect();
    }
    Ok(())
}

/// Stores what can be stored together, and returns the rest, which wasn't understood when the feed had the length that is returned.
async fn store_round<'a>(
    core: &Arc<Core>,
    from: Option<&Member>,
    arrived: Vec<&'a Arrival>,
    witness: &mut Witness,
) -> Result<(u64, Vec<(&'a Arrival, Unproven)>)> {
    let peer = from.map(Member::id);
    let writer = core.writer().await?;
    let length = core.read(Feed::length);
    let mut puts: Vec<Put> = Vec::with_capacity(arrived.len());
    let mut stored = Vec::with_capacity(arrived.len());
    let mut growth = None;
    let mut later = Vec::new();
    let mut failure = None;
    // What all of them need is read together, and their blocks are hashed together.
    let claims = arrived.iter();
    let claims = claims.map(|arrival| (arrival.proof.clone(), arrival.value.clone()));
    let plans = core.read(|feed| feed.plan_puts(claims));
    let nodes = core.read_nodes(plans.reads())?;
    let checks = plans.check(&nodes);
    for (arrival, check) in arrived.into_iter().zip(checks) {
        let (block, has_value) = (arrival.proof.block, arrival.value.is_some());
        let mut checked = accept(core, from, arrival, check, growth, witness).await;
        if let Err(Refused::Wrong(Error::Peer(_))) = &checked
            && let Some(fork) = find_fork(core, arrival, witness).await?
        {
            note_fork(core, peer, &fork);
            checked = Err(Error::Peer(PeerError::Fork { block, fork }).into());
        }
        match checked {
            Ok(put) => {
                growth = growth.or(put.growth());
                puts.push(put);
                stored.push((block, has_value));
            }
            Err(Refused::Unproven(unproven)) => later.push((arrival, unproven)),
            Err(Refused::Wrong(error)) => {
                failure = Some((block, error));
                break;
            }
        }
    }
    if !puts.is_empty() {
        let (commit, conflicts) = core.read(|feed| feed.commit_puts(puts));
        stored.retain(|(block, _)| !conflicts.contains(block));
        let tell = move |replicator: &mut Replicator, now: Duration, view: &View<'_>| match peer {
            Some(peer) => replicator.handle_all_stored(now, peer, &stored, view),
            None => {
                for &(block, has_value) in &stored {
                    let blocks = block..block + u64::from(has_value);
                    replicator.handle_appended(now, blocks, view);
                }
            }
        };
        core.store(writer, commit, peer, Box::new(tell), |_| {})
            .await?;
        if let Some(&block) = conflicts.first() {
            failure = Some((block, refuse(block)(PutError::Conflict { block })));
        }
    }
    match failure {
        None => Ok((length, later)),
        Some((block, error)) => {
            if let Some(peer) = peer {
                core.replicate(|replicator, now, view| {
                    replicator.handle_refused(now, peer, block, view)
                });
            }
            Err(error)
        }
    }
}

/// Whether something that doesn't verify is the author's word for another history.
async fn find_fork(
    core: &Core,
    arrival: &Arrival,
    witness: &mut Witness,
) -> Result<Option<Arc<Fork>>> {
    let (proof, value) = (arrival.proof.clone(), arrival.value.as_ref());
    let Some(suspicion) = core.read(|feed| feed.plan_fork(proof, value)) else {
        return Ok(None);
    };
    let (signable, signature) = suspicion.signable();
    let Ok(verified) = witness.verify(core, signable, signature).await? else {
        return Ok(None);
    };
    let Some(candidates) = core.read(|feed| suspicion.candidates(feed, &verified)) else {
        return Ok(None);
    };
    let stored = core.read_nodes(candidates.reads())?;
    let Some(plan) = core.read(|feed| candidates.path(feed, &stored)) else {
        return Ok(None);
    };
    let ours = core.read_nodes(plan.reads())?;
    Ok(plan.finish(&ours).map(Arc::new))
}

fn note_fork(core: &Core, peer: Option<PeerId>, fork: &Arc<Fork>) {
    if core.state().feed.note_fork(fork) {
        let fork = Arc::clone(fork);
        core.announce(Event::Fork { fork, peer });
    }
}

/// Leaves it to the replicator when what can't be understood is to be tried again.
fn leave_aside(
    core: &Core,
    peer: Option<PeerId>,
    arrival: &Arrival,
    unproven: Unproven,
) -> Result<()> {
    let (block, has_value) = (arrival.proof.block, arrival.value.is_some());
    let Unproven { signed, by } = unproven;
    // A length that our own key has signed, if the feed is written here.
    core.state().feed.note_signed(signed);
    let Some(peer) = peer else {
        return Err(Error::Unproven { block, by });
    };
    let answer = Data::from(arrival);
    let lost = core.replicate(|replicator, now, view| {
        replicator.handle_unproven(now, peer, answer, signed, view)
    });
    if lost && has_value {
        core.state().count(peer, Counters::unproven);
    }
    Ok(())
}

/// Why something isn't stored.
enum Refused {
    /// Not now.
    Unproven(Unproven),
    Wrong(Error),
}

/// See [`PutError::Unproven`].
struct Unproven {
    signed: u64,
    by: u64,
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Refused::Wrong(error)
    }
}

/// From what was checked to what may be committed together with what grows to the length `growth`, without changing anything.
async fn accept(
    core: &Core,
    from: Option<&Member>,
    arrival: &Arrival,
    check: Result<PutCheck, PutError>,
    growth: Option<u64>,
    witness: &mut Witness,
) -> Result<Put, Refused> {
    let Arrival { proof, value } = arrival;
    let block = proof.block;
    let refuse = refuse(block);
    let check = check.map_err(&refuse)?;
    let verified = match check.signable() {
        None => None,
        Some((signable, signature)) => {
            let verified = witness.verify(core, signable, signature).await?;
            Some(verified.map_err(|error| refuse(error.into()))?)
        }
    };
    let put = check
        .accept(verified.as_ref())
        .map_err(|error| match error {
            PutError::Unproven { signed, by, .. } => Refused::Unproven(Unproven { signed, by }),
            error => refuse(error).into(),
        })?;
    // Of two that grow to different lengths one has to be stored before the other can be understood.
    if let (Some(growth), Some(signed)) = (growth, put.growth())
        && growth != signed
    {
        return Err(Refused::Unproven(Unproven { signed, by: block }));
    }
    if let (Some(hook), Some(bytes)) = (&core.hooks().on_write, value) {
        let source = from.map_or(Source::Local, |member| Source::Peer {
            remote_public_key: member.remote_public_key(),
        });
        let allowed = hook(block, bytes.clone(), source).await;
        allowed.map_err(|reason| Error::Refused(reason.into()))?;
    }
    Ok(put)
}

/// Whose fault it is that a block can't be stored: the peer's, or that of our own files.
fn refuse(block: u64) -> impl Fn(PutError) -> Error {
    move |error| match error {
        PutError::Local(error) => Error::Feed(error),
        source => Error::Peer(PeerError::Verification { block, source }),
    }
}

impl From<Data> for Arrival {
    fn from(data: Data) -> Self {
        let node = |node: &wire::Node| Node {
            index: Index::new(node.index),
            size: node.size,
            hash: Hash::new(node.hash),
        };
        Arrival {
            proof: Proof {
                block: data.index,
                nodes: data.nodes.iter().map(node).collect(),
                signature: data.signature.map(Signature::new),
            },
            value: data.value,
        }
    }
}

impl From<&Arrival> for Data {
    fn from(arrival: &Arrival) -> Self {
        let Proof {
            block,
            nodes,
            signature,
        } = &arrival.proof;
        Data {
            index: *block,
            value: arrival.value.clone(),
            nodes: nodes.iter().map(wire_node).collect(),
            signature: signature.as_ref().map(Signature::to_bytes),
        }
    }
}

/// The last signature that was found good: blocks that arrive together mostly carry the same one.
#[derive(Default)]
struct Witness(Option<(Signature, Verified)>);

impl Witness {
    async fn verify(
        &mut self,
        core: &Core,
        signable: &crypto::Signable,
        signature: Option<&Signature>,
    ) -> Result<Result<Verified, SignatureError>> {
        let key = core.key();
        let Some(signature) = signature else {
            return Ok(Verified::matching_key(&key, signable));
        };
        if let Some((known, verified)) = &self.0
            && known == signature
            && verified.signable() == signable
        {
            return Ok(Ok(*verified));
        }
        let verified = match &core.hooks().verifier {
            None => key.verify(signable, signature),
            Some(verifier) => {
                let good = verifier.verify(signable, signature, &key).await;
                let good = good.map_err(|reason| Error::Verifier(reason.into()))?;
                good.then(|| Verified::vouched_for(&key, signable))
                    .ok_or(SignatureError)
            }
        };
        if let Ok(verified) = verified {
            self.0 = Some((*signature, verified));
        }
        Ok(verified)
    }
}
