//! Runs the checker once more over a function that it rejected, to see what it knew. For messages only: the
//! verdict is given already.

use talcore::annot::Reading;
use talcore::check::fuel_for;
use talcore::engine::{Engine, Flow};
use talcore::guide::Guide;
use talcore::program::{Function, Program};
use talcore::state::State;
use talcore::walk::{self, NoGuide};
use talcore::x86::decode::decode;

/// What the checker knew before an instruction.
pub(crate) struct Scene<'a> {
    /// The program.
    pub(crate) program: Program<'a>,
    /// The index of the function.
    pub(crate) function: usize,
    /// The state before the instruction, with the variables that the instruction itself made.
    pub(crate) state: State,
}

/// The scene at an address, if the walk gets there. `file` is what the program was read from.
pub(crate) fn scene<'a>(program: Program<'a>, file: &[u8], address: u64) -> Option<Scene<'a>> {
    let index = program.functions.iter().position(|f| (f.addr..f.addr + f.size).contains(&address))?;
    let state = state_at(&program, program.functions.get(index)?, file, address)?;
    Some(Scene { program, function: index, state })
}

fn state_at(program: &Program<'_>, function: &Function, file: &[u8], address: u64) -> Option<State> {
    let stream = file.get(function.stream.clone())?;
    let fuel = fuel_for(function.size.saturating_add(stream.len() as u64));
    let entry = Engine::new(program, function, NoGuide, fuel).ok()?.entry;
    let reading = Reading::new(stream, program, function, &entry).ok()?;
    let mut engine = Engine::new(program, function, reading, fuel).ok()?;
    let code = walk::code(program, function).ok()?;
    let mut reachable = true;
    loop {
        let at = engine.ip - function.addr;
        while let Some(step) = engine.guide.ghost(at, true) {
            if step.at != at || !step.falls || !reachable {
                return None;
            }
            if engine.ghost(step.ghost).is_err() {
                return (engine.ip == address).then_some(engine.state);
            }
        }
        if engine.guide.next_label(at) == Some(at) {
            // The edge into the label may be what failed: then the state before it is of interest.
            let before = (reachable && engine.ip == address).then(|| engine.state.clone());
            if reachable && engine.edge(at).is_err() {
                return before;
            }
            if let Some(label) = engine.guide.label(at) {
                engine.enter(&label);
                reachable = true;
            }
        }
        while let Some(step) = engine.guide.ghost(at, false) {
            if step.at != at || step.falls || !reachable {
                return None;
            }
            if engine.ghost(step.ghost).is_err() {
                return (engine.ip == address).then_some(engine.state);
            }
        }
        let insn = decode(program.arch, code.get(usize::try_from(at).ok()?..)?, engine.ip).ok()?;
        if engine.ip == address {
            let mut before = engine.state.clone();
            // Variables that the rule makes appear in its goal.
            let _ = engine.step(&insn);
            before.facts = engine.state.facts;
            return Some(before);
        }
        if reachable {
            reachable = engine.step(&insn).ok()? == Flow::Next;
        }
        engine.ip = engine.ip.checked_add(u64::from(insn.len))?;
    }
}
