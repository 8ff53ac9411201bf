//! Measuring types: each once, and no deeper than they may nest.

use super::{Bad, UnionShape};
use crate::arch::Arch;
use crate::facts::Interval;
use crate::limits;
use crate::scope::same_abstract;
use crate::term::Term;
use crate::types::{Body, Exists, Layout, LayoutId, Mode, Sig, StructId, Types, WordId, WordTy};
use alloc::vec;
use alloc::vec::Vec;

/// What is known of a layout.
#[derive(Clone, Debug)]
pub(super) struct Info {
    /// The size in bytes; `None` while a length is hidden.
    pub(super) size: Option<Term>,
    /// Any bytes are a value of it.
    pub(super) raw: bool,
    /// It has cells that own other memory.
    pub(super) linear: bool,
    /// It has parts that are existential.
    pub(super) hides: bool,
    /// Cells of the unfolded layout.
    pub(super) cells: usize,
}

pub(super) struct Measure<'t> {
    pub(super) types: &'t Types,
    pub(super) arch: Arch,
    // Everything is worked out once: what nests 64 deep may have more paths than there are bytes.
    pub(super) done: Vec<Option<Info>>,
    pub(super) structs: Vec<Progress>,
    /// What is known of each struct that is a union.
    pub(super) unions: Vec<Option<UnionShape>>,
    /// One past the largest variable.
    pub(super) word_scopes: Vec<Option<u32>>,
    pub(super) layout_scopes: Vec<Option<u32>>,
}

/// How far a struct is.
#[derive(Clone)]
pub(super) enum Progress {
    None,
    Begun,
    Done(Info),
}

impl<'t> Measure<'t> {
    pub(super) fn new(types: &'t Types, arch: Arch) -> Self {
        Measure {
            types,
            arch,
            done: vec![None; types.layouts.len()],
            structs: vec![Progress::None; types.structs.len()],
            unions: vec![None; types.structs.len()],
            word_scopes: vec![None; types.words.len()],
            layout_scopes: vec![None; types.layouts.len()],
        }
    }

    /// One past the largest variable that each word type mentions.
    pub(super) fn scopes(mut self) -> Result<Vec<Option<u32>>, Bad> {
        for i in 0..self.types.words.len() {
            self.word_scope(WordId(i as u32), 0)?;
        }
        Ok(self.word_scopes)
    }

    pub(super) fn everything(&mut self) -> Result<(), Bad> {
        for i in 0..self.types.layouts.len() {
            self.layout(LayoutId(i as u32), 0)?;
        }
        for i in 0..self.types.words.len() {
            self.word_scope(WordId(i as u32), 0)?;
        }
        for (i, s) in self.types.structs.iter().enumerate() {
            self.fields(StructId(i as u32), 0)?;
            for f in s.body.parts() {
                if self.layout_scope(*f, 0)? > s.params {
                    return Err("a field mentions a variable that is no parameter of its struct");
                }
            }
            if s.facts.iter().any(|f| f.scope() > s.params) {
                return Err("a fact of a struct mentions a variable that is no parameter");
            }
        }
        for sig in &self.types.sigs {
            self.sig(sig)?;
        }
        Ok(())
    }

