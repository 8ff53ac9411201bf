//! The front end: every construct of the language, every error.

mod bodies;
mod common;
mod conditions;
mod data;
mod errors;
mod examples;
mod hostile;
mod manual;
mod types;
