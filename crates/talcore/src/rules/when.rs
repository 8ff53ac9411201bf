//! Results that are of their type sometimes: `rdx: a when rax = 0`.
//!
//! The type `tau when e in lo..hi` is `tau` if the number `e` lies in the interval, and any word at all if not. `e` is a
//! term like any other, of what a result is the number; what a test of that result teaches of the term decides the type.
//!
//! What makes it true: until it is decided such a word is an untested one, whose value is a variable that all copies
//! share. If it may own memory, the capability belongs to the value, as that of `opt own L` does; so it is given away as a
//! whole, still undecided, where the same type for the same term is asked for, and then all copies are numbers. Nothing
//! else takes it: no cell has such a type, nothing is lent of it, and it is not loaded through. Once the term is known to
//! lie in the interval all copies become one word of `tau`, or once it is known not to, numbers. A term is one number for
//! ever, so nobody decides twice. Who makes such a word proves one or the other.

use crate::engine::{Checked, Engine, under};
use crate::facts::Interval;
use crate::guide::Guide;
use crate::matching::{Blame, Subst};
use crate::state::{Env, Word};
use crate::term::Term;
use crate::types::{WordId, WordTy};

impl<'a, G: Guide> Engine<'a, G> {
    /// Whether a term is known to lie in an interval, or outside of it.
    pub fn decided(&self, t: &Term, range: &Interval, env: &Env) -> Option<bool> {
        let known = self.state.facts.range(&under(t, env)?);
        if known.within(range) {
            return Some(true);
        }
        (known.hi < range.lo || known.lo > range.hi).then_some(false)
    }

    /// A word of such a type, which a call returns.
    pub fn load_when(&mut self, ty: WordId, env: &Env) -> Checked<Word> {
        let WordTy::When(t, range, inner) = self.program.types.word(ty) else { return Ok(Word::Any) };
        match self.decided(t, range, env) {
            Some(true) => self.load_word(*inner, env),
            Some(false) => Ok(Word::Any),
            None => {
                self.untested = true;
                let v = self.state.facts.fresh(self.word_range());
                Ok(Word::Opt(v, ty, env.clone()))
            }
        }
    }

    /// Matches a word with such a type: it is not decided either, or the term lies in the interval and the word is of the
    /// type, or it lies elsewhere.
    pub fn match_when(&mut self, s: &mut Subst, ty: (WordId, &Env), word: &Word, blame: Blame) -> Checked {
        let types = &self.program.types;
        let WordTy::When(t, range, inner) = types.word(ty.0) else { return Ok(()) };
        if let Word::Opt(v, node, env) = word
            && matches!(types.word(*node), WordTy::When(..))
        {
            self.same_word(s, ty, (*node, env), 0, blame).map_err(|mut e| {
                e.why = "what tells of which type the word is was not tested, and is not the same as here";
                e
            })?;
            return if types.linear(*node) { self.give_untested(*v, blame) } else { Ok(()) };
        }
        let t = self.term(under(t, ty.1))?;
        let Some(t) = s.apply(&t) else {
            return self.reject(blame.shape, "what tells the type of a result is not known");
        };
        let known = self.state.facts.range(&t);
        if known.hi < range.lo || known.lo > range.hi {
            return Ok(());
        }
        if !known.within(range) {
            let below = self.term(t.neg().and_then(|t| t.offset(range.lo - 1)))?;
            let above = self.term(t.offset(-range.hi - 1))?;
            if self.try_prove(&below) || self.try_prove(&above) {
                return Ok(());
            }
            let why = "the result is not known to be one for which the word is of its type, nor one for which it is not";
            self.require_in(&t, *range, blame.fact, why)?;
        }
        self.match_word(s, (*inner, ty.1), word, blame)
    }
}
