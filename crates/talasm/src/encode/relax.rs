//! The lengths of branches: short where they reach.
//!
//! All branches start short. One that does not reach grows, which may push others out of reach.
//! Only a branch whose short form still reaches can be affected, and it is near: its whole span is
//! at most 128 bytes, so each growing branch looks at a bounded number of neighbours, and the work is
//! linear. The result is the least one: no branch is long that could be short.

use talcore::x86::insn::Cond;

/// What a branch is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// `jmp`.
    Jmp,
    /// A conditional jump.
    Jcc(Cond),
    /// `jrcxz`, which has no long form.
    Jcxz,
}

impl Kind {
    const fn long(self) -> u8 {
        match self {
            Kind::Jmp => 5,
            Kind::Jcc(_) => 6,
            Kind::Jcxz => SHORT,
        }
    }
}

/// The length of every short form.
const SHORT: u8 = 2;

/// A branch in code from which all branches were taken out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Branch {
    pub(super) kind: Kind,
    /// Its offset, bytes, not counting branches.
    pub(super) at: u32,
    /// Its target's offset, bytes, not counting branches.
    pub(super) target: u32,
    /// How many branches come before the target.
    pub(super) target_branch: u32,
}

/// The length of each branch (in order of the code), and the indices of those that cannot
/// reach at any length.
pub(super) fn lengths(branches: &[Branch]) -> (Vec<u8>, Vec<usize>) {
    let mut r = Relaxation {
        branches,
        lengths: vec![SHORT; branches.len()],
        distances: Vec::with_capacity(branches.len()),
        grown: Vec::new(),
        unreachable: Vec::new(),
    };
    for (b, i) in branches.iter().zip(0i64..) {
        let target = i64::from(b.target) + i64::from(SHORT) * i64::from(b.target_branch);
        r.distances.push(target - (short_position(b, i) + i64::from(SHORT)));
    }
    for i in 0..branches.len() {
        r.check(i);
    }
    while let Some(i) = r.grown.pop() {
        r.push_apart(i);
    }
    r.unreachable.sort_unstable();
    r.unreachable.dedup();
    (r.lengths, r.unreachable)
}

/// Where a branch would be if all were short. Never beyond where it is.
fn short_position(b: &Branch, index: i64) -> i64 {
    i64::from(b.at) + i64::from(SHORT) * index
}

struct Relaxation<'a> {
    branches: &'a [Branch],
    lengths: Vec<u8>,
    /// From the end of the branch to its target; kept up to date for short branches.
    distances: Vec<i64>,
    grown: Vec<usize>,
    unreachable: Vec<usize>,
}

impl Relaxation<'_> {
    /// Lets a short branch grow if it does not reach.
    fn check(&mut self, i: usize) {
        let long = self.branches[i].kind.long();
        if i8::try_from(self.distances[i]).is_ok() || self.lengths[i] != SHORT {
            return;
        }
        if long == SHORT {
            self.unreachable.push(i);
        } else {
            self.lengths[i] = long;
            self.grown.push(i);
        }
    }

    /// Adds the growth of branch `i` to the distances of the short branches that span it.
    fn push_apart(&mut self, i: usize) {
        const REACH: i64 = 128 + SHORT as i64;
        let growth = i64::from(self.branches[i].kind.long() - SHORT);
        let here = short_position(&self.branches[i], i as i64);
        let near = |j: usize, b: &Branch| (short_position(b, j as i64) - here).abs() <= REACH;
        let branches = self.branches;
        for j in (0..i).rev() {
            if !near(j, &branches[j]) {
                break;
            }
            if branches[j].target_branch as usize > i {
                self.distances[j] += growth;
                self.check(j);
            }
        }
        for (j, b) in branches.iter().enumerate().skip(i + 1) {
            if !near(j, b) {
                break;
            }
            if b.target_branch as usize <= i {
                self.distances[j] -= growth;
                self.check(j);
            }
        }
    }
}

/// Appends a branch of a length that [`lengths`] gave.
pub(super) fn write(out: &mut Vec<u8>, kind: Kind, length: u8, distance: i32) {
    if length == SHORT {
        let opcode = match kind {
            Kind::Jmp => 0xeb,
            Kind::Jcc(cond) => 0x70 + cond as u8,
            Kind::Jcxz => 0xe3,
        };
        out.extend([opcode, distance as u8]);
        return;
    }
    match kind {
        Kind::Jcc(cond) => out.extend([0x0f, 0x80 + cond as u8]),
        Kind::Jmp | Kind::Jcxz => out.push(0xe9),
    }
    out.extend(distance.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same by the book: all short, grow, start again until nothing changes.
    fn slowly(branches: &[Branch]) -> Vec<u8> {
        let mut lengths = vec![SHORT; branches.len()];
        loop {
            let before = |n: usize| lengths[..n].iter().map(|&l| i64::from(l)).sum::<i64>();
            let mut next = lengths.clone();
            for (i, b) in branches.iter().enumerate() {
                let target = i64::from(b.target) + before(b.target_branch as usize);
                let distance = target - (i64::from(b.at) + before(i + 1));
                if i8::try_from(distance).is_err() {
                    next[i] = b.kind.long();
                }
            }
            if next == lengths {
                return lengths;
            }
            lengths = next;
        }
    }

    #[test]
    fn agrees_with_repeated_passes() {
        let mut rng = fastrand::Rng::with_seed(7);
        for _ in 0..300 {
            let n = rng.usize(1..120);
            let gap = rng.u32(1..12);
            let mut at = Vec::new();
            let mut here = 0;
            for _ in 0..n {
                here += rng.u32(0..gap);
                at.push(here);
            }
            let branches: Vec<Branch> = at
                .iter()
                .map(|&at_i| {
                    let k = rng.usize(0..=n);
                    // A target between branch k - 1 and branch k.
                    let lo = if k == 0 { 0 } else { at[k - 1] };
                    let hi = at.get(k).copied().unwrap_or(here + 9);
                    let kind = if rng.bool() { Kind::Jmp } else { Kind::Jcc(Cond::E) };
                    Branch { kind, at: at_i, target: rng.u32(lo..=hi), target_branch: k as u32 }
                })
                .collect();
            let (fast, unreachable) = lengths(&branches);
            assert_eq!(fast, slowly(&branches));
            assert!(unreachable.is_empty());
        }
    }

    #[test]
    fn growth_spreads_along_a_chain() {
        // Each branch just reaches over the next one, and the last one does not reach at all.
        let n = 300;
        let mut chain: Vec<Branch> = (0..n)
            .map(|i| Branch {
                kind: Kind::Jmp,
                at: 123 * i,
                target: 123 * i + 125,
                target_branch: (i + 2).min(n),
            })
            .collect();
        let (fast, _) = lengths(&chain);
        assert!(fast.iter().all(|&l| l == 2));
        chain[n as usize - 1].target += 100;
        let (fast, _) = lengths(&chain);
        assert_eq!(fast, slowly(&chain));
        assert!(fast.iter().all(|&l| l == 5));
    }

    #[test]
    fn a_short_branch_that_does_not_reach_is_reported() {
        let far = Branch { kind: Kind::Jcxz, at: 0, target: 200, target_branch: 1 };
        assert_eq!(lengths(&[far]), (vec![2], vec![0]));
    }
}
