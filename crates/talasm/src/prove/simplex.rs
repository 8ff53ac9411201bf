//! Exact linear programming for the multipliers.
//!
//! For the goal `g` and facts `f_i` over variables `v` with bounds, find multipliers `m_i >= 0` such that
//! the remainder `r = g - Σ m_i*f_i` has the largest interval lower bound. With `r_v = p_v - n_v`
//! split into what is bounded by `lo_v` and what is bounded by `hi_v`:
//!
//! ```text
//! maximise    g_0 - Σ m_i*f_i0 + Σ p_v*lo_v - Σ n_v*hi_v
//! subject to  Σ m_i*f_iv + p_v - n_v = g_v   for each v,   m, p, n >= 0
//! ```
//!
//! Columns `p_v` and `n_v` exist where the bound does. Any solution of value above -1 is a
//! certificate. The primal simplex method with integer pivoting: all entries share one denominator and stay
//! integers, so there is no rounding; overflow gives up.

use super::problem::Problem;
use talcore::facts::Cert;

/// What a column stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Column {
    /// The multiplier of this fact.
    Fact(u32),
    /// A bound of a variable; its use is implied in certificates.
    Bound,
    /// Nothing: what a row lacks to be satisfied. Has to become 0.
    Lack,
}

/// After this many pivots the choice of columns is made such that it cannot cycle.
const GREEDY_PIVOTS: u32 = 64;

struct Tableau {
    columns: Vec<Column>,
    /// One row for each variable: coefficients by column, then the right side.
    rows: Vec<Vec<i128>>,
    /// The column that each row solves for.
    basis: Vec<usize>,
    /// Gains of each column for the lack (to be minimised first), then the negative value.
    lack: Vec<i128>,
    /// Gains of each column for the value, then the negative value.
    value: Vec<i128>,
    /// The common denominator, positive.
    denominator: i128,
}

/// A certificate for the goal, if the rationals allow one.
pub(super) fn prove(problem: &Problem, steps: &mut u64) -> Option<Cert> {
    let mut t = Tableau::new(problem)?;
    let mut pivots = 0u32;
    loop {
        // value/denominator > -1, and nothing lacking.
        if t.current(&t.lack)? == 0 && t.current(&t.value)? > -t.denominator {
            return t.certificate(None);
        }
        let column = t.entering(pivots < GREEDY_PIVOTS)?;
        let Some(row) = t.leaving(column) else {
            // The value grows without bound: the facts contradict each other.
            return t.certificate(Some(column));
        };
        let cells = (t.rows.len() as u64 + 2) * (t.columns.len() as u64 + 1);
        *steps = steps.checked_sub(cells)?;
        t.pivot(row, column)?;
        pivots += 1;
    }
}

impl Tableau {
    fn new(problem: &Problem) -> Option<Tableau> {
        let n = problem.vars.len();
        let mut goal = vec![0; n];
        for &(v, c) in &problem.goal.parts {
            goal[v] = c;
        }
        // Columns as sparse lists, with their gains.
        let mut columns = Vec::new();
        let mut entries: Vec<Vec<(usize, i128)>> = Vec::new();
        let mut gains = Vec::new();
        for (i, fact) in &problem.facts {
            columns.push(Column::Fact(*i));
            entries.push(fact.parts.clone());
            gains.push(fact.konst.checked_neg()?);
        }
        let mut basis = Vec::with_capacity(n);
        let mut lacking = Vec::new();
        for (v, &need) in goal.iter().enumerate() {
            let mut start = None;
            if let Some(lo) = problem.lo[v] {
                if need >= 0 {
                    start = Some(columns.len());
                }
                columns.push(Column::Bound);
                entries.push(vec![(v, 1)]);
                gains.push(lo);
            }
            if let Some(hi) = problem.hi[v] {
                if start.is_none() && need <= 0 {
                    start = Some(columns.len());
                }
                columns.push(Column::Bound);
                entries.push(vec![(v, -1)]);
                gains.push(hi.checked_neg()?);
            }
            let start = start.unwrap_or_else(|| {
                columns.push(Column::Lack);
                entries.push(vec![(v, if need >= 0 { 1 } else { -1 })]);
                gains.push(0);
                lacking.push(columns.len() - 1);
                columns.len() - 1
            });
            basis.push(start);
        }
        let width = columns.len() + 1;
        let mut rows = vec![vec![0; width]; n];
        for (j, column) in entries.iter().enumerate() {
            for &(v, c) in column {
                rows[v][j] = c;
            }
        }
        for (v, row) in rows.iter_mut().enumerate() {
            row[width - 1] = goal[v];
            // The basic column has coefficient 1.
            if row[basis[v]] < 0 {
                row.iter_mut().for_each(|x| *x = -*x);
            }
        }
        gains.push(problem.goal.konst.checked_neg()?);
        let mut value = gains;
        let mut lack = vec![0; width];
        for &j in &lacking {
            lack[j] = -1;
        }
        // Gains relative to the basis.
        for (v, row) in rows.iter().enumerate() {
            for objective in [&mut value, &mut lack] {
                let factor = objective[basis[v]];
                if factor != 0 {
                    for (o, &x) in objective.iter_mut().zip(row) {
                        *o = o.checked_sub(x.checked_mul(factor)?)?;
                    }
                }
            }
        }
        Some(Tableau { columns, rows, basis, lack, value, denominator: 1 })
    }

