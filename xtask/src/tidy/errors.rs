//! Every error code has a page, every page has its programs, and every code that is raised is known.

use crate::Done;
use crate::source::{Line, classify, code_only};
use crate::tools::read;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use taldiag::{Code, codes};

/// Sections that every page has, in this order.
const SECTIONS: [&str; 4] = ["## Rejected", "## Why", "## What to do", "## Accepted"];

/// Checks the pages against the codes of the core, and their shape.
pub(crate) fn pages(root: &Path, problems: &mut Vec<String>) -> Done {
    let core: BTreeSet<Code> = talcore::verdict::Code::ALL.iter().map(|&c| Code(c as u16)).collect();
    for code in &core {
        if codes::find(*code).is_none() {
            problems.push(format!("docs/errors/{code}.md: talcore rejects with {code}, which has no page"));
        }
    }
    for entry in codes::ALL {
        let name = format!("docs/errors/{}.md", entry.code);
        // Below 1000 are the core's codes, but for those of the tools that read and write files.
        if entry.code.0 < 1000 && !(90..100).contains(&entry.code.0) && !core.contains(&entry.code) {
            problems.push(format!("{name}: talcore has no such code"));
        }
        shape(&name, entry, problems);
    }
    // The catalogue is made by the build; a page that was added since is seen here.
    let directory = root.join("docs/errors");
    for path in crate::tools::files(&directory, &|p| p.extension().is_some_and(|e| e == "md"))? {
        let stem = path.file_stem().and_then(|s| s.to_str()).unwrap_or("");
        let known = stem.parse().ok().and_then(codes::find).is_some();
        if !known && stem != "README" {
            problems.push(format!("docs/errors/{stem}.md: not in the catalogue"));
        }
    }
    Ok(())
}

fn shape(name: &str, entry: &codes::Entry, problems: &mut Vec<String>) {
    let mut rest = entry.page;
    for section in SECTIONS {
        match rest.split_once(&format!("\n{section}\n")) {
            Some((_, after)) => rest = after,
            None => problems.push(format!("{name}: the section `{section}` is missing or out of order")),
        }
    }
    let examples = entry.examples();
    if !examples.iter().any(|e| e.rejected == Some(entry.code)) {
        problems.push(format!("{name}: no block ```tal, ```patch or ```sh reject {}", entry.code));
    }
    if !examples.iter().any(|e| e.rejected.is_none()) {
        problems.push(format!("{name}: no block ```tal or ```sh accept"));
    }
    for e in examples {
        if e.text.trim().is_empty() {
            problems.push(format!("{name}:{}: an empty program", e.line));
        }
    }
}

/// Checks that every `Code(nnnn)` in the tools' sources has a page, and that every page from 1000 on is
/// raised somewhere.
pub(crate) fn used(root: &Path, all: &[PathBuf], problems: &mut Vec<String>) -> Done {
    let tools = ["talasm", "tallink", "talcheck"].map(|t| root.join("crates").join(t));
    let mut raised = BTreeSet::new();
    let is_test = |p: &Path| p.components().any(|c| c.as_os_str() == "tests") || p.ends_with("tests.rs");
    let own = |p: &Path| tools.iter().any(|t| p.starts_with(t.join("src"))) && !is_test(p);
    for path in all.iter().filter(|p| own(p)) {
        let text = read(path)?;
        let classes = classify(&text);
        for (i, line) in code_only(&text).lines().enumerate() {
            if classes.get(i) == Some(&Line::Test) {
                continue;
            }
            for code in codes_in(line) {
                raised.insert(code);
                if codes::find(code).is_none() {
                    let name = path.strip_prefix(root).unwrap_or(path).display();
                    problems.push(format!("{name}:{}: {code} has no page in docs/errors", i + 1));
                }
            }
        }
    }
    for entry in codes::ALL.iter().filter(|e| e.code.0 >= 1000 && !raised.contains(&e.code)) {
        problems.push(format!("docs/errors/{}.md: no tool raises this code", entry.code));
    }
    Ok(())
}

/// The numbers of `Code(1234)`, `error(1234, ..)`, `Problem::new(1234, ..)`, `: u16 = 1234` and of lines
/// that begin with `1234,`, which is how formatted code continues the second and third.
fn codes_in(line: &str) -> Vec<Code> {
    const BEFORE: [&str; 4] = ["Code(", "error(", "Problem::new(", ": u16 = "];
    let starts = BEFORE.iter().flat_map(|b| line.match_indices(b).map(|(at, m)| &line[at + m.len()..]));
    let continued = std::iter::once(line.trim_start()).filter(|l| l.contains(','));
    starts
        .chain(continued)
        .filter_map(|rest| {
            let end = rest.find([')', ',', ';'])?;
            let digits = &rest[..end];
            let number = digits.parse().ok().filter(|_| digits.len() == 4 && !digits.starts_with('+'))?;
            Some(Code(number))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_found_in_code() {
        assert_eq!(codes_in("Code(1001), taldiag::Code(0302), Code(x), Code(3"), [Code(1001), Code(302)]);
        assert_eq!(codes_in("self.error(1002, 7); const A: u16 = 1303;"), [Code(1002), Code(1303)]);
        assert_eq!(codes_in("        1234, 5678"), [Code(1234)]);
        assert_eq!(codes_in("let x = [12, 3456]; f(4096)"), []);
    }
}
