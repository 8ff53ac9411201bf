//! Checks the linked image as a whole, as `talcheck` would, and says in which object a rejection is.

use crate::diag::{Diagnostic, Spot, show};
use crate::live::Live;
use crate::object::Kind;
use crate::symbols::Program;
use crate::{Input, Options, plan};
use rayon::prelude::*;
use talcore::types::Types;
use talcore::verdict::{Accept, Reject};
use taldiag::{Code, codes};
use talnote::print::{Printer, register};

/// Checks the image that [`crate::link`] made of these inputs; what it contains.
///
/// # Errors
///
/// Why it is rejected, with the checker's own code. Then nothing may be written.
pub fn recheck(inputs: &[Input], options: &Options, image: &[u8]) -> Result<Accept, Vec<Diagnostic>> {
    check(image).map_err(|reject| vec![explain(inputs, options, &reject)])
}

/// The verdict of [`talcore::check::check`], with functions in parallel: of several reasons to reject the
/// first in the order of addresses.
fn check(image: &[u8]) -> Result<Accept, Box<Reject>> {
    let program = talcore::check::load(image)?;
    let rejected = |index| talcore::walk::check_function(&program, index, image).err();
    match (0..program.functions.len()).into_par_iter().find_map_first(rejected) {
        Some(reject) => Err(reject),
        None => Ok(talcore::check::summary(&program)),
    }
}

fn explain(inputs: &[Input], options: &Options, reject: &Reject) -> Diagnostic {
    let code = Code(reject.code as u16);
    let title = codes::find(code).map_or("it breaks a rule of the checker", |e| e.title);
    let mut error = Diagnostic::general(code, format!("the linked program is rejected: {title}"));
    // The link has succeeded once, so it does again; addresses are looked up in the same layout.
    if let Ok(plan) = plan(inputs, options) {
        let spot = |address| locate(&plan.program, &plan.layout, address);
        match spot(reject.at) {
            Some(at) => error = error.near(at, reject.why),
            None => error = error.note(format!("at {:#x}: {}", reject.at, reject.why)),
        }
        if let Some(at) = reject.target.and_then(spot) {
            error = error.near(at, "on the way to here");
        }
        error.notes.extend(untyped(&plan.program, &plan.live));
        if let Some(r) = reject.reg {
            let arch = plan.program.objects[0].arch.core();
            error = error.note(format!("the register is {}", register(arch, r.into())));
        }
    }
    if let Some(goal) = &reject.goal {
        let types = Types::default();
        error = error.note(format!("not proved: {}", Printer::new(&types).fact(goal)));
    }
    error.note("tallink checks what it has made; nothing was written")
}

/// The input section that lies at an address.
fn locate(program: &Program, layout: &crate::layout::Layout, address: u64) -> Option<Spot> {
    let out = layout.sections.iter().filter(|s| s.kind.loaded());
    let out = out.into_iter().find(|s| address >= s.addr && address - s.addr < s.size)?;
    let offset = address - out.addr;
    let part = out.parts[..out.parts.partition_point(|p| p.offset <= offset)].last()?;
    Some(program.objects[part.object as usize].describe(part.section, offset - part.offset))
}

/// Objects with code but without a note: nothing is known about them.
fn untyped(program: &Program, live: &Live) -> Option<String> {
    let mut names = Vec::new();
    for (o, object) in program.objects.iter().enumerate() {
        let has = |kind: Kind| {
            let sections = object.sections.iter().enumerate();
            sections.into_iter().any(|(i, s)| s.kind == kind && s.size > 0 && live.has(o as u32, i as u32))
        };
        if has(Kind::Text) && !has(Kind::Note) {
            names.push(show(object.name.as_bytes()));
        }
    }
    let first = names.first()?;
    Some(match names.len() {
        1 => format!("{first} has no TAL note: only objects made by talasm have types"),
        n => format!(
            "{first} and {} more objects have no TAL note: only objects made by talasm have types",
            n - 1
        ),
    })
}
