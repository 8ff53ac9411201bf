//! `tac`.

use crate::build;
use crate::compare::{Input, Output, Tool};
use crate::fixture::bytes;
use std::process::Command;

const READABLE: &[&str] = &["empty", "newline", "no_newline", "text", "binary", "large", "link"];

#[test]
fn tac() {
    let Some(tac) = Tool::find("tac") else { return };
    for &file in READABLE {
        tac.same(&[file]);
        tac.same_from(&[], Input::File(file));
        tac.same_from(&["text", "-", "no_newline", "text"], Input::File(file));
    }
    tac.same_from(&[], Input::Nothing);
    tac.same_from(&[], Input::Pipe(bytes(4, 3_000), 1));
    tac.same_from(&[], Input::Pipe(bytes(5, 3_000_000), 65_537));
    // Exactly as much as the block holds before it grows.
    for len in [65_535, 65_536, 65_537, 131_072, 131_073] {
        tac.same_from(&[], Input::Pipe(bytes(6, len), 10_000));
    }
}

#[test]
fn tac_random() {
    let Some(tac) = Tool::find("tac") else { return };
    let mut rng = fastrand::Rng::with_seed(9);
    for _ in 0..100 {
        let len = rng.usize(0..60);
        let text = (0..len).map(|_| b"ab\n\n\0\xff"[rng.usize(..6)]).collect();
        tac.same_from(&[], Input::Pipe(text, rng.usize(1..50)));
    }
}

/// The messages are our own: the original's depend on how it reads.
#[test]
fn tac_complains() {
    let Some(tac) = Tool::find("tac") else { return };
    for output in [Output::Broken, Output::BrokenIgnored, Output::Full] {
        tac.same_with(&["text"], Input::Nothing, output);
    }
    for ((file, message), program) in [
        ("missing", "failed to open missing for reading: No such file or directory"),
        ("two words/x", "failed to open 'two words/x' for reading: Not a directory"),
        ("directory", "directory: read error: Is a directory"),
    ]
    .into_iter()
    .flat_map(|case| build::programs("tac").into_iter().map(move |program| (case, program)))
    {
        let mut command = Command::new(&program);
        let out = command.args(["text", file, "text"]).current_dir(tac.dir.path()).output();
        let out = out.expect("a program can be run");
        assert_eq!(out.status.code(), Some(1), "{file}");
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(said.ends_with(&format!(": {message}\n")) && said.lines().count() == 1, "{said}");
        let mut alone = Command::new(&program);
        let alone = alone.args(["text", "text"]).current_dir(tac.dir.path()).output();
        assert!(alone.expect("a program can be run").stdout == out.stdout, "{file}");
    }
}
