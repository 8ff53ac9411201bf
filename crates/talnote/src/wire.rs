//! The primitive encodings of the note format: numbers, terms, intervals.
//!
//! The format is specified in `talcore::note`; annotation streams use the same primitives.

use talcore::codes::coded;
use talcore::facts::{Interval, NEG_INF, POS_INF};
use talcore::term::{Term, Var};

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

/// Appends a term in the shortest form the format has for it.
pub fn term(out: &mut Vec<u8>, t: &Term) {
    let konst = t.konst();
    let difference = |out: &mut Vec<u8>, v: Var, w: Var| {
        out.push(match konst {
            0 => 19,
            -1 => 20,
            _ => 18,
        });
        uleb(out, v.into());
        uleb(out, w.into());
        if konst != 0 && konst != -1 {
            sleb(out, konst);
        }
    };
    if let Some(id) = coded(t) {
        out.push(21);
        return uleb(out, id.0.into());
    }
    match *t.summands() {
        [] if (0..64).contains(&konst) => out.push(64 + konst as u8),
        [(v, 1)] if konst == 0 && v < 128 => out.push(128 + v as u8),
        [(v, 1)] => {
            out.push(17);
            uleb(out, v.into());
            sleb(out, konst);
        }
        [(v, 1), (w, -1)] | [(w, -1), (v, 1)] => difference(out, v, w),
        ref summands => {
            // A term has at most 16 summands.
            out.push(summands.len() as u8);
            sleb(out, konst);
            for &(var, coefficient) in summands {
                uleb(out, var.into());
                sleb(out, coefficient.into());
            }
        }
    }
}

/// Appends a counted list of terms.
pub fn terms(out: &mut Vec<u8>, list: &[Term]) {
    count(out, list.len());
    for t in list {
        term(out, t);
    }
}

/// Appends an interval in the shortest form the format has for it.
pub fn interval(out: &mut Vec<u8>, i: &Interval) {
    let least = |out: &mut Vec<u8>, tag: u8, lo: i128| {
        out.push(tag);
        sleb(out, lo);
    };
    match (i.lo, i.hi) {
        (NEG_INF, POS_INF) => out.push(0),
        (lo, POS_INF) => least(out, 2, lo),
        (NEG_INF, hi) => least(out, 3, hi),
        (lo, hi) => match (lo, power(hi.saturating_add(1)), power(hi)) {
            (0, Some(k), _) => out.push(128 + k),
            (0, _, Some(k)) if k < 64 => out.push(64 + k),
            (lo, _, _) if lo == hi => least(out, 5, lo),
            (0, ..) if hi >= 0 => {
                out.push(4);
                uleb(out, hi as u128);
            }
            (lo, Some(k), _) => {
                least(out, 7, lo);
                out.push(k);
            }
            (lo, _, Some(k)) => {
                least(out, 6, lo);
                out.push(k);
            }
            _ => {
                least(out, 1, lo);
                sleb(out, hi);
            }
        },
    }
}

/// `k` if `n` is `2^k` and the short forms can say it.
fn power(n: i128) -> Option<u8> {
    let k = n.trailing_zeros() as u8;
    (n > 0 && n.count_ones() == 1 && k < 120).then_some(k)
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
    fn terms_take_the_shortest_form() {
        let parts = |konst, summands: &[_]| Term::from_parts(konst, summands).unwrap();
        assert_eq!(written(|o| term(o, &Term::from(63))), [127]);
        assert_eq!(written(|o| term(o, &Term::from(64))), [0, 0xc0, 0]);
        assert_eq!(written(|o| term(o, &Term::from(-1))), [0, 0x7f]);
        assert_eq!(written(|o| term(o, &Term::var(2))), [130]);
        assert_eq!(written(|o| term(o, &Term::var(128))), [17, 0x80, 1, 0]);
        assert_eq!(written(|o| term(o, &parts(-8, &[(2, 1)]))), [17, 2, 0x78]);
        assert_eq!(written(|o| term(o, &parts(0, &[(2, -1), (3, 1)]))), [19, 3, 2]);
        assert_eq!(written(|o| term(o, &parts(-1, &[(2, 1), (3, -1)]))), [20, 2, 3]);
        assert_eq!(written(|o| term(o, &parts(5, &[(2, 1), (3, -1)]))), [18, 2, 3, 5]);
        assert_eq!(written(|o| term(o, &parts(5, &[(2, 1), (3, 1)]))), [2, 5, 2, 1, 3, 1]);
    }

    #[test]
    fn intervals_take_the_shortest_form() {
        let unsigned = Interval::unsigned;
        assert_eq!(written(|o| interval(o, &Interval::ALL)), [0]);
        assert_eq!(written(|o| interval(o, &unsigned(63))), [128 + 63]);
        assert_eq!(written(|o| interval(o, &unsigned(64))), [128 + 64]);
        assert_eq!(written(|o| interval(o, &Interval::new(0, 1 << 47))), [64 + 47]);
        assert_eq!(written(|o| interval(o, &Interval::new(0, 0))), [128]);
        assert_eq!(written(|o| interval(o, &Interval::new(0, 5))), [4, 5]);
        assert_eq!(written(|o| interval(o, &Interval::new(5, 5))), [5, 5]);
        assert_eq!(written(|o| interval(o, &Interval::new(1, 1 << 47))), [6, 1, 47]);
        assert_eq!(written(|o| interval(o, &Interval::new(-1, 7))), [7, 0x7f, 3]);
        assert_eq!(written(|o| interval(o, &Interval::new(-1, 6))), [1, 0x7f, 6]);
        assert_eq!(written(|o| interval(o, &Interval::new(1, POS_INF))), [2, 1]);
        assert_eq!(written(|o| interval(o, &Interval::new(NEG_INF, 1))), [3, 1]);
    }

    /// The reader understands every form.
    #[test]
    fn what_is_written_is_read() {
        use talcore::reader::Reader;
        for lo in [NEG_INF, -300, -1, 0, 1, 5, 256, i128::from(i64::MAX)] {
            for hi in (0..120).map(|k| 1i128 << k).flat_map(|p| [p - 1, p, p + 1]).chain([-1, -300, POS_INF])
            {
                if lo <= hi {
                    let range = Interval::new(lo, hi);
                    let bytes = written(|o| interval(o, &range));
                    assert_eq!(Reader::new(&bytes).interval(), Some(range), "{bytes:?}");
                }
            }
        }
        for konst in [-300, -1, 0, 1, 63, 64, 1 << 70] {
            for vars in [&[][..], &[1], &[1, 200], &[0, 1, 2]] {
                for signs in 0..8 {
                    let sign = |i: usize| if signs >> i & 1 == 1 { -1 } else { 1 };
                    let summands: Vec<_> = vars.iter().enumerate().map(|(i, v)| (*v, sign(i))).collect();
                    let t = Term::from_parts(konst, &summands).unwrap();
                    let bytes = written(|o| term(o, &t));
                    assert_eq!(Reader::new(&bytes).term(201), Some(t.clone()), "{bytes:?}");
                    let scope = t.scope();
                    assert!(scope == 0 || Reader::new(&bytes).term(scope - 1).is_none());
                }
            }
        }
    }
}
