//! Answering a request: the proof that the peer lacks, the block if it is here, the signature if new roots are involved.

use crypto::Signature;
use merkle::{ProofRequest, RemoteTree};
use wire::{Data, Request};

use crate::{Result, core::Core, read::read_local};

/// The answer to a request, or none if what was asked for isn't here.
///
/// A block that doesn't match its hash on disk is treated as absent: no peer is ever served wrong bytes.
///
/// # Errors
/// [`Error::Disk`](crate::Error::Disk) if reading fails.
pub(crate) fn serve(
    core: &Core,
    request: &Request,
    remote_tree: &mut RemoteTree,
) -> Result<Option<Data>> {
    let wanted = ProofRequest {
        block: request.index,
        hash: request.hash(),
        digest: request.nodes(),
    };
    let value = match wanted.hash {
        true => None,
        false => match read_local(core, wanted.block)? {
            Some(block) => Some(block),
            None => return Ok(None),
        },
    };
    let Ok(plan) = core.read(|feed| feed.plan_proof(&wanted, remote_tree)) else {
        return Ok(None);
    };
    let nodes = core.read_nodes(plan.reads())?;
    let Ok(proof) = plan.finish(&nodes) else {
        return Ok(None);
    };
    Ok(Some(Data {
        index: wanted.block,
        value,
        nodes: proof.nodes.iter().map(wire_node).collect(),
        signature: proof.signature.as_ref().map(Signature::to_bytes),
    }))
}

fn wire_node(node: &merkle::Node) -> wire::Node {
    wire::Node {
        index: node.index.get(),
        hash: node.hash.to_bytes(),
        size: node.size,
    }
}
