//! Arrays that are cut between two elements, and put together again.
//!
//! What is relied on: an array of `n` elements is one of `i` and, right behind it, one of `n - i`, for `0 <= i <= n`; raw bytes
//! behind an array belong to the piece that ends with them; a single element is an array of one. Only arrays of which
//! nothing is held, opened or moved out are looked at so: all others are raw memory for `split` and `join`, with the words
//! that are held. That the pieces are neighbours, and not larger than objects may be, is proved as for raw memory.

use crate::engine::{Checked, Engine};
use crate::guide::Guide;
use crate::state::{Lay, Loc, LocId};
use crate::term::Term;
use crate::types::{Layout, LayoutId};
use alloc::rc::Rc;
use alloc::vec::Vec;

/// An array with raw bytes behind it.
struct Row {
    /// The array, in the form that states have: its length is the last of its variables.
    array: LayoutId,
    /// What its variables before the last one stand for.
    args: Vec<Term>,
    /// How many elements it has.
    length: Term,
    /// How many bytes there are behind it.
    behind: Term,
}

impl<'a, G: Guide> Engine<'a, G> {
    /// The array that a layout is.
    fn row(&self, lay: &Lay) -> Option<Row> {
        let (types, shapes) = (&self.program.types, &self.program.shapes);
        let env = lay.env.as_ref()?;
        let (array, more) = match types.layout(lay.id) {
            Layout::Array(..) => (lay.id, 0),
            Layout::Seq(parts) if shapes.tail(lay.id) == Some(lay.id) => (*parts.first()?, 1),
            _ => return None,
        };
        let Layout::Array(n, _) = types.layout(array) else { return None };
        let v = n.as_var()? as usize;
        let known = shapes.raw_size(array).is_none() && !self.program.zeros(array);
        (known && env.len() == v + 1 + more && shapes.tail(array).is_some()).then_some(())?;
        let behind = if more == 1 { env.get(v + 1)?.clone() } else { Term::zero() };
        Some(Row { array, args: env.iter().take(v).cloned().collect(), length: env.get(v)?.clone(), behind })
    }

    /// The layout of an array with bytes behind it.
    fn lay_of_row(&self, row: Row) -> Option<Lay> {
        let none = |t: &Term| t.as_const() == Some(0);
        let shapes = &self.program.shapes;
        if none(&row.length) {
            return Some(Lay { id: shapes.bytes(), env: Some(Rc::from([row.behind])) });
        }
        let bare = none(&row.behind);
        let behind = (!bare).then_some(row.behind);
        let id = if bare { row.array } else { shapes.tail(row.array)? };
        Some(Lay { id, env: Some(row.args.into_iter().chain([row.length]).chain(behind).collect()) })
    }

    /// One element of an array.
    fn element(&mut self, row: &Row) -> Checked<Option<(Lay, i128)>> {
        let Layout::Array(_, elem) = self.program.types.layout(row.array) else { return Ok(None) };
        let size = self.program.shapes.size(*elem).and_then(Term::as_const).filter(|s| *s > 0);
        let env = row.args.iter().cloned().chain([row.length.clone()]).collect();
        let lay = self.canonical(&Lay { id: *elem, env: Some(env) })?;
        Ok(size.map(|size| (lay, size)))
    }

    /// Whether nothing but its layout says what an object holds; numbers that were only read are forgotten first.
    fn plain_contents(&mut self, l: LocId) -> Checked<bool> {
        let lay = self.loc(l)?.lay;
        if let Some(size) = self.size_of(&lay) {
            self.settle_numbers(l, &Term::zero(), &size)?;
        }
        let plain = |loc: &Loc| loc.cells.is_empty() && loc.parts.is_empty();
        Ok(self.state.locs.get(l as usize).is_some_and(plain))
    }

    /// What an array is below and above of a cut at an offset, if that lies between two elements or behind them.
    pub(super) fn cut_array(&mut self, l: LocId, at: &Term) -> Checked<Option<(Lay, Lay)>> {
        let lay = self.loc(l)?.lay;
        let Some(row) = self.row(&lay) else { return Ok(None) };
        if !self.plain_contents(l)? {
            return Ok(None);
        }
        let Some((_, size)) = self.element(&row)? else { return Ok(None) };
        self.spend(lay.parts() as u64)?;
        let (index, rest) = self.split_offset(at, size)?;
        let left = self.term(row.length.sub(&index))?;
        let inside = rest.as_const() == Some(0) && self.try_prove(&index) && self.try_prove(&left);
        let (low, high) = if inside {
            let low = Row { args: row.args.clone(), length: index, behind: Term::zero(), ..row };
            (low, Row { length: left, ..row })
        } else {
            let end = self.term(row.length.scale(size))?;
            let more = self.term(at.sub(&end))?;
            if !self.try_prove(&more) {
                return Ok(None);
            }
            let left = self.term(row.behind.sub(&more))?;
            let high = Row { args: Vec::new(), length: Term::zero(), behind: left, ..row };
            (Row { behind: more, ..row }, high)
        };
        Ok(self.lay_of_row(low).zip(self.lay_of_row(high)))
    }

    /// What two objects are together, if the first one is an array, or one element of what the second one is.
    pub(super) fn joined_array(&mut self, l: LocId, k: LocId) -> Checked<Option<Lay>> {
        let (first, second) = (self.loc(l)?.lay, self.loc(k)?.lay);
        if !self.plain_contents(l)? || !self.plain_contents(k)? {
            return Ok(None);
        }
        self.spend((first.parts() + second.parts()) as u64)?;
        let more = |n: &Term| n.offset(1);
        let row = match (self.row(&first), self.row(&second)) {
            (Some(a), Some(b)) => {
                let same = a.array == b.array && a.args == b.args && a.behind.as_const() == Some(0);
                let length = self.term(a.length.add(&b.length))?;
                same.then_some(Row { length, ..b })
            }
            (Some(a), None) => match self.program.shapes.raw_size(second.id) {
                Some(_) => {
                    let size = self.size_of(&second).unwrap_or_default();
                    let behind = self.term(a.behind.add(&size))?;
                    Some(Row { behind, ..a })
                }
                None => {
                    let (elem, length) = (self.element(&a)?, self.term(more(&a.length))?);
                    let one = elem.is_some_and(|e| e.0 == second) && a.behind.as_const() == Some(0);
                    one.then_some(Row { length, ..a })
                }
            },
            (None, Some(b)) => {
                let (elem, length) = (self.element(&b)?, self.term(more(&b.length))?);
                elem.is_some_and(|e| e.0 == first).then_some(Row { length, ..b })
            }
            (None, None) => None,
        };
        Ok(row.and_then(|row| self.lay_of_row(row)))
    }
}
