//! Layout variables: `L: size n`.
//!
//! A function, struct or existential with such a variable speaks of memory of which it knows the size and nothing else. A
//! layout variable is a type variable: its value is the [code](crate::codes) of the words that own such memory. What is
//! relied on is what [`Layout::Of`] says of *every* number and *every* size, so that annotations, which may say what they
//! like of variables, cannot be wrong about it: `Of(t, n)` is the layout `K` if `t` is the code of `own K` and `K` has just
//! `n` bytes, else it is `n` raw bytes.
//!
//! - As long as `t` is not known no rule finds anything in the memory: no load, no store, no cell, no shorter array. It is
//!   presumed to own memory and to hide sizes. It may be passed, packed, lent and [moved](super::moved) as a whole.
//! - Where the code is a constant and the sizes are equal the memory is `K` for all rules, with what `K` has.
//! - `K` mentions no variables, as all that has a code; it has a size that this module knows, so it is no abstract type of
//!   another module; and it is no memory that others change.
//! - Whoever passes memory as `Of(t, n)` proves that it is `K`, or has it from somebody who did, for the same `t` and `n`.

use super::pack::Contents;
use crate::engine::{Checked, Engine, under};
use crate::guide::Guide;
use crate::matching::{Blame, Subst};
use crate::state::{Env, Lay, LocId};
use crate::term::Term;
use crate::types::{Layout, LayoutId, Mode, WordTy};
use crate::x86::insn::Width;
use alloc::rc::Rc;

/// Why memory is not of a layout that a variable stands for.
const OTHER: &str = "the memory is not of the layout that the variable stands for";

impl<'a, G: Guide> Engine<'a, G> {
    /// The layout of what words own whose type has this code, and its size, if that is known.
    fn owned_by(&self, code: &Term) -> Option<(LayoutId, Term)> {
        let WordTy::Ptr(Mode::Own, layout) = self.program.types.word(self.decode(code, true)?) else {
            return None;
        };
        if matches!(self.program.types.layout(*layout), Layout::Foreign(_)) {
            return None;
        }
        Some((*layout, self.program.shapes.size(*layout)?.clone()))
    }

    /// What a layout variable under an environment stands for, where that is known: a layout without variables.
    pub(crate) fn stands_for(&self, id: LayoutId, env: &Env) -> Option<LayoutId> {
        let Layout::Of(t, n) = self.program.types.layout(id) else { return None };
        let (known, size) = self.owned_by(&under(t, env)?)?;
        (under(n, env)? == size).then_some(known)
    }

    /// The same for a layout of a state.
    pub(crate) fn plain_lay(&self, lay: Lay) -> Lay {
        match self.stands_for(lay.id, &lay.env) {
            Some(id) => Lay { id, env: Some(Rc::from([])) },
            None => lay,
        }
    }

    /// The same for a pattern, as far as its variables are bound.
    pub(crate) fn wanted_by_code(&self, s: &Subst, want: (LayoutId, &Env)) -> Option<LayoutId> {
        let Layout::Of(t, n) = self.program.types.layout(want.0) else { return None };
        let (known, size) = self.owned_by(&s.apply(&under(t, want.1)?)?)?;
        (s.apply(&under(n, want.1)?)? == size).then_some(known)
    }

    /// The code of words that own a struct, if this module has such a type. (Others would have to be searched for.)
    fn code_of_owner(&mut self, lay: &Lay) -> Checked<Option<Term>> {
        let program = self.program;
        let Layout::Struct(id, given) = program.types.layout(lay.id) else { return Ok(None) };
        let given = self.compose(given, &lay.env)?;
        let given = given.as_deref().unwrap_or(&[]);
        let words = program.scopes.get(self.function.scope as usize).map_or((0, 0), |s| s.types.words);
        let first = program.owners.partition_point(|o| *o < (*id, crate::types::WordId(words.0)));
        for (_, word) in
            program.owners.iter().skip(first).take_while(|(owned, word)| owned == id && word.0 < words.1)
        {
            self.spend(1 + given.len() as u64)?;
            let WordTy::Ptr(_, layout) = program.types.word(*word) else { continue };
            let Layout::Struct(_, args) = program.types.layout(*layout) else { continue };
            if args[..] == *given && args.iter().all(|t| t.as_const().is_some()) {
                return Ok(program.code(*word));
            }
        }
        Ok(None)
    }

