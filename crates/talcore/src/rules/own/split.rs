//! `split` and `join`: owned memory in two pieces, and back in one. Arrays stay arrays: see `arrays`.

use crate::engine::{Checked, Engine};
use crate::guide::Guide;
use crate::state::{Lay, LocId, STATIC, Word};
use crate::term::Term;
use crate::types::Mode;
use crate::verdict::Code;
use crate::x86::insn::Reg;
use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;

impl<'a, G: Guide> Engine<'a, G> {
    /// The object that a register points to, which must be owned or an exclusive borrow, and the offset.
    fn cuttable(&self, r: Reg) -> Checked<(LocId, Term)> {
        match self.get(r) {
            Word::Ptr(l, e) if l < STATIC => {
                let loc = self.loc(l)?;
                if loc.exclusive() && loc.hole.is_none() {
                    return Ok((l, e));
                }
            }
            _ => {}
        }
        Err(self.not_owned(r))
    }

    fn not_owned(&self, r: Reg) -> alloc::boxed::Box<crate::verdict::Reject> {
        self.fail(Code::Ghost, "the register does not point to owned memory").reg(r.0)
    }

    /// `split r`: raw owned memory is cut in two where `r` points. `r` and its copies point to the start of the
    /// second object then, all other pointers into the first.
    pub fn split_memory(&mut self, r: Reg) -> Checked {
        let (l, k) = self.cuttable(r)?;
        let mode = self.loc(l)?.mode;
        let foreign = self.is_foreign(l);
        // A word that lies across the cut would be lost, and not be 0.
        let zeros = self.program.zeros(self.loc(l)?.lay.id) && self.held(l) == 0;
        let array = self.cut_array(l, &k)?;
        // What is borrowed stays an array, so that it can be put together again; until then it cannot be given back.
        if mode != Mode::Own && array.is_none() {
            return Err(self.not_owned(r));
        }
        let lay = if foreign || array.is_some() { self.loc(l)?.lay } else { self.forget(l)? };
        let size = self.size_of(&lay).unwrap_or_default();
        let left = self.term(size.sub(&k))?;
        self.require(&k, Code::Ghost, "the cut may lie before the object")?;
        self.require(&left, Code::Ghost, "the cut may lie behind the object")?;
        let shapes = &self.program.shapes;
        let id = match (foreign, zeros) {
            (true, _) => shapes.foreign(),
            (false, true) => shapes.zeros(),
            (false, false) => shapes.bytes(),
        };
        let bytes = |n: &Term| Lay { id, env: Some(Rc::from(vec![n.clone()])) };
        let (low, high) = array.unwrap_or_else(|| (bytes(&k), bytes(&left)));
        let from = self.addr(l)?;
        let second = self.open(mode, high)?;
        self.becomes(l, low);
        let at = self.addr(second)?;
        self.assume_equal(&at, &self.term(from.add(&k))?)?;
        let mut stay = Vec::new();
        for i in 0..self.held(l) {
            let Some(held) = self.held_word(l, i) else { break };
            let room = self.term(k.sub(&held.off).and_then(|t| t.offset(-i128::from(held.width.bytes()))))?;
            let behind = self.term(held.off.sub(&k))?;
            if self.try_prove(&room) {
                stay.push(held);
            } else if self.try_prove(&behind) {
                self.hold(second, &behind, held.width, held.word);
            }
        }
        if let Some(loc) = self.state.locs.get_mut(l as usize) {
            loc.cells = stay;
        }
        self.spend(self.state.parts() as u64)?;
        for w in self.state.words_mut() {
            if matches!(w, Word::Ptr(x, e) if *x == l && *e == k) {
                *w = Word::Ptr(second, Term::zero());
            }
        }
        Ok(())
    }

    /// `join a, b`: two raw owned objects of which the second starts where the first ends become one. Pointers into
    /// the second point into the first then.
    pub fn join_memory(&mut self, a: Reg, b: Reg) -> Checked {
        let ((l, _), (k, _)) = (self.cuttable(a)?, self.cuttable(b)?);
        if l == k {
            return self.reject(Code::Ghost, "an object cannot be joined with itself");
        }
        let zeros = |e: &Self, l| {
            Ok::<_, alloc::boxed::Box<crate::verdict::Reject>>(
                e.program.zeros(e.loc(l)?.lay.id) && e.held(l) == 0,
            )
        };
        let zeros = zeros(self, l)? && zeros(self, k)?;
        let array = self.joined_array(l, k)?;
        let modes = (self.loc(l)?.mode, self.loc(k)?.mode);
        if modes.0 != modes.1 || modes.0 != Mode::Own && array.is_none() {
            return Err(self.not_owned(if modes.0 == Mode::Own { b } else { a }));
        }
        // What others change in one part they change in the whole.
        let foreign = self.is_foreign(l) || self.is_foreign(k);
        let (first, second) = match foreign || array.is_some() {
            true => (self.loc(l)?.lay, self.loc(k)?.lay),
            false => (self.forget(l)?, self.forget(k)?),
        };
        let n = self.size_of(&first).unwrap_or_default();
        let both = self.term(n.add(&self.size_of(&second).unwrap_or_default()))?;
        let (from, to) = (self.addr(l)?, self.addr(k)?);
        let gap = self.term(from.add(&n).and_then(|t| t.sub(&to)))?;
        let why = "the second object is not proved to start where the first one ends";
        self.require(&gap, Code::Ghost, why)?;
        self.require(&self.term(gap.neg())?, Code::Ghost, why)?;
        let room = self.term(Term::from(self.max_object()).sub(&both))?;
        self.require(&room, Code::Ghost, "together the objects may be larger than any object may be")?;
        for i in 0..self.held(k) {
            let Some(held) = self.held_word(k, i) else { break };
            let off = self.term(held.off.add(&n))?;
            self.hold(l, &off, held.width, held.word);
        }
        let shapes = &self.program.shapes;
        let id = if zeros { shapes.zeros() } else { shapes.bytes() };
        let lay = Lay { id, env: Some(Rc::from(vec![both.clone()])) };
        let lay = match array {
            Some(array) => array,
            None if foreign => self.foreign_bytes(both),
            None => lay,
        };
        if foreign && let Some(loc) = self.state.locs.get_mut(l as usize) {
            loc.empty();
        }
        self.becomes(l, lay);
        self.spend(self.state.parts() as u64)?;
        let moved = |e: &Term| e.add(&n).map_or(Word::Any, |e| Word::Ptr(l, e));
        for w in self.state.words_mut() {
            if let Word::Ptr(x, e) = w
                && *x == k
            {
                *w = moved(e);
            }
        }
        self.kill(k)
    }

    fn assume_equal(&mut self, a: &Term, b: &Term) -> Checked {
        let more = self.term(a.sub(b))?;
        let less = self.term(b.sub(a))?;
        self.state.facts.assume(&more);
        self.state.facts.assume(&less);
        Ok(())
    }
}
