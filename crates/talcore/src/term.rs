//! Linear integer terms `c + k1*x1 + ... + kn*xn` over ℤ.
//!
//! A register of type `int(e)` holds the machine word congruent to `e` modulo 2^W; the term itself
//! never wraps. All arithmetic is checked: an operation that overflows the representation or
//! exceeds [`limits::TERM_VARS`] answers `None`, and the caller decides whether that makes a fresh
//! variable (the result of an instruction) or rejects (everything else).
//!
//! Nearly all terms have at most two summands and a small constant. Those are kept in place, and sums
//! of them are computed without allocating; all others lie in a box, and go the general way.

use crate::limits;
use alloc::boxed::Box;

/// An index variable: an index into the variables of the scope it is used in (a state, a
/// signature, a struct).
pub type Var = u32;

/// How many summands are kept in place.
const FEW: usize = 2;

/// A linear term. Summands are sorted by variable, and none has coefficient 0.
///
/// Each term has one representation: it is boxed exactly if it does not fit in place.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Term {
    konst: i64,
    /// The coefficients of `vars`. Unused ones come last and are 0, and so are their variables.
    coefficients: [i64; FEW],
    vars: [Var; FEW],
    /// The term, if it does not fit; all the rest is 0 then.
    large: Option<Box<Large>>,
}

/// Any term.
#[derive(Clone, Debug, Default)]
struct Large {
    konst: i128,
    /// What lies behind `len` means nothing.
    summands: [(Var, i64); limits::TERM_VARS],
    len: usize,
}

impl PartialEq for Large {
    fn eq(&self, other: &Large) -> bool {
        self.konst == other.konst && self.summands() == other.summands()
    }
}
impl Eq for Large {}

/// The summands `(variable, coefficient)` of a term, as a slice.
#[derive(Clone, Copy, Debug)]
pub struct Summands<'a> {
    few: [(Var, i64); FEW],
    len: usize,
    all: Option<&'a [(Var, i64)]>,
}

impl core::ops::Deref for Summands<'_> {
    type Target = [(Var, i64)];
    #[inline]
    fn deref(&self) -> &[(Var, i64)] {
        match self.all {
            None => self.few.get(..self.len).unwrap_or(&self.few),
            Some(all) => all,
        }
    }
}

impl<'a> IntoIterator for Summands<'a> {
    type Item = (Var, i64);
    type IntoIter = IntoIter<'a>;
    fn into_iter(self) -> IntoIter<'a> {
        IntoIter { summands: self, next: 0 }
    }
}

/// The summands one by one.
#[derive(Clone, Debug)]
pub struct IntoIter<'a> {
    summands: Summands<'a>,
    next: usize,
}

impl Iterator for IntoIter<'_> {
    type Item = (Var, i64);
    fn next(&mut self) -> Option<(Var, i64)> {
        self.next += 1;
        self.summands.get(self.next - 1).copied()
    }
}

impl From<i128> for Term {
    #[inline]
    fn from(c: i128) -> Term {
        match i64::try_from(c) {
            Ok(konst) => Term { konst, ..Term::default() },
            Err(_) => Term::boxed(Large { konst: c, ..Large::default() }),
        }
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
        Term { coefficients: [1, 0], vars: [v, 0], ..Term::default() }
    }

    #[cold]
    fn boxed(large: Large) -> Term {
        Term { large: Some(Box::new(large)), ..Term::default() }
    }

    /// Whether it does not fit in place: then it takes some 300 bytes of memory.
    pub fn is_boxed(&self) -> bool {
        self.large.is_some()
    }

    /// The constant part.
    #[inline]
    pub fn konst(&self) -> i128 {
        match &self.large {
            None => self.konst.into(),
            Some(large) => large.konst,
        }
    }

    /// The number of summands.
    #[inline]
    pub fn len(&self) -> usize {
        match &self.large {
            None => self.coefficients.iter().filter(|c| **c != 0).count(),
            Some(large) => large.len,
        }
    }

    /// Whether there are no summands: the term is a constant.
    #[inline]
    pub fn is_empty(&self) -> bool {
        match &self.large {
            None => self.coefficients[0] == 0,
            Some(large) => large.len == 0,
        }
    }

