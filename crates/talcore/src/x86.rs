//! The allow-listed instructions of the x86 family: one table, one decoder for both word sizes.

pub mod decode;
pub mod insn;
pub mod table;
