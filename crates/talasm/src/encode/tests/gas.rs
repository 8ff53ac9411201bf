//! Every form, and many operands, compared with what GNU as makes of the same instruction.

use super::build::*;
use crate::encode::encode;
use crate::encode::form::*;
use crate::encode::table::{self, Entry, Prefixes};
use crate::ir::*;
use iced_x86::{Decoder, DecoderOptions, Instruction, Mnemonic};
use std::process::Command;
use talcore::arch::Arch;

/// Operands that have a property.
fn samples(arch: Arch, prop: Props) -> Vec<Operand> {
    let mut all = samples_of_both(prop);
    all.retain(|o| match (arch, o) {
        (Arch::Amd64, _) => true,
        (_, Operand::Reg(RegOp::Gpr(n, 1), _)) => *n < 4,
        (_, Operand::Reg(RegOp::Gpr(n, _) | RegOp::Xmm(n), _)) => *n < 8,
        (_, Operand::Mem(m)) => m.base.is_none_or(|r| r < 8) && m.index.is_none_or(|i| i.0 < 8),
        _ => true,
    });
    all
}

fn samples_of_both(prop: Props) -> Vec<Operand> {
    let memory = |bytes: u8| {
        vec![
            mem(Some(bytes), Some(0), None, 0),
            mem(Some(bytes), Some(5), None, 0),
            mem(Some(bytes), Some(4), None, 8),
            mem(Some(bytes), Some(12), Some((13, 8)), -129),
            mem(Some(bytes), Some(13), Some((5, 1)), 0),
            mem(Some(bytes), None, Some((9, 4)), 0x1234),
            mem(Some(bytes), None, Some((3, 2)), 0),
            mem(Some(bytes), Some(7), Some((4, 1)), 127),
            mem(Some(bytes), Some(6), Some((1, 4)), 0x1234_5678),
        ]
    };
    let registers = |bytes: u8| [0, 1, 3, 4, 7, 8, 15].map(|n| reg(n, bytes)).to_vec();
    match prop {
        R8 => {
            let mut all = registers(1);
            all.push(Operand::Reg(RegOp::High(2), S));
            all
        }
        R16 => registers(2),
        R32 => registers(4),
        R64 => registers(8),
        M8 => memory(1),
        M16 => memory(2),
        M32 => memory(4),
        M64 => memory(8),
        M128 => memory(16),
        ANY => memory(8),
        AL => vec![reg(0, 1)],
        AX => vec![reg(0, 2)],
        EAX => vec![reg(0, 4)],
        RAX => vec![reg(0, 8)],
        CL => vec![reg(1, 1)],
        XMM => [0, 7, 8, 15].map(|n| Operand::Reg(RegOp::Xmm(n), S)).to_vec(),
        I8 => [0, 1, -1, -128, 127, 128, 255].map(imm).to_vec(),
        S16 => [0, 2, -128, 127, 0xff80, 0xffff].map(imm).to_vec(),
        S32 => [0, 2, -128, 127, 0xffff_ff80].map(imm).to_vec(),
        S64 => [0, 2, -128, 127, (1 << 64) - 128].map(imm).to_vec(),
        I16 => [0, 128, -129, 0x7fff, 0x8000, 0xffff, -0x8000].map(imm).to_vec(),
        I32 => [0, 128, -129, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff].map(imm).to_vec(),
        X32 => [0, 128, -129, 0x7fff_ffff, -0x8000_0000].map(imm).to_vec(),
        Z32 => [0, 128, 0x8000_0000, 0xffff_ffff].map(imm).to_vec(),
        I64 => [1 << 40, -(1 << 63), (1 << 63), (1 << 64) - 1].map(imm).to_vec(),
        ONE => vec![imm(1)],
        U8 => [0, 1, 2, 63, 255].map(imm).to_vec(),
        U16 => [0, 8, 0xffff].map(imm).to_vec(),
        _ => unreachable!("a property"),
    }
}

fn all_samples(arch: Arch, props: Props) -> Vec<Operand> {
    (0..32).map(|b| props & (1 << b)).filter(|&p| p != 0).flat_map(|p| samples(arch, p)).collect()
}

/// Every mnemonic with operands for every form.
pub(super) fn every_form(arch: Arch) -> Vec<Item> {
    let mut all = Vec::new();
    for name in table::mnemonics(arch) {
        let row = table::find(arch, name).unwrap();
        match &row.entry {
            Entry::Fixed(_) => {
                all.push(instr(name, vec![]));
                match row.prefixes {
                    Prefixes::Rep => all.push(instr(&format!("rep {name}"), vec![])),
                    Prefixes::RepCompare => {
                        all.push(instr(&format!("repe {name}"), vec![]));
                        all.push(instr(&format!("repne {name}"), vec![]));
                    }
                    _ => {}
                }
            }
            Entry::Jcc(_) | Entry::Jcxz => {}
            Entry::Forms(forms) | Entry::Jmp(forms) | Entry::Call(forms) => {
                for form in forms {
                    let columns: Vec<Vec<Operand>> =
                        form.ops.iter().take(form.arity()).map(|&o| all_samples(arch, o)).collect();
                    for operands in pairs(&columns) {
                        let lockable = matches!(operands.first(), Some(Operand::Mem(_)));
                        if row.prefixes == Prefixes::Lock && lockable {
                            all.push(instr(&format!("lock {name}"), operands.clone()));
                        }
                        all.push(instr(name, operands));
                    }
                }
            }
        }
    }
    all
}

