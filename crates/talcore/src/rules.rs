//! The typing rules: one function per class of instructions.

mod access;
mod addresses;
mod call;
mod constant;
mod control;
mod cursor;
mod frame;
mod gate;
mod instance;
mod integer;
mod label;
mod own;
mod place;
mod seen;
mod stack;
mod statics;
mod stretch;
mod string;
mod strings;
mod structure;
mod unions;
mod when;

pub use call::{CALL, Lent, RETURN};
pub use frame::Loan;
pub use label::LABEL;
pub(crate) use own::Cell;
pub use place::Place;
pub use stretch::LENT;

use crate::arith::{Flags, Num};
use crate::engine::{Checked, Engine, Flow};
use crate::facts::Interval;
use crate::guide::Guide;
use crate::state::Word;
use crate::term::Term;
use crate::verdict::Code;
use crate::x86::insn::{Arg, Insn, Op, Reg, Width};

/// Types one instruction: changes the state, or rejects.
pub fn step<G: Guide>(e: &mut Engine<'_, G>, i: &Insn) -> Checked<Flow> {
    use Op::*;
    if i.lock && !i.args.contains(&Arg::Mem) {
        return e.reject(Code::NotCanonical, "`lock` without a memory operand");
    }
    match i.op {
        Invalid => return e.reject(Code::NotAllowed, "this instruction is not on the allow-list"),
        Mov => e.mov(i)?,
        Movzx | Movsx => e.extend(i)?,
        Lea => e.lea(i)?,
        Xchg => e.xchg(i)?,
        Push => e.push(i)?,
        Pop => e.pop(i)?,
        Leave => e.leave()?,
        Add | Adc | Sub | Sbb | And | Or | Xor | Cmp | Test => e.binary(i)?,
        Inc | Dec | Neg | Not | Bswap => e.unary(i)?,
        Shl | Shr | Sar | Rol | Ror | Rcl | Rcr | Shld | Shrd => e.shift(i)?,
        Mul | Imul1 | Div | Idiv => e.wide(i)?,
        Imul => e.imul(i)?,
        Cbw | Cwd => e.sign(i)?,
        Setcc | Cmovcc => e.conditional(i)?,
        Bt | Bts | Btr | Btc | Bsf | Bsr | Popcnt => e.bits(i)?,
        Cmpxchg | Xadd => e.atomic(i)?,
        Movs | Stos | Lods | Cmps | Scas => e.string(i)?,
        Call => return e.call_direct(i),
        CallInd => return e.call_indirect(i),
        Jmp => return e.jump(i),
        JmpInd => return e.jump_indirect(i),
        Jcc => e.branch(i)?,
        Jcxz => e.branch_cx(i)?,
        Ret => return e.ret(),
        RetImm => return e.reject(Code::NotAllowed, "`ret` with a count is not typed"),
        Nop | Endbr | Pause | Fence | Cld => {}
        Ud2 => return Ok(Flow::Away),
        // A breakpoint traps; whoever handles it may continue behind it.
        Int3 => {}
        Rdtsc => {
            for r in [Reg::AX, Reg::DX] {
                let t = e.fresh(Interval::unsigned(32));
                e.set(r, Word::Int(t));
            }
        }
        Carry => e.state.flags = Flags::unknown(),
        Syscall => return e.reject(Code::RawSyscall, "a system call goes through the gate: `sys NAME`"),
        VecLoad => e.vector_load(i)?,
        VecStore => e.vector_store(i)?,
        VecToReg => {
            let t = e.fresh(Interval::unsigned(i.width.bits().min(64)));
            e.write_arg(i, i.args[0], i.width, t)?;
        }
    }
    Ok(Flow::Next)
}

