//! What a feed can prove, and what it believes: proofs that travel without a connection.

use std::{
    fmt,
    future::{Future, IntoFuture},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use crypto::{PublicKey, Signable, Signature};
use feed::SignatureStep;
use flat_tree::Index;
use merkle::{Fork, Node, PortableProof, Proof, ProofRequest, RemoteTree, Roots};
use replicate::Replicator;

use crate::{
    Encoding, Hypercore, Result,
    core::Core,
    store::{Arrival, store},
    view::View,
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

    /// A proof of a block that stands alone: it becomes bytes that can be kept or sent any way, and whoever has the public key
    /// and the block can check it, without a feed.
    ///
    /// ```
    /// # async_std::task::block_on(async {
    /// use hypercore::{Hypercore, PortableProof, Storage};
    ///
    /// let feed = Hypercore::open(Storage::memory()).await?;
    /// feed.append_batch(["a", "b", "c"]).await?;
    /// let bytes = feed.portable_proof(1)?.to_bytes();
    ///
    /// let proof = PortableProof::from_bytes(&bytes).unwrap();
    /// assert!(proof.verify(&feed.key(), b"b").is_ok());
    /// assert!(proof.verify(&feed.key(), b"x").is_err());
    /// # Ok::<_, hypercore::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// [`Error::Feed`](crate::Error::Feed) if the hash of the block isn't stored here or the feed is static and not finalized,
    /// [`Error::Disk`](crate::Error::Disk), [`Error::Closed`](crate::Error::Closed).
    pub fn portable_proof(&self, block: u64) -> Result<PortableProof> {
        let core = self.core();
        core.check_open()?;
        let plan = core.read(|feed| feed.plan_portable_proof(block))?;
        Ok(plan.finish(&core.read_nodes(plan.reads())?)?)
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
    /// [`Error::Peer`](crate::Error::Peer) if it doesn't verify: nothing is stored. [`Error::Unproven`](crate::Error::Unproven) if it is
    /// signed, but has first to be shown to be of the history that is stored here. [`Error::Refused`](crate::Error::Refused),
    /// [`Error::Disk`](crate::Error::Disk).
    ///
    /// # Cancellation
    /// A call that is dropped has stored the block or not; the feed is whole in both cases.
    pub async fn put(&self, proof: Proof, value: Option<Bytes>) -> Result<()> {
        self.core().check_open()?;
        store(self.core(), None, &[Arrival { proof, value }]).await
    }

    /// The forks that were met since the feed was opened, 16 at most: each shows that the author has signed another history than
    /// the one stored here.
    ///
    /// Only who gets an answer of the other history can meet one, so who fetches: a reader that meets both. Of two writers with
    /// one key neither fetches anything; a peer that claims to have more than was ever signed here ([`peers`](Hypercore::peers),
    /// [`PeerInfo::remote_length`](crate::PeerInfo::remote_length)) is then a sign, though not a proof, that somebody else writes.
    ///
    /// ```
    /// # async_std::task::block_on(async {
    /// use hypercore::{Fork, Hypercore, KeyPair, Storage};
    ///
    /// // One key, two places.
    /// let secret = KeyPair::from_seed([7; 32]).secret().clone();
    /// let here = Hypercore::builder(Storage::memory()).secret_key(secret.clone()).open().await?;
    /// let there = Hypercore::builder(Storage::memory()).secret_key(secret).open().await?;
    /// here.append("one").await?;
    /// there.append("other").await?;
    ///
    /// let reader = Hypercore::builder(Storage::memory()).key(here.key()).open().await?;
    /// reader.put(here.proof(0).await?, Some("one".into())).await?;
    /// let error = reader.put(there.proof(0).await?, Some("other".into())).await.unwrap_err();
    /// assert!(error.is_fork());
    /// let evidence = reader.forks()[0].to_bytes();
    /// assert!(Fork::from_bytes(&evidence).unwrap().verify(&reader.key()).is_ok());
    /// # Ok::<_, hypercore::Error>(()) }).unwrap();
    /// ```
    pub fn forks(&self) -> Vec<Fork> {
        self.core().read(|feed| feed.forks().to_vec())
    }

    /// The author's signature that covers a block: the first one that was made at it or behind it.
    ///
    /// # Errors
    /// [`Error::Feed`](crate::Error::Feed) if there is no such block or the feed is static,
    /// [`Error::Disk`](crate::Error::Disk), [`Error::Closed`](crate::Error::Closed).
    pub fn signature(&self, block: u64) -> Result<SignatureAt> {
        let core = self.core();
        core.check_open()?;
        let mut step = core.read(|feed| feed.find_signature(block))?;
        loop {
            step = match step {
                SignatureStep::Read { search, reads } => {
                    let replies = core.files().read(&reads)?;
                    search.step(&replies)?
                }
                SignatureStep::Found { block, signature } => {
                    return Ok(SignatureAt { block, signature });
                }
            }
        }
    }

    /// Whether a signature is the author's for the feed as it was when `block` was its last one, in either dialect's form.
    ///
    /// # Errors
    /// [`Error::Feed`](crate::Error::Feed) if that can't be decided: there is no such block, or its roots aren't stored here;
    /// [`Error::Disk`](crate::Error::Disk), [`Error::Closed`](crate::Error::Closed).
    pub fn verify(&self, block: u64, signature: &Signature) -> Result<bool> {
        let roots = self.roots(block)?;
        Ok(self.core().read(|feed| feed.verify(&roots, signature)))
    }

    /// What the author signs for the feed as it was when `block` was its last one. [`PublicKey::verify`] takes it with a signature,
    /// and tells which dialect's form that has.
    ///
    /// ```
    /// # async_std::task::block_on(async {
    /// use hypercore::{Dialect, Hypercore, Storage};
    ///
    /// let feed = Hypercore::builder(Storage::memory()).dialect(Dialect::V9).open().await?;
    /// feed.append_batch(["a", "b"]).await?;
    /// let signed = feed.signature(0)?;
    /// assert_eq!(signed.block, 1);
    /// let verified = feed.key().verify(&feed.signable(signed.block)?, &signed.signature).unwrap();
    /// assert_eq!(verified.dialect(), Some(Dialect::V9));
    /// # Ok::<_, hypercore::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As [`verify`](Self::verify).
    pub fn signable(&self, block: u64) -> Result<Signable> {
        Ok(self.roots(block)?.signable())
    }

    /// The roots of the tree as it was when `block` was the last one, left to right.
    ///
    /// # Errors
    /// As [`verify`](Self::verify).
    pub fn root_hashes(&self, block: u64) -> Result<Vec<Node>> {
        Ok(self.roots(block)?.nodes().to_vec())
    }

    /// Hash and size of a block, whether the block itself is stored here or not. Both are certain: they are known of blocks
    /// that are here and of their neighbours.
    ///
    /// # Errors
    /// [`Error::Feed`](crate::Error::Feed) if there is no such block or its hash isn't stored here,
    /// [`Error::Disk`](crate::Error::Disk), [`Error::Closed`](crate::Error::Closed).
    pub fn block_info(&self, block: u64) -> Result<Node> {
        let core = self.core();
        core.check_open()?;
        let plan = core.read(|feed| feed.plan_block_info(block))?;
        Ok(plan.finish(&core.read_nodes(plan.reads())?)?)
    }

    /// A node of the tree, if it is stored here: the hash over everything below it. A sparse copy has those that proofs brought.
    ///
    /// ```
    /// # async_std::task::block_on(async {
    /// use hypercore::{Hypercore, Index, Storage};
    ///
    /// let feed = Hypercore::open(Storage::memory()).await?;
    /// feed.append_batch(["a", "bc"]).await?;
    /// // Above the two blocks.
    /// let node = feed.node(Index::from_block(0).parent())?.unwrap();
    /// assert_eq!(node.size, 3);
    /// assert_eq!(feed.node(Index::from_block(2))?, None);
    /// # Ok::<_, hypercore::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// [`Error::Disk`](crate::Error::Disk), [`Error::Feed`](crate::Error::Feed) if the tree is damaged,
    /// [`Error::Closed`](crate::Error::Closed).
    pub fn node(&self, index: Index) -> Result<Option<Node>> {
        let core = self.core();
        core.check_open()?;
        let Some(plan) = core.read(|feed| feed.plan_node(index)) else {
            return Ok(None);
        };
        Ok(Some(plan.finish(&core.read_nodes(plan.reads())?)?))
    }

    /// Ends a static feed, whose tree hash is its key from now on: others can copy it, and nobody can append to it. See
    /// [`Builder::static_feed`](crate::Builder::static_feed).
    ///
    /// # Errors
    /// [`Error::Feed`](crate::Error::Feed) if it isn't a static feed or is finalized already,
    /// [`Error::Disk`](crate::Error::Disk), [`Error::Closed`](crate::Error::Closed).
    ///
    /// # Cancellation
    /// A call that is dropped has finalized the feed or not.
    pub async fn finalize(&self) -> Result<PublicKey> {
        let core = self.core();
        let writer = core.writer().await?;
        let commit = core.read(|feed| feed.commit_finalize())?;
        let nobody = Box::new(|_: &mut Replicator, _: Duration, _: &View<'_>| {});
        core.store(writer, commit, None, nobody, |_| {}).await?;
        Ok(core.key())
    }

    fn roots(&self, block: u64) -> Result<Roots> {
        let core = self.core();
        core.check_open()?;
        let plan = core.read(|feed| feed.plan_roots(block))?;
        Ok(plan.finish(&core.read_nodes(plan.reads())?)?)
    }
}

/// A signature and where it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SignatureAt {
    /// The block that was the last one when it was made.
    pub block: u64,
    /// The signature, of either form.
    pub signature: Signature,
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
