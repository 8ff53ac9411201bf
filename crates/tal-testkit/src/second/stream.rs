//! docs/annotations.md, "The annotation stream of a function": the labels' states, and the steps without machine code.
//!
//! Answers are not read: proofs are searched for here, and so is what a variable stands for.

use super::ghost::Ghost;
use super::know::Range;
use super::lin::{Lin, Var};
use super::state::{Held, Loc, State, Word};
use super::types::{Env, Lay, Node, World};
use super::{Stop, no, todo};
use std::collections::BTreeMap;
use std::rc::Rc;
use talcore::program::Function;
use talcore::types::{LayoutId, Mode, SigId, WordId};

/// A reader of bytes.
struct Bytes<'a, 'w> {
    left: &'a [u8],
    world: &'w World<'w>,
    function: &'w Function,
    /// The frame of the last label, from the return slot down.
    pieces: Vec<(i128, Option<Word>)>,
}

/// The labels of a function by their offsets, and whether there are steps without machine code.
pub(super) struct Stream {
    /// The states.
    pub(super) labels: BTreeMap<u64, State>,
    /// The steps, in order.
    pub(super) ghosts: Vec<Ghost>,
}

/// Reads a stream.
pub(super) fn read(
    world: &World<'_>,
    function: &Function,
    bytes: &[u8],
    entry: &State,
) -> Result<Stream, Stop> {
    let mut r = Bytes { left: bytes, world, function, pieces: Vec::new() };
    let mut labels = BTreeMap::new();
    let mut at: u64 = 0;
    let mut last = entry.clone();
    let base =
        Base { vars: entry.known.ranges.len(), locs: entry.locs.len(), facts: entry.known.facts.len() };
    let count = r.count()?;
    for i in 0..count {
        let step = r.uleb()? as u64;
        at = at
            .checked_add(step)
            .filter(|_| i == 0 || step > 0)
            .map_or_else(|| no("labels in disorder"), Ok)?;
        last = r.state(&last, entry, &base)?;
        labels.insert(at, last.clone());
    }
    let count = r.count()?;
    let mut at = 0u64;
    let mut ghosts = Vec::new();
    for _ in 0..count {
        at = at.wrapping_add(r.uleb()? as u64);
        let tag = r.u8()?;
        let (kind, falls) = (tag & 15, tag & 16 != 0);
        let mut operands = [0; 2];
        let count = if matches!(kind, 1 | 2 | 6) { 2 } else { 1 };
        for operand in &mut operands[..count] {
            // A register is a byte, below 128: the same as a number.
            *operand = r.index()?;
        }
        ghosts.push(Ghost { at, falls, kind, operands });
    }
    Ok(Stream { labels, ghosts })
}

/// How many of each the entry has: these are kept by all labels.
struct Base {
    vars: usize,
    locs: usize,
    facts: usize,
}

impl Bytes<'_, '_> {
    fn u8(&mut self) -> Result<u8, Stop> {
        let (first, rest) = self.left.split_first().map_or_else(|| no("the stream ends"), Ok)?;
        self.left = rest;
        Ok(*first)
    }
    fn uleb(&mut self) -> Result<u128, Stop> {
        let mut n = 0u128;
        for i in 0..18 {
            let b = self.u8()?;
            n |= u128::from(b & 127) << (7 * i);
            if b < 128 {
                return Ok(n);
            }
        }
        no("a number that is too long")
    }
    fn sleb(&mut self) -> Result<i128, Stop> {
        let mut n = 0i128;
        for i in 0..18 {
            let b = self.u8()?;
            n |= i128::from(b & 127) << (7 * i);
            if b < 128 {
                let unused = 128 - (7 * (i + 1)).min(128);
                return Ok(n << unused >> unused);
            }
        }
        no("a number that is too long")
    }
    fn count(&mut self) -> Result<usize, Stop> {
        let n = self.uleb()?;
        if n > self.left.len() as u128 { no("more than there are bytes") } else { Ok(n as usize) }
    }
    fn index(&mut self) -> Result<u32, Stop> {
        u32::try_from(self.uleb()?).or_else(|_| no("a number that is too large"))
    }

