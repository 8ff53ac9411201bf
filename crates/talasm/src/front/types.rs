//! Lowers types: of words, of memory, structs and abbreviations.

use super::ast::{Arg, Ast, Borrow, DeclKind, Ident, TypeId, TypeKind};
use super::cx::{Binding, Cx, DeclId, Memo, Vars, what};
use super::kinds::Use;
use super::layout::{FieldInfo, StructInfo, StructState, max_object};
use super::names::{Name, known};
use crate::ir::Span;
use std::rc::Rc;
use talcore::facts::Interval;
use talcore::limits;
use talcore::term::Term;
use talcore::types::{Layout, LayoutId, Mode, Struct, StructId, WordId, WordTy};
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
                        "a pointer to it is `&{text}` (for the call), `ref {text}` or `imm {text}` (for ever)"
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
        match self.table.types.word(word) {
            WordTy::Var(_) => {
                self.not_yet(span, "word type variables in memory");
                return None;
            }
            WordTy::Ptr(mode, _) if mode.borrow() => {
                self.borrow_stored(span);
                return None;
            }
            WordTy::Opt(w) => {
                if matches!(self.table.types.word(*w), WordTy::Ptr(mode, _) if mode.borrow()) {
                    self.borrow_stored(span);
                    return None;
                }
            }
            _ => (),
        }
        Some(self.table.layout(Layout::Cell(word)))
    }

    fn borrow_stored(&mut self, span: Span) {
        self.error(1211, "a borrow cannot be kept in memory")
            .at(span, "good for one call only")
            .help("pointers in memory are `ref L` or `imm L`, to objects that live as long as the process");
    }

    /// A type of either kind.
    fn lower(&mut self, ast: &Ast, id: TypeId, vars: &Vars) -> Option<Lowered> {
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
                let w = self.word(ast, *t, vars)?;
                let permanent = matches!(self.table.types.word(w), WordTy::Ptr(m, _) if m.permanent());
                if !permanent && !matches!(self.table.types.word(w), WordTy::Fn(_)) {
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
            TypeKind::Ref(Some(_), _) => {
                self.not_yet(span, "named stretches (`ref s L`)");
                return None;
            }
            TypeKind::Ref(None, t) | TypeKind::Imm(t) => {
                let mode = if matches!(ty.kind, TypeKind::Imm(_)) { Mode::Imm } else { Mode::Shared };
                let layout = self.layout(ast, *t, vars)?;
                self.stable_checks.push((mode, layout, span));
                WordTy::Ptr(mode, layout)
            }
            TypeKind::Opt(t) => {
                let w = self.word(ast, *t, vars)?;
                if !matches!(self.table.types.word(w), WordTy::Ptr(..) | WordTy::Fn(_)) {
                    self.error(1202, "`opt` is for pointers")
                        .at(ast.ty(*t).span, "not a pointer or function value")
                        .note("`opt T` is a word that is either 0 or a T, and a T is never 0");
                    return None;
                }
                WordTy::Opt(w)
            }
            TypeKind::Fn(sig) => {
                let inner = self.closed_part(vars);
                WordTy::Fn(self.sig(ast, sig, inner, span)?.0)
            }
            TypeKind::Own(_) => {
                self.not_yet(span, "owned pointers");
                return None;
            }
            TypeKind::Exists(_) => {
                self.not_yet(span, "existential types");
                return None;
            }
            TypeKind::Error => return None,
        };
        Some(Lowered::Word(self.table.word(word)))
    }

    /// What the signature of a function value can mention of its surroundings: arguments of
    /// abbreviations that have no variables themselves.
    fn closed_part(&self, vars: &Vars) -> Vars {
        let mut inner = Vars { file: vars.file, list: Vec::new(), outer: vars.outer.clone() };
        for (name, binding) in &vars.list {
            let closed = match binding {
                Binding::Index(t) => t.as_const().is_some(),
                Binding::Word(w) => self.closed_word(*w),
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

    /// Whether a word type mentions no variable. Types are only as deep as [`limits::NESTING`] allows.
    fn closed_word(&self, w: WordId) -> bool {
        match self.table.types.word(w) {
            WordTy::Int(t) => t.as_const().is_some(),
            WordTy::Range(_) | WordTy::Fn(_) => true,
            WordTy::Ptr(_, l) => self.closed_layout(*l),
            WordTy::Opt(w) => self.closed_word(*w),
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
            Layout::Array(n, l) => n.as_const().is_some() && self.closed_layout(*l),
            Layout::NullTerm(n, w) => constant(n) && self.closed_word(*w),
            Layout::Struct(_, args) => args.iter().all(|t| t.as_const().is_some()),
            Layout::Seq(parts) => parts.iter().all(|l| self.closed_layout(*l)),
        }
    }

    /// A claim about contents holds only where nobody else writes.
    pub(super) fn check_stable(&mut self, mode: Mode, layout: LayoutId, span: Span) {
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
                self.error(1212, "the elements of an array have a constant size")
                    .at(span, "its size depends on a variable, or is hidden");
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
            DeclKind::Struct { params, .. } => {
                self.count_args(id, args, params.len(), d.ident.span)?;
                let mut terms = Vec::with_capacity(args.len());
                for arg in args {
                    terms.push(self.index_arg(ast, arg, vars, id)?);
                }
                let s = self.struct_id(decl);
                Some(Lowered::Layout(self.table.layout(Layout::Struct(s, terms.into()))))
            }
            DeclKind::Type { params, body } => {
                self.count_args(id, args, params.len(), d.ident.span)?;
                let kinds = self.param_kinds(decl)?;
                let mut inner = Vars::of(d.span.file);
                for ((arg, kind), p) in args.iter().zip(kinds.iter()).zip(params) {
                    let binding = match kind {
                        Use::Index => Binding::Index(self.index_arg(ast, arg, vars, id)?),
                        Use::Type => Binding::Word(self.type_arg(ast, arg, vars)?),
                    };
                    inner.list.push((p.name, binding));
                }
                let ast = Rc::clone(&self.ast);
                self.lower(&ast, *body, &inner)
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
            [Arg::Expr(_)] => {
                self.not_yet(id.span, "tracked integer cells");
                return None;
            }
            _ => {
                let text = self.name(id.name);
                self.error(1203, format!("`{text}` takes at most a range"))
                    .at(id.span, format!("`{text}` or `{text}(lo..hi)`"));
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

    // ---- structs ----

    /// The number of a struct, which is defined later if it is not yet.
    fn struct_id(&mut self, decl: DeclId) -> StructId {
        if let Some(s) = self.structs.get(&decl) {
            return s.id;
        }
        let d = &self.decls[decl as usize];
        let params = match &d.kind {
            DeclKind::Struct { params, .. } => params.len() as u32,
            _ => 0,
        };
        let name = self.name(d.ident.name);
        let id = self.table.declare(&name, params);
        self.structs.insert(decl, StructState { id, info: Memo::Todo });
        self.struct_decls.push(decl);
        self.pending.push(decl);
        id
    }

    /// Defines all structs that were mentioned, and makes the checks that needed to wait for that:
    /// a struct may contain pointers to itself.
    pub(super) fn define_structs(&mut self) {
        while let Some(decl) = self.pending.pop() {
            self.struct_info(decl);
        }
        for (mode, layout, span) in std::mem::take(&mut self.stable_checks) {
            self.check_stable(mode, layout, span);
        }
    }

    /// The fields of a struct.
    pub(super) fn struct_info(&mut self, decl: DeclId) -> Option<Rc<StructInfo>> {
        let id = self.struct_id(decl);
        let ident = self.decls[decl as usize].ident;
        match self.structs[&decl].info.clone() {
            Memo::Done(info) => return info,
            Memo::Busy => {
                let text = self.name(ident.name);
                self.error(1207, format!("struct `{text}` contains itself"))
                    .at(ident.span, "it would be infinitely large")
                    .help(format!("a field may be a pointer to it: `opt ref {text}`"));
                return None;
            }
            Memo::Todo => (),
        }
        self.structs.insert(decl, StructState { id, info: Memo::Busy });
        let mut info = None;
        if self.enter(ident.span) {
            info = self.lay_out(decl, id);
            self.leave();
        }
        self.structs.insert(decl, StructState { id, info: Memo::Done(info.clone()) });
        info
    }

    fn lay_out(&mut self, decl: DeclId, id: StructId) -> Option<Rc<StructInfo>> {
        let decls = Rc::clone(&self.decls);
        let d = &decls[decl as usize];
        let DeclKind::Struct { params, facts, fields } = &d.kind else { return None };
        let ast = Rc::clone(&self.ast);
        if params.len() > limits::BINDERS || fields.len() > limits::FIELDS {
            self.error(1010, "this struct is too large").at(
                d.ident.span,
                format!("at most {} parameters and {} fields", limits::BINDERS, limits::FIELDS),
            );
            return None;
        }
        let mut vars = Vars::of(d.span.file);
        self.bound_once(params)?;
        for (i, p) in params.iter().enumerate() {
            vars.list.push((p.name, Binding::Index(Term::var(i as u32))));
        }
        let facts = self.facts(&ast, facts, &vars)?;
        let mut done: Vec<FieldInfo> = Vec::with_capacity(fields.len());
        let (mut offset, mut align) = (Term::zero(), 1);
        let mut good = true;
        let mut seen = std::collections::HashMap::new();
        for (name, ty) in fields {
            if let Some(first) = seen.insert(name.name, name.span) {
                self.duplicate(name.name, "field", first, name.span);
                good = false;
            }
            let Some(layout) = self.layout(&ast, *ty, &vars) else {
                good = false;
                continue;
            };
            let Some(size) = self.size_of_layout(layout) else {
                if !matches!(self.struct_of_layout(layout), Some(s) if self.is_broken(s)) {
                    self.error(1212, "the size of this field is not known")
                        .at(ast.ty(*ty).span, "a size is needed")
                        .help("give strings a length: `cstr(m)`; or keep a pointer: `imm cstr`");
                }
                good = false;
                continue;
            };
            let field_align = self.align_of_layout(layout);
            good &= self.aligned(&offset, field_align, *name, ast.ty(*ty).span);
            done.push(FieldInfo { name: name.name, layout, offset: offset.clone() });
            align = align.max(field_align);
            match offset.add(&size) {
                Some(sum) => offset = sum,
                None => return self.too_large(d.ident.span),
            }
        }
        if !good {
            return None;
        }
        if fields.is_empty() || offset.as_const() == Some(0) {
            self.error(1215, "a struct has at least one byte").at(d.ident.span, "this one is empty");
            return None;
        }
        if offset.as_const().is_some_and(|n| n > max_object(self.word_bytes())) {
            return self.too_large(d.ident.span);
        }
        let names = done.iter().map(|f| self.name(f.name)).collect();
        let layouts = done.iter().map(|f| f.layout).collect();
        self.table.define(id, Struct { params: params.len() as u32, facts, fields: layouts }, names);
        Some(Rc::new(StructInfo { fields: done, size: offset, align }))
    }

    fn is_broken(&self, decl: DeclId) -> bool {
        matches!(self.structs.get(&decl), Some(StructState { info: Memo::Done(None) | Memo::Busy, .. }))
    }

    fn too_large(&mut self, span: Span) -> Option<Rc<StructInfo>> {
        self.error(1215, "this struct is larger than any object can be").at(span, "too large");
        None
    }

    /// Whether a field at `offset` is aligned; complains if not.
    fn aligned(&mut self, offset: &Term, align: u32, name: Ident, ty: Span) -> bool {
        let align = align as i128;
        let rest = offset.konst().rem_euclid(align);
        if offset.summands().iter().any(|s| (s.1 as i128) % align != 0) {
            self.error(1206, "this field may be misaligned")
                .at(name.span, format!("must be a multiple of {align} bytes from the start"))
                .near(ty, "because of its type")
                .note("its offset depends on a parameter of the struct")
                .help(format!("make the size before it a multiple of {align}: `bytes({align}*n)`"));
            return false;
        }
        if rest != 0 {
            let text = self.name(name.name);
            let at = offset.konst();
            self.error(1206, format!("the field `{text}` is misaligned"))
                .at(name.span, format!("at offset {at}, which is no multiple of {align}"))
                .near(ty, "because of its type")
                .note("there is no implicit padding")
                .help(format!("put `pad: bytes({})` before it, or sort the fields by size", align - rest));
        }
        rest == 0
    }

    /// Complains if one of several variables is declared twice.
    pub(super) fn bound_once(&mut self, list: &[Ident]) -> Option<()> {
        let mut seen = std::collections::HashMap::new();
        for v in list {
            if let Some(first) = seen.insert(v.name, v.span) {
                self.duplicate(v.name, "variable", first, v.span);
                return None;
            }
        }
        Some(())
    }

    /// Complains about a second declaration.
    pub(super) fn duplicate(&mut self, name: Name, kind: &str, first: Span, second: Span) {
        let text = self.name(name);
        self.error(1102, format!("the {kind} `{text}` is declared twice"))
            .at(second, "again here")
            .near(first, "first declared here");
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
