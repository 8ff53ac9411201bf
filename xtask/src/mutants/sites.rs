//! Where a source can be changed, and the source with all changes in it, each behind a question.

use super::lex::{Kind, Token, tokens};
use std::collections::BTreeSet;
use std::ops::Range;

/// One change.
#[derive(Clone, Debug)]
pub(super) struct Site {
    /// The bytes that it replaces.
    pub(super) range: Range<usize>,
    /// How.
    pub(super) change: Change,
    /// In words.
    pub(super) what: String,
}

/// How an expression or statement is changed.
#[derive(Clone, Debug)]
pub(super) enum Change {
    /// The expression is another one.
    Instead(String),
    /// The condition is never true.
    Never,
    /// The condition is always true.
    Always,
    /// The statement is left out.
    Without,
}

/// A method or constructor, and the one that is called instead.
const SWAPS: [(&str, &str); 22] = [
    ("min", "max"),
    ("max", "min"),
    ("lo", "hi"),
    ("hi", "lo"),
    ("any", "all"),
    ("all", "any"),
    ("is_some", "is_none"),
    ("is_none", "is_some"),
    ("signed", "unsigned"),
    ("unsigned", "signed"),
    ("known", "known_signed"),
    ("known_signed", "known"),
    ("read", "read_signed"),
    ("read_signed", "read"),
    ("add", "sub"),
    ("sub", "add"),
    ("checked_add", "checked_sub"),
    ("checked_sub", "checked_add"),
    ("mul", "imul_wide"),
    ("div", "idiv"),
    ("is_some_and", "is_none_or"),
    ("is_none_or", "is_some_and"),
];

/// A source in tokens.
struct Source<'t> {
    text: &'t str,
    tokens: Vec<Token>,
    /// Tokens of patterns, attributes, macros, constants: nothing is changed there.
    fixed: Vec<bool>,
    sites: Vec<Site>,
}

/// All changes of a source.
pub(super) fn sites(text: &str) -> Vec<Site> {
    let tokens = tokens(text);
    let fixed = vec![false; tokens.len()];
    let mut s = Source { text, tokens, fixed, sites: Vec::new() };
    s.fix();
    for i in 0..s.tokens.len() {
        if !s.fixed[i] {
            s.at(i);
        }
    }
    s.sites
}

