//! Trees that are deep, wide, or real.

use super::{Tool, find};
use std::fs;
use std::path::Path;

/// Makes directories inside of each other, so many, each with a file: from the inside out, so that no path is long.
fn dig(at: &Path, depth: usize, name: &str) {
    let (deep, next) = (at.join("deep"), at.join("next"));
    fs::create_dir(&deep).expect("a directory can be made");
    for _ in 1..depth {
        fs::create_dir(&next).expect("a directory can be made");
        fs::write(next.join("file"), "").expect("a file can be written");
        fs::rename(&deep, next.join(name)).expect("a directory can be moved");
        fs::rename(&next, &deep).expect("a directory can be moved");
    }
}

/// Takes them away again, in the same manner: what removes trees for the tests opens one directory for each level.
fn fill_in(at: &Path, name: &str) {
    let (deep, next) = (at.join("deep"), at.join("next"));
    while deep.join(name).exists() {
        fs::rename(deep.join(name), &next).expect("a directory can be moved");
        fs::remove_dir_all(&deep).expect("a directory can be removed");
        fs::rename(&next, &deep).expect("a directory can be moved");
    }
}

#[test]
fn deep() {
    let Some(find) = Tool::find("find") else { return };
    // Paths of up to 20 KB and 75 KB. With -L GNU's follows by path, which the kernel does not take if it is so long.
    for (depth, name, words) in [
        (10_000, "d", &["deep", "-mindepth", "9990"][..]),
        (10_000, "d", &["deep", "-depth", "-mindepth", "9998"]),
        (10_000, "d", &["deep", "-path", "*/d/file/*", "-o", "-name", "fil"]),
        (300, &"n".repeat(250), &["deep", "-type", "f"]),
        (300, &"n".repeat(250), &["deep", "-depth", "-maxdepth", "200", "-type", "d"]),
        (1000, "d", &["-L", "deep", "-type", "d"]),
        (1000, "d", &["-L", "deep", "-depth"]),
    ] {
        dig(find.dir.path(), depth, name);
        find.same(words);
        fill_in(find.dir.path(), name);
        fs::remove_dir_all(find.dir.path().join("deep")).expect("a directory can be removed");
    }
}

/// More entries than the kernel gives at once, but not so many that GNU's sorts them.
#[test]
fn wide() {
    let Some(find) = Tool::find("find") else { return };
    let wide = find.dir.path().join("wide");
    fs::create_dir(&wide).expect("a directory can be made");
    for i in 0..9000 {
        fs::write(wide.join(format!("{i}{}", "x".repeat(i % 200))), "").expect("a file can be written");
    }
    for words in [&["wide"][..], &["wide", "-name", "1*x"], &["wide", "-depth", "!", "-type", "d"]] {
        find.same(words);
    }
}

/// GNU's sorts directories of more than 10,000 entries by their numbers, on some file systems.
#[test]
fn machine() {
    let Some(find) = find() else { return };
    for words in [
        &["/usr"][..],
        &["/usr", "-type", "l", "-o", "-name", "*.so*", "-print"],
        &["/etc", "-depth"],
        &["/bin/", "-name", "*z*"],
        &["/dev", "-type", "c"],
    ] {
        find.same_lines(words);
    }
}
