//! Rows of the SSE2 instructions on raw 128-bit data: moves, integer arithmetic, logic, shuffles.
//! Nothing here reads or writes MXCSR, the MMX registers, or memory that no operand names.

use super::super::insn::{Op, Width};
use super::{Forms, Mandatory, ModRm, Pat, Row, Size};

pub(super) const GROUPS: &[&[Row]] = &[
    &MOVES,
    &HALVES,
    &SCALARS,
    &PACKED,
    &WIDE_SHIFTS,
    &SHUFFLES,
    &TO_REGISTERS,
    &shift_group(0x71, ["psrlw", "psraw", "psllw"]),
    &shift_group(0x72, ["psrld", "psrad", "pslld"]),
];

/// A row that writes a vector register.
const fn load(mnemonic: &'static str, manual: &'static str) -> Row {
    Row::new(mnemonic, Op::VecLoad, manual).size(Size::Vector).modrm(ModRm::Slash(Forms::Any)).args(
        Pat::VecReg,
        Pat::VecRm,
        Pat::None,
    )
}

/// A row that writes memory from a vector register.
const fn store(mnemonic: &'static str, manual: &'static str) -> Row {
    Row::new(mnemonic, Op::VecStore, manual).size(Size::Vector).modrm(ModRm::Slash(Forms::Memory)).args(
        Pat::VecRm,
        Pat::VecReg,
        Pat::None,
    )
}

/// A row that copies between vector registers in the direction of a store.
const fn backwards(mnemonic: &'static str, manual: &'static str) -> Row {
    store(mnemonic, manual).op(Op::VecLoad).modrm(ModRm::Slash(Forms::Register))
}

/// A row that writes a general register from a vector register.
const fn to_register(mnemonic: &'static str, manual: &'static str) -> Row {
    Row::new(mnemonic, Op::VecToReg, manual).size(Size::Only4).modrm(ModRm::Slash(Forms::Register)).args(
        Pat::Reg,
        Pat::VecRm,
        Pat::None,
    )
}

impl Row {
    const fn op(mut self, op: Op) -> Row {
        self.op = op;
        self
    }
    const fn p66(self) -> Row {
        self.mandatory(Mandatory::P66)
    }
    const fn f3(self) -> Row {
        self.mandatory(Mandatory::F3)
    }
    const fn f2(self) -> Row {
        self.mandatory(Mandatory::F2)
    }
    const fn memory(self) -> Row {
        self.modrm(ModRm::Slash(Forms::Memory))
    }
    const fn register(self) -> Row {
        self.modrm(ModRm::Slash(Forms::Register))
    }
}

/// Whole registers.
const MOVES: [Row; 18] = [
    load("movups", "MOVUPS").at_0f(0x10),
    store("movups", "MOVUPS").at_0f(0x11),
    backwards("movups", "MOVUPS").at_0f(0x11),
    load("movupd", "MOVUPD").at_0f(0x10).p66(),
    store("movupd", "MOVUPD").at_0f(0x11).p66(),
    backwards("movupd", "MOVUPD").at_0f(0x11).p66(),
    load("movaps", "MOVAPS").at_0f(0x28).aligned(),
    store("movaps", "MOVAPS").at_0f(0x29).aligned(),
    backwards("movaps", "MOVAPS").at_0f(0x29),
    load("movapd", "MOVAPD").at_0f(0x28).p66().aligned(),
    store("movapd", "MOVAPD").at_0f(0x29).p66().aligned(),
    backwards("movapd", "MOVAPD").at_0f(0x29).p66(),
    load("movdqa", "MOVDQA").at_0f(0x6F).p66().aligned(),
    store("movdqa", "MOVDQA").at_0f(0x7F).p66().aligned(),
    backwards("movdqa", "MOVDQA").at_0f(0x7F).p66(),
    load("movdqu", "MOVDQU").at_0f(0x6F).f3(),
    store("movdqu", "MOVDQU").at_0f(0x7F).f3(),
    backwards("movdqu", "MOVDQU").at_0f(0x7F).f3(),
];

