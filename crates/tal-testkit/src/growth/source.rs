//! Families of sources for the assembler.

use super::{Family, Made};
use std::fmt::Write;
use talcore::arch::Arch;

const fn of(name: &'static str, grows: &'static str, make: fn(usize) -> String) -> Family {
    Family { name, grows, make: Made::Source(make) }
}

/// All of them. A member of the number `n` has about `n` bytes.
pub(super) const FAMILIES: &[Family] = &[
    of("asm-loops", "loops around each other", loops),
    of("asm-joins", "labels at which two ways meet", joins),
    of("asm-jumps", "jumps to one label", jumps),
    of("asm-back", "jumps back to one label", back),
    of("asm-facts", "comparisons of which each teaches something", facts),
    of("asm-proofs", "accesses that take long to prove", proofs),
    of("asm-bounds", "accesses that cannot be proved", bounds),
    of("asm-frame", "words on the stack, with labels", frame),
    of("asm-calls", "functions that call the next", calls),
    of("asm-table", "elements of a table", table),
    of("asm-strings", "strings", strings),
    of("asm-structs", "structs", structs),
    of("asm-constants", "constants, each of the one before", constants),
    of("asm-line", "one line", line),
    of("asm-parentheses", "parentheses in each other", parentheses),
    of("asm-comment", "comment", comment),
    of("asm-errors", "lines with a name that nobody knows", errors),
    of("asm-typos", "lines with a name that is nearly right", typos),
    of("asm-garbage", "lines that are no source", garbage),
    of("asm-duplicates", "definitions of one name", duplicates),
];

/// The source for an architecture, as near as it can be rewritten.
pub(super) fn for_arch(arch: Arch, text: &str) -> String {
    let wide = format!("arch amd64\n{text}");
    match arch {
        Arch::Amd64 => wide,
        Arch::Ia32 => {
            let narrow = crate::narrow::narrowed(&wide, crate::narrow::VARIANTS[0]);
            narrow.unwrap_or_else(|| format!("arch ia32\n{text}"))
        }
    }
}

fn lines(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).fold(String::new(), |mut text, i| {
        let _ = writeln!(text, "{}", line(i));
        text
    })
}

fn loops(n: usize) -> String {
    let count = n / 45;
    let heads = lines(count, |i| format!(".l{i}: inc rax"));
    let ends = lines(count, |i| format!("cmp rdi, {}\n jb .l{}", count - 1 - i, count - 1 - i));
    format!("fn f(rdi: int) -> (rax: int)\n xor eax, eax\n{heads}{ends} ret\n")
}

fn joins(n: usize) -> String {
    let body = lines(n / 40, |i| format!(" cmp rdi, {}\n je .l{i}\n inc eax\n.l{i}:", i % 1000));
    format!("fn f(rdi: int) -> (rax: int)\n xor eax, eax\n{body} ret\n")
}

fn jumps(n: usize) -> String {
    let jumps = lines(n / 24, |i| format!(" cmp rdi, {i}\n je .end"));
    format!("fn f(rdi: int)\n{jumps}.end: ret\n")
}

fn back(n: usize) -> String {
    let jumps = lines(n / 34, |i| format!(" inc rax\n cmp rax, {i}\n je .top"));
    format!("fn f(rdi: int) -> (rax: int)\n xor eax, eax\n.top: inc rax\n{jumps} ret\n")
}

fn facts(n: usize) -> String {
    let registers = ["rdi", "rsi", "rdx", "rcx", "rax", "rbx"];
    let each = |i: usize| {
        let (a, b) = (registers[i % 5], registers[(i / 5) % 5]);
        format!(" lea {a}, [{b} + {}]\n cmp {a}, rbx\n ja .end", i % 50)
    };
    let body = lines(n / 45, each);
    format!(
        "fn f(rdi: int, rsi: int, rdx: int, rcx: int) -> (rax: int)\n push rbx\n xor eax, eax\n mov ebx, 1000\n{body}.end: pop rbx\n xor eax, eax\n ret\n"
    )
}

fn proofs(n: usize) -> String {
    let each =
        |i: usize| format!(" cmp rax, rsi\n jae .end\n mov cl, [rdi + rax]\n lea rax, [rax + {}]", i % 7);
    let body = lines(n / 70, each);
    format!("fn f[n](rdi: &[n], rsi: int(n)) -> (rax: int)\n xor eax, eax\n{body}.end: xor eax, eax\n ret\n")
}

fn bounds(n: usize) -> String {
    let body =
        lines(n / 70, |_| " cmp rax, rsi\n ja .end\n mov cl, [rdi + rax]\n lea rax, [rax + 1]".to_string());
    format!("fn f[n](rdi: &[n], rsi: int(n)) -> (rax: int)\n xor eax, eax\n{body}.end: xor eax, eax\n ret\n")
}

fn frame(n: usize) -> String {
    let count = (n / 50).min(900);
    let pushes = lines(count, |_| " push rdi".into());
    let joins = lines(n / 50, |i| format!(" cmp rdi, {}\n je .l{i}\n inc eax\n.l{i}:", i % 1000));
    format!("fn f(rdi: int) -> (rax: int)\n xor eax, eax\n{pushes}{joins} add rsp, {}\n ret\n", 8 * count)
}

fn calls(n: usize) -> String {
    let others = lines(n / 30, |i| format!("fn f{}()\n call f{i}\n ret", i + 1));
    format!("fn f0()\n ret\n{others}")
}

fn table(n: usize) -> String {
    let count = n / 3;
    format!("rodata d: bytes({}) = db {}1\n", count + 1, "1, ".repeat(count))
}

fn strings(n: usize) -> String {
    lines(n / 40, |i| format!("rodata s{i}: cstr = \"text {i}\""))
}

fn structs(n: usize) -> String {
    lines(n / 60, |i| format!("struct s{i} {{ a: int, b: opt shared s{i}, c: [4]u8 }}"))
}

fn constants(n: usize) -> String {
    format!("const c0 = 1\n{}", lines(n / 25, |i| format!("const c{} = c{i} + 1", i + 1)))
}

fn line(n: usize) -> String {
    format!("const c = {}1\n", "1 + ".repeat(n / 4))
}

fn parentheses(n: usize) -> String {
    format!("const c = {}1{}\n", "(".repeat(n / 2), ")".repeat(n / 2))
}

fn comment(n: usize) -> String {
    format!("; {}\n", "x".repeat(n))
}

fn errors(n: usize) -> String {
    format!("fn f()\n{} ret\n", lines(n / 30, |i| format!(" mov eax, [unknown{i}]")))
}

fn typos(n: usize) -> String {
    let defined = lines(n / 60, |i| format!("const name{i}x = 1"));
    format!("{defined}fn f()\n{} ret\n", lines(n / 60, |i| format!(" mov eax, name{i}y")))
}

fn garbage(n: usize) -> String {
    lines(n / 12, |_| "% ) fn [ 1e".into())
}

fn duplicates(n: usize) -> String {
    lines(n / 14, |_| "const name = 1".into())
}
