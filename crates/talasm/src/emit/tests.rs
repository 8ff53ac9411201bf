//! The object file as other tools see it.

use super::listing::{self, States};
use super::{note, object};
use crate::encode::image::layout_provisional;
use crate::encode::{Encoded, encode};
use crate::ir::*;
use ::object::{Object as _, ObjectSection as _, ObjectSymbol as _};
use std::process::Command;
use talcore::term::Term;
use talcore::types::{Layout, Sig};
use talnote::table::TypeTable;

const SOURCE: &str = "\
pub fn _start: start
        mov edi, 42
        call helper
.done:  sys exit_group
        ud2
fn helper()
        xor eax, eax
        cmp [word], rax
        je .out
        call outside
.out:   ret
data word: int = _start + 2
";

fn span(text: &str) -> Span {
    let start = SOURCE.find(text).unwrap() as u32;
    Span { file: 0, start, end: start + text.len() as u32 }
}

fn instr(text: &str, operands: Vec<Operand>) -> Item {
    let mnemonic = text.split(' ').next().unwrap().to_string();
    Item::Instr(Instr { prefix: None, mnemonic, operands, span: span(text) })
}

/// The module of [`SOURCE`].
fn module() -> (Module, TypeTable) {
    let mut types = TypeTable::default();
    types.sig(Sig { start: true, ..Sig::default() });
    types.sig(Sig::default());
    types.layout(Layout::Bytes(Term::from(8)));
    let s = Span::default();
    let eax = Operand::Reg(RegOp::Gpr(0, 4), s);
    let rax = Operand::Reg(RegOp::Gpr(0, 8), s);
    let symbol = |name: &str, global, place| Symbol { name: name.into(), global, place, span: s };
    let start = Function {
        sym: SymId(0),
        sig: 0,
        var_names: vec![],
        labels: vec![(".done".into(), span(".done:"))],
        body: vec![
            instr("mov edi, 42", vec![Operand::Reg(RegOp::Gpr(7, 4), s), Operand::Imm(42, s)]),
            instr("call helper", vec![Operand::Func(SymId(1), s)]),
            Item::Label(LabelId(0)),
            Item::Sys {
                name: "exit_group".into(),
                number: 231,
                noreturn: false,
                span: span("sys exit_group"),
            },
            instr("ud2", vec![]),
        ],
        span: span("pub fn _start"),
    };
    let word = MemOp { size: None, base: None, index: None, disp: 0, sym: Some(SymId(2)), span: s };
    let helper = Function {
        sym: SymId(1),
        sig: 1,
        var_names: vec![],
        labels: vec![(".out".into(), span(".out:"))],
        body: vec![
            instr("xor eax, eax", vec![eax.clone(), eax]),
            instr("cmp [word], rax", vec![Operand::Mem(word), rax]),
            instr("je .out", vec![Operand::Label(LabelId(0), s)]),
            instr("call outside", vec![Operand::Func(SymId(3), s)]),
            Item::Label(LabelId(0)),
            instr("ret", vec![]),
        ],
        span: span("fn helper"),
    };
    let bytes = vec![0; 8];
    let relocs = vec![DataReloc { at: 0, target: DataTarget::Sym(SymId(0)), addend: 2 }];
    let object = Object {
        sym: SymId(2),
        section: Section::Data,
        align: 8,
        size: 8,
        bytes,
        relocs,
        layout: 0,
        owned: false,
        table_of: None,
        span: span("data word"),
    };
    let module = Module {
        files: vec![("file.tal".into(), SOURCE.into())],
        symbols: vec![
            symbol("_start", true, Place::Function(0)),
            symbol("helper", false, Place::Function(1)),
            symbol("word", false, Place::Object(0)),
            symbol("outside", true, Place::Import(0)),
            symbol("unused", true, Place::Import(1)),
        ],
        functions: vec![start, helper],
        objects: vec![object],
        imports: vec![
            Import { sym: SymId(3), kind: ImportKind::Function(1) },
            Import { sym: SymId(4), kind: ImportKind::Function(1) },
        ],
        ..Module::default()
    };
    (module, types)
}

fn object_bytes(debug: Option<&str>) -> Vec<u8> {
    let (module, types) = module();
    let encoded = encode(&module).unwrap();
    let image = layout_provisional(&module, &encoded);
    let note = note::build(&module, &encoded, &image, &types, vec![vec![1, 2, 3], vec![]]);
    let kinds: Vec<_> = note.sections.iter().map(|s| s.kind).collect();
    let note = note.encode(&types).unwrap();
    let input = object::Input {
        module: &module,
        encoded: &encoded,
        note: &note,
        note_sections: &kinds,
        note_imports: &image.used_imports,
        debug,
    };
    object::write(&input).unwrap()
}

