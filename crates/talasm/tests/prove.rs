//! The prover against brute force on small random systems.

use talasm::prove::{Budget, Models, counterexample, prove};
use talcore::facts::{Facts, Interval};
use talcore::term::Term;

fn term(konst: i128, parts: &[(u32, i64)]) -> Term {
    let mut t = Term::from(konst);
    for &(v, c) in parts {
        t = t.add_scaled(&Term::var(v), i128::from(c)).unwrap();
    }
    t
}

fn value(t: &Term, point: &[i128]) -> i128 {
    t.summands().iter().fold(t.konst(), |s, &(v, c)| s + i128::from(c) * point[v as usize])
}

/// All integer points of a box that satisfy the facts.
fn points(facts: &Facts, size: i128) -> Vec<Vec<i128>> {
    let mut all = vec![Vec::new()];
    for v in 0..facts.var_count() {
        let i = facts.interval(v as u32);
        let (lo, hi) = (i.lo.max(-size), i.hi.min(size));
        all = all.into_iter().flat_map(|p| (lo..=hi).map(move |x| [p.clone(), vec![x]].concat())).collect();
    }
    all.retain(|p| facts.list().iter().all(|f| value(f, p) >= 0));
    all
}

/// Differences between variables with bounds are decided completely over the integers.
#[test]
fn differences_are_complete() {
    let mut rng = fastrand::Rng::with_seed(1);
    let (mut proved, mut refuted) = (0, 0);
    for _ in 0..3000 {
        let mut facts = Facts::default();
        let n = rng.u32(2..5);
        for _ in 0..n {
            let lo = rng.i128(-3..3);
            facts.fresh(Interval::new(lo, lo + rng.i128(0..5)));
        }
        for _ in 0..rng.u32(0..6) {
            let (x, y) = (rng.u32(0..n), rng.u32(0..n));
            facts.assume(&term(rng.i128(-2..4), &[(x, 1), (y, -1)]));
        }
        let (x, y) = (rng.u32(0..n), rng.u32(0..n));
        let goal = term(rng.i128(-3..5), &[(x, 1), (y, -1)]);
        let points = points(&facts, 8);
        let truth = points.iter().all(|p| value(&goal, p) >= 0);
        let cert = prove(&facts, &goal, Budget::default());
        if let Some(cert) = &cert {
            assert!(facts.certified(&goal, cert));
            proved += 1;
        }
        // With no point at all the facts are contradictory, perhaps without the goal's variables.
        let reachable = !points.is_empty();
        if reachable {
            assert_eq!(cert.is_some(), truth, "{facts:?} |- {goal:?}");
        }
        let counter = counterexample(&facts, &goal);
        if truth && reachable {
            assert_eq!(counter, None);
        } else if reachable {
            assert!(counter.is_some(), "{facts:?} |- {goal:?}");
            refuted += 1;
        }
    }
    assert!(proved > 500 && refuted > 500, "{proved} {refuted}");
}

/// Differences of variables without bounds, with a path through several facts.
#[test]
fn long_chains_are_found() {
    for n in 2..60u32 {
        let mut facts = Facts::default();
        for _ in 0..=n {
            facts.fresh(Interval::ALL);
        }
        for i in (0..n).rev() {
            facts.assume(&term(1, &[(i + 1, 1), (i, -1)]));
            // Something longer beside it.
            facts.assume(&term(3, &[(i + 1, 1), (i, -1)]));
        }
        let goal = |c: u32| term(i128::from(c), &[(n, 1), (0, -1)]);
        let cert = prove(&facts, &goal(n), Budget::default()).unwrap();
        assert_eq!(cert.uses.len(), n as usize);
        assert!(facts.certified(&goal(n), &cert));
        assert_eq!(prove(&facts, &goal(n - 1), Budget::default()), None);
    }
}

