//! Undefined symbols, and writing addresses into the image.

use crate::arch::Fixup;
use crate::diag::{self, Diagnostic, named, show};
use crate::layout::{Layout, Part};
use crate::live::Live;
use crate::object::{Kind, Place, Reloc};
use crate::symbols::{LOCAL, Program, Target};
use std::collections::BTreeMap;

/// How many places are shown for one undefined symbol.
const PLACES: usize = 3;
/// How many relocations that do not fit are reported, how many undefined symbols, and how many that are defined twice.
pub(crate) const MOST_ERRORS: usize = 100;
/// For how many undefined symbols one is looked for that is spelled alike: each time among all.
const SUGGESTIONS: usize = 10;

/// A name that is not defined: the shared name, or [`LOCAL`] with the object and the symbol.
type Name = (u32, u32, u32);
/// A place of use: object, section, offset.
type Use = (u32, u32, u64);

/// The undefined names that the live, loaded sections use, with the first places of use.
pub(crate) fn undefined(program: &Program, live: &Live) -> Vec<Diagnostic> {
    let mut uses: BTreeMap<Name, Vec<Use>> = BTreeMap::new();
    for (o, object) in program.objects.iter().enumerate() {
        for (i, s) in object.sections.iter().enumerate() {
            let (o, i) = (o as u32, i as u32);
            if !s.kind.loaded() || !live.has(o, i) {
                continue;
            }
            for r in &s.relocs {
                match program.target(o, r.sym) {
                    Target::Undefined(LOCAL) => {
                        uses.entry((LOCAL, o, r.sym)).or_default().push((o, i, r.offset))
                    }
                    Target::Undefined(id) => uses.entry((id, 0, 0)).or_default().push((o, i, r.offset)),
                    _ => {}
                }
            }
        }
    }
    let more = uses.len().saturating_sub(MOST_ERRORS);
    let describe = |(i, (key, mut places)): (usize, (Name, Vec<Use>))| {
        let name = match key {
            (LOCAL, o, s) => program.objects[o as usize].symbols[s as usize].name,
            (id, ..) => program.globals[id as usize].name,
        };
        // A note mentions its imports; what people look for is the code that uses them.
        places.sort_by_key(|&(o, i, _)| program.objects[o as usize].sections[i as usize].kind == Kind::Note);
        let spot = |&(o, i, at): &Use| program.objects[o as usize].describe(i, at);
        let message = format!("{} is used and nowhere defined", named(name));
        let mut error = Diagnostic::new(diag::UNDEFINED, spot(&places[0]), message);
        for place in places.iter().skip(1).take(PLACES - 1) {
            error = error.near(spot(place), "also used here");
        }
        if places.len() > PLACES {
            error = error.note(format!("and used at {} more places", places.len() - PLACES));
        }
        let similar = if i < SUGGESTIONS { program.similar(name) } else { None };
        match similar {
            Some(similar) => error.help(format!("did you mean {}?", named(similar))),
            None => error.help("add the object or the library (-l) that defines it"),
        }
    };
    let mut errors: Vec<_> = uses.into_iter().take(MOST_ERRORS).enumerate().map(describe).collect();
    if more > 0
        && let Some(last) = errors.pop()
    {
        errors.push(last.note(format!("and {more} more names are used and nowhere defined")));
    }
    errors
}

/// The value of a fixup if it fits its place.
fn value(fixup: Fixup, symbol: u64, addend: i64, place: u64) -> Option<u64> {
    let absolute = i128::from(symbol) + i128::from(addend);
    match fixup {
        Fixup::None => Some(0),
        Fixup::Abs64 => Some(symbol.wrapping_add_signed(addend)),
        Fixup::Abs32 => u32::try_from(absolute).ok().map(u64::from),
        Fixup::Abs32Signed => i32::try_from(absolute).ok().map(|v| u64::from(v as u32)),
        Fixup::Pc32 => i32::try_from(absolute - i128::from(place)).ok().map(|v| u64::from(v as u32)),
    }
}

/// Applies the relocations of one input section to its bytes in the image; `addr` is the address
/// of the first byte.
pub(crate) fn apply(
    program: &Program,
    layout: &Layout,
    part: &Part,
    addr: u64,
    bytes: &mut [u8],
    errors: &mut Vec<Diagnostic>,
) {
    let object = &program.objects[part.object as usize];
    let section = &object.sections[part.section as usize];
    for r in &section.relocs {
        let place = addr.wrapping_add(r.offset);
        let found = layout.symbol(part.object, r.sym);
        let value = match found {
            Some(symbol) => value(r.fixup, symbol, r.addend, place),
            // Debugging information may speak of what was left out: 0 means nowhere, and 1 where
            // a 0 would end a list.
            None if section.kind == Kind::Debug => {
                Some(u64::from(matches!(section.name, b".debug_ranges" | b".debug_loc")))
            }
            None => None,
        };
        let at = r.offset as usize;
        // `parse` has checked that the place is inside the section.
        match (value, bytes.get_mut(at..at + r.fixup.width() as usize)) {
            (Some(value), Some(target)) => target.copy_from_slice(&value.to_le_bytes()[..target.len()]),
            _ if errors.len() < MOST_ERRORS => errors.push(does_not_fit(program, part, r, found)),
            _ => return,
        }
    }
}

#[cold]
fn does_not_fit(program: &Program, part: &Part, r: &Reloc, found: Option<u64>) -> Diagnostic {
    let object = &program.objects[part.object as usize];
    let place = object.describe(part.section, r.offset);
    let name = match object.symbols.get(r.sym as usize) {
        Some(s) if !s.name.is_empty() => format!("`{}`", show(s.name)),
        Some(s) => match s.place {
            Place::Section(i) => format!("section {}", show(object.sections[i as usize].name)),
            _ => "no symbol".to_string(),
        },
        None => "no symbol".to_string(),
    };
    match found {
        None => {
            let message = format!("a reference to {name}, which is not part of the program");
            Diagnostic::new(diag::RELOCATION, place, message)
        }
        Some(value) => {
            let kind = match r.fixup {
                Fixup::Abs32 => "an unsigned 32-bit address",
                Fixup::Abs32Signed => "a signed 32-bit address",
                _ => "a 32-bit distance",
            };
            let message = format!("{kind} of {name} ({value:#x}) plus {} does not fit", r.addend);
            Diagnostic::new(diag::OVERFLOW, place, message)
        }
    }
}
