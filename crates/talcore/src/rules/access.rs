//! Loads, stores and moves.

use super::call::Lent;
use super::own::Around;
use super::place::Place;
use super::stretch::LENT;
use crate::arith::Flags;
use crate::engine::{Checked, Engine};
use crate::facts::Interval;
use crate::guide::Guide;
use crate::limits;
use crate::matching::{Blame, Subst};
use crate::memory::{Leaf, Spot};
use crate::state::{Env, Lay, LocId, Word, Zero};
use crate::term::{Term, Var};
use crate::types::{Layout, LayoutId, Mode, WordId, WordTy};
use crate::verdict::Code;
use crate::x86::insn::{Arg, Insn, Op, Reg, Width};

impl<'a, G: Guide> Engine<'a, G> {
    /// Reads `width` bytes at the instruction's memory operand. A whole cell gives its type; raw
    /// data gives a fresh integer in `[0, 2^width)`.
    pub fn load(&mut self, i: &Insn, width: Width) -> Checked<Word> {
        match self.place(&i.mem, true)? {
            Place::Object(l, off) => self.load_object(l, &off, width),
            Place::Frame(off) => self.load_frame(&off, width),
            _ => self.reject(Code::NotPointer, "the address is not one of data"),
        }
    }

    fn raw_value(&mut self, width: Width) -> Word {
        Word::Int(self.fresh(Interval::unsigned(width.bits().min(64))))
    }

    /// Reads from an object.
    pub fn load_object(&mut self, l: LocId, off: &Term, width: Width) -> Checked<Word> {
        let mut loc = self.loc(l)?;
        let mut held = Err(true);
        let mut plain = false;
        if loc.exclusive() {
            let around = self.open_around(l, off, width)?;
            plain = around == Around::Plain;
            held = self.held_at(l, off, width)?;
            if let (Ok(word), false) = (&held, self.full(width)) {
                // Its bytes are congruent to it modulo their width only.
                held = Ok(Word::Int(self.narrow(width, false, word)?));
            }
            if around != Around::Plain {
                if let Ok(word) = held {
                    return Ok(word);
                }
                if around == Around::Closed {
                    return self.load_closed((l, off), &loc.lay, width, held == Err(true));
                }
            }
            loc = self.loc(l)?;
        } else if loc.mode.stable()
            && let Some(word) = self.load_seen((l, off), &loc.lay, width)?
        {
            return Ok(word);
        }
        if self.program.zeros(loc.lay.id) {
            let size = self.size_of(&loc.lay).unwrap_or_default();
            self.inside(off, width, &size)?;
            return Ok(match held {
                Ok(word) => word,
                Err(true) => Word::Int(Term::zero()),
                Err(false) => self.raw_value(width),
            });
        }
        if loc.lay.id == self.program.shapes.text() {
            return match held {
                Ok(word) => Ok(word),
                Err(_) => self.load_text((l, off), loc.mode, &loc.lay, width),
            };
        }
        match self.leaf(l, &loc.lay, off, width, false)? {
            Leaf::Raw => Ok(match held {
                Ok(word) => word,
                Err(_) => {
                    let word = self.raw_value(width);
                    self.loaded_byte((l, off), &loc, width, &word);
                    word
                }
            }),
            Leaf::Cell(..) | Leaf::Tag(_) if held.is_ok() => Ok(held.unwrap_or_default()),
            // Perhaps it is another word that was put there: a number, whatever it is.
            Leaf::Cell(..) | Leaf::Tag(_) if held == Err(false) => Ok(self.raw_value(width)),
            Leaf::Tag(id) => self.load_tag(l, off, id),
            Leaf::Cell(word, env) if self.program.types.linear(word) => self.move_out(l, off, word, &env),
            Leaf::Cell(word, env) => {
                let value = self.load_word(word, &env)?;
                if plain && matches!(self.program.types.word(word), WordTy::Range(_)) {
                    self.remember_read(l, off, width, &value);
                }
                Ok(value)
            }
            Leaf::Num(..) | Leaf::Exact(..) if held.is_ok() => Ok(held.unwrap_or_default()),
            // Perhaps it is another number that was put there.
            Leaf::Num(..) | Leaf::Exact(..) if held == Err(false) => Ok(self.raw_value(width)),
            Leaf::Exact(w, signed, t) => self.load_exact(w, signed, &t),
            Leaf::Num(w, range) => {
                // The bits of a signed cell are sign-extended only by `movsx`.
                let known = if range.lo >= 0 { range } else { Interval::unsigned(w.bits()) };
                let value = Word::Int(self.fresh(known));
                if plain && range.lo >= 0 {
                    self.remember_read(l, off, width, &value);
                }
                Ok(value)
            }
            Leaf::Cstr { m, at } => self.load_cstr(loc.mode, &m, &at, width),
            Leaf::NullTerm { k, index, word, env } => {
                let left = self.term(k.sub(&index))?;
                self.require(&index, Code::Bounds, "the index may be negative")?;
                self.require(&left, Code::Bounds, "the index may lie behind the first 0")?;
                let value = self.load_word(word, &env)?;
                if let (Word::Opt(v, ..), true) = (&value, loc.mode.stable()) {
                    let v = Term::var(*v);
                    let most = self.max_object();
                    self.not_last(&left, &v, self.pointer_range().hi, most);
                }
                Ok(value)
            }
        }
    }

