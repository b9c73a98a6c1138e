//! One fault at a time in the directory of a feed of twenty blocks: what opening says, what can still be read and served, that
//! nothing wrong ever is, and that nothing is lost in silence. `docs/durability.md` has the same table beside what JavaScript does.

mod damage;
mod table;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use hypercore_feed::{Error, OpenOptions};
use merkle::RemoteTree;
use storage::{Directory, File, FileSet};
use tempfile::TempDir;

use self::{damage::Place, table::FAULTS};
use crate::world::{Log, seeded};

/// How many blocks were appended, one by one.
const LENGTH: u64 = 20;

/// How many when the old backup was made.
const EARLIER: u64 = 10;

/// What becomes of a feed.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    /// Nothing is lost and nothing had to be done.
    Fine,
    /// Nothing is lost; opening has repaired something and says so.
    Repaired,
    /// Nothing is lost; reading meets the damage, and what was damaged is made again.
    Mended,
    /// Nothing is lost, and no read meets the damage; a deep audit finds it, and opening that makes everything anew repairs it.
    Audited,
    /// Reading these is an error, by which they are forgotten, and they can be fetched again.
    Lost(std::ops::Range<u64>),
    /// The same, and the report of the opening names them.
    Told(std::ops::Range<u64>),
    /// It is as it was when it had ten blocks. Nothing in the files that can be proved says that there were more.
    Earlier,
    /// Nothing is lost, but there is nobody to sign.
    ReadOnly,
    /// Refused, with every byte left as it was.
    Refused(Error),
    /// Refused by the system.
    Disk,
}

fn block(number: u64) -> Vec<u8> {
    format!("block {number} ")
        .repeat(1 + number as usize % 4)
        .into()
}

fn open(dir: &Path, options: OpenOptions) -> Log {
    Log::open(Directory::new(dir), options).unwrap()
}

/// The files of the feed as they were when it had ten blocks, and as they are now.
fn feed() -> (TempDir, PathBuf, PathBuf) {
    let temp = TempDir::new().unwrap();
    let (dir, old) = (temp.path().join("feed"), temp.path().join("old"));
    let mut log = open(&dir, seeded(60));
    for number in 0..LENGTH {
        if number == EARLIER {
            copy(&dir, &old);
        }
        log.append([block(number)]);
    }
    drop(log);
    (temp, dir, old)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for file in File::ALL {
        fs::copy(from.join(file.name()), to.join(file.name())).unwrap();
    }
}

fn snapshot(dir: &Path) -> Vec<Option<Vec<u8>>> {
    File::ALL
        .map(|file| fs::read(dir.join(file.name())).ok())
        .into()
}

/// Opens a directory, or says why not.
fn try_open(dir: &Path) -> Result<Result<Log, Error>, storage::Error> {
    FileSet::open(Box::new(Directory::new(dir)))?;
    let opened = std::panic::catch_unwind(|| Log::open(Directory::new(dir), seeded(61)));
    // The test's own driver panics on what the system refuses.
    opened.map_err(|_| storage::Error::Closed)
}

/// Opens what a fault has left, reads, mends, appends, serves all of it to somebody who has nothing, and opens it again.
fn outcome(dir: &Path, whole: &Log) -> Outcome {
    let before = snapshot(dir);
    let mut log = match try_open(dir) {
        Err(_) => return Outcome::Disk,
        Ok(Err(error)) => {
            assert!(snapshot(dir) == before, "{error}");
            return Outcome::Refused(error);
        }
        Ok(Ok(log)) => log,
    };
    let length = log.length();
    let report = log.feed.recovery().cloned();
    let marked = log.has();
    let unread: Vec<u64> = marked
        .iter()
        .copied()
        .filter(|number| match log.get(*number) {
            Ok(bytes) => {
                assert_eq!(bytes, block(*number), "wrong bytes");
                false
            }
            Err(error) => {
                assert!(error.is_damage(), "{error}");
                true
            }
        })
        .collect();
    let lost = match unread[..] {
        [] => Vec::new(),
        _ => log.mend(&unread).0,
    };
    if report.is_none() && unread.is_empty() && !log.audit(true).is_clean() {
        drop(log);
        let options = OpenOptions {
            rebuild: true,
            ..OpenOptions::default()
        };
        let log = open(dir, options);
        assert!(log.audit(true).is_clean());
        serve_all(&log, LENGTH);
        return Outcome::Audited;
    }
    let writable = log.feed.is_writable();
    if writable {
        log.append([b"more".as_slice()]);
    }
    serve_all(&log, length);
    for number in &lost {
        log.fetch(whole, &mut RemoteTree::new(), *number, false);
    }
    assert!(log.audit(true).is_clean());
    drop(log);
    let again = try_open(dir).unwrap().unwrap();
    assert_eq!(
        (again.length(), again.feed.recovery()),
        (length + u64::from(writable), None)
    );
    drop(again);

    let gone = report.as_ref().map(|report| report.lost.clone());
    let gone: Vec<u64> = gone.unwrap_or_default().iter().flatten().collect();
    let range = |blocks: &[u64]| blocks[0]..blocks[0] + blocks.len() as u64;
    match (&report, &lost[..], &gone[..], &unread[..]) {
        _ if length == EARLIER && lost.is_empty() && gone.is_empty() => Outcome::Earlier,
        _ if length != LENGTH => panic!("a length of {length}: {report:?}"),
        (_, lost @ [_, ..], [], _) => Outcome::Lost(range(lost)),
        (Some(_), [], gone @ [_, ..], _) => Outcome::Told(range(gone)),
        (None, [], [], [_, ..]) => Outcome::Mended,
        (None, [], [], []) if !writable => Outcome::ReadOnly,
        (None, [], [], []) => Outcome::Fine,
        (Some(_), [], [], []) => Outcome::Repaired,
        what => panic!("{what:?}"),
    }
}

/// Somebody who has nothing gets every block that is marked as stored, and the one that was appended.
fn serve_all(log: &Log, length: u64) {
    let (mut reader, _) = Log::reader(log.feed.key());
    let mut remote = RemoteTree::new();
    // The last one first: it brings the newest signature.
    for number in log.has().into_iter().rev() {
        reader.fetch(log, &mut remote, number, false);
    }
    for number in reader.has().into_iter().filter(|number| *number < length) {
        assert_eq!(reader.get(number).unwrap(), block(number));
    }
}

#[test]
fn each_single_fault_is_met_as_the_table_says() {
    let whole = {
        let mut log = Log::writer(60).0;
        (0..LENGTH).for_each(|number| log.append([block(number)]));
        log
    };
    let mut wrong = Vec::new();
    for fault in FAULTS {
        let (_temp, dir, old) = feed();
        (fault.inflict)(&Place {
            dir: &dir,
            old: &old,
        });
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| {}));
        let got = std::panic::catch_unwind(|| outcome(&dir, &whole));
        std::panic::set_hook(hook);
        let got = got.map_err(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            text.or(panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        });
        if got != Ok(fault.expected.clone()) {
            wrong.push(format!("{}: {got:?}, not {:?}", fault.name, fault.expected));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_faults_have_names_of_their_own_and_stand_in_the_docs() -> io::Result<()> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/durability.md");
    let docs = fs::read_to_string(docs)?;
    let mut names: Vec<&str> = FAULTS.iter().map(|fault| fault.name).collect();
    for name in &names {
        assert!(docs.contains(&format!("| {name} |")), "{name}");
    }
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), FAULTS.len());
    assert!(names.len() >= 99);
    Ok(())
}
