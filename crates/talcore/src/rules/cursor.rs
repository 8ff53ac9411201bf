//! Cursors: C's `node **pp`, a pointer to the cell that owns the rest of a list or of a branch of a tree.
//!
//! `cursor r` takes the cell that `r` points to out of its object: the cell is memory of its own from then on, and the
//! object has a *hole*. `advance r` goes on to a cell of the object that the present cell owns; that object becomes part
//! of what lies behind it again, but for the hole that the new cell leaves. `end r` fills the hole.
//!
//! What makes it true: the cell's type is closed, and it may be 0. Whatever word of this type is in the hole, the object
//! around it has the type that it had; by induction this holds for the chain of all objects that the cursor went
//! through. So nothing is remembered of them: a cursor is the cell, and the object that is whole again at the end. That
//! object cannot be used meanwhile, nor can those on the way.
//!
//! A cursor also ends by itself where its object is asked for as a whole: at returns, at calls, and at labels that have the
//! object. There is nothing to choose: an object has one cursor, since it cannot be used while it has one, and a label
//! takes over a cursor only if a word points to its cell, which is bound once. What it fills the hole with is proved
//! to be of the cell's type as by a step that is written.

use crate::engine::{Checked, Engine};
use crate::guide::Guide;
use crate::limits;
use crate::matching::{Blame, Subst};
use crate::memory::Leaf;
use crate::rules::Lent;
use crate::rules::call::RETURN;
use crate::state::{Held, Hole, Lay, Loc, LocId, STATIC, State, Word};
use crate::term::Term;
use crate::types::{Layout, LayoutId, Mode, WordId, WordTy};
use crate::verdict::Code;
use crate::x86::insn::Reg;
use alloc::rc::Rc;
use alloc::vec::Vec;

const GHOST: Blame = Blame { shape: Code::Ghost, fact: Code::Ghost };

impl<'a, G: Guide> Engine<'a, G> {
    /// The object that a register points to, which nobody else has, and the offset.
    fn pointed(&self, r: Reg) -> Checked<(LocId, Term)> {
        match self.get(r) {
            Word::Ptr(l, e) if l < STATIC && self.loc(l)?.exclusive() => Ok((l, e)),
            _ => Err(self
                .fail(Code::Ghost, "the register does not point to memory of this function alone")
                .reg(r.0)),
        }
    }

    /// The word of a cell in which a cursor may stand.
    fn cursor_word(&self, cell: LayoutId) -> Option<WordId> {
        let Layout::Cell(w) = self.program.types.layout(cell) else { return None };
        let types = &self.program.types;
        let fits = self.program.shapes.closed(*w)
            && types.linear(*w)
            && matches!(types.word(*w), WordTy::Opt(_))
            && types.pointer(*w).is_some();
        fits.then_some(*w)
    }

    /// The cell that lies at an offset, if a cursor may stand there.
    fn cell_at(&mut self, l: LocId, lay: &Lay, at: &Term) -> Checked<Option<LayoutId>> {
        let (mut lay, mut off) = (lay.clone(), at.clone());
        for _ in 0..=limits::NESTING {
            self.spend(2)?;
            if let Layout::Cell(_) = self.program.types.layout(lay.id) {
                return Ok(
                    Some(lay.id).filter(|id| off.as_const() == Some(0) && self.cursor_word(*id).is_some())
                );
            }
            match self.inside_of((l, at), &lay, &off)? {
                Some((l, o)) => (lay, off) = (l, o),
                None => return Ok(None),
            }
        }
        self.reject(Code::Limit, "types are nested too deeply")
    }

