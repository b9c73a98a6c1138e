//! Our program against living JavaScript: over TCP in both directions, and through directories that both write.
//!
//! Every case starts its own processes, gives each a time, and afterwards looks at both directories: length, byte length,
//! the hash over the roots, and every block byte for byte, as each side reads and verifies it.

mod bytes;
mod cases;
mod content;
mod histories;
mod large;
mod peers;
mod proxy;
mod puppet;
mod scenes;
mod sharing;
mod wrecks;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Instant,
};

use crate::{Result, javascript, workspace};

/// How many cases run at a time.
const WORKERS: usize = 3;

/// What every case needs.
struct World {
    /// Our program.
    program: PathBuf,
    /// The example of the facade that plays histories.
    history: PathBuf,
    /// The example of the log that leaves what a power cut has.
    wreck: PathBuf,
    /// The example of the facade that does what it is told.
    puppet: PathBuf,
    /// The folder with the scripts and their packages.
    scripts: PathBuf,
    contents: content::Contents,
    large: large::Large,
    /// Each case has a folder below it.
    folder: PathBuf,
}

/// One case: a name, and what it does in its folder.
struct Case {
    name: String,
    run: Box<Run>,
}

type Run = dyn Fn(&World, &Path) -> Result + Send + Sync;

/// Runs the cases whose names have all the words.
pub(crate) fn run(words: &[&str]) -> Result {
    let scripts = javascript::install()?;
    let folder = workspace::target()?.join(format!("interop/{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let world = World {
        program: workspace::program()?,
        history: workspace::example("history")?,
        wreck: workspace::example_of("hypercore-feed", "wreck")?,
        puppet: workspace::example("puppet")?,
        scripts,
        contents: content::Contents::write(&folder)?,
        large: large::Large::default(),
        folder,
    };
    let cases: Vec<Case> = cases::all()
        .into_iter()
        .chain(histories::all()?)
        .chain(wrecks::all()?)
        .chain(scenes::all())
        .chain(sharing::all())
        .chain(bytes::all())
        .filter(|case| words.iter().all(|word| case.name.contains(word)))
        .collect();
    if cases.is_empty() {
        return Err("no case has such a name".into());
    }
    let start = Instant::now();
    let failed = run_all(&world, &cases)?;
    let (count, seconds) = (cases.len(), start.elapsed().as_secs_f64());
    println!(
        "interop: {} of {count} cases hold, {seconds:.0} s",
        count - failed
    );
    if failed > 0 {
        return Err(format!("the files are in {}", world.folder.display()).into());
    }
    Ok(fs::remove_dir_all(&world.folder)?)
}

fn run_all(world: &World, cases: &[Case]) -> Result<usize> {
    let (next, failed, print) = (AtomicUsize::new(0), AtomicUsize::new(0), Mutex::new(()));
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(case) = cases.get(number) else { break };
                    let start = Instant::now();
                    let result = run_one(world, case, number);
                    let seconds = start.elapsed().as_secs_f64();
                    // Two failures at once shall not be mixed line by line.
                    let _lock = print.lock();
                    match result {
                        Ok(()) => println!("  holds  {seconds:5.1} s  {}", case.name),
                        Err(failure) => {
                            failed.fetch_add(1, Ordering::Relaxed);
                            println!("  FAILS  {seconds:5.1} s  {}\n{failure}", case.name);
                        }
                    }
                }
            });
        }
    });
    Ok(failed.into_inner())
}

fn run_one(world: &World, case: &Case, number: usize) -> Result {
    let folder = world.folder.join(number.to_string());
    fs::create_dir(&folder)?;
    (case.run)(world, &folder)?;
    Ok(fs::remove_dir_all(folder)?)
}
