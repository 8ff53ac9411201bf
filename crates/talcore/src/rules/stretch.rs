//! Stretches: borrows for part of a function, which may be stored in memory and returned meanwhile.
//!
//! A stretch is a number, and so needs no kind of variables of its own. `lend r as s` takes a number that no stretch of the
//! process has had, and freezes the object that `r` points to: as long as the stretch lasts, nobody writes it. A word of
//! type `ref e L` ([`WordTy::During`]) points to such memory if the stretch with the number `e` lasts, and is any word at
//! all if not.
//!
//! What makes it true:
//!
//! - A word is taken for a pointer only where `e` is *proved* equal to the number of a stretch that lasts now: one of the
//!   state's, or one of the signature's, which lasts as long as the call. Facts are true of the numbers that there really
//!   are, so no other number is ever proved equal. That is why nothing need be looked for in memory when a stretch ends.
//! - A word of the type is only made from a pointer to memory that is frozen for the stretch `e`, or for ever. Terms that
//!   were no number of a stretch then will never be: later stretches have numbers that nobody has used before.
//! - A location knows its stretch as one of those variables, never as another that is equal to it. So `restore` finds all
//!   locations of the stretch. Two places of the state never have one number, and a label matches place with place.
//! - What is lent is frozen like a frozen argument: not written, not given away, not lent for writing. It belongs to the
//!   function again when the stretch ends, at the latest where the function does. It may end at any moment of its own: on the
//!   way to a label that does not know of it, it does.

use crate::engine::{Checked, Engine, under};
use crate::facts::Interval;
use crate::guide::Guide;
use crate::limits;
use crate::matching::{Blame, NO_POINTER, Subst};
use crate::state::{Env, Loc, LocId, STATIC, State, Word};
use crate::term::{Term, Var};
use crate::types::{Mode, Sig, WordId};
use crate::verdict::Code;
use crate::x86::insn::Reg;
use alloc::rc::Rc;
use alloc::vec::Vec;

const GHOST: Blame = Blame { shape: Code::Ghost, fact: Code::Ghost };

/// Why memory that is lent for a stretch cannot be used otherwise.
pub const LENT: &str = "the memory is lent for a stretch and only read meanwhile: `restore` it first";

impl<'a, G: Guide> Engine<'a, G> {
    /// The variables that are numbers of stretches which last here.
    fn lasting(&self) -> Vec<Var> {
        self.state.stretches.iter().map(|s| s.1).chain(self.sig().stretches.iter().copied()).collect()
    }

    /// The variable that is the number of a stretch that lasts here, if the term is proved to be one.
    pub fn lasts(&mut self, e: &Term) -> Checked<Option<Var>> {
        let lasting = self.lasting();
        self.spend(1 + lasting.len() as u64)?;
        if let Some(v) = e.as_var().filter(|v| lasting.contains(v)) {
            return Ok(Some(v));
        }
        for v in lasting {
            let (Some(more), Some(less)) = (e.sub(&Term::var(v)), Term::var(v).sub(e)) else { continue };
            if more.as_const().is_none() && self.try_prove(&more) && self.try_prove(&less) {
                return Ok(Some(v));
            }
        }
        Ok(None)
    }

    /// Opens a word of a type [`WordTy::During`](crate::types::WordTy): a pointer while the stretch lasts, else any word.
    pub fn load_during(&mut self, (t, inner): (&Term, WordId), env: &Env) -> Checked<Word> {
        let t = self.term(under(t, env))?;
        let Some(v) = self.lasts(&t)? else { return Ok(Word::Int(self.fresh(self.word_range()))) };
        let (mode, lay) = self.opened_word(inner, env, None)?;
        let l = self.open(mode, lay)?;
        self.belongs(l, Some(v));
        Ok(Word::Ptr(l, Term::zero()))
    }

    /// Says for which stretch a location is frozen that has just been opened.
    pub fn belongs(&mut self, l: LocId, stretch: Option<Var>) {
        if let Some(loc) = self.state.locs.get_mut(l as usize) {
            loc.stretch = stretch;
        }
    }

