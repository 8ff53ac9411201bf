//! What the grammar's actions do: they put nodes into the arenas.

use super::ast::*;
use super::diag::Diags;
use super::names::{Name, known};
use crate::ir::{Prefix, Span};

/// How deep expressions, types and initial values may nest.
pub(super) const NESTING: u16 = 64;

/// What follows `&`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target {
    /// A layout.
    Layout(TypeId),
    /// `[k]`.
    AtLeast(ExprId),
}

/// The state of the parser's actions.
#[derive(Default)]
pub(super) struct Builder {
    /// The arenas.
    pub ast: Ast,
    /// The function body that is being parsed.
    pub body: Body,
    /// Declarations so far.
    pub decls: Vec<Decl>,
    /// Messages so far.
    pub diags: Diags,
    /// The file that is being parsed.
    pub file: u16,
    /// The last file in which something nests too deeply: once is enough to say it.
    deep: Option<u16>,
}

impl Builder {
    /// The place of a node.
    pub(super) fn span(&self, start: u32, end: u32) -> Span {
        // An empty node has its end before its start.
        Span { file: self.file, start, end: end.max(start) }
    }

    fn too_deep(&mut self, span: Span) {
        if self.deep.replace(self.file) == Some(self.file) {
            return;
        }
        self.diags
            .error(1010, "this nests too deeply")
            .at(span, format!("more than {NESTING} levels"))
            .help("name a part of it with `const` or `type`");
    }

    /// An expression.
    pub(super) fn expr(&mut self, l: u32, mut kind: ExprKind, r: u32) -> ExprId {
        let span = self.span(l, r);
        let inner = match kind {
            ExprKind::Neg(e) | ExprKind::Not(e) => self.ast.expr(e).depth,
            ExprKind::Bin(_, x, y) => self.ast.expr(x).depth.max(self.ast.expr(y).depth),
            _ => 0,
        };
        if inner >= NESTING {
            self.too_deep(span);
            kind = ExprKind::Error;
        }
        let depth = if matches!(kind, ExprKind::Error) { 0 } else { inner + 1 };
        self.ast.exprs.push(Expr { kind, span, depth });
        ExprId(self.ast.exprs.len() as u32 - 1)
    }

    /// `size n`, where the word is an identifier like others.
    pub(super) fn sized(&mut self, word: Ident, n: ExprId) -> ExprId {
        if word.name != known::SIZE {
            self.diags
                .error(1006, "this is no range of a variable")
                .at(word.span, "`size` is meant, perhaps")
                .help("`name: size n` stands for what lies in memory of `n` bytes");
        }
        n
    }

    /// A type.
    pub(super) fn ty(&mut self, l: u32, mut kind: TypeKind, r: u32) -> TypeId {
        let span = self.span(l, r);
        let inner = self.type_depth(&kind);
        if inner >= NESTING {
            self.too_deep(span);
            kind = TypeKind::Error;
        }
        let depth = if matches!(kind, TypeKind::Error) { 0 } else { inner + 1 };
        self.ast.types.push(Type { kind, span, depth });
        TypeId(self.ast.types.len() as u32 - 1)
    }

    fn type_depth(&self, kind: &TypeKind) -> u16 {
        let of = |t: &TypeId| self.ast.ty(*t).depth;
        match kind {
            TypeKind::Name(_) | TypeKind::AtLeast(..) | TypeKind::Error => 0,
            TypeKind::App(_, args) => args
                .iter()
                .map(|a| match a {
                    Arg::Type(t) => of(t),
                    _ => 0,
                })
                .max()
                .unwrap_or(0),
            TypeKind::Borrow(_, t, back) => of(t).max(back.as_ref().map_or(0, of)),
            TypeKind::Own(t)
            | TypeKind::Ref(_, t)
            | TypeKind::Imm(t)
            | TypeKind::Opt(t)
            | TypeKind::Res(t)
            | TypeKind::Nullterm(_, t)
            | TypeKind::Array(_, t) => of(t),
            TypeKind::Exists(e) => of(&e.body),
            TypeKind::Seq(parts) => parts.iter().map(of).max().unwrap_or(0),
            TypeKind::Fn(sig) => sig.params.iter().chain(&sig.results).map(|p| of(&p.ty)).max().unwrap_or(0),
        }
    }

    /// `&L`, `&mut L`, `&frozen L`, or `&[k]` and its like.
    pub(super) fn borrow(&mut self, l: u32, kind: Borrow, target: Target, r: u32) -> TypeId {
        let ty = match target {
            Target::Layout(t) => TypeKind::Borrow(kind, t, None),
            Target::AtLeast(e) => TypeKind::AtLeast(kind, e),
        };
        self.ty(l, ty, r)
    }

