//! The proof that a peer knows a feed's key, bound to one connection.

use core::fmt;

use crypto::keyed_hash;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// What the hash begins with.
const CONTEXT: &[u8] = b"hypercore capability";

/// Makes and checks capabilities of one connection.
#[derive(Clone)]
pub struct Capability {
    tx: Zeroizing<[u8; 32]>,
    rx: Zeroizing<[u8; 32]>,
}

impl Capability {
    /// From the key that we send under and the one that we receive under.
    pub fn new(tx: [u8; 32], rx: [u8; 32]) -> Self {
        Capability {
            tx: Zeroizing::new(tx),
            rx: Zeroizing::new(rx),
        }
    }

    /// What we show for a feed.
    pub fn local(&self, feed: &[u8; 32]) -> [u8; 32] {
        keyed_hash(&self.rx, &[CONTEXT, &*self.tx, feed]).to_bytes()
    }

    /// What the remote has to show.
    pub fn remote(&self, feed: &[u8; 32]) -> [u8; 32] {
        keyed_hash(&self.tx, &[CONTEXT, &*self.rx, feed]).to_bytes()
    }

    /// Whether it has shown that, in constant time.
    pub fn verify(&self, feed: &[u8; 32], shown: &[u8]) -> bool {
        self.remote(feed).ct_eq(shown).into()
    }
}

impl fmt::Debug for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Capability(..)")
    }
}
