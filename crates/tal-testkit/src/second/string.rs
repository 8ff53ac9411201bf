//! docs/types.md, "Integers", "Memory" and "Modes"; docs/owned-memory.md, "Zeros" and "What it holds": string instructions.

use super::know::Range;
use super::lin::Lin;
use super::place::Place;
use super::state::{Flags, Word};
use super::types::Lay;
use super::{Judge, Stop, no, todo};
use talcore::types::Mode;
use talcore::x86::insn::{Arg, Insn, Op, Reg, Rep};

impl Judge<'_> {
    /// Where a register points.
    fn pointed(&mut self, r: Reg) -> Result<Place, Stop> {
        Ok(match self.reg(r) {
            Word::Ptr(l, off) => Place::Loc(l, off),
            Word::Static(i, _) if self.owned_static(i).is_some() => {
                return todo("the address of an owned static");
            }
            Word::Static(i, off) => Place::Static(i, off),
            Word::Frame(off) => Place::Frame(off),
            _ => return no("a string instruction without a pointer"),
        })
    }

    /// What a place's memory may be used for, and its layout; none for the frame.
    fn memory(&mut self, place: &Place) -> Result<Option<(Mode, Lay)>, Stop> {
        Ok(match place {
            Place::Loc(l, _) => {
                let loc = &self.s.locs[*l];
                if !loc.live {
                    return no("memory that was given away");
                }
                Some((loc.mode, loc.lay.clone()))
            }
            Place::Static(i, _) => Some(self.object(*i)?),
            Place::Frame(_) => None,
        })
    }

    /// Whether so many bytes may be read there.
    fn read_range(&mut self, place: &Place, n: &Lin) -> Result<bool, Stop> {
        let off = offset(place).clone();
        Ok(match self.memory(place)? {
            None => self.in_frame(&off, n),
            Some((_, lay)) => {
                let size = self.w.size(&lay)?;
                self.w.inside(&self.s.known, &off, n, &size)
            }
        })
    }

    /// Writes so many unknown bytes, which are in elements of a width.
    fn write_range(&mut self, place: &Place, n: &Lin) -> Result<(), Stop> {
        let off = offset(place).clone();
        let Some((mode, lay)) = self.memory(place)? else {
            if !self.in_frame(&off, n) {
                return no("not proved to be in the frame");
            }
            return self.lend_frame(&off, n);
        };
        if !mode.writable() {
            return no("memory that is not written");
        }
        if !self.w.raw(&lay) {
            return todo("a string instruction that writes memory which is not raw");
        }
        let size = self.w.size(&lay)?;
        if !self.w.inside(&self.s.known, &off, n, &size) {
            return no("not proved to be inside");
        }
        if let Place::Loc(l, _) = place
            && matches!(mode, Mode::Own | Mode::Uniq)
        {
            let held = self.s.locs[*l].held.clone();
            self.s.locs[*l].held = held.into_iter().filter(|h| !self.may_meet_range(h, &off, n)).collect();
        }
        Ok(())
    }

    /// `movs`, `stos`, `lods`, `cmps`, `scas`, perhaps repeated.
    pub(super) fn string(&mut self, insn: &Insn) -> Result<(), Stop> {
        let width = i128::from(insn.width.bytes());
        let (from, to) = match insn.op {
            Op::Movs | Op::Cmps => (true, true),
            Op::Stos | Op::Scas => (false, true),
            _ => (true, false),
        };
        let repeated = insn.rep != Rep::No;
        let count = if repeated {
            let word = self.reg(Reg::CX);
            let t = self.number(&word)?;
            match self.low(&t, self.w.word, false) {
                Some(t) => t,
                None => return no("the count of a string instruction is not known as a number"),
            }
        } else {
            Lin::of(1)
        };
        let bytes = count.times(width);
        // If nothing is moved, pointers may be anything.
        if repeated && self.s.known.equal(&count, &Lin::default()) {
            return Ok(());
        }
        let source = if from { Some(self.pointed(Reg::SI)?) } else { None };
        let target = if to { Some(self.pointed(Reg::DI)?) } else { None };
        if !repeated {
            return self.once(insn, width, source.as_ref(), target.as_ref());
        }
        for place in [&source, &target].into_iter().flatten() {
            if !self.read_range(place, &bytes)? {
                return no("a string instruction that is not proved to stay inside");
            }
        }
        if matches!(insn.op, Op::Movs | Op::Stos) {
            let Some(target) = &target else { return todo("no target") };
            if let (Place::Loc(l, off), true) = (target, self.whole(target, &bytes)?) {
                let exclusive = matches!(self.s.locs[*l].mode, Mode::Own | Mode::Uniq);
                if exclusive && off.constant() == Some(0) {
                    self.coarse("a string instruction over a whole object");
                }
            }
            if insn.op == Op::Movs
                && let Some(Place::Loc(l, _)) = &source
                && matches!(self.s.locs[*l].mode, Mode::Own | Mode::Uniq)
                && !self.w.raw(&self.s.locs[*l].lay.clone())
            {
                return todo("memory that is moved");
            }
            self.write_range(target, &bytes)?;
        }
        // A comparison may end before.
        let done = if matches!(insn.op, Op::Cmps | Op::Scas) {
            self.s.flags = Flags::Unknown;
            let top = self.s.known.interval(&count).hi.unwrap_or(self.w.period() - 1);
            let done = Lin::var(self.s.known.fresh(Range::new(0, top)));
            self.s.known.assume(&count.minus(&done));
            self.coarse("a repeated comparison");
            done
        } else {
            count.clone()
        };
        for (used, r) in [(from, Reg::SI), (to, Reg::DI)] {
            if used {
                let word = self.reg(r);
                let moved = self.moved(&word, &done.times(width))?;
                self.s.regs[r.index()] = moved;
            }
        }
        self.s.regs[Reg::CX.index()] = Word::Int(count.minus(&done));
        Ok(())
    }

    fn whole(&mut self, place: &Place, bytes: &Lin) -> Result<bool, Stop> {
        Ok(match self.memory(place)? {
            Some((_, lay)) => {
                let size = self.w.size(&lay)?;
                self.s.known.equal(bytes, &size)
            }
            None => false,
        })
    }

    fn once(
        &mut self,
        insn: &Insn,
        n: i128,
        source: Option<&Place>,
        target: Option<&Place>,
    ) -> Result<(), Stop> {
        let mut word = Word::Any;
        if let Some(source) = source {
            word = self.load(source, n)?;
        }
        match insn.op {
            Op::Lods => self.write(Arg::Reg(Reg::AX), n, word.clone())?,
            Op::Movs | Op::Stos => {
                if insn.op == Op::Stos {
                    word = match n == self.w.word {
                        true => self.reg(Reg::AX),
                        false => Word::Int(self.operand(insn, Arg::Reg(Reg::AX), n)?),
                    };
                }
                if let Some(target) = target {
                    self.store(target, n, word)?;
                }
            }
            _ => {
                let Some(target) = target else { return todo("no target") };
                let b = self.load(target, n)?;
                let b = self.number(&b)?;
                let a = match insn.op {
                    Op::Scas => self.operand(insn, Arg::Reg(Reg::AX), n)?,
                    _ => self.number(&word)?,
                };
                self.s.flags = Flags::Compared(a, b, 8 * n as u32);
            }
        }
        for (used, r) in [(source.is_some(), Reg::SI), (target.is_some(), Reg::DI)] {
            if used {
                let word = self.reg(r);
                let moved = self.moved(&word, &Lin::of(n))?;
                self.s.regs[r.index()] = moved;
            }
        }
        Ok(())
    }
}

fn offset(place: &Place) -> &Lin {
    match place {
        Place::Loc(_, off) | Place::Static(_, off) | Place::Frame(off) => off,
    }
}
