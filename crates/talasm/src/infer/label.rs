//! The state of a label while it is being looked for.
//!
//! A label starts as the first state that reaches it. Each further edge is joined: a word that does
//! not fit becomes a fresh variable (or is forgotten), facts that the edge does not prove are
//! dropped, bounds are widened to the next landmark. When a word is generalised, facts about
//! the new variable are proposed from a fixed template, and kept if the old state and the new edge
//! both prove them. Everything only ever gets weaker but for those proposals, of which there is one
//! round for each generalised word; so it ends.

use super::bounds::Landmarks;
use super::cursor::{cursors, end_unreached, same_cursors};
use super::join::{BUDGET, Join, POINTS};
use super::pin::{Pin, renamed};
use super::project::{Projection, Tested, concrete, push_slot};
use super::shorten::mentions;
use super::stretch::end_stretches;
use super::terms::{eliminate, own_facts};
use crate::prove::{Models, prove};
use std::collections::HashMap;
use std::rc::Rc;
use talcore::facts::{Facts, Interval, NEG_INF, POS_INF, tighten};
use talcore::program::Program;
use talcore::state::{LocId, State, Word};
use talcore::term::{Term, Var};
use talcore::types::{Mode, RegSet, WordId};

/// Own variables beyond which pairs are not tried.
pub(super) const MOST_PAIRED: usize = 16;

/// What does not change within a function.
pub(super) struct Frame<'p> {
    pub(super) program: &'p Program<'p>,
    pub(super) entry: Rc<State>,
    pub(super) landmarks: Landmarks,
    /// The arguments that the caller may keep: they are needed to the end, whatever still points to them.
    pub(super) kept: Vec<LocId>,
    /// The types `opt tau` of its results and arguments.
    pub(super) optional: Vec<WordId>,
    /// Whether facts are tried that hold on one of two ways, together with what tells the ways apart.
    pub(super) flags: bool,
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
    /// Whether some way leads from here to a return.
    returns: bool,
    pub(super) state: State,
    /// The entry state's facts come first in `state.facts`; these come after them.
    pub(super) facts: Vec<Term>,
    /// Of all variables, the entry state's first.
    pub(super) vars: Vec<Interval>,
    /// Facts that have been weakened instead of dropped: next time they are.
    pub(super) weakened: Vec<Term>,
    /// How often a back edge has widened bounds.
    pub(super) widened: u32,
    /// Constants of the first edge that a test has found.
    tested: Tested,
    /// What is written by hand; its variables are the first own ones.
    pub(super) pin: Option<Rc<Pin>>,
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
        (live, returns): (RegSet, bool),
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
            // Numbers narrower than a word: what has no name at the label and may be anything is not worth one.
            slot.word = slot.word.take().filter(|w| {
                matches!(w, Word::Int(t) if t.scope() <= f.vars() || telling(slot.size, s.facts.range(t)))
            });
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
        list.extend(p.bounds_of_parts());
        let named = |v: Var| v < f.vars() || p.names.contains_key(&v);
        let facts = eliminate(&known, &list, named).iter().filter_map(|t| p.named(t)).collect();
        let mut label = Label {
            live,
            returns,
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
        label.forget_read(f);
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
    pub(super) fn rebuild(&mut self, f: &Frame<'_>) {
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
                let number =
                    |w: &Word, s: &State| matches!(w, Word::Int(t) if telling(slot.size, s.facts.range(t)));
                if slot.size < word_bytes && !(number(&w, &self.state) && number(&other, s)) {
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
        self.keep_sums(&j, &old);
        if j.changed {
            self.forget_idle(f);
        }
        if !j.general.is_empty() {
            self.propose(&mut j, &old);
        }
        if j.changed {
            self.compact(f);
            self.rebuild(f);
            self.forget_read(f);
        }
        Ok(j.changed)
    }

    /// Forgets narrow numbers in the frame that may be anything by now.
    fn forget_idle(&mut self, f: &Frame<'_>) {
        let mut bare = Facts::default();
        for range in &self.vars {
            bare.fresh(*range);
        }
        for slot in self.state.frame.iter_mut().filter(|s| s.size < i64::from(f.program.arch.word_bytes())) {
            slot.word = slot.word.take().filter(
                |w| matches!(w, Word::Int(t) if t.scope() <= f.vars() || telling(slot.size, bare.range(t))),
            );
        }
    }

    /// Forgets numbers in exclusive memory of which nothing is known but what the type of their cell says.
    fn forget_read(&mut self, f: &Frame<'_>) {
        if self.state.locs.iter().all(|l| l.cells.is_empty()) {
            return;
        }
        let mut words = self.state.clone();
        words.facts.keep_facts(0);
        let mentions = mentions(&words);
        let mut idle: Vec<(usize, Term)> = Vec::new();
        for (l, loc) in self.state.locs.iter().enumerate().filter(|(_, loc)| loc.exclusive()) {
            for held in &loc.cells {
                if let Word::Int(t) = &held.word
                    && let Some(range) = f.declared_range(&self.state, loc, held)
                    && t.summands().iter().any(|s| {
                        s.0 >= f.vars()
                            && mentions.get(s.0 as usize) == Some(&1)
                            && self.says_no_more(s.0, t, range)
                    })
                {
                    idle.push((l, held.off.clone()));
                }
            }
        }
        for (l, off) in &idle {
            self.state.locs[*l].cells.retain(|c| c.off != *off);
        }
        if !idle.is_empty() {
            self.compact(f);
            self.rebuild(f);
        }
    }

    /// Whether what is known of a term is just its interval, as far as it speaks of a variable that is in nothing else.
    fn says_no_more(&self, v: Var, t: &Term, range: Interval) -> bool {
        let implied = |fact: &Term| {
            let above = fact.sub(t).and_then(|k| k.as_const()).is_some_and(|k| k >= -range.lo);
            let below = fact.add(t).and_then(|k| k.as_const()).is_some_and(|k| k >= range.hi);
            above || below
        };
        let facts = self.facts.iter().filter(|t| t.coefficient(v) != 0).all(implied);
        facts && (t.as_var().is_none() || range.within(&self.vars[v as usize]))
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
                // It goes back to the caller, who wants it whole: what does not fit is told on the way to this label.
                None if self.returns
                    && have.mode == Mode::Uniq
                    && have.hole.is_none()
                    && !j.f.kept.contains(&l) =>
                {
                    j.changed |= !have.cells.is_empty() || !have.tags.is_empty();
                    loc.cells.clear();
                    loc.tags.clear();
                }
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
        let mut facts = std::mem::take(&mut self.facts);
        facts.extend(p.bounds_of_parts());
        let facts = eliminate(&from.facts, &facts, known);
        self.facts = facts.iter().filter_map(|t| p.named(t)).collect();
        self.weakened = self.weakened.iter().filter_map(|t| p.named(t)).collect();
        self.vars = std::mem::take(&mut p.vars);
        self.state = state;
    }
}

/// Whether an interval says something of a number of so many bytes, and more than one byte: those of texts change all the
/// time, and nobody asks.
fn telling(size: i64, range: Interval) -> bool {
    let bits = u32::try_from(size * 8).unwrap_or(u32::MAX);
    (16..64).contains(&bits) && range.lo >= 0 && range.hi < Interval::unsigned(bits).hi
}
