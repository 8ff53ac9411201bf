//! Programs.

use crate::common::{Files, Setup, human, ok, ok_with, read_with};
use std::fs;
use std::path::Path;
use talasm::front::{Options, parse_module};
use talasm::ir::{Item, Operand, Place};
use talcore::abi::Abi;
use taldiag::Sources;

const CAT: &str = r#"
; cat: standard input to standard output
arch amd64
bss buf: bytes(65536)

pub fn _start: start
.read:  xor  edi, edi
        lea  rsi, [buf]
        mov  edx, sizeof buf
        sys  read                       ; rax: int(r), -4095 <= r <= 65536
        test rax, rax
        jle  .done
        mov  rbx, rax
        xor  r13d, r13d
.write: mov  edi, 1                     ; inferred: rbx: int(r), r13: int(w), 0 <= w <= r <= 65536
        lea  rsi, [buf + r13]
        mov  rdx, rbx
        sub  rdx, r13
        sys  write                      ; proved: r13 + rdx <= 65536
        test rax, rax
        jle  .done
        add  r13, rax
        cmp  r13, rbx
        jb   .write
        jmp  .read
.done:  xor  edi, edi
        sys  exit_group
"#;

#[test]
fn cat() {
    let front = ok(CAT);
    let m = &front.module;
    assert_eq!(m.functions.len(), 1);
    let f = &m.functions[0];
    let sig = front.types.types.sig(talcore::types::SigId(f.sig));
    assert!(sig.start && sig.noreturn);
    assert_eq!(f.labels.iter().map(|l| l.0.as_str()).collect::<Vec<_>>(), [".read", ".done", ".write"]);
    assert!(matches!(f.body[0], Item::Label(_)));
    let Item::Instr(lea) = &f.body[2] else { panic!("{:?}", f.body[2]) };
    assert_eq!(lea.mnemonic, "lea");
    let Operand::Mem(mem) = &lea.operands[1] else { panic!() };
    assert_eq!(m.symbols[mem.sym.unwrap().0 as usize].name, "buf");
    let Item::Instr(mov) = &f.body[3] else { panic!() };
    assert!(matches!(mov.operands[1], Operand::Imm(65536, _)));
    assert!(matches!(&f.body[4], Item::Sys { number: 0, .. }));
    assert_eq!(m.objects[0].size, 65536);
    assert_eq!(m.objects[0].align, 16);
    assert!(m.symbols[f.sym.0 as usize].global);
    assert_eq!(m.symbols[f.sym.0 as usize].place, Place::Function(0));
}

