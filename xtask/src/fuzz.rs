//! `cargo xtask fuzz`: damages sources, objects and executables at random, makes programs up, runs single instructions
//! against the processor, and attacks the checker, for as long as one likes.

use crate::Done;
use crate::tools::{cargo, run as run_command, target};

/// How long a target is at it.
pub(crate) struct Long {
    pub(crate) seconds: Option<u64>,
    pub(crate) cases: Option<u64>,
}

/// As good as for ever.
const NO_END: u64 = u32::MAX as u64;

/// Runs one target, or all of them one after the other.
pub(crate) fn run(
    which: Option<&str>,
    long: &Long,
    seed: u64,
    round: Option<u64>,
    arch: Option<crate::Architecture>,
) -> Done {
    let targets = match which {
        Some(one) => vec![one],
        None => vec!["source", "object", "executable", "generated", "instructions", "soundness"],
    };
    for one in targets {
        let mut command = cargo(&["run", "--quiet", "--package", "tal-testkit", "--bin", "talfuzz"]);
        // As fast as can be with overflow checks, in a place of its own: the settings differ.
        command.arg("--target-dir").arg(target().join("fuzz-build")).env("CARGO_PROFILE_DEV_OPT_LEVEL", "2");
        command.arg("--").arg(one);
        let cases = long.cases.filter(|_| one == "soundness");
        let seconds = long.seconds.unwrap_or(if cases.is_some() { NO_END } else { 60 });
        match round {
            Some(round) => command.args(["round", &round.to_string()]),
            None => {
                match cases {
                    Some(cases) => println!("{one}: {cases} cases, seed {seed}"),
                    None => println!("{one}: {seconds} s, seed {seed}"),
                }
                if one == "soundness" {
                    command.arg(cases.unwrap_or(u64::MAX).to_string());
                }
                command.args([&seconds.to_string(), &seed.to_string()])
            }
        };
        command.args(arch.map(crate::Architecture::name));
        run_command(&mut command)?;
    }
    Ok(())
}
