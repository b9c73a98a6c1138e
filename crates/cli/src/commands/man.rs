//! `hypercore man [DIR]`

use std::{fs, path::PathBuf};

use clap::Args;
use clap_mangen::Man as Page;
use serde_json::json;

use crate::{arguments, failure::Failure, output::Output};

#[derive(Debug, Args)]
pub(crate) struct Man {
    /// Write a page for the program and one for each command to this directory. Without it, the page of the program is printed.
    pub(crate) dir: Option<PathBuf>,
}

pub(super) fn run(arguments: &Man, output: &Output) -> Result<(), Failure> {
    let Some(dir) = &arguments.dir else {
        let mut page = Vec::new();
        Page::new(arguments::command()).render(&mut page)?;
        return match output.is_json() {
            true => {
                let text = String::from_utf8_lossy(&page);
                output.news("man", json!({ "page": text }), "")
            }
            false => output.data(&page),
        };
    };
    let cannot = |error| Failure::system(format_args!("cannot write to {}", dir.display()), error);
    fs::create_dir_all(dir).map_err(cannot)?;
    clap_mangen::generate_to(arguments::command(), dir).map_err(cannot)?;
    let name = dir.display().to_string();
    output.news(
        "written",
        json!({ "file": name }),
        format_args!("written  {name}/hypercore*.1"),
    )
}
