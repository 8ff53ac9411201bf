//! Difference constraints: shortest paths.
//!
//! A fact `x - y + c >= 0` bounds `y - x` by `c`: an edge from `x` to `y` of length `c`. Bounds of single
//! variables are edges from and to a node that stands for 0. A goal `x - y + c >= 0` follows
//! if the shortest path from `x` to `y` is at most `c`, and the facts on the path prove it.

use super::problem::{Problem, Row};
use talcore::facts::Cert;

struct Edge {
    from: usize,
    to: usize,
    length: i128,
    /// The fact; `None` for a bound.
    fact: Option<u32>,
}

/// A proof of a difference (or bound) from differences and bounds.
pub(super) fn prove(problem: &Problem, steps: &mut u64) -> Option<Cert> {
    let zero = problem.vars.len();
    let (from, to, length) = difference(&problem.goal, zero)?;
    let mut edges = Vec::new();
    for (i, fact) in &problem.facts {
        if let Some((from, to, length)) = difference(fact, zero) {
            edges.push(Edge { from, to, length, fact: Some(*i) });
        }
    }
    for v in 0..zero {
        if let Some(lo) = problem.lo[v] {
            edges.push(Edge { from: v, to: zero, length: lo.checked_neg()?, fact: None });
        }
        if let Some(hi) = problem.hi[v] {
            edges.push(Edge { from: zero, to: v, length: hi, fact: None });
        }
    }
    // Bellman and Ford: as many rounds as nodes, fewer if nothing changes.
    let mut best: Vec<Option<(i128, usize)>> = vec![None; zero + 1];
    best[from] = Some((0, usize::MAX));
    for _ in 0..=zero {
        *steps = steps.checked_sub(edges.len() as u64)?;
        let mut changed = false;
        for (e, edge) in edges.iter().enumerate() {
            let Some((so_far, _)) = best[edge.from] else { continue };
            let Some(sum) = so_far.checked_add(edge.length) else { continue };
            if best[edge.to].is_none_or(|(old, _)| sum < old) && edge.to != from {
                best[edge.to] = Some((sum, e));
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
    if best[to]?.0 > length {
        return None;
    }
    let mut uses = Vec::new();
    let mut at = to;
    for _ in 0..=zero {
        if at == from {
            uses.sort_unstable();
            return Some(Cert { goal_factor: 1, uses: uses.into() });
        }
        let edge = edges.get(best[at]?.1)?;
        uses.extend(edge.fact.map(|i| (i, 1)));
        at = edge.from;
    }
    None
}

/// `x - y + c`, `x + c` or `-y + c` as the edge `(x, y, c)`.
fn difference(row: &Row, zero: usize) -> Option<(usize, usize, i128)> {
    match *row.parts {
        [(x, 1), (y, -1)] | [(y, -1), (x, 1)] => Some((x, y, row.konst)),
        [(x, 1)] => Some((x, zero, row.konst)),
        [(y, -1)] => Some((zero, y, row.konst)),
        _ => None,
    }
}
