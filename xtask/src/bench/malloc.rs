//! The allocator of `examples/lib` against the C library's.

use super::{Pairs, compile, directory, heading, publish};
use crate::tools::{self, Tools};
use crate::{Architecture, Done, examples};
use fastrand::Rng;
use std::fmt::Write;
use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

const C: &str = include_str!("malloc.c");
/// Steps of a trace.
const STEPS: usize = 200_000;

/// Slots, sizes, and how often the trace is repeated.
struct Trace {
    name: &'static str,
    slots: usize,
    size: fn(&mut Rng) -> u64,
    /// Steps of a hundred that change a size.
    change: u32,
    times: usize,
}

const TRACES: &[Trace] = &[
    Trace { name: "one size", slots: 10_000, size: |_| 48, change: 0, times: 50 },
    Trace { name: "16 to 512 bytes", slots: 10_000, size: |r| 16 * r.u64(1..=32), change: 0, times: 50 },
    Trace {
        name: "the same, with realloc",
        slots: 10_000,
        size: |r| 16 * r.u64(1..=32),
        change: 20,
        times: 50,
    },
    Trace { name: "16 bytes to 64 KiB", slots: 1_000, size: magnitude, change: 0, times: 20 },
    Trace { name: "the same, with realloc", slots: 1_000, size: magnitude, change: 20, times: 10 },
];

/// Sizes of all orders of magnitude, small ones more often.
fn magnitude(r: &mut Rng) -> u64 {
    let most = 2 << r.u32(0..12);
    16 * r.u64(1..=most)
}

/// Runs each trace through both programs.
pub(crate) fn run(arch: Architecture, runs: usize) -> Done {
    let tools = Tools::build()?;
    examples::build_for(&tools, arch.arch())?;
    let ours = examples::output(arch.arch()).join("alloc");
    let theirs = directory()?.join("malloc");
    let source = directory()?.join("malloc.c");
    tools::write(&source, C)?;
    let note = compile(arch, &source, &theirs)?;

    let mut table = note.to_string() + &heading("", "lib/malloc.tal", "C library") + "\n";
    for (i, trace) in TRACES.iter().enumerate() {
        let path = directory()?.join(format!("trace-{i}.txt"));
        tools::write(&path, text(trace))?;
        let times = trace.times.to_string();
        let row = Pairs::measure(
            runs,
            || timed(Command::new(&ours).args(["-t", &times]), &path),
            || timed(Command::new(&theirs).arg(&times), &path),
        )?;
        table.push_str(&(row.row(trace.name) + "\n"));
    }
    publish("malloc", arch, &table)
}

/// The time of a program that reads a file.
fn timed(command: &mut Command, path: &Path) -> Result<Duration, String> {
    let input = File::open(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let start = Instant::now();
    tools::run(command.stdin(input))?;
    Ok(start.elapsed())
}

/// The steps of a trace. Slots are taken at random: a full one is freed, an empty one gets a block.
fn text(trace: &Trace) -> String {
    let mut random = Rng::with_seed(1);
    let mut live = vec![false; trace.slots];
    let mut text = String::new();
    for _ in 0..STEPS {
        let slot = random.usize(..trace.slots);
        let Some(full) = live.get_mut(slot) else { continue };
        let _ = if random.u32(..100) < trace.change {
            *full = true;
            writeln!(text, "r {slot} {}", (trace.size)(&mut random))
        } else if *full {
            *full = false;
            writeln!(text, "f {slot}")
        } else {
            *full = true;
            writeln!(text, "a {slot} {}", (trace.size)(&mut random))
        };
    }
    text
}