/// One half of a register.
const HALVES: [Row; 10] = [
    load("movlps", "MOVLPS").at_0f(0x12).memory().source(Width::B8),
    load("movhlps", "MOVHLPS").at_0f(0x12).register(),
    store("movlps", "MOVLPS").at_0f(0x13).source(Width::B8),
    load("movhps", "MOVHPS").at_0f(0x16).memory().source(Width::B8),
    load("movlhps", "MOVLHPS").at_0f(0x16).register(),
    store("movhps", "MOVHPS").at_0f(0x17).source(Width::B8),
    load("movlpd", "MOVLPD").at_0f(0x12).p66().memory().source(Width::B8),
    store("movlpd", "MOVLPD").at_0f(0x13).p66().source(Width::B8),
    load("movhpd", "MOVHPD").at_0f(0x16).p66().memory().source(Width::B8),
    store("movhpd", "MOVHPD").at_0f(0x17).p66().source(Width::B8),
];

/// The lowest 4 or 8 bytes of a register.
const SCALARS: [Row; 9] = [
    load("movss", "MOVSS").at_0f(0x10).f3().source(Width::B4),
    store("movss", "MOVSS").at_0f(0x11).f3().source(Width::B4),
    load("movsd", "MOVSD").at_0f(0x10).f2().source(Width::B8),
    store("movsd", "MOVSD").at_0f(0x11).f2().source(Width::B8),
    load("movd/movq", "MOVD/MOVQ").at_0f(0x6E).p66().size(Size::VectorDword).args(
        Pat::VecReg,
        Pat::Rm,
        Pat::None,
    ),
    store("movd/movq", "MOVD/MOVQ").at_0f(0x7E).p66().size(Size::VectorDword).args(
        Pat::Rm,
        Pat::VecReg,
        Pat::None,
    ),
    load("movq", "MOVQ").at_0f(0x7E).f3().source(Width::B8),
    store("movq", "MOVQ").at_0f(0xD6).p66().source(Width::B8),
    backwards("movq", "MOVQ").at_0f(0xD6).p66().source(Width::B8),
];

/// `xmm, xmm/m128` with prefix 66: the memory operand must be aligned.
const fn packed(opcode: u8, mnemonic: &'static str, manual: &'static str) -> Row {
    load(mnemonic, manual).at_0f(opcode).p66().aligned()
}

/// The same without a prefix.
const fn packed_ps(opcode: u8, mnemonic: &'static str, manual: &'static str) -> Row {
    load(mnemonic, manual).at_0f(opcode).aligned()
}

