//! The decoder: bytes to [`Insn`], for exactly the encodings that the table lists.
//!
//! It accepts a *canonical* subset: every prefix has an effect, none is repeated, and of the ways
//! to say the same only those are left that assemblers choose between. So there is nothing in an
//! accepted instruction that another decoder, or another processor, could read differently.

use super::insn::{Arg, Insn, Mem, Op, Reg, Rep, Width};
use super::table::{self, Form, LONG_NOP, PREFIXES, Pat, REPS, SHORT_NOP};
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

/// The bytes of one instruction: at most 16 of them, with zeros behind, so that every read
/// succeeds. A read past the end is found afterwards, by comparing with `available`.
struct Window {
    bytes: [u8; 32],
    available: usize,
}

impl Window {
    #[inline(always)]
    fn new(input: &[u8]) -> Window {
        let mut bytes = [0; 32];
        // The common case has a fixed length, which copies without a call.
        if let (Some(from), Some(to)) = (input.first_chunk::<16>(), bytes.first_chunk_mut::<16>()) {
            *to = *from;
            return Window { bytes, available: 16 };
        }
        for (to, from) in bytes.iter_mut().zip(input) {
            *to = *from;
        }
        Window { bytes, available: input.len() }
    }

    #[inline(always)]
    fn byte(&self, at: usize) -> u8 {
        self.bytes[at & 15]
    }

    /// The 8 bytes from `at` on, little endian.
    #[inline(always)]
    fn word(&self, at: usize) -> u64 {
        let at = at & 15;
        match self.bytes.get(at..at + 8).and_then(|bytes| bytes.first_chunk()) {
            Some(bytes) => u64::from_le_bytes(*bytes),
            None => 0,
        }
    }

