//! Makes the states of labels shorter to write: they are written as differences to the previous label's.
//!
//! Nothing here is sure to be provable. Whoever calls this walks over the function again, and takes the
//! states as they were if a proof is missing then.

use super::fix::Solution;
use super::terms::own_facts;
use std::rc::Rc;
use talcore::facts::{Facts, Interval, NEG_INF, POS_INF};
use talcore::state::{Env, State, Word};
use talcore::term::{Term, Var};

/// How much is forgotten.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Loss {
    /// Besides what `Rounding` does, intervals are those of the previous label where these contain them, and a
    /// multiple of a variable that nothing else mentions is a variable of its own.
    Ranges,
    /// Large bounds become powers of two.
    Rounding,
}

/// The same labels with variables numbered as in the previous label, and with wider intervals.
pub(super) fn shorten(solution: &Solution, loss: Loss) -> Solution {
    let entry = &solution.entry;
    let mut labels: Vec<(u64, Rc<State>)> = Vec::with_capacity(solution.labels.len());
    for (at, state) in &solution.labels {
        let before = labels.last().map_or(entry, |l| &l.1);
        let mut state = State::clone(state);
        if loss == Loss::Ranges {
            unscale(&mut state, entry);
        }
        let mut state = renumbered(&state, before, entry).unwrap_or(state);
        widen(&mut state.facts, &before.facts, &entry.facts, loss);
        labels.push((*at, Rc::new(state)));
    }
    Solution { labels, entry: entry.clone() }
}

/// How often each variable of a state is mentioned.
pub(super) fn mentions(s: &State) -> Vec<u32> {
    let mut mentions = vec![0u32; s.facts.var_count()];
    let mut mention = |v: Var| mentions.iter_mut().skip(v as usize).take(1).for_each(|n| *n += 1);
    let words = || places(s).chain(&s.incoming);
    let held = || s.locs.iter().flat_map(|l| &l.cells);
    held().for_each(|c| {
        let untested = if let Word::Opt(v, ..) = c.word { Some(v) } else { None };
        let inside = term(&c.word).into_iter().chain([&c.off]).flat_map(|t| t.summands()).map(|(v, _)| v);
        inside.chain(untested).for_each(&mut mention);
    });
    let envs = s.locs.iter().map(|l| &l.lay.env).chain(held().filter_map(|c| match &c.word {
        Word::Opt(_, _, env) => Some(env),
        _ => None,
    }));
    let envs = envs.chain(words().filter_map(|w| match w {
        Word::Opt(_, _, env) => Some(env),
        _ => None,
    }));
    let terms = envs.flatten().flat_map(|e| e.iter()).chain(s.facts.list());
    terms.chain(words().filter_map(term)).flat_map(|t| t.summands()).for_each(|(v, _)| mention(v));
    let untested = words().filter_map(|w| if let Word::Opt(v, ..) = w { Some(*v) } else { None });
    let others = s.locs.iter().flat_map(|l| l.addr.into_iter().chain(l.stretch));
    untested.chain(others).chain(s.stretches.iter().map(|s| s.1)).for_each(&mut mention);
    let tags = s.locs.iter().flat_map(|l| &l.tags).chain(s.static_tags.iter().map(|t| &t.1));
    tags.flat_map(|t| [&t.off, &t.value]).flat_map(|t| t.summands()).for_each(|(v, _)| mention(v));
    mentions
}

/// Words `int(c*x + k)` become `int(y)` where `x` is mentioned nowhere else.
fn unscale(s: &mut State, entry: &State) {
    let first = entry.facts.var_count() as Var;
    let mentions = mentions(s);
    let words = s.regs.iter_mut().chain(s.frame.iter_mut().filter_map(|slot| slot.word.as_mut()));
    for w in words {
        if let Word::Int(t) = w
            && let [(v, _)] = *t.summands()
            && v >= first
            && t.as_var().is_none()
            && mentions.get(v as usize) == Some(&1)
        {
            let range = s.facts.range(t);
            s.facts.declare_range(v, range);
            *t = Term::var(v);
        }
    }
}

/// The term that a word is made of.
fn term(w: &Word) -> Option<&Term> {
    match w {
        Word::Int(t) | Word::Ptr(_, t) | Word::Sp(t) => Some(t),
        _ => None,
    }
}

