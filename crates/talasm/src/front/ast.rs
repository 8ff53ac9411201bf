//! Declarations and function bodies as written: names, nothing resolved.
//!
//! Expressions, types and initial values lie in arenas and refer to each other by number, so that
//! building and dropping them needs no recursion; their depth is limited when they are built.

use super::lex::Key;
use super::names::Name;
use crate::ir::{Prefix, RegOp, Section, Span};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub(super) struct $name(pub u32);
    };
}
id!(/** An expression in [`Ast::exprs`]. */ ExprId);
id!(/** A type in [`Ast::types`]. */ TypeId);
id!(/** An initial value in [`Ast::inits`]. */ InitId);

/// A name with its place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ident {
    /// The name.
    pub name: Name,
    /// Where.
    pub span: Span,
}

/// Operators of constant expressions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub(super) enum BinOp {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
    Shl,
    Shr,
    And,
    Xor,
    Or,
}

/// An expression.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where.
    pub span: Span,
    /// How deep it nests.
    pub depth: u16,
}

/// The forms of expressions.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub(super) enum ExprKind {
    Num(u64),
    /// A quoted string: a character constant.
    Str,
    Name(Name),
    /// `struct.field`, as one word.
    Path(Name),
    Neg(ExprId),
    Not(ExprId),
    Bin(BinOp, ExprId, ExprId),
    SizeOf(Name),
    OffsetOf(Name, Name),
    /// `wordsize`: the bytes of a machine word.
    WordSize,
    /// Something that was already complained about.
    Error,
}

/// A type.
#[derive(Clone, Debug)]
pub(super) struct Type {
    /// What it is.
    pub kind: TypeKind,
    /// Where.
    pub span: Span,
    /// How deep it nests.
    pub depth: u16,
}

/// How long and how a borrow may be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub(super) enum Borrow {
    Read,
    Mut,
    Frozen,
    Uniq,
}

/// The forms of types: of words and of memory alike.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub(super) enum TypeKind {
    Name(Name),
    App(Ident, Vec<Arg>),
    /// `&L`, `&mut L`, ...; for `&uniq L => L'` with what is given back.
    Borrow(Borrow, TypeId, Option<TypeId>),
    /// `&[k]`: at least `k` raw bytes.
    AtLeast(Borrow, ExprId),
    Own(TypeId),
    /// `ref L`, or `ref s L` with a stretch.
    Ref(Option<Ident>, TypeId),
    Imm(TypeId),
    Opt(TypeId),
    /// `res T`: an address or an error number.
    Res(TypeId),
    Nullterm(Option<ExprId>, TypeId),
    Fn(Box<Sig>),
    /// `[n]L`; without a length the initial value tells.
    Array(Option<ExprId>, TypeId),
    Exists(Box<Exists>),
    /// `seq(L, M)`: one behind the other.
    Seq(Vec<TypeId>),
    /// Something that was already complained about.
    Error,
}

/// `exists n {facts}. T`.
#[derive(Clone, Debug)]
pub(super) struct Exists {
    /// What it hides.
    pub binders: Vec<Binder>,
    /// What holds of them.
    pub facts: Vec<Fact>,
    /// The pointer or the layout that mentions them.
    pub body: TypeId,
}

/// An argument of a named type.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub(super) enum Arg {
    Expr(ExprId),
    Range(ExprId, ExprId),
    Type(TypeId),
}

/// A quantified variable: `n`, `n: any`, `n: lo..hi`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Binder {
    /// The variable.
    pub ident: Ident,
    /// Its interval.
    pub bound: Bound,
}

/// The interval of a [`Binder`].
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub(super) enum Bound {
    Default,
    /// `n: word`, where the word can only be `any`.
    Word(ExprId),
    /// `a: own`: a type that may own memory.
    Own,
    /// `L: size n`: what lies in memory of this size.
    Size(ExprId),
    Range(ExprId, ExprId),
}

/// Where a parameter or result is.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub(super) enum Slot {
    Reg(RegOp),
    /// `[rsp + offset]` as the callee sees it at its entry.
    Stack(RegOp, ExprId),
}

/// A parameter or result.
#[derive(Clone, Copy, Debug)]
pub(super) struct Param {
    /// Where it is.
    pub slot: Slot,
    /// Where that is written.
    pub span: Span,
    /// Its type.
    pub ty: TypeId,
    /// Of a result: for which values of another one it is of that type.
    pub when: Option<When>,
}

