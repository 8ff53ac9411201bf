//! A damaged program is refused, for the reason that `talcheck` gives here.

use super::programs::place;
use super::tap::Tap;
use super::{counted, outcome};
use crate::kernel::guest::Guest;
use object::{Object, ObjectSection, SectionKind};
use std::path::PathBuf;

/// Damaged copies of each example.
const COPIES: usize = 3;
/// How many places are tried to find one that matters.
const TRIES: usize = 1000;
/// The kernel logs so many refusals in a row, and leaves out others for a while.
const LOGGED: usize = 8;

/// The error that execve returns.
const EACCES: i32 = 13;

/// Executes damaged copies of every example.
pub(crate) fn test(guest: &mut Guest, examples: &[PathBuf], tap: &mut Tap) -> Result<(), String> {
    let mut random = fastrand::Rng::with_seed(20_030_401);
    let mut logged = 0;
    for example in examples {
        let good = std::fs::read(example).map_err(|e| format!("{}: {e}", example.display()))?;
        let places = places(&good)?;
        for copy in 0..COPIES {
            let name = format!("{}: damaged copy {}", place(example), copy + 1);
            let Some((bad, reason)) = damaged(&good, &places, &mut random) else {
                tap.report(false, &name, "no damage of its code is noticed by the checker");
                continue;
            };
            guest.write("/tmp/damaged", &bad).map_err(|t| t.text())?;
            let before = counted(guest);
            let done = outcome(guest, false, &["/tmp/damaged"], b"");
            let after = counted(guest);
            match done {
                Err(Ok(failure)) => {
                    tap.report(failure.errno == EACCES, &format!("{name} is refused"), &failure.text);
                    if logged < LOGGED {
                        logged += 1;
                        let said = failure.log.contains(&reason);
                        let details = format!("expected: {reason}\nlog: {}", failure.log);
                        tap.report(said, &format!("{name}: the log says {reason}"), &details);
                    }
                }
                Ok(done) => {
                    tap.report(false, &format!("{name} is refused"), &format!("it was executed: {done:?}"))
                }
                Err(Err(broken)) => return Err(broken),
            }
            tap.report(
                before == after,
                &format!("{name}: nothing ran in ring 0"),
                &format!("{before:?}, then {after:?}"),
            );
        }
    }
    Ok(())
}

/// Offsets in the file of code and notes: damage there leaves the file one that asks to be checked.
fn places(elf: &[u8]) -> Result<Vec<usize>, String> {
    let file = object::File::parse(elf).map_err(|e| format!("an example is no object file: {e}"))?;
    let mut places = Vec::new();
    for section in file.sections().filter(|s| s.kind() == SectionKind::Text) {
        if let Some((start, size)) = section.file_range() {
            let start = usize::try_from(start).unwrap_or(usize::MAX);
            places.extend(start..start.saturating_add(usize::try_from(size).unwrap_or(0)));
        }
    }
    Ok(places)
}

/// A copy with one wrong byte that is rejected here, and the beginning of the reason in the kernel's log.
fn damaged(good: &[u8], places: &[usize], random: &mut fastrand::Rng) -> Option<(Vec<u8>, String)> {
    for _ in 0..TRIES {
        let at = *places.get(random.usize(..places.len().max(1)))?;
        let mut bad = good.to_vec();
        *bad.get_mut(at)? ^= random.u8(1..);
        if let Err(reject) = talcheck::check(&bad) {
            return Some((bad, format!("TAL{:04} at ", reject.code as u16)));
        }
    }
    None
}