    /// A number that was read from exclusive memory, where no held word lies, is there until something is stored: what tests
    /// say of it holds of the cell. The state is that in which it would be if the number were stored where it was read, so
    /// whatever holds of stores holds of this.
    fn remember_read(&mut self, l: LocId, off: &Term, width: Width, value: &Word) {
        let room = self.state.locs.get(l as usize).is_some_and(|loc| loc.cells.len() < limits::HELD_READ);
        if room && off.as_const().is_some() {
            self.hold(l, off, width, value.clone());
        }
    }

    /// Loads from a part of exclusive memory that hides sizes and cannot be opened. `free`: no held word lies there. Then
    /// it is as if others might write the memory.
    fn load_closed(&mut self, (l, off): Spot<'_>, lay: &Lay, width: Width, free: bool) -> Checked<Word> {
        match self.leaf(l, lay, off, width, false)? {
            Leaf::Cell(word, env) if free && !self.program.types.linear(word) => self.load_word(word, &env),
            Leaf::Num(_, range) if free && range.lo >= 0 => Ok(Word::Int(self.fresh(range))),
            Leaf::Raw | Leaf::Cell(..) | Leaf::Num(..) | Leaf::Exact(..) | Leaf::Tag(_) => {
                Ok(self.raw_value(width))
            }
            // Nothing says where these end.
            Leaf::Cstr { .. } | Leaf::NullTerm { .. } => {
                self.reject(Code::Content, "a string whose length is hidden here")
            }
        }
    }

    /// Loads a word that owns memory. From exclusive memory the capability comes with it, and the cell holds the
    /// address from then on; elsewhere it is a number.
    fn move_out(&mut self, l: LocId, off: &Term, ty: WordId, env: &Env) -> Checked<Word> {
        let loc = self.loc(l)?;
        if loc.exclusive() && loc.cells.len() < limits::HELD {
            let word = self.load_word(ty, env)?;
            self.hold(l, off, self.word_width(), word.clone());
            return Ok(word);
        }
        if loc.mode.borrow() && !loc.exclusive() {
            return self.look_in((loc.mode, loc.stretch), ty, env);
        }
        Ok(Word::Int(self.fresh(self.word_range())))
    }

    /// Loads a word that owns memory through a borrow: what it owns is borrowed too, for as long. While the borrow
    /// lasts such a cell is not written: not through borrows, and the owner waits for the end of the call.
    fn look_in(&mut self, (mode, stretch): (Mode, Option<Var>), ty: WordId, env: &Env) -> Checked<Word> {
        if matches!(self.program.types.word(ty), WordTy::Of(..)) {
            return Ok(Word::Int(self.fresh(self.word_range())));
        }
        if matches!(self.program.types.word(ty), WordTy::Opt(_)) {
            if let Some(v) = stretch {
                return self.look_during(ty, env, v);
            }
            return match self.program.shapes.borrowed(ty, mode) {
                Some(word) => self.load_word(word, env),
                None => Ok(Word::Int(self.fresh(self.word_range()))),
            };
        }
        let (_, lay) = self.opened_word(ty, env, Some(mode))?;
        let l = self.open(mode, lay)?;
        self.belongs(l, stretch);
        Ok(Word::Ptr(l, Term::zero()))
    }

