//! One page of the bitfield: the bits of 8192 blocks, of 16384 nodes, and an index over the former.
//!
//! ```text
//!   0            1024                    3072        3584
//!   +------------+-----------------------+-----------+
//!   | blocks     | nodes                 | index     |     most significant bit first
//!   +------------+-----------------------+-----------+
//! ```
//!
//! Source: `docs/format.md`, "Bitfield".

use alloc::vec::Vec;
use core::ops::Range;

use bitvec::{order::Msb0, slice::BitSlice, view::BitView};

/// How many blocks a page has bits for.
pub const BLOCKS_PER_PAGE: u64 = 8192;

/// How many nodes a page has bits for.
pub(crate) const NODES_PER_PAGE: u64 = 2 * BLOCKS_PER_PAGE;

pub(crate) const DATA: usize = 1024;
const TREE: usize = 2048;
pub(crate) const INDEX: usize = 512;

/// The size of the pages of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PageSize {
    /// 3584 bytes: what is written today.
    #[default]
    Current,
    /// 3328 bytes, with room for half of the index only, which is left blank: found in old files, which keep it.
    Legacy,
}

impl PageSize {
    /// The size in bytes.
    pub const fn bytes(self) -> usize {
        DATA + TREE + self.index_bytes()
    }

    /// Where the index begins.
    pub const fn index_start(self) -> usize {
        DATA + TREE
    }

    /// How many of them are index.
    pub const fn index_bytes(self) -> usize {
        match self {
            PageSize::Current => INDEX,
            PageSize::Legacy => INDEX / 2,
        }
    }

    /// The page size that has this many bytes, if there is one.
    pub const fn from_bytes(bytes: usize) -> Option<Self> {
        match bytes {
            3584 => Some(PageSize::Current),
            3328 => Some(PageSize::Legacy),
            _ => None,
        }
    }
}

#[derive(Clone)]
pub(crate) struct Page {
    pub(crate) data: [u8; DATA],
    tree: [u8; TREE],
    pub(crate) index: [u8; INDEX],
    /// How many blocks are set.
    pub(crate) count: u64,
}

impl Default for Page {
    fn default() -> Self {
        Page::EMPTY
    }
}

impl Page {
    pub(crate) const EMPTY: Page = Page {
        data: [0; DATA],
        tree: [0; TREE],
        index: [0; INDEX],
        count: 0,
    };

    /// Takes over the bits of a page as it stands in a file; what is missing at its end is zeros. The index stays: it also
    /// describes other pages.
    pub(crate) fn load(&mut self, bytes: &[u8]) {
        let (data, rest) = bytes.split_at(bytes.len().min(DATA));
        let (tree, _) = rest.split_at(rest.len().min(TREE));
        fill(&mut self.data, data);
        fill(&mut self.tree, tree);
        self.count = ones(&self.data);
    }

    /// The page as it stands in a file.
    pub(crate) fn to_bytes(&self, size: PageSize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(size.bytes());
        bytes.extend_from_slice(&self.data);
        bytes.extend_from_slice(&self.tree);
        match size {
            PageSize::Current => bytes.extend_from_slice(&self.index),
            // What belongs there depends on the order of operations. Zeros claim nothing; ones where there are gaps would
            // make JavaScript believe that it has blocks that it lacks.
            PageSize::Legacy => bytes.resize(size.bytes(), 0),
        }
        bytes
    }

    /// Whether each of the first `blocks` that is set has its leaf, which is every second node.
    pub(crate) fn has_leaves(&self, blocks: usize) -> bool {
        let ((data, _), (leaves, _)) = (self.data.as_chunks(), self.tree.as_chunks());
        let words = data.iter().zip(leaves).enumerate();
        words.take(blocks.div_ceil(32)).all(|(at, (data, leaves))| {
            let first = u32::MAX << (32 - (blocks - 32 * at).min(32));
            let data = u32::from_be_bytes(*data) & first;
            spread(data) & !u64::from_be_bytes(*leaves) == 0
        })
    }

    /// How many nodes are set.
    pub(crate) fn count_nodes(&self) -> u64 {
        ones(&self.tree)
    }

    pub(crate) fn blocks(&self) -> &BitSlice<u8, Msb0> {
        self.data.view_bits()
    }

