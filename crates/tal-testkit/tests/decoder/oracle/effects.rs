//! What an instruction reads and writes: operands, implied registers, memory, flags; and where control goes. What the
//! table and the class say of it is compared with what iced-x86 says.

use iced_x86::{
    Decoder, DecoderOptions, FlowControl, Instruction, InstructionInfo, InstructionInfoFactory, OpAccess,
    Register, RflagsBits,
};
use talcore::arch::Arch;
use talcore::x86::insn::{Arg, Insn, Op, Rep};
use talcore::x86::table::{self, Row};

use super::{IP, implied};

/// How something is used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord)]
pub(crate) struct Use {
    pub(crate) read: bool,
    pub(crate) written: bool,
}

const READ: Use = Use { read: true, written: false };
const WRITTEN: Use = Use { read: false, written: true };
const BOTH: Use = Use { read: true, written: true };

/// How the operand in place `i` is used, by the class alone.
pub(crate) fn operand(insn: &Insn, i: usize) -> Use {
    use Op::*;
    match (insn.op, i) {
        (Xchg | Xadd, 1) => BOTH,
        (_, 1..) => READ,
        (Cmp | Test | Bt | Push | Mul | Imul1 | Div | Idiv | CallInd | JmpInd, _) => READ,
        (Call | Jmp | Jcc | Jcxz | RetImm, _) => READ,
        (Mov | Movzx | Movsx | Lea | Setcc | Pop | VecStore | VecToReg, _) => WRITTEN,
        (Bsf | Bsr | Popcnt, _) => WRITTEN,
        (Imul, _) if insn.args[2] != Arg::None => WRITTEN,
        _ => BOTH,
    }
}

/// Whether only what is written is told: the rest depends on the condition, on the operand, or on the lane.
pub(crate) fn reads_vary(insn: &Insn, i: usize) -> bool {
    use Op::*;
    let vector = matches!(insn.args[i], Arg::Xmm(_));
    vector || matches!(insn.op, Cmovcc | Bsf | Bsr | Xor | Sub | Sbb)
}

/// The memory that is used, and how many bytes of it, by the class alone; sorted.
fn memory(arch: Arch, insn: &Insn) -> Vec<(Use, u32)> {
    use Op::*;
    let word = arch.word_bytes();
    // How often something is repeated, no encoding says.
    let wide = if insn.rep == Rep::No { insn.width.bytes() } else { 0 };
    let mut all: Vec<(Use, u32)> = match insn.op {
        Push | Call | CallInd => vec![(WRITTEN, word)],
        Pop | Leave | Ret | RetImm => vec![(READ, word)],
        Movs => vec![(READ, wide), (WRITTEN, wide)],
        Stos => vec![(WRITTEN, wide)],
        Lods | Scas => vec![(READ, wide)],
        Cmps => vec![(READ, wide); 2],
        _ => Vec::new(),
    };
    if let Some(i) = insn.args.iter().position(|arg| *arg == Arg::Mem)
        && insn.op != Lea
    {
        all.push((operand(insn, i), insn.src_width.bytes()));
    }
    all.sort_unstable();
    all
}

/// Where control goes on.
fn flow(arch: Arch, op: Op) -> FlowControl {
    match op {
        Op::Jmp => FlowControl::UnconditionalBranch,
        Op::JmpInd => FlowControl::IndirectBranch,
        Op::Jcc | Op::Jcxz => FlowControl::ConditionalBranch,
        Op::Ret | Op::RetImm => FlowControl::Return,
        Op::Call => FlowControl::Call,
        Op::CallInd => FlowControl::IndirectCall,
        Op::Syscall if arch == Arch::Amd64 => FlowControl::Call,
        Op::Syscall | Op::Int3 => FlowControl::Interrupt,
        Op::Ud2 => FlowControl::Exception,
        _ => FlowControl::Next,
    }
}

/// The same in iced's words; `None`: it is named, but not used.
fn used(access: OpAccess) -> Option<Use> {
    Some(match access {
        OpAccess::None | OpAccess::NoMemAccess => return None,
        OpAccess::Read | OpAccess::CondRead => READ,
        OpAccess::Write | OpAccess::CondWrite => WRITTEN,
        OpAccess::ReadWrite | OpAccess::ReadCondWrite => BOTH,
    })
}

