//! docs/types.md, "Functions": a call matches its arguments with the signature, an edge its state with the label's. What is
//! quantified there are *pattern variables*, whose numbers begin at [`PATTERN`]; they are found by solving equations.

use super::know::{Known, Range};
use super::lin::{Lin, Var};
use super::types::{Lay, Node, Ty, TyNode, World};
use super::{Stop, todo};
use std::collections::BTreeMap;
use talcore::types::{Layout, SigId, WordTy};

/// The first pattern variable.
pub(super) const PATTERN: Var = 1 << 30;

/// What pattern variables stand for.
#[derive(Clone, Debug, Default)]
pub(super) struct Binding {
    /// Those that are found.
    pub(super) found: BTreeMap<Var, Lin>,
    /// Their intervals.
    pub(super) ranges: BTreeMap<Var, Range>,
    /// Word variables that are found.
    pub(super) words: BTreeMap<u32, super::state::Word>,
    /// Equations that wait: pattern, term, and whether they are congruences.
    pub(super) later: Vec<(Lin, Lin, bool)>,
}

impl Binding {
    /// A term with what is found.
    pub(super) fn apply(&self, t: &Lin) -> Lin {
        t.subst(&|v| self.found.get(&v).cloned())
    }
    /// Whether a term is known.
    pub(super) fn known(&self, t: &Lin) -> bool {
        t.m.keys().all(|v| *v < PATTERN || self.found.contains_key(v))
    }
}

