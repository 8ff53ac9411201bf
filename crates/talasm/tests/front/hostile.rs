//! Hostile sources: whatever the bytes, there is an answer, soon, and no panic.

use crate::common::{Files, Setup, Sys, read_with};
use fastrand::Rng;
use std::path::Path;
use talasm::front::{Options, parse_module};
use taldiag::Sources;

/// Pieces of source that make up token soups.
const WORDS: &[&str] = &[
    "arch",
    "const",
    "struct",
    "type",
    "rodata",
    "data",
    "bss",
    "pub",
    "import",
    "fn",
    "use",
    "own",
    "ref",
    "imm",
    "opt",
    "nullterm",
    "mut",
    "frozen",
    "uniq",
    "exists",
    "seq",
    "union",
    "noreturn",
    "preserves",
    "clobbers",
    "uses",
    "byte",
    "word",
    "qword",
    "ptr",
    "sys",
    "table",
    "lock",
    "rep",
    "sizeof",
    "offsetof",
    "db",
    "dw",
    "dq",
    "dup",
    "align",
    "int",
    "bytes",
    "cstr",
    "u8",
    "u64",
    "i16",
    "start",
    "any",
    "amd64",
    "rax",
    "rdi",
    "rsp",
    "eax",
    "al",
    "ah",
    "xmm3",
    "mov",
    "lea",
    "call",
    "ret",
    "write",
    "a",
    "b",
    "n",
    "f",
    "a.b",
    "s.x",
    ".l",
    ".m",
    "@g",
    "0",
    "1",
    "8",
    "64",
    "0xffffffffffffffff",
    "1_000",
    "0..3",
    "'c'",
    "\"s\"",
    "\"\\q\"",
    "'",
    "\"",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    ".",
    "..",
    "+",
    "-",
    "*",
    "/",
    "%",
    "<<",
    ">>",
    "&",
    "^",
    "|",
    "~",
    "<=",
    "<",
    "=",
    ">",
    ">=",
    "->",
    "=>",
    ";",
    "\\",
    "\\\n",
    "\n",
    "\n",
    "\n",
    "\n",
    "\n",
    "\npub ",
    "\nfn f(",
    "\nfn ",
    "\nstruct s { ",
    "\nrodata a: ",
    "\nconst ",
    "\ntype ",
    "\nbss b: ",
    "é",
    "\0",
    "\r",
    "\t",
    "`",
    "?",
    "$",
    "!",
];

/// Programs that soups are mixed from, so that more than the parser is reached.
const SEEDS: &[&str] = &[
    "arch amd64\nconst N = 4\nstruct s(n) {1 <= n} { a: opt ref s(n), x: u32(0..9), y: bytes(4*n) }\n\
     type t(e, k) = fn [j](rdi: &mut [j], rsi: int(j), r8: e) -> (rax: int(r)) {0 <= r <= k}\n\
     rodata m: cstr = \"text\\n\"\nrodata v: []imm cstr = { m, 2 dup (m) }\nbss b: [N]s(3)\n\
     data d: s(1) = { a: 0, x: 3, y: db 1, 2, 3, 4 }\nimport fn g[n](rdi: &[n]int) -> (rax: int)\n\
     pub fn f[n, e](rdi: &uniq bytes(n) => bytes(n), rsi: int(n), r8: e) {n <= N*2} -> (r8: e) preserves (rdi)\n\
     .a: {rcx: int(i), i <= n}\n  mov eax, [rdi + 8*rcx + s.x]\n  call g\n  lea rsi, [b + rcx]\n\
       jmp [q + 8*rax]\n  table q: .a, .b\n.b: sys write\n  rep movsb\n  ret\n",
];

fn read(text: &str) {
    let files = [
        ("inc/a.tali", "use b\npub fn a()\npub const b = f\n"),
        ("inc/b.tali", "use a\npub struct s { x: a }\n"),
    ];
    let setup = Setup { files: &files, ..Setup::default() };
    let (_, result) = read_with(text, &setup);
    if let Err(diags) = result {
        assert!(!diags.is_empty(), "refused without a reason:\n{text}");
        assert!(diags.iter().all(|d| d.code.0 != 1199), "dropped in silence:\n{text}");
    }
}

#[test]
fn token_soups() {
    let mut rng = Rng::with_seed(7);
    for _ in 0..1500 {
        let n = rng.usize(1..200);
        let mut text = String::new();
        for _ in 0..n {
            text.push_str(WORDS[rng.usize(..WORDS.len())]);
            if rng.u8(..4) > 0 {
                text.push(' ');
            }
        }
        read(&text);
    }
}