/// Bounds up to here say something of this program: sizes, characters, error numbers.
const SMALL: i128 = 1 << 16;

fn widen(facts: &mut Facts, before: &Facts, entry: &Facts, loss: Loss) {
    for v in 0..facts.var_count() as Var {
        let known = facts.interval(v);
        let limit = if (v as usize) < entry.var_count() { entry.interval(v) } else { Interval::ALL };
        let mut range = Interval::new(down(known.lo).max(limit.lo), up(known.hi).min(limit.hi));
        if loss == Loss::Ranges && (v as usize) < before.var_count() && known.within(&before.interval(v)) {
            range = before.interval(v);
        }
        facts.declare_range(v, range);
    }
}

/// A bound that is not less, and short to write.
fn up(hi: i128) -> i128 {
    match hi {
        POS_INF | ..=SMALL => hi,
        hi if hi.count_ones() == 1 => hi,
        hi => (1i128 << (128 - hi.leading_zeros()).min(126)) - 1,
    }
}

fn down(lo: i128) -> i128 {
    match lo {
        NEG_INF => lo,
        lo if lo >= -SMALL => lo,
        lo => -(1i128 << (128 - (-lo - 1).leading_zeros()).min(126)),
    }
}

/// The state with its own variables numbered such that places that hold a number of the previous label hold
/// the same one, and with its own facts in the order of the previous label's.
fn renumbered(state: &State, before: &State, entry: &State) -> Option<State> {
    let first = entry.facts.var_count() as Var;
    let own = (state.facts.var_count() as Var).checked_sub(first)?;
    let mut to: Vec<Option<Var>> = vec![None; own as usize];
    let mut taken = vec![false; own as usize];
    for (new, old) in places(state).zip(places(before)) {
        if let (Some(v), Some(w)) = (number(new, first), number(old, first))
            && let (Some(to), Some(taken)) =
                (to.get_mut((v - first) as usize), taken.get_mut((w - first) as usize))
            && to.is_none()
            && !*taken
        {
            (*to, *taken) = (Some(w), true);
        }
    }
    let mut free = (0..own).filter(|w| !taken[*w as usize]).map(|w| first + w);
    let to: Vec<Var> = to.into_iter().map(|w| w.or_else(|| free.next())).collect::<Option<_>>()?;
    let names = Names { first, to };

    let mut s = state.clone();
    names.state(&mut s)?;
    for v in first..first + own {
        s.facts.declare_range(names.var(v)?, state.facts.interval(v));
    }
    let facts = own_facts(entry, &state.facts).iter().map(|t| names.term(t)).collect::<Option<Vec<_>>>()?;
    let old = own_facts(entry, &before.facts);
    s.facts.keep_facts(entry.facts.list().len());
    let (kept, new): (Vec<&Term>, Vec<&Term>) = facts.iter().partition(|t| old.contains(t));
    for t in old.iter().filter(|t| kept.contains(t)).chain(new) {
        s.facts.declare(t.clone())?;
    }
    Some(s)
}

/// The words of a state in an order that its labels share: registers, then the frame.
fn places(s: &State) -> impl Iterator<Item = &Word> {
    s.regs.iter().chain(s.frame.iter().map(|slot| slot.word.as_ref().unwrap_or(&Word::Any)))
}

/// The own variable that a word speaks of, if it is only one.
fn number(w: &Word, first: Var) -> Option<Var> {
    if let Word::Opt(v, ..) = w {
        return Some(*v).filter(|v| *v >= first);
    }
    let mut own = term(w)?.summands().into_iter().map(|s| s.0).filter(|v| *v >= first);
    let v = own.next()?;
    own.next().is_none().then_some(v)
}

/// New numbers of the variables from `first` on.
pub(super) struct Names {
    pub(super) first: Var,
    pub(super) to: Vec<Var>,
}