    /// Reading a string at `e`: allowed if `0 <= e <= m`. The byte `b` is 0 exactly at the first
    /// NUL *or behind it*, so "not NUL" means one more byte: `b <= 255*(m - e)`, and before the
    /// first NUL no byte is 0: `m - e <= S*b`. Wider reads inside the string give raw bits.
    pub fn load_cstr(&mut self, mode: Mode, m: &Term, at: &Term, width: Width) -> Checked<Word> {
        self.require(at, Code::Bounds, "the access may lie before the string")?;
        let left = self.term(m.sub(at))?;
        let room = self.term(left.offset(1 - i128::from(width.bytes())))?;
        self.require(&room, Code::Bounds, "the access may lie behind the string's end")?;
        let value = self.raw_value(width);
        if let (Word::Int(b), Width::B1, true) = (&value, width, mode.stable()) {
            let most = self.max_object();
            self.not_last(&left, &b.clone(), 255, most);
        }
        Ok(value)
    }

    /// `value` is 0 iff `left = 0`, where `0 <= left <= most` and `0 <= value <= top`:
    /// `top*left - value >= 0` and `most*value - left >= 0`. Facts that overflow are dropped.
    fn not_last(&mut self, left: &Term, value: &Term, top: i128, most: i128) {
        let facts = [left.scale(top).and_then(|t| t.sub(value)), value.scale(most).and_then(|t| t.sub(left))];
        for fact in facts.iter().flatten() {
            self.state.facts.assume(fact);
        }
    }

    /// Writes a word or part of one at the instruction's memory operand.
    pub fn store(&mut self, i: &Insn, width: Width, value: Word) -> Checked {
        match self.place(&i.mem, true)? {
            Place::Object(l, off) => self.store_object(l, &off, width, value),
            Place::Frame(off) => self.store_frame(&off, width, value),
            _ => self.reject(Code::NotPointer, "the address is not one of data"),
        }
    }

    /// Writes to an object: the cell keeps its declared type.
    pub fn store_object(&mut self, l: LocId, off: &Term, width: Width, value: Word) -> Checked {
        let loc = self.loc(l)?;
        if !loc.mode.writable() {
            let why = if loc.was.is_some() { LENT } else { "the memory may only be read" };
            return self.reject(Code::ReadOnly, why);
        }
        if loc.exclusive() {
            return self.store_exclusive(l, off, width, value);
        }
        let leaf = self.leaf(l, &loc.lay, off, width, true)?;
        if let Leaf::Cell(word, _) = &leaf
            && self.program.types.linear(*word)
        {
            return self.reject(Code::StoreType, "a shared cell that owns memory is changed by `xchg` only");
        }
        self.weak_store(leaf, value)
    }

    /// A store that keeps the declared type of the cell.
    pub fn weak_store(&mut self, leaf: Leaf, value: Word) -> Checked {
        match leaf {
            Leaf::Raw => Ok(()),
            Leaf::Cell(word, env) => {
                let blame = Blame { shape: Code::StoreType, fact: Code::StoreType };
                self.match_word(&mut Subst::identity(), (word, &env), &value, blame)
            }
            Leaf::Num(w, range) => {
                let t = self.narrow(w, range.lo < 0, &value)?;
                self.require_in(&t, range, Code::StoreType, "the value may lie outside the cell's range")
            }
            Leaf::Exact(w, signed, t) => {
                let blame = Blame { shape: Code::StoreType, fact: Code::StoreType };
                self.match_number(&mut Subst::identity(), (w, signed, &t), &value, blame)
            }
            Leaf::Tag(_) => self.reject(
                Code::StoreType,
                "the tag of a union says which variant is there, and is changed only in memory that nobody else has",
            ),
            Leaf::Cstr { .. } | Leaf::NullTerm { .. } => {
                self.reject(Code::Content, "a string of known length cannot be written")
            }
        }
    }

    /// Proves that a frame access lies between rsp and the return slot.
    pub fn in_frame(&mut self, off: &Term, size: i128) -> Checked {
        let above = self.term(off.offset(-i128::from(self.state.depth)))?;
        self.require(&above, Code::FrameAccess, "the access may lie below the stack pointer")?;
        let below = self.term(off.neg().and_then(|t| t.offset(-size)))?;
        self.require(
            &below,
            Code::FrameAccess,
            "the access may reach the return address or the caller's frame",
        )
    }

