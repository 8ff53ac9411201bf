//! Lowers objects: their layout, and the bytes and addresses that they begin with.

use super::ast::{Ast, DeclKind, ExprId, ExprKind, InitId, InitKind, ObjectDecl, TypeId, TypeKind};
use super::consts::Value;
use super::cx::{Cx, DeclId, Memo, ObjectInfo, Vars};
use super::names::known;
use crate::ir::{DataReloc, DataTarget, Object, Section, Span};
use std::rc::Rc;
use talcore::term::Term;
use talcore::types::{Layout, LayoutId};

/// Bytes of initial data in one module.
const DATA_BYTES: u64 = 1 << 28;
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
        if let Some(span) = o.owned {
            self.not_yet(span, "owned statics (`own`)");
            return None;
        }
        let layout = if o.init.is_empty() { None } else { self.measured(&ast, decl, o, &vars) };
        let layout = match layout {
            Some(measured) => measured?,
            None => self.layout(&ast, o.ty, &vars)?,
        };
        let span = ast.ty(o.ty).span;
        if o.section != Section::Rodata {
            self.stable_checks.push((talcore::types::Mode::Shared, layout, span));
        }
        let imported = matches!(self.decls[decl as usize].kind, DeclKind::ImportObject(_));
        let size = self.size_of_layout(layout).and_then(|t| t.as_const());
        let Some(size) = size else {
            if imported {
                return Some(ObjectInfo { layout, size: None, align: 1 });
            }
            self.error(1212, "an object has a constant size").at(span, "this does not tell it");
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
            layout: info.layout.0,
            table_of: None,
            span: ident.span,
        })
    }

    /// The whole initial value of an object.
    fn top_value(
        &mut self,
        ast: &Ast,
        inits: &[InitId],
        layout: LayoutId,
        vars: &Vars,
        blob: &mut Blob,
    ) -> Option<()> {
        let env = Env::from([]);
        if let InitKind::Raw(..) = ast.init(inits[0]).kind {
            return self.raw_groups(ast, inits, vars, blob);
        }
        match *self.table.types.layout(layout) {
            Layout::Bytes(_) | Layout::Cstr(_) | Layout::Array(..) | Layout::NullTerm(..) => {
                self.values(ast, inits, layout, &env, vars, blob)
            }
            _ if inits.len() > 1 => {
                self.error(1404, "too many values")
                    .at(ast.init(inits[1]).span, "one is enough for this type");
                None
            }
            _ => self.value(ast, inits[0], layout, &env, vars, blob),
        }
    }

    fn raw_groups(&mut self, ast: &Ast, inits: &[InitId], vars: &Vars, blob: &mut Blob) -> Option<()> {
        for &i in inits {
            if let InitKind::Raw(width, items) = &ast.init(i).kind {
                self.raw_items(ast, *width, items, vars, blob)?;
            }
        }
        Some(())
    }

    fn raw_items(
        &mut self,
        ast: &Ast,
        width: u8,
        items: &[InitId],
        vars: &Vars,
        blob: &mut Blob,
    ) -> Option<()> {
        for &i in items {
            match &ast.init(i).kind {
                InitKind::Expr(e) if width == 1 && matches!(ast.expr(*e).kind, ExprKind::Str) => {
                    let span = ast.expr(*e).span;
                    let bytes = self.string(span)?;
                    self.push(blob, span, &bytes)?;
                }
                InitKind::Expr(e) => self.number(ast, *e, width as u32, vars, blob)?,
                InitKind::Dup(n, inner) => {
                    let mut once = Blob::default();
                    self.raw_items(ast, width, inner, vars, &mut once)?;
                    self.repeat(ast, *n, once, vars, blob)?;
                }
                _ => return self.nested_list(ast, i),
            }
        }
        Some(())
    }

    fn nested_list(&mut self, ast: &Ast, i: InitId) -> Option<()> {
        self.error(1404, "a list in braces does not fit here")
            .at(ast.init(i).span, "a number, a string or an address is needed");
        None
    }

    /// Adds bytes that are written at `span`.
    fn push(&mut self, blob: &mut Blob, span: Span, bytes: &[u8]) -> Option<()> {
        self.data_bytes += bytes.len() as u64;
        if self.data_bytes > DATA_BYTES {
            return self.too_much_data(span);
        }
        blob.marks.push((blob.bytes.len() as u32, span));
        blob.bytes.extend_from_slice(bytes);
        Some(())
    }

    fn too_much_data(&mut self, span: Span) -> Option<()> {
        self.error(1409, "too much initial data")
            .at(span, format!("more than {DATA_BYTES} bytes in this module"));
        None
    }

    fn repeat(&mut self, ast: &Ast, n: ExprId, once: Blob, vars: &Vars, blob: &mut Blob) -> Option<()> {
        let span = ast.expr(n).span;
        let n = self.eval_int(ast, n, vars)?;
        let total = n.checked_mul(once.bytes.len().max(1) as i128);
        if n < 0 {
            self.error(1404, "impossible number of repetitions").at(span, format!("{n} times"));
            return None;
        }
        if total.is_none_or(|t| t > DATA_BYTES as i128) {
            return self.too_much_data(span);
        }
        for _ in 0..n {
            let at = blob.bytes.len() as u32;
            for r in &once.relocs {
                blob.relocs.push(DataReloc { at: r.at + at, ..r.clone() });
            }
            self.push(blob, span, &once.bytes)?;
            if once.bytes.is_empty() {
                break;
            }
        }
        Some(())
    }

    /// A number of `width` bytes, or an address.
    fn number(&mut self, ast: &Ast, e: ExprId, width: u32, vars: &Vars, blob: &mut Blob) -> Option<()> {
        let span = ast.expr(e).span;
        match self.eval(ast, e, vars)? {
            Value::Term(t) => {
                let n = t.as_const()?;
                let bits = 8 * width;
                if n < -(1 << (bits - 1)) || n >= 1 << bits {
                    self.error(1408, format!("{n} does not fit into {}", in_bytes(width as i128)))
                        .at(span, format!("at most {}", (1i128 << bits) - 1));
                    return None;
                }
                self.push(blob, span, &n.to_le_bytes()[..width as usize])
            }
            Value::Addr(sym, addend) => {
                if width != self.word_bytes() {
                    let word = self.word_bytes();
                    self.error(1405, "an address is a machine word")
                        .at(span, format!("{} here, but an address has {word}", in_bytes(width as i128)));
                    return None;
                }
                let at = blob.bytes.len() as u32;
                blob.relocs.push(DataReloc { at, target: DataTarget::Sym(sym), addend: addend as i64 });
                self.push(blob, span, &[0; 8][..width as usize])
            }
        }
    }

    /// Values for bytes: numbers and strings, in lists or not, one after the other.
    fn text_values(&mut self, ast: &Ast, inits: &[InitId], vars: &Vars, blob: &mut Blob) -> Option<()> {
        for &i in inits {
            match &ast.init(i).kind {
                InitKind::Raw(width, items) => self.raw_items(ast, *width, items, vars, blob)?,
                InitKind::List(items) => self.text_values(ast, items, vars, blob)?,
                InitKind::Field(name, _) => return self.no_fields(name.span),
                _ => self.raw_items(ast, 1, &[i], vars, blob)?,
            }
        }
        Some(())
    }

    fn no_fields(&mut self, span: Span) -> Option<()> {
        self.error(1404, "only structs have fields").at(span, "a field name does not fit here");
        None
    }

    /// Values for something that takes a list.
    fn values(
        &mut self,
        ast: &Ast,
        inits: &[InitId],
        layout: LayoutId,
        env: &Env,
        vars: &Vars,
        blob: &mut Blob,
    ) -> Option<()> {
        let start = blob.bytes.len();
        match self.table.types.layout(layout).clone() {
            Layout::Bytes(_) => self.text_values(ast, inits, vars, blob),
            Layout::Cstr(_) => {
                self.text_values(ast, inits, vars, blob)?;
                if blob.bytes.len() == start || blob.bytes.last() != Some(&0) {
                    blob.bytes.push(0);
                }
                Some(())
            }
            Layout::Array(n, l) => {
                self.elements(ast, inits, l, env, vars, blob)?;
                let each = self.size_of_layout(l)?.subst(env)?.as_const()?;
                let want = n.subst(env)?.as_const()?;
                let have = (blob.bytes.len() - start) as i128 / each.max(1);
                if have != want {
                    let first = inits.first().map_or(Span::default(), |i| ast.init(*i).span);
                    let last = inits.last().map_or(first, |i| ast.init(*i).span);
                    self.error(1404, format!("{have} elements instead of {want}"))
                        .at(Span { end: last.end, ..first }, format!("the array has {want}"))
                        .help("repeat a value with `n dup (value)`");
                    return None;
                }
                Some(())
            }
            Layout::NullTerm(_, w) => {
                let cell = self.table.layout(Layout::Cell(w));
                self.elements(ast, inits, cell, env, vars, blob)?;
                let word = self.word_bytes() as usize;
                end_with_null(word, blob);
                Some(())
            }
            _ => None,
        }
    }

    /// Elements of an array of `each`.
    fn elements(
        &mut self,
        ast: &Ast,
        inits: &[InitId],
        each: LayoutId,
        env: &Env,
        vars: &Vars,
        blob: &mut Blob,
    ) -> Option<()> {
        let bytes = matches!(self.table.types.layout(each), Layout::Num(w, _) if w.bytes() == 1);
        // `= { {1, 2}, {3, 4} }` is a list of elements, `= {1, 2}` of an array too.
        if let [one] = inits
            && let InitKind::List(items) = &ast.init(*one).kind
        {
            return self.element_list(ast, items, each, env, vars, blob, bytes);
        }
        self.element_list(ast, inits, each, env, vars, blob, bytes)
    }

    #[allow(clippy::too_many_arguments)]
    fn element_list(
        &mut self,
        ast: &Ast,
        inits: &[InitId],
        each: LayoutId,
        env: &Env,
        vars: &Vars,
        blob: &mut Blob,
        bytes: bool,
    ) -> Option<()> {
        for &i in inits {
            match &ast.init(i).kind {
                InitKind::Raw(width, items) => self.raw_items(ast, *width, items, vars, blob)?,
                InitKind::Dup(n, inner) => {
                    let mut once = Blob::default();
                    self.element_list(ast, inner, each, env, vars, &mut once, bytes)?;
                    self.repeat(ast, *n, once, vars, blob)?;
                }
                InitKind::Expr(e) if bytes && matches!(ast.expr(*e).kind, ExprKind::Str) => {
                    self.raw_items(ast, 1, &[i], vars, blob)?;
                }
                _ => self.value(ast, i, each, env, vars, blob)?,
            }
        }
        Some(())
    }

    /// One value of a layout.
    fn value(
        &mut self,
        ast: &Ast,
        i: InitId,
        layout: LayoutId,
        env: &Env,
        vars: &Vars,
        blob: &mut Blob,
    ) -> Option<()> {
        let init = ast.init(i);
        if !self.enter(init.span) {
            return None;
        }
        let out = self.value_inner(ast, i, layout, env, vars, blob);
        self.leave();
        out
    }

    fn value_inner(
        &mut self,
        ast: &Ast,
        i: InitId,
        layout: LayoutId,
        env: &Env,
        vars: &Vars,
        blob: &mut Blob,
    ) -> Option<()> {
        let init = ast.init(i);
        match (self.table.types.layout(layout).clone(), &init.kind) {
            (Layout::Cell(_), InitKind::Expr(e)) => {
                let width = self.word_bytes();
                self.number(ast, *e, width, vars, blob)
            }
            (Layout::Num(w, _), InitKind::Expr(e)) => self.number(ast, *e, w.bytes(), vars, blob),
            (Layout::Cell(_) | Layout::Num(..), InitKind::List(_)) => self.nested_list(ast, i),
            (Layout::Bytes(_) | Layout::Cstr(_) | Layout::Array(..) | Layout::NullTerm(..), _) => {
                let start = blob.bytes.len();
                self.values(ast, &[i], layout, env, vars, blob)?;
                let have = (blob.bytes.len() - start) as i128;
                let want = self.size_of_layout(layout)?.subst(env)?.as_const()?;
                if have != want {
                    self.error(1404, format!("{} instead of {want}", in_bytes(have)))
                        .at(init.span, "wrong size");
                    return None;
                }
                Some(())
            }
            (Layout::Struct(s, args), InitKind::List(items)) => {
                let inner: Option<Vec<Term>> = args.iter().map(|a| a.subst(env)).collect();
                let decl = self.struct_decls[s.index()];
                self.fields(ast, decl, items, init.span, &Env::from(inner?), vars, blob)
            }
            (_, InitKind::Field(name, _)) => self.no_fields(name.span),
            (_, InitKind::Dup(..)) => {
                self.error(1404, "`dup` repeats elements of an array or bytes")
                    .at(init.span, "this is a single value");
                None
            }
            (Layout::Struct(..), _) => {
                self.error(1404, "a struct is written as a list of its fields")
                    .at(init.span, "not a list")
                    .help("`{ field: value, ... }` or the values in order: `{ 1, 2 }`");
                None
            }
            _ => {
                self.error(1404, "this does not fit the type").at(init.span, "a single value is needed");
                None
            }
        }
    }

    #[allow(clippy::too_many_arguments)]
    fn fields(
        &mut self,
        ast: &Ast,
        decl: DeclId,
        items: &[InitId],
        span: Span,
        env: &Env,
        vars: &Vars,
        blob: &mut Blob,
    ) -> Option<()> {
        let info = self.struct_info(decl)?;
        let mut given: Vec<Option<InitId>> = vec![None; info.fields.len()];
        for (at, &i) in items.iter().enumerate() {
            let (field, value) = match &ast.init(i).kind {
                InitKind::Field(name, value) => {
                    let found = info.fields.iter().position(|f| f.name == name.name);
                    let Some(found) = found else {
                        let text = self.name(name.name);
                        let declared = self.decls[decl as usize].ident.span;
                        self.error(1111, format!("there is no field `{text}`"))
                            .at(name.span, "no such field")
                            .near(declared, "the struct is declared here");
                        return None;
                    };
                    (found, *value)
                }
                _ => (at, i),
            };
            match given.get_mut(field) {
                Some(slot @ None) => *slot = Some(value),
                Some(Some(first)) => {
                    let first = ast.init(*first).span;
                    self.error(1404, "this field has a value already")
                        .at(ast.init(value).span, "again here")
                        .near(first, "first given here");
                    return None;
                }
                None => {
                    self.error(1404, "too many values")
                        .at(ast.init(i).span, format!("the struct has {} fields", info.fields.len()));
                    return None;
                }
            }
        }
        for (f, value) in info.fields.iter().zip(given) {
            let Some(value) = value else {
                let text = self.name(f.name);
                self.error(1404, format!("the field `{text}` has no value"))
                    .at(span, "a value for each field is needed");
                return None;
            };
            self.value(ast, value, f.layout, env, vars, blob)?;
        }
        Some(())
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
fn end_with_null(word: usize, blob: &mut Blob) {
    let len = blob.bytes.len();
    let ended = len >= word && blob.relocs.last().is_none_or(|r| (r.at as usize) < len - word);
    if !(ended && blob.bytes[len - word..].iter().all(|b| *b == 0)) {
        blob.bytes.extend(std::iter::repeat_n(0, word));
    }
}
