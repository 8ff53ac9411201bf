//! The seams: what one object imports must have the type with which another one defines it.
//!
//! The checker compares the same types again in the finished file. Here it is done first, because
//! here objects and symbols still have names. Notes speak of addresses; before the layout every
//! loaded section gets a made-up one, so that an import and a definition meet where they are equal.

use crate::diag::{self, Diagnostic, Spot, named, show};
use crate::live::Live;
use crate::object::{Kind, Object};
use crate::symbols::{Program, Target};
use std::collections::HashMap;
use std::fmt::Write;
use talcore::eq::{same_layout, same_sig};
use talcore::note::{self, Note, NoteImportKind, NoteObject};
use talcore::types::{Layout, LayoutId, Mode, Sig, SigId, StructId, Types, WordId};
use talnote::print::{Printer, register};

/// Steps that comparing two types may take; running out counts as a difference.
const STEPS: u64 = 1 << 16;
/// The bytes of an ELF note in front of its descriptor: three numbers and the owner.
const NOTE_HEADER: usize = 16;
/// The bytes of a TAL descriptor in front of its address words.
const DESCRIPTOR_HEADER: usize = 8;

/// What a name is defined as.
#[derive(Clone, Copy)]
enum Export {
    Function(SigId),
    Data(Mode, LayoutId),
    Table,
    Type(StructId),
}

/// One note of an object.
struct Read {
    object: u32,
    /// The note's section, and the offset of its first address word in it.
    section: u32,
    words_at: u64,
    sections: usize,
    imports: Vec<NoteImportKind>,
}

/// Compares the types of imports and exports of all live notes.
pub(crate) fn check(program: &Program, live: &Live) -> Vec<Diagnostic> {
    let mut seams = Seams {
        program,
        bases: bases(program),
        types: Types::default(),
        struct_names: Vec::new(),
        exports: HashMap::new(),
        notes: Vec::new(),
        errors: Vec::new(),
    };
    for (o, object) in program.objects.iter().enumerate() {
        for (i, s) in object.sections.iter().enumerate() {
            if s.kind == Kind::Note && live.has(o as u32, i as u32) {
                seams.read_section(o as u32, i as u32);
            }
        }
    }
    let notes = std::mem::take(&mut seams.notes);
    for note in &notes {
        for (i, &kind) in note.imports.iter().enumerate() {
            seams.import(note, i, kind);
        }
    }
    seams.errors
}

struct Seams<'p, 'a> {
    program: &'p Program<'a>,
    /// For each object, for each section, its made-up address.
    bases: Vec<Vec<u64>>,
    /// The types of all notes.
    types: Types,
    /// Names of structs by id.
    struct_names: Vec<String>,
    /// Definitions by made-up address.
    exports: HashMap<u64, Export>,
    notes: Vec<Read>,
    errors: Vec<Diagnostic>,
}

/// Made-up addresses for all sections, with a gap behind each.
fn bases(program: &Program) -> Vec<Vec<u64>> {
    let mut next = 0x1000u64;
    let mut of = |object: &Object| -> Vec<u64> {
        let sections = object.sections.iter();
        sections
            .map(|s| {
                let base = next;
                next = next.saturating_add(s.size).saturating_add(0x100) & !0xff;
                base
            })
            .collect()
    };
    program.objects.iter().map(&mut of).collect()
}

