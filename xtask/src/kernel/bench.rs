//! `cargo xtask bench kernel`: ring 0 against user mode, on one kernel, in one boot.
//!
//! The same program runs in both modes in turns. The clock is that of the kernel itself. In a machine whose clock
//! counts instructions the results are exact numbers of instructions; in another one they are the time of an emulated
//! processor, on which a change of privilege costs much less than on a real one.

mod calls;
mod echod;
mod find;
mod iozone;
pub(crate) mod page;
mod picture;
mod tree;

use super::Options;
use super::cpio::Archive;
use super::guest::Guest;
use super::machine::Accel;
use super::test::outcome;
use crate::tools::{self, Tools, output, root};
use crate::{Done, examples};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A program that runs in both modes.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Experiment {
    /// `find` over a large tree in memory
    Find,
    /// `echod` and `echo-bench`, in all combinations of modes
    Echod,
    /// `file-bench`: files that are written, written again, read and read again
    Iozone,
}

/// Measures, prints, and writes a page and a picture of the documentation: of system calls, or of a program.
pub(crate) fn run(what: Option<Experiment>, runs: usize) -> Done {
    match what {
        None => calls::run(runs),
        Some(Experiment::Find) => find::run(runs),
        Some(Experiment::Echod) => echod::run(runs),
        Some(Experiment::Iozone) => iozone::run(runs),
    }
}

/// Values of one measure, each for one operation, in nanoseconds or instructions.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    /// A quarter of the values is smaller.
    pub(crate) low: f64,
    /// A quarter of the values is larger.
    pub(crate) high: f64,
}

impl Spread {
    fn of(mut values: Vec<f64>) -> Result<Spread, String> {
        values.sort_by(f64::total_cmp);
        let at = |quarter: usize| values.get((values.len().max(1) - 1) * quarter / 4).copied();
        let all = (at(2), at(1), at(3));
        let (Some(median), Some(low), Some(high)) = all else { return Err("nothing was measured".into()) };
        Ok(Spread { median, low, high })
    }

    /// The same in another unit.
    fn scaled(&self, by: f64) -> Spread {
        Spread { median: self.median * by, low: self.low * by, high: self.high * by }
    }
}

/// What a real processor says, in nanoseconds: this computer's own kernel and its own system calls.
pub(crate) struct Native {
    pub(crate) null: Spread,
    pub(crate) call: Spread,
}

impl Native {
    /// Nanoseconds that ring 0 can save for each system call, at most.
    fn most_saved(&self) -> f64 {
        (self.null.median - self.call.median).max(0.0)
    }
}

/// What else ran on this computer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Load {
    /// Processes that wanted to run at a time, on average over the last minutes.
    pub(crate) running: f64,
    pub(crate) processors: usize,
}

impl Load {
    pub(crate) fn now() -> Option<Load> {
        let text = std::fs::read_to_string("/proc/loadavg").ok()?;
        // The averages over one minute, over five, and over fifteen.
        let running = text.split_whitespace().nth(1)?.parse().ok()?;
        Some(Load { running, processors: std::thread::available_parallelism().ok()?.get() })
    }

    /// What a page says if the computer did other things while it measured time.
    pub(crate) fn warning(self) -> Option<String> {
        (self.running > self.processors as f64).then(|| {
            format!(
                "**The computer was busy** when it measured: {:.0} processes wanted its {} processors, so all times on this \
                 page say little. Instructions do not depend on that.\n\n",
                self.running, self.processors
            )
        })
    }
}

/// Values of both modes, taken in turns.
#[derive(Clone, Debug, Default)]
struct Pairs {
    user: Vec<f64>,
    ring0: Vec<f64>,
}

impl Pairs {
    fn user(&self) -> Result<Spread, String> {
        Spread::of(self.user.clone())
    }

    fn ring0(&self) -> Result<Spread, String> {
        Spread::of(self.ring0.clone())
    }

    /// How much ring 0 saves of what user mode takes, in percent, pair by pair.
    fn saved(&self) -> Result<Spread, String> {
        let of = |(user, ring0): (&f64, &f64)| 100.0 * (1.0 - ring0 / user.max(1e-9));
        Spread::of(self.user.iter().zip(&self.ring0).map(of).collect())
    }

    /// How much more ring 0 does in the same time, in percent, pair by pair.
    fn gained(&self) -> Result<Spread, String> {
        let of = |(user, ring0): (&f64, &f64)| 100.0 * (user / ring0.max(1e-9) - 1.0);
        Spread::of(self.user.iter().zip(&self.ring0).map(of).collect())
    }
}

/// The processor on which programs are measured. QEMU counts an instruction for each step of `rep movsb`, so that
/// copying a page would count for 4096 of them. A kernel that does not know the processor to be fast at it copies eight
/// bytes in a step.
const PROCESSOR: &str = "max,erms=off,fsrm=off";

