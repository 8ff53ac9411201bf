//! Memory that belongs to one function alone (`own`, `&uniq`): strong updates, moves, and giving it away.
//!
//! Words are copied freely; the capability is the location in the state. What a location holds is its layout, but
//! for the *held* words and numbers, which stores have put there or loads have opened. When the memory is given away, the
//! held words are packed: each must have the type of the cell that the wanted layout has at its place.

mod arrays;
mod foreign;
mod hidden;
mod kept;
mod layout;
mod moved;
mod number;
mod pack;
mod part;
mod split;
mod text;
mod zeros;

use crate::engine::{Checked, Engine, under};
use crate::guide::Guide;
use crate::limits;
use crate::matching::{Blame, Subst};
use crate::memory::Leaf;
use crate::rules::Lent;
use crate::state::{Env, Held, Lay, LocId, STATIC, Word};
use crate::term::Term;
use crate::types::{Layout, LayoutId, Mode};
use crate::verdict::Code;
use crate::x86::insn::Width;
use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;
pub(super) use hidden::Around;
pub(crate) use hidden::Cell;

/// How an access lies to a word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Lies {
    Exactly,
    Apart,
    Perhaps,
}

impl<'a, G: Guide> Engine<'a, G> {
    /// Nobody may use the location any more: every word that mentions it becomes an integer.
    pub fn kill(&mut self, l: LocId) -> Checked {
        self.spend(self.state.parts() as u64)?;
        let mentioned = self.state.words().any(|w| matches!(w, Word::Ptr(k, _) if *k == l));
        let addr = if mentioned { self.addr(l)? } else { Term::zero() };
        let Some(loc) = self.state.locs.get_mut(l as usize) else { return Ok(()) };
        loc.live = false;
        loc.empty();
        self.state.forget_tags(l);
        for w in self.state.words_mut() {
            if let Word::Ptr(k, e) = w
                && *k == l
            {
                *w = addr.add(e).map_or(Word::Any, Word::Int);
            }
        }
        Ok(())
    }

    /// The capability of an untested word has been given away: every copy of the word becomes an integer.
    pub fn kill_untested(&mut self, v: u32) -> Checked {
        self.spend(self.state.parts() as u64)?;
        for w in self.state.words_mut() {
            if matches!(w, Word::Opt(u, ..) if *u == v) {
                *w = Word::Int(Term::var(v));
            }
        }
        Ok(())
    }

    /// Gives a whole object away as one of the layout `want`.
    pub fn take(
        &mut self,
        s: &mut Subst,
        want: (LayoutId, &Env),
        l: LocId,
        e: &Term,
        blame: Blame,
    ) -> Checked {
        // What is inside of it does not come back by itself.
        let suspend = core::mem::take(&mut self.suspend);
        if self.lent.iter().any(|lent| matches!(lent, Lent::Object(k, _) if *k == l)) {
            return self.reject(Code::BorrowConflict, "one object is lent or kept, and given away at once");
        }
        self.unify(s, &Term::zero(), e, false, blame)?;
        self.pack(s, want, l, &[], blame)?;
        if !suspend {
            return self.kill(l);
        }
        self.addr(l)?;
        if let Some(loc) = self.state.locs.get_mut(l as usize) {
            loc.live = false;
            loc.empty();
        }
        self.state.forget_tags(l);
        Ok(())
    }

    /// Owned memory becomes shared or unchanging for ever, where a type asks for that. It is another location from here on,
    /// to which all words that pointed to the old one point: what a label or a signature says of the old one must not
    /// find it.
    pub fn publish(
        &mut self,
        s: &mut Subst,
        mode: Mode,
        want: (LayoutId, &Env),
        l: LocId,
        e: &Term,
        blame: Blame,
    ) -> Checked {
        if self.lent.iter().any(|lent| matches!(lent, Lent::Object(k, _) if *k == l)) {
            return self.reject(Code::BorrowConflict, "one object is lent or kept, and given away at once");
        }
        // The cell of a cursor in it is not shared.
        if self.state.has_hole(l) {
            return self.reject(blame.shape, "a cursor is in this memory: `end` it first");
        }
        self.unify(s, &Term::zero(), e, false, blame)?;
        let have = self.loc(l)?.lay;
        if self.foreign(have.id)
            && mode == Mode::Shared
            && matches!(self.program.types.layout(want.0), Layout::Bytes(_))
        {
            self.foreign_as(s, want, &have, blame)?;
        } else {
            self.pack(s, want, l, &[], blame)?;
        }
        let program = self.program;
        let known = |t: &Term| s.apply(&under(t, want.1)?);
        let lay = match program.types.layout(want.0) {
            Layout::Exists(e) => {
                let outer = (0..e.first).map(|v| known(&Term::var(v))).collect();
                Some(want.0).zip(outer)
            }
            Layout::Struct(id, args) => program.shapes.generic(*id).zip(args.iter().map(known).collect()),
            Layout::Bytes(n) => Some(program.shapes.bytes()).zip(known(n).map(|n| vec![n])),
            _ if program.shapes.scope(want.0) == Some(0) => Some((want.0, Vec::new())),
            _ => None,
        };
        let Some((id, env)) = lay else {
            return self.reject(blame.shape, "owned memory of this type cannot become shared or unchanging");
        };
        let addr = self.addr(l)?.as_var();
        let lay = self.opened(mode, id, &Some(env.into()))?;
        let new = self.open(mode, lay)?;
        if let Some(loc) = self.state.locs.get_mut(new as usize) {
            loc.addr = addr;
        }
        self.spend(self.state.parts() as u64)?;
        for w in self.state.words_mut() {
            if let Word::Ptr(k, _) = w
                && *k == l
            {
                *k = new;
            }
        }
        self.kill(l)
    }

