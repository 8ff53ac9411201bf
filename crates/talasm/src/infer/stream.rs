//! Writes annotation streams: the inverse of `talcore::annot`.

use std::collections::HashMap;
use std::rc::Rc;
use talcore::facts::{Cert, Facts, Interval};
use talcore::program::{Function, Program};
use talcore::state::{Env, STATIC, State, Word};
use talcore::term::Term;
use talcore::types::{LayoutId, WordId};
use talnote::wire;

/// The answers of one function, in the order in which they are asked.
#[derive(Default)]
pub(super) struct Answers {
    required: Vec<u8>,
    optional: Vec<u8>,
    skipped: u128,
}

impl Answers {
    /// A proof that a rule cannot do without.
    pub(super) fn proof(&mut self, facts: &Facts, cert: &Cert) {
        proof(&mut self.required, facts, cert);
    }

    /// An answer to an optional question.
    pub(super) fn maybe(&mut self, facts: &Facts, cert: Option<&Cert>) {
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
    pub(super) fn witness(&mut self, t: &Term) {
        wire::term(&mut self.required, t);
    }

    /// Whether a constant is an address, and what was added to it.
    pub(super) fn addend(&mut self, addend: Option<i64>) {
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

/// Writes the stream of a function.
pub(super) fn write(
    program: &Program<'_>,
    function: &Function,
    entry: &State,
    labels: &[(u64, Rc<State>)],
    answers: &Answers,
) -> Option<Vec<u8>> {
    let statics = function.statics.iter().enumerate().filter_map(|(i, o)| Some(((*o)?, i as u32))).collect();
    let mut w = Writer { out: Vec::new(), program, function, entry, statics };
    wire::count(&mut w.out, labels.len());
    let mut at = 0;
    let mut previous: Option<&State> = None;
    for (offset, state) in labels {
        wire::uleb(&mut w.out, u128::from(offset - at));
        at = *offset;
        w.state(state, previous)?;
        previous = Some(state);
    }
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
    fn bits(&self) -> u32 {
        self.program.arch.word_bits()
    }

    fn state(&mut self, s: &State, previous: Option<&State>) -> Option<()> {
        let vars = self.entry.facts.var_count();
        let locs = self.entry.locs.len();
        let debt = s.debt();
        let narrowed: Vec<(u32, Interval)> = (0..vars as u32)
            .map(|v| (v, s.facts.interval(v)))
            .filter(|(v, i)| *i != self.entry.facts.interval(*v))
            .collect();
        let facts = s.facts.list().get(self.entry.facts.list().len()..)?;
        let before = previous.map_or(&[][..], |p| &p.frame);
        let kept = before
            .iter()
            .zip(&s.frame)
            .take_while(|(a, b)| a == b && a.word.as_ref().is_none_or(|w| rigid(w, vars as u32, locs as u32)))
            .count();
        let frame = kept != before.len() || kept != s.frame.len();
        let flag = |on: bool, bit: u8| if on { bit } else { 0 };
        self.out.push(
            flag(debt != 0, 1)
                | flag(!narrowed.is_empty(), 2)
                | flag(s.locs.len() > locs, 4)
                | flag(!facts.is_empty(), 8)
                | flag(frame, 16),
        );
        let mut next = vars as u32;
        let mut mask = 0u16;
        for r in 0..16 {
            if r != 4 && s.regs[r] != self.entry.regs[r] {
                mask |= 1 << r;
            }
        }
        self.out.extend(mask.to_le_bytes());
        for r in (0..16).filter(|r| mask >> r & 1 == 1) {
            self.word(&s.regs[r], &mut next)?;
        }
        if debt != 0 {
            wire::uleb(&mut self.out, debt as u128);
        }
        if frame {
            wire::count(&mut self.out, kept);
            wire::count(&mut self.out, s.frame.len() - kept);
            for slot in &s.frame[kept..] {
                match &slot.word {
                    None => {
                        self.out.push(0);
                        wire::uleb(&mut self.out, slot.size as u128);
                    }
                    Some(w) => self.word(w, &mut next)?,
                }
            }
        }
        let bits = self.bits();
        wire::count(&mut self.out, s.facts.var_count() - vars);
        for v in vars..s.facts.var_count() {
            wire::interval(&mut self.out, &s.facts.interval(v as u32), bits);
        }
        if !narrowed.is_empty() {
            wire::count(&mut self.out, narrowed.len());
            for (v, range) in narrowed {
                wire::uleb(&mut self.out, u128::from(v));
                wire::interval(&mut self.out, &range, bits);
            }
        }
        if s.locs.len() > locs {
            wire::count(&mut self.out, s.locs.len() - locs);
            for l in &s.locs[locs..] {
                self.out.push(l.mode as u8);
                let id = self.layout(l.lay.id)?;
                wire::uleb(&mut self.out, id.into());
                self.env(&l.lay.env);
            }
        }
        if !facts.is_empty() {
            wire::terms(&mut self.out, facts);
        }
        Some(())
    }

    fn env(&mut self, env: &Env) {
        match env {
            Some(terms) => wire::terms(&mut self.out, terms),
            // The identity, written out.
            None => {
                let vars = self.entry.facts.var_count() as u32;
                let terms: Vec<Term> = (0..vars).map(Term::var).collect();
                wire::terms(&mut self.out, &terms);
            }
        }
    }

    fn layout(&self, id: LayoutId) -> Option<u32> {
        let (lo, hi) = self.function.types.layouts;
        if id == self.program.shapes.string() {
            return Some(0);
        }
        if (lo..hi).contains(&id.0) {
            return Some(1 + id.0 - lo);
        }
        let hidden = (lo..hi).find(|l| self.program.shapes.opened(LayoutId(*l)) == Some(id))?;
        Some(1 + (hi - lo) + (hidden - lo))
    }

    fn opt_word(&self, id: WordId) -> Option<u32> {
        let (lo, hi) = self.function.types.words;
        if id == self.program.shapes.maybe_string() {
            return Some(0);
        }
        (lo..hi).contains(&id.0).then(|| 1 + id.0 - lo)
    }

    fn word(&mut self, w: &Word, next: &mut u32) -> Option<()> {
        let out = &mut self.out;
        match w {
            Word::Any => out.push(1),
            Word::Int(t) => match (t.as_var(), t.as_const()) {
                (Some(v), _) if v == *next => {
                    *next += 1;
                    out.push(2);
                }
                (Some(v), _) => {
                    out.push(3);
                    wire::uleb(out, v.into());
                }
                (_, Some(c)) => {
                    out.push(4);
                    wire::sleb(out, c);
                }
                _ => match *t.summands() {
                    [(v, 1)] => {
                        out.push(14);
                        wire::uleb(out, u128::from(v));
                        wire::sleb(out, t.konst());
                    }
                    _ => {
                        out.push(5);
                        wire::term(out, t);
                    }
                },
            },
            Word::Ptr(l, e) => {
                let (tag, id) = match l.checked_sub(STATIC) {
                    None => (6, *l),
                    Some(o) => (8, *self.statics.get(&o)?),
                };
                let plain = e.as_const() == Some(0);
                out.push(if plain { tag } else { tag + 1 });
                wire::uleb(out, id.into());
                if !plain {
                    wire::term(out, e);
                }
            }
            Word::Sp(e) => {
                out.push(10);
                wire::term(out, e);
            }
            Word::Opt(v, ty, env) => {
                out.push(11);
                wire::uleb(out, u128::from(*v));
                let ty = self.opt_word(*ty)?;
                wire::uleb(&mut self.out, ty.into());
                self.env(env);
            }
            Word::Fn(sig) => {
                let id = sig.0.checked_sub(self.function.types.sigs.0)?;
                out.push(12);
                wire::uleb(out, id.into());
            }
            Word::Var(v) => {
                out.push(13);
                wire::uleb(out, u128::from(*v));
            }
            Word::Entry(r) => out.push(32 + r),
        }
        Some(())
    }
}

/// Whether a word speaks of the entry state only.
fn rigid(w: &Word, vars: u32, locs: u32) -> bool {
    match w {
        Word::Int(t) | Word::Sp(t) => t.scope() <= vars,
        Word::Ptr(l, t) => (*l >= STATIC || *l < locs) && t.scope() <= vars,
        Word::Opt(v, _, env) => *v < vars && env.as_ref().is_none_or(|e| e.iter().all(|t| t.scope() <= vars)),
        Word::Any | Word::Fn(_) | Word::Entry(_) | Word::Var(_) => true,
    }
}
