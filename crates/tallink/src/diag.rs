//! What the linker tells a person: a code, what is wrong, where, and what to do.

use std::fmt;

/// An error code `TALnnnn`; the linker's own are 2001 to 2099.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct Code(pub u16);

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TAL{:04}", self.0)
    }
}

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
/// The linked program was rejected when it was checked again.
pub const RECHECK: Code = Code(2015);
/// A file cannot be read or written, or a library was not found.
pub const FILE: Code = Code(2016);

/// One error.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Diagnostic {
    /// The code.
    pub code: Code,
    /// Where: a file, then section, symbol, offset as far as known. Empty if nowhere.
    pub place: String,
    /// What is wrong, and why it matters; one line.
    pub message: String,
    /// Further places and explanations, one line each.
    pub notes: Vec<String>,
    /// What to do.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error at a place.
    pub fn new(code: Code, place: impl Into<String>, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            code,
            place: place.into(),
            message: message.into(),
            notes: Vec::new(),
            help: None,
        }
    }
    /// Adds a further line.
    pub fn note(mut self, note: impl Into<String>) -> Diagnostic {
        self.notes.push(note.into());
        self
    }
    /// Says what to do.
    pub fn help(mut self, help: impl Into<String>) -> Diagnostic {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error[{}]: {}", self.code, self.message)?;
        if !self.place.is_empty() {
            write!(f, "\n  --> {}", self.place)?;
        }
        for note in &self.notes {
            write!(f, "\n  = {note}")?;
        }
        if let Some(help) = &self.help {
            write!(f, "\n  = help: {help}")?;
        }
        Ok(())
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
