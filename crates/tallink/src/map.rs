//! The link map: a text that says what went where, and why.

use crate::diag::show;
use crate::layout::Layout;
use crate::live::Live;
use crate::object::{Kind, Place};
use crate::symbols::{LOCAL, Program};
use std::collections::HashMap;
use std::fmt::Write;

/// Writes the map of a link.
pub(crate) fn map(program: &Program, layout: &Layout, live: &Live) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write(&mut out, program, layout, live);
    out
}

fn write(out: &mut String, program: &Program, layout: &Layout, live: &Live) -> std::fmt::Result {
    writeln!(out, "Inputs\n")?;
    let why: HashMap<u32, _> = program.pulled.iter().map(|p| (p.object, p)).collect();
    for (o, object) in program.objects.iter().enumerate() {
        match why.get(&(o as u32)) {
            None => writeln!(out, "  {}", object.name)?,
            Some(p) => {
                let name = show(program.globals[p.global as usize].name);
                let by = &program.objects[p.by as usize].name;
                writeln!(out, "  {}  because {by} uses `{name}`", object.name)?;
            }
        }
    }

    writeln!(out, "\nSegments\n\n  address    in file at size there in memory  access")?;
    for s in &layout.segments {
        let access = if s.exec {
            "read, execute"
        } else if s.write {
            "read, write"
        } else {
            "read"
        };
        let (addr, offset, file, mem) = (s.addr, s.offset, s.file_size, s.mem_size);
        writeln!(out, "  {addr:#010x} {offset:#010x} {file:#010x} {mem:#010x} {access}")?;
    }

    writeln!(out, "\nSections\n\n  address    size       input, symbol")?;
    for s in &layout.sections {
        writeln!(out, "\n  {:#010x} {:#010x} {}", s.addr, s.size, show(s.name))?;
        for part in &s.parts {
            let object = &program.objects[part.object as usize];
            let section = &object.sections[part.section as usize];
            let addr = s.addr + part.offset;
            let name = show(section.name);
            writeln!(out, "  {addr:#010x} {:#010x}   {}:({name})", section.size, object.name)?;
            if s.kind == Kind::Debug {
                continue;
            }
            for (value, i) in symbols_in(program, part.object, part.section) {
                let symbol = &object.symbols[i as usize];
                let shared = program.global_of[part.object as usize][i as usize] != LOCAL;
                let local = if shared { "" } else { "  (local)" };
                let (at, name) = (addr + value, show(symbol.name));
                writeln!(out, "  {at:#010x} {:#010x}     {name}{local}", symbol.size)?;
            }
        }
    }

    let mut title = "\nLeft out by --gc-sections\n\n";
    for (o, object) in program.objects.iter().enumerate() {
        for (i, s) in object.sections.iter().enumerate() {
            if s.kind.loaded() && s.size > 0 && !live.has(o as u32, i as u32) {
                writeln!(out, "{title}             {:#010x}   {}:({})", s.size, object.name, show(s.name))?;
                title = "";
            }
        }
    }
    Ok(())
}

/// Named symbols of a section by offset.
fn symbols_in(program: &Program, object: u32, section: u32) -> Vec<(u64, u32)> {
    let symbols = program.objects[object as usize].symbols.iter().enumerate();
    let mut found: Vec<(u64, u32)> = symbols
        .filter(|(_, s)| s.place == Place::Section(section) && !s.name.is_empty())
        .map(|(i, s)| (s.value, i as u32))
        .collect();
    found.sort_unstable();
    found
}
