//! Objects with hand-made machine code, and running what is linked.
#![allow(dead_code, unreachable_pub)]

use object::write::{Object, Relocation, SectionId, Symbol, SymbolId, SymbolSection};
use object::{
    Architecture, BinaryFormat, Endianness, RelocationFlags, SectionFlags, SectionKind, SymbolFlags,
    SymbolKind, SymbolScope, elf,
};
use std::collections::HashMap;
use std::path::Path;
use std::process::{Command, Output};
use talcore::types::{Layout, Mode, Sig};
use tallink::{Diagnostic, Input, InputFile, LinkOutput, Options};
use talnote::table::TypeTable;
use talnote::write::{
    Arch, Function, NoteBuilder, Object as NoteObject, ObjectType, Section, SectionKind as NoteSection,
    WordRef,
};

/// Builds one relocatable object.
pub struct Obj {
    pub out: Object<'static>,
    /// The symbols by name.
    pub names: HashMap<String, SymbolId>,
    /// The section made by [`Obj::text`].
    pub code: Option<SectionId>,
}

impl Obj {
    pub fn new() -> Obj {
        let mut out = Object::new(BinaryFormat::Elf, Architecture::X86_64, Endianness::Little);
        out.add_section(Vec::new(), b".note.GNU-stack".to_vec(), SectionKind::Other);
        Obj { out, names: HashMap::new(), code: None }
    }
    pub fn section(&mut self, name: &str, kind: SectionKind, bytes: &[u8]) -> SectionId {
        let id = self.out.add_section(Vec::new(), name.as_bytes().to_vec(), kind);
        match kind {
            SectionKind::UninitializedData => self.out.append_section_bss(id, bytes.len() as u64, 8),
            _ => self.out.append_section_data(id, bytes, 8),
        };
        id
    }
    pub fn text(&mut self, bytes: &[u8]) -> SectionId {
        let id = self.section(".text", SectionKind::Text, bytes);
        self.code = Some(id);
        id
    }
    fn symbol(
        &mut self,
        name: &str,
        section: SymbolSection,
        value: u64,
        size: u64,
        kind: SymbolKind,
    ) -> SymbolId {
        let id = self.out.add_symbol(Symbol {
            name: name.as_bytes().to_vec(),
            value,
            size,
            kind,
            scope: SymbolScope::Dynamic,
            weak: false,
            section,
            flags: SymbolFlags::None,
        });
        self.names.insert(name.to_string(), id);
        id
    }
    pub fn function(&mut self, name: &str, section: SectionId, value: u64, size: u64) -> SymbolId {
        self.symbol(name, SymbolSection::Section(section), value, size, SymbolKind::Text)
    }
    pub fn data(&mut self, name: &str, section: SectionId, value: u64, size: u64) -> SymbolId {
        self.symbol(name, SymbolSection::Section(section), value, size, SymbolKind::Data)
    }
    pub fn undefined(&mut self, name: &str) -> SymbolId {
        self.symbol(name, SymbolSection::Undefined, 0, 0, SymbolKind::Unknown)
    }
    pub fn weak(&mut self, id: SymbolId) -> SymbolId {
        self.out.symbol_mut(id).weak = true;
        id
    }
    pub fn reloc(
        &mut self,
        section: SectionId,
        offset: u64,
        r_type: elf::RelocationType,
        symbol: SymbolId,
        addend: i64,
    ) {
        let flags = RelocationFlags::Elf { r_type };
        self.out.add_relocation(section, Relocation { offset, symbol, addend, flags }).unwrap();
    }
    /// Adds a note that speaks of these sections and imports.
    pub fn note(
        &mut self,
        note: &NoteBuilder,
        types: &TypeTable,
        sections: &[SectionId],
        imports: &[SymbolId],
    ) -> SectionId {
        let encoded = note.encode(types).unwrap();
        let id = self.section(".note.tal", SectionKind::Note, &encoded.bytes);
        self.out.section_mut(id).flags =
            SectionFlags::Elf { sh_type: elf::SHT_NOTE, sh_flags: elf::SHF_ALLOC };
        for (at, word) in encoded.words {
            let symbol = match word {
                WordRef::Section(i) => self.out.section_symbol(sections[i as usize]),
                WordRef::Import(i) => imports[i as usize],
            };
            self.reloc(id, at as u64, elf::R_X86_64_64, symbol, 0);
        }
        id
    }
    pub fn bytes(&self) -> Vec<u8> {
        self.out.write().unwrap()
    }
    pub fn input(&self, name: &str) -> Input {
        input(name, self.bytes())
    }
}

