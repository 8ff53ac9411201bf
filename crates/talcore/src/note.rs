//! The bounded reader of TAL notes: types, definitions and annotation streams.
//!
//! # Format, version 3
//!
//! An ELF note with name `TAL\0` and type `0x100`, in an allocated section `.note.tal` aligned to
//! the machine word. One note per assembled module; a linker concatenates them. `uleb`/`sleb` are
//! LEB128 with at most 18 bytes (values fit i128), `W` the word size in bytes.
//!
//! ```text
//! descriptor:
//!   u8   version = 3
//!   u8   architecture: 1 = AMD64, 2 = IA-32
//!   u16  words (little endian): number of address words
//!   u32  payload size in bytes (little endian)
//!   W*words   address words, absolute addresses (filled by relocations in a relocatable object)
//!   payload
//! payload:
//!   uleb sections; address word i is the base of section i, for each:
//!        u8 kind (0 code, 1 read-only data, 2 data, 3 zeroed data), uleb size in bytes
//!   uleb structs; for each: uleb number of parameters, 512 more for a union
//!   uleb nodes; for each a tag byte and its contents; nodes of one kind are numbered from 0 in order,
//!        and a node mentions only ids that came before it (structs: any):
//!        0x00 word int term            0x01 word range interval     0x02 word ptr: u8 mode, uleb layout
//!        0x03 word opt: uleb word      0x04 word fn: uleb sig       0x05 word variable: uleb
//!        0x06 word res: uleb word
//!        0x07 word exists: uleb first variable, uleb count, intervals, uleb count, facts, uleb word
//!        0x08 word of the type whose code is a variable: u8 1 if it may own memory, else 0; term
//!        0x09 word fn of whose signature the first variables are known: uleb sig, uleb count, terms
//!        0x0a word ref for a stretch: term, uleb word (a frozen pointer, perhaps with hidden sizes)
//!        0x0b word of a type if a term lies in an interval, else any: term, interval, uleb word; a result only
//!        0x10 layout bytes term        0x11 layout cstr term        0x12 layout cstr, hidden length
//!        0x13 layout cell: uleb word   0x14 layout num: u8 log2 of the width, interval
//!        0x15 layout array: term, uleb layout
//!        0x16 layout nullterm: term, uleb word    0x17 layout nullterm, hidden: uleb word
//!        0x18 layout struct: uleb struct, uleb count, terms
//!        0x19 layout seq: uleb count, uleb layouts
//!        0x1a layout exact number: u8 twice the log2 of the width, plus 1 if it has a sign; term
//!        0x1c layout exists: uleb first variable, uleb count, intervals, uleb count, facts, uleb layout
//!        0x1e layout foreign: term
//!        0x20 sig: see below
//!   for each struct: uleb facts, terms; for a union the uleb offset of its tag; uleb fields or variants,
//!        uleb layouts
//!   uleb objects; for each: uleb section (its kind decides whether the object is imm or shared), uleb
//!        offset from the section's base; uleb 2 * layout + 1; 2 * layout + 2 if it is an owned static;
//!        or 0, uleb function, uleb entries: a jump table of that function of this note
//!   uleb functions; for each: uleb section, sleb distance of its offset from the end of the previous
//!        function (the first: from 0), uleb size in bytes, uleb sig, uleb length of the annotation
//!        stream, the stream (see `annot`)
//!   imports, one for each address word behind the sections': uleb 4 * id + kind (0 function: sig,
//!        1 imm object: layout, 2 shared object: layout, 3 owned static: layout)
//!   uleb roles; for each: u8 (0 gate slot, 1 user-mode stub, 2 signal restorer), uleb section, uleb offset
//!   names of structs, functions and objects: each uleb names, for the first so many of them; for each:
//!        uleb length, UTF-8 bytes. Untrusted: used for messages only.
//! term:      u8 n <= 16: sleb constant, n summands: uleb variable (increasing), sleb coefficient;
//!            17: v + c: uleb v, sleb c; 18: v - w + c: uleb v, uleb w, sleb c; 19: v - w; 20: v - w - 1;
//!            21: the code of a word type, an argument of a struct: uleb word, which came before;
//!            64 + c: the constant c < 64; 128 + v: the variable v < 128
//! interval:  u8 0: all of ℤ; 1: sleb lo, sleb hi; 2: sleb lo, no upper bound; 3: sleb hi, no lower bound;
//!            4: [0, hi]: uleb hi; 5: sleb lo = hi; 6: [lo, 2^k]: sleb lo, u8 k; 7: [lo, 2^k - 1];
//!            64 + k: [0, 2^k]; 128 + k: [0, 2^k - 1]
//! sig:       u8 flags: 1 noreturn, 2 start, and what follows: 4 [uleb vars, intervals; uleb word
//!            variables]; uleb params, for each u8 register, uleb word; 8 [uleb stack words, uleb word
//!            each]; 16 [uleb facts, terms]; uleb results (u8 register, uleb word); 32 [uleb result vars,
//!            intervals; uleb result facts, terms]; 64 [uleb given back (u8 register, uleb layout); uleb
//!            owned statics that are used, for each uleb static: an object, or as many more as there are
//!            objects, an import; uleb what the caller keeps, for each u8 register of a parameter, uleb
//!            layout, u8 register of a result, interval; uleb stretches, for each uleb variable]; 128
//!            [u16 preserved (le)]; else those of the calling convention are preserved
//! ```
//!
//! Every count is checked against the bytes that are left before anything is allocated, so a note
//! costs memory linear in its size.

