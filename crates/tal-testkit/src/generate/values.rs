//! What the generator knows of words and memory.

/// Names of the general registers of 64, 32, 16 and 8 bits, by number.
pub(crate) const REGISTERS: [(&str, &str, &str, &str); 16] = [
    ("rax", "eax", "ax", "al"),
    ("rcx", "ecx", "cx", "cl"),
    ("rdx", "edx", "dx", "dl"),
    ("rbx", "ebx", "bx", "bl"),
    ("rsp", "esp", "sp", "spl"),
    ("rbp", "ebp", "bp", "bpl"),
    ("rsi", "esi", "si", "sil"),
    ("rdi", "edi", "di", "dil"),
    ("r8", "r8d", "r8w", "r8b"),
    ("r9", "r9d", "r9w", "r9b"),
    ("r10", "r10d", "r10w", "r10b"),
    ("r11", "r11d", "r11w", "r11b"),
    ("r12", "r12d", "r12w", "r12b"),
    ("r13", "r13d", "r13w", "r13b"),
    ("r14", "r14d", "r14w", "r14b"),
    ("r15", "r15d", "r15w", "r15b"),
];

/// The name of a register for an operand of so many bytes.
pub(crate) fn register(r: usize, width: u32) -> &'static str {
    let (b8, b4, b2, b1) = REGISTERS[r];
    match width {
        1 => b1,
        2 => b2,
        4 => b4,
        _ => b8,
    }
}

/// A number of elements or bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Len {
    Const(u32),
    /// An index variable of the function.
    Var(usize),
}

impl Len {
    pub(crate) fn text(self) -> String {
        match self {
            Len::Const(c) => c.to_string(),
            Len::Var(v) => format!("n{v}"),
        }
    }
}

/// What a pointer may do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mode {
    Own,
    Uniq,
    Ref,
    Mut,
    Read,
    Frozen,
}

impl Mode {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Mode::Own => "own ",
            Mode::Uniq => "&uniq ",
            Mode::Ref => "ref ",
            Mode::Mut => "&mut ",
            Mode::Read => "&",
            Mode::Frozen => "&frozen ",
        }
    }
    pub(crate) fn writable(self) -> bool {
        !matches!(self, Mode::Read | Mode::Frozen)
    }
    /// Whether nobody else has the memory.
    pub(crate) fn exclusive(self) -> bool {
        matches!(self, Mode::Own | Mode::Uniq)
    }
    /// Whether a pointer of this mode is good where one of the other is asked for.
    pub(crate) fn gives(self, want: Mode) -> bool {
        match want {
            Mode::Own | Mode::Ref => self == want,
            Mode::Uniq => self.exclusive(),
            Mode::Mut => self.writable(),
            Mode::Read => true,
            Mode::Frozen => self.exclusive() || self == Mode::Frozen,
        }
    }
}

/// What a pointer points to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Lay {
    Struct(usize),
    Words(Len),
    Bytes(Len),
}

/// The type of a word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ty {
    Int,
    /// A number that the checker knows: a test of it may leave one way only.
    Known,
    Range(i64, i64),
    /// `int(n)`.
    Size(usize),
    /// `true`: it may be 0.
    To(Mode, Lay, bool),
}

impl Ty {
    pub(crate) fn text(self) -> String {
        match self {
            Ty::Int | Ty::Known => "int".into(),
            Ty::Range(lo, hi) => format!("int({lo}..{hi})"),
            Ty::Size(v) => format!("int(n{v})"),
            Ty::To(mode, Lay::Bytes(n), opt) if matches!(mode, Mode::Read | Mode::Mut) => {
                format!("{}{}[{}]", if opt { "opt " } else { "" }, mode.text(), n.text())
            }
            Ty::To(mode, _, opt) => {
                format!("{}{}{}", if opt { "opt " } else { "" }, mode.text(), self.layout())
            }
        }
    }
    /// What it points to.
    pub(crate) fn layout(self) -> String {
        match self {
            Ty::To(_, Lay::Struct(s), _) => format!("s{s}"),
            Ty::To(_, Lay::Words(n), _) => format!("[{}]int", n.text()),
            Ty::To(_, Lay::Bytes(n), _) => format!("bytes({})", n.text()),
            _ => self.text(),
        }
    }
    pub(crate) fn owns(self) -> bool {
        matches!(self, Ty::To(Mode::Own, ..))
    }
    pub(crate) fn number(self) -> bool {
        !matches!(self, Ty::To(..))
    }
    /// Borrows end with the call.
    pub(crate) fn may_be_result(self) -> bool {
        matches!(self, Ty::To(Mode::Own | Mode::Ref, ..))
    }
}

/// A field of a struct.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Field {
    Word(Ty),
    /// So many words, as an array.
    Words(u32),
    /// A number of so many bytes from 0 to this.
    Narrow(u32, i64),
    Pad(u32),
}

impl Field {
    /// In bytes, where words have so many.
    pub(crate) fn size(self, word: u32) -> u32 {
        match self {
            Field::Word(_) => word,
            Field::Words(n) => word * n,
            Field::Narrow(size, _) | Field::Pad(size) => size,
        }
    }
    pub(crate) fn text(self) -> String {
        match self {
            Field::Word(ty) => ty.text(),
            Field::Words(n) => format!("[{n}]int"),
            Field::Narrow(size, high) => format!("u{}(0..{high})", 8 * size),
            Field::Pad(size) => format!("bytes({size})"),
        }
    }
    pub(crate) fn may_be_zero(&self) -> bool {
        !matches!(self, Field::Word(Ty::To(_, _, false)))
    }
}

/// A word that the program has, and whose copies have the same number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Val {
    pub(crate) ty: Ty,
    pub(crate) id: u32,
}
