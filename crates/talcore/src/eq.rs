//! Equality of types across notes: structural, and for structs by definition, never by name.
//!
//! Two structs are equal if their definitions are, assuming that they are (the greatest fixed
//! point): a cycle through pointers that never finds a difference is an equality.

use crate::types::{Layout, LayoutId, Sig, SigId, StructId, Types, WordId, WordTy};
use alloc::collections::BTreeSet;

/// Whether two signatures are the same up to the names of variables, which are numbers. Running out
/// of `fuel` steps answers no.
pub fn same_sig(types: &Types, a: SigId, b: SigId, fuel: u64) -> bool {
    TypeEq::new(types, fuel).sigs(a, b)
}

/// Whether two layouts are the same; likewise.
pub fn same_layout(types: &Types, a: LayoutId, b: LayoutId, fuel: u64) -> bool {
    TypeEq::new(types, fuel).layouts(a, b)
}

/// How deep comparing may recurse, through pointers too.
const DEPTH: usize = 512;

/// One comparison; remembers what it has assumed, so it is good for one question only.
struct TypeEq<'t> {
    types: &'t Types,
    structs: BTreeSet<(StructId, StructId)>,
    layouts: BTreeSet<(LayoutId, LayoutId)>,
    /// Steps left: comparing costs at most the product of two notes' types in theory, so it is
    /// bounded; running out says "different".
    fuel: u64,
    depth: usize,
}

impl<'t> TypeEq<'t> {
    fn new(types: &'t Types, fuel: u64) -> TypeEq<'t> {
        TypeEq { types, structs: BTreeSet::new(), layouts: BTreeSet::new(), fuel, depth: 0 }
    }

    fn step(&mut self) -> bool {
        self.fuel = self.fuel.saturating_sub(1);
        self.fuel > 0
    }

    fn words(&mut self, a: WordId, b: WordId) -> bool {
        if a == b {
            return true;
        }
        if !self.step() {
            return false;
        }
        match (self.types.word(a), self.types.word(b)) {
            (WordTy::Ptr(m, x), WordTy::Ptr(n, y)) => m == n && self.layouts(*x, *y),
            (WordTy::Opt(x), WordTy::Opt(y)) => self.words(*x, *y),
            (WordTy::Fn(x), WordTy::Fn(y)) => self.sigs(*x, *y),
            (x, y) => x == y,
        }
    }

    fn layouts(&mut self, a: LayoutId, b: LayoutId) -> bool {
        if a == b || self.layouts.contains(&(a, b)) {
            return true;
        }
        if !self.step() || self.depth >= DEPTH {
            return false;
        }
        self.depth += 1;
        let same = match (self.types.layout(a), self.types.layout(b)) {
            (Layout::Cell(x), Layout::Cell(y)) => self.words(*x, *y),
            (Layout::Array(n, x), Layout::Array(m, y)) => n == m && self.layouts(*x, *y),
            (Layout::NullTerm(n, x), Layout::NullTerm(m, y)) => n == m && self.words(*x, *y),
            (Layout::Struct(s, x), Layout::Struct(t, y)) => x == y && self.structs(*s, *t),
            (Layout::Seq(x), Layout::Seq(y)) => {
                x.len() == y.len() && x.iter().zip(y.iter()).all(|(x, y)| self.layouts(*x, *y))
            }
            (x, y) => x == y,
        };
        self.depth -= 1;
        if same {
            self.layouts.insert((a, b));
        }
        same
    }

    fn structs(&mut self, a: StructId, b: StructId) -> bool {
        if a == b || !self.structs.insert((a, b)) {
            return true;
        }
        let (x, y) = (self.types.strukt(a), self.types.strukt(b));
        x.params == y.params
            && x.facts == y.facts
            && x.fields.len() == y.fields.len()
            && x.fields.iter().zip(&y.fields).all(|(x, y)| self.layouts(*x, *y))
    }

    fn sigs(&mut self, a: SigId, b: SigId) -> bool {
        if a == b {
            return true;
        }
        if !self.step() {
            return false;
        }
        let (x, y): (&Sig, &Sig) = (self.types.sig(a), self.types.sig(b));
        x.vars == y.vars
            && x.word_vars == y.word_vars
            && x.facts == y.facts
            && x.result_vars == y.result_vars
            && x.result_facts == y.result_facts
            && (x.preserved, x.noreturn, x.start) == (y.preserved, y.noreturn, y.start)
            && self.registers(&x.params, &y.params)
            && self.registers(&x.results, &y.results)
            && x.stack.len() == y.stack.len()
            && x.stack.iter().zip(&y.stack).all(|(x, y)| self.words(*x, *y))
            && x.gives_back.len() == y.gives_back.len()
            && x.gives_back.iter().zip(&y.gives_back).all(|(x, y)| x.0 == y.0 && self.layouts(x.1, y.1))
    }

    fn registers(&mut self, a: &[(u8, WordId)], b: &[(u8, WordId)]) -> bool {
        a.len() == b.len() && a.iter().zip(b).all(|(x, y)| x.0 == y.0 && self.words(x.1, y.1))
    }
}
