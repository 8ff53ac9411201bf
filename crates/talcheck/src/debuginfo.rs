//! What symbols and debug information say about an address.
//!
//! All of it is written by whoever made the file, and may be wrong or hostile. It only improves
//! messages: nothing here can change a verdict, and whatever cannot be read is treated as absent.

use gimli::{AttributeValue, DebugLine, DebugLineOffset, DebugLineStr, DebugStr, EndianSlice, RunTimeEndian};
use iced_x86::{Decoder, DecoderOptions, Instruction};
use object::{Object, ObjectSection, ObjectSegment, ObjectSymbol, SymbolKind};
use taldiag::Symbol;

/// Rows of line tables that are looked at: the tables of honest files have fewer than bytes of code.
const ROWS: usize = 1 << 24;

/// A place in a source file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Line {
    /// The path as the producer wrote it.
    pub(crate) path: String,
    /// The line, from 1.
    pub(crate) line: usize,
}

/// A file seen through its symbols and debug information.
pub(crate) struct DebugInfo<'a> {
    object: Option<object::File<'a>>,
}

type Slice<'a> = EndianSlice<'a, RunTimeEndian>;

impl<'a> DebugInfo<'a> {
    pub(crate) fn new(file: &'a [u8]) -> DebugInfo<'a> {
        DebugInfo { object: object::File::parse(file).ok() }
    }

    /// The bits of a machine word.
    pub(crate) fn word_bits(&self) -> u32 {
        if self.object.as_ref().is_some_and(|o| !o.is_64()) { 32 } else { 64 }
    }

    /// Up to `most` loaded bytes at an address.
    pub(crate) fn bytes(&self, address: u64, most: usize) -> &'a [u8] {
        let Some(object) = &self.object else { return &[] };
        for segment in object.segments() {
            let Ok(data) = segment.data() else { continue };
            let offset = address.checked_sub(segment.address()).and_then(|o| usize::try_from(o).ok());
            if let Some(rest) = offset.and_then(|o| data.get(o..))
                && !rest.is_empty()
            {
                return &rest[..rest.len().min(most)];
            }
        }
        &[]
    }

    /// The instruction at an address; an invalid one if there is none.
    pub(crate) fn instruction(&self, address: u64) -> Instruction {
        Decoder::with_ip(self.word_bits(), self.bytes(address, 15), address, DecoderOptions::NONE).decode()
    }

    /// The function or object that an address lies in: the nearest symbol at or before it, unless its
    /// size says that it ends earlier.
    pub(crate) fn symbol(&self, address: u64) -> Option<Symbol> {
        let useful = |s: &object::Symbol<'_, '_>| {
            matches!(s.kind(), SymbolKind::Text | SymbolKind::Data | SymbolKind::Label | SymbolKind::Unknown)
                && !s.is_undefined()
                && s.address() <= address
        };
        let object = self.object.as_ref()?;
        // Of several symbols with one address prefer the one that has a size, then the first.
        let best = object
            .symbols()
            .filter(|s| useful(s) && s.name().is_ok_and(|n| !n.is_empty()))
            .max_by_key(|s| (s.address(), s.size() > 0, std::cmp::Reverse(s.index().0)))?;
        let offset = address - best.address();
        let inside = best.size() == 0 || offset < best.size();
        let name = best.name().ok()?;
        inside.then(|| Symbol { name: shorten(name), offset })
    }

    /// The source line that the line tables give for an address.
    pub(crate) fn line(&self, address: u64) -> Option<Line> {
        let object = self.object.as_ref()?;
        let endian = if object.is_little_endian() { RunTimeEndian::Little } else { RunTimeEndian::Big };
        let section = |name: &str| {
            let data = object.section_by_name(name).and_then(|s| s.data().ok());
            data.unwrap_or_default()
        };
        let lines = DebugLine::new(section(".debug_line"), endian);
        let strings = DebugStr::new(section(".debug_str"), endian);
        let line_strings = DebugLineStr::new(section(".debug_line_str"), endian);
        let text = |value: AttributeValue<Slice<'a>>| -> Option<String> {
            let slice = match value {
                AttributeValue::String(s) => s,
                AttributeValue::DebugStrRef(at) => strings.get_str(at).ok()?,
                AttributeValue::DebugLineStrRef(at) => line_strings.get_str(at).ok()?,
                _ => return None,
            };
            Some(shorten(&slice.to_string_lossy()))
        };

        let word = if object.is_64() { 8 } else { 4 };
        let end = section(".debug_line").len();
        let (mut offset, mut budget) = (0usize, ROWS);
        while offset < end {
            let program = lines.program(DebugLineOffset(offset), word, None, None).ok()?;
            let header = program.header();
            let prefix = usize::from(header.format().initial_length_size());
            offset = offset.checked_add(prefix)?.checked_add(header.unit_length())?;

            let mut rows = program.rows();
            // The row before: it covers the addresses up to the next one of its sequence.
            let mut previous: Option<(u64, u64, u64)> = None;
            while let Ok(Some((header, row))) = rows.next_row() {
                budget = budget.checked_sub(1)?;
                if let Some((start, file, line)) = previous
                    && (start..row.address()).contains(&address)
                {
                    let entry = header.file(file)?;
                    let name = text(entry.path_name())?;
                    let directory = entry.directory(header).and_then(text);
                    let path = match directory {
                        Some(d) if !d.is_empty() && !name.starts_with('/') => format!("{d}/{name}"),
                        _ => name,
                    };
                    return Some(Line { path, line: usize::try_from(line).ok()? });
                }
                let line = row.line().map_or(0, std::num::NonZero::get);
                previous = (!row.end_sequence()).then(|| (row.address(), row.file_index(), line));
            }
        }
        None
    }
}

/// Names longer than this are cut: they would only fill the screen.
fn shorten(name: &str) -> String {
    const MOST: usize = 256;
    match name.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}…", &name[..at]),
        None => name.to_string(),
    }
}
