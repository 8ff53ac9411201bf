//! Small programs, linked and run for real.

mod common;
use common::*;
use object::read::elf::{ElfFile64, ProgramHeader};
use object::{LittleEndian, Object as _, ObjectSection, ObjectSymbol, SectionKind, elf};
use tallink::{Input, Options};
use talnote::table::TypeTable;
use talnote::write::{Arch, NoteBuilder, Section};

fn program() -> Vec<Input> {
    vec![hello("hello\n", 7).input("hello.o"), exit_with().input("exit.o")]
}

#[test]
fn runs() {
    let dir = tempfile::tempdir().unwrap();
    let out = run(dir.path(), &link(&program()).image);
    assert_eq!(String::from_utf8_lossy(&out.stdout), "hello\n");
    assert_eq!(out.status.code(), Some(7));
}

#[test]
fn same_inputs_same_bytes() {
    let options = Options { map: true, ..Options::default() };
    let (a, b) = (link_with(&program(), &options), link_with(&program(), &options));
    assert!(a.image == b.image && a.map == b.map);
}

#[test]
fn looks_as_accepted_files_must() {
    let mut o = hello("hi", 0);
    o.section(".data", SectionKind::Data, &[1, 2, 3]);
    o.section(".bss", SectionKind::UninitializedData, &[0; 10000]);
    let image = link(&[o.input("a.o"), exit_with().input("b.o")]).image;
    let file = ElfFile64::<LittleEndian>::parse(&*image).unwrap();
    assert_eq!(file.kind(), object::ObjectKind::Executable);
    let le = LittleEndian;
    let mut end = 0x10000;
    let mut kinds = Vec::new();
    for p in file.elf_program_headers() {
        kinds.push(p.p_type(le));
        let (addr, offset, flags) = (p.p_vaddr(le), p.p_offset(le), p.p_flags(le).0);
        let (in_file, in_memory) = (p.p_filesz(le), p.p_memsz(le));
        match p.p_type(le) {
            elf::PT_LOAD => {
                assert_eq!((addr - offset) % 4096, 0);
                assert!(addr / 4096 >= end / 4096, "segments share a page");
                assert_ne!(flags & 3, 3, "writable and executable");
                assert!(flags & 2 != 0 || in_file == in_memory);
                assert!((offset + in_file) as usize <= image.len());
                end = (addr + in_memory).next_multiple_of(4096);
            }
            elf::PT_GNU_STACK => assert_eq!(flags & 1, 0),
            elf::PT_NOTE => assert_eq!(&image[offset as usize + 12..][..4], b"TAL\0"),
            other => panic!("unexpected program header {other:?}"),
        }
    }
    assert_eq!(kinds, [elf::PT_LOAD, elf::PT_LOAD, elf::PT_LOAD, elf::PT_NOTE, elf::PT_GNU_STACK]);
    assert!(end < 1 << 31);
    let address = |name: &str| file.symbol_by_name(name).unwrap().address();
    assert_eq!(file.entry(), address("_start"));
    // The slot holds the address of the stub.
    let rodata = file.section_by_name(".rodata").unwrap();
    let slot = (address("__tal_gate") - rodata.address()) as usize;
    assert_eq!(address("__tal_gate") % 8, 0);
    assert_eq!(rodata.data().unwrap()[slot..slot + 8], address("__tal_stub").to_le_bytes());
    let text = file.section_by_name(".text").unwrap();
    let stub = (address("__tal_stub") - text.address()) as usize;
    assert_eq!(text.data().unwrap()[stub..stub + 3], [0x0f, 0x05, 0xc3]);
    let restorer = (address("__tal_restorer") - text.address()) as usize;
    assert_eq!(text.data().unwrap()[restorer..restorer + 7], [0xb8, 15, 0, 0, 0, 0x0f, 0x05]);
}

#[test]
fn gaps_in_code_trap() {
    let image = link(&program()).image;
    let file = ElfFile64::<LittleEndian>::parse(&*image).unwrap();
    let text = file.section_by_name(".text").unwrap();
    let data = text.data().unwrap();
    // hello.o has 37 bytes, exit.o starts at 40.
    assert_eq!(data[37..40], [0xcc; 3]);
}

#[test]
fn relocations_of_all_kinds() {
    let mut o = exit_named("_start");
    let data = o.section(".data", SectionKind::Data, &[0; 40]);
    let there = o.data("there", data, 8, 8);
    o.reloc(data, 0, elf::R_X86_64_64, there, 3);
    o.reloc(data, 8, elf::R_X86_64_32, there, -1);
    o.reloc(data, 12, elf::R_X86_64_32S, there, 1);
    o.reloc(data, 16, elf::R_X86_64_PC32, there, 0);
    o.reloc(data, 20, elf::R_X86_64_PLT32, there, -4);
    let image = link(&[o.input("a.o")]).image;
    let file = ElfFile64::<LittleEndian>::parse(&*image).unwrap();
    let base = file.section_by_name(".data").unwrap();
    let bytes = base.data().unwrap();
    let (at, there) = (base.address(), base.address() + 8);
    let word = |i: usize| u32::from_le_bytes(bytes[i..i + 4].try_into().unwrap());
    assert_eq!(bytes[0..8], (there + 3).to_le_bytes());
    assert_eq!(word(8), there as u32 - 1);
    assert_eq!(word(12), there as u32 + 1);
    assert_eq!(word(16), (there as u32).wrapping_sub(at as u32 + 16));
    assert_eq!(word(20), (there as u32).wrapping_sub(at as u32 + 24));
}

