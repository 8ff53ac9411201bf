//! Other instructions in the place of one, so that all that follows stays where it is.

use super::subject::Part;
use crate::cpu::encoding;
use fastrand::Rng;
use std::ops::Range;
use talcore::arch::Arch;
use talcore::x86::decode::decode;
use talcore::x86::table::rows;

/// Instructions of other functions, by their lengths.
#[derive(Default)]
pub(super) struct Donors {
    by_length: Vec<Vec<Vec<u8>>>,
}

/// How many instructions of one length are kept.
const MOST: usize = 4_000;

impl Donors {
    pub(super) fn add(&mut self, part: &Part, code: &[u8]) {
        self.by_length.resize(16, Vec::new());
        for insn in &part.insns {
            if let (Some(list), Some(bytes)) = (self.by_length.get_mut(insn.len()), code.get(insn.clone()))
                && list.len() < MOST
            {
                list.push(bytes.to_vec());
            }
        }
    }

    fn one(&self, length: usize, rng: &mut Rng) -> Option<&[u8]> {
        let list = self.by_length.get(length)?;
        list.get(rng.usize(..list.len().max(1))).map(Vec::as_slice)
    }
}

/// Changes an instruction or two. Answers how.
pub(super) fn mutate(
    arch: Arch,
    part: &Part,
    donors: &Donors,
    code: &mut [u8],
    rng: &mut Rng,
) -> &'static str {
    let mut what = "nothing";
    if part.insns.is_empty() {
        return what;
    }
    for _ in 0..[1, 1, 1, 2][rng.usize(..4)] {
        let i = rng.usize(..part.insns.len());
        what = one(arch, &part.insns, i, donors, code, rng);
    }
    what
}

fn one(
    arch: Arch,
    insns: &[Range<usize>],
    i: usize,
    donors: &Donors,
    code: &mut [u8],
    rng: &mut Rng,
) -> &'static str {
    let place = insns[i].clone();
    let last = place.end - 1;
    match rng.u8(..16) {
        0 => {
            code[place].fill(0x90);
            "an instruction left out"
        }
        1..4 => {
            if let Some(other) = donors.one(place.len(), rng) {
                code[place].copy_from_slice(other);
            }
            "an instruction of another function"
        }
        4..6 => {
            // One of the table, with room left over.
            let rows = rows();
            for _ in 0..8 {
                let bytes = encoding(arch, &rows[rng.usize(..rows.len())], rng);
                if let Ok(insn) = decode(arch, &bytes, 0)
                    && usize::from(insn.len) <= place.len()
                {
                    let n = usize::from(insn.len);
                    code[place.start..place.start + n].copy_from_slice(&bytes[..n]);
                    code[place.start + n..place.end].fill(0x90);
                    break;
                }
            }
            "an instruction of the table"
        }
        6..8 => {
            code[last] = match rng.u8(..5) {
                0 => code[last].wrapping_add(1),
                1 => code[last].wrapping_sub(1),
                2 => code[last].wrapping_add(8),
                3 => code[last] ^ 0x80,
                _ => rng.u8(..),
            };
            "the last byte"
        }
        8 => match insns.get(i + 1) {
            Some(next) => {
                code[place.start..next.end].rotate_left(place.len());
                "two instructions exchanged"
            }
            None => "nothing",
        },
        9 => {
            let same: Vec<_> = insns.iter().filter(|o| o.len() == place.len()).collect();
            let from = same[rng.usize(..same.len())].clone();
            code.copy_within(from, place.start);
            "an instruction of the function"
        }
        10 => {
            // The condition of a jump, a move or a set.
            match code[place.clone()] {
                [0x70..=0x7f, ..] => code[place.start] ^= 1 << rng.u8(..4),
                [0x0f, 0x40..=0x4f | 0x80..=0x9f, ..] => code[place.start + 1] ^= 1 << rng.u8(..4),
                _ => code[place.start] ^= 1 << rng.u8(..4),
            }
            "a condition"
        }
        11 => {
            // A short jump goes elsewhere.
            let to = insns[rng.usize(..insns.len())].start;
            if let ([0x70..=0x7f | 0xeb, _], Ok(by)) =
                (&code[place.clone()], i8::try_from(to as i64 - place.end as i64))
            {
                code[last] = by as u8;
            }
            "the target of a jump"
        }
        _ => {
            let at = rng.usize(place);
            code[at] ^= 1 << rng.u8(..8);
            "a bit"
        }
    }
}