pub fn input(name: &str, bytes: Vec<u8>) -> Input {
    Input::File(InputFile { name: name.to_string(), bytes })
}

/// `_start` that writes `message` to the standard output through the gate and exits with `status`
/// via `exit_with` of another object: `mov edi, status; jmp exit_with`.
pub fn hello(message: &str, status: u8) -> Obj {
    let mut o = Obj::new();
    let rodata = o.section(".rodata", SectionKind::ReadOnlyData, message.as_bytes());
    let text = o.text(&[
        0xbf,
        1,
        0,
        0,
        0, // mov edi, 1
        0xbe,
        0,
        0,
        0,
        0, // mov esi, message
        0xba,
        message.len() as u8,
        0,
        0,
        0, // mov edx, len
        0xb8,
        1,
        0,
        0,
        0, // mov eax, 1
        0xff,
        0x15,
        0,
        0,
        0,
        0, // call [rip + __tal_gate]
        0xbf,
        status,
        0,
        0,
        0, // mov edi, status
        0xe9,
        0,
        0,
        0,
        0, // jmp exit_with
    ]);
    o.function("_start", text, 0, 36);
    let message = o.data("message", rodata, 0, message.len() as u64);
    let gate = o.undefined("__tal_gate");
    let exit = o.undefined("exit_with");
    o.reloc(text, 6, elf::R_X86_64_32, message, 0);
    o.reloc(text, 22, elf::R_X86_64_PC32, gate, -4);
    o.reloc(text, 32, elf::R_X86_64_PLT32, exit, -4);
    o
}

/// `exit_with`: `mov eax, 231; call [rip + __tal_gate]; ud2`.
pub fn exit_with() -> Obj {
    exit_named("exit_with")
}

/// A function of this name that exits with the status in `edi`.
pub fn exit_named(name: &str) -> Obj {
    let mut o = Obj::new();
    let text = o.text(&[0xb8, 231, 0, 0, 0, 0xff, 0x15, 0, 0, 0, 0, 0x0f, 0x0b]);
    o.function(name, text, 0, 13);
    let gate = o.undefined("__tal_gate");
    o.reloc(text, 7, elf::R_X86_64_PC32, gate, -4);
    o
}

