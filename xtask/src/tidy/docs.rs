//! Links of the documentation lead somewhere.

use std::path::Path;

/// Checks the relative links of a Markdown file: the file exists, and so does the heading.
pub(crate) fn links(root: &Path, path: &Path, name: &str, text: &str, problems: &mut Vec<String>) {
    for (line, target) in link_targets(text) {
        if target.contains("://") || target.starts_with("mailto:") {
            continue;
        }
        let (file, anchor) = target.split_once('#').unwrap_or((target.as_str(), ""));
        let to = if file.is_empty() { path.to_path_buf() } else { path.parent().unwrap_or(root).join(file) };
        if !to.exists() {
            problems.push(format!("{name}:{line}: the link `{target}` leads nowhere"));
        } else if !anchor.is_empty() {
            let there = std::fs::read_to_string(&to).unwrap_or_default();
            if !headings(&there).any(|h| h == anchor) {
                problems.push(format!("{name}:{line}: `{target}`: no heading has this anchor"));
            }
        }
    }
}

/// Checks that `docs/annotations.md` describes the formats as the comments of their readers do.
pub(crate) fn formats(root: &Path, problems: &mut Vec<String>) -> Result<(), String> {
    let page = crate::tools::read(&root.join("docs/annotations.md"))?;
    for source in ["crates/talcore/src/note.rs", "crates/talcore/src/annot.rs"] {
        let text = crate::tools::read(&root.join(source))?;
        let comment = text.lines().map_while(|l| l.strip_prefix("//!"));
        let comment: String = comment.map(|l| format!("{}\n", l.strip_prefix(' ').unwrap_or(l))).collect();
        for block in comment.split("```text\n").skip(1).filter_map(|b| b.split("```").next()) {
            if !page.contains(block) {
                problems
                    .push(format!("docs/annotations.md: does not have the format as {source} describes it"));
            }
        }
    }
    Ok(())
}

/// Checks that the tables of contents are complete: every page of `docs` is linked from `docs/README.md`, every
/// example from `examples/README.md`.
pub(crate) fn contents(root: &Path, problems: &mut Vec<String>) -> Result<(), String> {
    for (index, directories) in [("docs/README.md", false), ("examples/README.md", true)] {
        let path = root.join(index);
        let Ok(text) = std::fs::read_to_string(&path) else {
            problems.push(format!("{index}: is missing"));
            continue;
        };
        let targets: Vec<String> = link_targets(&text).into_iter().map(|t| t.1).collect();
        let there = path.parent().unwrap_or(root);
        let entries = std::fs::read_dir(there).map_err(|e| format!("{}: {e}", there.display()))?;
        for entry in entries.filter_map(Result::ok) {
            let name = entry.file_name().to_string_lossy().into_owned();
            // Pictures are looked at in the pages that show them.
            let wanted = match directories {
                true => entry.path().join(format!("{name}.tal")).exists(),
                false => name != "README.md" && name != "figures",
            };
            let linked = targets.iter().any(|t| t.trim_end_matches('/') == name);
            if wanted && !linked {
                problems.push(format!("{index}: has no link to `{name}`"));
            }
        }
    }
    problems.sort();
    Ok(())
}

/// The targets of `[text](target)` outside of code, with their lines.
fn link_targets(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut fenced = false;
    // Code between backticks may go over the end of a line, but not of a paragraph.
    let mut in_code = false;
    for (i, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            continue;
        }
        if fenced {
            continue;
        }
        in_code &= !line.trim().is_empty();
        let mut prose = String::new();
        for (piece, text) in line.split('`').enumerate() {
            in_code ^= piece > 0;
            prose.push_str(if in_code { "``" } else { text });
        }
        let mut rest = prose.as_str();
        while let Some(at) = rest.find("](") {
            rest = &rest[at + 2..];
            if let Some(end) = rest.find(')') {
                found.push((i + 1, rest[..end].to_string()));
                rest = &rest[end..];
            }
        }
    }
    found
}

/// The anchors of the headings, as forges make them.
fn headings(text: &str) -> impl Iterator<Item = String> {
    let mut fenced = false;
    let lines = text.lines().filter(move |l| {
        fenced ^= l.trim_start().starts_with("```");
        !fenced && l.starts_with('#')
    });
    lines.map(|l| {
        let title = l.trim_start_matches('#').trim().to_lowercase();
        let keep = |c: char| c.is_alphanumeric() || "-_ ".contains(c);
        title.chars().filter(|&c| keep(c)).map(|c| if c == ' ' { '-' } else { c }).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_outside_of_code() {
        let text = "a [b](c.md) `[d](e)` [`f`](g#h)\n```\n[i](j)\n```\n[k](l) `m\n[n](o)`\n";
        let targets: Vec<_> = link_targets(text);
        let want = [(1, "c.md"), (1, "g#h"), (5, "l")];
        assert_eq!(targets, want.map(|(n, t)| (n, t.to_string())));
    }

    #[test]
    fn anchors_are_those_of_forges() {
        let text = "# A `b` c?\n```\n# no\n```\n## D-e: f\n";
        assert_eq!(headings(text).collect::<Vec<_>>(), ["a-b-c", "d-e-f"]);
    }
}
