//! What is known about the index variables at a program point, and how goals follow from it.
//!
//! A goal `g >= 0` is discharged by interval evaluation or by a [`Cert`]ificate from the guide.
//! The checker never searches: it multiplies, adds and compares.

use crate::limits;
use crate::term::{Term, Var};
use alloc::vec::Vec;

/// "No lower bound."
pub const NEG_INF: i128 = i128::MIN;
/// "No upper bound."
pub const POS_INF: i128 = i128::MAX;

/// A closed interval of ℤ; [`NEG_INF`] and [`POS_INF`] stand for a missing bound.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Interval {
    /// The lower bound.
    pub lo: i128,
    /// The upper bound.
    pub hi: i128,
}

impl Interval {
    /// All of ℤ.
    pub const ALL: Interval = Interval { lo: NEG_INF, hi: POS_INF };

    /// `lo..=hi`.
    pub const fn new(lo: i128, hi: i128) -> Interval {
        Interval { lo, hi }
    }

    /// The unsigned words of `bits` bits.
    pub const fn unsigned(bits: u32) -> Interval {
        Interval { lo: 0, hi: (1i128 << bits) - 1 }
    }

    /// The signed words of `bits` bits.
    pub const fn signed(bits: u32) -> Interval {
        Interval { lo: -(1i128 << (bits - 1)), hi: (1i128 << (bits - 1)) - 1 }
    }

    /// The numbers of so many bits, with a sign or without.
    pub const fn number(bits: u32, signed: bool) -> Interval {
        if signed { Interval::signed(bits) } else { Interval::unsigned(bits) }
    }

    /// Whether all of `self` lies in `other`.
    pub fn within(&self, other: &Interval) -> bool {
        self.lo >= other.lo && self.hi <= other.hi
    }
}

/// A proof that `goal >= 0` follows from facts: non-negative multipliers of facts and a positive
/// multiplier of the goal, such that `goal_factor * goal - Σ multiplier * fact` has an interval
/// lower bound above `-goal_factor`. Then `goal > -1`, and `goal` is an integer.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Cert {
    /// The positive multiplier of the goal.
    pub goal_factor: u64,
    /// `(index into the facts, multiplier)`.
    pub uses: Uses,
}

/// The facts that a proof uses with their multipliers: nearly always two at most, which are kept without
/// allocating.
#[derive(Clone, Debug, Default)]
pub struct Uses {
    few: [(u32, u64); 2],
    /// All, if there are more than two.
    many: Vec<(u32, u64)>,
    len: usize,
}

impl Uses {
    /// Appends a fact and its multiplier.
    pub fn push(&mut self, fact: u32, multiplier: u64) {
        if let Some(slot) = self.few.get_mut(self.len) {
            *slot = (fact, multiplier);
        } else {
            if self.many.is_empty() {
                self.many.extend(self.few);
            }
            self.many.push((fact, multiplier));
        }
        self.len += 1;
    }
}

impl core::ops::Deref for Uses {
    type Target = [(u32, u64)];
    fn deref(&self) -> &[(u32, u64)] {
        self.few.get(..self.len).unwrap_or(&self.many)
    }
}

impl PartialEq for Uses {
    fn eq(&self, other: &Uses) -> bool {
        **self == **other
    }
}
impl Eq for Uses {}

impl FromIterator<(u32, u64)> for Uses {
    fn from_iter<I: IntoIterator<Item = (u32, u64)>>(all: I) -> Uses {
        let mut uses = Uses::default();
        for (fact, multiplier) in all {
            uses.push(fact, multiplier);
        }
        uses
    }
}

impl From<Vec<(u32, u64)>> for Uses {
    fn from(all: Vec<(u32, u64)>) -> Uses {
        all.into_iter().collect()
    }
}

/// Variables with their intervals, and linear facts `e >= 0`.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    intervals: Vec<Interval>,
    list: Vec<Term>,
    /// Intervals as they were before they were narrowed, since the oldest open mark.
    trail: Vec<(Var, Interval)>,
    marks: u32,
    /// An interval is empty, or a constant fact is false.
    absurd: bool,
    /// Memory for what a condition teaches; empty.
    pub(crate) learnt: Vec<Term>,
}

