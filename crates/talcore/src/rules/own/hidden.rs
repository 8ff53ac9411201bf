//! Existential layouts: `exists x.. {facts}. L`.
//!
//! What is relied on: a part of memory that has such a layout holds, at each moment, an `L` for *some* values of the
//! variables for which the facts are true. Two looks at it see the same values only if nobody can have written in
//! between, and if both are known to be looks at the same part.
//!
//! So where the memory as a whole is existential and nobody else writes it, its layout becomes `L` under fresh names, once.
//! A part of exclusive memory is opened by *holding* all words of it, under names of its own: later loads find the held
//! words, whatever index they come with, or are not sure that they do and know nothing. A part may be opened only where no
//! held word may replace one of its words. In memory that others may write each access has names of its own, so that no two
//! loads are taken to belong together, and what is stored must fit for all values that the facts allow.
//!
//! What is packed has a witness of its own for each part: the words that are held there and all else that lies there are
//! matched together, then intervals and facts are proved.

use super::pack::{Contents, Wanted};
use crate::engine::{Checked, Engine, under};
use crate::guide::Guide;
use crate::limits;
use crate::matching::{Blame, Subst};
use crate::state::{Env, Held, Lay, Loc, LocId, STATIC, Word};
use crate::term::Term;
use crate::types::{Exists, Layout, LayoutId, WordId, WordTy};
use crate::verdict::Code;
use crate::x86::insn::Width;
use alloc::rc::Rc;
use alloc::vec::Vec;

/// What an access to exclusive memory meets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Around {
    /// Nothing is hidden there.
    Plain,
    /// An existential part of which all words are held, or the one that is accessed.
    Open,
    /// One of which it is not known whether held words lie in it, or which has too many words.
    Closed,
}

/// A cell of an existential part whose type may mention what is hidden.
#[derive(Clone, Debug)]
pub(crate) enum Cell {
    /// A word of this type.
    Word(WordId, Env),
    /// A number that is the term: its width, and whether it has a sign.
    Number(Width, bool, Term),
}

impl<'a, G: Guide> Engine<'a, G> {
    /// Fresh names for what an existential hides, with what is known of them: the environment inside of it.
    pub fn name_hidden<B>(&mut self, e: &Exists<B>, env: &Env) -> Checked<Env> {
        self.spend(e.vars.len() as u64 + u64::from(e.first))?;
        let bound = e.vars.iter().map(|range| self.fresh(*range)).collect();
        let env = self.binding(e, env, bound)?;
        for fact in &e.facts {
            // A fact that overflows is not known: less is proved.
            if let Some(fact) = under(fact, &env) {
                self.state.facts.assume(&fact);
            }
        }
        Ok(env)
    }

    /// Matches what an existential hides, by `within` under names for it, and proves intervals and facts of what they stand
    /// for.
    pub fn hiding<B>(
        &mut self,
        s: &mut Subst,
        e: &Exists<B>,
        env: &Env,
        blame: Blame,
        within: impl FnOnce(&mut Self, &mut Subst, &Env) -> Checked,
    ) -> Checked {
        let open = s.terms.len();
        let names = self.open_names(s, e)?;
        let env = self.binding(e, env, names)?;
        within(self, s, &env)?;
        self.prove_hidden(s, e, &env, open, blame)
    }

    /// Proves intervals and facts of what the open variables of a pattern from `open` on stand for, and forgets them.
    pub fn prove_hidden<B>(
        &mut self,
        s: &mut Subst,
        e: &Exists<B>,
        env: &Env,
        open: usize,
        blame: Blame,
    ) -> Checked {
        for (i, range) in e.vars.iter().enumerate() {
            let t = match s.terms.get(open + i) {
                Some(Some(t)) => t.clone(),
                _ => self.ask_witness(s, open + i, blame)?,
            };
            self.require_in(&t, *range, blame.fact, "a hidden size is not proved to be in its interval")?;
        }
        for fact in &e.facts {
            let fact = self.term(under(fact, env))?;
            let goal = self.term(s.apply(&fact))?;
            self.require(&goal, blame.fact, "a fact about a hidden size is not proved")?;
        }
        s.terms.truncate(open);
        Ok(())
    }

