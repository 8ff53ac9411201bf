//! Families of objects and archives for the linker.

use super::{Family, Made};
use crate::archive::archive;
use object::write::{Object, Relocation, SectionId, Symbol, SymbolId, SymbolSection};
use object::{
    Architecture, BinaryFormat, Endianness, RelocationFlags, SectionKind, SymbolFlags, SymbolKind,
    SymbolScope, elf,
};
use talcore::arch::Arch;
use tallink::{Input, InputFile};

const fn of(name: &'static str, grows: &'static str, make: fn(Arch, usize) -> Vec<Input>) -> Family {
    Family { name, grows, make: Made::Objects(make) }
}

/// All of them. A member of the number `n` has about `n` bytes.
pub(super) const FAMILIES: &[Family] = &[
    of("link-objects", "objects, each of which calls the next", objects),
    of("link-symbols", "symbols of one object", symbols),
    of("link-undefined", "names that nobody defines and that look alike", undefined),
    of("link-duplicates", "names that are defined twice", duplicates),
    of("link-relocations", "relocations", relocations),
    of("link-misfits", "relocations that do not fit", misfits),
    of("link-sections", "sections", sections),
    of("link-members", "members of an archive, each of which needs the one before", members),
    of("link-indexed", "the same, in an archive with an index", indexed),
    of("link-groups", "archives of a group, each of which needs the one before", groups),
    of("link-long-names", "bytes of names", long_names),
];

