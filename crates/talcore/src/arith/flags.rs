//! The flags as a relation between terms at the instruction that set them.

use crate::term::Term;

/// What is known about the flags. They die at the next instruction that writes them, at calls
/// and at labels; the variables in them are immutable, so facts learnt in between stay usable.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Flags {
    /// The width of the instruction that set them, in bits.
    pub(super) bits: u32,
    /// ZF is set iff this is 0 modulo `2^bits`.
    pub(super) zero: Option<Term>,
    /// SF is the sign bit of `zero` at `bits` bits.
    pub(super) sign: bool,
    /// `zero` is the result of the instruction just applied, which will be written somewhere.
    pub(super) of_result: bool,
    /// What CF and OF say.
    pub(super) order: Order,
}

/// What CF and OF (and ZF, SF with them) say about operands `a`, `b`, each congruent modulo
/// `2^bits` to what was compared.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) enum Order {
    /// Nothing is known.
    #[default]
    Unknown,
    /// CF and OF are clear, ZF and SF belong to the result.
    Clear,
    /// CF has this value; OF is unknown.
    Carry(bool),
    /// As after `a - b`; whether CF is the borrow.
    Sub(Term, Term, bool),
    /// As after `a + b`; whether CF is the carry out.
    Add(Term, Term, bool),
    /// CF and OF are clear iff this product, an exact integer, fits in `bits` bits, signed or not.
    Fits(Term, bool),
    /// ZF is set iff the low `k` bits of the term are 0; CF and OF are clear.
    LowZero(Term, u32),
    /// ZF is set iff bits `k..bits` of the term are 0; CF and OF are clear.
    HighZero(Term, u32),
}

impl Flags {
    /// Nothing is known.
    pub fn unknown() -> Flags {
        Flags::default()
    }

    /// Forgets what is known.
    pub fn forget(&mut self) {
        // Setting all of them costs more than looking.
        if self.bits != 0 || self.order != Order::Unknown {
            *self = Flags::default();
        }
    }

    /// After `a - b` with the result `value`: CF is `a <u b`, SF and OF together say `a <s b`.
    pub(super) fn difference(bits: u32, a: &Term, b: &Term, value: &Term) -> Flags {
        let order = Order::Sub(a.clone(), b.clone(), true);
        Flags { bits, zero: Some(value.clone()), sign: true, of_result: true, order }
    }

    /// After `a - b` where the difference is not a term.
    pub(super) fn order_only(bits: u32, a: &Term, b: &Term) -> Flags {
        Flags::ordered(bits, Order::Sub(a.clone(), b.clone(), true))
    }

    /// After `a + b` with the result `value`.
    pub(super) fn sum(bits: u32, a: &Term, b: &Term, value: &Term) -> Flags {
        let order = Order::Add(a.clone(), b.clone(), true);
        Flags { bits, zero: Some(value.clone()), sign: true, of_result: true, order }
    }

    /// After a logical instruction with the result `value`: CF and OF are clear.
    pub fn logic(bits: u32, value: &Term) -> Flags {
        Flags { order: Order::Clear, ..Flags::result(bits, value) }
    }

    /// ZF and SF are those of `value`; CF and OF are unknown.
    pub fn result(bits: u32, value: &Term) -> Flags {
        let zero = Some(value.clone());
        Flags { bits, zero, sign: true, of_result: true, order: Order::Unknown }
    }

    /// ZF is set iff `value` is 0; the rest is unknown.
    pub fn zero_only(bits: u32, value: &Term) -> Flags {
        Flags { bits, zero: Some(value.clone()), ..Flags::default() }
    }

    /// CF has this value (`clc`, `stc`); the rest is unknown.
    pub fn only_carry(set: bool) -> Flags {
        Flags { order: Order::Carry(set), ..Flags::default() }
    }

    pub(super) fn ordered(bits: u32, order: Order) -> Flags {
        Flags { bits, order, ..Flags::default() }
    }

    /// Whether they come from a comparison of two operands.
    pub(super) fn compares(&self) -> bool {
        matches!(self.order, Order::Sub(..))
    }

    /// The same flags, but CF is one that was there before.
    pub(super) fn without_carry(self) -> Flags {
        let order = match self.order {
            Order::Sub(a, b, _) => Order::Sub(a, b, false),
            Order::Add(a, b, _) => Order::Add(a, b, false),
            _ => Order::Unknown,
        };
        Flags { order, ..self }
    }

    /// The flags of an instruction that writes a result, after the result was written and got the
    /// name `word` there: a term congruent to the result modulo `2^bits`, see [`super::Num::write`].
    /// ZF and SF then speak of that name, so that a test teaches something about the register. Flags that
    /// do not come from the result stay as they are.
    pub fn named(mut self, word: &Term) -> Flags {
        if self.of_result {
            self.zero = Some(word.clone());
        }
        self.kept()
    }

    /// From here on they are those of an instruction that has written its result as it was.
    pub fn keep(&mut self) {
        self.of_result = false;
    }

    /// The same flags, as those of an instruction that leaves them.
    pub(super) fn kept(self) -> Flags {
        Flags { of_result: false, ..self }
    }

    /// The term that is 0 modulo `2^word_bits` iff ZF is set, if the flags were set by an
    /// instruction of the word's full width.
    pub fn zero_test(&self, word_bits: u32) -> Option<&Term> {
        if self.bits == word_bits { self.zero.as_ref() } else { None }
    }

    /// The value of CF, if it is known.
    pub fn carry(&self) -> Option<bool> {
        match &self.order {
            Order::Clear | Order::LowZero(..) | Order::HighZero(..) => Some(false),
            Order::Carry(set) => Some(*set),
            _ => None,
        }
    }

    /// The terms that the flags speak of.
    pub fn terms(&self) -> impl Iterator<Item = &Term> {
        let (a, b) = match &self.order {
            Order::Sub(a, b, _) | Order::Add(a, b, _) => (Some(a), Some(b)),
            Order::Fits(a, _) | Order::LowZero(a, _) | Order::HighZero(a, _) => (Some(a), None),
            Order::Unknown | Order::Clear | Order::Carry(_) => (None, None),
        };
        self.zero.iter().chain(a).chain(b)
    }
}
