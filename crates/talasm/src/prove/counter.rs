//! Integer points at which facts hold: counter-examples for messages, and [`Models`] to see quickly
//! that something cannot be proved.

use super::problem::{Problem, Row};
use std::collections::HashMap;
use talcore::facts::{Facts, tighten};
use talcore::term::{Term, Var};

/// Where a variable without a bound is looked for.
const FAR: i128 = 1 << 80;
/// How many assignments of a variable are tried in all.
const NODES: u32 = 2000;
/// The same for one model.
const MODEL_NODES: u32 = 300;
/// How often bounds are propagated through all constraints at each of them.
const ROUNDS: u32 = 8;

/// Values for the variables that are connected with the goal, such that all facts and intervals of
/// these variables hold and `goal >= 0` does not; in order of variables. `None` says nothing.
pub fn counterexample(facts: &Facts, goal: &Term) -> Option<Vec<(Var, i128)>> {
    let goal = tighten(goal)?;
    let problem = Problem::connected(facts, &goal);
    let mut rows: Vec<Row> = problem.facts.iter().map(|(_, row)| row.clone()).collect();
    // Not goal >= 0: -goal - 1 >= 0.
    rows.push(Row {
        konst: problem.goal.konst.checked_neg()?.checked_sub(1)?,
        parts: problem.goal.parts.iter().map(|&(v, c)| (v, -c)).collect(),
    });
    let values = solve(&problem, &rows, outset(&problem), NODES, |lo, hi| {
        // Small values first.
        let near = 0i128.clamp(lo, hi);
        let mut tried = vec![near, lo, hi, lo + 1, hi - 1, (lo + hi) / 2];
        tried.extend([1, 2, 3, 4, 8, 16].map(|x| near + x));
        tried
    })?;
    let mut named: Vec<(Var, i128)> = problem.vars.iter().copied().zip(values).collect();
    named.sort_unstable();
    Some(named)
}

/// Some points at which all facts about some variables hold. What is false at one of them follows
/// from these facts by no proof, so one need not look for one.
#[derive(Clone, Debug, Default)]
pub struct Models {
    number: HashMap<Var, usize>,
    points: Vec<Vec<i128>>,
}

impl Models {
    /// The same for all variables.
    pub fn whole(facts: &Facts, count: usize) -> Models {
        let vars: Vec<Var> = (0..facts.var_count() as Var).collect();
        Models::of(facts, &vars, count)
    }

    /// Up to `count` points for the variables `vars`. They are models of these facts only: what is
    /// assumed later may not hold at them.
    pub fn of(facts: &Facts, vars: &[Var], count: usize) -> Models {
        let problem = Problem::around(facts, vars);
        let rows: Vec<Row> = problem.facts.iter().map(|(_, row)| row.clone()).collect();
        // Points far apart refute more; the sequence is always the same.
        let mut state = 0x9E37_79B9_7F4A_7C15u64;
        let mut random = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        let mut points: Vec<Vec<i128>> = Vec::new();
        // What all points have in common.
        let mut bounds = outset(&problem);
        let count = if propagate(&rows, &mut bounds) { count } else { 0 };
        for _ in 0..count {
            let point = solve(&problem, &rows, bounds.clone(), MODEL_NODES, |lo, hi| {
                let near = 0i128.clamp(lo, hi);
                let small = near + i128::from(random() % 1000);
                let first = match random() % 4 {
                    0 => lo,
                    1 => hi,
                    2 => near,
                    _ => small,
                };
                vec![first, near, lo, hi, small, (lo + hi) / 2]
            });
            points.extend(point);
        }
        points.dedup();
        let number = problem.vars.iter().enumerate().map(|(i, &v)| (v, i)).collect();
        Models { number, points }
    }

    /// Whether `goal >= 0` is false at one of the points. Goals over other variables are not
    /// refuted.
    pub fn refute(&self, goal: &Term) -> bool {
        self.points.iter().any(|point| {
            let sum = goal.summands().iter().try_fold(goal.konst(), |sum, (v, c)| {
                let x = point.get(*self.number.get(v)?)?;
                sum.checked_add(x.checked_mul(i128::from(*c))?)
            });
            sum.is_some_and(|sum| sum < 0)
        })
    }
}

/// The bounds between which points of the problem are looked for.
fn outset(problem: &Problem) -> Vec<(i128, i128)> {
    let bounds = problem.lo.iter().zip(&problem.hi).map(|(lo, hi)| {
        let (lo, hi) = (lo.map(near_enough), hi.map(near_enough));
        (lo.unwrap_or(-FAR), hi.unwrap_or(FAR))
    });
    bounds.collect()
}

