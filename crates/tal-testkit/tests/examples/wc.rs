//! `wc`.

use crate::compare::{Input, Output, Tool};
use crate::fixture::{FILES, bytes};
use std::io::{Seek as _, SeekFrom, Write as _};

const OPTIONS: &[&[&str]] = &[
    &[],
    &["-l"],
    &["-w"],
    &["-c"],
    &["-lw"],
    &["-c", "-l"],
    &["-wc"],
    &["-clw"],
    &["--lines"],
    &["--words", "--bytes"],
];

#[test]
fn wc() {
    let Some(wc) = Tool::find("wc") else { return };
    for options in OPTIONS {
        for file in FILES.iter().filter(|f| !f.contains('\n')) {
            wc.same(&[options, &[*file][..]].concat());
        }
        wc.same(&[options, &["text", "missing", "large", "directory", "empty"][..]].concat());
        wc.same(&[&["text"][..], options, &["binary", "--", "-l"]].concat());
        wc.same_from(options, Input::Nothing);
        wc.same_from(options, Input::Closed);
        for file in ["empty", "no_newline", "large", "directory"] {
            wc.same_from(options, Input::File(file));
            wc.same_from(&[options, &["-"][..]].concat(), Input::File(file));
            if *options != ["-c"] {
                // The original takes the size of a file for the second count too.
                wc.same_from(&[options, &["text", "-", "-"][..]].concat(), Input::File(file));
            }
        }
        wc.same_from(options, Input::Pipe(bytes(4, 3_000), 1));
        wc.same_from(options, Input::Pipe(bytes(5, 3_000_000), 65_537));
    }
}

/// Words from bytes of all kinds, across the boundaries of reads.
#[test]
fn wc_random() {
    let Some(wc) = Tool::find("wc") else { return };
    let mut rng = fastrand::Rng::with_seed(6);
    for _ in 0..100 {
        let len = rng.usize(0..400);
        let kinds: &[u8] = b"ab  \n\t\r\x0b\x0c\x00\x80\xff\xc3\xa9\x7f";
        let text = (0..len).map(|_| kinds[rng.usize(..kinds.len())]).collect();
        wc.same_from(&[], Input::Pipe(text, rng.usize(1..50)));
    }
}

/// Numbers of more than 32 bits.
#[test]
#[ignore = "takes some seconds: 5 GB"]
fn wc_of_large_files() {
    let Some(wc) = Tool::find("wc") else { return };
    let mut file = std::fs::File::create(wc.dir.path().join("huge")).expect("a file can be made");
    file.set_len(5 << 30).expect("a file can have holes");
    file.seek(SeekFrom::End(0)).expect("a file has an end");
    file.write_all(b" two words\nand a line\n").expect("a file can be written");
    wc.same(&["huge"]);
    wc.same(&["-c", "huge", "text", "huge"]);
}

#[test]
fn wc_complains_like_the_original() {
    let Some(wc) = Tool::find("wc") else { return };
    wc.same(&["-x", "text"]);
    wc.same(&["text", "-lx"]);
    wc.same(&["--nothing"]);
    for output in [Output::Both, Output::Broken, Output::BrokenIgnored, Output::Full] {
        wc.same_with(&["missing", "text", "directory", "newline", "missing"], Input::Nothing, output);
    }
}
