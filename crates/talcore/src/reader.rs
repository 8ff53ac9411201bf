//! A cursor over untrusted bytes.

use crate::codes::{code, is_code};
use crate::facts::{Interval, NEG_INF, POS_INF};
use crate::limits;
use crate::term::{Term, Var};
use crate::types::WordId;
use alloc::vec::Vec;

/// Reads from the front; every failure is `None`.
#[derive(Clone, Debug, Default)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// From the first byte.
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes, at: 0 }
    }

    /// How many bytes have been read.
    pub fn position(&self) -> usize {
        self.at
    }

    /// How many bytes are left.
    pub fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// The next `n` bytes.
    pub fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(n)?;
        let bytes = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(bytes)
    }

    /// One byte.
    #[inline]
    pub fn u8(&mut self) -> Option<u8> {
        let b = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(b)
    }

    /// Two bytes, little endian.
    pub fn u16(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes(self.take(2)?.try_into().ok()?))
    }

    /// Four bytes, little endian.
    pub fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    /// `bytes` bytes (at most 8), little endian.
    pub fn word(&mut self, bytes: usize) -> Option<u64> {
        let mut w = 0;
        for (i, b) in self.take(bytes)?.iter().enumerate() {
            w |= u64::from(*b).checked_shl(8 * i as u32)?;
        }
        Some(w)
    }

    /// An unsigned LEB128 number below 2^126, in at most 18 bytes.
    #[inline]
    pub fn uleb(&mut self) -> Option<u128> {
        match self.bytes.get(self.at) {
            // Most numbers are small.
            Some(&b) if b < 0x80 => {
                self.at += 1;
                Some(b.into())
            }
            _ => self.long_uleb(),
        }
    }

    fn long_uleb(&mut self) -> Option<u128> {
        // Up to 9 bytes fit in 64 bits.
        let mut low = 0u64;
        for i in 0..9 {
            let b = self.u8()?;
            low |= u64::from(b & 0x7f) << (7 * i);
            if b & 0x80 == 0 {
                return Some(low.into());
            }
        }
        let mut value = u128::from(low);
        for i in 9..18 {
            let b = self.u8()?;
            value |= u128::from(b & 0x7f) << (7 * i);
            if b & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    /// A signed LEB128 number in at most 18 bytes.
    #[inline]
    pub fn sleb(&mut self) -> Option<i128> {
        match self.bytes.get(self.at) {
            // Seven bits, of which the upper one is the sign.
            Some(&b) if b < 0x80 => {
                self.at += 1;
                Some(i128::from((b << 1) as i8 >> 1))
            }
            _ => self.long_sleb(),
        }
    }

    fn long_sleb(&mut self) -> Option<i128> {
        // Up to 9 bytes fit in 64 bits.
        let mut low = 0u64;
        for i in 1..10 {
            let b = self.u8()?;
            low |= u64::from(b & 0x7f) << (7 * (i - 1));
            if b & 0x80 == 0 {
                let unused = 64 - 7 * i;
                return Some(i128::from((low << unused) as i64 >> unused));
            }
        }
        let mut value = i128::from(low);
        for i in 9..18 {
            let b = self.u8()?;
            value |= i128::from(b & 0x7f) << (7 * i);
            if b & 0x80 == 0 {
                if b & 0x40 != 0 {
                    value |= -1i128 << (7 * (i + 1));
                }
                return Some(value);
            }
        }
        None
    }

    /// An unsigned number that fits the type.
    #[inline]
    pub fn num<T: TryFrom<u128>>(&mut self) -> Option<T> {
        T::try_from(self.uleb()?).ok()
    }

    /// A count of things of which each takes at least one byte.
    pub fn count(&mut self, most: usize) -> Option<usize> {
        let n: usize = self.num()?;
        (n <= most && n <= self.left()).then_some(n)
    }

    /// A count that is at most `most`.
    pub fn count_to(&mut self, most: usize) -> Option<usize> {
        self.num().filter(|n| *n <= most)
    }

    fn var(&mut self, scope: u32) -> Option<Var> {
        self.num().filter(|v| *v < scope)
    }

    /// A term over variables below `scope`.
    #[inline]
    pub fn term(&mut self, scope: u32) -> Option<Term> {
        let head = self.u8()?;
        self.term_from(head, scope)
    }

    /// A term that begins with the byte `head`.
    pub fn term_from(&mut self, head: u8, scope: u32) -> Option<Term> {
        match head {
            0..=MOST_SUMMANDS => {
                let mut t = Term::from(self.sleb()?);
                for _ in 0..head {
                    let v = self.var(scope)?;
                    t.append(v, i64::try_from(self.sleb()?).ok()?)?;
                }
                (!is_code(&t)).then_some(t)
            }
            21 => Some(code(WordId(self.num()?))),
            17 => Term::var(self.var(scope)?).offset(self.sleb()?),
            18..=20 => {
                let (v, w) = (self.var(scope)?, self.var(scope)?);
                let konst = match head {
                    18 => self.sleb()?,
                    19 => 0,
                    _ => -1,
                };
                let difference = Term::var(v).sub(&Term::var(w))?;
                if v == w { None } else { difference.offset(konst) }
            }
            64..128 => Some(Term::from(i128::from(head - 64))),
            128.. => Some(u32::from(head - 128)).filter(|v| *v < scope).map(Term::var),
            _ => None,
        }
    }

    /// `count` terms.
    pub fn terms(&mut self, most: usize, scope: u32) -> Option<Vec<Term>> {
        let n = self.count(most)?;
        (0..n).map(|_| self.term(scope)).collect()
    }

    /// An interval, which is not empty.
    pub fn interval(&mut self) -> Option<Interval> {
        let range = match self.u8()? {
            0 => Interval::ALL,
            1 => Interval::new(self.sleb()?, self.sleb()?),
            2 => Interval::new(self.sleb()?, POS_INF),
            3 => Interval::new(NEG_INF, self.sleb()?),
            4 => Interval::new(0, self.num()?),
            5 => {
                let only = self.sleb()?;
                Interval::new(only, only)
            }
            k @ (6 | 7) => {
                let lo = self.sleb()?;
                let hi = power(self.u8()?)?;
                Interval::new(lo, if k == 6 { hi } else { hi - 1 })
            }
            k @ 64..128 => Interval::new(0, power(k - 64)?),
            k @ 128.. => Interval::new(0, power(k - 128)? - 1),
            _ => return None,
        };
        (range.lo <= range.hi).then_some(range)
    }

    /// `count` intervals.
    pub fn intervals(&mut self, most: usize) -> Option<Vec<Interval>> {
        let n = self.count(most)?;
        (0..n).map(|_| self.interval()).collect()
    }
}

/// The largest number of summands of a term, as the byte that a term begins with.
const MOST_SUMMANDS: u8 = limits::TERM_VARS as u8;

/// `2^k`.
fn power(k: u8) -> Option<i128> {
    (k < 120).then(|| 1 << k)
}
