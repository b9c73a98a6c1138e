//! How much a peer may send.

use crate::Kind;

/// Caps on what arrives, checked before it is buffered. The defaults are far above what honest peers send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of an Open or a Close.
    pub open: usize,
    /// Bytes of an Options.
    pub options: usize,
    /// Bytes of a Status.
    pub status: usize,
    /// Bytes of a Have, with its bitfield.
    pub have: usize,
    /// Bytes of an Unhave, Want, Unwant, Request or Cancel.
    pub small: usize,
    /// Bytes of a Data.
    pub data: usize,
    /// Bytes of an Extension.
    pub extension: usize,
    /// The highest number of a channel. Numbers are never used again, so this is how many feeds can be opened and refused in the
    /// life of a connection. Default: 2^27 - 1, the highest that JavaScript's arithmetic can write. A number is a key of a map
    /// here, so a high one costs no more than a low one.
    pub max_channel: u64,
    /// Extension names in an Options.
    pub max_extensions: usize,
    /// Bytes of an extension's name.
    pub max_extension_name: usize,
    /// Nodes in a Data.
    pub max_nodes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            open: 160,
            options: 16 * 1024,
            status: 16,
            have: 160 * 1024,
            small: 64,
            data: 8 * 1024 * 1024,
            extension: 1024 * 1024,
            max_channel: (1 << 27) - 1,
            max_extensions: 64,
            max_extension_name: 128,
            max_nodes: 128,
        }
    }
}

impl Limits {
    /// How long the body of a message may be. Messages whose type means nothing are dropped, whatever they hold, but have
    /// to fit.
    pub fn body(&self, kind: Option<Kind>) -> usize {
        match kind {
            Some(Kind::Open | Kind::Close) => self.open,
            Some(Kind::Options) => self.options,
            Some(Kind::Status) => self.status,
            Some(Kind::Have) => self.have,
            Some(Kind::Unhave | Kind::Want | Kind::Unwant | Kind::Request | Kind::Cancel) => {
                self.small
            }
            Some(Kind::Data) => self.data,
            Some(Kind::Extension) => self.extension,
            None => self.options,
        }
    }
}
