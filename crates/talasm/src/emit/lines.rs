//! Line numbers of source positions.

use crate::ir::{Module, Span};

/// Where the lines of each source file start.
pub struct Lines {
    starts: Vec<Vec<u32>>,
}

impl Lines {
    /// The lines of the module's files.
    pub fn new(module: &Module) -> Lines {
        let starts = |text: &str| {
            let ends = text.bytes().zip(1u32..).filter(|b| b.0 == b'\n').map(|b| b.1);
            std::iter::once(0).chain(ends).collect()
        };
        Lines { starts: module.files.iter().map(|f| starts(&f.1)).collect() }
    }

    /// The line of a position, from 1.
    pub fn line(&self, span: Span) -> u32 {
        let starts = self.starts.get(span.file as usize).map_or(&[][..], |s| s);
        (starts.partition_point(|&s| s <= span.start) as u32).max(1)
    }

    /// The text of a line, without its end; `number` counts from 1.
    pub fn text<'a>(&self, module: &'a Module, file: u16, number: u32) -> &'a str {
        let Some((_, text)) = module.files.get(file as usize) else { return "" };
        let starts = &self.starts[file as usize];
        let at = |n: u32| starts.get(n as usize).map_or(text.len(), |&s| s as usize);
        text.get(at(number - 1)..at(number)).unwrap_or("").trim_end_matches(['\n', '\r'])
    }

    /// How many lines a file has.
    pub fn count(&self, file: u16) -> u32 {
        self.starts.get(file as usize).map_or(0, |s| s.len() as u32)
    }
}
