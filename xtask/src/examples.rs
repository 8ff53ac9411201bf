//! `cargo xtask examples`: builds every example.

use crate::Done;
use crate::tools::{self, Tools, files, root, target};
use std::path::{Path, PathBuf};

/// Builds all and prints where they are.
pub(crate) fn run() -> Done {
    let tools = Tools::build()?;
    for program in build_all(&tools)? {
        println!("{}", program.strip_prefix(root()).unwrap_or(&program).display());
    }
    Ok(())
}

/// Builds every `examples/NAME/NAME.tal`, with the other sources of its directory and those of
/// `examples/lib`, to `target/examples/NAME`. Returns the programs in order of their names.
pub(crate) fn build_all(tools: &Tools) -> Result<Vec<PathBuf>, String> {
    let examples = root().join("examples");
    let library = examples.join("lib");
    let mut modules = Vec::new();
    for source in sources(&library)? {
        modules.push(assemble(tools, &source)?);
    }
    let mut programs = Vec::new();
    for name in names()? {
        let mut objects = Vec::new();
        for source in sources(&examples.join(&name))? {
            objects.push(assemble(tools, &source)?);
        }
        let program = target().join("examples").join(&name);
        let mut link = tools.tool("tallink");
        // The modules of the library come whole; what the program does not use is left out.
        link.arg("--gc-sections").arg("-o").arg(&program).args(&objects).args(&modules);
        tools::run(&mut link)?;
        programs.push(program);
    }
    Ok(programs)
}

/// The names of the examples: directories with a source of their own name.
pub(crate) fn names() -> Result<Vec<String>, String> {
    let mains = sources(&root().join("examples"))?;
    let own = |p: &PathBuf| Some(p.file_stem()? == p.parent()?.file_name()?);
    let mains = mains.iter().filter(|p| own(p) == Some(true));
    Ok(mains.filter_map(|p| Some(p.file_stem()?.to_string_lossy().into_owned())).collect())
}

fn sources(directory: &Path) -> Result<Vec<PathBuf>, String> {
    files(directory, &|p| p.extension().is_some_and(|e| e == "tal"))
}

/// Assembles one source to an object below `target/examples/objects`.
fn assemble(tools: &Tools, source: &Path) -> Result<PathBuf, String> {
    let root = root();
    let relative = source.strip_prefix(root.join("examples")).unwrap_or(source);
    let object = target().join("examples/objects").join(relative).with_extension("o");
    if let Some(directory) = object.parent() {
        std::fs::create_dir_all(directory).map_err(|e| format!("{}: {e}", directory.display()))?;
    }
    let mut assembler = tools.tool("talasm");
    let shown = source.strip_prefix(&root).unwrap_or(source);
    assembler.arg("-g").arg("-I").arg("examples/lib").arg("-o").arg(&object).arg(shown);
    tools::run(&mut assembler)?;
    Ok(object)
}
