//! Six files together: who is opened when, what is read in one go, what is written in which order, and what happens
//! when it fails.

use std::sync::Arc;

use bytes::Bytes;
use hypercore_storage::{
    Barriers, Batch, Error, File, FileSet, Memory, MemoryFiles, OpenContext, RandomAccess, Read,
};

use crate::worlds::{Log, Watched};

/// A set whose every call is noted.
fn watched() -> (FileSet, MemoryFiles, Arc<Log>) {
    let (log, memory) = (Arc::new(Log::default()), MemoryFiles::default());
    let (noted, files) = (Arc::clone(&log), memory.clone());
    let provider = move |file: File, context: &OpenContext| {
        noted.note(format!("open {file} {:?}", context.key.map(|key| key[0])));
        let access = Watched::new(files.file(file), Arc::clone(&noted)).named(file.name());
        Ok(Box::new(access) as Box<dyn RandomAccess>)
    };
    (FileSet::open(Box::new(provider)).unwrap(), memory, log)
}

/// The same, with everything opened and nothing noted yet.
fn opened() -> (FileSet, MemoryFiles, Arc<Log>) {
    let (set, memory, log) = watched();
    set.lock().unwrap();
    log.take();
    (set, memory, log)
}

fn read(file: File, offset: u64, len: usize) -> Read {
    Read { file, offset, len }
}

fn three_writes() -> Batch {
    let mut batch = Batch::new();
    batch.write(File::Data, 0, Bytes::from_static(b"data"));
    batch.write(File::Tree, 32, Bytes::from_static(b"tree"));
    batch.barrier();
    batch.write(File::Bitfield, 32, Bytes::from_static(b"bits"));
    batch
}

#[test]
fn key_is_opened_first_and_the_others_once_it_is_known() {
    let (mut set, _, log) = watched();
    assert_eq!(set.read(&[read(File::Key, 0, 32)]).unwrap(), [""]);
    assert_eq!(set.len(File::Key).unwrap(), 0);
    assert_eq!(log.take(), ["open key None", "read key 0+32"]);

    set.set_context(OpenContext {
        key: Some([7; 32]),
        discovery_key: None,
    });
    set.read(&[read(File::SecretKey, 0, 64)]).unwrap();
    set.read(&[read(File::Tree, 0, 32)]).unwrap();
    assert_eq!(
        log.take(),
        [
            "open secret_key Some(7)",
            "open tree Some(7)",
            "open data Some(7)",
            "open bitfield Some(7)",
            "open signatures Some(7)",
            "lock bitfield",
            "read secret_key 0+64",
            "read tree 0+32",
        ]
    );
}

#[test]
fn a_provider_that_fails_is_asked_again() {
    let mut fail = true;
    let provider = move |file: File, _: &OpenContext| {
        if file == File::Data && std::mem::take(&mut fail) {
            let error = std::io::ErrorKind::PermissionDenied;
            return Err(Error::io("find", error.into()));
        }
        Ok(Box::new(Memory::default()) as Box<dyn RandomAccess>)
    };
    let set = FileSet::open(Box::new(provider)).unwrap();
    let failed = set.len(File::Tree).unwrap_err();
    assert_eq!(failed.to_string(), "cannot find data");
    assert_eq!(set.len(File::Tree).unwrap(), 0);
}

#[test]
fn neighbours_are_read_in_one_go_and_answered_one_by_one() {
    let (set, memory, log) = opened();
    let bytes: Vec<u8> = (0..=255).collect();
    memory.file(File::Tree).write(0, &[&bytes]).unwrap();
    let replies = set
        .read(&[
            read(File::Tree, 10, 5),
            read(File::Tree, 15, 0),
            read(File::Tree, 25, 5),
            read(File::Data, 30, 5),
            read(File::Tree, 250, 40),
            read(File::Tree, 290, 40),
            read(File::Tree, 0, 2),
        ])
        .unwrap();
    let slices: [&[u8]; 7] = [
        &bytes[10..15],
        &[],
        &bytes[25..30],
        &[],
        &bytes[250..],
        &[],
        &[0, 1],
    ];
    assert_eq!(replies, slices);
    assert_eq!(
        log.take(),
        [
            "read tree 10+20",
            "read data 30+5",
            "read tree 250+80",
            "read tree 0+2"
        ]
    );
    assert!(set.read(&[]).unwrap().is_empty());
}

#[test]
fn a_length_that_the_file_does_not_have_costs_no_memory() {
    let (set, memory, _) = opened();
    memory.file(File::Data).write(0, &[b"short"]).unwrap();
    let replies = set.read(&[read(File::Data, 1, usize::MAX)]).unwrap();
    assert_eq!(replies, ["hort"]);
}

