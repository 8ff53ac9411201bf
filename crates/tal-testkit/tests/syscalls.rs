//! Each typed system call is called for real, by the programs in `tests/syscalls`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use talcore::abi::Abi;
use talcore::types::Types;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/syscalls")
}

/// The test programs: every source but the module that they share and the twins.
fn programs() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder()).expect("tests/syscalls");
    let mut all: Vec<_> = entries.map(|e| e.expect("an entry").path()).collect();
    let name = |p: &Path| p.file_stem().map(|n| n.to_string_lossy().into_owned());
    all.retain(|p| !["check", "twins"].map(|n| Some(n.to_string())).contains(&name(p)));
    all.sort();
    assert!(all.len() >= 10, "{all:?}");
    all
}

fn calls(source: &str) -> impl Iterator<Item = &str> {
    let code = source.lines().map(|l| l.split(';').next().unwrap_or(""));
    code.filter_map(|l| l.split_once("sys ")).map(|(_, name)| name.trim())
}

#[test]
fn every_typed_call_is_called() {
    let mut count: BTreeMap<String, usize> = BTreeMap::new();
    for program in programs().into_iter().chain([folder().join("check.tal")]) {
        let source = std::fs::read_to_string(program).expect("the program can be read");
        for name in calls(&source) {
            *count.entry(name.to_string()).or_default() += 1;
        }
    }
    let abi = Abi::amd64(&mut Types::default());
    for e in abi.iter() {
        let forms = abi.entries_for(e.number).count();
        let calls = count.get(e.name).copied().unwrap_or(0);
        assert!(calls >= forms, "{} has {forms} forms and is called {calls} times", e.name);
    }
    for name in count.keys() {
        assert!(abi.by_name(name).is_some(), "{name} has no type");
    }
}
