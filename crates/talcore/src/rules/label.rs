//! Labels: an edge carries a state to a label that promises less.

use crate::engine::{Checked, Engine};
use crate::facts::Interval;
use crate::guide::{Edge, Guide};
use crate::limits;
use crate::matching::{Blame, Subst};
use crate::rules::{LENT, Lent};
use crate::state::{Env, Loc, LocId, STATIC, Slot, State, Word};
use crate::term::{Term, Var};
use crate::types::{Mode, WordId, WordTy};
use crate::verdict::Code;
use alloc::vec::Vec;

/// Failures at labels.
pub const LABEL: Blame = Blame { shape: Code::LabelType, fact: Code::LabelFact };

impl<'a, G: Guide> Engine<'a, G> {
    /// Follows an edge to the label at `target` (an offset in the function).
    pub fn edge(&mut self, target: u64) -> Checked {
        if self.state.facts.contradictory() {
            return Ok(()); // the branch never goes this way
        }
        self.widen_cursors()?;
        if self.guide.edge(target, &self.state) == Edge::Taken {
            return Ok(());
        }
        let Some(label) = self.guide.label(target) else {
            return self.reject(Code::NoLabel, "there is no label at the target of the jump");
        };
        self.match_label(&label).map_err(|mut r| {
            r.target = Some(self.function.addr.wrapping_add(target));
            r
        })
    }

    /// Matches the present state with a label's: one pass over registers and frame binds the
    /// label's variables and locations; then its intervals and facts are proved.
    fn match_label(&mut self, label: &State) -> Checked {
        let rigid = self.rigid_vars;
        let vars = label.facts.var_count();
        self.spend(32 + vars as u64 + label.frame.len() as u64)?;
        if label.depth != self.state.depth {
            return self.reject(Code::LabelStack, "the stack has another depth at the label");
        }
        if self.state.debt() > label.debt() {
            return self.reject(Code::ProbeDebt, "stack was allocated but not touched before the label");
        }
        // Words that become untested are matched like arguments. What the label itself owns counts as lent: it
        // cannot become part of something else.
        self.lent.clear();
        self.kept.clear();
        self.packing = 0;
        self.retagged.clear();
        // The memory of the last one.
        let mut s = core::mem::take(&mut self.subst);
        s.begin((rigid, vars), (self.rigid_locs, label.locs.len()));
        for l in 0..self.rigid_locs.min(label.locs.len()) {
            if label.locs.get(l).is_some_and(|want| want.live && want.exclusive()) {
                self.lent.push(Lent::Object(l as LocId, Mode::Own));
            }
        }
        self.match_stretches(&mut s, label, LABEL)?;
        self.bind_numbers(&mut s, label)?;
        for l in 0..self.rigid_locs.min(label.locs.len()) {
            let Some(want) = label.locs.get(l) else { continue };
            // What may become usable again behind the label is nothing else than it was.
            let mode = self.entry.locs.get(l).map(|at_entry| at_entry.mode);
            if want.was.or(Some(want.mode)) != mode || !want.live && want.was.is_some() {
                return self.reject(Code::Stream, "a label says that an argument is of another mode");
            }
            if !want.live {
                continue;
            }
            if !want.exclusive() {
                self.match_fixed(&mut s, label, l as LocId, LABEL)?;
            } else if self.state.locs.get(l).is_some_and(|have| have.was.is_some()) {
                return self.reject(LABEL.shape, LENT);
            } else {
                self.whole(l as LocId, LABEL)?;
                self.match_contents(&mut s, label, l as LocId, l as LocId)?;
            }
        }
        for (r, pattern) in label.regs.iter().enumerate() {
            let Some(actual) = self.state.regs.get(r) else { continue };
            if !matches!(pattern, Word::Any) && !s.evident_word(pattern, actual) {
                let actual = actual.clone();
                self.match_label_word(&mut s, label, pattern, &actual).map_err(|e| e.reg(r as u8))?;
            }
        }
        self.match_frame(&mut s, label)?;
        self.cursors_found(&s, label)?;
        self.match_addresses(&mut s, label)?;
        self.match_tags(&mut s, label)?;
        // What is known of the entry state's variables there holds everywhere; only what the label
        // says beyond it is proved. (Locations that no word mentions cannot be reached.)
        let entry = self.entry.clone();
        for v in 0..rigid as u32 {
            let range = label.facts.interval(v);
            if range != entry.facts.interval(v) {
                self.require_in(&Term::var(v), range, LABEL.fact, "an argument's interval is not proved")?;
            }
        }
        let ranges = label.facts.intervals().get(rigid..).unwrap_or(&[]);
        let own = label.facts.list().get(entry.facts.list().len()..).unwrap_or(&[]);
        self.discharge(&mut s, ranges, own, LABEL)?;
        self.subst = s;
        Ok(())
    }

