//! Answering a request: the proof that the peer lacks, the block if it is here, the signature if new roots are involved.

use std::sync::Arc;

use crypto::Signature;
use feed::Feed;
use flat_tree::Index;
use merkle::{ProofRequest, RemoteTree};
use wire::{Data, Request};

use crate::{
    Error, Result,
    core::Core,
    read::read_local,
    seek::{Place, find_local},
};

/// The answer to a request.
pub(crate) struct Answer {
    pub(crate) data: Data,
    /// The block of the byte that was asked for, if it was found.
    pub(crate) found: Option<u64>,
}

/// The answer to a request, or none if what was asked for isn't here.
///
/// A block that doesn't match its hash on disk is treated as absent, and mended or forgotten: no peer is ever served wrong bytes.
///
/// # Errors
/// [`Error::Disk`](crate::Error::Disk) if reading fails.
pub(crate) fn serve(
    core: &Arc<Core>,
    request: &Request,
    remote_tree: &mut RemoteTree,
) -> Result<Option<Answer>> {
    let found = match request.bytes() {
        0 => None,
        byte => find_stored(core, byte)?,
    };
    let wanted = match found {
        Some(block) => ProofRequest {
            block,
            hash: request.hash(),
            digest: 0,
        },
        None => ProofRequest {
            block: request.index,
            hash: request.hash(),
            digest: request.nodes(),
        },
    };
    let value = match wanted.hash {
        true => None,
        false => match read_local(core, wanted.block) {
            Ok(Some(block)) => Some(block),
            Err(Error::Feed(damage)) if damage.is_damage() => {
                core.mend_later(wanted.block, damage);
                return Ok(None);
            }
            Ok(None) => return Ok(None),
            Err(error) => return Err(error),
        },
    };
    let Ok(plan) = core.read(|feed| feed.plan_proof(&wanted, remote_tree)) else {
        return Ok(None);
    };
    let nodes = core.read_nodes(plan.reads())?;
    let Ok(proof) = plan.finish(&nodes) else {
        return Ok(None);
    };
    let data = Data {
        index: wanted.block,
        value,
        nodes: proof.nodes.iter().map(wire_node).collect(),
        signature: proof.signature.as_ref().map(Signature::to_bytes),
    };
    Ok(Some(Answer { data, found }))
}

/// The block that holds a byte, if its hash is stored. The byte behind the last one is in no block that could be proved.
fn find_stored(core: &Core, byte: u64) -> Result<Option<u64>> {
    match find_local(core, byte) {
        Ok(Place::Found(block, _)) => {
            let stored = |feed: &Feed| feed.bitfield().has_node(Index::from_block(block));
            Ok(Some(block).filter(|_| core.read(stored)))
        }
        Ok(Place::Unknown(_)) | Err(Error::Feed(feed::Error::BeyondEnd { .. })) => Ok(None),
        Err(error) => Err(error),
    }
}

fn wire_node(node: &merkle::Node) -> wire::Node {
    wire::Node {
        index: node.index.get(),
        hash: node.hash.to_bytes(),
        size: node.size,
    }
}
