//! Types as flat tables with ids: word types, layouts, structs and signatures.
//!
//! Terms inside a node speak of the index variables of the scope that the node is used in: the
//! variables of a signature, or the parameters of a struct. To use a node somewhere else one pairs
//! its id with an environment (a term for each variable): see [`crate::state::Lay`]. Nodes are
//! therefore never copied or rewritten, and instantiation costs nothing until a node is looked at.
//!
//! Ids are only ever smaller than the node that mentions them, except for structs, which are the
//! only way to recursion; so every walk over types without unfolding structs ends.

use crate::facts::Interval;
use crate::term::Term;
use crate::x86::insn::Width;
use alloc::boxed::Box;
use alloc::vec::Vec;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
        pub struct $name(pub u32);
        impl $name {
            /// The id as an index.
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        }
    };
}

id!(/** A word type: an index into [`Types::words`]. */ WordId);
id!(/** A layout: an index into [`Types::layouts`]. */ LayoutId);
id!(/** A struct: an index into [`Types::structs`]. */ StructId);
id!(/** A signature: an index into [`Types::sigs`]. */ SigId);

/// How memory may be used through a pointer, and for how long.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord)]
#[repr(u8)]
pub enum Mode {
    /// `own L`: unique.
    Own,
    /// `&uniq L`: exclusive for this call; given back with the same size.
    Uniq,
    /// `ref L`: lives to process exit, aliased, keeps its declared type.
    Shared,
    /// `imm L`: lives to process exit, never changes.
    Imm,
    /// `&mut L`: for this call, may be aliased, keeps its declared type.
    Mut,
    /// `&L`: for this call, read only, may change underneath.
    Read,
    /// `&frozen L`: for this call, read only, nobody writes.
    Frozen,
}

impl Mode {
    /// All modes, by discriminant.
    pub const ALL: [Mode; 7] =
        [Mode::Own, Mode::Uniq, Mode::Shared, Mode::Imm, Mode::Mut, Mode::Read, Mode::Frozen];

    /// Whether a store through the pointer is allowed.
    pub const fn writable(self) -> bool {
        matches!(self, Mode::Own | Mode::Uniq | Mode::Shared | Mode::Mut)
    }
    /// Whether nobody else can write the memory: claims about its contents stay true.
    pub const fn stable(self) -> bool {
        matches!(self, Mode::Own | Mode::Uniq | Mode::Imm | Mode::Frozen)
    }
    /// Whether the pointer is good to the end of the process, so that it may be stored anywhere.
    pub const fn permanent(self) -> bool {
        matches!(self, Mode::Shared | Mode::Imm)
    }
    /// Whether the mode is one of a borrow: good for this call only.
    pub const fn borrow(self) -> bool {
        matches!(self, Mode::Uniq | Mode::Mut | Mode::Read | Mode::Frozen)
    }
    /// Whether a pointer of this mode may be used where one of mode `want` is asked for.
    /// (`Own` and `Uniq` are affine: the caller accounts for them.)
    pub const fn gives(self, want: Mode) -> bool {
        match want {
            Mode::Own => matches!(self, Mode::Own),
            Mode::Uniq => matches!(self, Mode::Own | Mode::Uniq),
            Mode::Shared => matches!(self, Mode::Shared),
            Mode::Imm => matches!(self, Mode::Imm),
            Mode::Mut => self.writable(),
            Mode::Read => true,
            Mode::Frozen => self.stable(),
        }
    }
}

/// The type of a machine word.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum WordTy {
    /// `int(e)`: the word congruent to `e` modulo 2^W.
    Int(Term),
    /// `int(lo..hi)`: some integer in the interval; `int` is the interval of all words.
    Range(Interval),
    /// A pointer packed with its capability: `ref L`, `imm L`, `&mut L`, ...
    Ptr(Mode, LayoutId),
    /// `opt tau`: 0 or `tau`, where `tau` is a [`WordTy::Ptr`], [`WordTy::Exists`] or [`WordTy::Fn`].
    Opt(WordId),
    /// `res tau`: `tau`, or an error number in `[2^W - 4095, 2^W)`, as the kernel returns addresses; `tau` is a
    /// [`WordTy::Ptr`] or [`WordTy::Exists`].
    Res(WordId),
    /// `exists x.. {facts}. tau`: a pointer whose type mentions hidden sizes.
    Exists(Exists<WordId>),
    /// `fn sig`: the address of code with this signature.
    Fn(SigId),
    /// A word type variable of the signature: any one-word type, copied but not looked at.
    Var(u32),
    /// The word type whose [code](code) is the term: `a` where it types words in memory too. `true`: it may own memory,
    /// so its words are moved and never copied. See [`crate::codes`].
    Of(Term, bool),
    /// The address of code with this signature, of which the first variables stand for these terms: `fn (rdi: a)` where
    /// `a` is a variable of the surroundings. In states such words are [`crate::state::Word::Opt`], as those of `Of`.
    FnAt(SigId, Box<[Term]>),
    /// `ref s L`: a frozen borrow (a [`WordTy::Ptr`], or one with hidden sizes) for the stretch whose number the term is,
    /// and any word at all once that stretch has ended. See `rules::stretch`.
    During(Term, WordId),
    /// `tau when e in lo..hi`: `tau` if the term lies in the interval, else any word. A result only; see `rules::when`.
    When(Term, Interval, WordId),
}

