//! Rows of moves, arithmetic, logic, shifts, bits: everything on general registers.

use super::super::insn::{Op, Width};
use super::{Archs, Forms, Mandatory, ModRm, Pat, Regs, Row, Size, Span};

const ANY: Forms = Forms::Any;
const ARITH: &str = "OSZAPC";

pub(super) const GROUPS: &[&[Row]] = &[
    &MOVES,
    &EXTENSIONS,
    &binary(0, Row::new("add", Op::Add, "ADD").flags(ARITH, "").lock()),
    &binary(1, Row::new("or", Op::Or, "OR").flags("OSZPC", "A").lock()),
    &binary(2, Row::new("adc", Op::Adc, "ADC").flags(ARITH, "").reads_flags("C").lock()),
    &binary(3, Row::new("sbb", Op::Sbb, "SBB").flags(ARITH, "").reads_flags("C").lock()),
    &binary(4, Row::new("and", Op::And, "AND").flags("OSZPC", "A").lock()),
    &binary(5, Row::new("sub", Op::Sub, "SUB").flags(ARITH, "").lock()),
    &binary(6, Row::new("xor", Op::Xor, "XOR").flags("OSZPC", "A").lock()),
    &binary(7, Row::new("cmp", Op::Cmp, "CMP").flags(ARITH, "")),
    &TEST,
    &unary(0xFE, 0, Row::new("inc", Op::Inc, "INC").flags("OSZAP", "").lock()),
    &unary(0xFE, 1, Row::new("dec", Op::Dec, "DEC").flags("OSZAP", "").lock()),
    &[
        Row::new("inc", Op::Inc, "INC").flags("OSZAP", "").only(Archs::Ia32).low(0x40),
        Row::new("dec", Op::Dec, "DEC").flags("OSZAP", "").only(Archs::Ia32).low(0x48),
    ],
    &unary(0xF6, 2, Row::new("not", Op::Not, "NOT").lock()),
    &unary(0xF6, 3, Row::new("neg", Op::Neg, "NEG").flags(ARITH, "").lock()),
    &accumulator(4, Row::new("mul", Op::Mul, "MUL").flags("OC", "SZAP")),
    &accumulator(5, Row::new("imul", Op::Imul1, "IMUL").flags("OC", "SZAP")),
    &divide(6, Row::new("div", Op::Div, "DIV").flags("", ARITH)),
    &divide(7, Row::new("idiv", Op::Idiv, "IDIV").flags("", ARITH)),
    &IMUL,
    &shift(0, Row::new("rol", Op::Rol, "RCL/RCR/ROL/ROR").flags("C", "O"), "OC"),
    &shift(1, Row::new("ror", Op::Ror, "RCL/RCR/ROL/ROR").flags("C", "O"), "OC"),
    &shift(2, Row::new("rcl", Op::Rcl, "RCL/RCR/ROL/ROR").flags("C", "O").reads_flags("C"), "OC"),
    &shift(3, Row::new("rcr", Op::Rcr, "RCL/RCR/ROL/ROR").flags("C", "O").reads_flags("C"), "OC"),
    &shift(4, Row::new("shl", Op::Shl, "SAL/SAR/SHL/SHR").flags("SZPC", "OA"), "OSZPC"),
    &shift(5, Row::new("shr", Op::Shr, "SAL/SAR/SHL/SHR").flags("SZPC", "OA"), "OSZPC"),
    &shift(7, Row::new("sar", Op::Sar, "SAL/SAR/SHL/SHR").flags("SZPC", "OA"), "OSZPC"),
    &double_shift(0xA4, Row::new("shld", Op::Shld, "SHLD")),
    &double_shift(0xAC, Row::new("shrd", Op::Shrd, "SHRD")),
    &bit(4, Row::new("bt", Op::Bt, "BT")),
    &bit(5, Row::new("bts", Op::Bts, "BTS")),
    &bit(6, Row::new("btr", Op::Btr, "BTR")),
    &bit(7, Row::new("btc", Op::Btc, "BTC")),
    &BITS,
    &EXCHANGES,
];

impl Row {
    /// The register is in the low three bits of the opcode.
    const fn low(self, opcode: u8) -> Row {
        self.at(opcode).span(Span::Register).args(Pat::Low, Pat::None, Pat::None)
    }
    /// One `r/m` operand, and a digit.
    const fn rm(self, digit: u8) -> Row {
        self.rm_with(digit, Pat::None)
    }
    /// An `r/m` operand, a digit, and a second operand.
    const fn rm_with(self, digit: u8, second: Pat) -> Row {
        self.modrm(ModRm::Digit(digit, ANY)).args(Pat::Rm, second, Pat::None)
    }
    /// Without `lock`: the destination of this form is no memory.
    const fn no_lock(mut self) -> Row {
        self.lock = false;
        self
    }
}

