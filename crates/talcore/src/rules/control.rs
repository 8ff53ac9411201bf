//! Jumps, branches and calls.

use super::place::Place;
use crate::arith::Num;
use crate::engine::{Checked, Engine, Flow, under};
use crate::guide::Guide;
use crate::program::{ObjectKind, Policy};
use crate::state::{State, Word};
use crate::term::Term;
use crate::types::{SigId, WordTy};
use crate::verdict::Code;
use crate::x86::insn::{Arg, Cond, Insn, Mem, Reg};
use alloc::vec::Vec;

impl<'a, G: Guide> Engine<'a, G> {
    /// The offset of an address in this function.
    fn inside_function(&self, addr: u64) -> Option<u64> {
        addr.checked_sub(self.function.addr).filter(|o| *o < self.function.size)
    }

    /// The offset that a jump goes to. Without a label at its first byte a jump to the function's start is a
    /// call of it, and none inside.
    fn local_target(&mut self, addr: u64) -> Option<u64> {
        let off = self.inside_function(addr)?;
        (off != 0 || self.guide.label(0).is_some()).then_some(off)
    }

    /// `call rel32`.
    pub fn call_direct(&mut self, i: &Insn) -> Checked<Flow> {
        match self.sig_at(i.imm as u64) {
            Some(sig) => self.call_sig(sig),
            None => self.reject(Code::NotFunction, "no function starts at the target of the call"),
        }
    }

    /// `call r/m`: the gate, or a word of `fn` type.
    pub fn call_indirect(&mut self, i: &Insn) -> Checked<Flow> {
        if self.is_gate(i) {
            return self.system_call(i);
        }
        self.predictable()?;
        let (sig, args) = self.code_pointer(i)?;
        self.apply(args)?;
        self.call_sig(sig)
    }

    /// Where an indirect jump goes is predicted from what other code did, and may be anywhere.
    fn predictable(&self) -> Checked {
        match self.program.policy {
            Policy::Architectural => Ok(()),
            Policy::Speculative => self
                .reject(Code::Speculation, "the target of an indirect jump or call may be predicted wrongly"),
        }
    }

    /// Whether what was decided by this instruction, a branch or one that could have trapped, is decided
    /// where the instruction at `next` is executed. Speculatively it is not, unless that is `lfence`: "LFENCE does
    /// not execute until all prior instructions have completed locally, and no later instruction begins
    /// execution until LFENCE completes" (Intel SDM, volume 2; on AMD processors the kernel sees to it).
    pub fn settled(&self, next: u64) -> bool {
        const LFENCE: [u8; 3] = [0x0f, 0xae, 0xe8];
        let fenced =
            || self.program.segment(next, 3).is_some_and(|s| s.exec && s.bytes_at(next).starts_with(&LFENCE));
        self.program.policy == Policy::Architectural || fenced()
    }

    /// The address of the instruction behind `i`, which is the present one.
    pub fn behind(&self, i: &Insn) -> u64 {
        self.ip.wrapping_add(i.len.into())
    }

    /// The signature of the code that an operand points to.
    fn code_pointer(&mut self, i: &Insn) -> Checked<(SigId, Vec<Term>)> {
        let word = match i.args[0] {
            Arg::Reg(r) => self.get(r),
            Arg::Mem => self.load(i, i.width)?,
            _ => Word::Any,
        };
        match word {
            Word::Fn(sig) => Ok((sig, Vec::new())),
            Word::Opt(_, ty, ref env) if matches!(self.program.types.word(ty), WordTy::FnAt(..)) => {
                match self.code_of((ty, env))? {
                    Some(code) => Ok(code),
                    None => self.reject(Code::NotFunction, "the word is not a code pointer"),
                }
            }
            Word::Opt(..) => self.reject(Code::NotFunction, "the code pointer may be 0 here: test it first"),
            _ => self.reject(Code::NotFunction, "the word is not a code pointer"),
        }
    }

    /// What the first variables of a signature stand for that is called next. (They are bound before those that the
    /// code chooses, which therefore cannot be among them.)
    fn apply(&mut self, args: Vec<Term>) -> Checked {
        self.spend(args.len() as u64)?;
        let known = args.len() as u32;
        self.chosen.retain(|c| c.0 >= known);
        self.chosen.extend((0..).zip(args));
        Ok(())
    }

    /// `jmp rel`: to a label of this function, or a tail call.
    pub fn jump(&mut self, i: &Insn) -> Checked<Flow> {
        let target = i.imm as u64;
        match self.local_target(target) {
            Some(off) => {
                self.edge(off)?;
                Ok(Flow::Away)
            }
            None => match self.sig_at(target) {
                Some(sig) => self.tail_call(sig),
                None => self.reject(Code::NoLabel, "the jump leaves the function, and not to another one"),
            },
        }
    }

