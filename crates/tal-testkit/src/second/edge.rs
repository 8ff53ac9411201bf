//! docs/types.md, "Labels"; docs/owned-memory.md, "Labels": an edge to a label.

use super::fit::{Binding, PATTERN};
use super::lin::{Lin, Var};
use super::state::{Held, State, Word};
use super::types::{Lay, Node, Ty, TyNode};
use super::{Judge, Stop, no, todo};
use std::collections::BTreeMap;
use talcore::types::Mode;

/// An edge that is being matched.
struct Match<'a> {
    label: &'a State,
    b: Binding,
    /// Which location each of the label's is.
    locs: BTreeMap<usize, usize>,
    /// Locations that are static objects.
    statics: BTreeMap<usize, usize>,
    /// How many variables the entry has: the others are the label's own.
    vars: Var,
}

impl Match<'_> {
    /// A term of the label, with its own variables as pattern variables.
    fn term(&self, t: &Lin) -> Lin {
        t.subst(&|v| (v >= self.vars).then(|| Lin::var(PATTERN + v)))
    }
    fn node<I: Copy>(&self, n: &Node<I>) -> Node<I> {
        // Variables that the environment does not name stand for themselves: the label's own are named here.
        let mut env: BTreeMap<Var, Lin> = n.env.iter().map(|(v, t)| (*v, self.term(t))).collect();
        for v in self.vars..self.label.known.ranges.len() as Var {
            env.entry(v).or_insert_with(|| Lin::var(PATTERN + v));
        }
        Node { id: n.id, env: env.into() }
    }
    fn lay(&self, lay: &Lay) -> Lay {
        match lay {
            Lay::Bytes(n) => Lay::Bytes(self.term(n)),
            Lay::Cstr(n) => Lay::Cstr(n.as_ref().map(|n| self.term(n))),
            Lay::Cell(w) => Lay::Cell(self.node(w)),
            Lay::Num(..) => lay.clone(),
            Lay::Exact(w, s, t) => Lay::Exact(*w, *s, self.term(t)),
            Lay::Array(n, e) => Lay::Array(self.term(n), self.node(e)),
            Lay::NullTerm(n, w) => Lay::NullTerm(n.as_ref().map(|n| self.term(n)), self.node(w)),
            Lay::Struct(s, args) => Lay::Struct(*s, args.iter().map(|t| self.term(t)).collect()),
            Lay::Seq(parts) => Lay::Seq(parts.iter().map(|p| self.node(p)).collect()),
            Lay::Foreign(n) => Lay::Foreign(self.term(n)),
            Lay::Of(t, n) => Lay::Of(self.term(t), self.term(n)),
            Lay::Exists(n) => Lay::Exists(self.node(n)),
        }
    }
}

