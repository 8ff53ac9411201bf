//! The decoder: bytes to [`Insn`], for exactly the encodings that the table lists.
//!
//! It accepts a *canonical* subset: every prefix has an effect, none is repeated, and of the ways
//! to say the same only those are left that assemblers choose between. So there is nothing in an
//! accepted instruction that another decoder, or another processor, could read differently.

use super::insn::{Arg, Cond, Insn, Mem, Op, Reg, Width};
use super::table::{self, Form, LONG_NOP, PREFIXES, REPS, SHORT_NOP, Tail};
use crate::arch::Arch;
use crate::verdict::Code;

/// The longest instruction, in bytes (Intel SDM volume 2, section 2.3.11).
pub const MAX_LENGTH: usize = 15;

/// Why bytes are not an accepted instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[non_exhaustive]
pub enum DecodeError {
    /// The bytes end inside the instruction.
    Truncated,
    /// More than 15 bytes.
    TooLong,
    /// No row has this opcode.
    Opcode,
    /// The opcode is allowed, but not on a register or not on memory, as it is here.
    Form,
    /// The same legacy prefix twice, or both F2 and F3.
    DuplicatePrefix,
    /// A segment prefix (26, 2E, 36, 3E, 64, 65), also as a branch hint.
    Segment,
    /// The address-size prefix (67).
    AddressSize,
    /// The operand-size prefix (66) where it means nothing or is not allowed.
    OperandSize,
    /// F2 or F3 on an instruction that it does not belong to.
    Repeat,
    /// `lock` on an instruction or operand that it is not allowed on.
    Lock,
    /// A REX prefix, or a bit in it, without effect.
    Rex,
    /// A legacy prefix after a REX prefix, or two REX prefixes.
    RexOrder,
    /// A SIB byte that says in a longer or an odd way what ModRM alone could say.
    Sib,
    /// A long `nop` that is none of the byte strings that assemblers emit.
    Nop,
}

impl DecodeError {
    /// The code of the rejection that this error leads to.
    pub const fn code(self) -> Code {
        match self {
            DecodeError::Truncated => Code::Truncated,
            DecodeError::Opcode | DecodeError::Form => Code::NotAllowed,
            _ => Code::NotCanonical,
        }
    }

    /// The detail for a person: a short phrase.
    pub const fn why(self) -> &'static str {
        match self {
            DecodeError::Truncated => "the bytes end inside the instruction",
            DecodeError::TooLong => "longer than 15 bytes",
            DecodeError::Opcode => "the opcode is not on the allow-list",
            DecodeError::Form => "the operand may not be of this kind, register or memory",
            DecodeError::DuplicatePrefix => "a prefix is repeated, or two exclude each other",
            DecodeError::Segment => "segment prefix",
            DecodeError::AddressSize => "address-size prefix 67",
            DecodeError::OperandSize => "operand-size prefix 66 where it is not allowed",
            DecodeError::Repeat => "prefix f2 or f3 where it is not allowed",
            DecodeError::Lock => "lock prefix where it is not allowed",
            DecodeError::Rex => "rex prefix with a bit that has no effect",
            DecodeError::RexOrder => "a prefix after a rex prefix",
            DecodeError::Sib => "sib byte where none is needed, or with a scale and no index",
            DecodeError::Nop => "nop that no assembler emits",
        }
    }
}

const REX_W: u8 = 8;
const REX_R: u8 = 4;
const REX_X: u8 = 2;
const REX_B: u8 = 1;

/// What a byte is as a prefix; 0 if it is none.
static KIND: [u8; 256] = {
    let mut kind = [0; 256];
    kind[0x66] = OPERAND;
    kind[0xF3] = REPEAT;
    kind[0xF2] = REPEAT;
    kind[0xF0] = LOCK;
    kind[0x67] = ADDRESS;
    let segments = [0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65];
    let mut i = 0;
    while i < segments.len() {
        kind[segments[i]] = SEGMENT;
        i += 1;
    }
    kind
};
const OPERAND: u8 = 1;
const REPEAT: u8 = 2;
const LOCK: u8 = 4;
const SEGMENT: u8 = 8;
const ADDRESS: u8 = 16;

/// How many bytes a [`Window`] shows: more than any read needs, which starts at 15 at most.
const WINDOW: usize = 24;

/// The first bytes of the input, with zeros behind its end, so that every read succeeds. A read
/// past the end is found afterwards, by comparing with `available`.
struct Window<'a> {
    bytes: &'a [u8; WINDOW],
    available: usize,
}

