//! Chooses the form of an instruction and encodes it.

use super::form::*;
use super::{RelocKind, WRONG_OPERANDS};
use crate::ir::{Instr, MemOp, Operand, Prefix, RegOp, SymId};
use crate::problem::Problem;
use iced_x86::{Code, Encoder, Instruction, OpKind, Register};
use talcore::arch::Arch;

const AMBIGUOUS_SIZE: u16 = 1303;
const TOO_BIG: u16 = 1304;
const BAD_ADDRESS: u16 = 1305;
const HIGH_BYTE: u16 = 1306;

/// An address within an instruction that a relocation fills in.
pub(super) struct Field {
    /// Offset in the instruction, bytes.
    pub(super) offset: u32,
    pub(super) kind: RelocKind,
    pub(super) sym: SymId,
    pub(super) addend: i64,
}

/// Encodes instructions one after the other into a buffer.
pub(super) struct Selector {
    arch: Arch,
    encoder: Encoder,
    position: u32,
}

impl Selector {
    pub(super) fn new(arch: Arch) -> Selector {
        Selector { arch, encoder: Encoder::new(arch.word_bits()), position: 0 }
    }

    /// How many bytes the buffer has.
    pub(super) fn position(&self) -> u32 {
        self.position
    }

    /// The buffer.
    pub(super) fn take_buffer(&mut self) -> Vec<u8> {
        self.encoder.take_buffer()
    }

    /// Appends bytes.
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        for &b in bytes {
            self.encoder.write_u8(b);
        }
        self.position += bytes.len() as u32;
    }

    /// Appends the instruction in the first of `forms` that takes the operands. An address of a symbol alone is
    /// relative to the instruction, or, if `absolute`, a number of 32 bits.
    pub(super) fn emit(
        &mut self,
        i: &Instr,
        operands: &[Operand],
        forms: &[Form],
        absolute: bool,
    ) -> Result<Vec<Field>, Box<Problem>> {
        let form = choose(i, operands, forms)?;
        let mut ins = Instruction::default();
        ins.set_code(form.code);
        if i.prefix == Some(Prefix::Lock) {
            ins.set_has_lock_prefix(true);
        }
        let mut symbols = Vec::new();
        for (n, operand) in operands.iter().enumerate() {
            let slot = match form.shape {
                Shape::Swapped => 1 - n as u32,
                Shape::Doubled if n == 1 => 2,
                _ => n as u32,
            };
            match operand {
                Operand::Reg(reg, _) => {
                    let narrow = form.shape == Shape::Narrowed && n == 0;
                    let register = register(*reg, narrow);
                    set_register(&mut ins, slot, register);
                    if form.shape == Shape::Doubled && n == 0 {
                        set_register(&mut ins, 1, register);
                    }
                }
                Operand::Imm(value, _) => set_immediate(&mut ins, slot, form.ops[n], *value),
                Operand::SymAddr(sym, addend, _) => {
                    set_immediate(&mut ins, slot, form.ops[n], 0);
                    symbols.push((*sym, *addend, Where::Immediate(form.ops[n])));
                }
                Operand::Mem(mem) => {
                    let alone = mem.base.is_none() && mem.index.is_none();
                    let rip = alone && !absolute && self.arch == Arch::Amd64;
                    set_memory(self.arch, &mut ins, slot, mem, rip)?;
                    symbols.extend(mem.sym.map(|sym| (sym, mem.disp, Where::Memory { rip })));
                }
                // No form takes one of these.
                Operand::Label(..) | Operand::Func(..) => return Err(no_form(i, operands, forms)),
            }
        }
        let length =
            self.encoder.encode(&ins, 0).map_err(|e| cannot_encode(i, operands, &e.to_string()))? as u32;
        self.position += length;
        let offsets = self.encoder.get_constant_offsets();
        // In the order of the bytes: an immediate comes last, in the encoding as in the operands.
        let field = |(sym, addend, place)| match place {
            Where::Memory { rip: true } => {
                let offset = offsets.displacement_offset() as u32;
                // Relative to the end of the instruction, while relocations are to the place itself.
                let addend = addend - i64::from(length - offset);
                Field { offset, kind: RelocKind::Pc32, sym, addend }
            }
            Where::Memory { rip: false } => {
                let kind = if self.arch == Arch::Amd64 { RelocKind::Abs32S } else { RelocKind::Abs32 };
                Field { offset: offsets.displacement_offset() as u32, kind, sym, addend }
            }
            Where::Immediate(spec) => {
                let kind = if spec & X32 != 0 { RelocKind::Abs32S } else { RelocKind::Abs32 };
                Field { offset: offsets.immediate_offset() as u32, kind, sym, addend }
            }
        };
        Ok(symbols.into_iter().map(field).collect())
    }
}

