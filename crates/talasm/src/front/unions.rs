//! Lays out unions.

use super::ast::{Ident, TypeId};
use super::cx::{Cx, DeclId, Vars};
use super::layout::{FieldInfo, StructInfo};
use super::names::Name;
use crate::ir::Span;
use std::rc::Rc;
use talcore::facts::Interval;
use talcore::limits;
use talcore::term::Term;
use talcore::types::{Body, Layout, LayoutId, Struct, StructId, WordTy};
use talcore::x86::insn::Width;

/// What the tag of a union may be.
#[derive(Clone, Debug)]
pub(super) struct Tags {
    pub width: Width,
    /// For each variant.
    pub ranges: Vec<Interval>,
}

/// A variant: its name, where it is mentioned, its layout and size, and its tag.
struct Variant {
    name: Name,
    span: Span,
    layout: LayoutId,
    size: Term,
    align: u32,
    tag: FieldInfo,
    width: Width,
    range: Interval,
}

impl Cx<'_> {
    pub(super) fn lay_out_union(
        &mut self,
        decl: DeclId,
        tag: Ident,
        variants: &[TypeId],
        vars: &Vars,
        (id, params, facts): (StructId, u32, Vec<Term>),
    ) -> Option<Rc<StructInfo>> {
        let ident = self.decls[decl as usize].ident;
        if variants.is_empty() || variants.len() > limits::VARIANTS {
            self.error(1217, format!("a union has 1 to {} variants", limits::VARIANTS))
                .at(ident.span, format!("this one has {}", variants.len()));
            return None;
        }
        let mut all: Vec<Variant> = Vec::with_capacity(variants.len());
        let mut good = true;
        for &ty in variants {
            match self.variant(tag, ty, vars) {
                Some(v) => {
                    good &= all.iter().all(|other| self.apart(other, &v));
                    all.push(v);
                }
                None => good = false,
            }
        }
        let first = all.first().filter(|_| good)?;
        let offset = u64::try_from(first.tag.offset.as_const()?).ok()?;
        let info = StructInfo {
            fields: vec![first.tag.clone()],
            variants: all.iter().map(|v| (v.name, v.layout)).collect(),
            size: Some(first.size.clone()),
            align: all.iter().map(|v| v.align).max().unwrap_or(1),
        };
        let tags = Tags { width: first.width, ranges: all.iter().map(|v| v.range).collect() };
        let body = Body::Union { tag: offset, variants: info.parts() };
        let name = self.name(tag.name);
        self.table.define(id, Struct { params, facts, body, brand: None }, vec![name]);
        self.seal(decl, id);
        self.union_tags.insert(decl, tags);
        Some(Rc::new(info))
    }

    fn variant(&mut self, tag: Ident, ty: TypeId, vars: &Vars) -> Option<Variant> {
        let ast = Rc::clone(&self.ast);
        let span = ast.ty(ty).span;
        let layout = self.layout(&ast, ty, vars)?;
        let Layout::Struct(s, args) = self.table.types.layout(layout).clone() else {
            self.error(1217, "a variant of a union is a struct").at(span, "this is none");
            return None;
        };
        let decl = self.struct_decls[s.index()];
        let info = self.struct_info(decl)?;
        let ident = self.decls[decl as usize].ident;
        let text = self.name(ident.name);
        if info.size.is_none() {
            self.error(1217, format!("the variant `{text}` is an abstract type"))
                .at(span, "a struct is needed")
                .near(ident.span, "declared here");
            return None;
        }
        if !info.variants.is_empty() {
            self.error(1217, format!("the variant `{text}` is a union itself"))
                .at(span, "a struct is needed")
                .near(ident.span, "declared here");
            return None;
        }
        let field = self.name(tag.name);
        let Some(found) = info.fields.iter().find(|f| f.name == tag.name) else {
            self.error(1217, format!("the variant `{text}` has no field `{field}`"))
                .at(tag.span, "the tag of all variants")
                .near(ident.span, "declared here");
            return None;
        };
        let cell = match self.table.types.layout(found.layout) {
            Layout::Num(w, range) => Some((*w, *range)),
            Layout::Exact(w, false, t) => t.as_const().map(|c| (*w, Interval::new(c, c))),
            Layout::Cell(w) => {
                let full = if self.word_bytes() == 4 { Width::B4 } else { Width::B8 };
                match self.table.types.word(*w) {
                    WordTy::Range(range) => Some((full, *range)),
                    WordTy::Int(t) => t.as_const().map(|c| (full, Interval::new(c, c))),
                    _ => None,
                }
            }
            _ => None,
        };
        let some = cell.filter(|(w, r)| r.lo <= r.hi && r.within(&Interval::unsigned(w.bits())));
        let some = some.filter(|(w, r)| r.lo > 0 || r.hi < Interval::unsigned(w.bits()).hi);
        let (Some((width, range)), Some(_)) = (some, found.offset.as_const()) else {
            self.error(1217, format!("the field `{field}` of `{text}` cannot be a tag"))
                .at(span, "by this variant")
                .near(ident.span, "declared here")
                .help("a tag lies at a constant offset and has a range: `u8(0..0)`, `int(3..5)`");
            return None;
        };
        Some(Variant {
            name: ident.name,
            span,
            layout,
            size: info.size.as_ref()?.subst(&args)?,
            align: info.align,
            tag: found.clone(),
            width,
            range,
        })
    }

    /// Whether two variants may be told apart; complains if not.
    fn apart(&mut self, a: &Variant, b: &Variant) -> bool {
        let (x, y) = (self.name(a.name), self.name(b.name));
        let bad = if a.size != b.size {
            format!("`{x}` and `{y}` have different sizes")
        } else if a.tag.offset != b.tag.offset || a.width != b.width {
            format!("the tags of `{x}` and `{y}` lie at different places, or have different widths")
        } else if a.range.lo <= b.range.hi && b.range.lo <= a.range.hi {
            format!("`{x}` and `{y}` may have the same tag")
        } else {
            return true;
        };
        self.error(1217, bad)
            .at(b.span, "this variant")
            .near(a.span, "and this one")
            .note("variants are equally large, and their tags tell them apart");
        false
    }
}
