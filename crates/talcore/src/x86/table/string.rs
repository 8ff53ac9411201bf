//! Rows of the string instructions. The direction flag is always clear in checked code: `std` is
//! not on the list, and the platform clears it at the start.

use super::super::insn::Op;
use super::{Regs, Reps, Row};

const SI: Regs = Regs::SI;
const DI: Regs = Regs::DI;
const BOTH: Regs = SI.and(DI);
const ARITH: &str = "OSZAPC";

pub(super) const GROUPS: &[&[Row]] = &[
    &pair(0xA4, Row::new("movs", Op::Movs, "MOVS/MOVSB/MOVSW/MOVSD/MOVSQ").reps(Reps::Rep), BOTH, BOTH),
    &pair(0xA6, Row::new("cmps", Op::Cmps, "CMPS/CMPSB/CMPSW/CMPSD/CMPSQ").compares(), BOTH, BOTH),
    &pair(
        0xAA,
        Row::new("stos", Op::Stos, "STOS/STOSB/STOSW/STOSD/STOSQ").reps(Reps::Rep),
        DI.and(Regs::AX),
        DI,
    ),
    &pair(0xAC, Row::new("lods", Op::Lods, "LODS/LODSB/LODSW/LODSD/LODSQ"), SI, SI.and(Regs::AX)),
    &pair(0xAE, Row::new("scas", Op::Scas, "SCAS/SCASB/SCASW/SCASD").compares(), DI.and(Regs::AX), DI),
];

impl Row {
    /// Compares: both repeat prefixes, and flags (with a repeat prefix and a count of 0, none).
    const fn compares(self) -> Row {
        self.reps(Reps::Both).flags(ARITH, "")
    }
}

/// The byte form and the wider form.
const fn pair(opcode: u8, row: Row, reads: Regs, writes: Regs) -> [Row; 2] {
    let row = row.reads_flags("D").implicit(reads, writes);
    [row.at(opcode).byte(), row.at(opcode + 1)]
}
