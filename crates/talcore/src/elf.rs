//! Executables as the kernel would map them: the ELF header and the program headers, nothing else.
//!
//! Section headers, symbols and everything beyond are never looked at. What an accepted file looks
//! like is section 13 of the type system.

use crate::arch::Arch;
use crate::limits;
use crate::program::Segment;
use crate::reader::Reader;
use crate::verdict::{Code, Reject};
use alloc::boxed::Box;
use alloc::vec::Vec;

const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const PT_INTERP: u32 = 3;
const PT_NOTE: u32 = 4;
const PT_SHLIB: u32 = 5;
const PT_PHDR: u32 = 6;
const PT_TLS: u32 = 7;
const PT_GNU_STACK: u32 = 0x6474_e551;
const PT_GNU_PROPERTY: u32 = 0x6474_e553;
const PF_X: u32 = 1;
const PF_W: u32 = 2;
const PF_R: u32 = 4;
/// The smallest page of the architectures.
const PAGE: u64 = 4096;

/// A program header.
#[derive(Clone, Copy, Debug)]
struct Header {
    kind: u32,
    flags: u32,
    offset: u64,
    vaddr: u64,
    filesz: u64,
    memsz: u64,
    align: u64,
    /// Where it lies in the file.
    at: u64,
}

/// A descriptor of a TAL note: its offset in the file, and its bytes.
pub type Desc<'a> = (usize, &'a [u8]);

/// An executable's view from its program headers.
#[derive(Clone, Debug)]
pub struct Elf<'a> {
    /// The architecture.
    pub arch: Arch,
    /// The address of the first instruction.
    pub entry: u64,
    /// The loaded segments, by address.
    pub segments: Vec<Segment<'a>>,
    /// The descriptors of the TAL notes, in order.
    pub notes: Vec<Desc<'a>>,
}

/// Reads and checks the container.
pub fn read(file: &[u8]) -> Result<Elf<'_>, Box<Reject>> {
    container(file).map_err(Reject::in_file)
}

fn container(file: &[u8]) -> Result<Elf<'_>, Box<Reject>> {
    if file.len() > limits::FILE_BYTES {
        return Err(Reject::new(Code::Limit, 0, "the file is larger than 1 GiB"));
    }
    let arch = identify(file)?;
    let (entry, headers) = headers(file, arch)?;
    let mut segments: Vec<Segment<'_>> = Vec::new();
    let mut stack = false;
    for h in &headers {
        match h.kind {
            PT_LOAD => segments.push(segment(file, h, segments.last(), arch)?),
            PT_GNU_STACK if stack => {
                return Err(Reject::new(Code::ExecStack, h.at, "PT_GNU_STACK is there twice"));
            }
            PT_GNU_STACK => {
                if h.flags & PF_X != 0 {
                    return Err(Reject::new(
                        Code::ExecStack,
                        h.at,
                        "PT_GNU_STACK asks for an executable stack",
                    ));
                }
                stack = true;
            }
            PT_INTERP => return Err(Reject::new(Code::Dynamic, h.at, "the file asks for an interpreter")),
            PT_DYNAMIC => return Err(Reject::new(Code::Dynamic, h.at, "the file has a dynamic section")),
            PT_TLS => return Err(Reject::new(Code::Dynamic, h.at, "the file has thread-local storage")),
            PT_SHLIB => return Err(Reject::new(Code::Segment, h.at, "a program header of a reserved type")),
            PT_NOTE | PT_PHDR | 0 | PT_GNU_PROPERTY => {}
            // Other types are for tools; the kernel does not map them.
            _ => {}
        }
    }
    if !stack {
        return Err(Reject::new(Code::ExecStack, 0, "without PT_GNU_STACK the stack would be executable"));
    }
    let notes = notes(file, &headers, arch)?;
    Ok(Elf { arch, entry, segments, notes })
}

