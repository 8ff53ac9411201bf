//! Owned statics: objects of the file that belong to the functions which say that they use them.
//!
//! A function that uses `x` has it as a location, exclusive memory like a `&uniq` parameter. What makes that true: the
//! process starts with all of them complete; a function's signature names all that it uses, and whoever calls it uses
//! them too; at the function's entry, at its exits and at calls of functions that use `x` it holds what its
//! declaration says. In between, nobody else can come to it: no pointer to it is kept anywhere, a borrow of it goes
//! only to functions that do not use it and can therefore call none that does, a word of a function type names what
//! the function uses, and signal handlers use nothing.

use crate::engine::{Checked, Engine};
use crate::guide::Guide;
use crate::matching::{Blame, Subst};
use crate::rules::Lent;
use crate::state::{Lay, LocId};
use crate::types::{LayoutId, Mode, Sig};
use crate::verdict::Code;
use alloc::rc::Rc;

impl<'a, G: Guide> Engine<'a, G> {
    /// What an owned static holds by its declaration.
    fn declared_static(&self, addr: u64) -> Checked<LayoutId> {
        let found = self.program.object_at(addr).filter(|(_, off)| *off == 0);
        match found.and_then(|(i, _)| self.program.object_for(self.function.scope, i)) {
            Some((Mode::Uniq, layout)) => Ok(layout),
            _ => {
                self.reject(Code::Undefined, "a signature uses a static that is not defined as an owned one")
            }
        }
    }

    /// The location that an owned static has in this function; `None`: the function does not use it.
    pub fn static_loc(&self, addr: u64) -> Option<LocId> {
        let sig = self.program.types.sigs.get(self.function.sig.index())?;
        let i = sig.uses.iter().position(|used| *used == addr)?;
        self.first_static.checked_add(i as LocId)
    }

    /// At the entry: a complete location for each static that the function uses.
    pub fn open_statics(&mut self, sig: &Sig) -> Checked {
        self.first_static = self.state.locs.len() as LocId;
        for &addr in &sig.uses {
            self.spend(8)?;
            let id = self.declared_static(addr)?;
            let lay = self.opened(Mode::Uniq, id, &Some(Rc::from([])))?;
            self.open(Mode::Uniq, lay)?;
        }
        Ok(())
    }

    /// At exits and calls: the statics that the other side uses hold what their declarations say, and do so afterwards.
    pub fn close_statics(&mut self, uses: &[u64], blame: Blame) -> Checked {
        for &addr in uses {
            self.spend(8 + self.sig().uses.len() as u64)?;
            let Some(l) = self.static_loc(addr) else {
                return self.reject(
                    blame.shape,
                    "the function uses an owned static that the caller does not say it uses",
                );
            };
            self.whole(l, blame)?;
            if self.loc(l)?.was.is_some() {
                return self
                    .reject(blame.shape, "the function uses an owned static that is lent for a stretch");
            }
            let lay = Lay { id: self.declared_static(addr)?, env: Some(Rc::from([])) };
            // What is lent out as it was cannot be packed into it.
            self.pack(&mut Subst::identity(), (lay.id, &lay.env), l, &[], blame)?;
            let lay = self.canonical(&lay)?;
            if let Some(loc) = self.state.locs.get_mut(l as usize) {
                loc.empty();
                loc.lay = lay;
            }
            self.state.forget_tags(l);
            self.unfold(l)?;
        }
        Ok(())
    }

    /// What a function uses cannot be lent to it.
    pub fn no_static_lent(&mut self, uses: &[u64]) -> Checked {
        for &addr in uses {
            self.spend(8 + self.lent.len() as u64)?;
            let l = self.static_loc(addr);
            if self.lent.iter().any(|lent| matches!(lent, Lent::Object(k, _) if Some(*k) == l)) {
                return self
                    .reject(Code::BorrowConflict, "an owned static is lent to a function that uses it");
            }
        }
        Ok(())
    }
}