    /// Whether two existentials bind the same: the environments inside of both, for any values of what they bind.
    pub fn same_binders<B>(
        &mut self,
        s: &mut Subst,
        (p, pe): (&Exists<B>, &Env),
        (a, ae): (&Exists<B>, &Env),
        blame: Blame,
    ) -> Checked<(Env, Env)> {
        let bound: Vec<Term> = a.vars.iter().map(|range| self.fresh(*range)).collect();
        let outside = self.binding(a, ae, bound.clone())?;
        let open = s.terms.len();
        let names = self.open_names(s, p)?;
        for (slot, t) in s.terms.iter_mut().skip(open).zip(bound) {
            *slot = Some(t);
        }
        let inside = self.binding(p, pe, names)?;
        for (f, g) in p.facts.iter().zip(a.facts.iter()) {
            let (f, g) = (self.term(under(f, &inside))?, self.term(under(g, &outside))?);
            self.unify(s, &f, &g, false, blame)?;
        }
        Ok((inside, outside))
    }

    /// Forgets names from the number `open` on. What is hidden differs from word to word: nothing outside, where there
    /// are `known` variables, can stand for it.
    pub fn forget_names(&mut self, s: &mut Subst, open: usize, known: u32, blame: Blame) -> Checked {
        s.terms.truncate(open);
        self.spend(open as u64)?;
        if s.terms.iter().flatten().any(|t| t.scope() > known) {
            return self.reject(blame.shape, "what is hidden in one type is not hidden in the other");
        }
        Ok(())
    }

    /// A layout that is no existential itself: what it hides gets names.
    pub fn without_hidden(&mut self, mut lay: Lay) -> Checked<Lay> {
        let program = self.program;
        while let Layout::Exists(e) = program.types.layout(lay.id) {
            let env = self.name_hidden(e, &lay.env)?;
            lay = Lay { id: e.body, env };
        }
        Ok(lay)
    }

    /// Gives names to what exclusive memory as a whole hides.
    pub fn unfold(&mut self, l: LocId) -> Checked {
        let program = self.program;
        // Memory that may not be there has nothing to say.
        let here = |loc: &&Loc| l < STATIC && loc.live && loc.guard.is_none() && loc.exclusive();
        let found = self.state.locs.get(l as usize).filter(here);
        let Some(lay) = found.map(|loc| &loc.lay) else { return Ok(()) };
        if matches!(program.types.layout(lay.id), Layout::Exists(_)) {
            let lay = lay.clone();
            let lay = self.without_hidden(lay)?;
            let lay = self.canonical(&lay)?;
            self.becomes(l, lay);
        }
        Ok(())
    }

