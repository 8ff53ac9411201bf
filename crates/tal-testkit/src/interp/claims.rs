//! What the annotations claim at labels, looked at with the values at hand.
//!
//! The checker believes the state of a label as soon as each edge to it proves it, and all code behind the label is
//! checked against that state alone. So whenever a run comes to a label, what its state says must be so: words are
//! congruent to their terms, intervals and facts hold, pointers into one location agree about where it lies, what
//! they point to is there, and no two locations that belong to the function alone share a byte.
//!
//! A state speaks of variables. What they stand for follows from the words that mention them; what does not follow is
//! not looked at.

use super::alu::cut;
use super::sigs::{Vars, holds, value};
use super::{Frame, Machine, RSP, Watched};
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::rc::Rc;
use talcore::annot::Reading;
use talcore::check::fuel_for;
use talcore::engine::{Engine, under};
use talcore::facts::{Interval, NEG_INF, POS_INF};
use talcore::program::Program;
use talcore::state::{Lay, STATIC, State, Word};
use talcore::term::{Term, Var};
use talcore::types::{Mode, WordTy};
use talcore::walk::NoGuide;

/// The states of all labels, by address; by default nothing is known of labels.
#[derive(Clone, Default)]
pub struct Claims(Option<Rc<HashMap<u64, Rc<State>>>>);

impl Claims {
    /// Reads them from the file that the program was loaded from.
    #[must_use]
    pub fn of(program: &Program<'_>, file: &[u8]) -> Claims {
        let mut all = HashMap::new();
        for f in &program.functions {
            let stream = file.get(f.stream.clone()).unwrap_or(&[]);
            let fuel = fuel_for(f.size.saturating_add(stream.len() as u64));
            let Ok(engine) = Engine::new(program, f, NoGuide, fuel) else { continue };
            let Ok(reading) = Reading::new(stream, program, f, &engine.entry) else { continue };
            all.extend(reading.labels().iter().map(|(at, state)| (f.addr + at, state.clone())));
        }
        Claims(Some(Rc::new(all)))
    }

    /// Of these labels, each with its address.
    #[must_use]
    pub fn at(labels: impl Iterator<Item = (u64, Rc<State>)>) -> Claims {
        Claims(Some(Rc::new(labels.collect())))
    }

    /// The same with other labels in a range of addresses.
    #[must_use]
    pub fn with(&self, range: &Range<u64>, labels: impl Iterator<Item = (u64, Rc<State>)>) -> Claims {
        let all = self.0.iter().flat_map(|all| all.iter());
        let others = all.filter(|l| !range.contains(l.0)).map(|(at, s)| (*at, s.clone()));
        Claims(Some(Rc::new(others.chain(labels).collect())))
    }

    /// Whether a jump of a function to its own start is a loop: there is a label. Else the function calls itself at its
    /// end. Both are allowed, and where nothing is known of labels they look the same.
    pub(super) fn loops_to(&self, start: u64) -> bool {
        self.0.as_ref().is_none_or(|all| all.contains_key(&start))
    }
}

/// A word that a state speaks of.
struct Claimed {
    /// Where it is, for messages.
    place: String,
    word: Word,
    is: u64,
    /// Modulo which power of 2 it is congruent to what is said.
    bits: u32,
}

/// What the names of a state stand for, as far as it is known.
struct Meaning<'s> {
    state: &'s State,
    vars: Vars,
    /// The addresses of locations.
    places: Vec<Option<u64>>,
    /// Which words in memory have been looked at: location, offset and bits.
    looked: HashSet<(usize, i128, u32)>,
    /// rsp at the function's entry.
    top: u64,
}

