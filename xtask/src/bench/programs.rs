//! The examples against the tools that they imitate, on the same text.

use super::{Pairs, directory, heading, publish};
use crate::tools::{self, Tools};
use crate::{Architecture, Done, examples};
use fastrand::Rng;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Bytes of the text.
const BYTES: usize = 30_000_000;

/// What is run, ours and theirs alike; `freq` has no original but a pipe of three.
const PROGRAMS: &[(&str, &str)] = &[
    ("sort $0", "sort $0"),
    ("sort -n $0", "sort -n $0"),
    ("sort -u $0", "sort -u $0"),
    ("uniq $1", "uniq $1"),
    ("uniq -c $1", "uniq -c $1"),
    ("tac $0", "tac $0"),
    ("wc $0", "wc $0"),
    ("tr a-z A-Z < $0", "tr a-z A-Z < $0"),
    ("cat $0", "cat $0"),
    ("sha256sum $0", "sha256sum $0"),
    ("freq < $0", "tr -s ' ' '\\n' < $0 | sort | uniq -c"),
];

/// Runs each program on a text, and the original.
pub(crate) fn run(arch: Architecture, runs: usize) -> Done {
    let tools = Tools::build()?;
    examples::build_for(&tools, arch.arch())?;
    let ours = examples::output(arch.arch());
    let (words, sorted) = (directory()?.join("words.txt"), directory()?.join("sorted.txt"));
    let text = text();
    tools::write(&words, &text)?;
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    tools::write(&sorted, lines.join("\n") + "\n")?;

    let measure = |script: &str, folder: Option<&std::path::Path>| -> Result<Duration, String> {
        let script = match folder {
            Some(folder) => format!("exec {}/{script}", folder.display()),
            None => script.to_string(),
        };
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &script]).arg(&words).arg(&sorted);
        // A pipe would be measured too; a device takes everything at once.
        command.env("LC_ALL", "C").stdout(Stdio::null());
        let start = Instant::now();
        tools::run(&mut command)?;
        Ok(start.elapsed())
    };
    let mut table = heading("", "examples", "original") + "\n";
    for (own, original) in PROGRAMS {
        let row = Pairs::measure(runs, || measure(own, Some(&ours)), || measure(original, None))?;
        table.push_str(&(row.row(&own.replace("$0", "TEXT").replace("$1", "SORTED")) + "\n"));
    }
    publish("programs", arch, &table)
}

/// Lines of words, some more frequent than others.
fn text() -> String {
    let mut rng = Rng::with_seed(1);
    let words: Vec<String> =
        (0..50_000).map(|_| (0..rng.usize(2..10)).map(|_| rng.lowercase()).collect()).collect();
    let mut text = String::new();
    while text.len() < BYTES {
        for _ in 0..rng.usize(1..12) {
            // The product of two makes small numbers frequent.
            let place = rng.usize(..words.len()) * rng.usize(..words.len()) / words.len();
            text.push_str(words.get(place).map_or("", String::as_str));
            text.push(' ');
        }
        text.push('\n');
    }
    text
}
