//! Every arithmetic rule and every flag refinement against a bit-level model, at words of 4 to 8
//! bits, and at real ones near the numbers that overflow.
//!
//! For random facts, operands and instructions a rule is applied once; then, for every model of
//! the facts, the instruction is executed on concrete words. There must be values of the fresh variables
//! such that the results are congruent to the terms, all new facts are true, and so is
//! everything that is learnt from each condition that the hardware's flags make true.

mod complete;
mod flags;
mod harness;
mod model;
mod world;
mod wrong;

use flags::Before;
use harness::{check, many};
use model::{Fl, mask, settle, signed, word};
use std::cell::Cell;
use talcore::arith::{Flags, Num, Shift};
use talcore::term::Term;
use world::{World, value};

/// The widths of instructions on words of `word` bits.
fn width(rng: &mut fastrand::Rng, word: u32) -> u32 {
    if word > 16 {
        return *rng.choice(&[8, 16, 32, word, word, word]).unwrap();
    }
    if rng.bool() { word } else { rng.u32(2..=word) }
}

/// A result written over a register: the term of the whole register and the word that is there then.
#[derive(Clone, Copy, Debug)]
enum Write {
    /// Not written: the result itself.
    None,
    /// The rest of the register is cleared.
    Extend,
    /// The rest of the register stays.
    Merge,
}

impl Write {
    fn random(rng: &mut fastrand::Rng) -> Write {
        *rng.choice(&[Write::None, Write::Extend, Write::Merge]).unwrap()
    }

    fn apply(self, num: &mut Num, bits: u32, old: &Term, result: &Term) -> (Term, u32) {
        match self {
            Write::None => (result.clone(), bits),
            // `write` extends from 32 bits on, which no small word has.
            Write::Extend if bits < num.word_bits => (num.read(bits, result), num.word_bits),
            Write::Merge if bits < num.word_bits => (num.merge(bits, old, result), num.word_bits),
            _ => (num.write(bits, old, result), num.word_bits),
        }
    }

    fn model(self, bits: u32, old: u64, result: u64) -> u64 {
        match self {
            Write::Merge => old & !mask(bits) | result,
            _ => result,
        }
    }
}

/// Two operands, one result, flags: `add` to `test`, `imul`, shifts.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Binary {
    Add,
    Sub,
    Cmp,
    Inc,
    Dec,
    Neg,
    Not,
    Adc,
    Sbb,
    And,
    Or,
    Xor,
    Test,
    Imul,
    Shl,
    Shr,
    Sar,
    Rol,
    Shld,
    Popcnt,
}

const BINARY: [Binary; 20] = {
    use Binary::*;
    [Add, Sub, Cmp, Inc, Dec, Neg, Not, Adc, Sbb, And, Or, Xor, Test, Imul, Shl, Shr, Sar, Rol, Shld, Popcnt]
};

impl Binary {
    /// Whether the second operand is a count of 8 bits.
    fn shifts(self) -> bool {
        matches!(self, Binary::Shl | Binary::Shr | Binary::Sar | Binary::Rol | Binary::Shld)
    }

    /// The rule: the result (none for `cmp` and `test`) and the flags.
    fn rule(self, num: &mut Num, w: u32, a: &Term, b: &Term, before: &Flags) -> (Option<Term>, Flags) {
        let out = match self {
            Binary::Add => num.add(w, a, b),
            Binary::Sub => num.sub(w, a, b),
            Binary::Inc => num.inc(w, a),
            Binary::Dec => num.dec(w, a),
            Binary::Neg => num.neg(w, a),
            Binary::Not => {
                let flags = before.clone();
                return (Some(num.not(w, a)), flags);
            }
            Binary::Adc => num.adc(w, a, b, before),
            Binary::Sbb => num.sbb(w, a, b, before),
            Binary::And => num.and(w, a, b),
            Binary::Or => num.or(w, a, b),
            Binary::Xor => num.xor(w, a, b),
            Binary::Imul => num.imul(w, a, b),
            Binary::Shl => num.shift(Shift::Left, w, a, b, before),
            Binary::Shr => num.shift(Shift::Right, w, a, b, before),
            Binary::Sar => num.shift(Shift::Arithmetic, w, a, b, before),
            Binary::Rol => num.rotate(w, a, b, before),
            Binary::Shld => num.double_shift(w, a, b, before),
            Binary::Popcnt => num.popcnt(w, a),
            Binary::Cmp => return (None, num.cmp(w, a, b)),
            Binary::Test => return (None, num.test(w, a, b)),
        };
        (Some(out.value), out.flags)
    }

