//! What only a disk has: files that come into being, modes, holes, places.

use std::{fs, io, path::Path};

use hypercore_storage::{Directory, Disk, Error, File, OpenContext, Provider, RandomAccess};
use tempfile::tempdir;

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn nothing_is_created_before_the_first_write() {
    let folder = tempdir().unwrap();
    let file = Disk::new(folder.path().join("feed/data"));
    file.read(0, &mut [0; 9]).unwrap();
    file.lock().unwrap();
    file.truncate(0).unwrap();
    file.clear(0..9).unwrap();
    file.sync().unwrap();
    assert!(names(folder.path()).is_empty());
    file.write(0, &[b"x"]).unwrap();
    assert_eq!(names(&folder.path().join("feed")), ["data"]);
    assert_eq!(file.path(), folder.path().join("feed/data"));
}

#[test]
fn a_file_that_appears_later_is_seen() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("data");
    let file = Disk::new(&path);
    assert_eq!(file.len().unwrap(), 0);
    fs::write(&path, b"abc").unwrap();
    assert_eq!(file.len().unwrap(), 3);
}

#[test]
fn without_leave_to_create_only_what_exists_is_written() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("data");
    let file = Disk::new(&path).create(false);
    match file.write(0, &[b"x"]) {
        Err(Error::Io { source, .. }) => assert_eq!(source.kind(), io::ErrorKind::NotFound),
        other => panic!("{other:?}"),
    }
    assert!(!path.exists());
    fs::write(&path, b"abc").unwrap();
    file.write(0, &[b"x"]).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"xbc");
}

#[test]
fn a_directory_where_a_file_should_be_is_an_error() {
    let folder = tempdir().unwrap();
    let file = Disk::new(folder.path());
    assert!(matches!(
        file.read(0, &mut [0; 9]),
        Err(Error::Io { file: None, .. })
    ));
}

#[test]
fn the_secret_key_is_for_its_owner_only_and_may_live_elsewhere() {
    let folder = tempdir().unwrap();
    let secret = folder.path().join("vault/secret");
    let mut place = Directory::new(folder.path().join("feed")).place(File::SecretKey, &secret);
    for file in File::ALL {
        let access = place.open(file, &OpenContext::default()).unwrap();
        access.write(0, &[file.name().as_bytes()]).unwrap();
    }
    assert_eq!(fs::read(&secret).unwrap(), b"secret_key");
    assert_eq!(
        names(&folder.path().join("feed")),
        ["bitfield", "data", "key", "signatures", "tree"]
    );
    #[cfg(unix)]
    {
        let mode = |path: &Path| {
            use std::os::unix::fs::PermissionsExt;
            fs::metadata(path).unwrap().permissions().mode() & 0o777
        };
        assert_eq!(mode(&secret), 0o600);
        // Whatever the mask of this process leaves of a new file.
        fs::write(folder.path().join("plain"), b"").unwrap();
        assert_eq!(
            mode(&folder.path().join("feed/key")),
            mode(&folder.path().join("plain"))
        );
    }
}

#[test]
fn a_directory_that_may_not_create_leaves_no_trace() {
    let folder = tempdir().unwrap();
    let mut place = Directory::new(folder.path().join("feed")).create(false);
    let key = place.open(File::Key, &OpenContext::default()).unwrap();
    assert!(key.write(0, &[b"key"]).is_err());
    assert!(names(folder.path()).is_empty());
}

#[cfg(target_os = "linux")]
mod linux {
    //! Space, and files that can't be written.

    use std::os::unix::fs::MetadataExt;

    use super::*;

    fn allocated(path: &Path) -> u64 {
        fs::metadata(path).unwrap().blocks() * 512
    }

    #[test]
    fn a_sparse_file_takes_no_space_for_its_holes() {
        let folder = tempdir().unwrap();
        let file = Disk::new(folder.path().join("data"));
        file.write(1 << 32, &[b"x"]).unwrap();
        assert_eq!(file.len().unwrap(), (1 << 32) + 1);
        assert!(allocated(file.path()) <= 64 * 1024);
    }

    #[test]
    fn clearing_gives_the_space_back() {
        let folder = tempdir().unwrap();
        let file = Disk::new(folder.path().join("data"));
        const LEN: u64 = 4 << 20;
        file.write(0, &[&vec![7; LEN as usize]]).unwrap();
        file.sync().unwrap();
        let before = allocated(file.path());
        assert!(before >= LEN);
        file.clear(4096..LEN - 4096).unwrap();
        assert!(before - allocated(file.path()) >= LEN / 2);
        assert_eq!(file.len().unwrap(), LEN);
        let mut byte = [1];
        file.read(LEN / 2, &mut byte).unwrap();
        assert_eq!(byte, [0]);
    }

    /// Not even the superuser may write to a program that is running, such as this one.
    #[test]
    fn what_cannot_be_written_can_still_be_read() {
        let file = Disk::new(std::env::current_exe().unwrap());
        let mut magic = [0; 4];
        assert_eq!(file.read(0, &mut magic).unwrap(), 4);
        assert_eq!(&magic, b"\x7fELF");
        let written = file.write(0, &[b"\x7f"]);
        assert!(matches!(written, Err(Error::Io { .. })));
    }
}

#[test]
#[cfg(unix)]
fn a_file_with_holes_takes_less_than_its_length() {
    let folder = tempdir().unwrap();
    let file = Disk::new(folder.path().join("sparse"));
    assert_eq!(file.disk_usage().unwrap(), 0);
    file.write(64 << 20, &[&[7; 4096]]).unwrap();
    file.sync().unwrap();
    let (allocated, len) = (file.disk_usage().unwrap(), file.len().unwrap());
    assert!(allocated > 0 && allocated < len / 8, "{allocated} of {len}");
}
