//! Types, layouts and signatures.

use crate::common::{Setup, ok, ok_with};
use talasm::front::Front;
use talcore::arch::Arch;
use talcore::facts::Interval;
use talcore::types::{Layout, LayoutId, Sig, SigId, WordId, WordTy};
use talnote::print::Printer;

fn printed(front: &Front, f: usize) -> String {
    let function = &front.module.functions[f];
    let types = &front.types;
    let printer = Printer {
        structs: &types.struct_names,
        vars: &function.var_names,
        word_bits: front.module.arch.word_bits(),
        ..Printer::new(&types.types)
    };
    printer.sig(SigId(function.sig))
}

fn sig(front: &Front) -> &Sig {
    front.types.types.sig(SigId(front.module.functions[0].sig))
}

/// Signatures that print as they are written.
/// A string is as long as memory allows, also where that is more than the largest number with a sign.
#[test]
fn lengths_of_strings() {
    let text = "fn f[m, n, k: 0..7](xdi: &cstr(m), xsi: int(n), xdx: opt &cstr(k))\n  ret\n";
    for (arch, longest, number) in
        [(Arch::Amd64, i64::MAX.into(), i64::MAX.into()), (Arch::Ia32, (1 << 32) - 65537, (1 << 31) - 1)]
    {
        let front = ok_with(text, &Setup { arch, ..Setup::default() });
        let sig = front.types.types.sig(SigId(front.module.functions[0].sig));
        let highest: Vec<i128> = sig.vars.iter().map(|v| v.hi).collect();
        assert_eq!(highest, [longest, number, 7]);
    }
}

#[test]
fn signatures() {
    let all = [
        "()",
        "(rdi: int)",
        "(rdi: int) -> (rax: int)",
        "[n](rdi: int(n)) -> (rax: int(2*n + 1))",
        "(rdi: int(0..255)) -> (rax: int(-1..1))",
        "[n](rdi: &[n], rsi: int(n))",
        "[n](rdi: &mut [n], rsi: int(n))",
        "[n](rdi: &[n]int, rsi: int(n))",
        "[m](rdi: &cstr(m)) -> (rax: int(m))",
        "(rdi: &cstr)",
        "(rdi: &mut bytes(8), rsi: imm cstr, r9: ref [4]u32)",
        "(rdi: opt ref bytes(8)) -> (rax: opt imm cstr)",
        "(rdi: imm nullterm imm cstr)",
        "[n](rdi: int(n)) {n <= 20}",
        "[n, i](rdi: &[n], rsi: int(i)) {i + 1 <= n}",
        "(rdi: int) -> (rax: int(r)) {0 <= r, r <= 19}",
        "[k](rdi: &mut [k], rsi: int(k)) -> (rax: int(r)) {-4095 <= r, r <= k}",
        "[n: any](rdi: int(n)) -> (rax: int(n))",
        "[n: 1..9](rdi: int(n))",
        "(rdi: fn (rdi: int) -> (rax: int))",
        "[e](rdi: e) -> (rax: e)",
        "(rdi: opt own bytes(8)) -> (rax: res own bytes(8))",
        "[x](rdi: int(x)) -> (rax: exists y {x <= y}. own bytes(y))",
        "(rdi: exists x: 1..3, y: any {x <= y, 0 <= y}. &mut [y])",
        "() noreturn",
    ];
    for text in all {
        let front = ok(&format!("fn f{text}\n  ret\n"));
        let back = printed(&front, 0);
        let again = ok(&format!("fn f{}\n  ret\n", back.trim_start_matches("fn ").trim_start_matches("fn")));
        assert_eq!(back, printed(&again, 0), "{text}");
        assert_eq!(sig(&front).vars, sig(&again).vars, "{text} printed as {back}");
        assert_eq!(sig(&front).facts, sig(&again).facts, "{text} printed as {back}");
        assert_eq!(sig(&front).result_facts, sig(&again).result_facts, "{text} printed as {back}");
    }
}

#[test]
fn default_interval() {
    let front = ok("fn f[n, m: any, k: -3..4](rdi: int(n), rsi: int(m), rdx: int(k))\n  ret\n");
    assert_eq!(sig(&front).vars, [Interval::new(0, i64::MAX as i128), Interval::ALL, Interval::new(-3, 4)]);
    let setup = Setup { arch: Arch::Ia32, ..Setup::default() };
    let front = ok_with("fn f[n](eax: int(n))\n  ret\n", &setup);
    assert_eq!(sig(&front).vars, [Interval::new(0, i32::MAX as i128)]);
}

