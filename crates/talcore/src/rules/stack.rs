//! The stack discipline: rsp moves by constants, and never far below what was touched.

use crate::engine::{Checked, Engine};
use crate::guide::Guide;
use crate::limits;
use crate::state::Word;
use crate::verdict::Code;
use crate::x86::insn::{Arg, Insn, Reg};

impl<'a, G: Guide> Engine<'a, G> {
    /// rsp gets a new value: an address in the frame at a constant offset.
    pub fn set_sp(&mut self, word: Word) -> Checked {
        let Word::Sp(e) = &word else {
            return self.reject(Code::StackPointer, "the stack pointer would not point into the frame");
        };
        let Some(at) = e.as_const().and_then(|c| i64::try_from(c).ok()) else {
            return self.reject(Code::StackPointer, "the stack pointer may only move by constants");
        };
        let up = at.checked_sub(self.state.depth);
        match (up, up.and_then(i64::checked_neg)) {
            (Some(up), _) if up > 0 => self.release(up),
            (_, Some(down)) => self.allocate(down),
            _ => self.reject(Code::StackPointer, "the stack pointer would leave the stack"),
        }
    }

    /// rsp goes down. The kernel puts a guard gap below the stack: what is skipped without a touch
    /// stays far smaller than it, else a large frame could reach another mapping.
    fn allocate(&mut self, size: i64) -> Checked {
        if !self.state.allocate(size) {
            return self.reject(Code::Limit, "the frame is too large");
        }
        if self.state.debt() > limits::PROBE_DEBT {
            return self
                .reject(Code::ProbeDebt, "more than 64 KiB of stack are skipped without touching them");
        }
        Ok(())
    }

    fn release(&mut self, size: i64) -> Checked {
        if !self.state.release(size) {
            return self.reject(Code::StackPointer, "the stack pointer would leave the function's own frame");
        }
        Ok(())
    }

    /// `push src`: a new word cell, of the source's type. rsp itself is read before it moves.
    pub fn push(&mut self, i: &Insn) -> Checked {
        let word = match i.args[0] {
            Arg::Reg(r) => self.get(r),
            // What is read from memory that others may hold too is an integer copy of it; whole
            // cells of copyable types keep their type.
            Arg::Mem => self.load(i, i.width)?,
            Arg::Imm => self.immediate(i.imm)?,
            arg => Word::Int(self.read_arg(i, arg, i.width)?),
        };
        self.push_word(word)
    }

    /// Puts a word on the stack.
    pub fn push_word(&mut self, word: Word) -> Checked {
        let size = self.word();
        if !self.state.push(size, word) {
            return self.reject(Code::Limit, "the frame has too many cells");
        }
        Ok(())
    }

    /// `pop dst`: the word on top, with its type. An address in `[mem]` is computed after rsp has
    /// moved (Intel SDM vol. 2, POP).
    pub fn pop(&mut self, i: &Insn) -> Checked {
        let size = self.word();
        let at = self.state.depth;
        if at > -size {
            return self.reject(Code::StackPointer, "there is nothing of this function on the stack");
        }
        let word = match self.state.frame.last_mut() {
            Some(s) if s.off == at && s.size == size => s.word.take().unwrap_or_default(),
            _ => Word::Any,
        };
        self.release(size)?;
        match i.args[0] {
            Arg::Reg(Reg::SP) => self.reject(Code::StackPointer, "`pop` of the stack pointer is not typed"),
            Arg::Reg(r) => {
                self.set(r, word);
                Ok(())
            }
            Arg::Mem => self.store(i, i.width, word),
            _ => self.reject(Code::NotAllowed, "the operand cannot be written"),
        }
    }

    /// `leave`: rsp becomes rbp, then rbp is popped.
    pub fn leave(&mut self) -> Checked {
        let word = self.get(Reg::BP);
        if !matches!(&word, Word::Sp(e) if e.as_const().is_some_and(|c| c >= i128::from(self.state.depth))) {
            return self
                .reject(Code::StackPointer, "the frame pointer does not hold a fixed place in the frame");
        }
        self.set_sp(word)?;
        let pop = Insn { args: [Arg::Reg(Reg::BP), Arg::None, Arg::None], ..Insn::default() };
        self.pop(&pop)
    }
}
