//! The module's note: what its code and data are.

use crate::encode::Encoded;
use crate::encode::image::{Image, kind_of};
use crate::ir::{ImportKind, Module, Place, Section};
use talcore::types::{LayoutId, Mode, SigId, StructId};
use talnote::table::TypeTable;
use talnote::write::{
    Arch, Function, Import, Name, NameKind, NoteBuilder, Object, ObjectType, Section as NoteSection,
    SectionKind,
};

/// The note of a module, given an annotation stream for each function.
pub fn build(
    module: &Module,
    encoded: &Encoded,
    image: &Image,
    types: &TypeTable,
    streams: Vec<Vec<u8>>,
) -> NoteBuilder {
    let arch = Arch::from(module.arch);
    let mut note = NoteBuilder::new(arch);
    note.sections = image.sections.iter().map(|s| NoteSection { kind: s.kind, size: s.size }).collect();
    let section = |kind: SectionKind| image.section(kind).unwrap_or(0) as u32;
    for (object, &offset) in module.objects.iter().zip(&encoded.objects) {
        let mode = match object.section {
            Section::Rodata => Mode::Imm,
            _ if object.owned => Mode::Uniq,
            _ => Mode::Shared,
        };
        let ty = match object.table_of {
            None => ObjectType::Layout(LayoutId(object.layout)),
            Some(function) => ObjectType::Table { function, entries: object.size / arch.word_bytes() as u64 },
        };
        note.objects.push(Object { section: section(kind_of(object.section)), offset, mode, ty });
    }
    for ((f, code), stream) in module.functions.iter().zip(&encoded.functions).zip(streams) {
        note.functions.push(Function {
            section: section(SectionKind::Code),
            offset: code.start.into(),
            size: code.size.into(),
            sig: SigId(f.sig),
            stream,
        });
    }
    for i in image.used_imports.iter().map(|&i| &module.imports[i as usize]) {
        note.imports.push(match i.kind {
            ImportKind::Function(sig) => Import::Function(SigId(sig)),
            ImportKind::Imm(layout) => Import::Imm(LayoutId(layout)),
            ImportKind::Shared(layout) => Import::Shared(LayoutId(layout)),
            ImportKind::Owned(layout) => Import::Owned(LayoutId(layout)),
            ImportKind::Abstract(strukt) => Import::Abstract(StructId(strukt)),
        });
    }
    note.imports.extend(module.types.iter().map(|t| Import::Exported(StructId(t.0))));
    for &sym in &module.statics {
        let number = match module.symbols[sym.0 as usize].place {
            Place::Object(o) => Some(o),
            Place::Import(i) => {
                let i = image.used_imports.iter().position(|used| *used == i);
                i.map(|i| (module.objects.len() + i) as u32)
            }
            _ => None,
        };
        note.statics.extend(number.map(|n| (u64::from(sym.0), n)));
    }
    let names = |kind, index: usize, text: &str| Name { kind, index: index as u32, text: text.to_string() };
    // Functions and objects have their names in the symbol table.
    note.names.extend(types.struct_names.iter().enumerate().map(|(i, n)| names(NameKind::Struct, i, n)));
    note
}
