//! Unions: layouts of equal size, told apart by a number that all of them have at one place, the *tag*.
//!
//! A union is checked once, where it is defined: its variants are equally large, whatever its parameters are; at the
//! offset of the tag each has a number of the same width; and no number lies in the ranges of two. So the value of the
//! tag says which variant is there, and it is nothing that any bytes could be.

use super::Bad;
use super::measure::{Info, Measure};
use crate::facts::Interval;
use crate::limits;
use crate::types::{Body, Layout, LayoutId, StructId, WordTy};
use crate::x86::insn::Width;
use alloc::vec::Vec;

/// What is known of a union.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnionShape {
    /// The offset of the tag in bytes.
    pub off: i128,
    /// Its width.
    pub width: Width,
    /// The values of the tag, as a number without sign, for each variant.
    pub ranges: Vec<Interval>,
}

impl UnionShape {
    /// All values that the tag may have, and perhaps others between them.
    pub fn hull(&self) -> Interval {
        let lo = self.ranges.iter().map(|r| r.lo).min().unwrap_or(0);
        let hi = self.ranges.iter().map(|r| r.hi).max().unwrap_or(0);
        Interval::new(lo, hi)
    }

    /// The variant of which a tag in this interval is, if there is exactly one.
    pub fn variant(&self, tag: Interval) -> Option<usize> {
        let mut found = self.ranges.iter().enumerate().filter(|(_, r)| r.lo <= tag.hi && tag.lo <= r.hi);
        let first = found.next()?.0;
        found.next().is_none().then_some(first)
    }
}

impl Measure<'_> {
    pub(super) fn union(
        &mut self,
        id: StructId,
        tag: u64,
        variants: &[LayoutId],
        depth: usize,
    ) -> Result<Info, Bad> {
        let mut all: Option<Info> = None;
        let mut width = None;
        let mut ranges: Vec<Interval> = Vec::new();
        for &variant in variants {
            self.whole(variant)?;
            let info = self.layout(variant, depth + 1)?;
            if info.size.is_none() || all.as_ref().is_some_and(|a| a.size != info.size) {
                return Err("the variants of a union have different sizes");
            }
            let (w, range) = self.tag(variant, i128::from(tag))?;
            if *width.get_or_insert(w) != w {
                return Err("the tags of a union's variants have different widths");
            }
            if info.raw {
                return Err("a variant of which any bytes are a value");
            }
            ranges.push(range);
            all = Some(match all {
                None => info,
                Some(a) => Info {
                    linear: a.linear || info.linear,
                    hides: a.hides || info.hides,
                    cells: a.cells.max(info.cells),
                    ..a
                },
            });
        }
        let (Some(info), Some(width)) = (all, width) else { return Err("a union without variants") };
        let mut sorted: Vec<Interval> = ranges.clone();
        sorted.sort_unstable_by_key(|r| r.lo);
        if sorted.windows(2).any(|w| w[0].hi >= w[1].lo) {
            return Err("two variants of a union have the same tag");
        }
        if let Some(slot) = self.unions.get_mut(id.index()) {
            *slot = Some(UnionShape { off: i128::from(tag), width, ranges });
        }
        Ok(info)
    }

    /// The number at a constant offset of a layout, behind parts of constant size.
    fn tag(&mut self, mut id: LayoutId, mut off: i128) -> Result<(Width, Interval), Bad> {
        let types = self.types;
        let bits = self.arch.word_bits();
        let full = if bits == 32 { Width::B4 } else { Width::B8 };
        let mut steps = limits::TAG_FIELDS;
        for _ in 0..=limits::NESTING {
            let fields = match types.layout(id) {
                Layout::Num(w, range) if off == 0 => return tag_range(*w, *range),
                Layout::Exact(w, false, t) if off == 0 => match t.as_const() {
                    Some(c) => return tag_range(*w, Interval::new(c, c)),
                    None => return Err("the tag of a variant is no constant"),
                },
                Layout::Cell(word) if off == 0 => match types.word(*word) {
                    WordTy::Range(range) => return tag_range(full, *range),
                    WordTy::Int(t) => match t.as_const() {
                        Some(c) => return tag_range(full, Interval::new(c, c)),
                        None => return Err("the tag of a variant is no constant"),
                    },
                    _ => return Err("a variant of a union has no number where the tag is"),
                },
                Layout::Struct(s, _) => match &types.strukt(*s).body {
                    Body::Fields(fields) => fields,
                    Body::Union { .. } => return Err("the tag of a union lies in another union"),
                    Body::Hidden => return Err("a hidden length inside a layout"),
                },
                Layout::Seq(fields) => &fields[..],
                _ => return Err("a variant of a union has no number where the tag is"),
            };
            let mut found = None;
            for &field in fields {
                steps = steps.checked_sub(1).ok_or("too many fields before the tag of a union")?;
                // All of them have been measured: they are parts of the variant.
                let size = self.layout(field, 0)?.size.and_then(|s| s.as_const());
                match size {
                    Some(size) if size < 0 => return Err("a part of negative size before a tag"),
                    Some(size) if off >= size => off -= size,
                    _ => {
                        found = Some(field);
                        break;
                    }
                }
            }
            id = found.ok_or("the tag of a union lies behind the end of a variant")?;
        }
        Err("types are nested too deeply")
    }
}

/// A tag is read as a number without sign.
fn tag_range(width: Width, range: Interval) -> Result<(Width, Interval), Bad> {
    if range.lo > range.hi || !range.within(&Interval::unsigned(width.bits())) {
        return Err("the tag of a variant has no values, or some with a sign");
    }
    Ok((width, range))
}
