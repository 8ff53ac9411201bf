//! Other decoders' readings, brought into one form and compared.

pub(crate) mod effects;
pub(crate) mod iced;
pub(crate) mod objdump;
pub(crate) mod yax;

use crate::again;
use iced_x86::InstructionInfoFactory;
use talcore::arch::Arch;
use talcore::x86::decode::decode;
use talcore::x86::insn::{Arg, Insn, Op, Rep, Width};
use talcore::x86::table::{self, Pat, Row};

/// Where the tests pretend that the code lies.
pub(crate) const IP: u64 = 0x40_1000;

/// One operand, as any decoder could report it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Operand {
    /// A general register and its width in bytes.
    General(u8, u32),
    /// AH, CH, DH, BH.
    High(u8),
    Xmm(u8),
    /// Base, index, scale (0 without index), displacement or absolute address, RIP-relative.
    Mem(Option<u8>, Option<u8>, u8, i64, bool),
    Imm(i64),
    Rel(u64),
}

/// One instruction, as any decoder could report it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Reading {
    pub(crate) len: usize,
    pub(crate) op: Op,
    /// The condition's hardware number.
    pub(crate) cond: Option<u8>,
    pub(crate) name: String,
    pub(crate) lock: bool,
    pub(crate) rep: Rep,
    pub(crate) operands: Vec<Operand>,
    /// Bytes of memory that an operand names (`None`: the decoder does not say).
    pub(crate) memory: Option<u32>,
}

/// Instructions whose operands are implied: nothing of them is in `Insn::args`.
pub(crate) fn implied(op: Op) -> bool {
    use Op::*;
    matches!(
        op,
        Movs | Stos
            | Lods
            | Cmps
            | Scas
            | Cbw
            | Cwd
            | Leave
            | Ret
            | Nop
            | Endbr
            | Ud2
            | Int3
            | Pause
            | Fence
            | Rdtsc
            | Carry
            | Cld
            | Syscall
    )
}

/// The number of a condition suffix under all its names.
pub(crate) fn condition(suffix: &str) -> Option<u8> {
    Some(match suffix {
        "o" => 0,
        "no" => 1,
        "b" | "c" | "nae" => 2,
        "ae" | "nb" | "nc" => 3,
        "e" | "z" => 4,
        "ne" | "nz" => 5,
        "be" | "na" => 6,
        "a" | "nbe" => 7,
        "s" => 8,
        "ns" => 9,
        "p" | "pe" => 10,
        "np" | "po" => 11,
        "l" | "nge" => 12,
        "ge" | "nl" => 13,
        "le" | "ng" => 14,
        "g" | "nle" => 15,
        _ => return None,
    })
}

/// The vector instructions of the list, by name. Everything else of SSE must be rejected.
const VECTOR: &str = " movups movupd movaps movapd movdqa movdqu movlps movhps movlpd movhpd movhlps \
    movlhps movss movsd movd movq unpcklps unpckhps unpcklpd unpckhpd andps andnps orps xorps andpd \
    andnpd orpd xorpd punpcklbw punpcklwd punpckldq packsswb pcmpgtb pcmpgtw pcmpgtd packuswb \
    punpckhbw punpckhwd punpckhdq packssdw punpcklqdq punpckhqdq pcmpeqb pcmpeqw pcmpeqd psrlw psrld \
    psrlq paddq pmullw psubusb psubusw pminub pand paddusb paddusw pmaxub pandn pavgb psraw psrad \
    pavgw pmulhuw pmulhw psubsb psubsw pminsw por paddsb paddsw pmaxsw pxor psllw pslld psllq \
    pmuludq pmaddwd psadbw psubb psubw psubd psubq paddb paddw paddd shufpd shufps psrldq pslldq \
    pshufd pshufhw pshuflw pinsrw pextrw pmovmskb movmskps movmskpd ";

