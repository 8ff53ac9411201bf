//! Just enough of TAL's lexical structure to count what a program's author wrote.

use crate::tools::{files, read, root};
use std::collections::BTreeSet;
use std::ops::AddAssign;
use std::path::{Path, PathBuf};

/// Statements that are no instructions: they say what memory is from there on.
const STATEMENTS: [&str; 6] = ["split", "join", "cursor", "advance", "end", "restore"];

/// What there is in sources.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Counts {
    /// Lines that are neither empty nor comment.
    pub lines: usize,
    /// Types of functions.
    pub signatures: usize,
    /// Types that have names: structs, unions, and others.
    pub types: usize,
    /// Annotations inside of functions: facts at labels, and statements that are no instructions.
    pub inside: usize,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Counts) {
        self.lines += other.lines;
        self.signatures += other.signatures;
        self.types += other.types;
        self.inside += other.inside;
    }
}

/// Counts what is in a source.
pub(crate) fn count(text: &str) -> Counts {
    let mut counts = Counts::default();
    for line in text.lines().map(|l| code(l).trim()).filter(|l| !l.is_empty()) {
        counts.lines += 1;
        let mut rest = line.strip_prefix("pub ").unwrap_or(line);
        let first = |rest: &str| rest.split_whitespace().next().unwrap_or_default().to_string();
        match first(rest).as_str() {
            "fn" => counts.signatures += 1,
            "struct" | "union" | "type" => counts.types += 1,
            _ => {}
        }
        // What stands behind a label.
        let is_label = |l: &str| l.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '.');
        if let Some((_, after)) = rest.split_once(':').filter(|(label, _)| is_label(label)) {
            rest = after.trim_start();
        }
        let annotated = rest.starts_with('{') && line.starts_with('.');
        if annotated || STATEMENTS.contains(&first(rest).as_str()) {
            counts.inside += 1;
        }
    }
    counts
}

/// A line without its comment.
fn code(line: &str) -> &str {
    let mut quote = None;
    for (i, c) in line.char_indices() {
        match (quote, c) {
            (None, ';') => return line.get(..i).unwrap_or(line),
            (None, '"' | '\'') => quote = Some(c),
            (Some(q), c) if q == c => quote = None,
            _ => {}
        }
    }
    line
}

/// The sources of a directory of the examples, without those that IA-32 has instead.
pub(crate) fn sources(directory: &Path) -> Result<Vec<PathBuf>, String> {
    let own = directory.join("ia32");
    files(directory, &|p| p.extension().is_some_and(|e| e == "tal") && !p.starts_with(&own))
}

/// The modules that a source uses.
pub(crate) fn uses(source: &str) -> Vec<String> {
    let name = |line: &str| {
        let rest = line.trim().strip_prefix("use ")?;
        rest.split(|c: char| c.is_whitespace() || c == ';').find(|w| !w.is_empty()).map(String::from)
    };
    source.lines().filter_map(name).collect()
}

/// What is in the sources of an example, and what is in the modules of the library that it uses.
pub(crate) fn example(name: &str) -> Result<(Counts, Counts), String> {
    let directory = root().join("examples");
    let (mut own, mut library) = (Counts::default(), Counts::default());
    let mut waiting = Vec::new();
    for path in sources(&directory.join(name))? {
        let text = read(&path)?;
        own += count(&text);
        waiting.extend(uses(&text));
    }
    let mut seen = BTreeSet::new();
    while let Some(module) = waiting.pop() {
        let path = directory.join("lib").join(&module).with_extension("tal");
        if path.is_file() && seen.insert(module) {
            let text = read(&path)?;
            library += count(&text);
            waiting.extend(uses(&text));
        }
    }
    Ok((own, library))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn used_modules_are_found() {
        let source = "; use no\narch amd64\nuse io\nuse say   ; to say\n  use args;x\nuser x\n";
        assert_eq!(uses(source), ["io", "say", "args"]);
    }

    #[test]
    fn what_is_written_is_counted() {
        let text = "; no\narch amd64\n\npub struct s { a: int }\ntype t = own s\nfn f[n](rdi: &[n]) \\\n        {1 <= n}\n\
                    .a: {rcx: int(i), i <= n} ; fn\n        mov     al, ';'\n.b:     split   rdi\n        endbr64\n        ret\n";
        assert_eq!(count(text), Counts { lines: 10, signatures: 1, types: 2, inside: 2 });
    }
}
