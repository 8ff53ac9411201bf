//! The tests that are files: `tests/accept`, `tests/reject`, `tests/binary`, `tests/run`. What a file may say is
//! described at [`tal_testkit::filetest`]. `TAL_FILE=name cargo test -p tal-testkit --test filetests` runs those
//! whose name contains it.

use std::path::{Path, PathBuf};
use tal_testkit::filetest::{Case, cases, each};
use talcore::verdict::Code;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests").join(name)
}

#[test]
fn accept() {
    each(&cases(&folder("accept")), |c| c.accepted().map(|_| ()));
}

#[test]
fn reject() {
    each(&cases(&folder("reject")), Case::rejected);
}

#[test]
fn binary() {
    each(&cases(&folder("binary")), Case::damaged);
}

#[test]
fn run() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    each(&cases(&folder("run")), |c| c.run(directory.path()));
}

/// Codes that no file here raises, with the place of their tests.
const ELSEWHERE: [(Code, &str); 2] = [(Code::Limit, "adversarial.rs"), (Code::Fuel, "adversarial.rs")];

/// Every reason of the checker is the reason of some file.
#[test]
fn every_code_is_raised() {
    let mut raised = String::new();
    for name in ["reject", "binary"] {
        cases(&folder(name)).into_iter().for_each(|c| raised.push_str(&c.text));
    }
    let directives = |text: &str| text.lines().any(|l| l.contains("; ~ error ") || l.starts_with("; patch "));
    assert!(directives(&raised));
    let missing: Vec<_> = Code::ALL
        .iter()
        .filter(|c| !ELSEWHERE.iter().any(|e| e.0 == **c))
        .map(|c| taldiag::Code(*c as u16).to_string())
        .filter(|c| !raised.contains(&format!("; ~ error {c}")) && !raised.contains(&format!("; patch {c}:")))
        .collect();
    assert!(missing.is_empty(), "no file is refused with {missing:?}");
}
