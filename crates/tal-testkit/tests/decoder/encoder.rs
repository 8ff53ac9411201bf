//! The other direction: what iced's encoder emits for the listed instructions is accepted, with the
//! listed exceptions; and it reads and writes what iced says.

use iced_x86::{
    Code, Encoder, EncodingKind, Instruction, InstructionInfoFactory, OpCodeOperandKind as Kind, OpKind,
    Register,
};
use talcore::arch::Arch;
use talcore::x86::decode::decode;
use talcore::x86::insn::{Insn, Op, Rep};
use talcore::x86::table;

use crate::oracle::{IP, Operand, agree, class, effects};

/// Encodings of listed mnemonics that are rejected, each for a reason.
fn rejected(arch: Arch, code: Code) -> Option<&'static str> {
    use Code::*;
    let name = format!("{code:?}");
    Some(match code {
        Pushw_imm8 | Push_imm16 | Push_r16 | Push_rm16 | Pop_r16 | Pop_rm16 | Leavew => {
            "the stack moves by whole words"
        }
        Pushw_ES | Pushw_CS | Pushw_SS | Pushw_DS | Popw_ES | Popw_CS | Popw_SS | Popw_DS => {
            "segment registers"
        }
        Pushw_FS | Pushw_GS | Pushq_FS | Pushq_GS | Popw_FS | Popw_GS | Popq_FS | Popq_GS => {
            "segment registers"
        }
        Call_rel16 | Jmp_rel16 | Jmp_rel8_16 | Call_rm16 | Jmp_rm16 | Retnw | Retnw_imm16 => {
            "a 16-bit branch: the processors disagree"
        }
        Call_m1616 | Call_m1632 | Call_m1664 | Jmp_m1616 | Jmp_m1632 | Jmp_m1664 => "a far branch",
        Pushd_ES | Pushd_CS | Pushd_SS | Pushd_DS | Pushd_FS | Pushd_GS | Popd_ES | Popd_SS | Popd_DS
        | Popd_FS | Popd_GS => "segment registers",
        Mov_r32_cr | Mov_r32_dr | Mov_cr_r32 | Mov_dr_r32 => "privileged",
        _ if name.ends_with("_imm8_82") => "an alias that 64-bit mode has no more",
        Jecxz_rel8_64 | Jecxz_rel8_16 | Jrcxz_rel8_16 => "67 or 66",
        Mov_rm16_Sreg | Mov_r32m16_Sreg | Mov_r64m16_Sreg | Mov_Sreg_rm16 | Mov_Sreg_r32m16
        | Mov_Sreg_r64m16 => "segment registers",
        Mov_r64_cr | Mov_r64_dr | Mov_cr_r64 | Mov_dr_r64 => "privileged",
        Mov_AL_moffs8 | Mov_AX_moffs16 | Mov_EAX_moffs32 | Mov_RAX_moffs64 | Mov_moffs8_AL
        | Mov_moffs16_AX | Mov_moffs32_EAX | Mov_moffs64_RAX => "eight-byte addresses",
        Movzx_r16_rm16 | Movsx_r16_rm16 | Movsxd_r16_rm16 | Movsxd_r32_rm32 => "a mov in disguise",
        Bswap_r16 => "undefined",
        Nop_rm16 | Nop_rm32 | Nop_rm64 | Nopq => "only the nops of assemblers",
        Test_rm8_imm8_F6r1 | Test_rm16_imm16_F7r1 | Test_rm32_imm32_F7r1 | Test_rm64_imm32_F7r1 => {
            "an undocumented alias"
        }
        Int_imm8 if arch == Arch::Amd64 => "traps into the kernel",
        Cmpxchg486_rm8_r8 | Cmpxchg486_rm16_r16 | Cmpxchg486_rm32_r32 => "early 486 only",
        Syscall if arch == Arch::Ia32 => "AMD only; the stub has int 0x80",
        Endbr32 if arch == Arch::Amd64 => "does nothing in 64-bit mode",
        Endbr64 if arch == Arch::Ia32 => "does nothing in 32-bit mode",
        Pextrw_r64_xmm_imm8
        | Pinsrw_xmm_r64m16_imm8
        | Pmovmskb_r64_xmm
        | Movmskps_r64_xmm
        | Movmskpd_r64_xmm => "a REX.W without effect",
        Pextrw_r32m16_xmm_imm8 | Pextrw_r64m16_xmm_imm8 => "SSE4.1",
        Xchg_r16_AX | Xchg_r32_EAX | Xchg_r64_RAX => return None,
        _ if name.starts_with('J') && name.ends_with("_rel16") => "a 16-bit branch",
        _ if name.starts_with('J') && name.ends_with("rel8_16") => "a 16-bit branch",
        // Fences: iced knows the eight encodings that processors do not tell apart.
        _ if name.contains("fence_") && !matches!(code, Lfence | Mfence | Sfence) => "odd fence",
        _ => return None,
    })
}

