//! The payload of a note as a list of what it says, and one with another thing said.
//!
//! The format is that of `talcore::note`; this is a second reader of it, which keeps the bytes of each item.

use super::terms;
use fastrand::Rng;
use std::ops::Range;
use talcore::arch::Arch;
use talcore::reader::Reader;
use talcore::types::Mode;
use talnote::wire;

/// What an item is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// A count: changing it makes what follows mean something else.
    Count,
    /// The tag of a node.
    Tag,
    Mode,
    Word,
    Layout,
    Sig,
    Struct,
    Var,
    Term,
    Interval,
    Width,
    Register,
    Flags,
    /// A size, an offset, a number of entries.
    Number,
    /// A layout of an object, with its mode.
    Object,
    /// Annotations, names, what a reader skips.
    Rest,
}

/// One item.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) kind: Kind,
    bytes: Vec<u8>,
}

/// A note in items.
#[derive(Clone)]
pub(super) struct Items {
    /// What comes before the payload, but for its size.
    head: Vec<u8>,
    /// The address words.
    words: Vec<u8>,
    pub(super) list: Vec<Item>,
    /// Where its nodes are.
    nodes: Vec<Range<usize>>,
}

struct Parser<'a> {
    r: Reader<'a>,
    bytes: &'a [u8],
    list: Vec<Item>,
}

impl Parser<'_> {
    /// What was read since then is one item.
    fn item(&mut self, kind: Kind, start: usize) {
        self.list.push(Item { kind, bytes: self.bytes[start..self.r.position()].to_vec() });
    }

    fn num(&mut self, kind: Kind) -> Option<u64> {
        let start = self.r.position();
        let n = self.r.num()?;
        self.item(kind, start);
        Some(n)
    }

    fn byte(&mut self, kind: Kind) -> Option<u8> {
        let start = self.r.position();
        let n = self.r.u8()?;
        self.item(kind, start);
        Some(n)
    }

    fn sleb(&mut self, kind: Kind) -> Option<()> {
        let start = self.r.position();
        self.r.sleb()?;
        self.item(kind, start);
        Some(())
    }

    fn take(&mut self, n: u64) -> Option<()> {
        let start = self.r.position();
        self.r.take(usize::try_from(n).ok()?)?;
        self.item(Kind::Rest, start);
        Some(())
    }

    fn term(&mut self) -> Option<()> {
        let start = self.r.position();
        self.r.term(u32::MAX)?;
        self.item(Kind::Term, start);
        Some(())
    }

    fn interval(&mut self) -> Option<()> {
        let start = self.r.position();
        self.r.interval()?;
        self.item(Kind::Interval, start);
        Some(())
    }

    fn many(&mut self, each: impl Fn(&mut Self) -> Option<()>) -> Option<()> {
        for _ in 0..self.num(Kind::Count)? {
            each(self)?;
        }
        Some(())
    }

    fn terms(&mut self) -> Option<()> {
        self.many(Self::term)
    }

    fn registers(&mut self, kind: Kind) -> Option<()> {
        self.many(|p| {
            p.byte(Kind::Register)?;
            p.num(kind).map(drop)
        })
    }

    fn exists(&mut self, body: Kind) -> Option<()> {
        self.num(Kind::Var)?;
        self.many(Self::interval)?;
        self.terms()?;
        self.num(body).map(drop)
    }

    fn node(&mut self) -> Option<()> {
        use Kind::{Layout, Mode, Sig, Struct, Var, Width, Word};
        match self.byte(Kind::Tag)? {
            0x00 | 0x10 | 0x11 | 0x1e => self.term()?,
            0x01 => self.interval()?,
            0x02 => {
                self.byte(Mode)?;
                self.num(Layout)?;
            }
            0x03 | 0x06 | 0x13 | 0x17 => drop(self.num(Word)?),
            0x04 => drop(self.num(Sig)?),
            0x05 => drop(self.num(Var)?),
            0x07 => self.exists(Word)?,
            0x08 => {
                self.byte(Kind::Flags)?;
                self.term()?;
            }
            0x09 => {
                self.num(Sig)?;
                self.terms()?;
            }
            0x0a => {
                self.term()?;
                self.num(Word)?;
            }
            0x0b => {
                self.term()?;
                self.interval()?;
                self.num(Word)?;
            }
            0x12 => {}
            0x14 => {
                self.byte(Width)?;
                self.interval()?;
            }
            0x15 => {
                self.term()?;
                self.num(Layout)?;
            }
            0x16 => {
                self.term()?;
                self.num(Word)?;
            }
            0x18 => {
                self.num(Struct)?;
                self.terms()?;
            }
            0x19 => self.many(|p| p.num(Layout).map(drop))?,
            0x1a => {
                self.byte(Width)?;
                self.term()?;
            }
            0x1c => self.exists(Layout)?,
            0x1f => {
                self.term()?;
                self.term()?;
            }
            0x20 => self.sig()?,
            _ => return None,
        }
        Some(())
    }

    fn sig(&mut self) -> Option<()> {
        use Kind::{Layout, Number, Register, Var, Word};
        let flags = self.byte(Kind::Flags)?;
        if flags & 4 != 0 {
            self.many(Self::interval)?;
            self.num(Var)?;
        }
        self.registers(Word)?;
        if flags & 8 != 0 {
            self.many(|p| p.num(Word).map(drop))?;
        }
        if flags & 16 != 0 {
            self.terms()?;
        }
        self.registers(Word)?;
        if flags & 32 != 0 {
            self.many(Self::interval)?;
            self.terms()?;
        }
        if flags & 64 != 0 {
            self.registers(Layout)?;
            self.many(|p| p.num(Number).map(drop))?;
            self.many(|p| {
                p.byte(Register)?;
                p.num(Layout)?;
                p.byte(Register)?;
                p.interval()
            })?;
            self.many(|p| p.num(Var).map(drop))?;
        }
        if flags & 128 != 0 {
            self.byte(Kind::Flags)?;
            self.byte(Kind::Flags)?;
        }
        Some(())
    }

    fn payload(&mut self, words: usize) -> Option<Vec<Range<usize>>> {
        use Kind::{Count, Flags, Number, Object, Rest, Sig};
        let sections = self.num(Count)?;
        for _ in 0..sections {
            self.byte(Flags)?;
            self.num(Number)?;
        }
        let mut structs = Vec::new();
        for _ in 0..self.num(Count)? {
            structs.push(self.num(Flags)?);
        }
        let mut nodes = Vec::new();
        for _ in 0..self.num(Count)? {
            let start = self.list.len();
            self.node()?;
            nodes.push(start..self.list.len());
        }
        for kind in structs.iter().filter(|kind| **kind < 2048) {
            self.terms()?;
            if kind / 512 % 2 == 1 {
                self.num(Number)?;
            }
            self.many(|p| p.num(Kind::Layout).map(drop))?;
        }
        for _ in 0..self.num(Count)? {
            self.num(Flags)?;
            self.num(Number)?;
            if self.num(Object)? == 0 {
                self.num(Number)?;
                self.num(Number)?;
            }
        }
        for _ in 0..self.num(Count)? {
            self.num(Flags)?;
            self.sleb(Number)?;
            self.num(Number)?;
            self.num(Sig)?;
            let length = self.num(Rest)?;
            self.take(length)?;
        }
        for _ in sections..words as u64 {
            self.num(Object)?;
        }
        self.take(self.r.left() as u64)?;
        Some(nodes)
    }
}