/// A pointer word, or a layout, with index variables of its own. They are opened when the word or the memory is
/// loaded, and witnesses for them are found by matching when it is packed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Exists<B> {
    /// The number of the first variable bound here: one more than the largest that is mentioned from outside.
    pub first: u32,
    /// The interval of each.
    pub vars: Box<[Interval]>,
    /// Facts `e >= 0` that hold of them.
    pub facts: Box<[Term]>,
    /// The pointer, a [`WordTy::Ptr`], or the layout, over the outer variables below `first` and the bound ones.
    pub body: B,
}

/// What lies in a piece of memory. Sizes are in bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Layout {
    /// `bytes(n)`: raw data.
    Bytes(Term),
    /// `cstr(m)`: bytes of which the first NUL is at `m`; the size is `m + 1`.
    /// `None`: the length is hidden, and opening a pointer to it makes a fresh `m >= 0`.
    Cstr(Option<Term>),
    /// One word of this type.
    Cell(WordId),
    /// A ranged integer cell `u8(lo..hi)` ...: signed if `lo < 0`.
    Num(Width, Interval),
    /// `foreign(n)`: raw data that others may change at any moment, as pages of files.
    Foreign(Term),
    /// A number of this width, with a sign (`true`) or without, that is the term: `u32(n)`, `i8(n)`.
    Exact(Width, bool, Term),
    /// `[n]L`: `n` elements.
    Array(Term, LayoutId),
    /// A null-terminated array of pointer words of this type: the first 0 is at the index `k`,
    /// `k + 1` words in all. `None`: hidden.
    NullTerm(Option<Term>, WordId),
    /// A nominal struct, applied to arguments.
    Struct(StructId, Box<[Term]>),
    /// One after the other, no padding.
    Seq(Box<[LayoutId]>),
    /// A layout variable `L: size n`: the layout of what words own whose type has the first term as its [code](code), if
    /// that is `own` of a layout of just as many bytes as the second term says; else those bytes. See `rules::own::moved`.
    Of(Term, Term),
    /// `exists x.. {facts}. L`: memory of a layout `L` for some values of the variables, which its size does not mention.
    Exists(Box<Exists<LayoutId>>),
}

/// A nominal type: a struct or a union. Terms in it speak of the parameters `0..params`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Struct {
    /// Number of parameters.
    pub params: u32,
    /// Facts over the parameters that each instance satisfies.
    pub facts: Vec<Term>,
    /// What it consists of.
    pub body: Body,
    /// Of an abstract type, which other notes know by its name only: what it is called in all of them, an address.
    pub brand: Option<u64>,
}

/// What a nominal type consists of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Body {
    /// Fields in order, without implicit padding.
    Fields(Vec<LayoutId>),
    /// One of several layouts of equal size: see `rules::unions`.
    Union {
        /// The offset of the tag in bytes, the same in all variants.
        tag: u64,
        /// The variants. Each has a number at the tag's place whose range meets none of the others.
        variants: Vec<LayoutId>,
    },
    /// The module that exports the abstract type knows: see [`crate::brand`].
    Hidden,
}

impl Default for Body {
    fn default() -> Body {
        Body::Fields(Vec::new())
    }
}

impl Body {
    /// The layouts that it mentions: fields or variants.
    pub fn parts(&self) -> &[LayoutId] {
        match self {
            Body::Fields(parts) | Body::Union { variants: parts, .. } => parts,
            Body::Hidden => &[],
        }
    }
}

impl Struct {
    /// A struct of these fields.
    pub fn of(params: u32, facts: Vec<Term>, fields: Vec<LayoutId>) -> Struct {
        Struct { params, facts, body: Body::Fields(fields), brand: None }
    }

    /// The fields, if it is a struct.
    pub fn fields(&self) -> Option<&[LayoutId]> {
        match &self.body {
            Body::Fields(fields) => Some(fields),
            Body::Union { .. } | Body::Hidden => None,
        }
    }
}

