//! The primitives of both dialects for snow.
//!
//! Dialect 9 is plain Noise. Dialect 8 differs in two: its cipher is XChaCha20-Poly1305 under a nonce of 16 zeros and the
//! counter, and its "shared secret" is libsodium's key exchange, 64 bytes:
//!
//! ```text
//! H = BLAKE2b-512(q || initiator's key || responder's key),   secret = H[32..64] || H[0..32]
//! ```
//!
//! Snow has no room for 64 bytes of shared secret, so the key exchange leaves them in a [`Slot`] from which the hash takes them
//! when it derives the next key from the 32 bytes of `q`.
//!
//! Source: `docs/protocol.md`, "Handshake".

use alloc::{boxed::Box, sync::Arc};
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use blake2b_simd::{Params, State};
use chacha20poly1305::{
    ChaCha20Poly1305, KeyInit, XChaCha20Poly1305,
    aead::{AeadInOut, Nonce},
};
use crypto::Dialect;
use curve25519_dalek::MontgomeryPoint;
use snow::{
    Error,
    params::{CipherChoice, DHChoice, HashChoice},
    resolvers::CryptoResolver,
    types::{Cipher, Dh, Hash, Random},
};
use zeroize::{Zeroize, Zeroizing};

use crate::Role;

/// The primitives of one handshake.
pub(crate) struct Resolver {
    pub(crate) dialect: Dialect,
    pub(crate) role: Role,
    pub(crate) ephemeral: Zeroizing<[u8; 32]>,
    slot: Arc<Slot>,
}

impl Resolver {
    pub(crate) fn new(dialect: Dialect, role: Role, ephemeral: [u8; 32]) -> Self {
        Resolver {
            dialect,
            role,
            ephemeral: Zeroizing::new(ephemeral),
            slot: Arc::default(),
        }
    }
}

impl CryptoResolver for Resolver {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(Given(self.ephemeral.clone())))
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        let exchange = match self.dialect {
            Dialect::V8 => Some((self.role, Arc::clone(&self.slot))),
            Dialect::V9 => None,
        };
        matches!(choice, DHChoice::Curve25519).then(|| {
            let dh: Box<dyn Dh> = Box::new(X25519 {
                secret: Zeroizing::new([0; 32]),
                public: [0; 32],
                exchange,
            });
            dh
        })
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        matches!(choice, HashChoice::Blake2b).then(|| {
            let hash: Box<dyn Hash> = Box::new(Blake2b {
                state: State::new(),
                slot: Arc::clone(&self.slot),
            });
            hash
        })
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        let cipher: Box<dyn Cipher> = match (choice, self.dialect) {
            (CipherChoice::ChaChaPoly, Dialect::V8) => {
                Box::new(Aead::<XChaCha20Poly1305, 24>::default())
            }
            (CipherChoice::ChaChaPoly, Dialect::V9) => {
                Box::new(Aead::<ChaCha20Poly1305, 12>::default())
            }
            _ => return None,
        };
        Some(cipher)
    }
}

/// The randomness that the caller gave, for the one key that is made of it.
struct Given(Zeroizing<[u8; 32]>);

impl Random for Given {
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Error> {
        if out.len() != self.0.len() {
            return Err(Error::Rng);
        }
        out.copy_from_slice(&self.0[..]);
        Ok(())
    }
}

/// Where the 64 bytes of a key exchange wait for the hash. One thread at a time uses it; the atomics only make that safe to
/// say without a lock.
#[derive(Default)]
struct Slot {
    words: [AtomicU64; 8],
    full: AtomicBool,
}

impl Slot {
    fn put(&self, secret: &[u8; 64]) {
        let (words, _) = secret.as_chunks::<8>();
        for (slot, word) in self.words.iter().zip(words) {
            slot.store(u64::from_le_bytes(*word), Ordering::Relaxed);
        }
        self.full.store(true, Ordering::Release);
    }

    fn take(&self) -> Option<Zeroizing<[u8; 64]>> {
        if !self.full.swap(false, Ordering::Acquire) {
            return None;
        }
        let mut secret = Zeroizing::new([0; 64]);
        let (words, _) = secret.as_chunks_mut::<8>();
        for (slot, word) in self.words.iter().zip(words) {
            *word = slot.swap(0, Ordering::Relaxed).to_le_bytes();
        }
        Some(secret)
    }
}

struct X25519 {
    secret: Zeroizing<[u8; 32]>,
    public: [u8; 32],
    /// Dialect 8: our role, and where the secret goes.
    exchange: Option<(Role, Arc<Slot>)>,
}

