//! Linear integer terms `c + k1*x1 + ... + kn*xn` over ℤ.
//!
//! A register of type `int(e)` holds the machine word congruent to `e` modulo 2^W; the term itself
//! never wraps. All arithmetic is checked: an operation that overflows the representation or
//! exceeds [`limits::TERM_VARS`] answers `None`, and the caller decides whether that makes a fresh
//! variable (the result of an instruction) or rejects (everything else).

use crate::limits;
use alloc::vec::Vec;

/// An index variable: an index into the variables of the scope it is used in (a state, a
/// signature, a struct).
pub type Var = u32;

/// How many summands are kept without allocating.
const INLINE: usize = 2;

/// A linear term. Summands are sorted by variable, and none has coefficient 0.
#[derive(Clone, Debug, Default)]
pub struct Term {
    konst: i128,
    len: u32,
    inline: [(Var, i64); INLINE],
    more: Vec<(Var, i64)>,
}

impl PartialEq for Term {
    fn eq(&self, other: &Term) -> bool {
        self.konst == other.konst && self.summands() == other.summands()
    }
}
impl Eq for Term {}

impl From<i128> for Term {
    fn from(c: i128) -> Term {
        Term { konst: c, ..Term::default() }
    }
}

impl Term {
    /// The constant 0.
    pub fn zero() -> Term {
        Term::default()
    }

    /// The variable `v`.
    pub fn var(v: Var) -> Term {
        Term { len: 1, inline: [(v, 1), (0, 0)], ..Term::default() }
    }

    /// The constant part.
    pub fn konst(&self) -> i128 {
        self.konst
    }

    /// The summands `(variable, coefficient)` in order of variables.
    pub fn summands(&self) -> &[(Var, i64)] {
        if self.len as usize <= INLINE { &self.inline[..self.len as usize] } else { &self.more }
    }

    /// The value, if the term is constant.
    pub fn as_const(&self) -> Option<i128> {
        (self.len == 0).then_some(self.konst)
    }

    /// The variable, if the term is exactly one variable.
    pub fn as_var(&self) -> Option<Var> {
        (self.len == 1 && self.konst == 0 && self.inline[0].1 == 1).then_some(self.inline[0].0)
    }

    /// The coefficient of `v` (0 if absent).
    pub fn coefficient(&self, v: Var) -> i64 {
        self.summands().iter().find(|s| s.0 == v).map_or(0, |s| s.1)
    }

    /// The largest variable plus one, 0 for constants.
    pub fn scope(&self) -> u32 {
        self.summands().last().map_or(0, |s| s.0 + 1)
    }

    /// Builds a term from a constant and summands in strictly increasing order of variables.
    /// `None` if the order is broken, a coefficient is 0, or there are too many summands.
    pub fn from_parts(konst: i128, summands: &[(Var, i64)]) -> Option<Term> {
        let sorted = summands.windows(2).all(|w| w[0].0 < w[1].0);
        let nonzero = summands.iter().all(|s| s.1 != 0);
        (sorted && nonzero).then(|| Term::build(konst, summands.iter().copied()))?
    }

    fn build(konst: i128, summands: impl Iterator<Item = (Var, i64)>) -> Option<Term> {
        let mut t = Term { konst, ..Term::default() };
        for s in summands {
            t.push(s)?;
        }
        Some(t)
    }

    fn push(&mut self, s: (Var, i64)) -> Option<()> {
        let n = self.len as usize;
        if n >= limits::TERM_VARS {
            return None;
        }
        if n < INLINE {
            self.inline[n] = s;
        } else {
            if n == INLINE {
                self.more = Vec::with_capacity(2 * INLINE);
                self.more.extend_from_slice(&self.inline);
            }
            self.more.push(s);
        }
        self.len += 1;
        Some(())
    }

    /// `self + k * other`.
    pub fn add_scaled(&self, other: &Term, k: i128) -> Option<Term> {
        let konst = self.konst.checked_add(other.konst.checked_mul(k)?)?;
        if other.len == 0 || k == 0 {
            let mut t = self.clone();
            t.konst = konst;
            return Some(t);
        }
        let mut t = Term { konst, ..Term::default() };
        let (a, b) = (self.summands(), other.summands());
        let scaled = |c: i64| i64::try_from(k.checked_mul(c as i128)?).ok();
        let (mut i, mut j) = (0, 0);
        while i < a.len() || j < b.len() {
            let va = a.get(i).map_or(Var::MAX, |s| s.0);
            let vb = b.get(j).map_or(Var::MAX, |s| s.0);
            if j >= b.len() || (i < a.len() && va < vb) {
                t.push(a[i])?;
                i += 1;
            } else if i >= a.len() || vb < va {
                t.push((vb, scaled(b[j].1)?))?;
                j += 1;
            } else {
                let c = a[i].1.checked_add(scaled(b[j].1)?)?;
                if c != 0 {
                    t.push((va, c))?;
                }
                i += 1;
                j += 1;
            }
        }
        Some(t)
    }

    /// `self + other`.
    pub fn add(&self, other: &Term) -> Option<Term> {
        self.add_scaled(other, 1)
    }

    /// `self - other`.
    pub fn sub(&self, other: &Term) -> Option<Term> {
        self.add_scaled(other, -1)
    }

    /// `self + c`.
    pub fn offset(&self, c: i128) -> Option<Term> {
        let mut t = self.clone();
        t.konst = t.konst.checked_add(c)?;
        Some(t)
    }

    /// `k * self`.
    pub fn scale(&self, k: i128) -> Option<Term> {
        Term::zero().add_scaled(self, k)
    }

    /// `-self`.
    pub fn neg(&self) -> Option<Term> {
        self.scale(-1)
    }

    /// The term with every variable `v` replaced by `env[v]`. `None` on overflow or if a variable
    /// lies outside `env`.
    pub fn subst(&self, env: &[Term]) -> Option<Term> {
        let mut t = Term::from(self.konst);
        for &(v, c) in self.summands() {
            t = t.add_scaled(env.get(v as usize)?, c as i128)?;
        }
        Some(t)
    }
}
