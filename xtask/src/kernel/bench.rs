//! `cargo xtask bench kernel`: ring 0 against user mode, on one kernel, in one boot.
//!
//! The same program runs in both modes in turns. It reads the clock of the kernel itself. In a machine whose clock
//! counts instructions the results are exact numbers of instructions; in another one they are the time of an emulated
//! processor, on which a change of privilege costs much less than on a real one.

mod page;
mod picture;

use super::guest::Guest;
use super::machine::Accel;
use super::test::{self, outcome};
use super::{Options, image};
use crate::Done;
use crate::examples;
use crate::tools::{self, Tools, output, root, target};
use std::path::PathBuf;
use std::process::Command;

/// Something that is measured.
struct Measure {
    /// The letter by which the program knows it.
    letter: &'static str,
    name: &'static str,
    /// How many in a round.
    count: u32,
}

const fn measure(letter: &'static str, name: &'static str, count: u32) -> Measure {
    Measure { letter, name, count }
}

const CALLS: &[Measure] = &[
    measure("n", "null call", 10_000),
    measure("g", "getpid", 10_000),
    measure("r", "read 1 byte of /dev/zero", 5000),
    measure("w", "write 1 byte to /dev/null", 5000),
    measure("s", "stat of /", 2000),
    measure("o", "open and close", 1000),
    measure("e", "select of nothing", 5000),
    measure("p", "1 byte through a pipe and back", 1000),
    measure("f", "fork, exit, wait", 100),
    measure("m", "page fault", 4000),
];

/// How often the letter `m` can measure in one process.
const FAULTS: &str = "m";

/// How many executions in a round.
const EXECUTIONS: u32 = 20;

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
}

/// A row of the results.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) user: Spread,
    pub(crate) ring0: Spread,
}

/// Executions of one small program.
pub(crate) struct Execs {
    /// Without notes, so never checked.
    pub(crate) unmarked: Spread,
    /// Verified, and known to the kernel.
    pub(crate) cached: Spread,
    /// Verified anew each time.
    pub(crate) checked: Spread,
}

/// What one machine measured.
pub(crate) struct Results {
    pub(crate) rows: Vec<Row>,
    pub(crate) execs: Execs,
}

/// What a real processor says, in nanoseconds: this computer's own kernel and its own system calls.
pub(crate) struct Native {
    pub(crate) null: Spread,
    pub(crate) call: Spread,
}

/// What else ran on this computer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Load {
    /// Processes that wanted to run at a time, on average over the last minutes.
    pub(crate) running: f64,
    pub(crate) processors: usize,
}

impl Load {
    fn now() -> Option<Load> {
        let text = std::fs::read_to_string("/proc/loadavg").ok()?;
        // The averages over one minute, over five, and over fifteen.
        let running = text.split_whitespace().nth(1)?.parse().ok()?;
        Some(Load { running, processors: std::thread::available_parallelism().ok()?.get() })
    }
}

/// Measures, prints, and writes the page and the picture of the documentation.
pub(crate) fn run(runs: usize) -> Done {
    let tools = Tools::build()?;
    let program = build(&tools)?;
    let small = examples::build_all(&tools)?.into_iter().find(|p| p.ends_with("hello"));
    let small = small.ok_or("there is no example `hello` to execute")?;
    let native = Native { null: native(&program, "n", runs)?, call: native(&program, "c", runs)? };
    eprintln!("== instructions");
    let instructions = in_machine(&program, &small, runs, true)?;
    eprintln!("== time");
    let time = in_machine(&program, &small, runs, false)?;
    let text = page::text(&instructions, &time, &native, runs, Load::now());
    print!("{text}");
    tools::write(&root().join("docs/kernel-speed.md"), text)?;
    tools::write(&root().join("docs/figures/kernel-speed.svg"), picture::bars(&instructions.rows))?;
    println!("written to docs/kernel-speed.md and docs/figures/kernel-speed.svg");
    Ok(())
}

/// The program that measures, with what it needs of the examples' library.
fn build(tools: &Tools) -> Result<PathBuf, String> {
    examples::build_all(tools)?;
    let directory = target().join("bench");
    let (object, program) = (directory.join("calls.o"), directory.join("calls"));
    std::fs::create_dir_all(&directory).map_err(|e| format!("{}: {e}", directory.display()))?;
    let built = target().join("examples");
    let mut assemble = tools.tool("talasm");
    assemble.arg("-I").arg(built.join("interfaces")).arg("-o").arg(&object);
    tools::run(assemble.arg("xtask/src/kernel/bench/calls.tal"))?;
    let library = tools::files(&built.join("objects/lib"), &|p| p.extension().is_some_and(|e| e == "o"))?;
    tools::run(
        tools.tool("tallink").arg("--gc-sections").arg("-o").arg(&program).arg(&object).args(library),
    )?;
    Ok(program)
}

