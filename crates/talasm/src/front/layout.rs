//! Sizes, alignments and offsets.

use super::ast::DeclKind;
use super::cx::{Cx, DeclId, Memo, Vars, what};
use super::names::{Name, known, suggest};
use crate::ir::Span;
use std::rc::Rc;
use talcore::term::Term;
use talcore::types::{Layout, LayoutId, StructId};

use super::consts::Value;

/// The largest object: 2^47 bytes on AMD64, 2^32 - 65536 on IA-32.
pub(super) fn max_object(word_bytes: u32) -> i128 {
    if word_bytes == 8 { 1 << 47 } else { (1 << 32) - 65536 }
}

/// A field of a struct.
#[derive(Clone, Debug)]
pub(super) struct FieldInfo {
    pub name: Name,
    pub layout: LayoutId,
    /// From the start of the struct, in bytes, over the struct's parameters.
    pub offset: Term,
}

/// A struct that has been laid out.
#[derive(Debug)]
pub(super) struct StructInfo {
    pub fields: Vec<FieldInfo>,
    /// Of a union: the names of the variants, and what they are. Its only field is the tag.
    pub variants: Vec<(Name, LayoutId)>,
    /// In bytes, over the struct's parameters; `None` for an abstract type of another module.
    pub size: Option<Term>,
    pub align: u32,
}

impl StructInfo {
    /// The layouts of its parts: all fields, or all variants.
    pub(super) fn parts(&self) -> Vec<LayoutId> {
        match &self.variants[..] {
            [] => self.fields.iter().map(|f| f.layout).collect(),
            variants => variants.iter().map(|v| v.1).collect(),
        }
    }
}

/// How far a struct is.
#[derive(Clone, Debug)]
pub(super) struct StructState {
    pub id: StructId,
    pub info: Memo<Rc<StructInfo>>,
}

