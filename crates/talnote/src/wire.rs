//! The primitive encodings of the note format: numbers, terms, intervals.
//!
//! The format is specified in `talcore::note`; annotation streams use the same primitives.

use talcore::facts::{Interval, NEG_INF, POS_INF};
use talcore::term::Term;

/// Appends an unsigned LEB128.
pub fn uleb(out: &mut Vec<u8>, mut value: u128) {
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            return out.push(low);
        }
        out.push(low | 0x80);
    }
}

/// Appends a signed LEB128.
pub fn sleb(out: &mut Vec<u8>, mut value: i128) {
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        // The last byte's bit 6 is the sign of the whole number.
        if (value == 0 && low & 0x40 == 0) || (value == -1 && low & 0x40 != 0) {
            return out.push(low);
        }
        out.push(low | 0x80);
    }
}

/// Appends a count or an index.
pub fn count(out: &mut Vec<u8>, n: usize) {
    uleb(out, n as u128);
}

/// Appends a term: constant, number of summands, summands in increasing order of variables.
pub fn term(out: &mut Vec<u8>, t: &Term) {
    sleb(out, t.konst());
    count(out, t.summands().len());
    for &(var, coefficient) in t.summands().iter() {
        uleb(out, var.into());
        sleb(out, coefficient.into());
    }
}

/// Appends a counted list of terms.
pub fn terms(out: &mut Vec<u8>, list: &[Term]) {
    count(out, list.len());
    for t in list {
        term(out, t);
    }
}

/// Appends an interval in the shortest form the format has for it. `word_bits` is the size of the
/// machine word, which some of the short forms speak of.
pub fn interval(out: &mut Vec<u8>, i: &Interval, word_bits: u32) {
    let short = [
        Interval::ALL,
        Interval::new(0, Interval::signed(word_bits).hi),
        Interval::unsigned(word_bits),
        Interval::unsigned(8),
        Interval::unsigned(16),
        Interval::unsigned(32),
        Interval::unsigned(1),
    ];
    if let Some(tag) = short.iter().position(|s| s == i) {
        return out.push(tag as u8);
    }
    match (i.lo, i.hi) {
        (lo, POS_INF) => {
            out.push(8);
            sleb(out, lo);
        }
        (NEG_INF, hi) => {
            out.push(9);
            sleb(out, hi);
        }
        (0, hi) if hi >= 0 => {
            out.push(10);
            uleb(out, hi as u128);
        }
        (lo, hi) => {
            out.push(7);
            sleb(out, lo);
            sleb(out, hi);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(f: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::new();
        f(&mut out);
        out
    }

    #[test]
    fn numbers_as_the_dwarf_standard_shows_them() {
        for (value, bytes) in [(2, &[2][..]), (127, &[127]), (128, &[0x80, 1]), (12857, &[0xb9, 0x64])] {
            assert_eq!(written(|o| uleb(o, value)), bytes);
        }
        for (value, bytes) in
            [(2, &[2][..]), (-2, &[0x7e]), (127, &[0xff, 0]), (-127, &[0x81, 0x7f]), (-128, &[0x80, 0x7f])]
        {
            assert_eq!(written(|o| sleb(o, value)), bytes);
        }
        assert_eq!(written(|o| uleb(o, u128::MAX)).len(), 19);
        assert_eq!(written(|o| sleb(o, i128::MIN)).len(), 19);
    }

    #[test]
    fn intervals_take_the_shortest_form() {
        assert_eq!(written(|o| interval(o, &Interval::unsigned(64), 64)), [2]);
        assert_eq!(written(|o| interval(o, &Interval::unsigned(32), 64)), [5]);
        // On a machine with 32-bit words, tag 2 comes first and says the same.
        assert_eq!(written(|o| interval(o, &Interval::unsigned(32), 32)), [2]);
        assert_eq!(written(|o| interval(o, &Interval::new(0, 7), 64)), [10, 7]);
        assert_eq!(written(|o| interval(o, &Interval::new(-1, 7), 64)), [7, 0x7f, 7]);
        assert_eq!(written(|o| interval(o, &Interval::new(1, POS_INF), 64)), [8, 1]);
        assert_eq!(written(|o| interval(o, &Interval::new(NEG_INF, 1), 64)), [9, 1]);
    }
}
