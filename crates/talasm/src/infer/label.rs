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
/// Facts that one label may weaken; after that they are dropped, so that the search ends.
const MOST_WEAKENED: u32 = 32;

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
    /// How often a fact has been weakened instead of dropped.
    weakened: u32,
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
        let mut kept = concrete(f, s);
        for r in 0..16 {
            if live >> r & 1 == 0 {
                kept.regs[r] = Word::Any;
            }
        }
        let vars = (0..f.vars()).map(|v| s.facts.interval(v)).collect();
        let mut p = Projection::new(f, &kept, vars);
        let state = p.state();
        // Sums that got a name of their own: what is known of them is what is known of their parts.
        let mut known = s.facts.clone();
        let mut list = own_facts(&f.entry, &s.facts).to_vec();
        for (z, t) in std::mem::take(&mut p.composite) {
            let v = known.fresh(known.range(&t));
            list.extend(t.sub(&Term::var(v)));
            list.extend(Term::var(v).sub(&t));
            p.names.insert(v, Term::var(z));
        }
        let named = |v: Var| v < f.vars() || p.names.contains_key(&v);
        let facts = eliminate(&known, &list, named).iter().filter_map(|t| p.named(t)).collect();
        let mut label = Label { live, state, facts, vars: std::mem::take(&mut p.vars), weakened: 0 };
        let names = std::mem::take(&mut p.names);
        label.pairs(f, s, &names);
        label.rebuild(f);
        Ok(label)
    }

    /// Relations between the label's variables that follow from facts about others.
    fn pairs(&mut self, f: &Frame<'_>, s: &State, names: &HashMap<Var, Term>) {
        let own: Vec<(Var, Var)> = names.iter().filter_map(|(a, b)| Some((*a, b.as_var()?))).collect();
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
            if kept.contains(&fact) {
                continue;
            }
            if facts.declare(fact.clone()).is_some() {
                kept.push(fact);
            }
        }
        self.facts = kept;
        self.state.facts = facts;
    }

    /// The final state: without facts that the intervals say already.
    pub(super) fn finish(mut self, f: &Frame<'_>) -> Rc<State> {
        let mut bare = Facts::default();
        for range in &self.vars {
            bare.fresh(*range);
        }
        self.facts.retain(|t| !bare.evident(t));
        self.rebuild(f);
        self.state()
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
        let s = &concrete(f, s);
        let old = self.clone();
        let mut j = Join {
            f,
            s: s.clone(),
            theta: vec![None; self.vars.len() - f.vars() as usize],
            locs: vec![None; self.state.locs.len() - f.locs() as usize],
            general: Vec::new(),
            changed: false,
        };
        j.bind(&self.state);
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

    /// Weakens the facts that the edge does not prove by a constant, or drops them.
    fn keep_facts(&mut self, j: &mut Join<'_, '_>) {
        let facts = std::mem::take(&mut self.facts);
        for fact in facts {
            if j.proves(&fact) {
                self.facts.push(fact);
                continue;
            }
            j.changed = true;
            if self.weakened >= MOST_WEAKENED {
                continue;
            }
            let weaker = [1, 2, 4, 8, 16].into_iter().filter_map(|c| fact.offset(c)).find(|t| j.proves(t));
            if let Some(weaker) = weaker.filter(|t| !self.facts.contains(t)) {
                self.weakened += 1;
                self.facts.push(weaker);
            }
        }
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
            let z = g.term.clone();
            // Against where it came from.
            offer(z.sub(&g.was));
            offer(g.was.sub(&z));
            for &u in others.iter().filter(|u| g.term.coefficient(**u) == 0) {
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
                let now = z.scale(a).and_then(|t| t.add_scaled(&h.term, -b));
                let then = g.was.scale(a).and_then(|t| t.add_scaled(&h.was, -b));
                if let (Some(now), Some(then)) = (now, then) {
                    offer(now.sub(&then));
                    offer(then.sub(&now));
                }
            }
        }
        // What the edge itself knows, in the label's variables.
        let names = j.names();
        let kept = |v: Var| v < j.f.vars() || names.contains_key(&v);
        for fact in eliminate(&j.s.facts, own_facts(&j.f.entry, &j.s.facts), kept) {
            offer(rename(&fact, &names, j.f.vars()));
        }
        for c in candidates {
            let Some(c) = tighten(&c) else { continue };
            if c.summands().len() < 2 || self.facts.contains(&c) {
                continue;
            }
            let then = general.iter().try_fold(c.clone(), |t, g| replace(&t, g.var, &g.at));
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
        for range in &self.vars {
            from.facts.fresh(*range);
        }
        let vars = self.vars[..f.vars() as usize].to_vec();
        let mut p = Projection::new(f, &from, vars);
        let state = p.state();
        let known = |v: Var| v < f.vars() || p.names.contains_key(&v);
        let facts = eliminate(&from.facts, &std::mem::take(&mut self.facts), known);
        self.facts = facts.iter().filter_map(|t| p.named(t)).collect();
        self.vars = std::mem::take(&mut p.vars);
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

/// What facts say about the variables that are kept: the others are eliminated one by one, each pair of
/// an upper and a lower bound giving a fact without it (Fourier and Motzkin), as far as that stays small.
fn eliminate(facts: &Facts, list: &[Term], kept: impl Fn(Var) -> bool) -> Vec<Term> {
    const MOST: usize = 128;
    let mut work: Vec<Term> = list.to_vec();
    loop {
        let gone = work.iter().flat_map(|t| t.summands()).map(|s| s.0).find(|v| !kept(*v));
        let Some(v) = gone else { return work };
        let range = facts.interval(v);
        let var = Term::var(v);
        let (with, mut rest): (Vec<Term>, Vec<Term>) = work.into_iter().partition(|t| t.coefficient(v) != 0);
        let mut lower: Vec<Term> = with.iter().filter(|t| t.coefficient(v) > 0).cloned().collect();
        let mut upper: Vec<Term> = with.into_iter().filter(|t| t.coefficient(v) < 0).collect();
        if range.lo != NEG_INF {
            lower.extend(var.offset(-range.lo));
        }
        if range.hi != POS_INF {
            upper.extend(var.neg().and_then(|t| t.offset(range.hi)));
        }
        for l in &lower {
            for u in &upper {
                let (a, b) = (i128::from(l.coefficient(v)), -i128::from(u.coefficient(v)));
                let sum = l.scale(b).and_then(|t| t.add_scaled(u, a)).and_then(|t| tighten(&t));
                if let Some(t) = sum
                    && rest.len() < MOST
                    && !t.summands().is_empty()
                    && !rest.contains(&t)
                {
                    rest.push(t);
                }
            }
        }
        work = rest;
    }
}

/// `t` with `v` replaced.
fn replace(t: &Term, v: Var, by: &Term) -> Option<Term> {
    let c = t.coefficient(v);
    if c == 0 {
        return Some(t.clone());
    }
    t.add_scaled(&Term::var(v), -i128::from(c))?.add_scaled(by, i128::from(c))
}

/// A variable of the edge in the label's variables: the term divided by the number.
type Name = (Term, i128);

/// A fact with names of the label for the variables of the edge, multiplied by whatever makes it
/// integral; `None` if a variable has no name.
fn rename(t: &Term, names: &HashMap<Var, Name>, rigid: Var) -> Option<Term> {
    let mut factor = 1i128;
    for &(v, _) in t.summands() {
        if v >= rigid {
            let d = names.get(&v)?.1;
            factor = factor.checked_mul(d / gcd(factor.unsigned_abs(), d.unsigned_abs()) as i128)?;
        }
    }
    let mut sum = Term::from(t.konst().checked_mul(factor)?);
    for &(v, c) in t.summands() {
        let (name, d) = if v < rigid { (Term::var(v), 1) } else { names.get(&v)?.clone() };
        sum = sum.add_scaled(&name, i128::from(c).checked_mul(factor / d)?)?;
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

/// Takes a state over to a label, with new names for the variables that are not the entry state's.
struct Projection<'a, 'p> {
    f: &'a Frame<'p>,
    from: &'a State,
    /// The state's variables in the label's.
    names: HashMap<Var, Term>,
    locs: HashMap<LocId, LocId>,
    /// Intervals of the label's variables.
    vars: Vec<Interval>,
    /// Words that are sums of variables of which nothing else tells the values: a name for each, and
    /// the sum over the state's variables.
    composite: Vec<(Var, Term)>,
}

impl<'a, 'p> Projection<'a, 'p> {
    /// Finds names: a variable has one if some word determines it once others are known, so that
    /// matching can bind it.
    fn new(f: &'a Frame<'p>, from: &'a State, vars: Vec<Interval>) -> Self {
        let mut p =
            Projection { f, from, names: HashMap::new(), locs: HashMap::new(), vars, composite: Vec::new() };
        let mut terms: Vec<Term> = Vec::new();
        for w in words(from) {
            match w {
                Word::Int(t) | Word::Sp(t) => terms.push(t.clone()),
                Word::Ptr(l, t) => {
                    terms.push(t.clone());
                    if *l < STATIC
                        && *l >= f.locs()
                        && let Some(loc) = from.locs.get(*l as usize)
                    {
                        terms.extend(loc.lay.env.iter().flat_map(|e| e.iter().cloned()));
                    }
                }
                Word::Opt(v, _, env) => {
                    terms.push(Term::var(*v));
                    terms.extend(env.iter().flat_map(|e| e.iter().cloned()));
                }
                _ => {}
            }
        }
        // Whole words first: their variables keep their meaning.
        terms.sort_by_key(|t| t.summands().len() + usize::from(t.konst() != 0));
        loop {
            let found = terms.iter().find_map(|t| {
                let mut open = t.summands().iter().filter(|s| s.0 >= f.vars() && !p.names.contains_key(&s.0));
                let first = open.next()?;
                open.next().is_none().then(|| (first.0, i128::from(first.1), t))
            });
            let Some((v, c, t)) = found else { return p };
            let z = Term::var(p.vars.len() as Var);
            // `v + constant` or `constant - v` names the whole word.
            let rest = t.add_scaled(&Term::var(v), -c).filter(|r| r.as_const().is_some());
            match rest.and_then(|r| z.sub(&r)).filter(|_| c.abs() == 1).and_then(|t| t.scale(c)) {
                Some(name) => {
                    p.vars.push(from.facts.range(t));
                    p.names.insert(v, name);
                }
                None => {
                    p.vars.push(from.facts.interval(v));
                    p.names.insert(v, z);
                }
            }
        }
    }

    /// A term in the label's variables, if all of them have names.
    fn named(&self, t: &Term) -> Option<Term> {
        let mut sum = Term::from(t.konst());
        for &(v, c) in t.summands() {
            let c = i128::from(c);
            sum = match v < self.f.vars() {
                true => sum.add_scaled(&Term::var(v), c)?,
                false => sum.add_scaled(self.names.get(&v)?, c)?,
            };
        }
        Some(sum)
    }

    fn term(&mut self, t: &Term) -> Term {
        if let Some(t) = self.named(t) {
            return t;
        }
        if let Some((z, _)) = self.composite.iter().find(|(_, other)| other == t) {
            return Term::var(*z);
        }
        self.vars.push(self.from.facts.range(t));
        let z = self.vars.len() as Var - 1;
        self.composite.push((z, t.clone()));
        Term::var(z)
    }

    /// The state under the new names; facts are left to the caller.
    fn state(&mut self) -> State {
        let from = self.from;
        let locs = self.f.entry.locs.iter().map(|l| Loc { addr: None, ..l.clone() }).collect();
        let mut state = State { depth: from.depth, touched: from.depth, locs, ..State::default() };
        for r in 0..16 {
            state.regs[r] = self.word(&from.regs[r], &mut state.locs);
        }
        for slot in &from.frame {
            let word = slot.word.as_ref().map(|w| self.word(w, &mut state.locs));
            push_slot(&mut state.frame, slot.off, slot.size, word);
        }
        for w in &from.incoming {
            let w = self.word(w, &mut state.locs);
            state.incoming.push(w);
        }
        state
    }

    fn env(&mut self, env: &Env) -> Env {
        env.as_ref().map(|e| e.iter().map(|t| self.term(t)).collect())
    }

    fn loc(&mut self, l: LocId, locs: &mut Vec<Loc>) -> LocId {
        if l >= STATIC || l < self.f.locs() {
            return l;
        }
        if let Some(k) = self.locs.get(&l) {
            return *k;
        }
        let Some(old) = self.from.locs.get(l as usize) else { return l };
        let (mode, id) = (old.mode, old.lay.id);
        let env = self.env(&old.lay.env);
        locs.push(Loc { mode, lay: Lay { id, env }, addr: None });
        let k = locs.len() as LocId - 1;
        self.locs.insert(l, k);
        k
    }

    fn word(&mut self, w: &Word, locs: &mut Vec<Loc>) -> Word {
        match w {
            Word::Int(t) => Word::Int(self.term(t)),
            Word::Sp(t) => Word::Sp(self.term(t)),
            Word::Ptr(l, t) => {
                let l = self.loc(*l, locs);
                Word::Ptr(l, self.term(t))
            }
            Word::Opt(v, ty, env) => match self.term(&Term::var(*v)).as_var() {
                Some(v) => Word::Opt(v, *ty, self.env(env)),
                None => Word::Any,
            },
            other => other.clone(),
        }
    }
}

/// The state with constants for the variables of which only one value is left.
fn concrete(f: &Frame<'_>, s: &State) -> State {
    let mut out = s.clone();
    let fixed = |t: &mut Term| {
        let values: Vec<(Var, i128)> = t
            .summands()
            .iter()
            .map(|(v, _)| (*v, s.facts.interval(*v)))
            .filter(|(v, i)| *v >= f.vars() && i.lo == i.hi)
            .map(|(v, i)| (v, i.lo))
            .collect();
        for (v, c) in values {
            if let Some(r) = replace(t, v, &Term::from(c)) {
                *t = r;
            }
        }
    };
    let each = |w: &mut Word| match w {
        Word::Int(t) | Word::Sp(t) | Word::Ptr(_, t) => fixed(t),
        _ => {}
    };
    out.regs.iter_mut().for_each(each);
    out.frame.iter_mut().filter_map(|s| s.word.as_mut()).for_each(each);
    out
}

/// All words of a state, in the order in which matching meets them.
fn words(s: &State) -> impl Iterator<Item = &Word> {
    s.regs.iter().chain(s.frame.iter().filter_map(|f| f.word.as_ref())).chain(&s.incoming)
}

/// A word that was generalised.
#[derive(Clone, Debug)]
struct General {
    /// The new variable.
    var: Var,
    /// What the variable was in the label, over the label's variables.
    at: Term,
    /// The word now.
    term: Term,
    /// What the word was in the label, over the label's variables.
    was: Term,
    /// What the word is on the edge.
    is: Term,
    /// The variable is a counter: the word was `was`, is `was + step * var`.
    counter: bool,
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
    fn names(&self) -> HashMap<Var, Name> {
        let mut names: HashMap<Var, Name> = HashMap::new();
        for (i, t) in self.theta.iter().enumerate() {
            let Some(t) = t else { continue };
            if let [(v, c)] = *t.summands()
                && v >= self.f.vars()
            {
                // t = c*v + k, so v = sign(c)*(t - k) / |c|.
                let c = i128::from(c);
                let z = Term::var(self.f.vars() + i as Var);
                if let Some(name) = z.offset(-t.konst()).and_then(|z| z.scale(c.signum())) {
                    let better = names.get(&v).is_none_or(|n| n.1 > c.abs());
                    if better {
                        names.insert(v, (name, c.abs()));
                    }
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
        // A constant step: p + step*j, with one counter j for all words that move in step.
        if let Some(step) = self.apply(&p).and_then(|p| a.sub(&p)).and_then(|d| d.as_const())
            && step != 0
            && step.unsigned_abs() <= 1 << 20
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
                };
                self.general.push(g);
                return term;
            }
        }
        let z = self.variable(label, old, a.clone());
        let g = General { var: z, at: p.clone(), term: Term::var(z), was: p, is: a.clone(), counter: false };
        self.general.push(g);
        Term::var(z)
    }

    fn variable(&mut self, label: &mut Label, range: Interval, is: Term) -> Var {
        label.vars.push(range);
        self.theta.push(Some(is));
        label.vars.len() as Var - 1
    }

    /// Binds variables that one word determines once others are known, in any order.
    fn bind(&mut self, pattern: &State) {
        let edge = self.s.clone();
        let mut pairs: Vec<(Term, Term)> = Vec::new();
        let mut meet = |p: &Word, a: &Word| match (p, a) {
            (Word::Int(p), Word::Int(a))
            | (Word::Sp(p), Word::Sp(a))
            | (Word::Ptr(_, p), Word::Ptr(_, a)) => {
                pairs.push((p.clone(), a.clone()));
            }
            (Word::Int(p), Word::Opt(a, ..)) => pairs.push((p.clone(), Term::var(*a))),
            (Word::Opt(p, ..), Word::Opt(a, ..)) => pairs.push((Term::var(*p), Term::var(*a))),
            _ => {}
        };
        for (p, a) in pattern.regs.iter().zip(&edge.regs) {
            meet(p, a);
        }
        for slot in &pattern.frame {
            let other = edge.slot_at(slot.off).and_then(|i| edge.frame.get(i));
            if let (Some(p), Some(a)) =
                (&slot.word, other.filter(|o| o.size == slot.size).and_then(|o| o.word.as_ref()))
            {
                meet(p, a);
            }
        }
        for (p, a) in pattern.incoming.iter().zip(&edge.incoming) {
            meet(p, a);
        }
        loop {
            let before = self.theta.iter().flatten().count();
            for (p, a) in &pairs {
                let open = p.summands().iter().filter(|s| !self.bound(s.0)).count();
                if open == 1 {
                    self.unify(p, a, true);
                }
            }
            if self.theta.iter().flatten().count() == before {
                return;
            }
        }
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

/// What a label's own variables stand for on an edge, as far as its words tell.
pub(super) fn substitution(f: &Frame<'_>, label: &State, edge: &State) -> Vec<Option<Term>> {
    let mut j = Join {
        f,
        s: edge.clone(),
        theta: vec![None; label.facts.var_count().saturating_sub(f.vars() as usize)],
        locs: Vec::new(),
        general: Vec::new(),
        changed: false,
    };
    j.bind(label);
    j.theta
}

/// Facts that are not the entry state's.
pub(super) fn own_facts<'s>(entry: &State, facts: &'s Facts) -> &'s [Term] {
    facts.list().get(entry.facts.list().len()..).unwrap_or(&[])
}