/// `when register relation value`.
#[derive(Clone, Copy, Debug)]
pub(super) struct When {
    /// The result that tells.
    pub result: (RegOp, Span),
    /// What holds of it.
    pub rel: Rel,
    /// The constant.
    pub value: ExprId,
}

/// A relation in a fact.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub(super) enum Rel {
    Le,
    Lt,
    Eq,
    Gt,
    Ge,
}

/// A chain `a <= b < c`.
#[derive(Clone, Debug)]
pub(super) struct Fact {
    /// The first expression.
    pub first: ExprId,
    /// Each relation with the expression on its right.
    pub rest: Vec<(Rel, ExprId)>,
}

/// `register -> own L when register relation value`: what the caller keeps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keeps {
    /// The parameter.
    pub param: (RegOp, Span),
    /// What the memory is then.
    pub ty: TypeId,
    /// For which values of a result.
    pub when: When,
}

/// A condition behind the results.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub(super) enum Condition {
    Fact(Fact),
    Keeps(Keeps),
}

/// What follows parameters and results.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub(super) enum Modifier {
    Noreturn,
    Preserves(Vec<(RegOp, Span)>),
    Clobbers(Vec<(RegOp, Span)>),
    Uses(Vec<Ident>),
}

/// A signature.
#[derive(Clone, Debug, Default)]
pub(super) struct Sig {
    /// Quantified variables: of numbers and of word types alike.
    pub binders: Vec<Binder>,
    /// Parameters.
    pub params: Vec<Param>,
    /// What the caller proves.
    pub facts: Vec<Fact>,
    /// Results.
    pub results: Vec<Param>,
    /// What holds afterwards.
    pub result_facts: Vec<Fact>,
    /// What the caller keeps of what it gave away.
    pub keeps: Vec<Keeps>,
    /// The rest.
    pub modifiers: Vec<(Modifier, Span)>,
}

/// The signature of a declared function.
#[derive(Clone, Debug)]
pub(super) enum FnSig {
    /// Written out.
    Inline(Box<Sig>),
    /// `fn name: type`.
    Named(TypeId),
}

/// An initial value.
#[derive(Clone, Debug)]
pub(super) struct Init {
    /// What it is.
    pub kind: InitKind,
    /// Where.
    pub span: Span,
    /// How deep it nests.
    pub depth: u16,
}

/// The forms of initial values.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub(super) enum InitKind {
    Expr(ExprId),
    /// `n dup (...)`.
    Dup(ExprId, Vec<InitId>),
    /// `db ...` and its relatives: the width of an item in bytes.
    Raw(u8, Vec<InitId>),
    /// `{ ... }`.
    List(Vec<InitId>),
    /// `field: value`.
    Field(Ident, InitId),
}

/// A declared object.
#[derive(Clone, Debug)]
pub(super) struct ObjectDecl {
    /// Where it goes.
    pub section: Section,
    /// `own` was written: an owned static.
    pub owned: Option<Span>,
    /// Its layout.
    pub ty: TypeId,
    /// `align n`.
    pub align: Option<ExprId>,
    /// Its initial value.
    pub init: Vec<InitId>,
}

/// What a struct or a union consists of.
#[derive(Clone, Debug)]
pub(super) enum Members {
    /// Fields, in order.
    Fields(Vec<(Ident, TypeId)>),
    /// The field that is the tag, and the variants.
    Variants(Ident, Vec<TypeId>),
    /// Another module's secret. `true`: it is declared with `import`.
    Hidden(bool),
}

/// What is said of a parameter of a struct.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Formal {
    /// Nothing: its uses tell.
    Plain,
    /// `own`: a type that may own memory.
    Own,
    /// `type`: a type.
    Type,
    /// `size n`: what lies in memory of this size.
    Size(ExprId),
}

impl Members {
    /// The types of the fields, or the variants.
    pub(super) fn types(&self) -> Vec<TypeId> {
        match self {
            Members::Fields(fields) => fields.iter().map(|f| f.1).collect(),
            Members::Variants(_, variants) => variants.clone(),
            Members::Hidden(_) => Vec::new(),
        }
    }
}

/// What a declaration declares.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub(super) enum DeclKind {
    Const(ExprId),
    /// `moved`: parameters that stand for types which may own memory; `copied`: that are said to stand for types; `sized`:
    /// those that stand for what lies in memory of a size.
    /// `sealed`: it is abstract, so that other modules do not see what it consists of.
    Struct {
        params: Vec<Ident>,
        moved: Vec<Name>,
        copied: Vec<Name>,
        sized: Vec<(Name, ExprId)>,
        sealed: bool,
        facts: Vec<Fact>,
        members: Members,
    },
    Type {
        params: Vec<Ident>,
        body: TypeId,
    },
    Fn(FnSig),
    Object(ObjectDecl),
    ImportFn(FnSig),
    ImportObject(ObjectDecl),
    /// With the architectures that are named after the first one.
    Arch(Vec<Ident>),
    Use,
}

