//! What the rules say about the idioms of real code, at the width of AMD64: not only nothing false
//! (that is compared with a model elsewhere) but everything that programs need.

use talcore::arith::{Flags, Num, Prove, Shift};
use talcore::facts::{Facts, Interval, tighten};
use talcore::term::Term;
use talcore::x86::insn::Cond;

/// Knows what is written in the list of facts, up to an interval.
struct Listed;

impl Prove for Listed {
    fn prove(&mut self, facts: &Facts, goal: &Term) -> bool {
        facts.list().iter().any(|f| goal.sub(f).is_some_and(|rest| facts.evident(&rest)))
    }
}

const W: u32 = 64;
/// A size: what `[n]` declares.
const SIZE: Interval = Interval::new(0, (1 << 63) - 1);
const WORD: Interval = Interval::unsigned(64);

/// Runs `body` over fresh variables with these intervals.
fn with<const N: usize>(ranges: [Interval; N], body: impl FnOnce(&mut Num, [Term; N])) {
    let mut facts = Facts::default();
    let vars = ranges.map(|r| Term::var(facts.fresh(r)));
    body(&mut Num { facts: &mut facts, prover: &mut Listed, word_bits: W }, vars);
}

/// The interval of a term where a condition holds.
fn range_if(num: &mut Num, flags: &Flags, cond: Cond, t: &Term) -> Interval {
    let mark = num.facts.mark();
    num.assume(flags, cond);
    let range = num.facts.range(t);
    num.facts.rollback(mark);
    range
}

/// Whether `a <= b` is known where a condition holds.
fn le_if(num: &mut Num, flags: &Flags, cond: Cond, a: &Term, b: &Term) -> bool {
    let mark = num.facts.mark();
    num.assume(flags, cond);
    let known = num.proves(&b.sub(a).unwrap());
    num.facts.rollback(mark);
    known
}

fn c(x: i128) -> Term {
    Term::from(x)
}

fn plus(t: &Term, x: i128) -> Term {
    t.offset(x).unwrap()
}

#[test]
fn loop_tests() {
    with([SIZE, SIZE], |num, [i, n]| {
        let flags = num.cmp(W, &i, &n);
        for cond in [Cond::B, Cond::L] {
            assert!(le_if(num, &flags, cond, &plus(&i, 1), &n));
            assert!(le_if(num, &flags, cond.negate(), &n, &i));
        }
        assert!(le_if(num, &flags, Cond::E, &i, &n) && le_if(num, &flags, Cond::E, &n, &i));
        // `jne` needs i <= n to say more.
        assert!(!le_if(num, &flags, Cond::Ne, &plus(&i, 1), &n));
        num.facts.assume(&n.sub(&i).unwrap());
        assert!(le_if(num, &flags, Cond::Ne, &plus(&i, 1), &n));
    });
}

#[test]
fn counting_down() {
    // dec rcx; jnz: from 1.. the counter stays in range.
    with([Interval::new(1, 1 << 40)], |num, [n]| {
        let out = num.dec(W, &n);
        assert_eq!(range_if(num, &out.flags, Cond::Ne, &out.value).lo, 1);
        assert_eq!(range_if(num, &out.flags, Cond::E, &out.value), Interval::new(0, 0));
    });
    // sub rcx, 8; jb: at least 8 were there.
    with([SIZE], |num, [n]| {
        let out = num.sub(W, &n, &c(8));
        assert_eq!(range_if(num, &out.flags, Cond::Ae, &out.value).lo, 0);
        assert_eq!(range_if(num, &out.flags, Cond::B, &n), Interval::new(0, 7));
        // The same by the sign.
        assert_eq!(range_if(num, &out.flags, Cond::Ns, &out.value).lo, 0);
        assert_eq!(range_if(num, &out.flags, Cond::S, &out.value).hi, -1);
    });
    // dec ecx; jns from an unsigned 32-bit number below 2^31.
    with([Interval::new(0, 1000)], |num, [n]| {
        let out = num.dec(32, &n);
        assert_eq!(range_if(num, &out.flags, Cond::Ns, &n).lo, 1);
        assert_eq!(range_if(num, &out.flags, Cond::S, &n).hi, 0);
    });
}