/// class: I2 on amd64
#[test]
fn strong_definitions_win_over_weak_ones() {
    let weak = || {
        let mut o = exit_with();
        let id = o.names["exit_with"];
        o.weak(id);
        o
    };
    let dir = tempfile::tempdir().unwrap();
    for inputs in [
        [hello("x", 3).input("h.o"), weak().input("w.o"), exit_with().input("s.o")],
        [hello("x", 3).input("h.o"), exit_with().input("s.o"), weak().input("w.o")],
        [hello("x", 3).input("h.o"), weak().input("v.o"), weak().input("w.o")],
    ] {
        assert_eq!(run(dir.path(), &link(&inputs).image).status.code(), Some(3));
    }
}

#[test]
fn strip_leaves_out_symbols_only() {
    let mut o = hello("hello\n", 7);
    o.section(".debug_info", SectionKind::Debug, b"debug");
    let inputs = [o.input("hello.o"), exit_with().input("exit.o")];
    let full = link(&inputs).image;
    let stripped = link_with(&inputs, &Options { strip: true, ..Options::default() }).image;
    let file = ElfFile64::<LittleEndian>::parse(&*full).unwrap();
    assert_eq!(file.section_by_name(".debug_info").unwrap().data().unwrap(), b"debug");
    let file = ElfFile64::<LittleEndian>::parse(&*stripped).unwrap();
    assert_eq!(file.symbols().count(), 0);
    assert!(file.section_by_name(".debug_info").is_none());
    let loaded = file.sections().filter(|s| s.address() != 0).count();
    assert!(loaded >= 3);
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(run(dir.path(), &stripped).status.code(), Some(7));
}

#[test]
fn unused_sections_are_left_out() {
    let mut unused = Obj::new();
    let text = unused.text(&[0xc3]);
    unused.function("unused", text, 0, 1);
    let nowhere = unused.undefined("nowhere");
    let data = unused.section(".data", SectionKind::Data, &[0; 8]);
    unused.reloc(data, 0, elf::R_X86_64_64, nowhere, 0);
    let inputs =
        [hello("hello\n", 7).input("hello.o"), unused.input("unused.o"), exit_with().input("exit.o")];
    assert!(errors(&inputs).contains("`nowhere` is used and nowhere defined"));
    let options = Options { gc_sections: true, map: true, ..Options::default() };
    let out = link_with(&inputs, &options);
    let file = ElfFile64::<LittleEndian>::parse(&*out.image).unwrap();
    assert!(file.symbol_by_name("unused").is_none());
    assert!(file.symbol_by_name("exit_with").is_some());
    assert!(file.symbol_by_name("__tal_gate").is_some());
    let map = out.map.unwrap();
    let left_out = map.split("Left out by --gc-sections").nth(1).unwrap();
    assert!(left_out.contains("unused.o:(.text)") && !left_out.contains("hello.o"));
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(run(dir.path(), &out.image).status.code(), Some(7));
}

#[test]
fn notes_keep_what_they_describe() {
    // `used` has two code sections and one note that speaks of both: they stay together.
    let mut used = Obj::new();
    let first =
        used.section(".text.a", SectionKind::Text, &[0xb8, 231, 0, 0, 0, 0xff, 0x15, 0, 0, 0, 0, 0x0f, 0x0b]);
    let gate = used.undefined("__tal_gate");
    used.reloc(first, 7, elf::R_X86_64_PC32, gate, -4);
    used.function("exit_with", first, 0, 13);
    let second = used.section(".text.b", SectionKind::Text, &[0xc3]);
    used.function("second", second, 0, 1);
    let mut note = NoteBuilder::new(Arch::Amd64);
    note.sections = [13, 1].map(|size| Section { kind: talnote::write::SectionKind::Code, size }).to_vec();
    used.note(&note, &TypeTable::default(), &[first, second], &[]);
    let inputs = [hello("hello\n", 7).input("hello.o"), used.input("used.o")];
    let options = Options { gc_sections: true, ..Options::default() };
    let image = link_with(&inputs, &options).image;
    let file = ElfFile64::<LittleEndian>::parse(&*image).unwrap();
    assert!(file.symbol_by_name("second").is_some());
}

#[test]
fn the_gate_object_is_added_once() {
    let mut inputs = program();
    inputs.push(input("gate.o", tallink::gate::object_bytes(&tallink::arch::AMD64).to_vec()));
    let image = link(&inputs).image;
    let file = ElfFile64::<LittleEndian>::parse(&*image).unwrap();
    assert_eq!(file.symbols().filter(|s| s.name() == Ok("__tal_gate")).count(), 1);
    inputs.push(input("gate2.o", tallink::gate::object_bytes(&tallink::arch::AMD64).to_vec()));
    assert!(errors(&inputs).contains("`__tal_gate` is defined more than once"));
}

#[test]
fn modules_are_linked_virtually() {
    let Input::File(file) = hello("hello\n", 7).input("hello.o") else { unreachable!() };
    let module = tallink::link_module(file).unwrap();
    assert_eq!(module.imports.len(), 1);
    assert_eq!(module.imports[0].name, b"exit_with");
    let fake = module.imports[0].address;
    assert!(module.segments.iter().all(|s| fake >= s.addr + s.mem_size) && fake < 1 << 31);
    let text = module.segments.iter().find(|s| s.exec).unwrap();
    assert_eq!(module.entry, Some(text.addr));
    // The jump goes to the import's address.
    let at = text.offset as usize + 32;
    let distance = i32::from_le_bytes(module.image[at..at + 4].try_into().unwrap());
    assert_eq!(text.addr.wrapping_add(36).wrapping_add_signed(distance.into()), fake);
    assert_eq!(&module.image[module.notes.clone()][12..16], b"TAL\0");
}
