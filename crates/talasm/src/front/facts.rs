//! Lowers facts: linear inequalities between expressions.

use super::ast::{Ast, Fact, Rel};
use super::cx::{Cx, Vars};
use crate::ir::Span;
use talcore::facts::tighten;
use talcore::limits;
use talcore::term::Term;

impl Cx<'_> {
    /// Facts as terms `e >= 0`.
    pub(super) fn facts(&mut self, ast: &Ast, facts: &[Fact], vars: &Vars) -> Option<Vec<Term>> {
        let mut out = Vec::new();
        let mut good = true;
        for f in facts {
            let span = ast.expr(f.first).span;
            let mut left = self.eval_term(ast, f.first, vars);
            for (rel, e) in &f.rest {
                let right = self.eval_term(ast, *e, vars);
                let (Some(a), Some(b)) = (&left, &right) else {
                    good = false;
                    left = right;
                    continue;
                };
                let span = Span { end: ast.expr(*e).span.end, ..span };
                for t in relation(*rel, a, b) {
                    good &= self.fact(t, span, &mut out);
                }
                left = right;
            }
        }
        good.then_some(out)
    }

    fn fact(&mut self, t: Option<Term>, span: Span, out: &mut Vec<Term>) -> bool {
        let Some(t) = t.and_then(|t| tighten(&t)) else {
            self.error(1401, "this fact is too large").at(span, "terms have at most 16 variables");
            return false;
        };
        match t.as_const() {
            Some(n) if n < 0 => {
                self.error(1205, "this can never hold").at(span, "false whatever the variables are");
                return false;
            }
            Some(_) => (),
            None => out.push(t),
        }
        if out.len() > limits::FACTS {
            self.error(1010, "too many facts").at(span, format!("at most {}", limits::FACTS));
            return false;
        }
        true
    }
}

/// The facts `e >= 0` that a relation stands for.
fn relation(rel: Rel, a: &Term, b: &Term) -> Vec<Option<Term>> {
    let less = |a: &Term, b: &Term, by: i128| b.sub(a).and_then(|t| t.offset(-by));
    match rel {
        Rel::Le => vec![less(a, b, 0)],
        Rel::Lt => vec![less(a, b, 1)],
        Rel::Ge => vec![less(b, a, 0)],
        Rel::Gt => vec![less(b, a, 1)],
        Rel::Eq => vec![less(a, b, 0), less(b, a, 0)],
    }
}
