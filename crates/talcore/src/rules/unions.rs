//! Unions: which variant is there.
//!
//! The tag of a union is a number at one place of all variants, whose ranges do not meet. A load of it is remembered, as
//! an entry of the location: offset and value. An access to another part finds the
//! entry, and goes on in the one variant whose range the interval of the value meets; if there are several, it is
//! rejected. So nothing happens at the test itself: whatever narrows the interval of the value (a comparison, an edge of
//! a jump table) tells which variant it is.
//!
//! **What an entry says.** It speaks of what the *layout* of the location says, below the words that are held instead: in
//! that value there is a union whose tag, at this offset, is this number. It is true as long as the location has this
//! layout and nothing was packed into it, because:
//!
//! - through memory that others may use the tag is not written, not even with a value of its range: neither by stores nor
//!   by what borrows (part of) the memory, as [`Engine::tag_stays`] sees to. What others write there are other parts;
//! - in memory of this function alone a store to the tag is held, like any word, and changes no entry. Neither does a
//!   held tag tell which variant the layout's value is of: otherwise one store would make a pointer of a number;
//! - an entry is looked at only where the layout has a union; memory that is forgotten to raw bytes, and becomes a union
//!   again, gets another layout;
//! - when held words become part of what the layout says, the tag goes with them. If one of them is a tag, the entries of
//!   the location are forgotten ([`Engine::retagged`]); else all tags are what they were.
//!
//! Everything else that changes what a location holds gives it a layout or ends it, which forgets its entries too.
//!
//! **Packing.** Memory becomes a union of the variant that its tag says now: the held one, if it was stored; and then all
//! other parts must be those of this variant, held or there before.

use crate::engine::{Checked, Engine, under};
use crate::facts::Interval;
use crate::guide::Guide;
use crate::limits;
use crate::matching::{Blame, Subst};
use crate::memory::{Leaf, Spot};
use crate::rules::LABEL;
use crate::state::{Held, Lay, LocId, STATIC, State, Tag, Word};
use crate::term::Term;
use crate::types::{LayoutId, StructId, WordTy};
use crate::verdict::Code;
use crate::x86::insn::Width;

/// Where the tag of a union that memory is packed to comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum From<'t> {
    /// A held word, if there is one, but for those at these places: they stay held, and what lies below them is packed.
    Held(&'t [(Term, Width)]),
    /// What the layout says: nothing is held there.
    Declared,
}

impl From<'_> {
    /// Whether a held word is one that stays held.
    pub(super) fn stays(self, held: &Held) -> bool {
        matches!(self, From::Held(but) if but.iter().any(|b| b.0 == held.off && b.1 == held.width))
    }
}

impl<'a, G: Guide> Engine<'a, G> {
    /// The value of the tag at an offset, if it has been read.
    fn known_tag(&mut self, (l, off): Spot<'_>) -> Checked<Option<Term>> {
        self.spend(limits::TAGS as u64)?;
        Ok(self.state.tags(l).find(|t| t.off == *off).map(|t| t.value.clone()))
    }

    /// Reads a tag, where no other word may be held.
    pub fn load_tag(&mut self, l: LocId, off: &Term, id: StructId) -> Checked<Word> {
        if let Some(value) = self.known_tag((l, off))? {
            return Ok(Word::Int(value));
        }
        let hull = self.program.shapes.union(id).map_or(Interval::ALL, |u| u.hull());
        let value = self.fresh(hull);
        self.state.remember_tag(l, Tag { off: off.clone(), value: value.clone() });
        Ok(Word::Int(value))
    }

    /// The number of the variant that a union is of, which begins `base` bytes into what the layout of a location says.
    pub fn refined(&mut self, l: LocId, id: StructId, base: &Term) -> Checked<usize> {
        let Some(u) = self.program.shapes.union(id) else {
            return self.reject(Code::IllFormedType, "this is no union");
        };
        let off = self.term(base.offset(u.off))?;
        let tag = self.known_tag((l, &off))?.map(|value| self.state.facts.range(&value));
        self.variant(id, tag)
    }

    /// The number of the variant in which a union's tag may be each number of `tag`; `None`: any that there is.
    fn variant(&mut self, id: StructId, tag: Option<Interval>) -> Checked<usize> {
        let Some(u) = self.program.shapes.union(id) else {
            return self.reject(Code::IllFormedType, "this is no union");
        };
        self.spend(u.ranges.len() as u64)?;
        match u.variant(tag.unwrap_or_else(|| u.hull())) {
            Some(i) => Ok(i),
            None => Err(self.fail(Code::Variant, WHICH).of_union(id)),
        }
    }

    /// A part of a union is lent for writing or passed on as shared memory: whoever has it may write any value of the range
    /// that the variant's tag has, so there must be only one.
    pub fn tag_stays(&mut self, id: StructId, (l, at): Spot<'_>, off: &Term, blame: Blame) -> Checked {
        let Some(u) = self.program.shapes.union(id) else { return Ok(()) };
        let base = self.term(at.sub(off))?;
        let i = self.refined(l, id, &base)?;
        if u.ranges.get(i).is_some_and(|r| r.lo == r.hi) {
            return Ok(());
        }
        self.reject(blame.shape, "the tag of this variant of a union could be changed through this pointer")
    }

