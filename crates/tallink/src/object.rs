//! Reading one relocatable object into plain tables, with everything in bounds afterwards.
//!
//! Later phases rely on what [`parse`] has checked: section and symbol indices of relocations and
//! symbols are valid, symbol values lie inside their sections, relocations lie inside their
//! sections and do not overlap, and everything together is no larger than the file.

use crate::arch::{ARCHS, Arch, Class, Fixup, relocation_name};
use crate::diag::{self, Diagnostic, Spot, show};
use object::LittleEndian;
use object::elf;
use object::read::SectionIndex;
use object::read::elf::{FileHeader, Rel, Rela, SectionHeader, SectionTable, Sym};

/// The longest symbol or section name that is read, in bytes.
pub(crate) const LONGEST_NAME: usize = 4096;
/// The largest alignment of a section, in bytes: one page.
pub(crate) const LARGEST_ALIGN: u64 = 4096;

/// What becomes of an input section.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub(crate) enum Kind {
    /// `.note.tal`.
    Note,
    /// Read-only data.
    Rodata,
    /// Code.
    Text,
    /// Initialised, writable data.
    Data,
    /// Zeroed, writable data.
    Bss,
    /// Not loaded: debugging information, comments.
    Debug,
    /// Not part of the output: tables that the linker makes anew.
    Skip,
}

impl Kind {
    /// Whether the section is part of the memory image.
    pub(crate) const fn loaded(self) -> bool {
        !matches!(self, Kind::Debug | Kind::Skip)
    }
}

/// One relocation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reloc {
    /// Offset of the place in its section, bytes.
    pub(crate) offset: u64,
    /// Addend.
    pub(crate) addend: i64,
    /// Symbol index.
    pub(crate) sym: u32,
    /// What to do.
    pub(crate) fixup: Fixup,
}

/// One input section.
#[derive(Debug)]
pub(crate) struct Section<'a> {
    /// Name.
    pub(crate) name: &'a [u8],
    /// What becomes of it.
    pub(crate) kind: Kind,
    /// Its bytes; empty for [`Kind::Bss`].
    pub(crate) data: &'a [u8],
    /// Size in memory, bytes.
    pub(crate) size: u64,
    /// Alignment, a power of two up to [`LARGEST_ALIGN`].
    pub(crate) align: u64,
    /// Relocations in increasing order of offset.
    pub(crate) relocs: Vec<Reloc>,
    /// The string attributes of a debug section (`SHF_MERGE | SHF_STRINGS`, entry size).
    pub(crate) strings: bool,
}

/// Where a symbol is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// Elsewhere.
    Undefined,
    /// A number.
    Absolute,
    /// In this section of the object.
    Section(u32),
}

/// One symbol.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Symbol<'a> {
    /// Name; empty for section symbols.
    pub(crate) name: &'a [u8],
    /// Where it is.
    pub(crate) place: Place,
    /// Offset in its section, or the number.
    pub(crate) value: u64,
    /// Size in bytes, as the object says.
    pub(crate) size: u64,
    /// `STT_*`.
    pub(crate) kind: elf::SymbolType,
    /// Visible to other objects.
    pub(crate) global: bool,
    /// A definition that yields to a strong one, or a use that does not pull archive members.
    pub(crate) weak: bool,
    /// `st_other`.
    pub(crate) other: elf::SymbolOther,
}

/// One relocatable object.
#[derive(Debug)]
pub(crate) struct Object<'a> {
    /// `a.o` or `lib.a(a.o)`.
    pub(crate) name: String,
    /// Architecture.
    pub(crate) arch: &'static Arch,
    /// Sections by ELF index (0 is a [`Kind::Skip`] one).
    pub(crate) sections: Vec<Section<'a>>,
    /// Symbols by ELF index (0 is an undefined one without a name).
    pub(crate) symbols: Vec<Symbol<'a>>,
}

impl Object<'_> {
    /// A place in a section for people.
    pub(crate) fn describe(&self, section: u32, offset: u64) -> Spot {
        let name = self.sections.get(section as usize).map_or(&b"?"[..], |s| s.name);
        let mut inside = format!("{}+{offset:#x}", show(name));
        let function = self
            .symbols
            .iter()
            .filter(|s| s.place == Place::Section(section) && s.value <= offset && !s.name.is_empty())
            .max_by_key(|s| (s.value, s.kind == elf::STT_FUNC));
        if let Some(f) = function {
            inside.push_str(&format!(", in `{}`+{:#x}", show(f.name), offset - f.value));
        }
        Spot { file: self.name.clone(), inside }
    }
}

