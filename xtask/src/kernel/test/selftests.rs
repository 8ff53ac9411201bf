//! The tests that come with the patches, in the kernel's own collection of tests.

use super::tap::{self, Tap};
use super::{Setting, outcome_with};
use crate::kernel::guest::Guest;
use crate::kernel::host::{For, Host};
use crate::kernel::{apt, build, cache};
use crate::tools::read;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// Where they are in the kernel's source.
const DIRECTORY: &str = "tools/testing/selftests/kml";

/// The collection's exit status for `not done here`.
const SKIPPED: u8 = 4;

/// What every run tries: it depends on nothing but the kernel, however busy the computer is.
const REDUCED: &[&str] =
    &["checker", "faults", "identity", "processes", "protect", "sigframe", "stacks", "written"];

/// Compiles each `.c` file to a static program of its own.
pub(crate) fn compile() -> Result<Vec<PathBuf>, String> {
    let host = Host::with(For::Build)?;
    let tree = build::tree(&host)?;
    let tests = tree.join(DIRECTORY);
    let mut programs = Vec::new();
    if !tests.is_dir() {
        return Ok(programs);
    }
    let to = cache().join("selftests");
    fs::create_dir_all(&to).map_err(|e| format!("{}: {e}", to.display()))?;
    let flags = flags(&read(&tests.join("Makefile"))?);
    for source in crate::tools::files(&tests, &|p| p.extension().is_some_and(|e| e == "c"))? {
        let program = to.join(source.file_stem().unwrap_or_default());
        let mut c = host.command("gcc");
        c.args(["-std=gnu11", "-static"]).args(&flags);
        c.arg("-o").arg(&program).arg(&source);
        apt::quiet(&mut c)?;
        programs.push(program);
    }
    programs.sort();
    Ok(programs)
}

/// The options for the compiler that a Makefile of the collection adds, without those that only make knows.
fn flags(makefile: &str) -> Vec<String> {
    let lines = makefile.lines().filter_map(|l| l.strip_prefix("CFLAGS +="));
    let words = lines.flat_map(str::split_whitespace).filter(|w| !w.contains('$'));
    words.map(String::from).collect()
}

/// The results of one test program in one mode may take so long, in seconds.
const PATIENCE: u64 = 7200;

/// Runs them at CPL 3 and, from `/trusted`, at CPL 0, and passes their results on. In the reduced form some run, at
/// CPL 0.
pub(super) fn test(
    guest: &mut Guest,
    programs: &[PathBuf],
    setting: &Setting,
    tap: &mut Tap,
) -> Result<(), String> {
    let modes = [(0, "/trusted"), (3, "/selftests")];
    let modes = if setting.reduced { &modes[..1] } else { &modes[..] };
    for program in programs {
        let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if setting.reduced && !REDUCED.contains(&name.as_str()) {
            continue;
        }
        let content = fs::read(program).map_err(|e| format!("{}: {e}", program.display()))?;
        for &(cpl, directory) in modes {
            let path = format!("{directory}/{name}");
            guest.write(&path, &content).map_err(|t| t.text())?;
            // At CPL 3 an NMI finds the stack of the task, as ever: a few are enough.
            let nmis = if cpl == 0 { setting.nmis } else { setting.nmis.min(20_000) };
            one(guest, &format!("{name} at CPL {cpl}"), &path, cpl, nmis, tap)?;
        }
    }
    Ok(())
}

fn one(guest: &mut Guest, name: &str, path: &str, cpl: u8, nmis: u32, tap: &mut Tap) -> Result<(), String> {
    let environment = [
        "PATH=/bin",
        "KML_EXAMPLES=/examples",
        &format!("KML_CPL={cpl}"),
        &format!("KML_NMIS={nmis}"),
        &format!("KML_PATIENCE={PATIENCE}"),
        // This machine has nobody else whose memory could run out.
        "KML_OOM=1",
    ];
    // The program gives up first, and says where.
    let limit = Duration::from_secs(PATIENCE + 60);
    let done = match outcome_with(guest, false, &[path], &environment, b"", limit) {
        Ok(done) => done,
        Err(Ok(failure)) => {
            tap.report(false, name, &format!("not executed: {}\n{}", failure.text, failure.log));
            return Ok(());
        }
        Err(Err(broken)) => return Err(format!("{name}: {broken}")),
    };
    let text = String::from_utf8_lossy(&done.output).into_owned();
    let results = tap::results(&text);
    for note in text.lines().filter(|l| l.starts_with("# ")) {
        println!("# {name}: {}", &note[2..]);
    }
    for (result, good, skipped) in &results {
        let result = format!("{name}: {result}");
        match skipped {
            Some(why) => tap.skip(&result, why),
            None => tap.report(*good, &result, &text),
        }
    }
    let whole = tap::plan(&text).is_some_and(|n| n == results.len());
    let all = (done.status == 0 || done.status == SKIPPED) && whole;
    let details = format!("status {}, {}\n{text}", done.status, String::from_utf8_lossy(&done.error));
    tap.report(all, &format!("{name}: came to its end"), &details);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_those_that_the_compiler_knows() {
        let makefile = "# x\nCFLAGS += -O2 -pthread\nCFLAGS += $(KHDR_INCLUDES)\nTEST := a\n";
        assert_eq!(flags(makefile), ["-O2", "-pthread"]);
    }
}
