//! The dispatch tables of the decoder, compiled from the rows when this crate is built.

#![allow(long_running_const_eval)]

use super::super::insn::{Cond, Op, Rep, Width};
use super::{COUNT, Forms, Mandatory, ModRm, Pat, ROWS, Reps, Row, SHORT_NOP, Size, Span};
use crate::arch::Arch;

/// What the decoder needs of a row, ready to use.
#[derive(Clone, Copy)]
pub(crate) struct Form {
    pub(crate) op: Op,
    /// The operand width without prefix, with `66`, with REX.W.
    pub(crate) widths: [Width; 3],
    /// The source width, likewise.
    pub(crate) sources: [Width; 3],
    /// Bit `i` is set if entry `i` of `widths` exists.
    pub(crate) sizes: u8,
    /// `66` belongs to the opcode.
    pub(crate) takes_66: bool,
    /// The width is the machine word.
    pub(crate) word: bool,
    /// A ModRM byte follows.
    pub(crate) modrm: bool,
    /// The `reg` field of ModRM names a register.
    pub(crate) reg: bool,
    /// The `r/m` field, if it names a register, names a vector register.
    pub(crate) vector: bool,
    /// The low bits of the opcode name a register.
    pub(crate) low: bool,
    /// The low bits of the opcode are a condition.
    pub(crate) condition: bool,
    /// `lock` is allowed on memory.
    pub(crate) lock: bool,
    /// The operand is a code address.
    pub(crate) relative: bool,
    /// The immediate is zero-extended.
    pub(crate) unsigned: bool,
    /// The immediate is not read but is the constant 1.
    pub(crate) one: bool,
    /// The bytes of the immediate without prefix, with `66`, with REX.W.
    pub(crate) immediate: [u8; 3],
    /// F2 and F3 are repeat prefixes.
    pub(crate) reps: bool,
    /// The ModRM byte must be this one (if not 0, which is never used so).
    pub(crate) exact: u8,
    pub(crate) args: [Pat; 3],
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
        Size::Byte => ([B1; 3], 0b001),
        Size::Full => ([B4, B2, B8], 0b111),
        Size::Dword => ([B4, B4, B8], 0b101),
        Size::Quad => ([B8; 3], 0b100),
        Size::Only4 => ([B4; 3], 0b001),
        Size::Word => ([B8; 3], 0b001),
        Size::Wider => ([B4, B2, B8], if matches!(row.source, Some(B1)) { 0b111 } else { 0b101 }),
        Size::Vector => ([B16; 3], 0b001),
        Size::VectorDword => ([B16; 3], 0b101),
    };
    let sources = match (row.source, row.size) {
        (Some(width), _) => [width; 3],
        (None, Size::VectorDword) => [B4, B4, B8],
        (None, _) => widths,
    };
    let mut form = Form {
        op: row.op,
        widths,
        sources,
        sizes,
        takes_66: matches!(row.mandatory, Mandatory::P66),
        word: matches!(row.size, Size::Word),
        modrm: !matches!(row.modrm, ModRm::No),
        reg: matches!(row.modrm, ModRm::Slash(_)),
        vector: false,
        low: matches!(row.span, Span::Register),
        condition: matches!(row.span, Span::Condition),
        lock: row.lock,
        relative: false,
        unsigned: false,
        one: false,
        immediate: [0; 3],
        reps: !matches!(row.reps, Reps::No),
        exact: if let ModRm::Byte(byte) = row.modrm { byte } else { 0 },
        args: row.args,
    };
    let mut i = 0;
    while i < 3 {
        match row.args[i] {
            Pat::VecRm => form.vector = true,
            Pat::One => form.one = true,
            Pat::Imm8 => form.immediate = [1; 3],
            Pat::Uimm8 => (form.immediate, form.unsigned) = ([1; 3], true),
            Pat::Uimm16 => (form.immediate, form.unsigned) = ([2; 3], true),
            Pat::Imm => form.immediate = [4, 2, 4],
            Pat::Imm64 => form.immediate = [4, 2, 8],
            Pat::Rel8 => (form.immediate, form.relative) = ([1; 3], true),
            Pat::Rel32 => (form.immediate, form.relative) = ([4; 3], true),
            Pat::None | Pat::Rm | Pat::Reg | Pat::VecReg | Pat::Low | Pat::Ax | Pat::Cl => {}
        }
        i += 1;
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

/// The condition in the low four bits of an opcode.
pub(crate) fn condition(opcode: u8) -> Cond {
    Cond::ALL[usize::from(opcode & 15)]
}