    fn term(&mut self) -> Result<Lin, Stop> {
        let head = self.u8()?;
        self.term_from(head)
    }
    fn term_from(&mut self, head: u8) -> Result<Lin, Stop> {
        Ok(match head {
            0..=16 => {
                let mut t = Lin::of(self.sleb()?);
                for _ in 0..head {
                    let v = self.index()?;
                    let c = self.sleb()?;
                    t = t.plus_times(&Lin::var(v), c);
                }
                t
            }
            17 => Lin::var(self.index()?).add(self.sleb()?),
            18 => Lin::var(self.index()?).minus(&Lin::var(self.index()?)).add(self.sleb()?),
            19 => Lin::var(self.index()?).minus(&Lin::var(self.index()?)),
            20 => Lin::var(self.index()?).minus(&Lin::var(self.index()?)).add(-1),
            21 => return todo("a code in a stream"),
            64..=127 => Lin::of(i128::from(head - 64)),
            128.. => Lin::var(Var::from(head - 128)),
            _ => return no("no term"),
        })
    }
    fn interval(&mut self) -> Result<Range, Stop> {
        let head = self.u8()?;
        let power = |k: u8| if k < 126 { Ok(1i128 << k) } else { todo("a bound that is too large") };
        Ok(match head {
            0 => Range::ALL,
            1 => Range::new(self.sleb()?, self.sleb()?),
            2 => Range { lo: Some(self.sleb()?), hi: None },
            3 => Range { lo: None, hi: Some(self.sleb()?) },
            4 => Range::new(0, self.uleb()? as i128),
            5 => {
                let n = self.sleb()?;
                Range::new(n, n)
            }
            6 => Range::new(self.sleb()?, power(self.u8()?)?),
            7 => Range::new(self.sleb()?, power(self.u8()?)? - 1),
            64..=127 => Range::new(0, power(head - 64)?),
            128.. => Range::new(0, power(head - 128)? - 1),
            _ => return no("no interval"),
        })
    }
    fn env(&mut self) -> Result<Env, Stop> {
        let count = self.count()?;
        let mut env = BTreeMap::new();
        for i in 0..count {
            env.insert(i as Var, self.term()?);
        }
        Ok(Rc::new(env))
    }
    fn layout(&mut self) -> Result<Lay, Stop> {
        let id = self.index()?;
        let env = self.env()?;
        let arg = |i: Var| env.get(&i).cloned().unwrap_or_else(|| Lin::var(i));
        let (first, end) = self.function.types.layouts;
        Ok(match id {
            0 => Lay::Cstr(Some(arg(0))),
            1 => Lay::Bytes(arg(0)),
            4 => Lay::Foreign(arg(0)),
            2 | 3 | 5 => return todo("a layout of states alone"),
            _ if first + id - 6 < end => self.world.lay(&Node { id: LayoutId(first + id - 6), env }),
            _ => return todo("an opened layout in a stream"),
        })
    }
    fn word(&mut self) -> Result<Word, Stop> {
        let tag = self.u8()?;
        Ok(match tag {
            1 => Word::Any,
            2 => Word::Int(self.term()?),
            3 => Word::Ptr(self.index()? as usize, self.term()?),
            4 => {
                let statics = &self.world.program.scopes[self.function.scope as usize].statics;
                match statics.get(self.index()? as usize) {
                    Some(Some(i)) => Word::Static(*i as usize, self.term()?),
                    _ => return no("a static that is not there"),
                }
            }
            5 => Word::Frame(self.term()?),
            6 => {
                let v = self.index()?;
                let id = self.index()?;
                let (first, end) = self.function.types.words;
                // 0 is the type of the words that the process starts with.
                let id = match id.checked_sub(1) {
                    None => self.world.program.shapes.maybe_string(),
                    Some(id) if first + id < end => WordId(first + id),
                    _ => return todo("a word type that the note does not have"),
                };
                Word::Opt(v, Node { id, env: self.env()? })
            }
            7 => {
                let (first, end) = self.function.types.sigs;
                let id = self.index()?;
                if first + id >= end {
                    return todo("an odd signature");
                }
                Word::Fn(SigId(first + id))
            }
            8 => Word::Var(self.index()?),
            9 | 10 => return todo("a word of a type that is a variable"),
            16..=31 => Word::Caller(tag - 16),
            32..=63 => Word::Ptr(usize::from(tag - 32), Lin::default()),
            64.. => Word::Int(self.term_from(tag)?),
            _ => return no("no word"),
        })
    }

