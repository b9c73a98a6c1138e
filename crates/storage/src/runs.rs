//! Read lists: which neighbouring pieces are read in one go.

use std::vec::Vec;

use bytes::Bytes;

use crate::{Error, RandomAccess, Read};

/// The nodes that a proof or the place of a block needs have some between them that it doesn't. Reading these is cheaper than
/// another call: the system takes a tenth of a microsecond to copy so many bytes, and four times that to be called.
const MAX_GAP: u64 = 2048;

/// The pieces of a run share one buffer, which lives as long as the last of them, so a run is kept small.
const MAX_RUN: u64 = 64 * 1024;

/// Splits a list into runs: pieces of one file, ascending, without a large gap.
pub(crate) fn runs(reads: &[Read]) -> impl Iterator<Item = &[Read]> {
    let mut start = reads.first().map_or(0, |first| first.offset);
    reads.chunk_by(move |last, next| {
        let gap = next.offset.checked_sub(end(last));
        let joins = last.file == next.file
            && gap.is_some_and(|gap| gap <= MAX_GAP)
            && end(next) - start <= MAX_RUN;
        if !joins {
            start = next.offset;
        }
        joins
    })
}

/// Reads the pieces of a run and appends them to `replies`.
pub(crate) fn read_run(
    file: &dyn RandomAccess,
    run: &[Read],
    replies: &mut Vec<Bytes>,
) -> Result<(), Error> {
    let (Some(first), Some(last)) = (run.first(), run.last()) else {
        return Ok(());
    };
    let mut len = end(last) - first.offset;
    if len > MAX_RUN {
        // The length may come from a damaged file. Nothing is allocated that isn't there to be read.
        len = len.min(file.len()?.saturating_sub(first.offset));
    }
    let len = usize::try_from(len).unwrap_or(usize::MAX);
    let buffer = Bytes::from(file.read_vec(first.offset, len)?);
    let filled = buffer.len();
    for read in run {
        let start = clamp(read.offset - first.offset, filled);
        let end = clamp(end(read) - first.offset, filled);
        replies.push(buffer.slice(start..end));
    }
    Ok(())
}

fn end(read: &Read) -> u64 {
    read.offset.saturating_add(read.len as u64)
}

fn clamp(at: u64, len: usize) -> usize {
    usize::try_from(at).map_or(len, |at| at.min(len))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::File;

    fn read(file: File, offset: u64, len: usize) -> Read {
        Read { file, offset, len }
    }

    fn lens(reads: &[Read]) -> Vec<usize> {
        runs(reads).map(<[Read]>::len).collect()
    }

    #[test]
    fn neighbours_join_and_others_do_not() {
        use File::{Data, Tree};
        assert!(lens(&[]).is_empty());
        assert_eq!(lens(&[read(Tree, 32, 40), read(Tree, 72, 40)]), [2]);
        assert_eq!(lens(&[read(Tree, 32, 40), read(Tree, 112, 40)]), [2]);
        assert_eq!(lens(&[read(Tree, 32, 40), read(Data, 72, 40)]), [1, 1]);
        assert_eq!(lens(&[read(Tree, 72, 40), read(Tree, 32, 40)]), [1, 1]);
        assert_eq!(lens(&[read(Tree, 32, 40), read(Tree, 32, 40)]), [1, 1]);
        assert_eq!(
            lens(&[read(Tree, 0, 10), read(Tree, 10 + MAX_GAP + 1, 10)]),
            [1, 1]
        );
    }

    #[test]
    fn a_run_is_bounded_even_if_all_are_neighbours() {
        let reads: Vec<_> = (0..40)
            .map(|n| read(File::Data, n * 10_000, 10_000))
            .collect();
        assert_eq!(lens(&reads), [6, 6, 6, 6, 6, 6, 4]);
    }

    #[test]
    fn offsets_at_the_edge_of_the_numbers_do_no_harm() {
        let reads = [
            read(File::Data, u64::MAX, 10),
            read(File::Data, u64::MAX, usize::MAX),
        ];
        let mut replies = Vec::new();
        for run in runs(&reads) {
            read_run(&crate::Memory::default(), run, &mut replies).unwrap();
        }
        assert_eq!(replies, [Bytes::new(), Bytes::new()]);
    }
}