const PACKED: [Row; 71] = [
    packed_ps(0x14, "unpcklps", "UNPCKLPS"),
    packed_ps(0x15, "unpckhps", "UNPCKHPS"),
    packed(0x14, "unpcklpd", "UNPCKLPD"),
    packed(0x15, "unpckhpd", "UNPCKHPD"),
    packed_ps(0x54, "andps", "ANDPS"),
    packed_ps(0x55, "andnps", "ANDNPS"),
    packed_ps(0x56, "orps", "ORPS"),
    packed_ps(0x57, "xorps", "XORPS"),
    packed(0x54, "andpd", "ANDPD"),
    packed(0x55, "andnpd", "ANDNPD"),
    packed(0x56, "orpd", "ORPD"),
    packed(0x57, "xorpd", "XORPD"),
    packed(0x60, "punpcklbw", "PUNPCKLBW/PUNPCKLWD/PUNPCKLDQ/PUNPCKLQDQ"),
    packed(0x61, "punpcklwd", "PUNPCKLBW/PUNPCKLWD/PUNPCKLDQ/PUNPCKLQDQ"),
    packed(0x62, "punpckldq", "PUNPCKLBW/PUNPCKLWD/PUNPCKLDQ/PUNPCKLQDQ"),
    packed(0x63, "packsswb", "PACKSSWB/PACKSSDW"),
    packed(0x64, "pcmpgtb", "PCMPGTB/PCMPGTW/PCMPGTD"),
    packed(0x65, "pcmpgtw", "PCMPGTB/PCMPGTW/PCMPGTD"),
    packed(0x66, "pcmpgtd", "PCMPGTB/PCMPGTW/PCMPGTD"),
    packed(0x67, "packuswb", "PACKUSWB"),
    packed(0x68, "punpckhbw", "PUNPCKHBW/PUNPCKHWD/PUNPCKHDQ/PUNPCKHQDQ"),
    packed(0x69, "punpckhwd", "PUNPCKHBW/PUNPCKHWD/PUNPCKHDQ/PUNPCKHQDQ"),
    packed(0x6A, "punpckhdq", "PUNPCKHBW/PUNPCKHWD/PUNPCKHDQ/PUNPCKHQDQ"),
    packed(0x6B, "packssdw", "PACKSSWB/PACKSSDW"),
    packed(0x6C, "punpcklqdq", "PUNPCKLBW/PUNPCKLWD/PUNPCKLDQ/PUNPCKLQDQ"),
    packed(0x6D, "punpckhqdq", "PUNPCKHBW/PUNPCKHWD/PUNPCKHDQ/PUNPCKHQDQ"),
    packed(0x74, "pcmpeqb", "PCMPEQB/PCMPEQW/PCMPEQD"),
    packed(0x75, "pcmpeqw", "PCMPEQB/PCMPEQW/PCMPEQD"),
    packed(0x76, "pcmpeqd", "PCMPEQB/PCMPEQW/PCMPEQD"),
    packed(0xD1, "psrlw", "PSRLW/PSRLD/PSRLQ"),
    packed(0xD2, "psrld", "PSRLW/PSRLD/PSRLQ"),
    packed(0xD3, "psrlq", "PSRLW/PSRLD/PSRLQ"),
    packed(0xD4, "paddq", "PADDB/PADDW/PADDD/PADDQ"),
    packed(0xD5, "pmullw", "PMULLW"),
    packed(0xD8, "psubusb", "PSUBUSB/PSUBUSW"),
    packed(0xD9, "psubusw", "PSUBUSB/PSUBUSW"),
    packed(0xDA, "pminub", "PMINUB/PMINUW"),
    packed(0xDB, "pand", "PAND"),
    packed(0xDC, "paddusb", "PADDUSB/PADDUSW"),
    packed(0xDD, "paddusw", "PADDUSB/PADDUSW"),
    packed(0xDE, "pmaxub", "PMAXUB/PMAXUW"),
    packed(0xDF, "pandn", "PANDN"),
    packed(0xE0, "pavgb", "PAVGB/PAVGW"),
    packed(0xE1, "psraw", "PSRAW/PSRAD/PSRAQ"),
    packed(0xE2, "psrad", "PSRAW/PSRAD/PSRAQ"),
    packed(0xE3, "pavgw", "PAVGB/PAVGW"),
    packed(0xE4, "pmulhuw", "PMULHUW"),
    packed(0xE5, "pmulhw", "PMULHW"),
    packed(0xE8, "psubsb", "PSUBSB/PSUBSW"),
    packed(0xE9, "psubsw", "PSUBSB/PSUBSW"),
    packed(0xEA, "pminsw", "PMINSB/PMINSW"),
    packed(0xEB, "por", "POR"),
    packed(0xEC, "paddsb", "PADDSB/PADDSW"),
    packed(0xED, "paddsw", "PADDSB/PADDSW"),
    packed(0xEE, "pmaxsw", "PMAXSB/PMAXSW/PMAXSD/PMAXSQ"),
    packed(0xEF, "pxor", "PXOR"),
    packed(0xF1, "psllw", "PSLLW/PSLLD/PSLLQ"),
    packed(0xF2, "pslld", "PSLLW/PSLLD/PSLLQ"),
    packed(0xF3, "psllq", "PSLLW/PSLLD/PSLLQ"),
    packed(0xF4, "pmuludq", "PMULUDQ"),
    packed(0xF5, "pmaddwd", "PMADDWD"),
    packed(0xF6, "psadbw", "PSADBW"),
    packed(0xF8, "psubb", "PSUBB/PSUBW/PSUBD"),
    packed(0xF9, "psubw", "PSUBB/PSUBW/PSUBD"),
    packed(0xFA, "psubd", "PSUBB/PSUBW/PSUBD"),
    packed(0xFB, "psubq", "PSUBQ"),
    packed(0xFC, "paddb", "PADDB/PADDW/PADDD/PADDQ"),
    packed(0xFD, "paddw", "PADDB/PADDW/PADDD/PADDQ"),
    packed(0xFE, "paddd", "PADDB/PADDW/PADDD/PADDQ"),
    packed(0xC6, "shufpd", "SHUFPD").args(Pat::VecReg, Pat::VecRm, Pat::Uimm8),
    packed_ps(0xC6, "shufps", "SHUFPS").args(Pat::VecReg, Pat::VecRm, Pat::Uimm8),
];

