//! The annotation stream of a function, and the guide that reads it.
//!
//! # Format
//!
//! ```text
//! stream:   uleb labels; for each: uleb distance from the previous label (the first: from the
//!           function's start), state
//!           uleb size of the answers in bytes, answers; the rest: optional proofs
//! state:    u8 flags: 1 debt follows, 2 intervals of entry variables follow, 4 locations follow,
//!                     8 facts follow, 16 the frame differs from the previous label's
//!           u16 registers that differ from the entry state (little endian), a word for each
//!           [uleb debt in bytes]
//!           [frame: uleb pieces kept from the previous label's frame (the first label: none), from the
//!            return slot down; uleb new pieces; for each: 0 and uleb bytes (raw), or a word]
//!           uleb new variables, an interval for each
//!           [uleb count; for each: uleb entry variable, interval]
//!           [uleb locations; for each: u8 mode, uleb layout, uleb count, terms (its environment)]
//!           [uleb facts, terms]
//! word:     1 nothing known; 2 int(the next new variable); 3 int: uleb variable; 4 int: sleb constant;
//!           5 int: term; 6 pointer to: uleb location; 7 pointer: uleb location, term;
//!           8 pointer to: uleb static; 9 pointer: uleb static, term; 10 frame address: term;
//!           11 opt: uleb variable, uleb word, uleb count, terms; 12 fn: uleb sig; 13 word variable: uleb;
//!           14 int: uleb variable, sleb constant; 32 + r: what the caller had in register r
//! answers:  proofs, witnesses and decisions in the order in which they are asked
//! proof:    uleb p; p & 3 = 0: one fact, p >> 2 counted back from the last one; 1: two facts, p >> 2 and
//!           uleb, counted likewise; 2: p >> 2 facts: uleb factor of the goal, for each uleb fact and
//!           uleb multiplier; 3: one fact, p >> 2, uleb multiplier, uleb factor of the goal
//! witness:  term
//! decision: u8: 0 a number, 1 an address, 2 an address plus the sleb that follows
//! optional: uleb questions without an answer, proof; and so on; at the end all are without
//! ```
//!
//! A label's variables are the entry state's, then its own; its facts are the entry state's (they
//! hold everywhere), then its own. Types of the function's note are numbered as in the note.

use crate::facts::{Cert, Facts, Interval, Uses};
use crate::guide::{Edge, Guide};
use crate::limits;
use crate::program::{Function, Program};
use crate::reader::Reader;
use crate::state::{Env, Lay, Loc, STATIC, Slot, State, Word};
use crate::term::Term;
use crate::types::{LayoutId, Mode, SigId, WordId};
use crate::x86::insn::Reg;
use alloc::rc::Rc;
use alloc::vec::Vec;

/// Where a note's types start in the program's tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TypeBase {
    /// First word type, and one past the last.
    pub words: (u32, u32),
    /// First layout, and one past the last.
    pub layouts: (u32, u32),
    /// First signature, and one past the last.
    pub sigs: (u32, u32),
}

fn in_base(base: (u32, u32), id: u32) -> Option<u32> {
    base.0.checked_add(id).filter(|id| *id < base.1)
}

/// A label's offset in its function, and its state.
pub type Label = (u64, Rc<State>);

/// The checking guide: answers come from the file and are verified by the rules.
#[derive(Default)]
pub struct Reading<'a> {
    labels: Vec<Label>,
    /// How many labels there are; what lies behind them in `labels` is memory for another function.
    count: usize,
    answers: Reader<'a>,
    optional: Reader<'a>,
    /// Optional questions until the next answer; `None` before it has been read.
    skip: Option<u64>,
}

/// Why a stream is rejected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BadStream {
    /// The offset at which it is malformed.
    pub at: usize,
    /// It says more than the checker would hold in memory: see [`limits::LABEL_PARTS`].
    pub too_much: bool,
}

impl<'a> Reading<'a> {
    /// Reads the labels of a function whose entry state is known.
    pub fn new(
        bytes: &'a [u8],
        program: &Program<'_>,
        function: &Function,
        entry: &State,
    ) -> Result<Self, BadStream> {
        Reading::in_place_of(Vec::new(), bytes, program, function, entry)
    }

