//! docs/types.md, "Integers": numbers of a width, and results.

use super::know::Range;
use super::lin::Lin;
use super::memory::bounds;
use super::state::{Flags, Word};
use super::{Judge, Stop, no, todo};
use talcore::x86::insn::{Arg, Insn, Op, Reg};

impl Judge<'_> {
    /// The number that the lowest bytes of a term are, with a sign or without; `None` if it is not told.
    pub(super) fn low(&self, t: &Lin, bytes: i128, sign: bool) -> Option<Lin> {
        let (lo, hi) = bounds(bytes, sign);
        let period = 1i128 << (8 * bytes.min(8));
        let low = t.modulo(8 * bytes as u32);
        let interval = self.s.known.interval(&low);
        if let (Some(a), Some(b)) = (interval.lo, interval.hi) {
            let q = (a - lo).div_euclid(period);
            if q == (b - lo).div_euclid(period) {
                return Some(low.add(-q * period));
            }
        }
        let candidates = [t.clone(), low.clone(), low.add(period), low.add(-period)];
        candidates.into_iter().find(|t| self.s.known.within(t, lo, hi))
    }

    /// The number that the lowest bytes are, or a new one.
    pub(super) fn read_low(&mut self, t: &Lin, bytes: i128, sign: bool) -> Lin {
        match self.low(t, bytes, sign) {
            Some(t) => t,
            None => {
                let (lo, hi) = bounds(bytes, sign);
                Lin::var(self.s.known.fresh(Range::new(lo, hi)))
            }
        }
    }

    /// A term as a number of its width that is at least 0. If it can wrap around once, how often is a new variable.
    pub(super) fn wrapped(&mut self, t: &Lin, bytes: i128) -> Lin {
        if let Some(t) = self.low(t, bytes, false) {
            return t;
        }
        let period = 1i128 << (8 * bytes.min(8));
        let low = t.modulo(8 * bytes as u32);
        let interval = self.s.known.interval(&low);
        if let (Some(a), Some(b)) = (interval.lo, interval.hi) {
            let (first, last) = (a.div_euclid(period), b.div_euclid(period));
            if last - first <= 1 {
                let q = Lin::var(self.s.known.fresh(Range::new(-last, -first)));
                let r = low.plus_times(&q, period);
                self.s.known.assume(&r);
                self.s.known.assume(&r.times(-1).add(period - 1));
                return r;
            }
        }
        self.unknown(bytes)
    }

    /// Writes a register in a width.
    pub(super) fn write(&mut self, arg: Arg, bytes: i128, word: Word) -> Result<(), Stop> {
        let Arg::Reg(r) = arg else {
            if let Arg::High(r) = arg {
                self.s.regs[r.index()] = Word::Int(self.unknown(self.w.word));
                return Ok(());
            }
            return todo("an odd destination");
        };
        if r == Reg::SP {
            return match word {
                Word::Frame(off) if bytes == self.w.word => match off.constant() {
                    Some(at) => self.set_depth(at),
                    None => no("the stack pointer is not moved by a constant"),
                },
                _ => no("the stack pointer becomes something else"),
            };
        }
        self.s.regs[r.index()] = if bytes == self.w.word {
            word
        } else {
            let t = self.number(&word)?;
            if bytes == 4 {
                Word::Int(self.wrapped(&t, 4))
            } else {
                let low = self.read_low(&t, bytes, false);
                let period = 1i128 << (8 * bytes.min(8));
                // The old upper part, if the old lower one is known.
                let old = self.reg(r);
                if let Word::Int(old) = old
                    && let Some(before) = self.low(&old, bytes, false)
                {
                    self.s.regs[r.index()] = Word::Int(old.minus(&before).plus(&low));
                    return Ok(());
                }
                let old = self.reg(r);
                let old = self.number(&old)?;
                let old = self.low(&old, self.w.word, false);
                let old = old.map_or(Range::ALL, |t| self.s.known.interval(&t));
                let lo = old.lo.unwrap_or(0).max(0) / period;
                let q = self.s.known.fresh(Range::new(
                    lo,
                    old.hi.map_or(self.w.period() - 1, |hi| hi.min(self.w.period() - 1)) / period,
                ));
                Word::Int(low.plus_times(&Lin::var(q), period))
            }
        };
        Ok(())
    }

    /// Moves the stack pointer.
    pub(super) fn set_depth(&mut self, at: i128) -> Result<(), Stop> {
        if at > 0 {
            return no("the return address is popped");
        }
        if at > self.s.depth {
            self.s.clear_frame(i128::MIN / 2, at);
        }
        self.s.depth = at;
        if self.s.touched - at > 65536 {
            return no("more than 64 KiB of the stack were not touched");
        }
        Ok(())
    }

    /// The product of two numbers that are read as they are.
    fn product(&mut self, a: &Lin, b: &Lin, bytes: i128) -> Lin {
        for (x, y) in [(a, b), (b, a)] {
            if let Some(c) = x.constant() {
                return y.times(c);
            }
        }
        let signs = [
            (self.low(a, bytes, false), self.low(b, bytes, false)),
            (self.low(a, bytes, true), self.low(b, bytes, true)),
        ];
        for (a, b) in signs {
            let (Some(a), Some(b)) = (a, b) else { continue };
            let (x, y) = (self.s.known.interval(&a), self.s.known.interval(&b));
            let (Some(al), Some(ah), Some(bl), Some(bh)) = (x.lo, x.hi, y.lo, y.hi) else { continue };
            let corners = [(al, bl), (al, bh), (ah, bl), (ah, bh)].map(|(x, y)| x.checked_mul(y));
            if corners.iter().any(Option::is_none) {
                continue;
            }
            let corners = corners.map(|c| c.unwrap_or(0));
            let range = Range::new(*corners.iter().min().unwrap_or(&0), *corners.iter().max().unwrap_or(&0));
            let p = Lin::var(self.s.known.fresh(range));
            if al >= 0 && bl >= 0 {
                self.s.known.assume(&p.minus(&a.times(bl)));
                self.s.known.assume(&p.minus(&b.times(al)));
            }
            return p;
        }
        self.unknown(self.w.word)
    }

    /// What `and` gives.
    pub(super) fn and(&mut self, a: &Lin, b: &Lin, bytes: i128) -> Lin {
        let (x, y) = (self.low(a, bytes, false), self.low(b, bytes, false));
        let (number, mask) = match (&x, &y) {
            (_, Some(m)) if m.constant().is_some() => (x.clone().or(Some(a.clone())), m.constant()),
            (Some(m), _) if m.constant().is_some() => (y.clone().or(Some(b.clone())), m.constant()),
            _ => (None, None),
        };
        if x == y && x.is_some() {
            return x.unwrap_or_default();
        }
        if let (Some(t), Some(mask)) = (number, mask) {
            let known = self.low(&t, bytes, false);
            let whole = (1i128 << (8 * bytes)) - 1;
            if mask == 0 {
                return Lin::default();
            }
            if (mask + 1) & mask == 0 {
                // The lowest bits.
                let bits = 128 - mask.leading_zeros();
                let period = 1i128 << bits;
                let rest = t.modulo(bits);
                if self.s.known.within(&t, 0, mask) {
                    return t;
                }
                if rest.constant().is_some() || self.s.known.within(&rest, 0, mask) {
                    return rest;
                }
                let r = Lin::var(self.s.known.fresh(Range::new(0, mask)));
                if let Some(t) = known {
                    let q = Lin::var(self.s.known.fresh(Range::new(0, whole / period)));
                    self.s.known.assume_equal(&t, &r.plus_times(&q, period));
                }
                return r;
            }
            let below = whole - mask;
            if (below + 1) & below == 0 {
                // Without the lowest bits.
                let period = below + 1;
                let q = Lin::var(self.s.known.fresh(Range::new(0, whole / period)));
                let r = q.times(period);
                if let Some(t) = known {
                    self.s.known.assume(&t.minus(&r));
                    self.s.known.assume(&r.minus(&t).add(below));
                }
                return r;
            }
            let top = known.as_ref().and_then(|t| self.s.known.interval(t).hi).unwrap_or(mask);
            let r = Lin::var(self.s.known.fresh(Range::new(0, top.clamp(0, mask))));
            if let Some(t) = known {
                self.s.known.assume(&t.minus(&r));
            }
            return r;
        }
        let whole = (1i128 << (8 * bytes)) - 1;
        let top = |t: &Option<Lin>| t.as_ref().and_then(|t| self.s.known.interval(t).hi).unwrap_or(whole);
        let range = Range::new(0, top(&x).min(top(&y)).clamp(0, whole));
        let r = Lin::var(self.s.known.fresh(range));
        for t in [x, y].into_iter().flatten() {
            self.s.known.assume(&t.minus(&r));
        }
        r
    }

    /// What `or` and `xor` of two numbers give: at most all bits that one of them can have.
    fn or(&mut self, a: &Lin, b: &Lin, bytes: i128, or: bool) -> Lin {
        let (x, y) = (self.low(a, bytes, false), self.low(b, bytes, false));
        let whole = (1i128 << (8 * bytes)) - 1;
        let most = |t: &Option<Lin>| {
            let hi = t.as_ref().and_then(|t| self.s.known.interval(t).hi).unwrap_or(whole).clamp(0, whole);
            (1i128 << (128 - hi.leading_zeros())) - 1
        };
        let r = self.s.known.fresh(Range::new(0, most(&x).max(most(&y))));
        let r = Lin::var(r);
        if let (Some(x), Some(y)) = (x, y) {
            self.s.known.assume(&x.plus(&y).minus(&r));
            if or {
                self.s.known.assume(&r.minus(&x));
                self.s.known.assume(&r.minus(&y));
            }
        }
        r
    }

    /// What a shift gives. The count is known, or `None`.
    fn shift(&mut self, op: Op, t: &Lin, count: Option<i128>, bytes: i128) -> Lin {
        let sign = op == Op::Sar;
        match (op, count) {
            (_, Some(0)) => t.clone(),
            (Op::Shl, Some(n)) if n < 8 * bytes => t.times(1 << n),
            (Op::Shr | Op::Sar, Some(n)) if n < 8 * bytes => {
                let t = self.read_low(t, bytes, sign);
                let d = 1i128 << n;
                if let Some(c) = t.constant() {
                    return Lin::of(c >> n);
                }
                if t.k.rem_euclid(d) == t.k && t.m.values().all(|c| c % d == 0) {
                    let mut q = t.clone();
                    q.k = 0;
                    q.m.values_mut().for_each(|c| *c /= d);
                    return q;
                }
                let interval = self.s.known.interval(&t);
                let (lo, hi) = bounds(bytes, sign);
                let range = Range::new(
                    interval.lo.unwrap_or(lo).max(lo) >> n,
                    interval.hi.unwrap_or(hi).min(hi) >> n,
                );
                let q = Lin::var(self.s.known.fresh(range));
                let r = t.plus_times(&q, -d);
                self.s.known.assume(&r);
                self.s.known.assume(&r.times(-1).add(d - 1));
                q
            }
            (Op::Shr | Op::Sar, _) => {
                let t = self.read_low(t, bytes, sign);
                let interval = self.s.known.interval(&t);
                let (lo, hi) = bounds(bytes, sign);
                let range = Range::new(
                    interval.lo.unwrap_or(lo).max(lo).min(0),
                    interval.hi.unwrap_or(hi).min(hi).max(0),
                );
                let r = Lin::var(self.s.known.fresh(range));
                if range.lo >= Some(0) {
                    self.s.known.assume(&t.minus(&r));
                }
                r
            }
            _ => self.unknown(bytes),
        }
    }

    /// Instructions that compute one number of two, or of one.
    pub(super) fn compute(&mut self, insn: &Insn) -> Result<(), Stop> {
        let n = i128::from(insn.width.bytes());
        let [to, from, third] = insn.args;
        let wide = n == self.w.word;
        // Addresses are moved by numbers.
        let left = match to {
            Arg::Reg(r) if wide => self.reg(r),
            Arg::Reg(_) | Arg::High(_) => Word::Int(self.operand(insn, to, n)?),
            Arg::Mem => {
                let place = self.place(insn, n)?;
                self.load(&place, n)?
            }
            _ => return todo("an odd operand"),
        };
        let right = match from {
            Arg::None => Word::Int(Lin::default()),
            Arg::Reg(r) if wide => self.reg(r),
            Arg::Imm if wide => self.immediate(insn.imm),
            Arg::Imm => Word::Int(Lin::of(insn.imm.into())),
            _ => Word::Int(self.operand(insn, from, n)?),
        };
        let same = to == from && matches!(to, Arg::Reg(_));
        let bits = 8 * n as u32;
        let result = match insn.op {
            Op::Add if Self::is_address(&left) => {
                let by = self.number(&right)?;
                self.moved(&left, &by)?
            }
            Op::Add if Self::is_address(&right) => {
                let by = self.number(&left)?;
                self.moved(&right, &by)?
            }
            Op::Sub if Self::is_address(&left) && !Self::is_address(&right) => {
                let by = self.number(&right)?;
                self.moved(&left, &by.times(-1))?
            }
            Op::Sub => match (&left, &right) {
                (Word::Ptr(a, x), Word::Ptr(b, y)) if a == b => Word::Int(x.minus(y)),
                (Word::Frame(x), Word::Frame(y)) => Word::Int(x.minus(y)),
                _ => Word::Int(self.number(&left)?.minus(&self.number(&right)?)),
            },
            Op::Inc => self.moved(&left, &Lin::of(1))?,
            Op::Dec => self.moved(&left, &Lin::of(-1))?,
            Op::Xor if same => Word::Int(Lin::default()),
            Op::Sbb if same => Word::Int(Lin::var(self.s.known.fresh(Range::new(-1, 0)))),
            op => {
                let (a, b) = (self.number(&left)?, self.number(&right)?);
                Word::Int(match op {
                    Op::Add => a.plus(&b),
                    Op::And => self.and(&a, &b, n),
                    Op::Or if same => a,
                    Op::Or | Op::Xor if b.constant() == Some(0) => a,
                    Op::Xor if self.low(&b, n, false).and_then(|b| b.constant()) == Some((1 << bits) - 1) => {
                        a.times(-1).add(-1)
                    }
                    Op::Or if self.low(&b, n, false).and_then(|b| b.constant()) == Some((1 << bits) - 1) => {
                        Lin::of(-1)
                    }
                    Op::Or => self.or(&a, &b, n, true),
                    Op::Xor => self.or(&a, &b, n, false),
                    Op::Neg => a.times(-1),
                    Op::Not => a.times(-1).add(-1),
                    Op::Imul if third == Arg::Imm => b.times(insn.imm.into()),
                    Op::Imul => self.product(&a, &b, n),
                    Op::Shl | Op::Shr | Op::Sar => {
                        let mask = if n == 8 { 63 } else { 31 };
                        let count = self.low(&b, 1, false).and_then(|c| c.constant()).map(|c| c & mask);
                        self.shift(op, &a, count, n)
                    }
                    Op::Adc | Op::Sbb => {
                        let carry = Lin::var(self.s.known.fresh(Range::new(0, 1)));
                        let sum =
                            if op == Op::Adc { a.plus(&b).plus(&carry) } else { a.minus(&b).minus(&carry) };
                        self.coarse("adc and sbb");
                        sum
                    }
                    Op::Bswap => match self.low(&a, n, false).and_then(|t| t.constant()) {
                        Some(c) => Lin::of(if n == 4 {
                            i128::from((c as u32).swap_bytes())
                        } else {
                            i128::from((c as u64).swap_bytes())
                        }),
                        None => self.unknown(n),
                    },
                    Op::Rol
                    | Op::Ror
                    | Op::Rcl
                    | Op::Rcr
                    | Op::Shld
                    | Op::Shrd
                    | Op::Bts
                    | Op::Btr
                    | Op::Btc => self.unknown(n),
                    _ => return todo("an odd operation"),
                })
            }
        };
        self.s.flags = match insn.op {
            Op::Sub => Flags::Compared(self.number(&left)?, self.number(&right)?, bits),
            Op::Neg => Flags::Compared(Lin::default(), self.number(&left)?, bits),
            Op::Add | Op::Inc | Op::Dec => Flags::Result(self.number(&result)?, bits),
            Op::And | Op::Or | Op::Xor => Flags::Logic(self.number(&result)?, bits),
            Op::Shl | Op::Shr | Op::Sar => {
                let count = from == Arg::Imm && insn.imm & 31 != 0;
                if count { Flags::Result(self.number(&result)?, bits) } else { Flags::Unknown }
            }
            Op::Not | Op::Bswap => self.s.flags.clone(),
            _ => Flags::Unknown,
        };
        match to {
            Arg::Mem => {
                let place = self.place(insn, n)?;
                self.store(&place, n, result)
            }
            _ => {
                // The name of a number of 32 bits is that of the register, and of the result.
                self.write(to, n, result)?;
                if let (Arg::Reg(r), 4, 8) = (to, n, self.w.word)
                    && let Word::Int(t) = self.s.regs[r.index()].clone()
                {
                    match &mut self.s.flags {
                        Flags::Result(old, _) | Flags::Logic(old, _) => *old = t,
                        _ => {}
                    }
                }
                Ok(())
            }
        }
    }

    /// Notes that less is known than the documentation promises.
    pub(super) fn coarse(&mut self, what: &str) {
        self.coarse.get_or_insert_with(|| what.into());
    }
}
