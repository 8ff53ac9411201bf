//! The echo server of the examples against the same server in C (`bench/echod.c`): both are asked by `echo-bench`.

use super::{compile, directory, publish_page};
use crate::tools::{self, Tools, root};
use crate::{Architecture, Done, examples};
use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Bytes of a message, connections, and messages of a run.
const LOADS: &[(u32, u32, u32)] = &[
    (1, 1, 20_000),
    (64, 1, 20_000),
    (1024, 1, 20_000),
    (16_384, 1, 10_000),
    (65_536, 1, 5_000),
    (64, 100, 50_000),
    (16_384, 100, 20_000),
    (64, 1000, 50_000),
];

/// What the page says of the table.
const ABOUT: &str = "[echod](../examples/echod/) and the same server in C ([bench/echod.c](../bench/echod.c)), which makes the \
    same system calls, are asked by [echo-bench](../examples/echo-bench/) over the loopback interface, in turns. Each \
    connection has one message on its way at a time; a time is from the first byte sent to the last one received, and p50 is \
    what half of the messages took at most. The figures are medians; those of the ratios, pair by pair, have the least and the \
    largest behind them. Most of each time is the kernel's, and differs from run to run by what else the processors do.";

/// What is measured of a run: the name, and whether less is better.
const COLUMNS: [(&str, bool); 5] = [
    ("p50 in us", true),
    ("p90 in us", true),
    ("p99 in us", true),
    ("messages/s", false),
    ("server's us of CPU for one", true),
];
pub(crate) type Sample = [f64; COLUMNS.len()];

/// A server that runs until it is dropped.
pub(crate) struct Server {
    child: Child,
    port: String,
}

impl Server {
    pub(crate) fn start(program: &Path, args: &[&str]) -> Result<Server, String> {
        let fail = |e: std::io::Error| format!("{}: {e}", program.display());
        let mut child = Command::new(program).args(args).stdout(Stdio::piped()).spawn().map_err(fail)?;
        let mut line = String::new();
        if let Some(out) = child.stdout.take() {
            BufReader::new(out).read_line(&mut line).map_err(fail)?;
        }
        let port = line.split_whitespace().last().unwrap_or_default().to_string();
        Ok(Server { child, port })
    }

    /// How long it has been on a processor, in microseconds.
    fn cpu(&self) -> Result<f64, String> {
        let path = format!("/proc/{}/schedstat", self.child.id());
        let text = tools::read(Path::new(&path))?;
        let first = text.split_whitespace().next().and_then(|w| w.parse::<f64>().ok());
        first.map(|nanoseconds| nanoseconds / 1e3).ok_or_else(|| format!("{path} has another form"))
    }

    /// Asks it as one of [`LOADS`] says.
    pub(crate) fn ask(&self, client: &Path, load: (u32, u32, u32)) -> Result<Sample, String> {
        let (size, connections, messages) = load;
        let args = [size, connections, messages].map(|n| n.to_string());
        let before = self.cpu()?;
        let mut command = Command::new(client);
        command.args(["-s", &args[0], "-c", &args[1], "-n", &args[2], "127.0.0.1", &self.port]);
        let out = command.output().map_err(|e| format!("{}: {e}", client.display()))?;
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        let numbers: Vec<f64> =
            text.lines().skip(1).flat_map(str::split_whitespace).flat_map(str::parse).collect();
        let [_, p50, p90, p99, _, rate, _] = numbers[..] else {
            return Err(format!("echo-bench failed: {}", String::from_utf8_lossy(&out.stderr)));
        };
        Ok([p50, p90, p99, rate, (self.cpu()? - before) / f64::from(messages)])
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs each load on both servers, in turns.
pub(crate) fn run(arch: Architecture, runs: usize) -> Done {
    let tools = Tools::build()?;
    examples::build_for(&tools, arch.arch())?;
    let programs = examples::output(arch.arch());
    let theirs = directory()?.join("echod");
    let note = compile(arch, &root().join("bench/echod.c"), &theirs)?;
    let ours = Server::start(&programs.join("echod"), &["-a", "127.0.0.1", "-p", "0"])?;
    let theirs = Server::start(&theirs, &[])?;
    let client = programs.join("echo-bench");

    let mut table = note.to_string();
    let _ = writeln!(table, "{:<36} {:>10} {:>10} {:>9}", "", "TAL", "C", "TAL : C");
    for &load in LOADS {
        let (size, connections, _) = load;
        eprintln!("{size} bytes, connections: {connections}");
        let _ = writeln!(table, "{size} bytes, connections: {connections}");
        ours.ask(&client, load)?;
        theirs.ask(&client, load)?;
        let mut pairs: Vec<(Sample, Sample)> = Vec::new();
        for i in 0..runs {
            // Who comes first changes.
            pairs.push(match i % 2 {
                0 => (ours.ask(&client, load)?, theirs.ask(&client, load)?),
                _ => {
                    let c = theirs.ask(&client, load)?;
                    (ours.ask(&client, load)?, c)
                }
            });
        }
        for (i, (name, less)) in COLUMNS.iter().enumerate() {
            let column: Vec<(f64, f64)> =
                pairs.iter().filter_map(|(a, b)| Some((*a.get(i)?, *b.get(i)?))).collect();
            let note = if *less { "" } else { "  (more is better)" };
            let _ = writeln!(table, "  {}{note}", row(name, &column));
        }
    }
    publish_page("echod", arch, "echod against C", ABOUT, &table)
}

/// The medians of both sides, and the median, least and largest of the ratios.
fn row(name: &str, pairs: &[(f64, f64)]) -> String {
    let sorted = |mut all: Vec<f64>| {
        all.sort_by(f64::total_cmp);
        all
    };
    let median = |all: &[f64]| all.get(all.len() / 2).copied().unwrap_or(f64::NAN);
    let ours = sorted(pairs.iter().map(|p| p.0).collect());
    let theirs = sorted(pairs.iter().map(|p| p.1).collect());
    let ratios = sorted(pairs.iter().map(|p| p.0 / p.1.max(1e-9)).collect());
    let end = |r: Option<&f64>| r.copied().unwrap_or(f64::NAN);
    format!(
        "{name:<34} {:>10.1} {:>10.1} {:>8.2}x   ({:.2}x to {:.2}x)",
        median(&ours),
        median(&theirs),
        median(&ratios),
        end(ratios.first()),
        end(ratios.last())
    )
}
