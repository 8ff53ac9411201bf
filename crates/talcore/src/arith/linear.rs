//! Addition, subtraction and address arithmetic: exact on terms, because words are only ever
//! known modulo `2^w`. No overflow side conditions.

use super::{Flags, Num, Out, pow2};
use crate::facts::Interval;
use crate::term::Term;

impl Num<'_> {
    /// `add`: `a + b`. CF is the carry out, OF the signed overflow.
    pub fn add(&mut self, bits: u32, a: &Term, b: &Term) -> Out {
        let value = self.or_unknown(bits, a.add(b));
        let flags = Flags::sum(bits, a, b, &value);
        Out { value, flags }
    }

    /// `sub`: `a - b`. Flags as after [`Num::cmp`].
    pub fn sub(&mut self, bits: u32, a: &Term, b: &Term) -> Out {
        let value = self.or_unknown(bits, a.sub(b));
        let flags = Flags::difference(bits, a, b, &value);
        Out { value, flags }
    }

    /// `cmp`: the flags of `a - b`.
    pub fn cmp(&self, bits: u32, a: &Term, b: &Term) -> Flags {
        match a.sub(b) {
            Some(value) => Flags::difference(bits, a, b, &value).kept(),
            None => Flags::order_only(bits, a, b),
        }
    }

    /// `inc`: `a + 1`. CF keeps the value that it had, so nothing is said about it.
    pub fn inc(&mut self, bits: u32, a: &Term) -> Out {
        let out = self.add(bits, a, &Term::from(1));
        Out { flags: out.flags.without_carry(), ..out }
    }

    /// `dec`: `a - 1`. CF keeps the value that it had.
    pub fn dec(&mut self, bits: u32, a: &Term) -> Out {
        let out = self.sub(bits, a, &Term::from(1));
        Out { flags: out.flags.without_carry(), ..out }
    }

    /// `neg`: `0 - a`, flags included (CF is set iff `a` is not 0, which is `0 <u a`).
    pub fn neg(&mut self, bits: u32, a: &Term) -> Out {
        self.sub(bits, &Term::zero(), a)
    }

    /// `not`: the complement is `-1 - a` modulo every `2^w`. Flags stay.
    pub fn not(&mut self, bits: u32, a: &Term) -> Term {
        self.or_unknown(bits, Term::from(-1).sub(a))
    }

    /// `adc`: `a + b + c` with the carry `c`, which is 0 or 1.
    pub fn adc(&mut self, bits: u32, a: &Term, b: &Term, before: &Flags) -> Out {
        let carry = self.carry(before);
        let value = self.or_unknown(bits, a.add(b).and_then(|s| s.add(&carry)));
        let flags = Flags::result(bits, &value);
        Out { value, flags }
    }

    /// `sbb`: `a - b - c` with the borrow `c`, which is 0 or 1.
    pub fn sbb(&mut self, bits: u32, a: &Term, b: &Term, before: &Flags) -> Out {
        let carry = self.carry(before);
        let value = self.or_unknown(bits, a.sub(b).and_then(|d| d.sub(&carry)));
        let flags = Flags::result(bits, &value);
        Out { value, flags }
    }

    /// The carry flag as a term: 0, 1, or a fresh variable in `[0, 1]`.
    pub fn carry(&mut self, flags: &Flags) -> Term {
        match flags.carry() {
            Some(set) => Term::from(i128::from(set)),
            None => self.fresh(Interval::new(0, 1)),
        }
    }

    /// `lea`: `base + scale*index + disp`. Flags stay. `bits` is the width of the result;
    /// the address itself is computed modulo the word, hence also modulo every smaller power.
    pub fn lea(&mut self, bits: u32, base: Option<&Term>, index: Option<(&Term, u8)>, disp: i64) -> Term {
        let sum = || {
            let mut t = Term::from(i128::from(disp));
            if let Some(base) = base {
                t = t.add(base)?;
            }
            if let Some((index, scale)) = index {
                t = t.add_scaled(index, i128::from(scale))?;
            }
            Some(t)
        };
        let sum = sum();
        self.or_unknown(bits, sum)
    }

    /// `movzx`: the low `from` bits as an unsigned number. Flags stay.
    pub fn movzx(&mut self, from: u32, a: &Term) -> Term {
        self.read(from, a)
    }

    /// `movsx`, `movsxd`: the low `from` bits as a signed number. Flags stay.
    pub fn movsx(&mut self, from: u32, a: &Term) -> Term {
        self.read_signed(from, a)
    }

    /// `cbw`, `cwde`, `cdqe` with a result of `bits` bits: sign-extends the lower half.
    pub fn cbw(&mut self, bits: u32, a: &Term) -> Term {
        self.read_signed(bits / 2, a)
    }

    /// `cwd`, `cdq`, `cqo`: the sign of `a`, 0 or -1.
    pub fn cwd(&mut self, bits: u32, a: &Term) -> Term {
        let range = match self.known_signed(bits, a) {
            Some(a) => self.facts.range(&a),
            None => Interval::new(-pow2(bits - 1), pow2(bits - 1) - 1),
        };
        self.fresh(Interval::new(if range.lo >= 0 { 0 } else { -1 }, if range.hi < 0 { -1 } else { 0 }))
    }
}
