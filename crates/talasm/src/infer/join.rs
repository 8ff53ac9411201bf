//! One edge being joined to a label: what the label's variables stand for, and which words do not fit.

use super::label::{Frame, Label};
use super::terms::{divided, divisor, gcd, known_range, under};
use crate::prove::{Budget, Models, prove};
use std::cell::OnceCell;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use talcore::facts::{Interval, NEG_INF, POS_INF};
use talcore::state::{Env, Lay, Loc, LocId, STATIC, State, Word};
use talcore::term::{Term, Var};
use talcore::types::{Layout, WordId};

/// Work for one proof while looking for states.
pub(super) const BUDGET: Budget = Budget(40_000);
/// How many points are tried before a proof is looked for.
pub(super) const POINTS: usize = 4;

/// A word that was generalised.
#[derive(Clone, Debug)]
pub(super) struct General {
    /// The new variable.
    pub(super) var: Var,
    /// What the variable was in the label, over the label's variables.
    pub(super) at: Term,
    /// The word now.
    pub(super) term: Term,
    /// What the word was in the label, over the label's variables.
    pub(super) was: Term,
    /// What the word is on the edge.
    pub(super) is: Term,
    /// The variable is a counter: the word was `was`, is `was + step * var`.
    pub(super) counter: bool,
    /// The word is a constant, here or there, only because a test found that.
    pub(super) tested: bool,
}

/// One edge being joined.
pub(super) struct Join<'a, 'p> {
    pub(super) f: &'a Frame<'p>,
    pub(super) s: State,
    /// What the label's own variables stand for on this edge.
    pub(super) theta: Vec<Option<Term>>,
    pub(super) locs: Vec<Option<LocId>>,
    pub(super) general: Vec<General>,
    pub(super) changed: bool,
    /// The present word is a constant, here or there, only because a test found that: no rule knows what divides it.
    pub(super) tested: bool,
    /// Locations of the label and of the edge that have become part of a packed word.
    pub(super) packed: (BTreeSet<LocId>, BTreeSet<LocId>),
    /// New locations for owned arguments that are another object on this edge.
    pub(super) renamed: HashMap<LocId, LocId>,
    /// What the label said of owned arguments that it does not own any more.
    pub(super) lost: HashMap<LocId, Loc>,
    models: OnceCell<Models>,
}

impl<'a, 'p> Join<'a, 'p> {
    /// Nothing is matched yet: so many own variables and locations are open.
    pub(super) fn new(f: &'a Frame<'p>, s: State, vars: usize, locs: usize) -> Self {
        let (theta, locs) = (vec![None; vars], vec![None; locs]);
        Join {
            f,
            s,
            theta,
            locs,
            general: Vec::new(),
            changed: false,
            tested: false,
            packed: Default::default(),
            renamed: HashMap::new(),
            lost: HashMap::new(),
            models: OnceCell::new(),
        }
    }

    pub(super) fn bound(&self, v: Var) -> bool {
        v < self.f.vars() || self.theta.get((v - self.f.vars()) as usize).is_some_and(|t| t.is_some())
    }

    pub(super) fn apply(&self, t: &Term) -> Option<Term> {
        let mut sum = Term::from(t.konst());
        for &(v, c) in t.summands().iter() {
            sum = match v.checked_sub(self.f.vars()) {
                None => sum.add_scaled(&Term::var(v), i128::from(c))?,
                Some(i) => sum.add_scaled(self.theta.get(i as usize)?.as_ref()?, i128::from(c))?,
            };
        }
        Some(sum)
    }

    pub(super) fn follows(&self, goal: &Term) -> bool {
        let facts = &self.s.facts;
        if facts.evident(goal) {
            return true;
        }
        // Most goals are false, which some points show at once.
        let models = self.models.get_or_init(|| Models::whole(facts, POINTS));
        !models.refute(goal) && prove(facts, goal, BUDGET).is_some()
    }

    pub(super) fn proves(&self, fact: &Term) -> bool {
        self.apply(fact).is_some_and(|g| self.follows(&g))
    }

    /// Whether a term of the label is at least this on the edge.
    pub(super) fn proves_at_least(&self, t: &Term, c: i128) -> bool {
        self.apply(t).is_some_and(|t| self.at_least(&t, c))
    }

