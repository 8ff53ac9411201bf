//! Facts, intervals and certificates by enumeration of small boxes.

use talcore::facts::{Cert, Facts, Interval, tighten};
use talcore::term::Term;

fn value(t: &Term, point: &[i128]) -> i128 {
    t.summands().iter().fold(t.konst(), |s, &(v, c)| s + i128::from(c) * point[v as usize])
}

fn random_term(rng: &mut fastrand::Rng, vars: u32, coefficients: i128) -> Term {
    let mut t = Term::from(rng.i128(-12..13));
    for v in 0..vars {
        let c = rng.i128(-coefficients..=coefficients);
        t = t.add_scaled(&Term::var(v), c).unwrap();
    }
    t
}

/// Facts over up to three variables, and every point of the box at which all that was assumed holds.
fn system(rng: &mut fastrand::Rng) -> (Facts, Vec<Vec<i128>>) {
    let mut facts = Facts::default();
    let mut points = vec![vec![]];
    let vars = rng.u32(1..=3);
    for _ in 0..vars {
        let lo = rng.i128(-7..5);
        let hi = lo + rng.i128(0..9);
        facts.fresh(Interval::new(lo, hi));
        points = points.iter().flat_map(|p: &Vec<i128>| (lo..=hi).map(|x| [&p[..], &[x]].concat())).collect();
    }
    for _ in 0..rng.u32(0..5) {
        let fact = random_term(rng, vars, 4);
        facts.assume(&fact);
        points.retain(|p| value(&fact, p) >= 0);
    }
    (facts, points)
}

/// What is assumed keeps every point: intervals and list say no more than the facts did.
#[test]
fn assumptions_are_implied() {
    let mut rng = fastrand::Rng::with_seed(1);
    for _ in 0..5000 {
        let (facts, points) = system(&mut rng);
        for p in &points {
            for (v, &x) in p.iter().enumerate() {
                let i = facts.interval(v as u32);
                assert!(i.lo <= x && x <= i.hi, "{facts:?} at {p:?}");
            }
            assert!(facts.list().iter().all(|f| value(f, p) >= 0), "{facts:?} at {p:?}");
        }
        assert!(!facts.contradictory() || points.is_empty(), "{facts:?} at {points:?}");
    }
}

/// A coefficient as large as a word bounds its variable by the others, rounded: no point is lost, and no bound is left
/// that all points keep away from, if the fact says it.
#[test]
fn large_coefficients() {
    let mut rng = fastrand::Rng::with_seed(6);
    let mut narrowed = 0;
    for _ in 0..20_000 {
        let mut facts = Facts::default();
        let (lo, small) = (rng.i128(-4..4), rng.i128(-300..300));
        let x = facts.fresh(Interval::new(lo, lo + rng.i128(0..6)));
        let y = facts.fresh(Interval::new(small, small + rng.i128(0..9)));
        let size = *rng.choice(&[1i128 << 16, (1 << 16) - 1, 1 << 31, 1 << 32, (1 << 32) + 1]).unwrap();
        let size = if rng.bool() { size } else { -size };
        let konst = size * rng.i128(-4..4) + rng.i128(-320..320);
        let other = *rng.choice(&[-2, -1, 1, 2, 3]).unwrap();
        let fact = Term::from(konst).add_scaled(&Term::var(x), size).unwrap();
        let fact = fact.add_scaled(&Term::var(y), other).unwrap();
        let before = [facts.interval(x), facts.interval(y)];
        facts.assume(&fact);
        let after = [facts.interval(x), facts.interval(y)];
        narrowed += u32::from(before != after);
        for a in before[0].lo..=before[0].hi {
            for b in before[1].lo..=before[1].hi {
                let inside = after[0].lo <= a && a <= after[0].hi && after[1].lo <= b && b <= after[1].hi;
                let holds = value(&fact, &[a, b]) >= 0;
                assert!(inside && !facts.contradictory() || !holds, "{fact:?}: {facts:?} at {a}, {b}");
            }
        }
    }
    assert!(narrowed > 2000, "{narrowed}");
}