impl<'p> Seams<'p, '_> {
    fn bad(&mut self, object: u32, section: u32, offset: u64, message: impl Into<String>) {
        let place = self.program.objects[object as usize].describe(section, offset);
        self.errors.push(
            Diagnostic::new(diag::NOTE, place, message)
                .help("the object is damaged or made by another version: assemble its source again"),
        );
    }

    /// Reads the notes of one section.
    fn read_section(&mut self, object: u32, section: u32) {
        let program: &'p Program = self.program;
        let input = &program.objects[object as usize].sections[section as usize];
        let arch = program.objects[object as usize].arch;
        let mut bytes = input.data.to_vec();
        for r in &input.relocs {
            if r.fixup != arch.word_fixup {
                return self.bad(
                    object,
                    section,
                    r.offset,
                    "a note has a relocation that is no address word",
                );
            }
            let value = match program.target(object, r.sym) {
                Target::Section { object, section, offset } => {
                    let base = self.bases[object as usize][section as usize];
                    base.wrapping_add(offset).wrapping_add_signed(r.addend)
                }
                Target::Absolute(value) => value.wrapping_add_signed(r.addend),
                // Reported elsewhere.
                Target::Undefined(_) => u64::MAX,
            };
            let at = r.offset as usize;
            let place = &mut bytes[at..at + r.fixup.width() as usize];
            place.copy_from_slice(&value.to_le_bytes()[..place.len()]);
        }
        let mut at = 0;
        while at < bytes.len() {
            match self.read_note(object, section, at, &bytes[at..]) {
                Ok(size) => at += size,
                Err((offset, message)) => return self.bad(object, section, (at + offset) as u64, message),
            }
        }
    }

    /// Reads the note at the front of `bytes`, which lies at an offset of its section; its size.
    fn read_note(
        &mut self,
        object: u32,
        section: u32,
        offset: usize,
        bytes: &[u8],
    ) -> Result<usize, (usize, String)> {
        let field = |i: usize| Some(u32::from_le_bytes(bytes.get(4 * i..4 * i + 4)?.try_into().ok()?));
        let truncated = || (0, "a note is truncated".to_string());
        let (owner, size, kind) = (
            field(0).ok_or_else(truncated)?,
            field(1).ok_or_else(truncated)?,
            field(2).ok_or_else(truncated)?,
        );
        if owner as usize != note::OWNER.len() || bytes.get(12..NOTE_HEADER) != Some(note::OWNER) {
            return Err((0, "a note in .note.tal has another owner than TAL".to_string()));
        }
        if kind != note::NOTE_TYPE {
            return Err((8, format!("the note has the unknown type {kind:#x}")));
        }
        let descriptor = bytes.get(NOTE_HEADER..NOTE_HEADER + size as usize).ok_or_else(truncated)?;
        let arch = self.program.objects[object as usize].arch;
        let note = note::read(descriptor, 0, &mut self.types)
            .map_err(|e| (NOTE_HEADER + e.0, "the note breaks off or contradicts its format".to_string()))?;
        if note.arch.code() != arch.note as u8 {
            return Err((NOTE_HEADER + 1, format!("the note is not for {}", arch.name)));
        }
        let words_at = (offset + NOTE_HEADER + DESCRIPTOR_HEADER) as u64;
        self.words_are_relocated(object, section, words_at, note.sections.len() + note.imports.len())
            .map_err(|at| {
                (at as usize - offset, "an address word of a note has no relocation".to_string())
            })?;
        self.record(object, section, words_at, &note);
        let word = arch.class.word() as usize;
        Ok((NOTE_HEADER + size as usize).next_multiple_of(word).min(bytes.len()))
    }

    /// Checks that each address word of a note has a relocation, or says which has none.
    fn words_are_relocated(&self, object: u32, section: u32, first: u64, count: usize) -> Result<(), u64> {
        let o = &self.program.objects[object as usize];
        let relocs = &o.sections[section as usize].relocs;
        let from = relocs.partition_point(|r| r.offset < first);
        for i in 0..count {
            let at = first + i as u64 * o.arch.class.word();
            if relocs.get(from + i).is_none_or(|r| r.offset != at) {
                return Err(at);
            }
        }
        Ok(())
    }

    fn record(&mut self, object: u32, section: u32, words_at: u64, note: &Note) {
        self.struct_names.resize(self.types.structs.len(), String::new());
        for name in note.names.iter().filter(|n| n.kind == 0) {
            let id = (note.first_struct as usize).saturating_add(name.index as usize);
            if let Some(slot) = self.struct_names.get_mut(id) {
                *slot = show(name.text.as_bytes());
            }
        }
        for f in &note.functions {
            self.exports.insert(f.addr, Export::Function(f.sig));
        }
        for o in &note.objects {
            match *o {
                NoteObject::Data(addr, mode, layout) => self.exports.insert(addr, Export::Data(mode, layout)),
                NoteObject::Table(addr, ..) => self.exports.insert(addr, Export::Table),
            };
        }
        for i in &note.imports {
            if let NoteImportKind::Exported(id) = i.kind {
                self.exports.insert(i.addr, Export::Type(id));
            }
        }
        let imports = note.imports.iter().map(|i| i.kind).collect();
        self.notes.push(Read { object, section, words_at, sections: note.sections.len(), imports });
    }

    /// Compares one import with its definition.
    fn import(&mut self, note: &Read, index: usize, kind: NoteImportKind) {
        let program = self.program;
        let o = &program.objects[note.object as usize];
        let at = note.words_at + (note.sections + index) as u64 * o.arch.class.word();
        let relocs = &o.sections[note.section as usize].relocs;
        let Ok(r) = relocs.binary_search_by_key(&at, |r| r.offset).map(|i| relocs[i]) else { return };
        let (object, section, offset) = match program.target(note.object, r.sym) {
            Target::Section { object, section, offset } => (object, section, offset),
            // Undefined names are reported where they are used.
            _ => return,
        };
        let address =
            self.bases[object as usize][section as usize].wrapping_add(offset).wrapping_add_signed(r.addend);
        let export = self.exports.get(&address).copied();
        if let NoteImportKind::Exported(_) = kind {
            // Its own name lies in the note, where no other module's does.
            if (object, section) != (note.object, note.section) {
                let why = "the note exports an abstract type under a name that is not its own";
                self.bad(note.object, note.section, at, why);
            }
            return;
        }
        let mut steps = STEPS;
        let same = match (kind, export) {
            (NoteImportKind::Abstract(a), Some(Export::Type(b))) => {
                self.types.strukt(a).params == self.types.strukt(b).params
            }
            (NoteImportKind::Function(a), Some(Export::Function(b))) => {
                same_sig(&self.types, a, b, &mut steps) && !self.types.sig(b).start
            }
            (kind, Some(Export::Data(mode, b))) => match kind.object() {
                Some((m, a)) => m == mode && same_layout(&self.types, a, b, &mut steps),
                None => false,
            },
            _ => false,
        };
        if !same {
            let name = named(o.symbols[r.sym as usize].name);
            let used = first_use(o, r.sym).unwrap_or_else(|| Spot::from(&o.name));
            let defined = program.objects[object as usize].describe(section, offset);
            let error = self.mismatch(&name, kind, export, used, defined);
            self.errors.push(error);
        }
    }

    fn mismatch(
        &self,
        name: &str,
        kind: NoteImportKind,
        export: Option<Export>,
        used: Spot,
        defined: Spot,
    ) -> Diagnostic {
        let word_bits = self.program.objects[0].arch.core().word_bits();
        let printer = Printer { structs: &self.struct_names, word_bits, ..Printer::new(&self.types) };
        let wanted = match kind {
            NoteImportKind::Function(sig) => printer.sig(sig),
            NoteImportKind::Imm(layout) => format!("imm {}", printer.layout(layout)),
            NoteImportKind::Shared(layout) => format!("ref {}", printer.layout(layout)),
            NoteImportKind::Owned(layout) => format!("an owned static: {}", printer.layout(layout)),
            NoteImportKind::Abstract(id) | NoteImportKind::Exported(id) => self.parameters(id),
        };
        let given = match export {
            Some(Export::Function(sig)) => printer.sig(sig),
            Some(Export::Data(Mode::Imm, layout)) => format!("imm {}", printer.layout(layout)),
            Some(Export::Data(Mode::Uniq, layout)) => format!("an owned static: {}", printer.layout(layout)),
            Some(Export::Data(_, layout)) => format!("ref {}", printer.layout(layout)),
            Some(Export::Type(id)) => self.parameters(id),
            Some(Export::Table) => "a jump table, which only its own function may use".to_string(),
            None => "something without a type".to_string(),
        };
        let message = format!("{name} is imported with another type than it is defined with");
        let mut error = Diagnostic::general(diag::SEAM, message)
            .near(used, format!("imported as {wanted}"))
            .near(defined, format!("defined as {given}"));
        error.notes = match (kind, export) {
            (NoteImportKind::Function(a), Some(Export::Function(b))) => self.differences(&printer, a, b),
            _ => Vec::new(),
        };
        if wanted == given {
            error.notes.extend(self.struct_differences(&printer, kind, export));
        }
        match export {
            None => error.help("the object that defines it has no TAL note: is it made by talasm?"),
            Some(Export::Function(b)) if self.types.sig(b).start => {
                error.help("the program's entry is no function and cannot be called")
            }
            _ => error
                .help("declare the import with the type of the definition; `use` of its interface file does"),
        }
    }

    /// What is known everywhere of an abstract type.
    fn parameters(&self, id: StructId) -> String {
        match self.types.strukt(id).params {
            0 => "an abstract type without parameters".to_string(),
            1 => "an abstract type with 1 parameter".to_string(),
            n => format!("an abstract type with {n} parameters"),
        }
    }

    /// What differs between two signatures, register by register.
    fn differences(&self, printer: &Printer, a: SigId, b: SigId) -> Vec<String> {
        let (a, b) = (self.types.sig(a), self.types.sig(b));
        let arch = self.program.objects[0].arch.core();
        let mut notes = Vec::new();
        let back = |sig: &Sig, r: u8| {
            let given = sig.gives_back.iter().find(|g| g.0 == r);
            given.map_or("nothing".to_string(), |g| printer.layout(g.1))
        };
        for (what, a, b) in [("takes", &a.params, &b.params), ("gives", &a.results, &b.results)] {
            let find = |list: &[(u8, WordId)], r: u8| {
                list.iter().find(|p| p.0 == r).map_or("nothing".to_string(), |p| printer.word(p.1))
            };
            for r in 0..16u8 {
                let (x, y) = (find(a, r), find(b, r));
                if x != y {
                    let register = register(arch, r.into());
                    notes.push(format!("the import {what} {x} in {register}, the definition {y}"));
                }
            }
        }
        if a.uses.len() != b.uses.len() || !a.uses.iter().all(|x| b.uses.contains(x)) {
            notes.push(format!(
                "the import says that it uses {} owned statics, the definition uses {}, and not the same",
                a.uses.len(),
                b.uses.len()
            ));
        }
        for r in 0..16u8 {
            let (x, y) = (back(a, r), back(b, r));
            if x != y {
                let register = register(arch, r.into());
                notes.push(format!("the import has {x} given back in {register}, the definition {y}"));
            }
        }
        notes
    }

    /// Structs with one name and two definitions.
    fn struct_differences(
        &self,
        printer: &Printer,
        kind: NoteImportKind,
        export: Option<Export>,
    ) -> Option<String> {
        let mut a = Vec::new();
        let mut b = Vec::new();
        match kind {
            NoteImportKind::Function(sig) => self.structs_of_sig(sig, &mut a),
            NoteImportKind::Imm(layout) | NoteImportKind::Shared(layout) | NoteImportKind::Owned(layout) => {
                self.structs_of(layout, &mut a)
            }
            NoteImportKind::Abstract(_) | NoteImportKind::Exported(_) => {}
        }
        match export? {
            Export::Function(sig) => self.structs_of_sig(sig, &mut b),
            Export::Data(_, layout) => self.structs_of(layout, &mut b),
            Export::Table | Export::Type(_) => {}
        }
        let brand = |id: StructId| self.types.strukt(id).brand;
        for (x, y) in a.iter().zip(&b) {
            if brand(*x).is_some() && brand(*x) == brand(*y) {
                continue;
            }
            let (left, right) = (printer.strukt(*x, &[]), printer.strukt(*y, &[]));
            if left != right {
                let mut text = String::from("the types look alike, but speak of different structs:");
                let _ = write!(text, "\nthe import's {left}\nthe definition's {right}");
                return Some(text);
            }
        }
        None
    }

    fn structs_of_sig(&self, sig: SigId, out: &mut Vec<StructId>) {
        let sig = self.types.sig(sig);
        let words = sig.params.iter().chain(&sig.results).map(|p| p.1).chain(sig.stack.iter().copied());
        let pointers = words.filter_map(|w| self.types.pointer(w));
        for layout in pointers.map(|p| p.1).chain(sig.gives_back.iter().map(|g| g.1)) {
            self.structs_of(layout, out);
        }
    }

    /// The structs that a layout directly mentions, in order.
    fn structs_of(&self, layout: LayoutId, out: &mut Vec<StructId>) {
        const MOST: usize = 64;
        let mut todo = vec![layout];
        while let Some(layout) = todo.pop() {
            if out.len() >= MOST || todo.len() >= MOST {
                return;
            }
            match self.types.layout(layout) {
                Layout::Struct(id, _) => out.push(*id),
                Layout::Array(_, inner) => todo.push(*inner),
                Layout::Cell(word) => todo.extend(self.types.pointer(*word).map(|p| p.1)),
                Layout::Seq(parts) => todo.extend(parts.iter().rev().take(MOST)),
                Layout::Exists(e) => todo.push(e.body),
                _ => {}
            }
        }
    }
}

/// The first place outside notes where an object uses one of its symbols.
fn first_use(object: &Object, symbol: u32) -> Option<Spot> {
    let sections = object.sections.iter().enumerate();
    let mut loaded = sections.filter(|(_, s)| s.kind.loaded() && s.kind != Kind::Note);
    loaded.find_map(|(i, s)| {
        let r = s.relocs.iter().find(|r| r.sym == symbol)?;
        Some(object.describe(i as u32, r.offset))
    })
}
