//! One-pass matching of types against a state: the heart of calls, returns and labels.
//!
//! A *pattern* (a signature, a label) speaks of its own variables. Matching walks the pattern once;
//! the first occurrence of a variable binds it, each later one is a goal `e1 = e2`. What matching
//! leaves open is asked from the guide. After that the pattern's intervals and facts are goals.

use crate::engine::{Checked, Engine, under};
use crate::facts::Interval;
use crate::guide::Guide;
use crate::limits;
use crate::rules::Lent;
use crate::state::{Env, Lay, LocId, STATIC, Word};
use crate::term::Term;
use crate::types::{Exists, Layout, LayoutId, Mode, WordId, WordTy};
use crate::verdict::Code;
use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;

/// What a pattern's variables stand for, as far as matching has come.
#[derive(Clone, Debug, Default)]
pub struct Subst {
    /// Variables below this one stand for themselves.
    pub rigid: u32,
    /// Locations below this one, and static objects, stand for themselves.
    pub rigid_locs: u32,
    /// The other index variables, from `rigid` on.
    pub terms: Vec<Option<Term>>,
    /// Word type variables.
    pub words: Vec<Option<Word>>,
    /// Locations of a label that do not stand for themselves.
    pub locs: Vec<Option<LocId>>,
}

impl Subst {
    /// `rigid` variables that stand for themselves, and `open` ones.
    pub fn new(rigid: u32, open: usize) -> Subst {
        Subst { rigid, terms: vec![None; open], ..Subst::default() }
    }

    /// Starts anew for a label: how many of its variables and locations stand for themselves, and
    /// how many there are.
    pub fn begin(&mut self, (rigid, vars): (usize, usize), (rigid_locs, locs): (usize, usize)) {
        (self.rigid, self.rigid_locs) = (rigid as u32, rigid_locs as u32);
        self.terms.clear();
        self.terms.resize(vars.saturating_sub(rigid), None);
        self.words.clear();
        self.locs.clear();
        self.locs.resize(locs.saturating_sub(rigid_locs), None);
    }

    /// Whether the terms are equal as they stand, or the pattern is a variable that this binds. `false`
    /// says nothing, and nothing is bound.
    pub fn evident(&mut self, pattern: &Term, actual: &Term) -> bool {
        match pattern.as_var() {
            Some(v) if v >= self.rigid => match self.terms.get_mut((v - self.rigid) as usize) {
                None => false,
                Some(Some(t)) => t == actual,
                Some(open) => {
                    *open = Some(actual.clone());
                    true
                }
            },
            _ => pattern == actual && pattern.scope() <= self.rigid,
        }
    }

    /// Whether a word of a label's state is matched without question or proof. `false` says nothing, and
    /// nothing is bound.
    pub fn evident_word(&mut self, pattern: &Word, actual: &Word) -> bool {
        match (pattern, actual) {
            (Word::Any, _) => true,
            (Word::Int(p), Word::Int(a)) | (Word::Sp(p), Word::Sp(a)) => self.evident(p, a),
            (Word::Ptr(l, p), Word::Ptr(k, a)) => self.same_loc(*l, *k) && self.evident(p, a),
            (Word::Fn(p), Word::Fn(a)) => p == a,
            (Word::Entry(p), Word::Entry(a)) => p == a,
            (Word::Var(p), Word::Var(a)) => p == a,
            _ => false,
        }
    }

    /// Whether a location of the pattern is known to stand for this one.
    fn same_loc(&self, pattern: LocId, actual: LocId) -> bool {
        match pattern.checked_sub(self.rigid_locs) {
            Some(i) if pattern < STATIC => self.locs.get(i as usize) == Some(&Some(actual)),
            _ => pattern == actual,
        }
    }

    /// For patterns over the state's own variables: nothing is open but what existentials bind meanwhile.
    pub fn identity() -> Subst {
        Subst { rigid: 1 << 31, ..Subst::default() }
    }

    /// The variables as an environment, once all are bound; only where none is rigid.
    pub fn env(&self) -> Env {
        Some(self.terms.iter().map(|t| t.clone().unwrap_or_default()).collect())
    }