    pub(super) fn layout(&mut self, id: LayoutId, depth: usize) -> Result<Info, Bad> {
        if depth > 2 * limits::NESTING {
            return Err("types are nested too deeply");
        }
        match self.done.get(id.index()) {
            None => return Err("a type that does not exist"),
            Some(Some(info)) => return Ok(info.clone()),
            Some(None) => {}
        }
        let word = i128::from(self.arch.word_bytes());
        let types = self.types;
        let info = match types.layout(id) {
            Layout::Bytes(n) => {
                Info { size: Some(n.clone()), raw: true, linear: false, hides: false, cells: 1 }
            }
            Layout::Cstr(m) => {
                let size = m.as_ref().map(|m| m.offset(1).ok_or("a size is too large")).transpose()?;
                Info { size, raw: false, linear: false, hides: false, cells: 1 }
            }
            Layout::Cell(w) => {
                self.storable(*w)?;
                let raw = matches!(types.word(*w), WordTy::Range(r) if any(self.arch.word_bits(), r));
                Info { size: Some(Term::from(word)), raw, linear: types.linear(*w), hides: false, cells: 1 }
            }
            Layout::Num(w, range) => {
                let bits = w.bits();
                if bits > self.arch.word_bits() {
                    return Err("an integer cell wider than a word");
                }
                if !range.within(&Interval::unsigned(bits)) && !range.within(&Interval::signed(bits)) {
                    return Err("the range of an integer cell does not fit its width");
                }
                let size = Some(Term::from(i128::from(w.bytes())));
                Info { size, raw: any(bits, range), linear: false, hides: false, cells: 1 }
            }
            // What a variable stands for may own memory, and hide sizes.
            Layout::Of(_, n) => {
                Info { size: Some(n.clone()), raw: false, linear: true, hides: true, cells: 1 }
            }
            Layout::Foreign(n) => {
                Info { size: Some(n.clone()), raw: false, linear: false, hides: false, cells: 1 }
            }
            Layout::Exact(w, ..) => {
                if w.bits() > self.arch.word_bits() {
                    return Err("an integer cell wider than a word");
                }
                let size = Some(Term::from(i128::from(w.bytes())));
                Info { size, raw: false, linear: false, hides: false, cells: 1 }
            }
            Layout::Array(n, elem) => {
                self.whole(*elem)?;
                let elem = self.layout(*elem, depth + 1)?;
                match elem.size.as_ref().and_then(|s| s.as_const()) {
                    Some(s) if s >= 1 => {
                        let size = n.scale(s).ok_or("a size is too large")?;
                        Info { size: Some(size), ..elem }
                    }
                    _ => return Err("the elements of an array need a constant size of at least one byte"),
                }
            }
            Layout::NullTerm(k, w) => {
                if !matches!(types.word(*w), WordTy::Opt(_)) {
                    return Err("the words of a null-terminated array are of an `opt` type");
                }
                if k.is_none() && self.word_scope(*w, 0)? > 0 {
                    return Err("a null-terminated array of hidden length needs closed words");
                }
                self.storable(*w)?;
                if types.linear(*w) {
                    return Err("a null-terminated array cannot own what its words point to");
                }
                let size =
                    k.as_ref().map(|k| k.offset(1).and_then(|n| n.scale(word)).ok_or("a size is too large"));
                Info { size: size.transpose()?, raw: false, linear: false, hides: false, cells: 1 }
            }
            Layout::Struct(id, args) => {
                if types.structs.get(id.index()).is_none_or(|s| s.params as usize != args.len()) {
                    return Err("a struct with another number of parameters");
                }
                let body = self.fields(*id, depth)?;
                let size = body.size.as_ref().map(|s| s.subst(args).ok_or("a size is too large"));
                Info { size: size.transpose()?, ..body }
            }
            Layout::Seq(parts) => self.sequence(parts, depth)?,
            Layout::Exists(e) => {
                self.whole(e.body)?;
                let body = self.layout(e.body, depth + 1)?;
                // Whoever looks at the memory from outside must know where it ends.
                match &body.size {
                    None => return Err("a hidden length inside a layout"),
                    Some(size) if size.scope() > e.first => {
                        return Err("the size of memory mentions a variable that is hidden in it");
                    }
                    // Not any bytes are a value of it: something is claimed of them, or nothing was hidden.
                    Some(_) => Info { raw: false, hides: true, ..body },
                }
            }
        };
        if info.cells > limits::FRAME_CELLS * 4 {
            return Err("a layout has too many cells");
        }
        self.done[id.index()] = Some(info.clone());
        Ok(info)
    }

    fn fields(&mut self, id: StructId, depth: usize) -> Result<Info, Bad> {
        match self.structs.get(id.index()) {
            Some(Progress::Done(info)) => return Ok(info.clone()),
            Some(Progress::Begun) => return Err("a struct contains itself"),
            None => return Err("a struct that does not exist"),
            Some(Progress::None) => {}
        }
        self.structs[id.index()] = Progress::Begun;
        let info = match &self.types.strukt(id).body {
            Body::Fields(fields) => self.sequence(fields, depth)?,
            Body::Union { tag, variants } => self.union(id, *tag, variants, depth)?,
            // All that may be is presumed of what another module keeps to itself.
            Body::Hidden => Info { size: None, raw: false, linear: true, hides: true, cells: 1 },
        };
        self.structs[id.index()] = Progress::Done(info.clone());
        Ok(info)
    }

