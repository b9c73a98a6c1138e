//! Which backend holds which file.

use std::boxed::Box;

use crate::{Error, File, RandomAccess};

/// What is known of a feed when one of its files is asked for.
///
/// The file `key` is asked for first, with an empty context, since the key may have to be read from it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenContext {
    /// The public key of the feed.
    pub key: Option<[u8; 32]>,
    /// The hash of the key, by which peers speak of the feed; made for names of directories.
    pub discovery_key: Option<[u8; 32]>,
}

/// Finds a backend for each file: first for `key`, and once that is known for the others, in the order of
/// [`File::ALL`].
///
/// A closure is a provider. This one keeps the secret key apart from the rest:
///
/// ```
/// use hypercore_storage::{Disk, File, Memory, OpenContext, Provider, RandomAccess};
///
/// let mut provider = |file: File, context: &OpenContext| {
///     let backend: Box<dyn RandomAccess> = match file {
///         File::SecretKey => Box::new(Memory::default()),
///         file => Box::new(Disk::new(format!("feed/{file}"))),
///     };
///     Ok(backend)
/// };
/// let key = provider.open(File::Key, &OpenContext::default())?;
/// assert_eq!(key.len()?, 0);
/// # Ok::<_, hypercore_storage::Error>(())
/// ```
pub trait Provider: Send {
    /// Finds the backend of a file. Nothing is to be created before the first write.
    ///
    /// # Errors
    /// Whatever the backend says; opening the feed fails with it.
    fn open(&mut self, file: File, context: &OpenContext) -> Result<Box<dyn RandomAccess>, Error>;
}

impl<F> Provider for F
where
    F: FnMut(File, &OpenContext) -> Result<Box<dyn RandomAccess>, Error> + Send,
{
    fn open(&mut self, file: File, context: &OpenContext) -> Result<Box<dyn RandomAccess>, Error> {
        self(file, context)
    }
}
