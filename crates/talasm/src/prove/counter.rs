//! Counter-examples: small numbers that satisfy the facts and violate a goal, for messages.

use super::problem::{Problem, Row};
use talcore::facts::{Facts, tighten};
use talcore::term::{Term, Var};

/// Where a variable without a bound is looked for.
const FAR: i128 = 1 << 80;
/// How many assignments of a variable are tried in all.
const NODES: u32 = 2000;
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
    let bounds = problem.lo.iter().zip(&problem.hi);
    let box_: Vec<(i128, i128)> =
        bounds.map(|(lo, hi)| (lo.unwrap_or(-FAR).max(-FAR), hi.unwrap_or(FAR).min(FAR))).collect();
    let values = search(&rows, box_)?;
    let holds = rows.iter().all(|row| value(row, &values).is_some_and(|x| x >= 0));
    let inside = values
        .iter()
        .zip(problem.lo.iter().zip(&problem.hi))
        .all(|(&x, (lo, hi))| lo.is_none_or(|lo| lo <= x) && hi.is_none_or(|hi| x <= hi));
    if !(holds && inside) {
        return None;
    }
    let mut named: Vec<(Var, i128)> = problem.vars.iter().copied().zip(values).collect();
    named.sort_unstable();
    Some(named)
}

fn value(row: &Row, values: &[i128]) -> Option<i128> {
    row.parts.iter().try_fold(row.konst, |sum, &(v, c)| sum.checked_add(c.checked_mul(*values.get(v)?)?))
}

/// Depth-first: narrow all bounds, fix the tightest variable, go on; small values first.
fn search(rows: &[Row], start: Vec<(i128, i128)>) -> Option<Vec<i128>> {
    let mut nodes = NODES;
    let mut stack = vec![start];
    while let Some(mut bounds) = stack.pop() {
        nodes = nodes.checked_sub(1)?;
        if !propagate(rows, &mut bounds) {
            continue;
        }
        let open = (0..bounds.len())
            .filter(|&v| bounds[v].0 < bounds[v].1)
            .min_by_key(|&v| bounds[v].1 - bounds[v].0);
        let Some(v) = open else {
            return Some(bounds.iter().map(|b| b.0).collect());
        };
        let (lo, hi) = bounds[v];
        let near = 0i128.clamp(lo, hi);
        let mut tried = vec![near, lo, hi, lo + 1, hi - 1, (lo + hi) / 2];
        tried.extend([1, 2, 3, 4, 8, 16].map(|x| near + x));
        tried.retain(|x| (lo..=hi).contains(x));
        let mut seen = Vec::new();
        tried.retain(|x| {
            !seen.contains(x) && {
                seen.push(*x);
                true
            }
        });
        // The last one pushed is looked at first.
        for &x in tried.iter().rev() {
            let mut next = bounds.clone();
            next[v] = (x, x);
            stack.push(next);
        }
    }
    None
}

/// Narrows bounds by each constraint; `false` if one cannot hold.
fn propagate(rows: &[Row], bounds: &mut [(i128, i128)]) -> bool {
    for _ in 0..ROUNDS {
        let mut changed = false;
        for row in rows {
            // The most that the sum can be; overflow teaches nothing.
            let most = row.parts.iter().try_fold(row.konst, |sum, &(v, c)| {
                let best = if c > 0 { bounds[v].1 } else { bounds[v].0 };
                sum.checked_add(c.checked_mul(best)?)
            });
            let Some(most) = most else { continue };
            if most < 0 {
                return false;
            }
            for &(v, c) in &row.parts {
                // c*x may fall short of its most by at most `most`.
                let (lo, hi) = &mut bounds[v];
                if c > 0 {
                    let least = *hi - most.div_euclid(c);
                    changed |= least > *lo;
                    *lo = (*lo).max(least);
                } else if let Some(k) = c.checked_neg() {
                    let largest = *lo + most.div_euclid(k);
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
