//! `freq` against a map.

use crate::build;
use std::collections::HashMap;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn run(program: &Path, text: &[u8], kilobytes: &str) -> Output {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "ulimit -v $0 && exec \"$1\"", kilobytes]).arg(program);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("a program can be started");
    let mut pipe = child.stdin.take().expect("there is a pipe");
    let text = text.to_vec();
    // The program may stop reading when it has no memory.
    let feeder = std::thread::spawn(move || pipe.write_all(&text));
    let out = child.wait_with_output().expect("a program can be waited for");
    drop(feeder.join().expect("the writer ends"));
    out
}

fn expected(text: &[u8]) -> Vec<u8> {
    let mut counts: HashMap<&[u8], u64> = HashMap::new();
    let blank = |b: &u8| *b == b' ' || (9..14).contains(b);
    for word in text.split(blank).filter(|w| !w.is_empty()) {
        *counts.entry(&word[..word.len().min(4096)]).or_default() += 1;
    }
    let mut sorted: Vec<_> = counts.into_iter().collect();
    sorted.sort_by_key(|(word, count)| (std::cmp::Reverse(*count), *word));
    let mut out = Vec::new();
    for (word, count) in sorted {
        out.extend(format!("{count:7} ").bytes());
        out.extend(word);
        out.push(b'\n');
    }
    out
}

#[track_caller]
fn same(text: &[u8]) {
    let right = expected(text);
    for program in build::programs("freq") {
        let out = run(&program, text, "unlimited");
        assert!(out.status.success() && out.stderr.is_empty(), "{}", String::from_utf8_lossy(&out.stderr));
        assert!(
            out.stdout == right,
            "{}: {} bytes, not {}, for {}",
            program.display(),
            out.stdout.len(),
            right.len(),
            text[..text.len().min(100)].escape_ascii()
        );
    }
}

#[test]
fn freq() {
    same(b"");
    same(b" \n\t");
    same(b"word");
    same(b"b a b c a b\n");
    same(b"a aa aaa aa a ab b ba");
    same(b"\x00 \x00\x00 \xff \x80\x0b\x0c\r\x08 \x0e");
    let long = vec![b'x'; 10_000];
    same(&long);
    same(&[&long[..4096], b" ", &long[..4095], b" ", &long[..4097]].concat());
}

/// Few words often, many words seldom, and words across the ends of reads.
#[test]
fn freq_random() {
    let mut rng = fastrand::Rng::with_seed(8);
    for (words, letters, most) in [(2_000, 2, 4), (100_000, 26, 3), (60_000, 26, 12), (3_000, 200, 300)] {
        let mut text = Vec::new();
        for _ in 0..words {
            let len = rng.usize(1..=most);
            text.extend((0..len).map(|_| b'0'.wrapping_add(rng.u8(..letters))));
            text.push(if rng.u8(..9) == 0 { b'\n' } else { b' ' });
        }
        same(&text);
    }
}

#[test]
fn freq_complains() {
    build::programs("freq").iter().for_each(|program| complains(program));
}

fn complains(program: &Path) {
    let closed = Command::new("/bin/sh")
        .args(["-c", "exec \"$0\" <&-"])
        .arg(program)
        .output()
        .expect("a program can be run");
    assert_eq!(closed.status.code(), Some(1));
    assert!(closed.stderr.ends_with(b": standard input: Bad file descriptor\n"));

    let full = File::create("/dev/full").expect("/dev/full can be opened");
    let mut child = Command::new(program)
        .stdin(Stdio::piped())
        .stdout(full)
        .stderr(Stdio::piped())
        .spawn()
        .expect("a program can be started");
    child.stdin.take().expect("there is a pipe").write_all(b"a b\n").expect("it is read");
    let full = child.wait_with_output().expect("a program can be waited for");
    assert_eq!(full.status.code(), Some(1));
    assert!(full.stderr.ends_with(b": write error: No space left on device\n"));

    // Without memory the words so far are shown.
    let text: String = (0..200_000).map(|i| format!("{i}\n")).collect();
    let out = run(program, text.as_bytes(), "4000");
    assert_eq!(out.status.code(), Some(1));
    assert!(out.stderr.ends_with(b": there is no more memory\n"));
    assert!(out.stdout.iter().filter(|b| **b == b'\n').count() > 10_000);
}
