//! The state of the machine as the rules see it at one point of one function.

use crate::facts::{Facts, Interval};
use crate::limits;
use crate::term::{Term, Var};
use crate::types::{LayoutId, Mode, SigId, WordId};
use crate::x86::insn::Width;
use alloc::rc::Rc;
use alloc::vec::Vec;

/// A location: an index into [`State::locs`], or, from [`STATIC`] on, a static object.
pub type LocId = u32;
/// The first location that stands for a static object: `STATIC + index`.
pub const STATIC: LocId = 1 << 31;

/// Terms for the variables of a type's scope. `None` is the identity: the type speaks of the
/// state's own variables.
pub type Env = Option<Rc<[Term]>>;

/// A layout in a state: a node of the type tables and what its variables stand for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lay {
    /// The node.
    pub id: LayoutId,
    /// What its variables stand for.
    pub env: Env,
}

impl Lay {
    /// One more than the largest variable of the state that it mentions.
    pub fn scope(&self) -> Var {
        self.env.as_ref().map_or(Var::MAX, |env| env.iter().map(Term::scope).max().unwrap_or(0))
    }

    /// How many terms and summands it consists of.
    pub fn parts(&self) -> usize {
        self.env.iter().flat_map(|env| env.iter()).map(|t| 1 + t.summands().len()).sum()
    }
}

/// The type of a machine word in a register or in the frame.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Word {
    /// A word about which nothing is known.
    #[default]
    Any,
    /// `int(e)`.
    Int(Term),
    /// `ptr(l, e)`: the address of the location plus `e` bytes.
    Ptr(LocId, Term),
    /// `sp(e)`: the value of rsp at the function's entry plus `e` bytes.
    Sp(Term),
    /// A word of type `opt tau` or `res tau` that has not been tested. Its value is the variable; the word type
    /// is that node. If `tau` owns memory, the capability belongs to the variable: all copies share it.
    Opt(Var, WordId, Env),
    /// A code pointer.
    Fn(SigId),
    /// What the caller had in this callee-saved register at entry.
    Entry(u8),
    /// A value of a word type variable of the signature.
    Var(u32),
    /// The address of the stub to which signal handlers return. It is good for one thing: to be told to the kernel.
    Restorer,
}

impl Word {
    /// One more than the largest variable that it mentions.
    pub fn scope(&self) -> Var {
        match self {
            Word::Int(t) | Word::Ptr(_, t) | Word::Sp(t) => t.scope(),
            Word::Opt(v, _, env) => {
                let env = env.as_ref().map_or(Var::MAX, |env| env.iter().map(Term::scope).max().unwrap_or(0));
                env.max(v.saturating_add(1))
            }
            Word::Any | Word::Fn(_) | Word::Entry(_) | Word::Var(_) | Word::Restorer => 0,
        }
    }
}

/// A location's entry in `H`: what may be done with the object, and what it holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Loc {
    /// How it may be used.
    pub mode: Mode,
    /// What it holds, but for `cells`.
    pub lay: Lay,
    /// Its address as a variable, once somebody asked for it.
    pub addr: Option<Var>,
    /// Words and numbers that it holds instead of what `lay` says: written by strong updates, or opened by loads. Only
    /// in [`Mode::Own`] and [`Mode::Uniq`]; they do not overlap.
    pub cells: Vec<Held>,
    /// Memory of known layouts that was moved into raw bytes of it: see `rules::own::moved`. Only in [`Mode::Own`] and
    /// [`Mode::Uniq`].
    pub parts: Vec<Part>,
    /// Tags of unions that have been read in what `lay` says.
    pub tags: Vec<Tag>,
    /// Whether the memory may still be used. Nothing mentions a location that may not, but for one with a guard.
    pub live: bool,
    /// It may be used again once this is known to hold, and never if it is known not to.
    pub guard: Option<Guard>,
    /// It is the cell of a cursor.
    pub hole: Option<Hole>,
    /// It is frozen only as long as the stretch lasts whose number this variable is: one of [`State::stretches`], or of
    /// the function's signature.
    pub stretch: Option<Var>,
    /// It is lent for that stretch, and goes back to this mode when the stretch ends.
    pub was: Option<Mode>,
}

/// What is whole again when a cursor ends: see `rules::cursor`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hole {
    /// The object that the cursor began in. It cannot be used meanwhile.
    pub root: LocId,
    /// The cell, whose type mentions no variables.
    pub cell: LayoutId,
}