    /// What the tag of a union is now that begins `base` bytes into the memory of `l`, which has the layout `have`;
    /// `None`: any number. Answers too whether it was a held word.
    pub(super) fn tag_now(
        &mut self,
        l: LocId,
        have: &Lay,
        id: StructId,
        base: &Term,
        from: From<'_>,
    ) -> Checked<(Option<Interval>, bool)> {
        let Some(u) = self.program.shapes.union(id) else { return Ok((None, false)) };
        let (width, t) = (u.width, self.term(base.offset(u.off))?);
        if let From::Held(_) = from {
            let held =
                if l >= STATIC { 0 } else { self.state.locs.get(l as usize).map_or(0, |l| l.cells.len()) };
            for i in 0..held {
                self.spend(2)?;
                let Some(cell) = self.state.locs.get(l as usize).and_then(|l| l.cells.get(i)).cloned() else {
                    break;
                };
                if cell.off == t && cell.width == width {
                    if from.stays(&cell) {
                        continue;
                    }
                    return Ok((self.exactly(&cell.word, width), true));
                }
                if !self.apart(&t, &Term::from(i128::from(width.bytes())), &cell)? {
                    return Ok((None, true));
                }
            }
        }
        let program = self.program;
        if program.zeros(have.id) {
            return Ok((Some(Interval::new(0, 0)), false));
        }
        if program.shapes.raw_size(have.id).is_some() {
            return Ok((None, false));
        }
        Ok((
            match self.leaf(l, have, &t, width, false)? {
                Leaf::Tag(id) => match self.known_tag((l, &t))? {
                    Some(value) => Some(self.state.facts.range(&value)),
                    None => program.shapes.union(id).map(|u| u.hull()),
                },
                Leaf::Num(_, range) if range.lo >= 0 => Some(range),
                Leaf::Exact(_, false, t) => self.exactly(&Word::Int(t), width),
                Leaf::Cell(ty, env) => match program.types.word(ty) {
                    WordTy::Range(range) if range.lo >= 0 => Some(*range),
                    WordTy::Int(e) => {
                        let e = self.term(under(e, &env))?;
                        self.exactly(&Word::Int(e), width)
                    }
                    _ => None,
                },
                _ => None,
            },
            false,
        ))
    }

    /// The numbers that a word may be, read without sign.
    fn exactly(&mut self, word: &Word, width: Width) -> Option<Interval> {
        let Word::Int(t) = word else { return None };
        Some(self.state.facts.range(t)).filter(|r| r.within(&Interval::unsigned(width.bits())))
    }

    /// What a label says of tags must be known on the edge, of the memory as the label has it.
    pub(super) fn match_tags(&mut self, s: &mut Subst, label: &State) -> Checked {
        self.spend(label.locs.len() as u64)?;
        for l in (0..label.locs.len() as LocId).filter(|l| label.tags(*l).next().is_some()) {
            let live = label.locs.get(l as usize).is_some_and(|l| l.live);
            let actual = match l.checked_sub(s.rigid_locs) {
                Some(i) => s.locs.get(i as usize).copied().flatten(),
                None => Some(l),
            };
            let Some(actual) = actual.filter(|_| live) else {
                return self
                    .reject(LABEL.shape, "the tag of a union is known that does not exist on this edge");
            };
            for want in label.tags(l) {
                self.match_tag(s, actual, want)?;
            }
        }
        for (l, want) in &label.static_tags {
            self.match_tag(s, *l, want)?;
        }
        Ok(())
    }

    fn match_tag(&mut self, s: &mut Subst, l: LocId, want: &Tag) -> Checked {
        let Some(off) = s.apply(&want.off) else {
            return self.reject(LABEL.shape, "the place of a union's tag is not known");
        };
        match self.known_tag((l, &off))? {
            Some(value) if !self.retagged.contains(&l) => self.unify(s, &want.value, &value, false, LABEL),
            _ => self.reject(LABEL.shape, "the tag of a union was not read on this edge"),
        }
    }

    /// Where a union that memory is packed to begins, the variant that its tag says, under `env`; its parts are matched
    /// instead of it.
    pub(super) fn variant_now(
        &mut self,
        l: LocId,
        have: &Lay,
        id: StructId,
        base: &Term,
        from: From<'_>,
    ) -> Checked<(LayoutId, bool)> {
        let (tag, held) = self.tag_now(l, have, id, base, from)?;
        let i = self.variant(id, tag)?;
        match self.program.types.strukt(id).body.parts().get(i) {
            Some(variant) => Ok((*variant, held)),
            None => self.reject(Code::IllFormedType, "a union has no such variant"),
        }
    }
}

/// Why an access needs more than it has.
pub(super) const WHICH: &str = "it is not known which variant of the union is there: test the tag first";