/// Numbers on lines.
fn numbers(text: &[u8]) -> Vec<f64> {
    String::from_utf8_lossy(text).lines().filter_map(|l| l.trim().parse().ok()).collect()
}

/// Measures on this computer, without a machine between.
fn native(program: &PathBuf, letter: &str, runs: usize) -> Result<Spread, String> {
    const COUNT: u32 = 1_000_000;
    let mut c = Command::new(program);
    c.args([letter, &COUNT.to_string(), &(runs + 1).to_string()]);
    let values = numbers(&output(&mut c)?);
    Spread::of(values.into_iter().skip(1).map(|v| v / f64::from(COUNT)).collect())
}

fn in_machine(program: &PathBuf, small: &PathBuf, runs: usize, count: bool) -> Result<Results, String> {
    let options = Options { accel: Accel::Tcg, count, ..Options::default() };
    let machine = options.machine()?;
    let read = |p: &PathBuf| std::fs::read(p).map_err(|e| format!("{}: {e}", p.display()));
    let mut guest = Guest::boot(&machine, &image::base()?.finish()).map_err(|t| t.text())?;
    let small = read(small)?;
    let mut unmarked = small.clone();
    test::forget_notes(&mut unmarked);
    for (path, content) in
        [("/tmp/calls", &read(program)?), ("/tmp/marked", &small), ("/tmp/unmarked", &unmarked)]
    {
        guest.write(path, content).map_err(|t| t.text())?;
    }
    let mut rows = Vec::new();
    for m in CALLS {
        let (mut user, mut ring0) = (Vec::new(), Vec::new());
        for _ in 0..runs {
            user.extend(once(&mut guest, true, m)?);
            ring0.extend(once(&mut guest, false, m)?);
        }
        rows.push(Row { name: m.name, user: Spread::of(user)?, ring0: Spread::of(ring0)? });
        eprintln!("   {}", m.name);
    }
    let unmarked = executions(&mut guest, "/tmp/unmarked", 0, runs)?;
    // Without room for it nothing is in the cache.
    let checked =
        executions(&mut guest, "/tmp/marked", EXECUTIONS * (u32::try_from(runs).unwrap_or(0) + 1), runs)?;
    let execs = Execs { unmarked, cached: executions(&mut guest, "/tmp/marked", 1, runs)?, checked };
    guest.off().map_err(|t| t.text())?;
    Ok(Results { rows, execs })
}

/// One process that measures, after a round that only warms up.
fn once(guest: &mut Guest, user: bool, m: &Measure) -> Result<Vec<f64>, String> {
    // Pages fault once only.
    let (rounds, warm) = if m.letter == FAULTS { ("1", 0) } else { ("4", 1) };
    let count = m.count.to_string();
    let values = run_in(guest, user, &["/tmp/calls", m.letter, &count, rounds])?;
    Ok(values.into_iter().skip(warm).map(|v| v / f64::from(m.count)).collect())
}

/// Executes a program again and again, in kernel mode if it is verified. The kernel must check it so many times; if
/// that is at most once it has a cache.
fn executions(guest: &mut Guest, program: &str, checks: u32, runs: usize) -> Result<Spread, String> {
    let size: &[u8] = if checks <= 1 { b"64" } else { b"0" };
    guest.write("/proc/sys/kernel/kml/cache_size", size).map_err(|t| t.text())?;
    let (count, rounds) = (EXECUTIONS.to_string(), (runs + 1).to_string());
    let checked =
        |guest: &mut Guest| guest.counters().into_iter().find(|c| c.0 == "checked").map_or(0, |c| c.1);
    let before = checked(guest);
    let values = run_in(guest, false, &["/init", &count, &rounds, program])?;
    let done = checked(guest) - before;
    if done != u64::from(checks) {
        return Err(format!(
            "{program} was checked {done} times, not {checks}: this measures something else"
        ));
    }
    Spread::of(values.into_iter().skip(1).map(|v| v / f64::from(EXECUTIONS)).collect())
}

fn run_in(guest: &mut Guest, user: bool, words: &[&str]) -> Result<Vec<f64>, String> {
    match outcome(guest, user, words, b"") {
        Ok(done) if done.status == 0 => Ok(numbers(&done.output)),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spreads_are_quarters() {
        let s = Spread::of(vec![5.0, 1.0, 3.0, 2.0, 4.0]).unwrap();
        assert_eq!(s, Spread { median: 3.0, low: 2.0, high: 4.0 });
        assert!(Spread::of(Vec::new()).is_err());
    }
}