use crate::arch::Arch;
use crate::codes::{code, coded, is_code};
use crate::limits;
use crate::reader::Reader;
use crate::term::Term;
use crate::types::{
    Body, Exists, Kept, Layout, LayoutId, Mode, RegSet, Sig, SigId, Struct, StructId, Types, WordId, WordTy,
};
use crate::x86::insn::Width;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ops::Range;

/// The name in a TAL note's header, with its NUL.
pub const OWNER: &[u8] = b"TAL\0";
/// The type of the notes described above.
pub const NOTE_TYPE: u32 = 0x100;
/// The version of the format.
pub const VERSION: u8 = 3;

/// What is added to a number of parameters to say that it is that of a union.
pub const UNION: u32 = 512;

/// A section of the module that a note describes.
#[derive(Clone, Copy, Debug)]
pub struct NoteSection {
    /// Its address.
    pub base: u64,
    /// 0 code, 1 read-only data, 2 data, 3 zeroed data.
    pub kind: u8,
    /// Its size in bytes.
    pub size: u64,
}

/// A static object as a note defines it.
#[derive(Clone, Copy, Debug)]
pub enum NoteObject {
    /// Data at this address. The mode is imm, shared, or, for an owned static, uniq.
    Data(u64, Mode, LayoutId),
    /// A jump table at this address: function of this note, number of entries.
    Table(u64, u32, u64),
}

/// A function as a note defines it.
#[derive(Clone, Debug)]
pub struct NoteFunction {
    /// Address of the first byte.
    pub addr: u64,
    /// Size in bytes.
    pub size: u64,
    /// Signature.
    pub sig: SigId,
    /// Its annotation stream, as a range of the bytes that the note was read from.
    pub stream: Range<usize>,
}

/// What an import is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoteImportKind {
    /// A function of this signature.
    Function(SigId),
    /// A read-only object.
    Imm(LayoutId),
    /// A shared object.
    Shared(LayoutId),
    /// An owned static.
    Owned(LayoutId),
}

impl NoteImportKind {
    /// For an object how it may be used, and what it holds.
    pub fn object(self) -> Option<(Mode, LayoutId)> {
        match self {
            NoteImportKind::Function(_) => None,
            NoteImportKind::Imm(l) => Some((Mode::Imm, l)),
            NoteImportKind::Shared(l) => Some((Mode::Shared, l)),
            NoteImportKind::Owned(l) => Some((Mode::Uniq, l)),
        }
    }
}

/// A definition of another note.
#[derive(Clone, Copy, Debug)]
pub struct NoteImport {
    /// Its address.
    pub addr: u64,
    /// Its type.
    pub kind: NoteImportKind,
}

