//! The shared secret of two X25519 keys, plain for dialect 9 and stretched for dialect 8.
//!
//! ```text
//! q     = X25519(own secret, remote public)
//! V9    = q                                                  32 bytes
//! V8    = h[32..64] h[0..32],  h = BLAKE2b-512(q A B)        64 bytes; A is the initiator's public key, B the responder's
//! ```
//!
//! snow's buffer for a shared secret ends after 56 bytes. The other eight go past it in a [`Tail`], to the hash that the same
//! resolver made.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};

use blake2b_simd::Params;
use crypto::Dialect;
use curve25519_dalek::MontgomeryPoint;
use snow::types::{Dh, Random};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::Role;

/// How many bytes snow takes as a shared secret.
pub(crate) const HEAD: usize = 56;

/// The public key that belongs to a secret key.
pub(crate) fn public_key(secret: &[u8; 32]) -> [u8; 32] {
    MontgomeryPoint::mul_base_clamped(*secret).to_bytes()
}

/// X25519. None for a public key of low order, with which the secret would be zeros whatever our key is.
pub(crate) fn shared_secret(secret: &[u8; 32], public: &[u8; 32]) -> Option<Zeroizing<[u8; 32]>> {
    let point = MontgomeryPoint(*public).mul_clamped(*secret);
    let shared = Zeroizing::new(point.to_bytes());
    let low_order: bool = shared.ct_eq(&[0; 32]).into();
    (!low_order).then_some(shared)
}

/// The last eight bytes of a shared secret of dialect 8, on their way to the hash.
///
/// The two halves of one handshake share it and never run at the same time; it is atomic because snow wants them to be
/// `Sync`.
#[derive(Clone, Default)]
pub(crate) struct Tail(Arc<AtomicU64>);

impl Tail {
    fn put(&self, bytes: [u8; 8]) {
        self.0.store(u64::from_ne_bytes(bytes), Ordering::Release);
    }

    pub(crate) fn take(&self) -> [u8; 8] {
        self.0.swap(0, Ordering::AcqRel).to_ne_bytes()
    }
}

/// A key pair as snow wants it.
pub(crate) struct X25519 {
    role: Role,
    dialect: Dialect,
    tail: Tail,
    secret: Zeroizing<[u8; 32]>,
    public: [u8; 32],
}

impl X25519 {
    pub(crate) fn new(role: Role, dialect: Dialect, tail: Tail) -> Self {
        X25519 {
            role,
            dialect,
            tail,
            secret: Zeroizing::new([0; 32]),
            public: [0; 32],
        }
    }

    fn stretched(&self, shared: &[u8; 32], remote: &[u8; 32]) -> Zeroizing<[u8; 64]> {
        let (initiator, responder) = match self.role {
            Role::Initiator => (&self.public, remote),
            Role::Responder => (remote, &self.public),
        };
        let digest = Params::new()
            .to_state()
            .update(shared)
            .update(initiator)
            .update(responder)
            .finalize();
        let mut stretched = Zeroizing::new(*digest.as_array());
        stretched.rotate_left(32);
        stretched
    }
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

    fn dh_len(&self) -> usize {
        match self.dialect {
            Dialect::V8 => HEAD,
            Dialect::V9 => 32,
        }
    }

    fn set(&mut self, secret: &[u8]) {
        self.secret.copy_from_slice(secret);
        self.public = public_key(&self.secret);
    }

    fn generate(&mut self, rng: &mut dyn Random) -> Result<(), snow::Error> {
        let mut secret = Zeroizing::new([0; 32]);
        rng.try_fill_bytes(&mut *secret)?;
        self.set(&*secret);
        Ok(())
    }

    fn pubkey(&self) -> &[u8] {
        &self.public
    }

    fn privkey(&self) -> &[u8] {
        &*self.secret
    }

    fn dh(&self, remote: &[u8], out: &mut [u8]) -> Result<(), snow::Error> {
        let remote: &[u8; 32] = remote.first_chunk().ok_or(snow::Error::Dh)?;
        let shared = shared_secret(&self.secret, remote).ok_or(snow::Error::Dh)?;
        match self.dialect {
            Dialect::V9 => *out.first_chunk_mut().ok_or(snow::Error::Dh)? = *shared,
            Dialect::V8 => {
                let stretched = self.stretched(&shared, remote);
                let (head, tail) = stretched.split_at(HEAD);
                out.first_chunk_mut::<HEAD>()
                    .ok_or(snow::Error::Dh)?
                    .copy_from_slice(head);
                self.tail.put(tail.try_into().map_err(|_| snow::Error::Dh)?);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;
    use testkit::vectors::{hex, hex_array, list, load};

    use super::*;

    #[test]
    fn x25519_fits_wycheproof_vectors() {
        let mut refused = 0;
        for group in list(&load("known/wycheproof-x25519.json")["testGroups"]) {
            for test in list(&group["tests"]) {
                let public = hex_array(&test["public"]);
                let shared = shared_secret(&hex_array(&test["private"]), &public);
                let expected = hex(&test["shared"]);
                if expected == [0; 32] {
                    assert_eq!(shared, None, "{test}");
                    refused += 1;
                } else {
                    assert_eq!(shared.expect("no low order")[..], expected, "{test}");
                }
            }
        }
        assert!(refused > 0, "there are points of low order among them");
    }

    #[test]
    fn x25519_fits_the_iterated_vectors_of_rfc_7748() {
        let expected = [
            "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079",
            "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51",
        ];
        let mut base = [0; 32];
        base[0] = 9;
        let (mut secret, mut public) = (base, base);
        let mut seen = alloc::vec::Vec::new();
        for n in 1..=1000 {
            let shared = shared_secret(&secret, &public).expect("no low order");
            public = core::mem::replace(&mut secret, *shared);
            if n == 1 || n == 1000 {
                seen.push(HEXLOWER.encode(&secret));
            }
        }
        assert_eq!(seen, expected);
    }
}
