//! Linear integer terms `c + k1*x1 + ... + kn*xn` over ℤ.
//!
//! A register of type `int(e)` holds the machine word congruent to `e` modulo 2^W; the term itself
//! never wraps. All arithmetic is checked: an operation that overflows the representation or
//! exceeds [`limits::TERM_VARS`] answers `None`, and the caller decides whether that makes a fresh
//! variable (the result of an instruction) or rejects (everything else).

use crate::limits;
use alloc::boxed::Box;

/// An index variable: an index into the variables of the scope it is used in (a state, a
/// signature, a struct).
pub type Var = u32;

/// How many summands are kept without allocating.
const INLINE: usize = 2;

/// A linear term. Summands are sorted by variable, and none has coefficient 0.
#[derive(Clone, Debug, Default)]
pub struct Term {
    konst: i128,
    /// The summands, if there are at most [`INLINE`]; what lies behind them means nothing.
    few: [(Var, i64); INLINE],
    /// The summands, if there are more.
    many: Option<Box<[(Var, i64); limits::TERM_VARS]>>,
    len: u32,
}

impl PartialEq for Term {
    #[inline]
    fn eq(&self, other: &Term) -> bool {
        self.konst == other.konst && self.summands() == other.summands()
    }
}
impl Eq for Term {}

impl From<i128> for Term {
    #[inline]
    fn from(c: i128) -> Term {
        Term { konst: c, ..Term::default() }
    }
}

impl Term {
    /// The constant 0.
    #[inline]
    pub fn zero() -> Term {
        Term::default()
    }

    /// The variable `v`.
    #[inline]
    pub fn var(v: Var) -> Term {
        Term { len: 1, few: [(v, 1), (0, 0)], ..Term::default() }
    }

    /// The constant part.
    #[inline]
    pub fn konst(&self) -> i128 {
        self.konst
    }

    /// The summands `(variable, coefficient)` in order of variables.
    #[inline]
    pub fn summands(&self) -> &[(Var, i64)] {
        let all: &[(Var, i64)] = match &self.many {
            None => &self.few,
            Some(many) => &**many,
        };
        all.get(..self.len as usize).unwrap_or(all)
    }

    /// The value, if the term is constant.
    #[inline]
    pub fn as_const(&self) -> Option<i128> {
        (self.len == 0).then_some(self.konst)
    }

    /// The variable, if the term is exactly one variable.
    #[inline]
    pub fn as_var(&self) -> Option<Var> {
        (self.len == 1 && self.konst == 0 && self.few[0].1 == 1).then_some(self.few[0].0)
    }

    /// The coefficient of `v` (0 if absent).
    pub fn coefficient(&self, v: Var) -> i64 {
        self.summands().iter().find(|s| s.0 == v).map_or(0, |s| s.1)
    }

    /// The largest variable plus one, 0 for constants.
    #[inline]
    pub fn scope(&self) -> u32 {
        self.summands().last().map_or(0, |s| s.0.saturating_add(1))
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

    #[inline]
    fn push(&mut self, s: (Var, i64)) -> Option<()> {
        let n = self.len as usize;
        if let Some(slot) = self.few.get_mut(n) {
            *slot = s;
        } else {
            self.push_more(n, s)?;
        }
        self.len += 1;
        Some(())
    }

    #[cold]
    fn push_more(&mut self, n: usize, s: (Var, i64)) -> Option<()> {
        let few = self.few;
        let many = self.many.get_or_insert_with(|| {
            let mut many = [(0, 0); limits::TERM_VARS];
            many[..INLINE].copy_from_slice(&few);
            Box::new(many)
        });
        *many.get_mut(n)? = s;
        Some(())
    }

    /// `self + k * other`.
    pub fn add_scaled(&self, other: &Term, k: i128) -> Option<Term> {
        match k {
            0 => Some(self.clone()),
            1 => self.add(other),
            -1 => self.sub(other),
            _ => {
                let konst = self.konst.checked_add(other.konst.checked_mul(k)?)?;
                let k = i64::try_from(k).ok();
                self.merge(konst, other, |c| c.checked_mul(k?))
            }
        }
    }

    /// The constant `konst` with the summands of `self` and those of `other`, whose coefficients
    /// are changed by `scaled`; that never makes one 0.
    #[inline]
    fn merge(&self, konst: i128, other: &Term, scaled: impl Fn(i64) -> Option<i64>) -> Option<Term> {
        if other.len == 0 {
            return Some(Term { konst, ..self.clone() });
        }
        let mut sum = Term::from(konst);
        let (mut a, mut b) = (self.summands(), other.summands());
        loop {
            match (a, b) {
                ([x, a_rest @ ..], [y, b_rest @ ..]) => {
                    if x.0 < y.0 {
                        sum.push(*x)?;
                        a = a_rest;
                    } else if y.0 < x.0 {
                        sum.push((y.0, scaled(y.1)?))?;
                        b = b_rest;
                    } else {
                        let c = x.1.checked_add(scaled(y.1)?)?;
                        if c != 0 {
                            sum.push((x.0, c))?;
                        }
                        (a, b) = (a_rest, b_rest);
                    }
                }
                ([x, a_rest @ ..], []) => {
                    sum.push(*x)?;
                    a = a_rest;
                }
                ([], [y, b_rest @ ..]) => {
                    sum.push((y.0, scaled(y.1)?))?;
                    b = b_rest;
                }
                ([], []) => return Some(sum),
            }
        }
    }

    /// `self + other`.
    #[inline]
    pub fn add(&self, other: &Term) -> Option<Term> {
        self.merge(self.konst.checked_add(other.konst)?, other, Some)
    }

    /// `self - other`.
    #[inline]
    pub fn sub(&self, other: &Term) -> Option<Term> {
        self.merge(self.konst.checked_sub(other.konst)?, other, i64::checked_neg)
    }

    /// `self + c`.
    #[inline]
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
