//! Equality of types across notes: structural, and for structs by definition, never by name.
//!
//! Two structs are equal if their definitions are, assuming that they are (the greatest fixed
//! point): a cycle through pointers that never finds a difference is an equality. Abstract types are the same if they
//! have one name, an address: the module that exports one knows its fields, and no other module.
//!
//! So two questions are asked. Whether two types *are* the same, whoever sees what of them: that is what seams,
//! function values and [codes](crate::codes) need. And whether they are also *seen* as the same, so that one may stand
//! for the other in the tables: what a module sees of an abstract type must not depend on what others see.

use crate::codes::{code, coded};
use crate::limits;
use crate::term::Term;
use crate::types::{Body, Layout, LayoutId, Sig, SigId, Struct, StructId, Types, WordId, WordTy};
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

/// Whether two signatures are the same up to the names of variables, which are numbers. The steps that
/// it takes are paid from `fuel`; running out of it answers no.
pub fn same_sig(types: &Types, a: SigId, b: SigId, fuel: &mut u64) -> bool {
    TypeEq::new(types, fuel).sigs(a, b)
}

/// Whether two layouts are the same; likewise.
pub fn same_layout(types: &Types, a: LayoutId, b: LayoutId, fuel: &mut u64) -> bool {
    TypeEq::new(types, fuel).layouts(a, b)
}

/// Gives structs of equal definitions one number, so that modules may share them: from here on two structs are the
/// same if their numbers are. What costs more than `fuel` steps to compare stays different.
pub fn unite_structs(types: &mut Types, mut fuel: u64) {
    let mut alike: BTreeMap<u64, Vec<StructId>> = BTreeMap::new();
    let mut united: Vec<StructId> = Vec::with_capacity(types.structs.len());
    for i in 0..types.structs.len() {
        let id = StructId(i as u32);
        let known = alike.entry(outline(types, id)).or_default();
        let same = |other, left: &mut u64| TypeEq::seen(types, left).structs(other, id);
        united.push(first_alike(known, id, &mut fuel, same));
    }
    for layout in &mut types.layouts {
        if let Layout::Struct(id, _) = layout
            && let Some(first) = united.get(id.index())
        {
            *id = *first;
        }
    }
}

/// What is known of the equality of word types.
#[derive(Clone, Debug, Default)]
pub struct United {
    /// For each word type the first one that is the same, as far as that could be told.
    pub first: Arc<[WordId]>,
    /// Where not all modules see the same of all types, those of modules: the first one, and each, in order.
    pub views: Vec<(WordId, WordId)>,
}

/// Finds out which word types are the same, within `fuel` steps. Type arguments become the codes of the first ones.
/// Which words are those of `notes`: a module that has no type of its own for a code must not see that of another one, so
/// all of these are views as soon as anything is abstract, whether it is mentioned in them or not.
pub fn unite_words(types: &mut Types, fuel: u64, notes: Range<u32>) -> United {
    let first = same_words(types, fuel);
    let mut views = Vec::new();
    if types.structs.iter().any(|s| s.brand.is_some()) {
        let all = first.iter().copied().zip((0..).map(WordId));
        views.extend(all.filter(|(first, _)| notes.contains(&first.0)));
        views.sort_unstable();
    }
    United { first, views }
}

/// For each struct one number that it has in common with those that are the same, whoever sees what of them.
fn kinds_of_structs(types: &Types, mut fuel: u64) -> Vec<StructId> {
    let ids = (0..types.structs.len()).map(|i| StructId(i as u32));
    if types.structs.iter().all(|s| s.brand.is_none()) {
        return ids.collect();
    }
    let mut alike: BTreeMap<u64, Vec<StructId>> = BTreeMap::new();
    ids.map(|id| {
        let known = alike.entry(outline(types, id)).or_default();
        first_alike(known, id, &mut fuel, |other, left: &mut u64| TypeEq::new(types, left).structs(other, id))
    })
    .collect()
}

