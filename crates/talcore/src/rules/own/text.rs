//! Strings in exclusive memory and in the frame.
//!
//! Where a byte is known to be 0, memory up to there is a string, whose length is a number that nobody has counted: at
//! most the distance to the 0. It stays one as long as nobody writes, so it is one only in memory that nobody else can
//! write, and only until the function itself does. Known to be 0 is what the function has stored there, and a byte that it
//! has loaded and tested since it wrote last. `text(m, n)` is what states call raw memory of `n` bytes of which
//! the first 0 is at `m`. What is held there as well is known too; none of it replaces what the layout says, and every
//! write makes raw memory of it.

use crate::engine::{Checked, Engine, under};
use crate::facts::Interval;
use crate::guide::Guide;
use crate::matching::{Blame, Subst};
use crate::memory::Spot;
use crate::rules::Lent;
use crate::state::{Byte, Env, Lay, Loc, LocId, Word};
use crate::term::Term;
use crate::types::{Layout, LayoutId, Mode};
use crate::x86::insn::Width;
use alloc::rc::Rc;
use alloc::vec;

impl<'a, G: Guide> Engine<'a, G> {
    /// A byte was loaded from raw memory: if a test finds that it is 0, a string ends there, as long as nobody writes. Whoever
    /// writes to raw memory, or gives it another layout, forgets it.
    pub fn loaded_byte(&mut self, (l, off): Spot<'_>, loc: &Loc, width: Width, word: &Word) {
        let raw = self.program.shapes.raw_size(loc.lay.id).is_some();
        if let (Word::Int(t), Width::B1, true) = (word, width, raw && loc.exclusive())
            && let Some(value) = t.as_var()
        {
            self.state.byte = Some(Byte { loc: l, off: off.clone(), value });
        }
    }

    /// Where from `e` on a byte of exclusive memory is known to be 0.
    fn zero_behind(&mut self, l: LocId, e: &Term) -> Checked<Option<Term>> {
        if let Some(byte) = self.state.byte.clone().filter(|b| b.loc == l)
            && self.state.facts.interval(byte.value) == crate::shapes::ZERO
        {
            let left = self.term(byte.off.sub(e))?;
            if self.try_prove(&left) {
                return Ok(Some(byte.off));
            }
        }
        for i in 0..self.held(l) {
            self.spend(2)?;
            let Some(held) = self.held_word(l, i) else { break };
            let Some(at) = zero_in(&held.word, held.width) else { continue };
            let at = self.term(held.off.offset(at))?;
            let left = self.term(at.sub(e))?;
            if self.try_prove(&left) {
                return Ok(Some(at));
            }
        }
        let lay = self.loc(l)?.lay;
        if self.program.zeros(lay.id) && self.held_at(l, e, Width::B1)? == Err(true) {
            let size = self.size_of(&lay).unwrap_or_default();
            let left = self.term(size.sub(e).and_then(|t| t.offset(-1)))?;
            return Ok((self.try_prove(e) && self.try_prove(&left)).then(|| e.clone()));
        }
        Ok(None)
    }

    /// A length of which only is known that it is at most this.
    fn length_below(&mut self, most: &Term) -> Checked<Term> {
        let m = self.fresh(Interval::new(0, self.max_object()));
        let left = self.term(most.sub(&m))?;
        self.state.facts.assume(&left);
        Ok(m)
    }

    /// Raw exclusive memory in which some byte is known to be 0 becomes a string with bytes behind it.
    pub(super) fn becomes_text(&mut self, l: LocId) -> Checked<bool> {
        let loc = self.loc(l)?;
        let shapes = &self.program.shapes;
        let raw = shapes.raw_size(loc.lay.id).is_some() || self.program.zeros(loc.lay.id);
        if !loc.exclusive() || !raw {
            return Ok(false);
        }
        let (Some(size), Some(at)) = (self.size_of(&loc.lay), self.zero_behind(l, &Term::zero())?) else {
            return Ok(false);
        };
        let m = self.length_below(&at)?;
        // The 0 lies in the object.
        let rest = self.term(size.sub(&m).and_then(|t| t.offset(-1)))?;
        self.state.facts.assume(&rest);
        self.becomes(l, Lay { id: self.program.shapes.text(), env: Some(Rc::from(vec![m, size])) });
        Ok(true)
    }

    /// How far it is from `e` to the first 0 from there on, if the object is a string there that stays as it is.
    pub fn string_left(&mut self, l: LocId, e: &Term) -> Checked<Option<Term>> {
        self.unfold(l)?;
        let loc = self.loc(l)?;
        if !loc.mode.stable() || self.foreign(loc.lay.id) {
            return Ok(None);
        }
        if loc.exclusive() && e.as_const() == Some(0) && !self.program.zeros(loc.lay.id) {
            self.becomes_text(l)?;
        }
        let lay = self.loc(l)?.lay;
        if let Some((m, at)) = self.string_at((l, e), &lay)? {
            let left = self.term(m.sub(&at))?;
            let whole = at == *e || self.try_prove(&at);
            if whole && (lay.id != self.program.shapes.text() || self.try_prove(&left)) {
                return Ok(Some(left));
            }
        }
        let text = lay.id == self.program.shapes.text();
        let raw = self.program.shapes.raw_size(lay.id).is_some() || self.program.zeros(lay.id);
        if !loc.exclusive() || !(text || raw) {
            return Ok(None);
        }
        let Some(at) = self.zero_behind(l, e)? else { return Ok(None) };
        let most = self.term(at.sub(e))?;
        self.length_below(&most).map(Some)
    }

