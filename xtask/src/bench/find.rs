//! `find` of the examples against the same walk in C (`bench/find.c`) and against GNU `find`, in turns.
//!
//! Beside the time, which a busy machine makes uncertain, stand two counts that it does not: the instructions that each
//! executes in user mode, as valgrind counts them, and the system calls, as strace does.

use super::{compile, directory, publish_page, trees};
use crate::tools::{self, Tools, root};
use crate::{Architecture, Done, examples};
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, UNIX_EPOCH};

/// Entries of the made-up tree.
const ENTRIES: usize = 50_000;

/// What is asked of each tree; `$R` is a file that is older than half of the made-up ones.
const EXPRESSIONS: &[&[&str]] = &[
    &[],
    &["-name", "*.h"],
    &["-name", "[a-m]*[0-4].*"],
    &["-type", "f", "-size", "+1k"],
    &["-newer", "$R"],
    &["-printf", "%p %s\\n"],
    &["-type", "f", "-exec", "/bin/echo", "{}", "+"],
];

/// What the page says of the table.
const ABOUT: &str = "[find](../examples/find/), the same walk in C ([bench/find.c](../bench/find.c)), which makes the same \
    system calls, and GNU `find` print what they find in a made-up tree of 50,000 entries, and in `/usr` of the computer that \
    measured, in turns. The figures are medians; those of the ratios, round by round, have the quarters around them behind. The time on a \
    processor is that in user mode and in the kernel, without children. Instructions are those in user mode as `valgrind` \
    counts them, to which each step of a copying instruction is one; most of the time is the kernel's. They and system calls do \
    not change from run to run.";

/// A program that is measured.
struct Program {
    name: &'static str,
    path: PathBuf,
}

/// What a run took, in milliseconds.
#[derive(Clone, Copy)]
struct Sample {
    /// From its start to its end.
    elapsed: f64,
    /// On a processor, without its children.
    cpu: f64,
}

/// Runs all expressions on the made-up tree and on `/usr`.
pub(crate) fn run(arch: Architecture, runs: usize) -> Done {
    let (programs, note) = programs(arch)?;
    let place = directory()?;
    trees::make(&place.join("tree"), ENTRIES)?;
    let reference = place.join("reference");
    let file = File::create(&reference).map_err(|e| format!("{}: {e}", reference.display()))?;
    let written = UNIX_EPOCH + Duration::from_secs(trees::YOUNGEST - trees::AGES / 2);
    file.set_modified(written).map_err(|e| format!("{}: {e}", reference.display()))?;

    let mut table = String::from(note);
    for start in ["tree", "/usr"] {
        if !place.join(start).is_dir() {
            continue;
        }
        let names: Vec<&str> = programs.iter().map(|p| p.name).collect();
        let _ = writeln!(table, "{}", heading(start, &names));
        for expression in EXPRESSIONS {
            let mut words: Vec<&str> = vec![start];
            words.extend(expression.iter().map(|w| if *w == "$R" { "reference" } else { w }));
            let shown: Vec<String> = expression.iter().map(|w| quoted(w)).collect();
            let shown = format!("find {start} {}", shown.join(" ").replace("'$R'", "REFERENCE"))
                .trim_end()
                .to_string();
            eprintln!("{shown}");
            let _ = writeln!(table, "{shown}");
            same_output(&programs, &words)?;
            table.push_str(&measure(&programs, &words, runs)?);
            // To count takes fifty times as long as to run.
            if start == "tree" {
                table.push_str(&count(&programs, &words));
            }
        }
    }
    publish_page("find", arch, "find against C and GNU", ABOUT, &table)
}

