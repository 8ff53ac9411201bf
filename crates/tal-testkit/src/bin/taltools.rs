//! All tools in one program, which is the one whose name it is started by: what the command lines in the error pages
//! run, so that tests of this crate do not depend on programs of others.

use clap::Parser;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let name = std::env::args_os().next().unwrap_or_default();
    match Path::new(&name).file_name().and_then(|n| n.to_str()) {
        Some("talasm") => talasm::run::run(&talasm::cli::Cli::parse()),
        Some("tallink") => tallink::cli::main(std::env::args_os()).into(),
        Some("talcheck") => talcheck::run(&talcheck::cli::Cli::parse()),
        _ => {
            eprintln!("a link to this program is named talasm, tallink or talcheck");
            ExitCode::from(2)
        }
    }
}