    /// `&uniq L => L'`.
    pub(super) fn uniq(&mut self, l: u32, target: Target, back: Option<TypeId>, r: u32) -> TypeId {
        let ty = match target {
            Target::Layout(t) => TypeKind::Borrow(Borrow::Uniq, t, back),
            Target::AtLeast(e) => {
                if back.is_some() {
                    let span = self.span(l, r);
                    self.diags
                        .error(1211, "raw bytes are given back as raw bytes")
                        .at(span, "more is not said of them")
                        .help("leave out what follows `=>`");
                }
                TypeKind::AtLeast(Borrow::Uniq, e)
            }
        };
        self.ty(l, ty, r)
    }

    /// An initial value.
    pub(super) fn init(&mut self, l: u32, mut kind: InitKind, r: u32) -> InitId {
        let span = self.span(l, r);
        let of = |i: &InitId| self.ast.init(*i).depth;
        let inner = match &kind {
            InitKind::Expr(_) => 0,
            InitKind::Dup(_, v) | InitKind::Raw(_, v) | InitKind::List(v) => {
                v.iter().map(of).max().unwrap_or(0)
            }
            InitKind::Field(_, i) => of(i),
        };
        let mut depth = inner + 1;
        if inner >= NESTING {
            self.too_deep(span);
            kind = InitKind::List(Vec::new());
            depth = 1;
        }
        self.ast.inits.push(Init { kind, span, depth });
        InitId(self.ast.inits.len() as u32 - 1)
    }

    /// A declaration.
    pub(super) fn decl(&mut self, l: u32, public: bool, (ident, kind): (Ident, DeclKind), r: u32) {
        let span = self.span(l, r);
        self.decls.push(Decl { kind, public, ident, span, body: None });
    }

    /// A struct or a union.
    pub(super) fn nominal(
        ident: Ident,
        formals: Vec<(Ident, Formal)>,
        facts: Option<Vec<Fact>>,
        members: Members,
    ) -> Box<(Ident, DeclKind)> {
        let said = |formal| formals.iter().filter(|f| f.1 == formal).map(|f| f.0.name).collect();
        let (moved, copied) = (said(Formal::Own), said(Formal::Type));
        let params = formals.iter().map(|f| f.0).collect();
        let size = |f: &(Ident, Formal)| match f.1 {
            Formal::Size(n) => Some((f.0.name, n)),
            _ => None,
        };
        let sized = formals.iter().filter_map(size).collect();
        let facts = facts.unwrap_or_default();
        Box::new((ident, DeclKind::Struct { params, moved, copied, sized, sealed: false, facts, members }))
    }

    /// An abstract type of another module.
    pub(super) fn hidden(
        ident: Ident,
        formals: Vec<(Ident, Formal)>,
        import: bool,
    ) -> Box<(Ident, DeclKind)> {
        let mut d = Builder::nominal(ident, formals, None, Members::Hidden(import));
        if let DeclKind::Struct { sealed, .. } = &mut d.1 {
            *sealed = true;
        }
        d
    }

    /// A statement of a body.
    pub(super) fn stmt(&mut self, l: u32, kind: StmtKind, r: u32) {
        let span = self.span(l, r);
        self.body.stmts.push(Stmt { kind, span });
    }

    /// A jump table.
    pub(super) fn table(&mut self, l: u32, name: Ident, labels: Vec<Ident>, r: u32) {
        let start = self.body.labels.len() as u32;
        self.body.labels.extend(labels);
        let range = (start, self.body.labels.len() as u32);
        self.stmt(l, StmtKind::Table(name, range), r);
    }

    /// The annotation of a label.
    pub(super) fn annotation(&mut self, l: u32, items: Vec<AnnotItem>, r: u32) {
        self.body.annotations.push(items);
        self.stmt(l, StmtKind::Annotation(self.body.annotations.len() as u32 - 1), r);
    }

    /// An instruction, whose operands are those since the last statement.
    pub(super) fn instr(&mut self, l: u32, prefix: Option<Prefix>, mnemonic: Name, r: u32) {
        let start = self.body.operands_taken;
        let end = self.body.operands.len() as u32;
        self.body.operands_taken = end;
        self.stmt(l, StmtKind::Instr { prefix, mnemonic, operands: (start, end) }, r);
    }

    /// An operand.
    pub(super) fn operand(&mut self, l: u32, kind: OperandKind, r: u32) {
        let span = self.span(l, r);
        self.body.operands.push(Operand { kind, span });
    }

    /// A function at types.
    pub(super) fn instance(&mut self, name: Name, types: Vec<TypeId>) -> OperandKind {
        let start = self.body.types.len() as u32;
        self.body.types.extend(types);
        OperandKind::Instance(name, (start, self.body.types.len() as u32))
    }

    /// The first summand of a memory operand; answers its number.
    pub(super) fn mem_start(&mut self, term: MemTerm) -> u32 {
        self.body.terms.push(term);
        self.body.terms.len() as u32 - 1
    }

    /// A further summand.
    pub(super) fn mem_term(&mut self, term: MemTerm) {
        self.body.terms.push(term);
    }

    /// The range of a memory operand's summands.
    pub(super) fn mem_end(&self, start: u32) -> (u32, u32) {
        (start, self.body.terms.len() as u32)
    }
}