enum Where {
    Memory { rip: bool },
    Immediate(Props),
}

fn properties(operand: &Operand) -> Props {
    match operand {
        Operand::Reg(RegOp::Gpr(number, bytes), _) => register_props(*number, *bytes).unwrap_or(0),
        Operand::Reg(RegOp::High(_), _) => R8,
        Operand::Reg(RegOp::Xmm(_), _) => XMM,
        Operand::Imm(value, _) => immediate_props(*value),
        Operand::SymAddr(..) => I32 | Z32 | X32,
        Operand::Mem(MemOp { size: Some(bytes), .. }) => memory_props(*bytes).unwrap_or(0),
        Operand::Mem(_) => UNSIZED,
        Operand::Label(..) | Operand::Func(..) => 0,
    }
}

/// The first form that takes the operands.
fn choose<'f>(i: &Instr, operands: &[Operand], forms: &'f [Form]) -> Result<&'f Form, Box<Problem>> {
    let mut props = [0; 3];
    for (p, operand) in props.iter_mut().zip(operands) {
        *p = properties(operand);
    }
    let fits = |f: &&Form| {
        f.ops.iter().zip(props).all(|(&spec, p)| spec & p != 0 || (spec == 0 && p == 0))
            && f.arity() == operands.len()
    };
    // The short exchange of the accumulator with itself would be `nop`.
    let exchanges_itself = props[0] & props[1] & (AX | EAX | RAX) != 0;
    let usable = |f: &&Form| {
        !(exchanges_itself && matches!(f.code, Code::Xchg_r16_AX | Code::Xchg_r32_EAX | Code::Xchg_r64_RAX))
    };
    let mut fitting = forms.iter().filter(fits).filter(usable);
    let Some(form) = fitting.next() else { return Err(no_form(i, operands, forms)) };
    if let Some(n) = props.iter().position(|&p| p == UNSIZED) {
        let bytes = memory_bytes(form.ops[n]);
        let sizes: Vec<u32> =
            fitting.filter_map(|f| memory_bytes(f.ops[n])).filter(|&b| Some(b) != bytes).collect();
        if let (Some(bytes), false) = (bytes, sizes.is_empty()) {
            return Err(ambiguous(i, &operands[n], bytes, sizes));
        }
    }
    Ok(form)
}

const SIZE_NAMES: [(u32, &str); 5] = [(1, "byte"), (2, "word"), (4, "dword"), (8, "qword"), (16, "oword")];

fn ambiguous(i: &Instr, operand: &Operand, first: u32, mut others: Vec<u32>) -> Box<Problem> {
    others.push(first);
    let names: Vec<&str> = SIZE_NAMES.iter().filter(|n| others.contains(&n.0)).map(|n| n.1).collect();
    let choice = names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ");
    Box::new(
        Problem::new(
            AMBIGUOUS_SIZE,
            operand.span(),
            format!("the size of this operand of `{}` is not known", i.mnemonic),
        )
        .label("how many bytes?")
        .help(format!("write the size before the bracket: one of {choice}, as in `{} [...]`", names[0])),
    )
}

