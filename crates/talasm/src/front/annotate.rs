//! Lowers the annotations of labels.

use super::ast::{AnnotItem, Arg, ExprId, Fact, Rel, TypeKind};
use super::body::Frame;
use super::cx::{Binding, Cx, Found};
use super::names::known;
use super::sigs::register_name;
use crate::ir::{Annotation, Function, LinExpr, RegOp, Span};
use talcore::term::Term;

impl Cx<'_> {
    pub(super) fn annotation(
        &mut self,
        f: &Frame,
        i: u32,
        span: Span,
        function: &Function,
    ) -> Option<Annotation> {
        let mut out = Annotation { vars: Vec::new(), regs: Vec::new(), facts: Vec::new(), span };
        let mut good = true;
        let items = &f.body.annotations[i as usize];
        for item in items {
            if let AnnotItem::Binder(id, a, z) = item {
                let lo = self.eval_int(f.ast, *a, &f.vars);
                let hi = self.eval_int(f.ast, *z, &f.vars);
                out.vars.push((self.name(id.name), lo, hi));
            }
        }
        for item in items {
            match item {
                AnnotItem::Binder(..) => (),
                AnnotItem::Reg(reg, at, t) => {
                    let ty = f.ast.ty(*t);
                    let (TypeKind::App(id, args), RegOp::Gpr(n, w)) = (&ty.kind, *reg) else {
                        good = self.only_int(ty.span);
                        continue;
                    };
                    let (known::INT, [Arg::Expr(e)]) = (id.name, &args[..]) else {
                        good = self.only_int(ty.span);
                        continue;
                    };
                    if w as u32 != self.word_bytes() {
                        let whole = register_name(n, self.word_bytes());
                        self.error(1208, "an annotation speaks of whole registers")
                            .at(*at, "only a part")
                            .help(format!("use `{whole}`"));
                        good = false;
                        continue;
                    }
                    match self.linear(f, *e, &mut out.vars, function) {
                        Some(e) => out.regs.push((n, e)),
                        None => good = false,
                    }
                }
                AnnotItem::Fact(fact) => good &= self.linear_fact(f, fact, &mut out, function).is_some(),
            }
        }
        good.then_some(out)
    }

    fn only_int(&mut self, span: Span) -> bool {
        self.error(1201, "annotations of other types than `int(...)` are not supported yet")
            .at(span, "the assembler infers these types")
            .help("an annotation gives what cannot be inferred: `.loop: {rcx: int(i), 0 <= i, i <= n}`");
        false
    }

    /// An expression over named variables: those of the signature and new ones.
    fn linear(
        &mut self,
        f: &Frame,
        e: ExprId,
        bound: &mut Vec<(String, Option<i128>, Option<i128>)>,
        function: &Function,
    ) -> Option<LinExpr> {
        let mut used = Vec::new();
        super::kinds::in_expr(f.ast, e, &mut used);
        let mut vars = f.vars.clone();
        let mut names: Vec<String> = Vec::new();
        for (name, _, _) in used {
            let text = self.name(name);
            let known = function.var_names.contains(&text) || bound.iter().any(|b| b.0 == text);
            if vars.get(name).is_some() || (!known && !matches!(self.lookup(vars.file, name), Found::Missing))
            {
                continue;
            }
            if !known {
                bound.push((text.clone(), None, None));
            }
            vars.list.push((name, Binding::Index(Term::var(names.len() as u32))));
            names.push(text);
        }
        let t = self.eval_term(f.ast, e, &vars)?;
        let summands = t.summands().into_iter().map(|s| (names[s.0 as usize].clone(), s.1 as i128));
        Some(LinExpr { konst: t.konst(), vars: summands.collect() })
    }

    fn linear_fact(
        &mut self,
        f: &Frame,
        fact: &Fact,
        out: &mut Annotation,
        function: &Function,
    ) -> Option<()> {
        let mut left = self.linear(f, fact.first, &mut out.vars, function)?;
        for (rel, e) in &fact.rest {
            let right = self.linear(f, *e, &mut out.vars, function)?;
            let (a, b) = (&left, &right);
            match rel {
                Rel::Le => out.facts.push(minus(b, a, 0)),
                Rel::Lt => out.facts.push(minus(b, a, 1)),
                Rel::Ge => out.facts.push(minus(a, b, 0)),
                Rel::Gt => out.facts.push(minus(a, b, 1)),
                Rel::Eq => {
                    out.facts.push(minus(a, b, 0));
                    out.facts.push(minus(b, a, 0));
                }
            }
            left = right;
        }
        Some(())
    }
}

/// `a - b - c`.
fn minus(a: &LinExpr, b: &LinExpr, c: i128) -> LinExpr {
    // Constants have at most 100 bits and coefficients 63, so none of this overflows.
    let mut out = a.clone();
    out.konst = out.konst - b.konst - c;
    for (name, k) in &b.vars {
        let entry = out.vars.entry(name.clone()).or_insert(0);
        *entry -= k;
        if *entry == 0 {
            out.vars.remove(name);
        }
    }
    out
}
