//! Writes annotation streams: the inverse of [`talcore::annot`].

use crate::wire;
use std::collections::HashMap;
use std::rc::Rc;
use talcore::annot::FALLS;
use talcore::facts::{Cert, Facts};
use talcore::guide::{Ghost, Step};
use talcore::program::{Function, Program};
use talcore::shapes::BORROWS;
use talcore::state::{Env, Loc, STATIC, State, Word};
use talcore::term::Term;
use talcore::types::{Layout, LayoutId, Mode, WordId};

/// The answers of one function, in the order in which they are asked.
#[derive(Default)]
pub struct Answers {
    required: Vec<u8>,
    optional: Vec<u8>,
    skipped: u128,
}

impl Answers {
    /// A proof that a rule cannot do without.
    pub fn proof(&mut self, facts: &Facts, cert: &Cert) {
        proof(&mut self.required, facts, cert);
    }

    /// An answer to an optional question.
    pub fn maybe(&mut self, facts: &Facts, cert: Option<&Cert>) {
        match cert {
            None => self.skipped += 1,
            Some(cert) => {
                wire::uleb(&mut self.optional, self.skipped);
                self.skipped = 0;
                proof(&mut self.optional, facts, cert);
            }
        }
    }

    /// A witness.
    pub fn witness(&mut self, t: &Term) {
        wire::term(&mut self.required, t);
    }

    /// Whether a constant is an address, and what was added to it.
    pub fn addend(&mut self, addend: Option<i64>) {
        match addend {
            None => self.required.push(0),
            Some(0) => self.required.push(1),
            Some(n) => {
                self.required.push(2);
                wire::sleb(&mut self.required, n.into());
            }
        }
    }
}

/// Facts are counted back from the last one.
fn proof(out: &mut Vec<u8>, facts: &Facts, cert: &Cert) {
    let last = facts.list().len().saturating_sub(1) as u128;
    let back = |i: u32| last - u128::from(i);
    match (cert.goal_factor, &*cert.uses) {
        (1, [(a, 1)]) => wire::uleb(out, back(*a) << 2),
        (1, [(a, 1), (b, 1)]) => {
            wire::uleb(out, back(*a) << 2 | 1);
            wire::uleb(out, back(*b));
        }
        (k, [(a, m)]) => {
            wire::uleb(out, back(*a) << 2 | 3);
            wire::uleb(out, u128::from(*m));
            wire::uleb(out, u128::from(k));
        }
        (k, uses) => {
            wire::uleb(out, (uses.len() as u128) << 2 | 2);
            wire::uleb(out, u128::from(k));
            for (f, m) in uses {
                wire::uleb(out, back(*f));
                wire::uleb(out, u128::from(*m));
            }
        }
    }
}

/// Writes the stream of a function, whose labels are in order of their offsets. `None` if a state needs a type or an
/// object that the function's note does not have.
pub fn write(
    program: &Program<'_>,
    function: &Function,
    entry: &State,
    labels: &[(u64, Rc<State>)],
    ghosts: &[Step],
    answers: &Answers,
) -> Option<Vec<u8>> {
    let scope = program.scopes.get(function.scope as usize)?;
    let statics = scope.statics.iter().enumerate().filter_map(|(i, o)| Some(((*o)?, i as u32))).collect();
    let mut w = Writer { out: Vec::new(), program, function, entry, statics };
    wire::count(&mut w.out, labels.len());
    let mut at = 0;
    let mut before = entry;
    for (offset, state) in labels {
        wire::uleb(&mut w.out, u128::from(offset - at));
        at = *offset;
        w.state(state, before)?;
        before = state;
    }
    w.ghosts(ghosts);
    wire::count(&mut w.out, answers.required.len());
    w.out.extend(&answers.required);
    w.out.extend(&answers.optional);
    Some(w.out)
}

struct Writer<'p> {
    out: Vec<u8>,
    program: &'p Program<'p>,
    function: &'p Function,
    entry: &'p State,
    /// The note's number of each object.
    statics: HashMap<u32, u32>,
}