    fn state(&mut self, last: &State, entry: &State, base: &Base) -> Result<State, Stop> {
        let mut s = last.clone();
        s.flags = Default::default();
        s.sp = None;
        let flags = self.u8()?;
        if flags & 1 != 0 {
            let own = self.uleb()?.min(1000) as usize;
            s.known.ranges.truncate(base.vars + own);
            while s.known.ranges.len() < base.vars + own {
                let range = self.interval()?;
                s.known.ranges.push(range);
            }
            for _ in 0..self.count()? {
                let v = self.index()? as usize;
                let range = self.interval()?;
                match s.known.ranges.get_mut(v) {
                    Some(old) => *old = range,
                    None => return no("no variable"),
                }
            }
        }
        if flags & 128 != 0 {
            return todo("stretches");
        }
        if flags & 2 != 0 {
            let kept = self.count()?;
            if base.locs + kept > s.locs.len() {
                return no("no location");
            }
            s.locs.truncate(base.locs + kept);
            for _ in 0..self.count()? {
                let mode = match self.u8()? {
                    m @ 0..=6 => Mode::ALL[usize::from(m)],
                    7 => return todo("a cursor at a label"),
                    _ => return todo("a stretch at a label"),
                };
                let lay = self.layout()?;
                s.locs.push(Loc { mode, lay, addr: None, held: Vec::new(), live: true });
            }
        }
        if flags & 64 != 0 {
            for _ in 0..self.count()? {
                let l = self.index()? as usize;
                if l >= s.locs.len() {
                    return no("no location");
                }
                self.contents(&mut s.locs[l])?;
            }
        }
        if flags & 4 != 0 {
            let set = self.uleb()?;
            for r in 0..s.regs.len() {
                if set >> r & 1 != 0 {
                    s.regs[r] = self.word()?;
                }
            }
        }
        if flags & 8 != 0 {
            self.frame(&mut s)?;
        }
        if flags & 16 != 0 {
            let kept = self.count()?;
            s.known.facts.truncate(base.facts + kept);
            for _ in 0..self.count()? {
                s.known.facts.push(self.term()?);
            }
        }
        s.touched = s.depth;
        s.stack.clone_from(&last.stack);
        if flags & 32 != 0 {
            let n = self.uleb()?;
            s.touched = s.depth + (n >> 3) as i128;
            if n & 3 != 0 {
                return todo("tags or addresses at a label");
            }
            if n & 4 != 0 {
                for i in 0..entry.stack.len() {
                    s.stack[i] = self.word()?;
                }
            }
        }
        self.sound(&mut s)?;
        Ok(s)
    }

    /// Words speak of what is there.
    fn sound(&self, s: &mut State) -> Result<(), Stop> {
        let (locs, vars) = (s.locs.len(), s.known.ranges.len());
        for word in s.words() {
            let there = match word {
                Word::Ptr(l, off) => *l < locs && off.m.keys().all(|v| (*v as usize) < vars),
                Word::Opt(v, _) => (*v as usize) < vars,
                Word::Int(t) | Word::Static(_, t) | Word::Frame(t) => {
                    t.m.keys().all(|v| (*v as usize) < vars)
                }
                _ => true,
            };
            if !there {
                return no("a word of what is not there");
            }
        }
        let facts = s.known.facts.iter().all(|f| f.m.keys().all(|v| (*v as usize) < vars));
        if facts { Ok(()) } else { no("a fact of what is not there") }
    }

    fn contents(&mut self, loc: &mut Loc) -> Result<(), Stop> {
        match self.u8()? {
            0 => {
                loc.live = false;
                loc.held.clear();
            }
            1 => {
                loc.lay = self.layout()?;
                loc.live = true;
                loc.held.clear();
                for _ in 0..self.count()? {
                    let off = self.term()?;
                    let (size, word) = self.piece()?;
                    loc.held.push(Held { off, size, word });
                }
            }
            _ => return todo("lent memory at a label"),
        }
        Ok(())
    }

    /// A held word, or a number of 1, 2, 4 bytes.
    fn piece(&mut self) -> Result<(i128, Word), Stop> {
        if let Some(&tag @ 12..=14) = self.left.first() {
            self.left = &self.left[1..];
            return Ok((1 << (tag - 12), Word::Int(self.term()?)));
        }
        Ok((self.world.word, self.word()?))
    }

    fn frame(&mut self, s: &mut State) -> Result<(), Stop> {
        let kept = self.uleb()?;
        if kept > self.pieces.len() as u128 {
            return no("no piece of the frame");
        }
        self.pieces.truncate(kept as usize);
        for _ in 0..self.count()? {
            match self.left.first() {
                Some(0) => {
                    self.u8()?;
                    let size = self.uleb()?.min(1 << 40) as i128;
                    self.pieces.push((size, None));
                }
                _ => {
                    let (size, word) = self.piece()?;
                    self.pieces.push((size, Some(word)));
                }
            }
        }
        s.frame.clear();
        let mut at = 0;
        for (size, word) in &self.pieces {
            at -= size;
            if let Some(word) = word {
                s.frame.insert(at, (*size, word.clone()));
            }
        }
        s.depth = at;
        Ok(())
    }
}
