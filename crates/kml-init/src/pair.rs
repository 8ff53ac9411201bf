//! A server and a client at the same time, each in its own mode: `kml-init pair MODE MODE SERVER... -- CLIENT...`.

use crate::serve;
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// Starts the server, waits for the line with which it says that it listens, and runs the client with the last word of
/// that line, the port, as its last argument. Then the server is asked to end. What the client writes is passed on. A
/// mode is `user` or `ring0`, first that of the server. Returns the exit status.
pub(crate) fn run(words: &[String]) -> i32 {
    match pair(words) {
        Ok(()) => 0,
        Err(message) => {
            eprintln!("kml-init: {message}");
            1
        }
    }
}

fn pair(words: &[String]) -> Result<(), String> {
    const USAGE: &str = "usage: kml-init pair MODE MODE SERVER... -- CLIENT...";
    let [first, second, words @ ..] = words else { return Err(USAGE.into()) };
    let middle = words.iter().position(|w| w == "--").ok_or(USAGE)?;
    let (server, client) = (&words[..middle], &words[middle + 1..]);
    let mut server = start(first, server, &[], Stdio::piped())?;
    let done = served(&mut server, second, client);
    // Whatever became of the client.
    let ended = end(server);
    done.and(ended)
}

/// Runs the client while the server runs.
fn served(server: &mut Child, mode: &str, client: &[String]) -> Result<(), String> {
    let mut line = String::new();
    let out = server.stdout.take().ok_or("the server has no output")?;
    BufReader::new(out).read_line(&mut line).map_err(|e| format!("the server's output: {e}"))?;
    let port = line.split_whitespace().last().ok_or("the server does not say where it listens")?;
    let mut client = start(mode, client, &[port], Stdio::inherit())?;
    match client.wait() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("the client: {status}")),
        Err(e) => Err(format!("the client: {e}")),
    }
}

fn start(mode: &str, words: &[String], more: &[&str], output: Stdio) -> Result<Child, String> {
    let user = match mode {
        "user" => true,
        "ring0" => false,
        _ => return Err(format!("{mode}: no mode; user or ring0 is one")),
    };
    let (program, args) = words.split_first().ok_or("a program is missing")?;
    serve::mode(user).map_err(|f| f.text)?;
    let mut command = Command::new(program);
    command.args(args).args(more).env_clear().stdin(Stdio::null()).stdout(output);
    command.spawn().map_err(|e| format!("{program}: {e}"))
}

fn end(mut server: Child) -> Result<(), String> {
    let id = i32::try_from(server.id()).ok().and_then(Pid::from_raw).ok_or("the server has no number")?;
    kill_process(id, Signal::TERM).map_err(|e| format!("the server cannot be ended: {e}"))?;
    match server.wait() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("the server: {status}")),
        Err(e) => Err(format!("the server: {e}")),
    }
}
