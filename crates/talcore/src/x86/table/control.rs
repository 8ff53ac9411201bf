//! Rows of the stack, calls, jumps, conditions and what is left: fences, traps, flags, `nop`.

use super::super::insn::Op;
use super::{Archs, Forms, Mandatory, ModRm, Pat, Regs, Row, Size, Span};

pub(super) const GROUPS: &[&[Row]] = &[&STACK, &JUMPS, &CONDITIONAL, &TRAPS, &NOPS, &FENCES, &FLAGS];

/// The flags that some condition reads.
const CONDITIONS: &str = "OSZPC";

impl Row {
    /// At the machine word, where neither `66` nor REX.W may stand.
    const fn word(self) -> Row {
        self.size(Size::Word)
    }
    const fn arg(self, arg: Pat) -> Row {
        self.args(arg, Pat::None, Pat::None)
    }
    const fn stack(self) -> Row {
        self.word().implicit(Regs::SP, Regs::SP)
    }
}

const PUSH: Row = Row::new("push", Op::Push, "PUSH").stack();
const POP: Row = Row::new("pop", Op::Pop, "POP").stack();

const STACK: [Row; 7] = [
    PUSH.at(0x50).span(Span::Register).arg(Pat::Low),
    PUSH.at(0x68).arg(Pat::Imm),
    PUSH.at(0x6A).arg(Pat::Imm8),
    PUSH.at(0xFF).modrm(ModRm::Digit(6, Forms::Memory)).arg(Pat::Rm),
    POP.at(0x58).span(Span::Register).arg(Pat::Low),
    POP.at(0x8F).modrm(ModRm::Digit(0, Forms::Memory)).arg(Pat::Rm),
    Row::new("leave", Op::Leave, "LEAVE").word().at(0xC9).implicit(Regs::BP, Regs::SP.and(Regs::BP)),
];

const JUMPS: [Row; 7] = [
    Row::new("call", Op::Call, "CALL").stack().at(0xE8).arg(Pat::Rel32),
    Row::new("call", Op::CallInd, "CALL").stack().at(0xFF).modrm(ModRm::Digit(2, Forms::Any)).arg(Pat::Rm),
    Row::new("jmp", Op::Jmp, "JMP").word().at(0xE9).arg(Pat::Rel32),
    Row::new("jmp", Op::Jmp, "JMP").word().at(0xEB).arg(Pat::Rel8),
    Row::new("jmp", Op::JmpInd, "JMP").word().at(0xFF).modrm(ModRm::Digit(4, Forms::Any)).arg(Pat::Rm),
    Row::new("ret", Op::Ret, "RET").stack().at(0xC3),
    Row::new("ret", Op::RetImm, "RET").stack().at(0xC2).arg(Pat::Uimm16),
];

const JCC: Row = Row::new("jcc", Op::Jcc, "Jcc").word().span(Span::Condition).reads_flags(CONDITIONS);
const JCXZ: Row =
    Row::new("jrcxz", Op::Jcxz, "Jcc").word().at(0xE3).arg(Pat::Rel8).implicit(Regs::CX, Regs::NONE);

const CONDITIONAL: [Row; 6] = [
    JCC.at(0x70).arg(Pat::Rel8),
    JCC.at_0f(0x80).arg(Pat::Rel32),
    JCXZ.only(Archs::Amd64),
    Row { mnemonic: "jecxz", ..JCXZ }.only(Archs::Ia32),
    Row::new("setcc", Op::Setcc, "SETcc")
        .byte()
        .at_0f(0x90)
        .span(Span::Condition)
        .modrm(ModRm::Digit(0, Forms::Any))
        .arg(Pat::Rm)
        .reads_flags(CONDITIONS),
    Row::new("cmovcc", Op::Cmovcc, "CMOVcc")
        .at_0f(0x40)
        .span(Span::Condition)
        .reg_rm()
        .reads_flags(CONDITIONS),
];

/// The system calls are rows only so that the stub can be read; the rules reject them elsewhere.
const TRAPS: [Row; 4] = [
    Row::new("ud2", Op::Ud2, "UD").word().at_0f(0x0B),
    Row::new("int3", Op::Int3, "INT n/INTO/INT3/INT1").word().at(0xCC),
    Row::new("syscall", Op::Syscall, "SYSCALL")
        .word()
        .at_0f(0x05)
        .implicit(Regs::NONE, Regs::CX.and(Regs::R11))
        .only(Archs::Amd64),
    Row::new("int 0x80", Op::Syscall, "INT n/INTO/INT3/INT1")
        .word()
        .at(0xCD)
        .modrm(ModRm::Byte(0x80))
        .only(Archs::Ia32),
];

/// The long `nop` is only accepted as one of the byte strings that assemblers emit.
const NOPS: [Row; 5] = [
    Row::new("nop", Op::Nop, "NOP").word().at(0x90),
    Row::new("nop", Op::Nop, "NOP").at_0f(0x1F).modrm(ModRm::Digit(0, Forms::Memory)).arg(Pat::Rm),
    Row::new("pause", Op::Pause, "PAUSE").word().mandatory(Mandatory::F3).at(0x90),
    Row::new("endbr64", Op::Endbr, "ENDBR64")
        .word()
        .mandatory(Mandatory::F3)
        .at_0f(0x1E)
        .modrm(ModRm::Byte(0xFA))
        .only(Archs::Amd64),
    Row::new("endbr32", Op::Endbr, "ENDBR32")
        .word()
        .mandatory(Mandatory::F3)
        .at_0f(0x1E)
        .modrm(ModRm::Byte(0xFB))
        .only(Archs::Ia32),
];

const FENCES: [Row; 4] = [
    Row::new("lfence", Op::Fence, "LFENCE").word().at_0f(0xAE).modrm(ModRm::Byte(0xE8)),
    Row::new("mfence", Op::Fence, "MFENCE").word().at_0f(0xAE).modrm(ModRm::Byte(0xF0)),
    Row::new("sfence", Op::Fence, "SFENCE").word().at_0f(0xAE).modrm(ModRm::Byte(0xF8)),
    Row::new("rdtsc", Op::Rdtsc, "RDTSC").word().at_0f(0x31).implicit(Regs::NONE, Regs::AX.and(Regs::DX)),
];

const FLAGS: [Row; 4] = [
    Row::new("cmc", Op::Carry, "CMC").word().at(0xF5).reads_flags("C").flags("C", ""),
    Row::new("clc", Op::Carry, "CLC").word().at(0xF8).flags("C", ""),
    Row::new("stc", Op::Carry, "STC").word().at(0xF9).flags("C", ""),
    Row::new("cld", Op::Cld, "CLD").word().at(0xFC).flags("D", ""),
];