    /// The same for any instance of a layout: at a constant offset, behind parts of constant size.
    fn cell_of_type(&mut self, mut id: LayoutId, mut off: i128) -> Checked<Option<LayoutId>> {
        let program = self.program;
        for _ in 0..=limits::NESTING {
            self.spend(2)?;
            let fields = match program.types.layout(id) {
                Layout::Cell(_) => {
                    return Ok(Some(id).filter(|id| off == 0 && self.cursor_word(*id).is_some()));
                }
                // Of a union it would have to be the same cell in every variant.
                Layout::Struct(s, _) => match program.types.strukt(*s).fields() {
                    Some(fields) => fields,
                    None => return Ok(None),
                },
                Layout::Seq(fields) => fields,
                Layout::Exists(e) => {
                    id = e.body;
                    continue;
                }
                _ => return Ok(None),
            };
            let mut found = None;
            for &field in fields {
                self.spend(1)?;
                let size = program.shapes.size(field).and_then(Term::as_const);
                match size {
                    Some(size) if size < 0 => return Ok(None),
                    Some(size) if off >= size => off -= size,
                    _ => {
                        found = Some(field);
                        break;
                    }
                }
            }
            let Some(field) = found else { return Ok(None) };
            id = field;
        }
        self.reject(Code::Limit, "types are nested too deeply")
    }

    /// A new cell with a hole around it, to which the words in registers and in the frame point that pointed there: all, or
    /// one register alone.
    fn new_cursor(
        &mut self,
        from: (LocId, &Term),
        hole: Hole,
        word: Option<Word>,
        only: Option<Reg>,
    ) -> Checked<LocId> {
        let lay = Lay { id: hole.cell, env: Some(Rc::from([])) };
        let c = self.open(Mode::Uniq, lay)?;
        let width = self.word_width();
        self.spend(self.state.parts() as u64)?;
        if let Some(loc) = self.state.locs.get_mut(c as usize) {
            loc.hole = Some(hole);
            loc.cells.extend(word.map(|word| Held { off: Term::zero(), width, word }));
        }
        if let Some(r) = only {
            self.set(r, Word::Ptr(c, Term::zero()));
            return Ok(c);
        }
        // Those in memory say what it owns, as before: the object, also where the cell is at its start.
        for w in self.state.outer_words_mut() {
            if matches!(w, Word::Ptr(l, e) if *l == from.0 && e == from.1) {
                *w = Word::Ptr(c, Term::zero());
            }
        }
        Ok(c)
    }

    /// `cursor r`.
    pub fn cursor(&mut self, r: Reg) -> Checked {
        let (l, off) = self.pointed(r)?;
        self.fold(l, GHOST)?;
        let lay = self.loc(l)?.lay;
        let Some(cell) = self.cell_at(l, &lay, &off)? else {
            return Err(self.fail(Code::Ghost, "no cell lies there that owns memory or is 0").reg(r.0));
        };
        self.addr(l)?;
        // Other pointers to the start of the object mean the object, of which the cell is the first part: nothing can be
        // done with them until the end.
        let only = (off.as_const() == Some(0)).then_some(r);
        self.new_cursor((l, &off), Hole { root: l, cell }, None, only)?;
        if let Some(loc) = self.state.locs.get_mut(l as usize) {
            loc.live = false;
        }
        self.state.forget_tags(l);
        Ok(())
    }

