//! The pages about system calls in the documentation: which ones a program may make, and why not the others.

mod untyped;

use std::fmt::Write as _;
use talcore::abi::{Abi, Entry, table};
use talcore::arch::Arch;
use talcore::types::Types;
use untyped::UNTYPED;

/// The newest call of the kernel that the lists know.
pub const LAST: u32 = 469;

/// A type on one line, as it stands in the table.
fn one_line(e: &Entry) -> String {
    e.text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What the page of an architecture says that the other one's does not.
struct Page {
    title: &'static str,
    table: &'static str,
    flag: &'static str,
    notation: String,
}

fn page(arch: Arch) -> Page {
    let (title, table, flag, registers, sizes) = match arch {
        Arch::Amd64 => (
            "AMD64",
            "linux-amd64.tali",
            "",
            "`rax`, and `sys NAME` writes both. It changes `rax`, `rcx` and `r11` and no other register",
            "0 .. 2^63 - 1",
        ),
        Arch::Ia32 => (
            "IA-32",
            "linux-ia32.tali",
            " --arch ia32",
            "`eax`, and `sys NAME` writes both. It changes `eax` and no other register",
            "0 .. 2^31 - 1",
        ),
    };
    let notation = NOTATION.replace("REGISTERS", registers).replace("SIZES", sizes);
    Page { title, table, flag, notation }
}

/// The page `docs/syscalls.md`, or `docs/syscalls-ia32.md`.
#[must_use]
pub fn render_markdown(arch: Arch) -> String {
    let abi = Abi::of(arch, &mut Types::default());
    let mut entries: Vec<_> = abi.iter().collect();
    entries.sort_by_key(|e| e.number);
    let mut numbers: Vec<_> = entries.iter().map(|e| e.number).collect();
    numbers.dedup();
    let groups = || UNTYPED.iter().map(|g| (g, g.calls(arch))).filter(|g| !g.1.is_empty());
    let untyped: usize = groups().map(|g| g.1.len()).sum();
    let Page { title, table, flag, notation } = page(arch);
    let mut out = format!(
        "# System calls on {title}\n\n\
         <!-- Written by `talcheck`; do not edit: `TAL_BLESS=1 cargo test -p talcheck --test syscalls`. -->\n\n\
         What a verified program may ask of the kernel. {} of the kernel's calls have a type, in {} forms; \
         {untyped} have none, and [the second part](#calls-without-a-type) says why. The types come from the \
         trusted table `crates/talcore/src/abi/{table}`, whose head states the rules that an entry \
         obeys. `talcheck --list-syscalls{flag}` prints them too.\n\n",
        numbers.len(),
        entries.len(),
    );
    out.push_str(&notation);
    out.push_str("| number | call | type | manual page |\n| ---: | --- | --- | --- |\n");
    for e in entries {
        let ty = one_line(e).replace('|', "\\|");
        let _ = writeln!(out, "| {} | {} | `{ty}` | {} |", e.number, e.name, e.man);
    }
    out.push_str("\n## Names of constants\n\n```\n");
    out.push_str(&definitions(arch));
    out.push_str("```\n\n## Calls without a type\n\n");
    out.push_str("A program that makes one of these calls is rejected.\n");
    for (group, calls) in groups() {
        let _ = writeln!(out, "\n### {}\n\n{}\n", group.title, group.why);
        let calls: Vec<_> = calls.iter().map(|(n, name)| format!("`{name}` ({n})")).collect();
        let _ = writeln!(out, "{}.", calls.join(", "));
    }
    out
}

const NOTATION: &str = "\
## Calls with a type

A call goes through the gate with its number in REGISTERS. Where a call has several forms, the first whose constants fit counts.

- `int`: any word. `int(k)`: the value of the variable `k`, which is in `SIZES` unless the brackets in front \
say otherwise.
- `&[k]`: at least `k` bytes that the kernel may read. `&mut [k]`: that it may also write.
- `own bytes(n)`: memory of n bytes that belongs to the program alone; as an argument it is given away. `ref \
bytes(n)`: memory that is there until the process ends and that others may write. `res`: that, or an error.
- `0 | ...`: the constant 0, or that.
- `path`: a string (`&cstr`), or at least 4096 readable bytes, of which the kernel reads no more.
- `len(k)`: the address of a number of 4 bytes, known to be `k`, in the frame or in owned memory. The kernel writes \
another one there.
- `vec(n, t)`: the address of `n` pairs, `n` a constant, in the frame, in owned or in constant memory: a pointer, and how \
many bytes the kernel may read there; `t` bytes together. `vec mut(n, t)`: that it may also write.
- `strings`: the address of pointers to strings and then 0, in such memory, or of what the process began with.
- `action(...)`: the address of a `struct sigaction` in such memory, with no other flags: see \
[signals](language.md#signals).
- A number or a name: exactly this constant. `one(...)`: one of these constants. `bits(...)`: a constant without \
other bits than these.
- Behind the arrow stands the result; an error is `-4095 .. -1`. `noreturn`: the call does not return.

";

/// The definitions of constants and sets in the table, as they stand there.
fn definitions(arch: Arch) -> String {
    let mut out = String::new();
    let mut inside = false;
    for line in table(arch).lines() {
        let starts = line.starts_with("const ") || line.starts_with("set ");
        inside = starts || (inside && line.starts_with("    "));
        if inside {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

/// All calls that the lists know: number, name, and whether the call has a type. In order of numbers.
#[must_use]
pub fn all(arch: Arch) -> Vec<(u32, &'static str, bool)> {
    let abi = Abi::of(arch, &mut Types::default());
    let typed = abi.iter().map(|e| (e.number, e.name, true));
    let others = UNTYPED.iter().flat_map(|g| g.calls(arch)).map(|(n, name)| (n, name, false));
    let mut all: Vec<_> = typed.chain(others).collect();
    all.sort_unstable();
    all.dedup();
    all
}