    /// The summands `(variable, coefficient)` in order of variables.
    #[inline]
    pub fn summands(&self) -> Summands<'_> {
        let ([a, b], [x, y]) = (self.coefficients, self.vars);
        Summands {
            few: [(x, a), (y, b)],
            len: usize::from(a != 0) + usize::from(b != 0),
            all: self.large.as_ref().map(|l| l.summands()),
        }
    }

    /// The value, if the term is constant.
    #[inline]
    pub fn as_const(&self) -> Option<i128> {
        self.is_empty().then(|| self.konst())
    }

    /// The variable, if the term is exactly one variable.
    #[inline]
    pub fn as_var(&self) -> Option<Var> {
        (self.konst == 0 && self.coefficients == [1, 0]).then_some(self.vars[0])
    }

    /// The variable and the constant, if the term is a variable plus a constant that fits in 64 bits.
    #[inline]
    pub fn as_var_plus(&self) -> Option<(Var, i64)> {
        (self.coefficients == [1, 0]).then_some((self.vars[0], self.konst))
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
        if c == 0 || self.scope() > v {
            return None;
        }
        if self.large.is_none()
            && let Some(i) = self.coefficients.iter().position(|c| *c == 0)
        {
            (self.coefficients[i], self.vars[i]) = (c, v);
            return Some(());
        }
        let mut all = Large::of(self);
        all.add_summand(v, c)?;
        *self = all.into();
        Some(())
    }

    /// Adds `k * other`. If that fails with `None`, the term stays as it is.
    #[inline]
    pub fn accumulate(&mut self, other: &Term, k: i128) -> Option<()> {
        *self = self.add_scaled(other, k)?;
        Some(())
    }

    /// `self + k * other`.
    pub fn add_scaled(&self, other: &Term, k: i128) -> Option<Term> {
        if let Ok(k) = i64::try_from(k)
            && let Some(sum) = self.small_sum(other, k)
        {
            return Some(sum);
        }
        let mut sum = Large::of(self);
        sum.accumulate(&Large::of(other), k)?;
        Some(sum.into())
    }

    /// `self + k * other`, if all of them fit in place. `None` says nothing.
    #[inline(always)]
    fn small_sum(&self, other: &Term, k: i64) -> Option<Term> {
        if self.large.is_some() || other.large.is_some() {
            return None;
        }
        let konst = self.konst.checked_add(other.konst.checked_mul(k)?)?;
        let mut sum = Term { konst, coefficients: self.coefficients, vars: self.vars, large: None };
        if k != 0 {
            for (v, c) in other.vars.into_iter().zip(other.coefficients) {
                if c == 0 {
                    break;
                }
                sum.add_in_place(v, c.checked_mul(k)?)?;
            }
        }
        Some(sum)
    }

    /// Adds `c * v`, where `c` is not 0. `None` if that does not fit in place; the term means nothing then.
    #[inline]
    fn add_in_place(&mut self, v: Var, c: i64) -> Option<()> {
        let ([a, b], [x, y]) = (&mut self.coefficients, &mut self.vars);
        if *a == 0 {
            (*a, *x) = (c, v);
        } else if *x == v {
            *a = a.checked_add(c)?;
            if *a == 0 {
                (*a, *x) = (*b, *y);
                (*b, *y) = (0, 0);
            }
            if *a == 0 {
                *x = 0;
            }
        } else if *b == 0 {
            (*b, *y) = (c, v);
            if *x > v {
                core::mem::swap(a, b);
                core::mem::swap(x, y);
            }
        } else if *y == v {
            *b = b.checked_add(c)?;
            if *b == 0 {
                *y = 0;
            }
        } else {
            return None;
        }
        Some(())
    }

    /// `self + other`.
    pub fn add(&self, other: &Term) -> Option<Term> {
        match self.small_sum(other, 1) {
            None => self.add_scaled(other, 1),
            sum => sum,
        }
    }

    /// `self - other`.
    pub fn sub(&self, other: &Term) -> Option<Term> {
        match self.small_sum(other, -1) {
            None => self.add_scaled(other, -1),
            sum => sum,
        }
    }

    /// `self + c`.
    #[inline]
    pub fn offset(&self, c: i128) -> Option<Term> {
        if self.large.is_none()
            && let Ok(c) = i64::try_from(c)
            && let Some(konst) = self.konst.checked_add(c)
        {
            return Some(Term { konst, coefficients: self.coefficients, vars: self.vars, large: None });
        }
        let mut t = Large::of(self);
        t.konst = t.konst.checked_add(c)?;
        Some(t.into())
    }

    /// `k * self`.
    pub fn scale(&self, k: i128) -> Option<Term> {
        Term::zero().add_scaled(self, k)
    }

    /// `-self`.
    pub fn neg(&self) -> Option<Term> {
        Term::zero().sub(self)
    }

    /// The term with every variable `v` replaced by `env[v]`. `None` on overflow or if a variable
    /// lies outside `env`.
    pub fn subst(&self, env: &[Term]) -> Option<Term> {
        let mut t = Term::from(self.konst());
        for &(v, c) in self.summands().iter() {
            t.accumulate(env.get(v as usize)?, c.into())?;
        }
        Some(t)
    }
}

impl Large {
    fn of(t: &Term) -> Large {
        if let Some(large) = &t.large {
            return (**large).clone();
        }
        let few = t.summands();
        let mut large = Large { konst: t.konst.into(), len: few.len(), ..Large::default() };
        large.summands.iter_mut().zip(few.iter()).for_each(|(to, from)| *to = *from);
        large
    }

    fn summands(&self) -> &[(Var, i64)] {
        self.summands.get(..self.len).unwrap_or(&self.summands)
    }

    /// Adds `k * other`. If that fails with `None`, this means nothing any more.
    fn accumulate(&mut self, other: &Large, k: i128) -> Option<()> {
        self.konst = self.konst.checked_add(other.konst.checked_mul(k)?)?;
        if other.len > 0 && k != 0 {
            let k = i64::try_from(k).ok()?;
            for &(v, c) in other.summands().iter() {
                self.add_summand(v, c.checked_mul(k)?)?;
            }
        }
        Some(())
    }

    /// Adds `c * v`, where `c` is not 0.
    fn add_summand(&mut self, v: Var, c: i64) -> Option<()> {
        let i = self.summands().partition_point(|s| s.0 < v);
        if let Some(s) = self.summands.get_mut(i).filter(|s| i < self.len && s.0 == v) {
            s.1 = s.1.checked_add(c)?;
            if s.1 == 0 {
                self.summands.get_mut(i..self.len)?.rotate_left(1);
                self.len -= 1;
            }
            return Some(());
        }
        let behind = self.summands.get_mut(i..=self.len)?;
        behind.rotate_right(1);
        *behind.first_mut()? = (v, c);
        self.len += 1;
        Some(())
    }
}

impl From<Large> for Term {
    fn from(large: Large) -> Term {
        let (Ok(konst), true) = (i64::try_from(large.konst), large.len <= FEW) else {
            return Term::boxed(large);
        };
        let mut t = Term { konst, ..Term::default() };
        for (i, &(v, c)) in large.summands().iter().enumerate() {
            (t.coefficients[i], t.vars[i]) = (c, v);
        }
        t
    }
}
