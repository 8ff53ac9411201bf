//! Random facts with all their models, and the search for values of fresh variables.

use talcore::arith::Prove;
use talcore::facts::{Facts, Interval};
use talcore::term::Term;

/// Base variables with facts, and every point (or many) at which the facts hold.
pub(crate) struct World {
    /// The size of the machine word.
    pub(crate) word: u32,
    pub(crate) facts: Facts,
    pub(crate) points: Vec<Vec<i128>>,
}

/// The largest number of points that are enumerated.
const POINTS: usize = 1100;

pub(crate) fn value(t: &Term, point: &[i128]) -> i128 {
    t.summands().iter().fold(t.konst(), |s, &(v, c)| s + i128::from(c) * point[v as usize])
}

fn interval(rng: &mut fastrand::Rng, word: u32) -> Interval {
    let size = 1i128 << word;
    if word > 16 {
        // A few numbers where something overflows.
        let k = 1i128 << rng.choice([0, 8, 31, 32, 48, 62, 63, 64, 65]).unwrap();
        let lo = *rng.choice(&[0, k, -k, size - k, k - size]).unwrap() - rng.i128(0..4);
        return Interval::new(lo, lo + rng.i128(0..5));
    }
    let half = size / 2;
    let small = 1i128 << rng.u32(0..=word);
    let at = *rng.choice(&[0, half, size, -half, -size, small, -small, 2 * size]).unwrap();
    match rng.u32(0..7) {
        0 | 1 => Interval::new(0, size - 1),
        2 => Interval::new(-half, half - 1),
        3 => Interval::new(0, small - 1),
        4 => Interval::new(0, rng.i128(0..size)),
        5 => {
            let lo = at - rng.i128(0..4);
            Interval::new(lo, lo + rng.i128(0..8))
        }
        _ => {
            let lo = rng.i128(-size..size);
            Interval::new(lo, lo + rng.i128(0..size))
        }
    }
}

impl World {
    pub(crate) fn random(rng: &mut fastrand::Rng, word: u32) -> World {
        loop {
            let mut facts = Facts::default();
            let mut points = vec![vec![]];
            for _ in 0..rng.usize(1..=3) {
                let i = interval(rng, word);
                if points.len() * ((i.hi - i.lo + 1) as usize) > POINTS {
                    continue;
                }
                facts.fresh(i);
                points =
                    points.iter().flat_map(|p| (i.lo..=i.hi).map(move |x| [&p[..], &[x]].concat())).collect();
            }
            if facts.var_count() == 0 {
                continue;
            }
            let mut world = World { word, facts, points };
            for _ in 0..rng.u32(0..3) {
                let fact = world.term(rng);
                world.facts.assume(&fact);
            }
            let facts = &world.facts;
            let inside = |p: &Vec<i128>| {
                let in_box = p.iter().enumerate().all(|(v, &x)| {
                    let i = facts.interval(v as u32);
                    i.lo <= x && x <= i.hi
                });
                in_box && facts.list().iter().all(|f| value(f, p) >= 0)
            };
            world.points.retain(inside);
            if !world.points.is_empty() {
                return world;
            }
        }
    }

    /// A constant that matters.
    pub(crate) fn constant(&self, rng: &mut fastrand::Rng) -> i128 {
        let k = 1i128 << rng.u32(0..=self.word);
        match rng.u32(0..8) {
            0 => 0,
            1 => rng.i128(-3..4),
            2 => k,
            3 => -k,
            4 => k - 1,
            5 => -k - 1,
            _ => rng.i128(-(1 << self.word)..2 << self.word),
        }
    }

    /// A new variable with a small range, such as a shift count.
    pub(crate) fn count(&mut self, rng: &mut fastrand::Rng) -> Term {
        let lo = rng.i128(-2..12);
        let hi = lo + rng.i128(0..6);
        self.points =
            self.points.iter().flat_map(|p| (lo..=hi).map(move |x| [&p[..], &[x]].concat())).collect();
        Term::var(self.facts.fresh(Interval::new(lo, hi)))
    }

    /// A random operand.
    pub(crate) fn term(&self, rng: &mut fastrand::Rng) -> Term {
        let n = self.facts.var_count() as u32;
        let var = |rng: &mut fastrand::Rng| Term::var(rng.u32(0..n));
        let t = match rng.u32(0..11) {
            0 => Term::zero(),
            1..=4 => return var(rng),
            5 => var(rng),
            6 => var(rng).neg().unwrap(),
            7 => var(rng).scale(1 << rng.u32(0..5)).unwrap(),
            8 => var(rng).add_scaled(&var(rng), rng.i128(-3..4)).unwrap(),
            9 => var(rng).sub(&var(rng)).unwrap(),
            // A register of which only the low bits were written.
            _ => var(rng).add_scaled(&var(rng), 1 << rng.u32(1..6)).unwrap(),
        };
        t.offset(self.constant(rng)).unwrap()
    }

    /// Some of the points.
    pub(crate) fn sample(&self, rng: &mut fastrand::Rng, n: usize) -> Vec<Vec<i128>> {
        if self.points.len() <= n {
            return self.points.clone();
        }
        (0..n).map(|_| rng.choice(&self.points).unwrap().clone()).collect()
    }
}

/// `term` is `value` modulo `2^bits`.
pub(crate) struct Congruence {
    pub(crate) term: Term,
    pub(crate) bits: u32,
    pub(crate) value: u64,
}