    fn model(self, w: u32, a: u64, b: u64, before: &Fl, rng: &mut fastrand::Rng) -> (u64, Fl) {
        let carry = before.cf.expect("settled");
        let keep_carry = |(x, f): (u64, Fl)| (x, Fl { cf: before.cf, ..f });
        let count = |x: Option<(u64, Fl)>| x.unwrap_or((a, *before));
        match self {
            Binary::Add => model::add(a, b, false, w),
            Binary::Sub | Binary::Cmp => model::sub(a, b, false, w),
            Binary::Inc => keep_carry(model::add(a, 1, false, w)),
            Binary::Dec => keep_carry(model::sub(a, 1, false, w)),
            Binary::Neg => model::sub(0, a, false, w),
            Binary::Not => (!a & mask(w), *before),
            Binary::Adc => model::add(a, b, carry, w),
            Binary::Sbb => model::sub(a, b, carry, w),
            Binary::And | Binary::Test => model::logic(a & b, w),
            Binary::Or => model::logic(a | b, w),
            Binary::Xor => model::logic(a ^ b, w),
            Binary::Imul => {
                let (lo, _, f) = model::mul(a, b, w, true);
                (lo, f)
            }
            Binary::Shl => count(model::shift('l', a, b, w)),
            Binary::Shr => count(model::shift('r', a, b, w)),
            Binary::Sar => count(model::shift('a', a, b, w)),
            Binary::Rol => {
                let zero = b & 31 == 0;
                let flags = if zero { *before } else { Fl { zf: before.zf, ..Fl::default() } };
                (model::rotate(true, a, b, w), flags)
            }
            Binary::Shld => {
                let zero = b & 31 == 0;
                if zero { (a, *before) } else { (rng.u64(..) & mask(w), Fl::default()) }
            }
            Binary::Popcnt => {
                let ones = u64::from(a.count_ones());
                let f = Some(false);
                (ones, Fl { cf: f, of: f, sf: f, pf: f, zf: Some(a == 0) })
            }
        }
    }
}

/// The bits of an operand. (Shift counts have 8 bits, however small the word is.)
fn operand_word(t: &Term, p: &[i128], w: u32) -> u64 {
    word(value(t, p), w)
}

fn binary(which: Binary, rng: &mut fastrand::Rng, word: u32) -> Result<(), String> {
    let mut world = World::random(rng, word);
    let w = width(rng, word);
    let (a, old) = (world.term(rng), world.term(rng));
    let b = match rng.u32(0..4) {
        0 => Term::from(world.constant(rng)),
        1 if rng.bool() => a.clone(),
        _ => world.term(rng),
    };
    let before = Before::random(&world, rng);
    let write = Write::random(rng);
    let b = if which.shifts() && rng.bool() { world.count(rng) } else { b };
    check(
        &world,
        rng,
        |num| {
            let before = before.rule(num);
            let (value, flags) = which.rule(num, w, &a, &b, &before);
            match value {
                None => (vec![], flags),
                Some(value) => {
                    let (written, bits) = write.apply(num, w, &old, &value);
                    // `not` has no flags of its own to name.
                    let flags = if which == Binary::Not { flags } else { flags.named(&written) };
                    (vec![(value, w), (written, bits)], flags)
                }
            }
        },
        |p, rng| {
            let before = before.model(p, rng);
            let b = operand_word(&b, p, if which.shifts() { 8 } else { w });
            let (x, f) = which.model(w, operand_word(&a, p, w), b, &before, rng);
            let written = write.model(w, operand_word(&old, p, word), x);
            vec![(vec![x, written], f)]
        },
    )
    .map_err(|why| format!("{which:?} {w} bits, {a:?}, {b:?}, {write:?} over {old:?}, {before:?}: {why}"))
}

macro_rules! binary_tests {
    ($($name:ident $which:ident;)*) => { $(
        #[test]
        fn $name() {
            let which = Binary::$which;
            many(150, BINARY.iter().position(|&b| b == which).unwrap() as u64, |rng, word| {
                binary(which, rng, word)
            });
        }
    )* };
}

binary_tests! {
    add Add; sub Sub; cmp Cmp; inc Inc; dec Dec; neg Neg; not Not; adc Adc; sbb Sbb; and And; or Or;
    xor Xor; test Test; imul Imul; shl Shl; shr Shr; sar Sar; rol Rol; shld Shld; popcnt Popcnt;
}

