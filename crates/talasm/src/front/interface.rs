//! Writes the interface of a module: what other modules may `use`.

use super::ast::{
    Arg, Ast, Binder, Bound, Decl, DeclKind, ExprId, ExprKind, Fact, FnSig, Modifier, Sig, Slot, TypeId,
    TypeKind,
};
use super::cx::{Cx, DeclId, Found};
use super::lex::{Lexer, Tok};
use super::names::{Name, Names, known};
use crate::ir::{Section, Span};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::rc::Rc;
use talcore::arch::Arch;
use talcore::types::Layout;

impl Cx<'_> {
    /// The text of the module's interface. Declarations that are not public are part of it where
    /// public ones mention them, but cannot be named by the modules that use it.
    pub(super) fn interface(&mut self) -> String {
        let decls = Rc::clone(&self.decls);
        let ast = Rc::clone(&self.ast);
        let mut wanted = BTreeSet::new();
        let own = |d: &Decl| d.span.file == 0 && d.public;
        let mut todo: Vec<DeclId> =
            (0..decls.len()).filter(|i| own(&decls[*i])).map(|i| i as DeclId).collect();
        while let Some(id) = todo.pop() {
            if !wanted.insert(id) {
                continue;
            }
            let used = self.inferred_uses.get(&id).into_iter().flatten();
            todo.extend(used.copied().filter(|d| decls[*d as usize].span.file == 0));
            for name in mentioned(&ast, &decls[id as usize]) {
                let first = self.name(name).split('.').next().map(|f| self.names.intern(f));
                if let Found::Decl(d) = self.lookup(0, first.unwrap_or(name))
                    && decls[d as usize].span.file == 0
                {
                    todo.push(d);
                }
            }
        }
        let mut out = String::new();
        let arch = if self.options.arch == Arch::Amd64 { "amd64" } else { "ia32" };
        let _ = writeln!(out, "arch {arch}");
        for d in decls.iter().filter(|d| d.span.file == 0 && matches!(d.kind, DeclKind::Use)) {
            let _ = writeln!(out, "use {}", self.name(d.ident.name));
        }
        for id in wanted {
            self.shows_no_secret(id, &decls[id as usize]);
            self.write_decl(&mut out, id, &decls[id as usize]);
        }
        out
    }

    fn write_decl(&mut self, out: &mut String, id: DeclId, d: &Decl) {
        let name = self.name(d.ident.name);
        if d.public {
            out.push_str("pub ");
        }
        match &d.kind {
            DeclKind::Const(_) => {
                let value = self.const_value(id, d.ident.span).unwrap_or(0);
                let _ = write!(out, "const {name} = {value}");
            }
            DeclKind::Struct { params, sealed: true, .. } => {
                let _ = write!(out, "abstract struct {name}{}", self.formals(id, params));
            }
            DeclKind::Object(o) => {
                let section = match o.section {
                    Section::Rodata => "rodata",
                    Section::Data => "data",
                    Section::Bss => "bss",
                };
                let own = if o.owned.is_some() { "own " } else { "" };
                let _ = write!(out, "{section} {own}{name}: {}", self.written_layout(id, o.ty));
            }
            _ => {
                let words = self.words(d.span);
                out.push_str(words.strip_prefix("pub ").unwrap_or(&words));
            }
        }
        if let (Some(uses), DeclKind::Fn(FnSig::Inline(_))) = (self.inferred_uses.get(&id), &d.kind) {
            let decls = &self.decls;
            let names: Vec<&str> =
                uses.iter().map(|d| self.names.get(decls[*d as usize].ident.name)).collect();
            if !names.is_empty() {
                let _ = write!(out, " uses ({})", names.join(", "));
            }
        }
        out.push('\n');
    }

    /// The layout of an object as it is written, with its size if that was left out.
    fn written_layout(&mut self, id: DeclId, ty: TypeId) -> String {
        let ast = Rc::clone(&self.ast);
        let written = self.words(ast.ty(ty).span);
        let Some(info) = self.object_info(id) else { return written };
        match (&ast.ty(ty).kind, self.table.types.layout(info.layout)) {
            (TypeKind::Name(known::BYTES), _) => format!("bytes({})", info.size.unwrap_or(0)),
            (TypeKind::Name(known::CSTR), _) => format!("cstr({})", info.size.unwrap_or(1) - 1),
            (TypeKind::Array(None, each), Layout::Array(n, _)) => {
                let n = n.as_const().unwrap_or(0);
                format!("[{n}]{}", self.words(ast.ty(*each).span))
            }
            (TypeKind::Nullterm(None, t), Layout::NullTerm(Some(n), _)) => {
                let n = n.as_const().unwrap_or(0);
                format!("nullterm({n}) {}", self.words(ast.ty(*t).span))
            }
            _ => written,
        }
    }

    /// A stretch of the source on one line, without comments.
    fn words(&self, span: Span) -> String {
        let text = Rc::clone(&self.files[span.file as usize].text);
        let mut names = Names::default();
        let mut out = String::new();
        let mut last = span.start;
        for (l, tok, r) in Lexer::new(&text, span.start, span.end, &mut names).flatten() {
            if tok == Tok::Newline {
                continue;
            }
            if l > last {
                out.push(' ');
            }
            out.push_str(&text[l as usize..r as usize]);
            last = r;
        }
        out
    }
}

