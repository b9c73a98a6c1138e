//! Runs every target on stable: over its corpus, over what once broke it, and over inputs that a seed makes.
//!
//! `SEED=` makes other inputs, `FUZZ_SECONDS=` lets each target have as many as fit into so many seconds.

use std::{
    collections::BTreeSet,
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use fuzz::{Body, TARGETS};
use testkit::Rng;

/// How many inputs the seed makes for each target, unless that would take longer than this.
const INPUTS: u64 = 10_000;
const SECONDS: u64 = 3;
const MAX_LEN: u64 = 4096;

#[test]
fn every_target_holds_for_its_corpus_and_regressions() {
    for_each_target(|name, body| {
        for input in saved(name) {
            run(name, body, &input.bytes, &input.path.display().to_string())?;
        }
        Ok(())
    });
}

#[test]
fn every_target_holds_for_inputs_of_a_seed() {
    let seed = testkit::seed(1);
    let (seconds, max_inputs) = match std::env::var("FUZZ_SECONDS") {
        Ok(text) => (text.parse().expect("FUZZ_SECONDS is a number"), u64::MAX),
        Err(_) => (SECONDS, INPUTS),
    };
    for_each_target(|name, body| {
        let saved = saved(name);
        let mix = |hash: u64, byte| hash.wrapping_mul(31).wrapping_add(u64::from(byte));
        let mut rng = Rng::new(name.bytes().fold(seed, mix));
        let start = Instant::now();
        let mut count = 0;
        while start.elapsed() < Duration::from_secs(seconds) && count < max_inputs {
            let input = make(&mut rng, &saved);
            run(name, body, &input, &format!("input {count} of SEED={seed}"))?;
            count += 1;
        }
        println!("{name}: {count} inputs in {:?}", start.elapsed());
        Ok(())
    });
}

#[test]
fn every_target_has_a_corpus_a_file_and_a_section() {
    let names: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).into()).collect();
    assert_eq!(names.len(), TARGETS.len(), "a name stands twice");
    assert_eq!(entries("corpus"), names, "folders of corpus/");
    let files: BTreeSet<String> = names.iter().map(|name| format!("{name}.rs")).collect();
    assert_eq!(entries("fuzz_targets"), files, "files of fuzz_targets/");
    let regressions = entries("regressions");
    assert!(regressions.is_subset(&names), "folders of regressions/");
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    for (name, _) in TARGETS {
        let section = format!("[[bin]]\nname = \"{name}\"\npath = \"fuzz_targets/{name}.rs\"\n");
        assert!(manifest.contains(&section), "Cargo.toml lacks {name}");
        let corpus = root().join("corpus").join(name);
        assert!(
            fs::read_dir(corpus).unwrap().count() > 0,
            "{name} has no corpus"
        );
    }
}

/// Runs `each` for all targets, as many at once as there are processors, and reports all that fail.
fn for_each_target(each: impl Fn(&str, Body) -> Result<(), String> + Sync) {
    let (next, failures) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, |count| count.get()) {
            scope.spawn(|| {
                while let Some((name, body)) = TARGETS.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(failure) = each(name, *body) {
                        failures.lock().unwrap().push(failure);
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// One input; if it fails it is kept, to be looked at and to become a regression.
fn run(name: &str, body: Body, input: &[u8], what: &str) -> Result<(), String> {
    catch_unwind(AssertUnwindSafe(|| body(input))).map_err(|_| {
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("failed-{name}"));
        let kept = match fs::write(&file, input) {
            Ok(()) => format!("kept as {}", file.display()),
            Err(error) => format!("not kept: {error}"),
        };
        format!("{name} fails for {what}, {} bytes, {kept}", input.len())
    })
}

struct Saved {
    path: PathBuf,
    bytes: Vec<u8>,
}

/// What is in the folders of a target, in the order of names, so that a seed means the same everywhere.
fn saved(name: &str) -> Vec<Saved> {
    let folders = ["corpus", "regressions"].map(|folder| root().join(folder).join(name));
    let files = folders
        .iter()
        .filter_map(|folder| fs::read_dir(folder).ok());
    let mut paths: Vec<PathBuf> = files.flatten().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let read = |path: PathBuf| Saved {
        bytes: fs::read(&path).unwrap(),
        path,
    };
    paths.into_iter().map(read).collect()
}

/// Something random, or something saved with a few changes.
fn make(rng: &mut Rng, saved: &[Saved]) -> Vec<u8> {
    if saved.is_empty() || rng.one_in(4) {
        let max = 1 << rng.below(13);
        let len = rng.below(max) as usize;
        return rng.bytes(len);
    }
    let mut input = saved[rng.below(saved.len() as u64) as usize].bytes.clone();
    for _ in 0..1 + rng.below(8) {
        change(&mut input, rng, saved);
    }
    input.truncate(MAX_LEN as usize);
    input
}

fn change(input: &mut Vec<u8>, rng: &mut Rng, saved: &[Saved]) {
    let at = rng.below(input.len() as u64 + 1) as usize;
    let end = at + rng.below((input.len() - at) as u64 + 1).min(32) as usize;
    match rng.below(8) {
        0 => input.truncate(at),
        1 => drop(input.drain(at..end)),
        2 => {
            let piece = input[at..end].to_vec();
            input.splice(at..at, piece);
        }
        3 => {
            let len = rng.below(9) as usize;
            let piece = rng.bytes(len);
            input.splice(at..at, piece);
        }
        4 => {
            let other = &saved[rng.below(saved.len() as u64) as usize].bytes;
            let from = rng.below(other.len() as u64 + 1) as usize;
            input.splice(at.., other[from..].iter().copied());
        }
        5 => input[at..end].fill([0, 1, 127, 128, 255][rng.below(5) as usize]),
        _ if at < input.len() => input[at] ^= 1 << rng.below(8),
        _ => input.push(rng.next_u64() as u8),
    }
}

fn entries(folder: &str) -> BTreeSet<String> {
    let Ok(entries) = fs::read_dir(root().join(folder)) else {
        return BTreeSet::new();
    };
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