impl Dh for X25519 {
    fn name(&self) -> &'static str {
        "25519"
    }

    fn pub_len(&self) -> usize {
        32
    }

    fn priv_len(&self) -> usize {
        32
    }

    fn set(&mut self, secret: &[u8]) {
        let len = secret.len().min(32);
        self.secret[..len].copy_from_slice(&secret[..len]);
        self.public = MontgomeryPoint::mul_base_clamped(*self.secret).to_bytes();
    }

    fn generate(&mut self, rng: &mut dyn Random) -> Result<(), Error> {
        let mut secret = Zeroizing::new([0; 32]);
        rng.try_fill_bytes(&mut secret[..])?;
        self.set(&secret[..]);
        Ok(())
    }

    fn pubkey(&self) -> &[u8] {
        &self.public
    }

    fn privkey(&self) -> &[u8] {
        &self.secret[..]
    }

    fn dh(&self, remote: &[u8], out: &mut [u8]) -> Result<(), Error> {
        let remote = remote
            .get(..32)
            .and_then(|key| <[u8; 32]>::try_from(key).ok());
        let remote = remote.ok_or(Error::Dh)?;
        let mut shared = MontgomeryPoint(remote).mul_clamped(*self.secret).to_bytes();
        // A point of low order: libsodium refuses it, snow wouldn't.
        if shared == [0; 32] {
            return Err(Error::Dh);
        }
        if let Some((role, slot)) = &self.exchange {
            let (initiator, responder) = match role {
                Role::Initiator => (&self.public, &remote),
                Role::Responder => (&remote, &self.public),
            };
            let mut hash = State::new();
            hash.update(&shared).update(initiator).update(responder);
            let mut secret = Zeroizing::new([0; 64]);
            let digest = hash.finalize();
            let (first, second) = digest.as_array().split_at(32);
            secret[..32].copy_from_slice(second);
            secret[32..].copy_from_slice(first);
            slot.put(&secret);
        }
        out.get_mut(..32).ok_or(Error::Dh)?.copy_from_slice(&shared);
        shared.zeroize();
        Ok(())
    }
}

struct Blake2b {
    state: State,
    slot: Arc<Slot>,
}

impl Hash for Blake2b {
    fn name(&self) -> &'static str {
        "BLAKE2b"
    }

    fn block_len(&self) -> usize {
        128
    }

    fn hash_len(&self) -> usize {
        64
    }

    fn reset(&mut self) {
        self.state = Params::new().to_state();
    }

    fn input(&mut self, data: &[u8]) {
        self.state.update(data);
    }

    fn result(&mut self, out: &mut [u8]) {
        out[..64].copy_from_slice(self.state.finalize().as_bytes());
    }

    fn hkdf(
        &mut self,
        chaining_key: &[u8],
        input_key_material: &[u8],
        outputs: usize,
        out1: &mut [u8],
        out2: &mut [u8],
        out3: &mut [u8],
    ) {
        let exchanged = match input_key_material.is_empty() {
            // The split derives from nothing.
            true => None,
            false => self.slot.take(),
        };
        let material = exchanged
            .as_ref()
            .map_or(input_key_material, |secret| &secret[..]);
        let mut temp = Zeroizing::new([0; 64]);
        self.hmac(chaining_key, material, &mut temp[..]);
        self.hmac(&temp[..], &[1], out1);
        if outputs >= 2 {
            let mut input = Zeroizing::new([2; 65]);
            input[..64].copy_from_slice(&out1[..64]);
            self.hmac(&temp[..], &input[..], out2);
        }
        if outputs >= 3 {
            let mut input = Zeroizing::new([3; 65]);
            input[..64].copy_from_slice(&out2[..64]);
            self.hmac(&temp[..], &input[..], out3);
        }
    }
}

/// An AEAD whose nonce of `N` bytes is zeros and the counter, little-endian.
struct Aead<C, const N: usize> {
    cipher: Option<C>,
}

impl<C, const N: usize> Default for Aead<C, N> {
    fn default() -> Self {
        Aead { cipher: None }
    }
}

const TAG: usize = 16;

fn nonce<const N: usize>(counter: u64) -> [u8; N] {
    let mut nonce = [0; N];
    nonce[N - 8..].copy_from_slice(&counter.to_le_bytes());
    nonce
}

impl<C, const N: usize> Cipher for Aead<C, N>
where
    C: AeadInOut + KeyInit + Send + Sync,
    for<'a> &'a Nonce<C>: From<&'a [u8; N]>,
    for<'a> &'a chacha20poly1305::aead::Key<C>: From<&'a [u8; 32]>,
    for<'a> &'a chacha20poly1305::aead::Tag<C>: TryFrom<&'a [u8]>,
{
    fn name(&self) -> &'static str {
        "ChaChaPoly"
    }

    fn set(&mut self, key: &[u8; 32]) {
        self.cipher = Some(C::new(key.into()));
    }

    fn encrypt(&self, counter: u64, authtext: &[u8], plaintext: &[u8], out: &mut [u8]) -> usize {
        let (text, rest) = out.split_at_mut(plaintext.len());
        text.copy_from_slice(plaintext);
        let nonce = nonce::<N>(counter);
        let tag = self.cipher.as_ref().and_then(|cipher| {
            cipher
                .encrypt_inout_detached((&nonce).into(), authtext, text.into())
                .ok()
        });
        // Snow sets a key before it encrypts, and no handshake message is too long: there is a tag.
        if let Some(tag) = tag {
            rest[..TAG].copy_from_slice(&tag);
        }
        plaintext.len() + TAG
    }

    fn decrypt(
        &self,
        counter: u64,
        authtext: &[u8],
        ciphertext: &[u8],
        out: &mut [u8],
    ) -> Result<usize, Error> {
        let len = ciphertext.len().checked_sub(TAG).ok_or(Error::Decrypt)?;
        let (text, tag) = ciphertext.split_at(len);
        let out = out.get_mut(..len).ok_or(Error::Decrypt)?;
        out.copy_from_slice(text);
        let tag = tag.try_into().map_err(|_| Error::Decrypt)?;
        let nonce = nonce::<N>(counter);
        let cipher = self.cipher.as_ref().ok_or(Error::Decrypt)?;
        cipher
            .decrypt_inout_detached((&nonce).into(), authtext, out.into(), tag)
            .map_err(|_| Error::Decrypt)?;
        Ok(len)
    }
}
