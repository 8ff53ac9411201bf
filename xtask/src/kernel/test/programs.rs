//! Every example does in ring 0 what it does in user mode.

use super::tap::Tap;
use super::{Outcome, counted, outcome};
use crate::kernel::guest::Guest;
use crate::tools::{read, root};
use std::path::{Path, PathBuf};

/// Arguments with which examples are run; `FILE` is a text of the guest. An example that is not named runs without
/// arguments.
const CASES: &[(&str, &[&[&str]])] = &[
    ("cat", &[&[], &["FILE"], &["FILE", "-", "FILE"], &["/absent"], &["/tmp"]]),
    ("echo", &[&[], &["-n", "words", "and words"], &["a", "", "b"]]),
    // A server runs until it is told to end: only what it says at once.
    ("echod", &[&["--help"], &["-p", "70000"], &["-a", "::1::"]]),
    ("file-bench", &[&["--help"], &["/absent/file"], &["-s", "1000", "-r", "16", "/tmp/file"]]),
    (
        "find",
        &[&["/examples"], &["/", "-maxdepth", "1", "-type", "d", "-size", "-9"], &["/absent"], &["-name"]],
    ),
    ("head", &[&[], &["-n", "3", "FILE"], &["-c", "1000", "FILE", "FILE"], &["-n", "x"]]),
    ("ls", &[&["/examples"], &["-ap", "/", "FILE"], &["/absent"]]),
    ("rpn", &[&["3", "4", "+", "2", "*"], &["1", "0", "/"], &["+"]]),
    ("sha256sum", &[&[], &["FILE"], &["FILE", "/absent"]]),
    ("tr", &[&["a-z", "A-Z"], &["-d", "aeiou"], &["-s", " "]]),
    ("uniq", &[&[], &["-c", "FILE"], &["-d", "/absent"]]),
    ("wc", &[&[], &["FILE", "FILE"], &["-l", "FILE"], &["/absent"]]),
];

/// For the other examples.
const NO_ARGUMENTS: &[&[&str]] = &[&[]];

/// Where the text is.
const FILE: &str = "/tmp/text";

/// Where the programs are.
pub(crate) fn place(program: &Path) -> String {
    format!("/examples/{}", program.file_name().unwrap_or_default().to_string_lossy())
}

/// Runs each example in both modes.
pub(crate) fn test(guest: &mut Guest, examples: &[PathBuf], tap: &mut Tap) -> Result<(), String> {
    let text = read(&root().join("README.md"))?.repeat(40);
    guest.write(FILE, text.as_bytes()).map_err(|t| t.text())?;
    for example in examples {
        let content = std::fs::read(example).map_err(|e| format!("{}: {e}", example.display()))?;
        let program = place(example);
        guest.write(&program, &content).map_err(|t| t.text())?;
        let name = program.trim_start_matches("/examples/");
        let cases = CASES.iter().find(|c| c.0 == name).map_or(NO_ARGUMENTS, |c| c.1);
        for args in cases {
            let args = args.iter().map(|&a| if a == "FILE" { FILE } else { a });
            let words: Vec<&str> = [program.as_str()].into_iter().chain(args).collect();
            same(guest, &words, text.as_bytes(), tap)?;
        }
    }
    if let Some(example) = examples.first() {
        unmarked(guest, example, tap)?;
    }
    Ok(())
}

/// Runs a program in both modes, with a look at what the kernel counts.
fn same(guest: &mut Guest, words: &[&str], input: &[u8], tap: &mut Tap) -> Result<(), String> {
    let name = words.join(" ");
    let before = counted(guest);
    let user = executed(outcome(guest, true, words, input))?;
    let between = counted(guest);
    let ring0 = executed(outcome(guest, false, words, input))?;
    let after = counted(guest);
    let details = format!("in user mode: {}\nin ring 0: {}", shown(&user), shown(&ring0));
    tap.report(user.is_ok() && user == ring0, &format!("{name}: the same in both modes"), &details);
    tap.report(
        before == between,
        &format!("{name}: user mode is user mode"),
        &format!("{before:?}, then {between:?}"),
    );
    let ran = after.started == between.started + 1 && after.calls > between.calls;
    tap.report(ran, &format!("{name}: ring 0 is ring 0"), &format!("{between:?}, then {after:?}"));
    Ok(())
}

/// An outcome, or why there is none; `Err` if the machine broke.
type Executed = Result<Outcome, String>;

fn executed(
    outcome: Result<Outcome, Result<kml_init::protocol::Failure, String>>,
) -> Result<Executed, String> {
    match outcome {
        Ok(outcome) => Ok(Ok(outcome)),
        Err(Ok(failure)) => Ok(Err(format!("not executed: {}\n{}", failure.text, failure.log))),
        Err(Err(broken)) => Err(broken),
    }
}

fn shown(outcome: &Executed) -> String {
    match outcome {
        Ok(o) => {
            let start = |b: &[u8]| String::from_utf8_lossy(&b[..b.len().min(200)]).into_owned();
            format!(
                "status {}, {} bytes of output: {:?}, errors: {:?}",
                o.status,
                o.output.len(),
                start(&o.output),
                start(&o.error)
            )
        }
        Err(e) => e.clone(),
    }
}

/// A program without notes is an ordinary process even if verified programs would run in ring 0.
fn unmarked(guest: &mut Guest, example: &Path, tap: &mut Tap) -> Result<(), String> {
    let mut content = std::fs::read(example).map_err(|e| format!("{}: {e}", example.display()))?;
    forget_notes(&mut content);
    guest.write("/tmp/unmarked", &content).map_err(|t| t.text())?;
    let before = counted(guest);
    let plain = executed(outcome(guest, false, &["/tmp/unmarked"], b""))?;
    let after = counted(guest);
    let marked = executed(outcome(guest, true, &[place(example).as_str()], b""))?;
    let same = plain.as_ref().is_ok_and(|p| marked.as_ref().is_ok_and(|m| m.output == p.output));
    tap.report(same, "a program without notes runs", &shown(&plain));
    tap.report(
        before == after,
        "a program without notes runs in user mode",
        &format!("{before:?}, then {after:?}"),
    );
    Ok(())
}

/// Makes the program headers of notes say that they mean nothing.
pub(crate) fn forget_notes(elf: &mut [u8]) {
    const PT_NOTE: [u8; 4] = [4, 0, 0, 0];
    let field = |elf: &[u8], at: usize| {
        elf.get(at..at + 8).map(|b| b.iter().rev().fold(0, |n, &d| n << 8 | usize::from(d)))
    };
    // e_phoff; e_phentsize and e_phnum are 56 and in the bytes from 56 on.
    let Some(headers) = field(elf, 32) else { return };
    let count = elf.get(56..58).map_or(0, |b| usize::from(b[0]) | usize::from(b[1]) << 8);
    for i in 0..count {
        let at = headers + 56 * i;
        if let Some(kind) = elf.get_mut(at..at + 4)
            && kind == PT_NOTE
        {
            kind.fill(0);
        }
    }
}
