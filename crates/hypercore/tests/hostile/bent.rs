//! A handshake that can be bent: Noise XX of both dialects from its parts, and whatever one likes in it.
//!
//! It shares no code with the one that is attacked. Only the side of the initiator.

use blake2b_simd::Params;
use chacha20poly1305::{
    ChaCha20Poly1305, KeyInit, XChaCha20Poly1305,
    aead::{Aead, Payload as Sealed},
};
use curve25519_dalek::MontgomeryPoint;
use hypercore::Dialect;

/// What the initiator says besides keys.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Payload {
    /// A nonce of so many bytes.
    Nonce(u8),
    /// These bytes.
    Bytes(&'static [u8]),
}

/// An initiator's side.
pub(crate) struct Bent {
    dialect: Dialect,
    /// The secrets, clamped where they are used.
    ephemeral: [u8; 32],
    fixed: [u8; 32],
    /// The static key that is shown, if it isn't that of the secret.
    shown: Option<[u8; 32]>,
    payload: Payload,
    hash: [u8; 64],
    chaining_key: [u8; 64],
    key: Option<[u8; 32]>,
    count: u64,
}

impl Bent {
    pub(crate) fn new(dialect: Dialect) -> Self {
        let name: &[u8] = match dialect {
            Dialect::V8 => b"Noise_XX_25519_XChaChaPoly_BLAKE2b",
            Dialect::V9 => b"Noise_XX_25519_ChaChaPoly_BLAKE2b",
        };
        let mut hash = [0; 64];
        hash[..name.len()].copy_from_slice(name);
        let mut bent = Bent {
            dialect,
            ephemeral: [21; 32],
            fixed: [22; 32],
            shown: None,
            payload: Payload::Nonce(24),
            hash,
            chaining_key: hash,
            key: None,
            count: 0,
        };
        // The prologue is empty.
        bent.mix_hash(&[]);
        bent
    }

    pub(crate) fn show(mut self, public: [u8; 32]) -> Self {
        self.shown = Some(public);
        self
    }

    pub(crate) fn payload(mut self, payload: Payload) -> Self {
        self.payload = payload;
        self
    }

    /// The first message, with its length.
    pub(crate) fn first(&mut self) -> Vec<u8> {
        let payload = self.payload_bytes();
        self.first_with(&payload)
    }

    pub(crate) fn first_with(&mut self, payload: &[u8]) -> Vec<u8> {
        let public = public_key(&self.ephemeral);
        self.mix_hash(&public);
        self.mix_hash(payload);
        framed(&[&public, payload].concat())
    }

    /// The third message, in answer to the second, with their lengths.
    pub(crate) fn third(&mut self, second: &[u8]) -> Vec<u8> {
        let second = &second[1..];
        let (remote, rest) = second.split_first_chunk::<32>().unwrap();
        let (sealed_static, sealed_payload) = rest.split_at(48);
        self.mix_hash(remote);
        let ephemeral = self.ephemeral;
        self.mix_shared(&ephemeral, remote);
        // What can't be opened, being of another dialect, is bent on with anything.
        let remote_static = self.open(sealed_static);
        let remote_static = remote_static.try_into().unwrap_or([9; 32]);
        self.mix_shared(&ephemeral, &remote_static);
        self.open(sealed_payload);

        let shown = self.shown.unwrap_or_else(|| public_key(&self.fixed));
        let sealed_static = self.seal(&shown);
        let fixed = self.fixed;
        self.mix_shared(&fixed, remote);
        let payload = self.payload_bytes();
        let sealed_payload = self.seal(&payload);
        framed(&[sealed_static, sealed_payload].concat())
    }

    fn payload_bytes(&self) -> Vec<u8> {
        match self.payload {
            Payload::Nonce(len) => [&[0x0a, len][..], &vec![5; len.into()]].concat(),
            Payload::Bytes(bytes) => bytes.to_vec(),
        }
    }

    fn mix_hash(&mut self, bytes: &[u8]) {
        self.hash = blake2b(&[&self.hash, bytes]);
    }