impl Window<'_> {
    #[inline(always)]
    fn byte(&self, at: usize) -> u8 {
        self.bytes[at & 15]
    }

    /// The `size` bytes from `at` on, little endian, sign-extended; no byte means nothing.
    #[inline(always)]
    fn signed(&self, at: usize, size: u8) -> i64 {
        let at = at & 15;
        let word = match self.bytes.get(at..at + 8).and_then(|bytes| bytes.first_chunk()) {
            Some(bytes) => i64::from_le_bytes(*bytes),
            None => 0,
        };
        let unused = 8u32.wrapping_sub(size.into()).wrapping_mul(8);
        word.wrapping_shl(unused).wrapping_shr(unused)
    }

    /// The error for bytes that were looked at up to `end`: if they end before, that is the reason.
    #[cold]
    fn fail<T>(&self, end: usize, error: DecodeError) -> Result<T, DecodeError> {
        if end > self.available && self.available < MAX_LENGTH {
            Err(DecodeError::Truncated)
        } else {
            Err(error)
        }
    }
}

/// Decodes the instruction at the start of `bytes`, which lies at address `ip`. What it says
/// depends on no more than the first 15 bytes.
pub fn decode(arch: Arch, bytes: &[u8], ip: u64) -> Result<Insn, DecodeError> {
    match arch {
        Arch::Amd64 => decode_on::<true>(bytes, ip),
        Arch::Ia32 => decode_on::<false>(bytes, ip),
    }
}

/// The decoder of one architecture: all that depends on it is settled when this is compiled.
fn decode_on<const AMD64: bool>(bytes: &[u8], ip: u64) -> Result<Insn, DecodeError> {
    let arch = if AMD64 { Arch::Amd64 } else { Arch::Ia32 };
    let mut copy = [0; WINDOW];
    let shown = bytes.first_chunk().unwrap_or_else(|| {
        for (to, from) in copy.iter_mut().zip(bytes) {
            *to = *from;
        }
        &copy
    });
    let window = Window { bytes: shown, available: bytes.len() };
    let mut at = 1;
    let mut opcode = window.byte(0);

    // Legacy prefixes, in any order.
    let mut seen = KIND[usize::from(opcode)];
    let mut prefix = 0;
    if seen != 0 {
        let mut kind = seen;
        loop {
            if kind & (SEGMENT | ADDRESS) != 0 {
                return padding_or(&window, bad_prefix(kind));
            }
            if kind == REPEAT {
                prefix = if opcode == 0xF3 { 2 } else { 3 };
            }
            opcode = window.byte(at);
            at += 1;
            kind = KIND[usize::from(opcode)];
            if kind == 0 {
                break;
            }
            if seen & kind != 0 {
                return padding_or(&window, DecodeError::DuplicatePrefix);
            }
            seen |= kind;
        }
        if prefix == 0 && seen & OPERAND != 0 {
            prefix = 1;
        }
    }

    let mut rex = 0;
    if opcode & 0xF0 == 0x40 && arch == Arch::Amd64 {
        rex = opcode;
        opcode = window.byte(at);
        at += 1;
        if KIND[usize::from(opcode)] != 0 || opcode & 0xF0 == 0x40 {
            return window.fail(at, DecodeError::RexOrder);
        }
    }

    let mut select = prefix;
    if opcode == 0x0F {
        opcode = window.byte(at);
        at += 1;
        select += PREFIXES;
    }

    let modrm = window.byte(at);
    let (number, group) = table::lookup(arch, select, opcode, modrm);
    let Some((number, form)) = number.and_then(|n| table::form(n).map(|form| (n, form))) else {
        let error = why_no_row(arch, select, opcode, modrm, seen);
        return window.fail(at + usize::from(group), error);
    };

    // The operand size. Where `66` belongs to the opcode, the table was selected by it.
    let operand = seen & OPERAND != 0 && !form.takes_66;
    let size = usize::from(rex & REX_W) >> 2 | usize::from(operand);
    if form.sizes >> size & 1 == 0 {
        // Without any of the two, the instruction only exists with REX.W.
        use DecodeError::{Opcode, OperandSize, Rex};
        return window.fail(at, [Opcode, OperandSize, Rex, OperandSize][size & 3]);
    }
    let (mut width, mut source) = (form.widths[size & 3], form.sources[size & 3]);
    if form.word && arch == Arch::Ia32 {
        (width, source) = (Width::B4, Width::B4);
    }

    // ModRM, SIB and displacement. `used` collects the REX bits that have an effect.
    let mut args = form.args;
    let mut mem = Mem::default();
    let mut used = rex & REX_W;
    let mut rm = Arg::None;
    match form.tail {
        Tail::Nothing => {}
        Tail::ModRm => {
            at += 1;
            if modrm >= 0xC0 {
                used |= REX_B;
                let number = modrm & 7 | (rex & REX_B) << 3;
                rm = if form.vector_rm { Arg::Xmm(number) } else { general(number, source, rex) };
            } else {
                rm = Arg::Mem;
                let size;
                (mem, size) = match memory(arch, rex, modrm, window.byte(at), &mut used) {
                    Ok(parts) => parts,
                    Err(error) => return window.fail(at + 1, error),
                };
                at += usize::from(modrm & 7 == 4);
                mem.disp = if size == 0 { 0 } else { window.signed(at, size) };
                at += usize::from(size);
            }
            args[usize::from(form.rm_place & 3)] = rm;
        }
        Tail::Byte(byte) => {
            at += 1;
            if byte != modrm {
                return window.fail(at, DecodeError::Opcode);
            }
        }
    }
    if form.reg_place < 3 {
        let number = if form.low {
            used |= REX_B;
            opcode & 7 | (rex & REX_B) << 3
        } else {
            used |= REX_R;
            modrm >> 3 & 7 | (rex & REX_R) << 1
        };
        let reg = if form.vector_reg { Arg::Xmm(number) } else { general(number, width, rex) };
        args[usize::from(form.reg_place & 3)] = reg;
    }
    if rex != 0 && !rex_has_effect(form, rex, used, &args, width, source) {
        return window.fail(at, DecodeError::Rex);
    }

    // The immediate.
    let bytes_of_immediate = form.immediate[size & 3];
    let mut imm = window.signed(at, bytes_of_immediate) & form.mask | form.constant;
    at += usize::from(bytes_of_immediate);
    if at > MAX_LENGTH || at > window.available {
        return window.fail(at, DecodeError::TooLong);
    }
    let next = ip.wrapping_add(at as u64) as i64;
    if mem.rip {
        mem.disp = mem.disp.wrapping_add(next);
    }
    imm = imm.wrapping_add(next & form.relative);
    if arch == Arch::Ia32 && form.relative != 0 {
        imm &= 0xFFFF_FFFF;
    }

    let lock = seen & LOCK != 0;
    if lock && !(form.lock && rm == Arg::Mem) {
        return Err(DecodeError::Lock);
    }
    if form.special {
        if form.op == Op::Nop {
            return long_nop(&window, at);
        }
        // `xchg ax, ax` is `nop`: one byte, or two with `66`.
        if args[0] == Arg::Reg(Reg::AX) {
            return if rex == 0 { Ok(nop(SHORT_NOP, at)) } else { Err(DecodeError::Rex) };
        }
    }
    Ok(Insn {
        op: form.op,
        width,
        src_width: source,
        cond: Cond::ALL[usize::from(opcode & form.condition & 15)],
        rep: REPS[prefix & usize::from(form.repeat & 3)],
        lock,
        len: at as u8,
        args: [args[0], args[1], args[2]],
        mem,
        imm,
        row: number,
    })
}