struct Maker(Object<'static>);

impl Maker {
    fn new(arch: Arch) -> Maker {
        let architecture = match arch {
            Arch::Amd64 => Architecture::X86_64,
            Arch::Ia32 => Architecture::I386,
        };
        let mut out = Object::new(BinaryFormat::Elf, architecture, Endianness::Little);
        out.add_section(Vec::new(), b".note.GNU-stack".to_vec(), SectionKind::Other);
        Maker(out)
    }

    fn text(&mut self, bytes: &[u8]) -> SectionId {
        let id = self.0.add_section(Vec::new(), b".text".to_vec(), SectionKind::Text);
        self.0.append_section_data(id, bytes, 1);
        id
    }

    fn symbol(&mut self, name: &str, section: SymbolSection, value: u64) -> SymbolId {
        let undefined = section == SymbolSection::Undefined;
        self.0.add_symbol(Symbol {
            name: name.into(),
            value,
            size: 0,
            kind: if undefined { SymbolKind::Unknown } else { SymbolKind::Text },
            scope: SymbolScope::Dynamic,
            weak: false,
            section,
            flags: SymbolFlags::None,
        })
    }

    fn define(&mut self, name: &str, section: SectionId, value: u64) -> SymbolId {
        self.symbol(name, SymbolSection::Section(section), value)
    }

    fn want(&mut self, name: &str) -> SymbolId {
        self.symbol(name, SymbolSection::Undefined, 0)
    }

    /// A distance of four bytes from a place in a section to a symbol.
    fn reloc(&mut self, section: SectionId, offset: u64, symbol: SymbolId, addend: i64) {
        let r_type = match self.0.architecture() {
            Architecture::I386 => elf::R_386_PC32,
            _ => elf::R_X86_64_PC32,
        };
        let flags = RelocationFlags::Elf { r_type };
        self.0.add_relocation(section, Relocation { offset, symbol, addend, flags }).expect("a relocation");
    }

    fn bytes(&self) -> Vec<u8> {
        self.0.write().expect("an object")
    }
}

/// A function that jumps to another one.
fn jump(arch: Arch, name: &str, to: &str) -> Vec<u8> {
    let mut o = Maker::new(arch);
    let text = o.text(&[0xe9, 0, 0, 0, 0]);
    o.define(name, text, 0);
    let to = o.want(to);
    o.reloc(text, 1, to, -4);
    o.bytes()
}

fn trap(arch: Arch, name: &str) -> Vec<u8> {
    let mut o = Maker::new(arch);
    let text = o.text(&[0x0f, 0x0b]);
    o.define(name, text, 0);
    o.bytes()
}

fn file(name: impl Into<String>, bytes: Vec<u8>) -> Input {
    Input::File(InputFile { name: name.into(), bytes })
}

/// How many small objects there are in so many bytes.
fn count(n: usize) -> usize {
    (n / 600).max(2)
}

fn name(i: usize) -> String {
    format!("name{i}")
}

fn objects(arch: Arch, n: usize) -> Vec<Input> {
    let n = count(n);
    let mut all = vec![file("start.o", jump(arch, "_start", "name0"))];
    all.extend((0..n).map(|i| file(format!("{i}.o"), jump(arch, &name(i), &name((i + 1) % n)))));
    all
}

fn symbols(arch: Arch, n: usize) -> Vec<Input> {
    let mut o = Maker::new(arch);
    let text = o.text(&[0x0f, 0x0b]);
    for i in 0..n / 40 {
        o.define(&name(i), text, 0);
    }
    vec![file("start.o", trap(arch, "_start")), file("many.o", o.bytes())]
}

fn undefined(arch: Arch, n: usize) -> Vec<Input> {
    let mut o = Maker::new(arch);
    let n = n / 120;
    let text = o.text(&vec![0; 4 * n.max(1)]);
    for i in 0..n {
        o.define(&format!("name{i}x"), text, 0);
        let wanted = o.want(&format!("name{i}y"));
        o.reloc(text, 4 * i as u64, wanted, 0);
    }
    vec![file("start.o", trap(arch, "_start")), file("many.o", o.bytes())]
}

fn duplicates(arch: Arch, n: usize) -> Vec<Input> {
    let mut all = symbols(arch, n / 2);
    let Some(Input::File(again)) = all.pop() else { return all };
    all.push(file("one.o", again.bytes.clone()));
    all.push(file("two.o", again.bytes));
    all
}

fn relocations(arch: Arch, n: usize) -> Vec<Input> {
    let mut o = Maker::new(arch);
    let n = n / 28;
    let text = o.text(&vec![0; 4 * n.max(1)]);
    let start = o.define("_start", text, 0);
    (0..n).for_each(|i| o.reloc(text, 4 * i as u64, start, 0));
    vec![file("many.o", o.bytes())]
}

fn misfits(arch: Arch, n: usize) -> Vec<Input> {
    let mut o = Maker::new(arch);
    let n = n / 28;
    let data = o.0.add_section(Vec::new(), b".data".to_vec(), SectionKind::Data);
    o.0.append_section_data(data, &vec![0; 4 * n.max(1)], 1);
    let text = o.text(&[0x0f, 0x0b]);
    let start = o.define("_start", text, 0);
    for i in 0..n {
        let flags = match arch {
            Arch::Amd64 => RelocationFlags::Elf { r_type: elf::R_X86_64_32 },
            Arch::Ia32 => RelocationFlags::Elf { r_type: elf::R_386_GOTPC },
        };
        let addend = if arch == Arch::Amd64 { 1 << 40 } else { 0 };
        let relocation = Relocation { offset: 4 * i as u64, symbol: start, addend, flags };
        o.0.add_relocation(data, relocation).expect("a relocation");
    }
    vec![file("many.o", o.bytes())]
}

fn sections(arch: Arch, n: usize) -> Vec<Input> {
    let mut o = Maker::new(arch);
    for i in 0..(n / 90).min(60_000) {
        let id = o.0.add_section(Vec::new(), format!(".data{i}").into_bytes(), SectionKind::Data);
        o.0.append_section_data(id, &[0; 8], 8);
    }
    vec![file("start.o", trap(arch, "_start")), file("many.o", o.bytes())]
}

/// The members of an archive, each of which needs the one before it.
fn chain(arch: Arch, n: usize) -> Vec<(String, Vec<u8>)> {
    let n = count(n);
    let next = |i: usize| if i == 0 { trap(arch, "name0") } else { jump(arch, &name(i), &name(i - 1)) };
    (0..n).map(|i| (format!("{i}.o"), next(i))).collect()
}

fn members(arch: Arch, n: usize) -> Vec<Input> {
    let chain = chain(arch, n);
    let mut bytes = b"!<arch>\n".to_vec();
    for (member, content) in &chain {
        let member = format!("{member}/");
        bytes.extend(
            format!("{member:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, 644, content.len()).bytes(),
        );
        bytes.extend(content);
        if content.len() % 2 == 1 {
            bytes.push(b'\n');
        }
    }
    let last = name(chain.len() - 1);
    vec![file("start.o", jump(arch, "_start", &last)), file("lib.a", bytes)]
}

fn indexed(arch: Arch, n: usize) -> Vec<Input> {
    let chain = chain(arch, n);
    let members: Vec<(&str, &[u8])> = chain.iter().map(|(n, b)| (&**n, &**b)).collect();
    let last = name(chain.len() - 1);
    vec![file("start.o", jump(arch, "_start", &last)), file("lib.a", archive(&members))]
}

fn groups(arch: Arch, n: usize) -> Vec<Input> {
    let chain = chain(arch, n);
    let last = name(chain.len() - 1);
    let mut all = vec![file("start.o", jump(arch, "_start", &last)), Input::GroupStart];
    all.extend(chain.iter().map(|(n, b)| file(format!("{n}.a"), archive(&[(n, b)]))));
    all.push(Input::GroupEnd);
    all
}

fn long_names(arch: Arch, n: usize) -> Vec<Input> {
    let mut o = Maker::new(arch);
    let text = o.text(&[0; 8]);
    let wanted = o.want(&"x".repeat(n / 2));
    o.reloc(text, 0, wanted, 0);
    o.define(&format!("{}y", "x".repeat(n / 2)), text, 0);
    vec![file("start.o", trap(arch, "_start")), file("long.o", o.bytes())]
}