    /// Where the label holds words in elements of arrays, their places are numbers in registers or in the frame. So
    /// variables that are such numbers are bound first; each is matched again in its turn.
    fn bind_numbers(&mut self, s: &mut Subst, label: &State) -> Checked {
        let placed = |l: &crate::state::Loc| l.cells.iter().any(|c| c.off.scope() > self.rigid_vars as u32);
        if !label.locs.iter().any(placed) {
            return Ok(());
        }
        let mut pairs = Vec::new();
        for (pattern, actual) in label.regs.iter().zip(&self.state.regs) {
            if let (Word::Int(p), Word::Int(a)) = (pattern, actual) {
                pairs.push((p, a.clone()));
            }
        }
        for (pattern, actual) in label.frame.iter().zip(&self.state.frame) {
            if let (Some(Word::Int(p)), Some(Word::Int(a))) = (&pattern.word, &actual.word)
                && pattern.off == actual.off
            {
                pairs.push((p, a.clone()));
            }
        }
        for (pattern, actual) in pairs {
            self.spend(2)?;
            // One open variable, once: the difference is what it stands for.
            let open = |v: Var| {
                v.checked_sub(s.rigid).is_some_and(|i| matches!(s.terms.get(i as usize), Some(None)))
            };
            let mut unknown = pattern.summands().into_iter().filter(|x| open(x.0));
            if unknown.next().is_some_and(|x| x.1.abs() == 1) && unknown.next().is_none() {
                self.unify(s, pattern, &actual, true, LABEL)?;
            }
        }
        Ok(())
    }

    /// A word of a label's state that [`Subst::evident_word`] leaves open.
    fn match_label_word(&mut self, s: &mut Subst, label: &State, pattern: &Word, actual: &Word) -> Checked {
        self.spend(1)?;
        let bad = |e: &Self, why| e.reject(LABEL.shape, why);
        match (pattern, actual) {
            (Word::Any, _) => Ok(()),
            (Word::Int(p), Word::Int(a)) => self.unify(s, p, a, true, LABEL),
            // A pointer may be forgotten to an integer; its value gets a name of its own.
            (Word::Int(p), _) => {
                let t = match actual {
                    Word::Opt(v, ..) => Term::var(*v),
                    _ => self.fresh(self.word_range()),
                };
                self.unify(s, p, &t, true, LABEL)
            }
            (Word::Ptr(pl, p), Word::Ptr(al, a)) => {
                self.match_loc(s, label, *pl, *al)?;
                self.unify(s, p, a, false, LABEL)
            }
            (Word::Sp(p), Word::Sp(a)) => self.unify(s, p, a, false, LABEL),
            (Word::Opt(v, ty, env), _) => {
                let ty = (*ty, env);
                match actual {
                    Word::Opt(a, node, found) => {
                        self.unify(s, &Term::var(*v), &Term::var(*a), false, LABEL)?;
                        if self.program.types.linear(*node) {
                            return self.keep_untested(s, (*v, *a), ty, (*node, found));
                        }
                    }
                    Word::Int(t) if matches!(self.program.types.word(ty.0), WordTy::Res(_)) => {
                        let t = t.clone();
                        let last = self.word_range().hi;
                        let errors = Interval::new(last - 4094, last);
                        self.require_in(
                            &t,
                            errors,
                            LABEL.shape,
                            "the word is not known to be an error number",
                        )?;
                        return self.unify(s, &Term::var(*v), &t, false, LABEL);
                    }
                    Word::Int(t) if t.as_const() == Some(0) => {
                        self.unify(s, &Term::var(*v), &Term::zero(), false, LABEL)?;
                    }
                    Word::Ptr(l, _) if !self.keeps_mode(ty.0, *l)? => {
                        return bad(self, "the object is of another mode on this edge");
                    }
                    Word::Ptr(..) | Word::Fn(_) => {
                        let address = self.fresh(self.pointer_range());
                        self.unify(s, &Term::var(*v), &address, false, LABEL)?;
                    }
                    _ => return bad(self, "the word is not known to be 0 or a pointer"),
                }
                self.match_word(s, ty, actual, LABEL)
            }
            (Word::Fn(p), Word::Fn(a)) if self.same_sig(*p, *a)? => Ok(()),
            (Word::Entry(_), _) => bad(self, "the register does not hold the caller's value any more"),
            (Word::Ptr(..), Word::Opt(..)) => bad(self, "the pointer may be 0 on this edge"),
            (Word::Ptr(..), _) => bad(self, "the word is not a pointer on this edge"),
            _ => bad(self, "the word has another type on this edge"),
        }
    }

