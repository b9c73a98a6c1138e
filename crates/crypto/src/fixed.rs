//! Values of fixed length: a hash is not a key is not a signature.

use core::{fmt, str::FromStr};

use data_encoding::HEXLOWER_PERMISSIVE;

/// Bytes of the wrong number where a value of fixed length was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{len} bytes where {expected} were expected")]
pub struct LengthError {
    /// How many there were.
    pub len: usize,
    /// How many the value has.
    pub expected: usize,
}

/// A text that is not the hex form of a value of fixed length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{expected} hex digits were expected")]
pub struct HexError {
    /// How many digits the value has.
    pub expected: usize,
}

/// Decodes exactly `N` bytes of hex, in either case.
pub(crate) fn from_hex<const N: usize>(text: &str) -> Result<[u8; N], HexError> {
    let error = HexError { expected: 2 * N };
    if text.len() != 2 * N {
        return Err(error);
    }
    let mut bytes = [0; N];
    match HEXLOWER_PERMISSIVE.decode_mut(text.as_bytes(), &mut bytes) {
        Ok(_) => Ok(bytes),
        Err(_) => Err(error),
    }
}

/// Makes a value type of `N` bytes.
macro_rules! fixed {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $len]);

        impl $name {
            /// How many bytes it has.
            pub const LEN: usize = $len;

            /// The value with these bytes.
            pub const fn new(bytes: [u8; $len]) -> Self {
                $name(bytes)
            }

            /// Its bytes.
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }

            /// A copy of its bytes.
            pub const fn to_bytes(&self) -> [u8; $len] {
                self.0
            }
        }

        impl From<[u8; $len]> for $name {
            fn from(bytes: [u8; $len]) -> Self {
                $name(bytes)
            }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = LengthError;

            fn try_from(bytes: &[u8]) -> Result<Self, LengthError> {
                let error = LengthError { len: bytes.len(), expected: $len };
                bytes.try_into().map($name).map_err(|_| error)
            }
        }

        /// As lower-case hex.
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                data_encoding::HEXLOWER.encode_display(&self.0).fmt(f)
            }
        }

        /// From hex in either case.
        impl FromStr for $name {
            type Err = HexError;

            fn from_str(text: &str) -> Result<Self, HexError> {
                from_hex(text).map($name)
            }
        }
    };
}

fixed! {
    /// A BLAKE2b digest of 32 bytes.
    Hash, 32
}

fixed! {
    /// An Ed25519 public key: the name of a feed. Who knows it can read the feed, so `Debug` doesn't show it; `Display` does.
    ///
    /// ```
    /// use hypercore_crypto::{KeyPair, PublicKey};
    ///
    /// let key = KeyPair::from_seed([1; 32]).public();
    /// let text = key.to_string();
    /// assert_eq!(text.parse::<PublicKey>(), Ok(key));
    /// assert!(!format!("{key:?}").contains(&text));
    /// ```
    PublicKey, 32
}

fixed! {
    /// The hash of a public key under which peers look for a feed without giving the key away.
    DiscoveryKey, 32
}

fixed! {
    /// An Ed25519 signature.
    Signature, 64
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PublicKey(..)")
    }
}

impl fmt::Debug for DiscoveryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DiscoveryKey({self})")
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({self})")
    }
}
