//! docs/types.md, "Memory", and docs/language.md, "Types of memory": what lies at a place of a layout.

use super::know::Known;
use super::lin::Lin;
use super::types::{Lay, TyNode, World};
use super::{Stop, todo};
use talcore::types::Body;

/// What lies where an access reaches.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Part {
    /// Raw bytes, or numbers of full range.
    Raw,
    /// A whole word.
    Cell(TyNode),
    /// A whole number: bytes, least and greatest value.
    Num(i128, i128, i128),
    /// A whole number that is known: bytes, whether it has a sign, and the number.
    Exact(i128, bool, Lin),
    /// A byte of a string: the string's length, and which byte.
    Byte(Lin, Lin),
    /// A word of an array with an end: how many there are before it, which one, and the type of the others.
    Last(Lin, Lin, TyNode),
    /// Something else in part, or several things: its bits may be read.
    Bits,
}

impl World<'_> {
    /// Whether `0 <= off` and `off + n <= size` are proved.
    pub(super) fn inside(&self, k: &Known, off: &Lin, n: &Lin, size: &Lin) -> bool {
        k.proves(off) && k.proves(&size.minus(off).minus(n))
    }

    /// What lies at an offset, so many bytes; `None` if that is not proved to be inside of the layout.
    pub(super) fn part(&self, k: &Known, lay: &Lay, off: &Lin, n: i128) -> Result<Option<Part>, Stop> {
        let bytes = Lin::of(n);
        let whole = |size: i128| off.constant() == Some(0) && n == size;
        let raw = self.raw(lay);
        Ok(match lay {
            Lay::Cstr(Some(m)) => {
                if n == 1 {
                    self.inside(k, off, &bytes, &m.add(1)).then(|| Part::Byte(m.clone(), off.clone()))
                } else {
                    self.inside(k, off, &bytes, &m.add(1)).then_some(Part::Bits)
                }
            }
            Lay::NullTerm(Some(c), ty) => {
                let exact = off.k % self.word == 0 && off.m.values().all(|a| a % self.word == 0);
                let inside = self.inside(k, off, &bytes, &c.add(1).times(self.word));
                match inside {
                    true if exact && n == self.word => {
                        let mut index = off.clone();
                        index.k /= self.word;
                        index.m.values_mut().for_each(|a| *a /= self.word);
                        Some(Part::Last(c.clone(), index, ty.clone()))
                    }
                    inside => inside.then_some(Part::Bits),
                }
            }
            Lay::Cstr(None) | Lay::NullTerm(None, _) => {
                return todo("a string of hidden length that others change");
            }
            Lay::Exists(_) => return todo("existential memory"),
            Lay::Of(..) => return todo("a layout variable"),
            Lay::Cell(ty) if whole(self.word) => Some(Part::Cell(ty.clone())),
            Lay::Num(w, lo, hi) if whole(*w) => Some(Part::Num(*w, *lo, *hi)),
            Lay::Exact(w, sign, t) if whole(*w) => Some(Part::Exact(*w, *sign, t.clone())),
            Lay::Array(count, elem) => {
                let elem = self.lay(elem);
                let size = self.size(&elem)?;
                let Some(size) = size.constant().filter(|s| *s > 0) else {
                    return todo("an array whose elements have no constant size");
                };
                if raw {
                    if let Some((index, rest)) = self.element(off, size)
                        && rest.k + n <= size
                        && k.proves(&index)
                        && k.proves(&count.minus(&index).add(-1))
                    {
                        // A whole number keeps its sign.
                        return Ok(self.part(k, &elem, &rest, n)?.or(Some(Part::Raw)));
                    }
                    return Ok(self.inside(k, off, &bytes, &count.times(size)).then_some(Part::Raw));
                }
                match self.element(off, size) {
                    Some((index, rest)) => {
                        let there = k.proves(&index) && k.proves(&count.minus(&index).add(-1));
                        match there.then(|| self.part(k, &elem, &rest, n)).transpose()?.flatten() {
                            Some(part) => Some(part),
                            None => self.inside(k, off, &bytes, &count.times(size)).then_some(Part::Bits),
                        }
                    }
                    None => self.inside(k, off, &bytes, &count.times(size)).then_some(Part::Bits),
                }
            }
            Lay::Struct(id, _) if matches!(self.program.types.strukt(*id).body, Body::Union { .. }) => {
                return todo("a union");
            }
            Lay::Struct(id, _) if matches!(self.program.types.strukt(*id).body, Body::Hidden) => None,
            Lay::Struct(..) | Lay::Seq(_) => {
                let parts = self.parts(lay).unwrap_or_default();
                let mut sum = Lin::default();
                for part in &parts {
                    let field = self.lay(part);
                    let size = self.size(&field)?;
                    let at = off.minus(&sum);
                    if self.inside(k, &at, &bytes, &size) {
                        return self.part(k, &field, &at, n);
                    }
                    sum = sum.plus(&size);
                }
                self.inside(k, off, &bytes, &sum).then_some(if raw { Part::Raw } else { Part::Bits })
            }
            _ => {
                let part = if raw { Part::Raw } else { Part::Bits };
                self.inside(k, off, &bytes, &self.size(lay)?).then_some(part)
            }
        })
    }

    /// An offset as the index of an element, and the rest, which is a constant.
    pub(super) fn element(&self, off: &Lin, size: i128) -> Option<(Lin, Lin)> {
        let mut index = off.clone();
        if index.m.values().any(|c| c % size != 0) {
            return None;
        }
        index.m.values_mut().for_each(|c| *c /= size);
        index.k = off.k.div_euclid(size);
        Some((index, Lin::of(off.k.rem_euclid(size))))
    }

    /// Whether from an offset on a layout has what is wanted: the same layout, or part of an array that is as long.
    pub(super) fn reaches(
        &self,
        k: &Known,
        b: &mut super::fit::Binding,
        lay: &Lay,
        off: &Lin,
        want: &Lay,
    ) -> Result<bool, Stop> {
        if off.constant() == Some(0) {
            let mut trial = b.clone();
            let shorter =
                matches!((lay, want), (Lay::Array(..), Lay::Array(..)) | (Lay::Bytes(_), Lay::Bytes(_)));
            if !shorter && self.same_lay(k, &mut trial, lay, want)? {
                *b = trial;
                return Ok(true);
            }
        }
        if let (true, Lay::Bytes(n)) = (self.raw(lay), want) {
            let size = self.size(lay)?;
            return Ok(self.at_least(k, b, off, n, &size));
        }
        if let (Lay::Cstr(Some(m)), Lay::Cstr(p)) = (lay, want) {
            // A pointer to the middle of a string is a string too.
            let left = m.minus(off);
            return Ok(k.proves(off)
                && k.proves(&left)
                && p.as_ref().is_none_or(|p| self.unify(k, b, p, &left, false)));
        }
        match lay {
            Lay::Array(count, elem) => {
                let inner = self.lay(elem);
                let Some(size) = self.size(&inner)?.constant().filter(|s| *s > 0) else {
                    return todo("an array whose elements have no constant size");
                };
                let Some((index, rest)) = self.element(off, size) else { return Ok(false) };
                if let (Lay::Array(n, other), Some(0)) = (want, rest.constant()) {
                    let mut trial = b.clone();
                    if self.same_lay(k, &mut trial, &inner, &self.lay(other))?
                        && self.at_least(k, &mut trial, &index, n, count)
                    {
                        *b = trial;
                        return Ok(true);
                    }
                }
                let there = k.proves(&index) && k.proves(&count.minus(&index).add(-1));
                Ok(there && self.reaches(k, b, &inner, &rest, want)?)
            }
            Lay::Struct(..) | Lay::Seq(_) => {
                let mut sum = Lin::default();
                for part in &self.parts(lay).unwrap_or_default() {
                    let field = self.lay(part);
                    let size = self.size(&field)?;
                    let at = off.minus(&sum);
                    if k.proves(&at) && k.proves(&size.minus(&at)) {
                        let mut trial = b.clone();
                        if self.reaches(k, &mut trial, &field, &at, want)? {
                            *b = trial;
                            return Ok(true);
                        }
                    }
                    sum = sum.plus(&size);
                }
                if matches!(lay, Lay::Struct(id, _) if self.program.types.strukt(*id).fields().is_none()) {
                    return todo("part of a union");
                }
                Ok(false)
            }
            Lay::Exists(_) => todo("part of existential memory"),
            _ => Ok(false),
        }
    }

    /// Whether from `off` on there are `want` of `all`. If only this tells the number, it is all that there is.
    fn at_least(&self, k: &Known, b: &mut super::fit::Binding, off: &Lin, want: &Lin, all: &Lin) -> bool {
        let left = all.minus(off);
        if !k.proves(off) {
            return false;
        }
        if b.known(want) {
            return k.proves(&left.minus(&b.apply(want)));
        }
        self.unify(k, b, want, &left, false)
    }
}
