//! Walks over a function whose labels are known, and writes down every answer that the rules need.

use super::address::without_idle;
use super::bind::substitution;
use super::bounds::Landmarks;
use super::code::Code;
use super::fix::{Addresses, Failure, Solution};
use super::label::Frame;
use super::shorten::{Loss, shorten};
use super::terms::own_facts;
use crate::prove::{Budget, prove};
use std::collections::BTreeSet;
use std::rc::Rc;
use talcore::engine::{Engine, Flow};
use talcore::facts::{Cert, Facts};
use talcore::guide::{Edge, Guide};
use talcore::matching::Subst;
use talcore::program::{Function, Program};
use talcore::state::State;
use talcore::term::Term;
use talcore::verdict::{Code as Reason, Reject};
use talcore::x86::insn::Op;
use talnote::stream::{self, Answers};

const OPTIONAL: Budget = Budget(40_000);

struct Recorder<'s> {
    solution: &'s Solution,
    addresses: &'s Addresses,
    answers: Answers,
    frame: Frame<'s>,
    /// The word types of the function's note.
    words: (u32, u32),
    /// What the variables of the label that is being matched stand for.
    stands_for: Vec<Option<Term>>,
    /// Which facts of labels are used for what.
    uses: Uses,
}

/// A label by number, and one of its own facts by number.
type FactId = (usize, usize);

/// What proofs use: only those facts need to stay in the labels.
#[derive(Default)]
struct Uses {
    /// The label whose facts the present state has.
    current: Option<usize>,
    /// The label that is being matched, and its facts as goals.
    matching: Option<(usize, Vec<Option<Term>>)>,
    /// Facts that some proof needs which is not itself of a label's fact.
    needed: BTreeSet<FactId>,
    /// Facts that the proof of a label's fact needs.
    edges: Vec<(FactId, FactId)>,
}

impl Uses {
    fn note(&mut self, entry: &State, goal: &Term, cert: &Cert, required: bool) {
        let Some(label) = self.current else { return };
        let first = entry.facts.list().len();
        let own = cert.uses.iter().filter_map(|(f, _)| (*f as usize).checked_sub(first));
        let matched = self.matching.as_ref().filter(|_| required).and_then(|(target, goals)| {
            let k = goals.iter().position(|g| g.as_ref() == Some(goal))?;
            Some((*target, k))
        });
        for f in own {
            match matched {
                Some(to) => self.edges.push((to, (label, f))),
                None => drop(self.needed.insert((label, f))),
            }
        }
    }

    /// All facts that are needed in the end.
    fn closure(mut self) -> BTreeSet<FactId> {
        loop {
            let before = self.needed.len();
            for (to, from) in &self.edges {
                if self.needed.contains(to) {
                    self.needed.insert(*from);
                }
            }
            if self.needed.len() == before {
                return self.needed;
            }
        }
    }
}

impl Recorder<'_> {
    fn find(&self, at: u64) -> Result<usize, usize> {
        self.solution.labels.binary_search_by_key(&at, |l| l.0)
    }
}

impl Guide for Recorder<'_> {
    fn required(&mut self, facts: &Facts, goal: &Term) -> Option<Cert> {
        let cert = prove(facts, goal, Budget::default())?;
        self.uses.note(&self.solution.entry, goal, &cert, true);
        self.answers.proof(facts, &cert);
        Some(cert)
    }
    fn optional(&mut self, facts: &Facts, goal: &Term) -> Option<Cert> {
        let cert = prove(facts, goal, OPTIONAL);
        if let Some(cert) = &cert {
            self.uses.note(&self.solution.entry, goal, cert, false);
        }
        self.answers.maybe(facts, cert.as_ref());
        cert
    }
    fn label(&mut self, at: u64) -> Option<Rc<State>> {
        self.find(at).ok().map(|i| self.solution.labels[i].1.clone())
    }
    fn ghost(&mut self, _: u64, _: bool) -> Option<talcore::guide::Step> {
        None
    }
    fn next_label(&mut self, at: u64) -> Option<u64> {
        let i = self.find(at).unwrap_or_else(|i| i);
        self.solution.labels.get(i).map(|l| l.0)
    }
    fn witness(&mut self, _: &Facts, var: usize) -> Option<Term> {
        let t = self.stands_for.get(var)?.clone()?;
        self.answers.witness(&self.frame.program.local_code(&t, self.words)?);
        Some(t)
    }
    fn addend(&mut self, at: u64, constant: talcore::guide::Constant) -> Option<i64> {
        let addend = self.addresses.get(&(at, constant)).copied();
        self.answers.addend(addend);
        addend
    }
    fn edge(&mut self, target: u64, state: &State) -> Edge {
        if let Ok(i) = self.find(target) {
            let label = &self.solution.labels[i].1;
            self.stands_for = substitution(&self.frame, label, state);
            let rigid = self.solution.entry.facts.var_count() as u32;
            let s = Subst { rigid, terms: self.stands_for.clone(), ..Subst::default() };
            let goals = own_facts(&self.solution.entry, &label.facts).iter().map(|t| s.apply(t)).collect();
            self.uses.matching = Some((i, goals));
        }
        Edge::Match
    }
}

