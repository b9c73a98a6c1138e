//! The main job, end to end, as two processes do it: a file goes into a feed, the feed is served over TCP, another process
//! clones it block by verified block, and what comes out is compared with what went in.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use crate::{Result, process::Running, workspace};

/// How long each of the two processes may take.
const TIME: Duration = Duration::from_secs(120);

/// Prints each command before it runs it.
pub(crate) fn run() -> Result {
    let program = workspace::program()?;
    let folder = workspace::target()?.join(format!("demo/{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let result = job(&program, &folder);
    fs::remove_dir_all(&folder)?;
    result
}

fn job(program: &Path, folder: &Path) -> Result {
    let hypercore = |words: &[&str]| {
        println!("$ hypercore {}", words.join(" "));
        let mut command = Command::new(program);
        command.current_dir(folder).stdin(Stdio::null()).args(words);
        command
    };
    // A real file of some megabytes that every machine has by now: the program itself.
    fs::copy(program, folder.join("file"))?;
    workspace::run(&mut hypercore(&["create", "origin"]))?;
    workspace::run(&mut hypercore(&["append", "origin", "--file", "file"]))?;

    let start = Instant::now();
    let words = [
        "serve",
        "origin",
        "--tcp",
        "127.0.0.1:0",
        "--once",
        "--not-live",
        "--json",
    ];
    let mut serving = Running::start("serve", &mut hypercore(&words), TIME)?;
    let listening = serving.wait_for("listening")?;
    let link = listening["link"].as_str().unwrap_or_default();
    let words = ["clone", link, "copy", "--json"];
    let cloned = Running::start("clone", &mut hypercore(&words), TIME)?
        .finish()?
        .ok()?;
    let served = serving.finish()?.ok()?;
    let (summary, served) = (cloned.line("summary")?, served.line("disconnected")?);
    println!(
        "{} blocks, {} bytes in {:.2} s over a connection of {} bytes",
        summary["length"],
        summary["byte_length"],
        start.elapsed().as_secs_f64(),
        served["bytes_sent"],
    );

    let out = File::create(folder.join("out"))?;
    workspace::run(hypercore(&["cat", "copy"]).stdout(out))?;
    let (file, out) = (
        fs::read(folder.join("file"))?,
        fs::read(folder.join("out"))?,
    );
    if file != out {
        return Err("what came out is not what went in".into());
    }
    for feed in ["origin", "copy"] {
        workspace::run(&mut hypercore(&["info", feed]))?;
    }
    println!(
        "the {} bytes that came out are those that went in",
        out.len()
    );
    Ok(io::stdout().flush()?)
}