    /// Reads from the frame or from a stack argument.
    pub fn load_frame(&mut self, off: &Term, width: Width) -> Checked<Word> {
        let Some(at) = off.as_const().and_then(|c| i64::try_from(c).ok()) else {
            self.in_frame(off, i128::from(width.bytes()))?;
            return Ok(self.raw_value(width));
        };
        let word = self.word();
        if at >= word && at % word == 0 && self.full(width) {
            let index = usize::try_from(at / word - 1).unwrap_or(usize::MAX);
            return match self.state.incoming.get(index) {
                Some(w) => Ok(w.clone()),
                None => self.reject(Code::FrameAccess, "the access reaches the caller's frame"),
            };
        }
        self.in_frame(off, i128::from(width.bytes()))?;
        self.state.touched = self.state.touched.min(at);
        if let Some(slot) = self.state.slot_at(at).and_then(|i| self.state.frame.get(i))
            && slot.off == at
            && slot.size == i64::from(width.bytes())
            && let Some(w) = &slot.word
        {
            return Ok(w.clone());
        }
        Ok(self.raw_value(width))
    }

    /// Writes to the frame. A whole, aligned word becomes a cell, and so does a narrower number that is known;
    /// anything else makes the cells that it meets raw.
    pub fn store_frame(&mut self, off: &Term, width: Width, value: Word) -> Checked {
        let size = i64::from(width.bytes());
        let Some(at) = off.as_const().and_then(|c| i64::try_from(c).ok()) else {
            let (lo, hi) = self.frame_span(off, &Term::from(i128::from(size)), Code::FrameAccess)?;
            self.state.forget_frame(lo, hi);
            if width == Width::B1
                && matches!(&value, Word::Int(t) if t.as_const().is_some_and(|c| c % 256 == 0))
            {
                self.state.zero = Some(Zero { off: off.clone(), lo, hi });
            }
            return Ok(());
        };
        self.in_frame(off, i128::from(size))?;
        self.state.touched = self.state.touched.min(at);
        if self.full(width) && at % size == 0 {
            if !self.state.put_word(at, size, value) {
                return self.reject(Code::Limit, "the frame has too many cells");
            }
        } else {
            let number = if at % size == 0 { self.number_of(width, &value) } else { None };
            if !number.is_some_and(|t| self.state.put_word(at, size, Word::Int(t))) {
                self.state.forget_frame(at, at.saturating_add(size));
            }
        }
        Ok(())
    }

    /// What a store narrower than a word leaves behind, if it is known: the number that the bytes are, without sign.
    pub fn number_of(&mut self, width: Width, value: &Word) -> Option<Term> {
        let Word::Int(t) = value else { return None };
        if i64::from(width.bytes()) >= self.word() {
            return None;
        }
        match t.as_const() {
            Some(c) => Some(Term::from(c.rem_euclid(1 << width.bits()))),
            None => self.num(|n| n.known(width.bits(), t)),
        }
    }

    /// The part of the frame that `size` bytes at `off` may touch, as constants: the whole range of
    /// the offset if intervals bound it inside the frame, else one raw piece inside of which the
    /// access is proved to lie.
    pub fn frame_span(&mut self, off: &Term, size: &Term, code: Code) -> Checked<(i64, i64)> {
        let start = self.state.facts.range(off);
        let end = self.term(off.add(size))?;
        let stop = self.state.facts.range(&end);
        let depth = i128::from(self.state.depth);
        if start.lo >= depth && stop.hi <= 0 {
            return Ok((start.lo as i64, stop.hi as i64));
        }
        let probe = if start.lo >= depth { start.lo } else { off.konst() };
        let piece = i64::try_from(probe).ok().and_then(|p| self.state.slot_at(p));
        let Some((lo, hi)) = piece.and_then(|p| self.state.loose(p, self.word())) else {
            return self.reject(code, "the access may lie outside the frame");
        };
        let before = self.term(off.offset(-i128::from(lo)))?;
        self.require(&before, code, "the access may lie before the frame's memory")?;
        let behind = self.term(Term::from(i128::from(hi)).sub(&end))?;
        self.require(&behind, code, "the access may run past the end of the frame's memory")?;
        Ok((lo, hi))
    }

    /// `mov`: whole words keep their type, parts are integers.
    pub fn mov(&mut self, i: &Insn) -> Checked {
        let (dst, src) = (i.args[0], i.args[1]);
        if !self.full(i.width) {
            // `mov r32, imm32`, which clears the upper half, may load the address of an object or function.
            if let (Arg::Reg(r), Arg::Imm, Width::B4) = (dst, src, i.width)
                && let Some(address) = self.address_constant(i64::from(i.imm as u32))?
            {
                return self.set_word(r, address);
            }
            let t = self.read_arg(i, src, i.width)?;
            return self.write_arg(i, dst, i.width, t);
        }
        let word = match src {
            Arg::Reg(r) => self.get(r),
            Arg::Mem => self.load(i, i.width)?,
            Arg::Imm => self.immediate(i.imm)?,
            _ => Word::Int(self.read_arg(i, src, i.width)?),
        };
        match dst {
            Arg::Reg(r) => self.set_word(r, word),
            Arg::Mem => self.store(i, i.width, word),
            _ => self.reject(Code::NotAllowed, "the operand cannot be written"),
        }
    }

