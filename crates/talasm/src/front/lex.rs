//! From characters to tokens.

use super::names::{Name, Names};
use crate::ir::RegOp;
use logos::Logos;

/// A token. Spaces, comments and continued line ends are dropped.
#[derive(Clone, Copy, PartialEq, Debug)]
#[allow(missing_docs)]
pub(super) enum Tok {
    Newline,
    /// A plain name.
    Ident(Name),
    /// `name.field`, as one word.
    Path(Name),
    /// `.name`: a local label.
    Local(Name),
    /// `@name`: a ghost step.
    Ghost,
    Reg(RegOp),
    Num(u64),
    /// A quoted string; its contents are read from the source where they are needed.
    Str,
    LParen,
    RParen,
    LBracket,
    RBracket,
    LBrace,
    RBrace,
    Comma,
    Colon,
    Dot,
    DotDot,
    Plus,
    Minus,
    Star,
    Slash,
    Percent,
    Shl,
    Shr,
    Amp,
    Caret,
    Pipe,
    Tilde,
    Le,
    Lt,
    Eq,
    Gt,
    Ge,
    Arrow,
    FatArrow,
    /// A reserved word.
    Key(Key),
}

macro_rules! keys {
    ($($variant:ident $text:literal)*) => {
        /// The reserved words.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[allow(missing_docs)]
        pub(super) enum Key { $($variant),* }
        impl Key {
            /// All reserved words; [`Names`] gives them the first numbers, in this order.
            pub(super) const ALL: &[Key] = &[$(Key::$variant),*];
            /// The spelling.
            pub(super) fn text(self) -> &'static str {
                match self { $(Key::$variant => $text),* }
            }
            pub(super) fn of(word: &str) -> Option<Key> {
                Some(match word { $($text => Key::$variant,)* _ => return None })
            }
        }
    };
}

keys! {
    Abstract "abstract" Arch "arch" Const "const" Struct "struct" Type "type" Rodata "rodata" Data "data" Bss "bss"
    Pub "pub" Import "import" Fn "fn" Use "use"
    Own "own" Ref "ref" Imm "imm" Opt "opt" Res "res" Nullterm "nullterm" Mut "mut" Frozen "frozen" Uniq "uniq"
    Exists "exists" Seq "seq" Union "union"
    Noreturn "noreturn" Preserves "preserves" Clobbers "clobbers" Uses "uses" When "when"
    Byte "byte" Word "word" Dword "dword" Qword "qword" Xmmword "xmmword" Xword "xword" Ptr "ptr"
    Sys "sys" Table "table"
    Lock "lock" Rep "rep" Repe "repe" Repz "repz" Repne "repne" Repnz "repnz"
    Sizeof "sizeof" Offsetof "offsetof" Wordsize "wordsize" If "if" Else "else" Endif "endif"
    Db "db" Dw "dw" Dd "dd" Dq "dq" Dup "dup" Align "align"
}

impl Key {
    /// The word as a name.
    pub(super) const fn name(self) -> Name {
        Name(self as u32)
    }

    /// Whether a line that begins with this word is a declaration.
    pub(super) fn declares(self) -> bool {
        use Key::*;
        matches!(
            self,
            Abstract | Arch | Const | Struct | Union | Type | Rodata | Data | Bss | Pub | Import | Fn | Use
        )
    }
}

/// The token that a word is, where a machine word has so many bytes.
pub(super) fn word_token(word: &str, name: Name, word_bytes: u8) -> Tok {
    if let Some(key) = Key::of(word) {
        return Tok::Key(key);
    }
    match register(word, word_bytes) {
        Some(reg) => Tok::Reg(reg),
        None => Tok::Ident(name),
    }
}