/// What is forgotten is not said any more, and nothing else is said.
#[test]
fn forgetting() {
    let mut rng = fastrand::Rng::with_seed(7);
    for _ in 0..2000 {
        let (mut facts, points) = system(&mut rng);
        let before = facts.list().to_vec();
        let kept: Vec<bool> = before.iter().map(|_| rng.bool()).collect();
        let n = rng.usize(..=before.len());
        if rng.bool() {
            facts.retain(|i| kept[i]);
            let expected = before.iter().zip(&kept).filter(|k| *k.1).map(|k| k.0.clone());
            assert_eq!(facts.list(), expected.collect::<Vec<_>>());
        } else {
            facts.keep_facts(n);
            assert_eq!(facts.list(), &before[..n]);
        }
        let mut copy = Facts::default();
        copy.fresh(Interval::new(0, 0));
        copy.copy_from(&facts);
        assert_eq!(
            (copy.list(), copy.intervals(), copy.contradictory()),
            (facts.list(), facts.intervals(), facts.contradictory())
        );
        let t = random_term(&mut rng, facts.var_count() as u32, 3);
        assert!(!facts.evident(&t) || points.iter().all(|p| value(&t, p) >= 0));
    }
}

/// Tightening changes no truth value on integers.
#[test]
fn tightening_is_exact() {
    let mut rng = fastrand::Rng::with_seed(2);
    for _ in 0..5000 {
        let scale = rng.i128(1..6);
        let t = random_term(&mut rng, 2, 4);
        let t = Term::from(t.konst()).add_scaled(&t.offset(-t.konst()).unwrap(), scale).unwrap();
        let tight = tighten(&t).unwrap();
        for x in -8..=8 {
            for y in -8..=8 {
                let p = [x, y];
                assert_eq!(value(&t, &p) >= 0, value(&tight, &p) >= 0, "{t:?} {tight:?}");
            }
        }
    }
}

/// Intervals of terms are the exact hull over the box, and `evident` is true only where it is.
#[test]
fn ranges() {
    let mut rng = fastrand::Rng::with_seed(3);
    for _ in 0..3000 {
        let (facts, points) = system(&mut rng);
        let t = random_term(&mut rng, facts.var_count() as u32, 5);
        let range = facts.range(&t);
        for p in &points {
            let x = value(&t, p);
            assert!(range.lo <= x && x <= range.hi);
            assert!(x >= 0 || !facts.evident(&t));
        }
        let low = Interval::new(range.lo, range.hi - 1);
        assert!(facts.evidently_in(&t, range) && !facts.evidently_in(&t, low));
    }
}

/// No certificate proves what is false at some point, whatever its multipliers are.
#[test]
fn certificates_are_sound() {
    let mut rng = fastrand::Rng::with_seed(4);
    let (mut accepted, mut by_facts) = (0, 0);
    for _ in 0..60_000 {
        let (facts, points) = system(&mut rng);
        let vars = facts.var_count() as u32;
        let mut uses = Vec::new();
        let mut sum = Term::zero();
        for (i, fact) in facts.list().iter().enumerate() {
            let m = rng.u64(0..4);
            if m > 0 {
                uses.push((i as u32, m));
                sum = sum.add_scaled(fact, i128::from(m)).unwrap();
            }
        }
        let factor = rng.u64(0..5);
        // Near a combination of the facts, divided by the factor and rounded somehow.
        let goal = if rng.bool() {
            let mut goal = Term::from(sum.konst() / i128::from(factor.max(1)) + rng.i128(-2..3));
            for &(v, c) in sum.summands().iter() {
                let c = i128::from(c) / i128::from(factor.max(1)) + rng.i128(-1..2);
                goal = goal.add_scaled(&Term::var(v), c).unwrap();
            }
            goal
        } else {
            random_term(&mut rng, vars, 3)
        };
        let used = !uses.is_empty();
        let cert = Cert { goal_factor: factor, uses: uses.into() };
        if facts.certified(&goal, &cert) {
            assert!(factor > 0);
            accepted += 1;
            by_facts += u32::from(used && !facts.evident(&goal));
            for p in &points {
                assert!(value(&goal, p) >= 0, "{facts:?} |- {goal:?} by {cert:?} at {p:?}");
            }
        }
    }
    assert!(accepted > 5000 && by_facts > 1000, "{accepted} {by_facts}");
}

