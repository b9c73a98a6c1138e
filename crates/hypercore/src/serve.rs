//! Answering requests: for each the proof that the peer lacks, the block if it is here, the signature if new roots are involved.
//! What several of them need is read together, and their blocks are checked together.

use std::sync::Arc;

use bytes::Bytes;
use crypto::Signature;
use feed::{BlockRead, Feed};
use flat_tree::Index;
use merkle::{Proof, ProofRequest, RemoteTree};
use wire::{Data, Request};

use crate::{
    Error, Result,
    core::Core,
    seek::{Place, find_local},
};

/// The answer to a request.
pub(crate) struct Answer {
    pub(crate) data: Data,
    /// The block of the byte that was asked for, if it was found.
    pub(crate) found: Option<u64>,
}

impl Answer {
    /// How long the block is, if it is part of the answer.
    pub(crate) fn len(&self) -> Option<usize> {
        self.data.value.as_ref().map(Bytes::len)
    }
}

/// The answers to the first of some requests: as many as have room in so many bytes, and one in any case. None where what was
/// asked for isn't here.
///
/// A block that doesn't match its hash on disk is treated as absent, and mended or forgotten: no peer is ever served wrong bytes.
///
/// # Errors
/// [`Error::Disk`](crate::Error::Disk) if reading fails.
pub(crate) fn serve(
    core: &Arc<Core>,
    requests: &[Request],
    room: usize,
    remote_tree: &mut RemoteTree,
) -> Result<Vec<Option<Answer>>> {
    let wanted = requests.iter().map(|request| Wanted::of(core, request));
    let mut wanted = wanted.collect::<Result<Vec<_>>>()?;
    let values = read_values(core, &mut wanted, room)?;
    let here = |(wanted, value): (&Wanted, &Option<Bytes>)| wanted.proof.hash || value.is_some();
    let proofs = wanted.iter().zip(&values).filter(|place| here(*place));
    let proofs = proofs.map(|(wanted, _)| &wanted.proof);
    let plans = core.read(|feed| feed.plan_proofs(proofs, remote_tree));
    let nodes = core.read_nodes(plans.reads())?;
    let mut proofs = plans.finish(&nodes).into_iter();
    let answers = wanted.iter().zip(values).map(|(wanted, value)| {
        let proof = match here((wanted, &value)) {
            true => proofs.next()?.ok()?,
            false => return None,
        };
        let (data, found) = (answer(proof, value), wanted.found);
        Some(Answer { data, found })
    });
    Ok(answers.collect())
}

/// What a request comes to.
struct Wanted {
    proof: ProofRequest,
    found: Option<u64>,
}

impl Wanted {
    fn of(core: &Core, request: &Request) -> Result<Self> {
        let found = match request.bytes() {
            0 => None,
            byte => find_stored(core, byte)?,
        };
        let (block, digest) = match found {
            Some(block) => (block, 0),
            None => (request.index, request.nodes()),
        };
        let hash = request.hash();
        let proof = ProofRequest {
            block,
            hash,
            digest,
        };
        Ok(Wanted { proof, found })
    }
}

/// The blocks that are wanted and are here, of the first requests: as many as have room. The others are taken off the list.
fn read_values(
    core: &Arc<Core>,
    wanted: &mut Vec<Wanted>,
    room: usize,
) -> Result<Vec<Option<Bytes>>> {
    let blocks = wanted.iter().filter(|wanted| !wanted.proof.hash);
    let blocks = blocks.map(|wanted| wanted.proof.block);
    let plans = core.read(|feed| feed.plan_gets(blocks));
    let nodes = core.read_nodes(plans.reads())?;
    let mut places = plans.locate(&nodes).into_iter();
    let (mut reads, mut taken): (Vec<Option<BlockRead>>, usize) = (Vec::new(), 0);
    for wanted in wanted.iter() {
        let place = match wanted.proof.hash {
            true => None,
            false => places.next(),
        };
        let place = match place {
            Some(Ok(place)) => Some(place),
            Some(Err(damage)) if damage.is_damage() => {
                core.mend_later(wanted.proof.block, damage);
                None
            }
            _ => None,
        };
        let len = place.map_or(0, |place| place.read().len);
        if !reads.is_empty() && len > room.saturating_sub(taken) {
            break;
        }
        taken = taken.saturating_add(len);
        reads.push(place);
    }
    wanted.truncate(reads.len());
    let places: Vec<BlockRead> = reads.iter().flatten().copied().collect();
    let pieces: Vec<_> = places.iter().map(BlockRead::read).collect();
    let blocks = BlockRead::finish_all(&places, core.files().read(&pieces)?);
    let mut blocks = blocks.into_iter();
    let values = reads.iter().zip(wanted).map(|(read, wanted)| {
        let block = read.as_ref().and_then(|_| blocks.next())?;
        if let Err(damage) = block {
            core.mend_later(wanted.proof.block, damage);
        }
        block.ok()
    });
    Ok(values.collect())
}

fn answer(proof: Proof, value: Option<Bytes>) -> Data {
    Data {
        index: proof.block,
        value,
        nodes: proof.nodes.iter().map(wire_node).collect(),
        signature: proof.signature.as_ref().map(Signature::to_bytes),
    }
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

pub(crate) fn wire_node(node: &merkle::Node) -> wire::Node {
    wire::Node {
        index: node.index.get(),
        hash: node.hash.to_bytes(),
        size: node.size,
    }
}
