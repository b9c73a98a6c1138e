//! Proving a block to a peer.

use alloc::vec::Vec;
use bytes::Bytes;
use crypto::Signature;
use flat_tree::Index;
use merkle::{PortableProof, Proof, ProofRequest, RemoteTree};
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

/// Several proofs that are to be read from the files, together.
#[derive(Debug)]
pub struct ProofPlans {
    plans: Vec<Result<Order, Error>>,
    nodes: NodeReads,
    /// The lengths whose signatures are read, ascending.
    signed: Vec<u64>,
    reads: Vec<Read>,
}

/// What goes into a proof, in the order of the wire.
#[derive(Debug)]
struct Order {
    block: u64,
    nodes: Vec<Index>,
    signed: Option<u64>,
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
        self.plan_nodes(request, remote).map(|(plan, _)| plan)
    }

    /// Plans proofs for several requests of one peer, in their order. What [`plan_proof`](Self::plan_proof) says to one of them
    /// [`ProofPlans::finish`] tells.
    pub fn plan_proofs<'a>(
        &self,
        requests: impl IntoIterator<Item = &'a ProofRequest>,
        remote: &mut RemoteTree,
    ) -> ProofPlans {
        let requests = requests.into_iter();
        let plans: Vec<_> = requests
            .map(|request| self.order(request, remote))
            .collect();
        let wanted = plans.iter().flatten().flat_map(|order| &order.nodes);
        let nodes = NodeReads::new(wanted.copied(), &self.roots);
        let signed = plans.iter().flatten().filter_map(|order| order.signed);
        let mut signed: Vec<u64> = signed.collect();
        signed.sort_unstable();
        signed.dedup();
        let mut reads = nodes.reads().to_vec();
        reads.extend(signed.iter().map(|length| signature_read(*length)));
        ProofPlans {
            plans,
            nodes,
            signed,
            reads,
        }
    }

    fn order(&self, request: &ProofRequest, remote: &mut RemoteTree) -> Result<Order, Error> {
        if self.kind == Kind::Unfinished {
            return Err(Error::Unfinished);
        }
        let block = request.block;
        let plan = merkle::plan_proof(&self.bitfield, remote, request);
        let plan = plan.ok_or(Error::NoProof { block })?;
        Ok(Order {
            block,
            nodes: plan.nodes,
            signed: plan.signed_length.filter(|_| self.is_live()),
        })
    }

    /// Plans a proof that stands alone, for whoever has the key of the feed and nothing else.
    ///
    /// # Errors
    /// As [`plan_proof`](Feed::plan_proof).
    pub fn plan_portable_proof(&self, block: u64) -> Result<PortablePlan, Error> {
        let request = ProofRequest {
            block,
            hash: false,
            digest: 0,
        };
        let (plan, length) = self.plan_nodes(&request, &mut RemoteTree::new())?;
        let length = length.ok_or(Error::NoProof { block })?;
        Ok(PortablePlan { length, plan })
    }

    /// The plan, and the length of the feed whose roots the proof reaches, if it does.
    fn plan_nodes(
        &self,
        request: &ProofRequest,
        remote: &mut RemoteTree,
    ) -> Result<(ProofPlan, Option<u64>), Error> {
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
        let order = plan.nodes;
        let length = plan.signed_length;
        let signed = signed.is_some();
        let plan = ProofPlan {
            block,
            order,
            nodes,
            reads,
            signed,
        };
        Ok((plan, length))
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

impl ProofPlans {
    /// What has to be read.
    pub fn reads(&self) -> &[Read] {
        &self.reads
    }

    /// Each of the proofs, with the errors of [`plan_proof`](Feed::plan_proof) and [`ProofPlan::finish`].
    pub fn finish(&self, replies: &[Bytes]) -> Vec<Result<Proof, Error>> {
        let nodes = self.nodes.parse_each(replies);
        let signatures = replies.get(self.nodes.reads().len()..).unwrap_or_default();
        let plans = self.plans.iter().map(|plan| {
            let Order {
                block,
                nodes: order,
                signed,
            } = plan.as_ref().map_err(|error| *error)?;
            let signature = match signed {
                Some(length) => {
                    let at = self.signed.binary_search(length).ok();
                    let bytes = at.and_then(|at| signatures.get(at));
                    Some(parse_signature(bytes.map_or(&[], |bytes| bytes))?)
                }
                None => None,
            };
            let nodes = order.iter().map(|index| nodes.must_get(*index).copied());
            Ok(Proof {
                block: *block,
                nodes: nodes.collect::<Result<_, _>>()?,
                signature,
            })
        });
        plans.collect()
    }
}

/// A proof that stands alone, which is to be read from the files.
#[derive(Debug)]
pub struct PortablePlan {
    length: u64,
    plan: ProofPlan,
}

impl PortablePlan {
    /// What has to be read.
    pub fn reads(&self) -> &[Read] {
        self.plan.reads()
    }

    /// The proof.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if a node or the signature isn't there.
    pub fn finish(&self, replies: &[Bytes]) -> Result<PortableProof, Error> {
        let proof = self.plan.finish(replies)?;
        let block = proof.block;
        PortableProof::new(self.length, proof).map_err(|_| Error::NoProof { block })
    }
}

/// An entry of the signatures, unless it is blank.
pub(crate) fn parse_signature(bytes: &[u8]) -> Result<Signature, Error> {
    match Signature::try_from(bytes) {
        Ok(signature) if signature != Signature::new([0; 64]) => Ok(signature),
        _ => Err(Error::corrupt(File::Signatures, Damage::MissingSignature)),
    }
}
