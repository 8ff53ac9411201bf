//! Word types as numbers, so that types may have parameters that are types.
//!
//! Each word type has a *code*, a number, and a parameter or variable that stands for a type is an index variable whose
//! value is a code. [`WordTy::Of`] is the type whose code is a term. So everything that the rules do with sizes they do
//! with types too: a call binds a type variable by matching, a label compares type arguments as terms, an existential
//! hides them, and nothing but equality is ever proved of them.
//!
//! **Every number is the code of some type**, the same one everywhere in a program: what is not the code of a type that
//! may be meant is the code of `int`. So there are no kinds that annotations could confuse. A number that happens to be
//! a code, or a code that is used as a number, is just that.
//!
//! Codes stand only for types that mention no variable, are not borrowed, and may lie in memory. So no type argument
//! speaks of a location, a frame or a stretch; arguments nest only as deep as they are written; and taking a struct
//! apart never makes a larger argument than the one that it was given.

use crate::program::Program;
use crate::term::Term;
use crate::types::WordId;

/// The code of the first word type. No program computes with numbers of this size.
const FIRST: i128 = 1 << 110;

/// The code of a word type, by its number in some table.
pub fn code(id: WordId) -> Term {
    Term::from(FIRST + i128::from(id.0))
}

/// The word type of which a term is the code, as far as it can be one.
pub fn coded(t: &Term) -> Option<WordId> {
    let n = t.as_const()?.checked_sub(FIRST)?;
    u32::try_from(n).ok().map(WordId)
}

/// Whether a constant is one that only codes are: in types and annotations they are written as such.
pub fn is_code(t: &Term) -> bool {
    t.as_const().is_some_and(|n| n >= FIRST)
}

impl Program<'_> {
    /// The code of a word type, the same for all types that are the same; `None` if it has none.
    pub fn code(&self, id: WordId) -> Option<Term> {
        self.shapes.coded(id).then(|| code(self.codes.get(id.index()).copied().unwrap_or(id)))
    }

    /// The word type of which the term is the code, if it is a constant, as the module of `scope` sees it. `linear`: it
    /// may own memory. `None` too where modules see different things and this one has no such type: a code stays a code
    /// then, since what other modules see of it is not for this one.
    pub fn decode(&self, t: &Term, linear: bool, scope: u32) -> Option<WordId> {
        t.as_const()?;
        let meant = coded(t).filter(|id| self.shapes.coded(*id) && (linear || !self.types.linear(*id)));
        let Some(meant) = meant else { return Some(self.shapes.int()) };
        let first = self.views.partition_point(|view| view.0 < meant);
        if self.views.get(first).is_none_or(|view| view.0 != meant) {
            return Some(meant);
        }
        let words = self.scopes.get(scope as usize)?.types.words;
        let own = self.views.partition_point(|view| *view < (meant, WordId(words.0)));
        self.views.get(own).filter(|view| view.0 == meant && view.1.0 < words.1).map(|view| view.1)
    }

    /// The codes as the note says them that begins with the word type `first`, for the writer of annotations.
    pub fn local_code(&self, t: &Term, words: (u32, u32)) -> Option<Term> {
        let Some(id) = coded(t) else { return Some(t.clone()) };
        let local = (words.0..words.1).find(|w| self.codes.get(*w as usize) == Some(&id))?;
        Some(code(WordId(local - words.0)))
    }
}

/// The inverse of [`Program::local_code`], with the numbers of all types: what a code in a note means in the program.
pub fn global_code(codes: &[WordId], t: Term, words: (u32, u32)) -> Option<Term> {
    let Some(id) = coded(&t) else { return Some(t) };
    let id = words.0.checked_add(id.0).filter(|id| *id < words.1)?;
    Some(code(*codes.get(id as usize)?))
}