#[test]
fn strlen() {
    let front = ok("fn strlen[m](rdi: &cstr(m)) -> (rax: int(m))
        xor  eax, eax
.scan:  cmp  byte [rdi + rax], 0
        je   .done
        inc  rax
        jmp  .scan
.done:  ret
");
    assert_eq!(front.module.functions[0].var_names, ["m"]);
}

#[test]
fn sum() {
    ok("pub fn sum[n](rdi: &[n]int, rsi: int(n)) -> (rax: int)
        xor  eax, eax
        xor  ecx, ecx
        jmp  .test
.next:  add  rax, [rdi + 8*rcx]
        inc  rcx
.test:  cmp  rcx, rsi
        jb   .next
        ret
");
}

/// All examples of the repository for AMD64: the modules of each directory, then the program that is named
/// like it.
#[test]
fn shipped_examples() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let (mut todo, mut programs) = (Vec::new(), Vec::new());
    for dir in fs::read_dir(&root).unwrap().map(|d| d.unwrap().path()).filter(|d| d.is_dir()) {
        for file in fs::read_dir(&dir).unwrap().map(|f| f.unwrap().path()) {
            if file.extension().is_none_or(|e| e != "tal") {
                continue;
            }
            let text = fs::read_to_string(&file).unwrap();
            let stem = file.file_stem().unwrap();
            if Some(stem) == dir.file_name() {
                programs.push(text);
            } else {
                todo.push((stem.to_str().unwrap().to_string(), text));
            }
        }
    }
    todo.sort();
    let abi = Abi::of(talcore::arch::Arch::Amd64, &mut Default::default());
    let mut interfaces: Vec<(String, String)> = Vec::new();
    while !todo.is_empty() {
        let before = todo.len();
        // A module's interface is needed before the modules that use it are read.
        todo.retain(|(name, text)| {
            let path = |m: &str| format!("inc/{}.tali", m.trim());
            let mut uses = text.lines().filter_map(|l| l.strip_prefix("use ")).map(path);
            let ready = uses.all(|u| interfaces.iter().any(|i| i.0 == u));
            if ready {
                let interface = with_abi(text, &interfaces, &abi);
                interfaces.push((path(name), interface));
            }
            !ready
        });
        assert!(todo.len() < before, "modules use each other or nothing: {todo:?}");
    }
    assert!(!programs.is_empty());
    for text in programs {
        with_abi(&text, &interfaces, &abi);
    }
}

/// Reads a module with the real system calls; answers its interface.
fn with_abi(text: &str, files: &[(String, String)], abi: &Abi) -> String {
    let mut all = Files::default();
    all.0.insert("t.tal".into(), text.as_bytes().to_vec());
    for (name, text) in files {
        all.0.insert(name.into(), text.as_bytes().to_vec());
    }
    let options =
        Options { arch: Default::default(), defines: vec![], include: vec!["inc".into()], sys: abi };
    let mut sources = Sources::new();
    match parse_module(&mut sources, &all, Path::new("t.tal"), &options) {
        Ok(front) => front.interface,
        Err(d) => panic!("{}", human(&sources, &d)),
    }
}

#[test]
fn interface_is_read_back() {
    let text = "arch amd64
use other
const SIZE = 4 * WORD
const WORD = 8
struct pair(n) { len: int(n), text: bytes(SIZE) }
type callback = fn (rdi: &pair(3)) -> (rax: int(r)) {0 <= r <= WORD}
pub rodata hello: cstr = \"hello\"
pub data numbers: []u32 = {1, 2, 3}
rodata hidden: bytes(1) = db 0
pub fn f[n](rdi: callback, rsi: &mut [n], rdx: other_type) -> (rax: int(k)) \\
        {k <= n}
        ret
fn g()
        ret
";
    let other = "pub type other_type = imm cstr\npub const UNUSED = 3\n";
    let setup = Setup { files: &[("inc/other.tali", other)], ..Setup::default() };
    let front = ok_with(text, &setup);
    insta::assert_snapshot!(front.interface);
    let interface = front.interface.clone();
    let setup = Setup { files: &[("inc/m.tali", &interface), ("inc/other.tali", other)], ..Setup::default() };
    let user = ok_with(
        "use m\nfn g()\n lea rdi, [hello]\n mov eax, sizeof hello\n mov edx, sizeof numbers\n call f\n ret\n",
        &setup,
    );
    assert_eq!(user.module.imports.len(), 2, "only what is used is imported");
    let Item::Instr(mov) = &user.module.functions[0].body[1] else { panic!() };
    assert!(matches!(mov.operands[1], Operand::Imm(6, _)));
}

/// Programs in the whole language: what this version does not know yet is said to be that, and nothing
/// in them is a syntax error.
#[test]
fn programs_of_the_whole_language() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/front/programs");
    let mut count = 0;
    for file in fs::read_dir(dir).unwrap().map(|f| f.unwrap().path()) {
        let text = fs::read_to_string(&file).unwrap();
        let (sources, result) = read_with(&text, &Setup::default());
        count += 1;
        let Err(diags) = result else { continue };
        let shown = human(&sources, &diags);
        let syntax = diags.iter().any(|d| d.code.0 < 1100);
        assert!(!syntax, "{}\n{shown}", file.display());
        let not_yet = diags.iter().filter(|d| d.code.0 == 1201).count();
        let later = text.contains("@cursor");
        assert_eq!(not_yet > 0, later, "{}\n{shown}", file.display());
    }
    assert_eq!(count, 6);
}
