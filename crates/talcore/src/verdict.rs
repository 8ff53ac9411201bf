//! Why a file is rejected: data, no text. `taldiag` turns it into words.

use crate::codes::is_code;
use crate::term::Term;
use alloc::boxed::Box;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $num:literal,)*) => {
        /// The reason of a rejection. The number is the `nnnn` of `TALnnnn`.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord, Hash)]
        #[repr(u16)]
        pub enum Code {
            $($(#[$doc])* $name = $num,)*
        }
        impl Code {
            /// All codes in order.
            pub const ALL: &'static [Code] = &[$(Code::$name,)*];
        }
    };
}

codes! {
    /// Not an ELF file of an architecture that the checker knows.
    NotElf = 1,
    /// A field of the ELF header has a value that an accepted file cannot have.
    Header = 2,
    /// A program header breaks a rule: overlap, order, permissions, sizes.
    Segment = 3,
    /// The file asks for an interpreter, dynamic linking or thread-local storage.
    Dynamic = 4,
    /// The stack would be executable.
    ExecStack = 5,
    /// The entry point is not a function of type `start`, or is used as an ordinary function.
    Entry = 6,
    /// Executable bytes belong to no function and are not padding.
    Uncovered = 7,
    /// A limit of the checker was reached.
    Limit = 8,
    /// The file asks for more work than its size pays for.
    Fuel = 9,
    /// The instruction is not on the allow-list.
    NotAllowed = 100,
    /// The instruction is not in its canonical encoding.
    NotCanonical = 101,
    /// The instruction is cut off by the end of its function.
    Truncated = 102,
    /// A raw system call outside the user-mode stub.
    RawSyscall = 103,
    /// The file carries no TAL note.
    NoNote = 200,
    /// A note cannot be read.
    Note = 201,
    /// A type in a note is not well formed.
    IllFormedType = 202,
    /// Two definitions overlap, or a definition lies outside its segment.
    Overlap = 203,
    /// The annotation stream of a function cannot be read or does not fit its code.
    Stream = 204,
    /// A note imports a definition at another type than it is exported with.
    ImportType = 205,
    /// A note refers to an address that no note defines.
    Undefined = 206,
    /// The gate slot, the user-mode stub or the restorer is missing, doubled or misplaced.
    Roles = 207,
    /// A memory access through a word that is not a pointer to an object.
    NotPointer = 300,
    /// A memory access may lie outside the object.
    Bounds = 301,
    /// A store to memory that may only be read.
    ReadOnly = 302,
    /// An access does not fit the cell that it meets.
    Straddle = 303,
    /// A stored value does not have the type of the cell.
    StoreType = 304,
    /// An operation on memory that needs another kind of contents.
    Content = 305,
    /// The conditions of `split` or `join` do not hold.
    Ghost = 306,
    /// It is not known which variant of a union is there.
    Variant = 307,
    /// An abstract type of another module is used as if its layout were known.
    Abstract = 308,
    /// An argument does not have the type that the function asks for.
    ArgType = 400,
    /// A fact that the function asks for could not be proved.
    ArgFact = 401,
    /// A result does not have the promised type.
    ResultType = 402,
    /// A promised fact about the results could not be proved.
    ResultFact = 403,
    /// A register that must be preserved holds something else at the return.
    Preserved = 404,
    /// Two borrows of one call exclude each other.
    BorrowConflict = 405,
    /// The target of a call is not a function.
    NotFunction = 406,
    /// A tail call whose conditions do not hold.
    TailCall = 407,
    /// A call of a function that does not return is not followed by `ud2`.
    NoReturn = 408,
    /// A jump to an address that is not a label of this function.
    NoLabel = 500,
    /// A word does not have the type that the label asks for.
    LabelType = 501,
    /// A fact of the label could not be proved on this edge.
    LabelFact = 502,
    /// Control falls off the end of the function.
    FallsOff = 503,
    /// The stack does not have the shape that the label asks for.
    LabelStack = 504,
    /// Code that no path reaches and that has no label.
    Unreachable = 505,
    /// A jump table breaks a rule.
    JumpTable = 506,
    /// Under [`crate::Policy::Speculative`]: a jump or a system call that may be predicted wrongly.
    Speculation = 507,
    /// An access to the stack outside the function's own frame.
    FrameAccess = 600,
    /// The stack pointer would get a value that the checker cannot follow.
    StackPointer = 601,
    /// A return or tail call while the frame is not empty.
    FrameOpen = 602,
    /// Too much stack is allocated without touching it.
    ProbeDebt = 603,
    /// The number of a system call is not a known constant.
    SyscallNumber = 800,
    /// No entry of the interface table fits this system call and its constant arguments.
    NoEntry = 801,
    /// The gate is used in another way than `call [gate]`.
    GateUse = 802,
    /// Initial data does not match its declared type.
    Data = 900,
}

/// What a rejection is about, as far as it is known: each field is absent where it does not apply.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reject {
    /// The reason.
    pub code: Code,
    /// The address that it is about, or the offset in the file: see [`Reject::in_file`].
    pub at: u64,
    /// `at` is an offset in the file: about headers, notes and annotations.
    pub in_file: bool,
    /// Which detail: a short phrase from the rule, in lower case, without a full stop.
    pub why: &'static str,
    /// The goal `goal >= 0` that could not be proved, over the variables of the state.
    pub goal: Option<Term>,
    /// Two terms that are not proved equal: what is there, and what is wanted.
    pub equal: Option<(Term, Term)>,
    /// The register (hardware number) that it is about.
    pub reg: Option<u8>,
    /// Where control would have gone: the target of the edge.
    pub target: Option<u64>,
    /// The union of which the variant is not known.
    pub union: Option<crate::types::StructId>,
}

