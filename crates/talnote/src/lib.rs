//! Writes TAL notes (the inverse of `talcore::note`) and prints types for people.

pub mod print;
pub mod table;
pub mod wire;
pub mod write;
