//! What the assembler writes: the object file with its note and debugging information, the
//! listing.

pub mod dwarf;
pub mod lines;
pub mod listing;
pub mod note;
pub mod object;
#[cfg(test)]
mod tests;
