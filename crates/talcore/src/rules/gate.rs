//! System calls: `call [gate]` with a constant number in the accumulator.

use crate::abi::{Entry, PATH_BYTES, ParamKind};
use crate::engine::{Checked, Engine, Flow};
use crate::guide::Guide;
use crate::matching::{Blame, Subst};
use crate::rules::Lent;
use crate::state::Word;
use crate::term::Term;
use crate::types::Mode;
use crate::verdict::Code;
use crate::x86::insn::{Insn, Reg};
use alloc::vec::Vec;

/// Failures of a system call's arguments.
pub(super) const SYSCALL: Blame = Blame { shape: Code::ArgType, fact: Code::ArgFact };

impl<'a, G: Guide> Engine<'a, G> {
    /// The word that a register is known to hold, in `[0, 2^W)`.
    fn known_word(&self, r: u8) -> Option<i128> {
        match self.get(Reg(r)) {
            Word::Int(t) => t.as_const().map(|c| c.rem_euclid(self.word_range().hi + 1)),
            _ => None,
        }
    }

    /// A call through the gate: typed by the first entry of its number whose keys match.
    pub fn system_call(&mut self, i: &Insn) -> Checked<Flow> {
        let program = self.program;
        let number = self.known_word(0).and_then(|n| u32::try_from(n).ok());
        let Some(number) = number else {
            return self.reject(Code::SyscallNumber, "the number of the system call is not a known constant");
        };
        let bits = program.arch.word_bits();
        let mut entries = program.abi.entries_for(number).peekable();
        if entries.peek().is_none() {
            return self.reject(Code::NoEntry, "the interface table has no entry for this system call");
        }
        let Some(entry) = entries.find(|e| e.keys_match(bits, |r| self.known_word(r))) else {
            return self
                .reject(Code::NoEntry, "no entry of the interface table fits these constant arguments");
        };
        // In ring 0 the kernel is left by an ordinary return, perhaps too early.
        if !entry.noreturn && !self.settled(self.behind(i)) {
            return self
                .reject(Code::Speculation, "the results of a system call are used before an `lfence`");
        }
        self.enter_kernel(entry)
    }

    fn enter_kernel(&mut self, entry: &Entry) -> Checked<Flow> {
        self.spend(16 + entry.params.len() as u64)?;
        let mut s = Subst::new(0, entry.vars.len());
        self.lent.clear();
        let mut lengths = Vec::new();
        for p in &entry.params {
            let word = self.get(Reg(p.reg));
            let zero = self.known_word(p.reg) == Some(0);
            let done = match &p.kind {
                ParamKind::Const(_) | ParamKind::OneOf(_) | ParamKind::Mask(_) => Ok(()),
                ParamKind::Nullable(_) if zero => Ok(()),
                ParamKind::Word(ty) | ParamKind::Nullable(ty) => {
                    self.match_word(&mut s, (*ty, &None), &word, SYSCALL)
                }
                ParamKind::Path => self.path(&word),
                ParamKind::Length(k) => self.length(&mut s, *k, &word, &mut lengths),
                ParamKind::Vector { count, total, part } => {
                    self.vector(&mut s, (*count, *total), *part, &word)
                }
                ParamKind::Strings => self.strings(&word),
                ParamKind::Action(flags) => self.action(&word, *flags),
            };
            done.map_err(|e| e.reg(p.reg))?;
        }
        self.discharge(&mut s, &entry.vars, &entry.facts, SYSCALL)?;
        self.borrows(0)?;
        for place in &lengths {
            self.length_written(place)?;
        }
        self.loans_return(&s, SYSCALL)?;
        if entry.noreturn {
            return Ok(Flow::Trap);
        }
        self.state.touched = self.state.touched.min(self.state.depth - self.word());
        self.clobber(self.program.abi.clobbers);
        self.results(&entry.result_vars, &entry.result_facts, &entry.results, &mut s)?;
        Ok(Flow::Next)
    }

    /// A string for the kernel: inside a `cstr`, or at least [`PATH_BYTES`] readable bytes, so that
    /// the kernel, which reads at most so many, never reads past the object.
    fn path(&mut self, word: &Word) -> Checked {
        let need = Term::from(i128::from(PATH_BYTES));
        match word {
            Word::Ptr(l, e) => {
                let loc = self.loc(*l)?;
                self.require(e, Code::ArgFact, "the pointer may lie before the object")?;
                let left = match self.string_left(*l, e)? {
                    Some(left) => {
                        // The kernel reads it before it writes anything, and it is not told to write here.
                        self.lent.push(Lent::Object(*l, Mode::Frozen));
                        left
                    }
                    None => {
                        let size = self.size_of(&loc.lay);
                        let size =
                            size.ok_or_else(|| self.fail(Code::ArgType, "the object's size is not known"))?;
                        self.term(size.sub(e).and_then(|t| t.sub(&need)))?
                    }
                };
                self.require(&left, Code::ArgFact, "neither a string nor 4096 readable bytes follow")
            }
            Word::Sp(e) => match self.lend_frame_text(e)? {
                Some(_) => Ok(()),
                None => self.in_frame(e, i128::from(PATH_BYTES)),
            },
            _ => self.reject(Code::ArgType, "a path is a pointer to a string"),
        }
    }
}
