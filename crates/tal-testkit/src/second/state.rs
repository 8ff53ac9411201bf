//! docs/annotations.md, "The annotation stream of a function": what a state says.

use super::know::Known;
use super::lin::{Lin, Var};
use super::types::{Lay, TyNode};
use std::collections::BTreeMap;
use talcore::types::{Mode, SigId};

/// What is known of a word.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Word {
    /// Nothing.
    Any,
    /// It is congruent to the term modulo 2^W.
    Int(Lin),
    /// It points to a location, so many bytes from its start.
    Ptr(usize, Lin),
    /// It points to a static object (an index into the program's).
    Static(usize, Lin),
    /// It points into the frame, so far from where `rsp` pointed at entry.
    Frame(Lin),
    /// An untested word: its value is the variable.
    Opt(Var, TyNode),
    /// A function.
    Fn(SigId),
    /// A word of a word variable.
    Var(u32),
    /// What the caller had in the register.
    Caller(u8),
}

/// A word or number that was put into exclusive memory.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Held {
    /// Its offset.
    pub(super) off: Lin,
    /// How many bytes it has.
    pub(super) size: i128,
    /// What it is.
    pub(super) word: Word,
}

/// An object.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Loc {
    /// What may be done.
    pub(super) mode: Mode,
    /// What lies there.
    pub(super) lay: Lay,
    /// Its address, if it was asked for.
    pub(super) addr: Option<Var>,
    /// What was put there, where it differs from the layout.
    pub(super) held: Vec<Held>,
    /// It may still be used.
    pub(super) live: bool,
}

/// A state.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct State {
    /// Numbers.
    pub(super) known: Known,
    /// Objects.
    pub(super) locs: Vec<Loc>,
    /// Registers; that of the stack pointer is not used.
    pub(super) regs: Vec<Word>,
    /// The stack pointer's distance from where it was at entry, at most 0.
    pub(super) depth: i128,
    /// Known words and numbers in the frame: their offsets, sizes, and what they are. The rest is raw.
    pub(super) frame: BTreeMap<i128, (i128, Word)>,
    /// The lowest place that was certainly touched.
    pub(super) touched: i128,
    /// Arguments on the stack.
    pub(super) stack: Vec<Word>,
    /// The value of the stack pointer at entry as a number, if it was asked for.
    pub(super) sp: Option<Var>,
    /// What the flags say.
    pub(super) flags: Flags,
}

/// What the flags say.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) enum Flags {
    /// Nothing.
    #[default]
    Unknown,
    /// They compare two numbers of so many bits; the terms are congruent to them.
    Compared(Lin, Lin, u32),
    /// They are those of a result of so many bits: zero and sign alone.
    Result(Lin, u32),
    /// The result of `test` or `and`: no carry, no overflow.
    Logic(Lin, u32),
}

impl State {
    /// Forgets what lies in a part of the frame.
    pub(super) fn clear_frame(&mut self, from: i128, to: i128) {
        self.frame.retain(|off, (size, _)| off + *size <= from || *off >= to);
    }

    /// All words of the state, in registers, the frame, arguments and memory.
    pub(super) fn words(&mut self) -> impl Iterator<Item = &mut Word> {
        let held = self.locs.iter_mut().filter(|l| l.live).flat_map(|l| &mut l.held).map(|h| &mut h.word);
        let frame = self.frame.values_mut().map(|c| &mut c.1);
        self.regs.iter_mut().chain(&mut self.stack).chain(frame).chain(held)
    }
}
