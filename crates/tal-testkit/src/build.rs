//! Assembles and links in memory, for tests.

use std::io;
use std::path::Path;
use talasm::driver;
use talasm::encode::{self, Encoded};
use talasm::front::{self, Front, Loader};
use talasm::problem::Problem;
use talcore::abi::Abi;
use talcore::arch::Arch;
use talcore::types::Types;
use taldiag::render::{Format, Renderer};
use taldiag::{Diagnostic, Sources};
use tallink::{Input, InputFile};

/// An assembled module.
#[derive(Clone, Debug)]
pub struct Object {
    /// The name of the module, under which others use it.
    pub name: String,
    /// The object file.
    pub bytes: Vec<u8>,
    /// The types of what it makes public.
    pub interface: String,
}

/// What is wrong with a source.
pub struct Mistakes {
    /// All mistakes.
    pub list: Vec<Diagnostic>,
    /// The same for a person, with the lines of the source.
    pub text: String,
}

impl std::fmt::Debug for Mistakes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "\n{}", self.text)
    }
}

/// Assembles the text of a module, which may use the modules of `others`.
///
/// # Errors
/// The mistakes in the source.
pub fn assemble(name: &str, text: &str, others: &[&Object]) -> Result<Object, Mistakes> {
    let mut sources = Sources::new();
    assemble_from(name, text, others, &mut sources).map_err(|list| {
        let text = Renderer::new("talasm", Format::Human).color(false).render(&sources, &list);
        Mistakes { list, text }
    })
}

/// The machine code of the text of a module, addresses not yet filled in. Nothing is inferred or proved,
/// so this works for unsafe programs too.
///
/// # Errors
/// The mistakes in the source that do not concern safety.
pub fn encode(name: &str, text: &str) -> Result<Encoded, Vec<Diagnostic>> {
    let front = read(name, text, &[], &mut Sources::new())?;
    encode::encode(&front.module).map_err(|list| diagnostics(list, &front))
}

fn diagnostics(list: Vec<Problem>, front: &Front) -> Vec<Diagnostic> {
    list.into_iter().map(|p| p.diagnostic(&front.files)).collect()
}

fn read(name: &str, text: &str, others: &[&Object], sources: &mut Sources) -> Result<Front, Vec<Diagnostic>> {
    let abi = Abi::of(talcore::arch::Arch::Amd64, &mut Types::default());
    let main = format!("{name}.tal");
    let files = Memory { main: (&main, text), others };
    let options = front::Options { arch: Arch::Amd64, defines: Vec::new(), include: Vec::new(), sys: &abi };
    front::parse_module(sources, &files, Path::new(&main), &options)
}

fn assemble_from(
    name: &str,
    text: &str,
    others: &[&Object],
    sources: &mut Sources,
) -> Result<Object, Vec<Diagnostic>> {
    let front = read(name, text, others, sources)?;
    let made = driver::assemble(&front.module, &front.types, &driver::Options::default())
        .map_err(|list| diagnostics(list, &front))?;
    Ok(Object { name: name.into(), bytes: made.object, interface: front.interface })
}

/// Links modules to an executable. It is not verified yet.
///
/// # Errors
/// What does not fit, for a person.
pub fn link(objects: &[&Object]) -> Result<Vec<u8>, String> {
    let file = |o: &&Object| InputFile { name: format!("{}.o", o.name), bytes: o.bytes.clone() };
    let inputs: Vec<_> = objects.iter().map(file).map(Input::File).collect();
    match tallink::link(&inputs, &tallink::Options::default()) {
        Ok(linked) => Ok(linked.image),
        Err(errors) => Err(tallink::diag::render(&errors, Format::Human, false)),
    }
}

/// Files in memory: a source, and the interfaces of other modules in any directory.
struct Memory<'a> {
    main: (&'a str, &'a str),
    others: &'a [&'a Object],
}

impl Loader for Memory<'_> {
    fn load(&self, path: &Path) -> io::Result<Vec<u8>> {
        if path == Path::new(self.main.0) {
            return Ok(self.main.1.into());
        }
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or("");
        let module = name.strip_suffix(".tali").unwrap_or("");
        let found = self.others.iter().find(|o| o.name == module);
        Ok(found.ok_or(io::ErrorKind::NotFound)?.interface.clone().into())
    }
}
