//! docs/types.md, "Facts and certificates": whether inequalities contradict each other, over the rational numbers.
//!
//! The general simplex method for variables with bounds: each row is a new variable that is at least 0; one that is outside of
//! its bounds is exchanged for one that can still move, the smallest first (Bland's rule, so it ends).

use super::know::Range;
use super::lin::{Lin, Var, overflow};
use std::collections::BTreeMap;

/// A fraction in lowest terms, with a positive denominator.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Frac(i128, i128);

impl Default for Frac {
    fn default() -> Frac {
        ZERO
    }
}

const ZERO: Frac = Frac(0, 1);

impl Frac {
    fn of(n: i128, d: i128) -> Option<Frac> {
        let (mut a, mut b) = (n.unsigned_abs(), d.unsigned_abs());
        while b != 0 {
            (a, b) = (b, a % b);
        }
        let g = i128::try_from(a).ok()?.max(1) * d.signum();
        Some(Frac(n / g, d / g))
    }
    fn add(self, o: Frac) -> Option<Frac> {
        if self.1 == o.1 {
            return Frac::of(self.0.checked_add(o.0)?, self.1);
        }
        Frac::of(self.0.checked_mul(o.1)?.checked_add(o.0.checked_mul(self.1)?)?, self.1.checked_mul(o.1)?)
    }
    fn mul(self, o: Frac) -> Option<Frac> {
        // Crosswise first, so that the numbers stay small.
        let (a, b) = (Frac::of(self.0, o.1)?, Frac::of(o.0, self.1)?);
        Some(Frac(a.0.checked_mul(b.0)?, a.1.checked_mul(b.1)?))
    }
    fn neg(self) -> Frac {
        Frac(-self.0, self.1)
    }
    fn div(self, o: Frac) -> Option<Frac> {
        self.mul(Frac(o.1 * o.0.signum(), o.0.abs()))
    }
    fn less(self, o: Frac) -> Option<bool> {
        Some(self.add(o.neg())?.0 < 0)
    }
}

struct Table {
    lo: Vec<Option<Frac>>,
    hi: Vec<Option<Frac>>,
    value: Vec<Frac>,
    /// For each variable that is determined by others, by which, and how.
    rows: BTreeMap<usize, BTreeMap<usize, Frac>>,
}

/// Whether no point of the ranges satisfies `row >= 0` for all rows. What cannot be computed is not known to be so.
pub(super) fn infeasible(rows: &[Lin], range: &dyn Fn(Var) -> Range) -> bool {
    let mut names: BTreeMap<Var, usize> = BTreeMap::new();
    for v in rows.iter().flat_map(|r| r.m.keys()) {
        let next = names.len();
        names.entry(*v).or_insert(next);
    }
    let n = names.len();
    let frac = |x: i128| Frac(x, 1);
    let mut t = Table { lo: vec![None; n], hi: vec![None; n], value: vec![ZERO; n], rows: BTreeMap::new() };
    for (v, i) in &names {
        let r = range(*v);
        (t.lo[*i], t.hi[*i]) = (r.lo.map(frac), r.hi.map(frac));
        t.value[*i] = t.lo[*i].or(t.hi[*i]).unwrap_or(ZERO);
        if matches!((r.lo, r.hi), (Some(lo), Some(hi)) if lo > hi) {
            return true;
        }
    }
    for (i, row) in rows.iter().enumerate() {
        t.lo.push(Some(frac(-row.k)));
        t.hi.push(None);
        t.rows.insert(n + i, row.m.iter().map(|(v, c)| (names[v], frac(*c))).collect());
        t.value.push(ZERO);
        let Some(value) = t.sum(n + i) else { return overflow() };
        t.value[n + i] = value;
    }
    for _ in 0..2000 {
        match t.step() {
            Some(None) => {}
            Some(Some(verdict)) => return verdict,
            None => return overflow(),
        }
    }
    overflow()
}

impl Table {
    fn sum(&self, basic: usize) -> Option<Frac> {
        self.rows[&basic].iter().try_fold(ZERO, |sum, (j, c)| sum.add(c.mul(self.value[*j])?))
    }

    /// One exchange. `Some(Some(_))`: whether it is infeasible.
    fn step(&mut self) -> Option<Option<bool>> {
        let mut wrong = None;
        for b in self.rows.keys() {
            let below = self.lo[*b].map_or(Some(false), |lo| self.value[*b].less(lo))?;
            let above = self.hi[*b].map_or(Some(false), |hi| hi.less(self.value[*b]))?;
            if below || above {
                wrong = Some((*b, below));
                break;
            }
        }
        let Some((b, below)) = wrong else { return Some(Some(false)) };
        let goal = if below { self.lo[b]? } else { self.hi[b]? };
        let mut found = None;
        for (j, c) in &self.rows[&b] {
            let up = (c.0 > 0) == below;
            let free = if up {
                self.hi[*j].map_or(Some(true), |hi| self.value[*j].less(hi))?
            } else {
                self.lo[*j].map_or(Some(true), |lo| lo.less(self.value[*j]))?
            };
            if free {
                found = Some((*j, *c));
                break;
            }
        }
        let Some((j, c)) = found else { return Some(Some(true)) };
        // b = ... + c·j, so j = (b - ...) / c
        let theta = goal.add(self.value[b].neg())?.div(c)?;
        self.value[b] = goal;
        self.value[j] = self.value[j].add(theta)?;
        let old = self.rows.remove(&b)?;
        let mut new: BTreeMap<usize, Frac> = BTreeMap::new();
        for (i, a) in old {
            if i != j {
                new.insert(i, a.neg().div(c)?);
            }
        }
        new.insert(b, Frac(1, 1).div(c)?);
        for row in self.rows.values_mut() {
            let Some(a) = row.remove(&j) else { continue };
            for (i, d) in &new {
                let sum = row.get(i).copied().unwrap_or(ZERO).add(a.mul(*d)?)?;
                if sum.0 == 0 {
                    row.remove(i);
                } else {
                    row.insert(*i, sum);
                }
            }
        }
        self.rows.insert(j, new);
        let basics: Vec<usize> = self.rows.keys().copied().filter(|i| *i != j).collect();
        for i in basics {
            self.value[i] = self.sum(i)?;
        }
        Some(None)
    }
}
