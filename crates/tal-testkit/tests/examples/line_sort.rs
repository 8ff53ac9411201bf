//! The quicksort of `tests/run/line_sort.tal`, whose callback has an environment of its own, against the sort of the
//! standard library.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use tal_testkit::{executable, toolchain};

/// What the program prints for a text.
fn answer(program: &Path, text: &[u8]) -> Vec<u8> {
    let mut child = Command::new(program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program can be started");
    child.stdin.take().expect("it has an input").write_all(text).expect("it reads all of it");
    child.wait_with_output().expect("it ends").stdout
}

/// The lines of a text in order, and in the opposite one.
fn expected(text: &[u8]) -> Vec<u8> {
    let mut lines: Vec<&[u8]> = text.split(|b| *b == b'\n').collect();
    if lines.last().is_some_and(|l| l.is_empty()) {
        lines.pop();
    }
    lines.sort_unstable();
    let ended = |l: &&[u8]| [*l, b"\n"].concat();
    let up = lines.iter().flat_map(ended);
    let mut out: Vec<u8> = up.chain(*b"??\n").collect();
    out.extend(lines.iter().rev().flat_map(ended));
    out
}

#[test]
fn sorts_lines_like_the_standard_library() {
    let source = include_str!("../../../../tests/run/line_sort.tal");
    let image = toolchain::build(source).unwrap_or_else(|r| panic!("{}", r.text)).expect("it is a program");
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let program = dir.path().join("line_sort");
    executable::write(&program, &image).expect("the program can be written");
    let mut rng = fastrand::Rng::with_seed(6);
    let alphabets: [&[u8]; 4] = [b"ab\n\n\0\xff", b"0123456789\n", b"\n", b"abcdefgh"];
    for i in 0..80 {
        let letters = alphabets[i % alphabets.len()];
        let len = rng.usize(0..if i < 60 { 200 } else { 4096 });
        let text: Vec<u8> = (0..len).map(|_| letters[rng.usize(..letters.len())]).collect();
        assert_eq!(answer(&program, &text), expected(&text), "{:?}", text.escape_ascii().to_string());
    }
    // In order already, and the other way round: the deepest recursion.
    let up: Vec<u8> = (0..4096).flat_map(|i| format!("{i:04}\n").into_bytes()).collect();
    let down: Vec<u8> = (0..4096).rev().flat_map(|i| format!("{i:04}\n").into_bytes()).collect();
    for text in [up, down] {
        assert_eq!(answer(&program, &text), expected(&text));
    }
}
