//! Shifts and rotates. The hardware masks the count to 6 bits at 64-bit width and to 5 below it.

use super::{Flags, Num, Out, pow2};
use crate::facts::Interval;
use crate::term::Term;

/// The largest shift count at this width.
fn count_mask(bits: u32) -> i128 {
    if bits == 64 { 63 } else { 31 }
}

/// The three shifts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shift {
    /// `shl`.
    Left,
    /// `shr`.
    Right,
    /// `sar`.
    Arithmetic,
}

impl Num<'_> {
    /// `shl`, `shr`, `sar` by `count`, an operand of 8 bits. `before` are the flags
    /// before the instruction, which a count of 0 leaves.
    ///
    /// A constant count `k` (after masking):
    /// - 0: nothing happens;
    /// - left: `2^k * a`, exact; counts past the width give 0 modulo `2^w`;
    /// - right: `floor(u / 2^k)` of the unsigned value `u`;
    /// - arithmetic: `floor(s / 2^k)` of the signed value `s`.
    pub fn shift(&mut self, how: Shift, bits: u32, a: &Term, count: &Term, before: &Flags) -> Out {
        let mask = count_mask(bits);
        let Some(k) = count.as_const().and_then(|c| u32::try_from(c & mask).ok()) else {
            let value = self.variable_shift(how, bits, a, count);
            // With count 0 the flags stay, else they are new: either way they are not known.
            return Out { value, flags: Flags::unknown() };
        };
        if k == 0 {
            return Out { value: a.clone(), flags: before.clone().kept() };
        }
        let value = match how {
            Shift::Left => self.or_unknown(bits, a.scale(pow2(k))),
            Shift::Right => match self.known(bits, a) {
                Some(u) => self.floor_shift(&u, k),
                None => self.fresh(Interval::new(0, (pow2(bits) - 1) >> k)),
            },
            Shift::Arithmetic => match self.known_signed(bits, a) {
                Some(s) => self.floor_shift(&s, k),
                None => self.fresh(Interval::new(-pow2(bits - 1) >> k, (pow2(bits - 1) - 1) >> k)),
            },
        };
        let flags = Flags::result(bits, &value);
        Out { value, flags }
    }

    /// A shift by a count that is not constant: bounds of the result.
    fn variable_shift(&mut self, how: Shift, bits: u32, a: &Term, count: &Term) -> Term {
        let (least, most) = self.count_range(bits, count);
        match how {
            Shift::Left => {
                // Nothing is shifted out if the largest value fits at the largest count.
                let Some(u) = self.known(bits, a) else { return self.unknown(bits) };
                let u = self.facts.range(&u);
                if most >= bits || u.hi > (pow2(bits) - 1) >> most {
                    return self.unknown(bits);
                }
                self.fresh(Interval::new(u.lo.max(0) << least, u.hi << most))
            }
            Shift::Right => {
                let known = self.known(bits, a);
                let hi = known.as_ref().map_or(i128::MAX, |u| self.facts.range(u).hi);
                let lo = known.as_ref().map_or(0, |u| self.facts.range(u).lo.max(0));
                let hi = hi.min(pow2(bits) - 1);
                let x = self.fresh(Interval::new(lo >> most, hi >> least));
                if let Some(u) = known {
                    self.derive(u.sub(&x));
                }
                x
            }
            Shift::Arithmetic => {
                let half = pow2(bits - 1);
                let range = match self.known_signed(bits, a) {
                    Some(s) => self.facts.range(&s),
                    None => Interval::new(-half, half - 1),
                };
                let (lo, hi) = (range.lo.max(-half), range.hi.min(half - 1));
                // Towards 0, or -1 for negative numbers.
                let lo = if lo < 0 { lo >> least } else { lo >> most };
                let hi = if hi < 0 { hi >> most } else { hi >> least };
                self.fresh(Interval::new(lo, hi))
            }
        }
    }

    /// Bounds of a shift count: the low 5 or 6 bits of an operand.
    fn count_range(&mut self, bits: u32, count: &Term) -> (u32, u32) {
        let mask = count_mask(bits);
        let range = match self.known(8, count) {
            Some(c) => self.facts.range(&c),
            None => Interval::new(0, mask),
        };
        let narrow = |b: i128| u32::try_from(b).unwrap_or(63);
        if range.lo >= 0 && range.hi <= mask {
            (narrow(range.lo), narrow(range.hi))
        } else {
            (0, narrow(mask))
        }
    }

    /// `rol`, `ror`, `rcl`, `rcr`: any word. CF and OF change, the others stay: all are forgotten.
    pub fn rotate(&mut self, bits: u32, a: &Term, count: &Term, before: &Flags) -> Out {
        self.scramble(bits, a, count, before)
    }

    /// `shld`, `shrd`: any word, and any flags.
    pub fn double_shift(&mut self, bits: u32, a: &Term, count: &Term, before: &Flags) -> Out {
        self.scramble(bits, a, count, before)
    }

    fn scramble(&mut self, bits: u32, a: &Term, count: &Term, before: &Flags) -> Out {
        if count.as_const().is_some_and(|c| c & count_mask(bits) == 0) {
            return Out { value: a.clone(), flags: before.clone().kept() };
        }
        Out { value: self.unknown(bits), flags: Flags::unknown() }
    }
}
