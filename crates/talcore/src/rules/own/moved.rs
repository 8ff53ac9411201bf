//! Memory that is moved as it is: `rep movs` over all bytes of something whose layout is known.
//!
//! What is relied on. Both places belong to this function alone, so nobody sees them meanwhile, and do not overlap; the
//! direction flag is clear, the count is proved to be a word, and what is copied is just the bytes of one struct, of one
//! union, or of what a layout variable stands for. Then the target holds what the source held, words and all. If that may
//! own memory it must not lie at both places: the source has raw bytes from there on (or, where it was the last element of
//! an array, an array that is shorter).
//!
//! A *part* is what is remembered of it in the target: bytes of a known layout at an offset in memory whose layout says
//! that the bytes there are raw. So forgetting a part is always right, and leaks at most. Parts are forgotten when
//! anything is written that they may meet, when the memory gets another layout, and at labels. Nothing is loaded from them.
//! Packing uses them: where the wanted layout has something at the place of a part, it must be of its type.
//!
//! Of what is copied nothing is held, opened or moved out: every held word is proved to lie elsewhere. A struct that owns
//! nothing may lie at both places.

use crate::engine::{Checked, Engine, under};
use crate::guide::Guide;
use crate::limits;
use crate::matching::Blame;
use crate::state::{Lay, Loc, LocId, Part, STATIC, Word};
use crate::term::Term;
use crate::types::{Body, Layout};
use crate::verdict::Code;
use alloc::rc::Rc;
use alloc::vec::Vec;

/// Where what is moved lies.
enum Source {
    /// It is the part with this number.
    Part(usize),
    /// The layout of the memory says it.
    Declared,
}

/// How what is moved leaves its place.
enum Leaves {
    /// Nothing stays but raw bytes.
    Bytes,
    /// The array has one element less.
    Shorter(Lay),
    /// It stays, too.
    Stays,
}

impl<'a, G: Guide> Engine<'a, G> {
    /// Moves `size` bytes, if they are all of something whose layout is known, from one place that this function has for
    /// itself to another one. Answers whether it was done; else nothing is changed.
    pub(in crate::rules) fn move_part(&mut self, si: &Word, di: &Word, size: &Term) -> Checked<bool> {
        let (Word::Ptr(l, e), Word::Ptr(k, f)) = (si, di) else { return Ok(false) };
        let (l, k) = (*l, *k);
        if l >= STATIC || k >= STATIC {
            return Ok(false);
        }
        let (from, to) = (self.loc(l)?, self.loc(k)?);
        let usable = |s: &Self, loc: &Loc| loc.exclusive() && loc.hole.is_none() && !s.foreign(loc.lay.id);
        if !usable(self, &from) || !usable(self, &to) {
            return Ok(false);
        }
        // What a whole struct holds goes with it.
        let whole = e.as_const() == Some(0) && self.size_of(&from.lay).as_ref() == Some(size);
        let nominal = matches!(self.program.types.layout(from.lay.id), Layout::Struct(..));
        if whole && nominal && l != k && self.program.shapes.linear(from.lay.id) {
            self.fold(l, Blame { shape: Code::Content, fact: Code::Content })?;
        }
        let from = self.loc(l)?;
        let Some((source, lay)) = self.movable(l, e, size)? else { return Ok(false) };
        if l == k && !self.disjoint((e, size), (f, size))? {
            return Ok(false);
        }
        let linear = self.program.shapes.linear(lay.id);
        let leaves = match source {
            Source::Part(_) => Leaves::Bytes,
            Source::Declared if !linear => Leaves::Stays,
            Source::Declared => match self.shorter(&from.lay, e, size)? {
                Some(lay) => Leaves::Shorter(lay),
                None => Leaves::Bytes,
            },
        };
        // What is forgotten of the source must not be what the target is known by.
        if l == k && matches!((&source, &leaves), (Source::Declared, Leaves::Bytes)) {
            return Ok(false);
        }
        let raw = self.raw_room(k, f, size)?;
        if !raw && !self.replaces(k, f, &lay)? || raw && to.parts.len() >= limits::HELD {
            return Ok(false);
        }
        self.spend((lay.parts() + from.parts.len() + to.parts.len()) as u64)?;
        match (source, leaves) {
            (Source::Part(i), _) if linear => self.drop_part(l, i),
            (_, Leaves::Shorter(lay)) => {
                self.state.forget_tags(l);
                if let Some(loc) = self.state.locs.get_mut(l as usize) {
                    loc.lay = lay;
                }
            }
            (Source::Declared, Leaves::Bytes) => self.leave_others(l, &from, (e, size))?,
            _ => {}
        }
        self.state.forget_tags(k);
        if !raw {
            // Bytes of it may have been raw.
            self.forget_parts(k, Some((f, size)))?;
            return Ok(true);
        }
        let have = self.loc(k)?.lay;
        self.forget_words(k, &have, Some((f, size)))?;
        if linear && f.as_const() == Some(0) && self.size_of(&have).as_ref() == Some(size) {
            let lay = self.canonical(&lay)?;
            self.becomes(k, lay);
            if let Some(loc) = self.state.locs.get_mut(k as usize) {
                loc.empty();
            }
            self.unfold(k)?;
        } else if let Some(loc) = self.state.locs.get_mut(k as usize) {
            loc.parts.push(Part { off: f.clone(), lay });
        }
        Ok(true)
    }

