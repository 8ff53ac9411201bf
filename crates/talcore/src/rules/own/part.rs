//! Part of an array that is lent exclusively.
//!
//! What is relied on: a function that borrows `&uniq [m]T` and gives `[m]T` back touches the `m` elements from its pointer
//! on, and when it returns each of them is a `T` again, whatever it held meanwhile. So if all of an object was of its
//! layout before the call (it is folded first: nothing of it is held or moved out), and the elements are a part of it which
//! has just these types, then the whole object is of its layout afterwards. What it was that lay there is forgotten: held
//! words were packed, and tags are not known any more. Nobody else sees the object during the call: it counts as lent
//! exclusively as a whole, so no other argument of the call is a part of it, not even one that lies apart.
//!
//! What comes back as another type, or longer, is a strong update, and that is one of whole objects only.

use crate::engine::{Checked, Engine, under};
use crate::guide::Guide;
use crate::matching::{Blame, Subst};
use crate::rules::Lent;
use crate::state::{LocId, STATIC};
use crate::term::Term;
use crate::types::{Layout, LayoutId};

impl<'a, G: Guide> Engine<'a, G> {
    /// Lends elements of exclusive memory as `&uniq want`, which comes back as `gives`. Answers false, and has done
    /// nothing, where that is no borrow of a part: the whole object is asked for, or something else than an array.
    pub(in crate::rules) fn lends_part(
        &mut self,
        s: &mut Subst,
        (want, gives): (LayoutId, LayoutId),
        (l, at): (LocId, &Term),
        blame: Blame,
    ) -> Checked<bool> {
        let types = &self.program.types;
        let shapes = &self.program.shapes;
        let (Layout::Array(n, elem), Layout::Array(back, same)) = (types.layout(want), types.layout(gives))
        else {
            return Ok(false);
        };
        // Variables of a result are others than those of the parameters, so equal terms stay equal.
        if n != back || elem != same || l >= STATIC || !self.loc(l)?.exclusive() {
            return Ok(false);
        }
        self.unfold(l)?;
        let have = self.loc(l)?.lay;
        let typed = matches!(types.layout(have.id), Layout::Array(..) | Layout::Struct(..) | Layout::Seq(_));
        if !typed || shapes.raw_size(have.id).is_some() || self.program.zeros(have.id) {
            return Ok(false);
        }
        let all = shapes.size(want).and_then(|t| s.apply(t));
        let all = all.is_none() || all == shapes.size(have.id).and_then(|t| under(t, &have.env));
        if all && at.as_const() == Some(0) {
            return Ok(false);
        }
        self.fold(l, blame)?;
        self.state.forget_tags(l);
        self.lent.push(Lent::Object(l, crate::types::Mode::Uniq));
        self.part_at(s, (want, &None), (l, at), true, blame)?;
        Ok(true)
    }
}
