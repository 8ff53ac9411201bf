//! The classes of attacks in `docs/security.md`, and the tests that say which of them they are of.
//!
//! A test has a line `class: A5, B3 on amd64, ia32`, in a comment:
//!
//! - in `tests/reject`, `; class: ...` at the top. The file is refused, its twin is accepted. A file for AMD64 may say `ia32`
//!   too, if it is refused as well where it is rewritten for IA-32 (`--test narrowed` looks);
//! - in `tests/binary` and `tests/syscalls/twins.tal`, before the lines that damage the file, as far as to the next such line. The
//!   file is accepted as it stands;
//! - in Rust, `/// class: ...` above a test, which tries both: something that is refused, and something that is accepted.

use crate::Done;
use crate::tools::{files, read, root};
use std::collections::BTreeMap;
use std::path::Path;

/// The page with the table.
pub(crate) const PAGE: &str = "docs/security.md";

/// A set of architectures.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Archs {
    amd64: bool,
    ia32: bool,
}

/// Where a class needs tests.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum On {
    /// On each of these.
    Each(Archs),
    /// On one or the other.
    Any,
    /// Nowhere: another part of the system meets it, or it cannot apply.
    Nowhere,
}

/// A row of the table.
#[derive(Debug)]
struct Class {
    name: String,
    attack: String,
    on: On,
    /// The tests that the row names.
    shown: Vec<String>,
    line: usize,
}

/// A test that says its classes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Test {
    /// The file without folders and extension, or the function.
    name: String,
    /// `file:line`.
    place: String,
    classes: Vec<String>,
    on: Archs,
    /// Whether something is refused, and something that differs in little is accepted.
    refuses: bool,
    accepts: bool,
}

/// The rows of the tables: `| A1 | the attack | both | how it is met | tests |`.
fn classes(page: &str, problems: &mut Vec<String>) -> Vec<Class> {
    let mut all: Vec<Class> = Vec::new();
    for (i, text) in page.lines().enumerate() {
        let cells: Vec<&str> = text.split('|').map(str::trim).collect();
        let Some(&name) = cells.get(1).filter(|name| is_class(name)) else { continue };
        let line = i + 1;
        let mut problem = |what: String| problems.push(format!("{PAGE}:{line}: {what}"));
        let [_, _, attack, on, how, shown, _] = cells[..] else {
            problem(format!("{name}: a row has class, attack, on, how it is met, and tests"));
            continue;
        };
        if attack.is_empty() || how.is_empty() {
            problem(format!("{name}: what the attack is and how it is met is missing"));
        }
        let both = Archs { amd64: true, ia32: true };
        let on = match on {
            "both" => On::Each(both),
            "AMD64" => On::Each(Archs { ia32: false, ..both }),
            "IA-32" => On::Each(Archs { amd64: false, ..both }),
            "any" => On::Any,
            "kernel" | "none" => On::Nowhere,
            _ => {
                problem(format!("{name}: `{on}` is none of both, AMD64, IA-32, any, kernel, none"));
                continue;
            }
        };
        if all.iter().any(|c| c.name == name) {
            problem(format!("{name} has two rows"));
        }
        let shown: Vec<String> = shown.split('`').skip(1).step_by(2).map(str::to_string).collect();
        if shown.is_empty() && on != On::Nowhere {
            problem(format!("{name}: the row names no test"));
        }
        all.push(Class { name: name.into(), attack: attack.into(), on, shown, line });
    }
    all
}