/// A machine with these files, and examples in `/examples`.
fn boot(tools: &Tools, mut files: Archive, names: &[&str], count: bool) -> Result<Guest, String> {
    let options =
        Options { accel: Accel::Tcg, cpu: PROCESSOR.into(), memory: 1024, count, ..Options::default() };
    let machine = options.machine()?;
    for path in programs(tools, names)? {
        let name = path.file_name().unwrap_or_default();
        files.file(&Path::new("/examples").join(name), 0o755, &read(&path)?);
    }
    Guest::boot(&machine, &files.finish()).map_err(|t| t.text())
}

/// Examples of these names, built.
fn programs(tools: &Tools, names: &[&str]) -> Result<Vec<PathBuf>, String> {
    let all = examples::build_all(tools)?;
    let of = |name: &&str| {
        let found = all.iter().find(|p| p.file_name().is_some_and(|n| n == *name));
        found.cloned().ok_or_else(|| format!("there is no example `{name}`"))
    };
    names.iter().map(of).collect()
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))
}

/// One of the kernel's counters.
fn counted(guest: &mut Guest, name: &str) -> u64 {
    guest.counters().into_iter().find(|c| c.0 == name).map_or(0, |c| c.1)
}

/// System calls that were calls of functions while something was done.
fn calls_of<T>(
    guest: &mut Guest,
    done: impl FnOnce(&mut Guest) -> Result<T, String>,
) -> Result<(T, u64), String> {
    let before = counted(guest, "direct_calls");
    let result = done(guest)?;
    Ok((result, counted(guest, "direct_calls") - before))
}

/// Numbers on lines.
fn numbers(text: &str) -> Vec<f64> {
    text.lines().filter_map(|l| l.trim().parse().ok()).collect()
}

/// Measures system calls and calls of functions on this computer, without a machine between.
fn native(tools: &Tools, runs: usize) -> Result<Native, String> {
    let program = calls::build(tools)?;
    Ok(Native { null: native_of(&program, "n", runs)?, call: native_of(&program, "c", runs)? })
}

fn native_of(program: &Path, letter: &str, runs: usize) -> Result<Spread, String> {
    const COUNT: u32 = 1_000_000;
    let mut c = Command::new(program);
    c.args([letter, &COUNT.to_string(), &(runs + 1).to_string()]);
    let values = numbers(&String::from_utf8_lossy(&output(&mut c)?));
    Spread::of(values.into_iter().skip(1).map(|v| v / f64::from(COUNT)).collect())
}

/// Runs a program of the guest, and returns the numbers that it prints, one on each line.
fn run_in(guest: &mut Guest, user: bool, words: &[&str]) -> Result<Vec<f64>, String> {
    text_of(guest, user, words).map(|text| numbers(&text))
}

/// Runs a program of the guest, which must succeed, and returns what it prints.
fn text_of(guest: &mut Guest, user: bool, words: &[&str]) -> Result<String, String> {
    match outcome(guest, user, words, b"") {
        Ok(done) if done.status == 0 => Ok(String::from_utf8_lossy(&done.output).into_owned()),
        Ok(done) => Err(format!(
            "{}: status {}: {}",
            words.join(" "),
            done.status,
            String::from_utf8_lossy(&done.error)
        )),
        Err(Ok(failure)) => Err(format!("{}: {}\n{}", words.join(" "), failure.text, failure.log)),
        Err(Err(broken)) => Err(broken),
    }
}

/// Prints a page and writes it and its picture to the documentation.
fn publish(name: &str, text: &str, picture: &str) -> Done {
    print!("{text}");
    tools::write(&root().join(format!("docs/{name}.md")), text)?;
    tools::write(&root().join(format!("docs/figures/{name}.svg")), picture)?;
    println!("written to docs/{name}.md and docs/figures/{name}.svg");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spreads_are_quarters() {
        let s = Spread::of(vec![5.0, 1.0, 3.0, 2.0, 4.0]).unwrap();
        assert_eq!(s, Spread { median: 3.0, low: 2.0, high: 4.0 });
        assert!(Spread::of(Vec::new()).is_err());
        assert_eq!(s.scaled(0.5), Spread { median: 1.5, low: 1.0, high: 2.0 });
    }

    #[test]
    fn savings_are_of_pairs() {
        let pairs = Pairs { user: vec![100.0, 200.0, 400.0], ring0: vec![80.0, 160.0, 320.0] };
        let close = |a: f64, b: f64| (a - b).abs() < 1e-9;
        assert!(close(pairs.saved().unwrap().median, 20.0));
        assert!(close(pairs.gained().unwrap().median, 25.0));
    }
}
