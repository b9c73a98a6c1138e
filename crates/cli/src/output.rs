//! The two streams: data to standard output, everything else to standard error.

use std::{
    fmt,
    io::{self, Write},
};

use anstyle::{AnsiColor, Style};
use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::{
    arguments::{Common, When},
    failure::{Code, Failure},
    screen,
};

const ERROR: Style = AnsiColor::Red.on_default().bold();
const HINT: Style = AnsiColor::Cyan.on_default();

/// Where a command writes to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    json: bool,
    utf8: bool,
    progress: When,
}

impl Output {
    pub(crate) fn new(common: &Common) -> Self {
        Output {
            json: common.json,
            utf8: common.utf8,
            progress: common.progress,
        }
    }

    /// For programs to read, who know what comes.
    pub(crate) fn bare() -> Self {
        Output {
            json: false,
            utf8: false,
            progress: When::Never,
        }
    }

    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Whether to show progress. It never mixes with JSON.
    pub(crate) fn progress(&self) -> When {
        match self.json {
            true => When::Never,
            false => self.progress,
        }
    }

    /// A result: `human` as a line on standard output, or the object as a line of JSON.
    pub(crate) fn result(
        &self,
        kind: &str,
        fields: Value,
        human: impl fmt::Display,
    ) -> Result<(), Failure> {
        match self.json {
            true => self.line(kind, fields),
            false => self.data(format!("{human}\n").as_bytes()),
        }
    }

    /// Something worth knowing meanwhile: a line on standard error, or an object on standard output.
    pub(crate) fn news(
        &self,
        kind: &str,
        fields: Value,
        human: impl fmt::Display,
    ) -> Result<(), Failure> {
        if self.json {
            return self.line(kind, fields);
        }
        self.tell(human);
        Ok(())
    }

    /// A line for people only.
    pub(crate) fn tell(&self, human: impl fmt::Display) {
        if !self.json {
            screen::line(human);
        }
    }

    /// A block: as it is, or as an object, where binary data travels as base64.
    pub(crate) fn block(&self, index: u64, block: &[u8]) -> Result<(), Failure> {
        if !self.json {
            return self.data(block);
        }
        let text = std::str::from_utf8(block).ok().filter(|_| self.utf8);
        let fields = match text {
            Some(text) => json!({ "index": index, "len": block.len(), "text": text }),
            None => json!({ "index": index, "len": block.len(), "data": BASE64.encode(block) }),
        };
        self.line("block", fields)
    }

    /// Bytes of a feed.
    pub(crate) fn data(&self, bytes: &[u8]) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        match out.write_all(bytes).and_then(|()| out.flush()) {
            // `hypercore cat | head`: the reader has what it wanted.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
            written => written.map_err(|error| {
                Failure::new(
                    Code::Other,
                    format!("cannot write to standard output: {error}"),
                )
                .hint("is there room left where it goes to?")
            }),
        }
    }

    pub(crate) fn failure(&self, failure: &Failure) {
        if self.json {
            let fields = json!({
                "code": failure.code(),
                "message": failure.to_string(),
                "hint": failure.next_step(),
            });
            let _ = self.line("error", fields);
        }
        screen::line(format_args!("{ERROR}error:{ERROR:#} {failure}"));
        if let Some(hint) = failure.next_step() {
            screen::line(format_args!("{HINT}hint:{HINT:#} {hint}"));
        }
    }

    /// What standard output says in JSON of a command line that isn't understood.
    pub(crate) fn wrong_command_line(message: &str) {
        let output = Output {
            json: true,
            ..Output::bare()
        };
        let fields = json!({ "code": 2, "message": message, "hint": "see: hypercore --help" });
        let _ = output.line("error", fields);
    }

    /// One object a line: `v` is the version of this output, `type` tells what the line is.
    fn line(&self, kind: &str, fields: Value) -> Result<(), Failure> {
        let mut object = json!({ "v": 1, "type": kind });
        if let (Value::Object(object), Value::Object(fields)) = (&mut object, fields) {
            object.extend(fields);
        }
        self.data(format!("{object}\n").as_bytes())
    }
}
