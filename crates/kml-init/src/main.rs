//! The first process of the virtual machine in which `cargo xtask kernel` runs programs.
//!
//! It mounts what programs expect, waits for requests on a serial port of the machine, and runs programs one after
//! another; or, with `kml_shell` on the kernel's command line, it runs a shell on the console. As an ordinary process
//! it measures how long executing a program takes, or runs a server and its client together.

mod pair;
mod serve;
mod setup;
mod shell;
mod timing;

use std::fs;

fn main() {
    if std::process::id() != 1 {
        let words: Vec<String> = std::env::args().skip(1).collect();
        std::process::exit(match words.split_first() {
            Some((first, rest)) if first == "pair" => pair::run(rest),
            _ => timing::run(&words),
        });
    }
    let done = setup::mounts().and_then(|()| {
        let line = fs::read_to_string("/proc/cmdline").map_err(|e| format!("/proc/cmdline: {e}"))?;
        let option = |name: &str| line.split_whitespace().find_map(|w| w.strip_prefix(name));
        match option("kml_shell=") {
            Some(terminal) => shell::run(terminal),
            None => serve::run(),
        }
    });
    if let Err(message) = done {
        eprintln!("kml-init: {message}");
    }
    setup::off();
}
