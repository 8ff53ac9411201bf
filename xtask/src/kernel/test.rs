//! `cargo xtask kernel test`: what the kernel promises, tried in it. Prints TAP.

mod bad_checker;
mod fenced;
mod hostile;
mod programs;
mod refused;
mod selftests;
mod series;
mod tap;
mod trusted;

use super::guest::{Guest, Trouble};
use super::machine::{Accel, Machine};
use super::source::Series;
use super::{Options, build::Config, image};
use crate::examples;
use crate::tools::Tools;
use kml_init::protocol::{self as say, Job};
pub(super) use programs::forget_notes;
pub(super) use series::test as series;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tap::Tap;

/// How long a program of a test may run. An emulated processor on a busy host is slow; no test measures time.
const LIMIT: Duration = Duration::from_secs(300);

/// One machine in which everything is tried.
struct Setting {
    name: &'static str,
    config: Config,
    cpus: u32,
    cpu: &'static str,
    append: &'static str,
    /// Features that the kernel must say it uses, and some that it must not: words of `/proc/cpuinfo`.
    has: &'static [&'static str],
    lacks: &'static [&'static str],
    /// NMIs of the storm in the tests of the patches.
    nmis: u32,
    /// Whether tests are left out that take long or depend on when things happen.
    reduced: bool,
    /// Whether programs are tried that somebody made to get past the checker.
    hostile: bool,
}

/// The usual machine. Its processor, and so its kernel, has page tables of five levels.
const USUAL: Setting = Setting {
    name: "2 processors",
    config: Config::Minimal,
    cpus: 2,
    cpu: "max",
    append: "",
    has: &["smep", "smap", "la57"],
    lacks: &[],
    nmis: 20_000,
    reduced: false,
    hostile: false,
};

/// What every run tries.
const REDUCED: Setting = Setting { reduced: true, nmis: 2_000, ..USUAL };

/// The usual machine with a storm of a million NMIs, and all hostile programs.
const STORM: Setting = Setting { nmis: 1_000_000, hostile: true, ..USUAL };

/// A processor as the usual one, with page tables of four levels.
const FOUR: &str = "max,la57=off";

/// A kernel that looks at itself. A busy computer lets its processors stand still for seconds; what waits shall not be
/// told as a lock that nobody lets go.
const DEBUG: Setting = Setting {
    name: "debug kernel, 5 levels of page tables",
    config: Config::Debug,
    append: "rcupdate.rcu_cpu_stall_timeout=300 watchdog_thresh=60 workqueue.watchdog_thresh=300",
    ..USUAL
};

/// The same with page-table isolation.
const DEBUG_PTI: Setting = Setting {
    name: "debug kernel, 5 levels of page tables, page-table isolation",
    append: concat!(
        "pti=on ",
        "rcupdate.rcu_cpu_stall_timeout=300 watchdog_thresh=60 workqueue.watchdog_thresh=300"
    ),
    has: &["smep", "smap", "la57", "pti"],
    ..DEBUG
};

/// The others.
const MORE: &[Setting] = &[
    Setting {
        name: "1 processor, 4 levels of page tables",
        cpus: 1,
        cpu: FOUR,
        has: &["smep", "smap"],
        lacks: &["la57"],
        reduced: true,
        ..USUAL
    },
    Setting {
        name: "no SMEP and SMAP, 4 levels of page tables",
        cpu: "qemu64",
        has: &[],
        lacks: &["smep", "smap", "la57"],
        ..USUAL
    },
    Setting {
        name: "AMD of family 17h: return thunks, store bypass can be disabled",
        cpu: "max,vendor=AuthenticAMD,family=23,model=1",
        has: &["smep", "smap", "ssbd"],
        reduced: true,
        ..USUAL
    },
    Setting {
        name: "4 levels of page tables, page-table isolation",
        cpu: FOUR,
        append: "pti=on",
        has: &["smep", "smap", "pti"],
        lacks: &["la57"],
        ..USUAL
    },
    DEBUG,
    Setting {
        name: "debug kernel, 4 levels of page tables, page-table isolation",
        cpu: FOUR,
        has: &["smep", "smap", "pti"],
        lacks: &["la57"],
        ..DEBUG_PTI
    },
    Setting { reduced: true, ..DEBUG_PTI },
];

/// What is run in every machine.
struct Programs {
    /// Verified programs.
    examples: Vec<PathBuf>,
    /// Two for the tests of the Spectre policy.
    fenced: [fenced::Program; 2],
    /// The tests that come with the patches.
    selftests: Vec<PathBuf>,
}

/// A kernel whose checker does what it must not.
const BAD_CHECKER: Setting = Setting { name: "a bad checker", ..USUAL };

