//! Rules that are wrong on purpose, each a mistake that some checker has made: the comparison
//! with the model must catch every one, or it shows nothing about the right ones.

use crate::harness::{caught, check, check_learning};
use crate::model::{self, Fl, mask, signed, word};
use crate::world::{World, value};
use talcore::arith::{Flags, Num, Shift};
use talcore::facts::Interval;
use talcore::term::Term;
use talcore::x86::insn::Cond;

const ROUNDS: u32 = 600;

fn bits(t: &Term, p: &[i128], w: u32) -> u64 {
    word(value(t, p), w)
}

/// A wrong rule for one result: `rule(num, a, b)` claims a term for the word that `model(a, b)` gives,
/// both at full width `w`.
fn wrong_result(
    rule: impl Fn(&mut Num, u32, &Term, &Term) -> Term,
    model: impl Fn(u32, u64, u64) -> Option<u64>,
) -> bool {
    caught(ROUNDS, |rng, word| {
        let world = World::random(rng, word);
        let (a, b) = (world.term(rng), world.term(rng));
        check(
            &world,
            rng,
            |num| (vec![(rule(num, word, &a, &b), word)], Flags::unknown()),
            |p, _| {
                let x = model(word, bits(&a, p, word), bits(&b, p, word));
                x.map(|x| (vec![x], Fl::default())).into_iter().collect()
            },
        )
    })
}

/// A wrong way to learn from the condition `cond` after `cmp a, b`.
fn wrong_fact(cond: Cond, fact: impl Fn(&mut Num, &Term, &Term) -> Option<Term>) -> bool {
    caught(ROUNDS, |rng, word| {
        let world = World::random(rng, word);
        let (a, b) = (world.term(rng), world.term(rng));
        check_learning(
            &world,
            rng,
            |num| (vec![], num.cmp(word, &a, &b)),
            |num, _, c| {
                if c == cond
                    && let Some(fact) = fact(num, &a, &b)
                {
                    num.facts.assume(&fact);
                }
            },
            |p, _| vec![(vec![], model::sub(bits(&a, p, word), bits(&b, p, word), false, word).1)],
        )
    })
}

const HALF: u32 = 3;

#[test]
fn partial_writes() {
    // A 32-bit write that keeps a term beyond 32 bits.
    assert!(wrong_result(|n, _, a, b| n.add(HALF, a, b).value, |_, a, b| Some((a + b) & mask(HALF))));
    // An 8-bit write treated as one that clears the rest.
    assert!(wrong_result(|n, _, a, _| n.read(HALF, a), |_, a, b| Some(b & !mask(HALF) | a & mask(HALF))));
    // "Fresh in the range of its width" for a register that was merged.
    assert!(wrong_result(
        |n, _, _, _| n.fresh(Interval::new(0, (1 << HALF) - 1)),
        |_, a, b| Some(b & !mask(HALF) | a & mask(HALF))
    ));
    // A merge that looks at the result only, not at the old word.
    assert!(wrong_result(
        |n, _, a, b| n.known(HALF, a).unwrap_or_else(|| n.merge(HALF, b, a)),
        |_, a, b| Some(b & !mask(HALF) | a & mask(HALF))
    ));
}

#[test]
fn extensions() {
    // Sign extension taken for zero extension and the other way round.
    assert!(wrong_result(
        |n, _, a, _| n.read(HALF, a),
        |w, a, _| Some(word(signed(a & mask(HALF), HALF), w))
    ));
    assert!(wrong_result(|n, _, a, _| n.read_signed(HALF, a), |_, a, _| Some(a & mask(HALF))));
    // The term itself, without a proof of its range.
    assert!(wrong_result(|_, _, a, _| a.clone(), |_, a, _| Some(a & mask(HALF))));
}

#[test]
fn shifts() {
    let flags = Flags::unknown;
    // A count that is not masked.
    assert!(wrong_result(
        |_, _, _, _| Term::zero(),
        |w, a, _| Some(model::shift('l', a, 32, w).map_or(a, |s| s.0))
    ));
    // A logical shift by the arithmetic rule and the other way round.
    let two = Term::from(2);
    let shift = |n: &mut Num, how, w, a: &Term| n.shift(how, w, a, &two, &flags()).value;
    assert!(wrong_result(
        |n, w, a, _| shift(n, Shift::Arithmetic, w, a),
        |w, a, _| model::shift('r', a, 2, w).map(|s| s.0)
    ));
    assert!(wrong_result(
        |n, w, a, _| shift(n, Shift::Right, w, a),
        |w, a, _| model::shift('a', a, 2, w).map(|s| s.0)
    ));
    // The floor of the term instead of the word.
    assert!(wrong_result(
        |n, _, a, _| {
            let x = n.fresh(Interval::new(-200, 200));
            let rest = a.add_scaled(&x, -4).unwrap();
            n.facts.assume(&rest);
            n.facts.assume(&Term::from(3).sub(&rest).unwrap());
            x
        },
        |w, a, _| model::shift('r', a, 2, w).map(|s| s.0)
    ));
}

#[test]
fn bitwise() {
    // x <= a for an operand that may be negative as a term.
    assert!(wrong_result(
        |n, w, a, _| {
            let x = n.unknown(w);
            n.facts.assume(&a.sub(&x).unwrap());
            x
        },
        |_, a, b| Some(a & b)
    ));
    // or as a sum although both have a bit.
    assert!(wrong_result(|_, _, a, b| a.add(b).unwrap(), |_, a, b| Some(a | b)));
    // xor of equal terms is 0, of different ones it is not.
    assert!(wrong_result(|_, _, _, _| Term::zero(), |_, a, b| Some(a ^ b)));
    // An upper bound by the larger operand instead of the next power of two.
    assert!(wrong_result(
        |n, w, a, b| {
            let hi = |n: &mut Num, t| n.read(w, t);
            let (a, b) = (hi(n, a), hi(n, b));
            let hi = n.facts.range(&a).hi.max(n.facts.range(&b).hi);
            n.fresh(Interval::new(0, hi))
        },
        |_, a, b| Some(a | b)
    ));
}

