//! `cargo xtask tidy`: the habits that no other tool checks.

mod docs;
mod errors;

use crate::source::code_only;
use crate::tools::{files, read, root};
use crate::{Done, bench, classes};
use std::path::Path;

/// A file longer than this must say why.
const LONG: usize = 900;

/// Checks everything and prints each problem as `file:line: what is wrong`.
pub(crate) fn run() -> Done {
    let root = root();
    let mut problems = Vec::new();
    let is_text = |p: &Path| {
        let name = p.file_name().and_then(|n| n.to_str()).unwrap_or("");
        let extension = p.extension().and_then(|e| e.to_str()).unwrap_or("");
        let known = ["rs", "md", "tal", "tali", "toml", "lalrpop", "sh", "yml", "json"];
        known.contains(&extension) || name.starts_with("LICENSE") || p.ends_with(".ci/run")
    };
    let all = files(&root, &is_text)?;
    for path in &all {
        let text = read(path)?;
        let name = path.strip_prefix(&root).unwrap_or(path).display().to_string();
        text_file(&name, &text, &mut problems);
        match path.extension().and_then(|e| e.to_str()) {
            Some("rs") => rust_file(&name, &text, &mut problems),
            Some("md") => docs::links(&root, path, &name, &text, &mut problems),
            _ => {}
        }
    }
    docs::contents(&root, &mut problems)?;
    docs::formats(&root, &mut problems)?;
    manifests(&root, &mut problems)?;
    leftovers(&root, &mut problems)?;
    errors::pages(&root, &mut problems)?;
    errors::used(&root, &all, &mut problems)?;
    kernel_patch(&root, &mut problems)?;
    figures(&root, &mut problems)?;
    classes::tidy(&root, &mut problems)?;
    for problem in &problems {
        eprintln!("{problem}");
    }
    match problems.len() {
        0 => {
            println!("{} files are tidy", all.len());
            Ok(())
        }
        1 => Err("1 problem".into()),
        n => Err(format!("{n} problems")),
    }
}

/// What holds for every text.
fn text_file(name: &str, text: &str, problems: &mut Vec<String>) {
    let lines = text.lines().count();
    if lines > LONG && !text.contains("This file is long because") {
        problems.push(format!(
            "{name}: {lines} lines; split it, or say in a comment `This file is long because ...`"
        ));
    }
    if !text.is_empty() && !text.ends_with('\n') {
        problems.push(format!("{name}:{lines}: the last line has no end"));
    }
    // Written in pieces, so that this file does not find itself.
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:")];
    let machine =
        [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("crates", ".io")];
    for (i, line) in text.lines().enumerate() {
        let at = i + 1;
        if let Some(mark) = marks.iter().find(|m| line.contains(**m)) {
            problems.push(format!("{name}:{at}: `{mark}`: do it, or describe it as a known limit"));
        }
        if let Some(path) = machine.iter().find(|m| line.contains(**m)) {
            problems.push(format!("{name}:{at}: `{path}` belongs to one machine, not to the project"));
        }
        if line.ends_with([' ', '\t', '\r']) {
            problems.push(format!("{name}:{at}: white space at the end of the line"));
        }
    }
}

/// What holds for Rust code beyond what compiler and clippy check.
fn rust_file(name: &str, text: &str, problems: &mut Vec<String>) {
    let forbidden = [
        (concat!("dbg", "!("), "left over from debugging"),
        (concat!("todo", "!("), "not done"),
        (concat!("unimplemented", "!("), "not done"),
    ];
    for (i, line) in code_only(text).lines().enumerate() {
        for (what, why) in forbidden {
            if line.contains(what) {
                problems.push(format!("{name}:{}: `{what}`: {why}", i + 1));
            }
        }
    }
}

/// The core depends on nothing, and every crate has the workspace's lints.
fn manifests(root: &Path, problems: &mut Vec<String>) -> Done {
    for path in files(root, &|p| p.ends_with("Cargo.toml") && p.parent() != Some(root))? {
        let text = read(&path)?;
        let name = path.strip_prefix(root).unwrap_or(&path).display().to_string();
        if !text.contains("[lints]\nworkspace = true\n") {
            problems.push(format!("{name}: `[lints] workspace = true` is missing"));
        }
        if name == "crates/talcore/Cargo.toml" {
            for table in ["[dependencies]", "[build-dependencies]"] {
                let after = text.split_once(table).map_or("", |t| t.1);
                let entries = after.lines().skip(1).take_while(|l| !l.starts_with('['));
                if entries.into_iter().any(|l| !l.trim().is_empty() && !l.starts_with('#')) {
                    problems.push(format!("{name}: {table}: the trusted core depends on nothing"));
                }
            }
        }
    }
    let core = read(&root.join("crates/talcore/src/lib.rs"))?;
    for attribute in ["#![no_std]", "#![forbid(unsafe_code)]"] {
        if !core.lines().any(|l| l == attribute) {
            problems.push(format!("crates/talcore/src/lib.rs: {attribute} is missing"));
        }
    }
    Ok(())
}

/// Snapshots that nobody has looked at.
fn leftovers(root: &Path, problems: &mut Vec<String>) -> Done {
    let left = |p: &Path| {
        let name = p.to_string_lossy();
        [".snap.new", ".pending-snap", ".orig", ".rej"].iter().any(|end| name.ends_with(end))
    };
    for path in files(root, &left)? {
        problems.push(format!("{}: left over", path.strip_prefix(root).unwrap_or(&path).display()));
    }
    Ok(())
}

/// The page about the cost of programs counts what their sources have.
fn figures(root: &Path, problems: &mut Vec<String>) -> Done {
    let page = read(&root.join(bench::figures::PAGE))?;
    let mut table = String::new();
    bench::figures::written(&mut table)?;
    for row in table.lines().filter(|row| !page.lines().any(|l| l == *row)) {
        let name = bench::figures::PAGE;
        problems
            .push(format!("{name}: has not the row `{row}`; `cargo xtask bench figures` writes the page"));
    }
    Ok(())
}

/// The kernel's own rule: each file says its licence in its first lines.
fn kernel_patch(root: &Path, problems: &mut Vec<String>) -> Done {
    let directory = root.join("kml-patch");
    if !directory.is_dir() {
        return Ok(());
    }
    let code =
        |p: &Path| p.extension().is_some_and(|e| ["c", "h", "S", "sh", "patch"].iter().any(|k| e == *k));
    for path in files(&directory, &code)? {
        let text = read(&path)?;
        let new_file = text.contains("\n--- /dev/null\n") || path.extension().is_none_or(|e| e != "patch");
        if new_file && !text.contains("SPDX-License-Identifier: ") {
            let name = path.strip_prefix(root).unwrap_or(&path).display().to_string();
            problems.push(format!("{name}: no SPDX-License-Identifier"));
        }
    }
    Ok(())
}
