//! Typed memory in the frame that a call borrows: structs on the stack.
//!
//! The frame belongs to the function alone, so nothing keeps a type there between instructions. Where a call asks for
//! one, each word and number at its place must have the type of the cell that the layout has there, as if it were
//! stored at that moment; behind the call the cells that the call may have written hold what the layout says. While
//! it is lent as typed, the memory is lent once, or to readers only: a writer with another view of the same bytes
//! could leave there what the first one takes for a pointer.

use super::call::Lent;
use super::own::Cell;
use super::unions::WHICH;
use crate::engine::{Checked, Engine, under};
use crate::facts::Interval;
use crate::guide::Guide;
use crate::limits;
use crate::matching::{Blame, Subst};
use crate::state::{Env, Word};
use crate::term::Term;
use crate::types::{Layout, LayoutId, Mode, StructId, WordTy};
use crate::verdict::Code;
use alloc::vec::Vec;

/// Memory of the frame that a call may write and leaves behind with a layout.
#[derive(Clone, Debug)]
pub struct Loan {
    /// Where it begins, relative to rsp at entry.
    pub at: i64,
    /// Its size in bytes.
    pub size: i64,
    /// What it holds after the call, over the variables of the call.
    pub layout: LayoutId,
    /// What the layout's variables stand for.
    pub env: Env,
}

impl<'a, G: Guide> Engine<'a, G> {
    /// Lends part of the frame to a call as memory of a layout that is more than raw bytes.
    pub fn lend_cells(
        &mut self,
        s: &mut Subst,
        mode: Mode,
        want: (LayoutId, &Env),
        off: &Term,
        blame: Blame,
    ) -> Checked {
        let Some(at) = off.as_const().and_then(|c| i64::try_from(c).ok()) else {
            return self.reject(blame.shape, "typed memory is lent from a fixed place of the frame");
        };
        let size = self.cells_match(s, mode, want, at, 0, blame)?;
        let end = at.saturating_add(size);
        self.lent.push(Lent::Frame(at, end, if mode.writable() { Mode::Uniq } else { Mode::Frozen }));
        if mode.writable() {
            self.loans.push(Loan { at, size, layout: want.0, env: want.1.clone() });
        }
        Ok(())
    }

