//! The suite that every backend passes: one file, read and written at offsets.

use std::ops::Range;

use hypercore_storage::{Error, RandomAccess};
use testkit::Rng;

#[cfg(feature = "mmap")]
use crate::worlds::OnMappedDisk;
use crate::worlds::{ByClosure, InMemory, OnDisk, World};

macro_rules! suite {
    ($($world:ident as $module:ident),*) => {
        $(mod $module { suite! { @ $world {
    reads_as_empty_before_anything_was_written,
    reads_back_what_was_written_even_by_another_handle,
    fills_gaps_with_zeros,
    reads_short_at_the_end,
    reads_into_memory_of_its_own,
    writes_many_parts_in_one_go,
    creates_a_file_by_writing_nothing_and_no_more,
    truncates_but_never_extends,
    does_not_bring_back_what_was_cut_off,
    clears_to_zeros_and_ends_where_the_end_was_cleared,
    destroys_and_begins_anew,
    shuts_out_a_second_handle_until_the_first_is_dropped,
    locks_twice_by_the_same_handle,
    refuses_offsets_that_overflow,
    does_as_the_model_does,
        } } })*
    };
    (@ $world:ident { $($test:ident),* $(,)? }) => {
        $(#[test] fn $test() { super::$test(&super::$world::default()); })*
    };
}

suite! { InMemory as memory, OnDisk as disk, ByClosure as closure }

#[cfg(feature = "mmap")]
suite! { OnMappedDisk as mapped }

fn contents(file: &dyn RandomAccess) -> Vec<u8> {
    let len = file.len().unwrap() as usize;
    // One byte more, to see that nothing lies behind.
    let mut bytes = vec![0xaa; len + 1];
    assert_eq!(file.read(0, &mut bytes).unwrap(), len);
    bytes.truncate(len);
    bytes
}

fn reads_as_empty_before_anything_was_written(world: &impl World) {
    let file = world.open();
    assert_eq!(file.read(0, &mut [0; 4]).unwrap(), 0);
    assert_eq!(file.len().unwrap(), 0);
    assert!(file.is_empty().unwrap());
    file.truncate(0).unwrap();
    file.clear(0..10).unwrap();
    file.sync().unwrap();
    file.destroy().unwrap();
}

fn reads_back_what_was_written_even_by_another_handle(world: &impl World) {
    let file = world.open();
    file.write(0, &[b"hello world"]).unwrap();
    file.write(6, &[b"there"]).unwrap();
    file.sync().unwrap();
    assert_eq!(contents(&*file), b"hello there");
    drop(file);
    assert_eq!(contents(&*world.open()), b"hello there");
}

fn fills_gaps_with_zeros(world: &impl World) {
    let file = world.open();
    file.write(10_000, &[b"x"]).unwrap();
    let mut expected = vec![0; 10_001];
    expected[10_000] = b'x';
    assert_eq!(contents(&*file), expected);
}

fn reads_short_at_the_end(world: &impl World) {
    let file = world.open();
    file.write(0, &[b"abcdef"]).unwrap();
    let mut out = *b"........";
    assert_eq!(file.read(4, &mut out).unwrap(), 2);
    assert_eq!(&out[..2], b"ef");
    assert_eq!(file.read(6, &mut out).unwrap(), 0);
    assert_eq!(file.read(1 << 40, &mut out).unwrap(), 0);
    assert_eq!(file.read(2, &mut []).unwrap(), 0);
}

fn reads_into_memory_of_its_own(world: &impl World) {
    let file = world.open();
    assert!(file.read_vec(0, 10).unwrap().is_empty());
    file.write(0, &[&[7; 5000], b"end"]).unwrap();
    for (offset, len) in [
        (0, 0),
        (0, 1),
        (0, 5003),
        (4999, 4),
        (5000, 100),
        (3, 100_000),
    ] {
        let end = (offset + len).min(5003);
        let read = file.read_vec(offset as u64, len).unwrap();
        assert_eq!(read, contents(&*file)[offset..end]);
    }
    assert!(file.read_vec(5003, 1).unwrap().is_empty());
    assert!(file.read_vec(1 << 40, 1).unwrap().is_empty());
}

fn writes_many_parts_in_one_go(world: &impl World) {
    // More pieces than one system call takes, with empty ones between them.
    let parts: Vec<Vec<u8>> = (0..3000)
        .map(|n| vec![n as u8; n % 5 * usize::from(n % 7 != 0)])
        .collect();
    let slices: Vec<&[u8]> = parts.iter().map(|part| &part[..]).collect();
    let file = world.open();
    file.write(0, &[b"head"]).unwrap();
    file.write(4, &slices).unwrap();
    assert_eq!(contents(&*file), [&b"head"[..], &parts.concat()].concat());
}

fn creates_a_file_by_writing_nothing_and_no_more(world: &impl World) {
    let file = world.open();
    file.write(100, &[]).unwrap();
    file.write(100, &[b"", b""]).unwrap();
    assert_eq!(file.len().unwrap(), 0);
}

fn truncates_but_never_extends(world: &impl World) {
    let file = world.open();
    file.write(0, &[b"abcdef"]).unwrap();
    file.truncate(100).unwrap();
    file.truncate(6).unwrap();
    assert_eq!(contents(&*file), b"abcdef");
    file.truncate(2).unwrap();
    assert_eq!(contents(&*file), b"ab");
    file.truncate(0).unwrap();
    assert_eq!(contents(&*file), b"");
}

fn does_not_bring_back_what_was_cut_off(world: &impl World) {
    let file = world.open();
    file.write(0, &[&[7; 10_000]]).unwrap();
    file.truncate(5000).unwrap();
    file.write(9_999, &[b"x"]).unwrap();
    let bytes = contents(&*file);
    assert!(bytes[..5000].iter().all(|&byte| byte == 7));
    assert!(bytes[5000..9_999].iter().all(|&byte| byte == 0));
}

fn clears_to_zeros_and_ends_where_the_end_was_cleared(world: &impl World) {
    for (range, len) in [
        (0..0, 20_000),
        (9..9, 20_000),
        (1..2, 20_000),
        (4095..4097, 20_000),
        (4096..8192, 20_000),
        (1..19_999, 20_000),
        (0..19_999, 20_000),
        (19_999..20_000, 19_999),
        (5..20_000, 5),
        (5..u64::MAX, 5),
        (0..20_000, 0),
        (20_000..30_000, 20_000),
        (25_000..30_000, 20_000),
    ] {
        let file = world.open();
        file.write(0, &[&[7; 20_000]]).unwrap();
        file.clear(range.clone()).unwrap();
        let bytes = contents(&*file);
        assert_eq!(bytes.len(), len, "{range:?}");
        for (at, byte) in bytes.into_iter().enumerate() {
            let cleared = range.contains(&(at as u64));
            assert_eq!(byte, if cleared { 0 } else { 7 }, "{range:?} at {at}");
        }
        file.destroy().unwrap();
    }
}

fn destroys_and_begins_anew(world: &impl World) {
    let file = world.open();
    file.write(0, &[b"old bytes"]).unwrap();
    file.lock().unwrap();
    file.destroy().unwrap();
    assert_eq!(contents(&*file), b"");
    file.write(3, &[b"new"]).unwrap();
    assert_eq!(contents(&*file), b"\0\0\0new");
    let other = world.open();
    other.lock().unwrap();
    assert!(matches!(file.lock(), Err(Error::Locked)));
}

fn shuts_out_a_second_handle_until_the_first_is_dropped(world: &impl World) {
    let first = world.open();
    first.write(0, &[b"x"]).unwrap();
    first.lock().unwrap();
    let second = world.open();
    assert!(matches!(second.lock(), Err(Error::Locked)));
    assert!(matches!(second.lock(), Err(Error::Locked)));
    drop(first);
    second.lock().unwrap();
    assert!(matches!(world.open().lock(), Err(Error::Locked)));
}

fn locks_twice_by_the_same_handle(world: &impl World) {
    let file = world.open();
    file.lock().unwrap();
    file.lock().unwrap();
    file.write(0, &[b"x"]).unwrap();
    file.lock().unwrap();
}

fn refuses_offsets_that_overflow(world: &impl World) {
    let file = world.open();
    let refused = file.write(u64::MAX, &[b"ab"]);
    assert!(matches!(refused, Err(Error::Io { .. })), "{refused:?}");
    assert_eq!(file.len().unwrap(), 0);
}

/// Random changes, compared with what they do to a vector of bytes.
fn does_as_the_model_does(world: &impl World) {
    let seed = testkit::seed(7);
    let mut rng = Rng::new(seed);
    let mut model: Vec<u8> = Vec::new();
    let file = world.open();
    for step in 0..400 {
        let at = rng.below(20_000);
        let len = match rng.one_in(4) {
            true => rng.below(9000),
            false => rng.below(50),
        };
        match rng.below(8) {
            0..4 => {
                let bytes = rng.bytes(len as usize);
                let (left, right) = bytes.split_at(rng.below(len + 1) as usize);
                file.write(at, &[left, right]).unwrap();
                model_write(&mut model, at as usize, &bytes);
            }
            4 => {
                file.truncate(at).unwrap();
                model.truncate(at as usize);
            }
            5 | 6 => {
                file.clear(at..at + len).unwrap();
                model_clear(&mut model, at as usize..(at + len) as usize);
            }
            _ => {
                let mut out = vec![1; len as usize];
                let read = file.read(at, &mut out).unwrap();
                let end = model.len().min((at + len) as usize);
                let expected = model.get(at as usize..end).unwrap_or_default();
                assert_eq!(&out[..read], expected, "SEED={seed}, step {step}");
            }
        }
        assert_eq!(contents(&*file), model, "SEED={seed}, step {step}");
    }
}

fn model_write(model: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    if !bytes.is_empty() {
        model.resize(model.len().max(at + bytes.len()), 0);
        model[at..at + bytes.len()].copy_from_slice(bytes);
    }
}

fn model_clear(model: &mut Vec<u8>, range: Range<usize>) {
    if range.is_empty() {
    } else if range.end >= model.len() {
        model.truncate(range.start);
    } else {
        model[range].fill(0);
    }
}