    /// The same in the memory of labels that are not needed any more.
    pub fn in_place_of(
        old: Vec<Label>,
        bytes: &'a [u8],
        program: &Program<'_>,
        function: &Function,
        entry: &State,
    ) -> Result<Self, BadStream> {
        let size = usize::try_from(function.size).unwrap_or(usize::MAX).saturating_add(bytes.len());
        let room = size.saturating_mul(limits::LABEL_PARTS_PER_BYTE).saturating_add(limits::LABEL_PARTS_BASE);
        let room = Some(room.min(limits::LABEL_PARTS));
        let mut labels =
            Labels { r: Reader::new(bytes), program, function, entry, room, mentioned: Mentioned::default() };
        let read = labels.all(old);
        let mut r = labels.r;
        let bad = BadStream { at: r.position(), too_much: labels.room.is_none() };
        let (labels, count) = read.ok_or(bad)?;
        let size: usize = r.num().ok_or(bad)?;
        let answers = Reader::new(r.take(size).ok_or(bad)?);
        let optional = Reader::new(r.take(r.left()).ok_or(bad)?);
        Ok(Reading { labels, count, answers, optional, skip: None })
    }

    /// The number of labels.
    pub fn label_count(&self) -> usize {
        self.count
    }

    /// The labels with their offsets.
    pub fn labels(&self) -> &[Label] {
        self.labels.get(..self.count).unwrap_or(&self.labels)
    }

    /// The memory of the labels, for another function.
    pub fn into_labels(self) -> Vec<Label> {
        self.labels
    }

    fn find(&self, at: u64) -> Result<usize, usize> {
        self.labels().binary_search_by_key(&at, |l| l.0)
    }
}

impl Guide for Reading<'_> {
    fn required(&mut self, facts: &Facts, _goal: &Term) -> Option<Cert> {
        proof(&mut self.answers, facts)
    }

    fn optional(&mut self, facts: &Facts, _goal: &Term) -> Option<Cert> {
        let skip = match self.skip {
            Some(n) => n,
            None if self.optional.left() == 0 => return None,
            None => self.optional.num()?,
        };
        if skip > 0 {
            self.skip = Some(skip - 1);
            return None;
        }
        self.skip = None;
        proof(&mut self.optional, facts)
    }

    fn label(&mut self, at: u64) -> Option<Rc<State>> {
        let i = self.find(at).ok()?;
        self.labels().get(i).map(|l| l.1.clone())
    }

    fn next_label(&mut self, at: u64) -> Option<u64> {
        let i = self.find(at).unwrap_or_else(|i| i);
        self.labels().get(i).map(|l| l.0)
    }

    fn witness(&mut self, facts: &Facts, _var: usize) -> Option<Term> {
        self.answers.term(facts.var_count() as u32)
    }

    fn addend(&mut self, _at: u64) -> Option<i64> {
        match self.answers.u8()? {
            1 => Some(0),
            2 => i64::try_from(self.answers.sleb()?).ok(),
            _ => None,
        }
    }

    fn edge(&mut self, _target: u64, _state: &State) -> Edge {
        Edge::Match
    }
}

fn proof(r: &mut Reader<'_>, facts: &Facts) -> Option<Cert> {
    let p: u64 = r.num()?;
    let last = facts.list().len().checked_sub(1)?;
    let back = |n: u64| Some(last.checked_sub(usize::try_from(n).ok()?)? as u32);
    let mut cert = Cert { goal_factor: 1, uses: Uses::default() };
    match p & 3 {
        0 => cert.uses.push(back(p >> 2)?, 1),
        1 => {
            cert.uses.push(back(p >> 2)?, 1);
            cert.uses.push(back(r.num()?)?, 1);
        }
        2 => {
            let n = usize::try_from(p >> 2).ok().filter(|n| *n <= limits::CERT_FACTS)?;
            cert.goal_factor = r.num()?;
            for _ in 0..n {
                cert.uses.push(back(r.num()?)?, r.num()?);
            }
        }
        _ => {
            cert.uses.push(back(p >> 2)?, r.num()?);
            cert.goal_factor = r.num()?;
        }
    }
    Some(cert)
}

struct Labels<'a, 'p> {
    r: Reader<'a>,
    program: &'p Program<'p>,
    function: &'p Function,
    entry: &'p State,
    /// How many parts of states may still be made; `None` once they were too many. States are told as
    /// differences, so a few bytes may stand for thousands of parts.
    room: Option<usize>,
    /// What the words of the present label mention.
    mentioned: Mentioned,
}

/// One more than the highest variable and location that words mention (static objects do not count).
#[derive(Clone, Copy, Default)]
struct Mentioned {
    vars: u32,
    locs: u32,
}

impl Mentioned {
    fn word(&mut self, w: &Word) {
        match w {
            Word::Int(t) | Word::Sp(t) => self.term(t),
            Word::Ptr(l, t) => {
                if *l < STATIC {
                    self.locs = self.locs.max(l + 1);
                }
                self.term(t);
            }
            Word::Opt(v, _, env) => {
                self.term(&Term::var(*v));
                env.iter().flat_map(|e| e.iter()).for_each(|t| self.term(t));
            }
            Word::Any | Word::Fn(_) | Word::Entry(_) | Word::Var(_) => {}
        }
    }

