//! The second opinion against the checker: the same verdict on every function of the tests and examples, of what a forger
//! makes of the refused ones, and of mutants.
//!
//! The checker reads its proofs from the file, the second opinion finds its own. So what the checker refuses only because a
//! proof is missing may be accepted here; never the other way round.

use fastrand::Rng;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use tal_testkit::filetest::cases;
use tal_testkit::forge::forge;
use tal_testkit::fuzz::Corpus;
use tal_testkit::rounds;
use tal_testkit::second::{Verdict, judge};
use tal_testkit::toolchain::{Image, images, modules};
use talcore::annot::Reading;
use talcore::arch::Arch;
use talcore::check::fuel_for;
use talcore::engine::Engine;
use talcore::program::{Function, Program};
use talcore::walk::{self, NoGuide};

/// Of a hundred functions of the accepted tests and the examples, how many the second opinion judges, at least.
const COVERED: usize = 72;

/// Which examples.
const EXAMPLES: &[&str] = &["json", "sort", "tr"];

/// What the checker says of one function, with these annotations.
fn checked(program: &Program<'_>, function: &Function, bytes: &[u8]) -> bool {
    let fuel = fuel_for(function.size + bytes.len() as u64);
    let Ok(entry) = Engine::new(program, function, NoGuide, fuel).map(|e| e.entry) else { return false };
    let Ok(reading) = Reading::new(bytes, program, function, &entry) else { return false };
    let Ok(mut engine) = Engine::new(program, function, reading, fuel) else { return false };
    walk::run(&mut engine).is_ok()
}

/// How often there was which pair of verdicts.
#[derive(Default)]
struct Counts {
    both_accept: usize,
    both_reject: usize,
    /// The checker misses a proof that the second opinion finds.
    found: usize,
    unsupported: BTreeMap<String, usize>,
    problems: Vec<String>,
}

impl Counts {
    fn all(&self) -> usize {
        self.judged() + self.unsupported.values().sum::<usize>()
    }
    fn judged(&self) -> usize {
        self.both_accept + self.both_reject + self.found + self.problems.len()
    }
    fn add(&mut self, name: &str, program: &Program<'_>, function: &Function, bytes: &[u8]) {
        let ours = checked(program, function, bytes);
        match (ours, judge(program, function, bytes)) {
            (_, Verdict::Unsupported(what)) => {
                let what = what.split(" (").next().unwrap_or_default();
                *self.unsupported.entry(what.into()).or_default() += 1;
            }
            (true, Verdict::Accept) => self.both_accept += 1,
            (false, Verdict::Reject(_)) => self.both_reject += 1,
            (true, Verdict::Reject(why)) => {
                self.problems
                    .push(format!("{name}, {:#x}: accepted, the second opinion: {why}", function.addr));
            }
            (false, Verdict::Accept) => {
                self.found += 1;
                if std::env::var_os("TAL_FOUND").is_some() {
                    println!("{name}, {:#x}: refused, the second opinion accepts", function.addr);
                }
            }
        }
    }
    fn join(&mut self, other: Counts) {
        self.both_accept += other.both_accept;
        self.both_reject += other.both_reject;
        self.found += other.found;
        for (what, n) in other.unsupported {
            *self.unsupported.entry(what).or_default() += n;
        }
        self.problems.extend(other.problems);
    }
    fn print(&self, what: &str) {
        println!(
            "{what}: {} functions, {} judged: {} accepted and {} refused by both, {} for which only the second opinion finds a proof",
            self.all(),
            self.judged(),
            self.both_accept,
            self.both_reject,
            self.found
        );
    }
}

/// Does it for each of a number of things, with all processors.
fn each(count: usize, one: impl Fn(usize, &mut Counts) + Sync) -> Counts {
    let (next, sum) = (AtomicUsize::new(0), Mutex::new(Counts::default()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                let mut counts = Counts::default();
                loop {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    if i >= count {
                        break;
                    }
                    one(i, &mut counts);
                }
                sum.lock().expect("no panic").join(counts);
            });
        }
    });
    sum.into_inner().expect("no panic")
}

