//! Programs that somebody made to get past the checker: the kernel says of each what `talcheck` says here.

use super::outcome_with;
use super::tap::Tap;
use crate::kernel::guest::Guest;
use crate::tools::root;
use std::time::Duration;
use tal_testkit::filetest::{Case, cases};

/// The error that execve returns.
const EACCES: i32 = 13;

/// How long one may run that is accepted, or that is no verified program any more. What it does does not matter.
const LIMIT: Duration = Duration::from_secs(20);

/// What became of the programs.
#[derive(Default)]
struct Fates {
    refused: usize,
    accepted: usize,
    /// No longer programs that ask to be checked: executed in user mode, or not at all.
    ordinary: usize,
    wrong: Vec<String>,
}

/// Executes the damaged copies of `tests/binary`, and what a forger would make of the programs in `tests/reject`.
pub(crate) fn test(guest: &mut Guest, tap: &mut Tap) -> Result<(), String> {
    let tests = root().join("tests");
    let (mut refused, mut all) = (0, 0);
    for case in cases(&tests.join("binary")) {
        let mut fates = Fates::default();
        for damage in case.damages()? {
            one(guest, damage.line, &damage.image?, &mut fates)?;
        }
        refused += fates.refused;
        all += report(&case, &fates, tap);
    }
    for case in cases(&tests.join("reject")) {
        if let Some(image) = case.forgery()? {
            let mut fates = Fates::default();
            one(guest, "with the annotations of its twin", &image, &mut fates)?;
            refused += fates.refused;
            all += report(&case, &fates, tap);
        }
    }
    // Damage of what marks a program is rare.
    let details = format!("{refused} of {all}");
    tap.report(refused * 4 > all * 3, "most hostile programs ask to be checked, and are refused", &details);
    println!("# {all} hostile programs, {refused} of them refused by the checker in the kernel");
    Ok(())
}

/// One result for each file. Returns how many programs it gave.
fn report(case: &Case, fates: &Fates, tap: &mut Tap) -> usize {
    let Fates { refused, accepted, ordinary, wrong } = fates;
    let folder = case.path.parent().and_then(|p| p.file_name()).unwrap_or_default().to_string_lossy();
    let file = case.path.file_name().unwrap_or_default().to_string_lossy();
    let name = format!("tests/{folder}/{file}: the kernel and talcheck agree");
    let name = format!("{name} ({refused} refused, {accepted} accepted, {ordinary} not marked)");
    tap.report(wrong.is_empty(), &name, &wrong.join("\n"));
    refused + accepted + ordinary + wrong.len()
}

/// Executes one and compares what the kernel counts with the verdict here.
fn one(guest: &mut Guest, name: &str, image: &[u8], fates: &mut Fates) -> Result<(), String> {
    let path = "/tmp/hostile";
    guest.write(path, image).map_err(|t| t.text())?;
    let before = Counts::read(guest);
    let done = outcome_with(guest, false, &[path], &["PATH=/bin"], b"", LIMIT);
    let after = Counts::read(guest);
    let refused = after.refused - before.refused;
    let accepted = after.accepted - before.accepted;
    let started = after.started - before.started;
    let failure = match done {
        Ok(_) => None,
        Err(Ok(failure)) => Some(failure),
        Err(Err(broken)) => return Err(broken),
    };
    match (talcheck::check(image), refused, accepted) {
        (Err(reject), 1, 0) if started == 0 => {
            let code = format!("TAL{:04} at ", reject.code as u16);
            match failure {
                // The kernel does not log all of many refusals in a row.
                Some(f) if f.errno == EACCES && (f.log.is_empty() || f.log.contains(&code)) => {
                    fates.refused += 1;
                }
                Some(f) => fates.wrong.push(format!("{name}: {}\nexpected: {code}\nlog: {}", f.text, f.log)),
                None => fates.wrong.push(format!("{name}: refused, and executed")),
            }
        }
        // There may be no memory for what it asks for.
        (Ok(_), 0, 1) if started <= 1 => fates.accepted += 1,
        (Err(_), 0, 0) if started == 0 => fates.ordinary += 1,
        (verdict, ..) => {
            let here = verdict.map_or_else(|r| format!("{:?}", r.code), |_| "accepted".into());
            let kernel = format!("{refused} refused, {accepted} accepted, {started} started");
            fates.wrong.push(format!("{name}: here {here}, in the kernel {kernel}"));
        }
    }
    Ok(())
}

/// What the kernel counts.
struct Counts {
    refused: u64,
    /// By the checker, or by the cache of what it has accepted.
    accepted: u64,
    started: u64,
}

impl Counts {
    fn read(guest: &mut Guest) -> Counts {
        let all = guest.counters();
        let of = |name: &str| all.iter().find(|c| c.0 == name).map_or(0, |c| c.1);
        Counts { refused: of("refused"), accepted: of("accepted") + of("cache_hits"), started: of("started") }
    }
}