    /// Matches a word with `ref e L`.
    pub fn match_during(
        &mut self,
        s: &mut Subst,
        (t, inner): (&Term, WordId),
        env: &Env,
        word: &Word,
        blame: Blame,
    ) -> Checked {
        match word {
            Word::Ptr(l, _) => {
                let loc = self.loc(*l)?;
                match loc.stretch {
                    Some(v) => {
                        let p = self.term(under(t, env))?;
                        self.unify(s, &p, &Term::var(v), false, blame)?;
                    }
                    // What never changes is good for any stretch.
                    None if loc.mode == Mode::Imm => {}
                    None => {
                        return self
                            .reject(blame.shape, "the memory is not lent for a stretch: `lend` it first");
                    }
                }
            }
            Word::Sp(_) => return self.reject(blame.shape, "memory of the frame is not lent for a stretch"),
            Word::Opt(_, node, _) => return self.reject(blame.shape, self.untested_word(*node)),
            Word::Int(t) if t.as_const() == Some(0) => return self.reject(blame.shape, "0 is not a pointer"),
            _ => return self.reject(blame.shape, NO_POINTER),
        }
        self.match_word(s, (inner, env), word, blame)
    }

    /// At a call: the stretches that the signature speaks of last here, so they do until the function has returned.
    pub fn stretches_last(&mut self, sig: &Sig, s: &Subst, blame: Blame) -> Checked {
        for v in &sig.stretches {
            let t = s.terms.get(*v as usize).cloned().flatten();
            let lasts = match t {
                Some(t) => self.lasts(&t)?,
                None => None,
            };
            if lasts.is_none() {
                return self.reject(blame.fact, "a stretch of the signature is not known to last here");
            }
        }
        Ok(())
    }

    /// `lend r as s`: `place` is the number of `s` in this function.
    pub fn lend(&mut self, r: Reg, place: u32) -> Checked {
        let Word::Ptr(l, off) = self.get(r) else {
            return Err(self
                .fail(Code::Ghost, "the register does not point to memory that can be lent")
                .reg(r.0));
        };
        if l >= STATIC {
            return Err(self.fail(Code::Ghost, "the memory is not that of this function alone").reg(r.0));
        }
        let loc = self.loc(l)?;
        self.not_foreign(loc.lay.id, Code::Ghost)?;
        let ours = loc.exclusive() || loc.mode == Mode::Frozen && loc.stretch.is_none();
        if !ours || loc.hole.is_some() {
            let why = match loc.stretch {
                Some(_) => "the memory is lent for a stretch already",
                None => {
                    "only memory of this function alone, or frozen for the call, can be lent for a stretch"
                }
            };
            return Err(self.fail(Code::Ghost, why).reg(r.0));
        }
        self.unify(&mut Subst::identity(), &Term::zero(), &off, false, GHOST)?;
        if loc.exclusive() {
            self.fold(l, GHOST)?;
        }
        let known = self.state.stretches.iter().find(|s| s.0 == place).map(|s| s.1);
        let v = match known {
            Some(v) => v,
            None if self.state.stretches.len() < limits::STRETCHES => {
                let v = self.state.facts.fresh(Interval::ALL);
                let at = self.state.stretches.partition_point(|s| s.0 < place);
                self.state.stretches.insert(at, (place, v));
                v
            }
            None => return self.reject(Code::Limit, "too many stretches last at once"),
        };
        if let Some(loc) = self.state.locs.get_mut(l as usize) {
            loc.was = Some(loc.mode);
            loc.mode = Mode::Frozen;
            loc.stretch = Some(v);
        }
        Ok(())
    }

    /// `restore s`.
    pub fn restore(&mut self, place: u32) -> Checked {
        let Some(i) = self.state.stretches.iter().position(|s| s.0 == place) else {
            return self
                .reject(Code::Ghost, "no such stretch lasts here: nothing was lent for it, or it has ended");
        };
        let (_, v) = self.state.stretches.remove(i);
        self.ended(|stretch| stretch == v)
    }

    /// Where the function ends, so do the stretches that it has begun.
    pub fn end_stretches(&mut self) -> Checked {
        let begun: Vec<Var> = self.state.stretches.drain(..).map(|s| s.1).collect();
        if begun.is_empty() { Ok(()) } else { self.ended(|stretch| begun.contains(&stretch)) }
    }