    /// `remote` was heard; the other key is ours.
    fn mix_shared(&mut self, secret: &[u8; 32], remote: &[u8; 32]) {
        let point = MontgomeryPoint(*remote).mul_clamped(*secret).to_bytes();
        let shared = match self.dialect {
            Dialect::V9 => point.to_vec(),
            Dialect::V8 => {
                let halves = blake2b(&[&point, &public_key(secret), remote]);
                [&halves[32..], &halves[..32]].concat()
            }
        };
        let temporary = hmac(&self.chaining_key, &[&shared]);
        self.chaining_key = hmac(&temporary, &[&[1]]);
        let key = hmac(&temporary, &[&self.chaining_key, &[2]]);
        self.key = key.first_chunk().copied();
        self.count = 0;
    }

    fn seal(&mut self, text: &[u8]) -> Vec<u8> {
        let sealed = self.cipher(text, |cipher, nonce, text| cipher.encrypt(nonce, text));
        let sealed = sealed.unwrap();
        self.mix_hash(&sealed);
        sealed
    }

    fn open(&mut self, sealed: &[u8]) -> Vec<u8> {
        let text = self.cipher(sealed, |cipher, nonce, text| cipher.decrypt(nonce, text));
        self.mix_hash(sealed);
        text.unwrap_or_default()
    }

    fn cipher(
        &mut self,
        bytes: &[u8],
        work: impl Fn(&dyn Cipher, u64, Sealed<'_, '_>) -> Option<Vec<u8>>,
    ) -> Option<Vec<u8>> {
        let key = self.key.unwrap().into();
        let text = Sealed {
            msg: bytes,
            aad: &self.hash,
        };
        let count = self.count;
        self.count += 1;
        match self.dialect {
            Dialect::V8 => work(&XChaCha20Poly1305::new(&key), count, text),
            Dialect::V9 => work(&ChaCha20Poly1305::new(&key), count, text),
        }
    }
}

/// Either of the two ciphers, under the nonce of a count.
trait Cipher {
    fn encrypt(&self, count: u64, text: Sealed<'_, '_>) -> Option<Vec<u8>>;
    fn decrypt(&self, count: u64, text: Sealed<'_, '_>) -> Option<Vec<u8>>;
}

impl Cipher for XChaCha20Poly1305 {
    fn encrypt(&self, count: u64, text: Sealed<'_, '_>) -> Option<Vec<u8>> {
        Aead::encrypt(self, &nonce::<24>(count).into(), text).ok()
    }

    fn decrypt(&self, count: u64, text: Sealed<'_, '_>) -> Option<Vec<u8>> {
        Aead::decrypt(self, &nonce::<24>(count).into(), text).ok()
    }
}

impl Cipher for ChaCha20Poly1305 {
    fn encrypt(&self, count: u64, text: Sealed<'_, '_>) -> Option<Vec<u8>> {
        Aead::encrypt(self, &nonce::<12>(count).into(), text).ok()
    }

    fn decrypt(&self, count: u64, text: Sealed<'_, '_>) -> Option<Vec<u8>> {
        Aead::decrypt(self, &nonce::<12>(count).into(), text).ok()
    }
}

/// Zeros, and the count at the end.
fn nonce<const N: usize>(count: u64) -> [u8; N] {
    let mut nonce = [0; N];
    nonce[N - 8..].copy_from_slice(&count.to_le_bytes());
    nonce
}

fn public_key(secret: &[u8; 32]) -> [u8; 32] {
    MontgomeryPoint::mul_base_clamped(*secret).to_bytes()
}

fn blake2b(parts: &[&[u8]]) -> [u8; 64] {
    let mut state = Params::new().hash_length(64).to_state();
    for part in parts {
        state.update(part);
    }
    *state.finalize().as_array()
}

fn hmac(key: &[u8; 64], parts: &[&[u8]]) -> [u8; 64] {
    let pad = |byte: u8| {
        let mut pad = [byte; 128];
        for (pad, key) in pad.iter_mut().zip(key) {
            *pad ^= key;
        }
        pad
    };
    let (inner, outer) = (pad(0x36), pad(0x5c));
    let mut all: Vec<&[u8]> = vec![&inner];
    all.extend(parts);
    blake2b(&[&outer, &blake2b(&all)])
}

fn framed(message: &[u8]) -> Vec<u8> {
    let mut framed = Vec::new();
    wire::varint::write(message.len() as u64, &mut framed);
    framed.extend_from_slice(message);
    framed
}
