//! `walk` against a walk by the standard library.

use crate::build;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::{Command, Output};

fn run(program: &Path, dir: &OsStr, at: &Path) -> Output {
    Command::new(program).arg(dir).current_dir(at).output().expect("a program can be started")
}

/// The names of all files below `dir`, which is written as `name`.
fn below(dir: &Path, name: &[u8], out: &mut BTreeSet<Vec<u8>>) {
    for entry in fs::read_dir(dir).expect("a directory").map(|e| e.expect("an entry")) {
        let mut path = name.to_vec();
        path.push(b'/');
        path.extend(entry.file_name().as_bytes());
        if entry.file_type().expect("a type").is_dir() {
            below(&entry.path(), &path, out);
        }
        assert!(out.insert(path));
    }
}

#[track_caller]
fn same(program: &Path, dir: &OsStr, at: &Path) {
    let out = run(program, dir, at);
    assert!(out.status.success() && out.stderr.is_empty(), "{}", String::from_utf8_lossy(&out.stderr));
    let lines: Vec<&[u8]> = out.stdout.split(|b| *b == b'\n').collect();
    let (last, lines) = lines.split_last().expect("a line");
    assert!(last.is_empty(), "the last line ends");
    let found: BTreeSet<Vec<u8>> = lines.iter().map(|l| l.to_vec()).collect();
    assert_eq!(found.len(), lines.len(), "no file twice");
    let mut right = BTreeSet::new();
    below(&at.join(dir), dir.as_bytes(), &mut right);
    assert!(found == right, "{} files, not {}", found.len(), right.len());
    // A directory comes right before what is in it.
    let place = |path: &[u8]| lines.iter().position(|l| *l == path);
    for line in &found {
        let parent = line.rsplitn(2, |b| *b == b'/').nth(1).unwrap_or_default();
        assert!(parent == dir.as_bytes() || place(parent) < place(line), "{}", line.escape_ascii());
    }
}

#[test]
fn walk() {
    let dir = tempfile::tempdir().expect("a directory");
    let at = dir.path();
    // More entries than the kernel gives at once, with names of all lengths.
    let many = at.join("many");
    fs::create_dir(&many).expect("a directory");
    for i in 0..600 {
        let name = format!("{i}{}", "x".repeat(i % 250));
        fs::write(many.join(name), "").expect("a file");
    }
    // Paths that need more room again and again, and less in between.
    let mut deep = at.join("deep");
    for i in 0..12 {
        fs::create_dir(&deep).expect("a directory");
        fs::write(deep.join("..."), "").expect("a file");
        fs::write(deep.join(".hidden"), "").expect("a file");
        fs::create_dir(deep.join("empty")).expect("a directory");
        deep = deep.join("y".repeat(1 + 20 * i));
    }
    std::os::unix::fs::symlink(at, at.join("deep/loop")).expect("a link");
    for program in build::programs("walk") {
        for name in ["many", "deep", ".", "deep/empty"] {
            same(&program, name.as_ref(), at);
        }
        let missing = run(&program, "missing".as_ref(), at);
        assert_eq!(missing.status.code(), Some(1));
        assert!(missing.stderr.ends_with(b"cannot open missing: No such file or directory\n"));
    }
}
