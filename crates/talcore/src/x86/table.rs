//! The allow-list: one row for each encoding form that may occur in checked code.
//!
//! The table is the only description of the instruction set: the decoder's dispatch is compiled
//! from it (`index`), `talcheck --list-instructions` prints it, and the tests compare it with two
//! independent decoders. An encoding that no row describes is rejected.

mod control;
mod index;
mod integer;
mod show;
mod string;
mod vector;

pub use show::{Encoding, Operands};

use super::insn::{Op, Width};
use crate::arch::Arch;

pub(crate) use index::{Form, PREFIXES, REPS, Tail, form, lookup};

/// The opcode map that a row belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Map {
    /// One opcode byte.
    One,
    /// `0F` and one opcode byte.
    Two,
}

/// How many consecutive opcodes a row covers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Span {
    /// One opcode.
    One,
    /// Eight: the low three bits name a register ([`Pat::Low`]).
    Register,
    /// Sixteen: the low four bits are a condition.
    Condition,
}

/// The prefix that belongs to the opcode (it selects the instruction and means nothing else).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Mandatory {
    None,
    P66,
    F3,
    F2,
}

/// Which forms of the ModRM byte are allowed: `mod = 11` names a register, everything else memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Forms {
    /// Register or memory.
    Any,
    /// Register only.
    Register,
    /// Memory only.
    Memory,
}

/// What follows the opcode.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ModRm {
    /// No ModRM byte.
    No,
    /// A ModRM byte whose `reg` field names a register: `/r`.
    Slash(Forms),
    /// A ModRM byte whose `reg` field is this digit of the opcode: `/digit`.
    Digit(u8, Forms),
    /// Exactly this byte.
    Byte(u8),
}

/// How the operand width is chosen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Size {
    /// 1 byte; neither `66` nor REX.W.
    Byte,
    /// 4 bytes; 2 with `66`; 8 with REX.W.
    Full,
    /// 4 bytes, 8 with REX.W; never 2.
    Dword,
    /// 8 bytes: REX.W is required.
    Quad,
    /// Always 4 bytes; neither `66` nor REX.W.
    Only4,
    /// The machine word; neither `66` nor REX.W.
    Word,
    /// 2 bytes with `66`, 4 without, 8 with REX.W, but only those wider than the source.
    Wider,
    /// A vector of 16 bytes; no REX.W.
    Vector,
    /// A vector of 16 bytes; REX.W widens the source from 4 to 8 bytes.
    VectorDword,
}

/// How one operand is encoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Pat {
    /// There is none.
    None,
    /// `r/m` of ModRM: a general register or memory.
    Rm,
    /// `reg` of ModRM: a general register.
    Reg,
    /// `r/m` of ModRM: a vector register or memory.
    VecRm,
    /// `reg` of ModRM: a vector register.
    VecReg,
    /// The low three bits of the opcode: a general register.
    Low,
    /// The accumulator, implied.
    Ax,
    /// The counter (`cl`), implied.
    Cl,
    /// The constant 1, implied.
    One,
    /// A byte, sign-extended to the operand width.
    Imm8,
    /// A byte, zero-extended: a shift count, bit number or selector.
    Uimm8,
    /// Two bytes, zero-extended.
    Uimm16,
    /// A constant as wide as the operand, but at most 4 bytes, sign-extended to the operand width.
    Imm,
    /// A constant as wide as the operand, up to 8 bytes.
    Imm64,
    /// A code address: signed byte relative to the next instruction.
    Rel8,
    /// A code address: four signed bytes relative to the next instruction.
    Rel32,
}

/// Which repeat prefixes a string instruction may carry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reps {
    /// None.
    No,
    /// `rep` (F3).
    Rep,
    /// `repe` (F3) and `repne` (F2).
    Both,
}

/// In which architectures a row exists.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Archs {
    Both,
    Amd64,
    Ia32,
}

impl Archs {
    /// Whether `arch` is one of them.
    pub const fn has(self, arch: Arch) -> bool {
        match self {
            Archs::Both => true,
            Archs::Amd64 => matches!(arch, Arch::Amd64),
            Archs::Ia32 => matches!(arch, Arch::Ia32),
        }
    }
}

/// A set of general registers, bit `n` for register number `n`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Regs(pub u16);

impl Regs {
    const NONE: Regs = Regs(0);
    const AX: Regs = Regs(1);
    const CX: Regs = Regs(1 << 1);
    const DX: Regs = Regs(1 << 2);
    const SP: Regs = Regs(1 << 4);
    const BP: Regs = Regs(1 << 5);
    const SI: Regs = Regs(1 << 6);
    const DI: Regs = Regs(1 << 7);
    const R11: Regs = Regs(1 << 11);

    const fn and(self, other: Regs) -> Regs {
        Regs(self.0 | other.0)
    }
}

/// What an instruction does to the flags, as letters of `OSZAPC` (and `D` for the direction).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Flags {
    /// Those it depends on. Conditional instructions read what their condition says; not listed.
    pub reads: &'static str,
    /// Those it defines.
    pub writes: &'static str,
    /// Those it leaves undefined.
    pub undefined: &'static str,
}

