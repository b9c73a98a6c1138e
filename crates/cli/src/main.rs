//! The program `hypercore`: create, append to, serve and clone feeds.
//!
//! Data goes to standard output and nothing else does; what a person wants to know meanwhile goes to standard error.

mod arguments;
mod calls;
mod commands;
mod duplex;
mod failure;
mod http;
mod interrupt;
mod known_peers;
mod link;
mod output;
mod probe;
mod progress;
mod rate;
#[cfg(test)]
mod reference;
mod screen;
mod secret;
mod source;
mod span;
mod units;

use std::process::ExitCode;

use crate::{arguments::Arguments, commands::bench_peer, failure::Failure, output::Output};

fn main() -> ExitCode {
    if let Some(ended) = bench_peer::run_if_called(Output::bare()) {
        return exit(ended, Output::bare());
    }
    let arguments = Arguments::read();
    anstream::ColorChoice::from(arguments.common.color).write_global();
    let output = Output::new(&arguments.common);
    screen::show(output.progress());
    let command = commands::run(arguments.command, output);
    let ended = async_std::task::block_on(interrupt::unless_interrupted(command));
    exit(ended, output)
}

fn exit(ended: Result<(), Failure>, output: Output) -> ExitCode {
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output.failure(&failure);
            failure.exit_code()
        }
    }
}
