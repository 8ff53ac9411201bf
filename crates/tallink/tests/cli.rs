//! The command line: flags, exit codes, files, and that only checked programs are written.

mod common;
use common::*;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

fn tallink(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tallink"))
        .current_dir(dir)
        .args(args)
        .env("NO_COLOR", "1")
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs tallink, which must end with this status and say this on the standard error.
#[track_caller]
fn ends(dir: &Path, args: &[&str], status: i32, message: &str) -> Output {
    let out = tallink(dir, args);
    let stderr = text(&out.stderr);
    assert_eq!(out.status.code(), Some(status), "{args:?}: {stderr}");
    assert!(stderr.contains(message), "no `{message}` in:\n{stderr}");
    if status == 0 {
        assert_eq!(stderr, "");
    }
    out
}

fn directory() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: Vec<u8>| std::fs::write(dir.path().join(name), bytes).unwrap();
    write("hello.o", typed("hello\n", 7).bytes());
    write("untyped.o", exit_named("_start").bytes());
    std::fs::create_dir(dir.path().join("lib")).unwrap();
    write("lib/libhello.a", archive(&[("hello.o", typed("hello\n", 7).bytes())], &[("_start", 0)]));
    write("want.o", {
        let mut o = Obj::new();
        let start = o.undefined("_start");
        let debug = o.section(".debug_x", object::SectionKind::Debug, &[0; 8]);
        o.reloc(debug, 0, object::elf::R_X86_64_64, start, 0);
        o.bytes()
    });
    dir
}

fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_typed_program_is_linked_checked_and_runs() {
    let dir = directory();
    ends(dir.path(), &["-o", "prog", "hello.o"], 0, "");
    let path = dir.path().join("prog");
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o755);
    let out = Command::new(&path).output().unwrap();
    assert_eq!((text(&out.stdout), out.status.code()), ("hello\n".to_string(), Some(7)));
    // The default name, and the same bytes.
    ends(dir.path(), &["hello.o"], 0, "");
    assert!(std::fs::read(path).unwrap() == std::fs::read(dir.path().join("a.out")).unwrap());
}

/// class: I4 on amd64
#[test]
fn what_is_not_accepted_is_not_written() {
    let dir = directory();
    let before = names(dir.path());
    let out = ends(dir.path(), &["-o", "prog", "untyped.o"], 1, "the linked program is rejected");
    let message = text(&out.stderr);
    assert!(
        message.contains("untyped.o has no TAL note") && message.contains("nothing was written"),
        "{message}"
    );
    assert_eq!(names(dir.path()), before);
    // Bytes of code that no function covers.
    let mut o = typed("hello\n", 7);
    o.section(".text.more", object::SectionKind::Text, &[0x31, 0xc0, 0x0f, 0x0b]);
    std::fs::write(dir.path().join("more.o"), o.bytes()).unwrap();
    let out = ends(dir.path(), &["-o", "prog", "more.o"], 1, "error[TAL0007]");
    assert!(text(&out.stderr).contains(".text.more+0x0"), "{}", text(&out.stderr));
    assert!(!dir.path().join("prog").exists());
}

#[test]
fn an_old_program_stays_when_linking_fails() {
    let dir = directory();
    ends(dir.path(), &["-o", "prog", "hello.o"], 0, "");
    let before = std::fs::read(dir.path().join("prog")).unwrap();
    ends(dir.path(), &["-o", "prog", "hello.o", "hello.o"], 1, "error[TAL2009]");
    ends(dir.path(), &["-o", "prog", "untyped.o"], 1, "");
    assert!(std::fs::read(dir.path().join("prog")).unwrap() == before);
}

#[test]
fn a_program_that_runs_can_be_replaced() {
    let dir = directory();
    ends(dir.path(), &["-o", "prog", "hello.o"], 0, "");
    let first = std::fs::File::open(dir.path().join("prog")).unwrap();
    ends(dir.path(), &["-o", "prog", "-s", "hello.o"], 0, "");
    let second = std::fs::metadata(dir.path().join("prog")).unwrap();
    assert!(second.len() < first.metadata().unwrap().len());
    // Special files are written in place.
    ends(dir.path(), &["-o", "/dev/null", "hello.o"], 0, "");
    assert!(!std::fs::metadata("/dev/null").unwrap().is_file());
}

