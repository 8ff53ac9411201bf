//! docs/language.md, "Types of memory", and docs/types.md, "Memory": layouts and word types, one level at a time.
//!
//! The tables of types are those that the note reader loads. A node of them is paired with what its variables stand for, and
//! [`World::lay`] and [`World::ty`] say what it is, with terms of the state.

use super::know::Range;
use super::lin::{Lin, Var};
use super::{Stop, todo};
use std::collections::BTreeMap;
use std::rc::Rc;
use talcore::program::Program;
use talcore::types::{Body, Layout, LayoutId, Mode, SigId, StructId, WordId, WordTy};

/// What variables stand for; those that are missing stand for themselves.
pub(super) type Env = Rc<BTreeMap<Var, Lin>>;

/// A layout or a word type of the tables.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Node<Id> {
    /// Which.
    pub(super) id: Id,
    /// What its variables stand for.
    pub(super) env: Env,
}

/// A layout.
pub(super) type LayNode = Node<LayoutId>;
/// A word type.
pub(super) type TyNode = Node<WordId>;

/// What lies in memory.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Lay {
    /// Raw bytes.
    Bytes(Lin),
    /// A string of this length.
    Cstr(Option<Lin>),
    /// A word.
    Cell(TyNode),
    /// A number of so many bytes, and its range.
    Num(i128, i128, i128),
    /// A number of so many bytes, with a sign or without, that is known.
    Exact(i128, bool, Lin),
    /// Elements.
    Array(Lin, LayNode),
    /// Words up to the first 0.
    NullTerm(Option<Lin>, TyNode),
    /// A struct or union.
    Struct(StructId, Vec<Lin>),
    /// Parts.
    Seq(Vec<LayNode>),
    /// Raw bytes that others change.
    Foreign(Lin),
    /// What a layout variable stands for, of this size.
    Of(Lin, Lin),
    /// Memory with hidden numbers.
    Exists(LayNode),
}

/// What a word is.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Ty {
    /// This number.
    Int(Lin),
    /// A number of the range.
    Range(Range),
    /// A pointer.
    Ptr(Mode, LayNode),
    /// 0 or a pointer.
    Opt(TyNode),
    /// An error or a pointer.
    Res(TyNode),
    /// A pointer with hidden numbers.
    Exists(TyNode),
    /// A function.
    Fn(SigId),
    /// A word variable.
    Var(u32),
    /// A word of a type that is a variable; whether it may own memory.
    Of(Lin, bool),
    /// A function of whose signature the first variables are known.
    FnAt(SigId, Vec<Lin>),
    /// A pointer for a stretch.
    During(Lin, TyNode),
    /// A pointer if a number is in the range.
    When(Lin, Range, TyNode),
}

#[derive(Clone, Copy)]
/// The program, and what is fixed while one function is judged.
pub(super) struct World<'a> {
    /// The tables.
    pub(super) program: &'a Program<'a>,
    /// Bytes of a word.
    pub(super) word: i128,
}

