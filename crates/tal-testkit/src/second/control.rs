//! docs/types.md, "Labels", "Functions", "What an accepted file looks like": the walk over a function, jumps, and the end.

use super::lin::Lin;
use super::state::Word;
use super::{Judge, Stop, no, todo};
use talcore::program::ObjectKind;
use talcore::x86::decode::decode;
use talcore::x86::insn::{Arg, Insn, Op};

/// What becomes of the path behind an instruction.
enum Next {
    /// It goes on.
    On,
    /// It ends.
    End,
    /// It ends, and `ud2` must follow.
    Trap,
}

impl Judge<'_> {
    /// Walks over all instructions, front to back.
    pub(super) fn walk(&mut self) -> Result<(), Stop> {
        let code =
            self.w.program.segment(self.f.addr, self.f.size).map_or(&[][..], |s| s.bytes_at(self.f.addr));
        let Some(code) = code.get(..self.f.size as usize) else { return no("code that is not in the file") };
        let mut at = 0usize;
        let mut alive = true;
        let mut trap = false;
        let mut seen = 0;
        while at < code.len() {
            if alive && !trap {
                self.ghosts(at as u64, true)?;
            }
            let label = self.stream.labels.get(&(at as u64)).cloned();
            if let Some(label) = label {
                seen += 1;
                if trap {
                    return no("a call that does not return is not followed by ud2");
                }
                if alive {
                    self.edge(&label)?;
                }
                self.s = label;
                alive = true;
            }
            if alive {
                self.ghosts(at as u64, false)?;
            }
            let insn = match decode(self.w.program.arch, &code[at..], self.f.addr + at as u64) {
                Ok(insn) => insn,
                Err(_) => return no("no instruction"),
            };
            if trap && insn.op != Op::Ud2 {
                return no("a call that does not return is not followed by ud2");
            }
            trap = false;
            at += usize::from(insn.len);
            if !alive {
                if !matches!(insn.op, Op::Ud2 | Op::Int3 | Op::Nop) {
                    return no("code that no path reaches");
                }
                continue;
            }
            match self.one(&insn)? {
                Next::On => {}
                Next::End => alive = false,
                Next::Trap => (alive, trap) = (false, true),
            }
        }
        if seen != self.stream.labels.len() {
            return no("a label that is not at an instruction");
        }
        if alive && !self.s.known.contradictory() {
            return no("the end of the function is reached");
        }
        if trap { no("a call that does not return is not followed by ud2") } else { Ok(()) }
    }

    fn one(&mut self, insn: &Insn) -> Result<Next, Stop> {
        match insn.op {
            Op::Ud2 | Op::Int3 => Ok(Next::End),
            Op::Jmp => self.jump(insn.imm as u64),
            Op::Jcc => {
                let before = self.s.clone();
                self.learn(insn.cond)?;
                self.jump(insn.imm as u64)?;
                self.s = before;
                self.learn(insn.cond.negate())?;
                Ok(Next::On)
            }
            Op::Jcxz => {
                let before = self.s.clone();
                let word = self.reg(talcore::x86::insn::Reg::CX);
                let t = self.number(&word)?;
                let flags = super::state::Flags::Compared(t, Lin::default(), self.w.bits());
                let old = std::mem::replace(&mut self.s.flags, flags.clone());
                self.learn(talcore::x86::insn::Cond::E)?;
                self.s.flags = old.clone();
                self.jump(insn.imm as u64)?;
                self.s = before;
                self.s.flags = flags;
                self.learn(talcore::x86::insn::Cond::Ne)?;
                self.s.flags = old;
                Ok(Next::On)
            }
            Op::Ret => {
                if self.s.known.contradictory() {
                    return Ok(Next::End);
                }
                self.leave()?;
                Ok(Next::End)
            }
            Op::Call => {
                let Some(sig) = self.w.program.sig_for(self.f.scope, insn.imm as u64) else {
                    return no("a call of what is no function");
                };
                self.calls(sig)
            }
            Op::CallInd => {
                if self.is_gate(insn) {
                    if self.s.known.contradictory() {
                        return Ok(Next::On);
                    }
                    return Ok(if self.system_call()? { Next::On } else { Next::Trap });
                }
                match self.target(insn)? {
                    Word::Fn(sig) => self.calls(sig),
                    Word::Opt(..) => todo("a call of an untested word"),
                    _ => no("a call of what is no function"),
                }
            }
            Op::JmpInd => {
                if insn.args[0] == Arg::Mem
                    && (insn.mem.index.is_some() || insn.mem.base.is_some())
                    && insn.mem.disp >= 65536
                {
                    self.table(insn)?;
                    return Ok(Next::End);
                }
                match self.target(insn)? {
                    Word::Fn(sig) => {
                        self.tail(sig)?;
                        Ok(Next::End)
                    }
                    Word::Opt(..) => todo("a jump to an untested word"),
                    _ => no("a jump to what is no function"),
                }
            }
            Op::RetImm | Op::Syscall => no("an instruction that has no place here"),
            _ => {
                self.step(insn)?;
                Ok(Next::On)
            }
        }
    }

    /// A jump through a table: docs/types.md, "Jump tables".
    fn table(&mut self, insn: &Insn) -> Result<(), Stop> {
        let (mem, word) = (&insn.mem, self.w.word);
        let address = if word == 4 { u64::from(mem.disp as u32) } else { mem.disp as u64 };
        let program = self.w.program;
        let object = program.objects.iter().find(|o| o.addr == address).map(|o| o.kind);
        let Some(ObjectKind::Table(function, entries)) = object else {
            return todo("a jump through other memory");
        };
        if program.functions.get(function as usize).is_none_or(|f| f.addr != self.f.addr) {
            return no("the jump table of another function");
        }
        let (Some(index), None, true) = (mem.index, mem.base, i128::from(mem.scale) == word) else {
            return no("a jump table whose index is not a register times the size of a word");
        };
        let index = self.reg(index);
        let t = self.number(&index)?;
        let Some(t) = self.low(&t, word, false) else {
            return no("the index of a jump table is not known as a number");
        };
        if !self.s.known.within(&t, 0, i128::from(entries) - 1) {
            return no("the index of a jump table is not proved to be inside");
        }
        for k in 0..entries.min(4096) {
            let Some(target) = program.initial_word(address + k * word as u64) else {
                return no("a table without bytes");
            };
            let label = target.checked_sub(self.f.addr).and_then(|at| self.stream.labels.get(&at).cloned());
            let before = self.s.clone();
            self.s.known.assume_equal(&t, &Lin::of(k.into()));
            self.refine()?;
            if !self.s.known.contradictory() {
                match label {
                    Some(label) => self.edge(&label)?,
                    None => return no("an entry of a jump table that is no label"),
                }
            }
            self.s = before;
        }
        Ok(())
    }

    fn is_gate(&self, insn: &Insn) -> bool {
        let mem = &insn.mem;
        let address = if self.w.word == 4 { u64::from(mem.disp as u32) } else { mem.disp as u64 };
        insn.args[0] == Arg::Mem
            && mem.base.is_none()
            && mem.index.is_none()
            && address == self.w.program.gate
    }

    fn target(&mut self, insn: &Insn) -> Result<Word, Stop> {
        match insn.args[0] {
            Arg::Reg(r) => Ok(self.reg(r)),
            Arg::Mem => {
                let place = self.place(insn, self.w.word)?;
                self.load(&place, self.w.word)
            }
            _ => no("an odd target"),
        }
    }

    fn calls(&mut self, sig: talcore::types::SigId) -> Result<Next, Stop> {
        if self.s.known.contradictory() {
            return Ok(Next::On);
        }
        self.call(sig)?;
        Ok(if self.w.program.types.sig(sig).noreturn { Next::Trap } else { Next::On })
    }

    /// A jump to a label of this function, or to another function.
    fn jump(&mut self, target: u64) -> Result<Next, Stop> {
        if self.s.known.contradictory() {
            return Ok(Next::End);
        }
        if let Some(sig) = self.w.program.sig_for(self.f.scope, target) {
            let own = target == self.f.addr && self.stream.labels.contains_key(&0);
            if !own {
                self.tail(sig)?;
                return Ok(Next::End);
            }
        }
        let label = target.checked_sub(self.f.addr).and_then(|at| self.stream.labels.get(&at).cloned());
        match label {
            Some(label) => self.edge(&label)?,
            None => return no("a jump to where no label is"),
        }
        Ok(Next::End)
    }
}
