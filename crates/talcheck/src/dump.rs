//! `talcheck dump`: what a file contains, as the checker sees it.
//!
//! Shows programs that load, whether or not their functions are accepted: a function that is rejected is shown up to
//! the instruction that breaks a rule. Names come from symbols and are not to be trusted.

use crate::debuginfo::DebugInfo;
use crate::report::disassembled;
use iced_x86::{Decoder, DecoderOptions};
use std::fmt::Write;
use talcore::annot::Reading;
use talcore::arch::Arch;
use talcore::check::fuel_for;
use talcore::engine::Engine;
use talcore::program::{Function, ObjectKind, Program};
use talcore::types::{Mode, StructId};
use talcore::verdict::Reject;
use talcore::walk::{self, NoGuide};
use talcore::{elf, note};
use talnote::print::Printer;
use talnote::print::state::StatePrinter;

/// The text for a program that was read from this file.
pub(crate) fn dump(name: &str, file: &[u8], program: &Program<'_>) -> String {
    let structs = struct_names(file);
    let info = DebugInfo::new(file);
    let mut d = Dump { file, program, info, structs, out: String::new() };
    d.container(name);
    d.structs();
    d.objects();
    for index in 0..program.functions.len() {
        d.function(index);
    }
    d.out
}

/// The names that notes give to structs, in the order in which the notes' structs are numbered.
fn struct_names(file: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    let Ok(elf) = elf::read(file) else { return names };
    // The interface table of the kernel comes first, as when the program is loaded.
    let mut types = talcore::types::Types::default();
    talcore::abi::Abi::of(elf.arch, &mut types);
    for &(at, desc) in &elf.notes {
        let first = types.structs.len();
        let Ok(note) = note::read(desc, at, &mut types) else { return names };
        names.resize(types.structs.len(), String::new());
        for n in note.names.iter().filter(|n| n.kind == 0) {
            if let Some(name) = names.get_mut(first + n.index as usize) {
                *name = n.text.chars().filter(|c| !c.is_control()).take(200).collect();
            }
        }
    }
    names
}

struct Dump<'a> {
    file: &'a [u8],
    program: &'a Program<'a>,
    info: DebugInfo<'a>,
    structs: Vec<String>,
    out: String,
}

