//! `talasm`: the typed assembler's command.

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    talasm::run::run(&talasm::cli::Cli::parse())
}
