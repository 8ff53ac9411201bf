//! The tests that come with the patches, in the kernel's own collection of tests.

use super::outcome;
use super::tap::{self, Tap};
use crate::kernel::guest::Guest;
use crate::kernel::host::{For, Host};
use crate::kernel::{apt, build, cache};
use crate::tools::read;
use std::fs;
use std::path::PathBuf;

/// Where they are in the kernel's source.
const DIRECTORY: &str = "tools/testing/selftests/kml";

/// The one that runs in ring 0 unchecked, so from a directory that the kernel trusts if it is configured to.
const RING0: &str = "ring0";
/// Where it lies in the guest.
const TRUSTED: &str = "/trusted/kml-selftest/ring0";

/// The collection's exit status for `not done here`.
const SKIPPED: u8 = 4;

/// Compiles each `.c` file with a `main` to a static program of its own.
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
        if !read(&source)?.lines().any(|l| l.starts_with("int main(")) {
            continue;
        }
        let program = to.join(source.file_stem().unwrap_or_default());
        let mut c = host.command("gcc");
        c.args(["-std=gnu11", "-static"]).args(&flags);
        c.arg("-o").arg(&program).arg(&source);
        apt::quiet(&mut c)?;
        programs.push(program);
    }
    // The one that the others look at comes first.
    programs.sort_by_key(|p| !p.ends_with(RING0));
    Ok(programs)
}

/// The options for the compiler that a Makefile of the collection adds, without those that only make knows.
fn flags(makefile: &str) -> Vec<String> {
    let lines = makefile.lines().filter_map(|l| l.strip_prefix("CFLAGS +="));
    let words = lines.flat_map(str::split_whitespace).filter(|w| !w.contains('$'));
    words.map(String::from).collect()
}

/// Runs them and passes their results on.
pub(crate) fn test(guest: &mut Guest, programs: &[PathBuf], tap: &mut Tap) -> Result<(), String> {
    let mut ring0 = false;
    for program in programs {
        let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let path = if name == RING0 { TRUSTED.into() } else { format!("/selftests/{name}") };
        let content = fs::read(program).map_err(|e| format!("{}: {e}", program.display()))?;
        guest.write(&path, &content).map_err(|t| t.text())?;
        if name == RING0 {
            ring0 = one(guest, &name, &[TRUSTED], tap)?;
        } else if ring0 {
            one(guest, &name, &[&path, TRUSTED], tap)?;
        } else {
            tap.skip(&name, "there is no ring-0 process to look at");
        }
    }
    Ok(())
}

/// Runs one. Whether it did its tests.
fn one(guest: &mut Guest, name: &str, words: &[&str], tap: &mut Tap) -> Result<bool, String> {
    let done = match outcome(guest, false, words, b"") {
        Ok(done) => done,
        Err(Ok(failure)) => {
            tap.report(false, name, &format!("not executed: {}\n{}", failure.text, failure.log));
            return Ok(false);
        }
        Err(Err(broken)) => return Err(broken),
    };
    let text = String::from_utf8_lossy(&done.output).into_owned();
    if done.status == SKIPPED {
        let why =
            text.lines().find_map(|l| l.split_once("SKIP")).map_or("it does not say why", |s| s.1.trim());
        tap.skip(name, why);
        return Ok(false);
    }
    let results = tap::results(&text);
    for (result, good, skipped) in &results {
        let result = format!("{name}: {result}");
        match skipped {
            Some(why) => tap.skip(&result, why),
            None => tap.report(*good, &result, &text),
        }
    }
    let whole = tap::plan(&text).is_none_or(|n| n == results.len());
    let details = format!("status {}, {}\n{text}", done.status, String::from_utf8_lossy(&done.error));
    tap.report(done.status == 0 && whole, &format!("{name}: came to its end"), &details);
    Ok(true)
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
