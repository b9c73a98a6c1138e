//! What went wrong, as an exit code, a message, and a hint at the next step.

use std::{borrow::Cow, fmt, io, path::Path, process::ExitCode};

use hypercore::{Error, FeedError, PeerError, ProtocolError, StorageError};

/// Why a command failed.
#[derive(Debug)]
pub(crate) struct Failure {
    code: Code,
    message: String,
    hint: Option<Cow<'static, str>>,
}

/// The documented exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    Other = 1,
    Incomplete = 3,
    Damaged = 4,
    NotFound = 5,
    Unreachable = 6,
    Locked = 7,
    Interrupted = 130,
}

impl Failure {
    pub(crate) fn new(code: Code, message: impl fmt::Display) -> Self {
        Failure {
            code,
            message: message.to_string(),
            hint: None,
        }
    }

    /// Says what to do about it.
    pub(crate) fn hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// A failed call on the feed in a directory.
    pub(crate) fn at(dir: &Path, error: Error) -> Self {
        Failure::from(error).of(dir.display())
    }

    /// Says what it was that failed.
    pub(crate) fn of(self, what: impl fmt::Display) -> Self {
        Failure {
            message: format!("{what}: {}", self.message),
            ..self
        }
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code as u8)
    }

    pub(crate) fn code(&self) -> u8 {
        self.code as u8
    }

    pub(crate) fn next_step(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let (code, hint) = classify(&error);
        Failure {
            code,
            message: chain(&error),
            hint: hint.map(Cow::Borrowed),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::new(Code::Other, error)
    }
}

fn classify(error: &Error) -> (Code, Option<&'static str>) {
    match error {
        Error::Disk(StorageError::Locked) => (
            Code::Locked,
            Some("another process has it open; stop that one first"),
        ),
        Error::Feed(FeedError::NotFound) => {
            (Code::NotFound, Some("make one with: hypercore create DIR"))
        }
        Error::Feed(FeedError::NotWritable) => (
            Code::Other,
            Some("only the directory with the secret key can be appended to"),
        ),
        Error::Feed(FeedError::KeyMismatch { .. }) => {
            (Code::Other, Some("choose another directory"))
        }
        Error::Feed(error) if error.is_damage() => (
            Code::Damaged,
            Some(
                "the files are damaged; nothing was changed. Clone the feed again into another directory",
            ),
        ),
        Error::Peer(PeerError::Verification { .. }) => (
            Code::Damaged,
            Some("the peer sent what the author never signed; nothing of it was stored"),
        ),
        Error::Peer(PeerError::Protocol(ProtocolError::Handshake(_))) => (
            Code::Unreachable,
            Some("the other side may speak another dialect: try --dialect 8, 9 or auto"),
        ),
        Error::Peer(_) | Error::Connection(_) => (Code::Unreachable, None),
        _ => (Code::Other, None),
    }
}

/// The message of an error and those of its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
