//! The two streams: data to standard output, everything else to standard error.

use std::{
    fmt,
    io::{self, Write},
};

use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::{
    failure::{Code, Failure},
    screen,
};

/// Where a command writes to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Output { json }
    }

    pub(crate) fn is_json(&self) -> bool {
        self.json
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

    /// A block: its bytes, or a line of JSON in which they travel as base64.
    pub(crate) fn block(&self, index: u64, block: &[u8]) -> Result<(), Failure> {
        match self.json {
            true => {
                let data = BASE64.encode(block);
                let fields = json!({ "index": index, "len": block.len(), "data": data });
                self.line("block", fields)
            }
            false => self.data(block),
        }
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
            }),
        }
    }

    pub(crate) fn failure(&self, failure: &Failure) {
        if self.json {
            let fields = json!({ "code": failure.code(), "message": failure.to_string() });
            let _ = self.line("error", fields);
        }
        screen::line(format_args!("error: {failure}"));
        if let Some(hint) = failure.next_step() {
            screen::line(format_args!("hint: {hint}"));
        }
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