/// The meaning class of a mnemonic, and its condition. `None`: must never be accepted.
pub(crate) fn class(name: &str, operands: &[Operand]) -> Option<(Op, Option<u8>)> {
    use Op::*;
    for (prefix, op) in [("cmov", Cmovcc), ("set", Setcc), ("j", Jcc)] {
        if let Some(cond) = name.strip_prefix(prefix).and_then(condition) {
            return Some((op, Some(cond)));
        }
    }
    let vector = operands.iter().any(|operand| matches!(operand, Operand::Xmm(_)));
    if vector {
        if !VECTOR.contains(&format!(" {name} ")) {
            return None;
        }
        let op = match operands.first()? {
            Operand::Xmm(_) => VecLoad,
            Operand::Mem(..) => VecStore,
            _ => VecToReg,
        };
        return Some((op, None));
    }
    let relative = matches!(operands.first(), Some(Operand::Rel(_)));
    let op = match name {
        "mov" | "movabs" => Mov,
        "movzx" => Movzx,
        "movsx" | "movsxd" => Movsx,
        "lea" => Lea,
        "xchg" => Xchg,
        "push" => Push,
        "pop" => Pop,
        "leave" => Leave,
        "add" => Add,
        "adc" => Adc,
        "sub" => Sub,
        "sbb" => Sbb,
        "and" => And,
        "or" => Or,
        "xor" => Xor,
        "cmp" => Cmp,
        "test" => Test,
        "inc" => Inc,
        "dec" => Dec,
        "neg" => Neg,
        "not" => Not,
        "shl" => Shl,
        "shr" => Shr,
        "sar" => Sar,
        "rol" => Rol,
        "ror" => Ror,
        "rcl" => Rcl,
        "rcr" => Rcr,
        "shld" => Shld,
        "shrd" => Shrd,
        "mul" => Mul,
        "imul" if operands.len() == 1 => Imul1,
        "imul" => Imul,
        "div" => Div,
        "idiv" => Idiv,
        "cbw" | "cwde" | "cdqe" => Cbw,
        "cwd" | "cdq" | "cqo" => Cwd,
        "bt" => Bt,
        "bts" => Bts,
        "btr" => Btr,
        "btc" => Btc,
        "bsf" => Bsf,
        "bsr" => Bsr,
        "popcnt" => Popcnt,
        "bswap" => Bswap,
        "cmpxchg" => Cmpxchg,
        "xadd" => Xadd,
        "movsb" | "movsw" | "movsd" | "movsq" | "movs" => Movs,
        "stosb" | "stosw" | "stosd" | "stosq" | "stos" => Stos,
        "lodsb" | "lodsw" | "lodsd" | "lodsq" | "lods" => Lods,
        "cmpsb" | "cmpsw" | "cmpsd" | "cmpsq" | "cmps" => Cmps,
        "scasb" | "scasw" | "scasd" | "scasq" | "scas" => Scas,
        "call" if relative => Call,
        "call" => CallInd,
        "jmp" if relative => Jmp,
        "jmp" => JmpInd,
        "jrcxz" | "jecxz" => Jcxz,
        "ret" | "return" if operands.is_empty() => Ret,
        "ret" | "return" => RetImm,
        "nop" => Nop,
        "endbr64" | "endbr32" => Endbr,
        "ud2" => Ud2,
        "int3" => Int3,
        "pause" => Pause,
        "lfence" | "mfence" | "sfence" => Fence,
        "rdtsc" => Rdtsc,
        "cmc" | "clc" | "stc" => Carry,
        "cld" => Cld,
        "syscall" | "int" => Syscall,
        _ => return None,
    };
    Some((op, None))
}

/// The mask of the bits that count in an immediate of this many bytes.
fn mask(bytes: u32) -> i64 {
    if bytes >= 8 { -1 } else { (1 << (8 * bytes)) - 1 }
}

/// The mask of the bits that count in the immediate of `insn`.
pub(crate) fn immediate_mask(insn: &Insn, row: &Row) -> i64 {
    let mut bytes = insn.width.bytes();
    for pat in row.args {
        match pat {
            Pat::Uimm8 => bytes = 1,
            Pat::Uimm16 => bytes = 2,
            _ => {}
        }
    }
    mask(bytes)
}

