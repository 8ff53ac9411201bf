//! `tr`.

use crate::compare::{Input, Output, Tool};
use crate::fixture::{bytes, text};

const CASES: &[&[&str]] = &[
    &["a-z", "A-Z"],
    &["abc", "x"],
    &["abc", "xyz123"],
    &["a-", "12"],
    &["-a", "12"],
    &["a\\-z", "123"],
    &["\\n", " "],
    &["\\101\\x", "ab"],
    &["\\\\", "/"],
    &["\\a\\b\\f\\n\\r\\t\\v", "abfnrtv"],
    &["\\1\\12\\123", "xyz"],
    &["a-a", "b"],
    &["aa", "bc"],
    &["a-cb-d", "1-7"],
    &["\\000-\\377", "\\377"],
    &["", ""],
    &["", "x"],
    &["-d", "\\000-\\037"],
    &["-d", ""],
    &["-d", "aeiou"],
    &["-d", "--", "-a"],
    &["-s", "a-z"],
    &["-s", " \\n"],
    &["-s", "a-z", "A"],
    &["-s", "", ""],
    &["-ds", "a-m", "n-z"],
    &["-cd", "a-z"],
    &["-C", "-d", "\\n"],
    &["-c", "a-z", "\\n"],
    &["-cs", "a-z", "\\n"],
    &["-cs", "a-z"],
    &["-cds", "a-z\\n", "a-z"],
    &["--", "-a", "b"],
];

#[test]
fn tr() {
    let Some(tr) = Tool::find("tr") else { return };
    for args in CASES {
        for file in ["empty", "newline", "no_newline", "text", "binary", "large", "directory"] {
            tr.same_from(args, Input::File(file));
        }
        tr.same_from(args, Input::Pipe(text(100).into_bytes(), 3));
        tr.same_from(args, Input::Pipe(bytes(10, 300_000), 65_537));
        tr.same_from(args, Input::Closed);
    }
}

/// Sets from the characters that mean something.
#[test]
fn tr_random() {
    let Some(tr) = Tool::find("tr") else { return };
    let mut rng = fastrand::Rng::with_seed(11);
    let set = |rng: &mut fastrand::Rng| -> String {
        let parts = ["a", "b-y", "0-9", "-", "\\n", "\\060", "\\\\", "A-F", " ", "z", "\\-", "\\7", "x-x"];
        (0..rng.usize(1..5)).map(|_| parts[rng.usize(..parts.len())]).collect()
    };
    for _ in 0..200 {
        let (one, two) = (set(&mut rng), set(&mut rng));
        let input = Input::Pipe(text(rng.usize(0..20)).into_bytes(), 1000);
        // A set that begins with `-` would be an option.
        match rng.usize(0..5) {
            0 => tr.same_from(&["-d", "--", &one], input),
            1 => tr.same_from(&["-s", "--", &one], input),
            2 => tr.same_from(&["-ds", "--", &one, &two], input),
            3 => tr.same_from(&["-s", "--", &one, &two], input),
            _ => tr.same_from(&["--", &one, &two], input),
        }
    }
}

#[test]
fn tr_complains_like_the_original() {
    let Some(tr) = Tool::find("tr") else { return };
    for args in [
        &[][..],
        &["a"],
        &["-d"],
        &["-s"],
        &["-d", "a", "b"],
        &["-d", "a", "b", "c"],
        &["a", "b", "c"],
        &["-s", "a", "b", "c"],
        &["-ds", "a"],
        &["-ds", "a", "b", "c"],
        &["-x", "a"],
        &["-dx", "a"],
        &["--nothing"],
        &["z-a", "b"],
        &["a", "z-a"],
        &["\\n-\\001", "x"],
        &["a", ""],
        &["a", "b", "-d"],
    ] {
        tr.same(args);
    }
    for output in [Output::Broken, Output::BrokenIgnored, Output::Full] {
        // Some versions of the original complain a second time when they exit.
        tr.same_first_complaint(&["a", "b"], Input::File("large"), output);
        tr.same_with(&["a", "b"], Input::Nothing, output);
    }
}
