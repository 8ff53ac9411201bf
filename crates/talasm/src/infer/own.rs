//! Joining memory that belongs to the function alone.
//!
//! What a label says of such memory is a layout, and words that are held instead of what the layout says. The rules
//! pack whatever an edge holds to the label's layout, so a label needs to hold only what cannot be packed.

use super::cells::Cell;
use super::join::{BUDGET, Join};
use super::label::Label;
use super::terms::{divided, under};
use crate::prove::prove;
use talcore::facts::Interval;
use talcore::state::{Env, Held, Lay, Loc, LocId, STATIC, State, Word};
use talcore::term::Term;
use talcore::types::{Layout, LayoutId, Mode, WordTy};
use talcore::x86::insn::Width;

/// Whether the memory that a word owns is that of a live register or of a word in the frame too. In raw memory such a
/// word is what is left of a copy.
fn elsewhere(label: &Label, s: &State, w: &Word) -> bool {
    let same = |x: &Word| match (w, x) {
        (Word::Opt(v, ..), Word::Opt(u, ..)) => v == u,
        (Word::Ptr(l, _), Word::Ptr(k, _)) => l == k && *l < STATIC,
        _ => false,
    };
    let live = s.regs.iter().enumerate().filter(|(r, _)| label.live >> r & 1 == 1).map(|r| r.1);
    live.chain(s.frame.iter().filter_map(|slot| slot.word.as_ref())).any(same)
}

/// Whether a number is known to be in an interval.
fn lies_in(s: &State, t: &Term, range: Interval) -> bool {
    let proved =
        |t: Option<Term>| t.is_some_and(|t| s.facts.evident(&t) || prove(&s.facts, &t, BUDGET).is_some());
    proved(t.offset(-range.lo)) && proved(t.neg().and_then(|t| t.offset(range.hi)))
}

impl Join<'_, '_> {
    /// Whether a pointer may become a packed word; the memory that it owns is part of that word then, and whatever
    /// else points there is an integer.
    pub(super) fn packs(&mut self, edge: bool, w: &Word) -> bool {
        match w {
            Word::Ptr(l, _) if *l < STATIC => {
                if edge {
                    self.packed.1.insert(*l)
                } else {
                    self.packed.0.insert(*l)
                }
            }
            _ => true,
        }
    }

    /// Whether all words of the label that point to an owned argument point to other objects on the edge.
    pub(super) fn replaced(&self, label: &Label, l: LocId) -> bool {
        let own = label.state.locs.get(l as usize).is_some_and(|loc| loc.mode == Mode::Own);
        if !own || self.f.kept.contains(&l) {
            return false;
        }
        let points = |w: &Word| matches!(w, Word::Ptr(k, _) if *k == l);
        let slots = label.state.frame.iter().filter_map(|slot| {
            let there = self.s.slot_at(slot.off).and_then(|i| self.s.frame.get(i))?;
            Some((slot.word.as_ref()?, there.word.as_ref()?))
        });
        let words = label.state.regs.iter().zip(&self.s.regs).chain(slots);
        let held = label.state.locs.iter().flat_map(|loc| &loc.cells).any(|c| points(&c.word));
        let mut here = words.filter(|(w, _)| points(w)).peekable();
        !held && here.peek().is_some() && here.all(|(_, a)| matches!(a, Word::Ptr(k, _) if *k != l))
    }

