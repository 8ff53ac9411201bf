//! The bytes of the executable: headers, contents with addresses applied, symbols.

use crate::arch::{Arch, Class};
use crate::diag::Diagnostic;
use crate::layout::{Layout, PAGE, Segment};
use crate::object::{Kind, Place};
use crate::reloc;
use crate::symbols::{LOCAL, Program, SymRef};
use object::elf;

/// Writes numbers of an ELF class.
struct Out {
    bytes: Vec<u8>,
    class: Class,
}

impl Out {
    fn u16(&mut self, v: u16) {
        self.bytes.extend_from_slice(&v.to_le_bytes());
    }
    fn u32(&mut self, v: u32) {
        self.bytes.extend_from_slice(&v.to_le_bytes());
    }
    /// An address, offset or size. All are below 2 GiB, so they fit both classes.
    fn word(&mut self, v: u64) {
        self.bytes.extend_from_slice(&v.to_le_bytes()[..self.class.word() as usize]);
    }
    fn align(&mut self, to: usize) {
        let end = self.bytes.len().next_multiple_of(to);
        self.bytes.resize(end, 0);
    }
}

/// One row of the section header table.
#[derive(Default)]
struct Header {
    name: u32,
    kind: u32,
    flags: u64,
    addr: u64,
    offset: u64,
    size: u64,
    link: u32,
    info: u32,
    align: u64,
    entry: u64,
}

/// The whole file. Without `symbols` there are neither symbols nor debugging information.
pub(crate) fn executable(
    program: &Program,
    layout: &Layout,
    arch: &Arch,
    entry: u64,
    symbols: bool,
) -> Result<Vec<u8>, Vec<Diagnostic>> {
    let mut out = Out { bytes: Vec::new(), class: arch.class };
    let end = match symbols {
        true => layout.file_size,
        false => layout.segments.last().map_or(0, |s| s.offset + s.file_size),
    };
    // Room for the symbols as well, so that the bytes are not moved when those are appended.
    let count: usize = if symbols { program.objects.iter().map(|o| o.symbols.len()).sum() } else { 0 };
    out.bytes.reserve(end as usize + 48 * count + (1 << 16));
    out.bytes.resize(end as usize, 0);
    let errors = contents(program, layout, arch, symbols, &mut out.bytes);
    if !errors.is_empty() {
        return Err(errors);
    }

    let mut names = vec![0u8];
    let mut headers = vec![Header::default()];
    let mut index_of = vec![0u16; layout.sections.len()];
    for (i, s) in layout.sections.iter().enumerate() {
        if s.size == 0 || !(s.kind.loaded() || symbols) {
            continue;
        }
        index_of[i] = headers.len() as u16;
        let (kind, flags) = kind_and_flags(s.kind, s.strings);
        let name = add_name(&mut names, s.name);
        let (addr, offset, size, align) = (s.addr, s.offset, s.size, s.align);
        let entry = u64::from(s.strings);
        headers.push(Header { name, kind, flags, addr, offset, size, align, entry, ..Header::default() });
    }
    if symbols {
        let table = symbol_table(program, layout, arch.class, &index_of);
        let size = if arch.class == Class::Elf64 { 24 } else { 16 };
        out.align(arch.class.word() as usize);
        let header = Header {
            name: add_name(&mut names, b".symtab"),
            kind: elf::SHT_SYMTAB.0,
            offset: out.bytes.len() as u64,
            size: table.bytes.len() as u64,
            link: headers.len() as u32 + 1,
            info: table.locals,
            align: arch.class.word(),
            entry: size,
            ..Header::default()
        };
        headers.push(header);
        out.bytes.extend_from_slice(&table.bytes);
        push_strings(&mut out, &mut headers, &mut names, b".strtab", Some(&table.strings));
    }
    push_strings(&mut out, &mut headers, &mut names, b".shstrtab", None);
    out.align(arch.class.word() as usize);
    let table_at = out.bytes.len() as u64;
    for h in &headers {
        section_header(&mut out, h);
    }
    let head = file_headers(layout, arch, entry, table_at, headers.len() as u16);
    out.bytes[..head.len()].copy_from_slice(&head);
    Ok(out.bytes)
}