impl Items {
    /// `None` if it cannot be read.
    pub(super) fn of(desc: &[u8], arch: Arch) -> Option<Items> {
        let words = usize::from(u16::from_le_bytes([*desc.get(2)?, *desc.get(3)?]));
        let start = 8 + words * arch.word_bytes() as usize;
        let payload = desc.get(start..)?;
        let mut parser = Parser { r: Reader::new(payload), bytes: payload, list: Vec::new() };
        let nodes = parser.payload(words)?;
        Some(Items { head: desc[..4].to_vec(), words: desc[8..start].to_vec(), list: parser.list, nodes })
    }

    /// The note as bytes.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let size: usize = self.list.iter().map(|i| i.bytes.len()).sum();
        let mut out = self.head.clone();
        out.extend((size as u32).to_le_bytes());
        out.extend(&self.words);
        self.list.iter().for_each(|i| out.extend(&i.bytes));
        out
    }

    /// Says something else. Answers what.
    pub(super) fn mutate(&mut self, other: Option<&Items>, rng: &mut Rng) -> &'static str {
        if let Some(other) = other {
            return self.cross(other, rng);
        }
        for _ in 0..20 {
            let i = rng.usize(..self.list.len());
            let kind = self.list[i].kind;
            // Most of what a note has many of says little.
            let seldom = matches!(kind, Kind::Count | Kind::Rest | Kind::Flags | Kind::Tag);
            if seldom && rng.u8(..12) > 0 {
                continue;
            }
            let same = |j: &Item| j.kind == kind;
            let new = match (rng.u8(..4), kind) {
                (0, _) if kind != Kind::Rest => {
                    let all: Vec<&Item> = self.list.iter().filter(|i| same(i)).collect();
                    all[rng.usize(..all.len())].bytes.clone()
                }
                _ => self.changed(i, rng),
            };
            if new != self.list[i].bytes {
                self.list[i].bytes = new;
                return name(kind);
            }
        }
        "nothing"
    }

    fn changed(&self, i: usize, rng: &mut Rng) -> Vec<u8> {
        let old = &self.list[i].bytes;
        let mut out = Vec::new();
        let mut r = Reader::new(old);
        match self.list[i].kind {
            Kind::Mode => out.push(rng.u8(..Mode::ALL.len() as u8)),
            Kind::Term => {
                let Some(t) = r.term(u32::MAX) else { return old.clone() };
                let all: Vec<_> = self.list.iter().filter(|i| i.kind == Kind::Term).collect();
                let borrowed = all.get(rng.usize(..all.len().max(1)));
                let borrowed = borrowed.and_then(|b| Reader::new(&b.bytes).term(u32::MAX));
                let vars = t.scope().max(1 + rng.u32(..2));
                wire::term(&mut out, &terms::term(&t, vars, borrowed.as_slice(), rng));
            }
            Kind::Interval => {
                let Some(range) = r.interval() else { return old.clone() };
                wire::interval(&mut out, &terms::interval(range, rng));
            }
            Kind::Width => out.push(rng.u8(..8)),
            Kind::Register => out.push(rng.u8(..16)),
            Kind::Tag => {
                // Those of the same shape.
                let groups: [&[u8]; 4] =
                    [&[0x03, 0x06], &[0x10, 0x11, 0x1e, 0x00], &[0x13, 0x17], &[0x15, 0x16]];
                let found = groups.iter().find(|g| g.contains(&old[0]));
                out.push(found.map_or(old[0], |g| g[rng.usize(..g.len())]));
            }
            Kind::Rest if !old.is_empty() => {
                out.clone_from(old);
                let at = rng.usize(..out.len());
                out[at] = out[at].wrapping_add(if rng.bool() { 1 } else { rng.u8(..) });
            }
            Kind::Flags => {
                out.clone_from(old);
                out[0] ^= 1 << rng.u8(..8);
            }
            _ => {
                let n = r.uleb().unwrap_or(0);
                let by = match rng.u8(..4) {
                    0 | 1 => 1,
                    2 => rng.u128(1..9),
                    _ => 1 << rng.u32(..12),
                };
                wire::uleb(&mut out, if rng.bool() { n.saturating_add(by) } else { n.saturating_sub(by) });
            }
        }
        out
    }

    /// With a node of another note in place of one of the same kind.
    fn cross(&mut self, other: &Items, rng: &mut Rng) -> &'static str {
        for _ in 0..20 {
            if self.nodes.is_empty() || other.nodes.is_empty() {
                break;
            }
            let here = self.nodes[rng.usize(..self.nodes.len())].clone();
            let there = other.nodes[rng.usize(..other.nodes.len())].clone();
            let kind = |tag: u8| match tag {
                0..0x10 => 0,
                0x10..0x20 => 1,
                _ => 2,
            };
            let (a, b) = (&self.list[here.clone()], &other.list[there.clone()]);
            let text = |items: &[Item]| items.iter().flat_map(|i| i.bytes.clone()).collect::<Vec<u8>>();
            if kind(a[0].bytes[0]) == kind(b[0].bytes[0]) && text(a) != text(b) {
                self.list.splice(here, b.to_vec());
                return "a node of another note";
            }
        }
        "nothing"
    }
}

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Count => "a count",
        Kind::Tag => "the kind of a node",
        Kind::Mode => "a mode",
        Kind::Word => "which word",
        Kind::Layout => "which layout",
        Kind::Sig => "which signature",
        Kind::Struct => "which struct",
        Kind::Var => "a variable",
        Kind::Term => "a term",
        Kind::Interval => "an interval",
        Kind::Width => "a width",
        Kind::Register => "a register",
        Kind::Flags => "flags",
        Kind::Number => "a size or offset",
        Kind::Object => "the type of an object",
        Kind::Rest => "annotations or names",
    }
}
