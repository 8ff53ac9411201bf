//! `find`: the same as GNU's on trees with files of all kinds, and on any expression.

use crate::compare::Tool;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

mod changing;
mod deep;
mod fuzz;
mod numbers;
mod table;

/// A tree in the directory `tree`: names that are hard, links that lead nowhere and around, files of all kinds and sizes.
fn plant(at: &Path) {
    let dir = at.join("tree");
    let make = |name: &str| fs::create_dir_all(dir.join(name)).expect("a directory can be made");
    for name in ["a/b/c", "a/.hidden", "empty", "names", "kinds", "sizes", "modes", "loop/in", "x/x/x"] {
        make(name);
    }
    let write =
        |name: &str, size: usize| fs::write(dir.join(name), vec![b'x'; size]).expect("a file can be written");
    for name in ["a/f", "a/b/f", "a/b/c/f.txt", "a/b/c/F.TXT", "a/.hidden/f", "x/x", "x/x/y", "x/x/x/z"] {
        if !dir.join(name).exists() {
            write(name, name.len());
        }
    }
    for name in [
        "two words",
        "new\nline",
        "tab\t",
        "quote'",
        "back\\slash",
        "[a]",
        "*",
        "?",
        "-name",
        "naïve",
        "~",
        "!",
        "(",
    ] {
        write(&format!("names/{name}"), 1);
    }
    let bytes = std::ffi::OsStr::from_bytes(b"names/\xff\xfe\x01");
    fs::write(dir.join(bytes), b"").expect("a file can be written");
    write(&format!("names/{}", "n".repeat(255)), 0);
    for size in [0, 1, 511, 512, 513, 1023, 1024, 1025, 4096, 70_000] {
        write(&format!("sizes/{size}"), size);
    }
    let sparse = fs::File::create(dir.join("sizes/sparse")).expect("a file can be made");
    sparse.set_len(5 << 30).expect("a file can be made long");
    for mode in [0o400, 0o600, 0o644, 0o755, 0o4755, 0o2711, 0o1777, 0o111, 0o666] {
        let name = format!("modes/{mode:o}");
        write(&name, 0);
        fs::set_permissions(dir.join(name), fs::Permissions::from_mode(mode)).expect("modes can be set");
    }
    // In the middle of days and minutes, so that it does not matter when exactly it is.
    let now = std::time::SystemTime::now();
    for (name, minutes) in [
        ("1", 30),
        ("511", 89),
        ("512", 91),
        ("513", 60 * 12),
        ("1023", 60 * 36),
        ("1024", 60 * 60),
        ("1025", 60 * 84),
    ] {
        let file =
            fs::File::options().write(true).open(dir.join("sizes").join(name)).expect("a file can be opened");
        file.set_modified(now - std::time::Duration::from_secs(minutes * 60 - 30)).expect("times can be set");
    }
    let link = |to: &str, name: &str| symlink(to, dir.join(name)).expect("a link can be made");
    link("f", "a/link");
    link("nowhere", "a/dangling");
    link("../a/b", "kinds/directory");
    link("itself", "loop/itself");
    link("..", "loop/in/up");
    link("../../loop", "loop/in/again");
    link("f/x", "a/through_a_file");
    fs::hard_link(dir.join("a/f"), dir.join("kinds/hard")).expect("a link can be made");
    drop(UnixListener::bind(dir.join("kinds/socket")).expect("a socket can be made"));
    let made = Command::new("mkfifo").arg(dir.join("kinds/fifo")).status();
    assert!(made.is_ok_and(|s| s.success()), "a pipe can be made");
}

/// The tool, with the tree.
fn find() -> Option<Tool> {
    let find = Tool::find("find")?;
    plant(find.dir.path());
    Some(find)
}
