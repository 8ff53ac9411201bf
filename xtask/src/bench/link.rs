//! tallink against GNU ld.

use super::{Pairs, check, directory, heading, publish, timed};
use crate::Done;
use crate::tools::{self, Tools, exists};
use std::process::Command;

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
        timed(move || {
            let mut c = Command::new(&binary);
            c.args((!recheck).then_some("--no-recheck")).arg("-o").arg(&out).args(&objects);
            c
        })
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
