//! The trusted interface: the kernel's system calls with their types.
//!
//! One readable table per architecture (`abi/linux-amd64.tali`, `abi/linux-ia32.tali`) is part of the checker. A call
//! through the gate with a constant number in the accumulator is typed by the first entry of
//! that number whose keys fit; a number without an entry is rejected. The table *is* policy: a
//! wrong entry is a hole. What makes an entry right is written at the top of the table, and what
//! can be checked mechanically is checked by the parser.
//!
//! The table is parsed when it is loaded. A table that does not parse answers an [`AbiError`],
//! and [`Abi::of`] then has no entries at all, which rejects every system call; a test shows
//! that it parses.

mod conventions;
mod lex;
mod parse;

use crate::arch::Arch;
use crate::facts::Interval;
use crate::term::{Term, Var};
use crate::types::{RegSet, Types, WordId};
use crate::x86::insn::Reg;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// The text of the table for an architecture.
pub const fn table(arch: Arch) -> &'static str {
    match arch {
        Arch::Amd64 => include_str!("abi/linux-amd64.tali"),
        Arch::Ia32 => include_str!("abi/linux-ia32.tali"),
    }
}

/// What an argument register must hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ParamKind {
    /// A key: exactly this word, known when the program is checked. Compared modulo 2^W.
    Const(i128),
    /// A key: one of these words.
    OneOf(Box<[i128]>),
    /// A key: a known word in `[0, 2^W)` all of whose bits lie in the mask. Stands only where each
    /// combination of the bits reads and writes the same memory.
    Mask(u64),
    /// A word of this type.
    Word(WordId),
    /// The constant 0, or a word of this type (a pointer).
    Nullable(WordId),
    /// A string for the kernel: a `&cstr` of any length, or a pointer to at least
    /// [`PATH_BYTES`] readable raw bytes: the kernel stops reading at the first NUL or there.
    Path,
    /// The address of a number of [`LENGTH_BYTES`] bytes, known to be this variable, in memory that only the
    /// program sees. The kernel reads it, and writes any number there.
    Length(Var),
    /// The address of an array of pairs in memory that nobody else writes: a pointer and how many bytes it points to.
    Vector {
        /// The variable for the number of pairs, which is a constant.
        count: Var,
        /// The variable that this binds: the sum of the sizes.
        total: Var,
        /// The type of each pointer, over the size as variable 0.
        part: WordId,
    },
    /// The address of an array of strings, in memory that nobody else writes, that ends with 0.
    Strings,
    /// The address of a `struct sigaction` in memory that nobody else writes, with no other flags than these.
    Action(u64),
}

/// The size of a length that the kernel reads and writes (`socklen_t`).
pub const LENGTH_BYTES: u32 = 4;

/// The most bytes that the kernel reads of a string argument (Linux: `PATH_MAX`).
pub const PATH_BYTES: u32 = 4096;

impl ParamKind {
    /// Whether this is a key, which only a known constant can match.
    pub fn is_key(&self) -> bool {
        matches!(self, ParamKind::Const(_) | ParamKind::OneOf(_) | ParamKind::Mask(_))
    }

    /// Whether a key matches a known word, given as an integer in `[0, 2^bits)`.
    /// `None`: the word is not known. Parameters that are not keys match everything here.
    pub fn admits(&self, word: Option<i128>, bits: u32) -> bool {
        let congruent = |c: i128| word == Some(c & Interval::unsigned(bits).hi);
        match self {
            ParamKind::Const(c) => congruent(*c),
            ParamKind::OneOf(list) => list.iter().any(|c| congruent(*c)),
            ParamKind::Mask(mask) => word.is_some_and(|w| u64::try_from(w).is_ok_and(|w| w & !mask == 0)),
            ParamKind::Word(_)
            | ParamKind::Nullable(_)
            | ParamKind::Path
            | ParamKind::Length(_)
            | ParamKind::Vector { .. }
            | ParamKind::Strings
            | ParamKind::Action(_) => true,
        }
    }
}