    /// Whether the frame holds from `at` on what a layout says; its size in bytes.
    fn cells_match(
        &mut self,
        s: &mut Subst,
        mode: Mode,
        (id, env): (LayoutId, &Env),
        at: i64,
        depth: usize,
        blame: Blame,
    ) -> Checked<i64> {
        self.spend(4)?;
        if depth > limits::NESTING {
            return self.reject(Code::Limit, "types are nested too deeply");
        }
        let program = self.program;
        if let Some(size) = program.shapes.raw_size(id) {
            let size = under(size, env).and_then(|t| s.apply(&t));
            let size = self.constant(size, blame)?;
            self.in_frame(&Term::from(i128::from(at)), i128::from(size))?;
            return Ok(size);
        }
        match program.types.layout(id) {
            Layout::Cell(ty) => {
                if mode != Mode::Uniq && program.types.linear(*ty) {
                    let why = "frame memory that owns other memory is lent exclusively only (`&uniq`)";
                    return self.reject(blame.shape, why);
                }
                // The words above the return address are the caller's.
                self.in_frame(&Term::from(i128::from(at)), i128::from(self.word()))?;
                let word = self.load_frame(&Term::from(i128::from(at)), self.word_width())?;
                self.match_word(s, (*ty, env), &word, blame)?;
                Ok(self.word())
            }
            Layout::Num(width, range) => {
                self.in_frame(&Term::from(i128::from(at)), i128::from(width.bytes()))?;
                let word = self.load_frame(&Term::from(i128::from(at)), *width)?;
                let t = self.narrow(*width, range.lo < 0, &word)?;
                self.require_in(&t, *range, blame.fact, "a number in the frame may lie outside its range")?;
                Ok(i64::from(width.bytes()))
            }
            Layout::Exact(width, signed, t) => {
                self.in_frame(&Term::from(i128::from(at)), i128::from(width.bytes()))?;
                let word = self.load_frame(&Term::from(i128::from(at)), *width)?;
                let t = self.term(under(t, env))?;
                self.match_number(s, (*width, *signed, &t), &word, blame)?;
                Ok(i64::from(width.bytes()))
            }
            Layout::Array(n, elem) => {
                let n = under(n, env).and_then(|t| s.apply(&t));
                let n = self.constant(n, blame)?;
                let mut size = 0i64;
                for _ in 0..n {
                    let next = at.saturating_add(size);
                    size = size.saturating_add(self.cells_match(
                        s,
                        mode,
                        (*elem, env),
                        next,
                        depth + 1,
                        blame,
                    )?);
                }
                Ok(size)
            }
            Layout::Struct(strukt, args) => {
                let env = self.compose(args, env)?;
                match program.types.strukt(*strukt).fields() {
                    Some(fields) => self.fields_match(s, mode, (fields, &env), at, depth, blame),
                    None => {
                        let variant = self.frame_variant(*strukt, mode, at, blame)?;
                        self.cells_match(s, mode, (variant, &env), at, depth + 1, blame)
                    }
                }
            }
            Layout::Seq(fields) => self.fields_match(s, mode, (fields, env), at, depth, blame),
            Layout::Exists(e) => {
                let mut size = 0;
                self.hiding(s, e, env, blame, |g, s, env| {
                    // Numbers first: they say what is hidden.
                    let mut cells = Vec::new();
                    g.hidden_cells(e.body, env, 0, 0, &mut cells)?;
                    for (c, cell) in cells {
                        let width = match &cell {
                            Cell::Word(ty, _) if !matches!(program.types.word(*ty), WordTy::Int(_)) => {
                                continue;
                            }
                            Cell::Word(..) => g.word_width(),
                            Cell::Number(width, ..) => *width,
                        };
                        let place = Term::from(i128::from(at).saturating_add(c));
                        g.in_frame(&place, i128::from(width.bytes()))?;
                        let word = g.load_frame(&place, width)?;
                        match cell {
                            Cell::Word(ty, env) => g.match_word(s, (ty, &env), &word, blame)?,
                            Cell::Number(width, signed, t) => {
                                g.match_number(s, (width, signed, &t), &word, blame)?;
                            }
                        }
                    }
                    size = g.cells_match(s, mode, (e.body, env), at, depth + 1, blame)?;
                    Ok(())
                })?;
                Ok(size)
            }
            _ => self.reject(blame.shape, "frame memory cannot be lent as this"),
        }
    }

    /// The variant of a union that the frame holds from `at` on: that of the number which lies where the tag is. Whoever
    /// writes it could make another one of it, and what the frame holds then would not be known.
    fn frame_variant(&mut self, id: StructId, mode: Mode, at: i64, blame: Blame) -> Checked<LayoutId> {
        let program = self.program;
        let (Some(u), false) = (program.shapes.union(id), mode.writable()) else {
            return self.reject(blame.shape, "a union in the frame is lent for reading only");
        };
        let tag = Term::from(i128::from(at).saturating_add(u.off));
        let word = self.load_frame(&tag, u.width)?;
        let value = self.narrow(u.width, false, &word)?;
        let found = u.variant(self.state.facts.range(&value));
        match found.and_then(|i| program.types.strukt(id).body.parts().get(i)) {
            Some(variant) => Ok(*variant),
            None => Err(self.fail(Code::Variant, WHICH).of_union(id)),
        }
    }

    fn fields_match(
        &mut self,
        s: &mut Subst,
        mode: Mode,
        (fields, env): (&[LayoutId], &Env),
        at: i64,
        depth: usize,
        blame: Blame,
    ) -> Checked<i64> {
        let mut size = 0i64;
        for &field in fields {
            let next = at.saturating_add(size);
            size = size.saturating_add(self.cells_match(s, mode, (field, env), next, depth + 1, blame)?);
        }
        Ok(size)
    }

    /// A number of bytes or elements that must be known: 0 to as many as a frame has.
    fn constant(&self, t: Option<Term>, blame: Blame) -> Checked<i64> {
        let known = t.and_then(|t| t.as_const()).and_then(|c| i64::try_from(c).ok());
        match known.filter(|c| (0..=limits::FRAME_BYTES).contains(c)) {
            Some(c) => Ok(c),
            None => self.reject(blame.shape, "the size of typed memory in the frame must be constant"),
        }
    }

