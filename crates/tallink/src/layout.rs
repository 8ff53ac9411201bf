//! Where everything goes: sections to segments, addresses, file offsets.
//!
//! Three loaded segments with a page of their own each: read-only (headers, notes, constants),
//! executable, writable. Everything lies below 2 GiB, so that code may use addresses as 32-bit
//! constants of either sign.

use crate::arch::Class;
use crate::diag::{self, Diagnostic};
use crate::live::Live;
use crate::object::{Kind, Place};
use crate::symbols::{LOCAL, Program};
use std::collections::HashMap;

/// Where the image starts.
pub(crate) const BASE: u64 = 0x40_0000;
/// The first address behind all images: 2 GiB.
pub(crate) const END: u64 = 1 << 31;
/// The unit of protection, in bytes.
pub(crate) const PAGE: u64 = 4096;
/// Sections in one output file: section numbers have 16 bits, and some are reserved.
const MOST_SECTIONS: usize = 0xf000;
/// Program headers: three loaded segments, the notes, the stack.
pub(crate) const MOST_SEGMENTS: u64 = 5;

/// A section of the output.
#[derive(Debug)]
pub(crate) struct OutSection<'a> {
    /// Name.
    pub(crate) name: &'a [u8],
    /// What it holds.
    pub(crate) kind: Kind,
    /// Address; 0 if it is not loaded.
    pub(crate) addr: u64,
    /// Offset in the file.
    pub(crate) offset: u64,
    /// Size in bytes.
    pub(crate) size: u64,
    /// Alignment in bytes.
    pub(crate) align: u64,
    /// Consists of NUL-terminated strings.
    pub(crate) strings: bool,
    /// The input sections in order.
    pub(crate) parts: Vec<Part>,
}

/// An input section in an output section.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    /// The object.
    pub(crate) object: u32,
    /// The section.
    pub(crate) section: u32,
    /// Offset in the output section.
    pub(crate) offset: u64,
}

/// A loaded segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Segment {
    /// Address.
    pub addr: u64,
    /// Offset in the file, congruent to the address modulo the page size.
    pub offset: u64,
    /// Bytes in the file.
    pub file_size: u64,
    /// Bytes in memory.
    pub mem_size: u64,
    /// May be written.
    pub write: bool,
    /// May be executed.
    pub exec: bool,
}

/// Where everything goes.
#[derive(Debug)]
pub(crate) struct Layout<'a> {
    /// Sections in the order of the file.
    pub(crate) sections: Vec<OutSection<'a>>,
    /// Loaded segments in the order of addresses.
    pub(crate) segments: Vec<Segment>,
    /// For each object, for each section, the index of its output section and its offset there,
    /// or `None` if it is not in the output.
    placed: Vec<Vec<Option<(u32, u64)>>>,
    /// For each object, for each symbol, its address (or offset in a section that is not
    /// loaded), or `None` if it is in no section of the output.
    symbols: Vec<Vec<Option<u64>>>,
    /// Bytes of the file up to the end of the last section.
    pub(crate) file_size: u64,
}

