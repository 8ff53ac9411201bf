//! talcheck
fn main() {}
