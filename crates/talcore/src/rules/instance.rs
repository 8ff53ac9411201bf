//! Function values where a function type is asked for that says more: whether two signatures are the same, or one is an
//! instance of the other.
//!
//! `fn (rdi: ref s L, r8: e) -> (r8: e)`, where `s` and `e` are variables of the surroundings, is a signature of which the
//! first variables stand for terms. A function whose own signature has variables in their places is one of these, since
//! what it promises it promises for all values of its variables. What is relied on:
//!
//! - An *instance* gives each variable of the function a term over what the wanted type speaks of: terms of the
//!   surroundings, and the variables that the wanted type quantifies over, which the caller chooses. Terms are found by
//!   looking at the parameters only, so they are known when the function is called. With them both signatures must be the
//!   same in every part, and the intervals of the function's variables must hold: of terms of the surroundings they are
//!   proved here, once, since numbers do not change; a variable of the wanted type has an interval that each call proves.
//! - A stretch of the function is one of which each call through the wanted type proves that it lasts.
//! - A variable for words in registers (`r8: e`, about which the function knows nothing, so that it can only hand back
//!   that very word) is of any type, the same at all its places. If words of that type own memory, it is handed in once and
//!   handed back once at most: a copy would be a second owner. It never is handed in twice: the function may rely on both
//!   words being equal.
//! - Only a word that is passed, returned or stored may be an instance: it is looked at once, and goes one way. Inside of a
//!   type, in memory that somebody may write or among the parameters of a function, signatures must be the same: into a
//!   cell of general functions that is seen as one of less general ones somebody could write one of those.

use crate::engine::{Checked, Engine, under};
use crate::facts::{Facts, Interval};
use crate::guide::Guide;
use crate::limits;
use crate::matching::{Blame, Subst};
use crate::state::Env;
use crate::term::Term;
use crate::types::{Layout, LayoutId, Sig, SigId, WordId, WordTy};
use crate::verdict::Code;
use alloc::vec;
use alloc::vec::Vec;

/// Why a function is not of the type that is wanted.
const OTHER: &str = "the code pointer has another signature";

/// A signature, and what its first variables stand for.
type Applied = (SigId, Vec<Term>);

/// What a function's own variables stand for in an instance, as far as it is known: variables by number, and for each
/// variable of register words its type in the wanted signature.
struct Instance {
    known: usize,
    terms: Vec<Option<Term>>,
    words: Vec<Option<WordId>>,
}

/// The variables of a signature that are stretches: those below `known`, and the others, counted from there.
fn stretches(sig: &Sig, known: usize) -> (Vec<usize>, Vec<usize>) {
    let (given, own): (Vec<usize>, Vec<usize>) =
        sig.stretches.iter().map(|v| *v as usize).partition(|v| *v < known);
    (given, own.into_iter().map(|v| v - known).collect())
}

/// The types of words that go in, and those that come back.
fn in_and_out(sig: &Sig) -> (impl Iterator<Item = WordId>, impl Iterator<Item = WordId>) {
    (sig.params.iter().map(|p| p.1).chain(sig.stack.iter().copied()), sig.results.iter().map(|r| r.1))
}

