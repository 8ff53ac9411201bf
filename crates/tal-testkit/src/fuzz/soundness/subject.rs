//! What is attacked: an accepted module or program, loaded once.

use super::guide::{Recorded, Recording};
use crate::interp::{Claims, Machine};
use crate::toolchain::Image;
use std::ops::Range;
use std::rc::Rc;
use talcore::annot::{Label, Reading};
use talcore::check::fuel_for;
use talcore::elf::{self, Desc};
use talcore::engine::Engine;
use talcore::guide::Step;
use talcore::program::{Function, Program, Segment};
use talcore::state::State;
use talcore::term::Term;
use talcore::walk::{self, NoGuide};
use talcore::x86::decode::decode;

/// A function as it is accepted.
pub(super) struct Part {
    pub(super) entry: Rc<State>,
    pub(super) labels: Vec<Label>,
    pub(super) ghosts: Vec<Step>,
    pub(super) recorded: Recorded,
    /// Where its instructions lie in its code.
    pub(super) insns: Vec<Range<usize>>,
    /// Arguments for it can be made up, so it can be run.
    pub(super) runs: bool,
    /// Terms that its labels speak of.
    pub(super) terms: Vec<Term>,
}

/// An accepted module or program.
pub(super) struct Subject<'a> {
    pub(super) name: &'a str,
    /// What it was loaded from: the annotations are read from it.
    pub(super) file: &'a [u8],
    pub(super) program: Program<'a>,
    pub(super) parts: Vec<Part>,
    /// What all labels of it claim.
    pub(super) claims: Claims,
    /// The notes, and where they lie.
    pub(super) notes: Vec<Desc<'a>>,
    /// The start function can be run: it is a whole program.
    pub(super) whole: bool,
}

impl<'a> Subject<'a> {
    /// `None` if there is nothing in it to attack.
    pub(super) fn of(name: &'a str, image: &'a Image) -> Option<Subject<'a>> {
        let program = image.load().ok()?;
        let file = image.bytes();
        let whole = matches!(image, Image::Program(_));
        let parts: Option<Vec<Part>> =
            (0..program.functions.len()).map(|f| part(&program, f, file, whole)).collect();
        let claims = Claims::of(&program, file);
        let notes = elf::read(file).ok()?.notes;
        let parts = parts.filter(|p| !p.is_empty())?;
        Some(Subject { name, file, program, parts, claims, notes, whole })
    }
}

/// The states of labels under a program, in which a stream is read.
pub(super) fn read_labels(
    program: &Program<'_>,
    f: &Function,
    entry: &State,
    stream: &[u8],
) -> Option<Vec<Label>> {
    let reading = Reading::new(stream, program, f, entry).ok()?;
    Some(reading.labels().to_vec())
}

fn part(program: &Program<'_>, index: usize, file: &[u8], whole: bool) -> Option<Part> {
    let f = &program.functions[index];
    let stream = file.get(f.stream.clone())?;
    let fuel = fuel_for(f.size + stream.len() as u64);
    let entry = Engine::new(program, f, NoGuide, fuel).ok()?.entry;
    let reading = Reading::new(stream, program, f, &entry).ok()?;
    let mut engine = Engine::new(program, f, Recording::new(reading), fuel).ok()?;
    walk::run(&mut engine).ok()?;
    let Recording { reading, recorded, ghosts, .. } = engine.guide;
    let labels = reading.labels().to_vec();
    let start = program.types.sig(f.sig).start;
    let runs = if start { whole } else { (0..4).any(|seed| Machine::at(program, index, seed).is_some()) };
    let insns = instructions(program, walk::code(program, f).ok()?);
    let terms = labels.iter().flat_map(|l| terms(&l.1)).collect();
    Some(Part { entry, labels, ghosts, recorded, insns, runs, terms })
}

/// Where instructions begin and end.
fn instructions(program: &Program<'_>, code: &[u8]) -> Vec<Range<usize>> {
    let (mut at, mut all) = (0, Vec::new());
    while let Some(Ok(insn)) =
        code.get(at..).filter(|rest| !rest.is_empty()).map(|c| decode(program.arch, c, 0))
    {
        all.push(at..at + usize::from(insn.len));
        at += usize::from(insn.len);
    }
    all
}

fn terms(s: &State) -> impl Iterator<Item = Term> {
    use talcore::state::Word::{Int, Ptr, Sp};
    let of = |w: &talcore::state::Word| match w {
        Int(t) | Ptr(_, t) | Sp(t) => Some(t.clone()),
        _ => None,
    };
    s.words().filter_map(of).chain(s.facts.list().iter().cloned())
}

/// The same program with other memory.
pub(super) fn with_segments<'b>(p: Program<'_>, segments: Vec<Segment<'b>>) -> Program<'b> {
    Program {
        arch: p.arch,
        policy: p.policy,
        segments,
        types: p.types,
        functions: p.functions,
        objects: p.objects,
        externs: p.externs,
        gate: p.gate,
        restorer: p.restorer,
        stubs: p.stubs,
        note_bytes: p.note_bytes,
        fuel: p.fuel,
        abi: p.abi,
        shapes: p.shapes,
        codes: p.codes,
        views: p.views,
        owners: p.owners,
        scopes: p.scopes,
    }
}