    /// The call is over: what it may have written holds what the layouts say.
    pub fn loans_return(&mut self, s: &Subst, blame: Blame) -> Checked {
        for loan in core::mem::take(&mut self.loans) {
            let env = match &loan.env {
                None => s.env(),
                Some(terms) => {
                    self.spend(terms.len() as u64)?;
                    let terms = terms.iter().map(|t| s.apply(t)).collect::<Option<alloc::vec::Vec<_>>>();
                    Some(self.term(terms)?.into())
                }
            };
            let size =
                self.cells_become((loan.layout, &env), loan.at, loan.at.saturating_add(loan.size), 0, blame)?;
            if size != loan.size {
                return self.reject(blame.shape, "the memory is given back in another size");
            }
        }
        Ok(())
    }

    /// Makes the frame hold from `at` on, and not beyond `end`, what a layout says; its size in bytes.
    fn cells_become(
        &mut self,
        (id, env): (LayoutId, &Env),
        at: i64,
        end: i64,
        depth: usize,
        blame: Blame,
    ) -> Checked<i64> {
        self.spend(4)?;
        if depth > limits::NESTING {
            return self.reject(Code::Limit, "types are nested too deeply");
        }
        let program = self.program;
        let room = |e: &Self, size: i64| {
            let fits = at.checked_add(size).is_some_and(|stop| stop <= end);
            if fits { Ok(size) } else { e.reject(blame.shape, "the memory is given back in another size") }
        };
        if let Some(size) = program.shapes.raw_size(id) {
            let size = self.constant(under(size, env), blame)?;
            room(self, size)?;
            self.state.forget_frame(at, at.saturating_add(size));
            return Ok(size);
        }
        match program.types.layout(id) {
            Layout::Cell(ty) => {
                let size = room(self, self.word())?;
                let word = self.load_word(*ty, env)?;
                self.put(at, size, word)?;
                Ok(size)
            }
            Layout::Num(width, range) => {
                let size = room(self, i64::from(width.bytes()))?;
                // Without sign, as the bytes are.
                let known = if range.lo >= 0 { *range } else { Interval::unsigned(width.bits()) };
                let number = Word::Int(self.fresh(known));
                self.put(at, size, number)?;
                Ok(size)
            }
            Layout::Exact(width, signed, t) => {
                let size = room(self, i64::from(width.bytes()))?;
                let t = self.term(under(t, env))?;
                let number = self.load_exact(*width, *signed, &t)?;
                self.put(at, size, number)?;
                Ok(size)
            }
            Layout::Array(n, elem) => {
                let n = self.constant(under(n, env), blame)?;
                let mut size = 0i64;
                for _ in 0..n {
                    let next = at.saturating_add(size);
                    size =
                        size.saturating_add(self.cells_become((*elem, env), next, end, depth + 1, blame)?);
                }
                Ok(size)
            }
            Layout::Struct(strukt, args) => {
                let env = self.compose(args, env)?;
                match program.types.strukt(*strukt).fields() {
                    Some(fields) => self.fields_become((fields, &env), at, end, depth, blame),
                    None => self.reject(blame.shape, "a union in the frame cannot be given back"),
                }
            }
            Layout::Seq(fields) => self.fields_become((fields, env), at, end, depth, blame),
            Layout::Exists(e) => {
                let env = self.name_hidden(e, env)?;
                self.cells_become((e.body, &env), at, end, depth + 1, blame)
            }
            _ => self.reject(blame.shape, "frame memory cannot be given back as this"),
        }
    }

    fn fields_become(
        &mut self,
        (fields, env): (&[LayoutId], &Env),
        at: i64,
        end: i64,
        depth: usize,
        blame: Blame,
    ) -> Checked<i64> {
        let mut size = 0i64;
        for &field in fields {
            let next = at.saturating_add(size);
            size = size.saturating_add(self.cells_become((field, env), next, end, depth + 1, blame)?);
        }
        Ok(size)
    }

    /// Puts a word or number into the frame; what is not at a multiple of its size is forgotten.
    fn put(&mut self, at: i64, size: i64, word: Word) -> Checked {
        if at % size != 0 {
            self.state.forget_frame(at, at.saturating_add(size));
        } else if !self.state.put_word(at, size, word) {
            return self.reject(Code::Limit, "the frame has too many cells");
        }
        Ok(())
    }
}