/// Tests in one machine, or in all kinds of machines, or of these in those whose name contains some words.
pub(crate) fn run(
    full: bool,
    name: Option<&str>,
    accel: Accel,
    kernel: Option<PathBuf>,
) -> Result<bool, String> {
    if Series::read()?.is_empty() {
        return Err("there are no patches in kml-patch/patches/6.12: nothing to test".into());
    }
    let tools = Tools::build()?;
    let programs = Programs {
        examples: examples::build_all(&tools)?,
        fenced: fenced::build(&tools)?,
        selftests: selftests::compile()?,
    };
    let mut tap = Tap::start();
    let (first, more) = if full { (STORM, MORE) } else { (REDUCED, &[][..]) };
    let wanted = |s: &&Setting| name.is_none_or(|name| s.name.contains(name));
    let all = || [&first].into_iter().chain(more);
    if all().chain([&BAD_CHECKER]).all(|s| !wanted(&s)) {
        let names: Vec<&str> = all().chain([&BAD_CHECKER]).map(|s| s.name).collect();
        return Err(format!("no machine has these words in its name; the names are: {}", names.join("; ")));
    }
    for setting in all().filter(wanted) {
        let start = (Instant::now(), tap.done());
        // A machine that breaks ends its own tests, not those of the next one.
        let done = machine_with(setting, accel, kernel.clone())
            .and_then(|m| in_machine(&m, setting, &programs, &mut tap));
        if let Err(e) = done {
            tap.report(false, &format!("{}: the machine lives to the end", setting.name), &e);
        }
        let minutes = start.0.elapsed().as_secs_f64() / 60.0;
        println!("# {}: {} results in {minutes:.1} minutes", setting.name, tap.done() - start.1);
    }
    if full && wanted(&&BAD_CHECKER) {
        let example =
            programs.examples.iter().find(|e| e.ends_with("hello")).ok_or("there is no example `hello`")?;
        if let Err(e) = bad_checker::test(&BAD_CHECKER, accel, example, &mut tap) {
            tap.report(false, &format!("{}: the machine lives to the end", BAD_CHECKER.name), &e);
        }
    }
    Ok(tap.end())
}

/// The machine of a setting, with another kernel if there is one.
fn machine_with(setting: &Setting, accel: Accel, kernel: Option<PathBuf>) -> Result<Machine, String> {
    println!("# machine: {}", setting.name);
    let options = Options {
        cpus: setting.cpus,
        cpu: setting.cpu.into(),
        config: setting.config,
        // Warnings must get to the console.
        append: format!("loglevel=7 {}", setting.append),
        accel,
        kernel,
        ..Options::default()
    };
    options.machine()
}

fn in_machine(
    machine: &Machine,
    setting: &Setting,
    programs: &Programs,
    tap: &mut Tap,
) -> Result<(), String> {
    let Programs { examples, fenced, selftests } = programs;
    let mut guest = Guest::boot(machine, &image::base()?.finish()).map_err(|t| t.text())?;
    println!("# Linux {}", guest.release);
    features(&mut guest, setting, tap)?;
    programs::test(&mut guest, examples, tap)?;
    refused::test(&mut guest, examples, tap)?;
    fenced::put(&mut guest, fenced)?;
    selftests::test(&mut guest, selftests, setting, tap)?;
    if !setting.reduced {
        trusted::test(&mut guest, tap)?;
    }
    if setting.hostile {
        hostile::test(&mut guest, tap)?;
    }
    state(&mut guest, setting, tap)?;
    let log = guest.off().map_err(|t| t.text())?;
    let complaints = complaints(&log);
    tap.report(complaints.is_empty(), "the kernel's log has no complaint", &complaints.join("\n"));
    Ok(())
}

/// The machine is the one that is meant, as its kernel sees it.
fn features(guest: &mut Guest, setting: &Setting, tap: &mut Tap) -> Result<(), String> {
    let text = text(guest, "/proc/cpuinfo")?;
    let flags = text.lines().find(|l| l.starts_with("flags")).unwrap_or_default();
    let has = |word: &&&str| flags.split_whitespace().any(|f| f == **word);
    let missing: Vec<_> = setting.has.iter().filter(|w| !has(w)).collect();
    let surplus: Vec<_> = setting.lacks.iter().filter(has).collect();
    let cpus = text.lines().filter(|l| l.starts_with("processor")).count();
    let good = missing.is_empty() && surplus.is_empty() && u32::try_from(cpus) == Ok(setting.cpus);
    let details = format!("{cpus} processors; missing: {missing:?}; not wanted: {surplus:?}; {flags}");
    tap.report(good, &format!("the machine is: {}", setting.name), &details);
    Ok(())
}

/// Bits of `/proc/sys/kernel/tainted`: a machine check, a bad page, an oops, a warning, a soft lockup. (Programs under
/// `/trusted` set another one.)
const TROUBLE: [(u32, &str); 5] =
    [(4, "machine check"), (5, "bad page"), (7, "oops"), (9, "warning"), (14, "soft lockup")];

