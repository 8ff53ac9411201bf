//! Encodings enumerated: whatever `decode` accepts, the others read the same way.

use talcore::arch::Arch;
use talcore::x86::decode::{DecodeError, decode};
use talcore::x86::insn::Op;
use talcore::x86::table::{Mandatory, Map, ModRm, Span, rows};

use crate::oracle::{IP, Oracles, agree};

/// No prefix, or one, or two in both orders.
const PREFIXES: [&[u8]; 11] = [
    &[],
    &[0x66],
    &[0xF2],
    &[0xF3],
    &[0xF0],
    &[0x66, 0xF2],
    &[0xF2, 0x66],
    &[0x66, 0xF3],
    &[0xF3, 0x66],
    &[0x66, 0xF0],
    &[0xF0, 0x66],
];

/// Prefixes that no accepted instruction has, and those that may stand once at most.
pub(super) const ALL_PREFIXES: [u8; 11] = [0x66, 0xF2, 0xF3, 0xF0, 0x67, 0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65];

/// No REX prefix and all sixteen (on IA-32 those are instructions of their own).
pub(super) fn rex_prefixes(arch: Arch) -> Vec<Option<u8>> {
    match arch {
        Arch::Amd64 => std::iter::once(None).chain((0x40..=0x4F).map(Some)).collect(),
        Arch::Ia32 => vec![None],
    }
}

/// Bytes under construction, of which everything behind the end is random.
pub(super) struct Bytes {
    bytes: Vec<u8>,
    random: fastrand::Rng,
}

impl Bytes {
    pub(super) fn new(seed: u64) -> Bytes {
        Bytes { bytes: Vec::new(), random: fastrand::Rng::with_seed(seed) }
    }
    pub(super) fn start(&mut self, parts: &[&[u8]]) -> &mut Bytes {
        self.bytes.clear();
        for part in parts {
            self.bytes.extend_from_slice(part);
        }
        self
    }
    pub(super) fn finish(&mut self) -> &[u8] {
        // Those where mistakes hide are as frequent as all others: 0, -1, and the ends of the signed numbers.
        let (rest, shape) = (self.random.u64(..), self.random.u8(..8));
        let rest = match shape {
            0 => 0,
            1 => u64::MAX,
            2 => 0x8080_8080_8080_8080,
            3 => 0x7F7F_7F7F_7F7F_7F7F,
            _ => rest,
        };
        self.bytes.extend_from_slice(&rest.to_le_bytes());
        self.bytes.extend_from_slice(&rest.rotate_left(13).to_le_bytes());
        &self.bytes
    }
}

/// Whatever follows these bytes, for all ModRM bytes, and with each of them the SIB bytes `sibs`.
pub(super) fn operands(oracles: &mut Oracles, bytes: &mut Bytes, start: &[u8], sibs: &[u8]) {
    for modrm in 0..=255u8 {
        for &sib in if modrm & 7 == 4 && modrm < 0xC0 { sibs } else { &sibs[..1] } {
            oracles.agree(bytes.start(&[start, &[modrm, sib]]).finish());
        }
    }
}

/// All opcodes of the maps `maps`, all ModRM bytes, with these prefixes, and the SIB bytes `sibs`.
fn sweep(arch: Arch, maps: &[&[u8]], sibs: &[u8]) -> u64 {
    let mut bytes = Bytes::new(PREFIXES.len() as u64);
    let mut oracles = Oracles::new(arch);
    for prefix in PREFIXES {
        for rex in rex_prefixes(arch) {
            for map in maps {
                for opcode in 0..=255 {
                    let start = [prefix, rex.as_slice(), map, &[opcode]].concat();
                    operands(&mut oracles, &mut bytes, &start, sibs);
                }
            }
        }
    }
    finish(oracles)
}

/// What was accepted; and most of it talasm writes as it was.
fn finish(oracles: Oracles) -> u64 {
    let (accepted, again) = oracles.finish();
    assert_eq!(again.same + again.other + again.none, accepted);
    assert!(again.same > accepted / 3, "{again:?}");
    accepted
}

#[test]
fn one_byte_opcodes_on_amd64() {
    let accepted = sweep(Arch::Amd64, &[&[]], &[0x24]);
    assert!(accepted > 200_000, "{accepted}");
}

#[test]
fn two_byte_opcodes_on_amd64() {
    let accepted = sweep(Arch::Amd64, &[&[0x0F]], &[0x88]);
    assert!(accepted > 200_000, "{accepted}");
}

#[test]
fn all_opcodes_on_ia32() {
    let accepted = sweep(Arch::Ia32, &[&[], &[0x0F]], &[0x24, 0x25, 0x4C, 0x05]);
    assert!(accepted > 100_000, "{accepted}");
}