    /// How `width` bytes at `off` lie to a held word or number.
    fn lies(&mut self, off: &Term, width: Width, held: &Held) -> Checked<Lies> {
        if *off == held.off {
            return Ok(if width == held.width { Lies::Exactly } else { Lies::Perhaps });
        }
        let apart = self.apart(off, &Term::from(i128::from(width.bytes())), held)?;
        Ok(if apart { Lies::Apart } else { Lies::Perhaps })
    }

    /// Whether a whole word at `off` is proved not to meet a held one.
    pub fn meets_not(&mut self, off: &Term, held: &Held) -> Checked<bool> {
        self.apart(off, &Term::from(i128::from(self.word())), held)
    }

    /// Whether `size` bytes at `off` are proved not to meet a held word or number.
    pub fn apart(&mut self, off: &Term, size: &Term, held: &Held) -> Checked<bool> {
        let behind = self.term(off.sub(&held.off))?;
        let before = self.term(held.off.sub(off))?;
        let behind = self.term(behind.offset(-i128::from(held.width.bytes())))?;
        let before = self.term(before.sub(size))?;
        Ok(self.try_prove(&behind) || self.try_prove(&before))
    }

    /// The word or number that lies held where `width` bytes at `off` are read; `Err` says why there is none: no held word lies
    /// there (true), or one perhaps does.
    pub fn held_at(&mut self, l: LocId, off: &Term, width: Width) -> Checked<Result<Word, bool>> {
        let mut free = true;
        for i in 0..self.held(l) {
            self.spend(2)?;
            let Some(held) = self.held_word(l, i) else { break };
            match self.lies(off, width, &held)? {
                Lies::Exactly => return Ok(Ok(held.word)),
                Lies::Apart => {}
                Lies::Perhaps => free = false,
            }
        }
        Ok(Err(free))
    }

    fn held(&self, l: LocId) -> usize {
        if l >= STATIC { 0 } else { self.state.locs.get(l as usize).map_or(0, |loc| loc.cells.len()) }
    }

    pub(in crate::rules) fn held_word(&self, l: LocId, i: usize) -> Option<Held> {
        self.state.locs.get(l as usize)?.cells.get(i).cloned()
    }

    /// Remembers a word or number in exclusive memory; false at the limit.
    pub fn hold(&mut self, l: LocId, off: &Term, width: Width, word: Word) -> bool {
        if self.is_foreign(l) {
            return false;
        }
        match self.state.locs.get_mut(l as usize) {
            Some(loc) if loc.cells.len() < limits::HELD => {
                loc.cells.push(Held { off: off.clone(), width, word });
                true
            }
            _ => false,
        }
    }

