//! Reads the states of a function's labels.

use super::Label;
use crate::codes::global_code;
use crate::facts::Facts;
use crate::limits;
use crate::program::{Function, Program};
use crate::reader::Reader;
use crate::shapes::BORROWS;
use crate::state::{Env, Held, Hole, Lay, STATIC, Slot, State, Tag, Word};
use crate::term::Term;
use crate::types::{LayoutId, Mode, SigId, WordId, WordTy};
use crate::x86::insn::{Reg, Width};
use alloc::rc::Rc;
use alloc::vec::Vec;

fn in_base(base: (u32, u32), id: u32) -> Option<u32> {
    base.0.checked_add(id).filter(|id| *id < base.1)
}

pub(super) struct Labels<'a, 'p> {
    pub(super) r: Reader<'a>,
    pub(super) program: &'p Program<'p>,
    pub(super) function: &'p Function,
    pub(super) entry: &'p State,
    /// How many parts of states may still be made; `None` once they were too many. States are told as
    /// differences, so a few bytes may stand for thousands of parts.
    pub(super) room: Option<usize>,
}

/// How many variables and locations words may mention (static objects do not count).
#[derive(Clone, Copy)]
struct Scope {
    vars: u32,
    locs: u32,
}

impl Scope {
    fn of(s: &State) -> Scope {
        Scope { vars: s.facts.var_count() as u32, locs: s.locs.len() as u32 }
    }

    fn term(self, t: &Term) -> bool {
        t.scope() <= self.vars
    }

    fn tag(self, t: &Tag) -> bool {
        self.term(&t.off) && self.term(&t.value)
    }

    fn env(self, env: &Env) -> bool {
        env.iter().flat_map(|e| e.iter()).all(|t| self.term(t))
    }

    fn word(self, w: &Word) -> bool {
        match w {
            Word::Int(t) | Word::Sp(t) => self.term(t),
            Word::Ptr(l, t) => (*l >= STATIC || *l < self.locs) && self.term(t),
            Word::Opt(v, _, env) => *v < self.vars && self.env(env),
            Word::Any | Word::Fn(_) | Word::Entry(_) | Word::Var(_) | Word::Restorer => true,
        }
    }

    /// Whether all of the state lies in it.
    fn state(self, s: &State) -> bool {
        s.regs.iter().all(|w| self.word(w))
            && s.frame.iter().filter_map(|slot| slot.word.as_ref()).all(|w| self.word(w))
            && s.incoming.iter().all(|w| self.word(w))
            && s.locs.iter().all(|l| {
                let held = |c: &Held| self.term(&c.off) && self.word(&c.word);
                self.env(&l.lay.env) && l.cells.iter().all(held) && l.tags.iter().all(|t| self.tag(t))
            })
            && s.locs.iter().all(|l| l.stretch.is_none_or(|v| v < self.vars))
            && s.stretches.iter().all(|s| s.1 < self.vars)
            && s.facts.list().iter().all(|t| self.term(t))
            && s.static_tags.iter().all(|t| self.tag(&t.1))
    }
}

/// Nobody asks how large memory was that is gone, but for what a cursor is in. So its layout need not be written down again where
/// the variables are gone that it mentions: from there on it has none that it could be looked at by.
fn forget_layouts(s: &mut State, scope: Scope) {
    let mut roots = [false; limits::LOCATIONS];
    for hole in s.locs.iter().filter_map(|l| l.hole) {
        if let Some(root) = roots.get_mut(hole.root as usize) {
            *root = true;
        }
    }
    for (loc, root) in s.locs.iter_mut().zip(roots) {
        if !root && !loc.live && loc.guard.is_none() && !scope.env(&loc.lay.env) {
            loc.lay.env = Some(Rc::from([]));
        }
    }
}