    /// `jcc rel`: both edges learn what the condition says.
    pub fn branch(&mut self, i: &Insn) -> Checked {
        let cond = i.cond;
        self.fork(i, |e, taken| e.learn(if taken { cond } else { cond.negate() }))
    }

    /// Assumes what a condition says of the flags.
    fn learn(&mut self, cond: Cond) {
        let word_bits = self.program.arch.word_bits();
        let (flags, facts, mut prover) = self.split();
        Num { facts, prover: &mut prover, word_bits }.assume(flags, cond);
    }

    /// `jrcxz`: jumps if the whole count register is 0. Flags stay.
    pub fn branch_cx(&mut self, i: &Insn) -> Checked {
        let cx = self.get(Reg::CX);
        let cx = self.integer(&cx)?;
        self.fork(i, |e, taken| {
            let facts = e.num(|n| n.refine_zero(&cx, taken));
            for fact in facts {
                e.state.facts.assume(&fact);
            }
        })
    }

    /// Follows the edge to the branch's target with what `learn(true)` teaches, then goes on with `learn(false)`.
    fn fork(&mut self, i: &Insn, learn: impl Fn(&mut Self, bool)) -> Checked {
        let (target, behind) = (i.imm as u64, self.behind(i));
        let learn = |e: &mut Self, taken| {
            if e.settled(if taken { target } else { behind }) {
                learn(e, taken);
            }
        };
        let Some(off) = self.local_target(target) else {
            return self.branch_away(target, learn);
        };
        // Following an edge packs what the label wants packed.
        let saved: Option<State> = if self.untested || self.state.owns() { Some(self.copy()?) } else { None };
        self.spend(self.state.frame.len() as u64)?;
        let mark = self.state.facts.mark();
        learn(self, true);
        self.resolve()?;
        self.edge(off)?;
        match saved {
            Some(state) => self.state = state,
            None => self.rollback(mark),
        }
        learn(self, false);
        self.resolve()
    }

    /// A conditional tail call.
    fn branch_away(&mut self, target: u64, learn: impl Fn(&mut Self, bool)) -> Checked {
        let Some(sig) = self.sig_at(target) else {
            return self.reject(Code::NoLabel, "the jump leaves the function, and not to another one");
        };
        let saved = self.copy()?;
        learn(self, true);
        self.resolve()?;
        self.tail_call(sig)?;
        self.state = saved;
        learn(self, false);
        self.resolve()
    }

    /// A copy of the state, which is paid for: straight code piles up variables without end.
    fn copy(&mut self) -> Checked<State> {
        self.spend(self.state.parts() as u64)?;
        Ok(self.state.clone())
    }

    /// Whether some word of the state is of a type `opt`.
    pub fn has_untested(&self) -> bool {
        self.state.words().any(|w| matches!(w, Word::Opt(..)))
    }

    /// Words of type `opt tau` whose value is now known become 0 or `tau`: every copy at once,
    /// since copies share the variable that is the value.
    pub fn resolve(&mut self) -> Checked {
        if !self.untested {
            return Ok(());
        }
        self.resolve_guards()?;
        while let Some((var, word)) = self.next_resolved()? {
            for w in self.state.words_mut() {
                if matches!(w, Word::Opt(v, ..) if *v == var) {
                    *w = word.clone();
                }
            }
            self.spend(self.state.parts() as u64)?;
        }
        Ok(())
    }

