//! One decoded instruction: what the decoder hands to the rules.
//!
//! The form is small and flat, so that a decoder can fill it in a stream and nothing is
//! allocated. It names *what an instruction does*, never how it was encoded: everything
//! about encodings ends in [`super::decode`].

/// The width of an operation or of a memory access.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Width {
    /// 1 byte.
    #[default]
    B1,
    /// 2 bytes.
    B2,
    /// 4 bytes.
    B4,
    /// 8 bytes.
    B8,
    /// 16 bytes (vector registers and memory only).
    B16,
}

impl Width {
    /// The width in bytes.
    pub const fn bytes(self) -> u32 {
        1 << self as u32
    }
    /// The width in bits.
    pub const fn bits(self) -> u32 {
        8 << self as u32
    }
    /// The width of `bytes` bytes, if there is one.
    pub const fn of_bytes(bytes: u32) -> Option<Width> {
        Some(match bytes {
            1 => Width::B1,
            2 => Width::B2,
            4 => Width::B4,
            8 => Width::B8,
            16 => Width::B16,
            _ => return None,
        })
    }
}

/// A general register by its hardware number: 0 = rax/eax, 1 = rcx, 2 = rdx, 3 = rbx,
/// 4 = rsp, 5 = rbp, 6 = rsi, 7 = rdi, 8..=15 = r8..r15.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Hash)]
pub struct Reg(pub u8);

#[allow(missing_docs)]
impl Reg {
    pub const AX: Reg = Reg(0);
    pub const CX: Reg = Reg(1);
    pub const DX: Reg = Reg(2);
    pub const BX: Reg = Reg(3);
    pub const SP: Reg = Reg(4);
    pub const BP: Reg = Reg(5);
    pub const SI: Reg = Reg(6);
    pub const DI: Reg = Reg(7);
    /// The number as an index into the register file.
    pub const fn index(self) -> usize {
        (self.0 & 15) as usize
    }
}

/// What one operand of an instruction is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Arg {
    /// No operand in this position.
    #[default]
    None,
    /// A general register, at the instruction's width (the low part of the register); as the
    /// source of `movzx`, `movsx` and [`Op::VecLoad`] at [`Insn::src_width`].
    Reg(Reg),
    /// AH, CH, DH or BH: bits 8..16 of register 0..=3. Only at width [`Width::B1`].
    High(Reg),
    /// A 128-bit vector register, 0..=15.
    Xmm(u8),
    /// The memory operand in [`Insn::mem`].
    Mem,
    /// The constant in [`Insn::imm`]. Only its low bits, at the operand width, count.
    Imm,
    /// A code address: the target in [`Insn::imm`] (absolute).
    Rel,
}

/// A memory operand `[base + scale*index + disp]`; no segment, no address-size override.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Mem {
    /// The base register.
    pub base: Option<Reg>,
    /// The index register (never rsp).
    pub index: Option<Reg>,
    /// 1, 2, 4 or 8.
    pub scale: u8,
    /// The displacement, sign-extended (also an absolute address without base and index). For
    /// RIP-relative operands the **absolute** address.
    pub disp: i64,
    /// The operand was RIP-relative: `disp` is absolute, base and index are absent.
    pub rip: bool,
}

/// The sixteen conditions, in hardware order (`code = 0x70 + cond`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[allow(missing_docs)]
#[repr(u8)]
pub enum Cond {
    #[default]
    O,
    No,
    B,
    Ae,
    E,
    Ne,
    Be,
    A,
    S,
    Ns,
    P,
    Np,
    L,
    Ge,
    Le,
    G,
}

impl Cond {
    /// All conditions in hardware order.
    pub const ALL: [Cond; 16] = [
        Cond::O,
        Cond::No,
        Cond::B,
        Cond::Ae,
        Cond::E,
        Cond::Ne,
        Cond::Be,
        Cond::A,
        Cond::S,
        Cond::Ns,
        Cond::P,
        Cond::Np,
        Cond::L,
        Cond::Ge,
        Cond::Le,
        Cond::G,
    ];
    /// The condition that holds exactly when this one does not.
    pub const fn negate(self) -> Cond {
        Cond::ALL[(self as usize) ^ 1]
    }
}

/// A repeat prefix on a string instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Rep {
    /// None.
    #[default]
    No,
    /// `rep` or `repe` (F3).
    Rep,
    /// `repne` (F2).
    Repne,
}

