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

/// Facts that are true on one of two ways and are tried together with a word that tells the ways apart.
const MOST_FLAGGED: usize = 24;
/// By how much such a fact may be false on the other way.
const GAPS: [i128; 7] = [1, 2, 4, 8, 16, 64, 256];

/// A word that is one constant in the label and another one on the edge: it tells the ways apart.
struct Flag {
    /// 0 in the label, `width` on the edge.
    moved: Term,
    width: i128,
}

impl Flag {
    /// `vars`: how many variables the label has.
    fn new(g: &General, vars: usize) -> Option<Flag> {
        // What is a constant only by a test is none for the rules.
        let (was, is) = (g.was.as_const().filter(|_| !g.tested)?, g.is.as_const()?);
        let width = is.checked_sub(was).filter(|d| (1..=256).contains(&d.abs()))?;
        let moved = g.term.offset(-was)?.scale(width.signum())?;
        (moved.scope() as usize <= vars).then_some(Flag { moved, width: width.abs() })
    }

    /// A fact that holds where the word has one of its values, and lacks `gap` where it has the other: of all values between
    /// them, and so of both, it says this. `before`: it holds in the label, not on the edge.
    fn told(&self, fact: &Term, gap: i128, before: bool) -> Option<Term> {
        let away = match before {
            true => self.moved.clone(),
            false => Term::from(self.width).sub(&self.moved)?,
        };
        fact.scale(self.width)?.add_scaled(&away, gap)
    }
}

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
            if range.hi != POS_INF {
                offer(z.neg().and_then(|t| t.offset(range.hi)));
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
        let flag = general.iter().filter(|_| j.f.flags).find_map(|g| Flag::new(g, self.vars.len()));
        if flag.is_some() {
            self.bounds_on_one_way(j, old, &mut candidates);
        }
        let mut spent = 0;
        let mut models: Option<Models> = None;
        for c in candidates {
            let Some(c) = tighten(&c) else { continue };
            if c.summands().len() < usize::from(flag.is_none()) + 1 || self.facts.contains(&c) {
                continue;
            }
            let then = general.iter().try_fold(c.clone(), |t, g| replace(&t, g.var, &g.at));
            let Some(then) = then.filter(|t| t.scope() as usize <= old.vars.len()) else { continue };
            let facts = &old.state.facts;
            let models = models.get_or_insert_with(|| Models::whole(facts, POINTS));
            let held =
                |t: &Term| !models.refute(t) && (facts.evident(t) || prove(facts, t, BUDGET).is_some());
            let (before, now) = (held(&then), j.proves(&c));
            if before && now {
                self.facts.extend(Some(c).filter(|c| c.summands().len() > 1));
            } else if let Some(flag) = flag.as_ref().filter(|_| before != now && spent < MOST_FLAGGED) {
                spent += 1;
                let gap = GAPS.into_iter().find(|w| match before {
                    true => c.offset(*w).is_some_and(|t| j.proves(&t)),
                    false => then.offset(*w).is_some_and(|t| held(&t)),
                });
                self.facts.extend(gap.and_then(|w| flag.told(&c, w, before)));
            }
        }
    }

    /// Bounds of variables before, and on the edge.
    fn bounds_on_one_way(&self, j: &Join<'_, '_>, old: &Label, candidates: &mut Vec<Term>) {
        for v in 0..old.vars.len().min(self.vars.len()) as Var {
            let Some(t) = j.apply(&Term::var(v)) else { continue };
            let (was, is) = (old.vars[v as usize], j.s.facts.range(&t));
            for range in [was, is].iter().filter(|_| was != is) {
                let v = Term::var(v);
                if range.lo > was.lo.min(is.lo) {
                    candidates.extend(v.offset(-range.lo));
                }
                if range.hi < was.hi.max(is.hi) {
                    candidates.extend(v.neg().and_then(|t| t.offset(range.hi)));
                }
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