#[test]
fn results_of_system_calls() {
    let error = -4095i128;
    // A word about which nothing is known.
    with([WORD], |num, [r]| {
        let flags = num.cmp(W, &r, &c(error));
        assert_eq!(range_if(num, &flags, Cond::B, &r), Interval::new(0, (1 << 64) - 4096));
        let flags = num.test(W, &r, &r);
        assert_eq!(range_if(num, &flags, Cond::Ns, &r), SIZE);
        assert_eq!(range_if(num, &flags, Cond::G, &r), Interval::new(1, SIZE.hi));
    });
    // A count or an error, as a term in the signed range.
    with([Interval::new(error, 1 << 31)], |num, [r]| {
        for flags in [num.test(W, &r, &r), num.cmp(W, &r, &c(0)), num.or(W, &r, &r).flags] {
            assert_eq!(range_if(num, &flags, Cond::Ns, &r).lo, 0);
            assert_eq!(range_if(num, &flags, Cond::S, &r).hi, -1);
            assert_eq!(range_if(num, &flags, Cond::Le, &r).hi, 0);
            assert_eq!(range_if(num, &flags, Cond::G, &r).lo, 1);
        }
        let flags = num.cmp(W, &r, &c(error));
        assert_eq!(range_if(num, &flags, Cond::B, &r).lo, 0);
        assert_eq!(range_if(num, &flags, Cond::Ae, &r).hi, -1);
        // It does not matter how the constant was extended.
        let flags = num.cmp(W, &r, &c(error + (1 << 64)));
        assert_eq!(range_if(num, &flags, Cond::B, &r).lo, 0);
    });
    // 32 bits: `test eax, eax; js` on a C int that was zero-extended.
    with([Interval::unsigned(32)], |num, [r]| {
        let flags = num.test(32, &r, &r);
        assert_eq!(range_if(num, &flags, Cond::Ns, &r).hi, (1 << 31) - 1);
        assert_eq!(range_if(num, &flags, Cond::S, &r).lo, 1 << 31);
    });
}

#[test]
fn unsigned_tests_check_both_ends() {
    // `sub al, '0'; cmp al, 9; ja` on a byte: the digit.
    with([Interval::unsigned(8)], |num, [ch]| {
        let digit = num.sub(8, &ch, &c(48)).value;
        let flags = num.cmp(8, &digit, &c(9));
        assert_eq!(range_if(num, &flags, Cond::Be, &ch), Interval::new(48, 57));
    });
    // An index that may be negative, against a bound.
    with([Interval::new(-1000, 1000), Interval::new(0, 1000)], |num, [i, n]| {
        let flags = num.cmp(W, &i, &n);
        assert_eq!(range_if(num, &flags, Cond::B, &i), Interval::new(0, 1000));
        assert!(le_if(num, &flags, Cond::B, &plus(&i, 1), &n));
        // Signed says nothing about the lower end.
        assert_eq!(range_if(num, &flags, Cond::L, &i).lo, -1000);
    });
}

