//! Types print in the syntax of the language: what is printed parses to the same type.

use std::path::Path;
use talasm::front::{Front, Loader, Options, parse_module};
use talasm::ir::ImportKind;
use talcore::abi::Abi;
use talcore::arch::Arch;
use talcore::types::{SigId, Types};
use taldiag::Sources;
use taldiag::render::{Format, Renderer};
use talnote::print::Printer;

struct Text(String);

impl Loader for Text {
    fn load(&self, _: &Path) -> std::io::Result<Vec<u8>> {
        Ok(self.0.clone().into_bytes())
    }
}

fn parse(text: &str) -> Front {
    let mut sources = Sources::new();
    let abi = Abi::of(talcore::arch::Arch::Amd64, &mut Types::default());
    let options = Options { arch: Arch::Amd64, defines: vec![], include: vec![], sys: &abi };
    parse_module(&mut sources, &Text(text.into()), Path::new("x.tal"), &options).unwrap_or_else(|errors| {
        panic!("{}\n{text}", Renderer::new("test", Format::Short).render(&sources, &errors))
    })
}

const STRUCTS: &str = "\
arch amd64
struct pair { first: int, second: u32(0..9), rest: i32 }
struct sized(n) {0 <= n} { length: int(n), words: [n]int }
struct node(n) { size: int(16*n), next: opt exists n {1 <= n}. own node(n), rest: bytes(16*n - 16) }
struct x(n) { y: int(n) }
struct vec(n) { len: int(n), data: bytes(64) }
type some = exists n {1 <= n}. own node(n)
";

const SIGNATURES: &[&str] = &[
    "()",
    "(rdi: int, rsi: int(5)) -> (rax: int(0..10))",
    "[n](rdi: &mut [n], rsi: int(n)) -> (rax: int(r)) {0 <= r, r <= n}",
    "[n, m: any, k: 1..16](rdi: &[n], rsi: &[8]int, rdx: int(n + 2*m - 7)) {m + 1 <= n} -> (rax: int(k))",
    "[m](rdi: &cstr(m), rsi: imm cstr, rdx: opt imm cstr) -> (rax: int(r)) {r <= m, -4095 <= r}",
    "(rdi: &mut pair, rsi: imm pair, rdx: ref bytes(16), rcx: imm [4]imm cstr)",
    "[n](rdi: &frozen sized(n), rsi: &[n]sized(4))",
    "[a, n](rdi: fn [b, m](rdi: b, rsi: &[m]) -> (rax: b), rsi: a, rdx: int(n)) -> (rax: a)",
    "(rdi: imm nullterm imm cstr)",
    "(rdi: int) noreturn",
    "(rdi: int) -> (rax: int) preserves(rbx, rbp, rdi)",
    "(rdi: int, [rsp + 8]: int, [rsp + 16]: imm cstr) -> (rdx: int)",
    "(rdi: own bytes(8), rsi: opt own pair, rdx: own [4]opt own pair) -> (rax: res own bytes(4096), rdx: own pair)",
    "[n](rdi: some, rsi: opt some, rdx: own node(n + 1)) {1 <= n} -> (rax: exists k {n <= k}. own node(k))",
    "[k](rdi: int(k)) -> (rax: opt exists n, m: 1..9 {k <= n + m}. own bytes(n + m))",
    "(rdi: int) -> (rax: int(r), rdx: exists n: any {r <= n, 0 <= n}. ref bytes(n)) {0 <= r}",
    "(rdi: exists n, m. imm [n]exists k {n <= k}. imm [k]exists j {j <= n + m}. imm bytes(j + k))",
    "(rdi: exists n. own x(n), rsi: exists x, y {x <= y}. &mut [x + y])",
    "[n](rdi: &uniq sized(n) => sized(n), rsi: &uniq node(n), rdx: &uniq [n])",
    "[n](rdi: &uniq vec(n) => vec(r)) -> (rax: int(r)) {n <= r, r <= n + 1, n + 1 <= r}",
    "(rdi: int((1 << 47) - 1), rsi: int(-(1 << 40)..1 << 40))",
];

#[test]
fn printed_signatures_parse_to_the_same_type() {
    let mut text = STRUCTS.to_string();
    for (i, s) in SIGNATURES.iter().enumerate() {
        text += &format!("import fn f{i}{s}\npub fn use{i}()\n        jmp f{i}\n");
    }
    let first = parse(&text);
    let mut printed = Vec::new();
    for id in sigs(&first, SIGNATURES.len()) {
        let p = Printer { structs: &first.types.struct_names, ..Printer::new(&first.types.types) };
        printed.push(p.sig(id));
    }
    for (i, s) in printed.iter().enumerate() {
        let s = s.strip_prefix("fn ").unwrap();
        text += &format!("import fn g{i}{s}\npub fn again{i}()\n        jmp g{i}\n");
    }
    let both = parse(&text);
    let ids = sigs(&both, 2 * SIGNATURES.len());
    let (old, new) = ids.split_at(SIGNATURES.len());
    for ((old, new), (printed, source)) in old.iter().zip(new).zip(printed.iter().zip(SIGNATURES)) {
        // Equal types have equal ids, since the table is hash-consed.
        assert_eq!(old, new, "{source}\nprints as\n{printed}");
    }
}

/// The signatures of the first imports.
fn sigs(front: &Front, count: usize) -> Vec<SigId> {
    let ids: Vec<SigId> = front
        .module
        .imports
        .iter()
        .map(|i| match i.kind {
            ImportKind::Function(sig) => SigId(sig),
            _ => panic!("a function"),
        })
        .collect();
    assert_eq!(ids.len(), count);
    ids
}
