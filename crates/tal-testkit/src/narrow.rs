//! Sources for AMD64, rewritten for IA-32: the same rules have to hold there, with words of 32 bits.
//!
//! Nothing here understands a program. Registers get the names that they have there, widths and constants of words are
//! halved, and what comes of it is another program, mostly one that shows the same. Whether it does is for the tests to
//! find out: a program that was accepted may be refused now.

use std::collections::BTreeMap;

/// What was tried to make sizes fit, from the least to the most.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Variant {
    /// Numbers that are multiples of 8 are halved: offsets and sizes of words.
    pub halved: bool,
    /// Functions say that they change what is not preserved on AMD64.
    pub clobbers: bool,
}

/// All variants.
pub const VARIANTS: [Variant; 4] = [
    Variant { halved: false, clobbers: false },
    Variant { halved: true, clobbers: false },
    Variant { halved: false, clobbers: true },
    Variant { halved: true, clobbers: true },
];

/// The general registers of AMD64 by number, and the part of their names that widths have in common.
const STEMS: [&str; 8] = ["a", "c", "d", "b", "sp", "bp", "si", "di"];
const SP: usize = 4;
/// Registers with a byte of their own on IA-32.
const BYTES: usize = 4;
/// Preserved on IA-32: ebx, ebp, esi, edi.
const PRESERVED: [usize; 4] = [3, 5, 6, 7];

/// How wide a register is named.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Width {
    Word,
    Four,
    Two,
    Byte,
    High,
}

/// The register that a word of the source names.
fn register(word: &str) -> Option<(usize, Width)> {
    if let Some(rest) = word.strip_prefix('r')
        && rest.starts_with(|c: char| c.is_ascii_digit())
    {
        let digits = rest.trim_end_matches(|c: char| !c.is_ascii_digit());
        let width = match &rest[digits.len()..] {
            "" => Width::Word,
            "d" => Width::Four,
            "w" => Width::Two,
            "b" => Width::Byte,
            _ => return None,
        };
        return digits.parse().ok().filter(|n| (8..16).contains(n)).map(|n| (n, width));
    }
    for (n, stem) in STEMS.iter().enumerate() {
        let x = if n < BYTES { "x" } else { "" };
        let low = format!("{stem}l");
        let names = [
            (format!("r{stem}{x}"), Width::Word),
            (format!("e{stem}{x}"), Width::Four),
            (format!("{stem}{x}"), Width::Two),
            (low, Width::Byte),
            (if n < BYTES { format!("{stem}h") } else { String::new() }, Width::High),
        ];
        if let Some((_, width)) = names.iter().find(|(name, _)| name == word) {
            return Some((n, *width));
        }
    }
    None
}

fn name(n: usize, width: Width) -> Option<String> {
    let (stem, x) = (STEMS[n], if n < BYTES { "x" } else { "" });
    match width {
        Width::Word | Width::Four => Some(format!("e{stem}{x}")),
        Width::Two => Some(format!("{stem}{x}")),
        Width::Byte if n < BYTES => Some(format!("{stem}l")),
        Width::High if n < BYTES => Some(format!("{stem}h")),
        _ => None,
    }
}

/// A line up to its comment, and the comment.
fn parts(line: &str) -> (&str, &str) {
    line.split_at(line.find(';').unwrap_or(line.len()))
}

/// Words (with the dots of fields and labels) and what is between them.
fn words(code: &str) -> Vec<&str> {
    let inside = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    let mut all = Vec::new();
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|c| inside(c) != inside(first)).unwrap_or(rest.len());
        let (word, more) = rest.split_at(end);
        all.push(word);
        rest = more;
    }
    all
}

