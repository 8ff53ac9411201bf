//! Tests that are files, with what is expected beside the line that it is about.
//!
//! A file is a program, or several modules separated by `;--- name.tal`. The folder says what happens to it:
//!
//! - `accept/*.tal` is assembled, linked and verified;
//! - `reject/*.tal` is refused, on exactly the lines and with exactly the codes that it says:
//!   `; ~ error TAL0301` at the end of a line, or `; ~ error TAL2001` alone on a line at the top for an error
//!   that is about no line of the source. `; twin: ../accept/NAME.tal` names an accepted program that differs
//!   in few lines. The object that a forger would make, the refused code with the annotations of its twin, is
//!   refused by the checker: with any code, or with the one of `; forged: TAL0301`. `; forged: accepted, ...`
//!   says why it may be accepted: because what the assembler refuses is safe;
//! - `binary/*.tal` is accepted as it is, and refused as `; patch TAL0007: at f+3 = 90 | ...` damages it: see
//!   [`crate::patch`]; each line is a test of its own. `; patch accepted: ...` stays accepted;
//! - `run/*.tal` is verified and run: `; args: a b`, `; stdin: text`, `; stdout: text`, `; exit: 1`. Texts are
//!   written as in Rust, without quotes; several lines of one kind are put together.
//!
//! `; class: C1 on amd64, ia32` says of which classes of attacks a test is, for `cargo xtask classes`.
//!
//! A file that says `arch amd64, ia32` is a test for each of them.

use crate::executable;
use crate::forge::forge;
use crate::patch;
use crate::toolchain::{self, Module, build, modules};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use taldiag::Code;

/// How many lines a refused program and its twin may differ in.
const FEW: usize = 6;

/// A file that is a test.
pub struct Case {
    /// Where it lies.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
}

/// A run of a program.
pub struct Run<'a> {
    /// Its arguments.
    pub args: Vec<&'a str>,
    /// Its standard input.
    pub input: Vec<u8>,
    /// What it prints.
    pub output: Vec<u8>,
    /// How it ends.
    pub exit: i32,
}

/// The files of a folder, in order of their names. With `TAL_FILE` in the environment, those whose name
/// contains it.
///
/// # Panics
/// If the folder cannot be read.
pub fn cases(folder: &Path) -> Vec<Case> {
    let filter = std::env::var("TAL_FILE").unwrap_or_default();
    let entries = std::fs::read_dir(folder).expect("the folder of the tests can be read");
    let mut paths: Vec<PathBuf> = entries.map(|e| e.expect("an entry of the folder").path()).collect();
    paths.retain(|p| p.extension().is_some_and(|e| e == "tal") && p.to_string_lossy().contains(&filter));
    paths.sort();
    let case = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).expect("a readable test");
        toolchain::each_arch(&text).into_iter().map(move |text| Case { path: path.clone(), text })
    };
    paths.into_iter().flat_map(case).collect()
}

