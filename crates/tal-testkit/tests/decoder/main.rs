//! The decoder against four others: iced-x86, yaxpeax-x86, GNU objdump, and itself behind two encoders. What it accepts
//! the others read as it does: length, operands, and what is read and written; and encoded again it is the same bytes.
//!
//! The tests take samples. `cargo xtask sweep` goes through everything.

mod again;
mod encoder;
mod everything;
mod oracle;
mod sweep;