impl Machine<'_> {
    /// Looks at the claims of the label at `rip`, if there is one.
    pub(super) fn check_claims(&mut self) -> Watched<()> {
        let Some(state) = self.claims.0.as_ref().and_then(|all| all.get(&self.rip)).cloned() else {
            return Ok(());
        };
        let frame = self.frames.last().cloned();
        self.claimed(&state, frame.as_ref()).map_err(|e| format!("the label at {:#x} lies: {e}", self.rip))
    }

    fn claimed(&mut self, state: &State, frame: Option<&Frame>) -> Watched<()> {
        let top = frame.map_or(self.memory.block, |f| f.slot);
        if self.regs[RSP] != top.wrapping_add_signed(state.depth) {
            return Err("the stack has another depth".into());
        }
        let mut vars = frame.map_or(Vec::new(), |f| f.vars.clone());
        vars.resize(state.facts.var_count(), None);
        let mut m =
            Meaning { state, vars, places: vec![None; state.locs.len()], looked: HashSet::new(), top };
        let mut words = self.words_of(state, top)?;
        loop {
            let before = m.known();
            for w in &words {
                m.bind(self.program, w)?;
            }
            if m.known() == before {
                // Words in memory whose place is known now.
                let more = self.held_words(&mut m)?;
                if more.is_empty() {
                    break;
                }
                words.extend(more);
            }
        }
        for w in &words {
            self.holds_word(&m, w, frame).map_err(|e| format!("{} is {:#x}: {e}", w.place, w.is))?;
        }
        for (v, x) in m.vars.iter().enumerate() {
            let range = state.facts.interval(v as Var);
            if x.is_some_and(|x| !holds(range, x)) {
                return Err(format!("variable {v} is {x:?}, not in {}..{}", range.lo, range.hi));
            }
        }
        for fact in state.facts.list() {
            if value(fact, &m.vars).is_some_and(|x| x < 0) {
                return Err(format!("a fact is false: {fact:?} under {:?}", m.vars));
            }
        }
        self.holds_memory(&m, &words)
    }

    /// The words in registers, in the frame, and those that the caller passed on the stack.
    fn words_of(&mut self, state: &State, top: u64) -> Watched<Vec<Claimed>> {
        let (mut all, bits, bytes) = (Vec::new(), self.bits, self.word_bytes() as i64);
        for (r, word) in state.regs.iter().enumerate().filter(|(r, _)| *r != RSP) {
            all.push(Claimed { place: format!("r{r}"), word: word.clone(), is: self.regs[r], bits });
        }
        let mut read = |at: i64, size: i64, word: &Word| {
            let is = self.memory.read(top.wrapping_add_signed(at), size as usize)?;
            let place = format!("the word at {at} in the frame");
            all.push(Claimed { place, word: word.clone(), is, bits });
            Ok::<(), String>(())
        };
        for slot in &state.frame {
            if let Some(word) = &slot.word {
                read(slot.off, slot.size, word)?;
            }
        }
        for (i, word) in state.incoming.iter().enumerate() {
            read(bytes + bytes * i as i64, bytes, word)?;
        }
        all.retain(|w| !matches!(w.word, Word::Any));
        Ok(all)
    }

    /// The words that exclusive memory holds, of locations that have been found and not been looked into.
    fn held_words(&mut self, m: &mut Meaning<'_>) -> Watched<Vec<Claimed>> {
        let mut all = Vec::new();
        for (l, loc) in m.state.locs.iter().enumerate().filter(|(_, loc)| loc.live) {
            let Some(base) = m.places[l] else { continue };
            for held in &loc.cells {
                let Some(off) = value(&held.off, &m.vars) else { continue };
                let place = format!("the word at {off} in location {l}");
                let bits = held.width.bits();
                if !m.looked.insert((l, off, bits)) {
                    continue;
                }
                let addr = cut(base.wrapping_add(off as u64), self.bits);
                let size = held.width.bytes();
                let allowed = self.memory.allowed(self.program, self.regs[RSP], addr, size.into(), false);
                allowed.map_err(|e| format!("{place}: {e}"))?;
                let is = self.memory.read(addr, size as usize)?;
                all.push(Claimed { place, word: held.word.clone(), is, bits });
            }
        }
        Ok(all)
    }

    /// Whether a word is what the state says, where that is known.
    fn holds_word(&mut self, m: &Meaning<'_>, w: &Claimed, frame: Option<&Frame>) -> Watched<()> {
        let program = self.program;
        match &w.word {
            Word::Fn(sig) => match program.sig_at(w.is) {
                Some(found) if program.same_sig(*sig, found) => Ok(()),
                _ => Err("no function of that type".into()),
            },
            Word::Entry(r) => match frame {
                Some(f) if f.regs[usize::from(*r)] != w.is => Err(format!("not what r{r} was at the entry")),
                _ => Ok(()),
            },
            Word::Var(v) => match frame.and_then(|f| f.words.get(*v as usize).copied().flatten()) {
                Some(x) if x != w.is => Err("not what the variable stands for".into()),
                _ => Ok(()),
            },
            _ => match m.word(program, &w.word) {
                Some(x) if cut(x ^ w.is, w.bits) != 0 => Err(format!("should be {x:#x}")),
                _ => Ok(()),
            },
        }
    }

    /// Whether the memory of locations is there, and that of exclusive ones nobody else's.
    fn holds_memory(&mut self, m: &Meaning<'_>, words: &[Claimed]) -> Watched<()> {
        let mut exclusive: Vec<(u64, u64, String)> = Vec::new();
        let mut frozen: Vec<(u64, u64, usize)> = Vec::new();
        for (l, loc) in m.state.locs.iter().enumerate().filter(|(_, loc)| loc.live) {
            let (Some(base), Some(size)) = (m.places[l], m.size(self.program, &loc.lay)) else { continue };
            let allowed = self.memory.allowed(self.program, self.regs[RSP], base, size, loc.mode.writable());
            allowed.map_err(|e| format!("location {l}: {e}"))?;
            // Tags of unions, where no other word is said to lie: their lowest byte, whatever their width is.
            for tag in loc.tags.iter().filter(|t| loc.cells.iter().all(|c| c.off != t.off)) {
                let (Some(off), Some(x)) = (value(&tag.off, &m.vars), value(&tag.value, &m.vars)) else {
                    continue;
                };
                let byte = self.memory.read(base.wrapping_add(off as u64), 1)?;
                if i128::from(byte) != x & 0xff {
                    return Err(format!("the tag at {off} in location {l} is {byte}, not {x}"));
                }
            }
            if loc.lay.id == self.program.shapes.text()
                && let Some(m) = loc.lay.env.as_ref().and_then(|e| value(e.first()?, &m.vars))
            {
                for i in 0..=m {
                    let byte = self.memory.read(base.wrapping_add(i as u64), 1)?;
                    if (byte == 0) != (i == m) {
                        return Err(format!("location {l} should be a string of {m} bytes"));
                    }
                }
            }
            // Lent memory is exclusive again later, but other names for it are no lies until then.
            if loc.stretch.is_some() && loc.was.is_none() && size > 0 {
                frozen.push((base, size, l));
            }
            if loc.exclusive() {
                exclusive.push((base, size, format!("location {l}")));
            }
        }
        // Owners that have not been tested: copies of one word are one owner.
        let mut untested: Vec<Var> = Vec::new();
        for w in words {
            let Word::Opt(v, ty, env) = &w.word else { continue };
            let types = &self.program.types;
            let errors = w.is >= cut(4095u64.wrapping_neg(), self.bits);
            if w.is == 0 || errors || !types.linear(*ty) || untested.contains(v) {
                continue;
            }
            untested.push(*v);
            // One that is there for some values of another word owns memory if that has one of them.
            let ty = match types.word(*ty) {
                WordTy::When(t, range, inner) => match under(t, env).and_then(|t| value(&t, &m.vars)) {
                    Some(told) if (range.lo..=range.hi).contains(&told) => *inner,
                    _ => continue,
                },
                _ => *ty,
            };
            let Some((Mode::Own, id)) = types.pointer(ty) else { continue };
            if let Some(size) = m.size(self.program, &Lay { id, env: env.clone() }) {
                exclusive.push((w.is, size, w.place.clone()));
            }
        }
        exclusive.retain(|e| e.1 > 0);
        exclusive.sort();
        for (base, size, l) in &frozen {
            let meets =
                |e: &&(u64, u64, String)| *base < e.0.saturating_add(e.1) && e.0 < base.saturating_add(*size);
            if let Some(e) = exclusive.iter().find(meets) {
                return Err(format!("location {l} is frozen, and {} may write it", e.2));
            }
        }
        match exclusive.windows(2).find(|two| two[0].0.saturating_add(two[0].1) > two[1].0) {
            Some(two) => Err(format!("{} and {} share memory at {:#x}", two[0].2, two[1].2, two[1].0)),
            None => Ok(()),
        }
    }
}

