//! A resolved module: what the front end hands to the rest of the assembler.
//!
//! Names are resolved, constant expressions evaluated, `sys` and other sugar still present as
//! such. Spans point into the source for messages, the listing and the line table.

use std::collections::BTreeMap;
use talcore::arch::Arch;
use talcore::guide::Ghost;

/// A byte range of the source.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Span {
    /// The file, an index into the module's file list.
    pub file: u16,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

/// A symbol of the module: an index into [`Module::symbols`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct SymId(pub u32);

/// What a symbol names.
#[derive(Clone, Debug)]
pub struct Symbol {
    /// The name as the linker sees it.
    pub name: String,
    /// Exported (`pub`).
    pub global: bool,
    /// Where it is.
    pub place: Place,
    /// Where it was declared.
    pub span: Span,
}

/// Where a symbol's bytes are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// The function with this index in [`Module::functions`].
    Function(u32),
    /// The data object with this index in [`Module::objects`].
    Object(u32),
    /// Another module: index into [`Module::imports`].
    Import(u32),
    /// The name of an abstract type that the module exports: an index into [`Module::types`]. It names a byte of the
    /// module's note, which nobody reads.
    Type(u32),
    /// The gate slot (an undefined symbol `__tal_gate` for the linker).
    Gate,
    /// The signal restorer stub (`__tal_restorer`).
    Restorer,
}

/// The sections that data goes to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub enum Section {
    /// Read-only data.
    Rodata,
    /// Initialised, writable data.
    Data,
    /// Zeroed, writable data.
    Bss,
}

/// A data object.
#[derive(Clone, Debug)]
pub struct Object {
    /// Its symbol.
    pub sym: SymId,
    /// Its section.
    pub section: Section,
    /// Alignment in bytes, a power of two.
    pub align: u32,
    /// Size in bytes.
    pub size: u64,
    /// Initial bytes (empty for bss).
    pub bytes: Vec<u8>,
    /// Word-sized addresses within `bytes`.
    pub relocs: Vec<DataReloc>,
    /// It is an owned static.
    pub owned: bool,
    /// Its layout, an index into the type builder's layouts.
    pub layout: u32,
    /// A jump table of this function: entries are local labels.
    pub table_of: Option<u32>,
    /// Where it was declared.
    pub span: Span,
}

/// The address of a symbol (or of a local label of a function) in initial data.
#[derive(Clone, Debug)]
pub struct DataReloc {
    /// Offset in the object, bytes.
    pub at: u32,
    /// Whose address.
    pub target: DataTarget,
    /// Added to the address, bytes.
    pub addend: i64,
}

/// What an address in data refers to.
#[derive(Clone, Debug)]
pub enum DataTarget {
    /// A symbol.
    Sym(SymId),
    /// A local label of a function of this module.
    Label {
        /// Index of the function.
        function: u32,
        /// The label in that function.
        label: LabelId,
    },
}

/// A label local to a function: an index into [`Function::labels`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct LabelId(pub u32);

/// A function.
#[derive(Clone, Debug)]
pub struct Function {
    /// Its symbol.
    pub sym: SymId,
    /// Its signature, an index into the type builder's signatures.
    pub sig: u32,
    /// Names of the signature's index variables: those it quantifies over, then those that are bound
    /// in its results.
    pub var_names: Vec<String>,
    /// Names of local labels with the leading dot, by [`LabelId`].
    pub labels: Vec<(String, Span)>,
    /// The body in source order.
    pub body: Vec<Item>,
    /// Where its header is.
    pub span: Span,
}

/// One thing in a function's body.
#[derive(Clone, Debug)]
pub enum Item {
    /// A local label.
    Label(LabelId),
    /// A state written by hand for the label just before it.
    Annotation(Annotation),
    /// `split r` or `join a, b`: changes what is known before the next instruction.
    Ghost(Ghost, Span),
    /// A machine instruction.
    Instr(Instr),
    /// `sys NAME`: `mov eax, number` and a call through the gate; for one that does not return also
    /// the `ud2` that must follow.
    Sys {
        /// The system call's name.
        name: String,
        /// Its number.
        number: u32,
        /// It does not return.
        noreturn: bool,
        /// Where.
        span: Span,
    },
}

