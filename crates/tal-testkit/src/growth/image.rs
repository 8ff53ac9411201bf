//! Executables made by hand: no assembler reads 100 MB of source for them, and what is in them need not be true.

use talcore::Policy;
use talcore::arch::Arch;
use talcore::check::{restorer_bytes, stub_bytes};
use talcore::types::{LayoutId, Mode, Sig, SigId};
use talnote::table::{Node, TypeTable};
use talnote::wire;
use talnote::write::{
    Function, Import, NoteBuilder, Object, ObjectType, Role, RoleKind, Section, SectionKind, WordRef,
};

/// Where the parts of the program lie. Each has room for far more than families need.
const TEXT: u64 = 0x1000_0000;
const RODATA: u64 = 0x3000_0000;
const DATA: u64 = 0x4000_0000;
const NOTES: u64 = 0x5000_0000;
const PAGE: u64 = 4096;

/// A program under construction. It begins with the gate and a `_start` that traps.
pub struct Image {
    arch: Arch,
    /// Types of the first note.
    pub types: TypeTable,
    /// The first note.
    pub note: NoteBuilder,
    /// Addresses of the first note's imports.
    pub imports: Vec<u64>,
    text: Vec<u8>,
    rodata: Vec<u8>,
    data: Vec<u8>,
    bss: u64,
    /// Further notes, whole.
    more: Vec<u8>,
}

impl Image {
    /// Nothing but the gate and `_start`.
    #[must_use]
    pub fn new(arch: Arch) -> Image {
        let mut image = Image {
            arch,
            types: TypeTable::default(),
            note: NoteBuilder::new(arch.into()),
            imports: Vec::new(),
            text: stub_bytes(arch).to_vec(),
            rodata: TEXT.to_le_bytes()[..arch.word_bytes() as usize].to_vec(),
            data: Vec::new(),
            bss: 0,
            more: Vec::new(),
        };
        image.note.sections = [SectionKind::Code, SectionKind::Rodata, SectionKind::Data]
            .map(|kind| Section { kind, size: 0 })
            .into();
        let restorer = image.text.len() as u64;
        image.text.extend(restorer_bytes(arch));
        let role = |kind, section, offset| Role { kind, section, offset };
        image.note.roles = vec![
            role(RoleKind::Gate, 1, 0),
            role(RoleKind::Stub, 0, 0),
            role(RoleKind::Restorer, 0, restorer),
        ];
        let start = image.sig(Sig { start: true, noreturn: true, ..Sig::default() });
        image.function(start, &[0x0f, 0x0b], no_labels());
        image
    }

    /// A new signature node, whether there is an equal one or not.
    pub fn sig(&mut self, sig: Sig) -> SigId {
        let preserved = if sig.start { 0 } else { self.arch.preserved() };
        let id = SigId(self.types.types.sigs.len() as u32);
        self.types.types.sigs.push(Sig { preserved, ..sig });
        self.types.order.push(Node::Sig(id));
        id
    }

    /// Appends a function; its address.
    pub fn function(&mut self, sig: SigId, code: &[u8], stream: Vec<u8>) -> u64 {
        let offset = self.text.len() as u64;
        self.text.extend(code);
        self.note.functions.push(Function { section: 0, offset, size: code.len() as u64, sig, stream });
        TEXT + offset
    }

    /// Appends an object, read-only or shared; its address.
    pub fn object(&mut self, mode: Mode, layout: LayoutId, bytes: &[u8]) -> u64 {
        let (section, base, all) = match mode {
            Mode::Imm => (1, RODATA, &mut self.rodata),
            _ => (2, DATA, &mut self.data),
        };
        let offset = all.len() as u64;
        all.extend(bytes);
        self.note.objects.push(Object { section, offset, mode, ty: ObjectType::Layout(layout) });
        base + offset
    }

    /// Appends executable bytes that belong to no function.
    pub fn padding(&mut self, bytes: &[u8]) {
        self.text.extend(bytes);
    }

    /// Zeroed memory behind the data.
    pub fn bss(&mut self, bytes: u64) {
        self.bss = bytes;
    }

    /// Appends a note that describes nothing but types and imports, `times`.
    pub fn other_note(&mut self, types: &TypeTable, imports: &[(Import, u64)], times: usize) {
        let mut note = NoteBuilder::new(self.arch.into());
        note.imports = imports.iter().map(|i| i.0).collect();
        let encoded = note.encode(types).expect("a note that fits its counters");
        let bytes = fill(encoded, self.arch, |word| match word {
            WordRef::Section(_) => 0,
            WordRef::Import(i) => imports[i as usize].1,
        });
        for _ in 0..times {
            self.more.extend(&bytes);
        }
    }