const MOV: Row = Row::new("mov", Op::Mov, "MOV");

const MOVES: [Row; 9] = [
    MOV.at(0x88).byte().rm_reg(),
    MOV.at(0x89).rm_reg(),
    MOV.at(0x8A).byte().reg_rm(),
    MOV.at(0x8B).reg_rm(),
    MOV.low(0xB0).byte().args(Pat::Low, Pat::Imm8, Pat::None),
    MOV.low(0xB8).args(Pat::Low, Pat::Imm64, Pat::None),
    MOV.at(0xC6).byte().rm_with(0, Pat::Imm8),
    MOV.at(0xC7).rm_with(0, Pat::Imm),
    Row::new("lea", Op::Lea, "LEA").at(0x8D).reg_rm().modrm(ModRm::Slash(Forms::Memory)),
];

const MOVZX: Row = Row::new("movzx", Op::Movzx, "MOVZX").size(Size::Wider);
const MOVSX: Row = Row::new("movsx", Op::Movsx, "MOVSX/MOVSXD").size(Size::Wider);

const EXTENSIONS: [Row; 7] = [
    MOVZX.at_0f(0xB6).source(Width::B1).reg_rm(),
    MOVZX.at_0f(0xB7).source(Width::B2).reg_rm(),
    MOVSX.at_0f(0xBE).source(Width::B1).reg_rm(),
    MOVSX.at_0f(0xBF).source(Width::B2).reg_rm(),
    Row::new("movsxd", Op::Movsx, "MOVSX/MOVSXD")
        .at(0x63)
        .size(Size::Quad)
        .source(Width::B4)
        .reg_rm()
        .only(Archs::Amd64),
    Row::new("cbw/cwde/cdqe", Op::Cbw, "CBW/CWDE/CDQE").at(0x98).implicit(Regs::AX, Regs::AX),
    Row::new("cwd/cdq/cqo", Op::Cwd, "CWD/CDQ/CQO").at(0x99).implicit(Regs::AX, Regs::DX),
];

/// The nine forms of the eight classic two-operand instructions.
const fn binary(number: u8, row: Row) -> [Row; 9] {
    let at = number * 8;
    let register = row.no_lock();
    [
        row.at(at).byte().rm_reg(),
        row.at(at + 1).rm_reg(),
        register.at(at + 2).byte().reg_rm(),
        register.at(at + 3).reg_rm(),
        register.at(at + 4).byte().args(Pat::Ax, Pat::Imm8, Pat::None),
        register.at(at + 5).args(Pat::Ax, Pat::Imm, Pat::None),
        row.at(0x80).byte().rm_with(number, Pat::Imm8),
        row.at(0x81).rm_with(number, Pat::Imm),
        row.at(0x83).rm_with(number, Pat::Imm8),
    ]
}

const TEST_ROW: Row = Row::new("test", Op::Test, "TEST").flags("OSZPC", "A");

const TEST: [Row; 6] = [
    TEST_ROW.at(0x84).byte().rm_reg(),
    TEST_ROW.at(0x85).rm_reg(),
    TEST_ROW.at(0xA8).byte().args(Pat::Ax, Pat::Imm8, Pat::None),
    TEST_ROW.at(0xA9).args(Pat::Ax, Pat::Imm, Pat::None),
    TEST_ROW.at(0xF6).byte().rm_with(0, Pat::Imm8),
    TEST_ROW.at(0xF7).rm_with(0, Pat::Imm),
];

/// The byte form and the full form of a one-operand instruction.
const fn unary(opcode: u8, digit: u8, row: Row) -> [Row; 2] {
    [row.at(opcode).byte().rm(digit), row.at(opcode + 1).rm(digit)]
}

/// `mul` and `imul`: the byte form leaves dx alone.
const fn accumulator(digit: u8, row: Row) -> [Row; 2] {
    let [byte, full] = unary(0xF6, digit, row);
    [byte.implicit(Regs::AX, Regs::AX), full.implicit(Regs::AX, Regs::AX.and(Regs::DX))]
}

