//! Directories that JavaScript wrote: every file is found, with the bytes it has.

use std::{fs, path::Path};

use hypercore_storage::{Directory, File, FileSet, Read};
use testkit::vectors::{folder, hex, int, list, load};

#[test]
fn vectors_of_directories_are_read_and_left_as_they_are() {
    for version in ["sleep-v8", "sleep-v9"] {
        let json = load(&format!("{version}.json"));
        let directories = list(&json["directories"]);
        assert!(!directories.is_empty());
        for directory in directories {
            let name = directory["name"].as_str().unwrap();
            let from = folder().join(version).join(name);
            let place = tempfile::tempdir().unwrap();
            copy(&from, place.path());

            let set = FileSet::open(Box::new(Directory::new(place.path()))).unwrap();
            for file in File::ALL {
                let size = directory["files"][file.name()]["size"].as_u64();
                let len = set.len(file).unwrap();
                assert_eq!(len, size.unwrap_or(0), "{version}/{name}/{file}");
                let read = Read {
                    file,
                    offset: 0,
                    len: usize::MAX,
                };
                let expected = fs::read(from.join(file.name())).unwrap_or_default();
                assert_eq!(
                    set.read(&[read]).unwrap(),
                    [expected],
                    "{version}/{name}/{file}"
                );
            }
            let key = Read {
                file: File::Key,
                offset: 0,
                len: 32,
            };
            assert_eq!(set.read(&[key]).unwrap(), [hex(&directory["key"])]);
            assert_eq!(count(place.path()), count(&from), "{version}/{name}");
        }
        assert!(int(&json["hypercore"]) >= 8);
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

fn count(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}
