//! Takes a state over to a label: names for what is live of it.

use super::cells::Cell;
use super::label::Frame;
use super::terms::{known_range, replace};
use std::collections::{BTreeSet, HashMap};
use talcore::facts::{Interval, NEG_INF, POS_INF};
use talcore::state::{Env, Held, Lay, Loc, LocId, STATIC, Slot, State, Tag, Word};
use talcore::term::{Term, Var};
use talcore::types::{Mode, RegSet};

/// Adds a piece below the others; words about which nothing is known are raw bytes.
pub(super) fn push_slot(frame: &mut Vec<Slot>, off: i64, size: i64, word: Option<Word>) {
    let word = word.filter(|w| *w != Word::Any);
    match frame.last_mut() {
        Some(top) if top.word.is_none() && word.is_none() => {
            top.off = off;
            top.size += size;
        }
        _ => frame.push(Slot { off, size, word }),
    }
}

/// Takes a state over to a label, with new names for the variables that are not the entry state's.
pub(super) struct Projection<'a, 'p> {
    f: &'a Frame<'p>,
    from: &'a State,
    /// The state's variables in the label's.
    pub(super) names: HashMap<Var, Term>,
    locs: HashMap<LocId, LocId>,
    /// Intervals of the label's variables.
    pub(super) vars: Vec<Interval>,
    /// The locations whose addresses the label speaks of.
    compared: Vec<(LocId, Var)>,
    /// Words that are sums of variables of which nothing else tells the values: a name for each, and
    /// the sum over the state's variables.
    pub(super) composite: Vec<(Var, Term)>,
    /// Variables of the state whose intervals are facts for the label: the name is that of a sum in which they are.
    parts: Vec<Var>,
}

impl<'a, 'p> Projection<'a, 'p> {
    /// Finds names: a variable has one if some word determines it once others are known, so that
    /// matching can bind it. Some have `names` already, and `vars` are the intervals of what they mean. `facts`: those
    /// of the state that are not the entry state's.
    pub(super) fn new(
        f: &'a Frame<'p>,
        from: &'a State,
        vars: Vec<Interval>,
        names: HashMap<Var, Term>,
        facts: &[Term],
    ) -> Self {
        let compared = f.compared(from, facts);
        let mut p = Projection {
            f,
            from,
            names,
            locs: HashMap::new(),
            vars,
            compared,
            composite: Vec::new(),
            parts: Vec::new(),
        };
        for &(_, v) in from.stretches.iter().filter(|s| s.1 >= f.vars()) {
            p.names.entry(v).or_insert_with(|| {
                p.vars.push(from.facts.interval(v));
                Term::var(p.vars.len() as Var - 1)
            });
        }
        let mut terms: Vec<Term> = Vec::new();
        let reached = reached(f, from);
        let locs = || reached.iter().filter_map(|l| from.locs.get(*l as usize));
        for l in locs() {
            terms.extend(l.lay.env.iter().flat_map(|e| e.iter().cloned()));
            terms.extend(l.tags.iter().map(|t| t.value.clone()));
        }
        terms.extend(from.static_tags.iter().map(|(_, t)| t.value.clone()));
        // Elements at places that no number tells are packed, so they name nothing.
        let told = |l: &Loc, c: &Held| c.off.as_const().is_some() || !f.conforms(from, c, l, &l.lay);
        let held = locs().flat_map(|l| l.cells.iter().filter(move |c| told(l, c)).map(|c| &c.word));
        // Numbers in memory are named by what registers and the frame say, as far as that is possible.
        let mut late: Vec<Term> = Vec::new();
        for (w, in_memory) in words(from).map(|w| (w, false)).chain(held.map(|w| (w, true))) {
            match w {
                Word::Int(t) if in_memory => late.push(t.clone()),
                Word::Int(t) | Word::Sp(t) | Word::Ptr(_, t) => terms.push(t.clone()),
                Word::Opt(v, _, env) => {
                    terms.push(Term::var(*v));
                    terms.extend(env.iter().flat_map(|e| e.iter().cloned()));
                }
                _ => {}
            }
        }
        p.tell(terms);
        p.tell(late);
        for (_, v) in p.compared.iter().filter(|c| c.1 >= f.vars()) {
            p.names.entry(*v).or_insert_with(|| {
                p.vars.push(f.addresses());
                Term::var(p.vars.len() as Var - 1)
            });
        }
        p
    }

