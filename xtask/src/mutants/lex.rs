//! Just enough of Rust's tokens to find expressions in sources that rustfmt has written.

/// What a token is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// A name or keyword.
    Word,
    /// An integer.
    Number,
    /// An operator or bracket.
    Mark,
    /// A string, a character, a lifetime.
    Other,
}

/// A token, and where it lies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) start: usize,
    pub(super) end: usize,
    /// The other bracket, of a bracket; else the token itself.
    pub(super) partner: usize,
}

/// Operators of several characters, the longest first.
const MARKS: [&str; 25] = [
    "..=", "<<=", ">>=", "...", "->", "=>", "::", "==", "!=", "<=", ">=", "&&", "||", "+=", "-=", "*=", "/=",
    "%=", "^=", "&=", "|=", "<<", ">>", "..", "#!",
];

/// The tokens of a source, without comments.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let bytes = text.as_bytes();
    let mut all: Vec<Token> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &text[at..];
        let b = bytes[at];
        if b.is_ascii_whitespace() {
            at += 1;
            continue;
        }
        if rest.starts_with("//") {
            at += rest.find('\n').unwrap_or(rest.len());
            continue;
        }
        let word = |c: char| c.is_alphanumeric() || c == '_';
        let (kind, len) = if b.is_ascii_digit() {
            (Kind::Number, rest.find(|c| !word(c)).unwrap_or(rest.len()))
        } else if rest.starts_with(word) && !rest.starts_with("b\"") && !rest.starts_with("b'") {
            (Kind::Word, rest.find(|c| !word(c)).unwrap_or(rest.len()))
        } else if b == b'"' || rest.starts_with("b\"") {
            (Kind::Other, string(bytes, at + usize::from(b == b'b')) - at)
        } else if rest.starts_with("b'") {
            (Kind::Other, 1 + character(&rest[1..]))
        } else if b == b'\'' {
            (Kind::Other, character(rest))
        } else {
            let mark = MARKS.iter().find(|m| rest.starts_with(**m));
            (Kind::Mark, mark.map_or(rest.chars().next().map_or(1, char::len_utf8), |m| m.len()))
        };
        let n = all.len();
        all.push(Token { kind, start: at, end: at + len, partner: n });
        match b {
            b'(' | b'[' | b'{' => open.push(n),
            b')' | b']' | b'}' => {
                if let Some(o) = open.pop() {
                    all[n].partner = o;
                    all[o].partner = n;
                }
            }
            _ => {}
        }
        at += len;
    }
    all
}

/// The end of a string that begins at `at`.
fn string(bytes: &[u8], at: usize) -> usize {
    let mut i = at + 1;
    while i < bytes.len() && bytes[i] != b'"' {
        i += if bytes[i] == b'\\' { 2 } else { 1 };
    }
    i + 1
}

/// The length of a character, or of a lifetime.
fn character(rest: &str) -> usize {
    if rest[1..].starts_with('\\') {
        return rest[3..].find('\'').map_or(rest.len(), |n| n + 4);
    }
    let first = rest[1..].chars().next().map_or(1, char::len_utf8);
    if rest[1 + first..].starts_with('\'') {
        return first + 2;
    }
    rest[1..].find(|c: char| !(c.is_alphanumeric() || c == '_')).map_or(rest.len(), |n| n + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_of_rust() {
        let text = "fn f<'a>(x: &'a u8) -> b'x' { '\\n'; \"a\\\"b\" >= 0x1f && x.0 } // no";
        let all: Vec<&str> = tokens(text).iter().map(|t| &text[t.start..t.end]).collect();
        let expected = [
            "fn",
            "f",
            "<",
            "'a",
            ">",
            "(",
            "x",
            ":",
            "&",
            "'a",
            "u8",
            ")",
            "->",
            "b'x'",
            "{",
            "'\\n'",
            ";",
            "\"a\\\"b\"",
            ">=",
            "0x1f",
            "&&",
            "x",
            ".",
            "0",
            "}",
        ];
        assert_eq!(all, expected);
    }
}