/// Ours, that in C, and GNU's if it is here; and what the table says of that in C.
fn programs(arch: Architecture) -> Result<(Vec<Program>, &'static str), String> {
    let tools = Tools::build()?;
    let built = examples::build_for(&tools, arch.arch())?.programs();
    let ours = built.into_iter().find(|p| p.ends_with("find"));
    let ours = ours.ok_or("there is no `find` for this architecture among the examples")?;
    let theirs = directory()?.join("find");
    let note = compile(arch, &root().join("bench/find.c"), &theirs)?;
    let mut programs = vec![Program { name: "TAL", path: ours }, Program { name: "C", path: theirs }];
    let version = Command::new("find").arg("--version").stderr(Stdio::null()).output();
    if version.is_ok_and(|out| out.stdout.starts_with(b"find (GNU findutils)")) {
        programs.push(Program { name: "GNU", path: "find".into() });
    }
    Ok((programs, note))
}

impl Program {
    /// The command, in the directory where the tree lies.
    fn command(&self, words: &[&str]) -> Result<Command, String> {
        let mut command = Command::new(&self.path);
        command.args(words).current_dir(directory()?).env("LC_ALL", "C");
        Ok(command)
    }

    /// What it prints.
    fn output(&self, words: &[&str]) -> Result<Vec<u8>, String> {
        let mut command = self.command(words)?;
        let out = command.stderr(Stdio::null()).output();
        // Directories that may not be read are no failure here, but a program that says nothing is one.
        let out = out.map_err(|e| format!("{}: {e}", self.path.display()))?;
        if out.stdout.is_empty() {
            return Err(format!("`{}` prints nothing", tools::shown(&command)));
        }
        Ok(out.stdout)
    }

    /// Runs it once; what it prints goes nowhere.
    fn sample(&self, words: &[&str]) -> Result<Sample, String> {
        let fail = |what: String| format!("{}: {what}", self.path.display());
        let mut command = self.command(words)?;
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let start = Instant::now();
        let mut child = command.spawn().map_err(|e| fail(e.to_string()))?;
        let pid =
            i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or("a process without a number")?;
        // It has ended then, but is still there to be asked.
        waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)
            .map_err(|e| fail(e.to_string()))?;
        let elapsed = start.elapsed().as_secs_f64() * 1e3;
        let cpu = cpu(child.id())?;
        child.wait().map_err(|e| fail(e.to_string()))?;
        Ok(Sample { elapsed, cpu })
    }

    /// The instructions that it executes in user mode, in millions; children do not count.
    fn instructions(&self, words: &[&str]) -> Option<f64> {
        let mut command = Command::new("valgrind");
        command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(&self.path).args(words);
        let out = command.current_dir(directory().ok()?).env("LC_ALL", "C").stdout(Stdio::null()).output();
        let text = String::from_utf8_lossy(&out.ok()?.stderr).into_owned();
        let line = text.lines().rev().find_map(|l| l.split_once("Collected : "))?.1.trim().to_string();
        line.parse::<f64>().ok().map(|n| n / 1e6)
    }

    /// The system calls that it makes; children do not count.
    fn calls(&self, words: &[&str]) -> Option<f64> {
        let summary = directory().ok()?.join("calls");
        let mut command = Command::new("strace");
        command.arg("-c").arg("-o").arg(&summary).arg(&self.path).args(words).env("LC_ALL", "C");
        command.current_dir(directory().ok()?).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().ok()?;
        let text = fs::read_to_string(&summary).ok()?;
        let total = text.lines().find(|l| l.trim_end().ends_with("total"))?.to_string();
        total.split_whitespace().nth(3)?.parse().ok()
    }
}

/// How long a process has been on a processor, in milliseconds.
fn cpu(id: u32) -> Result<f64, String> {
    let path = format!("/proc/{id}/schedstat");
    let text = tools::read(Path::new(&path))?;
    let first = text.split_whitespace().next().and_then(|w| w.parse::<f64>().ok());
    first.map(|nanoseconds| nanoseconds / 1e6).ok_or_else(|| format!("{path} has another form"))
}