    /// Names for the variables of terms that words tell.
    fn tell(&mut self, mut terms: Vec<Term>) {
        let (f, from) = (self.f, self.from);
        // Whole words first: their variables keep their meaning.
        terms.sort_by_key(|t| t.summands().len() + usize::from(t.konst() != 0));
        loop {
            let found = terms.iter().find_map(|t| {
                let mut open =
                    t.summands().into_iter().filter(|s| s.0 >= f.vars() && !self.names.contains_key(&s.0));
                let first = open.next()?;
                open.next().is_none().then(|| (first.0, i128::from(first.1), t))
            });
            let Some((v, c, t)) = found else { break };
            let z = Term::var(self.vars.len() as Var);
            // `v + constant` or `constant - v` names the whole word, and so does a sum if nothing else speaks of `v`.
            let alone = || terms.iter().all(|u| u == t || u.coefficient(v) == 0);
            let rest = t.add_scaled(&Term::var(v), -c).filter(|r| r.as_const().is_some() || alone());
            let rest = rest.filter(|_| c.abs() == 1).and_then(|r| self.named(&r));
            match rest.and_then(|r| z.sub(&r)).and_then(|t| t.scale(c)) {
                Some(name) => {
                    if name.summands().len() > 1 {
                        self.parts.push(v);
                        self.vars.push(known_range(&from.facts, t));
                    } else {
                        self.vars.push(from.facts.range(t));
                    }
                    self.names.insert(v, name);
                }
                None => {
                    self.vars.push(from.facts.interval(v));
                    self.names.insert(v, z);
                }
            }
        }
    }

    /// What the intervals of variables say that have no interval at the label, as facts of the state.
    pub(super) fn bounds_of_parts(&self) -> Vec<Term> {
        let bounds = self.parts.iter().flat_map(|v| {
            let (range, v) = (self.from.facts.interval(*v), Term::var(*v));
            let low = v.offset(-range.lo.max(NEG_INF + 1)).filter(|_| range.lo != NEG_INF);
            let high = v.neg().and_then(|t| t.offset(range.hi)).filter(|_| range.hi != POS_INF);
            [low, high]
        });
        bounds.flatten().collect()
    }

    /// The address of a location of the state, if the label speaks of it.
    fn address(&self, l: LocId) -> Option<Var> {
        let (_, v) = self.compared.iter().find(|c| c.0 == l)?;
        self.named(&Term::var(*v))?.as_var()
    }

    /// A term in the label's variables, if all of them have names.
    pub(super) fn named(&self, t: &Term) -> Option<Term> {
        let mut sum = Term::from(t.konst());
        for &(v, c) in t.summands().iter() {
            let c = i128::from(c);
            sum = match v < self.f.vars() {
                true => sum.add_scaled(&Term::var(v), c)?,
                false => sum.add_scaled(self.names.get(&v)?, c)?,
            };
        }
        Some(sum)
    }

    pub(super) fn term(&mut self, t: &Term) -> Term {
        if let Some(t) = self.named(t) {
            return t;
        }
        if let Some((z, _)) = self.composite.iter().find(|(_, other)| other == t) {
            return Term::var(*z);
        }
        self.vars.push(known_range(&self.from.facts, t));
        let z = self.vars.len() as Var - 1;
        self.composite.push((z, t.clone()));
        Term::var(z)
    }

    /// The state under the new names; facts are left to the caller.
    pub(super) fn state(&mut self) -> State {
        let from = self.from;
        let reached = reached(self.f, from);
        let locs = self
            .f
            .entry
            .locs
            .iter()
            .map(|l| Loc { addr: None, cells: Vec::new(), parts: Vec::new(), tags: Vec::new(), ..l.clone() })
            .collect();
        let mut state =
            State { depth: from.depth, touched: from.touched.max(from.depth), locs, ..State::default() };
        let numbers = from.stretches.iter().filter_map(|(place, v)| Some((*place, self.stretch(*v)?)));
        state.stretches = numbers.collect();
        for l in (0..self.f.locs()).filter(|l| reached.contains(l)) {
            state.locs[l as usize].addr = self.address(l);
            self.tags(l, l, &mut state.locs);
        }
        for (l, tag) in &from.static_tags {
            let value = self.term(&tag.value);
            if let Some(off) = self.named(&tag.off) {
                state.static_tags.push((*l, Tag { off, value }));
            }
        }
        for l in 0..self.f.locs() {
            let ours = |l: &&Loc| l.exclusive() || l.was.is_some();
            let Some(old) = from.locs.get(l as usize).filter(ours) else { continue };
            let Some(new) = state.locs.get_mut(l as usize) else { continue };
            new.live = old.live && (reached.contains(&l) || old.was == Some(Mode::Frozen));
            if new.live {
                (new.mode, new.was) = (old.mode, old.was);
                new.stretch = old.stretch.and_then(|v| self.stretch(v));
            }
            if new.live {
                new.lay = Lay { id: old.lay.id, env: self.env(&old.lay.env) };
                self.held(l, l, &mut state.locs);
            }
        }
        for r in 0..16 {
            state.regs[r] = self.word(&from.regs[r], &mut state.locs);
        }
        for slot in &from.frame {
            let word = slot.word.as_ref().map(|w| self.word(w, &mut state.locs));
            push_slot(&mut state.frame, slot.off, slot.size, word);
        }
        for w in &from.incoming {
            let w = self.word(w, &mut state.locs);
            state.incoming.push(w);
        }
        state
    }