#[test]
fn an_ordinary_relocatable() {
    let bytes = object_bytes(None);
    assert_eq!(bytes, object_bytes(None), "the same input gives the same bytes");
    let file = ::object::File::parse(&*bytes).unwrap();
    assert_eq!(file.kind(), ::object::ObjectKind::Relocatable);
    let symbols: Vec<(&str, bool, bool, u64)> = file
        .symbols()
        .filter(|s| !s.name().unwrap().is_empty() && s.kind() != ::object::SymbolKind::File)
        .map(|s| (s.name().unwrap(), s.is_global(), s.is_undefined(), s.size()))
        .collect();
    for expected in [
        ("_start", true, false, 23),
        ("helper", false, false, 17),
        ("word", false, false, 8),
        ("outside", true, true, 0),
        ("__tal_gate", true, true, 0),
    ] {
        assert!(symbols.contains(&expected), "{expected:?} in {symbols:?}");
    }
    assert!(!symbols.iter().any(|s| s.0 == "unused"));
    let note = file.section_by_name(".note.tal").unwrap();
    assert_eq!((note.align(), note.kind()), (8, ::object::SectionKind::Note));
    let targets: Vec<(u64, i64)> = note.relocations().map(|(at, r)| (at, r.addend())).collect();
    assert_eq!(targets, [(24, 0), (32, 0), (40, 0)], "text, data, outside");
    let stack = file.section_by_name(".note.GNU-stack").unwrap();
    assert_eq!(stack.size(), 0);
    assert!(file.section_by_name(".debug_line").is_none());
}

/// Links the object with GNU ld, after giving it what the typed linker would.
fn linked(dir: &std::path::Path, debug: Option<&str>) -> Option<std::path::PathBuf> {
    std::fs::write(dir.join("file.o"), object_bytes(debug)).unwrap();
    std::fs::write(dir.join("file.tal"), SOURCE).unwrap();
    let gate = ".globl __tal_gate, outside\n.section .rodata\n__tal_gate: .quad stub\n.text\nstub: syscall\nret\noutside: ret\n\
        .section .note.GNU-stack,\"\",@progbits\n";
    std::fs::write(dir.join("gate.s"), gate).unwrap();
    let run = |program: &str, args: &[&str]| {
        let done = Command::new(program).args(args).current_dir(dir).output().ok()?;
        assert!(done.status.success(), "{program}: {}", String::from_utf8_lossy(&done.stderr));
        Some(())
    };
    run("as", &["-o", "gate.o", "gate.s"])?;
    run("ld", &["--fatal-warnings", "-o", "prog", "file.o", "gate.o"])?;
    Some(dir.join("prog"))
}

#[test]
fn links_with_gnu_ld_and_runs() {
    let dir = tempfile::tempdir().unwrap();
    let Some(program) = linked(dir.path(), None) else { return eprintln!("skipped: `ld` is not installed") };
    if cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        assert_eq!(Command::new(program).status().unwrap().code(), Some(42));
    }
}

#[test]
fn gdb_knows_lines_functions_and_labels() {
    let dir = tempfile::tempdir().unwrap();
    let directory = dir.path().to_str().unwrap();
    let Some(program) = linked(dir.path(), Some(directory)) else {
        return eprintln!("skipped: `ld` is not installed");
    };
    let script = ["break file.tal:9", "run", "info line", "step", "step", "bt", "info scope helper"];
    let mut gdb = Command::new("gdb");
    gdb.args(["-nx", "-batch", "-iex", "set debuginfod enabled off"]);
    for line in script {
        gdb.args(["-ex", line]);
    }
    let Ok(done) = gdb.arg(&program).current_dir(dir.path()).output() else {
        return eprintln!("skipped: `gdb` is not installed");
    };
    let out = String::from_utf8_lossy(&done.stdout);
    if !out.contains("Breakpoint 1,") && String::from_utf8_lossy(&done.stderr).contains("ptrace") {
        return eprintln!("skipped: gdb may not trace here");
    }
    for expected in [
        "Breakpoint 1, helper () at file.tal:9",
        "9\t        je .out",
        "11\t.out:   ret",
        "Symbol out is a label",
    ] {
        assert!(
            out.contains(expected),
            "no `{expected}` in:\n{out}{}",
            String::from_utf8_lossy(&done.stderr)
        );
    }
}

#[test]
fn the_listing_shows_bytes_and_states() {
    let (module, _) = module();
    let encoded: Encoded = encode(&module).unwrap();
    let states = States::from([((1, LabelId(0)), "rax: int(0)\nknown: nothing".to_string())]);
    let text = listing::write(&module, &encoded, &states);
    let expected = "
                                      1  pub fn _start: start
00000000 bf 2a 00 00 00               2          mov edi, 42
00000005 e8 16 00 00 00               3          call helper
0000000a b8 e7 00 00 00 ff 15 00      4  .done:  sys exit_group
00000012 00 00 00
00000015 0f 0b                        5          ud2
                                      6  fn helper()
00000020 31 c0                        7          xor eax, eax
00000022 48 39 05 00 00 00 00         8          cmp [word], rax
00000029 74 05                        9          je .out
0000002b e8 00 00 00 00              10          call outside
                                         ; rax: int(0)
                                         ; known: nothing
00000030 c3                          11  .out:   ret
00000000 00 00 00 00 00 00 00 00     12  data word: int = _start + 2
";
    assert_eq!(format!("\n{text}"), expected);
}
