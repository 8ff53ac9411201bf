//! The dispatch tables of the decoder, compiled from the rows when this crate is built.

#![allow(long_running_const_eval)]

use super::super::insn::{Arg, Op, Reg, Rep, Width};
use super::{COUNT, Forms, Mandatory, ModRm, Pat, ROWS, Reps, Row, SHORT_NOP, Size, Span};
use crate::arch::Arch;

/// What the decoder needs of a row, ready to use. Masks take the place of conditions: an
/// instruction is decoded in a straight line.
#[derive(Clone, Copy)]
pub(crate) struct Form {
    pub(crate) op: Op,
    /// What follows the opcode.
    pub(crate) tail: Tail,
    /// Bit `i` is set if entry `i` of `widths` exists.
    pub(crate) sizes: u8,
    /// `66` belongs to the opcode.
    pub(crate) takes_66: bool,
    /// The width is the machine word.
    pub(crate) word: bool,
    /// The operand width without prefix, with `66`, with REX.W.
    pub(crate) widths: [Width; 4],
    /// The source width, likewise.
    pub(crate) sources: [Width; 4],
    /// The bytes of the immediate, likewise.
    pub(crate) immediate: [u8; 4],
    /// The operands that are always the same; the others are put in their places.
    pub(crate) args: [Arg; 4],
    /// The place of the operand that ModRM's `r/m` field names; 3 if there is none.
    pub(crate) rm_place: u8,
    /// The place of the operand that ModRM's `reg` field or the opcode names; 3 if there is none.
    pub(crate) reg_place: u8,
    /// The low bits of the opcode name a register.
    pub(crate) low: bool,
    /// The `r/m` field, if it names a register, names a vector register.
    pub(crate) vector_rm: bool,
    /// The `reg` field names a vector register.
    pub(crate) vector_reg: bool,
    /// `lock` is allowed on memory.
    pub(crate) lock: bool,
    /// The decoder has a rule of its own: `nop`, and `xchg` with the accumulator.
    pub(crate) special: bool,
    /// The bits of the opcode that are a condition.
    pub(crate) condition: u8,
    /// The bits of the prefix number that are a repeat prefix.
    pub(crate) repeat: u8,
    /// The value of the immediate if none is encoded.
    pub(crate) constant: i64,
    /// The bits of the (sign-extended) immediate that count; 0 if none is encoded.
    pub(crate) mask: i64,
    /// All ones if the immediate is relative to the next instruction.
    pub(crate) relative: i64,
}

/// What follows an opcode, before the immediate.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tail {
    /// Nothing.
    Nothing,
    /// ModRM, perhaps SIB, perhaps a displacement.
    ModRm,
    /// Exactly this byte.
    Byte(u8),
}

/// A table of [`Form`]s has one entry for each row.
static FORMS: [Form; COUNT] = {
    let mut forms = [compile(&ROWS[0]); COUNT];
    let mut i = 0;
    while i < COUNT {
        forms[i] = compile(&ROWS[i]);
        i += 1;
    }
    forms
};

