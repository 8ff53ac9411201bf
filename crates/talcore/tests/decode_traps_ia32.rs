//! What 32-bit mode has and 64-bit mode has not, or reads in another way: all rejected but for `inc`, `dec` and absolute
//! addresses. Where a byte decides between two instructions, all 256 are tried.

use talcore::arch::Arch::{Amd64, Ia32};
use talcore::x86::decode::DecodeError::{self, *};
use talcore::x86::decode::decode;
use talcore::x86::insn::{Arg, Insn, Op, Reg, Width};

const IP: u64 = 0x804_9000;

/// These bytes and then others, of several kinds.
fn fills(start: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    [0x00, 0x24, 0x80, 0xC0, 0xFF].into_iter().map(|fill| {
        let mut bytes = start.to_vec();
        bytes.resize(20, fill);
        bytes
    })
}

#[track_caller]
fn rejected(start: &[u8], error: DecodeError) {
    for bytes in fills(start) {
        assert_eq!(decode(Ia32, &bytes, IP), Err(error), "{bytes:02x?}");
    }
}

#[track_caller]
fn accepted(bytes: &[u8]) -> Insn {
    let insn = decode(Ia32, bytes, IP).unwrap_or_else(|e| panic!("{bytes:02x?}: {e:?}"));
    assert_eq!(usize::from(insn.len), bytes.len(), "{bytes:02x?}");
    insn
}

/// `les`, `lds` and `bound` if the next byte names memory, else prefixes of VEX and EVEX; `arpl`, which is `movsxd`
/// elsewhere; XOP.
/// class: A13 on ia32
#[test]
fn bytes_with_two_meanings() {
    for opcode in [0xC4, 0xC5, 0x62, 0x63] {
        for next in 0..=255 {
            rejected(&[opcode, next], Opcode);
        }
    }
    for next in (0..=255u8).filter(|next| next >> 3 & 7 != 0) {
        rejected(&[0x8F, next], Opcode);
    }
    // A copy of group 80 that 64-bit mode does not have.
    for next in 0..=255 {
        rejected(&[0x82, next], Opcode);
    }
}

/// Instructions of one opcode: segments, decimal arithmetic, all registers at once, far control, ports.
/// class: K3 on ia32
#[test]
fn of_old() {
    let names: &[(u8, &str)] = &[
        (0x06, "push es"),
        (0x07, "pop es"),
        (0x0E, "push cs"),
        (0x16, "push ss"),
        (0x17, "pop ss"),
        (0x1E, "push ds"),
        (0x1F, "pop ds"),
        (0x27, "daa"),
        (0x2F, "das"),
        (0x37, "aaa"),
        (0x3F, "aas"),
        (0x60, "pusha"),
        (0x61, "popa"),
        (0x8C, "mov r/m, sreg"),
        (0x8E, "mov sreg, r/m"),
        (0x9A, "call far"),
        (0x9B, "fwait"),
        (0x9C, "pushf"),
        (0x9D, "popf"),
        (0x9E, "sahf"),
        (0x9F, "lahf"),
        (0xA0, "mov al, moffs"),
        (0xA1, "mov eax, moffs"),
        (0xA2, "mov moffs, al"),
        (0xA3, "mov moffs, eax"),
        (0xC8, "enter"),
        (0xCA, "retf imm16"),
        (0xCB, "retf"),
        (0xCE, "into"),
        (0xCF, "iret"),
        (0xD4, "aam"),
        (0xD5, "aad"),
        (0xD6, "salc"),
        (0xD7, "xlat"),
        (0xE0, "loopne"),
        (0xE1, "loope"),
        (0xE2, "loop"),
        (0xEA, "jmp far"),
        (0xF1, "icebp"),
        (0xF4, "hlt"),
        (0xFA, "cli"),
        (0xFB, "sti"),
        (0xFD, "std"),
    ];
    for (opcode, name) in names {
        for prefix in [&[][..], &[0x66]] {
            let start = [prefix, &[*opcode]].concat();
            for bytes in fills(&start) {
                assert!(decode(Ia32, &bytes, IP).is_err(), "{name}: {bytes:02x?}");
            }
        }
        rejected(&[*opcode], Opcode);
    }
    for far in (0..=255u8).filter(|next| matches!(next >> 3 & 7, 3 | 5)) {
        rejected(&[0xFF, far], Opcode);
    }
    for second in [0x00, 0x02, 0x03, 0x05, 0x06, 0x07, 0x34, 0x35, 0xA0, 0xA1, 0xA8, 0xA9, 0xB2, 0xB4, 0xB5] {
        rejected(&[0x0F, second], Opcode);
    }
}

