//! What the variables of a label stand for on an edge: the words of both tell, wherever they lie.

use super::join::Join;
use super::label::Frame;
use super::project::concrete;
use super::terms::{Name, divided};
use std::collections::{BTreeSet, HashMap};
use talcore::state::{LocId, STATIC, State, Word};
use talcore::term::{Term, Var};

/// Words of a label and of an edge that lie at the same place, and the memory that they lead to.
struct Pairs<'s> {
    label: &'s State,
    edge: &'s State,
    /// The first of the label's own variables.
    rigid: Var,
    terms: Vec<(Term, Term)>,
    /// Locations that are to be looked at, and those that were found.
    open: Vec<(LocId, LocId)>,
    seen: BTreeSet<(LocId, LocId)>,
}

impl Pairs<'_> {
    fn term(&mut self, p: &Term, a: &Term) {
        if p.scope() > self.rigid {
            self.terms.push((p.clone(), a.clone()));
        }
    }

    fn word(&mut self, p: &Word, a: &Word) {
        match (p, a) {
            (Word::Int(p), Word::Int(a)) | (Word::Sp(p), Word::Sp(a)) => self.term(p, a),
            (Word::Ptr(l, p), Word::Ptr(k, a)) => {
                self.term(p, a);
                self.location(*l, *k);
            }
            (Word::Int(p), Word::Opt(a, ..)) => self.term(p, &Term::var(*a)),
            (Word::Opt(p, ..), Word::Opt(a, ..)) => self.term(&Term::var(*p), &Term::var(*a)),
            _ => {}
        }
    }

    fn location(&mut self, l: LocId, k: LocId) {
        if l < STATIC && k < STATIC && self.seen.insert((l, k)) {
            self.open.push((l, k));
        }
    }

    /// Addresses, sizes, tags and held words of locations.
    fn memory(&mut self) {
        while let Some((l, k)) = self.open.pop() {
            let (label, edge) = (self.label, self.edge);
            let (Some(p), Some(a)) = (label.locs.get(l as usize), edge.locs.get(k as usize)) else {
                continue;
            };
            if let (Some(x), Some(v)) = (p.addr, a.addr) {
                self.term(&Term::var(x), &Term::var(v));
            }
            if p.lay.id == a.lay.id
                && let (Some(p), Some(a)) = (&p.lay.env, &a.lay.env)
            {
                p.iter().zip(a.iter()).for_each(|(p, a)| self.term(p, a));
            }
            for t in &p.tags {
                if let Some(u) = a.tags.iter().find(|u| u.off == t.off) {
                    self.term(&t.value, &u.value);
                }
            }
            for c in p.cells.iter().filter(|c| c.off.as_const().is_some()) {
                if let Some(d) = a.cells.iter().find(|d| d.off == c.off && d.width == c.width) {
                    self.word(&c.word, &d.word);
                }
            }
        }
    }
}

impl Join<'_, '_> {
    /// The label's names for the edge's variables, where they are variables.
    pub(super) fn names(&self) -> HashMap<Var, Name> {
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

    /// Binds variables that one word determines once others are known, in any order.
    pub(super) fn bind(&mut self, label: &State) {
        let (terms, open, seen) = Default::default();
        let mut pairs = Pairs { label, edge: &self.s, rigid: self.f.vars(), terms, open, seen };
        // The numbers of stretches are those of the same places.
        for (place, x) in &label.stretches {
            if let Some((_, v)) = self.s.stretches.iter().find(|s| s.0 == *place) {
                pairs.term(&Term::var(*x), &Term::var(*v));
            }
        }
        for (p, a) in label.regs.iter().zip(&self.s.regs) {
            pairs.word(p, a);
        }
        for slot in &label.frame {
            let other = self.s.slot_at(slot.off).and_then(|i| self.s.frame.get(i));
            let other = other.filter(|o| o.size == slot.size).and_then(|o| o.word.as_ref());
            if let (Some(p), Some(a)) = (&slot.word, other) {
                pairs.word(p, a);
            }
        }
        for (p, a) in label.incoming.iter().zip(&self.s.incoming) {
            pairs.word(p, a);
        }
        pairs.memory();
        // What registers and the frame say goes first.
        (0..self.f.locs()).for_each(|l| pairs.location(l, l));
        pairs.memory();
        let terms = pairs.terms;
        self.bind_pairs(terms.iter().map(|(p, a)| (p, a)));
    }

    /// The same for some words, of the label and of the edge.
    pub(super) fn bind_pairs<'t>(&mut self, pairs: impl Iterator<Item = (&'t Term, &'t Term)> + Clone) {
        loop {
            let before = self.theta.iter().flatten().count();
            for (p, a) in pairs.clone() {
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

    pub(super) fn unify(&mut self, p: &Term, a: &Term, words: bool) -> bool {
        let rigid = self.f.vars();
        let Some(mut rest) = a.offset(-p.konst()) else { return false };
        let mut open = None;
        for &(v, c) in p.summands().iter() {
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
}

/// What a label's own variables stand for on an edge, as far as its words tell.
pub(super) fn substitution(f: &Frame<'_>, label: &State, edge: &State) -> Vec<Option<Term>> {
    let own = label.facts.var_count().saturating_sub(f.vars() as usize);
    let mut j = Join::new(f, edge.clone(), own, 0);
    j.bind(label);
    if j.theta.contains(&None) {
        // Some words are what they are because only one value is left.
        j.s = concrete(f, edge);
        j.bind(label);
    }
    j.theta
}
