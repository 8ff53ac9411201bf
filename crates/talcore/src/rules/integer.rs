//! Integer instructions: the arithmetic rules applied to registers, memory and pointers.

use crate::arith::{Flags, Shift};
use crate::engine::{Checked, Engine};
use crate::facts::Interval;
use crate::guide::Guide;
use crate::state::Word;
use crate::term::Term;
use crate::verdict::Code;
use crate::x86::insn::{Arg, Insn, Op, Reg};

impl<'a, G: Guide> Engine<'a, G> {
    /// `add`, `sub`, `cmp`, `and`, ...: two operands.
    pub fn binary(&mut self, i: &Insn) -> Checked {
        if self.pointer_arithmetic(i)? {
            return Ok(());
        }
        let bits = i.width.bits();
        let a = self.read_arg(i, i.args[0], i.width)?;
        let b = if i.args[1] == i.args[0] && i.args[1] != Arg::Mem {
            a.clone()
        } else {
            self.read_arg(i, i.args[1], i.width)?
        };
        let before = core::mem::take(&mut self.state.flags);
        let out = self.num(|n| match i.op {
            Op::Add => Ok(n.add(bits, &a, &b)),
            Op::Sub => Ok(n.sub(bits, &a, &b)),
            Op::Adc => Ok(n.adc(bits, &a, &b, &before)),
            Op::Sbb => Ok(n.sbb(bits, &a, &b, &before)),
            Op::And => Ok(n.and(bits, &a, &b)),
            Op::Or => Ok(n.or(bits, &a, &b)),
            Op::Xor => Ok(n.xor(bits, &a, &b)),
            Op::Test => Err(n.test(bits, &a, &b)),
            _ => Err(n.cmp(bits, &a, &b)),
        });
        match out {
            Err(flags) => self.state.flags = flags,
            Ok(out) => self.finish(i, i.args[0], out.value, out.flags)?,
        }
        Ok(())
    }

    /// Writes a result and sets the flags, which then speak of the written register.
    fn finish(&mut self, i: &Insn, dst: Arg, value: Term, mut flags: Flags) -> Checked {
        if let Arg::Reg(r) = dst
            && r != Reg::SP
            && self.stays(i.width, &value)
            && !matches!(self.state.regs.get(r.index()), Some(Word::Opt(..)))
        {
            // The usual case: the register's word is the value itself, of which the flags speak.
            flags.keep();
            self.state.flags = flags;
            self.set(r, Word::Int(value));
            return Ok(());
        }
        let flags = match dst {
            // A register that keeps its word keeps its type: `or rax, rax`, `add rdi, 0`.
            Arg::Reg(r) if self.full(i.width) && self.unchanged(r, &value) => flags,
            _ => {
                self.write_arg(i, dst, i.width, value)?;
                match dst {
                    Arg::Reg(r) => match self.get(r) {
                        Word::Int(t) => flags.named(&t),
                        _ => flags,
                    },
                    _ => flags,
                }
            }
        };
        self.state.flags = flags;
        Ok(())
    }

    fn unchanged(&self, r: Reg, value: &Term) -> bool {
        match self.state.regs.get(r.index()) {
            Some(Word::Opt(v, ..)) => value.as_var() == Some(*v),
            _ => false,
        }
    }

    /// `add` and `sub` with a pointer keep the pointer; rsp moves by constants.
    fn pointer_arithmetic(&mut self, i: &Insn) -> Checked<bool> {
        let (Arg::Reg(dst), true, true) = (i.args[0], self.full(i.width), matches!(i.op, Op::Add | Op::Sub))
        else {
            return Ok(false);
        };
        let other = match i.args[1] {
            Arg::Reg(r) => Some(r),
            _ => None,
        };
        if !self.points(dst) && !other.is_some_and(|r| self.points(r)) {
            return Ok(false);
        }
        let (word, other) = (self.get(dst), other.map(|r| self.get(r)));
        let pointer = |w: &Word| matches!(w, Word::Ptr(..) | Word::Sp(_));
        // `add int, ptr` gives a pointer too; `ptr - ptr` and `ptr + ptr` are integers.
        let (base, swap) = match &other {
            Some(o) if pointer(o) && pointer(&word) => return self.sp_is_fixed(dst),
            Some(o) if pointer(o) && i.op == Op::Add => (o.clone(), true),
            _ if pointer(&word) => (word.clone(), false),
            _ => return Ok(false),
        };
        let amount = if swap { self.integer(&word)? } else { self.read_arg(i, i.args[1], i.width)? };
        let sign = if i.op == Op::Add { 1 } else { -1 };
        let moved = match &base {
            Word::Ptr(l, e) => e.add_scaled(&amount, sign).map(|e| Word::Ptr(*l, e)),
            Word::Sp(e) => e.add_scaled(&amount, sign).map(Word::Sp),
            _ => None,
        };
        let Some(moved) = moved else { return self.sp_is_fixed(dst) };
        self.state.flags = Flags::unknown();
        if dst == Reg::SP {
            self.set_sp(moved)?;
        } else {
            self.set(dst, moved);
        }
        Ok(true)
    }