/// One encoding form of the allow-list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Row {
    /// The mnemonic, in Intel's spelling; `cc` stands for a condition.
    pub mnemonic: &'static str,
    /// What it does.
    pub op: Op,
    /// The opcode map.
    pub map: Map,
    /// The (first) opcode byte in its map.
    pub opcode: u8,
    /// How many opcodes the row covers.
    pub span: Span,
    /// The prefix that belongs to the opcode.
    pub mandatory: Mandatory,
    /// What follows the opcode.
    pub modrm: ModRm,
    /// How the operand width is chosen.
    pub size: Size,
    /// The width of the source, or of a vector instruction's memory operand, where it differs.
    pub source: Option<Width>,
    /// The operands in Intel's order, destination first.
    pub args: [Pat; 3],
    /// `lock` is allowed if the destination is memory.
    pub lock: bool,
    /// The repeat prefixes that are allowed.
    pub reps: Reps,
    /// Where the row exists.
    pub archs: Archs,
    /// The flags.
    pub flags: Flags,
    /// General registers read that no operand names. A repeat prefix adds `cx`.
    pub reads: Regs,
    /// General registers written that no operand names. A repeat prefix adds `cx`.
    pub writes: Regs,
    /// A memory operand must be aligned to 16 bytes, else the processor faults.
    pub aligned: bool,
    /// The heading in the Intel SDM, volume 2 ("Instruction Set Reference").
    pub manual: &'static str,
}

/// The builders below make the rows readable: `FULL.at(0x01).rm_reg()`.
impl Row {
    /// A row at the machine's usual operand widths, with nothing else set.
    const fn new(mnemonic: &'static str, op: Op, manual: &'static str) -> Row {
        Row {
            mnemonic,
            op,
            map: Map::One,
            opcode: 0,
            span: Span::One,
            mandatory: Mandatory::None,
            modrm: ModRm::No,
            size: Size::Full,
            source: None,
            args: [Pat::None; 3],
            lock: false,
            reps: Reps::No,
            archs: Archs::Both,
            flags: Flags { reads: "", writes: "", undefined: "" },
            reads: Regs::NONE,
            writes: Regs::NONE,
            aligned: false,
            manual,
        }
    }
    const fn at(mut self, opcode: u8) -> Row {
        self.opcode = opcode;
        self
    }
    const fn at_0f(mut self, opcode: u8) -> Row {
        self.map = Map::Two;
        self.opcode = opcode;
        self
    }
    const fn span(mut self, span: Span) -> Row {
        self.span = span;
        self
    }
    const fn mandatory(mut self, prefix: Mandatory) -> Row {
        self.mandatory = prefix;
        self
    }
    const fn modrm(mut self, modrm: ModRm) -> Row {
        self.modrm = modrm;
        self
    }
    const fn size(mut self, size: Size) -> Row {
        self.size = size;
        self
    }
    const fn byte(self) -> Row {
        self.size(Size::Byte)
    }
    const fn source(mut self, source: Width) -> Row {
        self.source = Some(source);
        self
    }
    const fn args(mut self, a: Pat, b: Pat, c: Pat) -> Row {
        self.args = [a, b, c];
        self
    }
    const fn rm_reg(self) -> Row {
        self.modrm(ModRm::Slash(Forms::Any)).args(Pat::Rm, Pat::Reg, Pat::None)
    }
    const fn reg_rm(self) -> Row {
        self.modrm(ModRm::Slash(Forms::Any)).args(Pat::Reg, Pat::Rm, Pat::None)
    }
    const fn lock(mut self) -> Row {
        self.lock = true;
        self
    }
    const fn reps(mut self, reps: Reps) -> Row {
        self.reps = reps;
        self
    }
    const fn only(mut self, archs: Archs) -> Row {
        self.archs = archs;
        self
    }
    const fn flags(mut self, writes: &'static str, undefined: &'static str) -> Row {
        self.flags.writes = writes;
        self.flags.undefined = undefined;
        self
    }
    const fn reads_flags(mut self, reads: &'static str) -> Row {
        self.flags.reads = reads;
        self
    }
    const fn implicit(mut self, reads: Regs, writes: Regs) -> Row {
        self.reads = reads;
        self.writes = writes;
        self
    }
    const fn aligned(mut self) -> Row {
        self.aligned = true;
        self
    }
}

/// The groups of rows, in the order of their numbers.
const GROUPS: [&[&[Row]]; 4] = [integer::GROUPS, control::GROUPS, string::GROUPS, vector::GROUPS];

/// The number of rows.
const COUNT: usize = {
    let (mut count, mut i) = (0, 0);
    while i < GROUPS.len() {
        let mut j = 0;
        while j < GROUPS[i].len() {
            count += GROUPS[i][j].len();
            j += 1;
        }
        i += 1;
    }
    count
};

/// All rows, copied together when this crate is built.
static ROWS: [Row; COUNT] = {
    let mut all = [Row::new("", Op::Invalid, ""); COUNT];
    let (mut at, mut i) = (0, 0);
    while i < GROUPS.len() {
        let mut j = 0;
        while j < GROUPS[i].len() {
            let mut k = 0;
            while k < GROUPS[i][j].len() {
                all[at] = GROUPS[i][j][k];
                at += 1;
                k += 1;
            }
            j += 1;
        }
        i += 1;
    }
    all
};

/// The row of the multi-byte `nop`, whose byte strings the decoder compares as a whole.
pub(crate) const LONG_NOP: u16 = {
    let mut i = 0;
    while !(matches!(ROWS[i].op, Op::Nop) && ROWS[i].opcode == 0x1F) {
        i += 1;
    }
    i as u16
};

/// The row of the one-byte `nop`, which takes the place of `xchg ax, ax`.
pub(crate) const SHORT_NOP: u16 = {
    let mut i = 0;
    while !(matches!(ROWS[i].op, Op::Nop) && ROWS[i].opcode == 0x90) {
        i += 1;
    }
    i as u16
};

/// All rows, in the order in which `Insn::row` numbers them.
pub fn rows() -> &'static [Row] {
    &ROWS
}

/// The row with this number, if there is one.
pub fn row(number: u16) -> Option<&'static Row> {
    ROWS.get(usize::from(number))
}
