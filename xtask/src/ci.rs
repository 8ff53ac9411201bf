//! `cargo xtask ci`: what must hold before a change lands.

use crate::tools::{self, cargo};
use crate::{Done, kernel, tidy};
use std::process::Command;

/// Runs the steps one after the other and stops at the first that fails. The tests come last, so that
/// their summary ends the output.
pub(crate) fn run() -> Done {
    step("format", &mut cargo(&["fmt", "--all", "--check"]))?;
    let clippy = ["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"];
    step("clippy", &mut cargo(&clippy))?;
    println!("== tidy");
    tidy::run()?;
    println!("== kernel");
    match kernel::available() {
        Ok(()) => kernel::test()?,
        Err(why) => println!("!! SKIPPED: the kernel is not tested, because of this:\n{why}"),
    }
    step("test", &mut cargo(&["test"]))
}

fn step(name: &str, command: &mut Command) -> Done {
    println!("== {name}");
    tools::run(command)
}