/// The register of this name, in lower or upper case. `xax`, `xcx`, ... are as wide as a machine word, of `word_bytes`
/// bytes.
pub(super) fn register(word: &str, word_bytes: u8) -> Option<RegOp> {
    const LEGACY: [&str; 8] = ["ax", "cx", "dx", "bx", "sp", "bp", "si", "di"];
    if word.len() > 5 {
        return None;
    }
    let lower;
    let word = if word.bytes().any(|b| b.is_ascii_uppercase()) {
        if word.bytes().any(|b| b.is_ascii_lowercase()) {
            return None;
        }
        lower = word.to_ascii_lowercase();
        &lower
    } else {
        word
    };
    let legacy = |w: &str| LEGACY.iter().position(|l| *l == w).map(|n| n as u8);
    if let Some(digits) = word.strip_prefix("xmm") {
        return number(digits).map(RegOp::Xmm);
    }
    if let Some(rest) = word.strip_prefix('r') {
        if let Some(n) = legacy(rest) {
            return Some(RegOp::Gpr(n, 8));
        }
        let (digits, width) = match rest.as_bytes().last()? {
            b'd' => (&rest[..rest.len() - 1], 4),
            b'w' => (&rest[..rest.len() - 1], 2),
            b'b' => (&rest[..rest.len() - 1], 1),
            _ => (rest, 8),
        };
        return number(digits).filter(|n| *n >= 8).map(|n| RegOp::Gpr(n, width));
    }
    if let Some(n) = word.strip_prefix('x').and_then(legacy) {
        return Some(RegOp::Gpr(n, word_bytes));
    }
    if let Some(n) = word.strip_prefix('e').and_then(legacy) {
        return Some(RegOp::Gpr(n, 4));
    }
    if let Some(n) = legacy(word) {
        return Some(RegOp::Gpr(n, 2));
    }
    Some(match word {
        "al" => RegOp::Gpr(0, 1),
        "cl" => RegOp::Gpr(1, 1),
        "dl" => RegOp::Gpr(2, 1),
        "bl" => RegOp::Gpr(3, 1),
        "spl" => RegOp::Gpr(4, 1),
        "bpl" => RegOp::Gpr(5, 1),
        "sil" => RegOp::Gpr(6, 1),
        "dil" => RegOp::Gpr(7, 1),
        "ah" => RegOp::High(0),
        "ch" => RegOp::High(1),
        "dh" => RegOp::High(2),
        "bh" => RegOp::High(3),
        _ => return None,
    })
}

/// A register number below 16 without leading zeros.
fn number(digits: &str) -> Option<u8> {
    let plain = digits == "0" || (digits.len() <= 2 && digits.as_bytes().first()? != &b'0');
    digits.parse().ok().filter(|n| plain && *n < 16 && digits.bytes().all(|b| b.is_ascii_digit()))
}

/// What the automaton recognises; [`Lexer`] makes tokens of it.
#[derive(Logos, Clone, Copy, PartialEq, Debug)]
#[logos(skip r"[ \t\r\f]+")]
#[logos(skip(r";[^\n]*", allow_greedy = true))]
#[logos(skip r"\\[ \t\r]*(;[^\n]*)?\n")]
enum Raw {
    #[token("\n")]
    Newline,
    #[regex(r"[A-Za-z_][A-Za-z0-9_$]*")]
    Word,
    #[regex(r"[A-Za-z_][A-Za-z0-9_$]*(\.[A-Za-z_][A-Za-z0-9_$]*)+")]
    Path,
    #[regex(r"\.[A-Za-z_][A-Za-z0-9_$]*")]
    Local,
    #[regex(r"@[A-Za-z_]*")]
    Ghost,
    #[regex(r"[0-9][0-9A-Za-z_]*")]
    Number,
    #[regex(r#""([^"\\\n]|\\[^\n])*""#)]
    #[regex(r"'([^'\\\n]|\\[^\n])*'")]
    Str,
    #[regex(r#""([^"\\\n]|\\[^\n])*"#)]
    #[regex(r"'([^'\\\n]|\\[^\n])*")]
    OpenStr,
    #[token("(")]
    LParen,
    #[token(")")]
    RParen,
    #[token("[")]
    LBracket,
    #[token("]")]
    RBracket,
    #[token("{")]
    LBrace,
    #[token("}")]
    RBrace,
    #[token(",")]
    Comma,
    #[token(":")]
    Colon,
    #[token(".")]
    Dot,
    #[token("..")]
    DotDot,
    #[token("+")]
    Plus,
    #[token("-")]
    Minus,
    #[token("*")]
    Star,
    #[token("/")]
    Slash,
    #[token("%")]
    Percent,
    #[token("<<")]
    Shl,
    #[token(">>")]
    Shr,
    #[token("&")]
    Amp,
    #[token("^")]
    Caret,
    #[token("|")]
    Pipe,
    #[token("~")]
    Tilde,
    #[token("<=")]
    Le,
    #[token("<")]
    Lt,
    #[token("=")]
    Eq,
    #[token(">")]
    Gt,
    #[token(">=")]
    Ge,
    #[token("->")]
    Arrow,
    #[token("=>")]
    FatArrow,
}

/// Why a piece of source is no token.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct LexError {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
    /// Why.
    pub why: LexReason,
}

