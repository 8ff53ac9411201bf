//! `cargo xtask mutants`: changes the trusted core in one place at a time, and looks for a test that notices.
//!
//! All changes are compiled at once, in a copy of the workspace: each asks a global variable whether it is made. So the
//! tests are built once. A change that no test notices is no mistake by itself: it may be one that changes nothing
//! (another order, a shortcut), or make the checker refuse more; but each is a place to look at.

mod lex;
mod sites;

use crate::Done;
use crate::tools::{cargo, files, output, read, root, target, write};
use sites::{Site, blamed, render, sites};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Sources that are not changed: tables and names, of which other tests compare every entry.
const LEFT_OUT: [&str; 5] = ["x86/table", "lib.rs", "limits.rs", "codes.rs", "abi/tests.rs"];

/// Tests of `talcore` that are asked when no file of the tests notices: those of sources whose path begins so.
const SECOND: [(&str, &[&str]); 5] = [
    ("arith", &["arith_brute", "arith_idioms"]),
    ("facts", &["facts_brute", "arith_brute"]),
    ("term", &["term_model", "facts_brute"]),
    ("x86", &["decode_traps", "decode_traps_ia32"]),
    ("", &["hostile"]),
];

/// Changes that no test can notice, or need not: a source, a line of it, a change in the line, the reason, each four blanks
/// further to the right.
const EXPLAINED: &str = include_str!("mutants/survivors.txt");

/// A source with its changes.
struct File {
    /// Below `talcore/src`.
    name: String,
    text: String,
    sites: Vec<(usize, Site)>,
}

/// Changes those sources whose path contains `filter`, and at most `sample` places.
pub(crate) fn run(filter: &str, sample: Option<usize>, seed: u64) -> Done {
    let tree = copy()?;
    let source = tree.join("crates/talcore/src");
    let mut files = changed(&source, filter)?;
    switch(&tree)?;
    compile(&tree, &mut files)?;
    let all: Vec<usize> = files.iter().flat_map(|f| f.sites.iter().map(|s| s.0)).collect();
    let mut chosen = all.clone();
    if let Some(n) = sample {
        fastrand::Rng::with_seed(seed).shuffle(&mut chosen);
        chosen.truncate(n);
        chosen.sort_unstable();
    }
    println!("{} changes in {} files, of which {} are tried", all.len(), files.len(), chosen.len());
    let runner = executables(&tree, &["build", "--package", "tal-testkit", "--bin", "talmutants"])?;
    let runner = runner.get("talmutants").ok_or("the runner was not built")?;
    let mut told = first(&tree, runner, &chosen)?;
    let survivors: Vec<usize> = chosen.iter().copied().filter(|n| !told[n].starts_with("caught")).collect();
    println!("{} of {} survive the files; now the tests of talcore", survivors.len(), chosen.len());
    let mut build = vec!["test", "--no-run", "--package", "talcore"];
    build.extend(SECOND.iter().flat_map(|t| t.1).flat_map(|t| ["--test", *t]));
    let tests = executables(&tree, &build)?;
    for n in survivors {
        let file = files.iter().find(|f| f.sites.iter().any(|s| s.0 == n)).map_or("", |f| &f.name);
        let second = SECOND.iter().find(|t| file.starts_with(t.0)).map_or(&[][..], |t| t.1);
        let catches = |t: &&&str| {
            let Some(test) = tests.get(**t) else { return false };
            let limited = format!("ulimit -v 4000000; exec timeout 60 {} -q", test.display());
            let mut c = Command::new("sh");
            c.arg("-c")
                .arg(limited)
                .env("TAL_MUTANT", n.to_string())
                .current_dir(tree.join("crates/talcore"));
            !c.output().is_ok_and(|out| out.status.success())
        };
        if let Some(test) = second.iter().find(catches) {
            told.insert(n, format!("caught {test}"));
        }
    }
    report(&files, &chosen, &told)
}

