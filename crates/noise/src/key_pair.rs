//! The X25519 key by which a peer is known on connections, and the randomness of one handshake.

use core::fmt;

use crypto::hash;
use zeroize::{Zeroize, Zeroizing};

use crate::dh;

/// An X25519 key pair: who a peer is on its connections. It has nothing to do with the keys of feeds.
///
/// ```
/// use hypercore_noise::KeyPair;
///
/// let pair = KeyPair::from_seed([1; 32]);
/// assert_ne!(pair.public(), KeyPair::from_secret([1; 32]).public());
/// ```
#[derive(Clone)]
pub struct KeyPair {
    secret: Zeroizing<[u8; 32]>,
    public: [u8; 32],
}

impl KeyPair {
    /// The pair with this secret key.
    pub fn from_secret(secret: [u8; 32]) -> Self {
        let secret = Zeroizing::new(secret);
        KeyPair {
            public: dh::public_key(&secret),
            secret,
        }
    }

    /// The pair whose secret key is the hash of a seed, as in JavaScript.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        let seed = Zeroizing::new(seed);
        KeyPair::from_secret(hash(&[&*seed]).to_bytes())
    }

    /// The public key, which the remote gets to know.
    pub fn public(&self) -> [u8; 32] {
        self.public
    }

    pub(crate) fn secret(&self) -> &[u8; 32] {
        &self.secret
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyPair(..)")
    }
}

/// The random bytes that one handshake uses up. Using any of them twice gives the encryption away.
pub struct Randomness {
    /// The secret key of this handshake alone.
    pub ephemeral: [u8; 32],
    /// The nonce of the stream that is sent.
    pub nonce: [u8; 24],
}

impl Drop for Randomness {
    fn drop(&mut self) {
        self.ephemeral.zeroize();
        self.nonce.zeroize();
    }
}

impl fmt::Debug for Randomness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Randomness(..)")
    }
}