    /// An untested word that owns memory stays one: the label's copies of it are copies of one word here.
    fn keep_untested(
        &mut self,
        s: &mut Subst,
        pair: (Var, Var),
        want: (WordId, &Env),
        have: (WordId, &Env),
    ) -> Checked {
        self.spend(1 + self.kept.len() as u64)?;
        if !self.kept.contains(&pair) {
            if self.kept.iter().any(|k| k.1 == pair.1) {
                return self.reject(LABEL.shape, "one object would be owned twice at the label");
            }
            self.kept.push(pair);
        }
        // Each copy: a label could call two of them two things.
        self.same_word(s, want, have, 0, LABEL)
    }

    /// Whether an `opt` type is one of pointers of the location's mode. A weaker one would be a second
    /// view of the memory beside the pointer itself: see [`Engine::match_loc`].
    fn keeps_mode(&self, opt: WordId, l: LocId) -> Checked<bool> {
        let Loc { mode, stretch, .. } = self.loc(l)?;
        if let WordTy::Opt(inner) = self.program.types.word(opt)
            && matches!(self.program.types.word(*inner), WordTy::During(..))
        {
            return Ok(mode == Mode::Imm || stretch.is_some());
        }
        // What is frozen for a stretch only is not what is frozen for the call.
        Ok(stretch.is_none()
            && mode != Mode::Uniq
            && self.program.types.pointer(opt).is_some_and(|(m, _)| m == mode))
    }

    /// A location of a label: the parameters' stand for themselves, others for whatever the first
    /// pointer says, if it may be used in the same way and holds the same.
    fn match_loc(&mut self, s: &mut Subst, label: &State, pattern: LocId, actual: LocId) -> Checked {
        if pattern >= STATIC || (pattern as usize) < self.rigid_locs {
            if pattern == actual {
                return Ok(());
            }
            return self.reject(LABEL.shape, "the pointer points to another object on this edge");
        }
        let i = pattern as usize - self.rigid_locs;
        match s.locs.get(i) {
            Some(Some(l)) if *l == actual => return Ok(()),
            Some(Some(_)) => {
                return self.reject(LABEL.shape, "two pointers do not point to one object on this edge");
            }
            Some(None) => {}
            None => return self.reject(Code::Stream, "a label mentions a location that it does not have"),
        }
        let Some(want) = label.locs.get(pattern as usize).cloned() else {
            return self.reject(Code::Stream, "a label mentions a location that it does not have");
        };
        let have = self.loc(actual)?;
        // No weakening of modes here: a frozen view of memory that somebody writes would lie.
        if have.mode != want.mode {
            return self.reject(LABEL.shape, "the object is of another mode on this edge");
        }
        self.match_stretch(s, label, &want, &have, LABEL)?;
        if want.was.is_some() {
            // It will be owned again, once.
            self.spend(s.locs.len() as u64)?;
            let lent = |(j, l): (usize, &Option<LocId>)| {
                *l == Some(actual)
                    && label.locs.get(self.rigid_locs + j).is_some_and(|other| other.was.is_some())
            };
            let theirs = label.locs.get(actual as usize).is_some_and(|l| l.live);
            if want.was == Some(Mode::Uniq)
                || want.was == Some(Mode::Own) && s.locs.iter().enumerate().any(lent)
                || (actual as usize) < self.rigid_locs && theirs
                || !want.cells.is_empty()
            {
                return self.reject(LABEL.shape, "one lent object would come back twice at the label");
            }
        }
        // Exclusive memory is that of parameters and has one name: with a second one a call could
        // borrow it twice.
        if let (Some(hole), Some(theirs)) = (have.hole, want.hole) {
            // A cursor in an argument or static: there is one, and the label has it.
            self.spend(s.locs.len() as u64)?;
            let fixed = hole.root == theirs.root && (hole.root as usize) < self.rigid_locs;
            if !fixed || s.locs.contains(&Some(actual)) {
                return self.reject(LABEL.shape, "the cursor belongs to another object on this edge");
            }
            let none = Some(alloc::rc::Rc::from([]));
            self.same_layout(s, (theirs.cell, &none), (hole.cell, &none), 0, LABEL)?;
            // The object around the hole cannot be used, but at the end it is what it was.
            let root = hole.root as usize;
            let (Some(wanted), Some(is)) = (label.locs.get(root), self.state.locs.get(root)) else {
                return self.reject(LABEL.shape, "the cursor belongs to no object");
            };
            if wanted.live {
                return self
                    .reject(LABEL.shape, "the object that a cursor is in cannot be used at the label");
            }
            let is = is.lay.clone();
            self.match_lay(s, &wanted.lay, &is, LABEL)?;
            s.locs[i] = Some(actual);
            self.lent.push(Lent::Object(actual, Mode::Uniq));
            return self.match_contents(s, label, pattern, actual);
        }
        if have.mode == Mode::Uniq || have.hole.is_some() || want.hole.is_some() {
            return self.reject(LABEL.shape, "an exclusive borrow gets a second name on this edge");
        }
        if have.mode == Mode::Own {
            // One object must not become two.
            self.spend(s.locs.len() as u64)?;
            let theirs = label.locs.get(actual as usize).is_some_and(|l| l.live);
            if s.locs.contains(&Some(actual)) || (actual as usize) < self.rigid_locs && theirs {
                return self.reject(LABEL.shape, "one object would be owned twice at the label");
            }
            s.locs[i] = Some(actual);
            // The label owns it: from here on nothing else that is packed may contain it.
            self.lent.push(Lent::Object(actual, Mode::Own));
            self.match_contents(s, label, pattern, actual)?;
        } else {
            self.match_lay(s, &want.lay, &have.lay, LABEL)?;
            s.locs[i] = Some(actual);
        }
        Ok(())
    }

