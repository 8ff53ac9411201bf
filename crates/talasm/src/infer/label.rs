//! The state of a label while it is being looked for.
//!
//! A label starts as the first state that reaches it. Each further edge is joined: a word that does
//! not fit becomes a fresh variable (or is forgotten), facts that the edge does not prove are
//! dropped, bounds are widened to the next landmark. When a word is generalised, facts about
//! the new variable are proposed from a fixed template, and kept if the old state and the new edge
//! both prove them. Everything only ever gets weaker but for those proposals, of which there is one
//! round for each generalised word; so it ends.

use crate::prove::{Budget, prove};
use std::collections::HashMap;
use std::rc::Rc;
use talcore::facts::{Facts, Interval, NEG_INF, POS_INF, tighten};
use talcore::program::Program;
use talcore::state::{Env, Lay, Loc, LocId, STATIC, Slot, State, Word};
use talcore::term::{Term, Var};
use talcore::types::{Layout, RegSet};

/// Work for one proof while looking for states.
const BUDGET: Budget = Budget(40_000);
/// Own variables beyond which pairs are not tried.
const MOST_PAIRED: usize = 16;

/// What does not change within a function.
pub(super) struct Frame<'p> {
    pub(super) program: &'p Program<'p>,
    pub(super) entry: Rc<State>,
    /// Bounds worth trying, in increasing order.
    pub(super) landmarks: Vec<i128>,
}

impl Frame<'_> {
    fn vars(&self) -> u32 {
        self.entry.facts.var_count() as u32
    }
    fn locs(&self) -> u32 {
        self.entry.locs.len() as u32
    }
    fn words(&self) -> Interval {
        Interval::unsigned(self.program.arch.word_bits())
    }
}

/// The state of a label.
#[derive(Clone, Debug)]
pub(super) struct Label {
    live: RegSet,
    state: State,
    /// The entry state's facts come first in `state.facts`; these come after them.
    facts: Vec<Term>,
    /// Of all variables, the entry state's first.
    vars: Vec<Interval>,
}

/// Why a label has no state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Clash {
    /// The stack has another depth on another edge.
    Depth(i64, i64),
    /// Stack is allocated but not touched.
    Debt,
}

impl Label {
    /// The first state that reaches a label: what is live of it, under names of its own.
    pub(super) fn first(f: &Frame<'_>, live: RegSet, s: &State) -> Result<Label, Clash> {
        if s.debt() > 0 {
            return Err(Clash::Debt);
        }
        let mut p =
            Projection { f, from: s, vars: HashMap::new(), locs: HashMap::new(), composite: Vec::new() };
        let mut state = State { depth: s.depth, touched: s.depth, ..State::default() };
        let mut vars: Vec<Interval> = (0..f.vars()).map(|v| s.facts.interval(v)).collect();
        state.locs = f.entry.locs.iter().map(|l| Loc { addr: None, ..l.clone() }).collect();
        for r in 0..16 {
            if live >> r & 1 == 1 {
                state.regs[r] = p.word(&s.regs[r], &mut state.locs, &mut vars);
            }
        }
        for slot in &s.frame {
            let word = slot.word.as_ref().map(|w| p.word(w, &mut state.locs, &mut vars));
            push_slot(&mut state.frame, slot.off, slot.size, word);
        }
        for w in &s.incoming {
            let w = p.word(w, &mut state.locs, &mut vars);
            state.incoming.push(w);
        }
        let known = f.entry.facts.list().len();
        let mut facts = Vec::new();
        for (z, t) in &p.composite {
            let z = Term::var(*z);
            facts.extend(t.sub(&z));
            facts.extend(z.sub(t));
        }
        for fact in s.facts.list().iter().skip(known) {
            facts.extend(p.existing(fact));
        }
        let mut label = Label { live, state, facts, vars };
        label.pairs(f, s, &p.vars);
        label.rebuild(f);
        Ok(label)
    }