    fn sequence(&mut self, parts: &[LayoutId], depth: usize) -> Result<Info, Bad> {
        let mut sum = Info { size: Some(Term::zero()), raw: true, linear: false, hides: false, cells: 0 };
        for part in parts {
            self.whole(*part)?;
            let part = self.layout(*part, depth + 1)?;
            let (a, b) =
                sum.size.as_ref().zip(part.size.as_ref()).ok_or("a hidden length inside a layout")?;
            sum = Info {
                size: Some(a.add(b).ok_or("a size is too large")?),
                raw: sum.raw && part.raw,
                linear: sum.linear || part.linear,
                hides: sum.hides || part.hides,
                cells: sum.cells.saturating_add(part.cells),
            };
        }
        Ok(sum)
    }

    /// Memory that others change is no part of anything: see `rules::own::foreign`.
    pub(super) fn whole(&self, part: LayoutId) -> Result<(), Bad> {
        match self.types.layouts.get(part.index()) {
            Some(Layout::Foreign(_)) => Err("foreign memory inside of other memory"),
            _ => Ok(()),
        }
    }

    /// Words in memory outlive every call: no borrows, and no variables for types.
    fn storable(&self, id: WordId) -> Result<(), Bad> {
        match self.types.word(id) {
            WordTy::Ptr(mode, _) if mode.borrow() => Err("a borrowed pointer cannot be stored in memory"),
            WordTy::Var(_) => Err("a word type variable cannot be stored in memory"),
            WordTy::Res(_) => Err("an address or error number is tested before it is stored in memory"),
            WordTy::When(..) => Err("a word that is of its type sometimes only is stored in memory"),
            WordTy::Opt(inner) => match self.types.word(*inner) {
                WordTy::Ptr(..) | WordTy::Fn(_) | WordTy::Exists(_) | WordTy::During(..) => {
                    self.storable(*inner)
                }
                _ => Err("`opt` of a word that is no pointer"),
            },
            WordTy::Exists(e) => match self.types.word(e.body) {
                WordTy::Ptr(..) => self.storable(e.body),
                _ => Err("`exists` of a word that is no pointer"),
            },
            _ => Ok(()),
        }
    }

    pub(super) fn coded(&self, id: WordId) -> bool {
        let scope = self.word_scopes.get(id.index()).copied().flatten();
        scope == Some(0) && !matches!(self.types.word(id), WordTy::Of(..)) && self.storable(id).is_ok()
    }

    fn word_scope(&mut self, id: WordId, depth: usize) -> Result<u32, Bad> {
        if depth > 2 * limits::NESTING {
            return Err("types are nested too deeply");
        }
        if let Some(scope) = self.word_scopes.get(id.index()).ok_or("a type that does not exist")? {
            return Ok(*scope);
        }
        let scope = match self.types.word(id) {
            WordTy::Int(t) | WordTy::Of(t, _) => t.scope(),
            WordTy::Ptr(_, l) => self.layout_scope(*l, depth + 1)?,
            WordTy::Opt(w) | WordTy::Res(w) => self.word_scope(*w, depth + 1)?,
            WordTy::During(t, w) => {
                let pointer = match self.types.words.get(w.index()) {
                    Some(WordTy::Exists(e)) => self.types.words.get(e.body.index()),
                    other => other,
                };
                if !matches!(pointer, Some(WordTy::Ptr(Mode::Frozen, _))) {
                    return Err("what is borrowed for a stretch is a frozen pointer");
                }
                t.scope().max(self.word_scope(*w, depth + 1)?)
            }
            WordTy::Exists(e) => {
                let inside = self.word_scope(e.body, depth + 1)?;
                bound(e, inside)?
            }
            WordTy::FnAt(sig, args) => {
                if self.types.sigs.get(sig.index()).is_none_or(|s| s.vars.len() < args.len() || s.start) {
                    return Err("a function value with more arguments than its signature has variables");
                }
                args.iter().map(Term::scope).max().unwrap_or(0)
            }
            WordTy::When(t, _, w) => {
                // Its type says what it is, so that looking at it never goes deep.
                match self.types.words.get(w.index()) {
                    Some(
                        WordTy::Ptr(..) | WordTy::Opt(_) | WordTy::Exists(_) | WordTy::Fn(_) | WordTy::Of(..),
                    ) => {}
                    _ => return Err("`when` of a word that is no pointer and of no variable's type"),
                }
                t.scope().max(self.word_scope(*w, depth + 1)?)
            }
            WordTy::Range(_) | WordTy::Fn(_) | WordTy::Var(_) => 0,
        };
        self.word_scopes[id.index()] = Some(scope);
        Ok(scope)
    }

