//! A cursor over untrusted bytes.

use crate::facts::{Interval, NEG_INF, POS_INF};
use crate::limits;
use crate::term::Term;
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

    /// A term over variables below `scope`.
    pub fn term(&mut self, scope: u32) -> Option<Term> {
        let konst = self.sleb()?;
        let mut t = Term::from(konst);
        for _ in 0..self.count(limits::TERM_VARS)? {
            let v = self.num().filter(|v| *v < scope)?;
            t.append(v, i64::try_from(self.sleb()?).ok()?)?;
        }
        Some(t)
    }

    /// `count` terms.
    pub fn terms(&mut self, most: usize, scope: u32) -> Option<Vec<Term>> {
        let n = self.count(most)?;
        (0..n).map(|_| self.term(scope)).collect()
    }

    /// An interval, which is not empty; `word` is the size of a word in bytes.
    pub fn interval(&mut self, word: u32) -> Option<Interval> {
        let bits = 8 * word;
        let range = match self.u8()? {
            0 => Interval::ALL,
            1 => Interval::new(0, (1i128 << (bits - 1)) - 1),
            2 => Interval::unsigned(bits),
            3 => Interval::unsigned(8),
            4 => Interval::unsigned(16),
            5 => Interval::unsigned(32),
            6 => Interval::new(0, 1),
            7 => Interval::new(self.sleb()?, self.sleb()?),
            8 => Interval::new(self.sleb()?, POS_INF),
            9 => Interval::new(NEG_INF, self.sleb()?),
            10 => Interval::new(0, self.num()?),
            _ => return None,
        };
        (range.lo <= range.hi).then_some(range)
    }

    /// `count` intervals.
    pub fn intervals(&mut self, most: usize, word: u32) -> Option<Vec<Interval>> {
        let n = self.count(most)?;
        (0..n).map(|_| self.interval(word)).collect()
    }
}