impl Meaning<'_> {
    fn known(&self) -> usize {
        self.vars.iter().flatten().count() + self.places.iter().flatten().count()
    }

    /// The size in bytes of what a location holds.
    fn size(&self, program: &Program<'_>, lay: &Lay) -> Option<u64> {
        let size = value(&under(program.shapes.size(lay.id)?, &lay.env)?, &self.vars)?;
        u64::try_from(size).ok()
    }

    /// Where the object or frame lies that a word points into, and the term of the offset; for a number 0.
    fn base(&self, program: &Program<'_>, word: &Word) -> Option<(Option<u64>, Term)> {
        Some(match word {
            Word::Int(t) => (Some(0), t.clone()),
            Word::Opt(v, ..) => (Some(0), Term::var(*v)),
            Word::Sp(e) => (Some(self.top), e.clone()),
            Word::Ptr(l, e) if *l >= STATIC => {
                (program.objects.get((l - STATIC) as usize).map(|o| o.addr), e.clone())
            }
            Word::Ptr(l, e) => (self.places.get(*l as usize).copied().flatten(), e.clone()),
            _ => return None,
        })
    }

    /// What a word must be, if that is known.
    fn word(&self, program: &Program<'_>, word: &Word) -> Option<u64> {
        let (base, t) = self.base(program, word)?;
        Some(base?.wrapping_add(value(&t, &self.vars)? as u64))
    }

    /// Learns from a word what one variable, or the place of a location, is.
    fn bind(&mut self, program: &Program<'_>, w: &Claimed) -> Watched<()> {
        let Some((base, t)) = self.base(program, &w.word) else { return Ok(()) };
        let Some(base) = base else {
            if let (Word::Ptr(l, _), Some(e)) = (&w.word, value(&t, &self.vars))
                && let Some(place) = self.places.get_mut(*l as usize)
            {
                let at = cut(w.is.wrapping_sub(e as u64), program.arch.word_bits());
                *place = Some(at);
                if let Some(v) = self.state.locs[*l as usize].addr {
                    let known = *self.vars[v as usize].get_or_insert(at.into());
                    if known != i128::from(at) {
                        return Err(format!("{}: the address is not variable {v}", w.place));
                    }
                }
            }
            return Ok(());
        };
        let summands = t.summands();
        let mut open = summands.iter().filter(|s| self.vars[s.0 as usize].is_none());
        let (Some(&(v, c @ (1 | -1))), None) = (open.next(), open.next()) else { return Ok(()) };
        let rest = t.add_scaled(&Term::var(v), -i128::from(c)).and_then(|t| value(&t, &self.vars));
        let Some(rest) = rest else { return Ok(()) };
        let x = w.is.wrapping_sub(base).wrapping_sub(rest as u64);
        let x = if c == 1 { x } else { x.wrapping_neg() };
        self.vars[v as usize] = only(x, self.state.facts.interval(v), w.bits)
            .map_err(|()| format!("{} is {:#x}: variable {v} cannot be that", w.place, w.is))?;
        Ok(())
    }
}

/// The number in an interval that is congruent to a word modulo 2^bits, if there is one only; an error if there is none.
fn only(word: u64, range: Interval, bits: u32) -> Result<Option<i128>, ()> {
    if range.lo == NEG_INF || range.hi == POS_INF {
        return Ok(None);
    }
    let all = 1i128 << bits;
    let x = range.lo + (i128::from(word) - range.lo).rem_euclid(all);
    match (x <= range.hi, x + all <= range.hi) {
        (false, _) => Err(()),
        (true, true) => Ok(None),
        (true, false) => Ok(Some(x)),
    }
}
