//! A kernel that does what the interface table allows, at random.

use super::alu::cut;
use super::memory::Holds;
use super::sigs::{Vars, holds, value};
use super::{Machine, RSP, Stop, Watched};
use talcore::abi::{Entry, LENGTH_BYTES, PATH_BYTES, ParamKind};
use talcore::facts::Interval;
use talcore::types::{Mode, WordId, WordTy};

impl Machine<'_> {
    /// A call through the gate.
    pub(crate) fn kernel(&mut self) -> Watched<Option<Stop>> {
        self.memory.typed(self.program)?;
        let program = self.program;
        let number = u32::try_from(self.regs[0]).map_err(|_| "the number of the system call is no number")?;
        let known = |r: u8| Some(i128::from(self.regs[usize::from(r)]));
        let entry = program.abi.entries_for(number).find(|e| e.keys_match(self.bits, known));
        let entry = entry.ok_or_else(|| format!("system call {number} has no entry that fits"))?;
        let mut vars = vec![None; entry.vars.len()];
        let typed = |nullable: bool| {
            entry.params.iter().filter_map(move |p| match p.kind {
                ParamKind::Word(ty) if !nullable => Some((p.reg, ty)),
                ParamKind::Nullable(ty) if nullable => Some((p.reg, ty)),
                _ => None,
            })
        };
        let words: Vec<(u8, WordId)> = typed(false).collect();
        self.agree(&words, &entry.vars, &entry.facts, &mut vars)
            .map_err(|e| format!("{}: {e}", entry.name))?;
        let present = |m: &Self, (r, _): &(u8, WordId)| m.regs[usize::from(*r)] != 0;
        let nullable: Vec<(u8, WordId)> = typed(true).filter(|p| present(self, p)).collect();
        self.agree(&nullable, &entry.vars, &entry.facts, &mut vars)
            .map_err(|e| format!("{}: {e}", entry.name))?;
        for p in entry.params.iter().filter(|p| p.kind == ParamKind::Path) {
            self.path(self.regs[usize::from(p.reg)])?;
        }
        let written = self.structures(entry, &mut vars).map_err(|e| format!("{}: {e}", entry.name))?;
        if let Some(mut host) = self.host.take() {
            let answer = self.host_call(&mut host, entry.name);
            self.host = Some(host);
            let Some(answer) = answer? else { return Ok(Some(Stop::Exit)) };
            self.take_over(&words, &vars);
            self.forget_registers();
            self.regs[0] = cut(answer, self.bits);
            return Ok(None);
        }
        if entry.noreturn {
            return Ok(Some(Stop::Exit));
        }
        for (addr, size) in written {
            self.noise(addr, size)?;
        }
        for (r, ty) in words.iter().chain(&nullable) {
            self.scribble(*r, *ty, &vars)?;
        }
        self.take_over(&words, &vars);
        self.forget_registers();
        self.answer(entry, vars)?;
        Ok(None)
    }

    /// What the program gave away is the kernel's.
    fn take_over(&mut self, words: &[(u8, WordId)], vars: &Vars) {
        let program = self.program;
        for (r, ty) in words {
            if let WordTy::Ptr(Mode::Own, layout) = *program.types.word(*ty) {
                let size = program.shapes.size(layout).and_then(|t| value(t, vars)).unwrap_or(0);
                self.memory.take_back(self.regs[usize::from(*r)], size as u64);
            }
        }
    }

    /// What a system call does to registers.
    fn forget_registers(&mut self) {
        for r in (0..16).filter(|r| self.program.abi.clobbers >> r & 1 == 1) {
            self.regs[r] = self.any_word();
        }
    }

    /// The kernel reads up to the first NUL, and at most so many bytes.
    fn path(&mut self, addr: u64) -> Watched<()> {
        for i in 0..u64::from(PATH_BYTES) {
            let at = addr.wrapping_add(i);
            self.memory.allowed(self.program, self.regs[RSP], at, 1, false)?;
            if self.memory.read(at, 1)? == 0 {
                break;
            }
        }
        Ok(())
    }

    /// What the kernel reads of structures that hold lengths or addresses; answers where it may write.
    fn structures(&mut self, entry: &Entry, vars: &mut Vars) -> Watched<Vec<(u64, u64)>> {
        let (mut written, word) = (Vec::new(), self.word_bytes());
        for p in &entry.params {
            let addr = self.regs[usize::from(p.reg)];
            match &p.kind {
                ParamKind::Length(k) => {
                    let size = LENGTH_BYTES as usize;
                    self.memory.allowed(self.program, self.regs[RSP], addr, size as u64, true)?;
                    let length = i128::from(self.memory.read(addr, size)?);
                    bind(vars, *k, length)?;
                    written.push((addr, size as u64));
                }
                ParamKind::Vector { count, total, part } => {
                    let n = vars.get(*count as usize).copied().flatten().ok_or("how many parts?")?;
                    let mut sum = 0;
                    for i in 0..n as u64 {
                        let base = self.structure_word(addr.wrapping_add(2 * word * i))?;
                        let size = self.structure_word(addr.wrapping_add(2 * word * i + word))?;
                        sum += i128::from(size);
                        let writes = matches!(self.program.types.word(*part), WordTy::Ptr(Mode::Mut, _));
                        if size > 0 {
                            for at in [base, base.wrapping_add(size - 1)] {
                                self.memory.allowed(self.program, self.regs[RSP], at, 1, writes)?;
                            }
                        }
                        if writes {
                            written.push((base, size));
                        }
                    }
                    bind(vars, *total, sum)?;
                }
                ParamKind::Strings => {
                    for i in 0.. {
                        match self.structure_word(addr.wrapping_add(word * i))? {
                            0 => break,
                            string => self.path(string)?,
                        }
                    }
                }
                ParamKind::Action(_) => {
                    for i in 0..4 {
                        self.structure_word(addr.wrapping_add(word * i))?;
                    }
                }
                _ => {}
            }
        }
        Ok(written)
    }

    fn structure_word(&mut self, addr: u64) -> Watched<u64> {
        let word = self.word_bytes();
        self.memory.allowed(self.program, self.regs[RSP], addr, word, false)?;
        self.memory.read(addr, word as usize)
    }

    /// Where the kernel may write it writes anything.
    fn scribble(&mut self, r: u8, ty: WordId, vars: &Vars) -> Watched<()> {
        let WordTy::Ptr(mode, layout) = *self.program.types.word(ty) else { return Ok(()) };
        if !matches!(mode, Mode::Mut | Mode::Uniq | Mode::Shared) {
            return Ok(());
        }
        let size = self.program.shapes.size(layout).and_then(|t| value(t, vars)).unwrap_or(0);
        self.noise(self.regs[usize::from(r)], size as u64)
    }

    fn noise(&mut self, addr: u64, size: u64) -> Watched<()> {
        let text = self.rng.bool();
        for i in 0..size {
            // Text now and then: words, numbers and lines lead programs further than noise does.
            let byte = match text {
                true => b" \n0123456789abc-+/"[self.rng.usize(..17)],
                false => self.rng.u8(..),
            };
            self.memory.write(addr + i, 1, byte.into())?;
        }
        Ok(())
    }

    /// Any result of the entry's type.
    fn answer(&mut self, entry: &Entry, mut vars: Vars) -> Watched<()> {
        let first = vars.len();
        for attempt in 0.. {
            vars.truncate(first);
            for range in &entry.result_vars {
                let x = self.pick(*range, &vars, attempt);
                vars.push(Some(x));
            }
            if attempt > 200 || entry.result_facts.iter().all(|f| value(f, &vars).is_none_or(|x| x >= 0)) {
                break;
            }
        }
        for (r, ty) in &entry.results {
            let word = match self.program.types.word(*ty) {
                WordTy::Int(t) => value(t, &vars).unwrap_or(0) as u64,
                WordTy::Range(range) => self.pick(*range, &vars, 0) as u64,
                WordTy::Res(owned) => self.new_memory(*owned, &vars),
                _ => return Err(format!("the interpreter knows no result of {}", entry.name)),
            };
            self.regs[usize::from(*r)] = cut(word, self.bits);
        }
        Ok(())
    }

    /// New memory of zeros, or an error number.
    fn new_memory(&mut self, ty: WordId, vars: &Vars) -> u64 {
        const MOST: i128 = 1 << 20;
        let program = self.program;
        let layout = program.types.pointer(ty).map(|p| p.1);
        let size = layout.and_then(|l| program.shapes.size(l)).and_then(|t| value(t, vars));
        if let Some(size) = size.filter(|size| (0..=MOST).contains(size))
            && self.rng.u8(..4) > 0
        {
            let mode = program.types.pointer(ty).map_or(Mode::Own, |p| p.0);
            if let Some(addr) = self.memory.allocate(vec![0; size as usize], mode, Holds::Hidden) {
                if mode == Mode::Shared {
                    self.noise(addr, size as u64).unwrap_or_default();
                }
                return addr;
            }
        }
        cut(self.rng.u64(4095u64.wrapping_neg()..), self.bits)
    }

    fn pick(&mut self, range: Interval, vars: &Vars, attempt: u32) -> i128 {
        let (signed, unsigned) = (Interval::signed(self.bits), Interval::unsigned(self.bits));
        let (lo, hi) = (range.lo.max(signed.lo), range.hi.min(unsigned.hi));
        let known = vars.iter().flatten().copied().filter(|x| holds(range, *x)).max();
        match (self.rng.u8(..8), known) {
            _ if attempt > 100 => [-1, 0, lo][attempt as usize % 3].clamp(lo, hi),
            (0, _) => lo,
            (1, _) => hi,
            (2, _) => 0.clamp(lo, hi),
            (3, _) => (-i128::from(self.rng.u8(1..))).clamp(lo, hi),
            (4..=6, Some(most)) => self.rng.i128(0.clamp(lo, most)..=most),
            _ => self.rng.i128(lo..=hi.min(lo + 100_000)),
        }
    }
}

/// The value of a variable that memory tells.
fn bind(vars: &mut Vars, v: u32, x: i128) -> Watched<()> {
    match vars.get_mut(v as usize) {
        Some(slot @ None) => *slot = Some(x),
        Some(Some(y)) if *y == x => {}
        _ => return Err(format!("a length in memory is {x}, and not what a register says")),
    }
    Ok(())
}
