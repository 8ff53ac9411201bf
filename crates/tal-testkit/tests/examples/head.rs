//! `head`.

use crate::compare::{Input, Output, Tool};
use crate::fixture::{FILES, bytes, text};

#[test]
fn head() {
    let Some(head) = Tool::find("head") else { return };
    for options in [
        &[][..],
        &["-n", "3"],
        &["-n3"],
        &["-3"],
        &["-n", "0"],
        &["-c", "0"],
        &["-c", "7"],
        &["-c5"],
        &["-n", "1000000"],
        &["-c", "1000000"],
        &["-q"],
        &["-v"],
        &["-qn1"],
        &["-vc", "8192"],
        &["-c8193", "-v"],
        &["-n", "5", "-c", "3"],
        &["-c", "5", "-n", "3"],
    ] {
        for file in FILES {
            head.same(&[options, &[*file][..]].concat());
        }
        head.same(&[options, FILES].concat());
        head.same(&[options, &["text", "-", "no_newline"][..]].concat());
        if options != ["-3"] {
            // The old form of `-n 3` stands first in the original.
            head.same(&[&["text"][..], options, &["large", "--", "-n"]].concat());
        }
        head.same_from(options, Input::Closed);
        for file in ["empty", "no_newline", "text", "large", "directory"] {
            head.same_from(options, Input::File(file));
            head.same_from(&[options, &["-"][..]].concat(), Input::File(file));
        }
        head.same_from(options, Input::Pipe(text(2_000).into_bytes(), 7));
        head.same_from(options, Input::Pipe(bytes(9, 3_000_000), 65_537));
    }
}

/// What one reader leaves, the next one finds.
#[test]
fn head_gives_back_what_it_read_too_much() {
    let Some(head) = Tool::find("head") else { return };
    for options in [&["-n", "2"][..], &["-c", "9"], &["-n", "100"], &["-n", "0"]] {
        head.same_with(&[options, &["-", "-"][..]].concat(), Input::File("text"), Output::Pipe);
        head.same_with(&[options, &["-", "large", "-"][..]].concat(), Input::File("text"), Output::Both);
    }
}

#[test]
fn head_reads_numbers_like_the_original() {
    let Some(head) = Tool::find("head") else { return };
    for number in [
        "1",
        "007",
        "1b",
        "2K",
        "2k",
        "1kB",
        "1KB",
        "1KiB",
        "1M",
        "1m",
        "1MB",
        "1MiB",
        "1G",
        "1GB",
        "1T",
        "1P",
        "1E",
        "15E",
        "16E",
        "15EiB",
        "18446744073709551615",
        "18446744073709551616",
        "99999999999999999999999",
        "18446744073709551615K",
        "x",
        "",
        " ",
        "1x",
        "1Kx",
        "1KiBx",
        "1Ki",
        "0x10",
        "1.5",
        "+x",
    ] {
        head.same(&["-n", number, "text"]);
        head.same(&["-c", number, "text"]);
    }
}

#[test]
fn head_complains_like_the_original() {
    let Some(head) = Tool::find("head") else { return };
    for args in [
        &["-x"][..],
        &["-n"],
        &["-c"],
        &["text", "-qn"],
        &["--nothing"],
        &["-qvx", "text"],
        &["-n", "3", "-y"],
    ] {
        head.same(args);
    }
    for output in [Output::Both, Output::Broken, Output::BrokenIgnored, Output::Full] {
        head.same_with(&["missing", "text", "directory", "newline", "missing"], Input::Nothing, output);
        head.same_with(&["-c", "1000000", "/dev/zero"], Input::Nothing, output);
        head.same_with(&["-n", "10", "empty"], Input::Nothing, output);
    }
}

/// Files of more than 4 GiB, with nothing in them, and numbers of more than 32 bits.
#[test]
fn head_of_large_files() {
    let Some(head) = Tool::find("head") else { return };
    let file = std::fs::File::create(head.dir.path().join("huge")).expect("a file can be made");
    file.set_len(5 << 30).expect("a file can have holes");
    head.same(&["-c", "7", "huge"]);
    head.same_from(&["-c", "70000"], Input::File("huge"));
    head.same(&["-n", "4294967297", "text"]);
    head.same(&["-c", "4294967299", "text"]);
    head.same(&["-c", "4G", "binary"]);
}
