//! What all commands have in common on the command line, and the page that lists them. The options of a command stand in its file.

use clap::{
    Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum, builder::FalseyValueParser,
};
use hypercore::{Dialect, DialectChoice};

use crate::{commands, output::Output};

/// The commands that `hypercore --help` lists, in groups. clap knows no groups of subcommands.
pub(crate) const GROUPS: [(&str, &[&str]); 6] = [
    ("Write", &["create", "append"]),
    ("Read", &["get", "cat", "tail", "ls", "seek", "info"]),
    ("Share", &["serve", "clone", "sync", "peers"]),
    ("Trust", &["audit", "verify", "proof", "diff"]),
    ("Keys", &["key"]),
    (
        "Help",
        &["doctor", "inspect", "bench", "completions", "man"],
    ),
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
    #[command(flatten)]
    pub(crate) common: Common,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What may be said of every command.
#[derive(Debug, Args)]
pub(crate) struct Common {
    /// Print JSON, one object a line.
    #[arg(long, global = true, env = "HYPERCORE_JSON", value_parser = FalseyValueParser::new(), hide_env = true)]
    pub(crate) json: bool,

    /// In JSON, give blocks as text if they are UTF-8.
    #[arg(long, global = true, env = "HYPERCORE_UTF8", value_parser = FalseyValueParser::new(), hide_env = true)]
    pub(crate) utf8: bool,

    /// Show progress on standard error: auto (on a terminal), always, never.
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "WHEN",
        default_value = "auto",
        env = "HYPERCORE_PROGRESS",
        hide_env = true,
        hide_possible_values = true,
        hide_default_value = true
    )]
    pub(crate) progress: When,

    /// Use colour: auto (on a terminal), always, never.
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "WHEN",
        default_value = "auto",
        env = "HYPERCORE_COLOR",
        hide_env = true,
        hide_possible_values = true,
        hide_default_value = true
    )]
    pub(crate) color: When,
}

/// When to do something that only people like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    Auto,
    Always,
    Never,
}

impl From<When> for anstream::ColorChoice {
    fn from(when: When) -> Self {
        match when {
            When::Auto => anstream::ColorChoice::Auto,
            When::Always => anstream::ColorChoice::Always,
            When::Never => anstream::ColorChoice::Never,
        }
    }
}

// The options of a command are put together only if it is called: for all of them it takes longer than some commands do.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum Command {
    /// Make a new feed and print its link.
    Create(commands::create::Create),
    /// Append blocks: the texts given, files, or standard input.
    Append(commands::append::Append),
    /// Print all blocks, or a range of blocks or bytes.
    Cat(commands::cat::Cat),
    /// Print single blocks.
    Get(commands::get::Get),
    /// Print the last blocks, and follow what is appended.
    Tail(commands::tail::Tail),
    /// List blocks: number, place, size, whether it is here, hash.
    Ls(commands::ls::Ls),
    /// Find the block that holds a byte.
    Seek(commands::seek::Seek),
    /// Print what is known of a feed.
    Info(commands::info::Info),
    /// Check what is stored, and repair it if told to.
    Audit(commands::audit::Audit),
    /// Check the author's signature over the tree.
    Verify(commands::verify::Verify),
    /// Let others clone a feed.
    Serve(commands::serve::Serve),
    /// Fetch a feed from the peers that its link names.
    Clone(commands::clone::CloneFeed),
    /// Write the proof of a block to a file, or check one.
    #[command(subcommand)]
    Proof(commands::proof::Proof),
    /// Compare two copies: which is longer, and do they tell one history?
    Diff(commands::diff::Diff),
    /// Show, export, import, or back up the keys of a feed.
    #[command(subcommand)]
    Key(commands::key::Key),
    /// Exchange a feed with the peers that are known, in both directions, and end.
    Sync(commands::sync::Sync),
    /// Call the peers that are known, and say how each is.
    Peers(commands::peers::Peers),
    /// Look for what may be wrong, and say what to do about it.
    Doctor(commands::doctor::Doctor),
    /// Draw a feed on a page of this machine: its tree, what is here, who is connected.
    Inspect(commands::inspect::Inspect),
    /// Print what makes a shell complete command lines.
    Completions(commands::completions::Completions),
    /// Print the manual page, or write one for each command.
    Man(commands::man::Man),
    /// Measure how fast feeds are on this machine, beside JavaScript if wanted.
    Bench(commands::bench::Bench),
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
        let read = command()
            .try_get_matches()
            .and_then(|matches| Arguments::from_arg_matches(&matches));
        read.unwrap_or_else(|error| refuse(&error))
    }
}

/// Ends the process because the command line is wrong, or because help was asked for.
fn refuse(error: &clap::Error) -> ! {
    let json = std::env::args_os().any(|argument| argument == "--json");
    if json && error.use_stderr() {
        let message = error.render().to_string();
        let first = message.lines().next().unwrap_or_default();
        let message = first.strip_prefix("error: ").unwrap_or(first);
        Output::wrong_command_line(message);
    }
    error.exit()
}

/// The program with all its commands, and its help in groups.
pub(crate) fn command() -> clap::Command {
    let command = Arguments::command();
    let template = format!(
        "{{about}}\n\n{{usage-heading}} {{usage}}\n\n{}\n\nOptions:\n{{options}}{{after-help}}",
        list(&command)
    );
    command.help_template(template)
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
