//! Foreign memory: pages of files, which belong to the function and which others change all the same.
//!
//! `own foreign(n)` is given away, split, joined and unmapped like other owned memory: that part is about addresses, and
//! nobody else has the right to this one. About its contents nothing is ever known: another process may write the
//! file, and a page that was cut off comes back as zeros. So each load is a new number, nothing that was stored is
//! held, it never becomes memory of another layout, and it is no string, no zeros and not frozen. What makes this so
//! is the layout and not the mode, since no other layout of owned memory may come from it: see [`Engine::not_foreign`].

use crate::engine::{Checked, Engine, under};
use crate::guide::Guide;
use crate::matching::{Blame, Subst};
use crate::state::{Env, Lay, LocId, STATIC};
use crate::term::Term;
use crate::types::{Layout, LayoutId, Mode};
use crate::verdict::Code;
use alloc::rc::Rc;
use alloc::vec;

impl<'a, G: Guide> Engine<'a, G> {
    /// Whether a layout is memory that others change.
    pub fn foreign(&self, id: LayoutId) -> bool {
        matches!(self.program.types.layout(id), Layout::Foreign(_))
    }

    /// Whether a location is memory that others change.
    pub(super) fn is_foreign(&self, l: LocId) -> bool {
        l < STATIC && self.state.locs.get(l as usize).is_some_and(|loc| self.foreign(loc.lay.id))
    }

    /// Whoever wants to know what memory holds asks this first.
    pub fn not_foreign(&self, id: LayoutId, code: Code) -> Checked {
        if self.foreign(id) {
            return self.reject(code, "others may change this memory: nothing is known of what it holds");
        }
        Ok(())
    }

    /// `foreign(n)`, as states have it.
    pub(super) fn foreign_bytes(&self, size: Term) -> Lay {
        Lay { id: self.program.shapes.foreign(), env: Some(Rc::from(vec![size])) }
    }

    /// Whether foreign memory may be used in a way that a type asks for: as raw bytes that are read and written, or as
    /// foreign memory again.
    pub fn lends_foreign(&mut self, mode: Mode, want: LayoutId, blame: Blame) -> Checked {
        let raw = self.program.shapes.raw_size(want).is_some() && matches!(mode, Mode::Mut | Mode::Read);
        if raw || self.foreign(want) {
            return Ok(());
        }
        self.not_foreign(self.program.shapes.foreign(), blame.shape)
    }

    /// Foreign memory becomes shared for ever, or is given away as what it is.
    pub(super) fn foreign_as(
        &mut self,
        s: &mut Subst,
        want: (LayoutId, &Env),
        have: &Lay,
        blame: Blame,
    ) -> Checked {
        let (Some(size), Some(is)) = (self.program.shapes.size(want.0), self.size_of(have)) else {
            return self.reject(blame.shape, "the object's size is not known");
        };
        let size = self.term(under(size, want.1))?;
        self.unify(s, &size, &is, false, blame)
    }
}