#[test]
fn sums_with_carry() {
    with([WORD, WORD], |num, [a, b]| {
        let out = num.add(W, &a, &b);
        assert!(le_if(num, &out.flags, Cond::Ae, &out.value, &c(WORD.hi)));
        assert!(le_if(num, &out.flags, Cond::B, &c(1 << 64), &out.value));
    });
    // A product that is checked: imul by a constant; jo.
    with([SIZE], |num, [n]| {
        let out = num.imul(W, &n, &c(24));
        assert_eq!(out.value, n.scale(24).unwrap());
        assert_eq!(range_if(num, &out.flags, Cond::No, &n).hi, SIZE.hi / 24);
        let p = num.mul(W, &n, &c(24));
        assert_eq!(p.low, out.value);
        assert_eq!(range_if(num, &p.flags, Cond::Ae, &n).hi, WORD.hi / 24);
    });
    // Flags after a carry of 0: adc is exact.
    with([SIZE], |num, [n]| {
        let clear = num.xor(W, &n, &n).flags;
        assert_eq!(num.adc(W, &n, &c(1), &clear).value, plus(&n, 1));
        assert_eq!(num.sbb(W, &n, &c(1), &Flags::only_carry(true)).value, plus(&n, -2));
        let borrow = num.sbb(W, &n, &n, &Flags::unknown());
        assert_eq!(num.facts.range(&borrow.value), Interval::new(-1, 0));
    });
}

#[test]
fn rounding_and_alignment() {
    with([Interval::new(0, 1 << 47)], |num, [n]| {
        // add n, 15; and n, -16
        let up = num.and(W, &plus(&n, 15), &c(-16)).value;
        assert!(up.konst() == 0 && up.summands().iter().all(|s| s.1 == 16));
        assert!(num.proves(&up.sub(&n).unwrap()));
        assert!(num.proves(&plus(&n, 15).sub(&up).unwrap()));
        // shr by 3 and lea back
        let words = num.shift(Shift::Right, W, &n, &c(3), &Flags::unknown()).value;
        let bytes = num.lea(W, None, Some((&words, 8)), 0);
        assert!(num.proves(&n.sub(&bytes).unwrap()));
        assert_eq!(num.facts.range(&words), Interval::new(0, 1 << 44));
        // A multiple is divided exactly.
        let eight = n.scale(8).unwrap();
        assert_eq!(num.shift(Shift::Right, W, &eight, &c(3), &Flags::unknown()).value, n);
        assert_eq!(num.shift(Shift::Arithmetic, W, &eight, &c(3), &Flags::unknown()).value, n);
        // test n, 7; jz
        let flags = num.test(W, &n, &c(7));
        num.assume(&flags, Cond::E);
        let q = num.facts.var_count() as u32 - 1;
        let multiple = Term::var(q).scale(8).unwrap();
        assert!(num.proves(&n.sub(&multiple).unwrap()) && num.proves(&multiple.sub(&n).unwrap()));
    });
    // A mask as an index bound, of anything.
    with([WORD], |num, [x]| {
        let masked = num.and(W, &x, &c(255)).value;
        assert_eq!(num.facts.range(&masked), Interval::new(0, 255));
        let masked = num.and(32, &x, &c(0xF0)).value;
        assert_eq!(num.facts.range(&masked), Interval::new(0, 240));
    });
    // A mask that is one less than a size.
    with([WORD, Interval::new(1, 1 << 40)], |num, [x, n]| {
        let masked = num.and(W, &x, &plus(&n, -1)).value;
        assert!(num.proves(&plus(&n, -1).sub(&masked).unwrap()));
    });
}

#[test]
fn division_by_constants() {
    with([SIZE], |num, [n]| {
        for signed in [false, true] {
            let high = if signed { num.cwd(W, &n) } else { c(0) };
            assert_eq!(high, c(0));
            let q = if signed { num.idiv(W, &high, &n, &c(10)) } else { num.div(W, &high, &n, &c(10)) };
            assert_eq!(num.facts.range(&q.remainder), Interval::new(0, 9));
            assert_eq!(num.facts.range(&q.quotient), Interval::new(0, SIZE.hi / 10));
            let back = q.quotient.scale(10).unwrap().add(&q.remainder).unwrap();
            assert!(num.proves(&back.sub(&n).unwrap()) && num.proves(&n.sub(&back).unwrap()));
        }
    });
    // By a variable: the remainder is a valid index.
    with([SIZE, Interval::new(1, 1 << 32)], |num, [n, d]| {
        let q = num.div(W, &c(0), &n, &d);
        assert!(num.proves(&plus(&d, -1).sub(&q.remainder).unwrap()));
        assert!(num.proves(&n.sub(&q.quotient).unwrap()));
    });
}