/// Our own reading, in the common form.
pub(crate) fn ours(insn: &Insn) -> Reading {
    let row = table::row(insn.row).expect("the row exists");
    assert_eq!(row.op, insn.op);
    let mut operands = Vec::new();
    for (arg, pat) in insn.args.into_iter().zip(row.args) {
        let width = match pat {
            Pat::Rm => insn.src_width,
            Pat::Cl => Width::B1,
            _ => insn.width,
        };
        operands.push(match arg {
            Arg::None => continue,
            Arg::Reg(reg) => Operand::General(reg.0, width.bytes()),
            Arg::High(reg) => {
                assert_eq!(width, Width::B1);
                Operand::High(reg.0)
            }
            Arg::Xmm(number) => Operand::Xmm(number),
            Arg::Mem => {
                let mem = insn.mem;
                let scale = if mem.index.is_some() { mem.scale } else { 0 };
                Operand::Mem(mem.base.map(|r| r.0), mem.index.map(|r| r.0), scale, mem.disp, mem.rip)
            }
            Arg::Imm => {
                let mask = immediate_mask(insn, row);
                let zero_extended = matches!(pat, Pat::Uimm8 | Pat::Uimm16 | Pat::One);
                assert!(!zero_extended || insn.imm & mask == insn.imm);
                Operand::Imm(insn.imm & mask)
            }
            Arg::Rel => Operand::Rel(insn.imm as u64),
        });
    }
    let names_memory = insn.args.contains(&Arg::Mem) && insn.op != Op::Lea;
    let conditional = matches!(insn.op, Op::Jcc | Op::Setcc | Op::Cmovcc);
    let name = match row.mnemonic {
        "cbw/cwde/cdqe" => ["", "cbw", "cwde", "cdqe"][insn.width as usize],
        "cwd/cdq/cqo" => ["", "cwd", "cdq", "cqo"][insn.width as usize],
        "movd/movq" => match (insn.op, insn.src_width, insn.width) {
            (Op::VecToReg, _, Width::B8) | (Op::VecLoad | Op::VecStore, Width::B8, _) => "movq",
            _ => "movd",
        },
        name => name,
    };
    Reading {
        len: insn.len.into(),
        op: insn.op,
        cond: conditional.then_some(insn.cond as u8),
        name: name.into(),
        lock: insn.lock,
        rep: insn.rep,
        operands: if implied(insn.op) { Vec::new() } else { operands },
        memory: names_memory.then_some(insn.src_width.bytes()),
    }
}

/// Decodes and compares with the two oracles that are at hand; says what was accepted.
pub(crate) fn agree(arch: Arch, bytes: &[u8]) -> Option<Insn> {
    let insn = decode(arch, bytes, IP).ok()?;
    let ours = ours(&insn);
    let used = &bytes[..ours.len];
    iced::check(arch, used, bytes, &insn, &ours);
    yax::check(arch, used, &insn, &ours);
    Some(insn)
}

/// All oracles, of which some want many instructions at once.
pub(crate) struct Oracles {
    arch: Arch,
    objdump: Option<objdump::Batch>,
    again: again::Batch,
    effects: InstructionInfoFactory,
    /// How many instructions were accepted, and compared.
    pub(crate) accepted: u64,
}

impl Oracles {
    pub(crate) fn new(arch: Arch) -> Oracles {
        let objdump = objdump::installed().then(|| objdump::Batch::new(arch));
        if objdump.is_none() {
            eprintln!("skipped: `objdump` is not installed");
        }
        Oracles {
            arch,
            objdump,
            again: again::Batch::new(arch),
            effects: InstructionInfoFactory::new(),
            accepted: 0,
        }
    }

    /// Decodes and compares. Says whether the bytes were accepted.
    pub(crate) fn agree(&mut self, bytes: &[u8]) -> bool {
        let Some(insn) = agree(self.arch, bytes) else { return false };
        let used = &bytes[..usize::from(insn.len)];
        if let Some(objdump) = &mut self.objdump {
            objdump.push(used);
        }
        effects::check(&mut self.effects, self.arch, used, &insn);
        self.again.push(used, &insn);
        self.accepted += 1;
        true
    }

    /// Compares what is left; answers how many were accepted, and how those that talasm writes came back.
    pub(crate) fn finish(mut self) -> (u64, again::Counts) {
        if let Some(objdump) = &mut self.objdump {
            objdump.compare();
            assert_eq!(objdump.compared, self.accepted);
        }
        (self.accepted, self.again.finish())
    }
}