/// All combinations of the first two columns; the third goes along.
fn pairs(columns: &[Vec<Operand>]) -> Vec<Vec<Operand>> {
    match columns {
        [] => vec![vec![]],
        [a] => a.iter().map(|x| vec![x.clone()]).collect(),
        [a, b, rest @ ..] => {
            let mut all = Vec::new();
            for x in a {
                for y in b {
                    let mut row = vec![x.clone(), y.clone()];
                    row.extend(rest.iter().map(|c| c[all.len() % c.len()].clone()));
                    all.push(row);
                }
            }
            all
        }
    }
}

const NAMES: [[&str; 16]; 4] = [
    [
        "al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil", "r8b", "r9b", "r10b", "r11b", "r12b", "r13b",
        "r14b", "r15b",
    ],
    [
        "ax", "cx", "dx", "bx", "sp", "bp", "si", "di", "r8w", "r9w", "r10w", "r11w", "r12w", "r13w", "r14w",
        "r15w",
    ],
    [
        "eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi", "r8d", "r9d", "r10d", "r11d", "r12d", "r13d",
        "r14d", "r15d",
    ],
    [
        "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13",
        "r14", "r15",
    ],
];

/// An operand in the Intel syntax of GNU as.
fn gas_operand(arch: Arch, o: &Operand) -> String {
    let address = &NAMES[if arch == Arch::Amd64 { 3 } else { 2 }];
    match o {
        Operand::Reg(RegOp::Gpr(n, bytes), _) => NAMES[bytes.trailing_zeros() as usize][*n as usize].into(),
        Operand::Reg(RegOp::High(n), _) => ["ah", "ch", "dh", "bh"][*n as usize].into(),
        Operand::Reg(RegOp::Xmm(n), _) => format!("xmm{n}"),
        Operand::Imm(v, _) => v.to_string(),
        Operand::Mem(m) => {
            let size =
                ["byte", "word", "dword", "qword", "xmmword"][m.size.unwrap().trailing_zeros() as usize];
            let mut parts = Vec::new();
            parts.extend(m.base.map(|b| address[b as usize].to_string()));
            parts.extend(m.index.map(|(r, s)| match s {
                1 => address[r as usize].to_string(),
                _ => format!("{s}*{}", address[r as usize]),
            }));
            format!("{size} ptr [{}{:+}]", parts.join("+"), m.disp)
        }
        other => unreachable!("{other:?}"),
    }
}

fn gas_line(arch: Arch, item: &Item) -> String {
    let Item::Instr(i) = item else { unreachable!() };
    let prefix = match i.prefix {
        Some(Prefix::Lock) => "lock ",
        Some(Prefix::Rep) => "rep ",
        Some(Prefix::Repne) => "repne ",
        None => "",
    };
    let operands: Vec<String> = i.operands.iter().map(|o| gas_operand(arch, o)).collect();
    // Names that GNU as keeps for the 4-byte immediate.
    let name = match (i.mnemonic.as_str(), &i.operands[..]) {
        ("mov", [_, Operand::Imm(v, _)]) if arch == Arch::Amd64 && *v >> 32 != 0 && *v >> 31 != -1 => {
            "movabs"
        }
        ("movsx", [_, Operand::Mem(MemOp { size: Some(4), .. }) | Operand::Reg(RegOp::Gpr(_, 4), _)]) => {
            "movsxd"
        }
        ("movsd", []) => "movsd",
        (name, _) => name,
    };
    format!("{prefix}{name} {}", operands.join(", "))
}

