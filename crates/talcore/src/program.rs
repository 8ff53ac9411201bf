//! A program as the rules see it: types, functions, objects, and which address means what.

use crate::abi::Abi;
use crate::arch::Arch;
use crate::engine::under;
use crate::eq::same_sig;
use crate::scope::Scope;
use crate::shapes::{Shapes, ZERO};
use crate::state::Lay;
use crate::types::{Layout, LayoutId, Mode, SigId, StructId, Types, WordId, WordTy};
use crate::x86::insn::Width;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// A function whose code is checked.
#[derive(Clone, Debug)]
pub struct Function {
    /// The address of its first byte.
    pub addr: u64,
    /// Its size in bytes, at least 1.
    pub size: u64,
    /// Its signature.
    pub sig: SigId,
    /// Where its annotation stream lies in the file that was read.
    pub stream: core::ops::Range<usize>,
    /// What its note sees: an index into [`Program::scopes`].
    pub scope: u32,
    /// Where the types of its note lie in the tables.
    pub types: crate::annot::TypeBase,
}

/// What a static object is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ObjectKind {
    /// Data of this layout and mode: imm, shared, or uniq for an owned static.
    Data(Mode, LayoutId),
    /// A jump table of a function (an index into [`Program::functions`]) with this many entries.
    Table(u32, u64),
}

/// A static object.
#[derive(Clone, Copy, Debug)]
pub struct Object {
    /// The address of its first byte.
    pub addr: u64,
    /// Its size in bytes.
    pub size: u64,
    /// What it is.
    pub kind: ObjectKind,
    /// What its note sees: an index into [`Program::scopes`].
    pub scope: u32,
}

/// A function that is defined elsewhere; only when a module is checked alone.
#[derive(Clone, Copy, Debug)]
pub struct Extern {
    /// Its (made-up) address.
    pub addr: u64,
    /// Its declared signature.
    pub sig: SigId,
}

/// A piece of memory as the kernel would map it.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    /// The address of the first byte.
    pub addr: u64,
    /// The bytes that come from the file; zero up to `size`.
    pub bytes: &'a [u8],
    /// The size in memory.
    pub size: u64,
    /// May be written.
    pub write: bool,
    /// May be executed.
    pub exec: bool,
}

impl<'a> Segment<'a> {
    /// Whether `addr .. addr + size` lies inside.
    pub fn contains(&self, addr: u64, size: u64) -> bool {
        addr >= self.addr && size <= self.size && addr - self.addr <= self.size - size
    }
    /// The bytes at `addr`, as far as they come from the file.
    pub fn bytes_at(&self, addr: u64) -> &'a [u8] {
        let at = addr.checked_sub(self.addr).and_then(|o| usize::try_from(o).ok()).unwrap_or(usize::MAX);
        self.bytes.get(at..).unwrap_or(&[])
    }
}

/// Which executions have to be safe.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Policy {
    /// Those that the processor completes.
    #[default]
    Architectural,
    /// Those too that it begins because it predicted a branch wrongly, and gives up later (Spectre). A branch
    /// may go either way whatever the flags are, so it teaches nothing, unless an `lfence` follows, which waits for
    /// the decision. See [`crate::engine::Engine::settled`].
    Speculative,
}

/// Everything that checking one function may look up.
#[derive(Clone, Debug)]
pub struct Program<'a> {
    /// The architecture.
    pub arch: Arch,
    /// Which executions have to be safe.
    pub policy: Policy,
    /// The segments in order of addresses.
    pub segments: Vec<Segment<'a>>,
    /// All types.
    pub types: Types,
    /// Functions in order of addresses.
    pub functions: Vec<Function>,
    /// Objects in order of addresses.
    pub objects: Vec<Object>,
    /// Functions of other modules, in order of addresses; empty for an executable.
    pub externs: Vec<Extern>,
    /// The address of the gate slot.
    pub gate: u64,
    /// The address of the signal restorer, if there is one.
    pub restorer: Option<u64>,
    /// The user-mode stub and the restorer: address and size in bytes.
    pub stubs: Vec<(u64, u64)>,
    /// Bytes of TAL notes.
    pub note_bytes: u64,
    /// Steps that all functions together may take: see [`crate::limits::FILE_FUEL_PER_BYTE`].
    pub fuel: u64,
    /// The interface table, loaded into `types`.
    pub abi: Abi,
    /// What was worked out about the types.
    pub shapes: Shapes,
    /// For each word type the first one that is the same: see [`crate::codes`].
    pub codes: Arc<[WordId]>,
    /// The words of notes, if those do not see the same of all types: the first one that is the same, and each, in order.
    pub views: Vec<(WordId, WordId)>,
    /// Words that own a struct: which, and the word, in order.
    pub owners: Vec<(StructId, WordId)>,
    /// What each note sees.
    pub scopes: Vec<Scope>,
}

/// The words of types that own a struct, in the order of [`Program::owners`].
pub fn owners(types: &Types) -> Vec<(StructId, WordId)> {
    let mut found: Vec<_> = types
        .words
        .iter()
        .zip(0..)
        .filter_map(|(word, id)| match word {
            WordTy::Ptr(Mode::Own, l) => match types.layout(*l) {
                Layout::Struct(s, _) => Some((*s, WordId(id))),
                _ => None,
            },
            _ => None,
        })
        .collect();
    found.sort_unstable();
    found
}

impl<'a> Program<'a> {
    /// The object that contains `addr`, and the offset in it.
    pub fn object_at(&self, addr: u64) -> Option<(u32, u64)> {
        let i = self.objects.partition_point(|o| o.addr <= addr).checked_sub(1)?;
        let o = self.objects.get(i)?;
        (addr - o.addr < o.size).then_some((i as u32, addr - o.addr))
    }

