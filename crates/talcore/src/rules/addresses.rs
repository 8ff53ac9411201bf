//! Addresses at labels: which variable is the address of an object, so that what comparisons of addresses have taught
//! holds behind a jump too.
//!
//! What makes it true: the variable that a location names is its address, in ℤ. A location stands for one object as long as it
//! is there, and objects do not move, so nothing ever changes that. A label that names one for a location claims an
//! equality, which each edge proves for the location that the label's stands for there, whatever else binds the
//! variable: two locations may share a variable only where their addresses are proved equal. Nobody else tells which
//! object is meant; so a location to which no word points has no address, nor does memory that may not be used.

use crate::engine::{Checked, Engine};
use crate::guide::Guide;
use crate::matching::Subst;
use crate::rules::LABEL;
use crate::state::{LocId, State};
use crate::term::Term;
use crate::verdict::Code;

impl<'a, G: Guide> Engine<'a, G> {
    /// Proves what a label says of addresses, once all its words are matched, which say what its locations are.
    pub fn match_addresses(&mut self, s: &mut Subst, label: &State) -> Checked {
        for (l, want) in label.locs.iter().enumerate() {
            let Some(v) = want.addr else { continue };
            self.spend(4)?;
            let actual = match l.checked_sub(self.rigid_locs) {
                None => Some(l as LocId),
                Some(i) => s.locs.get(i).copied().flatten(),
            };
            let Some(actual) = actual.filter(|_| want.live) else {
                return self.reject(Code::Stream, "a label tells the address of memory that no word finds");
            };
            let addr = self.addr(actual)?;
            self.unify(s, &Term::var(v), &addr, false, LABEL)?;
        }
        Ok(())
    }
}