    /// Opens the existential part of exclusive memory that lies around an offset, if there is one.
    pub(in crate::rules) fn open_around(&mut self, l: LocId, off: &Term, width: Width) -> Checked<Around> {
        self.unfold(l)?;
        let lay = self.loc(l)?.lay;
        let Some((start, e, env)) = self.hidden_at(l, &lay, off)? else { return Ok(Around::Plain) };
        let is_held = |e: &Self, at: &Term, width: Width| {
            let held = |c: &Held| c.off == *at && c.width == width;
            e.state.locs.get(l as usize).is_some_and(|loc| loc.cells.iter().any(held))
        };
        if is_held(self, off, width) {
            return Ok(Around::Open);
        }
        let inside = self.name_hidden(e, &env)?;
        let mut cells = Vec::new();
        if !self.hidden_cells(e.body, &inside, 0, 0, &mut cells)? {
            return Ok(Around::Closed);
        }
        let held = self.state.locs.get(l as usize).map_or(0, |loc| loc.cells.len());
        let mut places = Vec::with_capacity(cells.len());
        for (at, cell) in &cells {
            let width = match cell {
                Cell::Word(..) => self.word_width(),
                Cell::Number(width, ..) => *width,
            };
            places.push((self.term(start.offset(*at))?, width));
        }
        self.spend((places.len() * (1 + held)) as u64)?;
        if places.iter().all(|(at, width)| is_held(self, at, *width)) {
            return Ok(Around::Open);
        }
        if held + cells.len() > limits::HELD {
            return Ok(Around::Closed);
        }
        let mut i = 0;
        while let Some(other) = self.held_word(l, i) {
            let mut apart = true;
            for (at, width) in &places {
                apart = apart && self.apart(at, &Term::from(i128::from(width.bytes())), &other)?;
            }
            if apart {
                i += 1;
            } else if !self.shut(l, &lay, e, &other.off)? {
                return Ok(Around::Closed);
            } else {
                i = 0;
            }
        }
        for ((_, cell), (at, width)) in cells.into_iter().zip(places) {
            let word = match cell {
                Cell::Word(ty, env) => self.load_word(ty, &env)?,
                Cell::Number(width, signed, t) => {
                    self.load_exact(width, signed, &t)?;
                    Word::Int(t)
                }
            };
            self.hold(l, &at, width, word);
        }
        Ok(Around::Open)
    }

    /// Packs another part of the type `e`, all of whose words are held, because it may be the one that is opened: what was
    /// loaded from it stays true, but says nothing of what is loaded from now on. Answers whether that could be done.
    fn shut(&mut self, l: LocId, lay: &Lay, e: &'a Exists<LayoutId>, off: &Term) -> Checked<bool> {
        let Some((start, other, env)) = self.hidden_at(l, lay, off)? else { return Ok(false) };
        let size = self.program.shapes.size(e.body).and_then(Term::as_const);
        let (true, Some(size)) = (core::ptr::eq(other, e), size) else { return Ok(false) };
        let mut inside: Vec<Held> = Vec::new();
        for held in self.state.locs.get(l as usize).map_or(&[][..], |loc| &loc.cells) {
            if held.off.sub(&start).and_then(|at| at.as_const()).is_some_and(|at| (0..size).contains(&at)) {
                inside.push(held.clone());
            }
        }
        self.spend(4 * (1 + inside.len()) as u64)?;
        if inside.is_empty() {
            return Ok(false);
        }
        let mut whole = true;
        // A cell must not hold the memory that it lies in.
        self.alive(l, false);
        let blame = Blame { shape: Code::Straddle, fact: Code::Straddle };
        let packed = self.hiding(&mut Subst::identity(), e, &env, blame, |g, s, names| {
            let mut cells = Vec::new();
            whole = g.hidden_cells(e.body, names, 0, 0, &mut cells)? && cells.len() == inside.len();
            let types = &g.program.types;
            let number = |cell: &Cell| match cell {
                Cell::Word(ty, _) => matches!(types.word(*ty), WordTy::Int(_)),
                Cell::Number(..) => true,
            };
            cells.sort_by_key(|(_, cell)| !number(cell));
            for (at, cell) in cells {
                let at = g.term(start.offset(at))?;
                let Some(held) = inside.iter().find(|h| whole && h.off == at) else {
                    whole = false;
                    return g.reject(blame.shape, "");
                };
                match cell {
                    Cell::Word(ty, env) if g.full(held.width) => {
                        g.match_word(s, (ty, &env), &held.word, blame)?;
                    }
                    Cell::Number(width, signed, t) if held.width == width => {
                        g.match_number(s, (width, signed, &t), &held.word, blame)?;
                    }
                    _ => {
                        whole = false;
                        return g.reject(blame.shape, "");
                    }
                }
            }
            Ok(())
        });
        self.alive(l, true);
        match packed {
            Err(_) if !whole => return Ok(false),
            packed => packed.map_err(|mut r| {
                r.why = "another element, which may be this one, was written and does not fit what it hides";
                r
            })?,
        }
        if let Some(loc) = self.state.locs.get_mut(l as usize) {
            loc.cells.retain(|c| !inside.iter().any(|h| h.off == c.off && h.width == c.width));
        }
        Ok(true)
    }

