//! A little language for damaging executables on purpose.
//!
//! Error pages show how a file must look to be rejected, as changes to an accepted one:
//!
//! ```text
//! set header e_type = 3             ; a field of the ELF header
//! set LOAD[0] p_flags = 7           ; a field of the first program header of this type
//! at NOTE[0]+16 = ff                ; bytes, counted from the start of a segment in the file
//! at helper+1 = f4                  ; bytes, counted from a symbol
//! at file+0 = 7f 45                 ; bytes, counted from the start of the file
//! word table+8 = helper+1           ; a machine word
//! ```
//!
//! A value is a number, or a symbol, whose address it means, and a number to add.

use object::{Object, ObjectSegment, ObjectSymbol};

/// Applies a patch to an ELF file.
///
/// # Errors
/// A sentence for the author of the patch.
pub fn apply(file: &mut [u8], patch: &str) -> Result<(), String> {
    for (i, line) in patch.lines().enumerate() {
        let line = line.split(';').next().unwrap_or("").trim();
        if !line.is_empty() {
            let changed = apply_line(file, line);
            changed.map_err(|e| format!("line {} of the patch, `{line}`: {e}", i + 1))?;
        }
    }
    Ok(())
}

fn apply_line(file: &mut [u8], line: &str) -> Result<(), String> {
    let (left, right) = line.split_once('=').ok_or("there is no `=`")?;
    let (offset, bytes) = match left.split_whitespace().collect::<Vec<_>>()[..] {
        ["at", place] => (place_offset(file, place)?, hex(right)?),
        ["word", place] => {
            let offset = place_offset(file, place)?;
            let value = value(file, right.trim())?;
            let size = if file.get(4) == Some(&2) { 8 } else { 4 };
            (offset, value.to_le_bytes()[..size].to_vec())
        }
        ["set", part, field] => {
            let (offset, size) = field_place(file, part, field)?;
            let value = value(file, right.trim())?;
            (offset, value.to_le_bytes()[..size].to_vec())
        }
        _ => {
            return Err(
                "it is none of `at PLACE = BYTES`, `word PLACE = VALUE`, `set PART FIELD = VALUE`".into()
            );
        }
    };
    let end = offset.checked_add(bytes.len()).ok_or("the place is too far")?;
    let size = file.len();
    let to = file.get_mut(offset..end).ok_or(format!("{end} is behind the end of the file, {size}"))?;
    if to == bytes {
        return Err("it changes nothing".into());
    }
    to.copy_from_slice(&bytes);
    Ok(())
}

fn hex(text: &str) -> Result<Vec<u8>, String> {
    let byte = |t: &str| match u8::from_str_radix(t, 16) {
        Ok(b) if t.len() == 2 => Ok(b),
        _ => Err(format!("`{t}` is no byte of two hexadecimal digits")),
    };
    text.split_whitespace().map(byte).collect()
}

fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

fn value(file: &[u8], text: &str) -> Result<u64, String> {
    if let Some(n) = number(text) {
        return Ok(n);
    }
    let (name, plus) = text.split_once('+').unwrap_or((text, "0"));
    let plus = number(plus).ok_or_else(|| format!("`{plus}` is no number"))?;
    Ok(symbol(file, name)?.wrapping_add(plus))
}

fn symbol(file: &[u8], name: &str) -> Result<u64, String> {
    let elf = object::File::parse(file).map_err(|e| e.to_string())?;
    let found = elf.symbols().find(|s| s.name() == Ok(name)).map(|s| s.address());
    found.ok_or_else(|| format!("there is no symbol `{name}`"))
}

/// The file offset of `file+N`, `KIND[i]+N` or `symbol+N`.
fn place_offset(file: &[u8], place: &str) -> Result<usize, String> {
    let (base, plus) = place.split_once('+').unwrap_or((place, "0"));
    let plus = number(plus).ok_or_else(|| format!("`{plus}` is no number"))?;
    let start = if base == "file" {
        0
    } else if base.ends_with(']') {
        let (at, size) = field_place(file, base, "p_offset")?;
        read(file, at, size)?
    } else {
        let address = symbol(file, base)?;
        let elf = object::File::parse(file).map_err(|e| e.to_string())?;
        let inside = |s: &object::Segment<'_, '_>| {
            let (offset, size) = s.file_range();
            let within = address.checked_sub(s.address()).filter(|&d| d < size)?;
            Some(offset + within)
        };
        elf.segments().find_map(|s| inside(&s)).ok_or(format!("`{base}` is not in the file"))?
    };
    start.checked_add(plus).and_then(|at| usize::try_from(at).ok()).ok_or("the place is too far".into())
}