const fn compile(row: &Row) -> Form {
    use Width::{B1, B2, B4, B8, B16};
    let (widths, sizes) = match row.size {
        Size::Byte => ([B1; 4], 0b001),
        Size::Full => ([B4, B2, B8, B8], 0b111),
        Size::Dword => ([B4, B4, B8, B8], 0b101),
        Size::Quad => ([B8; 4], 0b100),
        Size::Only4 => ([B4; 4], 0b001),
        Size::Word => ([B8; 4], 0b001),
        Size::Wider => ([B4, B2, B8, B8], if matches!(row.source, Some(B1)) { 0b111 } else { 0b101 }),
        Size::Vector => ([B16; 4], 0b001),
        Size::VectorDword => ([B16; 4], 0b101),
    };
    let sources = match (row.source, row.size) {
        (Some(width), _) => [width; 4],
        (None, Size::VectorDword) => [B4, B4, B8, B8],
        (None, _) => widths,
    };
    let mut form = Form {
        op: row.op,
        tail: match row.modrm {
            ModRm::No => Tail::Nothing,
            ModRm::Slash(_) | ModRm::Digit(..) => Tail::ModRm,
            ModRm::Byte(byte) => Tail::Byte(byte),
        },
        sizes,
        takes_66: matches!(row.mandatory, Mandatory::P66),
        word: matches!(row.size, Size::Word),
        widths,
        sources,
        immediate: [0; 4],
        args: [Arg::None; 4],
        rm_place: 3,
        reg_place: 3,
        low: matches!(row.span, Span::Register),
        vector_rm: false,
        vector_reg: false,
        lock: row.lock,
        special: matches!(row.op, Op::Nop) || (matches!(row.op, Op::Xchg) && row.opcode == 0x90),
        condition: if matches!(row.span, Span::Condition) { 15 } else { 0 },
        repeat: if matches!(row.reps, Reps::No) { 0 } else { 3 },
        constant: 0,
        mask: 0,
        relative: 0,
    };
    let mut i = 0;
    while i < 3 {
        form.args[i] = match row.args[i] {
            Pat::None => Arg::None,
            Pat::Rm | Pat::VecRm => {
                form.rm_place = i as u8;
                form.vector_rm = matches!(row.args[i], Pat::VecRm);
                Arg::None
            }
            Pat::Reg | Pat::VecReg | Pat::Low => {
                form.reg_place = i as u8;
                form.vector_reg = matches!(row.args[i], Pat::VecReg);
                Arg::None
            }
            Pat::Ax => Arg::Reg(Reg::AX),
            Pat::Cl => Arg::Reg(Reg::CX),
            Pat::One => {
                form.constant = 1;
                Arg::Imm
            }
            Pat::Imm8 => {
                form.immediate = [1; 4];
                Arg::Imm
            }
            Pat::Uimm8 => {
                (form.immediate, form.mask) = ([1; 4], 0xFF);
                Arg::Imm
            }
            Pat::Uimm16 => {
                (form.immediate, form.mask) = ([2; 4], 0xFFFF);
                Arg::Imm
            }
            Pat::Imm => {
                form.immediate = [4, 2, 4, 4];
                Arg::Imm
            }
            Pat::Imm64 => {
                form.immediate = [4, 2, 8, 8];
                Arg::Imm
            }
            Pat::Rel8 => {
                (form.immediate, form.relative) = ([1; 4], -1);
                Arg::Rel
            }
            Pat::Rel32 => {
                (form.immediate, form.relative) = ([4; 4], -1);
                Arg::Rel
            }
        };
        i += 1;
    }
    if form.immediate[0] != 0 && form.mask == 0 {
        form.mask = -1;
    }
    form
}

/// The form of row `number`.
pub(crate) fn form(number: u16) -> Option<&'static Form> {
    FORMS.get(usize::from(number))
}

/// A place in a table: 0 nothing, a row (its number + 1), or `GROUP` + a group's number.
type Slot = u16;

const GROUP: Slot = 0x8000;

/// How a prefix selects a table: none, `66`, F3, F2.
pub(crate) const PREFIXES: usize = 4;

/// By `map * PREFIXES + prefix`, then by opcode.
type Opcodes = [[Slot; 256]; 2 * PREFIXES];

/// By bits 3..6 of ModRM, and 8 more if `mod` is 3.
type Group = [Slot; 16];

/// Enough for all groups of one architecture; the tables are not built otherwise.
const MAX_GROUPS: usize = 96;

struct Index {
    opcodes: Opcodes,
    groups: [Group; MAX_GROUPS],
}

static AMD64: Index = build(Arch::Amd64);
static IA32: Index = build(Arch::Ia32);

