//! Forged objects: the code, types and data of one source with the annotations of another.
//!
//! The assembler refuses an unsafe program, so an object of it does not come into being, and that it is refused
//! says little about the checker. A forger would write the object by other means. The most dangerous annotations
//! are those of the safe program that differs in a single instruction: everything in them is true but for that.

use crate::toolchain::{self, Module, Read, Refusal};
use talasm::emit::{note, object};
use talasm::encode::encode;
use talasm::encode::image::layout_provisional;
use talasm::infer;
use tallink::InputFile;

/// Objects of `modules` with the annotations of `twin`. `None` where that makes no sense: they have different
/// numbers of modules or functions, or the modules cannot be read.
///
/// # Errors
/// What the assembler says about the twin, which must be accepted.
pub fn forge(modules: &[Module], twin: &[Module]) -> Result<Option<Vec<InputFile>>, Refusal> {
    let honest = toolchain::read(twin)?;
    let Ok(forged) = toolchain::read(modules) else { return Ok(None) };
    if honest.len() != forged.len() {
        return Ok(None);
    }
    let mut objects = Vec::new();
    for (honest, forged) in honest.iter().zip(&forged) {
        let streams = streams(honest)?;
        match with_streams(forged, streams) {
            Some(bytes) => objects.push(forged.object(bytes)),
            None => return Ok(None),
        }
    }
    Ok(Some(objects))
}

fn streams(read: &Read) -> Result<Vec<Vec<u8>>, Refusal> {
    let (module, types) = (&read.front.module, &read.front.types);
    let refuse = |problems| read.refuse(problems);
    let encoded = encode(module).map_err(refuse)?;
    let image = layout_provisional(module, &encoded);
    Ok(infer::run(module, &encoded, &image, types, false).map_err(refuse)?.streams)
}

/// The object of a module with annotations that come from elsewhere.
fn with_streams(read: &Read, streams: Vec<Vec<u8>>) -> Option<Vec<u8>> {
    let (module, types) = (&read.front.module, &read.front.types);
    let encoded = encode(module).ok()?;
    if encoded.functions.len() != streams.len() {
        return None;
    }
    let image = layout_provisional(module, &encoded);
    let note = note::build(module, &encoded, &image, types, streams);
    let note_sections: Vec<_> = note.sections.iter().map(|s| s.kind).collect();
    let note = note.encode(types).ok()?;
    let input = object::Input {
        module,
        encoded: &encoded,
        note: &note,
        note_sections: &note_sections,
        note_imports: &image.used_imports,
        debug: None,
    };
    object::write(&input).ok()
}