/// `div` and `idiv`: the byte form divides ax alone.
const fn divide(digit: u8, row: Row) -> [Row; 2] {
    let [byte, full] = unary(0xF6, digit, row);
    let both = Regs::AX.and(Regs::DX);
    [byte.implicit(Regs::AX, Regs::AX), full.implicit(both, both)]
}

const IMUL_ROW: Row = Row::new("imul", Op::Imul, "IMUL").flags("OC", "SZAP").modrm(ModRm::Slash(Forms::Any));

const IMUL: [Row; 3] = [
    IMUL_ROW.at_0f(0xAF).reg_rm(),
    IMUL_ROW.at(0x69).args(Pat::Reg, Pat::Rm, Pat::Imm),
    IMUL_ROW.at(0x6B).args(Pat::Reg, Pat::Rm, Pat::Imm8),
];

/// A shift or rotation by a constant, by one and by `cl`. The flags of `row` are those after a
/// constant count greater than one; `once` are those that a count of one defines. If the masked
/// count is 0, no flag changes.
const fn shift(digit: u8, row: Row, once: &'static str) -> [Row; 6] {
    let undefined = if once.len() == 2 { "" } else { "A" };
    let one = row.flags(once, undefined);
    [
        row.at(0xC0).byte().rm_with(digit, Pat::Uimm8),
        row.at(0xC1).rm_with(digit, Pat::Uimm8),
        one.at(0xD0).byte().rm_with(digit, Pat::One),
        one.at(0xD1).rm_with(digit, Pat::One),
        row.at(0xD2).byte().rm_with(digit, Pat::Cl),
        row.at(0xD3).rm_with(digit, Pat::Cl),
    ]
}

/// `shld` and `shrd`. If the masked count is 0, no flag changes; a 16-bit shift by more than 16
/// leaves the destination undefined.
const fn double_shift(opcode: u8, row: Row) -> [Row; 2] {
    let row = row.flags("SZPC", "OA").modrm(ModRm::Slash(Forms::Any));
    [
        row.at_0f(opcode).args(Pat::Rm, Pat::Reg, Pat::Uimm8),
        row.at_0f(opcode + 1).args(Pat::Rm, Pat::Reg, Pat::Cl),
    ]
}

/// A bit test on a register. On memory a register bit number reaches anywhere: not allowed.
const fn bit(digit: u8, row: Row) -> [Row; 2] {
    let row = row.flags("C", "OSAP");
    [
        row.at_0f(0x83 + 8 * digit).rm_reg().modrm(ModRm::Slash(Forms::Register)),
        row.at_0f(0xBA).rm_with(digit, Pat::Uimm8).modrm(ModRm::Digit(digit, Forms::Register)),
    ]
}

/// Scans, counts and byte swaps. `tzcnt` and `lzcnt` are missing on purpose: older processors
/// execute the same bytes as `bsf` and `bsr`.
const BITS: [Row; 4] = [
    Row::new("bsf", Op::Bsf, "BSF").flags("Z", "OSAPC").at_0f(0xBC).reg_rm(),
    Row::new("bsr", Op::Bsr, "BSR").flags("Z", "OSAPC").at_0f(0xBD).reg_rm(),
    Row::new("popcnt", Op::Popcnt, "POPCNT")
        .flags("OSZAPC", "")
        .mandatory(Mandatory::F3)
        .at_0f(0xB8)
        .reg_rm(),
    Row::new("bswap", Op::Bswap, "BSWAP").at_0f(0xC8).span(Span::Register).size(Size::Dword).args(
        Pat::Low,
        Pat::None,
        Pat::None,
    ),
];

const XCHG: Row = Row::new("xchg", Op::Xchg, "XCHG");
const CMPXCHG: Row =
    Row::new("cmpxchg", Op::Cmpxchg, "CMPXCHG").flags(ARITH, "").implicit(Regs::AX, Regs::AX).lock();
const XADD: Row = Row::new("xadd", Op::Xadd, "XADD").flags(ARITH, "").lock();

const EXCHANGES: [Row; 7] = [
    XCHG.at(0x86).byte().rm_reg().lock(),
    XCHG.at(0x87).rm_reg().lock(),
    XCHG.low(0x90).args(Pat::Low, Pat::Ax, Pat::None),
    CMPXCHG.at_0f(0xB0).byte().rm_reg(),
    CMPXCHG.at_0f(0xB1).rm_reg(),
    XADD.at_0f(0xC0).byte().rm_reg(),
    XADD.at_0f(0xC1).rm_reg(),
];