fn same_words(types: &mut Types, mut fuel: u64) -> Arc<[WordId]> {
    let kinds = kinds_of_structs(types, fuel);
    let kind = |s: StructId| u64::from(kinds.get(s.index()).unwrap_or(&s).0);
    let mut alike: BTreeMap<u64, Vec<WordId>> = BTreeMap::new();
    let mut united: Vec<WordId> = Vec::with_capacity(types.words.len());
    // Many pointers may lead to one layout.
    let mut ready = vec![false; types.layouts.len()];
    for i in 0..types.words.len() {
        let id = WordId(i as u32);
        // Arguments came before: once they are united, comparing them takes one step each.
        let Types { words, layouts, .. } = types;
        let args = match &mut words[i] {
            WordTy::FnAt(_, args) => Some(args),
            WordTy::Ptr(_, l) => match (layouts.get_mut(l.index()), ready.get_mut(l.index())) {
                (Some(Layout::Struct(_, args)), Some(ready @ false)) => {
                    *ready = true;
                    Some(args)
                }
                _ => None,
            },
            _ => None,
        };
        unite_args(args, &united);
        let known = alike.entry(word_outline(types, id, &kind)).or_default();
        let same = |other, left: &mut u64| TypeEq::new(types, left).words(other, id);
        united.push(first_alike(known, id, &mut fuel, same));
    }
    let united: Arc<[WordId]> = united.into();
    for layout in &mut types.layouts {
        if let Layout::Struct(_, args) = layout {
            unite_args(Some(args), &united);
        }
    }
    united
}

fn unite_args(args: Option<&mut Box<[Term]>>, united: &[WordId]) {
    for t in args.into_iter().flat_map(|args| args.iter_mut()) {
        if let Some(first) = coded(t).and_then(|id| united.get(id.index())) {
            *t = code(*first);
        }
    }
}

/// The first of those that are `known` which is the same as `id`, or `id`, which is known from then on.
fn first_alike<T: Copy>(known: &mut Vec<T>, id: T, fuel: &mut u64, same: impl Fn(T, &mut u64) -> bool) -> T {
    for &other in known.iter() {
        let most = UNITE_STEPS.min(*fuel);
        let mut left = most;
        let found = same(other, &mut left);
        *fuel = fuel.saturating_sub(most - left + 1);
        if found {
            return other;
        }
    }
    if known.len() < ALIKE {
        known.push(id);
    }
    id
}

/// Steps that comparing two structs may take.
const UNITE_STEPS: u64 = 1 << 12;
/// How many structs of one outline are compared with others.
const ALIKE: usize = 8;

/// A number that equal structs have in common: what can be seen without following pointers.
fn outline(types: &Types, id: StructId) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut mix = |n: u64| hash = (hash ^ n).wrapping_mul(0x100_0000_01b3);
    let s = types.strukt(id);
    mix(u64::from(s.params));
    if let Some(name) = s.brand {
        mix(name);
        return hash;
    }
    mix(s.facts.len() as u64);
    if let Body::Union { tag, .. } = s.body {
        mix(tag.wrapping_add(17));
    }
    for &field in s.body.parts() {
        match types.layout(field) {
            Layout::Bytes(n) => mix(n.konst() as u64),
            Layout::Cstr(_) => mix(1),
            Layout::Cell(w) => mix(kind_of(types, *w)),
            Layout::Num(w, r) => mix(w.bytes() as u64 ^ (r.lo as u64).wrapping_mul(31) ^ r.hi as u64),
            Layout::Exact(w, signed, _) => mix(w.bytes() as u64 ^ (19 + u64::from(*signed)) << 8),
            Layout::Foreign(n) => mix(23 ^ (n.konst() as u64) << 8),
            Layout::Of(_, n) => mix(29 ^ (n.konst() as u64) << 8),
            Layout::Array(n, _) => mix(13 ^ n.konst() as u64),
            Layout::NullTerm(..) => mix(14),
            Layout::Struct(..) => mix(15),
            Layout::Seq(parts) => mix(16 + parts.len() as u64),
            Layout::Exists(e) => mix(8192 + e.vars.len() as u64),
        }
    }
    hash
}

fn kind_of(types: &Types, id: WordId) -> u64 {
    match types.word(id) {
        WordTy::Int(_) => 2,
        WordTy::Range(r) => (r.lo as u64).wrapping_mul(31) ^ r.hi as u64,
        WordTy::Ptr(mode, _) => 3 + *mode as u64,
        WordTy::Opt(_) => 10,
        WordTy::Fn(_) => 11,
        WordTy::Var(_) => 12,
        WordTy::Res(_) => 17,
        WordTy::Of(..) => 15,
        WordTy::FnAt(..) => 16,
        WordTy::During(..) => 14,
        WordTy::When(..) => 13,
        WordTy::Exists(e) => 18 + e.vars.len() as u64,
    }
}

/// How many arguments of a type its outline tells.
const OUTLINED: usize = 8;

