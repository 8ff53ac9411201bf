//! `talcheck`: says whether a typed binary is safe.

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    talcheck::run(&talcheck::cli::Cli::parse())
}