#[test]
fn choices() {
    // cmp rax, rcx; cmova rax, rcx: the minimum.
    with([SIZE, SIZE], |num, [a, b]| {
        let flags = num.cmp(W, &a, &b);
        let least = num.cmov(W, &flags, Cond::A, &a, &b);
        assert!(num.proves(&a.sub(&least).unwrap()) && num.proves(&b.sub(&least).unwrap()));
        assert_eq!(num.facts.range(&least), SIZE);
        let most = num.cmov(W, &flags, Cond::B, &a, &b);
        assert!(num.proves(&most.sub(&a).unwrap()) && num.proves(&most.sub(&b).unwrap()));
        let set = num.setcc(&flags, Cond::E);
        assert_eq!(num.facts.range(&set), Interval::new(0, 1));
    });
    // Clamping to a constant narrows the interval.
    with([WORD], |num, [a]| {
        let flags = num.cmp(W, &a, &c(4096));
        let least = num.cmov(W, &flags, Cond::A, &a, &c(4096));
        assert_eq!(num.facts.range(&least), Interval::new(0, 4096));
    });
}

#[test]
fn registers() {
    with([WORD, SIZE, Interval::unsigned(32)], |num, [any, n, small]| {
        // mov eax, -1
        assert_eq!(num.write(32, &any, &c(-1)), c((1 << 32) - 1));
        assert_eq!(num.write(64, &any, &c(-1)), c(-1));
        // 32-bit arithmetic that stays in range keeps its term.
        assert_eq!(num.write(32, &any, &small), small);
        let next = num.write(32, &any, &plus(&small, 1));
        assert!(next != plus(&small, 1));
        assert_eq!(num.facts.range(&next), Interval::unsigned(32));
        // setcc al after xor eax, eax; a byte load into al over a large register.
        let bit = num.fresh(Interval::new(0, 1));
        assert_eq!(num.write(8, &c(0), &bit), bit);
        let merged = num.write(8, &n, &bit);
        let range = num.facts.range(&merged);
        assert!(SIZE.lo <= range.lo && range.hi <= SIZE.hi);
        assert_eq!(num.read(8, &merged), bit);
        // What a comparison of the low byte teaches is kept.
        let byte = num.fresh(Interval::unsigned(8));
        let merged = num.write(8, &any, &byte);
        let flags = num.cmp(8, &merged, &c(10));
        assert_eq!(range_if(num, &flags, Cond::B, &byte).hi, 9);
        let flags = num.test(8, &merged, &merged);
        assert_eq!(range_if(num, &flags, Cond::Ne, &byte).lo, 1);
        let merged = num.write_high(&small);
        assert_eq!(num.facts.range(&merged), Interval::unsigned(32));
        // The flags speak of what was written.
        let out = num.add(32, &small, &small);
        let word = num.write(32, &small, &out.value);
        let flags = out.flags.named(&word);
        assert_eq!(range_if(num, &flags, Cond::Ne, &word).lo, 1);
        assert_eq!(flags.zero_test(64), None);
        assert_eq!(num.test(64, &any, &any).zero_test(64), Some(&any));
    });
}

