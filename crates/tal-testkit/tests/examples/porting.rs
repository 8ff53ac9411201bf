//! `docs/porting.md` quotes sources of the examples, and shows what the assembler says of mistakes in them.
//!
//! A block `tal FILE` is what the file has. A block `diff FILE` is a change of it, for which the block `text` behind it is the
//! assembler's message, or `accepted`. `TAL_BLESS=1 cargo test -p tal-testkit --test examples porting` writes the messages anew.

use super::build::message;
use std::fs;
use std::path::Path;

/// A fenced block: what stands behind its fence, its text, and where that is in the page.
struct Block<'a> {
    info: &'a str,
    text: &'a str,
    at: usize,
}

fn blocks(page: &str) -> Vec<Block<'_>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(fence) = page[at..].find("\n```") {
        let info_at = at + fence + "\n```".len();
        let start = info_at + page[info_at..].find('\n').expect("a fence is a line") + 1;
        // An empty block ends where it begins.
        let end = match page[start..].starts_with("```") {
            true => start,
            false => start + page[start..].find("\n```").expect("a block ends") + 1,
        };
        found.push(Block { info: page[info_at..start].trim(), text: &page[start..end], at: start });
        at = end + "```".len();
    }
    found
}

/// A source without and with the change.
fn changed(source: &str, diff: &str) -> Result<String, String> {
    let side = |other: char| -> String {
        let lines = diff.lines().filter(|l| !l.starts_with(other));
        lines.map(|l| format!("{}\n", l.get(1..).unwrap_or_default())).collect()
    };
    let (before, after) = (side('+'), side('-'));
    match source.matches(&before).count() {
        1 => Ok(source.replace(&before, &after)),
        n => Err(format!("is there {n} times:\n{before}")),
    }
}

#[test]
fn quotations_and_messages() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let path = root.join("docs/porting.md");
    let page = fs::read_to_string(&path).expect("the page can be read");
    let read = |file: &str| fs::read_to_string(root.join(file)).expect("a source can be read");
    let mut problems = Vec::new();
    let mut blessed = page.clone();
    let blocks = blocks(&page);
    // From the last one, so that places of those before stay.
    for (i, block) in blocks.iter().enumerate().rev() {
        match block.info.split_once(' ') {
            Some(("tal", file)) if !read(file).contains(block.text) => {
                problems.push(format!("{file} has no\n{}", block.text));
            }
            Some(("diff", file)) => match changed(&read(file), block.text) {
                Err(e) => problems.push(format!("{file}: {e}")),
                Ok(text) => {
                    let said = message(Path::new(file), &text).unwrap_or_else(|| "accepted\n".into());
                    let shown = blocks.get(i + 1).filter(|b| b.info == "text").expect("a message follows");
                    if said != shown.text {
                        problems.push(format!("{file}: the message is\n{said}"));
                        blessed.replace_range(shown.at..shown.at + shown.text.len(), &said);
                    }
                }
            },
            _ => {}
        }
    }
    assert!(blocks.iter().filter(|b| b.info.starts_with("diff ")).count() > 4, "blocks are found");
    if std::env::var_os("TAL_BLESS").is_some() {
        fs::write(&path, blessed).expect("the page can be written");
    } else {
        problems.reverse();
        assert!(problems.is_empty(), "docs/porting.md:\n{}", problems.join("\n"));
    }
}