    /// A location of the label for one of the edge, where one of them is exclusive.
    pub(super) fn exclusive(&mut self, label: &mut Label, p: LocId, a: LocId) -> Option<LocId> {
        let rigid = self.f.locs();
        if let Some(x) = self.renamed.get(&p) {
            let bound = self.locs.get((*x - rigid) as usize).copied().flatten();
            return (bound == Some(a)).then_some(*x);
        }
        if p < rigid {
            let live = label.state.locs.get(p as usize).is_some_and(|l| l.live);
            if p == a {
                // What it holds has been joined; or there is a cursor in it.
                let later = label.state.has_hole(p) && self.s.has_hole(p);
                return (live || later).then_some(p);
            }
            // What was an argument is another object now: for either a new location.
            let have = match self.lost.remove(&p) {
                Some(have) => have,
                None => self.holding(&label.state, p).filter(|_| live)?,
            };
            if have.mode != Mode::Own || self.locs.contains(&Some(a)) {
                return None;
            }
            let other = self.holding(&self.s, a)?;
            let x = label.state.locs.len() as LocId;
            self.renamed.insert(p, x);
            self.locs.push(Some(a));
            label.state.locs.push(have.clone());
            if let Some(old) = label.state.locs.get_mut(p as usize) {
                old.live = false;
                old.cells.clear();
                old.tags.clear();
            }
            self.changed = true;
            let joined = self.contents(label, &have, &other)?;
            label.state.locs[x as usize] = joined;
            return Some(x);
        }
        let i = (p - rigid) as usize;
        match self.locs.get(i)? {
            Some(l) => (*l == a).then_some(p),
            None => {
                if self.locs.contains(&Some(a)) {
                    return None; // one object, of which the label thought that it is two
                }
                let have = self.holding(&label.state, p)?;
                let other = self.holding(&self.s, a)?;
                self.locs[i] = Some(a);
                let joined = self.contents(label, &have, &other)?;
                label.state.locs[p as usize] = joined;
                Some(p)
            }
        }
    }

    /// What both hold, under the label's variables; `None`: nothing that a label could say.
    pub(super) fn contents(&mut self, label: &mut Label, p: &Loc, a: &Loc) -> Option<Loc> {
        if p.mode != a.mode || p.hole.map(|h| h.root) != a.hole.map(|h| h.root) || !p.live || !a.live {
            return None;
        }
        // Zeros with other words among them are raw memory for a label, unless nothing else comes there.
        let (p, a) = (self.f.without_zeros(p), self.f.without_zeros(a));
        // A string on one edge only is raw memory.
        let text = |l: &Loc| l.lay.id == self.f.program.shapes.text();
        let (p, a) = match (text(&p), text(&a)) {
            (true, false) => (self.f.plain(&p), a),
            (false, true) => (p, self.f.plain(&a)),
            _ => (p, a),
        };
        let (p, a) = (&self.shut(Some(&label.state), &p), &self.shut(None, &a));
        let (p, a) = &self.folded(label, p, a);
        let placed: Vec<(Term, Term)> = p
            .cells
            .iter()
            .filter(|c| c.off.as_const().is_none() && elsewhere(label, &label.state, &c.word))
            .filter_map(|c| {
                let off = self.apply(&c.off)?;
                let other = a.cells.iter().find(|d| d.off == off && d.width == c.width)?;
                elsewhere(label, &self.s, &other.word).then(|| (c.off.clone(), off))
            })
            .collect();
        let here: Vec<Term> = placed.iter().map(|t| t.0.clone()).collect();
        let there: Vec<Term> = placed.into_iter().map(|t| t.1).collect();
        let (p, a) = (&self.settled(Some(&label.state), p, &here), &self.settled(None, a, &there));
        let lay = self.common_layout(label, p, a)?;
        let mut cells = Vec::new();
        for cell in &p.cells {
            let off = match self.apply(&cell.off) {
                Some(off) => off,
                // The end of a string that the label cannot name.
                None if self.f.narrow(cell.width)
                    && self.f.raw_at(&label.state, p, &lay, &cell.off, cell.width) =>
                {
                    self.changed = true;
                    continue;
                }
                None => return None,
            };
            let cell_here = |c: &&Held| c.off == off && c.width == cell.width;
            if let Some(other) = a.cells.iter().find(cell_here) {
                let raw = self.f.raw_at(&label.state, p, &lay, &cell.off, cell.width);
                if raw
                    && (elsewhere(label, &label.state, &cell.word) || elsewhere(label, &self.s, &other.word))
                {
                    self.changed = true;
                    continue;
                }
                if self.varies(label, (cell, p), (other, a)) {
                    self.changed = true;
                    continue;
                }
                let word = self.word(label, cell.word.clone(), &other.word);
                let number = self.f.narrow(cell.width);
                if number && !matches!(word, Word::Int(_)) {
                    // Of the type of its cell, then, or nothing is known of it.
                    let fits = self.f.conforms(&label.state, cell, p, &lay)
                        && self.f.conforms(&self.s, other, a, &lay);
                    (raw || fits).then_some(())?;
                    continue;
                }
                if word != Word::Any || !raw {
                    cells.push(Held { off: cell.off.clone(), width: cell.width, word });
                }
                continue;
            }
            self.changed = true;
            if self.f.raw_at(&label.state, p, &lay, &cell.off, cell.width) {
                continue;
            }
            if self.f.conforms(&label.state, cell, p, &lay) {
                self.fold_word(Some(&label.state), &cell.word);
                continue;
            }
            let other = self.declared(None, a, &off, cell.width)?;
            let word = self.word(label, cell.word.clone(), &other);
            (!self.f.narrow(cell.width) || matches!(word, Word::Int(_))).then_some(())?;
            cells.push(Held { off: cell.off.clone(), width: cell.width, word });
        }
        for cell in &a.cells {
            let Some(off) = cell.off.as_const().map(Term::from) else { continue };
            let known = p.cells.iter().any(|c| c.off == off && c.width == cell.width);
            if known || self.f.raw_at(&self.s, a, &a.lay, &off, cell.width) {
                continue;
            }
            if self.f.conforms(&self.s, &Held { off: off.clone(), ..cell.clone() }, a, &a.lay) {
                self.fold_word(None, &cell.word);
                continue;
            }
            self.changed = true;
            let here = self.declared(Some(&label.state), p, &off, cell.width)?;
            let word = self.word(label, here, &cell.word);
            (!self.f.narrow(cell.width) || matches!(word, Word::Int(_))).then_some(())?;
            cells.push(Held { off, width: cell.width, word });
        }
        Some(Loc { lay, cells, addr: None, ..p.clone() })
    }

