//! Other states for the labels of a function.

use super::subject::{Part, Subject};
use super::terms;
use fastrand::Rng;
use std::rc::Rc;
use talcore::annot::Label;
use talcore::facts::{Facts, Interval};
use talcore::guide::{Ghost, Step};
use talcore::state::{Held, Lay, STATIC, Slot, State, Tag, Word};
use talcore::term::Term;
use talcore::types::{LayoutId, Mode, SigId, WordId, WordTy};
use talcore::x86::insn::{Reg, Width};

/// What a mutation draws from.
struct Source<'s> {
    subject: &'s Subject<'s>,
    part: &'s Part,
    function: usize,
    rng: &'s mut Rng,
}

/// Changes one to three things in the labels. Answers what was changed.
pub(super) fn mutate(
    subject: &Subject<'_>,
    function: usize,
    labels: &mut Vec<Label>,
    rng: &mut Rng,
) -> &'static str {
    let mut source = Source { subject, part: &subject.parts[function], function, rng };
    let mut what = "";
    for _ in 0..[1, 1, 1, 2, 3][source.rng.usize(..5)] {
        what = source.label(labels);
    }
    what
}

impl Source<'_> {
    fn label(&mut self, labels: &mut Vec<Label>) -> &'static str {
        let Some(i) = self.pick(labels.len()) else {
            // A label where there was none: it says what holds at the entry.
            let Some(at) = self.pick(self.part.insns.len()) else { return "nothing" };
            labels.push((self.part.insns[at].start as u64, self.part.entry.clone()));
            return "a new label";
        };
        match self.rng.u8(..24) {
            0 => {
                labels.remove(i);
                return "a label left out";
            }
            1 => {
                let Some(at) = self.pick(self.part.insns.len()) else { return "nothing" };
                let at = self.part.insns[at].start as u64;
                let state = labels[i].1.clone();
                match labels.binary_search_by_key(&at, |l| l.0) {
                    Ok(found) => labels[found].1 = state,
                    Err(place) => labels.insert(place, (at, state)),
                }
                return "a label copied";
            }
            2 => {
                let Some(j) = self.pick(labels.len()) else { return "nothing" };
                let (a, b) = (labels[i].1.clone(), labels[j].1.clone());
                (labels[i].1, labels[j].1) = (b, a);
                return "labels exchanged";
            }
            _ => {}
        }
        let other = self.pick(labels.len()).map(|j| labels[j].1.clone());
        let mut state = (*labels[i].1).clone();
        let what = self.state(&mut state, other.as_deref());
        labels[i].1 = Rc::new(state);
        what
    }

    fn pick(&mut self, n: usize) -> Option<usize> {
        (n > 0).then(|| self.rng.usize(..n))
    }

    fn term(&mut self, t: &Term, vars: u32) -> Term {
        terms::term(t, vars, &self.part.terms, self.rng)
    }

    fn state(&mut self, s: &mut State, other: Option<&State>) -> &'static str {
        let vars = s.facts.var_count() as u32;
        let rigid = &self.part.entry;
        let (first_loc, first_var) = (rigid.locs.len(), rigid.facts.var_count());
        match self.rng.u8(..32) {
            0..6 => {
                let r = self.register();
                s.regs[r] = self.word(s, &s.regs[r].clone(), other);
                "a register"
            }
            6 | 7 => {
                // A second name for what another register holds.
                let (a, b) = (self.register(), self.register());
                s.regs[a] = s.regs[b].clone();
                "a register copied"
            }
            8 => {
                let words: Vec<_> = s.words().filter(|w| !matches!(w, Word::Any)).cloned().collect();
                let Some(i) = self.pick(words.len()) else { return "nothing" };
                let r = self.register();
                s.regs[r] = words[i].clone();
                "a word copied"
            }
            9..12 => {
                let Some(i) = self.pick(s.frame.len()) else { return "nothing" };
                self.slot(s, i, other)
            }
            12..16 => {
                let own = s.locs.len() - first_loc;
                let i = match self.pick(own) {
                    Some(i) => first_loc + i,
                    None => {
                        let Some(i) = self.pick(s.locs.len()) else { return "nothing" };
                        return self.held(s, i, other);
                    }
                };
                self.location(s, i, first_loc, other)
            }
            16..18 => {
                let Some(i) = self.pick(s.locs.len()) else { return "nothing" };
                self.held(s, i, other)
            }
            18..21 => {
                let facts = s.facts.list().to_vec();
                self.facts(s, &facts)
            }
            21..24 => {
                let Some(i) = self.pick(vars as usize - first_var) else { return "nothing" };
                let v = (first_var + i) as u32;
                s.facts.declare_range(v, terms::interval(s.facts.interval(v), self.rng));
                "an interval"
            }
            24 => {
                s.touched = s.depth + [0, 8, 4096, 8192, 32768, 65536][self.rng.usize(..6)];
                "the debt"
            }
            25 => {
                let Some(i) = self.pick(s.locs.len()) else { return "nothing" };
                let value = self.small();
                let off = self.small();
                s.locs[i].tags = vec![Tag { off, value }];
                "a tag"
            }
            26 => {
                let Some(i) = self.pick(s.incoming.len()) else { return "nothing" };
                s.incoming[i] = self.word(s, &s.incoming[i].clone(), other);
                "an argument on the stack"
            }
            27 => {
                let (Some(l), Some(v)) = (self.pick(s.locs.len()), self.pick(vars as usize)) else {
                    return "nothing";
                };
                s.locs[l].addr = if self.rng.bool() { Some(v as u32) } else { None };
                "an address"
            }
            28 => {
                let range = terms::interval(Interval::new(0, 64), self.rng);
                let v = s.facts.fresh(range);
                let r = self.register();
                s.regs[r] = Word::Int(Term::var(v));
                "a new variable"
            }
            29 => {
                let (Some(place), Some(v)) = (self.pick(4), self.pick(vars as usize)) else {
                    return "nothing";
                };
                match s.stretches.is_empty() || self.rng.bool() {
                    true => s.stretches = vec![(place as u32, v as u32)],
                    false => s.stretches.clear(),
                }
                "a stretch"
            }
            _ => {
                let Some(other) = other else { return "nothing" };
                let fits = |w: &Word| w.scope() <= vars;
                let r = self.register();
                if fits(&other.regs[r]) {
                    s.regs[r] = other.regs[r].clone();
                }
                "a register of another label"
            }
        }
    }

    fn register(&mut self) -> usize {
        match self.rng.usize(..self.subject.program.arch.registers() as usize) {
            4 => 0,
            r => r,
        }
    }

    fn small(&mut self) -> Term {
        Term::from([0, 1, 2, 4, 8, 16, 255][self.rng.usize(..7)])
    }

    fn slot(&mut self, s: &mut State, i: usize, other: Option<&State>) -> &'static str {
        let word = i64::from(self.subject.program.arch.word_bytes());
        let size = s.frame[i].size;
        match self.rng.u8(..6) {
            0 => s.frame[i].word = None,
            1 if s.frame[i].word.is_none() && size > word => {
                // The upper word of raw bytes gets a meaning.
                let (off, end) = (s.frame[i].off, s.frame[i].end());
                let known = self.word(s, &Word::Any, other);
                s.frame[i] = Slot { off, size: size - word, word: None };
                s.frame.insert(i, Slot { off: end - word, size: word, word: Some(known) });
            }
            2 => {
                // Everything below moves.
                let by = [word, -word, 1, 4096][self.rng.usize(..4)];
                if s.frame[i].word.is_none() && size + by > 0 {
                    s.frame[i].size += by;
                    s.frame[i..].iter_mut().for_each(|slot| slot.off -= by);
                    s.depth -= by;
                    s.touched -= by;
                }
            }
            3 if i > 0 => {
                let above = s.frame[i - 1].word.clone();
                if s.frame[i].size == s.frame[i - 1].size {
                    s.frame[i].word = above;
                }
            }
            _ if size == word => {
                let known = s.frame[i].word.clone().unwrap_or_default();
                s.frame[i].word = Some(self.word(s, &known, other));
            }
            _ => {
                if let Some(Word::Int(t)) = s.frame[i].word.clone() {
                    s.frame[i].word = Some(Word::Int(self.term(&t, s.facts.var_count() as u32)));
                }
            }
        }
        "the frame"
    }

    fn facts(&mut self, s: &mut State, facts: &[Term]) -> &'static str {
        let rigid = self.part.entry.facts.list().len();
        let mut own: Vec<Term> = facts.get(rigid..).unwrap_or(&[]).to_vec();
        let vars = s.facts.var_count() as u32;
        let what = match (self.pick(own.len()), self.rng.u8(..4)) {
            (Some(i), 0) => {
                own.remove(i);
                "a fact left out"
            }
            (Some(i), 1 | 2) => {
                own[i] = self.term(&own[i].clone(), vars);
                "a fact"
            }
            (found, _) => {
                let base = match found {
                    Some(i) => own[i].clone(),
                    None if vars > 1 => {
                        let (a, b) = (self.rng.u32(..vars), self.rng.u32(..vars));
                        Term::var(a).sub(&Term::var(b)).unwrap_or_default()
                    }
                    None => return "nothing",
                };
                own.push(self.term(&base, vars));
                "a new fact"
            }
        };
        let mut all = Facts::default();
        for range in s.facts.intervals() {
            all.fresh(*range);
        }
        for fact in facts.iter().take(rigid).chain(&own) {
            // What could not be written is left out.
            let _ = all.declare(fact.clone());
        }
        s.facts = all;
        what
    }

    /// A location that the label has beyond the function's own.
    fn location(&mut self, s: &mut State, i: usize, first: usize, other: Option<&State>) -> &'static str {
        let vars = s.facts.var_count() as u32;
        match self.rng.u8(..10) {
            0 | 1 => {
                s.locs[i].mode = Mode::ALL[self.rng.usize(..7)];
                "a mode"
            }
            2 | 3 => {
                s.locs[i].lay.id = self.layout(s, other);
                "a layout"
            }
            4 | 5 => {
                s.locs[i].lay = self.lay(&s.locs[i].lay.clone(), vars);
                "an argument of a layout"
            }
            6 => {
                // The same memory twice.
                let copy = s.locs[i].clone();
                let Some(to) = self.pick(s.locs.len() - first) else { return "nothing" };
                s.locs[first + to] = copy;
                "a location copied"
            }
            7 => {
                s.locs[i].live = !s.locs[i].live;
                "a location that lives"
            }
            8 => {
                let stretch = self.pick(vars as usize).map(|v| v as u32);
                let was = [None, Some(Mode::Own), Some(Mode::Frozen)][self.rng.usize(..3)];
                let loc = &mut s.locs[i];
                (loc.mode, loc.stretch, loc.was) = (Mode::Frozen, stretch, was);
                "a location's stretch"
            }
            _ => self.held(s, i, other),
        }
    }

    /// What a location holds.
    fn held(&mut self, s: &mut State, i: usize, other: Option<&State>) -> &'static str {
        let vars = s.facts.var_count() as u32;
        match (self.pick(s.locs[i].cells.len()), self.rng.u8(..6)) {
            (Some(c), 0) => {
                s.locs[i].cells.remove(c);
            }
            (Some(c), 1) => {
                let t = s.locs[i].cells[c].off.clone();
                s.locs[i].cells[c].off = self.term(&t, vars);
            }
            (Some(c), 2 | 3) => {
                let known = s.locs[i].cells[c].word.clone();
                s.locs[i].cells[c].word = self.word(s, &known, other);
            }
            (_, 4) => {
                let word = self.word(s, &Word::Any, other);
                let off = self.small();
                let width = self.subject.program.arch.word_width();
                s.locs[i].cells.push(Held { off, width, word });
            }
            (_, 5) => {
                let (off, t) = (self.small(), self.small());
                s.locs[i].cells.push(Held { off, width: Width::B1, word: Word::Int(t) });
            }
            _ => {
                s.locs[i].lay = match self.rng.bool() {
                    true => Lay { id: self.layout(s, other), env: s.locs[i].lay.env.clone() },
                    false => self.lay(&s.locs[i].lay.clone(), vars),
                };
            }
        }
        "what memory holds"
    }

    fn lay(&mut self, lay: &Lay, vars: u32) -> Lay {
        let mut terms: Vec<Term> = lay.env.iter().flat_map(|e| e.iter().cloned()).collect();
        if let Some(i) = self.pick(terms.len()) {
            terms[i] = self.term(&terms[i].clone(), vars);
        }
        Lay { id: lay.id, env: lay.env.as_ref().map(|_| terms.into()) }
    }

    /// A layout of the note, or one that some label has.
    fn layout(&mut self, s: &State, other: Option<&State>) -> LayoutId {
        let (lo, hi) = self.subject.program.functions[self.function].types.layouts;
        let common = self.subject.program.shapes.common();
        match (self.rng.u8(..6), other) {
            (0, _) => common[self.rng.usize(..common.len())],
            (1 | 2, Some(other)) if !other.locs.is_empty() => {
                other.locs[self.rng.usize(..other.locs.len())].lay.id
            }
            (3, _) if !s.locs.is_empty() => s.locs[self.rng.usize(..s.locs.len())].lay.id,
            _ if lo < hi => LayoutId(self.rng.u32(lo..hi)),
            _ => common[1],
        }
    }

    /// Another word; `w` is the one that was there.
    fn word(&mut self, s: &State, w: &Word, other: Option<&State>) -> Word {
        let vars = s.facts.var_count() as u32;
        let types = self.subject.program.functions[self.function].types;
        if self.rng.bool() {
            match w {
                Word::Int(t) => return Word::Int(self.term(t, vars)),
                Word::Sp(t) => return Word::Sp(self.term(t, vars)),
                Word::Ptr(l, t) if self.rng.bool() => return Word::Ptr(*l, self.term(t, vars)),
                Word::Ptr(_, t) if !s.locs.is_empty() => {
                    return Word::Ptr(self.rng.u32(..s.locs.len() as u32), t.clone());
                }
                Word::Opt(v, id, env) => {
                    let inner = self.subject.program.types.word(*id);
                    return match (self.rng.u8(..3), inner) {
                        (0, _) => Word::Opt(self.rng.u32(..vars.max(1)), *id, env.clone()),
                        (1, WordTy::Opt(inner) | WordTy::Res(inner)) => Word::Opt(*v, *inner, env.clone()),
                        _ => Word::Opt(*v, self.word_type(types.words), env.clone()),
                    };
                }
                _ => {}
            }
        }
        let loc = self.pick(s.locs.len()).map(|l| l as u32);
        match (self.rng.u8(..12), loc) {
            (0, _) => Word::Any,
            (1 | 2, Some(l)) => Word::Ptr(l, self.small()),
            (3, _) => Word::Int(self.small()),
            (4, _) if vars > 0 => Word::Int(Term::var(self.rng.u32(..vars))),
            (5, _) => Word::Sp(Term::from(-8 * i128::from(self.rng.u8(..6)))),
            (6, _) => Word::Entry(self.register() as u8),
            (7, _) if !self.subject.program.objects.is_empty() => {
                let object = self.rng.u32(..self.subject.program.objects.len() as u32);
                Word::Ptr(STATIC + object, self.small())
            }
            (8, _) if types.sigs.0 < types.sigs.1 => {
                Word::Fn(SigId(self.rng.u32(types.sigs.0..types.sigs.1)))
            }
            (9, _) if vars > 0 => {
                let env = if self.rng.bool() { Some([].into()) } else { None };
                Word::Opt(self.rng.u32(..vars), self.word_type(types.words), env)
            }
            (10, _) => {
                let all = other.unwrap_or(s);
                let r = self.register();
                Some(all.regs[r].clone()).filter(|w| w.scope() <= vars).unwrap_or_default()
            }
            _ => {
                let r = self.register();
                s.regs[r].clone()
            }
        }
    }

    fn word_type(&mut self, (lo, hi): (u32, u32)) -> WordId {
        if lo < hi { WordId(self.rng.u32(lo..hi)) } else { self.subject.program.shapes.maybe_string() }
    }
}

