//! The command as a person or a build system uses it.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const HELLO: &str = "\
arch amd64
const N = 5
pub fn _start: start
        mov edi, N
        sys exit_group
        ud2
";

fn talasm(dir: &Path, args: &[&str], stdin: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_talasm"))
        .args(args)
        .current_dir(dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    child.wait_with_output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("no signal")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn files(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn directory() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("hello.tal"), HELLO).unwrap();
    dir
}

#[test]
fn the_object_is_named_after_the_source() {
    let dir = directory();
    let out = talasm(dir.path(), &["hello.tal"], "");
    assert_eq!((code(&out), stderr(&out).as_str()), (0, ""));
    assert_eq!(files(dir.path()), ["hello.o", "hello.tal"]);
    let object = std::fs::read(dir.path().join("hello.o")).unwrap();
    assert_eq!(&object[..4], b"\x7fELF");
    // Again: the same bytes, whatever was there before.
    assert_eq!(code(&talasm(dir.path(), &["-o", "again.o", "hello.tal"], "")), 0);
    assert_eq!(std::fs::read(dir.path().join("again.o")).unwrap(), object);
}

#[test]
fn standard_input_and_output() {
    let dir = directory();
    let out = talasm(dir.path(), &["-o", "-", "-"], HELLO);
    assert_eq!((code(&out), &out.stdout[..4]), (0, &b"\x7fELF"[..]));
    let out = talasm(dir.path(), &["-"], HELLO);
    assert_eq!(code(&out), 2);
    assert!(stderr(&out).contains("-o FILE"), "{}", stderr(&out));
    let out =
        talasm(dir.path(), &["-o", "a.o", "-"], "arch amd64\npub fn f()\n        mvo eax, 1\n        ret\n");
    assert_eq!(code(&out), 1);
    assert!(stderr(&out).contains("<stdin>:3"), "{}", stderr(&out));
    assert_eq!(files(dir.path()), ["hello.tal"]);
}

#[test]
fn listing_interface_and_constants() {
    let dir = directory();
    let args = ["-DN=7", "-l", "-", "--emit-interface", "hello.tali", "-g", "hello.tal"];
    let out = talasm(dir.path(), &args, "");
    assert_eq!((code(&out), stderr(&out).as_str()), (0, ""));
    let listing = String::from_utf8(out.stdout).unwrap();
    assert!(listing.contains("00000000 bf 07 00 00 00               4          mov edi, N"), "{listing}");
    let interface = std::fs::read_to_string(dir.path().join("hello.tali")).unwrap();
    assert!(interface.contains("_start"), "{interface}");
}

#[test]
fn mistakes_exit_with_1_and_write_nothing() {
    let dir = directory();
    let wrong = HELLO.replace("mov edi, N", "mov edi, rax\n        inc 7");
    std::fs::write(dir.path().join("hello.tal"), wrong).unwrap();
    std::fs::write(dir.path().join("hello.o"), "old").unwrap();
    let out = talasm(dir.path(), &["--color", "never", "-l", "listing", "hello.tal"], "");
    assert_eq!(code(&out), 1);
    let text = stderr(&out);
    assert!(text.contains("error[TAL1302]: `mov` does not take these operands"), "{text}");
    assert!(text.contains("`inc` does not take these operands"), "both are reported: {text}");
    assert!(!text.contains('\x1b'));
    assert_eq!(files(dir.path()), ["hello.o", "hello.tal"]);
    assert_eq!(std::fs::read(dir.path().join("hello.o")).unwrap(), b"old");
    let out = talasm(dir.path(), &["--color", "always", "hello.tal"], "");
    assert!(stderr(&out).contains('\x1b'));
}

#[test]
fn not_every_error_is_shown() {
    let dir = directory();
    let source = format!("arch amd64\npub fn f()\n{}        ret\n", "        inc 7\n".repeat(5000));
    std::fs::write(dir.path().join("x.tal"), source).unwrap();
    let out = talasm(dir.path(), &["--format", "short", "x.tal"], "");
    assert_eq!(code(&out), 1);
    assert_eq!(stderr(&out).lines().count(), 101);
    assert!(stderr(&out).contains("TAL1011"), "the last line says so");
}

#[test]
fn what_cannot_be_read_or_written_exits_with_2() {
    let dir = directory();
    for args in [
        &["missing.tal"][..],
        &["."],
        &["-o", "none/hello.o", "hello.tal"],
        &["-o", "hello.tal", "hello.tal"],
        &["-l", "hello.tal", "hello.tal"],
        &["-f", "coff", "hello.tal"],
        &["--nonsense", "hello.tal"],
        &["-D=1", "hello.tal"],
        &[],
    ] {
        let out = talasm(dir.path(), args, "");
        assert_eq!(code(&out), 2, "{args:?}: {}", stderr(&out));
        assert!(!stderr(&out).is_empty(), "{args:?}");
        assert_eq!(files(dir.path()), ["hello.tal"], "{args:?}");
    }
    assert_eq!(std::fs::read_to_string(dir.path().join("hello.tal")).unwrap(), HELLO);
}

/// `-f` says what is made, and the source agrees.
#[test]
fn objects_of_both_architectures() {
    let dir = directory();
    let source = "arch ia32\nfn next(ecx: int) -> (eax: int)\n        lea eax, [ecx + 1]\n        ret\n";
    std::fs::write(dir.path().join("next.tal"), source).unwrap();
    // ELFCLASS and e_machine.
    for (format, file, class, machine) in [("elf64", "hello.tal", 2, 62), ("elf32", "next.tal", 1, 3)] {
        let out = talasm(dir.path(), &["-f", format, "-o", "out.o", file], "");
        assert_eq!(code(&out), 0, "{}", stderr(&out));
        let object = std::fs::read(dir.path().join("out.o")).unwrap();
        assert_eq!((object[4], object[18]), (class, machine));
    }
    let out = talasm(dir.path(), &["next.tal"], "");
    assert_eq!(code(&out), 1);
    assert!(stderr(&out).contains("-f elf32"), "{}", stderr(&out));
}

#[test]
fn help_and_version() {
    let dir = directory();
    for (flag, text) in [("--help", "Assembles typed assembly language"), ("--version", "talasm ")] {
        let out = talasm(dir.path(), &[flag], "");
        assert_eq!(code(&out), 0);
        assert!(String::from_utf8_lossy(&out.stdout).contains(text));
    }
}

/// Sources that are no sources: a message and exit code 1, never anything else.
#[test]
fn damaged_sources() {
    let dir = directory();
    let mut rng = fastrand::Rng::with_seed(3);
    let deep = format!("arch amd64\nconst X = {}1{}\n", "(".repeat(10_000), ")".repeat(10_000));
    let mut sources: Vec<Vec<u8>> = vec![
        vec![],
        vec![0; 100],
        b"\xff\xfe".to_vec(),
        HELLO[..HELLO.len() / 2].into(),
        deep.into_bytes(),
        b"arch amd64\nbss x: bytes(1 << 60)\n".to_vec(),
        b"arch amd64\nrodata x: bytes = 1000000000 dup (db 1000000000 dup (0))\n".to_vec(),
    ];
    sources.extend((0..20).map(|_| {
        let mut bytes = HELLO.as_bytes().to_vec();
        for _ in 0..3 {
            let i = rng.usize(0..bytes.len());
            bytes[i] = rng.u8(..);
        }
        bytes
    }));
    for source in sources {
        std::fs::write(dir.path().join("x.tal"), &source).unwrap();
        let out = talasm(dir.path(), &["-o", "x.o", "x.tal"], "");
        let code = code(&out);
        assert!(code == 0 || code == 1, "{code}: {}", stderr(&out));
        assert_eq!(dir.path().join("x.o").exists(), code == 0);
        assert_eq!(stderr(&out).is_empty(), code == 0);
        let _ = std::fs::remove_file(dir.path().join("x.o"));
    }
}