    /// Whether a term of the label is at most this on the edge.
    pub(super) fn proves_at_most(&self, t: &Term, c: i128) -> bool {
        self.apply(t).is_some_and(|t| self.at_most(&t, c))
    }

    pub(super) fn at_least(&self, t: &Term, c: i128) -> bool {
        c != NEG_INF && t.offset(-c).is_some_and(|g| self.follows(&g))
    }

    pub(super) fn at_most(&self, t: &Term, c: i128) -> bool {
        c != POS_INF && t.neg().and_then(|t| t.offset(c)).is_some_and(|g| self.follows(&g))
    }

    /// The narrowest interval inside `within` that is proved of a term, or what is known of it if it is wider.
    pub(super) fn proved_range(&self, t: &Term, within: Interval) -> Interval {
        let known = self.s.facts.range(t);
        let mut range = Interval::new(known.lo.max(within.lo), known.hi.min(within.hi));
        if range.lo == NEG_INF || range.hi == POS_INF || !range.within(&known) {
            return known;
        }
        let Some(minus) = t.neg() else { return known };
        range.hi = self.least(t, range.lo - 1, range.hi);
        range.lo = -self.least(&minus, -range.hi - 1, -range.lo);
        range
    }

    /// The least number in `above + 1 ..= most` that is proved to be an upper bound, as `most` is.
    fn least(&self, t: &Term, mut above: i128, mut most: i128) -> i128 {
        while above + 1 < most {
            let middle = above + (most - above) / 2;
            if self.at_most(t, middle) {
                most = middle;
            } else {
                above = middle;
            }
        }
        most
    }

    /// Makes the pattern term fit; a word that does not becomes a fresh variable.
    pub(super) fn term(&mut self, label: &mut Label, p: Term, a: &Term, words: bool) -> Term {
        if self.unify(&p, a, words) {
            return p;
        }
        // Sizes and offsets may be equal because of a test.
        if !words && let Some(d) = self.apply(&p).and_then(|p| p.sub(a)) {
            let back = d.neg();
            if self.follows(&d) && back.is_some_and(|d| self.follows(&d)) {
                return p;
            }
        }
        self.changed = true;
        // Or they were on the ways that the label knows, and what this edge has goes for all.
        if !words && a.scope() <= self.f.vars() && self.same_at(label, &p, a) {
            return a.clone();
        }
        let old = known_range(&label.state.facts, &p);
        // A constant step: p + step*j, with one counter j for all words that move in step. Numbers that tests have found
        // are rarely those of loops, and no rule knows what divides them.
        if let Some(step) = self.apply(&p).and_then(|p| a.sub(&p)).and_then(|d| d.as_const())
            && step != 0
            && step.unsigned_abs() <= 1 << 20
            && (!self.tested || step.abs() <= 16 || step % 8 == 0)
        {
            let shared = self.general.iter().find(|g| g.counter).map(|g| g.var);
            let j = match shared {
                Some(j) => j,
                None => self.variable(label, Interval::new(0, 1), Term::from(1)),
            };
            if let Some(term) = p.add_scaled(&Term::var(j), step) {
                let g = General {
                    var: j,
                    at: Term::zero(),
                    term: term.clone(),
                    was: p,
                    is: a.clone(),
                    counter: true,
                    tested: self.tested,
                };
                self.general.push(g);
                return term;
            }
        }
        // Steps that differ by way, as where a word grows on some only: p + unit*z, with a counter z of its own. What
        // elements of words and more are multiples of is worth knowing; smaller units are mostly chance.
        if words
            && !self.tested
            && let Some(d) = self.apply(&p).and_then(|p| a.sub(&p))
            && let unit = divisor(&d, &Term::zero())
            && (4..=1 << 20).contains(&unit)
            && unit % 4 == 0
            && let Some(is) = divided(&d, unit)
        {
            let range = self.s.facts.range(&is);
            let range = Interval::new(range.lo.min(0), range.hi.max(0));
            let z = self.variable(label, range, is);
            if let Some(term) = p.add_scaled(&Term::var(z), unit) {
                let at = Term::zero();
                let g = General {
                    var: z,
                    at,
                    term: term.clone(),
                    was: p,
                    is: a.clone(),
                    counter: false,
                    tested: self.tested,
                };
                self.general.push(g);
                return term;
            }
        }
        // Sizes in units: what divides both stays known.
        let unit = divisor(&p, a);
        let unit = if words && (p.as_const().is_some() || unit % 4 != 0) { 1 } else { unit };
        let (Some(at), Some(is)) = (divided(&p, unit), divided(a, unit)) else { return p };
        let range = Interval::new(
            if old.lo == NEG_INF { NEG_INF } else { old.lo.div_euclid(unit) },
            if old.hi == POS_INF { POS_INF } else { old.hi.div_euclid(unit) },
        );
        let z = self.variable(label, range, is);
        let term = Term::var(z).scale(unit).unwrap_or_else(|| Term::var(z));
        let g = General {
            var: z,
            at,
            term: term.clone(),
            was: p,
            is: a.clone(),
            counter: false,
            tested: self.tested,
        };
        self.general.push(g);
        term
    }

