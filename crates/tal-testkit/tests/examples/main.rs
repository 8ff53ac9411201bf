//! The example programs against the tools that they imitate: the same output, the same messages, the
//! same exit status, on generated and on real inputs.
//!
//! The originals run in the C locale. A test whose original is not GNU's, or is missing, says so and
//! checks nothing.

mod build;
mod compare;
mod fixture;

mod alloc;
mod cat;
mod echo;
mod echo_bench;
mod echod;
mod equal;
mod figures;
mod file_bench;
mod find;
mod freq;
mod head;
mod json;
mod library;
mod line_sort;
mod linkers;
mod ls;
mod porting;
mod sha256sum;
mod sort;
mod tac;
mod tr;
mod tutorials;
mod uniq;
mod walk;
mod wc;