    /// Whether numbers that lie at one place are different ones, each of its cell's type: that says enough.
    fn varies(&mut self, label: &Label, (cell, p): (&Held, &Loc), (other, a): (&Held, &Loc)) -> bool {
        let (Word::Int(x), Word::Int(y)) = (&cell.word, &other.word) else { return false };
        let (x, y) = (x.clone(), y.clone());
        let Some(range) = self.f.declared_range(&label.state, p, cell) else { return false };
        self.f.declared_range(&self.s, a, other) == Some(range)
            && lies_in(&label.state, &x, range)
            && lies_in(&self.s, &y, range)
            && !self.unify(&x, &y, true)
    }

    /// Memory of the label's state or (`None`) of the edge's, in which all parts that hide sizes are packed: a label has
    /// no use for some words of them.
    fn shut(&mut self, state: Option<&State>, loc: &Loc) -> Loc {
        let mut out = loc.clone();
        if !self.f.program.shapes.hides(loc.lay.id) {
            return out;
        }
        out.cells.clear();
        for c in &loc.cells {
            if self.f.cell_at(state.unwrap_or(&self.s), loc, &loc.lay, &c.off, c.width) == Some(Cell::Hidden)
            {
                self.changed |= state.is_some();
                self.fold_word(state, &c.word);
            } else {
                out.cells.push(c.clone());
            }
        }
        out
    }

    /// Memory of the label's state or (`None`) of the edge's, in which elements at unknown indices are packed, but for
    /// those at places that both know and whose words are used.
    fn settled(&mut self, state: Option<&State>, loc: &Loc, placed: &[Term]) -> Loc {
        let mut out = loc.clone();
        out.cells.clear();
        for c in &loc.cells {
            let s = state.unwrap_or(&self.s);
            if c.off.as_const().is_some() || placed.contains(&c.off) || !self.f.conforms(s, c, loc, &loc.lay)
            {
                out.cells.push(c.clone());
            } else {
                self.changed |= state.is_some();
                self.fold_word(state, &c.word);
            }
        }
        out
    }

    /// Both, as structs of other arguments where they hold words at different places.
    fn folded(&mut self, label: &Label, p: &Loc, a: &Loc) -> (Loc, Loc) {
        let same = p.cells.len() == a.cells.len()
            && p.cells.iter().all(|c| {
                let same = |d: &Held| c.width == d.width && self.apply(&c.off).as_ref() == Some(&d.off);
                a.cells.iter().any(same)
            });
        if same {
            return (p.clone(), a.clone());
        }
        let new = self.refolded(&label.state, p);
        let other = self.refolded(&self.s, a);
        // If both are what they were, with the same arguments, each cell is looked at alone.
        let stays = |loc: &Loc, new: &Option<Loc>| new.as_ref().is_none_or(|l| l.lay.env == loc.lay.env);
        let args = |loc: &Loc| loc.lay.env.iter().flat_map(|e| e.iter().cloned()).collect::<Vec<Term>>();
        let agree = args(p).iter().map(|t| self.apply(t)).eq(args(a).into_iter().map(Some));
        if agree && stays(p, &new) && stays(a, &other) {
            return (p.clone(), a.clone());
        }
        if new.is_some() {
            self.changed = true;
            p.cells.iter().for_each(|c| self.fold_word(Some(&label.state), &c.word));
        }
        if other.is_some() {
            a.cells.iter().for_each(|c| self.fold_word(None, &c.word));
        }
        (new.unwrap_or_else(|| p.clone()), other.unwrap_or_else(|| a.clone()))
    }