/// A point to return to; see [`Facts::mark`].
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    list: usize,
    trail: usize,
    intervals: usize,
    absurd: bool,
}

impl Facts {
    /// The number of variables.
    pub fn var_count(&self) -> usize {
        self.intervals.len()
    }

    /// The interval of a variable ([`Interval::ALL`] if it does not exist).
    pub fn interval(&self, v: Var) -> Interval {
        self.intervals.get(v as usize).copied().unwrap_or(Interval::ALL)
    }

    /// The intervals of all variables.
    pub fn intervals(&self) -> &[Interval] {
        &self.intervals
    }

    /// The facts in order; certificates refer to their positions.
    pub fn list(&self) -> &[Term] {
        &self.list
    }

    /// A new variable in `range`.
    pub fn fresh(&mut self, range: Interval) -> Var {
        self.intervals.push(without_far_bounds(range));
        (self.intervals.len() - 1) as Var
    }

    /// Becomes a copy of `other`, in the memory that it already has.
    pub fn copy_from(&mut self, other: &Facts) {
        self.intervals.clone_from(&other.intervals);
        self.list.clone_from(&other.list);
        self.trail.clone_from(&other.trail);
        (self.marks, self.absurd) = (other.marks, other.absurd);
    }

    /// Remembers the present facts, for [`Facts::rollback`].
    pub fn mark(&mut self) -> Mark {
        self.marks += 1;
        Mark {
            list: self.list.len(),
            trail: self.trail.len(),
            intervals: self.intervals.len(),
            absurd: self.absurd,
        }
    }

    /// Forgets everything learnt since `mark`. Marks nest like brackets.
    pub fn rollback(&mut self, mark: Mark) {
        while self.trail.len() > mark.trail {
            if let Some((v, old)) = self.trail.pop()
                && let Some(i) = self.intervals.get_mut(v as usize)
            {
                *i = old;
            }
        }
        self.list.truncate(mark.list);
        self.intervals.truncate(mark.intervals);
        self.absurd = mark.absurd;
        self.marks = self.marks.saturating_sub(1);
    }

    /// The interval of a term. Bounds beyond [`FAR`] count as missing.
    #[inline]
    pub fn range(&self, t: &Term) -> Interval {
        // Most terms are variables with an offset.
        match t.as_var_plus() {
            Some((v, k)) => {
                let Interval { lo, hi } = self.interval(v);
                Interval {
                    lo: if lo == NEG_INF { lo } else { lo + i128::from(k) },
                    hi: if hi == POS_INF { hi } else { hi + i128::from(k) },
                }
            }
            None => self.general_range(t),
        }
    }

    fn general_range(&self, t: &Term) -> Interval {
        let konst = t.konst();
        if !near(konst) {
            return Interval::ALL;
        }
        let mut sum = Interval { lo: konst, hi: konst };
        if t.is_empty() {
            return sum;
        }
        for &(v, c) in t.summands().iter() {
            let Interval { lo, hi } = self.interval(v);
            let (least, most) = if c > 0 { (lo, hi) } else { (hi, lo) };
            sum.lo = plus(sum.lo, product(least, c), NEG_INF);
            sum.hi = plus(sum.hi, product(most, c), POS_INF);
        }
        sum
    }

    /// The lower bound of a term, or [`NEG_INF`].
    fn lower(&self, t: &Term) -> i128 {
        let mut sum = t.konst();
        if !near(sum) {
            return NEG_INF;
        }
        for &(v, c) in t.summands().iter() {
            let bound = match self.intervals.get(v as usize) {
                Some(i) if c > 0 => i.lo,
                Some(i) => i.hi,
                None => return NEG_INF,
            };
            let Some(product) = product(bound, c) else { return NEG_INF };
            sum += product;
        }
        sum
    }

