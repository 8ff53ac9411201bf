//! Writes TAL notes in the format of `talcore::note`.

use crate::table::{Node, TypeTable};
use crate::wire::{count, interval, sleb, term, terms, uleb};
use std::collections::BTreeMap;
use std::fmt;
use talcore::note::{ABSTRACT, HIDDEN, UNION};
use talcore::types::{Body, Exists, Layout, LayoutId, Mode, RegSet, Sig, SigId, StructId, WordTy};

/// The version of the format that this writer writes.
pub const VERSION: u8 = 3;
/// The ELF note type.
pub const NOTE_TYPE: u32 = 0x100;
/// The ELF note's owner, with its NUL.
pub const OWNER: [u8; 4] = *b"TAL\0";

/// The architecture that a note describes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Arch {
    /// 64-bit words, x86-64 instructions.
    Amd64 = 1,
    /// 32-bit words, IA-32 instructions.
    Ia32 = 2,
}

impl From<talcore::arch::Arch> for Arch {
    fn from(arch: talcore::arch::Arch) -> Arch {
        match arch {
            talcore::arch::Arch::Amd64 => Arch::Amd64,
            talcore::arch::Arch::Ia32 => Arch::Ia32,
        }
    }
}

impl Arch {
    /// The size of a machine word in bytes; address words have this size, and so has the
    /// note's alignment.
    pub const fn word_bytes(self) -> usize {
        match self {
            Arch::Amd64 => 8,
            Arch::Ia32 => 4,
        }
    }

    fn preserved(self) -> RegSet {
        talcore::arch::Arch::of_code(self as u8).map_or(0, |arch| arch.preserved())
    }
}

/// What a section holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum SectionKind {
    /// Code.
    Code,
    /// Read-only data.
    Rodata,
    /// Initialised data.
    Data,
    /// Zeroed data.
    Bss,
}

/// A contiguous piece of the program that the note's offsets count from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Section {
    /// What it holds.
    pub kind: SectionKind,
    /// Its size in bytes.
    pub size: u64,
}

/// What an object is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ObjectType {
    /// Data with this layout.
    Layout(LayoutId),
    /// A jump table of this function of the note, with so many entries.
    Table {
        /// Index into [`NoteBuilder::functions`].
        function: u32,
        /// Number of entries, each one word.
        entries: u64,
    },
}

/// A data object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Object {
    /// Index into [`NoteBuilder::sections`].
    pub section: u32,
    /// Offset from the section's base, bytes.
    pub offset: u64,
    /// [`Mode::Imm`], [`Mode::Shared`], or [`Mode::Uniq`] for an owned static.
    pub mode: Mode,
    /// What it is.
    pub ty: ObjectType,
}

/// A function.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Function {
    /// Index into [`NoteBuilder::sections`].
    pub section: u32,
    /// Offset from the section's base, bytes.
    pub offset: u64,
    /// Its size in bytes.
    pub size: u64,
    /// Its signature.
    pub sig: SigId,
    /// Its annotation stream.
    pub stream: Vec<u8>,
}

/// The type of a name that another module defines.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Import {
    /// A function.
    Function(SigId),
    /// An object that never changes.
    Imm(LayoutId),
    /// A shared object.
    Shared(LayoutId),
    /// An owned static.
    Owned(LayoutId),
    /// An abstract type of another module.
    Abstract(StructId),
    /// No import: the name of an abstract type that the module exports.
    Exported(StructId),
}

/// A place that the platform gives a meaning to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum RoleKind {
    /// The word through which system calls are made.
    Gate,
    /// The stub it points to in user mode.
    Stub,
    /// The signal restorer.
    Restorer,
}

/// Where such a place is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Role {
    /// Which.
    pub kind: RoleKind,
    /// Index into [`NoteBuilder::sections`].
    pub section: u32,
    /// Offset from the section's base, bytes.
    pub offset: u64,
}

/// What a name in a note belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum NameKind {
    /// A struct.
    Struct,
    /// A function.
    Function,
    /// An object.
    Object,
}

