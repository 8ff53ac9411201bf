//! Terms, intervals and numbers that differ in little from others.

use fastrand::Rng;
use talcore::facts::{Interval, NEG_INF, POS_INF};
use talcore::term::{Term, Var};

/// A small step, or one that matters to machines.
pub(super) fn step(rng: &mut Rng) -> i128 {
    let size = match rng.u8(..8) {
        0..4 => 1,
        4 => rng.i128(1..9),
        5 => 8,
        6 => 1 << rng.u32(..16),
        _ => 1 << [31, 32, 47, 63, 64][rng.usize(..5)],
    };
    if rng.bool() { size } else { -size }
}

/// A term over the first `vars` variables; `others` are terms to borrow from.
pub(super) fn term(t: &Term, vars: u32, others: &[Term], rng: &mut Rng) -> Term {
    let var = |rng: &mut Rng| rng.u32(..vars.max(1));
    let changed = match rng.u8(..10) {
        0..4 => t.offset(step(rng)),
        4 if vars > 0 => t.add_scaled(&Term::var(var(rng)), if rng.bool() { 1 } else { -1 }),
        5 if vars > 0 => replaced(t, var(rng), rng),
        6 => without(t, rng),
        7 => t.scale([-1, 2, 8, 0][rng.usize(..4)]),
        8 if vars > 0 => Some(Term::var(var(rng))),
        _ => others.get(rng.usize(..others.len().max(1))).cloned(),
    };
    changed.filter(|t| t.scope() <= vars).unwrap_or_else(|| Term::from(rng.i128(..9) - 1))
}

/// With another variable in place of one.
fn replaced(t: &Term, v: Var, rng: &mut Rng) -> Option<Term> {
    let summands = t.summands();
    let &(old, c) = summands.get(rng.usize(..summands.len().max(1)))?;
    t.add_scaled(&Term::var(old), -i128::from(c))?.add_scaled(&Term::var(v), c.into())
}

fn without(t: &Term, rng: &mut Rng) -> Option<Term> {
    let summands = t.summands();
    let &(old, c) = summands.get(rng.usize(..summands.len().max(1)))?;
    t.add_scaled(&Term::var(old), -i128::from(c))
}

/// An interval with other ends.
pub(super) fn interval(range: Interval, rng: &mut Rng) -> Interval {
    let moved = |x: i128, by: i128| if x == NEG_INF || x == POS_INF { by } else { x.saturating_add(by) };
    let Interval { lo, hi } = range;
    match rng.u8(..8) {
        0 | 1 => Interval::new(moved(lo, step(rng)), hi),
        2..4 => Interval::new(lo, moved(hi, step(rng))),
        4 => Interval::new(lo, POS_INF),
        5 => Interval::new(NEG_INF, hi),
        6 => Interval::new(lo, lo.max(-(1 << 80))),
        _ => Interval::unsigned([1, 8, 16, 31, 32, 47, 63, 64][rng.usize(..8)]),
    }
}
