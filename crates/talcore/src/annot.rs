//! The annotation stream of a function, and the guide that reads it.
//!
//! # Format
//!
//! ```text
//! stream:   uleb labels; for each: uleb distance from the previous label (the first: from the
//!           function's start), state
//!           uleb ghosts; for each: uleb distance from the previous one, u8 (16 more: it is taken on the path that falls
//!           through to there, before the label at this offset) 0 split: u8 register, or
//!           u8 1 join: u8 register, u8 register, u8 2: uleb type variable, uleb word that it stands for,
//!           or u8 3 cursor, 4 advance, 5 end: u8 register, or u8 6 lend: u8 register, uleb place of a
//!           stretch, or u8 7 restore: uleb place
//!           uleb size of the answers in bytes, answers; the rest: optional proofs
//! state:    its differences to the previous label's (the first: to the entry state):
//!           u8 flags: 1 variables, 128 stretches, 2 locations, 4 registers, 8 frame, 16 facts, 64 contents
//!           differ, 32 debt, tags, addresses or stack arguments follow
//!           [variables: uleb own variables; an interval for each that the previous label does not have;
//!            uleb changed ones; for each: uleb variable, interval]
//!           [stretches: uleb those that last; for each: uleb place (increasing), uleb variable]
//!           [locations: uleb own locations kept, from the first; uleb new ones; for each: u8 mode, uleb
//!            layout, uleb count, terms (its environment), or 7: a cursor's cell, uleb location of the
//!            object that it began in, uleb layout; or 8, frozen for a stretch, 9, the same, and owned again
//!            behind it, 10, the same, and frozen for the call: uleb variable, uleb layout, uleb count, terms]
//!           [contents: uleb locations; for each: uleb location (increasing; one of exclusive memory), u8 0: it may not be
//!            used any more; 1: uleb layout, uleb count, terms (its environment); uleb held words, for each
//!            term (its offset), word; or 12, 13, 14 as in the frame; 2, lent for a stretch: uleb variable, uleb
//!            layout, uleb count, terms. Of an argument that is frozen for the call only 1, or 2 and variable]
//!           [registers: uleb set of registers, a word for each]
//!           [frame: uleb pieces kept, from the return slot down; uleb new pieces; for each: 0 and uleb
//!            bytes (raw), or a word, or 12, 13, 14: a number of 1, 2, 4 bytes: term]
//!           [facts: uleb own facts kept, from the first; uleb new ones, terms]
//!           [debt: uleb 8 * bytes, 1 more if tags follow, 2 more if addresses do, 4 more if stack arguments do; without
//!            it no debt, no addresses, and tags and stack arguments are those of the previous label]
//!           [tags of unions that are known: uleb their number, for each: uleb 2 * location or 2 * static + 1,
//!            term (its offset), term (its value); else those of the previous label]
//!           [addresses: uleb their number, for each: uleb location, uleb variable]
//!           [stack arguments: a word for each that the function has]
//! layout:   0 a string whose hidden length has a name: cstr(v0); 1 bytes(v0); 2 zero(v0); 3 raw memory with a string
//!           in it; 4 foreign(v0); 5 the layout with the code v0, of v1 bytes; then the note's layouts; then those that
//!           opening a hidden length of each of them makes, then its structs with bytes behind them, then its arrays as
//!           states have them, then these with bytes behind them
//! word:     1 nothing known; 2 int: term; 3 pointer: uleb location, term; 4 pointer: uleb static, term;
//!           5 frame address: term; 6 opt: uleb variable, uleb word, uleb count, terms; 7 fn: uleb sig;
//!           8 word variable: uleb; 9 and 10 a word of the type whose code is a term, copied or moved:
//!           uleb variable, term; 16 + r: what the caller had in register r; 32 + l: pointer to the
//!           start of location l < 32; from 64 on int: the byte begins the term
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

mod labels;

use crate::codes::global_code;
use crate::facts::{Cert, Facts, Uses};
use crate::guide::{Edge, Ghost, Guide, Step};
use crate::limits;
use crate::program::{Function, Program};
use crate::reader::Reader;
use crate::state::State;
use crate::term::Term;
use crate::types::WordId;
use crate::x86::insn::Reg;
use alloc::rc::Rc;
use alloc::sync::Arc;
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

