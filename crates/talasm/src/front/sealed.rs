//! Abstract types: what a module exports without its layout, and what it imports so.

use super::ast::{Decl, DeclKind, Ident, Members};
use super::cx::{Cx, DeclId};
use super::kinds::Use;
use super::names::Name;
use talcore::types::{Layout, LayoutId, StructId};

/// The name by which the linker knows an abstract type.
pub(super) fn brand(name: &str) -> String {
    format!("__tal_type_{name}")
}

impl Cx<'_> {
    /// What can be said of an abstract type without looking at other declarations.
    pub(super) fn check_sealed(&mut self, d: &Decl) {
        let interface = d.span.file != 0;
        let DeclKind::Struct { members, .. } = &d.kind else { return };
        let text = self.name(d.ident.name);
        match members {
            Members::Hidden(true) if d.public => {
                self.error(1005, "an import cannot be `pub`").at(d.span, "it is another module's");
            }
            Members::Hidden(false) if !interface => {
                self.error(1005, format!("the abstract type `{text}` has no fields"))
                    .at(d.span, "its layout belongs here, in braces")
                    .help(format!(
                        "a type of another module is declared with `import abstract struct {text}`"
                    ));
            }
            Members::Hidden(_) => (),
            _ if interface => {
                self.error(1005, format!("an interface does not show what `{text}` consists of"))
                    .at(d.span, "an abstract type")
                    .help(format!(
                        "`pub abstract struct {text}`, with its parameters, is all that others know"
                    ));
            }
            _ if !d.public => {
                self.error(1005, "an abstract type is `pub`")
                    .at(d.span, "other modules see nothing of it as it is")
                    .help(format!("`pub abstract struct {text}` exports the name without the layout"));
            }
            _ => (),
        }
    }

    /// The declaration that stands for all of an abstract type: in this module, or in several interfaces. What the linker
    /// knows by one name is one type.
    pub(super) fn abstract_of(&mut self, decl: DeclId) -> DeclId {
        if !self.hidden(decl) {
            return decl;
        }
        let known = *self.abstracts.entry(self.decls[decl as usize].ident.name).or_insert(decl);
        let params = |d: DeclId| match &self.decls[d as usize].kind {
            DeclKind::Struct { params, .. } => params.len(),
            _ => 0,
        };
        if params(known) == params(decl) { known } else { decl }
    }

    /// Whether a declaration is of an abstract type of another module.
    pub(super) fn hidden(&self, decl: DeclId) -> bool {
        matches!(self.decls[decl as usize].kind, DeclKind::Struct { members: Members::Hidden(_), .. })
    }

    /// Whether a layout is that of an abstract type of another module; which.
    pub(super) fn abstract_layout(&self, layout: LayoutId) -> Option<StructId> {
        match self.table.types.layout(layout) {
            Layout::Struct(s, _) => Some(*s).filter(|s| self.hidden(self.struct_decls[s.index()])),
            _ => None,
        }
    }

    /// Gives an abstract type that the module exports its brand.
    pub(super) fn seal(&mut self, decl: DeclId, id: StructId) {
        if let Some((_, sym)) = self.exported.iter().find(|e| e.0 == decl) {
            self.table.types.structs[id.index()].brand = Some(sym.0.into());
        }
    }

    /// The parameters of an abstract type as its interface has them: which of them are types others must know.
    pub(super) fn formals(&mut self, id: DeclId, params: &[Ident]) -> String {
        let kinds = self.param_kinds(id);
        let formals = params.iter().enumerate().map(|(i, p)| {
            let is_type = kinds.as_ref().is_some_and(|k| k.get(i) == Some(&Use::Type));
            let name = self.name(p.name);
            if let DeclKind::Struct { sized, .. } = &self.decls[id as usize].kind
                && let Some((_, n)) = sized.iter().find(|s| s.0 == p.name)
            {
                return format!("{name}: size ({})", self.text(self.ast.expr(*n).span));
            }
            match (self.moved(id, p.name), is_type) {
                (true, _) => format!("{name}: own"),
                (false, true) => format!("{name}: type"),
                (false, false) => name,
            }
        });
        let formals: Vec<String> = formals.collect();
        if formals.is_empty() { String::new() } else { format!("({})", formals.join(", ")) }
    }

    /// Whether a parameter stands for types that may own memory.
    pub(super) fn moved(&self, struct_decl: DeclId, name: Name) -> bool {
        matches!(&self.decls[struct_decl as usize].kind, DeclKind::Struct { moved, .. } if moved.contains(&name))
    }

    /// What an interface shows has a size that is known where it is read: abstract types are no part of it by value.
    pub(super) fn shows_no_secret(&mut self, id: DeclId, d: &Decl) {
        let DeclKind::Struct { sealed: false, members: Members::Fields(fields), .. } = &d.kind else {
            return;
        };
        let Some(info) = self.struct_info(id) else { return };
        for (field, (_, ty)) in info.fields.iter().zip(fields) {
            let Some(secret) = self.abstract_inside(field.layout) else { continue };
            let (text, name) = (self.name(d.ident.name), self.name(self.decls[secret as usize].ident.name));
            let span = self.ast.ty(*ty).span;
            self.error(1212, format!("other modules would not know how large `{text}` is"))
                .at(span, format!("the abstract type `{name}` is part of it"))
                .near(d.ident.span, "public, or mentioned by what is public")
                .help(format!("keep a pointer, `own {name}`; or make `{text}` abstract too"));
        }
    }

    /// An abstract type of this module of which memory of a layout consists, not through pointers or further structs.
    fn abstract_inside(&self, mut layout: LayoutId) -> Option<DeclId> {
        loop {
            match self.table.types.layout(layout) {
                Layout::Array(_, inner) => layout = *inner,
                Layout::Exists(e) => layout = e.body,
                Layout::Seq(parts) => return parts.iter().find_map(|p| self.abstract_inside(*p)),
                Layout::Struct(s, _) => {
                    let decl = self.struct_decls[s.index()];
                    let sealed =
                        matches!(self.decls[decl as usize].kind, DeclKind::Struct { sealed: true, .. });
                    return sealed.then_some(decl);
                }
                _ => return None,
            }
        }
    }
}
