//! From drafts to code: branches get their lengths, functions their places.

use super::relax::{self, Branch};
use super::{Draft, DraftPos, FUNCTION_ALIGN, FunctionCode, InsnAt, Reloc, RelocKind, TOO_FAR, TRAP, Target};
use crate::ir::{Function, Module, Place};
use crate::problem::Problem;
use talcore::guide::{Ghost, Step};

/// Puts functions one after the other, with their branches in between.
pub(super) struct Linearizer<'m> {
    module: &'m Module,
    raw: Vec<u8>,
    pub(super) text: Vec<u8>,
    pub(super) functions: Vec<FunctionCode>,
    relocs: Vec<Reloc>,
    /// Whether the buffer is complete: after a mistake, nothing is laid out.
    complete: bool,
}

impl<'m> Linearizer<'m> {
    pub(super) fn new(module: &'m Module, raw: Vec<u8>, complete: bool) -> Linearizer<'m> {
        let text = Vec::with_capacity(raw.len() + raw.len() / 8);
        Linearizer { module, raw, text, functions: Vec::new(), relocs: Vec::new(), complete }
    }

    pub(super) fn place(&mut self, f: &Function, mut d: Draft, problems: &mut Vec<Problem>) {
        let mut branches = Vec::with_capacity(d.branches.len());
        for b in &d.branches {
            // The front end reports labels that are used and not defined.
            let target = d.labels.get(b.target.0 as usize).copied().flatten().unwrap_or(b.at);
            branches.push(Branch {
                kind: b.kind,
                at: b.at.raw - d.start,
                target: target.raw - d.start,
                target_branch: target.branches,
            });
        }
        let (lengths, unreachable) = relax::lengths(&branches);
        for i in unreachable {
            let target = &f.labels[d.branches[i].target.0 as usize];
            problems.push(
                Problem::new(TOO_FAR, d.branches[i].span, format!("`{}` is too far for this jump", target.0))
                    .near(target.1, "the label")
                    .note("jumps that test the counter reach 127 bytes at most")
                    .help("use `test` and `jz`"),
            );
        }
        if !self.complete || !problems.is_empty() {
            return;
        }
        self.text.resize(self.text.len().next_multiple_of(FUNCTION_ALIGN), TRAP);
        let start = self.text.len() as u32;

        // Offsets of instructions: those of the buffer, plus the branches before them.
        let mut grown = 0;
        let mut next = 0;
        let mut insns = Vec::with_capacity(d.insns.len());
        for (&(raw, item), i) in d.insns.iter().zip(0u32..) {
            insns.push(InsnAt { offset: raw - d.start + grown, item });
            if d.branches.get(next).is_some_and(|b| b.at.insns == i) {
                grown += u32::from(lengths[next]);
                next += 1;
            }
        }
        let size = d.end - d.start + grown;
        let offset_of = |p: DraftPos| insns.get(p.insns as usize).map_or(size, |i| i.offset);
        let labels: Vec<u32> = d.labels.iter().map(|l| l.map_or(0, offset_of)).collect();

        let step = |(at, falls, ghost): &(DraftPos, bool, Ghost)| Step {
            at: offset_of(*at).into(),
            falls: *falls,
            ghost: *ghost,
        };
        let ghosts = d.ghosts.iter().map(step).collect();
        let mut copied = d.start as usize;
        for (b, &length) in d.branches.iter().zip(&lengths) {
            self.text.extend_from_slice(&self.raw[copied..b.at.raw as usize]);
            copied = b.at.raw as usize;
            let end = self.text.len() as u32 - start + u32::from(length);
            let distance = labels[b.target.0 as usize].wrapping_sub(end) as i32;
            relax::write(&mut self.text, b.kind, length, distance);
        }
        self.text.extend_from_slice(&self.raw[copied..d.end as usize]);

        for (insn, mut reloc) in d.fields.drain(..) {
            let within = reloc.at - d.insns[insn as usize].0;
            reloc.at = start + insns[insn as usize].offset + within;
            self.text[reloc.at as usize..][..reloc.kind.bytes()].fill(0);
            self.relocs.push(reloc);
        }
        self.functions.push(FunctionCode { start, size, insns, labels, ghosts });
    }

    /// Fills in distances within the code; answers what is left for the linker.
    pub(super) fn finish(&mut self) -> Vec<Reloc> {
        let mut left = Vec::new();
        for r in std::mem::take(&mut self.relocs) {
            let local = match r.target {
                Target::Sym(sym) => match self.module.symbols[sym.0 as usize].place {
                    Place::Function(f) => self.functions.get(f as usize),
                    _ => None,
                },
                _ => None,
            };
            match (local, r.kind) {
                (Some(f), RelocKind::Pc32 | RelocKind::Plt32) => {
                    let value = i64::from(f.start) + r.addend - i64::from(r.at);
                    self.text[r.at as usize..][..4].copy_from_slice(&(value as i32).to_le_bytes());
                }
                _ => left.push(r),
            }
        }
        left
    }
}
