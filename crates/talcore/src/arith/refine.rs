//! What a condition teaches about the terms that the flags relate.
//!
//! Every rule here holds for all words: whenever the hardware's condition is true, each fact
//! is true of the integers behind the terms. What cannot be justified is left out.

use super::flags::Order;
use super::words::{Windows, low};
use super::{Flags, Num, floor2, mod2, pow2, shift_bound};
use crate::facts::{Interval, NEG_INF, POS_INF};
use crate::term::Term;
use crate::x86::insn::Cond;
use alloc::vec::Vec;

/// How bits are read as a number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Reading {
    Unsigned,
    Signed,
}

impl Reading {
    /// The smallest number of `bits` bits.
    fn lowest(self, bits: u32) -> i128 {
        match self {
            Reading::Unsigned => 0,
            Reading::Signed => -pow2(bits - 1),
        }
    }
}

impl Num<'_> {
    /// The facts `e >= 0` that hold where `cond` is true of `flags`. May create variables.
    pub fn refine(&mut self, flags: &Flags, cond: Cond) -> Vec<Term> {
        let mut out = Vec::new();
        if flags.bits > 0 {
            self.learn(flags, cond, &mut out);
        }
        out
    }

    /// Assumes what [`Num::refine`] answers.
    pub fn assume(&mut self, flags: &Flags, cond: Cond) {
        let mut learnt = core::mem::take(&mut self.facts.learnt);
        if flags.bits > 0 {
            self.learn(flags, cond, &mut learnt);
        }
        for fact in learnt.drain(..) {
            self.facts.assume(&fact);
        }
        self.facts.learnt = learnt;
    }

    /// The facts that hold if the whole word `t` is 0, or is not (`jrcxz`).
    pub fn refine_zero(&mut self, t: &Term, is_zero: bool) -> Vec<Term> {
        let mut out = Vec::new();
        self.zero(self.word_bits, t, is_zero, &mut out);
        out
    }

    fn learn(&mut self, flags: &Flags, cond: Cond, out: &mut Vec<Term>) {
        use Cond::*;
        use Reading::*;
        let bits = flags.bits;
        // What ZF and SF say about the result.
        match (cond, &flags.zero) {
            (E, Some(t)) => self.zero(bits, t, true, out),
            (Ne, Some(t)) => self.zero(bits, t, false, out),
            // Where the order is known, it says more.
            (A | G, Some(t)) if !flags.compares() => self.zero(bits, t, false, out),
            (S, Some(t)) if flags.sign => self.sign(bits, t, true, out),
            (Ns, Some(t)) if flags.sign => self.sign(bits, t, false, out),
            _ => {}
        }
        match &flags.order {
            Order::Unknown | Order::Carry(_) => {}
            // CF and OF are 0: the conditions compare the result with 0.
            Order::Clear => {
                if let Some(t) = &flags.zero {
                    let zero = Term::zero();
                    match cond {
                        Be => self.zero(bits, t, true, out),
                        L if flags.sign => self.less(bits, Signed, t, &zero, true, out),
                        Ge if flags.sign => self.less(bits, Signed, &zero, t, false, out),
                        Le if flags.sign => self.less(bits, Signed, t, &zero, false, out),
                        G if flags.sign => self.less(bits, Signed, &zero, t, true, out),
                        _ => {}
                    }
                }
            }
            Order::Sub(a, b, carry) => match cond {
                E | Ne => self.unnamed_zero(flags, a.sub(b), cond == E, out),
                B if *carry => self.less(bits, Unsigned, a, b, true, out),
                Ae if *carry => self.less(bits, Unsigned, b, a, false, out),
                Be if *carry => self.less(bits, Unsigned, a, b, false, out),
                A if *carry => self.less(bits, Unsigned, b, a, true, out),
                L => self.less(bits, Signed, a, b, true, out),
                Ge => self.less(bits, Signed, b, a, false, out),
                Le => self.less(bits, Signed, a, b, false, out),
                G => self.less(bits, Signed, b, a, true, out),
                O | No => {
                    let exact = self.signed_pair(bits, a, b).and_then(|(a, b)| a.sub(&b));
                    self.fits(bits, Signed, exact, cond == No, out);
                }
                _ => {}
            },
            Order::Add(a, b, carry) => match cond {
                E | Ne => self.unnamed_zero(flags, a.add(b), cond == E, out),
                // A: no carry, and not zero (which was handled above).
                B | Ae | A if *carry => {
                    let exact = match (self.known(bits, a), self.known(bits, b)) {
                        (Some(a), Some(b)) => a.add(&b),
                        _ => None,
                    };
                    self.fits(bits, Unsigned, exact, cond != B, out);
                }
                L | Ge | Le | G | O | No => {
                    let exact = self.signed_pair(bits, a, b).and_then(|(a, b)| a.add(&b));
                    match (cond, exact) {
                        (O | No, exact) => self.fits(bits, Signed, exact, cond == No, out),
                        // SF != OF is the sign of the exact sum, which needs w + 1 bits.
                        (L, Some(s)) => out.extend(s.neg().and_then(|t| t.offset(-1))),
                        (Ge, Some(s)) => out.push(s),
                        (Le, Some(s)) => out.extend(s.neg()),
                        (_, Some(s)) => out.extend(s.offset(-1)),
                        (_, None) => {}
                    }
                }
                _ => {}
            },
            Order::Fits(t, signed) => {
                let reading = if *signed { Signed } else { Unsigned };
                match cond {
                    No | Ae | A => self.fits(bits, reading, Some(t.clone()), true, out),
                    O | B => self.fits(bits, reading, Some(t.clone()), false, out),
                    _ => {}
                }
            }
            Order::LowZero(a, k) => {
                if matches!(cond, E | Be) {
                    self.multiple(a, *k, out);
                }
            }
            Order::HighZero(a, k) => {
                let low = Term::from(pow2(*k) - 1);
                match cond {
                    E | Be => self.less(bits, Unsigned, a, &low, false, out),
                    Ne | A => self.less(bits, Unsigned, &low, a, true, out),
                    _ => {}
                }
            }
        }
    }

    /// What ZF says about the result itself, if the flags speak of the name that the result got.
    fn unnamed_zero(&mut self, flags: &Flags, t: Option<Term>, is_zero: bool, out: &mut Vec<Term>) {
        if let Some(t) = t
            && flags.zero.as_ref().is_some_and(|name| *name != t)
        {
            self.zero(flags.bits, &t, is_zero, out);
        }
    }

    fn signed_pair(&mut self, bits: u32, a: &Term, b: &Term) -> Option<(Term, Term)> {
        Some((self.known_signed(bits, a)?, self.known_signed(bits, b)?))
    }

    /// `a <= b`, or `a < b` if `strict`, between `bits` bits read as numbers.
    ///
    /// If both terms are proved in the range of the reading they *are* the numbers and the
    /// comparison is a fact. Otherwise, when each term lies in at most two windows of size
    /// `2^bits`, each combination of windows says what the numbers are: `a - i*2^bits` and
    /// `b - j*2^bits`. If the intervals rule out all combinations but one, that one is true,
    /// and its comparison and the bounds of its windows are facts. (So `e <u c` with
    /// `-2^w + c <= e < 2^w` gives `0 <= e < c`, and `e >=u C` for a signed `e` and large `C` gives
    /// `C - 2^w <= e <= -1`.) If they rule out all, the condition is
    /// never true.
    fn less(&mut self, bits: u32, reading: Reading, a: &Term, b: &Term, strict: bool, out: &mut Vec<Term>) {
        let lo = reading.lowest(bits);
        let window = Interval::new(lo, lo + pow2(bits) - 1);
        if self.facts.evidently_in(a, window) && self.facts.evidently_in(b, window) {
            // The terms are the numbers.
            match b.sub(a).and_then(|d| if strict { d.offset(-1) } else { Some(d) }) {
                Some(order) if self.facts.range(&order).hi < 0 => out.push(never()),
                order => out.extend(order),
            }
            return;
        }
        let Some((a, wa)) = self.placed(a, lo, bits) else { return };
        let Some((b, wb)) = self.placed(b, lo, bits) else { return };
        let mut only = None;
        for i in wa.first..=wa.last {
            for j in wb.first..=wb.last {
                let Some(case) = Case::new(bits, (&a, i), (&b, j), strict) else { return };
                if self.possible(&case, window, strict) && only.replace(case).is_some() {
                    return;
                }
            }
        }
        let Some(case) = only else { return out.push(never()) };
        let top = Term::from(window.hi);
        for (t, w) in [(&case.a, wa), (&case.b, wb)] {
            if w.first != w.last {
                out.extend(t.offset(-lo));
                out.extend(top.sub(t));
            }
        }
        out.push(case.order);
    }

    /// Whether the intervals allow the case.
    fn possible(&self, case: &Case, window: Interval, strict: bool) -> bool {
        let a = meet(self.facts.range(&case.a), window);
        let b = meet(self.facts.range(&case.b), window);
        let ordered = if strict { a.lo < b.hi } else { a.lo <= b.hi };
        a.lo <= a.hi && b.lo <= b.hi && ordered && self.facts.range(&case.order).hi >= 0
    }

    /// A term congruent to `t` modulo `2^bits` of which the windows are known.
    fn placed(&mut self, t: &Term, lo: i128, bits: u32) -> Option<(Term, Windows)> {
        if let Some(w) = self.windows(t, lo, bits) {
            return Some((t.clone(), w));
        }
        let low = low(t, bits)?;
        self.windows(&low, lo, bits).map(|w| (low, w))
    }

    /// `t` is 0 modulo `2^bits`, or is not; so is, if `t` takes many values, what it is without multiples of `2^bits`.
    fn zero(&mut self, bits: u32, t: &Term, is_zero: bool, out: &mut Vec<Term>) {
        self.zero_of(bits, t, is_zero, out);
        let range = self.facts.range(t);
        if (range.lo == NEG_INF || range.hi == POS_INF || range.hi - range.lo >= pow2(bits))
            && let Some(low) = low(t, bits)
        {
            self.zero_of(bits, &low, is_zero, out);
        }
    }

    /// The same for this term as it is.
    ///
    /// - Is: if only one multiple of `2^bits` lies in the range of `t`, that is its value; if there
    ///   is none, this cannot be.
    /// - Is not: a bound of `t` that is a multiple of `2^bits` is not reached.
    fn zero_of(&mut self, bits: u32, t: &Term, is_zero: bool, out: &mut Vec<Term>) {
        let range = self.facts.range(t);
        if is_zero {
            if no_multiple(bits, range) {
                out.push(never());
            } else if let Some(value) = self.only_multiple(bits, t, range) {
                let d = t.offset(-value);
                out.extend(d.as_ref().and_then(|d| d.neg()));
                out.extend(d);
            }
            return;
        }
        let multiple = |b: i128| b != NEG_INF && b != POS_INF && mod2(b, bits) == 0;
        // The guide may know that 0 is a bound where the intervals do not say so.
        let minus = t.neg();
        if multiple(range.lo) {
            out.extend(range.lo.checked_neg().and_then(|c| t.offset(c)?.offset(-1)));
        } else if range.lo < 0 && range.hi > 0 && self.proves(t) {
            out.extend(t.offset(-1));
        }
        if multiple(range.hi) {
            out.extend(Term::from(range.hi).sub(t).and_then(|d| d.offset(-1)));
        } else if let Some(minus) = minus
            && range.lo < 0
            && range.hi > 0
            && self.proves(&minus)
        {
            out.extend(minus.offset(-1));
        }
    }

    /// The only multiple of `2^bits` that `t` can be equal to, by its interval or because
    /// `|t| < 2^bits` is proved.
    fn only_multiple(&mut self, bits: u32, t: &Term, range: Interval) -> Option<i128> {
        let size = pow2(bits);
        if range.lo != NEG_INF && range.hi != POS_INF {
            let first = -floor2(-range.lo, bits);
            let last = floor2(range.hi, bits);
            if first == last {
                return first.checked_mul(size);
            }
        }
        self.proves_in(t, Interval::new(1 - size, size - 1)).then_some(0)
    }

    /// The number that the bits of `t` are, read as signed, is negative, or is not.
    fn sign(&mut self, bits: u32, t: &Term, negative: bool, out: &mut Vec<Term>) {
        let zero = Term::zero();
        if negative {
            self.less(bits, Reading::Signed, t, &zero, true, out);
        } else {
            self.less(bits, Reading::Signed, &zero, t, false, out);
        }
    }

    /// An exact integer fits in `bits` bits, or does not: then it lies beyond the bound that its
    /// interval can exceed, if there is only one.
    fn fits(&mut self, bits: u32, reading: Reading, exact: Option<Term>, fits: bool, out: &mut Vec<Term>) {
        let Some(t) = exact else { return };
        let lo = reading.lowest(bits);
        let hi = lo + pow2(bits) - 1;
        if fits {
            out.extend(t.offset(-lo));
            out.extend(Term::from(hi).sub(&t));
            return;
        }
        let range = self.facts.range(&t);
        match (range.lo < lo, range.hi > hi) {
            (true, false) => out.extend(Term::from(lo - 1).sub(&t)),
            (false, true) => out.extend(t.offset(-hi - 1)),
            (false, false) => out.push(never()),
            (true, true) => {}
        }
    }

    /// `2^k` divides the bits of `a`, hence `a` itself, for any integer `a` congruent to them.
    fn multiple(&mut self, a: &Term, k: u32, out: &mut Vec<Term>) {
        let range = self.facts.range(a);
        let q = self.fresh(Interval::new(shift_bound(range.lo, k), shift_bound(range.hi, k)));
        let rest = a.add_scaled(&q, -pow2(k));
        out.extend(rest.as_ref().and_then(|r| r.neg()));
        out.extend(rest);
    }
}

/// One choice of windows: the numbers that the terms are, and the fact that orders them.
struct Case {
    a: Term,
    b: Term,
    order: Term,
}

impl Case {
    fn new(bits: u32, a: (&Term, i128), b: (&Term, i128), strict: bool) -> Option<Case> {
        let number = |(t, k): (&Term, i128)| t.offset(k.checked_mul(-pow2(bits))?);
        let (a, b) = (number(a)?, number(b)?);
        let order = b.sub(&a)?.offset(if strict { -1 } else { 0 })?;
        Some(Case { a, b, order })
    }
}

/// The fact `-1 >= 0`: where it is learnt no execution gets.
fn never() -> Term {
    Term::from(-1)
}

/// Whether no multiple of `2^bits` lies in the interval.
fn no_multiple(bits: u32, range: Interval) -> bool {
    let (lo, hi) = (range.lo, range.hi);
    lo != NEG_INF && hi != POS_INF && -floor2(-lo, bits) > floor2(hi, bits)
}

fn meet(a: Interval, b: Interval) -> Interval {
    Interval::new(a.lo.max(b.lo), a.hi.min(b.hi))
}
