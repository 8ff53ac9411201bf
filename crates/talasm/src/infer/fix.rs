//! Looks for the states of all labels of a function: a fixed point over its control flow.

use super::bounds::landmarks;
use super::code::Code;
use super::label::{Clash, Frame};
use super::node::{Blamed, Node, Waiting};
use super::origin::{Found, Origin};
use super::pin::Pins;
use crate::prove::{Budget, prove};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use talcore::engine::{Engine, Flow};
use talcore::facts::{Cert, Facts};
use talcore::guide::{self, Guide};
use talcore::program::{Function, Program};
use talcore::state::{LocId, State, Word};
use talcore::term::Term;
use talcore::types::{WordId, WordTy};
use talcore::verdict::{Code as Reason, Reject};
use talcore::walk::NoGuide;

/// Rounds over one block before the search gives up.
const ROUNDS: u32 = 200;
/// How often bounds of loops are narrowed.
const NARROWED: u32 = 2;
const OPTIONAL: Budget = Budget(40_000);

/// What could not be inferred or proved.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    /// The rule's rejection.
    pub reject: Box<Reject>,
    /// What was known there.
    pub state: Box<State>,
    /// The label that lost what is missing.
    pub origin: Option<Box<Origin>>,
}

impl Failure {
    /// A rejection, and what was known.
    pub(super) fn new(reject: Box<Reject>, state: State) -> Failure {
        Failure { reject, state: Box::new(state), origin: None }
    }
}

/// Where constants are addresses: offsets of instructions in the function, which of their constants, and what is
/// added to the address of the symbol, in bytes.
pub(super) type Addresses = BTreeMap<(u64, guide::Constant), i64>;

/// Collects edges instead of matching them.
struct Scout<'f> {
    wanted: &'f Code,
    addresses: &'f Addresses,
    edges: Vec<(u64, State)>,
    /// For questions whether there is a label.
    some: Rc<State>,
}

impl Guide for Scout<'_> {
    fn required(&mut self, facts: &Facts, goal: &Term) -> Option<Cert> {
        prove(facts, goal, Budget::default())
    }
    fn optional(&mut self, facts: &Facts, goal: &Term) -> Option<Cert> {
        prove(facts, goal, OPTIONAL)
    }
    fn label(&mut self, at: u64) -> Option<Rc<State>> {
        // Only asked whether there is one.
        self.wanted.labels.contains_key(&at).then(|| self.some.clone())
    }
    fn ghost(&mut self, _: u64, _: bool) -> Option<guide::Step> {
        None
    }
    fn next_label(&mut self, at: u64) -> Option<u64> {
        self.wanted.labels.range(at..).next().map(|l| *l.0)
    }
    fn witness(&mut self, _: &Facts, _: usize) -> Option<Term> {
        None
    }
    fn addend(&mut self, at: u64, constant: guide::Constant) -> Option<i64> {
        self.addresses.get(&(at, constant)).copied()
    }
    fn edge(&mut self, target: u64, state: &State) -> guide::Edge {
        self.edges.push((target, state.clone()));
        guide::Edge::Taken
    }
}

/// The states of the labels.
pub(super) struct Solution {
    pub labels: Vec<(u64, Rc<State>)>,
    pub entry: Rc<State>,
}

