//! docs/owned-memory.md, "Split and join", and docs/annotations.md: steps without machine code.

use super::lin::Lin;
use super::state::{Held, Loc, Word};
use super::types::Lay;
use super::{Judge, Stop, no, todo};
use talcore::types::Mode;

/// A step, and where it is taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ghost {
    /// The offset of the instruction behind it.
    pub(super) at: u64,
    /// It is taken on the path that falls through, before the label there.
    pub(super) falls: bool,
    /// Which one.
    pub(super) kind: u8,
    /// Its operands.
    pub(super) operands: [u32; 2],
}

impl Judge<'_> {
    /// Takes the steps of an offset.
    pub(super) fn ghosts(&mut self, at: u64, falls: bool) -> Result<(), Stop> {
        let all: Vec<Ghost> =
            self.stream.ghosts.iter().filter(|g| g.at == at && g.falls == falls).copied().collect();
        for ghost in all {
            match ghost.kind {
                0 => self.split(ghost.operands[0])?,
                1 => self.join(ghost.operands)?,
                2 => return todo("a type variable that the call says"),
                3..=5 => return todo("a cursor"),
                _ => return todo("a stretch that begins or ends"),
            }
        }
        Ok(())
    }

    /// The size of owned raw memory, and whether others change it.
    fn raw_owned(&self, l: usize) -> Result<(Lin, bool), Stop> {
        let loc = &self.s.locs[l];
        if !loc.live {
            return no("memory that was given away");
        }
        match (&loc.mode, &loc.lay) {
            (Mode::Own, Lay::Bytes(n)) => Ok((n.clone(), false)),
            (Mode::Own, Lay::Foreign(n)) => Ok((n.clone(), true)),
            (Mode::Own | Mode::Uniq, _) => todo("cutting or joining of other memory than raw bytes"),
            _ => no("memory that is not this function's alone is cut or joined"),
        }
    }

    fn word_in(&self, r: u32) -> Result<Word, Stop> {
        self.s.regs.get(r as usize).cloned().map_or_else(|| no("no register"), Ok)
    }

    fn split(&mut self, r: u32) -> Result<(), Stop> {
        let Word::Ptr(l, off) = self.word_in(r)? else { return no("a cut where no owned memory is") };
        let (size, foreign) = self.raw_owned(l)?;
        let rest = size.minus(&off);
        if !self.s.known.proves(&off) || !self.s.known.proves(&rest) {
            return no("a cut that is not proved to be inside");
        }
        let mut parts: [Vec<Held>; 2] = Default::default();
        for h in std::mem::take(&mut self.s.locs[l].held) {
            if self.s.known.proves(&off.minus(&h.off).add(-h.size)) {
                parts[0].push(h);
            } else if self.s.known.proves(&h.off.minus(&off)) {
                parts[1].push(Held { off: h.off.minus(&off), ..h });
            } else {
                return todo("a cut through a held word");
            }
        }
        let lay = |n: Lin| if foreign { Lay::Foreign(n) } else { Lay::Bytes(n) };
        let [first, second] = parts;
        self.s.locs[l].held = first;
        self.s.locs[l].lay = lay(off.clone());
        self.s.locs.push(Loc { mode: Mode::Own, lay: lay(rest), addr: None, held: second, live: true });
        let new = self.s.locs.len() - 1;
        let begin = self.address(l)?.plus(&off);
        let address = self.address(new)?;
        self.s.known.assume_equal(&address, &begin);
        let known = self.s.known.clone();
        for word in self.s.words() {
            if matches!(word, Word::Ptr(at, e) if *at == l && known.equal(e, &off)) {
                *word = Word::Ptr(new, Lin::default());
            }
        }
        Ok(())
    }

    fn join(&mut self, [a, b]: [u32; 2]) -> Result<(), Stop> {
        let (Word::Ptr(l, _), Word::Ptr(m, _)) = (self.word_in(a)?, self.word_in(b)?) else {
            return no("what is joined is no owned memory");
        };
        if l == m {
            return no("memory is joined with itself");
        }
        let ((n, x), (rest, y)) = (self.raw_owned(l)?, self.raw_owned(m)?);
        if x != y {
            return no("a mapped file is joined with other memory");
        }
        let end = self.address(l)?.plus(&n);
        let begin = self.address(m)?;
        if !self.s.known.equal(&end, &begin) {
            return no("the second object is not proved to begin where the first ends");
        }
        let size = n.plus(&rest);
        let most = self.w.program.arch.max_object();
        if !self.s.known.proves(&size.times(-1).add(most)) {
            return no("the sum is not proved to be as large as objects may be");
        }
        let held = std::mem::take(&mut self.s.locs[m].held);
        self.s.locs[m].live = false;
        self.s.locs[l].held.extend(held.into_iter().map(|h| Held { off: h.off.plus(&n), ..h }));
        self.s.locs[l].lay = if x { Lay::Foreign(size) } else { Lay::Bytes(size) };
        for word in self.s.words() {
            if let Word::Ptr(at, e) = word
                && *at == m
            {
                *word = Word::Ptr(l, e.plus(&n));
            }
        }
        Ok(())
    }
}
