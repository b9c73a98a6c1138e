//! What all commands have in common on the command line, and the page that lists them. The options of a command stand in its file.

use std::path::PathBuf;

use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use hypercore::{Dialect, DialectChoice};

use crate::commands::{
    append::Append, audit::Audit, bench_peer::BenchPeer, cat::Cat, clone::CloneFeed,
    create::Create, get::Get, serve::Serve, tail::Tail,
};

/// The commands that `hypercore --help` lists, in groups. clap knows no groups of subcommands.
const GROUPS: [(&str, &[&str]); 4] = [
    ("Write", &["create", "append"]),
    ("Read", &["get", "cat", "tail", "info"]),
    ("Share", &["serve", "clone"]),
    ("Trust", &["audit"]),
];

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
    /// Print all blocks, or a range of blocks or bytes.
    Cat(Cat),
    /// Print single blocks.
    Get(Get),
    /// Print the last blocks, and follow what is appended.
    Tail(Tail),
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
pub(crate) struct Place {
    /// The feed's directory.
    pub(crate) dir: PathBuf,
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

impl Arguments {
    /// Reads the command line. If it is wrong, or asks for help, this ends the process.
    pub(crate) fn read() -> Self {
        let matches: ArgMatches = command().get_matches();
        Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }
}

/// The program with all its commands, and its help in groups.
pub(crate) fn command() -> clap::Command {
    let mut command = Arguments::command();
    // So that the help command, which clap adds, is there.
    command.build();
    let template = format!(
        "{{about}}\n\n{{usage-heading}} {{usage}}\n\n{}\n\nOptions:\n{{options}}{{after-help}}",
        list(&command)
    );
    Arguments::command().help_template(template)
}

/// The commands in their groups, with what each does.
fn list(command: &clap::Command) -> String {
    let names = GROUPS.iter().flat_map(|(_, names)| names.iter());
    let width = names.map(|name| name.len()).max().unwrap_or_default();
    let mut groups = Vec::new();
    for (heading, names) in GROUPS {
        let mut group = format!("{heading}:");
        for name in names {
            let about = command
                .find_subcommand(name)
                .and_then(|found| found.get_about());
            let about = about.map(ToString::to_string).unwrap_or_default();
            group += &format!("\n  {name:width$}  {about}");
        }
        groups.push(group);
    }
    groups.join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn each_command_stands_in_one_group() {
        let mut listed: Vec<&str> = GROUPS
            .iter()
            .flat_map(|(_, names)| *names)
            .copied()
            .collect();
        let command = Arguments::command();
        let visible = command
            .get_subcommands()
            .filter(|command| !command.is_hide_set());
        let mut visible: Vec<&str> = visible.map(clap::Command::get_name).collect();
        listed.sort_unstable();
        visible.sort_unstable();
        assert_eq!(listed, visible);
    }
}
