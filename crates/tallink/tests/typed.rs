//! Typed modules: linked, alone, and linked by others; always with the same verdict.

mod common;
use common::*;
use object::elf;
use std::process::Command;
use talcore::check::{check, load_module};
use talcore::facts::Interval;
use talcore::types::{Sig, SigId, WordTy};
use talcore::verdict::Code;
use talcore::walk::check_function;
use tallink::{Input, InputFile, Options, link_module};
use talnote::table::TypeTable;
use talnote::write::{Arch, Function, Import, NoteBuilder, Section, SectionKind};

const EDI: u8 = 7;

/// `fn(rdi: int(0..most)) -> noreturn`.
fn leaves(types: &mut TypeTable, most: i128) -> SigId {
    let word = types.word(WordTy::Range(Interval::new(0, most)));
    types.sig(Sig { params: vec![(EDI, word)], noreturn: true, ..Sig::default() })
}

fn note(size: u64, sig: SigId, imports: Vec<Import>) -> NoteBuilder {
    let mut note = NoteBuilder::new(Arch::Amd64);
    note.sections = vec![Section { kind: SectionKind::Code, size }];
    note.functions = vec![Function { section: 0, offset: 0, size, sig, stream: vec![0, 0, 0] }];
    note.imports = imports;
    note
}

/// `_start`: `mov edi, 7; call leave; ud2`, where `leave` is declared to take 0 to `most`.
fn start(most: i128) -> Obj {
    let mut o = Obj::new();
    let text = o.text(&[0xbf, 7, 0, 0, 0, 0xe8, 0, 0, 0, 0, 0x0f, 0x0b]);
    o.function("_start", text, 0, 12);
    let leave = o.undefined("leave");
    o.reloc(text, 6, elf::R_X86_64_PLT32, leave, -4);
    let mut types = TypeTable::default();
    let start = types.sig(Sig { start: true, noreturn: true, ..Sig::default() });
    let import = Import::Function(leaves(&mut types, most));
    o.note(&note(12, start, vec![import]), &types, &[text], &[leave]);
    o
}

/// `leave`: `mov eax, 231; call [gate]; ud2`, which takes 0 to `most`.
fn leave(most: i128) -> Obj {
    let mut o = exit_named("leave");
    let mut types = TypeTable::default();
    let sig = leaves(&mut types, most);
    let text = o.code.unwrap();
    o.note(&note(13, sig, Vec::new()), &types, &[text], &[]);
    o
}

fn file(o: &Obj) -> InputFile {
    InputFile { name: "module.o".into(), bytes: o.bytes() }
}

/// Checks a module against the types of its imports.
fn alone(o: &Obj) -> Result<(), Code> {
    let module = link_module(file(o)).unwrap();
    let elf = talcore::elf::read(&module.image).unwrap();
    let program = load_module(elf.arch, elf.segments, &elf.notes, (module.gate, module.restorer))
        .map_err(|r| r.code)?;
    assert!(!program.functions.is_empty());
    let mut all = 0..program.functions.len();
    all.try_for_each(|i| check_function(&program, i, &module.image).map(|_| ()).map_err(|r| r.code))
}

#[test]
fn modules_that_fit() {
    let dir = tempfile::tempdir().unwrap();
    let inputs = [start(255).input("start.o"), leave(255).input("leave.o")];
    let out = link(&inputs);
    let accept = check(&out.image, talcore::Policy::default()).unwrap();
    assert_eq!((accept.functions, accept.instructions), (2, 4));
    assert_eq!(run(dir.path(), &out.image).status.code(), Some(7));
    assert_eq!((alone(&start(255)), alone(&leave(255))), (Ok(()), Ok(())));
}

#[test]
fn a_module_is_checked_against_its_imports() {
    // 7 is outside 0..3: the module alone is wrong, and so is the program.
    assert_eq!(alone(&start(3)), Err(Code::ArgFact));
    let inputs = [start(3).input("start.o"), leave(3).input("leave.o")];
    let out = link(&inputs);
    assert_eq!(check(&out.image, talcore::Policy::default()).unwrap_err().code, Code::ArgFact);
    let errors = tallink::recheck::recheck(&inputs, &Options::default(), &out.image).unwrap_err();
    let text = render(&errors);
    assert!(text.contains("error[TAL0401]") && text.contains(".text+0x5, in `_start`+0x5"), "{text}");
}

/// class: I1 on amd64
#[test]
fn modules_that_do_not_fit() {
    // Each is fine alone; together they are not, whoever links them.
    let (a, b) = (start(255), leave(100));
    assert_eq!((alone(&a), alone(&b)), (Ok(()), Ok(())));
    let text = errors(&[a.input("start.o"), b.input("leave.o")]);
    assert!(
        text.contains("TAL2013") && text.contains("int(0..255)") && text.contains("int(0..100)"),
        "{text}"
    );
    if installed("ld") {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| std::fs::write(dir.path().join(name), bytes).unwrap();
        write("a.o", &a.bytes());
        write("b.o", &b.bytes());
        write("c.o", &leave(255).bytes());
        write("gate.o", tallink::gate::object_bytes(&tallink::arch::AMD64));
        let ld = |other: &str| {
            let mut ld = Command::new("ld");
            let args = ["-static", "-o", "prog", "a.o", other, "gate.o"];
            assert!(ld.current_dir(dir.path()).args(args).status().unwrap().success());
            check(&std::fs::read(dir.path().join("prog")).unwrap(), talcore::Policy::default())
                .map_err(|r| r.code)
        };
        assert!(ld("c.o").is_ok());
        assert_eq!(ld("b.o").unwrap_err(), Code::ImportType);
    }
}

#[test]
fn unneeded_modules_take_their_types_along() {
    let mut other = leave(100);
    let id = other.names["leave"];
    other.out.symbol_mut(id).name = b"other".to_vec();
    let inputs: [Input; 3] = [start(255).input("a.o"), other.input("other.o"), leave(255).input("b.o")];
    let functions = |gc_sections| {
        let out = link_with(&inputs, &Options { gc_sections, ..Options::default() });
        check(&out.image, talcore::Policy::default()).unwrap().functions
    };
    assert_eq!((functions(false), functions(true)), (3, 2));
}
