//! Two programs for the tests of `kernel.kml.spectre`: one with a fence behind its test of a bound, and the same without.

use crate::kernel::guest::Guest;
use crate::tools::{self, Tools, read, root, target, write};

/// Where it is in the guest, and what it is.
pub(super) type Program = (String, Vec<u8>);

/// The source of the one with fences.
const SOURCE: &str = "xtask/src/kernel/test/fenced.tal";

/// Assembles and links both.
pub(super) fn build(tools: &Tools) -> Result<[Program; 2], String> {
    let fenced = read(&root().join(SOURCE))?;
    let unfenced: String =
        fenced.lines().filter(|l| l.trim() != "lfence").map(|l| format!("{l}\n")).collect();
    Ok([one(tools, "fenced", &fenced)?, one(tools, "unfenced", &unfenced)?])
}

fn one(tools: &Tools, name: &str, text: &str) -> Result<Program, String> {
    let directory = target().join("fenced");
    let [source, object, program] = ["tal", "o", "elf"].map(|e| directory.join(name).with_extension(e));
    write(&source, text)?;
    tools::run(tools.tool("talasm").arg("-o").arg(&object).arg(&source))?;
    tools::run(tools.tool("tallink").arg("-o").arg(&program).arg(&object))?;
    let content = std::fs::read(&program).map_err(|e| format!("{}: {e}", program.display()))?;
    Ok((format!("/examples/{name}"), content))
}

/// Writes them where the tests that come with the patches look for them.
pub(super) fn put(guest: &mut Guest, programs: &[Program]) -> Result<(), String> {
    for (path, content) in programs {
        guest.write(path, content).map_err(|t| t.text())?;
    }
    Ok(())
}
