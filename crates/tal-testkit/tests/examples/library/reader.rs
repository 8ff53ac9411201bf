//! `reader` and `buffer`, and what they make of pipes, signals, errors and little memory.

use super::{Driver, drivers, run};
use crate::fixture::bytes;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

/// What the driver shows of this input.
fn expected(mode: &str, input: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    match mode {
        "l" => {
            for line in input.split_inclusive(|b| *b == b'\n') {
                let (line, kind) = line.strip_suffix(b"\n").map_or((line, b"2"), |line| (line, b"1"));
                out.extend(line);
                out.extend(kind);
                out.push(b'\n');
            }
        }
        "a" => out = [input, input].concat(),
        _ => out = input.to_vec(),
    }
    out.extend(if mode == "y" { &b"256\n"[..] } else { b"0\n" });
    out
}

#[track_caller]
fn same(mode: &str, input: &[u8], out: &[u8]) {
    let right = expected(mode, input);
    assert!(out == right, "{mode}: {} bytes, not {}, of {}", out.len(), right.len(), input.len());
}

fn inputs() -> Vec<Vec<u8>> {
    let mut rng = fastrand::Rng::with_seed(3);
    let mut all: Vec<Vec<u8>> = ["", "\n", "\n\n", "one", "one\n", "one\ntwo", "a\n\nb\n"]
        .into_iter()
        .map(|s| s.as_bytes().to_vec())
        .collect();
    // Lines that end just in front of, at, and behind the end of a room.
    for len in [65_534, 65_535, 65_536, 65_537, 131_071, 131_072, 300_000] {
        all.push([&vec![b'x'; len][..], b"\nsecond\n"].concat());
        all.push([b"first\n", &vec![b'x'; len][..]].concat());
    }
    all.push(bytes(1, 500_000));
    let lines: String = (0..30_000).map(|_| "y".repeat(rng.usize(0..40)) + "\n").collect();
    all.push(lines.into_bytes());
    all
}

#[test]
fn reader() {
    for driver in &drivers("on_reader") {
        for input in inputs() {
            for mode in ["l", "b", "y", "a"] {
                let out = run(driver, &[mode], &input, None);
                assert!(out.status.success() && out.stderr.is_empty());
                same(mode, &input, &out.stdout);
            }
        }
    }
}

/// Input that comes in pieces, while signals interrupt what the program does.
#[test]
fn reader_interrupted() {
    drivers("on_reader").iter().for_each(interrupted);
}

fn interrupted(driver: &Driver) {
    let mut rng = fastrand::Rng::with_seed(4);
    let input = bytes(2, 40_000);
    for mode in ["l", "b", "y", "a"] {
        let mut child = Command::new(&driver.path)
            .arg(mode)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a program can be started");
        let (mut pipe, mut result) =
            (child.stdin.take().expect("there is a pipe"), child.stdout.take().expect("there is a pipe"));
        // The handler must be there before the first signal.
        let status = format!("/proc/{}/status", child.id());
        let handled = || {
            let text = std::fs::read_to_string(&status).unwrap_or_default();
            let caught = text.lines().find_map(|l| l.strip_prefix("SigCgt:"));
            caught.and_then(|c| u64::from_str_radix(c.trim(), 16).ok()).is_some_and(|c| c >> 9 & 1 == 1)
        };
        while !handled() {
            thread::sleep(Duration::from_millis(1));
        }
        let id = child.id().to_string();
        let reading = thread::spawn(move || {
            let mut out = Vec::new();
            result.read_to_end(&mut out).map(|_| out)
        });
        let mut rest = &input[..];
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at(rng.usize(1..=rest.len().min(4_000)));
            let sent = Command::new("/bin/kill").args(["-USR1", &id]).status().expect("signals can be sent");
            assert!(sent.success());
            pipe.write_all(piece).expect("the program reads on");
            rest = behind;
        }
        drop(pipe);
        assert!(child.wait().expect("it ends").success());
        let out = reading.join().expect("the reader ends").expect("the output can be read");
        same(mode, &input, &out);
    }
}

#[test]
fn reader_errors() {
    drivers("on_reader").iter().for_each(errors);
}

fn errors(driver: &Driver) {
    for mode in ["l", "b", "y", "a"] {
        // A directory cannot be read: EISDIR; a closed descriptor: EBADF.
        for (input, number) in [("</", "-21"), ("<&-", "-9")] {
            let script = format!("exec \"$0\" {mode} {input}");
            let out = Command::new("/bin/sh").args(["-c", &script]).arg(&driver.path).output();
            let out = out.expect("a program can be run");
            assert!(out.status.success());
            assert_eq!(String::from_utf8_lossy(&out.stdout), format!("{number}\n"), "{mode}{input}");
        }
        let full = File::create("/dev/full").expect("/dev/full can be opened");
        let mut command = Command::new(&driver.path);
        let out = command.arg(mode).stdin(Stdio::null()).stdout(full).stderr(Stdio::piped()).output();
        let out = out.expect("a program can be run");
        assert_eq!(out.status.code(), Some(1));
        assert!(out.stderr.ends_with(b": write error: No space left on device\n"));
    }
    let complain = |script: &str| {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]).arg(&driver.path).stdin(Stdio::null());
        let out = command.output().expect("a program can be run");
        (out.status.code(), String::from_utf8_lossy(&out.stderr).into_owned())
    };
    let (code, text) = complain("trap '' PIPE; { \"$0\" l; echo $? >&2; } | :");
    assert_eq!(code, Some(0));
    // Nobody may be reading any more, or the pipe took it before.
    assert!(text == "0\n" || text.ends_with(": write error: Broken pipe\n1\n"), "{text}");
    let (code, text) = complain("exec \"$0\" l >&-");
    assert!(code == Some(1) && text.ends_with(": write error: Bad file descriptor\n"), "{text}");
}

/// A line that is longer than there is memory is an error; what fits comes out.
#[test]
fn reader_without_memory() {
    let long = [b"short\n", &vec![b'x'; 9_000_000][..], b"\n"].concat();
    for driver in &drivers("on_reader") {
        let out = run(driver, &["l"], &long, Some(4_000));
        assert!(out.status.success());
        assert_eq!(String::from_utf8_lossy(&out.stdout), "short1\n-12\n");
        let out = run(driver, &["a"], &long, Some(4_000));
        assert!(out.status.success() && out.stdout.ends_with(b"1\n"), "the copy has no memory");
        // Blocks need no more than the first room.
        let out = run(driver, &["b"], &long, Some(4_000));
        same("b", &long, &out.stdout);
    }
}
