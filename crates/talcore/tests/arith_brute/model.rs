//! A bit-level model of the instructions, written from the architecture's manual and sharing
//! nothing with the rules: words are `u64` with the bits above the width clear.

use talcore::x86::insn::Cond;

/// The arithmetic flags; `None` is undefined.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub(crate) struct Fl {
    pub(crate) cf: Option<bool>,
    pub(crate) zf: Option<bool>,
    pub(crate) sf: Option<bool>,
    pub(crate) of: Option<bool>,
    pub(crate) pf: Option<bool>,
}

pub(crate) fn mask(w: u32) -> u64 {
    if w >= 64 { u64::MAX } else { (1 << w) - 1 }
}

fn bit(x: u64, i: u32) -> bool {
    x >> i & 1 == 1
}

/// The value of the bits as a two's complement number.
pub(crate) fn signed(x: u64, w: u32) -> i128 {
    let mut v = 0i128;
    for i in 0..w - 1 {
        v += i128::from(bit(x, i)) << i;
    }
    v - (i128::from(bit(x, w - 1)) << (w - 1))
}

/// The bits of an integer.
pub(crate) fn word(v: i128, w: u32) -> u64 {
    v as u64 & mask(w)
}

/// ZF, SF and PF of a result.
pub(crate) fn result_flags(x: u64, w: u32) -> Fl {
    let ones = (0..w.min(8)).filter(|&i| bit(x, i)).count();
    Fl {
        cf: None,
        zf: Some((0..w).all(|i| !bit(x, i))),
        sf: Some(bit(x, w - 1)),
        of: None,
        pf: Some(ones % 2 == 0),
    }
}

/// A full adder, bit by bit.
pub(crate) fn add(a: u64, b: u64, carry: bool, w: u32) -> (u64, Fl) {
    let (mut sum, mut c, mut into_top) = (0, carry, false);
    for i in 0..w {
        if i == w - 1 {
            into_top = c;
        }
        let (x, y) = (bit(a, i), bit(b, i));
        sum |= u64::from(x ^ y ^ c) << i;
        c = (x && y) || (c && (x || y));
    }
    let flags = Fl { cf: Some(c), of: Some(c != into_top), ..result_flags(sum, w) };
    (sum, flags)
}

/// Subtraction is addition of the complement; CF is the borrow.
pub(crate) fn sub(a: u64, b: u64, borrow: bool, w: u32) -> (u64, Fl) {
    let (x, f) = add(a, !b & mask(w), !borrow, w);
    (x, Fl { cf: f.cf.map(|c| !c), ..f })
}

pub(crate) fn logic(x: u64, w: u32) -> (u64, Fl) {
    (x, Fl { cf: Some(false), of: Some(false), ..result_flags(x, w) })
}

/// Shifts one bit at a time; `None` if the masked count is 0.
pub(crate) fn shift(kind: char, a: u64, count: u64, w: u32) -> Option<(u64, Fl)> {
    let n = count & if w == 64 { 63 } else { 31 };
    if n == 0 {
        return None;
    }
    let mut x = a;
    for _ in 0..n {
        x = match kind {
            'l' => x << 1 & mask(w),
            'r' => x >> 1,
            _ => x >> 1 | (x & 1 << (w - 1)),
        };
    }
    Some((x, result_flags(x, w)))
}

/// Rotates one bit at a time.
pub(crate) fn rotate(left: bool, a: u64, count: u64, w: u32) -> u64 {
    let mut x = a;
    for _ in 0..count & if w == 64 { 63 } else { 31 } {
        x = if left { (x << 1 | x >> (w - 1)) & mask(w) } else { x >> 1 | (x & 1) << (w - 1) };
    }
    x
}

/// The double-width product, low and high half, by shifting and adding.
pub(crate) fn mul(a: u64, b: u64, w: u32, is_signed: bool) -> (u64, u64, Fl) {
    let (x, y) = if is_signed { (signed(a, w), signed(b, w)) } else { (i128::from(a), i128::from(b)) };
    if w > 8 {
        // The lower 128 bits are all that matters.
        let p = x.wrapping_mul(y);
        let (lo, hi) = (word(p, w), word(p >> w, w));
        let lost = if is_signed { p != signed(lo, w) } else { hi != 0 };
        return (lo, hi, Fl { cf: Some(lost), of: Some(lost), ..Fl::default() });
    }
    // Repeated addition, so that it does not rely on a multiplication.
    let mut p = 0i128;
    for _ in 0..y.abs() {
        p += if y < 0 { -x } else { x };
    }
    let (lo, hi) = (word(p, w), word(p >> w, w));
    let lost = if is_signed { p != signed(lo, w) } else { hi != 0 };
    (lo, hi, Fl { cf: Some(lost), of: Some(lost), ..Fl::default() })
}

/// Quotient and remainder; `None` if it traps.
pub(crate) fn div(hi: u64, lo: u64, d: u64, w: u32, is_signed: bool) -> Option<(u64, u64)> {
    if w == 64 && !is_signed {
        let (n, d) = (u128::from(hi) << 64 | u128::from(lo), u128::from(d));
        let q = n.checked_div(d)?;
        return Some((u64::try_from(q).ok()?, (n % d) as u64));
    }
    let n = if is_signed {
        (signed(hi, w) << w) + i128::from(lo)
    } else {
        (i128::from(hi) << w) + i128::from(lo)
    };
    let d = if is_signed { signed(d, w) } else { i128::from(d) };
    if d == 0 {
        return None;
    }
    // Truncating division of magnitudes by repeated subtraction.
    let (mut q, mut r) = (0i128, n.checked_abs()?);
    if w > 8 {
        (q, r) = (r / d.abs(), r % d.abs());
    }
    while r >= d.abs() {
        r -= d.abs();
        q += 1;
    }
    let q = if (n < 0) != (d < 0) { -q } else { q };
    let r = if n < 0 { -r } else { r };
    let fits = if is_signed { signed(word(q, w), w) == q } else { q <= i128::from(mask(w)) };
    fits.then(|| (word(q, w), word(r, w)))
}

/// Whether a condition is true; the flags must be defined.
pub(crate) fn holds(cond: Cond, f: &Fl) -> bool {
    let get = |x: Option<bool>| x.expect("defined");
    let (cf, zf, sf, of, pf) = (get(f.cf), get(f.zf), get(f.sf), get(f.of), get(f.pf));
    match cond {
        Cond::O => of,
        Cond::No => !of,
        Cond::B => cf,
        Cond::Ae => !cf,
        Cond::E => zf,
        Cond::Ne => !zf,
        Cond::Be => cf || zf,
        Cond::A => !cf && !zf,
        Cond::S => sf,
        Cond::Ns => !sf,
        Cond::P => pf,
        Cond::Np => !pf,
        Cond::L => sf != of,
        Cond::Ge => sf == of,
        Cond::Le => zf || sf != of,
        Cond::G => !zf && sf == of,
    }
}

/// The flags with everything undefined chosen at random.
pub(crate) fn settle(f: &Fl, rng: &mut fastrand::Rng) -> Fl {
    let mut some = |x: Option<bool>| Some(x.unwrap_or_else(|| rng.bool()));
    Fl { cf: some(f.cf), zf: some(f.zf), sf: some(f.sf), of: some(f.of), pf: some(f.pf) }
}
