//! What is worked out once about every type: sizes, scopes, and whether it is well formed.
//!
//! Runs over the tables after all notes have been read. The readers guarantee that nodes mention
//! only earlier nodes and nest at most [`NESTING`](crate::limits::NESTING) deep, except through structs; structs
//! contain each other by value only without cycles, which is checked here.

mod added;
mod measure;
mod unions;

pub use added::BORROWS;
pub use unions::UnionShape;

use crate::arch::Arch;
use crate::facts::Interval;
use crate::term::Term;
use crate::types::{Layout, LayoutId, Mode, StructId, Types, WordId, WordTy};
use crate::x86::insn::Width;
use added::{Views, arrays, block, borrowed, generic, longer, tails};
use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;
use measure::Measure;

/// The results, by layout.
#[derive(Clone, Debug, Default)]
pub struct Shapes {
    sizes: Vec<Option<Term>>,
    raw: Vec<bool>,
    linear: Vec<bool>,
    hides: Vec<bool>,
    closed: Vec<bool>,
    scopes: Vec<Option<u32>>,
    borrowed: BTreeMap<WordId, Views>,
    opened: Vec<Option<LayoutId>>,
    generic: Vec<Option<LayoutId>>,
    string: Option<LayoutId>,
    bytes: Option<LayoutId>,
    zeros: Option<LayoutId>,
    text: Option<LayoutId>,
    foreign: Option<LayoutId>,
    of_code: Option<LayoutId>,
    maybe_string: Option<WordId>,
    block: Option<LayoutId>,
    longer: Vec<Option<LayoutId>>,
    arrays: Vec<Option<LayoutId>>,
    tails: Vec<Option<LayoutId>>,
    coded: Vec<bool>,
    unions: Vec<Option<UnionShape>>,
    of: [Option<WordId>; 2],
    int: Option<WordId>,
}

/// The interval of what is 0.
pub const ZERO: Interval = Interval { lo: 0, hi: 0 };

/// Why a type is not well formed.
pub type Bad = &'static str;

impl Shapes {
    /// Appends the layouts that opening a hidden length needs and the block of process start, then
    /// measures and checks everything.
    pub fn of(types: &mut Types, arch: Arch) -> Result<Shapes, Bad> {
        let mut opened = vec![None; types.layouts.len()];
        let cstr = LayoutId(types.layouts.len() as u32);
        types.layouts.push(Layout::Cstr(Some(Term::var(0))));
        let bytes = LayoutId(types.layouts.len() as u32);
        types.layouts.push(Layout::Bytes(Term::var(0)));
        let zero = LayoutId(types.layouts.len() as u32);
        types.layouts.push(Layout::Num(Width::B1, ZERO));
        let zeros = LayoutId(types.layouts.len() as u32);
        types.layouts.push(Layout::Array(Term::var(0), zero));
        let rest = Term::var(1).sub(&Term::var(0)).and_then(|t| t.offset(-1));
        types.layouts.push(Layout::Bytes(rest.ok_or("a size is too large")?));
        let text = LayoutId(types.layouts.len() as u32);
        types.layouts.push(Layout::Seq([cstr, LayoutId(text.0 - 1)].into()));
        let foreign = LayoutId(types.layouts.len() as u32);
        types.layouts.push(Layout::Foreign(Term::var(0)));
        let of_code = LayoutId(types.layouts.len() as u32);
        types.layouts.push(Layout::Of(Term::var(0), Term::var(1)));
        for (i, slot) in opened.iter_mut().enumerate() {
            match types.layouts[i] {
                Layout::Cstr(None) => *slot = Some(cstr),
                Layout::NullTerm(None, word) => {
                    *slot = Some(LayoutId(types.layouts.len() as u32));
                    types.layouts.push(Layout::NullTerm(Some(Term::var(0)), word));
                }
                _ => {}
            }
        }
        let (block, maybe_string) = block(types);
        let mut push = |word| {
            types.words.push(word);
            Some(WordId(types.words.len() as u32 - 1))
        };
        let of = [push(WordTy::Of(Term::var(0), false)), push(WordTy::Of(Term::var(0), true))];
        let int = push(WordTy::Range(Interval::unsigned(arch.word_bits())));
        let scopes = Measure::new(types, arch).scopes()?;
        let borrowed = borrowed(types, &scopes);
        let longer = longer(types);
        let arrays = arrays(types);
        let tails = tails(types, &arrays);
        opened.resize(types.layouts.len(), None);
        for (slot, layout) in opened.iter_mut().zip(&types.layouts) {
            if *layout == Layout::Cstr(None) {
                *slot = Some(cstr);
            }
        }
        let mut m = Measure::new(types, arch);
        m.everything()?;
        let coded = (0..types.words.len() as u32).map(|i| m.coded(WordId(i))).collect();
        let closed = m.word_scopes.iter().map(|scope| *scope == Some(0)).collect();
        let done = core::mem::take(&mut m.done);
        let sizes = done.iter().map(|i| i.as_ref().and_then(|i| i.size.clone())).collect();
        let raw = done.iter().map(|i| i.as_ref().is_some_and(|i| i.raw)).collect();
        let hides = done.iter().map(|i| i.as_ref().is_none_or(|i| i.hides)).collect();
        let linear = done.iter().map(|i| i.as_ref().is_none_or(|i| i.linear)).collect();
        Ok(Shapes {
            sizes,
            raw,
            linear,
            hides,
            closed,
            scopes: core::mem::take(&mut m.layout_scopes),
            borrowed,
            opened,
            generic: generic(types),
            string: Some(cstr),
            bytes: Some(bytes),
            zeros: Some(zeros),
            text: Some(text),
            foreign: Some(foreign),
            of_code: Some(of_code),
            maybe_string: Some(maybe_string),
            block: Some(block),
            longer,
            arrays,
            tails,
            coded,
            unions: core::mem::take(&mut m.unions),
            of,
            int,
        })
    }

