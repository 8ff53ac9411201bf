//! Several lines with the source, for a person at a terminal.

use super::{hex, one_line, plain};
use crate::sources::floor_char;
use crate::{Diagnostic, FileId, Label, Place, Severity, Sources, codes};
use ariadne::{Cache, Color, Config, IndexType, Report, ReportKind, Source};
use std::collections::BTreeMap;
use std::fmt::{Display, Write};
use std::ops::Range;

const BOLD: &str = "\x1b[1m";
const BLUE: &str = "\x1b[34m";
const RESET: &str = "\x1b[0m";

pub(super) fn render(out: &mut String, color: bool, texts: &mut Texts<'_>, d: &Diagnostic) {
    let sources = texts.sources;
    let paint = if color { severity_code(d.severity) } else { "" };
    let (bold, reset) = if color { (BOLD, RESET) } else { ("", "") };
    let message = plain(&d.message);
    let _ = writeln!(out, "{paint}{}[{}]{reset}{bold}: {message}{reset}", d.severity, d.code);
    excerpts(out, color, texts, d);
    for label in &d.labels {
        binary(out, color, sources, label);
    }
    d.notes.iter().for_each(|n| trailer(out, color, "note", n));
    d.helps.iter().for_each(|h| trailer(out, color, "help", h));
    if codes::find(d.code).is_some() {
        trailer(out, color, "see", &format!("talcheck --explain {}", d.code));
    }
    out.push('\n');
}

fn severity_code(s: Severity) -> &'static str {
    match s {
        Severity::Error => "\x1b[1;31m",
        Severity::Warning => "\x1b[1;33m",
        Severity::Note => "\x1b[1;36m",
    }
}

/// `  = word: text`, further lines of the text indented to below its first.
fn trailer(out: &mut String, color: bool, word: &str, text: &str) {
    let text = plain(text).replace('\n', &format!("\n{:1$}", "", word.len() + 6));
    let (bold, reset) = if color { (BOLD, RESET) } else { ("", "") };
    let _ = writeln!(out, "  = {bold}{word}{reset}: {text}");
}

/// A label that is not in a source text.
fn binary(out: &mut String, color: bool, sources: &Sources, label: &Label) {
    if matches!(&label.place, Place::Source { file, .. } if sources.text(*file).is_some()) {
        return;
    }
    let (blue, reset) = if color { (BLUE, RESET) } else { ("", "") };
    let arrow = if label.primary { "-->" } else { ":::" };
    let _ = writeln!(out, "  {blue}{arrow}{reset} {}", one_line(&super::place(sources, &label.place)));
    let mut margin = 3;
    if let Place::Binary { address, bytes, instruction, .. } = &label.place
        && (!bytes.is_empty() || instruction.is_some())
    {
        let head = format!("{address:x}:  {}  ", hex(bytes));
        margin += 2 + head.chars().count();
        let text = one_line(instruction.as_deref().unwrap_or(""));
        let _ = writeln!(out, "   {blue}|{reset} {}", format!("{head}{text}").trim_end());
        if instruction.is_some() {
            let mark = if label.primary { "^" } else { "-" }.repeat(text.chars().count().max(1));
            let _ = writeln!(out, "   {blue}|{reset} {:1$}{mark}", "", margin - 5);
        }
    }
    if !label.text.is_empty() {
        let text = plain(&label.text).replace('\n', "\n   | ");
        let _ = writeln!(out, "   {blue}|{reset} {text}");
    }
}

type Span = (FileId, Range<usize>);

/// The lines of source texts that labels point at.
fn excerpts(out: &mut String, color: bool, texts: &mut Texts<'_>, d: &Diagnostic) {
    let sources = texts.sources;
    let mut labels: Vec<(Span, &Label)> =
        d.labels.iter().filter_map(|l| Some((span(sources, l)?, l))).collect();
    let Some((at, _)) = labels.iter().find(|l| l.1.primary).or(labels.first()).cloned() else { return };
    // Ariadne makes one excerpt of labels that follow each other in a file.
    labels.sort_by_key(|(span, _)| (span.0 != at.0, span.0, span.1.start));
    let paint = match d.severity {
        Severity::Error => Color::Red,
        Severity::Warning => Color::Yellow,
        Severity::Note => Color::Cyan,
    };
    let config = Config::default().with_color(color).with_index_type(IndexType::Byte).with_tab_width(4);
    let mut report = Report::build(ReportKind::Error, at).with_config(config);
    for (span, label) in &labels {
        let color = if label.primary { paint } else { Color::Blue };
        let l = ariadne::Label::new(span.clone()).with_color(color);
        let text = one_line(&label.text);
        let text = if text.is_empty() && label.primary { "here".into() } else { text };
        report.add_label(if text.is_empty() { l } else { l.with_message(text) });
    }
    let mut bytes = Vec::new();
    // Writing to memory does not fail; if it ever does, the message itself is already out.
    if report.finish().write(texts, &mut bytes).is_ok() {
        // The first line is ariadne's own headline. Its other lines are padded with spaces.
        for line in String::from_utf8_lossy(&bytes).lines().skip(1) {
            let _ = writeln!(out, "{}", line.trim_end());
        }
    }
}

/// The range of a label in a source text, made valid.
fn span(sources: &Sources, label: &Label) -> Option<Span> {
    let Place::Source { file, range } = &label.place else { return None };
    let text = sources.text(*file)?;
    let start = floor_char(text, range.start);
    let end = floor_char(text, range.end).max(start);
    Some((*file, start..end))
}

/// The texts in the form that ariadne wants. A large file with many errors is prepared only once.
pub(super) struct Texts<'a> {
    sources: &'a Sources,
    read: BTreeMap<FileId, Source<String>>,
}

impl<'a> Texts<'a> {
    pub(super) fn new(sources: &'a Sources) -> Texts<'a> {
        Texts { sources, read: BTreeMap::new() }
    }
}

impl Cache<FileId> for &mut Texts<'_> {
    type Storage = String;

    fn fetch(&mut self, id: &FileId) -> Result<&Source<String>, impl std::fmt::Debug> {
        let text = || Source::from(plain(self.sources.text(*id).unwrap_or("")));
        Ok::<_, std::convert::Infallible>(self.read.entry(*id).or_insert_with(text))
    }

    fn display<'a>(&self, id: &'a FileId) -> Option<impl Display + 'a> {
        Some(one_line(self.sources.name(*id)))
    }
}