/// What the kernel remembers of its own mistakes, whatever became of its log.
fn state(guest: &mut Guest, setting: &Setting, tap: &mut Tap) -> Result<(), String> {
    let tainted = text(guest, "/proc/sys/kernel/tainted")?;
    let bits: u64 = tainted.trim().parse().map_err(|_| format!("not a number: {tainted}"))?;
    let trouble: Vec<_> = TROUBLE.iter().filter(|t| bits >> t.0 & 1 != 0).map(|t| t.1).collect();
    tap.report(trouble.is_empty(), "the kernel has met no mistake of its own", &trouble.join(", "));
    if setting.config == Config::Debug {
        let stats = text(guest, "/proc/lockdep_stats")?;
        let alive = |l: &str| l.trim_start().starts_with("debug_locks:") && l.trim_end().ends_with(" 1");
        tap.report(stats.lines().any(alive), "its check of locks was on to the end", &stats);
    }
    Ok(())
}

/// A file of the guest.
fn text(guest: &mut Guest, path: &str) -> Result<String, String> {
    Ok(String::from_utf8_lossy(&guest.read(path).map_err(|t| t.text())?).into_owned())
}

/// Lines with which the kernel says that something is wrong with itself.
fn complaints(log: &str) -> Vec<&str> {
    let signs = [
        "BUG:",
        "WARNING:",
        "Oops",
        "Call Trace",
        "general protection fault",
        "stack guard page",
        "Kernel panic",
    ];
    // When memory is short the kernel shows who asked for it, by one trace for each of these lines.
    let short = ["invoked oom-killer", "page allocation failure: order:0"];
    let mut expected = 0;
    let mut own = |line: &str| {
        if short.iter().any(|s| line.contains(s)) {
            expected += 1;
        }
        let own = expected == 0 || !line.contains("Call Trace");
        expected -= i32::from(!own);
        own
    };
    // Of a process the kernel says `traps: name[pid] general protection fault`, and of a processor `WARNING: See
    // https://.../hw-vuln/...`; that is no complaint about itself.
    let others = ["traps: ", "/hw-vuln/"];
    let complains = |l: &&str| signs.iter().any(|s| l.contains(s)) && !others.iter().any(|o| l.contains(o));
    log.lines().filter(|l| own(l)).filter(complains).collect()
}

/// What a program did.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) status: u8,
    pub(super) output: Vec<u8>,
    pub(super) error: Vec<u8>,
}

/// Runs a program of the guest with this input. `Err(Ok(_))` if it was not executed.
pub(super) fn outcome(
    guest: &mut Guest,
    user: bool,
    words: &[&str],
    input: &[u8],
) -> Result<Outcome, Result<say::Failure, String>> {
    outcome_with(guest, user, words, &["PATH=/bin"], input, LIMIT)
}

/// The same with another environment and another limit.
fn outcome_with(
    guest: &mut Guest,
    user: bool,
    words: &[&str],
    environment: &[&str],
    input: &[u8],
    limit: Duration,
) -> Result<Outcome, Result<say::Failure, String>> {
    let bytes = |w: &&str| w.as_bytes().to_vec();
    let program = words.first().map_or_else(Vec::new, bytes);
    let job = Job {
        user,
        directory: b"/tmp".to_vec(),
        program,
        args: words.iter().map(bytes).collect(),
        env: environment.iter().map(bytes).collect(),
    };
    let (mut output, mut error) = (Vec::new(), Vec::new());
    let input = std::io::Cursor::new(input.to_vec());
    let done = guest.run(&job, Some(limit), input, |stream, bytes| {
        if stream == say::OUTPUT {
            output.extend(bytes)
        } else {
            error.extend(bytes)
        }
        Ok(())
    });
    match done {
        Ok(status) => Ok(Outcome { status, output, error }),
        Err(Trouble::Failed(failure)) => Err(Ok(failure)),
        Err(trouble) => Err(Err(trouble.text())),
    }
}

/// Two counters of the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Counted {
    /// Programs that were started in ring 0.
    started: u64,
    /// System calls that were calls of functions.
    calls: u64,
}

fn counted(guest: &mut Guest) -> Counted {
    let all = guest.counters();
    let of = |name: &str| all.iter().find(|c| c.0 == name).map_or(0, |c| c.1);
    Counted { started: of("started"), calls: of("direct_calls") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_of_the_kernel_are_found() {
        let log = "[    1.0] fine\n[    2.0] BUG: unable to handle page fault\n\
                   [    3.0] traps: a[7] general protection fault ip:401000\n[    4.0] WARNING: CPU: 0 PID: 1\n\
                   [    5.0] Speculative Return Stack Overflow: WARNING: See https://kernel.org/hw-vuln/srso.html\n";
        assert_eq!(complaints(log).len(), 2);
        let short = "a invoked oom-killer: x\nCall Trace:\nOut of memory: Killed process 7 (a)\n\
                     a: page allocation failure: order:0, mode:0x0\nBUG: y\nCall Trace:\n\nCall Trace: z\n";
        assert_eq!(complaints(short), ["BUG: y", "Call Trace: z"]);
    }
}
