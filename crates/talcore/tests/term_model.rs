//! Terms against a map from variables to coefficients.

use std::collections::BTreeMap;
use talcore::limits;
use talcore::term::Term;

/// The same as a term, without its limits.
#[derive(Clone, Default, PartialEq, Debug)]
struct Model {
    konst: i128,
    summands: BTreeMap<u32, i128>,
}

impl Model {
    fn add_scaled(&self, other: &Model, k: i128) -> Model {
        let mut sum = self.clone();
        sum.konst += k * other.konst;
        for (v, c) in &other.summands {
            *sum.summands.entry(*v).or_default() += k * c;
        }
        sum.summands.retain(|_, c| *c != 0);
        sum
    }

    fn of(t: &Term) -> Model {
        let summands = t.summands().iter().map(|&(v, c)| (v, i128::from(c))).collect();
        Model { konst: t.konst(), summands }
    }
}

/// Sums of few and many summands, and sums whose summands cancel.
#[test]
fn sums_are_those_of_maps() {
    let mut rng = fastrand::Rng::with_seed(11);
    let (mut long, mut shrunk, mut refused) = (0, 0, 0);
    for _ in 0..3000 {
        let (mut term, mut model) = (Term::zero(), Model::default());
        let vars = rng.u32(1..30);
        for _ in 0..rng.usize(1..60) {
            let mut other = Term::from(rng.i128(-5..6));
            for _ in 0..rng.usize(0..4) {
                let one = Term::var(rng.u32(0..vars)).scale(rng.i128(-2..3)).unwrap();
                other = other.add(&one).unwrap();
            }
            let k = rng.i128(-2..3);
            let sum = model.add_scaled(&Model::of(&other), k);
            let before = term.summands().len();
            let Some(t) = term.add_scaled(&other, k) else {
                // Nothing that fits is refused for its intermediate sums only if they are long too.
                assert!(before + other.summands().len() > limits::TERM_VARS);
                refused += 1;
                break;
            };
            let mut accumulated = term.clone();
            assert_eq!(accumulated.accumulate(&other, k), Some(()));
            assert_eq!(accumulated, t);
            (term, model) = (t, sum);
            assert_eq!(Model::of(&term), model);
            assert!(term.summands().windows(2).all(|w| w[0].0 < w[1].0));
            let parts = Term::from_parts(term.konst(), &term.summands());
            assert_eq!(parts.as_ref(), Some(&term));
            assert_eq!(parts.and_then(|p| p.as_var()), term.as_var());
            assert_eq!(term.scope(), model.summands.last_key_value().map_or(0, |(v, _)| v + 1));
            long += u32::from(term.summands().len() > 2);
            shrunk += u32::from(before > 2 && term.summands().len() <= 2);
        }
    }
    assert!(long > 1000 && shrunk > 100 && refused > 100, "{long} {shrunk} {refused}");
}

/// Terms in the place of variables.
#[test]
fn substitution() {
    let mut rng = fastrand::Rng::with_seed(12);
    let (mut done, mut refused) = (0, 0);
    for _ in 0..3000 {
        let random = |rng: &mut fastrand::Rng, vars: u32| {
            let mut t = Term::from(rng.i128(-9..10));
            for v in 0..vars {
                t = t.add_scaled(&Term::var(v), rng.i128(-3..4)).unwrap();
            }
            t
        };
        let (outer, inner) = (rng.u32(0..5), rng.u32(0..5));
        let t = random(&mut rng, outer);
        let env: Vec<Term> = (0..rng.u32(0..6)).map(|_| random(&mut rng, inner)).collect();
        let Some(got) = t.subst(&env) else {
            assert!(t.scope() as usize > env.len());
            refused += 1;
            continue;
        };
        let mut model = Model { konst: t.konst(), ..Model::default() };
        for v in 0..outer {
            let c = t.coefficient(v);
            assert_eq!(t.summands().iter().find(|s| s.0 == v).map_or(0, |s| s.1), c);
            if c != 0 {
                model = model.add_scaled(&Model::of(&env[v as usize]), c.into());
            }
        }
        assert_eq!(Model::of(&got), model);
        let plus = match (got.konst(), &got.summands()[..]) {
            (k, [(v, 1)]) => i64::try_from(k).ok().map(|k| (*v, k)),
            _ => None,
        };
        assert_eq!(got.as_var_plus(), plus);
        done += 1;
    }
    assert!(done > 1000 && refused > 300, "{done} {refused}");
}

/// What does not fit is refused, and does not wrap.
#[test]
fn overflow_is_refused() {
    let x = Term::var(0).scale(i64::MAX.into()).unwrap();
    assert_eq!(x.add(&Term::var(0)), None);
    assert_eq!(x.scale(2), None);
    assert_eq!(x.scale(1 << 64), None);
    assert_eq!(Term::var(0).scale(i64::MIN.into()).unwrap().neg(), None);
    assert_eq!(Term::from(i128::MAX).offset(1), None);
    assert_eq!(Term::from(i128::MAX).add(&Term::from(1)), None);
    assert_eq!(Term::from(i128::MIN).neg(), None);
    assert_eq!(Term::from(i128::MAX).scale(2), None);
    assert_eq!(Term::var(3).subst(&[Term::zero()]), None);
    assert_eq!(Term::from_parts(0, &[(1, 1), (1, 1)]), None);
    assert_eq!(Term::from_parts(0, &[(2, 1), (1, 1)]), None);
    assert_eq!(Term::from_parts(0, &[(2, 0)]), None);
    let many: Vec<_> = (0..limits::TERM_VARS as u32 + 1).map(|v| (v, 1)).collect();
    assert!(Term::from_parts(0, &many[1..]).is_some());
    assert_eq!(Term::from_parts(0, &many), None);
}