    fn layout_scope(&mut self, id: LayoutId, depth: usize) -> Result<u32, Bad> {
        if depth > 2 * limits::NESTING {
            return Err("types are nested too deeply");
        }
        if let Some(scope) = self.layout_scopes.get(id.index()).ok_or("a type that does not exist")? {
            return Ok(*scope);
        }
        let scope = match self.types.layout(id) {
            Layout::Bytes(t) => t.scope(),
            Layout::Cstr(t) => t.as_ref().map_or(0, Term::scope),
            Layout::Cell(w) => self.word_scope(*w, depth + 1)?,
            Layout::Num(..) => 0,
            Layout::Of(t, n) => t.scope().max(n.scope()),
            Layout::Exact(_, _, t) | Layout::Foreign(t) => t.scope(),
            Layout::Array(n, l) => n.scope().max(self.layout_scope(*l, depth + 1)?),
            Layout::NullTerm(k, w) => k.as_ref().map_or(0, Term::scope).max(self.word_scope(*w, depth + 1)?),
            Layout::Struct(_, args) => args.iter().map(Term::scope).max().unwrap_or(0),
            Layout::Exists(e) => {
                let inside = self.layout_scope(e.body, depth + 1)?;
                bound(e, inside)?
            }
            Layout::Seq(parts) => {
                let mut scope = 0;
                for p in parts {
                    scope = scope.max(self.layout_scope(*p, depth + 1)?);
                }
                scope
            }
        };
        self.layout_scopes[id.index()] = Some(scope);
        Ok(scope)
    }

    fn sig(&mut self, sig: &Sig) -> Result<(), Bad> {
        let vars = sig.vars.len() as u32;
        let all = vars + sig.result_vars.len() as u32;
        if sig.vars.len() + sig.result_vars.len() > limits::BINDERS
            || sig.word_vars as usize > limits::BINDERS
        {
            return Err("a signature binds too many variables");
        }
        let ordered = sig.stretches.windows(2).all(|w| w[0] < w[1]);
        if !ordered || sig.stretches.len() > limits::STRETCHES || sig.stretches.iter().any(|v| *v >= vars) {
            return Err("the stretches of a signature are doubled, too many, or no variables of it");
        }
        let registers = self.arch.registers();
        for list in [&sig.params, &sig.results] {
            let sorted = list.windows(2).all(|w| w[0].0 < w[1].0);
            if !sorted || list.iter().any(|(r, _)| *r >= registers || *r == 4) {
                return Err("the registers of a signature are doubled, unordered or not for words");
            }
        }
        for &(_, w) in sig.params.iter() {
            self.sig_word(sig, w, vars)?;
        }
        for &w in &sig.stack {
            self.sig_word(sig, w, vars)?;
            // What is given back is found by its register.
            if let Some((Mode::Uniq, l)) = self.types.pointer(w)
                && !self.layout(l, 0)?.raw
            {
                return Err("an exclusive borrow of typed memory is passed in a register");
            }
        }
        for &(r, w) in &sig.results {
            let w = match self.types.word(w) {
                WordTy::When(t, range, inner) if t.scope() <= all && range.lo <= range.hi => *inner,
                WordTy::When(..) => {
                    return Err("what tells the type of a result is no term of the signature");
                }
                _ => w,
            };
            self.sig_word(sig, w, all)?;
            if sig.preserved >> r & 1 == 1 {
                return Err("a preserved register cannot hold a result");
            }
            if self.types.pointer(w).is_some_and(|(mode, _)| mode.borrow()) {
                return Err("a borrowed pointer cannot be a result");
            }
        }
        if sig.facts.iter().any(|f| f.scope() > vars) || sig.result_facts.iter().any(|f| f.scope() > all) {
            return Err("a fact of a signature mentions a variable that it does not bind");
        }
        if !sig.gives_back.windows(2).all(|w| w[0].0 < w[1].0) {
            return Err("what exclusive borrows give back is doubled or unordered");
        }
        for &(r, l) in &sig.gives_back {
            let taken = sig.params.iter().find(|(p, _)| *p == r).map(|(_, w)| self.types.word(*w));
            let Some(WordTy::Ptr(Mode::Uniq, k)) = taken else {
                return Err("only an exclusive borrow is given back");
            };
            let (takes, gives) = (self.layout(*k, 0)?, self.layout(l, 0)?);
            if self.layout_scope(l, 0)? > all {
                return Err("a signature mentions a variable that it does not bind");
            }
            let sized = takes.size.is_some() || same_abstract(self.types, *k, l);
            if !sized || takes.size != gives.size || takes.raw != gives.raw {
                return Err("an exclusive borrow is given back with another size, or raw and not raw");
            }
        }
        self.kept(sig, all)?;
        let plain = sig.params.is_empty() && sig.stack.is_empty() && sig.results.is_empty() && vars == 0;
        if sig.start && !(plain && sig.facts.is_empty() && sig.noreturn && sig.preserved == 0) {
            return Err("`start` has no arguments and does not return");
        }
        Ok(())
    }

