//! Arithmetic on words of 8, 16, 32 and 64 bits, with flags.

use super::Flags;

/// The low `bits` bits.
pub(crate) fn cut(x: u64, bits: u32) -> u64 {
    if bits >= 64 { x } else { x & ((1 << bits) - 1) }
}

/// The value with its sign.
pub(crate) fn signed(x: u64, bits: u32) -> i64 {
    let shift = 64 - bits;
    ((x << shift) as i64) >> shift
}

fn sign(x: u64, bits: u32) -> bool {
    x >> (bits - 1) & 1 == 1
}

fn result(f: &mut Flags, x: u64, bits: u32) {
    f.zf = x == 0;
    f.sf = sign(x, bits);
    f.pf = (x as u8).count_ones().is_multiple_of(2);
}

pub(crate) fn add(f: &mut Flags, a: u64, b: u64, carry: bool, bits: u32) -> u64 {
    let (a, b) = (cut(a, bits), cut(b, bits));
    let wide = u128::from(a) + u128::from(b) + u128::from(carry);
    let x = cut(wide as u64, bits);
    f.cf = wide >> bits != 0;
    f.of = sign(a, bits) == sign(b, bits) && sign(x, bits) != sign(a, bits);
    result(f, x, bits);
    x
}

pub(crate) fn sub(f: &mut Flags, a: u64, b: u64, borrow: bool, bits: u32) -> u64 {
    let (a, b) = (cut(a, bits), cut(b, bits));
    let x = cut(a.wrapping_sub(b).wrapping_sub(borrow.into()), bits);
    f.cf = u128::from(a) < u128::from(b) + u128::from(borrow);
    f.of = sign(a, bits) != sign(b, bits) && sign(x, bits) != sign(a, bits);
    result(f, x, bits);
    x
}

pub(crate) fn logic(f: &mut Flags, x: u64, bits: u32) -> u64 {
    let x = cut(x, bits);
    (f.cf, f.of) = (false, false);
    result(f, x, bits);
    x
}

/// `shl`, `shr`, `sar`: the count is masked already. Answers the result; a count of 0 keeps the flags.
pub(crate) fn shift(f: &mut Flags, kind: char, a: u64, count: u32, bits: u32) -> u64 {
    let a = cut(a, bits);
    if count == 0 {
        return a;
    }
    let (x, carry) = match kind {
        'l' => {
            let wide = if count > 64 { 0 } else { u128::from(a) << count };
            (cut(wide as u64, bits), wide >> bits & 1 == 1)
        }
        'r' => {
            let out = count <= bits && a >> (count - 1).min(63) & 1 == 1;
            (a.checked_shr(count).unwrap_or(0), out)
        }
        _ => {
            let wide = i128::from(signed(a, bits));
            (cut((wide >> count.min(127)) as u64, bits), wide >> (count - 1).min(127) & 1 == 1)
        }
    };
    f.cf = carry;
    result(f, x, bits);
    x
}

/// `rol`, `ror` by a masked count; answers the result and the carry.
pub(crate) fn rotate(left: bool, a: u64, count: u32, bits: u32) -> (u64, bool) {
    let a = cut(a, bits);
    let n = count % bits;
    let x = match (n, left) {
        (0, _) => a,
        (_, true) => cut(a << n | a >> (bits - n), bits),
        (_, false) => cut(a >> n | a << (bits - n), bits),
    };
    (x, if left { x & 1 == 1 } else { sign(x, bits) })
}

/// `rcl`, `rcr` by a masked count, through the carry.
pub(crate) fn rotate_carry(left: bool, a: u64, carry: bool, count: u32, bits: u32) -> (u64, bool) {
    let wide = bits + 1;
    let all = u128::from(cut(a, bits)) | u128::from(carry) << bits;
    let n = count % wide;
    let mask = (1u128 << wide) - 1;
    let x = match (n, left) {
        (0, _) => all,
        (_, true) => (all << n | all >> (wide - n)) & mask,
        (_, false) => (all >> n | all << (wide - n)) & mask,
    };
    (cut(x as u64, bits), x >> bits & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_results() {
        let mut f = Flags::default();
        assert_eq!(add(&mut f, 0xff, 1, false, 8), 0);
        assert!(f.cf && f.zf && !f.of && !f.sf && f.pf);
        assert_eq!(sub(&mut f, 0, 1, false, 64), u64::MAX);
        assert!(f.cf && f.sf && !f.zf && !f.of);
        assert_eq!(sub(&mut f, 0x80, 1, false, 8), 0x7f);
        assert!(f.of && !f.cf);
        assert_eq!(sub(&mut f, 5, 5, true, 32), 0xffff_ffff);
        assert!(f.cf);
        assert_eq!(shift(&mut f, 'a', 0x80, 1, 8), 0xc0);
        assert_eq!(shift(&mut f, 'r', 0x81, 1, 8), 0x40);
        assert!(f.cf);
        assert_eq!(shift(&mut f, 'l', 0x8000_0000, 1, 32), 0);
        assert!(f.cf);
        assert_eq!(shift(&mut f, 'l', 1, 20, 16), 0);
        assert_eq!(rotate(true, 0x81, 1, 8), (3, true));
        assert_eq!(rotate(false, 1, 1, 64), (1 << 63, true));
        assert_eq!(rotate_carry(true, 0x80, false, 1, 8), (0, true));
        assert_eq!(rotate_carry(false, 1, true, 1, 8), (0x80, true));
        assert_eq!(signed(0xff, 8), -1);
    }
}