/// The same for words. Structs that are the same have one `kind`, and types that are arguments one number.
fn word_outline(types: &Types, id: WordId, kind: &impl Fn(StructId) -> u64) -> u64 {
    let mut id = id;
    let mut hash = 0u64;
    for _ in 0..limits::NESTING {
        hash = hash.wrapping_mul(0x100_0000_01b3) ^ kind_of(types, id);
        id = match types.word(id) {
            WordTy::Opt(inner) | WordTy::Res(inner) => *inner,
            WordTy::Exists(e) => e.body,
            WordTy::During(_, inner) | WordTy::When(_, _, inner) => *inner,
            _ => break,
        };
    }
    match types.word(id) {
        WordTy::Ptr(_, l) => match types.layout(*l) {
            Layout::Struct(s, args) => {
                let mix = |sum: u64, t: &Term| sum.wrapping_mul(0x100_0000_01b3) ^ t.konst() as u64;
                hash ^ kind(*s) << 32 ^ args.iter().take(OUTLINED).fold(0, mix) << 8
            }
            Layout::Bytes(n) => hash ^ (n.konst() as u64) << 32,
            _ => hash,
        },
        WordTy::Int(t) => hash ^ (t.konst() as u64) << 32,
        WordTy::Fn(sig) => {
            let s = types.sig(*sig);
            hash ^ ((s.params.len() as u64) << 8 | s.results.len() as u64) << 32
        }
        _ => hash,
    }
}

/// What comparing two facts costs, which have up to 16 summands.
const FACT: usize = 4;

/// How deep comparing may recurse, through pointers, signatures and structs.
const DEPTH: usize = 512;

/// One comparison; remembers what it has assumed, so it is good for one question only.
struct TypeEq<'t, 'f> {
    types: &'t Types,
    structs: BTreeSet<(StructId, StructId)>,
    layouts: BTreeSet<(LayoutId, LayoutId)>,
    /// Steps left: comparing costs at most the product of two notes' types in theory, so it is
    /// bounded; running out says "different".
    fuel: &'f mut u64,
    depth: usize,
    /// What a module exports as abstract is another type than what others see of it.
    seen: bool,
}

impl<'t, 'f> TypeEq<'t, 'f> {
    fn new(types: &'t Types, fuel: &'f mut u64) -> TypeEq<'t, 'f> {
        TypeEq { types, structs: BTreeSet::new(), layouts: BTreeSet::new(), fuel, depth: 0, seen: false }
    }

    /// A comparison of what modules see.
    fn seen(types: &'t Types, fuel: &'f mut u64) -> TypeEq<'t, 'f> {
        TypeEq { seen: true, ..TypeEq::new(types, fuel) }
    }

    /// Compares one level deeper; the answer is no when that costs too much.
    fn deeper(&mut self, compare: impl FnOnce(&mut Self) -> bool) -> bool {
        *self.fuel = self.fuel.saturating_sub(1);
        if *self.fuel == 0 || self.depth >= DEPTH {
            return false;
        }
        self.depth += 1;
        let same = compare(self);
        self.depth -= 1;
        same
    }

    /// Pays for comparing what has so many parts. The answer is no when that costs too much.
    fn pay(&mut self, parts: usize) -> bool {
        *self.fuel = self.fuel.saturating_sub(parts as u64);
        *self.fuel > 0
    }

    fn words(&mut self, a: WordId, b: WordId) -> bool {
        a == b
            || self.deeper(|e| match (e.types.word(a), e.types.word(b)) {
                (WordTy::Ptr(m, x), WordTy::Ptr(n, y)) => m == n && e.layouts(*x, *y),
                (WordTy::Opt(x), WordTy::Opt(y)) | (WordTy::Res(x), WordTy::Res(y)) => e.words(*x, *y),
                (WordTy::Exists(x), WordTy::Exists(y)) => {
                    e.pay(x.vars.len() + FACT * x.facts.len())
                        && (x.first, &x.vars, &x.facts) == (y.first, &y.vars, &y.facts)
                        && e.words(x.body, y.body)
                }
                (WordTy::During(s, x), WordTy::During(t, y)) => s == t && e.words(*x, *y),
                (WordTy::When(s, p, x), WordTy::When(t, q, y)) => (s, p) == (t, q) && e.words(*x, *y),
                (WordTy::Fn(x), WordTy::Fn(y)) => e.sigs(*x, *y),
                (WordTy::FnAt(s, x), WordTy::FnAt(t, y)) => {
                    e.pay(x.len())
                        && x.len() == y.len()
                        && x.iter().zip(y.iter()).all(|(x, y)| e.args(x, y))
                        && e.sigs(*s, *t)
                }
                (x, y) => x == y,
            })
    }