#[test]
fn divisions() {
    // q*d + r = n although the high half is not 0: here r < d with r = n mod d of the low half.
    let d = Term::from(3);
    assert!(caught(ROUNDS, |rng, w| {
        let world = World::random(rng, w);
        let (high, low) = (world.term(rng), world.term(rng));
        check(
            &world,
            rng,
            |n| (vec![(n.div(w, &Term::zero(), &low, &d).quotient, w)], Flags::unknown()),
            |p, _| {
                let run = model::div(bits(&high, p, w), bits(&low, p, w), 3, w, false);
                run.map(|(q, _)| (vec![q], Fl::default())).into_iter().collect()
            },
        )
    }));
    // Signed division of a negative number by the unsigned rule.
    assert!(wrong_result(
        |n, w, a, _| n.div(w, &Term::zero(), a, &d).quotient,
        |w, a, _| {
            let high = if signed(a, w) < 0 { mask(w) } else { 0 };
            model::div(high, a, 3, w, true).map(|q| q.0)
        }
    ));
    // A remainder as large as the divisor is not needed: r <= d - 2 is wrong.
    assert!(wrong_result(
        |n, _, _, _| n.fresh(Interval::new(0, 1)),
        |w, a, _| model::div(0, a, 3, w, false).map(|q| q.1)
    ));
}

#[test]
fn conditions() {
    let less = |a: &Term, b: &Term, strict: i128| b.sub(a)?.offset(-strict);
    // Comparisons of words taken for comparisons of terms without any range.
    for (cond, strict) in [(Cond::B, 1), (Cond::Be, 0), (Cond::L, 1), (Cond::Le, 0)] {
        assert!(wrong_fact(cond, |_, a, b| less(a, b, strict)), "{cond:?}");
        assert!(wrong_fact(cond.negate(), |_, a, b| less(b, a, 1 - strict)), "{cond:?}");
    }
    // A signed comparison with terms in the unsigned range, and the other way round.
    assert!(wrong_fact(Cond::L, |n, a, b| {
        let (a, b) = (n.known(n.word_bits, a)?, n.known(n.word_bits, b)?);
        less(&a, &b, 1)
    }));
    assert!(wrong_fact(Cond::B, |n, a, b| {
        let (a, b) = (n.known_signed(n.word_bits, a)?, n.known_signed(n.word_bits, b)?);
        less(&a, &b, 1)
    }));
    // Off by one: `jbe` as `<`.
    assert!(wrong_fact(Cond::Be, |n, a, b| {
        let (a, b) = (n.known(n.word_bits, a)?, n.known(n.word_bits, b)?);
        less(&a, &b, 1)
    }));
    // Only one of the operands in range.
    assert!(wrong_fact(Cond::B, |n, a, b| {
        let b = n.known(n.word_bits, b)?;
        less(a, &b, 1)
    }));
    // Equal words taken for equal terms, different words for a term below the other.
    assert!(wrong_fact(Cond::E, |_, a, b| a.sub(b)));
    assert!(wrong_fact(Cond::Ne, |_, a, b| a.sub(b)?.offset(-1)));
    // The fact of one edge on the other.
    assert!(wrong_fact(Cond::Ae, |n, a, b| {
        let (a, b) = (n.known(n.word_bits, a)?, n.known(n.word_bits, b)?);
        less(&a, &b, 0)
    }));
    // The sign of a difference taken for the order: forgets the overflow.
    assert!(wrong_fact(Cond::S, |n, a, b| {
        let (a, b) = (n.known_signed(n.word_bits, a)?, n.known_signed(n.word_bits, b)?);
        less(&a, &b, 1)
    }));
}

#[test]
fn stale_flags() {
    // `inc` leaves CF: the flags of an addition say too much.
    assert!(caught(ROUNDS, |rng, w| {
        let world = World::random(rng, w);
        let a = world.term(rng);
        let carry = rng.bool();
        check(
            &world,
            rng,
            |n| (vec![], n.add(w, &a, &Term::from(1)).flags),
            |p, _| {
                let f = model::add(bits(&a, p, w), 1, false, w).1;
                vec![(vec![], Fl { cf: Some(carry), ..f })]
            },
        )
    }));
    // A shift by 0 leaves the flags.
    assert!(caught(ROUNDS, |rng, w| {
        let world = World::random(rng, w);
        let (a, b) = (world.term(rng), world.term(rng));
        check(
            &world,
            rng,
            |_| (vec![], Flags::result(w, &a)),
            |p, _| vec![(vec![], model::sub(bits(&a, p, w), bits(&b, p, w), false, w).1)],
        )
    }));
    // A comparison of a narrower width used at full width.
    assert!(caught(ROUNDS, |rng, w| {
        let world = World::random(rng, w);
        let (a, b) = (world.term(rng), world.term(rng));
        check(
            &world,
            rng,
            |n| (vec![], n.cmp(w, &a, &b)),
            |p, _| vec![(vec![], model::sub(bits(&a, p, HALF), bits(&b, p, HALF), false, HALF).1)],
        )
    }));
}
