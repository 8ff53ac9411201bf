//! `json` against a model of the format (RFC 8259), on texts that are written by hand, made up, and damaged.

use crate::build;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// How deep values may nest.
const DEEPEST: usize = 1000;

/// A text being looked at, and what has been shown of it.
struct Model<'t> {
    text: &'t [u8],
    at: usize,
    out: Vec<u8>,
}

/// Where a text is wrong, and why.
type Wrong = (usize, &'static str);

impl Model<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn space(&mut self) {
        while self.peek().is_some_and(|b| b" \t\r\n".contains(&b)) {
            self.at += 1;
        }
    }

    fn value(&mut self, indent: usize, depth: usize) -> Result<(), Wrong> {
        self.space();
        match self.peek().ok_or((self.at, "a value is expected"))? {
            b'"' => self.string(),
            b'-' | b'0'..=b'9' => self.number(),
            open @ (b'[' | b'{') => self.list(open, indent, depth),
            _ => {
                let rest = &self.text[self.at..];
                let words: [&[u8]; 3] = [b"null", b"true", b"false"];
                let word = words.into_iter().find(|w| rest.starts_with(w));
                let word = word.ok_or((self.at, "this is no value"))?;
                self.out.extend(word);
                self.at += word.len();
                Ok(())
            }
        }
    }

    fn list(&mut self, open: u8, indent: usize, depth: usize) -> Result<(), Wrong> {
        if depth >= DEEPEST {
            return Err((self.at, "values are nested too deeply"));
        }
        let close = open + 2;
        self.at += 1;
        self.out.push(open);
        self.space();
        if self.peek() == Some(close) {
            self.at += 1;
            self.out.push(close);
            return Ok(());
        }
        loop {
            self.line(indent + 2);
            if open == b'{' {
                self.space();
                if self.peek() != Some(b'"') {
                    return Err((self.at, "a string is expected"));
                }
                self.string()?;
                self.space();
                if self.peek() != Some(b':') {
                    return Err((self.at, "':' is expected"));
                }
                self.at += 1;
                self.out.extend(b": ");
            }
            self.value(indent + 2, depth + 1)?;
            self.space();
            match self.peek() {
                Some(b',') => self.out.push(b','),
                Some(b) if b == close => break,
                _ => return Err((self.at, "',' or the end of the list is expected")),
            }
            self.at += 1;
        }
        self.at += 1;
        self.line(indent);
        self.out.push(close);
        Ok(())
    }

    fn line(&mut self, indent: usize) {
        self.out.push(b'\n');
        self.out.resize(self.out.len() + indent, b' ');
    }

    fn string(&mut self) -> Result<(), Wrong> {
        let start = self.at;
        let open = Err((start, "the string does not end"));
        self.at += 1;
        loop {
            let Some(b) = self.peek() else { return open };
            if b < b' ' {
                return Err((self.at, "a control character in a string"));
            }
            self.at += 1;
            if b == b'"' {
                break;
            }
            if b != b'\\' {
                continue;
            }
            let Some(b) = self.peek() else { return open };
            if b == b'u' {
                for _ in 0..4 {
                    self.at += 1;
                    if !self.peek().is_some_and(|b| b.is_ascii_hexdigit()) {
                        return Err((self.at, "four hexadecimal digits are expected"));
                    }
                }
            } else if !b"\"\\/bfnrt".contains(&b) {
                return Err((self.at, "this escape is not known"));
            }
            self.at += 1;
        }
        self.out.extend(&self.text[start..self.at]);
        Ok(())
    }

    fn number(&mut self) -> Result<(), Wrong> {
        let start = self.at;
        self.at += usize::from(self.peek() == Some(b'-'));
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if self.peek().is_some_and(|b| b"eE".contains(&b)) {
            self.at += 1;
            self.at += usize::from(self.peek().is_some_and(|b| b"+-".contains(&b)));
            self.digits()?;
        }
        self.out.extend(&self.text[start..self.at]);
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Wrong> {
        if !self.peek().is_some_and(|b| b.is_ascii_digit()) {
            return Err((self.at, "a digit is expected"));
        }
        while self.peek().is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
        }
        Ok(())
    }
}