    /// `advance r`.
    pub fn advance_cursor(&mut self, r: Reg) -> Checked {
        let (k, off) = self.pointed(r)?;
        self.spend(self.state.locs.len() as u64)?;
        let next = Word::Ptr(k, Term::zero());
        let behind = |w: &Held| w.off.as_const() == Some(0) && w.word == next;
        let cursor =
            self.state.locs.iter().position(|l| l.live && l.hole.is_some() && l.cells.iter().any(behind));
        let hole = cursor.and_then(|c| self.state.locs.get(c)).and_then(|c| c.hole);
        let (Some(c), Some(hole)) = (cursor, hole) else {
            return Err(self
                .fail(Code::Ghost, "no cursor's cell owns the object that the register points to")
                .reg(r.0));
        };
        let known =
            || self.fail(Code::Ghost, "the cell is not one through which the cursor can go on").reg(r.0);
        let Some((word, (_, want))) =
            self.cursor_word(hole.cell).and_then(|w| Some((w, self.program.types.pointer(w)?)))
        else {
            return Err(known());
        };
        let none = Some(Rc::from([]));
        // Where the object goes back to its cell has the type of that cell: then any word of it fits into the hole.
        let fail = known();
        let at = off.as_const();
        let cell = match at {
            Some(at) => self.cell_of_type(want, at)?,
            None => None,
        };
        let Some(cell) = cell else { return Err(fail) };
        self.same_layout(&mut Subst::identity(), (hole.cell, &none), (cell, &none), 0, GHOST)?;
        // What is in it now.
        let mut held = None;
        let count = self.state.locs.get(k as usize).map_or(0, |l| l.cells.len());
        for i in 0..count {
            let Some(cell) = self.state.locs.get(k as usize).and_then(|l| l.cells.get(i)).cloned() else {
                break;
            };
            if cell.off == off && cell.width == self.word_width() {
                held = Some((i, cell.word));
            } else if !self.meets_not(&off, &cell)? {
                return Err(fail);
            }
        }
        if held.is_none() {
            let lay = self.loc(k)?.lay;
            let Some(is) = self.cell_at(k, &lay, &off)? else { return Err(fail) };
            self.same_layout(&mut Subst::identity(), (hole.cell, &none), (is, &none), 0, GHOST)?;
        }
        if let (Some((i, _)), Some(loc)) = (&held, self.state.locs.get_mut(k as usize)) {
            loc.cells.remove(*i);
        }
        self.new_cursor((k, &off), hole, held.map(|h| h.1), None)?;
        // The rest of the object goes back, with a word in the hole that fits like any other.
        if !self.hold(k, &off, self.word_width(), Word::Int(Term::zero())) {
            return self.reject(Code::Limit, "too many words of one object differ from its type");
        }
        self.match_word(&mut Subst::identity(), (word, &none), &next, GHOST)?;
        if let Some(loc) = self.state.locs.get_mut(c) {
            loc.hole = None;
        }
        self.kill(c as LocId)
    }

    /// `end r`.
    pub fn end_cursor(&mut self, r: Reg) -> Checked {
        let (c, off) = self.pointed(r)?;
        let hole = self.loc(c)?.hole.filter(|_| off.as_const() == Some(0));
        let Some(hole) = hole else {
            return Err(self.fail(Code::Ghost, "the register does not point to a cursor's cell").reg(r.0));
        };
        self.fill(c, hole, GHOST)
    }

    /// On the way to a label, a cursor in memory that itself lies in an argument or a static becomes one in those: that
    /// memory goes back to the cell that owns it, complete but for the hole.
    ///
    /// Memory that a cursor is in was made whole when the cursor began, and nobody can use it since: it holds what its
    /// layout says, which has a cell of the hole's type at the hole's place. Nothing is held in it, so it is packed by
    /// comparing layouts alone. So what it is packed as has the same cell there, or raw bytes, which any word may fill
    /// (what the word owns is lost then). It is owned by what it goes back to; it never becomes shared or unchanging.
    pub fn widen_cursors(&mut self) -> Checked {
        self.spend(self.state.locs.len() as u64)?;
        for c in 0..self.state.locs.len() {
            for _ in 0..limits::NESTING {
                let Some(hole) = self.cursor_in(c).filter(|h| h.root as usize >= self.rigid_locs) else {
                    break;
                };
                let Some(around) = self.holder(hole.root)? else { break };
                (self.packing, self.suspend) = (0, false);
                self.lent.clear();
                self.kept.clear();
                self.retagged.clear();
                self.alive(hole.root, true);
                self.fold(around, GHOST)?;
                if self.state.locs.get(hole.root as usize).is_none_or(|root| root.live) {
                    return self.reject(Code::Ghost, "what a cursor is in does not go back to its owner");
                }
                if let Some(cell) = self.state.locs.get_mut(c) {
                    cell.hole = Some(Hole { root: around, ..hole });
                }
                self.alive(around, false);
                self.state.forget_tags(around);
            }
        }
        Ok(())
    }