    /// What exclusive memory holds: the words that the label knows of must be there, all else is packed to the
    /// label's layout.
    fn match_contents(&mut self, s: &mut Subst, label: &State, pattern: LocId, actual: LocId) -> Checked {
        let Some(want) = label.locs.get(pattern as usize) else { return Ok(()) };
        if !want.cells.is_empty() {
            self.not_foreign(want.lay.id, LABEL.shape)?;
        }
        let mut matched = Vec::with_capacity(want.cells.len());
        for cell in &want.cells {
            let Some(off) = s.apply(&cell.off) else {
                return self.reject(LABEL.shape, "the place of a word in owned memory is not known");
            };
            let held =
                if self.full(cell.width) { Err(true) } else { self.held_at(actual, &off, cell.width)? };
            let word = match held {
                // As it is held: with its sign, if it has one.
                Ok(word) => word,
                Err(_) => self.load_object(actual, &off, cell.width)?,
            };
            if self.packing >= limits::NESTING {
                return self.reject(Code::Limit, "owned memory is nested too deeply");
            }
            self.packing += 1;
            self.match_label_word(s, label, &cell.word, &word)?;
            self.packing -= 1;
            matched.push((off, cell.width));
        }
        self.pack(s, (want.lay.id, &want.lay.env), actual, &matched, LABEL)
    }

    /// The frame: word cells and numbers must be there; raw pieces may have been anything.
    fn match_frame(&mut self, s: &mut Subst, label: &State) -> Checked {
        for (i, slot) in label.frame.iter().enumerate() {
            let Some(pattern) = &slot.word else { continue };
            let same = |f: &&Slot| f.off == slot.off && f.size == slot.size;
            // Most frames are cut into the same pieces.
            let found = self.state.frame.get(i).filter(same).or_else(|| {
                let i = self.state.slot_at(slot.off)?;
                self.state.frame.get(i).filter(same)
            });
            let actual = found.and_then(|f| f.word.as_ref()).unwrap_or(&Word::Any);
            if !s.evident_word(pattern, actual) {
                let actual = actual.clone();
                self.match_label_word(s, label, pattern, &actual)?;
            }
        }
        if label.incoming.len() > self.state.incoming.len() {
            return self.reject(LABEL.shape, "the label has more stack arguments than the function");
        }
        for (i, pattern) in label.incoming.iter().enumerate() {
            let Some(actual) = self.state.incoming.get(i) else { continue };
            if !s.evident_word(pattern, actual) {
                let actual = actual.clone();
                self.match_label_word(s, label, pattern, &actual)?;
            }
        }
        Ok(())
    }

    /// The state behind a label is the label's.
    pub fn enter(&mut self, label: &State) {
        self.state.copy_from(label);
        self.untested = self.has_untested();
    }
}