#[test]
fn a_batch_is_written_in_its_order() {
    let (set, _, log) = opened();
    let mut batch = three_writes();
    let mut more = Batch::new();
    more.write_parts(
        File::Data,
        4,
        vec![Bytes::from_static(b"one"), Bytes::from_static(b"two")],
    );
    more.clear(File::Data, 1..3);
    more.truncate(File::Signatures, 0);
    batch.extend(more);
    set.commit(&batch).unwrap();
    assert_eq!(
        log.take(),
        [
            "write data 0+4",
            "write tree 32+4",
            "write bitfield 32+4",
            "write data 4+6",
            "clear data 1..3",
            "truncate signatures 0",
        ]
    );
    let data = set.read(&[read(File::Data, 0, 99)]).unwrap();
    assert_eq!(data, [&b"d\0\0aonetwo"[..]]);
}

#[test]
fn barriers_sync_what_came_before_them_if_asked_to() {
    let (set, _, log) = opened();
    set.commit_with(&three_writes(), Barriers::Sync).unwrap();
    assert_eq!(
        log.take(),
        [
            "write data 0+4",
            "write tree 32+4",
            "sync data",
            "sync tree",
            "write bitfield 32+4",
            "sync bitfield",
        ]
    );
    // Nothing is left to wait for.
    set.sync().unwrap();
    assert!(log.take().is_empty());
}

#[test]
fn an_empty_batch_touches_nothing() {
    let (set, _, log) = watched();
    log.take();
    set.commit_with(&Batch::new(), Barriers::Sync).unwrap();
    assert!(log.take().is_empty());
}

#[test]
fn after_a_failed_write_the_next_batch_is_written() {
    for succeed in 0..2 {
        let (set, memory, log) = opened();
        log.fail_after(succeed);
        let failed = set.commit(&three_writes());
        assert!(matches!(failed, Err(Error::Io { .. })), "{failed:?}");
        assert!(!set.is_latched());
        // What was written before the failure is there, in order; what comes after isn't.
        assert_eq!(log.take().len(), succeed);
        // Reads go on.
        let data = set.read(&[read(File::Data, 0, 4)]).unwrap();
        assert_eq!(data, [if succeed > 0 { "data" } else { "" }]);

        log.fail_after(usize::MAX - 1);
        set.commit(&three_writes()).unwrap();
        assert_eq!(memory.file(File::Bitfield).len().unwrap(), 36);
    }
}

#[test]
fn bits_that_cannot_be_written_wait_for_what_they_promise_is_stored() {
    for barriers in [Barriers::Skip, Barriers::Defer, Barriers::Sync] {
        let (set, memory, log) = opened();
        // Two writes and, where the barrier waits, two syncs.
        log.fail_after(if barriers == Barriers::Sync { 4 } else { 2 });
        set.commit_with(&three_writes(), barriers).unwrap();
        assert_eq!(memory.file(File::Bitfield).len().unwrap(), 0);
        assert!(set.unsynced() > 0);
        log.fail_after(usize::MAX - 1);
        set.sync().unwrap();
        assert_eq!(memory.file(File::Bitfield).len().unwrap(), 36);
        assert_eq!(set.unsynced(), 0);
    }
}

#[test]
fn deferred_bits_come_behind_a_sync_and_the_latest_of_a_place_wins() {
    let (set, memory, log) = opened();
    for bits in [&b"old!"[..], b"bits"] {
        let mut batch = Batch::new();
        batch.write(File::Data, 0, Bytes::from_static(b"data"));
        batch.barrier();
        batch.write(File::Bitfield, 32, Bytes::from_static(bits));
        batch.barrier();
        set.commit_with(&batch, Barriers::Defer).unwrap();
    }
    assert_eq!(log.take(), ["write data 0+4", "write data 0+4"]);
    assert_eq!(set.unsynced(), 16);
    set.sync().unwrap();
    assert_eq!(
        log.take(),
        ["sync data", "write bitfield 32+4", "sync bitfield"]
    );
    let mut bits = [0; 4];
    memory.file(File::Bitfield).read(32, &mut bits).unwrap();
    assert_eq!(&bits, b"bits");
    // Nothing is left to do.
    set.sync().unwrap();
    assert!(log.take().is_empty());
}

