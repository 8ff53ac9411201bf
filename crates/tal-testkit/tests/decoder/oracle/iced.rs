//! The reading of iced-x86.

use iced_x86::{Decoder, DecoderOptions, Instruction, OpKind, Register};
use talcore::arch::Arch;
use talcore::x86::insn::{Insn, Op, Rep};
use talcore::x86::table;

use super::{IP, Operand, Reading, class, immediate_mask, implied};

/// Asserts that iced reads the same.
pub(crate) fn check(arch: Arch, used: &[u8], bytes: &[u8], insn: &Insn, ours: &Reading) {
    let decoded = Decoder::with_ip(arch.word_bits(), bytes, IP, DecoderOptions::NONE).decode();
    assert!(!decoded.is_invalid(), "iced: invalid: {used:02x?} {ours:?}");
    let reading = read(&decoded, insn, ours.op);
    assert!(
        agrees(&reading, ours),
        "iced disagrees on {used:02x?} ({decoded})\n  iced {reading:?}\n  ours {ours:?}"
    );
    if implied(ours.op) && ours.op != Op::Nop {
        assert_eq!(width(&decoded, ours.op), insn.width.bytes(), "width of {used:02x?} {decoded}");
    }
}

fn agrees(iced: &Reading, ours: &Reading) -> bool {
    iced.len == ours.len
        && iced.op == ours.op
        && iced.cond == ours.cond
        && iced.lock == ours.lock
        && iced.rep == ours.rep
        && iced.operands == ours.operands
        && iced.memory == ours.memory
        && (ours.cond.is_some() || same_name(&iced.name, ours))
}

/// String instructions have their width in iced's name; `int 0x80` its operand in ours.
fn same_name(iced: &str, ours: &Reading) -> bool {
    match ours.op {
        Op::Movs | Op::Stos | Op::Lods | Op::Cmps | Op::Scas => iced.starts_with(&ours.name),
        Op::Syscall => ours.name.starts_with(iced),
        _ => iced == ours.name,
    }
}

/// The operand width of an instruction whose operands are implied.
fn width(decoded: &Instruction, op: Op) -> u32 {
    let name = format!("{:?}", decoded.mnemonic()).to_lowercase();
    match op {
        Op::Movs | Op::Stos | Op::Lods | Op::Cmps | Op::Scas => match name.as_bytes()[4] {
            b'b' => 1,
            b'w' => 2,
            b'd' => 4,
            _ => 8,
        },
        Op::Cbw | Op::Cwd => match &name[..] {
            "cbw" | "cwd" => 2,
            "cwde" | "cdq" => 4,
            _ => 8,
        },
        _ => word(decoded),
    }
}

/// The machine word in which it was decoded.
fn word(decoded: &Instruction) -> u32 {
    if decoded.code_size() == iced_x86::CodeSize::Code64 { 8 } else { 4 }
}

/// Number and kind of a register.
pub(crate) fn register(reg: Register) -> Operand {
    if reg.is_xmm() {
        return Operand::Xmm(reg.number() as u8);
    }
    assert!(reg.is_gpr(), "register {reg:?}");
    match reg {
        Register::AH => Operand::High(0),
        Register::CH => Operand::High(1),
        Register::DH => Operand::High(2),
        Register::BH => Operand::High(3),
        _ => Operand::General((reg.full_register() as u32 - Register::RAX as u32) as u8, reg.size() as u32),
    }
}

fn number(reg: Register) -> Option<u8> {
    match reg {
        Register::None | Register::RIP | Register::EIP => None,
        reg => match register(reg) {
            Operand::General(number, 8 | 4) => Some(number),
            other => panic!("address register {other:?}"),
        },
    }
}

fn read(decoded: &Instruction, insn: &Insn, op: Op) -> Reading {
    let row = table::row(insn.row).unwrap();
    let mut operands = Vec::new();
    let mut memory = None;
    for i in 0..decoded.op_count() {
        operands.push(match decoded.op_kind(i) {
            OpKind::Register => match register(decoded.op_register(i)) {
                // `pinsrw` reads the low word of what is written as a 4-byte register.
                Operand::General(number, 4) if row.mnemonic == "pinsrw" => Operand::General(number, 2),
                operand => operand,
            },
            OpKind::NearBranch64 | OpKind::NearBranch32 => Operand::Rel(decoded.near_branch_target()),
            OpKind::Memory => {
                if op != Op::Lea {
                    memory = Some(decoded.memory_size().size() as u32);
                }
                let rip = decoded.is_ip_rel_memory_operand();
                let index = number(decoded.memory_index());
                let scale = if index.is_some() { decoded.memory_index_scale() as u8 } else { 0 };
                let mut disp = decoded.memory_displacement64() as i64;
                if decoded.code_size() == iced_x86::CodeSize::Code32 {
                    disp = disp as i32 as i64;
                }
                Operand::Mem(number(decoded.memory_base()), index, scale, disp, rip)
            }
            OpKind::FarBranch16 | OpKind::FarBranch32 | OpKind::NearBranch16 => panic!("branch"),
            kind if implied(op) => {
                let string = matches!(op, Op::Movs | Op::Stos | Op::Lods | Op::Cmps | Op::Scas);
                assert!(string || kind == OpKind::Immediate8, "{kind:?}");
                continue;
            }
            _ => Operand::Imm(decoded.immediate(i) as i64 & immediate_mask(insn, row)),
        });
    }
    let name = format!("{:?}", decoded.mnemonic()).to_lowercase();
    let (class, cond) = class(&name, &operands)
        .unwrap_or_else(|| panic!("{name} must not be accepted, but row {row:?} does"));
    assert_eq!(decoded.segment_prefix() == Register::None, op != Op::Nop || decoded.len() < 10);
    Reading {
        len: decoded.len(),
        op: class,
        cond,
        name,
        lock: decoded.has_lock_prefix(),
        rep: match (decoded.has_rep_prefix(), decoded.has_repne_prefix()) {
            (true, false) => Rep::Rep,
            (false, true) => Rep::Repne,
            (false, false) => Rep::No,
            (true, true) => panic!("both repeat prefixes"),
        },
        operands: if implied(op) { Vec::new() } else { operands },
        memory: if implied(op) { None } else { memory },
    }
}