impl Source<'_> {
    fn is(&self, i: usize, text: &str) -> bool {
        self.tokens.get(i).is_some_and(|t| &self.text[t.start..t.end] == text)
    }

    fn str(&self, i: usize) -> &str {
        self.tokens.get(i).map_or("", |t| &self.text[t.start..t.end])
    }

    /// The end of what begins at a bracket, else the token.
    fn over(&self, i: usize) -> usize {
        self.tokens[i].partner.max(i)
    }

    /// The start of what ends at a bracket, else the token.
    fn before(&self, i: usize) -> usize {
        self.tokens[i].partner.min(i)
    }

    fn set(&mut self, range: Range<usize>) {
        let end = range.end.min(self.fixed.len());
        self.fixed[range.start.min(end)..end].fill(true);
    }

    /// The first of these marks or words from `i` on, at this level; or the bracket that closes it.
    fn next(&self, mut i: usize, of: &[&str]) -> usize {
        while i < self.tokens.len() && !of.contains(&self.str(i)) && !matches!(self.str(i), ")" | "]" | "}") {
            i = self.over(i) + 1;
        }
        i
    }

    /// Patterns, attributes, macros, constants, tests.
    fn fix(&mut self) {
        for i in 0..self.tokens.len() {
            match self.str(i) {
                "#" | "#!" if self.is(i + 1, "[") => {
                    let end = self.over(i + 1);
                    let test = (i..end).any(|j| self.is(j, "test")) && self.is(i + 2, "cfg");
                    let end = if test {
                        self.over(self.next(end + 1, &["{"]).min(self.tokens.len() - 1))
                    } else {
                        end
                    };
                    self.set(i..end + 1);
                }
                "!" if matches!(self.str(i + 1), "(" | "[" | "{") && self.word(i.wrapping_sub(1)) => {
                    let end = self.over(i + 1);
                    self.set(i..end + 1);
                }
                "let" => {
                    let end = self.next(i, &["=", ";"]);
                    self.set(i..end);
                }
                "for" => {
                    let end = self.next(i, &["in", "{"]);
                    if self.is(end, "in") {
                        self.set(i..end);
                    }
                }
                "const" | "static" if self.is(i + 1, "fn") => {
                    let body = self.next(i, &["{"]).min(self.tokens.len() - 1);
                    let end = self.over(body);
                    self.set(i..end + 1);
                }
                "const" | "static" if self.word(i + 1) => {
                    let end = self.next(i, &[";"]);
                    self.set(i..end);
                }
                "struct" | "enum" | "use" | "type" => {
                    let end = self.next(i, &["{", ";"]).min(self.tokens.len() - 1);
                    let end = self.over(end);
                    self.set(i..end + 1);
                }
                "fn" => {
                    let end = self.next(i, &["{", ";"]);
                    self.set(i..end);
                }
                "=>" => self.arm(i),
                _ => {}
            }
        }
    }

    fn word(&self, i: usize) -> bool {
        self.tokens.get(i).is_some_and(|t| t.kind == Kind::Word)
    }

    /// The pattern before an arrow.
    fn arm(&mut self, arrow: usize) {
        let mut i = arrow;
        let mut guard = arrow;
        while i > 0 {
            let j = i - 1;
            match self.str(j) {
                "," | "{" | "(" | "[" => break,
                // The block of the arm before; else the fields of a struct.
                "}" if self.is(self.before(j).wrapping_sub(1), "=>") => break,
                "if" => guard = j,
                _ => {}
            }
            i = self.before(j);
        }
        self.set(i..guard);
        if guard < arrow && !(guard..arrow).any(|k| self.is(k, "let")) {
            self.condition(guard + 1, arrow);
        }
    }

    fn at(&mut self, i: usize) {
        let token = self.tokens[i];
        match (token.kind, self.str(i)) {
            (Kind::Mark, op @ ("<" | "<=" | ">" | ">=" | "==" | "!=")) => {
                let new = match op {
                    "<" => "<=",
                    "<=" => "<",
                    ">" => ">=",
                    ">=" => ">",
                    "==" => "!=",
                    _ => "==",
                };
                self.binary(i, new, &["&&", "||"]);
            }
            (Kind::Mark, "&&") => self.binary(i, "||", &["||"]),
            (Kind::Mark, "||") => self.binary(i, "&&", &[]),
            (Kind::Mark, op @ ("+" | "-")) => {
                let new = if op == "+" { "-" } else { "+" };
                let lower = ["&&", "||", "<", "<=", ">", ">=", "==", "!=", "&", "|", "^", "<<", ">>"];
                self.binary(i, new, &lower);
            }
            (Kind::Number, _) if !self.is(i.wrapping_sub(1), ".") => {
                let text = self.str(i).to_string();
                self.instead(i..i + 1, format!("{text} + 1"), format!("{text} + 1"));
            }
            (Kind::Word, value @ ("true" | "false")) => {
                let other = if value == "true" { "false" } else { "true" };
                self.instead(i..i + 1, other.into(), format!("{other} for {value}"));
            }
            (Kind::Word, "if") if !self.fixed[i] => {
                let body = self.next(i, &["{"]);
                if !(i..body).any(|k| self.is(k, "let")) && self.is(body, "{") && !self.is(i + 1, "{") {
                    // A guard ends at an arrow, and is looked at there.
                    if !(i..body).any(|k| self.is(k, "=>")) {
                        self.condition(i + 1, body);
                    }
                }
                self.block(body);
            }
            (Kind::Word, "while" | "for") => {
                let body = self.next(i, &["{"]);
                self.block(body);
            }
            (Kind::Word, "else" | "loop") if self.is(i + 1, "{") => self.block(i + 1),
            (Kind::Mark, "=>" | "|") if self.is(i + 1, "{") => self.block(i + 1),
            (Kind::Word, _) => self.swap(i),
            _ => {}
        }
        // The body of a function, behind a signature in which nothing is changed.
        if self.is(i, "{") && i > 0 && self.fixed[i - 1] && !self.is(i - 1, "=>") {
            let mut j = i;
            while j > 0 && self.fixed[j - 1] {
                j -= 1;
            }
            if (j..i).any(|k| self.is(k, "fn")) {
                self.block(i);
            }
        }
    }

    fn push(&mut self, range: Range<usize>, change: Change, what: String) {
        if range.is_empty()
            || self.fixed[range.clone()].iter().any(|f| *f) && !matches!(change, Change::Without)
        {
            return;
        }
        let range = self.tokens[range.start].start..self.tokens[range.end - 1].end;
        self.sites.push(Site { range, change, what });
    }

    fn instead(&mut self, range: Range<usize>, new: String, what: String) {
        self.push(range, Change::Instead(new), what);
    }

    /// A condition: the tokens `from..to`.
    fn condition(&mut self, from: usize, to: usize) {
        let text = self.text[self.tokens[from].start..self.tokens[to - 1].end].to_string();
        self.push(from..to, Change::Never, format!("never {text}"));
        self.push(from..to, Change::Always, format!("always {text}"));
    }

    /// A binary operator with blanks around it, whose operands end at operators of `lower` precedence.
    fn binary(&mut self, i: usize, new: &str, lower: &[&str]) {
        let (start, end) = (self.tokens[i].start, self.tokens[i].end);
        let blank = |at: usize| self.text.as_bytes().get(at).is_some_and(u8::is_ascii_whitespace);
        if i == 0 || !blank(start - 1) || !blank(end) {
            return;
        }
        let operand = |k: Kind, s: &str| k != Kind::Mark || matches!(s, ")" | "]" | "?" | "}");
        if !operand(self.tokens[i - 1].kind, self.str(i - 1)) || self.is(i - 1, "return") {
            return;
        }
        let ends = |s: &str| {
            matches!(
                s,
                "," | ";" | "=" | "=>" | ".." | "..=" | "return" | "if" | "while" | "match" | "in" | "let"
            ) || matches!(s, "else" | "+=" | "-=" | "*=" | "|=" | "&=" | "|" | "^=" | ":" | "break")
                || lower.contains(&s)
        };
        let mut from = i;
        while from > 0 && !matches!(self.str(from - 1), "(" | "[" | "{") && !ends(self.str(from - 1)) {
            let j = self.before(from - 1);
            // A block before a statement.
            if self.is(from - 1, "}") && self.text[self.tokens[from - 1].end..].starts_with('\n') {
                break;
            }
            from = j;
        }
        let same = |s: &str| matches!(s, "+" | "-") && matches!(new, "+" | "-");
        let mut to = i + 1;
        while to < self.tokens.len() {
            let s = self.str(to);
            if matches!(s, ")" | "]" | "}") || ends(s) || to > i + 1 && same(s) {
                break;
            }
            // The body that follows a condition; else a struct.
            if s == "{" && !self.str(to - 1).starts_with(char::is_uppercase) {
                break;
            }
            to = self.over(to) + 1;
        }
        if from == i || to == i + 1 {
            return;
        }
        let text = |a: usize, b: usize| &self.text[self.tokens[a].start..self.tokens[b - 1].end];
        let changed = format!("{} {new} {}", text(from, i), text(i + 1, to));
        let what = format!("{new} in {}", text(from, to));
        self.instead(from..to, changed, what);
    }

    /// Another method or field of the same value, another function of the same type.
    fn swap(&mut self, i: usize) {
        let name = self.str(i);
        let Some((_, other)) = SWAPS.iter().find(|s| s.0 == name) else { return };
        if i == 0 || !matches!(self.str(i - 1), "." | "::") {
            return;
        }
        let mut end = i + 1;
        if self.is(end, "(") {
            end = self.over(end) + 1;
        }
        if matches!(self.str(end), "=" | "+=" | "-=" | "::" | "!") {
            return;
        }
        // The value or path before it.
        let mut from = i - 1;
        while let Some(j) = from.checked_sub(1) {
            let token = self.tokens[j];
            match self.str(j) {
                ")" | "]" => {
                    from = self.before(j);
                    if !self.word(from.wrapping_sub(1))
                        && !matches!(self.str(from.wrapping_sub(1)), ")" | "]" | "?")
                    {
                        break;
                    }
                }
                "?" => from = j,
                "." | "::" => from = j,
                _ if matches!(token.kind, Kind::Word | Kind::Number) => {
                    let keyword =
                        matches!(self.str(j), "return" | "if" | "in" | "match" | "else" | "while" | "let");
                    if keyword {
                        break;
                    }
                    from = j;
                    if !matches!(self.str(j.wrapping_sub(1)), "." | "::") {
                        break;
                    }
                }
                _ => break,
            }
        }
        let text = &self.text[self.tokens[from].start..self.tokens[end - 1].end];
        let at = self.tokens[i].start - self.tokens[from].start;
        let changed = format!("{}{other}{}", &text[..at], &text[at + name.len()..]);
        let what = format!("{other} in {text}");
        self.instead(from..end, changed, what);
    }

    /// The statements of a block: each that is an expression can be left out.
    fn block(&mut self, open: usize) {
        if !self.is(open, "{") {
            return;
        }
        let close = self.over(open);
        let mut i = open + 1;
        while i < close {
            let start = i;
            let first = self.str(i).to_string();
            match first.as_str() {
                "#" => {
                    i = self.over(i + 1) + 1;
                    continue;
                }
                "if" | "for" | "while" | "loop" | "match" | "{" => {
                    loop {
                        let body = if self.is(i, "{") { i } else { self.next(i, &["{"]) };
                        i = self.over(body.min(close)) + 1;
                        if !self.is(i, "else") {
                            break;
                        }
                        i += 1;
                    }
                    if !matches!(self.str(i), "." | "?") {
                        continue;
                    }
                    i = self.next(i, &[";"]) + 1;
                }
                "fn" => {
                    let body = self.next(i, &["{"]);
                    i = self.over(body.min(close)) + 1;
                }
                "let" | "return" | "break" | "continue" | "use" | "const" | "static" | "struct" => {
                    i = self.next(i, &[";"]) + 1;
                }
                _ => {
                    let end = self.next(i, &[";"]);
                    if self.is(end, ";") {
                        let text = self.text[self.tokens[start].start..self.tokens[end].end].to_string();
                        self.push(start..end + 1, Change::Without, format!("without {text}"));
                    }
                    i = end + 1;
                }
            }
        }
    }
}