    /// Whether two sizes or offsets are equal by what is known at the label so far.
    fn same_at(&self, label: &Label, p: &Term, a: &Term) -> bool {
        let facts = &label.state.facts;
        let zero = |d: Option<Term>| d.is_some_and(|d| prove(facts, &d, BUDGET).is_some());
        zero(p.sub(a)) && zero(a.sub(p))
    }

    pub(super) fn variable(&mut self, label: &mut Label, range: Interval, is: Term) -> Var {
        label.vars.push(range);
        self.theta.push(Some(is));
        label.vars.len() as Var - 1
    }

    /// A location of the label for one of the edge; `None` if they hold different things.
    pub(super) fn loc(&mut self, label: &mut Label, p: LocId, a: LocId) -> Option<LocId> {
        let rigid = self.f.locs();
        if self.packed.0.contains(&p) || self.packed.1.contains(&a) {
            return None;
        }
        if self.holding(&label.state, p)?.exclusive() || self.holding(&self.s, a)?.exclusive() {
            return self.exclusive(label, p, a);
        }
        if p >= STATIC || p < rigid {
            if p == a {
                let live = p >= STATIC || label.state.locs.get(p as usize).is_some_and(|l| l.live);
                return live.then_some(p);
            }
            // Two objects: a new location for either.
            let have = self.holding(&label.state, p)?;
            let other = self.holding(&self.s, a)?;
            let lay = self.layouts(label, &have, &other)?;
            label.state.locs.push(Loc { was: None, ..lay });
            self.locs.push(Some(a));
            self.changed = true;
            return Some(label.state.locs.len() as LocId - 1);
        }
        match self.locs.get((p - rigid) as usize) {
            Some(Some(l)) if *l == a => Some(p),
            Some(None) => {
                let have = self.holding(&label.state, p)?;
                let other = self.holding(&self.s, a)?;
                let mut lay = self.layouts(label, &have, &other)?;
                if self.locs.contains(&Some(a)) {
                    lay.was = None; // it comes back once
                }
                label.state.locs[p as usize] = lay;
                self.locs[(p - rigid) as usize] = Some(a);
                Some(p)
            }
            _ => {
                // The label thought that two pointers point to one object.
                let have = self.holding(&label.state, p)?;
                let other = self.holding(&self.s, a)?;
                let lay = self.layouts(label, &have, &other)?;
                label.state.locs.push(Loc { was: None, ..lay });
                self.locs.push(Some(a));
                self.changed = true;
                Some(label.state.locs.len() as LocId - 1)
            }
        }
    }

    pub(super) fn holding(&self, s: &State, l: LocId) -> Option<Loc> {
        self.f.holding(s, l)
    }

    /// The least layout that both are, under the label's variables.
    pub(super) fn layouts(&mut self, label: &mut Label, p: &Loc, a: &Loc) -> Option<Loc> {
        if p.mode != a.mode || !self.same_stretch(p, a) {
            return None;
        }
        let loc = self.common(label, p, a)?;
        let was = p.was.filter(|_| p.was == a.was);
        self.changed |= was != p.was;
        Some(Loc { stretch: p.stretch, was, ..loc })
    }