/// One argument of a system call. A register that no parameter names is not looked at by the
/// kernel in this form of the call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Param {
    /// The hardware number of the register.
    pub reg: u8,
    /// What it must hold.
    pub kind: ParamKind,
}

/// One form of one system call.
///
/// Variables are numbered as in [`crate::types::Sig`]: `0..vars.len()` are bound by the
/// arguments, the next `result_vars.len()` by the results.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The kernel's name of the call.
    pub name: &'static str,
    /// The number in the accumulator.
    pub number: u32,
    /// The manual page that justifies the entry, as in `read(2)`.
    pub man: &'static str,
    /// The type as it stands in the table, for messages and listings.
    pub text: &'static str,
    /// The interval of each argument variable, within `[0, 2^W)`; discharged at each call.
    pub vars: Vec<Interval>,
    /// The arguments in matching order: keys, then integers (which bind the variables), then
    /// everything else. Each variable is bound by a parameter `int(v)`, `len(v)` or `vec(n, v)`.
    pub params: Vec<Param>,
    /// Facts `e >= 0` over the argument variables that the caller proves.
    pub facts: Vec<Term>,
    /// The interval of each result variable.
    pub result_vars: Vec<Interval>,
    /// What registers hold afterwards.
    pub results: Vec<(u8, WordId)>,
    /// Facts `e >= 0` that hold afterwards.
    pub result_facts: Vec<Term>,
    /// The call does not return.
    pub noreturn: bool,
}

impl Entry {
    /// Whether every key of this entry matches, given the words that registers are known to hold
    /// (in `[0, 2^bits)`, `None` if not known).
    pub fn keys_match(&self, bits: u32, known: impl Fn(u8) -> Option<i128>) -> bool {
        self.params.iter().all(|p| !p.kind.is_key() || p.kind.admits(known(p.reg), bits))
    }
}

/// The interface table of one architecture.
#[derive(Clone, Debug, Default)]
pub struct Abi {
    /// Sorted by number; entries of one number in the order of the table.
    entries: Vec<Entry>,
    /// The width of a machine word in bits.
    pub word_bits: u32,
    /// The registers that a call through the gate does not preserve. All others hold what they
    /// held before (but for results).
    pub clobbers: RegSet,
    /// What the kernel passes to a signal handler: a register, and the number of bytes that its word points to and
    /// that may be read; 0 for the number of the signal.
    pub handler: &'static [(Reg, u32)],
    /// The registers that a system call may look at.
    pub inputs: RegSet,
    /// The flags that an action must have whose handler is a function: the frame that the kernel makes is then the one
    /// that the restorer takes away.
    pub handler_flags: u64,
}

/// Why a table does not parse: at which byte, and what was expected.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AbiError {
    /// The offset in the text, bytes.
    pub at: usize,
    /// What was expected or which rule for entries is broken.
    pub expected: &'static str,
}

impl Abi {
    /// The table for an architecture; its types are appended to `types`.
    pub fn of(arch: Arch, types: &mut Types) -> Abi {
        Abi::parse(table(arch), types).unwrap_or_default()
    }

    /// Reads a table; its types are appended to `types`, each once.
    pub fn parse(text: &'static str, types: &mut Types) -> Result<Abi, AbiError> {
        parse::table(text, types)
    }

    /// The forms of the call with this number, in the order in which they are tried.
    pub fn entries_for(&self, number: u32) -> impl Iterator<Item = &Entry> {
        let start = self.entries.partition_point(|e| e.number < number);
        self.entries.iter().skip(start).take_while(move |e| e.number == number)
    }

    /// The number of the call with this name.
    pub fn by_name(&self, name: &str) -> Option<u32> {
        self.entries.iter().find(|e| e.name == name).map(|e| e.number)
    }

    /// All entries, by number.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }
}

#[cfg(test)]
mod tests;
