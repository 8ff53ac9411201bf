//! Each patch of the series builds and boots: the kernel with the first one, with the first two, and so on.

use super::programs::place;
use super::tap::Tap;
use super::{Outcome, USUAL, complaints, counted, machine_with, outcome};
use crate::examples;
use crate::kernel::guest::Guest;
use crate::kernel::machine::Accel;
use crate::kernel::source::Series;
use crate::kernel::{build, image};
use crate::tools::Tools;

/// Builds and boots all, and prints a line for each. Whether all is good.
pub(crate) fn test(accel: Accel) -> Result<bool, String> {
    let examples = examples::build_all(&Tools::build()?)?;
    let example = examples.iter().find(|e| e.ends_with("hello")).ok_or("there is no example `hello`")?;
    let content = std::fs::read(example).map_err(|e| format!("{}: {e}", example.display()))?;
    let program = (place(example), content);
    let mut tap = Tap::start();
    for (before, subject) in Series::read()?.subjects().iter().enumerate() {
        let patches = before + 1;
        match one(patches, accel, &program) {
            Ok(what) => tap.report(true, &format!("{subject}: {what}"), ""),
            Err(e) => tap.report(false, &format!("{subject}: builds and boots"), &e),
        }
    }
    Ok(tap.end())
}

/// The kernel with so many patches: what it does, or what it does not.
fn one(patches: usize, accel: Accel, (path, content): &(String, Vec<u8>)) -> Result<String, String> {
    let (kernel, warnings) = build::kernel_of(patches)?;
    if !warnings.is_empty() {
        return Err(format!("the compiler warns:\n{warnings}"));
    }
    let machine = machine_with(&USUAL, accel, Some(kernel))?;
    let mut guest = Guest::boot(&machine, &image::base()?.finish()).map_err(|t| t.text())?;
    guest.write(path, content).map_err(|t| t.text())?;
    let user = run(&mut guest, true, path)?;
    if user.status != 0 || user.output.is_empty() {
        return Err(format!("a program does not run in user mode: {user:?}"));
    }
    // From the patch on that starts programs in ring 0 there is something to count.
    let starts = !guest.counters().is_empty();
    if starts {
        let before = counted(&mut guest);
        let ring0 = run(&mut guest, false, path)?;
        let after = counted(&mut guest);
        if ring0 != user || after.started != before.started + 1 || after.calls == before.calls {
            return Err(format!("in ring 0: {ring0:?}, in user mode: {user:?}; {before:?}, {after:?}"));
        }
    }
    let log = guest.off().map_err(|t| t.text())?;
    let complaints = complaints(&log);
    if !complaints.is_empty() {
        return Err(complaints.join("\n"));
    }
    let modes = if starts { "user mode and ring 0" } else { "user mode" };
    Ok(format!("builds without warnings, boots, runs a program in {modes}"))
}

fn run(guest: &mut Guest, user: bool, path: &str) -> Result<Outcome, String> {
    match outcome(guest, user, &[path], b"") {
        Ok(done) => Ok(done),
        Err(Ok(failure)) => Err(format!("not executed: {}\n{}", failure.text, failure.log)),
        Err(Err(broken)) => Err(broken),
    }
}