    /// Of the memory that something was moved out of only bytes are left, but what lies beside it in the same struct.
    fn leave_others(&mut self, l: LocId, from: &Loc, moved: (&Term, &Term)) -> Checked {
        self.forget(l)?;
        let program = self.program;
        let mut parts = from.parts.clone();
        if let Layout::Struct(id, args) = program.types.layout(from.lay.id)
            && let Some(fields) = program.types.strukt(*id).fields()
        {
            let env = self.compose(args, &from.lay.env)?;
            let mut at = Term::zero();
            for &id in fields {
                self.spend(2)?;
                let lay = Lay { id, env: env.clone() };
                let Some(size) = self.size_of(&lay) else { break };
                let plain = self.plain_lay(lay);
                let whole = matches!(program.types.layout(plain.id), Layout::Of(..) | Layout::Struct(..));
                let next = self.term(at.add(&size))?;
                if whole && self.holds_nothing(l, &at, &size)? && self.disjoint((&at, &size), moved)? {
                    parts.push(Part { off: at, lay: plain });
                }
                at = next;
            }
        }
        parts.truncate(limits::HELD);
        if let Some(loc) = self.state.locs.get_mut(l as usize) {
            loc.parts = parts;
        }
        Ok(())
    }

    /// Whether two ranges, each an offset and a size in bytes, are proved not to meet.
    fn disjoint(&mut self, a: (&Term, &Term), b: (&Term, &Term)) -> Checked<bool> {
        let behind = self.term(a.0.sub(b.0).and_then(|t| t.sub(b.1)))?;
        let before = self.term(b.0.sub(a.0).and_then(|t| t.sub(a.1)))?;
        Ok(self.try_prove(&behind) || self.try_prove(&before))
    }

    /// Forgets held numbers that may lie in a range and are what the layout says there: those that were read.
    pub(super) fn settle_numbers(&mut self, l: LocId, at: &Term, size: &Term) -> Checked {
        let lay = self.loc(l)?.lay;
        let mut i = 0;
        while let Some(held) = self.held_word(l, i) {
            self.spend(2)?;
            let number = matches!(held.word, Word::Int(_)) && !self.apart(at, size, &held)?;
            if number && self.has_its_type(l, &lay, &held)? {
                self.drop_held(l, i);
            } else {
                i += 1;
            }
        }
        Ok(())
    }

