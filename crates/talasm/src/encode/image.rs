//! The module at provisional addresses.
//!
//! The rules judge code at absolute addresses, so the assembler gives its sections addresses, and
//! every import an address of its own where nothing is mapped. What is accepted there is
//! accepted wherever a linker puts it, since annotations name addresses only through the note's
//! address words.

use super::{Encoded, Reloc, Target};
use crate::ir::{ImportKind, Module, Place, Section, SymId};
use talnote::write::SectionKind;

/// Where the code starts.
const TEXT_BASE: u64 = 0x40_0000;
/// Sections start at multiples of this.
const PAGE: u64 = 4096;
/// Where the gate slot and the restorer seem to be.
const GATE: u64 = 0x5fff_0000;
const RESTORER: u64 = 0x5fff_8000;
/// Imports seem to be in this range, as far apart as their number allows.
const IMPORTS: std::ops::Range<u64> = 0x6000_0000..0x7fff_0000;
const MOST_APART: u64 = 1 << 24;
/// Names of abstract types seem to be here.
const TYPES: u64 = 0x7fff_0000;

/// A section at an address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ImageSection {
    /// What it holds.
    pub kind: SectionKind,
    /// Its address.
    pub base: u64,
    /// Its size in bytes.
    pub size: u64,
    /// Its bytes with relocations applied; empty for zeroed data.
    pub bytes: Vec<u8>,
}

/// A module at provisional addresses.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Image {
    /// The sections that are not empty, in the order in which the note lists them.
    pub sections: Vec<ImageSection>,
    /// The address of every symbol, by [`SymId`].
    pub symbols: Vec<u64>,
    /// The address of each import, by index in the module's imports.
    pub imports: Vec<u64>,
    /// The imports that code or data mentions, in order: those that the note lists.
    pub used_imports: Vec<u32>,
    /// What stands for the names of the abstract types that the module exports: addresses of nothing.
    pub types: Vec<u64>,
    /// The address of the gate slot.
    pub gate: u64,
    /// The address of the signal restorer.
    pub restorer: u64,
}

impl Image {
    /// The index of the section of a kind, if there is one.
    pub fn section(&self, kind: SectionKind) -> Option<usize> {
        self.sections.iter().position(|s| s.kind == kind)
    }

    /// The address of the code's first byte.
    pub fn text_base(&self) -> u64 {
        self.section(SectionKind::Code).map_or(TEXT_BASE, |i| self.sections[i].base)
    }

    /// The address of a symbol.
    pub fn symbol(&self, sym: SymId) -> u64 {
        self.symbols[sym.0 as usize]
    }

    /// The values of the note's address words: sections, then the imports that are used, then names of types.
    pub fn words(&self) -> Vec<u64> {
        let imports = self.used_imports.iter().map(|&i| self.imports[i as usize]);
        self.sections.iter().map(|s| s.base).chain(imports).chain(self.types.iter().copied()).collect()
    }
}

/// The note's name for a data section.
pub fn kind_of(section: Section) -> SectionKind {
    match section {
        Section::Rodata => SectionKind::Rodata,
        Section::Data => SectionKind::Data,
        Section::Bss => SectionKind::Bss,
    }
}

/// Puts an encoded module at provisional addresses.
pub fn layout_provisional(module: &Module, encoded: &Encoded) -> Image {
    let mut next = TEXT_BASE;
    let mut sections = Vec::new();
    let mut place = |kind, size: u64, bytes: &[u8]| {
        if size > 0 {
            sections.push(ImageSection { kind, base: next, size, bytes: bytes.to_vec() });
            next = (next + size).next_multiple_of(PAGE);
        }
    };
    place(SectionKind::Code, encoded.text.len() as u64, &encoded.text);
    for s in &encoded.data {
        place(kind_of(s.kind), s.size, &s.bytes);
    }

    let count = module.imports.len().max(1) as u64;
    let apart = (((IMPORTS.end - IMPORTS.start) / count) & !15).min(MOST_APART);
    let imports: Vec<u64> = (0..module.imports.len() as u64).map(|i| IMPORTS.start + i * apart).collect();
    let types = (0..module.types.len() as u64).map(|i| TYPES + i).collect();
    let used_imports = used_imports(module, encoded);
    let mut image =
        Image { sections, symbols: Vec::new(), imports, used_imports, types, gate: GATE, restorer: RESTORER };
    let symbols = module.symbols.iter().map(|s| match s.place {
        Place::Function(f) => image.text_base() + u64::from(encoded.functions[f as usize].start),
        Place::Object(o) => {
            let kind = kind_of(module.objects[o as usize].section);
            let base = image.section(kind).map_or(0, |i| image.sections[i].base);
            base + encoded.objects[o as usize]
        }
        Place::Import(i) => image.imports[i as usize],
        Place::Type(i) => image.types[i as usize],
        Place::Gate => GATE,
        Place::Restorer => RESTORER,
    });
    image.symbols = symbols.collect();

    let all = [(SectionKind::Code, &encoded.relocs)];
    let data = encoded.data.iter().map(|s| (kind_of(s.kind), &s.relocs));
    for (kind, relocs) in all.into_iter().chain(data) {
        for r in relocs {
            apply(&mut image, kind, r);
        }
    }
    image
}

fn used_imports(module: &Module, encoded: &Encoded) -> Vec<u32> {
    let relocs = encoded.relocs.iter().chain(encoded.data.iter().flat_map(|s| &s.relocs));
    let targets = relocs.filter_map(|r| match r.target {
        Target::Sym(sym) => match module.symbols[sym.0 as usize].place {
            Place::Import(i) => Some(i),
            _ => None,
        },
        _ => None,
    });
    // Those that signatures mention, too.
    let statics = module.statics.iter().filter_map(|s| match module.symbols[s.0 as usize].place {
        Place::Import(i) => Some(i),
        _ => None,
    });
    // Types that are mentioned are used.
    let imports = (0..).zip(&module.imports);
    let types = imports.filter(|(_, i)| matches!(i.kind, ImportKind::Abstract(_))).map(|(i, _)| i);
    let used: std::collections::BTreeSet<u32> = targets.chain(statics).chain(types).collect();
    used.into_iter().collect()
}

/// Fills in one place. Addresses lie below 2 GiB, so that every kind of relocation fits.
fn apply(image: &mut Image, kind: SectionKind, r: &Reloc) {
    let Some(section) = image.section(kind) else { return };
    let address = match r.target {
        Target::Sym(sym) => image.symbol(sym),
        Target::Text => image.text_base(),
        Target::Gate => image.gate,
    };
    let section = &mut image.sections[section];
    let place = section.base + u64::from(r.at);
    let mut value = (address as i64).wrapping_add(r.addend);
    if matches!(r.kind, super::RelocKind::Pc32 | super::RelocKind::Plt32) {
        value = value.wrapping_sub(place as i64);
    }
    let bytes = r.kind.bytes();
    if let Some(field) = section.bytes.get_mut(r.at as usize..r.at as usize + bytes) {
        field.copy_from_slice(&value.to_le_bytes()[..bytes]);
    }
}
