//! Workflow commands of GitHub Actions, which make annotations of a pull request.

use super::place;
use crate::{Diagnostic, Place, Severity, Sources};
use std::fmt::Write;

pub(super) fn render(out: &mut String, sources: &Sources, d: &Diagnostic) {
    let command = match d.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "notice",
    };
    let _ = write!(out, "::{command} ");
    if let Some(label) = d.main_label() {
        let _ = write!(out, "file={},", property(sources.name(label.place.file())));
        if let Place::Source { file, range } = &label.place {
            let (from, to) = (sources.position(*file, range.start), sources.position(*file, range.end));
            let _ = write!(out, "line={},col={},", from.line, from.column);
            if to.line == from.line {
                let _ = write!(out, "endColumn={},", to.column);
            } else {
                let _ = write!(out, "endLine={},", to.line);
            }
        }
    }
    let _ = write!(out, "title={}::{}", d.code, data(&d.message));
    for l in &d.labels {
        let colon = if l.text.is_empty() { "" } else { ": " };
        let _ = write!(out, "%0A{}{colon}{}", data(&place(sources, &l.place)), data(&l.text));
    }
    for text in &d.notes {
        let _ = write!(out, "%0Anote: {}", data(text));
    }
    for text in &d.helps {
        let _ = write!(out, "%0Ahelp: {}", data(text));
    }
    out.push('\n');
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
