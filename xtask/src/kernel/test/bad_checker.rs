//! A kernel whose checker does what no checker should: its programs are refused, and nothing else happens.

use super::programs::{forget_notes, place};
use super::tap::Tap;
use super::{Setting, counted, machine_with, outcome, state};
use crate::kernel::guest::Guest;
use crate::kernel::host::{For, Host};
use crate::kernel::machine::Accel;
use crate::kernel::{apt, build, cache, image};
use crate::tools::write;
use std::path::{Path, PathBuf};

/// The error that execve returns.
const EACCES: i32 = 13;

/// What the checker does when it does not end by itself, by the last byte of the program, and words of the reason in
/// the kernel's log. It gets little time.
const ENDLESS: &[(u8, &str, &str)] = &[
    (b'h', "hangs", "the checker was ended by signal 9"),
    (b'l', "loops", "the checker was ended by signal 9"),
];

/// What it does else. It gets much time, as the computer may be busy.
const DEEDS: &[(u8, &str, &str)] = &[
    (b'c', "crashes", "the checker was ended by signal 11"),
    (b'f', "makes processes", "0 forks"),
    (b'm', "takes memory without end", "less than 512 MiB"),
    (b'o', "opens files and sockets", "nothing could be opened"),
    (b'r', "writes to the program and to others", "nothing could be changed"),
    (b'w', "writes without end, to the terminal, too", "refused: words ?[2J and more words"),
    (b'0', "ends with 0", "gate 0x401000"),
    (b'g', "accepts without a gate", "the checker gave no reason"),
    (b'k', "accepts with a gate in the kernel", "gate 0xffffffff81000000"),
    (b'a', "accepts with a gate that is not aligned", "gate 0x401001"),
];

/// What it accepts with a gate where the program has nothing: that is killed before its first instruction.
const NO_GATE: u8 = b'n';

/// Builds that kernel, boots it, and executes a program for each deed.
pub(super) fn test(setting: &Setting, accel: Accel, example: &Path, tap: &mut Tap) -> Result<(), String> {
    let checker = compile()?;
    let kernel = build::kernel_with(setting.config, &checker)?;
    let machine = machine_with(setting, accel, Some(kernel))?;
    let mut guest = Guest::boot(&machine, &image::base()?.finish()).map_err(|t| t.text())?;
    let program = std::fs::read(example).map_err(|e| format!("{}: {e}", example.display()))?;
    let endless = ENDLESS.iter().map(|deed| (deed, &b"2"[..]));
    for (&(deed, name, reason), seconds) in endless.chain(DEEDS.iter().map(|deed| (deed, &b"300"[..]))) {
        guest.write("/proc/sys/kernel/kml/timeout", seconds).map_err(|t| t.text())?;
        let name = format!("the checker {name}: the program is refused");
        let before = counted(&mut guest);
        let done = run(&mut guest, &program, deed)?;
        let good = match &done {
            Err((errno, log)) => *errno == EACCES && log.contains(reason),
            Ok(_) => false,
        };
        tap.report(good && counted(&mut guest) == before, &name, &format!("expected: {reason}\n{done:?}"));
    }
    let before = counted(&mut guest).calls;
    let done = run(&mut guest, &program, NO_GATE)?;
    let good = matches!(done, Ok((status, ref output)) if status > 128 && output.is_empty());
    let name = "the checker accepts with a gate that is nowhere: the program never runs";
    tap.report(good && counted(&mut guest).calls == before, name, &format!("{done:?}"));
    alive(&mut guest, program, tap)?;
    state(&mut guest, setting, tap)?;
    let log = guest.off().map_err(|t| t.text())?;
    let complaints = super::complaints(&log);
    tap.report(complaints.is_empty(), "the kernel's log has no complaint", &complaints.join("\n"));
    Ok(())
}

/// The machine runs other programs as if nothing had happened, and no checker is left.
fn alive(guest: &mut Guest, mut program: Vec<u8>, tap: &mut Tap) -> Result<(), String> {
    forget_notes(&mut program);
    guest.write("/tmp/unmarked", &program).map_err(|t| t.text())?;
    match outcome(guest, false, &["/tmp/unmarked"], b"") {
        Ok(done) => tap.report(done.status == 0, "other programs run", &format!("{done:?}")),
        Err(Ok(failure)) => tap.report(false, "other programs run", &failure.text),
        Err(Err(broken)) => return Err(broken),
    }
    Ok(())
}

/// The status and output of a program for this deed, or the error and the log.
type Run = Result<(u8, Vec<u8>), (i32, String)>;

/// Executes the program with that last byte.
fn run(guest: &mut Guest, program: &[u8], deed: u8) -> Result<Run, String> {
    let mut program = program.to_vec();
    program.push(deed);
    let path = "/tmp/program";
    guest.write(path, &program).map_err(|t| t.text())?;
    match outcome(guest, false, &[path], b"") {
        Ok(done) => Ok(Ok((done.status, done.output))),
        Err(Ok(failure)) => Ok(Err((failure.errno, failure.log))),
        Err(Err(broken)) => Err(format!("{}: {broken}", place(Path::new(path)))),
    }
}

/// The checker that does such things, as one static program.
fn compile() -> Result<PathBuf, String> {
    let host = Host::with(For::Build)?;
    let directory = cache().join("bad_checker");
    let source = directory.join("bad_checker.c");
    write(&source, include_str!("bad_checker.c"))?;
    // As the real one is called, as its name is in the configuration.
    let program = directory.join("talcheck");
    let mut c = host.command("gcc");
    c.args(["-std=gnu11", "-O1", "-static", "-o"]).arg(&program).arg(&source);
    apt::quiet(&mut c)?;
    Ok(program)
}
