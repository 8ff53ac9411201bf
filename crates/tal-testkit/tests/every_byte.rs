//! Every byte that the kernel maps, with every other value: of the annotations and types, of the code, of the data. What is still
//! accepted breaks no rule when the interpreter runs it.
//!
//! `TAL_FILE=c1_ cargo test --release -p tal-testkit --test every_byte -- --ignored --nocapture` takes the accepted tests whose names
//! begin so, and goes through all 255 values; without `TAL_FILE` it takes all of them, which is a matter of days. Else a few
//! values of a few programs are tried.

use object::{Object, ObjectSegment};
use std::collections::BTreeMap;
use tal_testkit::fuzz::{Corpus, Counts, Input, Outcome, Seed, Target, judge};
use tal_testkit::toolchain::Image;
use talcore::Policy;
use taldiag::Code;

/// The offsets of the bytes that are loaded.
fn loaded(file: &[u8]) -> Vec<usize> {
    let elf = object::File::parse(file).expect("an ELF file");
    elf.segments().map(|s| s.file_range()).flat_map(|(at, size)| at as usize..(at + size) as usize).collect()
}

/// The code with which it is refused, without making a message of it.
fn refused(seed: &Seed, part: usize, bytes: &[u8]) -> Option<Code> {
    let verdict = match &seed.images[part] {
        Image::Program(_) => talcheck::check(bytes),
        Image::Module(module) => {
            let changed = tallink::Module { image: bytes.to_vec(), ..(**module).clone() };
            talcheck::check_module(&changed, Policy::default())
        }
    };
    verdict.err().map(|r| Code(r.code as u16))
}

/// Tries each of these values (combined with what is there) at each of the bytes.
fn go_through(corpus: &Corpus, values: &[u8], one_in: usize) -> Counts {
    let mut counts = BTreeMap::new();
    let mut rng = fastrand::Rng::with_seed(1);
    for (number, seed) in corpus.seeds.iter().enumerate() {
        for (part, image) in seed.images.iter().enumerate() {
            for at in loaded(image.bytes()).into_iter().step_by(one_in) {
                for value in values {
                    let mut bytes = image.bytes().to_vec();
                    bytes[at] ^= value;
                    let outcome = match refused(seed, part, &bytes) {
                        Some(code) => Outcome::Refused(code),
                        None => {
                            let input = Input { seed: number, part, bytes };
                            let judged = judge(Target::Executable, corpus, &input, &mut rng);
                            judged.unwrap_or_else(|e| panic!("{}, {at:#x} ^ {value:#x}: {e}", seed.name))
                        }
                    };
                    *counts.entry(outcome).or_default() += 1;
                }
            }
        }
    }
    counts
}

/// How many were refused, and how many were run.
fn summary(counts: &Counts) -> (u64, u64) {
    let refused = counts.iter().filter(|c| matches!(c.0, Outcome::Refused(_))).map(|c| c.1).sum();
    (refused, counts.get(&Outcome::Run).copied().unwrap_or(0))
}

#[test]
fn some_values() {
    for start in ["c1_signed_index", "w32_signed_index"] {
        let counts = go_through(&Corpus::tests_named(start), &[0x01, 0x80], 7);
        let (refused, run) = summary(&counts);
        assert!(refused > 20 && run > 1, "{start}: {counts:?}");
    }
}

#[test]
#[ignore = "minutes for each program"]
fn all_values() {
    let values: Vec<u8> = (1..=255).collect();
    let start = std::env::var("TAL_FILE").unwrap_or_default();
    let corpus = Corpus::tests_named(&start);
    assert!(!corpus.seeds.is_empty(), "no accepted test begins with `{start}`");
    let counts = go_through(&corpus, &values, 1);
    let (refused, run) = summary(&counts);
    println!("{} programs: {refused} refused, {run} run: {counts:?}", corpus.seeds.len());
    assert!(refused > run && run > 0);
}