/// All rows that can name memory, with some REX prefixes, all three `mod` values, all SIB bytes.
#[test]
fn sib_bytes_of_every_row() {
    for arch in [Arch::Amd64, Arch::Ia32] {
        let mut bytes = Bytes::new(2);
        let mut oracles = Oracles::new(arch);
        for row in rows().iter().filter(|row| row.archs.has(arch)) {
            let reg = match row.modrm {
                ModRm::Slash(_) => bytes.random.u8(..8),
                ModRm::Digit(digit, _) => digit,
                ModRm::No | ModRm::Byte(_) => continue,
            };
            let prefix: &[u8] = match row.mandatory {
                Mandatory::None => &[],
                Mandatory::P66 => &[0x66],
                Mandatory::F3 => &[0xF3],
                Mandatory::F2 => &[0xF2],
            };
            let map: &[u8] = if row.map == Map::Two { &[0x0F] } else { &[] };
            let mut rexes = rex_prefixes(arch);
            while rexes.len() > 4 {
                rexes.swap_remove(bytes.random.usize(1..rexes.len()));
            }
            for rex in rexes {
                let rex: &[u8] = rex.as_slice();
                for modrm in [0x04, 0x44, 0x84].map(|mode| mode | reg << 3) {
                    for sib in 0..=255 {
                        bytes.start(&[prefix, rex, map, &[row.opcode, modrm, sib]]);
                        oracles.agree(bytes.finish());
                    }
                }
            }
        }
        let accepted = finish(oracles);
        assert!(accepted > 50_000, "{accepted}");
    }
}

/// Every opcode, in every map, with every combination of up to two forbidden or repeated prefixes.
#[test]
fn forbidden_prefixes() {
    let once = [0x66, 0xF2, 0xF3, 0xF0];
    let mut bytes = Bytes::new(3);
    for arch in [Arch::Amd64, Arch::Ia32] {
        for first in ALL_PREFIXES {
            for second in ALL_PREFIXES {
                let allowed = |byte| once.contains(&byte);
                let repeats = |byte| byte == 0xF2 || byte == 0xF3;
                let clash = first == second || repeats(first) && repeats(second);
                if allowed(first) && allowed(second) && !clash {
                    continue;
                }
                for map in [&[][..], &[0x0F][..]] {
                    for opcode in 0..=255u8 {
                        for modrm in [0x00, 0x05, 0x44, 0x80, 0xC0, 0xC8, 0xFF] {
                            bytes.start(&[&[first, second], map, &[opcode, modrm]]);
                            match decode(arch, bytes.finish(), IP) {
                                Err(_) => {}
                                // `66 2E 0F 1F 84 ..`, which no random bytes complete.
                                Ok(insn) => assert_eq!((insn.op, first), (Op::Nop, 0x66)),
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A REX prefix is the last prefix: nothing may come between it and the opcode.
#[test]
fn a_rex_prefix_comes_last() {
    let mut bytes = Bytes::new(4);
    for rex in 0x40..=0x4F {
        for second in ALL_PREFIXES.into_iter().chain(0x40..=0x4F) {
            for opcode in 0..=255 {
                bytes.start(&[&[rex, second, opcode]]);
                assert_eq!(decode(Arch::Amd64, bytes.finish(), IP), Err(DecodeError::RexOrder));
            }
        }
    }
}

/// Random bytes: no panic, and agreement wherever they are accepted.
#[test]
fn random_bytes() {
    let mut random = fastrand::Rng::with_seed(5);
    for _ in 0..1_000_000 {
        let mut bytes = [0; 20];
        random.fill(&mut bytes);
        let len = random.usize(..=20);
        for arch in [Arch::Amd64, Arch::Ia32] {
            agree(arch, &bytes[..len]);
        }
    }
}

/// Every row: an accepted instruction that is cut off anywhere is `Truncated`, and what follows it
/// does not matter.
#[test]
fn truncations() {
    let mut random = fastrand::Rng::with_seed(6);
    for arch in [Arch::Amd64, Arch::Ia32] {
        let mut seen = vec![0; rows().len()];
        for row in rows() {
            for _ in 0..3000 {
                let mut bytes = Vec::new();
                if random.bool() {
                    bytes.extend([[0x66].as_slice(), &[0xF3], &[0xF2], &[0xF0]][random.usize(..4)]);
                }
                match row.mandatory {
                    Mandatory::None => {}
                    Mandatory::P66 => bytes.push(0x66),
                    Mandatory::F3 => bytes.push(0xF3),
                    Mandatory::F2 => bytes.push(0xF2),
                }
                if arch == Arch::Amd64 && (random.bool() || row.mnemonic == "movsxd") {
                    bytes.push(0x40 | random.u8(..16));
                }
                if row.map == Map::Two {
                    bytes.push(0x0F);
                }
                bytes.push(match row.span {
                    Span::One => row.opcode,
                    Span::Register => row.opcode + random.u8(..8),
                    Span::Condition => row.opcode + random.u8(..16),
                });
                bytes.push(match row.modrm {
                    ModRm::Digit(digit, _) => digit << 3 | random.u8(..) & 0xC7,
                    ModRm::Byte(byte) => byte,
                    ModRm::No | ModRm::Slash(_) => random.u8(..),
                });
                bytes.extend(random.u64(..).to_le_bytes());
                bytes.extend(random.u64(..).to_le_bytes());
                let Ok(insn) = decode(arch, &bytes, IP) else { continue };
                seen[usize::from(insn.row)] += 1;
                let len = usize::from(insn.len);
                assert_eq!(decode(arch, &bytes[..len], IP), Ok(insn));
                bytes[len..].reverse();
                assert_eq!(decode(arch, &bytes, IP), Ok(insn));
                for cut in 0..len {
                    let got = decode(arch, &bytes[..cut], IP);
                    assert_eq!(got, Err(DecodeError::Truncated), "{:02x?}", &bytes[..len]);
                }
            }
        }
        for (row, seen) in rows().iter().zip(seen) {
            let long_nop = row.op == Op::Nop && row.map == Map::Two;
            assert!(seen > 0 || long_nop || !row.archs.has(arch), "{row:?} was never met");
        }
    }
}
