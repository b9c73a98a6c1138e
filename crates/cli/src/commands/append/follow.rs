//! A file that grows, as `tail -F` follows it: looked at ten times a second, across renames and cuts.
//!
//! ```text
//! at the end of what is there:
//!   the name leads to another file   rotated: read the old one to its end, go on with the new one
//!   the file is shorter than we are  truncated: go on at its beginning
//!   otherwise                        wait
//! ```
//!
//! A line counts once its end is written; the last line of a file that was rotated or truncated counts without.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use async_std::channel::Sender;
use bytes::Bytes;

use super::{
    cut::{Cut, too_long},
    input::Piece,
};
use crate::units::MAX_BLOCK;

/// How long to wait before the file is looked at again.
const PERIOD: Duration = Duration::from_millis(100);

/// How much is read at a time.
const CHUNK: usize = 64 * 1024;

/// The lines of a file that grows.
pub(super) struct Follower {
    path: PathBuf,
    cut: Cut,
    file: File,
    /// How much of the file was read.
    position: u64,
    /// The beginning of a line whose end isn't written yet.
    rest: Vec<u8>,
}

/// What is at the end of what was read.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// Nothing for the moment.
    Wait,
    Rotated,
    Truncated,
}

impl Follower {
    pub(super) fn open(path: &Path, cut: Cut, from_end: bool) -> io::Result<Self> {
        let mut file = File::open(path)?;
        if file.metadata()?.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let position = match from_end {
            true => file.seek(SeekFrom::End(0))?,
            false => 0,
        };
        Ok(Follower {
            path: path.to_owned(),
            cut,
            file,
            position,
            rest: Vec::new(),
        })
    }

    /// Hands over lines until nobody wants them any more.
    pub(super) fn follow(&mut self, pieces: &Sender<Piece>) -> io::Result<()> {
        loop {
            let blocks = self.read()?;
            let some = !blocks.is_empty();
            if some && pieces.send_blocking(Piece::Blocks(blocks)).is_err() {
                return Ok(());
            }
            if some {
                continue;
            }
            let news = match self.end()? {
                End::Rotated => "rotated",
                End::Truncated => "truncated",
                End::Wait => {
                    if pieces.send_blocking(Piece::Idle).is_err() {
                        return Ok(());
                    }
                    thread::sleep(PERIOD);
                    continue;
                }
            };
            let last = self.unfinished()?.map(|line| Piece::Blocks(vec![line]));
            for piece in last.into_iter().chain([Piece::News(news)]) {
                if pieces.send_blocking(piece).is_err() {
                    return Ok(());
                }
            }
        }
    }

    /// The lines that have been written since. Empty at the end of what is there.
    fn read(&mut self) -> io::Result<Vec<Bytes>> {
        let mut blocks = Vec::new();
        let mut chunk = vec![0; CHUNK];
        while blocks.is_empty() {
            let len = match self.file.read(&mut chunk)? {
                0 => break,
                len => len,
            };
            self.position += len as u64;
            let read = chunk.get(..len).unwrap_or_default();
            for piece in read.split_inclusive(|byte| *byte == b'\n') {
                self.rest.extend_from_slice(piece);
                if self.rest.len() > MAX_BLOCK + 1 {
                    return Err(too_long());
                }
                if self.rest.last() == Some(&b'\n') {
                    self.rest.pop();
                    let line = std::mem::take(&mut self.rest);
                    blocks.extend(self.cut.line(line)?);
                }
            }
        }
        Ok(blocks)
    }

    /// What was read of a line that goes no further.
    fn unfinished(&mut self) -> io::Result<Option<Bytes>> {
        match std::mem::take(&mut self.rest) {
            line if line.is_empty() => Ok(None),
            line => self.cut.line(line),
        }
    }

