//! Tools for testing the toolchain. Nothing here is shipped.

pub mod archive;
pub mod build;
pub mod cpu;
pub mod executable;
pub mod filetest;
pub mod forge;
pub mod fuzz;
pub mod generate;
pub mod growth;
pub mod interp;
pub mod narrow;
pub mod patch;
pub mod script;
pub mod second;
pub mod toolchain;

/// How often a test with random numbers goes round, and where the numbers begin: these, unless `TAL_ROUNDS` and `TAL_SEED`
/// say otherwise.
pub fn rounds(rounds: usize, seed: u64) -> (usize, u64) {
    let number = |name: &str| std::env::var(name).ok().and_then(|n| n.parse::<u64>().ok());
    (number("TAL_ROUNDS").map_or(rounds, |n| n as usize), number("TAL_SEED").unwrap_or(seed))
}
