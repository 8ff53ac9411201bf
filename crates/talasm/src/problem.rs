//! A mistake in the source, as the stages of the assembler report it: spans, no files yet.

use crate::ir::Span;
use taldiag::{Code, Diagnostic, FileId};

/// What is wrong, where, and what to do about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// The error code, printed as `TALnnnn`.
    pub code: u16,
    /// Where.
    pub span: Span,
    /// The reason in one line, without a full stop.
    pub message: String,
    /// What to write at the place itself.
    pub label: String,
    /// Further places that help to understand.
    pub near: Vec<(Span, String)>,
    /// What was known.
    pub notes: Vec<String>,
    /// What to do about it.
    pub helps: Vec<String>,
}

impl Problem {
    /// A problem at a place.
    pub fn new(code: u16, span: Span, message: impl Into<String>) -> Problem {
        Problem {
            code,
            span,
            message: message.into(),
            label: String::new(),
            near: Vec::new(),
            notes: Vec::new(),
            helps: Vec::new(),
        }
    }

    /// Says what to write at the place.
    pub fn label(mut self, text: impl Into<String>) -> Problem {
        self.label = text.into();
        self
    }

    /// Adds a place.
    pub fn near(mut self, span: Span, text: impl Into<String>) -> Problem {
        self.near.push((span, text.into()));
        self
    }

    /// Adds something that was known.
    pub fn note(mut self, text: impl Into<String>) -> Problem {
        self.notes.push(text.into());
        self
    }

    /// Adds advice.
    pub fn help(mut self, text: impl Into<String>) -> Problem {
        self.helps.push(text.into());
        self
    }

    /// The problem as a diagnostic; `files` are the files that spans speak of.
    pub fn diagnostic(self, files: &[FileId]) -> Diagnostic {
        let file = |span: Span| files.get(span.file as usize).copied();
        let range = |span: Span| span.start as usize..span.end as usize;
        let mut d = Diagnostic::error(Code(self.code), self.message);
        if let Some(id) = file(self.span) {
            d = d.primary(id, range(self.span), self.label);
        }
        for (span, text) in self.near {
            if let Some(id) = file(span) {
                d = d.secondary(id, range(span), text);
            }
        }
        d.notes = self.notes;
        d.helps = self.helps;
        d
    }
}
