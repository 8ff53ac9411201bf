//! The control flow of a function: where its labels are, and which registers are live there.

use std::collections::{BTreeMap, BTreeSet};
use talcore::arch::Arch;
use talcore::guide::{Ghost, Step};
use talcore::program::{Function, ObjectKind, Program};
use talcore::types::{RegSet, Sig, WordId};
use talcore::verdict::{Code as Reason, Reject};
use talcore::walk;
use talcore::x86::decode::decode;
use talcore::x86::insn::{Arg, Insn, Op, Reg};

/// A decoded function.
pub(super) struct Code {
    /// Instructions with their offsets.
    pub insns: Vec<(u64, Insn)>,
    /// Labels: offsets that something jumps to or that are annotated, with the registers that are live there.
    pub labels: BTreeMap<u64, RegSet>,
    /// Steps without machine code, in order.
    pub ghosts: Vec<Step>,
}

/// Whether control never goes on behind such an instruction.
fn leaves(op: Op) -> bool {
    matches!(op, Op::Jmp | Op::JmpInd | Op::Ret | Op::RetImm | Op::Ud2)
}

/// The registers that a step looks at.
fn looks_at(ghost: &Ghost) -> RegSet {
    match ghost {
        Ghost::Split(r) | Ghost::Cursor(r) | Ghost::Advance(r) | Ghost::End(r) => bit(*r),
        Ghost::Join(a, b) => bit(*a) | bit(*b),
        Ghost::Lend(r, _) => bit(*r),
        Ghost::Choose(..) | Ghost::Restore(_) => 0,
    }
}

impl Code {
    /// Decodes a function. `entry_label`: a jump to its first byte means a label, not a tail call; `more`:
    /// places that are labels even if nothing jumps there.
    pub(super) fn read(
        program: &Program<'_>,
        function: &Function,
        entry_label: bool,
        more: impl Iterator<Item = u64>,
        steps: &[Step],
    ) -> Result<Code, Box<Reject>> {
        let bytes = walk::code(program, function)?;
        let mut insns = Vec::new();
        let mut at = 0u64;
        while let Some(rest) = bytes.get(at as usize..).filter(|r| !r.is_empty()) {
            let ip = function.addr + at;
            let insn = decode(program.arch, rest, ip).map_err(|e| Reject::new(e.code(), ip, e.why()))?;
            insns.push((at, insn));
            at += u64::from(insn.len);
        }
        let labels =
            more.filter(|m| insns.binary_search_by_key(m, |i| i.0).is_ok()).map(|m| (m, 0)).collect();
        // The module's types come behind those of the interface.
        let local = |ghost| match ghost {
            Ghost::Choose(v, ty) => Ghost::Choose(v, WordId(function.types.words.0 + ty.0)),
            other => other,
        };
        let ghosts = steps.iter().map(|s| Step { ghost: local(s.ghost), ..*s }).collect();
        let mut code = Code { insns, labels, ghosts };
        for step in code.ghosts.iter().filter(|s| s.falls) {
            let before = code.index_of(step.at).and_then(|i| code.insns.get(i.checked_sub(1)?));
            if before.is_some_and(|i| leaves(i.1.op)) {
                let why = "no path comes to this step: what stands in front of a label is for those that fall through to it";
                return Err(Reject::new(Reason::Ghost, function.addr + step.at, why));
            }
        }
        for i in 0..code.insns.len() {
            for target in code.targets(program, function, i) {
                if target != 0 || entry_label {
                    code.labels.insert(target, 0);
                }
            }
        }
        code.liveness(program, function);
        Ok(code)
    }

    /// Blocks (the entry is `None`) in reverse post-order of the control flow: a block comes before those
    /// that it leads to, but for the back edges of loops.
    pub(super) fn order(&self, program: &Program<'_>, function: &Function) -> Vec<Option<u64>> {
        let mut seen = BTreeSet::from([None]);
        let mut post = Vec::new();
        let mut stack = vec![(None, self.successors(program, function, None))];
        while let Some((block, next)) = stack.last_mut() {
            match next.pop() {
                Some(s) if seen.insert(Some(s)) => {
                    let after = self.successors(program, function, Some(s));
                    stack.push((Some(s), after));
                }
                Some(_) => {}
                None => {
                    post.push(*block);
                    stack.pop();
                }
            }
        }
        post.reverse();
        post
    }

    /// Whether an instruction from an offset on writes a register, before another offset. (Of unknown callees nothing is said.)
    pub(super) fn writes(&self, from: u64, to: u64, r: u8) -> bool {
        let between = self.insns.iter().filter(|(at, _)| (from..to).contains(at));
        between.into_iter().any(|(_, i)| {
            matches!(i.op, Op::Call | Op::CallInd) || i.args.first().is_some_and(|a| *a == Arg::Reg(Reg(r)))
        })
    }

