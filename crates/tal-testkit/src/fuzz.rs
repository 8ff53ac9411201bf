//! Damage at random: sources for the assembler, objects for the linker, executables for the checker; and programs
//! that are made up, whole and damaged.
//!
//! A round damages one thing, or makes one up, and looks at what becomes of it. Whatever the bytes are, there is a verdict and no panic;
//! what the assembler accepts, the checker accepts; and what the checker accepts breaks no rule in
//! [the interpreter that watches](crate::interp).

mod bytes;
mod corpus;
mod executable;
mod generated;
mod layout;
mod object;
pub mod soundness;
mod source;

pub use corpus::{Corpus, Seed};

use crate::interp::{Claims, Machine};
use crate::toolchain::{Image, Refusal};
use fastrand::Rng;
use std::collections::BTreeMap;
use talcore::verdict;
use taldiag::Code;

/// What is damaged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    /// The text of a module; `talasm` reads it.
    Source,
    /// An object; `tallink` reads it.
    Object,
    /// An executable, or a module as it would lie in memory; `talcheck` reads it.
    Executable,
    /// The text of a module that was [made up](crate::generate); what comes of it is damaged after that.
    Generated,
}

impl Target {
    /// All targets, with the names of the command line.
    pub const ALL: [(&'static str, Target); 4] = [
        ("source", Target::Source),
        ("object", Target::Object),
        ("executable", Target::Executable),
        ("generated", Target::Generated),
    ];
}

/// What a round puts in: one part of a seed, damaged, or what was made up.
#[derive(Clone, Debug)]
pub struct Input {
    /// The seed, an index into the corpus. What was made up has none, and this is 0.
    pub seed: usize,
    /// Which of its modules, objects or images.
    pub part: usize,
    /// What this part is now.
    pub bytes: Vec<u8>,
}

/// What became of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Outcome {
    /// Refused, with this code first.
    Refused(Code),
    /// Accepted, and nothing in it could be run.
    Accepted,
    /// Accepted, and run without breaking a rule.
    Run,
}

/// How often something became of a round.
pub type Counts = BTreeMap<Outcome, u64>;

/// Damages a part of the corpus.
pub fn damage(target: Target, corpus: &Corpus, rng: &mut Rng) -> Input {
    match target {
        Target::Source => source::damage(corpus, rng),
        Target::Object => object::damage(corpus, rng),
        Target::Executable => executable::damage(corpus, rng),
        Target::Generated => generated::make(corpus.arch, rng),
    }
}

/// Puts it through the tools.
///
/// # Errors
/// What a tool or an accepted program did that it must never do.
pub fn judge(target: Target, corpus: &Corpus, input: &Input, rng: &mut Rng) -> Result<Outcome, String> {
    let seed = || &corpus.seeds[input.seed];
    match target {
        Target::Source => source::judge(seed(), input, rng),
        Target::Object => object::judge(seed(), input, rng),
        Target::Executable => executable::judge(seed(), input, rng),
        Target::Generated => generated::judge(input, rng),
    }
}

/// The verdict about images of which the assembler has proved each part.
fn judge_proved(images: &[Image], rng: &mut Rng) -> Result<Outcome, String> {
    let outcome = judge_images(images, rng)?;
    let limits = [verdict::Code::Limit, verdict::Code::Fuel].map(|c| Code(c as u16));
    match outcome {
        Outcome::Refused(code) if code.0 < 1000 && !limits.contains(&code) => {
            let why = images.iter().find_map(|i| i.check().err()).map_or(String::new(), |r| r.text);
            Err(format!("the checker refuses what the assembler accepts:\n{why}"))
        }
        _ => Ok(outcome),
    }
}

/// The verdict about images, and how they run.
fn judge_images(images: &[Image], rng: &mut Rng) -> Result<Outcome, String> {
    let mut outcome = Outcome::Accepted;
    for image in images {
        if let Err(refusal) = image.check() {
            return Ok(refused(&refusal));
        }
    }
    for image in images {
        if run(image, &[], rng)? {
            outcome = Outcome::Run;
        }
    }
    Ok(outcome)
}

fn refused(refusal: &Refusal) -> Outcome {
    Outcome::Refused(refusal.codes[0])
}

/// How many functions of an image are run, how often, and for how many steps.
const FUNCTIONS: usize = 6;
const RUNS: u64 = 4;
const STEPS: u64 = 1_500;
/// Programs with more memory, in bytes, are not run.
const MEMORY: u64 = 64 << 20;

/// Runs the functions in which one of these addresses lies, and some others. Answers whether anything ran.
fn run(image: &Image, places: &[u64], rng: &mut Rng) -> Result<bool, String> {
    let program = image.load().map_err(|r| format!("is accepted and cannot be loaded: {}", r.why))?;
    if program.segments.iter().map(|s| s.size).sum::<u64>() > MEMORY {
        return Ok(false);
    }
    let mut chosen: Vec<usize> = (0..program.functions.len())
        .filter(|f| {
            let f = &program.functions[*f];
            places.iter().any(|p| (f.addr..f.addr + f.size).contains(p))
        })
        .collect();
    while chosen.len() < FUNCTIONS.min(program.functions.len()) {
        chosen.push(rng.usize(..program.functions.len()));
    }
    let mut ran = false;
    let whole = matches!(image, Image::Program(_));
    let claims = Claims::of(&program, image.bytes());
    for (function, _) in chosen.iter().flat_map(|f| (0..RUNS).map(move |r| (f, r))) {
        let seed = rng.u64(..);
        let machine = match program.types.sig(program.functions[*function].sig).start {
            true if whole => {
                let args: [&[u8]; 4] = [b"prog", b"-n", b"12", b""];
                Some(Machine::new(&program, &args[..rng.usize(..5)], seed))
            }
            true => None,
            false => Machine::at(&program, *function, seed),
        };
        let Some(mut machine) = machine.map(|m| m.with_claims(&claims)) else { continue };
        ran = true;
        let at = program.functions[*function].addr;
        let told = |v: Box<crate::interp::Violation>| format!("{}, from {at:#x}:\n{}", v.what, v.history);
        machine.run(STEPS).map_err(told)?;
    }
    Ok(ran)
}
