//! Instructions, labels, tables, annotations.

use crate::common::{Setup, ok, ok_with};
use talasm::front::Front;
use talasm::ir::{DataTarget, Instr, Item, LabelId, MemOp, Operand, Prefix, RegOp, Section};
use talcore::arch::Arch;

/// The instructions of a body, in a module with a few declarations.
fn body(lines: &str) -> (Front, Vec<Instr>) {
    let text = format!(
        "const K = 7\nstruct node {{ next: opt ref node, value: int }}\nbss buf: bytes(64)\nbss n: node\n\
         rodata msg: cstr = \"hi\"\nfn g()\n  ret\nfn f()\n{lines}\n"
    );
    let front = ok(&text);
    let f = front.module.functions.last().unwrap();
    let instrs = f
        .body
        .iter()
        .filter_map(|i| match i {
            Item::Instr(i) => Some(i.clone()),
            _ => None,
        })
        .collect();
    (front, instrs)
}

fn one(line: &str) -> Instr {
    body(line).1.remove(0)
}

fn mem(operand: &str) -> MemOp {
    match &one(&format!("  lea rax, {operand}")).operands[1] {
        Operand::Mem(m) => m.clone(),
        o => panic!("{o:?}"),
    }
}

#[test]
fn registers() {
    let all = [
        ("al", RegOp::Gpr(0, 1)),
        ("sil", RegOp::Gpr(6, 1)),
        ("r8b", RegOp::Gpr(8, 1)),
        ("ah", RegOp::High(0)),
        ("bh", RegOp::High(3)),
        ("ax", RegOp::Gpr(0, 2)),
        ("r15w", RegOp::Gpr(15, 2)),
        ("esp", RegOp::Gpr(4, 4)),
        ("r9d", RegOp::Gpr(9, 4)),
        ("rdi", RegOp::Gpr(7, 8)),
        ("r10", RegOp::Gpr(10, 8)),
        ("RAX", RegOp::Gpr(0, 8)),
        ("xmm0", RegOp::Xmm(0)),
        ("xmm15", RegOp::Xmm(15)),
    ];
    for (text, want) in all {
        let i = one(&format!("  inc {text}"));
        assert!(matches!(i.operands[0], Operand::Reg(r, _) if r == want), "{text}: {i:?}");
    }
}

#[test]
fn instructions() {
    let i = one("  MOV eax, 5");
    assert_eq!(i.mnemonic, "mov");
    assert!(matches!(i.operands[1], Operand::Imm(5, _)));
    assert_eq!(one("  rep movsb").prefix, Some(Prefix::Rep));
    assert_eq!(one("  repe cmpsb").prefix, Some(Prefix::Rep));
    assert_eq!(one("  repnz scasb").prefix, Some(Prefix::Repne));
    assert_eq!(one("  lock inc qword [rdi]").prefix, Some(Prefix::Lock));
    assert_eq!(one("  imul rax, rcx, -8").operands.len(), 3);
    assert!(matches!(one("  mov eax, K + 1").operands[1], Operand::Imm(8, _)));
    assert!(matches!(one("  mov rax, -1").operands[1], Operand::Imm(-1, _)));
    assert!(matches!(one("  cmp al, 'a'").operands[1], Operand::Imm(97, _)));
    assert!(matches!(
        one("  mov rax, 0xffffffffffffffff").operands[1],
        Operand::Imm(0xffff_ffff_ffff_ffff, _)
    ));
    assert!(one("  int3").operands.is_empty());
}

