//! The typed assembler.

pub mod emit;
pub mod encode;
pub mod front;
pub mod ir;
pub mod problem;
pub mod prove;
