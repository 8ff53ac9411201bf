//! Which objects take part, and what each name means.

use crate::Input;
use crate::arch::AMD64;
use crate::archive::Archive;
use crate::diag::{self, Diagnostic, Spot, named, show};
use crate::gate;
use crate::object::{self, Object, Place, Symbol};
use crate::reloc::MOST_ERRORS;
use std::collections::{HashMap, HashSet, VecDeque};

/// A symbol of an object: indices of both.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct SymRef {
    /// The object.
    pub(crate) object: u32,
    /// The symbol in it.
    pub(crate) symbol: u32,
}

/// A name that objects share.
#[derive(Debug)]
pub(crate) struct Global<'a> {
    /// The name.
    pub(crate) name: &'a [u8],
    /// Its definition.
    pub(crate) def: Option<SymRef>,
    /// The first object that mentions it.
    pub(crate) first: SymRef,
    /// Some mention is not weak: archive members are pulled for it.
    pub(crate) wanted: bool,
}

/// Why an archive member takes part.
#[derive(Debug)]
pub(crate) struct Pulled {
    /// The member's object.
    pub(crate) object: u32,
    /// The object that needed it.
    pub(crate) by: u32,
    /// The name that it needed.
    pub(crate) global: u32,
}

/// All objects of the program and the meaning of their names.
#[derive(Debug, Default)]
pub(crate) struct Program<'a> {
    /// The objects in the order in which they were taken.
    pub(crate) objects: Vec<Object<'a>>,
    /// The shared names in order of first mention.
    pub(crate) globals: Vec<Global<'a>>,
    /// For each object, for each symbol, its shared name or [`LOCAL`].
    pub(crate) global_of: Vec<Vec<u32>>,
    /// Archive members, and why.
    pub(crate) pulled: Vec<Pulled>,
    by_name: HashMap<&'a [u8], u32>,
    errors: Vec<Diagnostic>,
}

/// Marks a symbol that is not shared.
pub(crate) const LOCAL: u32 = u32::MAX;

/// The meaning of a symbol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Target {
    /// A place in a section of an object.
    Section {
        /// The object.
        object: u32,
        /// The section.
        section: u32,
        /// Offset in the section, bytes.
        offset: u64,
    },
    /// A number.
    Absolute(u64),
    /// Nobody defines it: the shared name, or [`LOCAL`].
    Undefined(u32),
}

impl<'a> Program<'a> {
    /// Takes the inputs from left to right, as `ld` does: objects always, archive members where
    /// they define a name that is wanted at that point. At last adds the gate's object unless
    /// the inputs bring it.
    pub(crate) fn load(inputs: &'a [Input]) -> Result<Program<'a>, Vec<Diagnostic>> {
        let mut program = Program::default();
        let mut group: Option<Vec<(Archive<'a>, HashSet<u64>)>> = None;
        for input in inputs {
            match input {
                Input::GroupStart => group = group.or_else(|| Some(Vec::new())),
                Input::GroupEnd => program.pull(&mut group.take().unwrap_or_default()),
                Input::File(file) if is_archive(&file.bytes) => {
                    match Archive::open(&file.name, &file.bytes) {
                        Ok(archive) => {
                            let mut one = vec![(archive, HashSet::new())];
                            program.pull(&mut one);
                            if let Some(group) = &mut group {
                                group.append(&mut one);
                            }
                        }
                        Err(e) => program.errors.push(e),
                    }
                }
                Input::File(file) => program.add_bytes(file.name.clone(), &file.bytes),
            }
        }
        program.pull(&mut group.take().unwrap_or_default());
        program.add_gate();
        if program.errors.is_empty() { Ok(program) } else { Err(program.errors) }
    }

    /// What a symbol of an object means.
    pub(crate) fn target(&self, object: u32, symbol: u32) -> Target {
        let global = self.global_of[object as usize][symbol as usize];
        let def = match global {
            LOCAL => SymRef { object, symbol },
            _ => match self.globals[global as usize].def {
                Some(def) => def,
                None => return Target::Undefined(global),
            },
        };
        let s = self.symbol(def);
        match s.place {
            Place::Section(section) => Target::Section { object: def.object, section, offset: s.value },
            Place::Absolute => Target::Absolute(s.value),
            Place::Undefined => Target::Undefined(LOCAL),
        }
    }

    /// A symbol.
    pub(crate) fn symbol(&self, at: SymRef) -> &Symbol<'a> {
        &self.objects[at.object as usize].symbols[at.symbol as usize]
    }

    /// The shared name with this spelling.
    pub(crate) fn global(&self, name: &[u8]) -> Option<u32> {
        self.by_name.get(name).copied()
    }

    /// The place of a symbol for people.
    pub(crate) fn describe(&self, at: SymRef) -> Spot {
        let object = &self.objects[at.object as usize];
        let s = self.symbol(at);
        let mut spot = Spot::from(&object.name);
        if let Place::Section(i) = s.place {
            spot.inside = format!("{}+{:#x}", show(object.sections[i as usize].name), s.value);
        }
        spot
    }

    /// A defined name that looks like this one.
    pub(crate) fn similar(&self, name: &[u8]) -> Option<&'a [u8]> {
        const LONGEST: usize = 64;
        if name.len() > LONGEST {
            return None;
        }
        let limit = (name.len() / 3).clamp(1, 3);
        self.globals
            .iter()
            .filter(|g| {
                g.def.is_some() && g.name.len().abs_diff(name.len()) <= limit && g.name.len() <= LONGEST
            })
            .map(|g| (distance(g.name, name), g.name))
            .filter(|&(d, _)| d <= limit)
            .min()
            .map(|(_, n)| n)
    }

