//! The key pair by which a peer is known, which has nothing to do with the keys of feeds.

use core::fmt;

use curve25519_dalek::MontgomeryPoint;
use zeroize::Zeroizing;

/// An X25519 key pair. The secret half is wiped when dropped.
#[derive(Clone)]
pub struct KeyPair {
    secret: Zeroizing<[u8; 32]>,
    public: [u8; 32],
}

impl KeyPair {
    /// The pair of a secret key of 32 random bytes.
    pub fn from_secret(secret: [u8; 32]) -> Self {
        KeyPair {
            public: MontgomeryPoint::mul_base_clamped(secret).to_bytes(),
            secret: Zeroizing::new(secret),
        }
    }

    /// The pair that a seed determines: its hash is the secret key, as in JavaScript.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        KeyPair::from_secret(crypto::hash(&[&seed]).to_bytes())
    }

    /// The public half: what the other side learns.
    pub fn public(&self) -> [u8; 32] {
        self.public
    }

    /// The secret half.
    pub fn secret(&self) -> &[u8; 32] {
        &self.secret
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyPair(..)")
    }
}
