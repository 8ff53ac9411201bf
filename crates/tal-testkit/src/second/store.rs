//! docs/types.md, "Memory", "Modes", "The stack"; docs/owned-memory.md, "What it holds": stores.

use super::fit::Binding;
use super::lin::Lin;
use super::memory::bounds;
use super::part::Part;
use super::place::Place;
use super::state::{Held, Word};
use super::types::{Lay, Ty};
use super::{Judge, Stop, no, todo};
use talcore::types::Mode;

impl Judge<'_> {
    /// Stores so many bytes of a word.
    pub(super) fn store(&mut self, place: &Place, n: i128, word: Word) -> Result<(), Stop> {
        match place {
            Place::Frame(off) => self.store_frame(off, n, word),
            Place::Static(i, off) => {
                let (mode, lay) = self.object(*i)?;
                self.store_shared(mode, &lay, off, n, word)
            }
            Place::Loc(l, off) => {
                let loc = self.s.locs[*l].clone();
                if !loc.live {
                    return no("memory that was given away");
                }
                match loc.mode {
                    Mode::Own | Mode::Uniq => self.store_own(*l, off, n, word),
                    mode => self.store_shared(mode, &loc.lay, off, n, word),
                }
            }
        }
    }

    fn store_frame(&mut self, off: &Lin, n: i128, word: Word) -> Result<(), Stop> {
        let Some(at) = off.constant() else {
            if !self.in_frame(off, &Lin::of(n)) {
                return no("not proved to be in the frame");
            }
            let met: Vec<i128> = self
                .s
                .frame
                .iter()
                .filter(|(at, (size, _))| {
                    self.may_meet(&Held { off: Lin::of(**at), size: *size, word: Word::Any }, off, n)
                })
                .map(|(at, _)| *at)
                .collect();
            met.iter().for_each(|at| drop(self.s.frame.remove(at)));
            return Ok(());
        };
        if at < self.s.depth || at + n > 0 {
            let arguments = self.w.word..self.w.word * (1 + self.s.stack.len() as i128);
            if at >= arguments.start && at + n <= arguments.end {
                return todo("a store to an argument on the stack");
            }
            return no("not in the frame");
        }
        self.s.touched = self.s.touched.min(at);
        self.s.clear_frame(at, at + n);
        if at % n == 0 && (n == self.w.word || (n < self.w.word && matches!(word, Word::Int(_)))) {
            self.s.frame.insert(at, (n, word));
        }
        Ok(())
    }

    /// A store into memory that others have too: it keeps its layout.
    fn store_shared(&mut self, mode: Mode, lay: &Lay, off: &Lin, n: i128, word: Word) -> Result<(), Stop> {
        if !mode.writable() {
            return no("memory that is not written");
        }
        match self.w.part(&self.s.known, lay, off, n)? {
            None => no("not proved to be inside"),
            Some(Part::Raw) => Ok(()),
            Some(Part::Cell(ty)) => {
                if self.w.owns_word(&ty) {
                    return no("a cell that owns memory is not written through others");
                }
                let mut b = Binding::default();
                if self.fits(&word, &ty, &mut b)? && self.w.settle(&self.s.known, &mut b)? {
                    Ok(())
                } else {
                    no("the word does not have the type of the cell")
                }
            }
            Some(Part::Num(w, lo, hi)) => {
                let t = self.number(&word)?;
                if self.is_in(&t, w, lo, hi) {
                    Ok(())
                } else {
                    no("the number is not in the range of the cell")
                }
            }
            Some(Part::Exact(w, sign, t)) => {
                let have = self.number(&word)?;
                let d = have.minus(&t).modulo(8 * w as u32);
                let (lo, hi) = bounds(w, sign);
                if d.constant() == Some(0) || (self.s.known.equal(&have, &t) && self.is_in(&have, w, lo, hi))
                {
                    Ok(())
                } else {
                    no("the number is not that of the cell")
                }
            }
            Some(Part::Byte(..) | Part::Last(..)) => no("strings are not written"),
            Some(Part::Bits) => no("part of a cell"),
        }
    }

    /// Whether a number of so many bytes is proved to lie in a range, as such a number.
    pub(super) fn is_in(&self, t: &Lin, bytes: i128, lo: i128, hi: i128) -> bool {
        let period = 1i128 << (8 * bytes.min(8));
        if hi - lo >= period - 1 {
            return true;
        }
        let low = t.modulo(8 * bytes as u32);
        let known = &self.s.known;
        [t, &low].into_iter().any(|t| [0, period, -period].iter().any(|by| known.within(&t.add(*by), lo, hi)))
    }

    /// A store into memory that is this function's alone.
    fn store_own(&mut self, l: usize, off: &Lin, n: i128, word: Word) -> Result<(), Stop> {
        let lay = self.s.locs[l].lay.clone();
        if matches!(lay, Lay::Cstr(_) | Lay::NullTerm(..)) {
            return todo("a write into a string");
        }
        if matches!(lay, Lay::Foreign(_)) {
            let inside = self.w.inside(&self.s.known, off, &Lin::of(n), &self.w.size(&lay)?);
            return if inside { Ok(()) } else { no("not proved to be inside") };
        }
        if let Some(parts) = self.w.parts(&lay)
            && parts.iter().any(|p| matches!(self.w.lay(p), Lay::Cstr(_)))
        {
            return todo("a write into a string");
        }
        let Some(part) = self.w.part(&self.s.known, &lay, off, n)? else {
            return no("not proved to be inside");
        };
        let zero = self.is_zero(&lay);
        if off.constant().is_none() {
            return self.store_somewhere(l, off, n, word, part, zero);
        }
        match part {
            Part::Cell(_) => {}
            Part::Raw => {}
            Part::Num(w, ..) | Part::Exact(w, ..) if w == n => {}
            Part::Byte(..) | Part::Last(..) => return todo("a write into a string"),
            _ if zero => return todo("a write into zeros"),
            _ => return no("part of a cell"),
        }
        let before = self.s.locs[l].held.clone();
        let met = |h: &Held| self.may_meet(h, off, n);
        let same = |h: &Held| h.size == n && self.s.known.equal(&h.off, off);
        let (gone, mut held): (Vec<Held>, Vec<Held>) = before.into_iter().partition(met);
        if gone.iter().any(|h| !same(h) && h.off.constant().is_none()) {
            return todo("a store that may meet a held word at an unknown place");
        }
        if matches!(part, Part::Raw) && !matches!(word, Word::Int(_)) && n != self.w.word {
            self.s.locs[l].held = held;
            return Ok(());
        }
        held.push(Held { off: off.clone(), size: n, word });
        self.s.locs[l].held = held;
        Ok(())
    }

    /// Whether a layout is `zero(n)`.
    pub(super) fn is_zero(&self, lay: &Lay) -> bool {
        matches!(lay, Lay::Array(_, e) if self.w.lay(e) == Lay::Num(1, 0, 0))
    }

    /// The same, at an offset that is not constant.
    fn store_somewhere(
        &mut self,
        l: usize,
        off: &Lin,
        n: i128,
        word: Word,
        part: Part,
        zero: bool,
    ) -> Result<(), Stop> {
        if zero {
            return todo("a write into zeros");
        }
        let held = self.s.locs[l].held.clone();
        if let Some(i) = held.iter().position(|h| h.size == n && self.s.known.equal(&h.off, off)) {
            self.s.locs[l].held[i].word = word;
            return Ok(());
        }
        match part {
            Part::Raw => {
                let lay = self.s.locs[l].lay.clone();
                let mut kept = Vec::new();
                for h in held {
                    let raw = matches!(self.w.part(&self.s.known, &lay, &h.off, h.size)?, Some(Part::Raw));
                    if !raw || !self.may_meet(&h, off, n) {
                        kept.push(h);
                    }
                }
                self.s.locs[l].held = kept;
                Ok(())
            }
            Part::Cell(ty) if self.w.owns_word(&ty) => {
                if held.iter().any(|h| self.may_meet(h, off, n)) {
                    return no("another held word may lie there");
                }
                self.s.locs[l].held.push(Held { off: off.clone(), size: n, word });
                Ok(())
            }
            Part::Cell(ty) => {
                if held.iter().any(|h| self.may_meet(h, off, n)) {
                    return todo("a store that may meet a held word");
                }
                let number = matches!(self.w.ty(&ty)?, Ty::Int(_) | Ty::Range(_));
                let mut b = Binding::default();
                if self.fits(&word, &ty, &mut b)? && self.w.settle(&self.s.known, &mut b)? {
                    Ok(())
                } else if number {
                    no("the number does not have the type of the element")
                } else {
                    no("the word does not have the type of the element")
                }
            }
            Part::Num(w, lo, hi) if w == n => {
                if held.iter().any(|h| self.may_meet(h, off, n)) {
                    return todo("a store that may meet a held number");
                }
                let t = self.number(&word)?;
                if self.is_in(&t, w, lo, hi) {
                    Ok(())
                } else {
                    no("the number is not in the range of the element")
                }
            }
            Part::Byte(..) | Part::Last(..) => todo("a write into a string"),
            _ => no("part of a cell"),
        }
    }
}
