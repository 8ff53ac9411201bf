//! Numbers narrower than words, in cells and in exclusive memory.
//!
//! A cell `u32(n)` holds exactly `n`, so whoever reads it learns that `n` fits into its width; nobody can store another
//! number there but the one to whom the memory belongs. What belongs to a function holds numbers as it holds words: a
//! store puts one there whatever the cell's type is, and where the memory is packed the number must be what the type
//! says. A held number is congruent to its bytes modulo their width, no more: what it is as a number with a sign or
//! without is proved where it is read.

use super::Lies;
use crate::engine::{Checked, Engine};
use crate::facts::Interval;
use crate::guide::Guide;
use crate::limits;
use crate::matching::{Blame, Subst};
use crate::memory::Leaf;
use crate::state::{Held, Lay, LocId, Word};
use crate::term::Term;
use crate::types::WordTy;
use crate::verdict::Code;
use crate::x86::insn::Width;

impl<'a, G: Guide> Engine<'a, G> {
    /// The number that the low bytes of a word are: its term where that is proved, else any number of the width.
    pub fn narrow(&mut self, width: Width, signed: bool, word: &Word) -> Checked<Term> {
        let (t, bits) = (self.integer(word)?, width.bits());
        Ok(self.num(|n| if signed { n.read_signed(bits, &t) } else { n.read(bits, &t) }))
    }

    /// Matches a cell of a known number with what lies there or shall.
    pub fn match_number(
        &mut self,
        s: &mut Subst,
        (width, signed, is): (Width, bool, &Term),
        word: &Word,
        blame: Blame,
    ) -> Checked {
        let t = self.narrow(width, signed, word)?;
        self.unify(s, is, &t, false, blame)
    }

    /// What a load of a cell of a known number gives: since the number lies there, it fits into the cell.
    pub fn load_exact(&mut self, width: Width, signed: bool, is: &Term) -> Checked<Word> {
        let range = Interval::number(width.bits(), signed);
        for fact in [is.offset(-range.lo), is.neg().and_then(|t| t.offset(range.hi))].iter().flatten() {
            if !self.state.facts.evident(fact) {
                self.state.facts.assume(fact);
            }
        }
        self.narrow(width, false, &Word::Int(is.clone())).map(Word::Int)
    }

    /// Remembers a number in exclusive memory, if that is possible: a number of `width` bytes that is congruent to the
    /// word. Whole words are remembered as they are, and 16 bytes are no number that a term says anything about.
    pub(super) fn hold_number(&mut self, l: LocId, off: &Term, width: Width, word: &Word) -> Checked<bool> {
        if width == Width::B16 {
            return Ok(false);
        }
        if self.full(width) {
            return Ok(self.hold(l, off, width, word.clone()));
        }
        let t = self.integer(word)?;
        let t = t.as_const().map_or(t, |c| Term::from(c.rem_euclid(1 << width.bits())));
        Ok(self.hold(l, off, width, Word::Int(t)))
    }

    /// Writes to a cell of numbers in exclusive memory. At a constant offset any number may be put there; elements at
    /// unknown indices keep their type.
    pub(super) fn store_number(
        &mut self,
        l: LocId,
        lay: &Lay,
        off: &Term,
        width: Width,
        leaf: Leaf,
        value: Word,
    ) -> Checked {
        if !matches!(leaf, Leaf::Num(..) | Leaf::Exact(..)) {
            return self.weak_store(leaf, value);
        }
        let mut i = 0;
        while let Some(held) = self.held_word(l, i) {
            self.spend(2)?;
            match self.lies(off, width, &held)? {
                Lies::Apart => i += 1,
                Lies::Exactly => self.drop_held(l, i),
                // One of several elements. What it is said to hold is still so if it is of its type.
                Lies::Perhaps if self.has_its_type(l, lay, &held)? => self.drop_held(l, i),
                Lies::Perhaps => {
                    return self.reject(Code::Straddle, "it is not known which element is overwritten");
                }
            }
        }
        if off.as_const().is_none() {
            return self.weak_store(leaf, value);
        }
        let fits = match &leaf {
            Leaf::Num(w, range) => {
                let t = self.narrow(*w, range.lo < 0, &value)?;
                self.lies_in(&t, *range)?
            }
            _ => false,
        };
        let room = if fits { limits::HELD_NUMBERS } else { limits::HELD };
        if self.held(l) < room {
            self.hold_number(l, off, width, &value)?;
            return Ok(());
        }
        if fits { Ok(()) } else { self.weak_store(leaf, value) }
    }

    /// Whether a held number is one that the cell at its place may hold by its declared type.
    pub(super) fn has_its_type(&mut self, l: LocId, lay: &Lay, held: &Held) -> Checked<bool> {
        Ok(match self.leaf(l, lay, &held.off, held.width, true)? {
            Leaf::Num(w, range) => {
                let t = self.narrow(w, range.lo < 0, &held.word)?;
                self.lies_in(&t, range)?
            }
            Leaf::Cell(ty, _) => match (self.program.types.word(ty), &held.word) {
                (WordTy::Range(range), Word::Int(t)) => self.lies_in(t, *range)?,
                _ => false,
            },
            _ => false,
        })
    }

    /// Whether a term is proved to lie in an interval.
    fn lies_in(&mut self, t: &Term, range: Interval) -> Checked<bool> {
        if self.state.facts.evidently_in(t, range) {
            return Ok(true);
        }
        let above = self.term(range.lo.checked_neg().and_then(|c| t.offset(c)))?;
        let below = self.term(t.neg().and_then(|n| n.offset(range.hi)))?;
        Ok(self.try_prove(&above) && self.try_prove(&below))
    }
}
