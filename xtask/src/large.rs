//! A large file through the whole program: appended, served, cloned, compared, with an eye on the memory of each process.

use std::{
    fs::{self, File},
    io::{BufReader, BufWriter, Read, Write},
    path::Path,
    process::{Command, Stdio},
    thread::{self, JoinHandle},
    time::Duration,
};

use crate::{Result, process::Running, workspace};

const FILE: u64 = 256 << 20;

/// What each process may take at its peak, in KiB.
const MEMORY: u64 = 100 << 10;

/// How long each of them may take.
const TIME: Duration = Duration::from_secs(300);

pub(crate) fn run() -> Result {
    let program = workspace::program()?;
    let folder = workspace::target()?.join(format!("large/{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let result = job(&program, &folder);
    fs::remove_dir_all(&folder)?;
    result
}

fn job(program: &Path, folder: &Path) -> Result {
    let hypercore = |words: &[&str]| {
        let mut command = Command::new(program);
        command.current_dir(folder).stdin(Stdio::null()).args(words);
        command
    };
    write_noise(&folder.join("file"))?;
    workspace::run(&mut hypercore(&["create", "origin"]))?;
    let words = ["append", "origin", "--file", "file", "--json"];
    let appending = Running::start("append", &mut hypercore(&words), TIME)?;
    let memory = Peak::of(appending.id());
    appending.finish()?.ok()?;
    memory.check("append")?;

    let words = [
        "serve",
        "origin",
        "--once",
        "--tcp",
        "127.0.0.1:0",
        "--json",
    ];
    let mut serving = Running::start("serve", &mut hypercore(&words), TIME)?;
    let link = serving.wait_for("listening")?;
    let link = link["link"].as_str().unwrap_or_default();
    let words = ["clone", link, "copy", "--json"];
    let cloning = Running::start("clone", &mut hypercore(&words), TIME)?;
    let memory = [Peak::of(serving.id()), Peak::of(cloning.id())];
    cloning.finish()?.ok()?;
    serving.finish()?.ok()?;
    for (memory, name) in memory.into_iter().zip(["serve", "clone"]) {
        memory.check(name)?;
    }

    let out = File::create(folder.join("out"))?;
    workspace::run(hypercore(&["cat", "copy"]).stdout(out))?;
    match same(&folder.join("file"), &folder.join("out"))? {
        true => println!("{} MiB came out as they went in", FILE >> 20),
        false => return Err("what came out is not what went in".into()),
    }
    Ok(())
}

/// A file of bytes that no two pieces of which are alike.
fn write_noise(path: &Path) -> Result {
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let mut state = 1_u64;
    for _ in 0..FILE / 8 {
        // A step of SplitMix64.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        file.write_all(&(mixed ^ (mixed >> 27)).to_le_bytes())?;
    }
    Ok(file.flush()?)
}

fn same(a: &Path, b: &Path) -> Result<bool> {
    let open = |path| File::open(path).map(|file| BufReader::with_capacity(1 << 20, file));
    let (mut a, mut b) = (open(a)?, open(b)?);
    let (mut left, mut right) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    loop {
        let len = a.read(&mut left)?;
        if len == 0 {
            return Ok(b.read(&mut right)? == 0);
        }
        if b.read_exact(&mut right[..len]).is_err() || left[..len] != right[..len] {
            return Ok(false);
        }
    }
}

/// The most memory that a process has held, looked at until it ends. Only Linux tells.
struct Peak(JoinHandle<Option<u64>>);

impl Peak {
    fn of(process: u32) -> Self {
        Peak(thread::spawn(move || {
            let mut peak = None;
            while let Some(now) = high_water_mark(process) {
                peak = Some(now);
                thread::sleep(Duration::from_millis(5));
            }
            peak
        }))
    }

    fn check(self, name: &str) -> Result {
        match self.0.join().ok().flatten() {
            None => println!("{name}: this system doesn't tell how much memory it takes"),
            Some(peak) if peak > MEMORY => {
                return Err(
                    format!("{name} takes {peak} KiB, at most {MEMORY} are allowed").into(),
                );
            }
            Some(peak) => println!("{name}: {:.1} MiB of memory", peak as f64 / 1024.0),
        }
        Ok(())
    }
}

/// In KiB.
fn high_water_mark(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse().ok()
}
