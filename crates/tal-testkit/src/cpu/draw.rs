//! Encodings, numbers and states at random, with those more often where mistakes hide.

use fastrand::Rng;
use talcore::arch::Arch;
use talcore::x86::table::{Forms, Mandatory, Map, ModRm, Reps, Row, Span};

/// A number of so many bits: small ones, those around powers of two, and any.
pub(super) fn number(bits: u32, rng: &mut Rng) -> u64 {
    let near = |rng: &mut Rng| rng.u64(..4).wrapping_sub(2);
    let x = match rng.u8(..8) {
        0 => rng.u64(..20),
        1 => near(rng),
        2 => (1u64 << rng.u32(..64)).wrapping_add(near(rng)),
        3 => (1u64 << rng.u32(..64)).wrapping_neg().wrapping_add(near(rng)),
        4 => *rng
            .choice(&[0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff])
            .unwrap_or(&0),
        5 => rng.u64(..) >> rng.u32(..64),
        _ => rng.u64(..),
    };
    if bits < 64 { x & ((1 << bits) - 1) } else { x }
}

/// Bytes that may be an instruction of this row of the table.
pub(crate) fn encoding(arch: Arch, row: &Row, rng: &mut Rng) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(32);
    let one_in = |n: u8, rng: &mut Rng| rng.u8(..n) == 0;
    if row.lock && one_in(4, rng) {
        bytes.push(0xf0);
    }
    match row.mandatory {
        Mandatory::P66 => bytes.push(0x66),
        Mandatory::F2 => bytes.push(0xf2),
        Mandatory::F3 => bytes.push(0xf3),
        Mandatory::None if row.reps != Reps::No && rng.bool() => {
            bytes.push(if rng.bool() { 0xf2 } else { 0xf3 })
        }
        Mandatory::None => {}
    }
    if row.mandatory != Mandatory::P66 && one_in(4, rng) {
        bytes.push(0x66);
    }
    if arch == Arch::Amd64 && !one_in(4, rng) {
        bytes.push(0x40 | if rng.bool() { 8 } else { rng.u8(..16) });
    }
    if row.map == Map::Two {
        bytes.push(0x0f);
    }
    bytes.push(match row.span {
        Span::One => row.opcode,
        Span::Register => row.opcode | rng.u8(..8),
        Span::Condition => row.opcode | rng.u8(..16),
    });
    let modrm = match row.modrm {
        ModRm::No => None,
        ModRm::Byte(b) => Some(b),
        ModRm::Slash(forms) => Some(rng.u8(..8) << 3 | operand(forms, rng)),
        ModRm::Digit(digit, forms) => Some(digit << 3 | operand(forms, rng)),
    };
    bytes.extend(modrm);
    if modrm.is_some_and(|m| m < 0xc0 && m & 7 == 4) {
        bytes.push(rng.u8(..));
    }
    // Displacement and immediate: one that fits in a byte is the likeliest to be what the rules can follow.
    for _ in 0..2 {
        if rng.bool() {
            bytes.push(number(8, rng) as u8);
        } else {
            let x = if rng.bool() { rng.u64(..64) } else { number(32, rng) };
            bytes.extend((x as u32).to_le_bytes());
        }
    }
    bytes.extend(number(64, rng).to_le_bytes());
    bytes
}

/// `mod` and `r/m` of a ModRM byte.
fn operand(forms: Forms, rng: &mut Rng) -> u8 {
    let memory = match forms {
        Forms::Any => rng.bool(),
        Forms::Register => false,
        Forms::Memory => true,
    };
    let kind = if memory { [0x40, 0x40, 0x80, 0][rng.usize(..4)] } else { 0xc0 };
    kind | rng.u8(..8)
}