    /// Relations between the label's variables that follow from facts about others.
    fn pairs(&mut self, f: &Frame<'_>, s: &State, names: &HashMap<Var, Var>) {
        let own: Vec<(Var, Var)> = names.iter().map(|(a, b)| (*a, *b)).collect();
        if own.len() > MOST_PAIRED || s.facts.list().len() == f.entry.facts.list().len() {
            return;
        }
        let mut own = own;
        own.sort_unstable_by_key(|p| p.1);
        let mut all = own.clone();
        all.extend((0..f.vars()).map(|v| (v, v)));
        for &(a, x) in &own {
            for &(b, y) in &all {
                if a == b {
                    continue;
                }
                for (lo, hi, p, q) in [(a, b, x, y), (b, a, y, x)] {
                    for gap in [1, 0] {
                        let diff =
                            |l: Var, h: Var| Term::var(h).sub(&Term::var(l)).and_then(|t| t.offset(-gap));
                        if let (Some(goal), Some(fact)) = (diff(lo, hi), diff(p, q)) {
                            if self.facts.contains(&fact) {
                                break;
                            }
                            if !s.facts.evident(&goal) && prove(&s.facts, &goal, BUDGET).is_some() {
                                self.facts.push(fact);
                                break;
                            }
                        }
                    }
                }
            }
        }
    }

    /// The state as the rules want it.
    fn rebuild(&mut self, f: &Frame<'_>) {
        let mut facts = f.entry.facts.clone();
        for range in self.vars.iter().skip(f.vars() as usize) {
            facts.fresh(*range);
        }
        for (v, range) in self.vars.iter().take(f.vars() as usize).enumerate() {
            let v = Term::var(v as u32);
            if range.lo != NEG_INF {
                facts.assume(&v.offset(-range.lo).unwrap_or_default());
            }
            if range.hi != POS_INF {
                facts.assume(&v.neg().and_then(|t| t.offset(range.hi)).unwrap_or_default());
            }
        }
        let mut kept = Vec::new();
        for fact in &self.facts {
            let Some(fact) = tighten(fact) else { continue };
            if let [(v, c)] = *fact.summands() {
                // A bound.
                let range = &mut self.vars[v as usize];
                if c > 0 {
                    range.lo = range.lo.max(-fact.konst());
                } else {
                    range.hi = range.hi.min(fact.konst());
                }
                facts.assume(&fact);
                continue;
            }
            if facts.evident(&fact) || kept.contains(&fact) {
                continue;
            }
            if facts.declare(fact.clone()).is_some() {
                kept.push(fact);
            }
        }
        self.facts = kept;
        self.state.facts = facts;
    }

    /// The state, for the rules.
    pub(super) fn state(&self) -> Rc<State> {
        Rc::new(self.state.clone())
    }

    /// Joins another edge; answers whether the label changed.
    pub(super) fn join(&mut self, f: &Frame<'_>, s: &State) -> Result<bool, Clash> {
        if s.depth != self.state.depth {
            return Err(Clash::Depth(self.state.depth, s.depth));
        }
        if s.debt() > 0 {
            return Err(Clash::Debt);
        }
        let old = self.clone();
        let mut j = Join {
            f,
            s: s.clone(),
            theta: vec![None; self.vars.len() - f.vars() as usize],
            locs: vec![None; self.state.locs.len() - f.locs() as usize],
            general: Vec::new(),
            changed: false,
        };
        for r in 0..16 {
            if self.live >> r & 1 == 1 {
                let p = self.state.regs[r].clone();
                let p = j.word(self, p, &s.regs[r]);
                self.state.regs[r] = p;
            }
        }
        let frame = std::mem::take(&mut self.state.frame);
        for slot in frame {
            let word = slot.word.map(|w| {
                let other = s.slot_at(slot.off).and_then(|i| s.frame.get(i));
                let other = other.filter(|o| o.off == slot.off && o.size == slot.size);
                let other = other.and_then(|o| o.word.clone()).unwrap_or_default();
                j.word(self, w, &other)
            });
            push_slot(&mut self.state.frame, slot.off, slot.size, word);
        }
        for i in 0..self.state.incoming.len() {
            let p = self.state.incoming[i].clone();
            let p = j.word(self, p, &s.incoming.get(i).cloned().unwrap_or_default());
            self.state.incoming[i] = p;
        }
        self.keep_facts(&mut j);
        self.keep_bounds(&mut j);
        if !j.general.is_empty() {
            self.propose(&mut j, &old);
        }
        if j.changed {
            self.compact(f);
            self.rebuild(f);
        }
        Ok(j.changed)
    }

