//! Linear facts under renaming, elimination and division.

use std::collections::HashMap;
use talcore::facts::{Facts, Interval, NEG_INF, POS_INF, tighten};
use talcore::state::{Env, State};
use talcore::term::{Term, Var};

/// What facts say about the variables that are kept: the others are eliminated one by one, each pair of
/// an upper and a lower bound giving a fact without it (Fourier and Motzkin), as far as that stays small.
pub(super) fn eliminate(facts: &Facts, list: &[Term], kept: impl Fn(Var) -> bool) -> Vec<Term> {
    const MOST: usize = 128;
    // Sums with larger coefficients say little, and proofs about them overflow.
    const LARGE: u64 = 1 << 32;
    let mut work: Vec<Term> = list.to_vec();
    loop {
        let gone = work.iter().flat_map(|t| t.summands()).map(|s| s.0).find(|v| !kept(*v));
        let Some(v) = gone else { return work };
        let range = facts.interval(v);
        let var = Term::var(v);
        let (with, mut rest): (Vec<Term>, Vec<Term>) = work.into_iter().partition(|t| t.coefficient(v) != 0);
        let mut lower: Vec<Term> = with.iter().filter(|t| t.coefficient(v) > 0).cloned().collect();
        let mut upper: Vec<Term> = with.into_iter().filter(|t| t.coefficient(v) < 0).collect();
        if range.lo != NEG_INF {
            lower.extend(var.offset(-range.lo));
        }
        if range.hi != POS_INF {
            upper.extend(var.neg().and_then(|t| t.offset(range.hi)));
        }
        for l in &lower {
            for u in &upper {
                let (a, b) = (i128::from(l.coefficient(v)), -i128::from(u.coefficient(v)));
                let sum = l.scale(b).and_then(|t| t.add_scaled(u, a)).and_then(|t| tighten(&t));
                if let Some(t) = sum
                    && t.summands().iter().all(|s| s.1.unsigned_abs() <= LARGE)
                    && rest.len() < MOST
                    && !t.summands().is_empty()
                    && !rest.contains(&t)
                {
                    rest.push(t);
                }
            }
        }
        work = rest;
    }
}

/// `t` with `v` replaced.
pub(super) fn replace(t: &Term, v: Var, by: &Term) -> Option<Term> {
    let c = t.coefficient(v);
    if c == 0 {
        return Some(t.clone());
    }
    t.add_scaled(&Term::var(v), -i128::from(c))?.add_scaled(by, i128::from(c))
}

/// A variable of the edge in the label's variables: the term divided by the number.
pub(super) type Name = (Term, i128);

/// A fact with names of the label for the variables of the edge, multiplied by whatever makes it
/// integral; `None` if a variable has no name.
pub(super) fn rename(t: &Term, names: &HashMap<Var, Name>, rigid: Var) -> Option<Term> {
    let mut factor = 1i128;
    for &(v, _) in t.summands().iter() {
        if v >= rigid {
            let d = names.get(&v)?.1;
            factor = factor.checked_mul(d / gcd(factor.unsigned_abs(), d.unsigned_abs()) as i128)?;
        }
    }
    let mut sum = Term::from(t.konst().checked_mul(factor)?);
    for &(v, c) in t.summands().iter() {
        let (name, d) = if v < rigid { (Term::var(v), 1) } else { names.get(&v)?.clone() };
        sum = sum.add_scaled(&name, i128::from(c).checked_mul(factor / d)?)?;
    }
    Some(sum)
}

pub(super) fn gcd(a: u128, b: u128) -> u128 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// The greatest number that divides two terms whatever their variables are; 1 if both are 0.
pub(super) fn divisor(a: &Term, b: &Term) -> i128 {
    let parts = |t: &Term| {
        t.summands().iter().fold(t.konst().unsigned_abs(), |g, s| gcd(g, s.1.unsigned_abs().into()))
    };
    i128::try_from(gcd(parts(a), parts(b))).unwrap_or(1).max(1)
}

pub(super) fn under(t: &Term, env: &Env) -> Option<Term> {
    match env {
        None => Some(t.clone()),
        Some(e) => t.subst(e),
    }
}

/// `t / c` if it is exact.
pub(super) fn divided(t: &Term, c: i128) -> Option<Term> {
    if c == 0 || t.konst() % c != 0 || t.summands().iter().any(|(_, k)| i128::from(*k) % c != 0) {
        return None;
    }
    let parts: Vec<_> = t.summands().iter().map(|(v, k)| (*v, (i128::from(*k) / c) as i64)).collect();
    Term::from_parts(t.konst() / c, &parts)
}

/// What the intervals say of a term, and single facts about just these summands.
pub(super) fn known_range(facts: &Facts, t: &Term) -> Interval {
    let mut range = facts.range(t);
    let divisor = t.summands().iter().fold(0, |g, (_, c)| gcd(g, c.unsigned_abs().into())) as i128;
    let Some(part) = t.offset(-t.konst()).and_then(|t| divided(&t, divisor)) else { return range };
    let bound = |c: i128| c.checked_mul(divisor)?.checked_add(t.konst());
    for fact in facts.list() {
        // `c - part >= 0`, `part + c >= 0`
        if let Some(hi) = fact.add(&part).and_then(|c| c.as_const()).and_then(bound) {
            range.hi = range.hi.min(hi);
        }
        if let Some(lo) = fact.sub(&part).and_then(|c| c.as_const()).and_then(|c| bound(-c)) {
            range.lo = range.lo.max(lo);
        }
    }
    range
}

/// Facts that are not the entry state's.
pub(super) fn own_facts<'s>(entry: &State, facts: &'s Facts) -> &'s [Term] {
    facts.list().get(entry.facts.list().len()..).unwrap_or(&[])
}