/// A variable that lies in an interval.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Guard {
    /// The variable.
    pub var: Var,
    /// The interval.
    pub range: Interval,
}

/// A word, or a number that is narrower, that is known to lie in memory which nobody else can reach.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Held {
    /// The offset of its first byte from the location's start.
    pub off: Term,
    /// How many bytes it has: those of a word, or fewer.
    pub width: Width,
    /// The word. Of fewer bytes it is a [`Word::Int`] that is congruent to what the bytes are without sign.
    pub word: Word,
}

/// Memory of a known layout in raw bytes that nobody else can reach.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Part {
    /// The offset of its first byte from the location's start.
    pub off: Term,
    /// What it is.
    pub lay: Lay,
}

/// What the tag of a union is, in what the layout of a location says: see `rules::unions`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tag {
    /// The offset of the tag from the location's start.
    pub off: Term,
    /// Its value, as a number without sign: equal to the term, not only congruent.
    pub value: Term,
}

impl Loc {
    /// Memory with the contents of a layout.
    pub fn new(mode: Mode, lay: Lay) -> Loc {
        Loc {
            mode,
            lay,
            addr: None,
            cells: Vec::new(),
            parts: Vec::new(),
            tags: Vec::new(),
            live: true,
            guard: None,
            hole: None,
            stretch: None,
            was: None,
        }
    }

    /// It holds what its layout says, and nothing else.
    pub fn empty(&mut self) {
        self.cells.clear();
        self.parts.clear();
    }

    /// Whether its contents may differ from one program point to the next: nobody else can write it.
    pub fn exclusive(&self) -> bool {
        matches!(self.mode, Mode::Own | Mode::Uniq)
    }
}

/// A piece of the frame. Pieces lie one below the other without gaps, from the return slot down.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Slot {
    /// Offset of the lowest byte from rsp at entry: negative.
    pub off: i64,
    /// Size in bytes.
    pub size: i64,
    /// A word, or a number that is narrower (1, 2 or 4 bytes): then a [`Word::Int`] that is congruent to what the
    /// bytes are without sign. `None` for raw bytes.
    pub word: Option<Word>,
}

impl Slot {
    /// One past the highest byte, as an offset.
    pub fn end(&self) -> i64 {
        self.off + self.size
    }
}

/// A byte of the frame that is 0.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Zero {
    /// Where it is, relative to rsp at entry.
    pub off: Term,
    /// The part of the frame that it lies in: from here,
    pub lo: i64,
    /// to here. A write into this part ends what is known.
    pub hi: i64,
}

/// A byte that was loaded from raw memory which nobody else can write.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Byte {
    /// Which memory.
    pub loc: LocId,
    /// Where, from the location's start.
    pub off: Term,
    /// What it was, and still is.
    pub value: Var,
}

/// Registers, frame, memory and facts at one program point.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// The general registers; `regs[4]` (rsp) is unused: see `depth`.
    pub regs: [Word; 16],
    /// rsp relative to its value at entry: at most 0, in bytes.
    pub depth: i64,
    /// The frame, from high to low addresses.
    pub frame: Vec<Slot>,
    /// A byte of the frame that was made 0 at a place that is not constant.
    pub zero: Option<Zero>,
    /// Stack arguments, from the word just above the return slot upwards.
    pub incoming: Vec<Word>,
    /// The lowest stack offset that is known to have been touched.
    pub touched: i64,
    /// Locations that are not static objects.
    pub locs: Vec<Loc>,
    /// The stretches that this function has begun and not ended, in the order of their places, with the variables that
    /// are their numbers. Each number is that of one stretch of the process, so no two of them are the same.
    pub stretches: Vec<(u32, Var)>,
    /// Addresses of static objects as variables, where somebody asked.
    pub static_addrs: Vec<(u32, Var)>,
    /// Tags of unions that have been read in static objects.
    pub static_tags: Vec<(LocId, Tag)>,
    /// The last byte that was loaded from raw memory of this function: a test may find that it is 0. None at labels.
    pub byte: Option<Byte>,
    /// Words that lie in memory which nobody writes, of parts that hide sizes: see `rules::seen`. None at labels.
    pub seen: Vec<(LocId, Held)>,
    /// Index variables and facts.
    pub facts: Facts,
    /// What the flags say.
    pub flags: crate::arith::Flags,
}

