//! `talfuzz soundness`: attacks until there were so many cases, or the time is over.

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tal_testkit::fuzz::Corpus;
use tal_testkit::fuzz::soundness::{Arena, Find, Tally};
use talcore::arch::Arch;

/// How many finds are enough.
const FINDS: u64 = 40;

/// What is asked for.
pub(crate) struct Request {
    pub(crate) arch: Option<Arch>,
    /// So many cases, or fewer if the time is over.
    pub(crate) cases: u64,
    pub(crate) time: Duration,
    pub(crate) threads: usize,
    pub(crate) seed: u64,
    /// This batch only.
    pub(crate) batch: Option<u64>,
}

/// What threads have in common.
struct Shared {
    cases: AtomicU64,
    finds: AtomicU64,
    tally: Mutex<Tally>,
}

pub(crate) fn run(request: &Request) -> ExitCode {
    let corpus = Corpus::tests(1).and(Corpus::examples(&["echo", "sieve", "cat", "head", "uniq"]));
    let corpus = match request.arch {
        Some(Arch::Amd64) => corpus.of(Arch::Amd64),
        Some(Arch::Ia32) => corpus.and(Corpus::narrowed()).of(Arch::Ia32),
        None => corpus.and(Corpus::narrowed()),
    };
    let corpus = Corpus { arch: request.arch, ..corpus };
    std::panic::set_hook(Box::new(|_| {}));
    let shared = Shared { cases: AtomicU64::new(0), finds: AtomicU64::new(0), tally: Mutex::default() };
    let seeds = Arena::of(&corpus);
    let (modules, functions, run) = seeds.size();
    println!("{modules} modules and programs with {functions} functions, of which {run} can be run");
    let seeds = seeds.seeds();
    let start = Instant::now();
    if let Some(batch) = request.batch {
        let mut tally = Tally::default();
        let finds = Arena::of(&corpus).batch(batch, &mut tally);
        report(request, batch, &finds);
        println!("{} cases, {} finds", tally.cases(), finds.len());
        return ExitCode::from(u8::from(!finds.is_empty()));
    }
    let end = start + request.time;
    std::thread::scope(|scope| {
        for thread in 0..request.threads {
            let (shared, corpus) = (&shared, &corpus);
            scope.spawn(move || {
                let arena = Arena::of(corpus);
                let mut rng = fastrand::Rng::with_seed(request.seed.wrapping_mul(1000) + thread as u64);
                let mut tally = Tally::default();
                while Instant::now() < end
                    && shared.cases.load(Ordering::Relaxed) < request.cases
                    && shared.finds.load(Ordering::Relaxed) < FINDS
                {
                    let (number, before) = (rng.u64(..), tally.cases());
                    // An overflow of the stack, or memory without end, leaves nothing else behind.
                    let now = Path::new("target/fuzz").join(format!("soundness-now-{thread}"));
                    let _ =
                        fs::create_dir_all("target/fuzz").and_then(|()| fs::write(now, number.to_string()));
                    let finds = arena.batch(number, &mut tally);
                    shared.cases.fetch_add(tally.cases() - before, Ordering::Relaxed);
                    shared.finds.fetch_add(finds.len() as u64, Ordering::Relaxed);
                    report(request, number, &finds);
                }
                if let Ok(mut all) = shared.tally.lock() {
                    all.merge(tally);
                }
            });
        }
    });
    let tally = shared.tally.into_inner().unwrap_or_default();
    print(&tally, seeds, start.elapsed());
    let finds = shared.finds.into_inner();
    println!("{finds} finds");
    ExitCode::from(u8::from(finds > 0))
}

fn print(tally: &Tally, seeds: usize, time: Duration) {
    let share = |part: u64, of: u64| 100.0 * part as f64 / of.max(1) as f64;
    println!("{:10} {:>11} {:>9} {:>9}", "lies about", "cases", "accepted", "run");
    let mut accepted = 0;
    for (class, n) in &tally.classes {
        accepted += n.accepted;
        let (a, r) = (share(n.accepted, n.cases), share(n.run, n.cases));
        println!("{:10} {:11} {a:8.1}% {r:8.1}%", format!("{class:?}").to_lowercase(), n.cases);
    }
    let cases = tally.cases();
    let rate = cases as f64 / time.as_secs_f64();
    println!(
        "{cases} cases in {:.0} s, {rate:.0} each second; {:.1}% accepted; {} instructions interpreted",
        time.as_secs_f64(),
        share(accepted, cases),
        tally.steps
    );
    let lines = tally.coverage.report(seeds);
    lines.iter().filter(|l| !l.starts_with(' ')).for_each(|l| println!("{}", l.trim_end_matches(':')));
    let path = Path::new("target/fuzz/soundness-coverage.txt");
    let written = fs::create_dir_all("target/fuzz").and_then(|()| fs::write(path, lines.join("\n") + "\n"));
    match written {
        Ok(()) => println!("which: {}", path.display()),
        Err(e) => eprintln!("{}: {e}", path.display()),
    }
}

/// Writes down what was found.
fn report(request: &Request, batch: u64, finds: &[Find]) {
    let arch = match request.arch {
        Some(Arch::Amd64) => " --arch amd64",
        Some(Arch::Ia32) => " --arch ia32",
        None => "",
    };
    for (i, find) in finds.iter().enumerate() {
        let text = format!(
            "{}, {:?}; again: cargo xtask fuzz soundness{arch} --round {batch}\n{}\n",
            find.subject, find.class, find.what
        );
        let path = Path::new("target/fuzz").join(format!("soundness-{batch}-{i}.txt"));
        let written = fs::create_dir_all("target/fuzz").and_then(|()| fs::write(&path, &text));
        let short: String = text.chars().take(600).collect();
        eprintln!("{}: {short}\n", path.display());
        if let Err(e) = written {
            eprintln!("it could not be written: {e}");
        }
    }
}
