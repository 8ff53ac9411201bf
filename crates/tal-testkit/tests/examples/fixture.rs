//! A directory of files that are hard to read in one way or another.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use tempfile::TempDir;

/// The files that every test of a tool that reads files goes through.
pub(crate) const FILES: &[&str] = &[
    "empty",
    "newline",
    "no_newline",
    "text",
    "binary",
    "large",
    "link",
    "dangling",
    "missing",
    "unreadable",
    "directory",
    "empty/below_a_file",
    "two words",
    "it's",
    "it's \"$HOME\"",
    "new\nline",
    "tab\tand\u{1}control",
    "back\\slash",
    "colon:",
    "#front",
    "back#",
    "~",
    "{",
    "}{",
    "naïve",
    "*",
    "",
    "/proc/cpuinfo",
    "/dev/null",
    "/etc/passwd",
    "/",
];

/// Makes the directory.
pub(crate) fn directory() -> TempDir {
    let temp = tempfile::tempdir().expect("a temporary directory can be made");
    let dir = temp.path();
    let write =
        |name: &str, content: &[u8]| fs::write(dir.join(name), content).expect("a file can be written");
    write("empty", b"");
    write("newline", b"\n");
    write("no_newline", b"one\ntwo  words\n\n\tlast line without an end");
    write("text", text(300).as_bytes());
    write("binary", &bytes(7, 70_001));
    write("large", &bytes(8, 3_000_003));
    write("unreadable", b"secret\n");
    for name in [
        "two words",
        "it's",
        "it's \"$HOME\"",
        "new\nline",
        "tab\tand\u{1}control",
        "back\\slash",
        "colon:",
        "#front",
        "back#",
        "~",
        "{",
        "}{",
        "naïve",
        "*",
    ] {
        write(name, b"some\ncontent\n");
    }
    let unreadable = fs::Permissions::from_mode(0o000);
    fs::set_permissions(dir.join("unreadable"), unreadable).expect("permissions can be set");
    fs::create_dir(dir.join("directory")).expect("a directory can be made");
    link("text", &dir.join("link"));
    link("nowhere", &dir.join("dangling"));
    temp
}

fn link(target: &str, at: &Path) {
    symlink(target, at).expect("a link can be made");
}

/// Lines of words.
pub(crate) fn text(lines: usize) -> String {
    let mut rng = fastrand::Rng::with_seed(lines as u64);
    let mut out = String::new();
    for _ in 0..lines {
        for _ in 0..rng.usize(0..12) {
            out.extend((0..rng.usize(1..9)).map(|_| rng.lowercase()));
            out.push(rng.choice([' ', ' ', '\t']).unwrap_or(' '));
        }
        out.push('\n');
    }
    out
}

/// Random bytes, the same for the same seed.
pub(crate) fn bytes(seed: u64, len: usize) -> Vec<u8> {
    let mut out = vec![0; len];
    fastrand::Rng::with_seed(seed).fill(&mut out);
    out
}