impl Case {
    /// The values of the directives `; NAME: VALUE`.
    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let value = move |line: &'a str| line.strip_prefix("; ")?.strip_prefix(name)?.strip_prefix(':');
        self.text.lines().filter_map(value).map(str::trim)
    }

    /// Must be accepted.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn accepted(&self) -> Result<Option<Vec<u8>>, String> {
        build(&self.text).map_err(|r| format!("is refused:\n{}", r.text))
    }

    /// The text of the accepted program that it names.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn twin(&self) -> Result<String, String> {
        let twin = self.values("twin").next().ok_or("names no twin")?;
        let twin = self.path.parent().unwrap_or(Path::new(".")).join(twin);
        let twin = std::fs::read_to_string(&twin).map_err(|e| format!("its twin {}: {e}", twin.display()))?;
        // Both are for one architecture, the same one.
        let mut same = toolchain::each_arch(&twin).into_iter();
        Ok(same.find(|t| toolchain::arch(t) == toolchain::arch(&self.text)).unwrap_or(twin))
    }

    /// Must be refused where and as it says.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn rejected(&self) -> Result<(), String> {
        let mut expected = expectations(&self.text)?;
        if expected.is_empty() {
            return Err("expects no error".into());
        }
        let twin = self.twin()?;
        let differing = difference(&code_lines(&self.text), &code_lines(&twin));
        if differing == 0 || differing > FEW {
            return Err(format!("differs from its twin in {differing} lines, not in 1 to {FEW}"));
        }
        if let Err(r) = build(&twin) {
            return Err(format!("its twin is refused:\n{}", r.text));
        }
        let Err(refusal) = build(&self.text) else {
            return Err("is accepted".into());
        };
        let mut problems = Vec::new();
        for (code, place) in refusal.codes.iter().zip(&refusal.places) {
            let found = (place.clone().filter(|p| p.1 > 0), *code);
            match expected.iter().position(|e| *e == found) {
                Some(i) => drop(expected.remove(i)),
                None => problems.push(format!("unexpected {}", show(&found))),
            }
        }
        problems.extend(expected.iter().map(|e| format!("missing {}", show(e))));
        if !problems.is_empty() {
            return Err(format!("{}\n{}", problems.join("\n"), refusal.text));
        }
        self.forged(&twin)
    }

    /// With the annotations of its twin the program must be refused too.
    fn forged(&self, twin: &str) -> Result<(), String> {
        let said = self.values("forged").next();
        let (modules, twin) = (modules(&self.text), modules(twin));
        let objects = forge(&modules, &twin).map_err(|r| format!("its twin is refused:\n{}", r.text))?;
        let Some(objects) = objects else {
            return match said {
                Some(_) => Err("says what happens to a forged object, and none can be made".into()),
                None => Ok(()),
            };
        };
        match (said, toolchain::finish(&modules, objects)) {
            (Some(s), Ok(_)) if s.starts_with("accepted") => Ok(()),
            (_, Ok(_)) => Err("is accepted by the checker, with the annotations of its twin".into()),
            (None, Err(_)) => Ok(()),
            (Some(s), Err(r)) => match s.parse() {
                Ok(code) if r.codes[0] == code => Ok(()),
                _ => Err(format!("forged, is not `{s}`:\n{}", r.text)),
            },
        }
    }

    /// Must be accepted, and refused with each of its damages.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn damaged(&self) -> Result<(), String> {
        let mut problems = Vec::new();
        let mut count = 0;
        for damage in self.damages()? {
            count += 1;
            if let Err(e) = damage.image.and_then(|image| judge(damage.verdict, &image)) {
                problems.push(format!("`{}`: {e}", damage.line));
            }
        }
        match problems.is_empty() {
            true if count == 0 => Err("has no `; patch`".into()),
            true => Ok(()),
            false => Err(problems.join("\n")),
        }
    }

    /// The copies of the accepted program that its directives damage.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn damages(&self) -> Result<impl Iterator<Item = Damage<'_>>, String> {
        let image = self.accepted()?.ok_or("is no program")?;
        Ok(self.text.lines().filter_map(|l| l.strip_prefix("; patch ")).map(move |line| {
            let (verdict, changes) = line.split_once(':').unwrap_or((line, ""));
            let mut image = image.clone();
            let patched = match changes {
                "" => Err("there is no `:`".into()),
                _ => patch::apply(&mut image, &changes.replace('|', "\n")).map(|()| image),
            };
            Damage { line, verdict: verdict.trim(), image: patched }
        }))
    }

    /// The refused program with the annotations of its accepted twin, linked and not checked; `None` if it is no program
    /// or cannot be made.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn forgery(&self) -> Result<Option<Vec<u8>>, String> {
        let (text, twin) = (modules(&self.text), modules(&self.twin()?));
        if !text.iter().any(|m| m.text.contains("fn _start")) {
            return Ok(None);
        }
        let objects = forge(&text, &twin).map_err(|r| format!("its twin is refused:\n{}", r.text))?;
        Ok(objects.and_then(|objects| toolchain::link(objects).ok()))
    }

    /// Must be accepted and do what it says.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn run(&self, directory: &Path) -> Result<(), String> {
        let image = self.accepted()?.ok_or("is no program")?;
        let name = self.path.file_stem().unwrap_or_default();
        let program = directory.join(name);
        executable::write(&program, &image).map_err(|e| e.to_string())?;
        let mut command = Command::new(&program);
        let expected = self.expected()?;
        command.args(&expected.args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|e| e.to_string())?;
        if let Some(mut pipe) = child.stdin.take() {
            // A program that does not read its input closes the pipe.
            let _ = pipe.write_all(&expected.input);
        }
        let output = child.wait_with_output().map_err(|e| e.to_string())?;
        if output.status.code() != Some(expected.exit) {
            return Err(format!("ends with {}, not with {}", output.status, expected.exit));
        }
        if output.stdout != expected.output {
            let text = |b: &[u8]| b.escape_ascii().to_string();
            return Err(format!("prints \"{}\", not \"{}\"", text(&output.stdout), text(&expected.output)));
        }
        Ok(())
    }

    /// What it is run with, and what it does.
    ///
    /// # Errors
    /// A directive that cannot be read.
    pub fn expected(&self) -> Result<Run<'_>, String> {
        let exit = match self.values("exit").next() {
            Some(n) => n.parse().map_err(|_| format!("`{n}` is no exit code"))?,
            None => 0,
        };
        Ok(Run {
            args: self.values("args").flat_map(str::split_whitespace).collect(),
            input: self.bytes("stdin")?,
            output: self.bytes("stdout")?,
            exit,
        })
    }

    fn bytes(&self, name: &str) -> Result<Vec<u8>, String> {
        let mut all = Vec::new();
        for text in self.values(name) {
            unescape(text, &mut all)?;
        }
        Ok(all)
    }
}