impl<'a, G: Guide> Engine<'a, G> {
    /// Whether a function of the signature `a` is one of the signature `p`, of each of which the first variables stand for
    /// terms: for all values of the others of `p`. At a `depth` inside of other types they must be the same.
    pub fn same_fn(
        &mut self,
        s: &mut Subst,
        (p, pargs): Applied,
        (a, aargs): Applied,
        depth: usize,
        blame: Blame,
    ) -> Checked {
        self.spend(4 + (pargs.len() + aargs.len()) as u64)?;
        let blame = Blame { fact: blame.shape, ..blame };
        if p == a && pargs.len() == aargs.len() {
            for (p, a) in pargs.iter().zip(&aargs) {
                self.unify(s, p, a, false, blame)?;
            }
            return Ok(());
        }
        let (x, y) = (self.program.types.sig(p), self.program.types.sig(a));
        let alike = (x.preserved, x.noreturn, x.start) == (y.preserved, y.noreturn, y.start)
            && x.result_vars == y.result_vars
            && x.uses == y.uses
            && (x.facts.len(), x.result_facts.len()) == (y.facts.len(), y.result_facts.len())
            && (x.params.len(), x.results.len()) == (y.params.len(), y.results.len())
            && (x.stack.len(), x.gives_back.len()) == (y.stack.len(), y.gives_back.len())
            && x.kept.len() == y.kept.len();
        let registers = x.params.iter().zip(&y.params).chain(x.results.iter().zip(&y.results));
        if !alike || depth > limits::NESTING || registers.clone().any(|(v, w)| v.0 != w.0) {
            return self.reject(blame.shape, OTHER);
        }
        let (own, theirs) = (x.vars.get(pargs.len()..), y.vars.get(aargs.len()..));
        let (own, theirs) = (own.unwrap_or(&[]), theirs.unwrap_or(&[]));
        let known = self.state.facts.var_count() as u32;
        let bound: Vec<Term> = own.iter().chain(&x.result_vars).map(|_| self.fresh(Interval::ALL)).collect();
        self.spend(2 * bound.len() as u64)?;
        let open = s.terms.len();
        let names = (s.rigid + open as u32..).take(bound.len()).map(Term::var);
        let inside: Env = Some(pargs.iter().cloned().chain(names).collect());
        let (chosen, results) = bound.split_at(own.len());
        let mut words = vec![None; y.word_vars as usize];
        let outside: Vec<Term> = if (own, x.word_vars) == (theirs, y.word_vars) {
            self.same_stretches(s, (x, &pargs), (y, &aargs), blame)?;
            aargs.iter().chain(chosen).cloned().collect()
        } else if depth > 0 {
            return self.reject(blame.shape, OTHER);
        } else {
            let mut of = Instance { known: aargs.len(), terms: vec![None; theirs.len()], words };
            self.instance(s, (x, &pargs, chosen), (y, &aargs), &mut of, blame)?;
            words = of.words;
            aargs.iter().cloned().chain(of.terms.into_iter().flatten()).collect()
        };
        let outside: Env = Some(outside.into_iter().chain(results.iter().cloned()).collect());
        s.terms.extend(bound.into_iter().map(Some));
        for (f, g) in x.facts.iter().zip(&y.facts).chain(x.result_facts.iter().zip(&y.result_facts)) {
            let (f, g) = (self.term(under(f, &inside))?, self.term(under(g, &outside))?);
            self.unify(s, &f, &g, false, blame)?;
        }
        let stack = x.stack.iter().zip(&y.stack);
        for (v, w) in registers.map(|(v, w)| (v.1, w.1)).chain(stack.map(|(v, w)| (*v, *w))) {
            match (self.program.types.word(v), self.program.types.word(w)) {
                // They are counted, and mean the same in both.
                (WordTy::Var(v), WordTy::Var(w)) if v == w && words.get(*w as usize) == Some(&None) => {}
                (_, WordTy::Var(w)) if words.get(*w as usize) == Some(&Some(v)) => {}
                _ => self.same_word(s, (v, &inside), (w, &outside), depth + 1, blame)?,
            }
        }
        for (v, w) in x.gives_back.iter().zip(&y.gives_back) {
            if v.0 != w.0 {
                return self.reject(blame.shape, OTHER);
            }
            self.same_layout(s, (v.1, &inside), (w.1, &outside), depth + 1, blame)?;
        }
        for (v, w) in x.kept.iter().zip(&y.kept) {
            if (v.param, v.result, v.range) != (w.param, w.result, w.range) {
                return self.reject(blame.shape, OTHER);
            }
            self.same_layout(s, (v.layout, &inside), (w.layout, &outside), depth + 1, blame)?;
        }
        s.terms.truncate(open);
        self.spend(open as u64)?;
        let pargs = pargs.iter().map(|t| self.term(s.apply(t))).collect::<Checked<Vec<_>>>()?;
        self.known_ranges((y, &aargs), (x, &pargs), blame)?;
        if depth > 0 {
            self.known_ranges((x, &pargs), (y, &aargs), blame)?;
        }
        // What the signatures quantify over differs from call to call: nothing outside can stand for it.
        if s.terms.iter().flatten().any(|t| t.scope() > known) {
            return self.reject(blame.shape, OTHER);
        }
        Ok(())
    }

    /// What the first variables of a signature stand for must lie in their intervals. Who calls a function as one of the
    /// type `by` proves that of its variables only, so all else is proved here, once, since numbers do not change.
    fn known_ranges(
        &mut self,
        (of, args): (&Sig, &[Term]),
        (by, others): (&Sig, &[Term]),
        blame: Blame,
    ) -> Checked {
        for (i, (t, range)) in args.iter().zip(&of.vars).enumerate() {
            let asked = others.get(i) == Some(t) && by.vars.get(i).is_some_and(|asked| asked.within(range));
            if !asked {
                self.require_in(t, *range, blame.shape, OTHER)?;
            }
        }
        Ok(())
    }

    /// Who calls a function as one of another type sees to it that the stretches of the first last too.
    fn same_stretches(
        &mut self,
        s: &mut Subst,
        (x, pargs): (&Sig, &[Term]),
        (y, aargs): (&Sig, &[Term]),
        blame: Blame,
    ) -> Checked {
        let ((wanted, own), (given, theirs)) = (stretches(x, pargs.len()), stretches(y, aargs.len()));
        if own != theirs || wanted.len() != given.len() {
            return self.reject(blame.shape, OTHER);
        }
        for (v, w) in wanted.into_iter().zip(given) {
            if let (Some(p), Some(a)) = (pargs.get(v), aargs.get(w)) {
                self.unify(s, p, a, false, blame)?;
            }
        }
        Ok(())
    }

