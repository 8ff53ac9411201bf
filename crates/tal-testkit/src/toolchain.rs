//! The toolchain as functions: from the text of modules to a verdict, in memory.

use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};
use talasm::front::{Front, Loader, SysNumbers};
use talasm::problem::Problem;
use talasm::{driver, front};
use talcore::Policy;
use talcore::abi::Abi;
use talcore::arch::Arch;
use talcore::program::Program;
use talcore::types::Types;
use talcore::verdict::{Accept, Reject};
use taldiag::render::{Format, Renderer};
use taldiag::{Code, Diagnostic, Place, Sources};
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
    /// What the messages are about, in the same order: the file's name, and the line of a source, from 1.
    pub places: Vec<Option<(String, usize)>>,
    /// The messages as a person sees them.
    pub text: String,
}

/// A module that has been read.
pub struct Read {
    /// What the front end made of it.
    pub front: Front,
    sources: Sources,
    name: String,
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

/// What the modules ask to be checked under, with a line `; policy: spectre`.
#[must_use]
pub fn policy(modules: &[Module]) -> Policy {
    let asks = |m: &Module| m.text.lines().any(|line| line == "; policy: spectre");
    if modules.iter().any(asks) { Policy::Speculative } else { Policy::Architectural }
}

/// A text that is written for both architectures, once for each of them; any other text as it is.
#[must_use]
pub fn each_arch(text: &str) -> Vec<String> {
    const BOTH: &str = "arch amd64, ia32\n";
    match text.contains(BOTH) {
        true => ["arch amd64\n", "arch ia32\n"].map(|one| text.replace(BOTH, one)).to_vec(),
        false => vec![text.to_string()],
    }
}

/// What a module is written for: AMD64 unless it says otherwise.
#[must_use]
pub fn arch(text: &str) -> Arch {
    let ia32 = text.lines().any(|line| line.split(';').next().is_some_and(|l| l.trim() == "arch ia32"));
    if ia32 { Arch::Ia32 } else { Arch::Amd64 }
}

/// Reads modules in order: each may use those before it.
///
/// # Errors
/// What the front end says about the first module that it refuses.
pub fn read(modules: &[Module]) -> Result<Vec<Read>, Refusal> {
    let files = Files::default();
    let mut all = Vec::new();
    for module in modules {
        files.add(&module.name, &module.text);
        let read = Read::new(&files, Path::new(&module.name))?;
        let stem = module.name.trim_end_matches(".tal");
        files.add(&format!("{stem}.tali"), &read.front.interface);
        all.push(read);
    }
    Ok(all)
}

impl Read {
    fn new(loader: &dyn Loader, path: &Path) -> Result<Read, Refusal> {
        let arch = arch(&String::from_utf8_lossy(&loader.load(path).unwrap_or_default()));
        let abi = Abi::of(arch, &mut Types::default());
        let mut sources = Sources::new();
        let options =
            front::Options { arch, defines: Vec::new(), include: Vec::new(), sys: &abi as &dyn SysNumbers };
        let front = front::parse_module(&mut sources, loader, path, &options)
            .map_err(|all| refusal("talasm", &sources, &all))?;
        Ok(Read { front, sources, name: path.with_extension("o").display().to_string() })
    }

    /// What the assembler makes of the module.
    ///
    /// # Errors
    /// Its messages.
    pub fn assemble(&self, options: &driver::Options) -> Result<InputFile, Refusal> {
        let made = driver::assemble(&self.front.module, &self.front.types, options);
        Ok(self.object(made.map_err(|problems| self.refuse(problems))?.object))
    }

    /// An object of this module.
    pub(crate) fn object(&self, bytes: Vec<u8>) -> InputFile {
        InputFile { name: self.name.clone(), bytes }
    }

