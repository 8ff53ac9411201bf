//! The catalogue of error codes: a title and an explaining page for each.

use crate::Code;

/// What the catalogue knows of one code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    /// The code.
    pub code: Code,
    /// What it means in a few words.
    pub title: &'static str,
    /// The page `docs/errors/TALnnnn.md`.
    pub page: &'static str,
}

/// All codes, in order.
pub const ALL: &[Entry] = &[];

/// The entry of a code.
pub fn find(code: Code) -> Option<&'static Entry> {
    ALL.binary_search_by_key(&code, |e| e.code).ok().and_then(|i| ALL.get(i))
}
