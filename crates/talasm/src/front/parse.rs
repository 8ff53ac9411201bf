//! Drives the parser: finds the declarations and function bodies of a file, and goes on at the end of
//! the line or of the declaration after an error.

use super::ast::DeclKind;
use super::builder::Builder;
use super::grammar::{BodyParser, DeclParser};
use super::lex::{Key, LexError, LexReason, Lexer, Spanned, Tok};
use super::names::{Name, Names};
use super::syntax;
use crate::ir::Span;
use lalrpop_util::ParseError;

pub(super) type Error = ParseError<u32, Tok, LexError>;

/// Parses the declarations of a file; bodies are only found, not parsed. Answers the names of
/// declarations that could not be parsed, so that their use is no further error.
pub(super) fn declarations(b: &mut Builder, names: &mut Names, text: &str) -> Vec<Name> {
    let mut broken = Vec::new();
    // What the text before the next declaration belongs to.
    let mut owner = Owner::Nothing;
    let mut at = 0;
    loop {
        let start = next_declaration(text, at);
        match owner {
            Owner::Function(i) => b.decls[i].body = Some(b.span(at as u32, start as u32)),
            Owner::Broken => (),
            Owner::Nothing => stray(b, &text[at..start], at),
        }
        if start == text.len() || b.diags.full() {
            return broken;
        }
        let before = b.decls.len();
        let mut tokens = DeclTokens::new(text, start, names);
        let result = DeclParser::new().parse(b, &mut tokens);
        while tokens.next().is_some() {}
        owner = match (&result, b.decls.get(before).map(|d| &d.kind)) {
            (Ok(()), Some(DeclKind::Fn(_))) => Owner::Function(before),
            (Ok(()), _) => Owner::Nothing,
            (Err(_), _) => Owner::Broken,
        };
        at = tokens.end;
        broken.extend(tokens.name.filter(|_| result.is_err()));
        if let Some(open) = tokens.unclosed {
            let open = b.span(open, open + 1);
            let end = b.span(tokens.end as u32, tokens.end as u32);
            b.diags
                .error(1006, "this bracket is never closed")
                .at(open, "opened here")
                .near(end, "the next declaration begins here");
        } else if let Err(e) = result {
            syntax::report(b, text, e);
        }
    }
}

enum Owner {
    Function(usize),
    Broken,
    Nothing,
}

/// Complains about instructions that belong to no function.
fn stray(b: &mut Builder, text: &str, at: usize) {
    let mut start = at;
    for line in text.split_inclusive('\n') {
        let code = line.split(';').next().unwrap_or("").trim_end_matches(['\\', '\n', ' ', '\t', '\r']);
        let blank = code.len() - code.trim_start().len();
        if blank < code.len() {
            let span = b.span((start + blank) as u32, (start + code.len()) as u32);
            b.diags
                .error(1012, "this is neither a declaration nor inside a function")
                .at(span, "does not belong to anything")
                .help("instructions follow a function's header: `fn name(rdi: int) -> (rax: int)`");
            return;
        }
        start += line.len();
    }
}

/// The start of the next line that begins with the word of a declaration, or the end of the text.
fn next_declaration(text: &str, from: usize) -> usize {
    let bytes = text.as_bytes();
    let mut at = from;
    while at < bytes.len() {
        if declares(&bytes[at..]) {
            return at;
        }
        match bytes[at..].iter().position(|b| *b == b'\n') {
            Some(n) => at += n + 1,
            None => break,
        }
    }
    bytes.len()
}

/// Whether a line begins with the word of a declaration, followed by another word.
fn declares(line: &[u8]) -> bool {
    let blank = |b: &&u8| matches!(**b, b' ' | b'\t');
    let start = line.iter().take_while(blank).count();
    let line = &line[start..];
    let len = line.iter().take(8).take_while(|b| b.is_ascii_lowercase()).count();
    let (word, rest) = line.split_at(len);
    let space = rest.iter().take_while(blank).count();
    if !(2..=6).contains(&len) || space == 0 || rest.get(space) == Some(&b':') {
        return false;
    }
    std::str::from_utf8(word).ok().and_then(Key::of).is_some_and(Key::declares)
}

/// The tokens of one declaration. Line ends inside brackets do not count.
struct DeclTokens<'s, 'n> {
    lexer: Lexer<'s, 'n>,
    text: &'s str,
    open: Vec<u32>,
    done: bool,
    /// One past the declaration.
    end: usize,
    /// The first name.
    name: Option<Name>,
    /// A bracket that was open when the next declaration began.
    unclosed: Option<u32>,
}

impl<'s, 'n> DeclTokens<'s, 'n> {
    fn new(text: &'s str, start: usize, names: &'n mut Names) -> Self {
        let lexer = Lexer::new(text, start as u32, text.len() as u32, names);
        DeclTokens { lexer, text, open: Vec::new(), done: false, end: start, name: None, unclosed: None }
    }

    /// Whether the declaration ends with the line that ends just before `next`.
    fn ends(&mut self, next: usize) -> bool {
        let rest = &self.text[next.min(self.text.len())..];
        if let Some(&open) = self.open.last() {
            let over = rest.is_empty() || declares(rest.as_bytes());
            if over {
                self.unclosed = Some(open);
            }
            return over;
        }
        let rest = rest.trim_start();
        !(rest.starts_with("->") || rest.starts_with('='))
    }
}

impl Iterator for DeclTokens<'_, '_> {
    type Item = Result<Spanned, LexError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.done {
            let Some(item) = self.lexer.next() else {
                self.done = true;
                self.end = self.text.len();
                break;
            };
            if let Ok((start, tok, end)) = item {
                match tok {
                    Tok::LParen | Tok::LBracket | Tok::LBrace => self.open.push(start),
                    Tok::RParen | Tok::RBracket | Tok::RBrace => {
                        self.open.pop();
                    }
                    Tok::Ident(n) if self.name.is_none() => self.name = Some(n),
                    Tok::Newline => {
                        if self.ends(end as usize) {
                            self.done = true;
                            self.end = end as usize;
                            break;
                        }
                        continue;
                    }
                    _ => (),
                }
            }
            return Some(item);
        }
        None
    }
}

/// Parses the body of a function into `b.body`, which is emptied first.
pub(super) fn body(b: &mut Builder, names: &mut Names, text: &str, span: Span) {
    b.body.clear();
    b.file = span.file;
    let mut lexer = Lexer::new(text, span.start, span.end, names);
    loop {
        let Err(e) = BodyParser::new().parse(b, &mut lexer) else { return };
        let at_line_end = matches!(e, ParseError::UnrecognizedToken { token: (_, Tok::Newline, _), .. });
        syntax::report(b, text, e);
        b.body.operands_taken = b.body.operands.len() as u32;
        if b.diags.full() {
            return;
        }
        if !at_line_end {
            // Whatever is wrong in the rest of this line follows from what was said.
            loop {
                match lexer.next() {
                    None => return,
                    Some(Ok((_, Tok::Newline, _))) => break,
                    Some(Err(LexError { why: LexReason::OpenString, .. })) | Some(_) => (),
                }
            }
        }
    }
}
