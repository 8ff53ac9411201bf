//! docs/types.md, "Facts and certificates": intervals of variables, facts, and what follows from them.
//!
//! A goal `g >= 0` has a certificate if and only if, over the rational numbers, no point of the intervals satisfies all facts
//! and `g <= -1` (Farkas' lemma). So nothing is read from the file here: that there is no such point is found out by the
//! simplex method.

use super::lin::{Lin, Var, overflow};
use super::simplex;
use std::collections::BTreeSet;

/// Bounds of a variable; `None` where there is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Range {
    /// The least value.
    pub(super) lo: Option<i128>,
    /// The greatest value.
    pub(super) hi: Option<i128>,
}

impl Range {
    /// All numbers.
    pub(super) const ALL: Range = Range { lo: None, hi: None };
    /// From one number to another.
    pub(super) fn new(lo: i128, hi: i128) -> Range {
        Range { lo: Some(lo), hi: Some(hi) }
    }
    /// An interval of the tables.
    pub(super) fn read(i: &talcore::facts::Interval) -> Range {
        let lo = (i.lo != talcore::facts::NEG_INF).then_some(i.lo);
        Range { lo, hi: (i.hi != talcore::facts::POS_INF).then_some(i.hi) }
    }
}

/// What is known of numbers.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Known {
    /// The interval of each variable.
    pub(super) ranges: Vec<Range>,
    /// Facts `f >= 0`.
    pub(super) facts: Vec<Lin>,
    /// No execution gets here.
    pub(super) absurd: bool,
}

fn gcd(a: i128, b: i128) -> i128 {
    if b == 0 { a.abs() } else { gcd(b, a % b) }
}

impl Known {
    /// A new variable.
    pub(super) fn fresh(&mut self, range: Range) -> Var {
        self.ranges.push(range);
        (self.ranges.len() - 1) as Var
    }

    /// The interval of a variable.
    pub(super) fn range(&self, v: Var) -> Range {
        self.ranges.get(v as usize).copied().unwrap_or(Range::ALL)
    }

    /// The values that a term can have, by intervals alone.
    pub(super) fn interval(&self, t: &Lin) -> Range {
        let side = |upper: bool| {
            t.m.iter().try_fold(t.k, |sum, (v, c)| {
                let r = self.range(*v);
                let bound = if (*c > 0) == upper { r.hi } else { r.lo };
                sum.checked_add(bound?.checked_mul(*c)?)
            })
        };
        Range { lo: side(false), hi: side(true) }
    }

    /// Learns that a term is at least 0.
    pub(super) fn assume(&mut self, fact: &Lin) {
        let g = fact.m.values().fold(0, |g, c| gcd(g, *c));
        if g == 0 {
            self.absurd |= fact.k < 0;
            return;
        }
        let mut fact = fact.clone();
        fact.k = fact.k.div_euclid(g);
        fact.m.values_mut().for_each(|c| *c /= g);
        let all: Vec<Var> = fact.m.keys().copied().collect();
        for v in &all {
            if all.len() == 1 || fact.m[v].abs() >= 65536 {
                self.bound(*v, &fact);
            }
        }
        if all.len() > 1 && self.interval(&fact).lo.is_none_or(|lo| lo < 0) && !self.facts.contains(&fact) {
            self.facts.push(fact);
        }
    }

    /// What a fact says of the bound of one of its variables.
    fn bound(&mut self, v: Var, fact: &Lin) {
        let c = fact.m[&v];
        let mut rest = fact.clone();
        rest.m.remove(&v);
        let Some(most) = self.interval(&rest).hi else { return };
        let range = &mut self.ranges[v as usize];
        // c·v >= -most
        if c > 0 {
            let lo = -(most.div_euclid(c));
            range.lo = Some(range.lo.map_or(lo, |old| old.max(lo)));
        } else {
            let hi = most.div_euclid(-c);
            range.hi = Some(range.hi.map_or(hi, |old| old.min(hi)));
        }
        self.absurd |= matches!((range.lo, range.hi), (Some(lo), Some(hi)) if lo > hi);
    }

    /// Learns that two terms are equal.
    pub(super) fn assume_equal(&mut self, a: &Lin, b: &Lin) {
        self.assume(&a.minus(b));
        self.assume(&b.minus(a));
    }

    /// Whether `goal >= 0` follows.
    pub(super) fn proves(&self, goal: &Lin) -> bool {
        if self.absurd || self.interval(goal).lo.is_some_and(|lo| lo >= 0) {
            return true;
        }
        let against = goal.times(-1).add(-1);
        !goal.m.is_empty() && self.impossible_with(&against)
    }

    /// Whether the facts contradict each other.
    pub(super) fn contradictory(&self) -> bool {
        self.absurd || (!self.facts.is_empty() && simplex::infeasible(&self.facts, &|v| self.range(v)))
    }

    /// Whether nothing satisfies the facts and one more.
    fn impossible_with(&self, more: &Lin) -> bool {
        let mut seen: BTreeSet<Var> = more.m.keys().copied().collect();
        let mut used = vec![more.clone()];
        let mut left: Vec<&Lin> = self.facts.iter().collect();
        loop {
            let (near, far): (Vec<_>, Vec<_>) =
                left.into_iter().partition(|f| f.m.keys().any(|v| seen.contains(v)));
            if near.is_empty() {
                break;
            }
            left = far;
            for fact in near {
                seen.extend(fact.m.keys());
                used.push(fact.clone());
            }
        }
        if used.len() > 100 {
            return overflow();
        }
        simplex::infeasible(&used, &|v| self.range(v))
    }

    /// Whether two terms are proved equal.
    pub(super) fn equal(&self, a: &Lin, b: &Lin) -> bool {
        let d = a.minus(b);
        d.constant() == Some(0) || (self.proves(&d) && self.proves(&d.times(-1)))
    }

    /// Whether a term is proved to lie in `lo..=hi`.
    pub(super) fn within(&self, t: &Lin, lo: i128, hi: i128) -> bool {
        self.proves(&t.add(-lo)) && self.proves(&t.times(-1).add(hi))
    }
}
