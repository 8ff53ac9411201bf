//! Proofs of a few facts, found by cancelling variables.

use talcore::facts::{Cert, Facts, NEG_INF, POS_INF};
use talcore::term::{Term, Var};

/// How many facts a proof of this kind may use.
const DEPTH: usize = 3;
/// How many combinations are looked at.
const TRIES: u32 = 128;

/// Cancels variables of the goal, one fact for each. Where a variable has no bound on the side
/// that counts, some fact must cancel it, so only such a variable is tried.
pub(super) fn prove(facts: &Facts, goal: &Term) -> Option<Cert> {
    // The fewest facts first.
    let mut tries = TRIES;
    (1..=DEPTH)
        .find_map(|depth| Search { facts, goal, tries: &mut tries, uses: Vec::new() }.cancel(goal, 1, depth))
}

struct Search<'a> {
    facts: &'a Facts,
    goal: &'a Term,
    tries: &'a mut u32,
    uses: Vec<(u32, u64)>,
}

impl Search<'_> {
    /// Looks for facts that finish the proof from the remainder `rest`, which contains the
    /// goal `factor` times.
    fn cancel(&mut self, rest: &Term, factor: u64, depth: usize) -> Option<Cert> {
        let must = rest.summands().into_iter().find(|&(v, c)| {
            let i = self.facts.interval(v);
            if c > 0 { i.lo == NEG_INF } else { i.hi == POS_INF }
        });
        match must {
            Some(s) => self.cancel_one(rest, s, factor, depth),
            None => rest.summands().iter().find_map(|&s| self.cancel_one(rest, s, factor, depth)),
        }
    }

    fn cancel_one(&mut self, rest: &Term, (v, c): (Var, i64), factor: u64, depth: usize) -> Option<Cert> {
        for (i, fact) in self.facts.list().iter().enumerate() {
            let f = fact.coefficient(v);
            let same_sign = (f > 0 && c > 0) || (f < 0 && c < 0);
            if !same_sign || self.uses.iter().any(|u| u.0 == i as u32) {
                continue;
            }
            *self.tries = self.tries.checked_sub(1)?;
            // The least multiples that meet.
            let (c, f) = (c.unsigned_abs(), f.unsigned_abs());
            let g = gcd(c, f);
            let (scale, m) = (f / g, c / g);
            let Some(next) = rest.scale(i128::from(scale)).and_then(|r| r.add_scaled(fact, -i128::from(m)))
            else {
                continue;
            };
            let before = self.uses.clone();
            let scaled = self.uses.iter().map(|&(i, n)| Some((i, n.checked_mul(scale)?)));
            let (Some(uses), Some(factor)) = (scaled.collect::<Option<Vec<_>>>(), factor.checked_mul(scale))
            else {
                continue;
            };
            self.uses = uses;
            self.uses.push((i as u32, m));
            let found = if depth > 1 {
                self.cancel(&next, factor, depth - 1)
            } else if self.facts.range(&next).lo > -i128::from(factor) {
                let mut uses = self.uses.clone();
                uses.sort_unstable();
                let cert = Cert { goal_factor: factor, uses: uses.into() };
                self.facts.certified(self.goal, &cert).then_some(cert)
            } else {
                None
            };
            if found.is_some() {
                return found;
            }
            self.uses = before;
        }
        None
    }
}

fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}