    /// Drops the facts that the edge does not prove.
    fn keep_facts(&mut self, j: &mut Join<'_, '_>) {
        let before = self.facts.len();
        self.facts.retain(|fact| j.proves(fact));
        j.changed |= self.facts.len() != before;
    }

    /// Widens the bounds that the edge does not prove.
    fn keep_bounds(&mut self, j: &mut Join<'_, '_>) {
        let rigid = j.f.vars();
        for v in 0..self.vars.len() as u32 {
            let range = self.vars[v as usize];
            let Some(t) = j.apply(&Term::var(v)) else { continue };
            let have = j.s.facts.range(&t);
            if have.within(&range) {
                continue;
            }
            let mut wide = range;
            if have.lo < range.lo && !j.at_least(&t, range.lo) {
                let marks = j.f.landmarks.iter().rev().copied().filter(|m| *m < range.lo);
                wide.lo = first_proved(marks, |m| j.at_least(&t, m)).unwrap_or(NEG_INF);
            }
            if have.hi > range.hi && !j.at_most(&t, range.hi) {
                let marks = j.f.landmarks.iter().copied().filter(|m| *m > range.hi);
                wide.hi = first_proved(marks, |m| j.at_most(&t, m)).unwrap_or(POS_INF);
            }
            if v < rigid {
                // An argument keeps at least what the signature says.
                let entry = j.f.entry.facts.interval(v);
                wide = Interval::new(wide.lo.max(entry.lo), wide.hi.min(entry.hi));
            }
            if wide != range {
                self.vars[v as usize] = wide;
                j.changed = true;
            }
        }
    }

    /// Proposes facts about the words that were just generalised.
    fn propose(&mut self, j: &mut Join<'_, '_>, old: &Label) {
        let mut candidates: Vec<Term> = Vec::new();
        let general = j.general.clone();
        let others: Vec<Var> = (0..self.vars.len() as Var).filter(|v| j.bound(*v)).collect();
        let mut offer = |t: Option<Term>| candidates.extend(t);
        for (n, g) in general.iter().enumerate() {
            let z = Term::var(g.var);
            // Against where it came from.
            offer(z.sub(&g.was));
            offer(g.was.sub(&z));
            for &u in others.iter().filter(|u| **u != g.var) {
                let u = Term::var(u);
                for gap in [1, 0] {
                    offer(u.sub(&z).and_then(|t| t.offset(-gap)));
                    offer(z.sub(&u).and_then(|t| t.offset(-gap)));
                }
                // Sums that stay below what bounded them.
                if let Some(sum) = g.was.add(&u) {
                    let range = old.state.facts.range(&sum);
                    if range.hi != POS_INF {
                        offer(Term::from(range.hi).sub(&u).and_then(|t| t.sub(&z)));
                    }
                    for w in 0..j.f.vars() {
                        offer(Term::var(w).sub(&u).and_then(|t| t.sub(&z)));
                    }
                }
            }
            // Two words that move in step: d2*z1 - d1*z2 stays.
            for h in &general[n + 1..] {
                let Some((a, b)) = in_step(j, g, h) else { continue };
                let now = z.scale(a).and_then(|t| t.add_scaled(&Term::var(h.var), -b));
                let then = g.was.scale(a).and_then(|t| t.add_scaled(&h.was, -b));
                if let (Some(now), Some(then)) = (now, then) {
                    offer(now.sub(&then));
                    offer(then.sub(&now));
                }
            }
        }
        // What the edge itself knows, in the label's variables.
        let names: HashMap<Var, Term> = j.names();
        let known = j.f.entry.facts.list().len();
        for fact in j.s.facts.list().iter().skip(known) {
            offer(rename(fact, &names, j.f.vars()));
        }
        for c in candidates {
            let Some(c) = tighten(&c) else { continue };
            if c.summands().len() < 2 || self.facts.contains(&c) {
                continue;
            }
            let then = general.iter().try_fold(c.clone(), |t, g| replace(&t, g.var, &g.was));
            let Some(then) = then.filter(|t| t.scope() as usize <= old.vars.len()) else { continue };
            let held = old.state.facts.evident(&then) || prove(&old.state.facts, &then, BUDGET).is_some();
            if held && j.proves(&c) {
                self.facts.push(c);
            }
        }
    }