impl Judge<'_> {
    /// Matches the state with that of a label. The state is used up.
    pub(super) fn edge(&mut self, label: &State) -> Result<(), Stop> {
        if self.s.known.contradictory() {
            return Ok(());
        }
        if self.s.depth != label.depth {
            return no("the stack has another depth at the label");
        }
        if self.s.touched - self.s.depth > (label.touched - label.depth).max(0) {
            return no("more of the stack was not touched than the label says");
        }
        let vars = self.first_vars;
        let mut m = Match {
            label,
            b: Binding::default(),
            locs: (0..self.first_locs).map(|l| (l, l)).collect(),
            statics: BTreeMap::new(),
            vars,
        };
        for (v, r) in label.known.ranges.iter().enumerate().skip(vars as usize) {
            m.b.ranges.insert(PATTERN + v as Var, *r);
        }
        for (r, want) in label.regs.iter().enumerate() {
            let have = self.s.regs[r].clone();
            if r != 4 && !self.matches(&mut m, &have, want)? {
                return no(&format!("register {r} at the label: {have:?}, wanted {want:?}"));
            }
        }
        for (i, want) in label.stack.iter().enumerate() {
            let have = self.s.stack[i].clone();
            if !self.matches(&mut m, &have, want)? {
                return no("an argument on the stack at the label");
            }
        }
        for (off, (size, want)) in &label.frame {
            let have = match self.s.frame.get(off) {
                Some((s, word)) if s == size => word.clone(),
                _ if matches!(want, Word::Any) => continue,
                _ => Word::Int(self.unknown(*size)),
            };
            if !self.matches(&mut m, &have, want)? {
                return no("the frame at the label");
            }
        }
        // Locations are found by what points to them, also from held words of others.
        let mut done = vec![false; label.locs.len()];
        loop {
            let next = (0..label.locs.len()).find(|l| !done[*l] && m.locs.contains_key(l));
            let Some(l) = next else { break };
            done[l] = true;
            self.match_loc(&mut m, l)?;
        }
        if done.iter().zip(&label.locs).any(|(done, l)| !done && l.live) {
            return todo("a location of a label that nothing points to");
        }
        let b = &mut m.b;
        if !self.w.settle(&self.s.known, b)? {
            return no("an equation at the label does not hold");
        }
        for (v, range) in label.known.ranges.iter().enumerate() {
            let v = v as Var;
            let t = if v < vars { Lin::var(v) } else { Lin::var(PATTERN + v) };
            let used = b.found.contains_key(&(PATTERN + v));
            if v >= vars && !used {
                let mentioned = label.known.facts.iter().any(|f| f.m.contains_key(&v));
                if mentioned {
                    return todo("a variable of a label that nothing tells");
                }
                continue;
            }
            let t = b.apply(&t);
            let k = &self.s.known;
            if range.lo.is_some_and(|lo| !k.proves(&t.add(-lo)))
                || range.hi.is_some_and(|hi| !k.proves(&t.times(-1).add(hi)))
            {
                return no(&format!(
                    "the range of variable {v} at the label: {t:?} in {range:?}, known {:?} facts {:?}",
                    k.interval(&t),
                    k.facts
                ));
            }
        }
        for fact in &label.known.facts {
            let goal = m.b.apply(&m.term(fact));
            if !self.s.known.proves(&goal) {
                return no("a fact at the label is not proved");
            }
        }
        Ok(())
    }

    /// Whether a word is what the label says.
    fn matches(&mut self, m: &mut Match<'_>, have: &Word, want: &Word) -> Result<bool, Stop> {
        Ok(match (have, want) {
            (_, Word::Any) => true,
            (_, Word::Int(t)) => {
                let mut number = self.number(have)?;
                let t = m.term(t);
                // A variable that may be any word is the word, whatever term it is congruent to.
                let p = m.b.apply(&t);
                if let Some((v, 1)) = p.m.iter().next().map(|(v, c)| (*v, *c))
                    && p.m.len() == 1
                    && p.k == 0
                    && v >= PATTERN
                    && let Some(r) = m.b.ranges.get(&v)
                    && r.lo.is_none_or(|lo| lo <= 0)
                    && r.hi.is_none_or(|hi| hi >= self.w.period() - 1)
                {
                    number = self.wrapped(&number, self.w.word);
                }
                self.w.unify(&self.s.known, &mut m.b, &t, &number, true)
            }
            (Word::Ptr(l, off), Word::Ptr(to, at)) => {
                if *m.locs.entry(*to).or_insert(*l) != *l {
                    return Ok(false);
                }
                let at = m.term(at);
                self.w.unify(&self.s.known, &mut m.b, &at, off, false)
            }
            (Word::Static(i, off), Word::Static(j, at)) => {
                let at = m.term(at);
                i == j && self.w.unify(&self.s.known, &mut m.b, &at, off, false)
            }
            (Word::Static(i, off), Word::Ptr(to, at)) => {
                // A static object may be one of several things that the label's location is.
                let l = match m.locs.get(to) {
                    Some(l) => *l,
                    None => {
                        let (mode, lay) = self.object(*i)?;
                        self.s.locs.push(super::state::Loc {
                            mode,
                            lay,
                            addr: None,
                            held: Vec::new(),
                            live: true,
                        });
                        let l = self.s.locs.len() - 1;
                        m.statics.insert(l, *i);
                        m.locs.insert(*to, l);
                        l
                    }
                };
                if m.statics.get(&l) != Some(i) {
                    return Ok(false);
                }
                let at = m.term(at);
                self.w.unify(&self.s.known, &mut m.b, &at, off, false)
            }
            (Word::Frame(off), Word::Frame(at)) => {
                let at = m.term(at);
                self.w.unify(&self.s.known, &mut m.b, &at, off, false)
            }
            (Word::Opt(v, a), Word::Opt(w, p)) => {
                let (p, w) = (m.node(p), m.term(&Lin::var(*w)));
                self.w.same_ty(&self.s.known, &mut m.b, a, &p)?
                    && self.w.unify(&self.s.known, &mut m.b, &w, &Lin::var(*v), false)
            }
            (_, Word::Opt(w, p)) => self.becomes_untested(m, have, *w, p)?,
            (Word::Fn(a), Word::Fn(p)) => self.w.same_sig(*a, *p)?,
            _ => have == want,
        })
    }

    /// A tested word, or a number, becomes an untested one again.
    fn becomes_untested(&mut self, m: &mut Match<'_>, have: &Word, w: Var, p: &TyNode) -> Result<bool, Stop> {
        if !matches!(have, Word::Ptr(..) | Word::Static(..) | Word::Int(_) | Word::Fn(_)) {
            return Ok(false);
        }
        if !matches!(self.w.ty(p)?, Ty::Opt(_)) {
            return todo("another type of words that becomes untested");
        }
        let value = match have {
            Word::Int(t) => self.low(t, self.w.word, false).unwrap_or(t.clone()),
            Word::Fn(_) => return todo("a function that becomes untested"),
            _ => self.number(have)?,
        };
        let p = m.node(p);
        let v = m.term(&Lin::var(w));
        if let Word::Ptr(l, _) = have
            && self.s.locs[*l].mode == Mode::Own
        {
            if m.locs.values().any(|x| x == l) {
                return todo("an owner that becomes untested and stays");
            }
            if !self.s.locs[*l].live {
                return Ok(false);
            }
        }
        Ok(self.fits(have, &p, &mut m.b)? && self.w.unify(&self.s.known, &mut m.b, &v, &value, false))
    }

    /// What a location of the label holds.
    fn match_loc(&mut self, m: &mut Match<'_>, l: usize) -> Result<(), Stop> {
        let want = m.label.locs[l].clone();
        let from = m.locs[&l];
        let have = self.s.locs[from].clone();
        if !want.live {
            return if m.label.regs.iter().any(|w| matches!(w, Word::Ptr(x, _) if *x == l)) {
                no("a pointer to what was given away, at the label")
            } else {
                Ok(())
            };
        }
        if !have.live {
            return no("a location of the label was given away");
        }
        if have.mode != want.mode {
            return no("a location has another mode at the label");
        }
        let twice = m.locs.iter().any(|(to, x)| *x == from && *to != l && m.label.locs[*to].live);
        let exclusive = matches!(have.mode, Mode::Own | Mode::Uniq);
        if twice && exclusive {
            return no("exclusive memory has two names at the label");
        }
        let lay = m.lay(&want.lay);
        if !exclusive {
            let mut trial = m.b.clone();
            if self.w.same_lay(&self.s.known, &mut trial, &have.lay, &lay)? {
                m.b = trial;
                return Ok(());
            }
            return no("a location has another layout at the label");
        }
        // Held words of the label are matched; everything else is packed.
        let mut rest = have.held.clone();
        for h in &want.held {
            let off = m.b.apply(&m.term(&h.off));
            if Self::open(&off) {
                return todo("a held word at an offset that is not known yet");
            }
            let same = |x: &Held| x.size == h.size && self.s.known.equal(&x.off, &off);
            let word = match rest.iter().position(same) {
                Some(i) => rest.remove(i).word,
                None => {
                    let place = super::place::Place::Loc(from, off.clone());
                    let word = self.load(&place, h.size)?;
                    if let Some(i) = self.s.locs[from]
                        .held
                        .iter()
                        .position(|x| x.size == h.size && self.s.known.equal(&x.off, &off))
                    {
                        self.s.locs[from].held.remove(i);
                    }
                    word
                }
            };
            if !self.matches(m, &word, &h.word)? {
                return no("a held word at the label");
            }
        }
        self.s.locs[from].held = rest;
        if !self.w.settle_some(&self.s.known, &mut m.b) {
            return no("an equation at the label does not hold");
        }
        if want.held.is_empty() || !self.s.locs[from].held.is_empty() {
            let packed = if want.held.is_empty() {
                self.pack(from, &lay, &mut m.b, false)?
            } else {
                self.pack_around(from, &lay, &mut m.b)?
            };
            return if packed { Ok(()) } else { no("memory is not what the label says") };
        }
        let mut trial = m.b.clone();
        if self.w.same_lay(&self.s.known, &mut trial, &have.lay, &lay)? {
            m.b = trial;
            return Ok(());
        }
        todo("another layout below held words at a label")
    }

    /// Packs all but what the label holds.
    fn pack_around(&mut self, l: usize, want: &Lay, b: &mut Binding) -> Result<bool, Stop> {
        // What is not held at the label must be of the type of its cell.
        let lay = self.s.locs[l].lay.clone();
        let mut trial = b.clone();
        if !self.w.same_lay(&self.s.known, &mut trial, &lay, want)? {
            return todo("another layout below held words at a label");
        }
        *b = trial;
        for h in self.s.locs[l].held.clone() {
            let ok = match self.w.part(&self.s.known, &lay, &h.off, h.size)? {
                Some(super::part::Part::Cell(ty)) => self.fits(&h.word, &ty, b)?,
                Some(super::part::Part::Raw) => true,
                Some(super::part::Part::Num(w, lo, hi)) => {
                    let t = self.number(&h.word)?;
                    self.is_in(&t, w, lo, hi)
                }
                _ => return todo("a held number at a label"),
            };
            if !ok {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
