//! Diagnostics as plain data, with renderers.
//!
//! A tool builds [`Diagnostic`]s, registers the files they speak of in [`Sources`], and hands both
//! to [`render::Renderer`]. Nothing here does input or output by itself, except for reading
//! whether a stream is a terminal.
//!
//! ```
//! use taldiag::{Code, Diagnostic, Sources};
//! use taldiag::render::{Format, Renderer};
//!
//! let mut sources = Sources::new();
//! let file = sources.add("hello.tal", "start:\n    mov eax, ebz\n");
//! let d = Diagnostic::error(Code(1301), "`ebz` is no register")
//!     .primary(file, 20..23, "not a register")
//!     .help("general registers are eax, ebx, ecx, ...");
//! let text = Renderer::new("talasm", Format::Short).render(&sources, &[d]);
//! assert_eq!(text, "hello.tal:2:14: error[TAL1301]: `ebz` is no register\n");
//! ```

pub mod codes;
pub mod render;
mod sources;

pub use sources::{FileId, Position, Sources};

use std::fmt;
use std::ops::Range;

/// The number of a kind of error: printed as `TALnnnn`, and explained by the page of that name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct Code(pub u16);

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TAL{:04}", self.0)
    }
}

impl std::str::FromStr for Code {
    type Err = String;

    /// Reads `TAL0301`, `tal0301` or `301`.
    fn from_str(s: &str) -> Result<Code, String> {
        let digits = match s.get(..3) {
            Some(p) if p.eq_ignore_ascii_case("tal") => &s[3..],
            _ => s,
        };
        let plain = !digits.is_empty() && digits.len() <= 4 && digits.bytes().all(|b| b.is_ascii_digit());
        let number = if plain { digits.parse().ok() } else { None };
        number.map(Code).ok_or_else(|| format!("`{s}` is no error code; error codes look like TAL0301"))
    }
}

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub enum Severity {
    /// The input is refused.
    Error,
    /// The input is accepted, but probably not what was meant.
    Warning,
    /// Information only.
    Note,
}

impl Severity {
    /// The word that is printed.
    pub fn word(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A function or object that an address lies in. Comes from symbol tables, so it helps people only.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Symbol {
    /// The symbol's name.
    pub name: String,
    /// Bytes from the symbol's address to the place.
    pub offset: u64,
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.offset {
            0 => write!(f, "{}", self.name),
            n => write!(f, "{}+{n:#x}", self.name),
        }
    }
}

/// Where something is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// In a source text.
    Source {
        /// The text's file.
        file: FileId,
        /// Bytes of the text, from 0. Ranges outside the text are cut.
        range: Range<usize>,
    },
    /// In an executable or an object.
    Binary {
        /// The file.
        file: FileId,
        /// The address when loaded.
        address: u64,
        /// What lies there, if symbols tell.
        symbol: Option<Symbol>,
        /// The bytes of the instruction there, if any.
        bytes: Vec<u8>,
        /// The instruction as text, if any.
        instruction: Option<String>,
    },
    /// At an offset in a file that is not (or not yet) seen as an image.
    Offset {
        /// The file.
        file: FileId,
        /// Bytes from the start of the file.
        offset: u64,
    },
    /// A file as a whole.
    File {
        /// The file.
        file: FileId,
    },
}

impl Place {
    /// The file of this place.
    pub fn file(&self) -> FileId {
        match *self {
            Place::Source { file, .. }
            | Place::Binary { file, .. }
            | Place::Offset { file, .. }
            | Place::File { file } => file,
        }
    }

    /// An address in a binary, about which nothing else is known yet.
    pub fn address(file: FileId, address: u64) -> Place {
        Place::Binary { file, address, symbol: None, bytes: Vec::new(), instruction: None }
    }
}

/// A place with something to say about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Label {
    /// Where.
    pub place: Place,
    /// What. May be empty.
    pub text: String,
    /// Whether this is what the diagnostic is about, rather than context.
    pub primary: bool,
}

/// One thing to tell a person.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Diagnostic {
    /// Which kind of error.
    pub code: Code,
    /// How bad.
    pub severity: Severity,
    /// The reason in one line, without a full stop.
    pub message: String,
    /// Places, the primary ones being those to look at first.
    pub labels: Vec<Label>,
    /// What was known: one fact or thought each.
    pub notes: Vec<String>,
    /// What to do about it.
    pub helps: Vec<String>,
}

impl Diagnostic {
    /// A diagnostic without places.
    pub fn new(severity: Severity, code: Code, message: impl Into<String>) -> Diagnostic {
        let message = message.into();
        Diagnostic { code, severity, message, labels: Vec::new(), notes: Vec::new(), helps: Vec::new() }
    }

    /// An error without places.
    pub fn error(code: Code, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(Severity::Error, code, message)
    }

    /// A warning without places.
    pub fn warning(code: Code, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(Severity::Warning, code, message)
    }

    /// Adds a place in a source text that this is about.
    pub fn primary(self, file: FileId, range: Range<usize>, text: impl Into<String>) -> Diagnostic {
        self.label(Place::Source { file, range }, text, true)
    }

    /// Adds a place in a source text that helps to understand.
    pub fn secondary(self, file: FileId, range: Range<usize>, text: impl Into<String>) -> Diagnostic {
        self.label(Place::Source { file, range }, text, false)
    }

    /// Adds a place of any kind that this is about.
    pub fn at(self, place: Place, text: impl Into<String>) -> Diagnostic {
        self.label(place, text, true)
    }

    /// Adds a place of any kind that helps to understand.
    pub fn near(self, place: Place, text: impl Into<String>) -> Diagnostic {
        self.label(place, text, false)
    }

    /// Adds a place.
    pub fn label(mut self, place: Place, text: impl Into<String>, primary: bool) -> Diagnostic {
        self.labels.push(Label { place, text: text.into(), primary });
        self
    }

    /// Adds something that was known.
    pub fn note(mut self, text: impl Into<String>) -> Diagnostic {
        self.notes.push(text.into());
        self
    }

    /// Adds advice.
    pub fn help(mut self, text: impl Into<String>) -> Diagnostic {
        self.helps.push(text.into());
        self
    }

    /// The label to point at when there is room for one only: the first primary one, else the first.
    pub fn main_label(&self) -> Option<&Label> {
        self.labels.iter().find(|l| l.primary).or(self.labels.first())
    }
}
