//! The modules of the library by themselves: programs that do what lines of their input say, against models.

mod address;
mod bytes;
mod map;
mod page;
mod reader;
mod table;
mod vector;

use crate::build::{Driver, drivers};
use std::io::Write as _;
use std::process::{Command, Output, Stdio};
use talcore::arch::Arch;

/// A number as a word of an architecture, with sign.
fn signed(arch: Arch, n: i64) -> i64 {
    match arch {
        Arch::Amd64 => n,
        Arch::Ia32 => i64::from(n as i32),
    }
}

/// The same without sign.
fn unsigned(arch: Arch, n: u64) -> u64 {
    match arch {
        Arch::Amd64 => n,
        Arch::Ia32 => u64::from(n as u32),
    }
}

/// So many kilobytes on AMD64, and less where words are smaller: not enough for as much on each. With less than 1300 the
/// drivers do not even start.
fn little(arch: Arch, kilobytes: u64) -> Option<u64> {
    Some(match arch {
        Arch::Amd64 => kilobytes,
        Arch::Ia32 => (kilobytes * 3 / 5).max(1310),
    })
}

/// What a driver answers to this input, with so much memory.
fn run(driver: &Driver, args: &[&str], input: &[u8], kilobytes: Option<u64>) -> Output {
    let limit = kilobytes.map_or_else(|| "unlimited".to_string(), |k| k.to_string());
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "ulimit -v $0 && exec \"$@\"", &limit]).arg(&driver.path).args(args);
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
fn answers(driver: &Driver, input: &[u8], kilobytes: Option<u64>) -> Vec<Vec<u8>> {
    let out = run(driver, &[], input, kilobytes);
    let complaint = String::from_utf8_lossy(&out.stderr);
    assert!(
        out.status.success() && complaint.is_empty(),
        "{} ends with {}: {complaint}",
        driver.name,
        out.status
    );
    let mut lines: Vec<Vec<u8>> = out.stdout.split(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
    assert_eq!(lines.pop(), Some(Vec::new()), "the last line has an end");
    lines
}
