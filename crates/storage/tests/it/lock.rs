//! One feed, one user: also across processes, and also while the feed comes into being.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use bytes::Bytes;
use hypercore_storage::{
    Batch, Directory, Disk, Error, File, FileSet, MemoryFiles, RandomAccess, Read,
};
use tempfile::tempdir;

fn on_disk(folder: &Path) -> FileSet {
    FileSet::open(Box::new(Directory::new(folder))).unwrap()
}

fn in_memory(files: &MemoryFiles) -> FileSet {
    FileSet::open(Box::new(files.clone())).unwrap()
}

fn one_write(file: File) -> Batch {
    let mut batch = Batch::new();
    batch.write(file, 0, Bytes::from_static(b"bytes"));
    batch
}

const READ: Read = Read {
    file: File::Tree,
    offset: 0,
    len: 8,
};

#[test]
fn a_second_set_is_shut_out_until_the_first_is_dropped_or_closed() {
    let folder = tempdir().unwrap();
    let memory = MemoryFiles::default();
    for open in [&|| on_disk(folder.path()) as FileSet, &|| {
        in_memory(&memory)
    }] as [&dyn Fn() -> FileSet; 2]
    {
        let first = open();
        first.commit(&one_write(File::Data)).unwrap();
        let second = open();
        assert!(matches!(second.read(&[READ]), Err(Error::Locked)));
        assert!(matches!(second.lock(), Err(Error::Locked)));
        let third = open();
        assert!(matches!(
            third.commit(&one_write(File::Data)),
            Err(Error::Locked)
        ));
        drop(first);
        second.read(&[READ]).unwrap();
        second.close();
        third.commit(&one_write(File::Data)).unwrap();
        assert!(matches!(second.read(&[READ]), Err(Error::Closed)));
        assert!(matches!(
            second.commit(&one_write(File::Data)),
            Err(Error::Closed)
        ));
    }
}

/// Two find nothing and both want to create the feed.
#[test]
fn of_two_that_create_a_feed_the_second_writes_nothing() {
    let folder = tempdir().unwrap();
    let (first, second) = (on_disk(folder.path()), on_disk(folder.path()));
    assert_eq!(first.read(&[READ]).unwrap(), [""]);
    assert_eq!(second.read(&[READ]).unwrap(), [""]);
    first.commit(&one_write(File::SecretKey)).unwrap();
    let late = second.commit(&one_write(File::SecretKey));
    assert!(matches!(late, Err(Error::Locked)));
    assert!(!second.is_latched());
}

/// The same, but the first is gone again when the others come to write: nobody holds the lock, and yet what they know is
/// no longer so.
#[test]
fn a_feed_created_by_another_meanwhile_is_not_overwritten() {
    for files in [&[File::Key][..], &[File::Bitfield]] {
        let folder = tempdir().unwrap();
        // One has seen that there is no key, the other one that there is nothing at all.
        let (opened, read) = (on_disk(folder.path()), on_disk(folder.path()));
        assert_eq!(read.read(&[READ]).unwrap(), [""]);
        let first = on_disk(folder.path());
        for file in files {
            first.commit(&one_write(*file)).unwrap();
        }
        drop(first);
        let refused = read.commit(&one_write(File::SecretKey));
        assert!(matches!(refused, Err(Error::Locked)), "{refused:?}");
        drop(read);
        if files == [File::Key] {
            let refused = opened.commit(&one_write(File::SecretKey));
            assert!(matches!(refused, Err(Error::Locked)), "{refused:?}");
        }
        assert!(!folder.path().join("secret_key").exists());
    }
}

/// One who only reads is told as well: that there was no key is no longer so.
#[test]
fn a_feed_created_by_another_meanwhile_is_not_taken_for_an_absent_one() {
    let folder = tempdir().unwrap();
    let early = on_disk(folder.path());
    assert_eq!(early.len(File::Key).unwrap(), 0);
    on_disk(folder.path())
        .commit(&one_write(File::Key))
        .unwrap();
    assert!(matches!(early.read(&[READ]), Err(Error::Locked)));
    assert_eq!(on_disk(folder.path()).read(&[READ]).unwrap(), [""]);
}

#[test]
fn locking_a_feed_that_is_not_there_creates_only_what_the_lock_lies_on() {
    let folder = tempdir().unwrap();
    let set = on_disk(folder.path());
    set.lock().unwrap();
    set.lock().unwrap();
    assert!(folder.path().join("bitfield").exists());
    assert!(!folder.path().join("key").exists());
    assert!(matches!(on_disk(folder.path()).lock(), Err(Error::Locked)));
}

/// The program flock(1), which takes the same lock as JavaScript.
struct Flock(Child);

impl Flock {
    /// Holds the lock on a file until it is dropped. None if there is no such program here.
    fn hold(path: &Path) -> Option<Flock> {
        let spawned = Command::new("flock")
            .args(["--exclusive", "--nonblock"])
            .arg(path)
            .args(["sh", "-c", "echo held; read _"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let mut child = spawned.ok()?;
        let mut line = String::new();
        let out = child.stdout.take().unwrap();
        BufReader::new(out).read_line(&mut line).unwrap();
        assert_eq!(line, "held\n");
        Some(Flock(child))
    }
}

impl Drop for Flock {
    fn drop(&mut self) {
        // Its shell waits for a line.
        drop(self.0.stdin.take());
        self.0.wait().unwrap();
    }
}

#[test]
fn another_process_shuts_us_out_and_we_shut_it_out() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("bitfield");
    std::fs::write(&path, b"").unwrap();
    let Some(other) = Flock::hold(&path) else {
        eprintln!("no flock(1) here: skipped");
        return;
    };
    assert!(matches!(Disk::new(&path).lock(), Err(Error::Locked)));
    drop(other);

    let ours = Disk::new(&path);
    ours.lock().unwrap();
    let theirs = Command::new("flock")
        .args(["--exclusive", "--nonblock", "--conflict-exit-code", "77"])
        .arg(&path)
        .arg("true")
        .status()
        .unwrap();
    assert_eq!(theirs.code(), Some(77));
}
