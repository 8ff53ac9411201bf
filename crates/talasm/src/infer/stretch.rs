//! Stretches at labels: which locations and words of two edges are of one.

use super::join::Join;
use super::label::Label;
use super::terms::under;
use talcore::state::{Env, Loc, State, Word};
use talcore::term::{Term, Var};
use talcore::types::{WordId, WordTy};

/// Ends stretches, by their places: what was lent for them is as it was before, and nothing is known of other words of
/// them. Answers whether there were some.
pub(super) fn end_stretches(s: &mut State, over: impl Fn(u32) -> bool) -> bool {
    let ended: Vec<Var> = s.stretches.iter().filter(|s| over(s.0)).map(|s| s.1).collect();
    s.stretches.retain(|s| !over(s.0));
    let of = |l: &Loc| l.stretch.is_some_and(|v| ended.contains(&v));
    let gone: Vec<bool> = s.locs.iter().map(|l| of(l) && l.was.is_none()).collect();
    for w in s.words_mut() {
        if let Word::Ptr(l, _) = w
            && gone.get(*l as usize) == Some(&true)
        {
            *w = Word::Any;
        }
    }
    for l in s.locs.iter_mut().filter(|l| of(l)) {
        match l.was.take() {
            Some(mode) => l.mode = mode,
            None => l.live = false,
        }
        l.stretch = None;
    }
    !ended.is_empty()
}

impl Join<'_, '_> {
    /// Whether both are frozen for one stretch, which lasts at the label.
    pub(super) fn same_stretch(&self, p: &Loc, a: &Loc) -> bool {
        match (p.stretch, a.stretch) {
            (None, None) => true,
            (Some(x), Some(v)) => self.apply(&Term::var(x)) == Some(Term::var(v)),
            _ => false,
        }
    }

    /// The type `opt ref s L` for a pointer to memory of the stretch with this number.
    pub(super) fn during(&self, loc: &Loc, v: Var) -> Option<(WordId, Env)> {
        let types = &self.f.program.types;
        let rigid = v < self.f.vars();
        let fits = |t: &WordTy| {
            let WordTy::Opt(inner) = t else { return false };
            let WordTy::During(t, pointer) = types.word(*inner) else { return false };
            let pointer = match types.word(*pointer) {
                WordTy::Exists(e) => e.body,
                _ => *pointer,
            };
            // It speaks of the signature's variables, or of the stretch alone.
            t.as_var() == Some(if rigid { v } else { 0 }) && self.f.instance(pointer, loc)
        };
        let i = types.words.iter().position(fits)?;
        Some((WordId(i as u32), if rigid { None } else { Some([Term::var(v)].into()) }))
    }

    /// An environment of the edge in which the numbers of stretches are the label's.
    pub(super) fn stretches_of(&self, label: &Label, env: Env) -> Env {
        let named = |t: &Term| {
            let place = self.s.stretches.iter().find(|s| Some(s.1) == t.as_var())?.0;
            label.state.stretches.iter().find(|s| s.0 == place).map(|s| Term::var(s.1))
        };
        env.map(|env| env.iter().map(|t| named(t).unwrap_or_else(|| t.clone())).collect())
    }

    /// Whether two types of words that may be 0 are pointers of one kind for one stretch.
    pub(super) fn of_one_stretch(&self, (a, env): (WordId, &Env), (b, with): (WordId, &Env)) -> bool {
        let types = &self.f.program.types;
        let during = |ty: WordId, env: &Env| {
            let WordTy::Opt(inner) = types.word(ty) else { return None };
            let WordTy::During(t, pointer) = types.word(*inner) else { return None };
            Some((under(t, env)?, *pointer))
        };
        let (Some((x, p)), Some((v, q))) = (during(a, env), during(b, with)) else { return false };
        let same = p == q || types.word(p) == types.word(q) && self.f.program.shapes.closed(p);
        same && self.apply(&x) == Some(v)
    }
}
