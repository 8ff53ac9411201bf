//! The state of a label while it is being looked for.
//!
//! A label starts as the first state that reaches it. Each further edge is joined: a word that does
//! not fit becomes a fresh variable (or is forgotten), facts that the edge does not prove are
//! dropped, bounds are widened to the next landmark. When a word is generalised, facts about
//! the new variable are proposed from a fixed template, and kept if the old state and the new edge
//! both prove them. Everything only ever gets weaker but for those proposals, of which there is one
//! round for each generalised word; so it ends.

use super::address::speaks_of_address;
use super::cursor::{cursors, end_unreached, same_cursors};
use super::join::{BUDGET, Join, POINTS, in_step};
use super::pin::{Pin, renamed};
use super::project::{Projection, Tested, concrete, push_slot, words};
use super::stretch::end_stretches;
use super::terms::{eliminate, own_facts, rename, replace};
use crate::prove::{Models, prove};
use std::collections::HashMap;
use std::rc::Rc;
use talcore::facts::{Facts, Interval, NEG_INF, POS_INF, tighten};
use talcore::program::Program;
use talcore::state::{LocId, State, Word};
use talcore::term::{Term, Var};
use talcore::types::RegSet;

/// Own variables beyond which pairs are not tried.
const MOST_PAIRED: usize = 16;
/// Facts that one label may weaken; after that they are dropped, so that the search ends.
const MOST_WEAKENED: usize = 32;

/// How often bounds go to the next landmark of the function; after that only to those of the variable.
const MOST_WIDENED: u32 = 12;

/// What does not change within a function.
pub(super) struct Frame<'p> {
    pub(super) program: &'p Program<'p>,
    pub(super) entry: Rc<State>,
    pub(super) landmarks: Landmarks,
    /// The arguments that the caller may keep: they are needed to the end, whatever still points to them.
    pub(super) kept: Vec<LocId>,
}

/// Bounds worth trying, in increasing order.
#[derive(Default)]
pub(super) struct Landmarks {
    /// Those that the function compares a register with.
    pub(super) of: [Vec<i128>; 16],
    /// Those that the function itself speaks of.
    pub(super) own: Vec<i128>,
    /// The ends of types.
    pub(super) general: Vec<i128>,
}

impl Landmarks {
    /// The least one that is greater than `low`, less than `high` and holds as an upper bound; if one holds,
    /// all greater ones do.
    fn upper(marks: &[i128], low: i128, high: i128, mut holds: impl FnMut(i128) -> bool) -> Option<i128> {
        let marks = &marks[marks.partition_point(|m| *m <= low)..];
        let marks = &marks[..marks.partition_point(|m| *m < high)];
        marks.get(marks.partition_point(|m| !holds(*m))).copied()
    }

    /// The same for lower bounds.
    fn lower(marks: &[i128], low: i128, high: i128, mut holds: impl FnMut(i128) -> bool) -> Option<i128> {
        let marks = &marks[..marks.partition_point(|m| *m < high)];
        let marks = &marks[marks.partition_point(|m| *m <= low)..];
        marks.get(marks.partition_point(|m| holds(*m)).checked_sub(1)?).copied()
    }
}

impl Frame<'_> {
    pub(super) fn vars(&self) -> u32 {
        self.entry.facts.var_count() as u32
    }
    pub(super) fn locs(&self) -> u32 {
        self.entry.locs.len() as u32
    }
    pub(super) fn words(&self) -> Interval {
        Interval::unsigned(self.program.arch.word_bits())
    }
}

/// The state of a label.
#[derive(Clone, Debug)]
pub(super) struct Label {
    pub(super) live: RegSet,
    pub(super) state: State,
    /// The entry state's facts come first in `state.facts`; these come after them.
    facts: Vec<Term>,
    /// Of all variables, the entry state's first.
    pub(super) vars: Vec<Interval>,
    /// Facts that have been weakened instead of dropped: next time they are.
    weakened: Vec<Term>,
    /// How often a back edge has widened bounds.
    widened: u32,
    /// Constants of the first edge that a test has found.
    tested: Tested,
    /// What is written by hand; its variables are the first own ones.
    pin: Option<Rc<Pin>>,
}

