//! Decides by its uses what a variable stands for: a number or a word type.

use super::ast::{Arg, Ast, Bound, DeclKind, Exists, ExprId, ExprKind, Fact, Sig, TypeId, TypeKind};
use super::cx::{Cx, DeclId, Found, Memo};
use super::names::Name;
use crate::ir::Span;
use std::rc::Rc;

/// How a name is used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Use {
    /// In an expression.
    Index,
    /// As a type.
    Type,
}

/// A name with its use.
pub(super) type Used = (Name, Span, Use);

/// Names in an expression.
pub(super) fn in_expr(ast: &Ast, id: ExprId, out: &mut Vec<Used>) {
    let e = ast.expr(id);
    match e.kind {
        ExprKind::Name(n) => out.push((n, e.span, Use::Index)),
        ExprKind::Neg(x) | ExprKind::Not(x) => in_expr(ast, x, out),
        ExprKind::Bin(_, x, y) => {
            in_expr(ast, x, out);
            in_expr(ast, y, out);
        }
        _ => (),
    }
}

/// Names in facts.
pub(super) fn in_facts(ast: &Ast, facts: &[Fact], out: &mut Vec<Used>) {
    for f in facts {
        in_expr(ast, f.first, out);
        f.rest.iter().for_each(|r| in_expr(ast, r.1, out));
    }
}