/// A typed program: writes `message` and exits with `status`, all by itself.
pub fn typed(message: &str, status: u8) -> Obj {
    let mut o = Obj::new();
    let rodata = o.section(".rodata", SectionKind::ReadOnlyData, message.as_bytes());
    let code = [
        0xbf,
        1,
        0,
        0,
        0, // mov edi, 1
        0x48,
        0x8d,
        0x35,
        0,
        0,
        0,
        0, // lea rsi, [rip + message]
        0xba,
        message.len() as u8,
        0,
        0,
        0, // mov edx, len
        0xb8,
        1,
        0,
        0,
        0, // mov eax, 1
        0xff,
        0x15,
        0,
        0,
        0,
        0, // call [rip + __tal_gate]
        0xbf,
        status,
        0,
        0,
        0, // mov edi, status
        0xb8,
        231,
        0,
        0,
        0, // mov eax, 231
        0xff,
        0x15,
        0,
        0,
        0,
        0, // call [rip + __tal_gate]
        0x0f,
        0x0b, // ud2
    ];
    let size = code.len() as u64;
    let text = o.text(&code);
    o.function("_start", text, 0, size);
    let at = o.data("message", rodata, 0, message.len() as u64);
    let gate = o.undefined("__tal_gate");
    o.reloc(text, 8, elf::R_X86_64_PC32, at, -4);
    o.reloc(text, 24, elf::R_X86_64_PC32, gate, -4);
    o.reloc(text, 40, elf::R_X86_64_PC32, gate, -4);

    let mut types = TypeTable::default();
    let sig = types.sig(Sig { start: true, noreturn: true, ..Sig::default() });
    let layout = types.layout(Layout::Bytes((message.len() as i128).into()));
    let mut note = NoteBuilder::new(Arch::Amd64);
    note.sections = vec![
        Section { kind: NoteSection::Code, size },
        Section { kind: NoteSection::Rodata, size: message.len() as u64 },
    ];
    // No labels, no answers: nothing has to be guessed.
    note.functions = vec![Function { section: 0, offset: 0, size, sig, stream: vec![0, 0, 0] }];
    note.objects =
        vec![NoteObject { section: 1, offset: 0, mode: Mode::Imm, ty: ObjectType::Layout(layout) }];
    o.note(&note, &types, &[text, rodata], &[]);
    o
}

pub fn link(inputs: &[Input]) -> LinkOutput {
    link_with(inputs, &Options::default())
}

pub fn link_with(inputs: &[Input], options: &Options) -> LinkOutput {
    tallink::link(inputs, options).unwrap_or_else(|e| panic!("{}", render(&e)))
}

pub fn render(errors: &[Diagnostic]) -> String {
    tallink::diag::render(errors, taldiag::render::Format::Human, false)
}

/// Links what must be refused; the messages.
pub fn errors(inputs: &[Input]) -> String {
    match tallink::link(inputs, &Options::default()) {
        Ok(_) => panic!("linked"),
        Err(e) => {
            assert!(!e.is_empty());
            render(&e)
        }
    }
}

/// Runs an image from a directory.
pub fn run(dir: &Path, image: &[u8]) -> Output {
    let path = dir.join("prog");
    tal_testkit::executable::write(&path, image).unwrap();
    Command::new(path).output().unwrap()
}

/// Whether a tool is installed.
pub fn installed(tool: &str) -> bool {
    let found = Command::new(tool).arg("--version").output().is_ok_and(|o| o.status.success());
    if !found {
        eprintln!("{tool} is not installed: skipped");
    }
    found
}

/// An archive with a symbol index or without.
pub fn archive(members: &[(&str, Vec<u8>)], symbols: &[(&str, usize)]) -> Vec<u8> {
    let header = |name: &str, size: usize| {
        format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{size:<10}`\n", 0, 0, 0, 644).into_bytes()
    };
    let mut index_size = 0;
    if !symbols.is_empty() {
        index_size = 60 + 4 + symbols.iter().map(|(n, _)| 4 + n.len() + 1).sum::<usize>();
        index_size += index_size % 2;
    }
    let mut offsets = Vec::new();
    let mut body = Vec::new();
    for (name, bytes) in members {
        offsets.push((8 + index_size + body.len()) as u32);
        body.extend(header(&format!("{name}/"), bytes.len()));
        body.extend(bytes);
        if body.len() % 2 == 1 {
            body.push(b'\n');
        }
    }
    let mut out = b"!<arch>\n".to_vec();
    if !symbols.is_empty() {
        out.extend(header("/", index_size - 60));
        out.extend((symbols.len() as u32).to_be_bytes());
        symbols.iter().for_each(|&(_, m)| out.extend(offsets[m].to_be_bytes()));
        symbols.iter().for_each(|(n, _)| out.extend([n.as_bytes(), &[0]].concat()));
        out.resize(8 + index_size, 0);
    }
    out.extend(body);
    out
}
