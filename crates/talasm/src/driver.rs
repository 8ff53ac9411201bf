//! The way from source to object, on one screen.
//!
//! ```text
//! source -front-> Module, TypeTable -encode-> Encoded -layout_provisional-> Image
//!        -infer-> annotation streams -note-> note -object-> file.o
//! ```

use crate::emit::{listing, note, object};
use crate::encode::encode;
use crate::encode::image::layout_provisional;
use crate::infer;
use crate::ir::{Module, Span};
use crate::problem::Problem;
use talcore::Policy;
use talnote::table::TypeTable;

/// What to make beside the object.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Debugging information, with this directory as the one that paths start from.
    pub debug: Option<String>,
    /// A listing.
    pub listing: bool,
    /// Which executions have to be safe.
    pub policy: Policy,
}

/// What was made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Output {
    /// The bytes of the object file.
    pub object: Vec<u8>,
    /// The listing, if it was asked for.
    pub listing: Option<String>,
}

/// Assembles a resolved module.
pub fn assemble(module: &Module, types: &TypeTable, options: &Options) -> Result<Output, Vec<Problem>> {
    let encoded = encode(module)?;
    let image = layout_provisional(module, &encoded);
    let inferred = infer::run(module, &encoded, &image, types, options)?;
    let note = note::build(module, &encoded, &image, types, inferred.streams);
    let note_sections: Vec<_> = note.sections.iter().map(|s| s.kind).collect();
    let note = note.encode(types).map_err(|e| whole(e.to_string()))?;
    let input = object::Input {
        module,
        encoded: &encoded,
        note: &note,
        note_sections: &note_sections,
        note_imports: &image.used_imports,
        debug: options.debug.as_deref(),
    };
    let object = object::write(&input).map_err(whole)?;
    let listing = options.listing.then(|| listing::write(module, &encoded, &inferred.states));
    Ok(Output { object, listing })
}

/// A problem with the module as a whole.
fn whole(message: String) -> Vec<Problem> {
    const TOO_LARGE: u16 = 1310;
    vec![Problem::new(TOO_LARGE, Span::default(), message)]
}
