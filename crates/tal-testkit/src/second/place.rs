//! docs/types.md, "Memory" and "The stack": words as numbers, and where an operand lies.

use super::know::Range;
use super::lin::Lin;
use super::state::Word;
use super::types::{Lay, Node};
use super::{Judge, Stop, no, todo};
use talcore::types::{LayoutId, Mode};
use talcore::x86::insn::{Arg, Insn, Mem, Reg};

/// Where memory is.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Place {
    /// In an object.
    Loc(usize, Lin),
    /// In a static object.
    Static(usize, Lin),
    /// In the frame, so far from where `rsp` pointed at entry.
    Frame(Lin),
}

impl Judge<'_> {
    /// A number of which nothing but its bytes is known.
    pub(super) fn unknown(&mut self, bytes: i128) -> Lin {
        Lin::var(self.s.known.fresh(Range::new(0, (1 << (8 * bytes.min(8))) - 1)))
    }

    /// The address of a location.
    pub(super) fn address(&mut self, l: usize) -> Result<Lin, Stop> {
        if let Some(v) = self.s.locs[l].addr {
            return Ok(Lin::var(v));
        }
        let last = self.w.last();
        let v = self.s.known.fresh(Range::new(1, last));
        self.s.locs[l].addr = Some(v);
        if !matches!(self.s.locs[l].lay, Lay::Cstr(None) | Lay::NullTerm(None, _))
            && let Ok(size) = self.w.size(&self.s.locs[l].lay.clone())
        {
            self.s.known.assume(&Lin::of(last).minus(&Lin::var(v)).minus(&size));
        }
        Ok(Lin::var(v))
    }

    /// A word as a number that is congruent to it.
    pub(super) fn number(&mut self, word: &Word) -> Result<Lin, Stop> {
        Ok(match word {
            Word::Int(t) => t.clone(),
            Word::Opt(v, _) => Lin::var(*v),
            Word::Ptr(l, off) => self.address(*l)?.plus(off),
            Word::Static(i, off) => off.add(self.w.program.objects[*i].addr.into()),
            Word::Frame(off) => {
                let last = self.w.last();
                let v = *self.s.sp.get_or_insert_with(|| self.s.known.fresh(Range::new(1, last)));
                // What was touched of the stack lies above the program's segments, so above the first 64 KiB.
                self.s.known.assume(&Lin::var(v).add(self.s.touched.min(0) - 65536));
                off.plus(&Lin::var(v))
            }
            _ => self.unknown(self.w.word),
        })
    }

    /// A register as a word.
    pub(super) fn reg(&self, r: Reg) -> Word {
        if r == Reg::SP { Word::Frame(Lin::of(self.s.depth)) } else { self.s.regs[r.index()].clone() }
    }

    /// A word with a number added.
    pub(super) fn moved(&mut self, word: &Word, by: &Lin) -> Result<Word, Stop> {
        Ok(match word {
            Word::Ptr(l, off) => Word::Ptr(*l, off.plus(by)),
            Word::Static(i, off) => Word::Static(*i, off.plus(by)),
            Word::Frame(off) => Word::Frame(off.plus(by)),
            _ => Word::Int(self.number(word)?.plus(by)),
        })
    }

    /// Whether this is the entry of the program: above the frame lies what the kernel wrote, the first location.
    pub(super) fn starts(&self) -> bool {
        self.w.program.types.sig(self.f.sig).start
    }

    /// Whether a word is an address.
    pub(super) fn is_address(word: &Word) -> bool {
        matches!(word, Word::Ptr(..) | Word::Static(..) | Word::Frame(_))
    }

    /// What an operand's address may be. Which object a constant means is not told here: the candidates are the object
    /// there, and its neighbours.
    pub(super) fn addresses(&mut self, mem: &Mem) -> Result<Vec<Word>, Stop> {
        let mut sum = Lin::of(mem.disp.into());
        let mut address = None;
        let (base, index) = (mem.base.map(|r| self.reg(r)), mem.index.map(|r| self.reg(r)));
        for (word, scale) in [(base, 1), (index, i128::from(mem.scale))] {
            let Some(word) = word else { continue };
            if scale == 1 && address.is_none() && Self::is_address(&word) {
                address = Some(word);
            } else {
                sum = sum.plus_times(&self.number(&word)?, scale);
            }
        }
        if let Some(address) = address {
            return Ok(vec![self.moved(&address, &sum)?]);
        }
        let mut rest = sum.add(-i128::from(mem.disp));
        let target = if self.w.word == 4 { i128::from(mem.disp as u32) } else { i128::from(mem.disp) };
        let mut found = Vec::new();
        if target >= 65536 {
            rest.k = 0;
            let objects = &self.w.program.objects;
            let after = objects.partition_point(|o| i128::from(o.addr) <= target);
            for i in [after.wrapping_sub(1), after.wrapping_sub(2), after] {
                let seen = self.w.program.object_for(self.f.scope, i as u32).is_some();
                if let Some(o) = objects.get(i).filter(|_| seen) {
                    let konst = sum.k - i128::from(mem.disp) + target - i128::from(o.addr);
                    if konst < -(1 << 20) || konst > i128::from(o.size) + (1 << 20) {
                        continue;
                    }
                    found.push(Word::Static(i, rest.add(konst)));
                }
            }
            self.choices = self.choices.max(found.len());
        }
        found.push(Word::Int(sum));
        Ok(found)
    }

    /// Where an operand lies: the first candidate in which the access is inside.
    pub(super) fn place(&mut self, insn: &Insn, bytes: i128) -> Result<Place, Stop> {
        let all = self.addresses(&insn.mem)?;
        let mut first = None;
        for word in all {
            let place = match word {
                Word::Ptr(l, off) => Place::Loc(l, off),
                Word::Static(i, off) => Place::Static(i, off),
                Word::Frame(off) => Place::Frame(off),
                _ => continue,
            };
            if let Place::Static(i, off) = &place {
                let size = Lin::of(self.w.program.objects[*i].size.into());
                let size = self.owned_static(*i).is_none().then_some(size);
                let inside =
                    size.is_some_and(|size| self.w.inside(&self.s.known, off, &Lin::of(bytes), &size));
                if !inside {
                    if let Some(l) = self.owned_static(*i)
                        && let Ok(size) = self.w.size(&self.s.locs[l].lay)
                        && self.w.inside(&self.s.known, off, &Lin::of(bytes), &size)
                    {
                        return Ok(Place::Loc(l, off.clone()));
                    }
                    first = first.or(Some(place));
                    continue;
                }
            }
            return Ok(place);
        }
        match first {
            Some(place) => Ok(place),
            None => no("a number is used as an address"),
        }
    }

    /// The location of an owned static that this function uses.
    pub(super) fn owned_static(&self, index: usize) -> Option<usize> {
        let address = self.w.program.objects[index].addr;
        let sig = self.w.program.types.sig(self.f.sig);
        let nth = sig.uses.iter().position(|u| *u == address)?;
        let arguments = self.entry_locs();
        Some(arguments + nth)
    }

    /// How many locations the arguments have: those of owned statics follow.
    fn entry_locs(&self) -> usize {
        let uses = self.w.program.types.sig(self.f.sig).uses.len();
        self.first_locs - uses
    }

    /// How a static object may be used, and what lies there.
    pub(super) fn object(&self, index: usize) -> Result<(Mode, Lay), Stop> {
        match self.w.program.object_for(self.f.scope, index as u32) {
            Some((Mode::Uniq, _)) => todo("an owned static"),
            Some((mode, id)) => Ok((mode, self.w.lay(&Node::<LayoutId> { id, env: Default::default() }))),
            None => no("an object that cannot be used here"),
        }
    }

    /// An operand of a width as a number that is congruent to it.
    pub(super) fn operand(&mut self, insn: &Insn, arg: Arg, bytes: i128) -> Result<Lin, Stop> {
        Ok(match arg {
            Arg::Reg(r) => {
                let word = self.reg(r);
                self.number(&word)?
            }
            Arg::High(_) => self.unknown(1),
            Arg::Imm => Lin::of(insn.imm.into()),
            Arg::Mem => {
                let place = self.place(insn, bytes)?;
                let word = self.load(&place, bytes)?;
                self.number(&word)?
            }
            _ => return todo("an odd operand"),
        })
    }
}