const fn build(arch: Arch) -> Index {
    let mut index = Index { opcodes: [[0; 256]; 2 * PREFIXES], groups: [[0; 16]; MAX_GROUPS] };
    let mut groups = 0;
    let mut i = 0;
    while i < COUNT {
        let row = &ROWS[i];
        // `90` is found through the row of `xchg`.
        if row.archs.has(arch) && i != SHORT_NOP as usize {
            let mut prefix = 0;
            while prefix < PREFIXES {
                if has_prefix(row, prefix) {
                    groups = enter(&mut index, groups, i, prefix);
                }
                prefix += 1;
            }
        }
        i += 1;
    }
    index
}

/// Whether a row exists in the table of this prefix.
const fn has_prefix(row: &Row, prefix: usize) -> bool {
    let plain = matches!(row.mandatory, Mandatory::None);
    match prefix {
        0 => plain,
        1 => matches!(row.mandatory, Mandatory::P66) || (plain && compile(row).sizes & 0b010 != 0),
        2 => matches!(row.mandatory, Mandatory::F3) || !matches!(row.reps, Reps::No),
        _ => matches!(row.mandatory, Mandatory::F2) || matches!(row.reps, Reps::Both),
    }
}

/// Enters row `i` for all its opcodes. Two rows for one encoding stop the build.
const fn enter(index: &mut Index, mut groups: usize, i: usize, prefix: usize) -> usize {
    let row = &ROWS[i];
    let table = &mut index.opcodes[row.map as usize * PREFIXES + prefix];
    let count = match row.span {
        Span::One => 1,
        Span::Register => 8,
        Span::Condition => 16,
    };
    let mut opcode = row.opcode as usize;
    let end = opcode + count;
    while opcode < end {
        if matches!(row.modrm, ModRm::No | ModRm::Slash(Forms::Any)) {
            assert!(table[opcode] == 0, "two rows for one opcode");
            table[opcode] = i as Slot + 1;
        } else {
            if table[opcode] == 0 {
                table[opcode] = GROUP | groups as Slot;
                groups += 1;
            }
            assert!(table[opcode] & GROUP != 0, "an opcode with and without a group");
            let group = &mut index.groups[(table[opcode] & !GROUP) as usize];
            let mut key = 0;
            while key < 16 {
                if matches_key(row.modrm, key) {
                    assert!(group[key as usize] == 0, "two rows for one member of a group");
                    group[key as usize] = i as Slot + 1;
                }
                key += 1;
            }
        }
        opcode += 1;
    }
    groups
}

const fn matches_key(modrm: ModRm, key: u8) -> bool {
    let forms = match modrm {
        ModRm::No => return false,
        ModRm::Byte(byte) => return key == group_key(byte),
        ModRm::Slash(forms) => forms,
        ModRm::Digit(digit, forms) => {
            if key & 7 != digit {
                return false;
            }
            forms
        }
    };
    match forms {
        Forms::Any => true,
        Forms::Register => key >= 8,
        Forms::Memory => key < 8,
    }
}

const fn group_key(modrm: u8) -> u8 {
    (modrm >> 3 & 7) | if modrm >= 0xC0 { 8 } else { 0 }
}

/// The number of the row of an opcode, if there is one. `modrm` is the byte after the opcode, and
/// only looked at if `true` is returned. `select` is `map * PREFIXES + prefix`.
#[inline(always)]
pub(crate) fn lookup(arch: Arch, select: usize, opcode: u8, modrm: u8) -> (Option<u16>, bool) {
    let index = match arch {
        Arch::Amd64 => &AMD64,
        Arch::Ia32 => &IA32,
    };
    let mut slot = index.opcodes[select & (2 * PREFIXES - 1)][usize::from(opcode)];
    let group = slot & GROUP != 0;
    if group {
        slot = match index.groups.get(usize::from(slot & !GROUP)) {
            Some(group) => group[usize::from(group_key(modrm)) & 15],
            None => 0,
        };
    }
    (slot.checked_sub(1), group)
}

/// The repeat prefix that a selector stands for on a string instruction.
pub(crate) const REPS: [Rep; PREFIXES] = [Rep::No, Rep::No, Rep::Rep, Rep::Repne];