/// Copies the input sections to their places and applies relocations.
fn contents(
    program: &Program,
    layout: &Layout,
    arch: &Arch,
    symbols: bool,
    bytes: &mut [u8],
) -> Vec<Diagnostic> {
    let mut errors = Vec::new();
    for s in &layout.sections {
        if s.kind == Kind::Bss || !(s.kind.loaded() || symbols) {
            continue;
        }
        let out = &mut bytes[s.offset as usize..(s.offset + s.size) as usize];
        if s.kind == Kind::Text {
            out.fill(arch.trap);
        }
        for part in &s.parts {
            let input = &program.objects[part.object as usize].sections[part.section as usize];
            let at = part.offset as usize;
            let place = &mut out[at..at + input.data.len()];
            place.copy_from_slice(input.data);
            reloc::apply(program, layout, part, s.addr.wrapping_add(part.offset), place, &mut errors);
        }
    }
    errors
}

fn kind_and_flags(kind: Kind, strings: bool) -> (u32, u64) {
    let alloc = elf::SHF_ALLOC.0;
    match kind {
        Kind::Note => (elf::SHT_NOTE.0, alloc),
        Kind::Rodata => (elf::SHT_PROGBITS.0, alloc),
        Kind::Text => (elf::SHT_PROGBITS.0, alloc | elf::SHF_EXECINSTR.0),
        Kind::Data => (elf::SHT_PROGBITS.0, alloc | elf::SHF_WRITE.0),
        Kind::Bss => (elf::SHT_NOBITS.0, alloc | elf::SHF_WRITE.0),
        Kind::Debug | Kind::Skip if strings => (elf::SHT_PROGBITS.0, elf::SHF_MERGE.0 | elf::SHF_STRINGS.0),
        Kind::Debug | Kind::Skip => (elf::SHT_PROGBITS.0, 0),
    }
}

fn add_name(names: &mut Vec<u8>, name: &[u8]) -> u32 {
    let at = names.len() as u32;
    names.extend_from_slice(name);
    names.push(0);
    at
}

/// Appends a string table; without `strings` the one of section names itself.
fn push_strings(
    out: &mut Out,
    headers: &mut Vec<Header>,
    names: &mut Vec<u8>,
    name: &[u8],
    strings: Option<&[u8]>,
) {
    let name = add_name(names, name);
    let strings = strings.unwrap_or(names);
    let (offset, size) = (out.bytes.len() as u64, strings.len() as u64);
    out.bytes.extend_from_slice(strings);
    headers.push(Header { name, kind: elf::SHT_STRTAB.0, offset, size, align: 1, ..Header::default() });
}

fn section_header(out: &mut Out, h: &Header) {
    out.u32(h.name);
    out.u32(h.kind);
    for v in [h.flags, h.addr, h.offset, h.size] {
        out.word(v);
    }
    out.u32(h.link);
    out.u32(h.info);
    out.word(h.align);
    out.word(h.entry);
}

