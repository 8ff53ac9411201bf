//! What cannot be linked, with the code and the place.

mod common;
use common::*;
use object::write::{Comdat, Symbol, SymbolSection};
use object::{ComdatKind, SectionFlags, SectionKind, SymbolFlags, SymbolKind, SymbolScope, elf};
use tallink::{Input, Options};

/// Asserts that an object is refused, as part of an otherwise fine program, with all of these.
#[track_caller]
fn refused(o: Obj, expected: &[&str]) {
    let text = errors(&[hello("x", 0).input("hello.o"), exit_with().input("exit.o"), o.input("bad.o")]);
    for e in expected {
        assert!(text.contains(e), "no `{e}` in:\n{text}");
    }
}

/// class: I2 on amd64
#[test]
fn duplicates_are_shown_with_both_places() {
    let text = errors(&[hello("x", 0).input("a.o"), exit_with().input("b.o"), exit_with().input("c.o")]);
    let expected = "\
error[TAL2009]: `exit_with` is defined more than once
  --> c.o
   | .text+0x0
  ::: b.o
   | .text+0x0: first defined here
  = help: rename one, or do not export it (no `pub`)
";
    assert!(text.starts_with(expected), "{text}");
    let text = errors(&[hello("x", 0).input("a.o"), exit_with().input("b.o"), exit_with().input("b.o")]);
    assert!(text.contains("given twice"), "{text}");
}

#[test]
fn undefined_names_are_shown_with_place_and_suggestion() {
    let text = errors(&[hello("x", 0).input("a.o"), exit_named("exit_wiht").input("b.o")]);
    let expected = "\
error[TAL2010]: `exit_with` is used and nowhere defined
  --> a.o
   | .text+0x20, in `_start`+0x20
  = help: did you mean `exit_wiht`?
";
    assert!(text.starts_with(expected), "{text}");
}

#[test]
fn many_uses_are_counted() {
    let mut o = exit_named("_start");
    let missing = o.undefined("missing");
    let data = o.section(".data", SectionKind::Data, &[0; 64]);
    (0..8).for_each(|i| o.reloc(data, 8 * i, elf::R_X86_64_64, missing, 0));
    let text = errors(&[o.input("a.o")]);
    assert!(text.contains("`missing` is used") && text.contains("5 more places"), "{text}");
    assert_eq!(text.matches("error[TAL2010]").count(), 1);
}

/// class: H6 on amd64
#[test]
fn weak_undefined_names_are_not_zero() {
    let mut o = exit_named("_start");
    let missing = o.undefined("maybe");
    o.weak(missing);
    let data = o.section(".data", SectionKind::Data, &[0; 8]);
    o.reloc(data, 0, elf::R_X86_64_64, missing, 0);
    let text = errors(&[o.input("a.o")]);
    assert!(text.contains("TAL2010") && text.contains("`maybe`"), "{text}");
}

#[test]
fn entry() {
    let text = errors(&[exit_named("start").input("a.o")]);
    assert!(text.contains("TAL2011") && text.contains("did you mean `start`? choose it with -e"), "{text}");
    let mut o = Obj::new();
    let data = o.section(".data", SectionKind::Data, &[0; 8]);
    o.data("_start", data, 0, 8);
    assert!(errors(&[o.input("a.o")]).contains("the entry point `_start` is not code"));
}

/// class: H6 on amd64
#[test]
fn relocations() {
    let kinds = [
        (elf::R_X86_64_GOTPCREL, "global offset table"),
        (elf::R_X86_64_REX_GOTPCRELX, "global offset table"),
        (elf::R_X86_64_TPOFF32, "thread-local storage"),
        (elf::R_X86_64_PC8, "one or two bytes"),
        (elf::R_X86_64_IRELATIVE, "dynamic linker"),
        (elf::RelocationType(0xffff), "only R_X86_64_64"),
    ];
    for (kind, why) in kinds {
        let mut o = Obj::new();
        let text = o.text(&[0x90; 16]);
        let s = o.function("f", text, 0, 16);
        o.reloc(text, 4, kind, s, 0);
        refused(o, &["TAL2006", why, "bad.o", ".text+0x4", "against `f`"]);
    }
}

