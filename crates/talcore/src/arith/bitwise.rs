//! `and`, `or`, `xor`, `test`, bit tests, scans and counts.

use super::flags::Order;
use super::{Flags, Num, Out, mod2, pow2, shift_bound};
use crate::facts::Interval;
use crate::term::Term;

/// What a constant mask keeps.
enum Mask {
    /// Nothing.
    Nothing,
    /// Everything.
    All,
    /// The low `k` bits.
    Low(u32),
    /// All but the low `k` bits.
    High(u32),
    /// Some bits: the unsigned value.
    Other(i128),
}

impl Mask {
    /// The mask of an operand that is constant.
    fn of(bits: u32, t: &Term) -> Option<Mask> {
        let m = mod2(t.as_const()?, bits);
        let k = m.trailing_zeros();
        Some(if m == 0 {
            Mask::Nothing
        } else if m == pow2(bits) - 1 {
            Mask::All
        } else if m & (m + 1) == 0 {
            Mask::Low(m.trailing_ones())
        } else if m == pow2(bits) - pow2(k) {
            Mask::High(k)
        } else {
            Mask::Other(m)
        })
    }
}

impl Num<'_> {
    /// `and`: see [`Num::and_value`]; CF and OF are clear.
    pub fn and(&mut self, bits: u32, a: &Term, b: &Term) -> Out {
        let value = self.and_value(bits, a, b);
        let flags = Flags::logic(bits, &value);
        Out { value, flags }
    }

    /// The bits that both operands have.
    ///
    /// - With itself: itself. With a constant mask, for every integer `a` that is congruent to the word,
    ///   since `2^k` divides `2^w`:
    ///   - `2^k - 1`: `x = a mod 2^k`: `0 <= x < 2^k` and `a = 2^k*q + x`;
    ///   - `-2^k`: `2^k * floor(a / 2^k)`, so `x = 2^k*q` and `a - 2^k + 1 <= x <= a`;
    ///   - another mask `m`: `0 <= x <= m`, a multiple of the mask's lowest bit.
    /// - Else `0 <= x <= a` and `x <= b` for the operands whose unsigned value is known.
    pub fn and_value(&mut self, bits: u32, a: &Term, b: &Term) -> Term {
        if a == b {
            return a.clone();
        }
        if let (Some(x), Some(y)) = (a.as_const(), b.as_const()) {
            return Term::from(mod2(x & y, bits));
        }
        let (a, b) = if a.as_const().is_some() { (b, a) } else { (a, b) };
        match Mask::of(bits, b) {
            Some(Mask::Nothing) => Term::zero(),
            Some(Mask::All) => a.clone(),
            Some(Mask::Low(k)) => self.modulo(a, k),
            Some(Mask::High(k)) => {
                let value = self.floor_shift(a, k).scale(pow2(k));
                self.or_unknown(bits, value)
            }
            Some(Mask::Other(m)) => {
                let k = m.trailing_zeros();
                let known = self.known(bits, a);
                let most = known.as_ref().map_or(m, |u| self.facts.range(u).hi.clamp(0, m));
                let q = self.fresh(Interval::new(0, most >> k));
                let value = q.scale(pow2(k));
                if let (Some(u), Some(x)) = (known, &value) {
                    self.derive(u.sub(x));
                }
                self.or_unknown(bits, value)
            }
            None => {
                let known = [self.known(bits, a), self.known(bits, b)];
                let mut hi = pow2(bits) - 1;
                for u in known.iter().flatten() {
                    hi = hi.min(self.facts.range(u).hi);
                }
                let x = self.fresh(Interval::new(0, hi));
                for u in known.iter().flatten() {
                    self.derive(u.sub(&x));
                }
                x
            }
        }
    }

    /// `x = a mod 2^k` for any integer `a`.
    fn modulo(&mut self, a: &Term, k: u32) -> Term {
        if let Some(known) = self.known(k, a) {
            return known;
        }
        let x = self.unknown(k);
        // a - x is a multiple of 2^k; saying so takes two facts and a variable.
        let range = self.facts.range(a);
        let q = self.fresh(Interval::new(shift_bound(range.lo, k), shift_bound(range.hi, k)));
        let rest = a.sub(&x).and_then(|d| d.add_scaled(&q, -pow2(k)));
        self.derive(rest.clone());
        self.derive(rest.and_then(|r| r.neg()));
        x
    }

    /// `test`: the flags of `and`. Nothing is written, so for masks only what ZF says is kept.
    pub fn test(&mut self, bits: u32, a: &Term, b: &Term) -> Flags {
        if a == b || (a.as_const().is_some() && b.as_const().is_some()) {
            let value = self.and_value(bits, a, b);
            return Flags::logic(bits, &value).kept();
        }
        let (a, b) = if a.as_const().is_some() { (b, a) } else { (a, b) };
        match Mask::of(bits, b) {
            Some(Mask::Nothing) => Flags::logic(bits, &Term::zero()).kept(),
            Some(Mask::All) => Flags::logic(bits, a).kept(),
            Some(Mask::Low(k)) => Flags::ordered(bits, Order::LowZero(a.clone(), k)),
            Some(Mask::High(k)) => Flags::ordered(bits, Order::HighZero(a.clone(), k)),
            Some(Mask::Other(_)) | None => Flags::ordered(bits, Order::Clear),
        }
    }

    /// `or`: CF and OF are clear.
    ///
    /// - With itself or 0: itself. With -1: -1.
    /// - If one operand is a multiple of `2^k` and the other is known below `2^k`, no bit is in
    ///   both: the sum.
    /// - Else at least each operand and at most their sum, of no more bits than they.
    pub fn or(&mut self, bits: u32, a: &Term, b: &Term) -> Out {
        let value = self.or_value(bits, a, b);
        let flags = Flags::logic(bits, &value);
        Out { value, flags }
    }

    fn or_value(&mut self, bits: u32, a: &Term, b: &Term) -> Term {
        if a == b {
            return a.clone();
        }
        if let (Some(x), Some(y)) = (a.as_const(), b.as_const()) {
            return Term::from(mod2(x | y, bits));
        }
        for (x, y) in [(a, b), (b, a)] {
            match Mask::of(bits, x) {
                Some(Mask::Nothing) => return y.clone(),
                Some(Mask::All) => return Term::from(-1),
                _ => {}
            }
        }
        if let Some(sum) = self.disjoint_sum(bits, a, b) {
            return sum;
        }
        let (lo, hi) = self.union_bounds(bits, a, b);
        self.fresh(Interval::new(lo, hi))
    }

    /// `xor`: CF and OF are clear.
    ///
    /// - Equal terms are congruent to the same word: 0. With 0: itself. With -1: `-1 - a`.
    /// - A value known below `2^k` with `2^k - 1`: `2^k - 1 - a`.
    /// - Disjoint operands: the sum, as for `or`.
    /// - Else a number of no more bits than the operands.
    pub fn xor(&mut self, bits: u32, a: &Term, b: &Term) -> Out {
        let value = self.xor_value(bits, a, b);
        let flags = Flags::logic(bits, &value);
        Out { value, flags }
    }

    fn xor_value(&mut self, bits: u32, a: &Term, b: &Term) -> Term {
        if a == b {
            return Term::zero();
        }
        if let (Some(x), Some(y)) = (a.as_const(), b.as_const()) {
            return Term::from(mod2(x ^ y, bits));
        }
        for (x, y) in [(a, b), (b, a)] {
            match Mask::of(bits, x) {
                Some(Mask::Nothing) => return y.clone(),
                Some(Mask::All) => return self.not(bits, y),
                Some(Mask::Low(k)) => {
                    let ones = Term::from(pow2(k) - 1);
                    if let Some(u) = self.known(bits, y)
                        && let Some(flipped) = ones.sub(&u)
                        && self.proves(&flipped)
                    {
                        return flipped;
                    }
                }
                _ => {}
            }
        }
        if let Some(sum) = self.disjoint_sum(bits, a, b) {
            return sum;
        }
        let (_, hi) = self.union_bounds(bits, a, b);
        self.fresh(Interval::new(0, hi))
    }

    /// `a + b` if one is a multiple of `2^k` and the value of the other is below `2^k`.
    fn disjoint_sum(&mut self, bits: u32, a: &Term, b: &Term) -> Option<Term> {
        for (high, low) in [(a, b), (b, a)] {
            let k = factor_of_two(high).min(bits);
            if k > 0
                && let Some(low) = self.known(bits, low)
                && self.facts.range(&low).hi < pow2(k)
            {
                return high.add(&low);
            }
        }
        None
    }

    /// Bounds of `a | b`; the upper one holds for `a ^ b` too.
    fn union_bounds(&mut self, bits: u32, a: &Term, b: &Term) -> (i128, i128) {
        let all = Interval::new(0, pow2(bits) - 1);
        let mut bound = |t: &Term| match self.known(bits, t) {
            Some(u) => {
                let r = self.facts.range(&u);
                Interval::new(r.lo.max(0), r.hi.min(all.hi))
            }
            None => all,
        };
        let (a, b) = (bound(a), bound(b));
        let hi = a.hi.max(b.hi).max(0);
        let length = i128::BITS - hi.leading_zeros();
        (a.lo.max(b.lo), pow2(length) - 1)
    }

    /// `bt a, b` with `a` in a register: CF is a bit of it, nothing is written.
    pub fn bt(&self) -> Flags {
        Flags::unknown()
    }

    /// `bts`, `btr`, `btc` on a register: any word.
    pub fn bit_update(&mut self, bits: u32) -> Out {
        Out { value: self.unknown(bits), flags: Flags::unknown() }
    }

    /// `bsf`, `bsr`: the term of the whole destination register, of type `int(old)` before.
    ///
    /// For a source that is proved not 0 the result is the index of a bit; for 0 the destination is
    /// undefined in all its bits. ZF is set iff the source is 0.
    pub fn bit_scan(&mut self, bits: u32, old: &Term, source: &Term) -> (Term, Flags) {
        let flags = Flags::zero_only(bits, source);
        let nonzero = match self.known(bits, source).and_then(|u| u.offset(-1)) {
            Some(goal) => self.proves(&goal),
            None => false,
        };
        if !nonzero {
            return (self.unknown(self.word_bits), flags);
        }
        let index = self.fresh(Interval::new(0, i128::from(bits) - 1));
        (self.write(bits, old, &index), flags)
    }

    /// `popcnt`: a number in `[0, bits]`. ZF is set iff the source (and so the result) is 0.
    pub fn popcnt(&mut self, bits: u32, source: &Term) -> Out {
        let value = self.fresh(Interval::new(0, i128::from(bits)));
        let flags = Flags { order: Order::Clear, ..Flags::zero_only(bits, source) };
        Out { value, flags }
    }

    /// `bswap`: any word. Flags stay.
    pub fn bswap(&mut self, bits: u32) -> Term {
        self.unknown(bits)
    }
}

/// The largest `k` such that `2^k` divides the term whatever its variables are.
fn factor_of_two(t: &Term) -> u32 {
    let konst = if t.konst() == 0 { 64 } else { t.konst().trailing_zeros() };
    t.summands().iter().map(|s| s.1.trailing_zeros()).fold(konst, u32::min)
}
