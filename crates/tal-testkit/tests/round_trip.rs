//! Annotations: what is read from a stream and written again is the same stream.

use fastrand::Rng;
use std::rc::Rc;
use tal_testkit::fuzz::Corpus;
use tal_testkit::rounds;
use talcore::annot::{Label, Reading};
use talcore::check::fuel_for;
use talcore::engine::Engine;
use talcore::facts::{Cert, Facts};
use talcore::guide::{Edge, Guide, Step};
use talcore::program::{Function, Program};
use talcore::state::State;
use talcore::term::Term;
use talcore::walk::{self, NoGuide};
use talnote::stream::{self, Answers};

/// Reads, and writes down what it reads.
struct Copying<'a> {
    reading: Reading<'a>,
    answers: Answers,
    ghosts: Vec<Step>,
}

impl Guide for Copying<'_> {
    fn required(&mut self, facts: &Facts, goal: &Term) -> Option<Cert> {
        let cert = self.reading.required(facts, goal)?;
        self.answers.proof(facts, &cert);
        Some(cert)
    }
    fn optional(&mut self, facts: &Facts, goal: &Term) -> Option<Cert> {
        let cert = self.reading.optional(facts, goal);
        self.answers.maybe(facts, cert.as_ref());
        cert
    }
    fn label(&mut self, at: u64) -> Option<Rc<State>> {
        self.reading.label(at)
    }
    fn ghost(&mut self, at: u64, falls: bool) -> Option<Step> {
        let ghost = self.reading.ghost(at, falls)?;
        self.ghosts.push(ghost);
        Some(ghost)
    }
    fn next_label(&mut self, at: u64) -> Option<u64> {
        self.reading.next_label(at)
    }
    fn witness(&mut self, facts: &Facts, var: usize) -> Option<Term> {
        let t = self.reading.witness(facts, var)?;
        self.answers.witness(&t);
        Some(t)
    }
    fn addend(&mut self, at: u64, constant: talcore::guide::Constant) -> Option<i64> {
        let addend = self.reading.addend(at, constant);
        self.answers.addend(addend);
        addend
    }
    fn edge(&mut self, target: u64, state: &State) -> Edge {
        self.reading.edge(target, state)
    }
}

/// What became of a stream.
struct Copy {
    /// Whether the function is accepted with it.
    accepted: bool,
    /// The labels' states, as text.
    labels: String,
    /// The stream, written again.
    bytes: Option<Vec<u8>>,
}

/// Checks a function with a stream. `None` if its labels cannot be read.
fn copy(program: &Program<'_>, function: &Function, bytes: &[u8]) -> Option<Copy> {
    let fuel = fuel_for(function.size + bytes.len() as u64);
    let entry = Engine::new(program, function, NoGuide, fuel).ok()?.entry;
    let reading = Reading::new(bytes, program, function, &entry).ok()?;
    let labels: Vec<Label> = reading.labels().to_vec();
    let guide = Copying { reading, answers: Answers::default(), ghosts: Vec::new() };
    let mut engine = Engine::new(program, function, guide, fuel).ok()?;
    let accepted = walk::run(&mut engine).is_ok();
    let Copying { answers, ghosts, .. } = &engine.guide;
    let bytes = stream::write(program, function, &entry, &labels, ghosts, answers);
    Some(Copy { accepted, labels: format!("{labels:?}"), bytes })
}

#[test]
fn streams_come_back() {
    let (rounds, seed) = rounds(4, 3);
    let mut rng = Rng::with_seed(seed);
    let (mut same, mut mutants, mut good) = (0, 0, 0);
    for seed in Corpus::tests(1).and(Corpus::examples(&[])).seeds {
        for image in &seed.images {
            let program = image.load().unwrap_or_else(|r| panic!("{}: {}", seed.name, r.why));
            for function in &program.functions {
                let bytes = &image.bytes()[function.stream.clone()];
                let first = copy(&program, function, bytes).expect("accepted annotations");
                let place = || format!("the function at {:#x} of {}", function.addr, seed.name);
                assert!(first.accepted, "{}", place());
                assert_eq!(first.bytes.as_deref(), Some(bytes), "{}", place());
                same += 1;
                for _ in 0..if bytes.len() > 2 { rounds } else { 0 } {
                    let mut damaged = bytes.to_vec();
                    let at = rng.usize(..damaged.len());
                    damaged[at] = if rng.bool() { rng.u8(..) } else { damaged[at].wrapping_add(1) };
                    let Some(read) = copy(&program, function, &damaged) else { continue };
                    mutants += 1;
                    let written =
                        read.bytes.unwrap_or_else(|| panic!("{}: {damaged:x?} cannot be written", place()));
                    let again = copy(&program, function, &written).unwrap_or_else(|| {
                        panic!("{}: {damaged:x?} is written as {written:x?}, which is not read", place())
                    });
                    assert_eq!(read.labels, again.labels, "{}", place());
                    if read.accepted {
                        good += 1;
                        assert!(again.accepted, "{}: {damaged:x?} is accepted, {written:x?} is not", place());
                        assert_eq!(again.bytes, Some(written), "{}", place());
                    }
                }
            }
        }
    }
    assert!(same > 300 && mutants > 100 && good > 20, "{same} functions, {mutants} mutants, {good} accepted");
}