    fn common(&mut self, label: &mut Label, p: &Loc, a: &Loc) -> Option<Loc> {
        let types = &self.f.program.types;
        let length = |lay: &Lay| match types.layout(lay.id) {
            Layout::Cstr(Some(t)) => under(t, &lay.env),
            _ => None,
        };
        if let (Some(x), Some(y)) = (length(&p.lay), length(&a.lay)) {
            let m = self.term(label, x, &y, false);
            let id = self.f.program.shapes.string();
            return Some(Loc::new(p.mode, Lay { id, env: Some(Rc::from([m])) }));
        }
        if p.lay.id != a.lay.id {
            // Raw memory of two sizes: messages of two lengths.
            let size = |lay: &Lay| match types.layout(lay.id) {
                Layout::Bytes(n) => under(n, &lay.env),
                _ => None,
            };
            let (x, y) = (size(&p.lay)?, size(&a.lay)?);
            let n = self.term(label, x, &y, false);
            let id = self.f.program.shapes.bytes();
            return Some(Loc::new(p.mode, Lay { id, env: Some(Rc::from([n])) }));
        }
        let env = self.common_env(label, &p.lay.env, &a.lay.env)?;
        Some(Loc { tags: p.tags.clone(), ..Loc::new(p.mode, Lay { id: p.lay.id, env }) })
    }

    /// What a type's variables stand for in both; `None`: these are of different types.
    pub(super) fn common_env(&mut self, label: &mut Label, p: &Env, a: &Env) -> Option<Env> {
        // Without an environment a type speaks of the arguments.
        let terms = |env: &Env, n: usize| match env {
            Some(e) => e.to_vec(),
            None => (0..n as Var).map(Term::var).collect(),
        };
        let Some(n) = p.as_ref().or(a.as_ref()).map(|e| e.len()) else { return Some(None) };
        let (x, y) = (terms(p, n), terms(a, n));
        if x.len() != y.len() {
            return None;
        }
        let joined = x.into_iter().zip(&y).map(|(x, y)| self.term(label, x, y, false));
        Some(Some(joined.collect::<Vec<Term>>().into()))
    }

