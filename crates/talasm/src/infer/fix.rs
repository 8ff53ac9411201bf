//! Looks for the states of all labels of a function: a fixed point over its control flow.

use super::code::Code;
use super::label::{Clash, Frame, Label};
use super::pin::Pins;
use crate::prove::{Budget, prove};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use talcore::engine::{Engine, Flow};
use talcore::facts::{Cert, Facts};
use talcore::guide::{Edge, Guide};
use talcore::program::{Function, Program};
use talcore::state::State;
use talcore::term::Term;
use talcore::verdict::{Code as Reason, Reject};
use talcore::x86::insn::Arg;

/// Rounds over one block before the search gives up.
const ROUNDS: u32 = 200;
/// How often a label may start afresh when a forward edge brings something else than before.
const RESETS: u32 = 4;
const OPTIONAL: Budget = Budget(40_000);

/// What could not be inferred or proved.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    /// The rule's rejection.
    pub reject: Reject,
    /// What was known there.
    pub state: Box<State>,
}

/// Where constants are addresses: offsets of instructions in the function, and what is added to the
/// address of the symbol, in bytes.
pub(super) type Addresses = BTreeMap<u64, i64>;

/// A back edge that waits: inner targets first, then by block and instruction.
type Waiting = (std::cmp::Reverse<usize>, Option<u64>, u64);

/// Collects edges instead of matching them.
struct Scout<'f> {
    labels: &'f BTreeMap<u64, Label>,
    wanted: &'f Code,
    addresses: &'f Addresses,
    edges: Vec<(u64, State)>,
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
        match self.labels.get(&at) {
            Some(l) => Some(l.state()),
            None => self.wanted.labels.contains_key(&at).then(|| Rc::new(State::default())),
        }
    }
    fn next_label(&mut self, at: u64) -> Option<u64> {
        self.wanted.labels.range(at..).next().map(|l| *l.0)
    }
    fn witness(&mut self, _: &Facts, _: usize) -> Option<Term> {
        None
    }
    fn addend(&mut self, at: u64) -> Option<i64> {
        self.addresses.get(&at).copied()
    }
    fn edge(&mut self, target: u64, state: &State) -> Edge {
        self.edges.push((target, state.clone()));
        Edge::Taken
    }
}

/// The states of the labels.
pub(super) struct Solution {
    pub labels: Vec<(u64, Rc<State>)>,
    pub entry: Rc<State>,
}

/// Finds the states of all labels that some path reaches.
pub(super) fn solve(
    program: &Program<'_>,
    function: &Function,
    code: &Code,
    addresses: &Addresses,
    pins: &Pins,
    entry: Rc<State>,
) -> Result<Solution, Failure> {
    let frame =
        Frame { program, entry: entry.clone(), landmarks: landmarks(program, function, code, &entry) };
    let mut labels: BTreeMap<u64, Label> = BTreeMap::new();
    // A block starts at a label; `None` is the function's entry. They are looked at in their order.
    let order = code.order(program, function);
    let rank: BTreeMap<Option<u64>, usize> = order.iter().enumerate().map(|(i, b)| (*b, i)).collect();
    let rank_of = |b: &Option<u64>| rank.get(b).copied().unwrap_or(usize::MAX);
    let mut dirty: BTreeSet<(usize, Option<u64>)> = BTreeSet::from([(0, None)]);
    let mut from: BTreeMap<u64, BTreeSet<Option<u64>>> = BTreeMap::new();
    let mut rounds: BTreeMap<Option<u64>, u32> = BTreeMap::new();
    // Blocks that a rule has rejected, each in its present state. States only get weaker, but while
    // they are still too narrow a block may be looked at in a way in which it never runs.
    let mut failed: BTreeMap<usize, Failure> = BTreeMap::new();
    // The latest state of each forward edge, by target.
    let mut arrived: BTreeMap<u64, BTreeMap<(Option<u64>, u64), State>> = BTreeMap::new();
    let mut resets: BTreeMap<u64, u32> = BTreeMap::new();
    // Back edges wait until everything in front of them has settled, inner loops first: what leaves a
    // loop is then known as well as it can be.
    let mut waiting: BTreeMap<Waiting, (u64, State)> = BTreeMap::new();
    loop {
        let mut edges = Vec::new();
        if let Some((position, block)) = dirty.pop_first() {
            let round = rounds.entry(block).or_default();
            *round += 1;
            if *round > ROUNDS {
                let at = function.addr + block.unwrap_or(0);
                let reject = Reject::new(Reason::LabelFact, at, "the states of the labels do not settle");
                return Err(Failure { reject, state: Box::default() });
            }
            let state = match block {
                None => entry.clone(),
                Some(at) => labels[&at].state(),
            };
            failed.remove(&position);
            let ran = run_block(program, function, code, addresses, &labels, &state, block);
            let ran = ran.unwrap_or_else(|failure| {
                failed.insert(position, failure);
                Vec::new()
            });
            for (target, state, ip) in ran {
                from.entry(target).or_default().insert(block);
                let rank = rank_of(&Some(target));
                if position < rank {
                    arrived.entry(target).or_default().insert((block, ip), state.clone());
                    edges.push((target, state, ip, Some(block)));
                } else {
                    waiting.insert((std::cmp::Reverse(rank), block, ip), (target, state));
                }
            }
        } else if let Some(((_, _, ip), (target, state))) = waiting.pop_first() {
            edges.push((target, state, ip, None));
        } else {
            break;
        }
        for (target, state, ip, forward) in edges {
            let clash = |c: Clash| Failure {
                reject: clash(c, ip, function.addr + target),
                state: Box::new(state.clone()),
            };
            let live = code.labels.get(&target).copied().unwrap_or(0);
            let pin = pins.get(&target).cloned();
            let dirty_target = (rank_of(&Some(target)), Some(target));
            let Some(label) = labels.get_mut(&target) else {
                labels.insert(target, Label::first(&frame, live, &state, pin).map_err(clash)?);
                dirty.insert(dirty_target);
                continue;
            };
            // Joining makes a label weaker, or adds facts that held before: what was joined earlier
            // still matches.
            if !label.join(&frame, &state).map_err(clash)? {
                continue;
            }
            dirty.insert(dirty_target);
            let count = resets.entry(target).or_insert(0u32);
            if let Some(block) = forward
                && *count < RESETS
            {
                // What arrived before may be out of date: an outer loop has learnt better. The label
                // starts afresh, and its back edges are looked at again.
                *count += 1;
                *label = Label::first(&frame, live, &state, pin).map_err(clash)?;
                for (key, other) in &arrived[&target] {
                    if *key != (block, ip) {
                        label.join(&frame, other).map_err(clash)?;
                    }
                }
                dirty.extend(from[&target].iter().map(|b| (rank_of(b), *b)));
            }
        }
    }
    if let Some((_, failure)) = failed.pop_first() {
        return Err(failure);
    }
    let labels = labels.into_iter().map(|(at, l)| (at, l.finish(&frame))).collect();
    Ok(Solution { labels, entry })
}

