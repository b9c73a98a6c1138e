//! Runs the program, and never waits for ever.

use std::{
    ffi::OsStr,
    io::{BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;
use testkit::Rng;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a run of the program left behind.
#[derive(Debug)]
pub(crate) struct Ran {
    /// `None` if a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Ran {
    /// The run, if it succeeded.
    #[track_caller]
    pub(crate) fn ok(self) -> Ran {
        self.exits(0)
    }

    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Ran {
        assert_eq!(self.code, Some(code), "{}", self.stderr);
        self
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap()
    }

    /// Standard output as lines of JSON, each with the version and a type.
    pub(crate) fn lines(&self) -> Vec<Value> {
        self.text().lines().map(parse).collect()
    }

    /// The one line of a type.
    #[track_caller]
    pub(crate) fn line(&self, kind: &str) -> Value {
        let mut lines = self.lines();
        lines.retain(|line| line["type"] == kind);
        assert_eq!(lines.len(), 1, "{kind}: {}", self.text());
        lines.remove(0)
    }
}

fn parse(line: &str) -> Value {
    let value: Value = serde_json::from_str(line).unwrap();
    assert_eq!(value["v"], 1, "{line}");
    assert!(value["type"].is_string(), "{line}");
    value
}

/// A process of the program that is running.
pub(crate) struct Running {
    child: Child,
    stdout: Option<Drain>,
    stderr: Option<Drain>,
}

/// Reads a stream to its end in the background, so that nobody waits for a full pipe.
struct Drain {
    bytes: Arc<Mutex<Vec<u8>>>,
    thread: JoinHandle<()>,
}

/// Starts the program with arguments.
pub(crate) fn start(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Running {
    let mut running = spawn(arguments);
    running.stdout = running.child.stdout.take().map(Drain::new);
    running
}

/// The same in a directory.
pub(crate) fn start_in(
    dir: &Path,
    arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
) -> Running {
    let mut running = spawn_in(dir, &[], arguments);
    running.stdout = running.child.stdout.take().map(Drain::new);
    running
}

fn spawn(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Running {
    spawn_in(Path::new("."), &[], arguments)
}

fn spawn_in(
    dir: &Path,
    environment: &[(&str, &str)],
    arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
) -> Running {
    let mut program = Command::new(env!("CARGO_BIN_EXE_hypercore"));
    program.current_dir(dir).envs(environment.iter().copied());
    spawn_command(program.args(arguments))
}

fn spawn_command(command: &mut Command) -> Running {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stderr = child.stderr.take().map(Drain::new);
    Running {
        child,
        stdout: None,
        stderr,
    }
}

impl Drain {
    fn new(mut from: impl Read + Send + 'static) -> Drain {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&bytes);
        let thread = thread::spawn(move || {
            let mut piece = [0; 4096];
            loop {
                match from.read(&mut piece).unwrap() {
                    0 => break,
                    len => into.lock().unwrap().extend_from_slice(&piece[..len]),
                }
            }
        });
        Drain { bytes, thread }
    }

    fn so_far(&self) -> Vec<u8> {
        self.bytes.lock().unwrap().clone()
    }

    fn finish(self) -> Vec<u8> {
        self.thread.join().unwrap();
        std::mem::take(&mut *self.bytes.lock().unwrap())
    }
}

/// Looks again and again until there is something to see.
#[track_caller]
pub(crate) fn wait_until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(start.elapsed() < PATIENCE, "waited in vain: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

impl Running {
    pub(crate) fn stdin(&mut self) -> ChildStdin {
        self.child.stdin.take().unwrap()
    }

    /// Ends it at once, in the middle of whatever it does.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// What it has told on standard error so far.
    pub(crate) fn told_so_far(&self) -> String {
        let bytes = self.stderr.as_ref().unwrap().so_far();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// What it has printed so far.
    pub(crate) fn output_so_far(&self) -> String {
        let bytes = self.stdout.as_ref().unwrap().so_far();
        String::from_utf8(bytes).unwrap()
    }

    /// The lines of JSON that it has printed so far.
    pub(crate) fn lines_so_far(&self) -> Vec<Value> {
        let bytes = self.stdout.as_ref().unwrap().so_far();
        let whole = bytes.iter().rposition(|&byte| byte == b'\n').unwrap_or(0);
        let text = std::str::from_utf8(&bytes[..whole]).unwrap();
        text.lines().map(parse).collect()
    }

    /// Presses Ctrl-C.
    #[cfg(unix)]
    pub(crate) fn interrupt(&self) {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args(["-INT", &pid]).status().unwrap();
        assert!(status.success());
    }

    /// The same, once something is seen.
    #[cfg(unix)]
    #[track_caller]
    pub(crate) fn interrupt_when(&self, mut seen: impl FnMut() -> bool) {
        wait_until("what is to be interrupted", || seen().then_some(()));
        self.interrupt();
    }

    /// Waits for a line of JSON of some type on standard output, by its number among those.
    #[track_caller]
    pub(crate) fn nth_line_of(&self, kind: &str, nth: usize) -> Value {
        wait_until(kind, || {
            let bytes = self.stdout.as_ref()?.so_far();
            let whole = bytes.iter().rposition(|&byte| byte == b'\n')?;
            let lines = std::str::from_utf8(&bytes[..whole]).unwrap().lines();
            lines
                .map(parse)
                .filter(|line| line["type"] == kind)
                .nth(nth)
        })
    }

    /// Waits for the first line on standard error that holds a text.
    #[track_caller]
    pub(crate) fn first_line_with(&self, text: &str) -> String {
        wait_until(text, || {
            let bytes = self.stderr.as_ref()?.so_far();
            let whole = bytes.iter().rposition(|&byte| byte == b'\n')?;
            let lines = std::str::from_utf8(&bytes[..whole]).unwrap();
            lines
                .lines()
                .find(|line| line.contains(text))
                .map(str::to_owned)
        })
    }

    /// Waits for the first line on standard output.
    #[track_caller]
    pub(crate) fn first_output_line(&self) -> String {
        wait_until("a line of output", || {
            let bytes = self.stdout.as_ref()?.so_far();
            let end = bytes.iter().position(|&byte| byte == b'\n')?;
            Some(std::str::from_utf8(&bytes[..end]).unwrap().to_owned())
        })
    }

    /// Waits for the end.
    #[track_caller]
    pub(crate) fn wait(mut self) -> Ran {
        drop(self.child.stdin.take());
        let status = wait_until("the end of the program", || self.child.try_wait().unwrap());
        let collect = |drain: Option<Drain>| drain.map(Drain::finish).unwrap_or_default();
        Ran {
            code: status.code(),
            stdout: collect(self.stdout.take()),
            stderr: String::from_utf8(collect(self.stderr.take())).unwrap(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Already gone, if it was waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs the program to its end, with nothing to read.
#[track_caller]
pub(crate) fn run(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Ran {
    start(arguments).wait()
}

/// The same, with variables in its environment.
#[track_caller]
pub(crate) fn run_in(
    environment: &[(&str, &str)],
    arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
) -> Ran {
    let mut running = spawn_in(Path::new("."), environment, arguments);
    running.stdout = running.child.stdout.take().map(Drain::new);
    running.wait()
}

/// Runs a line of the shell in which the program is called `$0` and the arguments `$@`.
#[cfg(unix)]
#[track_caller]
pub(crate) fn run_by_shell(
    line: &str,
    arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
) -> Ran {
    let mut shell = Command::new("sh");
    shell.args(["-c", line, env!("CARGO_BIN_EXE_hypercore")]);
    let mut running = spawn_command(shell.args(arguments));
    running.stdout = running.child.stdout.take().map(Drain::new);
    running.wait()
}

/// The same, with something to read on standard input.
#[track_caller]
pub(crate) fn run_with(
    input: &[u8],
    arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
) -> Ran {
    let mut running = start(arguments);
    running.stdin().write_all(input).unwrap();
    running.wait()
}

/// Starts the program, reads this many bytes of what it prints, and looks away.
#[track_caller]
pub(crate) fn run_and_look_away(
    bytes: usize,
    arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
) -> Ran {
    let mut running = spawn(arguments);
    let mut stdout = running.child.stdout.take().unwrap();
    stdout.read_exact(&mut vec![0; bytes]).unwrap();
    drop(stdout);
    running.wait()
}

/// A feed that is being served.
pub(crate) struct Served {
    pub(crate) running: Running,
    pub(crate) listening: Value,
}

impl Served {
    /// Serves a directory on a free port, with more arguments.
    #[track_caller]
    pub(crate) fn start(dir: &Path, more: &[&str]) -> Served {
        Served::start_at(dir, "127.0.0.1:0", more)
    }

    /// The same at an address.
    #[track_caller]
    pub(crate) fn start_at(dir: &Path, address: &str, more: &[&str]) -> Served {
        let dir = dir.to_str().unwrap();
        let mut arguments = vec!["--json", "serve", dir, "--tcp", address];
        arguments.extend(more);
        let mut running = spawn(arguments);
        let mut stdout = BufReader::new(running.child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        running.stdout = Some(Drain::new(stdout));
        let listening = parse(line.trim_end());
        assert_eq!(listening["type"], "listening");
        Served { running, listening }
    }

    pub(crate) fn link(&self) -> String {
        self.listening["link"].as_str().unwrap().to_owned()
    }
}

/// A directory for the feeds of one test.
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Place(tempfile::tempdir().unwrap())
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The same as text.
    pub(crate) fn path(&self, name: &str) -> String {
        self.at(name).to_str().unwrap().to_owned()
    }

    /// A new feed with a block of each text.
    #[track_caller]
    pub(crate) fn feed(&self, name: &str, texts: &[&str]) -> PathBuf {
        let dir = self.path(name);
        run(["create", &dir]).ok();
        if !texts.is_empty() {
            run(["append", &dir].iter().chain(texts)).ok();
        }
        self.at(name)
    }

    /// A new file of random bytes.
    pub(crate) fn file(&self, name: &str, len: usize) -> Vec<u8> {
        let bytes = Rng::new(len as u64).bytes(len);
        std::fs::write(self.at(name), &bytes).unwrap();
        bytes
    }
}
