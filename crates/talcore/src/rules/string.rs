//! String instructions, with and without a repeat prefix. DF is always clear: addresses go up.
//!
//! A repeated instruction touches `count * width` bytes at most; both ends are proved before.
//! The count is read as an unsigned word, so it must be proved in `[0, 2^W)`.

use crate::arith::Flags;
use crate::engine::{Checked, Engine};
use crate::facts::Interval;
use crate::guide::Guide;
use crate::matching::Blame;
use crate::state::{Lay, STATIC, Word};
use crate::term::Term;
use crate::types::Mode;
use crate::verdict::Code;
use crate::x86::insn::{Arg, Insn, Op, Reg, Rep};
use alloc::vec::Vec;

impl<'a, G: Guide> Engine<'a, G> {
    /// `movs`, `stos`, `lods`, `cmps`, `scas`.
    pub fn string(&mut self, i: &Insn) -> Checked {
        let width = i128::from(i.width.bytes());
        let count = match i.rep {
            Rep::No => Term::from(1),
            _ => {
                let cx = self.get(Reg::CX);
                let cx = self.integer(&cx)?;
                let bits = self.program.arch.word_bits();
                match self.num(|n| n.known(bits, &cx)) {
                    Some(t) => t,
                    None => return self.reject(Code::Bounds, "the repeat count is not proved to be a word"),
                }
            }
        };
        let size = self.term(count.scale(width))?;
        let (si, di) = (self.get(Reg::SI), self.get(Reg::DI));
        let source = matches!(i.op, Op::Movs | Op::Lods | Op::Cmps);
        let dest = matches!(i.op, Op::Movs | Op::Stos | Op::Cmps | Op::Scas);
        let moved =
            i.op == Op::Movs && (self.move_object(&si, &di, &size)? || self.move_part(&si, &di, &size)?);
        if source && !moved {
            self.readable(&si, &size)?;
        }
        if dest && !moved {
            if matches!(i.op, Op::Movs | Op::Stos) {
                self.writable(&di, &size)?;
            } else {
                self.readable(&di, &size)?;
            }
        }
        let filled = self.get(Reg::AX);
        if i.op == Op::Stos && matches!(filled, Word::Int(t) if t.as_const() == Some(0)) {
            self.becomes_zeros(&di, &size)?;
        }
        // How many elements are done: all, or for comparisons any number up to that.
        let done = match (i.op, i.rep) {
            (Op::Cmps | Op::Scas, Rep::Rep | Rep::Repne) => {
                let most = self.state.facts.range(&count).hi;
                let k = self.fresh(Interval::new(0, most));
                if let Some(fact) = count.sub(&k) {
                    self.state.facts.assume(&fact);
                }
                k
            }
            _ => count.clone(),
        };
        let step = self.term(done.scale(width))?;
        if source {
            self.advance(Reg::SI, si, &step)?;
        }
        if dest {
            self.advance(Reg::DI, di, &step)?;
        }
        if i.rep != Rep::No {
            let left = self.term(count.sub(&done))?;
            self.set(Reg::CX, Word::Int(left));
        }
        match i.op {
            Op::Cmps | Op::Scas => self.state.flags = Flags::unknown(),
            Op::Lods => {
                let value = self.fresh(Interval::unsigned(i.width.bits()));
                self.write_arg(i, Arg::Reg(Reg::AX), i.width, value)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// A whole struct or array, with the bytes behind it, is moved to the start of raw memory, if that is what is copied: both belong to this function. What
    /// it owns moves with it, so that the source has only bytes left. Answers whether it was.
    fn move_object(&mut self, si: &Word, di: &Word, size: &Term) -> Checked<bool> {
        let (Word::Ptr(l, e), Word::Ptr(k, f)) = (si, di) else { return Ok(false) };
        let start = |t: &Term| t.as_const() == Some(0);
        if l == k || *l >= STATIC || *k >= STATIC || !start(e) || !start(f) {
            return Ok(false);
        }
        let (from, to) = (self.loc(*l)?, self.loc(*k)?);
        let raw = |s: &Self, lay: &Lay| s.program.shapes.raw_size(lay.id).is_some();
        if from.mode != Mode::Own || to.mode != Mode::Own || raw(self, &from.lay) || !raw(self, &to.lay) {
            return Ok(false);
        }
        let shapes = &self.program.shapes;
        let longer = shapes.longer(from.lay.id).or_else(|| shapes.tail(from.lay.id));
        let (Some(longer), Some(env)) = (longer, &from.lay.env) else {
            return Ok(false);
        };
        let (Some(have), Some(room)) = (self.size_of(&from.lay), self.size_of(&to.lay)) else {
            return Ok(false);
        };
        let more = self.term(size.sub(&have))?;
        let left = self.term(room.sub(&have))?;
        if !(self.same(&more)? && self.try_prove(&left)) {
            return Ok(false);
        }
        self.spend(env.len() as u64 + from.cells.len() as u64)?;
        let lay = if start(&left) {
            from.lay.clone()
        } else {
            // Behind an array there may be bytes already.
            let (args, behind) = match env.split_last() {
                Some((bytes, args)) if longer == from.lay.id => (args, self.term(bytes.add(&left))?),
                _ => (&env[..], left),
            };
            Lay { id: longer, env: Some(args.iter().cloned().chain([behind]).collect()) }
        };
        // A part has one place.
        let linear = self.program.shapes.linear(from.lay.id);
        let parts = if linear { from.parts } else { Vec::new() };
        if let Some(loc) = self.state.locs.get_mut(*k as usize) {
            (loc.lay, loc.cells, loc.parts) = (lay, from.cells, parts);
        }
        self.state.forget_tags(*k);
        self.state.forget_byte(*k);
        if linear {
            self.becomes(*l, Lay { id: self.program.shapes.bytes(), env: Some([have].into()) });
            if let Some(loc) = self.state.locs.get_mut(*l as usize) {
                loc.empty();
            }
        }
        Ok(true)
    }

    /// Whether a term is proved to be 0.
    fn same(&mut self, t: &Term) -> Checked<bool> {
        let less = self.term(t.neg())?;
        Ok(t.as_const() == Some(0) || self.try_prove(t) && self.try_prove(&less))
    }

    fn advance(&mut self, r: Reg, word: Word, by: &Term) -> Checked {
        let moved = match word {
            Word::Ptr(l, e) => Word::Ptr(l, self.term(e.add(by))?),
            Word::Sp(e) => Word::Sp(self.term(e.add(by))?),
            _ => Word::Any,
        };
        self.set(r, moved);
        Ok(())
    }

    /// Proves that `size` bytes at the pointer may be read.
    fn readable(&mut self, word: &Word, size: &Term) -> Checked {
        match word {
            Word::Ptr(l, e) => {
                let loc = self.loc(*l)?;
                let whole = self.size_of(&loc.lay);
                let whole = whole.ok_or_else(|| self.fail(Code::Bounds, "the object's size is not known"))?;
                self.require(e, Code::Bounds, "the access may lie before the object")?;
                let left = self.term(whole.sub(e).and_then(|t| t.sub(size)))?;
                self.require(&left, Code::Bounds, "the access may run past the end of the object")
            }
            Word::Sp(e) => {
                let above = self.term(e.offset(-i128::from(self.state.depth)))?;
                self.require(&above, Code::FrameAccess, "the access may lie below the stack pointer")?;
                let below = self.term(e.add(size).and_then(|t| t.neg()))?;
                self.require(&below, Code::FrameAccess, "the access may leave the frame")
            }
            _ => self.reject(Code::NotPointer, "the register is not a pointer to an object"),
        }
    }

    /// Proves that `size` raw bytes at the pointer may be written; typed cells are not raw.
    fn writable(&mut self, word: &Word, size: &Term) -> Checked {
        match word {
            Word::Ptr(l, e) => {
                let loc = self.loc(*l)?;
                if !loc.mode.writable() {
                    return self.reject(Code::ReadOnly, "the memory may only be read");
                }
                let loc = if loc.exclusive() {
                    self.forget_zeros(*l)?;
                    self.loc(*l)?
                } else {
                    loc
                };
                if loc.exclusive() {
                    self.forget_words(*l, &loc.lay, Some((e, size)))?;
                }
                let blame = Blame { shape: Code::Content, fact: Code::Bounds };
                let (start, length) = self.raw_region(*l, &loc.lay, e, blame)?;
                let before = self.term(e.sub(&start))?;
                self.require(&before, Code::Bounds, "the access may lie before the memory")?;
                let left = self.term(start.add(&length).and_then(|t| t.sub(e)).and_then(|t| t.sub(size)))?;
                self.require(&left, Code::Bounds, "the access may run past the end of the memory")
            }
            Word::Sp(e) => {
                let (lo, hi) = self.frame_span(e, size, Code::FrameAccess)?;
                self.state.forget_frame(lo, hi);
                Ok(())
            }
            _ => self.reject(Code::NotPointer, "the register is not a pointer to an object"),
        }
    }
}
