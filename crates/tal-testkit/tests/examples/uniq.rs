//! `uniq`.

use crate::compare::{Input, Output, Tool};
use crate::fixture::bytes;

const OPTIONS: [&[&str]; 8] = [&[], &["-c"], &["-d"], &["-u"], &["-i"], &["-ci"], &["-cd"], &["-d", "-u"]];

#[test]
fn uniq() {
    let Some(uniq) = Tool::find("uniq") else { return };
    for options in OPTIONS {
        for file in ["empty", "newline", "no_newline", "text", "binary", "large", "link"] {
            uniq.same(&[options, &[file]].concat());
            uniq.same_from(options, Input::File(file));
        }
        uniq.same_from(&[options, &["-"]].concat(), Input::Pipe(bytes(4, 300_000), 4_097));
        uniq.same_from(options, Input::Nothing);
    }
}

#[test]
fn uniq_random() {
    let Some(uniq) = Tool::find("uniq") else { return };
    let mut rng = fastrand::Rng::with_seed(3);
    for _ in 0..60 {
        // Lines that need more than the first block, and more than is read at once, twice.
        let mut text = Vec::new();
        for _ in 0..rng.usize(0..40) {
            match rng.usize(..8) {
                0 => text.extend(vec![b'x'; [4_095, 4_096, 70_000, 140_000][rng.usize(..4)]]),
                1 => text.extend(b"a\0b"),
                n => text.extend([&b""[..], b"a", b"A", b"b", b"B", b"a"][n - 2]),
            }
            text.push(b'\n');
        }
        if rng.bool() {
            text.pop();
        }
        uniq.same_from(OPTIONS[rng.usize(..OPTIONS.len())], Input::Pipe(text, rng.usize(1..100_000)));
    }
}

#[test]
fn uniq_complains() {
    let Some(uniq) = Tool::find("uniq") else { return };
    for args in [&["missing"][..], &["text/x"], &["directory"], &["two words/x"], &["-y"], &["--other"]] {
        uniq.same_first_complaint(args, Input::Nothing, Output::Pipe);
    }
    uniq.same_from(&["-"], Input::Closed);
    for output in [Output::Broken, Output::BrokenIgnored, Output::Full] {
        uniq.same_with(&["text"], Input::Nothing, output);
    }
}
