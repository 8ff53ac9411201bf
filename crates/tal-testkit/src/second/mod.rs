//! A second opinion: the rules once more, written from `docs/` alone, slowly and in the most obvious way.
//!
//! It shares with the checker what reads a file (the container, the tables of types, the decoder), and nothing of the rules.
//! Of a function's annotations it takes the states at labels; proofs and what variables stand for it finds itself. What it does
//! not cover yet it says ([`Verdict::Unsupported`]), and never guesses: where it knows less than the documentation promises, a
//! refusal that follows is no verdict either.

mod arith;
mod call;
mod control;
mod edge;
mod entry;
mod fit;
mod flags;
mod ghost;
mod give;
mod know;
mod lin;
mod memory;
mod pack;
mod part;
mod place;
mod simplex;
mod state;
mod step;
mod store;
mod stream;
mod string;
mod sys;
mod types;

use state::State;
use stream::Stream;
use talcore::program::{Function, Policy, Program};
use types::World;

/// What the second opinion is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// The function is safe.
    Accept,
    /// It is not, or the annotations do not show it.
    Reject(String),
    /// Something in it is not covered.
    Unsupported(String),
}

/// Why judging stops.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Stop {
    /// A rule is broken.
    Reject(String),
    /// Not covered.
    Unsupported(String),
}

fn no<T>(why: &str) -> Result<T, Stop> {
    Err(Stop::Reject(why.into()))
}

fn todo<T>(what: &str) -> Result<T, Stop> {
    Err(Stop::Unsupported(what.into()))
}

/// What is known while a function is judged.
struct Judge<'a> {
    w: World<'a>,
    f: &'a Function,
    /// The state before the instruction.
    s: State,
    stream: Stream,
    /// How many locations and variables there are at entry, and the registers.
    first_locs: usize,
    first_vars: u32,
    first_regs: Vec<state::Word>,
    /// Something about which less is known than the documentation promises.
    coarse: Option<String>,
    /// Which of the objects that a constant address may mean is tried, and how many there were to choose from.
    choice: usize,
    choices: usize,
    /// Locations that became shared or unchanging in the present call.
    for_ever: Vec<usize>,
    /// The next pattern variable.
    pattern: u32,
}

/// The opinion about one function, whose annotations are these bytes.
pub fn judge(program: &Program<'_>, function: &Function, annotations: &[u8]) -> Verdict {
    lin::overflowed();
    let mut coarse = None;
    let verdict = run(program, function, annotations, &mut coarse);
    if lin::overflowed() {
        return Verdict::Unsupported("numbers that are too large".into());
    }
    match (verdict, coarse) {
        (Ok(()), _) => Verdict::Accept,
        (Err(Stop::Reject(why)), None) => Verdict::Reject(why),
        (Err(Stop::Reject(why)), Some(what)) => Verdict::Unsupported(format!("{what} (then: {why})")),
        (Err(Stop::Unsupported(what)), _) => Verdict::Unsupported(what),
    }
}

fn run(
    program: &Program<'_>,
    function: &Function,
    annotations: &[u8],
    coarse: &mut Option<String>,
) -> Result<(), Stop> {
    if program.policy != Policy::Architectural {
        return todo("wrong predictions");
    }
    let w = World { program, word: program.arch.word_bytes().into() };
    let s = w.entry(function)?;
    let (first_locs, first_vars, first_regs) = (s.locs.len(), s.known.ranges.len() as u32, s.regs.clone());
    let stream = stream::read(&w, function, annotations, &s)?;
    let mut judge = Judge {
        w,
        f: function,
        s,
        stream,
        first_locs,
        first_vars,
        first_regs,
        coarse: None,
        choice: 0,
        for_ever: Vec::new(),
        choices: 1,
        // Behind those of the variables of labels.
        pattern: fit::PATTERN + (1 << 20),
    };
    let entry = judge.s.clone();
    let verdict = judge.walk();
    while verdict.is_err() && judge.choice + 1 < judge.choices {
        judge.choice += 1;
        judge.s = entry.clone();
        if judge.walk().is_ok() {
            return Ok(());
        }
    }
    *coarse = judge.coarse;
    verdict
}
