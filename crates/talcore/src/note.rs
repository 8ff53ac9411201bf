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
//!   uleb structs; for each: uleb number of parameters, 512 more for a union, 1024 more for an abstract type that
//!        the module exports, 2048 more for one of another module
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
//!        0x1f layout of a layout variable: term (the variable), term (its size)
//!        0x20 sig: see below
//!   for each struct but those of other modules: uleb facts, terms; for a union the uleb offset of its tag; uleb
//!        fields or variants, uleb layouts
//!   uleb objects; for each: uleb section (its kind decides whether the object is imm or shared), uleb
//!        offset from the section's base; uleb 2 * layout + 1; 2 * layout + 2 if it is an owned static;
//!        or 0, uleb function, uleb entries: a jump table of that function of this note
//!   uleb functions; for each: uleb section, sleb distance of its offset from the end of the previous
//!        function (the first: from 0), uleb size in bytes, uleb sig, uleb length of the annotation
//!        stream, the stream (see `annot`)
//!   imports, one for each address word behind the sections': uleb 8 * id + kind (0 function: sig,
//!        1 imm object: layout, 2 shared object: layout, 3 owned static: layout, 4 abstract type of another
//!        module: struct, 5 abstract type that this module exports, whose name the address is: struct)
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

mod nodes;

use crate::arch::Arch;
use crate::limits;
use crate::reader::Reader;
use crate::types::{Body, LayoutId, Mode, RegSet, SigId, Struct, StructId, Types};
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
/// The same for an abstract type that the module exports.
pub const ABSTRACT: u32 = 1024;
/// The same for an abstract type of another module.
pub const HIDDEN: u32 = 2048;

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
    /// An abstract type of another note, whose name the address is.
    Abstract(StructId),
    /// No import: the name of an abstract type that this note exports.
    Exported(StructId),
}

impl NoteImportKind {
    /// For an object how it may be used, and what it holds.
    pub fn object(self) -> Option<(Mode, LayoutId)> {
        match self {
            NoteImportKind::Function(_) | NoteImportKind::Abstract(_) | NoteImportKind::Exported(_) => None,
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
        // How many have a name that an address word says.
        let mut named = 0;
        let mut exported = Vec::with_capacity(structs);
        for _ in 0..structs {
            let n: u32 = self.r.num()?;
            let params = n % UNION;
            let body = match n / UNION * UNION {
                0 | ABSTRACT => Body::default(),
                HIDDEN => Body::Hidden,
                kind if kind & !ABSTRACT == UNION => Body::Union { tag: 0, variants: Vec::new() },
                _ => return None,
            };
            if params as usize > limits::BINDERS {
                return None;
            }
            named += usize::from(n >= ABSTRACT);
            exported.push(n & ABSTRACT != 0);
            self.types.structs.push(Struct { params, body, ..Struct::default() });
        }
        let nodes = self.r.count(usize::MAX)?;
        for _ in 0..nodes {
            let tag = self.r.u8()?;
            self.node(tag)?;
        }
        for i in 0..structs {
            let Struct { params, body, .. } = self.types.structs.get(self.first_struct as usize + i)?;
            if *body == Body::Hidden {
                continue;
            }
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
        self.brands(&imports, &exported, named)?;
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

    /// Each abstract type has exactly one name.
    fn brands(&mut self, imports: &[NoteImport], exported: &[bool], mut left: usize) -> Option<()> {
        for import in imports {
            let (id, own) = match import.kind {
                NoteImportKind::Abstract(id) => (id, false),
                NoteImportKind::Exported(id) => (id, true),
                _ => continue,
            };
            let flagged = exported.get(id.index().checked_sub(self.first_struct as usize)?)?;
            let s = self.types.structs.get_mut(id.index())?;
            let hidden = s.body == Body::Hidden;
            (*flagged == own && hidden != own && s.brand.is_none()).then_some(())?;
            s.brand = Some(import.addr);
            left = left.checked_sub(1)?;
        }
        (left == 0).then_some(())
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
            let (kind, id) = (id & 7, id >> 3);
            let kind = match kind {
                0 => NoteImportKind::Function(self.sig_of(id)?),
                1 => NoteImportKind::Imm(self.layout_of(id)?),
                2 => NoteImportKind::Shared(self.layout_of(id)?),
                3 => NoteImportKind::Owned(self.layout_of(id)?),
                4 => NoteImportKind::Abstract(self.struct_of(id)?),
                5 => NoteImportKind::Exported(self.struct_of(id)?),
                _ => return None,
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