    pub(super) fn word(&mut self, label: &mut Label, p: Word, a: &Word) -> Word {
        let forget = |j: &mut Self| {
            j.changed = true;
            Word::Any
        };
        match (&p, a) {
            (Word::Any, _) => Word::Any,
            (Word::Int(x), Word::Int(y)) => Word::Int(self.term(label, x.clone(), y, true)),
            (Word::Int(x), Word::Opt(v, ty, env)) if x.as_const() == Some(0) => {
                self.changed = true;
                let v = self.optional(label, &Term::var(*v));
                let env = self.stretches_of(label, env.clone());
                self.shared_env(label, *ty, &env, v).unwrap_or(Word::Any)
            }
            // 0 on one edge, a pointer on the other: `opt`, if the program has such a type.
            (Word::Int(x), Word::Ptr(..) | Word::Fn(_)) if x.as_const() == Some(0) => {
                let Some((ty, env)) = self.nullable(&self.s, a) else { return forget(self) };
                if !self.packs(true, a) {
                    return forget(self);
                }
                let env = self.stretches_of(label, env);
                self.changed = true;
                let most = Interval::new(0, self.f.program.arch.max_address());
                let value = Term::var(self.s.facts.fresh(most));
                Word::Opt(self.optional(label, &value), ty, env)
            }
            (Word::Ptr(..) | Word::Fn(_), Word::Int(y)) if y.as_const() == Some(0) => {
                let Some((ty, env)) = self.nullable(&label.state, &p) else { return forget(self) };
                if !self.packs(false, &p) {
                    return forget(self);
                }
                self.changed = true;
                Word::Opt(self.optional(label, y), ty, env)
            }
            (Word::Ptr(..) | Word::Fn(_), Word::Opt(v, ty, env))
                if self.nullable(&label.state, &p).is_some_and(|n| n.0 == *ty)
                    || self.f.fits(&label.state, &p, *ty, env, 0) =>
            {
                if !self.packs(false, &p) {
                    return forget(self);
                }
                self.changed = true;
                let v = self.optional(label, &Term::var(*v));
                let env = self.stretches_of(label, env.clone());
                self.shared_env(label, *ty, &env, v).unwrap_or(Word::Any)
            }
            (Word::Sp(x), Word::Sp(y)) => Word::Sp(self.term(label, x.clone(), y, false)),
            (Word::Ptr(l, x), Word::Ptr(k, y)) => match self.loc(label, *l, *k) {
                Some(l) => Word::Ptr(l, self.term(label, x.clone(), y, false)),
                None => forget(self),
            },
            (Word::Opt(v, ty, env), Word::Opt(w, other, with)) if ty == other => {
                let env = match (env, with) {
                    (Some(x), Some(y)) if x.len() == y.len() => {
                        let terms =
                            x.iter().zip(y.iter()).map(|(x, y)| self.term(label, x.clone(), y, false));
                        Some(terms.collect::<Vec<Term>>().into())
                    }
                    _ => env.clone(),
                };
                if self.unify(&Term::var(*v), &Term::var(*w), false) {
                    return Word::Opt(*v, *ty, env);
                }
                self.changed = true;
                let v = self.optional(label, &Term::var(*w));
                Word::Opt(v, *ty, env)
            }
            (Word::Opt(v, ty, env), Word::Opt(w, other, with)) if self.alike((*ty, env), (*other, with)) => {
                if self.unify(&Term::var(*v), &Term::var(*w), false) {
                    return p;
                }
                self.changed = true;
                let v = self.optional(label, &Term::var(*w));
                Word::Opt(v, *ty, env.clone())
            }
            (Word::Opt(v, ty, env), Word::Int(t)) if t.as_const() == Some(0) => {
                if self.unify(&Term::var(*v), t, false) {
                    return p;
                }
                self.changed = true;
                let v = self.optional(label, t);
                Word::Opt(v, *ty, env.clone())
            }
            (Word::Opt(v, ty, env), Word::Ptr(..) | Word::Fn(_)) => {
                if !self.packs(true, a) {
                    return forget(self);
                }
                let most = Interval::new(0, self.f.program.arch.max_address());
                let t = Term::var(self.s.facts.fresh(most));
                if self.unify(&Term::var(*v), &t, false) {
                    return p;
                }
                self.changed = true;
                let v = self.optional(label, &t);
                Word::Opt(v, *ty, env.clone())
            }
            (Word::Fn(x), Word::Fn(y)) if self.f.program.same_sig(*x, *y) => p,
            (Word::Entry(x), Word::Entry(y)) if x == y => p,
            (Word::Var(x), Word::Var(y)) if x == y => p,
            _ => forget(self),
        }
    }

    pub(super) fn optional(&mut self, label: &mut Label, t: &Term) -> Var {
        let most = Interval::new(0, self.f.program.arch.max_address());
        self.variable(label, most, t.clone())
    }

    /// An untested word of the edge in the label, if its type mentions what has the same name in both.
    fn shared_env(&self, label: &Label, ty: WordId, env: &Env, v: Var) -> Option<Word> {
        let stretch = |t: &Term| label.state.stretches.iter().any(|s| Some(s.1) == t.as_var());
        let shared = |t: &Term| t.scope() <= self.f.vars() || stretch(t);
        let known = env.as_ref().is_none_or(|e| e.iter().all(shared));
        known.then(|| Word::Opt(v, ty, env.clone()))
    }
}

/// If the steps of two words on this edge are in a fixed proportion: coefficients `(a, b)` with
/// `a * step1 = b * step2`.
pub(super) fn in_step(j: &Join<'_, '_>, g: &General, h: &General) -> Option<(i128, i128)> {
    let d = g.is.sub(&j.apply(&g.was)?)?;
    let e = h.is.sub(&j.apply(&h.was)?)?;
    if let (Some(d), Some(e)) = (d.as_const(), e.as_const()) {
        if d == 0 || e == 0 || d.abs() > 1 << 20 || e.abs() > 1 << 20 {
            return None;
        }
        let g = gcd(d.unsigned_abs(), e.unsigned_abs()) as i128;
        return Some((e / g, d / g));
    }
    if d == e {
        return Some((1, 1));
    }
    (d.add(&e)? == Term::zero()).then_some((1, -1))
}