fn identify(file: &[u8]) -> Result<Arch, Box<Reject>> {
    let not = |why| Reject::new(Code::NotElf, 0, why);
    let ident = file.get(..16).ok_or_else(|| not("the file is too short for an ELF header"))?;
    if ident.get(..4) != Some(b"\x7fELF") {
        return Err(not("the file does not start with the ELF magic number"));
    }
    let machine = file.get(18..20).ok_or_else(|| not("the file is too short for an ELF header"))?;
    match (ident.get(4..7), machine) {
        (Some([2, 1, 1]), [62, 0]) => Ok(Arch::Amd64),
        (Some([1, 1, 1]), [3, 0]) => Ok(Arch::Ia32),
        // The kernel runs such a file in 64-bit mode with pointers of 32 bits (x32), or not at all.
        (Some([1, 1, 1]), [62, 0]) => Err(not(
            "the class is that of 32 bits, the machine is AMD64: an x32 file, which is neither AMD64 nor IA-32",
        )),
        (Some([2, 1, 1]), [3, 0]) => Err(not("the class is that of 64 bits, but the machine is IA-32")),
        (Some([1 | 2, 2, _]), _) => Err(not("the file is big-endian; AMD64 and IA-32 are little-endian")),
        (Some([1 | 2, 1, 1]), _) => Err(not("the machine is neither AMD64 nor IA-32")),
        _ => {
            Err(not("the class, byte order or version of the ELF header is not one that AMD64 or IA-32 has"))
        }
    }
}

fn headers(file: &[u8], arch: Arch) -> Result<(u64, Vec<Header>), Box<Reject>> {
    let bad = |at: u64, why| Reject::new(Code::Header, at, why);
    let word = arch.word_bytes() as usize;
    let mut r = Reader::new(file.get(16..).unwrap_or(&[]));
    let mut read = || {
        let kind = r.u16()?;
        r.u16()?;
        let version = r.u32()?;
        let entry = r.word(word)?;
        let phoff = r.word(word)?;
        r.word(word)?;
        r.u32()?;
        let ehsize = r.u16()?;
        Some((kind, version, entry, phoff, ehsize, r.u16()?, r.u16()?))
    };
    let Some((kind, version, entry, phoff, ehsize, phentsize, phnum)) = read() else {
        return Err(bad(16, "the ELF header is cut off"));
    };
    if kind != 2 {
        return Err(bad(16, "only executables of type ET_EXEC are checked"));
    }
    let (eh, ph) = match arch {
        Arch::Amd64 => (64, 56),
        Arch::Ia32 => (52, 32),
    };
    if version != 1 || ehsize != eh || phentsize != ph {
        return Err(bad(20, "the version or the size of a header is wrong"));
    }
    if phnum == 0 || usize::from(phnum) > limits::PROGRAM_HEADERS {
        return Err(bad(16, "there are no program headers, or more than 64"));
    }
    let size = usize::from(phnum) * usize::from(ph);
    let table = usize::try_from(phoff).ok().and_then(|o| file.get(o..)?.get(..size));
    let Some(table) = table else {
        return Err(bad(32, "the program headers lie outside the file"));
    };
    let mut r = Reader::new(table);
    let mut list = Vec::with_capacity(usize::from(phnum));
    for _ in 0..phnum {
        let at = phoff + r.position() as u64;
        match header(&mut r, arch, at) {
            Some(h) => list.push(h),
            None => return Err(bad(at, "a program header is cut off")),
        }
    }
    Ok((entry, list))
}

fn header(r: &mut Reader<'_>, arch: Arch, at: u64) -> Option<Header> {
    let word = arch.word_bytes() as usize;
    let kind = r.u32()?;
    let mut flags = if arch == Arch::Amd64 { r.u32()? } else { 0 };
    let offset = r.word(word)?;
    let vaddr = r.word(word)?;
    r.word(word)?;
    let filesz = r.word(word)?;
    let memsz = r.word(word)?;
    if arch == Arch::Ia32 {
        flags = r.u32()?;
    }
    Some(Header { kind, flags, offset, vaddr, filesz, memsz, align: r.word(word)?, at })
}

fn page_up(x: u64) -> Option<u64> {
    Some(x.checked_add(PAGE - 1)? / PAGE * PAGE)
}