    fn set_word(&mut self, r: Reg, word: Word) -> Checked {
        if r == Reg::SP {
            return self.set_sp(word);
        }
        self.set(r, word);
        Ok(())
    }

    /// `movzx`, `movsx`, `movsxd`: the value of the narrow source.
    pub fn extend(&mut self, i: &Insn) -> Checked {
        let t = self.read_arg(i, i.args[1], i.src_width)?;
        let signed = self.signed_cell(i)?;
        let bits = i.src_width.bits();
        let t = match signed {
            Some(known) => known,
            None => self.num(|n| if i.op == Op::Movzx { n.movzx(bits, &t) } else { n.movsx(bits, &t) }),
        };
        self.write_arg(i, i.args[0], i.width, t)
    }

    /// The number in a signed integer cell that a `movsx` reads.
    fn signed_cell(&mut self, i: &Insn) -> Checked<Option<Term>> {
        if i.op != Op::Movsx || i.args[1] != Arg::Mem {
            return Ok(None);
        }
        let Place::Object(l, off) = self.place(&i.mem, true)? else { return Ok(None) };
        let loc = self.loc(l)?;
        // What is held there, or perhaps is, need not be of the cell's type.
        if loc.exclusive() && self.held_at(l, &off, i.src_width)? != Err(true) {
            return Ok(None);
        }
        Ok(match self.leaf(l, &loc.lay, &off, i.src_width, false)? {
            Leaf::Num(_, range) if range.lo < 0 => Some(self.fresh(range)),
            Leaf::Exact(_, true, t) => Some(t),
            _ => None,
        })
    }

    /// `xchg`: registers swap their words; with memory both sides are integers or keep the cell's
    /// type.
    pub fn xchg(&mut self, i: &Insn) -> Checked {
        match (i.args[0], i.args[1]) {
            (Arg::Reg(a), Arg::Reg(b)) if self.full(i.width) => {
                if a == Reg::SP || b == Reg::SP {
                    return self.reject(Code::StackPointer, "the stack pointer cannot be exchanged");
                }
                let (x, y) = (self.get(a), self.get(b));
                self.set(a, y);
                self.set(b, x);
                Ok(())
            }
            (Arg::Mem, Arg::Reg(r)) | (Arg::Reg(r), Arg::Mem) if self.full(i.width) => {
                if r == Reg::SP {
                    return self.reject(Code::StackPointer, "the stack pointer cannot be exchanged");
                }
                let new = self.get(r);
                if let Some((word, env)) = self.owning_cell(i)? {
                    let blame = Blame { shape: Code::StoreType, fact: Code::StoreType };
                    self.match_word(&mut Subst::identity(), (word, &env), &new, blame)?;
                    let old = self.load_word(word, &env)?;
                    self.set(r, old);
                    return Ok(());
                }
                let old = self.load(i, i.width)?;
                self.store(i, i.width, new)?;
                self.set(r, old);
                Ok(())
            }
            (a, b) => {
                let x = self.read_arg(i, a, i.width)?;
                let y = self.read_arg(i, b, i.width)?;
                self.write_arg(i, a, i.width, y)?;
                self.write_arg(i, b, i.width, x)
            }
        }
    }

    /// The type of the shared cell that an operand is, if it owns memory. In one step of the machine the old
    /// content leaves it and the new one takes its place, so there is never a moment without an owner, or with two.
    fn owning_cell(&mut self, i: &Insn) -> Checked<Option<(WordId, Env)>> {
        let Place::Object(l, off) = self.place(&i.mem, true)? else { return Ok(None) };
        let loc = self.loc(l)?;
        if loc.mode != Mode::Shared || !self.program.shapes.linear(loc.lay.id) {
            return Ok(None);
        }
        Ok(match self.leaf(l, &loc.lay, &off, i.width, true)? {
            Leaf::Cell(word, env) if self.program.types.linear(word) => Some((word, env)),
            _ => None,
        })
    }

