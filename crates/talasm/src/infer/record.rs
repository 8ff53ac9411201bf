//! Walks over a function whose labels are known, and writes down every answer that the rules need.

use super::fix::{Addresses, Failure, Solution};
use super::label::{Frame, substitution};
use super::stream::{self, Answers};
use crate::prove::{Budget, prove};
use std::rc::Rc;
use talcore::engine::Engine;
use talcore::facts::{Cert, Facts};
use talcore::guide::{Edge, Guide};
use talcore::program::{Function, Program};
use talcore::state::State;
use talcore::term::Term;
use talcore::verdict::{Code, Reject};
use talcore::walk;

const OPTIONAL: Budget = Budget(40_000);

struct Recorder<'s> {
    solution: &'s Solution,
    addresses: &'s Addresses,
    answers: Answers,
    frame: Frame<'s>,
    /// What the variables of the label that is being matched stand for.
    stands_for: Vec<Option<Term>>,
}

impl Recorder<'_> {
    fn find(&self, at: u64) -> Result<usize, usize> {
        self.solution.labels.binary_search_by_key(&at, |l| l.0)
    }
}

impl Guide for Recorder<'_> {
    fn required(&mut self, facts: &Facts, goal: &Term) -> Option<Cert> {
        let cert = prove(facts, goal, Budget::default())?;
        self.answers.proof(facts, &cert);
        Some(cert)
    }
    fn optional(&mut self, facts: &Facts, goal: &Term) -> Option<Cert> {
        let cert = prove(facts, goal, OPTIONAL);
        self.answers.maybe(facts, cert.as_ref());
        cert
    }
    fn label(&mut self, at: u64) -> Option<Rc<State>> {
        self.find(at).ok().map(|i| self.solution.labels[i].1.clone())
    }
    fn next_label(&mut self, at: u64) -> Option<u64> {
        let i = self.find(at).unwrap_or_else(|i| i);
        self.solution.labels.get(i).map(|l| l.0)
    }
    fn witness(&mut self, _: &Facts, var: usize) -> Option<Term> {
        let t = self.stands_for.get(var)?.clone()?;
        self.answers.witness(&t);
        Some(t)
    }
    fn addend(&mut self, at: u64) -> Option<i64> {
        let addend = self.addresses.get(&at).copied();
        self.answers.addend(addend);
        addend
    }
    fn edge(&mut self, target: u64, state: &State) -> Edge {
        if let Ok(i) = self.find(target) {
            self.stands_for = substitution(&self.frame, &self.solution.labels[i].1, state);
        }
        Edge::Match
    }
}

/// The annotation stream of a function.
pub(super) fn record(
    program: &Program<'_>,
    function: &Function,
    solution: &Solution,
    addresses: &Addresses,
) -> Result<Vec<u8>, Failure> {
    let frame = Frame { program, entry: solution.entry.clone(), landmarks: Vec::new() };
    let answers = Answers::default();
    let recorder = Recorder { solution, addresses, answers, frame, stands_for: Vec::new() };
    let mut engine = Engine::new(program, function, recorder, u64::MAX)
        .map_err(|reject| Failure { reject, state: Box::default() })?;
    if let Err(reject) = walk::run(&mut engine) {
        return Err(Failure { reject, state: Box::new(engine.state) });
    }
    let answers = &engine.guide.answers;
    stream::write(program, function, &solution.entry, &solution.labels, answers).ok_or_else(|| {
        let reject = Reject::new(
            Code::Stream,
            function.addr,
            "a label's state needs a type that the module does not name",
        );
        Failure { reject, state: Box::default() }
    })
}
