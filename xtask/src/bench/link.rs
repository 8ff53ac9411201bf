//! tallink against GNU ld.

use super::{Pairs, check, directory, heading, publish, timed};
use crate::Done;
use crate::tools::{self, Tools, exists};
use std::process::Command;
use std::time::{Duration, Instant};

/// Links the objects of a generated program with both.
pub(crate) fn run(instructions: usize, runs: usize) -> Done {
    if !exists("ld") {
        return Err("GNU ld is not installed".into());
    }
    let tools = Tools::build()?;
    let objects = check::objects(&tools, instructions)?;
    let directory = directory()?;
    let gate = directory.join("gate.o");
    tools::run(tools.tool("tallink").arg("--gate-object").arg(&gate))?;
    let ours = |recheck: bool| {
        let (binary, objects) = (tools.tool("tallink").get_program().to_owned(), objects.clone());
        let out = directory.join("linked-tallink");
        move || {
            let start = Instant::now();
            let mut c = Command::new(&binary);
            let stats = tools::output(c.arg("--stats").arg("-o").arg(&out).args(&objects))?;
            let elapsed = start.elapsed();
            // tallink always checks what it has made; here the time of that is taken off.
            Ok(if recheck { elapsed } else { elapsed.saturating_sub(phase(&stats, "check")?) })
        }
    };
    let theirs = || {
        let (objects, gate, out) = (objects.clone(), gate.clone(), directory.join("linked-ld"));
        timed(move || {
            let mut c = Command::new("ld");
            c.arg("-static").arg("-o").arg(&out).args(&objects).arg(&gate);
            c
        })
    };
    let mut table = heading(&format!("{} objects", objects.len()), "tallink", "GNU ld") + "\n";
    table.push_str(&(Pairs::measure(runs, ours(false), theirs())?.row("link") + "\n"));
    table.push_str(&(Pairs::measure(runs, ours(true), theirs())?.row("link and verify") + "\n"));
    publish("link", &table)
}

/// The time of a phase in what `tallink --stats` prints.
fn phase(stats: &[u8], name: &str) -> Result<Duration, String> {
    let text = String::from_utf8_lossy(stats);
    let line = text.lines().find_map(|l| l.strip_prefix(name));
    let seconds = line.and_then(|l| l.split_whitespace().next()?.parse().ok());
    seconds.map(Duration::from_secs_f64).ok_or_else(|| format!("tallink --stats says nothing of `{name}`"))
}
