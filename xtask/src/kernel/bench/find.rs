//! `find` over a large tree.

use super::page::{self, saved};
use super::picture::{self, Chart};
use super::{Load, Native, Pairs, Spread, boot, calls_of, programs, publish, run_in, text_of, tree};
use crate::Done;
use crate::bench::trees;
use crate::kernel::image;
use crate::tools::{Tools, target};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// What is looked for.
const EXPRESSIONS: &[&[&str]] = &[
    &[],
    &["-name", "*.c"],
    &["-type", "f"],
    &["-size", "+0"],
    &["-type", "f", "-perm", "-200", "-mtime", "+1"],
    &["-printf", "%s %p\\n"],
];

/// Where, in the machine.
const ROOT: &str = "/tree";

/// What was measured with one expression: of a run from the start of the process to its end.
struct Row {
    expression: String,
    calls: f64,
    pairs: Pairs,
}

/// Measures, and writes the page.
pub(super) fn run(runs: usize) -> Done {
    let tools = Tools::build()?;
    let native = super::native(&tools, runs)?;
    let real = on_this_computer(&tools, runs)?;
    eprintln!("== instructions");
    let instructions = in_machine(&tools, runs, true)?;
    eprintln!("== time");
    let time = in_machine(&tools, runs, false)?;
    let text = page(&instructions, &time, &real, &native, runs)?;
    let group = |r: &Row| {
        let name = if r.expression.is_empty() { "(everything)" } else { &r.expression };
        Ok((name.to_string(), vec![r.pairs.user()?.median / 1e6, r.pairs.ring0()?.median / 1e6]))
    };
    let picture = picture::bars(&Chart {
        title: "Instructions of find over 50000 entries, in user mode and in ring 0",
        unit: "millions of instructions",
        digits: 1,
        series: picture::MODES,
        groups: instructions.iter().map(group).collect::<Result<_, String>>()?,
    });
    publish("kernel-find", &text, &picture)
}

fn in_machine(tools: &Tools, runs: usize, count: bool) -> Result<Vec<Row>, String> {
    let mut files = image::base()?;
    tree::archive(&mut files, Path::new(ROOT));
    let mut guest = boot(tools, files, &["find"], count)?;
    let both = [true, false].map(|user| text_of(&mut guest, user, &["/examples/find", ROOT]));
    let [user, ring0] = both;
    let (user, ring0) = (user?, ring0?);
    if user != ring0 || user.lines().count() != tree::ENTRIES + 1 {
        return Err("find does not print all entries of the tree in both modes".into());
    }
    let mut rows = Vec::new();
    for expression in EXPRESSIONS {
        let words = [&["/init", "1", "1", "/examples/find", ROOT], *expression].concat();
        let mut pairs = Pairs::default();
        // The first pair only warms up, and its calls are counted.
        let (_, in_user_mode) = calls_of(&mut guest, |g| run_in(g, true, &words))?;
        let (_, calls) = calls_of(&mut guest, |g| run_in(g, false, &words))?;
        if in_user_mode != 0 || calls == 0 {
            return Err(format!(
                "{in_user_mode} direct calls in user mode and {calls} in ring 0: not what is measured"
            ));
        }
        for _ in 0..runs {
            pairs.user.extend(run_in(&mut guest, true, &words)?);
            pairs.ring0.extend(run_in(&mut guest, false, &words)?);
        }
        let expression = expression.join(" ");
        eprintln!("   find {ROOT} {expression}");
        rows.push(Row { expression, calls: calls as f64, pairs });
    }
    guest.off().map_err(|t| t.text())?;
    Ok(rows)
}