    /// The labels from which some way leads to a return, or out of the function by a jump.
    pub(super) fn returning(&self, program: &Program<'_>, function: &Function) -> BTreeSet<u64> {
        let mut from: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        let mut open = Vec::new();
        for &at in self.labels.keys() {
            for to in self.successors(program, function, Some(at)) {
                from.entry(to).or_default().push(at);
            }
            if self.block(at).any(|i| self.goes_out(program, function, i)) {
                open.push(at);
            }
        }
        let mut all: BTreeSet<u64> = open.iter().copied().collect();
        while let Some(at) = open.pop() {
            open.extend(from.remove(&at).into_iter().flatten().filter(|a| all.insert(*a)));
        }
        all
    }

    /// The instructions of a block, by index: up to the next label, or where control leaves.
    fn block(&self, at: u64) -> impl Iterator<Item = usize> {
        let first = self.index_of(at).unwrap_or(self.insns.len());
        let next = (first + 1..self.insns.len())
            .find(|i| leaves(self.insns[i - 1].1.op) || self.labels.contains_key(&self.insns[*i].0));
        first..next.unwrap_or(self.insns.len())
    }

    /// Whether an instruction returns, or jumps to where the function has no label.
    fn goes_out(&self, program: &Program<'_>, function: &Function, i: usize) -> bool {
        match self.insns[i].1.op {
            Op::Ret | Op::RetImm => true,
            Op::Jmp | Op::Jcc | Op::JmpInd => {
                let targets = self.targets(program, function, i);
                targets.is_empty() || targets.iter().any(|t| !self.labels.contains_key(t))
            }
            _ => false,
        }
    }

    /// The labels that a block leads to.
    fn successors(&self, program: &Program<'_>, function: &Function, block: Option<u64>) -> Vec<u64> {
        let mut out = Vec::new();
        let Some(first) = self.index_of(block.unwrap_or(0)) else { return out };
        for i in first..self.insns.len() {
            let (at, insn) = &self.insns[i];
            if (i != first || block.is_none()) && self.labels.contains_key(at) {
                out.push(*at);
                return out;
            }
            out.extend(
                self.targets(program, function, i).into_iter().filter(|t| self.labels.contains_key(t)),
            );
            if leaves(insn.op) {
                return out;
            }
        }
        out
    }

    /// The steps that are taken at an offset: before its label, on the path that falls through to there, or behind it.
    pub(super) fn steps(&self, at: u64, falls: bool) -> impl Iterator<Item = Ghost> {
        let first = self.ghosts.partition_point(|s| s.at < at);
        let here = self.ghosts.get(first..).unwrap_or_default().iter().take_while(move |s| s.at == at);
        here.filter(move |s| s.falls == falls).map(|s| s.ghost)
    }

    /// The index of the instruction at an offset.
    pub(super) fn index_of(&self, at: u64) -> Option<usize> {
        self.insns.binary_search_by_key(&at, |i| i.0).ok()
    }