#[test]
fn symbols_in_operands() {
    let (front, i) = body(
        "  mov rdi, msg\n  mov rdi, msg + 1\n  call g\n  jmp g\n  mov rax, g\n  je g\n  mov rax, n.value",
    );
    let name = |s: &talasm::ir::SymId| front.module.symbols[s.0 as usize].name.as_str();
    assert!(matches!(&i[0].operands[1], Operand::SymAddr(s, 0, _) if name(s) == "msg"));
    assert!(matches!(&i[1].operands[1], Operand::SymAddr(s, 1, _) if name(s) == "msg"));
    assert!(matches!(&i[2].operands[0], Operand::Func(s, _) if name(s) == "g"));
    assert!(matches!(&i[3].operands[0], Operand::Func(s, _) if name(s) == "g"));
    assert!(matches!(&i[4].operands[1], Operand::SymAddr(s, 0, _) if name(s) == "g"));
    assert!(matches!(&i[5].operands[0], Operand::Func(s, _) if name(s) == "g"));
    assert!(matches!(&i[6].operands[1], Operand::SymAddr(s, 8, _) if name(s) == "n"));
}

#[test]
fn memory_operands() {
    let m = mem("[rdi]");
    assert_eq!((m.base, m.index, m.disp, m.sym, m.size), (Some(7), None, 0, None, None));
    let m = mem("[rdi + 8*rcx - 16]");
    assert_eq!((m.base, m.index, m.disp), (Some(7), Some((1, 8)), -16));
    let m = mem("[rcx*4 + rdi + K]");
    assert_eq!((m.base, m.index, m.disp), (Some(7), Some((1, 4)), 7));
    let m = mem("[rax + rsp]");
    assert_eq!((m.base, m.index), (Some(4), Some((0, 1))));
    let m = mem("[rcx + rcx + 15]");
    assert_eq!((m.base, m.index, m.disp), (Some(1), Some((1, 1)), 15));
    assert_eq!(mem("[5*rcx]").index, Some((1, 4)));
    assert_eq!(mem("[2*rcx]").base, Some(1));
    assert_eq!((mem("[8*rcx]").base, mem("[8*rcx]").index), (None, Some((1, 8))));
    assert_eq!(mem("[rbx + node.value]").disp, 8);
    assert_eq!(mem("[rbx + 2*(K + 1) - node.value]").disp, 8);
    assert_eq!(mem("[rbx + sizeof node * rcx]".replace("sizeof node", "2*4").as_str()).index, Some((1, 8)));
    let m = mem("[buf + r13 + 3]");
    assert!(m.sym.is_some());
    assert_eq!((m.base, m.disp), (Some(13), 3));
    assert!(mem("[buf]").sym.is_some());
    assert_eq!(mem("[n.value]").disp, 8);
    assert_eq!(mem("[60]").disp, 60);
    for (word, size) in [("byte", 1), ("word", 2), ("dword", 4), ("qword ptr", 8), ("xmmword", 16)] {
        assert_eq!(mem(&format!("{word} [rdi]")).size, Some(size));
    }
}

#[test]
fn labels() {
    let (front, i) = body("  jmp .end\n.a: .b: dec rcx ; two\n  jnz .a\n.end:\n  ret");
    let f = front.module.functions.last().unwrap();
    let names: Vec<&str> = f.labels.iter().map(|l| l.0.as_str()).collect();
    assert_eq!(names, [".end", ".a", ".b"]);
    assert!(matches!(i[0].operands[0], Operand::Label(LabelId(0), _)));
    assert!(matches!(i[2].operands[0], Operand::Label(LabelId(1), _)));
    let order: Vec<u32> = f
        .body
        .iter()
        .filter_map(|i| match i {
            Item::Label(l) => Some(l.0),
            _ => None,
        })
        .collect();
    assert_eq!(order, [1, 2, 0]);
}

/// Labels belong to their function.
#[test]
fn same_label_in_two_functions() {
    ok("fn f()\n.a: jmp .a\nfn g()\n.a: jmp .a\n");
}