    fn sp_is_fixed(&self, dst: Reg) -> Checked<bool> {
        match dst {
            Reg::SP => self.reject(Code::StackPointer, "the stack pointer may only move by constants"),
            _ => Ok(false),
        }
    }

    /// `inc`, `dec`, `neg`, `not`, `bswap`.
    pub fn unary(&mut self, i: &Insn) -> Checked {
        if let (Arg::Reg(r), true, Op::Inc | Op::Dec) = (i.args[0], self.full(i.width), i.op)
            && self.points(r)
        {
            let by = if i.op == Op::Inc { 1 } else { -1 };
            let moved = match self.get(r) {
                Word::Ptr(l, e) => e.offset(by).map(|e| Word::Ptr(l, e)),
                Word::Sp(e) if r != Reg::SP => e.offset(by).map(Word::Sp),
                _ => None,
            };
            if let Some(moved) = moved {
                self.state.flags = Flags::unknown();
                self.set(r, moved);
                return Ok(());
            }
        }
        let bits = i.width.bits();
        let a = self.read_arg(i, i.args[0], i.width)?;
        let out = self.num(|n| match i.op {
            Op::Inc => Ok(n.inc(bits, &a)),
            Op::Dec => Ok(n.dec(bits, &a)),
            Op::Neg => Ok(n.neg(bits, &a)),
            Op::Not => Err(n.not(bits, &a)),
            _ => Err(n.bswap(bits)),
        });
        match out {
            Ok(out) => self.finish(i, i.args[0], out.value, out.flags),
            Err(value) => self.write_arg(i, i.args[0], i.width, value),
        }
    }

    /// Shifts and rotates.
    pub fn shift(&mut self, i: &Insn) -> Checked {
        let bits = i.width.bits();
        let a = self.read_arg(i, i.args[0], i.width)?;
        let count = match i.op {
            Op::Shld | Op::Shrd => i.args[2],
            _ => i.args[1],
        };
        // The count is one byte, whatever the width of the operation.
        let count = self.read_arg(i, count, crate::x86::insn::Width::B1)?;
        let before = core::mem::take(&mut self.state.flags);
        let out = self.num(|n| match i.op {
            Op::Shl => n.shift(Shift::Left, bits, &a, &count, &before),
            Op::Shr => n.shift(Shift::Right, bits, &a, &count, &before),
            Op::Sar => n.shift(Shift::Arithmetic, bits, &a, &count, &before),
            Op::Shld | Op::Shrd => n.double_shift(bits, &a, &count, &before),
            _ => n.rotate(bits, &a, &count, &before),
        });
        self.finish(i, i.args[0], out.value, out.flags)
    }

    /// `mul`, `imul`, `div`, `idiv` with one operand: ax and dx are implicit.
    pub fn wide(&mut self, i: &Insn) -> Checked {
        let bits = i.width.bits();
        let src = self.read_arg(i, i.args[0], i.width)?;
        let ax = self.read_arg(i, Arg::Reg(Reg::AX), i.width)?;
        if bits == 8 {
            // The result is ax: al and ah. Only its bounds are kept.
            let word = self.fresh(Interval::unsigned(16));
            self.state.flags = Flags::unknown();
            return self.write_arg(i, Arg::Reg(Reg::AX), crate::x86::insn::Width::B2, word);
        }
        let dx = self.read_arg(i, Arg::Reg(Reg::DX), i.width)?;
        let settled = self.settled(self.behind(i));
        let (low, high, flags) = self.num(|n| match i.op {
            Op::Div | Op::Idiv if !settled && !n.divides(i.op == Op::Idiv, bits, (&dx, &ax), &src) => {
                // What holds behind a division that did not trap.
                (n.fresh(Interval::unsigned(bits)), n.fresh(Interval::unsigned(bits)), Flags::unknown())
            }
            Op::Mul => {
                let p = n.mul(bits, &ax, &src);
                (p.low, p.high, p.flags)
            }
            Op::Imul1 => {
                let p = n.imul_wide(bits, &ax, &src);
                (p.low, p.high, p.flags)
            }
            Op::Div => {
                let q = n.div(bits, &dx, &ax, &src);
                (q.quotient, q.remainder, Flags::unknown())
            }
            _ => {
                let q = n.idiv(bits, &dx, &ax, &src);
                (q.quotient, q.remainder, Flags::unknown())
            }
        });
        self.write_arg(i, Arg::Reg(Reg::AX), i.width, low)?;
        self.write_arg(i, Arg::Reg(Reg::DX), i.width, high)?;
        self.state.flags = flags;
        Ok(())
    }

