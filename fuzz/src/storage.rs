//! The six files, in memory and on a disk that is read through maps: any batches, compared with what they do to plain vectors of
//! bytes.

use std::ops::Range;

use bytes::Bytes;
use storage::{Barriers, Batch, Directory, File, FileSet, MemoryFiles, Op, Read};

/// Each record of eight bytes is a change or a read. Offsets reach over several pages; now and then one is far out, where
/// a model of plain bytes can't follow, to see that memory stays small.
pub fn storage_batches(data: &[u8]) {
    let memory = MemoryFiles::default();
    let files = FileSet::open(Box::new(memory.clone())).expect("memory opens");
    let folder = tempfile::tempdir().expect("there is room for a directory");
    let directory = Directory::new(folder.path()).mapped(true);
    let mapped = FileSet::open(Box::new(directory)).expect("an empty directory opens");
    let mut models: [Vec<u8>; 6] = Default::default();
    let mut batch = Batch::new();
    for record in data.chunks_exact(8).take(512) {
        let [what, file, o1, o0, l1, l0, fill, parts] = *record else {
            return;
        };
        let file = File::ALL[usize::from(file) % File::ALL.len()];
        let offset = u16::from_be_bytes([o1, o0]);
        let len = u16::from_be_bytes([l1, l0]) % 10_000;
        match what % 8 {
            0..=2 => {
                let bytes = Bytes::from(vec![fill; usize::from(len)]);
                let at = bytes.len().min(usize::from(parts));
                let parts = vec![bytes.slice(..at), bytes.slice(at..)];
                batch.write_parts(file, offset.into(), parts);
            }
            3 => batch.truncate(file, offset.into()),
            4 => batch.clear(file, offset.into()..u64::from(offset) + u64::from(len)),
            5 => batch.barrier(),
            6 => {
                mapped.commit(&batch).expect("there is room");
                commit(&files, &mut models, std::mem::take(&mut batch), fill);
                compare(&files, &models, file, offset, len);
                compare(&mapped, &models, file, offset, len);
            }
            _ => far_out(&files, &memory, fill),
        }
    }
    mapped.commit(&batch).expect("there is room");
    commit(&files, &mut models, batch, 0);
    for file in File::ALL {
        compare(&files, &models, file, 0, u16::MAX);
        compare(&mapped, &models, file, 0, u16::MAX);
    }
}

fn commit(files: &FileSet, models: &mut [Vec<u8>; 6], batch: Batch, how: u8) {
    let barriers = match how % 3 {
        0 => Barriers::Skip,
        1 => Barriers::Sync,
        _ => Barriers::Defer,
    };
    let done = files.commit_with(&batch, barriers);
    done.expect("memory doesn't fail");
    for op in batch.ops() {
        match op {
            Op::Write {
                file,
                offset,
                parts,
            } => write(
                &mut models[*file as usize],
                *offset as usize,
                &parts.concat(),
            ),
            Op::Truncate { file, len } => models[*file as usize].truncate(*len as usize),
            Op::Clear { file, range } => clear(&mut models[*file as usize], range),
            Op::Barrier => {}
        }
    }
}

fn write(model: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    if !bytes.is_empty() {
        model.resize(model.len().max(at + bytes.len()), 0);
        model[at..at + bytes.len()].copy_from_slice(bytes);
    }
}

fn clear(model: &mut Vec<u8>, range: &Range<u64>) {
    let range = range.start as usize..range.end as usize;
    if range.is_empty() {
    } else if range.end >= model.len() {
        model.truncate(range.start);
    } else {
        model[range].fill(0);
    }
}

/// Reads a list of neighbours, which the set joins, and looks at each.
fn compare(files: &FileSet, models: &[Vec<u8>; 6], file: File, offset: u16, len: u16) {
    if files.has_deferred() {
        // It can be read from then on.
        files.sync().expect("memory doesn't fail");
    }
    let model = &models[file as usize];
    let (offset, len) = (usize::from(offset), usize::from(len));
    assert_eq!(
        files.len(file).expect("memory has a length"),
        model.len() as u64
    );
    let starts = [offset, offset + len, offset + len + 40, 0];
    let reads = starts.map(|start| Read {
        file,
        offset: start as u64,
        len,
    });
    let replies = files.read(&reads).expect("memory can be read");
    assert_eq!(replies.len(), starts.len());
    for (start, reply) in starts.into_iter().zip(replies) {
        let end = model.len().min(start + len);
        assert_eq!(reply, model.get(start..end).unwrap_or_default());
    }
}

/// A node at the end of a huge tree takes a page or two, and leaves nothing behind.
fn far_out(files: &FileSet, memory: &MemoryFiles, fill: u8) {
    let tree = memory.file(File::Tree);
    let (len, allocated) = (
        files.len(File::Tree).expect("memory has a length"),
        tree.allocated(),
    );
    let offset = (1 << 45) + u64::from(fill) * 40;
    let mut batch = Batch::new();
    batch.write(File::Tree, offset, Bytes::from(vec![fill; 40]));
    files.commit(&batch).expect("memory doesn't fail");
    assert!(tree.allocated() <= allocated + 2 * 4096);
    let mut undo = Batch::new();
    undo.truncate(File::Tree, len);
    files.commit(&undo).expect("memory doesn't fail");
    assert_eq!(files.len(File::Tree).expect("memory has a length"), len);
    assert_eq!(tree.allocated(), allocated);
}
