//! `cargo xtask tcb`: how much must be trusted.

use crate::Done;
use crate::source::{Line, classify};
use crate::tools::{files, read, root};
use std::path::Path;

/// One row of the table.
struct Count {
    name: String,
    code: usize,
    comment: usize,
    test: usize,
}

/// Prints the trusted files with their lines of code, without blank lines, comments and tests.
pub(crate) fn run() -> Done {
    let root = root();
    let core = root.join("crates/talcore");
    println!("Trusted by whoever believes a yes of talcheck (lines of code without comments and tests):\n");
    let mut total = table("the core: decides", &rust_files(&core)?)?;
    total += tables("the core: what the kernel's interface is", &core)?;
    let driver = ["main.rs", "run.rs", "kernel.rs", "read.rs", "verdict.rs"];
    let driver: Vec<_> = driver.iter().map(|f| root.join("crates/talcheck/src").join(f)).collect();
    total += table("the command: reads the file, reports the verdict", &driver)?;
    println!("{total:>6}  in all");
    Ok(())
}

fn rust_files(core: &Path) -> Result<Vec<std::path::PathBuf>, String> {
    let is_test = |p: &Path| p.components().any(|c| c.as_os_str() == "tests") || p.ends_with("tests.rs");
    files(core, &|p| p.extension().is_some_and(|e| e == "rs") && !is_test(p))
}

fn table(title: &str, paths: &[std::path::PathBuf]) -> Result<usize, String> {
    let mut rows = Vec::new();
    for path in paths {
        let classes = classify(&read(path)?);
        let of = |class| classes.iter().filter(|&&c| c == class).count();
        let name = path.strip_prefix(root()).unwrap_or(path).display().to_string();
        rows.push(Count { name, code: of(Line::Code), comment: of(Line::Comment), test: of(Line::Test) });
    }
    println!("  code  comment    test  {title}");
    for r in &rows {
        println!("{:>6} {:>8} {:>7}  {}", r.code, r.comment, r.test, r.name);
    }
    let sum = |f: fn(&Count) -> usize| rows.iter().map(f).sum::<usize>();
    println!("{:>6} {:>8} {:>7}  together\n", sum(|r| r.code), sum(|r| r.comment), sum(|r| r.test));
    Ok(sum(|r| r.code))
}

/// The tables of the kernel's interface: lines that are neither empty nor comment.
fn tables(title: &str, core: &Path) -> Result<usize, String> {
    let paths = files(core, &|p| p.extension().is_some_and(|e| e == "tali"))?;
    if paths.is_empty() {
        return Ok(0);
    }
    println!("  code  {title}");
    let mut total = 0;
    for path in &paths {
        let text = read(path)?;
        let lines = text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with(';')).count();
        println!("{lines:>6}  {}", path.strip_prefix(root()).unwrap_or(path).display());
        total += lines;
    }
    println!();
    Ok(total)
}
