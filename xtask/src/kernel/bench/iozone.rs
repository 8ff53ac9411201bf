//! `file-bench`: files that are written, written again, read and read again, as IOzone does it.

use super::page;
use super::picture::{self, Chart, Series};
use super::{Load, Native, Pairs, Spread, boot, calls_of, programs, publish, text_of};
use crate::Done;
use crate::kernel::image;
use crate::tools::{Tools, output};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::process::Command;

/// What is done with a file.
const WORK: [&str; 4] = ["write", "rewrite", "read", "reread"];

const SERIES: Series =
    &[("write", "#8a8f98"), ("rewrite", "#c2a05a"), ("read", "#7fb69f"), ("reread", "#1f6f54")];

/// Bytes of a file and of a record of it.
type Shape = (u32, u32);

/// Nanoseconds or instructions for a record, for each of [`WORK`].
type Table<T> = BTreeMap<Shape, [T; 4]>;

/// What one machine measured.
struct Results {
    table: Table<Pairs>,
    /// System calls of one run of the program.
    calls: u64,
}

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
    let group = |(shape, pairs): (&Shape, &[Pairs; 4])| {
        let values: Result<Vec<f64>, String> = pairs.iter().map(|p| Ok(p.gained()?.median)).collect();
        Ok((shown(*shape), values?))
    };
    let some = instructions.table.iter().filter(|(shape, _)| shape.0 == LARGEST_OF_ORIGINAL);
    let picture = picture::bars(&Chart {
        title: "How much more is written and read by the same number of instructions in ring 0",
        unit: "% more in ring 0",
        digits: 1,
        series: SERIES,
        groups: some.map(group).collect::<Result<_, String>>()?,
    });
    publish("kernel-iozone", &text, &picture)
}

/// Bytes of the largest file that the original was measured with.
const LARGEST_OF_ORIGINAL: u32 = 256 << 10;

fn shown((size, record): Shape) -> String {
    format!("{} KiB of {} KiB", size >> 10, record >> 10)
}

fn in_machine(tools: &Tools, runs: usize, count: bool) -> Result<Results, String> {
    // So many lines of each run.
    const WORDS: &[&str] = &["/examples/file-bench", "-n", "3", "/tmp/file"];
    let mut guest = boot(tools, image::base()?, &["file-bench"], count)?;
    // The first pair only warms up, and its calls are counted.
    let (_, in_user_mode) = calls_of(&mut guest, |g| text_of(g, true, WORDS))?;
    let (_, calls) = calls_of(&mut guest, |g| text_of(g, false, WORDS))?;
    if in_user_mode != 0 || calls == 0 {
        return Err(format!(
            "{in_user_mode} direct calls in user mode and {calls} in ring 0: not what is measured"
        ));
    }
    let mut table: Table<Pairs> = BTreeMap::new();
    for _ in 0..runs {
        for user in [true, false] {
            for (shape, values) in parsed(&text_of(&mut guest, user, WORDS)?)? {
                let pairs = table.entry(shape).or_default();
                for (p, list) in pairs.iter_mut().zip(values) {
                    if user { p.user.extend(list) } else { p.ring0.extend(list) }
                }
            }
        }
    }
    guest.off().map_err(|t| t.text())?;
    Ok(Results { table, calls })
}

/// What the program prints, as nanoseconds for a record, from one line or several.
fn parsed(text: &str) -> Result<Table<Vec<f64>>, String> {
    let mut table: Table<Vec<f64>> = BTreeMap::new();
    for line in text.lines().skip(1) {
        let numbers: Vec<u32> = line.split_whitespace().filter_map(|w| w.parse().ok()).collect();
        let [size, record, rates @ ..] = &numbers[..] else {
            return Err(format!("file-bench prints something else: {line}"));
        };
        let rates: [u32; 4] = rates.try_into().map_err(|_| format!("not four numbers: {line}"))?;
        // Kilobytes in a second.
        let lists = table.entry((*size, *record)).or_default();
        lists.iter_mut().zip(rates).for_each(|(l, r)| l.push(f64::from(*record) * 1e6 / f64::from(r.max(1))));
    }
    if table.is_empty() {
        return Err("file-bench prints nothing".into());
    }
    Ok(table)
}

