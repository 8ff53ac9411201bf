//! talasm against GNU as.

use super::{Pairs, directory, gas, heading, program, publish, timed};
use crate::tools::{Tools, exists, write};
use crate::{Architecture, Done, examples};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The same instructions in both languages.
struct Both {
    tal: PathBuf,
    gnu: PathBuf,
}

/// Assembles the modules of a generated program with both, one after the other, and then all modules of the
/// examples.
pub(crate) fn run(arch: Architecture, instructions: usize, runs: usize) -> Done {
    if !exists("as") {
        return Err("GNU as is not installed".into());
    }
    let tools = Tools::build()?;
    let generated = generated(arch, instructions)?;

    let mut table = String::new();
    let mut row = |name: &str, modules: &[Both]| -> Done {
        let ours = || modules.iter().map(|m| talasm(&tools, arch, &m.tal)).sum();
        let theirs = || modules.iter().map(|m| gnu_as(arch, &m.gnu)).sum();
        let pairs = Pairs::measure(runs, ours, theirs)?;
        table.push_str(&(pairs.row(name) + "\n"));
        Ok(())
    };
    row("generated, first module", &generated[..1])?;
    row(&format!("generated, {instructions} instructions"), &generated)?;
    let (examples, count) = example_modules(&tools, arch)?;
    row(&format!("examples, {count} instructions"), &examples)?;
    publish("asm", arch, &(heading("", "talasm", "GNU as") + "\n" + &table))
}

fn generated(arch: Architecture, instructions: usize) -> Result<Vec<Both>, String> {
    let directory = directory()?;
    let mut modules = Vec::new();
    for (i, module) in program::generate(arch, instructions).iter().enumerate() {
        let both = Both { tal: directory.join(format!("m{i}.tal")), gnu: directory.join(format!("m{i}.s")) };
        write(&both.tal, &module.tal)?;
        write(&both.gnu, &module.gnu)?;
        modules.push(both);
    }
    Ok(modules)
}

/// The modules of all examples and of their library, and how many instructions they have.
fn example_modules(tools: &Tools, arch: Architecture) -> Result<(Vec<Both>, usize), String> {
    let directory = directory()?;
    let built = examples::build_for(tools, arch.arch())?;
    let (mut modules, mut count) = (Vec::new(), 0);
    for module in built.examples.iter().flat_map(|e| &e.own).chain(&built.library) {
        let object =
            std::fs::read(&module.object).map_err(|e| format!("{}: {e}", module.object.display()))?;
        // A module may have data only.
        let Some((source, instructions)) = gas::source(&object, arch)? else { continue };
        let gnu = directory.join(format!("e{}.s", modules.len()));
        write(&gnu, source)?;
        modules.push(Both { tal: module.source.clone(), gnu });
        count += instructions;
    }
    Ok((modules, count))
}

fn talasm(tools: &Tools, arch: Architecture, source: &Path) -> Result<Duration, String> {
    let mut command = tools.tool("talasm");
    command.args(["-f", arch.formats().0]);
    command.arg("-I").arg(examples::interfaces(arch.arch())).arg("-o").arg(directory()?.join("tal.o"));
    timed(command.arg(source))
}

fn gnu_as(arch: Architecture, source: &Path) -> Result<Duration, String> {
    let bits = if arch == Architecture::Ia32 { "--32" } else { "--64" };
    timed(Command::new("as").arg(bits).arg("-o").arg(directory()?.join("gnu.o")).arg(source))
}
