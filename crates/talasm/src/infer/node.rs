//! A label in the control flow: which edges have arrived, and the state that follows from them.

use super::label::{Clash, Frame, Label};
use super::pin::Pin;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use talcore::state::State;
use talcore::types::RegSet;

/// How often a loop may start afresh when something else comes to it from outside than before.
const RESETS: u32 = 4;

/// Which edge to a label: the block it comes from, the address of the jump, and its number among those
/// of one jump (through a table) to the same label.
pub(super) type Source = (Option<u64>, u64, u32);

/// A label and what has arrived there.
pub(super) struct Node {
    /// The registers that are live, and whether some way leads to a return.
    live: (RegSet, bool),
    pin: Option<Rc<Pin>>,
    pub(super) label: Option<Label>,
    /// The latest state of each forward edge.
    forward: BTreeMap<Source, Rc<State>>,
    /// Those that the label has not joined.
    news: BTreeSet<Source>,
    /// The latest state of each back edge that the label has joined.
    back: BTreeMap<Source, Rc<State>>,
    resets: u32,
}

/// A clash, and the edge that brought it.
pub(super) type Blamed = (Clash, u64, Rc<State>);

/// Back edges wait until their loop has settled, inner loops first: what leaves a loop is then known as well
/// as it can be.
#[derive(Default)]
pub(super) struct Waiting {
    edges: BTreeMap<(Reverse<usize>, Source), (u64, Rc<State>)>,
    /// The last block of each loop, as far as known, by the place of its first.
    ends: BTreeMap<usize, usize>,
}

impl Waiting {
    /// Adds a back edge from the block at `from` in the order to `target`, whose block is at `to`; replaces
    /// what the same edge brought before.
    pub(super) fn push(&mut self, from: usize, to: usize, source: Source, target: u64, state: Rc<State>) {
        let end = self.ends.entry(to).or_default();
        *end = from.max(*end);
        self.edges.insert((Reverse(to), source), (target, state));
    }

    /// An edge of the innermost loop that lies before the block at `next`, all of which has settled: target,
    /// source, state.
    pub(super) fn pop(&mut self, next: usize) -> Option<(u64, Source, Rc<State>)> {
        let ready = |to: &usize| self.ends.get(to).is_none_or(|end| *end < next);
        let key = *self.edges.keys().find(|(Reverse(to), _)| ready(to))?;
        let (target, state) = self.edges.remove(&key)?;
        Some((target, key.1, state))
    }

    fn again(&mut self, to: usize, source: Source, target: u64, state: Rc<State>) {
        self.edges.entry((Reverse(to), source)).or_insert((target, state));
    }
}

impl Node {
    /// Nothing has arrived yet.
    pub(super) fn new(live: (RegSet, bool), pin: Option<Rc<Pin>>) -> Node {
        let (forward, news, back) = Default::default();
        Node { live, pin, label: None, forward, news, back, resets: 0 }
    }

    /// The edges to it, with the latest state of each.
    pub(super) fn edges(&self) -> impl Iterator<Item = (&Source, &Rc<State>)> {
        self.forward.iter().chain(&self.back)
    }

    /// Takes a forward edge; answers whether it brings something new.
    pub(super) fn arrive(&mut self, source: Source, state: Rc<State>) -> bool {
        let new = self.forward.get(&source).is_none_or(|old| !same(old, &state));
        if new {
            self.forward.insert(source, state);
            self.news.insert(source);
        }
        new
    }

    /// Joins the forward edges that have arrived; answers whether the label has changed. Without back
    /// edges it is made anew. A loop starts afresh a few times, because an outer loop may have learnt better
    /// since; then its back edges wait again.
    pub(super) fn settle(
        &mut self,
        f: &Frame<'_>,
        at: (u64, usize),
        waiting: &mut Waiting,
    ) -> Result<bool, Blamed> {
        let news = std::mem::take(&mut self.news);
        if news.is_empty() {
            return Ok(false);
        }
        let looped = !self.back.is_empty();
        if looped && self.resets >= RESETS {
            let mut changed = false;
            for source in news {
                changed |= self.join(f, source.1, &self.forward[&source].clone(), true)?;
            }
            return Ok(changed);
        }
        self.resets += u32::from(looped);
        for (source, state) in std::mem::take(&mut self.back) {
            let (target, rank) = at;
            waiting.again(rank, source, target, state);
        }
        let old = self.label.take();
        for (source, state) in self.forward.clone() {
            self.join(f, source.1, &state, false)?;
        }
        Ok(match (&old, &self.label) {
            (Some(a), Some(b)) => looped || !same(&a.state, &b.state),
            _ => true,
        })
    }

    /// Joins a back edge; answers whether the label has changed.
    pub(super) fn join_back(
        &mut self,
        f: &Frame<'_>,
        source: Source,
        state: Rc<State>,
    ) -> Result<bool, Blamed> {
        let old = self.back.insert(source, state.clone());
        if old.is_some_and(|old| same(&old, &state)) {
            return Ok(false);
        }
        self.join(f, source.1, &state, true)
    }

    /// Narrows what was widened, if this is the label of a loop; answers whether the label has changed.
    pub(super) fn narrow(&mut self, f: &Frame<'_>) -> bool {
        let edges = self.forward.values().chain(self.back.values());
        !self.back.is_empty() && self.label.as_mut().is_some_and(|label| label.narrow(f, edges))
    }

    /// Joining makes a label weaker, or adds facts that held before: what was joined earlier still matches.
    fn join(&mut self, f: &Frame<'_>, ip: u64, state: &Rc<State>, widen: bool) -> Result<bool, Blamed> {
        let blame = |c| (c, ip, state.clone());
        match &mut self.label {
            Some(label) => label.join(f, state, widen).map_err(blame),
            None => {
                self.label = Some(Label::first(f, self.live, state, self.pin.clone()).map_err(blame)?);
                Ok(true)
            }
        }
    }
}

/// Whether two states say the same, but for flags, which do not outlive a jump.
fn same(a: &State, b: &State) -> bool {
    (a.depth, a.touched) == (b.depth, b.touched)
        && a.regs == b.regs
        && a.frame == b.frame
        && a.incoming == b.incoming
        && a.locs == b.locs
        && a.stretches == b.stretches
        && a.facts.intervals() == b.facts.intervals()
        && a.facts.list() == b.facts.list()
}
