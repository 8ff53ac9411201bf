//! The questions that the rules ask.
//!
//! The rules never search. Wherever a choice is needed (the state at a label, a proof, a witness)
//! they ask a guide and verify its answer, so a guide can make a check fail but never make it
//! accept something unsafe. `talcheck` reads the answers from the file ([`crate::annot`]); the
//! assembler finds them.

use crate::facts::{Cert, Facts};
use crate::state::State;
use crate::term::Term;
use crate::types::WordId;
use crate::x86::insn::Reg;
use alloc::rc::Rc;

/// What becomes of an edge to a label.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Edge {
    /// The rules match the state with the label's.
    Match,
    /// The guide took the state (it is still looking for the labels' states): nothing is matched.
    /// The checking guide never answers this.
    Taken,
}

/// A step without machine code, which changes what the rules know of memory and nothing else.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ghost {
    /// `split r`: owned raw memory becomes two objects, the second from where `r` points.
    Split(Reg),
    /// `cursor r`: the cell that `r` points to leaves its object, which has a hole then.
    Cursor(Reg),
    /// `advance r`: the cursor goes on to the cell that `r` points to.
    Advance(Reg),
    /// `end r`: the cursor's cell fills its hole.
    End(Reg),
    /// `lend r as s`: the object that `r` points to is frozen for the stretch of this number in the function.
    Lend(Reg, u32),
    /// `restore s`: the stretch ends.
    Restore(u32),
    /// `join a, b`: the objects that `a` and `b` point to, one right behind the other, become one.
    Join(Reg, Reg),
    /// What a type variable of the function stands for that the instruction calls, where nothing tells: the variable's
    /// number, and a word type of the program without variables, or the one that a variable of this function is.
    Choose(u32, WordId),
}

/// A step without machine code, and where it is taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Step {
    /// The offset of the instruction before which it is taken.
    pub at: u64,
    /// It belongs to the path that falls through to there, and is taken before the edge to a label of the same offset.
    /// Otherwise it is taken whenever the label is reached.
    pub falls: bool,
    /// The step.
    pub ghost: Ghost,
}

/// Which constant of an instruction may be an address. An instruction can have both: `mov dword [cell], name`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Constant {
    /// The displacement of its memory operand.
    Displacement,
    /// Its immediate operand.
    Immediate,
}

/// A source of answers. `at` is an offset in bytes from the start of the function.
pub trait Guide {
    /// A proof of `goal >= 0` which the rule cannot do without.
    fn required(&mut self, facts: &Facts, goal: &Term) -> Option<Cert>;

    /// A proof of `goal >= 0` which makes a result more precise.
    fn optional(&mut self, facts: &Facts, goal: &Term) -> Option<Cert>;

    /// The state of the label at this offset, if there is a label.
    fn label(&mut self, at: u64) -> Option<Rc<State>>;

    /// The next step without machine code at or before this offset; where `falls` is set, only if it is one of those at this
    /// offset that are taken before the label, or lies before it. Each is told once.
    fn ghost(&mut self, at: u64, falls: bool) -> Option<Step>;

    /// The offset of the next label at or behind `at`.
    fn next_label(&mut self, at: u64) -> Option<u64>;

    /// What a variable of a label or signature stands for, where matching left it open: the variable's
    /// number among those that the label or signature binds.
    fn witness(&mut self, facts: &Facts, var: usize) -> Option<Term>;

    /// Whether a constant of at least [`crate::limits::LOWEST_ADDRESS`] is meant as an address, and how
    /// many bytes it lies behind the address that decides which object or function is meant: in
    /// `[buf + 8*rcx - 16]` the constant is `buf - 16`, which may lie in another object.
    fn addend(&mut self, at: u64, constant: Constant) -> Option<i64>;

    /// An edge to the label at `target` is about to be matched in `state`.
    fn edge(&mut self, target: u64, state: &State) -> Edge;
}