    /// `cmpxchg` and `xadd`: raw integers on both sides; a typed cell must accept any value that
    /// may be stored.
    pub fn atomic(&mut self, i: &Insn) -> Checked {
        let old = self.read_arg(i, i.args[0], i.width)?;
        let src = self.read_arg(i, i.args[1], i.width)?;
        self.state.flags = Flags::unknown();
        if i.op == Op::Xadd {
            let sum = self.num(|n| n.add(i.width.bits(), &old, &src)).value;
            if i.args[0] == Arg::Mem {
                // The source register may be part of the address, which was computed before.
                self.write_arg(i, Arg::Mem, i.width, sum)?;
                return self.write_arg(i, i.args[1], i.width, old);
            }
            // The source gets the old value first: if both are one register, the sum stays.
            self.write_arg(i, i.args[1], i.width, old)?;
            return self.write_arg(i, i.args[0], i.width, sum);
        }
        // Either the destination gets the source, or ax gets the destination. So a typed cell must
        // accept the source, but the frame and exclusive memory, whose cells get the type of what is
        // stored, hold nothing known afterwards.
        let unknown = self.fresh(Interval::unsigned(i.width.bits()));
        match i.args[0] {
            Arg::Mem => match self.place(&i.mem, true)? {
                Place::Frame(off) => self.store_frame(&off, i.width, Word::Any)?,
                Place::Object(l, off) if self.loc(l)?.exclusive() => {
                    self.store_exclusive(l, &off, i.width, Word::Any)?;
                }
                _ => self.write_arg(i, Arg::Mem, i.width, src)?,
            },
            _ => {
                let any = self.fresh(Interval::unsigned(i.width.bits()));
                self.write_unknown(i, i.args[0], any)?;
            }
        }
        self.write_unknown(i, Arg::Reg(Reg::AX), unknown)
    }

    /// A register of which part may or may not be written.
    fn write_unknown(&mut self, i: &Insn, arg: Arg, part: Term) -> Checked {
        if let Arg::Reg(r) = arg {
            if r == Reg::SP {
                return self.reject(Code::StackPointer, "the stack pointer cannot be the destination");
            }
            // A 32-bit form may or may not clear the upper half: nothing is known of the whole.
            self.set(r, Word::Any);
            let _ = part;
            return Ok(());
        }
        self.write_arg(i, arg, i.width, part)
    }

    /// A vector instruction that reads: vector registers hold raw data and have no types.
    pub fn vector_load(&mut self, i: &Insn) -> Checked {
        if i.args.contains(&Arg::Mem) {
            self.load(i, i.src_width)?;
        }
        Ok(())
    }

    /// A vector instruction that writes memory: raw data only.
    pub fn vector_store(&mut self, i: &Insn) -> Checked {
        let value = self.raw_value(i.src_width);
        self.store(i, i.src_width, value)
    }

    /// Lends part of the frame to a call as raw memory: see [`Engine::match_word`].
    pub fn lend_frame(
        &mut self,
        s: &mut Subst,
        mode: Mode,
        want: (LayoutId, &crate::state::Env),
        off: &Term,
        blame: Blame,
    ) -> Checked {
        if !mode.borrow() {
            return self
                .reject(blame.shape, "an address in the frame cannot be kept: it dies with the frame");
        }
        if let (Layout::Cstr(_), false) = (self.program.types.layout(want.0), mode.writable()) {
            let Some(left) = self.lend_frame_text(off)? else {
                return self.reject(blame.shape, "no byte of the frame from here on is known to be 0");
            };
            return self.match_string(s, want, &left, blame);
        }
        let Some(n) = self.program.shapes.raw_size(want.0) else {
            return self.lend_cells(s, mode, want, off, blame);
        };
        let n = self.term(crate::engine::under(n, want.1))?;
        let n = match s.apply(&n) {
            Some(n) => n,
            None => {
                // All of the raw piece from here on.
                let at = self.state.facts.range(off).lo;
                let slot = i64::try_from(at).ok().and_then(|a| self.state.slot_at(a));
                let Some(end) = slot.and_then(|p| self.state.frame.get(p)).map(|p| p.end()) else {
                    return self.reject(blame.shape, "the address may lie outside the frame");
                };
                let left = self.term(Term::from(i128::from(end)).sub(off))?;
                self.unify(s, &n, &left, false, blame)?;
                left
            }
        };
        self.require(&n, blame.fact, "the size may be negative")?;
        let (lo, hi) = self.frame_span(off, &n, blame.fact)?;
        if mode.writable() {
            self.state.forget_frame(lo, hi);
        }
        self.lent.push(Lent::Frame(lo, hi, mode));
        Ok(())
    }
}
