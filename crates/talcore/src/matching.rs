//! One-pass matching of types against a state: the heart of calls, returns and labels.
//!
//! A *pattern* (a signature, a label) speaks of its own variables. Matching walks the pattern once;
//! the first occurrence of a variable binds it, each later one is a goal `e1 = e2`. What matching
//! leaves open is asked from the guide. After that the pattern's intervals and facts are goals.

use crate::engine::{Checked, Engine, under};
use crate::facts::Interval;
use crate::guide::Guide;
use crate::limits;
use crate::state::{Env, Lay, LocId, STATIC, Word};
use crate::term::Term;
use crate::types::{Layout, LayoutId, SigId, WordId, WordTy};
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
            // Intervals may leave the rest one value only, as a jump through a table does.
            let only = self.state.facts.range(&rest);
            let only = (only.lo == only.hi).then(|| Term::from(only.lo));
            if let Some(t) = divide(&rest, c).or_else(|| divide(&only?, c)) {
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
        let zero = [&rest, &minus]
            .into_iter()
            .try_for_each(|side| self.require(side, blame.fact, "two sizes or values are not proved equal"));
        zero.map_err(|e| match actual.sub(&rest) {
            Some(wanted) => e.equal(actual, wanted),
            None => e,
        })
    }

    /// Asks what an open variable stands for: its number among the open ones.
    pub fn ask_witness(&mut self, s: &mut Subst, i: usize, blame: Blame) -> Checked<Term> {
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
            self.spend(fact.summands().len() as u64)?;
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
        let variable = |id: LayoutId| matches!(types.layout(id), Layout::Of(..));
        if variable(pattern.0) || variable(actual.0) {
            return self.same_by_code(s, pattern, actual, depth, blame);
        }
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
            (Layout::Foreign(p), Layout::Foreign(a)) => {
                let (p, a) = (term(self, p, pattern.1)?, term(self, a, actual.1)?);
                self.unify(s, &p, &a, false, blame)
            }
            (Layout::Exact(pw, ps, p), Layout::Exact(aw, sign, a)) if pw == aw && ps == sign => {
                let (p, a) = (term(self, p, pattern.1)?, term(self, a, actual.1)?);
                self.unify(s, &p, &a, false, blame)
            }
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
            (Layout::Exists(p), Layout::Exists(a)) if p.vars == a.vars && p.facts.len() == a.facts.len() => {
                let (open, known) = (s.terms.len(), self.state.facts.var_count() as u32);
                let (inside, outside) = self.same_binders(s, (p, pattern.1), (a, actual.1), blame)?;
                self.same_layout(s, (p.body, &inside), (a.body, &outside), depth + 1, blame)?;
                self.forget_names(s, open, known, blame)
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
        if matches!(types.word(pattern.0), WordTy::Of(..)) || matches!(types.word(actual.0), WordTy::Of(..)) {
            return self.same_variable(s, pattern, actual, depth, blame);
        }
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
            (WordTy::During(p, pw), WordTy::During(a, aw)) => {
                let (p, a) = (self.term(under(p, pattern.1))?, self.term(under(a, actual.1))?);
                self.unify(s, &p, &a, false, blame)?;
                self.same_word(s, (*pw, pattern.1), (*aw, actual.1), depth + 1, blame)
            }
            (WordTy::When(p, range, pw), WordTy::When(a, other, aw)) if range == other => {
                let (p, a) = (self.term(under(p, pattern.1))?, self.term(under(a, actual.1))?);
                self.unify(s, &p, &a, false, blame)?;
                self.same_word(s, (*pw, pattern.1), (*aw, actual.1), depth + 1, blame)
            }
            (WordTy::Exists(p), WordTy::Exists(a)) if p.vars == a.vars && p.facts.len() == a.facts.len() => {
                let (open, known) = (s.terms.len(), self.state.facts.var_count() as u32);
                let (inside, outside) = self.same_binders(s, (p, pattern.1), (a, actual.1), blame)?;
                self.same_word(s, (p.body, &inside), (a.body, &outside), depth + 1, blame)?;
                self.forget_names(s, open, known, blame)
            }
            (WordTy::Fn(p), WordTy::Fn(a)) if self.same_sig(*p, *a)? => Ok(()),
            (WordTy::FnAt(..), WordTy::Fn(_) | WordTy::FnAt(..)) | (WordTy::Fn(_), WordTy::FnAt(..)) => {
                let (Some(p), Some(a)) = (self.code_of(pattern)?, self.code_of(actual)?) else {
                    return Ok(());
                };
                self.same_fn(s, p, a, depth + 1, blame)
            }
            _ => self.reject(blame.shape, "a cell holds another type of word"),
        }
    }

    /// The signature of a function value, and what its first variables stand for.
    pub fn code_of(&self, (ty, env): (WordId, &Env)) -> Checked<Option<(SigId, Vec<Term>)>> {
        Ok(match self.program.types.word(ty) {
            WordTy::Fn(sig) => Some((*sig, Vec::new())),
            WordTy::FnAt(sig, args) => {
                let args = args.iter().map(|t| self.term(under(t, env))).collect::<Checked<Vec<_>>>()?;
                Some((*sig, args))
            }
            _ => None,
        })
    }

    /// The same where one of the types is known by its code.
    fn same_variable(
        &mut self,
        s: &mut Subst,
        pattern: (WordId, &Env),
        actual: (WordId, &Env),
        depth: usize,
        blame: Blame,
    ) -> Checked {
        let program = self.program;
        let closed: Env = Some(Rc::from([]));
        if let Some(known) = self.plain(actual.0, actual.1) {
            return self.same_word(s, pattern, (known, &closed), depth + 1, blame);
        }
        let WordTy::Of(p, linear) = program.types.word(pattern.0) else {
            return self.reject(blame.shape, "a cell holds another type of word");
        };
        let p = self.term(under(p, pattern.1))?;
        if let Some(known) = s.apply(&p).and_then(|t| self.decode(&t, *linear)) {
            return self.same_word(s, (known, &closed), actual, depth + 1, blame);
        }
        match program.types.word(actual.0) {
            WordTy::Of(a, kind) if kind == linear => {
                let a = self.term(under(a, actual.1))?;
                self.unify(s, &p, &a, false, blame)
            }
            // What may be moved only is no type for words that are copied.
            _ => match program.code(actual.0).filter(|_| *linear || !program.types.linear(actual.0)) {
                Some(code) => self.unify(s, &p, &code, false, blame),
                None => self.reject(blame.shape, "a cell holds another type of word"),
            },
        }
    }

    /// Why a word of a type `opt` or `res` is no pointer yet.
    pub fn untested_word(&self, ty: WordId) -> &'static str {
        match self.program.types.word(ty) {
            WordTy::Res(_) => "the word may be an error number here: test it first",
            WordTy::Of(..) | WordTy::FnAt(..) => NO_POINTER,
            WordTy::When(..) => "what tells whether the word is a pointer here was not tested",
            _ => "the pointer may be 0 here: test it first",
        }
    }

    /// The location's whole layout against a label's: used by labels only.
    pub fn match_lay(&mut self, s: &mut Subst, pattern: &Lay, actual: &Lay, blame: Blame) -> Checked {
        let (pe, ae) = (pattern.env.clone(), actual.env.clone());
        self.same_layout(s, (pattern.id, &pe), (actual.id, &ae), 0, blame)
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
