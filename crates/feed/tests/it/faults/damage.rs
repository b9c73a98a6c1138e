//! Ways to spoil a file.

use std::{fs, ops::Range, path::Path};

use storage::File;

/// The directory of the feed, and a copy of it from when it had ten blocks.
pub(super) struct Place<'a> {
    pub(super) dir: &'a Path,
    pub(super) old: &'a Path,
}

impl Place<'_> {
    /// Changes the bytes of a file.
    pub(super) fn change(&self, file: File, change: impl FnOnce(&mut Vec<u8>)) {
        let path = self.dir.join(file.name());
        let mut bytes = fs::read(&path).unwrap();
        change(&mut bytes);
        fs::write(path, bytes).unwrap();
    }

    pub(super) fn remove(&self, file: File) {
        fs::remove_file(self.dir.join(file.name())).unwrap();
    }

    /// Leaves so many bytes.
    pub(super) fn keep(&self, file: File, len: usize) {
        self.change(file, |bytes| bytes.truncate(len));
    }

    /// Takes so many bytes from the end.
    pub(super) fn cut(&self, file: File, len: usize) {
        self.change(file, |bytes| bytes.truncate(bytes.len() - len));
    }

    pub(super) fn flip(&self, file: File, at: usize) {
        self.change(file, |bytes| bytes[at] ^= 4);
    }

    pub(super) fn zero(&self, file: File, range: Range<usize>) {
        self.change(file, |bytes| bytes[range].fill(0));
    }

    /// Makes everything behind a place zeros.
    pub(super) fn zero_from(&self, file: File, at: usize) {
        self.change(file, |bytes| bytes[at..].fill(0));
    }

    pub(super) fn put(&self, file: File, at: usize, new: &[u8]) {
        self.change(file, |bytes| bytes[at..at + new.len()].copy_from_slice(new));
    }

    pub(super) fn add(&self, file: File, more: &[u8]) {
        self.change(file, |bytes| bytes.extend_from_slice(more));
    }

    /// Puts a directory in its place.
    pub(super) fn directory(&self, file: File) {
        self.remove(file);
        fs::create_dir(self.dir.join(file.name())).unwrap();
    }

    /// Puts a link to itself in its place.
    pub(super) fn endless_link(&self, file: File) {
        self.remove(file);
        let path = self.dir.join(file.name());
        std::os::unix::fs::symlink(&path, &path).unwrap();
    }

    /// Puts files of the old backup back.
    pub(super) fn stale(&self, files: &[File]) {
        for file in files {
            fs::copy(self.old.join(file.name()), self.dir.join(file.name())).unwrap();
        }
    }

    /// The file has its new length, and behind the old one zeros: its size has reached the disk and its bytes haven't.
    pub(super) fn hollow(&self, file: File) {
        let old = fs::metadata(self.old.join(file.name())).unwrap().len();
        self.zero_from(file, old as usize);
    }
}

/// Where in the tree a node begins.
pub(super) const fn node(index: usize) -> usize {
    32 + 40 * index
}

/// Where the signature of a length begins.
pub(super) const fn signature(length: usize) -> usize {
    32 + 64 * (length - 1)
}