    pub(crate) fn nodes(&self) -> &BitSlice<u8, Msb0> {
        self.tree.view_bits()
    }

    pub(crate) fn set_node(&mut self, at: usize, value: bool) -> bool {
        let mut bit = match self.tree.view_bits_mut::<Msb0>().get_mut(at) {
            Some(bit) => bit,
            None => return false,
        };
        bit.replace(value) != value
    }

    /// Sets a range of blocks; how many changed.
    pub(crate) fn set_blocks(&mut self, range: Range<usize>, value: bool) -> u64 {
        let Some(bits) = self.data.view_bits_mut::<Msb0>().get_mut(range) else {
            return 0;
        };
        let ones = bits.count_ones();
        let changed = match value {
            true => bits.len() - ones,
            false => ones,
        } as u64;
        bits.fill(value);
        match value {
            true => self.count += changed,
            false => self.count -= changed,
        }
        changed
    }

    /// The last block of a part that is set. By bytes: `last_one` of bitvec 1.1 overflows on zeros.
    pub(crate) fn last_block(&self, part: Range<usize>) -> Option<usize> {
        if part.is_empty() {
            return None;
        }
        let last = part.end - 1;
        (part.start / 8..=last / 8).rev().find_map(|at| {
            let mut byte = *self.data.get(at)?;
            if at == last / 8 {
                byte &= 0xff << (7 - last % 8);
            }
            if at == part.start / 8 {
                byte &= 0xff >> (part.start % 8);
            }
            let zeros = byte.trailing_zeros() as usize;
            (byte != 0).then(|| 8 * at + 7 - zeros)
        })
    }

    pub(crate) fn is_full(&self) -> bool {
        self.count == BLOCKS_PER_PAGE
    }
}

/// Each bit at twice its place from the left, with a zero behind it.
fn spread(word: u32) -> u64 {
    let bits = u64::from(word);
    let bits = (bits | bits << 16) & 0x0000_ffff_0000_ffff;
    let bits = (bits | bits << 8) & 0x00ff_00ff_00ff_00ff;
    let bits = (bits | bits << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    let bits = (bits | bits << 2) & 0x3333_3333_3333_3333;
    ((bits | bits << 1) & 0x5555_5555_5555_5555) << 1
}

/// How many bits are set. By words of eight bytes, of which a page has a whole number.
fn ones(bytes: &[u8]) -> u64 {
    let (words, _) = bytes.as_chunks();
    let ones = words
        .iter()
        .map(|word| u64::from_ne_bytes(*word).count_ones());
    ones.map(u64::from).sum()
}

/// Copies what is there, and zeros for the rest.
fn fill(to: &mut [u8], from: &[u8]) {
    let (copied, rest) = to.split_at_mut(from.len().min(to.len()));
    copied
        .iter_mut()
        .zip(from)
        .for_each(|(to, from)| *to = *from);
    rest.fill(0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_without_its_leaf_is_seen_up_to_the_end_that_counts() {
        for block in [0, 1, 7, 8, 30, 8190, 8191] {
            let mut page = Page::EMPTY;
            page.set_blocks(0..8192, true);
            page.tree = [0xff; TREE];
            assert!(page.has_leaves(8192));
            // The parent beside the leaf is no matter.
            page.tree[2 * block / 8] &= !(0x40 >> (2 * block % 8));
            assert!(page.has_leaves(8192));
            page.tree[2 * block / 8] &= !(0x80 >> (2 * block % 8));
            assert!(page.has_leaves(block), "{block}");
            assert!(!page.has_leaves(block + 1), "{block}");
            assert!(!page.has_leaves(8192), "{block}");
            page.set_blocks(block..block + 1, false);
            assert!(page.has_leaves(8192), "{block}");
        }
    }

    #[test]
    fn the_last_block_of_a_part_is_found_within_it() {
        let mut page = Page::EMPTY;
        for block in [0, 3, 8, 21, 8191] {
            page.set_blocks(block..block + 1, true);
        }
        for start in 0..40 {
            for end in 0..40 {
                let last = (start..end).rev().find(|at| page.blocks()[*at]);
                assert_eq!(page.last_block(start..end), last, "{start}..{end}");
            }
        }
        assert_eq!(page.last_block(22..8191), None);
        assert_eq!(page.last_block(22..8192), Some(8191));
    }
}