/// The reasons of a [`LexError`].
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum LexReason {
    /// A character that begins no token.
    Character,
    /// A string without its closing quote.
    OpenString,
    /// A malformed number.
    Number,
    /// A number of more than 64 bits.
    Overflow,
}

/// A token with its byte range.
pub(super) type Spanned = (u32, Tok, u32);

/// The tokens of one stretch of a file, with a [`Tok::Newline`] at its end.
pub(super) struct Lexer<'s, 'n> {
    raw: logos::Lexer<'s, Raw>,
    names: &'n mut Names,
    base: u32,
    ended: bool,
}

impl<'s, 'n> Lexer<'s, 'n> {
    /// Reads `text` from byte `start` on.
    pub(super) fn new(text: &'s str, start: u32, end: u32, names: &'n mut Names) -> Lexer<'s, 'n> {
        let text = text.get(start as usize..end as usize).unwrap_or("");
        Lexer { raw: Raw::lexer(text), names, base: start, ended: false }
    }

    fn word(&mut self) -> Tok {
        let name = self.names.intern(self.raw.slice());
        self.names.token(name)
    }

    fn number(&self) -> Result<Tok, LexReason> {
        let text = self.raw.slice();
        if let Ok(n) = text.parse() {
            return Ok(Tok::Num(n));
        }
        let prefixed = |p: &str| text.get(..2).filter(|t| t.eq_ignore_ascii_case(p)).map(|_| &text[2..]);
        let (digits, radix) = if let Some(d) = prefixed("0x") {
            (d, 16)
        } else if let Some(d) = prefixed("0b") {
            (d, 2)
        } else if let Some(d) = prefixed("0o") {
            (d, 8)
        } else {
            (text, 10)
        };
        let mut value = Some(0u64);
        let mut any = false;
        for c in digits.bytes().filter(|c| *c != b'_') {
            let digit = (c as char).to_digit(radix).ok_or(LexReason::Number)?;
            any = true;
            value = value.and_then(|v| v.checked_mul(radix as u64)?.checked_add(digit as u64));
        }
        if !any {
            return Err(LexReason::Number);
        }
        value.map(Tok::Num).ok_or(LexReason::Overflow)
    }
}

impl Iterator for Lexer<'_, '_> {
    type Item = Result<Spanned, LexError>;

    fn next(&mut self) -> Option<Self::Item> {
        let raw = self.raw.next();
        let span = self.raw.span();
        let (start, end) = (self.base + span.start as u32, self.base + span.end as u32);
        let fail = |why| Some(Err(LexError { start, end, why }));
        let tok = match raw {
            None if self.ended => return None,
            None => {
                self.ended = true;
                Tok::Newline
            }
            Some(Err(())) => return fail(LexReason::Character),
            Some(Ok(raw)) => match raw {
                Raw::Word => self.word(),
                Raw::Path => Tok::Path(self.names.intern(self.raw.slice())),
                Raw::Local => Tok::Local(self.names.intern(self.raw.slice())),
                Raw::Number => match self.number() {
                    Ok(tok) => tok,
                    Err(why) => return fail(why),
                },
                Raw::OpenStr => return fail(LexReason::OpenString),
                Raw::Newline => Tok::Newline,
                Raw::Ghost => Tok::Ghost,
                Raw::Str => Tok::Str,
                Raw::LParen => Tok::LParen,
                Raw::RParen => Tok::RParen,
                Raw::LBracket => Tok::LBracket,
                Raw::RBracket => Tok::RBracket,
                Raw::LBrace => Tok::LBrace,
                Raw::RBrace => Tok::RBrace,
                Raw::Comma => Tok::Comma,
                Raw::Colon => Tok::Colon,
                Raw::Dot => Tok::Dot,
                Raw::DotDot => Tok::DotDot,
                Raw::Plus => Tok::Plus,
                Raw::Minus => Tok::Minus,
                Raw::Star => Tok::Star,
                Raw::Slash => Tok::Slash,
                Raw::Percent => Tok::Percent,
                Raw::Shl => Tok::Shl,
                Raw::Shr => Tok::Shr,
                Raw::Amp => Tok::Amp,
                Raw::Caret => Tok::Caret,
                Raw::Pipe => Tok::Pipe,
                Raw::Tilde => Tok::Tilde,
                Raw::Le => Tok::Le,
                Raw::Lt => Tok::Lt,
                Raw::Eq => Tok::Eq,
                Raw::Gt => Tok::Gt,
                Raw::Ge => Tok::Ge,
                Raw::Arrow => Tok::Arrow,
                Raw::FatArrow => Tok::FatArrow,
            },
        };
        Some(Ok((start, tok, end)))
    }
}
