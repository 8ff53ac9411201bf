//! Conditional assembly: `if amd64`, `if ia32`, `else`, `endif`, each on a line of its own.
//!
//! It happens before the tokens: of the lines that are not for this architecture, and of the conditions themselves, only
//! blanks are left. So it can stand anywhere (between declarations and instructions, among the fields of a struct, in a
//! signature), every place in the source stays where it is, and nothing behind this pass knows about it.

use super::builder::Builder;
use talcore::arch::Arch;

/// What a line says about the lines behind it.
#[derive(Clone, Copy, PartialEq)]
enum Word {
    If,
    Else,
    Endif,
}

/// An `if` that is not yet ended.
struct Open {
    /// Its place in the source.
    at: (usize, usize),
    /// Whether the lines before `else` are for this architecture.
    holds: bool,
    /// Where its `else` is.
    other: Option<(usize, usize)>,
    /// Whether the lines around it are for this architecture.
    outside: bool,
}

/// The text with blanks in place of what is not for this architecture; `None` if it has no conditions. Mistakes go to `b`.
pub(super) fn select(text: &str, arch: Arch, b: &mut Builder) -> Option<String> {
    let mut out: Option<Vec<u8>> = None;
    let mut open: Vec<Open> = Vec::new();
    let mut active = true;
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let end = start + line.len();
        let word = directive(line);
        if word.is_some() || !active {
            let bytes = out.get_or_insert_with(|| text.as_bytes().to_vec());
            bytes[start..end].iter_mut().filter(|c| **c != b'\n').for_each(|c| *c = b' ');
        }
        if let Some((word, from, rest)) = word {
            let code = line.split(';').next().unwrap_or("").trim_end();
            let place = (start + from, start + code.len().max(from));
            turn(b, arch, &mut open, &mut active, word, place, rest);
            if b.diags.full() {
                break;
            }
        }
        start = end;
    }
    for o in open {
        let span = b.span(o.at.0 as u32, o.at.1 as u32);
        b.diags
            .error(1014, "this condition is never ended")
            .at(span, "there is no `endif` for it")
            .help("write `endif` on a line of its own where both architectures go on alike");
    }
    out.and_then(|bytes| String::from_utf8(bytes).ok())
}

/// What follows from one line of a condition.
fn turn(
    b: &mut Builder,
    arch: Arch,
    open: &mut Vec<Open>,
    active: &mut bool,
    word: Word,
    at: (usize, usize),
    rest: &str,
) {
    let span = b.span(at.0 as u32, at.1 as u32);
    if word != Word::If && !rest.is_empty() {
        b.diags.error(1014, "`else` and `endif` stand alone on their line").at(span, "goes on").help(
            "there are two architectures: what is not for `amd64` is for `ia32`, so `else` needs no condition",
        );
    }
    match word {
        Word::If => {
            let holds = match rest {
                "amd64" => arch == Arch::Amd64,
                "ia32" => arch == Arch::Ia32,
                _ => {
                    b.diags
                        .error(1014, "this is no condition")
                        .at(span, "neither `if amd64` nor `if ia32`")
                        .note("conditions tell architectures apart; what is computed is compared by instructions");
                    true
                }
            };
            open.push(Open { at, holds, other: None, outside: *active });
            *active &= holds;
        }
        Word::Else => match open.last_mut() {
            Some(o) if o.other.is_none() => {
                o.other = Some(at);
                *active = o.outside && !o.holds;
            }
            Some(o) => {
                let first = o.other.map(|f| b.span(f.0 as u32, f.1 as u32)).unwrap_or(span);
                b.diags
                    .error(1014, "this condition has an `else` already")
                    .at(span, "the second one")
                    .near(first, "the first one");
            }
            None => lonely(b, span, "else"),
        },
        Word::Endif => match open.pop() {
            Some(o) => *active = o.outside,
            None => lonely(b, span, "endif"),
        },
    }
}

fn lonely(b: &mut Builder, span: crate::ir::Span, word: &str) {
    b.diags
        .error(1014, format!("there is no `if` for this `{word}`"))
        .at(span, "no condition is open here")
        .help("`if amd64` or `if ia32` stands on a line of its own before it");
}

/// Whether a line is one of a condition: the word, the byte where it begins, and what follows it. A field may be called
/// `if` and the like: then a colon follows.
fn directive(line: &str) -> Option<(Word, usize, &str)> {
    let body = line.trim_start_matches([' ', '\t']);
    let from = line.len() - body.len();
    let len =
        body.bytes().take_while(|c| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'$' | b'.')).count();
    let word = match &body[..len] {
        "if" => Word::If,
        "else" => Word::Else,
        "endif" => Word::Endif,
        _ => return None,
    };
    let rest = body[len..].split(';').next().unwrap_or("").trim();
    (!rest.starts_with(':')).then_some((word, from, rest))
}