impl Writer<'_> {
    /// Writes a state as its differences to another one.
    fn state(&mut self, s: &State, before: &State) -> Option<()> {
        let flags = self.out.len();
        self.out.push(0);
        let differs = |w: &mut Self, differs: bool, bit: u8| {
            w.out[flags] |= if differs { bit } else { 0 };
            differs
        };
        let entry = self.entry;
        let (old, new) = (before.facts.intervals(), s.facts.intervals());
        if differs(self, old != new, 1) {
            wire::count(&mut self.out, new.len() - entry.facts.var_count());
            for range in new.iter().skip(old.len()) {
                wire::interval(&mut self.out, range);
            }
            let changed: Vec<_> =
                new.iter().enumerate().take(old.len()).filter(|(v, range)| old[*v] != **range).collect();
            wire::count(&mut self.out, changed.len());
            for (v, range) in changed {
                wire::count(&mut self.out, v);
                wire::interval(&mut self.out, range);
            }
        }
        if differs(self, s.stretches != before.stretches, 128) {
            wire::count(&mut self.out, s.stretches.len());
            for (place, v) in &s.stretches {
                wire::uleb(&mut self.out, (*place).into());
                wire::uleb(&mut self.out, (*v).into());
            }
        }
        let same = |a: &Loc, b: &Loc| {
            (a.mode, &a.lay, a.hole, a.stretch, a.was) == (b.mode, &b.lay, b.hole, b.stretch, b.was)
        };
        let kept = before.locs.iter().zip(&s.locs).take_while(|(a, b)| same(a, b)).count();
        let kept = kept.max(entry.locs.len());
        let locs_kept = kept;
        if differs(self, kept < before.locs.len() || kept < s.locs.len(), 2) {
            wire::count(&mut self.out, kept - entry.locs.len());
            wire::count(&mut self.out, s.locs.len() - kept);
            for l in &s.locs[kept..] {
                if let Some(hole) = l.hole {
                    self.out.push(Mode::ALL.len() as u8);
                    wire::uleb(&mut self.out, hole.root.into());
                    let id = self.layout(hole.cell)?;
                    wire::uleb(&mut self.out, id.into());
                    continue;
                }
                match (l.stretch, l.was) {
                    (None, _) => self.out.push(l.mode as u8),
                    (Some(v), was) => {
                        let kind = match was {
                            None => 1,
                            Some(Mode::Own) => 2,
                            Some(Mode::Frozen) => 3,
                            _ => return None,
                        };
                        self.out.push(Mode::ALL.len() as u8 + kind);
                        wire::uleb(&mut self.out, v.into());
                    }
                }
                let id = self.layout(l.lay.id)?;
                wire::uleb(&mut self.out, id.into());
                self.env(&l.lay.env)?;
            }
        }
        self.contents(s, before.locs.get(..kept).unwrap_or(&before.locs), flags)?;
        let registers = || (0..16).filter(|r| *r != 4 && s.regs[*r] != before.regs[*r]);
        let set = registers().fold(0u16, |set, r| set | 1 << r);
        if differs(self, set != 0, 4) {
            wire::uleb(&mut self.out, set.into());
            for r in registers() {
                self.word(&s.regs[r])?;
            }
        }
        let kept = before.frame.iter().zip(&s.frame).take_while(|(a, b)| a == b).count();
        if differs(self, kept < before.frame.len() || kept < s.frame.len(), 8) {
            wire::count(&mut self.out, kept);
            wire::count(&mut self.out, s.frame.len() - kept);
            let word = i64::from(self.program.arch.word_bytes());
            for slot in &s.frame[kept..] {
                match &slot.word {
                    None => {
                        self.out.push(0);
                        wire::uleb(&mut self.out, slot.size as u128);
                    }
                    Some(Word::Int(t)) if slot.size < word => {
                        self.out.push(12 + slot.size.checked_ilog2()? as u8);
                        wire::term(&mut self.out, t);
                    }
                    Some(w) => self.word(w)?,
                }
            }
        }
        let (old, new) = (before.facts.list(), s.facts.list());
        let kept = old.iter().zip(new).take_while(|(a, b)| a == b).count();
        if differs(self, kept < old.len() || kept < new.len(), 16) {
            wire::count(&mut self.out, kept.checked_sub(entry.facts.list().len())?);
            wire::terms(&mut self.out, &new[kept..]);
        }
        let tags = |s: &State| {
            let own = (0..).zip(&s.locs).flat_map(|(l, loc)| loc.tags.iter().map(move |t| (l, t.clone())));
            own.chain(s.static_tags.iter().cloned()).collect::<Vec<_>>()
        };
        let known = tags(s);
        // A reader has those of the locations that are kept.
        let lost = !known.is_empty() && locs_kept < before.locs.len();
        let known = if lost || known != tags(before) { Some(known) } else { None };
        let addresses: Vec<_> =
            s.locs.iter().enumerate().filter_map(|(l, loc)| Some((l, loc.addr?))).collect();
        let given = s.incoming != before.incoming;
        if differs(self, s.debt() != 0 || known.is_some() || !addresses.is_empty() || given, 32) {
            let follow =
                u128::from(known.is_some()) + 2 * u128::from(!addresses.is_empty()) + 4 * u128::from(given);
            wire::uleb(&mut self.out, 8 * s.debt() as u128 + follow);
        }
        if let Some(known) = known {
            wire::count(&mut self.out, known.len());
            for (l, t) in known {
                let place = match l.checked_sub(STATIC) {
                    None => 2 * u128::from(l),
                    Some(o) => 2 * u128::from(*self.statics.get(&o)?) + 1,
                };
                wire::uleb(&mut self.out, place);
                wire::term(&mut self.out, &t.off);
                wire::term(&mut self.out, &t.value);
            }
        }
        if !addresses.is_empty() {
            wire::count(&mut self.out, addresses.len());
            for (l, v) in addresses {
                wire::count(&mut self.out, l);
                wire::uleb(&mut self.out, v.into());
            }
        }
        if given {
            for w in &s.incoming {
                self.word(w)?;
            }
        }
        Some(())
    }

    /// What exclusive memory holds, where a reader would not know it.
    fn contents(&mut self, s: &State, before: &[Loc], flags: usize) -> Option<()> {
        let changed = |(i, l): &(usize, &Loc)| {
            let mut fresh = Loc { addr: None, cells: Vec::new(), live: true, ..(*l).clone() };
            if let Some(hole) = l.hole {
                fresh.lay.id = hole.cell;
            }
            let old = before.get(*i).unwrap_or(&fresh);
            let ours = |l: &Loc| l.exclusive() || l.was.is_some();
            (ours(l) || ours(old))
                && (l.live, &l.lay, &l.cells, l.stretch, l.was)
                    != (old.live, &old.lay, &old.cells, old.stretch, old.was)
        };
        let changed: Vec<_> = s.locs.iter().enumerate().filter(changed).collect();
        if changed.is_empty() {
            return Some(());
        }
        self.out[flags] |= 64;
        wire::count(&mut self.out, changed.len());
        for (i, l) in changed {
            wire::count(&mut self.out, i);
            let mode = l.was.unwrap_or(l.mode);
            match l.stretch.filter(|_| l.live) {
                Some(v) => {
                    self.out.push(2);
                    wire::uleb(&mut self.out, v.into());
                }
                None => self.out.push(u8::from(l.live)),
            }
            if l.live && mode != Mode::Frozen {
                let id = self.layout(l.lay.id)?;
                wire::uleb(&mut self.out, id.into());
                self.env(&l.lay.env)?;
            }
            if l.live && l.exclusive() {
                wire::count(&mut self.out, l.cells.len());
                for cell in &l.cells {
                    wire::term(&mut self.out, &cell.off);
                    match &cell.word {
                        Word::Int(t) if cell.width != self.program.arch.word_width() => {
                            self.out.push(12 + cell.width as u8);
                            wire::term(&mut self.out, t);
                        }
                        word => self.word(word)?,
                    }
                }
            }
        }
        Some(())
    }

    /// The ghosts are in order of their offsets.
    fn ghosts(&mut self, ghosts: &[Step]) {
        wire::count(&mut self.out, ghosts.len());
        let mut before = 0;
        for Step { at, falls, ghost } in ghosts {
            wire::uleb(&mut self.out, u128::from(at - before));
            before = *at;
            let kind = self.out.len();
            match ghost {
                Ghost::Split(r) => self.out.extend([0, r.0]),
                Ghost::Join(a, b) => self.out.extend([1, a.0, b.0]),
                Ghost::Choose(v, ty) => {
                    self.out.push(2);
                    wire::uleb(&mut self.out, (*v).into());
                    let id = ty.0.saturating_sub(self.function.types.words.0);
                    wire::uleb(&mut self.out, id.into());
                }
                Ghost::Cursor(r) => self.out.extend([3, r.0]),
                Ghost::Advance(r) => self.out.extend([4, r.0]),
                Ghost::End(r) => self.out.extend([5, r.0]),
                Ghost::Lend(r, place) => {
                    self.out.extend([6, r.0]);
                    wire::uleb(&mut self.out, (*place).into());
                }
                Ghost::Restore(place) => {
                    self.out.push(7);
                    wire::uleb(&mut self.out, (*place).into());
                }
            }
            if let Some(kind) = self.out.get_mut(kind).filter(|_| *falls) {
                *kind |= FALLS;
            }
        }
    }

    /// A term that may be the code of a type.
    fn code(&mut self, t: &Term) -> Option<()> {
        let t = self.program.local_code(t, self.function.types.words)?;
        wire::term(&mut self.out, &t);
        Some(())
    }

    fn env(&mut self, env: &Env) -> Option<()> {
        match env {
            Some(terms) => {
                wire::count(&mut self.out, terms.len());
                for t in terms.iter() {
                    self.code(t)?;
                }
            }
            // The identity, written out.
            None => {
                let vars = self.entry.facts.var_count() as u32;
                let terms: Vec<Term> = (0..vars).map(Term::var).collect();
                wire::terms(&mut self.out, &terms);
            }
        }
        Some(())
    }

    fn layout(&self, id: LayoutId) -> Option<u32> {
        let (lo, hi) = self.function.types.layouts;
        let common = self.program.shapes.common();
        if let Some(n) = common.iter().position(|known| *known == id) {
            return Some(n as u32);
        }
        let first = common.len() as u32;
        if (lo..hi).contains(&id.0) {
            return Some(first + id.0 - lo);
        }
        // The same struct in this note.
        let types = &self.program.types;
        if let Some(Layout::Struct(s, args)) = types.layouts.get(id.index()) {
            let same = |l: &u32| matches!(types.layout(LayoutId(*l)), Layout::Struct(t, other) if (t, other) == (s, args));
            return Some(first + (lo..hi).find(same)? - lo);
        }
        if let Some(l) = (lo..hi).find(|l| self.program.shapes.longer(LayoutId(*l)) == Some(id)) {
            return Some(first + 2 * (hi - lo) + (l - lo));
        }
        if let Some(l) = (lo..hi).find(|l| self.program.shapes.array(LayoutId(*l)) == Some(id)) {
            return Some(first + 3 * (hi - lo) + (l - lo));
        }
        if let Some(l) = (lo..hi).find(|l| self.program.shapes.tail(LayoutId(*l)) == Some(id)) {
            return Some(first + 4 * (hi - lo) + (l - lo));
        }
        let hidden = (lo..hi).find(|l| self.program.shapes.opened(LayoutId(*l)) == Some(id))?;
        Some(first + (hi - lo) + (hidden - lo))
    }

    /// Whether the word type is that of a variable, and then whether its words may own memory.
    fn variable(&self, id: WordId) -> Option<bool> {
        [false, true].into_iter().find(|linear| self.program.shapes.variable(*linear) == id)
    }

    fn opt_word(&self, id: WordId) -> Option<u32> {
        let (lo, hi) = self.function.types.words;
        if id == self.program.shapes.maybe_string() {
            return Some(0);
        }
        if (lo..hi).contains(&id.0) {
            return Some(1 + id.0 - lo);
        }
        let borrows = (lo..hi).flat_map(|owner| BORROWS.map(|mode| (owner, mode)));
        let seen = |(owner, mode)| self.program.shapes.borrowed(WordId(owner), mode) == Some(id);
        if let Some(n) = borrows.into_iter().position(seen) {
            return Some(1 + hi - lo + n as u32);
        }
        let seen = |owner: &u32| self.program.shapes.during(WordId(*owner)).is_some_and(|view| view.0 == id);
        let owner = (lo..hi).find(seen)?;
        Some(1 + (1 + BORROWS.len() as u32) * (hi - lo) + owner - lo)
    }

    fn word(&mut self, w: &Word) -> Option<()> {
        let linear = if let Word::Opt(_, ty, _) = w { self.variable(*ty) } else { None };
        let out = &mut self.out;
        match w {
            Word::Any => out.push(1),
            Word::Int(t) => {
                let start = out.len();
                wire::term(out, t);
                if out[start] < 64 {
                    out.insert(start, 2);
                }
            }
            Word::Ptr(l, e) => match l.checked_sub(STATIC) {
                None if *l < 32 && e.as_const() == Some(0) => out.push(32 + *l as u8),
                None => {
                    out.push(3);
                    wire::uleb(out, (*l).into());
                    wire::term(out, e);
                }
                Some(o) => {
                    out.push(4);
                    wire::uleb(out, (*self.statics.get(&o)?).into());
                    wire::term(out, e);
                }
            },
            Word::Sp(e) => {
                out.push(5);
                wire::term(out, e);
            }
            Word::Opt(v, ty, Some(env)) if linear.is_some() && env.len() == 1 => {
                out.push(if linear? { 10 } else { 9 });
                wire::uleb(&mut self.out, u128::from(*v));
                self.code(&env[0])?;
            }
            Word::Opt(v, ty, env) => {
                out.push(6);
                wire::uleb(out, u128::from(*v));
                let ty = self.opt_word(*ty)?;
                wire::uleb(&mut self.out, ty.into());
                self.env(env)?;
            }
            Word::Fn(sig) => {
                let id = sig.0.checked_sub(self.function.types.sigs.0)?;
                out.push(7);
                wire::uleb(out, id.into());
            }
            Word::Var(v) => {
                out.push(8);
                wire::uleb(out, u128::from(*v));
            }
            Word::Entry(r) => out.push(16 + r),
            // No label speaks of it.
            Word::Restorer => return None,
        }
        Some(())
    }
}