/// Random linear systems: certificates are true, and most true goals are proved.
#[test]
fn linear_systems() {
    let mut rng = fastrand::Rng::with_seed(2);
    let (mut truths, mut proved, mut false_goals, mut at_once) = (0, 0, 0, 0);
    for _ in 0..4000 {
        let mut facts = Facts::default();
        let n = rng.u32(2..4);
        for _ in 0..n {
            facts.fresh(match rng.u32(0..3) {
                0 => Interval::new(-6, 6),
                1 => Interval::new(0, 6),
                _ => Interval::new(0, rng.i128(1..6)),
            });
        }
        let random = |rng: &mut fastrand::Rng| {
            let mut t = Term::from(rng.i128(-6..7));
            for v in 0..n {
                t = t.add_scaled(&Term::var(v), rng.i128(-4..5)).unwrap();
            }
            t
        };
        for _ in 0..rng.u32(1..5) {
            facts.assume(&random(&mut rng));
        }
        let goal = random(&mut rng);
        let points = points(&facts, 6);
        if points.is_empty() {
            continue;
        }
        let truth = points.iter().all(|p| value(&goal, p) >= 0);
        truths += u32::from(truth);
        if let Some(cert) = prove(&facts, &goal, Budget::default()) {
            assert!(facts.certified(&goal, &cert));
            assert!(truth, "{facts:?} |- {goal:?}");
            proved += 1;
        }
        let vars: Vec<u32> = (0..n).collect();
        let refuted = Models::of(&facts, &vars, 8).refute(&goal);
        assert!(!(refuted && truth));
        at_once += u32::from(refuted);
        false_goals += u32::from(!truth);
        if let Some(counter) = counterexample(&facts, &goal) {
            assert!(!truth);
            let mut point = vec![0; n as usize];
            for (v, x) in counter {
                point[v as usize] = x;
            }
            assert!(value(&goal, &point) < 0);
        }
    }
    // What is true only of integers is not always found.
    assert!(truths > 300 && proved * 10 >= truths * 8, "{proved} of {truths}");
    // A few models refute most of what is false.
    assert!(at_once * 10 >= false_goals * 8, "{at_once} of {false_goals}");
}

/// The goals that programs have.
#[test]
fn typical_goals() {
    let mut facts = Facts::default();
    let word = Interval::new(0, (1 << 63) - 1);
    let [n, i, m, q, p] = [0; 5].map(|_| facts.fresh(word));
    facts.assume(&term(-1, &[(n, 1), (i, -1)])); // i < n
    facts.assume(&term(0, &[(m, 1), (n, -8)])); // 8n <= m
    facts.assume(&term(0, &[(p, 1), (q, -16)])); // p = 16q
    facts.assume(&term(0, &[(p, -1), (q, 16)]));
    facts.assume(&term(15, &[(n, 16), (p, -1)])); // p <= 16n + 15
    let yes = [
        term(-8, &[(m, 1), (i, -8)]),         // 8i + 8 <= m
        term(-1, &[(m, 1), (i, -1)]),         // i < m
        term(0, &[(n, 1), (q, -1)]),          // q <= n
        term(-1, &[(m, 2), (i, -16)]),        // 16i < 2m
        term(0, &[(m, 1), (n, -1), (i, -7)]), // n + 7i <= m
    ];
    for goal in yes {
        let cert = prove(&facts, &goal, Budget::default());
        assert!(cert.is_some_and(|c| c.uses.len() <= 3), "{goal:?}");
    }
    let no = [term(-9, &[(m, 1), (i, -8)]), term(-1, &[(n, 1), (q, -1)])];
    for goal in no {
        assert_eq!(prove(&facts, &goal, Budget::default()), None);
        assert!(counterexample(&facts, &goal).is_some(), "{goal:?}");
    }
}

/// A contradiction proves everything, where it is connected with the goal or the goal is `-1 >= 0`.
#[test]
fn contradictions() {
    let mut facts = Facts::default();
    let [x, y] = [0; 2].map(|_| facts.fresh(Interval::new(0, 100)));
    facts.assume(&term(-1, &[(x, 1), (y, -1)]));
    assert_eq!(prove(&facts, &Term::from(-1), Budget::default()), None);
    facts.assume(&term(-1, &[(x, -1), (y, 1)]));
    for goal in [Term::from(-1), Term::from(-1000), term(-1000, &[(x, 1)])] {
        let cert = prove(&facts, &goal, Budget::default()).unwrap();
        assert!(facts.certified(&goal, &cert));
    }
}

/// A budget of nothing finds what costs nothing, and numbers at the limits overflow quietly.
#[test]
fn budgets_and_limits() {
    let mut facts = Facts::default();
    let big = i128::MAX / 2;
    let vars: Vec<u32> = (0..6).map(|_| facts.fresh(Interval::new(-big, big))).collect();
    for w in vars.windows(2) {
        facts.assume(&term(i128::MAX - 5, &[(w[0], i64::MAX - 2), (w[1], i64::MIN + 2)]));
    }
    let goal = term(i128::MIN + 1, &[(vars[0], i64::MAX), (vars[5], i64::MIN + 1)]);
    for budget in [0, 10, 1_000_000] {
        prove(&facts, &goal, Budget(budget));
        counterexample(&facts, &goal);
    }
    assert!(prove(&facts, &Term::from(0), Budget(0)).is_some());
}
