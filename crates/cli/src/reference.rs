//! The part of docs/cli.md that lists commands and options, made from what clap knows of them.
//!
//! `UPDATE_DOCS=1 cargo nextest run -p hypercore-cli reference` writes it anew.

use std::{env, fs, path::Path};

use clap::{Arg, ArgAction, Command};

use crate::arguments;

const BEGIN: &str = "<!-- made from the program; see crates/cli/src/reference.rs -->\n";
const END: &str = "<!-- up to here -->\n";

#[test]
fn the_reference_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cli.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let made = [before, BEGIN, &reference(), END, after].concat();
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(path, made).unwrap();
        return;
    }
    assert_eq!(page, made, "write it anew with UPDATE_DOCS=1");
}

#[test]
fn each_option_is_explained_where_help_is_asked_for() {
    for mut command in commands() {
        let name = command.get_display_name().unwrap_or_default().to_owned();
        let help = command.render_long_help().to_string();
        for argument in command
            .get_arguments()
            .filter(|argument| !argument.is_hide_set())
        {
            let id = argument.get_id();
            let explained = argument
                .get_help()
                .is_some_and(|help| !help.to_string().is_empty());
            assert!(explained, "{name}: {id} says nothing of itself");
            let named = match argument.get_long() {
                Some(long) => help.contains(&format!("--{long}")),
                None => help.contains(&value_name(argument)),
            };
            assert!(named, "{name}: {id} isn't in its help");
        }
    }
}

/// All commands that are not hidden, each before those in it.
fn commands() -> Vec<Command> {
    let mut program = arguments::command();
    program.build();
    let mut found = Vec::new();
    collect(&program, &mut found);
    found
}

fn collect(command: &Command, found: &mut Vec<Command>) {
    for inner in command.get_subcommands() {
        if !inner.is_hide_set() && inner.get_name() != "help" {
            found.push(inner.clone());
            collect(inner, found);
        }
    }
}

fn reference() -> String {
    let mut text = String::new();
    for (heading, names) in arguments::GROUPS {
        text += &format!("\n### {heading}\n");
        for command in commands() {
            let name = command.get_display_name().unwrap_or_default();
            let words: Vec<_> = name.split('-').collect();
            if words.get(1).is_some_and(|word| names.contains(word)) {
                text += &section(&command);
            }
        }
    }
    let program = arguments::command();
    text += "\n### With every command\n\n";
    for argument in program
        .get_arguments()
        .filter(|argument| argument.is_global_set())
    {
        text += &line(argument);
    }
    text += "\n";
    text
}

fn section(command: &Command) -> String {
    let usage = command.clone().render_usage().to_string();
    let usage = usage
        .trim_start_matches("Usage: ")
        .replace("[OPTIONS] ", "");
    let usage = usage.replace("[OPTIONS]", "");
    let about = command.get_long_about().or_else(|| command.get_about());
    let mut text = format!("\n#### `{}`\n\n{}\n", usage.trim(), sentence(about));
    let mut lines = String::new();
    let own = |argument: &&Arg| {
        !argument.is_global_set() && argument.get_id() != "help" && !argument.is_hide_set()
    };
    for argument in command.get_arguments().filter(own) {
        lines += &line(argument);
    }
    if !lines.is_empty() {
        text += &format!("\n{lines}");
    }
    text
}

fn line(argument: &Arg) -> String {
    let takes_value = matches!(argument.get_action(), ArgAction::Set | ArgAction::Append);
    let mut name = match (argument.get_short(), argument.get_long()) {
        (Some(short), Some(long)) => format!("-{short}, --{long}"),
        (None, Some(long)) => format!("--{long}"),
        (Some(short), None) => format!("-{short}"),
        (None, None) => String::new(),
    };
    if takes_value {
        name = format!("{name} {}", value_name(argument));
    }
    let help = argument.get_long_help().or_else(|| argument.get_help());
    let mut text = format!("- `{}`: {}", name.trim(), sentence(help));
    let values: Vec<_> = argument.get_possible_values();
    let values: Vec<_> = values
        .iter()
        .filter(|value| !value.is_hide_set())
        .map(|value| value.get_name())
        .collect();
    if takes_value && !values.is_empty() {
        text += &format!(" One of {}.", quoted(&values));
    }
    let defaults: Vec<_> = argument
        .get_default_values()
        .iter()
        .filter_map(|value| value.to_str())
        .collect();
    if takes_value && !defaults.is_empty() {
        text += &format!(" Default: {}.", quoted(&defaults));
    }
    if let Some(variable) = argument.get_env().and_then(|name| name.to_str()) {
        text += &format!(" Environment: `{variable}`.");
    }
    text + "\n"
}

fn value_name(argument: &Arg) -> String {
    let names = argument.get_value_names().unwrap_or_default();
    let name = names.first().map(ToString::to_string).unwrap_or_default();
    match argument.get_long().is_none() && argument.get_short().is_none() {
        true => name,
        false => format!("<{name}>"),
    }
}

fn quoted(values: &[&str]) -> String {
    let values: Vec<_> = values.iter().map(|value| format!("`{value}`")).collect();
    values.join(", ")
}

/// What clap says without a full stop.
fn sentence(text: Option<&clap::builder::StyledStr>) -> String {
    let text = text.map(ToString::to_string).unwrap_or_default();
    let text = text.replace('\n', " ");
    match text.ends_with(['.', '?']) {
        true => text,
        false => text + ".",
    }
}
