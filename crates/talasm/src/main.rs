//! talasm
fn main() {}
