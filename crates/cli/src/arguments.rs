//! What may be written on the command line.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};
use hypercore::{Dialect, DialectChoice};

use crate::{link::Link, units::parse_size};

const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    another failure
  2    the command line is wrong
  3    incomplete: some blocks are not here
  4    verification failed, or files are damaged
  5    no such feed or block
  6    nobody reachable, or the handshake failed
  7    the feed is locked by another process
  130  interrupted; what was stored stays";

/// A secure, distributed append-only log.
#[derive(Debug, Parser)]
#[command(name = "hypercore", version, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    /// Print JSON, one object a line, to standard output.
    #[arg(long, global = true)]
    pub(crate) json: bool,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a new feed and print its link.
    Create(Create),
    /// Append blocks: the texts given, files, or standard input.
    Append(Append),
    /// Print all blocks, one after the other.
    Cat(Place),
    /// Print single blocks.
    Get(Get),
    /// Print what is known of a feed.
    Info(Place),
    /// Check what is stored, and repair it if told to.
    Audit(Audit),
    /// Let others clone a feed.
    Serve(Serve),
    /// Fetch a feed from the peers that its link names.
    Clone(CloneFeed),
    /// Run one workload of a side-by-side benchmark.
    #[command(hide = true)]
    BenchPeer(BenchPeer),
}

#[derive(Debug, Args)]
pub(crate) struct BenchPeer {
    /// Which one.
    pub(crate) workload: String,

    /// Its settings: --name value ...
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) settings: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Place {
    /// The feed's directory.
    pub(crate) dir: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// The directory to make.
    pub(crate) dir: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Append {
    /// The feed's directory.
    pub(crate) dir: PathBuf,

    /// Texts to append, a block each. Without any, and without --file, standard input is appended.
    #[arg(conflicts_with_all = ["file", "lines"])]
    pub(crate) texts: Vec<String>,

    /// Append this file (may be given several times).
    #[arg(long, short)]
    pub(crate) file: Vec<PathBuf>,

    /// The size of the blocks that files and standard input are cut into: 64k, 1MiB, ...
    #[arg(long, short, value_parser = parse_size, default_value = "64k")]
    pub(crate) block: usize,

    /// Make a block of each line, without its line end.
    #[arg(long, short, conflicts_with = "block")]
    pub(crate) lines: bool,

    /// Which JavaScript version's form the signatures shall have. Both versions read those of 8.
    #[arg(long, value_enum, default_value = "8")]
    pub(crate) dialect: Form,
}

#[derive(Debug, Args)]
pub(crate) struct Get {
    /// The feed's directory.
    pub(crate) dir: PathBuf,

    /// The numbers of the blocks, counted from 0.
    #[arg(required = true)]
    pub(crate) blocks: Vec<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct Audit {
    /// The feed's directory.
    pub(crate) dir: PathBuf,

    /// Check the hashes against one another, the signatures, and the bitfield, too.
    #[arg(long)]
    pub(crate) deep: bool,

    /// Bring the feed back to the longest length that is proved, and forget blocks that are bad, so that they can be fetched
    /// again. With --deep the bitfield is made anew from all that is stored. What can't be proved is given up.
    #[arg(long)]
    pub(crate) repair: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The feed's directory.
    pub(crate) dir: PathBuf,

    /// The address to listen on. Port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    pub(crate) tcp: SocketAddr,

    /// Stop after the first connection has ended.
    #[arg(long)]
    pub(crate) once: bool,

    /// End each connection once the other side has everything, instead of passing on what is appended later.
    #[arg(long)]
    pub(crate) not_live: bool,

    /// Append each line of standard input while serving.
    #[arg(long, short)]
    pub(crate) lines: bool,

    /// How many connections there may be at a time.
    #[arg(long, value_name = "COUNT", default_value_t = 1024)]
    pub(crate) connections: usize,

    /// How many of them from one address. This machine itself isn't counted.
    #[arg(long, value_name = "COUNT", default_value_t = 32)]
    pub(crate) per_address: usize,

    /// The dialect to speak, and the form of signatures.
    #[arg(long, value_enum, default_value = "8")]
    pub(crate) dialect: Form,
}

#[derive(Debug, Args)]
pub(crate) struct CloneFeed {
    /// The link: hyper://KEY?peer=HOST:PORT, as `serve` prints it. A bare key will do with --peer.
    pub(crate) link: Link,

    /// The directory to clone to. Run again to go on where it stopped.
    pub(crate) dir: PathBuf,

    /// A peer to connect to, HOST:PORT, besides those in the link.
    #[arg(long)]
    pub(crate) peer: Vec<String>,

    /// Stay connected and fetch what is appended later.
    #[arg(long)]
    pub(crate) live: bool,

    /// With --live: stop once this many blocks are here.
    #[arg(long, requires = "live", value_name = "LENGTH")]
    pub(crate) until: Option<u64>,

    /// The dialect to speak.
    #[arg(long, value_enum, default_value = "auto")]
    pub(crate) dialect: Choice,
}

/// A form of signatures and handshakes.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Form {
    /// As JavaScript hypercore 8.
    #[value(name = "8")]
    V8,
    /// As JavaScript hypercore 9.
    #[value(name = "9")]
    V9,
}

/// The same, or whichever the other side speaks.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Choice {
    /// As JavaScript hypercore 8.
    #[value(name = "8")]
    V8,
    /// As JavaScript hypercore 9.
    #[value(name = "9")]
    V9,
    /// Whichever the other side speaks.
    Auto,
}

impl From<Form> for Dialect {
    fn from(form: Form) -> Self {
        match form {
            Form::V8 => Dialect::V8,
            Form::V9 => Dialect::V9,
        }
    }
}

impl From<Choice> for DialectChoice {
    fn from(choice: Choice) -> Self {
        match choice {
            Choice::V8 => DialectChoice::Fixed(Dialect::V8),
            Choice::V9 => DialectChoice::Fixed(Dialect::V9),
            Choice::Auto => DialectChoice::Auto,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
