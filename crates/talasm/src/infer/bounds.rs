//! Bounds and facts of a label that an edge does not prove: they are weakened.

use super::address::speaks_of_address;
use super::code::Code;
use super::join::Join;
use super::label::{Frame, Label};
use super::project::concrete;
use std::collections::BTreeSet;
use std::rc::Rc;
use talcore::facts::{Facts, Interval, NEG_INF, POS_INF};
use talcore::program::Program;
use talcore::state::{State, Word};
use talcore::term::{Term, Var};
use talcore::x86::insn::{Arg, Op};

/// Facts that one label may weaken; after that they are dropped, so that the search ends.
const MOST_WEAKENED: usize = 32;
/// How often bounds go to the next landmark of the function; after that only to those of the variable.
const MOST_WIDENED: u32 = 12;

/// Bounds worth trying, in increasing order.
#[derive(Default)]
pub(super) struct Landmarks {
    /// Those that the function compares a register with.
    pub(super) of: [Vec<i128>; 16],
    /// Those that the function itself speaks of.
    pub(super) own: Vec<i128>,
    /// The ends of types.
    pub(super) general: Vec<i128>,
}

impl Landmarks {
    /// The least one that is greater than `low`, less than `high` and holds as an upper bound; if one holds,
    /// all greater ones do.
    pub(super) fn upper(
        marks: &[i128],
        low: i128,
        high: i128,
        mut holds: impl FnMut(i128) -> bool,
    ) -> Option<i128> {
        let marks = &marks[marks.partition_point(|m| *m <= low)..];
        let marks = &marks[..marks.partition_point(|m| *m < high)];
        marks.get(marks.partition_point(|m| !holds(*m))).copied()
    }

    /// The same for lower bounds.
    fn lower(marks: &[i128], low: i128, high: i128, mut holds: impl FnMut(i128) -> bool) -> Option<i128> {
        let marks = &marks[..marks.partition_point(|m| *m < high)];
        let marks = &marks[marks.partition_point(|m| *m <= low)..];
        marks.get(marks.partition_point(|m| holds(*m)).checked_sub(1)?).copied()
    }
}

/// Bounds that are worth trying: the ends of types, and what the function compares with.
pub(super) fn landmarks(program: &Program<'_>, code: &Code, entry: &State) -> Landmarks {
    const MOST: usize = 128;
    let w = program.arch.word_bits();
    let mut general: BTreeSet<i128> = BTreeSet::from([0, 1, -1, -4095, 255, 65535]);
    for bits in [31, 32, w - 1, w] {
        general.extend([(1 << bits) - 1, -(1 << bits)]);
    }
    general.extend([program.arch.max_address(), program.arch.max_object()]);
    for v in 0..entry.facts.var_count() {
        let range = entry.facts.interval(v as u32);
        general.extend([range.lo, range.hi]);
    }
    general.remove(&i128::MIN);
    general.remove(&i128::MAX);
    let mut own: BTreeSet<i128> = BTreeSet::from([0]);
    let mut of: [BTreeSet<i128>; 16] = Default::default();
    let mut steps: BTreeSet<i128> = BTreeSet::from([1]);
    for (_, insn) in &code.insns {
        let c = i128::from(insn.imm);
        let compared = matches!(insn.op, Op::Cmp | Op::Sub) || insn.op == Op::And && is_mask(insn.imm);
        if insn.args.contains(&Arg::Imm) && compared {
            own.extend([c, -c]);
            if let Arg::Reg(r) = insn.args[0] {
                of[usize::from(r.0 & 15)].extend([c, -c]);
            }
        }
        if insn.args.contains(&Arg::Imm) && matches!(insn.op, Op::Add | Op::Sub) && steps.len() < 4 {
            steps.insert(c.abs().max(1));
        }
        let memory = insn.args.contains(&Arg::Mem);
        let address = if memory { insn.mem.disp } else { insn.imm };
        if let Some((o, _)) = program.object_at(address as u64)
            && let Some(o) = program.objects.get(o as usize)
        {
            let size = i128::from(o.size);
            own.insert(size);
            if let Some(r) = insn.mem.index.filter(|_| memory) {
                of[usize::from(r.0 & 15)].insert(size / i128::from(insn.mem.scale.max(1)));
            }
            if let Some(r) = insn.mem.base.filter(|_| memory) {
                of[usize::from(r.0 & 15)].insert(size);
            }
        }
        if own.len() > MOST {
            break;
        }
    }
    // A counter of steps gets as far as the number of steps.
    let around = |set: &BTreeSet<i128>, steps: &BTreeSet<i128>| -> Vec<i128> {
        let parts = set.iter().flat_map(|c| steps.iter().map(|s| c.div_euclid(*s)));
        parts.flat_map(|c| [c - 1, c, c + 1]).collect::<BTreeSet<_>>().into_iter().collect()
    };
    Landmarks {
        of: of.map(|set| around(&set, &steps)),
        own: around(&own, &steps),
        general: general.into_iter().collect(),
    }
}