/// All programs print the same words; GNU's in another order where a directory has very many entries.
fn same_output(programs: &[Program], words: &[&str]) -> Done {
    let mut first: Option<Vec<u8>> = None;
    for program in programs {
        let text = program.output(words)?;
        let sorted = |text: &[u8]| {
            let mut all: Vec<Vec<u8>> =
                text.split(u8::is_ascii_whitespace).map(<[u8]>::to_vec).filter(|w| !w.is_empty()).collect();
            all.sort_unstable();
            all
        };
        match &first {
            None => first = Some(text),
            Some(ours) if *ours == text => {}
            Some(ours) if program.name == "GNU" && sorted(ours) == sorted(&text) => {}
            Some(_) => {
                return Err(format!("`find {}` of {} prints something else", words.join(" "), program.name));
            }
        }
    }
    Ok(())
}

/// Measures all programs on one expression and returns rows of a table.
fn measure(programs: &[Program], words: &[&str], runs: usize) -> Result<String, String> {
    let mut samples: Vec<Vec<Sample>> = programs.iter().map(|_| Vec::new()).collect();
    for round in 0..=runs {
        for turn in 0..programs.len() {
            // Who comes first changes.
            let i = (round + turn) % programs.len();
            let (Some(program), Some(of)) = (programs.get(i), samples.get_mut(i)) else { continue };
            let sample = program.sample(words)?;
            // The first round warms the caches.
            if round > 0 {
                of.push(sample);
            }
        }
    }
    let column = |f: fn(&Sample) -> f64| -> Vec<Vec<f64>> {
        samples.iter().map(|of| of.iter().map(f).collect()).collect()
    };
    Ok(row("ms", &column(|s| s.elapsed), 1) + &row("ms on a processor", &column(|s| s.cpu), 1))
}

/// Counts what no other process changes, and returns rows of a table.
fn count(programs: &[Program], words: &[&str]) -> String {
    let counts = |f: fn(&Program, &[&str]) -> Option<f64>| -> Vec<Vec<f64>> {
        programs.iter().map(|p| f(p, words).into_iter().collect()).collect()
    };
    row("million instructions", &counts(Program::instructions), 1)
        + &row("system calls", &counts(Program::calls), 0)
}

fn heading(tree: &str, names: &[&str]) -> String {
    let mut line = format!("{tree:<24}");
    names.iter().for_each(|name| line.push_str(&format!("{name:>10}")));
    for other in names.iter().skip(1) {
        let ratio = format!("TAL : {other}");
        line.push_str(&format!("{ratio:>11} {:<16}", " (quartiles)"));
    }
    line.trim_end().to_string()
}

/// The medians of all, and of the ratios of the first to each other one the median and the quartiles.
fn row(name: &str, samples: &[Vec<f64>], digits: usize) -> String {
    let mut line = format!("  {name:<22}");
    for of in samples {
        line.push_str(&format!("{:>10.digits$}", quantile(of, 2)));
    }
    let ours = samples.first().map_or(&[][..], Vec::as_slice);
    for theirs in samples.iter().skip(1) {
        let ratios: Vec<f64> = ours.iter().zip(theirs).map(|(a, b)| a / b.max(1e-9)).collect();
        line.push_str(&format!("{:>10.2}x ", quantile(&ratios, 2)));
        let quartiles = match ratios.len() {
            0 | 1 => String::new(),
            _ => format!(" ({:.2} to {:.2})", quantile(&ratios, 1), quantile(&ratios, 3)),
        };
        line.push_str(&format!("{quartiles:<16}"));
    }
    line.trim_end().to_string() + "\n"
}

/// The value below which so many quarters of all are.
fn quantile(all: &[f64], quarters: usize) -> f64 {
    let mut all = all.to_vec();
    all.sort_by(f64::total_cmp);
    all.get((all.len().saturating_sub(1) * quarters + 2) / 4).copied().unwrap_or(f64::NAN)
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = word.chars().all(|c| c.is_ascii_alphanumeric() || "-+/.{}".contains(c));
    if plain { word.into() } else { format!("'{word}'") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_that_were_measured() {
        let all = [3.0, 1.0, 2.0, 5.0, 4.0];
        assert_eq!([1, 2, 3].map(|q| quantile(&all, q)), [2.0, 3.0, 4.0]);
        assert!(quantile(&[], 2).is_nan());
        assert_eq!(quantile(&[7.0], 3), 7.0);
    }
}