/// A PT_LOAD, checked against the one before it.
fn segment<'a>(
    file: &'a [u8],
    h: &Header,
    before: Option<&Segment<'a>>,
    arch: Arch,
) -> Result<Segment<'a>, Box<Reject>> {
    let bad = |why| Reject::new(Code::Segment, h.at, why);
    let (write, exec) = (h.flags & PF_W != 0, h.flags & PF_X != 0);
    if h.flags & !(PF_R | PF_W | PF_X) != 0 || h.flags & PF_R == 0 {
        return Err(bad("a segment that cannot be read, or with unknown permissions"));
    }
    if write && exec {
        return Err(bad("a segment that is writable and executable"));
    }
    if h.memsz == 0 || h.filesz > h.memsz {
        return Err(bad("the sizes of a segment contradict each other"));
    }
    if h.filesz < h.memsz && !write {
        return Err(bad("only a writable segment may be larger in memory than in the file"));
    }
    if h.offset % PAGE != h.vaddr % PAGE || (h.align > 1 && !h.align.is_power_of_two()) {
        return Err(bad("the address and the file offset of a segment differ within a page"));
    }
    let end = h.vaddr.checked_add(h.memsz).and_then(page_up).ok_or_else(|| bad("a segment wraps around"))?;
    // The stack lies near the top. Where a segment's zeroed part meets it, kernels give up the stack
    // and go on with zeros, so segments stay far below.
    let top = match arch {
        Arch::Amd64 => 1 << 46,
        Arch::Ia32 => 0x8000_0000,
    };
    if h.vaddr < limits::LOWEST_ADDRESS || end > top {
        return Err(bad("a segment does not lie between 64 KiB and the part of memory that has the stack"));
    }
    if let Some(before) = before {
        let last = page_up(before.addr + before.size).unwrap_or(u64::MAX);
        if h.vaddr / PAGE * PAGE < last {
            return Err(bad("segments overlap, share a page or are not in order"));
        }
    }
    let start = usize::try_from(h.offset).ok();
    let size = usize::try_from(h.filesz).ok();
    let bytes = start.zip(size).and_then(|(s, n)| file.get(s..)?.get(..n));
    let bytes = bytes.ok_or_else(|| bad("a segment lies outside the file"))?;
    Ok(Segment { addr: h.vaddr, bytes, size: h.memsz, write, exec })
}

/// The TAL notes of all PT_NOTE headers. They lie in segments that the program cannot write.
fn notes<'a>(file: &'a [u8], headers: &[Header], arch: Arch) -> Result<Vec<Desc<'a>>, Box<Reject>> {
    let mut found = Vec::new();
    // Headers may describe the same bytes again and again.
    let mut left = file.len() as u64;
    for h in headers.iter().filter(|h| h.kind == PT_NOTE) {
        let bad = |at: u64, why| Reject::new(Code::Note, at, why);
        left = left.checked_sub(h.filesz).ok_or_else(|| bad(h.at, "the notes are larger than the file"))?;
        let end = h.offset.checked_add(h.filesz);
        let inside = end.is_some_and(|end| {
            headers.iter().any(|s| {
                s.kind == PT_LOAD
                    && s.flags & PF_W == 0
                    && h.offset >= s.offset
                    && end <= s.offset.saturating_add(s.filesz)
                    && h.vaddr.wrapping_sub(s.vaddr) == h.offset - s.offset
            })
        });
        if !inside {
            return Err(bad(h.at, "the notes do not lie in a read-only segment"));
        }
        let start = h.offset as usize;
        let bytes = file.get(start..).and_then(|b| b.get(..h.filesz as usize));
        let bytes = bytes.ok_or_else(|| bad(h.at, "the notes lie outside the file"))?;
        let align = if h.align == 8 { 8 } else { 4 };
        read_notes(bytes, start, align, &mut found, arch)?;
    }
    if found.is_empty() {
        return Err(Reject::new(Code::NoNote, 0, "the file carries no TAL note"));
    }
    Ok(found)
}

/// Walks over the notes of one segment.
fn read_notes<'a>(
    bytes: &'a [u8],
    start: usize,
    align: usize,
    found: &mut Vec<Desc<'a>>,
    _arch: Arch,
) -> Result<(), Box<Reject>> {
    let mut r = Reader::new(bytes);
    while r.left() >= 12 {
        let at = start + r.position();
        let bad = |why| Reject::new(Code::Note, at as u64, why);
        let mut one = || {
            let (namesz, descsz, kind) = (r.u32()?, r.u32()?, r.u32()?);
            let name = r.take(namesz as usize)?;
            pad(&mut r, align);
            let desc_at = start + r.position();
            let desc = r.take(descsz as usize)?;
            pad(&mut r, align);
            Some((name, kind, desc_at, desc))
        };
        let (name, kind, desc_at, desc) = one().ok_or_else(|| bad("a note is cut off"))?;
        if name == crate::note::OWNER {
            if kind != crate::note::NOTE_TYPE {
                return Err(bad("a TAL note of a type that this checker does not know"));
            }
            if found.len() >= limits::NOTES {
                return Err(Reject::new(Code::Limit, at as u64, "too many notes"));
            }
            found.push((desc_at, desc));
        }
    }
    Ok(())
}

/// Skips to the next multiple of `align`, or to the end.
fn pad(r: &mut Reader<'_>, align: usize) {
    let skip = (align - r.position() % align) % align;
    let skip = skip.min(r.left());
    r.take(skip);
}
