//! Places data objects in their sections.

use super::{DataSection, FunctionCode, MAX_BYTES, Reloc, RelocKind, TOO_LARGE, Target};
use crate::ir::{DataTarget, Module, Object, Section};
use crate::problem::Problem;
use talcore::arch::Arch;

/// The sections in the order of [`super::Encoded::data`].
pub(super) const ORDER: [Section; 3] = [Section::Rodata, Section::Data, Section::Bss];

/// The data sections, and the offset of each object in its section. Objects keep their order.
pub(super) fn lay_out(
    module: &Module,
    functions: &[FunctionCode],
    problems: &mut Vec<Problem>,
) -> ([DataSection; 3], Vec<u64>) {
    let mut sections =
        ORDER.map(|kind| DataSection { kind, align: 1, size: 0, bytes: Vec::new(), relocs: Vec::new() });
    let mut offsets = Vec::with_capacity(module.objects.len());
    for object in &module.objects {
        let section = &mut sections[object.section as usize];
        let align = u64::from(object.align).next_power_of_two();
        let start = section.size.next_multiple_of(align);
        let end = start.checked_add(object.size).filter(|&end| end <= MAX_BYTES);
        let Some(end) = end else {
            problems.push(
                Problem::new(TOO_LARGE, object.span, "the data of this module does not fit below 2 GiB")
                    .label(format!("{} bytes", object.size))
                    .help("get large memory at run time, with `mmap`"),
            );
            offsets.push(start);
            continue;
        };
        section.align = section.align.max(align);
        section.size = end;
        if object.section != Section::Bss {
            section.bytes.resize(start as usize, 0);
            section.bytes.extend_from_slice(&object.bytes);
            section.bytes.resize(end as usize, 0);
        }
        section.relocs.extend(relocs(module.arch, object, start, functions));
        offsets.push(start);
    }
    (sections, offsets)
}

fn relocs(
    arch: Arch,
    object: &Object,
    start: u64,
    functions: &[FunctionCode],
) -> impl Iterator<Item = Reloc> {
    object.relocs.iter().map(move |r| {
        let (target, addend) = match r.target {
            DataTarget::Sym(sym) => (Target::Sym(sym), r.addend),
            DataTarget::Label { function, label } => {
                let code = functions.get(function as usize);
                let at = code.map_or(0, |f| f.start + f.labels[label.0 as usize]);
                (Target::Text, i64::from(at) + r.addend)
            }
        };
        Reloc { at: start as u32 + r.at, kind: RelocKind::word(arch), target, addend }
    })
}