/// Which register of IA-32 stands for which of AMD64; `None` if there are too few.
fn assignment(text: &str) -> Option<BTreeMap<usize, usize>> {
    let (mut used, mut bytes) = (Vec::new(), Vec::new());
    for (n, width) in text.lines().flat_map(|l| words(parts(l).0)).filter_map(register) {
        used.push(n);
        if width == Width::Byte {
            bytes.push(n);
        }
    }
    used.sort_unstable();
    used.dedup();
    let fits = |n: &usize, to: usize| to != SP && (!bytes.contains(n) || to < BYTES);
    let mut map = BTreeMap::from([(SP, SP)]);
    for n in used.iter().filter(|n| **n < 8 && fits(n, **n)) {
        map.insert(*n, *n);
    }
    let mut rest: Vec<_> = used.iter().filter(|n| !map.contains_key(n)).copied().collect();
    // Those that need a byte choose first.
    rest.sort_by_key(|n| !bytes.contains(n));
    for n in rest {
        let free = [6, 7, 5, 1, 2, 3, 0].into_iter().filter(|to| map.values().all(|t| t != to));
        map.insert(n, free.into_iter().find(|to| fits(&n, *to))?);
    }
    Some(map)
}

/// Names of widths and mnemonics.
fn other_word(word: &str) -> Option<&'static str> {
    Some(match word {
        "amd64" => "ia32",
        "qword" => "dword",
        "u64" => "u32",
        "i64" => "i32",
        "dq" => "dd",
        "stosq" => "stosd",
        "movsq" => "movsd",
        "lodsq" => "lodsd",
        "scasq" => "scasd",
        "cmpsq" => "cmpsd",
        "endbr64" => "endbr32",
        _ => return None,
    })
}

fn halved(word: &str) -> Option<String> {
    let n: u64 = word.parse().ok()?;
    (n > 0 && n.is_multiple_of(8)).then(|| (n / 2).to_string())
}

/// What only AMD64 has, or has in another way.
const FOREIGN: [&str; 6] = ["movsxd", "cqo", "cdqe", "sys", "__tal_gate", "__tal_restorer"];

/// A module for IA-32 made of one for AMD64. `None` if it has more registers than there are, several modules, or
/// what only AMD64 has: system calls have other registers.
#[must_use]
pub fn narrowed(text: &str, variant: Variant) -> Option<String> {
    let foreign = |line: &str| words(parts(line).0).iter().any(|w| FOREIGN.contains(w));
    let vectors = |line: &str| (8..16).any(|n| words(line).contains(&&*format!("xmm{n}")));
    if !text.contains("arch amd64\n")
        || text.lines().any(|l| l.starts_with(";---") || foreign(l) || vectors(l))
    {
        return None;
    }
    let map = assignment(text)?;
    let changed: Vec<usize> = map
        .iter()
        .filter(|(n, to)| !matches!(n, 3 | 5 | 12..) && PRESERVED.contains(to))
        .map(|m| *m.1)
        .collect();
    let mut out = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let (code, comment) = parts(line);
        let start = out.len();
        for word in words(code) {
            let renamed = register(word).map(|(n, width)| name(map[&n], width));
            match renamed {
                Some(renamed) => out.push_str(&renamed?),
                None => match (other_word(word), halved(word)) {
                    (Some(other), _) => out.push_str(other),
                    (_, Some(half)) if variant.halved => out.push_str(&half),
                    _ => out.push_str(word),
                },
            }
        }
        // A header ends where the next line is no continuation: that begins with the result or the facts.
        let header = ["fn ", "pub fn ", "import fn "].iter().any(|h| code.starts_with(h));
        let continued = lines.peek().is_some_and(|l| {
            ["->", "{", "uses", "when", "preserves"].iter().any(|w| l.trim_start().starts_with(w))
        });
        if variant.clobbers && header && !continued && !code.contains("clobbers") {
            let own: Vec<usize> =
                words(&out[start..]).into_iter().filter_map(register).map(|r| r.0).collect();
            let list = changed.iter().filter(|n| !own.contains(n)).filter_map(|n| name(*n, Width::Word));
            let list: Vec<String> = list.collect();
            if !list.is_empty() {
                let length = out.trim_end().len();
                out.truncate(length);
                out.push_str(&format!(" clobbers ({}) ", list.join(", ")));
            }
        }
        out.push_str(comment);
        out.push('\n');
    }
    Some(out)
}