/// A shift of a vector register by a constant.
const fn shift(opcode: u8, digit: u8, mnemonic: &'static str, manual: &'static str) -> Row {
    load(mnemonic, manual).at_0f(opcode).p66().modrm(ModRm::Digit(digit, Forms::Register)).args(
        Pat::VecRm,
        Pat::Uimm8,
        Pat::None,
    )
}

const fn shift_group(opcode: u8, mnemonics: [&'static str; 3]) -> [Row; 3] {
    let [right, signed, left] = mnemonics;
    [
        shift(opcode, 2, right, "PSRLW/PSRLD/PSRLQ"),
        shift(opcode, 4, signed, "PSRAW/PSRAD/PSRAQ"),
        shift(opcode, 6, left, "PSLLW/PSLLD/PSLLQ"),
    ]
}

const WIDE_SHIFTS: [Row; 4] = [
    shift(0x73, 2, "psrlq", "PSRLW/PSRLD/PSRLQ"),
    shift(0x73, 3, "psrldq", "PSRLDQ"),
    shift(0x73, 6, "psllq", "PSLLW/PSLLD/PSLLQ"),
    shift(0x73, 7, "pslldq", "PSLLDQ"),
];

const SHUFFLES: [Row; 4] = [
    load("pshufd", "PSHUFD").at_0f(0x70).p66().aligned().args(Pat::VecReg, Pat::VecRm, Pat::Uimm8),
    load("pshufhw", "PSHUFHW").at_0f(0x70).f3().aligned().args(Pat::VecReg, Pat::VecRm, Pat::Uimm8),
    load("pshuflw", "PSHUFLW").at_0f(0x70).f2().aligned().args(Pat::VecReg, Pat::VecRm, Pat::Uimm8),
    load("pinsrw", "PINSRW").at_0f(0xC4).p66().source(Width::B2).args(Pat::VecReg, Pat::Rm, Pat::Uimm8),
];

const TO_REGISTERS: [Row; 5] = [
    to_register("movd/movq", "MOVD/MOVQ").at_0f(0x7E).p66().size(Size::Dword).args(
        Pat::Rm,
        Pat::VecReg,
        Pat::None,
    ),
    to_register("pextrw", "PEXTRW").at_0f(0xC5).p66().args(Pat::Reg, Pat::VecRm, Pat::Uimm8),
    to_register("pmovmskb", "PMOVMSKB").at_0f(0xD7).p66(),
    to_register("movmskps", "MOVMSKPS").at_0f(0x50),
    to_register("movmskpd", "MOVMSKPD").at_0f(0x50).p66(),
];
