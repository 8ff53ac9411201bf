//! The front end.
pub mod ast;
mod builder;
mod diag;
mod lex;
mod names;
mod parse;
mod syntax;

lalrpop_util::lalrpop_mod!(
    #[allow(clippy::all, missing_docs, unused, unreachable_pub)]
    grammar,
    "/front/grammar.rs"
);