    /// Finds what each own variable of `y` stands for where it is used as `x`, whose own variables are `chosen` by
    /// whoever calls it.
    fn instance(
        &mut self,
        s: &mut Subst,
        (x, pargs, chosen): (&Sig, &[Term], &[Term]),
        (y, aargs): (&Sig, &[Term]),
        of: &mut Instance,
        blame: Blame,
    ) -> Checked {
        // Terms over the variables of `x`, its own included: what those stand for follows.
        for (p, a) in in_and_out(x).0.zip(in_and_out(y).0) {
            self.instance_of_word(of, (p, u32::MAX), (a, u32::MAX), 0)?;
        }
        self.word_variables(x, y, of, blame)?;
        let mut needed: Vec<bool> = vec![false; pargs.len()];
        for t in of.terms.iter().flatten() {
            self.spend(1)?;
            for (v, _) in t.summands() {
                if let Some(needed) = needed.get_mut(v as usize) {
                    *needed = true;
                }
            }
        }
        // What a term of the surroundings is must be known: the function's own variables are no part of the pattern.
        let mut terms = Vec::with_capacity(pargs.len() + chosen.len());
        for (p, needed) in pargs.iter().zip(needed) {
            for &(v, _) in p.summands().iter().filter(|_| needed) {
                let open = v.checked_sub(s.rigid).map(|i| i as usize);
                if let Some(i) = open.filter(|i| matches!(s.terms.get(*i), Some(None))) {
                    self.ask_witness(s, i, blame)?;
                }
            }
            terms.push(if needed { self.term(s.apply(p))? } else { Term::zero() });
        }
        terms.extend(chosen.iter().cloned());
        let env: Env = Some(terms.into());
        let mut spoken = Facts::default();
        self.spend(x.vars.len() as u64)?;
        for range in &x.vars {
            spoken.fresh(*range);
        }
        let ((wanted, own), (given, theirs)) = (stretches(x, pargs.len()), stretches(y, aargs.len()));
        for (slot, range) in of.terms.iter_mut().zip(y.vars.iter().skip(aargs.len())) {
            let Some(t) = slot.take() else { return self.reject(blame.shape, OTHER) };
            let is = self.term(under(&t, &env))?;
            // Of the variables of the wanted type each call proves that they are in their intervals.
            let asked = spoken.range(&t).within(range);
            if !asked {
                self.require_in(&is, *range, blame.shape, OTHER)?;
            }
            *slot = Some(is);
        }
        self.spend(((wanted.len() + own.len()) * (given.len() + theirs.len())) as u64)?;
        let lasts: Vec<Option<Term>> = wanted
            .into_iter()
            .map(|v| pargs.get(v).and_then(|p| s.apply(p)))
            .chain(own.into_iter().map(|v| chosen.get(v).cloned()))
            .collect();
        let used = given.into_iter().map(|v| aargs.get(v).cloned());
        for t in used.chain(theirs.into_iter().map(|v| of.terms.get(v).cloned().flatten())) {
            if t.is_none() || !lasts.contains(&t) {
                return self.reject(blame.shape, OTHER);
            }
        }
        Ok(())
    }

    /// The types of a function's variables for register words.
    fn word_variables(&mut self, x: &Sig, y: &Sig, of: &mut Instance, blame: Blame) -> Checked {
        let types = &self.program.types;
        let mut counts: Vec<(u32, u32)> = vec![(0, 0); of.words.len()];
        let (into, back) = in_and_out(y);
        self.spend((y.params.len() + y.stack.len() + y.results.len()) as u64)?;
        let (wanted, given) = in_and_out(x);
        let pairs = into.zip(wanted).map(|p| (p, true)).chain(back.zip(given).map(|p| (p, false)));
        for ((a, p), into) in pairs {
            let WordTy::Var(v) = types.word(a) else { continue };
            let (Some(count), Some(slot)) = (counts.get_mut(*v as usize), of.words.get_mut(*v as usize))
            else {
                return self.reject(blame.shape, OTHER);
            };
            match into {
                true => count.0 = count.0.saturating_add(1),
                false => count.1 = count.1.saturating_add(1),
            }
            if slot.get_or_insert(p) != &p {
                return self.reject(blame.shape, OTHER);
            }
        }
        for (count, word) in counts.into_iter().zip(&of.words) {
            let linear = word.is_some_and(|w| types.linear(w));
            if count.0 > 1 || count.1 > 0 && count.0 == 0 || linear && count.1 > 1 {
                return self.reject(blame.shape, OTHER);
            }
        }
        Ok(())
    }