impl<'a> Layout<'a> {
    /// Lays out the live sections. Undefined names get the addresses of `fakes`, by shared name.
    pub(crate) fn new(program: &Program<'a>, live: &Live, fakes: &[u64]) -> Result<Layout<'a>, Diagnostic> {
        let class = program.objects.first().map_or(Class::Elf64, |o| o.arch.class);
        let mut sections = collect(program, live);
        if sections.len() > MOST_SECTIONS {
            let message = "the inputs have too many sections of different names";
            return Err(Diagnostic::general(diag::TOO_LARGE, message));
        }
        let (segments, file_size) = place(&mut sections, class)?;
        let mut placed: Vec<Vec<Option<(u32, u64)>>> =
            program.objects.iter().map(|o| vec![None; o.sections.len()]).collect();
        for (i, out) in sections.iter().enumerate() {
            for part in &out.parts {
                placed[part.object as usize][part.section as usize] = Some((i as u32, part.offset));
            }
        }
        let mut layout = Layout { sections, segments, placed, symbols: Vec::new(), file_size };
        layout.symbols = layout.addresses(program, fakes);
        Ok(layout)
    }

    /// The address of a byte of an input section, if that is in the output.
    pub(crate) fn address(&self, object: u32, section: u32, offset: u64) -> Option<u64> {
        let (out, at) = self.placed[object as usize][section as usize]?;
        Some(self.sections[out as usize].addr.wrapping_add(at).wrapping_add(offset))
    }

    /// The output section of an input section.
    pub(crate) fn out_section(&self, object: u32, section: u32) -> Option<u32> {
        self.placed[object as usize][section as usize].map(|(out, _)| out)
    }

    /// The address of a symbol; `None` if it is in no section of the output or nowhere.
    pub(crate) fn symbol(&self, object: u32, symbol: u32) -> Option<u64> {
        self.symbols[object as usize][symbol as usize]
    }

    fn addresses(&self, program: &Program, fakes: &[u64]) -> Vec<Vec<Option<u64>>> {
        let own = |object: u32, symbol: u32| {
            let s = &program.objects[object as usize].symbols[symbol as usize];
            match s.place {
                Place::Section(section) => self.address(object, section, s.value),
                Place::Absolute => Some(s.value),
                Place::Undefined => None,
            }
        };
        let global = |id: u32| match program.globals[id as usize].def {
            Some(def) => own(def.object, def.symbol),
            None => fakes.get(id as usize).copied(),
        };
        let of = |object: u32| {
            let ids = program.global_of[object as usize].iter().enumerate();
            ids.map(|(i, &id)| if id == LOCAL { own(object, i as u32) } else { global(id) }).collect()
        };
        (0..program.objects.len() as u32).map(of).collect()
    }
}

/// Gathers input sections into output sections.
fn collect<'a>(program: &Program<'a>, live: &Live) -> Vec<OutSection<'a>> {
    const LOADED: [(Kind, &[u8]); 5] = [
        (Kind::Note, b".note.tal"),
        (Kind::Rodata, b".rodata"),
        (Kind::Text, b".text"),
        (Kind::Data, b".data"),
        (Kind::Bss, b".bss"),
    ];
    let new = |kind, name| OutSection {
        name,
        kind,
        addr: 0,
        offset: 0,
        size: 0,
        align: 1,
        strings: false,
        parts: Vec::new(),
    };
    let mut out: Vec<OutSection<'a>> = LOADED.iter().map(|&(kind, name)| new(kind, name)).collect();
    let mut others: HashMap<&[u8], usize> = HashMap::new();
    for (o, object) in program.objects.iter().enumerate() {
        for (i, s) in object.sections.iter().enumerate() {
            if s.kind == Kind::Skip || !live.has(o as u32, i as u32) {
                continue;
            }
            let at = match LOADED.iter().position(|&(kind, _)| kind == s.kind) {
                Some(at) => at,
                None => *others.entry(s.name).or_insert_with(|| {
                    out.push(OutSection { strings: s.strings, ..new(s.kind, s.name) });
                    out.len() - 1
                }),
            };
            out[at].strings &= s.strings;
            out[at].align = out[at].align.max(s.align);
            out[at].parts.push(Part { object: o as u32, section: i as u32, offset: s.size });
        }
    }
    // `offset` holds the size until here; now it becomes the offset.
    for section in &mut out {
        for part in &mut section.parts {
            let align = program.objects[part.object as usize].sections[part.section as usize].align;
            let size = part.offset;
            // Sizes are at most the files' sizes, except for bss; saturation is found by `place`.
            part.offset = section.size.checked_next_multiple_of(align).unwrap_or(u64::MAX);
            section.size = part.offset.saturating_add(size);
        }
    }
    out.retain(|s| !s.parts.is_empty() && (s.size > 0 || s.kind.loaded()));
    out
}

/// Gives addresses and file offsets to output sections; the loaded segments and the file's size.
fn place(sections: &mut [OutSection], class: Class) -> Result<(Vec<Segment>, u64), Diagnostic> {
    let too_large = |what: &str| {
        Diagnostic::general(diag::TOO_LARGE, format!("the program {what}"))
            .help("a program must lie below 2 GiB, with a file of at most 1 GiB")
    };
    let limit = talcore::limits::FILE_BYTES as u64;
    let (header, entry) = match class {
        Class::Elf32 => (52, 32),
        Class::Elf64 => (64, 56),
    };
    let mut segments = Vec::new();
    // File offset and address of the next free byte.
    let mut offset = header + MOST_SEGMENTS * entry;
    let mut addr = BASE + offset;
    let groups: [(&[Kind], bool, bool); 3] = [
        (&[Kind::Note, Kind::Rodata], false, false),
        (&[Kind::Text], false, true),
        (&[Kind::Data, Kind::Bss], true, false),
    ];
    for (kinds, write, exec) in groups {
        let first = !write && !exec;
        let mut members: Vec<_> = sections.iter_mut().filter(|s| kinds.contains(&s.kind)).collect();
        let start = if first {
            (BASE, 0)
        } else if members.iter().all(|s| s.size == 0) {
            // Symbols in empty sections still have an address, but there is nothing to load.
            members.iter_mut().for_each(|s| (s.addr, s.offset) = (addr, offset));
            continue;
        } else {
            offset = offset.next_multiple_of(PAGE);
            addr = addr.next_multiple_of(PAGE);
            (addr, offset)
        };
        for s in &mut members {
            addr = addr.next_multiple_of(s.align);
            if s.kind != Kind::Bss {
                offset = start.1 + (addr - start.0);
            }
            (s.addr, s.offset) = (addr, offset);
            addr = addr
                .checked_add(s.size)
                .filter(|&end| end <= END)
                .ok_or_else(|| too_large("does not fit below 2 GiB in memory"))?;
            if s.kind != Kind::Bss {
                offset += s.size;
            }
        }
        let (file_size, mem_size) = (offset - start.1, addr - start.0);
        segments.push(Segment { addr: start.0, offset: start.1, file_size, mem_size, write, exec });
    }
    for s in sections.iter_mut().filter(|s| !s.kind.loaded()) {
        offset = offset.checked_next_multiple_of(s.align).unwrap_or(u64::MAX);
        s.offset = offset;
        offset = offset.saturating_add(s.size);
    }
    if offset > limit {
        return Err(too_large("makes a file larger than 1 GiB"));
    }
    Ok((segments, offset))
}