/// The annotation stream of a function. Facts of labels that no proof needs are left out.
pub(super) fn record(
    program: &Program<'_>,
    function: &Function,
    code: &Code,
    solution: &mut Solution,
    addresses: &Addresses,
) -> Result<Vec<u8>, Failure> {
    let mut recorder = walk(program, function, code, solution, addresses)?;
    let needed = std::mem::take(&mut recorder.uses).closure();
    let mut answers = recorder.answers;
    // Proofs may need what is taken away here, and the prover may find its way only with what it did not use.
    let smaller = pruned(solution, &needed);
    let plain = without_addresses(smaller.as_ref().unwrap_or(solution));
    let losses = [Loss::Ranges, Loss::Rounding];
    let without = plain.iter().flat_map(|plain| losses.map(|loss| shorten(plain, loss)));
    let shorter = losses.map(|loss| shorten(smaller.as_ref().unwrap_or(solution), loss));
    let candidates: Vec<Solution> = without.chain(shorter).collect();
    for candidate in candidates.into_iter().chain(smaller) {
        if let Ok(recorder) = walk(program, function, code, &candidate, addresses) {
            answers = recorder.answers;
            *solution = candidate;
            break;
        }
    }
    stream::write(program, function, &solution.entry, &solution.labels, &code.ghosts, &answers).ok_or_else(
        || {
            let reject = Reject::new(
                Reason::Stream,
                function.addr,
                "a label's state needs a type that the module does not name",
            );
            Failure::new(reject, State::default())
        },
    )
}

/// The labels with the needed facts only; `None` if all are.
fn pruned(solution: &Solution, needed: &BTreeSet<FactId>) -> Option<Solution> {
    let first = solution.entry.facts.list().len();
    let total: usize = solution.labels.iter().map(|l| l.1.facts.list().len() - first).sum();
    if needed.len() == total {
        return None;
    }
    let mut labels = Vec::with_capacity(solution.labels.len());
    for (n, (at, state)) in solution.labels.iter().enumerate() {
        let mut state = State::clone(state);
        let kept = |k: usize| k < first || needed.contains(&(n, k - first));
        state.facts.retain(kept);
        labels.push((*at, Rc::new(state)));
    }
    Some(Solution { labels, entry: solution.entry.clone() })
}

/// The labels without the addresses that they do not compare; `None` if they have none.
fn without_addresses(solution: &Solution) -> Option<Solution> {
    solution.labels.iter().find(|l| l.1.locs.iter().any(|l| l.addr.is_some()))?;
    let idle = |state: &Rc<State>| without_idle(state, &solution.entry).map_or(state.clone(), Rc::new);
    let labels = solution.labels.iter().map(|(at, state)| (*at, idle(state))).collect();
    Some(Solution { labels, entry: solution.entry.clone() })
}

/// Walks over the function as the checker does, and answers what was asked and used.
fn walk<'s>(
    program: &'s Program<'s>,
    function: &'s Function,
    code: &Code,
    solution: &'s Solution,
    addresses: &'s Addresses,
) -> Result<Recorder<'s>, Failure> {
    let frame = Frame {
        program,
        entry: solution.entry.clone(),
        landmarks: Landmarks::default(),
        kept: super::fix::kept(program, function, &solution.entry),
        optional: Vec::new(),
        flags: false,
    };
    let recorder = Recorder {
        solution,
        addresses,
        answers: Answers::default(),
        frame,
        words: function.types.words,
        stands_for: Vec::new(),
        uses: Uses::default(),
    };
    let mut engine = Engine::new(program, function, recorder, u64::MAX)
        .map_err(|reject| Failure::new(reject, State::default()))?;
    let mut reachable = true;
    for (n, (at, insn)) in code.insns.iter().enumerate() {
        engine.ip = function.addr + at;
        let stop = |engine: &Engine<'_, Recorder<'_>>, reject| Failure::new(reject, engine.state.clone());
        for ghost in code.steps(*at, true) {
            if let Err(r) = engine.ghost(ghost) {
                return Err(stop(&engine, r));
            }
        }
        if let Ok(i) = engine.guide.find(*at) {
            if reachable && let Err(r) = engine.edge(*at) {
                return Err(stop(&engine, r));
            }
            engine.enter(&solution.labels[i].1);
            engine.guide.uses.current = Some(i);
            reachable = true;
        }
        if !reachable {
            if !matches!(insn.op, Op::Ud2 | Op::Int3 | Op::Nop) {
                let r = engine
                    .fail(Reason::Unreachable, "no path leads here, and it is neither padding nor `ud2`");
                return Err(stop(&engine, r));
            }
            continue;
        }
        engine.guide.uses.matching = None;
        for ghost in code.steps(*at, false) {
            if let Err(r) = engine.ghost(ghost) {
                return Err(stop(&engine, r));
            }
        }
        match engine.step(insn) {
            Ok(Flow::Next) => {}
            Ok(Flow::Trap) if code.insns.get(n + 1).is_none_or(|i| i.1.op != Op::Ud2) => {
                let r = engine.fail(Reason::NoReturn, "a call that does not return is followed by `ud2`");
                return Err(stop(&engine, r));
            }
            Ok(Flow::Away | Flow::Trap) => reachable = false,
            Err(r) => return Err(stop(&engine, r)),
        }
    }
    if reachable {
        let r = engine.fail(Reason::FallsOff, "control runs off the end of the function");
        return Err(Failure::new(r, engine.state));
    }
    Ok(engine.guide)
}