/// What is shown of a text, or what is said of it.
fn expected(text: &[u8]) -> Result<Vec<u8>, String> {
    let mut model = Model { text, at: 0, out: Vec::new() };
    let seen = model.value(0, 0).and_then(|()| {
        model.space();
        if model.at < text.len() { Err((model.at, "something follows the value")) } else { Ok(()) }
    });
    let out = model.out;
    match seen {
        Ok(()) => Ok([out, b"\n".to_vec()].concat()),
        Err((at, why)) => {
            let line = text[..at].split(|b| *b == b'\n').count();
            let column = at - text[..at].iter().rposition(|b| *b == b'\n').map_or(0, |n| n + 1) + 1;
            Err(format!("line {line}, column {column}: {why}\n"))
        }
    }
}

fn run(program: &Path, text: &[u8]) -> Output {
    let mut command = Command::new(program);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("a program can be started");
    let mut pipe = child.stdin.take().expect("there is a pipe");
    let text = text.to_vec();
    let feeder = std::thread::spawn(move || pipe.write_all(&text).expect("the program reads everything"));
    let out = child.wait_with_output().expect("a program can be waited for");
    feeder.join().expect("the writer ends");
    out
}

/// Whether the text was one.
#[track_caller]
fn same(text: &[u8]) -> bool {
    let same = |program: &PathBuf| same_by(program, text);
    let all: Vec<bool> = build::programs("json").iter().map(same).collect();
    all[0]
}

#[track_caller]
fn same_by(program: &Path, text: &[u8]) -> bool {
    let out = run(program, text);
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    let shown = text[..text.len().min(200)].escape_ascii();
    match expected(text) {
        Ok(right) => {
            assert!(out.status.code() == Some(0) && said.is_empty(), "{said} for {shown}");
            assert!(out.stdout == right, "{} for {shown}", out.stdout.escape_ascii());
            true
        }
        Err(message) => {
            assert!(said.ends_with(&format!(": {message}")), "{said}, not {message}, for {shown}");
            assert!(out.status.code() == Some(1) && out.stdout.is_empty(), "{shown}");
            false
        }
    }
}

#[test]
fn json() {
    for text in [
        "null",
        " true\n",
        "false",
        "0",
        "-0",
        "10.5e-3",
        "1E+9",
        "\"\"",
        "[]",
        "{}",
        "[ ]",
        "{ }",
        "[1]",
        "[1,2 ,\t3]",
        "{\"a\":1}",
        "{\"a\":{\"b\":[null,{}]},\"a\":\"\\u00e9\\n\\\"\"}",
        "[[[[]]],[{}]]",
        "\"\u{e9}\u{1f600}\"",
    ] {
        assert!(same(text.as_bytes()), "{text}");
        for end in 0..text.len() {
            same(&text.as_bytes()[..end]);
        }
    }
    for text in [
        "",
        " ",
        "nul",
        "nulll",
        "tru e",
        "falsy",
        "+1",
        "01",
        "1.",
        ".5",
        "1e",
        "1e+",
        "--1",
        "-",
        "0x1",
        "\"a",
        "\"\\x\"",
        "\"\\u12g4\"",
        "\"\\",
        "\"\t\"",
        "\"a\nb\"",
        "[",
        "[1",
        "[1,",
        "[1,]",
        "[,]",
        "]",
        "[1 2]",
        "{",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":1,",
        "{\"a\":1,}",
        "{a:1}",
        "{1:1}",
        "{\"a\" 1}",
        "{\"a\":1]",
        "[1}",
        "1 1",
        "[]\n\n []",
        "\n\n  x",
        "\u{feff}1",
        "'a'",
        "[1,\n2,\n3 4]",
        "\0",
    ] {
        assert!(!same(text.as_bytes()), "{text}");
    }
}

