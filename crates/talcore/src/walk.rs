//! One pass over a function, front to back.

use crate::annot::Reading;
use crate::engine::{Checked, Engine, Flow};
use crate::guide::{Guide, Step};
use crate::program::{Function, Program};
use crate::state::State;
use crate::verdict::{Code, Reject};
use crate::x86::decode::{DecodeError, decode};
use crate::x86::insn::Op;
use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;

/// What checking one function took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FunctionStats {
    /// Instructions.
    pub instructions: u64,
    /// Labels.
    pub labels: u64,
    /// Proofs by certificate.
    pub certificates: u64,
    /// Steps that were paid for.
    pub steps: u64,
}

/// The code of a function: all of it comes from the file.
pub fn code<'a>(program: &Program<'a>, function: &Function) -> Checked<&'a [u8]> {
    let bytes = program
        .segment(function.addr, function.size)
        .filter(|s| s.exec)
        .map(|s| s.bytes_at(function.addr))
        .and_then(|b| b.get(..usize::try_from(function.size).ok()?));
    bytes.ok_or_else(|| {
        Reject::new(Code::Overlap, function.addr, "the function lies outside executable memory")
    })
}

/// Checks one function against its annotation stream, which lies in `file`.
pub fn check_function(program: &Program<'_>, index: usize, file: &[u8]) -> Checked<FunctionStats> {
    check_function_in(&mut Workspace::default(), program, index, file)
}

/// The most labels whose memory is kept for the next function: each keeps that of the largest of its kind.
const KEPT_LABELS: usize = 256;

/// Memory that checking one function leaves to the next. What was in it has no meaning.
#[derive(Default)]
pub struct Workspace {
    states: Option<(State, Rc<State>)>,
    labels: Vec<(u64, Rc<State>)>,
}

/// The same in memory that was used before.
pub fn check_function_in(
    workspace: &mut Workspace,
    program: &Program<'_>,
    index: usize,
    file: &[u8],
) -> Checked<FunctionStats> {
    let Some(function) = program.functions.get(index) else {
        return Err(Reject::new(Code::Note, 0, "there is no such function"));
    };
    let stream = file.get(function.stream.clone()).unwrap_or(&[]);
    let fuel = crate::check::fuel_for(function.size.saturating_add(stream.len() as u64)).min(program.fuel);
    let states = workspace.states.take().unwrap_or_default();
    let labels = core::mem::take(&mut workspace.labels);
    // Nothing is asked before the labels are known, for which the entry state must be known.
    let mut engine = Engine::in_place_of(states, program, function, Reading::default(), fuel);
    engine.start()?;
    engine.guide = Reading::in_place_of(labels, stream, program, function, &engine.entry).map_err(|b| {
        let at = function.stream.start.saturating_add(b.at) as u64;
        let (code, why) = match b.too_much {
            true => (Code::Limit, "the states of the labels are too large together"),
            false => (Code::Stream, "the annotations cannot be read"),
        };
        Reject::new(code, at, why).in_file()
    })?;
    let labels = engine.guide.label_count() as u64;
    engine.spend(engine.guide.parts())?;
    let instructions = run(&mut engine)?;
    let steps = fuel.saturating_sub(engine.fuel);
    let certificates = engine.certificates;
    let mut kept = engine.guide.into_labels();
    kept.truncate(KEPT_LABELS);
    *workspace = Workspace { states: Some((engine.state, engine.entry)), labels: kept };
    Ok(FunctionStats { instructions, labels, certificates, steps })
}

/// A step that would change nothing is not what its author meant.
const LOST_GHOST: &str = "a step without machine code lies inside an instruction, or where no path leads";

/// Takes a step without machine code, if this is its place.
fn take<G: Guide>(engine: &mut Engine<'_, G>, at: u64, now: bool, step: Step) -> Checked {
    if step.at != at || !now {
        return engine.reject(Code::Stream, LOST_GHOST);
    }
    engine.ghost(step.ghost)
}