/// The part that an address plays for the gate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RoleKind {
    /// The gate slot.
    Gate,
    /// The user-mode stub.
    Stub,
    /// The signal restorer.
    Restorer,
}

/// A name for messages.
#[derive(Clone, Copy, Debug)]
pub struct NoteName<'a> {
    /// 0 struct, 1 function, 2 object.
    pub kind: u8,
    /// Its index in the note.
    pub index: u32,
    /// The name, if it is UTF-8.
    pub text: &'a str,
}

/// One note. Type ids are those of the tables that its types were appended to.
#[derive(Clone, Debug)]
pub struct Note<'a> {
    /// The architecture.
    pub arch: Arch,
    /// Sections.
    pub sections: Vec<NoteSection>,
    /// Objects.
    pub objects: Vec<NoteObject>,
    /// Functions.
    pub functions: Vec<NoteFunction>,
    /// Imports.
    pub imports: Vec<NoteImport>,
    /// Roles with their addresses.
    pub roles: Vec<(RoleKind, u64)>,
    /// Names; untrusted.
    pub names: Vec<NoteName<'a>>,
    /// The first struct of this note in the tables.
    pub first_struct: u32,
}

/// Where a note is broken: an offset in the descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BadNote(pub usize);

/// Reads the descriptor of one note, whose first byte lies at `origin` in the file, and appends its
/// types to `types`.
pub fn read<'a>(desc: &'a [u8], origin: usize, types: &mut Types) -> Result<Note<'a>, BadNote> {
    let mut parser = Parser {
        r: Reader::new(desc),
        word: 8,
        preserved: 0,
        base: (types.words.len() as u32, types.layouts.len() as u32, types.sigs.len() as u32),
        first_struct: types.structs.len() as u32,
        depths: Depths::default(),
        types,
    };
    let note = parser.note(origin);
    let at = parser.r.position();
    match note {
        Some(note) if parser.r.left() == 0 => Ok(note),
        _ => Err(BadNote(at)),
    }
}

/// How deep the nodes of this note nest.
#[derive(Default)]
struct Depths {
    words: Vec<usize>,
    layouts: Vec<usize>,
    sigs: Vec<usize>,
}

struct Parser<'a, 't> {
    r: Reader<'a>,
    word: u32,
    /// What functions preserve if nothing else is said.
    preserved: RegSet,
    base: (u32, u32, u32),
    first_struct: u32,
    depths: Depths,
    types: &'t mut Types,
}