impl State {
    /// Forgets everything, and keeps the memory.
    pub fn clear(&mut self) {
        for word in &mut self.regs {
            if !matches!(word, Word::Any) {
                *word = Word::Any;
            }
        }
        self.frame.clear();
        self.zero = None;
        self.incoming.clear();
        self.locs.clear();
        self.stretches.clear();
        self.static_addrs.clear();
        self.static_tags.clear();
        self.seen.clear();
        self.byte = None;
        self.facts.clear();
        self.flags = crate::arith::Flags::default();
        (self.depth, self.touched) = (0, 0);
    }

    /// Becomes a copy of `other` but for the flags, of which nothing is known then, in the memory that it
    /// already has.
    pub fn copy_from(&mut self, other: &State) {
        for (to, from) in self.regs.iter_mut().zip(&other.regs) {
            // Most hold nothing known, or nothing else than before.
            let unknown = matches!(to, Word::Any) && matches!(from, Word::Any);
            if !unknown && to != from {
                to.clone_from(from);
            }
        }
        if self.frame != other.frame {
            self.frame.clone_from(&other.frame);
        }
        self.zero.clone_from(&other.zero);
        self.incoming.clone_from(&other.incoming);
        if self.locs != other.locs {
            self.locs.clone_from(&other.locs);
        }
        self.stretches.clone_from(&other.stretches);
        self.static_addrs.clone_from(&other.static_addrs);
        self.static_tags.clone_from(&other.static_tags);
        self.seen.clone_from(&other.seen);
        self.byte.clone_from(&other.byte);
        self.facts.copy_from(&other.facts);
        self.flags.forget();
        (self.depth, self.touched) = (other.depth, other.touched);
    }

    /// How many words, pieces, locations with their terms, variables and facts it consists of: what copying it costs.
    pub fn parts(&self) -> usize {
        let numbers = self.facts.var_count() + self.facts.list().len();
        let parts = |l: &Loc| l.parts.iter().map(|p| 1 + p.lay.parts()).sum::<usize>();
        let held: usize =
            self.locs.iter().map(|l| l.cells.len() + l.tags.len() + l.lay.parts() + parts(l)).sum();
        let words = self.regs.len() + self.frame.len() + self.incoming.len();
        words
            + self.locs.len()
            + self.stretches.len()
            + held
            + self.static_tags.len()
            + self.seen.len()
            + numbers
    }

    /// The same, where terms that lie in boxes of their own count as several: some 100 bytes of memory each.
    pub fn weight(&self) -> usize {
        let facts = self.facts.list().iter().filter(|t| t.is_boxed()).count();
        let words = self
            .words()
            .filter(|w| matches!(w, Word::Int(t) | Word::Ptr(_, t) | Word::Sp(t) if t.is_boxed()));
        let places = self.locs.iter().flat_map(|l| &l.cells).filter(|c| c.off.is_boxed()).count();
        self.parts() + 3 * (facts + words.count() + places) + 2 * self.locs.len()
    }

    /// All words: in registers, in the frame, of the caller's arguments, held by locations, and seen in unchanging memory.
    pub fn words(&self) -> impl Iterator<Item = &Word> {
        let held = self.locs.iter().flat_map(|l| l.cells.iter().map(|c| &c.word));
        self.regs
            .iter()
            .chain(self.frame.iter().filter_map(|s| s.word.as_ref()))
            .chain(&self.incoming)
            .chain(held)
            .chain(self.seen.iter().map(|s| &s.1.word))
    }

    /// The same, to be changed.
    pub fn words_mut(&mut self) -> impl Iterator<Item = &mut Word> {
        let held = self.locs.iter_mut().flat_map(|l| l.cells.iter_mut().map(|c| &mut c.word));
        let frame = self.frame.iter_mut().filter_map(|s| s.word.as_mut());
        let seen = self.seen.iter_mut().map(|s| &mut s.1.word);
        self.regs.iter_mut().chain(frame).chain(&mut self.incoming).chain(held).chain(seen)
    }

    /// Those in registers, in the frame, and of the caller's arguments.
    pub fn outer_words_mut(&mut self) -> impl Iterator<Item = &mut Word> {
        let frame = self.frame.iter_mut().filter_map(|s| s.word.as_mut());
        self.regs.iter_mut().chain(frame).chain(&mut self.incoming)
    }

