//! Layouts and words that no note has, and that states need: what opening, moving and borrowing make of those that
//! notes have.

use crate::term::Term;
use crate::types::{Body, Exists, Layout, LayoutId, Mode, Types, WordId, WordTy};
use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

/// `{ argc: int(v0), argv: [v0]imm cstr, int(0), envp: nullterm of imm cstr }`, over the variables
/// 0 (the number of arguments) and 1 (the number of environment strings).
pub(super) fn block(types: &mut Types) -> (LayoutId, WordId) {
    let layout = |types: &mut Types, l| {
        types.layouts.push(l);
        LayoutId(types.layouts.len() as u32 - 1)
    };
    let word = |types: &mut Types, w| {
        types.words.push(w);
        WordId(types.words.len() as u32 - 1)
    };
    let string = layout(types, Layout::Cstr(None));
    let pointer = word(types, WordTy::Ptr(crate::types::Mode::Imm, string));
    let maybe = word(types, WordTy::Opt(pointer));
    let count = word(types, WordTy::Int(Term::var(0)));
    let zero = word(types, WordTy::Int(Term::zero()));
    let argc = layout(types, Layout::Cell(count));
    let arg = layout(types, Layout::Cell(pointer));
    let argv = layout(types, Layout::Array(Term::var(0), arg));
    let end = layout(types, Layout::Cell(zero));
    let envp = layout(types, Layout::NullTerm(Some(Term::var(1)), maybe));
    (layout(types, Layout::Seq([argc, argv, end, envp].into())), maybe)
}

/// The modes of borrows that show what is owned by the memory that is borrowed.
pub const BORROWS: [Mode; 3] = [Mode::Mut, Mode::Read, Mode::Frozen];

/// What a word that owns memory or is 0 is seen as.
#[derive(Clone, Copy, Debug)]
pub(super) struct Views {
    /// Through each of [`BORROWS`].
    pub(super) borrows: [WordId; 3],
    /// In memory that is lent for the stretch whose number is the variable behind it.
    pub(super) during: (WordId, u32),
}

/// Appends for each word `opt own L`, also with hidden sizes, the words `opt &mut L`, `opt &L`, `opt &frozen L` and
/// `opt ref s L`, where `s` is the first variable that the word does not mention: those are below `scopes`.
pub(super) fn borrowed(types: &mut Types, scopes: &[Option<u32>]) -> BTreeMap<WordId, Views> {
    let ids = || types.words.iter().zip(0..);
    let mut pointers: BTreeMap<(Mode, LayoutId), WordId> = BTreeMap::new();
    let mut opts: BTreeMap<WordId, WordId> = BTreeMap::new();
    for (word, id) in ids() {
        match word {
            WordTy::Ptr(mode, l) => drop(pointers.entry((*mode, *l)).or_insert(WordId(id))),
            WordTy::Opt(inner) => drop(opts.entry(*inner).or_insert(WordId(id))),
            _ => {}
        }
    }
    let owners: Vec<(WordId, WordId)> = ids()
        .filter_map(|(word, id)| match word {
            WordTy::Opt(inner) if types.linear(*inner) => Some((WordId(id), *inner)),
            _ => None,
        })
        .collect();
    let mut out: BTreeMap<WordId, Views> = BTreeMap::new();
    // A few bytes are enough for another word of the same type, which may hide much.
    let mut known: BTreeMap<WordId, Views> = BTreeMap::new();
    for (id, inner) in owners {
        if let Some(views) = known.get(&inner) {
            out.insert(id, *views);
            continue;
        }
        let Some((_, layout)) = types.pointer(inner) else { continue };
        let hidden = match types.word(inner) {
            WordTy::Exists(e) => Some(e.clone()),
            _ => None,
        };
        let mut push = |word: WordTy| {
            types.words.push(word);
            WordId(types.words.len() as u32 - 1)
        };
        let mut frozen = inner;
        let borrows = BORROWS.map(|mode| {
            let key = (mode, layout);
            let word = *pointers.entry(key).or_insert_with(|| push(WordTy::Ptr(mode, layout)));
            let word = match &hidden {
                Some(e) => push(WordTy::Exists(Exists { body: word, ..e.clone() })),
                None => word,
            };
            frozen = word; // the last one
            *opts.entry(word).or_insert_with(|| push(WordTy::Opt(word)))
        });
        let scope = scopes.get(id.index()).copied().flatten().unwrap_or(0);
        let during = push(WordTy::During(Term::var(scope), frozen));
        let during = (push(WordTy::Opt(during)), scope);
        let views = Views { borrows, during };
        known.insert(inner, views);
        out.insert(id, views);
    }
    out
}

/// Appends for each layout that applies a struct to the variables 0, 1, 2, ... the one with bytes behind it.
pub(super) fn longer(types: &mut Types) -> Vec<Option<LayoutId>> {
    let mut found = vec![None; types.layouts.len()];
    for (i, slot) in found.iter_mut().enumerate() {
        let Layout::Struct(s, args) = &types.layouts[i] else { continue };
        // Behind an abstract type of another module nothing is known to lie.
        if types.structs.get(s.index()).is_none_or(|s| s.body == Body::Hidden) {
            continue;
        }
        if args.iter().zip(0..).all(|(t, v)| t.as_var() == Some(v)) {
            let rest = Layout::Bytes(Term::var(args.len() as u32));
            types.layouts.push(rest);
            let rest = LayoutId(types.layouts.len() as u32 - 1);
            types.layouts.push(Layout::Seq([LayoutId(i as u32), rest].into()));
            *slot = Some(LayoutId(types.layouts.len() as u32 - 1));
        }
    }
    found
}

