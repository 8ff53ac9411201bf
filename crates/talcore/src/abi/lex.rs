//! The words of an interface table.

use super::AbiError;

/// One token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Token {
    /// A name or keyword.
    Name(&'static str),
    /// A number, decimal or hexadecimal.
    Num(i128),
    /// Punctuation.
    Sign(&'static str),
    /// The end of the text.
    End,
}

/// Punctuation, longest first.
const SIGNS: [&str; 19] =
    ["->", "..", "<=", "=", "[", "]", "(", ")", "{", "}", ":", ",", "|", "&", "+", "-", "*", "<", ">"];

/// Reads tokens from a text, one ahead.
pub(super) struct Lexer {
    text: &'static str,
    /// The next token and the bytes `start..end` that it takes.
    next: Token,
    start: usize,
    end: usize,
    /// The end of the token before.
    last: usize,
}

impl Lexer {
    /// A lexer before the first token.
    pub(super) fn new(text: &'static str) -> Result<Lexer, AbiError> {
        let mut lexer = Lexer { text, next: Token::End, start: 0, end: 0, last: 0 };
        lexer.advance()?;
        Ok(lexer)
    }

    /// The token ahead.
    pub(super) fn peek(&self) -> Token {
        self.next
    }

    /// The offset of the token ahead.
    pub(super) fn at(&self) -> usize {
        self.start
    }

    /// The text from `start` to the end of the token before the next.
    pub(super) fn since(&self, start: usize) -> &'static str {
        self.text.get(start..self.last).unwrap_or("")
    }

    /// An error at the token ahead.
    pub(super) fn error<T>(&self, expected: &'static str) -> Result<T, AbiError> {
        Err(AbiError { at: self.start, expected })
    }

    /// Takes the token ahead.
    pub(super) fn take(&mut self) -> Result<Token, AbiError> {
        let token = self.next;
        self.advance()?;
        Ok(token)
    }

    /// Takes the token ahead if it is this sign or word.
    pub(super) fn eat(&mut self, what: &str) -> Result<bool, AbiError> {
        let fits = match self.next {
            Token::Name(s) | Token::Sign(s) => s == what,
            _ => false,
        };
        if fits {
            self.advance()?;
        }
        Ok(fits)
    }

    /// Takes this sign or word.
    pub(super) fn expect(&mut self, what: &'static str) -> Result<(), AbiError> {
        if self.eat(what)? { Ok(()) } else { self.error(what) }
    }

    /// Takes a name.
    pub(super) fn name(&mut self) -> Result<&'static str, AbiError> {
        match self.next {
            Token::Name(name) => {
                self.advance()?;
                Ok(name)
            }
            _ => self.error("a name"),
        }
    }

    fn advance(&mut self) -> Result<(), AbiError> {
        self.last = self.end;
        let rest = |at: usize| self.text.get(at..).unwrap_or("");
        let mut at = self.end;
        loop {
            let s = rest(at);
            let blank = s.len() - s.trim_start().len();
            at += blank;
            if !rest(at).starts_with(';') {
                break;
            }
            at += rest(at).find('\n').unwrap_or(rest(at).len());
        }
        let s = rest(at);
        let word = s.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(s.len());
        let (next, len) = if s.is_empty() {
            (Token::End, 0)
        } else if word > 0 {
            let w = s.get(..word).unwrap_or("");
            if w.starts_with(|c: char| c.is_ascii_digit()) {
                let value = match w.strip_prefix("0x") {
                    Some(hex) => i128::from_str_radix(hex, 16),
                    None => w.parse(),
                };
                match value {
                    Ok(n) => (Token::Num(n), word),
                    Err(_) => return Err(AbiError { at, expected: "a number" }),
                }
            } else {
                (Token::Name(w), word)
            }
        } else {
            match SIGNS.iter().find(|sign| s.starts_with(**sign)) {
                Some(sign) => (Token::Sign(sign), sign.len()),
                None => return Err(AbiError { at, expected: "a token" }),
            }
        };
        (self.next, self.start, self.end) = (next, at, at + len);
        Ok(())
    }
}