#[test]
fn a_batch_with_more_than_bits_behind_a_barrier_is_not_deferred() {
    let (set, _, log) = opened();
    set.commit_with(&three_writes(), Barriers::Defer).unwrap();
    let mut batch = Batch::new();
    batch.barrier();
    batch.write(File::Bitfield, 32, Bytes::from_static(b"gone"));
    batch.barrier();
    batch.clear(File::Data, 0..4);
    log.take();
    set.commit_with(&batch, Barriers::Defer).unwrap();
    // What had been deferred goes first.
    assert_eq!(
        log.take(),
        [
            "sync data",
            "sync tree",
            "write bitfield 32+4",
            "write bitfield 32+4",
            "sync bitfield",
            "clear data 0..4",
            "sync data"
        ]
    );
}

#[test]
fn what_takes_the_place_of_something_deferred_comes_behind_what_that_waits_for() {
    let (set, _, log) = opened();
    set.commit_with(&three_writes(), Barriers::Defer).unwrap();
    let mut batch = Batch::new();
    batch.write(File::Bitfield, 32, Bytes::from_static(b"next"));
    batch.write(File::Data, 4, Bytes::from_static(b"more"));
    log.take();
    set.commit_with(&batch, Barriers::Defer).unwrap();
    let done = log.take();
    let expected = [
        "sync data",
        "sync tree",
        "write bitfield 32+4",
        "write data 4+4",
    ];
    assert_eq!(done[..4], expected, "{done:?}");
}

/// Found by fuzzing: they were kept by their places, and so written in the order of those.
#[test]
fn the_later_of_two_bits_that_overlap_in_one_batch_wins() {
    let (set, memory, _) = opened();
    let mut batch = Batch::new();
    batch.write(File::Data, 0, Bytes::from_static(b"data"));
    batch.barrier();
    batch.write(File::Bitfield, 34, Bytes::from_static(b"old!"));
    batch.barrier();
    batch.write(File::Bitfield, 32, Bytes::from_static(b"bits"));
    set.commit_with(&batch, Barriers::Defer).unwrap();
    set.sync().unwrap();
    let mut bits = [0; 6];
    memory.file(File::Bitfield).read(32, &mut bits).unwrap();
    assert_eq!(&bits, b"bitsd!");
}

/// Found by fuzzing: it took the place of what waited there.
#[test]
fn a_write_of_no_bytes_takes_nothing_back_that_waits() {
    for together in [false, true] {
        let (set, memory, _) = opened();
        let mut batch = Batch::new();
        batch.barrier();
        batch.write(File::Bitfield, 32, Bytes::from_static(b"bits"));
        if !together {
            set.commit_with(&batch, Barriers::Defer).unwrap();
            assert!(set.has_deferred());
            batch = Batch::new();
        }
        batch.write(File::Bitfield, 32, Bytes::new());
        set.commit_with(&batch, Barriers::Defer).unwrap();
        set.sync().unwrap();
        let mut bits = [0; 4];
        memory.file(File::Bitfield).read(32, &mut bits).unwrap();
        assert_eq!(&bits, b"bits", "{together}");
    }
}

#[test]
fn what_was_deferred_is_written_when_the_set_is_dropped() {
    let (set, memory, log) = opened();
    set.commit_with(&three_writes(), Barriers::Defer).unwrap();
    drop(set);
    assert!(log.take().contains(&"sync data".into()));
    assert_eq!(memory.file(File::Bitfield).len().unwrap(), 36);
}

#[test]
fn of_files_that_others_wrote_all_are_synced_once() {
    let (set, memory, _) = opened();
    let mut batch = Batch::new();
    batch.write(File::Key, 0, Bytes::from_static(&[7; 32]));
    set.commit(&batch).unwrap();
    drop(set);
    let log = Arc::new(Log::default());
    let noted = Arc::clone(&log);
    let provider = move |file: File, _: &OpenContext| {
        let access = Watched::new(memory.file(file), Arc::clone(&noted)).named(file.name());
        Ok(Box::new(access) as Box<dyn RandomAccess>)
    };
    let set = FileSet::open(Box::new(provider)).unwrap();
    set.sync().unwrap();
    let all = [
        "sync secret_key",
        "sync data",
        "sync tree",
        "sync signatures",
        "sync bitfield",
        "sync key",
    ];
    assert!(log.take().ends_with(&all.map(String::from)));
    set.sync().unwrap();
    assert!(log.take().is_empty());
}

#[test]
fn after_a_failed_sync_nothing_is_written_until_reopened() {
    let (set, _, log) = opened();
    log.fail_after(2);
    // Two writes succeed, the barrier doesn't.
    assert!(set.commit_with(&three_writes(), Barriers::Sync).is_err());
    assert!(set.is_latched());

    let (set, memory, log) = opened();
    set.commit(&three_writes()).unwrap();
    log.take();
    log.fail_after(1);
    assert!(set.sync().is_err());
    // The disk is well again. The set isn't.
    log.fail_after(usize::MAX - 1);
    assert!(matches!(set.commit(&three_writes()), Err(Error::Latched)));
    assert!(matches!(set.sync(), Err(Error::Latched)));
    assert_eq!(log.take(), ["sync data"]);
    assert_eq!(set.read(&[read(File::Data, 0, 4)]).unwrap(), ["data"]);
    drop(set);
    let again = FileSet::open(Box::new(memory)).unwrap();
    again.commit(&three_writes()).unwrap();
}

