//! The toolchain as functions: from the text of modules to a verdict, in memory.

use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};
use talasm::front::{Loader, SysNumbers};
use talasm::{driver, front};
use talcore::abi::Abi;
use talcore::arch::Arch;
use talcore::types::Types;
use talcore::verdict::{Accept, Reject};
use taldiag::render::{Format, Renderer};
use taldiag::{Code, Diagnostic, Sources};
use tallink::{Input, InputFile};

/// The text of a module under the name of its file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Module {
    /// The file's name: `main.tal`.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// Why something was refused: by talasm, tallink or talcheck.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// The codes, in the order in which they were reported. Never empty.
    pub codes: Vec<Code>,
    /// The messages as a person sees them.
    pub text: String,
}

/// Splits a text with lines `;--- name.tal` into modules; what comes before the first one is `main.tal`.
pub fn modules(text: &str) -> Vec<Module> {
    let mut all = vec![Module { name: "main.tal".into(), text: String::new() }];
    for line in text.lines() {
        match (line.strip_prefix(";--- "), all.last_mut()) {
            (Some(name), _) => all.push(Module { name: name.trim().into(), text: String::new() }),
            (None, Some(module)) => {
                module.text.push_str(line);
                module.text.push('\n');
            }
            (None, None) => {}
        }
    }
    all
}

/// Assembles modules in order: each may use those before it.
///
/// # Errors
/// What the assembler says about the first module that it refuses.
pub fn assemble(modules: &[Module]) -> Result<Vec<InputFile>, Refusal> {
    let files = Files::default();
    let mut objects = Vec::new();
    for module in modules {
        files.add(&module.name, &module.text);
        let (object, interface) = one(&files, Path::new(&module.name), &driver::Options::default())?;
        let stem = module.name.trim_end_matches(".tal");
        files.add(&format!("{stem}.tali"), &interface);
        objects.push(object);
    }
    Ok(objects)
}

/// Assembles a file of the file system, with debugging information.
///
/// # Errors
/// What the assembler says.
pub fn assemble_file(path: &Path) -> Result<InputFile, Refusal> {
    let options = driver::Options { debug: Some(".".into()), listing: false };
    one(&front::ReadFiles, path, &options).map(|made| made.0)
}

/// One module's object and interface.
fn one(loader: &dyn Loader, path: &Path, options: &driver::Options) -> Result<(InputFile, String), Refusal> {
    let abi = Abi::amd64(&mut Types::default());
    let mut sources = Sources::new();
    let refuse = |sources: &Sources, all: &[Diagnostic]| refusal("talasm", sources, all);
    let front_options = front::Options {
        arch: Arch::Amd64,
        defines: Vec::new(),
        include: Vec::new(),
        sys: &abi as &dyn SysNumbers,
    };
    let front = front::parse_module(&mut sources, loader, path, &front_options)
        .map_err(|all| refuse(&sources, &all))?;
    let made = driver::assemble(&front.module, &front.types, options).map_err(|all| {
        let all: Vec<Diagnostic> = all.into_iter().map(|p| p.diagnostic(&front.files)).collect();
        refuse(&sources, &all)
    })?;
    let name = path.with_extension("o").display().to_string();
    Ok((InputFile { name, bytes: made.object }, front.interface))
}

/// Links objects to an executable, which is not checked yet.
///
/// # Errors
/// What the linker says.
pub fn link(objects: Vec<InputFile>) -> Result<Vec<u8>, Refusal> {
    let inputs: Vec<Input> = objects.into_iter().map(Input::File).collect();
    let linked = tallink::link(&inputs, &tallink::Options::default());
    linked.map(|out| out.image).map_err(|errors| from_linker(&errors))
}

/// Checks an executable.
///
/// # Errors
/// The rejection.
pub fn check(image: &[u8]) -> Result<Accept, Refusal> {
    talcheck::check(image).map_err(|reject| from_checker(image, &reject))
}

/// Assembles, links and checks: a program if it has an entry, else each module by itself. Returns the executable, if
/// it is one.
///
/// # Errors
/// What the first tool that refuses says.
pub fn build(text: &str) -> Result<Option<Vec<u8>>, Refusal> {
    let objects = assemble(&modules(text))?;
    if text.contains("fn _start") {
        let image = link(objects)?;
        check(&image)?;
        return Ok(Some(image));
    }
    for object in objects {
        let module = tallink::link_module(object).map_err(|errors| from_linker(&errors))?;
        talcheck::check_module(&module).map_err(|reject| from_checker(&module.image, &reject))?;
    }
    Ok(None)
}

fn from_linker(errors: &[tallink::Diagnostic]) -> Refusal {
    let mut sources = Sources::new();
    let all: Vec<Diagnostic> = errors.iter().map(|e| e.report(&mut sources)).collect();
    refusal("tallink", &sources, &all)
}

fn from_checker(image: &[u8], reject: &Reject) -> Refusal {
    let mut sources = Sources::new();
    let program = talcore::check::load(image).ok();
    let d = talcheck::report::rejection(&mut sources, "program", image, program, reject);
    refusal("talcheck", &sources, &[d])
}

fn refusal(tool: &'static str, sources: &Sources, all: &[Diagnostic]) -> Refusal {
    let codes = all.iter().map(|d| d.code).collect();
    Refusal { codes, text: Renderer::new(tool, Format::Human).render(sources, all) }
}

/// Files in memory.
#[derive(Default)]
struct Files {
    files: RefCell<Vec<(PathBuf, String)>>,
}

impl Files {
    fn add(&self, name: &str, text: &str) {
        self.files.borrow_mut().push((name.into(), text.into()));
    }
}

impl Loader for Files {
    fn load(&self, path: &Path) -> io::Result<Vec<u8>> {
        let files = self.files.borrow();
        match files.iter().rev().find(|f| f.0 == path) {
            Some(f) => Ok(f.1.clone().into_bytes()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }
}
