//! Says what is wrong where the parser stopped.

use super::builder::Builder;
use super::lex::{Key, LexError, LexReason, Tok};
use super::parse::Error;
use lalrpop_util::ParseError;

/// Reports a syntax error.
pub(super) fn report(b: &mut Builder, text: &str, e: Error) {
    match e {
        ParseError::User { error } => lexical(b, text, error),
        ParseError::UnrecognizedToken { token: (l, tok, r), expected } => {
            unexpected(b, text, (l, tok, r), &expected);
        }
        ParseError::ExtraToken { token } => unexpected(b, text, token, &[]),
        ParseError::UnrecognizedEof { location, expected } => {
            unexpected(b, text, (location, Tok::Newline, location), &expected);
        }
        ParseError::InvalidToken { location } => {
            unexpected(b, text, (location, Tok::Newline, location), &[]);
        }
    }
}

fn lexical(b: &mut Builder, text: &str, e: LexError) {
    let span = b.span(e.start, e.end);
    let found = text.get(e.start as usize..e.end as usize).unwrap_or("");
    match e.why {
        LexReason::Character => {
            let m = match found.chars().next() {
                Some(c) if c.is_control() => b.diags.error(1001, format!("unexpected character {c:?}")),
                _ => b.diags.error(1001, format!("unexpected character `{found}`")),
            };
            m.at(span, "nothing begins with this");
            if found == "!" {
                m.help("there is no `!=`; say what holds with `<`, `<=`, `=`");
            } else if found == "#" || found == "/" {
                m.help("comments begin with `;`");
            } else if found == "$" || found == "@" {
                m.help("the syntax is Intel's: `mov eax, 1`, `mov eax, [rdi + 8]`, the destination first");
            } else if found == "\\" {
                m.help("a `\\` that continues a line is its last character, but for a comment");
            }
        }
        LexReason::OpenString => {
            b.diags
                .error(1002, "this string has no end")
                .at(span, "the closing quote is missing on this line")
                .help("write a line end inside a string as `\\n`");
        }
        LexReason::Number => {
            let m = b.diags.error(1003, format!("`{found}` is no number"));
            m.at(span, "not a number");
            let digits = found.trim_end_matches(['h', 'H']);
            if digits.len() < found.len() && u64::from_str_radix(digits, 16).is_ok() {
                m.help(format!("hexadecimal numbers begin with 0x: `0x{digits}`"));
            } else {
                m.help("numbers are 10, 0xff, 0b101, 0o17, with `_` anywhere between the digits");
            }
        }
        LexReason::Overflow => {
            b.diags
                .error(1003, "this number is too large")
                .at(span, "more than 64 bits")
                .note("the largest number that can be written is 18446744073709551615");
        }
    }
}

fn unexpected(b: &mut Builder, text: &str, (l, tok, r): (u32, Tok, u32), expected: &[String]) {
    let span = b.span(l, if tok == Tok::Newline { l } else { r });
    let found = text.get(l as usize..r as usize).unwrap_or("");
    let wants = |w: &str| expected.iter().any(|e| e.trim_matches('"') == w);
    if let Some(what) = not_yet(tok) {
        b.diags
            .error(1201, format!("{what} are not supported yet"))
            .at(span, "this is part of the language, but not of this version");
        return;
    }
    let message = match tok {
        Tok::Newline => "the line ends too early".to_string(),
        Tok::Key(k) if wants("name") => format!("`{}` is a reserved word", k.text()),
        Tok::Reg(_) if wants("number") => format!("the register `{found}` cannot be part of this expression"),
        Tok::Reg(_) if wants("name") => format!("`{found}` is a register, not a name"),
        _ => format!("unexpected `{found}`"),
    };
    let list = describe(expected);
    let m = b.diags.error(1005, message);
    m.at(span, if list.is_empty() { String::new() } else { format!("expected {list}") });
    match tok {
        Tok::Colon if wants("newline") => {
            m.help("labels inside a function begin with a dot: `.loop:`; functions with `fn`");
        }
        Tok::Key(k) if k.declares() && !wants("name") => {
            m.help("a declaration begins on a line of its own");
        }
        Tok::Eq if found == "=" && wants("newline") => {
            m.help("constants are declared outside functions: `const NAME = value`");
        }
        _ => (),
    }
}

/// What a token begins that a later version will know.
fn not_yet(tok: Tok) -> Option<&'static str> {
    Some(match tok {
        Tok::Ghost => "ghost steps (`@...`)",
        _ => return None,
    })
}

/// What could have been there, in few words.
fn describe(expected: &[String]) -> String {
    let mut rest: Vec<&str> = expected.iter().map(|e| e.trim_matches('"')).collect();
    let mut out: Vec<String> = Vec::new();
    let mut group = |needs: &[&str], takes: &[&str], name: &str| {
        if needs.iter().all(|n| rest.contains(n)) {
            rest.retain(|r| !needs.contains(r) && !takes.contains(r));
            out.push(name.to_string());
        }
    };
    let words: Vec<&str> = Key::ALL.iter().map(|k| k.text()).collect();
    let operand =
        ["path", "string", "(", "-", "+", "~", "table", "sizeof", "offsetof", "wordsize", "number", "name"];
    let sizes = ["byte", "word", "dword", "qword", "xmmword", "xword"];
    let types = ["own", "ref", "imm", "opt", "res", "nullterm", "exists", "seq", "fn", "[", "table", "name"];
    let prefixes = ["lock", "rep", "repe", "repz", "repne", "repnz", "sys", "table"];
    let operand_words: Vec<&str> = operand.iter().chain(&sizes).copied().collect();
    group(&["name", "local", "sys"], &prefixes, "an instruction");
    group(&["register", "local", "number", "["], &[&operand_words[..], &["["]].concat(), "an operand");
    group(&["&", "own", "name", "number"], &[&types[..], &operand[..]].concat(), "a type or a number");
    group(&["&", "own", "name"], &types, "a type");
    group(&["number", "name"], &operand, "an expression");
    group(&["rodata", "data", "bss"], &[], "a section");
    group(&["name", "own", "struct"], &words, "a name");
    group(&["name"], &["table"], "a name");
    group(
        &["<=", "<"],
        &["=", ">", ">=", "+", "-", "*", "/", "%", "<<", ">>", "&", "|", "^"],
        "a comparison",
    );
    group(&["+", "*"], &["-", "/", "%", "<<", ">>", "&", "|", "^"], "an operator");
    group(&["register"], &[], "a register");
    group(&["number"], &[], "a number");
    group(&["newline"], &[], "the end of the line");
    rest.retain(|r| *r != "ghost");
    out.extend(rest.iter().map(|r| format!("`{r}`")));
    if out.len() > 5 {
        return String::new();
    }
    match out.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
    }
}
