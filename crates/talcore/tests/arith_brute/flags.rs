//! What leaves flags, what keeps them, and what reads them.

use crate::harness::{check, check_learning, many};
use crate::model::{self, Fl, holds, mask, settle};
use crate::world::World;
use crate::{BINARY, Binary, operand_word, width};
use talcore::arith::{Flags, Num};
use talcore::term::Term;
use talcore::x86::insn::Cond;

/// Flags that an instruction finds: `cmp`, then perhaps one that writes all, some or none of them, at any width; or
/// `clc` and `stc`.
#[derive(Debug)]
pub(crate) struct Before {
    cmp: (u32, Term, Term),
    then: Option<(Binary, u32, Term, Term)>,
    carry: Option<bool>,
}

impl Before {
    pub(crate) fn random(world: &World, rng: &mut fastrand::Rng) -> Before {
        let operand = |small: bool, rng: &mut fastrand::Rng| match rng.bool() && small {
            true => Term::from(rng.i128(0..9)),
            false => world.term(rng),
        };
        let cmp = (width(rng, world.word), operand(false, rng), operand(false, rng));
        let then = rng.bool().then(|| {
            let which = *rng.choice(&BINARY).unwrap();
            // Counts are small, else little is known behind a shift.
            (which, width(rng, world.word), operand(false, rng), operand(which.shifts(), rng))
        });
        Before { cmp, then, carry: (rng.u8(..6) == 0).then(|| rng.bool()) }
    }

    pub(crate) fn rule(&self, num: &mut Num) -> Flags {
        if let Some(set) = self.carry {
            return Flags::only_carry(set);
        }
        let (w, a, b) = &self.cmp;
        let flags = num.cmp(*w, a, b);
        let Some((which, w, a, b)) = &self.then else { return flags };
        match which.rule(num, *w, a, b, &flags) {
            (Some(value), flags) if *which != Binary::Not => flags.named(&value),
            (_, flags) => flags,
        }
    }

    /// The flags at a point. What is undefined is anything.
    pub(crate) fn model(&self, p: &[i128], rng: &mut fastrand::Rng) -> Fl {
        if let Some(set) = self.carry {
            return settle(&Fl { cf: Some(set), ..Fl::default() }, rng);
        }
        let (w, a, b) = &self.cmp;
        let fl = model::sub(operand_word(a, p, *w), operand_word(b, p, *w), false, *w).1;
        let Some((which, w, a, b)) = &self.then else { return settle(&fl, rng) };
        let b = operand_word(b, p, if which.shifts() { 8 } else { *w });
        let fl = which.model(*w, operand_word(a, p, *w), b, &settle(&fl, rng), rng).1;
        settle(&fl, rng)
    }
}

/// `cmov`, `setcc`, and the carry as a number.
#[test]
fn conditional_moves() {
    many(500, 35, |rng, word| {
        let world = World::random(rng, word);
        let w = width(rng, word);
        let before = Before::random(&world, rng);
        let (_, a, b) = &before.cmp;
        // Among others the smaller or larger one of what was compared.
        let (source, dest) = match rng.u32(0..4) {
            0 => (b.clone(), a.clone()),
            1 => (a.clone(), b.clone()),
            _ => (world.term(rng), world.term(rng)),
        };
        let cond = *rng.choice(&Cond::ALL).unwrap();
        check(
            &world,
            rng,
            |num| {
                let flags = before.rule(num);
                let moved = num.cmov(w, &flags, cond, &dest, &source);
                let set = num.setcc(&flags, cond);
                let carry = num.carry(&flags);
                (vec![(moved, w), (set, word), (carry, word)], flags)
            },
            |p, rng| {
                let f = before.model(p, rng);
                let yes = holds(cond, &f);
                let moved = operand_word(if yes { &source } else { &dest }, p, w);
                vec![(vec![moved, u64::from(yes), u64::from(f.cf.unwrap())], f)]
            },
        )
        .map_err(|why| format!("cmov{cond:?} {dest:?}, {source:?} after {before:?}: {why}"))
    });
}

/// What each condition teaches behind each instruction, and behind two of which the second leaves some flags.
#[test]
fn conditions() {
    many(1000, 37, |rng, word| {
        let world = World::random(rng, word);
        let before = Before::random(&world, rng);
        check(&world, rng, |num| (vec![], before.rule(num)), |p, rng| vec![(vec![], before.model(p, rng))])
            .map_err(|why| format!("after {before:?}: {why}"))
    });
}

/// `jrcxz`: whether a whole word is 0.
#[test]
fn count_is_zero() {
    many(300, 38, |rng, word| {
        let world = World::random(rng, word);
        let t = world.term(rng);
        check_learning(
            &world,
            rng,
            |_| (vec![], Flags::unknown()),
            |num, _, cond| {
                let zero = match cond {
                    Cond::E => true,
                    Cond::Ne => false,
                    _ => return,
                };
                for fact in num.refine_zero(&t, zero) {
                    if fact.as_const().is_some_and(|c| c < 0) {
                        num.facts.fresh(talcore::facts::Interval::new(1, 0));
                    }
                    num.facts.assume(&fact);
                }
            },
            |p, _| vec![(vec![], Fl { zf: Some(operand_word(&t, p, word) == 0), ..Fl::default() })],
        )
        .map_err(|why| format!("{t:?}: {why}"))
    });
}

/// `bt`, `bts`, `btr`, `btc` and `bswap`.
#[test]
fn single_bits() {
    many(150, 39, |rng, word| {
        let world = World::random(rng, word);
        let w = width(rng, word);
        let (t, number, only_test) = (world.term(rng), rng.u32(0..w), rng.bool());
        check(
            &world,
            rng,
            |num| {
                let swapped = (num.bswap(w), w);
                if only_test {
                    return (vec![swapped], num.bt());
                }
                let out = num.bit_update(w);
                let flags = out.flags.named(&out.value);
                (vec![swapped, (out.value, w)], flags)
            },
            |p, rng| {
                let x = operand_word(&t, p, w);
                let swapped = if w.is_multiple_of(8) {
                    x.swap_bytes() >> (64 - w)
                } else {
                    x.reverse_bits() >> (64 - w)
                };
                let bit = 1 << number;
                let changed = [x | bit, x & !bit, x ^ bit];
                let fl = Fl { cf: Some(x & bit != 0), ..Fl::default() };
                let mut words = vec![swapped & mask(w)];
                if !only_test {
                    words.push(*rng.choice(&changed).unwrap());
                }
                vec![(words, fl)]
            },
        )
        .map_err(|why| format!("bit {number} of {t:?}, {w} bits: {why}"))
    });
}

/// AH, CH, DH and BH, of words that are wide enough.
#[test]
fn second_bytes() {
    many(150, 40, |rng, word| {
        let world = World::random(rng, word.max(32));
        let word = world.word;
        let (t, old) = (world.term(rng), world.term(rng));
        check(
            &world,
            rng,
            |num| {
                let results = vec![(num.read_high(&t), word), (num.write_high(&old), word)];
                (results, Flags::unknown())
            },
            |p, rng| {
                let old = operand_word(&old, p, word);
                let high = operand_word(&t, p, word) >> 8 & 0xFF;
                vec![(vec![high, old & !0xFF00 | rng.u64(..) & 0xFF00], Fl::default())]
            },
        )
        .map_err(|why| format!("{t:?}, {old:?}: {why}"))
    });
}
