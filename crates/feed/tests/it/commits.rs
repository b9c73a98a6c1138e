//! The order in which a commit reaches the disk, and what a commit that broke off anywhere leaves behind.

use bytes::Bytes;
use hypercore_feed::{Commit, Error, Event, ForkPolicy, MAX_BLOCK, OpenOptions, Opening, Step};
use merkle::RemoteTree;
use storage::{Batch, File, FileSet, MemoryFiles, Op};

use crate::world::{Log, beginning, contents, made_up, replace, seeded, with_key};

/// Data, tree and signatures; a barrier; each page of the bitfield in one write; a barrier.
fn assert_crash_order(batch: &Batch) {
    let ops = batch.ops();
    let barriers: Vec<usize> = (0..ops.len())
        .filter(|at| ops[*at] == Op::Barrier)
        .collect();
    let &[first, last] = &barriers[..] else {
        panic!("{batch:?}");
    };
    assert_eq!(last, ops.len() - 1);
    let file = |op: &Op| match op {
        Op::Write { file, .. } => *file,
        other => panic!("{other:?}"),
    };
    let before: Vec<File> = ops[..first].iter().map(file).collect();
    let rank = |file: &File| {
        [File::Data, File::Tree, File::Signatures]
            .iter()
            .position(|at| at == file)
    };
    assert!(before.iter().all(|file| rank(file).is_some()), "{before:?}");
    assert!(before.is_sorted_by_key(rank), "{before:?}");
    let mut pages = Vec::new();
    for op in &ops[first + 1..last] {
        let Op::Write {
            file,
            offset,
            parts,
        } = op
        else {
            panic!("{op:?}");
        };
        assert_eq!(*file, File::Bitfield);
        assert_eq!((offset - 32) % 3584, 0);
        assert_eq!(parts.iter().map(Bytes::len).sum::<usize>(), 3584);
        pages.push(*offset);
    }
    assert!(!pages.is_empty() && pages.is_sorted_by(|a, b| a < b));
}

/// How many writes go to a file.
fn writes(batch: &Batch, to: File) -> usize {
    let ops = batch.ops().iter();
    ops.filter(|op| matches!(op, Op::Write { file, .. } if *file == to))
        .count()
}

fn plan(log: &Log, blocks: impl IntoIterator<Item = Bytes>) -> Commit {
    let plan = log.feed.plan_append(blocks.into_iter().collect()).unwrap();
    plan.sign(&log.feed).unwrap()
}

fn puts(reader: &Log, author: &Log, blocks: impl IntoIterator<Item = u64>) -> Commit {
    let puts = blocks.into_iter().map(|block| {
        let value = Some(author.get(block).unwrap());
        reader.accept(author.prove(block, false), value).unwrap()
    });
    let (commit, conflicts) = reader.feed.commit_puts(puts.collect());
    assert!(conflicts.is_empty());
    commit
}

#[test]
fn appends_are_in_crash_order() {
    let mut log = Log::author(1, 5);
    for count in [1, 2, 7, 100] {
        let commit = plan(&log, (0..count).map(|block| made_up(1, block)));
        assert_crash_order(commit.batch());
        // The blocks in one write, and the nodes in one besides the parents of older leaves.
        assert_eq!(writes(commit.batch(), File::Data), 1);
        assert!(writes(commit.batch(), File::Tree) <= 1 + 8);
        assert_eq!(writes(commit.batch(), File::Signatures), 1);
        log.commit(commit);
    }
}

#[test]
fn an_append_over_the_edge_of_a_page_writes_each_page_once() {
    let (mut log, _) = Log::writer(2);
    log.append((0..8190).map(|_| Bytes::new()));
    let commit = plan(&log, (0..5).map(|_| Bytes::from_static(b"x")));
    assert_crash_order(commit.batch());
    assert_eq!(writes(commit.batch(), File::Bitfield), 2);
    log.commit(commit);
    assert_eq!(log.has().len(), 8195);
}