/// A source with these changes, numbered from `first` on, and where each of them lies in it.
pub(super) fn render(text: &str, sites: &[(usize, &Site)]) -> (String, Vec<(usize, Range<usize>)>) {
    let mut out = String::new();
    let mut places = Vec::new();
    let mut sites: Vec<(usize, &Site)> = sites.to_vec();
    // Outer ones first.
    sites.sort_by_key(|(_, s)| (s.range.start, std::cmp::Reverse(s.range.end)));
    piece(text, 0..text.len(), &sites, &mut out, &mut places);
    (out, places)
}

fn piece(
    text: &str,
    range: Range<usize>,
    sites: &[(usize, &Site)],
    out: &mut String,
    places: &mut Vec<(usize, Range<usize>)>,
) {
    let mut at = range.start;
    let mut rest = sites;
    while let Some(((number, site), others)) = rest.split_first() {
        if site.range.start < at {
            rest = others;
            continue;
        }
        let inner = others.iter().take_while(|s| s.1.range.start < site.range.end).count();
        // Those that lie across its end are left out.
        let nested: Vec<_> =
            others[..inner].iter().filter(|s| s.1.range.end <= site.range.end).copied().collect();
        out.push_str(&text[at..site.range.start]);
        let start = out.len();
        let mut inside = |out: &mut String| piece(text, site.range.clone(), &nested, out, places);
        match &site.change {
            Change::Instead(new) => {
                out.push_str(&format!("(if crate::mutant::on({number}) {{ {new} }} else {{ "));
                inside(out);
                out.push_str(" })");
            }
            Change::Never => {
                out.push_str(&format!("(!crate::mutant::on({number}) && ("));
                inside(out);
                out.push_str("))");
            }
            Change::Always => {
                out.push_str(&format!("(crate::mutant::on({number}) || ("));
                inside(out);
                out.push_str("))");
            }
            Change::Without => {
                out.push_str(&format!("if !crate::mutant::on({number}) {{ "));
                inside(out);
                out.push_str(" }");
            }
        }
        places.push((*number, start..out.len()));
        at = site.range.end;
        rest = &others[inner..];
    }
    out.push_str(&text[at..range.end]);
}

