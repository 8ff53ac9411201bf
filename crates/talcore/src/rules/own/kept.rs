//! Memory that was given away and belongs to us again if a result says so: realloc, when it fails.

use crate::engine::{Checked, Engine};
use crate::facts::Interval;
use crate::guide::Guide;
use crate::matching::{Blame, Subst};
use crate::state::{Guard, Lay, LocId, Word};
use crate::term::Term;
use crate::types::{Kept, Sig};
use crate::x86::insn::Reg;

/// Whether a word whose value lies in `known` is outside of `range`.
fn apart_from(known: &Interval, range: &Interval, words: &Interval) -> bool {
    known.within(words) && (known.hi < range.lo || known.lo > range.hi)
}

impl<'a, G: Guide> Engine<'a, G> {
    /// After a call: what was given away belongs to us again for some values of a result, whatever we know of it yet.
    pub fn come_back(&mut self, sig: &Sig, s: &Subst) -> Checked {
        for (l, i) in core::mem::take(&mut self.suspended) {
            let Some(kept) = sig.kept.get(i) else { continue };
            let var = match self.get(Reg(kept.result)) {
                Word::Opt(v, ..) => Some(v),
                Word::Int(t) => t.as_var(),
                _ => None,
            };
            let lay = self.canonical(&Lay { id: kept.layout, env: s.env() })?;
            match (var, self.state.locs.get_mut(l as usize)) {
                (Some(var), Some(loc)) => {
                    loc.lay = lay;
                    loc.empty();
                    loc.tags.clear();
                    loc.guard = Some(Guard { var, range: kept.range });
                    self.untested = true;
                }
                _ => self.kill(l)?,
            }
        }
        self.resolve_guards()
    }

    /// Objects that came back, or did not, as far as that is known now.
    pub fn resolve_guards(&mut self) -> Checked {
        self.spend(self.state.locs.len() as u64)?;
        let words = self.word_range();
        for l in 0..self.state.locs.len() {
            let Some(guard) = self.state.locs.get(l).and_then(|loc| loc.guard) else { continue };
            let known = self.state.facts.interval(guard.var);
            let back = known.within(&guard.range);
            if !back && !apart_from(&known, &guard.range, &words) {
                continue;
            }
            if let Some(loc) = self.state.locs.get_mut(l) {
                loc.guard = None;
                loc.live = back;
            }
            if !back {
                self.kill(l as LocId)?;
            }
        }
        Ok(())
    }

    /// At a return: what the signature says that the caller keeps is there, unless the result, which was `word`, tells
    /// that it is not.
    pub fn give_back(&mut self, s: &mut Subst, kept: &Kept, l: LocId, word: &Word, blame: Blame) -> Checked {
        let words = self.word_range();
        let (known, var) = match word {
            Word::Int(t) => {
                let range = self.state.facts.range(t);
                // The word is only congruent to the term.
                let wraps = range.hi < 0 && range.lo >= -words.hi - 1;
                let range = match wraps {
                    true => Interval::new(range.lo + words.hi + 1, range.hi + words.hi + 1),
                    false => range,
                };
                (range, t.as_var())
            }
            Word::Opt(v, ..) => (self.state.facts.interval(*v), Some(*v)),
            Word::Ptr(_, e) if e.as_const() == Some(0) => (Interval::new(1, self.pointer_range().hi), None),
            _ => (words, None),
        };
        if apart_from(&known, &kept.range, &words) {
            return Ok(());
        }
        // Another call promised the same, by the same word.
        if let Some(loc) = self.state.locs.get_mut(l as usize)
            && loc.guard.is_some_and(|g| Some(g.var) == var && kept.range.within(&g.range))
        {
            loc.guard = None;
            loc.live = true;
        }
        self.whole(l, blame)?;
        self.take(s, (kept.layout, &None), l, &Term::zero(), blame)
    }
}
