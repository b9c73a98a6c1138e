//! How values become blocks, and blocks values again.
//!
//! Encodings live at the edge: a [`Hypercore<E>`](crate::Hypercore) encodes what is appended and decodes what is read. Files,
//! peers, hashes and events know bytes only, so handles of the same feed may have different encodings.

use bytes::Bytes;
#[cfg(feature = "json")]
use std::{borrow::Borrow, marker::PhantomData};

/// Why a codec of the user's, or another hook, has failed.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Reads the values of one type from blocks, and by [`Encode`] writes them.
///
/// ```
/// use bytes::Bytes;
/// use hypercore::{BoxError, Encode, Encoding, Hypercore, Storage};
///
/// /// Big-endian numbers.
/// #[derive(Clone, Copy, Debug)]
/// struct Number;
///
/// impl Encoding for Number {
///     type Value = u64;
///     fn decode(&self, block: Bytes) -> Result<u64, BoxError> {
///         Ok(u64::from_be_bytes(block[..].try_into()?))
///     }
/// }
///
/// impl Encode<u64> for Number {
///     fn encode(&self, value: u64) -> Result<Bytes, BoxError> {
///         Ok(Bytes::copy_from_slice(&value.to_be_bytes()))
///     }
/// }
///
/// # async_std::task::block_on(async {
/// let feed = Hypercore::open(Storage::memory()).await?.with_encoding(Number);
/// feed.append(7).await?;
/// assert_eq!(feed.get(0).await?, 7);
/// assert_eq!(feed.byte_len(), 8);
/// # Ok::<_, hypercore::Error>(()) }).unwrap();
/// ```
pub trait Encoding: Clone + Send + Sync + 'static {
    /// What a block stands for.
    type Value: Send;

    /// The value that a block stands for.
    ///
    /// # Errors
    /// Whatever the codec says. The call that reads fails with [`Error::Decode`](crate::Error::Decode).
    fn decode(&self, block: Bytes) -> Result<Self::Value, BoxError>;
}

/// Writes values of type `T` as blocks. An encoding may take several types for what it reads as one, such as `&str` and
/// `String`.
pub trait Encode<T>: Encoding {
    /// The block that stands for a value.
    ///
    /// # Errors
    /// Whatever the codec says. The append fails with [`Error::Encode`](crate::Error::Encode), and nothing is appended.
    fn encode(&self, value: T) -> Result<Bytes, BoxError>;
}

/// Blocks as they are. The encoding of a feed unless another is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Binary;

impl Encoding for Binary {
    type Value = Bytes;

    fn decode(&self, block: Bytes) -> Result<Bytes, BoxError> {
        Ok(block)
    }
}

impl<T: Into<Bytes>> Encode<T> for Binary {
    fn encode(&self, value: T) -> Result<Bytes, BoxError> {
        Ok(value.into())
    }
}

/// Text. Blocks that are no UTF-8 are an error; JavaScript reads replacement characters there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Utf8;

impl Encoding for Utf8 {
    type Value = String;

    fn decode(&self, block: Bytes) -> Result<String, BoxError> {
        Ok(String::from_utf8(block.into())?)
    }
}

impl<T: Into<String>> Encode<T> for Utf8 {
    fn encode(&self, value: T) -> Result<Bytes, BoxError> {
        Ok(value.into().into())
    }
}

/// Values of a type that serde knows, as JSON. Each block ends with a line feed, as JavaScript's do, so the file of the
/// blocks is newline-delimited JSON.
///
/// ```
/// # async_std::task::block_on(async {
/// use hypercore::{Hypercore, Json, Storage};
///
/// let feed = Hypercore::open(Storage::memory()).await?.typed::<Json<Vec<u32>>>();
/// feed.append(vec![1, 2]).await?;
/// assert_eq!(feed.get(0).await?, [1, 2]);
/// assert_eq!(feed.get(0).encoding(hypercore::Binary).await?, "[1,2]\n");
/// # Ok::<_, hypercore::Error>(()) }).unwrap();
/// ```
#[cfg(feature = "json")]
pub struct Json<T>(PhantomData<fn() -> T>);

#[cfg(feature = "json")]
impl<T> Json<T> {
    /// The encoding for values of type `T`.
    pub const fn new() -> Self {
        Json(PhantomData)
    }
}

#[cfg(feature = "json")]
impl<T> Default for Json<T> {
    fn default() -> Self {
        Json::new()
    }
}

#[cfg(feature = "json")]
impl<T> Clone for Json<T> {
    fn clone(&self) -> Self {
        *self
    }
}

#[cfg(feature = "json")]
impl<T> Copy for Json<T> {}

#[cfg(feature = "json")]
impl<T> std::fmt::Debug for Json<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Json")
    }
}

#[cfg(feature = "json")]
impl<T: serde::de::DeserializeOwned + Send + 'static> Encoding for Json<T> {
    type Value = T;

    fn decode(&self, block: Bytes) -> Result<T, BoxError> {
        Ok(serde_json::from_slice(&block)?)
    }
}

#[cfg(feature = "json")]
impl<T, V> Encode<V> for Json<T>
where
    T: serde::Serialize + serde::de::DeserializeOwned + Send + 'static,
    V: Borrow<T>,
{
    fn encode(&self, value: V) -> Result<Bytes, BoxError> {
        let mut line = serde_json::to_vec(value.borrow())?;
        line.push(b'\n');
        Ok(line.into())
    }
}

/// Blocks as hexadecimal digits, lower case when read, either case when written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hex;

impl Encoding for Hex {
    type Value = String;

    fn decode(&self, block: Bytes) -> Result<String, BoxError> {
        Ok(data_encoding::HEXLOWER.encode(&block))
    }
}

impl<T: AsRef<str>> Encode<T> for Hex {
    fn encode(&self, value: T) -> Result<Bytes, BoxError> {
        let digits = value.as_ref().as_bytes();
        Ok(data_encoding::HEXLOWER_PERMISSIVE.decode(digits)?.into())
    }
}

/// Blocks as base64, with padding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Base64;

impl Encoding for Base64 {
    type Value = String;

    fn decode(&self, block: Bytes) -> Result<String, BoxError> {
        Ok(data_encoding::BASE64.encode(&block))
    }
}

impl<T: AsRef<str>> Encode<T> for Base64 {
    fn encode(&self, value: T) -> Result<Bytes, BoxError> {
        Ok(data_encoding::BASE64
            .decode(value.as_ref().as_bytes())?
            .into())
    }
}