/// A letter and a number.
fn is_class(name: &str) -> bool {
    let letter = name.strip_prefix(|c: char| c.is_ascii_uppercase());
    letter.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

/// `A5, B3 on amd64, ia32`.
fn tag(text: &str) -> Result<(Vec<String>, Archs), String> {
    let wrong = || format!("`class: {text}` is not like `class: A5, B3 on amd64, ia32`");
    let (names, on) = text.split_once(" on ").ok_or_else(wrong)?;
    let classes: Vec<String> = names.split(',').map(|n| n.trim().to_string()).collect();
    let mut archs = Archs::default();
    for arch in on.split(',').map(str::trim) {
        match arch {
            "amd64" => archs.amd64 = true,
            "ia32" => archs.ia32 = true,
            _ => return Err(wrong()),
        }
    }
    if classes.iter().all(|c| is_class(c)) { Ok((classes, archs)) } else { Err(wrong()) }
}

/// The tests of a program that is a test.
fn program(path: &str, text: &str, problems: &mut Vec<String>) -> Vec<Test> {
    let mut found: Vec<Test> = Vec::new();
    let refused = path.starts_with("tests/reject/");
    let says = |arch: &str| text.lines().any(|l| l.starts_with("arch ") && l.contains(arch));
    for (i, line) in text.lines().enumerate() {
        let place = format!("{path}:{}", i + 1);
        let damage = line.starts_with("; patch TAL") || line.contains(";~ TAL");
        if let Some(test) = found.last_mut().filter(|_| damage) {
            test.refuses = true;
        }
        let Some(text) = line.strip_prefix("; class: ") else { continue };
        match tag(text) {
            Err(e) => problems.push(format!("{place}: {e}")),
            Ok((_, on)) if on.amd64 && says("ia32") && !says("amd64") => {
                problems.push(format!("{place}: the program is not for AMD64"));
            }
            Ok((_, on)) if on.ia32 && !says("ia32") && !refused => {
                problems.push(format!("{place}: the program is not for IA-32"));
            }
            Ok((classes, on)) => {
                let name = path.rsplit('/').next().unwrap_or(path).trim_end_matches(".tal").to_string();
                found.push(Test { name, place, classes, on, refuses: refused, accepts: true });
            }
        }
    }
    let checkers = text.lines().any(|l| l.contains("; ~ error TAL0"));
    if refused && checkers && !text.lines().any(|l| l.starts_with("; class: ")) {
        problems.push(format!(
            "{path}: says not of which class of attacks it is, as in `; class: C1 on amd64`; {PAGE} lists them"
        ));
    }
    found
}

/// The tests of a file in Rust.
fn rust(path: &str, text: &str, problems: &mut Vec<String>) -> Vec<Test> {
    let mut found = Vec::new();
    let lines: Vec<&str> = text.lines().collect();
    for (i, line) in lines.iter().enumerate() {
        let Some(said) = line.trim_start().strip_prefix("/// class: ") else { continue };
        let place = format!("{path}:{}", i + 1);
        let (classes, on) = match tag(said) {
            Ok(tag) => tag,
            Err(e) => {
                problems.push(format!("{place}: {e}"));
                continue;
            }
        };
        let above = |l: &&&str| ["///", "#["].iter().any(|s| l.trim_start().starts_with(s));
        let head = lines[i..].iter().take_while(above).count();
        let is_test = lines[i..i + head].iter().any(|l| l.trim() == "#[test]");
        let function = lines.get(i + head).and_then(|l| l.trim().strip_prefix("fn "));
        let Some(name) = function.and_then(|f| f.split('(').next()).filter(|_| is_test) else {
            problems.push(format!("{place}: below `class:` there is no test"));
            continue;
        };
        let indent = &line[..line.len() - line.trim_start().len()];
        let end = format!("{indent}}}");
        let body: String =
            lines[i + head..].iter().take_while(|l| **l != end).flat_map(|l| [*l, "\n"]).collect();
        let has = |words: &[&str]| words.iter().any(|w| body.contains(w));
        found.push(Test {
            name: name.to_string(),
            place,
            classes,
            on,
            refuses: has(&["reject", "refus", "is_err()", "expect_err", "Err(", "errors("]),
            accepts: has(&["accept", "is_ok()", "Ok(", "safe", "None", "link(&", "unwrap_or_else"]),
        });
    }
    found
}

/// All tests that say their class.
fn tests(root: &Path, problems: &mut Vec<String>) -> Result<Vec<Test>, String> {
    let mut all = Vec::new();
    let known = |p: &Path| p.extension().is_some_and(|e| e == "tal" || e == "rs");
    for folder in ["tests", "crates", "xtask"] {
        for path in files(&root.join(folder), &known)? {
            let text = read(&path)?;
            let name = path.strip_prefix(root).unwrap_or(&path).display().to_string();
            let is_rust = name.ends_with(".rs");
            all.extend(if is_rust { rust(&name, &text, problems) } else { program(&name, &text, problems) });
        }
    }
    Ok(all)
}

/// Complains of classes without tests and of tests without a class.
fn compare(classes: &[Class], tests: &[Test], problems: &mut Vec<String>) {
    for test in tests {
        for name in test.classes.iter().filter(|n| classes.iter().all(|c| c.name != **n)) {
            problems.push(format!("{}: there is no class {name} in {PAGE}", test.place));
        }
        if !test.refuses && !test.accepts {
            let classes = test.classes.join(", ");
            problems
                .push(format!("{}: the test of {classes} neither refuses nor accepts anything", test.place));
        }
    }
    for class in classes {
        let problem = |what: String| format!("{PAGE}:{}: {}: {what}", class.line, class.name);
        let own: Vec<&Test> = tests.iter().filter(|t| t.classes.contains(&class.name)).collect();
        let has = |what: fn(&Test) -> bool| own.iter().any(|t| what(t));
        let sides: [(&str, bool, bool); 2] = [
            ("refused", has(|t| t.refuses && t.on.amd64), has(|t| t.refuses && t.on.ia32)),
            ("accepted beside it", has(|t| t.accepts && t.on.amd64), has(|t| t.accepts && t.on.ia32)),
        ];
        for (what, amd64, ia32) in sides {
            let missing = match class.on {
                On::Each(archs) => [("AMD64", archs.amd64 && !amd64), ("IA-32", archs.ia32 && !ia32)],
                On::Any => [("either architecture", !amd64 && !ia32), ("", false)],
                On::Nowhere => [("", false); 2],
            };
            for (arch, _) in missing.into_iter().filter(|m| m.1) {
                problems.push(problem(format!("on {arch} nothing is {what}")));
            }
        }
        // The kernel's own tests are on another page.
        let shown = class.shown.iter().filter(|_| class.on != On::Nowhere);
        for name in shown.filter(|n| own.iter().all(|t| t.name != **n)) {
            problems.push(problem(format!("`{name}` is no test that says `class: {}`", class.name)));
        }
    }
}

/// Checks the table against the tests.
pub(crate) fn tidy(root: &Path, problems: &mut Vec<String>) -> Done {
    let classes = classes(&read(&root.join(PAGE))?, problems);
    compare(&classes, &tests(root, problems)?, problems);
    kernel(&classes, &read(&root.join("docs/kernel-tests.md"))?, problems);
    Ok(())
}

/// What the kernel meets its page of tests tells.
fn kernel(classes: &[Class], page: &str, problems: &mut Vec<String>) {
    for class in classes.iter().filter(|c| c.on == On::Nowhere) {
        for name in class.shown.iter().filter(|n| !page.contains(&format!("`{n}`"))) {
            problems
                .push(format!("{PAGE}:{}: {}: docs/kernel-tests.md has no `{name}`", class.line, class.name));
        }
    }
}

/// Prints the tests of a class, or of all.
pub(crate) fn run(wanted: Option<&str>) -> Done {
    let (root, mut problems) = (root(), Vec::new());
    let classes = classes(&read(&root.join(PAGE))?, &mut problems);
    let tests = tests(&root, &mut problems)?;
    if let Some(name) = wanted.filter(|w| classes.iter().all(|c| c.name != **w)) {
        return Err(format!("there is no class {name}; {PAGE} lists them, from A1 on"));
    }
    let mut by_class: BTreeMap<&str, Vec<&Test>> = BTreeMap::new();
    for test in &tests {
        for class in &test.classes {
            by_class.entry(class).or_default().push(test);
        }
    }
    for class in classes.iter().filter(|c| wanted.is_none_or(|w| w == c.name)) {
        println!("{}: {}", class.name, class.attack);
        for test in by_class.get(&*class.name).into_iter().flatten() {
            let on = match (test.on.amd64, test.on.ia32) {
                (true, true) => "both ",
                (true, false) => "AMD64",
                _ => "IA-32",
            };
            println!("  {on} {:50} {}", test.name, test.place);
        }
    }
    let covered = classes.iter().filter(|c| by_class.contains_key(&*c.name)).count();
    println!("{} classes, {covered} with tests; {} tests", classes.len(), tests.len());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "| class | the attack | on | how | tests |\n| --- | --- | --- | --- | --- |\n\
        | A1 | jumps | both | labels | `jump` |\n| A2 | data | any | types | `data` |\n\
        | K5 | stacks | kernel | an IST stack | |\n";

    fn judged(table: &str, files: &[(&str, &str)]) -> Vec<String> {
        let mut problems = Vec::new();
        let classes = classes(table, &mut problems);
        let mut tests = Vec::new();
        for (path, text) in files {
            let read = if path.ends_with(".rs") { rust } else { program };
            tests.extend(read(path, text, &mut problems));
        }
        compare(&classes, &tests, &mut problems);
        problems
    }

    const JUMP: (&str, &str) = ("tests/reject/jump.tal", "; x\n; class: A1 on amd64, ia32\narch amd64\n");
    const DATA: (&str, &str) =
        ("t.rs", "/// class: A2 on amd64\n#[test]\nfn data() {\n    rejected(1);\n    accepted(2);\n}\n");

    #[test]
    fn classes_have_tests() {
        assert_eq!(judged(TABLE, &[JUMP, DATA]), [""; 0]);
    }

    #[test]
    fn what_is_missing_is_told() {
        let one = |files: &[_], word: &str| {
            let problems = judged(TABLE, files);
            assert!(problems.iter().any(|p| p.contains(word)), "{word}: {problems:?}");
        };
        one(&[JUMP], "docs/security.md:4: A2: on either architecture nothing is refused");
        one(&[DATA], "docs/security.md:3: A1: on AMD64 nothing is accepted");
        let amd64 = (JUMP.0, "; class: A1 on amd64\narch amd64\n");
        one(&[amd64, DATA], "A1: on IA-32 nothing is refused");
        one(
            &[(JUMP.0, "; class: A9 on amd64\narch amd64\n")],
            "tests/reject/jump.tal:1: there is no class A9",
        );
        one(&[(JUMP.0, "; class: A1\narch amd64\n")], "is not like");
        one(&[(JUMP.0, "arch amd64\n ret ; ~ error TAL0301\n")], "of which class of attacks");
        one(
            &[("tests/binary/b.tal", "arch amd64\n; class: A1 on ia32\n; patch TAL1: x\n")],
            "is not for IA-32",
        );
        one(&[("tests/reject/b.tal", "; class: A1 on amd64\narch ia32\n")], "is not for AMD64");
        one(&[("t.rs", "/// class: A2 on amd64\nfn data() {\n}\n")], "there is no test");
        one(&[("t.rs", "/// class: A2 on amd64\n#[test]\nfn data() {\n    accepted(2);\n}\n")], "is refused");
        one(
            &[("t.rs", "/// class: A2 on amd64\n#[test]\nfn data() {\n    rejected(2);\n}\n")],
            "is accepted beside",
        );
        one(&[("t.rs", &DATA.1.replace("fn data", "fn other"))], "`data` is no test that says `class: A2`");
    }

    #[test]
    fn sections_of_damaged_files_are_tests() {
        let text =
            "arch amd64\n; class: A1 on amd64\n; patch TAL1: x\n; class: A2 on amd64\n; patch accepted: x\n";
        let tests = program("tests/binary/b.tal", text, &mut Vec::new());
        assert_eq!(tests.iter().map(|t| t.refuses).collect::<Vec<_>>(), [true, false]);
        assert_eq!(tests[0].classes, ["A1"]);
    }

    #[test]
    fn tests_of_the_kernel_are_on_its_page() {
        let classes = classes("| K5 | stacks | kernel | an IST stack | `nmi`, `none` |", &mut Vec::new());
        let mut problems = Vec::new();
        kernel(&classes, "| NMIs | `nmi` |", &mut problems);
        assert_eq!(problems, ["docs/security.md:1: K5: docs/kernel-tests.md has no `none`"]);
    }

    #[test]
    fn rows_are_complete() {
        let one = |row: &str, word: &str| {
            let problems = judged(row, &[]);
            assert!(problems.iter().any(|p| p.contains(word)), "{word}: {problems:?}");
        };
        one("| A1 | x | both | y |", "a row has");
        one("| A1 | x | some | y | |", "is none of");
        one("| A1 | x | both | | `t` |", "is missing");
        one("| A1 | x | both | y | |", "names no test");
        one("| A1 | x | none | y | |\n| A1 | x | none | y | |", "two rows");
    }
}
