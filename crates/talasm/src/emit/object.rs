//! The object file: an ordinary ELF relocatable.

use super::dwarf::{self, DebugSection};
use crate::encode::{Encoded, FUNCTION_ALIGN, Reloc, RelocKind, TRAP, Target};
use crate::ir::{Module, Place, Section, SymId};
use object::write::{Object, Relocation, SectionId, Symbol, SymbolId, SymbolSection};
use object::{
    Architecture, BinaryFormat, Endianness, RelocationFlags, SectionFlags, SectionKind, SymbolFlags,
    SymbolKind, SymbolScope, elf,
};
use talcore::arch::Arch;
use talnote::write::{self as note, WordRef};

/// The undefined symbols that the linker provides.
const GATE: &str = "__tal_gate";
/// The bytes of an ELF note in front of its descriptor.
const NOTE_HEADER: u64 = 16;

/// Everything that goes into the object.
pub struct Input<'a> {
    /// The module.
    pub module: &'a Module,
    /// Its code and data.
    pub encoded: &'a Encoded,
    /// Its encoded note.
    pub note: &'a note::Encoded,
    /// The kinds of the note's sections, in order.
    pub note_sections: &'a [note::SectionKind],
    /// The module's imports that the note lists, in order.
    pub note_imports: &'a [u32],
    /// The directory that debugging information names, if there is to be any.
    pub debug: Option<&'a str>,
}

/// The bytes of the object file. The same input gives the same bytes.
pub fn write(input: &Input<'_>) -> Result<Vec<u8>, String> {
    let mut out = Writer::new(input);
    out.symbols();
    out.code_and_data().map_err(|e| e.to_string())?;
    out.note().map_err(|e| e.to_string())?;
    if let Some(directory) = input.debug {
        let sections = dwarf::build(input.module, input.encoded, directory).map_err(|e| e.to_string())?;
        out.debug(&sections).map_err(|e| e.to_string())?;
    }
    out.object.write().map_err(|e| e.to_string())
}

struct Writer<'a> {
    input: &'a Input<'a>,
    object: Object<'a>,
    text: SectionId,
    /// By [`Section`]; only those that are not empty.
    data: [Option<SectionId>; 3],
    note: SectionId,
    symbols: Vec<Option<SymbolId>>,
    gate: Option<SymbolId>,
}