    /// The `size` bytes from `at` on, sign-extended; 0 bytes give 0.
    #[inline(always)]
    fn signed(&self, at: usize, size: u8) -> i64 {
        let unused = 64 - 8 * u32::from(size.min(8));
        let word = self.word(at) as i64;
        word.unbounded_shl(unused).unbounded_shr(unused)
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

/// Decodes the instruction at the start of `bytes`, which lies at address `ip`. Reads no more than
/// the first 15 bytes.
pub fn decode(arch: Arch, bytes: &[u8], ip: u64) -> Result<Insn, DecodeError> {
    let window = Window::new(bytes);
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
    let Some((mut number, form)) = number.and_then(|n| table::form(n).map(|form| (n, form))) else {
        let error = why_no_row(arch, select, opcode, modrm, seen);
        return window.fail(at + usize::from(group), error);
    };

    // The operand size. Where `66` belongs to the opcode, the table was selected by it.
    let operand = seen & OPERAND != 0 && !form.takes_66;
    let size = match (rex & REX_W != 0, operand) {
        (false, false) => 0,
        (false, true) => 1,
        (true, false) => 2,
        (true, true) => return window.fail(at, DecodeError::OperandSize),
    };
    if form.sizes & (1 << size) == 0 {
        // Without any of the two, the instruction only exists with REX.W.
        let errors = [DecodeError::Opcode, DecodeError::OperandSize, DecodeError::Rex];
        return window.fail(at, errors[size]);
    }
    let (mut width, mut source) = (form.widths[size], form.sources[size]);
    if form.word && arch == Arch::Ia32 {
        (width, source) = (Width::B4, Width::B4);
    }

    // ModRM, SIB and displacement. `used` collects the REX bits that have an effect.
    let mut insn = Insn { op: form.op, width, src_width: source, ..Insn::default() };
    let mut used = rex & REX_W;
    let mut rm = Arg::None;
    if form.exact != 0 {
        at += 1;
        if form.exact != modrm {
            return window.fail(at, DecodeError::Opcode);
        }
    } else if form.modrm {
        at += 1;
        if form.reg {
            used |= REX_R;
        }
        if modrm >= 0xC0 {
            used |= REX_B;
            let number = modrm & 7 | (rex & REX_B) << 3;
            rm = if form.vector { Arg::Xmm(number) } else { general(number, source, rex) };
        } else {
            rm = Arg::Mem;
            let sib = window.byte(at);
            let (mem, size) = match memory(arch, rex, modrm, sib, &mut used) {
                Ok(parts) => parts,
                Err(error) => return window.fail(at + 1, error),
            };
            insn.mem = mem;
            at += usize::from(modrm & 7 == 4);
            insn.mem.disp = window.signed(at, size);
            at += usize::from(size);
        }
    }
    if form.low {
        used |= REX_B;
    }

    // The immediate.
    let size = form.immediate[size];
    insn.imm = window.signed(at, size);
    at += usize::from(size);
    if form.unsigned {
        insn.imm &= if size == 1 { 0xFF } else { 0xFFFF };
    } else if form.one {
        insn.imm = 1;
    }

    if at > MAX_LENGTH || at > window.available {
        return window.fail(at, DecodeError::TooLong);
    }
    insn.len = at as u8;
    let next = ip.wrapping_add(at as u64);
    if insn.mem.rip {
        insn.mem.disp = insn.mem.disp.wrapping_add(next as i64);
    }
    if form.relative {
        insn.imm = insn.imm.wrapping_add(next as i64);
        if arch == Arch::Ia32 {
            insn.imm &= 0xFFFF_FFFF;
        }
    }

    // The operands.
    let reg = modrm >> 3 & 7 | (rex & REX_R) << 1;
    let low = opcode & 7 | (rex & REX_B) << 3;
    let mut choices = [Arg::None; 16];
    choices[Pat::Rm as usize] = rm;
    choices[Pat::VecRm as usize] = rm;
    choices[Pat::Reg as usize] = general(reg, width, rex);
    choices[Pat::VecReg as usize] = Arg::Xmm(reg);
    choices[Pat::Low as usize] = general(low, width, rex);
    choices[Pat::Ax as usize] = Arg::Reg(Reg::AX);
    choices[Pat::Cl as usize] = Arg::Reg(Reg::CX);
    choices[Pat::One as usize] = Arg::Imm;
    choices[Pat::Imm8 as usize] = Arg::Imm;
    choices[Pat::Uimm8 as usize] = Arg::Imm;
    choices[Pat::Uimm16 as usize] = Arg::Imm;
    choices[Pat::Imm as usize] = Arg::Imm;
    choices[Pat::Imm64 as usize] = Arg::Imm;
    choices[Pat::Rel8 as usize] = Arg::Rel;
    choices[Pat::Rel32 as usize] = Arg::Rel;
    insn.args = form.args.map(|pat| choices[pat as usize & 15]);

    if rex != 0 && !rex_has_effect(form, rex, used, &insn, rm) {
        return Err(DecodeError::Rex);
    }
    if seen & LOCK != 0 {
        if !form.lock || insn.args[0] != Arg::Mem {
            return Err(DecodeError::Lock);
        }
        insn.lock = true;
    }
    if form.reps {
        insn.rep = REPS[prefix & (PREFIXES - 1)];
    }
    if form.condition {
        insn.cond = table::condition(opcode);
    }
    match form.op {
        // `xchg ax, ax` is `nop`: one byte, or two with `66`.
        Op::Xchg if insn.args[0] == Arg::Reg(Reg::AX) && form.low => {
            if rex != 0 {
                return Err(DecodeError::Rex);
            }
            number = SHORT_NOP;
            return Ok(nop(number, insn.len));
        }
        Op::Nop => return padding_or(&window, DecodeError::Nop),
        _ => {}
    }
    insn.row = number;
    Ok(insn)
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
fn rex_has_effect(form: &Form, rex: u8, used: u8, insn: &Insn, rm: Arg) -> bool {
    let bits = rex & 0x0F;
    if bits != 0 {
        return bits & !used == 0;
    }
    let new_byte = |arg, width| width == Width::B1 && matches!(arg, Arg::Reg(Reg(4..=7)));
    let named = form.args.iter().zip(insn.args);
    new_byte(rm, insn.src_width)
        || named.into_iter().any(|(pat, arg)| matches!(pat, Pat::Reg | Pat::Low) && new_byte(arg, insn.width))
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

/// The shorter ones, of the Intel SDM (volume 2, NOP), longest first.
const NOPS: [&[u8]; 7] = [
    &[0x66, 0x0F, 0x1F, 0x84, 0, 0, 0, 0, 0],
    &[0x0F, 0x1F, 0x84, 0, 0, 0, 0, 0],
    &[0x0F, 0x1F, 0x80, 0, 0, 0, 0],
    &[0x66, 0x0F, 0x1F, 0x44, 0, 0],
    &[0x0F, 0x1F, 0x44, 0, 0],
    &[0x0F, 0x1F, 0x40, 0],
    &[0x0F, 0x1F, 0],
];

/// A long `nop` if the bytes are exactly one, else `error`.
#[cold]
fn padding_or(window: &Window, error: DecodeError) -> Result<Insn, DecodeError> {
    let available = window.available;
    let mut cut = false;
    for pattern in (0..=5).filter_map(|skip| LONGEST.get(skip..)).chain(NOPS) {
        if window.bytes.starts_with(pattern) && available >= pattern.len() {
            return Ok(nop(LONG_NOP, pattern.len() as u8));
        }
        let got = window.bytes.get(..available).unwrap_or_default();
        cut |= available < pattern.len() && pattern.starts_with(got);
    }
    Err(if cut { DecodeError::Truncated } else { error })
}

/// A `nop`: nothing is left of its encoding but the length.
fn nop(row: u16, len: u8) -> Insn {
    Insn { op: Op::Nop, len, row, rep: Rep::No, ..Insn::default() }
}

/// The length of the padding instruction at the start of `bytes`, if there is one: `int3`, or a
/// `nop` as assemblers emit it.
pub fn is_padding(arch: Arch, bytes: &[u8]) -> Option<usize> {
    match decode(arch, bytes, 0) {
        Ok(insn) if matches!(insn.op, Op::Int3 | Op::Nop) => Some(usize::from(insn.len)),
        _ => None,
    }
}