#[test]
fn an_error_names_the_file_and_not_its_own_source() {
    use std::error::Error as _;
    let (set, _, log) = opened();
    log.fail_after(1);
    let error = set.commit(&three_writes()).unwrap_err();
    assert_eq!(error.to_string(), "cannot write tree");
    assert!(error.source().is_some());
}

/// A backend that panics in the middle of a batch.
#[derive(Debug)]
struct Panics(Memory);

impl RandomAccess for Panics {
    fn read(&self, offset: u64, out: &mut [u8]) -> Result<usize, Error> {
        self.0.read(offset, out)
    }
    fn write(&self, offset: u64, parts: &[&[u8]]) -> Result<(), Error> {
        assert!(parts.is_empty(), "as told");
        self.0.write(offset, parts)
    }
    fn len(&self) -> Result<u64, Error> {
        self.0.len()
    }
    fn truncate(&self, len: u64) -> Result<(), Error> {
        self.0.truncate(len)
    }
    fn clear(&self, range: std::ops::Range<u64>) -> Result<(), Error> {
        self.0.clear(range)
    }
    fn sync(&self) -> Result<(), Error> {
        self.0.sync()
    }
    fn destroy(&self) -> Result<(), Error> {
        self.0.destroy()
    }
}

#[test]
fn a_backend_that_panics_latches_the_set() {
    let provider =
        |_: File, _: &OpenContext| Ok(Box::new(Panics(Memory::default())) as Box<dyn RandomAccess>);
    let set = Arc::new(FileSet::open(Box::new(provider)).unwrap());
    let writer = Arc::clone(&set);
    let thread = std::thread::spawn(move || writer.commit(&three_writes()));
    assert!(thread.join().is_err());
    assert!(set.is_latched());
    assert!(matches!(set.commit(&three_writes()), Err(Error::Latched)));
    assert_eq!(set.read(&[read(File::Data, 0, 4)]).unwrap(), [""]);
    set.close();
    assert!(matches!(set.len(File::Key), Err(Error::Closed)));
}

#[test]
fn batches_of_several_threads_do_not_mix() {
    let (set, _, log) = opened();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    set.commit(&three_writes()).unwrap();
                }
            });
        }
    });
    for batch in log.take().chunks(3) {
        assert_eq!(
            batch,
            ["write data 0+4", "write tree 32+4", "write bitfield 32+4"]
        );
    }
}

#[test]
fn a_node_far_out_costs_one_page_of_memory() {
    let memory = Memory::default();
    memory.write(1 << 50, &[&[7; 40]]).unwrap();
    assert_eq!(memory.len().unwrap(), (1 << 50) + 40);
    assert!(memory.allocated() <= 8192);
    memory.clear(1 << 49..(1 << 50) + 8192).unwrap();
    assert_eq!(memory.allocated(), 0);
}

#[test]
fn a_destroyed_set_leaves_nothing_whether_it_was_closed_or_not() {
    for close_first in [false, true] {
        let files = MemoryFiles::default();
        let set = FileSet::open(Box::new(files.clone())).unwrap();
        let mut batch = Batch::new();
        for file in File::ALL {
            batch.write(file, 0, Bytes::from_static(b"x"));
        }
        set.commit(&batch).unwrap();
        assert!(set.disk_usage().unwrap() > 0);
        if close_first {
            set.close();
        }
        set.destroy().unwrap();
        assert!(matches!(set.read(&[]), Err(Error::Closed)));

        let set = FileSet::open(Box::new(files)).unwrap();
        for file in File::ALL {
            assert_eq!(set.len(file).unwrap(), 0, "{file}");
        }
    }
}

#[test]
fn a_set_that_another_handle_uses_is_not_destroyed() {
    let files = MemoryFiles::default();
    let mut batch = Batch::new();
    batch.write(File::Data, 0, Bytes::from_static(b"x"));
    let first = FileSet::open(Box::new(files.clone())).unwrap();
    first.commit(&batch).unwrap();
    first.close();
    let second = FileSet::open(Box::new(files)).unwrap();
    second.lock().unwrap();
    assert!(matches!(first.destroy(), Err(Error::Locked)));
    assert_eq!(second.len(File::Data).unwrap(), 1);
}
