//! `talfuzz TARGET SECONDS SEED`: rounds of damage until the time is over; see [`tal_testkit::fuzz`]. Prints what
//! became of them. What fails is written to the directory `target/fuzz`, and the run goes on.
//!
//! `talfuzz TARGET round N` repeats the round of this number. With `amd64` or `ia32` as the last argument only what is for
//! this architecture is damaged or made up.
//!
//! `talfuzz soundness CASES SECONDS SEED` [attacks the checker](tal_testkit::fuzz::soundness); `talfuzz soundness round N`
//! repeats one batch.

mod soundness;

use fastrand::Rng;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use tal_testkit::cpu::Laboratory;
use tal_testkit::fuzz::{Corpus, Counts, Input, Outcome, Target, damage, judge};
use talcore::arch::Arch;

/// A round that takes longer is taken for one that never ends, and stops the run.
const LONG: Duration = Duration::from_secs(120);
/// How many failures are enough.
const FAILURES: usize = 20;

/// What is known about a run of several threads.
#[derive(Default)]
struct Run {
    counts: Counts,
    failures: usize,
    /// The longest round, and its number.
    longest: (Duration, u64),
}

fn main() -> ExitCode {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let arch = match args.last().map(String::as_str) {
        Some("amd64") => Some(Arch::Amd64),
        Some("ia32") => Some(Arch::Ia32),
        _ => None,
    };
    if arch.is_some() {
        args.pop();
    }
    let name = args.first().map_or("executable", String::as_str);
    if name == "instructions" {
        return instructions(arch, &args[1..]);
    }
    if name == "soundness" {
        let number = |i: usize, default| args.get(i).and_then(|a| a.parse().ok()).unwrap_or(default);
        let one = args.get(1).is_some_and(|a| a == "round");
        return soundness::run(&soundness::Request {
            arch,
            cases: number(1, 100_000),
            time: Duration::from_secs(number(2, u64::from(u32::MAX))),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            seed: number(3, 1),
            batch: one.then(|| number(2, 0)),
        });
    }
    let Some(&(_, target)) = Target::ALL.iter().find(|t| t.0 == name) else {
        eprintln!(
            "there is no target `{name}`: source, object, executable, generated, instructions, soundness"
        );
        return ExitCode::FAILURE;
    };
    let number = |i: usize, default| args.get(i).and_then(|a| a.parse().ok()).unwrap_or(default);
    let corpus = match target {
        Target::Generated => Corpus { seeds: Vec::new(), arch: None },
        _ => Corpus::tests(1).and(Corpus::examples(&[])),
    };
    let corpus = match (target, arch) {
        (Target::Generated, _) => Corpus { arch, ..corpus },
        (_, Some(Arch::Ia32)) => corpus.and(Corpus::narrowed()).of(Arch::Ia32),
        (_, Some(arch)) => corpus.of(arch),
        (_, None) => corpus,
    };
    if args.get(1).is_some_and(|a| a == "round") {
        let round = number(2, 0);
        let start = Instant::now();
        return match one(target, &corpus, round) {
            Ok(outcome) => {
                let input = damage(target, &corpus, &mut Rng::with_seed(round));
                report(name, &corpus, round, &input, "nothing is wrong");
                println!("{outcome:?}, after {} ms", start.elapsed().as_millis());
                ExitCode::SUCCESS
            }
            Err((input, what)) => {
                report(name, &corpus, round, &input, &what);
                ExitCode::FAILURE
            }
        };
    }
    set_hook(Box::new(|_| {}));
    let run = rounds(name, target, &corpus, Duration::from_secs(number(1, 60)), number(2, 1));
    for (outcome, n) in &run.counts {
        match outcome {
            Outcome::Refused(code) => println!("{n:10}  {code}"),
            Outcome::Accepted => println!("{n:10}  accepted"),
            Outcome::Run => println!("{n:10}  accepted, and run"),
        }
    }
    let (time, round) = run.longest;
    println!("the longest round, {round}, took {} ms; {} failures", time.as_millis(), run.failures);
    ExitCode::from(u8::from(run.failures > 0))
}