/// class: H6 on amd64
#[test]
fn relocations_in_wrong_places() {
    for (first, second, message) in [
        (4, 13, "outside its section"),
        (4, 6, "same bytes"),
        (4, 4, "same bytes"),
        (4, u64::MAX - 1, "outside"),
    ] {
        let mut o = Obj::new();
        let text = o.text(&[0x90; 16]);
        let s = o.function("f", text, 0, 16);
        o.reloc(text, second, elf::R_X86_64_PC32, s, 0);
        o.reloc(text, first, elf::R_X86_64_PC32, s, 0);
        refused(o, &["TAL2007", message, "bad.o"]);
    }
    let mut o = Obj::new();
    let bss = o.section(".bss", SectionKind::UninitializedData, &[0; 16]);
    let s = o.data("b", bss, 0, 16);
    o.reloc(bss, 0, elf::R_X86_64_64, s, 0);
    refused(o, &["TAL2007", "without bytes"]);
}

/// class: H6 on amd64
#[test]
fn values_that_do_not_fit() {
    for (kind, addend) in [
        (elf::R_X86_64_32, -0x1000_0000),
        (elf::R_X86_64_32, 1 << 32),
        (elf::R_X86_64_32S, 1 << 31),
        (elf::R_X86_64_PC32, (1 << 31) + 4),
        (elf::R_X86_64_PC32, i64::MIN),
    ] {
        let mut o = Obj::new();
        let text = o.text(&[0x90; 16]);
        let s = o.function("f", text, 0, 16);
        o.reloc(text, 4, kind, s, addend);
        refused(o, &["TAL2008", "does not fit", "`f`", ".text+0x4, in `f`+0x4"]);
    }
}

/// class: H6 on amd64
#[test]
fn symbols() {
    let symbol = |kind, section, flags| Symbol {
        name: b"strange".to_vec(),
        value: 0,
        size: 0,
        kind,
        scope: SymbolScope::Dynamic,
        weak: false,
        section,
        flags,
    };
    let mut o = Obj::new();
    o.out.add_common_symbol(symbol(SymbolKind::Data, SymbolSection::Undefined, SymbolFlags::None), 8, 8);
    refused(o, &["TAL2005", "`strange` is a common block", "bad.o"]);

    let mut o = Obj::new();
    let tls = o.section(".data", SectionKind::Data, &[0; 8]);
    o.out.add_symbol(symbol(SymbolKind::Tls, SymbolSection::Section(tls), SymbolFlags::None));
    refused(o, &["TAL2005", "thread-local"]);

    let mut o = Obj::new();
    let text = o.text(&[0xc3]);
    let st_info = elf::SymbolInfo::new(elf::STB_GLOBAL, elf::STT_GNU_IFUNC);
    let flags = SymbolFlags::Elf { st_info, st_other: elf::SymbolOther(0) };
    o.out.add_symbol(symbol(SymbolKind::Text, SymbolSection::Section(text), flags));
    refused(o, &["TAL2005", "indirect function"]);

    let mut o = Obj::new();
    let text = o.text(&[0xc3]);
    o.function("beyond", text, 2, 0);
    refused(o, &["TAL2005", "`beyond` at 0x2 with 0 bytes is outside .text"]);
}

#[test]
fn sections() {
    let cases: [(&str, SectionKind, u64, &str); 5] = [
        (".tdata", SectionKind::Tls, 0, "thread-local"),
        (".init_array", SectionKind::Data, 0, "constructors"),
        (".wx", SectionKind::Text, 7, "both writable and executable"),
        (".note.GNU-stack", SectionKind::Other, 4, "executable stack"),
        (".zdata", SectionKind::Data, 0x803, "compressed"),
    ];
    for (name, kind, flags, message) in cases {
        let mut o = Obj::new();
        let section = o.section(name, kind, &[0; 32]);
        let sh_type = if name == ".init_array" { elf::SHT_INIT_ARRAY } else { elf::SHT_PROGBITS };
        if flags != 0 || name == ".init_array" {
            let sh_flags = elf::SectionFlags(flags.max(3 * u64::from(name == ".init_array")));
            o.out.section_mut(section).flags = SectionFlags::Elf { sh_type, sh_flags };
        }
        refused(o, &["TAL2004", message, name, "bad.o"]);
    }
    let mut o = Obj::new();
    let text = o.out.add_section(Vec::new(), b".text".to_vec(), SectionKind::Text);
    o.out.append_section_data(text, &[0xc3], 8192);
    refused(o, &["TAL2004", "alignment of 8192"]);

    let mut o = Obj::new();
    let text = o.text(&[0xc3]);
    let f = o.function("f", text, 0, 1);
    o.out.add_comdat(Comdat { kind: ComdatKind::Any, symbol: f, sections: vec![text] });
    refused(o, &["TAL2004", "COMDAT"]);
}

