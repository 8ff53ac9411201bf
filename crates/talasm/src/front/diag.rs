//! Collecting messages: with spans of this run, turned into [`taldiag::Diagnostic`]s at its end.

use crate::ir::Span;
use taldiag::{Code, Diagnostic, FileId, Place, Severity};

/// After this many errors a run stops complaining.
const MOST: usize = 100;

/// A message under construction.
#[derive(Clone, Debug)]
pub(super) struct Message {
    severity: Severity,
    code: u16,
    message: String,
    labels: Vec<(Span, String, bool)>,
    notes: Vec<String>,
    helps: Vec<String>,
}

impl Message {
    /// Adds a place that this is about.
    pub(super) fn at(&mut self, span: Span, text: impl Into<String>) -> &mut Message {
        self.labels.push((span, text.into(), true));
        self
    }

    /// Adds a place that helps to understand.
    pub(super) fn near(&mut self, span: Span, text: impl Into<String>) -> &mut Message {
        self.labels.push((span, text.into(), false));
        self
    }

    /// Adds something that was known.
    pub(super) fn note(&mut self, text: impl Into<String>) -> &mut Message {
        self.notes.push(text.into());
        self
    }

    /// Adds advice.
    pub(super) fn help(&mut self, text: impl Into<String>) -> &mut Message {
        self.helps.push(text.into());
        self
    }

    /// Adds the suggestion `did you mean`, if there is one.
    pub(super) fn suggest(&mut self, word: Option<&str>) -> &mut Message {
        if let Some(word) = word {
            self.helps.push(format!("did you mean `{word}`?"));
        }
        self
    }
}

/// The messages of a run.
#[derive(Default, Debug)]
pub(super) struct Diags {
    list: Vec<Message>,
    errors: usize,
}

impl Diags {
    /// A new error.
    pub(super) fn error(&mut self, code: u16, message: impl Into<String>) -> &mut Message {
        self.errors += 1;
        self.push(Severity::Error, code, message.into())
    }

    fn push(&mut self, severity: Severity, code: u16, message: String) -> &mut Message {
        // Beyond the limit the last one is overwritten, so that a hostile file costs no memory.
        if self.list.len() > MOST {
            self.list.pop();
        }
        let none = (Vec::new(), Vec::new(), Vec::new());
        self.list.push(Message { severity, code, message, labels: none.0, notes: none.1, helps: none.2 });
        let last = self.list.len() - 1;
        &mut self.list[last]
    }

    /// The number of errors so far.
    pub(super) fn errors(&self) -> usize {
        self.errors
    }

    /// Whether so much is wrong that going on helps nobody.
    pub(super) fn full(&self) -> bool {
        self.errors > MOST
    }

    /// All messages, each once, in order of places.
    pub(super) fn finish(mut self, files: &[FileId]) -> Vec<Diagnostic> {
        let more = self.list.len() > MOST;
        self.list.truncate(MOST);
        let place = |m: &Message| m.labels.first().map_or((0, 0), |l| (l.0.file, l.0.start));
        self.list.sort_by_key(place);
        let mut out: Vec<Diagnostic> = Vec::new();
        for m in self.list {
            let mut d = Diagnostic::new(m.severity, Code(m.code), m.message);
            for (span, text, primary) in m.labels {
                let Some(&file) = files.get(span.file as usize) else { continue };
                if text.is_empty() && span.end == 0 {
                    d = d.at(Place::File { file }, "");
                    continue;
                }
                let range = span.start as usize..span.end as usize;
                d = if primary { d.primary(file, range, text) } else { d.secondary(file, range, text) };
            }
            d.notes = m.notes;
            d.helps = m.helps;
            if out.last() != Some(&d) {
                out.push(d);
            }
        }
        if more {
            out.push(
                Diagnostic::error(Code(1011), format!("too many errors: the first {MOST} are shown"))
                    .help("mend the first ones: later ones often follow from them"),
            );
        }
        out
    }
}
