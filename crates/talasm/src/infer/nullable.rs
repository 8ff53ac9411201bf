//! Types `opt tau` of words that are a pointer on one way to a label, and 0 on another.
//!
//! A label can only say types that the program speaks of. Of those the first one is taken that fits, of the function's
//! signature if there is one, and a struct rather than raw memory that has been filled as one; its variables stand for
//! what is known of the memory.

use super::join::Join;
use super::label::Frame;
use super::terms::under;
use std::rc::Rc;
use talcore::facts::Interval;
use talcore::state::{Env, Loc, LocId, State, Word};
use talcore::term::Term;
use talcore::types::{Layout, LayoutId, Mode, StructId, WordId, WordTy};

/// What a type `opt tau` says of a pointer to a struct, under its variables.
#[derive(PartialEq)]
struct Target<'a> {
    mode: Mode,
    strukt: StructId,
    /// The struct's arguments; `None`: hidden.
    args: Vec<Option<Term>>,
    /// Intervals of what is hidden, and how many facts there are about it. (What they say is left to the rules.)
    hidden: Option<(&'a [Interval], usize)>,
}

impl Join<'_, '_> {
    /// The type `opt tau` for a pointer of type `tau` to the start of an object, if the program speaks of it.
    pub(super) fn nullable(&self, s: &State, w: &Word) -> Option<(WordId, Env)> {
        let types = &self.f.program.types;
        let pointer = match w {
            Word::Ptr(l, e) if e.as_const() == Some(0) => {
                let loc = self.holding(s, *l)?;
                if let Some(v) = loc.stretch {
                    return self.during(&loc, v);
                }
                if let Some(ty) = self.built(s, &loc) {
                    return Some((ty, Some(Rc::from([]))));
                }
                match loc.lay.env.as_ref().is_none_or(|e| e.is_empty()) {
                    true => WordTy::Ptr(loc.mode, loc.lay.id),
                    false => return self.hiding(s, *l).or_else(|| self.applied(s, &loc)),
                }
            }
            Word::Fn(sig) => WordTy::Fn(*sig),
            _ => return None,
        };
        let fits = |t: &WordTy| matches!(t, WordTy::Opt(inner) if *types.word(*inner) == pointer);
        types.words.iter().position(fits).map(|i| (WordId(i as u32), Some(Rc::from([]))))
    }

    /// The type of a pointer to a struct without arguments, for raw memory that holds a word for each of its cells.
    fn built(&self, s: &State, loc: &Loc) -> Option<WordId> {
        let types = &self.f.program.types;
        if loc.cells.is_empty() || self.f.program.shapes.raw_size(loc.lay.id).is_none() {
            return None;
        }
        let whole = |id: WordId| {
            let WordTy::Opt(inner) = types.word(id) else { return false };
            let WordTy::Ptr(mode, lay) = types.word(*inner) else { return false };
            let closed = matches!(types.layout(*lay), Layout::Struct(_, args) if args.is_empty());
            let size = |id: LayoutId, env: &Env| under(self.f.program.shapes.size(id)?, env);
            let sized = || size(*lay, &None).is_some_and(|n| size(loc.lay.id, &loc.lay.env) == Some(n));
            closed && *mode == loc.mode && sized() && self.f.filled(s, loc, *inner)
        };
        self.f.types().find(|id| whole(*id))
    }

    /// The type of a pointer that hides the arguments of what it points to, if the program speaks of it under `opt`.
    fn hiding(&self, s: &State, l: LocId) -> Option<(WordId, Env)> {
        let types = &self.f.program.types;
        let loc = self.holding(s, l)?;
        let hides = |t: &WordTy| {
            let WordTy::Opt(inner) = t else { return false };
            let WordTy::Exists(e) = types.word(*inner) else { return false };
            e.first == 0 && (self.f.instance(e.body, &loc) || self.f.filled(s, &loc, e.body))
        };
        if let Some(ty) = self.f.types().find(|id| hides(types.word(*id))) {
            return Some((ty, Some([].into())));
        }
        // Raw memory of a size that the arguments tell.
        let shapes = &self.f.program.shapes;
        let bulk = |id: LayoutId| match types.layout(id) {
            Layout::Foreign(n) => Some((n, true)),
            _ => Some((shapes.raw_size(id)?, false)),
        };
        let (size, foreign) = bulk(loc.lay.id)?;
        let size = under(size, &loc.lay.env).filter(|t| t.scope() <= self.f.vars())?;
        let sized = |t: &WordTy| {
            let WordTy::Opt(inner) = t else { return false };
            let WordTy::Ptr(mode, id) = types.word(*inner) else { return false };
            *mode == loc.mode && bulk(*id) == Some((&size, foreign))
        };
        let i = types.words.iter().position(sized)?;
        Some((WordId(i as u32), Some((0..self.f.vars()).map(Term::var).collect())))
    }