impl Dump<'_> {
    fn line(&mut self, text: impl AsRef<str>) {
        self.out.push_str(text.as_ref().trim_end());
        self.out.push('\n');
    }

    fn printer(&self) -> Printer<'_> {
        Printer {
            types: &self.program.types,
            structs: &self.structs,
            vars: &[],
            word_bits: self.program.arch.word_bits(),
        }
    }

    /// What lies at an address: a name, or the address.
    fn name(&self, address: u64) -> String {
        self.info.symbol(address).map_or_else(|| format!("{address:#x}"), |s| s.to_string())
    }

    fn container(&mut self, name: &str) {
        let p = self.program;
        let architecture = architecture(p.arch);
        self.line(format!(
            "{name}: {architecture}, {} bytes, {} of them notes",
            self.file.len(),
            p.note_bytes
        ));
        self.line("\nsegments");
        for s in &p.segments {
            let rights = match (s.write, s.exec) {
                (true, _) => "read, write",
                (false, true) => "read, execute",
                (false, false) => "read",
            };
            let in_file = s.bytes.len();
            self.line(format!(
                "  {:#x}..{:#x}  {rights}, {in_file} bytes from the file",
                s.addr,
                s.addr + s.size
            ));
        }
        self.line(format!("\ngate slot {:#x}", p.gate));
        for &(address, size) in &p.stubs {
            self.line(format!("stub {address:#x}, {size} bytes"));
        }
        if let Ok(elf) = elf::read(self.file) {
            for (i, (at, desc)) in elf.notes.iter().enumerate() {
                let mut types = talcore::types::Types::default();
                if let Ok(n) = note::read(desc, *at, &mut types) {
                    self.line(format!(
                        "note {i}: {} bytes at +{at:#x}: {} functions, {} objects, {} imports; {} word types, {} layouts, \
                         {} structs, {} signatures",
                        desc.len(), n.functions.len(), n.objects.len(), n.imports.len(), types.words.len(),
                        types.layouts.len(), types.structs.len(), types.sigs.len(),
                    ));
                }
            }
        }
    }

    fn structs(&mut self) {
        let count = self.program.types.structs.len() as u32;
        if count > 0 {
            self.line("\nstructs");
        }
        for id in 0..count {
            let text = self.printer().strukt(StructId(id), &[]);
            self.line(format!("  {text}"));
        }
    }

    fn objects(&mut self) {
        let p = self.program;
        if !p.objects.is_empty() {
            self.line("\nobjects");
        }
        for o in &p.objects {
            let kind = match o.kind {
                ObjectKind::Data(mode, layout) => {
                    let mode = if mode == Mode::Imm { "imm" } else { "ref" };
                    format!("{mode} {}", self.printer().layout(layout))
                }
                ObjectKind::Table(f, n) => {
                    let f = p.functions.get(f as usize).map_or_else(|| "?".into(), |f| self.name(f.addr));
                    format!("jump table of {f}, {n} entries")
                }
            };
            let name = self.name(o.addr);
            self.line(format!("  {:#x}  {:>8} bytes  {name}: {kind}", o.addr, o.size));
        }
    }

    fn function(&mut self, index: usize) {
        let p = self.program;
        let Some(f) = p.functions.get(index) else { return };
        let name = self.name(f.addr);
        let sig = self.printer().sig(f.sig);
        let annotations = f.stream.len();
        self.line(format!("\n{name}: {sig}"));
        self.line(format!("  ; {:#x}, {} bytes, {annotations} bytes of annotations", f.addr, f.size));
        let rejected = walk::check_function(p, index, self.file).err();
        let labels = labels(p, f, self.file);
        let object = |o: u32| p.objects.get(o as usize).map_or_else(|| "?".into(), |o| self.name(o.addr));
        let printer = StatePrinter {
            types: &p.types,
            structs: &self.structs,
            word_bits: p.arch.word_bits(),
            sig_names: &[],
            sig_vars: p.types.sig(f.sig).vars.len(),
            object: &object,
        };
        let mut text = String::new();
        let Ok(code) = walk::code(p, f) else { return };
        let mut decoder = Decoder::with_ip(p.arch.word_bits(), code, f.addr, DecoderOptions::NONE);
        let mut line = None;
        while decoder.can_decode() {
            let at = decoder.ip();
            if let Some(state) = labels.iter().find(|l| l.0 == at - f.addr) {
                let _ = writeln!(text, "{at:x}: label");
                for fact in printer.lines(&state.1) {
                    let _ = writeln!(text, "    ; {fact}");
                }
            }
            let start = decoder.position();
            let instruction = decoder.decode();
            let bytes = code.get(start..decoder.position()).unwrap_or(&[]);
            let hex: String = bytes.iter().map(|b| format!("{b:02x} ")).collect();
            let source = self.info.line(at).filter(|l| Some(l) != line.as_ref());
            let shown = source.as_ref().map_or(String::new(), |l| format!("; {}:{}", l.path, l.line));
            line = source.or(line);
            let _ = writeln!(text, "  {at:x}:  {hex:<24} {:<40} {shown}", disassembled(&instruction));
            if let Some(r) = rejected.as_ref().filter(|r| !r.in_file && r.at == at) {
                text.push_str(&rejection(r));
                break;
            }
        }
        if let Some(r) = rejected.as_ref().filter(|r| r.in_file || r.at < f.addr || r.at >= f.addr + f.size) {
            text.push_str(&rejection(r));
        }
        for l in text.lines() {
            self.line(l);
        }
    }
}

fn rejection(r: &Reject) -> String {
    format!("    ; rejected here: {}: {}\n", taldiag::Code(r.code as u16), r.why)
}

type Labels = Vec<(u64, std::rc::Rc<talcore::state::State>)>;

/// The recorded labels of a function; none if they cannot be read.
fn labels(program: &Program<'_>, function: &Function, file: &[u8]) -> Labels {
    let read = || {
        let stream = file.get(function.stream.clone())?;
        let fuel = fuel_for(function.size.saturating_add(stream.len() as u64));
        let entry = Engine::new(program, function, NoGuide, fuel).ok()?.entry;
        Reading::new(stream, program, function, &entry).ok().map(|r| r.labels().to_vec())
    };
    read().unwrap_or_default()
}

/// The name of an architecture for people.
pub(crate) fn architecture(arch: Arch) -> &'static str {
    match arch {
        Arch::Amd64 => "AMD64",
        Arch::Ia32 => "IA-32",
    }
}
