//! `cmovcc` and `setcc`: a value that depends on a condition.

use super::flags::Order;
use super::{Flags, Num};
use crate::facts::Interval;
use crate::term::{Term, Var};
use crate::x86::insn::Cond;
use alloc::vec::Vec;

impl Num<'_> {
    /// `cmovcc` at `bits` bits: `source` where the condition holds, else `dest`. The result still
    /// has to be written (a 32-bit `cmov` clears the rest of the register either way). Flags stay.
    pub fn cmov(&mut self, bits: u32, flags: &Flags, cond: Cond, dest: &Term, source: &Term) -> Term {
        if dest == source {
            return dest.clone();
        }
        // At full width the words are congruent to the terms whatever these are; below it
        // the write will ask for a number in range.
        let (yes, no) = if bits >= self.word_bits {
            (source.clone(), dest.clone())
        } else {
            (self.read(bits, source), self.read(bits, dest))
        };
        self.choose(flags, cond, &yes, &no)
    }

    /// `setcc`: 1 where the condition holds, else 0. Flags stay.
    pub fn setcc(&mut self, flags: &Flags, cond: Cond) -> Term {
        self.choose(flags, cond, &Term::from(1), &Term::zero())
    }

    /// A fresh `x` that is `yes` where the condition holds and `no` elsewhere.
    ///
    /// `x` lies in the hull of both intervals, each narrowed by its side of the condition. Each fact
    /// `f(x)` that is tried and proved for `yes` under the condition and for `no` under its
    /// negation holds for `x`. Tried are: `x` compared with either term, and with what was compared.
    pub fn choose(&mut self, flags: &Flags, cond: Cond, yes: &Term, no: &Term) -> Term {
        if yes == no {
            return yes.clone();
        }
        let there = self.under(flags, cond, |this| this.facts.range(yes));
        let elsewhere = self.under(flags, cond.negate(), |this| this.facts.range(no));
        let hull = Interval::new(there.lo.min(elsewhere.lo), there.hi.max(elsewhere.hi));
        let x = self.facts.fresh(hull);
        let mut kept = self.comparisons(flags, cond, x, yes, no);
        kept.extend(self.clamp(flags, cond, x, yes, no));
        for fact in kept {
            self.derive(Some(fact));
        }
        Term::var(x)
    }

    /// What `body` answers where `cond` holds; everything learnt there is forgotten again.
    fn under<R>(&mut self, flags: &Flags, cond: Cond, body: impl FnOnce(&mut Self) -> R) -> R {
        let mark = self.facts.mark();
        self.assume(flags, cond);
        let answer = body(self);
        self.facts.rollback(mark);
        answer
    }

    /// The facts among `x <= yes`, `x >= yes`, `x <= no`, `x >= no` that are proved. On one side each is
    /// trivial, on the other it compares the two terms.
    fn comparisons(&mut self, flags: &Flags, cond: Cond, x: Var, yes: &Term, no: &Term) -> Vec<Term> {
        let mut kept = Vec::new();
        if yes.as_const().is_some() && no.as_const().is_some() {
            return kept;
        }
        let x = Term::var(x);
        for (cond, here, other) in [(cond, yes, no), (cond.negate(), no, yes)] {
            // Here x = here, elsewhere x = other: compare x with `other`.
            let Some(above) = here.sub(other) else { continue };
            let Some(below) = above.neg() else { continue };
            let (ge, le) = self.under(flags, cond, |this| (this.proves(&above), this.proves(&below)));
            if ge {
                kept.extend(x.sub(other));
            }
            if le {
                kept.extend(other.sub(&x));
            }
        }
        kept
    }

    /// How `x` compares with the operands of a comparison of which one is chosen, where that holds on both sides:
    /// `cmp i, n`, `cmovae i, zero` leaves `i < n` if `0 < n`.
    fn clamp(&mut self, flags: &Flags, cond: Cond, x: Var, yes: &Term, no: &Term) -> Vec<Term> {
        let Order::Sub(a, b, _) = &flags.order else { return Vec::new() };
        if ![a, b].iter().any(|t| *t == yes || *t == no) {
            return Vec::new();
        }
        let new = Term::var(x);
        let facts = [a, b].into_iter().flat_map(|t| [t.sub(&new), new.sub(t)]).flatten();
        let mut proposed: Vec<Term> = facts.filter_map(|fact| fact.offset(-1)).collect();
        for (cond, value) in [(cond, yes), (cond.negate(), no)] {
            if proposed.is_empty() {
                break;
            }
            proposed = self.under(flags, cond, |this| {
                proposed.retain(|fact| {
                    let k = i128::from(fact.coefficient(x));
                    let goal = value.sub(&new).and_then(|step| fact.add_scaled(&step, k));
                    goal.is_some_and(|goal| this.proves(&goal))
                });
                proposed
            });
        }
        proposed
    }
}
