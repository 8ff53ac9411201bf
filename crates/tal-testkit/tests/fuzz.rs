//! Some rounds of damage. `cargo xtask fuzz` does more of them.

use fastrand::Rng;
use std::collections::BTreeMap;
use std::sync::OnceLock;
use tal_testkit::fuzz::{Corpus, Counts, Outcome, Target, damage, judge};
use talcore::arch::Arch;

/// A part of what there is: the whole takes some time to build.
fn corpus() -> &'static Corpus {
    static CORPUS: OnceLock<Corpus> = OnceLock::new();
    CORPUS.get_or_init(|| Corpus::tests(8).and(Corpus::examples(&["echo", "sieve"])))
}

/// All there is for IA-32.
fn ia32() -> &'static Corpus {
    static CORPUS: OnceLock<Corpus> = OnceLock::new();
    CORPUS.get_or_init(|| Corpus::tests_named("w32_").of(Arch::Ia32))
}

/// What became of so many rounds.
fn rounds(target: Target, count: u64) -> Counts {
    rounds_of(corpus(), target, count)
}

fn rounds_of(corpus: &Corpus, target: Target, count: u64) -> Counts {
    let mut counts = BTreeMap::new();
    for round in 0..count {
        let mut rng = Rng::with_seed(round);
        let input = damage(target, corpus, &mut rng);
        match judge(target, corpus, &input, &mut rng) {
            Ok(outcome) => *counts.entry(outcome).or_default() += 1,
            Err(what) => {
                let name = corpus.seeds.get(input.seed).map_or("made up", |s| &s.name);
                panic!("round {round}, part {} of {name}: {what}", input.part)
            }
        }
    }
    counts
}

/// Damages are of many kinds, and some do no harm.
#[track_caller]
fn assert_varied(counts: &Counts, codes: usize) {
    let refused = counts.keys().filter(|o| matches!(o, Outcome::Refused(_))).count();
    assert!(refused >= codes, "only {refused} codes: {counts:?}");
    assert!(counts.contains_key(&Outcome::Run), "nothing was run: {counts:?}");
}

#[test]
fn sources() {
    assert_varied(&rounds(Target::Source, 150), 8);
}

#[test]
fn objects() {
    assert_varied(&rounds(Target::Object, 150), 8);
}

/// Most programs that are made up are accepted, and none of them breaks a rule, damaged or not.
#[test]
fn generated() {
    let counts = rounds(Target::Generated, 120);
    let run = counts.get(&Outcome::Run).copied().unwrap_or(0);
    assert!(run > 50, "only {run} of 120 were run: {counts:?}");
    assert_varied(&counts, 3);
}

#[test]
fn executables() {
    assert_varied(&rounds(Target::Executable, 300), 8);
}

/// IA-32 alone: the same damages, with the headers of its own.
#[test]
fn ia32_alone() {
    assert!(ia32().seeds.len() > 20);
    for (target, count) in [(Target::Source, 60), (Target::Object, 100), (Target::Executable, 200)] {
        assert_varied(&rounds_of(ia32(), target, count), 8);
    }
    let counts = rounds_of(ia32(), Target::Generated, 40);
    assert!(counts.get(&Outcome::Run).copied().unwrap_or(0) > 15, "{counts:?}");
}
