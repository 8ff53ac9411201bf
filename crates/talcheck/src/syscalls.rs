//! The page about system calls in the documentation: which ones a program may make, and why not the others.

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

/// The page `docs/syscalls.md`.
#[must_use]
pub fn render_markdown() -> String {
    let abi = Abi::of(Arch::Amd64, &mut Types::default());
    let mut names: Vec<_> = abi.iter().map(|e| e.number).collect();
    names.dedup();
    let untyped: usize = UNTYPED.iter().map(|g| g.calls.len()).sum();
    let mut out = format!(
        "# System calls on AMD64\n\n\
         <!-- Written by `talcheck`; do not edit: `TAL_BLESS=1 cargo test -p talcheck --test syscalls`. -->\n\n\
         What a verified program may ask of the kernel. {} of the kernel's calls have a type, in {} forms; \
         {untyped} have none, and [the second part](#calls-without-a-type) says why. The types come from the \
         trusted table `crates/talcore/src/abi/linux-amd64.tali`, whose head states the rules that an entry \
         obeys. `talcheck --list-syscalls` prints them too.\n\n",
        names.len(),
        abi.iter().count(),
    );
    out.push_str(NOTATION);
    out.push_str("| number | call | type | manual page |\n| ---: | --- | --- | --- |\n");
    for e in abi.iter() {
        let ty = one_line(e).replace('|', "\\|");
        let _ = writeln!(out, "| {} | {} | `{ty}` | {} |", e.number, e.name, e.man);
    }
    out.push_str("\n## Names of constants\n\n```\n");
    out.push_str(&definitions());
    out.push_str("```\n\n## Calls without a type\n\n");
    out.push_str("A program that makes one of these calls is rejected.\n");
    for group in UNTYPED {
        let _ = writeln!(out, "\n### {}\n\n{}\n", group.title, group.why);
        let calls: Vec<_> = group.calls.iter().map(|(n, name)| format!("`{name}` ({n})")).collect();
        let _ = writeln!(out, "{}.", calls.join(", "));
    }
    out
}

const NOTATION: &str = "\
## Calls with a type

A call goes through the gate with its number in `rax`, and `sys NAME` writes both. It changes `rax`, `rcx` and \
`r11` and no other register. Where a call has several forms, the first whose constants fit counts.

- `int`: any word. `int(k)`: the value of the variable `k`, which is in `0 .. 2^63 - 1` unless the brackets in front \
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
fn definitions() -> String {
    let mut out = String::new();
    let mut inside = false;
    for line in table(Arch::Amd64).lines() {
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
pub fn all() -> Vec<(u32, &'static str, bool)> {
    let abi = Abi::of(Arch::Amd64, &mut Types::default());
    let typed = abi.iter().map(|e| (e.number, e.name, true));
    let others = UNTYPED.iter().flat_map(|g| g.calls).map(|&(n, name)| (n, name, false));
    let mut all: Vec<_> = typed.chain(others).collect();
    all.sort_unstable();
    all.dedup();
    all
}