    /// The term under the substitution; `None` if a variable is open, and on overflow.
    pub fn apply(&self, t: &Term) -> Option<Term> {
        let mut sum = Term::from(t.konst());
        for &(v, c) in t.summands().iter() {
            match self.slot(v) {
                None => sum.accumulate(&Term::var(v), c.into())?,
                Some(i) => sum.accumulate(self.terms.get(i)?.as_ref()?, c.into())?,
            }
        }
        Some(sum)
    }

    fn slot(&self, v: u32) -> Option<usize> {
        v.checked_sub(self.rigid).map(|i| i as usize)
    }
}

/// Why a number is not taken where a pointer is wanted.
pub const NO_POINTER: &str = "the word is not a pointer";

/// Which code a failure gets, so that messages can tell calls, returns and labels apart.
#[derive(Clone, Copy, Debug)]
pub struct Blame {
    /// A word or layout of the wrong type.
    pub shape: Code,
    /// A fact or equality that could not be proved.
    pub fact: Code,
}

impl<'a, G: Guide> Engine<'a, G> {
    /// Matches a pattern term with a term of the state. `words`: both are words, equal if they are
    /// congruent modulo 2^W; otherwise they must be equal in ℤ.
    pub fn unify(
        &mut self,
        s: &mut Subst,
        pattern: &Term,
        actual: &Term,
        words: bool,
        blame: Blame,
    ) -> Checked {
        self.spend(1 + pattern.summands().len() as u64)?;
        if s.evident(pattern, actual) {
            return Ok(());
        }
        let konst = self.term(pattern.konst().checked_neg().map(Term::from))?;
        let mut rest = self.term(actual.add(&konst))?;
        let mut open = None;
        for &(v, c) in pattern.summands().iter() {
            let k = -(c as i128);
            let Some(i) = s.slot(v) else {
                rest = self.term(rest.add_scaled(&Term::var(v), k))?;
                continue;
            };
            match s.terms.get(i) {
                None => return self.reject(blame.shape, "a type mentions a variable that is not bound"),
                Some(Some(t)) => rest = self.term(rest.add_scaled(t, k))?,
                Some(None) if open.is_none() => open = Some((i, c as i128)),
                Some(None) => {
                    let w = self.ask_witness(s, i, blame)?;
                    rest = self.term(rest.add_scaled(&w, k))?;
                }
            }
        }
        if let Some((i, c)) = open {
            if let Some(t) = divide(&rest, c) {
                s.terms[i] = Some(t);
                return Ok(());
            }
            let w = self.ask_witness(s, i, blame).map_err(|e| {
                let why = "a size or value is not known to be a multiple of what is wanted";
                if c == 1 { e } else { self.fail(blame.fact, why) }
            })?;
            rest = self.term(rest.add_scaled(&w, -c))?;
        }
        match rest.as_const() {
            Some(0) => return Ok(()),
            Some(c) if words && c.rem_euclid(self.word_range().hi + 1) == 0 => return Ok(()),
            _ => {}
        }
        let minus = self.term(rest.neg())?;
        self.require(&rest, blame.fact, "two sizes or values are not proved equal")?;
        self.require(&minus, blame.fact, "two sizes or values are not proved equal")
    }

    fn ask_witness(&mut self, s: &mut Subst, i: usize, blame: Blame) -> Checked<Term> {
        let found = self.guide.witness(&self.state.facts, i);
        let scope = self.state.facts.var_count() as u32;
        match found {
            Some(t) if t.scope() <= scope => {
                s.terms[i] = Some(t.clone());
                Ok(t)
            }
            _ => self.reject(blame.shape, "nothing says what an index variable stands for"),
        }
    }

    /// Binds what is still open, and proves the pattern's intervals and facts.
    pub fn discharge(&mut self, s: &mut Subst, vars: &[Interval], facts: &[Term], blame: Blame) -> Checked {
        self.spend(2 * vars.len() as u64)?;
        for i in 0..s.terms.len() {
            if s.terms[i].is_none() {
                self.ask_witness(s, i, blame)?;
            }
        }
        for (i, range) in vars.iter().enumerate() {
            if let Some(Some(t)) = s.terms.get(i)
                && !self.state.facts.evidently_in(t, *range)
            {
                let why = "a variable is not proved to be in its interval";
                self.require_in(t, *range, blame.fact, why)?;
            }
        }
        for fact in facts {
            let goal = self.term(s.apply(fact))?;
            self.require(&goal, blame.fact, "a required fact is not proved")?;
        }
        Ok(())
    }

