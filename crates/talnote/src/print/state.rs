//! Prints states: what is known about registers, frame, memory and numbers at one program point.
//!
//! Index variables of a state have no names of their own. Those of the signature are called as in the signature;
//! one that a register or a word of the frame holds is called like that place; the others are numbered.

use super::{Printer, REGISTERS_32, REGISTERS_64};
use talcore::facts::{Interval, NEG_INF, POS_INF};
use talcore::state::{Env, LocId, STATIC, State, Word};
use talcore::term::{Term, Var};
use talcore::types::Types;

/// Facts that are printed at most.
const FACTS: usize = 40;

/// What a printer of states knows besides the types.
pub struct StatePrinter<'a> {
    /// The types of the program.
    pub types: &'a Types,
    /// Names of structs by id.
    pub structs: &'a [String],
    /// The machine word in bits.
    pub word_bits: u32,
    /// How many variables the signature binds; they are the first of the state.
    pub sig_vars: usize,
    /// Their names, where they have some.
    pub sig_names: &'a [String],
    /// The name of a static object, by its index.
    pub object: &'a dyn Fn(u32) -> String,
}

/// The names of a state's variables, for printing terms.
#[derive(Clone, Debug, Default)]
pub struct Names(Vec<String>);

impl StatePrinter<'_> {
    /// Names for all variables of a state.
    pub fn names(&self, state: &State) -> Names {
        let mut names = vec![String::new(); state.facts.var_count()];
        for (name, given) in names.iter_mut().zip(self.sig_names) {
            name.clone_from(given);
        }
        let mut give = |word: &Word, name: &dyn Fn() -> String| {
            let var = match word {
                Word::Int(t) => t.as_var(),
                Word::Opt(v, ..) => Some(*v),
                _ => None,
            };
            let slot = var.filter(|v| *v as usize >= self.sig_vars).and_then(|v| names.get_mut(v as usize));
            if let Some(slot) = slot.filter(|s| s.is_empty()) {
                *slot = name();
            }
        };
        for (r, word) in state.regs.iter().enumerate() {
            give(word, &|| self.register(r));
        }
        for slot in &state.frame {
            if let Some(word) = &slot.word {
                give(word, &|| self.frame_place(state, slot.off));
            }
        }
        for (r, word) in state.regs.iter().enumerate() {
            if let Word::Ptr(l, e) = word
                && e.as_const() == Some(0)
                && let Some(v) = state.locs.get(*l as usize).and_then(|l| l.addr)
                && let Some(slot) = names.get_mut(v as usize).filter(|s| s.is_empty())
            {
                *slot = format!("addr({})", self.register(r));
            }
        }
        for (i, name) in names.iter_mut().enumerate().skip(self.sig_vars) {
            if name.is_empty() {
                *name = format!("x{i}");
            }
        }
        Names(names)
    }

    /// The whole state, one thing on a line: registers, frame, facts. What a call preserves anyway is left out.
    pub fn lines(&self, state: &State) -> Vec<String> {
        let names = self.names(state);
        let mut lines = Vec::new();
        for r in 0..state.regs.len() {
            lines.extend(self.register_line(state, &names, r as u8));
        }
        for slot in state.frame.iter().rev() {
            let place = self.frame_place(state, slot.off);
            lines.push(match &slot.word {
                Some(word) => format!("{place}: {}", self.word(state, &names, word)),
                None => format!("{place}: bytes({})", slot.size),
            });
        }
        lines.extend(self.held(state, &names));
        if state.debt() > 0 {
            lines.push(format!("{} bytes of stack allocated and not touched", state.debt()));
        }
        lines.extend(self.facts(state, &names, &|_| true));
        lines
    }

    /// What is known about one register: `rdi: &mut [n] + 8*i`. `None` if that is nothing.
    pub fn register_line(&self, state: &State, names: &Names, register: u8) -> Option<String> {
        let word = state.regs.get(usize::from(register))?;
        let unchanged = matches!(word, Word::Entry(r) if *r == register);
        let known = !matches!(word, Word::Any) && !unchanged && register != 4;
        known.then(|| format!("{}: {}", self.register(register.into()), self.word(state, names, word)))
    }

    /// The words that exclusive memory is known to hold instead of what its type says: `[rdi + 8]: int(0)`.
    fn held(&self, state: &State, names: &Names) -> Vec<String> {
        let p = self.printer(names);
        let place = |base: &str, off: &Term| format!("[{base}{}]", plus(&p, off));
        // Where each location is seen from: the words that point to it, those of other memory last.
        let mut bases: Vec<Option<(String, Term)>> = vec![None; state.locs.len()];
        let mut seen = |word: &Word, from: &dyn Fn() -> String| {
            if let Word::Ptr(l, e) = word
                && let Some(base @ None) = bases.get_mut(*l as usize)
            {
                *base = Some((from(), e.clone()));
            }
        };
        for (r, word) in state.regs.iter().enumerate() {
            seen(word, &|| self.register(r));
        }
        for slot in &state.frame {
            if let Some(word) = &slot.word {
                seen(word, &|| self.frame_place(state, slot.off));
            }
        }
        let mut lines = Vec::new();
        // Memory is seen from memory that is seen: at most once through each location.
        let mut left: Vec<usize> = (0..state.locs.len()).collect();
        while let Some(i) = left.iter().position(|&l| bases[l].is_some()) {
            let l = left.remove(i);
            let Some((base, at)) = bases[l].clone() else { continue };
            for tag in &state.locs[l].tags {
                let off = tag.off.sub(&at).unwrap_or_else(|| tag.off.clone());
                lines.push(format!("the tag at {} is {}", place(&base, &off), p.term(&tag.value)));
            }
            for held in &state.locs[l].cells {
                let off = held.off.sub(&at).unwrap_or_else(|| held.off.clone());
                let place = place(&base, &off);
                let mut word = self.word(state, names, &held.word);
                if held.width.bits() < self.word_bits
                    && let Some(number) = word.strip_prefix("int")
                {
                    word = format!("u{}{number}", held.width.bits());
                }
                lines.push(format!("{place}: {word}"));
                if let Word::Ptr(k, e) = &held.word
                    && let Some(base @ None) = bases.get_mut(*k as usize)
                {
                    *base = Some((place, e.clone()));
                }
            }
        }
        lines
    }

    /// Intervals and facts that mention a variable which `about` selects.
    pub fn facts(&self, state: &State, names: &Names, about: &dyn Fn(Var) -> bool) -> Vec<String> {
        let printer = self.printer(names);
        let word = Interval::unsigned(self.word_bits);
        let size = Interval::new(0, Interval::signed(self.word_bits).hi);
        let mut lines = Vec::new();
        for v in 0..state.facts.var_count() as Var {
            let i = state.facts.interval(v);
            // A size of the signature and a word without further knowledge go without saying.
            let usual = i == Interval::ALL || i == word || ((v as usize) < self.sig_vars && i == size);
            if usual || !about(v) {
                continue;
            }
            let name = printer.var(v);
            lines.push(match (i.lo == NEG_INF, i.hi == POS_INF) {
                (false, false) if i.lo == i.hi => format!("{name} = {}", super::number(i.lo)),
                (false, false) => format!("{} <= {name} <= {}", super::number(i.lo), super::number(i.hi)),
                (false, true) => format!("{} <= {name}", super::number(i.lo)),
                _ => format!("{name} <= {}", super::number(i.hi)),
            });
        }
        let selected = |t: &&Term| t.summands().iter().any(|s| about(s.0));
        lines.extend(state.facts.list().iter().filter(selected).map(|t| printer.fact(t)));
        let mut seen = std::collections::BTreeSet::new();
        lines.retain(|line| seen.insert(line.clone()));
        let more = lines.len().saturating_sub(FACTS);
        if more > 0 {
            lines.truncate(FACTS);
            lines.push(format!("and {more} more"));
        }
        lines
    }

    /// A goal or fact `t >= 0` as an inequality.
    pub fn fact(&self, names: &Names, t: &Term) -> String {
        self.printer(names).fact(t)
    }

    /// The type of a word in this state.
    pub fn word(&self, state: &State, names: &Names, word: &Word) -> String {
        let p = self.printer(names);
        match word {
            Word::Any => "unknown".into(),
            Word::Int(t) => format!("int({})", p.term(t)),
            Word::Ptr(l, e) => format!("{}{}", self.location(state, names, *l), plus(&p, e)),
            Word::Sp(e) => {
                let from_top = e.offset(-i128::from(state.depth)).unwrap_or_else(|| e.clone());
                format!("{}{}", self.register(4), plus(&p, &from_top))
            }
            Word::Opt(_, w, env) => p.text_under(env.as_deref(), |writer| writer.word(*w)),
            Word::Fn(sig) => p.sig(*sig),
            Word::Entry(r) => format!("the caller's {}", self.register(usize::from(*r))),
            Word::Var(v) => p.text(|w| w.word_var(*v)),
            Word::Restorer => "the signal restorer".into(),
        }
    }

    /// What a pointer to the start of a location is: `&mut [n]`, or the name of a static object.
    fn location(&self, state: &State, names: &Names, id: LocId) -> String {
        if id >= STATIC {
            return (self.object)(id - STATIC);
        }
        match state.locs.get(id as usize) {
            Some(loc) => {
                let env: &Env = &loc.lay.env;
                let text = self.printer(names).text_under(env.as_deref(), |w| {
                    w.stretch = loc.stretch.map(Term::var);
                    w.pointer(loc.mode, loc.lay.id);
                });
                if loc.was.is_some() { format!("{text} (lent)") } else { text }
            }
            None => "?".into(),
        }
    }

    fn printer<'n>(&'n self, names: &'n Names) -> Printer<'n> {
        Printer { types: self.types, structs: self.structs, vars: &names.0, word_bits: self.word_bits }
    }

    fn register(&self, r: usize) -> String {
        let names: &[&str] = if self.word_bits == 64 { &REGISTERS_64 } else { &REGISTERS_32 };
        names.get(r).map_or_else(|| format!("r{r}"), |n| (*n).into())
    }

    /// `[rsp + 8]`.
    fn frame_place(&self, state: &State, off: i64) -> String {
        match off.wrapping_sub(state.depth) {
            0 => format!("[{}]", self.register(4)),
            n => format!("[{} + {n}]", self.register(4)),
        }
    }
}

