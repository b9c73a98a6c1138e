//! Key pairs of feeds, and what is signed with them.

#[cfg(test)]
mod tests;

use core::fmt;

use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use zeroize::Zeroizing;

use crate::{Dialect, DiscoveryKey, Hash, PublicKey, Signature, keyed_hash};

/// What the discovery key is the keyed hash of.
const DISCOVERY: &[u8] = b"hypercore";

/// A secret key as it is stored: the seed (32 bytes), then the public key (32 bytes). Wiped when dropped.
#[derive(Clone)]
pub struct SecretKey(Zeroizing<[u8; 64]>);

/// Why bytes are not a secret key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The public half doesn't belong to the seed.
    #[error("the two halves of the secret key don't belong together")]
    Mismatch,
}

impl SecretKey {
    /// How many bytes it has.
    pub const LEN: usize = 64;

    /// Reads the 64 bytes of a secret key.
    ///
    /// # Errors
    /// [`KeyError::Mismatch`]: signing with such a key would give signatures that nobody accepts.
    pub fn from_bytes(bytes: &[u8; 64]) -> Result<Self, KeyError> {
        SigningKey::from_keypair_bytes(bytes).map_err(|_| KeyError::Mismatch)?;
        Ok(SecretKey(Zeroizing::new(*bytes)))
    }

    /// Its bytes, which are as secret as the key.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 64]> {
        self.0.clone()
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(..)")
    }
}

/// The key pair of a feed that is written here.
///
/// ```
/// use hypercore_crypto::{Dialect, KeyPair, Signable, tree_hash};
///
/// let pair = KeyPair::from_seed([7; 32]);
/// let signable = Signable { tree_hash: tree_hash([]), length: 3 };
/// let signature = pair.sign(&signable, Dialect::V8);
/// assert!(pair.public().verify(&signable, &signature).is_ok());
/// ```
#[derive(Clone)]
pub struct KeyPair {
    signing: SigningKey,
    secret: SecretKey,
}

impl KeyPair {
    /// The pair that a seed of 32 random bytes determines.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        let signing = SigningKey::from_bytes(&seed);
        let secret = SecretKey(Zeroizing::new(signing.to_keypair_bytes()));
        KeyPair { signing, secret }
    }

    /// The pair that belongs to a secret key.
    pub fn from_secret(secret: SecretKey) -> Self {
        let mut seed = Zeroizing::new([0; 32]);
        seed.copy_from_slice(&secret.0[..32]);
        KeyPair::from_seed(*seed)
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        PublicKey::new(self.signing.verifying_key().to_bytes())
    }

    /// The secret half.
    pub fn secret(&self) -> &SecretKey {
        &self.secret
    }

    /// Signs the state of a feed. The same input gives the same signature.
    pub fn sign(&self, signable: &Signable, dialect: Dialect) -> Signature {
        let message = signable.to_bytes(dialect);
        Signature::new(self.signing.sign(message.as_ref()).to_bytes())
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyPair(..)")
    }
}

/// The state of a feed that a signature stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signable {
    /// The hash over the roots.
    pub tree_hash: Hash,
    /// The length in blocks. Dialect 9 signs it; the hash covers it in both, because it covers the roots' indices.
    pub length: u64,
}

impl Signable {
    /// The bytes that a dialect signs.
    pub fn to_bytes(&self, dialect: Dialect) -> SignableBytes {
        let mut bytes = [0; 40];
        bytes[..32].copy_from_slice(self.tree_hash.as_bytes());
        bytes[32..].copy_from_slice(&self.length.to_be_bytes());
        let len = match dialect {
            Dialect::V8 => 32,
            Dialect::V9 => 40,
        };
        SignableBytes { bytes, len }
    }
}

/// The bytes that a signature covers: 32 in dialect 8, 40 in dialect 9.
#[derive(Clone, Copy, Debug)]
pub struct SignableBytes {
    bytes: [u8; 40],
    len: usize,
}

impl AsRef<[u8]> for SignableBytes {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&self.bytes)
    }
}

/// A signature that doesn't hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature doesn't belong to the feed's key and this tree")]
pub struct SignatureError;

impl PublicKey {
    /// Checks a signature in both signed forms, that of dialect 8 first, which is what is written unless asked otherwise.
    ///
    /// Strictly: points of low order, non-canonical encodings and malleable signatures are refused, as libsodium does.
    ///
    /// # Errors
    /// [`SignatureError`] if neither form holds.
    pub fn verify(
        &self,
        signable: &Signable,
        signature: &Signature,
    ) -> Result<Verified, SignatureError> {
        let verifier = Verifier::new(self).ok_or(SignatureError)?;
        [Dialect::V8, Dialect::V9]
            .into_iter()
            .find(|dialect| verifier.holds(signable.to_bytes(*dialect).as_ref(), signature))
            .map(|dialect| Verified {
                key: *self,
                signable: *signable,
                dialect: Some(dialect),
            })
            .ok_or(SignatureError)
    }

    /// The name under which peers look for the feed.
    pub fn discovery_key(&self) -> DiscoveryKey {
        DiscoveryKey::new(keyed_hash(self.as_bytes(), &[DISCOVERY]).to_bytes())
    }
}

/// A public key that is a point of the curve. Finding out is a tenth of a check, so it is done once for both forms.
struct Verifier(VerifyingKey);

impl Verifier {
    fn new(key: &PublicKey) -> Option<Self> {
        let key = Some(key.as_bytes()).filter(|key| is_reduced(key))?;
        VerifyingKey::from_bytes(key).ok().map(Verifier)
    }

    fn holds(&self, message: &[u8], signature: &Signature) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(signature.as_bytes());
        self.0.verify_strict(message, &signature).is_ok()
    }
}

/// Whether the coordinate of an encoded point is below 2^255 - 19. What isn't is another form of a point that has a shorter one:
/// libsodium takes it for no key.
fn is_reduced(point: &[u8; 32]) -> bool {
    let [low, middle @ .., high] = point;
    *low < 0xed || high | 0x80 != 0xff || middle.iter().any(|byte| *byte != 0xff)
}

/// The witness that the author of a feed stands for a state of it. Made here only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    key: PublicKey,
    signable: Signable,
    dialect: Option<Dialect>,
}

impl Verified {
    /// The witness for a static feed, which has no signatures: its key is the tree hash.
    ///
    /// # Errors
    /// [`SignatureError`] if the hash differs from the key.
    pub fn matching_key(key: &PublicKey, signable: &Signable) -> Result<Self, SignatureError> {
        match key.as_bytes() == signable.tree_hash.as_bytes() {
            true => Ok(Verified {
                key: *key,
                signable: *signable,
                dialect: None,
            }),
            false => Err(SignatureError),
        }
    }

    /// The witness that somebody else stands for: a verifier of the caller's own, such as a device or a delegate of the
    /// author, has found the signature good. Nothing is checked here.
    pub fn vouched_for(key: &PublicKey, signable: &Signable) -> Self {
        Verified {
            key: *key,
            signable: *signable,
            dialect: None,
        }
    }

    /// The feed.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// The state that was signed.
    pub fn signable(&self) -> &Signable {
        &self.signable
    }

    /// The form that the signature had; none for a static feed, or if it was checked elsewhere.
    pub fn dialect(&self) -> Option<Dialect> {
        self.dialect
    }
}