/// A point between these bounds of the problem at which all rows are at least 0, verified.
fn solve(
    problem: &Problem,
    rows: &[Row],
    start: Vec<(i128, i128)>,
    nodes: u32,
    pick: impl FnMut(i128, i128) -> Vec<i128>,
) -> Option<Vec<i128>> {
    let values = search(rows, start, nodes, pick)?;
    let holds = rows.iter().all(|row| value(row, &values).is_some_and(|x| x >= 0));
    let inside = values
        .iter()
        .zip(problem.lo.iter().zip(&problem.hi))
        .all(|(&x, (lo, hi))| lo.is_none_or(|lo| lo <= x) && hi.is_none_or(|hi| x <= hi));
    (holds && inside).then_some(values)
}

/// Bounds beyond what is looked at are moved in; the result is verified against the real ones.
fn near_enough(bound: i128) -> i128 {
    bound.clamp(-FAR, FAR)
}

fn value(row: &Row, values: &[i128]) -> Option<i128> {
    row.parts.iter().try_fold(row.konst, |sum, &(v, c)| sum.checked_add(times(c, *values.get(v)?)?))
}

/// The bounds of all variables.
type Bounds = Vec<(i128, i128)>;

/// Depth-first: narrow all bounds, fix the tightest variable to one of the values that `pick`
/// proposes for its bounds, go on.
fn search(
    rows: &[Row],
    start: Bounds,
    mut nodes: u32,
    mut pick: impl FnMut(i128, i128) -> Vec<i128>,
) -> Option<Vec<i128>> {
    // Bounds with the variable that is fixed next, and the values that have not been tried.
    let mut stack: Vec<(Bounds, usize, Vec<i128>)> = Vec::new();
    let mut bounds = start;
    loop {
        nodes = nodes.checked_sub(1)?;
        if propagate(rows, &mut bounds) {
            let open = (0..bounds.len())
                .filter(|&v| bounds[v].0 < bounds[v].1)
                .min_by_key(|&v| bounds[v].1 - bounds[v].0);
            let Some(v) = open else {
                return Some(bounds.iter().map(|b| b.0).collect());
            };
            let (lo, hi) = bounds[v];
            let mut tried: Vec<i128> = Vec::new();
            for x in pick(lo, hi) {
                if (lo..=hi).contains(&x) && !tried.contains(&x) {
                    tried.push(x);
                }
            }
            // The last one is taken first.
            tried.reverse();
            stack.push((bounds, v, tried));
        }
        bounds = loop {
            let (bounds, v, tried) = stack.last_mut()?;
            if let Some(x) = tried.pop() {
                let mut next = bounds.clone();
                next[*v] = (x, x);
                break next;
            }
            stack.pop();
        };
    }
}

/// `c * x`; nearly all factors are 1 and -1.
fn times(c: i128, x: i128) -> Option<i128> {
    match c {
        1 => Some(x),
        -1 => x.checked_neg(),
        _ => c.checked_mul(x),
    }
}

/// `floor(n / c)` for a positive `c`.
fn quotient(n: i128, c: i128) -> i128 {
    if c == 1 { n } else { n.div_euclid(c) }
}

/// Narrows bounds by each constraint; `false` if one cannot hold.
fn propagate(rows: &[Row], bounds: &mut [(i128, i128)]) -> bool {
    for _ in 0..ROUNDS {
        let mut changed = false;
        for row in rows {
            // The most that the sum can be; overflow teaches nothing.
            let most = row.parts.iter().try_fold(row.konst, |sum, &(v, c)| {
                let best = if c > 0 { bounds[v].1 } else { bounds[v].0 };
                sum.checked_add(times(c, best)?)
            });
            let Some(most) = most else { continue };
            if most < 0 {
                return false;
            }
            for &(v, c) in &row.parts {
                // c*x may fall short of its most by at most `most`.
                let (lo, hi) = &mut bounds[v];
                if c > 0 {
                    let least = hi.saturating_sub(quotient(most, c));
                    changed |= least > *lo;
                    *lo = (*lo).max(least);
                } else if let Some(k) = c.checked_neg() {
                    let largest = lo.saturating_add(quotient(most, k));
                    changed |= largest < *hi;
                    *hi = (*hi).min(largest);
                }
                if lo > hi {
                    return false;
                }
            }
        }
        if !changed {
            break;
        }
    }
    true
}