/// Reads a relocatable object.
pub(crate) fn parse<'a>(name: &str, data: &'a [u8]) -> Result<Object<'a>, Diagnostic> {
    let wrong = |message: &str| Diagnostic::new(diag::NOT_AN_OBJECT, name, message);
    let Some(ident) = data.get(..16) else {
        return Err(wrong("the file is too short to be an ELF object"));
    };
    if ident[..4] != elf::ELFMAG {
        return Err(wrong("the file is neither an ELF object nor an archive"));
    }
    if ident[5] != elf::ELFDATA2LSB.0 {
        return Err(wrong("the object is big-endian; the architectures of TAL are little-endian"));
    }
    match ident[4] {
        c if c == elf::ELFCLASS64.0 => Reader::<elf::FileHeader64<LittleEndian>>::open(name, data)?.object(),
        c if c == elf::ELFCLASS32.0 => Reader::<elf::FileHeader32<LittleEndian>>::open(name, data)?.object(),
        _ => Err(wrong("the object has an unknown ELF class")),
    }
}

struct Reader<'a, 'n, Elf: FileHeader<Endian = LittleEndian>> {
    name: &'n str,
    data: &'a [u8],
    arch: &'static Arch,
    table: SectionTable<'a, Elf>,
    sections: Vec<Section<'a>>,
    symbols: Vec<Symbol<'a>>,
    /// Bytes of the file that sections may still claim: they do not overlap in honest files.
    budget: usize,
}

const LE: LittleEndian = LittleEndian;

impl<'a, 'n, Elf: FileHeader<Endian = LittleEndian>> Reader<'a, 'n, Elf> {
    fn open(name: &'n str, data: &'a [u8]) -> Result<Self, Diagnostic> {
        let malformed = |e: object::read::Error| Diagnostic::new(diag::MALFORMED, name, e.to_string());
        let header = Elf::parse(data).map_err(malformed)?;
        let class = if header.is_class_64() { Class::Elf64 } else { Class::Elf32 };
        let Some(arch) = ARCHS.iter().find(|a| a.machine == header.e_machine(LE)) else {
            let message =
                format!("the object is for machine {}, neither AMD64 nor IA-32", header.e_machine(LE).0);
            return Err(Diagnostic::new(diag::NOT_AN_OBJECT, name, message));
        };
        if arch.class != class {
            let message = match class {
                Class::Elf32 => {
                    "the object is for x32 (AMD64 with an ELF class of 32 bits), neither AMD64 nor IA-32"
                }
                Class::Elf64 => "the object is for IA-32, but its ELF class is that of 64 bits",
            };
            return Err(Diagnostic::new(diag::NOT_AN_OBJECT, name, message));
        }
        if header.e_type(LE) != elf::ET_REL {
            let what = match header.e_type(LE) {
                elf::ET_EXEC => "an executable",
                elf::ET_DYN => "a shared object or a position-independent executable",
                elf::ET_CORE => "a core dump",
                _ => "no relocatable object",
            };
            let message = format!("the file is {what}; only relocatable objects can be linked");
            return Err(Diagnostic::new(diag::NOT_AN_OBJECT, name, message));
        }
        let table = header.sections(LE, data).map_err(malformed)?;
        if table.is_empty() {
            return Err(Diagnostic::new(diag::MALFORMED, name, "the object has no sections"));
        }
        let (sections, symbols) = (Vec::new(), Vec::new());
        Ok(Reader { name, data, arch, table, sections, symbols, budget: data.len() })
    }

