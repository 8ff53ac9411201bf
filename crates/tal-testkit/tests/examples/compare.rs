//! Running two programs on the same input and comparing everything that can be seen.

use super::{build, fixture};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

/// Where the standard input comes from.
#[derive(Clone)]
pub(crate) enum Input {
    /// `/dev/null`.
    Nothing,
    /// A file, by its name in the directory of the test.
    File(&'static str),
    /// A pipe that gives these bytes in pieces of this length.
    Pipe(Vec<u8>, usize),
    /// A file descriptor that is closed.
    Closed,
}

/// Where the standard output goes to.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Output {
    /// A pipe that is read to the end.
    Pipe,
    /// The same, together with the standard error: shows the order of both.
    Both,
    /// A pipe that nobody reads.
    Broken,
    /// The same, with the signal ignored.
    BrokenIgnored,
    /// A device that is always full.
    Full,
    /// The end of this file.
    Append(&'static str),
}

/// What a program did.
#[derive(PartialEq)]
struct Outcome {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    code: Option<i32>,
    signal: Option<i32>,
}

/// A tool, ours and the original.
pub(crate) struct Tool {
    name: &'static str,
    /// Ours, for each architecture.
    pub(crate) ours: Vec<PathBuf>,
    pub(crate) theirs: PathBuf,
    /// The directory that both run in.
    pub(crate) dir: TempDir,
}

impl Tool {
    /// The tool of this name, in a directory with [`fixture::FILES`]; `None` if this machine does not have the original.
    pub(crate) fn find(name: &'static str) -> Option<Tool> {
        let ours = build::programs(name); // before anything is started: see there
        let paths = [Path::new("/usr/bin").join(name), Path::new("/bin").join(name)];
        let theirs = paths.into_iter().find(|p| is_gnu(p));
        let Some(theirs) = theirs else {
            eprintln!("skipped: there is no GNU `{name}` on this machine to compare with");
            return None;
        };
        Some(Tool { name, ours, theirs, dir: fixture::directory() })
    }

    /// Both do the same with these arguments and nothing to read.
    pub(crate) fn same(&self, args: &[&str]) {
        self.same_with(args, Input::Nothing, Output::Pipe);
    }

    /// Both do the same with these arguments and this standard input.
    pub(crate) fn same_from(&self, args: &[&str], input: Input) {
        self.same_with(args, input, Output::Pipe);
    }

    /// Both do the same, in a given surrounding.
    pub(crate) fn same_with(&self, args: &[&str], input: Input, output: Output) {
        let theirs = self.run(&self.theirs, args, &input, output);
        for program in &self.ours {
            let ours = self.run(program, args, &input, output);
            self.compare(program, args, &input, &ours, &theirs);
        }
    }

    /// How many programs run for each comparison.
    pub(crate) fn runs(&self) -> usize {
        self.ours.len() + 1
    }

    /// The same, but only the first line of the standard error counts.
    pub(crate) fn same_first_complaint(&self, args: &[&str], input: Input, output: Output) {
        let mut theirs = self.run(&self.theirs, args, &input, output);
        theirs.first_complaint();
        for program in &self.ours {
            let mut ours = self.run(program, args, &input, output);
            ours.first_complaint();
            self.compare(program, args, &input, &ours, &theirs);
        }
    }

    /// The same, but where both complain, the complaints may be others.
    pub(crate) fn same_but_complaints(&self, args: &[&str]) {
        let outcome = |program| {
            let mut outcome = self.run(program, args, &Input::Nothing, Output::Pipe);
            let name = format!("{}: ", self.name);
            if outcome.stderr.starts_with(name.as_bytes()) {
                outcome.stderr = b"a complaint".to_vec();
            }
            outcome
        };
        let theirs = outcome(&self.theirs);
        for program in &self.ours {
            self.compare(program, args, &Input::Nothing, &outcome(program), &theirs);
        }
    }

    /// The same, but for the order of the lines.
    pub(crate) fn same_lines(&self, args: &[&str]) {
        let (input, output) = (Input::Nothing, Output::Pipe);
        let mut theirs = self.run(&self.theirs, args, &input, output);
        theirs.sort_lines();
        for program in &self.ours {
            let mut ours = self.run(program, args, &input, output);
            ours.sort_lines();
            self.compare(program, args, &input, &ours, &theirs);
        }
    }

    fn compare(&self, program: &Path, args: &[&str], input: &Input, ours: &Outcome, theirs: &Outcome) {
        assert!(
            ours == theirs,
            "{} {args:?} from {}:\n  ours:   {}\n  theirs: {}\n  {}",
            program.display(),
            input.describe(),
            ours.describe(),
            theirs.describe(),
            first_difference(&ours.stdout, &theirs.stdout),
        );
    }

