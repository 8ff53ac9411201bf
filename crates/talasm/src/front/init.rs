//! Lowers initial values to bytes and addresses.

use super::ast::{Ast, ExprId, ExprKind, InitId, InitKind};
use super::consts::Value;
use super::cx::{Cx, DeclId, Vars};
use super::data::{Blob, Env, end_with_null, in_bytes};
use crate::ir::{DataReloc, DataTarget, Span};
use talcore::term::Term;
use talcore::types::{Layout, LayoutId};

/// Bytes of initial data in one module.
const DATA_BYTES: u64 = 1 << 28;

impl Cx<'_> {
    /// The whole initial value of an object.
    pub(super) fn top_value(
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
    pub(super) fn text_values(
        &mut self,
        ast: &Ast,
        inits: &[InitId],
        vars: &Vars,
        blob: &mut Blob,
    ) -> Option<()> {
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
    pub(super) fn elements(
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
            (Layout::Num(w, _) | Layout::Exact(w, ..), InitKind::Expr(e)) => {
                self.number(ast, *e, w.bytes(), vars, blob)
            }
            (Layout::Cell(_) | Layout::Num(..) | Layout::Exact(..), InitKind::List(_)) => {
                self.nested_list(ast, i)
            }
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
            (Layout::Exists(e), _) => {
                // What is hidden is found in the values when the object is checked; sizes do not depend on it.
                let inner = self.inside(&e, env)?;
                self.value(ast, i, e.body, &inner, vars, blob)
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

    fn one_variant(&mut self, decl: DeclId, span: Span) -> Option<()> {
        let text = self.name(self.decls[decl as usize].ident.name);
        self.error(1404, format!("`{text}` is a union: say which variant this is"))
            .at(span, "a variant is needed")
            .help("`{ variant: { field: value, ... } }`");
        None
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
        if !info.variants.is_empty() {
            let [one] = items else { return self.one_variant(decl, span) };
            let InitKind::Field(name, value) = &ast.init(*one).kind else {
                return self.one_variant(decl, span);
            };
            let Some(variant) = info.variants.iter().find(|v| v.0 == name.name) else {
                let text = self.name(name.name);
                let declared = self.decls[decl as usize].ident.span;
                self.error(1111, format!("there is no variant `{text}`"))
                    .at(name.span, "no such variant")
                    .near(declared, "the union is declared here");
                return None;
            };
            return self.value(ast, *value, variant.1, env, vars, blob);
        }
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