    /// The file.
    ///
    /// # Panics
    /// If something does not fit the counters of the formats.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        let sizes = [self.text.len() as u64, self.rodata.len() as u64, self.data.len() as u64 + self.bss];
        self.note.sections.iter_mut().zip(sizes).for_each(|(section, size)| section.size = size);
        let encoded = self.note.encode(&self.types).expect("a note that fits its counters");
        let bases = [TEXT, RODATA, DATA];
        let mut notes = fill(encoded, self.arch, |word| match word {
            WordRef::Section(i) => bases[i as usize],
            WordRef::Import(i) => self.imports[i as usize],
        });
        notes.extend(&self.more);
        let entry = TEXT + self.note.functions[0].offset;
        let parts = [
            (5, TEXT, &self.text, 0),
            (4, RODATA, &self.rodata, 0),
            (6, DATA, &self.data, self.bss),
            (4, NOTES, &notes, 0),
        ];
        write(self.arch, entry, &parts)
    }
}

/// Fills the address words of a note.
fn fill(encoded: talnote::write::Encoded, arch: Arch, address: impl Fn(WordRef) -> u64) -> Vec<u8> {
    let mut bytes = encoded.bytes;
    let size = arch.word_bytes() as usize;
    for (at, word) in encoded.words {
        bytes[at..at + size].copy_from_slice(&address(word).to_le_bytes()[..size]);
    }
    bytes
}

/// An executable of these segments (permissions, address, bytes, zeroed bytes); the last one are the notes.
fn write(arch: Arch, entry: u64, parts: &[(u32, u64, &Vec<u8>, u64)]) -> Vec<u8> {
    let wide = arch == Arch::Amd64;
    let word = |n: u64| n.to_le_bytes()[..if wide { 8 } else { 4 }].to_vec();
    let half = |n: u16| n.to_le_bytes().to_vec();
    let full = |n: u32| n.to_le_bytes().to_vec();
    let used: Vec<_> = parts.iter().filter(|p| p.2.len() as u64 + p.3 > 0).collect();
    let (head, each) = if wide { (64, 56) } else { (52, 32) };
    let mut file = [&b"\x7fELF"[..], &[if wide { 2 } else { 1 }, 1, 1], &[0; 9]].concat();
    file.extend([half(2), half(if wide { 62 } else { 3 }), full(1), word(entry), word(head)].concat());
    file.extend([word(0), full(0), half(head as u16), half(each), half(used.len() as u16 + 2)].concat());
    file.extend([half(0), half(0), half(0)].concat());
    let mut offset = PAGE;
    let mut header = |kind: u32, flags: u32, offset: u64, address: u64, size: u64, zeros: u64, align: u64| {
        let before = if wide { full(flags) } else { Vec::new() };
        let behind = if wide { Vec::new() } else { full(flags) };
        let numbers = [word(offset), word(address), word(address), word(size), word(size + zeros)].concat();
        file.extend([full(kind), before, numbers, behind, word(align)].concat());
    };
    let mut notes = (0, 0, 0);
    for &&(flags, address, bytes, zeros) in &used {
        header(1, flags, offset, address, bytes.len() as u64, zeros, PAGE);
        notes = (offset, address, bytes.len() as u64);
        offset += (bytes.len() as u64).next_multiple_of(PAGE);
    }
    header(4, 4, notes.0, notes.1, notes.2, 0, u64::from(arch.word_bytes()));
    header(0x6474_e551, 6, 0, 0, 0, 0, 16);
    for (_, _, bytes, _) in used {
        file.resize(file.len().next_multiple_of(PAGE as usize), 0);
        file.extend(*bytes);
    }
    file
}

/// The annotations of a function without labels.
#[must_use]
pub fn no_labels() -> Vec<u8> {
    vec![0, 0, 0]
}

/// The annotations of a function with `labels` of so many labels, no steps without code, and these answers.
#[must_use]
pub fn stream(labels: usize, states: &[u8], answers: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    wire::count(&mut out, labels);
    out.extend(states);
    wire::count(&mut out, 0);
    wire::count(&mut out, answers.len());
    out.extend(answers);
    out
}

/// The verdict of the core, on one thread.
///
/// # Errors
/// The reason of the rejection.
pub fn judge(file: &[u8]) -> talcore::verdict::Verdict {
    talcore::check::check(file, Policy::default())
}