/// The same on this computer, in user mode.
fn on_this_computer(tools: &Tools, runs: usize) -> Result<Table<Spread>, String> {
    let program = programs(tools, &["file-bench"])?.remove(0);
    let memory = std::path::Path::new("/dev/shm");
    let directory = if memory.is_dir() { memory.to_path_buf() } else { crate::tools::target() };
    let file = directory.join(format!("tal-bench-{}", std::process::id()));
    let mut all: Table<Vec<f64>> = BTreeMap::new();
    for _ in 0..=runs {
        let text = output(Command::new(&program).arg(&file))?;
        for (shape, values) in parsed(&String::from_utf8_lossy(&text))? {
            let lists = all.entry(shape).or_default();
            lists.iter_mut().zip(values).for_each(|(list, v)| list.extend(v));
        }
    }
    let spread = |lists: [Vec<f64>; 4]| -> Result<[Spread; 4], String> {
        // The first one only warms up.
        let [a, b, c, d] = lists.map(|l| Spread::of(l.into_iter().skip(1).collect()));
        Ok([a?, b?, c?, d?])
    };
    all.into_iter().map(|(shape, lists)| Ok((shape, spread(lists)?))).collect()
}

fn page(
    instructions: &Results,
    time: &Results,
    real: &Table<Spread>,
    native: &Native,
    runs: usize,
) -> Result<String, String> {
    let mut out = page::begin(
        "Files in ring 0",
        "iozone",
        "[file-bench](../examples/file-bench/) writes a file in records of one size, writes it again, reads it, and reads it \
         again, as the benchmark IOzone does, with which the original was measured. The file lies in memory (tmpfs). It is one \
         verified program, run in turns in user mode and in ring 0, in one boot of one kernel. Each record is one system call; \
         what is read is compared with what was written.",
        runs,
    );
    out.push_str(
        "![Percent more in ring 0, for a file of 256 KiB](figures/kernel-iozone.svg)\n\n## Instructions\n\n",
    );
    out.push_str(page::COUNTED);
    let _ = write!(
        out,
        "Instructions for a record in user mode, in ring 0, and, pair by pair, how many percent more is done by the same number of \
         instructions. Asking for the time before and after is one more call for each file. A run of the program makes {} \
         system calls. The saving for a call is the same everywhere: half of all shapes save at least {:.0} instructions for a record \
         that is read again.\n\n",
        instructions.calls,
        saved_by_a_call(&instructions.table)?
    );
    table(&mut out, &instructions.table, "instructions")?;
    page::time(&mut out, Load::now());
    out.push_str("Nanoseconds for a record.\n\n");
    table(&mut out, &time.table, "ns")?;
    original(&mut out, &instructions.table, &time.table)?;
    page::on_real(&mut out, native);
    out.push_str(
        "So: nanoseconds for a record on this computer and its kernel, in user mode, with the file in its memory; and how many \
         percent more could be done in the same time in ring 0, at most.\n\n| ns | write | | rewrite | | read | | reread | |\n\
         | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
    );
    for (shape, spreads) in real {
        let _ = write!(out, "| {} |", shown(*shape));
        for s in spreads {
            let left = (s.median - native.most_saved()).max(native.call.median);
            let _ = write!(out, " {:.0} | +{:.0} % |", s.median, 100.0 * (s.median / left - 1.0));
        }
        out.push('\n');
    }
    Ok(page::wrapped(&out))
}