    /// Whether all held words are proved to lie outside of a range.
    fn holds_nothing(&mut self, l: LocId, at: &Term, size: &Term) -> Checked<bool> {
        for i in 0..self.held(l) {
            self.spend(2)?;
            let Some(held) = self.held_word(l, i) else { break };
            if !self.apart(at, size, &held)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What lies at an offset and has just this size: a struct or what a layout variable stands for, complete.
    fn movable(&mut self, l: LocId, e: &Term, size: &Term) -> Checked<Option<(Source, Lay)>> {
        let loc = self.loc(l)?;
        for (i, part) in loc.parts.iter().enumerate() {
            self.spend(2)?;
            if part.off == *e && self.size_of(&part.lay).as_ref() == Some(size) {
                return Ok(Some((Source::Part(i), part.lay.clone())));
            }
        }
        let program = self.program;
        let (mut lay, mut off) = (loc.lay, e.clone());
        for _ in 0..=limits::NESTING {
            lay = self.plain_lay(lay);
            let whole = matches!(program.types.layout(lay.id), Layout::Of(..) | Layout::Struct(..));
            if whole && off.as_const() == Some(0) && self.size_of(&lay).as_ref() == Some(size) {
                break;
            }
            match self.down(&lay, &off)? {
                Some(inner) => (lay, off) = inner,
                None => return Ok(None),
            }
        }
        self.settle_numbers(l, e, size)?;
        Ok(self.holds_nothing(l, e, size)?.then_some((Source::Declared, lay)))
    }

    /// One step down where that is evident or proved: an element of an array, a field.
    fn down(&mut self, lay: &Lay, off: &Term) -> Checked<Option<(Lay, Term)>> {
        self.spend(2)?;
        let program = self.program;
        Ok(match program.types.layout(lay.id) {
            Layout::Array(n, elem) => {
                let elem = Lay { id: *elem, env: lay.env.clone() };
                let n = self.term(under(n, &lay.env))?;
                let Some(size) = self.size_of(&elem).and_then(|s| s.as_const()).filter(|s| *s > 0) else {
                    return Ok(None);
                };
                let (index, rest) = self.split_offset(off, size)?;
                let left = self.term(n.sub(&index).and_then(|t| t.offset(-1)))?;
                (self.try_prove(&index) && self.try_prove(&left)).then_some((elem, rest))
            }
            Layout::Struct(id, args) => {
                let env = self.compose(args, &lay.env)?;
                match &program.types.strukt(*id).body {
                    Body::Fields(fields) => self.field_at(fields, &env, off)?,
                    _ => None,
                }
            }
            Layout::Seq(fields) => self.field_at(fields, &lay.env, off)?,
            _ => None,
        })
    }

    /// For an array, with or without bytes behind it, of which the last element begins at `e`: what is left without it.
    fn shorter(&mut self, lay: &Lay, e: &Term, moved: &Term) -> Checked<Option<Lay>> {
        let program = self.program;
        let array = match program.types.layout(lay.id) {
            Layout::Array(..) => lay.id,
            Layout::Seq(parts) => match parts.first() {
                Some(first) => *first,
                None => return Ok(None),
            },
            _ => return Ok(None),
        };
        let (Layout::Array(n, elem), Some(env)) = (program.types.layout(array), &lay.env) else {
            return Ok(None);
        };
        let Some(tail) = program.shapes.tail(lay.id) else { return Ok(None) };
        let size = program.shapes.size(*elem).and_then(Term::as_const);
        // In the form that states have the length is a variable of its own, and the bytes behind it are the next one.
        let (Some(size), Some(v)) = (size, n.as_var().map(|v| v as usize)) else { return Ok(None) };
        let (Some(n), true) = (env.get(v), tail == lay.id || array == lay.id && env.len() == v + 1) else {
            return Ok(None);
        };
        let last = self.term(n.offset(-1))?;
        if self.term(last.scale(size))? != *e || moved.as_const() != Some(size) {
            return Ok(None);
        }
        let behind = self.term(env.get(v + 1).cloned().unwrap_or_default().offset(size))?;
        let mut env: Vec<Term> = env.iter().take(v).cloned().collect();
        env.extend([last, behind]);
        Ok(Some(Lay { id: tail, env: Some(Rc::from(env)) }))
    }

    /// Whether a range of bytes is proved to lie in raw bytes of the layout.
    fn raw_room(&mut self, k: LocId, f: &Term, size: &Term) -> Checked<bool> {
        // What is known to be 0 is so in vain.
        if self.program.zeros(self.loc(k)?.lay.id) {
            self.forget_zeros(k)?;
        }
        let (mut lay, mut off) = (self.loc(k)?.lay, f.clone());
        for _ in 0..=limits::NESTING {
            lay = self.plain_lay(lay);
            if self.program.shapes.raw_size(lay.id).is_some() {
                let Some(room) = self.size_of(&lay) else { return Ok(false) };
                let left = self.term(room.sub(&off).and_then(|t| t.sub(size)))?;
                return Ok(self.try_prove(&off) && self.try_prove(&left));
            }
            match self.down(&lay, &off)? {
                Some(inner) => (lay, off) = inner,
                None => return Ok(false),
            }
        }
        Ok(false)
    }

    /// Whether memory has something of the same layout at an offset already, of which nothing is held: then another one
    /// takes its place.
    fn replaces(&mut self, k: LocId, f: &Term, new: &Lay) -> Checked<bool> {
        let Some(size) = self.size_of(new) else { return Ok(false) };
        let Some((Source::Declared, old)) = self.movable(k, f, &size)? else { return Ok(false) };
        let (old, new) = (self.canonical(&old)?, self.canonical(new)?);
        Ok(old == new)
    }

    fn drop_part(&mut self, l: LocId, i: usize) {
        if let Some(loc) = self.state.locs.get_mut(l as usize)
            && i < loc.parts.len()
        {
            loc.parts.remove(i);
        }
    }

    /// Forgets the parts that a write, an offset and a size in bytes, may meet (`None`: all of them).
    pub(super) fn forget_parts(&mut self, l: LocId, access: Option<(&Term, &Term)>) -> Checked {
        let mut i = 0;
        while let Some(part) = self.state.locs.get(l as usize).and_then(|loc| loc.parts.get(i)).cloned() {
            self.spend(2)?;
            let keep = match (access, self.size_of(&part.lay)) {
                (Some(access), Some(room)) => self.disjoint(access, (&part.off, &room))?,
                _ => false,
            };
            if keep {
                i += 1;
            } else {
                self.drop_part(l, i);
            }
        }
        Ok(())
    }
}
