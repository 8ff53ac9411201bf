//! `sha256sum`.

use crate::build;
use crate::compare::{Input, Output, Tool};
use crate::fixture::{FILES, bytes};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

#[test]
fn sha256sum() {
    let Some(sum) = Tool::find("sha256sum") else { return };
    for file in FILES {
        sum.same(&[file]);
    }
    sum.same(FILES);
    sum.same(&["-b", "text", "empty"]);
    sum.same(&["-b", "-t", "text"]);
    sum.same(&["text", "-b", "--", "-b", "newline"]);
    sum.same_from(&[], Input::Nothing);
    sum.same_from(&[], Input::Closed);
    for file in ["empty", "no_newline", "large", "directory"] {
        sum.same_from(&[], Input::File(file));
        sum.same_from(&["-", "text", "-"], Input::File(file));
    }
    // Around the ends of blocks and of the buffer, and in pieces that don't fit to either.
    for len in
        [1, 54, 55, 56, 57, 63, 64, 65, 118, 119, 120, 127, 128, 129, 131_071, 131_072, 131_073, 131_136]
    {
        sum.same_from(&[], Input::Pipe(bytes(12, len), len));
        sum.same_from(&[], Input::Pipe(bytes(13, len), 61));
    }
    sum.same_from(&[], Input::Pipe(bytes(14, 5_000_000), 65_537));
}

#[test]
fn sha256sum_complains_like_the_original() {
    let Some(sum) = Tool::find("sha256sum") else { return };
    sum.same(&["-x"]);
    sum.same(&["text", "-btx"]);
    sum.same(&["--nothing"]);
    for output in [Output::Both, Output::Broken, Output::BrokenIgnored, Output::Full] {
        sum.same_with(&["missing", "text", "directory", "newline", "missing"], Input::Nothing, output);
    }
}

/// The examples that come with the standard, FIPS 180-4.
#[test]
fn sha256sum_known_vectors() {
    let million = vec![b'a'; 1_000_000];
    for (message, hash) in [
        (&b""[..], "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
        ),
        (&million, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
    ] {
        for program in build::programs("sha256sum") {
            assert_eq!(hash_of(&program, message), format!("{hash}  -\n"));
        }
    }
}

/// 100 MB in a stream.
#[test]
#[ignore = "slow without optimisation"]
fn sha256sum_stream() {
    let Some(sum) = Tool::find("sha256sum") else { return };
    let mut all = Vec::with_capacity(100_000_000);
    while all.len() < 100_000_000 {
        all.extend_from_slice(&bytes(all.len() as u64, 10_000_000));
    }
    sum.same_from(&[], Input::Pipe(all, 1 << 20));
}

/// More than 2^32 bits: their number, which is hashed too, has more than one word on IA-32.
#[test]
#[ignore = "takes some seconds: 600 MB"]
fn sha256sum_of_large_files() {
    let Some(sum) = Tool::find("sha256sum") else { return };
    let file = std::fs::File::create(sum.dir.path().join("huge")).expect("a file can be made");
    file.set_len(600 << 20).expect("a file can have holes");
    sum.same(&["huge"]);
}

fn hash_of(program: &Path, message: &[u8]) -> String {
    let mut child = Command::new(program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the example can be started");
    let mut pipe = child.stdin.take().expect("the standard input is a pipe");
    pipe.write_all(message).expect("the example reads everything");
    drop(pipe);
    let out = child.wait_with_output().expect("the example can be waited for");
    assert!(out.status.success());
    String::from_utf8(out.stdout).expect("the output is text")
}