/// The names that the part of a declaration mentions which belongs to its interface.
fn mentioned(ast: &Ast, d: &Decl) -> Vec<Name> {
    let mut out = Vec::new();
    match &d.kind {
        DeclKind::Struct { sealed: true, .. } => (),
        DeclKind::Struct { facts, members, .. } => {
            facts.iter().for_each(|f| in_fact(ast, f, &mut out));
            members.types().into_iter().for_each(|t| in_type(ast, t, &mut out));
        }
        DeclKind::Type { body, .. } => in_type(ast, *body, &mut out),
        DeclKind::Fn(FnSig::Inline(sig)) => in_sig(ast, sig, &mut out),
        DeclKind::Fn(FnSig::Named(t)) => in_type(ast, *t, &mut out),
        DeclKind::Object(o) => in_type(ast, o.ty, &mut out),
        _ => (),
    }
    out
}

fn in_sig(ast: &Ast, sig: &Sig, out: &mut Vec<Name>) {
    in_binders(ast, &sig.binders, out);
    for p in sig.params.iter().chain(&sig.results) {
        if let Slot::Stack(_, e) = p.slot {
            in_expr(ast, e, out);
        }
        in_type(ast, p.ty, out);
        p.when.iter().for_each(|w| in_expr(ast, w.value, out));
    }
    for f in sig.facts.iter().chain(&sig.result_facts) {
        in_fact(ast, f, out);
    }
    for k in &sig.keeps {
        in_type(ast, k.ty, out);
        in_expr(ast, k.when.value, out);
    }
    for (m, _) in &sig.modifiers {
        if let Modifier::Uses(names) = m {
            out.extend(names.iter().map(|n| n.name));
        }
    }
}

fn in_binders(ast: &Ast, binders: &[Binder], out: &mut Vec<Name>) {
    for b in binders {
        if let Bound::Range(a, z) = b.bound {
            in_expr(ast, a, out);
            in_expr(ast, z, out);
        }
    }
}

fn in_fact(ast: &Ast, fact: &Fact, out: &mut Vec<Name>) {
    in_expr(ast, fact.first, out);
    fact.rest.iter().for_each(|r| in_expr(ast, r.1, out));
}

fn in_expr(ast: &Ast, e: ExprId, out: &mut Vec<Name>) {
    match ast.expr(e).kind {
        ExprKind::Name(n) | ExprKind::Path(n) | ExprKind::SizeOf(n) | ExprKind::OffsetOf(n, _) => out.push(n),
        ExprKind::Neg(x) | ExprKind::Not(x) => in_expr(ast, x, out),
        ExprKind::Bin(_, x, y) => {
            in_expr(ast, x, out);
            in_expr(ast, y, out);
        }
        ExprKind::Num(_) | ExprKind::Str | ExprKind::WordSize | ExprKind::Error => (),
    }
}

fn in_type(ast: &Ast, t: TypeId, out: &mut Vec<Name>) {
    match &ast.ty(t).kind {
        TypeKind::Name(n) => out.push(*n),
        TypeKind::App(n, args) => {
            out.push(n.name);
            for arg in args {
                match arg {
                    Arg::Expr(e) => in_expr(ast, *e, out),
                    Arg::Range(a, z) => {
                        in_expr(ast, *a, out);
                        in_expr(ast, *z, out);
                    }
                    Arg::Type(t) => in_type(ast, *t, out),
                }
            }
        }
        TypeKind::Borrow(_, t, back) => {
            in_type(ast, *t, out);
            back.iter().for_each(|t| in_type(ast, *t, out));
        }
        TypeKind::AtLeast(_, e) => in_expr(ast, *e, out),
        TypeKind::Nullterm(e, t) | TypeKind::Array(e, t) => {
            e.iter().for_each(|e| in_expr(ast, *e, out));
            in_type(ast, *t, out);
        }
        TypeKind::Own(t) | TypeKind::Ref(_, t) | TypeKind::Imm(t) | TypeKind::Opt(t) | TypeKind::Res(t) => {
            in_type(ast, *t, out)
        }
        TypeKind::Exists(e) => {
            in_binders(ast, &e.binders, out);
            e.facts.iter().for_each(|f| in_fact(ast, f, out));
            in_type(ast, e.body, out);
        }
        TypeKind::Seq(parts) => parts.iter().for_each(|t| in_type(ast, *t, out)),
        TypeKind::Fn(sig) => in_sig(ast, sig, out),
        TypeKind::Error => (),
    }
}