    /// The offsets inside the function that an instruction may jump to.
    fn targets(&self, program: &Program<'_>, function: &Function, i: usize) -> Vec<u64> {
        let insn = &self.insns[i].1;
        let inside = |a: u64| a.checked_sub(function.addr).filter(|o| *o < function.size);
        match insn.op {
            Op::Jmp | Op::Jcc | Op::Jcxz => inside(insn.imm as u64).into_iter().collect(),
            Op::JmpInd if insn.args[0] == Arg::Mem => {
                let Some((o, 0)) = program.object_at(insn.mem.disp as u64) else { return Vec::new() };
                let object = &program.objects[o as usize];
                let ObjectKind::Table(_, n) = object.kind else { return Vec::new() };
                let word = u64::from(program.arch.word_bytes());
                (0..n).filter_map(|k| inside(program.initial_word(object.addr + k * word)?)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Live registers by iteration from the end; a register is live if some path reads it first.
    fn liveness(&mut self, program: &Program<'_>, function: &Function) {
        let sig = program.types.sig(function.sig);
        let effects: Vec<Effect> = self
            .insns
            .iter()
            .map(|(at, i)| {
                let mut e = effect(program, function, sig, i);
                e.reads |= self.steps(*at, false).fold(0, |set, ghost| set | looks_at(&ghost));
                e
            })
            .collect();
        let targets: Vec<Vec<u64>> =
            (0..self.insns.len()).map(|i| self.targets(program, function, i)).collect();
        loop {
            let mut changed = false;
            let mut live: RegSet = 0;
            for i in (0..self.insns.len()).rev() {
                let e = &effects[i];
                let mut after = if e.falls { live } else { 0 };
                for t in &targets[i] {
                    after |= self.labels.get(t).copied().unwrap_or(0);
                }
                live = (after & !e.writes) | e.reads;
                if let Some(old) = self.labels.get_mut(&self.insns[i].0)
                    && *old != live
                {
                    *old = live;
                    changed = true;
                }
                live |= self.steps(self.insns[i].0, true).fold(0, |set, ghost| set | looks_at(&ghost));
            }
            if !changed {
                return;
            }
        }
    }
}

/// What an instruction does to registers.
struct Effect {
    reads: RegSet,
    writes: RegSet,
    falls: bool,
}

fn bit(r: Reg) -> RegSet {
    1 << r.0
}

fn registers(list: &[(u8, talcore::types::WordId)]) -> RegSet {
    list.iter().fold(0, |set, (r, _)| set | 1 << r)
}

/// The registers in which arguments may come: those that a call changes, and on IA-32, which has few, any.
fn arguments(arch: Arch) -> RegSet {
    match arch {
        Arch::Amd64 => 0x0fc7,
        Arch::Ia32 => 0x00ef,
    }
}

fn effect(program: &Program<'_>, function: &Function, own: &Sig, i: &Insn) -> Effect {
    use Op::*;
    let mut e = Effect { reads: 0, writes: 0, falls: true };
    for r in [i.mem.base, i.mem.index].into_iter().flatten().filter(|_| i.args.contains(&Arg::Mem)) {
        e.reads |= bit(r);
    }
    let whole = i.width.bits() >= 32;
    for (n, arg) in i.args.iter().enumerate() {
        match arg {
            Arg::Reg(r) | Arg::High(r) => {
                let write_only =
                    n == 0 && whole && matches!(i.op, Mov | Movzx | Movsx | Lea | Pop | VecToReg | Popcnt)
                        || n == 0 && i.op == Imul && i.args[2] != Arg::None;
                if write_only {
                    e.writes |= bit(*r);
                } else {
                    e.reads |= bit(*r);
                }
            }
            _ => {}
        }
    }
    let call = |sig: &Sig| (registers(&sig.params), !sig.preserved);
    let leave = registers(&own.results) | own.preserved;
    match i.op {
        // `xor r, r` needs nothing of r.
        Xor | Sub if whole && i.args[0] == i.args[1] => {
            if let Arg::Reg(r) = i.args[0] {
                e.reads = 0;
                e.writes = bit(r);
            }
        }
        Mul | Imul1 => {
            e.reads |= bit(Reg::AX);
            e.writes = if whole { bit(Reg::DX) } else { 0 };
        }
        Div | Idiv => e.reads |= bit(Reg::AX) | bit(Reg::DX),
        Cbw => e.reads |= bit(Reg::AX),
        Cwd => {
            e.reads |= bit(Reg::AX);
            e.writes |= if whole { bit(Reg::DX) } else { 0 };
        }
        Cmpxchg => e.reads |= bit(Reg::AX),
        Movs | Stos | Lods | Cmps | Scas => {
            e.reads |= bit(Reg::SI) | bit(Reg::DI) | bit(Reg::AX);
            if i.rep != talcore::x86::insn::Rep::No {
                e.reads |= bit(Reg::CX);
            }
        }
        Shl | Shr | Sar | Rol | Ror | Rcl | Rcr | Shld | Shrd | Setcc | Cmovcc => {}
        Jcxz => e.reads |= bit(Reg::CX),
        Rdtsc => e.writes |= bit(Reg::AX) | bit(Reg::DX),
        Leave => e.reads |= bit(Reg::BP),
        Call => {
            if let Some(id) = program.sig_at(i.imm as u64) {
                let (reads, writes) = call(program.types.sig(id));
                e = Effect { reads, writes, falls: !program.types.sig(id).noreturn };
            }
        }
        CallInd if i.args[0] == Arg::Mem && i.mem.disp as u64 == program.gate && i.mem.base.is_none() => {
            e.reads = program.abi.inputs;
            e.writes = program.abi.clobbers;
        }
        // What an unknown callee needs: any register that carries arguments.
        CallInd => e.reads |= arguments(program.arch),
        Ret | RetImm => e = Effect { reads: leave, writes: 0, falls: false },
        Ud2 => e = Effect { reads: 0, writes: 0, falls: false },
        Jmp => {
            e.falls = false;
            let away =
                (i.imm as u64).wrapping_sub(function.addr) >= function.size || i.imm as u64 == function.addr;
            if away && let Some(id) = program.sig_at(i.imm as u64) {
                e.reads = registers(&program.types.sig(id).params) | own.preserved;
            }
        }
        Jcc => {
            let away =
                (i.imm as u64).wrapping_sub(function.addr) >= function.size || i.imm as u64 == function.addr;
            if away && let Some(id) = program.sig_at(i.imm as u64) {
                e.reads = registers(&program.types.sig(id).params) | own.preserved;
            }
        }
        JmpInd => {
            e.falls = false;
            e.reads |= own.preserved | arguments(program.arch);
        }
        _ => {}
    }
    e
}
