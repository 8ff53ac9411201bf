//! `echod`, asked by `echo-bench` over the loopback interface, each in either mode.

use super::page;
use super::picture::{self, Chart, Series};
use super::{Load, Native, Spread, boot, calls_of, programs, publish, text_of};
use crate::Done;
use crate::bench::echod::Server;
use crate::kernel::guest::Guest;
use crate::kernel::image;
use crate::tools::Tools;
use std::fmt::Write;

/// Bytes of a message, connections, and messages of a run.
const LOADS: &[(u32, u32, u32)] =
    &[(1, 1, 2000), (64, 1, 2000), (1024, 1, 2000), (16_384, 1, 500), (65_536, 1, 200), (64, 100, 4000)];

/// The modes of the server and of the client. The first is what the others are compared with.
const COMBINATIONS: [(&str, &str); 4] =
    [("user", "user"), ("ring0", "user"), ("user", "ring0"), ("ring0", "ring0")];

const NAMES: [&str; 4] = ["both in user mode", "server in ring 0", "client in ring 0", "both in ring 0"];

const SERIES: Series = &[
    ("both in user mode", "#8a8f98"),
    ("server in ring 0", "#7fb69f"),
    ("client in ring 0", "#4f9378"),
    ("both in ring 0", "#1f6f54"),
];

/// Of a run, in nanoseconds: half of the messages, 90 and 99 of 100 took at most this from the first byte sent to the
/// last one received; and all time by all messages.
type Sample = [f64; 4];

/// What was measured with one combination.
#[derive(Default)]
struct Measured {
    samples: Vec<Sample>,
    /// System calls in ring 0, for a message.
    calls: f64,
}

impl Measured {
    fn spread(&self, column: usize) -> Result<Spread, String> {
        Spread::of(self.samples.iter().filter_map(|s| s.get(column).copied()).collect())
    }
}

/// For each load, each combination.
type Results = Vec<[Measured; 4]>;

/// Measures, and writes the page.
pub(super) fn run(runs: usize) -> Done {
    let tools = Tools::build()?;
    let native = super::native(&tools, runs)?;
    let real = on_this_computer(&tools, runs)?;
    eprintln!("== instructions");
    let instructions = in_machine(&tools, runs, true)?;
    eprintln!("== time");
    let time = in_machine(&tools, runs, false)?;
    let text = page(&instructions, &time, &real, &native, runs)?;
    let group = |(load, measured): (&(u32, u32, u32), &[Measured; 4])| {
        let values: Result<Vec<f64>, String> =
            measured.iter().map(|m| Ok(m.spread(3)?.median / 1e3)).collect();
        Ok((shown(*load), values?))
    };
    // What takes much longer would make the others short.
    let short = LOADS.iter().zip(&instructions).filter(|(l, _)| l.0 <= 1024);
    let picture = picture::bars(&Chart {
        title: "Instructions for a message and its echo, with server and client in either mode",
        unit: "thousands of instructions",
        digits: 1,
        series: SERIES,
        groups: short.map(group).collect::<Result<_, String>>()?,
    });
    publish("kernel-echod", &text, &picture)
}

fn shown((size, connections, _): (u32, u32, u32)) -> String {
    let bytes = if size == 1 { "1 byte".into() } else { format!("{size} bytes") };
    match connections {
        1 => bytes,
        n => format!("{bytes}, {n} connections"),
    }
}

fn in_machine(tools: &Tools, runs: usize, count: bool) -> Result<Results, String> {
    let mut guest = boot(tools, image::base()?, &["echod", "echo-bench"], count)?;
    let mut all = Vec::new();
    for &load in LOADS {
        let mut measured: [Measured; 4] = Default::default();
        for (m, modes) in measured.iter_mut().zip(COMBINATIONS) {
            // Only warms up, and its calls are counted.
            let (_, calls) = calls_of(&mut guest, |g| once(g, modes, load))?;
            m.calls = calls as f64 / f64::from(load.2);
        }
        for _ in 0..runs {
            for (m, modes) in measured.iter_mut().zip(COMBINATIONS) {
                m.samples.push(once(&mut guest, modes, load)?);
            }
        }
        eprintln!("   {}", shown(load));
        all.push(measured);
    }
    guest.off().map_err(|t| t.text())?;
    Ok(all)
}

/// One server and one client.
fn once(guest: &mut Guest, modes: (&str, &str), load: (u32, u32, u32)) -> Result<Sample, String> {
    let [size, connections, messages] = [load.0, load.1, load.2].map(|n| n.to_string());
    let server = ["/init", "pair", modes.0, modes.1, "/examples/echod", "-a", "127.0.0.1", "-p", "0", "--"];
    let client = ["/examples/echo-bench", "-s", &size, "-c", &connections, "-n", &messages, "127.0.0.1"];
    let text = text_of(guest, true, &[&server[..], &client].concat())?;
    let line = text.lines().nth(1).unwrap_or_default();
    let numbers: Vec<f64> = line.split_whitespace().filter_map(|w| w.parse().ok()).collect();
    let [_, p50, p90, p99, _, rate, _] = numbers[..] else {
        return Err(format!("echo-bench prints something else: {text}"));
    };
    Ok([p50 * 1e3, p90 * 1e3, p99 * 1e3, 1e9 / rate.max(1.0)])
}

