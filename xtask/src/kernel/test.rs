//! `cargo xtask kernel test`: what the kernel promises, tried in it. Prints TAP.

mod programs;
mod refused;
mod selftests;
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
use std::path::PathBuf;
use std::time::Duration;
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
    /// NMIs of the storm in the tests of the patches.
    nmis: u32,
    /// Whether tests are left out that take long or depend on when things happen.
    reduced: bool,
}

/// The usual machine.
const USUAL: Setting = Setting {
    name: "2 processors",
    config: Config::Minimal,
    cpus: 2,
    cpu: "max",
    append: "",
    nmis: 2_000,
    reduced: false,
};

/// What every run tries.
const REDUCED: Setting = Setting { reduced: true, ..USUAL };

/// The usual machine with a storm of a million NMIs.
const STORM: Setting = Setting { nmis: 1_000_000, ..USUAL };

/// The others.
const MORE: &[Setting] = &[
    Setting { name: "1 processor without SMEP and SMAP", cpus: 1, cpu: "qemu64", ..USUAL },
    Setting { name: "page-table isolation", append: "pti=on", ..USUAL },
    Setting { name: "debug kernel", config: Config::Debug, ..USUAL },
    Setting { name: "debug kernel, page-table isolation", config: Config::Debug, append: "pti=on", ..USUAL },
];

/// Tests in one machine, or in all kinds of machines.
pub(crate) fn run(full: bool, accel: Accel, kernel: Option<PathBuf>) -> Result<bool, String> {
    if Series::read()?.is_empty() {
        return Err("there are no patches in kml-patch/patches/6.12: nothing to test".into());
    }
    let tools = Tools::build()?;
    let examples = examples::build_all(&tools)?;
    let mut tap = Tap::start();
    let (first, more) = if full { (STORM, MORE) } else { (REDUCED, &[][..]) };
    for setting in [&first].into_iter().chain(more) {
        // A machine that breaks ends its own tests, not those of the next one.
        let done = machine(setting, accel, kernel.clone())
            .and_then(|m| in_machine(&m, setting, &examples, &mut tap));
        if let Err(e) = done {
            tap.report(false, &format!("{}: the machine lives to the end", setting.name), &e);
        }
    }
    Ok(tap.end())
}

fn machine(setting: &Setting, accel: Accel, kernel: Option<PathBuf>) -> Result<Machine, String> {
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
    examples: &[PathBuf],
    tap: &mut Tap,
) -> Result<(), String> {
    let selftests = selftests::compile()?;
    let mut guest = Guest::boot(machine, &image::base()?.finish()).map_err(|t| t.text())?;
    println!("# Linux {}", guest.release);
    programs::test(&mut guest, examples, tap)?;
    refused::test(&mut guest, examples, tap)?;
    selftests::test(&mut guest, &selftests, setting, tap)?;
    if !setting.reduced {
        trusted::test(&mut guest, tap)?;
    }
    let log = guest.off().map_err(|t| t.text())?;
    let complaints = complaints(&log);
    tap.report(complaints.is_empty(), "the kernel's log has no complaint", &complaints.join("\n"));
    Ok(())
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
    // When memory is short the kernel shows who asked for it, as it does for its own mistakes.
    let mut out_of_memory = false;
    let mut own = |line: &str| {
        out_of_memory |= line.contains("invoked oom-killer");
        let own = !out_of_memory;
        out_of_memory &= !line.contains("Out of memory: Killed process");
        own
    };
    // Of a process the kernel says `traps: name[pid] general protection fault`; that is no complaint about itself.
    let complains = |l: &&str| signs.iter().any(|s| l.contains(s)) && !l.contains("traps: ");
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
                   [    3.0] traps: a[7] general protection fault ip:401000\n[    4.0] WARNING: CPU: 0 PID: 1\n";
        assert_eq!(complaints(log).len(), 2);
        let short =
            "a invoked oom-killer: x\nCall Trace:\nOut of memory: Killed process 7 (a)\nCall Trace:\n";
        assert_eq!(complaints(short), ["Call Trace:"]);
    }
}