    /// Meets a variable of the function that stands alone. Variables from the second number on are bound inside of the
    /// types.
    fn instance_of_term(of: &mut Instance, (p, pb): (&Term, u32), (a, ab): (&Term, u32)) {
        let own = a.as_var().filter(|v| *v < ab).and_then(|v| (v as usize).checked_sub(of.known));
        if let Some(slot @ None) = own.and_then(|i| of.terms.get_mut(i))
            && p.scope() <= pb
        {
            *slot = Some(p.clone());
        }
    }

    /// The same for all terms of a word type that the other one has too.
    fn instance_of_word(
        &mut self,
        of: &mut Instance,
        (p, pb): (WordId, u32),
        (a, ab): (WordId, u32),
        depth: usize,
    ) -> Checked {
        self.spend(1)?;
        if depth > limits::NESTING {
            return self.reject(Code::Limit, "types are nested too deeply");
        }
        let types = &self.program.types;
        match (types.word(p), types.word(a)) {
            (WordTy::Int(p), WordTy::Int(a)) | (WordTy::Of(p, _), WordTy::Of(a, _)) => {
                Self::instance_of_term(of, (p, pb), (a, ab));
            }
            (WordTy::FnAt(_, p), WordTy::FnAt(_, a)) => {
                for (p, a) in p.iter().zip(a.iter()) {
                    Self::instance_of_term(of, (p, pb), (a, ab));
                }
            }
            (WordTy::During(t, p), WordTy::During(u, a)) => {
                Self::instance_of_term(of, (t, pb), (u, ab));
                return self.instance_of_word(of, (*p, pb), (*a, ab), depth + 1);
            }
            (WordTy::Opt(p), WordTy::Opt(a)) | (WordTy::Res(p), WordTy::Res(a)) => {
                return self.instance_of_word(of, (*p, pb), (*a, ab), depth + 1);
            }
            (WordTy::Exists(p), WordTy::Exists(a)) => {
                let (pb, ab) = (pb.min(p.first), ab.min(a.first));
                return self.instance_of_word(of, (p.body, pb), (a.body, ab), depth + 1);
            }
            (WordTy::Ptr(_, p), WordTy::Ptr(_, a)) => {
                return self.instance_of_layout(of, (*p, pb), (*a, ab), depth + 1);
            }
            _ => {}
        }
        Ok(())
    }

    fn instance_of_layout(
        &mut self,
        of: &mut Instance,
        (p, pb): (LayoutId, u32),
        (a, ab): (LayoutId, u32),
        depth: usize,
    ) -> Checked {
        self.spend(1)?;
        if depth > limits::NESTING {
            return self.reject(Code::Limit, "types are nested too deeply");
        }
        let types = &self.program.types;
        match (types.layout(p), types.layout(a)) {
            (Layout::Bytes(p), Layout::Bytes(a))
            | (Layout::Cstr(Some(p)), Layout::Cstr(Some(a)))
            | (Layout::Foreign(p), Layout::Foreign(a))
            | (Layout::Exact(_, _, p), Layout::Exact(_, _, a)) => {
                Self::instance_of_term(of, (p, pb), (a, ab));
            }
            (Layout::Of(p, n), Layout::Of(a, m)) => {
                Self::instance_of_term(of, (p, pb), (a, ab));
                Self::instance_of_term(of, (n, pb), (m, ab));
            }
            (Layout::Cell(p), Layout::Cell(a)) => {
                return self.instance_of_word(of, (*p, pb), (*a, ab), depth + 1);
            }
            (Layout::Array(n, p), Layout::Array(m, a)) => {
                Self::instance_of_term(of, (n, pb), (m, ab));
                return self.instance_of_layout(of, (*p, pb), (*a, ab), depth + 1);
            }
            (Layout::NullTerm(n, p), Layout::NullTerm(m, a)) => {
                if let (Some(n), Some(m)) = (n, m) {
                    Self::instance_of_term(of, (n, pb), (m, ab));
                }
                return self.instance_of_word(of, (*p, pb), (*a, ab), depth + 1);
            }
            (Layout::Struct(_, p), Layout::Struct(_, a)) => {
                self.spend(p.len() as u64)?;
                for (p, a) in p.iter().zip(a.iter()) {
                    Self::instance_of_term(of, (p, pb), (a, ab));
                }
            }
            (Layout::Seq(p), Layout::Seq(a)) => {
                for (p, a) in p.iter().zip(a.iter()) {
                    self.instance_of_layout(of, (*p, pb), (*a, ab), depth + 1)?;
                }
            }
            (Layout::Exists(p), Layout::Exists(a)) => {
                let (pb, ab) = (pb.min(p.first), ab.min(a.first));
                return self.instance_of_layout(of, (p.body, pb), (a.body, ab), depth + 1);
            }
            _ => {}
        }
        Ok(())
    }
}