#[test]
fn puts_are_in_crash_order_and_neighbours_are_written_together() {
    let author = Log::author(3, 64);
    let (mut reader, _) = Log::reader(author.feed.key());
    let commit = puts(&reader, &author, 0..32);
    assert_crash_order(commit.batch());
    assert_eq!(writes(commit.batch(), File::Data), 1);
    // Everything below node 63 in one run; then what links it to the roots.
    assert!(
        writes(commit.batch(), File::Tree) <= 3,
        "{:?}",
        commit.batch()
    );
    assert_eq!(writes(commit.batch(), File::Bitfield), 1);
    reader.commit(commit);
    let commit = puts(&reader, &author, [63, 40, 41]);
    assert_crash_order(commit.batch());
    assert_eq!(writes(commit.batch(), File::Data), 2);
}

#[test]
fn a_commit_that_is_dropped_leaves_everything_as_it_was() {
    let mut author = Log::author(4, 9);
    let (mut reader, files) = Log::reader(author.feed.key());
    reader.fetch(&author, &mut RemoteTree::new(), 3, false);
    let (before, roots, has) = (contents(&files), reader.feed.roots().clone(), reader.has());
    drop(puts(&reader, &author, 0..9));
    assert!(contents(&files) == before);
    assert_eq!((reader.feed.roots(), reader.has()), (&roots, has));

    let hash = author.feed.roots().tree_hash();
    drop(plan(&author, [Bytes::from("never")]));
    drop(author.feed.plan_append(vec!["neither".into()]).unwrap());
    assert_eq!(
        (author.length(), author.feed.roots().tree_hash()),
        (9, hash)
    );
    author.append(["at last"]);
    assert_eq!(author.get(9).unwrap(), "at last");
}

/// The files after the first changes of a batch: what is left when the program is killed there.
fn cut(files: &MemoryFiles, batch: &Batch, ops: usize) -> MemoryFiles {
    let left = copy(files);
    FileSet::open(Box::new(left.clone()))
        .unwrap()
        .commit(&beginning(batch, ops))
        .unwrap();
    left
}

fn copy(files: &MemoryFiles) -> MemoryFiles {
    let copy = MemoryFiles::default();
    for (file, bytes) in File::ALL.into_iter().zip(contents(files)) {
        replace(&copy, file, &bytes);
    }
    copy
}

/// Every block that the log says it has can be read, and proved.
fn assert_whole(log: &Log, author: &Log) {
    for block in log.has() {
        assert_eq!(log.get(block), author.get(block));
        log.prove(block, false);
    }
}

#[test]
fn an_append_cut_off_anywhere_is_there_or_not_and_goes_on() {
    for length in [0, 1, 7, 8] {
        let (mut log, files) = Log::writer(5);
        for block in 0..length {
            log.append([made_up(5, block)]);
        }
        let commit = plan(&log, (length..length + 5).map(|block| made_up(5, block)));
        let whole = Log::author(5, length + 5);
        let ops = commit.batch().ops().len();
        for at in 0..=ops {
            let left = cut(&files, commit.batch(), at);
            let mut again = Log::open(left.clone(), seeded(5)).unwrap();
            // Once the signature is there, the bits can be made again.
            let expected = if at < ops - 3 { length } else { length + 5 };
            assert_eq!(again.length(), expected, "cut at {at}");
            assert_eq!(again.has(), Vec::from_iter(0..expected));
            assert_whole(&again, &whole);
            again.append(["next"]);
            drop(again);
            let again = Log::open(left, seeded(5)).unwrap();
            assert_eq!(again.get(expected).unwrap(), "next");
        }
    }
}

