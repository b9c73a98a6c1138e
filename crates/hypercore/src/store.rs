//! Blocks from a peer on their way to disk: checked together, written together, then made known.

use std::sync::Arc;

use bytes::Bytes;
use crypto::{Hash, Signature, Verified};
use feed::{Put, PutError};
use flat_tree::Index;
use merkle::{Node, Proof};
use replicate::PeerId;
use wire::Data;

use crate::{Error, PeerError, Result, core::Core};

/// Stores what one peer has sent. What verifies is stored even if something behind it doesn't.
///
/// # Errors
/// [`Error::Peer`] if something doesn't verify: the connection has to end. [`Error::Disk`] if writing fails.
pub(crate) async fn store(core: &Arc<Core>, peer: PeerId, arrived: Vec<Data>) -> Result<()> {
    let _writer = core.writer().await?;
    let mut witness = Witness::default();
    let mut puts = Vec::with_capacity(arrived.len());
    let mut stored = Vec::with_capacity(arrived.len());
    let mut failure = None;
    for data in arrived {
        let (block, has_value) = (data.index, data.value.is_some());
        match check(core, data, &mut witness) {
            Ok(put) => {
                puts.push(put);
                stored.push((block, has_value));
            }
            Err(error) => {
                failure = Some((block, error));
                break;
            }
        }
    }
    if !puts.is_empty() {
        let (commit, conflicts) = core.read(|feed| feed.commit_puts(puts));
        core.files().commit(commit.batch())?;
        stored.retain(|(block, _)| !conflicts.contains(block));
        core.apply(commit, |replicator, now, view| {
            for &(block, has_value) in &stored {
                replicator.handle_stored(now, peer, block, has_value, view);
            }
        });
        if let Some(&block) = conflicts.first() {
            failure = Some((block, refuse(block)(PutError::Conflict { block })));
        }
    }
    match failure {
        None => Ok(()),
        Some((block, error)) => {
            core.replicate(|replicator, now, view| {
                replicator.handle_refused(now, peer, block, view)
            });
            Err(error)
        }
    }
}

/// From what arrived to what may be committed, without changing anything.
fn check(core: &Core, data: Data, witness: &mut Witness) -> Result<Put> {
    let refuse = refuse(data.index);
    let (proof, value) = parse(data);
    let plan = core
        .read(|feed| feed.plan_put(proof, value))
        .map_err(&refuse)?;
    let nodes = core.files().read(plan.reads())?;
    let check = plan.check(&nodes).map_err(&refuse)?;
    let verified = match check.signable() {
        None => None,
        Some((signable, signature)) => {
            let verified = witness.verify(core, signable, signature);
            Some(verified.map_err(|error| refuse(error.into()))?)
        }
    };
    check.accept(verified.as_ref()).map_err(&refuse)
}

/// Whose fault it is that a block can't be stored: the peer's, or that of our own files.
fn refuse(block: u64) -> impl Fn(PutError) -> Error {
    move |error| match error {
        PutError::Local(error) => Error::Feed(error),
        source => Error::Peer(PeerError::Verification { block, source }),
    }
}

fn parse(data: Data) -> (Proof, Option<Bytes>) {
    let node = |node: &wire::Node| Node {
        index: Index::new(node.index),
        size: node.size,
        hash: Hash::new(node.hash),
    };
    let proof = Proof {
        block: data.index,
        nodes: data.nodes.iter().map(node).collect(),
        signature: data.signature.map(Signature::new),
    };
    (proof, data.value)
}

/// The last signature that was found good: blocks that arrive together mostly carry the same one.
#[derive(Default)]
struct Witness(Option<(Signature, Verified)>);

impl Witness {
    fn verify(
        &mut self,
        core: &Core,
        signable: &crypto::Signable,
        signature: Option<&Signature>,
    ) -> Result<Verified, crypto::SignatureError> {
        let Some(signature) = signature else {
            return Verified::matching_key(&core.key(), signable);
        };
        if let Some((known, verified)) = &self.0
            && known == signature
            && verified.signable() == signable
        {
            return Ok(*verified);
        }
        let verified = core.key().verify(signable, signature)?;
        self.0 = Some((*signature, verified));
        Ok(verified)
    }
}