/// A label's offset in its function, and its state.
pub type Label = (u64, Rc<State>);

/// The checking guide: answers come from the file and are verified by the rules.
#[derive(Default)]
pub struct Reading<'a> {
    labels: Vec<Label>,
    /// How many labels there are; what lies behind them in `labels` is memory for another function.
    count: usize,
    ghosts: Vec<Step>,
    next_ghost: usize,
    answers: Reader<'a>,
    optional: Reader<'a>,
    /// The numbers of all word types, and which are the note's.
    codes: (Arc<[WordId]>, (u32, u32)),
    /// What the states of the labels hold together.
    parts: u64,
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
        let room = room.min(limits::LABEL_PARTS);
        let mut labels = labels::Labels { r: Reader::new(bytes), program, function, entry, room: Some(room) };
        let read = labels.all(old);
        let mut r = labels.r;
        let parts = (room - labels.room.unwrap_or(0)) as u64;
        let bad = BadStream { at: r.position(), too_much: labels.room.is_none() };
        let (labels, count) = read.ok_or(bad)?;
        let ghosts = ghosts(&mut r, function.size, function.types.words).ok_or(bad)?;
        let size: usize = r.num().ok_or(bad)?;
        let answers = Reader::new(r.take(size).ok_or(bad)?);
        let optional = Reader::new(r.take(r.left()).ok_or(bad)?);
        let codes = (program.codes.clone(), function.types.words);
        Ok(Reading { labels, count, ghosts, next_ghost: 0, answers, optional, codes, parts, skip: None })
    }

    /// The number of labels.
    pub fn label_count(&self) -> usize {
        self.count
    }

    /// What the states of the labels hold together: see [`State::weight`].
    pub fn parts(&self) -> u64 {
        self.parts
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

    fn ghost(&mut self, at: u64, falls: bool) -> Option<Step> {
        let now = |s: &&Step| s.at < at || s.at == at && (s.falls || !falls);
        let next = self.ghosts.get(self.next_ghost).filter(now)?;
        self.next_ghost += 1;
        Some(*next)
    }

    fn next_label(&mut self, at: u64) -> Option<u64> {
        let i = self.find(at).unwrap_or_else(|i| i);
        self.labels().get(i).map(|l| l.0)
    }

    fn witness(&mut self, facts: &Facts, _var: usize) -> Option<Term> {
        let t = self.answers.term(facts.var_count() as u32)?;
        global_code(&self.codes.0, t, self.codes.1)
    }

    fn addend(&mut self, _at: u64, _: crate::guide::Constant) -> Option<i64> {
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

/// Is added to the kind of a step that is taken before the label at its offset.
pub const FALLS: u8 = 16;

fn ghosts(r: &mut Reader<'_>, size: u64, words: (u32, u32)) -> Option<Vec<Step>> {
    let reg = |r: &mut Reader<'_>| r.u8().filter(|n| *n < 16).map(Reg);
    let mut at = 0u64;
    let mut all = Vec::new();
    for _ in 0..r.count(limits::GHOSTS)? {
        at = at.checked_add(r.num()?).filter(|a| *a < size)?;
        let kind = r.u8()?;
        let falls = kind & FALLS != 0;
        let ghost = match kind & !FALLS {
            0 => Ghost::Split(reg(r)?),
            1 => Ghost::Join(reg(r)?, reg(r)?),
            2 => {
                let v = r.num()?;
                let id: u32 = r.num()?;
                Ghost::Choose(v, WordId(words.0.checked_add(id).filter(|id| *id < words.1)?))
            }
            3 => Ghost::Cursor(reg(r)?),
            4 => Ghost::Advance(reg(r)?),
            5 => Ghost::End(reg(r)?),
            6 => Ghost::Lend(reg(r)?, r.num()?),
            7 => Ghost::Restore(r.num()?),
            _ => return None,
        };
        all.push(Step { at, falls, ghost });
    }
    Some(all)
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
