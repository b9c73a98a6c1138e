//! What a power cut leaves: everything that was synced, and of the rest whatever a loss lets through.
//!
//! A file system may bring unsynced writes to the medium in any order, in parts, or not at all, each file for itself; only a
//! sync sets a mark. A sector of 512 bytes is written whole or not, and what isn't written stays as it was.

use std::ops::Range;

use storage::File;

use super::{Done, Image, SimDisk, What, write};
use crate::Rng;

const SECTOR: usize = 512;
const PAGE: usize = 4096;

/// Which of the operations that were not synced get lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// None: the process was killed, the system lives.
    Nothing,
    /// All of them.
    Everything,
    /// All but the first `n`.
    AllBut(usize),
    /// The first `n`, though the later ones are there.
    First(usize),
    /// The `n`th.
    One(usize),
    /// All but the `n`th.
    AllButOne(usize),
    /// Those of one file.
    OfFile(File),
    /// Their bytes, though the files have got their new lengths.
    Contents,
    /// Those whose bit is 0, by their number modulo 64.
    Subset(u64),
    /// Any of the sectors of each: torn writes.
    Sectors,
    /// Each page of each file is as it was at some time between, and so is each length.
    Pages,
}

impl SimDisk {
    /// The disk after a power cut behind the first `at` operations.
    pub fn crash(&self, at: usize, loss: Loss, rng: &mut Rng) -> SimDisk {
        SimDisk::holding(self.left(at, loss, rng))
    }

    /// How many operations of the first `at` a power cut may take back.
    pub fn pending(&self, at: usize) -> usize {
        let states = states(&self.shared().done[..at]);
        let pending = states.iter().filter(|state| **state == State::Pending);
        pending.count()
    }

    /// The losses that are worth trying at a crash point: each that has no chance in it once, and `dice` of each other. Where few
    /// operations are pending, all their subsets.
    pub fn losses(&self, at: usize, dice: usize, rng: &mut Rng) -> Vec<Loss> {
        let pending = self.pending(at);
        let mut losses = vec![Loss::Nothing];
        if pending == 0 {
            return losses;
        }
        losses.extend([Loss::Everything, Loss::Contents]);
        if pending > 1 {
            losses.extend((1..pending).map(Loss::AllBut));
            losses.extend((1..pending).map(Loss::First));
            losses.extend((0..pending).map(Loss::One));
            losses.extend((0..pending).map(Loss::AllButOne));
            losses.extend(File::ALL.map(Loss::OfFile));
        }
        match pending {
            0..=5 => losses.extend((0..1 << pending).map(Loss::Subset)),
            _ => losses.extend((0..dice).map(|_| Loss::Subset(rng.next_u64()))),
        }
        losses.extend(vec![Loss::Sectors; dice]);
        losses.extend(vec![Loss::Pages; dice]);
        losses
    }