/// Why a label has no state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Clash {
    /// The stack has another depth on another edge.
    Depth(i64, i64),
    /// A register does not have the value that is written by hand.
    Pinned(u8),
}

impl Label {
    /// The first state that reaches a label: what is live of it, under names of its own.
    pub(super) fn first(
        f: &Frame<'_>,
        live: RegSet,
        s: &State,
        pin: Option<Rc<Pin>>,
    ) -> Result<Label, Clash> {
        let mut constants = concrete(f, s);
        end_unreached(f, &mut constants);
        let mut kept = constants.clone();
        let live = live | pin.as_ref().map_or(0, |p| p.live()) | cursors(&kept);
        for r in 0..16 {
            if live >> r & 1 == 0 {
                kept.regs[r] = Word::Any;
            }
        }
        for slot in kept.frame.iter_mut().filter(|s| s.size < i64::from(f.program.arch.word_bytes())) {
            // Numbers narrower than a word: what has no name at the label is not worth one.
            slot.word = slot.word.take().filter(|w| matches!(w, Word::Int(t) if t.scope() <= f.vars()));
        }
        let mut vars: Vec<Interval> = (0..f.vars()).map(|v| s.facts.interval(v)).collect();
        let mut list = own_facts(&f.entry, &s.facts).to_vec();
        let mut names = HashMap::new();
        if let Some(pin) = &pin {
            // Its variables get names first: they are variables of the edge that are equal to terms.
            let first = kept.facts.var_count() as Var;
            for t in pin.meet(f, &kept)? {
                let range = t.as_ref().map_or(f.words(), |t| s.facts.range(t));
                let (x, z) = (kept.facts.fresh(range), vars.len() as Var);
                vars.push(range);
                if let Some(t) = t {
                    if let Some((v, name)) = renamed(f, &t, z) {
                        names.entry(v).or_insert(name);
                    }
                    list.extend(t.sub(&Term::var(x)));
                    list.extend(Term::var(x).sub(&t));
                }
                names.insert(x, Term::var(z));
            }
            for (v, range) in vars.iter_mut().enumerate() {
                *range = pin.range(f, v as Var, *range);
            }
            for (r, t) in &pin.regs {
                kept.regs[usize::from(*r)] = Pin::shifted(t, f.vars(), first).map_or(Word::Any, Word::Int);
            }
        }
        let mut p = Projection::new(f, &kept, vars, names, &list);
        let state = p.state();
        // Sums that got a name of their own: what is known of them is what is known of their parts.
        let mut known = kept.facts.clone();
        for (z, t) in std::mem::take(&mut p.composite) {
            let v = known.fresh(known.range(&t));
            list.extend(t.sub(&Term::var(v)));
            list.extend(Term::var(v).sub(&t));
            p.names.insert(v, Term::var(z));
        }
        let named = |v: Var| v < f.vars() || p.names.contains_key(&v);
        let facts = eliminate(&known, &list, named).iter().filter_map(|t| p.named(t)).collect();
        let mut label = Label {
            live,
            state,
            facts,
            vars: std::mem::take(&mut p.vars),
            weakened: Vec::new(),
            widened: 0,
            tested: Tested::of(s, &constants),
            pin,
        };
        let names = std::mem::take(&mut p.names);
        label.pairs(f, s, &names);
        label.rebuild(f);
        Ok(label)
    }

