//! System calls, processes, page faults and executions.

mod page;

use super::picture::{self, Chart};
use super::{Load, Spread, counted, read, run_in};
use crate::kernel::guest::Guest;
use crate::kernel::machine::Accel;
use crate::kernel::{Options, image, test};
use crate::tools::{self, Tools, target};
use crate::{Done, examples};
use std::path::{Path, PathBuf};

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

/// Measures, prints, and writes the page and the picture of the documentation.
pub(crate) fn run(runs: usize) -> Done {
    let tools = Tools::build()?;
    let program = build(&tools)?;
    let small = examples::build_all(&tools)?.into_iter().find(|p| p.ends_with("hello"));
    let small = small.ok_or("there is no example `hello` to execute")?;
    let native = super::native(&tools, runs)?;
    eprintln!("== instructions");
    let instructions = in_machine(&program, &small, runs, true)?;
    eprintln!("== time");
    let time = in_machine(&program, &small, runs, false)?;
    let text = page::text(&instructions, &time, &native, runs, Load::now());
    super::publish("kernel-speed", &text, &picture(&instructions.rows))
}

/// What takes more instructions than this is left out of the picture, so that the short bars can be seen.
const LONGEST: f64 = 6000.0;

fn picture(rows: &[Row]) -> String {
    let short = rows.iter().filter(|r| r.user.median.max(r.ring0.median) <= LONGEST);
    picture::bars(&Chart {
        title: "Instructions for one operation in user mode and in ring 0",
        unit: "instructions",
        digits: 0,
        series: picture::MODES,
        groups: short.map(|r| (r.name.into(), vec![r.user.median, r.ring0.median])).collect(),
    })
}

/// The program that measures, with what it needs of the examples' library.
pub(super) fn build(tools: &Tools) -> Result<PathBuf, String> {
    examples::build_all(tools)?;
    let directory = target().join("bench");
    let (object, program) = (directory.join("calls.o"), directory.join("calls"));
    std::fs::create_dir_all(&directory).map_err(|e| format!("{}: {e}", directory.display()))?;
    let built = target().join("examples");
    let mut assemble = tools.tool("talasm");
    assemble.arg("-I").arg(built.join("interfaces")).arg("-o").arg(&object);
    tools::run(assemble.arg("xtask/src/kernel/bench/calls/calls.tal"))?;
    let library = tools::files(&built.join("objects/lib"), &|p| p.extension().is_some_and(|e| e == "o"))?;
    tools::run(
        tools.tool("tallink").arg("--gc-sections").arg("-o").arg(&program).arg(&object).args(library),
    )?;
    Ok(program)
}

fn in_machine(program: &Path, small: &Path, runs: usize, count: bool) -> Result<Results, String> {
    let options = Options { accel: Accel::Tcg, count, ..Options::default() };
    let machine = options.machine()?;
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
    let before = counted(guest, "checked");
    let values = run_in(guest, false, &["/init", &count, &rounds, program])?;
    let done = counted(guest, "checked") - before;
    if done != u64::from(checks) {
        return Err(format!(
            "{program} was checked {done} times, not {checks}: this measures something else"
        ));
    }
    Spread::of(values.into_iter().skip(1).map(|v| v / f64::from(EXECUTIONS)).collect())
}
