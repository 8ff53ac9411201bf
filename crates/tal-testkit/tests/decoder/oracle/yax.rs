//! The reading of yaxpeax-x86.

use talcore::arch::Arch;
use talcore::x86::insn::{Insn, Op, Rep};
use talcore::x86::table;

use super::{IP, Operand, Reading, class, effects, immediate_mask, implied};

/// Asserts that yaxpeax reads the same.
pub(crate) fn check(arch: Arch, used: &[u8], insn: &Insn, ours: &Reading) {
    let reading = match arch {
        Arch::Amd64 => long::read(used, insn, ours.op),
        Arch::Ia32 => protected::read(used, insn, ours.op),
    };
    let Some((mut reading, text)) = reading else { panic!("yaxpeax: invalid: {used:02x?} {ours:?}") };
    correct(arch, used, &mut reading);
    assert!(
        agrees(&reading, ours),
        "yaxpeax disagrees on {used:02x?} ({text})\n  yax  {reading:?}\n  ours {ours:?}"
    );
}

fn agrees(yax: &Reading, ours: &Reading) -> bool {
    yax.len == ours.len
        && yax.op == ours.op
        && yax.cond == ours.cond
        && yax.lock == ours.lock
        && yax.rep == ours.rep
        && yax.operands == ours.operands
        && (yax.memory.is_none() || ours.memory.is_none() || yax.memory == ours.memory)
        && (ours.cond.is_some() || yax.name == ours.name || other_name(&yax.name, ours))
}

/// Where yaxpeax chooses another name for the same.
fn other_name(yax: &str, ours: &Reading) -> bool {
    match ours.op {
        Op::Ret | Op::RetImm => yax == "return",
        Op::Syscall => ours.name.starts_with(yax),
        _ => false,
    }
}

/// The known mistakes of yaxpeax-x86 2.2, each corrected for exactly these bytes. In all of them
/// iced-x86, GNU objdump and LLVM read what the Intel SDM says, and we follow.
fn correct(arch: Arch, used: &[u8], reading: &mut Reading) {
    match used {
        // `int3` is named `int 3`, which is another instruction (CD 03).
        [0xCC] => {
            reading.op = Op::Int3;
            reading.name = "int3".into();
        }
        // `pause` is named `nop`.
        [0xF3, 0x90] => {
            reading.op = Op::Pause;
            reading.name = "pause".into();
        }
        _ => {}
    }
    let prefixes = used.iter().take_while(|&&byte| byte == 0x66 || byte & 0xF0 == 0x40).count();
    let (prefixes, opcode) = used.split_at(prefixes);
    // The accumulator is named first. The order means nothing.
    if matches!(opcode, [0x90..=0x97]) {
        reading.operands.reverse();
    }
    // In 64-bit mode and without REX.W, these are read with 8-byte operands.
    let wide = prefixes.iter().any(|byte| byte & 0xF8 == 0x48);
    let narrow = match opcode {
        [0x0F, 0xC8..=0xCF] | [0x0F, 0xBA, ..] => !prefixes.contains(&0x66),
        [0x0F, 0x6E, ..] => prefixes.contains(&0x66),
        _ => false,
    };
    if arch == Arch::Amd64 && narrow && !wide {
        for operand in &mut reading.operands {
            if let Operand::General(_, width) = operand {
                assert_eq!(*width, 8, "yaxpeax has been mended: remove this correction");
                *width = 4;
            }
        }
        reading.memory = None;
        if reading.name == "movq" {
            reading.name = "movd".into();
        }
    }
}

