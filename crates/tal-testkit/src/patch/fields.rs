//! Where the fields of headers, segments, sections, symbols and relocations lie in a file.

use super::{number, read};
use object::{Object, ObjectSection, ObjectSymbol};

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
pub(super) fn field_place(file: &[u8], part: &str, field: &str) -> Result<(usize, usize), String> {
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

const SECTION: [Field; 6] = [
    ("sh_type", (4, 4), (4, 4)),
    ("sh_flags", (8, 8), (8, 4)),
    ("sh_offset", (24, 8), (16, 4)),
    ("sh_size", (32, 8), (20, 4)),
    ("sh_addralign", (48, 8), (32, 4)),
    ("sh_entsize", (56, 8), (36, 4)),
];

const SYMBOL: [Field; 4] = [
    ("st_info", (4, 1), (12, 1)),
    ("st_shndx", (6, 2), (14, 2)),
    ("st_value", (8, 8), (4, 4)),
    ("st_size", (16, 8), (8, 4)),
];

/// Those of relocations with an addend. In ELF32 the type is a byte of `r_info`.
const RELOCATION: [Field; 3] =
    [("r_offset", (0, 8), (0, 4)), ("r_type", (8, 4), (4, 1)), ("r_addend", (16, 8), (8, 4))];

/// The offset and size of a field of `section NAME`, `symbol NAME` or `reloc SECTION[i]` of an object.
pub(super) fn relocatable_place(
    file: &[u8],
    kind: &str,
    name: &str,
    field: &str,
) -> Result<(usize, usize), String> {
    let wide = file.get(4) == Some(&2);
    let elf = object::File::parse(file).map_err(|e| e.to_string())?;
    let section = |name: &str| {
        let found = elf.section_by_name(name).ok_or(format!("there is no section `{name}`"));
        found.map(|s| (s.index().0, s.file_range().unwrap_or_default().0 as usize))
    };
    let (table, start) = match kind {
        "section" => {
            let at = read(file, if wide { 40 } else { 32 }, if wide { 8 } else { 4 })?;
            (&SECTION[..], at as usize + section(name)?.0 * if wide { 64 } else { 40 })
        }
        "symbol" => {
            let symbol = elf.symbols().find(|s| s.name() == Ok(name)).ok_or(format!("no symbol `{name}`"))?;
            (&SYMBOL[..], section(".symtab")?.1 + symbol.index().0 * if wide { 24 } else { 16 })
        }
        "reloc" => {
            let parts = name.strip_suffix(']').and_then(|n| n.split_once('['));
            let (name, index) = parts.ok_or(format!("`{name}` is not like `.text[0]`"))?;
            let index = number(index).ok_or(format!("`{index}` is no number"))? as usize;
            (&RELOCATION[..], section(&format!(".rela{name}"))?.1 + index * if wide { 24 } else { 12 })
        }
        _ => return Err(format!("`{kind}` is none of `section`, `symbol`, `reloc`")),
    };
    let row = table.iter().find(|row| row.0 == field).ok_or(format!("there is no field `{field}`"))?;
    let (at, size) = if wide { row.1 } else { row.2 };
    Ok((start + at, size))
}

/// Where a section's bytes begin in the file.
pub(super) fn section_offset(file: &[u8], name: &str) -> Result<u64, String> {
    let elf = object::File::parse(file).map_err(|e| e.to_string())?;
    let section = elf.section_by_name(name).ok_or(format!("there is no section `{name}`"))?;
    section.file_range().map(|r| r.0).ok_or(format!("`{name}` has no bytes"))
}