/// ` + e`, nothing for 0.
fn plus(p: &Printer<'_>, e: &Term) -> String {
    match e.as_const() {
        Some(0) => String::new(),
        Some(c) if c < 0 => format!(" - {}", super::number(c.saturating_neg())),
        _ => format!(" + {}", p.term(e)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::rc::Rc;
    use talcore::state::{Held, Lay, Slot};
    use talcore::types::{Layout, LayoutId, Mode};
    use talcore::x86::insn::Width;

    #[test]
    fn a_state_reads_like_a_signature() {
        let mut types = Types::default();
        types.layouts.push(Layout::Bytes(Term::var(0)));
        let mut s = State::default();
        let n = s.facts.fresh(Interval::new(0, Interval::signed(64).hi));
        let i = s.facts.fresh(Interval::new(0, POS_INF));
        let hidden = s.facts.fresh(Interval::new(3, 3));
        let in_frame = s.facts.fresh(Interval::unsigned(64));
        let env: Env = Some(Rc::from([Term::var(n).scale(8).unwrap()]));
        let l = s.new_loc(Mode::Mut, Lay { id: LayoutId(0), env }).unwrap();
        s.regs[7] = Word::Ptr(l, Term::var(i).scale(8).unwrap());
        s.regs[1] = Word::Int(Term::var(i));
        s.regs[0] = Word::Int(Term::var(hidden).offset(1).unwrap());
        s.regs[6] = Word::Ptr(STATIC + 5, Term::from(-8));
        s.regs[3] = Word::Entry(3);
        s.regs[5] = Word::Entry(3);
        s.depth = -24;
        s.frame = vec![
            Slot { off: -8, size: 8, word: Some(Word::Int(Term::var(in_frame))) },
            Slot { off: -24, size: 16, word: None },
        ];
        s.touched = -8;
        s.facts.assume(&Term::from_parts(-1, &[(n, 1), (i, -1)]).unwrap());
        let object = |o: u32| format!("object{o}");
        let p = StatePrinter {
            types: &types,
            structs: &[],
            word_bits: 64,
            sig_vars: 1,
            sig_names: &[],
            object: &object,
        };
        assert_eq!(
            p.lines(&s),
            [
                "rax: int(x2 + 1)",
                "rcx: int(rcx)",
                "rbp: the caller's rbx",
                "rsi: object5 - 8",
                "rdi: &mut [8*n] + 8*rcx",
                "[rsp]: bytes(16)",
                "[rsp + 16]: int([rsp + 16])",
                "16 bytes of stack allocated and not touched",
                "0 <= rcx",
                "x2 = 3",
                "rcx + 1 <= n",
            ]
        );
        let names = p.names(&s);
        assert_eq!(p.facts(&s, &names, &|v| v == n), ["rcx + 1 <= n"]);
        assert_eq!(p.register_line(&s, &names, 3), None);
    }

    #[test]
    fn words_in_owned_memory_are_shown_where_they_lie() {
        let mut types = Types::default();
        types.layouts.push(Layout::Bytes(Term::from(64)));
        let mut s = State::default();
        let mut own = || s.new_loc(Mode::Own, Lay { id: LayoutId(0), env: None }).unwrap();
        let (outer, inner, lost) = (own(), own(), own());
        let mut hold = |l: u32, off: i128, word| {
            s.locs[l as usize].cells.push(Held { off: Term::from(off), width: Width::B8, word });
        };
        hold(outer, 24, Word::Ptr(inner, Term::zero()));
        hold(inner, 8, Word::Int(Term::from(7)));
        hold(lost, 8, Word::Int(Term::from(7)));
        s.regs[7] = Word::Ptr(outer, Term::from(16));
        let p = StatePrinter {
            types: &types,
            structs: &[],
            word_bits: 64,
            sig_vars: 0,
            sig_names: &[],
            object: &|_| String::new(),
        };
        assert_eq!(
            p.lines(&s),
            ["rdi: own bytes(64) + 16", "[rdi + 8]: own bytes(64)", "[[rdi + 8] + 8]: int(7)"]
        );
    }
}