    /// Whether `goal >= 0` follows from intervals alone.
    pub fn evident(&self, goal: &Term) -> bool {
        self.lower(goal) >= 0
    }

    /// Forgets everything, and keeps the memory.
    pub fn clear(&mut self) {
        self.intervals.clear();
        self.list.clear();
        self.trail.clear();
        (self.marks, self.absurd) = (0, false);
    }

    /// Whether `lo <= t <= hi` follows from intervals alone.
    pub fn evidently_in(&self, t: &Term, range: Interval) -> bool {
        self.range(t).within(&range)
    }

    /// Whether the certificate proves `goal >= 0`.
    pub fn certified(&self, goal: &Term, cert: &Cert) -> bool {
        self.check(goal, cert).is_some()
    }

    fn check(&self, goal: &Term, cert: &Cert) -> Option<()> {
        if cert.goal_factor == 0 || cert.uses.len() > limits::CERT_FACTS {
            return None;
        }
        let k = cert.goal_factor as i128;
        let mut rest = match (content(goal), k) {
            (0 | 1, 1) => goal.clone(),
            _ => tighten(goal)?.scale(k)?,
        };
        for &(i, m) in cert.uses.iter() {
            rest.accumulate(self.list.get(i as usize)?, -i128::from(m))?;
        }
        (self.lower(&rest) > -k).then_some(())
    }

    /// Assumes `fact >= 0`, which the caller has justified. A fact over one variable narrows its
    /// interval. Facts beyond [`limits::FACTS`] or the representation are forgotten, which is
    /// sound: fewer facts prove less. Answers whether the fact was kept.
    pub fn assume(&mut self, fact: &Term) -> bool {
        match *fact.summands() {
            [] => {
                self.absurd |= fact.konst() < 0;
                true
            }
            [(v, c)] => {
                // `c*v + k >= 0` is `v >= -floor(k / c)`, or for negative `c` `v <= floor(k / -c)`.
                let bound = match c.unsigned_abs() {
                    1 => fact.konst(),
                    size => fact.konst().div_euclid(size.into()),
                };
                let old = self.interval(v);
                let new = if c > 0 {
                    // A bound that cannot be represented is forgotten.
                    let Some(lo) = bound.checked_neg() else { return false };
                    Interval { lo: old.lo.max(lo), hi: old.hi }
                } else {
                    Interval { lo: old.lo, hi: old.hi.min(bound) }
                };
                self.narrow(v, old, new);
                true
            }
            _ => {
                if self.list.len() >= limits::FACTS || self.evident(fact) {
                    return false;
                }
                let Some(fact) = tighten(fact) else { return false };
                self.round(&fact);
                self.list.push(fact);
                true
            }
        }
    }

    /// A variable with a large coefficient is bounded by the others' intervals, rounded to integers,
    /// which no combination of facts would find: `b - 48 + 2^32*q <= 9` for a byte `b` is `q <= 0`.
    fn round(&mut self, fact: &Term) {
        const LARGE: u64 = 1 << 16;
        for &(v, c) in fact.summands().iter().filter(|s| s.1.unsigned_abs() >= LARGE) {
            let size = i128::from(c.unsigned_abs());
            let rest = fact.add_scaled(&Term::var(v), -i128::from(c)).map_or(POS_INF, |t| self.range(&t).hi);
            if rest == POS_INF {
                continue;
            }
            // `c*v + rest >= 0` for the largest value that the rest can have.
            let bound = rest.div_euclid(size);
            let old = self.interval(v);
            let new = match bound.checked_neg() {
                Some(lo) if c > 0 => Interval { lo: old.lo.max(lo), hi: old.hi },
                Some(_) => Interval { lo: old.lo, hi: old.hi.min(bound) },
                None => continue,
            };
            self.narrow(v, old, new);
        }
    }

    /// Takes up a fact of a label or signature exactly as it is written, so that it has the number
    /// that proofs use. `None` at the limit of facts, and for facts that are not tight or concern
    /// fewer than two variables: those are intervals.
    pub fn declare(&mut self, fact: Term) -> Option<()> {
        if fact.summands().len() < 2 || self.list.len() >= limits::FACTS || content(&fact) != 1 {
            return None;
        }
        self.list.push(fact);
        Some(())
    }

