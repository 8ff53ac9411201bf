//! `ls`.

use crate::compare::{Input, Output, Tool};
use std::fs;

#[test]
fn ls() {
    let Some(ls) = Tool::find("ls") else { return };
    let dir = ls.dir.path();
    // More entries than the kernel gives at once, with names of all lengths.
    fs::create_dir(dir.join("many")).expect("a directory");
    for i in 0..1500 {
        let name = format!("{i}{}", "x".repeat(i % 250));
        fs::write(dir.join("many").join(name), "").expect("a file");
    }
    fs::create_dir(dir.join("dots")).expect("a directory");
    for name in [".hidden", "..more", "...", "shown", ".d"] {
        fs::write(dir.join("dots").join(name), "").expect("a file");
    }
    fs::create_dir(dir.join("dots/inner")).expect("a directory");
    fs::create_dir(dir.join("dots/.inner")).expect("a directory");
    fs::create_dir(dir.join("void")).expect("a directory");
    for options in ["-U", "-1U", "-Ua", "-AU", "-pU", "-apU1"] {
        ls.same(&[options]);
        for what in ["many", "dots", "void", "text", "/sys/kernel", "dots/inner"] {
            ls.same(&[options, what]);
        }
        ls.same(&[options, "dots", "text", "void", "many", "text", "void"]);
        ls.same(&[options, "text", "empty"]);
    }
    ls.same(&["-U", "-a", "-A", "-1", "--", "dots"]);
    ls.same(&["-UA", "-a", "dots"]);
}

#[test]
fn ls_complains() {
    let Some(ls) = Tool::find("ls") else { return };
    ls.same(&["-U", "missing"]);
    ls.same(&["-U", "missing", "text", "void", "two words"]);
    ls.same(&["-U", "text/x", "text"]);
    ls.same(&["-U", "--", "-a"]);
    ls.same(&["-U", ""]);
    ls.same(&["-U", "-"]);
    ls.same(&["-Uy"]);
    ls.same(&["--longer-than-any"]);
    for output in [Output::Both, Output::Broken, Output::BrokenIgnored, Output::Full] {
        ls.same_with(&["-U", "text"], Input::Nothing, output);
    }
}
