//! Words between registers and memory: packing a word to a type, and opening a word of a type.

use crate::engine::{Checked, Engine, under};
use crate::facts::Interval;
use crate::guide::Guide;
use crate::matching::{Blame, NO_POINTER, Subst};
use crate::rules::{LENT, Lent};
use crate::state::{Env, Lay, LocId, Word};
use crate::term::Term;
use crate::types::{Exists, Layout, LayoutId, Mode, WordId, WordTy};
use crate::verdict::Code;
use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;

impl<'a, G: Guide> Engine<'a, G> {
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
            WordTy::Of(..) => self.match_variable(s, ty, word, blame),
            WordTy::Fn(sig) => match word {
                Word::Fn(found) if self.same_sig(*sig, *found)? => Ok(()),
                _ => self.match_code(s, ty, word, blame),
            },
            WordTy::FnAt(..) => self.match_code(s, ty, word, blame),
            WordTy::During(t, inner) => self.match_during(s, (t, *inner), ty.1, word, blame),
            WordTy::When(..) => self.match_when(s, ty, word, blame),
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
                    // An owner that has not been tested may be lent. (Labels never get here with one.)
                    if types.linear(*node)
                        && let Some((mode, _)) = types.pointer(ty.0)
                        && let Some(view) = self.program.shapes.borrowed(*node, mode)
                    {
                        self.lent.push(Lent::Untested(*v, mode));
                        return self.same_word(s, ty, (view, env), 0, blame);
                    }
                    if !self.forgets_zeros(s, ty, (*node, env), blame)? {
                        self.same_word(s, ty, (*node, env), 0, blame)?;
                    }
                    if !types.linear(*node) {
                        return Ok(());
                    }
                    self.give_untested(*v, blame)
                }
                _ => self.match_word(s, (*inner, ty.1), word, blame),
            },
            WordTy::Exists(e) => {
                self.hiding(s, e, ty.1, blame, |g, s, env| g.match_word(s, (e.body, env), word, blame))
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

    /// Matches a code pointer, where a signature has arguments.
    fn match_code(&mut self, s: &mut Subst, ty: (WordId, &Env), word: &Word, blame: Blame) -> Checked {
        let actual = match word {
            Word::Fn(sig) => Some((*sig, Vec::new())),
            Word::Opt(_, node, env) => self.code_of((*node, env))?,
            _ => None,
        };
        match (self.code_of(ty)?, actual) {
            (Some(p), Some(a)) => self.same_fn(s, p, a, 0, blame),
            _ => self.reject(blame.shape, "the word is not a code pointer"),
        }
    }

    /// An untested word that owns memory is given away.
    pub fn give_untested(&mut self, v: u32, blame: Blame) -> Checked {
        if self.lent.iter().any(|lent| matches!(lent, Lent::Untested(u, _) if *u == v)) {
            return self.reject(Code::BorrowConflict, "one object is lent, and given away at once");
        }
        if self.kept.iter().any(|k| k.1 == v) {
            return self.reject(blame.shape, "one object would be owned twice");
        }
        self.kill_untested(v)
    }

    /// Matches a word with the type of which a term is the code. A word never tells which type is meant, unless it is
    /// itself of such a type: a number may be of many types, and so may a pointer.
    fn match_variable(&mut self, s: &mut Subst, ty: (WordId, &Env), word: &Word, blame: Blame) -> Checked {
        let program = self.program;
        let WordTy::Of(p, linear) = program.types.word(ty.0) else { return Ok(()) };
        let p = self.term(under(p, ty.1))?;
        let actual = match word {
            Word::Opt(v, node, env) => match program.types.word(*node) {
                WordTy::Of(a, kind) if kind == linear => Some((*v, self.term(under(a, env))?)),
                _ => None,
            },
            _ => None,
        };
        let t = match (s.apply(&p), &actual) {
            (Some(t), _) => t,
            (None, Some((_, a))) => {
                self.unify(s, &p, a, false, blame)?;
                a.clone()
            }
            (None, None) => {
                for i in 0..s.terms.len() {
                    if s.terms[i].is_none() && p.coefficient(s.rigid + i as u32) != 0 {
                        self.ask_witness(s, i, blame)?;
                    }
                }
                self.term(s.apply(&p))?
            }
        };
        if let Some(known) = self.decode(&t, *linear) {
            return self.match_word(s, (known, &Some(Rc::from([]))), word, blame);
        }
        let Some((v, a)) = actual else {
            return self
                .reject(blame.shape, "the word is not known to be of the type that the variable stands for");
        };
        if t != a {
            let more = self.term(t.sub(&a))?;
            let less = self.term(more.neg())?;
            let why = "the word is of another type than the variable stands for";
            self.require(&more, blame.shape, why)?;
            self.require(&less, blame.shape, why)?;
        }
        if *linear { self.give_untested(v, blame) } else { Ok(()) }
    }

    /// A word type for one under an environment: what a type variable stands for, where that is known.
    pub fn plain(&self, ty: WordId, env: &Env) -> Option<WordId> {
        let WordTy::Of(t, linear) = self.program.types.word(ty) else { return None };
        self.decode(&under(t, env)?, *linear)
    }

    /// Whether an untested owner of zeros becomes one of as many raw bytes.
    fn forgets_zeros(
        &mut self,
        s: &mut Subst,
        want: (WordId, &Env),
        have: (WordId, &Env),
        blame: Blame,
    ) -> Checked<bool> {
        let program = self.program;
        let owned = |ty: WordId| match program.types.word(ty) {
            WordTy::Ptr(Mode::Own, layout) => Some(*layout),
            _ => None,
        };
        let (p, a) = match (program.types.word(want.0), program.types.word(have.0)) {
            (WordTy::Opt(p), WordTy::Opt(a)) | (WordTy::Res(p), WordTy::Res(a)) => (owned(*p), owned(*a)),
            _ => return Ok(false),
        };
        let (Some(p), Some(a)) = (p, a) else { return Ok(false) };
        let (Some(p), true) = (program.shapes.raw_size(p), program.zeros(a)) else { return Ok(false) };
        let p = self.term(under(p, want.1))?;
        let Some(a) = program.shapes.size(a).and_then(|n| under(n, have.1)) else { return Ok(false) };
        self.unify(s, &p, &a, false, blame)?;
        Ok(true)
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
        if loc.mode == Mode::Own && mode.permanent() {
            return self.publish(s, mode, want, l, e, blame);
        }
        if !loc.mode.gives(mode) {
            let why = if loc.was.is_some() { LENT } else { why_not(loc.mode, mode) };
            return self.reject(blame.shape, why);
        }
        if mode == Mode::Own {
            return self.take(s, want, l, e, blame);
        }
        if self.foreign(loc.lay.id) {
            self.lends_foreign(mode, want.0, blame)?;
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
        if let Layout::Cstr(_) = self.program.types.layout(want.0) {
            let Some(left) = self.string_left(l, e)? else {
                let why = match loc.exclusive() {
                    true => "no byte of the memory from here on is known to be 0",
                    false => "the pointer does not point into a string",
                };
                return self.reject(blame.shape, why);
            };
            self.require(e, blame.fact, "the pointer may lie before the string")?;
            self.require(&left, blame.fact, "the pointer may lie behind the string's end")?;
            return self.match_string(s, want, &left, blame);
        }
        if loc.exclusive() && !raw {
            if self.becomes_named(s, want, l, e, blame)? {
                return Ok(());
            }
            if !self.becomes_struct(s, want, l, e, blame)? {
                self.fold(l, blame)?;
            }
            loc = self.loc(l)?;
        }
        if let Some(n) = self.program.shapes.raw_size(want.0) {
            // At least `n` raw bytes.
            let n = self.term(under(n, want.1))?;
            let (base, size) = if mode.writable() {
                if loc.exclusive() {
                    self.forget_zeros(l)?;
                    loc = self.loc(l)?;
                    self.forget_words(l, &loc.lay, None)?;
                }
                self.raw_region(l, &loc.lay, e, blame)?
            } else {
                let size = self.size_of(&loc.lay);
                let size = size.ok_or_else(|| self.fail(blame.shape, "the object's size is not known"))?;
                (Term::zero(), size)
            };
            self.require(&self.term(e.sub(&base))?, blame.fact, "the pointer may lie before the memory")?;
            let end = self.term(base.add(&size))?;
            let left = self.term(end.sub(e))?;
            return self.at_least(s, &n, &left, blame);
        }
        self.part_at(s, want, (l, e), mode.writable(), blame)
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
        let (Layout::Struct(id, args), Some(0)) = (program.types.layout(want.0), e.as_const()) else {
            return Ok(false);
        };
        let text = have.id == program.shapes.text();
        if program.shapes.raw_size(have.id).is_none() && !program.zeros(have.id) && !text {
            return Ok(false);
        }
        let Some(id) = program.shapes.generic(*id) else { return Ok(false) };
        self.pack(s, want, l, &[], blame)?;
        let known = |t: &Term| s.apply(&under(t, want.1)?);
        let Some(args) = args.iter().map(known).collect::<Option<Vec<_>>>() else {
            return self.reject(blame.shape, "the arguments of the struct that is lent are not known");
        };
        self.becomes(l, Lay { id, env: Some(args.into()) });
        if let Some(loc) = self.state.locs.get_mut(l as usize) {
            loc.empty();
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

    /// The layout behind a pointer that has just been opened: a hidden length becomes a fresh
    /// variable `m >= 0`, and the layout one that names it. So does what an existential hides, where nobody can change
    /// it.
    pub fn opened(&mut self, mode: Mode, id: LayoutId, env: &Env) -> Checked<Lay> {
        let program = self.program;
        if let Some(id) = self.stands_for(id, env) {
            return self.opened(mode, id, &Some(Rc::from([]))); // which is no variable
        }
        let per = match program.types.layout(id) {
            Layout::Cstr(None) => 1,
            Layout::NullTerm(None, _) => i128::from(self.word()),
            Layout::Exists(_) if mode.stable() => return self.without_hidden(Lay { id, env: env.clone() }),
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
                let lay = self.opened(mode, layout, env)?;
                Word::Ptr(self.open(mode, lay)?, Term::zero())
            }
            WordTy::During(t, inner) => self.load_during((t, *inner), env)?,
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
                let (mode, lay) = self.opened_word(ty, env, None)?;
                Word::Ptr(self.open(mode, lay)?, Term::zero())
            }
            WordTy::When(..) => self.load_when(ty, env)?,
            WordTy::Fn(sig) => Word::Fn(*sig),
            WordTy::Var(v) => Word::Var(*v),
            WordTy::FnAt(..) => {
                let env = if self.program.shapes.closed(ty) { Some(Rc::from([])) } else { env.clone() };
                Word::Opt(self.state.facts.fresh(self.word_range()), ty, env)
            }
            WordTy::Of(t, linear) => {
                let (t, linear) = (self.term(under(t, env))?, *linear);
                if let Some(ty) = self.decode(&t, linear) {
                    return self.load_word(ty, &Some(Rc::from([]))); // which is no variable
                }
                self.untested = true;
                let v = self.state.facts.fresh(self.word_range());
                Word::Opt(v, self.program.shapes.variable(linear), Some(Rc::from([t])))
            }
        })
    }

    /// The mode and the layout behind a pointer word that has just been opened: what it hides gets names. `seen`: the mode
    /// in which the memory is seen, if it is not that of the pointer.
    pub fn opened_word(&mut self, ty: WordId, env: &Env, seen: Option<Mode>) -> Checked<(Mode, Lay)> {
        let types = &self.program.types;
        let (ty, env) = match types.word(ty) {
            WordTy::Exists(e) => {
                let env = self.name_hidden(e, env)?;
                (e.body, env)
            }
            _ => (ty, env.clone()),
        };
        match types.word(ty) {
            WordTy::Ptr(mode, layout) => Ok((*mode, self.opened(seen.unwrap_or(*mode), *layout, &env)?)),
            _ => self.reject(Code::IllFormedType, "a word that is no pointer was opened"),
        }
    }

    /// The environment inside an existential: what is outside, and terms for what it binds.
    pub fn binding<B>(&mut self, e: &Exists<B>, env: &Env, bound: Vec<Term>) -> Checked<Env> {
        self.spend(u64::from(e.first) + bound.len() as u64)?;
        let mut terms = Vec::with_capacity(e.first as usize + bound.len());
        for v in 0..e.first {
            terms.push(self.term(under(&Term::var(v), env))?);
        }
        terms.extend(bound);
        Ok(Some(Rc::from(terms)))
    }

    /// Open variables of a pattern for what an existential binds; whoever asks for them removes them again.
    pub fn open_names<B>(&mut self, s: &mut Subst, e: &Exists<B>) -> Checked<Vec<Term>> {
        self.spend(e.vars.len() as u64)?;
        let first = s.rigid + s.terms.len() as u32;
        s.terms.resize(s.terms.len() + e.vars.len(), None);
        Ok((first..).take(e.vars.len()).map(Term::var).collect())
    }
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
