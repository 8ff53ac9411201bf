//! docs/types.md, "Integers": linear terms over index variables, which are whole numbers and range over all of ℤ.
//!
//! Coefficients are 128 bits wide here. What does not fit is noted in a flag of the thread, and whoever judges says that it
//! is not covered; nothing is proved from numbers that were cut off.

use std::cell::Cell;
use std::collections::BTreeMap;
use talcore::term::Term;

thread_local! {
    static TOO_LARGE: Cell<bool> = const { Cell::new(false) };
}

/// Whether a number did not fit since the last time that this was asked.
pub(super) fn overflowed() -> bool {
    TOO_LARGE.replace(false)
}

/// Notes that a number did not fit.
pub(super) fn overflow<T: Default>() -> T {
    TOO_LARGE.set(true);
    T::default()
}

/// The number of an index variable.
pub(super) type Var = u32;

/// `k + Σ c·v`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(super) struct Lin {
    /// The constant.
    pub(super) k: i128,
    /// The coefficients that are not 0.
    pub(super) m: BTreeMap<Var, i128>,
}

impl Lin {
    /// A constant.
    pub(super) fn of(k: i128) -> Lin {
        Lin { k, m: BTreeMap::new() }
    }
    /// A variable.
    pub(super) fn var(v: Var) -> Lin {
        Lin { k: 0, m: BTreeMap::from([(v, 1)]) }
    }
    /// A term of the note's tables.
    pub(super) fn read(t: &Term) -> Lin {
        let mut lin = Lin::of(t.konst());
        for (v, c) in t.summands().into_iter() {
            lin.m.insert(v, c.into());
        }
        lin
    }
    /// Its value, if it has no variables.
    pub(super) fn constant(&self) -> Option<i128> {
        self.m.is_empty().then_some(self.k)
    }
    /// `self + c * other`.
    pub(super) fn plus_times(&self, other: &Lin, c: i128) -> Lin {
        let mul = |a: i128| a.checked_mul(c).unwrap_or_else(overflow);
        let mut sum = self.clone();
        sum.k = sum.k.checked_add(mul(other.k)).unwrap_or_else(overflow);
        for (v, a) in &other.m {
            let old = sum.m.remove(v).unwrap_or(0);
            let new = old.checked_add(mul(*a)).unwrap_or_else(overflow);
            if new != 0 {
                sum.m.insert(*v, new);
            }
        }
        sum
    }
    /// The sum.
    pub(super) fn plus(&self, other: &Lin) -> Lin {
        self.plus_times(other, 1)
    }
    /// The difference.
    pub(super) fn minus(&self, other: &Lin) -> Lin {
        self.plus_times(other, -1)
    }
    /// With a constant added.
    pub(super) fn add(&self, k: i128) -> Lin {
        self.plus(&Lin::of(k))
    }
    /// The product with a constant.
    pub(super) fn times(&self, c: i128) -> Lin {
        Lin::default().plus_times(self, c)
    }
    /// With terms in place of variables; those that the map does not have stay.
    pub(super) fn subst(&self, with: &dyn Fn(Var) -> Option<Lin>) -> Lin {
        let mut sum = Lin::of(self.k);
        for (v, c) in &self.m {
            sum = sum.plus_times(&with(*v).unwrap_or_else(|| Lin::var(*v)), *c);
        }
        sum
    }
    /// What is congruent modulo 2^bits and has no multiples of that.
    pub(super) fn modulo(&self, bits: u32) -> Lin {
        let period = 1i128 << bits;
        let mut rest = self.clone();
        rest.m.retain(|_, c| *c % period != 0);
        if rest.m.is_empty() {
            rest.k = rest.k.rem_euclid(period);
        }
        rest
    }
}
