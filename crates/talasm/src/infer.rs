//! The inference of label states and proofs.
//!
//! The assembler runs the checker's own rules with a guide that searches: first for the states of
//! labels ([`fix`]), then for every proof and decision on the way ([`record`]), which are written
//! into the annotation stream. Nothing here is trusted: the checker verifies the stream with the
//! same rules and a guide that only reads.

mod address;
mod advice;
mod bind;
mod bounds;
mod cells;
mod code;
mod cursor;
mod fits;
mod fix;
mod join;
mod label;
mod node;
mod nullable;
mod origin;
mod own;
mod pin;
mod project;
mod propose;
mod record;
mod reload;
mod report;
mod shorten;
mod stretch;
mod tags;
mod terms;
mod words;

use crate::driver::Options;
use crate::emit::listing::States;
use crate::emit::note;
use crate::encode::image::Image;
use crate::encode::{Encoded, InsnAt};
use crate::ir::{Item, Module, Operand};
use crate::problem::Problem;
use code::Code;
use fix::{Addresses, Failure};
use pin::Pins;
use rayon::prelude::*;
use std::collections::HashMap;
use std::rc::Rc;
use talcore::check::load_module;
use talcore::engine::Engine;
use talcore::guide::Constant;
use talcore::program::{Program, Segment};
use talcore::verdict::Reject;
use talcore::walk::NoGuide;
use talnote::table::TypeTable;
use talnote::write::SectionKind;

/// What was inferred.
#[derive(Clone, Debug, Default)]
pub struct Inferred {
    /// The annotation stream of each function.
    pub streams: Vec<Vec<u8>>,
    /// What is known at labels, for the listing.
    pub states: States,
}

