//! From a file to a verdict.

use crate::abi::Abi;
use crate::annot::TypeBase;
use crate::arch::Arch;
use crate::data;
use crate::elf::{self, Desc};
use crate::eq::{United, same_layout, same_sig, unite_structs, unite_words};
use crate::limits;
use crate::note::{self, Note, NoteImportKind, NoteObject, RoleKind};
use crate::program::{Extern, Function, Object, ObjectKind, Policy, Program, Segment};
use crate::scope;
use crate::shapes::Shapes;
use crate::types::{LayoutId, Mode, Types};
use crate::verdict::{Accept, Code, Reject, Verdict};
use crate::walk;
use crate::x86::decode::is_padding;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// Checks an executable: the whole of what `talcheck` decides.
pub fn check(file: &[u8], policy: Policy) -> Verdict {
    let program = load(file)?.under(policy);
    check_functions(&program, file)
}

/// Checks all functions, in the order of their addresses. They are paid for from one sum.
pub fn check_functions(program: &Program<'_>, file: &[u8]) -> Verdict {
    let mut accept = summary(program);
    let mut workspace = walk::Workspace::default();
    for index in 0..program.functions.len() {
        let stats = walk::check_function_in(&mut workspace, program, index, file)?;
        accept.instructions += stats.instructions;
        accept.labels += stats.labels;
        accept.certificates += stats.certificates;
        accept.steps += stats.steps;
        if accept.steps > program.fuel {
            let at = program.functions.get(index).map_or(0, |f| f.addr);
            return Err(Reject::new(Code::Fuel, at, "all functions up to here take too long together"));
        }
    }
    Ok(accept)
}

/// What an accepted program contains, without what only walking over its functions tells.
pub fn summary(program: &Program<'_>) -> Accept {
    Accept {
        gate: program.gate,
        functions: program.functions.len() as u64,
        code_bytes: program.functions.iter().map(|f| f.size).sum(),
        data_bytes: program.objects.iter().map(|o| o.size).fold(0, u64::saturating_add),
        note_bytes: program.note_bytes,
        ..Accept::default()
    }
}

/// Everything but the functions' code: the container, the notes, the types, the definitions, initial
/// data, and that every executable byte belongs to a function or is padding.
pub fn load(file: &[u8]) -> Result<Program<'_>, Box<Reject>> {
    let elf = elf::read(file)?;
    let mut program = assemble(elf.arch, elf.segments, &elf.notes, false)?;
    entry(&program, elf.entry)?;
    covered(&program)?;
    program.fuel = data::check_objects(&program)?;
    Ok(program)
}

/// A module by itself: its sections at made-up addresses, what it imports at addresses that no
/// segment contains, and the gate slot and the signal restorer at theirs. Its functions are checked against the
/// types of its imports.
pub fn load_module<'a>(
    arch: Arch,
    segments: Vec<Segment<'a>>,
    notes: &[Desc<'a>],
    (gate, restorer): (u64, u64),
) -> Result<Program<'a>, Box<Reject>> {
    let mut program = assemble(arch, segments, notes, true)?;
    program.gate = gate;
    program.restorer = Some(restorer).filter(|r| *r != 0);
    program.fuel = data::check_objects(&program)?;
    Ok(program)
}

/// The gate's parts by role.
#[derive(Default)]
struct Roles {
    gate: Option<u64>,
    stub: Option<u64>,
    restorer: Option<u64>,
}