/// A name for messages.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Name {
    /// Of what.
    pub kind: NameKind,
    /// Its index in this note.
    pub index: u32,
    /// The name.
    pub text: String,
}

/// Everything that a note says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NoteBuilder {
    /// The architecture.
    pub arch: Arch,
    /// Sections; address word `i` is the base of section `i`.
    pub sections: Vec<Section>,
    /// Data objects.
    pub objects: Vec<Object>,
    /// Functions.
    pub functions: Vec<Function>,
    /// Imports; import `i` is at address word `sections + i`.
    pub imports: Vec<Import>,
    /// Places with a meaning for the platform.
    pub roles: Vec<Role>,
    /// Names for messages.
    pub names: Vec<Name>,
    /// What the [`Sig::uses`] of the types mean: the number of an object, or the number of objects plus that of an
    /// import.
    pub statics: BTreeMap<u64, u32>,
}

/// What an address word must be filled with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WordRef {
    /// The base address of this section of the note.
    Section(u32),
    /// The address of this import of the note.
    Import(u32),
}

/// A whole ELF note: header, name, descriptor, padding.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Encoded {
    /// The bytes, a multiple of the word size. Address words are zero.
    pub bytes: Vec<u8>,
    /// For each address word its offset in `bytes` and what belongs there.
    pub words: Vec<(usize, WordRef)>,
}

/// The note does not fit its format's counters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TooLarge {
    /// More sections and imports than the format counts; so many there are.
    Words(usize),
    /// More bytes of payload than the format counts; so many there are.
    Payload(usize),
}

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TooLarge::Words(n) => {
                write!(f, "one module may import at most {} names, this one has {n}", u16::MAX)
            }
            TooLarge::Payload(n) => {
                write!(f, "annotations of one module may have at most {} bytes, these have {n}", u32::MAX)
            }
        }
    }
}

impl std::error::Error for TooLarge {}

impl NoteBuilder {
    /// An empty note.
    pub fn new(arch: Arch) -> NoteBuilder {
        NoteBuilder {
            arch,
            sections: Vec::new(),
            objects: Vec::new(),
            functions: Vec::new(),
            imports: Vec::new(),
            roles: Vec::new(),
            names: Vec::new(),
            statics: BTreeMap::new(),
        }
    }

    /// The note as bytes.
    pub fn encode(&self, types: &TypeTable) -> Result<Encoded, TooLarge> {
        let refs = self.word_refs();
        let words = u16::try_from(refs.len()).map_err(|_| TooLarge::Words(refs.len()))?;
        let payload = self.payload(types);
        let payload_size = u32::try_from(payload.len()).map_err(|_| TooLarge::Payload(payload.len()))?;
        let word = self.arch.word_bytes();
        let desc = 8 + refs.len() * word + payload.len();
        let desc_size = u32::try_from(desc).map_err(|_| TooLarge::Payload(payload.len()))?;

        let mut bytes = Vec::with_capacity(16 + desc + word);
        bytes.extend((OWNER.len() as u32).to_le_bytes());
        bytes.extend(desc_size.to_le_bytes());
        bytes.extend(NOTE_TYPE.to_le_bytes());
        bytes.extend(OWNER);
        bytes.extend([VERSION, self.arch as u8]);
        bytes.extend(words.to_le_bytes());
        bytes.extend(payload_size.to_le_bytes());
        let first = bytes.len();
        let words = refs.iter().enumerate().map(|(i, &r)| (first + i * word, r)).collect();
        bytes.resize(first + refs.len() * word, 0);
        bytes.extend(payload);
        bytes.resize(bytes.len().next_multiple_of(word), 0);
        Ok(Encoded { bytes, words })
    }

    fn word_refs(&self) -> Vec<WordRef> {
        let sections = (0..self.sections.len()).map(|i| WordRef::Section(i as u32));
        sections.chain((0..self.imports.len()).map(|i| WordRef::Import(i as u32))).collect()
    }