    /// The outermost existential part of a layout around an offset: where it begins, and what it is.
    pub(in crate::rules) fn hidden_at(
        &mut self,
        l: LocId,
        lay: &Lay,
        off: &Term,
    ) -> Checked<Option<(Term, &'a Exists<LayoutId>, Env)>> {
        let program = self.program;
        let (mut lay, mut rest) = (lay.clone(), off.clone());
        for _ in 0..=limits::NESTING {
            self.spend(2)?;
            lay = self.plain_lay(lay);
            if !program.shapes.hides(lay.id) {
                break;
            }
            if let Layout::Exists(e) = program.types.layout(lay.id) {
                return Ok(Some((self.term(off.sub(&rest))?, e, lay.env)));
            }
            // A tag hides nothing, and says what else lies there.
            if let Layout::Struct(id, _) = program.types.layout(lay.id)
                && program.shapes.union(*id).is_some_and(|u| rest.as_const() == Some(u.off))
            {
                break;
            }
            match self.inside_of((l, off), &lay, &rest)? {
                Some(part) => (lay, rest) = part,
                None => break,
            }
        }
        Ok(None)
    }

    /// The words of a part, but for raw ones, if their places are constants and there are few.
    pub(crate) fn hidden_cells(
        &mut self,
        id: LayoutId,
        env: &Env,
        at: i128,
        depth: usize,
        out: &mut Vec<(i128, Cell)>,
    ) -> Checked<bool> {
        self.spend(2)?;
        let program = self.program;
        if program.shapes.raw_size(id).is_some() {
            return Ok(true);
        }
        if depth > limits::NESTING || out.len() >= limits::HELD {
            return Ok(false);
        }
        if let Some(known) = self.stands_for(id, env) {
            return self.hidden_cells(known, &Some(Rc::from([])), at, depth + 1, out);
        }
        let fields = match program.types.layout(id) {
            Layout::Cell(ty) => {
                out.push((at, Cell::Word(*ty, env.clone())));
                return Ok(true);
            }
            Layout::Exact(width, signed, t) => {
                out.push((at, Cell::Number(*width, *signed, self.term(under(t, env))?)));
                return Ok(true);
            }
            // They mention no variables.
            Layout::Num(..) => return Ok(true),
            Layout::Array(n, elem) => {
                let n = under(n, env).and_then(|n| n.as_const()).and_then(|n| usize::try_from(n).ok());
                let size = program.shapes.size(*elem).and_then(Term::as_const);
                let (Some(n), Some(size)) = (n.filter(|n| *n <= limits::HELD), size) else {
                    return Ok(false);
                };
                let mut at = at;
                for _ in 0..n {
                    if !self.hidden_cells(*elem, env, at, depth + 1, out)? {
                        return Ok(false);
                    }
                    at = at.saturating_add(size);
                }
                return Ok(true);
            }
            Layout::Struct(id, args) => {
                let env = self.compose(args, env)?;
                // Which cells a union has its tag says.
                return match program.types.strukt(*id).fields() {
                    Some(fields) => self.hidden_fields(fields, &env, at, depth, out),
                    None => Ok(false),
                };
            }
            Layout::Seq(fields) => fields,
            _ => return Ok(false),
        };
        self.hidden_fields(fields, env, at, depth, out)
    }

