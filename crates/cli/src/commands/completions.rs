//! `hypercore completions SHELL`

use clap::Args;
use clap_complete::Shell;
use serde_json::json;

use crate::{arguments, failure::Failure, output::Output};

#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell.
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}

pub(super) fn run(arguments: &Completions, output: &Output) -> Result<(), Failure> {
    let mut script = Vec::new();
    let mut command = arguments::command();
    let name = command.get_name().to_owned();
    clap_complete::generate(arguments.shell, &mut command, name, &mut script);
    match output.is_json() {
        true => {
            let text = String::from_utf8_lossy(&script);
            let fields = json!({ "shell": arguments.shell.to_string(), "script": text });
            output.news("completions", fields, "")
        }
        false => output.data(&script),
    }
}