#[test]
fn logic_identities() {
    with([SIZE, Interval::unsigned(8)], |num, [n, byte]| {
        assert_eq!(num.xor(W, &n, &n).value, c(0));
        assert_eq!(num.or(W, &n, &c(-1)).value, c(-1));
        assert_eq!(num.and(W, &n, &c(0)).value, c(0));
        assert_eq!(num.xor(W, &n, &c(-1)).value, plus(&n.neg().unwrap(), -1));
        assert_eq!(num.not(W, &n), plus(&n.neg().unwrap(), -1));
        // Assembling bytes: shl rax, 8; or rax, rcx.
        let shifted = num.shift(Shift::Left, W, &n, &c(8), &Flags::unknown()).value;
        assert_eq!(num.or(W, &shifted, &byte).value, shifted.add(&byte).unwrap());
        // Flipping a bit of a flag.
        let bit = num.fresh(Interval::new(0, 1));
        assert_eq!(num.xor(32, &bit, &c(1)).value, plus(&bit.neg().unwrap(), 1));
        // Bounds of or and xor.
        let other = num.fresh(Interval::new(0, 100));
        let or = num.or(32, &byte, &other).value;
        assert_eq!(num.facts.range(&or), Interval::new(0, 255));
    });
}

/// Where a condition cannot be true, the rules say so, and only there.
#[test]
fn impossible_conditions() {
    with([Interval::new(3, 9), Interval::new(20, 30)], |num, [a, b]| {
        let never = |num: &mut Num, flags: &Flags, cond| num.refine(flags, cond).contains(&c(-1));
        let flags = num.cmp(W, &a, &b);
        for cond in Cond::ALL {
            let impossible = matches!(cond, Cond::Ae | Cond::A | Cond::E | Cond::Ge | Cond::G | Cond::Ns);
            let silent = matches!(cond, Cond::O | Cond::P | Cond::Np);
            assert!(silent || never(num, &flags, cond) == impossible, "{cond:?}");
        }
        let flags = num.test(32, &a, &a);
        assert!(never(num, &flags, Cond::E) && !never(num, &flags, Cond::Ne));
        let flags = num.cmp(W, &c(7), &c(7));
        assert!(never(num, &flags, Cond::Ne) && !never(num, &flags, Cond::E));
        let out = num.add(W, &a, &b);
        assert!(never(num, &out.flags, Cond::B) && !never(num, &out.flags, Cond::Ae));
    });
}

/// A shift count is masked to 6 bits at 64-bit width and to 5 below.
#[test]
fn shift_counts() {
    with([SIZE], |num, [n]| {
        let flags = Flags::unknown();
        assert_eq!(num.shift(Shift::Left, 64, &n, &c(64), &flags).value, n);
        assert_eq!(num.shift(Shift::Left, 32, &n, &c(32), &flags).value, n);
        assert_eq!(num.shift(Shift::Left, 64, &n, &c(33), &flags).value, n.scale(1 << 33).unwrap());
        assert_eq!(num.shift(Shift::Left, 32, &n, &c(33), &flags).value, n.scale(2).unwrap());
        // A count of 0 leaves the flags.
        let before = num.cmp(W, &n, &c(5));
        assert_eq!(num.shift(Shift::Right, 64, &n, &c(64), &before).flags, before);
        let cl = num.fresh(Interval::new(0, 255));
        assert_eq!(num.shift(Shift::Right, 64, &n, &cl, &before).flags, Flags::unknown());
    });
}

/// Terms that overflow become unknown words in results, and nothing in facts.
#[test]
fn overflow() {
    with([WORD; 17], |num, vars| {
        let mut sum = c(0);
        for v in &vars {
            sum = num.add(W, &sum, v).value;
            sum = num.write(W, &c(0), &sum);
        }
        assert_eq!(num.facts.range(&sum), WORD);
        let mut t = vars[0].clone();
        for _ in 0..200 {
            t = num.add(W, &t, &t).value;
            let flags = num.cmp(W, &t, &c(i128::MAX));
            for cond in Cond::ALL {
                for fact in num.refine(&flags, cond) {
                    assert!(tighten(&fact).is_some());
                }
            }
            num.shift(Shift::Left, W, &t, &c(63), &Flags::unknown());
            num.and(W, &t, &c(-(1 << 62)));
            num.mul(W, &t, &c(-1));
        }
    });
}
