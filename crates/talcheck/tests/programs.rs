//! The command on programs that talasm and tallink made.

use object::{Object, ObjectSymbol};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tal_testkit::{patch, toolchain};

const SOURCE: &str = "arch amd64

bss numbers: [10]int

; The sum of n words.
pub fn sum[n](rdi: &[n]int, rsi: int(n)) -> (rax: int)
        xor     eax, eax
        xor     ecx, ecx
        jmp     .test
.next:  add     rax, [rdi + 8*rcx]      ; in bounds
        inc     rcx
.test:  cmp     rcx, rsi
        jb      .next
        ret

pub fn _start: start
        lea     rdi, [numbers]
        mov     esi, 10
        call    sum
        mov     edi, eax
        sys     exit_group
        ud2
";

/// The program, with debugging information, in a directory of its own.
struct Program {
    directory: tempfile::TempDir,
    image: Vec<u8>,
}

impl Program {
    fn new() -> Program {
        let directory = tempfile::tempdir().unwrap();
        let source = directory.path().join("sum.tal");
        std::fs::write(&source, SOURCE).unwrap();
        let object = toolchain::assemble_file(&source).unwrap_or_else(|r| panic!("{}", r.text));
        let image = toolchain::link(vec![object]).unwrap_or_else(|r| panic!("{}", r.text));
        Program { directory, image }
    }

    fn write(&self, name: &str, patched: &str) -> PathBuf {
        let mut image = self.image.clone();
        patch::apply(&mut image, patched).unwrap();
        let path = self.directory.path().join(name);
        std::fs::write(&path, image).unwrap();
        path
    }
}

fn talcheck(args: &[&str], files: &[&Path]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_talcheck")).args(args).args(files).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn an_accepted_program_is_one_line() {
    let program = Program::new();
    let path = program.write("good", "");
    let out = talcheck(&[], &[&path]);
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    let line = text(&out.stdout);
    assert!(
        line.starts_with(&format!("{}: accepted (AMD64, 2 functions, 14 instructions, ", path.display())),
        "{line}"
    );
    assert_eq!(line.lines().count(), 1);

    let stats = talcheck(&["--stats"], &[&path]);
    assert!(text(&stats.stdout).lines().count() > 5, "{}", text(&stats.stdout));
    let json = talcheck(&["--stats", "--format", "json"], &[&path]);
    let value: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((value["verdict"].as_str(), value["functions"].as_u64()), (Some("accepted"), Some(2)));
    assert!(value["labels"].as_u64() > Some(0));
}

#[test]
fn many_files_at_a_time_come_in_order() {
    let program = Program::new();
    let good = program.write("good", "");
    let bad = program.write("bad", "at sum+0 = f4");
    let files: Vec<&Path> =
        (0..20).map(|i| if i % 3 == 0 { bad.as_path() } else { good.as_path() }).collect();
    let runs: Vec<Output> =
        ["1", "7"].iter().map(|n| talcheck(&["--format", "json", "--jobs", n], &files)).collect();
    assert_eq!(runs[0].stdout, runs[1].stdout);
    assert_eq!((runs[0].status.code(), runs[1].status.code()), (Some(1), Some(1)));
    let lines: Vec<bool> = text(&runs[0].stdout).lines().map(|l| l.contains("TAL0100")).collect();
    assert_eq!(lines, (0..20).map(|i| i % 3 == 0).collect::<Vec<_>>());
}

/// The instruction, the function, the source line and what was known, all of it in the message.
#[test]
fn a_rejection_shows_source_and_state() {
    let program = Program::new();
    // `jb` becomes `jbe`: the label's facts no longer hold.
    let jump = SOURCE.find("jb ").unwrap();
    let line = SOURCE[..jump].lines().count();
    let at = (0..64).find(|i| {
        let mut image = program.image.clone();
        patch::apply(&mut image, &format!("at sum+{i} = 76")).is_ok() && {
            let mut probe = program.image.clone();
            patch::apply(&mut probe, &format!("at sum+{i} = 72"))
                .is_err_and(|e| e.contains("changes nothing"))
        }
    });
    let bad = program.write("bad", &format!("at sum+{} = 76", at.expect("a `jb`")));
    let out = talcheck(&["--color", "never"], &[&bad]);
    assert_eq!(out.status.code(), Some(1));
    let message = text(&out.stderr);
    for part in [
        "error[TAL0502]",
        "(sum+0x",
        "jbe",
        &format!("sum.tal:{line}:"),
        "jb      .next",
        "not proved: ",
        "rcx",
    ] {
        assert!(message.contains(part), "`{part}` is not in\n{message}");
    }
}