fn read(file: &[u8], at: usize, size: usize) -> Result<u64, String> {
    let bytes = file.get(at..at + size).ok_or("the file is too short")?;
    let mut word = [0; 8];
    word[..size].copy_from_slice(bytes);
    Ok(u64::from_le_bytes(word))
}

/// Name, offset and size of a field, for ELF64 and for ELF32.
type Field = (&'static str, (usize, usize), (usize, usize));

const HEADER: [Field; 8] = [
    ("e_type", (16, 2), (16, 2)),
    ("e_machine", (18, 2), (18, 2)),
    ("e_version", (20, 4), (20, 4)),
    ("e_entry", (24, 8), (24, 4)),
    ("e_phoff", (32, 8), (28, 4)),
    ("e_ehsize", (52, 2), (40, 2)),
    ("e_phentsize", (54, 2), (42, 2)),
    ("e_phnum", (56, 2), (44, 2)),
];

const SEGMENT: [Field; 8] = [
    ("p_type", (0, 4), (0, 4)),
    ("p_flags", (4, 4), (24, 4)),
    ("p_offset", (8, 8), (4, 4)),
    ("p_vaddr", (16, 8), (8, 4)),
    ("p_paddr", (24, 8), (12, 4)),
    ("p_filesz", (32, 8), (16, 4)),
    ("p_memsz", (40, 8), (20, 4)),
    ("p_align", (48, 8), (28, 4)),
];

const KINDS: [(&str, u64); 7] = [
    ("LOAD", 1),
    ("DYNAMIC", 2),
    ("INTERP", 3),
    ("NOTE", 4),
    ("PHDR", 6),
    ("TLS", 7),
    ("GNU_STACK", 0x6474_e551),
];

/// The offset and size of a field of `header` or of `KIND[i]`.
fn field_place(file: &[u8], part: &str, field: &str) -> Result<(usize, usize), String> {
    let wide = file.get(4) == Some(&2);
    let find = |table: &[Field]| {
        let row = table.iter().find(|row| row.0 == field).ok_or(format!("there is no field `{field}`"))?;
        Ok::<_, String>(if wide { row.1 } else { row.2 })
    };
    if part == "header" {
        return find(&HEADER);
    }
    let unknown = || format!("`{part}` is neither `header` nor like `LOAD[0]`");
    let (kind, index) = part.strip_suffix(']').and_then(|p| p.split_once('[')).ok_or_else(unknown)?;
    let kind = KINDS.iter().find(|k| k.0 == kind).ok_or_else(unknown)?.1;
    let mut index = number(index).ok_or_else(unknown)?;
    let header = |name| {
        let (at, size) = field_place(file, "header", name)?;
        read(file, at, size)
    };
    let (table, entry, count) = (header("e_phoff")?, header("e_phentsize")?, header("e_phnum")?);
    for i in 0..count {
        let start = usize::try_from(table + i * entry).map_err(|e| e.to_string())?;
        if read(file, start, 4)? == kind {
            if index == 0 {
                let (at, size) = find(&SEGMENT)?;
                return Ok((start + at, size));
            }
            index -= 1;
        }
    }
    Err(format!("there is no `{part}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An ELF64 header with two program headers, in which only the numbers that matter are set.
    fn file() -> Vec<u8> {
        let mut f = vec![0; 256];
        f[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
        for (at, byte) in [(16, 2), (18, 62), (20, 1), (32, 64), (54, 56), (56, 2)] {
            f[at] = byte;
        }
        f[64] = 4;
        f[64 + 8] = 200;
        f[120] = 1;
        f
    }

    #[test]
    fn patches_change_what_they_name() {
        let mut f = file();
        apply(&mut f, "; nothing\n\nset header e_type = 3\nset LOAD[0] p_flags = 7\nat NOTE[0]+16 = fF 01 ; x\nat file+0=00")
            .unwrap();
        let mut want = file();
        for (at, byte) in [(16, 3), (120 + 4, 7), (216, 0xff), (217, 1), (0, 0)] {
            want[at] = byte;
        }
        assert_eq!(f, want);
    }

    #[test]
    fn mistakes_are_told() {
        for patch in [
            "set header e_type = 2",
            "set header e_typ = 3",
            "set LOAD[1] p_flags = 7",
            "set LOOD[0] p_flags = 7",
            "at file+256 = 00",
            "at file+0 = 7",
            "at nobody = 00",
            "at file+0 7e",
            "put file+0 = 7e",
        ] {
            assert!(apply(&mut file(), patch).is_err(), "{patch}");
        }
    }
}