fn no_form(i: &Instr, operands: &[Operand], forms: &[Form]) -> Box<Problem> {
    let same_count: Vec<&Form> = forms.iter().filter(|f| f.arity() == operands.len()).collect();
    // If all but a constant fit some form, the constant is to blame.
    for (n, operand) in operands.iter().enumerate() {
        let Operand::Imm(value, span) = operand else { continue };
        let others_fit = |f: &&&Form| {
            f.ops[n] & IMMEDIATE != 0
                && operands.iter().enumerate().all(|(m, o)| m == n || f.ops[m] & properties(o) != 0)
        };
        if let Some(form) = same_count.iter().rev().find(others_fit) {
            let room = if form.ops[n] & ONE != 0 { "8-bit".into() } else { range(form.ops[n]) };
            let message = format!("{value} does not fit the {room} constant of `{}`", i.mnemonic);
            let problem = Problem::new(TOO_BIG, *span, message).label("does not fit");
            let help = "move the constant to a register first: `mov r64, constant` takes any 64 bits";
            return Box::new(if form.ops[n] & X32 != 0 { problem.help(help) } else { problem });
        }
    }
    let message = if same_count.is_empty() {
        let counts: std::collections::BTreeSet<usize> = forms.iter().map(Form::arity).collect();
        let counts: Vec<String> = counts.iter().map(usize::to_string).collect();
        let plural = if counts == ["1"] { "operand" } else { "operands" };
        format!("`{}` takes {} {plural}, not {}", i.mnemonic, counts.join(" or "), operands.len())
    } else {
        format!("`{}` does not take these operands", i.mnemonic)
    };
    let mut shown: Vec<String> = Vec::new();
    let listed = if same_count.is_empty() { forms.iter().collect() } else { same_count };
    for form in listed {
        let text = format!("{} {}", i.mnemonic, form.show()).trim_end().to_string();
        if !shown.contains(&text) {
            shown.push(text);
        }
    }
    shown.sort();
    let mut problem = Problem::new(WRONG_OPERANDS, i.span, message);
    if operands.iter().any(|o| matches!(o, Operand::Label(..) | Operand::Func(..))) {
        problem = problem.note(
            "labels and functions as operands are for jumps and calls; an address is `lea reg, [name]`",
        );
    }
    if operands.iter().filter(|o| matches!(o, Operand::Mem(_))).count() > 1 {
        problem = problem.note("at most one operand may be memory");
    }
    Box::new(problem.help(format!("it takes: {}", shown.join("; "))))
}

fn range(spec: Props) -> String {
    let bits = match spec {
        s if s & (I8 | U8 | S16 | S32 | S64) != 0 => "8-bit",
        s if s & (I16 | U16) != 0 => "16-bit",
        s if s & I64 != 0 => "64-bit",
        s if s & X32 != 0 => "sign-extended 32-bit",
        _ => "32-bit",
    };
    bits.into()
}

/// What iced-x86 refuses although a form was found: `ah` and its like with a REX prefix.
fn cannot_encode(i: &Instr, operands: &[Operand], reason: &str) -> Box<Problem> {
    if operands.iter().any(|o| matches!(o, Operand::Reg(RegOp::High(_), _))) {
        return Box::new(
            Problem::new(HIGH_BYTE, i.span, "ah, ch, dh and bh do not go together with the other operand")
                .note("with r8 to r15, spl, bpl, sil, dil and 64-bit operands the processor has no encoding for them"),
        );
    }
    Box::new(Problem::new(WRONG_OPERANDS, i.span, format!("`{}` cannot be encoded: {reason}", i.mnemonic)))
}

fn register(reg: RegOp, narrow: bool) -> Register {
    match reg {
        RegOp::Gpr(n, 8) if !narrow => Register::RAX + u32::from(n),
        RegOp::Gpr(n, 4 | 8) => Register::EAX + u32::from(n),
        RegOp::Gpr(n, 2) => Register::AX + u32::from(n),
        RegOp::Gpr(n @ 0..=3, _) => Register::AL + u32::from(n),
        RegOp::Gpr(n @ 4..=7, _) => Register::SPL + u32::from(n - 4),
        RegOp::Gpr(n, _) => Register::R8L + u32::from(n - 8),
        RegOp::High(n) => Register::AH + u32::from(n),
        RegOp::Xmm(n) => Register::XMM0 + u32::from(n),
    }
}

fn set_register(ins: &mut Instruction, slot: u32, register: Register) {
    match slot {
        0 => ins.set_op0_register(register),
        1 => ins.set_op1_register(register),
        _ => ins.set_op2_register(register),
    }
}

fn set_kind(ins: &mut Instruction, slot: u32, kind: OpKind) {
    match slot {
        0 => ins.set_op0_kind(kind),
        1 => ins.set_op1_kind(kind),
        _ => ins.set_op2_kind(kind),
    }
}