/// Finds the states of all labels that some path reaches. `start`: at the function's entry; `flags`: see [`Frame`].
pub(super) fn solve(
    start: Engine<'_, NoGuide>,
    code: &Code,
    addresses: &Addresses,
    pins: &Pins,
    flags: bool,
) -> Result<Solution, Failure> {
    let (program, function, entry) = (start.program, start.function, start.entry.clone());
    if code.labels.is_empty() {
        return Ok(Solution { labels: Vec::new(), entry });
    }
    let frame = Frame {
        program,
        entry: entry.clone(),
        landmarks: landmarks(program, code, &entry),
        kept: kept(program, function, &entry),
        optional: optional(program, function),
        flags,
    };
    let some = Rc::new(State::default());
    let mut engine = start.guided_by(Scout { wanted: code, addresses, edges: Vec::new(), some });
    // A block starts at a label; `None` is the function's entry. They are looked at in their order.
    let order = code.order(program, function);
    let rank: BTreeMap<Option<u64>, usize> = order.iter().enumerate().map(|(i, b)| (*b, i)).collect();
    let rank_of = |b: u64| rank.get(&Some(b)).copied().unwrap_or(usize::MAX);
    let returning = code.returning(program, function);
    let node = |at, live| Node::new((live, returning.contains(&at)), pins.get(&at).cloned());
    let mut nodes: BTreeMap<u64, Node> =
        code.labels.iter().map(|(at, live)| (*at, node(*at, *live))).collect();
    let mut dirty: BTreeSet<(usize, Option<u64>)> = BTreeSet::from([(0, None)]);
    let mut rounds: BTreeMap<Option<u64>, u32> = BTreeMap::new();
    // Blocks that a rule has rejected, each in its present state. States only get weaker, but while
    // they are still too narrow a block may be looked at in a way in which it never runs.
    let mut failed: BTreeMap<usize, Failure> = BTreeMap::new();
    let mut waiting = Waiting::default();
    let mut narrowed = 0;
    // Labels that a back edge has changed.
    let mut widened: BTreeSet<u64> = BTreeSet::new();
    let explain = |target: u64, (c, ip, state): Blamed| {
        Failure::new(clash(c, ip, function.addr + target), State::clone(&state))
    };
    loop {
        let next = dirty.first().map_or(usize::MAX, |d| d.0);
        if let Some((target, source, state)) = waiting.pop(next) {
            let Some(node) = nodes.get_mut(&target) else { continue };
            if node.join_back(&frame, source, state).map_err(|b| explain(target, b))? {
                widened.insert(target);
                dirty.insert((rank_of(target), Some(target)));
            }
            continue;
        }
        let Some((position, block)) = dirty.pop_first() else {
            // Widening goes to the next landmark, which may be far away: when something could not be proved, what
            // the loops really keep is worth another look.
            if failed.is_empty() || narrowed >= NARROWED {
                break;
            }
            narrowed += 1;
            for (at, node) in &mut nodes {
                if node.narrow(&frame) {
                    widened.insert(*at);
                    dirty.insert((rank_of(*at), Some(*at)));
                }
            }
            if dirty.is_empty() {
                break;
            }
            continue;
        };
        if let Some(at) = block {
            let Some(node) = nodes.get_mut(&at) else { continue };
            let widened = widened.remove(&at);
            let settled = node.settle(&frame, (at, position), &mut waiting).map_err(|b| explain(at, b))?;
            if !settled && !widened {
                continue;
            }
        }
        let round = rounds.entry(block).or_default();
        *round += 1;
        if *round > ROUNDS {
            let at = function.addr + block.unwrap_or(0);
            let reject = Reject::new(Reason::LabelFact, at, "the states of the labels do not settle");
            return Err(Failure::new(reject, State::default()));
        }
        let label = block.and_then(|at| nodes.get(&at)?.label.as_ref());
        engine.enter(label.map_or(&*entry, |l| &l.state));
        failed.remove(&position);
        let mut ran = Vec::new();
        if let Err(reject) = run_block(&mut engine, code, block, &mut ran) {
            // Failures may leave half of an instruction's effect, but the variables of what was known before come
            // first. The edges in front of it are taken all the same: what comes back on them may be what is missing.
            engine.guide.edges.clear();
            failed.insert(position, Failure::new(reject, engine.state.clone()));
        }
        let mut numbers: BTreeMap<(u64, u64), u32> = BTreeMap::new();
        for (target, ip, state) in ran {
            let n = numbers.entry((target, ip)).or_default();
            let source = (block, ip, *n);
            *n += 1;
            let (rank, state) = (rank_of(target), Rc::new(state));
            if position >= rank {
                waiting.push(position, rank, source, target, state);
            } else if nodes.get_mut(&target).is_some_and(|n| n.arrive(source, state)) {
                dirty.insert((rank, Some(target)));
            }
        }
    }
    if let Some((position, mut failure)) = failed.pop_first() {
        let found = Found { frame: &frame, code, nodes: &nodes, start: function.addr };
        let block = order.get(position).copied().flatten();
        failure.origin = found.origin(block, &failure.reject, &failure.state).map(Box::new);
        return Err(failure);
    }
    let labels = nodes.into_iter().filter_map(|(at, n)| Some((at, n.label?.finish(&frame)))).collect();
    Ok(Solution { labels, entry })
}

/// Runs from the start of a block to where it ends; collects the edges to labels: target, address of the
/// instruction that each comes from, state.
fn run_block(
    engine: &mut Engine<'_, Scout<'_>>,
    code: &Code,
    block: Option<u64>,
    edges: &mut Vec<(u64, u64, State)>,
) -> Result<(), Box<Reject>> {
    let Some(first) = code.index_of(block.unwrap_or(0)) else { return Ok(()) };
    for (i, (at, insn)) in code.insns.iter().enumerate().skip(first) {
        engine.ip = engine.function.addr + at;
        if i != first || block.is_none() {
            for ghost in code.steps(*at, true) {
                engine.ghost(ghost)?;
            }
        }
        if (i != first || block.is_none()) && code.labels.contains_key(at) {
            if !engine.state.facts.contradictory() {
                engine.widen_cursors()?;
                edges.push((*at, engine.ip, engine.state.clone()));
            }
            break;
        }
        for ghost in code.steps(*at, false) {
            engine.ghost(ghost)?;
        }
        let flow = engine.step(insn)?;
        let ip = engine.ip;
        edges.extend(engine.guide.edges.drain(..).map(|(t, s)| (t, ip, s)));
        if flow != Flow::Next {
            break;
        }
    }
    Ok(())
}

fn clash(c: Clash, from: u64, target: u64) -> Box<Reject> {
    match c {
        Clash::Depth(..) => Reject::new(Reason::LabelStack, from, "the stack has another depth at the label"),
        Clash::Pinned(r) => {
            let why = "the register does not have the value that the annotation of the label says";
            Reject::new(Reason::LabelType, from, why).reg(r)
        }
    }
    .target(target)
}

/// The locations of the arguments that the caller may keep.
pub(super) fn kept(program: &Program<'_>, function: &Function, entry: &State) -> Vec<LocId> {
    let kept = program.types.sig(function.sig).kept.iter();
    kept.filter_map(|k| match entry.regs.get(usize::from(k.param)) {
        Some(Word::Ptr(l, _)) => Some(*l),
        _ => None,
    })
    .collect()
}

/// The types of results and arguments that may be 0.
pub(super) fn optional(program: &Program<'_>, function: &Function) -> Vec<WordId> {
    let sig = program.types.sig(function.sig);
    let all = sig.results.iter().chain(&sig.params).map(|p| p.1);
    all.filter(|id| matches!(program.types.word(*id), WordTy::Opt(_))).collect()
}
