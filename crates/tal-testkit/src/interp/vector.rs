//! Vector instructions. Those that programs look for bytes with are done; of others only what they touch is looked at, and
//! what they leave is anything.

use super::{Machine, RSP, Watched};
use iced_x86::{Code, Instruction, InstructionInfoFactory, Mnemonic, OpAccess, OpKind};

impl Machine<'_> {
    /// An instruction that is none of the others.
    pub(super) fn other(&mut self, i: &Instruction) -> Watched<()> {
        let known = matches!(i.code(), Code::INVALID) || i.is_stack_instruction() || i.is_privileged();
        let vector = (0..i.op_count()).any(|n| i.op_kind(n) == OpKind::Register && i.op_register(n).is_xmm());
        if known || !vector {
            return Err(format!("the interpreter does not know {:?}", i.code()));
        }
        if self.bytewise(i)? { Ok(()) } else { self.anything(i) }
    }

    /// Instructions that load, store, compare and tell bytes. Whether it is one of these.
    fn bytewise(&mut self, i: &Instruction) -> Watched<bool> {
        let to = i.op0_register();
        let value = match i.mnemonic() {
            Mnemonic::Movdqu | Mnemonic::Movdqa | Mnemonic::Movd | Mnemonic::Movq
                if i.op0_kind() == OpKind::Memory && i.op1_register().is_xmm() =>
            {
                let (addr, value) = (self.address(i), self.vectors[i.op1_register().number()]);
                let bits = 8 * i.memory_size().size() as u32;
                self.store(addr, bits.min(64), value as u64)?;
                if bits == 128 {
                    self.store(addr.wrapping_add(8), 64, (value >> 64) as u64)?;
                }
                return Ok(true);
            }
            Mnemonic::Movdqu | Mnemonic::Movdqa if to.is_xmm() => self.vector(i, 1)?,
            Mnemonic::Movd | Mnemonic::Movq if to.is_xmm() && i.op1_kind() == OpKind::Memory => {
                self.load(self.address(i), 8 * i.memory_size().size() as u32)?.into()
            }
            Mnemonic::Movd | Mnemonic::Movq if to.is_xmm() && i.op1_register().is_gpr() => {
                let bits = 8 * i.op1_register().size() as u32;
                let word = self.regs[i.op1_register().full_register().number()];
                super::alu::cut(word, bits).into()
            }
            Mnemonic::Pshufd => {
                let (from, order) = (self.vector(i, 1)?, i.immediate8());
                let part = |n: u32| from >> (32 * u32::from(order >> (2 * n) & 3)) & 0xffff_ffff;
                (0..4).fold(0, |all, n| all | part(n) << (32 * n))
            }
            Mnemonic::Pcmpeqb => {
                let (a, b) = (self.vector(i, 0)?.to_le_bytes(), self.vector(i, 1)?.to_le_bytes());
                u128::from_le_bytes(std::array::from_fn(|n| if a[n] == b[n] { 0xff } else { 0 }))
            }
            Mnemonic::Pmovmskb => {
                let bytes = self.vector(i, 1)?.to_le_bytes();
                let mask = bytes.iter().rev().fold(0, |mask, b| mask << 1 | u64::from(b >> 7));
                let Some(to) = Self::register(to) else { return Ok(false) };
                return self.put(to, mask).map(|()| true);
            }
            _ => return Ok(false),
        };
        self.vectors[to.number()] = value;
        Ok(true)
    }

    /// The 16 bytes of an operand.
    fn vector(&mut self, i: &Instruction, op: u32) -> Watched<u128> {
        if i.op_kind(op) == OpKind::Register {
            return Ok(self.vectors[i.op_register(op).number()]);
        }
        let addr = self.address(i);
        self.memory.allowed(self.program, self.regs[RSP], addr, 16, false)?;
        let (low, high) = (self.memory.read(addr, 8)?, self.memory.read(addr.wrapping_add(8), 8)?);
        Ok(u128::from(low) | u128::from(high) << 64)
    }

    /// Writes anything to what an instruction writes.
    fn anything(&mut self, i: &Instruction) -> Watched<()> {
        let mut factory = InstructionInfoFactory::new();
        let info = factory.info(i);
        for m in info.used_memory() {
            let addr = self.address(i);
            let size = m.memory_size().size() as u64;
            let write = !matches!(m.access(), OpAccess::Read | OpAccess::CondRead);
            self.memory.allowed(self.program, self.regs[RSP], addr, size, write)?;
            for at in (0..size).filter(|_| write) {
                let byte = self.rng.u8(..);
                self.memory.write(addr + at, 1, byte.into())?;
            }
        }
        for r in info.used_registers() {
            if !matches!(r.access(), OpAccess::Write | OpAccess::ReadWrite) {
                continue;
            }
            match (Self::register(r.register()), r.register()) {
                (Some(to), _) => {
                    let any = self.rng.u64(..);
                    self.put(to, any)?;
                }
                (None, to) if to.is_vector_register() => {
                    self.vectors[to.number() % 16] = self.rng.u128(..);
                }
                _ => {}
            }
        }
        Ok(())
    }
}