/// A declaration.
#[derive(Clone, Debug)]
pub(super) struct Decl {
    /// What is declared.
    pub kind: DeclKind,
    /// `pub`.
    pub public: bool,
    /// Its name.
    pub ident: Ident,
    /// All of it (of a function: its header).
    pub span: Span,
    /// Of a function: the bytes of its body.
    pub body: Option<Span>,
}

/// The size that is written before a memory operand, in bytes; [`WORD`] for `xword`.
pub(super) type Size = u8;

/// The size of a machine word, where it is not yet known for which architecture.
pub(super) const WORD: Size = 0;

/// One summand of a memory operand.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub(super) enum MemTerm {
    Reg(RegOp),
    Scaled(RegOp, ExprId),
    Add(ExprId),
    Sub(ExprId),
}

/// An operand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operand {
    /// What it is.
    pub kind: OperandKind,
    /// Where.
    pub span: Span,
}

/// The forms of operands. Ranges are into [`Body::terms`].
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub(super) enum OperandKind {
    Reg(RegOp),
    /// `r as s`: a register, a word and the name of a stretch.
    For(RegOp, Name, Ident),
    Local(Name),
    Expr(ExprId),
    Mem {
        size: Option<Size>,
        terms: (u32, u32),
    },
    /// `name[T, ...]`: a function at these types, a range of [`Body::types`].
    Instance(Name, (u32, u32)),
}

/// One element of a label annotation.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub(super) enum AnnotItem {
    Reg(RegOp, Span, TypeId),
    Binder(Ident, ExprId, ExprId),
    Fact(Fact),
}

/// One thing in a function's body.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stmt {
    /// What it is.
    pub kind: StmtKind,
    /// Where.
    pub span: Span,
}

/// The forms of statements. Ranges are into the vectors of [`Body`].
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub(super) enum StmtKind {
    Label(Name),
    Instr {
        prefix: Option<Prefix>,
        mnemonic: Name,
        operands: (u32, u32),
    },
    Sys(Ident),
    /// An index into [`Body::annotations`].
    Annotation(u32),
    /// `table name: .a, .b`: a range of [`Body::labels`].
    Table(Ident, (u32, u32)),
}

/// The body of one function.
#[derive(Debug, Default)]
pub(super) struct Body {
    /// In source order.
    pub stmts: Vec<Stmt>,
    /// Operands of instructions.
    pub operands: Vec<Operand>,
    /// How many of them belong to instructions already.
    pub operands_taken: u32,
    /// Summands of memory operands.
    pub terms: Vec<MemTerm>,
    /// Labels of tables.
    pub labels: Vec<Ident>,
    /// Annotations of labels.
    pub annotations: Vec<Vec<AnnotItem>>,
    /// Types at which functions are called.
    pub types: Vec<TypeId>,
}

impl Body {
    /// Empties it, keeping the memory.
    pub(super) fn clear(&mut self) {
        self.stmts.clear();
        self.operands.clear();
        self.operands_taken = 0;
        self.terms.clear();
        self.labels.clear();
        self.annotations.clear();
        self.types.clear();
    }
}

/// The arenas of one run.
#[derive(Debug, Default)]
pub(super) struct Ast {
    /// Expressions.
    pub exprs: Vec<Expr>,
    /// Types.
    pub types: Vec<Type>,
    /// Initial values.
    pub inits: Vec<Init>,
}

impl Ast {
    /// An expression.
    pub(super) fn expr(&self, id: ExprId) -> &Expr {
        &self.exprs[id.0 as usize]
    }
    /// A type.
    pub(super) fn ty(&self, id: TypeId) -> &Type {
        &self.types[id.0 as usize]
    }
    /// An initial value.
    pub(super) fn init(&self, id: InitId) -> &Init {
        &self.inits[id.0 as usize]
    }
}

impl Key {
    /// The size in bytes that a size word stands for.
    pub(super) fn size(self) -> Size {
        match self {
            Key::Byte | Key::Db => 1,
            Key::Word | Key::Dw => 2,
            Key::Dword | Key::Dd => 4,
            Key::Qword | Key::Dq => 8,
            Key::Xmmword => 16,
            _ => WORD,
        }
    }
}