/// Whether `and` with the constant keeps the lowest bits, or all but those.
fn is_mask(c: i64) -> bool {
    (c as u64).wrapping_add(1).is_power_of_two() || (c as u64).wrapping_neg().is_power_of_two()
}

impl Label {
    /// Takes the bounds that the edges keep where these are narrower than the ones that the label was widened to;
    /// answers whether there are some.
    pub(super) fn narrow<'s>(&mut self, f: &Frame<'_>, edges: impl Iterator<Item = &'s Rc<State>>) -> bool {
        let first = f.vars() as usize;
        let (vars, locs) = (self.vars.len() - first, self.state.locs.len() - f.locs() as usize);
        let mut kept: Option<Vec<Interval>> = None;
        for edge in edges {
            let mut j = Join::new(f, concrete(f, edge), vars, locs);
            j.bind(&self.state);
            let have = (first..self.vars.len()).map(|v| match j.apply(&Term::var(v as Var)) {
                Some(t) => j.proved_range(&t, self.vars[v]),
                None => Interval::ALL,
            });
            kept = Some(match kept {
                None => have.collect(),
                Some(kept) => kept
                    .iter()
                    .zip(have)
                    .map(|(a, b)| Interval::new(a.lo.min(b.lo), a.hi.max(b.hi)))
                    .collect(),
            });
        }
        let mut changed = false;
        for (range, kept) in self.vars.iter_mut().skip(first).zip(kept.unwrap_or_default()) {
            let narrower = Interval::new(range.lo.max(kept.lo), range.hi.min(kept.hi));
            if narrower.lo > narrower.hi {
                // As in `rebuild`: no execution takes these edges.
                continue;
            }
            changed |= narrower != *range;
            *range = narrower;
        }
        if changed {
            self.rebuild(f);
        }
        changed
    }

    /// Weakens the facts that the edge does not prove by a constant, or drops them.
    pub(super) fn keep_facts(&mut self, j: &mut Join<'_, '_>) {
        let facts = std::mem::take(&mut self.facts);
        for fact in facts {
            if j.proves(&fact) {
                self.facts.push(fact);
                continue;
            }
            j.changed = true;
            let spent = self.weakened.len() >= MOST_WEAKENED || self.weakened.contains(&fact);
            if spent || speaks_of_address(&self.state, &fact) {
                continue;
            }
            let weaker = [1, 2, 4, 8, 16].into_iter().filter_map(|c| fact.offset(c)).find(|t| j.proves(t));
            if let Some(weaker) = weaker.filter(|t| !self.facts.contains(t)) {
                self.weakened.push(weaker.clone());
                self.facts.push(weaker);
            }
        }
    }

    /// Widens the bounds that the edge does not prove: just as far as needed, or, if a loop shall settle, to
    /// the next landmark of the function, else to what facts say, else to the next end of a type.
    pub(super) fn keep_bounds(&mut self, j: &mut Join<'_, '_>, widen: bool) {
        let rigid = j.f.vars();
        let all = Interval::new(i128::MIN + 1, i128::MAX - 1);
        let own = if self.widened < MOST_WIDENED { &j.f.landmarks.own[..] } else { &[] };
        let general = &j.f.landmarks.general[..];
        let mut wider = false;
        for v in 0..self.vars.len() as u32 {
            let range = self.vars[v as usize];
            let Some(t) = j.apply(&Term::var(v)) else { continue };
            let have = j.s.facts.range(&t);
            if have.within(&range) {
                continue;
            }
            let implied = if widen { self.implied(v) } else { Interval::ALL };
            let mut near: Vec<i128> =
                self.holders(v).flat_map(|r| &j.f.landmarks.of[r]).chain(own).copied().collect();
            near.sort_unstable();
            let mut wide = range;
            if have.lo < range.lo && !j.at_least(&t, range.lo) {
                let holds = |m: i128| j.at_least(&t, m);
                let low = if widen { implied.lo } else { have.lo };
                let find = |marks: &[i128], low: i128| {
                    Landmarks::lower(marks, low.max(all.lo), range.lo, |m| m <= have.lo || holds(m))
                };
                wide.lo = find(&near, low)
                    .or(Some(implied.lo).filter(|m| *m != NEG_INF && holds(*m)))
                    .or_else(|| find(general, low))
                    .unwrap_or(if widen { NEG_INF } else { have.lo });
            }
            if have.hi > range.hi && !j.at_most(&t, range.hi) {
                let holds = |m: i128| j.at_most(&t, m);
                let high = if widen { implied.hi } else { have.hi };
                let find = |marks: &[i128], high: i128| {
                    Landmarks::upper(marks, range.hi, high.min(all.hi), |m| m >= have.hi || holds(m))
                };
                wide.hi = find(&near, high)
                    .or(Some(implied.hi).filter(|m| *m != POS_INF && holds(*m)))
                    .or_else(|| find(general, high))
                    .unwrap_or(if widen { POS_INF } else { have.hi });
            }
            if v < rigid {
                // An argument keeps at least what the signature says.
                let entry = j.f.entry.facts.interval(v);
                wide = Interval::new(wide.lo.max(entry.lo), wide.hi.min(entry.hi));
            }
            if let Some(pin) = &self.pin {
                wide = pin.range(j.f, v, wide);
            }
            if wide != range {
                self.vars[v as usize] = wide;
                wider = true;
            }
        }
        j.changed |= wider;
        self.widened += u32::from(wider && widen);
    }

    /// The registers whose values depend on a variable.
    pub(super) fn holders(&self, v: Var) -> impl Iterator<Item = usize> {
        let regs = self.state.regs.iter().enumerate();
        regs.filter(move |(_, w)| matches!(w, Word::Int(t) if t.coefficient(v) != 0)).map(|r| r.0)
    }

    /// What the facts say about a variable, given the intervals of the others.
    pub(super) fn implied(&self, v: Var) -> Interval {
        let mut bare = Facts::default();
        for range in &self.vars {
            bare.fresh(*range);
        }
        let mut out = Interval::ALL;
        for fact in &self.facts {
            let c = i128::from(fact.coefficient(v));
            let Some(rest) = fact.add_scaled(&Term::var(v), -c).filter(|_| c != 0) else { continue };
            // c*v + rest >= 0.
            let most = bare.range(&rest).hi;
            if most == POS_INF {
                continue;
            }
            if c > 0 {
                out.lo = out.lo.max((-most).div_euclid(c) + i128::from((-most).rem_euclid(c) != 0));
            } else {
                out.hi = out.hi.min(most.div_euclid(-c));
            }
        }
        out
    }
}