impl Reject {
    /// A rejection at an address. It is boxed, so that rules which do not reject answer little.
    #[allow(clippy::new_ret_no_self)]
    #[cold]
    pub fn new(code: Code, at: u64, why: &'static str) -> Box<Reject> {
        let (goal, equal, reg, target, union) = (None, None, None, None, None);
        Box::new(Reject { code, at, in_file: false, why, goal, equal, reg, target, union })
    }
    /// The same, `at` being an offset in the file.
    pub fn in_file(mut self: Box<Self>) -> Box<Reject> {
        self.in_file = true;
        self
    }
    /// With the goal that failed.
    pub fn goal(mut self: Box<Self>, goal: &Term) -> Box<Reject> {
        self.goal = Some(goal.clone());
        self
    }
    /// With the terms that are not proved equal.
    pub fn equal(mut self: Box<Self>, is: &Term, wanted: Term) -> Box<Reject> {
        self.equal = Some((is.clone(), wanted));
        self
    }
    /// The terms that are not proved equal, if one of them is the code of a type.
    pub fn types(&self) -> Option<&(Term, Term)> {
        self.equal.as_ref().filter(|(is, wanted)| is_code(is) || is_code(wanted))
    }
    /// With the register that it is about.
    pub fn reg(mut self: Box<Self>, reg: u8) -> Box<Reject> {
        self.reg = Some(reg);
        self
    }
    /// With the union of which the variant is not known.
    pub fn of_union(mut self: Box<Self>, id: crate::types::StructId) -> Box<Reject> {
        self.union = Some(id);
        self
    }
    /// With the target of the edge.
    pub fn target(mut self: Box<Self>, target: u64) -> Box<Reject> {
        self.target = Some(target);
        self
    }
}

/// What an accepted file contains.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Accept {
    /// The address of the gate slot: what starts the program in kernel mode writes there.
    pub gate: u64,
    /// Functions.
    pub functions: u64,
    /// Instructions.
    pub instructions: u64,
    /// Bytes of code in functions.
    pub code_bytes: u64,
    /// Bytes of notes.
    pub note_bytes: u64,
    /// Bytes of typed objects (file and zeroed).
    pub data_bytes: u64,
    /// Labels with a stored state.
    pub labels: u64,
    /// Proofs by certificate.
    pub certificates: u64,
    /// Steps of checking that were paid for: see [`crate::limits::FUEL_PER_BYTE`].
    pub steps: u64,
}

/// Either.
pub type Verdict = Result<Accept, Box<Reject>>;
