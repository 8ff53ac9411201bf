//! Large programs: many labels, functions and declarations, long lines, deep nesting. The checker's steps are counted
//! and paid for by each byte, so that a large program is accepted says that they grow with its size and not faster;
//! the sizes of annotations are compared.

use std::fmt::Write;
use tal_testkit::toolchain::{Image, Refusal, assemble, images, modules};
use talcore::verdict::Accept;
use taldiag::Code;

const MANY: usize = 100_000;

fn check(text: &str) -> Result<Accept, Refusal> {
    let modules = modules(text);
    let images = images(&modules, assemble(&modules)?)?;
    let accept = images.iter().map(Image::check).next();
    accept.expect("a module")
}

#[track_caller]
fn accepted(text: &str) -> Accept {
    check(text).unwrap_or_else(|r| panic!("{}", r.text))
}

fn lines(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).fold(String::new(), |mut text, i| {
        let _ = writeln!(text, "{}", line(i));
        text
    })
}

/// As many loops around each other as there are labels.
fn nested_loops(count: usize) -> String {
    let heads = lines(count, |i| format!(".l{i}: inc rax"));
    let ends = lines(count, |i| format!("cmp rdi, {}\n jb .l{}", count - 1 - i, count - 1 - i));
    format!("arch amd64\nfn f(rdi: int) -> (rax: int)\n xor eax, eax\n{heads}{ends} ret\n")
}

/// class: J3 on amd64
#[test]
fn labels_of_one_function() {
    let accept = accepted(&nested_loops(MANY));
    assert_eq!((accept.functions, accept.labels), (1, MANY as u64));
    let less = accepted(&nested_loops(MANY / 100));
    assert!(accept.note_bytes < 150 * less.note_bytes, "{} and {}", accept.note_bytes, less.note_bytes);
}

/// Labels at which different ways meet, with something to join each time.
/// class: J3 on amd64
#[test]
fn joins() {
    let body = |n| lines(n, |i| format!(" cmp rdi, {}\n je .l{i}\n inc eax\n.l{i}:", i % 1000));
    let program = |n| format!("arch amd64\nfn f(rdi: int) -> (rax: int)\n xor eax, eax\n{} ret\n", body(n));
    let (large, small) = (accepted(&program(10_000)), accepted(&program(1_000)));
    assert_eq!(large.labels, 10_000);
    assert!(large.note_bytes < 11 * small.note_bytes, "{} and {}", large.note_bytes, small.note_bytes);
}

/// class: J3 on amd64
#[test]
fn jumps_to_one_label() {
    let jumps = lines(MANY / 5, |i| format!(" cmp rdi, {i}\n je .end"));
    accepted(&format!("arch amd64\nfn f(rdi: int)\n{jumps}.end: ret\n"));
}

#[test]
fn functions() {
    let first = "arch amd64\nfn f0()\n ret\n";
    let others = lines(MANY - 1, |i| format!("fn f{}()\n call f{i}\n ret", i + 1));
    assert_eq!(accepted(&format!("{first}{others}")).functions, MANY as u64);
}

#[test]
fn objects() {
    let strings = lines(MANY / 5, |i| format!("rodata s{i}: cstr = \"text {i}\""));
    accepted(&format!("arch amd64\n{strings}"));
}

#[test]
fn constants_of_constants() {
    let others = lines(MANY - 1, |i| format!("const c{} = c{i} + 1", i + 1));
    let program = format!("arch amd64\nconst c0 = 1\n{others}fn f() -> (rax: int({MANY}))\n");
    accepted(&format!("{program} mov eax, c{}\n ret\n", MANY - 1));
}

#[test]
fn long_lines() {
    let list = "1, ".repeat(MANY);
    accepted(&format!(
        "arch amd64\nrodata d: bytes({}) = db {list}1\n; {}\n",
        MANY + 1,
        "x".repeat(10 * MANY)
    ));
    // A message shows a piece of such a line.
    let refusal = check(&format!("arch amd64\nrodata d: bytes({MANY}) = db {}1\n", "q, ".repeat(MANY)));
    let text = refusal.expect_err("is accepted").text;
    assert!(text.len() < MANY, "a message of {} bytes", text.len());
    let name = "x".repeat(MANY);
    let refusal = check(&format!("arch amd64\nfn f()\n {name}\n ret\n")).expect_err("is accepted");
    assert_eq!(refusal.codes, [Code(1301)]);
    assert!(refusal.text.len() < 3 * MANY, "a message of {} bytes", refusal.text.len());
}

/// class: J2 on amd64
#[test]
fn deep_nesting() {
    let parentheses = format!("{}1{}", "(".repeat(MANY), ")".repeat(MANY));
    let minus = format!("{}1{}", "-(".repeat(10_000), ")".repeat(10_000));
    let arrays = format!("{}u8", "[1]".repeat(10_000));
    let pointers = format!("{}u8", "ref ".repeat(10_000));
    let functions = format!("{}int{}", "fn(rdi: ".repeat(10_000), ")".repeat(10_000));
    accepted(&format!("arch amd64\nconst c = {parentheses}\n"));
    for text in [
        format!("const c = {minus}"),
        format!("bss b: {arrays}"),
        format!("bss b: {pointers}"),
        format!("bss b: {functions}"),
        format!("rodata b: [1]u8 = {}1{}", "{".repeat(10_000), "}".repeat(10_000)),
    ] {
        let refusal = check(&format!("arch amd64\n{text}\n")).expect_err("is accepted");
        assert!(refusal.codes.contains(&Code(1010)), "{}", refusal.text);
        assert!(refusal.text.len() < MANY, "a message of {} bytes", refusal.text.len());
    }
}
