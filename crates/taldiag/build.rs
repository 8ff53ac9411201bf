//! Collects the pages `docs/errors/TALnnnn.md` into the catalogue of codes.

use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors");
    println!("cargo::rerun-if-changed={}", root.display());
    let mut names: Vec<String> = fs::read_dir(&root)
        .unwrap_or_else(|e| panic!("{}: {e}", root.display()))
        .map(|entry| entry.expect("a directory entry").file_name().into_string().expect("a UTF-8 name"))
        .filter(|name| name.starts_with("TAL"))
        .collect();
    names.sort();

    let mut list = String::from("&[\n");
    for name in &names {
        let path = root.join(name).canonicalize().expect("the page exists");
        println!("cargo::rerun-if-changed={}", path.display());
        let number: u16 = name
            .strip_prefix("TAL")
            .and_then(|n| n.strip_suffix(".md"))
            .filter(|n| n.len() == 4)
            .and_then(|n| n.parse().ok())
            .unwrap_or_else(|| panic!("docs/errors/{name}: pages are called TALnnnn.md"));
        let text = fs::read_to_string(&path).expect("the page is UTF-8");
        let title = text
            .lines()
            .next()
            .and_then(|line| line.strip_prefix(&format!("# TAL{number:04}: ")))
            .unwrap_or_else(|| {
                panic!("docs/errors/{name}: the first line must be `# TAL{number:04}: title`")
            });
        let path = path.to_str().expect("a UTF-8 path");
        writeln!(
            list,
            "    Entry {{ code: Code({number}), title: {title:?}, page: include_str!({path:?}) }},"
        )
        .expect("strings do not fail");
    }
    list.push_str("]\n");
    let out = Path::new(&env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")).join("codes.rs");
    fs::write(out, list).expect("OUT_DIR can be written");
}