    /// Writes to exclusive memory: a strong update. A whole word at a constant offset is remembered with its type;
    /// elements of arrays keep the declared one unless it owns memory.
    pub fn store_exclusive(&mut self, l: LocId, off: &Term, width: Width, value: Word) -> Checked {
        let around = self.open_around(l, off, width)?;
        if around != Around::Plain
            && let Some(loc) = self.state.locs.get(l as usize)
            && let Some(i) = loc.cells.iter().position(|c| c.off == *off && c.width == width)
        {
            // What is held does not overlap: only this changes.
            self.drop_held(l, i);
            self.hold_number(l, off, width, &value)?;
            return Ok(());
        }
        if around == Around::Closed {
            let why = "sizes are hidden where the store goes, and other words that were stored or loaded may lie there";
            return self.reject(Code::Straddle, why);
        }
        let mut lay = self.loc(l)?.lay;
        // A write into strings leaves raw memory.
        if self.only_text(&lay) {
            lay = self.forget(l)?;
        }
        if self.program.zeros(lay.id) {
            if self.store_in_zeros(l, &lay, off, width, &value)? {
                return Ok(());
            }
            lay = self.forget(l)?;
        }
        let leaf = self.leaf(l, &lay, off, width, true)?;
        if self.foreign(lay.id) {
            return Ok(());
        }
        if matches!(leaf, Leaf::Raw) {
            self.forget_words(l, &lay, Some((off, &Term::from(i128::from(width.bytes())))))?;
            // The end of a string.
            let zero = width == Width::B1 && plain_zero(&value);
            // What was written at some index of raw memory is worth remembering only if it is a pointer.
            let plain = self.program.shapes.raw_size(lay.id).is_some();
            let remember = !plain || off.as_const().is_some() || !matches!(value, Word::Int(_) | Word::Any);
            if self.full(width) && remember {
                self.hold(l, off, width, value);
            } else if !self.full(width)
                && (off.as_const().is_some() || zero)
                && self.held(l) < limits::HELD_NUMBERS
            {
                self.hold_number(l, off, width, &value)?;
            }
            return Ok(());
        }
        let (cell, linear) = match leaf {
            Leaf::Cell(ty, env) => (Some((ty, env)), self.program.types.linear(ty)),
            // Another tag makes another variant of it, perhaps one that owns memory.
            Leaf::Tag(_) => (None, true),
            leaf => return self.store_number(l, &lay, off, width, leaf, value),
        };
        let weak = off.as_const().is_none() && !linear;
        let mut i = 0;
        while let Some(held) = self.held_word(l, i) {
            self.spend(2)?;
            match self.lies(off, width, &held)? {
                Lies::Exactly => {
                    self.drop_held(l, i);
                    continue;
                }
                Lies::Apart => {}
                // One of several elements: a number that was only read there is still one of its type.
                Lies::Perhaps if self.has_its_type(l, &lay, &held)? => {
                    self.drop_held(l, i);
                    continue;
                }
                Lies::Perhaps => {
                    return self.reject(Code::Straddle, "it is not known which element is overwritten");
                }
            }
            i += 1;
        }
        if let Some((ty, env)) = cell.filter(|_| weak) {
            return self.weak_store(Leaf::Cell(ty, env), value);
        }
        if self.hold_number(l, off, width, &value)? {
            return Ok(());
        }
        self.reject(Code::Limit, "too many words of one object differ from its type")
    }

    /// Forgets the held word or number `i`.
    fn drop_held(&mut self, l: LocId, i: usize) {
        if let Some(loc) = self.state.locs.get_mut(l as usize)
            && i < loc.cells.len()
        {
            loc.cells.remove(i);
        }
    }

    /// Forgets what an object holds: only its bytes are left, and the words that are held at known places.
    fn forget(&mut self, l: LocId) -> Checked<Lay> {
        let have = self.loc(l)?.lay;
        self.not_foreign(have.id, Code::Content)?;
        if self.program.types.opaque(have.id) {
            return self.reject(Code::Abstract, crate::scope::HIDDEN);
        }
        let Some(size) = self.size_of(&have) else {
            return self.reject(Code::Content, "the object's size is not known");
        };
        Ok(self.becomes(l, Lay { id: self.program.shapes.bytes(), env: Some(Rc::from(vec![size])) }))
    }

    /// Gives a location another layout.
    pub fn becomes(&mut self, l: LocId, lay: Lay) -> Lay {
        if let Some(loc) = self.state.locs.get_mut(l as usize) {
            loc.lay = lay.clone();
            loc.parts.clear();
        }
        self.state.forget_byte(l);
        self.state.forget_tags(l);
        lay
    }

    /// Forgets the words that lie in raw parts of `lay` and that an access, an offset and a size in bytes, may meet (`None`:
    /// all of them). Words in
    /// cells stay: an access to raw parts does not reach them, and without them the cells would seem to hold again
    /// what they held before.
    pub fn forget_words(&mut self, l: LocId, lay: &Lay, access: Option<(&Term, &Term)>) -> Checked {
        self.state.forget_byte(l);
        let mut i = 0;
        while let Some(held) = self.held_word(l, i) {
            self.spend(2)?;
            let meets = match access {
                Some((off, size)) => !self.apart(off, size, &held)?,
                None => true,
            };
            if meets && matches!(self.leaf(l, lay, &held.off, held.width, true)?, Leaf::Raw) {
                self.drop_held(l, i);
            } else {
                i += 1;
            }
        }
        self.forget_parts(l, access)
    }

    /// Makes exclusive memory hold what its own layout says, so that it can be lent: whoever borrows it may write the raw
    /// bytes that something was moved into.
    pub fn fold(&mut self, l: LocId, blame: Blame) -> Checked {
        self.forget_parts(l, None)?;
        self.state.forget_byte(l);
        self.unfold(l)?;
        if self.held(l) == 0 {
            return Ok(());
        }
        let lay = self.loc(l)?.lay;
        self.retagged.retain(|k| *k != l);
        self.pack(&mut Subst::identity(), (lay.id, &lay.env), l, &[], blame)?;
        if let Some(loc) = self.state.locs.get_mut(l as usize) {
            loc.cells.clear();
        }
        if self.retagged.contains(&l) {
            self.state.forget_tags(l);
        }
        Ok(())
    }
}

/// Whether a word is known to be a byte that is 0, whatever lies above it.
fn plain_zero(word: &Word) -> bool {
    matches!(word, Word::Int(t) if t.as_const().is_some_and(|c| c.rem_euclid(256) == 0))
}
