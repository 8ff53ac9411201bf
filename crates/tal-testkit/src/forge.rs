//! Forged objects: the code, types and data of one source with the annotations of another.
//!
//! The assembler refuses an unsafe program, so an object of it does not come into being, and that it is refused
//! says little about the checker. A forger would write the object by other means. The most dangerous annotations
//! are those of the safe program that differs in a single instruction: everything in them is true but for that.

use crate::toolchain::{self, Module, Read, Refusal};
use std::ops::Range;
use talasm::driver;
use talasm::emit::{note, object};
use talasm::encode::encode;
use talasm::encode::image::layout_provisional;
use talasm::infer;
use talcore::Policy;
use tallink::InputFile;
use talnote::table::TypeTable;
use talnote::write::NoteBuilder;

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
        let streams = streams(honest, toolchain::policy(twin))?;
        match with_streams(forged, streams) {
            Some(bytes) => objects.push(forged.object(bytes)),
            None => return Ok(None),
        }
    }
    Ok(Some(objects))
}

fn streams(read: &Read, policy: Policy) -> Result<Vec<Vec<u8>>, Refusal> {
    let (module, types) = (&read.front.module, &read.front.types);
    let refuse = |problems| read.refuse(problems);
    let encoded = encode(module).map_err(refuse)?;
    let image = layout_provisional(module, &encoded);
    let options = driver::Options { policy, ..driver::Options::default() };
    Ok(infer::run(module, &encoded, &image, types, &options).map_err(refuse)?.streams)
}

/// The object of a module with annotations that come from elsewhere.
fn with_streams(read: &Read, streams: Vec<Vec<u8>>) -> Option<Vec<u8>> {
    let functions = read.front.module.functions.len();
    if functions != streams.len() {
        return None;
    }
    let (module, types) = (&read.front.module, &read.front.types);
    let encoded = encode(module).ok()?;
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

/// An executable of one module whose note was changed by hand. The last argument of `change` are the addresses of
/// the note's sections and imports, in this order.
///
/// # Errors
/// What the tools say about the program as it is, which must be accepted.
pub fn crafted(
    text: &str,
    change: impl FnOnce(&mut TypeTable, &mut NoteBuilder, &mut Vec<u64>),
) -> Result<Vec<u8>, Refusal> {
    let read = toolchain::read(&toolchain::modules(text))?.remove(0);
    let module = &read.front.module;
    let encoded = encode(module).map_err(|p| read.refuse(p))?;
    let layout = layout_provisional(module, &encoded);
    let mut types = read.front.types.clone();
    let mut note = note::build(module, &encoded, &layout, &types, streams(&read, Policy::default())?);
    let image = toolchain::link(vec![read.assemble(&driver::Options::default())?])?;
    let first = notes(&image).start;
    let word = |i: usize| word_at(&image, first + 24 + 8 * i);
    let mut words: Vec<u64> = (0..note.sections.len() + note.imports.len()).map(word).collect();
    change(&mut types, &mut note, &mut words);
    let note = note.encode(&types).expect("a note that fits its counters");
    let mut bytes = note.bytes;
    for ((at, _), word) in note.words.iter().zip(words) {
        bytes[*at..*at + 8].copy_from_slice(&word.to_le_bytes());
    }
    Ok(with_first_note(&image, bytes))
}

fn word_at(file: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(file[at..at + 8].try_into().expect("8 bytes"))
}

/// Where an executable's notes lie in the file.
fn notes(image: &[u8]) -> Range<usize> {
    let header = (0..).map(|i| 64 + 56 * i).find(|&at| image[at..at + 4] == 4u32.to_le_bytes());
    let header = header.expect("PT_NOTE");
    let start = word_at(image, header + 8) as usize;
    start..start + word_at(image, header + 32) as usize
}

/// An AMD64 executable with another first note. The notes and the program headers move to the end of the file, into a
/// segment of their own.
fn with_first_note(image: &[u8], mut bytes: Vec<u8>) -> Vec<u8> {
    const PAGE: usize = 4096;
    let old = notes(image);
    let size = |at: usize| u32::from_le_bytes(image[at..at + 4].try_into().expect("4 bytes")) as usize;
    let second = old.start + (16 + size(old.start + 4)).next_multiple_of(8);
    bytes.extend(&image[second..old.end]);
    let mut file = image.to_vec();
    file.resize(file.len().next_multiple_of(PAGE), 0);
    let start = file.len();
    file.extend(&bytes);
    file.resize(file.len().next_multiple_of(8), 0);
    let table = file.len();
    let count = usize::from(u16::from_le_bytes([image[56], image[57]]));
    let headers: Vec<&[u8]> = image[64..64 + 56 * count].chunks(56).collect();
    let header = |kind: u32| {
        let (offset, size) = (start as u64, bytes.len() as u64);
        let address = 0x1000_0000 + offset;
        let head = [kind.to_le_bytes(), 4u32.to_le_bytes()].concat();
        let rest = [offset, address, address, size, size, if kind == 1 { PAGE as u64 } else { 8 }];
        head.into_iter().chain(rest.into_iter().flat_map(u64::to_le_bytes)).collect::<Vec<u8>>()
    };
    let kind = |h: &&&[u8]| h[0];
    headers.iter().filter(|h| kind(h) == 1).for_each(|h| file.extend(*h));
    file.extend(header(1));
    file.extend(header(4));
    headers.iter().filter(|h| ![1, 4].contains(&kind(h))).for_each(|h| file.extend(*h));
    file[32..40].copy_from_slice(&(table as u64).to_le_bytes());
    file[56..58].copy_from_slice(&(count as u16 + 1).to_le_bytes());
    file
}
