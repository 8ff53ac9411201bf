//! `sort`.

use crate::compare::{Input, Output, Tool};
use crate::fixture::bytes;

const READABLE: &[&str] = &["empty", "newline", "no_newline", "text", "binary", "large", "link"];
const OPTIONS: &[&[&str]] = &[&[], &["-r"], &["-n"], &["-u"], &["-nr"], &["-n", "-u"], &["-ru"], &["-nur"]];

#[test]
fn sort() {
    let Some(sort) = Tool::find("sort") else { return };
    for &file in READABLE {
        // The original takes the byte 128 for a separator of thousands where the locale has none.
        let binary = matches!(file, "binary" | "large");
        for options in OPTIONS.iter().filter(|o| !binary || !o.join("").contains('n')) {
            let args: Vec<&str> = options.iter().copied().chain([file]).collect();
            sort.same(&args);
        }
        sort.same_from(&[], Input::File(file));
        sort.same_from(&["text", "-", "no_newline", "text"], Input::File(file));
        sort.same(&["--", file]);
    }
    sort.same_from(&[], Input::Nothing);
    // The vector grows at 1024 lines, the buffer at 64 KiB.
    for lines in [1023, 1024, 1025, 2048, 2049] {
        let text = (0..lines).flat_map(|i| format!("{}\n", i * 7919 % 4096).into_bytes()).collect();
        sort.same_from(&["-n"], Input::Pipe(text, 1000));
    }
    sort.same_from(&[], Input::Pipe(bytes(5, 1_000_000), 65_537));
}

#[test]
fn sort_random() {
    let Some(sort) = Tool::find("sort") else { return };
    let mut rng = fastrand::Rng::with_seed(11);
    let alphabets: [&[u8]; 4] = [b"ab\n\n\0\xff", b"0123456789-. \n\n\t", b"01-.\n", b"ab\n"];
    for i in 0..200 {
        let len = rng.usize(0..120);
        let letters = alphabets[i % 4];
        let text = (0..len).map(|_| letters[rng.usize(..letters.len())]).collect();
        sort.same_from(OPTIONS[rng.usize(..OPTIONS.len())], Input::Pipe(text, rng.usize(1..50)));
    }
}

#[test]
fn sort_complains() {
    let Some(sort) = Tool::find("sort") else { return };
    sort.same(&["missing"]);
    sort.same(&["text", "missing"]);
    sort.same(&["directory"]);
    sort.same_first_complaint(&["-x"], Input::Nothing, Output::Pipe);
}