/// What an instruction does: its meaning class. Operand order is Intel's, destination first.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Op {
    /// Never produced for an accepted instruction.
    #[default]
    Invalid,
    /// `mov dst, src` (also `mov r64, imm64`).
    Mov,
    /// `movzx dst, src`: source width in [`Insn::src_width`].
    Movzx,
    /// `movsx`/`movsxd dst, src`: source width in [`Insn::src_width`].
    Movsx,
    /// `lea dst, mem`.
    Lea,
    /// `xchg a, b`.
    Xchg,
    /// `push src` (width is the machine word).
    Push,
    /// `pop dst` (width is the machine word).
    Pop,
    /// `leave`.
    Leave,
    /// `add dst, src`.
    Add,
    /// `adc dst, src`.
    Adc,
    /// `sub dst, src`.
    Sub,
    /// `sbb dst, src`.
    Sbb,
    /// `and dst, src`.
    And,
    /// `or dst, src`.
    Or,
    /// `xor dst, src`.
    Xor,
    /// `cmp a, b`.
    Cmp,
    /// `test a, b`.
    Test,
    /// `inc dst`.
    Inc,
    /// `dec dst`.
    Dec,
    /// `neg dst`.
    Neg,
    /// `not dst`.
    Not,
    /// `shl dst, imm8|cl|1` (count: `Imm` or `Reg(CX)`).
    Shl,
    /// `shr dst, count`.
    Shr,
    /// `sar dst, count`.
    Sar,
    /// `rol dst, count`.
    Rol,
    /// `ror dst, count`.
    Ror,
    /// `rcl dst, count`.
    Rcl,
    /// `rcr dst, count`.
    Rcr,
    /// `shld dst, src, count`.
    Shld,
    /// `shrd dst, src, count`.
    Shrd,
    /// One-operand `mul src`: `dx:ax = ax * src`.
    Mul,
    /// One-operand `imul src`.
    Imul1,
    /// `imul dst, src` and `imul dst, src, imm` (three args).
    Imul,
    /// `div src`.
    Div,
    /// `idiv src`.
    Idiv,
    /// `cbw`/`cwde`/`cdqe`: sign-extends the lower half of ax into `width`.
    Cbw,
    /// `cwd`/`cdq`/`cqo`: fills dx with the sign of ax, at `width`.
    Cwd,
    /// `setcc dst8`.
    Setcc,
    /// `cmovcc dst, src`.
    Cmovcc,
    /// `bt a, b`: `a` is a register.
    Bt,
    /// `bts dst, b`.
    Bts,
    /// `btr dst, b`.
    Btr,
    /// `btc dst, b`.
    Btc,
    /// `bsf dst, src`.
    Bsf,
    /// `bsr dst, src`.
    Bsr,
    /// `popcnt dst, src`.
    Popcnt,
    /// `bswap dst` (4 or 8 bytes).
    Bswap,
    /// `cmpxchg dst, src` (implicit ax).
    Cmpxchg,
    /// `xadd dst, src`.
    Xadd,
    /// `movs` at `width`; see [`Insn::rep`].
    Movs,
    /// `stos` at `width`.
    Stos,
    /// `lods` at `width`, no repeat prefix.
    Lods,
    /// `cmps` at `width`.
    Cmps,
    /// `scas` at `width`.
    Scas,
    /// `call rel32`.
    Call,
    /// `call r/m`.
    CallInd,
    /// `jmp rel`.
    Jmp,
    /// `jmp r/m`.
    JmpInd,
    /// `jcc rel`.
    Jcc,
    /// `jrcxz`/`jecxz rel8` at full register width.
    Jcxz,
    /// `ret`.
    Ret,
    /// `ret imm16`.
    RetImm,
    /// Any canonical `nop`.
    Nop,
    /// `endbr64`/`endbr32`.
    Endbr,
    /// `ud2`.
    Ud2,
    /// `int3`.
    Int3,
    /// `pause`.
    Pause,
    /// `lfence`, `mfence`, `sfence`.
    Fence,
    /// `rdtsc`.
    Rdtsc,
    /// `cmc`, `clc`, `stc`.
    Carry,
    /// `lahf`-free flag readers do not exist here; `cld` is a no-op since DF is always clear.
    Cld,
    /// `syscall`: only valid inside the stub; the rules reject it elsewhere.
    Syscall,
    /// A vector instruction whose result is raw data: destination `Xmm`, sources `Xmm`, `Mem`, `Reg`
    /// or `Imm`; memory width in [`Insn::src_width`].
    VecLoad,
    /// A vector instruction that writes memory of [`Insn::src_width`] from `Xmm`.
    VecStore,
    /// A vector instruction that writes a general register (`movd`/`movq r, xmm`, `pmovmskb`).
    VecToReg,
}

/// A decoded, canonically encoded instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Insn {
    /// The meaning class.
    pub op: Op,
    /// The operand width.
    pub width: Width,
    /// The width of the source where it differs (`movzx`, `movsx`), and of the memory operand of
    /// vector instructions; otherwise equal to `width`.
    pub src_width: Width,
    /// The condition of `jcc`, `setcc`, `cmovcc`.
    pub cond: Cond,
    /// The repeat prefix of a string instruction.
    pub rep: Rep,
    /// A `lock` prefix was present.
    pub lock: bool,
    /// The instruction's length in bytes, 1..=15.
    pub len: u8,
    /// The operands, destination first; unused ones are [`Arg::None`].
    pub args: [Arg; 3],
    /// The memory operand, meaningful where an operand is [`Arg::Mem`].
    pub mem: Mem,
    /// The immediate or the absolute branch target. Immediates are sign-extended to 64 bits;
    /// shift counts, bit numbers, selectors and the constant of `ret` are zero-extended and not
    /// masked. A branch target on IA-32 has 32 bits, zero-extended.
    pub imm: i64,
    /// The row of [`super::table`] that this encoding matched.
    pub row: u16,
}