    /// Lent memory is what it was, and everything else that was frozen for the stretches is gone: words that point there
    /// become integers.
    fn ended(&mut self, of: impl Fn(Var) -> bool) -> Checked {
        self.spend(2 * self.state.parts() as u64)?;
        let gone = |loc: &Loc| loc.was.is_none() && loc.stretch.is_some_and(&of);
        let mut addresses: Vec<Option<Term>> = Vec::new();
        addresses.resize(self.state.locs.len(), None);
        let mentioned: Vec<LocId> = self
            .state
            .words()
            .filter_map(|w| match w {
                Word::Ptr(l, _) => self.state.locs.get(*l as usize).filter(|loc| gone(loc)).map(|_| *l),
                _ => None,
            })
            .collect();
        for l in mentioned {
            let addr = self.addr(l)?;
            if let Some(slot) = addresses.get_mut(l as usize) {
                *slot = Some(addr);
            }
        }
        for w in self.state.words_mut() {
            if let Word::Ptr(l, e) = w
                && let Some(Some(addr)) = addresses.get(*l as usize)
            {
                *w = addr.add(e).map_or(Word::Any, Word::Int);
            }
        }
        // What was lent may be written from here on, and be lent again.
        self.state.seen.clear();
        for loc in &mut self.state.locs {
            if !loc.stretch.is_some_and(&of) {
                continue;
            }
            match loc.was.take() {
                Some(mode) => loc.mode = mode,
                None => {
                    loc.live = false;
                    loc.tags.clear();
                }
            }
            loc.stretch = None;
        }
        Ok(())
    }

    /// At a label: its stretches last, each at its place. Others end on the way to it.
    pub fn match_stretches(&mut self, s: &mut Subst, label: &State, blame: Blame) -> Checked {
        self.spend((label.stretches.len() + self.state.stretches.len()) as u64)?;
        let mut over = Vec::new();
        self.state.stretches.retain(|(place, v)| {
            let lasts = label.stretches.iter().any(|s| s.0 == *place);
            if !lasts {
                over.push(*v);
            }
            lasts
        });
        if !over.is_empty() {
            self.ended(|stretch| over.contains(&stretch))?;
        }
        for (place, v) in &label.stretches {
            let Some(&(_, is)) = self.state.stretches.iter().find(|s| s.0 == *place) else {
                return self.reject(blame.shape, "a stretch has ended on this edge, or was not begun");
            };
            self.unify(s, &Term::var(*v), &Term::var(is), false, blame)?;
        }
        Ok(())
    }

    /// Whether a location of a label is frozen as long as this one, and goes back to the same mode.
    pub fn match_stretch(
        &mut self,
        s: &mut Subst,
        label: &State,
        want: &Loc,
        have: &Loc,
        blame: Blame,
    ) -> Checked {
        match (want.stretch, have.stretch) {
            (None, None) if want.was.is_none() => Ok(()),
            (Some(x), Some(v)) if want.was.is_none() || want.was == have.was => {
                // Under any other name `restore` would not find it.
                if !label.stretches.iter().any(|s| s.1 == x) && !self.sig().stretches.contains(&x) {
                    return self.reject(Code::Stream, "a label's location is of no stretch that lasts there");
                }
                self.unify(s, &Term::var(x), &Term::var(v), false, blame)
            }
            _ => {
                self.reject(blame.shape, "the memory is lent for another stretch on this edge, or not at all")
            }
        }
    }

    /// Arguments and owned statics at a label that are not exclusive there: they are the same, and lent in the same way.
    pub fn match_fixed(&mut self, s: &mut Subst, label: &State, l: LocId, blame: Blame) -> Checked {
        let (Some(want), Some(have)) = (label.locs.get(l as usize), self.state.locs.get(l as usize)) else {
            return Ok(());
        };
        let plain = |loc: &Loc| loc.live && loc.stretch.is_none() && loc.was.is_none();
        if plain(want) && plain(have) && want.mode == have.mode && want.lay == have.lay {
            return Ok(());
        }
        let have = self.loc(l)?;
        if want.mode != have.mode {
            let why = if have.was.is_some() { LENT } else { "the memory is not lent on this edge" };
            return self.reject(blame.shape, why);
        }
        self.match_stretch(s, label, want, &have, blame)?;
        if want.was.is_none() && have.was.is_some() || want.was.is_some() && !want.cells.is_empty() {
            return self.reject(blame.shape, "lent memory would not come back at the label");
        }
        if want.lay == have.lay { Ok(()) } else { self.match_lay(s, &want.lay, &have.lay, blame) }
    }

    /// A borrow of what an owner that was met in memory of a stretch owns, while that is untested: its type, under
    /// an environment that names the stretch.
    pub fn look_during(&mut self, ty: WordId, env: &Env, v: Var) -> Checked<Word> {
        let Some((view, scope)) = self.program.shapes.during(ty) else {
            return Ok(Word::Int(self.fresh(self.word_range())));
        };
        self.spend(u64::from(scope))?;
        let mut terms = Vec::with_capacity(scope as usize + 1);
        for x in 0..scope {
            terms.push(self.term(under(&Term::var(x), env))?);
        }
        terms.push(Term::var(v));
        self.load_word(view, &Some(Rc::from(terms)))
    }
}