    /// `imul dst, src` and `imul dst, src, imm`.
    pub fn imul(&mut self, i: &Insn) -> Checked {
        let (x, y) = if i.args[2] == Arg::None { (i.args[0], i.args[1]) } else { (i.args[1], i.args[2]) };
        let a = self.read_arg(i, x, i.width)?;
        let b = self.read_arg(i, y, i.width)?;
        let out = self.num(|n| n.imul(i.width.bits(), &a, &b));
        self.finish(i, i.args[0], out.value, out.flags)
    }

    /// `cbw`/`cwde`/`cdqe` and `cwd`/`cdq`/`cqo`.
    pub fn sign(&mut self, i: &Insn) -> Checked {
        let bits = i.width.bits();
        let a = self.read_arg(i, Arg::Reg(Reg::AX), i.width)?;
        if i.op == Op::Cbw {
            let t = self.num(|n| n.cbw(bits, &a));
            return self.write_arg(i, Arg::Reg(Reg::AX), i.width, t);
        }
        let t = self.num(|n| n.cwd(bits, &a));
        self.write_arg(i, Arg::Reg(Reg::DX), i.width, t)
    }

    /// `setcc` and `cmovcc`. The flags stay.
    pub fn conditional(&mut self, i: &Insn) -> Checked {
        let flags = core::mem::take(&mut self.state.flags);
        let done = self.choice(i, &flags);
        self.state.flags = flags;
        done
    }

    fn choice(&mut self, i: &Insn, flags: &Flags) -> Checked {
        if i.op == Op::Setcc {
            let t = self.num(|n| n.setcc(flags, i.cond));
            return self.write_arg(i, i.args[0], i.width, t);
        }
        // Memory is read whatever the condition.
        if let (Arg::Reg(dst), Arg::Reg(src), true) = (i.args[0], i.args[1], self.full(i.width)) {
            if dst == Reg::SP {
                return self.reject(Code::StackPointer, "the stack pointer may only move by constants");
            }
            let (old, new) = (self.get(dst), self.get(src));
            if old == new {
                return Ok(());
            }
            // Two pointers into one object.
            if let (Word::Ptr(l, a), Word::Ptr(k, b)) = (&old, &new)
                && l == k
            {
                let (l, a, b) = (*l, a.clone(), b.clone());
                let e = self.num(|n| n.choose(flags, i.cond, &b, &a));
                self.set(dst, Word::Ptr(l, e));
                return Ok(());
            }
        }
        let old = self.read_arg(i, i.args[0], i.width)?;
        let new = self.read_arg(i, i.args[1], i.width)?;
        let t = self.num(|n| n.cmov(i.width.bits(), flags, i.cond, &old, &new));
        self.write_arg(i, i.args[0], i.width, t)
    }

    /// Bit tests, scans and counts; registers only for `bt` and its kin (attack F9).
    pub fn bits(&mut self, i: &Insn) -> Checked {
        let bits = i.width.bits();
        match i.op {
            Op::Bt | Op::Bts | Op::Btr | Op::Btc => {
                let Arg::Reg(_) = i.args[0] else {
                    return self.reject(Code::NotAllowed, "a bit offset into memory reaches anywhere");
                };
                if i.op == Op::Bt {
                    self.state.flags = Flags::unknown();
                    return Ok(());
                }
                let out = self.num(|n| n.bit_update(bits));
                self.finish(i, i.args[0], out.value, out.flags)
            }
            Op::Popcnt => {
                let src = self.read_arg(i, i.args[1], i.width)?;
                let out = self.num(|n| n.popcnt(bits, &src));
                self.write_arg(i, i.args[0], i.width, out.value)?;
                self.state.flags = out.flags;
                Ok(())
            }
            _ => {
                let (Arg::Reg(dst), src) = (i.args[0], i.args[1]) else {
                    return self.reject(Code::NotAllowed, "the destination is a register");
                };
                if dst == Reg::SP {
                    return self.reject(Code::StackPointer, "the stack pointer may only move by constants");
                }
                let old = self.read_arg(i, i.args[0], i.width)?;
                let src = self.read_arg(i, src, i.width)?;
                let (value, flags) = self.num(|n| n.bit_scan(bits, &old, &src));
                self.set(dst, Word::Int(value));
                self.state.flags = flags;
                Ok(())
            }
        }
    }
}
