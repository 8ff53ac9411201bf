//! docs/types.md, "Integers", "Memory" and "The stack": instructions that go on to the next one.

use super::know::Range;
use super::lin::Lin;
use super::memory::bounds;
use super::place::Place;
use super::state::{Flags, Word};
use super::{Judge, Stop, no, todo};
use talcore::types::Mode;
use talcore::x86::insn::{Arg, Cond, Insn, Op, Reg};

impl Judge<'_> {
    /// A constant that fills a word: perhaps the address of an object or a function.
    pub(super) fn immediate(&mut self, imm: i64) -> Word {
        let address = if self.w.word == 4 { u64::from(imm as u32) } else { imm as u64 };
        if address >= 65536 {
            if let Some(sig) = self.w.program.sig_for(self.f.scope, address) {
                return Word::Fn(sig);
            }
            let objects = &self.w.program.objects;
            let after = objects.partition_point(|o| o.addr <= address);
            let inside =
                |i: usize| objects.get(i).is_some_and(|o| o.addr <= address && address - o.addr <= o.size);
            let near: Vec<usize> =
                [after.wrapping_sub(1), after.wrapping_sub(2)].into_iter().filter(|i| inside(*i)).collect();
            if let Some(i) = near.get(self.choice).or(near.first()) {
                let at = address - objects[*i].addr;
                self.choices = self.choices.max(near.len());
                return Word::Static(*i, Lin::of(at.into()));
            }
        }
        Word::Int(Lin::of(imm.into()))
    }

    /// An operand of a whole word, or of less.
    fn word_operand(&mut self, insn: &Insn, arg: Arg, n: i128) -> Result<Word, Stop> {
        Ok(match arg {
            Arg::Reg(r) if n == self.w.word => self.reg(r),
            Arg::Imm if n == self.w.word => self.immediate(insn.imm),
            Arg::Mem => {
                let place = self.place(insn, n)?;
                self.load(&place, n)?
            }
            _ => Word::Int(self.operand(insn, arg, n)?),
        })
    }

    /// One instruction that is no jump, call or return.
    pub(super) fn step(&mut self, insn: &Insn) -> Result<(), Stop> {
        let n = i128::from(insn.width.bytes());
        let [to, from, third] = insn.args;
        match insn.op {
            Op::Nop | Op::Endbr | Op::Pause | Op::Fence | Op::Cld => {}
            Op::Carry => self.s.flags = Flags::Unknown,
            Op::Rdtsc => {
                for r in [Reg::AX, Reg::DX] {
                    self.s.regs[r.index()] = Word::Int(self.unknown(4));
                }
            }
            Op::Mov => {
                if let (Arg::Reg(r), Arg::Imm, 4, 8) = (to, from, n, self.w.word)
                    && r != Reg::SP
                {
                    // The upper half becomes 0: an address of 32 bits is the whole of it.
                    let word = self.immediate((insn.imm as u32).into());
                    self.s.regs[r.index()] = word;
                    return Ok(());
                }
                let word = self.word_operand(insn, from, n)?;
                if to == Arg::Mem {
                    let place = self.place(insn, n)?;
                    self.store(&place, n, word)?;
                } else {
                    self.write(to, n, word)?;
                }
            }
            Op::Movzx | Op::Movsx => {
                let m = i128::from(insn.src_width.bytes());
                let t = self.operand(insn, from, m)?;
                let t = self.read_low(&t, m, insn.op == Op::Movsx);
                self.write(to, n, Word::Int(t))?;
            }
            Op::Lea => {
                let all = self.addresses(&insn.mem)?;
                let absolute = insn.mem.base.is_none() && insn.mem.index.is_none();
                let fun =
                    if absolute { self.w.program.sig_for(self.f.scope, insn.mem.disp as u64) } else { None };
                let word = match fun {
                    Some(sig) => Word::Fn(sig),
                    None => {
                        let found = all.get(self.choice).or(all.first());
                        found.map_or_else(|| todo("an address without candidates"), |w| Ok(w.clone()))?
                    }
                };
                let word = match word {
                    Word::Static(i, off) if self.owned_static(i).is_some() => {
                        Word::Ptr(self.owned_static(i).unwrap_or_default(), off)
                    }
                    Word::Frame(off) if self.starts() && self.s.known.proves(&off) => Word::Ptr(0, off),
                    word => word,
                };
                self.write(to, n, word)?;
            }
            Op::Xchg | Op::Xadd | Op::Cmpxchg => self.exchange(insn)?,
            Op::Push => {
                let word = self.word_operand(insn, to, n)?;
                self.set_depth(self.s.depth - self.w.word)?;
                self.store(&Place::Frame(Lin::of(self.s.depth)), self.w.word, word)?;
            }
            Op::Pop => {
                let word = self.load(&Place::Frame(Lin::of(self.s.depth)), self.w.word)?;
                self.set_depth(self.s.depth + self.w.word)?;
                if to == Arg::Mem {
                    let place = self.place(insn, n)?;
                    self.store(&place, n, word)?;
                } else {
                    self.write(to, n, word)?;
                }
            }
            Op::Leave => {
                let Word::Frame(off) = self.reg(Reg::BP) else {
                    return no("leave without an address in the frame");
                };
                let Some(at) = off.constant() else { return no("leave to an unknown depth") };
                if at < self.s.depth || at > -self.w.word {
                    return no("leave to a place outside of the frame");
                }
                self.set_depth(at)?;
                let word = self.load(&Place::Frame(Lin::of(at)), self.w.word)?;
                self.set_depth(at + self.w.word)?;
                self.s.regs[Reg::BP.index()] = word;
            }
            Op::Cmp | Op::Test => {
                let (a, b) = (self.operand(insn, to, n)?, self.operand(insn, from, n)?);
                let bits = 8 * n as u32;
                self.s.flags = match insn.op {
                    Op::Cmp => Flags::Compared(a, b, bits),
                    _ if a == b => Flags::Logic(a, bits),
                    _ => Flags::Logic(self.and(&a, &b, n), bits),
                };
            }
            Op::Imul if third == Arg::None || third == Arg::Imm => self.compute(insn)?,
            Op::Add
            | Op::Adc
            | Op::Sub
            | Op::Sbb
            | Op::And
            | Op::Or
            | Op::Xor
            | Op::Inc
            | Op::Dec
            | Op::Neg
            | Op::Not
            | Op::Shl
            | Op::Shr
            | Op::Sar
            | Op::Rol
            | Op::Ror
            | Op::Rcl
            | Op::Rcr
            | Op::Shld
            | Op::Shrd
            | Op::Bts
            | Op::Btr
            | Op::Btc
            | Op::Bswap => self.compute(insn)?,
            Op::Bt => self.s.flags = Flags::Unknown,
            Op::Bsf | Op::Bsr | Op::Popcnt => {
                self.operand(insn, from, n)?;
                let bits = 8 * n;
                // If the operand is 0, bsf and bsr leave the register as it was, or do not tell.
                let t = if insn.op == Op::Popcnt {
                    Lin::var(self.s.known.fresh(Range::new(0, bits)))
                } else {
                    let t = self.operand(insn, from, n)?;
                    match self.low(&t, n, false) {
                        Some(t) if self.s.known.proves(&t.add(-1)) => {
                            Lin::var(self.s.known.fresh(Range::new(0, bits - 1)))
                        }
                        _ => self.unknown(n),
                    }
                };
                self.s.flags = Flags::Unknown;
                self.write(to, n, Word::Int(t))?;
            }
            Op::Setcc => {
                let flag = Lin::var(self.s.known.fresh(Range::new(0, 1)));
                self.coarse("setcc");
                if to == Arg::Mem {
                    let place = self.place(insn, 1)?;
                    self.store(&place, 1, Word::Int(flag))?;
                } else {
                    self.write(to, 1, Word::Int(flag))?;
                }
            }
            Op::Cmovcc => self.conditional_move(insn)?,
            Op::Mul | Op::Imul1 | Op::Div | Op::Idiv => self.wide(insn)?,
            Op::Cbw => {
                let half = n / 2;
                let t = self.operand(insn, Arg::Reg(Reg::AX), half)?;
                let t = self.read_low(&t, half, true);
                self.write(Arg::Reg(Reg::AX), n, Word::Int(t))?;
            }
            Op::Cwd => {
                let t = self.operand(insn, Arg::Reg(Reg::AX), n)?;
                let t = self.low(&t, n, true);
                let positive = t.is_some_and(|t| self.s.known.proves(&t));
                let t =
                    if positive { Lin::default() } else { Lin::var(self.s.known.fresh(Range::new(-1, 0))) };
                self.write(Arg::Reg(Reg::DX), n, Word::Int(t))?;
            }
            Op::VecLoad => {
                if insn.args.contains(&Arg::Mem) {
                    let m = i128::from(insn.src_width.bytes());
                    let place = self.place(insn, m)?;
                    self.load(&place, m)?;
                }
            }
            Op::VecStore => {
                let m = i128::from(insn.src_width.bytes());
                let place = self.place(insn, m)?;
                let t = self.unknown(8);
                self.store_wide(&place, m, t)?;
            }
            Op::VecToReg => {
                let t = self.unknown(n);
                self.write(to, n, Word::Int(t))?;
            }
            Op::Movs | Op::Stos | Op::Lods | Op::Cmps | Op::Scas => self.string(insn)?,
            _ => return no("an instruction that has no place here"),
        }
        Ok(())
    }

    /// A store of raw bytes from a vector register.
    fn store_wide(&mut self, place: &Place, n: i128, t: Lin) -> Result<(), Stop> {
        match place {
            Place::Frame(off) => {
                let Some(at) = off.constant() else {
                    return todo("a vector store at an unknown place of the frame");
                };
                if at < self.s.depth || at + n > 0 {
                    return no("not in the frame");
                }
                self.s.touched = self.s.touched.min(at);
                self.s.clear_frame(at, at + n);
                Ok(())
            }
            Place::Loc(l, _) if matches!(self.s.locs[*l].mode, Mode::Own | Mode::Uniq) => {
                todo("a vector store into exclusive memory")
            }
            _ => self.store(place, n, Word::Int(t)),
        }
    }

    fn exchange(&mut self, insn: &Insn) -> Result<(), Stop> {
        let n = i128::from(insn.width.bytes());
        let [to, from, _] = insn.args;
        if insn.op == Op::Cmpxchg {
            return todo("cmpxchg");
        }
        let new = self.word_operand(insn, from, n)?;
        if to == Arg::Mem {
            let place = self.place(insn, n)?;
            let shared = match &place {
                Place::Loc(l, _) => !matches!(self.s.locs[*l].mode, Mode::Own | Mode::Uniq),
                Place::Static(..) => true,
                Place::Frame(_) => false,
            };
            if shared && insn.op == Op::Xchg && self.owning_cell(&place, n)? {
                if n != self.w.word {
                    return no("part of a cell that owns memory is exchanged");
                }
                return self.exchange_owners(&place, from, new);
            }
            let old = self.load(&place, n)?;
            if insn.op == Op::Xadd {
                let sum = self.number(&old)?.plus(&self.number(&new)?);
                self.s.flags = Flags::Unknown;
                self.store(&place, n, Word::Int(sum))?;
            } else {
                self.store(&place, n, new)?;
            }
            return self.write(from, n, old);
        }
        let old = self.word_operand(insn, to, n)?;
        if insn.op == Op::Xadd {
            let sum = self.number(&old)?.plus(&self.number(&new)?);
            self.s.flags = Flags::Unknown;
            self.write(from, n, old)?;
            return self.write(to, n, Word::Int(sum));
        }
        if to == Arg::Reg(Reg::SP) || from == Arg::Reg(Reg::SP) {
            return no("the stack pointer is exchanged");
        }
        self.write(to, n, new)?;
        self.write(from, n, old)
    }

    /// A shared cell that owns memory gives what it has and takes another word, in one step: docs/owned-memory.md,
    /// "Borrowed owners".
    fn exchange_owners(&mut self, place: &Place, from: Arg, new: Word) -> Result<(), Stop> {
        let (mode, lay, off) = match place {
            Place::Loc(l, off) => (self.s.locs[*l].mode, self.s.locs[*l].lay.clone(), off),
            Place::Static(i, off) => {
                let (mode, lay) = self.object(*i)?;
                (mode, lay, off)
            }
            Place::Frame(_) => return todo("an owning cell in the frame"),
        };
        if mode != Mode::Shared {
            return no("only shared cells that own memory are exchanged");
        }
        let Some(super::part::Part::Cell(ty)) = self.w.part(&self.s.known, &lay, off, self.w.word)? else {
            return no("no cell");
        };
        let mut b = super::fit::Binding::default();
        if !self.fits(&new, &ty, &mut b)? || !self.w.settle(&self.s.known, &mut b)? {
            return no("the word does not have the type of the cell");
        }
        let old = self.w.word_of(&mut self.s, &ty, None)?;
        self.write(from, self.w.word, old)
    }

    fn owning_cell(&mut self, place: &Place, n: i128) -> Result<bool, Stop> {
        let (lay, off) = match place {
            Place::Loc(l, off) => (self.s.locs[*l].lay.clone(), off),
            Place::Static(i, off) => (self.object(*i)?.1, off),
            Place::Frame(_) => return Ok(false),
        };
        let part = self.w.part(&self.s.known, &lay, off, n)?;
        Ok(matches!(part, Some(super::part::Part::Cell(ty)) if self.w.owns_word(&ty)))
    }

    fn conditional_move(&mut self, insn: &Insn) -> Result<(), Stop> {
        let n = i128::from(insn.width.bytes());
        let [to, from, _] = insn.args;
        let new = self.word_operand(insn, from, n)?;
        let old = self.word_operand(insn, to, n)?;
        if n == self.w.word && new == old {
            return Ok(());
        }
        // Learn what follows on each side, and keep what is true of both.
        let (a, b) = (self.number(&new)?, self.number(&old)?);
        let before = self.s.known.clone();
        let words = (self.s.clone(), insn.cond);
        self.learn(words.1)?;
        let first = (self.read_low(&a, n, false), self.s.known.clone());
        self.s = words.0.clone();
        self.learn(Cond::negate(words.1))?;
        let second = (self.read_low(&b, n, false), self.s.known.clone());
        self.s = words.0;
        self.s.known = before;
        let (lo, hi) = bounds(n, false);
        let hull = |side: &dyn Fn(&Range) -> Option<i128>, best: &dyn Fn(i128, i128) -> i128, last: i128| {
            let x = side(&first.1.interval(&first.0)).unwrap_or(last);
            let y = side(&second.1.interval(&second.0)).unwrap_or(last);
            if first.1.absurd {
                y
            } else if second.1.absurd {
                x
            } else {
                best(x, y)
            }
        };
        let range = Range::new(hull(&|r| r.lo, &|x, y| x.min(y), lo), hull(&|r| r.hi, &|x, y| x.max(y), hi));
        let t = Lin::var(self.s.known.fresh(range));
        // Bounds by terms: what is at most (at least) a term on both sides.
        for bound in [&a, &b] {
            let on = |(v, k): &(Lin, super::know::Known), up: bool| {
                let d = if up { bound.minus(v) } else { v.minus(bound) };
                k.proves(&d)
            };
            for up in [true, false] {
                if on(&first, up) && on(&second, up) {
                    let d = if up { bound.minus(&t) } else { t.minus(bound) };
                    self.s.known.assume(&d);
                }
            }
        }
        self.coarse("cmov");
        self.write(to, n, Word::Int(t))
    }

    /// Multiplication and division with a double result or dividend.
    fn wide(&mut self, insn: &Insn) -> Result<(), Stop> {
        let n = i128::from(insn.width.bytes());
        let sign = matches!(insn.op, Op::Imul1 | Op::Idiv);
        let by = self.operand(insn, insn.args[0], n)?;
        let by = self.read_low(&by, n, sign);
        let ax = self.operand(insn, Arg::Reg(Reg::AX), n)?;
        self.s.flags = Flags::Unknown;
        if n == 1 {
            self.coarse("a product or quotient of bytes");
            let t = self.unknown(2);
            return self.write(Arg::Reg(Reg::AX), 2, Word::Int(t));
        }
        if matches!(insn.op, Op::Mul | Op::Imul1) {
            let a = self.read_low(&ax, n, sign);
            self.coarse("a double product");
            let low = match (a.constant(), by.constant()) {
                (Some(c), _) => by.times(c),
                (_, Some(c)) => a.times(c),
                _ => self.unknown(n),
            };
            let high = self.unknown(n);
            self.write(Arg::Reg(Reg::AX), n, Word::Int(low))?;
            return self.write(Arg::Reg(Reg::DX), n, Word::Int(high));
        }
        let dx = self.operand(insn, Arg::Reg(Reg::DX), n)?;
        let upper = self.low(&dx, n, sign);
        let (lo, hi) = bounds(n, sign);
        let dividend = self.low(&ax, n, sign).filter(|t| match upper.as_ref().and_then(Lin::constant) {
            Some(0) => self.s.known.proves(t),
            _ => false,
        });
        let positive = self.s.known.proves(&by.add(-1));
        match (dividend, by.constant()) {
            (Some(t), Some(d)) if d > 0 => {
                let top = self.s.known.interval(&t).hi.unwrap_or(hi).min(hi);
                let q = Lin::var(self.s.known.fresh(Range::new(0, top / d)));
                let r = t.plus_times(&q, -d);
                let rest = Lin::var(self.s.known.fresh(Range::new(0, d - 1)));
                self.s.known.assume_equal(&rest, &r);
                self.write(Arg::Reg(Reg::AX), n, Word::Int(q))?;
                self.write(Arg::Reg(Reg::DX), n, Word::Int(rest))
            }
            (dividend, _) => {
                self.coarse("a quotient");
                let divisor = self.s.known.interval(&by);
                let least = divisor.lo.unwrap_or(1).max(1);
                let (mut quotients, mut rests) = (Range::new(lo, hi), Range::new(lo, hi));
                if let (Some(t), true) = (&dividend, positive || !sign) {
                    let top = self.s.known.interval(t).hi.unwrap_or(hi).min(hi);
                    quotients = Range::new(0, top / least);
                    rests = Range::new(0, top.min(divisor.hi.unwrap_or(hi).min(hi) - 1));
                }
                let q = Lin::var(self.s.known.fresh(quotients));
                let r = Lin::var(self.s.known.fresh(rests));
                if positive || !sign {
                    // It did not trap, so the divisor is not 0.
                    self.s.known.assume(&by.minus(&r).add(-1));
                    if let Some(t) = dividend {
                        self.s.known.assume(&q);
                        self.s.known.assume(&r);
                        self.s.known.assume(&t.minus(&q));
                        self.s.known.assume(&t.minus(&r));
                    }
                }
                self.write(Arg::Reg(Reg::AX), n, Word::Int(q))?;
                self.write(Arg::Reg(Reg::DX), n, Word::Int(r))
            }
        }
    }
}
