//! talasm against GNU as.

use super::{Pairs, directory, heading, program, publish, timed};
use crate::Done;
use crate::tools::{Tools, exists, write};
use std::process::Command;

/// Assembles the modules of a generated program with both, one after the other.
pub(crate) fn run(instructions: usize, runs: usize) -> Done {
    if !exists("as") {
        return Err("GNU as is not installed".into());
    }
    let tools = Tools::build()?;
    let directory = directory()?;
    let modules = program::generate(instructions);
    let (mut tal, mut gnu) = (Vec::new(), Vec::new());
    for (i, module) in modules.iter().enumerate() {
        tal.push(directory.join(format!("m{i}.tal")));
        gnu.push(directory.join(format!("m{i}.s")));
        write(&tal[i], &module.tal)?;
        write(&gnu[i], &module.gnu)?;
    }
    let mut table = heading(&format!("{instructions} instructions"), "talasm", "GNU as") + "\n";
    let mut row = |name: &str, files: usize| -> Done {
        let total = |mut commands: Vec<Box<dyn FnMut() -> Result<std::time::Duration, String>>>| {
            move || commands.iter_mut().map(|c| c()).sum::<Result<std::time::Duration, String>>()
        };
        let ours = tal[..files].iter().map(|file| {
            let (object, binary) = (file.with_extension("o"), tools.tool("talasm").get_program().to_owned());
            let file = file.clone();
            Box::new(timed(move || {
                let mut c = Command::new(&binary);
                c.arg("-o").arg(&object).arg(&file);
                c
            })) as Box<dyn FnMut() -> _>
        });
        let theirs = gnu[..files].iter().map(|file| {
            let (object, file) = (file.with_extension("gnu.o"), file.clone());
            Box::new(timed(move || {
                let mut c = Command::new("as");
                c.arg("-o").arg(&object).arg(&file);
                c
            })) as Box<dyn FnMut() -> _>
        });
        let pairs = Pairs::measure(runs, total(ours.collect()), total(theirs.collect()))?;
        table.push_str(&pairs.row(name));
        table.push('\n');
        Ok(())
    };
    row("first module", 1)?;
    row("all modules", modules.len())?;
    publish("asm", &table)
}