    /// Whether two layouts, each under its environment, are the same. Terms must be equal as
    /// they stand or bind a variable of the pattern: nothing is proved except equalities.
    pub fn same_layout(
        &mut self,
        s: &mut Subst,
        pattern: (LayoutId, &Env),
        actual: (LayoutId, &Env),
        depth: usize,
        blame: Blame,
    ) -> Checked {
        self.spend(1)?;
        if depth > limits::NESTING {
            return self.reject(Code::Limit, "types are nested too deeply");
        }
        let types = &self.program.types;
        let bad = blame.shape;
        let term = |e: &Self, t: &Term, env: &Env| e.term(under(t, env));
        match (types.layout(pattern.0), types.layout(actual.0)) {
            (Layout::Bytes(p), Layout::Bytes(a)) => {
                let (p, a) = (term(self, p, pattern.1)?, term(self, a, actual.1)?);
                self.unify(s, &p, &a, false, blame)
            }
            (Layout::Cstr(None), Layout::Cstr(None)) => Ok(()),
            (Layout::Cstr(Some(p)), Layout::Cstr(Some(a))) => {
                let (p, a) = (term(self, p, pattern.1)?, term(self, a, actual.1)?);
                self.unify(s, &p, &a, false, blame)
            }
            (Layout::Cell(p), Layout::Cell(a)) => {
                self.same_word(s, (*p, pattern.1), (*a, actual.1), depth + 1, blame)
            }
            (Layout::Num(pw, pr), Layout::Num(aw, ar)) if pw == aw && pr == ar => Ok(()),
            (Layout::Array(pn, pe), Layout::Array(an, ae)) => {
                let (p, a) = (term(self, pn, pattern.1)?, term(self, an, actual.1)?);
                self.unify(s, &p, &a, false, blame)?;
                self.same_layout(s, (*pe, pattern.1), (*ae, actual.1), depth + 1, blame)
            }
            (Layout::NullTerm(p, pw), Layout::NullTerm(a, aw)) => {
                match (p, a) {
                    (None, None) => {}
                    (Some(p), Some(a)) => {
                        let (p, a) = (term(self, p, pattern.1)?, term(self, a, actual.1)?);
                        self.unify(s, &p, &a, false, blame)?;
                    }
                    _ => return self.reject(bad, "the length of one array is hidden"),
                }
                self.same_word(s, (*pw, pattern.1), (*aw, actual.1), depth + 1, blame)
            }
            (Layout::Struct(ps, pargs), Layout::Struct(actual_struct, aargs)) if ps == actual_struct => {
                for (p, a) in pargs.iter().zip(aargs.iter()) {
                    let (p, a) = (term(self, p, pattern.1)?, term(self, a, actual.1)?);
                    self.unify(s, &p, &a, false, blame)?;
                }
                Ok(())
            }
            (Layout::Seq(p), Layout::Seq(a)) if p.len() == a.len() => {
                for (p, a) in p.iter().zip(a.iter()) {
                    self.same_layout(s, (*p, pattern.1), (*a, actual.1), depth + 1, blame)?;
                }
                Ok(())
            }
            _ => self.reject(bad, "the memory holds something else"),
        }
    }