/// How far from 0 values of fresh variables are looked for.
const FAR: i128 = (1 << 126) - 1;

/// Whether the point extends to values of the fresh variables such that all intervals and facts,
/// all of `extra >= 0` and all congruences hold.
pub(crate) fn extends(facts: &Facts, point: &[i128], extra: &[Term], congruences: &[Congruence]) -> bool {
    let n = facts.var_count();
    let mut bounds: Vec<(i128, i128)> = (0..n)
        .map(|v| {
            let i = facts.interval(v as u32);
            match (i.lo.max(-FAR), i.hi.min(FAR)) {
                _ if i.lo > i.hi => (1, 0),
                // Enough for every word.
                (lo, _) if i.hi > FAR => (lo, lo + (1 << 66)),
                bounds => bounds,
            }
        })
        .collect();
    for (b, &x) in bounds.iter_mut().zip(point) {
        if x < b.0 || x > b.1 {
            return false;
        }
        *b = (x, x);
    }
    if bounds.iter().any(|b| b.0 > b.1) {
        return false;
    }
    let rows: Vec<&Term> = facts.list().iter().chain(extra).collect();
    // Of words of 32 and 64 bits not all values can be tried.
    let wide = point.iter().any(|x| x.abs() > 4096) || congruences.iter().any(|c| c.bits > 16);
    let most = if wide { 64 } else { 1 << 16 };
    dive(&rows, congruences, bounds, most)
}

fn dive(rows: &[&Term], congruences: &[Congruence], mut bounds: Vec<(i128, i128)>, most: i128) -> bool {
    if !narrow(rows, &mut bounds) || !congruences.iter().all(|c| possible(c, &bounds)) {
        return false;
    }
    let open = |v: &usize| bounds[*v].0 < bounds[*v].1;
    let Some(v) = (0..bounds.len()).filter(open).min_by_key(|&v| bounds[v].1 - bounds[v].0) else {
        return true;
    };
    let (lo, hi) = bounds[v];
    // A congruence that needs only this variable leaves one value in each 2^bits.
    let (first, step) = congruences.iter().find_map(|c| only(c, v, &bounds)).unwrap_or((lo, 1));
    if (hi - first) / step >= most {
        return true;
    }
    (0..).map(|i| first + i * step).take_while(|x| *x <= hi).any(|x| {
        let mut next = bounds.clone();
        next[v] = (x, x);
        congruences.iter().all(|c| possible(c, &next)) && dive(rows, congruences, next, most)
    })
}

/// If all variables but `v` are fixed and `v` has coefficient 1: its least value and the step.
fn only(c: &Congruence, v: usize, bounds: &[(i128, i128)]) -> Option<(i128, i128)> {
    let mut rest = i128::from(c.value) - c.term.konst();
    for &(u, k) in c.term.summands().iter() {
        let (lo, hi) = bounds[u as usize];
        if u as usize != v {
            (lo == hi).then_some(())?;
            rest = rest.wrapping_sub(i128::from(k).wrapping_mul(lo));
        }
    }
    (c.term.coefficient(v as u32) == 1).then_some(())?;
    let lo = bounds[v].0;
    Some((lo + rest.wrapping_sub(lo).rem_euclid(1 << c.bits), 1 << c.bits))
}

/// False only if all variables of the congruence are fixed and it does not hold.
fn possible(c: &Congruence, bounds: &[(i128, i128)]) -> bool {
    let mut sum = c.term.konst();
    for &(v, k) in c.term.summands().iter() {
        let (lo, hi) = bounds[v as usize];
        if lo != hi {
            return true;
        }
        sum = sum.wrapping_add(i128::from(k).wrapping_mul(lo));
    }
    sum.wrapping_sub(i128::from(c.value)).rem_euclid(1 << c.bits) == 0
}

fn narrow(rows: &[&Term], bounds: &mut [(i128, i128)]) -> bool {
    for _ in 0..4 {
        let mut changed = false;
        for row in rows {
            let reach = |(v, c): (u32, i64)| {
                let (lo, hi) = bounds[v as usize];
                i128::from(c).checked_mul(if c > 0 { hi } else { lo })
            };
            let most = row.summands().iter().try_fold(row.konst(), |m, s| m.checked_add(reach(*s)?));
            let Some(most) = most else { continue };
            if most < 0 {
                return false;
            }
            for &(v, c) in row.summands().iter() {
                let (lo, hi) = &mut bounds[v as usize];
                let reach = most.div_euclid(i128::from(c).abs());
                if c > 0 && hi.saturating_sub(reach) > *lo {
                    *lo = *hi - reach;
                    changed = true;
                } else if c < 0 && lo.saturating_add(reach) < *hi {
                    *hi = *lo + reach;
                    changed = true;
                }
            }
        }
        if !changed {
            break;
        }
    }
    true
}

/// Proves what is true at all points: stronger than any guide. Sometimes it does not want to.
pub(crate) struct Oracle<'a> {
    pub(crate) points: &'a [Vec<i128>],
    pub(crate) rng: fastrand::Rng,
    /// How often out of 4 it tries.
    pub(crate) zeal: u32,
}

impl Prove for Oracle<'_> {
    fn prove(&mut self, facts: &Facts, goal: &Term) -> bool {
        let Some(violated) = goal.neg().and_then(|t| t.offset(-1)) else { return false };
        self.rng.u32(0..4) < self.zeal
            && !self.points.iter().any(|p| extends(facts, p, std::slice::from_ref(&violated), &[]))
    }
}