    /// The number of a stretch.
    fn stretch(&self, v: Var) -> Option<Var> {
        self.named(&Term::var(v))?.as_var()
    }

    pub(super) fn env(&mut self, env: &Env) -> Env {
        env.as_ref().map(|e| e.iter().map(|t| self.term(t)).collect())
    }

    pub(super) fn loc(&mut self, l: LocId, locs: &mut Vec<Loc>) -> LocId {
        if l >= STATIC || l < self.f.locs() {
            return l;
        }
        if let Some(k) = self.locs.get(&l) {
            return *k;
        }
        let Some(old) = self.from.locs.get(l as usize) else { return l };
        let (mode, id) = (old.mode, old.lay.id);
        let env = self.env(&old.lay.env);
        let stretch = old.stretch.and_then(|v| self.stretch(v));
        locs.push(Loc { stretch, was: old.was, ..Loc::new(mode, Lay { id, env }) });
        let k = locs.len() as LocId - 1;
        if let Some(new) = locs.last_mut() {
            (new.hole, new.addr) = (old.hole, self.address(l));
        }
        self.locs.insert(l, k);
        self.tags(l, k, locs);
        self.held(l, k, locs);
        k
    }

    /// What is known of unions in the location `l` of the state, for the label's location `k`.
    fn tags(&mut self, l: LocId, k: LocId, locs: &mut [Loc]) {
        for tag in self.from.tags(l) {
            let value = self.term(&tag.value);
            if let (Some(off), Some(loc)) = (self.named(&tag.off), locs.get_mut(k as usize)) {
                loc.tags.push(Tag { off, value });
            }
        }
    }

    /// What the location `l` of the state holds, for the label's location `k`.
    fn held(&mut self, l: LocId, k: LocId, locs: &mut Vec<Loc>) {
        let Some(loc) = self.from.locs.get(l as usize) else { return };
        for cell in &loc.cells {
            if self.f.cell_at(self.from, loc, &loc.lay, &cell.off, cell.width) == Some(Cell::Hidden) {
                continue;
            }
            // A label cannot say where an element is whose index has no name.
            let number = self.f.narrow(cell.width) && cell.off.as_const().is_none();
            let off = match self.place(&cell.off).filter(|_| number || in_words(self.from, &cell.word)) {
                Some(off) => off,
                None if cell.off.as_const().is_none() && self.f.conforms(self.from, cell, loc, &loc.lay) => {
                    continue;
                }
                None if number => continue,
                None => self.term(&cell.off),
            };
            let word = self.word(&cell.word, locs);
            if let Some(loc) = locs.get_mut(k as usize) {
                loc.cells.push(Held { off, width: cell.width, word });
            }
        }
    }

    /// An offset that the numbers in registers and in the frame tell.
    fn place(&mut self, off: &Term) -> Option<Term> {
        if let Some(named) = self.named(off) {
            return Some(named);
        }
        let (v, c) = *off.summands().iter().next()?;
        let whole = words(self.from).find_map(|w| {
            let Word::Int(t) = w else { return None };
            let by = i128::from(t.coefficient(v));
            let k = (by != 0 && i128::from(c) % by == 0).then(|| i128::from(c) / by)?;
            let rest = off.add_scaled(t, -k).filter(|r| r.as_const().is_some())?;
            Some((t.clone(), k, rest))
        });
        let (t, k, rest) = whole?;
        rest.add_scaled(&self.term(&t), k)
    }

    pub(super) fn word(&mut self, w: &Word, locs: &mut Vec<Loc>) -> Word {
        match w {
            Word::Int(t) => Word::Int(self.term(t)),
            Word::Sp(t) => Word::Sp(self.term(t)),
            Word::Ptr(l, t) => {
                let l = self.loc(*l, locs);
                Word::Ptr(l, self.term(t))
            }
            Word::Opt(v, ty, env) => match self.term(&Term::var(*v)).as_var() {
                Some(v) => Word::Opt(v, *ty, self.env(env)),
                None => Word::Any,
            },
            Word::Restorer => Word::Any,
            other => other.clone(),
        }
    }
}