fn assemble<'a>(
    arch: Arch,
    segments: Vec<Segment<'a>>,
    descs: &[Desc<'a>],
    module: bool,
) -> Result<Program<'a>, Box<Reject>> {
    let mut types = Types::default();
    let abi = Abi::of(arch, &mut types);
    let mut notes = Vec::with_capacity(descs.len());
    let mut bases = Vec::with_capacity(descs.len());
    for &(at, desc) in descs {
        let before = counts(&types);
        let note = note::read(desc, at, &mut types)
            .map_err(|b| Reject::new(Code::Note, (at + b.0) as u64, "the note cannot be read").in_file())?;
        if note.arch != arch {
            let why = match arch {
                Arch::Amd64 => "the note is for IA-32, the file for AMD64",
                Arch::Ia32 => "the note is for AMD64, the file for IA-32",
            };
            return Err(Reject::new(Code::Note, at as u64, why).in_file());
        }
        let after = counts(&types);
        bases.push(TypeBase {
            words: (before.0, after.0),
            layouts: (before.1, after.1),
            sigs: (before.2, after.2),
        });
        notes.push(note);
    }
    scope::brands(&types, &notes, module)?;
    let shapes =
        Shapes::of(&mut types, arch).map_err(|why| Reject::new(Code::IllFormedType, 0, why).in_file())?;
    let note_bytes: u64 = descs.iter().map(|d| d.1.len() as u64).sum();
    unite_structs(&mut types, note_bytes.saturating_mul(limits::UNITE_STEPS_PER_BYTE));
    let words = bases.first().map_or(0, |b: &TypeBase| b.words.0)..bases.last().map_or(0, |b| b.words.1);
    let United { first: codes, views } =
        unite_words(&mut types, note_bytes.saturating_mul(limits::UNITE_STEPS_PER_BYTE), words);
    let owners = crate::program::owners(&types);
    let loaded: u64 = segments.iter().map(|s| s.bytes.len() as u64).sum();
    let mut program = Program {
        arch,
        policy: Policy::default(),
        fuel: limits::FILE_FUEL_BASE.saturating_add(limits::FILE_FUEL_PER_BYTE.saturating_mul(loaded)),
        segments,
        types,
        functions: Vec::new(),
        objects: Vec::new(),
        externs: Vec::new(),
        gate: 0,
        restorer: None,
        note_bytes,
        stubs: Vec::new(),
        abi,
        shapes,
        codes,
        views,
        owners,
        scopes: Vec::new(),
    };
    let mut roles = Roles::default();
    define(&mut program, &notes, &mut roles)?;
    functions(&mut program, &notes, &bases)?;
    if module {
        externs(&mut program, &notes);
    } else {
        gate(&mut program, &roles)?;
    }
    disjoint(&program)?;
    imports(&program, &notes)?;
    program.scopes = scope::scopes(&program, &notes, &bases);
    Ok(program)
}

fn counts(t: &Types) -> (u32, u32, u32) {
    (t.words.len() as u32, t.layouts.len() as u32, t.sigs.len() as u32)
}

/// Collects objects and roles. Objects lie in memory of their mode: imm where nobody can write,
/// shared where the program can.
fn define(program: &mut Program<'_>, notes: &[Note<'_>], roles: &mut Roles) -> Result<(), Box<Reject>> {
    let word = u64::from(program.arch.word_bytes());
    let mut tables = Vec::new();
    for (n, note) in notes.iter().enumerate() {
        for o in &note.objects {
            match *o {
                NoteObject::Data(addr, mode, layout) => {
                    let size = program.shapes.size(layout).and_then(|s| s.as_const());
                    let size = size.and_then(|s| u64::try_from(s).ok()).filter(|s| *s > 0);
                    let Some(size) = size.filter(|s| i128::from(*s) <= program.arch.max_object()) else {
                        return Err(Reject::new(
                            Code::Overlap,
                            addr,
                            "an object without a constant, positive size",
                        ));
                    };
                    let placed = program
                        .segment(addr, size)
                        .is_some_and(|s| !s.exec && s.write == (mode != Mode::Imm));
                    if !placed {
                        return Err(Reject::new(
                            Code::Overlap,
                            addr,
                            "an object outside the memory of its mode",
                        ));
                    }
                    program.objects.push(Object {
                        addr,
                        size,
                        kind: ObjectKind::Data(mode, layout),
                        scope: n as u32,
                    });
                }
                NoteObject::Table(addr, function, count) => {
                    let f = note.functions.get(function as usize).map(|f| f.addr);
                    let size = count.checked_mul(word).filter(|s| *s > 0);
                    let (Some(f), Some(size)) = (f, size) else {
                        return Err(Reject::new(
                            Code::JumpTable,
                            addr,
                            "a jump table without entries or function",
                        ));
                    };
                    if program.segment(addr, size).is_none_or(|s| s.exec || s.write) || addr % word != 0 {
                        return Err(Reject::new(
                            Code::JumpTable,
                            addr,
                            "a jump table outside read-only memory",
                        ));
                    }
                    tables.push((program.objects.len(), f));
                    program.objects.push(Object {
                        addr,
                        size,
                        kind: ObjectKind::Table(n as u32, count),
                        scope: n as u32,
                    });
                }
            }
        }
        for &(kind, addr) in &note.roles {
            let slot = match kind {
                RoleKind::Gate => &mut roles.gate,
                RoleKind::Stub => &mut roles.stub,
                RoleKind::Restorer => &mut roles.restorer,
            };
            if slot.replace(addr).is_some() {
                return Err(Reject::new(Code::Roles, addr, "a role is there twice"));
            }
        }
    }
    // Tables name their function by address until functions have their numbers.
    let mut addrs: Vec<u64> = notes.iter().flat_map(|n| n.functions.iter().map(|f| f.addr)).collect();
    addrs.sort_unstable();
    for (i, f) in tables {
        if let (Some(o), Ok(index)) = (program.objects.get_mut(i), addrs.binary_search(&f))
            && let ObjectKind::Table(_, count) = o.kind
        {
            o.kind = ObjectKind::Table(index as u32, count);
        }
    }
    program.objects.sort_by_key(|o| o.addr);
    Ok(())
}

