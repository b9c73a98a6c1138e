//! What only a file that is read through a map has: a map that the file outgrows, or that it is cut under.

use std::{fs, thread};

use hypercore_storage::{
    Directory, Disk, File, FileSet, Mapped, OpenContext, Provider, RandomAccess,
};
use tempfile::tempdir;

#[test]
fn a_file_outgrows_its_map_again_and_again() {
    let folder = tempdir().unwrap();
    let file = Mapped::new(Disk::new(folder.path().join("data")));
    let piece = vec![7; 300_000];
    for nth in 0..12_u64 {
        let end = nth * 300_000;
        file.write(end, &[&piece]).unwrap();
        file.write(end, &[&[nth as u8]]).unwrap();
        for earlier in 0..=nth {
            let read = file.read_vec(earlier * 300_000, 2).unwrap();
            assert_eq!(read, [earlier as u8, 7]);
        }
        assert!(file.read_vec(end + 299_999, 10).unwrap() == [7]);
    }
}

#[test]
fn what_others_have_cut_off_reads_as_the_end() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("data");
    let file = Mapped::new(Disk::new(&path));
    file.write(0, &[&[7; 100_000]]).unwrap();
    assert_eq!(file.read_vec(90_000, 20_000).unwrap().len(), 10_000);
    // Somebody who doesn't heed the lock. The pages behind the end must not be touched any more.
    let other = fs::OpenOptions::new().write(true).open(&path).unwrap();
    other.set_len(50_000).unwrap();
    assert!(file.read_vec(90_000, 20_000).unwrap().is_empty());
    let mut out = vec![0; 100_000];
    assert_eq!(file.read(0, &mut out).unwrap(), 50_000);
    other.set_len(100_000).unwrap();
    assert_eq!(file.read_vec(90_000, 20_000).unwrap(), [0; 10_000]);
    other.set_len(0).unwrap();
    assert!(file.read_vec(0, 1).unwrap().is_empty());
}

#[test]
fn readers_and_a_writer_who_cuts_get_along() {
    let folder = tempdir().unwrap();
    let file = Mapped::new(Disk::new(folder.path().join("data")));
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..2000 {
                    let read = file.read_vec(0, 20_000).unwrap();
                    // Each write fills the file with one number.
                    assert!(read.windows(2).all(|pair| pair[0] == pair[1]));
                }
            });
        }
        for nth in 0..500_usize {
            file.write(0, &[&vec![nth as u8; 20_000]]).unwrap();
            if nth % 10 == 0 {
                file.truncate((nth * 37 % 20_000) as u64).unwrap();
            }
        }
    });
}

#[test]
fn of_a_directory_data_and_tree_are_mapped() {
    let folder = tempdir().unwrap();
    let mut directory = Directory::new(folder.path()).mapped(true);
    for file in File::ALL {
        let opened = directory.open(file, &OpenContext::default()).unwrap();
        let mapped = format!("{opened:?}").starts_with("Mapped");
        assert_eq!(mapped, matches!(file, File::Data | File::Tree), "{file}");
    }
    drop(FileSet::open(Box::new(directory)).unwrap());
}
