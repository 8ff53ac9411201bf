//! Forms of instructions: which operands an encoding takes.
//!
//! An operand has a set of properties (a register of 8 bytes, which is also the accumulator; a
//! constant that fits a sign-extended byte), a form asks for one of a set in each position, and
//! matching is an intersection of bit sets.

use iced_x86::Code;

/// A set of properties of an operand.
pub(super) type Props = u32;

macro_rules! props {
    ($($name:ident $text:literal),* $(,)?) => {
        #[allow(clippy::upper_case_acronyms)]
        #[repr(u32)]
        enum Bit { $($name),* }
        $(pub(super) const $name: Props = 1 << Bit::$name as u32;)*
        /// How each property is written in messages, by bit.
        const TEXT: &[&str] = &[$($text),*];
    };
}

props! {
    R8 "r8", R16 "r16", R32 "r32", R64 "r64",
    M8 "m8", M16 "m16", M32 "m32", M64 "m64", M128 "m128",
    ANY "m",
    AL "al", AX "ax", EAX "eax", RAX "rax", CL "cl",
    XMM "xmm",
    // A constant of 8 bits, signed or unsigned.
    I8 "imm8",
    // Constants that a sign-extended byte gives, at the width of the operation.
    S16 "imm8", S32 "imm8", S64 "imm8",
    I16 "imm16", I32 "imm32",
    // Constants that 4 bytes give sign-extended or zero-extended to 8.
    X32 "imm32", Z32 "imm32",
    I64 "imm64",
    ONE "1",
    // Unsigned constants: a count, a selector, a number of bytes.
    U8 "imm8", U16 "imm16",
}

pub(super) const RM8: Props = R8 | M8;
pub(super) const RM16: Props = R16 | M16;
pub(super) const RM32: Props = R32 | M32;
pub(super) const RM64: Props = R64 | M64;
pub(super) const XM: Props = XMM | M128;
/// What a memory operand without a size may be.
pub(super) const UNSIZED: Props = M8 | M16 | M32 | M64 | M128 | ANY;
pub(super) const IMMEDIATE: Props = I8 | S16 | S32 | S64 | I16 | I32 | X32 | Z32 | I64 | ONE | U8 | U16;

/// How the operands as written become those of the encoding.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Shape {
    /// As they are.
    #[default]
    Plain,
    /// The two operands trade places: the instruction is symmetric.
    Swapped,
    /// The first operand is also the second.
    Doubled,
    /// The destination is written at 4 bytes, which zeroes the upper half.
    Narrowed,
}

/// One form.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    pub(super) code: Code,
    pub(super) ops: [Props; 3],
    pub(super) shape: Shape,
}

impl Form {
    pub(super) const fn new(code: Code, ops: [Props; 3]) -> Form {
        Form { code, ops, shape: Shape::Plain }
    }

    /// How many operands are written.
    pub(super) fn arity(&self) -> usize {
        self.ops.iter().take_while(|&&o| o != 0).count()
    }

    /// The operands as a manual writes them: `r/m64, imm8`.
    pub(super) fn show(&self) -> String {
        let ops: Vec<String> = self.ops.iter().take(self.arity()).map(|&o| show(o)).collect();
        ops.join(", ")
    }
}

fn show(props: Props) -> String {
    for (both, text) in [(RM8, "r/m8"), (RM16, "r/m16"), (RM32, "r/m32"), (RM64, "r/m64"), (XM, "xmm/m128")] {
        if props == both {
            return text.into();
        }
    }
    let names: Vec<&str> =
        TEXT.iter().enumerate().filter(|(i, _)| props >> i & 1 != 0).map(|t| *t.1).collect();
    names.join("/")
}

/// The bytes of a memory operand with exactly this property.
pub(super) fn memory_bytes(props: Props) -> Option<u32> {
    Some(match props & (M8 | M16 | M32 | M64 | M128) {
        M8 => 1,
        M16 => 2,
        M32 => 4,
        M64 => 8,
        M128 => 16,
        _ => return None,
    })
}

/// The property of memory of so many bytes.
pub(super) fn memory_props(bytes: u8) -> Option<Props> {
    Some(
        ANY | match bytes {
            1 => M8,
            2 => M16,
            4 => M32,
            8 => M64,
            16 => M128,
            _ => return None,
        },
    )
}

/// The properties of a general register.
pub(super) fn register_props(number: u8, bytes: u8) -> Option<Props> {
    Some(match (bytes, number) {
        (1, 0) => R8 | AL,
        (2, 0) => R16 | AX,
        (4, 0) => R32 | EAX,
        (8, 0) => R64 | RAX,
        (1, 1) => R8 | CL,
        (1, _) => R8,
        (2, _) => R16,
        (4, _) => R32,
        (8, _) => R64,
        _ => return None,
    })
}

/// The properties of a constant. Each width takes its signed and its unsigned numbers.
pub(super) fn immediate_props(v: i128) -> Props {
    let within = |lo: i128, hi: i128| lo <= v && v <= hi;
    // Whether the low `bits` bits of the constant are the sign-extension of its low `from` bits.
    let extends = |from: u32, bits: u32| {
        let half = 1i128 << (from - 1);
        within(-half, half - 1) || within((1 << bits) - half, (1 << bits) - 1)
    };
    let mut p = 0;
    let mut when = |cond: bool, prop: Props| p |= if cond { prop } else { 0 };
    when(within(-0x80, 0xff), I8);
    when(extends(8, 16), S16);
    when(extends(8, 32), S32);
    when(extends(8, 64), S64);
    when(within(-0x8000, 0xffff), I16);
    when(within(-0x8000_0000, 0xffff_ffff), I32);
    when(extends(32, 64), X32);
    when(within(0, 0xffff_ffff), Z32);
    when(within(-(1 << 63), (1 << 64) - 1), I64);
    when(v == 1, ONE);
    when(within(0, 0xff), U8);
    when(within(0, 0xffff), U16);
    p
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_fit_where_their_bits_do() {
        let has = |v: i128, p: Props| immediate_props(v) & p != 0;
        assert!(has(-1, S64) && has(0xff, I8) && !has(0xff, S64) && !has(0x100, I8));
        assert!(has(0xffff_ff80, S32) && !has(0xffff_ff80, S64) && !has(0xffff_ff7f, S32));
        assert!(has(0xff80, S16) && has((1 << 64) - 1, S64) && !has(1 << 64, I64));
        assert!(has(0x8000_0000, Z32) && !has(0x8000_0000, X32) && has(-0x8000_0000, X32));
        assert!(!has(-0x8000_0001, X32) && !has(-1, Z32) && has(-(1 << 63), I64));
    }

    #[test]
    fn forms_read_like_a_manual() {
        assert_eq!(Form::new(Code::INVALID, [RM64, S64, 0]).show(), "r/m64, imm8");
        assert_eq!(Form::new(Code::INVALID, [XMM, XMM | M64, U8]).show(), "xmm, m64/xmm, imm8");
    }
}
