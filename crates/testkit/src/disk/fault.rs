//! What a disk does badly while a program runs.

use std::io::ErrorKind;

use storage::File;

/// A kind of call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// A piece is read.
    Read,
    /// Bytes are written.
    Write,
    /// A file is cut, or a hole made.
    Truncate,
    /// A file is synced.
    Sync,
}

impl Call {
    /// All of them.
    pub const ALL: [Call; 4] = [Call::Read, Call::Write, Call::Truncate, Call::Sync];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Call::Read => "read",
            Call::Write => "write",
            Call::Truncate => "truncate",
            Call::Sync => "sync",
        }
    }
}

/// Something that goes wrong. Calls are counted from when the fault is told, all files together.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// The `nth` call of a kind fails (0: the next one), and no other.
    Once {
        /// The kind of call.
        call: Call,
        /// How many of them succeed before.
        nth: usize,
        /// What it fails with.
        kind: ErrorKind,
    },
    /// All calls of a kind on a file fail.
    Always {
        /// The kind of call.
        call: Call,
        /// The file.
        file: File,
        /// What they fail with.
        kind: ErrorKind,
    },
    /// So much of a write that fails gets through, if it is that long.
    Short(usize),
    /// All files together may have so many bytes; a write that needs more stops there.
    Room(usize),
}

#[derive(Default)]
pub(super) struct Faults {
    calls: [usize; 4],
    /// With the number of calls of their kind when they were told.
    told: Vec<(Fault, usize)>,
}

impl Faults {
    pub(super) fn add(&mut self, fault: Fault) {
        let since = match fault {
            Fault::Once { call, .. } => self.calls[call as usize],
            _ => 0,
        };
        self.told.push((fault, since));
    }

    pub(super) fn calls(&self, call: Call) -> usize {
        self.calls[call as usize]
    }

    /// Counts a call, and says what it fails with, if it does.
    pub(super) fn strike(&mut self, call: Call, file: File) -> Option<ErrorKind> {
        let count = self.calls[call as usize];
        self.calls[call as usize] += 1;
        self.told.iter().find_map(|(fault, since)| match *fault {
            Fault::Once { call: c, nth, kind } => {
                (c == call && since + nth == count).then_some(kind)
            }
            Fault::Always {
                call: c,
                file: f,
                kind,
            } => (c == call && f == file).then_some(kind),
            Fault::Short(_) | Fault::Room(_) => None,
        })
    }

    /// How much of a write that fails gets through.
    pub(super) fn through(&self, len: usize) -> usize {
        let short = self.told.iter().rev().find_map(|(fault, _)| match fault {
            Fault::Short(through) => Some(*through),
            _ => None,
        });
        short.unwrap_or(0).min(len)
    }

    pub(super) fn room(&self) -> Option<usize> {
        self.told.iter().rev().find_map(|(fault, _)| match fault {
            Fault::Room(room) => Some(*room),
            _ => None,
        })
    }
}