/// Infers the annotations of all functions; with `listing` also says what is known at labels.
pub fn run(
    module: &Module,
    encoded: &Encoded,
    image: &Image,
    types: &TypeTable,
    options: &Options,
) -> Result<Inferred, Vec<Problem>> {
    let empty = vec![Vec::new(); module.functions.len()];
    let note = note::build(module, encoded, image, types, empty);
    let note = note.encode(types).map_err(|e| vec![report::whole(e.to_string())])?;
    let mut desc = note.bytes;
    let words = image.words();
    let size = module.arch.word_bytes() as usize;
    for ((at, _), value) in note.words.iter().zip(&words) {
        desc[*at..*at + size].copy_from_slice(&value.to_le_bytes()[..size]);
    }
    // The descriptor lies behind the header and the owner's name.
    let length = u32::from_le_bytes([desc[4], desc[5], desc[6], desc[7]]) as usize;
    let desc = &desc[16..16 + length];
    let segments = image.sections.iter().map(|s| Segment {
        addr: s.base,
        bytes: &s.bytes,
        size: s.size,
        write: matches!(s.kind, SectionKind::Data | SectionKind::Bss),
        exec: s.kind == SectionKind::Code,
    });
    let program = load_module(module.arch, segments.collect(), &[(0, desc)], (image.gate, image.restorer))
        .map_err(|r| vec![report::data(module, image, &r)])?
        .under(options.policy);
    let by_addr: HashMap<u64, usize> =
        program.functions.iter().enumerate().map(|(i, f)| (f.addr, i)).collect();

    let mut inferred = Inferred::default();
    let mut problems = Vec::new();
    let work: Vec<(usize, usize)> = (0..module.functions.len())
        .filter_map(|f| {
            let addr = image.text_base() + u64::from(encoded.functions[f].start);
            Some((f, *by_addr.get(&addr)?))
        })
        .collect();
    // States are shared within a thread, so each function is finished where it was begun.
    let done: Vec<_> = work
        .into_par_iter()
        .map(|(f, index)| {
            let done = function(&program, index, module, encoded, f);
            let states = |d: &Done| match options.listing {
                true => report::states(&program, (module, &types.struct_names), encoded, f, image, &d.labels),
                false => Vec::new(),
            };
            let done = done.map(|d| (d.stream.clone(), states(&d)));
            let explain = |e: Trouble| match e {
                Trouble::Source(problem) => *problem,
                Trouble::Proof(e) => {
                    report::failure(&program, (module, &types.struct_names), encoded, image, f, &e)
                }
            };
            (f, done.map_err(explain))
        })
        .collect();
    for (f, done) in done {
        match done {
            Ok((stream, states)) => {
                inferred.streams.push(stream);
                inferred.states.extend(states.into_iter().map(|(label, text)| ((f as u32, label), text)));
            }
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(inferred) } else { Err(problems) }
}

/// A function's annotations.
struct Done {
    stream: Vec<u8>,
    labels: Vec<(u64, Rc<talcore::state::State>)>,
}

/// Why a function has no annotations.
enum Trouble {
    /// What is written in the source makes no sense.
    Source(Box<Problem>),
    /// A rule rejects the code.
    Proof(Failure),
}

impl From<Failure> for Trouble {
    fn from(f: Failure) -> Trouble {
        Trouble::Proof(f)
    }
}

impl From<Box<Reject>> for Trouble {
    fn from(reject: Box<Reject>) -> Trouble {
        Trouble::Proof(Failure::new(reject, talcore::state::State::default()))
    }
}

fn function(
    program: &Program<'_>,
    index: usize,
    module: &Module,
    encoded: &Encoded,
    f: usize,
) -> Result<Done, Trouble> {
    let function = &program.functions[index];
    let addresses = addresses(module, encoded, f);
    let entry_label = jumps_to_entry(module, encoded, f);
    let places = pin::places(module, encoded, f, entry_label).map_err(Trouble::Source)?;
    let code =
        Code::read(program, function, entry_label, places.keys().copied(), &encoded.functions[f].ghosts)?;
    let names = &module.functions[f].var_names;
    let names = &names[..names.len().min(program.types.sig(function.sig).vars.len())];
    let entry = Engine::new(program, function, NoGuide, u64::MAX)?.entry.facts.var_count() as u32;
    let mut pins = Pins::new();
    for (at, annotation) in places {
        let pin = pin::resolve(annotation, names, entry);
        pins.insert(at, Rc::new(pin.map_err(Trouble::Source)?));
    }
    let attempt = |flags: bool| -> Result<Done, Trouble> {
        let start = Engine::new(program, function, NoGuide, u64::MAX)?;
        let mut solution = fix::solve(start, &code, &addresses, &pins, flags)?;
        let stream = record::record(program, function, &code, &mut solution, &addresses)?;
        Ok(Done { stream, labels: solution.labels })
    };
    // More facts are more to prove on each edge: where that fails, fewer may do.
    attempt(true).or_else(|e| attempt(false).map_err(|_| e))
}

/// Constants of instructions that are addresses: those with a relocation.
fn addresses(module: &Module, encoded: &Encoded, f: usize) -> Addresses {
    let code = &encoded.functions[f];
    let (start, end) = (code.start, code.start + code.size);
    let first = encoded.relocs.partition_point(|r| r.at < start);
    let relocs: Vec<_> = encoded.relocs[first..].iter().take_while(|r| r.at < end).collect();
    let owner = |at: u32| {
        let next = code.insns.partition_point(|i| i.offset <= at - start);
        code.insns.get(next.checked_sub(1)?)
    };
    let constant = |n: usize, of: &InsnAt| {
        let named = match &module.functions[f].body[of.item as usize] {
            Item::Instr(i) => i.operands.iter().any(|o| matches!(o, Operand::SymAddr(..))),
            _ => false,
        };
        // An immediate comes last in an instruction.
        let last = relocs.get(n + 1).and_then(|r| owner(r.at)).is_none_or(|next| next.offset != of.offset);
        if named && last { Constant::Immediate } else { Constant::Displacement }
    };
    let each = relocs.iter().enumerate().filter_map(|(n, r)| {
        let of = owner(r.at)?;
        Some(((u64::from(of.offset), constant(n, of)), r.addend))
    });
    each.collect()
}

/// Whether a local label at the function's first byte is jumped to: then it is a label there, and
/// not a call of the function itself.
fn jumps_to_entry(module: &Module, encoded: &Encoded, f: usize) -> bool {
    let labels = &encoded.functions[f].labels;
    module.functions[f].body.iter().any(|item| match item {
        Item::Instr(i) => i.operands.iter().any(|o| match o {
            Operand::Label(l, _) => labels.get(l.0 as usize) == Some(&0),
            _ => false,
        }),
        _ => false,
    })
}
