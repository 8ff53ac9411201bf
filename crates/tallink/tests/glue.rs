//! What lies between the tools: names that mean numbers, sizes at the ends of 32 bits, files with holes, notes that other
//! linkers put together.

mod common;
use common::*;
use object::write::{Symbol, SymbolSection};
use object::{SectionKind, SymbolFlags, SymbolKind, SymbolScope, elf};
use std::path::Path;
use std::process::{Command, Output};
use talcore::check::check;
use talcore::verdict::Code;
use tallink::{Input, InputFile, Options};

/// A symbol that means a number.
fn absolute(o: &mut Obj, name: &str, value: u64, weak: bool) -> object::write::SymbolId {
    o.out.add_symbol(Symbol {
        name: name.as_bytes().to_vec(),
        value,
        size: 0,
        kind: SymbolKind::Data,
        scope: SymbolScope::Dynamic,
        weak,
        section: SymbolSection::Absolute,
        flags: SymbolFlags::None,
    })
}

/// `_start`, and data with the value of `number`.
fn uses_number(kind: elf::RelocationType) -> Obj {
    let mut o = exit_named("_start");
    let data = o.section(".data", SectionKind::Data, &[0; 8]);
    let number = o.undefined("number");
    o.reloc(data, 0, kind, number, 1);
    o
}

fn with_number(value: u64, weak: bool) -> Input {
    let mut o = Obj::new();
    o.section(".data", SectionKind::Data, &[0; 8]);
    absolute(&mut o, "number", value, weak);
    o.input("number.o")
}

/// What lies in `.data` of the program.
fn data(image: &[u8]) -> u64 {
    use object::{Object as _, ObjectSection as _};
    let file = object::File::parse(image).unwrap();
    let bytes = file.section_by_name(".data").unwrap().data().unwrap().to_vec();
    u64::from_le_bytes(bytes[..8].try_into().unwrap())
}

/// class: H6 on amd64
#[test]
fn absolute_symbols_are_numbers() {
    let program = |value, weak| [uses_number(elf::R_X86_64_64).input("a.o"), with_number(value, weak)];
    assert_eq!(data(&link(&program(41, false)).image), 42);
    assert_eq!(data(&link(&program(u64::MAX, true)).image), 0);
    // A strong one wins over a weak one in any order, and two strong ones contradict each other.
    for inputs in [
        [uses_number(elf::R_X86_64_64).input("a.o"), with_number(1, true), with_number(6, false)],
        [uses_number(elf::R_X86_64_64).input("a.o"), with_number(6, false), with_number(1, true)],
    ] {
        assert_eq!(data(&link(&inputs).image), 7);
    }
    let text =
        errors(&[uses_number(elf::R_X86_64_64).input("a.o"), with_number(1, false), with_number(1, false)]);
    assert!(text.contains("TAL2009") && text.contains("`number` is defined more than once"), "{text}");
}

/// class: H6 on amd64
#[test]
fn absolute_symbols_that_do_not_fit() {
    for (kind, last) in [(elf::R_X86_64_32, u64::from(u32::MAX) - 1), (elf::R_X86_64_32S, (1 << 31) - 2)] {
        link(&[uses_number(kind).input("a.o"), with_number(last, false)]);
        let text = errors(&[uses_number(kind).input("a.o"), with_number(last + 1, false)]);
        assert!(
            text.contains("TAL2008") && text.contains("`number`") && text.contains("does not fit"),
            "{text}"
        );
    }
}

/// The code at address 5 is no code: what a number means is for the checker to say, and it finds nothing there.
///
/// class: H6 on amd64
#[test]
fn calls_of_a_number() {
    let mut o = Obj::new();
    let text = o.text(&[0xe8, 0, 0, 0, 0, 0x0f, 0x0b]);
    o.function("_start", text, 0, 7);
    let number = o.undefined("number");
    o.reloc(text, 1, elf::R_X86_64_PC32, number, -4);
    // An untyped program: it links, and its code belongs to no function.
    let image = link(&[o.input("a.o"), with_number(5, false)]).image;
    let code = check(&image, talcore::Policy::default()).unwrap_err().code;
    assert!(matches!(code, Code::Entry | Code::Uncovered), "{code:?}");
}

fn bss(o: &mut Obj, name: &str, size: u64) {
    let id = o.out.add_section(Vec::new(), name.as_bytes().to_vec(), SectionKind::UninitializedData);
    o.out.append_section_bss(id, size, 8);
}