/// The bound on the remainder is strict: at exactly `-factor` the goal may be -1.
#[test]
fn a_remainder_of_minus_the_factor_is_refused() {
    let mut facts = Facts::default();
    let [x, y] = [0; 2].map(|_| facts.fresh(Interval::new(0, 10)));
    let fact = Term::var(x).sub(&Term::var(y)).unwrap();
    facts.assume(&fact);
    let cert = Cert { goal_factor: 3, uses: vec![(0, 3)].into() };
    assert!(facts.certified(&fact, &cert));
    assert!(!facts.certified(&fact.offset(-1).unwrap(), &cert));
    // Without the goal anything would follow; facts that do not exist prove nothing.
    assert!(!facts.certified(&fact, &Cert { goal_factor: 0, uses: vec![(0, 1)].into() }));
    assert!(!facts.certified(&fact, &Cert { goal_factor: 1, uses: vec![(1, 1)].into() }));
}

/// Forgetting restores intervals, facts and variables.
#[test]
fn rollback() {
    let mut rng = fastrand::Rng::with_seed(5);
    for _ in 0..2000 {
        let (mut facts, _) = system(&mut rng);
        let vars = facts.var_count() as u32;
        let show = |f: &Facts| {
            let intervals: Vec<_> = (0..vars).map(|v| f.interval(v)).collect();
            (intervals, f.list().to_vec(), f.var_count(), f.contradictory())
        };
        let before = show(&facts);
        let outer = facts.mark();
        for _ in 0..3 {
            facts.assume(&random_term(&mut rng, vars, 2));
        }
        let middle = show(&facts);
        let inner = facts.mark();
        facts.fresh(Interval::ALL);
        for _ in 0..3 {
            facts.assume(&random_term(&mut rng, vars + 1, 2));
        }
        facts.rollback(inner);
        assert_eq!(show(&facts), middle);
        facts.rollback(outer);
        assert_eq!(show(&facts), before);
    }
}

/// Numbers at the ends of the representation: nothing panics, nothing false is evident.
#[test]
fn extremes() {
    let ends = [i128::MIN, i128::MIN + 1, -1, 0, 1, i128::MAX - 1, i128::MAX];
    let coefficients = [i64::MIN, -1, 1, i64::MAX];
    for a in ends {
        for b in ends {
            for k in coefficients {
                for konst in ends {
                    let mut facts = Facts::default();
                    let x = facts.fresh(Interval::new(a.min(b), a.max(b)));
                    let y = facts.fresh(Interval::ALL);
                    let t = Term::from_parts(konst, &[(x, k)]).unwrap();
                    facts.range(&t);
                    facts.evident(&t);
                    facts.assume(&t);
                    let both = Term::from_parts(konst, &[(x, k), (y, 1)]).unwrap();
                    facts.assume(&both);
                    // y may be anything.
                    assert!(!facts.evident(&both));
                    for factor in [1, u64::MAX] {
                        let cert = Cert { goal_factor: factor, uses: vec![(0, u64::MAX)].into() };
                        assert!(!facts.certified(&Term::from_parts(0, &[(y, -1)]).unwrap(), &cert));
                        facts.certified(&both, &cert);
                    }
                }
            }
        }
    }
}