/// Runs from the start of a block to where it ends; answers the edges to labels with the address of
/// the instruction that each comes from.
fn run_block(
    program: &Program<'_>,
    function: &Function,
    code: &Code,
    addresses: &Addresses,
    labels: &BTreeMap<u64, Label>,
    state: &State,
    block: Option<u64>,
) -> Result<Vec<(u64, State, u64)>, Failure> {
    let scout = Scout { labels, wanted: code, addresses, edges: Vec::new() };
    let mut engine = Engine::new(program, function, scout, u64::MAX)
        .map_err(|reject| Failure { reject, state: Box::default() })?;
    engine.enter(state);
    let mut edges = Vec::new();
    let first = block.unwrap_or(0);
    let Some(mut i) = code.index_of(first) else { return Ok(edges) };
    let mut fresh_start = true;
    while let Some((at, insn)) = code.insns.get(i) {
        engine.ip = function.addr + at;
        let is_start = std::mem::take(&mut fresh_start) && block.is_some();
        if !is_start && code.labels.contains_key(at) {
            if !engine.state.facts.contradictory() {
                edges.push((*at, engine.state, engine.ip));
            }
            return Ok(edges);
        }
        let before = needs_memory(insn.args).then(|| engine.state.clone());
        let flow = engine.step(insn);
        let ip = engine.ip;
        edges.extend(engine.guide.edges.drain(..).map(|(t, s)| (t, s, ip)));
        match flow {
            Ok(Flow::Next) => i += 1,
            Ok(Flow::Away | Flow::Trap) => return Ok(edges),
            Err(reject) => {
                // Failures may leave half of an instruction's effect; what was known before is
                // what a person wants to see, and its variables come first.
                let state = Box::new(before.unwrap_or(engine.state));
                return Err(Failure { reject, state });
            }
        }
    }
    Ok(edges)
}

/// States are kept only where failures are explained by them anyway; a clone of every state is too
/// slow for long functions.
fn needs_memory(_: [Arg; 3]) -> bool {
    false
}

fn clash(c: Clash, from: u64, target: u64) -> Reject {
    match c {
        Clash::Depth(..) => Reject::new(Reason::LabelStack, from, "the stack has another depth at the label"),
        Clash::Debt => {
            Reject::new(Reason::ProbeDebt, from, "stack was allocated but not touched before the label")
        }
        Clash::Pinned(r) => {
            let why = "the register does not have the value that the annotation of the label says";
            Reject::new(Reason::LabelType, from, why).reg(r)
        }
    }
    .target(target)
}

/// Bounds that are worth trying: powers of two, and the constants of the function.
fn landmarks(program: &Program<'_>, function: &Function, code: &Code, entry: &State) -> Vec<i128> {
    let _ = function;
    let w = program.arch.word_bits();
    let mut set: BTreeSet<i128> = BTreeSet::from([0, 1, -1, -4095, 255, 65535]);
    for bits in [31, 32, 47, w - 1, w] {
        set.insert((1 << bits) - 1);
        set.insert(1 << bits);
        set.insert(-(1 << bits));
    }
    for (_, insn) in &code.insns {
        if insn.args.contains(&Arg::Imm) {
            let c = i128::from(insn.imm);
            set.extend([c - 1, c, c + 1, -c - 1, -c, 1 - c]);
        }
    }
    for o in &program.objects {
        set.insert(i128::from(o.size));
    }
    for v in 0..entry.facts.var_count() {
        let range = entry.facts.interval(v as u32);
        set.extend([range.lo, range.hi]);
    }
    set.remove(&i128::MIN);
    set.remove(&i128::MAX);
    // Sizes of many objects would make widening slow: keep it to a few dozen.
    if set.len() > 256 {
        let keep: BTreeSet<i128> =
            [0, 1, -1, -4095, 255, 65535, (1 << 31) - 1, (1 << 32) - 1, (1 << (w - 1)) - 1]
                .into_iter()
                .collect();
        set = keep;
    }
    set.into_iter().collect()
}