    /// Whether two word types in memory are the same (memory is invariant).
    pub fn same_word(
        &mut self,
        s: &mut Subst,
        pattern: (WordId, &Env),
        actual: (WordId, &Env),
        depth: usize,
        blame: Blame,
    ) -> Checked {
        self.spend(1)?;
        if depth > limits::NESTING {
            return self.reject(Code::Limit, "types are nested too deeply");
        }
        let types = &self.program.types;
        match (types.word(pattern.0), types.word(actual.0)) {
            (WordTy::Int(p), WordTy::Int(a)) => {
                let (p, a) = (self.term(under(p, pattern.1))?, self.term(under(a, actual.1))?);
                self.unify(s, &p, &a, true, blame)
            }
            (WordTy::Range(p), WordTy::Range(a)) if p == a => Ok(()),
            (WordTy::Ptr(pm, pl), WordTy::Ptr(am, al)) if pm == am => {
                self.same_layout(s, (*pl, pattern.1), (*al, actual.1), depth + 1, blame)
            }
            (WordTy::Opt(p), WordTy::Opt(a)) => {
                self.same_word(s, (*p, pattern.1), (*a, actual.1), depth + 1, blame)
            }
            (WordTy::Res(p), WordTy::Res(a)) => {
                self.same_word(s, (*p, pattern.1), (*a, actual.1), depth + 1, blame)
            }
            (WordTy::Exists(p), WordTy::Exists(a)) if p.vars == a.vars && p.facts.len() == a.facts.len() => {
                // The same for any values of what they bind.
                let known = self.state.facts.var_count() as u32;
                let bound: Vec<Term> = a.vars.iter().map(|range| self.fresh(*range)).collect();
                let outside = self.binding(a, actual.1, bound.clone())?;
                let open = s.terms.len();
                let names = self.open_names(s, p)?;
                for (slot, t) in s.terms.iter_mut().skip(open).zip(bound) {
                    *slot = Some(t);
                }
                let inside = self.binding(p, pattern.1, names)?;
                for (f, g) in p.facts.iter().zip(a.facts.iter()) {
                    let (f, g) = (self.term(under(f, &inside))?, self.term(under(g, &outside))?);
                    self.unify(s, &f, &g, false, blame)?;
                }
                self.same_word(s, (p.word, &inside), (a.word, &outside), depth + 1, blame)?;
                s.terms.truncate(open);
                self.spend(open as u64)?;
                // What is hidden differs from word to word: nothing outside can stand for it.
                if s.terms.iter().flatten().any(|t| t.scope() > known) {
                    return self.reject(blame.shape, "what is hidden in one type is not hidden in the other");
                }
                Ok(())
            }
            (WordTy::Fn(p), WordTy::Fn(a)) if self.same_sig(*p, *a)? => Ok(()),
            _ => self.reject(blame.shape, "a cell holds another type of word"),
        }
    }

    /// Matches a word with a word type of a pattern: an argument, a result, a stored value.
    /// `Int` binds variables; pointers are matched with what they point to.
    pub fn match_word(&mut self, s: &mut Subst, ty: (WordId, &Env), word: &Word, blame: Blame) -> Checked {
        self.spend(4)?;
        let types = &self.program.types;
        let bad = blame.shape;
        match types.word(ty.0) {
            WordTy::Int(p) => {
                let p = self.term(under(p, ty.1))?;
                let a = self.integer(word)?;
                self.unify(s, &p, &a, true, blame)
            }
            WordTy::Range(range) => {
                if self.any_word(range) {
                    return Ok(()); // any word at all
                }
                let a = self.integer(word)?;
                self.require_in(&a, *range, blame.fact, "a value is not proved to be in its interval")
            }
            WordTy::Var(v) => {
                let v = *v as usize;
                match s.words.get(v) {
                    None => self.reject(bad, "a word type variable is not bound"),
                    Some(None) => {
                        // Memory stays with its owner.
                        s.words[v] = Some(match word {
                            Word::Opt(v, ty, _) if types.linear(*ty) => Word::Int(Term::var(*v)),
                            w => w.clone(),
                        });
                        Ok(())
                    }
                    Some(Some(w)) if w == word => Ok(()),
                    Some(Some(_)) => self.reject(bad, "a word type variable stands for two types"),
                }
            }
            WordTy::Fn(sig) => match word {
                Word::Fn(found) if self.same_sig(*sig, *found)? => Ok(()),
                Word::Fn(_) => self.reject(bad, "the code pointer has another signature"),
                _ => self.reject(bad, "the word is not a code pointer"),
            },
            WordTy::Opt(_) if matches!(word, Word::Int(t) if t.as_const() == Some(0)) => Ok(()),
            WordTy::Res(_) if matches!(word, Word::Int(_)) => {
                let t = self.integer(word)?;
                let last = self.word_range().hi;
                // The word is only congruent to the term, which may be written as -4095 to -1.
                let t = if self.state.facts.range(&t).hi < 0 { self.term(t.offset(last + 1))? } else { t };
                let errors = Interval::new(last - 4094, last);
                self.require_in(
                    &t,
                    errors,
                    bad,
                    "the word is neither a pointer nor known to be an error number",
                )
            }
            WordTy::Opt(inner) | WordTy::Res(inner) => match word {
                Word::Opt(v, node, env) => {
                    self.same_word(s, ty, (*node, env), 0, blame)?;
                    if !types.linear(*node) {
                        return Ok(());
                    }
                    if self.kept.iter().any(|k| k.1 == *v) {
                        return self.reject(bad, "one object would be owned twice");
                    }
                    self.kill_untested(*v)
                }
                _ => self.match_word(s, (*inner, ty.1), word, blame),
            },
            WordTy::Exists(e) => {
                let open = s.terms.len();
                let names = self.open_names(s, e)?;
                let env = self.binding(e, ty.1, names)?;
                self.match_word(s, (e.word, &env), word, blame)?;
                for (i, range) in e.vars.iter().enumerate() {
                    let t = match s.terms.get(open + i) {
                        Some(Some(t)) => t.clone(),
                        _ => self.ask_witness(s, open + i, blame)?,
                    };
                    self.require_in(
                        &t,
                        *range,
                        blame.fact,
                        "a hidden size is not proved to be in its interval",
                    )?;
                }
                for fact in &e.facts {
                    let fact = self.term(under(fact, &env))?;
                    let goal = self.term(s.apply(&fact))?;
                    self.require(&goal, blame.fact, "a fact about a hidden size is not proved")?;
                }
                s.terms.truncate(open);
                Ok(())
            }
            WordTy::Ptr(mode, layout) => match word {
                Word::Ptr(l, e) => self.match_pointer(s, *mode, (*layout, ty.1), *l, e, blame),
                Word::Sp(e) => self.lend_frame(s, *mode, (*layout, ty.1), e, blame),
                Word::Opt(_, node, _) => self.reject(bad, self.untested_word(*node)),
                Word::Int(t) if t.as_const() == Some(0) => self.reject(bad, "0 is not a pointer"),
                _ => self.reject(bad, NO_POINTER),
            },
        }
    }