/// A directory that is removed when this value goes.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// How long the same takes here, in user mode and in nanoseconds, for each expression.
fn on_this_computer(tools: &Tools, runs: usize) -> Result<Vec<Spread>, String> {
    let memory = Path::new("/dev/shm");
    let directory = if memory.is_dir() { memory.to_path_buf() } else { target() };
    let scratch = Scratch(directory.join(format!("tal-bench-{}", std::process::id())));
    let root = scratch.0.join("tree");
    trees::make(&root, tree::ENTRIES)?;
    let program = programs(tools, &["find"])?.remove(0);
    let once = |expression: &[&str]| -> Result<f64, String> {
        let start = Instant::now();
        let mut command = Command::new(&program);
        let status = command.arg(&root).args(expression).stdout(Stdio::null()).status();
        match status {
            Ok(status) if status.success() => Ok(start.elapsed().as_nanos() as f64),
            other => Err(format!("{}: {other:?}", program.display())),
        }
    };
    let all = |expression: &&[&str]| {
        let values: Result<Vec<f64>, String> = (0..=runs).map(|_| once(expression)).collect();
        Spread::of(values?.into_iter().skip(1).collect())
    };
    EXPRESSIONS.iter().map(all).collect()
}

fn page(
    instructions: &[Row],
    time: &[Row],
    real: &[Spread],
    native: &Native,
    runs: usize,
) -> Result<String, String> {
    let mut out = page::begin(
        "find in ring 0",
        "find",
        &format!(
            "The example [find](../examples/find/) walks over a made-up tree of {} entries in memory (tmpfs): directories, files, links. It is one verified file, run in turns in user mode and in ring 0, in one boot of one kernel; its output goes \
             to `/dev/null`. Measured is from the start of the process to its end. Both modes print the same, which is looked at \
             before.",
            tree::ENTRIES
        ),
        runs,
    );
    out.push_str(
        "![Millions of instructions of a run, in both modes](figures/kernel-find.svg)\n\n## Instructions\n\n",
    );
    out.push_str(page::COUNTED);
    out.push_str(
        "Millions of instructions of a run; system calls of a run; and what a run saves, for each call.\n\n",
    );
    table(&mut out, instructions, "millions of instructions", "instructions")?;
    page::time(&mut out, Load::now());
    out.push_str("Milliseconds of a run, and nanoseconds for each call.\n\n");
    table(&mut out, time, "ms", "ns")?;
    out.push_str(
        "\n## The original\n\n\
         Its authors reported that their `find`, written in their typed assembly language, took 14 % less time in kernel mode, on \
         an IA-32 processor of about 2003, on which they saw a `getpid` 36 times as fast by a call as by `sysenter` (Toshiyuki Maeda, \
         *Kernel Mode Linux*, Linux Journal, May 2003). It is a figure of another processor, kernel and file system. Besides, ours \
         asks the kernel less: where the kind of an entry is all that an expression needs, there is one call for many entries and \
         none for each, so there is little to save.\n",
    );
    page::on_real(&mut out, native);
    out.push_str(
        "So for each expression: how long the same file takes on this computer and its kernel, in user mode, over the same tree \
         in its memory; and what part of that the calls can save at most.\n\n\
         | expression | here, in user mode, ms | calls | saved at most |\n| --- | ---: | ---: | ---: |\n",
    );
    for (row, here) in instructions.iter().zip(real) {
        let most = 100.0 * row.calls * native.most_saved() / here.median.max(1.0);
        let here = page::digits(&here.scaled(1e-6), 1);
        let _ = writeln!(out, "| {} | {here} | {} | {most:.1} % |", shown(row), row.calls);
    }
    Ok(page::wrapped(&out))
}

fn shown(row: &Row) -> String {
    format!("`find {ROOT}{}{}`", if row.expression.is_empty() { "" } else { " " }, row.expression)
}

/// Values of runs in millions of what is saved for a call.
fn table(out: &mut String, rows: &[Row], unit: &str, small: &str) -> Done {
    let _ = writeln!(
        out,
        "| {unit} | system calls | user mode | ring 0 | saved | {small} saved for each call |\n\
         | --- | ---: | ---: | ---: | ---: | ---: |"
    );
    for row in rows {
        let (user, ring0) = (row.pairs.user()?, row.pairs.ring0()?);
        let each = (user.median - ring0.median) / row.calls.max(1.0);
        let (a, b) = (page::digits(&user.scaled(1e-6), 2), page::digits(&ring0.scaled(1e-6), 2));
        let _ = writeln!(
            out,
            "| {} | {} | {a} | {b} | {} | {each:.0} |",
            shown(row),
            row.calls,
            saved(&row.pairs)?
        );
    }
    Ok(())
}
