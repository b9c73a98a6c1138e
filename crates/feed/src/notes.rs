//! Notes to ourselves in the part of the bitfield's header that JavaScript leaves blank, and blanks again whenever it opens
//! the feed.
//!
//! ```text
//!  0          8       9        12            20            28      32
//! +----------+-------+--------+-------------+-------------+-------+
//! | header   | flags | zeros  | first block | end         | check |     numbers big-endian
//! +----------+-------+--------+-------------+-------------+-------+
//! ```
//!
//! They are there while a feed is in use. After a clean close, and in everything that JavaScript has opened since, the header
//! is the plain one.

use core::ops::Range;

use bitfield::PageSize;

use crate::header::Header;

/// Flag: bits come behind a sync.
const ORDERED: u8 = 1;
/// Flag: the blocks of the range are being cleared.
const CLEARING: u8 = 2;

/// What is noted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Notes {
    /// Since this was written, no bit has reached the disk before what it promises was synced, and nothing was shown to
    /// others whose bits weren't there. So what lies beyond the bits has never been seen by anybody.
    pub(crate) ordered: bool,
    /// Blocks whose bits are gone, or about to go, and whose bytes are not.
    pub(crate) clearing: Option<Range<u64>>,
}

impl Notes {
    /// The header with the notes in it.
    pub(crate) fn header(&self, size: PageSize) -> [u8; 32] {
        let mut bytes = Header::Bitfield(size).to_bytes();
        if *self == Notes::default() {
            return bytes;
        }
        let range = self.clearing.clone().unwrap_or_default();
        let mut put = |at: usize, new: &[u8]| {
            if let Some(place) = bytes.get_mut(at..at + new.len()) {
                place.copy_from_slice(new);
            }
        };
        let flags = if self.ordered { ORDERED } else { 0 };
        let clearing = if self.clearing.is_some() { CLEARING } else { 0 };
        put(8, &[flags | clearing]);
        put(12, &range.start.to_be_bytes());
        put(20, &range.end.to_be_bytes());
        let check = check(&bytes);
        if let Some(place) = bytes.get_mut(28..) {
            place.copy_from_slice(&check);
        }
        bytes
    }

    /// The notes in a header. Where there are none, or not ours, nothing is noted.
    pub(crate) fn parse(header: &[u8; 32]) -> Self {
        let number = |at: usize| {
            let bytes = header
                .get(at..at + 8)
                .and_then(|bytes| bytes.try_into().ok());
            bytes.map_or(0, u64::from_be_bytes)
        };
        let flags = header[8];
        if flags == 0 || header[28..] != check(header) {
            return Notes::default();
        }
        Notes {
            ordered: flags & ORDERED != 0,
            clearing: (flags & CLEARING != 0).then(|| number(12)..number(20)),
        }
    }
}

/// FNV-1a over everything in front of it.
fn check(header: &[u8; 32]) -> [u8; 4] {
    let hash = header.iter().take(28).fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    });
    hash.to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_read_as_they_are_written() {
        for ordered in [false, true] {
            for clearing in [None, Some(0..1), Some(3..1 << 52)] {
                let notes = Notes { ordered, clearing };
                let header = notes.header(PageSize::Current);
                assert_eq!(Notes::parse(&header), notes);
                assert_eq!(Header::page_size(&header), Some(PageSize::Current));
            }
        }
        assert_eq!(
            Notes::default().header(PageSize::Legacy),
            Header::Bitfield(PageSize::Legacy).to_bytes()
        );
    }

    #[test]
    fn whatever_else_stands_there_notes_nothing() {
        let notes = Notes {
            ordered: true,
            clearing: Some(7..9),
        };
        let header = notes.header(PageSize::Current);
        for at in 0..32 {
            let mut header = header;
            header[at] ^= 0x10;
            assert_eq!(Notes::parse(&header), Notes::default(), "{at}");
        }
        assert_eq!(Notes::parse(&[0xff; 32]), Notes::default());
    }
}