/// Asserts that iced says the same of an accepted instruction.
pub(crate) fn check(factory: &mut InstructionInfoFactory, arch: Arch, bytes: &[u8], insn: &Insn) {
    let instruction = Decoder::with_ip(arch.word_bits(), bytes, IP, DecoderOptions::NONE).decode();
    let row = table::row(insn.row).expect("the row exists");
    assert_eq!(instruction.flow_control(), flow(arch, insn.op), "control behind {instruction}");
    let info = factory.info(&instruction);
    let mut seen: Vec<(Use, u32)> = info
        .used_memory()
        .iter()
        .filter_map(|m| Some((used(m.access())?, m.memory_size().size() as u32)))
        .collect();
    seen.sort_unstable();
    // The kernel's gate is a rule of its own.
    if insn.op == Op::Syscall {
        return;
    }
    assert_eq!(seen, memory(arch, insn), "memory of {instruction}");
    if insn.op == Op::Nop {
        return;
    }
    compare_effects(info, &instruction, insn, row);
    let named = if implied(insn.op) { 0 } else { instruction.op_count() };
    for i in 0..named as usize {
        let Some(theirs) = used(info.op_access(i as u32)) else { continue };
        let ours = operand(insn, i);
        let same = theirs.written == ours.written && (theirs.read == ours.read || reads_vary(insn, i));
        assert!(same, "operand {i} of {instruction}: iced {theirs:?}, ours {ours:?}");
    }
}

/// The flags as a set of letters, in iced's order of bits.
fn letters(bits: u32) -> String {
    [
        (RflagsBits::OF, 'O'),
        (RflagsBits::SF, 'S'),
        (RflagsBits::ZF, 'Z'),
        (RflagsBits::AF, 'A'),
        (RflagsBits::PF, 'P'),
        (RflagsBits::CF, 'C'),
        (RflagsBits::DF, 'D'),
    ]
    .iter()
    .filter(|(bit, _)| bits & bit != 0)
    .map(|(_, letter)| *letter)
    .collect()
}

fn sorted(letters: &str) -> String {
    let order = |letter: &char| "OSZAPCD".find(*letter);
    let mut letters: Vec<char> = letters.chars().collect();
    letters.sort_by_key(order);
    letters.into_iter().collect()
}

/// Compares flags and implied registers of one instance.
fn compare_effects(info: &InstructionInfo, instruction: &Instruction, insn: &Insn, row: &Row) {
    let what = || format!("{instruction}: {row:?}");
    let writes = instruction.rflags_written() | instruction.rflags_cleared() | instruction.rflags_set();
    let undefined = instruction.rflags_undefined();
    // iced looks at constant counts: 0 changes nothing, 1 defines the overflow flag. Rows do not.
    let constant_count = row.args.contains(&table::Pat::Uimm8);
    if !constant_count {
        assert_eq!(sorted(row.flags.writes), letters(writes), "written by {}", what());
        assert_eq!(sorted(row.flags.undefined), letters(undefined), "undefined after {}", what());
    } else {
        let row_touches = format!("{}{}", row.flags.writes, row.flags.undefined);
        for letter in letters(writes | undefined).chars() {
            assert!(row_touches.contains(letter), "{letter} after {}", what());
        }
    }
    for letter in letters(instruction.rflags_read()).chars() {
        assert!(row.flags.reads.contains(letter), "{letter} read by {}", what());
    }

    // Registers: what iced names beyond the operands is what the row says.
    let (mut reads, mut writes) = (row.reads.0, row.writes.0);
    if insn.rep != Rep::No {
        reads |= 2;
        writes |= 2;
    }
    for (i, arg) in insn.args.iter().enumerate() {
        let explicit = match arg {
            Arg::Reg(reg) | Arg::High(reg) => 1 << reg.0,
            _ => 0,
        };
        // A first operand may be read or written; the later ones of some instructions too.
        reads |= explicit;
        if i == 0 || matches!(insn.op, Op::Xchg | Op::Xadd) {
            writes |= explicit;
        }
    }
    if insn.args.contains(&Arg::Mem) {
        for reg in [insn.mem.base, insn.mem.index].into_iter().flatten() {
            reads |= 1 << reg.0;
        }
    }
    let (mut seen_reads, mut seen_writes) = (0, 0);
    for used in info.used_registers() {
        let register = used.register().full_register();
        if !register.is_gpr() {
            continue;
        }
        let bit = 1u16 << (register as u32 - Register::RAX as u32);
        if matches!(
            used.access(),
            OpAccess::Read | OpAccess::CondRead | OpAccess::ReadWrite | OpAccess::ReadCondWrite
        ) {
            seen_reads |= bit;
        }
        if matches!(
            used.access(),
            OpAccess::Write | OpAccess::CondWrite | OpAccess::ReadWrite | OpAccess::ReadCondWrite
        ) {
            seen_writes |= bit;
        }
    }
    assert_eq!(seen_reads & !reads, 0, "iced: reads more: {seen_reads:b} {reads:b}: {}", what());
    assert_eq!(seen_writes & !writes, 0, "iced: writes more: {seen_writes:b} {writes:b}: {}", what());
    assert_eq!(row.writes.0 & !seen_writes, 0, "iced: writes less: {seen_writes:b}: {}", what());
    let idiom = matches!(insn.op, Op::Xor | Op::Sub | Op::Sbb);
    assert!(idiom || row.reads.0 & !seen_reads == 0, "iced: reads less: {seen_reads:b}: {}", what());
}
