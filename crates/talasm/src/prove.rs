//! Finds certificates: proofs that a goal follows from facts, for the core to check.
//!
//! Nothing here is trusted. A goal `g >= 0` follows from facts `f_i >= 0` and intervals if for some
//! multipliers the remainder `k*g - Σ m_i*f_i` has an interval lower bound above `-k`, see
//! [`talcore::facts::Cert`]. Multipliers are sought in this order, each step for what the one
//! before cannot do:
//!
//! 1. [`direct`]: cancel one variable after the other with one fact each, a few deep;
//! 2. [`paths`]: shortest paths over the facts that are differences `x - y + c >= 0`;
//! 3. [`simplex`]: exact linear programming, which is complete for rational consequences.
//!
//! Every certificate is checked before it is returned. Where many goals are tried over the same facts,
//! as in inference, [`Models`] tell at once that most of those that are false are.

mod counter;
mod direct;
mod paths;
mod problem;
mod simplex;

use problem::Problem;
use talcore::facts::{Cert, Facts, tighten};
use talcore::term::Term;

pub use counter::{Models, counterexample};

/// How much work one proof may cost, in elementary steps (about 10 ns each).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Budget(pub u64);

impl Default for Budget {
    /// Enough for every goal of ordinary programs.
    fn default() -> Budget {
        Budget(1_000_000)
    }
}

/// A certificate that `goal >= 0` follows from `facts`, if one is found within the budget.
///
/// Complete for what follows over the rationals (so also for difference constraints over the
/// integers), up to the budget and to overflow of 128-bit numbers.
pub fn prove(facts: &Facts, goal: &Term, budget: Budget) -> Option<Cert> {
    let nothing = Cert { goal_factor: 1, ..Cert::default() };
    if facts.certified(goal, &nothing) {
        return Some(nothing);
    }
    let goal = tighten(goal)?;
    if goal.as_const().is_none()
        && let Some(cert) = direct::prove(facts, &goal)
    {
        return Some(cert);
    }
    let problem = Problem::new(facts, &goal)?;
    let mut steps = budget.0;
    paths::prove(&problem, &mut steps)
        .filter(|cert| facts.certified(&goal, cert))
        .or_else(|| simplex::prove(&problem, &mut steps))
        .filter(|cert| facts.certified(&goal, cert))
}