fn table(out: &mut String, table: &Table<Pairs>, unit: &str) -> Done {
    let _ = write!(out, "| {unit} |");
    WORK.iter().for_each(|w| {
        let _ = write!(out, " {w} | |");
    });
    out.push_str("\n| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n");
    for (shape, all) in table {
        let _ = write!(out, "| {} |", shown(*shape));
        for pairs in all {
            let (user, ring0, gained) = (pairs.user()?.median, pairs.ring0()?.median, pairs.gained()?);
            let _ = write!(
                out,
                " {user:.0} → {ring0:.0} | {:+.1} % ({:+.1} to {:+.1}) |",
                gained.median, gained.low, gained.high
            );
        }
        out.push('\n');
    }
    Ok(())
}

/// What a record that is read again saves: the median of all shapes.
fn saved_by_a_call(table: &Table<Pairs>) -> Result<f64, String> {
    let of = |[.., reread]: &[Pairs; 4]| Ok(reread.user()?.median - reread.ring0()?.median);
    Ok(Spread::of(table.values().map(of).collect::<Result<_, String>>()?)?.median)
}

/// What was reported of the original, for records of 8 KiB in files of 16 to 256 KiB, in percent more.
const ORIGINAL: [&str; 4] = ["0.6 to 3.2", "3.3 to 5.3", "3.1 to 15", "6.8 to 21"];

/// The original's figures beside ours of the same shapes.
fn original(out: &mut String, instructions: &Table<Pairs>, time: &Table<Pairs>) -> Done {
    out.push_str(
        "\n## The original\n\n\
         Toshiyuki Maeda, *Kernel Mode Linux*, Linux Journal, May 2003: IOzone with records of 8 KiB in files of 16 to 256 KiB on \
         ext3, the best of 30 runs, on an IA-32 processor, with `sysenter` in user mode. Beside it ours of these sizes. Percent more \
         in kernel mode:\n\n| | reported | instructions | time under emulation |\n| --- | ---: | ---: | ---: |\n",
    );
    for (i, (work, reported)) in WORK.iter().zip(ORIGINAL).enumerate() {
        let (a, b) = (range(instructions, i)?, range(time, i)?);
        let _ = writeln!(out, "| {work} | {reported} | {a} | {b} |");
    }
    Ok(())
}

/// The smallest and the largest gain of the original's sizes.
fn range(table: &Table<Pairs>, work: usize) -> Result<String, String> {
    let of = |(shape, pairs): (&Shape, &[Pairs; 4])| {
        let (size, record) = *shape;
        let same = record == 8 << 10 && (16 << 10..=LARGEST_OF_ORIGINAL).contains(&size);
        same.then(|| pairs.get(work).map(|p| p.gained().map(|g| g.median)))?
    };
    let gains = table.iter().filter_map(of).collect::<Result<Vec<f64>, String>>()?;
    let low = gains.iter().copied().fold(f64::INFINITY, f64::min);
    let high = gains.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    Ok(format!("{low:.1} to {high:.1}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_times_of_records() {
        let text = "     bytes    record       write     rewrite        read      reread\n\
                    \x20    16384      8192     1000000     2000000     4000000     8000000\n";
        let table = parsed(text).unwrap();
        assert_eq!(table[&(16384, 8192)], [8192.0, 4096.0, 2048.0, 1024.0].map(|v| vec![v]));
        let twice = parsed(&format!("{text}{}", text.lines().last().unwrap())).unwrap();
        assert_eq!(twice[&(16384, 8192)][3], [1024.0, 1024.0]);
        assert!(parsed("heading\n1 2 3\n").is_err());
        assert!(parsed("heading\n").is_err());
    }

    #[test]
    fn only_the_sizes_of_the_original_are_compared() {
        let pair = |user: f64| Pairs { user: vec![user], ring0: vec![100.0] };
        let all = |user: f64| [0; 4].map(|_| pair(user));
        let table: Table<Pairs> = [
            ((16 << 10, 8 << 10), all(110.0)),
            ((256 << 10, 8 << 10), all(105.0)),
            ((256 << 10, 4 << 10), all(200.0)),
            ((1 << 20, 8 << 10), all(300.0)),
        ]
        .into_iter()
        .collect();
        assert_eq!(range(&table, 3).unwrap(), "5.0 to 10.0");
    }
}
