//! tallink against GNU ld.

use super::{Pairs, check, directory, heading, publish, timed};
use crate::examples::{self, Example};
use crate::tools::{self, Tools, exists};
use crate::{Architecture, Done};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Links the objects of a generated program with both, and then those of every example.
pub(crate) fn run(arch: Architecture, instructions: usize, runs: usize) -> Done {
    if !exists("ld") {
        return Err("GNU ld is not installed".into());
    }
    let tools = Tools::build()?;
    let generated = check::objects(&tools, arch, instructions)?;
    let mut all = vec![(format!("generated, {} objects", generated.len()), vec![generated])];
    let built = examples::build_for(&tools, arch.arch())?;
    let with_library =
        |e: &Example| e.own.iter().chain(&built.library).map(|m| m.object.clone()).collect::<Vec<_>>();
    let examples: Vec<_> = built.examples.iter().map(with_library).collect();
    all.push((format!("examples, {} programs", examples.len()), examples));
    let gate = directory()?.join("gate.o");
    tools::run(tools.tool("tallink").args(["-m", arch.formats().1]).arg("--gate-object").arg(&gate))?;

    let mut table = String::new();
    for (title, programs) in all {
        table.push_str(&(heading(&title, "tallink", "GNU ld") + "\n"));
        for (name, verify) in [("link", false), ("link and verify", true)] {
            let ours = || programs.iter().map(|p| tallink(&tools, p, verify)).sum();
            let theirs = || programs.iter().map(|p| gnu_ld(arch, p, &gate)).sum();
            table.push_str(&(Pairs::measure(runs, ours, theirs)?.row(name) + "\n"));
        }
    }
    publish("link", arch, &table)
}

/// The time of tallink, which always checks what it has made: without `verify` the time of that is taken off.
fn tallink(tools: &Tools, objects: &[PathBuf], verify: bool) -> Result<Duration, String> {
    let out = directory()?.join("linked-tallink");
    let mut command = tools.tool("tallink");
    command.args(["--gc-sections", "--stats"]).arg("-o").arg(out).args(objects);
    let start = Instant::now();
    let stats = tools::output(&mut command)?;
    let elapsed = start.elapsed();
    Ok(if verify { elapsed } else { elapsed.saturating_sub(phase(&stats, "check")?) })
}

fn gnu_ld(arch: Architecture, objects: &[PathBuf], gate: &Path) -> Result<Duration, String> {
    let mut command = Command::new("ld");
    command
        .args(["-m", arch.formats().1, "-static", "--gc-sections", "-o"])
        .arg(directory()?.join("linked-ld"));
    timed(command.args(objects).arg(gate))
}

/// The time of a phase in what `tallink --stats` prints.
fn phase(stats: &[u8], name: &str) -> Result<Duration, String> {
    let text = String::from_utf8_lossy(stats);
    let line = text.lines().find_map(|l| l.strip_prefix(name));
    let seconds = line.and_then(|l| l.split_whitespace().next()?.parse().ok());
    seconds.map(Duration::from_secs_f64).ok_or_else(|| format!("tallink --stats says nothing of `{name}`"))
}