    /// Finds what a layout variable of a pattern stands for, by the memory that is to be of it; and asks where that does
    /// not tell.
    fn bind_code(&mut self, s: &mut Subst, p: &Term, have: &Lay, blame: Blame) -> Checked<Term> {
        if let Some(t) = s.apply(p) {
            return Ok(t);
        }
        let have = self.plain_lay(have.clone());
        let found = match self.program.types.layout(have.id) {
            Layout::Of(a, _) => Some(self.term(under(a, &have.env))?),
            _ => self.code_of_owner(&have)?,
        };
        match found {
            Some(code) => self.unify(s, p, &code, false, blame)?,
            None => {
                for i in 0..s.terms.len() {
                    if s.terms[i].is_none() && p.coefficient(s.rigid + i as u32) != 0 {
                        self.ask_witness(s, i, blame)?;
                    }
                }
            }
        }
        self.term(s.apply(p))
    }

    /// Whether two layouts are the same of which one is known by its code.
    pub(crate) fn same_by_code(
        &mut self,
        s: &mut Subst,
        pattern: (LayoutId, &Env),
        actual: (LayoutId, &Env),
        depth: usize,
        blame: Blame,
    ) -> Checked {
        let closed: Env = Some(Rc::from([]));
        if let Some(known) = self.stands_for(actual.0, actual.1) {
            return self.same_layout(s, pattern, (known, &closed), depth + 1, blame);
        }
        let types = &self.program.types;
        let Layout::Of(p, n) = types.layout(pattern.0) else { return self.reject(blame.shape, OTHER) };
        let (p, n) = (self.term(under(p, pattern.1))?, self.term(under(n, pattern.1))?);
        let have = Lay { id: actual.0, env: actual.1.clone() };
        let code = self.bind_code(s, &p, &have, blame)?;
        if let Some((known, size)) = self.owned_by(&code) {
            self.unify(s, &n, &size, false, blame)?;
            return self.same_layout(s, (known, &closed), actual, depth + 1, blame);
        }
        let Layout::Of(a, m) = types.layout(actual.0) else { return self.reject(blame.shape, OTHER) };
        let (a, m) = (self.term(under(a, actual.1))?, self.term(under(m, actual.1))?);
        let shape = Blame { fact: blame.shape, ..blame };
        self.unify(s, &p, &a, false, shape)?;
        self.unify(s, &n, &m, false, blame)
    }

    /// Packs what a location holds to a layout that is known by its code.
    pub(super) fn pack_by_code(
        &mut self,
        s: &mut Subst,
        want: (LayoutId, &Env),
        l: LocId,
        but: &[(Term, Width)],
        blame: Blame,
    ) -> Checked {
        let Layout::Of(p, n) = self.program.types.layout(want.0) else { return Ok(()) };
        let (p, n) = (self.term(under(p, want.1))?, self.term(under(n, want.1))?);
        let have = self.loc(l)?.lay;
        let code = self.bind_code(s, &p, &have, blame)?;
        if let Some((known, size)) = self.owned_by(&code) {
            self.unify(s, &n, &size, false, blame)?;
            return self.pack(s, (known, &Some(Rc::from([]))), l, but, blame);
        }
        // Nothing is held where nothing is known.
        if !but.is_empty() || self.held(l) > 0 {
            return self.reject(blame.shape, OTHER);
        }
        self.same_layout(s, want, (have.id, &have.env), 0, blame)
    }

    /// Whether the part of a pattern that starts `at` bytes into memory that is packed is one that was moved there: then
    /// it must be of that type.
    pub(super) fn rest_is_part(
        &mut self,
        s: &mut Subst,
        want: (LayoutId, &Env),
        at: &Term,
        is: &Contents<'_>,
    ) -> Checked<bool> {
        let program = self.program;
        let kind = match self.wanted_by_code(s, want) {
            Some(known) => program.head(known),
            None => program.head(want.0),
        };
        for i in 0.. {
            let Some(part) = self.state.locs.get(is.l as usize).and_then(|l| l.parts.get(i)) else { break };
            let lay = part.lay.clone();
            let here = part.off == *at;
            self.spend(2)?;
            let open = matches!(program.types.layout(want.0), Layout::Of(..));
            if here && (open || program.head(self.plain_lay(lay.clone()).id) == kind) {
                self.same_layout(s, want, (lay.id, &lay.env), 0, is.blame)?;
                return Ok(true);
            }
        }
        Ok(false)
    }
}
