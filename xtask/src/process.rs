//! A program that runs beside us and tells in lines of JSON what it does. It is given a time, and killed when that is over
//! or when nobody needs it any more.

use std::{
    io::{BufRead, BufReader, Read, Write},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::Result;

/// How much of what a program complains about is kept.
const MAX_COMPLAINTS: u64 = 64 * 1024;

/// A program that is running.
pub(crate) struct Running {
    name: String,
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    complaints: Option<JoinHandle<String>>,
    deadline: Instant,
    last: String,
}

/// What was heard of a program until it was killed.
pub(crate) struct Killed {
    /// The lines that nobody waited for.
    pub(crate) lines: Vec<Value>,
    /// Whether it had ended before, and not well.
    pub(crate) failed: bool,
    pub(crate) complaints: String,
}

/// What is left of it.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    /// The lines that nobody waited for.
    pub(crate) lines: Vec<Value>,
    name: String,
    complaints: String,
}

impl Running {
    /// Starts a program under a name to call it by, for so long at most.
    pub(crate) fn start(name: &str, command: &mut Command, time: Duration) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot start {name}: {error}"))?;
        let (sender, lines) = channel();
        if let Some(out) = child.stdout.take() {
            thread::spawn(move || {
                for line in BufReader::new(out).lines().map_while(std::io::Result::ok) {
                    if sender.send(line).is_err() {
                        break;
                    }
                }
            });
        }
        let complaints = child.stderr.take().map(|mut err| {
            thread::spawn(move || {
                let mut text = Vec::new();
                let _ = err.by_ref().take(MAX_COMPLAINTS).read_to_end(&mut text);
                // The rest is read too, or the program would wait for it to be.
                let _ = std::io::copy(&mut err, &mut std::io::sink());
                String::from_utf8_lossy(&text).into_owned()
            })
        });
        Ok(Running {
            name: name.into(),
            input: child.stdin.take(),
            child,
            lines,
            complaints,
            deadline: Instant::now() + time,
            last: String::new(),
        })
    }

    /// Its number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next line of this type.
    pub(crate) fn wait_for(&mut self, kind: &str) -> Result<Value> {
        self.wait_until(kind, |line| line["type"] == kind)
    }

    /// The next line for which something holds; `what` says what, if it never comes.
    pub(crate) fn wait_until(
        &mut self,
        what: &str,
        holds: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        loop {
            match self.next_line()? {
                Some(line) if holds(&line) => return Ok(line),
                Some(_) => {}
                None => {
                    let complaints = self.complaints();
                    let (name, last) = (&self.name, &self.last);
                    return Err(format!(
                        "{name} ended before `{what}`\nlast line: {last}\n{complaints}"
                    )
                    .into());
                }
            }
        }
    }

    /// Writes a line to its standard input.
    pub(crate) fn say(&mut self, line: &[u8]) -> Result {
        let Some(input) = &mut self.input else {
            return Err(format!("{} has no input any more", self.name).into());
        };
        input.write_all(&[line, b"\n"].concat())?;
        Ok(input.flush()?)
    }

    /// Ends its standard input and waits for its own end.
    pub(crate) fn finish(mut self) -> Result<Ended> {
        self.input = None;
        let mut lines = Vec::new();
        while let Some(line) = self.next_line()? {
            lines.push(line);
        }
        let status = loop {
            match self.child.try_wait()? {
                Some(status) => break status,
                None if Instant::now() > self.deadline => return Err(self.too_long()),
                None => thread::sleep(Duration::from_millis(2)),
            }
        };
        Ok(Ended {
            status,
            lines,
            name: self.name.clone(),
            complaints: self.complaints(),
        })
    }

    /// Kills it, whatever it is doing.
    pub(crate) fn kill(mut self) -> Result<Killed> {
        let failed = |status: ExitStatus| !status.success();
        let failed = self.child.try_wait()?.is_some_and(failed);
        self.child.kill()?;
        self.child.wait()?;
        let mut lines = Vec::new();
        while let Some(line) = self.next_line()? {
            lines.push(line);
        }
        Ok(Killed {
            lines,
            failed,
            complaints: self.complaints(),
        })
    }

    fn next_line(&mut self) -> Result<Option<Value>> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        match self.lines.recv_timeout(left) {
            Ok(line) => {
                let value = serde_json::from_str(&line)
                    .map_err(|error| format!("{} printed no JSON: {error}: {line}", self.name))?;
                self.last = shorten(line);
                Ok(Some(value))
            }
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            Err(RecvTimeoutError::Timeout) => Err(self.too_long()),
        }
    }

    fn too_long(&mut self) -> crate::Failure {
        let _ = self.child.kill();
        let complaints = self.complaints();
        let (name, last) = (&self.name, &self.last);
        format!("{name} takes too long\nlast line: {last}\n{complaints}").into()
    }

    fn complaints(&mut self) -> String {
        let text = self.complaints.take().and_then(|thread| thread.join().ok());
        text.unwrap_or_default()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    /// An error unless it ended well.
    pub(crate) fn ok(self) -> Result<Self> {
        match self.status.success() {
            true => Ok(self),
            false => Err(self.failure("")),
        }
    }

    /// The last line of this type.
    pub(crate) fn line(&self, kind: &str) -> Result<&Value> {
        let line = self.lines.iter().rev().find(|line| line["type"] == kind);
        line.ok_or_else(|| self.failure(&format!("no line `{kind}`")))
    }

    fn failure(&self, what: &str) -> crate::Failure {
        let last = self.lines.last().map(Value::to_string);
        format!(
            "{}: {what}{}\nlast line: {}\n{}",
            self.name,
            self.status,
            shorten(last.unwrap_or_default()),
            self.complaints
        )
        .into()
    }
}

/// Lines that carry blocks are long.
fn shorten(line: String) -> String {
    match line.char_indices().nth(300) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line,
    }
}