#[test]
fn jump_tables() {
    let (front, i) = body(
        "  cmp rdi, 3\n  jae .c\n  jmp [jumps + 8*rdi]\n.a: nop\n.b: nop\n.c: ret\n  table jumps: .a, .b, \\\n    .c",
    );
    let Operand::Mem(m) = &i[2].operands[0] else { panic!() };
    let table = front.module.objects.last().unwrap();
    assert_eq!(m.sym, Some(table.sym));
    assert_eq!((table.section, table.size, table.align), (Section::Rodata, 24, 8));
    assert_eq!(table.table_of, Some(1));
    let f = &front.module.functions[1];
    let targets: Vec<&str> = table
        .relocs
        .iter()
        .map(|r| match r.target {
            DataTarget::Label { function: 1, label } => f.labels[label.0 as usize].0.as_str(),
            _ => panic!(),
        })
        .collect();
    assert_eq!(targets, [".a", ".b", ".c"]);
    assert_eq!(front.module.symbols[table.sym.0 as usize].name, "f.jumps");
    // `table` is no reserved name.
    ok("rodata table: []u8 = 1, 2\nfn f()\n  mov al, [table + 1]\n  ret\n");
}

#[test]
fn annotations() {
    let front = ok(
        "const TOP = 4\nfn f[n](rdi: &[n], rsi: int(n))\n  xor ecx, ecx\n.loop: {rcx: int(2*i), j: 0..TOP, 0 <= i < n, i = j}\n  inc rcx\n  jmp .loop\n",
    );
    let Item::Annotation(a) = &front.module.functions[0].body[2] else { panic!() };
    assert_eq!(a.vars, [("j".to_string(), Some(0), Some(4)), ("i".to_string(), None, None)]);
    assert_eq!(a.regs.len(), 1);
    assert_eq!((a.regs[0].0, a.regs[0].1.vars["i"]), (1, 2));
    assert_eq!(a.facts.len(), 4);
    assert_eq!((a.facts[1].konst, a.facts[1].vars["i"], a.facts[1].vars["n"]), (-1, -1, 1));
    assert_eq!(a.facts[0].vars.len(), 1);
}

#[test]
fn system_calls() {
    let front = ok("fn f()\n  sys write\n  ret\n");
    assert!(
        matches!(&front.module.functions[0].body[0], Item::Sys { name, number: 1, .. } if name == "write")
    );
}

#[test]
fn imports() {
    let text = "import fn puts[m](rdi: &cstr(m)) -> (rax: int)
import rodata table: [256]u8
import data count: u64
import fn unused()
fn f()
  lea rdi, [table]
  call puts
  inc qword [count]
  ret
";
    let m = ok(text).module;
    let names: Vec<&str> = m.imports.iter().map(|i| m.symbols[i.sym.0 as usize].name.as_str()).collect();
    assert_eq!(names, ["table", "puts", "count"], "only those that are used, in order of use");
}

#[test]
fn other_word_size() {
    let setup = Setup { arch: Arch::Ia32, ..Setup::default() };
    let front = ok_with(
        "arch ia32\nfn f(eax: &[8])\n  mov ecx, [eax + 4*edx]\n  jmp [t + 4*eax]\n  table t: .a\n.a: ret\n",
        &setup,
    );
    assert_eq!(front.module.arch, Arch::Ia32);
    assert_eq!(front.module.objects[0].size, 4);
}

/// Spans cover what is written.
#[test]
fn spans() {
    let (front, i) = body("  add rax, [rdi + 8]   ; comment");
    let text = &front.module.files[0].1;
    let at = |s: talasm::ir::Span| &text[s.start as usize..s.end as usize];
    assert_eq!(at(i[0].span), "add rax, [rdi + 8]");
    assert_eq!(at(i[0].operands[1].span()), "[rdi + 8]");
    let f = front.module.functions.last().unwrap();
    assert_eq!(at(f.span), "f");
}

/// Lines may end as on other systems, and a file without a line end.
#[test]
fn line_ends() {
    let front = ok("arch amd64\r\nfn f()\r\n\tmov eax, 1\t; x\r\n\tret");
    assert_eq!(front.module.functions[0].body.len(), 2);
}
