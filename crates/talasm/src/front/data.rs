//! Lowers objects: their layout, and the bytes and addresses that they begin with.

use super::ast::{Ast, DeclKind, InitId, InitKind, ObjectDecl, TypeId, TypeKind};
use super::cx::{Cx, DeclId, Memo, ObjectInfo, Vars};
use super::names::known;
use crate::ir::{DataReloc, Object, Section, Span};
use std::rc::Rc;
use talcore::term::Term;
use talcore::types::{Layout, LayoutId, Mode};

/// Bytes of one object.
const OBJECT_BYTES: i128 = 1 << 31;

/// Initial data under construction.
#[derive(Clone, Debug, Default)]
pub(super) struct Blob {
    pub bytes: Vec<u8>,
    pub relocs: Vec<DataReloc>,
    /// Where the value that begins at an offset is written, by offset.
    pub marks: Vec<(u32, Span)>,
}

impl Blob {
    /// Where the value at an offset is written.
    pub(super) fn place(&self, at: usize) -> Option<Span> {
        let i = self.marks.partition_point(|m| m.0 as usize <= at);
        self.marks.get(i.checked_sub(1)?).map(|m| m.1)
    }
}

/// A layout in the scope of its terms.
pub(super) type Env = Rc<[Term]>;

impl Cx<'_> {
    /// Layout and size of an object.
    pub(super) fn object_info(&mut self, decl: DeclId) -> Option<ObjectInfo> {
        let ident = self.decls[decl as usize].ident;
        match self.objects[decl as usize] {
            Memo::Done(info) => return info,
            Memo::Busy => {
                let text = self.name(ident.name);
                self.error(1403, format!("the size of `{text}` depends on itself"))
                    .at(ident.span, "its initial value tells its size")
                    .help("write the size in its type");
                return None;
            }
            Memo::Todo => (),
        }
        self.objects[decl as usize] = Memo::Busy;
        let mut info = None;
        if self.enter(ident.span) {
            let decls = Rc::clone(&self.decls);
            if let DeclKind::Object(o) | DeclKind::ImportObject(o) = &decls[decl as usize].kind {
                info = self.lay_out_object(decl, o, ident.span);
            }
            self.leave();
        }
        self.objects[decl as usize] = Memo::Done(info);
        info
    }

    fn lay_out_object(&mut self, decl: DeclId, o: &ObjectDecl, at: Span) -> Option<ObjectInfo> {
        let ast = Rc::clone(&self.ast);
        let vars = Vars::of(at.file);
        if let (Some(span), Section::Rodata) = (o.owned, o.section) {
            self.error(1202, "what never changes cannot be owned").at(span, "in rodata").help(
                "an owned static is memory that its functions change: declare it with `data own` or `bss own`",
            );
            return None;
        }
        let layout = if o.init.is_empty() { None } else { self.measured(&ast, decl, o, &vars) };
        let layout = match layout {
            Some(measured) => measured?,
            None => self.layout(&ast, o.ty, &vars)?,
        };
        let span = ast.ty(o.ty).span;
        let mode = match (o.section, o.owned) {
            (Section::Rodata, _) => Mode::Imm,
            (_, Some(_)) => Mode::Uniq,
            _ => Mode::Shared,
        };
        self.stable_checks.push((mode, layout, span));
        let imported = matches!(self.decls[decl as usize].kind, DeclKind::ImportObject(_));
        let size = self.size_of_layout(layout).and_then(|t| t.as_const());
        let Some(size) = size else {
            // An interface shows strings with their lengths, but of abstract types no size.
            if imported || at.file != 0 && self.abstract_layout(layout).is_some() {
                return Some(ObjectInfo { layout, size: None, align: 1 });
            }
            if !self.of_broken(layout) {
                self.error(1212, "an object has a constant size").at(span, "this does not tell it");
            }
            return None;
        };
        if size == 0 {
            self.error(1215, "an object has at least one byte").at(span, "no bytes");
            return None;
        }
        if size > OBJECT_BYTES {
            self.error(1409, "this object is too large")
                .at(span, format!("{size} bytes, but at most {OBJECT_BYTES}"));
            return None;
        }
        let natural = self.align_of_layout(layout);
        let align = match o.align {
            None if o.section != Section::Rodata && size >= 16 => natural.max(16),
            None => natural,
            Some(e) => {
                let n = self.eval_int(&ast, e, &vars)?;
                if !(1..=4096).contains(&n) || n & (n - 1) != 0 || n < natural as i128 {
                    self.error(1404, "impossible alignment").at(
                        ast.expr(e).span,
                        format!("must be a power of two from {natural} (for its type) to 4096"),
                    );
                    return None;
                }
                n as u32
            }
        };
        Some(ObjectInfo { layout, size: Some(size as u64), align })
    }

    /// The layout of an object whose initial value tells its size; `None` if its type does.
    fn measured(&mut self, ast: &Ast, decl: DeclId, o: &ObjectDecl, vars: &Vars) -> Option<Option<LayoutId>> {
        let ty = ast.ty(o.ty);
        let mut blob = Blob::default();
        let layout = match &ty.kind {
            TypeKind::Name(known::BYTES) => self.text_values(ast, &o.init, vars, &mut blob).map(|_| {
                let size = Term::from(blob.bytes.len() as i128);
                self.table.layout(Layout::Bytes(size))
            }),
            TypeKind::Name(known::CSTR) => self.text_values(ast, &o.init, vars, &mut blob).map(|_| {
                end_with_nul(ast, &o.init, &mut blob);
                let len = blob.bytes.len().saturating_sub(1);
                self.table.layout(Layout::Cstr(Some(Term::from(len as i128))))
            }),
            TypeKind::Array(None, each) => self.measured_array(ast, *each, o, vars, &mut blob),
            TypeKind::Nullterm(None, _) => self.measured_nullterm(ast, o, vars, &mut blob),
            _ => return None,
        };
        self.blobs.insert(decl, layout.map(|_| blob));
        Some(layout)
    }

    fn measured_array(
        &mut self,
        ast: &Ast,
        each: TypeId,
        o: &ObjectDecl,
        vars: &Vars,
        blob: &mut Blob,
    ) -> Option<LayoutId> {
        let l = self.layout(ast, each, vars)?;
        let size = self.array_of(Term::from(1), l, ast.ty(each).span);
        let size = size.and_then(|a| self.size_of_layout(a))?.as_const()?;
        self.elements(ast, &o.init, l, &Env::from([]), vars, blob)?;
        let (count, rest) = (blob.bytes.len() as i128 / size, blob.bytes.len() as i128 % size);
        if rest != 0 {
            self.error(1404, "the last element is incomplete").at(
                ast.init(*o.init.last()?).span,
                format!("{} bytes, but an element has {size}", blob.bytes.len()),
            );
            return None;
        }
        self.array_of(Term::from(count), l, ast.ty(each).span)
    }

    fn measured_nullterm(
        &mut self,
        ast: &Ast,
        o: &ObjectDecl,
        vars: &Vars,
        blob: &mut Blob,
    ) -> Option<LayoutId> {
        let open = self.layout(ast, o.ty, vars)?;
        let Layout::NullTerm(_, w) = *self.table.types.layout(open) else { return Some(open) };
        let cell = self.table.layout(Layout::Cell(w));
        self.elements(ast, &o.init, cell, &Env::from([]), vars, blob)?;
        let word = self.word_bytes() as usize;
        end_with_null(word, blob);
        let count = (blob.bytes.len() / word).saturating_sub(1);
        Some(self.table.layout(Layout::NullTerm(Some(Term::from(count as i128)), w)))
    }

    /// The object that a declaration of this module makes.
    pub(super) fn object(&mut self, decl: DeclId, o: &ObjectDecl) -> Option<Object> {
        let info = self.object_info(decl)?;
        let size = info.size?;
        let ast = Rc::clone(&self.ast);
        let ident = self.decls[decl as usize].ident;
        let text = self.name(ident.name);
        let env = Env::from([]);
        let mut blob = Blob::default();
        match (o.section, o.init.first()) {
            (Section::Bss, Some(i)) => {
                self.error(1406, format!("`{text}` begins as zeros and has no initial value"))
                    .at(ast.init(*i).span, "not in bss")
                    .help(format!("declare it as data: `data {text}: ... = ...`"));
                return None;
            }
            (Section::Bss, None) => (),
            (_, None) => {
                self.error(1406, format!("`{text}` needs an initial value"))
                    .at(ident.span, "nothing follows its type")
                    .help(format!("`= value`; memory that begins as zeros is `bss {text}: ...`"));
                return None;
            }
            (_, Some(_)) => match self.blobs.remove(&decl) {
                Some(measured) => blob = measured?,
                None => {
                    let vars = Vars::of(ident.span.file);
                    self.top_value(&ast, &o.init, info.layout, &vars, &mut blob)?;
                }
            },
        }
        if o.section != Section::Bss && blob.bytes.len() as u64 != size {
            let init = ast.init(o.init[0]).span;
            let have = blob.bytes.len();
            let ty = ast.ty(o.ty);
            let m = self.error(
                1404,
                format!("the initial value of `{text}` has {} instead of {size}", in_bytes(have as i128)),
            );
            m.at(init, in_bytes(have as i128)).near(ty.span, in_bytes(size as i128));
            if let (TypeKind::Imm(_), Section::Rodata) = (&ty.kind, o.section) {
                m.help("`imm L` is a pointer to an L; an object in rodata is immutable anyway, so leave out `imm`");
            }
            return None;
        }
        self.check_data(&blob, info.layout, &env, size, ident.span)?;
        let sym = self.symbol_of[decl as usize]?;
        Some(Object {
            sym,
            section: o.section,
            align: info.align,
            size,
            bytes: blob.bytes,
            relocs: blob.relocs,
            owned: o.owned.is_some(),
            layout: info.layout.0,
            table_of: None,
            span: ident.span,
        })
    }
}

/// A number of bytes in words.
pub(super) fn in_bytes(n: i128) -> String {
    if n == 1 { "1 byte".to_string() } else { format!("{n} bytes") }
}

/// A string that was not written with `db` gets its NUL if it has none.
fn end_with_nul(ast: &Ast, inits: &[InitId], blob: &mut Blob) {
    let raw = inits.iter().all(|i| matches!(ast.init(*i).kind, InitKind::Raw(..)));
    if !raw && blob.bytes.last() != Some(&0) {
        blob.bytes.push(0);
    }
}

/// An array of pointers gets its null if it has none.
pub(super) fn end_with_null(word: usize, blob: &mut Blob) {
    let len = blob.bytes.len();
    let ended = len >= word && blob.relocs.last().is_none_or(|r| (r.at as usize) < len - word);
    if !(ended && blob.bytes[len - word..].iter().all(|b| *b == 0)) {
        blob.bytes.extend(std::iter::repeat_n(0, word));
    }
}
