//! Memory of zeros, as the kernel maps it: every layout that accepts 0 everywhere.

use super::Lies;
use crate::engine::{Checked, Engine};
use crate::guide::Guide;
use crate::limits;
use crate::state::{Lay, LocId, STATIC, Word};
use crate::term::Term;
use crate::types::Mode;
use crate::x86::insn::Width;
use alloc::rc::Rc;
use alloc::vec;

impl<'a, G: Guide> Engine<'a, G> {
    /// Writes to memory of zeros; false: it is only raw bytes afterwards. Words are never dropped as long as it is one of
    /// zeros.
    pub(super) fn store_in_zeros(
        &mut self,
        l: LocId,
        lay: &Lay,
        off: &Term,
        width: Width,
        value: &Word,
    ) -> Checked<bool> {
        let size = self.size_of(lay).unwrap_or_default();
        self.inside(off, width, &size)?;
        let room = self.full(width) || self.held(l) < limits::HELD_NUMBERS;
        if off.as_const().is_none() || width == Width::B16 || !room {
            return Ok(false);
        }
        let value = match self.full(width) {
            true => value.clone(),
            false => Word::Int(self.narrow(width, false, value)?),
        };
        let mut old = None;
        for i in 0..self.held(l) {
            self.spend(2)?;
            let Some(held) = self.held_word(l, i) else { break };
            match self.lies(off, width, &held)? {
                Lies::Exactly => old = Some(i),
                Lies::Apart => {}
                Lies::Perhaps => return Ok(false),
            }
        }
        let zero = matches!(&value, Word::Int(t) if t.as_const() == Some(0));
        if old.is_none() && !zero && self.held(l) >= limits::HELD {
            return Ok(false);
        }
        if let (Some(i), Some(loc)) = (old, self.state.locs.get_mut(l as usize)) {
            loc.cells.remove(i);
        }
        Ok(zero || self.hold(l, off, width, value))
    }

    /// Forgets that memory is known to be zeros or a string, before it is written in a way that leaves only raw bytes.
    pub fn forget_zeros(&mut self, l: LocId) -> Checked {
        let lay = self.loc(l)?.lay;
        if self.program.zeros(lay.id) || self.only_text(&lay) {
            self.forget(l)?;
        }
        Ok(())
    }

    /// All of an owned object has been written with zeros.
    pub fn becomes_zeros(&mut self, word: &Word, size: &Term) -> Checked {
        if let Word::Ptr(l, e) = word
            && e.as_const() == Some(0)
            && *l < STATIC
        {
            let loc = self.loc(*l)?;
            let raw = self.program.shapes.raw_size(loc.lay.id).is_some();
            if loc.mode == Mode::Own
                && raw
                && loc.cells.is_empty()
                && self.size_of(&loc.lay).as_ref() == Some(size)
            {
                self.becomes(
                    *l,
                    Lay { id: self.program.shapes.zeros(), env: Some(Rc::from(vec![size.clone()])) },
                );
            }
        }
        Ok(())
    }
}