#[test]
fn result_intervals() {
    let front = ok("fn f[n](rdi: int(n)) -> (rax: int(r), rdx: int(n)) {0 <= 2*r + 1 < 10, r <= n}\n  ret\n");
    let s = sig(&front);
    // 2r + 1 >= 0 is r >= 0 for integers, 2r + 1 < 10 is r <= 4.
    assert_eq!(s.result_vars, [Interval::new(0, 4)]);
    assert_eq!(s.result_facts.len(), 1, "{:?}", s.result_facts);
    assert_eq!(*s.result_facts[0].summands(), [(0, 1), (1, -1)]);
    assert_eq!(front.module.functions[0].var_names, ["n", "r"]);
}

#[test]
fn relations() {
    let front = ok("fn f[a, b](rdi: int(a), rsi: int(b)) {a <= b, a < b, a >= b, a > b, a = b}\n  ret\n");
    let konst: Vec<(i128, i64)> = sig(&front).facts.iter().map(|f| (f.konst(), f.coefficient(0))).collect();
    assert_eq!(konst, [(0, -1), (-1, -1), (0, 1), (-1, 1), (0, -1), (0, 1)]);
}

#[test]
fn preserved_registers() {
    let usual = 1 << 3 | 1 << 5 | 0xf000;
    let preserved = |text: &str| sig(&ok(&format!("fn f{text}\n  ret\n"))).preserved;
    assert_eq!(preserved("()"), usual);
    assert_eq!(preserved("() preserves (rdi, r8)"), usual | 1 << 7 | 1 << 8);
    assert_eq!(preserved("() clobbers (rbx, r15)"), usual & !(1 << 3 | 1 << 15));
    assert_eq!(preserved("() -> (rbx: int)"), usual & !(1 << 3));
    assert_eq!(preserved("() preserves (rdi) clobbers (rdi)"), usual);
}

#[test]
fn stack_arguments() {
    let front = ok("fn f(rdi: int, [rsp + 8]: imm cstr, [rsp + 16]: int)\n  ret\n");
    assert_eq!(sig(&front).stack.len(), 2);
    let setup = Setup { arch: Arch::Ia32, ..Setup::default() };
    let front = ok_with("fn f([esp + 4]: imm cstr, [esp + 8]: int) -> (eax: int)\n  ret\n", &setup);
    assert_eq!(sig(&front).stack.len(), 2);
    assert_eq!(sig(&front).preserved, 1 << 3 | 1 << 5 | 1 << 6 | 1 << 7);
}

