//! What was executed, and what was not.

use super::draw;
use fastrand::Rng;
use std::collections::{BTreeMap, BTreeSet};
use talcore::arch::Arch;
use talcore::x86::decode::decode;
use talcore::x86::insn::{Cond, Insn, Op, Width};
use talcore::x86::table::{self, rows};

/// A row of the table at a width, with the width of its source.
type Shape = (u16, Width, Width);

/// What wrote the flags, what read them, and the number of the condition.
type Reading = (Op, Op, u8);

/// How often what was executed.
pub struct Coverage {
    arch: Arch,
    /// All that the table allows.
    all: BTreeSet<Shape>,
    rows: BTreeMap<u16, u64>,
    shapes: BTreeMap<Shape, u64>,
    readings: BTreeMap<Reading, u64>,
}

/// Why an instruction is not executed here: what follows it is not of the function, or nothing follows.
pub(super) fn elsewhere(op: Op) -> Option<&'static str> {
    Some(match op {
        Op::Ret => "nothing of the function is left to compare; `call` executes one",
        Op::RetImm => "no rule accepts it",
        Op::JmpInd => "leads to labels of a table, or ends the function; files of tests jump through tables",
        Op::Syscall => "is accepted in the stub only; calls are made for real by `tests/syscalls`",
        Op::Ud2 => "traps; nothing follows",
        Op::Invalid => "is no instruction",
        _ => return None,
    })
}

/// What is told of an instruction that writes flags.
pub(super) fn writer(insn: &Insn) -> Option<(Op, Width)> {
    let row = table::row(insn.row)?;
    (!row.flags.writes.is_empty() || insn.op == Op::Call || insn.op == Op::CallInd)
        .then_some((insn.op, insn.width))
}

fn conditional(op: Op) -> bool {
    matches!(op, Op::Jcc | Op::Setcc | Op::Cmovcc)
}

impl Coverage {
    /// Of nothing.
    pub(super) fn new(arch: Arch) -> Coverage {
        let mut all = BTreeSet::new();
        let rng = &mut Rng::with_seed(0);
        for row in rows().iter().filter(|row| row.archs.has(arch) && elsewhere(row.op).is_none()) {
            for _ in 0..400 {
                let bytes = draw::encoding(arch, row, rng);
                if let Ok(insn) = decode(arch, &bytes, super::CODE) {
                    all.insert((insn.row, insn.width, insn.src_width));
                }
            }
        }
        let (rows, shapes, readings) = Default::default();
        Coverage { arch, all, rows, shapes, readings }
    }

    /// An instruction was executed, with flags of this one.
    pub(super) fn add(&mut self, insn: &Insn, flags: Option<(Op, Width)>) {
        *self.rows.entry(insn.row).or_default() += 1;
        *self.shapes.entry((insn.row, insn.width, insn.src_width)).or_default() += 1;
        if let (Some((by, _)), true) = (flags, conditional(insn.op)) {
            *self.readings.entry((by, insn.op, insn.cond as u8)).or_default() += 1;
        }
    }

    /// How often this row was executed.
    pub(super) fn of_row(&self, row: u16) -> u64 {
        self.rows.get(&row).copied().unwrap_or(0)
    }

    /// How often an instruction like this was executed: of this shape, or, if it reads a condition, with flags of the
    /// same.
    pub(super) fn of(&self, insn: &Insn, flags: Option<(Op, Width)>) -> u64 {
        let times = match flags {
            Some((by, _)) if conditional(insn.op) => self.readings.get(&(by, insn.op, insn.cond as u8)),
            _ => self.shapes.get(&(insn.row, insn.width, insn.src_width)),
        };
        times.copied().unwrap_or(0)
    }

    /// What was not executed yet: each row that control does not leave by, at each width; and each condition, of each
    /// kind.
    pub fn left(&self) -> Vec<String> {
        let shapes = self.all.iter().filter(|shape| !self.shapes.contains_key(shape));
        let mut left: Vec<String> = shapes
            .filter_map(|(row, width, source)| {
                let row = table::row(*row)?;
                let (to, from) = (width.bits(), source.bits());
                Some(format!("{} {:?} of {to} bits from {from}", row.mnemonic, row.args))
            })
            .collect();
        for op in [Op::Jcc, Op::Setcc, Op::Cmovcc] {
            let read = |cond| self.readings.keys().any(|(_, o, c)| (*o, *c) == (op, cond as u8));
            left.extend(Cond::ALL.into_iter().filter(|c| !read(*c)).map(|c| format!("{op:?} {c:?}")));
        }
        // Those that are not drawn, and of which the widths that were met above say nothing.
        let missing = rows().iter().enumerate().filter(|(n, row)| {
            row.archs.has(self.arch)
                && elsewhere(row.op).is_none()
                && !self.all.iter().any(|shape| usize::from(shape.0) == *n)
        });
        left.extend(missing.map(|(_, row)| format!("{} {:?} was never drawn", row.mnemonic, row.args)));
        left
    }

    /// Counts, for people.
    #[must_use]
    pub fn summary(&self) -> String {
        let of_arch = rows().iter().filter(|row| row.archs.has(self.arch));
        let writers: BTreeSet<Op> = of_arch
            .clone()
            .filter(|row| !row.flags.writes.is_empty() && elsewhere(row.op).is_none())
            .map(|row| row.op)
            .collect();
        let total: u64 = self.rows.values().sum();
        format!(
            "{total} instructions: {} of {} rows of the table, {} of {} rows at a width; conditions read of flags by what \
             wrote them: {} of {}",
            self.rows.len(),
            of_arch.clone().filter(|row| elsewhere(row.op).is_none()).count(),
            self.shapes.len(),
            self.all.len(),
            self.readings.keys().filter(|r| writers.contains(&r.0)).count(),
            writers.len() * 16 * 3,
        )
    }
}
