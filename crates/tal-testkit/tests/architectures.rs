//! One program has one architecture: what the header says, what the notes say and what the objects are must agree, and
//! the message says what does not.

use object::Endianness;
use object::read::elf::{FileHeader, ProgramHeader};
use std::path::Path;
use tal_testkit::archive::archive;
use tal_testkit::toolchain::{Refusal, assemble, build, link, modules};
use talcore::arch::Arch;
use talcore::verdict::Code;
use tallink::InputFile;

const AMD64: &str = "arch amd64
pub fn _start: start
        call    answer
        mov     edi, eax
        sys     exit_group
pub fn answer() -> (rax: int(0..100))
        mov     eax, 42
        ret
";

const IA32: &str = "arch ia32
pub fn _start: start
        call    answer
        mov     ebx, eax
        sys     exit_group
pub fn answer() -> (eax: int(0..100))
        mov     eax, 42
        ret
";

fn program(text: &str) -> Vec<u8> {
    build(text).unwrap_or_else(|r| panic!("{}", r.text)).expect("a program")
}

fn object_of(text: &str) -> InputFile {
    assemble(&modules(text)).unwrap_or_else(|r| panic!("{}", r.text)).remove(0)
}

/// Refused with this code, and a reason with these words.
fn refused(file: &[u8], code: Code, words: &str) {
    let reject = talcheck::check(file).expect_err("is accepted");
    assert_eq!(reject.code, code, "{}", reject.why);
    assert!(reject.why.contains(words), "{}", reject.why);
}

const EM_386: u8 = 3;
const EM_X86_64: u8 = 62;

/// class: H7 on amd64, ia32
#[test]
fn class_and_machine() {
    let with = |text, class, machine| {
        let mut file = program(text);
        (file[4], file[18]) = (class, machine);
        file
    };
    assert!(talcheck::check(&with(AMD64, 2, EM_X86_64)).is_ok());
    assert!(talcheck::check(&with(IA32, 1, EM_386)).is_ok());
    for text in [AMD64, IA32] {
        refused(&with(text, 1, EM_X86_64), Code::NotElf, "x32");
        refused(
            &with(text, 2, EM_386),
            Code::NotElf,
            "the class is that of 64 bits, but the machine is IA-32",
        );
        // ARM, AArch64, IA-64, the 486 that never was.
        for machine in [40, 183, 50, 6] {
            refused(
                &with(text, if text == AMD64 { 2 } else { 1 }, machine),
                Code::NotElf,
                "neither AMD64 nor IA-32",
            );
        }
    }
    // As the other one, with the headers of its own.
    refused(&with(AMD64, 1, EM_386), Code::Header, "");
    refused(&with(IA32, 2, EM_X86_64), Code::Header, "");
}

/// The same segments under the headers of the other architecture.
fn disguised(file: &[u8], to: Arch) -> Vec<u8> {
    type Seen = Vec<[u64; 8]>;
    fn read<H: FileHeader<Endian = Endianness>>(file: &[u8]) -> (u64, Seen) {
        let header = H::parse(file).expect("an ELF file");
        let e = header.endian().expect("an order of bytes");
        let segments = header.program_headers(e, file).expect("program headers");
        let list = segments.iter().map(|s| {
            [
                s.p_type(e).0.into(),
                s.p_flags(e).0.into(),
                s.p_offset(e).into(),
                s.p_vaddr(e).into(),
                s.p_paddr(e).into(),
                s.p_filesz(e).into(),
                s.p_memsz(e).into(),
                s.p_align(e).into(),
            ]
        });
        (header.e_entry(e).into(), list.collect())
    }
    let (entry, segments) = match to {
        Arch::Ia32 => read::<object::elf::FileHeader64<Endianness>>(file),
        Arch::Amd64 => read::<object::elf::FileHeader32<Endianness>>(file),
    };
    let word = to.word_bytes() as usize;
    let (class, machine, header, entry_size) = match to {
        Arch::Amd64 => (2u8, EM_X86_64, 64u16, 56u16),
        Arch::Ia32 => (1, EM_386, 52, 32),
    };
    // The table of segments goes to the end, where there is room.
    let mut out = file.to_vec();
    out.resize(out.len().next_multiple_of(8), 0);
    let table = out.len() as u64;
    let mut head =
        vec![0x7f, b'E', b'L', b'F', class, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, machine, 0, 1, 0, 0, 0];
    for x in [entry, table, 0] {
        head.extend(&x.to_le_bytes()[..word]);
    }
    head.extend([0; 4]);
    for x in [header, entry_size, segments.len() as u16, 0, 0, 0] {
        head.extend(x.to_le_bytes());
    }
    out[..head.len()].copy_from_slice(&head);
    for [kind, flags, rest @ ..] in segments {
        out.extend(&kind.to_le_bytes()[..4]);
        if to == Arch::Amd64 {
            out.extend(&flags.to_le_bytes()[..4]);
        }
        for (i, x) in rest.iter().enumerate() {
            if to == Arch::Ia32 && i == 5 {
                out.extend(&flags.to_le_bytes()[..4]);
            }
            out.extend(&x.to_le_bytes()[..word]);
        }
    }
    out
}

/// The offsets in the file of what says which architecture a note is for.
fn note_architectures(file: &[u8]) -> Vec<usize> {
    let notes = (0..file.len() - 18)
        .filter(|&at| file[at..].starts_with(b"TAL\0") && file[at - 4..at] == [0, 1, 0, 0]);
    notes.map(|at| at + 5).collect()
}

