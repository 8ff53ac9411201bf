//! Reading the bits of a word as a number, and writing a result into a register.

use super::{Num, floor2, mod2, pow2};
use crate::facts::{Interval, NEG_INF, POS_INF};
use crate::term::Term;

/// The windows `[lo + k*2^w, lo + (k+1)*2^w)` that a term may lie in: `first..=last`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Windows {
    pub(super) first: i128,
    pub(super) last: i128,
}

/// The term without its multiples of `2^bits`, to which it is congruent modulo `2^bits`; `None` if it has none.
pub(super) fn low(t: &Term, bits: u32) -> Option<Term> {
    let multiple = |c: i64| mod2(c.into(), bits) == 0;
    let parts = t.summands();
    if !parts.iter().any(|&(_, c)| multiple(c)) {
        return None;
    }
    let mut out = Term::from(t.konst());
    for &(v, c) in parts.iter().filter(|&&(_, c)| !multiple(c)) {
        out = out.add_scaled(&Term::var(v), c.into())?;
    }
    Some(out)
}

impl Num<'_> {
    /// The windows of width `2^bits`, counted from `lo`, in which `t` may lie; at most two, else
    /// `None`. Intervals decide; where they leave a choice the guide may prove window 0.
    pub(super) fn windows(&mut self, t: &Term, lo: i128, bits: u32) -> Option<Windows> {
        let range = self.facts.range(t);
        let index = |bound: i128| match bound {
            NEG_INF | POS_INF => None,
            b => Some(floor2(b.checked_sub(lo)?, bits)),
        };
        let (first, last) = (index(range.lo), index(range.hi));
        if let (Some(first), Some(last)) = (first, last)
            && first == last
        {
            return Some(Windows { first, last });
        }
        let possible = first.is_none_or(|f| f <= 0) && last.is_none_or(|l| l >= 0);
        if possible && self.proves_in(t, Interval::new(lo, lo + pow2(bits) - 1)) {
            return Some(Windows { first: 0, last: 0 });
        }
        match (first, last) {
            (Some(first), Some(last)) if last.checked_sub(first) == Some(1) => Some(Windows { first, last }),
            _ => None,
        }
    }

    /// The number in `[lo, lo + 2^bits)` that is congruent to `t`, if the window of `t` is known, or of `t` without
    /// multiples of `2^bits`.
    fn normal(&mut self, t: &Term, lo: i128, bits: u32) -> Option<Term> {
        self.in_window(t, lo, bits).or_else(|| self.in_window(&low(t, bits)?, lo, bits))
    }

    /// The same for this term as it is.
    fn in_window(&mut self, t: &Term, lo: i128, bits: u32) -> Option<Term> {
        let w = self.windows(t, lo, bits)?;
        if w.first != w.last {
            return None;
        }
        if w.first == 0 {
            return Some(t.clone());
        }
        t.offset(w.first.checked_neg()?.checked_mul(pow2(bits))?)
    }

    /// The term of the low `bits` bits as an unsigned number, if it is known.
    ///
    /// The word is congruent to `t` modulo `2^bits`, and so is `t - k*2^bits`; a number in
    /// `[0, 2^bits)` congruent to the bits is their value.
    pub fn known(&mut self, bits: u32, t: &Term) -> Option<Term> {
        self.normal(t, 0, bits)
    }

    /// The term of the low `bits` bits as a signed number, if it is known.
    pub fn known_signed(&mut self, bits: u32, t: &Term) -> Option<Term> {
        self.normal(t, -pow2(bits - 1), bits)
    }

    /// The low `bits` bits as an unsigned number: the term itself if it is proved in `[0, 2^bits)`
    /// (or lies a known multiple of `2^bits` away from there), else a fresh variable in that range.
    pub fn read(&mut self, bits: u32, t: &Term) -> Term {
        match self.known(bits, t) {
            Some(t) => t,
            None => self.unknown(bits),
        }
    }

    /// The low `bits` bits as a two's complement number, like [`Num::read`].
    pub fn read_signed(&mut self, bits: u32, t: &Term) -> Term {
        match self.known_signed(bits, t) {
            Some(t) => t,
            None => self.fresh(Interval::new(-pow2(bits - 1), pow2(bits - 1) - 1)),
        }
    }

    /// Bits 8 to 15 of a word (`ah`, `ch`, `dh`, `bh`).
    pub fn read_high(&mut self, t: &Term) -> Term {
        self.read_field(8, 8, t)
    }

    /// Bits `at..at + bits` of a word of type `int(t)`: exact if `t` is known below `2^at` or constant.
    pub fn read_field(&mut self, at: u32, bits: u32, t: &Term) -> Term {
        match self.known(self.word_bits, t) {
            Some(word) => {
                let range = self.facts.range(&word);
                let (lo, hi) = (range.lo >> at, range.hi >> at);
                // The field is the shifted word modulo 2^bits; if nothing lies above it,
                // its interval is the shifted one.
                if lo >= 0 && hi < pow2(bits) {
                    self.fresh(Interval::new(lo, hi))
                } else if lo == hi {
                    Term::from(mod2(lo, bits))
                } else {
                    self.unknown(bits)
                }
            }
            None => self.unknown(bits),
        }
    }

    /// The term of a register of type `int(old)` after a result `value` of width `bits` was
    /// written to it.
    ///
    /// - Full width: the word is congruent to `value`; no side condition.
    /// - 32 bits in a larger word: the rest becomes 0, so the word is [`Num::read`] of the result; a
    ///   result that can wrap once at most, such as `b - '0'` of a byte, keeps its relation to the operands
    ///   ([`Num::write_wrapped`]).
    /// - Less: the rest stays; see [`Num::merge`].
    pub fn write(&mut self, bits: u32, old: &Term, value: &Term) -> Term {
        if bits >= self.word_bits {
            self.whole(value)
        } else if bits >= 32 {
            let range = self.facts.range(value);
            let small = range.lo > -pow2(bits - 1) && range.hi < pow2(bits - 1);
            if small { self.write_wrapped(bits, value) } else { self.read(bits, value) }
        } else {
            self.merge(bits, old, value)
        }
    }

    /// A full word: constants are brought into range, anything else stays.
    fn whole(&self, value: &Term) -> Term {
        match value.as_const() {
            Some(c) if c < -pow2(self.word_bits - 1) || c >= pow2(self.word_bits) => {
                Term::from(mod2(c, self.word_bits))
            }
            _ => value.clone(),
        }
    }

    /// A write of `bits` bits that leaves the rest of the word as it was.
    ///
    /// If the whole old word is known below `2^bits`, nothing is there to be left: the word is
    /// the result's value. Else it is `2^bits*q` and the result's value, where `q` is the old word without its low bits.
    pub fn merge(&mut self, bits: u32, old: &Term, value: &Term) -> Term {
        let Some(old) = self.known(self.word_bits, old) else {
            return self.above(bits, Interval::unsigned(self.word_bits), value);
        };
        let fits = Term::from(pow2(bits) - 1).sub(&old);
        if fits.is_some_and(|g| self.proves(&g)) {
            return self.read(bits, value);
        }
        let range = self.facts.range(&old);
        self.above(bits, range, value)
    }

    /// A word with the low bits of `value`, above which lies what lay there in a word of this range.
    fn above(&mut self, bits: u32, old: Interval, value: &Term) -> Term {
        let full = Interval::unsigned(self.word_bits);
        let rest = |b: i128| floor2(b.clamp(full.lo, full.hi), bits);
        let q = self.fresh(Interval::new(rest(old.lo), rest(old.hi)));
        let low = self.read(bits, value);
        low.add_scaled(&q, pow2(bits)).unwrap_or_else(|| self.unknown(self.word_bits))
    }

    /// The word `old` (known in range) after its low `bits` bits became anything.
    fn disturbed(&mut self, bits: u32, old: &Term) -> Term {
        let range = self.facts.range(old);
        let full = Interval::new(0, pow2(self.word_bits) - 1);
        let low = pow2(bits) - 1;
        self.fresh(Interval::new(range.lo.max(full.lo) & !low, range.hi.min(full.hi) | low))
    }

    /// The term of a register of type `int(old)` after a write to bits 8 to 15.
    pub fn write_high(&mut self, old: &Term) -> Term {
        self.write_field(8, 8, old)
    }

    /// The term of a register of type `int(old)` after bits `at..at + bits` became anything.
    pub fn write_field(&mut self, at: u32, bits: u32, old: &Term) -> Term {
        match self.known(self.word_bits, old) {
            Some(old) => self.disturbed(at + bits, &old),
            None => self.unknown(self.word_bits),
        }
    }

    /// Like a zero-extending [`Num::write`], but where the result is not known in range it keeps the
    /// relation: the word is `value + 2^bits*q`, `q` fresh, the whole in `[0, 2^bits)`.
    pub fn write_wrapped(&mut self, bits: u32, value: &Term) -> Term {
        if let Some(known) = self.known(bits, value) {
            return known;
        }
        let range = self.facts.range(value);
        let wraps = |b: i128| match b {
            NEG_INF => POS_INF,
            POS_INF => NEG_INF,
            b => -floor2(b, bits),
        };
        let q = self.fresh(Interval::new(wraps(range.hi), wraps(range.lo)));
        let word = value.add_scaled(&q, pow2(bits));
        let below = word.as_ref().and_then(|w| Term::from(pow2(bits) - 1).sub(w));
        match (word, below) {
            (Some(word), Some(below)) => {
                self.facts.assume(&word);
                self.facts.assume(&below);
                word
            }
            _ => self.unknown(bits),
        }
    }
}