impl<'a> Parser<'a, '_> {
    fn note(&mut self, origin: usize) -> Option<Note<'a>> {
        let arch = match (self.r.u8()?, self.r.u8()?) {
            (VERSION, code) => Arch::of_code(code)?,
            _ => return None,
        };
        (self.word, self.preserved) = (arch.word_bytes(), arch.preserved());
        let words = self.r.u16()?;
        let payload = self.r.u32()? as usize;
        let words: Vec<u64> = (0..words).map(|_| self.r.word(self.word as usize)).collect::<Option<_>>()?;
        if payload != self.r.left() {
            return None;
        }
        let sections = self.sections(&words)?;
        let structs = self.r.count(limits::LABELS)?;
        for _ in 0..structs {
            let n: u32 = self.r.num()?;
            let (params, body) = match n.checked_sub(UNION) {
                None => (n, Body::default()),
                Some(params) => (params, Body::Union { tag: 0, variants: Vec::new() }),
            };
            if params as usize > limits::BINDERS {
                return None;
            }
            self.types.structs.push(Struct { params, body, ..Struct::default() });
        }
        let nodes = self.r.count(usize::MAX)?;
        for _ in 0..nodes {
            let tag = self.r.u8()?;
            self.node(tag)?;
        }
        for i in 0..structs {
            let Struct { params, body, .. } = self.types.structs.get(self.first_struct as usize + i)?;
            let (params, union) = (*params, matches!(body, Body::Union { .. }));
            let facts = self.r.terms(limits::FACTS, params)?;
            let tag = if union { self.r.num()? } else { 0 };
            let n = self.r.count(if union { limits::VARIANTS } else { limits::FIELDS })?;
            let parts = (0..n).map(|_| self.layout_id()).collect::<Option<_>>()?;
            let body = if union { Body::Union { tag, variants: parts } } else { Body::Fields(parts) };
            let s = self.types.structs.get_mut(self.first_struct as usize + i)?;
            (s.facts, s.body) = (facts, body);
        }
        let objects = self.objects(&sections)?;
        let functions = self.functions(&sections, origin)?;
        let imports = self.imports(words.get(sections.len()..)?)?;
        self.used_statics(&objects, &imports)?;
        let roles = self.roles(&sections)?;
        let names = self.names()?;
        Some(Note {
            arch,
            sections,
            objects,
            functions,
            imports,
            roles,
            names,
            first_struct: self.first_struct,
        })
    }

    /// Signatures name the statics that they use by number until the addresses are known.
    fn used_statics(&mut self, objects: &[NoteObject], imports: &[NoteImport]) -> Option<()> {
        for sig in self.types.sigs.iter_mut().skip(self.base.2 as usize) {
            for i in 0..sig.uses.len() {
                let n = usize::try_from(*sig.uses.get(i)?).ok()?;
                let address = match objects.get(n) {
                    Some(NoteObject::Data(addr, Mode::Uniq, _)) => *addr,
                    Some(_) => return None,
                    None => match imports.get(n.checked_sub(objects.len())?)? {
                        NoteImport { addr, kind: NoteImportKind::Owned(_) } => *addr,
                        _ => return None,
                    },
                };
                // Two names of one object would be two capabilities for it.
                (!sig.uses.get(..i)?.contains(&address)).then_some(())?;
                *sig.uses.get_mut(i)? = address;
            }
        }
        Some(())
    }

    fn sections(&mut self, words: &[u64]) -> Option<Vec<NoteSection>> {
        let n = self.r.count(words.len())?;
        let mut sections = Vec::with_capacity(n);
        for base in words.iter().take(n) {
            let kind = self.r.u8().filter(|k| *k < 4)?;
            sections.push(NoteSection { base: *base, kind, size: self.r.num()? });
        }
        Some(sections)
    }

    /// An address in a section.
    fn place(&mut self, sections: &[NoteSection]) -> Option<(u64, NoteSection)> {
        let section = *sections.get(self.r.num::<usize>()?)?;
        let offset: u64 = self.r.num()?;
        (offset <= section.size).then_some(())?;
        Some((section.base.checked_add(offset)?, section))
    }

    fn word_id(&mut self) -> Option<WordId> {
        let id: u32 = self.r.num()?;
        ((id as usize) < self.depths.words.len()).then(|| WordId(self.base.0 + id))
    }

    fn layout_id(&mut self) -> Option<LayoutId> {
        let id = self.r.num()?;
        self.layout_of(id)
    }

    fn layout_of(&self, id: u32) -> Option<LayoutId> {
        ((id as usize) < self.depths.layouts.len()).then(|| LayoutId(self.base.1 + id))
    }

    fn sig_id(&mut self) -> Option<SigId> {
        let id = self.r.num()?;
        self.sig_of(id)
    }

    fn sig_of(&self, id: u32) -> Option<SigId> {
        ((id as usize) < self.depths.sigs.len()).then(|| SigId(self.base.2 + id))
    }

    fn struct_id(&mut self) -> Option<StructId> {
        let id: u32 = self.r.num()?;
        let id = self.first_struct.checked_add(id)?;
        ((id as usize) < self.types.structs.len()).then_some(StructId(id))
    }

    fn word_depth(&self, id: WordId) -> usize {
        self.depths.words.get((id.0 - self.base.0) as usize).copied().unwrap_or(0)
    }

    fn layout_depth(&self, id: LayoutId) -> usize {
        self.depths.layouts.get((id.0 - self.base.1) as usize).copied().unwrap_or(0)
    }

    fn any_term(&mut self) -> Option<Term> {
        self.r.term(2 * limits::BINDERS as u32).filter(|t| !is_code(t))
    }

    fn node(&mut self, tag: u8) -> Option<()> {
        match tag {
            0x00..=0x0f => {
                let (word, depth) = self.word_node(tag)?;
                (depth <= limits::NESTING).then_some(())?;
                self.types.words.push(word);
                self.depths.words.push(depth);
            }
            0x10..=0x1f => {
                let (layout, depth) = self.layout_node(tag)?;
                (depth <= limits::NESTING).then_some(())?;
                self.types.layouts.push(layout);
                self.depths.layouts.push(depth);
            }
            0x20 => {
                let (sig, depth) = self.sig_node()?;
                (depth <= limits::NESTING).then_some(())?;
                self.types.sigs.push(sig);
                self.depths.sigs.push(depth);
            }
            _ => return None,
        }
        Some(())
    }

    /// What an existential binds, without what it is about.
    fn binders(&mut self) -> Option<Exists<()>> {
        let first = self.r.num()?;
        let vars = self.r.intervals(limits::BINDERS)?.into();
        let count = self.r.count(limits::FACTS)?;
        let facts = (0..count).map(|_| self.any_term()).collect::<Option<_>>()?;
        Some(Exists { first, vars, facts, body: () })
    }

    fn word_node(&mut self, tag: u8) -> Option<(WordTy, usize)> {
        Some(match tag {
            0 => (WordTy::Int(self.any_term()?), 0),
            1 => (WordTy::Range(self.r.interval()?), 0),
            2 => {
                let mode = *Mode::ALL.get(self.r.u8()? as usize)?;
                let layout = self.layout_id()?;
                (WordTy::Ptr(mode, layout), self.layout_depth(layout) + 1)
            }
            3 => {
                let inner = self.word_id()?;
                (WordTy::Opt(inner), self.word_depth(inner) + 1)
            }
            4 => {
                let sig = self.sig_id()?;
                let depth = self.depths.sigs.get((sig.0 - self.base.2) as usize).copied().unwrap_or(0);
                (WordTy::Fn(sig), depth + 1)
            }
            5 => (WordTy::Var(self.r.num()?), 0),
            6 => {
                let inner = self.word_id()?;
                (WordTy::Res(inner), self.word_depth(inner) + 1)
            }
            7 => {
                let Exists { first, vars, facts, .. } = self.binders()?;
                let body = self.word_id()?;
                (WordTy::Exists(Exists { first, vars, facts, body }), self.word_depth(body) + 1)
            }
            8 => {
                let linear = self.r.u8().filter(|k| *k < 2)? == 1;
                let t = self.any_term()?;
                t.as_var()?;
                (WordTy::Of(t, linear), 0)
            }
            9 => {
                let sig = self.sig_id()?;
                let depth = self.depths.sigs.get((sig.0 - self.base.2) as usize).copied().unwrap_or(0);
                let (args, nested) = self.args()?;
                (WordTy::FnAt(sig, args.into()), depth.max(nested) + 1)
            }
            10 => {
                let t = self.any_term()?;
                let inner = self.word_id()?;
                (WordTy::During(t, inner), self.word_depth(inner) + 1)
            }
            11 => {
                let (t, range) = (self.any_term()?, self.r.interval()?);
                let inner = self.word_id()?;
                (WordTy::When(t, range, inner), self.word_depth(inner) + 1)
            }
            _ => return None,
        })
    }

    /// Arguments of a struct or signature, which may be types.
    fn args(&mut self) -> Option<(Vec<Term>, usize)> {
        let n = self.r.count(limits::BINDERS)?;
        let mut args = Vec::with_capacity(n);
        let mut depth = 0;
        for _ in 0..n {
            let t = self.r.term(2 * limits::BINDERS as u32)?;
            args.push(match coded(&t) {
                Some(id) if (id.index()) < self.depths.words.len() => {
                    let id = WordId(self.base.0 + id.0);
                    depth = depth.max(self.word_depth(id) + 1);
                    code(id)
                }
                Some(_) => return None,
                None => t,
            });
        }
        Some((args, depth))
    }

    fn layout_node(&mut self, tag: u8) -> Option<(Layout, usize)> {
        Some(match tag {
            0x10 => (Layout::Bytes(self.any_term()?), 0),
            0x11 => (Layout::Cstr(Some(self.any_term()?)), 0),
            0x12 => (Layout::Cstr(None), 0),
            0x13 => {
                let word = self.word_id()?;
                (Layout::Cell(word), self.word_depth(word) + 1)
            }
            0x14 => {
                let width = Width::of_bytes(1u32.checked_shl(u32::from(self.r.u8()?))?)?;
                (Layout::Num(width, self.r.interval()?), 0)
            }
            0x15 => {
                let n = self.any_term()?;
                let elem = self.layout_id()?;
                (Layout::Array(n, elem), self.layout_depth(elem) + 1)
            }
            0x16 => {
                let k = self.any_term()?;
                let word = self.word_id()?;
                (Layout::NullTerm(Some(k), word), self.word_depth(word) + 1)
            }
            0x17 => {
                let word = self.word_id()?;
                (Layout::NullTerm(None, word), self.word_depth(word) + 1)
            }
            0x18 => {
                let id = self.struct_id()?;
                let (args, depth) = self.args()?;
                (Layout::Struct(id, args.into()), depth)
            }
            0x19 => {
                let n = self.r.count(limits::FIELDS)?;
                let mut parts = Vec::with_capacity(n);
                let mut depth = 0;
                for _ in 0..n {
                    let part = self.layout_id()?;
                    depth = depth.max(self.layout_depth(part));
                    parts.push(part);
                }
                (Layout::Seq(parts.into()), depth + 1)
            }
            0x1a => {
                let kind = self.r.u8()?;
                let width = Width::of_bytes(1u32.checked_shl(u32::from(kind / 2))?)?;
                (Layout::Exact(width, kind % 2 == 1, self.any_term()?), 0)
            }
            0x1e => (Layout::Foreign(self.any_term()?), 0),
            0x1c => {
                let Exists { first, vars, facts, .. } = self.binders()?;
                let body = self.layout_id()?;
                let exists = Exists { first, vars, facts, body };
                (Layout::Exists(Box::new(exists)), self.layout_depth(body) + 1)
            }
            _ => return None,
        })
    }

    fn sig_node(&mut self) -> Option<(Sig, usize)> {
        let flags = self.r.u8()?;
        let has = |bit: u8| flags & bit != 0;
        let mut sig = Sig { noreturn: has(1), start: has(2), ..Sig::default() };
        if has(4) {
            sig.vars = self.r.intervals(limits::BINDERS)?;
            sig.word_vars = self.r.num()?;
        }
        let mut depth = 0;
        sig.params = self.typed_registers(&mut depth)?;
        if has(8) {
            let n = self.r.count(limits::BINDERS)?;
            for _ in 0..n {
                let w = self.word_id()?;
                depth = depth.max(self.word_depth(w));
                sig.stack.push(w);
            }
        }
        let scope = sig.vars.len() as u32;
        if has(16) {
            sig.facts = self.r.terms(limits::FACTS, scope)?;
        }
        sig.results = self.typed_registers(&mut depth)?;
        if has(32) {
            sig.result_vars = self.r.intervals(limits::BINDERS)?;
            sig.result_facts = self.r.terms(limits::FACTS, scope + sig.result_vars.len() as u32)?;
        }
        if has(64) {
            let n = self.r.count(limits::BINDERS)?;
            for _ in 0..n {
                sig.gives_back.push((self.r.u8()?, self.layout_id()?));
            }
            let n = self.r.count(limits::USES)?;
            sig.uses = (0..n).map(|_| self.r.num()).collect::<Option<_>>()?;
            for _ in 0..self.r.count(16)? {
                let (param, layout) = (self.r.u8()?, self.layout_id()?);
                sig.kept.push(Kept { param, layout, result: self.r.u8()?, range: self.r.interval()? });
            }
            let n = self.r.count(limits::STRETCHES)?;
            sig.stretches = (0..n).map(|_| self.r.num()).collect::<Option<_>>()?;
        }
        sig.preserved = if has(128) { self.r.u16()? & !(1 << 4) } else { self.preserved };
        Some((sig, depth + 1))
    }

    fn typed_registers(&mut self, depth: &mut usize) -> Option<Vec<(u8, WordId)>> {
        let n = self.r.count(16)?;
        let mut list = Vec::with_capacity(n);
        for _ in 0..n {
            let r = self.r.u8()?;
            let w = self.word_id()?;
            *depth = (*depth).max(self.word_depth(w));
            list.push((r, w));
        }
        Some(list)
    }

    fn objects(&mut self, sections: &[NoteSection]) -> Option<Vec<NoteObject>> {
        let n = self.r.count(usize::MAX)?;
        let mut objects = Vec::with_capacity(n);
        for _ in 0..n {
            let (addr, section) = self.place(sections)?;
            let mode = match section.kind {
                0 => return None,
                1 => Mode::Imm,
                _ => Mode::Shared,
            };
            objects.push(match self.r.num::<u32>()?.checked_sub(1) {
                Some(id) => {
                    let mode = match (id & 1, mode) {
                        (0, mode) => mode,
                        (_, Mode::Shared) => Mode::Uniq,
                        _ => return None, // what cannot be written cannot be owned
                    };
                    NoteObject::Data(addr, mode, self.layout_of(id >> 1)?)
                }
                None => NoteObject::Table(addr, self.r.num()?, self.r.num()?),
            });
        }
        Some(objects)
    }

    fn functions(&mut self, sections: &[NoteSection], origin: usize) -> Option<Vec<NoteFunction>> {
        let n = self.r.count(usize::MAX)?;
        let mut functions = Vec::with_capacity(n);
        let mut end = 0;
        for _ in 0..n {
            let section = *sections.get(self.r.num::<usize>()?)?;
            let offset = u64::try_from(i128::from(end).checked_add(self.r.sleb()?)?).ok()?;
            let size: u64 = self.r.num()?;
            end = offset.checked_add(size).filter(|end| *end <= section.size)?;
            let addr = section.base.checked_add(offset)?;
            let sig = self.sig_id()?;
            let length: usize = self.r.num()?;
            let start = origin.checked_add(self.r.position())?;
            self.r.take(length)?;
            (section.kind == 0 && size > 0).then_some(())?;
            functions.push(NoteFunction { addr, size, sig, stream: start..start.checked_add(length)? });
        }
        Some(functions)
    }

    fn imports(&mut self, words: &[u64]) -> Option<Vec<NoteImport>> {
        let mut imports = Vec::with_capacity(words.len());
        for addr in words {
            let id: u32 = self.r.num()?;
            let kind = match id & 3 {
                0 => NoteImportKind::Function(self.sig_of(id >> 2)?),
                1 => NoteImportKind::Imm(self.layout_of(id >> 2)?),
                2 => NoteImportKind::Shared(self.layout_of(id >> 2)?),
                _ => NoteImportKind::Owned(self.layout_of(id >> 2)?),
            };
            imports.push(NoteImport { addr: *addr, kind });
        }
        Some(imports)
    }

    fn roles(&mut self, sections: &[NoteSection]) -> Option<Vec<(RoleKind, u64)>> {
        let n = self.r.count(usize::MAX)?;
        let mut roles = Vec::with_capacity(n);
        for _ in 0..n {
            let kind = match self.r.u8()? {
                0 => RoleKind::Gate,
                1 => RoleKind::Stub,
                2 => RoleKind::Restorer,
                _ => return None,
            };
            roles.push((kind, self.place(sections)?.0));
        }
        Some(roles)
    }

    fn names(&mut self) -> Option<Vec<NoteName<'a>>> {
        let mut names = Vec::new();
        for kind in 0..3 {
            for index in 0..self.r.count(usize::MAX)? {
                let length: usize = self.r.num()?;
                let text = core::str::from_utf8(self.r.take(length)?).unwrap_or("");
                if !text.is_empty() {
                    names.push(NoteName { kind, index: index as u32, text });
                }
            }
        }
        Some(names)
    }
}