/// class: H7 on amd64, ia32
#[test]
fn one_presented_as_the_other() {
    for (text, from, to, words) in [
        (AMD64, Arch::Amd64, Arch::Ia32, "the note is for AMD64, the file for IA-32"),
        (IA32, Arch::Ia32, Arch::Amd64, "the note is for IA-32, the file for AMD64"),
    ] {
        let mut file = disguised(&program(text), to);
        refused(&file, Code::Note, words);
        // Even if the notes lie too. Their words have another size then.
        let places = note_architectures(&file);
        assert!(places.len() > 1, "{places:?}");
        for at in places {
            assert_eq!(file[at], from.code());
            file[at] = to.code();
        }
        refused(&file, Code::Note, "");
    }
    // The disguise itself is no reason: twice is none.
    for (text, to, back) in [(AMD64, Arch::Ia32, Arch::Amd64), (IA32, Arch::Amd64, Arch::Ia32)] {
        let file = disguised(&disguised(&program(text), to), back);
        talcheck::check(&file).unwrap_or_else(|r| panic!("{}", r.why));
    }
}

fn not_linked(objects: Vec<InputFile>, words: &str) {
    let refusal: Refusal = link(objects).expect_err("is linked");
    assert_eq!(refusal.codes[0].0, 2001, "{}", refusal.text);
    assert!(refusal.text.contains(words), "{}", refusal.text);
}

/// class: H7 on amd64, ia32
#[test]
fn mixed_links() {
    let caller = |text: &str| {
        let start = text
            .replace("pub fn answer", "import fn answer")
            .replace("        mov     eax, 42\n        ret\n", "");
        InputFile { name: "start.o".into(), ..object_of(&start) }
    };
    let answer = |text: &str| {
        let (_, own) = text.split_once("pub fn answer").expect("a function");
        let arch = text.lines().next().expect("a line");
        InputFile { name: "answer.o".into(), ..object_of(&format!("{arch}\npub fn answer{own}")) }
    };
    for text in [AMD64, IA32] {
        link(vec![caller(text), answer(text)]).unwrap_or_else(|r| panic!("{}", r.text));
    }
    not_linked(vec![caller(AMD64), answer(IA32)], "the object is for IA-32, the others for AMD64");
    not_linked(vec![caller(IA32), answer(AMD64)], "the object is for AMD64, the others for IA-32");
    // From an archive.
    let library =
        |text| InputFile { name: "libanswer.a".into(), bytes: archive(&[("answer.o", &answer(text).bytes)]) };
    link(vec![caller(IA32), library(IA32)]).unwrap_or_else(|r| panic!("{}", r.text));
    not_linked(vec![caller(AMD64), library(IA32)], "libanswer.a(answer.o)");
    not_linked(vec![caller(IA32), library(AMD64)], "the object is for AMD64, the others for IA-32");
}

/// `talcheck a.o` and `tallink` read the same headers.
/// class: H7 on amd64, ia32
#[test]
fn objects_with_another_class_or_machine() {
    for (text, class, machine, words) in [
        (AMD64, 1, EM_X86_64, "x32"),
        (AMD64, 2, EM_386, "its ELF class is that of 64 bits"),
        (IA32, 1, EM_X86_64, "x32"),
        (IA32, 2, EM_386, "its ELF class is that of 64 bits"),
        (IA32, 1, 6, "machine 6"),
    ] {
        let mut object = object_of(text);
        (object.bytes[4], object.bytes[18]) = (class, machine);
        not_linked(vec![object.clone()], words);
        assert!(tallink::link_module(object).is_err());
    }
    // An object with the headers of the other one has notes and relocations that say what it is.
    for (text, class, machine) in [(AMD64, 1, EM_386), (IA32, 2, EM_X86_64)] {
        let mut object = object_of(text);
        (object.bytes[4], object.bytes[18]) = (class, machine);
        assert!(link(vec![object]).is_err());
    }
    let mut object = object_of(IA32);
    for at in note_architectures(&object.bytes) {
        object.bytes[at] = Arch::Amd64.code();
    }
    let refusal = link(vec![object]).expect_err("is linked");
    assert!(refusal.text.contains("architecture") || refusal.text.contains("note"), "{}", refusal.text);
}

/// A module says which architecture it is for, and so does an interface.
#[test]
fn sources() {
    let read = |path: &Path, arch| {
        let abi = talcore::abi::Abi::of(arch, &mut talcore::types::Types::default());
        let options = talasm::front::Options { arch, defines: Vec::new(), include: Vec::new(), sys: &abi };
        let mut sources = taldiag::Sources::new();
        let read = talasm::front::parse_module(&mut sources, &talasm::front::ReadFiles, path, &options);
        read.map(|_| ()).map_err(|list| list.into_iter().map(|d| d.code.0).collect::<Vec<_>>())
    };
    let folder = tempfile::tempdir().expect("a directory");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("a file is written");
        path
    };
    let (amd64, ia32) = (write("a.tal", AMD64), write("i.tal", IA32));
    assert_eq!(read(&amd64, Arch::Amd64), Ok(()));
    assert_eq!(read(&ia32, Arch::Ia32), Ok(()));
    let first = |path, arch| read(path, arch).expect_err("is read")[0];
    assert_eq!(first(&amd64, Arch::Ia32), 1112);
    assert_eq!(first(&ia32, Arch::Amd64), 1112);
    write("lib.tali", "arch amd64\nfn answer() -> (rax: int)\n");
    let user = write("user.tal", "arch ia32\nuse lib\npub fn f()\n        ret\n");
    let codes = read(&user, Arch::Ia32).expect_err("an interface of the other architecture is read");
    assert!(codes.contains(&1112), "{codes:?}");
}