    /// Says anew what a label knows of a variable.
    pub fn declare_range(&mut self, v: Var, range: Interval) {
        if let Some(i) = self.intervals.get_mut(v as usize) {
            *i = without_far_bounds(range);
        }
    }

    /// Forgets all variables but the first `n`.
    pub fn keep_vars(&mut self, n: usize) {
        self.intervals.truncate(n);
    }

    /// Forgets all facts but the first `n`.
    pub fn keep_facts(&mut self, n: usize) {
        self.list.truncate(n);
    }

    /// Forgets facts by their number, which is sound.
    pub fn retain(&mut self, mut keep: impl FnMut(usize) -> bool) {
        let mut i = 0;
        self.list.retain(|_| {
            i += 1;
            keep(i - 1)
        });
    }

    fn narrow(&mut self, v: Var, old: Interval, new: Interval) {
        if new != old && (v as usize) < self.intervals.len() {
            if self.marks > 0 {
                self.trail.push((v, old));
            }
            self.absurd |= new.lo > new.hi;
            self.intervals[v as usize] = without_far_bounds(new);
        }
    }

    /// Whether the facts contradict each other openly: an interval is empty, or a constant is on the
    /// wrong side. Every fact was justified, so no execution reaches such a point.
    pub fn contradictory(&self) -> bool {
        self.absurd
    }
}

/// How far the finite bounds of variables may lie from 0. The sum of a constant and of
/// [`limits::TERM_VARS`] such numbers does not overflow.
const FAR: i128 = 1 << 120;

fn near(bound: i128) -> bool {
    (-FAR..=FAR).contains(&bound)
}

/// `c` times a bound of a variable, if that is finite and near.
#[inline]
fn product(bound: i128, c: i64) -> Option<i128> {
    let product = match (c, i64::try_from(bound)) {
        (1, Ok(bound)) => return Some(bound.into()),
        (-1, Ok(bound)) => return Some(-i128::from(bound)),
        (_, Ok(bound)) => i128::from(bound) * i128::from(c),
        _ if bound == NEG_INF || bound == POS_INF => return None,
        _ => bound.checked_mul(c.into())?,
    };
    near(product).then_some(product)
}

/// The sum of what is left of a bound and a product, or `missing` if one of them is. Sums of near numbers do
/// not overflow: see [`FAR`].
#[inline]
fn plus(sum: i128, product: Option<i128>, missing: i128) -> i128 {
    match product {
        Some(product) if sum != missing => sum + product,
        _ => missing,
    }
}

/// The interval with bounds beyond [`FAR`] taken away, which is sound.
fn without_far_bounds(i: Interval) -> Interval {
    // A bound that excludes everything near stays near, and excludes as much.
    let lo = if i.lo < -FAR { NEG_INF } else { i.lo.min(FAR) };
    let hi = if i.hi > FAR { POS_INF } else { i.hi.max(-FAR) };
    Interval { lo, hi }
}

/// Divides a fact or goal `e >= 0` by the gcd of its coefficients and rounds the constant down:
/// exact on integers, since `g*a + c >= 0` iff `a >= -c/g` iff `a + floor(c/g) >= 0`.
pub fn tighten(t: &Term) -> Option<Term> {
    let g = match content(t) {
        0 | 1 => return Some(t.clone()),
        g => i128::from(g),
    };
    let mut tight = Term::from(t.konst().div_euclid(g));
    for &(v, c) in t.summands().iter() {
        tight.append(v, i64::try_from(i128::from(c) / g).ok()?)?;
    }
    Some(tight)
}

/// The gcd of a term's coefficients; 0 for a constant.
fn content(t: &Term) -> u64 {
    let mut g = 0;
    for &(_, c) in t.summands().iter() {
        g = gcd(g, c.unsigned_abs());
        if g == 1 {
            break;
        }
    }
    g
}

fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}