/// How long half of the messages take at most on this computer, in user mode and in nanoseconds, for each load.
fn on_this_computer(tools: &Tools, runs: usize) -> Result<Vec<Spread>, String> {
    let both = programs(tools, &["echod", "echo-bench"])?;
    let [server, client] = &both[..] else { return Err("a program is missing".into()) };
    let server = Server::start(server, &["-a", "127.0.0.1", "-p", "0"])?;
    let all = |&(size, connections, messages): &(u32, u32, u32)| {
        let load = (size, connections, 5 * messages);
        let values: Result<Vec<f64>, String> =
            (0..=runs).map(|_| Ok(server.ask(client, load)?[0] * 1e3)).collect();
        Spread::of(values?.into_iter().skip(1).collect())
    };
    LOADS.iter().map(all).collect()
}

fn page(
    instructions: &Results,
    time: &Results,
    real: &[Spread],
    native: &Native,
    runs: usize,
) -> Result<String, String> {
    let mut out = page::begin(
        "echod in ring 0",
        "echod",
        "The server [echod](../examples/echod/) is asked by [echo-bench](../examples/echo-bench/) over the loopback interface \
         of the machine. Both are verified, and each runs in user mode or in ring 0, so there are four combinations, in turns, \
         in one boot of one kernel. Each connection has one message on its way at a time. A time is from the first byte sent to \
         the last one received, as the client's clock sees it: p50 is what half of the messages took at most. There is one \
         processor, so the time of a message is that of both programs and of two changes of process.",
        runs,
    );
    out.push_str("![Thousands of instructions of a message, in all combinations](figures/kernel-echod.svg)\n\n## Instructions\n\n");
    out.push_str(page::COUNTED);
    out.push_str(
        "The percentiles are instructions, to a hundred; *each* is all instructions of a run by all messages, and *saved* compares \
         it with both in user mode; system calls are those in ring 0 for a message.\n\n",
    );
    table(&mut out, instructions, "instructions", 1.0, 0)?;
    page::time(&mut out, Load::now());
    out.push_str("Microseconds; what a call saves in nanoseconds.\n\n");
    table(&mut out, time, "µs", 1e-3, 1)?;
    out.push_str(
        "\n## The original\n\n\
         Its authors reported that `echod`, written in their typed assembly language, answered 4 µs earlier in kernel mode, on a \
         processor of about 2003. What a system call costs there, and on which kernel and network, makes the most of that; so \
         it stands here as what was seen then, and not to be compared.\n",
    );
    page::on_real(&mut out, native);
    out.push_str(
        "So for each load: p50 of both programs on this computer and its kernel, in user mode, on all of its processors; and \
         what all calls of a message can save at most.\n\n\
         | message | here, in user mode, µs | calls | saved at most, µs | |\n| --- | ---: | ---: | ---: | ---: |\n",
    );
    for ((load, here), measured) in LOADS.iter().zip(real).zip(instructions) {
        let [.., both] = measured;
        let most = both.calls * native.most_saved();
        // With many connections a message waits for others.
        let part = match load.1 {
            1 => format!("{:.1} %", 100.0 * most / here.median.max(1.0)),
            _ => String::new(),
        };
        let here = page::digits(&here.scaled(1e-3), 1);
        let _ =
            writeln!(out, "| {} | {here} | {:.1} | {:.2} | {part} |", shown(*load), both.calls, most / 1e3);
    }
    Ok(page::wrapped(&out))
}

fn table(out: &mut String, results: &Results, unit: &str, by: f64, digits: usize) -> Done {
    let _ = writeln!(
        out,
        "| {unit} | | p50 | p90 | p99 | each | saved | calls | saved by a call |\n\
         | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    );
    for (load, measured) in LOADS.iter().zip(results) {
        let [first, ..] = measured;
        let user = first.spread(3)?.median;
        for (i, (m, name)) in measured.iter().zip(NAMES).enumerate() {
            let title = if i == 0 { shown(*load) } else { String::new() };
            let _ = write!(out, "| {title} | {name} |");
            for column in 0..3 {
                let _ = write!(out, " {:.digits$} |", m.spread(column)?.median * by);
            }
            let each = m.spread(3)?;
            let _ = write!(out, " {} |", page::digits(&each.scaled(by), digits));
            let saved = user - each.median;
            if i == 0 {
                out.push_str(" | | |\n");
                continue;
            }
            let part = 100.0 * saved / user.max(1e-9);
            let _ = writeln!(out, " {part:.1} % | {:.1} | {:.0} |", m.calls, saved / m.calls.max(1e-9));
        }
    }
    Ok(())
}