/// Walks over all instructions; answers their number.
pub fn run<G: Guide>(engine: &mut Engine<'_, G>) -> Checked<u64> {
    let function = engine.function;
    let bytes = code(engine.program, function)?;
    let mut at = 0u64;
    let mut reachable = true;
    let mut instructions = 0;
    let mut label = engine.guide.next_label(0);
    while at < function.size {
        engine.ip = function.addr + at;
        while let Some(step) = engine.guide.ghost(at, true) {
            take(engine, at, reachable && step.falls, step)?;
        }
        if label == Some(at) {
            if reachable {
                engine.edge(at)?;
            }
            if let Some(state) = engine.guide.label(at) {
                engine.enter(&state);
                reachable = true;
            }
            label = engine.guide.next_label(at + 1);
        }
        while let Some(step) = engine.guide.ghost(at, false) {
            take(engine, at, reachable && !step.falls, step)?;
        }
        let rest = usize::try_from(at).ok().and_then(|at| bytes.get(at..)).unwrap_or(&[]);
        let decoded = decode(engine.program.arch, rest, engine.ip);
        let insn = match &decoded {
            Ok(insn) => insn,
            Err(e) => return Err(undecodable(engine.ip, *e)),
        };
        let next = at + u64::from(insn.len);
        if label.is_some_and(|l| l < next) {
            return engine.reject(Code::Stream, "a label lies inside an instruction");
        }
        if next > function.size {
            return engine.reject(Code::Truncated, "the last instruction is cut off");
        }
        if reachable {
            instructions += 1;
            match engine.step(insn)? {
                Flow::Next => {}
                Flow::Away => reachable = false,
                Flow::Trap => {
                    let after = usize::try_from(next).ok().and_then(|n| bytes.get(n..)).unwrap_or(&[]);
                    match decode(engine.program.arch, after, function.addr + next) {
                        Ok(i) if i.op == Op::Ud2 => reachable = false,
                        _ => {
                            return engine
                                .reject(Code::NoReturn, "a call that does not return is followed by `ud2`");
                        }
                    }
                }
            }
        } else {
            engine.spend(1)?;
            if !matches!(insn.op, Op::Ud2 | Op::Int3 | Op::Nop) {
                return engine
                    .reject(Code::Unreachable, "no path leads here, and it is neither padding nor `ud2`");
            }
        }
        at = next;
    }
    engine.ip = function.addr + function.size;
    if engine.guide.ghost(function.size, false).is_some() {
        return engine.reject(Code::Stream, LOST_GHOST);
    }
    if reachable {
        return engine.reject(Code::FallsOff, "control runs off the end of the function");
    }
    Ok(instructions)
}

fn undecodable(at: u64, e: DecodeError) -> Box<Reject> {
    Reject::new(e.code(), at, e.why())
}

/// Answers nothing: for looking at a function's entry state.
pub struct NoGuide;

impl Guide for NoGuide {
    fn required(&mut self, _: &crate::facts::Facts, _: &crate::term::Term) -> Option<crate::facts::Cert> {
        None
    }
    fn optional(&mut self, _: &crate::facts::Facts, _: &crate::term::Term) -> Option<crate::facts::Cert> {
        None
    }
    fn label(&mut self, _: u64) -> Option<alloc::rc::Rc<crate::state::State>> {
        None
    }
    fn ghost(&mut self, _: u64, _: bool) -> Option<Step> {
        None
    }
    fn next_label(&mut self, _: u64) -> Option<u64> {
        None
    }
    fn witness(&mut self, _: &crate::facts::Facts, _: usize) -> Option<crate::term::Term> {
        None
    }
    fn addend(&mut self, _: u64, _: crate::guide::Constant) -> Option<i64> {
        None
    }
    fn edge(&mut self, _: u64, _: &crate::state::State) -> crate::guide::Edge {
        crate::guide::Edge::Match
    }
}
