//! `file-bench`: what it prints has the form that it should have, and its file goes.

use crate::build;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// The status, the standard output, and the first line of the standard error.
fn run(program: &Path, args: &[&str], at: &Path) -> (Option<i32>, String, String) {
    let mut command = Command::new(program);
    let out = command.arg0("file-bench").args(args).current_dir(at).output().expect("it can be started");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it writes text");
    let complaint = text(out.stderr).lines().next().unwrap_or_default().to_string();
    (out.status.code(), text(out.stdout), complaint)
}

/// The sizes in the lines of what it prints, which is looked at.
fn shapes(text: &str) -> Vec<(u64, u64)> {
    let mut lines = text.lines();
    assert!(lines.next().is_some_and(|l| l.trim().starts_with("bytes    record       write     rewrite")));
    let line = |l: &str| {
        let numbers: Vec<u64> = l.split_whitespace().map(|w| w.parse().expect("a number")).collect();
        let [size, record, write, rewrite, read, reread] = numbers[..] else { panic!("{l}") };
        assert!([write, rewrite, read, reread].iter().all(|&rate| rate > 0), "{l}");
        (size, record)
    };
    lines.map(line).collect()
}

/// Each size of file with each size of record that fits.
fn all() -> Vec<(u64, u64)> {
    let sizes = [16 << 10, 64 << 10, 256 << 10, 1 << 20];
    let records = [1 << 10, 4 << 10, 8 << 10, 64 << 10];
    sizes.iter().flat_map(|&s| records.map(|r| (s, r))).filter(|(s, r)| s % r == 0).collect()
}

#[test]
fn file_bench() {
    let directory = tempfile::tempdir().expect("a directory");
    for program in build::programs("file-bench") {
        let measure = |args: &[&str]| {
            let (status, text, complaint) = run(&program, args, directory.path());
            assert_eq!((status, complaint.as_str()), (Some(0), ""), "{args:?}");
            assert_eq!(fs::read_dir(directory.path()).expect("a directory").count(), 0, "the file is gone");
            shapes(&text)
        };
        assert_eq!(measure(&["file"]), all());
        assert_eq!(measure(&["-s", "1048576", "-r", "1048576", "file"]), [(1 << 20, 1 << 20)]);
        assert_eq!(measure(&["-s4", "-r4", "-n3", "file"]), [(4, 4); 3]);
        assert_eq!(measure(&["-s", "8192", "file"]), [(8192, 1024), (8192, 4096), (8192, 8192)]);
        assert_eq!(measure(&["-r", "65536", "file"]).len(), 3, "the smallest file is no multiple");
        let (status, text, _) = run(&program, &["--help"], directory.path());
        assert!(status == Some(0) && text.starts_with("Usage: file-bench"));
    }
}

#[test]
fn file_bench_complains() {
    let directory = tempfile::tempdir().expect("a directory");
    fs::write(directory.path().join("there"), "kept").expect("a file");
    for (args, status, complaint) in [
        (&["there"][..], 1, "file-bench: 'there': File exists"),
        (&["missing/x"], 1, "file-bench: 'missing/x': No such file or directory"),
        (&[], 2, "file-bench: the name of one file is needed"),
        (&["a", "b"], 2, "file-bench: the name of one file is needed"),
        (&["-s", "3", "x"], 2, "file-bench: not a number from 4 to 1073741824: '3'"),
        (
            &["-s", "99999999999999999999", "x"],
            2,
            "file-bench: not a number from 4 to 1073741824: '99999999999999999999'",
        ),
        (&["-r", "1048577", "x"], 2, "file-bench: not a number from 4 to 1048576: '1048577'"),
        (&["-n", "0", "x"], 2, "file-bench: not a number from 1 to 1073741824: '0'"),
        (&["-r", "4k", "x"], 2, "file-bench: not a number from 4 to 1048576: '4k'"),
        (
            &["-s", "1000", "-r", "16", "x"],
            2,
            "file-bench: the size of the file is no multiple of that of a record",
        ),
        (&["-x"], 2, "file-bench: invalid option -- 'x'"),
    ] {
        for program in build::programs("file-bench") {
            let (got, _, said) = run(&program, args, directory.path());
            assert_eq!((got, said.as_str()), (Some(status), complaint), "{args:?}");
        }
    }
    let kept = fs::read_to_string(directory.path().join("there")).expect("it is still there");
    assert_eq!(kept, "kept");
}

/// A file that must not grow is removed again.
#[test]
fn file_bench_cannot_write() {
    let directory = tempfile::tempdir().expect("a directory");
    for program in build::programs("file-bench") {
        let mut shell = Command::new("/bin/sh");
        // So many blocks of 512 bytes, or of 1024 in some shells.
        let script = "trap '' XFSZ; ulimit -f 100; exec \"$0\" -s 1048576 -r 4096 file";
        let out = shell.args(["-c", script]).arg(&program).current_dir(directory.path()).output();
        let out = out.expect("a shell");
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(out.status.code() == Some(1) && said.ends_with("'file': File too large\n"), "{said}");
        assert_eq!(fs::read_dir(directory.path()).expect("a directory").count(), 0);
    }
}
