//! Comparing one rule with the model, in many worlds.

use crate::model::{Fl, holds, settle};
use crate::world::{Congruence, Oracle, World, extends};
use talcore::arith::{Flags, Num};
use talcore::facts::{Facts, Interval};
use talcore::term::Term;
use talcore::x86::insn::Cond;

/// One execution on concrete words: the words of the results, and the flags.
pub(crate) type Run = (Vec<u64>, Fl);

/// Applies a rule in a world and compares it with the model at many points.
///
/// `rule` answers the results as terms with their widths, and the flags; `model` answers what
/// the machine may do at a point (nothing if it traps).
pub(crate) fn check(
    world: &World,
    rng: &mut fastrand::Rng,
    rule: impl FnOnce(&mut Num) -> (Vec<(Term, u32)>, Flags),
    model: impl Fn(&[i128], &mut fastrand::Rng) -> Vec<Run>,
) -> Result<(), String> {
    let learn = |num: &mut Num, flags: &Flags, cond| {
        for fact in num.refine(flags, cond) {
            if fact.as_const().is_some_and(|c| c < 0) {
                // The rule says that the condition is never true: let nothing be a model.
                num.facts.fresh(Interval::new(1, 0));
            }
            num.facts.assume(&fact);
        }
    };
    check_learning(world, rng, rule, learn, model)
}

/// The same with another way to learn from conditions.
pub(crate) fn check_learning(
    world: &World,
    rng: &mut fastrand::Rng,
    rule: impl FnOnce(&mut Num) -> (Vec<(Term, u32)>, Flags),
    learn: impl Fn(&mut Num, &Flags, Cond),
    model: impl Fn(&[i128], &mut fastrand::Rng) -> Vec<Run>,
) -> Result<(), String> {
    let zeal = rng.u32(0..=4);
    let mut oracle = Oracle { points: &world.points, rng: rng.fork(), zeal };
    let mut facts = world.facts.clone();
    let mut num = Num { facts: &mut facts, prover: &mut oracle, word_bits: world.word };
    let (results, flags) = rule(&mut num);
    // What conditions teach depends on which are true: once for each set of them.
    let mut learnt: Vec<(u32, Facts)> = Vec::new();
    let only = rng.bool().then(|| rng.u32(0..16));
    let mut order = Cond::ALL;
    rng.shuffle(&mut order);
    for point in world.sample(rng, 48) {
        for (words, fl) in model(&point, rng) {
            let fl = settle(&fl, rng);
            let holds = |c: &&Cond| holds(**c, &fl) && only.is_none_or(|o| o == **c as u32);
            let pattern = order.iter().filter(holds).fold(0, |p, &c| p | 1 << c as u32);
            if !learnt.iter().any(|l| l.0 == pattern) {
                let mut facts = facts.clone();
                let mut num = Num { facts: &mut facts, prover: &mut oracle, word_bits: world.word };
                for &cond in order.iter().filter(|c| pattern >> **c as u32 & 1 == 1) {
                    learn(&mut num, &flags, cond);
                }
                learnt.push((pattern, facts));
            }
            let facts = &learnt.iter().find(|l| l.0 == pattern).expect("just pushed").1;
            let congruences: Vec<Congruence> = results
                .iter()
                .zip(&words)
                .map(|((term, bits), &value)| Congruence { term: term.clone(), bits: *bits, value })
                .collect();
            if !extends(facts, &point, &[], &congruences) {
                return Err(format!(
                    "at {point:?} the words are {words:x?} with {fl:?} (conditions {pattern:016b}),\n\
                     but the results are {results:?}\nwith {facts:?}\nflags {flags:?}\nfrom {:?}",
                    world.facts
                ));
            }
        }
    }
    Ok(())
}

/// Runs a scenario many times at each word size: small ones, and the real ones near the numbers at
/// which words and the representation of terms overflow.
pub(crate) fn many(rounds: u32, seed: u64, scenario: impl Fn(&mut fastrand::Rng, u32) -> Result<(), String>) {
    for word in [4, 5, 6, 7, 8, 32, 64] {
        for round in 0..rounds {
            let mut rng = fastrand::Rng::with_seed(seed << 32 | u64::from(round) << 8 | u64::from(word));
            if let Err(why) = scenario(&mut rng, word) {
                panic!("word of {word} bits, round {round}: {why}");
            }
        }
    }
}

/// Whether a scenario fails at some time: for rules that are wrong on purpose.
pub(crate) fn caught(rounds: u32, scenario: impl Fn(&mut fastrand::Rng, u32) -> Result<(), String>) -> bool {
    (0..rounds).any(|round| scenario(&mut fastrand::Rng::with_seed(u64::from(round)), 5).is_err())
}