    /// What the assembler says about problems in this module.
    pub(crate) fn refuse(&self, problems: Vec<Problem>) -> Refusal {
        let all: Vec<Diagnostic> = problems.into_iter().map(|p| p.diagnostic(&self.front.files)).collect();
        refusal("talasm", &self.sources, &all)
    }
}

/// Assembles modules in order: each may use those before it.
///
/// # Errors
/// What the assembler says about the first module that it refuses.
pub fn assemble(modules: &[Module]) -> Result<Vec<InputFile>, Refusal> {
    let options = driver::Options { policy: policy(modules), ..driver::Options::default() };
    read(modules)?.iter().map(|r| r.assemble(&options)).collect()
}

/// Assembles a file of the file system, with debugging information.
///
/// # Errors
/// What the assembler says.
pub fn assemble_file(path: &Path) -> Result<InputFile, Refusal> {
    let options = driver::Options { debug: Some(".".into()), ..driver::Options::default() };
    Read::new(&front::ReadFiles, path)?.assemble(&options)
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
    let modules = modules(text);
    finish(&modules, assemble(&modules)?)
}

/// Links and checks objects: a program if the modules have an entry, else each object by itself. Returns the
/// executable, if it is one.
///
/// # Errors
/// What the linker or the checker says.
pub fn finish(modules: &[Module], objects: Vec<InputFile>) -> Result<Option<Vec<u8>>, Refusal> {
    let mut program = None;
    for image in images(modules, objects)? {
        image.check_under(policy(modules))?;
        if let Image::Program(bytes) = image {
            program = Some(bytes);
        }
    }
    Ok(program)
}

/// What was linked, and is not checked yet.
pub enum Image {
    /// An executable.
    Program(Vec<u8>),
    /// A module by itself.
    Module(Box<tallink::Module>),
}

impl Image {
    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Image::Program(bytes) => bytes,
            Image::Module(module) => &module.image,
        }
    }

    /// Everything but the functions' code, checked.
    ///
    /// # Errors
    /// The reason of the rejection.
    pub fn load(&self) -> Result<Program<'_>, Box<Reject>> {
        match self {
            Image::Program(bytes) => talcore::check::load(bytes),
            Image::Module(module) => {
                let elf = talcore::elf::read(&module.image)?;
                talcore::check::load_module(
                    elf.arch,
                    elf.segments,
                    &elf.notes,
                    (module.gate, module.restorer),
                )
            }
        }
    }

    /// The verdict.
    ///
    /// # Errors
    /// The rejection.
    pub fn check(&self) -> Result<Accept, Refusal> {
        self.check_under(Policy::default())
    }

    fn check_under(&self, policy: Policy) -> Result<Accept, Refusal> {
        let verdict = match self {
            Image::Program(bytes) => talcheck::check_under(bytes, policy),
            Image::Module(module) => talcheck::check_module(module, policy),
        };
        verdict.map_err(|reject| from_checker(self.bytes(), &reject))
    }
}

/// Links objects: to a program if the modules have an entry, else each object by itself.
///
/// # Errors
/// What the linker says.
pub fn images(modules: &[Module], objects: Vec<InputFile>) -> Result<Vec<Image>, Refusal> {
    if modules.iter().any(|m| m.text.contains("fn _start")) {
        return Ok(vec![Image::Program(link(objects)?)]);
    }
    let module = |object| match tallink::link_module(object) {
        Ok(module) => Ok(Image::Module(Box::new(module))),
        Err(errors) => Err(from_linker(&errors)),
    };
    objects.into_iter().map(module).collect()
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
    let place = |d: &Diagnostic| {
        let place = &d.labels.iter().find(|l| l.primary)?.place;
        let line = match place {
            Place::Source { file, range } => sources.position(*file, range.start).line,
            _ => 0,
        };
        Some((sources.name(place.file()).to_string(), line))
    };
    let places = all.iter().map(place).collect();
    Refusal { codes, places, text: Renderer::new(tool, Format::Human).render(sources, all) }
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