#[test]
fn a_put_cut_off_anywhere_is_there_or_not_and_goes_on() {
    let author = Log::author(6, 20);
    let (mut reader, files) = Log::reader(author.feed.key());
    reader.fetch(&author, &mut RemoteTree::new(), 11, false);
    let commit = puts(&reader, &author, [3, 4, 5, 19]);
    for at in 0..=commit.batch().ops().len() {
        let mut again = Log::reader_of(cut(&files, commit.batch(), at));
        assert_eq!(again.length(), 20);
        assert!(again.has().len() == 1 || again.has().len() == 5);
        assert_whole(&again, &author);
        let mut remote = RemoteTree::new();
        for block in (0..20)
            .filter(|block| !again.has().contains(block))
            .collect::<Vec<_>>()
        {
            again.fetch(&author, &mut remote, block, false);
        }
        assert_whole(&again, &author);
        assert_eq!(again.has().len(), 20);
    }
}

#[test]
fn a_creation_cut_off_anywhere_is_begun_anew_with_the_same_secret_key() {
    // The batch that creates a feed.
    let files = MemoryFiles::default();
    let set = FileSet::open(Box::new(files.clone())).unwrap();
    let mut step = Opening::new(seeded(7)).step(vec![]).unwrap();
    let batch = loop {
        step = match step {
            Step::Read { opening, reads } => opening.step(set.read(&reads).unwrap()).unwrap(),
            Step::Commit { batch, .. } => break batch,
            Step::Done(feed) => panic!("{feed:?}"),
        };
    };
    drop(set);
    // Who finds a key finds all else.
    let last = batch
        .ops()
        .iter()
        .rposition(|op| matches!(op, Op::Write { .. }))
        .unwrap();
    assert!(matches!(
        batch.ops()[last],
        Op::Write {
            file: File::Key,
            ..
        }
    ));
    assert_eq!(batch.ops()[last - 1], Op::Barrier);
    for at in 0..=batch.ops().len() {
        let left = cut(&files, &batch, at);
        let nothing = OpenOptions {
            create: false,
            ..seeded(8)
        };
        let found = Log::open(left.clone(), nothing);
        match at > last {
            true => assert!(found.unwrap().feed.is_writable()),
            false => assert_eq!(found.err(), Some(Error::NotFound)),
        }
        let secret = crate::world::bytes(&left, File::SecretKey);
        let mut log = Log::open(left.clone(), seeded(8)).unwrap();
        let expected = if secret.is_empty() { 8 } else { 7 };
        assert_eq!(
            log.feed.key(),
            crate::world::key_of(expected),
            "cut at {at}"
        );
        if !secret.is_empty() {
            assert_eq!(crate::world::bytes(&left, File::SecretKey), secret);
        }
        log.append(["x"]);
        drop(log);
        assert_eq!(Log::reader_of(left).get(0).unwrap(), "x");
    }
}

#[test]
fn an_empty_append_writes_nothing_and_tells_nothing() {
    let mut log = Log::author(9, 3);
    let commit = plan(&log, []);
    assert!(commit.batch().is_empty());
    assert!(log.commit(commit).is_empty());
    assert_eq!(log.length(), 3);
}

#[test]
fn events_tell_what_was_appended_and_what_arrived() {
    let (mut author, _) = Log::writer(10);
    let commit = plan(&author, ["a".into(), "bb".into()]);
    let expected = Event::Append {
        length: 2,
        blocks: 0..2,
    };
    assert_eq!(author.commit(commit), [expected]);
    let (mut reader, _) = Log::reader(author.feed.key());
    let commit = puts(&reader, &author, [1]);
    let expected = [
        Event::Grown { length: 2 },
        Event::Download { block: 1, len: 2 },
    ];
    assert_eq!(reader.commit(commit), expected);
    let commit = puts(&reader, &author, [1, 0]);
    assert_eq!(
        reader.commit(commit),
        [Event::Download { block: 0, len: 1 }]
    );
}

#[test]
fn blocks_that_fit_in_no_message_are_refused() {
    let (log, _) = Log::writer(11);
    let block = |len| vec![Bytes::new(), Bytes::from(vec![0; len])];
    assert!(log.feed.plan_append(block(MAX_BLOCK)).is_ok());
    let error = log.feed.plan_append(block(MAX_BLOCK + 1)).unwrap_err();
    let expected = Error::BlockTooLarge {
        len: MAX_BLOCK + 1,
        max: MAX_BLOCK,
    };
    assert_eq!(error, expected);
}

