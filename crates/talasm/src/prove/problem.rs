//! The part of the facts that can matter for a goal, with variables numbered densely.

use std::collections::HashMap;
use talcore::facts::{Facts, NEG_INF, POS_INF};
use talcore::term::{Term, Var};

/// A linear expression over the problem's variables.
#[derive(Clone, Debug, Default)]
pub(super) struct Row {
    /// The constant.
    pub(super) konst: i128,
    /// Summands `(variable of the problem, coefficient)`.
    pub(super) parts: Vec<(usize, i128)>,
}

/// A goal and the facts that may prove it.
#[derive(Clone, Debug, Default)]
pub(super) struct Problem {
    /// The facts' names for the problem's variables.
    pub(super) vars: Vec<Var>,
    /// Lower bounds.
    pub(super) lo: Vec<Option<i128>>,
    /// Upper bounds.
    pub(super) hi: Vec<Option<i128>>,
    /// The facts and their positions in [`Facts::list`].
    pub(super) facts: Vec<(u32, Row)>,
    /// The goal.
    pub(super) goal: Row,
}

impl Problem {
    /// The facts connected with the goal by variables, without those that no proof can use.
    /// `None` if it is clear that there is no proof.
    pub(super) fn new(facts: &Facts, goal: &Term) -> Option<Problem> {
        let mut problem = Problem::connected(facts, goal);
        problem.drop_useless().then_some(problem)
    }

    /// All facts connected with the goal by variables; all facts at all for a constant goal, which
    /// only a contradiction proves.
    pub(super) fn connected(facts: &Facts, goal: &Term) -> Problem {
        let mut problem = Problem::default();
        let mut number = HashMap::new();
        problem.goal = problem.row(facts, &mut number, goal);
        if goal.as_const().is_some() {
            for (i, fact) in facts.list().iter().enumerate() {
                let row = problem.row(facts, &mut number, fact);
                problem.facts.push((i as u32, row));
            }
        } else {
            problem.connect(facts, &mut number);
        }
        problem
    }

    /// All facts connected with these variables; the goal is 0.
    pub(super) fn around(facts: &Facts, vars: &[Var]) -> Problem {
        let mut problem = Problem::default();
        let mut number = HashMap::new();
        for &v in vars {
            problem.row(facts, &mut number, &Term::var(v));
        }
        problem.connect(facts, &mut number);
        problem
    }

    /// Adds the facts that mention the variables, with their variables, and so on.
    fn connect(&mut self, facts: &Facts, number: &mut HashMap<Var, usize>) {
        let mut by_var: HashMap<Var, Vec<u32>> = HashMap::new();
        for (i, fact) in facts.list().iter().enumerate() {
            for &(v, _) in fact.summands().iter() {
                by_var.entry(v).or_default().push(i as u32);
            }
        }
        let mut taken = vec![false; facts.list().len()];
        let mut next = 0;
        while let Some(v) = self.vars.get(next).copied() {
            next += 1;
            for &i in by_var.get(&v).into_iter().flatten() {
                if !std::mem::replace(&mut taken[i as usize], true) {
                    let row = self.row(facts, number, &facts.list()[i as usize]);
                    self.facts.push((i, row));
                }
            }
        }
    }

    fn row(&mut self, facts: &Facts, number: &mut HashMap<Var, usize>, t: &Term) -> Row {
        let parts = t.summands().into_iter().map(|(v, c)| {
            let local = *number.entry(v).or_insert_with(|| {
                let i = facts.interval(v);
                self.vars.push(v);
                self.lo.push((i.lo != NEG_INF).then_some(i.lo));
                self.hi.push((i.hi != POS_INF).then_some(i.hi));
                self.vars.len() - 1
            });
            (local, i128::from(c))
        });
        let parts = parts.collect();
        Row { konst: t.konst(), parts }
    }

    /// Drops facts that leave a variable without a bound that nothing can cancel. Answers
    /// whether a proof is still possible.
    ///
    /// In `k*g - Σ m*f` a variable needs a lower bound if its coefficient is positive and an upper one if
    /// it is negative; where there is no such bound another fact has to cancel it.
    fn drop_useless(&mut self) -> bool {
        let n = self.vars.len();
        loop {
            // How many of the goal and the facts bring the variable in with coefficient + or -.
            let mut brings = vec![[0u32; 2]; n];
            let mut count = |row: &Row, sign: i128| {
                for &(v, c) in &row.parts {
                    if let Some(b) = brings.get_mut(v) {
                        b[usize::from(c * sign < 0)] += 1;
                    }
                }
            };
            count(&self.goal, 1);
            for (_, fact) in &self.facts {
                count(fact, -1);
            }
            let stuck = |row: &Row, sign: i128| {
                row.parts.iter().any(|&(v, c)| {
                    let positive = c * sign > 0;
                    let bound = if positive { self.lo[v] } else { self.hi[v] };
                    bound.is_none() && brings[v][usize::from(positive)] == 0
                })
            };
            if stuck(&self.goal, 1) {
                return false;
            }
            let keep: Vec<bool> = self.facts.iter().map(|(_, fact)| !stuck(fact, -1)).collect();
            if keep.iter().all(|&k| k) {
                return true;
            }
            let mut keep = keep.into_iter();
            self.facts.retain(|_| keep.next() == Some(true));
        }
    }
}
