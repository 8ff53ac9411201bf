//! Multiplication.

use super::flags::Order;
use super::{Flags, Num, Out, mod2, pow2};
use crate::facts::{Interval, NEG_INF, POS_INF};
use crate::term::Term;

/// Both halves of a product and the flags.
#[derive(Clone, Debug)]
pub struct Product {
    /// The low half: congruent to it modulo `2^bits`.
    pub low: Term,
    /// The high half: congruent to it modulo `2^bits`.
    pub high: Term,
    /// The whole product of the operands as numbers: an exact integer, congruent to the double
    /// width result (8-bit multiplications write it to `ax`).
    pub whole: Term,
    /// The flags.
    pub flags: Flags,
}

impl Num<'_> {
    /// `imul` with two or three operands: `a * b`.
    ///
    /// If one side is constant the product is a term, congruent without a side condition. Else a
    /// fresh variable: in the product of the operands' intervals if that is narrower than a word.
    /// CF and OF are clear iff the signed product fits.
    pub fn imul(&mut self, bits: u32, a: &Term, b: &Term) -> Out {
        if let Some(value) = constant_product(bits, a, b) {
            let flags = match (self.known_signed(bits, a), self.known_signed(bits, b)) {
                (Some(a), Some(b)) => fits(bits, exact_product(&a, &b), true),
                _ => Flags::unknown(),
            };
            return Out { value, flags };
        }
        let signed = self.product_range(bits, a, b, true);
        let unsigned = self.product_range(bits, a, b, false);
        let half = pow2(bits - 1);
        // Either reading of the operands gives the same low half, so either interval holds for a number
        // congruent to it.
        for range in [unsigned, signed] {
            if range.within(&Interval::new(-half, 2 * half - 1)) {
                let value = self.fresh(range);
                if range == unsigned {
                    self.product_facts(bits, a, b, &value);
                }
                // The signed product is this number if the operands were read as signed ones.
                let exact = (range == signed).then(|| value.clone());
                return Out { value, flags: fits(bits, exact, true) };
            }
        }
        Out { value: self.unknown(bits), flags: Flags::unknown() }
    }

    /// What follows for the exact product `x = a*b` of numbers `a, b >= 0` from the bounds of each:
    /// `lo(b)*a <= x <= hi(b)*a`, and the same with `a` and `b` exchanged.
    fn product_facts(&mut self, bits: u32, a: &Term, b: &Term, x: &Term) {
        let (Some(a), Some(b)) = (self.known(bits, a), self.known(bits, b)) else { return };
        for (one, other) in [(&a, &b), (&b, &a)] {
            let Interval { lo, hi } = self.facts.range(other);
            if lo >= 1 {
                self.derive(one.scale(lo).and_then(|t| x.sub(&t)));
            }
            // A loose bound is not worth a fact.
            if hi < pow2(bits / 4) {
                self.derive(one.scale(hi).and_then(|t| t.sub(x)));
            }
            if a == b {
                break;
            }
        }
    }

    /// One-operand `mul`: the product of unsigned numbers. CF and OF are clear iff the high half is 0.
    pub fn mul(&mut self, bits: u32, a: &Term, b: &Term) -> Product {
        let (x, y) = (self.known(bits, a), self.known(bits, b));
        let range = self.product_range(bits, a, b, false);
        self.product(bits, (a, b), (x, y), range, false)
    }

    /// One-operand `imul`: the product of signed numbers. CF and OF are clear iff it fits in the
    /// low half.
    pub fn imul_wide(&mut self, bits: u32, a: &Term, b: &Term) -> Product {
        let (x, y) = (self.known_signed(bits, a), self.known_signed(bits, b));
        let range = self.product_range(bits, a, b, true);
        self.product(bits, (a, b), (x, y), range, true)
    }

    /// The halves of a product whose value lies in `range`; `known` are the operands' values.
    ///
    /// `whole = low + 2^w * high`, so the high half is `floor(whole / 2^w)` and the low half
    /// is congruent to `whole`.
    fn product(
        &mut self,
        bits: u32,
        (a, b): (&Term, &Term),
        known: (Option<Term>, Option<Term>),
        range: Interval,
        signed: bool,
    ) -> Product {
        let exact = match &known {
            (Some(x), Some(y)) => exact_product(x, y),
            _ => None,
        };
        let whole = match exact {
            Some(t) => t,
            None => self.fresh(range),
        };
        // Without known values the low half may still be a multiple of the operand.
        let low = constant_product(bits, a, b).unwrap_or_else(|| whole.clone());
        let high = if self.known(bits, &whole).is_some_and(|low| low == whole) {
            Term::zero()
        } else {
            let r = self.facts.range(&whole);
            let (lo, hi) = (r.lo.max(range.lo), r.hi.min(range.hi));
            let hi = if hi == POS_INF { pow2(bits) - 1 } else { hi >> bits };
            self.fresh(Interval::new(lo >> bits, hi))
        };
        let flags = fits(bits, Some(whole.clone()), signed);
        Product { low, high, whole, flags }
    }

    /// The interval of the product of two operands, read as unsigned or signed numbers.
    fn product_range(&mut self, bits: u32, a: &Term, b: &Term, signed: bool) -> Interval {
        let all = if signed {
            Interval::new(-pow2(bits - 1), pow2(bits - 1) - 1)
        } else {
            Interval::new(0, pow2(bits) - 1)
        };
        let mut bound = |t: &Term| {
            let known = if signed { self.known_signed(bits, t) } else { self.known(bits, t) };
            match known {
                Some(t) => {
                    let r = self.facts.range(&t);
                    Interval::new(r.lo.max(all.lo).min(all.hi), r.hi.min(all.hi).max(all.lo))
                }
                None => all,
            }
        };
        let (a, b) = (bound(a), bound(b));
        // Only the product of two large unsigned numbers overflows: no upper bound. The lower one is
        // then any smaller number, but never "no upper bound" too, which would be a constant.
        let corners = [(a.lo, b.lo), (a.lo, b.hi), (a.hi, b.lo), (a.hi, b.hi)].map(|(x, y)| x.checked_mul(y));
        let lo = corners.iter().map(|c| c.unwrap_or(pow2(126))).fold(pow2(126), i128::min);
        let hi = corners.iter().map(|c| c.unwrap_or(POS_INF)).fold(NEG_INF, i128::max);
        Interval::new(lo, hi)
    }
}

/// `c * a` for a constant `c` (the representative nearest to 0) and any `a`: congruent modulo `2^bits`
/// to the product of the words.
fn constant_product(bits: u32, a: &Term, b: &Term) -> Option<Term> {
    let (c, t) = match (a.as_const(), b.as_const()) {
        (_, Some(c)) => (c, a),
        (Some(c), _) => (c, b),
        _ => return None,
    };
    let c = mod2(c, bits);
    t.scale(if c >= pow2(bits - 1) { c - pow2(bits) } else { c })
}

/// The product of two values, if one is constant.
fn exact_product(a: &Term, b: &Term) -> Option<Term> {
    match (a.as_const(), b.as_const()) {
        (_, Some(c)) => a.scale(c),
        (Some(c), _) => b.scale(c),
        _ => None,
    }
}

/// CF and OF are clear iff the exact product fits.
fn fits(bits: u32, exact: Option<Term>, signed: bool) -> Flags {
    match exact {
        Some(t) => Flags::ordered(bits, Order::Fits(t, signed)),
        None => Flags::unknown(),
    }
}
