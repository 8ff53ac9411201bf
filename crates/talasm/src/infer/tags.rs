//! Joining what is known of the tags of unions.

use super::join::Join;
use super::label::Label;
use talcore::state::{Loc, LocId, State, Tag};
use talcore::term::Term;

impl Join<'_, '_> {
    /// Keeps of the tags of unions that the label knows those that the edge knows too, once all words are joined. `old`
    /// is the label before that.
    pub(super) fn tags(&mut self, label: &mut Label, old: &State) {
        for l in 0..label.state.locs.len() as LocId {
            let mut tags = std::mem::take(&mut label.state.locs[l as usize].tags);
            if tags.is_empty() {
                continue;
            }
            let actual = match l.checked_sub(self.f.locs()) {
                Some(i) => self.locs.get(i as usize).copied().flatten(),
                None => Some(l),
            };
            let live = label.state.locs[l as usize].live;
            let other = actual.and_then(|a| self.holding(&self.s, a)).filter(|_| live);
            // A tag that becomes part of what the layout says makes another value of it.
            let packs = |s: &State, loc: &Loc, apply: &dyn Fn(&Term) -> Option<Term>| {
                loc.cells.iter().any(|c| {
                    let stays = label.state.locs[l as usize]
                        .cells
                        .iter()
                        .any(|d| apply(&d.off).as_ref() == Some(&c.off));
                    !stays && self.f.tag_at(s, loc, &c.off, c.width)
                })
            };
            let before = old.locs.get(l as usize);
            let same = |t: &Term| Some(t.clone());
            if other.as_ref().is_none_or(|o| packs(&self.s, o, &|t| self.apply(t)))
                || before.is_some_and(|b| packs(old, b, &same))
            {
                self.changed = true;
                continue;
            }
            let other = other.map(|o| o.tags).unwrap_or_default();
            tags.retain_mut(|t| self.tag(label, t, &other));
            label.state.locs[l as usize].tags = tags;
        }
        let mut tags = std::mem::take(&mut label.state.static_tags);
        tags.retain_mut(|(l, t)| {
            let other: Vec<Tag> = self.s.tags(*l).cloned().collect();
            self.tag(label, t, &other)
        });
        label.state.static_tags = tags;
    }

    /// Joins one tag; whether the edge knows it.
    fn tag(&mut self, label: &mut Label, t: &mut Tag, others: &[Tag]) -> bool {
        let off = self.apply(&t.off);
        match others.iter().find(|o| Some(&o.off) == off.as_ref()) {
            Some(other) => {
                t.value = self.term(label, t.value.clone(), &other.value, false);
                true
            }
            None => {
                self.changed = true;
                false
            }
        }
    }
}
