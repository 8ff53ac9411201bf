//! The checker of typed binaries: the command line around [`talcore`].
//!
//! The verdict comes from `talcore` alone. Everything else in this crate reads files, prints, and
//! looks into symbol tables and debug information to make messages better. **Untrusted data may
//! improve a message, never a verdict.**

pub mod cli;
mod debuginfo;
mod dump;
pub mod explain;
mod kernel;
mod lists;
mod read;
mod replay;
pub mod report;
mod run;
pub mod syscalls;
mod verdict;

pub use read::{Failure, read};
pub use run::run;
pub use verdict::{check, check_module, check_under};