/// A copy of the workspace, without this crate.
fn copy() -> Result<PathBuf, String> {
    let tree = target().join("mutants");
    let err = |e: std::io::Error| format!("{}: {e}", tree.display());
    if tree.exists() {
        std::fs::remove_dir_all(&tree).map_err(err)?;
    }
    let root = root();
    for file in files(&root.join("crates"), &|_| true)? {
        let name = file.strip_prefix(&root).map_err(|e| e.to_string())?;
        let to = tree.join(name);
        std::fs::create_dir_all(to.parent().unwrap_or(&tree)).map_err(err)?;
        std::fs::copy(&file, &to).map_err(err)?;
    }
    let manifest = read(&root.join("Cargo.toml"))?.replace(", \"xtask\"]", "]");
    write(&tree.join("Cargo.toml"), manifest)?;
    write(&tree.join("Cargo.lock"), read(&root.join("Cargo.lock"))?)?;
    for folder in ["docs", "tests", "examples", "bench"] {
        std::os::unix::fs::symlink(root.join(folder), tree.join(folder)).map_err(err)?;
    }
    Ok(tree)
}

/// The sources, and where they can be changed.
fn changed(source: &Path, filter: &str) -> Result<Vec<File>, String> {
    let mut all = Vec::new();
    let mut next = 0;
    for path in files(source, &|p| p.extension().is_some_and(|e| e == "rs"))? {
        let name = path.strip_prefix(source).map_err(|e| e.to_string())?.display().to_string();
        if !name.contains(filter) || LEFT_OUT.iter().any(|l| name.starts_with(l)) {
            continue;
        }
        let text = read(&path)?;
        let numbered = sites(&text).into_iter().map(|s| {
            next += 1;
            (next - 1, s)
        });
        all.push(File { name, sites: numbered.collect(), text });
    }
    if next >= 1 << 16 {
        return Err(format!("{next} changes are more than the switch has numbers for: use --filter"));
    }
    Ok(all)
}

/// The global variable, and the program that tries one change after the other.
fn switch(tree: &Path) -> Done {
    let lib = tree.join("crates/talcore/src/lib.rs");
    let text = read(&lib)?
        .replace("extern crate alloc;", "extern crate alloc;\n#[allow(missing_docs)]\npub mod mutant;");
    write(&lib, text)?;
    write(&tree.join("crates/talcore/src/mutant.rs"), include_str!("mutants/switch.rs.txt"))?;
    write(&tree.join("crates/tal-testkit/src/bin/talmutants.rs"), include_str!("mutants/runner.rs.txt"))
}

/// Cargo in the copy, optimised, beside what `cargo xtask fuzz` builds.
fn cargo_in(tree: &Path, args: &[&str]) -> Command {
    let mut c = cargo(args);
    c.current_dir(tree).arg("--target-dir").arg(target().join("fuzz-build"));
    c.env("CARGO_PROFILE_DEV_OPT_LEVEL", "2");
    c
}

/// Writes the changed sources, and takes back what does not compile, until all does.
fn compile(tree: &Path, all: &mut [File]) -> Done {
    for _ in 0..40 {
        let mut places = BTreeMap::new();
        for file in all.iter() {
            let numbered: Vec<(usize, &Site)> = file.sites.iter().map(|(n, s)| (*n, s)).collect();
            let (text, at) = render(&file.text, &numbered);
            write(&tree.join("crates/talcore/src").join(&file.name), text)?;
            places.insert(file.name.clone(), at);
        }
        let mut check =
            cargo_in(tree, &["check", "--package", "talcore", "--quiet", "--message-format=json"]);
        let out = check.output().map_err(|e| e.to_string())?;
        if out.status.success() {
            return Ok(());
        }
        // What an error is about, and what else it points to.
        let mut bad: [BTreeMap<String, Vec<usize>>; 2] = Default::default();
        let mut told = String::new();
        for line in String::from_utf8_lossy(&out.stdout).lines() {
            let Ok(message) = serde_json::from_str::<serde_json::Value>(line) else { continue };
            let message = &message["message"];
            if message["level"] != "error" {
                continue;
            }
            told.push_str(message["rendered"].as_str().unwrap_or(""));
            for span in message["spans"].as_array().into_iter().flatten() {
                let file = span["file_name"].as_str().and_then(|f| f.split_once("talcore/src/")).map(|f| f.1);
                let at = span["byte_start"].as_u64();
                if let (Some(file), Some(at)) = (file, at) {
                    let which = usize::from(span["is_primary"] != true);
                    bad[which].entry(file.to_string()).or_default().push(at as usize);
                }
            }
        }
        let mut taken = 0;
        for bad in bad {
            if taken > 0 {
                break;
            }
            for file in all.iter_mut() {
                let Some(offsets) = bad.get(&file.name) else { continue };
                let blamed = blamed(&places[&file.name], offsets);
                taken += blamed.len();
                file.sites.retain(|s| !blamed.contains(&s.0));
            }
        }
        if taken == 0 {
            return Err(format!("the changed sources do not compile, and no change is to blame:\n{told}"));
        }
        eprintln!("{taken} changes do not compile");
    }
    Err("the changed sources do not compile".into())
}