    /// The memory that a word owns becomes part of what it lies in, in the label's state or (`None`) the edge's.
    fn fold_word(&mut self, state: Option<&State>, w: &Word) {
        let mut open = vec![w.clone()];
        while let Some(word) = open.pop() {
            let Word::Ptr(l, _) = word else { continue };
            if l < STATIC && self.packs(state.is_none(), &word) {
                let cells = state.unwrap_or(&self.s).locs.get(l as usize).map(|l| l.cells.clone());
                open.extend(cells.into_iter().flatten().map(|c| c.word));
            }
        }
    }

    /// A struct with the arguments that the held numbers say, if all held words fit then.
    fn refolded(&self, s: &State, loc: &Loc) -> Option<Loc> {
        let program = self.f.program;
        let (Layout::Struct(id, args), Some(env)) = (program.types.layout(loc.lay.id), &loc.lay.env) else {
            return None;
        };
        if loc.cells.is_empty() || !args.iter().zip(0..).all(|(t, v)| t.as_var() == Some(v)) {
            return None;
        }
        let held =
            |off: &Term, w: Width| loc.cells.iter().find(|c| c.off == *off && c.width == w).map(|c| &c.word);
        let whole = program.arch.word_width();
        let fields = program.types.strukt(*id).fields()?;
        let mut new = env.to_vec();
        let mut at = Some(Term::zero());
        for &field in fields {
            let Some(off) = at.take() else { break };
            let number = match program.types.layout(field) {
                Layout::Cell(ty) => match program.types.word(*ty) {
                    WordTy::Int(t) => Some((whole, t)),
                    _ => None,
                },
                Layout::Exact(w, _, t) => Some((*w, t)),
                _ => None,
            };
            if let Some((w, t)) = number
                && let Some(Word::Int(h)) = held(&off, w)
                && let [(v, c)] = *t.summands()
                && let Some(slot) = new.get_mut(v as usize)
                && let Some(is) = h.offset(-t.konst()).and_then(|h| divided(&h, c.into()))
            {
                *slot = is;
            }
            at = program.shapes.size(field).and_then(|t| under(t, &loc.lay.env)).and_then(|n| off.add(&n));
        }
        let lay = Lay { id: loc.lay.id, env: Some(new.into()) };
        let size = |lay: &Lay| under(program.shapes.size(lay.id)?, &lay.env);
        (size(&lay)? == size(&loc.lay)?).then_some(())?;
        let mut at = Some(Term::zero());
        let mut seen = 0;
        for &field in fields {
            let off = at.take()?;
            if let Layout::Cell(ty) = program.types.layout(field) {
                match held(&off, whole) {
                    Some(w) => {
                        seen += 1;
                        self.f.fits(s, w, *ty, &lay.env, 0).then_some(())?;
                    }
                    None => {
                        let stays = match program.types.word(*ty) {
                            WordTy::Int(t) => under(t, &lay.env) == under(t, &loc.lay.env),
                            _ => lay.env == loc.lay.env || program.shapes.closed(*ty),
                        };
                        stays.then_some(())?;
                    }
                }
            } else if let Some(cell) = self.f.number_cell(field, &lay.env) {
                match cell.width().and_then(|w| held(&off, w)) {
                    Some(w) => {
                        seen += 1;
                        self.f.number_fits(s, w, &cell).then_some(())?;
                    }
                    None => (self.f.number_cell(field, &loc.lay.env).as_ref() == Some(&cell)).then_some(())?,
                }
            }
            let size = |env: &Env| under(program.shapes.size(field)?, env);
            (size(&lay.env)? == size(&loc.lay.env)?).then_some(())?;
            at = size(&lay.env).and_then(|n| off.add(&n));
        }
        (seen == loc.cells.len()).then(|| Loc { lay, cells: Vec::new(), parts: Vec::new(), ..loc.clone() })
    }