/// A label state written by hand: for each named register a type in source form, plus facts.
/// The inference turns it into a label state; it wins over what would be inferred.
#[derive(Clone, Debug)]
pub struct Annotation {
    /// Index variables bound here, with their interval.
    pub vars: Vec<(String, Option<i128>, Option<i128>)>,
    /// Registers with an integer type: `(register number, linear term)`.
    pub regs: Vec<(u8, LinExpr)>,
    /// Facts `e >= 0`.
    pub facts: Vec<LinExpr>,
    /// Where.
    pub span: Span,
}

/// A linear expression over named index variables.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LinExpr {
    /// The constant.
    pub konst: i128,
    /// Coefficients by variable name.
    pub vars: BTreeMap<String, i128>,
}

/// A prefix written before a mnemonic.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Prefix {
    Lock,
    Rep,
    Repne,
}

/// One instruction as written.
#[derive(Clone, Debug)]
pub struct Instr {
    /// Prefix.
    pub prefix: Option<Prefix>,
    /// Mnemonic in lower case.
    pub mnemonic: String,
    /// Operands in source order.
    pub operands: Vec<Operand>,
    /// The whole instruction.
    pub span: Span,
}

/// A register operand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RegOp {
    /// A general register (hardware number) at a width in bytes (1, 2, 4, 8).
    Gpr(u8, u8),
    /// ah, ch, dh, bh by number 0..=3.
    High(u8),
    /// xmm0..xmm15.
    Xmm(u8),
}

/// One operand.
#[derive(Clone, Debug)]
pub enum Operand {
    /// A register.
    Reg(RegOp, Span),
    /// A number.
    Imm(i128, Span),
    /// The address of a symbol plus an offset, as an immediate (`mov rdi, msg`).
    SymAddr(SymId, i64, Span),
    /// A memory operand.
    Mem(MemOp),
    /// A local label (branch target, or its address for nothing else).
    Label(LabelId, Span),
    /// A function as branch target (`call f`, `jmp f`, `jcc f`).
    Func(SymId, Span),
}

impl Operand {
    /// Where the operand is written.
    pub fn span(&self) -> Span {
        match self {
            Operand::Reg(_, s)
            | Operand::Imm(_, s)
            | Operand::SymAddr(_, _, s)
            | Operand::Label(_, s)
            | Operand::Func(_, s) => *s,
            Operand::Mem(m) => m.span,
        }
    }
}

/// A memory operand `[base + scale*index + disp + sym]`.
#[derive(Clone, Debug)]
pub struct MemOp {
    /// Width in bytes where it is written (`qword`), else by the other operand.
    pub size: Option<u8>,
    /// Base register number (64-bit on AMD64).
    pub base: Option<u8>,
    /// Index register number and scale.
    pub index: Option<(u8, u8)>,
    /// Constant displacement.
    pub disp: i64,
    /// Address of a symbol added to it. Without base and index it is encoded RIP-relative on
    /// AMD64, else as an absolute 32-bit displacement.
    pub sym: Option<SymId>,
    /// Where.
    pub span: Span,
}

/// A name of another module, with its declared type.
#[derive(Clone, Debug)]
pub struct Import {
    /// Its symbol.
    pub sym: SymId,
    /// What it is.
    pub kind: ImportKind,
}

/// The declared type of an import.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ImportKind {
    /// A function with this signature.
    Function(u32),
    /// A read-only object with this layout.
    Imm(u32),
    /// A shared object with this layout.
    Shared(u32),
    /// An owned static with this layout.
    Owned(u32),
    /// An abstract type: this struct.
    Abstract(u32),
}

/// A resolved module.
#[derive(Clone, Debug, Default)]
pub struct Module {
    /// The architecture that it is assembled for.
    pub arch: Arch,
    /// Source files by [`Span::file`]: path and text.
    pub files: Vec<(String, String)>,
    /// All symbols.
    pub symbols: Vec<Symbol>,
    /// Functions in source order.
    pub functions: Vec<Function>,
    /// Data objects in source order.
    pub objects: Vec<Object>,
    /// Names of other modules.
    pub imports: Vec<Import>,
    /// The owned statics that signatures mention. In [`talcore::types::Sig::uses`] they are numbers of symbols.
    pub statics: Vec<SymId>,
    /// The abstract types that it exports: the struct, and its symbol.
    pub types: Vec<(u32, SymId)>,
}