    /// Whether some location belongs to this function alone, or will again, so that its contents change.
    pub fn owns(&self) -> bool {
        !self.stretches.is_empty() || self.locs.iter().any(Loc::exclusive)
    }

    /// Whether a cursor is in this memory.
    pub fn has_hole(&self, l: LocId) -> bool {
        self.locs.iter().any(|c| c.live && c.hole.is_some_and(|h| h.root == l))
    }

    /// Bytes allocated below the lowest touched address.
    pub fn debt(&self) -> i64 {
        self.touched - self.depth
    }

    /// A new location; `None` at the limit.
    pub fn new_loc(&mut self, mode: Mode, lay: Lay) -> Option<LocId> {
        if self.locs.len() >= limits::LOCATIONS {
            return None;
        }
        self.locs.push(Loc::new(mode, lay));
        Some((self.locs.len() - 1) as LocId)
    }

    /// Forgets the addresses of locations whose variables do not exist any more, since the facts went
    /// back to an earlier mark: their numbers will mean something else.
    pub fn forget_addresses(&mut self) {
        let vars = self.facts.var_count() as Var;
        self.byte = self.byte.take().filter(|b| b.off.scope() <= vars && b.value < vars);
        self.seen.retain(|(_, s)| s.off.scope() <= vars && s.word.scope() <= vars);
        for loc in &mut self.locs {
            loc.addr = loc.addr.filter(|v| *v < vars);
            loc.guard = loc.guard.filter(|g| g.var < vars);
            loc.tags.retain(|t| t.off.scope() <= vars && t.value.scope() <= vars);
            loc.parts.retain(|p| p.off.scope() <= vars && p.lay.scope() <= vars);
        }
        self.static_addrs.retain(|a| a.1 < vars);
        self.zero = self.zero.take().filter(|z| z.off.scope() <= vars);
        self.static_tags.retain(|(_, t)| t.off.scope() <= vars && t.value.scope() <= vars);
    }

    /// What is known of the tags of unions in a location.
    pub fn tags(&self, l: LocId) -> impl Iterator<Item = &Tag> {
        let own = if l < STATIC { self.locs.get(l as usize) } else { None };
        let fixed = if l < STATIC { &[][..] } else { &self.static_tags };
        let fixed = fixed.iter().filter(move |t| t.0 == l).map(|t| &t.1);
        own.into_iter().flat_map(|l| &l.tags).chain(fixed)
    }

    /// Remembers the tag of a union. There is room for so many of one location, and of all static objects; the first
    /// ones go.
    pub fn remember_tag(&mut self, l: LocId, tag: Tag) {
        if l >= STATIC {
            if self.static_tags.len() >= limits::TAGS {
                self.static_tags.remove(0);
            }
            self.static_tags.push((l, tag));
        } else if let Some(loc) = self.locs.get_mut(l as usize) {
            if loc.tags.len() >= limits::TAGS {
                loc.tags.remove(0);
            }
            loc.tags.push(tag);
        }
    }

    /// Forgets the byte that was loaded from a location: it may be written from here on, or is another one.
    pub fn forget_byte(&mut self, l: LocId) {
        self.byte = self.byte.take().filter(|b| b.loc != l);
    }

    /// Forgets what is known of the tags of unions in a location, whose contents are others from here on. (Those of
    /// static objects never change.)
    pub fn forget_tags(&mut self, l: LocId) {
        if let Some(loc) = self.locs.get_mut(l as usize).filter(|_| l < STATIC) {
            loc.tags.clear();
        }
    }

    /// A fresh variable as a term.
    pub fn fresh(&mut self, range: Interval) -> Term {
        Term::var(self.facts.fresh(range))
    }

    /// The index of the slot that contains the byte at `off`.
    pub fn slot_at(&self, off: i64) -> Option<usize> {
        let i = self.frame.partition_point(|s| s.off > off);
        self.frame.get(i).filter(|s| off >= s.off && off < s.end()).map(|_| i)
    }

    /// Makes rsp go down by `size` bytes of raw memory.
    pub fn allocate(&mut self, size: i64) -> bool {
        let Some(depth) = self.depth.checked_sub(size) else { return false };
        if depth < -limits::FRAME_BYTES || self.frame.len() >= limits::FRAME_CELLS {
            return false;
        }
        self.depth = depth;
        match self.frame.last_mut() {
            Some(top) if top.word.is_none() => {
                top.off = depth;
                top.size += size;
            }
            _ if size > 0 => self.frame.push(Slot { off: depth, size, word: None }),
            _ => {}
        }
        true
    }

