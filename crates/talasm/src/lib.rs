//! talasm
pub mod ir;
pub mod front;
