//! Facts about words that a label has just generalised, from a fixed template.

use super::join::{BUDGET, General, Join, POINTS, in_step};
use super::label::{Label, MOST_PAIRED};
use super::project::words;
use super::terms::{eliminate, known_range, own_facts, rename, replace};
use crate::prove::{Models, prove};
use talcore::facts::{Facts, NEG_INF, POS_INF, tighten};
use talcore::state::Word;
use talcore::term::{Term, Var};

/// The greatest amount by which a word may move beside a counter.
const MOST_PACE: i128 = 1 << 20;

impl Label {
    /// Proposes facts about the words that were just generalised.
    pub(super) fn propose(&mut self, j: &mut Join<'_, '_>, old: &Label) {
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
                let Some((a, b)) = in_step(j, g, h) else {
                    [(g, h), (h, g)].into_iter().flat_map(|(g, h)| paced(j, g, h)).for_each(&mut offer);
                    continue;
                };
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

    /// Bounds of words that are sums: where those of the parts are wider now, they may be kept for the whole.
    pub(super) fn keep_sums(&mut self, j: &Join<'_, '_>, old: &Label) {
        if !j.changed {
            return;
        }
        let mut bare = Facts::default();
        for range in &self.vars {
            bare.fresh(*range);
        }
        for sum in self.sums().iter().filter(|t| t.scope() as usize <= old.vars.len()) {
            let (was, now) = (known_range(&old.state.facts, sum), bare.range(sum));
            if was.lo > now.lo {
                let low =
                    [was.lo, 0].into_iter().filter(|c| *c <= was.lo).find(|c| j.proves_at_least(sum, *c));
                self.facts.extend(low.and_then(|c| sum.offset(-c)));
            }
            if was.hi < now.hi && j.proves_at_most(sum, was.hi) {
                self.facts.extend(sum.neg().and_then(|t| t.offset(was.hi)));
            }
        }
    }

    /// The words that are sums: neither numbers nor variables.
    pub(super) fn sums(&self) -> Vec<Term> {
        let mut all: Vec<Term> = Vec::new();
        for word in words(&self.state) {
            if let Word::Int(t) | Word::Ptr(_, t) = word
                && t.as_const().is_none()
                && t.as_var().is_none()
                && !all.contains(t)
            {
                all.push(t.clone());
            }
        }
        all
    }
}

/// Facts about two words of which one moves by a constant, and the other one meanwhile by one of several amounts: as bytes
/// that are written, one or two for each that is read.
fn paced(j: &Join<'_, '_>, g: &General, h: &General) -> Vec<Option<Term>> {
    let step = |g: &General| g.is.sub(&j.apply(&g.was)?);
    let moved = |g: &General| g.term.sub(&g.was);
    let (Some(d), Some(c)) = (step(g), step(h).and_then(|t| t.as_const()).filter(|c| *c != 0)) else {
        return Vec::new();
    };
    let (Some(slow), Some(steady)) = (moved(g), moved(h).and_then(|t| t.scale(c.signum()))) else {
        return Vec::new();
    };
    let range = j.s.facts.range(&d);
    let bound = |k: i128, sign: i128| {
        let small = (-MOST_PACE..=MOST_PACE).contains(&k) && (-MOST_PACE..=MOST_PACE).contains(&c);
        steady.scale(k).filter(|_| small)?.add_scaled(&slow, -c.abs())?.scale(sign)
    };
    vec![bound(range.hi, 1), bound(range.lo, -1)]
}
