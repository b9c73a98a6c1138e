//! What a program may have a say in: what is written, who signs, and who verifies.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use crypto::{Dialect, PublicKey, Signable, Signature};

use crate::{BoxError, BoxFuture};

/// Where a block comes from that is about to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// It is appended here.
    Local,
    /// A peer sent it, and it is verified.
    Peer {
        /// The peer's Noise key, if the connection has a handshake.
        remote_public_key: Option<[u8; 32]>,
    },
}

/// Sees every block before it is written, as the bytes that will be stored, and may refuse it. Nothing has changed then.
pub(crate) type OnWrite =
    Arc<dyn Fn(u64, Bytes, Source) -> BoxFuture<Result<(), BoxError>> + Send + Sync>;

/// Signs in place of a secret key that is stored here: a device, an agent, another process.
///
/// ```
/// use hypercore::{
///     BoxError, BoxFuture, Dialect, Hypercore, KeyPair, Signable, Signature, Signer, Storage,
/// };
///
/// /// Stands in for a device that never gives away its key.
/// #[derive(Debug)]
/// struct Device(KeyPair);
///
/// impl Signer for Device {
///     fn sign(&self, signable: &Signable, dialect: Dialect) -> BoxFuture<Result<Signature, BoxError>> {
///         let signature = self.0.sign(signable, dialect);
///         Box::pin(async move { Ok(signature) })
///     }
/// }
///
/// # async_std::task::block_on(async {
/// let device = Device(KeyPair::from_seed([7; 32]));
/// let feed = Hypercore::builder(Storage::memory())
///     .key(device.0.public())
///     .signer(device)
///     .open()
///     .await?;
/// feed.append("signed elsewhere").await?;
/// # Ok::<_, hypercore::Error>(()) }).unwrap();
/// ```
pub trait Signer: fmt::Debug + Send + Sync + 'static {
    /// Signs the bytes that [`Signable::to_bytes`] gives, with the secret key of the feed: 32 in dialect 8, 40 in dialect 9.
    ///
    /// # Errors
    /// Whatever keeps it from signing. The append fails with [`Error::Signer`](crate::Error::Signer), and nothing is
    /// appended. A signature that doesn't fit the key is refused as well.
    fn sign(&self, signable: &Signable, dialect: Dialect)
    -> BoxFuture<Result<Signature, BoxError>>;
}

/// Verifies in place of Ed25519 with the feed's key.
pub trait Verifier: fmt::Debug + Send + Sync + 'static {
    /// Whether the author stands for this state of the feed, in either form: the signature may cover what
    /// [`Signable::to_bytes`] gives for dialect 9, or for dialect 8.
    ///
    /// # Errors
    /// Whatever keeps it from deciding. The connection that brought the signature ends with
    /// [`Error::Verifier`](crate::Error::Verifier).
    fn verify(
        &self,
        signable: &Signable,
        signature: &Signature,
        key: &PublicKey,
    ) -> BoxFuture<Result<bool, BoxError>>;
}

/// The hooks of one feed.
#[derive(Clone, Default)]
pub(crate) struct Hooks {
    pub(crate) on_write: Option<OnWrite>,
    pub(crate) signer: Option<Arc<dyn Signer>>,
    pub(crate) verifier: Option<Arc<dyn Verifier>>,
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks")
            .field("on_write", &self.on_write.is_some())
            .field("signer", &self.signer)
            .field("verifier", &self.verifier)
            .finish()
    }
}