    /// Relations between the label's variables that follow from facts about others.
    fn pairs(&mut self, f: &Frame<'_>, s: &State, names: &HashMap<Var, Term>) {
        let address = |v: Var| self.state.locs.iter().any(|l| l.addr == Some(v));
        let own = names.iter().filter_map(|(a, b)| Some((*a, b.as_var().filter(|v| !address(*v))?)));
        let own: Vec<(Var, Var)> = own.collect();
        if own.len() > MOST_PAIRED || s.facts.list().len() == f.entry.facts.list().len() {
            return;
        }
        let mut own = own;
        own.sort_unstable_by_key(|p| p.1);
        let mut all = own.clone();
        all.extend((0..f.vars()).map(|v| (v, v)));
        let vars: Vec<Var> = all.iter().map(|p| p.0).collect();
        let models = Models::of(&s.facts, &vars, POINTS);
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
                            if models.refute(&goal) || s.facts.evident(&goal) {
                                continue;
                            }
                            if prove(&s.facts, &goal, BUDGET).is_some() {
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
        let pinned = self.pin.as_ref().map_or(&[][..], |p| &p.facts);
        for fact in pinned {
            facts.declare(fact.clone());
        }
        for fact in &self.facts {
            let Some(fact) = tighten(fact) else { continue };
            if let [(v, c)] = *fact.summands() {
                // A bound. Only edges that no execution takes prove bounds that contradict each other, and an empty
                // interval cannot be written down.
                let old = self.vars[v as usize];
                let range = match c > 0 {
                    true => Interval::new(old.lo.max(-fact.konst()), old.hi),
                    false => Interval::new(old.lo, old.hi.min(fact.konst())),
                };
                if range.lo <= range.hi {
                    self.vars[v as usize] = range;
                    facts.assume(&fact);
                }
                continue;
            }
            if kept.contains(&fact) || pinned.contains(&fact) {
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

    /// Joins another edge; answers whether the label changed. `widen`: bounds that the edge does not keep
    /// go to the next landmark, so that a loop settles.
    pub(super) fn join(&mut self, f: &Frame<'_>, s: &State, widen: bool) -> Result<bool, Clash> {
        if s.depth != self.state.depth {
            return Err(Clash::Depth(self.state.depth, s.depth));
        }
        let mut constants = concrete(f, s);
        let tested = Tested::of(s, &constants);
        // What lasts on some ways only does not last at the label.
        let here: Vec<u32> = self.state.stretches.iter().map(|s| s.0).collect();
        end_stretches(&mut constants, |place| !here.contains(&place));
        let mut fewer =
            end_stretches(&mut self.state, |place| !constants.stretches.iter().any(|s| s.0 == place));
        end_unreached(f, &mut constants);
        fewer |= same_cursors(f, &mut self.state, &mut constants);
        let s = &constants;
        let old = self.clone();
        let (vars, locs) = (self.vars.len() - f.vars() as usize, self.state.locs.len() - f.locs() as usize);
        let mut j = Join::new(f, s.clone(), vars, locs);
        let mut open = self.live;
        if let Some(pin) = &self.pin {
            let theta = pin.meet(f, s)?;
            j.theta[..theta.len()].clone_from_slice(&theta);
            open &= !pin.live();
        }
        j.bind(&self.state);
        j.changed |= fewer;
        for l in 0..f.locs() {
            self.argument_memory(&mut j, l);
        }
        for r in 0..16 {
            if open >> r & 1 == 1 {
                let p = self.state.regs[r].clone();
                j.tested = (self.tested.regs | tested.regs) >> r & 1 == 1;
                let p = j.word(self, p, &s.regs[r]);
                self.state.regs[r] = p;
            }
        }
        let frame = std::mem::take(&mut self.state.frame);
        let word_bytes = i64::from(f.program.arch.word_bytes());
        for slot in frame {
            let word = slot.word.and_then(|w| {
                let other = s.slot_at(slot.off).and_then(|i| s.frame.get(i));
                let other = other.filter(|o| o.off == slot.off && o.size == slot.size);
                let other = other.and_then(|o| o.word.clone()).unwrap_or_default();
                if slot.size < word_bytes {
                    // A number that is narrower than a word is worth a fact only while it stays what it is.
                    j.changed |= w != other;
                    return Some(w).filter(|w| *w == other);
                }
                j.tested = [&self.tested, &tested].iter().any(|t| t.slots.contains(&slot.off));
                Some(j.word(self, w, &other))
            });
            push_slot(&mut self.state.frame, slot.off, slot.size, word);
        }
        j.tested = false;
        for i in 0..self.state.incoming.len() {
            let p = self.state.incoming[i].clone();
            let p = j.word(self, p, &s.incoming.get(i).cloned().unwrap_or_default());
            self.state.incoming[i] = p;
        }
        j.tags(self, &old.state);
        j.addresses(self, &old.state);
        // What some edge has not touched is owed at the label.
        j.changed |= s.touched > self.state.touched;
        self.state.touched = self.state.touched.max(s.touched);
        self.keep_facts(&mut j);
        self.keep_bounds(&mut j, widen);
        if !j.general.is_empty() {
            self.propose(&mut j, &old);
        }
        if j.changed {
            self.compact(f);
            self.rebuild(f);
        }
        Ok(j.changed)
    }

    /// Takes the bounds that the edges keep where these are narrower than the ones that the label was widened to;
    /// answers whether there are some.
    pub(super) fn narrow<'s>(&mut self, f: &Frame<'_>, edges: impl Iterator<Item = &'s Rc<State>>) -> bool {
        let first = f.vars() as usize;
        let (vars, locs) = (self.vars.len() - first, self.state.locs.len() - f.locs() as usize);
        let mut kept: Option<Vec<Interval>> = None;
        for edge in edges {
            let mut j = Join::new(f, concrete(f, edge), vars, locs);
            j.bind(&self.state);
            let have = (first..self.vars.len()).map(|v| match j.apply(&Term::var(v as Var)) {
                Some(t) => j.proved_range(&t, self.vars[v]),
                None => Interval::ALL,
            });
            kept = Some(match kept {
                None => have.collect(),
                Some(kept) => kept
                    .iter()
                    .zip(have)
                    .map(|(a, b)| Interval::new(a.lo.min(b.lo), a.hi.max(b.hi)))
                    .collect(),
            });
        }
        let mut changed = false;
        for (range, kept) in self.vars.iter_mut().skip(first).zip(kept.unwrap_or_default()) {
            let narrower = Interval::new(range.lo.max(kept.lo), range.hi.min(kept.hi));
            if narrower.lo > narrower.hi {
                // As in `rebuild`: no execution takes these edges.
                continue;
            }
            changed |= narrower != *range;
            *range = narrower;
        }
        if changed {
            self.rebuild(f);
        }
        changed
    }

    /// Joins what an exclusive argument holds. An owned one whose contents do not fit may not be used any more.
    fn argument_memory(&mut self, j: &mut Join<'_, '_>, l: LocId) {
        let (Some(have), Some(other)) = (j.holding(&self.state, l), j.holding(&j.s, l)) else { return };
        let ours = have.exclusive() || have.was.is_some() || other.was.is_some();
        if !ours || !have.live {
            return;
        }
        let joined = match have.exclusive() {
            // Where the words that pointed to it point to something else now, that is what it is joined with.
            true if j.replaced(self, l) => None,
            true => j.contents(self, &have, &other),
            // A name for the stretch would be missing if it does not last at the label.
            false if have.was == other.was && other.live => j.layouts(self, &have, &other),
            false => None,
        };
        if let Some(loc) = self.state.locs.get_mut(l as usize) {
            match joined {
                Some(joined) => *loc = joined,
                None => {
                    j.changed = true;
                    loc.live = false;
                    loc.cells.clear();
                    (loc.mode, loc.stretch, loc.was) = (loc.was.unwrap_or(loc.mode), None, None);
                    loc.tags.clear();
                    j.lost.insert(l, have);
                }
            }
        }
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
            let spent = self.weakened.len() >= MOST_WEAKENED || self.weakened.contains(&fact);
            if spent || speaks_of_address(&self.state, &fact) {
                continue;
            }
            let weaker = [1, 2, 4, 8, 16].into_iter().filter_map(|c| fact.offset(c)).find(|t| j.proves(t));
            if let Some(weaker) = weaker.filter(|t| !self.facts.contains(t)) {
                self.weakened.push(weaker.clone());
                self.facts.push(weaker);
            }
        }
    }

    /// Widens the bounds that the edge does not prove: just as far as needed, or, if a loop shall settle, to
    /// the next landmark of the function, else to what facts say, else to the next end of a type.
    fn keep_bounds(&mut self, j: &mut Join<'_, '_>, widen: bool) {
        let rigid = j.f.vars();
        let all = Interval::new(i128::MIN + 1, i128::MAX - 1);
        let own = if self.widened < MOST_WIDENED { &j.f.landmarks.own[..] } else { &[] };
        let general = &j.f.landmarks.general[..];
        let mut wider = false;
        for v in 0..self.vars.len() as u32 {
            let range = self.vars[v as usize];
            let Some(t) = j.apply(&Term::var(v)) else { continue };
            let have = j.s.facts.range(&t);
            if have.within(&range) {
                continue;
            }
            let implied = if widen { self.implied(v) } else { Interval::ALL };
            let mut near: Vec<i128> =
                self.holders(v).flat_map(|r| &j.f.landmarks.of[r]).chain(own).copied().collect();
            near.sort_unstable();
            let mut wide = range;
            if have.lo < range.lo && !j.at_least(&t, range.lo) {
                let holds = |m: i128| j.at_least(&t, m);
                let low = if widen { implied.lo } else { have.lo };
                let find = |marks: &[i128], low: i128| {
                    Landmarks::lower(marks, low.max(all.lo), range.lo, |m| m <= have.lo || holds(m))
                };
                wide.lo = find(&near, low)
                    .or(Some(implied.lo).filter(|m| *m != NEG_INF && holds(*m)))
                    .or_else(|| find(general, low))
                    .unwrap_or(if widen { NEG_INF } else { have.lo });
            }
            if have.hi > range.hi && !j.at_most(&t, range.hi) {
                let holds = |m: i128| j.at_most(&t, m);
                let high = if widen { implied.hi } else { have.hi };
                let find = |marks: &[i128], high: i128| {
                    Landmarks::upper(marks, range.hi, high.min(all.hi), |m| m >= have.hi || holds(m))
                };
                wide.hi = find(&near, high)
                    .or(Some(implied.hi).filter(|m| *m != POS_INF && holds(*m)))
                    .or_else(|| find(general, high))
                    .unwrap_or(if widen { POS_INF } else { have.hi });
            }
            if v < rigid {
                // An argument keeps at least what the signature says.
                let entry = j.f.entry.facts.interval(v);
                wide = Interval::new(wide.lo.max(entry.lo), wide.hi.min(entry.hi));
            }
            if let Some(pin) = &self.pin {
                wide = pin.range(j.f, v, wide);
            }
            if wide != range {
                self.vars[v as usize] = wide;
                wider = true;
            }
        }
        j.changed |= wider;
        self.widened += u32::from(wider && widen);
    }

    /// The words that are sums: neither numbers nor variables.
    fn sums(&self) -> Vec<Term> {
        let mut all: Vec<Term> = Vec::new();
        for word in words(&self.state) {
            if let Word::Int(t) = word
                && t.as_const().is_none()
                && t.as_var().is_none()
                && !all.contains(t)
            {
                all.push(t.clone());
            }
        }
        all
    }

    /// The registers whose values depend on a variable.
    fn holders(&self, v: Var) -> impl Iterator<Item = usize> {
        let regs = self.state.regs.iter().enumerate();
        regs.filter(move |(_, w)| matches!(w, Word::Int(t) if t.coefficient(v) != 0)).map(|r| r.0)
    }

    /// What the facts say about a variable, given the intervals of the others.
    fn implied(&self, v: Var) -> Interval {
        let mut bare = Facts::default();
        for range in &self.vars {
            bare.fresh(*range);
        }
        let mut out = Interval::ALL;
        for fact in &self.facts {
            let c = i128::from(fact.coefficient(v));
            let Some(rest) = fact.add_scaled(&Term::var(v), -c).filter(|_| c != 0) else { continue };
            // c*v + rest >= 0.
            let most = bare.range(&rest).hi;
            if most == POS_INF {
                continue;
            }
            if c > 0 {
                out.lo = out.lo.max((-most).div_euclid(c) + i128::from((-most).rem_euclid(c) != 0));
            } else {
                out.hi = out.hi.min(most.div_euclid(-c));
            }
        }
        out
    }

    /// Proposes facts about the words that were just generalised.
    fn propose(&mut self, j: &mut Join<'_, '_>, old: &Label) {
        let mut candidates: Vec<Term> = Vec::new();
        let general = j.general.clone();
        let others: Vec<Var> = (0..self.vars.len() as Var).filter(|v| j.bound(*v)).collect();
        let sums = self.sums();
        let mut offer = |t: Option<Term>| candidates.extend(t);
        for (n, g) in general.iter().enumerate() {
            let z = g.term.clone();
            // Against where it came from.
            offer(z.sub(&g.was));
            offer(g.was.sub(&z));
            // The word as a number: a counter's interval says nothing about it.
            let range = old.state.facts.range(&g.was);
            for low in [1, 0, range.lo] {
                if low != NEG_INF {
                    offer(z.offset(-low));
                }
            }
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
            // A loop may be bounded by a word that is not a variable but a sum.
            for sum in sums.iter().filter(|s| s.coefficient(g.var) == 0) {
                for gap in [1, 0] {
                    offer(sum.sub(&z).and_then(|t| t.offset(-gap)));
                }
            }
            // A fact that each round changes by a constant, while the counter counts the rounds.
            for fact in old.facts.iter().filter(|_| g.counter) {
                let step = j.apply(fact).and_then(|t| t.sub(fact)).and_then(|t| t.as_const());
                offer(step.filter(|s| *s != 0).and_then(|s| fact.add_scaled(&Term::var(g.var), -s)));
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
        // What the label knew of variables that have another value now, said of that value: one after the other, and all
        // at once.
        let moved: Vec<(Var, &Term)> =
            general.iter().filter_map(|g| Some((g.was.as_var()?, &g.term))).collect();
        if moved.len() <= MOST_PAIRED {
            for fact in old.state.facts.list() {
                let mut all = fact.clone();
                for (v, z) in moved.iter().filter(|(v, _)| fact.coefficient(*v) != 0) {
                    offer(replace(fact, *v, z));
                    all = replace(&all, *v, z).unwrap_or(all);
                }
                offer(Some(all));
            }
        }
        // What the edge itself knows, in the label's variables.
        let names = j.names();
        let kept = |v: Var| v < j.f.vars() || names.contains_key(&v);
        for fact in eliminate(&j.s.facts, own_facts(&j.f.entry, &j.s.facts), kept) {
            offer(rename(&fact, &names, j.f.vars()));
        }
        let mut models: Option<Models> = None;
        for c in candidates {
            let Some(c) = tighten(&c) else { continue };
            if c.summands().len() < 2 || self.facts.contains(&c) {
                continue;
            }
            let then = general.iter().try_fold(c.clone(), |t, g| replace(&t, g.var, &g.at));
            let Some(then) = then.filter(|t| t.scope() as usize <= old.vars.len()) else { continue };
            let facts = &old.state.facts;
            let models = models.get_or_insert_with(|| Models::whole(facts, POINTS));
            let held =
                !models.refute(&then) && (facts.evident(&then) || prove(facts, &then, BUDGET).is_some());
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
        let fixed = f.vars() + self.pin.as_ref().map_or(0, |p| p.own);
        let vars = self.vars[..fixed as usize].to_vec();
        let names = (f.vars()..fixed).map(|v| (v, Term::var(v))).collect();
        let mut p = Projection::new(f, &from, vars, names, &self.facts);
        let state = p.state();
        let known = |v: Var| v < f.vars() || p.names.contains_key(&v);
        let facts = eliminate(&from.facts, &std::mem::take(&mut self.facts), known);
        self.facts = facts.iter().filter_map(|t| p.named(t)).collect();
        self.weakened = self.weakened.iter().filter_map(|t| p.named(t)).collect();
        self.vars = std::mem::take(&mut p.vars);
        self.state = state;
    }
}
