//! Lowers types: of words, of memory, structs and abbreviations.

use super::ast::{Arg, Ast, Borrow, DeclKind, Ident, Sig, TypeId, TypeKind};
use super::cx::{Binding, Cx, Found, Vars, what};
use super::kinds::Use;
use super::layout::max_object;
use super::names::known;
use crate::ir::Span;
use std::rc::Rc;
use talcore::codes::code;
use talcore::facts::Interval;
use talcore::term::Term;
use talcore::types::{Layout, LayoutId, Mode, WordId, WordTy};
use talcore::x86::insn::Width;

/// A type is that of a word or that of memory.
#[derive(Clone, Copy, Debug)]
pub(super) enum Lowered {
    Word(WordId),
    Layout(LayoutId),
}

impl Cx<'_> {
    /// Complains about a part of the language that this version does not have.
    pub(super) fn not_yet(&mut self, span: Span, what: &str) {
        self.error(1201, format!("{what} are not supported yet"))
            .at(span, "this is part of the language, but not of this version");
    }

    /// The word type that is written.
    pub(super) fn word(&mut self, ast: &Ast, id: TypeId, vars: &Vars) -> Option<WordId> {
        match self.lower(ast, id, vars)? {
            Lowered::Word(w) => Some(w),
            Lowered::Layout(_) => {
                let span = ast.ty(id).span;
                let text = self.text(span).to_string();
                self.error(1202, format!("`{text}` describes memory, not a word"))
                    .at(span, "a register or stack word cannot hold it")
                    .help(format!(
                        "a pointer to it is `&{text}` (for the call), `own {text}`, `ref {text}` or `imm {text}`"
                    ));
                None
            }
        }
    }

    /// The layout that is written; a word type is a cell of it.
    pub(super) fn layout(&mut self, ast: &Ast, id: TypeId, vars: &Vars) -> Option<LayoutId> {
        match self.lower(ast, id, vars)? {
            Lowered::Layout(l) => Some(l),
            Lowered::Word(w) => self.cell(w, ast.ty(id).span),
        }
    }

    /// A type of either kind, for what it says about errors.
    pub(super) fn layout_or_word(&mut self, ast: &Ast, id: TypeId, vars: &Vars) -> Option<()> {
        self.lower(ast, id, vars).map(|_| ())
    }

    /// A cell of a word type.
    fn cell(&mut self, word: WordId, span: Span) -> Option<LayoutId> {
        let types = &self.table.types;
        if matches!(types.word(word), WordTy::Var(_)) {
            self.not_yet(span, "word type variables in memory");
            return None;
        }
        if types.pointer(word).is_some_and(|(mode, _)| mode.borrow()) {
            self.error(1211, "a borrow cannot be kept in memory").at(span, "good for one call only").help(
                "pointers in memory are `own L`, or `ref L` and `imm L` to objects that live as long as the process",
            );
            return None;
        }
        if matches!(types.word(word), WordTy::Res(_)) {
            self.error(1211, "an address or error number cannot be kept in memory")
                .at(span, "not yet tested")
                .help("test it when it comes back, and keep an `opt` pointer");
            return None;
        }
        Some(self.table.layout(Layout::Cell(word)))
    }

    /// A type of either kind.
    pub(super) fn lower(&mut self, ast: &Ast, id: TypeId, vars: &Vars) -> Option<Lowered> {
        let span = ast.ty(id).span;
        if !self.enter(span) {
            return None;
        }
        let out = self.lower_inner(ast, id, vars);
        self.leave();
        out
    }

    fn lower_inner(&mut self, ast: &Ast, id: TypeId, vars: &Vars) -> Option<Lowered> {
        let ty = ast.ty(id);
        let span = ty.span;
        let word = match &ty.kind {
            TypeKind::Name(n) => return self.named(ast, Ident { name: *n, span }, &[], vars),
            TypeKind::App(n, args) => return self.named(ast, *n, args, vars),
            TypeKind::Array(Some(n), t) => return self.array(ast, *n, *t, vars).map(Lowered::Layout),
            TypeKind::Array(None, _) => {
                self.error(1203, "how many elements?")
                    .at(span, "the length is missing")
                    .help("only the declaration of an object with an initial value may leave it out");
                return None;
            }
            TypeKind::Nullterm(n, t) => {
                let n = match n {
                    Some(n) => Some(self.eval_size(ast, *n, vars)?),
                    None => None,
                };
                let mut w = self.word(ast, *t, vars)?;
                let permanent = matches!(self.table.types.word(w), WordTy::Ptr(m, _) if m.permanent());
                if permanent || matches!(self.table.types.word(w), WordTy::Fn(_)) {
                    // Its words may be 0: the last one is.
                    w = self.table.word(WordTy::Opt(w));
                } else {
                    self.error(1202, "a null-terminated array holds pointers")
                        .at(ast.ty(*t).span, "not `ref L`, `imm L` or `fn ...`");
                    return None;
                }
                return Some(Lowered::Layout(self.table.layout(Layout::NullTerm(n, w))));
            }
            TypeKind::AtLeast(b, n) => {
                let n = self.eval_size(ast, *n, vars)?;
                let layout = self.table.layout(Layout::Bytes(n));
                WordTy::Ptr(mode_of(*b), layout)
            }
            TypeKind::Borrow(b, t, _) => {
                let layout = self.layout(ast, *t, vars)?;
                let mut mode = mode_of(*b);
                if mode == Mode::Read && matches!(self.table.types.layout(layout), Layout::Cstr(_)) {
                    mode = Mode::Frozen;
                }
                self.stable_checks.push((mode, layout, span));
                WordTy::Ptr(mode, layout)
            }
            TypeKind::Ref(Some(s), t) => {
                let stretch = self.stretch_term(*s, vars)?;
                let layout = self.layout(ast, *t, vars)?;
                let pointer = self.table.word(WordTy::Ptr(Mode::Frozen, layout));
                WordTy::During(stretch, pointer)
            }
            TypeKind::Ref(None, t) | TypeKind::Imm(t) | TypeKind::Own(t) => {
                let mode = match ty.kind {
                    TypeKind::Imm(_) => Mode::Imm,
                    TypeKind::Own(_) => Mode::Own,
                    _ => Mode::Shared,
                };
                let layout = self.layout(ast, *t, vars)?;
                self.stable_checks.push((mode, layout, span));
                WordTy::Ptr(mode, layout)
            }
            TypeKind::Opt(t) => self.opt(ast, *t, vars)?,
            TypeKind::Res(t) => self.res(ast, *t, vars)?,
            TypeKind::Exists(e) => return self.exists(ast, e, vars),
            TypeKind::Seq(parts) => return self.seq(ast, parts, span, vars).map(Lowered::Layout),
            TypeKind::Fn(sig) => {
                let mut inner = self.closed_part(vars);
                let given = self.surroundings(ast, sig, vars, &mut inner);
                let id = self.sig(ast, sig, inner, span)?.0;
                if given.is_empty() { WordTy::Fn(id) } else { WordTy::FnAt(id, given.into()) }
            }
            TypeKind::Error => return None,
        };
        Some(Lowered::Word(self.table.word(word)))
    }

    /// What the signature of a function value can mention of its surroundings: arguments of
    /// abbreviations that have no variables themselves.
    fn closed_part(&self, vars: &Vars) -> Vars {
        let mut inner = Vars { outer: vars.outer.clone(), ..Vars::of(vars.file) };
        for (name, binding) in &vars.list {
            let closed = match binding {
                Binding::Index(t) => t.as_const().is_some(),
                Binding::Word(w) => self.closed_word(*w),
                Binding::Layout(_) => false,
                Binding::Table(_) | Binding::Broken => true,
            };
            if closed {
                inner.list.push((*name, binding.clone()));
            } else {
                inner.outer.push(*name);
            }
        }
        inner
    }

    /// The variables of the surroundings that the signature of a function value mentions, types, numbers and stretches:
    /// its first variables stand for them.
    fn surroundings(&mut self, ast: &Ast, sig: &Sig, vars: &Vars, inner: &mut Vars) -> Vec<Term> {
        let mut used = self.names_in_params(ast, sig, vars.file);
        used.extend(self.names_in_results(ast, sig, vars.file));
        super::kinds::in_facts(ast, &sig.result_facts, &mut used);
        // The size of what a layout variable stands for.
        let sizes: Vec<u32> = vars
            .list
            .iter()
            .filter(|(name, _)| used.iter().any(|u| u.0 == *name))
            .filter_map(|(_, binding)| match binding {
                Binding::Layout(l) => match self.table.types.layout(*l) {
                    Layout::Of(_, n) => Some(n.summands().iter().map(|s| s.0).collect::<Vec<_>>()),
                    _ => None,
                },
                _ => None,
            })
            .flatten()
            .collect();
        let sized =
            |b: &Binding| matches!(b, Binding::Index(t) if t.as_var().is_some_and(|v| sizes.contains(&v)));
        let mut given: Vec<Term> = Vec::new();
        for (name, binding) in &vars.list {
            let hidden = sig.binders.iter().any(|b| b.ident.name == *name);
            if hidden || !sized(binding) && used.iter().all(|u| u.0 != *name) {
                continue;
            }
            let var = Term::var(given.len() as u32);
            let (term, binding) = match binding {
                Binding::Index(t) if t.as_const().is_none() => (t.clone(), Binding::Index(var)),
                Binding::Word(w) => match self.table.types.word(*w).clone() {
                    WordTy::Of(t, moved) => (t, Binding::Word(self.table.word(WordTy::Of(var, moved)))),
                    _ => continue,
                },
                Binding::Layout(l) => match self.table.types.layout(*l).clone() {
                    Layout::Of(t, n) => {
                        let inside = |v: u32| given.iter().position(|t| t.as_var() == Some(v));
                        let mut size = Term::from(n.konst());
                        let known = n.summands().iter().all(|&(v, c)| {
                            let term = inside(v).map(|i| Term::var(i as u32));
                            let sum = term.and_then(|t| size.add_scaled(&t, c.into()));
                            sum.map(|sum| size = sum).is_some()
                        });
                        if !known {
                            continue;
                        }
                        (t, Binding::Layout(self.table.layout(Layout::Of(var, size))))
                    }
                    _ => continue,
                },
                _ => continue,
            };
            given.push(term);
            inner.outer.retain(|n| n != name);
            inner.list.push((*name, binding));
        }
        inner.given = given.len();
        given
    }

    /// Whether a word type mentions no variable. Types are only as deep as [`limits::NESTING`] allows.
    fn closed_word(&self, w: WordId) -> bool {
        match self.table.types.word(w) {
            WordTy::Int(t) | WordTy::Of(t, _) => t.as_const().is_some(),
            WordTy::FnAt(_, args) => args.iter().all(|t| t.as_const().is_some()),
            WordTy::Range(_) | WordTy::Fn(_) => true,
            WordTy::Ptr(_, l) => self.closed_layout(*l),
            WordTy::Opt(w) | WordTy::Res(w) => self.closed_word(*w),
            WordTy::Exists(e) => e.first == 0,
            WordTy::During(t, w) | WordTy::When(t, _, w) => t.as_const().is_some() && self.closed_word(*w),
            WordTy::Var(_) => false,
        }
    }

    fn closed_layout(&self, l: LayoutId) -> bool {
        let constant = |t: &Option<Term>| t.as_ref().is_none_or(|t| t.as_const().is_some());
        match self.table.types.layout(l) {
            Layout::Bytes(t) => t.as_const().is_some(),
            Layout::Cstr(t) => constant(t),
            Layout::Cell(w) => self.closed_word(*w),
            Layout::Num(..) => true,
            Layout::Exact(_, _, t) | Layout::Foreign(t) => t.as_const().is_some(),
            Layout::Of(..) => false,
            Layout::Array(n, l) => n.as_const().is_some() && self.closed_layout(*l),
            Layout::NullTerm(n, w) => constant(n) && self.closed_word(*w),
            Layout::Struct(_, args) => args.iter().all(|t| t.as_const().is_some()),
            Layout::Seq(parts) => parts.iter().all(|l| self.closed_layout(*l)),
            Layout::Exists(e) => e.first == 0,
        }
    }

    /// A claim about contents holds only where nobody else writes, and what owns memory may give it away.
    pub(super) fn check_stable(&mut self, mode: Mode, layout: LayoutId, span: Span) {
        if mode == Mode::Imm && self.owns(layout) {
            self.error(1211, "memory that never changes cannot own other memory")
                .at(span, "has an owned pointer in it, which could never be taken out")
                .help("an owned pointer lies in `own` memory, or in data and bss, where `xchg` takes it");
        }
        if mode.stable() || !self.needs_stable(layout) {
            return;
        }
        self.error(1211, "a string cannot lie in memory that others may write")
            .at(span, "a write could take away the NUL that it ends with")
            .help("strings are used through `&cstr(m)`, `imm cstr`, `&uniq cstr(m)`; for writing use `bytes(n)`");
    }

    /// A size or length: a term that is not a negative constant.
    fn eval_size(&mut self, ast: &Ast, e: super::ast::ExprId, vars: &Vars) -> Option<Term> {
        let t = self.eval_term(ast, e, vars)?;
        let most = max_object(self.word_bytes());
        match t.as_const() {
            Some(n) if !(0..=most).contains(&n) => {
                self.error(1215, format!("a size of {n} is impossible"))
                    .at(ast.expr(e).span, format!("sizes are 0 to {most}"));
                None
            }
            _ => Some(t),
        }
    }

    fn array(&mut self, ast: &Ast, n: super::ast::ExprId, t: TypeId, vars: &Vars) -> Option<LayoutId> {
        let n = self.eval_size(ast, n, vars);
        let each = self.layout(ast, t, vars)?;
        self.array_of(n?, each, ast.ty(t).span)
    }

    /// An array of `n` elements, whose type is written at `span`.
    pub(super) fn array_of(&mut self, n: Term, each: LayoutId, span: Span) -> Option<LayoutId> {
        let size = self.size_of_layout(each).and_then(|t| t.as_const());
        match size {
            Some(k) if k >= 1 => {
                let align = self.align_of_layout(each) as i128;
                if k % align != 0 {
                    self.error(1206, "the elements of this array would be misaligned")
                        .at(span, format!("{k} bytes, but aligned to {align}"))
                        .help(format!("add `bytes({})` to its end", align - k % align));
                    return None;
                }
                let total = n.as_const().map(|n| n * k);
                if total.is_some_and(|t| t > max_object(self.word_bytes())) {
                    self.error(1215, "this array is larger than any object can be")
                        .at(span, "too many of these");
                    return None;
                }
                Some(self.table.layout(Layout::Array(n, each)))
            }
            Some(_) => {
                self.error(1215, "an element of an array has at least one byte").at(span, "no bytes");
                None
            }
            None => {
                if !self.of_broken(each) {
                    self.error(1212, "the elements of an array have a constant size")
                        .at(span, "its size depends on a variable, or is hidden");
                }
                None
            }
        }
    }

    fn named(&mut self, ast: &Ast, id: Ident, args: &[Arg], vars: &Vars) -> Option<Lowered> {
        match vars.get(id.name) {
            Some(Binding::Word(w)) => {
                let w = *w;
                return self.no_args(id, args).map(|_| Lowered::Word(w));
            }
            Some(Binding::Layout(l)) => {
                let l = *l;
                return self.no_args(id, args).map(|_| Lowered::Layout(l));
            }
            Some(Binding::Broken) => return None,
            Some(_) => {
                let text = self.name(id.name);
                self.error(1108, format!("`{text}` is a number here, not a type"))
                    .at(id.span, "a type is needed")
                    .help(format!("a word that holds it is `int({text})`"));
                return None;
            }
            None => (),
        }
        let num = |w, signed| Some((w, signed));
        let number = match id.name {
            known::INT => return self.int(ast, id, args, vars).map(Lowered::Word),
            known::BYTES => return self.bytes(ast, id, args, vars).map(Lowered::Layout),
            name if self.names.get(name) == "zero"
                && args.len() == 1
                && matches!(self.lookup(vars.file, name), Found::Missing) =>
            {
                return self.zeros(ast, args, vars).map(Lowered::Layout);
            }
            name if self.names.get(name) == "foreign"
                && args.len() == 1
                && matches!(self.lookup(vars.file, name), Found::Missing) =>
            {
                let [Arg::Expr(e)] = args else { return None };
                let n = self.eval_size(ast, *e, vars)?;
                return Some(Lowered::Layout(self.table.layout(Layout::Foreign(n))));
            }
            known::CSTR => return self.cstr(ast, id, args, vars).map(Lowered::Layout),
            known::START => {
                self.error(1216, "`start` is the type of the program's entry only")
                    .at(id.span, "no value has this type")
                    .help("`pub fn _start: start`");
                return None;
            }
            known::U8 => num(Width::B1, false),
            known::U16 => num(Width::B2, false),
            known::U32 => num(Width::B4, false),
            known::U64 => num(Width::B8, false),
            known::I8 => num(Width::B1, true),
            known::I16 => num(Width::B2, true),
            known::I32 => num(Width::B4, true),
            known::I64 => num(Width::B8, true),
            _ => None,
        };
        if let Some((width, signed)) = number {
            return self.num(ast, id, args, vars, width, signed).map(Lowered::Layout);
        }
        let decl = self.find(vars, id.name, id.span)?;
        let decls = Rc::clone(&self.decls);
        let d = &decls[decl as usize];
        match &d.kind {
            DeclKind::Struct { params, moved, sized, .. } => {
                self.count_args(id, args, params.len(), d.ident.span)?;
                let kinds = if args.is_empty() { None } else { self.param_kinds(decl) };
                let mut terms: Vec<Term> = Vec::with_capacity(args.len());
                for (i, (arg, p)) in args.iter().zip(params).enumerate() {
                    let size = sized.iter().find(|s| s.0 == p.name);
                    terms.push(match kinds.as_ref().and_then(|k| k.get(i)) {
                        Some(Use::Type) if let Some((_, size)) = size => {
                            let mut inner = Vars::of(d.span.file);
                            for (p, t) in params.iter().zip(&terms) {
                                inner.list.push((p.name, Binding::Index(t.clone())));
                            }
                            let wanted = self.eval_term(&Rc::clone(&self.ast), *size, &inner)?;
                            self.layout_arg(ast, arg, vars, &wanted)?
                        }
                        Some(Use::Type) => self.coded_arg(ast, arg, vars, moved.contains(&p.name))?,
                        _ => self.index_arg(ast, arg, vars, id)?,
                    });
                }
                let s = self.struct_id(decl);
                Some(Lowered::Layout(self.table.layout(Layout::Struct(s, terms.into()))))
            }
            DeclKind::Type { params, body } => {
                self.count_args(id, args, params.len(), d.ident.span)?;
                if let Some(first) = self.expanding.iter().position(|e| *e == decl) {
                    let new = self.endless.insert(decl);
                    self.endless.extend(&self.expanding[first..]);
                    if new {
                        let text = self.name(d.ident.name);
                        self.error(1207, format!("the type `{text}` is defined by itself"))
                            .at(d.ident.span, "this abbreviation")
                            .near(id.span, "stands for something with itself in it")
                            .help("only a `struct` can lead to itself, by a pointer");
                    }
                    return None;
                }
                let kinds = self.param_kinds(decl)?;
                let mut inner = Vars::of(d.span.file);
                for ((arg, kind), p) in args.iter().zip(kinds.iter()).zip(params) {
                    let binding = match kind {
                        Use::Index => Binding::Index(self.index_arg(ast, arg, vars, id)?),
                        Use::Type => match self.type_or_layout(ast, arg, vars)? {
                            Lowered::Word(w) => Binding::Word(w),
                            Lowered::Layout(l) => Binding::Layout(l),
                        },
                    };
                    inner.list.push((p.name, binding));
                }
                let ast = Rc::clone(&self.ast);
                self.expanding.push(decl);
                let out = self.lower(&ast, *body, &inner);
                self.expanding.pop();
                out
            }
            kind => {
                let text = self.name(id.name);
                self.error(1108, format!("`{text}` is {}, not a type", what(kind)))
                    .at(id.span, "a type is needed")
                    .near(d.ident.span, "declared here");
                None
            }
        }
    }

    fn no_args(&mut self, id: Ident, args: &[Arg]) -> Option<()> {
        if args.is_empty() {
            return Some(());
        }
        let text = self.name(id.name);
        self.error(1203, format!("`{text}` takes no arguments")).at(id.span, "given some");
        None
    }

    fn count_args(&mut self, id: Ident, args: &[Arg], want: usize, declared: Span) -> Option<()> {
        if args.len() == want {
            return Some(());
        }
        let text = self.name(id.name);
        let plural = if want == 1 { "" } else { "s" };
        self.error(1203, format!("`{text}` takes {want} argument{plural}"))
            .at(id.span, format!("{} given", args.len()))
            .near(declared, "declared here");
        None
    }

    fn index_arg(&mut self, ast: &Ast, arg: &Arg, vars: &Vars, of: Ident) -> Option<Term> {
        match arg {
            Arg::Expr(e) => self.eval_term(ast, *e, vars),
            Arg::Range(a, _) => {
                let text = self.name(of.name);
                self.error(1203, format!("`{text}` takes no range")).at(ast.expr(*a).span, "a range");
                None
            }
            Arg::Type(t) => {
                let text = self.name(of.name);
                self.error(1203, format!("`{text}` takes a number here")).at(ast.ty(*t).span, "a type");
                None
            }
        }
    }

    /// The code of a type that is passed to a struct. `moved`: the struct moves words of it.
    fn coded_arg(&mut self, ast: &Ast, arg: &Arg, vars: &Vars, moved: bool) -> Option<Term> {
        let w = self.type_arg(ast, arg, vars)?;
        let span = match arg {
            Arg::Expr(e) | Arg::Range(e, _) => ast.expr(*e).span,
            Arg::Type(t) => ast.ty(*t).span,
        };
        self.code_of(w, span, moved)
    }

    /// The code of what lies in memory of this size, which is passed to a struct.
    fn layout_arg(&mut self, ast: &Ast, arg: &Arg, vars: &Vars, size: &Term) -> Option<Term> {
        let span = match arg {
            Arg::Expr(e) | Arg::Range(e, _) => ast.expr(*e).span,
            Arg::Type(t) => ast.ty(*t).span,
        };
        let layout = match self.type_or_layout(ast, arg, vars)? {
            Lowered::Layout(l) => l,
            Lowered::Word(w) => self.cell(w, span)?,
        };
        let word = self.owner_of(layout, span)?;
        let has = self.size_of_layout(layout);
        if let (Some(has), Some(size)) = (has.and_then(|t| t.as_const()), size.as_const())
            && has != size
        {
            self.error(1205, format!("memory of {size} bytes is needed here"))
                .at(span, format!("has {has} bytes"));
            return None;
        }
        match self.table.types.word(word) {
            WordTy::Of(t, _) => Some(t.clone()),
            _ => Some(code(word)),
        }
    }

    /// The type of words that own memory which a layout variable stands for, whose code the variable is.
    pub(super) fn owner_of(&mut self, layout: LayoutId, span: Span) -> Option<WordId> {
        if let Layout::Of(t, _) = self.table.types.layout(layout) {
            let t = t.clone();
            return Some(self.table.word(WordTy::Of(t, true)));
        }
        let word = self.table.word(WordTy::Ptr(Mode::Own, layout));
        let text = self.text(span).to_string();
        if !self.closed_word(word) {
            self.error(1211, "a type that is passed on mentions no variables")
                .at(span, format!("`{text}` does"))
                .help("hide them with `exists`, or put them into a struct of its own");
            return None;
        }
        if matches!(self.table.types.layout(layout), Layout::Foreign(_) | Layout::Cstr(None)) {
            self.error(1212, "what is moved has a size, and belongs to one function")
                .at(span, format!("`{text}` does not"));
            return None;
        }
        Some(word)
    }

    /// The code of a type that a variable stands for.
    pub(super) fn code_of(&mut self, w: WordId, span: Span, moved: bool) -> Option<Term> {
        let text = self.text(span).to_string();
        if !moved && self.table.types.linear(w) {
            self.error(1211, format!("`{text}` owns memory, and words of this type are copied"))
                .at(span, "stands for a type whose words are copied")
                .help("declare the parameter as `name: own`: its words are moved then, and may own memory");
            return None;
        }
        match self.table.types.word(w) {
            WordTy::Of(t, linear) if *linear == moved => return Some(t.clone()),
            WordTy::Of(..) => {
                self.error(1211, format!("words of the type `{text}` are copied here, and moved there"))
                    .at(span, "stands for a type whose words are moved")
                    .help("declare both with `: own`, or neither");
                return None;
            }
            WordTy::Var(_) => {
                self.error(1211, format!("`{text}` stands for words in registers only"))
                    .at(span, "stands for words in memory too");
                return None;
            }
            _ => {}
        }
        if !self.closed_word(w) {
            self.error(1211, "a type that is passed on mentions no variables")
                .at(span, format!("`{text}` does"))
                .help("hide them with `exists`, or put them into a struct of its own");
            return None;
        }
        if self.table.types.pointer(w).is_some_and(|(mode, _)| mode.borrow())
            || matches!(self.table.types.word(w), WordTy::Res(_))
        {
            self.error(1211, "a type that is passed on may lie in memory").at(span, "good for one call only");
            return None;
        }
        Some(code(w))
    }

    /// A type that is passed: of words, or of memory.
    fn type_or_layout(&mut self, ast: &Ast, arg: &Arg, vars: &Vars) -> Option<Lowered> {
        match arg {
            Arg::Type(t) => self.lower(ast, *t, vars),
            Arg::Expr(e) if let super::ast::ExprKind::Name(name) = ast.expr(*e).kind => {
                self.named(ast, Ident { name, span: ast.expr(*e).span }, &[], vars)
            }
            _ => self.type_arg(ast, arg, vars).map(Lowered::Word),
        }
    }

    fn type_arg(&mut self, ast: &Ast, arg: &Arg, vars: &Vars) -> Option<WordId> {
        let span = match arg {
            Arg::Type(t) => return self.word(ast, *t, vars),
            Arg::Range(e, _) => ast.expr(*e).span,
            Arg::Expr(e) => {
                let expr = ast.expr(*e);
                if let super::ast::ExprKind::Name(name) = expr.kind {
                    let id = Ident { name, span: expr.span };
                    return match self.named(ast, id, &[], vars)? {
                        Lowered::Word(w) => Some(w),
                        Lowered::Layout(_) => {
                            self.error(1202, "a word type is needed here")
                                .at(expr.span, "describes memory, not a word");
                            None
                        }
                    };
                }
                expr.span
            }
        };
        self.error(1203, "a word type is needed here").at(span, "a number");
        None
    }

    fn int(&mut self, ast: &Ast, id: Ident, args: &[Arg], vars: &Vars) -> Option<WordId> {
        let bits = self.options.arch.word_bits();
        let ty = match args {
            [] => WordTy::Range(Interval::unsigned(bits)),
            [Arg::Expr(e)] => WordTy::Int(self.eval_term(ast, *e, vars)?),
            [Arg::Range(a, z)] => WordTy::Range(self.range(ast, *a, *z, vars, bits, None)?),
            _ => {
                self.error(1203, "`int` takes one number or one range")
                    .at(id.span, "`int`, `int(n)` or `int(lo..hi)`");
                return None;
            }
        };
        Some(self.table.word(ty))
    }

    fn num(
        &mut self,
        ast: &Ast,
        id: Ident,
        args: &[Arg],
        vars: &Vars,
        width: Width,
        signed: bool,
    ) -> Option<LayoutId> {
        let bits = width.bits();
        let range = match args {
            [] if signed => Interval::signed(bits),
            [] => Interval::unsigned(bits),
            [Arg::Range(a, z)] => self.range(ast, *a, *z, vars, bits, Some(signed))?,
            [Arg::Expr(_)] => Interval::ALL,
            _ => {
                let text = self.name(id.name);
                self.error(1203, format!("`{text}` takes at most a range or a number"))
                    .at(id.span, format!("`{text}`, `{text}(lo..hi)` or `{text}(n)`"));
                return None;
            }
        };
        if width.bytes() > self.word_bytes() {
            let text = self.name(id.name);
            self.error(1205, format!("`{text}` is wider than a machine word"))
                .at(id.span, "not on this architecture")
                .help("use `bytes(8)` and access it in halves");
            return None;
        }
        if let [Arg::Expr(e)] = args {
            let t = self.eval_term(ast, *e, vars)?;
            let all = Interval::number(bits, signed);
            if let Some(n) = t.as_const().filter(|n| !Interval::new(*n, *n).within(&all)) {
                self.error(1205, format!("{n} does not fit into {bits} bits"))
                    .at(ast.expr(*e).span, format!("{}..{}", all.lo, all.hi));
                return None;
            }
            return Some(self.table.layout(Layout::Exact(width, signed, t)));
        }
        Some(self.table.layout(Layout::Num(width, range)))
    }

    /// `lo..hi` within `bits` bits, signed or unsigned as is said (by default as fits).
    fn range(
        &mut self,
        ast: &Ast,
        a: super::ast::ExprId,
        z: super::ast::ExprId,
        vars: &Vars,
        bits: u32,
        signed: Option<bool>,
    ) -> Option<Interval> {
        let (lo, hi) = (self.eval_int(ast, a, vars), self.eval_int(ast, z, vars));
        let range = Interval::new(lo?, hi?);
        let span = Span { end: ast.expr(z).span.end, ..ast.expr(a).span };
        if range.lo > range.hi {
            self.error(1205, "this range is empty")
                .at(span, format!("{} is greater than {}", range.lo, range.hi))
                .note("both ends belong to a range");
            return None;
        }
        let all = match signed {
            Some(true) => Interval::signed(bits),
            Some(false) => Interval::unsigned(bits),
            None if range.lo < 0 => Interval::signed(bits),
            None => Interval::unsigned(bits),
        };
        if !range.within(&all) {
            self.error(1205, format!("this range does not fit into {bits} bits"))
                .at(span, format!("at most {}..{}", all.lo, all.hi));
            return None;
        }
        Some(range)
    }

    /// `zero(n)`: bytes that are 0. The name may be declared as something else.
    fn zeros(&mut self, ast: &Ast, args: &[Arg], vars: &Vars) -> Option<LayoutId> {
        let [Arg::Expr(e)] = args else { return None };
        let n = self.eval_size(ast, *e, vars)?;
        let byte = self.table.layout(Layout::Num(Width::B1, talcore::shapes::ZERO));
        Some(self.table.layout(Layout::Array(n, byte)))
    }

    fn bytes(&mut self, ast: &Ast, id: Ident, args: &[Arg], vars: &Vars) -> Option<LayoutId> {
        match args {
            [Arg::Expr(e)] => {
                let n = self.eval_size(ast, *e, vars)?;
                Some(self.table.layout(Layout::Bytes(n)))
            }
            _ => {
                let m = self.error(1203, "`bytes` takes a size");
                m.at(id.span, "`bytes(n)`");
                if args.is_empty() {
                    m.help("only the declaration of an object with an initial value may leave it out");
                }
                None
            }
        }
    }

    fn cstr(&mut self, ast: &Ast, id: Ident, args: &[Arg], vars: &Vars) -> Option<LayoutId> {
        let len = match args {
            [] => None,
            [Arg::Expr(e)] => Some(self.eval_size(ast, *e, vars)?),
            _ => {
                self.error(1203, "`cstr` takes at most a length").at(id.span, "`cstr` or `cstr(m)`");
                return None;
            }
        };
        Some(self.table.layout(Layout::Cstr(len)))
    }
}

fn mode_of(b: Borrow) -> Mode {
    match b {
        Borrow::Read => Mode::Read,
        Borrow::Mut => Mode::Mut,
        Borrow::Frozen => Mode::Frozen,
        Borrow::Uniq => Mode::Uniq,
    }
}
