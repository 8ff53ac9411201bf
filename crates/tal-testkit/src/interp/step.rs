//! What each instruction does.

use super::alu::{self, cut, signed};
use super::{Frame, Machine, RSP, Stop, Watched};
use iced_x86::{ConditionCode, Instruction, Mnemonic, OpKind, Register};
use talcore::limits;

/// A register or memory of a width in bits.
#[derive(Clone, Copy)]
pub(super) enum Place {
    Reg(usize, u32),
    /// Bits 8 to 15 of a register.
    High(usize),
    Mem(u64, u32),
}

impl Place {
    fn bits(self) -> u32 {
        match self {
            Place::Reg(_, bits) | Place::Mem(_, bits) => bits,
            Place::High(_) => 8,
        }
    }
}

/// Where a run of a module by itself ends: it calls a function of another one, of which only the type is known.
pub(super) const OUTSIDE: &str = "the module calls another one";

/// The return address of a function that nobody calls.
pub(super) const BACK: u64 = 0xbac;

impl Machine<'_> {
    /// Runs one instruction.
    pub(crate) fn step(&mut self, i: &Instruction) -> Watched<Option<Stop>> {
        use Mnemonic::*;
        let next = i.next_ip();
        self.rip = next;
        match i.mnemonic() {
            Nop | Endbr64 | Endbr32 | Pause | Mfence | Lfence | Sfence | Cld => {}
            Ud2 | Int3 => return Ok(Some(Stop::Trap)),
            Mov => {
                let x = self.source(i, 1)?;
                let to = self.place(i, 0)?;
                self.put(to, x)?;
            }
            Movzx => {
                let x = self.source(i, 1)?;
                let to = self.place(i, 0)?;
                self.put(to, x)?;
            }
            Movsx | Movsxd => {
                let from = self.place(i, 1)?;
                let x = self.get(from)?;
                let to = self.place(i, 0)?;
                self.put(to, signed(x, from.bits()) as u64)?;
            }
            Lea => {
                let addr = self.address(i);
                let to = self.place(i, 0)?;
                self.put(to, addr)?;
            }
            Xchg => {
                let (a, b) = (self.place(i, 0)?, self.place(i, 1)?);
                let (x, y) = (self.get(a)?, self.get(b)?);
                self.put(a, y)?;
                self.put(b, x)?;
            }
            Push => {
                let x = self.source(i, 0)?;
                self.push(x)?;
            }
            Pop => {
                let x = self.pop()?;
                // An address in the operand is computed after rsp has moved.
                let to = self.place(i, 0)?;
                self.put(to, x)?;
            }
            Leave => {
                self.regs[RSP] = self.regs[5];
                self.memory.release(self.regs[RSP]);
                self.regs[5] = self.pop()?;
            }
            Add | Adc | Sub | Sbb | And | Or | Xor | Cmp | Test | Inc | Dec | Neg | Not => {
                self.arithmetic(i)?
            }
            Shl | Sal | Shr | Sar | Rol | Ror | Rcl | Rcr => self.shifts(i)?,
            Shld | Shrd => self.double_shift(i)?,
            Mul | Imul | Div | Idiv => {
                if self.wide(i)? {
                    return Ok(Some(Stop::Trap));
                }
            }
            Cbw | Cwde | Cdqe | Cwd | Cdq | Cqo => self.extend(i.mnemonic())?,
            Bswap => {
                let to = self.place(i, 0)?;
                let x = self.get(to)?;
                let x = if to.bits() == 64 { x.swap_bytes() } else { u64::from((x as u32).swap_bytes()) };
                self.put(to, x)?;
            }
            Bt | Bts | Btr | Btc | Bsf | Bsr | Popcnt => self.bits(i)?,
            Cmpxchg | Xadd => self.atomic(i)?,
            Clc => self.flags.cf = false,
            Stc => self.flags.cf = true,
            Cmc => self.flags.cf = !self.flags.cf,
            Rdtsc => {
                self.regs[0] = self.rng.u32(..).into();
                self.regs[2] = self.rng.u32(..).into();
            }
            Call => return self.call(i),
            Ret => {
                self.ret()?;
                if self.frames.is_empty() && self.rip == BACK {
                    return Ok(Some(Stop::Exit));
                }
            }
            Jmp => self.jump(i)?,
            Jrcxz if self.regs[1] == 0 => self.goto(i.near_branch_target())?,
            Jecxz if self.regs[1] as u32 == 0 => self.goto(i.near_branch_target())?,
            Jrcxz | Jecxz => {}
            _ if i.is_jcc_short_or_near() => {
                if self.holds(i.condition_code()) {
                    self.goto(i.near_branch_target())?;
                }
            }
            _ if i.condition_code() != ConditionCode::None => self.conditional(i)?,
            _ if i.is_string_instruction() => self.string(i)?,
            _ => self.other(i)?,
        }
        Ok(None)
    }

    // ---- operands

    pub(super) fn register(r: Register) -> Option<Place> {
        if !r.is_gpr() {
            return None;
        }
        Some(match r {
            Register::AH => Place::High(0),
            Register::CH => Place::High(1),
            Register::DH => Place::High(2),
            Register::BH => Place::High(3),
            _ => Place::Reg(r.full_register().number(), 8 * r.size() as u32),
        })
    }

    pub(super) fn address(&self, i: &Instruction) -> u64 {
        let value = |r: Register| match r {
            Register::None | Register::RIP => 0,
            r => self.regs[r.full_register().number()],
        };
        // With RIP as the base the displacement is the address.
        let index = value(i.memory_index()).wrapping_mul(i.memory_index_scale().into());
        cut(i.memory_displacement64().wrapping_add(value(i.memory_base())).wrapping_add(index), self.bits)
    }

    fn place(&self, i: &Instruction, op: u32) -> Watched<Place> {
        match i.op_kind(op) {
            OpKind::Register => {
                Self::register(i.op_register(op)).ok_or_else(|| "an unknown register".to_string())
            }
            OpKind::Memory => Ok(Place::Mem(self.address(i), 8 * i.memory_size().size() as u32)),
            _ => Err("an operand that cannot be written".into()),
        }
    }

    fn source(&mut self, i: &Instruction, op: u32) -> Watched<u64> {
        match i.op_kind(op) {
            OpKind::Register | OpKind::Memory => {
                let place = self.place(i, op)?;
                self.get(place)
            }
            _ => Ok(i.immediate(op)),
        }
    }

    fn get(&mut self, place: Place) -> Watched<u64> {
        match place {
            Place::Reg(r, bits) => Ok(cut(self.regs[r], bits)),
            Place::High(r) => Ok(self.regs[r] >> 8 & 0xff),
            Place::Mem(addr, bits) => self.load(addr, bits),
        }
    }

    pub(super) fn put(&mut self, place: Place, x: u64) -> Watched<()> {
        match place {
            Place::Reg(r, 64) => self.regs[r] = x,
            Place::Reg(r, 32) => self.regs[r] = cut(x, 32),
            Place::Reg(r, bits) => {
                let mask = (1 << bits) - 1;
                self.regs[r] = self.regs[r] & !mask | x & mask;
            }
            Place::High(r) => self.regs[r] = self.regs[r] & !0xff00 | (x & 0xff) << 8,
            Place::Mem(addr, bits) => return self.store(addr, bits, x),
        }
        if matches!(place, Place::Reg(RSP, _)) {
            self.memory.release(self.regs[RSP]);
        }
        Ok(())
    }

    pub(super) fn load(&mut self, addr: u64, bits: u32) -> Watched<u64> {
        let size = u64::from(bits / 8);
        self.memory.allowed(self.program, self.regs[RSP], addr, size, false)?;
        self.memory.read(addr, size as usize)
    }

    pub(super) fn store(&mut self, addr: u64, bits: u32, x: u64) -> Watched<()> {
        let size = u64::from(bits / 8);
        self.memory.allowed(self.program, self.regs[RSP], addr, size, true)?;
        self.memory.write(addr, size as usize, x)
    }

    fn push(&mut self, x: u64) -> Watched<()> {
        self.regs[RSP] = self.regs[RSP].wrapping_sub(self.word_bytes());
        self.store(self.regs[RSP], self.bits, cut(x, self.bits))
    }

    fn pop(&mut self) -> Watched<u64> {
        let x = self.load(self.regs[RSP], self.bits)?;
        self.regs[RSP] += self.word_bytes();
        self.memory.release(self.regs[RSP]);
        Ok(x)
    }

    // ---- arithmetic

    fn arithmetic(&mut self, i: &Instruction) -> Watched<()> {
        use Mnemonic::*;
        let to = self.place(i, 0)?;
        let bits = to.bits();
        let a = self.get(to)?;
        let b = if i.op_count() > 1 { self.source(i, 1)? } else { 1 };
        let mut f = self.flags;
        let carry = f.cf;
        let x = match i.mnemonic() {
            Add => alu::add(&mut f, a, b, false, bits),
            Adc => alu::add(&mut f, a, b, carry, bits),
            Sub | Cmp => alu::sub(&mut f, a, b, false, bits),
            Sbb => alu::sub(&mut f, a, b, carry, bits),
            And | Test => alu::logic(&mut f, a & b, bits),
            Or => alu::logic(&mut f, a | b, bits),
            Xor => alu::logic(&mut f, a ^ b, bits),
            Inc => {
                let x = alu::add(&mut f, a, 1, false, bits);
                f.cf = carry;
                x
            }
            Dec => {
                let x = alu::sub(&mut f, a, 1, false, bits);
                f.cf = carry;
                x
            }
            Neg => alu::sub(&mut f, 0, a, false, bits),
            _ => !a,
        };
        self.flags = f;
        if !matches!(i.mnemonic(), Cmp | Test) {
            self.put(to, x)?;
        }
        Ok(())
    }

    fn shifts(&mut self, i: &Instruction) -> Watched<()> {
        use Mnemonic::*;
        let to = self.place(i, 0)?;
        let bits = to.bits();
        let a = self.get(to)?;
        let count = self.source(i, 1)? as u32 & if bits == 64 { 63 } else { 31 };
        let mut f = self.flags;
        let x = match i.mnemonic() {
            Shl | Sal => alu::shift(&mut f, 'l', a, count, bits),
            Shr => alu::shift(&mut f, 'r', a, count, bits),
            Sar => alu::shift(&mut f, 'a', a, count, bits),
            m => {
                let left = matches!(m, Rol | Rcl);
                let (x, carry) = match m {
                    Rol | Ror => alu::rotate(left, a, count, bits),
                    _ => alu::rotate_carry(left, a, f.cf, count, bits),
                };
                if count != 0 {
                    f.cf = carry;
                }
                x
            }
        };
        if count != 0 {
            // Defined for a count of 1 only; nothing may rely on it.
            f.of = self.rng.bool();
        }
        self.flags = f;
        self.put(to, x)
    }

    fn double_shift(&mut self, i: &Instruction) -> Watched<()> {
        let to = self.place(i, 0)?;
        let bits = to.bits();
        let (a, b) = (self.get(to)?, self.source(i, 1)?);
        let count = self.source(i, 2)? as u32 & if bits == 64 { 63 } else { 31 };
        if count == 0 {
            // A 32-bit destination is written, and so extended, all the same.
            return self.put(to, a);
        }
        let x = match (count < bits, i.mnemonic()) {
            (false, _) => self.rng.u64(..),
            (_, Mnemonic::Shld) => a << count | b >> (bits - count),
            _ => a >> count | b << (bits - count),
        };
        let x = cut(x, bits);
        alu::logic(&mut self.flags, x, bits);
        (self.flags.cf, self.flags.of) = (self.rng.bool(), self.rng.bool());
        self.put(to, x)
    }

    /// Multiplies and divides; answers whether it traps.
    fn wide(&mut self, i: &Instruction) -> Watched<bool> {
        let random = (self.rng.bool(), self.rng.bool(), self.rng.bool());
        (self.flags.zf, self.flags.sf, self.flags.pf) = random;
        if i.op_count() > 1 {
            let to = self.place(i, 0)?;
            let bits = to.bits();
            let (a, b) = match i.op_count() {
                2 => (self.get(to)?, self.source(i, 1)?),
                _ => (self.source(i, 1)?, self.source(i, 2)?),
            };
            let x = i128::from(signed(a, bits)) * i128::from(signed(b, bits));
            let low = cut(x as u64, bits);
            self.flags.cf = x != i128::from(signed(low, bits));
            self.flags.of = self.flags.cf;
            self.put(to, low)?;
            return Ok(false);
        }
        let from = self.place(i, 0)?;
        let (bits, b) = (from.bits(), self.get(from)?);
        let is_signed = matches!(i.mnemonic(), Mnemonic::Imul | Mnemonic::Idiv);
        // The two halves: dx:ax, or ah:al.
        let (low, high) = match bits {
            8 => (Place::Reg(0, 8), Place::High(0)),
            _ => (Place::Reg(0, bits), Place::Reg(2, bits)),
        };
        let (a, d) = (self.get(low)?, self.get(high)?);
        let (x, y) = match (matches!(i.mnemonic(), Mnemonic::Mul | Mnemonic::Imul), is_signed) {
            (true, false) => {
                let p = u128::from(a) * u128::from(b);
                ((p as u64), (p >> bits) as u64)
            }
            (true, true) => {
                let p = i128::from(signed(a, bits)) * i128::from(signed(b, bits));
                ((p as u64), (p >> bits) as u64)
            }
            (false, false) => {
                let n = u128::from(d) << bits | u128::from(a);
                let Some(q) = n.checked_div(b.into()).filter(|q| q >> bits == 0) else { return Ok(true) };
                (q as u64, (n % u128::from(b)) as u64)
            }
            (false, true) => {
                let n = i128::from(signed(d, bits)) << bits | i128::from(a);
                let b = i128::from(signed(b, bits));
                let fits = |q: &i128| *q == i128::from(signed(*q as u64, bits));
                let Some(q) = n.checked_div(b).filter(fits) else { return Ok(true) };
                (q as u64, (n % b) as u64)
            }
        };
        self.flags.cf = match is_signed {
            true => signed(y, bits) != signed(x, bits) >> 63,
            false => cut(y, bits) != 0,
        };
        self.flags.of = self.flags.cf;
        self.put(low, x)?;
        self.put(high, y)?;
        Ok(false)
    }

    fn extend(&mut self, m: Mnemonic) -> Watched<()> {
        use Mnemonic::*;
        let (from, to, bits) = match m {
            Cbw => (8, Place::Reg(0, 16), 0),
            Cwde => (16, Place::Reg(0, 32), 0),
            Cdqe => (32, Place::Reg(0, 64), 0),
            Cwd => (16, Place::Reg(2, 16), 16),
            Cdq => (32, Place::Reg(2, 32), 32),
            _ => (64, Place::Reg(2, 64), 63),
        };
        let x = signed(self.regs[0], from);
        // The second half is the sign alone.
        let x = if bits == 0 { x } else { x >> 63 };
        self.put(to, x as u64)
    }

    fn bits(&mut self, i: &Instruction) -> Watched<()> {
        use Mnemonic::*;
        let to = self.place(i, 0)?;
        let bits = to.bits();
        match i.mnemonic() {
            Bsf | Bsr | Popcnt => {
                let x = self.source(i, 1)?;
                let random = [self.rng.bool(), self.rng.bool(), self.rng.bool(), self.rng.bool()];
                [self.flags.cf, self.flags.of, self.flags.sf, self.flags.pf] = random;
                self.flags.zf = x == 0;
                let y = match (i.mnemonic(), x) {
                    (Popcnt, _) => x.count_ones(),
                    // Undefined.
                    (_, 0) => {
                        let any = self.rng.u64(..);
                        return self.put(to, any);
                    }
                    (Bsf, _) => x.trailing_zeros(),
                    _ => 63 - x.leading_zeros(),
                };
                self.put(to, y.into())
            }
            m => {
                let (a, n) = (self.get(to)?, self.source(i, 1)?);
                if matches!(to, Place::Mem(..)) && i.op_kind(1) == OpKind::Register {
                    return Err("a bit offset that reaches beyond its operand".into());
                }
                let bit = 1u64 << (n % u64::from(bits));
                self.flags.cf = a & bit != 0;
                (self.flags.of, self.flags.sf, self.flags.pf) =
                    (self.rng.bool(), self.rng.bool(), self.rng.bool());
                match m {
                    Bts => self.put(to, a | bit),
                    Btr => self.put(to, a & !bit),
                    Btc => self.put(to, a ^ bit),
                    _ => Ok(()),
                }
            }
        }
    }

    fn atomic(&mut self, i: &Instruction) -> Watched<()> {
        let (to, from) = (self.place(i, 0)?, self.place(i, 1)?);
        let bits = to.bits();
        let (a, b) = (self.get(to)?, self.get(from)?);
        if i.mnemonic() == Mnemonic::Xadd {
            let sum = alu::add(&mut self.flags, a, b, false, bits);
            self.put(from, a)?;
            return self.put(to, sum);
        }
        let ax = cut(self.regs[0], bits);
        alu::sub(&mut self.flags, ax, a, false, bits);
        // The destination is written in any case, with its old value if they differ.
        if self.flags.zf {
            return self.put(to, b);
        }
        if let Place::Mem(addr, bits) = to {
            self.store(addr, bits, a)?;
        }
        self.put(Place::Reg(0, bits), a)
    }

    // ---- conditions

    fn holds(&self, c: ConditionCode) -> bool {
        let f = self.flags;
        match c {
            ConditionCode::None => true,
            ConditionCode::o => f.of,
            ConditionCode::no => !f.of,
            ConditionCode::b => f.cf,
            ConditionCode::ae => !f.cf,
            ConditionCode::e => f.zf,
            ConditionCode::ne => !f.zf,
            ConditionCode::be => f.cf || f.zf,
            ConditionCode::a => !f.cf && !f.zf,
            ConditionCode::s => f.sf,
            ConditionCode::ns => !f.sf,
            ConditionCode::p => f.pf,
            ConditionCode::np => !f.pf,
            ConditionCode::l => f.sf != f.of,
            ConditionCode::ge => f.sf == f.of,
            ConditionCode::le => f.zf || f.sf != f.of,
            ConditionCode::g => !f.zf && f.sf == f.of,
        }
    }

    /// `setcc` and `cmovcc`.
    fn conditional(&mut self, i: &Instruction) -> Watched<()> {
        let holds = self.holds(i.condition_code());
        let to = self.place(i, 0)?;
        if i.op_count() == 1 {
            return self.put(to, holds.into());
        }
        // The source is read, and 32 bits are extended, whatever the condition.
        let (a, b) = (self.get(to)?, self.source(i, 1)?);
        self.put(to, if holds { b } else { a })
    }

    // ---- control

    fn goto(&mut self, target: u64) -> Watched<()> {
        let f = &self.program.functions[self.function];
        if target != f.addr && (f.addr..f.addr + f.size).contains(&target) {
            self.rip = target;
            return Ok(());
        }
        if target == f.addr && self.claims.loops_to(target) {
            self.rip = target;
            return Ok(());
        }
        self.tail_call(target)
    }

    fn function_at(&self, target: u64) -> Watched<usize> {
        let found = self.program.functions.binary_search_by_key(&target, |f| f.addr);
        if self.program.externs.iter().any(|e| e.addr == target) {
            return Err(OUTSIDE.into());
        }
        match found {
            Ok(f) if self.program.sig_at(target).is_some() => Ok(f),
            _ => Err(format!("control goes to {target:#x}, which is no function")),
        }
    }

    fn tail_call(&mut self, target: u64) -> Watched<()> {
        let function = self.function_at(target)?;
        let Some(frame) = self.frames.last().cloned() else {
            // The entry function may leave for one that does not return.
            if !self.program.types.sig(self.program.functions[function].sig).noreturn {
                return Err("the entry function calls at its end".into());
            }
            self.enter(function)?;
            (self.function, self.rip) = (function, target);
            return Ok(());
        };
        if self.regs[RSP] != frame.slot {
            return Err("a tail call while the frame is not empty".into());
        }
        // What it promises must be what the caller was promised: seen when it returns, by both signatures.
        let vars = self.enter(function)?;
        self.frames.push(Frame { function, vars, regs: self.regs, words: self.words.clone(), ..frame });
        (self.function, self.rip) = (function, target);
        Ok(())
    }

    fn jump(&mut self, i: &Instruction) -> Watched<()> {
        match i.op_kind(0) {
            OpKind::NearBranch64 | OpKind::NearBranch32 => self.goto(i.near_branch_target()),
            OpKind::Memory => {
                let addr = self.address(i);
                let table = self.program.object_at(addr).is_some_and(|(o, _)| {
                    let kind = self.program.objects.get(o as usize).map(|o| o.kind);
                    matches!(kind, Some(talcore::program::ObjectKind::Table(..)))
                });
                if table {
                    self.rip = self.memory.read(addr, self.word_bytes() as usize)?;
                    return Ok(());
                }
                let target = self.load(addr, self.bits)?;
                self.tail_call(target)
            }
            _ => {
                let target = self.source(i, 0)?;
                self.tail_call(target)
            }
        }
    }

    fn call(&mut self, i: &Instruction) -> Watched<Option<Stop>> {
        // The return address is the touch that pays for what was allocated before.
        if self.regs[RSP].saturating_add(limits::PROBE_DEBT as u64) < self.memory.touched {
            return Err("a call that may step over the guard gap".into());
        }
        let target = match i.op_kind(0) {
            OpKind::NearBranch64 | OpKind::NearBranch32 => i.near_branch_target(),
            OpKind::Memory if self.address(i) == self.program.gate => {
                // The gate's code pushes and pops its own return address.
                self.memory.touched = self.memory.touched.min(self.regs[RSP] - self.word_bytes());
                return self.kernel();
            }
            _ => self.source(i, 0)?,
        };
        let function = self.function_at(target)?;
        let back = self.rip;
        self.push(back)?;
        let vars = self.enter(function)?;
        let slot = self.regs[RSP];
        self.memory.slots.push(slot);
        if self.memory.slots.len() > 100_000 {
            // Deep recursion: the guard gap ends it.
            return Ok(Some(Stop::Trap));
        }
        let frame = |function, vars, words| Frame { slot, back, function, regs: self.regs, vars, words };
        let caller = frame(self.function, Vec::new(), Vec::new());
        let callee = frame(function, vars, self.words.clone());
        self.frames.extend([caller, callee]);
        (self.function, self.rip) = (function, target);
        Ok(None)
    }

    fn ret(&mut self) -> Watched<()> {
        let Some(frame) = self.frames.last() else { return Err("a return from the entry function".into()) };
        let slot = frame.slot;
        if self.regs[RSP] != slot {
            return Err("a return with another stack than at the entry".into());
        }
        self.memory.slots.pop();
        let back = self.memory.read(slot, self.word_bytes() as usize)?;
        self.regs[RSP] += self.word_bytes();
        self.memory.release(self.regs[RSP]);
        // All functions that were left by tail calls return at once, the last one first.
        while let Some(frame) = self.frames.pop() {
            if frame.slot != slot {
                return Err("the stack of calls is in disorder".into());
            }
            if back != frame.back {
                return Err("the return address was changed".into());
            }
            if self.frames.last().is_none_or(|f| f.slot != slot) {
                // The caller's own record.
                self.function = frame.function;
                break;
            }
            self.leave(&frame)?;
        }
        self.rip = back;
        Ok(())
    }

    // ---- strings, and what is left

    fn string(&mut self, i: &Instruction) -> Watched<()> {
        use Mnemonic::*;
        let m = i.mnemonic();
        let size = match m {
            Movsb | Stosb | Lodsb | Cmpsb | Scasb => 1,
            Movsw | Stosw | Lodsw | Cmpsw | Scasw => 2,
            Movsd | Stosd | Lodsd | Cmpsd | Scasd => 4,
            Movsq | Stosq | Lodsq | Cmpsq | Scasq => 8u64,
            _ => return self.other(i),
        };
        let bits = 8 * size as u32;
        let repeated = i.has_rep_prefix() || i.has_repne_prefix();
        let compares = matches!(m, Cmpsb | Cmpsw | Cmpsd | Cmpsq | Scasb | Scasw | Scasd | Scasq);
        let moves = matches!(m, Movsb | Movsw | Movsd | Movsq);
        let loads = matches!(m, Lodsb | Lodsw | Lodsd | Lodsq);
        let compares_two = matches!(m, Cmpsb | Cmpsw | Cmpsd | Cmpsq);
        loop {
            if repeated && self.regs[1] == 0 {
                return Ok(());
            }
            let (si, di) = (self.regs[6], self.regs[7]);
            if moves || loads || compares_two {
                let x = self.load(si, bits)?;
                self.regs[6] = cut(si.wrapping_add(size), self.bits);
                if moves {
                    self.store(di, bits, x)?;
                } else if loads {
                    self.put(Place::Reg(0, bits), x)?;
                } else {
                    let y = self.load(di, bits)?;
                    alu::sub(&mut self.flags, x, y, false, bits);
                }
            } else if compares {
                let y = self.load(di, bits)?;
                alu::sub(&mut self.flags, self.regs[0], y, false, bits);
            } else {
                self.store(di, bits, self.regs[0])?;
            }
            if !loads {
                self.regs[7] = cut(di.wrapping_add(size), self.bits);
            }
            if !repeated {
                return Ok(());
            }
            self.regs[1] = cut(self.regs[1].wrapping_sub(1), self.bits);
            if compares && self.flags.zf == i.has_repne_prefix() {
                return Ok(());
            }
        }
    }
}
