//! A generated program, in our language and in GNU's, with the same instructions.

use crate::Architecture;
use std::fmt::Write;

/// Functions in one module.
const FUNCTIONS: usize = 500;

/// A module in both languages.
pub(crate) struct Module {
    /// For talasm.
    pub tal: String,
    /// For GNU as, with `.intel_syntax`.
    pub gnu: String,
}

/// A program of about so many instructions, in modules of about 20,000. The first one has `_start`, which
/// calls the first function of every module.
pub(crate) fn generate(arch: Architecture, instructions: usize) -> Vec<Module> {
    let mut random = fastrand::Rng::with_seed(1);
    let per_module = FUNCTIONS * Shape::INSTRUCTIONS;
    let modules = instructions.div_ceil(per_module).max(1);
    (0..modules).map(|m| of(arch, module(m, modules, &mut random))).collect()
}

/// What each register of AMD64 is on IA-32: as many are left as the program needs, since it may be given a parameter in
/// the register where it wants it.
const NARROWED: [(&str, &str); 8] = [
    ("rax", "eax"),
    ("rbx", "ebx"),
    ("rcx", "ecx"),
    ("rdx", "edx"),
    ("rsi", "esi"),
    ("rdi", "ebp"),
    ("r12", "esi"),
    ("r13", "edi"),
];

/// A module for AMD64 in either architecture's words.
fn of(arch: Architecture, module: Module) -> Module {
    if arch == Architecture::Amd64 {
        return module;
    }
    let narrowed = |text: String| {
        // The end of the program has registers and a number of its own.
        let text =
            text.replace("xor     edi, edi", "xor     ebx, ebx").replace("xor edi, edi", "xor ebx, ebx");
        let text =
            text.replace("eax, 231", "eax, 252").replace("rip + ", "").replace("arch amd64", "arch ia32");
        NARROWED.iter().fold(text, |text, (wide, narrow)| text.replace(wide, narrow))
    };
    Module { tal: narrowed(module.tal), gnu: narrowed(module.gnu) }
}

/// The numbers that make one function differ from the next.
struct Shape {
    a: u32,
    b: u32,
    shift: u32,
}

impl Shape {
    /// Instructions of one function.
    const INSTRUCTIONS: usize = 39;
}

fn module(m: usize, modules: usize, random: &mut fastrand::Rng) -> Module {
    let mut tal = String::from("arch amd64\n");
    let mut gnu = String::from(".intel_syntax noprefix\n.text\n");
    if m == 0 {
        start(&mut tal, &mut gnu, modules);
    }
    for f in 0..FUNCTIONS {
        let shape = Shape { a: random.u32(1..1 << 20), b: random.u32(1..100), shift: random.u32(1..31) };
        function(&mut tal, &mut gnu, m, f, &shape);
    }
    Module { tal, gnu }
}

/// Appends lines to both languages; `%` starts what is written differently.
fn both(tal: &mut String, gnu: &mut String, lines: &str) {
    for line in lines.lines() {
        let line = line.trim();
        tal.push_str(if line.ends_with(':') { "" } else { "        " });
        tal.push_str(line);
        tal.push('\n');
        // Local labels and sizes of memory operands.
        let g = line.replace("byte [", "byte ptr [").replace("qword [", "qword ptr [");
        gnu.push_str(&g.replace(" .", " .L%").replace("..", "."));
        gnu.push('\n');
    }
}

fn start(tal: &mut String, gnu: &mut String, modules: usize) {
    for m in 1..modules {
        let _ = writeln!(tal, "import fn f{m}_0[n](rdi: &mut [n], rsi: int(n)) -> (rax: int)");
    }
    tal.push_str("bss buffer: bytes(4096)\n\npub fn _start: start\n");
    gnu.push_str(".lcomm buffer, 4096\n.globl _start\n_start:\n");
    for m in 0..modules {
        let _ =
            write!(tal, "        lea     rdi, [buffer]\n        mov     esi, 4096\n        call    f{m}_0\n");
        let _ = write!(gnu, "lea rdi, [rip + buffer]\nmov esi, 4096\ncall f{m}_0\n");
    }
    tal.push_str("        xor     edi, edi\n        sys     exit_group\n        ud2\n\n");
    gnu.push_str("xor edi, edi\nmov eax, 231\ncall [rip + __tal_gate]\nud2\n");
}

/// One function of [`Shape::INSTRUCTIONS`] instructions: saves a register, runs two loops over the
/// buffer that it is given, with tests and arithmetic in between, and calls the next one of its module.
fn function(tal: &mut String, gnu: &mut String, m: usize, f: usize, s: &Shape) {
    let Shape { a, b, shift } = s;
    let (public, global) = if f == 0 { ("pub ", format!(".globl f{m}_0\n")) } else { ("", String::new()) };
    let _ = writeln!(tal, "{public}fn f{m}_{f}[n](rdi: &mut [n], rsi: int(n)) -> (rax: int)");
    let _ = writeln!(gnu, "{global}f{m}_{f}:");
    let next = if f + 1 < FUNCTIONS && !f.is_multiple_of(8) { f + 1 } else { f };
    let call = if next == f { "nop".to_string() } else { format!("call f{m}_{next}") };
    let body = format!(
        "push rbx
         push r12
         push r13
         mov rbx, rdi
         mov r12, rsi
         xor eax, eax
         xor ecx, ecx
         jmp .test1
         .next1:
         movzx edx, byte [rbx + rcx]
         add edx, {b}
         imul edx, edx, {a}
         xor eax, edx
         inc rcx
         .test1:
         cmp rcx, r12
         jb .next1
         mov r13, rax
         shl rax, {shift}
         sub rax, r13
         lea r13, [rax + 4*rax]
         xor ecx, ecx
         cmp rcx, r12
         jae .done
         .next2:
         mov byte [rbx + rcx], al
         test al, 1
         jz .even
         add rax, {a}
         and eax, {a}
         .even:
         shr rax, 1
         inc rcx
         cmp rcx, r12
         jb .next2
         .done:
         {call}
         mov rdx, r13
         or rdx, rax
         mov rax, rdx
         pop r13
         pop r12
         pop rbx
         ret"
    );
    // GNU as has no labels that are local to a function: number them.
    let mut text = String::new();
    both(tal, &mut text, &body);
    for name in ["test1", "next1", "next2", "even", "done"] {
        text = text.replace(&format!(".L%{name}"), &format!(".L{name}_{f}"));
        text = text.replace(&format!("\n.{name}:"), &format!("\n.L{name}_{f}:"));
    }
    tal.push('\n');
    gnu.push_str(&text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_languages_have_the_same_instructions() {
        for arch in [Architecture::Amd64, Architecture::Ia32] {
            let modules = generate(arch, 3 * FUNCTIONS * Shape::INSTRUCTIONS);
            assert_eq!(modules.len(), 3);
            for module in &modules[1..] {
                let is_code = |l: &&str| l.starts_with(' ');
                let tal = module.tal.lines().filter(is_code).count();
                let is_code = |l: &&str| !l.ends_with(':') && !l.starts_with(".globl");
                let gnu = module.gnu.lines().skip(2).filter(is_code).count();
                assert_eq!(tal, gnu);
                assert_eq!(tal, FUNCTIONS * Shape::INSTRUCTIONS);
                assert!(!module.gnu.contains('%'));
            }
        }
    }
}
