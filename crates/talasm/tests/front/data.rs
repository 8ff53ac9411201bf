//! Constants and initial values.

use crate::common::{Setup, ok, ok_with};
use talasm::ir::{DataTarget, Object, Section};

fn objects(text: &str) -> Vec<Object> {
    ok(text).module.objects
}

fn bytes(text: &str) -> Vec<u8> {
    objects(text).remove(0).bytes
}

/// The value of an expression.
fn value(expr: &str) -> i64 {
    let b = bytes(&format!("rodata x: i64 = {expr}\n"));
    i64::from_le_bytes(b.try_into().unwrap())
}

#[test]
fn expressions() {
    let all = [
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("10 - 3 - 2", 5),
        ("7 / 2", 3),
        ("-7 / 2", -3),
        ("7 % 4", 3),
        ("1 << 4 + 1", 32),
        ("0xf0 >> 4", 15),
        ("1 | 2 ^ 3 & 6", 1),
        ("~0", -1),
        ("- - 4", 4),
        ("+4", 4),
        ("0xff_ff", 65535),
        ("0b1010", 10),
        ("0o17", 15),
        ("1_000_000", 1_000_000),
        ("'a'", 97),
        ("'\\n'", 10),
        ("\"ab\"", 0x6261),
        ("\"'\"", 39),
        ("sizeof int", 8),
        ("sizeof u16", 2),
        ("(1 << 64) - 1 >> 60", 15),
        ("A", 5),
        ("sizeof o", 12),
        ("sizeof(s)", 24),
        ("offsetof(s, c)", 16),
        ("offsetof(s, in.y)", 12),
        ("s.b", 4),
        ("s.in.y", 12),
        ("sizeof t", 3),
    ];
    for (text, want) in all {
        let b = bytes(&format!(
            "rodata x: i64 = {text}\nconst A = B - 1\nconst B = 6\nbss o: [3]u32\n\
             struct in {{ x: u32, y: u32 }}\nstruct s {{ a: u8, p: bytes(3), b: u32, in: in, c: int }}\ntype t = bytes(3)\n"
        ));
        assert_eq!(i64::from_le_bytes(b.try_into().unwrap()), want, "{text}");
    }
    assert_eq!(value("-0x8000000000000000"), i64::MIN);
}

#[test]
fn command_line_constants() {
    let defines = [("N", Some("3 * M")), ("M", Some("5")), ("DEBUG", None)];
    let setup = Setup { defines: &defines, ..Setup::default() };
    // -D stands in for the module's own constant too.
    let text = "const M = 1\nconst TWICE = 2*M\nrodata x: bytes = N, TWICE, DEBUG\n";
    assert_eq!(ok_with(text, &setup).module.objects[0].bytes, [15, 10, 1]);
}

#[test]
fn raw_data() {
    assert_eq!(bytes("rodata x: bytes = db 1, 'ab', \"c\\x01\\0\", -1\n"), [1, 97, 98, 99, 1, 0, 255]);
    assert_eq!(
        bytes("rodata x: bytes = dw 1, 'ab' dd 2 dq 3\n"),
        [1, 0, 97, 98, 2, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0]
    );
    assert_eq!(bytes("rodata x: bytes = db 2 dup (1, 2 dup (7)), 9\n"), [1, 7, 7, 1, 7, 7, 9]);
    assert_eq!(bytes("rodata x: [2]u32 = dd 1, 2\n"), [1, 0, 0, 0, 2, 0, 0, 0]);
    assert_eq!(bytes("rodata x: bytes(3) = db 1, \\\n  2, \\ ; two\n  3\n"), [1, 2, 3]);
}

#[test]
fn strings() {
    assert_eq!(bytes("rodata x: cstr = \"ab\"\n"), b"ab\0");
    assert_eq!(bytes("rodata x: cstr = \"ab\", 0\n"), b"ab\0");
    assert_eq!(bytes("rodata x: cstr = db \"ab\", 0\n"), b"ab\0");
    assert_eq!(bytes("rodata x: cstr(2) = \"ab\"\n"), b"ab\0");
    assert_eq!(bytes("rodata x: cstr = \"\"\n"), b"\0");
    assert_eq!(bytes("rodata x: cstr = { \"usage: x\\n\",\n  \"more\\n\" }\n"), b"usage: x\nmore\n\0");
    assert_eq!(bytes("rodata x: bytes = 'it''s'\n".replace("''", "\\'").as_str()), b"it's");
    assert_eq!(bytes("rodata x: bytes = \"\u{e4}\\e\\t\\r\\\\\"\n"), "\u{e4}\u{1b}\t\r\\".as_bytes());
}