    /// Puts a word of `size` bytes below all that is there, and touches it.
    pub fn push(&mut self, size: i64, word: Word) -> bool {
        let Some(depth) = self.depth.checked_sub(size) else { return false };
        if depth < -limits::FRAME_BYTES || self.frame.len() >= limits::FRAME_CELLS {
            return false;
        }
        self.depth = depth;
        self.touched = self.touched.min(depth);
        self.frame.push(Slot { off: depth, size, word: Some(word) });
        true
    }

    /// Makes rsp go up by `size` bytes; false if that leaves the frame. What was there is gone.
    pub fn release(&mut self, size: i64) -> bool {
        let Some(depth) = self.depth.checked_add(size) else { return false };
        if depth > 0 {
            return false;
        }
        self.depth = depth;
        self.zero = self.zero.take().filter(|z| z.lo >= depth);
        while let Some(top) = self.frame.last_mut() {
            if top.end() <= depth {
                self.frame.pop();
            } else if top.off < depth {
                // Part of a piece stays: its rest is raw.
                top.size = top.end() - depth;
                top.off = depth;
                top.word = None;
            } else {
                break;
            }
        }
        self.touched = self.touched.max(depth);
        true
    }

    /// The part of the frame around the piece `i` in which no whole word lies: raw bytes and numbers narrower than the
    /// `word` bytes of a word.
    pub fn loose(&self, i: usize, word: i64) -> Option<(i64, i64)> {
        let loose = |s: &&Slot| s.word.is_none() || s.size < word;
        self.frame.get(i).filter(loose)?;
        let last = self.frame.get(i..)?.iter().take_while(loose).last()?;
        let first = self.frame.get(..=i)?.iter().rev().take_while(loose).last()?;
        Some((last.off, first.end()))
    }

    /// Makes the bytes `lo..hi` of the frame raw; words that lie partly in it become raw wholly.
    pub fn forget_frame(&mut self, lo: i64, hi: i64) {
        self.written(lo, hi);
        let first = self.frame.partition_point(|s| s.off >= hi);
        let last = self.frame.partition_point(|s| s.end() > lo);
        if first >= last || first >= self.frame.len() {
            return;
        }
        let (top, bottom) = (self.frame[first].end(), self.frame[last - 1].off);
        self.frame.splice(first..last, [Slot { off: bottom, size: top - bottom, word: None }]);
        self.join_raw(first);
    }

    /// Something was written there.
    fn written(&mut self, lo: i64, hi: i64) {
        self.zero = self.zero.take().filter(|z| hi <= z.lo || z.hi <= lo);
    }

    /// Joins the raw piece `i` with raw neighbours.
    fn join_raw(&mut self, i: usize) {
        if i + 1 < self.frame.len() && self.frame[i + 1].word.is_none() {
            let below = self.frame.remove(i + 1);
            self.frame[i].off = below.off;
            self.frame[i].size += below.size;
        }
        if i > 0 && self.frame[i - 1].word.is_none() {
            let me = self.frame.remove(i);
            self.frame[i - 1].off = me.off;
            self.frame[i - 1].size += me.size;
        }
    }

    /// Puts a word of `size` bytes at `off`, which lies in the frame. False at the limit of cells.
    pub fn put_word(&mut self, off: i64, size: i64, word: Word) -> bool {
        self.written(off, off.saturating_add(size));
        let Some(i) = self.slot_at(off) else { return false };
        if self.frame[i].off == off && self.frame[i].size == size {
            self.frame[i].word = Some(word);
            return true;
        }
        if off + size > self.frame[i].end() || self.frame[i].word.is_some() {
            self.forget_frame(off, off + size);
        }
        let Some(i) = self.slot_at(off) else { return false };
        if self.frame.len() + 2 > limits::FRAME_CELLS {
            return false;
        }
        let old = self.frame[i].clone();
        let mut parts = Vec::with_capacity(3);
        if old.end() > off + size {
            parts.push(Slot { off: off + size, size: old.end() - off - size, word: None });
        }
        parts.push(Slot { off, size, word: Some(word) });
        if old.off < off {
            parts.push(Slot { off: old.off, size: off - old.off, word: None });
        }
        self.frame.splice(i..i + 1, parts);
        true
    }
}
