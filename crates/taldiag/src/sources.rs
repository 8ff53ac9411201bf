//! The files that diagnostics speak of.

/// A file that was registered in a [`Sources`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct FileId(u32);

/// A line and a column, both from 1. Columns count characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

struct File {
    name: String,
    text: Option<String>,
    /// The byte offset at which each line starts.
    lines: Vec<usize>,
}

/// Names of files, and the texts of those that are texts.
#[derive(Default)]
pub struct Sources {
    files: Vec<File>,
}

impl Sources {
    /// No files.
    pub fn new() -> Sources {
        Sources::default()
    }

    /// Registers a source text.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<String>) -> FileId {
        let text = text.into();
        let ends = text.bytes().enumerate().filter(|b| b.1 == b'\n').map(|b| b.0 + 1);
        let lines = std::iter::once(0).chain(ends).collect();
        self.push(File { name: name.into(), text: Some(text), lines })
    }

    /// Registers a file that is not shown as text.
    pub fn add_binary(&mut self, name: impl Into<String>) -> FileId {
        self.push(File { name: name.into(), text: None, lines: Vec::new() })
    }

    fn push(&mut self, file: File) -> FileId {
        self.files.push(file);
        FileId((self.files.len() - 1) as u32)
    }

    /// The name under which the file was registered.
    pub fn name(&self, file: FileId) -> &str {
        self.files.get(file.0 as usize).map_or("?", |f| &f.name)
    }

    /// The text, if the file is a text.
    pub fn text(&self, file: FileId) -> Option<&str> {
        self.files.get(file.0 as usize)?.text.as_deref()
    }

    /// The line and column of a byte offset. Offsets beyond the end mean the end.
    pub fn position(&self, file: FileId, offset: usize) -> Position {
        let Some(f) = self.files.get(file.0 as usize) else { return Position { line: 1, column: 1 } };
        let text = f.text.as_deref().unwrap_or("");
        let offset = floor_char(text, offset);
        let line = f.lines.partition_point(|&start| start <= offset).max(1);
        let start = f.lines.get(line - 1).copied().unwrap_or(0);
        Position { line, column: text[start..offset].chars().count() + 1 }
    }

    /// The bytes of a line counted from 1, without its end.
    pub fn line_range(&self, file: FileId, line: usize) -> Option<std::ops::Range<usize>> {
        let f = self.files.get(file.0 as usize)?;
        let text = f.text.as_deref()?;
        let start = *f.lines.get(line.checked_sub(1)?)?;
        let end = f.lines.get(line).map_or(text.len(), |next| next - 1);
        Some(start..end.max(start))
    }
}

/// The largest character boundary that is at most `offset`.
pub(crate) fn floor_char(text: &str, offset: usize) -> usize {
    let mut at = offset.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
