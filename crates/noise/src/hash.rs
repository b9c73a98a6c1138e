//! BLAKE2b-512 as snow wants it, and the one place where dialect 8 derives keys from more than snow can carry.

use blake2b_simd::State;
use snow::types::Hash;
use zeroize::Zeroizing;

use crate::dh::{HEAD, Tail};

/// BLAKE2b with a digest of 64 bytes. HMAC and HKDF are snow's.
#[derive(Default)]
pub(crate) struct Blake2b(State);

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
        self.0 = State::new();
    }

    fn input(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    fn result(&mut self, out: &mut [u8]) {
        let digest = self.0.finalize();
        for (to, from) in out.iter_mut().zip(digest.as_bytes()) {
            *to = *from;
        }
    }
}

/// The same, but the secret that goes into a key is the 56 bytes that snow hands on and eight more.
pub(crate) struct Stretched {
    blake: Blake2b,
    tail: Tail,
}

impl Stretched {
    pub(crate) fn new(tail: Tail) -> Self {
        Stretched {
            blake: Blake2b::default(),
            tail,
        }
    }
}

impl Hash for Stretched {
    fn name(&self) -> &'static str {
        self.blake.name()
    }

    fn block_len(&self) -> usize {
        self.blake.block_len()
    }

    fn hash_len(&self) -> usize {
        self.blake.hash_len()
    }

    fn reset(&mut self) {
        self.blake.reset();
    }

    fn input(&mut self, data: &[u8]) {
        self.blake.input(data);
    }

    fn result(&mut self, out: &mut [u8]) {
        self.blake.result(out);
    }

    fn hkdf(
        &mut self,
        chaining_key: &[u8],
        secret: &[u8],
        outputs: usize,
        out1: &mut [u8],
        out2: &mut [u8],
        out3: &mut [u8],
    ) {
        let mut whole = Zeroizing::new([0; 64]);
        // The split at the end derives from nothing; every other derivation follows a shared secret.
        let secret = match <&[u8; HEAD]>::try_from(secret) {
            Ok(head) => {
                let (to_head, to_tail) = whole.split_at_mut(HEAD);
                to_head.copy_from_slice(head);
                to_tail.copy_from_slice(&self.tail.take());
                &whole[..]
            }
            Err(_) => secret,
        };
        self.blake
            .hkdf(chaining_key, secret, outputs, out1, out2, out3);
    }
}