    fn hidden_fields(
        &mut self,
        fields: &[LayoutId],
        env: &Env,
        mut at: i128,
        depth: usize,
        out: &mut Vec<(i128, Cell)>,
    ) -> Checked<bool> {
        for (i, &field) in fields.iter().enumerate() {
            if !self.hidden_cells(field, env, at, depth + 1, out)? {
                return Ok(false);
            }
            let size = self.program.shapes.size(field).and_then(|t| under(t, env)).and_then(|t| t.as_const());
            match size {
                Some(size) if size >= 0 => at = at.saturating_add(size),
                _ if i + 1 == fields.len() => {}
                _ => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Packs an existential part that begins at `start`: all held words in it, and what lies between them, for one
    /// witness.
    pub(super) fn pack_hidden(
        &mut self,
        s: &mut Subst,
        (id, e, env): (LayoutId, &'a Exists<LayoutId>, &Env),
        start: &Term,
        l: LocId,
        is: &mut Contents<'_>,
    ) -> Checked {
        let blame = is.blame;
        let Some(size) = self.program.shapes.size(e.body).and_then(Term::as_const) else {
            return self.reject(blame.shape, "a word was stored where sizes are hidden");
        };
        let retagged = is.retagged.len();
        self.hiding(s, e, env, blame, |g, s, inside| {
            // Numbers first: they say what is hidden, while memory may be larger than what is asked for.
            for numbers in [true, false] {
                let mut i = 0;
                while let Some(cell) = g.held_word(l, i) {
                    i += 1;
                    g.spend(4)?;
                    let at = cell.off.sub(start).and_then(|at| at.as_const());
                    let room = 0..=size.saturating_sub(i128::from(cell.width.bytes()));
                    let Some(at) = at.filter(|at| room.contains(at)).map(Term::from) else { continue };
                    let place = (cell.off, cell.width);
                    if is.known.contains(&place) {
                        continue;
                    }
                    let wanted = g.wanted(s, (e.body, inside), start, &(at, cell.width), is)?;
                    let number = match &wanted {
                        Wanted::Cell(ty, _) => matches!(g.program.types.word(*ty), WordTy::Int(_)),
                        wanted => matches!(wanted, Wanted::Exact(..)),
                    };
                    if number == numbers && g.match_held(s, wanted, &cell.word, blame)? {
                        is.known.push(place);
                    }
                }
            }
            g.rest(s, (e.body, inside), start, 0, is)?;
            for (base, variant, env) in is.retagged.split_off(retagged) {
                g.rest(s, (variant, &env), &base, 0, is)?;
            }
            Ok(())
        })?;
        is.closed.push((start.clone(), id));
        Ok(())
    }

    /// Exclusive memory that is lent as an existential: its layout is what hides nothing, for the witness that is found.
    /// Answers whether that was done. Whoever borrows it can only write what is right for each witness.
    pub fn becomes_named(
        &mut self,
        s: &mut Subst,
        want: (LayoutId, &Env),
        l: LocId,
        at: &Term,
        blame: Blame,
    ) -> Checked<bool> {
        let program = self.program;
        let Layout::Exists(e) = program.types.layout(want.0) else { return Ok(false) };
        let Layout::Struct(strukt, args) = program.types.layout(e.body) else { return Ok(false) };
        let Some(id) = program.shapes.generic(*strukt) else { return Ok(false) };
        self.unfold(l)?;
        let have = self.loc(l)?.lay;
        let raw = program.shapes.raw_size(have.id).is_some() || program.zeros(have.id);
        if at.as_const() != Some(0) || !raw && program.head(have.id) != program.head(e.body) {
            return Ok(false);
        }
        let mut found = Vec::with_capacity(args.len());
        self.hiding(s, e, want.1, blame, |g, s, inside| {
            g.pack(s, (e.body, inside), l, &[], blame)?;
            for arg in args.iter() {
                let arg = g.term(under(arg, inside))?;
                for &(v, _) in arg.summands().iter() {
                    let open = v.checked_sub(s.rigid).map(|i| i as usize);
                    if let Some(i) = open.filter(|i| matches!(s.terms.get(*i), Some(None))) {
                        g.ask_witness(s, i, blame)?;
                    }
                }
                found.push(g.term(s.apply(&arg))?);
            }
            Ok(())
        })?;
        self.becomes(l, Lay { id, env: Some(Rc::from(found)) });
        if let Some(loc) = self.state.locs.get_mut(l as usize) {
            loc.empty();
        }
        Ok(true)
    }
}
