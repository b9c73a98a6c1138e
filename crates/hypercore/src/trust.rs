//! What a feed can prove, and what it believes: proofs that travel without a connection.

use std::{
    fmt,
    future::{Future, IntoFuture},
    pin::Pin,
    sync::Arc,
};

use bytes::Bytes;
use merkle::{Proof, ProofRequest, RemoteTree};

use crate::{
    Encoding, Hypercore, Result,
    core::Core,
    store::{Arrival, store},
};

impl<E: Encoding> Hypercore<E> {
    /// Which hashes around a block are stored here: what to give to [`CreateProof::digest`] on another copy, so that its
    /// proof leaves out what is known here. 0 if nothing is, 1 if everything is.
    pub fn digest(&self, block: u64) -> u64 {
        self.core()
            .read(|feed| merkle::digest(feed.bitfield(), block))
    }

    /// The hashes that show that a block belongs to this feed, with the author's signature if it takes that. With the
    /// block they let another copy [`put`](Self::put) it without a connection.
    ///
    /// # Errors
    /// The future fails with [`Error::Feed`](crate::Error::Feed) if the hash of the block isn't stored here,
    /// [`Error::Disk`](crate::Error::Disk) if reading fails.
    pub fn proof(&self, block: u64) -> CreateProof {
        CreateProof {
            core: Arc::clone(self.core()),
            request: ProofRequest {
                block,
                hash: false,
                digest: 0,
            },
        }
    }

    /// Stores a block that came with a proof, or only its hashes, as if a peer had sent it.
    ///
    /// ```
    /// # async_std::task::block_on(async {
    /// use hypercore::{Hypercore, Storage};
    ///
    /// let feed = Hypercore::open(Storage::memory()).await?;
    /// feed.append_batch(["a", "b", "c"]).await?;
    /// let copy = Hypercore::builder(Storage::memory()).key(feed.key()).open().await?;
    ///
    /// let proof = feed.proof(1).digest(copy.digest(1)).await?;
    /// copy.put(proof, Some("b".into())).await?;
    /// assert_eq!(copy.len(), 3);
    /// assert_eq!(copy.get(1).await?, "b");
    /// # Ok::<_, hypercore::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// [`Error::Peer`](crate::Error::Peer) if it doesn't verify: nothing is stored. [`Error::Refused`](crate::Error::Refused),
    /// [`Error::Disk`](crate::Error::Disk).
    pub async fn put(&self, proof: Proof, value: Option<Bytes>) -> Result<()> {
        self.core().check_open()?;
        store(self.core(), None, vec![Arrival { proof, value }]).await
    }
}

/// A proof that is about to be read. Await it.
#[must_use = "nothing is read until it is awaited"]
pub struct CreateProof {
    core: Arc<Core>,
    request: ProofRequest,
}

impl CreateProof {
    /// What the reader has already, as its [`digest`](Hypercore::digest) says. Default: nothing.
    pub fn digest(mut self, digest: u64) -> Self {
        self.request.digest = digest;
        self
    }

    /// Whether the block itself stays away, so that its hash has to be part of the proof. Default: no.
    pub fn hash(mut self, yes: bool) -> Self {
        self.request.hash = yes;
        self
    }
}

impl IntoFuture for CreateProof {
    type Output = Result<Proof>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<Proof>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let CreateProof { core, request } = self;
            core.check_open()?;
            let plan = core.read(|feed| feed.plan_proof(&request, &mut RemoteTree::new()))?;
            let nodes = core.read_nodes(plan.reads())?;
            Ok(plan.finish(&nodes)?)
        })
    }
}

impl fmt::Debug for CreateProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreateProof")
            .field("request", &self.request)
            .finish_non_exhaustive()
    }
}