    fn object(mut self) -> Result<Object<'a>, Diagnostic> {
        let names = self.string_table_of_sections()?;
        for (i, header) in self.table.iter().enumerate() {
            let section = self.section(i, header, names)?;
            self.sections.push(section);
        }
        let symbols_at = self.read_symbols()?;
        for header in self.table.iter() {
            let kind = header.sh_type(LE);
            if kind == elf::SHT_RELA || kind == elf::SHT_REL {
                self.read_relocs(header, symbols_at)?;
            }
        }
        Ok(Object {
            name: self.name.to_string(),
            arch: self.arch,
            sections: self.sections,
            symbols: self.symbols,
        })
    }

    fn malformed(&self, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(diag::MALFORMED, self.name, message)
    }

    /// The bytes of a section, paid for from the budget: a file cannot be made to look larger than
    /// it is by sections that share bytes.
    fn contents(&mut self, header: &Elf::SectionHeader, what: &str) -> Result<&'a [u8], Diagnostic> {
        let bytes = header
            .data(LE, self.data)
            .map_err(|_| self.malformed(format!("{what} lies outside the file: the object is truncated")))?;
        match self.budget.checked_sub(bytes.len()) {
            Some(rest) => self.budget = rest,
            None => return Err(self.malformed(format!("{what} overlaps other sections in the file"))),
        }
        Ok(bytes)
    }

    fn string_table_of_sections(&mut self) -> Result<&'a [u8], Diagnostic> {
        let header = Elf::parse(self.data).map_err(|e| self.malformed(e.to_string()))?;
        let index = header.section_strings_index(LE, self.data).map_err(|e| self.malformed(e.to_string()))?;
        let section = self.table.section(index).map_err(|e| self.malformed(e.to_string()))?;
        let section: &Elf::SectionHeader = section;
        section.data(LE, self.data).map_err(|_| self.malformed("the table of section names is truncated"))
    }

    fn section(
        &mut self,
        index: usize,
        header: &'a Elf::SectionHeader,
        names: &'a [u8],
    ) -> Result<Section<'a>, Diagnostic> {
        let skip = Section {
            name: b"",
            kind: Kind::Skip,
            data: &[],
            size: 0,
            align: 1,
            relocs: Vec::new(),
            strings: false,
        };
        if index == 0 {
            return Ok(skip);
        }
        let name = string(names, header.sh_name(LE))
            .ok_or_else(|| self.malformed(format!("section {index} has no readable name")))?;
        let kind = self.classify(name, header)?;
        if kind == Kind::Skip {
            return Ok(Section { name, ..skip });
        }
        let what = format!("section {}", show(name));
        let data = if kind == Kind::Bss { &[][..] } else { self.contents(header, &what)? };
        let size: u64 = header.sh_size(LE).into();
        let align = Into::<u64>::into(header.sh_addralign(LE)).max(1);
        if !align.is_power_of_two() || align > LARGEST_ALIGN {
            let message = format!("{what} asks for an alignment of {align} bytes");
            return Err(Diagnostic::new(diag::SECTION, self.name, message)
                .help(format!("use a power of two up to {LARGEST_ALIGN}")));
        }
        let strings = kind == Kind::Debug && header.sh_flags(LE).contains(elf::SHF_STRINGS);
        Ok(Section { name, kind, data, size, align, relocs: Vec::new(), strings })
    }

    /// What becomes of a section, or why it cannot be part of a typed program.
    fn classify(&self, name: &[u8], header: &Elf::SectionHeader) -> Result<Kind, Diagnostic> {
        let flags = header.sh_flags(LE);
        let bad = |message: &str| {
            Err(Diagnostic::new(diag::SECTION, self.name, format!("section {}: {message}", show(name))))
        };
        let (write, exec) = (flags.contains(elf::SHF_WRITE), flags.contains(elf::SHF_EXECINSTR));
        match header.sh_type(LE) {
            elf::SHT_NULL
            | elf::SHT_SYMTAB
            | elf::SHT_STRTAB
            | elf::SHT_RELA
            | elf::SHT_REL
            | elf::SHT_SYMTAB_SHNDX => return Ok(Kind::Skip),
            // The linker neither drops nor merges members of groups, so it cannot honour one.
            elf::SHT_GROUP => return bad("section groups (COMDAT) are not supported"),
            elf::SHT_INIT_ARRAY | elf::SHT_FINI_ARRAY | elf::SHT_PREINIT_ARRAY => {
                return bad("nobody runs constructors or destructors in a typed program");
            }
            elf::SHT_PROGBITS | elf::SHT_NOBITS | elf::SHT_NOTE | elf::SHT_X86_64_UNWIND => {}
            elf::SectionType(kind) => return bad(&format!("unsupported section type {kind:#x}")),
        }
        if flags.contains(elf::SHF_TLS) {
            return bad("thread-local storage is not supported");
        }
        if flags.contains(elf::SHF_COMPRESSED) {
            return bad("compressed sections are not supported: assemble without compression");
        }
        if name == b".note.GNU-stack" {
            return if exec { bad("an executable stack is never allowed") } else { Ok(Kind::Skip) };
        }
        let bits = header.sh_type(LE) != elf::SHT_NOBITS;
        if !flags.contains(elf::SHF_ALLOC) {
            return Ok(if bits { Kind::Debug } else { Kind::Skip });
        }
        match (header.sh_type(LE) == elf::SHT_NOTE, write, exec) {
            (_, true, true) => bad("memory is never both writable and executable"),
            (true, false, false) if name == b".note.tal" => Ok(Kind::Note),
            // Properties of objects, not of the program: they are not true of what tallink makes.
            (true, _, _) => Ok(Kind::Skip),
            (false, false, true) if bits => Ok(Kind::Text),
            (false, false, true) => bad("code must have bytes in the file"),
            (false, true, false) => Ok(if bits { Kind::Data } else { Kind::Bss }),
            (false, false, false) if bits => Ok(Kind::Rodata),
            (false, false, false) => bad("zeroed sections must be writable"),
        }
    }

    /// Reads the symbol table; its section index.
    fn read_symbols(&mut self) -> Result<SectionIndex, Diagnostic> {
        let mut found = None;
        for (i, header) in self.table.enumerate() {
            if header.sh_type(LE) == elf::SHT_SYMTAB && found.replace((i, header)).is_some() {
                return Err(self.malformed("the object has two symbol tables"));
            }
        }
        let Some((index, header)) = found else {
            self.symbols.push(NO_SYMBOL);
            return Ok(SectionIndex(0));
        };
        let table = header
            .symbols(LE, self.data, &self.table, index)
            .map_err(|e| self.malformed(e.to_string()))?
            .ok_or_else(|| self.malformed("the symbol table cannot be read"))?;
        let strings = self
            .table
            .section(table.string_section())
            .and_then(|s| s.data(LE, self.data))
            .map_err(|_| self.malformed("the symbols' string table is truncated"))?;
        if table.shndx_section().0 != 0 {
            return Err(self.malformed("the object has more than 65,000 sections"));
        }
        let mut symbols = Vec::with_capacity(table.len());
        for (i, sym) in table.enumerate() {
            symbols.push(if i.0 == 0 { NO_SYMBOL } else { self.symbol(sym, strings)? });
        }
        self.symbols = symbols;
        Ok(index)
    }

    fn symbol(&self, sym: &'a Elf::Sym, strings: &'a [u8]) -> Result<Symbol<'a>, Diagnostic> {
        let name = string(strings, sym.st_name(LE))
            .ok_or_else(|| self.malformed("a symbol's name is outside the string table or too long"))?;
        let bad = |message: String| {
            Err(Diagnostic::new(diag::SYMBOL, self.name, format!("symbol `{}` {message}", show(name))))
        };
        let kind = sym.st_type();
        let place = match sym.st_shndx(LE) {
            elf::SHN_UNDEF => Place::Undefined,
            elf::SHN_ABS => Place::Absolute,
            elf::SHN_COMMON => {
                return bad("is a common block, which has no type and no place: define it".to_string());
            }
            elf::SymbolSection(i) if usize::from(i) < self.sections.len() => Place::Section(u32::from(i)),
            _ => return bad("is in a section that does not exist".to_string()),
        };
        match kind {
            elf::STT_TLS => return bad("is thread-local, which typed programs do not have".to_string()),
            elf::STT_GNU_IFUNC => {
                return bad(
                    "is an indirect function, chosen by code that runs before the program".to_string()
                );
            }
            elf::STT_COMMON => return bad("is a common block".to_string()),
            _ => {}
        }
        let (global, weak) = match sym.st_bind() {
            elf::STB_LOCAL => (false, false),
            elf::STB_GLOBAL => (true, false),
            elf::STB_WEAK => (true, true),
            elf::SymbolBind(b) => return bad(format!("has the unsupported binding {b}")),
        };
        let (value, size): (u64, u64) = (sym.st_value(LE).into(), sym.st_size(LE).into());
        if let Place::Section(i) = place {
            let section = &self.sections[i as usize];
            let inside = value.checked_add(size).is_some_and(|end| end <= section.size);
            if section.kind != Kind::Skip && !inside && kind != elf::STT_SECTION {
                return bad(format!("at {value:#x} with {size} bytes is outside {}", show(section.name)));
            }
            if kind == elf::STT_SECTION && value != 0 {
                return bad("is a section symbol that is not at the section's start".to_string());
            }
        }
        if global && name.is_empty() {
            return Err(self.malformed("a global symbol has no name"));
        }
        Ok(Symbol { name, place, value, size, kind, global, weak, other: sym.st_other() })
    }

    fn read_relocs(
        &mut self,
        header: &'a Elf::SectionHeader,
        symbols_at: SectionIndex,
    ) -> Result<(), Diagnostic> {
        self.contents(header, "a table of relocations")?;
        let target = header.info_link(LE).0;
        if target == 0 || target >= self.sections.len() {
            return Err(self.malformed("relocations for a section that does not exist"));
        }
        if self.sections[target].kind == Kind::Skip {
            return Ok(());
        }
        if header.link(LE) != symbols_at {
            return Err(self.malformed("relocations with a strange symbol table"));
        }
        if !self.sections[target].relocs.is_empty() {
            return Err(self.malformed("a section has two tables of relocations"));
        }
        let mut relocs = Vec::new();
        if let Ok(Some((table, _))) = header.rela(LE, self.data) {
            relocs.reserve_exact(table.len());
            for r in table {
                let raw = (r.r_offset(LE).into(), r.r_sym(LE, false), r.r_type(LE, false).0);
                relocs.extend(self.reloc(target, raw, Some(r.r_addend(LE).into()))?);
            }
        } else if let Ok(Some((table, _))) = header.rel(LE, self.data) {
            relocs.reserve_exact(table.len());
            for r in table {
                let raw = (r.r_offset(LE).into(), r.r_sym(LE), r.r_type(LE).0);
                relocs.extend(self.reloc(target, raw, None)?);
            }
        } else {
            return Err(self.malformed("a table of relocations cannot be read"));
        }
        if !relocs.is_sorted_by_key(|r| r.offset) {
            relocs.sort_by_key(|r| r.offset);
        }
        for pair in relocs.windows(2) {
            if pair[0].offset + pair[0].fixup.width() > pair[1].offset {
                let place = self.place(target, pair[1].offset);
                return Err(Diagnostic::new(
                    diag::RELOCATION_PLACE,
                    place,
                    "two relocations write the same bytes",
                ));
            }
        }
        self.sections[target].relocs = relocs;
        Ok(())
    }

    /// Checks one relocation; `None` for one that does nothing. Without an addend of its own it is
    /// what the place holds.
    fn reloc(
        &self,
        target: usize,
        (offset, sym, kind): (u64, u32, u32),
        addend: Option<i64>,
    ) -> Result<Option<Reloc>, Diagnostic> {
        let section = &self.sections[target];
        let fixup = match (self.arch.fixup)(kind) {
            Ok(Fixup::None) => return Ok(None),
            Ok(fixup) => fixup,
            Err(why) => {
                let name = relocation_name(self.arch.machine, kind);
                let against = self.symbols.get(sym as usize).map_or(&b"?"[..], |s| s.name);
                let message = format!("{name} against `{}` is not supported: {why}", show(against));
                return Err(Diagnostic::new(diag::RELOCATION, self.place(target, offset), message));
            }
        };
        let end = offset.checked_add(fixup.width());
        if end.is_none_or(|end| end > section.data.len() as u64) {
            let message = if section.kind == Kind::Bss {
                "a relocation in a section without bytes"
            } else {
                "a relocation outside its section"
            };
            return Err(Diagnostic::new(diag::RELOCATION_PLACE, self.place(target, offset), message));
        }
        if sym as usize >= self.symbols.len() {
            return Err(self.malformed(format!("a relocation names symbol {sym}, which does not exist")));
        }
        let addend = addend.unwrap_or_else(|| {
            let at = offset as usize;
            let mut bytes = [0u8; 8];
            let width = fixup.width() as usize;
            bytes[..width].copy_from_slice(&section.data[at..at + width]);
            if width == 4 {
                i64::from(i32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
            } else {
                i64::from_le_bytes(bytes)
            }
        });
        Ok(Some(Reloc { offset, addend, sym, fixup }))
    }

    fn place(&self, section: usize, offset: u64) -> Spot {
        let inside = format!("{}+{offset:#x}", show(self.sections[section].name));
        Spot { file: self.name.to_string(), inside }
    }
}

/// The symbol with index 0: a relocation against it means just its addend.
const NO_SYMBOL: Symbol<'static> = Symbol {
    name: b"",
    place: Place::Absolute,
    value: 0,
    size: 0,
    kind: elf::STT_NOTYPE,
    global: false,
    weak: false,
    other: elf::SymbolOther(0),
};

/// The NUL-terminated string at an offset; `None` if it is outside or longer than [`LONGEST_NAME`].
fn string(table: &[u8], offset: u32) -> Option<&[u8]> {
    if offset == 0 {
        return Some(b"");
    }
    let rest = table.get(offset as usize..)?;
    let end = rest.iter().take(LONGEST_NAME).position(|&b| b == 0)?;
    Some(&rest[..end])
}