#[test]
fn given_back() {
    let front = ok("struct vec(n) { len: int(n), data: bytes(64) }
fn push[n](rdi: &uniq vec(n) => vec(n + 1), rsi: &uniq bytes(8))
  ret
fn grow[n](rdi: &uniq vec(n) => vec(m)) -> (rax: int) {n <= m}
  ret
");
    let s = sig(&front);
    assert_eq!(s.gives_back.iter().map(|g| g.0).collect::<Vec<_>>(), [7], "raw bytes come back as such");
    let Layout::Struct(_, args) = front.types.types.layout(s.gives_back[0].1) else { panic!() };
    assert_eq!((args[0].konst(), args[0].coefficient(0)), (1, 1));
    assert_eq!(front.module.functions[1].var_names, ["n", "m"]);
}

#[test]
fn word_variables_by_use() {
    let front = ok("fn f[n, e, m](rdi: int(n), r8: e, rsi: &[m]) -> (r8: e)\n  ret\n");
    let s = sig(&front);
    assert_eq!((s.vars.len(), s.word_vars), (2, 1));
    assert_eq!(front.module.functions[0].var_names, ["n", "m"]);
    let r8 = s.params.iter().find(|p| p.0 == 8).unwrap().1;
    assert_eq!(*front.types.types.word(r8), WordTy::Var(0));
}

#[test]
fn abbreviations() {
    let front = ok("type buffer(n) = &mut [n]
type pair(a, n) = fn [e](rdi: buffer(4), rsi: a, r8: e) -> (rax: int, r8: e)
type handle = int(0..1023)
type callback = pair(handle, 3)
type page = bytes(4096)
fn f[n](rdi: buffer(n + 1), rsi: int(n), rdx: callback, rcx: pair(int, n))
  ret
fn g: callback
  ret
bss p: page
bss q: [2]page
");
    assert_eq!(
        printed(&front, 0),
        printed(
            &ok(
                "fn f[n](rdi: &mut [n + 1], rsi: int(n), rdx: fn [e](rdi: &mut [4], rsi: int(0..1023), r8: e) -> (rax: int, r8: e), rcx: fn [e](rdi: &mut [4], rsi: int, r8: e) -> (rax: int, r8: e))\n  ret\n"
            ),
            0
        )
    );
    assert_eq!(front.module.objects[1].size, 8192);
}

fn layout(front: &Front, object: usize) -> String {
    let types = &front.types;
    let printer = Printer { structs: &types.struct_names, ..Printer::new(&types.types) };
    printer.layout(LayoutId(front.module.objects[object].layout))
}

#[test]
fn layouts() {
    let front = ok("struct node { next: opt ref node, value: int }
struct chunk(n) {1 <= n} { size: int(16*n), rest: bytes(16*n - 8) }
bss a: bytes(3)
bss b: [5]u16
bss c: node
bss d: [7]node
bss f: i8(-3..100)
bss g: [2][3]u8
rodata h: cstr(3) = \"abc\"
rodata i: chunk(2) = { 32, 24 dup (0) }
bss j: [2]opt imm nullterm imm cstr
");
    let all: Vec<String> = (0..9).map(|i| layout(&front, i)).collect();
    assert_eq!(
        all,
        [
            "bytes(3)",
            "[5]u16",
            "node",
            "[7]node",
            "i8(-3..100)",
            "[2][3]u8",
            "cstr(3)",
            "chunk(2)",
            "[2]opt imm nullterm imm cstr"
        ]
    );
    let sizes: Vec<u64> = front.module.objects.iter().map(|o| o.size).collect();
    assert_eq!(sizes, [3, 10, 16, 112, 1, 6, 4, 32, 16]);
    let aligns: Vec<u32> = front.module.objects.iter().map(|o| o.align).collect();
    assert_eq!(aligns, [1, 2, 16, 16, 1, 1, 1, 8, 16]);
    let node = &front.types.types.structs[0];
    assert_eq!((node.params, node.body.parts().len()), (0, 2));
    assert_eq!(front.types.field_names[0], ["next", "value"]);
}

/// Structs may speak of each other through pointers, in any order.
#[test]
fn recursive_structs() {
    let front = ok("bss x: a
struct a { b: opt ref b, c: imm c, f: opt fn (rdi: ref a) }
struct b { a: [2]opt ref a, c: opt imm c }
struct c { s: imm cstr, b: [4]u8, w: i32 }
"
    .replace("c: imm c,", "c: opt imm c,")
    .as_str());
    assert_eq!(front.module.objects[0].size, 24);
    assert_eq!(front.types.types.structs.len(), 3);
    // Every node mentions earlier ones only, structs apart.
    assert!(front.types.types.structs.iter().all(|s| !s.body.parts().is_empty()));
}

#[test]
fn equal_types_have_one_number() {
    let front = ok("fn f(rdi: &[8], rsi: &[8])\n  ret\nfn g(rdi: &[8], rsi: &[8])\n  ret\n");
    assert_eq!(front.module.functions[0].sig, front.module.functions[1].sig);
    assert_eq!(front.types.types.words.len(), 1);
}

#[test]
fn strings_are_frozen() {
    let front = ok("fn f(rdi: &cstr, rsi: &frozen cstr, rdx: &bytes(8))\n  ret\n");
    let s = sig(&front);
    assert_eq!(s.params[2].1, s.params[1].1, "&cstr is &frozen cstr");
    assert_ne!(s.params[0].1, s.params[1].1);
}

/// An existential that mentions nothing from outside is one type wherever it is written, and one that does counts
/// from what it mentions.
#[test]
fn existentials() {
    let front = ok("\
struct chunk(n) { size: int(16*n), next: opt some }
type some = exists n {1 <= n}. own chunk(n)
type more(k) = exists n {k <= n}. own chunk(n)
fn f[a, b, c](rdi: some, rsi: int(a + 2*b - c), rdx: exists n {b <= n}. own chunk(n)) -> (rax: opt more(b))
  ud2
fn g[b](rdi: opt some, rsi: int(b), rdx: more(b - b)) -> (rax: opt more(r), rdx: int(r))
  ud2
");
    let types = &front.types.types;
    let sig = |i: usize| types.sig(SigId(front.module.functions[i].sig));
    let inside = |w: WordId| match types.word(w) {
        WordTy::Opt(w) => *w,
        _ => w,
    };
    let first = |w: WordId| match types.word(inside(w)) {
        WordTy::Exists(e) => e.first,
        other => panic!("{other:?}"),
    };
    let param = |i: usize, r: u8| sig(i).params.iter().find(|p| p.0 == r).unwrap().1;
    assert_eq!(param(0, 7), inside(param(1, 7)));
    assert_eq!(first(param(0, 7)), 0);
    assert_eq!(first(param(0, 2)), 2);
    assert_eq!(inside(sig(0).results[0].1), param(0, 2));
    assert_eq!(first(param(1, 2)), 0, "what cancels is not mentioned");
    assert_eq!(first(sig(1).results[0].1), 2);
    let cell = types.structs[0].body.parts()[1];
    let Layout::Cell(next) = *types.layout(cell) else { panic!() };
    assert_eq!(next, param(1, 7));
}
