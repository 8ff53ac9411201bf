//! What the integer instructions do to terms, facts and flags.
//!
//! Everything here is about pure integers; registers, memory and pointers belong to the engine.
//!
//! # The convention
//!
//! An **operand of width `w`** is given as a term that is *congruent modulo `2^w`* to the `w` bits
//! that the instruction looks at. A register of type `int(e)` is therefore an operand `e` at every
//! width, without proof and without side condition, and so is a constant however it was extended.
//! A **result of width `w`** is returned the same way. [`Num::write`] turns a result into the term
//! of the whole register. Where a rule depends on the *value* of bits it calls [`Num::read`] or
//! [`Num::read_signed`], which need a proof of the range or answer a fresh variable.
//!
//! Overflow of a term in a result gives a fresh variable; in a fact it drops the fact. Widths are
//! numbers of bits, `1..=64`; no rule knows the size of the machine word, it is
//! [`Num::word_bits`].

mod bitwise;
mod choose;
mod divide;
mod flags;
mod linear;
mod multiply;
mod refine;
mod shift;
mod words;

pub use divide::Quotient;
pub use flags::Flags;
pub use multiply::Product;
pub use shift::Shift;

use crate::facts::{Facts, Interval, NEG_INF, POS_INF};
use crate::limits;
use crate::term::Term;

/// The guide's part: proofs.
pub trait Prove {
    /// Whether `goal >= 0` was proved: `true` only after [`Facts::evident`] or
    /// [`Facts::certified`] said so for these facts. `false` says nothing.
    fn prove(&mut self, facts: &Facts, goal: &Term) -> bool;

    /// Pays for steps of work.
    fn pay(&mut self, _steps: u64) {}
}

/// The rules, over some facts and with a guide.
pub struct Num<'a> {
    /// What is known, and what the rules add to it.
    pub facts: &'a mut Facts,
    /// Who finds proofs.
    pub prover: &'a mut dyn Prove,
    /// The size of the machine word in bits, at most 64.
    pub word_bits: u32,
}

/// A result and the flags that the instruction leaves.
#[derive(Clone, Debug)]
pub struct Out {
    /// The result: congruent to the result's bits modulo `2^bits`.
    pub value: Term,
    /// The flags afterwards.
    pub flags: Flags,
}

/// Facts about the results of single instructions are kept only while fewer than this many are
/// known, so that there is always room for what branches teach.
const DERIVED_FACTS: usize = limits::FACTS / 4 * 3;

/// `2^bits`.
const fn pow2(bits: u32) -> i128 {
    1i128 << if bits < 126 { bits } else { 126 }
}

/// `floor(n / 2^bits)`.
const fn floor2(n: i128, bits: u32) -> i128 {
    n >> if bits < 126 { bits } else { 126 }
}

/// `n mod 2^bits`, in `[0, 2^bits)`.
const fn mod2(n: i128, bits: u32) -> i128 {
    n & (pow2(bits) - 1)
}

impl Num<'_> {
    /// Whether `goal >= 0` holds, by intervals or by the guide's proof.
    ///
    /// The guide is not asked where no proof can exist: a combination of facts raises the lower
    /// bound of a goal only if one of the facts has a variable of the goal with the same sign.
    pub fn proves(&mut self, goal: &Term) -> bool {
        if self.facts.evident(goal) {
            return true;
        }
        self.prover.pay(self.facts.list().len() as u64);
        promising(self.facts, goal) && self.prover.prove(self.facts, goal)
    }

    /// Whether `lo <= t <= hi` holds for finite bounds.
    pub fn proves_in(&mut self, t: &Term, range: Interval) -> bool {
        if self.facts.evidently_in(t, range) {
            return true;
        }
        // Ask for neither bound if the other one is hopeless.
        let below = range.lo.checked_neg().and_then(|c| t.offset(c));
        let above = Term::from(range.hi).sub(t);
        let (Some(below), Some(above)) = (below, above) else { return false };
        self.prover.pay(self.facts.list().len() as u64);
        let hope = |f: &Facts, g: &Term| f.evident(g) || promising(f, g);
        hope(self.facts, &below) && hope(self.facts, &above) && self.proves(&below) && self.proves(&above)
    }

    /// A fresh variable in `range`, or the constant if there is only one.
    pub fn fresh(&mut self, range: Interval) -> Term {
        if range.lo == range.hi && range.lo != NEG_INF && range.hi != POS_INF {
            Term::from(range.lo)
        } else {
            Term::var(self.facts.fresh(range))
        }
    }

    /// A word of `bits` bits about which nothing is known.
    pub fn unknown(&mut self, bits: u32) -> Term {
        self.fresh(Interval::new(0, pow2(bits) - 1))
    }

    /// The result `t`, or an unknown one if the term overflowed.
    fn or_unknown(&mut self, bits: u32, t: Option<Term>) -> Term {
        match t {
            Some(t) => t,
            None => self.unknown(bits),
        }
    }

    /// Assumes a true fact `e >= 0` about an instruction's result, unless it overflowed or there
    /// are many facts already.
    fn derive(&mut self, fact: Option<Term>) {
        if let Some(fact) = fact
            && self.facts.list().len() < DERIVED_FACTS
        {
            self.facts.assume(&fact);
        }
    }

    /// `x = floor(a / 2^k)` as a term, by the facts `2^k*x <= a <= 2^k*x + 2^k - 1`, which define
    /// it for every integer `a`.
    fn floor_shift(&mut self, a: &Term, k: u32) -> Term {
        if let Some(exact) = divide_exactly(a, k) {
            return exact;
        }
        let range = self.facts.range(a);
        let x = self.fresh(Interval::new(shift_bound(range.lo, k), shift_bound(range.hi, k)));
        let rest = x.scale(pow2(k)).and_then(|m| a.sub(&m));
        self.derive(rest.clone());
        self.derive(rest.and_then(|r| Term::from(pow2(k) - 1).sub(&r)));
        x
    }
}

/// Whether a fact has a variable of the goal with the same sign: without one no certificate
/// proves more than the intervals do (unless the facts contradict each other).
fn promising(facts: &Facts, goal: &Term) -> bool {
    facts.list().iter().any(|fact| {
        // Both are sorted by variable.
        let goal = goal.summands();
        let mut goal = goal.iter().peekable();
        fact.summands().iter().any(|&(v, c)| {
            while goal.next_if(|g| g.0 < v).is_some() {}
            goal.peek().is_some_and(|g| g.0 == v && (g.1 > 0) == (c > 0))
        })
    })
}

/// `floor(a / 2^k)` if `2^k` divides every coefficient: `floor((2^k*e + c) / 2^k)` is
/// `e + floor(c / 2^k)`.
fn divide_exactly(a: &Term, k: u32) -> Option<Term> {
    let mut quotient = Term::from(floor2(a.konst(), k));
    for &(v, c) in a.summands().iter() {
        if c.trailing_zeros() < k {
            return None;
        }
        quotient.append(v, c >> k)?;
    }
    Some(quotient)
}

/// `floor(bound / 2^k)` of an interval's bound, which may be missing.
fn shift_bound(bound: i128, k: u32) -> i128 {
    if bound == NEG_INF || bound == POS_INF { bound } else { floor2(bound, k) }
}
