//! Proof that one knows a feed's key, good for one connection only.

use core::fmt;

use crypto::keyed_hash;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

const PREFIX: &[u8] = b"hypercore capability";

/// Makes and checks capabilities. They hang on the keys of the handshake, so one that was overheard, or is sent back to its
/// maker, is worth nothing.
///
/// ```text
/// sent      BLAKE2b(key: rx, PREFIX tx feed key)
/// expected  BLAKE2b(key: tx, PREFIX rx feed key)
/// ```
#[derive(Clone)]
pub struct Capability {
    tx: Zeroizing<[u8; 32]>,
    rx: Zeroizing<[u8; 32]>,
}

impl Capability {
    pub(crate) fn new(tx: &[u8; 32], rx: &[u8; 32]) -> Self {
        Capability {
            tx: Zeroizing::new(*tx),
            rx: Zeroizing::new(*rx),
        }
    }

    /// The capability to send for the feed with this public key.
    pub fn local(&self, feed_key: &[u8; 32]) -> [u8; 32] {
        keyed_hash(&self.rx, &[PREFIX, &*self.tx, feed_key]).to_bytes()
    }

    /// The capability that the remote sends if it knows the key.
    pub fn remote(&self, feed_key: &[u8; 32]) -> [u8; 32] {
        keyed_hash(&self.tx, &[PREFIX, &*self.rx, feed_key]).to_bytes()
    }

    /// Whether this is what a remote sends that knows the key. Takes the same time wherever a byte differs.
    pub fn verify(&self, feed_key: &[u8; 32], capability: &[u8]) -> bool {
        self.remote(feed_key)[..].ct_eq(capability).into()
    }
}

impl fmt::Debug for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Capability(..)")
    }
}
