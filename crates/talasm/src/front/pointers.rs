//! Lowers the words that are made of other words: `opt`, `res` and `exists`; and what pointers may not point to.

use super::ast::{Ast, Bound, Exists, Ident, TypeId};
use super::cx::{Binding, Cx, Vars};
use super::kinds::{Use, Used};
use super::types::Lowered;
use crate::ir::Span;
use talcore::facts::Interval;
use talcore::limits;
use talcore::term::Term;
use talcore::types::{self, Layout, LayoutId, Mode, WordId, WordTy};

/// Parts of a sequence, written out.
const MOST_PARTS: usize = 4096;

impl Cx<'_> {
    /// `opt T`: 0 or a pointer.
    pub(super) fn opt(&mut self, ast: &Ast, t: TypeId, vars: &Vars) -> Option<WordTy> {
        let w = self.word(ast, t, vars)?;
        let span = ast.ty(t).span;
        match self.table.types.word(w) {
            WordTy::Ptr(Mode::Uniq, _) => self.maybe_exclusive(span),
            WordTy::Ptr(..) | WordTy::Fn(_) | WordTy::Exists(_) | WordTy::During(..) => Some(WordTy::Opt(w)),
            _ => {
                self.error(1202, "`opt` is for pointers")
                    .at(span, "not a pointer or function value")
                    .note("`opt T` is a word that is either 0 or a T, and a T is never 0");
                None
            }
        }
    }

    /// `res T`: a pointer or an error number.
    pub(super) fn res(&mut self, ast: &Ast, t: TypeId, vars: &Vars) -> Option<WordTy> {
        let w = self.word(ast, t, vars)?;
        let span = ast.ty(t).span;
        match self.table.types.word(w) {
            WordTy::Ptr(Mode::Uniq, _) => self.maybe_exclusive(span),
            WordTy::Ptr(..) | WordTy::Exists(_) => Some(WordTy::Res(w)),
            _ => {
                self.error(1202, "`res` is for pointers")
                    .at(span, "not a pointer")
                    .note("`res T` is a word that is either an error number, -4095 to -1, or a T");
                None
            }
        }
    }

    /// `seq(L, M)`: parts one behind the other, without padding.
    pub(super) fn seq(&mut self, ast: &Ast, parts: &[TypeId], span: Span, vars: &Vars) -> Option<LayoutId> {
        if parts.len() > limits::FIELDS {
            self.error(1010, "too many parts").at(span, format!("at most {}", limits::FIELDS));
            return None;
        }
        let mut layouts = Vec::with_capacity(parts.len());
        for part in parts {
            let layout = self.layout(ast, *part, vars)?;
            layouts.push(layout);
            if self.size_of_layout(layout).is_none() {
                if !self.of_broken(layout) {
                    self.error(1212, "the size of this part is not known")
                        .at(ast.ty(*part).span, "a size is needed")
                        .help("give strings a length: `cstr(m)`; or keep a pointer: `imm cstr`");
                }
                return None;
            }
        }
        let mut offset = Term::zero();
        for (layout, part) in layouts.iter().zip(parts) {
            let align = i128::from(self.align_of_layout(*layout));
            let aligned =
                offset.konst() % align == 0 && offset.summands().iter().all(|s| i128::from(s.1) % align == 0);
            if !aligned {
                self.error(1206, "this part may be misaligned")
                    .at(ast.ty(*part).span, format!("must be a multiple of {align} bytes from the start"))
                    .note("there is no implicit padding");
                return None;
            }
            let size = self.size_of_layout(*layout)?;
            let Some(sum) = offset.add(&size) else {
                self.error(1215, "this is larger than any object can be").at(span, "too large");
                return None;
            };
            offset = sum;
        }
        let weight = 1 + layouts.iter().map(|l| self.weight(*l)).sum::<usize>();
        if weight > MOST_PARTS {
            self.error(1010, "this type has too many parts")
                .at(span, format!("at most {MOST_PARTS}, with those that its parts consist of"))
                .help("put some of them into a struct");
            return None;
        }
        let layout = self.table.layout(Layout::Seq(layouts.into()));
        self.weights.insert(layout, weight);
        Some(layout)
    }

    /// How many parts a layout has when it is written out, but for what structs have. Only sequences have more than one,
    /// so that theirs are all that must be remembered.
    fn weight(&self, layout: LayoutId) -> usize {
        let mut id = layout;
        let mut depth = 1;
        loop {
            depth += 1;
            let mut word = match self.table.types.layout(id) {
                Layout::Seq(_) => return depth + self.weights.get(&id).copied().unwrap_or(MOST_PARTS),
                Layout::Array(_, l) => {
                    id = *l;
                    continue;
                }
                Layout::Exists(e) => {
                    id = e.body;
                    continue;
                }
                Layout::Cell(w) | Layout::NullTerm(_, w) => *w,
                _ => return depth,
            };
            id = loop {
                depth += 1;
                match self.table.types.word(word) {
                    WordTy::Ptr(_, l) => break *l,
                    WordTy::Opt(w) | WordTy::Res(w) => word = *w,
                    WordTy::Exists(e) => word = e.body,
                    _ => return depth,
                }
            };
        }
    }

    /// The size of memory does not depend on what is hidden in it: whoever looks at it from outside must know it.
    pub(super) fn check_hidden(&mut self, layout: LayoutId, span: Span) {
        let Layout::Exists(e) = self.table.types.layout(layout).clone() else { return };
        let Some(size) = self.size_of_layout(e.body) else {
            if !self.of_broken(e.body) {
                self.error(1212, "the size of this memory is not known")
                    .at(span, "a size is needed")
                    .help("hide the length of a string behind a pointer: `imm cstr`");
            }
            return;
        };
        if size.scope() > e.first {
            self.error(1212, "the size of this memory depends on what is hidden in it")
                .at(span, "how large is it?")
                .note("memory that hides sizes has a size that everybody knows")
                .help("hide the size of what a pointer points to: `exists n. own bytes(n)`");
        }
    }

    fn maybe_exclusive(&mut self, span: Span) -> Option<WordTy> {
        self.error(1211, "an exclusive borrow is always there")
            .at(span, "`&uniq` memory is given back in any case")
            .help("pass it by `opt own` and back, or test before the call");
        None
    }

    /// `exists n {facts}. T`: a pointer or memory whose type mentions sizes that are hidden until it is loaded.
    pub(super) fn exists(&mut self, ast: &Ast, e: &Exists, vars: &Vars) -> Option<Lowered> {
        let idents: Vec<_> = e.binders.iter().map(|b| b.ident).collect();
        self.bound_once(&idents)?;
        let used = self.names_in_body(ast, e, vars.file);
        let mut ranges = Vec::with_capacity(idents.len());
        for b in &e.binders {
            let (name, span) = (b.ident.name, b.ident.span);
            if !self.one_kind(name, span, &used) {
                return None;
            }
            match used.iter().find(|u| u.0 == name) {
                Some(u) if u.2 == Use::Type => ranges.push(Interval::ALL),
                Some(_) => ranges.push(self.bound(ast, b, vars)?),
                None => {
                    let text = self.name(name);
                    self.error(1210, format!("the variable `{text}` is not used"))
                        .at(span, "nothing says what it is the size of")
                        .help("leave it out");
                    return None;
                }
            }
        }
        let outer = used.iter().filter(|u| idents.iter().all(|i| i.name != u.0));
        let scopes = outer.filter_map(|u| match vars.get(u.0)? {
            Binding::Index(t) => Some(t.scope()),
            Binding::Word(w) => Some(self.outer_of_word(*w, u32::MAX)),
            Binding::Layout(l) => Some(self.outer_of_layout(*l, u32::MAX)),
            Binding::Table(_) | Binding::Broken => None,
        });
        // What is bound has the first numbers that the rest leaves free: so one and the same existential is one
        // and the same type wherever it is written. A name whose summands cancel does not count.
        let mut first = scopes.max().unwrap_or(0);
        loop {
            if first as usize + ranges.len() > limits::BINDERS {
                self.error(1010, "too many variables")
                    .at(idents[0].span, format!("at most {}, with those around it", limits::BINDERS));
                return None;
            }
            let (body, facts) = self.hide(ast, e, vars, &used, first)?;
            let outer = facts.iter().map(|f| outer_of_term(f, first)).max().unwrap_or(0);
            let needed = outer.max(match body {
                Lowered::Word(w) => self.outer_of_word(w, first),
                Lowered::Layout(l) => self.outer_of_layout(l, first),
            });
            if needed >= first {
                let (vars, facts) = (ranges.into(), facts.into());
                return match body {
                    Lowered::Word(body) => self.hidden_word(body, ast.ty(e.body).span, |body| {
                        types::Exists { first, vars, facts, body }
                    }),
                    Lowered::Layout(body) => {
                        let exists = types::Exists { first, vars, facts, body };
                        let layout = self.table.layout(Layout::Exists(Box::new(exists)));
                        self.hidden_checks.push((layout, ast.ty(e.body).span));
                        Some(Lowered::Layout(layout))
                    }
                };
            }
            first = needed;
        }
    }

    /// The pointer that hides sizes. A stretch stands outside: it is no size of a word.
    fn hidden_word(
        &mut self,
        body: WordId,
        span: Span,
        exists: impl FnOnce(WordId) -> types::Exists<WordId>,
    ) -> Option<Lowered> {
        let (pointer, stretch) = match self.table.types.word(body) {
            WordTy::During(s, pointer) => (*pointer, Some(s.clone())),
            _ => (body, None),
        };
        let exists = exists(pointer);
        let first = exists.first;
        let word = self.table.word(WordTy::Exists(exists));
        let Some(stretch) = stretch else { return Some(Lowered::Word(word)) };
        if stretch.scope() > first {
            self.error(1202, "`exists` hides for how long the pointer is good")
                .at(span, "nobody could ever use it")
                .help("let the stretch be a parameter of the struct, abbreviation or function");
            return None;
        }
        Some(Lowered::Word(self.table.word(WordTy::During(stretch, word))))
    }
    /// The stretch that a name stands for: a number.
    pub(super) fn stretch_term(&mut self, s: Ident, vars: &Vars) -> Option<Term> {
        match vars.get(s.name) {
            Some(Binding::Index(t)) => return Some(t.clone()),
            Some(Binding::Broken) => return None,
            _ => (),
        }
        let text = self.name(s.name);
        self.error(1210, format!("`{text}` is no stretch")).at(s.span, "no variable for a number").help(
            format!(
                "quantify over it: `fn name[{text}: stretch](...)`, or make it a parameter of the struct"
            ),
        );
        None
    }

    /// The body and the facts of an existential with its variables from `first` on.
    fn hide(
        &mut self,
        ast: &Ast,
        e: &Exists,
        vars: &Vars,
        used: &[Used],
        first: u32,
    ) -> Option<(Lowered, Vec<Term>)> {
        let mut inner = vars.clone();
        for (b, v) in e.binders.iter().zip(first..) {
            let binding = match used.iter().find(|u| u.0 == b.ident.name) {
                Some(_) if let Bound::Size(n) = b.bound => {
                    let n = self.eval_term(ast, n, &inner)?;
                    Binding::Layout(self.table.layout(Layout::Of(Term::var(v), n)))
                }
                Some(u) if u.2 == Use::Type => {
                    let moved = matches!(b.bound, Bound::Own);
                    Binding::Word(self.table.word(WordTy::Of(Term::var(v), moved)))
                }
                _ => Binding::Index(Term::var(v)),
            };
            inner.list.push((b.ident.name, binding));
        }
        let body = self.lower(ast, e.body, &inner)?;
        let facts = self.facts(ast, &e.facts, &inner)?;
        let span = ast.ty(e.body).span;
        let Lowered::Word(word) = body else { return Some((body, facts)) };
        let pointer = match self.table.types.word(word) {
            WordTy::During(_, pointer) => *pointer,
            _ => word,
        };
        match self.table.types.word(pointer) {
            WordTy::Ptr(Mode::Uniq, _) => {
                self.error(1211, "an exclusive borrow hides no sizes")
                    .at(span, "the caller gets it back and must know what it is then")
                    .help("quantify over the size in the signature: `fn name[n](...)`");
                None
            }
            WordTy::Ptr(..) => Some((body, facts)),
            WordTy::Opt(_) | WordTy::Res(_) => {
                self.error(1202, "`exists` hides sizes of a pointer that is there")
                    .at(span, "may be no pointer")
                    .help("write it the other way round: `opt exists n. ...`");
                None
            }
            WordTy::Exists(_) => {
                self.error(1202, "an `exists` directly in another one")
                    .at(span, "not a pointer")
                    .help("one `exists` binds several variables: `exists n, m. ...`");
                None
            }
            _ => {
                self.error(1202, "`exists` is for pointers and for memory")
                    .at(span, "neither a pointer nor a struct, an array or the like")
                    .note("it hides sizes that the type of a pointer mentions: `exists n. own bytes(n)`");
                None
            }
        }
    }

    /// One more than the largest variable below `below` that a word type mentions. Types are only as deep as
    /// [`limits::NESTING`] allows.
    fn outer_of_word(&self, w: WordId, below: u32) -> u32 {
        match self.table.types.word(w) {
            WordTy::Int(t) | WordTy::Of(t, _) => outer_of_term(t, below),
            WordTy::Ptr(_, l) => self.outer_of_layout(*l, below),
            WordTy::Opt(w) | WordTy::Res(w) => self.outer_of_word(*w, below),
            WordTy::During(t, w) | WordTy::When(t, _, w) => {
                outer_of_term(t, below).max(self.outer_of_word(*w, below))
            }
            // It is one more than the largest that the existential mentions of those around it, which all are below.
            WordTy::Exists(e) if e.first <= below => e.first,
            WordTy::Exists(e) => {
                let facts = e.facts.iter().map(|f| outer_of_term(f, below));
                facts.max().unwrap_or(0).max(self.outer_of_word(e.body, below))
            }
            WordTy::FnAt(_, args) => args.iter().map(|t| outer_of_term(t, below)).max().unwrap_or(0),
            WordTy::Range(_) | WordTy::Fn(_) | WordTy::Var(_) => 0,
        }
    }

    fn outer_of_layout(&self, l: LayoutId, below: u32) -> u32 {
        let most = |terms: &[Term]| terms.iter().map(|t| outer_of_term(t, below)).max().unwrap_or(0);
        match self.table.types.layout(l) {
            Layout::Bytes(t) => outer_of_term(t, below),
            Layout::Cstr(t) => most(t.as_slice()),
            Layout::Cell(w) => self.outer_of_word(*w, below),
            Layout::Num(..) => 0,
            Layout::Exact(_, _, t) | Layout::Foreign(t) => outer_of_term(t, below),
            Layout::Of(t, n) => outer_of_term(t, below).max(outer_of_term(n, below)),
            Layout::Array(n, l) => outer_of_term(n, below).max(self.outer_of_layout(*l, below)),
            Layout::NullTerm(n, w) => most(n.as_slice()).max(self.outer_of_word(*w, below)),
            Layout::Struct(_, args) => most(args),
            Layout::Seq(parts) => parts.iter().map(|l| self.outer_of_layout(*l, below)).max().unwrap_or(0),
            Layout::Exists(e) if e.first <= below => e.first,
            Layout::Exists(e) => {
                let facts = e.facts.iter().map(|f| outer_of_term(f, below));
                facts.max().unwrap_or(0).max(self.outer_of_layout(e.body, below))
            }
        }
    }

    /// Whether memory of this layout owns other memory.
    pub(super) fn owns(&mut self, layout: LayoutId) -> bool {
        match self.table.types.layout(layout).clone() {
            Layout::Cell(w) => self.table.types.linear(w),
            Layout::Of(..) => true,
            Layout::Array(_, l) => self.owns(l),
            Layout::Seq(parts) => parts.iter().any(|l| self.owns(*l)),
            Layout::Exists(e) => self.owns(e.body),
            Layout::Struct(s, _) => {
                let decl = self.struct_decls[s.index()];
                self.struct_info(decl).is_some_and(|info| info.parts().into_iter().any(|l| self.owns(l)))
            }
            Layout::Bytes(_)
            | Layout::Cstr(_)
            | Layout::Num(..)
            | Layout::Exact(..)
            | Layout::Foreign(_)
            | Layout::NullTerm(..) => false,
        }
    }

    /// What an exclusive borrow gives back has the size of what it takes, and both are raw bytes or neither is.
    pub(super) fn check_uniq(&mut self, takes: LayoutId, gives: LayoutId, span: Span) {
        if self.of_broken(takes) || self.of_broken(gives) {
            return;
        }
        if let (Some(a), Some(b)) = (self.abstract_layout(takes), self.abstract_layout(gives))
            && a == b
        {
            return;
        }
        let (a, b) = (self.size_of_layout(takes), self.size_of_layout(gives));
        if a.is_none() || b.is_none() {
            self.error(1212, "the size of exclusive memory is not hidden")
                .at(span, "its size cannot be told")
                .help("quantify over the length: `fn name[m](rdi: &uniq cstr(m))`");
        } else if a != b {
            self.error(1211, "an exclusive borrow is given back with another size")
                .at(span, "the two sides of `=>` differ in size")
                .note("the caller's object stays where it is and as large as it is");
        } else if self.any_bytes(takes) != self.any_bytes(gives) {
            self.error(
                1211,
                "an exclusive borrow is given back as raw memory, or as another kind than it was",
            )
            .at(span, "any bytes fit one side of `=>`, but not the other")
            .help("take a struct or an array and give one back, or use `bytes(n)` on both sides");
        }
    }

    /// Whether any bytes are a value of this layout.
    fn any_bytes(&mut self, layout: LayoutId) -> bool {
        let any =
            |bits, range: &Interval| *range == Interval::unsigned(bits) || *range == Interval::signed(bits);
        match self.table.types.layout(layout).clone() {
            Layout::Bytes(_) => true,
            Layout::Cell(w) => match self.table.types.word(w) {
                WordTy::Range(range) => any(self.options.arch.word_bits(), range),
                _ => false,
            },
            Layout::Num(w, range) => any(w.bits(), &range),
            Layout::Array(_, l) => self.any_bytes(l),
            Layout::Seq(parts) => parts.iter().all(|l| self.any_bytes(*l)),
            Layout::Struct(s, _) => {
                let decl = self.struct_decls[s.index()];
                self.struct_info(decl).is_some_and(|info| {
                    info.size.is_some() && info.parts().into_iter().all(|l| self.any_bytes(l))
                })
            }
            Layout::Cstr(_)
            | Layout::NullTerm(..)
            | Layout::Exact(..)
            | Layout::Foreign(_)
            | Layout::Of(..)
            | Layout::Exists(_) => false,
        }
    }
}

/// One more than the largest variable below `below` in a term.
fn outer_of_term(t: &Term, below: u32) -> u32 {
    t.summands().iter().filter(|s| s.0 < below).map(|s| s.0 + 1).max().unwrap_or(0)
}