/// Appends for each array the one that states have: see [`Shapes::array`]. (Elements that mention variables from outside
/// are left as they are.)
pub(super) fn arrays(types: &mut Types) -> Vec<Option<LayoutId>> {
    let mut found = vec![None; types.layouts.len()];
    let mut known: BTreeMap<LayoutId, Option<LayoutId>> = BTreeMap::new();
    let mut of: [Option<LayoutId>; 2] = [None; 2];
    let mut sized: BTreeMap<i128, LayoutId> = BTreeMap::new();
    let push = |types: &mut Types, layout| {
        types.layouts.push(layout);
        LayoutId(types.layouts.len() as u32 - 1)
    };
    for (i, slot) in found.iter_mut().enumerate() {
        let Layout::Array(_, elem) = types.layouts[i] else { continue };
        // Elements of one type may be large, and arrays of them many.
        if let Some(array) = known.get(&elem) {
            *slot = *array;
            continue;
        }
        let variable = match types.layout(elem) {
            // Of elements whose layout is a variable the size is known.
            Layout::Of(_, n) => {
                if let Some(n) = n.as_const() {
                    let new = || {
                        let elem = push(types, Layout::Of(Term::var(0), Term::from(n)));
                        push(types, Layout::Array(Term::var(1), elem))
                    };
                    *slot = Some(*sized.entry(n).or_insert_with(new));
                }
                continue;
            }
            Layout::Cell(word) => match types.word(*word) {
                WordTy::Of(_, linear) => Some(*linear),
                word if scope_of(types, word, 0) == Some(0) => None,
                _ => {
                    known.insert(elem, None);
                    continue;
                }
            },
            Layout::Num(..) => None,
            Layout::Struct(_, args) if args.is_empty() => None,
            Layout::Exists(e) if e.first == 0 => None,
            _ => continue,
        };
        let array = match variable {
            Some(linear) => *of[usize::from(linear)].get_or_insert_with(|| {
                types.words.push(WordTy::Of(Term::var(0), linear));
                let word = WordId(types.words.len() as u32 - 1);
                let cell = push(types, Layout::Cell(word));
                push(types, Layout::Array(Term::var(1), cell))
            }),
            None => push(types, Layout::Array(Term::var(0), elem)),
        };
        known.insert(elem, Some(array));
        *slot = Some(array);
    }
    found
}

/// Appends for each array that states have the one with bytes behind it. Answers it for the array, for those that states
/// have in this form, for sequences of an array and bytes, and for itself: see [`Shapes::tail`].
pub(super) fn tails(types: &mut Types, arrays: &[Option<LayoutId>]) -> Vec<Option<LayoutId>> {
    let mut known: BTreeMap<LayoutId, LayoutId> = BTreeMap::new();
    let mut found = Vec::new();
    for i in 0..types.layouts.len() {
        let array = |id: LayoutId| arrays.get(id.index()).copied().flatten();
        let wanted = match &types.layouts[i] {
            Layout::Array(..) => array(LayoutId(i as u32)),
            Layout::Seq(parts) => match parts[..] {
                [first, rest] if matches!(types.layouts.get(rest.index()), Some(Layout::Bytes(_))) => {
                    array(first)
                }
                _ => None,
            },
            _ => None,
        };
        found.push(wanted.map(|array| {
            *known.entry(array).or_insert_with(|| {
                let length = match types.layout(array) {
                    Layout::Array(n, _) => n.scope(),
                    _ => 0,
                };
                types.layouts.push(Layout::Bytes(Term::var(length)));
                let rest = LayoutId(types.layouts.len() as u32 - 1);
                types.layouts.push(Layout::Seq([array, rest].into()));
                LayoutId(types.layouts.len() as u32 - 1)
            })
        }));
    }
    found.resize(types.layouts.len(), None);
    for (array, tail) in known {
        for id in [array, tail] {
            if let Some(slot) = found.get_mut(id.index()) {
                *slot = Some(tail);
            }
        }
    }
    found
}

/// One past the largest variable of a word type; `None`: who knows.
fn scope_of(types: &Types, word: &WordTy, depth: usize) -> Option<u32> {
    match word {
        WordTy::Int(t) | WordTy::Of(t, _) => Some(t.scope()),
        WordTy::Range(_) | WordTy::Fn(_) => Some(0),
        WordTy::FnAt(_, args) => Some(args.iter().map(Term::scope).max().unwrap_or(0)),
        WordTy::Exists(e) => Some(e.first),
        WordTy::Ptr(_, l) => match types.layout(*l) {
            Layout::Struct(_, args) => Some(args.iter().map(Term::scope).max().unwrap_or(0)),
            Layout::Bytes(t) | Layout::Cstr(Some(t)) => Some(t.scope()),
            Layout::Cstr(None) => Some(0),
            Layout::Exists(e) => Some(e.first),
            _ => None,
        },
        WordTy::During(t, w) if depth < 3 => Some(t.scope().max(scope_of(types, types.word(*w), depth + 1)?)),
        WordTy::Opt(w) | WordTy::Res(w) if depth < 2 => scope_of(types, types.word(*w), depth + 1),
        _ => None,
    }
}

/// For each struct the first layout that applies it to the variables 0, 1, 2, ...
pub(super) fn generic(types: &Types) -> Vec<Option<LayoutId>> {
    let mut found = vec![None; types.structs.len()];
    for (i, layout) in types.layouts.iter().enumerate() {
        if let Layout::Struct(s, args) = layout
            && args.iter().zip(0..).all(|(t, v)| t.as_var() == Some(v))
            && let Some(slot) = found.get_mut(s.index())
            && slot.is_none()
        {
            *slot = Some(LayoutId(i as u32));
        }
    }
    found
}