    /// What the caller keeps: memory that it gave away whole, as its owner, and a word that tells.
    fn kept(&mut self, sig: &Sig, all: u32) -> Result<(), Bad> {
        if !sig.kept.windows(2).all(|w| w[0].param < w[1].param) || sig.noreturn && !sig.kept.is_empty() {
            return Err("what the caller keeps is doubled or unordered");
        }
        let words = Interval::unsigned(self.arch.word_bits());
        for k in &sig.kept {
            let taken = sig.params.iter().find(|p| p.0 == k.param).map(|p| self.types.word(p.1));
            let Some(WordTy::Ptr(Mode::Own, given)) = taken else {
                return Err("the caller keeps only what it gave away as `own`");
            };
            if !sig.results.iter().any(|r| r.0 == k.result) || !k.range.within(&words) {
                return Err("no result tells whether the caller keeps what it gave away");
            }
            if self.layout_scope(k.layout, 0)? > all {
                return Err("a signature mentions a variable that it does not bind");
            }
            let sized = same_abstract(self.types, *given, k.layout);
            let (given, kept) = (self.layout(*given, 0)?, self.layout(k.layout, 0)?);
            if given.size.is_none() && !sized || given.size != kept.size {
                return Err("what the caller keeps has another size than what it gave away");
            }
        }
        Ok(())
    }

    fn sig_word(&mut self, sig: &Sig, id: WordId, scope: u32) -> Result<(), Bad> {
        if self.word_scope(id, 0)? > scope {
            return Err("a signature mentions a variable that it does not bind");
        }
        match self.types.word(id) {
            WordTy::Var(v) if *v >= sig.word_vars => {
                Err("a signature mentions a variable that it does not bind")
            }
            WordTy::Opt(inner) => match self.types.word(*inner) {
                // It would be copied and lent twice before it is tested.
                WordTy::Ptr(Mode::Uniq, _) => Err("an exclusive borrow that may be 0 is not typed yet"),
                WordTy::Ptr(..) | WordTy::Fn(_) | WordTy::Exists(_) | WordTy::During(..) => {
                    self.sig_word(sig, *inner, scope)
                }
                _ => Err("`opt` of a word that is no pointer"),
            },
            WordTy::Res(inner) => match self.types.word(*inner) {
                WordTy::Ptr(Mode::Uniq, _) => {
                    Err("an exclusive borrow that may be an error is not typed yet")
                }
                WordTy::Ptr(..) | WordTy::Exists(_) => self.sig_word(sig, *inner, scope),
                _ => Err("`res` of a word that is no pointer"),
            },
            WordTy::When(..) => Err("only a result is of a type sometimes"),
            WordTy::Exists(e) => match self.types.word(e.body) {
                WordTy::Ptr(mode, _) if *mode != Mode::Uniq => Ok(()),
                _ => Err("`exists` of a word that is no pointer, or of an exclusive borrow"),
            },
            _ => Ok(()),
        }
    }
}

/// The scope of an existential whose body has the scope `inside`.
fn bound<B>(e: &Exists<B>, inside: u32) -> Result<u32, Bad> {
    let all = e.first.checked_add(e.vars.len() as u32).filter(|n| *n as usize <= limits::BINDERS);
    let all = all.ok_or("an existential binds too many variables")?;
    if inside > all || e.facts.iter().any(|f| f.scope() > all) {
        return Err("an existential mentions a variable that it does not bind");
    }
    Ok(e.first)
}

fn any(bits: u32, range: &Interval) -> bool {
    Interval::unsigned(bits).within(range) || Interval::signed(bits).within(range)
}