    /// The layout that both can be packed to.
    fn common_layout(&mut self, label: &mut Label, p: &Loc, a: &Loc) -> Option<Lay> {
        if p.lay.id == a.lay.id {
            let env = self.common_env(label, &p.lay.env, &a.lay.env)?;
            return Some(Lay { id: p.lay.id, env });
        }
        // Raw memory that has been filled becomes what the other edge has; else all of it is forgotten.
        let raw = |lay: &Lay| self.f.program.shapes.raw_size(lay.id).is_some();
        if raw(&a.lay) && self.packable(&self.s, a, &p.lay) || self.f.cleared(a, &p.lay) {
            return Some(p.lay.clone());
        }
        let closed = a.lay.env.as_ref().is_none_or(|e| e.iter().all(|t| t.scope() <= self.f.vars()));
        self.changed = true;
        if closed && (raw(&p.lay) && self.packable(&label.state, p, &a.lay) || self.f.cleared(p, &a.lay)) {
            return Some(a.lay.clone());
        }
        if p.mode != Mode::Own {
            return None;
        }
        let size = |lay: &Lay| under(self.f.program.shapes.size(lay.id)?, &lay.env);
        let (x, y) = (size(&p.lay)?, size(&a.lay)?);
        let n = self.term(label, x, &y, false);
        Some(Lay { id: self.f.program.shapes.bytes(), env: Some([n].into()) })
    }

    /// Whether raw memory holds a word for each cell of a layout.
    fn packable(&self, s: &State, loc: &Loc, lay: &Lay) -> bool {
        let mut open = vec![(lay.clone(), Term::zero())];
        let program = self.f.program;
        while let Some((lay, off)) = open.pop() {
            if program.shapes.raw_size(lay.id).is_some() {
                continue;
            }
            let mut fields = |fields: &[LayoutId], env: &Env| {
                let mut at = Some(off.clone());
                for &field in fields {
                    let Some(start) = at.take() else { return false };
                    let size = program.shapes.size(field).and_then(|t| under(t, env));
                    at = size.and_then(|size| start.add(&size));
                    open.push((Lay { id: field, env: env.clone() }, start));
                }
                true
            };
            let fine = match program.types.layout(lay.id) {
                Layout::Cell(ty) => {
                    let held = loc.cells.iter().find(|c| c.off == off && !self.f.narrow(c.width));
                    held.is_some_and(|c| self.f.fits(s, &c.word, *ty, &lay.env, 0))
                }
                Layout::Num(..) | Layout::Exact(..) => {
                    self.f.number_cell(lay.id, &lay.env).is_some_and(|cell| {
                        let held = loc.cells.iter().find(|c| c.off == off && Some(c.width) == cell.width());
                        held.is_some_and(|c| self.f.number_fits(s, &c.word, &cell))
                    })
                }
                Layout::Struct(id, args) => {
                    let args = args.iter().map(|t| under(t, &lay.env)).collect::<Option<Vec<Term>>>();
                    let variant = self.f.variant(s, loc, *id, &off, true);
                    if let (Some(args), Some(variant)) = (&args, variant) {
                        open.push((Lay { id: variant, env: Some(args.clone().into()) }, off));
                        continue;
                    }
                    let parts = program.types.strukt(*id).fields();
                    args.zip(parts).is_some_and(|(args, parts)| fields(parts, &Some(args.into())))
                }
                Layout::Seq(parts) => fields(parts, &lay.env),
                _ => false,
            };
            if !fine {
                return false;
            }
        }
        true
    }

    /// What a load would give where nothing is held, as far as that needs no new location.
    fn declared(&self, state: Option<&State>, loc: &Loc, off: &Term, width: Width) -> Option<Word> {
        let s = state.unwrap_or(&self.s);
        let (ty, env) = match self.f.find(s, (loc, false), &loc.lay, off, width)? {
            Cell::Word(ty, env) => (ty, env),
            Cell::Exact(_, _, t) => return Some(Word::Int(t)),
            Cell::Num(..) | Cell::Unknown | Cell::Hidden => return None,
        };
        match self.f.program.types.word(ty) {
            WordTy::Int(t) => Some(Word::Int(under(t, &env)?)),
            WordTy::Range(_) => Some(Word::Any),
            _ => None,
        }
    }
}