#[test]
fn arrays_and_structs() {
    assert_eq!(bytes("rodata x: [3]u16 = { 1, 2, 3 }\n"), [1, 0, 2, 0, 3, 0]);
    assert_eq!(bytes("rodata x: []u16 = { 1, 2 dup (5), }\n"), [1, 0, 5, 0, 5, 0]);
    assert_eq!(bytes("rodata x: []u16 = 1, 2\n"), [1, 0, 2, 0]);
    assert_eq!(bytes("rodata x: []u8 = \"abc\", 0\n"), b"abc\0");
    assert_eq!(bytes("rodata x: [2][2]u8 = { {1, 2}, {3, 4} }\n"), [1, 2, 3, 4]);
    let s = "struct s { a: u16, b: u8, c: i8 }\n";
    assert_eq!(bytes(&format!("{s}rodata x: s = {{ 1, 2, -3 }}\n")), [1, 0, 2, 253]);
    assert_eq!(bytes(&format!("{s}rodata x: s = {{ c: 3, a: 1, b: 2 }}\n")), [1, 0, 2, 3]);
    assert_eq!(
        bytes(&format!("{s}rodata x: []s = {{ {{1, 2, 3}}, 2 dup ({{4, 5, 6}}) }}\n")),
        [1, 0, 2, 3, 4, 0, 5, 6, 4, 0, 5, 6]
    );
    let t = "struct t { name: bytes(4), next: cstr(2), pad: u8, in: u {}, }\nstruct u { a: [2]u8 }\n"
        .replace(" {},", ",");
    assert_eq!(
        bytes(&format!("{t}rodata x: t = {{ \"abcd\", \"ef\", 9, {{ {{1, 2}} }} }}\n")),
        *b"abcdef\0\x09\x01\x02"
    );
}

#[test]
fn addresses() {
    let text = "struct command { name: imm cstr, run: fn (rdi: int), next: opt ref command }
rodata commands: []command = {
    { name_a, run_a, 0 },
    { name: name_b, run: run_b, next: extra },
}
rodata name_a: cstr = \"a\"
rodata name_b: cstr = \"b\"
data extra: command = { name_a, run_a, extra }
rodata names: nullterm imm cstr = name_a, name_b
rodata far: []imm bytes(1) = dq name_a + 1, name_a
fn run_a(rdi: int)
  ret
fn run_b(rdi: int)
  ret
";
    let front = ok(text);
    let names = |o: &Object| -> Vec<(u32, String, i64)> {
        o.relocs
            .iter()
            .map(|r| match r.target {
                DataTarget::Sym(s) => (r.at, front.module.symbols[s.0 as usize].name.clone(), r.addend),
                DataTarget::Label { .. } => panic!(),
            })
            .collect()
    };
    let o = &front.module.objects;
    let entry = |at, name: &str, n| (at, name.to_string(), n);
    assert_eq!(
        names(&o[0]),
        [
            entry(0, "name_a", 0),
            entry(8, "run_a", 0),
            entry(24, "name_b", 0),
            entry(32, "run_b", 0),
            entry(40, "extra", 0)
        ]
    );
    assert_eq!(o[0].size, 48);
    // A null-terminated array gets its null.
    assert_eq!(o[4].size, 24);
    assert_eq!(names(&o[5]), [entry(0, "name_a", 1), entry(8, "name_a", 0)]);
    assert_eq!(o[3].section, Section::Data);
}

#[test]
fn sections() {
    let o = objects("rodata a: u8 = 1\ndata b: u8 = 2\nbss c: u8\npub bss d: bytes(64) align 64\n");
    assert_eq!(
        o.iter().map(|o| o.section).collect::<Vec<_>>(),
        [Section::Rodata, Section::Data, Section::Bss, Section::Bss]
    );
    assert!(o[2].bytes.is_empty());
    assert_eq!(o[3].align, 64);
}

/// A huge object that begins as zeros costs nothing.
#[test]
fn huge_bss() {
    let o = objects("struct s { p: opt ref s, n: int(0..9) }\nbss x: [1 << 26]s\n");
    assert_eq!(o[0].size, 1 << 30);
}
