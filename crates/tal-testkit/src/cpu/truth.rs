//! Whether what a state says can be true: what its variables must stand for, and whether they may.

use talcore::facts::{Facts, Interval, NEG_INF, POS_INF};
use talcore::term::{Term, Var};

/// What is known of the variables of a state.
pub(super) struct Truth {
    /// What each stands for, where it is known.
    vars: Vec<Option<i128>>,
    /// The bits of a word.
    pub(super) bits: u32,
}

impl Truth {
    /// Of a state without variables.
    pub(super) fn new(bits: u32) -> Truth {
        Truth { vars: Vec::new(), bits }
    }

    /// How many variables there are.
    pub(super) fn len(&self) -> usize {
        self.vars.len()
    }

    /// There are so many variables now.
    pub(super) fn resize(&mut self, n: usize) {
        self.vars.resize(n, None);
    }

    /// Says what a variable is.
    pub(super) fn set(&mut self, v: Var, x: i128) {
        if self.vars.len() <= v as usize {
            self.resize(v as usize + 1);
        }
        self.vars[v as usize] = Some(x);
    }

    /// What a term is, if all its variables are known.
    pub(super) fn value(&self, t: &Term) -> Option<i128> {
        let mut sum = t.konst();
        for &(v, c) in t.summands().iter() {
            sum = sum.checked_add(i128::from(c).checked_mul(self.vars.get(v as usize).copied()??)?)?;
        }
        Some(sum)
    }

    /// Whether a term can be congruent to a word modulo 2^bits. If one of its variables is not known, this tells it where
    /// it can be one number only.
    /// `false` if more of them are not known: then nothing was looked at.
    pub(super) fn congruent(&mut self, t: &Term, is: u64, bits: u32, facts: &Facts) -> Result<bool, String> {
        let mask = if bits >= 64 { u64::MAX } else { (1 << bits) - 1 };
        let (mut rest, mut open) = ((t.konst() as u64).wrapping_neg().wrapping_add(is), None);
        for &(v, c) in t.summands().iter() {
            match self.vars.get(v as usize).copied().flatten() {
                Some(x) => rest = rest.wrapping_sub((c as u64).wrapping_mul(x as u64)),
                None if open.is_some() => return Ok(false),
                None => open = Some((v, c)),
            }
        }
        rest &= mask;
        let Some((v, c)) = open else {
            return if rest == 0 { Ok(true) } else { Err(format!("is {is:#x}, not congruent to {t:?}")) };
        };
        // `c * v = rest` modulo 2^bits: without the powers of two of `c` one odd number is left, which has an inverse.
        let twos = c.trailing_zeros().min(bits);
        if twos > 0 && rest & (1u64 << (twos - 1) << 1).wrapping_sub(1) != 0 {
            return Err(format!("is {is:#x}: no variable {v} makes that {t:?}"));
        }
        let modulus = bits - twos;
        let odd = (c >> twos.min(63)) as u64;
        let mut inverse = odd;
        for _ in 0..6 {
            inverse = inverse.wrapping_mul(2u64.wrapping_sub(odd.wrapping_mul(inverse)));
        }
        let x = (if twos >= 64 { 0 } else { rest >> twos }).wrapping_mul(inverse);
        let x = if modulus >= 64 { i128::from(x) } else { i128::from(x & ((1 << modulus) - 1)) };
        let range = self.allowed(v, facts).map_err(|e| format!("is {is:#x}: {e}"))?;
        if range.lo == NEG_INF || range.hi == POS_INF {
            return Ok(true);
        }
        let step = 1i128 << modulus;
        let x = range.lo + (x - range.lo).rem_euclid(step);
        if x > range.hi {
            return Err(format!("is {is:#x}: variable {v} would have to be {x}, not in {range:?}"));
        }
        // There may be others: the exact product of which this word is the lower half.
        if x + step > range.hi {
            self.vars[v as usize] = Some(x);
        }
        Ok(true)
    }

    /// What a variable can be by its interval, and by the facts of which all other variables are known.
    fn allowed(&self, v: Var, facts: &Facts) -> Result<Interval, String> {
        let mut range = facts.interval(v);
        for fact in facts.list() {
            let c = i128::from(fact.coefficient(v));
            let rest = fact.add_scaled(&Term::var(v), -c).and_then(|t| self.value(&t));
            let Some(rest) = rest.filter(|_| c != 0) else { continue };
            // `c * v + rest >= 0`.
            if c > 0 {
                range.lo = range.lo.max(-rest.div_euclid(c));
            } else {
                range.hi = range.hi.min(rest.div_euclid(-c));
            }
        }
        if range.lo > range.hi { Err(format!("variable {v} can be nothing: {range:?}")) } else { Ok(range) }
    }

    /// Whether all intervals and facts are true, as far as variables are known, and leave room for the others.
    pub(super) fn check(&self, facts: &Facts) -> Result<(), String> {
        if facts.contradictory() {
            return Err("the rules say that no execution comes here".into());
        }
        for v in 0..facts.var_count() as Var {
            let range = self.allowed(v, facts)?;
            if let Some(x) = self.vars.get(v as usize).copied().flatten()
                && !(range.lo <= x && x <= range.hi)
            {
                return Err(format!("variable {v} is {x}, not in {range:?}"));
            }
        }
        match facts.list().iter().find(|f| self.value(f).is_some_and(|x| x < 0)) {
            Some(fact) => Err(format!("a fact is false: {fact:?} with {:?}", self.vars)),
            None => Ok(()),
        }
    }
}