/// Builds, and answers the executables by the names of their targets.
fn executables(tree: &Path, args: &[&str]) -> Result<BTreeMap<String, PathBuf>, String> {
    let mut build = cargo_in(tree, args);
    let text = output(build.args(["--quiet", "--message-format=json"]))?;
    let mut all = BTreeMap::new();
    for line in String::from_utf8_lossy(&text).lines() {
        let Ok(message) = serde_json::from_str::<serde_json::Value>(line) else { continue };
        if let (Some(name), Some(path)) = (message["target"]["name"].as_str(), message["executable"].as_str())
        {
            all.insert(name.to_string(), PathBuf::from(path));
        }
    }
    Ok(all)
}

/// What the files of the tests say of each change. A change that makes the checker hang or abort ends the program that
/// tries it, and is caught; another one goes on with the next.
fn first(tree: &Path, runner: &Path, chosen: &[usize]) -> Result<BTreeMap<usize, String>, String> {
    let (list, results) = (tree.join("list"), tree.join("results"));
    write(&list, chosen.iter().map(|n| format!("{n}\n")).collect::<String>())?;
    write(&results, "")?;
    let mut told = BTreeMap::new();
    while told.len() < chosen.len() {
        let limited = "ulimit -v 8000000; exec \"$@\"";
        let mut c = Command::new("sh");
        c.args(["-c", limited, "sh"]).arg(runner).arg(&list).arg(told.len().to_string()).arg(&results);
        let status = c.current_dir(tree.join("crates/tal-testkit")).status().map_err(|e| e.to_string())?;
        let text = read(&results)?;
        told = text
            .lines()
            .filter_map(|l| l.split_once(' '))
            .filter_map(|(n, rest)| Some((n.parse().ok()?, rest.to_string())))
            .collect();
        if told.len() < chosen.len() {
            let next = chosen[told.len()];
            let line = format!("{next} caught {status}");
            write(&results, format!("{text}{line}\n"))?;
            told.insert(next, format!("caught {status}"));
        }
    }
    Ok(told)
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Source, line and change of what is explained.
fn explained() -> BTreeSet<(String, String, String)> {
    let (mut file, mut line, mut all) = (String::new(), String::new(), BTreeSet::new());
    for text in EXPLAINED.lines().filter(|line| !line.starts_with('#')) {
        let words = text.trim().to_string();
        match text.len() - text.trim_start().len() {
            0 => file = words,
            4 => line = words,
            8 => drop(all.insert((file.clone(), line.clone(), words))),
            _ => {}
        }
    }
    all
}

/// Says which survive, by file.
fn report(files: &[File], chosen: &[usize], told: &BTreeMap<usize, String>) -> Done {
    let chosen: BTreeSet<usize> = chosen.iter().copied().collect();
    let mut text = String::new();
    let explained = explained();
    let (mut survive, mut unreached, mut known) = (0, 0, 0);
    for file in files {
        let (mut lines, mut last) = (String::new(), String::new());
        for (n, site) in file.sites.iter().filter(|s| chosen.contains(&s.0)) {
            let said = told.get(n).map_or("", String::as_str);
            if said.starts_with("caught") {
                continue;
            }
            let what = one_line(&site.what);
            let start = file.text[..site.range.start].rfind('\n').map_or(0, |n| n + 1);
            let line = file.text[start..].lines().next().unwrap_or("").trim();
            if explained.contains(&(file.name.clone(), line.to_string(), what.clone())) {
                known += 1;
                continue;
            }
            survive += 1;
            unreached += usize::from(said == "survives 0");
            if last != line {
                lines += &format!("    {line}\n");
                last = line.to_string();
            }
            lines += &format!("        {what}\n            {said}\n");
        }
        if !lines.is_empty() {
            text += &format!("{}\n{lines}", file.name);
        }
    }
    let path = target().join("mutants/survivors");
    write(&path, &text)?;
    print!("{text}");
    println!(
        "{survive} of {} survive without a reason ({unreached} of them no file reaches), {known} with one; the former are \
         listed in {}",
        chosen.len(),
        path.display()
    );
    Ok(())
}