impl Names {
    /// Renames all variables of a state; intervals and facts are left to the caller.
    pub(super) fn state(&self, s: &mut State) -> Option<()> {
        for w in s.words_mut() {
            self.word(w)?;
        }
        for l in &mut s.locs {
            self.env(&mut l.lay.env)?;
            for c in &mut l.cells {
                c.off = self.term(&c.off)?;
            }
            for v in l.addr.iter_mut().chain(&mut l.stretch) {
                *v = self.var(*v)?;
            }
        }
        for t in s.locs.iter_mut().flat_map(|l| &mut l.tags).chain(s.static_tags.iter_mut().map(|t| &mut t.1))
        {
            (t.off, t.value) = (self.term(&t.off)?, self.term(&t.value)?);
        }
        for (_, v) in &mut s.stretches {
            *v = self.var(*v)?;
        }
        Some(())
    }

    fn var(&self, v: Var) -> Option<Var> {
        match v.checked_sub(self.first) {
            None => Some(v),
            Some(i) => self.to.get(i as usize).copied(),
        }
    }

    pub(super) fn term(&self, t: &Term) -> Option<Term> {
        let mut parts: Vec<(Var, i64)> =
            t.summands().into_iter().map(|(v, c)| Some((self.var(v)?, c))).collect::<Option<_>>()?;
        parts.sort_unstable();
        Term::from_parts(t.konst(), &parts)
    }

    fn env(&self, env: &mut Env) -> Option<()> {
        if let Some(terms) = env {
            let named: Option<Vec<Term>> = terms.iter().map(|t| self.term(t)).collect();
            *terms = Rc::from(named?);
        }
        Some(())
    }

    fn word(&self, w: &mut Word) -> Option<()> {
        match w {
            Word::Int(t) | Word::Sp(t) | Word::Ptr(_, t) => *t = self.term(t)?,
            Word::Opt(v, _, env) => {
                *v = self.var(*v)?;
                self.env(env)?;
            }
            Word::Any | Word::Fn(_) | Word::Entry(_) | Word::Var(_) | Word::Restorer => {}
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_only_move_away() {
        for hi in [NEG_INF, -5, 0, SMALL, SMALL + 1, (1 << 47) - 1, 1 << 47, (1 << 47) + 1, 1 << 119] {
            assert!(up(hi) >= hi && up(up(hi)) == up(hi), "{hi}");
            if hi != NEG_INF {
                assert!(down(-hi) <= -hi && down(down(-hi)) == down(-hi), "{hi}");
            }
        }
        assert_eq!(up(3 << 40), (1 << 42) - 1);
        assert_eq!(down(-(3 << 40)), -(1 << 42));
        assert_eq!((up(POS_INF), down(NEG_INF)), (POS_INF, NEG_INF));
    }

    /// Two registers exchange their variables: they get them back.
    #[test]
    fn variables_keep_their_numbers() {
        let mut before = State::default();
        for _ in 0..2 {
            before.facts.fresh(Interval::unsigned(8));
        }
        before.regs[0] = Word::Int(Term::var(0));
        before.regs[1] = Word::Int(Term::var(1));
        let difference = Term::from_parts(0, &[(0, 1), (1, -1)]).unwrap();
        before.facts.declare(difference.clone()).unwrap();
        let mut state = before.clone();
        state.regs.swap(0, 1);
        state.facts.keep_facts(0);
        state.facts.declare(difference.neg().unwrap()).unwrap();
        state.facts.declare_range(0, Interval::unsigned(16));
        let renumbered = renumbered(&state, &before, &State::default()).unwrap();
        assert_eq!(renumbered.regs, before.regs);
        assert_eq!(renumbered.facts.list(), [difference]);
        assert_eq!(renumbered.facts.intervals(), [Interval::unsigned(8), Interval::unsigned(16)]);
    }

    #[test]
    fn multiples_that_nothing_else_mentions_become_variables() {
        let mut state = State::default();
        for _ in 0..2 {
            state.facts.fresh(Interval::unsigned(8));
        }
        state.regs[0] = Word::Int(Term::var(0).scale(3).unwrap());
        state.regs[1] = Word::Int(Term::var(1).scale(3).unwrap());
        state.regs[2] = Word::Int(Term::var(1));
        let shared = state.regs[1].clone();
        unscale(&mut state, &State::default());
        assert_eq!(state.regs[0], Word::Int(Term::var(0)));
        assert_eq!(state.regs[1], shared);
        assert_eq!(state.facts.intervals(), [Interval::new(0, 765), Interval::unsigned(8)]);
    }
}