/// Other steps without machine code.
pub(super) fn ghosts(subject: &Subject<'_>, function: usize, ghosts: &mut Vec<Step>, rng: &mut Rng) {
    let part = &subject.parts[function];
    let reg = |rng: &mut Rng| Reg(rng.u8(..subject.program.arch.registers()));
    let n = ghosts.len();
    if n > 0 && rng.u8(..4) > 0 {
        let i = rng.usize(..n);
        match rng.u8(..4) {
            0 => drop(ghosts.remove(i)),
            1 => {
                let copy = ghosts[i];
                ghosts.insert(i, copy);
            }
            2 => {
                let r = reg(rng);
                ghosts[i].ghost = match ghosts[i].ghost {
                    Ghost::Split(_) => Ghost::Split(r),
                    Ghost::Cursor(_) => Ghost::Cursor(r),
                    Ghost::Advance(_) => Ghost::Advance(r),
                    Ghost::End(_) => Ghost::End(r),
                    Ghost::Lend(old, place) if rng.bool() => Ghost::Lend(old, place ^ 1),
                    Ghost::Lend(_, place) => Ghost::Lend(r, place),
                    Ghost::Restore(place) => Ghost::Restore(place ^ 1),
                    Ghost::Join(a, _) => Ghost::Join(a, r),
                    Ghost::Choose(v, ty) => Ghost::Choose(
                        v,
                        WordId(ty.0.saturating_sub(1).max(subject.program.functions[function].types.words.0)),
                    ),
                };
            }
            _ => {
                let at = part.insns[rng.usize(..part.insns.len())].start as u64;
                ghosts[i].at = at;
                ghosts.sort_by_key(|g| g.at);
            }
        }
        return;
    }
    if part.insns.is_empty() {
        return;
    }
    let at = part.insns[rng.usize(..part.insns.len())].start as u64;
    let (lo, hi) = subject.program.functions[function].types.words;
    let ghost = match rng.u8(..8) {
        0 => Ghost::Split(reg(rng)),
        1 => Ghost::Join(reg(rng), reg(rng)),
        2 => Ghost::Cursor(reg(rng)),
        3 => Ghost::Advance(reg(rng)),
        4 => Ghost::End(reg(rng)),
        5 => Ghost::Lend(reg(rng), rng.u32(..3)),
        6 if lo < hi => Ghost::Choose(rng.u32(..3), WordId(rng.u32(lo..hi))),
        _ => Ghost::Restore(rng.u32(..3)),
    };
    let i = ghosts.partition_point(|g| g.at <= at);
    ghosts.insert(i, Step { at, falls: rng.u8(..8) == 0, ghost });
}
