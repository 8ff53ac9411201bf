use super::*;
use alloc::collections::BTreeSet;

fn amd64() -> (Abi, Types) {
    let mut types = Types::default();
    let abi = Abi::parse(AMD64, &mut types).unwrap_or_else(|e| {
        let line = AMD64.get(..e.at).unwrap_or("").lines().count();
        panic!("line {line}: expected {}", e.expected)
    });
    (abi, types)
}

#[test]
fn the_table_parses_completely() {
    let (abi, _) = amd64();
    let names: BTreeSet<_> = abi.iter().map(|e| e.name).collect();
    assert!(names.len() >= 60, "{} calls", names.len());
    assert_eq!(abi.iter().count(), AMD64.lines().filter(|l| l.starts_with("sys ")).count());
}