/// A general register operand: without REX, bytes 4..8 are the second bytes of registers 0..4.
#[inline(always)]
fn general(number: u8, width: Width, rex: u8) -> Arg {
    if width == Width::B1 && rex == 0 && number >= 4 {
        Arg::High(Reg(number & 3))
    } else {
        Arg::Reg(Reg(number))
    }
}

/// The memory operand of a ModRM byte (and of the SIB byte behind it, if there is one), without
/// its displacement, and the displacement's size in bytes.
#[inline(always)]
fn memory(arch: Arch, rex: u8, modrm: u8, sib: u8, used: &mut u8) -> Result<(Mem, u8), DecodeError> {
    let mode = modrm >> 6;
    let mut size = [0, 1, 4, 0][usize::from(mode)];
    let mut mem = Mem { scale: 1, ..Mem::default() };
    let base_bit = (rex & REX_B) << 3;
    if modrm & 7 != 4 {
        let base = modrm & 7;
        if mode == 0 && base == 5 {
            // No base: relative to the next instruction, in 32-bit mode absolute.
            mem.rip = arch == Arch::Amd64;
            size = 4;
        } else {
            *used |= REX_B;
            mem.base = Some(Reg(base | base_bit));
        }
        return Ok((mem, size));
    }
    let base = sib & 7;
    let index = sib >> 3 & 7 | (rex & REX_X) << 2;
    let absolute = mode == 0 && base == 5;
    if absolute {
        size = 4;
    } else {
        *used |= REX_B;
        mem.base = Some(Reg(base | base_bit));
    }
    if index == 4 {
        // No index. The SIB byte is needed for the base rsp or r12, and for an absolute address
        // where ModRM alone means a relative one.
        let needed = if absolute { arch == Arch::Amd64 } else { base == 4 };
        if !needed || sib >= 0x40 {
            return Err(DecodeError::Sib);
        }
    } else {
        *used |= REX_X;
        mem.index = Some(Reg(index));
        mem.scale = 1 << (sib >> 6);
    }
    Ok((mem, size))
}