impl<'a, G: Guide> Engine<'a, G> {
    /// The arithmetic rules over the present facts.
    pub fn num<T>(&mut self, rule: impl FnOnce(&mut Num<'_>) -> T) -> T {
        let word_bits = self.program.arch.word_bits();
        let (_, facts, mut prover) = self.split();
        rule(&mut Num { facts, prover: &mut prover, word_bits })
    }

    /// The word in a register; rsp is `sp(depth)`.
    pub fn get(&self, r: Reg) -> Word {
        if r == Reg::SP {
            return Word::Sp(Term::from(i128::from(self.state.depth)));
        }
        self.state.regs.get(r.index()).cloned().unwrap_or_default()
    }

    /// Whether a register holds a pointer or an address in the frame.
    pub fn points(&self, r: Reg) -> bool {
        r == Reg::SP || matches!(self.state.regs.get(r.index()), Some(Word::Ptr(..) | Word::Sp(_)))
    }

    /// A register read as an integer of full width: see [`Engine::integer`].
    pub fn integer_in(&mut self, r: Reg) -> Checked<Term> {
        match self.state.regs.get(r.index()) {
            Some(Word::Int(t)) if r != Reg::SP => Ok(t.clone()),
            _ => {
                let w = self.get(r);
                self.integer(&w)
            }
        }
    }

    /// Whether a result of this width becomes the word of a register just as it is.
    pub fn stays(&self, width: Width, value: &Term) -> bool {
        if self.full(width) {
            value.as_const().is_none()
        } else {
            width.bits() >= 32 && self.state.facts.evidently_in(value, Interval::unsigned(width.bits()))
        }
    }

    /// Changes a register other than rsp.
    pub fn set(&mut self, r: Reg, w: Word) {
        if r != Reg::SP
            && let Some(slot) = self.state.regs.get_mut(r.index())
        {
            *slot = w;
        }
    }

    /// Whether an operand of this width is a whole machine word.
    pub fn full(&self, width: Width) -> bool {
        i64::from(width.bytes()) == self.word()
    }

    /// The operand as a term congruent to its bits modulo 2^width.
    pub fn read_arg(&mut self, i: &Insn, arg: Arg, width: Width) -> Checked<Term> {
        match arg {
            Arg::Reg(r) => self.integer_in(r),
            Arg::High(r) => {
                let t = self.integer_in(r)?;
                Ok(self.num(|n| n.read_high(&t)))
            }
            Arg::Imm | Arg::Rel => Ok(Term::from(i128::from(i.imm))),
            Arg::Mem => {
                let w = self.load(i, width)?;
                self.integer(&w)
            }
            Arg::Xmm(_) => Ok(self.fresh(Interval::unsigned(width.bits().min(64)))),
            Arg::None => self.reject(Code::NotAllowed, "an operand is missing"),
        }
    }

    /// Writes an integer result (congruent modulo 2^width) to a register or to memory.
    pub fn write_arg(&mut self, i: &Insn, arg: Arg, width: Width, value: Term) -> Checked {
        match arg {
            Arg::Reg(r) => self.write_reg(r, width, value),
            Arg::High(r) => {
                let old = self.get(r);
                if r == Reg::SP {
                    return self.reject(Code::StackPointer, "part of the stack pointer would change");
                }
                let old = self.integer(&old)?;
                let t = self.num(|n| n.write_high(&old));
                self.set(r, Word::Int(t));
                Ok(())
            }
            Arg::Mem => self.store(i, width, Word::Int(value)),
            _ => self.reject(Code::NotAllowed, "the operand cannot be written"),
        }
    }

    /// Writes an integer to a register at a width. rsp never holds an integer.
    pub fn write_reg(&mut self, r: Reg, width: Width, value: Term) -> Checked {
        if r == Reg::SP {
            return self.reject(
                Code::StackPointer,
                "the stack pointer may only move by constants, `push`, `pop` and `leave`",
            );
        }
        let whole = if self.stays(width, &value) {
            value
        } else if self.full(width) {
            self.num(|n| n.write(width.bits(), &Term::zero(), &value))
        } else {
            let old = self.get(r);
            let old = if width.bits() >= 32 { Term::zero() } else { self.integer(&old)? };
            self.num(|n| n.write(width.bits(), &old, &value))
        };
        self.set(r, Word::Int(whole));
        Ok(())
    }
}