    /// The signature with which the function whose first byte is at `addr` is defined, or, if that is another module's,
    /// declared. What a note knows of it is [`Program::sig_for`].
    pub fn sig_at(&self, addr: u64) -> Option<SigId> {
        let sig = match self.functions.binary_search_by_key(&addr, |f| f.addr) {
            Ok(i) => self.functions.get(i)?.sig,
            Err(_) => {
                let i = self.externs.binary_search_by_key(&addr, |e| e.addr).ok()?;
                self.externs.get(i)?.sig
            }
        };
        (!self.types.sig(sig).start).then_some(sig)
    }

    /// The segment that contains `addr .. addr + size`.
    pub fn segment(&self, addr: u64, size: u64) -> Option<&Segment<'a>> {
        let i = self.segments.partition_point(|s| s.addr <= addr).checked_sub(1)?;
        self.segments.get(i).filter(|s| s.contains(addr, size))
    }

    /// A word of initial memory.
    pub fn initial_word(&self, addr: u64) -> Option<u64> {
        let n = self.arch.word_bytes() as usize;
        let s = self.segment(addr, n as u64)?;
        let bytes = s.bytes_at(addr);
        let mut w = 0u64;
        for i in 0..n {
            w |= u64::from(bytes.get(i).copied().unwrap_or(0)) << (8 * i);
        }
        Some(w)
    }

    /// The same, to be checked under a policy.
    pub fn under(self, policy: Policy) -> Self {
        Program { policy, ..self }
    }

    /// Whether two signatures are the same.
    pub fn same_sig(&self, a: SigId, b: SigId) -> bool {
        let mut fuel = EQ_STEPS;
        a == b || same_sig(&self.types, a, b, &mut fuel)
    }

    /// A layout of exclusive memory in the form in which states have it: raw memory is known by its size, a struct by
    /// its arguments, whichever table the type comes from. `None`: a term is too large.
    pub fn canonical(&self, lay: &Lay) -> Option<Lay> {
        if let Some(size) = self.shapes.raw_size(lay.id) {
            let size = under(size, &lay.env)?;
            return Some(Lay { id: self.shapes.bytes(), env: Some([size].into()) });
        }
        if let Layout::Foreign(size) = self.types.layout(lay.id) {
            let size = under(size, &lay.env)?;
            return Some(Lay { id: self.shapes.foreign(), env: Some([size].into()) });
        }
        if let Layout::Of(t, n) = self.types.layout(lay.id) {
            let (t, n) = (under(t, &lay.env)?, under(n, &lay.env)?);
            return Some(Lay { id: self.shapes.of_code(), env: Some([t, n].into()) });
        }
        if self.zeros(lay.id) {
            let size = under(self.shapes.size(lay.id)?, &lay.env)?;
            return Some(Lay { id: self.shapes.zeros(), env: Some([size].into()) });
        }
        if let Layout::Struct(s, args) = self.types.layout(lay.id)
            && let Some(id) = self.shapes.generic(*s)
        {
            let args = args.iter().map(|t| under(t, &lay.env)).collect::<Option<Vec<_>>>()?;
            return Some(Lay { id, env: Some(args.into()) });
        }
        if let Layout::Array(n, elem) = self.types.layout(lay.id)
            && let Some(id) = self.shapes.array(lay.id)
        {
            let n = under(n, &lay.env)?;
            let of = match self.types.layout(*elem) {
                Layout::Cell(w) => match self.types.word(*w) {
                    WordTy::Of(t, _) => Some(under(t, &lay.env)?),
                    _ => None,
                },
                Layout::Of(t, _) => Some(under(t, &lay.env)?),
                _ => None,
            };
            return Some(Lay { id, env: Some(of.into_iter().chain([n]).collect()) });
        }
        if let Layout::Seq(parts) = self.types.layout(lay.id)
            && let Some(id) = self.shapes.tail(lay.id).filter(|id| *id != lay.id)
            && let [array, rest] = parts[..]
            && let Layout::Bytes(rest) = self.types.layout(rest)
        {
            let array = self.canonical(&Lay { id: array, env: lay.env.clone() })?;
            let rest = under(rest, &lay.env)?;
            return Some(Lay {
                id,
                env: Some(array.env.iter().flat_map(|e| e.iter()).cloned().chain([rest]).collect()),
            });
        }
        Some(lay.clone())
    }

    /// Whether memory of this layout holds nothing but zeros: `[n]u8(0..0)`, written `zero(n)`.
    pub fn zeros(&self, id: LayoutId) -> bool {
        let Layout::Array(_, elem) = self.types.layout(id) else { return false };
        matches!(self.types.layout(*elem), Layout::Num(Width::B1, range) if *range == ZERO)
    }

    /// The kind of a layout, and for a struct which: what can be told without comparing terms.
    pub fn head(&self, id: LayoutId) -> (u8, Option<StructId>) {
        match self.types.layout(id) {
            Layout::Bytes(_) => (0, None),
            Layout::Cstr(_) => (1, None),
            Layout::Cell(_) => (2, None),
            Layout::Num(..) => (3, None),
            Layout::Array(..) => (4, None),
            Layout::NullTerm(..) => (5, None),
            Layout::Struct(s, _) => (6, Some(*s)),
            Layout::Seq(_) => (7, None),
            Layout::Exact(..) => (8, None),
            Layout::Foreign(_) => (10, None),
            Layout::Exists(_) => (9, None),
            Layout::Of(..) => (11, None),
        }
    }
}

/// Steps that one comparison of two signatures may take inside a function.
pub const EQ_STEPS: u64 = 4096;