impl Cx<'_> {
    /// The size of a layout in bytes; `None` if it has none that could be said.
    pub(super) fn size_of_layout(&mut self, id: LayoutId) -> Option<Term> {
        let word = self.word_bytes() as i128;
        match self.table.types.layout(id).clone() {
            Layout::Bytes(n) | Layout::Foreign(n) | Layout::Of(_, n) => Some(n),
            Layout::Cstr(m) => m?.offset(1),
            Layout::Cell(_) => Some(Term::from(word)),
            Layout::Num(w, _) | Layout::Exact(w, ..) => Some(Term::from(w.bytes() as i128)),
            Layout::Array(n, l) => {
                let each = self.size_of_layout(l)?;
                match (each.as_const(), n.as_const()) {
                    (Some(k), _) => n.scale(k),
                    (_, Some(k)) => each.scale(k),
                    _ => None,
                }
            }
            Layout::NullTerm(k, _) => k?.offset(1)?.scale(word),
            Layout::Struct(s, args) => {
                let decl = self.struct_decls[s.index()];
                self.struct_info(decl)?.size.as_ref()?.subst(&args)
            }
            Layout::Seq(parts) => {
                let mut sum = Term::zero();
                for p in parts.iter() {
                    sum = sum.add(&self.size_of_layout(*p)?)?;
                }
                Some(sum)
            }
            Layout::Exists(e) => self.size_of_layout(e.body),
        }
    }

    /// The alignment of a layout in bytes.
    pub(super) fn align_of_layout(&mut self, id: LayoutId) -> u32 {
        match self.table.types.layout(id).clone() {
            Layout::Bytes(_) | Layout::Cstr(_) | Layout::Foreign(_) => 1,
            // What a variable stands for may have words.
            Layout::Cell(_) | Layout::NullTerm(..) | Layout::Of(..) => self.word_bytes(),
            // Eight-byte numbers are aligned as words on machines with smaller ones.
            Layout::Num(w, _) | Layout::Exact(w, ..) => w.bytes().min(self.word_bytes()),
            Layout::Array(_, l) => self.align_of_layout(l),
            Layout::Struct(s, _) => {
                let decl = self.struct_decls[s.index()];
                self.struct_info(decl).map_or(1, |i| i.align)
            }
            Layout::Seq(parts) => parts.iter().map(|p| self.align_of_layout(*p)).max().unwrap_or(1),
            Layout::Exists(e) => self.align_of_layout(e.body),
        }
    }

    /// Whether a layout makes a claim about its contents that a write could break, so that it only
    /// exists where nobody else writes.
    pub(super) fn needs_stable(&mut self, id: LayoutId) -> bool {
        match self.table.types.layout(id).clone() {
            Layout::Cstr(_) | Layout::NullTerm(..) => true,
            Layout::Bytes(_)
            | Layout::Cell(_)
            | Layout::Num(..)
            | Layout::Exact(..)
            | Layout::Foreign(_)
            | Layout::Of(..) => false,
            Layout::Array(_, l) => self.needs_stable(l),
            Layout::Struct(s, _) => {
                let decl = self.struct_decls[s.index()];
                let info = self.struct_info(decl);
                info.is_some_and(|i| i.parts().into_iter().any(|l| self.needs_stable(l)))
            }
            Layout::Seq(parts) => parts.iter().any(|p| self.needs_stable(*p)),
            Layout::Exists(e) => self.needs_stable(e.body),
        }
    }

    /// The value of `sizeof name`.
    pub(super) fn size_of(&mut self, name: Name, span: Span, vars: &Vars) -> Option<i128> {
        let builtin = match name {
            known::INT => Some(self.word_bytes() as i128),
            known::U8 | known::I8 => Some(1),
            known::U16 | known::I16 => Some(2),
            known::U32 | known::I32 => Some(4),
            known::U64 | known::I64 => Some(8),
            _ => None,
        };
        if builtin.is_some() {
            return builtin;
        }
        let decl = self.find(vars, name, span)?;
        let decls = Rc::clone(&self.decls);
        let d = &decls[decl as usize];
        let text = self.name(name);
        match &d.kind {
            DeclKind::Object(_) | DeclKind::ImportObject(_) => {
                let size = self.object_info(decl)?.size;
                if size.is_none() {
                    self.error(1212, format!("the size of `{text}` is hidden"))
                        .at(span, "not known in this module")
                        .near(d.ident.span, "declared here");
                }
                size.map(i128::from)
            }
            DeclKind::Struct { .. } => {
                let info = self.struct_info(decl)?;
                let size = info.size.as_ref().and_then(Term::as_const);
                if size.is_none() {
                    let why = match &info.size {
                        Some(_) => format!("the size of `{text}` depends on its parameters"),
                        None => format!("the size of `{text}` is known only to its own module"),
                    };
                    self.error(1212, why)
                        .at(span, "a constant is needed")
                        .near(d.ident.span, "declared here");
                }
                size
            }
            DeclKind::Type { params, body } if params.is_empty() => {
                let ast = Rc::clone(&self.ast);
                let layout = self.layout(&ast, *body, &Vars::of(d.span.file))?;
                let size = self.size_of_layout(layout).and_then(|t| t.as_const());
                if size.is_none() {
                    self.error(1212, format!("`{text}` has no constant size"))
                        .at(span, "a constant is needed");
                }
                size
            }
            kind => {
                self.error(1108, format!("`{text}` is {} and has no size", what(kind)))
                    .at(span, "only objects, structs and types have a size")
                    .near(d.ident.span, "declared here");
                None
            }
        }
    }

    /// The offset of `fields` (separated by dots) in a struct, or the address of that part of an
    /// object.
    pub(super) fn offset_of(&mut self, first: Name, fields: &str, span: Span, vars: &Vars) -> Option<Value> {
        let decl = self.find(vars, first, span)?;
        let decls = Rc::clone(&self.decls);
        let d = &decls[decl as usize];
        let (base, mut at) = match &d.kind {
            DeclKind::Struct { .. } => (None, Some(decl)),
            DeclKind::Object(_) | DeclKind::ImportObject(_) => {
                let layout = self.object_info(decl)?.layout;
                (Some(self.symbol(decl)?), self.struct_of_layout(layout))
            }
            _ => (None, None),
        };
        let mut offset = Term::zero();
        let mut whole = self.name(first);
        for field in fields.split('.') {
            let Some(s) = at else {
                self.error(1111, format!("`{whole}` has no fields"))
                    .at(span, format!("`{field}` cannot be looked up in it"))
                    .near(d.ident.span, "declared here");
                return None;
            };
            let info = self.struct_info(s)?;
            if info.size.is_none() {
                let place = self.decls[s as usize].ident;
                let text = self.name(place.name);
                self.error(1111, format!("the fields of `{text}` are known only to its own module"))
                    .at(span, "an abstract type")
                    .near(place.span, "declared here")
                    .help("call a function of that module which does what is needed");
                return None;
            }
            let found = info.fields.iter().find(|f| self.names.get(f.name) == field);
            let Some(f) = found else {
                let near = suggest(field, info.fields.iter().map(|f| self.names.get(f.name)));
                let near = near.map(str::to_string);
                let place = self.decls[s as usize].ident;
                let text = self.name(place.name);
                self.error(1111, format!("struct `{text}` has no field `{field}`"))
                    .at(span, "no such field")
                    .near(place.span, "the struct is declared here")
                    .suggest(near.as_deref());
                return None;
            };
            offset = offset.add(&f.offset)?;
            at = self.struct_of_layout(f.layout);
            whole = format!("{whole}.{field}");
        }
        let Some(n) = offset.as_const() else {
            self.error(1212, format!("the offset of `{whole}` depends on the struct's parameters"))
                .at(span, "a constant is needed")
                .help("compute the address at run time; the checker knows where the fields are");
            return None;
        };
        Some(match base {
            Some(sym) => Value::Addr(sym, n),
            None => Value::from(n),
        })
    }

    /// The declaration of the struct that a layout is, with or without hidden arguments.
    pub(super) fn struct_of_layout(&self, id: LayoutId) -> Option<DeclId> {
        match self.table.types.layout(id) {
            Layout::Exists(e) => self.struct_of_layout(e.body),
            Layout::Struct(s, _) => Some(self.struct_decls[s.index()]),
            _ => None,
        }
    }
}