/// class: J5 on amd64
#[test]
fn sizes_at_the_ends_of_32_bits() {
    let sized = |size| {
        let mut o = exit_named("_start");
        bss(&mut o, ".bss", size);
        o.input("a.o")
    };
    for size in
        [(1 << 31) - 1, 1 << 31, (1 << 31) + 1, (1 << 32) - 1, 1 << 32, (1 << 32) + 1, 1 << 47, 1 << 63]
    {
        let text = errors(&[sized(size)]);
        assert!(text.contains("TAL2014") && text.contains("2 GiB"), "{size:#x}: {text}");
    }
    // Sizes that wrap around together.
    let mut o = exit_named("_start");
    bss(&mut o, ".bss", 1 << 63);
    bss(&mut o, ".bss.two", 1 << 63);
    let text = errors(&[o.input("a.o")]);
    assert!(text.contains("TAL2014") || text.contains("TAL2002"), "{text}");
    // Most of 2 GiB are there, and cost nothing: they are in no file.
    let out = link(&[sized((1 << 31) - 0x50_0000)]);
    assert!(out.image.len() < 1 << 16, "{}", out.image.len());
}

/// A segment of the program with another size or place.
fn patched(image: &[u8], field: usize, value: u64) -> Vec<u8> {
    let mut bytes = image.to_vec();
    let header = (0..).map(|i| 64 + 56 * i).find(|&at| bytes[at] == 1 && bytes[at + 4] == 6).unwrap();
    bytes[header + field..header + field + 8].copy_from_slice(&value.to_le_bytes());
    bytes
}

/// The checker's own reading of the same sizes.
///
/// class: J5 on amd64
#[test]
fn segments_at_the_ends_of_32_bits() {
    let mut o = typed("hello\n", 7);
    o.section(".data", SectionKind::Data, &[0; 8]);
    let image = link(&[o.input("a.o")]).image;
    let judge = |bytes: &[u8]| check(bytes, talcore::Policy::default()).map(drop).map_err(|r| r.code);
    assert_eq!(judge(&image), Ok(()));
    const OFFSET: usize = 8;
    const FILESZ: usize = 32;
    const MEMSZ: usize = 40;
    // Zeroed memory of any size that lies below the stack.
    for size in [(1 << 31) - 1, 1 << 31, (1u64 << 32) - 1, 1 << 32, (1 << 32) + 1, 1 << 45] {
        assert_eq!(judge(&patched(&image, MEMSZ, size)), Ok(()), "{size:#x}");
    }
    for size in [1 << 46, 1 << 63, u64::MAX - 0xfff, u64::MAX] {
        assert_eq!(judge(&patched(&image, MEMSZ, size)), Err(Code::Segment), "{size:#x}");
    }
    for size in [1 << 31, 1 << 32, (1 << 32) + 8, u64::MAX] {
        assert_eq!(judge(&patched(&image, FILESZ, size)), Err(Code::Segment), "{size:#x}");
        let offset = u64::from_le_bytes(image[64 + 56 * 2 + OFFSET..][..8].try_into().unwrap());
        assert_eq!(
            judge(&patched(&image, OFFSET, offset.wrapping_add(size))),
            Err(Code::Segment),
            "{size:#x}"
        );
    }
}

fn tallink(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tallink"))
        .current_dir(dir)
        .args(args)
        .env("NO_COLOR", "1")
        .output()
        .unwrap()
}

/// A file with a hole of 4 GiB takes no room, and is not read.
///
/// class: J5 on amd64
#[test]
fn sparse_files() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    std::fs::write(path("a.o"), typed("hello\n", 7).bytes()).unwrap();
    for (name, start) in [("object.o", &typed("x", 1).bytes()[..]), ("lib.a", b"!<arch>\n"), ("zeros", b"")] {
        std::fs::write(path(name), start).unwrap();
        let file = std::fs::OpenOptions::new().write(true).open(path(name)).unwrap();
        if file.set_len(1 << 32).is_err() {
            return; // not on this file system
        }
        let out = tallink(dir.path(), &["-o", "prog", "a.o", name]);
        let text = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(2), "{name}: {text}");
        assert!(
            text.contains("error[TAL2") && text.contains("larger than 1 GiB") && text.contains(name),
            "{text}"
        );
        assert!(!path("prog").exists());
    }
}

/// More sections than their numbers have bits: the true number stands elsewhere.
///
/// class: J5 on amd64
#[test]
fn more_sections_than_numbers() {
    let mut o = typed("hello\n", 7);
    for i in 0..66_000 {
        o.section(&format!(".data{i}"), SectionKind::Data, &[0; 4]);
    }
    let result = tallink::link(&[o.input("a.o")], &Options::default());
    match result {
        Ok(out) => assert!(check(&out.image, talcore::Policy::default()).is_ok()),
        Err(errors) => assert!(render(&errors).contains("error[TAL20"), "{}", render(&errors)),
    }
}

