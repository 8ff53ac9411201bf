//! Tools for testing the toolchain. Nothing here is shipped.

pub mod archive;
pub mod build;
pub mod cpu;
pub mod executable;
pub mod filetest;
pub mod forge;
pub mod fuzz;
pub mod generate;
pub mod interp;
pub mod narrow;
pub mod patch;
pub mod script;
pub mod toolchain;
