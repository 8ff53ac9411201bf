//! docs/types.md, "Memory", "Modes", "The stack"; docs/owned-memory.md, "What it holds": loads.

use super::know::Range;
use super::lin::Lin;
use super::part::Part;
use super::place::Place;
use super::state::{Held, Word};
use super::types::{Ty, TyNode};
use super::{Judge, Stop, no, todo};
use talcore::types::Mode;

/// A number larger than every length of a string.
const LONG: i128 = 1 << 47;

impl Judge<'_> {
    /// Loads so many bytes. What is narrower than a word is a number that is congruent to them.
    pub(super) fn load(&mut self, place: &Place, n: i128) -> Result<Word, Stop> {
        match place {
            Place::Frame(off) => self.load_frame(off, n),
            Place::Static(i, off) => {
                let (mode, lay) = self.object(*i)?;
                let part = self.w.part(&self.s.known, &lay, off, n)?;
                self.take(part, mode, n)
            }
            Place::Loc(l, off) => self.load_loc(*l, off, n),
        }
    }

    fn load_frame(&mut self, off: &Lin, n: i128) -> Result<Word, Stop> {
        let word = self.w.word;
        if self.starts() && off.constant().is_none_or(|at| at >= 0) && self.s.known.proves(off) {
            return self.load_loc(0, off, n);
        }
        if let Some(at) = off.constant() {
            let arguments = word..word * (1 + self.s.stack.len() as i128);
            if at >= arguments.start && at + n <= arguments.end {
                if at % word == 0 && n == word {
                    return Ok(self.s.stack[(at / word - 1) as usize].clone());
                }
                return Ok(Word::Int(self.unknown(n)));
            }
            if at < self.s.depth || at + n > 0 {
                return no("not in the frame");
            }
            self.s.touched = self.s.touched.min(at);
            return Ok(match self.s.frame.get(&at) {
                Some((size, word)) if *size == n => word.clone(),
                _ => Word::Int(self.unknown(n)),
            });
        }
        if !self.in_frame(off, &Lin::of(n)) {
            return no("not proved to be in the frame");
        }
        Ok(Word::Int(self.unknown(n)))
    }

    /// Whether bytes are proved to be in the frame.
    pub(super) fn in_frame(&self, off: &Lin, n: &Lin) -> bool {
        self.s.known.proves(&off.add(-self.s.depth)) && self.s.known.proves(&off.plus(n).times(-1))
    }

    fn load_loc(&mut self, l: usize, off: &Lin, n: i128) -> Result<Word, Stop> {
        let loc = self.s.locs[l].clone();
        if !loc.live {
            return no("memory that was given away");
        }
        let k = &self.s.known;
        if let Some(held) = loc.held.iter().find(|h| h.size == n && k.equal(&h.off, off)) {
            return Ok(held.word.clone());
        }
        let Some(part) = self.w.part(&self.s.known, &loc.lay, off, n)? else {
            return no(&format!("not proved to be inside: {off:?} of {:?}, {:?}", loc.lay, self.s.known));
        };
        if loc.held.iter().any(|h| self.may_meet(h, off, n)) {
            return Ok(Word::Int(self.unknown(n)));
        }
        let exclusive = matches!(loc.mode, Mode::Own | Mode::Uniq);
        if let (Part::Cell(ty), true) = (&part, exclusive) {
            let owns = self.w.owns_word(ty);
            let number = matches!(self.w.ty(ty)?, Ty::Range(_) | Ty::Int(_));
            if owns || (number && off.constant().is_some() && loc.held.len() < 16) {
                let word = self.w.word_of(&mut self.s, ty, None)?;
                self.s.locs[l].held.push(Held { off: off.clone(), size: n, word: word.clone() });
                return Ok(word);
            }
        }
        let number = matches!(part, Part::Num(..) | Part::Exact(..));
        let word = self.take(Some(part), loc.mode, n)?;
        if exclusive && number && off.constant().is_some() && loc.held.len() < 16 {
            self.s.locs[l].held.push(Held { off: off.clone(), size: n, word: word.clone() });
        }
        Ok(word)
    }

    /// Whether an access may meet what is held.
    pub(super) fn may_meet(&self, held: &Held, off: &Lin, n: i128) -> bool {
        let k = &self.s.known;
        let before = off.minus(&held.off).add(-held.size);
        let behind = held.off.minus(off).add(-n);
        !k.proves(&before) && !k.proves(&behind)
    }

    /// A word of what lies there.
    fn take(&mut self, part: Option<Part>, mode: Mode, n: i128) -> Result<Word, Stop> {
        let k = &mut self.s.known;
        Ok(match part {
            None => return no("not proved to be inside"),
            Some(Part::Raw | Part::Bits) => Word::Int(self.unknown(n)),
            Some(Part::Cell(ty)) if self.w.owns_word(&ty) => match mode {
                Mode::Shared | Mode::Imm => Word::Int(self.unknown(n)),
                Mode::Own | Mode::Uniq => return todo("an owned word that is not held"),
                _ => self.w.word_of(&mut self.s, &ty, Some(mode))?,
            },
            Some(Part::Cell(ty)) => self.w.word_of(&mut self.s, &ty, None)?,
            Some(Part::Num(_, lo, hi)) => Word::Int(Lin::var(k.fresh(Range::new(lo, hi)))),
            Some(Part::Exact(w, sign, t)) => {
                let (lo, hi) = bounds(w, sign);
                k.assume(&t.add(-lo));
                k.assume(&t.times(-1).add(hi));
                Word::Int(t)
            }
            Some(Part::Byte(m, e)) => {
                // It is 0 exactly at the end.
                let byte = Lin::var(k.fresh(Range::new(0, 255)));
                let left = m.minus(&e);
                k.assume(&left.times(255).minus(&byte));
                k.assume(&byte.times(LONG).minus(&left));
                Word::Int(byte)
            }
            Some(Part::Last(count, index, ty)) => {
                let opt = match self.w.ty(&ty)? {
                    Ty::Opt(_) => Some(ty),
                    Ty::Ptr(..) | Ty::Exists(_) | Ty::Fn(_) => self.opt_of(&ty),
                    _ => None,
                };
                let Some(opt) = opt else {
                    return todo("an array with an end whose opt type is not there");
                };
                let k = &mut self.s.known;
                let v = k.fresh(Range::new(0, self.w.last()));
                let left = count.minus(&index);
                k.assume(&left.times(self.w.last()).minus(&Lin::var(v)));
                k.assume(&Lin::var(v).times(LONG).minus(&left));
                Word::Opt(v, opt)
            }
        })
    }

    /// The type `opt T` of the tables.
    fn opt_of(&self, ty: &TyNode) -> Option<TyNode> {
        let words = &self.w.program.types.words;
        let found =
            words.iter().position(|w| matches!(w, talcore::types::WordTy::Opt(inner) if *inner == ty.id))?;
        Some(TyNode { id: talcore::types::WordId(found as u32), env: ty.env.clone() })
    }
}

/// The range of a number of so many bytes.
pub(super) fn bounds(bytes: i128, sign: bool) -> (i128, i128) {
    let period = 1i128 << (8 * bytes.min(8));
    if sign { (-(period / 2), period / 2 - 1) } else { (0, period - 1) }
}