impl<'a> Writer<'a> {
    fn new(input: &'a Input<'a>) -> Writer<'a> {
        let architecture = match input.module.arch {
            Arch::Amd64 => Architecture::X86_64,
            Arch::Ia32 => Architecture::I386,
        };
        let mut object = Object::new(BinaryFormat::Elf, architecture, Endianness::Little);
        let mut add = |name: &str, kind| object.add_section(Vec::new(), name.into(), kind);
        let text = add(".text", SectionKind::Text);
        let encoded = input.encoded;
        let kinds = [
            (".rodata", SectionKind::ReadOnlyData),
            (".data", SectionKind::Data),
            (".bss", SectionKind::UninitializedData),
        ];
        let mut data = [None; 3];
        for ((slot, section), (name, kind)) in data.iter_mut().zip(&encoded.data).zip(kinds) {
            *slot = (section.size > 0).then(|| add(name, kind));
        }
        // Padded to its alignment: some linkers fill the gap to the next object's code with zeros, and the
        // checker takes only traps and `nop` for padding.
        let mut code = encoded.text.clone();
        code.resize(code.len().next_multiple_of(FUNCTION_ALIGN), TRAP);
        object.set_section_data(text, code, FUNCTION_ALIGN as u64);
        for (id, section) in data.into_iter().zip(&encoded.data) {
            let Some(id) = id else { continue };
            if section.kind == Section::Bss {
                object.append_section_bss(id, section.size, section.align);
            } else {
                object.set_section_data(id, section.bytes.as_slice(), section.align);
            }
        }
        let note = object.add_section(Vec::new(), b".note.tal".to_vec(), SectionKind::Note);
        Writer { input, object, text, data, note, symbols: Vec::new(), gate: None }
    }

    /// Defined symbols, local ones too, and those undefined ones that something refers to.
    fn symbols(&mut self) {
        let module = self.input.module;
        if let Some((path, _)) = module.files.first() {
            let name = path.rsplit('/').next().unwrap_or(path);
            self.object.add_file_symbol(name.into());
        }
        let mut used = vec![false; module.symbols.len()];
        let relocs = &self.input.encoded.relocs;
        for r in relocs.iter().chain(self.input.encoded.data.iter().flat_map(|s| &s.relocs)) {
            if let Target::Sym(sym) = r.target {
                used[sym.0 as usize] = true;
            }
        }
        for &i in self.input.note_imports {
            used[module.imports[i as usize].sym.0 as usize] = true;
        }
        for (s, used) in module.symbols.iter().zip(used) {
            let (section, value, size, kind) = match s.place {
                Place::Function(f) => {
                    let code = &self.input.encoded.functions[f as usize];
                    (Some(self.text), code.start.into(), code.size.into(), SymbolKind::Text)
                }
                Place::Object(o) => {
                    let object = &module.objects[o as usize];
                    let offset = self.input.encoded.objects[o as usize];
                    (self.data[object.section as usize], offset, object.size, SymbolKind::Data)
                }
                // A byte behind the note's header, for each type another one.
                Place::Type(i) => (Some(self.note), NOTE_HEADER + u64::from(i), 0, SymbolKind::Data),
                // An unknown kind is what other assemblers write for undefined symbols.
                Place::Import(_) | Place::Gate | Place::Restorer => (None, 0, 0, SymbolKind::Unknown),
            };
            let defined = !matches!(s.place, Place::Import(_) | Place::Gate | Place::Restorer);
            if !defined && !used {
                self.symbols.push(None);
                continue;
            }
            let id = self.object.add_symbol(Symbol {
                name: s.name.clone().into(),
                value,
                size,
                kind,
                scope: match (defined, s.global) {
                    (true, true) => SymbolScope::Dynamic,
                    (true, false) => SymbolScope::Compilation,
                    (false, _) => SymbolScope::Unknown,
                },
                weak: false,
                // An object of size 0 may be in a section that is not there.
                section: match section {
                    Some(id) => SymbolSection::Section(id),
                    None if defined => SymbolSection::Section(self.text),
                    None => SymbolSection::Undefined,
                },
                flags: SymbolFlags::None,
            });
            if s.place == Place::Gate {
                self.gate = Some(id);
            }
            self.symbols.push(Some(id));
        }
    }

    fn symbol(&mut self, sym: SymId) -> SymbolId {
        self.symbols[sym.0 as usize].expect("symbols that relocations mention were added")
    }

    fn gate(&mut self) -> SymbolId {
        if let Some(id) = self.gate {
            return id;
        }
        let id = self.object.add_symbol(Symbol {
            name: GATE.into(),
            value: 0,
            size: 0,
            kind: SymbolKind::Unknown,
            scope: SymbolScope::Unknown,
            weak: false,
            section: SymbolSection::Undefined,
            flags: SymbolFlags::None,
        });
        self.gate = Some(id);
        id
    }

    fn code_and_data(&mut self) -> object::write::Result<()> {
        let encoded = self.input.encoded;
        for r in &encoded.relocs {
            self.relocate(self.text, r)?;
        }
        for (id, section) in self.data.into_iter().zip(&encoded.data) {
            let Some(id) = id else { continue };
            for r in &section.relocs {
                self.relocate(id, r)?;
            }
        }
        Ok(())
    }

    fn relocate(&mut self, section: SectionId, r: &Reloc) -> object::write::Result<()> {
        let symbol = match r.target {
            Target::Sym(sym) => self.symbol(sym),
            Target::Text => self.object.section_symbol(self.text),
            Target::Gate => self.gate(),
        };
        self.add_relocation(section, r.at.into(), symbol, r.addend, self.relocation_type(r.kind))
    }

    fn relocation_type(&self, kind: RelocKind) -> elf::RelocationType {
        match (self.input.module.arch, kind) {
            (_, RelocKind::Abs64) => elf::R_X86_64_64,
            (Arch::Amd64, RelocKind::Abs32) => elf::R_X86_64_32,
            (Arch::Amd64, RelocKind::Abs32S) => elf::R_X86_64_32S,
            (Arch::Amd64, RelocKind::Pc32) => elf::R_X86_64_PC32,
            (Arch::Amd64, RelocKind::Plt32) => elf::R_X86_64_PLT32,
            (Arch::Ia32, RelocKind::Abs32 | RelocKind::Abs32S) => elf::R_386_32,
            (Arch::Ia32, RelocKind::Pc32 | RelocKind::Plt32) => elf::R_386_PC32,
        }
    }

    /// The relocation that fills in a word with an address.
    fn word_type(&self) -> elf::RelocationType {
        self.relocation_type(RelocKind::word(self.input.module.arch))
    }

    fn add_relocation(
        &mut self,
        section: SectionId,
        offset: u64,
        symbol: SymbolId,
        addend: i64,
        r_type: elf::RelocationType,
    ) -> object::write::Result<()> {
        let flags = RelocationFlags::Elf { r_type };
        self.object.add_relocation(section, Relocation { offset, symbol, addend, flags })
    }

    fn note(&mut self) -> object::write::Result<()> {
        let id = self.note;
        *self.object.section_flags_mut(id) =
            SectionFlags::Elf { sh_type: elf::SHT_NOTE, sh_flags: elf::SHF_ALLOC };
        let align = self.input.module.arch.word_bytes().into();
        self.object.set_section_data(id, self.input.note.bytes.as_slice(), align);
        for &(offset, word) in &self.input.note.words {
            let symbol = match word {
                WordRef::Section(i) => {
                    let section = match self.input.note_sections[i as usize] {
                        note::SectionKind::Code => Some(self.text),
                        note::SectionKind::Rodata => self.data[0],
                        note::SectionKind::Data => self.data[1],
                        note::SectionKind::Bss => self.data[2],
                    };
                    self.object.section_symbol(section.unwrap_or(self.text))
                }
                WordRef::Import(i) => {
                    let (imports, i) = (self.input.note_imports, i as usize);
                    let module = self.input.module;
                    self.symbol(match imports.get(i) {
                        Some(&import) => module.imports[import as usize].sym,
                        None => module.types[i - imports.len()].1,
                    })
                }
            };
            self.add_relocation(id, offset as u64, symbol, 0, self.word_type())?;
        }
        // Its presence says that the stack need not be executable.
        self.object.add_section(Vec::new(), b".note.GNU-stack".to_vec(), SectionKind::Other);
        Ok(())
    }

    fn debug(&mut self, sections: &[DebugSection]) -> object::write::Result<()> {
        let ids: Vec<SectionId> = sections
            .iter()
            .map(|s| {
                let id = self.object.add_section(Vec::new(), s.name.into(), SectionKind::Debug);
                self.object.set_section_data(id, s.bytes.clone(), 1);
                id
            })
            .collect();
        for (s, &id) in sections.iter().zip(&ids) {
            for r in &s.relocs {
                let target = match r.section {
                    None => self.text,
                    Some(name) => match sections.iter().position(|s| s.name == name) {
                        Some(i) => ids[i],
                        None => continue,
                    },
                };
                let symbol = self.object.section_symbol(target);
                let kind = if r.size == 8 { RelocKind::Abs64 } else { RelocKind::Abs32 };
                let r_type = self.relocation_type(kind);
                self.add_relocation(id, r.at, symbol, r.addend, r_type)?;
            }
        }
        Ok(())
    }
}