    /// Forgets variables and locations that no word mentions.
    fn compact(&mut self, f: &Frame<'_>) {
        let mut from = self.state.clone();
        from.facts = Facts::default();
        let old = std::mem::take(&mut self.vars);
        for range in &old {
            from.facts.fresh(*range);
        }
        let mut p =
            Projection { f, from: &from, vars: HashMap::new(), locs: HashMap::new(), composite: Vec::new() };
        let mut state = self.state.clone();
        state.locs.truncate(f.locs() as usize);
        let mut vars: Vec<Interval> = old[..f.vars() as usize].to_vec();
        for r in 0..16 {
            state.regs[r] = p.word(&self.state.regs[r], &mut state.locs, &mut vars);
        }
        for slot in state.frame.iter_mut() {
            slot.word = slot.word.take().map(|w| p.word(&w, &mut state.locs, &mut vars));
        }
        for w in state.incoming.iter_mut() {
            *w = p.word(&w.clone(), &mut state.locs, &mut vars);
        }
        let facts = std::mem::take(&mut self.facts);
        self.facts = facts.iter().filter_map(|t| p.existing(t)).collect();
        self.vars = vars;
        self.state = state;
    }
}

/// Adds a piece below the others; words about which nothing is known are raw bytes.
fn push_slot(frame: &mut Vec<Slot>, off: i64, size: i64, word: Option<Word>) {
    let word = word.filter(|w| *w != Word::Any);
    match frame.last_mut() {
        Some(top) if top.word.is_none() && word.is_none() => {
            top.off = off;
            top.size += size;
        }
        _ => frame.push(Slot { off, size, word }),
    }
}

fn first_proved(marks: impl Iterator<Item = i128>, mut proved: impl FnMut(i128) -> bool) -> Option<i128> {
    marks.into_iter().find(|m| proved(*m))
}

/// `t` with `v` replaced.
fn replace(t: &Term, v: Var, by: &Term) -> Option<Term> {
    let c = t.coefficient(v);
    if c == 0 {
        return Some(t.clone());
    }
    t.add_scaled(&Term::var(v), -i128::from(c))?.add_scaled(by, i128::from(c))
}

/// `t` with names of the label for the variables of the edge; `None` if one has no name.
fn rename(t: &Term, names: &HashMap<Var, Term>, rigid: Var) -> Option<Term> {
    let mut sum = Term::from(t.konst());
    for &(v, c) in t.summands() {
        let name = if v < rigid { Term::var(v) } else { names.get(&v)?.clone() };
        sum = sum.add_scaled(&name, i128::from(c))?;
    }
    Some(sum)
}