impl World<'_> {
    /// 2^W.
    pub(super) fn period(&self) -> i128 {
        1 << (8 * self.word)
    }
    /// Bits of a word.
    pub(super) fn bits(&self) -> u32 {
        8 * self.word as u32
    }
    /// A term of the tables in the surroundings.
    pub(super) fn term(&self, t: &talcore::term::Term, env: &Env) -> Lin {
        Lin::read(t).subst(&|v| env.get(&v).cloned())
    }

    /// What a layout is.
    pub(super) fn lay(&self, node: &LayNode) -> Lay {
        let env = &node.env;
        let at = |id: &LayoutId| Node { id: *id, env: env.clone() };
        let word = |id: &WordId| Node { id: *id, env: env.clone() };
        match self.program.types.layout(node.id) {
            Layout::Bytes(n) => Lay::Bytes(self.term(n, env)),
            Layout::Cstr(m) => Lay::Cstr(m.as_ref().map(|m| self.term(m, env))),
            Layout::Cell(w) => Lay::Cell(word(w)),
            Layout::Num(w, i) => Lay::Num(w.bytes().into(), i.lo, i.hi),
            Layout::Foreign(n) => Lay::Foreign(self.term(n, env)),
            Layout::Exact(w, sign, t) => Lay::Exact(w.bytes().into(), *sign, self.term(t, env)),
            Layout::Array(n, l) => Lay::Array(self.term(n, env), at(l)),
            Layout::NullTerm(k, w) => Lay::NullTerm(k.as_ref().map(|k| self.term(k, env)), word(w)),
            Layout::Struct(s, args) => Lay::Struct(*s, args.iter().map(|t| self.term(t, env)).collect()),
            Layout::Seq(parts) => Lay::Seq(parts.iter().map(at).collect()),
            Layout::Of(t, n) => Lay::Of(self.term(t, env), self.term(n, env)),
            Layout::Exists(_) => Lay::Exists(node.clone()),
        }
    }

    /// What a word type is.
    pub(super) fn ty(&self, node: &TyNode) -> Result<Ty, Stop> {
        let env = &node.env;
        let at = |id: &WordId| Node { id: *id, env: env.clone() };
        Ok(match self.program.types.word(node.id) {
            WordTy::Int(t) => Ty::Int(self.term(t, env)),
            WordTy::Range(i) => Ty::Range(Range::read(i)),
            WordTy::Ptr(mode, l) => Ty::Ptr(*mode, Node { id: *l, env: env.clone() }),
            WordTy::Opt(w) => Ty::Opt(at(w)),
            WordTy::Res(w) => Ty::Res(at(w)),
            WordTy::Exists(_) => Ty::Exists(node.clone()),
            WordTy::Fn(sig) => Ty::Fn(*sig),
            WordTy::Var(v) => Ty::Var(*v),
            WordTy::Of(t, owns) => {
                let t = self.term(t, env);
                if t.constant().is_some() {
                    return todo("a type whose code is known");
                }
                Ty::Of(t, *owns)
            }
            WordTy::FnAt(sig, terms) => Ty::FnAt(*sig, terms.iter().map(|t| self.term(t, env)).collect()),
            WordTy::During(t, w) => Ty::During(self.term(t, env), at(w)),
            WordTy::When(t, i, w) => Ty::When(self.term(t, env), Range::read(i), at(w)),
        })
    }

    /// The fields of a struct, or `None` for a union or what another module knows.
    pub(super) fn fields(&self, id: StructId, args: &[Lin]) -> Option<Vec<LayNode>> {
        match &self.program.types.strukt(id).body {
            Body::Fields(fields) => {
                let env: Env = Rc::new((0..).zip(args.iter().cloned()).collect());
                Some(fields.iter().map(|id| Node { id: *id, env: env.clone() }).collect())
            }
            _ => None,
        }
    }

    /// The parts of which memory consists, if it is a struct or a sequence.
    pub(super) fn parts(&self, lay: &Lay) -> Option<Vec<LayNode>> {
        match lay {
            Lay::Struct(id, args) => self.fields(*id, args),
            Lay::Seq(parts) => Some(parts.clone()),
            _ => None,
        }
    }

    /// How many bytes a layout has, if that can be told.
    pub(super) fn size(&self, lay: &Lay) -> Result<Lin, Stop> {
        Ok(match lay {
            Lay::Bytes(n) | Lay::Foreign(n) | Lay::Of(_, n) => n.clone(),
            Lay::Cstr(Some(m)) => m.add(1),
            Lay::Cell(_) => Lin::of(self.word),
            Lay::Num(w, ..) | Lay::Exact(w, ..) => Lin::of(*w),
            Lay::Array(n, elem) => {
                let one = self.size(&self.lay(elem))?;
                match (one.constant(), n.constant()) {
                    (Some(c), _) => n.times(c),
                    (None, Some(c)) => one.times(c),
                    _ => return todo("an array whose size is not linear"),
                }
            }
            Lay::NullTerm(Some(k), _) => k.add(1).times(self.word),
            Lay::Struct(id, args) => match &self.program.types.strukt(*id).body {
                Body::Fields(_) => self.sum(&self.fields(*id, args).unwrap_or_default())?,
                Body::Union { variants, .. } => {
                    let env: Env = Rc::new((0..).zip(args.iter().cloned()).collect());
                    self.size(&self.lay(&Node { id: variants[0], env }))?
                }
                Body::Hidden => return todo("an abstract type"),
            },
            Lay::Seq(parts) => self.sum(parts)?,
            Lay::Exists(node) => match self.program.types.layout(node.id) {
                Layout::Exists(e) => self.size(&self.lay(&Node { id: e.body, env: node.env.clone() }))?,
                _ => return todo("no existential"),
            },
            Lay::Cstr(None) | Lay::NullTerm(None, _) => return todo("the size of a string of hidden length"),
        })
    }

    fn sum(&self, parts: &[LayNode]) -> Result<Lin, Stop> {
        parts.iter().try_fold(Lin::default(), |sum, p| Ok(sum.plus(&self.size(&self.lay(p))?)))
    }

    /// Whether a word of the type owns memory.
    pub(super) fn owns_word(&self, node: &TyNode) -> bool {
        self.program.types.linear(node.id)
    }

    /// Whether a part of the memory owns other memory, or may.
    pub(super) fn owns(&self, lay: &Lay) -> bool {
        match lay {
            Lay::Cell(w) => self.owns_word(w),
            Lay::Array(_, elem) => self.owns(&self.lay(elem)),
            Lay::Struct(id, args) => {
                self.fields(*id, args).is_none_or(|f| f.iter().any(|p| self.owns(&self.lay(p))))
            }
            Lay::Seq(parts) => parts.iter().any(|p| self.owns(&self.lay(p))),
            Lay::Of(..) => true,
            Lay::Exists(node) => match self.program.types.layout(node.id) {
                Layout::Exists(e) => self.owns(&self.lay(&Node { id: e.body, env: node.env.clone() })),
                _ => true,
            },
            _ => false,
        }
    }

    /// Whether any bytes may be written there: raw, or numbers of full range.
    pub(super) fn raw(&self, lay: &Lay) -> bool {
        match lay {
            Lay::Bytes(_) | Lay::Foreign(_) => true,
            Lay::Num(w, lo, hi) => {
                let period = 1i128 << (8 * w);
                (*lo == 0 && *hi == period - 1) || (*lo == -(period / 2) && *hi == period / 2 - 1)
            }
            Lay::Cell(node) => match self.ty(node) {
                Ok(Ty::Range(r)) => {
                    r == Range::new(0, self.period() - 1)
                        || r == Range::new(-(self.period() / 2), self.period() / 2 - 1)
                }
                _ => false,
            },
            Lay::Array(_, elem) => self.raw(&self.lay(elem)),
            Lay::Struct(..) | Lay::Seq(_) => {
                self.parts(lay).is_some_and(|parts| parts.iter().all(|p| self.raw(&self.lay(p))))
            }
            _ => false,
        }
    }
}