    /// Matches a pointer with `mode layout`: finds the part of the object at offset `e` that has
    /// the layout asked for.
    fn match_pointer(
        &mut self,
        s: &mut Subst,
        mode: Mode,
        want: (LayoutId, &Env),
        l: LocId,
        e: &Term,
        blame: Blame,
    ) -> Checked {
        let mut loc = self.loc(l)?;
        if !loc.mode.gives(mode) {
            return self.reject(blame.shape, why_not(loc.mode, mode));
        }
        if mode == Mode::Own {
            return self.take(s, want, l, e, blame);
        }
        let raw = self.program.shapes.raw_size(want.0).is_some();
        if mode.borrow() {
            if loc.mode == Mode::Shared && !raw && self.program.shapes.linear(loc.lay.id) {
                return self.reject(blame.shape, "shared memory that owns other memory cannot be lent");
            }
            self.lent.push(Lent::Object(l, mode));
        }
        if mode == Mode::Uniq && !raw {
            // The whole object: what it holds after the call is what the signature says.
            self.unify(s, &Term::zero(), e, false, blame)?;
            return self.pack(s, want, l, &[], blame);
        }
        if loc.exclusive() && !raw {
            if !self.becomes_struct(s, want, l, e, blame)? {
                self.fold(l, blame)?;
            }
            loc = self.loc(l)?;
        }
        let types = &self.program.types;
        match types.layout(want.0) {
            Layout::Cstr(_) => {
                let Some(m) = self.string_at(&loc.lay)? else {
                    return self.reject(blame.shape, "the pointer does not point into a string");
                };
                let left = self.term(m.sub(e))?;
                self.require(e, blame.fact, "the pointer may lie before the string")?;
                self.require(&left, blame.fact, "the pointer may lie behind the string's end")?;
                let pattern = match types.layout(want.0) {
                    Layout::Cstr(Some(p)) => Some(self.term(under(p, want.1))?),
                    _ => None,
                };
                match pattern {
                    Some(p) => self.unify(s, &p, &left, false, blame),
                    None => Ok(()),
                }
            }
            _ => {
                if let Some(n) = self.program.shapes.raw_size(want.0) {
                    // At least `n` raw bytes.
                    let n = self.term(under(n, want.1))?;
                    let (base, size) = if mode.writable() {
                        if loc.exclusive() {
                            self.forget_words(l, &loc.lay, None)?;
                        }
                        self.raw_region(&loc.lay, e, blame)?
                    } else {
                        let size = self.size_of(&loc.lay);
                        let size =
                            size.ok_or_else(|| self.fail(blame.shape, "the object's size is not known"))?;
                        (Term::zero(), size)
                    };
                    self.require(
                        &self.term(e.sub(&base))?,
                        blame.fact,
                        "the pointer may lie before the memory",
                    )?;
                    let end = self.term(base.add(&size))?;
                    let left = self.term(end.sub(e))?;
                    return self.at_least(s, &n, &left, blame);
                }
                self.part_at(s, want, &loc.lay, e, blame)
            }
        }
    }

