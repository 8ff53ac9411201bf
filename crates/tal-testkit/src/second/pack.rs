//! docs/owned-memory.md, "Packing", "Narrow numbers", "Zeros": memory of one owner as memory of a wanted layout.

use super::fit::Binding;
use super::lin::Lin;
use super::part::Part;
use super::state::Held;
use super::types::{Lay, Ty};
use super::{Judge, Stop, todo};
use talcore::types::Layout;

/// What is being packed: a layout, the held words that replace parts of it, and those of them that were used.
struct Packing {
    lay: Lay,
    held: Vec<Held>,
    used: Vec<bool>,
    zero: bool,
}

impl Judge<'_> {
    /// Whether the location is, as a whole, memory of the wanted layout. `end`: it is given away by that.
    pub(super) fn pack(&mut self, l: usize, want: &Lay, b: &mut Binding, end: bool) -> Result<bool, Stop> {
        let loc = self.s.locs[l].clone();
        // While it is packed it cannot be used, so nothing becomes part of itself.
        self.s.locs[l].live = false;
        let size = self.w.size(&loc.lay)?;
        let (want, inner) = match want {
            Lay::Exists(node) => match self.w.program.types.layout(node.id) {
                Layout::Exists(e) => {
                    let mut inner = Binding { found: b.found.clone(), ..Binding::default() };
                    let env = self.patterns(&node.env, e.first, &e.vars, &mut inner);
                    let body = self.w.lay(&super::types::Node { id: e.body, env: env.clone() });
                    (body, Some((inner, env, e)))
                }
                _ => return todo("no existential"),
            },
            _ => (want.clone(), None),
        };
        if let Lay::Cstr(_) | Lay::NullTerm(..) = want
            && !matches!(loc.lay, Lay::Cstr(_) | Lay::NullTerm(..))
        {
            return todo("a string in owned memory");
        }
        if let Lay::Of(..) = want {
            return todo("a layout variable");
        }
        let zero = self.is_zero(&loc.lay);
        let mut p = Packing { used: vec![false; loc.held.len()], lay: loc.lay.clone(), held: loc.held, zero };
        let ok = match inner {
            None => self.pack_whole(&mut p, &want, &size, b)?,
            Some((mut inner, env, e)) => {
                self.pack_whole(&mut p, &want, &size, &mut inner)?
                    && self.w.settle(&self.s.known, &mut inner)?
                    && self.proved(&inner, &env, &e.facts)
            }
        };
        if !ok {
            return Ok(false);
        }
        if end {
            self.end(l)?;
        } else {
            self.s.locs[l].live = true;
            self.s.locs[l].held.clear();
        }
        Ok(true)
    }

    fn pack_whole(&mut self, p: &mut Packing, want: &Lay, size: &Lin, b: &mut Binding) -> Result<bool, Stop> {
        let foreign = |l: &Lay| matches!(l, Lay::Foreign(_));
        if foreign(&p.lay) && !foreign(want) {
            return Ok(false);
        }
        if p.held.is_empty() {
            let mut trial = b.clone();
            if self.w.same_lay(&self.s.known, &mut trial, &p.lay, want)? {
                *b = trial;
                return Ok(true);
            }
        }
        // Numbers first: they say which arguments a struct has.
        self.pack_part(p, want, &Lin::default(), b, true)?;
        if !matches!(want, Lay::Cstr(None) | Lay::NullTerm(None, _)) {
            let wanted = self.w.size(want)?;
            if !self.w.unify(&self.s.known, b, &wanted, size, false) {
                return Ok(false);
            }
        }
        self.pack_part(p, want, &Lin::default(), b, false)
    }

    /// Whether what lies at an offset is of the wanted layout. `numbers`: only numbers are compared, to find variables.
    fn pack_part(
        &mut self,
        p: &mut Packing,
        want: &Lay,
        at: &Lin,
        b: &mut Binding,
        numbers: bool,
    ) -> Result<bool, Stop> {
        match want {
            Lay::Bytes(_) | Lay::Foreign(_) => Ok(true),
            Lay::Cell(ty) => {
                if self.w.raw(want) {
                    return Ok(true);
                }
                let number = matches!(self.w.ty(ty)?, Ty::Int(_) | Ty::Range(_));
                if numbers && !number {
                    return Ok(true);
                }
                let at = b.apply(at);
                if Self::open(&at) {
                    return if numbers { Ok(true) } else { todo("an offset that is not known yet") };
                }
                if let Some(i) =
                    p.held.iter().position(|h| h.size == self.w.word && self.s.known.equal(&h.off, &at))
                {
                    p.used[i] = true;
                    let word = p.held[i].word.clone();
                    let found = self.fits(&word, ty, b)?;
                    return Ok(found || numbers);
                }
                if p.held.iter().any(|h| self.may_meet(h, &at, self.w.word)) {
                    return Ok(numbers);
                }
                if p.zero {
                    return Ok(numbers || self.zero_fits(ty)?);
                }
                match self.w.part(&self.s.known, &p.lay, &at, self.w.word)? {
                    Some(Part::Cell(have)) => {
                        if let Ty::Range(r) = self.w.ty(ty)?
                            && let (Some(lo), Some(hi)) = (r.lo, r.hi)
                            && hi - lo >= self.w.period() - 1
                        {
                            return Ok(true);
                        }
                        let mut trial = b.clone();
                        let same = self.w.same_ty(&self.s.known, &mut trial, &have, ty)?;
                        if same {
                            *b = trial;
                        }
                        Ok(same || numbers)
                    }
                    Some(_) => Ok(numbers
                        || matches!(self.w.ty(ty)?, Ty::Range(r) if matches!((r.lo, r.hi), (Some(lo), Some(hi)) if hi - lo >= self.w.period() - 1))),
                    None => Ok(numbers),
                }
            }
            Lay::Num(w, ..) | Lay::Exact(w, ..) => {
                let at = b.apply(at);
                if Self::open(&at) {
                    return if numbers { Ok(true) } else { todo("an offset that is not known yet") };
                }
                Ok(self.pack_number(p, want, *w, &at, b)? || numbers)
            }
            Lay::Struct(..) | Lay::Seq(_) => {
                let Some(parts) = self.w.parts(want) else { return todo("packing a union") };
                let mut sum = at.clone();
                for part in parts {
                    let field = self.w.lay(&part);
                    let size = self.w.size(&field)?;
                    if !self.pack_part(p, &field, &sum, b, numbers)? {
                        return Ok(false);
                    }
                    if !numbers {
                        let size = b.apply(&size);
                        if Self::open(&size) {
                            return todo("a size that is not known yet");
                        }
                        if !self.s.known.proves(&size) {
                            return Ok(false);
                        }
                    }
                    sum = sum.plus(&size);
                }
                Ok(true)
            }
            Lay::Array(n, elem) => {
                if numbers {
                    return Ok(true);
                }
                self.pack_array(p, n, elem, at, b, want)
            }
            Lay::Cstr(_) | Lay::NullTerm(..) => todo("packing a string"),
            Lay::Exists(_) => todo("packing existential memory"),
            Lay::Of(..) => todo("a layout variable"),
        }
    }

    fn pack_number(
        &mut self,
        p: &mut Packing,
        want: &Lay,
        w: i128,
        at: &Lin,
        b: &mut Binding,
    ) -> Result<bool, Stop> {
        if self.w.raw(want) {
            return Ok(true);
        }
        let held = p.held.iter().position(|h| h.size == w && self.s.known.equal(&h.off, at));
        if held.is_none() && p.held.iter().any(|h| self.may_meet(h, at, w)) {
            return Ok(false);
        }
        let have = match held {
            Some(i) => {
                p.used[i] = true;
                let word = p.held[i].word.clone();
                self.number(&word)?
            }
            None if p.zero => Lin::default(),
            None => match (self.w.part(&self.s.known, &p.lay, at, w)?, want) {
                (Some(Part::Num(_, lo, hi)), Lay::Num(_, l, h)) => return Ok((lo, hi) == (*l, *h)),
                (Some(Part::Exact(_, s, t)), Lay::Exact(_, z, q)) => {
                    return Ok(s == *z && self.w.unify(&self.s.known, b, q, &t, false));
                }
                _ => return Ok(false),
            },
        };
        Ok(match want {
            Lay::Num(_, lo, hi) => self.is_in(&have, w, *lo, *hi),
            Lay::Exact(_, sign, q) => {
                let (lo, hi) = super::memory::bounds(w, *sign);
                let have = self.low(&have, w, *sign).unwrap_or(have);
                self.w.unify(&self.s.known, b, q, &have, false) && self.s.known.within(&have, lo, hi)
            }
            _ => false,
        })
    }

    /// Whether 0 is of a type.
    fn zero_fits(&mut self, ty: &super::types::TyNode) -> Result<bool, Stop> {
        Ok(match self.w.ty(ty)? {
            Ty::Opt(_) => true,
            Ty::Int(t) => self.w.congruent(&self.s.known, &t, &Lin::default()),
            Ty::Range(r) => r.lo.is_none_or(|lo| lo <= 0) && r.hi.is_none_or(|hi| hi >= 0),
            _ => false,
        })
    }

    fn pack_array(
        &mut self,
        p: &mut Packing,
        n: &Lin,
        elem: &super::types::LayNode,
        at: &Lin,
        b: &mut Binding,
        want: &Lay,
    ) -> Result<bool, Stop> {
        if self.w.raw(want) {
            return Ok(true);
        }
        let (count, at) = (b.apply(n), b.apply(at));
        if Self::open(&count) || Self::open(&at) {
            return todo("an array whose length is not known yet");
        }
        let inner = self.w.lay(elem);
        let Some(size) = self.w.size(&inner)?.constant() else {
            return todo("an array of elements without constant size");
        };
        if p.zero && !p.held.iter().any(|h| self.may_meet_range(h, &at, &count.times(size))) {
            return match &inner {
                Lay::Cell(ty) => self.zero_fits(ty),
                Lay::Num(_, lo, hi) => Ok(*lo <= 0 && *hi >= 0),
                _ => todo("zeros as an array of larger elements"),
            };
        }
        let constant = p.held.iter().all(|h| h.off.constant().is_some());
        if let Some(count) = count.constant().filter(|c| constant && (0..=64).contains(c)) {
            for i in 0..count {
                if !self.pack_part(p, &inner, &at.add(i * size), b, false)? {
                    return Ok(false);
                }
            }
            return Ok(true);
        }
        // What is held is of the element's type; the rest is an array of the same there.
        for i in 0..p.held.len() {
            let h = p.held[i].clone();
            if !self.may_meet_range(&h, &at, &count.times(size)) {
                continue;
            }
            let Some((_, rest)) = self.w.element(&h.off.minus(&at), size) else {
                return todo("a held word between elements");
            };
            let ok = match self.w.part(&self.s.known, &inner, &rest, h.size)? {
                Some(Part::Cell(ty)) => self.fits(&h.word, &ty, b)?,
                Some(Part::Num(w, lo, hi)) => {
                    let t = self.number(&h.word)?;
                    self.is_in(&t, w, lo, hi)
                }
                Some(Part::Raw) => true,
                _ => return todo("a held number of an odd width in an array"),
            };
            if !ok {
                return Ok(false);
            }
        }
        let lay = p.lay.clone();
        let mut trial = b.clone();
        let want = self.filled(want, b)?;
        let there = self.w.reaches(&self.s.known, &mut trial, &lay, &at, &want)?;
        if !there && !p.held.is_empty() {
            return todo("an array that is longer by what is held");
        }
        Ok(there)
    }

    /// Whether what is held may meet some bytes.
    pub(super) fn may_meet_range(&self, h: &Held, at: &Lin, size: &Lin) -> bool {
        let k = &self.s.known;
        let behind = h.off.minus(at).minus(size);
        let before = at.minus(&h.off).add(-h.size);
        !k.proves(&behind) && !k.proves(&before)
    }
}
