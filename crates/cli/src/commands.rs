//! The commands, one file each.

pub(crate) mod append;
pub(crate) mod audit;
pub(crate) mod bench;
pub(crate) mod bench_peer;
pub(crate) mod cat;
pub(crate) mod clone;
pub(crate) mod completions;
pub(crate) mod create;
pub(crate) mod diff;
pub(crate) mod doctor;
pub(crate) mod get;
pub(crate) mod info;
pub(crate) mod inspect;
pub(crate) mod key;
pub(crate) mod ls;
pub(crate) mod man;
pub(crate) mod peers;
pub(crate) mod proof;
pub(crate) mod seek;
pub(crate) mod serve;
pub(crate) mod sync;
pub(crate) mod tail;
pub(crate) mod verify;

use std::path::Path;

use futures_lite::FutureExt;
use hypercore::{Dialect, Directory, File, Hypercore, Storage};

use crate::{arguments::Command, failure::Failure, output::Output};

/// Runs a command to its end.
pub(crate) async fn run(command: Command, output: Output) -> Result<(), Failure> {
    let output = &output;
    // In a box, since no command needs the room that the largest one does.
    let command = match command {
        Command::Create(arguments) => create::run(arguments, output).boxed(),
        Command::Append(arguments) => append::run(arguments, output).boxed(),
        Command::Cat(arguments) => cat::run(arguments, output).boxed(),
        Command::Get(arguments) => get::run(arguments, output).boxed(),
        Command::Tail(arguments) => tail::run(arguments, output).boxed(),
        Command::Ls(arguments) => ls::run(arguments, output).boxed(),
        Command::Seek(arguments) => seek::run(arguments, output).boxed(),
        Command::Info(arguments) => info::run(arguments, output).boxed(),
        Command::Audit(arguments) => audit::run(arguments, output).boxed(),
        Command::Verify(arguments) => verify::run(arguments, output).boxed(),
        Command::Serve(arguments) => serve::run(arguments, output).boxed(),
        Command::Inspect(arguments) => inspect::run(arguments, output).boxed(),
        Command::Clone(arguments) => clone::run(arguments, output).boxed(),
        Command::Proof(arguments) => proof::run(arguments, output).boxed(),
        Command::Diff(arguments) => diff::run(arguments, output).boxed(),
        Command::Completions(arguments) => return completions::run(&arguments, output),
        Command::Man(arguments) => return man::run(&arguments, output),
        Command::Sync(arguments) => sync::run(arguments, output).boxed(),
        Command::Peers(arguments) => peers::run(arguments, output).boxed(),
        Command::Doctor(arguments) => doctor::run(arguments, output).boxed(),
        Command::Key(arguments) => key::run(arguments, output).boxed(),
        Command::Bench(arguments) => bench::run(arguments, output).boxed(),
    };
    command.await
}

/// Where the files of a feed are, if its secret key may be elsewhere.
fn storage(dir: &Path, secret_at: Option<&Path>) -> Storage {
    match secret_at {
        Some(file) => Storage::custom(Directory::new(dir).place(File::SecretKey, file)),
        None => Storage::directory(dir),
    }
}

/// Opens a feed that must be there.
async fn open(dir: &Path, dialect: Dialect) -> Result<Hypercore, Failure> {
    Hypercore::builder(dir)
        .create_if_missing(false)
        .dialect(dialect)
        .open()
        .await
        .map_err(|error| Failure::at(dir, error))
}

/// Opens a feed that must be there, and lets it fetch nothing but what is asked for.
pub(crate) async fn open_sparse(dir: &Path) -> Result<Hypercore, Failure> {
    Hypercore::builder(dir)
        .create_if_missing(false)
        .sparse(true)
        .open()
        .await
        .map_err(|error| Failure::at(dir, error))
}

/// Closes a feed whose command is done.
pub(crate) async fn close(dir: &Path, feed: &Hypercore) -> Result<(), Failure> {
    feed.close().await.map_err(|error| Failure::at(dir, error))
}
