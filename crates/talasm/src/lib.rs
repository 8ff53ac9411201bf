//! talasm
pub mod ir;
pub mod front;
pub mod prove;