/// A set of general registers, bit `n` for hardware register `n`.
pub type RegSet = u16;

/// What a function takes and gives.
///
/// Variables `0..vars.len()` are universally quantified over precondition and postcondition;
/// `vars.len()..vars.len() + result_vars.len()` are existentially quantified in the postcondition.
/// Word type variables are numbered separately.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Sig {
    /// The interval of each quantified index variable; discharged at each call.
    pub vars: Vec<Interval>,
    /// Number of word type variables.
    pub word_vars: u32,
    /// The variables, in increasing order, that are numbers of stretches which last as long as the call.
    pub stretches: Vec<u32>,
    /// Arguments in registers: hardware number and type, registers in increasing order.
    pub params: Vec<(u8, WordId)>,
    /// Arguments on the stack, from the lowest address (just above the return address) upwards.
    pub stack: Vec<WordId>,
    /// Facts `e >= 0` that the caller proves and the callee may assume.
    pub facts: Vec<Term>,
    /// The interval of each variable that is bound in the postcondition.
    pub result_vars: Vec<Interval>,
    /// Results in registers.
    pub results: Vec<(u8, WordId)>,
    /// Facts `e >= 0` that hold after the call.
    pub result_facts: Vec<Term>,
    /// For each `&uniq L => L'` parameter, in increasing order: its register and what the memory holds
    /// afterwards (of the same size).
    pub gives_back: Vec<(u8, LayoutId)>,
    /// What the caller keeps of what it gave away, by parameters in increasing order: see [`Kept`].
    pub kept: Vec<Kept>,
    /// The owned static objects that the function uses, by address, each once and in any order: at its entry, its
    /// exits and its calls of functions that use them they hold what their declarations say.
    pub uses: Vec<u64>,
    /// Registers that hold after the call what they held before it.
    pub preserved: RegSet,
    /// The function does not return.
    pub noreturn: bool,
    /// This is the type of the program's entry point: see `platform` in the documentation.
    pub start: bool,
}

/// Memory that was passed as `own L` and belongs to the caller again if a result says so.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Kept {
    /// The parameter's register.
    pub param: u8,
    /// What the memory holds then, of the same size as before.
    pub layout: LayoutId,
    /// The result's register.
    pub result: u8,
    /// The values of the result, as a word without sign, for which it is so.
    pub range: Interval,
}

/// All types of a program. Each note's nodes are appended to the same tables.
#[derive(Clone, Debug, Default)]
pub struct Types {
    /// Word types.
    pub words: Vec<WordTy>,
    /// Layouts.
    pub layouts: Vec<Layout>,
    /// Structs.
    pub structs: Vec<Struct>,
    /// Signatures.
    pub sigs: Vec<Sig>,
}

impl Types {
    /// The word type with this id. Ids come from readers that have checked them.
    pub fn word(&self, id: WordId) -> &WordTy {
        &self.words[id.index()]
    }
    /// The layout with this id.
    pub fn layout(&self, id: LayoutId) -> &Layout {
        &self.layouts[id.index()]
    }
    /// The struct with this id.
    pub fn strukt(&self, id: StructId) -> &Struct {
        &self.structs[id.index()]
    }
    /// The pointer that a word is once it has been tested and opened: its mode, and what it points to. None for those
    /// that are pointers for a stretch only.
    pub fn pointer(&self, id: WordId) -> Option<(Mode, LayoutId)> {
        match self.word(id) {
            WordTy::Ptr(mode, layout) => Some((*mode, *layout)),
            WordTy::Opt(inner) | WordTy::Res(inner) => match self.word(*inner) {
                WordTy::Opt(_) | WordTy::Res(_) => None,
                _ => self.pointer(*inner),
            },
            WordTy::Exists(e) => match self.word(e.body) {
                WordTy::Ptr(mode, layout) => Some((*mode, *layout)),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether a word owns memory: it is moved, and whoever has it may free what it points to.
    pub fn linear(&self, id: WordId) -> bool {
        let id = match self.word(id) {
            WordTy::When(_, _, inner) => *inner,
            _ => id,
        };
        matches!(self.word(id), WordTy::Of(_, true))
            || self.pointer(id).is_some_and(|(mode, _)| mode == Mode::Own)
    }

    /// Whether a layout is that of an abstract type of another module: neither its size nor its parts are known.
    pub fn opaque(&self, id: LayoutId) -> bool {
        matches!(self.layout(id), Layout::Struct(s, _) if self.strukt(*s).body == Body::Hidden)
    }

    /// The signature with this id.
    pub fn sig(&self, id: SigId) -> &Sig {
        &self.sigs[id.index()]
    }
}
