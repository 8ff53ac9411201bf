//! Lowers signatures and facts.

use super::ast::{Ast, Binder, Bound, Decl, ExprKind, FnSig, Keeps, Modifier, Sig, Slot, TypeId, TypeKind};
use super::cx::{Binding, Cx, Found, TypeVar, Vars};
use super::kinds::{Use, Used};
use super::names::{Name, known};
use super::ranges;
use crate::ir::{RegOp, Span};
use std::rc::Rc;
use talcore::facts::Interval;
use talcore::limits;
use talcore::term::Term;
use talcore::types::{self, Kept, Layout, Mode, SigId, WordId, WordTy};

/// The hardware number of the stack pointer.
const SP: u8 = 4;

impl Cx<'_> {
    /// The signature of a declared function, with the names of its variables.
    pub(super) fn fn_sig(&mut self, sig: &FnSig, decl: &Decl) -> Option<(u32, Vec<String>)> {
        let ast = Rc::clone(&self.ast);
        let file = decl.span.file;
        match sig {
            FnSig::Inline(sig) => {
                let (id, names) = self.sig(&ast, sig, Vars::of(file), decl.ident.span)?;
                Some((id.0, names))
            }
            FnSig::Named(t) => {
                if matches!(ast.ty(*t).kind, TypeKind::Name(known::START)) {
                    let start = types::Sig { start: true, noreturn: true, ..types::Sig::default() };
                    return Some((self.table.sig(start).0, Vec::new()));
                }
                let names = self.abbreviated_names(&ast, *t, file);
                let w = self.word(&ast, *t, &Vars::of(file))?;
                match self.table.types.word(w) {
                    WordTy::Fn(s) => Some((s.0, names)),
                    _ => {
                        self.error(1202, "a function has the type of a function value")
                            .at(ast.ty(*t).span, "not an `fn` type")
                            .help("write the signature: `fn name(rdi: int) -> (rax: int)`");
                        None
                    }
                }
            }
        }
    }

    /// The names of the variables of an abbreviated signature, as far as they can be told.
    fn abbreviated_names(&mut self, ast: &Ast, t: TypeId, file: u16) -> Vec<String> {
        let (mut t, mut file) = (t, file);
        for _ in 0..64 {
            let name = match &ast.ty(t).kind {
                TypeKind::Fn(sig) => {
                    let params = self.names_in_params(ast, sig, file);
                    let index = |b: &&Binder| !params.iter().any(|u| u.0 == b.ident.name && u.2 == Use::Type);
                    return sig.binders.iter().filter(index).map(|b| self.name(b.ident.name)).collect();
                }
                TypeKind::Name(n) => *n,
                TypeKind::App(id, _) => id.name,
                _ => break,
            };
            let Found::Decl(d) = self.lookup(file, name) else { break };
            let d = &self.decls[d as usize];
            let super::ast::DeclKind::Type { body, .. } = d.kind else { break };
            (t, file) = (body, d.span.file);
        }
        Vec::new()
    }

    /// Lowers a signature; `vars` has the names of enclosing signatures. Answers the names of its
    /// index variables too.
    pub(super) fn sig(
        &mut self,
        ast: &Ast,
        sig: &Sig,
        mut vars: Vars,
        span: Span,
    ) -> Option<(SigId, Vec<String>)> {
        let file = vars.file;
        let in_params = self.names_in_params(ast, sig, file);
        let in_results = self.names_in_results(ast, sig, file);
        let given = std::mem::take(&mut vars.given);
        let mut out = types::Sig { vars: vec![Interval::ALL; given], ..types::Sig::default() };
        let mut names = vec![String::new(); given];
        let good = self.binders(ast, sig, &in_params, &in_results, &mut vars, &mut out, &mut names);
        let params = self.params(ast, sig, &vars, &mut out);
        let facts = self.facts(ast, &sig.facts, &vars);
        let known = vars.list.len();
        self.result_vars(&in_results, sig, &mut vars, &mut out, &mut names);
        let results = self.results(ast, sig, &vars, &mut out, &mut names);
        let result_facts = self.facts(ast, &sig.result_facts, &vars);
        let modifiers = self.modifiers(sig, &mut out, span, file);
        if !good {
            return None;
        }
        params?;
        results?;
        modifiers?;
        (out.facts, out.result_facts) = (facts?, result_facts?);
        self.say_something(ast, &in_results, sig, &vars.list[known..])?;
        ranges::narrow(&mut out);
        self.string_lengths(sig, &names, &mut out);
        self.stretches(sig, &names, &mut out, span)?;
        let id = self.table.sig(out);
        let of = |b: &(Name, Binding)| match &b.1 {
            Binding::Word(w) => match self.table.types.word(*w) {
                WordTy::Of(t, moved) => Some((t.as_var()?, TypeVar::Word(*moved))),
                _ => None,
            },
            Binding::Layout(l) => match self.table.types.layout(*l) {
                Layout::Of(t, _) => Some((t.as_var()?, TypeVar::Layout(*l))),
                _ => None,
            },
            _ => None,
        };
        let types: Vec<_> = vars.list.iter().filter_map(of).collect();
        if !types.is_empty() {
            self.type_vars.insert(id, types);
        }
        Some((id, names))
    }

    /// Variables of which pointers say that they are stretches need not be declared as such.
    fn stretches(&mut self, sig: &Sig, names: &[String], out: &mut types::Sig, span: Span) -> Option<()> {
        let types = &self.table.types;
        let words = out.params.iter().chain(&out.results).map(|p| p.1).chain(out.stack.iter().copied());
        let named = words.flat_map(|w| {
            let word = match types.word(w) {
                WordTy::Opt(inner) => types.word(*inner),
                word => word,
            };
            match word {
                WordTy::During(t, _) => vec![t],
                // A function value that needs a stretch of its surroundings.
                WordTy::FnAt(sig, args) => {
                    let needed = &types.sig(*sig).stretches;
                    needed.iter().filter_map(|v| args.get(*v as usize)).collect()
                }
                _ => Vec::new(),
            }
        });
        let named = named.filter_map(|t| t.as_var().filter(|v| (*v as usize) < out.vars.len()));
        let named: Vec<u32> = named.collect();
        for v in named {
            if out.stretches.contains(&v) {
                continue;
            }
            let Some(name) = names.get(v as usize) else { continue };
            let binder = sig.binders.iter().find(|b| self.name(b.ident.name) == *name);
            if let Some(b) = binder
                && !matches!(b.bound, Bound::Default)
            {
                let at = b.ident.span;
                self.error(1210, "a stretch has no range")
                    .at(at, "says how long pointers are good")
                    .help("write `: stretch`");
                return None;
            }
            out.vars[v as usize] = Interval::ALL;
            out.stretches.push(v);
        }
        out.stretches.sort_unstable();
        if out.stretches.len() > limits::STRETCHES {
            self.error(1010, "too many stretches").at(span, format!("at most {}", limits::STRETCHES));
            return None;
        }
        Some(())
    }

    #[allow(clippy::too_many_arguments)]
    fn binders(
        &mut self,
        ast: &Ast,
        sig: &Sig,
        in_params: &[Used],
        in_results: &[Used],
        vars: &mut Vars,
        out: &mut types::Sig,
        names: &mut Vec<String>,
    ) -> bool {
        let idents: Vec<_> = sig.binders.iter().map(|b| b.ident).collect();
        let mut good = self.bound_once(&idents).is_some();
        if sig.binders.len() > limits::BINDERS {
            self.error(1010, "too many variables")
                .at(sig.binders[0].ident.span, format!("at most {}", limits::BINDERS));
            return false;
        }
        let mut used: Vec<Used> = in_params.iter().chain(in_results).copied().collect();
        super::kinds::in_facts(ast, &sig.result_facts, &mut used);
        for b in &sig.binders {
            if let Bound::Size(n) = b.bound {
                super::kinds::in_expr(ast, n, &mut used);
            }
        }
        for b in &sig.binders {
            let (name, span) = (b.ident.name, b.ident.span);
            if !self.one_kind(name, span, &used) {
                vars.list.push((name, Binding::Broken));
                good = false;
                continue;
            }
            let Some(first) = used.iter().find(|u| u.0 == name) else {
                let text = self.name(name);
                self.error(1210, format!("the variable `{text}` is not used"))
                    .at(span, "nothing says whether it is a number or a type")
                    .help("leave it out");
                good = false;
                continue;
            };
            let binding = match first.2 {
                Use::Index => {
                    let Some(range) = self.bound(ast, b, vars) else {
                        vars.list.push((name, Binding::Broken));
                        good = false;
                        continue;
                    };
                    let v = out.vars.len() as u32;
                    if let Bound::Word(e) = b.bound
                        && matches!(ast.expr(e).kind, ExprKind::Name(known::STRETCH))
                    {
                        out.stretches.push(v);
                    }
                    out.vars.push(range);
                    names.push(self.name(name));
                    Binding::Index(Term::var(v))
                }
                Use::Type if let Bound::Size(n) = b.bound => {
                    let Some(n) = self.eval_term(ast, n, vars) else {
                        vars.list.push((name, Binding::Broken));
                        good = false;
                        continue;
                    };
                    out.vars.push(Interval::ALL);
                    names.push(self.name(name));
                    let t = Term::var(out.vars.len() as u32 - 1);
                    Binding::Layout(self.table.layout(Layout::Of(t, n)))
                }
                Use::Type => {
                    let moved = matches!(b.bound, Bound::Own);
                    if !moved && !matches!(b.bound, Bound::Default) {
                        self.error(1210, "a type variable has no range").at(span, "used as a type");
                        good = false;
                    }
                    if moved || self.in_memory(ast, sig, name, vars.file) {
                        out.vars.push(Interval::ALL);
                        names.push(self.name(name));
                        let t = Term::var(out.vars.len() as u32 - 1);
                        Binding::Word(self.table.word(WordTy::Of(t, moved)))
                    } else {
                        out.word_vars += 1;
                        Binding::Word(self.table.word(WordTy::Var(out.word_vars - 1)))
                    }
                }
            };
            vars.list.push((name, binding));
        }
        good
    }

    /// Whether a type variable stands for words in memory too, and not only for those that a signature names.
    fn in_memory(&mut self, ast: &Ast, sig: &Sig, name: Name, file: u16) -> bool {
        let results = self.names_in_results(ast, &Sig { results: Vec::new(), ..sig.clone() }, file);
        let mut inner = results;
        for p in sig.params.iter().chain(&sig.results) {
            if !matches!(ast.ty(p.ty).kind, TypeKind::Name(n) if n == name) {
                self.names_in_type(ast, p.ty, file, &mut inner);
            }
        }
        inner.iter().any(|u| u.0 == name)
    }

    /// The interval of a quantified variable.
    pub(super) fn bound(&mut self, ast: &Ast, b: &Binder, vars: &Vars) -> Option<Interval> {
        match b.bound {
            Bound::Own | Bound::Size(_) => {
                self.error(1210, "a number owns no memory")
                    .at(b.ident.span, "used as a number")
                    .help("`name: own` is for variables that stand for types");
                None
            }
            Bound::Default => Some(Interval::new(0, Interval::signed(self.options.arch.word_bits()).hi)),
            Bound::Word(e) => match ast.expr(e).kind {
                ExprKind::Name(known::ANY | known::STRETCH) => Some(Interval::ALL),
                _ => {
                    self.error(1205, "a variable's range is `any` or `lo..hi`")
                        .at(ast.expr(e).span, "neither of them");
                    None
                }
            },
            Bound::Range(a, z) => {
                let (lo, hi) = (self.eval_int(ast, a, vars)?, self.eval_int(ast, z, vars)?);
                if lo > hi {
                    let span = Span { end: ast.expr(z).span.end, ..ast.expr(a).span };
                    self.error(1205, "this range is empty").at(span, format!("{lo} is greater than {hi}"));
                    return None;
                }
                Some(Interval::new(lo, hi))
            }
        }
    }

    /// The number of a register that can be a parameter or result.
    pub(super) fn whole_register(&mut self, reg: RegOp, span: Span) -> Option<u8> {
        let text = self.text(span).to_string();
        let word = self.word_bytes();
        match reg {
            RegOp::Gpr(SP, w) if w as u32 == word => {
                self.error(1208, format!("`{text}` is the stack pointer"))
                    .at(span, "it is always preserved, and no parameter or result");
                None
            }
            RegOp::Gpr(n, w) if w as u32 == word => Some(n),
            RegOp::Gpr(n, _) => {
                let whole = register_name(n, word);
                self.error(1208, format!("`{text}` is not a whole register"))
                    .at(span, "parameters and results fill a machine word")
                    .help(format!("use `{whole}`, with a range if you need one: `{whole}: int(0..255)`"));
                None
            }
            _ => {
                self.error(1208, format!("`{text}` cannot be a parameter or result"))
                    .at(span, "only whole general registers can");
                None
            }
        }
    }

    fn params(&mut self, ast: &Ast, sig: &Sig, vars: &Vars, out: &mut types::Sig) -> Option<()> {
        let mut good = true;
        let mut seen: [Option<Span>; 16] = [None; 16];
        for p in &sig.params {
            let word = self.word(ast, p.ty, vars);
            good &= !word.is_some_and(|w| self.untested(w, ast.ty(p.ty).span));
            match p.slot {
                Slot::Reg(reg) => {
                    let Some(n) = self.whole_register(reg, p.span) else {
                        good = false;
                        continue;
                    };
                    good &= self.once(&mut seen, n, p.span, "parameter");
                    match word {
                        Some(w) => out.params.push((n, w)),
                        None => good = false,
                    }
                }
                Slot::Stack(reg, e) => {
                    good &= self.stack_slot(ast, reg, e, p.span, out.stack.len(), vars);
                    if matches!(ast.ty(p.ty).kind, TypeKind::Borrow(super::ast::Borrow::Uniq, ..)) {
                        self.not_yet(p.span, "`&uniq` arguments on the stack");
                        good = false;
                    }
                    match word {
                        Some(w) => out.stack.push(w),
                        None => good = false,
                    }
                }
            }
        }
        out.params.sort_by_key(|p| p.0);
        good.then_some(())
    }

    fn once(&mut self, seen: &mut [Option<Span>; 16], n: u8, span: Span, what: &str) -> bool {
        let slot = &mut seen[(n & 15) as usize];
        let Some(first) = slot.replace(span) else { return true };
        let text = self.text(span).to_string();
        self.error(1208, format!("`{text}` is named twice"))
            .at(span, format!("already a {what}"))
            .near(first, "here");
        false
    }

    fn stack_slot(
        &mut self,
        ast: &Ast,
        reg: RegOp,
        e: super::ast::ExprId,
        span: Span,
        index: usize,
        vars: &Vars,
    ) -> bool {
        let word = self.word_bytes();
        let want = word as i128 * (index as i128 + 1);
        let sp = register_name(SP, word);
        let Some(at) = self.eval_int(ast, e, vars) else { return false };
        if reg == RegOp::Gpr(SP, word as u8) && at == want {
            return true;
        }
        self.error(1209, "stack arguments lie one after the other above the return address")
            .at(span, format!("this one is `[{sp} + {want}]`"))
            .note(format!("the offset is from `{sp}` as it is when the function is entered"));
        false
    }

    /// New names in results are variables that are bound there.
    fn result_vars(
        &mut self,
        in_results: &[Used],
        sig: &Sig,
        vars: &mut Vars,
        out: &mut types::Sig,
        names: &mut Vec<String>,
    ) {
        for &(name, _, used) in in_results {
            let broken_binder = sig.binders.iter().any(|b| b.ident.name == name);
            if used != Use::Index || vars.get(name).is_some() || broken_binder || vars.outer.contains(&name) {
                continue;
            }
            if !matches!(self.lookup(vars.file, name), Found::Missing) || names.len() >= limits::BINDERS {
                continue;
            }
            out.result_vars.push(Interval::ALL);
            vars.list.push((name, Binding::Index(Term::var(names.len() as u32))));
            names.push(self.name(name));
        }
    }

    fn results(
        &mut self,
        ast: &Ast,
        sig: &Sig,
        vars: &Vars,
        out: &mut types::Sig,
        names: &mut Vec<String>,
    ) -> Option<()> {
        let mut good = true;
        let mut seen: [Option<Span>; 16] = [None; 16];
        for p in &sig.params {
            let TypeKind::Borrow(super::ast::Borrow::Uniq, given, back) = ast.ty(p.ty).kind else { continue };
            let Slot::Reg(RegOp::Gpr(n, _)) = p.slot else { continue };
            let taken = out.params.iter().find(|p| p.0 == n).and_then(|p| self.table.types.pointer(p.1));
            match (self.layout(ast, back.unwrap_or(given), vars), taken) {
                // Raw bytes come back as raw bytes: nothing needs to be said of them.
                (Some(l), Some((_, k)))
                    if k == l && matches!(self.table.types.layout(k), Layout::Bytes(_)) => {}
                (Some(l), Some((_, k))) => {
                    out.gives_back.push((n, l));
                    self.uniq_checks.push((k, l, ast.ty(p.ty).span));
                }
                _ => good = false,
            }
        }
        for p in &sig.results {
            let word = self.word(ast, p.ty, vars);
            let Slot::Reg(reg) = p.slot else {
                self.not_yet(p.span, "results on the stack");
                good = false;
                continue;
            };
            let Some(n) = self.whole_register(reg, p.span) else {
                good = false;
                continue;
            };
            good &= self.once(&mut seen, n, p.span, "result");
            let Some(w) = word else {
                good = false;
                continue;
            };
            if self.is_borrow(w) {
                self.error(1211, "a result cannot be a borrow")
                    .at(ast.ty(p.ty).span, "good for the call only, which is over")
                    .help("give back an offset into the caller's object, or a `ref`/`imm` pointer");
                good = false;
            }
            out.results.push((n, w));
        }
        if good {
            good = sig.results.iter().all(|p| self.sometimes(ast, p, vars, out, names).is_some());
        }
        for k in &sig.keeps {
            match self.keeps(ast, k, vars, out) {
                Some(kept) => out.kept.push(kept),
                None => good = false,
            }
        }
        out.results.sort_by_key(|p| p.0);
        out.gives_back.sort_by_key(|p| p.0);
        out.kept.sort_by_key(|k| k.param);
        good.then_some(())
    }

    /// `{rdi -> own L when rax = 0}`.
    fn keeps(&mut self, ast: &Ast, k: &Keeps, vars: &Vars, out: &types::Sig) -> Option<Kept> {
        let param = self.whole_register(k.param.0, k.param.1)?;
        let owned = |cx: &Self, w: WordId| match cx.table.types.word(w) {
            WordTy::Ptr(Mode::Own, layout) => Some(*layout),
            _ => None,
        };
        let given = out.params.iter().find(|p| p.0 == param).and_then(|p| owned(self, p.1));
        if given.is_none() || out.kept.iter().any(|other| other.param == param) {
            self.error(1208, "the caller keeps memory that it passed as `own`, once")
                .at(k.param.1, "no parameter of such a type, or named twice");
            return None;
        }
        let w = self.word(ast, k.ty, vars)?;
        let Some(layout) = owned(self, w) else {
            self.error(1211, "what the caller keeps it owns").at(ast.ty(k.ty).span, "write `own ...`");
            return None;
        };
        self.uniq_checks.push((given?, layout, ast.ty(k.ty).span));
        let (result, range) = self.when(ast, &k.when, vars, out)?;
        Some(Kept { param, layout, result, range })
    }

    pub(super) fn is_borrow(&self, w: WordId) -> bool {
        self.table.types.pointer(w).is_some_and(|(mode, _)| mode.borrow())
    }

    /// Whether the word of a parameter is an address or error number, which only a result is; complains if so.
    fn untested(&mut self, w: WordId, span: Span) -> bool {
        let res = matches!(self.table.types.word(w), WordTy::Res(_));
        if res {
            self.error(1211, "only a result is an address or an error number")
                .at(span, "a parameter")
                .help("test the word before the call, and pass the pointer");
        }
        res
    }

    fn modifiers(&mut self, sig: &Sig, out: &mut types::Sig, span: Span, file: u16) -> Option<()> {
        let mut good = true;
        let mut preserved = self.options.arch.preserved();
        for r in out.params.iter().chain(&out.results) {
            preserved &= !(1 << r.0);
        }
        for (m, _) in &sig.modifiers {
            match m {
                Modifier::Noreturn => out.noreturn = true,
                Modifier::Uses(names) => {
                    for ident in names {
                        match self.used_static(ident, file) {
                            Some(sym) if out.uses.contains(&sym) => {}
                            Some(sym) => out.uses.push(sym),
                            None => good = false,
                        }
                    }
                }
                Modifier::Preserves(regs) | Modifier::Clobbers(regs) => {
                    let keeps = matches!(m, Modifier::Preserves(_));
                    for &(reg, at) in regs {
                        let Some(n) = self.whole_register(reg, at) else {
                            good = false;
                            continue;
                        };
                        if keeps && out.results.iter().any(|r| r.0 == n) {
                            let text = self.text(at).to_string();
                            self.error(1208, format!("`{text}` is a result and cannot be preserved too"))
                                .at(at, "holds something new after the call");
                            good = false;
                        }
                        preserved = if keeps { preserved | 1 << n } else { preserved & !(1 << n) };
                    }
                }
            }
        }
        if out.noreturn {
            if !sig.results.is_empty() || !sig.result_facts.is_empty() {
                self.error(1216, "a function that does not return has no results")
                    .at(span, "both `noreturn` and results");
                good = false;
            }
            preserved = 0;
        }
        out.preserved = preserved;
        good.then_some(())
    }

    /// A new variable in a result of which nothing else is said is probably a misspelt one.
    fn say_something(
        &mut self,
        ast: &Ast,
        in_results: &[Used],
        sig: &Sig,
        new: &[(Name, Binding)],
    ) -> Option<()> {
        let mut in_facts = Vec::new();
        super::kinds::in_facts(ast, &sig.result_facts, &mut in_facts);
        for p in &sig.results {
            let TypeKind::App(int, args) = &ast.ty(p.ty).kind else { continue };
            let (known::INT, [super::ast::Arg::Expr(e)]) = (int.name, &args[..]) else { continue };
            let ExprKind::Name(name) = ast.expr(*e).kind else { continue };
            let once = in_results.iter().filter(|u| u.0 == name).count() == 1;
            if once && new.iter().any(|n| n.0 == name) && !in_facts.iter().any(|u| u.0 == name) {
                let text = self.name(name);
                self.error(1214, format!("nothing is said about `{text}`"))
                    .at(ast.expr(*e).span, "a new variable: it is declared nowhere else")
                    .help("write `int` if it may be any number, or say what is known: `{0 <= ...}`")
                    .help(format!("if the caller is to choose it, quantify over it: `fn name[{text}](...)`"));
                return None;
            }
        }
        Some(())
    }
}

/// The name of a general register of `width` bytes.
pub(super) fn register_name(n: u8, width: u32) -> String {
    const LEGACY: [&str; 8] = ["ax", "cx", "dx", "bx", "sp", "bp", "si", "di"];
    match (LEGACY.get(n as usize), width) {
        (Some(l), 8) => format!("r{l}"),
        (Some(l), 4) => format!("e{l}"),
        (Some(l), _) => l.to_string(),
        (None, 8) => format!("r{n}"),
        (None, 4) => format!("r{n}d"),
        (None, _) => format!("r{n}w"),
    }
}
