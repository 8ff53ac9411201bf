//! The one place where the checker is asked.

use rayon::prelude::*;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use talcore::Policy;
use talcore::check::{check_functions, load, load_module, summary};
use talcore::program::Program;
use talcore::verdict::{Accept, Reject, Verdict};
use talcore::walk::{FunctionStats, Workspace, check_function_in};
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
    let all = Together { program, file, first: AtomicUsize::new(usize::MAX), steps: AtomicU64::new(0) };
    let whole = (0..program.functions.len())
        .into_par_iter()
        .map_init(Workspace::default, |workspace, index| all.one(workspace, index))
        .reduce(Part::default, Part::and);
    if all.exhausted() {
        // Which function was too much depends on their order, not on that of threads.
        return check_functions(program, file);
    }
    match whole.first {
        Some((_, reject)) => Err(reject),
        None => {
            let Accept { instructions, labels, certificates, steps, .. } = whole.accept;
            Ok(Accept { instructions, labels, certificates, steps, ..summary(program) })
        }
    }
}

/// What the threads know of each other, so that a file which is rejected costs no more than one that is not.
struct Together<'p> {
    program: &'p Program<'p>,
    file: &'p [u8],
    /// The first function that was rejected so far: those behind it need not be looked at.
    first: AtomicUsize,
    /// Steps of all that were accepted.
    steps: AtomicU64,
}

impl Together<'_> {
    fn exhausted(&self) -> bool {
        self.steps.load(Ordering::Relaxed) > self.program.fuel
    }

    fn one(&self, workspace: &mut Workspace, index: usize) -> Part {
        if self.exhausted() || self.first.load(Ordering::Relaxed) < index {
            return Part::default();
        }
        match check_function_in(workspace, self.program, index, self.file) {
            Ok(stats) => {
                self.steps.fetch_add(stats.steps, Ordering::Relaxed);
                let FunctionStats { instructions, labels, certificates, steps } = stats;
                let accept = Accept { instructions, labels, certificates, steps, ..Accept::default() };
                Part { accept, first: None }
            }
            Err(reject) => {
                self.first.fetch_min(index, Ordering::Relaxed);
                Part { accept: Accept::default(), first: Some((index, reject)) }
            }
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
            steps: a.steps + b.steps,
            ..Accept::default()
        };
        Part { accept, first }
    }
}