/// The bytes that GNU as gives for each line, `None` where it refuses; `None` for all if it is not there.
fn gas(arch: Arch, lines: &[String]) -> Option<Vec<Option<Vec<u8>>>> {
    use object::{Object, ObjectSection, ObjectSymbol};
    let dir = tempfile::tempdir().unwrap();
    let (source, object) = (dir.path().join("a.s"), dir.path().join("a.o"));
    let mut text = String::from(".intel_syntax noprefix\n.text\n");
    for (i, line) in lines.iter().enumerate() {
        text += &format!("line{i}: {line}\n");
    }
    text += &format!("line{}:\n", lines.len());
    std::fs::write(&source, text).unwrap();
    // -Z: write the object even though some lines are refused; `name:line: Error: ...` tells which.
    let mode = if arch == Arch::Amd64 { "--64" } else { "--32" };
    let run = Command::new("as").args([mode, "-Z", "-o"]).arg(&object).arg(&source).output().ok()?;
    let messages = String::from_utf8_lossy(&run.stderr);
    let errors =
        messages.lines().filter(|l| l.contains(" Error: ")).filter_map(|l| l.split(':').nth(1)?.parse().ok());
    let refused: std::collections::HashSet<usize> = errors.map(|n: usize| n - 3).collect();
    let object = std::fs::read(&object).unwrap();
    let object = object::File::parse(&*object).unwrap();
    let text = object.section_by_name(".text").unwrap();
    let mut starts = vec![0; lines.len() + 1];
    for s in object.symbols() {
        if let Some(n) = s.name().ok().and_then(|n| n.strip_prefix("line")?.parse::<usize>().ok()) {
            starts[n] = s.address() as usize;
        }
    }
    let bytes = |(i, w): (usize, &[usize])| {
        (!refused.contains(&i)).then(|| text.data().unwrap()[w[0]..w[1]].to_vec())
    };
    Some(starts.windows(2).enumerate().map(bytes).collect())
}

fn one(arch: Arch, item: &Item) -> Result<Vec<u8>, String> {
    encode(&Module { arch, ..module(vec![vec![item.clone()]]) })
        .map(|e| e.text)
        .map_err(|p| p[0].message.clone())
}

#[test]
fn bytes_are_those_of_gnu_as() {
    compare_with_gas(Arch::Amd64);
}

#[test]
fn bytes_are_those_of_gnu_as_in_32_bits() {
    compare_with_gas(Arch::Ia32);
}

fn compare_with_gas(arch: Arch) {
    let items = every_form(arch);
    assert!(items.len() > 5_000, "{}", items.len());
    let lines: Vec<String> = items.iter().map(|i| gas_line(arch, i)).collect();
    let mut wrong = Vec::new();
    let Some(expected) = gas(arch, &lines) else { return eprintln!("skipped: `as` is not installed") };
    for ((item, line), expected) in items.iter().zip(lines).zip(expected) {
        let ours = one(arch, item);
        match (&ours, expected) {
            (Ok(ours), Some(theirs)) if *ours == theirs => {}
            // The order of these two prefixes is up to the assembler.
            (Ok(ours), Some(theirs))
                if ours[1] == 0x66 && theirs[..2] == [0x66, ours[0]] && ours[2..] == theirs[2..] => {}
            // `xchg rax, rax` is a `nop` to GNU as; here it stays what was written.
            (Ok(ours), Some(theirs)) if line.starts_with("xchg") && theirs.last() == Some(&0x90) => {
                assert_eq!(decoded(arch, ours).op0_register(), decoded(arch, ours).op1_register());
            }
            (Ok(ours), Some(theirs))
                if ours.len() < theirs.len() && same_meaning(arch, &line, ours, &theirs) => {}
            (Err(_), None) => {}
            (_, expected) => wrong.push(format!("{line}: {ours:x?}, GNU as: {expected:x?}")),
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong[..wrong.len().min(60)].join("\n"));
}

fn decoded(arch: Arch, bytes: &[u8]) -> Instruction {
    Decoder::new(arch.word_bits(), bytes, DecoderOptions::NONE).decode()
}

/// Shorter encodings than GNU as chooses: `mov r32, imm` for a 64-bit register, `[r + r]` for `[2*r]`.
fn same_meaning(arch: Arch, line: &str, ours: &[u8], theirs: &[u8]) -> bool {
    let (ours, theirs) = (decoded(arch, ours), decoded(arch, theirs));
    let constant = |i: &Instruction| Some((i.op0_register().full_register(), i.try_immediate(1).ok()?));
    if ours.mnemonic() == Mnemonic::Mov && theirs.mnemonic() == Mnemonic::Mov && constant(&ours).is_some() {
        return constant(&ours) == constant(&theirs);
    }
    ours.code() == theirs.code() && (line.contains("2*rbx") || line.contains("2*ebx"))
}

/// What can be emitted, the trusted core decodes.
#[test]
fn the_core_decodes_every_form() {
    let mut wrong = Vec::new();
    let both =
        [Arch::Amd64, Arch::Ia32].into_iter().flat_map(|a| every_form(a).into_iter().map(move |i| (a, i)));
    for (arch, item) in both {
        let Ok(bytes) = one(arch, &item) else { continue };
        let name = gas_line(arch, &item);
        match talcore::x86::decode::decode(arch, &bytes, 0x40_0000) {
            Ok(insn) if usize::from(insn.len) == bytes.len() => {}
            other => wrong.push(format!("{name}: {bytes:x?}: {other:?}")),
        }
    }
    assert!(wrong.is_empty(), "{} refused:\n{}", wrong.len(), wrong[..wrong.len().min(60)].join("\n"));
}