/// Single instructions against the processor: see [`tal_testkit::cpu`].
fn instructions(arch: Option<Arch>, args: &[String]) -> ExitCode {
    let number = |i: usize, default| args.get(i).and_then(|a| a.parse().ok()).unwrap_or(default);
    let one = args.first().is_some_and(|a| a == "round").then(|| number(1, 0));
    let end = Instant::now() + Duration::from_secs(number(0, 60));
    let archs = match arch {
        Some(arch) => vec![arch],
        None => vec![Arch::Amd64, Arch::Ia32],
    };
    let failures = Mutex::new(0);
    // Only the thread that began to trace a process may go on with it.
    std::thread::scope(|scope| {
        for arch in archs {
            let failures = &failures;
            let name = if arch == Arch::Amd64 { "amd64" } else { "ia32" };
            scope.spawn(move || {
                let fail = |what: &str| {
                    eprintln!("{what}");
                    failures.lock().map_or(FAILURES, |mut n| {
                        *n += 1;
                        *n
                    })
                };
                let mut laboratory = match Laboratory::new(arch) {
                    Ok(laboratory) => laboratory,
                    Err(e) => {
                        fail(&format!("no process to run instructions in: {e}"));
                        return;
                    }
                };
                let mut rng = Rng::with_seed(number(1, 1));
                let mut done = 0;
                while one.is_some() && done == 0 || Instant::now() < end {
                    let round = one.unwrap_or_else(|| rng.u64(..));
                    match laboratory.round(round) {
                        Ok(n) => done += n.max(1),
                        Err(what) => {
                            done += 1;
                            let again =
                                format!("again: cargo xtask fuzz instructions --arch {name} --round {round}");
                            if fail(&format!("{again}\n{what}\n")) >= FAILURES {
                                break;
                            }
                        }
                    }
                    if one.is_some() {
                        break;
                    }
                }
                println!("{name}: {}", laboratory.coverage.summary());
                for left in laboratory.coverage.left() {
                    println!("    never: {left}");
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap_or(1);
    println!("{failures} failures");
    ExitCode::from(u8::from(failures > 0))
}

fn rounds(name: &str, target: Target, corpus: &Corpus, time: Duration, seed: u64) -> Run {
    let all = Mutex::new(Run::default());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    // What each thread is at.
    let now: Vec<Mutex<Option<(Instant, u64)>>> = (0..threads).map(|_| Mutex::new(None)).collect();
    let end = Instant::now() + time;
    std::thread::scope(|scope| {
        for (thread, now) in now.iter().enumerate() {
            let all = &all;
            scope.spawn(move || {
                let mut rng = Rng::with_seed(seed.wrapping_mul(1000) + thread as u64);
                while Instant::now() < end && all.lock().is_ok_and(|a| a.failures < FAILURES) {
                    let (round, start) = (rng.u64(..), Instant::now());
                    set(now, Some((start, round)));
                    let result = one(target, corpus, round);
                    set(now, None);
                    let Ok(mut all) = all.lock() else { return };
                    all.longest = all.longest.max((start.elapsed(), round));
                    match result {
                        Ok(outcome) => *all.counts.entry(outcome).or_default() += 1,
                        Err((input, what)) => {
                            all.failures += 1;
                            report(name, corpus, round, &input, &what);
                        }
                    }
                }
            });
        }
        let busy = |n: &Mutex<Option<(Instant, u64)>>| n.lock().ok().and_then(|n| *n);
        while Instant::now() < end || now.iter().any(|n| busy(n).is_some()) {
            std::thread::sleep(Duration::from_millis(200));
            if all.lock().is_ok_and(|a| a.failures >= FAILURES) {
                break;
            }
            for (start, round) in now.iter().filter_map(busy) {
                if start.elapsed() > LONG {
                    let input = damage(target, corpus, &mut Rng::with_seed(round));
                    report(name, corpus, round, &input, "it does not end");
                    std::process::exit(1);
                }
            }
        }
    });
    all.into_inner().unwrap_or_default()
}

fn set<T>(place: &Mutex<T>, value: T) {
    if let Ok(mut place) = place.lock() {
        *place = value;
    }
}

/// One round: its number decides everything.
fn one(target: Target, corpus: &Corpus, round: u64) -> Result<Outcome, (Input, String)> {
    let mut rng = Rng::with_seed(round);
    let input = damage(target, corpus, &mut rng);
    let judged = catch_unwind(AssertUnwindSafe(|| judge(target, corpus, &input, &mut rng)));
    match judged {
        Ok(Ok(outcome)) => Ok(outcome),
        Ok(Err(what)) => Err((input, what)),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
            Err((input, format!("a panic: {}", text.unwrap_or_default())))
        }
    }
}

/// Writes the input and what is wrong with it.
fn report(name: &str, corpus: &Corpus, round: u64, input: &Input, what: &str) {
    let of = match name {
        "generated" => "made up".to_string(),
        _ => format!("part {} of {}", input.part, corpus.seeds[input.seed].name),
    };
    let path: PathBuf = Path::new("target/fuzz").join(format!("{name}-{round}"));
    let arch = match corpus.arch {
        Some(Arch::Amd64) => " --arch amd64",
        Some(Arch::Ia32) => " --arch ia32",
        None => "",
    };
    let text = format!("{of}; again: cargo xtask fuzz {name}{arch} --round {round}\n{what}\n");
    let written = fs::create_dir_all("target/fuzz")
        .and_then(|()| fs::write(&path, &input.bytes))
        .and_then(|()| fs::write(path.with_extension("txt"), &text));
    eprint!("{}: {text}", path.display());
    if let Err(e) = written {
        eprintln!("it could not be written: {e}");
    }
}