    /// Looks what is behind all that was read, and opens what comes next.
    fn end(&mut self) -> io::Result<End> {
        let ours = self.file.metadata()?;
        if ours.len() < self.position {
            self.position = self.file.seek(SeekFrom::Start(0))?;
            return Ok(End::Truncated);
        }
        if ours.len() > self.position {
            return Ok(End::Wait);
        }
        // Between a rename and the making of the new file there is none of that name.
        let Ok(named) = fs::metadata(&self.path) else {
            return Ok(End::Wait);
        };
        if same(&ours, &named) {
            return Ok(End::Wait);
        }
        let Ok(file) = File::open(&self.path) else {
            return Ok(End::Wait);
        };
        // Whoever wrote to the old one may have written more before it opened the new one.
        if self.file.metadata()?.len() > self.position {
            return Ok(End::Wait);
        }
        self.file = file;
        self.position = 0;
        Ok(End::Rotated)
    }
}

#[cfg(unix)]
fn same(a: &fs::Metadata, b: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

#[cfg(not(unix))]
fn same(a: &fs::Metadata, b: &fs::Metadata) -> bool {
    a.created().ok() == b.created().ok()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn lines(follower: &mut Follower) -> Vec<Bytes> {
        let mut all = Vec::new();
        loop {
            match follower.read().unwrap() {
                blocks if blocks.is_empty() => return all,
                blocks => all.extend(blocks),
            }
        }
    }

    #[test]
    fn lines_come_once_their_ends_are_written() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("log");
        let mut log = File::create(&path).unwrap();
        log.write_all(b"one\ntw").unwrap();
        let mut follower = Follower::open(&path, Cut::Lines, false).unwrap();
        assert_eq!(lines(&mut follower), ["one"]);
        assert_eq!(follower.end().unwrap(), End::Wait);
        log.write_all(b"o\n\nthree").unwrap();
        assert_eq!(lines(&mut follower), ["two", ""]);
        assert_eq!(follower.end().unwrap(), End::Wait);
    }

    #[test]
    fn lines_that_were_there_may_be_left_out() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("log");
        let mut log = File::create(&path).unwrap();
        log.write_all(b"old\n").unwrap();
        let mut follower = Follower::open(&path, Cut::Lines, true).unwrap();
        log.write_all(b"new\n").unwrap();
        assert_eq!(lines(&mut follower), ["new"]);
    }

    #[test]
    fn a_renamed_file_is_read_to_its_end_before_the_new_one() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("log");
        let mut old = File::create(&path).unwrap();
        let mut follower = Follower::open(&path, Cut::Lines, false).unwrap();
        fs::rename(&path, place.path().join("log.1")).unwrap();
        assert_eq!(follower.end().unwrap(), End::Wait);
        old.write_all(b"last\nunfinished").unwrap();
        fs::write(&path, "first\n").unwrap();
        assert_eq!(follower.end().unwrap(), End::Wait);
        assert_eq!(lines(&mut follower), ["last"]);
        assert_eq!(follower.end().unwrap(), End::Rotated);
        assert_eq!(follower.unfinished().unwrap().unwrap(), "unfinished");
        assert_eq!(follower.unfinished().unwrap(), None);
        assert_eq!(lines(&mut follower), ["first"]);
    }

    #[test]
    fn a_truncated_file_is_read_from_its_beginning() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("log");
        fs::write(&path, "before\n").unwrap();
        let mut follower = Follower::open(&path, Cut::Lines, false).unwrap();
        assert_eq!(lines(&mut follower), ["before"]);
        fs::write(&path, "new\n").unwrap();
        assert_eq!(lines(&mut follower), [""; 0]);
        assert_eq!(follower.end().unwrap(), End::Truncated);
        assert_eq!(lines(&mut follower), ["new"]);
    }

    #[test]
    fn a_line_that_fits_in_no_block_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("log");
        fs::write(&path, vec![b'x'; MAX_BLOCK + 2]).unwrap();
        let mut follower = Follower::open(&path, Cut::Lines, false).unwrap();
        assert!(follower.read().is_err());
    }
}