    fn add_bytes(&mut self, name: String, bytes: &'a [u8]) {
        match object::parse(&name, bytes) {
            Ok(object) => self.add(object),
            Err(e) => self.errors.push(e),
        }
    }

    fn add(&mut self, object: Object<'a>) {
        let at = self.objects.len() as u32;
        if let Some(first) = self.objects.first()
            && first.arch.machine != object.arch.machine
        {
            let message =
                format!("the object is for {}, the others for {}", object.arch.name, first.arch.name);
            self.errors.push(Diagnostic::new(diag::NOT_AN_OBJECT, &object.name, message));
            return;
        }
        let mut global_of = vec![LOCAL; object.symbols.len()];
        self.objects.push(object);
        for (i, slot) in global_of.iter_mut().enumerate() {
            let here = SymRef { object: at, symbol: i as u32 };
            let s = *self.symbol(here);
            if s.global {
                *slot = self.mention(here, &s);
            }
        }
        self.global_of.push(global_of);
    }

    /// Records a use or definition of a shared name.
    fn mention(&mut self, here: SymRef, s: &Symbol<'a>) -> u32 {
        let next = self.globals.len() as u32;
        let id = *self.by_name.entry(s.name).or_insert(next);
        if id == next {
            self.globals.push(Global { name: s.name, def: None, first: here, wanted: false });
        }
        let old = self.globals[id as usize].def;
        let defines = s.place != Place::Undefined;
        let global = &mut self.globals[id as usize];
        global.wanted |= !defines && !s.weak;
        match old {
            _ if !defines => {}
            None => global.def = Some(here),
            Some(_) if s.weak => {}
            Some(old) if self.symbol(old).weak => self.globals[id as usize].def = Some(here),
            // Nobody reads more.
            Some(_) if self.errors.len() >= MOST_ERRORS => {}
            Some(old) => {
                let message = format!("{} is defined more than once", named(s.name));
                let mut error = Diagnostic::new(diag::DUPLICATE, self.describe(here), message)
                    .near(self.describe(old), "first defined here");
                if self.objects[old.object as usize].name == self.objects[here.object as usize].name {
                    error = error.help("the same object is given twice: name it once");
                } else {
                    error = error.help("rename one, or do not export it (no `pub`)");
                }
                self.errors.push(error);
            }
        }
        id
    }

    /// Takes members of a group of archives until none of them defines a wanted name.
    /// Each member is taken once, so this ends.
    fn pull(&mut self, archives: &mut [(Archive<'a>, HashSet<u64>)]) {
        if archives.is_empty() {
            return;
        }
        // Which archives know a name. Programs may name many archives, and have many names that none of them knows.
        let mut known: HashMap<&'a [u8], Vec<usize>> = HashMap::new();
        for (i, (archive, _)) in archives.iter().enumerate() {
            archive.names().for_each(|name| known.entry(name).or_default().push(i));
        }
        // Each name is asked for once: what a group of archives knows does not change.
        let mut asked = HashSet::new();
        let mut first: Vec<u32> = known.keys().filter_map(|name| self.global(name)).collect();
        first.sort_unstable();
        let mut todo = VecDeque::from(first);
        while let Some(id) = todo.pop_front() {
            let global = &self.globals[id as usize];
            if global.def.is_some() || !global.wanted || !asked.insert(id) {
                continue;
            }
            let (name, by) = (global.name, global.first.object);
            for &i in known.get(name).into_iter().flatten() {
                let (archive, taken) = &mut archives[i];
                let Some(member) = archive.find(name) else { continue };
                if !taken.insert(member) {
                    continue;
                }
                let before = self.objects.len();
                match archive.member(member) {
                    Ok((name, bytes)) => self.add_bytes(name, bytes),
                    Err(e) => self.errors.push(e),
                }
                if self.objects.len() > before {
                    self.pulled.push(Pulled { object: before as u32, by, global: id });
                    todo.extend(self.global_of[before].iter().filter(|&&g| g != LOCAL));
                }
                if self.globals[id as usize].def.is_some() {
                    break;
                }
            }
        }
    }

    /// Every program has exactly one gate: it comes from an input or from here.
    fn add_gate(&mut self) {
        let defined =
            |name: &str| self.global(name.as_bytes()).is_some_and(|g| self.globals[g as usize].def.is_some());
        if !defined(gate::GATE) {
            let arch = self.objects.first().map_or(&AMD64, |o| o.arch);
            self.add_bytes(gate::NAME.to_string(), gate::object_bytes(arch));
        }
    }
}

/// Whether a file is an archive, thin or not.
pub(crate) fn is_archive(bytes: &[u8]) -> bool {
    bytes.starts_with(b"!<arch>\n") || bytes.starts_with(b"!<thin>\n")
}

/// The number of single-byte edits between two names, a neighbouring swap counting as one.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut rows = [vec![0; b.len() + 1], (0..=b.len()).collect::<Vec<_>>(), vec![0; b.len() + 1]];
    for i in 1..=a.len() {
        let [before, previous, row] = &mut rows;
        row[0] = i;
        for j in 1..=b.len() {
            let change = previous[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = change.min(previous[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        rows.rotate_left(1);
    }
    rows[1][b.len()]
}

#[cfg(test)]
mod tests {
    use super::distance;

    #[test]
    fn distances() {
        assert_eq!(distance(b"", b""), 0);
        assert_eq!(distance(b"strlen", b"strlen"), 0);
        assert_eq!(distance(b"strlen", b"strlne"), 1);
        assert_eq!(distance(b"strlen", b"strle"), 1);
        assert_eq!(distance(b"abc", b"xyz"), 3);
        assert_eq!(distance(b"", b"ab"), 2);
    }
}