    /// The size of a layout in bytes, over the variables of its scope.
    pub fn size(&self, id: LayoutId) -> Option<&Term> {
        self.sizes.get(id.index())?.as_ref()
    }

    /// The size of a layout of which any bytes are a value.
    pub fn raw_size(&self, id: LayoutId) -> Option<&Term> {
        if self.raw.get(id.index()).copied().unwrap_or(false) { self.size(id) } else { None }
    }

    /// Whether memory of this layout owns other memory, so that its words may not be copied out of it freely.
    pub fn linear(&self, id: LayoutId) -> bool {
        self.linear.get(id.index()).copied().unwrap_or(true)
    }

    /// Whether parts of memory of this layout, or all of it, are existential.
    pub fn hides(&self, id: LayoutId) -> bool {
        self.hides.get(id.index()).copied().unwrap_or(true)
    }

    /// Whether a word type mentions no variables from outside.
    pub fn closed(&self, id: WordId) -> bool {
        self.closed.get(id.index()).copied().unwrap_or(false)
    }

    /// Whether a word type has a code: it mentions no variables from outside, and may lie in memory.
    pub fn coded(&self, id: WordId) -> bool {
        self.coded.get(id.index()).copied().unwrap_or(false)
    }

    /// The word type whose code is the variable 0; `linear`: it may own memory.
    pub fn variable(&self, linear: bool) -> WordId {
        self.of[usize::from(linear)].unwrap_or(WordId(0))
    }

    /// Where the tag of a union lies and what it may be; `None`: it is a struct.
    pub fn union(&self, id: StructId) -> Option<&UnionShape> {
        self.unions.get(id.index())?.as_ref()
    }

    /// `int`: any word.
    pub fn int(&self) -> WordId {
        self.int.unwrap_or(WordId(0))
    }

    /// What a word that owns memory or is 0 is seen as through a borrow of the memory that it lies in.
    pub fn borrowed(&self, id: WordId, mode: Mode) -> Option<WordId> {
        let i = BORROWS.iter().position(|m| *m == mode)?;
        self.borrowed.get(&id).map(|views| views.borrows[i])
    }

    /// What such a word is seen as in memory that is lent for a stretch, whose number is the variable that comes with it.
    pub fn during(&self, id: WordId) -> Option<(WordId, u32)> {
        self.borrowed.get(&id).map(|views| views.during)
    }

    /// The layout that names the length (variable 0) which this one hides.
    pub fn opened(&self, id: LayoutId) -> Option<LayoutId> {
        self.opened.get(id.index()).copied().flatten()
    }

    /// `cstr(v0)`: a string whose hidden length got a name.
    pub fn string(&self) -> LayoutId {
        self.string.unwrap_or(LayoutId(0))
    }

    /// One more than the largest variable that a layout mentions.
    pub fn scope(&self, id: LayoutId) -> Option<u32> {
        self.scopes.get(id.index()).copied().flatten()
    }

    /// `zero(v0)`: bytes that are 0.
    pub fn zeros(&self) -> LayoutId {
        self.zeros.unwrap_or(LayoutId(0))
    }

    /// `foreign(v0)`: memory that others change.
    pub fn foreign(&self) -> LayoutId {
        self.foreign.unwrap_or(LayoutId(0))
    }

    /// The layout with the code `v0`, of `v1` bytes.
    pub fn of_code(&self) -> LayoutId {
        self.of_code.unwrap_or(LayoutId(0))
    }

    /// A string of the length `v0` and bytes behind it, `v1` bytes in all: raw memory in which a 0 was found.
    pub fn text(&self) -> LayoutId {
        self.text.unwrap_or(LayoutId(0))
    }

    /// The layout that applies a struct to the variables 0, 1, 2, ..., if there is one.
    pub fn generic(&self, id: StructId) -> Option<LayoutId> {
        self.generic.get(id.index()).copied().flatten()
    }

    /// For a layout that applies a struct to the variables 0, 1, 2, ...: that, and bytes behind it of the size that the
    /// next variable says.
    pub fn longer(&self, id: LayoutId) -> Option<LayoutId> {
        self.longer.get(id.index()).copied().flatten()
    }

    /// For an array the one in whose form states have it: of `v0` elements that mention no variables, or of `v1` words of
    /// the type whose code is `v0`.
    pub fn array(&self, id: LayoutId) -> Option<LayoutId> {
        self.arrays.get(id.index()).copied().flatten()
    }

    /// For an array of that form, and for sequences of an array and raw bytes: the array, and bytes behind it of the size
    /// that the next variable says.
    pub fn tail(&self, id: LayoutId) -> Option<LayoutId> {
        self.tails.get(id.index()).copied().flatten()
    }

    /// Those that every note may name at its labels, in the order of their numbers there.
    pub fn common(&self) -> [LayoutId; 6] {
        [self.string(), self.bytes(), self.zeros(), self.text(), self.foreign(), self.of_code()]
    }

    /// `bytes(v0)`: memory whose contents have been forgotten.
    pub fn bytes(&self) -> LayoutId {
        self.bytes.unwrap_or(LayoutId(0))
    }

    /// `opt imm cstr`: a word of the environment.
    pub fn maybe_string(&self) -> WordId {
        self.maybe_string.unwrap_or(WordId(0))
    }

    /// The block that the kernel writes before a process starts.
    pub fn block(&self) -> LayoutId {
        self.block.unwrap_or(LayoutId(0))
    }
}
