//! `cargo xtask sweep`: the decoder against four others, in full. The tests of every day take samples of the same.

use crate::tools::{cargo, exists, run as run_command, target};
use crate::{Architecture, Done};

/// Runs it for one architecture, or for both one after the other.
pub(crate) fn run(arch: Option<Architecture>) -> Done {
    if !exists("objdump") {
        return Err("`objdump` is not installed: it comes with GNU binutils".into());
    }
    let archs = arch.map_or(vec![Architecture::Amd64, Architecture::Ia32], |one| vec![one]);
    for arch in archs {
        println!("{}: every byte string up to the length that decides", arch.name());
        let mut command = cargo(&["test", "--quiet", "--package", "tal-testkit", "--test", "decoder"]);
        // As fast as can be with overflow checks, in a place of its own: the settings differ.
        command.arg("--target-dir").arg(target().join("fuzz-build")).env("CARGO_PROFILE_DEV_OPT_LEVEL", "2");
        command.args(["--", "--ignored", "--nocapture", &format!("everything_on_{}", arch.name())]);
        run_command(&mut command)?;
    }
    Ok(())
}
