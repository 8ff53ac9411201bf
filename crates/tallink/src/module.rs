//! A virtual link of one object: its image with imports at made-up addresses, so that a checker
//! can verify a module against the types of its imports.

use crate::diag::{self, Diagnostic};
use crate::layout::{BASE, END, Layout, Segment};
use crate::live::Live;
use crate::symbols::{Program, is_archive};
use crate::{Input, InputFile, find_entry, write};

/// A name that the module uses and others define.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Import {
    /// The name's bytes.
    pub name: Vec<u8>,
    /// The address that stands for it: distinct from all others, outside all segments.
    pub address: u64,
}

/// A module as it would lie in memory.
#[derive(Clone, Debug)]
pub struct Module {
    /// The file image, as of an executable, without an entry point if the module has none:
    /// `talcore::elf::read` reads its segments and notes.
    pub image: Vec<u8>,
    /// The loaded segments; offsets are into [`Module::image`].
    pub segments: Vec<Segment>,
    /// The names that others define.
    pub imports: Vec<Import>,
    /// The address of `_start`, if the module defines it.
    pub entry: Option<u64>,
    /// The bytes of all TAL notes, with addresses applied: a range of [`Module::image`].
    pub notes: std::ops::Range<usize>,
    /// The address of the gate slot, which the link adds to the module.
    pub gate: u64,
    /// The address of the signal restorer, likewise.
    pub restorer: u64,
}

/// Links one object with the gate's object; what remains undefined gets made-up addresses.
///
/// # Errors
///
/// As [`crate::link`], but for undefined names and a missing entry.
pub fn link_module(file: InputFile) -> Result<Module, Vec<Diagnostic>> {
    if is_archive(&file.bytes) {
        let message = "an archive is no module: extract its members first (ar x)";
        return Err(vec![Diagnostic::new(diag::NOT_AN_OBJECT, &file.name, message)]);
    }
    let inputs = [Input::File(file)];
    let program = Program::load(&inputs)?;
    let live = Live::all(&program);
    let layout = Layout::new(&program, &live, &[]).map_err(|e| vec![e])?;
    let first = layout.segments.iter().map(|s| s.addr + s.mem_size).max().unwrap_or(BASE);
    let undefined = program.globals.iter().filter(|g| g.def.is_none()).count() as u64;
    // As far apart as possible, so that an imported object's bytes do not meet the next import.
    let first = first.next_multiple_of(1 << 16);
    let step = (END.saturating_sub(first) / (undefined + 1)) & !15;
    if step == 0 {
        let message = "the module leaves no room for the addresses of its imports";
        return Err(vec![Diagnostic::general(diag::TOO_LARGE, message)]);
    }
    let mut next = first;
    let mut fakes = Vec::new();
    let mut imports = Vec::new();
    for global in &program.globals {
        fakes.push(next);
        if global.def.is_none() {
            imports.push(Import { name: global.name.to_vec(), address: next });
            next += step;
        }
    }
    let layout = Layout::new(&program, &live, &fakes).map_err(|e| vec![e])?;
    let entry = find_entry(&program, "_start")
        .ok()
        .and_then(|(offset, (object, section))| layout.address(object, section, offset));
    let image = write::executable(&program, &layout, program.objects[0].arch, entry.unwrap_or(0), true)?;
    let notes = layout.sections.iter().find(|s| s.kind == crate::object::Kind::Note);
    let notes = notes.map_or(0..0, |s| s.offset as usize..(s.offset + s.size) as usize);
    let place = |name: &str| {
        let global = program.global(name.as_bytes())?;
        let def = program.globals[global as usize].def?;
        layout.symbol(def.object, def.symbol)
    };
    let gate = place(crate::gate::GATE).unwrap_or(0);
    let restorer = place(crate::gate::RESTORER).unwrap_or(0);
    Ok(Module { image, segments: layout.segments, imports, entry, notes, gate, restorer })
}
