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

/// A label that is not in a source text, or in a line that nobody reads as a whole.
fn binary(out: &mut String, color: bool, sources: &Sources, label: &Label) {
    if matches!(span(sources, label), Some(span) if !is_long(sources, &span)) {
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
    if let Some(span) = span(sources, label) {
        let _ = writeln!(out, "   {blue}|{reset} {}", piece(sources, &span));
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
    labels.retain(|(span, _)| !is_long(sources, span));
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

/// Lines of more bytes are not shown as a whole: a message would become as long as the source, for each error in it.
const LONG_LINE: usize = 1000;

/// Whether the lines of a span are too long to be shown.
fn is_long(sources: &Sources, (file, range): &Span) -> bool {
    let Some(text) = sources.text(*file) else { return false };
    let before = text.get(..range.start).map_or(0, |t| t.bytes().rev().take_while(|b| *b != b'\n').count());
    let inside = text.get(range.clone()).map_or(0, |t| t.split('\n').map(str::len).max().unwrap_or(0));
    let after = text.get(range.end..).map_or(0, |t| t.bytes().take_while(|b| *b != b'\n').count());
    before.max(inside).max(after) > LONG_LINE
}

/// A piece of a long line around the start of a span.
fn piece(sources: &Sources, (file, range): &Span) -> String {
    const BEFORE: usize = 30;
    const AFTER: usize = 60;
    let text = sources.text(*file).unwrap_or("");
    let line = text.get(..range.start).and_then(|t| t.rfind('\n')).map_or(0, |n| n + 1);
    let end = text.get(range.start..).and_then(|t| t.find('\n')).map_or(text.len(), |n| range.start + n);
    let from = floor_char(text, line.max(range.start.saturating_sub(BEFORE)));
    let to = floor_char(text, end.min(range.start + AFTER));
    let dots = |cut| if cut { "..." } else { "" };
    let shown = plain(text.get(from..to).unwrap_or(""));
    format!("{}{}{}", dots(from > line), one_line(&shown).trim_end(), dots(to < end))
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
