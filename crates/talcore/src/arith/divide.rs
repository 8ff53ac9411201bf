//! Division. A quotient that does not fit and a divisor of 0 trap; the rules say what holds
//! after the instruction, so only for divisions that do not trap.

use super::{Num, pow2};
use crate::facts::Interval;
use crate::term::Term;

/// The results of a division. The flags are unknown afterwards.
#[derive(Clone, Debug)]
pub struct Quotient {
    /// The quotient: congruent to it modulo `2^bits`.
    pub quotient: Term,
    /// The remainder: congruent to it modulo `2^bits`.
    pub remainder: Term,
}

impl Num<'_> {
    /// `div`: `high:low` by `d`, unsigned.
    ///
    /// - `0 <= r < d` and `1 <= d` if the value of `d` is known.
    /// - If `high` is 0 and the value `n` of `low` is known, then `q <= n` and `r <= n`; for a constant `d`
    ///   moreover `q*d + r = n`.
    pub fn div(&mut self, bits: u32, high: &Term, low: &Term, d: &Term) -> Quotient {
        let all = pow2(bits) - 1;
        let d = self.known(bits, d);
        let n = if self.known(bits, high).is_some_and(|h| h == Term::zero()) {
            self.known(bits, low)
        } else {
            None
        };
        self.divide(bits, n, d, all)
    }

    /// `idiv`: `high:low` by `d`, signed and rounding towards 0.
    ///
    /// If `high` is 0 and the value of `low` is known the dividend is not negative; if also `d` is a
    /// positive constant, this is [`Num::div`]. Else only bounds: for a constant `d` other than 0 the
    /// remainder lies strictly between `-|d|` and `|d|`.
    pub fn idiv(&mut self, bits: u32, high: &Term, low: &Term, d: &Term) -> Quotient {
        let half = pow2(bits - 1);
        let d = self.known_signed(bits, d).and_then(|d| d.as_const());
        let n = if self.known(bits, high).is_some_and(|h| h == Term::zero()) {
            self.known(bits, low)
        } else {
            None
        };
        match d {
            Some(d) if d > 0 && n.is_some() => self.divide(bits, n, Some(Term::from(d)), half - 1),
            Some(d) if d != 0 => {
                let most = d.abs() - 1;
                let quotient = self.fresh(Interval::new(-half, half - 1));
                let remainder = self.fresh(Interval::new(-most, most));
                Quotient { quotient, remainder }
            }
            _ => {
                let signed = Interval::new(-half, half - 1);
                Quotient { quotient: self.fresh(signed), remainder: self.fresh(signed) }
            }
        }
    }

    /// Whether the division of `high:low` by `d` is known not to trap: the dividend is its lower half, and the divisor
    /// is positive.
    pub fn divides(&mut self, signed: bool, bits: u32, (high, low): (&Term, &Term), d: &Term) -> bool {
        let value = |this: &mut Self, t: &Term| {
            if signed { this.known_signed(bits, t) } else { this.known(bits, t) }
        };
        let positive = value(self, d).is_some_and(|d| self.facts.range(&d).lo >= 1);
        let dividend = value(self, low).is_some_and(|low| self.facts.range(&low).lo >= 0);
        positive && dividend && self.known(bits, high).is_some_and(|h| h == Term::zero())
    }

    /// Quotient and remainder of `n >= 0` by `d >= 1`, where known; a quotient above `most` traps.
    fn divide(&mut self, bits: u32, n: Option<Term>, d: Option<Term>, most: i128) -> Quotient {
        let numbers = |this: &Self, t: &Option<Term>, lo: i128, hi: i128| match t {
            Some(t) => {
                let r = this.facts.range(t);
                Interval::new(r.lo.max(lo), r.hi.min(hi))
            }
            None => Interval::new(lo, hi),
        };
        let top = pow2(bits) - 1;
        let nr = numbers(self, &n, 0, top);
        let dr = numbers(self, &d, 1, top);
        let quotient = if n.is_some() {
            let lo = nr.lo / dr.hi.max(1);
            self.fresh(Interval::new(lo, (nr.hi / dr.lo.max(1)).min(most)))
        } else {
            self.fresh(Interval::new(0, most))
        };
        let r_most = (dr.hi - 1).min(if n.is_some() { nr.hi } else { top });
        let remainder = self.fresh(Interval::new(0, r_most));
        if let Some(d) = &d {
            // r <= d - 1; d >= 1 follows.
            self.derive(d.sub(&remainder).and_then(|t| t.offset(-1)));
            self.derive(d.offset(-1));
        }
        if let Some(n) = &n {
            match d.and_then(|d| d.as_const()) {
                Some(d) => {
                    let rest = n.sub(&remainder).and_then(|t| t.add_scaled(&quotient, -d));
                    self.derive(rest.clone());
                    self.derive(rest.and_then(|t| t.neg()));
                }
                None => {
                    self.derive(n.sub(&quotient));
                    self.derive(n.sub(&remainder));
                }
            }
        }
        Quotient { quotient, remainder }
    }
}