    fn payload(&self, types: &TypeTable) -> Vec<u8> {
        let mut out = Vec::new();
        count(&mut out, self.sections.len());
        for s in &self.sections {
            out.push(s.kind as u8);
            uleb(&mut out, s.size.into());
        }
        Nodes { out: &mut out, preserved: self.arch.preserved(), statics: &self.statics }.table(types);
        count(&mut out, self.objects.len());
        for o in &self.objects {
            place(&mut out, o.section, o.offset);
            match o.ty {
                ObjectType::Layout(id) => {
                    uleb(&mut out, 2 * u128::from(id.0) + 1 + u128::from(o.mode == Mode::Uniq));
                }
                ObjectType::Table { function, entries } => {
                    out.push(0);
                    uleb(&mut out, function.into());
                    uleb(&mut out, entries.into());
                }
            }
        }
        count(&mut out, self.functions.len());
        let mut end = 0;
        for f in &self.functions {
            uleb(&mut out, f.section.into());
            sleb(&mut out, i128::from(f.offset) - end);
            end = i128::from(f.offset) + i128::from(f.size);
            uleb(&mut out, f.size.into());
            uleb(&mut out, f.sig.0.into());
            count(&mut out, f.stream.len());
            out.extend(&f.stream);
        }
        for i in &self.imports {
            let (kind, id) = match i {
                Import::Function(sig) => (0, sig.0),
                Import::Imm(layout) => (1, layout.0),
                Import::Shared(layout) => (2, layout.0),
                Import::Owned(layout) => (3, layout.0),
                Import::Abstract(strukt) => (4, strukt.0),
                Import::Exported(strukt) => (5, strukt.0),
            };
            uleb(&mut out, u128::from(id) * 8 + kind);
        }
        count(&mut out, self.roles.len());
        for r in &self.roles {
            out.push(r.kind as u8);
            place(&mut out, r.section, r.offset);
        }
        for kind in [NameKind::Struct, NameKind::Function, NameKind::Object] {
            let names = self.names.iter().filter(|n| n.kind == kind);
            let names: BTreeMap<u32, &str> = names.map(|n| (n.index, &*n.text)).collect();
            let some = names.last_key_value().map_or(0, |(last, _)| last + 1);
            uleb(&mut out, some.into());
            for i in 0..some {
                let text = names.get(&i).copied().unwrap_or_default();
                count(&mut out, text.len());
                out.extend(text.as_bytes());
            }
        }
        out
    }
}

fn place(out: &mut Vec<u8>, section: u32, offset: u64) {
    uleb(out, section.into());
    uleb(out, offset.into());
}

/// Writes type nodes.
struct Nodes<'a> {
    out: &'a mut Vec<u8>,
    /// What functions preserve if nothing else is said.
    preserved: RegSet,
    statics: &'a BTreeMap<u64, u32>,
}