    fn term(&mut self, t: &Term) {
        self.vars = self.vars.max(t.scope());
    }

    /// Whether all of them are among the first `vars` variables and `locs` locations.
    fn within(&self, vars: usize, locs: usize) -> bool {
        self.vars as usize <= vars && self.locs as usize <= locs
    }
}

impl Labels<'_, '_> {
    /// Reads all labels, in the memory of old ones; their number.
    fn all(&mut self, mut labels: Vec<Label>) -> Option<(Vec<Label>, usize)> {
        let n = self.r.count(limits::LABELS)?;
        labels.reserve(n.saturating_sub(labels.len()));
        let mut at = 0u64;
        for i in 0..n {
            let step: u64 = self.r.num()?;
            (i == 0 || step > 0).then_some(())?;
            at = at.checked_add(step).filter(|a| *a < self.function.size)?;
            if i == labels.len() {
                labels.push((0, Rc::default()));
            }
            let (before, rest) = labels.split_at_mut(i);
            let label = rest.first_mut()?;
            label.0 = at;
            self.state(Rc::make_mut(&mut label.1), before.last().map(|l| &*l.1))?;
        }
        Some((labels, n))
    }

    /// Reads a label's state into an old one.
    fn state(&mut self, s: &mut State, previous: Option<&State>) -> Option<()> {
        let flags = self.r.u8().filter(|f| *f < 32)?;
        let mask = self.r.u16()?;
        let entry_vars = self.entry.facts.var_count() as u32;
        s.clear();
        s.incoming.clone_from(&self.entry.incoming);
        s.locs.extend(self.entry.locs.iter().map(|l| Loc { addr: None, ..l.clone() }));
        self.mentioned = Mentioned::default();
        let mut next = entry_vars;
        let changed = |r: usize| mask >> r & 1 == 1;
        let registers = self.program.arch.registers() as usize;
        (0..16).all(|r| !changed(r) || r != Reg::SP.index() && r < registers).then_some(())?;
        for (r, (word, entry)) in s.regs.iter_mut().zip(&self.entry.regs).enumerate() {
            if changed(r) {
                *word = self.word(&mut next)?;
                self.mentioned.word(word);
            } else if !matches!(entry, Word::Any) {
                *word = entry.clone();
            }
        }
        let debt: i64 = if flags & 1 != 0 { self.r.num()? } else { 0 };
        (debt <= limits::PROBE_DEBT).then_some(())?;
        self.frame(s, previous, flags & 16 != 0, &mut next)?;
        s.touched = s.depth + debt;
        let n = self.r.count(limits::FRAME_CELLS)?;
        let word = self.program.arch.word_bytes();
        s.facts.copy_from(&self.entry.facts, n);
        for _ in 0..n {
            let range = self.r.interval(word)?;
            s.facts.fresh(range);
        }
        let vars = s.facts.var_count() as u32;
        if flags & 2 != 0 {
            for _ in 0..self.r.count(limits::BINDERS)? {
                let v: u32 = self.r.num::<u32>().filter(|v| *v < entry_vars)?;
                let range = self.r.interval(word)?;
                for fact in bounds(v, range) {
                    s.facts.assume(&fact?);
                }
            }
        }
        if flags & 4 != 0 {
            for _ in 0..self.r.count(limits::LOCATIONS)? {
                let mode = *Mode::ALL.get(self.r.u8()? as usize)?;
                let id = LayoutId(self.layout()?);
                let env = self.env(vars)?;
                s.new_loc(mode, Lay { id, env })?;
            }
        }
        if flags & 8 != 0 {
            for _ in 0..self.r.count(limits::FACTS)? {
                let fact = self.r.term(vars)?;
                // Kept exactly as it stands, so that facts have the numbers that proofs use.
                s.facts.declare(fact)?;
            }
        }
        self.room = self.room?.checked_sub(s.parts());
        (self.room.is_some() && self.mentioned.within(vars as usize, s.locs.len())).then_some(())
    }