#[test]
fn multiply_wide() {
    many(200, 30, |rng, word| {
        let world = World::random(rng, word);
        let w = width(rng, word);
        let (a, b, is_signed) = (world.term(rng), world.term(rng), rng.bool());
        check(
            &world,
            rng,
            |num| {
                let p = if is_signed { num.imul_wide(w, &a, &b) } else { num.mul(w, &a, &b) };
                // Of the widest product no more than 64 bits are compared.
                (vec![(p.low, w), (p.high, w), (p.whole, (2 * w).min(64))], p.flags)
            },
            |p, _| {
                let (lo, hi, f) = model::mul(operand_word(&a, p, w), operand_word(&b, p, w), w, is_signed);
                let whole = if w < 64 { hi << w | lo } else { lo };
                vec![(vec![lo, hi, whole], f)]
            },
        )
        .map_err(|why| format!("{a:?} * {b:?}, {w} bits, signed {is_signed}: {why}"))
    });
}

#[test]
fn divide() {
    many(400, 31, |rng, word| {
        let world = World::random(rng, word);
        let w = width(rng, word);
        let low = world.term(rng);
        let high = match rng.u32(0..3) {
            0 => world.term(rng),
            1 => Term::zero(),
            _ => Term::from(1i128 << w),
        };
        let d = if rng.bool() { Term::from(world.constant(rng)) } else { world.term(rng) };
        let (is_signed, extend) = (rng.bool(), rng.u32(0..3) == 0);
        // Whether it is known not to trap.
        let divides = Cell::new(false);
        check(
            &world,
            rng,
            |num| {
                let high = if extend && is_signed { num.cwd(w, &low) } else { high.clone() };
                divides.set(num.divides(is_signed, w, (&high, &low), &d));
                let q = if is_signed { num.idiv(w, &high, &low, &d) } else { num.div(w, &high, &low, &d) };
                (vec![(q.quotient, w), (q.remainder, w)], Flags::unknown())
            },
            |p, _| {
                let (high, low, d) =
                    (operand_word(&high, p, w), operand_word(&low, p, w), operand_word(&d, p, w));
                let high = match extend && is_signed {
                    true => {
                        if signed(low, w) < 0 {
                            mask(w)
                        } else {
                            0
                        }
                    }
                    false => high,
                };
                let run = model::div(high, low, d, w, is_signed);
                assert!(run.is_some() || !divides.get(), "{high:#x}:{low:#x} / {d:#x} traps");
                run.map(|(q, r)| (vec![q, r], Fl::default())).into_iter().collect()
            },
        )
        .map_err(|why| format!("{high:?}:{low:?} / {d:?}, {w} bits, signed {is_signed}: {why}"))
    });
}

/// `movzx`, `movsx`, `cwd`, reading and writing of fields, `write_wrapped`.
#[test]
fn words() {
    many(400, 32, |rng, word| {
        let world = World::random(rng, word);
        let w = width(rng, word);
        let (t, old) = (world.term(rng), world.term(rng));
        let at = rng.u32(0..w);
        let field = rng.u32(1..=w - at);
        check(
            &world,
            rng,
            |num| {
                let results = vec![
                    (num.movzx(w, &t), word),
                    (num.movsx(w, &t), word),
                    (num.cwd(w, &t), w),
                    (num.cbw(w, &t), w),
                    (num.write_wrapped(w, &t), word),
                    (num.read(w, &t), word),
                    (num.read_signed(w, &t), word),
                    (num.read_field(at, field, &t), word),
                    (num.write_field(at, field, &old), word),
                ];
                (results, Flags::unknown())
            },
            |p, rng| {
                let x = operand_word(&t, p, w);
                let full = operand_word(&t, p, word);
                let half = w / 2;
                let half_signed = signed(x & mask(half), half);
                let field_mask = mask(field) << at;
                let old = operand_word(&old, p, word);
                vec![(
                    vec![
                        x,
                        word_of(signed(x, w), word),
                        if signed(x, w) < 0 { mask(w) } else { 0 },
                        word_of(half_signed, w),
                        x,
                        x,
                        word_of(signed(x, w), word),
                        full >> at & mask(field),
                        old & !field_mask | rng.u64(..) & field_mask,
                    ],
                    Fl::default(),
                )]
            },
        )
        .map_err(|why| format!("{t:?} as {w} bits, field {at}+{field}, old {old:?}: {why}"))
    });
}