#[test]
fn json_deep_and_long() {
    let nested = |n: usize| [vec![b'['; n], vec![b']'; n]].concat();
    assert!(same(&nested(DEEPEST)));
    assert!(!same(&nested(DEEPEST + 1)));
    assert!(!same(&vec![b'['; 1 << 20]));
    assert!(!same("{\"a\":".repeat(100_000).as_bytes()));
    let long = (0..50_000).map(|i| format!("{{\"{i}\":[{i},\"{}\"]}}", "x".repeat(i % 300)));
    assert!(same(format!("[{}]", long.collect::<Vec<_>>().join(",")).as_bytes()));
    assert!(same(format!("\"{}\"", "long ".repeat(1 << 18)).as_bytes()));
}

fn made_up(rng: &mut fastrand::Rng, depth: u32, out: &mut Vec<u8>) {
    let space = |rng: &mut fastrand::Rng, out: &mut Vec<u8>| {
        (0..rng.usize(..2)).for_each(|_| out.push(b" \n\t\r"[rng.usize(..4)]));
    };
    space(rng, out);
    let scalars =
        ["null", "true", "false", "0", "-1.5", "1e9", "123456789012345678901234567890", "\"\"", "\"a\\\\\""];
    match rng.u32(..if depth == 0 { 2 } else { 5 }) {
        0 => out.extend(scalars[rng.usize(..scalars.len())].bytes()),
        1 => out.extend(format!("\"{}\\u{:04x}\"", rng.alphanumeric(), rng.u16(..)).bytes()),
        kind => {
            let object = kind == 2;
            out.push(if object { b'{' } else { b'[' });
            for i in 0..rng.usize(..5) {
                if i > 0 {
                    out.push(b',');
                }
                if object {
                    space(rng, out);
                    out.extend(format!("\"{i}\"").bytes());
                    space(rng, out);
                    out.push(b':');
                }
                made_up(rng, depth - 1, out);
            }
            space(rng, out);
            out.push(if object { b'}' } else { b']' });
        }
    }
    space(rng, out);
}

#[test]
fn json_made_up() {
    let mut rng = fastrand::Rng::with_seed(12);
    let mut wrong = 0;
    for _ in 0..150 {
        let mut text = Vec::new();
        made_up(&mut rng, 6, &mut text);
        assert!(same(&text), "{}", text.escape_ascii());
        for _ in 0..rng.usize(1..4) {
            let at = rng.usize(..text.len());
            match rng.u8(..3) {
                0 => drop(text.remove(at)),
                1 => text.insert(at, b"[]{},:\"\\0 eu\n"[rng.usize(..13)]),
                _ => text[at] = rng.u8(..),
            }
            if text.is_empty() {
                break;
            }
        }
        wrong += u32::from(!same(&text));
    }
    assert!(wrong > 50, "only {wrong} texts were damaged");
}

/// Each file that is no text, or cannot be read, gets a message.
#[test]
fn json_of_files() {
    let dir = tempfile::tempdir().expect("a directory can be made");
    let path = dir.path().join("text");
    std::fs::write(&path, "[1, 2]").expect("a file can be written");
    for program in build::programs("json") {
        let run = |args: &[&str]| {
            Command::new(&program).args(args).current_dir(dir.path()).output().expect("it runs")
        };
        let out = run(&["text"]);
        assert_eq!((out.status.code(), &out.stdout[..]), (Some(0), &b"[\n  1,\n  2\n]\n"[..]));
        for (args, message) in [
            (&["missing"][..], ": missing: No such file or directory\n"),
            (&["."], ": .: Is a directory\n"),
            (&["a", "b"], ": usage: json [FILE]\n"),
        ] {
            let out = run(args);
            let said = String::from_utf8_lossy(&out.stderr);
            assert!(out.status.code() == Some(1) && said.ends_with(message), "{said}");
        }
    }
}

/// Without the look at the kind, the items of an array could be anything.
#[test]
fn json_looks_at_kinds() {
    let changed = build::changed("json", "jmp     [shown + wordsize*xax]", "jmp     .array");
    assert!(changed.is_err_and(|e| e.contains("TAL0307")));
    let changed = build::changed(
        "json",
        "shown: .text, .text_too, .array, .object",
        "shown: .array, .text, .text_too, .object",
    );
    assert!(changed.is_err());
}
