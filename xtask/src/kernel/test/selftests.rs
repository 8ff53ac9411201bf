//! The tests that come with the patches, in the kernel's own collection of tests.

use super::outcome;
use super::tap::{self, Tap};
use crate::kernel::guest::Guest;
use crate::kernel::host::{For, Host};
use crate::kernel::{apt, build, cache};
use std::fs;
use std::path::PathBuf;

/// Where they are in the kernel's source.
const DIRECTORY: &str = "tools/testing/selftests/kml";

/// Compiles each `.c` file with a `main` to a static program of its own, with the `.S` file of the same name if
/// there is one.
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
    let sources = crate::tools::files(&tests, &|p| p.extension().is_some_and(|e| e == "c"))?;
    for source in sources {
        let text = crate::tools::read(&source)?;
        if !text.lines().any(|l| l.starts_with("int main(")) {
            continue;
        }
        let program = to.join(source.file_stem().unwrap_or_default());
        let mut c = host.command("gcc");
        c.args(["-std=gnu11", "-O2", "-static", "-pthread", "-D_GNU_SOURCE", "-I"])
            .arg(tree.join("tools/testing/selftests"));
        c.arg("-I").arg(tree.join("tools/include/uapi")).arg("-I").arg(&tests);
        c.arg("-o").arg(&program).arg(&source);
        let assembly = source.with_extension("S");
        c.args(assembly.is_file().then_some(assembly));
        apt::quiet(&mut c)?;
        programs.push(program);
    }
    Ok(programs)
}

/// Runs them and passes their results on.
pub(crate) fn test(guest: &mut Guest, programs: &[PathBuf], tap: &mut Tap) -> Result<(), String> {
    for program in programs {
        let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let content = fs::read(program).map_err(|e| format!("{}: {e}", program.display()))?;
        let path = format!("/selftests/{name}");
        guest.write(&path, &content).map_err(|t| t.text())?;
        let done = match outcome(guest, false, &[&path], b"") {
            Ok(done) => done,
            Err(Ok(failure)) => {
                tap.report(false, &name, &format!("not executed: {}\n{}", failure.text, failure.log));
                continue;
            }
            Err(Err(broken)) => return Err(broken),
        };
        let text = String::from_utf8_lossy(&done.output).into_owned();
        let results = tap::results(&text);
        for (result, good, skipped) in &results {
            let result = format!("{name}: {result}");
            match skipped {
                Some(why) => tap.skip(&result, why),
                None => tap.report(*good, &result, &text),
            }
        }
        // The collection's exit status for `not done here`.
        const SKIPPED: u8 = 4;
        let whole = tap::plan(&text).is_none_or(|n| n == results.len());
        let all = (done.status == 0 || done.status == SKIPPED) && whole;
        let details = format!("status {}, {}\n{text}", done.status, String::from_utf8_lossy(&done.error));
        tap.report(all, &format!("{name}: came to its end"), &details);
    }
    Ok(())
}
