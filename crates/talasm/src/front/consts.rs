//! Evaluates expressions: constants, index terms and addresses.

use super::ast::{Ast, BinOp, DeclKind, ExprId, ExprKind};
use super::cx::{Binding, Cx, DeclId, Memo, Vars, what};
use super::names::Name;
use super::strings;
use crate::ir::{Span, SymId};
use std::rc::Rc;
use talcore::term::Term;

/// What an expression stands for.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// A number, or a linear term over index variables.
    Term(Term),
    /// The address of a symbol plus a number of bytes.
    Addr(SymId, i128),
}

impl From<i128> for Value {
    fn from(n: i128) -> Value {
        Value::Term(Term::from(n))
    }
}

/// The stub to which signal handlers return.
const RESTORER: &str = "__tal_restorer";

impl Cx<'_> {
    /// The value of an expression; `None` if it has none, which is reported.
    pub(super) fn eval(&mut self, ast: &Ast, id: ExprId, vars: &Vars) -> Option<Value> {
        let e = *ast.expr(id);
        match e.kind {
            ExprKind::Num(n) => Some(Value::from(n as i128)),
            ExprKind::Str => self.character(e.span).map(Value::from),
            ExprKind::Name(n) => self.name_value(n, e.span, vars),
            ExprKind::Path(n) => self.path_value(n, e.span, vars),
            ExprKind::Neg(x) => match self.eval(ast, x, vars)? {
                Value::Term(t) => self.in_range(t.neg(), e.span),
                Value::Addr(..) => self.address_misused(e.span),
            },
            ExprKind::Not(x) => self.eval_int(ast, x, vars).map(|n| Value::from(!n)),
            ExprKind::Bin(op, x, y) => {
                let x = self.eval(ast, x, vars);
                let y_span = ast.expr(y).span;
                let y = self.eval(ast, y, vars);
                self.binary(op, x?, y?, e.span, y_span)
            }
            ExprKind::WordSize => Some(Value::from(i128::from(self.word_bytes()))),
            ExprKind::SizeOf(n) => self.size_of(n, e.span, vars).map(Value::from),
            ExprKind::OffsetOf(s, f) => {
                let fields = self.name(f);
                self.offset_of(s, &fields, e.span, vars)
            }
            ExprKind::Error => None,
        }
    }

    /// The value of an expression that must be a number.
    pub(super) fn eval_int(&mut self, ast: &Ast, id: ExprId, vars: &Vars) -> Option<i128> {
        let span = ast.expr(id).span;
        match self.eval(ast, id, vars)? {
            Value::Term(t) => match t.as_const() {
                Some(n) => Some(n),
                None => {
                    self.error(1402, "a constant is needed here")
                        .at(span, "this depends on an index variable");
                    None
                }
            },
            Value::Addr(..) => {
                self.address_misused(span);
                None
            }
        }
    }

    /// The value of an expression that must be a number or an index term.
    pub(super) fn eval_term(&mut self, ast: &Ast, id: ExprId, vars: &Vars) -> Option<Term> {
        match self.eval(ast, id, vars)? {
            Value::Term(t) => Some(t),
            Value::Addr(..) => {
                self.address_misused(ast.expr(id).span);
                None
            }
        }
    }

    fn address_misused(&mut self, span: Span) -> Option<Value> {
        self.error(1407, "an address is no constant")
            .at(span, "addresses are only known when the program is linked")
            .help(
                "an address may be the operand of an instruction or an initial value, plus or minus a number",
            )
            .help("the size of an object is `sizeof name`");
        None
    }

    fn in_range(&mut self, t: Option<Term>, span: Span) -> Option<Value> {
        // Half of the representation is left for what the checker computes with it.
        let small = |t: &Term| t.konst().unsigned_abs() < 1 << 100;
        match t.filter(small) {
            Some(t) => Some(Value::Term(t)),
            None => {
                self.error(1401, "this value is too large")
                    .at(span, "constants have at most 100 bits, coefficients 63, terms 16 variables");
                None
            }
        }
    }

    fn character(&mut self, span: Span) -> Option<i128> {
        let bytes = self.string(span)?;
        if bytes.is_empty() || bytes.len() > 8 {
            self.error(1410, "a character constant has 1 to 8 bytes")
                .at(span, format!("{} bytes: {}", bytes.len(), "the first one is the lowest of the number"));
            return None;
        }
        Some(bytes.iter().rev().fold(0, |n, b| n << 8 | *b as i128))
    }

    /// The bytes of a quoted string.
    pub(super) fn string(&mut self, span: Span) -> Option<Vec<u8>> {
        match strings::decode(self.text(span)) {
            Ok(bytes) => Some(bytes),
            Err(bad) => {
                let at = Span {
                    file: span.file,
                    start: span.start + bad.start as u32,
                    end: span.start + bad.end as u32,
                };
                self.error(1004, "unknown escape in a string")
                    .at(at, "not an escape")
                    .help("escapes are \\n \\t \\r \\0 \\e \\\\ \\' \\\" and \\x followed by two hexadecimal digits");
                None
            }
        }
    }

    fn name_value(&mut self, name: Name, span: Span, vars: &Vars) -> Option<Value> {
        match vars.get(name) {
            Some(Binding::Index(t)) => return Some(Value::Term(t.clone())),
            Some(Binding::Table(s)) => return Some(Value::Addr(*s, 0)),
            Some(Binding::Broken) => return None,
            Some(Binding::Word(_) | Binding::Layout(_)) => {
                let text = self.name(name);
                self.error(1108, format!("`{text}` is a type here, not a number"))
                    .at(span, "a number is needed");
                return None;
            }
            None => (),
        }
        if self.names.get(name) == RESTORER {
            return Some(Value::Addr(self.restorer(span), 0));
        }
        let decl = self.find(vars, name, span)?;
        let decls = Rc::clone(&self.decls);
        let d = &decls[decl as usize];
        match &d.kind {
            DeclKind::Const(_) => self.const_value(decl, span).map(Value::from),
            DeclKind::Struct { .. } | DeclKind::Type { .. } => {
                let text = self.name(name);
                self.error(1108, format!("`{text}` is {}, not a number", what(&d.kind)))
                    .at(span, "a number is needed")
                    .near(d.ident.span, "declared here")
                    .help(format!("its size is `sizeof {text}`"));
                None
            }
            _ => Some(Value::Addr(self.symbol(decl)?, 0)),
        }
    }

    /// The value of a declared constant.
    pub(super) fn const_value(&mut self, decl: DeclId, span: Span) -> Option<i128> {
        match self.consts[decl as usize] {
            Memo::Done(v) => return v,
            Memo::Busy => {
                let at = self.decls[decl as usize].ident;
                let text = self.name(at.name);
                self.error(1403, format!("the constant `{text}` is defined by itself"))
                    .at(at.span, "its value depends on its value")
                    .near(span, "needed here");
                return None;
            }
            Memo::Todo => (),
        }
        let decls = Rc::clone(&self.decls);
        let d = &decls[decl as usize];
        let DeclKind::Const(e) = d.kind else { return None };
        // A constant of the command line stands in for that of the module.
        let defined = (d.span.file == 0).then(|| self.defines.get(&d.ident.name).copied()).flatten();
        self.consts[decl as usize] = Memo::Busy;
        let mut value = None;
        if self.enter(span) {
            let ast = Rc::clone(&self.ast);
            value = match defined {
                Some(other) => self.const_value(other, span),
                None => self.eval_int(&ast, e, &Vars::of(d.span.file)),
            };
            self.leave();
        }
        self.consts[decl as usize] = Memo::Done(value);
        value
    }

    /// `struct.field...` or `object.field...`.
    fn path_value(&mut self, name: Name, span: Span, vars: &Vars) -> Option<Value> {
        let key = (vars.file, name);
        if let Some(Memo::Done(v)) = self.paths.get(&key) {
            return v.clone();
        }
        let text = self.name(name);
        let (first, fields) = text.split_once('.')?;
        let first = self.names.intern(first);
        let value = self.offset_of(first, fields, span, vars);
        self.paths.insert(key, Memo::Done(value.clone()));
        value
    }

    fn binary(&mut self, op: BinOp, x: Value, y: Value, span: Span, y_span: Span) -> Option<Value> {
        let (a, b) = match (op, x, y) {
            (BinOp::Add, Value::Addr(s, n), Value::Term(t))
            | (BinOp::Add, Value::Term(t), Value::Addr(s, n)) => {
                return self.address_plus(s, Some(n), t.as_const(), span);
            }
            (BinOp::Sub, Value::Addr(s, n), Value::Term(t)) => {
                return self.address_plus(s, Some(n), t.as_const().and_then(|c| c.checked_neg()), span);
            }
            (_, Value::Term(a), Value::Term(b)) => (a, b),
            _ => return self.address_misused(span),
        };
        match (op, a.as_const(), b.as_const()) {
            (BinOp::Add, _, _) => self.in_range(a.add(&b), span),
            (BinOp::Sub, _, _) => self.in_range(a.sub(&b), span),
            (BinOp::Mul, Some(k), _) => self.in_range(b.scale(k), span),
            (BinOp::Mul, _, Some(k)) => self.in_range(a.scale(k), span),
            (BinOp::Shl | BinOp::Shr, _, Some(n)) if !(0..=100).contains(&n) => {
                self.error(1401, format!("cannot shift by {n}")).at(y_span, "shift counts are 0 to 100");
                None
            }
            (BinOp::Shl, _, Some(n)) => self.in_range(a.scale(1 << n), span),
            (BinOp::Div | BinOp::Rem, Some(_), Some(0)) => {
                self.error(1401, "division by zero").at(y_span, "this is 0");
                None
            }
            (_, Some(a), Some(b)) => Some(Value::from(match op {
                BinOp::Div => a / b,
                BinOp::Rem => a % b,
                BinOp::Shr => a >> b,
                BinOp::And => a & b,
                BinOp::Xor => a ^ b,
                _ => a | b,
            })),
            _ => {
                self.error(1204, "index expressions are linear")
                    .at(span, "this operation is possible on constants only")
                    .note("index variables may be added, subtracted and multiplied by constants");
                None
            }
        }
    }

    fn address_plus(&mut self, s: SymId, n: Option<i128>, m: Option<i128>, span: Span) -> Option<Value> {
        let sum = n.zip(m).and_then(|(n, m)| n.checked_add(m));
        match sum.filter(|n| i64::try_from(*n).is_ok()) {
            Some(n) => Some(Value::Addr(s, n)),
            None => {
                self.error(1401, "this address is out of range")
                    .at(span, "more than 64 bits from the symbol");
                None
            }
        }
    }
}
