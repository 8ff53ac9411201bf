//! What other linkers make of typed objects and the object with the gate: accepted too, and the same
//! program.

use crate::build;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

#[test]
fn gnu_ld() {
    links_everything("ld");
}

#[test]
fn lld() {
    links_everything("ld.lld");
}

#[test]
fn mold() {
    links_everything("mold");
}

fn links_everything(linker: &str) {
    if Command::new(linker).arg("--version").output().is_err() {
        return eprintln!("skipped: `{linker}` is not installed");
    }
    let folder = tempfile::tempdir().expect("a directory");
    let gate = folder.path().join("gate.o");
    std::fs::write(&gate, tallink::gate::object_bytes(&tallink::arch::AMD64))
        .expect("the gate's object can be written");
    for name in build::names() {
        let theirs = folder.path().join(&name);
        let mut command = Command::new(linker);
        command
            .args(["-static", "--fatal-warnings", "-o"])
            .arg(&theirs)
            .args(build::objects(&name))
            .arg(&gate);
        let out = command.output().expect("the linker can be started");
        assert!(out.status.success(), "{linker} {name}: {}", out.stderr.escape_ascii());
        let image = std::fs::read(&theirs).expect("the program can be read");
        talcheck::check(&image).unwrap_or_else(|e| panic!("{name} by {linker} is rejected: {e:?}"));
        assert_eq!(run(&theirs, &name), run(&build::program(&name), &name), "{name} by {linker}");
    }
}

/// What a program does without arguments and without input.
fn run(program: &Path, name: &str) -> Output {
    Command::new(program).arg0(name).stdin(Stdio::null()).output().expect("a program can be started")
}
