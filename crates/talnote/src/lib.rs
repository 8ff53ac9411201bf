//! Writes TAL notes (the inverse of `talcore::note`) with the annotations of functions, and prints types for people.

pub mod print;
pub mod stream;
pub mod table;
pub mod wire;
pub mod write;