/// Whether this instance is rejected although its code has accepted instances.
fn rejected_instance(instruction: &Instruction) -> bool {
    use Code::*;
    let memory = (0..instruction.op_count()).any(|i| instruction.op_kind(i) == OpKind::Memory);
    match instruction.code() {
        // The one-byte forms say the same.
        Push_rm64 | Pop_rm64 | Push_rm32 | Pop_rm32 => !memory,
        // Only the kernel's gate on IA-32.
        Int_imm8 => instruction.immediate8() != 0x80,
        // A register bit number reaches anywhere in memory; the others are left out with them.
        Bt_rm16_r16 | Bt_rm32_r32 | Bt_rm64_r64 | Bts_rm16_r16 | Bts_rm32_r32 | Bts_rm64_r64
        | Btr_rm16_r16 | Btr_rm32_r32 | Btr_rm64_r64 | Btc_rm16_r16 | Btc_rm32_r32 | Btc_rm64_r64
        | Bt_rm16_imm8 | Bt_rm32_imm8 | Bt_rm64_imm8 | Bts_rm16_imm8 | Bts_rm32_imm8 | Bts_rm64_imm8
        | Btr_rm16_imm8 | Btr_rm32_imm8 | Btr_rm64_imm8 | Btc_rm16_imm8 | Btc_rm32_imm8 | Btc_rm64_imm8 => {
            memory
        }
        // Copies between registers in the direction of a store.
        Movss_xmmm32_xmm | Movsd_xmmm64_xmm => !memory,
        // `xchg rax, rax`, which is a `nop` with a REX prefix.
        Xchg_r64_RAX => instruction.op0_register() == Register::RAX,
        _ => false,
    }
}

const BYTES: [Register; 9] = {
    use Register::*;
    [AL, CL, BH, AH, SPL, BPL, DIL, R8L, R15L]
};
const WORDS: [Register; 8] = {
    use Register::*;
    [AX, CX, BX, SP, BP, DI, R8W, R13W]
};
const DWORDS: [Register; 8] = {
    use Register::*;
    [EAX, ECX, EBX, ESP, EBP, EDI, R8D, R13D]
};
const QWORDS: [Register; 9] = {
    use Register::*;
    [RAX, RCX, RBX, RSP, RBP, RDI, R8, R12, R13]
};
const VECTORS: [Register; 5] = {
    use Register::*;
    [XMM0, XMM1, XMM7, XMM8, XMM15]
};

/// Whether a register exists on `arch`.
fn exists(arch: Arch, register: Register) -> bool {
    use Register::*;
    let full = register.full_register() as u32 - RAX as u32;
    let new_byte = matches!(register, SPL | BPL | SIL | DIL);
    arch == Arch::Amd64
        || register.is_segment_register()
        || !register.is_gpr() && register.number() < 8
        || register.is_gpr() && full < 8 && !new_byte
}

