//! `cargo xtask`: the one way to run anything in this workspace.
//!
//! Plain std and JSON, so that it is built in seconds before the first step starts.
#![allow(
    clippy::print_stdout,
    reason = "it is a program that tells what it does"
)]

mod bench;
mod browser;
mod crash;
mod demo;
mod examples;
mod files;
mod fuzz;
mod interop;
mod javascript;
mod large;
mod layers;
mod no_std;
mod parity;
mod process;
mod steps;
mod tidy;
mod vectors;
mod workspace;

use std::process::ExitCode;

/// Whatever stops a command: it is printed and nothing else is done with it.
type Failure = Box<dyn std::error::Error + Send + Sync>;
type Result<T = ()> = std::result::Result<T, Failure>;

const USAGE: &str = "\
cargo xtask COMMAND

  demo                  create a feed, append a file, serve it, clone it in a second process, compare
  test [STEP...]        everything that must hold, or some of it:
                        fmt tidy clippy docs tests examples alone no-std fuzz javascript vectors interop browser demo kill
                        large
  ci                    the same as test, under the name that CI systems look for
  interop [WORD...]     our program against JavaScript hypercore 8 and 9; only cases whose names have the words
  browser [--pictures FOLDER]
                        the page of `hypercore inspect` in a Chromium without a window
  crash [SEEDS]         every power cut on every operation of small feeds, and on lives that so many seeds make up (20)
  crash kill [COUNT]    so many processes killed while they append or clone (1000), and what the next one finds
  fuzz [TARGET] [--time SECONDS]
                        libFuzzer on one target for a minute, or on all for ten seconds each
  bench [CRATE] [-- ARGUMENTS]
                        the benches of one crate or of all; the arguments go to criterion
  bench --check         counts the instructions of the hot paths, and fails if one takes 5 % more than is recorded;
                        --record writes down what they take
  bench --peers [--scale 0.1] [--rounds 3] [--only WORKLOAD,...] [--also NAME=COMMAND]
                        our program beside JavaScript hypercore 8 and 9, as a table of ratios
  vectors [SEED]        makes the vectors again from JavaScript and compares; or another set, and runs the tests over that
  tidy                  arrows between crates, heads and sizes of files, what may stand where";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[&str]) -> Result {
    match arguments {
        [] | ["help" | "-h" | "--help"] => {
            println!("{USAGE}");
            Ok(())
        }
        ["demo"] => demo::run(),
        ["test" | "ci", steps @ ..] => steps::run(steps),
        ["interop", words @ ..] => interop::run(words),
        ["browser", rest @ ..] => browser::run(rest),
        ["crash", rest @ ..] => crash::run(rest),
        ["fuzz", rest @ ..] => fuzz::run(rest),
        ["bench", rest @ ..] => bench::run(rest),
        ["vectors", rest @ ..] => vectors::run(rest),
        ["tidy"] => tidy::run(),
        _ => Err(format!("`{}` is no command\n\n{USAGE}", arguments.join(" ")).into()),
    }
}
