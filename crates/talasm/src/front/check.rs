//! Checks that initial data is what its layout says: every cell, string and range.

use super::cx::Cx;
use super::data::{Blob, Env, in_bytes};
use crate::ir::{DataTarget, ImportKind, Place, Section, Span, SymId};
use talcore::codes::coded;
use talcore::facts::Interval;
use talcore::term::Term;
use talcore::types::{Exists, Layout, LayoutId, Mode, WordId, WordTy};

/// What a symbol is to a pointer in data.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pointee {
    Function,
    Immutable,
    Shared,
    Owned,
}

/// The data that is checked.
struct Data<'a> {
    blob: &'a Blob,
    /// All zeros: bss.
    zero: bool,
    /// Where the object is declared.
    span: Span,
    /// Addresses that were met in a place for them.
    met: usize,
}

impl Data<'_> {
    fn place(&self, at: usize) -> Span {
        self.blob.place(at).unwrap_or(self.span)
    }

    fn number(&self, at: usize, width: usize, signed: bool) -> i128 {
        let bytes = self.blob.bytes.get(at..at + width).unwrap_or(&[]);
        let n = bytes.iter().rev().fold(0i128, |n, b| n << 8 | *b as i128);
        let half = 1i128 << (8 * width - 1);
        if signed && n >= half { n - 2 * half } else { n }
    }

    fn address(&self, at: usize) -> Option<SymId> {
        let i = self.blob.relocs.binary_search_by_key(&(at as u32), |r| r.at).ok()?;
        match self.blob.relocs[i].target {
            DataTarget::Sym(s) => Some(s),
            DataTarget::Label { .. } => None,
        }
    }
}

