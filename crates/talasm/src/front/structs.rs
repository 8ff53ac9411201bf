//! Lays out structs.

use super::ast::{DeclKind, Ident, Members};
use super::cx::{Binding, Cx, DeclId, Memo, Vars};
use super::kinds::Use;
use super::layout::{FieldInfo, StructInfo, StructState, max_object};
use super::names::Name;
use super::sealed::brand;
use crate::ir::{Import, ImportKind, Place, Span};
use std::rc::Rc;
use talcore::limits;
use talcore::term::Term;
use talcore::types::{Body, Layout, LayoutId, Struct, StructId, WordTy};

impl Cx<'_> {
    /// The number of a struct, which is defined later if it is not yet.
    pub(super) fn struct_id(&mut self, decl: DeclId) -> StructId {
        let decl = self.abstract_of(decl);
        if let Some(s) = self.structs.get(&decl) {
            return s.id;
        }
        let d = &self.decls[decl as usize];
        let params = match &d.kind {
            DeclKind::Struct { params, .. } => params.len() as u32,
            _ => 0,
        };
        let name = self.name(d.ident.name);
        let id = self.table.declare(&name, params);
        // States speak of it in this form.
        self.table.layout(Layout::Struct(id, (0..params).map(Term::var).collect()));
        self.structs.insert(decl, StructState { id, info: Memo::Todo });
        if self.hidden(decl) {
            let place = Place::Import(self.imports.len() as u32);
            let sym = self.new_symbol(brand(&name), true, place, self.decls[decl as usize].ident.span);
            self.imports.push(Import { sym, kind: ImportKind::Abstract(id.0) });
        }
        self.struct_decls.push(decl);
        self.pending.push(decl);
        id
    }

    /// Defines all structs that were mentioned, and makes the checks that needed to wait for that:
    /// a struct may contain pointers to itself.
    pub(super) fn define_structs(&mut self) {
        while let Some(decl) = self.pending.pop() {
            self.struct_info(decl);
        }
        for (mode, layout, span) in std::mem::take(&mut self.stable_checks) {
            self.check_stable(mode, layout, span);
        }
        for (layout, span) in std::mem::take(&mut self.hidden_checks) {
            self.check_hidden(layout, span);
        }
        for (takes, gives, span) in std::mem::take(&mut self.uniq_checks) {
            self.check_uniq(takes, gives, span);
        }
    }

    /// The fields of a struct.
    pub(super) fn struct_info(&mut self, decl: DeclId) -> Option<Rc<StructInfo>> {
        let decl = self.abstract_of(decl);
        let id = self.struct_id(decl);
        let ident = self.decls[decl as usize].ident;
        match self.structs[&decl].info.clone() {
            Memo::Done(info) => return info,
            Memo::Busy => {
                let text = self.name(ident.name);
                self.error(1207, format!("struct `{text}` contains itself"))
                    .at(ident.span, "it would be infinitely large")
                    .help(format!("a field may be a pointer to it: `opt own {text}`, `opt ref {text}`"));
                return None;
            }
            Memo::Todo => (),
        }
        self.structs.insert(decl, StructState { id, info: Memo::Busy });
        let mut info = None;
        if self.enter(ident.span) {
            info = self.lay_out(decl, id);
            self.leave();
        }
        self.structs.insert(decl, StructState { id, info: Memo::Done(info.clone()) });
        info
    }

    fn lay_out(&mut self, decl: DeclId, id: StructId) -> Option<Rc<StructInfo>> {
        let decls = Rc::clone(&self.decls);
        let d = &decls[decl as usize];
        let DeclKind::Struct { params, moved, sized, facts, members, .. } = &d.kind else { return None };
        let kinds = self.param_kinds(decl);
        let ast = Rc::clone(&self.ast);
        if params.len() > limits::BINDERS || members.types().len() > limits::FIELDS {
            self.error(1010, "this struct is too large").at(
                d.ident.span,
                format!("at most {} parameters and {} fields", limits::BINDERS, limits::FIELDS),
            );
            return None;
        }
        let mut vars = Vars::of(d.span.file);
        self.bound_once(params)?;
        for (i, p) in params.iter().enumerate() {
            let t = Term::var(i as u32);
            let size = sized.iter().find(|s| s.0 == p.name);
            let binding = match kinds.as_ref().and_then(|k| k.get(i)) {
                Some(Use::Type) if let Some((_, n)) = size => {
                    let n = self.eval_term(&ast, *n, &vars)?;
                    Binding::Layout(self.table.layout(Layout::Of(t, n)))
                }
                Some(Use::Type) => Binding::Word(self.table.word(WordTy::Of(t, moved.contains(&p.name)))),
                _ => Binding::Index(t),
            };
            vars.list.push((p.name, binding));
        }
        let facts = self.facts(&ast, facts, &vars)?;
        let params = params.len() as u32;
        let fields = match members {
            Members::Fields(fields) => fields,
            Members::Variants(tag, variants) => {
                return self.lay_out_union(decl, *tag, variants, &vars, (id, params, facts));
            }
            Members::Hidden(_) => {
                let hidden = Struct { params, body: Body::Hidden, brand: Some(0), facts };
                self.table.define(id, hidden, Vec::new());
                return Some(Rc::new(StructInfo {
                    fields: Vec::new(),
                    variants: Vec::new(),
                    size: None,
                    align: 1,
                }));
            }
        };
        let mut done: Vec<FieldInfo> = Vec::with_capacity(fields.len());
        let (mut offset, mut align) = (Term::zero(), 1);
        let mut good = true;
        let mut seen = std::collections::HashMap::new();
        for (name, ty) in fields {
            if let Some(first) = seen.insert(name.name, name.span) {
                self.duplicate(name.name, "field", first, name.span);
                good = false;
            }
            let Some(layout) = self.layout(&ast, *ty, &vars) else {
                good = false;
                continue;
            };
            let Some(size) = self.size_of_layout(layout) else {
                if !self.of_broken(layout) {
                    let hidden = self.abstract_layout(layout).is_some();
                    self.error(1212, "the size of this field is not known")
                        .at(ast.ty(*ty).span, "a size is needed")
                        .help(match hidden {
                            true => "only its own module knows it; keep a pointer: `own`, `ref` or `imm`",
                            false => "give strings a length: `cstr(m)`; or keep a pointer: `imm cstr`",
                        });
                }
                good = false;
                continue;
            };
            let field_align = self.align_of_layout(layout);
            good &= self.aligned(&offset, field_align, *name, ast.ty(*ty).span);
            done.push(FieldInfo { name: name.name, layout, offset: offset.clone() });
            align = align.max(field_align);
            match offset.add(&size) {
                Some(sum) => offset = sum,
                None => return self.too_large(d.ident.span),
            }
        }
        if !good {
            return None;
        }
        if fields.is_empty() || offset.as_const() == Some(0) {
            self.error(1215, "a struct has at least one byte").at(d.ident.span, "this one is empty");
            return None;
        }
        if offset.as_const().is_some_and(|n| n > max_object(self.word_bytes())) {
            return self.too_large(d.ident.span);
        }
        let names = done.iter().map(|f| self.name(f.name)).collect();
        let layouts = done.iter().map(|f| f.layout).collect();
        self.table.define(id, Struct::of(params, facts, layouts), names);
        self.seal(decl, id);
        Some(Rc::new(StructInfo { fields: done, variants: Vec::new(), size: Some(offset), align }))
    }

    /// Whether a layout is one of a struct about which there has been a complaint.
    pub(super) fn of_broken(&self, layout: LayoutId) -> bool {
        self.struct_of_layout(layout).is_some_and(|s| self.is_broken(s))
    }

    fn is_broken(&self, decl: DeclId) -> bool {
        matches!(self.structs.get(&decl), Some(StructState { info: Memo::Done(None) | Memo::Busy, .. }))
    }

    fn too_large(&mut self, span: Span) -> Option<Rc<StructInfo>> {
        self.error(1215, "this struct is larger than any object can be").at(span, "too large");
        None
    }

    /// Whether a field at `offset` is aligned; complains if not.
    fn aligned(&mut self, offset: &Term, align: u32, name: Ident, ty: Span) -> bool {
        let align = align as i128;
        let rest = offset.konst().rem_euclid(align);
        if offset.summands().iter().any(|s| (s.1 as i128) % align != 0) {
            self.error(1206, "this field may be misaligned")
                .at(name.span, format!("must be a multiple of {align} bytes from the start"))
                .near(ty, "because of its type")
                .note("its offset depends on a parameter of the struct")
                .help(format!("make the size before it a multiple of {align}: `bytes({align}*n)`"));
            return false;
        }
        if rest != 0 {
            let text = self.name(name.name);
            let at = offset.konst();
            self.error(1206, format!("the field `{text}` is misaligned"))
                .at(name.span, format!("at offset {at}, which is no multiple of {align}"))
                .near(ty, "because of its type")
                .note("there is no implicit padding")
                .help(format!("put `pad: bytes({})` before it, or sort the fields by size", align - rest));
        }
        rest == 0
    }

    /// Complains if one of several variables is declared twice.
    pub(super) fn bound_once(&mut self, list: &[Ident]) -> Option<()> {
        let mut seen = std::collections::HashMap::new();
        for v in list {
            if let Some(first) = seen.insert(v.name, v.span) {
                self.duplicate(v.name, "variable", first, v.span);
                return None;
            }
        }
        Some(())
    }

    /// Complains about a second declaration.
    pub(super) fn duplicate(&mut self, name: Name, kind: &str, first: Span, second: Span) {
        let text = self.name(name);
        self.error(1102, format!("the {kind} `{text}` is declared twice"))
            .at(second, "again here")
            .near(first, "first declared here");
    }
}