macro_rules! mode {
    ($name:ident, $path:ident, $bits:literal, { $($special:item)* }) => {
        mod $name {
            use super::*;
            use yaxpeax_x86::$path::behavior::InstBehavior;
            use yaxpeax_x86::$path::{InstDecoder, Operand as Other, RegSpec, register_class};

            fn register(reg: RegSpec) -> Operand {
                let (class, num) = (reg.class(), reg.num());
                match class {
                    register_class::B if num >= 4 => Operand::High(num - 4),
                    register_class::B => Operand::General(num, 1),
                    class if class == SPECIAL_BYTE => Operand::General(num, 1),
                    register_class::W => Operand::General(num, 2),
                    register_class::D => Operand::General(num, 4),
                    register_class::X => Operand::Xmm(num),
                    class if class == WORD => Operand::General(num, $bits / 8),
                    _ => panic!("register {reg:?}"),
                }
            }

            $($special)*

            /// A base register (perhaps the instruction pointer) and a displacement.
            fn base_only(base: RegSpec, disp: i32, next: i64) -> Operand {
                if base == INSTRUCTION_POINTER {
                    Operand::Mem(None, None, 0, next + disp as i64, true)
                } else {
                    Operand::Mem(number(base), None, 0, disp as i64, false)
                }
            }

            fn number(reg: RegSpec) -> Option<u8> {
                match register(reg) {
                    Operand::General(number, width) if width * 8 == $bits => Some(number),
                    other => panic!("address register {other:?}"),
                }
            }

            /// Asserts that an operand is written if the class says so, and read if it says so. (Of `mov` to memory
            /// and its like yaxpeax says that they read it too.)
            fn used(behavior: &InstBehavior<'_>, i: u8, insn: &Insn) {
                let (Some(theirs), false) = (behavior.operand_access(i), implied(insn.op)) else { return };
                let ours = effects::operand(insn, i.into());
                if !theirs.is_read() && !theirs.is_write() || insn.op == Op::Lea && i == 1 {
                    return;
                }
                let same = theirs.is_write() == ours.written
                    && (theirs.is_read() || !ours.read || effects::reads_vary(insn, i.into()));
                assert!(same, "yaxpeax: operand {i} of {insn:?}: {theirs:?}, ours {ours:?}");
            }

            pub(super) fn read(bytes: &[u8], insn: &Insn, op: Op) -> Option<(Reading, String)> {
                let decoded = InstDecoder::default().decode_slice(bytes).ok()?;
                // Its length: it needs all of these bytes.
                let len = bytes.len();
                assert!(InstDecoder::default().decode_slice(&bytes[..len - 1]).is_err(), "{bytes:02x?}");
                let row = table::row(insn.row).unwrap();
                let next = IP as i64 + len as i64;
                let relative = matches!(op, Op::Jcc | Op::Jmp | Op::Call | Op::Jcxz);
                let mut operands = Vec::new();
                for i in 0..decoded.operand_count() {
                    let operand = decoded.operand(i);
                    used(&decoded.behavior(), i, insn);
                    let imm = match operand {
                        Other::ImmediateI8 { imm } => Some(imm as i64),
                        Other::ImmediateU8 { imm } => Some(imm as i64),
                        Other::ImmediateI16 { imm } => Some(imm as i64),
                        Other::ImmediateU16 { imm } => Some(imm as i64),
                        Other::ImmediateI32 { imm } => Some(imm as i64),
                        Other::ImmediateU32 { imm } => Some(imm as i64),
                        _ => wide(&operand),
                    };
                    if let Some(imm) = imm {
                        operands.push(if relative {
                            let target = (next + imm) as u64;
                            Operand::Rel(if $bits == 32 { target & 0xFFFF_FFFF } else { target })
                        } else {
                            Operand::Imm(imm & immediate_mask(insn, row))
                        });
                        continue;
                    }
                    let memory = |base, index, scale, disp| Operand::Mem(base, index, scale, disp, false);
                    operands.push(match operand {
                        Other::Nothing => break,
                        Other::Register { reg } => match register(reg) {
                            Operand::General(number, 4) if row.mnemonic == "pinsrw" => {
                                Operand::General(number, 2)
                            }
                            operand => operand,
                        },
                        Other::AbsoluteU32 { addr } => memory(None, None, 0, addr as i32 as i64),
                        Other::MemDeref { base } => base_only(base, 0, next),
                        Other::Disp { base, disp } => base_only(base, disp, next),
                        Other::MemIndexScale { index, scale } => memory(None, number(index), scale, 0),
                        Other::MemIndexScaleDisp { index, scale, disp } => {
                            memory(None, number(index), scale, disp as i64)
                        }
                        Other::MemBaseIndexScale { base, index, scale } => {
                            memory(number(base), number(index), scale, 0)
                        }
                        Other::MemBaseIndexScaleDisp { base, index, scale, disp } => {
                            memory(number(base), number(index), scale, disp as i64)
                        }
                        other => panic!("operand {other:?}"),
                    });
                }
                let name = format!("{:?}", decoded.opcode()).to_lowercase();
                let prefixes = decoded.prefixes;
                let string = matches!(op, Op::Movs | Op::Stos | Op::Lods | Op::Cmps | Op::Scas);
                let (class, cond) = class(&name, &operands)
                    .unwrap_or_else(|| panic!("{name} must not be accepted, but row {row:?} does"));
                let reading = Reading {
                    len,
                    op: class,
                    cond,
                    name,
                    lock: prefixes.lock(),
                    rep: match (string && prefixes.rep(), string && prefixes.repnz()) {
                        (true, _) => Rep::Rep,
                        (_, true) => Rep::Repne,
                        _ => Rep::No,
                    },
                    operands: if implied(op) { Vec::new() } else { operands },
                    memory: decoded.mem_size().and_then(|size| size.bytes_size()).map(u32::from),
                };
                Some((reading, decoded.to_string()))
            }
        }
    };
}

mode!(long, long_mode, 64, {
    const SPECIAL_BYTE: yaxpeax_x86::long_mode::RegisterClass = register_class::RB;
    const WORD: yaxpeax_x86::long_mode::RegisterClass = register_class::Q;
    const INSTRUCTION_POINTER: RegSpec = RegSpec::RIP;

    fn wide(operand: &Other) -> Option<i64> {
        match *operand {
            Other::ImmediateI64 { imm } => Some(imm),
            Other::ImmediateU64 { imm } => Some(imm as i64),
            _ => None,
        }
    }
});

mode!(protected, protected_mode, 32, {
    const SPECIAL_BYTE: yaxpeax_x86::protected_mode::RegisterClass = register_class::B;
    const WORD: yaxpeax_x86::protected_mode::RegisterClass = register_class::D;
    const INSTRUCTION_POINTER: RegSpec = RegSpec::EIP;

    fn wide(_: &Other) -> Option<i64> {
        None
    }
});
