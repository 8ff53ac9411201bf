//! The trusted core: decides whether a typed binary is safe.
//!
//! Everything in this crate is trusted; nothing outside it is. It does no input or output, never
//! panics, depends on nothing but `core` and `alloc`, and spends time and memory linear in the size
//! of its input.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod abi;
pub mod arch;
pub mod arith;
pub mod facts;
pub mod limits;
pub mod note;
pub mod term;
pub mod types;
pub mod verdict;
pub mod x86;
