//! `cargo xtask fuzz`: damages sources, objects and executables at random, makes programs up, and runs single
//! instructions against the processor, for as long as one likes.

use crate::Done;
use crate::tools::{cargo, run as run_command, target};

/// Runs one target, or all of them one after the other.
pub(crate) fn run(
    which: Option<&str>,
    seconds: u64,
    seed: u64,
    round: Option<u64>,
    arch: Option<crate::Architecture>,
) -> Done {
    let targets = match which {
        Some(one) => vec![one],
        None => vec!["source", "object", "executable", "generated", "instructions"],
    };
    for one in targets {
        let mut command = cargo(&["run", "--quiet", "--package", "tal-testkit", "--bin", "talfuzz"]);
        // As fast as can be with overflow checks, in a place of its own: the settings differ.
        command.arg("--target-dir").arg(target().join("fuzz-build")).env("CARGO_PROFILE_DEV_OPT_LEVEL", "2");
        command.arg("--").arg(one);
        match round {
            Some(round) => command.args(["round", &round.to_string()]),
            None => {
                println!("{one}: {seconds} s, seed {seed}");
                command.args([&seconds.to_string(), &seed.to_string()])
            }
        };
        command.args(arch.map(crate::Architecture::name));
        run_command(&mut command)?;
    }
    Ok(())
}
