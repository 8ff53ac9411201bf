//! Small damages to bytes.

use fastrand::Rng;
use std::ops::Range;

/// Changes something in a range that is not empty.
pub(super) fn nudge(bytes: &mut [u8], range: Range<usize>, rng: &mut Rng) {
    let at = rng.usize(range.clone());
    match rng.u8(..8) {
        0 | 1 => bytes[at] ^= 1 << rng.u8(..8),
        2 => bytes[at] = bytes[at].wrapping_add(1),
        3 => bytes[at] = bytes[at].wrapping_sub(1),
        4 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][rng.usize(..5)],
        5 => bytes[at] = bytes[rng.usize(range)],
        6 => bytes.swap(at, rng.usize(range)),
        _ => bytes[at] = rng.u8(..),
    }
}

/// Puts a number that readers like to stumble over into a field of 2, 4 or 8 bytes.
pub(super) fn number(bytes: &mut [u8], rng: &mut Rng) {
    let mut word = [0; 8];
    word[..bytes.len()].copy_from_slice(bytes);
    let old = u64::from_le_bytes(word);
    let new = match rng.u8(..8) {
        0 => 0,
        1 => u64::MAX >> rng.u8(..64),
        2 => 1 << rng.u8(..64),
        3 => old.wrapping_add(1),
        4 => old.wrapping_sub(1),
        5 => old.wrapping_add(1 << rng.u8(..16)),
        6 => old ^ 1 << rng.u8(..64),
        _ => rng.u64(..) >> rng.u8(..64),
    };
    let size = bytes.len();
    bytes.copy_from_slice(&new.to_le_bytes()[..size]);
}

/// Takes a piece out and puts it in elsewhere; the length of the range stays.
pub(super) fn shift(bytes: &mut [u8], range: Range<usize>, rng: &mut Rng) {
    let piece = &mut bytes[range];
    let from = rng.usize(..piece.len());
    let to = rng.usize(from..=piece.len().min(from + 40));
    let by = rng.usize(..=to - from);
    piece[from..to].rotate_left(by);
}