    /// The memory of this function that has the owner of an object in a cell of its type.
    fn holder(&mut self, l: LocId) -> Checked<Option<LocId>> {
        self.spend(self.state.parts() as u64)?;
        let owner = Word::Ptr(l, Term::zero());
        for k in 0..self.state.locs.len() {
            let usable = |k: &&Loc| k.live && k.exclusive() && k.guard.is_none() && k.hole.is_none();
            let Some(loc) = self.state.locs.get(k).filter(usable) else { continue };
            let places: Vec<Term> =
                loc.cells.iter().filter(|h| h.word == owner).map(|h| h.off.clone()).collect();
            let lay = loc.lay.clone();
            for at in places {
                let width = self.word_width();
                if let Leaf::Cell(ty, _) = self.leaf(k as LocId, &lay, &at, width, true)?
                    && self.program.types.pointer(ty).is_some_and(|p| p.0 == Mode::Own)
                {
                    return Ok(Some(k as LocId));
                }
            }
        }
        Ok(None)
    }

    /// The cursors that the function has not ended end where it returns, also those in memory that no word leads to.
    pub fn end_cursors(&mut self) -> Checked {
        self.spend(self.state.locs.len() as u64)?;
        for c in 0..self.state.locs.len() {
            if let Some(hole) = self.cursor_in(c) {
                self.whole(hole.root, RETURN)?;
            }
        }
        Ok(())
    }

    /// The hole of a cell in which a cursor stands.
    fn cursor_in(&self, c: usize) -> Option<Hole> {
        self.state.locs.get(c).filter(|l| l.live).and_then(|l| l.hole)
    }

    /// The cell of the cursor becomes part of its object again, which is whole then.
    fn fill(&mut self, c: LocId, hole: Hole, blame: Blame) -> Checked {
        self.pack(&mut Subst::identity(), (hole.cell, &Some(Rc::from([]))), c, &[], blame)?;
        if let Some(loc) = self.state.locs.get_mut(c as usize) {
            loc.hole = None;
        }
        self.kill(c)?;
        if let Some(loc) = self.state.locs.get_mut(hole.root as usize) {
            loc.live = true;
        }
        Ok(())
    }

    /// Ends the cursor that is in an object, if there is one: the object is asked for as a whole.
    pub fn whole(&mut self, root: LocId, blame: Blame) -> Checked {
        self.spend(1)?;
        if self.state.locs.get(root as usize).is_none_or(|l| l.live) {
            return Ok(());
        }
        self.spend(self.state.locs.len() as u64)?;
        let here = |l: &Loc| l.live && l.hole.is_some_and(|hole| hole.root == root);
        let cursor = self.state.locs.iter().position(here).map(|c| c as LocId);
        let hole = cursor.and_then(|c| self.state.locs.get(c as usize)).and_then(|l| l.hole);
        let (Some(c), Some(hole)) = (cursor, hole) else { return Ok(()) };
        if self.lent.iter().any(|lent| matches!(lent, Lent::Object(k, _) if *k == c)) {
            return self
                .reject(Code::BorrowConflict, "a cursor's cell is lent while the memory around it is used");
        }
        self.fill(c, hole, blame)
    }

    /// The same for the objects that registers point to, where they are asked for as memory.
    pub fn whole_words(&mut self, words: &[(u8, WordId)], blame: Blame) -> Checked {
        for &(r, ty) in words {
            self.spend(1)?;
            if let Word::Ptr(l, _) = self.get(Reg(r))
                && l < STATIC
                && self.program.types.pointer(ty).is_some()
            {
                self.whole(l, blame).map_err(|e| e.reg(r))?;
            }
        }
        Ok(())
    }

    /// At a label: each cursor that it has is one of the edge, which a word has found. Nothing else would know a cursor that
    /// the label invents, and it would make an object whole that is not.
    pub fn cursors_found(&self, s: &Subst, label: &State) -> Checked {
        let own = label.locs.get(self.rigid_locs..).unwrap_or(&[]);
        let invented = |(i, l): (usize, &Loc)| l.hole.is_some() && !matches!(s.locs.get(i), Some(Some(_)));
        if own.iter().enumerate().any(invented) {
            return self.reject(Code::Stream, "a label has a cursor to which no word points");
        }
        Ok(())
    }
}