impl Cx<'_> {
    /// Names in a type; of those in signatures of function values, which have their own, only types.
    pub(super) fn names_in_type(&mut self, ast: &Ast, id: TypeId, file: u16, out: &mut Vec<Used>) {
        let t = ast.ty(id);
        match &t.kind {
            TypeKind::Name(n) => out.push((*n, t.span, Use::Type)),
            TypeKind::App(name, args) => {
                let (kinds, open) = self.param_kinds_of(name.name, file);
                for (i, arg) in args.iter().enumerate() {
                    match arg {
                        Arg::Expr(e) => {
                            let expr = ast.expr(*e);
                            match (expr.kind, kinds.as_ref().and_then(|k| k.get(i))) {
                                (ExprKind::Name(n), Some(Some(Use::Type))) => {
                                    out.push((n, expr.span, Use::Type));
                                }
                                // What a struct passes to itself says nothing, also by way of an abbreviation.
                                (ExprKind::Name(_), None) if open => (),
                                (ExprKind::Name(_), Some(None)) => (),
                                _ => in_expr(ast, *e, out),
                            }
                        }
                        Arg::Range(a, z) => {
                            in_expr(ast, *a, out);
                            in_expr(ast, *z, out);
                        }
                        Arg::Type(t) => self.names_in_type(ast, *t, file, out),
                    }
                }
            }
            TypeKind::Ref(stretch, t) => {
                out.extend(stretch.iter().map(|s| (s.name, s.span, Use::Index)));
                self.names_in_type(ast, *t, file, out);
            }
            TypeKind::Borrow(_, t, _)
            | TypeKind::Own(t)
            | TypeKind::Imm(t)
            | TypeKind::Opt(t)
            | TypeKind::Res(t) => self.names_in_type(ast, *t, file, out),
            TypeKind::AtLeast(_, e) => in_expr(ast, *e, out),
            TypeKind::Nullterm(n, t) | TypeKind::Array(n, t) => {
                if let Some(e) = n {
                    in_expr(ast, *e, out);
                }
                self.names_in_type(ast, *t, file, out);
            }
            TypeKind::Fn(sig) => {
                // What it binds is its own, and so are numbers that only its results mention; a type variable, a number
                // or a stretch of an enclosing signature may be meant.
                let bound = |u: &Used| sig.binders.iter().any(|b| b.ident.name == u.0);
                let inner = self.names_in_params(ast, sig, file);
                out.extend(inner.into_iter().filter(|u| !bound(u)));
                let inner = self.names_in_results(ast, sig, file);
                out.extend(inner.into_iter().filter(|u| u.2 == Use::Type && !bound(u)));
            }
            TypeKind::Exists(e) => out.extend(self.names_in_exists(ast, e, file)),
            TypeKind::Seq(parts) => parts.iter().for_each(|t| self.names_in_type(ast, *t, file, out)),
            TypeKind::Error => (),
        }
    }

    /// Names in an existential type but for those that it binds.
    pub(super) fn names_in_exists(&mut self, ast: &Ast, e: &Exists, file: u16) -> Vec<Used> {
        let mut out = self.names_in_body(ast, e, file);
        out.retain(|u| e.binders.iter().all(|b| b.ident.name != u.0));
        for b in &e.binders {
            match b.bound {
                Bound::Range(a, z) => {
                    in_expr(ast, a, &mut out);
                    in_expr(ast, z, &mut out);
                }
                Bound::Size(n) => in_expr(ast, n, &mut out),
                _ => {}
            }
        }
        out
    }

    /// Names in the facts and the body of an existential type.
    pub(super) fn names_in_body(&mut self, ast: &Ast, e: &Exists, file: u16) -> Vec<Used> {
        let mut out = Vec::new();
        self.names_in_type(ast, e.body, file, &mut out);
        in_facts(ast, &e.facts, &mut out);
        out
    }

    /// Names in the parameters and facts of a signature.
    pub(super) fn names_in_params(&mut self, ast: &Ast, sig: &Sig, file: u16) -> Vec<Used> {
        let mut out = Vec::new();
        for p in &sig.params {
            self.names_in_type(ast, p.ty, file, &mut out);
        }
        in_facts(ast, &sig.facts, &mut out);
        out
    }

    /// Names in the results of a signature: their types and what is given back.
    pub(super) fn names_in_results(&mut self, ast: &Ast, sig: &Sig, file: u16) -> Vec<Used> {
        let mut out = Vec::new();
        for p in &sig.params {
            if let TypeKind::Borrow(_, _, Some(back)) = ast.ty(p.ty).kind {
                self.names_in_type(ast, back, file, &mut out);
            }
        }
        for ty in sig.results.iter().map(|p| p.ty).chain(sig.keeps.iter().map(|k| k.ty)) {
            self.names_in_type(ast, ty, file, &mut out);
        }
        out
    }

    /// What parameters stand for as far as it is known, and whether that is just being found out.
    fn param_kinds_of(&mut self, name: Name, file: u16) -> (Option<Rc<[Option<Use>]>>, bool) {
        match self.lookup(file, name) {
            Found::Decl(d) => {
                let open = matches!(self.kinds.get(&d), Some(Memo::Busy));
                self.guessed |= open;
                (self.seen_kinds(d), open)
            }
            _ => (None, false),
        }
    }

    /// What the parameters of a struct or an abbreviation stand for; `None` if it is none.
    pub(super) fn param_kinds(&mut self, decl: DeclId) -> Option<Rc<[Use]>> {
        let seen = self.seen_kinds(decl)?;
        Some(seen.iter().map(|kind| kind.unwrap_or(Use::Index)).collect())
    }

    /// The same as far as it is known: while a struct is being looked at that leads to itself, what is passed to it
    /// is not.
    fn seen_kinds(&mut self, decl: DeclId) -> Option<Rc<[Option<Use>]>> {
        match self.kinds.get(&decl) {
            Some(Memo::Done(kinds)) => {
                return kinds.as_ref().map(|kinds| kinds.iter().map(|kind| Some(*kind)).collect());
            }
            Some(_) => return None,
            None => (),
        }
        let decls = Rc::clone(&self.decls);
        let d = &decls[decl as usize];
        let (params, bodies): (_, Vec<TypeId>) = match &d.kind {
            DeclKind::Type { params, body } => (params, vec![*body]),
            DeclKind::Struct { params, members, .. } if !params.is_empty() => (params, members.types()),
            _ => return None,
        };
        self.kinds.insert(decl, Memo::Busy);
        self.asking += 1;
        let mut used = Vec::new();
        if self.enter(d.ident.span) {
            let ast = Rc::clone(&self.ast);
            for body in bodies {
                self.names_in_type(&ast, body, d.span.file, &mut used);
            }
            self.leave();
        }
        self.asking -= 1;
        let moved = |p: Name| match &d.kind {
            DeclKind::Struct { moved, copied, sized, .. } => {
                moved.contains(&p) || copied.contains(&p) || sized.iter().any(|s| s.0 == p)
            }
            _ => false,
        };
        if let DeclKind::Struct { sized, .. } = &d.kind {
            let ast = Rc::clone(&self.ast);
            sized.iter().for_each(|(_, n)| in_expr(&ast, *n, &mut used));
        }
        used.extend(params.iter().filter(|p| moved(p.name)).map(|p| (p.name, p.span, Use::Type)));
        let seen: Rc<[Option<Use>]> =
            params.iter().map(|p| used.iter().find(|u| u.0 == p.name).map(|u| u.2)).collect();
        // Structs that lead to each other are looked at from each of them: only then all uses are seen.
        if self.guessed && self.asking > 0 {
            self.kinds.remove(&decl);
            return Some(seen);
        }
        self.guessed = false;
        for p in params {
            self.one_kind(p.name, p.span, &used);
        }
        let kinds = seen.iter().map(|kind| kind.unwrap_or(Use::Index)).collect();
        self.kinds.insert(decl, Memo::Done(Some(kinds)));
        self.seen_kinds(decl)
    }

    /// Complains if a variable is used both as a number and as a type.
    pub(super) fn one_kind(&mut self, name: Name, span: Span, used: &[Used]) -> bool {
        let find = |kind| used.iter().find(|u| u.0 == name && u.2 == kind).map(|u| u.1);
        let (Some(index), Some(ty)) = (find(Use::Index), find(Use::Type)) else { return true };
        let text = self.name(name);
        self.error(1210, format!("`{text}` is used both as a number and as a type"))
            .at(span, "declared here")
            .near(index, "a number here")
            .near(ty, "a type here");
        false
    }
}
