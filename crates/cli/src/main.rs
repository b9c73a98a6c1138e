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

use async_global_executor::GlobalExecutorConfig;

use crate::{
    arguments::{Arguments, Command},
    output::Output,
};

fn main() -> ExitCode {
    let arguments = Arguments::read();
    anstream::ColorChoice::from(arguments.common.color).write_global();
    let output = Output::new(&arguments.common);
    screen::show(output.progress());
    if matches!(arguments.command, Command::BenchPeer(_)) {
        // One connection has no use for a second thread: a block is fetched sooner than it is handed from one to another.
        let one = GlobalExecutorConfig::default().with_min_threads(1);
        async_global_executor::init_with_config(one.with_max_threads(1));
    }
    let command = commands::run(arguments.command, output);
    match async_std::task::block_on(interrupt::unless_interrupted(command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output.failure(&failure);
            failure.exit_code()
        }
    }
}