fn file_headers(layout: &Layout, arch: &Arch, entry: u64, table_at: u64, sections: u16) -> Vec<u8> {
    let mut out = Out { bytes: Vec::new(), class: arch.class };
    let (class, header, program_header, section_header) = match arch.class {
        Class::Elf32 => (elf::ELFCLASS32, 52, 32, 40),
        Class::Elf64 => (elf::ELFCLASS64, 64, 56, 64),
    };
    let segments = program_headers(layout, arch.class);
    out.bytes.extend_from_slice(&elf::ELFMAG);
    out.bytes.extend_from_slice(&[class.0, elf::ELFDATA2LSB.0, elf::EV_CURRENT.0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    out.u16(elf::ET_EXEC.0);
    out.u16(arch.machine.0);
    out.u32(1);
    out.word(entry);
    out.word(header);
    out.word(table_at);
    out.u32(0);
    for v in [header as u16, program_header, segments.1, section_header, sections, sections - 1] {
        out.u16(v);
    }
    out.bytes.extend_from_slice(&segments.0);
    out.bytes
}

/// The program headers, and how many.
fn program_headers(layout: &Layout, class: Class) -> (Vec<u8>, u16) {
    let mut out = Out { bytes: Vec::new(), class };
    let mut count = 0;
    let mut header = |kind: elf::ProgramType, s: &Segment, align: u64| {
        let flags = 4 | u32::from(s.write) << 1 | u32::from(s.exec);
        out.u32(kind.0);
        if class == Class::Elf64 {
            out.u32(flags);
        }
        for v in [s.offset, s.addr, s.addr, s.file_size, s.mem_size] {
            out.word(v);
        }
        if class == Class::Elf32 {
            out.u32(flags);
        }
        out.word(align);
        count += 1;
    };
    for s in &layout.segments {
        header(elf::PT_LOAD, s, PAGE);
    }
    if let Some(note) = layout.sections.iter().find(|s| s.kind == Kind::Note && s.size > 0) {
        let (file_size, mem_size) = (note.size, note.size);
        let s =
            Segment { addr: note.addr, offset: note.offset, file_size, mem_size, write: false, exec: false };
        header(elf::PT_NOTE, &s, note.align);
    }
    let stack = Segment { addr: 0, offset: 0, file_size: 0, mem_size: 0, write: true, exec: false };
    header(elf::PT_GNU_STACK, &stack, 16);
    (out.bytes, count)
}

/// The symbol table and its strings.
struct SymbolTable {
    bytes: Vec<u8>,
    strings: Vec<u8>,
    /// Index of the first global symbol.
    locals: u32,
}

/// Local symbols by object, then global ones by first mention.
fn symbol_table(program: &Program, layout: &Layout, class: Class, index_of: &[u16]) -> SymbolTable {
    let mut out = Out { bytes: Vec::new(), class };
    let mut strings = vec![0u8];
    symbol(&mut out, 0, 0, 0, 0, 0, 0);
    let mut locals = 1;
    let mut put = |at: SymRef, binding: elf::SymbolBind| {
        let s = program.symbol(at);
        let (section, value) = match s.place {
            Place::Section(section) => {
                let Some(out) = layout.out_section(at.object, section) else { return false };
                let Some(value) = layout.symbol(at.object, at.symbol) else { return false };
                (if index_of[out as usize] == 0 { elf::SHN_ABS.0 } else { index_of[out as usize] }, value)
            }
            Place::Absolute => (elf::SHN_ABS.0, s.value),
            Place::Undefined => return false,
        };
        let name = if s.name.is_empty() { 0 } else { add_name(&mut strings, s.name) };
        let info = elf::SymbolInfo::new(binding, s.kind).0;
        symbol(&mut out, name, info, s.other.0, section, value, s.size);
        true
    };
    for (o, object) in program.objects.iter().enumerate() {
        for (i, s) in object.symbols.iter().enumerate().skip(1) {
            // Section symbols speak of input sections, and names in .L are the assembler's own.
            if s.global || s.kind == elf::STT_SECTION || s.name.is_empty() || s.name.starts_with(b".L") {
                continue;
            }
            locals += u32::from(put(SymRef { object: o as u32, symbol: i as u32 }, elf::STB_LOCAL));
        }
    }
    for global in &program.globals {
        if let Some(def) = global.def {
            debug_assert_ne!(program.global_of[def.object as usize][def.symbol as usize], LOCAL);
            put(def, if program.symbol(def).weak { elf::STB_WEAK } else { elf::STB_GLOBAL });
        }
    }
    SymbolTable { bytes: out.bytes, strings, locals }
}

fn symbol(out: &mut Out, name: u32, info: u8, other: u8, section: u16, value: u64, size: u64) {
    out.u32(name);
    if out.class == Class::Elf32 {
        out.word(value);
        out.word(size);
    }
    out.bytes.extend_from_slice(&[info, other]);
    out.u16(section);
    if out.class == Class::Elf64 {
        out.word(value);
        out.word(size);
    }
}