/// Notes of two typed modules as other linkers put them together: in one piece first (`-r`), in the other order, beside notes
/// of other owners, and with nothing between them.
///
/// class: H8 on amd64
#[test]
fn notes_that_other_linkers_merge() {
    if !installed("ld") || !installed("as") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(dir.path().join(name), bytes).unwrap();
    write("a.o", &typed("hello\n", 7).bytes());
    write("other.o", &{
        let mut o = typed("other\n", 3);
        let id = o.names["_start"];
        o.out.symbol_mut(id).scope = SymbolScope::Compilation;
        let message = o.names["message"];
        o.out.symbol_mut(message).scope = SymbolScope::Compilation;
        o.bytes()
    });
    write("gate.o", tallink::gate::object_bytes(&tallink::arch::AMD64));
    let foreign = ".section .note.other,\"a\",@note\n.long 4, 4, 7\n.asciz \"XYZ\"\n.long 5\n\
                   .section .note.GNU-stack,\"\",@progbits\n";
    write("foreign.s", foreign.as_bytes());
    let tool = |name: &str, args: &[&str]| {
        let out = Command::new(name).current_dir(dir.path()).args(args).output().unwrap();
        assert!(out.status.success(), "{name} {args:?}: {}", String::from_utf8_lossy(&out.stderr));
    };
    tool("as", &["-o", "foreign.o", "foreign.s"]);
    let judge = |args: &[&str]| {
        tool("ld", args);
        let image = std::fs::read(dir.path().join("prog")).unwrap();
        check(&image, talcore::Policy::default()).map(|a| a.functions).map_err(|r| r.code)
    };
    let alone = judge(&["-static", "-o", "prog", "a.o", "gate.o"]);
    assert_eq!(alone, Ok(1));
    tool("ld", &["-r", "-o", "whole.o", "gate.o", "a.o"]);
    assert_eq!(judge(&["-static", "-o", "prog", "whole.o"]), alone);
    assert_eq!(judge(&["-static", "-o", "prog", "gate.o", "foreign.o", "a.o", "--build-id"]), alone);
    // A second function of type `start` is no entry, whoever put the notes together.
    assert_eq!(judge(&["-static", "-o", "prog", "a.o", "other.o", "gate.o"]), Err(Code::Entry));
    // The gate twice: two notes give one role.
    tool(
        "objcopy",
        &[
            "--localize-symbol=__tal_gate",
            "--localize-symbol=__tal_stub",
            "--localize-symbol=__tal_restorer",
            "gate.o",
            "again.o",
        ],
    );
    assert_eq!(judge(&["-static", "-o", "prog", "a.o", "gate.o", "again.o"]), Err(Code::Roles));
    // What is left out with its code is left out with its note, or the program is refused: never taken half.
    let left = judge(&["-static", "--gc-sections", "-o", "prog", "a.o", "gate.o"]);
    assert!(matches!(left, Ok(1) | Err(Code::NoNote | Code::Uncovered | Code::Roles)), "{left:?}");
    // tallink takes what `ld -r` made, too.
    tool("ld", &["-r", "-o", "part.o", "a.o"]);
    let part = InputFile { name: "part.o".into(), bytes: std::fs::read(dir.path().join("part.o")).unwrap() };
    let image = link(&[Input::File(part)]).image;
    assert!(check(&image, talcore::Policy::default()).is_ok());
}

/// IA-32: relocations that do not fit, which have their addends in the section.
///
/// class: H6 on ia32
#[test]
fn values_that_do_not_fit_on_ia32() {
    if !installed("as") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let assembled = |source: &str| {
        std::fs::write(dir.path().join("a.s"), source).unwrap();
        let out =
            Command::new("as").current_dir(dir.path()).args(["--32", "-o", "a.o", "a.s"]).output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        input("a.o", std::fs::read(dir.path().join("a.o")).unwrap())
    };
    let start = "        .globl _start\n        .text\n_start: ud2\n";
    let stack = "        .section .note.GNU-stack,\"\",@progbits\n";
    // Addresses wrap around there: all distances fit.
    link(&[assembled(&format!("{start}        .data\n        .long _start + 0x7fffffff - .\n{stack}"))]);
    for (data, code, why) in [
        (".byte _start", "TAL2006", "one or two bytes"),
        (".word _start - .", "TAL2006", "one or two bytes"),
        (".long _start@GOT", "TAL2006", "global offset table"),
    ] {
        let text = errors(&[assembled(&format!("{start}        .data\n        {data}\n{stack}"))]);
        assert!(text.contains(code) && text.contains(why) && text.contains(".data+0x0"), "{data}: {text}");
    }
    for (source, code, why) in [
        (".comm block, 8", "TAL2005", "`block` is a common block"),
        (".section .text.f,\"axG\",@progbits,f,comdat\n.globl f\nf: ud2", "TAL2004", "COMDAT"),
        (".section .tdata,\"awT\",@progbits\n.long 0", "TAL2004", "thread-local"),
    ] {
        let text = errors(&[assembled(&format!("{start}        {source}\n{stack}"))]);
        assert!(text.contains(code) && text.contains(why), "{source}: {text}");
    }
}
