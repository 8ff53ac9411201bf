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
//! A value is a number, or a symbol, whose address it means, and a number to add. In an object that was not linked yet
//! there are also
//!
//! ```text
//! set section .data sh_flags = 7     ; a field of a section's header
//! set symbol helper st_shndx = 0     ; a field of a symbol
//! set reloc .text[0] r_type = 9      ; a field of the first relocation of a section
//! at .note.tal+16 = ff               ; bytes, counted from the start of a section
//! ```

mod fields;

use fields::{field_place, relocatable_place, section_offset};
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
        ["set", part, name] => field(field_place(file, part, name)?, value(file, right.trim())?),
        ["set", kind, part, name] => {
            field(relocatable_place(file, kind, part, name)?, value(file, right.trim())?)
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

/// A value in the bytes of a field, of which the place and size are given.
fn field((offset, size): (usize, usize), value: u64) -> (usize, Vec<u8>) {
    (offset, value.to_le_bytes()[..size].to_vec())
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

/// The file offset of `file+N`, `KIND[i]+N`, `.section+N` or `symbol+N`.
fn place_offset(file: &[u8], place: &str) -> Result<usize, String> {
    let (base, plus) = place.split_once('+').unwrap_or((place, "0"));
    let plus = number(plus).ok_or_else(|| format!("`{plus}` is no number"))?;
    let start = if base == "file" {
        0
    } else if base.ends_with(']') {
        let (at, size) = field_place(file, base, "p_offset")?;
        read(file, at, size)?
    } else if base.starts_with('.') {
        section_offset(file, base)?
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
