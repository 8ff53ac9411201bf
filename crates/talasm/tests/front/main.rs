//! The front end: every construct of the language, every error.

mod common;
mod errors;
mod examples;
