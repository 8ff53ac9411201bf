//! The page about the library says what its sources say.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// The modules in the order of the page.
const MODULES: &[&str] = &[
    "bytes",
    "string",
    "number",
    "malloc",
    "buffer",
    "vector",
    "table",
    "map",
    "reader",
    "io",
    "input",
    "directory",
    "match",
    "mode",
    "accounts",
    "date",
    "address",
    "socket",
    "args",
    "options",
    "say",
    "quote",
    "errno",
];

const MARK: &str = "<!-- From here on written by a test; do not edit: `TAL_BLESS=1 cargo test -p tal-testkit --test \
                    examples library_page`. -->\n";

/// A declaration and the comment above it.
struct Item {
    comment: String,
    text: String,
    public: bool,
}

/// What comes before the first declaration, and the declarations that others may see or that these mention.
fn read(source: &str) -> (String, Vec<Item>) {
    let mut head = String::new();
    let mut items: Vec<Item> = Vec::new();
    let mut comment = String::new();
    let mut lines = source.lines();
    while let Some(line) = lines.next() {
        if let Some(text) = line.strip_prefix(';') {
            comment.push_str(text.strip_prefix(' ').unwrap_or(text));
            comment.push('\n');
            continue;
        }
        if head.is_empty() && items.is_empty() && !comment.is_empty() {
            head = std::mem::take(&mut comment);
            continue;
        }
        let public = line.starts_with("pub ");
        if public || line.starts_with("const ") {
            let mut text = line.to_string();
            let open = |t: &str| {
                let count = |all: &[char]| t.chars().filter(|c| all.contains(c)).count();
                t.ends_with('\\') || count(&['{', '(', '[']) > count(&['}', ')', ']'])
            };
            while open(&text)
                && let Some(next) = lines.next()
            {
                text.push('\n');
                text.push_str(next);
            }
            // Of an abstract type others see the name.
            if let (true, Some((name, _))) = (text.starts_with("pub abstract "), text.split_once(" {")) {
                text.truncate(name.len());
            }
            let comment = std::mem::take(&mut comment);
            items.push(Item { comment, text, public });
        }
        comment.clear();
    }
    let mentioned = |name: &str| {
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        items.iter().any(|i| i.public && i.text.split(|c| !word(c)).any(|w| w == name))
    };
    let keep: Vec<bool> =
        items.iter().map(|i| i.public || i.text.split_whitespace().nth(1).is_some_and(&mentioned)).collect();
    let mut keep = keep.into_iter();
    items.retain(|_| keep.next() == Some(true));
    (head, items)
}

/// The part of the page that tells of a module.
fn section(name: &str, source: &str) -> String {
    let (head, items) = read(source);
    let mut out = format!("\n## {name}\n\n{head}\n```text\n");
    for (i, item) in items.iter().enumerate() {
        let plain = item.comment.is_empty() && !item.text.contains('\n');
        if i > 0 && !(plain && items[i - 1].comment.is_empty()) {
            out.push('\n');
        }
        for line in item.comment.lines() {
            let _ = writeln!(out, "; {line}");
        }
        let _ = writeln!(out, "{}", item.text);
    }
    out.push_str("```\n");
    out
}

#[test]
fn library_page() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let directory = root.join("examples/lib");
    let mut there: Vec<String> = fs::read_dir(&directory)
        .expect("the library can be read")
        .filter_map(|e| e.ok()?.file_name().to_str()?.strip_suffix(".tal").map(String::from))
        .collect();
    there.sort();
    let mut told = MODULES.to_vec();
    told.sort_unstable();
    assert_eq!(there, told, "each module is on the page");

    let page = root.join("docs/library.md");
    let text = fs::read_to_string(&page).expect("docs/library.md can be read");
    let (head, _) = text.split_once(MARK).expect("docs/library.md has the mark");
    let mut right = format!("{head}{MARK}");
    for name in MODULES {
        let path = directory.join(name).with_extension("tal");
        right.push_str(&section(name, &fs::read_to_string(path).expect("a module can be read")));
    }
    if std::env::var_os("TAL_BLESS").is_some() {
        fs::write(&page, &right).expect("docs/library.md can be written");
    }
    let wrong = text.lines().zip(right.lines()).find(|(a, b)| a != b).map_or("", |(_, b)| b);
    assert!(
        text == right || std::env::var_os("TAL_BLESS").is_some(),
        "docs/library.md does not say what the sources say, from {wrong:?} on; \
         run `TAL_BLESS=1 cargo test -p tal-testkit --test examples library_page`"
    );
}
