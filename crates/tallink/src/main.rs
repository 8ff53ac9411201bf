//! tallink
fn main() {}
