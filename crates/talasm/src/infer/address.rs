//! Addresses at labels: comparisons of the addresses of two objects teach something that a label may need.
//!
//! A label names an address only while a fact compares it with another one: most pointers are never compared.

use super::join::Join;
use super::label::{Frame, Label};
use super::project::reached;
use super::shorten::{Names, mentions};
use super::terms::own_facts;
use talcore::facts::Interval;
use talcore::state::{LocId, State};
use talcore::term::{Term, Var};

impl Frame<'_> {
    /// What is known of every address.
    pub(super) fn addresses(&self) -> Interval {
        Interval::new(1, self.program.arch.max_address())
    }

    /// The locations whose addresses some fact compares, and the variables that these are.
    pub(super) fn compared(&self, s: &State, facts: &[Term]) -> Vec<(LocId, Var)> {
        if s.locs.iter().filter(|l| l.addr.is_some()).count() < 2 {
            return Vec::new();
        }
        let reached = reached(self, s);
        let all = (0..).zip(&s.locs).filter(|(l, loc)| loc.live && reached.contains(l));
        let all: Vec<(LocId, Var)> = all.filter_map(|(l, loc)| Some((l, loc.addr?))).collect();
        let compares = |t: &Term, v: Var| {
            t.coefficient(v) != 0 && all.iter().any(|(_, u)| *u != v && t.coefficient(*u) != 0)
        };
        all.iter().filter(|(_, v)| facts.iter().any(|t| compares(t, *v))).copied().collect()
    }
}

impl Join<'_, '_> {
    /// Keeps the addresses that the label knows, once all words are joined: what they are on the edge. `old` is the label
    /// before that.
    pub(super) fn addresses(&mut self, label: &mut Label, old: &State) {
        for (p, v) in (0..).zip(&old.locs).filter_map(|(p, loc)| Some((p, loc.addr?))) {
            let x = self.renamed.get(&p).copied().unwrap_or(p);
            let actual = match x.checked_sub(self.f.locs()) {
                Some(i) => self.locs.get(i as usize).copied().flatten(),
                None => Some(x),
            };
            let live = label.state.locs.get(x as usize).is_some_and(|l| l.live);
            let kept = live && actual.is_some_and(|a| self.address(v, a));
            self.changed |= !kept || x != p;
            for (l, addr) in [(p, None), (x, Some(v).filter(|_| kept))] {
                if let Some(loc) = label.state.locs.get_mut(l as usize) {
                    loc.addr = addr;
                }
            }
        }
    }

    /// Whether a variable of the label is the address of an object of the edge.
    fn address(&mut self, v: Var, actual: LocId) -> bool {
        let is = match self.s.locs.get(actual as usize).map(|l| l.addr) {
            Some(Some(u)) => Term::var(u),
            Some(None) => self.s.fresh(self.f.addresses()),
            None => return false,
        };
        let slot = v.checked_sub(self.f.vars()).and_then(|i| self.theta.get_mut(i as usize));
        if let Some(open @ None) = slot {
            *open = Some(is);
            return true;
        }
        let Some(d) = self.apply(&Term::var(v)).and_then(|t| t.sub(&is)) else { return false };
        d == Term::zero() || self.follows(&d) && d.neg().is_some_and(|d| self.follows(&d))
    }
}

/// A label without addresses that no fact compares any more, without what it knows of each of these alone (which is known of
/// every address), and without the variables that were only these.
pub(super) fn without_idle(state: &State, entry: &State) -> Option<State> {
    let first = entry.facts.var_count() as Var;
    let facts = own_facts(entry, &state.facts);
    let address = |v: Var| state.locs.iter().any(|l| l.addr == Some(v));
    let others = |t: &Term, v: Var| t.summands().iter().any(|s| s.0 != v && address(s.0));
    let idle = |v: Var| !facts.iter().any(|t| t.coefficient(v) != 0 && others(t, v));
    let facts: Vec<&Term> =
        facts.iter().filter(|t| !t.summands().iter().any(|s| address(s.0) && idle(s.0))).collect();
    let mut s = state.clone();
    s.locs.iter_mut().for_each(|l| l.addr = l.addr.filter(|v| !idle(*v)));
    s.facts.keep_facts(entry.facts.list().len());
    facts.iter().try_for_each(|t| s.facts.declare((*t).clone()))?;
    let mentions = mentions(&s);
    let gone = |v: Var| v >= first && address(v) && mentions.get(v as usize) == Some(&0);
    let mut next = first;
    let to: Vec<Var> = (first..state.facts.var_count() as Var)
        .map(|v| {
            let name = next;
            next += Var::from(!gone(v));
            name
        })
        .collect();
    let names = Names { first, to };
    names.state(&mut s)?;
    s.facts = entry.facts.clone();
    for v in 0..state.facts.var_count() as Var {
        let range = state.facts.interval(v);
        if v < first {
            s.facts.declare_range(v, range);
        } else if !gone(v) {
            s.facts.fresh(range);
        }
    }
    for t in facts {
        s.facts.declare(names.term(t)?)?;
    }
    Some(s)
}

/// Whether a fact of a label is about an address.
pub(super) fn speaks_of_address(s: &State, t: &Term) -> bool {
    s.locs.iter().any(|l| l.addr.is_some_and(|v| t.coefficient(v) != 0))
}
