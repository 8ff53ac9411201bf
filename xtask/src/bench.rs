//! `cargo xtask bench`: ratios from paired runs.
//!
//! Each pair runs one side right after the other, so that both meet the same machine; the ratio is
//! the median of the pairs' ratios. Nothing here passes or fails by time.

mod asm;
mod check;
pub(crate) mod echod;
pub(crate) mod figures;
mod find;
mod gas;
pub(crate) mod growth;
mod link;
mod malloc;
mod program;
mod programs;
mod size;
pub(crate) mod trees;

use crate::kernel::bench::{Experiment, Load, page};
use crate::tools::{self, cargo, exists, target};
use crate::{Architecture, Bench, Done};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Measures one thing and prints a table.
pub(crate) fn run(
    what: Bench,
    experiment: Option<Experiment>,
    arch: Architecture,
    instructions: usize,
    runs: usize,
) -> Done {
    if experiment.is_some() && what != Bench::Kernel {
        return Err("only `bench kernel` has programs to choose from".into());
    }
    // What the kernel's machine runs measures itself.
    if cfg!(debug_assertions) && what != Bench::Kernel {
        // An unoptimised build would measure itself.
        let name =
            clap::ValueEnum::to_possible_value(&what).map_or_else(String::new, |v| v.get_name().into());
        let (instructions, runs) = (instructions.to_string(), runs.to_string());
        let args = ["run", "--release", "--quiet", "--package", "xtask", "--", "bench", &name];
        let options = ["--instructions", &instructions, "--runs", &runs, "--arch", arch.name()];
        return tools::run(cargo(&args).args(options));
    }
    match what {
        Bench::Asm => asm::run(arch, instructions, runs),
        Bench::Check => check::run(arch, instructions, runs),
        Bench::Link => link::run(arch, instructions, runs),
        Bench::Echod => echod::run(arch, runs),
        Bench::Find => find::run(arch, runs),
        Bench::Malloc => malloc::run(arch, runs),
        Bench::Programs => programs::run(arch, runs),
        Bench::Kernel => crate::kernel::bench::run(experiment, runs),
        Bench::Size => size::run(arch),
        Bench::Figures => figures::run(runs),
        Bench::Growth => Err("`bench growth` has options of its own".into()),
    }
}

/// Where generated programs lie.
fn directory() -> Result<PathBuf, String> {
    let path = target().join("bench");
    std::fs::create_dir_all(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(path)
}

/// The times of both sides, pair by pair.
struct Pairs {
    ours: Vec<Duration>,
    theirs: Vec<Duration>,
}

impl Pairs {
    /// Runs both sides so many times, in turns, after one run of each that does not count.
    fn measure(
        runs: usize,
        mut ours: impl FnMut() -> Result<Duration, String>,
        mut theirs: impl FnMut() -> Result<Duration, String>,
    ) -> Result<Pairs, String> {
        ours()?;
        theirs()?;
        let mut pairs = Pairs { ours: Vec::new(), theirs: Vec::new() };
        for _ in 0..runs {
            pairs.ours.push(ours()?);
            pairs.theirs.push(theirs()?);
        }
        Ok(pairs)
    }

    /// A row: the medians, and the median, least and largest of the ratios ours : theirs.
    fn row(&self, name: &str) -> String {
        let mut ratios: Vec<f64> = self
            .ours
            .iter()
            .zip(&self.theirs)
            .map(|(a, b)| a.as_secs_f64() / b.as_secs_f64().max(1e-9))
            .collect();
        ratios.sort_by(f64::total_cmp);
        let median = ratios.get(ratios.len() / 2).copied().unwrap_or(f64::NAN);
        let (low, high) =
            (ratios.first().copied().unwrap_or(median), ratios.last().copied().unwrap_or(median));
        let (a, b) = (milliseconds(&self.ours), milliseconds(&self.theirs));
        format!("{name:<28} {a:>10.1} ms {b:>10.1} ms {median:>8.2}x   ({low:.2}x to {high:.2}x)")
    }
}

/// The heading of a table of [`Pairs::row`]s.
fn heading(name: &str, ours: &str, theirs: &str) -> String {
    format!("{name:<28} {ours:>13} {theirs:>13} {:>9}", "ratio")
}

/// The median.
fn milliseconds(times: &[Duration]) -> f64 {
    let mut times = times.to_vec();
    times.sort();
    times.get(times.len() / 2).map_or(f64::NAN, |t| t.as_secs_f64() * 1e3)
}

/// The time of a command that must succeed.
fn timed(command: &mut Command) -> Result<Duration, String> {
    let start = std::time::Instant::now();
    tools::run(command)?;
    Ok(start.elapsed())
}

/// Compiles a program in C for comparison, for the architecture if there is a C library for it, and without a linker at its
/// start, as ours, if that is possible. Answers what the table says of that.
fn compile(arch: Architecture, source: &Path, program: &Path) -> Result<&'static str, String> {
    const OTHER: &str = "C is for AMD64: there is no C library of 32 bits on this machine.\n";
    let compiler = ["cc", "gcc", "clang"].into_iter().find(|c| exists(c));
    let compiler = compiler.ok_or("there is no C compiler: install cc to compare with C")?;
    let command = |options: &[&str]| {
        let mut command = Command::new(compiler);
        command.args(options).args(["-O2", "-o"]).arg(program).arg(source);
        command
    };
    let (first, last): (&[&[&str]], _) = match arch {
        Architecture::Amd64 => (&[], ""),
        Architecture::Ia32 => (&[&["-m32", "-static"], &["-m32"]], OTHER),
    };
    for (options, note) in first.iter().map(|o| (*o, "")).chain([(&["-static"][..], last)]) {
        // What it complains of is that there is no library: nobody needs to see it.
        if command(options).stderr(Stdio::null()).status().is_ok_and(|status| status.success()) {
            return Ok(note);
        }
    }
    tools::run(&mut command(&[])).map(|()| last)
}

/// Prints a table and keeps it in `target/bench`, that of IA-32 under a name of its own.
fn publish(name: &str, arch: Architecture, table: &str) -> Done {
    print!("{table}");
    let of = if arch == Architecture::Ia32 { "-ia32" } else { "" };
    let path = directory()?.join(format!("{name}{of}.txt"));
    tools::write(&path, table)?;
    written(&path)
}

/// Also writes the page of the documentation that shows the table, which is about AMD64.
fn publish_page(name: &str, arch: Architecture, title: &str, about: &str, table: &str) -> Done {
    publish(name, arch, table)?;
    if arch == Architecture::Ia32 {
        return Ok(());
    }
    let busy = Load::now().and_then(Load::warning).unwrap_or_default();
    let text = page::wrapped(&format!("{about}\n\n{busy}"));
    let path = tools::root().join(format!("docs/{name}-speed.md"));
    let by = format!("<!-- Written by `cargo xtask bench {name}`; do not edit. -->");
    tools::write(&path, format!("# {title}\n\n{by}\n\n{text}```text\n{table}```\n"))?;
    written(&path)
}

fn written(path: &Path) -> Done {
    println!("written to {}", path.strip_prefix(tools::root()).unwrap_or(path).display());
    Ok(())
}