/// If the steps of two words on this edge are in a fixed proportion: coefficients `(a, b)` with
/// `a * step1 = b * step2`.
fn in_step(j: &Join<'_, '_>, g: &General, h: &General) -> Option<(i128, i128)> {
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

fn gcd(a: u128, b: u128) -> u128 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Takes words of a state over to a label, with new names for what is not the entry state's.
struct Projection<'a, 'p> {
    f: &'a Frame<'p>,
    from: &'a State,
    vars: HashMap<Var, Var>,
    locs: HashMap<LocId, LocId>,
    /// Words that are sums of several variables: a name for each.
    composite: Vec<(Var, Term)>,
}

impl Projection<'_, '_> {
    fn var(&mut self, v: Var, vars: &mut Vec<Interval>) -> Var {
        if v < self.f.vars() {
            return v;
        }
        *self.vars.entry(v).or_insert_with(|| {
            vars.push(self.from.facts.interval(v));
            vars.len() as Var - 1
        })
    }

    /// A term with at most one variable of the label's own, so that matching binds it wherever it
    /// is met first.
    fn term(&mut self, t: &Term, vars: &mut Vec<Interval>) -> Term {
        let mut sum = Term::from(t.konst());
        let mut own = 0;
        for &(v, c) in t.summands() {
            let w = self.var(v, vars);
            own += u32::from(w >= self.f.vars());
            match sum.add_scaled(&Term::var(w), i128::from(c)) {
                Some(t) => sum = t,
                None => own = 2,
            }
        }
        if own < 2 {
            return sum;
        }
        if let Some((z, _)) = self.composite.iter().find(|(_, t)| *t == sum) {
            return Term::var(*z);
        }
        vars.push(self.from.facts.range(t));
        let z = vars.len() as Var - 1;
        self.composite.push((z, sum));
        Term::var(z)
    }

    /// A fact, if all its variables have names.
    fn existing(&self, t: &Term) -> Option<Term> {
        let names = self.vars.iter().map(|(a, b)| (*a, Term::var(*b))).collect();
        rename(t, &names, self.f.vars())
    }

    fn env(&mut self, env: &Env, vars: &mut Vec<Interval>) -> Env {
        env.as_ref().map(|e| e.iter().map(|t| self.term(t, vars)).collect())
    }

    fn loc(&mut self, l: LocId, locs: &mut Vec<Loc>, vars: &mut Vec<Interval>) -> LocId {
        if l >= STATIC || l < self.f.locs() {
            return l;
        }
        if let Some(k) = self.locs.get(&l) {
            return *k;
        }
        let Some(old) = self.from.locs.get(l as usize) else { return l };
        let (mode, id, env) = (old.mode, old.lay.id, old.lay.env.clone());
        let env = self.env(&env, vars);
        locs.push(Loc { mode, lay: Lay { id, env }, addr: None });
        let k = locs.len() as LocId - 1;
        self.locs.insert(l, k);
        k
    }

    fn word(&mut self, w: &Word, locs: &mut Vec<Loc>, vars: &mut Vec<Interval>) -> Word {
        match w {
            Word::Int(t) => Word::Int(self.term(t, vars)),
            Word::Sp(t) => Word::Sp(self.term(t, vars)),
            Word::Ptr(l, t) => {
                let l = self.loc(*l, locs, vars);
                Word::Ptr(l, self.term(t, vars))
            }
            Word::Opt(v, ty, env) => {
                let v = self.var(*v, vars);
                Word::Opt(v, *ty, self.env(env, vars))
            }
            other => other.clone(),
        }
    }
}

/// A word that was generalised to a variable.
#[derive(Clone, Debug)]
struct General {
    var: Var,
    /// What it was in the label, over the label's variables.
    was: Term,
    /// What it is on the edge.
    is: Term,
}

/// One edge being joined.
struct Join<'a, 'p> {
    f: &'a Frame<'p>,
    s: State,
    /// What the label's own variables stand for on this edge.
    theta: Vec<Option<Term>>,
    locs: Vec<Option<LocId>>,
    general: Vec<General>,
    changed: bool,
}

impl Join<'_, '_> {
    fn bound(&self, v: Var) -> bool {
        v < self.f.vars() || self.theta.get((v - self.f.vars()) as usize).is_some_and(|t| t.is_some())
    }

    fn apply(&self, t: &Term) -> Option<Term> {
        let mut sum = Term::from(t.konst());
        for &(v, c) in t.summands() {
            sum = match v.checked_sub(self.f.vars()) {
                None => sum.add_scaled(&Term::var(v), i128::from(c))?,
                Some(i) => sum.add_scaled(self.theta.get(i as usize)?.as_ref()?, i128::from(c))?,
            };
        }
        Some(sum)
    }

    fn follows(&self, goal: &Term) -> bool {
        self.s.facts.evident(goal) || prove(&self.s.facts, goal, BUDGET).is_some()
    }

    fn proves(&self, fact: &Term) -> bool {
        self.apply(fact).is_some_and(|g| self.follows(&g))
    }

    fn at_least(&self, t: &Term, c: i128) -> bool {
        c != NEG_INF && t.offset(-c).is_some_and(|g| self.follows(&g))
    }

    fn at_most(&self, t: &Term, c: i128) -> bool {
        c != POS_INF && t.neg().and_then(|t| t.offset(c)).is_some_and(|g| self.follows(&g))
    }

    /// The label's names for the edge's variables, where they are variables.
    fn names(&self) -> HashMap<Var, Term> {
        let mut names = HashMap::new();
        for (i, t) in self.theta.iter().enumerate() {
            let Some(t) = t else { continue };
            if let [(v, c @ (1 | -1))] = *t.summands()
                && v >= self.f.vars()
            {
                // t = c*v + k, so v = c*(t - k).
                let z = Term::var(self.f.vars() + i as Var);
                if let Some(name) = z.offset(-t.konst()).and_then(|z| z.scale(i128::from(c))) {
                    names.entry(v).or_insert(name);
                }
            }
        }
        names
    }

    /// Makes the pattern term fit; a word that does not becomes a fresh variable.
    fn term(&mut self, label: &mut Label, p: Term, a: &Term, words: bool) -> Term {
        if self.unify(&p, a, words) {
            return p;
        }
        self.changed = true;
        let old = label.state.facts.range(&p);
        let new = self.s.facts.range(a);
        // A constant stride: p + s*j with a counter j.
        if let Some(step) = self.apply(&p).and_then(|p| a.sub(&p)).and_then(|d| d.as_const())
            && step.unsigned_abs() > 1
            && step.unsigned_abs() <= 1 << 20
            && p.summands().iter().all(|(v, _)| *v < self.f.vars())
        {
            let j = self.variable(label, Interval::new(0, 1), Term::from(1));
            self.general.push(General { var: j, was: Term::zero(), is: Term::from(1) });
            if let Some(t) = p.add_scaled(&Term::var(j), step) {
                return t;
            }
        }
        let z = self.variable(label, Interval::new(old.lo.min(new.lo), old.hi.max(new.hi)), a.clone());
        self.general.push(General { var: z, was: p, is: a.clone() });
        Term::var(z)
    }

    fn variable(&mut self, label: &mut Label, range: Interval, is: Term) -> Var {
        label.vars.push(range);
        self.theta.push(Some(is));
        label.vars.len() as Var - 1
    }

    fn unify(&mut self, p: &Term, a: &Term, words: bool) -> bool {
        let rigid = self.f.vars();
        let Some(mut rest) = a.offset(-p.konst()) else { return false };
        let mut open = None;
        for &(v, c) in p.summands() {
            let known = match v.checked_sub(rigid) {
                None => Term::var(v),
                Some(i) => match self.theta.get(i as usize) {
                    Some(Some(t)) => t.clone(),
                    Some(None) if open.is_none() => {
                        open = Some((i as usize, i128::from(c)));
                        continue;
                    }
                    _ => return false,
                },
            };
            match rest.add_scaled(&known, -i128::from(c)) {
                Some(t) => rest = t,
                None => return false,
            }
        }
        if let Some((i, c)) = open {
            return match divided(&rest, c) {
                Some(t) => {
                    self.theta[i] = Some(t);
                    true
                }
                None => false,
            };
        }
        match rest.as_const() {
            Some(0) => true,
            Some(c) => words && c.rem_euclid(self.f.words().hi + 1) == 0,
            None => false,
        }
    }

    /// A location of the label for one of the edge; `None` if they hold different things.
    fn loc(&mut self, label: &mut Label, p: LocId, a: LocId) -> Option<LocId> {
        let rigid = self.f.locs();
        if p >= STATIC || p < rigid {
            if p == a {
                return Some(p);
            }
            // Two objects: a new location for either.
            let have = self.holding(&label.state, p)?;
            let other = self.holding(&self.s, a)?;
            let lay = self.layouts(label, &have, &other)?;
            label.state.locs.push(lay);
            self.locs.push(Some(a));
            self.changed = true;
            return Some(label.state.locs.len() as LocId - 1);
        }
        match self.locs.get((p - rigid) as usize) {
            Some(Some(l)) if *l == a => Some(p),
            Some(None) => {
                let have = self.holding(&label.state, p)?;
                let other = self.holding(&self.s, a)?;
                let lay = self.layouts(label, &have, &other)?;
                label.state.locs[p as usize] = lay;
                self.locs[(p - rigid) as usize] = Some(a);
                Some(p)
            }
            _ => {
                // The label thought that two pointers point to one object.
                let have = self.holding(&label.state, p)?;
                let other = self.holding(&self.s, a)?;
                let lay = self.layouts(label, &have, &other)?;
                label.state.locs.push(lay);
                self.locs.push(Some(a));
                self.changed = true;
                Some(label.state.locs.len() as LocId - 1)
            }
        }
    }

    fn holding(&self, s: &State, l: LocId) -> Option<Loc> {
        match l.checked_sub(STATIC) {
            None => s.locs.get(l as usize).map(|l| Loc { addr: None, ..l.clone() }),
            Some(o) => match self.f.program.objects.get(o as usize)?.kind {
                talcore::program::ObjectKind::Data(mode, id) => {
                    Some(Loc { mode, lay: Lay { id, env: Some(Rc::from([])) }, addr: None })
                }
                talcore::program::ObjectKind::Table(..) => None,
            },
        }
    }

    /// The least layout that both are, under the label's variables.
    fn layouts(&mut self, label: &mut Label, p: &Loc, a: &Loc) -> Option<Loc> {
        if p.mode != a.mode {
            return None;
        }
        let types = &self.f.program.types;
        let length = |lay: &Lay| match types.layout(lay.id) {
            Layout::Cstr(Some(t)) => under(t, &lay.env),
            _ => None,
        };
        if let (Some(x), Some(y)) = (length(&p.lay), length(&a.lay)) {
            let m = self.term(label, x, &y, false);
            let id = self.f.program.shapes.string();
            return Some(Loc { mode: p.mode, lay: Lay { id, env: Some(Rc::from([m])) }, addr: None });
        }
        if p.lay.id != a.lay.id {
            return None;
        }
        let env = match (&p.lay.env, &a.lay.env) {
            (None, None) => None,
            (Some(x), Some(y)) if x.len() == y.len() => {
                let terms: Vec<Term> =
                    x.iter().zip(y.iter()).map(|(x, y)| self.term(label, x.clone(), y, false)).collect();
                Some(Rc::from(terms))
            }
            _ => return None,
        };
        Some(Loc { mode: p.mode, lay: Lay { id: p.lay.id, env }, addr: None })
    }

    fn word(&mut self, label: &mut Label, p: Word, a: &Word) -> Word {
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
                self.shared_env(*ty, env, v).unwrap_or(Word::Any)
            }
            (Word::Sp(x), Word::Sp(y)) => Word::Sp(self.term(label, x.clone(), y, false)),
            (Word::Ptr(l, x), Word::Ptr(k, y)) => match self.loc(label, *l, *k) {
                Some(l) => Word::Ptr(l, self.term(label, x.clone(), y, false)),
                None => forget(self),
            },
            (Word::Opt(v, ty, env), Word::Opt(w, other, _)) if ty == other => {
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

    fn optional(&mut self, label: &mut Label, t: &Term) -> Var {
        let most = Interval::new(0, self.f.program.arch.max_address());
        self.variable(label, most, t.clone())
    }

    /// An untested word of the edge in the label, if its type is closed.
    fn shared_env(&self, ty: talcore::types::WordId, env: &Env, v: Var) -> Option<Word> {
        env.as_ref().is_none_or(|e| e.is_empty()).then(|| Word::Opt(v, ty, Some(Rc::from([]))))
    }
}

fn under(t: &Term, env: &Env) -> Option<Term> {
    match env {
        None => Some(t.clone()),
        Some(e) => t.subst(e),
    }
}

/// `t / c` if it is exact.
fn divided(t: &Term, c: i128) -> Option<Term> {
    if c == 0 || t.konst() % c != 0 || t.summands().iter().any(|(_, k)| i128::from(*k) % c != 0) {
        return None;
    }
    let parts: Vec<_> = t.summands().iter().map(|(v, k)| (*v, (i128::from(*k) / c) as i64)).collect();
    Term::from_parts(t.konst() / c, &parts)
}

/// Facts that are not the entry state's.
pub(super) fn own_facts<'s>(entry: &State, facts: &'s Facts) -> &'s [Term] {
    facts.list().get(entry.facts.list().len()..).unwrap_or(&[])
}
