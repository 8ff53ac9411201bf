//! The one place where the checker is asked.

use rayon::prelude::*;
use talcore::Policy;
use talcore::check::{load, load_module, summary};
use talcore::program::Program;
use talcore::verdict::{Accept, Reject, Verdict};
use talcore::walk::{Workspace, check_function_in};
use tallink::Module;

/// Decides whether the executable with this content is safe in all executions that the processor completes.
///
/// # Errors
/// The reason of the rejection.
pub fn check(file: &[u8]) -> Verdict {
    check_under(file, Policy::Architectural)
}

/// Decides it under a policy: [`talcore::check::check`], with functions in parallel. The answer is the same: of
/// several reasons to reject, the first in the order of addresses.
///
/// # Errors
/// The reason of the rejection.
pub fn check_under(file: &[u8], policy: Policy) -> Verdict {
    functions(&load(file)?.under(policy), file)
}

/// Decides whether a module keeps its promises if those that it imports from keep theirs. That is no verdict
/// about a program: only the executable is what runs.
///
/// # Errors
/// The reason of the rejection; addresses and offsets are those of the module's image.
pub fn check_module(module: &Module, policy: Policy) -> Verdict {
    functions(&load_image(module)?.under(policy), &module.image)
}

/// A module as a program in which only what it imports is missing.
pub(crate) fn load_image(module: &Module) -> Result<Program<'_>, Box<Reject>> {
    let elf = talcore::elf::read(&module.image)?;
    load_module(elf.arch, elf.segments, &elf.notes, (module.gate, module.restorer))
}

fn functions(program: &Program<'_>, file: &[u8]) -> Verdict {
    let one = |workspace: &mut Workspace, index| match check_function_in(workspace, program, index, file) {
        Ok(stats) => {
            let (instructions, labels, certificates) = (stats.instructions, stats.labels, stats.certificates);
            Part { accept: Accept { instructions, labels, certificates, ..Accept::default() }, first: None }
        }
        Err(reject) => Part { accept: Accept::default(), first: Some((index, reject)) },
    };
    let whole = (0..program.functions.len())
        .into_par_iter()
        .map_init(Workspace::default, one)
        .reduce(Part::default, Part::and);
    match whole.first {
        Some((_, reject)) => Err(reject),
        None => {
            let Accept { instructions, labels, certificates, .. } = whole.accept;
            Ok(Accept { instructions, labels, certificates, ..summary(program) })
        }
    }
}

/// What is known about some of the functions.
#[derive(Default)]
struct Part {
    accept: Accept,
    /// The first that is rejected, with its index.
    first: Option<(usize, Box<Reject>)>,
}

impl Part {
    fn and(self, other: Part) -> Part {
        let first = match (self.first, other.first) {
            (Some(a), Some(b)) => Some(if a.0 <= b.0 { a } else { b }),
            (a, b) => a.or(b),
        };
        let (a, b) = (self.accept, other.accept);
        let accept = Accept {
            instructions: a.instructions + b.instructions,
            labels: a.labels + b.labels,
            certificates: a.certificates + b.certificates,
            ..Accept::default()
        };
        Part { accept, first }
    }
}
