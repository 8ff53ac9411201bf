//! Every error code, with the message that a person reads.

use crate::common::{Setup, errors_with, read_with};
use talcore::arch::Arch;

/// What is wrong in each source: the codes that it gets, in order, and the source.
const CASES: &[(&str, &[u16], &str)] = &[
    ("character", &[1001, 1001], "fn f()\n  mov eax, `\n  cmp eax != 3\n  ret\n"),
    ("open_string", &[1002], "rodata s: cstr = \"abc\n"),
    ("number", &[1003, 1003, 1003], "const A = 0FFh\nconst B = 0x\nconst C = 99999999999999999999\n"),
    ("escape", &[1004], "rodata s: cstr = \"a\\qb\"\n"),
    ("syntax_operand", &[1005], "fn f()\n  mov eax,\n  ret\n"),
    ("syntax_label", &[1005], "fn f()\nloop: dec ecx\n  jnz .x\n.x: ret\n"),
    ("syntax_reserved", &[1005], "rodata data: bytes(1) = db 0\n"),
    ("syntax_register", &[1005], "const rax = 1\n"),
    ("syntax_constant", &[1005], "fn f()\n  K = 3\n  ret\n"),
    ("syntax_memory", &[1005, 1005], "fn f()\n  mov rax, [rdi +]\n  mov rax, [rdi * rsi]\n  ret\n"),
    ("syntax_fact", &[1005], "fn f[n](rdi: int(n)) {n}\n  ret\n"),
    ("syntax_type", &[1005], "fn f(rdi: )\n  ret\n"),
    ("syntax_pub", &[1005, 1105, 1005], "pub use x\npub import fn f()\n"),
    ("bracket", &[1006], "struct s {\n  a: int,\n\nfn f()\n  ret\n"),
    (
        "nesting_expression",
        &[1010],
        "const A = ----------------------------------------------------------------------1\n",
    ),
    ("stray", &[1012], "arch amd64\n  mov eax, 1\n  ret\n"),
    ("condition", &[1014, 1014], "if amd64\nelse ia32\nconst A = 1\nelse\nendif\n"),
    ("condition_lonely", &[1014, 1014], "else\nfn f()\n  ret\n  endif ; of what?\n"),
    ("condition_open", &[1014, 1014], "if x86\nif ia32\nendif\nconst A = 1\n"),
    ("undefined", &[1101, 1101], "const LENGTH = 4\nfn f()\n  mov eax, LENGHT\n  call foo\n  ret\n"),
    ("architecture", &[1101], "arch amd46\n"),
    ("duplicate", &[1102], "const A = 1\nbss A: bytes(4)\n"),
    ("duplicate_field", &[1102], "struct s { a: u8, a: u8 }\n"),
    ("duplicate_variable", &[1102], "fn f[n, n](rdi: int(n))\n  ret\n"),
    ("duplicate_table", &[1102], "fn f()\n  table t: .a\n  table t: .a\n.a: ret\n"),
    ("label", &[1103], "fn f()\n  jmp .lop\n.loop: ret\n"),
    ("label_twice", &[1104], "fn f()\n.a: nop\n.a: ret\n"),
    ("module", &[1105], "use nowhere\nfn f()\n  call something\n  ret\n"),
    ("reserved_type", &[1107], "struct int { a: u8 }\n"),
    ("reserved_prefix", &[1107], "import fn __tal_gate()\n"),
    ("kind", &[1108, 1108], "const A = 1\nstruct s { a: u8 }\nfn f(rdi: A)\n  mov eax, s\n  ret\n"),
    ("system_call", &[1109], "fn f()\n  sys wirte\n  ret\n"),
    ("empty_function", &[1110], "fn f()\nfn g()\n  ret\n"),
    (
        "field",
        &[1111, 1111, 1111],
        "struct s { value: u8 }\nconst A = s.valeu\nconst B = A.b\nrodata o: s = { valu: 1 }\n",
    ),
    ("other_architecture", &[1112], "arch ia32\n"),
    (
        "type_arguments",
        &[1211, 1211, 1211, 1211],
        "struct box(a) { item: a }\nstruct case(a: own) { item: a }\nfn f(rdi: own box(own box(int)))\n  ret\n\
         fn g[a: own](rdi: own box(a))\n  ret\nfn h[a](rdi: own case(a))\n  ret\n\
         fn i[n](rdi: own box(int(n)))\n  ret\n",
    ),
    ("union", &[1005], "type t = union\n"),
    (
        "variants",
        &[1217; 9],
        "struct a { k: int(0), x: int }\nstruct b { k: int(0), x: int }\nstruct c { k: int(1) }\nstruct d { x: int, k: int(3) }\nstruct e { k: int, x: int }\nstruct g { x: int, y: int }\nunion u: k { a, b }\nunion v: k { a, c }\nunion w: k { a, d }\nunion x: k { a, e }\nunion y: k { a, g }\nunion z: k { good, int }\nunion good: k { a, h }\nstruct h { k: int(7), x: int }\nunion t: k { good, a }\nunion s: k { }\nbss p: u\nbss q: v\n",
    ),
    (
        "variant_of_data",
        &[1404, 1111, 1408],
        "struct a { k: u8(0), x: u8 }\nstruct b { k: u8(2), x: u8 }\nunion u: k { a, b }\nrodata p: u = { 0, 1 }\nrodata q: u = { c: { 0, 1 } }\nrodata r: u = db 1, 0\n",
    ),
    ("ghost", &[1201], "fn f()\n  @split rax, 3\n  ret\n"),
    (
        "no_pointer",
        &[1202; 5],
        "fn f(rdi: res int)\n  ret\nfn g(rdi: exists n. int(n))\n  ret\nfn h(rdi: exists n. opt own bytes(n))\n  ret\nfn i(rdi: exists n. exists m {n <= m}. own bytes(n + m))\n  ret\nfn j(rdi: opt res own bytes(8))\n  ret\n",
    ),
    ("nothing_hidden", &[1210], "fn f(rdi: exists n, m. own bytes(n))\n  ret\n"),
    (
        "owned_kept",
        &[1211; 4],
        "rodata a: opt own bytes(8) = 0\nstruct s { b: imm t, c: res own s }\nstruct t { d: [2]opt own s }\nfn f(rdi: res own s)\n  ret\n",
    ),
    (
        "borrow_hidden",
        &[1211; 5],
        "fn f(rdi: opt &uniq bytes(8))\n  ret\nfn g() -> (rax: exists n. &[n])\n  ret\nstruct s { a: opt exists n. &mut [n] }\nfn h(rdi: exists n. &uniq [n])\n  ret\nfn i() -> (rax: res &uniq bytes(8))\n  ret\n",
    ),
    (
        "given_back",
        &[1211, 1211, 1211, 1212],
        "fn f(rdi: &uniq [8] => bytes(8))\n  ret\nfn g[n](rdi: &uniq cstr(n) => cstr(n + 1))\n  ret\nfn h(rdi: &uniq bytes(8) => [1]int(8))\n  ret\nfn i(rdi: &uniq cstr)\n  ret\n",
    ),
    (
        "owned_in_file",
        &[1405, 1405, 1405],
        "bss a: own bytes(8)\nbss b: exists n. own bytes(n)\ndata c: opt own bytes(8) = d\nbss d: bytes(8)\n",
    ),
    ("ghost_operands", &[1301, 1301], "fn f()\n  split 3\n  join rax\n  ret\n"),
    ("stretch", &[1210], "fn f(rdi: ref s bytes(3))\n  ret\n"),
    ("stretch_of_type", &[1210], "fn f[s](rdi: ref s bytes(3), rsi: s)\n  ret\n"),
    ("stretch_range", &[1210], "fn f[s: 0..9](rdi: ref s bytes(3))\n  ret\n"),
    ("stretch_hidden", &[1202], "fn f(rdi: exists s: any. ref s bytes(3))\n  ret\n"),
    ("lend_nothing", &[1301], "fn f(rdi: own bytes(3))\n  lend rdi\n  ret\n"),
    ("lend_half", &[1301], "fn f(rdi: own bytes(3))\n  lend edi as s\n  ret\n"),
    ("restore_register", &[1301], "fn f(rdi: own bytes(3))\n  restore rdi\n  ret\n"),
    ("name_behind_register", &[1301], "fn f()\n  mov rax as s\n  ret\n"),
    ("uses", &[1202], "bss x: u64\nfn f() uses x\n  ret\n"),
    ("owned_static", &[1202], "rodata own x: int = 1\n"),
    ("number_too_large", &[1205], "struct s { a: u8(256) }\n"),
    ("stack_result", &[1201], "fn f() -> ([rsp + 8]: int)\n  ret\n"),
    ("stack_uniq", &[1201], "fn f([rsp + 8]: &uniq bytes(3))\n  ret\n"),
    ("annotation_type", &[1201], "fn f(rdi: &[8])\n.a: {rdi: &[8]}\n  ret\n"),
    ("not_a_word", &[1202], "struct s { a: u8 }\nfn f(rdi: s)\n  ret\n"),
    (
        "not_a_pointer",
        &[1202, 1202, 1202],
        "struct s { a: opt int }\nbss n: nullterm int\nfn f: imm cstr\n  ret\n",
    ),
    (
        "arguments",
        &[1203, 1203, 1203, 1203, 1203],
        "struct s(n) { a: bytes(n) }\nbss a: s\nbss b: bytes\nbss c: []u8\nbss d: cstr(1, 2)\nbss e: s(ref int)\n",
    ),
    ("not_linear", &[1204], "fn f[n, m](rdi: &[n*m], rsi: int(n), rdx: int(m))\n  ret\n"),
    ("range", &[1205, 1205, 1205], "bss a: u8(3..2)\nbss b: u8(0..256)\nfn f[n: all](rdi: int(n))\n  ret\n"),
    ("never", &[1205], "fn f() {1 > 2}\n  ret\n"),
    (
        "misaligned",
        &[1206, 1206, 1206],
        "struct a { x: u8, y: int }\nstruct b(n) { x: bytes(n), y: int }\nstruct c { x: int, y: u8 }\nbss d: [4]c\n",
    ),
    ("infinite", &[1207], "struct a { x: u8, b: b }\nstruct b { a: a }\n"),
    (
        "register",
        &[1208, 1208, 1208, 1208],
        "fn f(edi: int)\n  ret\nfn g(rsp: int)\n  ret\nfn h(rdi: int, rdi: int)\n  ret\nfn i() -> (rbx: int) preserves (rbx)\n  ret\n",
    ),
    ("stack_order", &[1209], "fn f([rsp + 8]: int, [rsp + 24]: int)\n  ret\n"),
    (
        "variable",
        &[1210, 1210, 1210],
        "fn f[n]()\n  ret\nfn g[a](rdi: a, rsi: int(a))\n  ret\nfn h[a: any](rdi: a)\n  ret\n",
    ),
    (
        "borrow_kept",
        &[1211, 1211, 1211, 1211],
        "struct s { a: &[8] }\nfn f() -> (rax: &[8])\n  ret\nfn g(rdi: &mut cstr)\n  ret\ndata d: cstr = \"x\"\n",
    ),
    (
        "size_needed",
        &[1212, 1212, 1212],
        "struct s(n) { a: bytes(n) }\nconst A = sizeof s\nstruct t { a: cstr }\nstruct u(n) { a: [3]s(n) }\n",
    ),
    (
        "hidden_memory",
        &[1212, 1206, 1202],
        "struct t(n) { a: bytes(n) }\ntype e = exists n. t(n)\ntype s = seq(u8, int)\nfn f(rdi: exists n. int(n))\n  ret\n",
    ),
    ("capture", &[1213], "fn f[n](rdi: fn [k: 0..n](rsi: int(k)), rsi: int(n))\n  ret\n"),
    ("nothing_said", &[1214], "fn f[lenght](rdi: &[lenght]) -> (rax: int(length))\n  ret\n"),
    (
        "size",
        &[1215, 1215, 1215, 1215],
        "bss a: bytes(-1)\nbss b: [1 << 46]u32\nstruct s { }\nbss c: bytes(0)\n",
    ),
    ("contradiction", &[1216, 1216], "fn f() -> (rax: int) noreturn\n  ret\nfn g(rdi: start)\n  ret\n"),
    (
        "address",
        &[1305, 1305, 1305, 1305, 1305, 1305],
        "bss b: bytes(8)\nfn f()\n  mov eax, [edi]\n  mov eax, [rdi + rsi + rdx]\n  mov eax, [rdi + 3*rsi]\n  mov eax, [rdi + 2*rsp]\n  mov eax, [2*rdi + 4*rsi]\n  mov eax, [b + b]\n  ret\n",
    ),
    (
        "no_value",
        &[1401, 1401, 1401],
        "const A = 1 / 0\nconst B = 1 << 101\nconst C = 0xffffffffffffffff * 0xffffffffffffffff * 2\n",
    ),
    ("constant_needed", &[1402], "fn f[n](rdi: int(n), rsi: int(0..n))\n  ret\n"),
    ("cycle", &[1403, 1403], "const A = B + 1\nconst B = A\nrodata o: []u8 = { sizeof o }\n"),
    (
        "shape",
        &[1404; 10],
        "struct s { a: u8, b: u8 }\nrodata a: [3]u8 = {1, 2}\nrodata b: s = {1}\nrodata c: s = {1, 2, 3}\nrodata d: s = {a: 1, a: 2}\nrodata e: s = 5\nrodata f: cstr(2) = \"abc\"\nrodata g: cstr = \"a\\0b\"\nrodata h: bytes(2) = db 1\nrodata i: u8 = {1}\nrodata j: u8 align 3 = 1\n",
    ),
    (
        "shape_of_lists",
        &[1404; 6],
        "rodata a: int = 1, 2\nrodata b: []u8 = { x: 1 }\nrodata c: u8 = 2 dup (1)\nrodata d: []u8 = (0-1) dup (1)\nrodata f: []u16 = db 1, 2, 3\nrodata g: cstr = db 'x'\n",
    ),
    (
        "pointers",
        &[1405; 7],
        "fn f()\n  ret\nbss v: int\nrodata a: int = v\nrodata b: imm int = v\nrodata c: ref int = 0\nrodata d: fn () = v\nrodata e: u8 = v\nbss g: ref int\nrodata h: bytes(8) = dq v\n",
    ),
    ("initial_value", &[1406, 1406], "bss a: u8 = 1\ndata b: u8\n"),
    ("address_as_constant", &[1407, 1407], "bss b: bytes(8)\nconst A = b + 8\nconst B = ~b\n"),
    ("value_range", &[1408, 1408, 1408], "rodata a: u8 = 256\nrodata b: u8(1..9) = 10\nbss c: u16(1..2)\n"),
    ("large_object", &[1409, 1409], "bss a: bytes(1 << 32)\nrodata b: bytes = 20 dup (0x1000000 dup (0))\n"),
    ("characters", &[1410, 1410], "const A = ''\nconst B = 'ninebytes'\n"),
];