/// The state with constants for the variables of which only one value is left.
pub(super) fn concrete(f: &Frame<'_>, s: &State) -> State {
    let mut out = s.clone();
    let fixed = |t: &mut Term| {
        let values: Vec<(Var, i128)> = t
            .summands()
            .iter()
            .map(|(v, _)| (*v, s.facts.interval(*v)))
            .filter(|(v, i)| *v >= f.vars() && i.lo == i.hi)
            .map(|(v, i)| (v, i.lo))
            .collect();
        for (v, c) in values {
            if let Some(r) = replace(t, v, &Term::from(c)) {
                *t = r;
            }
        }
    };
    let each = |w: &mut Word| match w {
        // What may come back after a call does so before a label, or never; what a cursor is in does at its end.
        Word::Ptr(l, _)
            if *l < STATIC
                && s.locs.get(*l as usize).is_some_and(|l| !l.live)
                && !(*l < f.locs() && s.has_hole(*l)) =>
        {
            *w = Word::Any;
        }
        Word::Int(t) | Word::Sp(t) | Word::Ptr(_, t) => fixed(t),
        // What its type does not mention need not be known at the label.
        Word::Opt(_, ty, env) => *env = f.trimmed(*ty, env),
        _ => {}
    };
    out.regs.iter_mut().for_each(each);
    out.frame.iter_mut().filter_map(|s| s.word.as_mut()).for_each(each);
    out.locs.iter_mut().flat_map(|l| &mut l.cells).map(|c| &mut c.word).for_each(each);
    out.locs.iter_mut().flat_map(|l| &mut l.tags).for_each(|t| fixed(&mut t.value));
    out.static_tags.iter_mut().for_each(|t| fixed(&mut t.1.value));
    out
}

/// The words of a state that are constants in [`concrete`] only because a test found that.
#[derive(Clone, Default, Debug)]
pub(super) struct Tested {
    pub(super) regs: RegSet,
    /// Offsets of slots.
    pub(super) slots: Vec<i64>,
}

impl Tested {
    pub(super) fn of(s: &State, concrete: &State) -> Tested {
        let constant = |w: &Word| matches!(w, Word::Int(t) if t.as_const().is_some());
        let found = |before: &Word, after: &Word| !constant(before) && constant(after);
        let mut out = Tested::default();
        for (r, (before, after)) in s.regs.iter().zip(&concrete.regs).enumerate() {
            out.regs |= RegSet::from(found(before, after)) << r;
        }
        for (before, after) in s.frame.iter().zip(&concrete.frame) {
            if let (Some(x), Some(y)) = (&before.word, &after.word)
                && found(x, y)
            {
                out.slots.push(before.off);
            }
        }
        out
    }
}

/// The locations that words lead to, directly or through what exclusive memory holds. Exclusive borrows are always
/// among them: they are given back.
pub(super) fn reached(f: &Frame<'_>, s: &State) -> BTreeSet<LocId> {
    let borrowed =
        |l: &LocId| s.locs.get(*l as usize).is_some_and(|l| l.was.unwrap_or(l.mode) == Mode::Uniq && l.live);
    let kept = |l: &LocId| s.locs.get(*l as usize).is_some_and(|l| l.live);
    let mut found: BTreeSet<LocId> =
        (0..f.locs()).filter(borrowed).chain(f.kept.iter().copied().filter(kept)).collect();
    let mut open: Vec<&Word> = words(s).collect();
    open.extend(
        found.iter().filter_map(|l| s.locs.get(*l as usize)).flat_map(|l| l.cells.iter().map(|c| &c.word)),
    );
    while let Some(word) = open.pop() {
        if let Word::Ptr(l, _) = word
            && *l < STATIC
            && found.insert(*l)
            && let Some(loc) = s.locs.get(*l as usize)
        {
            open.extend(loc.cells.iter().map(|c| &c.word));
        }
    }
    found
}

/// Whether the memory that a word owns is that of a word in a register or in the frame too.
fn in_words(s: &State, w: &Word) -> bool {
    words(s).any(|x| match (w, x) {
        (Word::Opt(v, ..), Word::Opt(u, ..)) => v == u,
        (Word::Ptr(l, _), Word::Ptr(k, _)) => l == k && *l < STATIC,
        _ => false,
    })
}

/// The words of a state in registers and in the frame, in the order in which matching meets them.
pub(super) fn words(s: &State) -> impl Iterator<Item = &Word> {
    s.regs.iter().chain(s.frame.iter().filter_map(|f| f.word.as_ref())).chain(&s.incoming)
}
