//! Debugging information: the line table, and a name for each function and label.

use super::lines::Lines;
use crate::encode::Encoded;
use crate::ir::{Item, Module, Span};
use gimli::write::{
    Address, AttributeValue, DwarfUnit, EndianVec, LineProgram, LineString, RelocateWriter, Relocation,
    RelocationTarget, Sections, UnitEntryId,
};
use gimli::{DwAt, DwLang, Encoding, Format, LineEncoding, LittleEndian, constants};

/// A section of debugging information.
pub struct DebugSection {
    /// Its name.
    pub name: &'static str,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// What depends on addresses and on the places of other debugging sections.
    pub relocs: Vec<DebugReloc>,
}

/// A place in a debugging section that a linker fills in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DebugReloc {
    /// Offset in the section, bytes.
    pub at: u64,
    /// 4 or 8 bytes.
    pub size: u8,
    /// The debugging section with this name, or the code.
    pub section: Option<&'static str>,
    /// The offset in it.
    pub addend: i64,
}

/// The only symbol that addresses here count from.
const TEXT: usize = 0;

/// The debugging sections of a module. `directory` is where relative paths of sources start.
pub fn build(module: &Module, encoded: &Encoded, directory: &str) -> gimli::write::Result<Vec<DebugSection>> {
    let address_size = module.arch.word_bytes() as u8;
    let encoding = Encoding { format: Format::Dwarf32, version: 4, address_size };
    let mut dwarf = DwarfUnit::new(encoding);
    dwarf.unit.line_program = line_table(module, encoded, encoding, directory);
    describe(module, encoded, &mut dwarf, directory);

    let mut sections = Sections::new(Recorder { bytes: EndianVec::new(LittleEndian), relocs: Vec::new() });
    dwarf.write(&mut sections)?;
    let mut out = Vec::new();
    sections.for_each(|id, section| {
        if !section.bytes.slice().is_empty() {
            let bytes = section.bytes.slice().to_vec();
            out.push(DebugSection { name: id.name(), bytes, relocs: section.relocs.clone() });
        }
        gimli::write::Result::Ok(())
    })?;
    Ok(out)
}

fn address(offset: u32) -> Address {
    Address::Symbol { symbol: TEXT, addend: offset.into() }
}

/// Strings in DWARF end at the first NUL.
fn clean(text: &str) -> Vec<u8> {
    text.bytes().filter(|&b| b != 0).collect()
}

fn line_table(module: &Module, encoded: &Encoded, encoding: Encoding, directory: &str) -> LineProgram {
    let path = |i: usize| LineString::String(clean(module.files.get(i).map_or("?", |f| &f.0)));
    let line_encoding = LineEncoding { minimum_instruction_length: 1, ..LineEncoding::default() };
    let directory = LineString::String(clean(directory));
    let mut program = LineProgram::new(encoding, line_encoding, directory, None, path(0), None);
    let root = program.default_directory();
    let files: Vec<_> =
        (0..module.files.len().max(1)).map(|i| program.add_file(path(i), root, None)).collect();
    let lines = Lines::new(module);
    for (f, code) in module.functions.iter().zip(&encoded.functions) {
        program.begin_sequence(Some(address(code.start)));
        let mut last = None;
        for i in &code.insns {
            let span = item_span(&f.body[i.item as usize]);
            let line = (span.file, lines.line(span));
            // One row per statement: `sys` is one, though it is two instructions.
            if last.replace((line, i.item)) == Some((line, i.item)) {
                continue;
            }
            let row = program.row();
            row.address_offset = i.offset.into();
            row.file = files[usize::from(span.file).min(files.len() - 1)];
            row.line = line.1.into();
            row.is_statement = true;
            program.generate_row();
        }
        program.end_sequence(code.size.into());
    }
    program
}

fn item_span(item: &Item) -> Span {
    match item {
        Item::Instr(i) => i.span,
        Item::Sys { span, .. } => *span,
        Item::Annotation(a) => a.span,
        Item::Ghost(_, span) => *span,
        Item::Label(_) => Span::default(),
    }
}

fn describe(module: &Module, encoded: &Encoded, dwarf: &mut DwarfUnit, directory: &str) {
    let lines = Lines::new(module);
    let root = dwarf.unit.root();
    let mut set = |entry: UnitEntryId, name: DwAt, value: AttributeValue| {
        dwarf.unit.get_mut(entry).set(name, value);
    };
    let string = |text: &str| AttributeValue::String(clean(text));
    set(root, constants::DW_AT_name, string(module.files.first().map_or("?", |f| &f.0)));
    set(root, constants::DW_AT_comp_dir, string(directory));
    set(root, constants::DW_AT_producer, string(concat!("talasm ", env!("CARGO_PKG_VERSION"))));
    set(
        root,
        constants::DW_AT_language,
        AttributeValue::Language(DwLang(constants::DW_LANG_Mips_Assembler.0)),
    );
    set(root, constants::DW_AT_low_pc, AttributeValue::Address(address(0)));
    set(root, constants::DW_AT_high_pc, AttributeValue::Udata(encoded.text.len() as u64));
    for (f, code) in module.functions.iter().zip(&encoded.functions) {
        let symbol = &module.symbols[f.sym.0 as usize];
        let entry = dwarf.unit.add(root, constants::DW_TAG_subprogram);
        let subprogram = dwarf.unit.get_mut(entry);
        subprogram.set(constants::DW_AT_name, string(&symbol.name));
        subprogram.set(constants::DW_AT_decl_line, AttributeValue::Udata(lines.line(f.span).into()));
        subprogram.set(constants::DW_AT_low_pc, AttributeValue::Address(address(code.start)));
        subprogram.set(constants::DW_AT_high_pc, AttributeValue::Udata(code.size.into()));
        if symbol.global {
            subprogram.set(constants::DW_AT_external, AttributeValue::Flag(true));
        }
        for ((name, span), &offset) in f.labels.iter().zip(&code.labels) {
            let label = dwarf.unit.add(entry, constants::DW_TAG_label);
            let label = dwarf.unit.get_mut(label);
            label.set(constants::DW_AT_name, string(name.trim_start_matches('.')));
            label.set(constants::DW_AT_decl_line, AttributeValue::Udata(lines.line(*span).into()));
            label.set(constants::DW_AT_low_pc, AttributeValue::Address(address(code.start + offset)));
        }
    }
}

/// Writes a section and remembers what a linker must fill in.
#[derive(Clone)]
struct Recorder {
    bytes: EndianVec<LittleEndian>,
    relocs: Vec<DebugReloc>,
}

impl RelocateWriter for Recorder {
    type Writer = EndianVec<LittleEndian>;

    fn writer(&self) -> &Self::Writer {
        &self.bytes
    }

    fn writer_mut(&mut self) -> &mut Self::Writer {
        &mut self.bytes
    }

    fn relocate(&mut self, r: Relocation) {
        let section = match r.target {
            RelocationTarget::Symbol(_) => None,
            RelocationTarget::Section(id) => Some(id.name()),
        };
        self.relocs.push(DebugReloc { at: r.offset as u64, size: r.size, section, addend: r.addend });
    }
}