fn word_of(v: i128, w: u32) -> u64 {
    model::word(v, w)
}

#[test]
fn lea() {
    many(150, 33, |rng, word| {
        let world = World::random(rng, word);
        let w = width(rng, word);
        let base = rng.bool().then(|| world.term(rng));
        let index = rng.bool().then(|| (world.term(rng), 1u8 << rng.u32(0..4)));
        let disp = rng.i64(-300..300);
        check(
            &world,
            rng,
            |num| {
                let index = index.as_ref().map(|(t, s)| (t, *s));
                (vec![(num.lea(w, base.as_ref(), index, disp), w)], Flags::unknown())
            },
            |p, _| {
                let mut sum = word_of(i128::from(disp), word);
                if let Some(base) = &base {
                    sum = model::add(sum, operand_word(base, p, word), false, word).0;
                }
                if let Some((index, scale)) = &index {
                    for _ in 0..*scale {
                        sum = model::add(sum, operand_word(index, p, word), false, word).0;
                    }
                }
                vec![(vec![sum & mask(w)], Fl::default())]
            },
        )
    });
}

#[test]
fn bit_scans() {
    many(150, 34, |rng, word| {
        let world = World::random(rng, word);
        // Only the full width and widths that merge: no rule knows 32 here.
        let w = width(rng, word);
        let (source, old, forward) = (world.term(rng), world.term(rng), rng.bool());
        check(
            &world,
            rng,
            |num| {
                let (register, flags) = num.bit_scan(w, &old, &source);
                (vec![(register, word)], flags)
            },
            |p, rng| {
                let x = operand_word(&source, p, w);
                let old = operand_word(&old, p, word);
                let fl = Fl { zf: Some(x == 0), ..Fl::default() };
                let register = match x {
                    0 => rng.u64(..) & mask(word),
                    _ => {
                        let mut set = (0..w).filter(|i| x >> i & 1 == 1);
                        let i = if forward { set.next() } else { set.next_back() };
                        let kept = if w < 32 { old & !mask(w) } else { 0 };
                        kept | u64::from(i.unwrap()) & mask(w)
                    }
                };
                vec![(vec![register], fl)]
            },
        )
        .map_err(|why| format!("scan of {source:?}, {w} bits, over {old:?}: {why}"))
    });
}

/// Two instructions in a row, so that facts of the first are there for the second.
#[test]
fn chains() {
    many(500, 36, |rng, word| {
        let world = World::random(rng, word);
        let w = width(rng, word);
        let (a, b, c) = (world.term(rng), world.term(rng), world.term(rng));
        let pick = |rng: &mut fastrand::Rng| {
            let pool = [Binary::Add, Binary::Sub, Binary::And, Binary::Shl, Binary::Or, Binary::Xor];
            *rng.choice(&pool).unwrap()
        };
        let (first, second) = (pick(rng), pick(rng));
        let (b, c) = if rng.bool() { (Term::from(rng.i128(0..9)), c) } else { (b, c) };
        let c = if second == Binary::Shl { Term::from(rng.i128(0..9)) } else { c };
        let b = if first == Binary::Shl { Term::from(rng.i128(0..9)) } else { b };
        check(
            &world,
            rng,
            |num| {
                let before = Flags::unknown();
                let (x, _) = first.rule(num, w, &a, &b, &before);
                let x = x.unwrap();
                let x = num.read(w, &x);
                let (y, flags) = second.rule(num, w, &x, &c, &before);
                let y = y.unwrap();
                let back = num.and(w, &y, &x);
                (vec![(x, w), (y, w), (back.value, w)], flags)
            },
            |p, rng| {
                let before = settle(&Fl::default(), rng);
                // Shift counts have 8 bits.
                let size = |op: Binary| if op == Binary::Shl { 8 } else { w };
                let b = operand_word(&b, p, size(first));
                let c = operand_word(&c, p, size(second));
                let (x, _) = first.model(w, operand_word(&a, p, w), b, &before, rng);
                // With count 0 the flags are the unknown ones from before.
                let (y, f) = second.model(w, x, c, &before, rng);
                vec![(vec![x, y, x & y], f)]
            },
        )
        .map_err(|why| format!("{first:?} {a:?} {b:?} then {second:?} {c:?}, {w} bits: {why}"))
    });
}