impl World<'_> {
    /// Whether two terms are congruent modulo 2^W.
    pub(super) fn congruent(&self, k: &Known, a: &Lin, b: &Lin) -> bool {
        let d = a.minus(b).modulo(self.bits());
        if d.constant().is_some() {
            return d.k == 0;
        }
        let whole = a.minus(b);
        k.equal(&whole, &Lin::default())
            || k.equal(&d, &Lin::default())
            || [1, -1].iter().any(|n| k.equal(&whole, &Lin::of(n * self.period())))
    }

    /// Whether a pattern is a term, or can be. What cannot be told yet waits.
    pub(super) fn unify(
        &self,
        k: &Known,
        b: &mut Binding,
        pattern: &Lin,
        term: &Lin,
        congruent: bool,
    ) -> bool {
        let p = b.apply(pattern);
        let open: Vec<(Var, i128)> = p.m.iter().filter(|m| *m.0 >= PATTERN).map(|(v, c)| (*v, *c)).collect();
        match open[..] {
            [] if congruent => self.congruent(k, &p, term),
            [] => k.equal(&p, term),
            [(v, c)] => {
                let rest = term.minus(&p.plus_times(&Lin::var(v), -c));
                if rest.k % c != 0 || rest.m.values().any(|a| a % c != 0) {
                    b.later.push((p, term.clone(), congruent));
                    return true;
                }
                let mut value = rest.clone();
                value.k /= c;
                value.m.values_mut().for_each(|a| *a /= c);
                if congruent && c.abs() == 1 {
                    value = self.period_of(k, value, b.ranges.get(&v).copied().unwrap_or(Range::ALL));
                }
                b.found.insert(v, value);
                true
            }
            _ => {
                b.later.push((p, term.clone(), congruent));
                true
            }
        }
    }

    /// Of the numbers that are congruent to a term the one that lies in a range.
    pub(super) fn period_of(&self, k: &Known, value: Lin, range: Range) -> Lin {
        let inside = |t: &Lin| {
            range.lo.is_none_or(|lo| k.proves(&t.add(-lo)))
                && range.hi.is_none_or(|hi| k.proves(&t.times(-1).add(hi)))
        };
        if range == Range::ALL || inside(&value) {
            return value;
        }
        let others = [-1, 1].map(|n| value.add(n * self.period()));
        others.into_iter().find(|t| inside(t)).unwrap_or(value)
    }

    /// Solves of what waits all that can be solved; whether none of it is wrong.
    pub(super) fn settle_some(&self, k: &Known, b: &mut Binding) -> bool {
        loop {
            let waiting = std::mem::take(&mut b.later);
            let before = waiting.len();
            if !waiting.into_iter().all(|(p, t, congruent)| self.unify(k, b, &p, &t, congruent)) {
                return false;
            }
            if b.later.len() == before {
                return true;
            }
        }
    }

    /// Solves what waits; whether all of it holds.
    pub(super) fn settle(&self, k: &Known, b: &mut Binding) -> Result<bool, Stop> {
        loop {
            let waiting = std::mem::take(&mut b.later);
            if waiting.is_empty() {
                return Ok(true);
            }
            let before = waiting.len();
            for (p, t, congruent) in waiting {
                if !self.unify(k, b, &p, &t, congruent) {
                    return Ok(false);
                }
            }
            if b.later.len() == before {
                return todo("a witness that no equation tells");
            }
        }
    }

    /// Whether a layout of the state is a wanted one.
    pub(super) fn same_lay(&self, k: &Known, b: &mut Binding, have: &Lay, want: &Lay) -> Result<bool, Stop> {
        Ok(match (have, want) {
            (Lay::Bytes(a), Lay::Bytes(p)) | (Lay::Foreign(a), Lay::Foreign(p)) => {
                self.unify(k, b, p, a, false)
            }
            (Lay::Cstr(Some(a)), Lay::Cstr(Some(p))) => self.unify(k, b, p, a, false),
            (Lay::Cstr(_), Lay::Cstr(None)) => true,
            (Lay::Cell(a), Lay::Cell(p)) => self.same_ty(k, b, a, p)?,
            (Lay::Num(a, l, h), Lay::Num(p, m, i)) => (a, l, h) == (p, m, i),
            (Lay::Exact(a, s, t), Lay::Exact(p, z, q)) => a == p && s == z && self.unify(k, b, q, t, false),
            (Lay::Array(a, e), Lay::Array(p, f)) => {
                self.unify(k, b, p, a, false) && self.same_lay(k, b, &self.lay(e), &self.lay(f))?
            }
            (Lay::NullTerm(a, w), Lay::NullTerm(p, x)) => {
                let length = match (a, p) {
                    (Some(a), Some(p)) => self.unify(k, b, p, a, false),
                    (_, None) => true,
                    _ => false,
                };
                length && self.same_ty(k, b, w, x)?
            }
            (Lay::Struct(s, a), Lay::Struct(t, p)) => {
                s == t && a.iter().zip(p).all(|(a, p)| self.unify(k, b, p, a, false))
            }
            (Lay::Seq(a), Lay::Seq(p)) => {
                a.len() == p.len() && {
                    for (a, p) in a.iter().zip(p) {
                        if !self.same_lay(k, b, &self.lay(a), &self.lay(p))? {
                            return Ok(false);
                        }
                    }
                    true
                }
            }
            (Lay::Exists(a), Lay::Exists(p)) => {
                let (Layout::Exists(x), Layout::Exists(y)) =
                    (self.program.types.layout(a.id), self.program.types.layout(p.id))
                else {
                    return todo("no existential");
                };
                if x.vars != y.vars || x.facts.len() != y.facts.len() {
                    return Ok(false);
                }
                let (e, f) = self.rigid(a, p, (x.first, y.first), x.vars.len());
                let facts = x
                    .facts
                    .iter()
                    .zip(&y.facts)
                    .all(|(g, h)| self.unify(k, b, &self.term(h, &f), &self.term(g, &e), false));
                let (a, p) = (Node { id: x.body, env: e }, Node { id: y.body, env: f });
                facts && self.same_lay(k, b, &self.lay(&a), &self.lay(&p))?
            }
            (Lay::Of(..), _) | (_, Lay::Of(..)) => return todo("a layout variable"),
            _ => false,
        })
    }

    /// Environments in which two sets of hidden variables are the same ones.
    fn rigid<I>(
        &self,
        a: &Node<I>,
        p: &Node<I>,
        first: (Var, Var),
        count: usize,
    ) -> (super::types::Env, super::types::Env) {
        const RIGID: Var = 1 << 29;
        let (mut e, mut f) = ((*a.env).clone(), (*p.env).clone());
        for i in 0..count as Var {
            e.insert(first.0 + i, Lin::var(RIGID + i));
            f.insert(first.1 + i, Lin::var(RIGID + i));
        }
        (e.into(), f.into())
    }

    /// Whether a word type of the state is a wanted one. Types in memory are invariant.
    pub(super) fn same_ty(
        &self,
        k: &Known,
        b: &mut Binding,
        have: &TyNode,
        want: &TyNode,
    ) -> Result<bool, Stop> {
        Ok(match (self.ty(have)?, self.ty(want)?) {
            (Ty::Int(a), Ty::Int(p)) => self.unify(k, b, &p, &a, true),
            (Ty::Range(a), Ty::Range(p)) => a == p,
            (Ty::Ptr(m, a), Ty::Ptr(n, p)) => m == n && self.same_lay(k, b, &self.lay(&a), &self.lay(&p))?,
            (Ty::Opt(a), Ty::Opt(p)) | (Ty::Res(a), Ty::Res(p)) => self.same_ty(k, b, &a, &p)?,
            (Ty::Fn(a), Ty::Fn(p)) => self.same_sig(a, p)?,
            (Ty::Var(a), Ty::Var(p)) => a == p,
            (Ty::Exists(a), Ty::Exists(p)) => {
                let (WordTy::Exists(x), WordTy::Exists(y)) =
                    (self.program.types.word(a.id), self.program.types.word(p.id))
                else {
                    return todo("no existential");
                };
                if x.vars != y.vars || x.facts.len() != y.facts.len() {
                    return Ok(false);
                }
                let (e, f) = self.rigid(&a, &p, (x.first, y.first), x.vars.len());
                let facts = x
                    .facts
                    .iter()
                    .zip(&y.facts)
                    .all(|(g, h)| self.unify(k, b, &self.term(h, &f), &self.term(g, &e), false));
                facts && self.same_ty(k, b, &Node { id: x.body, env: e }, &Node { id: y.body, env: f })?
            }
            (Ty::Of(..) | Ty::FnAt(..) | Ty::During(..) | Ty::When(..), _)
            | (_, Ty::Of(..) | Ty::FnAt(..) | Ty::During(..) | Ty::When(..)) => {
                return todo("an odd type in memory");
            }
            _ => false,
        })
    }

    /// Whether two signatures are the same: variables are numbered, so they are if all their parts are.
    pub(super) fn same_sig(&self, a: SigId, b: SigId) -> Result<bool, Stop> {
        if a == b {
            return Ok(true);
        }
        let (x, y) = (self.program.types.sig(a), self.program.types.sig(b));
        if (x.preserved, x.noreturn, x.start, x.word_vars) != (y.preserved, y.noreturn, y.start, y.word_vars)
            || x.vars != y.vars
            || x.result_vars != y.result_vars
            || x.facts != y.facts
            || x.result_facts != y.result_facts
            || x.stretches != y.stretches
            || x.uses.iter().any(|u| !y.uses.contains(u))
            || x.uses.len() != y.uses.len()
            || x.params.len() != y.params.len()
            || x.stack.len() != y.stack.len()
            || x.results.len() != y.results.len()
            || x.gives_back.len() != y.gives_back.len()
        {
            return Ok(false);
        }
        if !x.kept.is_empty() || !y.kept.is_empty() {
            return todo("memory that comes back, in a function type");
        }
        let k = Known::default();
        let pairs = x.params.iter().zip(&y.params).chain(x.results.iter().zip(&y.results));
        let pairs = pairs.map(|(a, b)| (a.0 == b.0, a.1, b.1));
        let stack = x.stack.iter().zip(&y.stack).map(|(a, b)| (true, *a, *b));
        for (same, a, b) in pairs.chain(stack) {
            let node = |id| Node { id, env: Default::default() };
            if !same || !self.same_ty(&k, &mut Binding::default(), &node(a), &node(b))? {
                return Ok(false);
            }
        }
        for (a, b) in x.gives_back.iter().zip(&y.gives_back) {
            let lay = |id| self.lay(&Node { id, env: Default::default() });
            if a.0 != b.0 || !self.same_lay(&k, &mut Binding::default(), &lay(a.1), &lay(b.1))? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