    fn layouts(&mut self, a: LayoutId, b: LayoutId) -> bool {
        if a == b || self.layouts.contains(&(a, b)) {
            return true;
        }
        let same = self.deeper(|e| match (e.types.layout(a), e.types.layout(b)) {
            (Layout::Cell(x), Layout::Cell(y)) => e.words(*x, *y),
            (Layout::Array(n, x), Layout::Array(m, y)) => n == m && e.layouts(*x, *y),
            (Layout::NullTerm(n, x), Layout::NullTerm(m, y)) => n == m && e.words(*x, *y),
            (Layout::Struct(s, x), Layout::Struct(t, y)) => {
                e.pay(x.len())
                    && x.len() == y.len()
                    && x.iter().zip(y.iter()).all(|(x, y)| e.args(x, y))
                    && e.structs(*s, *t)
            }
            (Layout::Exists(x), Layout::Exists(y)) => {
                e.pay(x.vars.len() + FACT * x.facts.len())
                    && (x.first, &x.vars, &x.facts) == (y.first, &y.vars, &y.facts)
                    && e.layouts(x.body, y.body)
            }
            (Layout::Seq(x), Layout::Seq(y)) => {
                x.len() == y.len() && x.iter().zip(y.iter()).all(|(x, y)| e.layouts(*x, *y))
            }
            (x, y) => x == y,
        });
        if same {
            self.layouts.insert((a, b));
        }
        same
    }

    /// Two arguments; those that are codes are the types.
    fn args(&mut self, a: &Term, b: &Term) -> bool {
        let word = |t: &Term| coded(t).filter(|id| id.index() < self.types.words.len());
        match (word(a), word(b)) {
            (Some(x), Some(y)) => self.words(x, y),
            _ => a == b,
        }
    }

    fn structs(&mut self, a: StructId, b: StructId) -> bool {
        if a == b || !self.structs.insert((a, b)) {
            return true;
        }
        let (x, y) = (self.types.strukt(a), self.types.strukt(b));
        if x.brand.is_some() || y.brand.is_some() {
            // Two that both have fields are never one: exactly one module exports what a name means.
            let hidden = |s: &Struct| s.body == Body::Hidden;
            let alike = if self.seen { hidden(x) && hidden(y) } else { hidden(x) || hidden(y) };
            return x.brand == y.brand && x.params == y.params && alike;
        }
        self.pay(1 + FACT * x.facts.len())
            && x.params == y.params
            && x.facts == y.facts
            && self.bodies(&x.body, &y.body)
    }

    fn bodies(&mut self, x: &Body, y: &Body) -> bool {
        let alike = match (x, y) {
            (Body::Fields(_), Body::Fields(_)) => true,
            (Body::Union { tag: a, .. }, Body::Union { tag: b, .. }) => a == b,
            _ => false,
        };
        let (x, y) = (x.parts(), y.parts());
        alike && x.len() == y.len() && x.iter().zip(y).all(|(x, y)| self.layouts(*x, *y))
    }

    fn sigs(&mut self, a: SigId, b: SigId) -> bool {
        a == b || self.deeper(|e| e.sig_parts(a, b))
    }

    fn sig_parts(&mut self, a: SigId, b: SigId) -> bool {
        let (x, y): (&Sig, &Sig) = (self.types.sig(a), self.types.sig(b));
        let lists = x.vars.len() + x.result_vars.len() + FACT * (x.facts.len() + x.result_facts.len());
        self.pay(lists + x.params.len() + x.stack.len() + x.results.len())
            && x.vars == y.vars
            && (x.word_vars, &x.stretches) == (y.word_vars, &y.stretches)
            && x.facts == y.facts
            && x.result_vars == y.result_vars
            && x.result_facts == y.result_facts
            && (x.preserved, x.noreturn, x.start) == (y.preserved, y.noreturn, y.start)
            && self.statics(&x.uses, &y.uses)
            && self.registers(&x.params, &y.params)
            && self.registers(&x.results, &y.results)
            && x.stack.len() == y.stack.len()
            && x.stack.iter().zip(&y.stack).all(|(x, y)| self.words(*x, *y))
            && x.gives_back.len() == y.gives_back.len()
            && x.kept.len() == y.kept.len()
            && x.kept.iter().zip(&y.kept).all(|(x, y)| {
                (x.param, x.result, x.range) == (y.param, y.result, y.range)
                    && self.layouts(x.layout, y.layout)
            })
            && x.gives_back.iter().zip(&y.gives_back).all(|(x, y)| x.0 == y.0 && self.layouts(x.1, y.1))
    }

    /// Whether two functions use the same owned statics. Notes list them in orders of their own, each once.
    fn statics(&mut self, a: &[u64], b: &[u64]) -> bool {
        *self.fuel = self.fuel.saturating_sub((a.len() * b.len()) as u64);
        a.len() == b.len() && a.iter().all(|x| b.contains(x))
    }

    fn registers(&mut self, a: &[(u8, WordId)], b: &[(u8, WordId)]) -> bool {
        a.len() == b.len() && a.iter().zip(b).all(|(x, y)| x.0 == y.0 && self.words(x.1, y.1))
    }
}
