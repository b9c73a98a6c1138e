//! What can go wrong with files.

use std::{io, sync::Arc};

use crate::File;

/// Why something could not be read or written.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another handle, of this process or another one, has the feed open.
    #[error("locked by another handle or another process")]
    Locked,
    /// An earlier sync failed, so what the disk holds is in doubt. Open the files again to go on writing.
    #[error("an earlier sync failed; open again to write")]
    Latched,
    /// The files were closed.
    #[error("the files are closed")]
    Closed,
    /// The operating system refused.
    #[error("cannot {operation} {}", name(.file))]
    #[non_exhaustive]
    Io {
        /// The file of the feed, where the one who reports knows it.
        file: Option<File>,
        /// What was tried: read, write, ...
        operation: &'static str,
        /// Why it failed. Shared, because one failed write may be the answer to many calls.
        source: Arc<io::Error>,
    },
}

impl Error {
    /// A failed operation on a file, for backends.
    pub fn io(operation: &'static str, source: io::Error) -> Self {
        Error::Io {
            file: None,
            operation,
            source: Arc::new(source),
        }
    }

    /// Says which file it was, if nobody has said so.
    pub(crate) fn of(self, name: File) -> Self {
        match self {
            Error::Io {
                file: None,
                operation,
                source,
            } => Error::Io {
                file: Some(name),
                operation,
                source,
            },
            other => other,
        }
    }
}

fn name(file: &Option<File>) -> &'static str {
    file.map_or("a file", File::name)
}
