//! The ciphers of the handshake messages, as snow wants them. They have nothing to do with the stream that follows.
//!
//! ```text
//! V9    ChaCha20-Poly1305     nonce:  4 zeros, counter (8 bytes, little-endian)
//! V8    XChaCha20-Poly1305    nonce: 16 zeros, counter
//! ```

use chacha20poly1305::{
    AeadInOut, ChaCha20Poly1305, KeyInit, XChaCha20Poly1305,
    aead::{consts::U32, inout::InOutBuf},
};
use crypto::Dialect;
use snow::types::Cipher;
use zeroize::Zeroizing;

const TAG: usize = 16;

/// A cipher and its key.
pub(crate) struct MessageCipher {
    dialect: Dialect,
    key: Zeroizing<[u8; 32]>,
}

impl MessageCipher {
    pub(crate) fn new(dialect: Dialect) -> Self {
        MessageCipher {
            dialect,
            key: Zeroizing::new([0; 32]),
        }
    }
}

impl Cipher for MessageCipher {
    fn name(&self) -> &'static str {
        match self.dialect {
            Dialect::V8 => "XChaChaPoly",
            Dialect::V9 => "ChaChaPoly",
        }
    }

    fn set(&mut self, key: &[u8; 32]) {
        *self.key = *key;
    }

    fn encrypt(&self, counter: u64, ad: &[u8], plaintext: &[u8], out: &mut [u8]) -> usize {
        let (key, text) = (&self.key, plaintext);
        let sealed = match self.dialect {
            Dialect::V8 => seal::<XChaCha20Poly1305>(key, &nonce::<24>(counter), ad, text, out),
            Dialect::V9 => seal::<ChaCha20Poly1305>(key, &nonce::<12>(counter), ad, text, out),
        };
        sealed.expect("snow leaves room for the tag, and handshake messages are short")
    }

    fn decrypt(
        &self,
        counter: u64,
        ad: &[u8],
        ciphertext: &[u8],
        out: &mut [u8],
    ) -> Result<usize, snow::Error> {
        let (key, text) = (&self.key, ciphertext);
        let opened = match self.dialect {
            Dialect::V8 => open::<XChaCha20Poly1305>(key, &nonce::<24>(counter), ad, text, out),
            Dialect::V9 => open::<ChaCha20Poly1305>(key, &nonce::<12>(counter), ad, text, out),
        };
        opened.ok_or(snow::Error::Decrypt)
    }
}

/// Zeros, then the counter.
fn nonce<const N: usize>(counter: u64) -> [u8; N] {
    let mut nonce = [0; N];
    if let Some(last) = nonce.last_chunk_mut() {
        *last = counter.to_le_bytes();
    }
    nonce
}

/// Writes ciphertext and tag, and says how many bytes that was. None if there is no room.
fn seal<A: AeadInOut + KeyInit<KeySize = U32>>(
    key: &[u8; 32],
    nonce: &[u8],
    ad: &[u8],
    plaintext: &[u8],
    out: &mut [u8],
) -> Option<usize> {
    let (body, rest) = out.split_at_mut_checked(plaintext.len())?;
    let body = InOutBuf::new(plaintext, body).ok()?;
    let tag = A::new(key.into())
        .encrypt_inout_detached(nonce.try_into().ok()?, ad, body)
        .ok()?;
    rest.first_chunk_mut::<TAG>()?.copy_from_slice(&tag);
    Some(plaintext.len() + TAG)
}

/// Writes the plaintext, and says how many bytes that was. None if the tag doesn't fit.
fn open<A: AeadInOut + KeyInit<KeySize = U32>>(
    key: &[u8; 32],
    nonce: &[u8],
    ad: &[u8],
    ciphertext: &[u8],
    out: &mut [u8],
) -> Option<usize> {
    let (ciphertext, tag) = ciphertext.split_last_chunk::<TAG>()?;
    let body = InOutBuf::new(ciphertext, out.get_mut(..ciphertext.len())?).ok()?;
    A::new(key.into())
        .decrypt_inout_detached(
            nonce.try_into().ok()?,
            ad,
            body,
            tag.as_slice().try_into().ok()?,
        )
        .ok()?;
    Some(ciphertext.len())
}

#[cfg(test)]
mod tests {
    extern crate std;

    use alloc::vec;

    use testkit::vectors::{hex, hex_array, list, load};

    use super::*;

    fn check<A: AeadInOut + KeyInit<KeySize = U32>>(name: &str) {
        let mut checked = 0;
        for group in list(&load(name)["testGroups"]) {
            for test in list(&group["tests"]) {
                let (key, nonce) = (hex_array(&test["key"]), hex(&test["iv"]));
                let (ad, text) = (hex(&test["aad"]), hex(&test["msg"]));
                let sealed = [hex(&test["ct"]), hex(&test["tag"])].concat();
                let valid = test["result"] == "valid";

                let mut out = vec![0; sealed.len()];
                let opened = open::<A>(&key, &nonce, &ad, &sealed, &mut out);
                assert_eq!(opened.is_some(), valid, "{test}");
                if let Some(len) = opened {
                    assert_eq!(out[..len], text, "{test}");
                    let mut out = vec![0; sealed.len()];
                    let len = seal::<A>(&key, &nonce, &ad, &text, &mut out);
                    assert_eq!((len, out), (Some(sealed.len()), sealed), "{test}");
                    checked += 1;
                }
            }
        }
        assert!(checked > 200, "{checked}");
    }

    #[test]
    fn chacha20_poly1305_fits_wycheproof_vectors() {
        check::<ChaCha20Poly1305>("known/wycheproof-chacha20-poly1305.json");
    }

    #[test]
    fn xchacha20_poly1305_fits_wycheproof_vectors() {
        check::<XChaCha20Poly1305>("known/wycheproof-xchacha20-poly1305.json");
    }

    #[test]
    fn names_and_nonces_differ_by_dialect() {
        assert_eq!(nonce::<12>(0x0102), [0, 0, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0]);
        assert_eq!(nonce::<24>(7)[..16], [0; 16]);
        assert_eq!(nonce::<24>(7)[16..], [7, 0, 0, 0, 0, 0, 0, 0]);
        let sealed = [Dialect::V8, Dialect::V9].map(|dialect| {
            let mut out = [0; 21];
            assert_eq!(
                MessageCipher::new(dialect).encrypt(0, &[], b"hello", &mut out),
                21
            );
            out
        });
        assert_ne!(sealed[0], sealed[1]);
    }
}