    /// The present value of an objective, times the denominator.
    fn current(&self, objective: &[i128]) -> Option<i128> {
        objective.last()?.checked_neg()
    }

    /// A column that improves the lack or, where nothing lacks, the value.
    fn entering(&self, greedy: bool) -> Option<usize> {
        let complete = self.lack.last() == Some(&0);
        let gains = if complete { &self.value } else { &self.lack };
        let mut better = (0..self.columns.len()).filter(|&j| {
            // Nothing that was satisfied may lack again.
            let keeps = !complete || self.lack[j] >= 0;
            self.columns[j] != Column::Lack && gains[j] > 0 && keeps
        });
        if greedy { better.max_by_key(|&j| gains[j]) } else { better.next() }
    }

    /// The row that first reaches 0 when the column grows.
    fn leaving(&self, column: usize) -> Option<usize> {
        let mut best: Option<(i128, i128, usize)> = None;
        for (r, row) in self.rows.iter().enumerate() {
            let (x, rhs) = (row[column], *row.last()?);
            if x <= 0 {
                continue;
            }
            let better = match best {
                None => true,
                Some((bx, brhs, br)) => match (rhs.checked_mul(bx), brhs.checked_mul(x)) {
                    (Some(a), Some(b)) => a < b || (a == b && self.basis[r] < self.basis[br]),
                    _ => false,
                },
            };
            if better {
                best = Some((x, rhs, r));
            }
        }
        best.map(|b| b.2)
    }

    fn pivot(&mut self, row: usize, column: usize) -> Option<()> {
        let pivot_row = std::mem::take(&mut self.rows[row]);
        let p = pivot_row[column];
        let d = self.denominator;
        for target in self.rows.iter_mut().chain([&mut self.lack, &mut self.value]) {
            let Some(&factor) = target.get(column) else { continue };
            if p == d {
                // The usual case for differences: no scaling.
                if factor == 0 {
                    continue;
                }
                // (x*d - factor*y) / d is exact, so d divides factor*y.
                for (x, &y) in target.iter_mut().zip(&pivot_row) {
                    if y != 0 {
                        *x = x.checked_sub(factor.checked_mul(y)? / d)?;
                    }
                }
                continue;
            }
            for (x, &y) in target.iter_mut().zip(&pivot_row) {
                if *x != 0 || y != 0 {
                    *x = x.checked_mul(p)?.checked_sub(factor.checked_mul(y)?)? / d;
                }
            }
        }
        self.rows[row] = pivot_row;
        self.basis[row] = column;
        self.denominator = p;
        Some(())
    }

    /// The multipliers of the present solution, moved along `ray` until the value suffices.
    fn certificate(&self, ray: Option<usize>) -> Option<Cert> {
        let d = self.denominator;
        // Along the ray the entering column grows to `t`, and each row by `-x*t`.
        let t = match ray {
            None => 0,
            Some(j) => {
                let missing = (-d).checked_sub(self.current(&self.value)?)?;
                missing.max(0) / self.value[j].max(1) + 1
            }
        };
        let mut uses: Vec<(u32, i128)> = Vec::new();
        for (row, &column) in self.rows.iter().zip(&self.basis) {
            if let Column::Fact(i) = self.columns[column] {
                let fall = ray.map_or(Some(0), |j| row[j].checked_mul(t))?;
                uses.push((i, row.last()?.checked_sub(fall)?));
            }
        }
        if let Some(Column::Fact(i)) = ray.map(|j| self.columns[j]) {
            uses.push((i, t.checked_mul(d)?));
        }
        uses.retain(|u| u.1 > 0);
        uses.sort_unstable();
        let g = uses.iter().fold(d, |g, u| gcd(g, u.1));
        let uses = uses.iter().map(|&(i, m)| Some((i, u64::try_from(m / g).ok()?)));
        Some(Cert { goal_factor: u64::try_from(d / g).ok()?, uses: uses.collect::<Option<_>>()? })
    }
}

fn gcd(mut a: i128, mut b: i128) -> i128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}
