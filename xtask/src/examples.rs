//! `cargo xtask examples`: builds every example.

use crate::Done;
use crate::tal::uses;
use crate::tools::{self, Tools, files, read, root, target};
use std::path::{Path, PathBuf};
use tal_testkit::archive::archive;
use talcore::arch::Arch;

/// Builds all and prints where they are.
pub(crate) fn run() -> Done {
    let tools = Tools::build()?;
    for program in build_all(&tools)?.into_iter().chain(build_for(&tools, Arch::Ia32)?.programs()) {
        println!("{}", program.strip_prefix(root()).unwrap_or(&program).display());
    }
    Ok(())
}

/// A module of an example.
#[derive(Clone)]
pub(crate) struct Module {
    /// The file in `examples`.
    pub source: PathBuf,
    /// The object below `target/examples`.
    pub object: PathBuf,
}

/// An example that has been built.
pub(crate) struct Example {
    /// The executable.
    pub program: PathBuf,
    /// The modules of its own directory.
    pub own: Vec<Module>,
}

/// All of them.
pub(crate) struct Built {
    /// The modules of `examples/lib`, with which every example is linked.
    pub library: Vec<Module>,
    /// In order of their names.
    pub examples: Vec<Example>,
}

impl Built {
    /// The programs, in order of their names.
    pub(crate) fn programs(self) -> Vec<PathBuf> {
        self.examples.into_iter().map(|e| e.program).collect()
    }
}

/// Where the programs of an architecture are written, with objects and interfaces.
pub(crate) fn output(arch: Arch) -> PathBuf {
    match arch {
        Arch::Amd64 => target().join("examples"),
        Arch::Ia32 => target().join("examples/ia32"),
    }
}

/// Where interfaces are written and looked for.
pub(crate) fn interfaces(arch: Arch) -> PathBuf {
    output(arch).join("interfaces")
}

/// Builds the examples for AMD64 and returns the programs in order of their names.
pub(crate) fn build_all(tools: &Tools) -> Result<Vec<PathBuf>, String> {
    Ok(build(tools)?.programs())
}

/// Builds every `examples/NAME/NAME.tal` for AMD64, with the other sources of its directory and an archive of those of
/// `examples/lib`, to `target/examples/NAME`.
pub(crate) fn build(tools: &Tools) -> Result<Built, String> {
    build_for(tools, Arch::Amd64)
}

/// The same for an architecture; for IA-32 to `target/examples/ia32`.
pub(crate) fn build_for(tools: &Tools, arch: Arch) -> Result<Built, String> {
    let directory = root().join("examples");
    let library = assemble_all(tools, &sources(&directory.join("lib"), arch)?, arch)?;
    let archive = output(arch).join("library.a");
    write_archive(&archive, &library)?;
    let mut examples = Vec::new();
    for name in names(arch)? {
        let own = assemble_all(tools, &sources(&directory.join(&name), arch)?, arch)?;
        let program = output(arch).join(&name);
        let mut link = tools.tool("tallink");
        // Modules of the library come whole; what the program does not use of them is left out.
        link.arg("--gc-sections").arg("-o").arg(&program);
        tools::run(link.args(own.iter().map(|m| &m.object)).arg(&archive))?;
        examples.push(Example { program, own });
    }
    Ok(Built { library, examples })
}

/// An archive of modules.
fn write_archive(path: &Path, modules: &[Module]) -> Result<(), String> {
    let mut members = Vec::new();
    for module in modules {
        let name = module.object.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let bytes = std::fs::read(&module.object).map_err(|e| format!("{}: {e}", module.object.display()))?;
        members.push((name, bytes));
    }
    let members: Vec<_> = members.iter().map(|(name, bytes)| (name.as_str(), &bytes[..])).collect();
    std::fs::write(path, archive(&members)).map_err(|e| format!("{}: {e}", path.display()))
}

/// The names of the examples for an architecture: directories with a source of their own name.
pub(crate) fn names(arch: Arch) -> Result<Vec<String>, String> {
    let directory = root().join("examples");
    let entries = std::fs::read_dir(&directory).map_err(|e| format!("{}: {e}", directory.display()))?;
    let mut names = Vec::new();
    for path in entries.filter_map(|e| Some(e.ok()?.path())).filter(|p| p.is_dir()) {
        let main = |s: &PathBuf| s.file_stem() == path.file_name();
        if sources(&path, arch)?.iter().any(main) {
            names.extend(path.file_name().map(|n| n.to_string_lossy().into_owned()));
        }
    }
    names.sort();
    Ok(names)
}

/// The sources of a directory that are for an architecture: those for both, and what lies in `ia32` for that one.
fn sources(directory: &Path, arch: Arch) -> Result<Vec<PathBuf>, String> {
    let own = directory.join("ia32");
    let source = |p: &Path| p.extension().is_some_and(|e| e == "tal");
    let mut all = files(directory, &|p| source(p) && !p.starts_with(&own))?;
    if arch == Arch::Ia32 {
        let instead = if own.is_dir() { files(&own, &source)? } else { Vec::new() };
        let mut both = Vec::new();
        for path in all {
            let replaced = instead.iter().any(|i| i.file_name() == path.file_name());
            if !replaced && read(&path)?.lines().any(|l| l == "arch amd64, ia32") {
                both.push(path);
            }
        }
        all = [both, instead].concat();
        all.sort();
    }
    Ok(all)
}

/// Assembles sources, each after those that it uses, because it reads their interfaces. Returns them in that order.
fn assemble_all(tools: &Tools, sources: &[PathBuf], arch: Arch) -> Result<Vec<Module>, String> {
    let mut waiting: Vec<(String, &PathBuf, Vec<String>)> = Vec::new();
    for source in sources {
        let name = source.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        waiting.push((name, source, uses(&read(source)?)));
    }
    let mut modules = Vec::new();
    while !waiting.is_empty() {
        let names: Vec<String> = waiting.iter().map(|w| w.0.clone()).collect();
        let ready = waiting.iter().position(|w| !w.2.iter().any(|used| *used != w.0 && names.contains(used)));
        let Some(ready) = ready else {
            return Err(format!("these modules use each other in a circle: {}", names.join(", ")));
        };
        let source = waiting.remove(ready).1;
        modules.push(Module { source: source.clone(), object: assemble(tools, source, arch)? });
    }
    Ok(modules)
}

/// Assembles one source to an object and an interface below `target/examples`.
fn assemble(tools: &Tools, source: &Path, arch: Arch) -> Result<PathBuf, String> {
    let root = root();
    let relative = source.strip_prefix(root.join("examples")).unwrap_or(source);
    let object = output(arch).join("objects").join(relative).with_extension("o");
    let interfaces = interfaces(arch);
    let interface = interfaces.join(source.file_name().unwrap_or_default()).with_extension("tali");
    for directory in [object.parent(), Some(interfaces.as_path())].into_iter().flatten() {
        std::fs::create_dir_all(directory).map_err(|e| format!("{}: {e}", directory.display()))?;
    }
    let mut assembler = tools.tool("talasm");
    let shown = source.strip_prefix(&root).unwrap_or(source);
    assembler.arg("-g").arg("-I").arg(&interfaces).arg("--emit-interface").arg(&interface);
    assembler.args(["-f", if arch == Arch::Ia32 { "elf32" } else { "elf64" }]);
    assembler.arg("-o").arg(&object).arg(shown);
    tools::run(&mut assembler)?;
    Ok(object)
}
