//! What is to be opened, and what may be done about it.

use core::fmt;

use crypto::{Dialect, PublicKey, SecretKey};

/// The longest feed that is accepted unless told otherwise.
pub const MAX_LENGTH: u64 = 1 << 32;

/// What is believed of a feed that its author has signed.
///
/// An author who signs two histories with one key, on purpose or because an old backup of the secret key was written on, has
/// made a *fork*. Blocks of both verify, one by one, because a signature covers only the roots of the length at which it was
/// made. What contradicts a stored hash is refused under either policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ForkPolicy {
    /// A feed that is known grows only by proofs that show that the longer one begins with the shorter one, and a block comes
    /// only by a proof that leads to what is stored. So a copy never has blocks of two histories.
    ///
    /// A longer feed is shown by the proof of one of a few blocks, as many from the known length on as the last root of that
    /// length has ([`proving_blocks`](merkle::proving_blocks)), or of its hash. A peer that has none of these can't bring the
    /// feed further, though its blocks may be good: a sparse copy that holds only block 900 is of no use to one that knows 500
    /// blocks until somebody else has brought the hash of one of the blocks from 500 to 503. Neither is a peer with an older,
    /// shorter feed for blocks above which nothing is stored here.
    #[default]
    Strict,
    /// Whatever is signed is taken, as JavaScript does. Of two histories a copy can then have blocks of both, until one of them
    /// contradicts a stored hash; it serves them on, and others that take them from it are mixed as well.
    Compat,
}

/// What is to be opened.
#[derive(Clone)]
pub struct OpenOptions {
    /// The feed's public key, if it is known.
    pub key: Option<PublicKey>,
    /// The feed's secret key, which makes it writable.
    pub secret_key: Option<SecretKey>,
    /// Whether to make a feed where none is stored.
    pub create: bool,
    /// Whether to forget what is stored.
    pub overwrite: bool,
    /// Whether to forget what is stored if that is another feed than the one asked for.
    pub force: bool,
    /// Whether a new feed without a key is one with signatures. Otherwise it is static: whoever writes it gets its key by
    /// finalizing it, and until then it is opened again with the same option.
    pub live: bool,
    /// Whether to refuse a feed that can't be appended to.
    pub writable: bool,
    /// Whether to write nothing at all, neither now nor later. Secret keys are then of no use.
    pub read_only: bool,
    /// Whether somebody else looks after the bytes of the blocks: appending doesn't write them, clearing doesn't delete
    /// them. Blocks of peers are written.
    pub external_data: bool,
    /// Whether to write the secret key of a new feed.
    pub store_secret_key: bool,
    /// The form of new signatures.
    pub dialect: Dialect,
    /// The longest length that is accepted from peers, in blocks.
    pub max_length: u64,
    /// What has to show that a feed that a peer tells of has the same history as the one known here.
    pub fork_policy: ForkPolicy,
    /// Whether whoever commits waits for the disk at the barriers of a batch, or keeps pages of the bitfield back until a sync, and
    /// shows others nothing before that. It is then noted in the files, and after a crash opening knows that nobody has seen what
    /// lies beyond the bits.
    pub ordered: bool,
    /// Whether a feed of one's own may be opened for writing although it was longer: what can't be proved any more is given up.
    /// Peers that have it will never agree with what is appended in its place.
    pub accept_loss: bool,
    /// Whether to make all bits anew from what is stored, which reads everything.
    pub rebuild: bool,
    /// 32 random bytes, used only if a new key pair has to be made.
    pub seed: [u8; 32],
}

impl Default for OpenOptions {
    /// Opens or creates, in dialect 8. The seed is zeros: set it.
    fn default() -> Self {
        OpenOptions {
            key: None,
            secret_key: None,
            create: true,
            overwrite: false,
            force: false,
            live: true,
            writable: false,
            read_only: false,
            external_data: false,
            store_secret_key: true,
            dialect: Dialect::V8,
            max_length: MAX_LENGTH,
            fork_policy: ForkPolicy::Strict,
            ordered: false,
            accept_loss: false,
            rebuild: false,
            seed: [0; 32],
        }
    }
}

impl fmt::Debug for OpenOptions {
    // Without the seed, which is as secret as the key that is made of it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenOptions")
            .field("key", &self.key)
            .field("secret_key", &self.secret_key)
            .field("create", &self.create)
            .field("overwrite", &self.overwrite)
            .field("force", &self.force)
            .field("live", &self.live)
            .field("writable", &self.writable)
            .field("read_only", &self.read_only)
            .field("external_data", &self.external_data)
            .field("store_secret_key", &self.store_secret_key)
            .field("dialect", &self.dialect)
            .field("max_length", &self.max_length)
            .field("fork_policy", &self.fork_policy)
            .field("ordered", &self.ordered)
            .field("accept_loss", &self.accept_loss)
            .field("rebuild", &self.rebuild)
            .finish_non_exhaustive()
    }
}