#[test]
fn messages() {
    let mut wrong = Vec::new();
    for (name, codes, text) in CASES {
        let (_, result) = read_with(text, &Setup::default());
        let found: Vec<u16> = match result {
            Ok(_) => Vec::new(),
            Err(diags) => diags.iter().map(|d| d.code.0).collect(),
        };
        let shown = errors_with(text, &Setup::default());
        if found != *codes {
            wrong.push(format!("{name}: {found:?} instead of {codes:?}\n{shown}"));
        }
        insta::assert_snapshot!(*name, shown);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Abbreviations that double what they stand for, again and again.
#[test]
fn types_do_not_explode() {
    let doubled = |line: &dyn Fn(usize) -> String, last: &str| {
        let lines: String = (1..28).map(line).collect();
        let text = format!("type t0(k) = bytes(8)\n{lines}fn f(rdi: &{last})\n  ret\n");
        let (_, result) = read_with(&text, &Setup::default());
        let codes: Vec<u16> = result.err().expect("too much").iter().map(|d| d.code.0).collect();
        assert_eq!(codes, [1010], "{text}");
    };
    doubled(&|i| format!("type t{i}(k) = seq(t{}(k), t{}(k))\n", i - 1, i - 1), "t27(1)");
    doubled(
        &|i| format!("type t{i}(k) = exists j {{j <= k}}. seq(t{}(j), t{}(k))\n", i - 1, i - 1),
        "t27(1)",
    );
    doubled(&|i| format!("type t{i}(k) = seq(own t{}(k), own t{}(k))\n", i - 1, i - 1), "t27(1)");
}

#[test]
fn on_ia32() {
    let setup = Setup { arch: Arch::Ia32, ..Setup::default() };
    let text = "fn f(eax: int)\n  mov r8, [rdi]\n  mov xmm9, 3\n  mov sil, 1\n  ret\nbss w: u64\n";
    insta::assert_snapshot!(errors_with(text, &setup));
}

#[test]
fn used_modules() {
    let files = [
        ("inc/a.tali", "arch amd64\nuse a\npub const A = 1\npub fn f()\n"),
        ("inc/b.tali", "pub const A = 2\nconst HIDDEN = 3\npub type t = nothing\n"),
    ];
    let setup = Setup { files: &files, ..Setup::default() };
    let text = "use a\nuse b\nconst X = HIDDEN\nfn g(rdi: t)\n  call f\n  ret\n";
    insta::assert_snapshot!(errors_with(text, &setup));
}

#[test]
fn command_line() {
    let defines = [("A", Some("1 +")), ("B", Some("NOTHING")), ("C", Some("1\nfn f()")), ("1", None)];
    let setup = Setup { defines: &defines, ..Setup::default() };
    insta::assert_snapshot!(errors_with("const D = B\n", &setup));
}

#[test]
fn not_text() {
    let mut files = crate::common::Files::default();
    files.0.insert("t.tal".into(), b"; ok\nconst A = \xff\n".to_vec());
    insta::assert_snapshot!(crate::common::errors_of(&files));
    insta::assert_snapshot!(crate::common::errors_of(&crate::common::Files::default()));
    files.0.insert("t.tal".into(), vec![b' '; (64 << 20) + 1]);
    insta::assert_snapshot!(crate::common::errors_of(&files));
}

/// After many errors the rest is not shown.
#[test]
fn too_many() {
    let text = "const A = ?\n".repeat(1000);
    let shown = errors_with(&text, &Setup::default());
    assert_eq!(shown.matches("error[TAL1001]").count(), 100);
    assert_eq!(shown.matches("error[TAL1011]").count(), 1);
}

/// Every code that the front end can raise is in the table above or in a test of its own.
#[test]
fn all_codes_are_tested() {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/front");
    let own: &[u16] = &[1007, 1008, 1009, 1011, 1106, 1302, 1411];
    let mut missing = Vec::new();
    for file in std::fs::read_dir(dir).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        for at in text.match_indices("error(").map(|m| m.0 + 6) {
            let digits: String = text[at..].trim_start().chars().take_while(|c| c.is_ascii_digit()).collect();
            let Ok(code) = digits.parse::<u16>() else { continue };
            if !own.contains(&code) && !CASES.iter().any(|c| c.1.contains(&code)) {
                missing.push(code);
            }
        }
    }
    assert!(missing.is_empty(), "{missing:?}");
}
