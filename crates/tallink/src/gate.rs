//! The object with the gate slot and the stubs that every program contains exactly once.
//!
//! tallink adds it to its inputs; `tallink --gate-object gate.o` writes it to a file so that
//! other linkers can make the same program.

use crate::arch::{Arch, Class};
use object::write::{Object, Relocation, Symbol, SymbolSection};
use object::{
    Architecture, BinaryFormat, Endianness, RelocationFlags, SectionFlags, SectionKind, SymbolFlags,
    SymbolKind, SymbolScope, elf,
};
use std::sync::OnceLock;
use talnote::table::TypeTable;
use talnote::write::{Encoded, NoteBuilder, Role, RoleKind, Section};

/// The slot: one word in read-only memory that holds the address of the stub, or in kernel mode
/// what the kernel put there before the start.
pub const GATE: &str = "__tal_gate";
/// The stub that enters the kernel from user mode.
pub const STUB: &str = "__tal_stub";
/// The stub that returns from a signal handler.
pub const RESTORER: &str = "__tal_restorer";
/// What messages call the object when the linker brings it.
pub const NAME: &str = "<gate>";

/// Offset of the restorer in the code section, and the section's alignment.
const RESTORER_AT: u64 = 16;

/// The object of an architecture as an ELF relocatable; always the same bytes.
pub fn object_bytes(arch: &Arch) -> &'static [u8] {
    static AMD64: OnceLock<Vec<u8>> = OnceLock::new();
    static IA32: OnceLock<Vec<u8>> = OnceLock::new();
    let bytes = match arch.class {
        Class::Elf64 => &AMD64,
        Class::Elf32 => &IA32,
    };
    bytes.get_or_init(|| build(arch).expect("the gate's object is constant and can be written"))
}

fn build(arch: &Arch) -> object::write::Result<Vec<u8>> {
    let word = arch.class.word();
    let (architecture, r_type) = match arch.class {
        Class::Elf64 => (Architecture::X86_64, elf::R_X86_64_64),
        Class::Elf32 => (Architecture::I386, elf::R_386_32),
    };
    let mut out = Object::new(BinaryFormat::Elf, architecture, Endianness::Little);

    // The names are those that every linker's default script puts to .rodata and .text.
    let slot = out.add_section(Vec::new(), b".rodata.tal_gate".to_vec(), SectionKind::ReadOnlyData);
    out.append_section_data(slot, &vec![0; word as usize], word);

    let mut code = arch.stub.to_vec();
    code.resize(RESTORER_AT as usize, arch.trap);
    code.extend_from_slice(arch.restorer);
    // To the end of its alignment, so that no linker fills a gap behind it with zeros.
    code.resize(code.len().next_multiple_of(RESTORER_AT as usize), arch.trap);
    let text = out.add_section(Vec::new(), b".text.tal_stub".to_vec(), SectionKind::Text);
    out.append_section_data(text, &code, RESTORER_AT);

    let section = out.add_section(Vec::new(), b".note.tal".to_vec(), SectionKind::Note);
    out.section_mut(section).flags = SectionFlags::Elf { sh_type: elf::SHT_NOTE, sh_flags: elf::SHF_ALLOC };
    let note = note(arch, code.len() as u64);
    out.append_section_data(section, &note.bytes, word);

    let stack = out.add_section(Vec::new(), b".note.GNU-stack".to_vec(), SectionKind::Other);
    out.append_section_data(stack, &[], 1);

    let mut define = |name: &str, kind, section, value, size| {
        out.add_symbol(Symbol {
            name: name.as_bytes().to_vec(),
            value,
            size,
            kind,
            scope: SymbolScope::Dynamic,
            weak: false,
            section: SymbolSection::Section(section),
            flags: SymbolFlags::None,
        });
    };
    define(GATE, SymbolKind::Data, slot, 0, word);
    define(STUB, SymbolKind::Text, text, 0, arch.stub.len() as u64);
    define(RESTORER, SymbolKind::Text, text, RESTORER_AT, arch.restorer.len() as u64);

    // Section symbols, so that no other definition can come between.
    let (slot_base, text_base) = (out.section_symbol(slot), out.section_symbol(text));
    let flags = RelocationFlags::Elf { r_type };
    let address = |offset, symbol| Relocation { offset, symbol, addend: 0, flags };
    out.add_relocation(slot, address(0, text_base))?;
    for (&(at, _), base) in note.words.iter().zip([slot_base, text_base]) {
        out.add_relocation(section, address(at as u64, base))?;
    }
    out.write()
}

/// The note of the object, and where its two address words are: the slot's and the code's.
fn note(arch: &Arch, code: u64) -> Encoded {
    let mut note = NoteBuilder::new(arch.note);
    note.sections = vec![
        Section { kind: talnote::write::SectionKind::Rodata, size: arch.class.word() },
        Section { kind: talnote::write::SectionKind::Code, size: code },
    ];
    note.roles = vec![
        Role { kind: RoleKind::Gate, section: 0, offset: 0 },
        Role { kind: RoleKind::Stub, section: 1, offset: 0 },
        Role { kind: RoleKind::Restorer, section: 1, offset: RESTORER_AT },
    ];
    note.encode(&TypeTable::default()).expect("two sections fit")
}
