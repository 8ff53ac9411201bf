//! Tools for testing the toolchain. Nothing here is shipped.

pub mod patch;
pub mod toolchain;
