//! Proving a block to a peer.

use alloc::vec::Vec;
use bytes::Bytes;
use crypto::Signature;
use flat_tree::Index;
use merkle::{Proof, ProofRequest, RemoteTree};
use storage::{File, Read};

use crate::{
    Damage, Error, Feed, Kind,
    layout::{NodeReads, signature_read},
};

/// A proof that is to be read from the files.
#[derive(Debug)]
pub struct ProofPlan {
    block: u64,
    order: Vec<Index>,
    nodes: NodeReads,
    reads: Vec<Read>,
    signed: bool,
}

impl Feed {
    /// Plans the proof that a peer lacks. `remote` remembers what its requests have told; have one for each peer.
    ///
    /// # Errors
    /// [`Error::NoProof`] if the hash of the block isn't stored; [`Error::Unfinished`].
    pub fn plan_proof(
        &self,
        request: &ProofRequest,
        remote: &mut RemoteTree,
    ) -> Result<ProofPlan, Error> {
        if self.kind == Kind::Unfinished {
            return Err(Error::Unfinished);
        }
        let block = request.block;
        let plan = merkle::plan_proof(&self.bitfield, remote, request);
        let plan = plan.ok_or(Error::NoProof { block })?;
        let nodes = NodeReads::new(plan.nodes.iter().copied(), &self.roots);
        let mut reads = nodes.reads().to_vec();
        let signed = plan.signed_length.filter(|_| self.is_live());
        reads.extend(signed.map(signature_read));
        Ok(ProofPlan {
            block,
            order: plan.nodes,
            nodes,
            reads,
            signed: signed.is_some(),
        })
    }
}

impl ProofPlan {
    /// What has to be read.
    pub fn reads(&self) -> &[Read] {
        &self.reads
    }

    /// The proof, its nodes in the order of the wire.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if a node or the signature isn't there.
    pub fn finish(&self, replies: &[Bytes]) -> Result<Proof, Error> {
        let nodes = self.nodes.parse(replies)?;
        let in_order = self
            .order
            .iter()
            .map(|index| nodes.must_get(*index).copied());
        let signature = match (self.signed, replies.last()) {
            (true, Some(bytes)) => Some(parse_signature(bytes)?),
            _ => None,
        };
        Ok(Proof {
            block: self.block,
            nodes: in_order.collect::<Result<_, _>>()?,
            signature,
        })
    }
}

/// An entry of the signatures, unless it is blank.
pub(crate) fn parse_signature(bytes: &[u8]) -> Result<Signature, Error> {
    match Signature::try_from(bytes) {
        Ok(signature) if signature != Signature::new([0; 64]) => Ok(signature),
        _ => Err(Error::corrupt(File::Signatures, Damage::MissingSignature)),
    }
}