/// What debug information and symbols say never changes the verdict, and neither does their absence.
#[test]
fn symbols_do_not_matter() {
    let program = Program::new();
    let sections = "at file+0x28 = 00 00 00 00 00 00 00 00\nat file+0x3c = 00 00 00 00";
    let good = program.write("good", sections);
    assert_eq!(talcheck(&[], &[&good]).status.code(), Some(0));
    let bad = program.write("bad", &format!("at sum+0 = f4\n{sections}"));
    let out = talcheck(&["--format", "short"], &[&bad]);
    assert_eq!(out.status.code(), Some(1));
    assert!(
        text(&out.stderr).contains("error[TAL0100]") && !text(&out.stderr).contains("sum+"),
        "{}",
        text(&out.stderr)
    );
}

#[test]
fn dump_shows_types_code_and_states() {
    let program = Program::new();
    let path = program.write("good", "");
    let out = talcheck(&["dump"], &[&path]);
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    let shown = text(&out.stdout);
    for part in [
        "numbers: ref [10]int",
        "sum: fn [n](rdi: &[n]int, rsi: int(n)) -> (rax: int)",
        "_start: start",
        ": label",
        "; rdi: &[n]int",
        "add rax, [rdi + rcx*8]",
        "sum.tal:10",
        "gate slot 0x",
    ] {
        assert!(shown.contains(part), "`{part}` is not in\n{shown}");
    }
    // A rejected function is shown up to where it is rejected.
    let bad = program.write("bad", "at sum+2 = f4");
    let shown = talcheck(&["dump"], &[&bad]);
    assert!(text(&shown.stdout).contains("; rejected here: TAL0100: "), "{}", text(&shown.stdout));
}

#[test]
fn modules_are_verified_against_their_imports() {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("m.tal");
    let module = "arch amd64\nimport fn get(rdi: &mut [16])\nbss b: bytes(16)\npub fn f()\n        lea     rdi, [b]\n        \
                  call    get\n        ret\n";
    std::fs::write(&source, module).unwrap();
    let object = toolchain::assemble_file(&source).unwrap_or_else(|r| panic!("{}", r.text));
    let path = directory.path().join("m.o");
    std::fs::write(&path, &object.bytes).unwrap();
    let out = talcheck(&[], &[&path]);
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    assert!(text(&out.stdout).contains(": accepted as a module ("), "{}", text(&out.stdout));
    // Cut off, it is no module.
    std::fs::write(&path, &object.bytes[..object.bytes.len() / 2]).unwrap();
    assert_eq!(talcheck(&[], &[&path]).status.code(), Some(1));
}

/// What a kernel asks at exec: the program on standard input, no other file, the verdict in the exit code.
#[test]
fn a_kernel_is_answered_by_exit_code() {
    let program = Program::new();
    let ask = |image: &Path| {
        let file = std::fs::File::open(image).unwrap();
        let out = Command::new(env!("CARGO_BIN_EXE_talcheck")).arg("--kernel").stdin(file).output().unwrap();
        assert!(out.stderr.is_empty(), "{out:?}");
        (out.status.code(), text(&out.stdout).to_string())
    };
    let file = object::File::parse(&*program.image).unwrap();
    let gate = file.symbol_by_name("__tal_gate").expect("the gate slot has a symbol").address();
    let accepted = format!("gate {gate:#x}\n");
    assert_eq!(ask(&program.write("good", "")), (Some(42), accepted.clone()));

    // The whole file, byte by byte where it is code, cannot be damaged without an answer.
    let bad = program.directory.path().join("bad");
    let mut refused = 0;
    for at in (0..program.image.len()).step_by(97) {
        let mut image = program.image.clone();
        image[at] ^= 0xff;
        std::fs::write(&bad, &image).unwrap();
        match ask(&bad) {
            (Some(42), line) => assert_eq!(line, accepted),
            (Some(1), line) => {
                refused += 1;
                assert!(line.starts_with("TAL") && line.ends_with('\n') && line.len() <= 160, "{line:?}");
                assert_eq!(line.lines().count(), 1);
            }
            other => panic!("byte {at:#x}: {other:?}"),
        }
    }
    assert!(refused > 0);
    std::fs::write(&bad, "").unwrap();
    assert_eq!(ask(&bad).0, Some(1));
}

/// `--spectre` reaches the verdict in every form of the question.
/// class: K10 on amd64
#[test]
fn wrong_predictions_are_looked_at_when_asked() {
    let program = Program::new();
    let image = program.write("good", "");
    let ask = |arguments: &[&str]| {
        let file = std::fs::File::open(&image).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_talcheck"));
        let out = command.args(arguments).stdin(file).output().unwrap();
        (out.status.code(), text(&out.stdout).to_string() + text(&out.stderr))
    };
    for (arguments, accepted, refused) in [(&["--kernel"][..], 42, 1), (&["-"], 0, 1)] {
        assert_eq!(ask(arguments).0, Some(accepted));
        let (code, said) = ask(&[&["--spectre"], arguments].concat());
        assert_eq!(code, Some(refused), "{said}");
        assert!(said.contains("TAL0502"), "{said}"); // the loop's test is guessed
    }
}