#[test]
fn mutated_programs() {
    let mut rng = Rng::with_seed(11);
    for round in 0..2500 {
        let seed = SEEDS[round % SEEDS.len()];
        let mut text: Vec<u8> = seed.as_bytes().to_vec();
        for _ in 0..rng.usize(1..6) {
            let at = rng.usize(..text.len());
            match rng.u8(..5) {
                0 => {
                    let word = WORDS[rng.usize(..WORDS.len())].as_bytes();
                    text.splice(at..at, word.iter().copied());
                }
                1 => {
                    let end = (at + rng.usize(1..20)).min(text.len());
                    text.drain(at..end);
                }
                2 => text[at] = rng.u8(32..127),
                3 => {
                    let end = (at + rng.usize(1..60)).min(text.len());
                    let piece = text[at..end].to_vec();
                    let to = rng.usize(..text.len());
                    text.splice(to..to, piece);
                }
                _ => text.truncate(at.max(1)),
            }
            if text.is_empty() {
                text.push(b'\n');
            }
        }
        read(&String::from_utf8_lossy(&text));
    }
}

#[test]
fn random_bytes() {
    let mut rng = Rng::with_seed(13);
    for _ in 0..500 {
        let bytes: Vec<u8> = (0..rng.usize(..300)).map(|_| rng.u8(..)).collect();
        let mut files = Files::default();
        files.0.insert("t.tal".into(), bytes);
        let options = Options { arch: Default::default(), defines: vec![], include: vec![], sys: &Sys };
        let _ = parse_module(&mut Sources::new(), &files, Path::new("t.tal"), &options);
    }
}

/// Things that nest or chain far deeper than any stack.
#[test]
fn deep() {
    let n = 100_000;
    let chain: String = (0..n).map(|i| format!("const C{i} = C{} + 1\n", i + 1)).collect();
    let types: String = (0..n).map(|i| format!("type t{i} = t{}\n", i + 1)).collect();
    let structs: String = (0..n).map(|i| format!("struct s{i} {{ a: s{} }}\n", i + 1)).collect();
    let doubling: String =
        (0..60).map(|i| format!("type t{} = fn (rdi: t{i}, rsi: t{i})\n", i + 1)).collect();
    let lists = format!("rodata x: [1]u8 = {}1{}\n", "{".repeat(n), "}".repeat(n));
    let sources = [
        format!("const A = {}1{}\n", "(".repeat(n), ")".repeat(n)),
        format!("const A = {}1\n", "-".repeat(n)),
        format!("const A = 1{}\n", " + 1".repeat(n)),
        format!("fn f()\n  mov eax, [rdi{}]\n", " + 1".repeat(n)),
        format!("fn f()\n  mov eax{}\n", ", 1".repeat(n)),
        format!("type t = {}int\n", "ref ".repeat(n)),
        format!("type t = {}int\n", "opt imm ".repeat(n)),
        format!("type t = {}int{}\n", "fn (rdi: ".repeat(n), ")".repeat(n)),
        format!("rodata x: bytes = {}1{}\n", "2 dup (".repeat(n), ")".repeat(n)),
        format!("fn f[{}](rdi: int)\n  ret\n", "n,".repeat(n)),
        format!("fn f(rdi: int) {{{}1 <= 1}}\n  ret\n", "0 <= ".repeat(n)),
        format!("fn f()\n{}  ret\n", ".a: ".repeat(n)),
        "{".repeat(n),
        "fn f(".repeat(n),
        "\nfn f(".repeat(n),
        "[".repeat(n),
        "\"".repeat(n),
        "\\\n".repeat(n),
        ";\n".repeat(n),
        format!("{chain}const C{n} = 0\n"),
        format!("{types}type t{n} = int\nfn f(rdi: t0)\n  ret\n"),
        format!("{structs}struct s{n} {{ a: u8 }}\n"),
        format!("type t0 = int\n{doubling}fn f(rdi: t60)\n  ret\n"),
        lists,
    ];
    for text in &sources {
        read(text);
    }
}

/// Modules that use each other, and themselves.
#[test]
fn use_cycles() {
    read("use a\nuse b\nuse t\nfn g()\n  call a\n  ret\n");
    let files: Vec<(String, String)> = (0..2000)
        .map(|i| (format!("inc/m{i}.tali"), format!("use m{}\npub const c{i} = 1\n", i + 1)))
        .collect();
    let files: Vec<(&str, &str)> = files.iter().map(|f| (f.0.as_str(), f.1.as_str())).collect();
    let setup = Setup { files: &files, ..Setup::default() };
    let (_, result) = read_with("use m0\n", &setup);
    let codes: Vec<u16> = result.err().unwrap().iter().map(|d| d.code.0).collect();
    assert_eq!(codes, [1106]);
}
