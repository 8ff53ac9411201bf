//! The modules of the library by themselves: programs that do what lines of their input say, against models.

mod address;
mod bytes;
mod map;
mod page;
mod reader;
mod table;
mod vector;

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// What a driver answers to this input, with so much memory.
fn run(driver: &Path, args: &[&str], input: &[u8], kilobytes: Option<u64>) -> Output {
    let limit = kilobytes.map_or_else(|| "unlimited".to_string(), |k| k.to_string());
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "ulimit -v $0 && exec \"$@\"", &limit]).arg(driver).args(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("a program can be started");
    let mut pipe = child.stdin.take().expect("there is a pipe");
    let input = input.to_vec();
    // The program may stop reading.
    let feeder = std::thread::spawn(move || pipe.write_all(&input));
    let out = child.wait_with_output().expect("a program can be waited for");
    drop(feeder.join().expect("the writer ends"));
    out
}

/// The lines that a driver answers to lines.
fn answers(driver: &Path, input: &[u8], kilobytes: Option<u64>) -> Vec<Vec<u8>> {
    let out = run(driver, &[], input, kilobytes);
    let complaint = String::from_utf8_lossy(&out.stderr);
    assert!(
        out.status.success() && complaint.is_empty(),
        "{} ends with {}: {complaint}",
        driver.display(),
        out.status
    );
    let mut lines: Vec<Vec<u8>> = out.stdout.split(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
    assert_eq!(lines.pop(), Some(Vec::new()), "the last line has an end");
    lines
}
