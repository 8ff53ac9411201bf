//! A kernel that does what the interface table allows, at random.

use super::memory::Holds;
use super::sigs::{Vars, holds, value};
use super::{Machine, RSP, Stop, Watched};
use talcore::abi::{Entry, PATH_BYTES, ParamKind};
use talcore::facts::Interval;
use talcore::types::{Mode, WordId, WordTy};

impl Machine<'_> {
    /// A call through the gate.
    pub(crate) fn kernel(&mut self) -> Watched<Option<Stop>> {
        self.memory.typed(self.program)?;
        let program = self.program;
        let number = u32::try_from(self.regs[0]).map_err(|_| "the number of the system call is no number")?;
        let known = |r: u8| Some(i128::from(self.regs[usize::from(r)]));
        let entry = program.abi.entries_for(number).find(|e| e.keys_match(64, known));
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
        if entry.noreturn {
            return Ok(Some(Stop::Exit));
        }
        for (r, ty) in words.iter().chain(&nullable) {
            self.scribble(*r, *ty, &vars)?;
        }
        for (r, ty) in &words {
            if let WordTy::Ptr(Mode::Own, layout) = *program.types.word(*ty) {
                let size = program.shapes.size(layout).and_then(|t| value(t, &vars)).unwrap_or(0);
                self.memory.take_back(self.regs[usize::from(*r)], size as u64);
            }
        }
        for r in (0..16).filter(|r| program.abi.clobbers >> r & 1 == 1) {
            self.regs[r] = self.rng.u64(..);
        }
        self.answer(entry, vars)?;
        Ok(None)
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

    /// Where the kernel may write it writes anything.
    fn scribble(&mut self, r: u8, ty: WordId, vars: &Vars) -> Watched<()> {
        let WordTy::Ptr(mode, layout) = *self.program.types.word(ty) else { return Ok(()) };
        if !matches!(mode, Mode::Mut | Mode::Uniq | Mode::Shared) {
            return Ok(());
        }
        let size = self.program.shapes.size(layout).and_then(|t| value(t, vars)).unwrap_or(0);
        let addr = self.regs[usize::from(r)];
        let text = self.rng.bool();
        for i in 0..size as u64 {
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
            self.regs[usize::from(*r)] = word;
        }
        Ok(())
    }

    /// New memory of zeros, or an error number.
    fn new_memory(&mut self, ty: WordId, vars: &Vars) -> u64 {
        const MOST: i128 = 1 << 20;
        let program = self.program;
        let layout = program.types.pointer(ty).map(|p| p.1);
        let size = layout.and_then(|l| program.shapes.size(l)).and_then(|t| value(t, vars));
        match size {
            Some(size) if (0..=MOST).contains(&size) && self.rng.u8(..4) > 0 => {
                self.memory.allocate(vec![0; size as usize], Mode::Own, Holds::Hidden)
            }
            _ => self.rng.u64(4095u64.wrapping_neg()..),
        }
    }

    fn pick(&mut self, range: Interval, vars: &Vars, attempt: u32) -> i128 {
        let (lo, hi) = (range.lo.max(i64::MIN.into()), range.hi.min(u64::MAX.into()));
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
