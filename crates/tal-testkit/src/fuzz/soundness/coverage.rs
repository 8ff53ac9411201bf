//! Which rules were reached.
//!
//! Of what is refused, the reasons: every check of the core that can fail has a phrase of its own, and the phrases are
//! counted against those that stand in its source. Of mutants that are accepted, what they consist of.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use talcore::arch::Arch;
use talcore::guide::Ghost;
use talcore::program::Program;
use talcore::state::{Lay, State, Word};
use talcore::types::Mode;
use talcore::verdict::Reject;
use talcore::x86::decode::decode;
use talcore::x86::table::rows;

use super::Mutant;

/// What was reached.
#[derive(Clone, Default)]
pub struct Coverage {
    /// The phrases with which something was refused.
    pub reasons: BTreeSet<&'static str>,
    /// Rows of the table of instructions in mutants that were accepted and run, by architecture.
    pub rows: BTreeSet<(bool, u16)>,
    /// Kinds of words, of layouts, of modes and of steps without machine code in such mutants.
    pub kinds: BTreeSet<String>,
    /// The seeds of which some mutant was accepted and run.
    pub seeds: BTreeSet<String>,
}

impl Coverage {
    /// Takes up what another thread reached.
    pub fn merge(&mut self, other: Coverage) {
        self.reasons.extend(other.reasons);
        self.rows.extend(other.rows);
        self.kinds.extend(other.kinds);
        self.seeds.extend(other.seeds);
    }

    pub(super) fn refused(&mut self, reject: &Reject) {
        self.reasons.insert(reject.why);
    }

    pub(super) fn accepted(&mut self, seed: &str, program: &Program<'_>, code: &[u8], mutant: &Mutant) {
        if !self.seeds.contains(seed) {
            self.seeds.insert(seed.to_string());
        }
        let mut at = 0;
        while let Some(Ok(insn)) =
            code.get(at..).filter(|rest| !rest.is_empty()).map(|rest| decode(program.arch, rest, 0))
        {
            self.rows.insert((program.arch == Arch::Ia32, insn.row));
            at += usize::from(insn.len);
        }
        for step in &mutant.ghosts {
            self.kind(match step.ghost {
                Ghost::Split(_) => "step split",
                Ghost::Join(..) => "step join",
                Ghost::Choose(..) => "step choose",
                Ghost::Cursor(_) => "step cursor",
                Ghost::Advance(_) => "step advance",
                Ghost::End(_) => "step end",
                Ghost::Lend(..) => "step lend",
                Ghost::Restore(_) => "step restore",
            });
        }
        for (_, state) in &mutant.labels {
            self.state(program, state);
        }
    }

    fn kind(&mut self, kind: &str) {
        if !self.kinds.contains(kind) {
            self.kinds.insert(kind.to_string());
        }
    }

    fn state(&mut self, program: &Program<'_>, state: &State) {
        for word in state.words() {
            self.kind(match word {
                Word::Any => "word any",
                Word::Int(_) => "word int",
                Word::Ptr(l, _) if *l >= talcore::state::STATIC => "word pointer to a static",
                Word::Ptr(..) => "word pointer",
                Word::Sp(_) => "word frame address",
                Word::Opt(..) => "word untested",
                Word::Fn(_) => "word function",
                Word::Entry(_) => "word of the entry",
                Word::Var(_) => "word variable",
                Word::Restorer => "word restorer",
            });
        }
        for loc in &state.locs {
            self.kind(&format!("mode {:?}", loc.mode));
            self.kind(layout(program, &loc.lay));
            let marks = [
                (!loc.live, "location that was given away"),
                (loc.hole.is_some(), "location with a cursor"),
                (loc.stretch.is_some(), "location for a stretch"),
                (loc.was.is_some(), "location that is lent"),
                (!loc.cells.is_empty(), "location with words"),
                (!loc.tags.is_empty(), "location with a tag"),
                (loc.addr.is_some(), "location with an address"),
            ];
            marks.iter().filter(|m| m.0).for_each(|m| self.kind(m.1));
        }
        if !state.facts.list().is_empty() {
            self.kind("facts");
        }
        if !state.incoming.is_empty() {
            self.kind("arguments on the stack");
        }
    }

