//! The command line: exit codes, streams and formats.

use std::io::Write;
use std::process::{Command, Output, Stdio};
use talcore::arch::Arch;

fn talcheck(args: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_talcheck"))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The command may end without reading its input.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn wrong_use_ends_with_2() {
    let wrong =
        [&[][..], &["--no-such-flag"], &["--format", "xml", "a"], &["--jobs", "0", "a"], &["--explain", "x"]];
    for args in wrong {
        let out = talcheck(args, b"");
        assert_eq!(out.status.code(), Some(2), "{args:?}");
        assert!(out.stdout.is_empty() && !out.stderr.is_empty(), "{args:?}");
    }
}

#[test]
fn unreadable_files_end_with_2_even_if_others_are_rejected() {
    let dir = tempfile::tempdir().unwrap();
    let bad = dir.path().join("bad");
    std::fs::write(&bad, "not an ELF file").unwrap();
    let bad = bad.to_str().unwrap();
    let absent = dir.path().join("absent");
    let absent = absent.to_str().unwrap();

    let out = talcheck(&["--format", "short", bad], b"");
    assert_eq!(out.status.code(), Some(1));
    assert!(text(&out.stderr).starts_with(&format!("{bad}:+0x0: error[TAL0001]: ")), "{out:?}");

    let out = talcheck(&["--format", "short", absent, bad, dir.path().to_str().unwrap()], b"");
    assert_eq!(out.status.code(), Some(2));
    let codes: Vec<&str> = text(&out.stderr).lines().map(|l| &l[l.find("TAL").unwrap()..][..7]).collect();
    assert_eq!(codes, ["TAL0090", "TAL0001", "TAL0090"], "in the order of the command line");
}

#[test]
fn standard_input_is_a_dash() {
    let out = talcheck(&["--format", "short", "-"], b"\x7fELF");
    assert_eq!(out.status.code(), Some(1));
    assert!(text(&out.stderr).starts_with("standard input:"), "{out:?}");
}

#[test]
fn machine_formats_go_to_standard_output() {
    let json = talcheck(&["--format", "json", "-"], b"");
    let value: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((value["code"].as_str(), value["severity"].as_str()), (Some("TAL0001"), Some("error")));

    let sarif = talcheck(&["--format", "sarif", "-", "/no/such/file"], b"");
    let value: serde_json::Value = serde_json::from_slice(&sarif.stdout).unwrap();
    let results = value["runs"][0]["results"].as_array().unwrap();
    let codes: Vec<&str> = results.iter().map(|r| r["ruleId"].as_str().unwrap()).collect();
    assert_eq!(codes, ["TAL0001", "TAL0090"]);

    let github = talcheck(&["--format", "github", "-"], b"");
    assert!(text(&github.stdout).starts_with("::error file=standard input,title=TAL0001::"), "{github:?}");
    for out in [json, sarif, github] {
        assert!(out.stderr.is_empty(), "{out:?}");
        assert_ne!(out.status.code(), Some(0));
    }
}

#[test]
fn every_code_is_explained() {
    let list = talcheck(&["--list-codes"], b"");
    assert_eq!(list.status.code(), Some(0));
    let lines: Vec<&str> = text(&list.stdout).lines().collect();
    assert_eq!(lines.len(), taldiag::codes::ALL.len());
    for line in lines {
        let (code, title) = line.split_once("  ").unwrap();
        let page = talcheck(&["--explain", code], b"");
        assert_eq!(page.status.code(), Some(0));
        assert!(text(&page.stdout).starts_with(&format!("# {code}: {title}\n")), "{code}");
    }
    assert_eq!(talcheck(&["--explain", "TAL9999"], b"").status.code(), Some(2));
}

/// Hostile bytes never make a panic: whatever happens, it is a rejection.
#[test]
fn damaged_files_are_rejected_in_every_format() {
    let own = std::fs::read(env!("CARGO_BIN_EXE_talcheck")).unwrap();
    let head = &own[..own.len().min(4096)];
    for cut in [0, 1, 4, 16, 20, 63, 64, 65, 120, 1000, head.len()] {
        for format in ["human", "json", "github"] {
            let out = talcheck(&["--format", format, "-"], &head[..cut]);
            assert_eq!(out.status.code(), Some(1), "{cut} bytes, {format}: {}", text(&out.stderr));
        }
    }
}

#[test]
fn the_kernels_list_is_that_of_the_table() {
    for (arch, name) in [(Arch::Amd64, "amd64"), (Arch::Ia32, "ia32")] {
        let out = talcheck(&["--list-syscalls", "--arch", name, "--format", "kernel"], b"");
        assert_eq!(out.status.code(), Some(0));
        let typed = talcheck::syscalls::all(arch).into_iter().filter(|c| c.2);
        let expected: String =
            typed.map(|(number, name, _)| format!("KML_SYSCALL({number}, {name})\n")).collect();
        assert_eq!(text(&out.stdout), expected);
    }
    let default = talcheck(&["--list-syscalls", "--format", "kernel"], b"");
    assert!(text(&default.stdout).starts_with("KML_SYSCALL(0, read)\n"));
    assert_eq!(talcheck(&["--format", "kernel", "-"], b"").status.code(), Some(2));
}

#[test]
fn the_trusted_tables_are_printed() {
    let instructions = |args: &[&str]| {
        let out = talcheck(&[&["--list-instructions"], args].concat(), b"");
        let lines: Vec<String> = text(&out.stdout).lines().map(str::to_string).collect();
        assert!(lines.iter().any(|l| l.starts_with("ret ")), "no ret");
        assert!(!lines.iter().any(|l| l.starts_with("hlt")), "hlt");
        lines
    };
    let all = instructions(&[]);
    assert!(all.len() > talcore::x86::table::rows().len());
    // Each architecture has rows of its own, and each row is one of either's.
    for (arch, own, other) in [("amd64", "movsxd ", "jecxz "), ("ia32", "jecxz ", "movsxd ")] {
        let lines = instructions(&["--arch", arch]);
        assert!(lines.len() < all.len());
        assert!(lines.iter().any(|l| l.starts_with(own)), "{arch}: no {own}");
        assert!(!lines.iter().any(|l| l.starts_with(other)), "{arch}: {other}");
    }

    let write = |args: &[&str], line: &str| {
        let out = talcheck(&[&["--list-syscalls"], args].concat(), b"");
        assert!(text(&out.stdout).lines().any(|l| l.starts_with(line)), "no write: {args:?}");
    };
    write(&[], "   1  write ");
    write(&["--arch", "amd64"], "   1  write ");
    write(&["--arch", "ia32"], "   4  write ");
    for wrong in [["--list-syscalls", "--arch", "x32"], ["--arch", "ia32", "-"]] {
        assert_eq!(talcheck(&wrong[..wrong.len()], b"").status.code(), Some(2), "{wrong:?}");
    }
}

/// `talcheck --list-codes | head -1` ends without a complaint.
#[test]
fn a_closed_pipe_is_no_error() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_talcheck"))
        .arg("--list-instructions")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let out = child.wait_with_output().unwrap();
    assert!(out.stderr.is_empty(), "{}", text(&out.stderr));
}