    /// A load from `text(m, n)`: like one from a string where that is proved to reach, else raw.
    pub fn load_text(&mut self, (l, off): Spot<'_>, mode: Mode, lay: &Lay, width: Width) -> Checked<Word> {
        if let Some((m, at)) = self.string_at((l, off), lay)? {
            let left = self.term(m.sub(&at).and_then(|t| t.offset(1 - i128::from(width.bytes()))))?;
            if self.try_prove(&at) && self.try_prove(&left) {
                return self.load_cstr(mode, &m, &at, width);
            }
        }
        let size = self.size_of(lay).unwrap_or_default();
        self.inside(off, width, &size)?;
        Ok(Word::Int(self.fresh(Interval::unsigned(width.bits().min(64)))))
    }

    /// Whether memory is nothing but strings and raw bytes, so that a write may forget all of it.
    pub(super) fn only_text(&self, lay: &Lay) -> bool {
        let types = &self.program.types;
        let fields = match types.layout(lay.id) {
            Layout::Cstr(_) => return true,
            Layout::Seq(fields) => fields,
            Layout::Struct(id, _) => types.strukt(*id).fields().unwrap_or(&[]),
            _ => return false,
        };
        let string = |f: &LayoutId| matches!(types.layout(*f), Layout::Cstr(_));
        fields.iter().any(string)
            && fields.iter().all(|f| string(f) || self.program.shapes.raw_size(*f).is_some())
    }

    /// Whether a layout begins with a string, so that raw memory may become one first.
    pub(super) fn begins_with_text(&self, want: LayoutId) -> bool {
        let types = &self.program.types;
        let string = |first: &LayoutId| matches!(types.layout(*first), Layout::Cstr(Some(_)));
        match types.layout(want) {
            Layout::Struct(id, _) => types.strukt(*id).fields().and_then(<[_]>::first).is_some_and(string),
            Layout::Seq(fields) => fields.first().is_some_and(string),
            _ => false,
        }
    }

    /// How far it is from `e`, an offset in the frame, to the first 0 from there on, if some byte there is known to be 0;
    /// and where the string ends at the latest. Nobody else writes the frame.
    fn frame_string(&mut self, e: &Term) -> Checked<Option<(Term, i64)>> {
        let above = self.term(e.offset(-i128::from(self.state.depth)))?;
        if !self.try_prove(&above) {
            return Ok(None);
        }
        if let Some(zero) = self.state.zero.clone() {
            let left = self.term(zero.off.sub(e))?;
            if self.try_prove(&left) {
                return Ok(Some((self.length_below(&left)?, zero.hi)));
            }
        }
        // From below upwards, from the first piece that may be met.
        let least = self.state.facts.range(e).lo;
        let mut i = self.state.frame.len();
        while let Some(slot) = i.checked_sub(1).and_then(|k| self.state.frame.get(k)).cloned() {
            i -= 1;
            self.spend(1)?;
            let Some(width) = u32::try_from(slot.size).ok().and_then(Width::of_bytes) else { continue };
            let Some(at) = slot.word.as_ref().and_then(|w| zero_in(w, width)) else { continue };
            let at = i128::from(slot.off) + at;
            let left = self.term(Term::from(at).sub(e))?;
            if at >= least && self.try_prove(&left) {
                let end = i64::try_from(at + 1).unwrap_or(0);
                return Ok(Some((self.length_below(&left)?, end)));
            }
        }
        Ok(None)
    }

    /// A string in the frame that somebody reads during a call; how long it is.
    pub fn lend_frame_text(&mut self, e: &Term) -> Checked<Option<Term>> {
        let Some((left, end)) = self.frame_string(e)? else { return Ok(None) };
        let start = self.state.facts.range(e).lo.max(i128::from(self.state.depth));
        self.lent.push(Lent::Frame(i64::try_from(start).unwrap_or(self.state.depth), end, Mode::Frozen));
        Ok(Some(left))
    }

    /// Matches the length of a string that is asked for.
    pub fn match_string(
        &mut self,
        s: &mut Subst,
        want: (LayoutId, &Env),
        left: &Term,
        blame: Blame,
    ) -> Checked {
        match self.program.types.layout(want.0) {
            Layout::Cstr(Some(p)) => {
                let p = self.term(under(p, want.1))?;
                self.unify(s, &p, left, false, blame)
            }
            _ => Ok(()),
        }
    }
}

/// Which byte of a word or number is certainly 0: how far from its start.
fn zero_in(word: &Word, width: Width) -> Option<i128> {
    let Word::Int(t) = word else { return None };
    let c = t.as_const()?;
    (0..i128::from(width.bytes())).find(|i| c >> (8 * i) & 255 == 0)
}