    /// Why a word of a type `opt` or `res` is no pointer yet.
    pub fn untested_word(&self, ty: WordId) -> &'static str {
        match self.program.types.word(ty) {
            WordTy::Res(_) => "the word may be an error number here: test it first",
            _ => "the pointer may be 0 here: test it first",
        }
    }

    /// Raw memory that nobody else has and that holds a whole struct is one when it is lent as such. Answers whether
    /// it was raw and became the struct.
    fn becomes_struct(
        &mut self,
        s: &mut Subst,
        want: (LayoutId, &Env),
        l: LocId,
        e: &Term,
        blame: Blame,
    ) -> Checked<bool> {
        let have = self.loc(l)?.lay;
        let program = self.program;
        let (Layout::Struct(id, args), Some(0), Some(_)) =
            (program.types.layout(want.0), e.as_const(), program.shapes.raw_size(have.id))
        else {
            return Ok(false);
        };
        let Some(id) = program.shapes.generic(*id) else { return Ok(false) };
        self.pack(s, want, l, &[], blame)?;
        let known = |t: &Term| s.apply(&under(t, want.1)?);
        let Some(args) = args.iter().map(known).collect::<Option<Vec<_>>>() else {
            return self.reject(blame.shape, "the arguments of the struct that is lent are not known");
        };
        self.becomes(l, Lay { id, env: Some(args.into()) });
        if let Some(loc) = self.state.locs.get_mut(l as usize) {
            loc.cells.clear();
        }
        Ok(true)
    }

    /// `pattern <= left`; a variable that is still open gets all there is.
    pub fn at_least(&mut self, s: &mut Subst, pattern: &Term, left: &Term, blame: Blame) -> Checked {
        if let Some(t) = s.apply(pattern) {
            let goal = self.term(left.sub(&t))?;
            self.require(&t, blame.fact, "the size may be negative")?;
            return self.require(&goal, blame.fact, "the memory may be too small");
        }
        self.require(left, blame.fact, "the pointer may lie behind the memory")?;
        self.unify(s, pattern, left, false, blame)
    }

    /// The location's whole layout against a label's: used by labels only.
    pub fn match_lay(&mut self, s: &mut Subst, pattern: &Lay, actual: &Lay, blame: Blame) -> Checked {
        let (pe, ae) = (pattern.env.clone(), actual.env.clone());
        self.same_layout(s, (pattern.id, &pe), (actual.id, &ae), 0, blame)
    }

    /// The layout behind a pointer that has just been opened: a hidden length becomes a fresh
    /// variable `m >= 0`, and the layout one that names it.
    pub fn opened(&mut self, id: LayoutId, env: &Env) -> Checked<Lay> {
        let per = match self.program.types.layout(id) {
            Layout::Cstr(None) => 1,
            Layout::NullTerm(None, _) => i128::from(self.word()),
            _ => return Ok(Lay { id, env: env.clone() }),
        };
        let Some(id) = self.program.shapes.opened(id) else {
            return self.reject(Code::IllFormedType, "a hidden length that cannot be opened");
        };
        let m = self.fresh(Interval::new(0, self.max_object() / per - 1));
        Ok(Lay { id, env: Some(Rc::from(vec![m])) })
    }

    /// Whether every word is an integer of this interval.
    fn any_word(&self, range: &Interval) -> bool {
        let bits = self.program.arch.word_bits();
        Interval::unsigned(bits).within(range) || Interval::signed(bits).within(range)
    }

    /// The type that a word read from memory has.
    pub fn load_word(&mut self, ty: WordId, env: &Env) -> Checked<Word> {
        Ok(match self.program.types.word(ty) {
            WordTy::Int(t) => Word::Int(self.term(under(t, env))?),
            WordTy::Range(r) => {
                let r = *r;
                let r = if self.any_word(&r) { self.word_range() } else { r };
                Word::Int(self.fresh(r))
            }
            WordTy::Ptr(mode, layout) => {
                let (mode, layout) = (*mode, *layout);
                let lay = self.opened(layout, env)?;
                Word::Ptr(self.open(mode, lay)?, Term::zero())
            }
            WordTy::Opt(_) => {
                let range = self.pointer_range();
                self.untested = true;
                let env = if self.program.shapes.closed(ty) { Some(Rc::from([])) } else { env.clone() };
                Word::Opt(self.state.facts.fresh(range), ty, env)
            }
            WordTy::Res(_) => {
                let range = Interval::new(1, self.word_range().hi);
                self.untested = true;
                let env = if self.program.shapes.closed(ty) { Some(Rc::from([])) } else { env.clone() };
                Word::Opt(self.state.facts.fresh(range), ty, env)
            }
            WordTy::Exists(_) => {
                let (mode, lay) = self.opened_word(ty, env)?;
                Word::Ptr(self.open(mode, lay)?, Term::zero())
            }
            WordTy::Fn(sig) => Word::Fn(*sig),
            WordTy::Var(v) => Word::Var(*v),
        })
    }

    /// The mode and the layout behind a pointer word that has just been opened: what it hides gets names.
    pub fn opened_word(&mut self, ty: WordId, env: &Env) -> Checked<(Mode, Lay)> {
        let types = &self.program.types;
        let (ty, env) = match types.word(ty) {
            WordTy::Exists(e) => {
                self.spend(e.vars.len() as u64 + u64::from(e.first))?;
                let bound = e.vars.iter().map(|range| self.fresh(*range)).collect();
                let env = self.binding(e, env, bound)?;
                for fact in &e.facts {
                    // A fact that overflows is not known: less is proved.
                    if let Some(fact) = under(fact, &env) {
                        self.state.facts.assume(&fact);
                    }
                }
                (e.word, env)
            }
            _ => (ty, env.clone()),
        };
        match types.word(ty) {
            WordTy::Ptr(mode, layout) => Ok((*mode, self.opened(*layout, &env)?)),
            _ => self.reject(Code::IllFormedType, "a word that is no pointer was opened"),
        }
    }

    /// The environment inside an existential: what is outside, and terms for what it binds.
    fn binding(&mut self, e: &Exists, env: &Env, bound: Vec<Term>) -> Checked<Env> {
        self.spend(u64::from(e.first) + bound.len() as u64)?;
        let mut terms = Vec::with_capacity(e.first as usize + bound.len());
        for v in 0..e.first {
            terms.push(self.term(under(&Term::var(v), env))?);
        }
        terms.extend(bound);
        Ok(Some(Rc::from(terms)))
    }

    /// Open variables of a pattern for what an existential binds; whoever asks for them removes them again.
    fn open_names(&mut self, s: &mut Subst, e: &Exists) -> Checked<Vec<Term>> {
        self.spend(e.vars.len() as u64)?;
        let first = s.rigid + s.terms.len() as u32;
        s.terms.resize(s.terms.len() + e.vars.len(), None);
        Ok((first..).take(e.vars.len()).map(Term::var).collect())
    }
}

/// `t / c` if it is exact.
fn divide(t: &Term, c: i128) -> Option<Term> {
    if c == 1 {
        return Some(t.clone());
    }
    let exact = |n: i128| if n.checked_rem(c)? == 0 { n.checked_div(c) } else { None };
    let mut quotient = Term::from(exact(t.konst())?);
    for &(v, k) in t.summands().iter() {
        quotient.append(v, i64::try_from(exact(k.into())?).ok()?)?;
    }
    Some(quotient)
}

/// Why a pointer of mode `have` is not one of mode `want`.
fn why_not(have: Mode, want: Mode) -> &'static str {
    match (have, want) {
        (Mode::Read | Mode::Frozen | Mode::Imm, Mode::Mut | Mode::Uniq | Mode::Shared) => {
            "the memory may only be read"
        }
        (_, Mode::Own) => "the memory does not belong to the holder of this pointer, who cannot give it away",
        (_, Mode::Imm) => "the memory is not known to stay as it is for ever",
        (_, Mode::Frozen) => "the memory may be changed by others meanwhile",
        (_, Mode::Shared) => "the pointer is only borrowed and may not be kept",
        (_, Mode::Uniq) => "the memory may be aliased",
        _ => "the pointer has another mode",
    }
}