impl Cx<'_> {
    /// Checks an object's initial data against its layout.
    pub(super) fn check_data(
        &mut self,
        blob: &Blob,
        layout: LayoutId,
        env: &Env,
        size: u64,
        span: Span,
    ) -> Option<()> {
        let zero = blob.bytes.is_empty();
        let mut data = Data { blob, zero, span, met: 0 };
        self.check_layout(&mut data, layout, env, 0)?;
        debug_assert!(zero || blob.bytes.len() as u64 == size);
        if data.met == blob.relocs.len() {
            return Some(());
        }
        // Some address lies where the layout has no pointer.
        for r in &blob.relocs {
            if !self.pointer_at(layout, env, r.at as i128).unwrap_or(false) {
                self.error(1405, "an address does not fit here")
                    .at(data.place(r.at as usize), "the type has no pointer in this place")
                    .note("raw bytes and numbers hold no addresses");
                return None;
            }
        }
        None
    }

    /// Whether a pointer cell of the layout begins at this offset.
    fn pointer_at(&mut self, layout: LayoutId, env: &Env, at: i128) -> Option<bool> {
        match self.table.types.layout(layout).clone() {
            Layout::Cell(w) => {
                Some(at == 0 && !matches!(self.table.types.word(w), WordTy::Int(_) | WordTy::Range(_)))
            }
            Layout::NullTerm(..) => Some(at % self.word_bytes() as i128 == 0),
            Layout::Bytes(_)
            | Layout::Cstr(_)
            | Layout::Num(..)
            | Layout::Exact(..)
            | Layout::Foreign(_)
            | Layout::Of(..) => Some(false),
            Layout::Array(_, l) => {
                let each = self.size_of_layout(l)?.subst(env)?.as_const()?;
                self.pointer_at(l, env, at % each.max(1))
            }
            Layout::Seq(parts) => {
                let mut at = at;
                for part in parts.iter() {
                    let size = self.size_of_layout(*part)?.subst(env)?.as_const()?;
                    if at < size {
                        return self.pointer_at(*part, env, at);
                    }
                    at -= size;
                }
                Some(false)
            }
            Layout::Exists(e) => {
                let inner = self.inside(&e, env)?;
                self.pointer_at(e.body, &inner, at)
            }
            Layout::Struct(s, args) => {
                let inner: Option<Vec<_>> = args.iter().map(|a| a.subst(env)).collect();
                let inner = Env::from(inner?);
                let decl = self.struct_decls[s.index()];
                let info = self.struct_info(decl)?;
                if !info.variants.is_empty() {
                    // Whether the variant that is there has one is checked by itself.
                    return Some(
                        info.parts().into_iter().any(|l| self.pointer_at(l, &inner, at).unwrap_or(false)),
                    );
                }
                for f in info.fields.iter().rev() {
                    let start = f.offset.subst(&inner)?.as_const()?;
                    if start <= at {
                        return self.pointer_at(f.layout, &inner, at - start);
                    }
                }
                Some(false)
            }
        }
    }

    fn check_layout(&mut self, data: &mut Data, layout: LayoutId, env: &Env, at: usize) -> Option<()> {
        match self.table.types.layout(layout).clone() {
            // What a layout variable stands for is for the engine to see.
            Layout::Bytes(_) | Layout::Foreign(_) | Layout::Of(..) => Some(()),
            Layout::Cstr(m) => {
                let m = m?.subst(env)?.as_const()? as usize;
                if data.zero {
                    return Some(());
                }
                let bytes = data.blob.bytes.get(at..at + m + 1)?;
                match bytes.iter().position(|b| *b == 0) {
                    Some(n) if n == m => Some(()),
                    Some(n) => {
                        self.error(
                            1404,
                            format!("the string ends after {} instead of {m}", in_bytes(n as i128)),
                        )
                        .at(data.place(at + n), "a NUL here");
                        None
                    }
                    None => {
                        self.error(1404, "the string has no NUL at its end")
                            .at(data.place(at + m), "0 is needed")
                            .help("a `cstr(m)` is m bytes that are not 0, and one that is: `db \"text\", 0`");
                        None
                    }
                }
            }
            Layout::Cell(w) => self.check_word(data, w, env, at),
            Layout::Num(w, range) => {
                let width = w.bytes() as usize;
                let full = range == Interval::unsigned(w.bits()) || range == Interval::signed(w.bits());
                if full { Some(()) } else { self.check_number(data, at, width, range) }
            }
            Layout::Exact(w, signed, t) => {
                let n = t.subst(env)?.as_const()?;
                let is = Interval::new(n, n);
                let all = Interval::number(w.bits(), signed);
                let range = if is.within(&all) { is } else { Interval::new(1, 0) };
                self.check_number(data, at, w.bytes() as usize, range)
            }
            Layout::Array(n, l) => {
                let each = self.size_of_layout(l)?.subst(env)?.as_const()? as usize;
                let mut n = n.subst(env)?.as_const()? as usize;
                if data.zero {
                    n = n.min(1);
                }
                if self.accepts_anything(l) {
                    return Some(());
                }
                (0..n).try_for_each(|i| self.check_layout(data, l, env, at + i * each))
            }
            Layout::NullTerm(k, w) => {
                let k = k?.subst(env)?.as_const()? as usize;
                let word = self.word_bytes() as usize;
                let pointer = match *self.table.types.word(w) {
                    WordTy::Opt(pointer) => pointer,
                    _ => w,
                };
                (0..k).try_for_each(|i| self.check_word(data, pointer, env, at + i * word))?;
                let last = at + k * word;
                if data.address(last).is_some() || data.number(last, word, false) != 0 {
                    self.error(1404, "the array of pointers has no null at its end")
                        .at(data.place(last), "0 is needed");
                    return None;
                }
                Some(())
            }
            Layout::Struct(s, args) => {
                let inner: Option<Vec<_>> = args.iter().map(|a| a.subst(env)).collect();
                let inner = Env::from(inner?);
                let decl = self.struct_decls[s.index()];
                let info = self.struct_info(decl)?;
                self.check_facts(s, &inner, data.span)?;
                if !info.variants.is_empty() {
                    let variant = self.variant_of(s, data, at)?;
                    return self.check_layout(data, variant, &inner, at);
                }
                for f in &info.fields {
                    let offset = f.offset.subst(&inner)?.as_const()? as usize;
                    self.check_layout(data, f.layout, &inner, at + offset)?;
                }
                Some(())
            }
            Layout::Seq(parts) => {
                let mut at = at;
                for part in parts.iter() {
                    self.check_layout(data, *part, env, at)?;
                    at += usize::try_from(self.size_of_layout(*part)?.subst(env)?.as_const()?).ok()?;
                }
                Some(())
            }
            Layout::Exists(e) => {
                let inner = self.inside(&e, env)?;
                let mut found = inner.to_vec();
                self.hidden_numbers(data, e.body, &inner, at, &mut found);
                self.check_layout(data, e.body, &Env::from(found), at)
            }
        }
    }

    /// What is known inside of an existential layout: what it hides is 0 as long as nothing else is found.
    pub(super) fn inside(&self, e: &Exists<LayoutId>, env: &Env) -> Option<Env> {
        let outer = (0..e.first).map(|v| Term::var(v).subst(env));
        outer.chain(e.vars.iter().map(|_| Some(Term::zero()))).collect()
    }

    /// The numbers in the data that say what is hidden.
    fn hidden_numbers(&mut self, data: &Data, layout: LayoutId, env: &Env, at: usize, found: &mut [Term]) {
        let fields: Vec<(LayoutId, usize)> = match self.table.types.layout(layout).clone() {
            Layout::Struct(s, args) => {
                let decl = self.struct_decls[s.index()];
                // What it calls its arguments is what is asked for.
                let Some(info) = self.struct_info(decl) else { return };
                let Some(inner) = args.iter().map(|a| a.subst(env)).collect::<Option<Vec<_>>>() else {
                    return;
                };
                let mut own = inner.clone();
                for f in &info.fields {
                    let offset = f.offset.subst(&inner).and_then(|t| t.as_const());
                    let Some(offset) = offset.and_then(|o| usize::try_from(o).ok()) else { return };
                    self.hidden_numbers(data, f.layout, &Env::from(inner.clone()), at + offset, &mut own);
                }
                for (arg, (new, old)) in args.iter().zip(own.iter().zip(&inner)) {
                    if let Some(slot) = arg.as_var().and_then(|v| found.get_mut(v as usize))
                        && new != old
                    {
                        *slot = new.clone();
                    }
                }
                return;
            }
            Layout::Cell(w) => {
                let WordTy::Int(t) = self.table.types.word(w).clone() else { return };
                if let [(v, c)] = *t.summands() {
                    let n = data.number(at, self.word_bytes() as usize, false) - t.konst();
                    let c = i128::from(c);
                    if let Some(slot) = found.get_mut(v as usize)
                        && n % c == 0
                    {
                        *slot = Term::from(n / c);
                    }
                }
                return;
            }
            Layout::Seq(parts) => {
                let mut all = Vec::new();
                let mut place = at;
                for part in parts.iter() {
                    all.push((*part, place));
                    let size =
                        self.size_of_layout(*part).and_then(|t| t.subst(env)).and_then(|t| t.as_const());
                    let Some(size) = size.and_then(|n| usize::try_from(n).ok()) else { break };
                    place += size;
                }
                all
            }
            _ => return,
        };
        for (field, at) in fields {
            self.hidden_numbers(data, field, env, at, found);
        }
    }

    /// The variant of a union that the tag says which lies at `at`.
    fn variant_of(&mut self, s: talcore::types::StructId, data: &Data, at: usize) -> Option<LayoutId> {
        let decl = self.struct_decls[s.index()];
        let (info, tags) = (self.struct_info(decl)?, self.union_tags.get(&decl)?.clone());
        let tag = info.fields.first()?.offset.as_const()? as usize;
        let n = data.number(at + tag, tags.width.bytes() as usize, false);
        let found = tags.ranges.iter().position(|r| r.lo <= n && n <= r.hi);
        if found.is_none() {
            let text = self.name(self.decls[decl as usize].ident.name);
            self.error(1408, format!("{n} is the tag of no variant of `{text}`"))
                .at(data.place(at + tag), "by the type of this place");
        }
        info.parts().get(found?).copied()
    }

    fn check_facts(&mut self, s: talcore::types::StructId, env: &Env, span: Span) -> Option<()> {
        let facts = self.table.types.strukt(s).facts.clone();
        for fact in facts {
            if fact.subst(env)?.as_const()? < 0 {
                self.error(1408, "the arguments of this struct break one of its facts")
                    .at(span, "of this object");
                return None;
            }
        }
        Some(())
    }

    /// Whether every sequence of bytes is a value of the layout.
    fn accepts_anything(&self, layout: LayoutId) -> bool {
        match self.table.types.layout(layout) {
            Layout::Bytes(_) | Layout::Foreign(_) => true,
            Layout::Num(w, range) => {
                *range == Interval::unsigned(w.bits()) || *range == Interval::signed(w.bits())
            }
            _ => false,
        }
    }

    fn check_number(&mut self, data: &Data, at: usize, width: usize, range: Interval) -> Option<()> {
        let n = data.number(at, width, range.lo < 0);
        if range.lo <= n && n <= range.hi {
            return Some(());
        }
        self.error(1408, format!("{n} is outside of {}..{}", range.lo, range.hi))
            .at(data.place(at), "by the type of this place");
        None
    }

    fn check_word(&mut self, data: &mut Data, word: WordId, env: &Env, at: usize) -> Option<()> {
        let width = self.word_bytes() as usize;
        let target = data.address(at);
        let (mut ty, mut opt) = (self.table.types.word(word).clone(), false);
        if let WordTy::Of(t, _) = &ty {
            ty = self.table.types.word(coded(&t.subst(env)?)?).clone();
        }
        if let WordTy::Opt(w) = ty {
            opt = true;
            ty = self.table.types.word(w).clone();
        }
        if let WordTy::During(_, w) = ty {
            ty = self.table.types.word(w).clone();
        }
        if let WordTy::Exists(e) = ty {
            ty = self.table.types.word(e.body).clone();
        }
        let wanted = match ty {
            WordTy::Range(range) => {
                // An address here is reported by the caller.
                return if target.is_some() { Some(()) } else { self.check_number(data, at, width, range) };
            }
            WordTy::Int(e) => {
                if target.is_some() {
                    return Some(());
                }
                let n = e.subst(env)?.as_const()?;
                let wrapped = n.rem_euclid(1 << (8 * width));
                return self.check_number(data, at, width, Interval::new(wrapped, wrapped));
            }
            WordTy::Fn(_) | WordTy::FnAt(..) => Pointee::Function,
            WordTy::Ptr(Mode::Own, _) => return self.check_owner(data, opt, at),
            // What never changes is good for any stretch.
            WordTy::Ptr(Mode::Imm | Mode::Frozen, _) => Pointee::Immutable,
            WordTy::Ptr(..) => Pointee::Shared,
            WordTy::Opt(_)
            | WordTy::Var(_)
            | WordTy::Of(..)
            | WordTy::Res(_)
            | WordTy::Exists(_)
            | WordTy::During(..)
            | WordTy::When(..) => {
                return None;
            }
        };
        let name = |p| match p {
            Pointee::Function => "a function",
            Pointee::Immutable => "an object in rodata",
            Pointee::Shared => "an object in data or bss",
            Pointee::Owned => "an owned static, to which no pointer is kept",
        };
        let Some(sym) = target else {
            let n = data.number(at, width, false);
            if n == 0 && opt {
                return Some(());
            }
            let message = if data.zero {
                "this pointer would begin as 0".to_string()
            } else {
                format!("{n} is not an address")
            };
            let m = self.error(1405, message);
            m.at(data.place(at), format!("the type wants the address of {}", name(wanted)));
            if n == 0 {
                m.help("a pointer that may be 0 is `opt ...`");
            }
            return None;
        };
        data.met += 1;
        let found = self.pointee(sym);
        if found == wanted {
            return Some(());
        }
        let symbol = &self.symbols[sym.0 as usize];
        let (text, declared) = (symbol.name.clone(), symbol.span);
        self.error(1405, format!("`{text}` is {}", name(found)))
            .at(data.place(at), format!("the type wants {}", name(wanted)))
            .near(declared, "declared here");
        None
    }

    /// A word that owns memory begins as 0.
    fn check_owner(&mut self, data: &mut Data, opt: bool, at: usize) -> Option<()> {
        let zero = data.address(at).is_none() && data.number(at, self.word_bytes() as usize, false) == 0;
        if opt && zero {
            return Some(());
        }
        let message =
            if zero { "this owned pointer would begin as 0" } else { "no object is owned in a file" };
        let m = self.error(1405, message);
        m.at(data.place(at), "the type wants memory that belongs to this word alone");
        m.note(
            "objects of a file are shared by all of the program; owned memory comes into being at run time",
        );
        m.help("declare the word as `opt own ...` and let it begin as 0");
        None
    }

    fn pointee(&self, sym: SymId) -> Pointee {
        match self.symbols[sym.0 as usize].place {
            Place::Object(i) => {
                let decl = self.own_objects[i as usize];
                match &self.decls[decl as usize].kind {
                    super::ast::DeclKind::Object(o) if o.section == Section::Rodata => Pointee::Immutable,
                    super::ast::DeclKind::Object(o) if o.owned.is_some() => Pointee::Owned,
                    _ => Pointee::Shared,
                }
            }
            Place::Import(i) => match self.imports[i as usize].kind {
                // No value names a type.
                ImportKind::Function(_) | ImportKind::Abstract(_) => Pointee::Function,
                ImportKind::Imm(_) => Pointee::Immutable,
                ImportKind::Shared(_) => Pointee::Shared,
                ImportKind::Owned(_) => Pointee::Owned,
            },
            Place::Function(_) | Place::Type(_) | Place::Gate | Place::Restorer => Pointee::Function,
        }
    }
}
