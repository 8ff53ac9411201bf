//! What the linker tells a person: a code, what is wrong, where, and what to do.

use std::fmt;
use taldiag::render::{Format, Renderer};
use taldiag::{Code, Sources};

/// The input is no ELF relocatable of a supported architecture.
pub const NOT_AN_OBJECT: Code = Code(2001);
/// The input is truncated or contradicts itself.
pub const MALFORMED: Code = Code(2002);
/// An archive is malformed or of an unsupported kind.
pub const BAD_ARCHIVE: Code = Code(2003);
/// A section asks for something that static typed programs do not have.
pub const SECTION: Code = Code(2004);
/// A symbol asks for something that static typed programs do not have.
pub const SYMBOL: Code = Code(2005);
/// A relocation of a kind that is not supported.
pub const RELOCATION: Code = Code(2006);
/// A relocation lies outside its section or overlaps another one.
pub const RELOCATION_PLACE: Code = Code(2007);
/// The relocated value does not fit.
pub const OVERFLOW: Code = Code(2008);
/// A symbol is defined more than once.
pub const DUPLICATE: Code = Code(2009);
/// A symbol is used and not defined.
pub const UNDEFINED: Code = Code(2010);
/// The entry point is missing or no code.
pub const ENTRY: Code = Code(2011);
/// A TAL note is malformed as seen by the linker.
pub const NOTE: Code = Code(2012);
/// A name is imported with one type and exported with another.
pub const SEAM: Code = Code(2013);
/// The program does not fit the address range or the file size limit.
pub const TOO_LARGE: Code = Code(2014);
/// A file cannot be read or written, or a library was not found.
pub const FILE: Code = Code(2015);

/// A place in an input.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Spot {
    /// The file, or the archive with the member in parentheses.
    pub file: String,
    /// Where in it: section, offset, symbol. Empty if it is about the whole file.
    pub inside: String,
}

impl From<&str> for Spot {
    fn from(file: &str) -> Spot {
        Spot { file: file.to_string(), inside: String::new() }
    }
}

impl From<&String> for Spot {
    fn from(file: &String) -> Spot {
        Spot::from(file.as_str())
    }
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.inside.is_empty() {
            true => f.write_str(&self.file),
            false => write!(f, "{}:({})", self.file, self.inside),
        }
    }
}

/// One error of the linker.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Diagnostic {
    /// The code: 2001 to 2099, or the checker's when the linked program was rejected.
    pub code: Code,
    /// What is wrong, and why it matters; one line.
    pub message: String,
    /// Places, each with what is there; the first is where to look first.
    pub places: Vec<(Spot, String)>,
    /// What was known.
    pub notes: Vec<String>,
    /// What to do.
    pub helps: Vec<String>,
}

impl Diagnostic {
    /// An error without a place.
    pub fn general(code: Code, message: impl Into<String>) -> Diagnostic {
        let message = message.into();
        Diagnostic { code, message, places: Vec::new(), notes: Vec::new(), helps: Vec::new() }
    }
    /// An error at a place.
    pub fn new(code: Code, place: impl Into<Spot>, message: impl Into<String>) -> Diagnostic {
        Diagnostic::general(code, message).near(place, "")
    }
    /// Adds a place.
    pub fn near(mut self, place: impl Into<Spot>, what: impl Into<String>) -> Diagnostic {
        self.places.push((place.into(), what.into()));
        self
    }
    /// Adds something that was known.
    pub fn note(mut self, note: impl Into<String>) -> Diagnostic {
        self.notes.push(note.into());
        self
    }
    /// Says what to do.
    pub fn help(mut self, help: impl Into<String>) -> Diagnostic {
        self.helps.push(help.into());
        self
    }

    /// The error for taldiag's renderers.
    pub fn report(&self, sources: &mut Sources) -> taldiag::Diagnostic {
        let mut out = taldiag::Diagnostic::error(self.code, &self.message);
        for (i, (spot, what)) in self.places.iter().enumerate() {
            let file = sources.add_binary(&spot.file);
            let text = match (spot.inside.is_empty(), what.is_empty()) {
                (true, _) => what.clone(),
                (_, true) => spot.inside.clone(),
                _ => format!("{}: {what}", spot.inside),
            };
            out = out.label(taldiag::Place::File { file }, text, i == 0);
        }
        out.notes.clone_from(&self.notes);
        out.helps.clone_from(&self.helps);
        out
    }
}

/// Errors as text for a person.
pub fn render(errors: &[Diagnostic], format: Format, color: bool) -> String {
    let mut sources = Sources::new();
    let reports: Vec<_> = errors.iter().map(|e| e.report(&mut sources)).collect();
    Renderer::new("tallink", format).color(color).render(&sources, &reports)
}

/// A name of the linker as people know it, in backticks.
pub(crate) fn named(name: &[u8]) -> String {
    match name.strip_prefix(b"__tal_type_") {
        Some(name) => format!("the abstract type `{}`", show(name)),
        None => format!("`{}`", show(name)),
    }
}

/// A name from a file as text for a message: never control characters, never endless.
pub fn show(name: &[u8]) -> String {
    const LONGEST: usize = 200;
    let cut = &name[..name.len().min(LONGEST)];
    let mut out = String::new();
    for c in String::from_utf8_lossy(cut).chars() {
        if c.is_control() {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    if cut.len() < name.len() {
        out.push_str("...");
    }
    out
}