/// The constant was found to fit, so that cutting it to the field's width loses nothing.
fn set_immediate(ins: &mut Instruction, slot: u32, spec: Props, value: i128) {
    let kind = match spec & IMMEDIATE {
        S16 => OpKind::Immediate8to16,
        S32 => OpKind::Immediate8to32,
        S64 => OpKind::Immediate8to64,
        I16 | U16 => OpKind::Immediate16,
        I32 | Z32 => OpKind::Immediate32,
        X32 => OpKind::Immediate32to64,
        I64 => OpKind::Immediate64,
        _ => OpKind::Immediate8,
    };
    set_kind(ins, slot, kind);
    match kind {
        OpKind::Immediate8to16 => ins.set_immediate8to16(value as i16),
        OpKind::Immediate8to32 => ins.set_immediate8to32(value as i32),
        OpKind::Immediate8to64 => ins.set_immediate8to64(value as i64),
        OpKind::Immediate16 => ins.set_immediate16(value as u16),
        OpKind::Immediate32 => ins.set_immediate32(value as u32),
        OpKind::Immediate32to64 => ins.set_immediate32to64(value as i64),
        OpKind::Immediate64 => ins.set_immediate64(value as u64),
        _ => ins.set_immediate8(value as u8),
    }
}

const RSP: u8 = 4;

fn set_memory(
    arch: Arch,
    ins: &mut Instruction,
    slot: u32,
    mem: &MemOp,
    rip: bool,
) -> Result<(), Box<Problem>> {
    let first = if arch == Arch::Amd64 { Register::RAX } else { Register::EAX };
    let wrong = |message: &str| Problem::new(BAD_ADDRESS, mem.span, message);
    let (mut base, mut index) = (mem.base, mem.index);
    match (base, index) {
        // `[2*r]` is shorter as `[r + r]`, and `[1*r]` as `[r]`.
        (None, Some((r, 2))) if mem.sym.is_none() && r != RSP => (base, index) = (Some(r), Some((r, 1))),
        (None, Some((r, 1))) => (base, index) = (Some(r), None),
        (Some(b), Some((RSP, 1))) if b != RSP => (base, index) = (Some(RSP), Some((b, 1))),
        _ => {}
    }
    if let Some((r, scale)) = index {
        if r == RSP {
            let message = "the stack pointer cannot be an index";
            return Err(Box::new(wrong(message).help("copy it to another register first")));
        }
        if !matches!(scale, 1 | 2 | 4 | 8) {
            let message = format!("an index cannot be multiplied by {scale}");
            return Err(Box::new(
                wrong(&message).help("the factors are 1, 2, 4 and 8; use `imul` or `lea` first"),
            ));
        }
        ins.set_memory_index(first + u32::from(r));
        ins.set_memory_index_scale(u32::from(scale));
    }
    // On IA-32 addresses have 32 bits, of which a displacement gives all.
    let unsigned = arch == Arch::Ia32 && u32::try_from(mem.disp).is_ok();
    if i32::try_from(mem.disp).is_err() && !unsigned {
        let message = format!("the displacement {} does not fit in 32 bits", mem.disp);
        return Err(Box::new(wrong(&message).help("add the constant to a register first")));
    }
    set_kind(ins, slot, OpKind::Memory);
    match base {
        Some(r) => ins.set_memory_base(first + u32::from(r)),
        None if rip && mem.sym.is_some() => {
            ins.set_memory_base(Register::RIP);
            ins.set_memory_displ_size(8);
            return Ok(());
        }
        None => {}
    }
    let full = arch.word_bytes();
    if mem.sym.is_some() {
        // The field is filled in by a relocation and must have 4 bytes.
        ins.set_memory_displ_size(full);
    } else {
        let alone = base.is_none() && index.is_none() && arch == Arch::Ia32;
        ins.set_memory_displ_size(if alone { full } else { u32::from(mem.disp != 0) });
        let disp = if arch == Arch::Ia32 { u64::from(mem.disp as u32) } else { mem.disp as u64 };
        ins.set_memory_displacement64(disp);
    }
    Ok(())
}
