//! Parts that hide sizes in memory which nobody writes (`imm`, `&frozen`, constants): `[n]exists k. slice(k)`.
//!
//! What is relied on: such a part holds an `L` for *some* values of what is hidden, and as nobody writes it, for the same
//! ones as long as the memory may be looked at. So the first load of a word of a part gives names to what it hides, and all
//! its words are remembered, under these names, at their places. A later load at the same place finds them. Two places of
//! which nobody knows whether they are the same have names of their own each, and both are right. Forgetting is right, too:
//! another load gives other names.
//!
//! A word that owns memory is not looked at this way: through a borrow it is seen as something else, or as a number.
//! A location that may not be used any more is never asked; no location gets the number of another one, but at labels,
//! where nothing is remembered. Memory that was lent for a stretch may be written when that ends, so everything is
//! forgotten then.

use crate::engine::{Checked, Engine};
use crate::guide::Guide;
use crate::limits;
use crate::memory::Spot;
use crate::rules::own::Cell;
use crate::state::{Held, Lay, Word};
use crate::x86::insn::Width;
use alloc::vec::Vec;

impl<'a, G: Guide> Engine<'a, G> {
    /// The word that lies where `width` bytes of unchanging memory are read, if that is one of a part that hides sizes.
    pub(super) fn load_seen(&mut self, (l, off): Spot<'_>, lay: &Lay, width: Width) -> Checked<Option<Word>> {
        if !self.program.shapes.hides(lay.id) {
            return Ok(None);
        }
        self.spend(1 + self.state.seen.len() as u64)?;
        if let Some(word) = self.seen_at((l, off), width) {
            return Ok(Some(word));
        }
        let Some((start, e, env)) = self.hidden_at(l, lay, off)? else { return Ok(None) };
        let mut cells = Vec::new();
        let inside = self.name_hidden(e, &env)?;
        let known = self.hidden_cells(e.body, &inside, 0, 0, &mut cells)?;
        let owns = |cell: &Cell| matches!(cell, Cell::Word(ty, _) if self.program.types.linear(*ty));
        if !known || cells.len() > limits::HELD || cells.iter().any(|(_, cell)| owns(cell)) {
            return Ok(None);
        }
        let room = limits::HELD.saturating_sub(cells.len());
        let many = self.state.seen.len().saturating_sub(room);
        self.state.seen.drain(..many);
        for (at, cell) in cells {
            let off = self.term(start.offset(at))?;
            let (width, word) = match cell {
                Cell::Word(ty, env) => (self.word_width(), self.load_word(ty, &env)?),
                Cell::Number(width, signed, t) => {
                    self.load_exact(width, signed, &t)?;
                    (width, Word::Int(t))
                }
            };
            self.state.seen.push((l, Held { off, width, word }));
        }
        Ok(self.seen_at((l, off), width))
    }

    /// The word that is remembered of a place. Of fewer bytes than a word has it is congruent to them modulo their width.
    fn seen_at(&mut self, (l, off): Spot<'_>, width: Width) -> Option<Word> {
        let here = |s: &&(u32, Held)| s.0 == l && s.1.off == *off && s.1.width == width;
        let word = self.state.seen.iter().find(here)?.1.word.clone();
        match self.full(width) {
            true => Some(word),
            false => self.narrow(width, false, &word).ok().map(Word::Int),
        }
    }
}