impl Nodes<'_> {
    fn table(&mut self, table: &TypeTable) {
        let types = &table.types;
        count(self.out, types.structs.len());
        for s in &types.structs {
            let kind = match s.body {
                Body::Fields(_) => 0,
                Body::Union { .. } => UNION,
                Body::Hidden => HIDDEN,
            };
            let exported = if s.brand.is_some() && s.body != Body::Hidden { ABSTRACT } else { 0 };
            uleb(self.out, u128::from(s.params + kind + exported));
        }
        count(self.out, table.order.len());
        for node in &table.order {
            match *node {
                Node::Word(id) => self.word(types.word(id)),
                Node::Layout(id) => self.layout(types.layout(id)),
                Node::Sig(id) => self.sig(types.sig(id)),
            }
        }
        for s in types.structs.iter().filter(|s| s.body != Body::Hidden) {
            terms(self.out, &s.facts);
            if let Body::Union { tag, .. } = s.body {
                uleb(self.out, tag.into());
            }
            self.ids(s.body.parts().iter().map(|f| f.0));
        }
    }

    fn ids(&mut self, ids: impl ExactSizeIterator<Item = u32>) {
        count(self.out, ids.len());
        for id in ids {
            uleb(self.out, id.into());
        }
    }

    fn tagged(&mut self, tag: u8, id: u32) {
        self.out.push(tag);
        uleb(self.out, id.into());
    }

    fn word(&mut self, w: &WordTy) {
        match w {
            WordTy::Int(t) => {
                self.out.push(0x00);
                term(self.out, t);
            }
            WordTy::Range(i) => {
                self.out.push(0x01);
                interval(self.out, i);
            }
            WordTy::Ptr(mode, layout) => {
                self.out.extend([0x02, *mode as u8]);
                uleb(self.out, layout.0.into());
            }
            WordTy::Opt(w) => self.tagged(0x03, w.0),
            WordTy::Fn(sig) => self.tagged(0x04, sig.0),
            WordTy::Var(v) => self.tagged(0x05, *v),
            WordTy::Res(w) => self.tagged(0x06, w.0),
            WordTy::FnAt(sig, args) => {
                self.tagged(0x09, sig.0);
                terms(self.out, args);
            }
            WordTy::During(t, inner) => {
                self.out.push(0x0a);
                term(self.out, t);
                uleb(self.out, inner.0.into());
            }
            WordTy::When(t, range, inner) => {
                self.out.push(0x0b);
                term(self.out, t);
                interval(self.out, range);
                uleb(self.out, inner.0.into());
            }
            WordTy::Of(t, linear) => {
                self.out.extend([0x08, u8::from(*linear)]);
                term(self.out, t);
            }
            WordTy::Exists(e) => {
                self.tagged(0x07, e.first);
                self.exists(e, e.body.0);
            }
        }
    }

    fn exists<B>(&mut self, e: &Exists<B>, body: u32) {
        count(self.out, e.vars.len());
        e.vars.iter().for_each(|i| interval(self.out, i));
        terms(self.out, &e.facts);
        uleb(self.out, body.into());
    }

    fn layout(&mut self, l: &Layout) {
        match l {
            Layout::Bytes(t) => {
                self.out.push(0x10);
                term(self.out, t);
            }
            Layout::Cstr(Some(t)) => {
                self.out.push(0x11);
                term(self.out, t);
            }
            Layout::Cstr(None) => self.out.push(0x12),
            Layout::Cell(w) => self.tagged(0x13, w.0),
            Layout::Num(width, i) => {
                self.out.extend([0x14, *width as u8]);
                interval(self.out, i);
            }
            Layout::Foreign(n) => {
                self.out.push(0x1e);
                term(self.out, n);
            }
            Layout::Of(t, n) => {
                self.out.push(0x1f);
                term(self.out, t);
                term(self.out, n);
            }
            Layout::Exact(width, signed, t) => {
                self.out.extend([0x1a, 2 * *width as u8 + u8::from(*signed)]);
                term(self.out, t);
            }
            Layout::Array(n, element) => {
                self.out.push(0x15);
                term(self.out, n);
                uleb(self.out, element.0.into());
            }
            Layout::NullTerm(Some(n), w) => {
                self.out.push(0x16);
                term(self.out, n);
                uleb(self.out, w.0.into());
            }
            Layout::NullTerm(None, w) => self.tagged(0x17, w.0),
            Layout::Struct(id, args) => {
                self.tagged(0x18, id.0);
                terms(self.out, args);
            }
            Layout::Seq(parts) => {
                self.out.push(0x19);
                self.ids(parts.iter().map(|p| p.0));
            }
            Layout::Exists(e) => {
                self.tagged(0x1c, e.first);
                self.exists(e, e.body.0);
            }
        }
    }

    fn sig(&mut self, s: &Sig) {
        let flags = [
            s.noreturn,
            s.start,
            !s.vars.is_empty() || s.word_vars > 0,
            !s.stack.is_empty(),
            !s.facts.is_empty(),
            !s.result_vars.is_empty() || !s.result_facts.is_empty(),
            !s.gives_back.is_empty() || !s.uses.is_empty() || !s.kept.is_empty() || !s.stretches.is_empty(),
            s.preserved != self.preserved,
        ];
        self.out.extend([0x20, flags.iter().rev().fold(0, |byte, flag| byte << 1 | u8::from(*flag))]);
        let [_, _, binds, stack, facts, result_facts, gives_back, preserved] = flags;
        if binds {
            self.intervals(&s.vars);
            uleb(self.out, s.word_vars.into());
        }
        self.registers(s.params.iter().map(|p| (p.0, p.1.0)));
        if stack {
            self.ids(s.stack.iter().map(|w| w.0));
        }
        if facts {
            terms(self.out, &s.facts);
        }
        self.registers(s.results.iter().map(|r| (r.0, r.1.0)));
        if result_facts {
            self.intervals(&s.result_vars);
            terms(self.out, &s.result_facts);
        }
        if gives_back {
            self.registers(s.gives_back.iter().map(|g| (g.0, g.1.0)));
            // A static that is neither object nor import makes a note that no reader takes.
            self.ids(
                s.uses
                    .iter()
                    .map(|u| self.statics.get(u).copied().unwrap_or(u32::MAX))
                    .collect::<Vec<_>>()
                    .into_iter(),
            );
            count(self.out, s.kept.len());
            for k in &s.kept {
                self.tagged(k.param, k.layout.0);
                self.out.push(k.result);
                interval(self.out, &k.range);
            }
            self.ids(s.stretches.iter().copied());
        }
        if preserved {
            self.out.extend(s.preserved.to_le_bytes());
        }
    }

    fn intervals(&mut self, list: &[talcore::facts::Interval]) {
        count(self.out, list.len());
        for i in list {
            interval(self.out, i);
        }
    }

    fn registers(&mut self, list: impl ExactSizeIterator<Item = (u8, u32)>) {
        count(self.out, list.len());
        for (register, id) in list {
            self.tagged(register, id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The whole note of a module with one function and one import, byte for byte.
    #[test]
    fn a_small_note() {
        let mut types = TypeTable::default();
        let sig = types.sig(Sig { preserved: 0x1234, ..Sig::default() });
        let mut note = NoteBuilder::new(Arch::Amd64);
        note.sections.push(Section { kind: SectionKind::Code, size: 300 });
        note.functions.push(Function { section: 0, offset: 16, size: 5, sig, stream: vec![9, 8] });
        note.imports.push(Import::Function(sig));
        note.names.push(Name { kind: NameKind::Function, index: 0, text: "f".into() });
        let encoded = note.encode(&types).unwrap();

        let mut want = Vec::new();
        want.extend([4, 0, 0, 0, 52, 0, 0, 0, 0, 1, 0, 0]);
        want.extend(b"TAL\0");
        want.extend([VERSION, 1, 2, 0, 28, 0, 0, 0]);
        want.extend([0; 16]);
        want.extend([1, 0, 0xac, 2]); // one section of 300 bytes of code
        want.extend([0, 1]); // no structs, one node
        want.extend([0x20, 0x80, 0, 0, 0x34, 0x12]);
        want.push(0); // no objects
        want.extend([1, 0, 16, 5, 0, 2, 9, 8]);
        want.push(0); // the import
        want.push(0); // no roles
        want.extend([0, 1, 1, b'f', 0]); // one name of a function
        want.resize(72, 0);
        assert_eq!(encoded.bytes, want);
        assert_eq!(encoded.words, [(24, WordRef::Section(0)), (32, WordRef::Import(0))]);
    }

    #[test]
    fn too_many_imports_are_refused() {
        let mut types = TypeTable::default();
        let sig = types.sig(Sig::default());
        let mut note = NoteBuilder::new(Arch::Ia32);
        note.imports = vec![Import::Function(sig); 70_000];
        assert_eq!(note.encode(&types), Err(TooLarge::Words(70_000)));
    }
}
