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

    fn all_mut(&mut self) -> &mut [(Var, i64)] {
        match &mut self.many {
            None => &mut self.few,
            Some(many) => &mut **many,
        }
    }

    /// The value, if the term is constant.
    #[inline]
    pub fn as_const(&self) -> Option<i128> {
        (self.len == 0).then_some(self.konst)
    }

    /// The variable, if the term is exactly one variable.
    #[inline]
    pub fn as_var(&self) -> Option<Var> {
        match *self.summands() {
            [(v, 1)] if self.konst == 0 => Some(v),
            _ => None,
        }
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
        let mut t = Term::from(konst);
        for &(v, c) in summands {
            t.append(v, c)?;
        }
        Some(t)
    }

    /// Appends the summand `c * v`. `None` if `v` does not come after all variables of the term, `c` is
    /// 0, or there are too many summands.
    #[inline]
    pub fn append(&mut self, v: Var, c: i64) -> Option<()> {
        if c == 0 || self.summands().last().is_some_and(|s| s.0 >= v) {
            return None;
        }
        self.push((v, c))
    }

    #[inline]
    fn push(&mut self, s: (Var, i64)) -> Option<()> {
        let n = self.len as usize;
        match self.all_mut().get_mut(n) {
            Some(slot) => *slot = s,
            None => self.push_more(n, s)?,
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

    /// Adds `k * other`. If that fails with `None`, the term means nothing any more.
    #[inline]
    pub fn accumulate(&mut self, other: &Term, k: i128) -> Option<()> {
        let konst = if k == 1 { other.konst } else { other.konst.checked_mul(k)? };
        self.konst = self.konst.checked_add(konst)?;
        if other.len > 0 && k != 0 {
            self.accumulate_summands(other.summands(), i64::try_from(k).ok()?)?;
        }
        Some(())
    }

    fn accumulate_summands(&mut self, summands: &[(Var, i64)], k: i64) -> Option<()> {
        for &(v, c) in summands {
            self.add_summand(v, c.checked_mul(k)?)?;
        }
        Some(())
    }

    /// Adds `c * v`.
    #[inline]
    fn add_summand(&mut self, v: Var, c: i64) -> Option<()> {
        let n = self.len as usize;
        // It goes to the end, or to its place by exchanging neighbours: there are few.
        let mut i = n;
        let all = self.all_mut();
        while let Some(before) = i.checked_sub(1)
            && let Some(s) = all.get_mut(before)
            && s.0 >= v
        {
            if s.0 == v {
                s.1 = s.1.checked_add(c)?;
                if s.1 == 0 {
                    self.remove(before);
                }
                return Some(());
            }
            i = before;
        }
        self.push((v, c))?;
        let all = self.all_mut();
        for j in (i..n).rev() {
            all.swap(j, j + 1);
        }
        Some(())
    }

    fn remove(&mut self, i: usize) {
        let n = self.len as usize;
        let all = self.all_mut();
        for j in i + 1..n {
            all.swap(j - 1, j);
        }
        self.len -= 1;
    }

    /// `self + k * other`.
    pub fn add_scaled(&self, other: &Term, k: i128) -> Option<Term> {
        let mut sum = self.clone();
        sum.accumulate(other, k)?;
        Some(sum)
    }

    /// `self + other`.
    pub fn add(&self, other: &Term) -> Option<Term> {
        self.add_scaled(other, 1)
    }

    /// `self - other`.
    pub fn sub(&self, other: &Term) -> Option<Term> {
        self.add_scaled(other, -1)
    }

    /// Adds `c`. If that fails with `None`, the term means nothing any more.
    #[inline]
    pub fn advance(&mut self, c: i128) -> Option<()> {
        self.konst = self.konst.checked_add(c)?;
        Some(())
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
        match k {
            0 => Some(Term::zero()),
            1 => Some(self.clone()),
            _ => Term::zero().add_scaled(self, k),
        }
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
            t.accumulate(env.get(v as usize)?, c.into())?;
        }
        Some(t)
    }
}