impl Labels<'_, '_> {
    /// Reads all labels, in the memory of old ones; their number.
    pub(super) fn all(&mut self, mut labels: Vec<Label>) -> Option<(Vec<Label>, usize)> {
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
            let state = Rc::make_mut(&mut label.1);
            match before.last() {
                Some(previous) => state.copy_from(&previous.1),
                None => {
                    state.copy_from(self.entry);
                    state.static_addrs.clear();
                }
            }
            state.locs.iter_mut().for_each(|l| l.addr = None);
            self.state(state)?;
        }
        Some((labels, n))
    }

    /// Changes the state of the previous label to the one of the next.
    fn state(&mut self, s: &mut State) -> Option<()> {
        let flags = self.r.u8()?;
        let differs = |bit: u8| flags & bit != 0;
        let before = Scope::of(s);
        if differs(1) {
            self.variables(&mut s.facts)?;
        }
        if differs(128) {
            self.stretches(s)?;
        }
        if differs(2) {
            self.locations(s)?;
        }
        if differs(64) {
            self.contents(s)?;
        }
        if differs(4) {
            self.registers(s)?;
        }
        if differs(8) {
            self.frame(s)?;
        }
        if differs(16) {
            self.facts(&mut s.facts)?;
        }
        let last: u64 = if differs(32) { self.r.num()? } else { 0 };
        let debt = i64::try_from(last / 8).ok()?;
        if last & 1 != 0 {
            self.tags(s)?;
        }
        if last & 2 != 0 {
            self.addresses(s)?;
        }
        if last & 4 != 0 {
            self.arguments(s)?;
        }
        (debt <= limits::PROBE_DEBT).then_some(())?;
        s.touched = s.depth + debt;
        let scope = Scope::of(s);
        // What was kept may speak of something that was not.
        if scope.vars < before.vars || scope.locs < before.locs {
            forget_layouts(s, scope);
            scope.state(s).then_some(())?;
        }
        self.room = self.room?.checked_sub(s.weight());
        self.room.map(|_| ())
    }

    /// What is left of the arguments on the stack: what they owned may have been given away.
    fn arguments(&mut self, s: &mut State) -> Option<()> {
        let scope = Scope::of(s);
        for i in 0..s.incoming.len() {
            let tag = self.r.u8()?;
            *s.incoming.get_mut(i)? = self.word(tag, scope)?;
        }
        Some(())
    }

    fn variables(&mut self, facts: &mut Facts) -> Option<()> {
        let own = self.r.count_to(limits::FRAME_CELLS)?;
        let all = self.entry.facts.var_count() + own;
        facts.keep_vars(all);
        for _ in facts.var_count()..all {
            let range = self.r.interval()?;
            facts.fresh(range);
        }
        for _ in 0..self.r.count(limits::FRAME_CELLS)? {
            let v: u32 = self.r.num().filter(|v| (*v as usize) < all)?;
            let range = self.r.interval()?;
            facts.declare_range(v, range);
        }
        Some(())
    }

    /// The stretches that last, in the order of their places.
    fn stretches(&mut self, s: &mut State) -> Option<()> {
        s.stretches.clear();
        let vars = s.facts.var_count() as u32;
        for _ in 0..self.r.count(limits::STRETCHES)? {
            let place = self.r.num()?;
            s.stretches.last().is_none_or(|last| last.0 < place).then_some(())?;
            s.stretches.push((place, self.r.num().filter(|v| *v < vars)?));
        }
        Some(())
    }

    fn locations(&mut self, s: &mut State) -> Option<()> {
        let first = self.entry.locs.len();
        let kept = self.r.count_to(s.locs.len().checked_sub(first)?)?;
        s.locs.truncate(first + kept);
        let vars = s.facts.var_count() as u32;
        for _ in 0..self.r.count(limits::LOCATIONS)? {
            let mode = self.r.u8()? as usize;
            if mode == Mode::ALL.len() {
                let root = self.r.num().filter(|l| (*l as usize) < first)?;
                let cell = LayoutId(self.layout()?);
                let l = s.new_loc(Mode::Uniq, Lay { id: cell, env: Some(Rc::from([])) })?;
                s.locs.get_mut(l as usize)?.hole = Some(Hole { root, cell });
                continue;
            }
            // Frozen for a stretch, or lent for one.
            let lent = mode.checked_sub(Mode::ALL.len() + 1);
            let was = match lent {
                Some(n) => *[None, Some(Mode::Own), Some(Mode::Frozen)].get(n)?,
                None => None,
            };
            let stretch = match lent {
                Some(_) => Some(self.r.num().filter(|v| *v < vars)?),
                None => None,
            };
            let mode = if lent.is_some() { Mode::Frozen } else { *Mode::ALL.get(mode)? };
            let id = LayoutId(self.layout()?);
            let mut lay = Lay { id, env: self.env(vars)? };
            if matches!(was.unwrap_or(mode), Mode::Own | Mode::Uniq) {
                lay = self.program.canonical(&lay)?;
            }
            let l = s.new_loc(mode, lay)?;
            let loc = s.locs.get_mut(l as usize)?;
            (loc.stretch, loc.was) = (stretch, was);
        }
        Some(())
    }

    /// What exclusive memory holds: it may change from label to label. Each location is told of once.
    fn contents(&mut self, s: &mut State) -> Option<()> {
        let scope = Scope::of(s);
        let mut first = 0;
        for _ in 0..self.r.count(limits::LOCATIONS)? {
            let l: usize = self.r.num().filter(|l| *l >= first)?;
            first = l.checked_add(1)?;
            let old = s.locs.get(l)?;
            let was = old.was.unwrap_or(old.mode);
            // Arguments that are frozen for the call may be lent too, and hold what they hold.
            let exclusive = matches!(was, Mode::Own | Mode::Uniq);
            let ours = old.stretch.is_none() || old.was.is_some();
            (exclusive || was == Mode::Frozen && ours && l < self.entry.locs.len()).then_some(())?;
            let tag = self.r.u8()?;
            let stretch = match tag {
                2 => Some(self.r.num().filter(|v| *v < scope.vars)?),
                0 | 1 => None,
                _ => return None,
            };
            let live = match tag {
                0 if exclusive => None,
                0 => return None,
                _ if !exclusive => Some(s.locs.get(l)?.lay.clone()),
                _ => {
                    let lay = Lay { id: LayoutId(self.layout()?), env: self.env(scope.vars)? };
                    Some(self.program.canonical(&lay)?)
                }
            };
            let mut cells = Vec::new();
            if tag == 1 && exclusive {
                for _ in 0..self.r.count(limits::HELD)? {
                    let off = self.r.term(scope.vars)?;
                    let tag = self.r.u8()?;
                    let (width, word) = match self.narrow(tag)? {
                        Some(width) => (width, Word::Int(self.r.term(scope.vars)?)),
                        None => (self.program.arch.word_width(), self.word(tag, scope)?),
                    };
                    cells.push(Held { off, width, word });
                }
            }
            let loc = s.locs.get_mut(l)?;
            (loc.mode, loc.stretch, loc.was) = match stretch {
                Some(_) => (Mode::Frozen, stretch, Some(was)),
                None => (was, None, None),
            };
            loc.live = live.is_some();
            if let Some(lay) = live {
                loc.lay = lay;
            }
            loc.cells = cells;
        }
        Some(())
    }

    fn registers(&mut self, s: &mut State) -> Option<()> {
        let mask: u16 = self.r.num()?;
        let registers = self.program.arch.registers() as usize;
        let scope = Scope::of(s);
        for (r, word) in s.regs.iter_mut().enumerate().filter(|(r, _)| mask >> r & 1 == 1) {
            (r != Reg::SP.index() && r < registers).then_some(())?;
            let tag = self.r.u8()?;
            *word = self.word(tag, scope)?;
        }
        Some(())
    }

    fn frame(&mut self, s: &mut State) -> Option<()> {
        let kept = self.r.count_to(s.frame.len())?;
        s.frame.truncate(kept);
        s.depth = s.frame.last().map_or(0, |f| f.off);
        let scope = Scope::of(s);
        for _ in 0..self.r.count(limits::FRAME_CELLS)? {
            let tag = self.r.u8()?;
            let word = i64::from(self.program.arch.word_bytes());
            let (size, word) = match tag {
                0 => (self.r.num::<i64>().filter(|n| *n > 0 && *n <= limits::FRAME_BYTES)?, None),
                tag => match self.narrow(tag)? {
                    Some(width) => (width.bytes().into(), Some(Word::Int(self.r.term(scope.vars)?))),
                    None => (word, Some(self.word(tag, scope)?)),
                },
            };
            s.depth = s.depth.checked_sub(size).filter(|d| *d >= -limits::FRAME_BYTES)?;
            s.frame.push(Slot { off: s.depth, size, word });
        }
        (s.frame.len() <= limits::FRAME_CELLS).then_some(())
    }

    /// Which width a number has that is narrower than a word, if the tag says that it is one.
    fn narrow(&self, tag: u8) -> Option<Option<Width>> {
        let Some(log2 @ 0..3) = tag.checked_sub(12) else { return Some(None) };
        let width = Width::of_bytes(1 << log2)?;
        (width < self.program.arch.word_width()).then_some(Some(width))
    }

    /// A shared object by its number in the note.
    fn shared(&self, i: usize) -> Option<u32> {
        self.program.scopes.get(self.function.scope as usize)?.statics.get(i).copied().flatten()
    }

    /// The tags of unions that are known.
    fn tags(&mut self, s: &mut State) -> Option<()> {
        let scope = Scope::of(s);
        s.static_tags.clear();
        s.locs.iter_mut().for_each(|l| l.tags.clear());
        for _ in 0..self.r.count(limits::LOCATIONS)? {
            let n: u32 = self.r.num()?;
            let l = match n % 2 {
                0 => Some(n / 2).filter(|l| *l < scope.locs)?,
                _ => STATIC + self.shared(n as usize / 2)?,
            };
            let tag = Tag { off: self.r.term(scope.vars)?, value: self.r.term(scope.vars)? };
            s.remember_tag(l, tag);
        }
        Some(())
    }

    /// The variables that are addresses of locations.
    fn addresses(&mut self, s: &mut State) -> Option<()> {
        let vars = s.facts.var_count() as u32;
        for _ in 0..self.r.count(limits::LOCATIONS)? {
            let l: usize = self.r.num()?;
            s.locs.get_mut(l)?.addr = Some(self.r.num().filter(|v| *v < vars)?);
        }
        Some(())
    }

    fn facts(&mut self, facts: &mut Facts) -> Option<()> {
        let first = self.entry.facts.list().len();
        let kept = self.r.count_to(facts.list().len().checked_sub(first)?)?;
        facts.keep_facts(first + kept);
        let vars = facts.var_count() as u32;
        for _ in 0..self.r.count(limits::FACTS)? {
            let fact = self.r.term(vars)?;
            // Kept exactly as it stands, so that facts have the numbers that proofs use.
            facts.declare(fact)?;
        }
        Some(())
    }

    /// 0: a string whose hidden length has a name; 1: forgotten memory; 2: memory of zeros; 3: raw memory with a string in
    /// it; 4: foreign memory; 5: memory whose layout is the one with a code; then the note's layouts; then those
    /// that opening a hidden length of the note's layouts makes; then the note's structs with bytes behind them; then its
    /// arrays as states have them; then those with bytes behind them.
    fn layout(&mut self) -> Option<u32> {
        let id: u32 = self.r.num()?;
        let common = self.program.shapes.common();
        if let Some(id) = common.get(id as usize) {
            return Some(id.0);
        }
        let id = id.checked_sub(common.len() as u32)?;
        let (lo, hi) = self.function.types.layouts;
        in_base((lo, hi), id).or_else(|| {
            let behind = id.checked_sub(hi.checked_sub(lo)?)?;
            if let Some(hidden) = in_base((lo, hi), behind) {
                return self.program.shapes.opened(LayoutId(hidden)).map(|l| l.0);
            }
            let behind = behind.checked_sub(hi - lo)?;
            if let Some(shorter) = in_base((lo, hi), behind) {
                return self.program.shapes.longer(LayoutId(shorter)).map(|l| l.0);
            }
            let behind = behind.checked_sub(hi - lo)?;
            if let Some(array) = in_base((lo, hi), behind) {
                return self.program.shapes.array(LayoutId(array)).map(|l| l.0);
            }
            let array = in_base((lo, hi), behind.checked_sub(hi - lo)?)?;
            self.program.shapes.tail(LayoutId(array)).map(|l| l.0)
        })
    }

    /// 0: an environment string; then the note's word types; then for each of these what it is seen as through the
    /// three kinds of borrows; then for each what it is seen as in memory that is lent for a stretch.
    fn opt_word(&mut self) -> Option<WordId> {
        let id: u32 = self.r.num()?;
        let id = match id.checked_sub(1) {
            None => self.program.shapes.maybe_string(),
            Some(id) => {
                let (lo, hi) = self.function.types.words;
                match in_base((lo, hi), id) {
                    Some(id) => WordId(id),
                    None => {
                        let n = id.checked_sub(hi.checked_sub(lo)?)?;
                        let all = (hi - lo).checked_mul(BORROWS.len() as u32)?;
                        if let Some(owner) = n.checked_sub(all) {
                            let owner = in_base((lo, hi), owner)?;
                            return self.program.shapes.during(WordId(owner)).map(|view| view.0);
                        }
                        let mode = *BORROWS.get(n as usize % BORROWS.len())?;
                        let owner = in_base((lo, hi), n / BORROWS.len() as u32)?;
                        self.program.shapes.borrowed(WordId(owner), mode)?
                    }
                }
            }
        };
        let untested =
            |w: &WordTy| matches!(w, WordTy::Opt(_) | WordTy::Res(_) | WordTy::FnAt(..) | WordTy::When(..));
        untested(self.program.types.word(id)).then_some(id)
    }

    fn env(&mut self, vars: u32) -> Option<Env> {
        let terms = self.r.terms(2 * limits::BINDERS, vars)?;
        let codes = terms.into_iter().map(|t| self.code(t)).collect::<Option<Vec<_>>>()?;
        Some(Some(Rc::from(codes)))
    }

    fn code(&self, t: Term) -> Option<Term> {
        global_code(&self.program.codes, t, self.function.types.words)
    }

    /// A word that begins with `tag`.
    fn word(&mut self, tag: u8, scope: Scope) -> Option<Word> {
        Some(match tag {
            1 => Word::Any,
            2 => Word::Int(self.r.term(scope.vars)?),
            3 => Word::Ptr(self.r.num().filter(|l| *l < scope.locs)?, self.r.term(scope.vars)?),
            4 => Word::Ptr(self.object()?, self.r.term(scope.vars)?),
            5 => Word::Sp(self.r.term(scope.vars)?),
            6 => {
                let v = self.r.num().filter(|v| *v < scope.vars)?;
                let ty = self.opt_word()?;
                Word::Opt(v, ty, self.env(scope.vars)?)
            }
            7 => Word::Fn(SigId(in_base(self.function.types.sigs, self.r.num()?)?)),
            8 => {
                let sig = self.program.types.sig(self.function.sig);
                Word::Var(self.r.num().filter(|v| *v < sig.word_vars)?)
            }
            9 | 10 => {
                let v = self.r.num().filter(|v| *v < scope.vars)?;
                let t = self.r.term(scope.vars)?;
                Word::Opt(v, self.program.shapes.variable(tag == 10), Some([self.code(t)?].into()))
            }
            16..32 if tag - 16 < self.program.arch.registers() => Word::Entry(tag - 16),
            32..64 => Word::Ptr(Some(u32::from(tag - 32)).filter(|l| *l < scope.locs)?, Term::zero()),
            64.. => Word::Int(self.r.term_from(tag, scope.vars)?),
            _ => return None,
        })
    }

    fn object(&mut self) -> Option<u32> {
        let i: usize = self.r.num()?;
        self.shared(i).map(|o| STATIC + o)
    }
}