/// The changes whose places contain one of these offsets: for each offset the innermost.
pub(super) fn blamed(places: &[(usize, Range<usize>)], offsets: &[usize]) -> BTreeSet<usize> {
    let innermost =
        |at: &usize| places.iter().filter(|p| p.1.contains(at)).min_by_key(|p| p.1.len()).map(|p| p.0);
    offsets.iter().filter_map(innermost).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_of_a_function() {
        let text = "fn f(a: u8) -> Option<u8> {\n    g(a)?;\n    let x = match a {\n        1 if a > b + 2 => 3,\n        _ => {\n            4\n        }\n    };\n    if x.lo < 5 && y {\n        return None;\n    }\n    Some(x)\n}\n";
        let all: Vec<String> = sites(text).into_iter().map(|s| s.what).collect();
        let expected = [
            "never a > b + 2",
            "always a > b + 2",
            "without g(a)?;",
            ">= in a > b + 2",
            "- in b + 2",
            "2 + 1",
            "3 + 1",
            "4 + 1",
            "never x.lo < 5 && y",
            "always x.lo < 5 && y",
            "hi in x.lo",
            "<= in x.lo < 5",
            "5 + 1",
            "|| in x.lo < 5 && y",
        ];
        assert_eq!(all, expected);
    }
}