/// Fills operand `i`; says whether the kind is known.
fn fill(arch: Arch, random: &mut fastrand::Rng, instruction: &mut Instruction, i: u32, kind: Kind) -> bool {
    let any = random.i32(..);
    let register = |random: &mut fastrand::Rng, of: &[Register]| loop {
        let register = of[random.usize(..of.len())];
        if exists(arch, register) {
            return register;
        }
    };
    let from: &[Register] = match kind {
        Kind::r8_reg | Kind::r8_opcode | Kind::r8_or_mem => &BYTES,
        Kind::r16_reg | Kind::r16_rm | Kind::r16_opcode | Kind::r16_or_mem => &WORDS,
        Kind::r32_reg | Kind::r32_rm | Kind::r32_opcode | Kind::r32_or_mem => &DWORDS,
        Kind::r64_reg | Kind::r64_rm | Kind::r64_opcode | Kind::r64_or_mem => &QWORDS,
        Kind::xmm_reg | Kind::xmm_rm | Kind::xmm_or_mem => &VECTORS,
        Kind::al => &[Register::AL],
        Kind::cl => &[Register::CL],
        Kind::ax => &[Register::AX],
        Kind::eax => &[Register::EAX],
        Kind::rax => &[Register::RAX],
        Kind::seg_reg => &[Register::DS],
        Kind::es => &[Register::ES],
        Kind::cs => &[Register::CS],
        Kind::ss => &[Register::SS],
        Kind::ds => &[Register::DS],
        Kind::fs => &[Register::FS],
        Kind::gs => &[Register::GS],
        Kind::cr_reg => &[Register::CR0],
        Kind::dr_reg => &[Register::DR7],
        _ => &[],
    };
    let memory = match kind {
        Kind::mem => true,
        Kind::r8_or_mem | Kind::r16_or_mem | Kind::r32_or_mem | Kind::r64_or_mem | Kind::xmm_or_mem => {
            random.bool()
        }
        _ => false,
    };
    if memory {
        let wide = arch == Arch::Amd64;
        let addresses: &[Register] = if wide { &QWORDS } else { &DWORDS };
        let (base, index) = (register(random, addresses), register(random, addresses));
        let displacement = if random.bool() { any } else { i32::from(random.i8(..)) };
        instruction.set_op_kind(i, OpKind::Memory);
        instruction.set_memory_displ_size(arch.word_bytes());
        // iced wants the bits of an address, not a signed number.
        instruction.set_memory_displacement64(if wide {
            displacement as u64
        } else {
            displacement as u32 as u64
        });
        match random.u8(..5) {
            0 => instruction.set_memory_base(base),
            1 if index.number() != 4 => {
                instruction.set_memory_index(index);
                instruction.set_memory_index_scale(1 << random.u8(..4));
            }
            2 if wide => {
                instruction.set_memory_base(Register::RIP);
                instruction.set_memory_displacement64(IP.wrapping_add_signed(i64::from(any / 2)));
            }
            3 => instruction.set_memory_displ_size(if wide { 8 } else { 4 }),
            _ => {
                instruction.set_memory_base(base);
                if index.number() != 4 {
                    instruction.set_memory_index(index);
                    instruction.set_memory_index_scale(1 << random.u8(..4));
                }
            }
        }
        return true;
    }
    if !from.is_empty() {
        instruction.set_op_kind(i, OpKind::Register);
        instruction.set_op_register(i, register(random, from));
        return true;
    }
    let (op_kind, value) = match kind {
        Kind::imm8 if random.u8(..8) == 0 => (OpKind::Immediate8, 0x80),
        Kind::imm8 => (OpKind::Immediate8, any as u8 as u64),
        Kind::imm8_const_1 => (OpKind::Immediate8, 1),
        Kind::imm8sex16 => (OpKind::Immediate8to16, any as i8 as u64),
        Kind::imm8sex32 => (OpKind::Immediate8to32, any as i8 as u64),
        Kind::imm8sex64 => (OpKind::Immediate8to64, any as i8 as u64),
        Kind::imm16 => (OpKind::Immediate16, any as u16 as u64),
        Kind::imm32 => (OpKind::Immediate32, any as u32 as u64),
        Kind::imm32sex64 => (OpKind::Immediate32to64, any as u64),
        Kind::imm64 => (OpKind::Immediate64, random.u64(..)),
        Kind::br16_1 | Kind::br16_2 => {
            instruction.set_op_kind(i, OpKind::NearBranch16);
            instruction.set_near_branch16(IP as u16);
            return true;
        }
        Kind::br64_1 | Kind::br64_4 => {
            let wide = kind == Kind::br64_4;
            let offset = if wide { i64::from(any / 2) } else { i64::from(any as i8 / 2) };
            instruction.set_op_kind(i, OpKind::NearBranch64);
            instruction.set_near_branch64(IP.wrapping_add_signed(offset));
            return true;
        }
        Kind::br32_1 | Kind::br32_4 => {
            let offset = if kind == Kind::br32_4 { any / 2 } else { i32::from(any as i8 / 2) };
            instruction.set_op_kind(i, OpKind::NearBranch32);
            instruction.set_near_branch32((IP as u32).wrapping_add_signed(offset));
            return true;
        }
        Kind::seg_rSI => {
            let wide = arch == Arch::Amd64;
            instruction.set_op_kind(i, if wide { OpKind::MemorySegRSI } else { OpKind::MemorySegESI });
            return true;
        }
        Kind::es_rDI => {
            let wide = arch == Arch::Amd64;
            instruction.set_op_kind(i, if wide { OpKind::MemoryESRDI } else { OpKind::MemoryESEDI });
            return true;
        }
        Kind::mem_offs => {
            instruction.set_op_kind(i, OpKind::Memory);
            instruction.set_memory_displ_size(arch.word_bytes());
            instruction.set_memory_displacement64(random.u32(..).into());
            return true;
        }
        _ => return false,
    };
    instruction.set_op_kind(i, op_kind);
    instruction.set_immediate_i64(i, value as i64);
    true
}