#[test]
fn files_that_are_no_objects() {
    let good = exit_named("_start").bytes();
    let with = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        bytes
    };
    let image = link(&[exit_named("_start").input("a.o")]).image;
    for (bytes, code, message) in [
        (Vec::new(), "TAL2001", "too short"),
        (b"int main() { return 0; }".to_vec(), "TAL2001", "neither an ELF object nor an archive"),
        (with(4, 1), "TAL2001", "for x32 (AMD64 with an ELF class of 32 bits)"),
        (with(5, 2), "TAL2001", "big-endian"),
        (with(18, 40), "TAL2001", "machine 40"),
        (image, "TAL2001", "an executable"),
        (good[..good.len() - 70].to_vec(), "TAL2002", ""),
        (b"!<arch>\ngarbage".to_vec(), "TAL2003", ""),
        (b"!<thin>\n".to_vec(), "TAL2003", "thin archives"),
    ] {
        let text = errors(&[input("odd", bytes)]);
        assert!(text.contains(code) && text.contains(message) && text.contains("--> odd"), "{text}");
    }
}

/// One program has one architecture.
#[test]
fn mixed_architectures() {
    let other = input("other.o", tallink::gate::object_bytes(&tallink::arch::IA32).to_vec());
    let text = errors(&[exit_named("_start").input("a.o"), other]);
    assert!(text.contains("TAL2001") && text.contains("for IA-32, the others for AMD64"), "{text}");
    // In the other order.
    let ia32 = || input("first.o", tallink::gate::object_bytes(&tallink::arch::IA32).to_vec());
    let text = errors(&[ia32(), exit_named("_start").input("a.o")]);
    assert!(text.contains("a.o") && text.contains("for AMD64, the others for IA-32"), "{text}");
    // A class that is the other one's.
    let mut bytes = tallink::gate::object_bytes(&tallink::arch::IA32).to_vec();
    bytes[4] = 2;
    let text = errors(&[input("odd", bytes)]);
    assert!(text.contains("TAL2001") && text.contains("its ELF class is that of 64 bits"), "{text}");
    let inputs = [exit_named("_start").input("a.o")];
    let options = Options { arch: Some(&tallink::arch::IA32), ..Options::default() };
    let text = render(&tallink::link(&inputs, &options).unwrap_err());
    assert!(text.contains("IA-32 was asked for"), "{text}");
}

/// class: J5 on amd64
#[test]
fn too_large() {
    let mut o = exit_named("_start");
    let bss = o.out.add_section(Vec::new(), b".bss".to_vec(), SectionKind::UninitializedData);
    o.out.append_section_bss(bss, 1 << 31, 8);
    let text = errors(&[o.input("a.o")]);
    assert!(text.contains("TAL2014") && text.contains("2 GiB"), "{text}");
    let mut o = exit_named("_start");
    let bss = o.out.add_section(Vec::new(), b".bss".to_vec(), SectionKind::UninitializedData);
    o.out.append_section_bss(bss, u64::MAX, 1);
    assert!(errors(&[o.input("a.o"), o.input("b.o")]).contains("TAL20"));
    // Without the large section it links.
    assert!(tallink::link(&[exit_named("_start").input("a.o")], &Options::default()).is_ok());
}

/// class: J6 on amd64
#[test]
fn names_cannot_steer_the_terminal() {
    let mut o = exit_named("_start");
    let evil = o.undefined("evil\x1b[2Jname");
    let data = o.section(".data", SectionKind::Data, &[0; 8]);
    o.reloc(data, 0, elf::R_X86_64_64, evil, 0);
    let inputs: [Input; 1] = [o.input("a.o")];
    let text = errors(&inputs);
    assert!(text.contains("evil") && !text.contains('\x1b'), "{text}");
}