/// Runs a test on each case; panics with everything that is wrong.
///
/// # Panics
/// If a case fails, or if there are none.
pub fn each(cases: &[Case], test: impl Fn(&Case) -> Result<(), String>) {
    assert!(!cases.is_empty(), "there are no tests of this name");
    let wrong: Vec<String> =
        cases.iter().filter_map(|c| test(c).err().map(|e| format!("{}: {e}", c.path.display()))).collect();
    assert!(wrong.is_empty(), "{} of {} fail:\n{}", wrong.len(), cases.len(), wrong.join("\n\n"));
}

/// A damaged copy of a program: a line `CODE: change | change` of a binary test.
pub struct Damage<'a> {
    /// The line.
    pub line: &'a str,
    /// `accepted`, or the code with which the checker refuses it.
    pub verdict: &'a str,
    /// The copy, or what is wrong with the line.
    pub image: Result<Vec<u8>, String>,
}

/// Whether the checker says that about it.
fn judge(verdict: &str, image: &[u8]) -> Result<(), String> {
    match (verdict, toolchain::check(image)) {
        ("accepted", Ok(_)) => Ok(()),
        ("accepted", Err(r)) => Err(format!("is refused:\n{}", r.text)),
        (code, result) => {
            let code: Code = code.parse()?;
            match result {
                Ok(_) => Err("is accepted".into()),
                Err(r) if r.codes[0] != code => Err(format!("is refused with another code:\n{}", r.text)),
                Err(_) => Ok(()),
            }
        }
    }
}

/// An error at a line of a file, or of the program as a whole.
type Expected = (Option<(String, usize)>, Code);

fn show(e: &Expected) -> String {
    match &e.0 {
        Some((file, line)) => format!("{} at {file}:{line}", e.1),
        None => format!("{} without a line", e.1),
    }
}

/// The errors that a text expects, by modules and their lines.
fn expectations(text: &str) -> Result<Vec<Expected>, String> {
    let mut all = Vec::new();
    for Module { name, text } in modules(text) {
        for (i, line) in text.lines().enumerate() {
            let Some((before, code)) = line.split_once("; ~ error ") else { continue };
            let code = code.split_whitespace().next().unwrap_or("").parse()?;
            let place = (!before.trim().is_empty()).then(|| (name.clone(), i + 1));
            all.push((place, code));
        }
    }
    Ok(all)
}

/// The lines without comments and blanks.
fn code_lines(text: &str) -> Vec<String> {
    let bare = |l: &str| match l.starts_with(";---") {
        true => l.to_string(),
        false => l.split(';').next().unwrap_or("").split_whitespace().collect::<Vec<_>>().join(" "),
    };
    text.lines().map(bare).filter(|l| !l.is_empty()).collect()
}

/// How many lines of the longer text have no partner in the other, by the longest common subsequence.
fn difference(a: &[String], b: &[String]) -> usize {
    let mut row = vec![0; b.len() + 1];
    for x in a {
        let mut diagonal = 0;
        for (j, y) in b.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = if x == y { diagonal + 1 } else { above.max(row[j]) };
            diagonal = above;
        }
    }
    a.len().max(b.len()) - row[b.len()]
}

fn unescape(text: &str, out: &mut Vec<u8>) -> Result<(), String> {
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.extend(c.to_string().bytes());
            continue;
        }
        match chars.next() {
            Some('n') => out.push(b'\n'),
            Some('t') => out.push(b'\t'),
            Some('\\') => out.push(b'\\'),
            Some('0') => out.push(0),
            Some('x') => {
                let digits: String = chars.by_ref().take(2).collect();
                out.push(u8::from_str_radix(&digits, 16).map_err(|_| format!("`\\x{digits}` is no byte"))?);
            }
            _ => return Err(format!("`{text}` has an unknown escape")),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expectations_have_lines() {
        let text = "; ~ error TAL2001\nx ; ~ error TAL0301 why\n;--- b.tal\n\ny\t; ~ error TAL0302\n";
        let place = |f: &str, l| Some((f.to_string(), l));
        let want = [(None, Code(2001)), (place("main.tal", 2), Code(301)), (place("b.tal", 2), Code(302))];
        assert_eq!(expectations(text).unwrap(), want);
    }

    #[test]
    fn differences_are_counted_in_lines() {
        let lines = |s: &str| code_lines(&s.replace('|', "\n"));
        assert_eq!(difference(&lines("a|b ; x|c"), &lines("a|b  ; y||c")), 0);
        assert_eq!(difference(&lines("a|b|c"), &lines("a|d|c")), 1);
        assert_eq!(difference(&lines("a|b|c"), &lines("a|c")), 1);
        assert_eq!(difference(&lines("a|b"), &lines("b|a|a")), 2);
    }

    #[test]
    fn texts_are_unescaped() {
        let mut out = Vec::new();
        unescape(r"a\n\x41\\\0", &mut out).unwrap();
        assert_eq!(out, b"a\nA\\\0");
        assert!(unescape(r"\q", &mut out).is_err());
    }
}
