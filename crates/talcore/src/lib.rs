//! The trusted core: decides whether a typed binary is safe.
//!
//! Everything in this crate is trusted; nothing outside it is. It does no input or output, never
//! panics, depends on nothing but `core` and `alloc`, and spends time and memory linear in the size
//! of its input.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod abi;
pub mod annot;
pub mod arch;
pub mod arith;
pub mod check;
pub mod codes;
pub mod data;
pub mod elf;
pub mod engine;
pub mod eq;
pub mod facts;
pub mod guide;
pub mod limits;
pub mod matching;
pub mod memory;
pub mod note;
pub mod program;
pub mod reader;
pub mod rules;
pub mod scope;
pub mod shapes;
pub mod state;
pub mod term;
pub mod types;
pub mod verdict;
pub mod walk;
pub mod words;
pub mod x86;

pub use check::check;
pub use program::Policy;