fn functions(program: &mut Program<'_>, notes: &[Note<'_>], bases: &[TypeBase]) -> Result<(), Box<Reject>> {
    for ((note, base), scope) in notes.iter().zip(bases).zip(0..) {
        for f in &note.functions {
            let placed = program.segment(f.addr, f.size).is_some_and(|s| {
                s.exec && u64::try_from(s.bytes.len()).is_ok_and(|n| f.addr - s.addr + f.size <= n)
            });
            if !placed {
                return Err(Reject::new(Code::Overlap, f.addr, "a function outside executable memory"));
            }
            program.functions.push(Function {
                addr: f.addr,
                size: f.size,
                sig: f.sig,
                stream: f.stream.clone(),
                scope,
                types: *base,
            });
        }
    }
    program.functions.sort_by_key(|f| f.addr);
    Ok(())
}

/// For a module alone: what it imports exists as declared.
fn externs(program: &mut Program<'_>, notes: &[Note<'_>]) {
    for (scope, import) in
        notes.iter().zip(0..).flat_map(|(n, i)| n.imports.iter().map(move |import| (i, import)))
    {
        match import.kind {
            NoteImportKind::Function(sig) => {
                if program.functions.binary_search_by_key(&import.addr, |f| f.addr).is_err() {
                    program.externs.push(Extern { addr: import.addr, sig });
                }
            }
            kind => {
                let Some((mode, l)) = kind.object() else { continue };
                let size =
                    program.shapes.size(l).and_then(|s| s.as_const()).and_then(|s| u64::try_from(s).ok());
                program.objects.push(Object {
                    addr: import.addr,
                    size: size.unwrap_or(1).max(1),
                    kind: ObjectKind::Data(mode, l),
                    scope,
                });
            }
        }
    }
    program.objects.sort_by_key(|o| o.addr);
    program.externs.sort_by_key(|e| e.addr);
    program.externs.dedup_by_key(|e| e.addr);
}

/// `syscall; ret` or `int 0x80; ret`: what the gate slot leads to in user mode.
pub const fn stub_bytes(arch: Arch) -> &'static [u8] {
    match arch {
        Arch::Amd64 => &[0x0f, 0x05, 0xc3],
        Arch::Ia32 => &[0xcd, 0x80, 0xc3],
    }
}

/// `mov eax, rt_sigreturn; syscall`: where signal handlers return to.
pub const fn restorer_bytes(arch: Arch) -> &'static [u8] {
    match arch {
        Arch::Amd64 => &[0xb8, 0x0f, 0, 0, 0, 0x0f, 0x05],
        Arch::Ia32 => &[0xb8, 0xad, 0, 0, 0, 0xcd, 0x80],
    }
}

/// Exactly one gate slot, stub and restorer; the slot is a read-only word that holds the stub's
/// address, and both stubs are the canonical bytes.
fn gate(program: &mut Program<'_>, roles: &Roles) -> Result<(), Box<Reject>> {
    let bad = |at, why| Reject::new(Code::Roles, at, why);
    let (Some(gate), Some(stub), Some(restorer)) = (roles.gate, roles.stub, roles.restorer) else {
        return Err(bad(0, "the gate slot, the user-mode stub or the signal restorer is missing"));
    };
    let word = u64::from(program.arch.word_bytes());
    let placed = program.segment(gate, word).is_some_and(|s| !s.write && !s.exec);
    if gate % word != 0 || !placed {
        return Err(bad(gate, "the gate slot is not an aligned word of read-only memory"));
    }
    if program.initial_word(gate) != Some(stub) {
        return Err(bad(gate, "the gate slot does not hold the address of the stub"));
    }
    for (addr, bytes) in [(stub, stub_bytes(program.arch)), (restorer, restorer_bytes(program.arch))] {
        let here = program.segment(addr, bytes.len() as u64).filter(|s| s.exec);
        if here.and_then(|s| s.bytes_at(addr).get(..bytes.len())) != Some(bytes) {
            return Err(bad(addr, "the stub is not the canonical code"));
        }
        program.stubs.push((addr, bytes.len() as u64));
    }
    program.stubs.sort_unstable();
    program.gate = gate;
    program.restorer = Some(restorer);
    Ok(())
}

