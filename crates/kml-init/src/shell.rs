//! A shell on the console.

use std::fs::OpenOptions;
use std::process::{Command, Stdio};

/// Runs the shell until it ends. `terminal` tells what the host's terminal is: its type, lines and columns, with
/// commas between.
pub(crate) fn run(terminal: &str) -> Result<(), String> {
    let mut words = terminal.split(',');
    let mut next =
        |default: &'static str| words.next().filter(|w| !w.is_empty()).unwrap_or(default).to_string();
    let (kind, lines, columns) = (next("vt100"), next("24"), next("80"));
    let console = || -> Result<Stdio, String> {
        let file = OpenOptions::new().read(true).write(true).open("/dev/ttyS0");
        file.map(Stdio::from).map_err(|e| format!("/dev/ttyS0: {e}"))
    };
    // `setsid -c` makes the console the controlling terminal, so that job control works.
    let mut shell = Command::new("/bin/busybox");
    shell.args(["setsid", "-c", "/bin/sh", "-l"]).current_dir("/examples").env_clear();
    shell.envs([("TERM", kind), ("LINES", lines), ("COLUMNS", columns)]);
    shell.envs([("PATH", "/examples:/bin:/sbin:/usr/bin:/usr/sbin"), ("HOME", "/"), ("ENV", "/etc/profile")]);
    shell.stdin(console()?).stdout(console()?).stderr(console()?);
    shell.status().map(drop).map_err(|e| format!("cannot run the shell: {e}"))
}
