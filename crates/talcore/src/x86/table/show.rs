//! Rows in words, for `--list-instructions`: the encoding in the notation of the manuals, the
//! operands, and what a typing rule has to know.

use core::fmt;

use super::super::insn::{Op, Width};
use super::{Forms, Mandatory, Map, ModRm, Pat, Regs, Reps, Row, Size, Span};

/// The encoding of a row, as the manuals write it: `66 0F 6E /r`.
pub struct Encoding<'a>(&'a Row);

/// The operands of a row: `r/m16/32/64, imm8`.
pub struct Operands<'a>(&'a Row);

impl Row {
    /// The encoding in the notation of the manuals.
    pub fn encoding(&self) -> Encoding<'_> {
        Encoding(self)
    }

    /// The operands in words.
    pub fn operands(&self) -> Operands<'_> {
        Operands(self)
    }

    /// The name of the typing rule.
    pub const fn rule(&self) -> &'static str {
        use Op::*;
        match self.op {
            Mov => "copy",
            Movzx | Movsx | Cbw | Cwd => "extend",
            Lea => "address",
            Xchg => "exchange",
            Push | Pop => "stack",
            Leave => "leave",
            Add | Sub | Inc | Dec => "linear arithmetic",
            Cmp | Test => "compare",
            Adc | Sbb | And | Or | Xor | Neg | Not | Mul | Imul1 | Imul => "integer arithmetic",
            Shl | Shr | Sar | Rol | Ror | Rcl | Rcr | Shld | Shrd => "shift",
            Div | Idiv => "divide",
            Setcc => "condition to byte",
            Cmovcc => "conditional copy",
            Bt | Bts | Btr | Btc | Bsf | Bsr | Popcnt | Bswap => "bits",
            Cmpxchg => "compare and exchange",
            Xadd => "exchange and add",
            Movs | Stos | Lods | Cmps | Scas => "string",
            Call | CallInd => "call",
            Jmp | JmpInd => "jump",
            Jcc | Jcxz => "branch",
            Ret | RetImm => "return",
            Nop | Endbr | Pause | Fence | Cld => "nothing",
            Ud2 | Int3 => "end",
            Rdtsc => "unknown integers",
            Carry => "flags",
            Syscall => "user-mode stub only",
            VecLoad => "vector load",
            VecStore => "vector store",
            VecToReg => "vector to register",
            Invalid => "",
        }
    }
}

impl fmt::Display for Encoding<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = self.0;
        f.write_str(match row.mandatory {
            Mandatory::None => "",
            Mandatory::P66 => "66 ",
            Mandatory::F3 => "F3 ",
            Mandatory::F2 => "F2 ",
        })?;
        f.write_str(match row.reps {
            Reps::No => "",
            Reps::Rep => "[F3] ",
            Reps::Both => "[F2|F3] ",
        })?;
        f.write_str(match row.size {
            Size::Full => "[66|REX.W] ",
            Size::Wider if row.source == Some(Width::B1) => "[66|REX.W] ",
            Size::Wider | Size::Dword | Size::VectorDword => "[REX.W] ",
            Size::Quad => "REX.W ",
            Size::Byte | Size::Only4 | Size::Word | Size::Vector => "",
        })?;
        if row.map == Map::Two {
            f.write_str("0F ")?;
        }
        write!(f, "{:02X}", row.opcode)?;
        f.write_str(match row.span {
            Span::One => "",
            Span::Register => "+r",
            Span::Condition => "+cc",
        })?;
        match row.modrm {
            ModRm::No => {}
            ModRm::Slash(_) => f.write_str(" /r")?,
            ModRm::Digit(digit, _) => write!(f, " /{digit}")?,
            ModRm::Byte(byte) => write!(f, " {byte:02X}")?,
        }
        for arg in row.args {
            f.write_str(match arg {
                Pat::Imm8 | Pat::Uimm8 => " ib",
                Pat::Uimm16 => " iw",
                Pat::Imm if row.size == Size::Word => " id",
                Pat::Imm => " iw/id",
                Pat::Imm64 => " iw/id/iq",
                Pat::Rel8 => " cb",
                Pat::Rel32 => " cd",
                _ => "",
            })?;
        }
        Ok(())
    }
}

/// The widths in bits that a size stands for.
fn bits(size: Size, source: Option<Width>) -> &'static str {
    match size {
        Size::Byte => "8",
        Size::Full => "16/32/64",
        Size::Wider if source == Some(Width::B1) => "16/32/64",
        Size::Wider | Size::Dword | Size::VectorDword => "32/64",
        Size::Quad => "64",
        Size::Only4 => "32",
        Size::Word => "-word",
        Size::Vector => "128",
    }
}

impl fmt::Display for Operands<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = self.0;
        let forms = match row.modrm {
            ModRm::Slash(forms) | ModRm::Digit(_, forms) => forms,
            ModRm::No | ModRm::Byte(_) => Forms::Any,
        };
        let width = bits(row.size, row.source);
        for (i, arg) in row.args.into_iter().enumerate() {
            if arg != Pat::None && i > 0 {
                f.write_str(", ")?;
            }
            match arg {
                Pat::None => {}
                Pat::Rm => {
                    f.write_str(match forms {
                        Forms::Any => "r/m",
                        Forms::Register => "r",
                        Forms::Memory => "m",
                    })?;
                    match row.source {
                        Some(source) => write!(f, "{}", source.bits())?,
                        None => f.write_str(width)?,
                    }
                }
                Pat::VecRm => {
                    let memory = row.source.unwrap_or(Width::B16).bits();
                    match forms {
                        Forms::Any => write!(f, "xmm/m{memory}")?,
                        Forms::Register => f.write_str("xmm")?,
                        Forms::Memory => write!(f, "m{memory}")?,
                    }
                }
                Pat::Reg | Pat::Low => write!(f, "r{width}")?,
                Pat::VecReg => f.write_str("xmm")?,
                Pat::Ax => write!(f, "ax{width}")?,
                Pat::Cl => f.write_str("cl")?,
                Pat::One => f.write_str("1")?,
                Pat::Imm8 | Pat::Uimm8 => f.write_str("imm8")?,
                Pat::Uimm16 => f.write_str("imm16")?,
                Pat::Imm if row.size == Size::Word => f.write_str("imm32")?,
                Pat::Imm => f.write_str("imm16/32")?,
                Pat::Imm64 => f.write_str("imm16/32/64")?,
                Pat::Rel8 => f.write_str("rel8")?,
                Pat::Rel32 => f.write_str("rel32")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Regs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NAMES: [&str; 16] = [
            "ax", "cx", "dx", "bx", "sp", "bp", "si", "di", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
            "r15",
        ];
        let mut separator = "";
        for (number, name) in NAMES.iter().enumerate() {
            if self.0 >> number & 1 == 1 {
                write!(f, "{separator}{name}")?;
                separator = " ";
            }
        }
        Ok(())
    }
}