    fn frame(
        &mut self,
        s: &mut State,
        previous: Option<&State>,
        differs: bool,
        next: &mut u32,
    ) -> Option<()> {
        let before = previous.map_or(&[][..], |p| &p.frame);
        let keep = if differs { self.r.count_to(before.len())? } else { before.len() };
        let kept = before.get(..keep)?;
        s.frame.extend_from_slice(kept);
        // What is kept speaks of nothing but the entry state.
        let mut mentioned = Mentioned::default();
        kept.iter().filter_map(|slot| slot.word.as_ref()).for_each(|w| mentioned.word(w));
        mentioned.within(self.entry.facts.var_count(), self.entry.locs.len()).then_some(())?;
        s.depth = s.frame.last().map_or(0, |f| f.off);
        if differs {
            let n = self.r.count(limits::FRAME_CELLS)?;
            for _ in 0..n {
                let mut ahead = self.r.clone();
                let (size, word) = if ahead.u8()? == 0 {
                    self.r = ahead;
                    (self.r.num::<i64>().filter(|n| *n > 0 && *n <= limits::FRAME_BYTES)?, None)
                } else {
                    (i64::from(self.program.arch.word_bytes()), Some(self.word(next)?))
                };
                word.iter().for_each(|w| self.mentioned.word(w));
                s.depth = s.depth.checked_sub(size).filter(|d| *d >= -limits::FRAME_BYTES)?;
                s.frame.push(Slot { off: s.depth, size, word });
            }
        }
        (s.frame.len() <= limits::FRAME_CELLS).then_some(())
    }

    /// 0: a string whose hidden length has a name; then the note's layouts; then those that opening
    /// a hidden length of the note's layouts makes.
    fn layout(&mut self) -> Option<u32> {
        let id: u32 = self.r.num()?;
        let Some(id) = id.checked_sub(1) else { return Some(self.program.shapes.string().0) };
        let (lo, hi) = self.function.types.layouts;
        in_base((lo, hi), id).or_else(|| {
            let hidden = in_base((lo, hi), id.checked_sub(hi.checked_sub(lo)?)?)?;
            self.program.shapes.opened(LayoutId(hidden)).map(|l| l.0)
        })
    }

    /// 0: an environment string; then the note's word types.
    fn opt_word(&mut self) -> Option<WordId> {
        let id: u32 = self.r.num()?;
        let id = match id.checked_sub(1) {
            None => self.program.shapes.maybe_string(),
            Some(id) => WordId(in_base(self.function.types.words, id)?),
        };
        matches!(self.program.types.word(id), crate::types::WordTy::Opt(_)).then_some(id)
    }

    fn env(&mut self, vars: u32) -> Option<Env> {
        Some(Some(Rc::from(self.r.terms(2 * limits::BINDERS, vars)?)))
    }

    /// A word; the variables and locations that it mentions are checked at the end of the state.
    fn word(&mut self, next: &mut u32) -> Option<Word> {
        const ANY: u32 = u32::MAX;
        Some(match self.r.u8()? {
            1 => Word::Any,
            2 => {
                let v = *next;
                *next = next.checked_add(1)?;
                Word::Int(Term::var(v))
            }
            3 => Word::Int(Term::var(self.r.num()?)),
            4 => Word::Int(Term::from(self.r.sleb()?)),
            5 => Word::Int(self.r.term(ANY)?),
            6 => Word::Ptr(self.r.num::<u32>().filter(|l| *l < STATIC)?, Term::zero()),
            7 => Word::Ptr(self.r.num::<u32>().filter(|l| *l < STATIC)?, self.r.term(ANY)?),
            8 => Word::Ptr(self.object()?, Term::zero()),
            9 => Word::Ptr(self.object()?, self.r.term(ANY)?),
            10 => Word::Sp(self.r.term(ANY)?),
            11 => {
                let v = self.r.num()?;
                let ty = self.opt_word()?;
                Word::Opt(v, ty, self.env(ANY)?)
            }
            12 => Word::Fn(SigId(in_base(self.function.types.sigs, self.r.num()?)?)),
            13 => {
                let sig = self.program.types.sig(self.function.sig);
                Word::Var(self.r.num::<u32>().filter(|v| *v < sig.word_vars)?)
            }
            14 => {
                let v = self.r.num()?;
                Word::Int(Term::var(v).offset(self.r.sleb()?)?)
            }
            tag @ 32..48 if tag - 32 < self.program.arch.registers() => Word::Entry(tag - 32),
            _ => return None,
        })
    }

    fn object(&mut self) -> Option<u32> {
        let i: usize = self.r.num()?;
        self.function.statics.get(i).copied().flatten().map(|o| STATIC + o)
    }
}

/// `lo <= v` and `v <= hi` as facts.
fn bounds(v: u32, range: Interval) -> impl Iterator<Item = Option<Term>> {
    let var = Term::var(v);
    let lo = (range.lo != crate::facts::NEG_INF).then(|| range.lo.checked_neg().and_then(|c| var.offset(c)));
    let hi = (range.hi != crate::facts::POS_INF).then(|| var.neg().and_then(|n| n.offset(range.hi)));
    lo.into_iter().chain(hi)
}
