//! Just enough of Rust's lexical structure to count and search code.

/// Classes of lines in a Rust file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Line {
    /// Contains code.
    Code,
    /// Only comment.
    Comment,
    /// Empty.
    Blank,
    /// Code or comment that is compiled for tests only.
    Test,
}

/// The class of each line. Test code is an item under `#[cfg(test)]`, up to its closing brace.
pub(crate) fn classify(text: &str) -> Vec<Line> {
    let mut classes = Vec::new();
    let mut lexer = Lexer::default();
    // The depth of braces at which the present test item started.
    let mut test: Option<i32> = None;
    for line in text.lines() {
        let depth = lexer.depth;
        let has_code = lexer.line(line);
        if test.is_none() && line.trim_start().starts_with("#[cfg(test)]") {
            test = Some(depth);
            classes.push(Line::Test);
            continue;
        }
        classes.push(match (test, has_code) {
            (Some(_), _) => Line::Test,
            (None, true) => Line::Code,
            (None, false) if line.trim().is_empty() => Line::Blank,
            (None, false) => Line::Comment,
        });
        let ended = line.trim_end().ends_with(['}', ';']) && !line.trim_start().starts_with('#');
        if test.is_some_and(|at| lexer.depth <= at && ended) {
            test = None;
        }
    }
    classes
}

/// The text without comments, with the content of strings and character literals taken out. Lines stay.
pub(crate) fn code_only(text: &str) -> String {
    let mut lexer = Lexer::default();
    let mut out = String::new();
    for line in text.lines() {
        lexer.line(line);
        out.push_str(&lexer.kept);
        out.push('\n');
    }
    out
}

/// What is open at the end of a line.
#[derive(Default)]
struct Lexer {
    depth: i32,
    comments: u32,
    string: Option<Quote>,
    kept: String,
}

/// An open string: raw ones end at a quote and so many `#`.
#[derive(Clone, Copy)]
struct Quote {
    raw: bool,
    hashes: usize,
}

impl Lexer {
    /// Reads one line; answers whether there is code in it. The code is in `kept`.
    fn line(&mut self, line: &str) -> bool {
        self.kept.clear();
        let mut has_code = false;
        let mut rest = line;
        while let Some(c) = rest.chars().next() {
            if let Some(quote) = self.string {
                has_code = true;
                if c == '\\' && !quote.raw {
                    rest = rest.get(1 + rest[1..].chars().next().map_or(0, char::len_utf8)..).unwrap_or("");
                    continue;
                }
                rest = &rest[c.len_utf8()..];
                if c == '"' && rest.bytes().take_while(|&b| b == b'#').count() >= quote.hashes {
                    rest = &rest[quote.hashes..];
                    self.string = None;
                    self.kept.push('"');
                }
            } else if self.comments > 0 {
                if let Some(r) = rest.strip_prefix("*/") {
                    self.comments -= 1;
                    rest = r;
                } else if let Some(r) = rest.strip_prefix("/*") {
                    self.comments += 1;
                    rest = r;
                } else {
                    rest = &rest[c.len_utf8()..];
                }
            } else if rest.starts_with("//") {
                break;
            } else if let Some(r) = rest.strip_prefix("/*") {
                self.comments = 1;
                rest = r;
            } else if let Some((quote, r)) = open_string(rest, self.kept.chars().last()) {
                self.string = Some(quote);
                self.kept.push('"');
                rest = r;
                has_code = true;
            } else if let Some(r) = char_literal(rest) {
                self.kept.push_str("''");
                rest = r;
                has_code = true;
            } else {
                match c {
                    '{' | '(' | '[' => self.depth += 1,
                    '}' | ')' | ']' => self.depth -= 1,
                    _ => {}
                }
                has_code |= !c.is_whitespace();
                self.kept.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
        has_code
    }
}

/// The start of a string literal: `"`, `r"`, `r#"`, with `b` or `c` before.
fn open_string(text: &str, before: Option<char>) -> Option<(Quote, &str)> {
    if let Some(rest) = text.strip_prefix('"') {
        return Some((Quote { raw: false, hashes: 0 }, rest));
    }
    if before.is_some_and(|c| c.is_alphanumeric() && c != 'b' && c != 'c' || c == '_') {
        return None;
    }
    let rest = text.strip_prefix('r')?;
    let hashes = rest.bytes().take_while(|&b| b == b'#').count();
    let rest = rest[hashes..].strip_prefix('"')?;
    Some((Quote { raw: true, hashes }, rest))
}

/// What follows a character literal; lifetimes are none.
fn char_literal(text: &str) -> Option<&str> {
    let rest = text.strip_prefix('\'')?;
    if let Some(escape) = rest.strip_prefix('\\') {
        let skip = escape.chars().next()?.len_utf8();
        let end = escape.get(skip..)?.find('\'')?;
        return escape.get(skip + end + 1..);
    }
    let c = rest.chars().next()?;
    rest.get(c.len_utf8()..)?.strip_prefix('\'')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_classified() {
        let text = "//! doc\n\nfn f() { /* a\n b */\n}\n#[cfg(test)]\nmod tests {\n    // x\n    fn g() {}\n}\nfn h() {}\n";
        use Line::*;
        assert_eq!(classify(text), [Comment, Blank, Code, Comment, Code, Test, Test, Test, Test, Test, Code]);
        assert_eq!(classify("#[cfg(test)]\nmod tests;\nfn f() {}\n"), [Test, Test, Code]);
        assert_eq!(
            classify("#[cfg(test)]\n#[path = \"x\"]\nmod tests;\nfn f() {}\n"),
            [Test, Test, Test, Code]
        );
    }

    #[test]
    fn strings_and_comments_are_taken_out() {
        let text = "let a = \"// {\\\" x\"; // b\nlet c = '\"'; let d = '\\''; f::<'a>(r#\"\"}\"#) /* /* */ e */ g\n";
        assert_eq!(code_only(text), "let a = \"\"; \nlet c = ''; let d = ''; f::<'a>(\"\")  g\n");
    }

    #[test]
    fn strings_go_over_lines() {
        use Line::*;
        assert_eq!(classify("let a = \"x\n// y\n\";\n// z\n"), [Code, Code, Code, Comment]);
    }
}
