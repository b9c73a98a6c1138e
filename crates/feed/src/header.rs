//! The headers of three of the files.
//!
//! ```text
//!  0        3      4         5            7             8
//! +--------+------+---------+------------+-------------+----------------------+
//! | 050257 | type | version | entry size | name length | algorithm, then zeros|
//! +--------+------+---------+------------+-------------+----------------------+
//! ```
//!
//! Source: `docs/format.md`, "Header".

use bitfield::PageSize;

/// How many bytes a header has.
pub(crate) const HEADER: u64 = 32;

const MAGIC: [u8; 3] = [5, 2, 87];

/// What a file is, as its header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// The bitfield, with pages of this size.
    Bitfield(PageSize),
    /// The signatures.
    Signatures,
    /// The tree.
    Tree,
}

impl Header {
    /// Its 32 bytes.
    pub fn to_bytes(self) -> [u8; 32] {
        let (kind, entry, name): (u8, usize, &[u8]) = match self {
            Header::Bitfield(size) => (0, size.bytes(), b""),
            Header::Signatures => (1, 64, b"Ed25519"),
            Header::Tree => (2, 40, b"BLAKE2b"),
        };
        let mut bytes = [0; 32];
        let (front, back) = bytes.split_at_mut(8);
        let entry = (entry as u16).to_be_bytes();
        let fields = MAGIC
            .into_iter()
            .chain([kind, 0])
            .chain(entry)
            .chain([name.len() as u8]);
        front
            .iter_mut()
            .zip(fields)
            .for_each(|(to, from)| *to = from);
        back.iter_mut().zip(name).for_each(|(to, from)| *to = *from);
        bytes
    }

    /// Reads a header. None if it is none.
    pub fn from_bytes(bytes: &[u8; 32]) -> Option<Self> {
        let size = Header::page_size(bytes);
        [Header::Signatures, Header::Tree]
            .into_iter()
            .chain(size.map(Header::Bitfield))
            .find(|header| header.to_bytes() == *bytes)
    }

    /// The page size that stands in the header of a bitfield, whatever else does: JavaScript looks at nothing else.
    pub(crate) fn page_size(bytes: &[u8; 32]) -> Option<PageSize> {
        PageSize::from_bytes(usize::from(u16::from_be_bytes([bytes[5], bytes[6]])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Header; 4] = [
        Header::Bitfield(PageSize::Current),
        Header::Bitfield(PageSize::Legacy),
        Header::Signatures,
        Header::Tree,
    ];

    #[test]
    fn headers_are_read_as_they_are_written() {
        for header in ALL {
            assert_eq!(Header::from_bytes(&header.to_bytes()), Some(header));
        }
    }

    #[test]
    fn any_other_byte_makes_it_no_header() {
        for header in ALL {
            for at in 0..32 {
                let mut bytes = header.to_bytes();
                bytes[at] ^= 0x40;
                assert_eq!(Header::from_bytes(&bytes), None);
            }
        }
    }
}
