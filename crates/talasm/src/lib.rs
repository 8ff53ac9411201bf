//! talasm
pub mod ir;
