//! Every example under the interpreter that watches: it breaks no rule, its annotations do not lie, and it gives what it
//! gives by itself.

use super::{build, fixture};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use tal_testkit::interp::{Claims, Host, Machine, Stop};
use tal_testkit::toolchain::Image;
use talcore::arch::Arch;

/// More steps than any of these runs takes.
const STEPS: u64 = 20_000_000;

const WORDS: &[u8] = b"the quick brown fox\njumps over\nthe lazy dog\n\n12 7 -3 7\nthe end";

/// What each example is run with: its name, arguments, and what it reads.
const RUNS: &[(&str, &[&str], &[u8])] = &[
    ("alloc", &[], b""),
    ("cat", &["-n", "-"], WORDS),
    ("cat", &["missing"], b""),
    ("echo", &["-e", "a\\tb", "c"], b""),
    ("echo-bench", &["-c", "5", "-n", "7x", "::1", "7"], b""),
    ("echod", &["--help"], b""),
    ("echod", &["-p", "7", "-a", "1.2.3.4.5"], b""),
    ("fib", &[], b""),
    ("file-bench", &["missing/file"], b""),
    ("file-bench", &["-s", "10", "-r", "4", "file"], b""),
    ("find", &["."], b""),
    ("find", &[".", "(", "-type", "f", "-name", "[a-m]*", "-o", "-name", "missing", ")", "-print0"], b""),
    ("find", &["-L", ".", "missing", "-depth", "!", "-iname", "*E*"], b""),
    ("find", &[".", "-name", "x", "-o"], b""),
    ("find", &[".", "-size", "-3", "-mtime", "-1", "-printf", "%f %s %T@ %TY %i %D %M\\n"], b""),
    ("find", &["text", ".", "-newer", "text", "-perm", "-u+r", "!", "-samefile", "text", "-links", "1"], b""),
    ("freq", &[], WORDS),
    ("head", &["-n", "2"], WORDS),
    ("head", &["-c", "7", "-"], WORDS),
    ("hello", &[], b""),
    ("json", &[], b"{\"a\": [1, \"b\\u0041\", {}], \"c\": null, \"d\": [[], true]}"),
    ("json", &[], b"[1,\n{\"a\": [2, \"x\", }]"),
    ("ls", &["."], b""),
    ("ls", &["missing", "."], b""),
    ("rpn", &["3 4 + 2 *"], b"3 4 + 2 *\n"),
    ("sha256sum", &[], WORDS),
    ("sieve", &["200"], b""),
    ("sort", &[], WORDS),
    ("sort", &["-n", "-r", "-u"], b"10\n9\n10\n-4\nx\n"),
    ("tac", &[], WORDS),
    ("tr", &["a-z", "A-Z"], WORDS),
    ("tr", &["-d", "aeiou"], WORDS),
    ("tree", &[], WORDS),
    ("uniq", &["-c"], b"a\na\nb\na\n"),
    ("walk", &[], b""),
    ("walk", &["directory", "missing"], b""),
    ("wc", &[], WORDS),
    ("wc", &["-l", "missing", "-"], WORDS),
];

/// The standard output, the standard error, and how it ended.
type Seen = (String, String, Option<i32>);

fn alone(program: &Path, name: &str, args: &[&str], input: &[u8], directory: &Path) -> Seen {
    let mut child = Command::new(program)
        .arg0(name)
        .args(args)
        .env_clear()
        .envs([("PATH", "/bin"), ("EMPTY", "")])
        .current_dir(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("an example can be started");
    // It need not read what it is given.
    let _ = child.stdin.take().expect("a pipe").write_all(input);
    let out = child.wait_with_output().expect("it ends");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&out.stdout), text(&out.stderr), out.status.code())
}

fn watched(program: &Path, name: &str, args: &[&str], input: &[u8], directory: &Path) -> Seen {
    let image = Image::Program(std::fs::read(program).expect("the example"));
    let program = image.load().expect("an accepted example");
    let claims = Claims::of(&program, image.bytes());
    let args: Vec<&[u8]> = [name].iter().chain(args).map(|a| a.as_bytes()).collect();
    let mut machine =
        Machine::new(&program, &args, 1).with_claims(&claims).with_host(Host::new(directory, input));
    match machine.run(STEPS) {
        Ok(Stop::Exit) => {}
        Ok(stop) => panic!("{name}: {stop:?}"),
        Err(v) => panic!("{name}: at {:#x}: {}\n{}", v.rip, v.what, v.history),
    }
    let host = machine.host().expect("the world around it");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&host.output), text(&host.errors), host.status)
}

#[test]
fn examples_give_the_same() {
    let files = fixture::directory();
    for name in [Arch::Amd64, Arch::Ia32].into_iter().flat_map(build::names) {
        assert!(RUNS.iter().any(|r| r.0 == name), "{name} is not run here");
    }
    for &(name, args, input) in RUNS {
        for program in build::programs(name) {
            let expected = alone(&program, name, args, input, files.path());
            let seen = watched(&program, name, args, input, files.path());
            assert_eq!(seen, expected, "{} {args:?}", program.display());
        }
    }
}
