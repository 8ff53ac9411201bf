//! The object with the gate slot and the stubs that every program contains exactly once.
//!
//! tallink adds it to its inputs; `tallink --gate-object gate.o` writes it to a file so that
//! other linkers can make the same program.

use crate::arch::{AMD64, Arch};
use object::write::{Object, Relocation, Symbol, SymbolSection};
use object::{
    Architecture, BinaryFormat, Endianness, RelocationFlags, SectionFlags, SectionKind, SymbolFlags,
    SymbolKind, SymbolScope, elf,
};
use std::sync::OnceLock;

/// The slot: one word in read-only memory that holds the address of the stub, or in kernel mode
/// what the kernel put there before the start.
pub const GATE: &str = "__tal_gate";
/// The stub that enters the kernel from user mode.
pub const STUB: &str = "__tal_stub";
/// The stub that returns from a signal handler.
pub const RESTORER: &str = "__tal_restorer";
/// What messages call the object when the linker brings it.
pub const NAME: &str = "<gate>";

/// Offset of the restorer in the code section.
const RESTORER_AT: usize = 16;
const ROLE_GATE: u8 = 0;
const ROLE_STUB: u8 = 1;
const ROLE_RESTORER: u8 = 2;

/// The object as an ELF relocatable; always the same bytes.
pub fn object_bytes() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| build(&AMD64).expect("the gate's object is constant and can be written"))
}

fn build(arch: &Arch) -> object::write::Result<Vec<u8>> {
    let word = arch.class.word();
    let mut out = Object::new(BinaryFormat::Elf, Architecture::X86_64, Endianness::Little);

    // The names are those that every linker's default script puts to .rodata and .text.
    let slot = out.add_section(Vec::new(), b".rodata.tal_gate".to_vec(), SectionKind::ReadOnlyData);
    out.append_section_data(slot, &vec![0; word as usize], word);

    let mut code = arch.stub.to_vec();
    code.resize(RESTORER_AT, arch.trap);
    code.extend_from_slice(arch.restorer);
    let text = out.add_section(Vec::new(), b".text.tal_stub".to_vec(), SectionKind::Text);
    out.append_section_data(text, &code, RESTORER_AT as u64);

    let note = out.add_section(Vec::new(), b".note.tal".to_vec(), SectionKind::Note);
    let flags = elf::SHF_ALLOC;
    out.section_mut(note).flags = SectionFlags::Elf { sh_flags: flags, sh_type: elf::SHT_NOTE, sh_link: 0, sh_info: 0, sh_entsize: 0 };
    let (bytes, words_at) = note_bytes(arch, code.len());
    out.append_section_data(note, &bytes, word);

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
    define(RESTORER, SymbolKind::Text, text, RESTORER_AT as u64, arch.restorer.len() as u64);

    // Section symbols, so that no other definition can come between.
    let (slot_base, text_base) = (out.section_symbol(slot), out.section_symbol(text));
    let flags = RelocationFlags::Elf { r_type: elf::R_X86_64_64 };
    let address = |offset, symbol| Relocation { offset, symbol, addend: 0, flags };
    out.add_relocation(slot, address(0, text_base))?;
    out.add_relocation(note, address(words_at, slot_base))?;
    out.add_relocation(note, address(words_at + word, text_base))?;
    out.write()
}

/// The note of the object, and where its address words are: see `talcore::note`.
fn note_bytes(arch: &Arch, code: usize) -> (Vec<u8>, u64) {
    let word = arch.class.word();
    let payload = [
        2, // sections
        1, word as u8, // read-only data: the slot
        0, code as u8, // code: both stubs
        0, 0, 0, 0, 0, // structs, nodes, objects, functions, imports
        3, // roles: kind, section, offset
        ROLE_GATE, 0, 0,
        ROLE_STUB, 1, 0,
        ROLE_RESTORER, 1, RESTORER_AT as u8,
        0, // names
    ];
    let mut descriptor = vec![1, arch.note];
    descriptor.extend_from_slice(&2u16.to_le_bytes());
    descriptor.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    let words_in_descriptor = descriptor.len();
    descriptor.resize(words_in_descriptor + 2 * word as usize, 0);
    descriptor.extend_from_slice(&payload);
    let mut note = Vec::new();
    for field in [4, descriptor.len() as u32, 0x100] {
        note.extend_from_slice(&field.to_le_bytes());
    }
    note.extend_from_slice(b"TAL\0");
    let words_at = (note.len() + words_in_descriptor) as u64;
    note.extend_from_slice(&descriptor);
    while !(note.len() as u64).is_multiple_of(word) {
        note.push(0);
    }
    (note, words_at)
}