    fn left(&self, at: usize, loss: Loss, rng: &mut Rng) -> Image {
        let shared = self.shared();
        let done = &shared.done[..at];
        let mut image = shared.base.clone();
        let mut loose: Vec<&Done> = Vec::new();
        for (one, state) in done.iter().zip(states(done)) {
            match state {
                State::Safe => one.what.apply(&mut image[one.file as usize]),
                State::Dropped => {}
                State::Pending => loose.push(one),
            }
        }
        if loss == Loss::Pages {
            for file in File::ALL {
                let ops = loose.iter().filter(|one| one.file == file);
                let ops: Vec<&What> = ops.map(|one| &one.what).collect();
                versions(&mut image[file as usize], &ops, rng);
            }
            return image;
        }
        for (number, one) in loose.into_iter().enumerate() {
            let bytes = &mut image[one.file as usize];
            let stays = match loss {
                Loss::Nothing => true,
                Loss::Everything => false,
                Loss::AllBut(n) => number < n,
                Loss::First(n) => number >= n,
                Loss::One(n) => number != n,
                Loss::AllButOne(n) => number == n,
                Loss::OfFile(file) => one.file != file,
                Loss::Subset(mask) => mask >> (number % 64) & 1 == 1,
                Loss::Contents => {
                    lose_contents(bytes, &one.what);
                    continue;
                }
                Loss::Sectors => {
                    tear(bytes, &one.what, rng);
                    continue;
                }
                Loss::Pages => continue,
            };
            if stays {
                one.what.apply(bytes);
            }
        }
        image
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Safe,
    Pending,
    Dropped,
}

/// What has become of each operation: whatever comes next on its file, of syncs that held and syncs that failed, decides.
fn states(done: &[Done]) -> Vec<State> {
    let mut fate = [State::Pending; 6];
    let mut states: Vec<State> = done
        .iter()
        .rev()
        .map(|one| {
            let fate = &mut fate[one.file as usize];
            match one.what {
                What::Sync => *fate = State::Safe,
                What::Dropped => *fate = State::Dropped,
                _ => {}
            }
            *fate
        })
        .collect();
    states.reverse();
    states
}

/// The file has got its length, not its bytes.
fn lose_contents(bytes: &mut Vec<u8>, what: &What) {
    match what {
        What::Write { offset, bytes: new } => {
            let end = offset + new.len();
            let was = bytes.len();
            if end > was && !new.is_empty() {
                bytes.resize(end, 0);
            }
        }
        other => other.apply(bytes),
    }
}

/// Of a write any sectors get through, of anything else all or nothing.
fn tear(bytes: &mut Vec<u8>, what: &What, rng: &mut Rng) {
    let What::Write { offset, bytes: new } = what else {
        if rng.one_in(2) {
            what.apply(bytes);
        }
        return;
    };
    // Mostly a beginning or an end, sometimes a patchwork.
    let sectors = pieces(*offset, new.len(), SECTOR);
    let cut = rng.below(sectors.len() as u64 + 1) as usize;
    let how = rng.below(3);
    for (number, piece) in sectors.into_iter().enumerate() {
        let through = match how {
            0 => number < cut,
            1 => number >= cut,
            _ => rng.one_in(2),
        };
        if through {
            write(bytes, offset + piece.start, &new[piece]);
        }
    }
}

/// The parts of `len` bytes at `offset` that lie in different sectors or pages.
fn pieces(offset: usize, len: usize, size: usize) -> Vec<Range<usize>> {
    let mut pieces = Vec::new();
    let mut start = 0;
    while start < len {
        let end = len.min(start + size - (offset + start) % size);
        pieces.push(start..end);
        start = end;
    }
    pieces
}

/// Makes each page, and the length, one of those that it had while the operations were done.
fn versions(bytes: &mut Vec<u8>, ops: &[&What], rng: &mut Rng) {
    let mut history = vec![bytes.clone()];
    for what in ops {
        let mut next = history.last().cloned().unwrap_or_default();
        what.apply(&mut next);
        history.push(next);
    }
    let pick = |rng: &mut Rng| rng.below(history.len() as u64) as usize;
    let len = history[pick(rng)].len();
    let mut left = vec![0; len];
    for start in (0..len).step_by(PAGE) {
        let version = &history[pick(rng)];
        let end = (start + PAGE).min(len).min(version.len());
        if start < end {
            left[start..end].copy_from_slice(&version[start..end]);
        }
    }
    *bytes = left;
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use storage::{Barriers, Batch, FileSet};

    use super::*;
    use crate::{Call, Fault};

    fn write_at(files: &FileSet, file: File, offset: u64, bytes: &'static [u8], sync: Barriers) {
        let mut batch = Batch::new();
        batch.write(file, offset, bytes.into());
        files.commit_with(&batch, sync).unwrap();
    }

    fn disk() -> (SimDisk, FileSet) {
        let disk = SimDisk::default();
        let files = FileSet::open(Box::new(disk.clone())).unwrap();
        write_at(&files, File::Data, 0, b"safe", Barriers::Sync);
        write_at(&files, File::Data, 2, b"NEW", Barriers::Skip);
        write_at(&files, File::Tree, 0, b"tree", Barriers::Skip);
        (disk, files)
    }

    fn data(disk: &SimDisk, loss: Loss) -> (Vec<u8>, Vec<u8>) {
        let left = disk.crash(disk.done(), loss, &mut Rng::new(0));
        (left.bytes(File::Data), left.bytes(File::Tree))
    }

    #[test]
    fn what_was_synced_stays_whatever_is_lost() {
        let (disk, _files) = disk();
        let mut rng = Rng::new(1);
        for _ in 0..20 {
            for loss in disk.losses(disk.done(), 3, &mut rng) {
                let left = disk.crash(disk.done(), loss, &mut rng);
                assert!(left.bytes(File::Data).starts_with(b"sa"), "{loss:?}");
            }
        }
        assert_eq!(disk.bytes(File::Data), b"saNEW");
    }

    #[test]
    fn each_loss_takes_what_it_says() {
        let (disk, _files) = disk();
        let cases: [(Loss, &[u8], &[u8]); 6] = [
            (Loss::Nothing, b"saNEW", b"tree"),
            (Loss::Everything, b"safe", b""),
            (Loss::AllBut(2), b"saNEW", b""),
            (Loss::OfFile(File::Data), b"safe", b"tree"),
            (Loss::Contents, b"safe\0", b"\0\0\0\0"),
            (Loss::First(2), b"safe", b"tree"),
        ];
        // The first pending operation is what made the bitfield, which holds the lock.
        for (loss, in_data, in_tree) in cases {
            assert_eq!(
                data(&disk, loss),
                (in_data.into(), in_tree.into()),
                "{loss:?}"
            );
        }
    }

    #[test]
    fn a_failed_sync_drops_what_it_was_for_although_it_can_be_read() {
        let (disk, files) = disk();
        disk.fail(Fault::Once {
            call: Call::Sync,
            nth: 0,
            kind: ErrorKind::Other,
        });
        let mut batch = Batch::new();
        batch.write(File::Data, 5, b"!".as_slice().into());
        assert!(files.commit_with(&batch, Barriers::Sync).is_err());
        assert_eq!(disk.bytes(File::Data), b"saNEW!");
        assert_eq!(data(&disk, Loss::Nothing).0, b"safe");
    }

    #[test]
    fn a_full_disk_takes_what_fits_and_has_room_again_later() {
        let (disk, _) = disk();
        disk.fail(Fault::Room(11));
        let files = FileSet::open(Box::new(disk.clone())).unwrap();
        let mut batch = Batch::new();
        batch.write(File::Data, 5, b"more".as_slice().into());
        assert!(files.commit(&batch).is_err());
        assert_eq!(disk.bytes(File::Data), b"saNEWmo");
        disk.heal();
        let files = FileSet::open(Box::new(disk.clone())).unwrap();
        files.commit(&batch).unwrap();
        assert_eq!(disk.bytes(File::Data), b"saNEWmore");
    }

    #[test]
    fn pieces_end_where_sectors_do() {
        assert_eq!(pieces(500, 600, 512), [0..12, 12..524, 524..600]);
        assert_eq!(pieces(512, 512, 512).len(), 1);
        assert!(pieces(7, 0, 512).is_empty());
    }
}