    /// The report, as lines.
    #[must_use]
    pub fn report(&self, seeds: usize) -> Vec<String> {
        let all = reasons();
        let left: Vec<_> = all.iter().filter(|why| !self.reasons.contains(why.as_str())).collect();
        let seen = all.len() - left.len();
        let mut out = vec![
            format!("{seen} of {} reasons for which the core refuses were given", all.len()),
            format!("{} of {seeds} seeds have mutants that were accepted and run", self.seeds.len()),
        ];
        for (ia32, arch, name) in [(false, Arch::Amd64, "amd64"), (true, Arch::Ia32, "ia32")] {
            let rows = rows().iter().enumerate().filter(|(_, row)| row.archs.has(arch));
            let (have, left): (Vec<_>, Vec<_>) =
                rows.partition(|(n, _)| self.rows.contains(&(ia32, *n as u16)));
            let total = have.len() + left.len();
            out.push(format!(
                "{} of {total} rows of instructions for {name} are in such mutants",
                have.len()
            ));
            out.extend(
                left.iter().map(|(_, row)| format!("    not in one: {} {:?}", row.mnemonic, row.args)),
            );
        }
        out.push(format!(
            "{} of {} kinds of words, memory and steps are in such mutants",
            self.kinds.len(),
            KINDS
        ));
        out.extend(self.kinds.iter().map(|k| format!("    {k}")));
        out.push(format!("{} reasons were never given:", left.len()));
        out.extend(left.iter().map(|why| format!("    {why}")));
        out
    }
}

/// How many kinds there are: 9 words of labels, 7 modes, 13 layouts, 8 steps, 7 marks of locations, and two more.
const KINDS: usize = 10 + Mode::ALL.len() + 13 + 8 + 7 + 2 - 1;

fn layout(program: &Program<'_>, lay: &Lay) -> &'static str {
    use talcore::types::Layout::{
        Array, Bytes, Cell, Cstr, Exact, Exists, Foreign, NullTerm, Num, Of, Seq, Struct,
    };
    match program.types.layout(lay.id) {
        Bytes(_) => "layout bytes",
        Cstr(_) => "layout string",
        Cell(_) => "layout cell",
        Num(..) => "layout number",
        Foreign(_) => "layout foreign",
        Exact(..) => "layout exact number",
        Array(..) => "layout array",
        NullTerm(..) => "layout words up to a 0",
        Struct(s, _) => match program.types.strukt(*s).body {
            talcore::types::Body::Union { .. } => "layout union",
            _ => "layout struct",
        },
        Seq(_) => "layout one after the other",
        Of(..) => "layout of a variable",
        Exists(_) => "layout that hides",
    }
}

/// Phrases of the core's source that say why something is refused: texts of several words that begin with a small
/// letter and stand in code. What the reader of the interface table says is about no file.
fn reasons() -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    let mut waiting = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("../talcore/src")];
    while let Some(path) = waiting.pop() {
        if path.file_stem().is_some_and(|name| name == "abi" || name == "tests") {
            continue;
        }
        if let Ok(entries) = fs::read_dir(&path) {
            waiting.extend(entries.flatten().map(|e| e.path()));
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = fs::read_to_string(&path).unwrap_or_default();
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            for line in code.lines().filter(|l| !l.trim_start().starts_with("//")) {
                let phrases = line.split('"').skip(1).step_by(2);
                let phrase = |p: &&str| p.starts_with(|c: char| c.is_lowercase()) && p.split(' ').count() > 2;
                all.extend(phrases.filter(phrase).map(str::to_string));
            }
        }
    }
    all
}
