//! The tests that are files: `tests/accept`, `tests/reject`, `tests/binary`, `tests/run`. What a file may say is
//! described at [`tal_testkit::filetest`]. `TAL_FILE=name cargo test -p tal-testkit --test filetests` runs those
//! whose name contains it.

use std::path::{Path, PathBuf};
use tal_testkit::filetest::{Case, cases, each};

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
