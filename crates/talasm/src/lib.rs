//! The typed assembler.

pub mod cli;
pub mod driver;
pub mod emit;
pub mod encode;
pub mod front;
pub mod infer;
pub mod ir;
pub mod problem;
pub mod prove;
pub mod run;
