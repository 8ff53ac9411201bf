//! Writes TAL notes (the inverse of `talcore::note`) and prints types for people.

pub mod table;
