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

    /// Something that the operating system refused, with what was tried.
    pub(crate) fn system(what: impl fmt::Display, error: io::Error) -> Self {
        Failure::from(error).of(what)
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
        let hint = refused_by_the_system(&error);
        Failure {
            hint: hint.map(Cow::Borrowed),
            ..Failure::new(Code::Other, error)
        }
    }
}

fn classify(error: &Error) -> (Code, Option<&'static str>) {
    let (code, hint) = match error {
        Error::Disk(error) => return disk(error),
        Error::Feed(error) => return feed(error),
        Error::NotLocal { .. } | Error::ByteNotLocal { .. } | Error::Unproven { .. } => {
            (Code::Incomplete, FETCH)
        }
        Error::Peer(PeerError::Verification { .. }) => (
            Code::Damaged,
            "the peer sent what the author never signed; nothing of it was stored",
        ),
        Error::Peer(PeerError::Fork { .. }) => (
            Code::Damaged,
            "the author has signed two histories; the one that was here first stays. Compare two copies with: hypercore diff A B",
        ),
        Error::Peer(PeerError::Protocol(ProtocolError::Handshake(_))) => (
            Code::Unreachable,
            "the other side may speak another dialect: try --dialect 8, 9 or auto",
        ),
        Error::Peer(_) | Error::Connection(_) => (
            Code::Unreachable,
            "run it again to go on where it stopped; `hypercore serve` must run on the other side",
        ),
        _ => return (Code::Other, None),
    };
    (code, Some(hint))
}

fn feed(error: &FeedError) -> (Code, Option<&'static str>) {
    let (code, hint) = match error {
        FeedError::NotFound => (Code::NotFound, "make one with: hypercore create DIR"),
        FeedError::OutOfRange { .. } | FeedError::BeyondEnd { .. } => (
            Code::NotFound,
            "see how long it is with: hypercore info DIR",
        ),
        FeedError::NotStored { .. }
        | FeedError::NoProof { .. }
        | FeedError::MissingRoots { .. } => (Code::Incomplete, FETCH),
        FeedError::NotWritable => (
            Code::Other,
            "only where the secret key is can it be appended to; bring it with: hypercore key import DIR FILE",
        ),
        FeedError::KeyMismatch { .. } => (Code::Other, "choose another directory"),
        FeedError::KeyPairMismatch => (Code::Other, "take the secret key of this feed"),
        FeedError::WriterBehind { .. } => (
            Code::Incomplete,
            "fetch them first, with: hypercore clone LINK DIR",
        ),
        FeedError::Signature(_) => (
            Code::Damaged,
            "see what else is wrong with: hypercore audit DIR --deep",
        ),
        error if error.is_damage() => (
            Code::Damaged,
            "the files are damaged; nothing was changed. See how badly with: hypercore audit DIR --deep; or clone the feed again into another directory",
        ),
        _ => return (Code::Other, None),
    };
    (code, Some(hint))
}

fn disk(error: &StorageError) -> (Code, Option<&'static str>) {
    match error {
        StorageError::Locked => (
            Code::Locked,
            Some("another process has it open; stop that one first"),
        ),
        StorageError::Io { source, .. } => (Code::Other, refused_by_the_system(source)),
        _ => (Code::Other, None),
    }
}

/// What to do if the operating system doesn't let us.
pub(crate) fn refused_by_the_system(error: &io::Error) -> Option<&'static str> {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            Some("make room and run it again; what was stored stays")
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            Some("choose a place where you may write, or change who may write there")
        }
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            Some("a file is in the way: name a directory")
        }
        io::ErrorKind::IsADirectory => Some("that is a directory: name a file"),
        io::ErrorKind::NotFound => Some("is the name spelled right?"),
        _ => None,
    }
}

const FETCH: &str = "fetch what is missing with: hypercore clone LINK DIR";

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