/// Whether every bit of the REX prefix has an effect, or, without bits, the prefix itself: it
/// selects spl, bpl, sil or dil.
#[inline(always)]
fn rex_has_effect(form: &Form, rex: u8, used: u8, args: &[Arg; 4], width: Width, source: Width) -> bool {
    let bits = rex & 0x0F;
    if bits != 0 {
        return bits & !used == 0;
    }
    let new_byte =
        |place: u8, width| width == Width::B1 && matches!(args[usize::from(place & 3)], Arg::Reg(Reg(4..=7)));
    new_byte(form.rm_place, source) || new_byte(form.reg_place, width)
}

/// The error for a prefix that is never accepted.
fn bad_prefix(kind: u8) -> DecodeError {
    if kind == ADDRESS { DecodeError::AddressSize } else { DecodeError::Segment }
}

/// Why the table has no row: because of the prefix, of the operand, or of the opcode.
#[cold]
fn why_no_row(arch: Arch, select: usize, opcode: u8, modrm: u8, seen: u8) -> DecodeError {
    let map = select & PREFIXES;
    let prefix = select & (PREFIXES - 1);
    let other_mode = if modrm < 0xC0 { modrm | 0xC0 } else { modrm & 0x3F };
    if table::lookup(arch, select, opcode, other_mode).0.is_some() {
        return DecodeError::Form;
    }
    let without = (0..PREFIXES)
        .filter(|&other| other != prefix)
        .any(|other| table::lookup(arch, map + other, opcode, modrm).0.is_some());
    match prefix {
        2 | 3 if without => DecodeError::Repeat,
        1 if without && seen & OPERAND != 0 => DecodeError::OperandSize,
        _ => DecodeError::Opcode,
    }
}

/// The longest accepted `nop`. Its last 10 to 15 bytes are the long ones that assemblers emit: one
/// prefix `66` or more, the prefix 2E, and a `nop` on memory.
const LONGEST: [u8; 15] = [0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x2E, 0x0F, 0x1F, 0x84, 0, 0, 0, 0, 0];

/// The shorter ones, by length, as the Intel SDM recommends them (volume 2, NOP).
fn nop_bytes(len: usize) -> &'static [u8] {
    match len {
        3 => &[0x0F, 0x1F, 0],
        4 => &[0x0F, 0x1F, 0x40, 0],
        5 => &[0x0F, 0x1F, 0x44, 0, 0],
        6 => &[0x66, 0x0F, 0x1F, 0x44, 0, 0],
        7 => &[0x0F, 0x1F, 0x80, 0, 0, 0, 0],
        8 => &[0x0F, 0x1F, 0x84, 0, 0, 0, 0, 0],
        9 => &[0x66, 0x0F, 0x1F, 0x84, 0, 0, 0, 0, 0],
        10..=15 => &LONGEST[15 - len..],
        _ => &[],
    }
}

/// A `nop` on memory, of this length: only if it is the one of its length that assemblers emit.
fn long_nop(window: &Window, len: usize) -> Result<Insn, DecodeError> {
    let expected = nop_bytes(len);
    if !expected.is_empty() && window.bytes.starts_with(expected) {
        Ok(nop(LONG_NOP, len))
    } else {
        Err(DecodeError::Nop)
    }
}

/// Prefixes that only the longest `nop` instructions have: one of them, or else `error`.
fn padding_or(window: &Window, error: DecodeError) -> Result<Insn, DecodeError> {
    let len = 9 + window.bytes.iter().take(6).take_while(|&&byte| byte == 0x66).count();
    let expected = if len > 9 { nop_bytes(len) } else { &[] };
    let here = window.bytes.get(..window.available).unwrap_or(window.bytes);
    if expected.is_empty() {
        Err(error)
    } else if here.starts_with(expected) {
        Ok(nop(LONG_NOP, len))
    } else if expected.starts_with(here) {
        Err(DecodeError::Truncated)
    } else {
        Err(error)
    }
}

/// A `nop`: nothing is left of its encoding but the length.
fn nop(row: u16, len: usize) -> Insn {
    Insn { op: Op::Nop, len: len as u8, row, ..Insn::default() }
}

/// The length of the padding instruction at the start of `bytes`, if there is one: `int3`, or a
/// `nop` as assemblers emit it.
pub fn is_padding(arch: Arch, bytes: &[u8]) -> Option<usize> {
    match decode(arch, bytes, 0) {
        Ok(insn) if matches!(insn.op, Op::Int3 | Op::Nop) => Some(usize::from(insn.len)),
        _ => None,
    }
}
