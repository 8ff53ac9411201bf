//! Cursors at labels: the rules end one by themselves where a label has the object that it is in.

use super::label::Frame;
use super::project::reached;
use talcore::state::{LocId, STATIC, State, Word};
use talcore::types::{Layout, RegSet};

/// The registers that point to cells of cursors: steps without machine code find the cursor by them, even if no
/// instruction reads them.
pub(super) fn cursors(s: &State) -> RegSet {
    let cursor = |w: &Word| matches!(w, Word::Ptr(l, _) if s.locs.get(*l as usize).is_some_and(|l| l.live && l.hole.is_some()));
    s.regs.iter().enumerate().filter(|(_, w)| cursor(w)).fold(0, |set, (r, _)| set | 1 << r)
}

/// Ends the cursors of a state that no word leads to: no label could have them.
pub(super) fn end_unreached(f: &Frame<'_>, s: &mut State) {
    if s.locs.iter().all(|l| !l.live || l.hole.is_none()) {
        return;
    }
    let reached = reached(f, s);
    for c in 0..s.locs.len() as LocId {
        if !reached.contains(&c) {
            end(f, s, c);
        }
    }
}

/// Ends cursors that only one of a label and an edge to it has, or that no register or word of the frame has in both;
/// answers whether the label has changed.
pub(super) fn same_cursors(f: &Frame<'_>, label: &mut State, edge: &mut State) -> bool {
    let mut changed = false;
    for root in 0..f.locs() {
        let whole = |s: &State| s.locs.get(root as usize).is_some_and(|l| l.live);
        match (cursor_in(label, root), cursor_in(edge, root)) {
            (Some(p), Some(a)) if !together(label, edge, p, a) => {
                changed |= end(f, label, p);
                end(f, edge, a);
            }
            (Some(p), None) if whole(edge) => changed |= end(f, label, p),
            (None, Some(a)) if whole(label) => drop(end(f, edge, a)),
            _ => {}
        }
    }
    changed
}

/// The cell of the cursor that is in an object.
fn cursor_in(s: &State, root: LocId) -> Option<LocId> {
    let here = s.locs.iter().position(|l| l.live && l.hole.is_some_and(|h| h.root == root));
    here.map(|c| c as LocId)
}

/// Whether some register or word of the frame points to both cells.
fn together(label: &State, edge: &State, p: LocId, a: LocId) -> bool {
    let points = |w: &Word, l: LocId| matches!(w, Word::Ptr(k, _) if *k == l);
    let mut regs = label.regs.iter().zip(&edge.regs).chain(label.incoming.iter().zip(&edge.incoming));
    regs.any(|(x, y)| points(x, p) && points(y, a))
        || label.frame.iter().any(|slot| {
            let other = edge.slot_at(slot.off).and_then(|i| edge.frame.get(i)).filter(|o| o.off == slot.off);
            let other = other.and_then(|o| o.word.as_ref());
            slot.word.as_ref().is_some_and(|w| points(w, p)) && other.is_some_and(|w| points(w, a))
        })
}

/// Ends the cursor whose cell is `c`, if what lies in the cell can go back; answers whether it was one.
fn end(f: &Frame<'_>, s: &mut State, c: LocId) -> bool {
    let Some(loc) = s.locs.get(c as usize).filter(|l| l.live) else { return false };
    let Some(hole) = loc.hole.filter(|h| h.cell == loc.lay.id) else { return false };
    let Layout::Cell(ty) = *f.program.types.layout(hole.cell) else { return false };
    let held: Vec<Word> = loc.cells.iter().map(|cell| cell.word.clone()).collect();
    if !held.iter().all(|w| f.fits(s, w, ty, &Some([].into()), 0)) {
        return false;
    }
    // What the cell owns goes back with it.
    let (mut gone, mut open) = (vec![c], held.clone());
    while let Some(word) = open.pop() {
        if let Word::Ptr(l, _) = word
            && l < STATIC
            && !gone.contains(&l)
        {
            gone.push(l);
            open.extend(s.locs.get(l as usize).into_iter().flat_map(|l| &l.cells).map(|c| c.word.clone()));
        }
    }
    let untested: Vec<u32> =
        held.iter().filter_map(|w| if let Word::Opt(v, ..) = w { Some(*v) } else { None }).collect();
    for w in s.words_mut() {
        if matches!(w, Word::Ptr(l, _) if gone.contains(l))
            || matches!(w, Word::Opt(v, ..) if untested.contains(v))
        {
            *w = Word::Any;
        }
    }
    for l in gone {
        if let Some(loc) = s.locs.get_mut(l as usize) {
            (loc.live, loc.hole) = (false, None);
            loc.cells.clear();
            loc.tags.clear();
        }
    }
    if let Some(root) = s.locs.get_mut(hole.root as usize) {
        root.live = true;
    }
    true
}
