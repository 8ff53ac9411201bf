//! Interned names: every spelling is stored once and compared by number.

use super::lex::{Key, Tok, word_token};
use std::hash::{BuildHasher, RandomState};

/// An interned spelling.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub(super) struct Name(pub u32);

/// The table of spellings. Lookup hashes with a random key, so that no source can make it slow;
/// numbers are given in order of first use, so that output does not depend on the key.
pub(super) struct Names {
    text: String,
    ends: Vec<u32>,
    tokens: Vec<Tok>,
    hashes: Vec<u32>,
    /// Numbers plus one by hash, 0 for a free slot; the length is a power of two.
    slots: Vec<u32>,
    key: RandomState,
    /// The size of a machine word in bytes: how wide `xax` is.
    word: u8,
}

/// Names that mean something to the assembler without being reserved.
pub(super) mod known {
    use super::{Key, Name};

    macro_rules! known {
        ($($id:ident $text:literal)*) => {
            #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
            enum Order { $($id),* }
            $(pub(in crate::front) const $id: Name = Name(Key::ALL.len() as u32 + Order::$id as u32);)*
            pub(super) const TEXTS: &[&str] = &[$($text),*];
            /// All of them.
            pub(in crate::front) const ALL: &[Name] = &[$($id),*];
        };
    }
    known! {
        ANY "any" STRETCH "stretch" SIZE "size" INT "int" BYTES "bytes" CSTR "cstr" START "start"
        U8 "u8" U16 "u16" U32 "u32" U64 "u64" I8 "i8" I16 "i16" I32 "i32" I64 "i64"
    }
}

impl Default for Names {
    fn default() -> Names {
        let mut names = Names {
            text: String::new(),
            ends: Vec::new(),
            tokens: Vec::new(),
            hashes: Vec::new(),
            slots: vec![0; 1024],
            key: RandomState::new(),
            word: 8,
        };
        for key in Key::ALL {
            names.intern(key.text());
        }
        for text in known::TEXTS {
            names.intern(text);
        }
        names
    }
}

impl Names {
    /// No names yet, where a machine word has so many bytes.
    pub(super) fn for_words(bytes: u32) -> Names {
        Names { word: bytes as u8, ..Names::default() }
    }

    /// The number of a spelling.
    pub(super) fn intern(&mut self, word: &str) -> Name {
        let hash = self.key.hash_one(word.as_bytes()) as u32;
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        while let Some(i) = self.slots[at].checked_sub(1) {
            if self.hashes[i as usize] == hash && self.get(Name(i)) == word {
                return Name(i);
            }
            at = (at + 1) & mask;
        }
        let name = Name(self.ends.len() as u32);
        self.text.push_str(word);
        self.ends.push(self.text.len() as u32);
        self.hashes.push(hash);
        self.tokens.push(word_token(word, name, self.word));
        self.slots[at] = name.0 + 1;
        if self.ends.len() * 2 > self.slots.len() {
            self.grow();
        }
        name
    }

    fn grow(&mut self) {
        let mask = self.slots.len() * 2 - 1;
        let mut slots = vec![0; mask + 1];
        for (i, &hash) in self.hashes.iter().enumerate() {
            let mut at = hash as usize & mask;
            while slots[at] != 0 {
                at = (at + 1) & mask;
            }
            slots[at] = i as u32 + 1;
        }
        self.slots = slots;
    }

    /// The spelling of a name.
    pub(super) fn get(&self, name: Name) -> &str {
        let i = name.0 as usize;
        let start = if i == 0 { 0 } else { self.ends[i - 1] };
        &self.text[start as usize..self.ends[i] as usize]
    }

    /// The token that a word is: a register, a reserved word or a plain name.
    pub(super) fn token(&self, name: Name) -> Tok {
        self.tokens[name.0 as usize]
    }
}

/// The candidate that `wanted` was most likely meant to be, if one is near enough.
pub(super) fn suggest<'a>(wanted: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (wanted.len() / 3).min(3);
    candidates
        .filter(|c| *c != wanted && c.len().abs_diff(wanted.len()) <= limit)
        .map(|c| (distance(wanted, c, limit), c))
        .filter(|(d, _)| *d <= limit)
        .min()
        .map(|(_, c)| c)
}

/// The number of insertions, deletions, replacements and swaps of neighbours between two words;
/// anything above `limit` may be given as `limit + 1`.
fn distance(a: &str, b: &str, limit: usize) -> usize {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() > 64 || b.len() > 64 {
        return limit + 1;
    }
    let mut before: Vec<usize> = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let same = !a[i - 1].eq_ignore_ascii_case(&b[j - 1]) as usize;
            row[j] = (last[j - 1] + same).min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}