/// No two definitions share a byte.
fn disjoint(program: &Program<'_>) -> Result<(), Box<Reject>> {
    let word = u64::from(program.arch.word_bytes());
    let mut ranges: Vec<(u64, u64)> = program.functions.iter().map(|f| (f.addr, f.size)).collect();
    ranges.extend(program.objects.iter().map(|o| (o.addr, o.size)));
    ranges.extend(program.stubs.iter().copied());
    if program.gate != 0 {
        ranges.push((program.gate, word));
    }
    ranges.sort_unstable();
    for pair in ranges.windows(2) {
        if let [(a, n), (b, _)] = pair
            && a.saturating_add(*n) > *b
        {
            return Err(Reject::new(Code::Overlap, *b, "two definitions overlap"));
        }
    }
    Ok(())
}

/// Steps that comparing imports with their definitions may take for each byte of the notes.
const IMPORT_STEPS_PER_BYTE: u64 = 64;

/// What a note imports is defined, at an equal type.
fn imports(program: &Program<'_>, notes: &[Note<'_>]) -> Result<(), Box<Reject>> {
    let fuel = &mut (limits::FUEL_BASE + IMPORT_STEPS_PER_BYTE * program.note_bytes);
    for import in notes.iter().flat_map(|n| &n.imports) {
        let same = match import.kind {
            NoteImportKind::Function(sig) => match program.sig_at(import.addr) {
                Some(found) => same_sig(&program.types, sig, found, fuel),
                None => return Err(Reject::new(Code::Undefined, import.addr, "no function is defined here")),
            },
            // Their names have been compared.
            NoteImportKind::Abstract(_) | NoteImportKind::Exported(_) => true,
            kind => match kind.object() {
                Some((mode, l)) => same_object(program, import.addr, mode, l, fuel)?,
                None => false,
            },
        };
        if *fuel == 0 {
            return Err(Reject::new(
                Code::Fuel,
                import.addr,
                "comparing the types of imports takes too long",
            ));
        }
        if !same {
            return Err(Reject::new(
                Code::ImportType,
                import.addr,
                "imported at another type than it is defined with",
            ));
        }
    }
    Ok(())
}

fn same_object(
    program: &Program<'_>,
    addr: u64,
    mode: Mode,
    layout: LayoutId,
    fuel: &mut u64,
) -> Result<bool, Box<Reject>> {
    match program.object_at(addr).and_then(|(i, off)| (off == 0).then(|| program.objects.get(i as usize))?) {
        Some(Object { kind: ObjectKind::Data(m, l), .. }) => {
            Ok(*m == mode && same_layout(&program.types, layout, *l, fuel))
        }
        _ => Err(Reject::new(Code::Undefined, addr, "no object is defined here")),
    }
}

/// The entry point is the one function of type `start`.
fn entry(program: &Program<'_>, entry: u64) -> Result<(), Box<Reject>> {
    let mut found = false;
    for f in program.functions.iter().filter(|f| program.types.sig(f.sig).start) {
        if f.addr != entry {
            return Err(Reject::new(
                Code::Entry,
                f.addr,
                "a function of type `start` that is not the entry point",
            ));
        }
        found = true;
    }
    if !found {
        return Err(Reject::new(Code::Entry, entry, "the entry point is not a function of type `start`"));
    }
    Ok(())
}

/// Every executable byte is inside a function or a stub, or is padding: whole `int3` and canonical
/// `nop` instructions between them.
fn covered(program: &Program<'_>) -> Result<(), Box<Reject>> {
    let mut pieces: Vec<(u64, u64)> = program.functions.iter().map(|f| (f.addr, f.size)).collect();
    pieces.extend(program.stubs.iter().copied());
    pieces.sort_unstable();
    for s in program.segments.iter().filter(|s| s.exec) {
        let end = s.addr + s.size;
        let mut at = s.addr;
        let first = pieces.partition_point(|p| p.0 < s.addr);
        for &(addr, size) in pieces.get(first..).unwrap_or(&[]).iter().take_while(|p| p.0 < end) {
            padding(program, s, at, addr)?;
            at = addr + size;
        }
        padding(program, s, at, end)?;
    }
    Ok(())
}

fn padding(program: &Program<'_>, s: &Segment<'_>, mut at: u64, end: u64) -> Result<(), Box<Reject>> {
    while at < end {
        let room = usize::try_from(end - at).unwrap_or(usize::MAX);
        let bytes = s.bytes_at(at);
        let bytes = bytes.get(..room.min(bytes.len())).unwrap_or(&[]);
        match is_padding(program.arch, bytes) {
            Some(n) if n > 0 && n <= room => at += n as u64,
            _ => return Err(Reject::new(Code::Uncovered, at, "executable bytes that belong to no function")),
        }
    }
    Ok(())
}

/// The most that may be asked for one function or object of so many bytes. (All of them together get what
/// [`Program::fuel`] says.)
pub const fn fuel_for(bytes: u64) -> u64 {
    limits::FUEL_BASE.saturating_add(limits::FUEL_PER_BYTE.saturating_mul(bytes))
}