fn agree(counts: &Counts) {
    let mut problems = counts.problems.clone();
    problems.sort();
    assert!(problems.is_empty(), "{} differences:\n{}", problems.len(), problems.join("\n"));
}

fn program_of(image: &Image) -> Program<'_> {
    image.load().expect("an accepted image")
}

#[test]
fn accepted_programs() {
    let corpus = Corpus::tests(1).and(Corpus::examples(EXAMPLES));
    for arch in [Arch::Amd64, Arch::Ia32] {
        let counts = each(corpus.seeds.len(), |i, counts| {
            for image in &corpus.seeds[i].images {
                let program = program_of(image);
                for function in program.functions.iter().filter(|_| program.arch == arch) {
                    let bytes = &image.bytes()[function.stream.clone()];
                    counts.add(&corpus.seeds[i].name, &program, function, bytes);
                }
            }
        });
        counts.print(&format!("{arch:?}"));
        let mut missing: Vec<_> = counts.unsupported.iter().collect();
        missing.sort_by_key(|m| std::cmp::Reverse(m.1));
        println!("  not covered: {missing:?}");
        agree(&counts);
        assert_eq!((counts.both_reject, counts.found), (0, 0));
        assert!(100 * counts.judged() >= COVERED * counts.all(), "the share that is covered has fallen");
    }
}

/// The refused tests with the annotations of their accepted twins.
#[test]
fn forged_programs() {
    let folder: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/reject");
    let cases = cases(&folder);
    let counts = each(cases.len(), |i, counts| {
        let Ok(twin) = cases[i].twin() else { return };
        let (code, twin) = (modules(&cases[i].text), modules(&twin));
        let Ok(Some(objects)) = forge(&code, &twin) else { return };
        let Ok(all) = images(&code, objects) else { return };
        for image in &all {
            let Ok(program) = image.load() else { continue };
            for function in &program.functions {
                let bytes = &image.bytes()[function.stream.clone()];
                counts.add(&cases[i].path.display().to_string(), &program, function, bytes);
            }
        }
    });
    counts.print("forged");
    agree(&counts);
    assert!(counts.both_reject > 50, "{} are refused by both", counts.both_reject);
}

/// A stream or code with one byte changed.
#[test]
fn mutants() {
    let (rounds, seed) = rounds(3, 5);
    let corpus = Corpus::tests(3).and(Corpus::examples(&EXAMPLES[..1]));
    let counts = each(corpus.seeds.len(), |i, counts| {
        let mut rng = Rng::with_seed(seed + i as u64);
        for image in &corpus.seeds[i].images {
            let program = program_of(image);
            let original = image.bytes();
            for (n, function) in program.functions.iter().enumerate() {
                let bytes = &original[function.stream.clone()];
                for _ in 0..rounds {
                    let mut damaged = bytes.to_vec();
                    if damaged.len() > 2 && rng.bool() {
                        let at = rng.usize(..damaged.len());
                        damaged[at] = if rng.bool() { rng.u8(..) } else { damaged[at].wrapping_add(1) };
                        let name = format!("{}, stream[{at}] = {:#x}", corpus.seeds[i].name, damaged[at]);
                        counts.add(&name, &program, function, &damaged);
                        continue;
                    }
                    // One byte of the code.
                    let Some(segment) = program.segment(function.addr, function.size) else { continue };
                    let mut code = segment.bytes.to_vec();
                    let at = (function.addr - segment.addr) as usize + rng.usize(..function.size as usize);
                    code[at] = if rng.bool() { rng.u8(..) } else { code[at].wrapping_add(1) };
                    let mut other = program.clone();
                    let part =
                        other.segments.iter_mut().find(|s| s.addr == segment.addr).expect("the segment");
                    part.bytes = &code;
                    let place = segment.addr + at as u64;
                    let name = format!("{}, [{place:#x}] = {:#x}", corpus.seeds[i].name, code[at]);
                    counts.add(&name, &other, &program.functions[n], bytes);
                }
            }
        }
    });
    counts.print("mutants");
    agree(&counts);
    assert!(counts.judged() > 500, "{} are judged", counts.judged());
}