#[test]
fn a_signature_made_elsewhere_is_checked() {
    let (mut log, _) = Log::writer(12);
    let pair = log.feed.key_pair().unwrap().clone();
    let plan = || log.feed.plan_append(vec!["x".into()]).unwrap();
    let wrong = pair.sign(&log.feed.roots().signable(), crypto::Dialect::V8);
    assert!(matches!(
        plan().with_signature(wrong),
        Err(Error::Signature(_))
    ));
    // By a feed that isn't the plan's.
    let (other, _) = Log::writer(13);
    assert_eq!(
        plan().sign(&other.feed).unwrap_err(),
        Error::KeyPairMismatch
    );
    let right = pair.sign(plan().signable(), crypto::Dialect::V9);
    let commit = plan().with_signature(right).unwrap();
    log.commit(commit);
    assert_eq!(log.get(0).unwrap(), "x");
}

#[test]
fn proofs_of_different_lengths_in_one_batch_contradict_or_leave_the_longest() {
    let mut author = Log::author(14, 5);
    let old = author.prove(2, false);
    author.append((5..9).map(|block| made_up(14, block)));
    for (longest_first, policy) in [
        (false, ForkPolicy::Compat),
        (true, ForkPolicy::Compat),
        (false, ForkPolicy::Strict),
        (true, ForkPolicy::Strict),
    ] {
        let files = MemoryFiles::default();
        let options = OpenOptions {
            fork_policy: policy,
            ..with_key(author.feed.key())
        };
        let mut reader = Log::open(files.clone(), options).unwrap();
        let mut proofs = vec![old.clone(), author.prove(8, false)];
        if longest_first {
            proofs.reverse();
        }
        let puts = proofs.into_iter().map(|proof| {
            let value = Some(author.get(proof.block).unwrap());
            reader.accept(proof, value).unwrap()
        });
        let (commit, conflicts) = reader.feed.commit_puts(puts.collect());
        reader.commit(commit);
        if policy == ForkPolicy::Strict {
            // Which of the two came first is kept.
            assert_eq!(conflicts, [if longest_first { 2 } else { 8 }]);
            assert_eq!(reader.length(), if longest_first { 9 } else { 5 });
            continue;
        }
        assert!(conflicts.is_empty());
        assert_eq!(reader.feed.roots(), author.feed.roots());
        drop(reader);
        let again = Log::reader_of(files);
        assert_eq!((again.length(), again.has()), (9, vec![2, 8]));
    }
}

#[test]
fn an_empty_block_makes_the_file_that_javascript_reads_it_from() {
    let (mut author, _) = Log::writer(1);
    author.append(["", "a"]);
    let (copy, _) = Log::reader(author.feed.key());
    for (block, value) in [(0, Some(Bytes::new())), (0, None), (1, Some("a".into()))] {
        let proof = author.prove(block, value.is_none());
        let put = copy.accept(proof, value.clone()).unwrap();
        let commit = copy.feed.commit_puts(vec![put]).0;
        let data = commit.batch().ops().iter();
        let data = data.filter(|op| {
            matches!(
                op,
                Op::Write {
                    file: File::Data,
                    ..
                }
            )
        });
        assert_eq!(data.count(), usize::from(value.is_some()), "{value:?}");
    }
}

#[test]
fn an_empty_block_does_not_take_the_place_of_the_one_behind_it() {
    let (mut author, _) = Log::writer(15);
    author.append(["abc", "", "", "defgh", ""]);
    for order in [[1, 3, 2, 4, 0], [3, 2, 1, 0, 4], [4, 3, 2, 1, 0]] {
        let (mut reader, _) = Log::reader(author.feed.key());
        let commit = puts(&reader, &author, order);
        reader.commit(commit);
        assert_whole(&reader, &author);
        assert_eq!(reader.has().len(), 5);
    }
}
