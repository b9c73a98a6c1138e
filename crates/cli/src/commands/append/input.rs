//! Where blocks come from, read by a thread of its own: a keyboard may keep it waiting for ever, and Ctrl-C is heard meanwhile.

use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::{Path, PathBuf},
    thread,
};

use async_std::channel::{self, Receiver, Sender};
use bytes::Bytes;

use super::{archive, cut::Cut, follow};
use crate::failure::{Failure, refused_by_the_system};

/// As many pieces are read ahead, and so much is in one if it comes fast.
const AHEAD: usize = 4;
const PIECE_BYTES: usize = 256 * 1024;
const PIECE_BLOCKS: usize = 1024;

/// What comes from an input.
#[derive(Debug)]
pub(super) enum Piece {
    /// Blocks that came without a pause between them.
    Blocks(Vec<Bytes>),
    /// Nothing more for the moment.
    Idle,
    /// Something happened to the file.
    News(&'static str),
    /// It can't be read any further.
    Failed(Failure),
    /// Somebody pressed Ctrl-C.
    Interrupted,
}

/// An input that is being read.
pub(super) struct Input {
    name: String,
    pieces: Receiver<Piece>,
}

impl Input {
    /// Standard input, to its end.
    pub(super) fn standard(cut: Cut) -> Self {
        Input::new("standard input", move |pieces| {
            read(io::stdin(), cut, pieces)
        })
    }

    /// A file, to its end.
    pub(super) fn file(path: &Path, cut: Cut) -> Result<Self, Failure> {
        let name = path.display().to_string();
        let file = File::open(path).map_err(|error| unreadable(&name, error))?;
        Ok(Input::new(&name, move |pieces| read(file, cut, pieces)))
    }

    /// An archive of files and folders, made while it is read.
    pub(super) fn archive(paths: &[PathBuf], cut: Cut) -> Result<Self, Failure> {
        let paths = archive::Paths::find(paths)
            .map_err(|(path, error)| unreadable(&path.display().to_string(), error))?;
        Ok(Input::new("the archive", move |pieces| {
            paths.pack(|archive| read(archive, cut, pieces))
        }))
    }

    /// The lines of a file that grows. It never ends.
    pub(super) fn following(path: &Path, cut: Cut, from_end: bool) -> Result<Self, Failure> {
        let name = path.display().to_string();
        let follower = follow::Follower::open(path, cut, from_end);
        let mut follower = follower.map_err(|error| unreadable(&name, error))?;
        Ok(Input::new(&name, move |pieces| follower.follow(pieces)))
    }

    fn new(
        name: &str,
        read: impl FnOnce(&Sender<Piece>) -> io::Result<()> + Send + 'static,
    ) -> Self {
        let (sender, pieces) = channel::bounded(AHEAD);
        let named = name.to_owned();
        // It ends with the process, if it waits for a keyboard then.
        thread::spawn(move || {
            if let Err(error) = read(&sender) {
                let failed = Piece::Failed(unreadable(&named, error));
                // Nobody is left who wants to know.
                let _ = sender.send_blocking(failed);
            }
        });
        Input {
            name: name.to_owned(),
            pieces,
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// What comes next. None at the end.
    pub(super) async fn next(&self) -> Option<Piece> {
        self.pieces.recv().await.ok()
    }
}

/// Hands over blocks as they come: those of a fast input many at once, and those of a slow one without delay.
fn read(input: impl Read, cut: Cut, pieces: &Sender<Piece>) -> io::Result<()> {
    let mut input = BufReader::with_capacity(64 * 1024, input);
    let (mut blocks, mut bytes) = (Vec::new(), 0);
    loop {
        let next = cut.next(&mut input);
        let ended = !matches!(next, Ok(Some(_)));
        if let Ok(Some(block)) = &next {
            bytes += block.len();
            blocks.push(block.clone());
        }
        let full = bytes >= PIECE_BYTES || blocks.len() >= PIECE_BLOCKS;
        if !blocks.is_empty() && (ended || full || !cut.is_ready(input.buffer())) {
            bytes = 0;
            let piece = Piece::Blocks(std::mem::take(&mut blocks));
            if pieces.send_blocking(piece).is_err() {
                return Ok(());
            }
        }
        if ended {
            return next.map(|_| ());
        }
    }
}

fn unreadable(name: &str, error: io::Error) -> Failure {
    let hint = match error.kind() {
        io::ErrorKind::InvalidData => {
            Some("what came before it is appended; cut it in another way, such as --block 64k")
        }
        _ => refused_by_the_system(&error),
    };
    let failure = Failure::system(format_args!("cannot read {name}"), error);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}