    fn run(&self, program: &Path, args: &[&str], input: &Input, output: Output) -> Outcome {
        let shell = match output {
            Output::Both => Some("exec \"$0\" \"$@\" 2>&1"),
            Output::BrokenIgnored => Some("trap '' PIPE; exec \"$0\" \"$@\""),
            _ if matches!(input, Input::Closed) => Some("exec \"$0\" \"$@\" <&-"),
            _ => None,
        };
        let mut command = match shell {
            // The shell finds the program by its bare name, which is then what it calls itself.
            Some(script) => {
                let mut c = Command::new("/bin/sh");
                c.args(["-c", script, self.name]);
                c
            }
            None => {
                let mut c = Command::new(program);
                c.arg0(self.name);
                c
            }
        };
        command.args(args).current_dir(self.dir.path()).env_clear().env("LC_ALL", "C").env("TZ", "UTC0");
        command.env("PATH", program.parent().expect("a program is in a directory"));
        command.stdin(input.stdio(self.dir.path())).stderr(Stdio::piped());
        command.stdout(match output {
            Output::Full => File::create("/dev/full").expect("/dev/full can be opened").into(),
            Output::Append(name) => {
                let path = self.dir.path().join(name);
                File::options().append(true).open(path).expect("a file can be opened").into()
            }
            Output::Broken | Output::BrokenIgnored => broken_pipe().into(),
            Output::Pipe | Output::Both => Stdio::piped(),
        });
        let mut child = command.spawn().expect("a program can be started");
        drop(command);
        let feeder = input.feed(&mut child);
        let outcome = collect(child);
        if let Some(feeder) = feeder {
            feeder.join().expect("the writer of the pipe ends");
        }
        outcome
    }
}

/// A pipe whose reader is gone. A program that another test starts at this moment has a copy of the reader, until it is
/// executed.
fn broken_pipe() -> io::PipeWriter {
    let (reader, mut writer) = io::pipe().expect("a pipe can be made");
    drop(reader);
    while writer.write(b"?").is_ok() {
        thread::sleep(Duration::from_millis(1));
    }
    writer
}

impl Input {
    fn stdio(&self, dir: &Path) -> Stdio {
        match self {
            Input::Nothing | Input::Closed => Stdio::null(),
            Input::File(name) => File::open(dir.join(name)).expect("an input can be opened").into(),
            Input::Pipe(..) => Stdio::piped(),
        }
    }

    /// Writes to the pipe from a thread. A program may stop reading early.
    fn feed(&self, child: &mut Child) -> Option<thread::JoinHandle<()>> {
        let Input::Pipe(bytes, piece) = self.clone() else { return None };
        let mut pipe = child.stdin.take()?;
        Some(thread::spawn(move || {
            for piece in bytes.chunks(piece) {
                if pipe.write_all(piece).is_err() {
                    return;
                }
            }
        }))
    }

    fn describe(&self) -> String {
        match self {
            Input::Nothing => "nothing".into(),
            Input::File(name) => format!("the file {name:?}"),
            Input::Pipe(bytes, piece) => {
                format!("a pipe of {} bytes, {piece} at a time: {}", bytes.len(), start(bytes))
            }
            Input::Closed => "a closed descriptor".into(),
        }
    }
}

impl Outcome {
    /// Puts the lines of the standard output in order.
    fn sort_lines(&mut self) {
        let mut lines: Vec<&[u8]> = self.stdout.split(|b| *b == b'\n').collect();
        lines.sort_unstable();
        self.stdout = lines.join(&b'\n');
    }

    /// Leaves the first line of the standard error.
    fn first_complaint(&mut self) {
        let end = self.stderr.iter().position(|&b| b == b'\n').unwrap_or(self.stderr.len());
        self.stderr.truncate(end);
    }

    fn describe(&self) -> String {
        let end = match (self.code, self.signal) {
            (Some(code), _) => format!("exit {code}"),
            (None, signal) => format!("signal {}", signal.unwrap_or(0)),
        };
        format!("{end}, {} bytes {}, stderr {}", self.stdout.len(), start(&self.stdout), start(&self.stderr))
    }
}

/// Reads both outputs to their ends and waits.
fn collect(mut child: Child) -> Outcome {
    let stderr = child.stderr.take();
    let errors = thread::spawn(move || stderr.map_or_else(Vec::new, read_all));
    let stdout = child.stdout.take().map_or_else(Vec::new, read_all);
    let stderr = errors.join().expect("the reader of the standard error ends");
    let status = child.wait().expect("a program can be waited for");
    Outcome { stdout, stderr, code: status.code(), signal: status.signal() }
}

fn read_all(mut from: impl Read) -> Vec<u8> {
    let mut out = Vec::new();
    from.read_to_end(&mut out).expect("a pipe can be read");
    out
}

fn first_difference(a: &[u8], b: &[u8]) -> String {
    let at = a.iter().zip(b).position(|(x, y)| x != y).unwrap_or_else(|| a.len().min(b.len()));
    if a == b {
        return String::new();
    }
    let show = |s: &[u8]| start(&s[at..]);
    format!("outputs differ from byte {at} on: {} and {}", show(a), show(b))
}

/// The first bytes, readable.
fn start(bytes: &[u8]) -> String {
    const SHOWN: usize = 200;
    let more = if bytes.len() > SHOWN { "..." } else { "" };
    format!("\"{}\"{more}", bytes[..bytes.len().min(SHOWN)].escape_ascii())
}

fn is_gnu(program: &Path) -> bool {
    let out = Command::new(program).arg("--version").env("LC_ALL", "C").output();
    out.is_ok_and(|o| String::from_utf8_lossy(&o.stdout).contains("(GNU "))
}