#[test]
fn flags_like_ld() {
    let dir = directory();
    let path = dir.path();
    for map in [&["-Map=m"][..], &["-Map", "m"], &["--Map=m"], &["--Map", "m"]] {
        let mut args = vec!["-oprog"];
        args.extend(map);
        args.push("hello.o");
        ends(path, &args, 0, "");
        let map = std::fs::read_to_string(path.join("m")).unwrap();
        assert!(map.contains("hello.o:(.text)"), "{map}");
        std::fs::remove_file(path.join("m")).unwrap();
    }
    assert!(text(&ends(path, &["-Map=-", "hello.o"], 0, "").stdout).starts_with("Inputs\n"));
    for flags in [
        &["-Llib", "want.o", "-lhello"][..],
        &["-L", "lib", "want.o", "-l", "hello"],
        &["want.o", "-l:libhello.a", "-Lnowhere", "-Llib"],
        &["--library-path=lib", "want.o", "--library=hello"],
        &["want.o", "lib/libhello.a"],
        &["-Llib", "--start-group", "-lhello", "want.o", "--end-group"],
        &["-Llib", "-(", "-lhello", "want.o", "-)"],
    ] {
        ends(path, flags, 0, "");
    }
    // Archives come from left to right.
    ends(path, &["-Llib", "-lhello", "want.o"], 1, "error[TAL2011]");
    ends(path, &["-e", "message", "hello.o"], 1, "`message` is not code");
    ends(path, &["--entry=main", "hello.o"], 1, "`main` is not defined");
    ends(path, &["--gc-sections", "--strip-all", "hello.o"], 0, "");
}

#[test]
fn response_files() {
    let dir = directory();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    write("args", "-o 'out put'\n@more");
    write("more", "hello.o");
    ends(dir.path(), &["@args"], 0, "");
    assert!(dir.path().join("out put").exists());
    ends(dir.path(), &["@missing"], 2, "missing");
    write("loop", "@loop");
    ends(dir.path(), &["@loop"], 2, "too deeply");
}

#[test]
fn wrong_use_and_unreadable_files() {
    let dir = directory();
    let path = dir.path();
    ends(path, &[], 2, "no input files");
    ends(path, &["--frobnicate"], 2, "--frobnicate");
    ends(path, &["missing.o"], 2, "error[TAL2015]: the file cannot be read");
    ends(path, &["lib"], 2, "lib");
    ends(path, &["-lnone", "hello.o"], 2, "library libnone.a was not found");
    ends(path, &["-lnone", "-Llib", "hello.o"], 2, "searched in lib");
    ends(path, &["-o", "no/where", "hello.o"], 2, "cannot be written");
    ends(path, &["-o", "lib", "hello.o"], 2, "cannot be written");
    ends(path, &["--no-recheck", "hello.o"], 2, "--no-recheck");
    let stats = text(&ends(path, &["--stats", "hello.o"], 0, "").stdout);
    assert_eq!(stats.lines().map(|l| &l[..5]).collect::<Vec<_>>(), ["read ", "link ", "check", "write"]);
    assert!(stats.contains("1 functions, 46 bytes of code"), "{stats}");
    assert!(text(&ends(path, &["--help"], 0, "").stdout).contains("--gc-sections"));
    assert!(text(&ends(path, &["--version"], 0, "").stdout).starts_with("tallink "));
    assert!(names(path).iter().all(|n| !n.contains("tmp")));
}

#[test]
fn gate_object() {
    let dir = directory();
    ends(dir.path(), &["--gate-object", "gate.o"], 0, "");
    assert!(
        std::fs::read(dir.path().join("gate.o")).unwrap()
            == tallink::gate::object_bytes(&tallink::arch::AMD64)
    );
    ends(dir.path(), &["-o", "prog", "hello.o", "gate.o"], 0, "");
}

#[test]
fn formats() {
    let dir = directory();
    let args = ["--format", "short", "-Llib", "hello.o", "hello.o"];
    let out = ends(dir.path(), &args, 1, "hello.o: error[TAL2009]");
    assert_eq!(text(&out.stderr).lines().next().unwrap().matches("error").count(), 1);
    let out = ends(dir.path(), &["--format=json", "hello.o", "hello.o"], 1, "{");
    assert!(text(&out.stderr).contains("TAL2009"));
}