    fn next_resolved(&mut self) -> Checked<Option<(u32, Word)>> {
        let types = &self.program.types;
        // Error numbers are the 4095 largest words.
        let error = self.word_range().hi - 4094;
        let mut found = None;
        for w in self.state.words() {
            if let Word::Opt(v, ty, env) = w {
                let range = self.state.facts.interval(*v);
                let (pointer, number) = match types.word(*ty) {
                    WordTy::When(t, range, _) => match self.decided(t, range, env) {
                        Some(is) => (is, !is),
                        None => continue,
                    },
                    WordTy::Of(..) | WordTy::FnAt(..) => continue, // whatever it is, no test tells
                    WordTy::Res(_) => (range.hi < error, range.lo >= error),
                    _ => (range.lo >= 1, range.hi <= 0),
                };
                if pointer || number {
                    found = Some((*v, *ty, env.clone(), pointer));
                    break;
                }
            }
        }
        let Some((var, ty, env, pointer)) = found else { return Ok(None) };
        if let WordTy::When(_, _, inner) = types.word(ty) {
            let word = if pointer { self.load_word(*inner, &env)? } else { Word::Int(Term::var(var)) };
            return Ok(Some((var, word)));
        }
        let (WordTy::Opt(inner) | WordTy::Res(inner)) = types.word(ty) else {
            return self.reject(Code::IllFormedType, "an untested word has no `opt` type");
        };
        if !pointer {
            let zero = matches!(types.word(ty), WordTy::Opt(_));
            return Ok(Some((var, Word::Int(if zero { Term::zero() } else { Term::var(var) }))));
        }
        let word = match types.word(*inner) {
            WordTy::Fn(sig) => Word::Fn(*sig),
            WordTy::Ptr(..) | WordTy::Exists(_) | WordTy::During(..) => {
                let (pointer, stretch) = match types.word(*inner) {
                    WordTy::During(t, pointer) => {
                        let t = self.term(under(t, &env))?;
                        match self.lasts(&t)? {
                            Some(v) => (*pointer, Some(v)),
                            // It was a pointer, perhaps.
                            None => return Ok(Some((var, Word::Int(Term::var(var))))),
                        }
                    }
                    _ => (*inner, None),
                };
                let (mode, lay) = self.opened_word(pointer, &env, None)?;
                let l = self.open(mode, lay.clone())?;
                self.belongs(l, stretch);
                // The value is the address.
                if let Some(loc) = self.state.locs.get_mut(l as usize) {
                    loc.addr = Some(var);
                }
                self.ends_in_memory(&lay, var);
                Word::Ptr(l, Term::zero())
            }
            _ => return self.reject(Code::IllFormedType, "`opt` of a word that is no pointer"),
        };
        Ok(Some((var, word)))
    }

    /// `jmp r/m`: a jump table of this function, or a tail call through a code pointer.
    pub fn jump_indirect(&mut self, i: &Insn) -> Checked<Flow> {
        if self.is_gate(i) {
            return self.reject(Code::GateUse, "the gate is called, never jumped to");
        }
        self.predictable()?;
        if i.args[0] == Arg::Mem
            && let Some((first, count)) = self.table_at(&i.mem)
        {
            return self.jump_table(&i.mem, first, count);
        }
        let (sig, args) = self.code_pointer(i)?;
        self.apply(args)?;
        self.tail_call(sig)
    }

    /// The jump table at the displacement, if it is one of this function.
    fn table_at(&self, mem: &Mem) -> Option<(u64, u64)> {
        let (object, off) = self.program.object_at(mem.disp as u64)?;
        let o = self.program.objects.get(object as usize)?;
        match o.kind {
            ObjectKind::Table(f, count)
                if off == 0
                    && self
                        .program
                        .functions
                        .get(f as usize)
                        .is_some_and(|f| f.addr == self.function.addr) =>
            {
                Some((o.addr, count))
            }
            _ => None,
        }
    }

    /// `jmp [table + W*r]` with `0 <= r < n`: the edge to entry `k` knows `r = k`.
    fn jump_table(&mut self, mem: &Mem, first: u64, count: u64) -> Checked<Flow> {
        let word = self.word();
        let (None, Some(r), false) = (mem.base, mem.index, mem.rip) else {
            return self.reject(Code::JumpTable, "a jump table is used as `jmp [table + W*index]`");
        };
        if i64::from(mem.scale) != word {
            return self.reject(Code::JumpTable, "the index is not scaled by the word size");
        }
        let index = self.get(r);
        let index = self.integer(&index)?;
        self.require(&index, Code::JumpTable, "the index may be negative")?;
        let left = self.term(Term::from(i128::from(count)).sub(&index).and_then(|t| t.offset(-1)))?;
        self.require(&left, Code::JumpTable, "the index may be too large")?;
        for k in 0..count {
            self.spend(8)?;
            let entry = self.program.initial_word(first + k * word as u64);
            let Some(off) = entry.and_then(|a| self.inside_function(a)) else {
                return self
                    .reject(Code::JumpTable, "an entry of the table does not point into the function");
            };
            let saved = if self.state.owns() { Some(self.copy()?) } else { None };
            let mark = self.state.facts.mark();
            if let Some(below) = index.offset(-i128::from(k)) {
                self.state.facts.assume(&below);
                if let Some(above) = below.neg() {
                    self.state.facts.assume(&above);
                }
            }
            let followed = self.edge(off);
            match saved {
                Some(state) => self.state = state,
                None => self.rollback(mark),
            }
            followed?;
        }
        Ok(Flow::Away)
    }

    /// Whether the operand is the gate slot.
    fn is_gate(&self, i: &Insn) -> bool {
        i.args[0] == Arg::Mem
            && i.mem.base.is_none()
            && i.mem.index.is_none()
            && i.mem.disp as u64 == self.program.gate
            && self.program.gate != 0
    }

    /// The place of a word that is the address of data or code; used for initial data too.
    pub fn absolute_word(&self, addr: u64) -> Option<Place> {
        self.absolute(addr)
    }
}