/// Codes whose operands this test cannot make; none of them is accepted. MMX, far pointers and such.
fn foreign(code: Code) -> bool {
    code.op_code().op_kinds().iter().any(|kind| {
        matches!(
            kind,
            Kind::mm_reg
                | Kind::mm_rm
                | Kind::mm_or_mem
                | Kind::mem_mib
                | Kind::tr_reg
                | Kind::r64_reg_mem
                | Kind::r32_reg_mem
                | Kind::farbr2_2
                | Kind::farbr4_2
        )
    })
}

/// The legacy codes whose mnemonic is on the list.
fn listed_codes(arch: Arch) -> Vec<Code> {
    Code::values()
        .filter(|code| {
            let op_code = code.op_code();
            let vector = op_code
                .op_kinds()
                .iter()
                .any(|kind| matches!(kind, Kind::xmm_reg | Kind::xmm_rm | Kind::xmm_or_mem));
            let operands: &[Operand] = if vector { &[Operand::Xmm(0)] } else { &[] };
            let name = format!("{:?}", code.mnemonic()).to_lowercase();
            op_code.is_instruction()
                && (if arch == Arch::Amd64 { op_code.mode64() } else { op_code.mode32() })
                && op_code.encoding() == EncodingKind::Legacy
                && !foreign(*code)
                && class(&name, operands).is_some()
        })
        .collect()
}

/// Random instances of a code, encoded.
fn encodings(arch: Arch, code: Code, count: usize) -> Vec<(Instruction, Vec<u8>)> {
    let mut random = fastrand::Rng::with_seed(code as u64);
    let mut encoder = Encoder::new(arch.word_bits());
    let mut found = Vec::new();
    for _ in 0..count {
        let mut instruction = Instruction::default();
        instruction.set_code(code);
        let op_code = code.op_code();
        for (i, &kind) in op_code.op_kinds().iter().enumerate() {
            let known = fill(arch, &mut random, &mut instruction, i as u32, kind);
            assert!(known, "{code:?}: operand kind {kind:?}");
        }
        let memory = instruction.op_count() > 0 && instruction.op0_kind() == OpKind::Memory;
        if memory && op_code.can_use_lock_prefix() && random.bool() {
            instruction.set_has_lock_prefix(true);
        }
        if op_code.can_use_rep_prefix() && random.bool() {
            instruction.set_has_rep_prefix(true);
        } else if op_code.can_use_repne_prefix() && random.bool() {
            instruction.set_has_repne_prefix(true);
        }
        if encoder.encode(&instruction, IP).is_ok() {
            found.push((instruction, encoder.take_buffer()));
        }
    }
    found
}

#[test]
fn what_the_encoder_emits_is_accepted() {
    for arch in [Arch::Amd64, Arch::Ia32] {
        accepts_what_the_encoder_emits(arch);
    }
}

fn accepts_what_the_encoder_emits(arch: Arch) {
    let mut rows = vec![0; table::rows().len()];
    let codes = listed_codes(arch);
    assert!(codes.len() > 400, "{}", codes.len());
    for code in codes {
        let encodings = encodings(arch, code, 200);
        assert!(!encodings.is_empty(), "{code:?} was never encoded");
        for (instruction, bytes) in encodings {
            let accepted = agree(arch, &bytes).is_some();
            // `rep lods` is useless, and `rep` before a branch means nothing.
            let odd_rep = (instruction.has_rep_prefix() || instruction.has_repne_prefix())
                && !matches!(decode(arch, &bytes, IP), Ok(Insn { rep: Rep::Rep | Rep::Repne, .. }));
            let expected = rejected(arch, code).is_none() && !rejected_instance(&instruction) && !odd_rep;
            assert_eq!(
                accepted,
                expected,
                "{code:?}: {instruction}: {bytes:02x?}: {:?} ({:?})",
                decode(arch, &bytes, IP),
                rejected(arch, code),
            );
            if let Ok(insn) = decode(arch, &bytes, IP) {
                rows[usize::from(insn.row)] += 1;
            }
        }
    }
    for (row, seen) in table::rows().iter().zip(rows) {
        let long_nop = row.op == Op::Nop && row.opcode == 0x1F;
        assert!(seen > 0 || long_nop || !row.archs.has(arch), "{row:?} is never emitted");
    }
}

/// What each of them reads and writes.
#[test]
fn effects() {
    let mut factory = InstructionInfoFactory::new();
    for arch in [Arch::Amd64, Arch::Ia32] {
        for code in listed_codes(arch) {
            for (_, bytes) in encodings(arch, code, 40) {
                let Ok(insn) = decode(arch, &bytes, IP) else { continue };
                effects::check(&mut factory, arch, &bytes, &insn);
            }
        }
    }
}
