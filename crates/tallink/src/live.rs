//! Which sections take part: all, or with `--gc-sections` those that the entry needs.
//!
//! A note describes several sections of its object and is one piece. So a section that is needed
//! needs the notes that speak of it, and a note needs everything that it speaks of: the sections
//! it types and the names it imports. What remains is closed, and typed as before.

use crate::object::Kind;
use crate::symbols::{Program, Target};

/// For each object, for each section, whether it takes part.
#[derive(Debug)]
pub(crate) struct Live(Vec<Vec<bool>>);

impl Live {
    /// Everything that could be part of the output.
    pub(crate) fn all(program: &Program) -> Live {
        let keep = |o: &crate::object::Object| o.sections.iter().map(|s| s.kind != Kind::Skip).collect();
        Live(program.objects.iter().map(keep).collect())
    }

    /// What can be reached from sections, given as object and section.
    pub(crate) fn reachable(program: &Program, roots: &[(u32, u32)]) -> Live {
        let mut live = Live(program.objects.iter().map(|o| vec![false; o.sections.len()]).collect());
        // For each object, which notes speak of each section: pairs (section, note), sorted.
        let notes: Vec<Vec<(u32, u32)>> =
            (0..program.objects.len()).map(|o| notes_of(program, o as u32)).collect();
        let mut todo: Vec<(u32, u32)> = Vec::new();
        for &root in roots {
            live.mark(root, &mut todo);
        }
        while let Some((object, section)) = todo.pop() {
            let o = &program.objects[object as usize];
            let by_section = &notes[object as usize];
            let first = by_section.partition_point(|&(s, _)| s < section);
            for &(_, note) in by_section[first..].iter().take_while(|&&(s, _)| s == section) {
                live.mark((object, note), &mut todo);
            }
            for reloc in &o.sections[section as usize].relocs {
                if let Target::Section { object, section, .. } = program.target(object, reloc.sym) {
                    live.mark((object, section), &mut todo);
                }
            }
        }
        for (o, sections) in program.objects.iter().zip(&mut live.0) {
            if sections.contains(&true) {
                for (s, live) in o.sections.iter().zip(sections) {
                    *live |= s.kind == Kind::Debug;
                }
            }
        }
        live
    }

    /// Whether a section takes part.
    pub(crate) fn has(&self, object: u32, section: u32) -> bool {
        self.0[object as usize][section as usize]
    }

    fn mark(&mut self, at: (u32, u32), todo: &mut Vec<(u32, u32)>) {
        if !std::mem::replace(&mut self.0[at.0 as usize][at.1 as usize], true) {
            todo.push(at);
        }
    }
}

fn notes_of(program: &Program, object: u32) -> Vec<(u32, u32)> {
    let mut pairs = Vec::new();
    for (i, s) in program.objects[object as usize].sections.iter().enumerate() {
        if s.kind != Kind::Note {
            continue;
        }
        for reloc in &s.relocs {
            if let Target::Section { object: o, section, .. } = program.target(object, reloc.sym)
                && o == object
            {
                pairs.push((section, i as u32));
            }
        }
    }
    pairs.sort_unstable();
    pairs.dedup();
    pairs
}