/// One number alone enters the kernel; the rules allow it in the stub alone.
/// class: K4 on ia32
#[test]
fn interrupts() {
    for n in (0..=255).filter(|n| *n != 0x80) {
        assert!(fills(&[0xCD, n]).all(|b| matches!(decode(Ia32, &b, IP), Err(Opcode | Form))), "int {n}");
    }
    assert_eq!(accepted(&[0xCD, 0x80]).op, Op::Syscall);
    assert_eq!(accepted(&[0xCC]).op, Op::Int3);
}

/// Addresses of 16 bits have another encoding of other registers: none, in front of anything.
/// class: A9 on ia32
#[test]
fn addresses_of_16_bits() {
    for opcode in 0..=255u8 {
        for start in
            [&[0x67, opcode][..], &[0x67, 0x0F, opcode], &[0x66, 0x67, opcode], &[0xF3, 0x67, opcode]]
        {
            for bytes in fills(start) {
                assert!(decode(Ia32, &bytes, IP).is_err(), "{bytes:02x?}");
            }
        }
        if ![0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65, 0x66, 0x67, 0xF0, 0xF2, 0xF3].contains(&opcode) {
            rejected(&[0x67, opcode], AddressSize);
        }
    }
}

/// Operands of 16 bits where control or the stack would be cut to 16 bits.
/// class: A8 on ia32
#[test]
fn operands_of_16_bits() {
    let opcodes = (0x50..=0x5F)
        .chain([0x68, 0x6A])
        .chain(0x70..=0x7F)
        .chain([0xC2, 0xC3, 0xC9, 0xE3, 0xE8, 0xE9, 0xEB]);
    for opcode in opcodes {
        rejected(&[0x66, opcode], OperandSize);
    }
    for condition in 0x80..=0x8F {
        rejected(&[0x66, 0x0F, condition], OperandSize);
    }
    // `call`, `jmp` and `push` of a register or memory; `pop` of memory.
    for next in (0..=255u8).filter(|next| matches!(next >> 3 & 7, 2 | 4 | 6) && *next < 0xC0) {
        assert!(fills(&[0x66, 0xFF, next]).all(|b| decode(Ia32, &b, IP).is_err()), "{next:02x}");
    }
    for register in 0..8 {
        rejected(&[0x66, 0xFF, 0xD0 | register], OperandSize);
        rejected(&[0x66, 0xFF, 0xE0 | register], OperandSize);
        rejected(&[0x66, 0x0F, 0xC8 | register], OperandSize);
    }
    assert!(fills(&[0x66, 0x8F, 0x00]).all(|b| decode(Ia32, &b, IP).is_err()));
    // Where it means what it says it is allowed.
    assert_eq!(accepted(&[0x66, 0x89, 0xC8]).width, Width::B2);
}

/// What REX prefixes are elsewhere.
/// class: A10 on ia32
#[test]
fn increments_and_decrements() {
    for register in 0..8 {
        for (opcode, op) in [(0x40, Op::Inc), (0x48, Op::Dec)] {
            let insn = accepted(&[opcode | register]);
            assert_eq!((insn.op, insn.args[0], insn.width), (op, Arg::Reg(Reg(register)), Width::B4));
            assert_eq!(accepted(&[0x66, opcode | register]).width, Width::B2);
            rejected(&[0xF0, opcode | register], Lock);
            rejected(&[0xF3, opcode | register], Repeat);
            // Nothing follows: the next byte is an instruction of its own.
            assert_eq!(decode(Ia32, &[opcode | register, 0x89, 0xC8], IP).map(|i| i.len), Ok(1));
        }
    }
}

/// Without a base an address is absolute, and not relative to the instruction.
/// class: A17 on ia32
#[test]
fn absolute_addresses() {
    for reg in 0..8 {
        let bytes = [0x8B, reg << 3 | 5, 0x00, 0xA0, 0x04, 0x88];
        let insn = accepted(&bytes);
        assert_eq!((insn.mem.rip, insn.mem.base, insn.mem.index), (false, None, None));
        assert_eq!(insn.mem.disp as u32, 0x8804_A000);
        let wide = decode(Amd64, &bytes, IP).expect("an instruction of AMD64 too");
        assert!(wide.mem.rip);
        // The same with a SIB byte is longer than it need be.
        rejected(&[0x8B, reg << 3 | 4, 0x25], Sib);
    }
}

/// Eight registers; bytes of four of them, twice.
#[test]
fn registers() {
    for n in 0..8 {
        let byte = accepted(&[0x88, 0xC0 | n << 3]).args[1];
        assert_eq!(byte, if n < 4 { Arg::Reg(Reg(n)) } else { Arg::High(Reg(n - 4)) });
        assert_eq!(accepted(&[0x50 | n]).args[0], Arg::Reg(Reg(n)));
        assert_eq!(accepted(&[0xB8 | n, 0, 0, 0, 0]).width, Width::B4);
    }
}