    /// The same for structs with arguments of which the type mentions some: types, or sizes that the function's own
    /// arguments tell. What the type hides does not matter.
    fn applied(&self, s: &State, loc: &Loc) -> Option<(WordId, Env)> {
        let types = &self.f.program.types;
        let known = |t: &Term| t.scope() <= self.f.vars();
        self.f.types().find_map(|id| {
            let WordTy::Opt(inner) = types.word(id) else { return None };
            let (first, pointer) = match types.word(*inner) {
                WordTy::Exists(e) => (Some(e.first), e.body),
                _ => (None, *inner),
            };
            let WordTy::Ptr(mode, lay) = types.word(pointer) else { return None };
            let Layout::Struct(strukt, args) = types.layout(*lay) else { return None };
            if *mode != loc.mode {
                return None;
            }
            let have = self.f.arguments(loc, *strukt)?;
            if self.f.program.shapes.raw_size(loc.lay.id).is_some() && !self.f.filled(s, loc, pointer) {
                return None;
            }
            let scope = first.unwrap_or_else(|| args.iter().map(Term::scope).max().unwrap_or(0));
            let mut env: Vec<Option<Term>> = vec![None; scope as usize];
            for (arg, have) in args.iter().zip(have) {
                if first.is_some_and(|first| arg.scope() > first) {
                    continue;
                }
                let have = have.filter(known)?;
                match arg.as_var().and_then(|v| env.get_mut(v as usize)) {
                    Some(open @ None) => *open = Some(have),
                    Some(Some(is)) if *is == have => {}
                    None if *arg == have && arg.as_const().is_some() => {}
                    _ => return None,
                }
            }
            let env = env.into_iter().map(|t| t.unwrap_or_default()).collect::<Vec<Term>>();
            Some((id, Some(env.into())))
        })
    }

    /// Whether two types of words that may be 0 are written differently and the same under their variables.
    pub(super) fn alike(&self, (a, env): (WordId, &Env), (b, with): (WordId, &Env)) -> bool {
        let types = &self.f.program.types;
        let raw = |ty: WordId, env: &Env| {
            let WordTy::Opt(inner) = types.word(ty) else { return None };
            let WordTy::Ptr(mode, id) = types.word(*inner) else { return None };
            let size = under(self.f.program.shapes.raw_size(*id)?, env)?;
            (size.scope() <= self.f.vars()).then_some((*mode, size))
        };
        raw(a, env).is_some_and(|x| raw(b, with) == Some(x))
            || self.of_one_stretch((a, env), (b, with))
            || self.f.target(a, env).is_some_and(|x| self.f.target(b, with) == Some(x))
    }
}

impl<'p> Frame<'p> {
    /// The types that may be said of words which may be 0: first those of the signature.
    fn types(&self) -> impl Iterator<Item = WordId> {
        self.optional.iter().copied().chain((0..self.program.types.words.len() as u32).map(WordId))
    }

    /// What a type of words that may be 0 says under its variables, if it points to a struct, and the function's
    /// arguments tell everything that is not hidden.
    fn target(&self, ty: WordId, env: &Env) -> Option<Target<'p>> {
        let types = &self.program.types;
        let WordTy::Opt(inner) = types.word(ty) else { return None };
        let (first, hidden, pointer) = match types.word(*inner) {
            WordTy::Exists(e) => (Some(e.first), Some((&*e.vars, e.facts.len())), e.body),
            _ => (None, None, *inner),
        };
        let WordTy::Ptr(mode, id) = types.word(pointer) else { return None };
        let Layout::Struct(strukt, args) = types.layout(*id) else { return None };
        let outside = |t: &Term| first.is_none_or(|first| t.scope() <= first);
        let arg = |t: &Term| match outside(t) {
            true => under(t, env).filter(|t| t.scope() <= self.vars()).map(Some),
            false => Some(None),
        };
        let args = args.iter().map(arg).collect::<Option<Vec<_>>>()?;
        Some(Target { mode: *mode, strukt: *strukt, args, hidden })
    }

    /// What the arguments of a struct are in memory that is one, or that holds a word for each of its cells.
    fn arguments(&self, loc: &Loc, strukt: StructId) -> Option<Vec<Option<Term>>> {
        let types = &self.program.types;
        match types.layout(loc.lay.id) {
            Layout::Struct(id, args) if *id == strukt => {
                Some(args.iter().map(|t| under(t, &loc.lay.env)).collect())
            }
            Layout::Bytes(_) => {
                let known = types.strukt(strukt);
                let mut args = vec![None; known.params as usize];
                let mut at = 0;
                for &field in known.fields()? {
                    let off = Term::from(at);
                    let held = loc.cells.iter().find(|c| c.off == off).map(|c| &c.word);
                    if let (Layout::Cell(ty), Some(held)) = (types.layout(field), held) {
                        let told = match (types.word(*ty), held) {
                            (WordTy::Int(t), Word::Int(is)) => Some((t, is.clone())),
                            (WordTy::Of(t, _), Word::Opt(_, other, env)) => match types.word(*other) {
                                WordTy::Of(u, _) => under(u, env).map(|is| (t, is)),
                                _ => None,
                            },
                            _ => None,
                        };
                        if let Some((t, is)) = told
                            && let Some(arg) = t.as_var().and_then(|v| args.get_mut(v as usize))
                        {
                            *arg = Some(is);
                        }
                    }
                    match self.program.shapes.size(field).and_then(Term::as_const) {
                        Some(size) => at += size,
                        None => break,
                    }
                }
                Some(args)
            }
            _ => None,
        }
    }

    /// The variables that a type of untested words mentions, of those that came with the word.
    pub(super) fn trimmed(&self, ty: WordId, env: &Env) -> Env {
        let types = &self.program.types;
        let scope = |id: &LayoutId| self.program.shapes.scope(*id);
        let scope = match types.word(ty) {
            WordTy::Opt(inner) | WordTy::Res(inner) => match types.word(*inner) {
                WordTy::Exists(e) => Some(e.first),
                WordTy::Ptr(_, id) => scope(id),
                _ => None,
            },
            _ => None,
        };
        match (env, scope) {
            (Some(e), Some(n)) if (n as usize) < e.len() => {
                Some(e.iter().take(n as usize).cloned().collect())
            }
            _ => env.clone(),
        }
    }
}
