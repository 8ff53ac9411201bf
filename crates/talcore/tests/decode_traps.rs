//! Encodings that have fooled checkers of machine code: each is rejected for the expected reason,
//! beside a minimally different one that is accepted.

use talcore::arch::Arch::{self, Amd64, Ia32};
use talcore::x86::decode::{DecodeError, decode, is_padding};
use talcore::x86::insn::{Arg, Cond, Insn, Mem, Op, Reg, Rep, Width};

const IP: u64 = 0x40_0000;

fn bytes(hex: &str) -> Vec<u8> {
    hex.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}

/// The instruction that these bytes are, exactly.
fn accept_on(arch: Arch, hex: &str) -> Insn {
    let bytes = bytes(hex);
    let insn = decode(arch, &bytes, IP).unwrap_or_else(|error| panic!("{hex}: {error:?}"));
    assert_eq!(usize::from(insn.len), bytes.len(), "{hex}");
    insn
}

fn accept(hex: &str) -> Insn {
    accept_on(Amd64, hex)
}

/// The same instruction in both modes; as AMD64 has it.
fn accept_both(hex: &str) -> Insn {
    let insn = accept(hex);
    assert_eq!(accept_on(Ia32, hex).op, insn.op, "{hex}");
    insn
}

/// Rejected for this reason, whatever follows.
fn reject_on(arch: Arch, hex: &str, error: DecodeError) {
    for fill in [0x00, 0xC0, 0xFF, 0x24] {
        let mut bytes = bytes(hex);
        bytes.resize(24, fill);
        assert_eq!(decode(arch, &bytes, IP), Err(error), "{hex}, then {fill:02x}");
    }
}

fn reject(hex: &str, error: DecodeError) {
    reject_on(Amd64, hex, error);
}

fn reject_both(hex: &str, error: DecodeError) {
    reject_on(Amd64, hex, error);
    reject_on(Ia32, hex, error);
}

use DecodeError::*;

/// class: A3 on amd64, ia32
#[test]
fn a3_truncated() {
    for hex in ["", "48", "66", "f3", "0f", "48 8b", "8b 04", "8b 80 00 00 00", "e8 00 00 00", "c2 00", "b8"]
    {
        assert_eq!(decode(Amd64, &bytes(hex), IP), Err(Truncated), "{hex}");
    }
    for hex in ["", "66", "f3", "0f", "8b 04", "8b 80 00 00 00", "e8 00 00 00", "c2 00", "b8"] {
        assert_eq!(decode(Ia32, &bytes(hex), IP), Err(Truncated), "{hex}");
    }
    accept_both("8b 80 00 00 00 00");
}

/// class: A5 on amd64, ia32
#[test]
fn a5_long_immediates_belong_to_the_instruction() {
    let insn = accept("48 b8 0f 05 0f 05 0f 05 0f 05");
    assert_eq!((insn.op, insn.imm), (Op::Mov, 0x050f_050f_050f_050f));
    let insn = accept_on(Ia32, "b8 cd 80 cd 80");
    assert_eq!((insn.op, insn.imm), (Op::Mov, -0x7f32_7f33));
    // From its third byte on it would be `cli`, which is not allowed.
    accept("48 b8 fa f4 fa f4 fa f4 fa f4");
    reject("fa f4 fa f4 fa f4 fa f4", Opcode);
    accept_on(Ia32, "b8 fa f4 fa f4");
    reject_on(Ia32, "fa f4 fa f4", Opcode);
}

/// class: A6 on amd64, ia32
#[test]
fn a6_repeated_prefixes() {
    reject_both("66 66 8b c0", DuplicatePrefix);
    reject_both("f3 f3 a4", DuplicatePrefix);
    reject_both("f2 f3 a6", DuplicatePrefix);
    reject_both("f3 f2 a6", DuplicatePrefix);
    reject_both("f0 f0 01 00", DuplicatePrefix);
    reject_both("f3 66 f3 a5", DuplicatePrefix);
    for prefix in ["26", "2e", "36", "3e", "64", "65"] {
        reject_both(&format!("{prefix} 8b 00"), Segment);
        reject_both(&format!("66 {prefix} 8b 00"), Segment);
        reject_both(&format!("{prefix} 74 00"), Segment);
        reject_both(&format!("{prefix} ff e0"), Segment);
        reject_both(&format!("{prefix} a4"), Segment);
    }
    assert_eq!(accept_both("66 8b c0").width, Width::B2);
    assert_eq!(accept_both("f3 a4").rep, Rep::Rep);
    assert_eq!(accept_both("f2 a6").rep, Rep::Repne);
    assert_eq!(accept_both("f3 66 a5").width, Width::B2);
    assert_eq!(accept_both("66 f3 a5").width, Width::B2);
}

/// class: A7, B3 on amd64, ia32
#[test]
fn a7_sixteen_bit_forms_say_so() {
    for (hex, op) in [
        ("66 8b c3", Op::Mov),
        ("66 93", Op::Xchg),
        ("66 0f 44 c3", Op::Cmovcc),
        ("66 0f b6 c3", Op::Movzx),
        ("66 0f af c3", Op::Imul),
    ] {
        let insn = accept_both(hex);
        assert_eq!((insn.op, insn.width), (op, Width::B2), "{hex}");
    }
    // `movzx ax, bx` is a move; no assembler emits it.
    reject("66 0f b7 c3", OperandSize);
    reject("66 0f bf c3", OperandSize);
}

/// class: A8 on amd64, ia32
#[test]
fn a8_no_operand_size_on_branches_and_stack() {
    for hex in [
        "66 e8 00 00",
        "66 e9 00 00",
        "66 eb 00",
        "66 74 00",
        "66 0f 84 00 00",
        "66 c3",
        "66 c2 00 00",
        "66 ff d0",
        "66 ff e0",
        "66 ff 10",
        "66 ff 20",
        "66 e3 00",
        "66 50",
        "66 58",
        "66 6a 00",
        "66 68 00",
        "66 c9",
    ] {
        reject_both(hex, OperandSize);
    }
    // `bnd`, `notrack`, `rep ret`, and branch prediction hints.
    for hex in ["f2 e8 00", "f2 c3", "f3 c3", "f2 ff e0", "f2 74 00", "f3 e9 00"] {
        reject_both(hex, Repeat);
    }
    reject_both("3e ff e0", Segment);
    accept_both("e8 00 00 00 00");
    accept_both("c3");
    accept_both("ff e0");
}

/// class: A9 on amd64, ia32
#[test]
fn a9_no_address_size() {
    for hex in
        ["67 8b 00", "67 8b 05", "67 a4", "67 e3 00", "67 a0", "67 8d 00", "67 90", "67 67 8b 00", "66 67 8b"]
    {
        reject_both(hex, AddressSize);
    }
    for opcode in ["a0", "a1", "a2", "a3", "e0 00", "e1 00", "e2 00"] {
        reject_both(opcode, Opcode);
    }
    for hex in ["8b 00", "8d 00", "a4", "e3 00"] {
        accept_both(hex);
    }
}

/// class: A10 on amd64, ia32
#[test]
fn a10_rex() {
    reject("48 66 8b 00", RexOrder);
    reject("48 f3 a4", RexOrder);
    reject("48 48 8b 00", RexOrder);
    reject("40 4f 8b 00", RexOrder);
    reject("66 48 8b 00", OperandSize);
    // Without effect: no bit and no new byte register; W where it is ignored; R, X, B that select nothing.
    for hex in [
        "40 8b c0",
        "40 90",
        "40 c3",
        "40 88 c3",
        "48 50",
        "48 c3",
        "48 ff d0",
        "48 ff e0",
        "48 e8",
        "48 74 00",
        "48 88 c0",
        "48 90",
        "48 0f 94 c0",
        "48 ff 30",
        "44 50",
        "42 8b c0",
        "42 8b 00",
        "41 8b 05",
        "41 05",
        "44 ff c0",
        "42 8b 45 00",
        "41 8b 04 25",
    ] {
        reject(hex, Rex);
    }
    // `42 8b 04 24` has an index: r12.
    assert_eq!(accept("42 8b 04 24").mem.index, Some(Reg(12)));
    assert_eq!(accept("48 8b c0").width, Width::B8);
    assert_eq!(accept("40 88 f0").args[1], Arg::Reg(Reg::SI));
    assert_eq!(accept("88 f0").args[1], Arg::High(Reg::DX));
    assert_eq!(accept("40 0f b6 c4").args[1], Arg::Reg(Reg::SP));
    assert_eq!(accept("0f b6 c4").args[1], Arg::High(Reg::AX));
    reject("40 0f b6 e0", Rex);
    // On IA-32 these bytes are `inc` and `dec`.
    assert_eq!(accept_on(Ia32, "40").op, Op::Inc);
    assert_eq!(accept_on(Ia32, "4f").args[0], Arg::Reg(Reg::DI));
}

/// class: A11, A20 on amd64, ia32
#[test]
fn a11_mandatory_prefixes() {
    // Older processors execute these as `bsf` and `bsr`.
    reject_both("f3 0f bc c0", Repeat);
    reject_both("f3 0f bd c0", Repeat);
    reject_both("66 f3 0f bc c0", Repeat);
    assert_eq!(accept_both("0f bc c0").op, Op::Bsf);
    assert_eq!(accept_both("f3 0f b8 c0").op, Op::Popcnt);
    assert_eq!(accept_both("f3 90").op, Op::Pause);
    reject_both("f2 90", Repeat);
    reject("f3 41 90", Rex);
    reject_both("0f b8", Opcode);
    reject_both("f3 01 00", Repeat);
    reject_both("f2 a4", Repeat);
    reject_both("f3 ac", Repeat);
    reject_both("f2 aa", Repeat);
    reject_both("66 f2 0f 10 00", OperandSize);
    // The MMX forms.
    reject_both("0f 6f c0", Opcode);
    reject_both("0f ef c0", Opcode);
}

/// class: A12 on amd64, ia32
#[test]
fn a12_aliases_and_reserved() {
    for hex in
        ["c0 f0 01", "d1 f0", "d3 30", "f6 c8 00", "f7 08", "d6", "f1", "c6 f8 00", "c7 f8", "c6 08", "c7 c8"]
    {
        reject_both(hex, Opcode);
    }
    for hex in [
        "8f c8", "8f 08", "fe d0", "ff f8", "ff 38", "0f b9 c0", "0f ff c0", "0f 0d 00", "0f 18 00",
        "0f ba c0",
    ] {
        reject_both(hex, Opcode);
    }
    reject("82 c0 00", Opcode);
    reject_on(Ia32, "82 c0 00", Opcode);
    reject_both("8f c0", Form);
    reject_both("ff f0", Form);
    reject_both("0f 94 c8", Opcode);
    // `rdssp`, `endbr` of the other mode, hint nops.
    reject_both("f3 0f 1e c8", Opcode);
    reject("f3 0f 1e fb", Opcode);
    reject_on(Ia32, "f3 0f 1e fa", Opcode);
    reject_both("0f 19 c0", Opcode);
    assert_eq!(accept("f3 0f 1e fa").op, Op::Endbr);
    assert_eq!(accept_on(Ia32, "f3 0f 1e fb").op, Op::Endbr);
}

/// class: A13 on amd64, ia32
#[test]
fn a13_vex_evex_and_new_prefixes() {
    for hex in ["c4 e1 78", "c5 f8 28 c0", "62 f1 7c 48", "d5 00", "8f e8 78", "c5 00", "c4 00", "62 00"] {
        reject_both(hex, Opcode);
    }
    // What `c5 f8 28 c0` is for wider registers.
    assert_eq!(accept_both("0f 28 c0").op, Op::VecLoad);
}

/// class: A14 on amd64, ia32
#[test]
fn a14_registers_in_the_opcode() {
    for (hex, op) in [("41 0f c9", Op::Bswap), ("41 51", Op::Push), ("41 59", Op::Pop), ("41 91", Op::Xchg)] {
        let insn = accept(hex);
        assert_eq!((insn.op, insn.args[0]), (op, Arg::Reg(Reg(9))), "{hex}");
    }
    assert_eq!(accept("41 b9 01 00 00 00").args[0], Arg::Reg(Reg(9)));
    assert_eq!(accept("41 b4 01").args[0], Arg::Reg(Reg(12)));
    assert_eq!(accept_both("b4 01").args[0], Arg::High(Reg::AX));
    assert_eq!(accept("40 b4 01").args[0], Arg::Reg(Reg::SP));
    reject_both("66 0f c8", OperandSize);
    // `90` is `nop`, and with REX.B `xchg r8, ax`.
    assert_eq!(accept_both("90").op, Op::Nop);
    assert_eq!(accept_both("66 90").op, Op::Nop);
    assert_eq!(accept("41 90").args, [Arg::Reg(Reg(8)), Arg::Reg(Reg::AX), Arg::None]);
    let xchg = accept_both("87 c0");
    assert_eq!((xchg.op, xchg.width), (Op::Xchg, Width::B4));
}

/// class: A15 on amd64, ia32
#[test]
fn a15_length() {
    let longest = "66 f0 41 81 84 8d 00 00 00 01 00 01";
    assert_eq!(accept(longest).len, 12);
    assert_eq!(accept("f0 41 81 84 8d 00 00 00 01 00 00 00 01").len, 13);
    // Fifteen prefixes and an instruction: the repetition is found first.
    reject_both("66 66 66 66 66 66 66 66 66 66 66 66 66 66 66 90", DuplicatePrefix);
    // A comparison that may not be locked, and string moves with prefixes that mean nothing to them.
    reject_both("f0 0f c7 c8", Opcode);
    for hex in ["f3 44 a4", "f3 42 a4", "f3 41 a4", "f3 4f a4", "f3 4c a5"] {
        reject(hex, Rex);
    }
    accept_both("f3 a4");
    accept("f3 48 a5");
    assert_eq!(accept_both("66 66 66 66 66 66 2e 0f 1f 84 00 00 00 00 00").len, 15);
    reject_both("66 66 66 66 66 66 66 2e 0f 1f 84 00 00 00 00 00", DuplicatePrefix);
}

/// class: A16 on amd64, ia32
#[test]
fn a16_lock() {
    for hex in [
        "f0 01 c0",
        "f0 03 00",
        "f0 8b 00",
        "f0 89 00",
        "f0 39 00",
        "f0 83 38 00",
        "f0 90",
        "f0 c3",
        "f0 87 c0",
        "f0 0f b1 c0",
        "f0 f7 20",
        "f0 d1 00",
        "f0 a4",
        "f0 0f ba e8 00",
        "f0 85 00",
        "f0 ff 30",
        "f0 0f 0b",
    ] {
        reject_both(hex, Lock);
    }
    // XACQUIRE and XRELEASE.
    reject_both("f2 f0 01 00", Repeat);
    reject_both("f3 f0 01 00", Repeat);
    for hex in [
        "f0 01 00",
        "f0 83 00 01",
        "f0 87 00",
        "f0 0f b1 08",
        "f0 0f c1 08",
        "f0 ff 00",
        "f0 f7 18",
        "f0 66 01 00",
    ] {
        assert!(accept_both(hex).lock, "{hex}");
    }
}

/// class: A17 on amd64, ia32
#[test]
fn a17_sib() {
    let mem = |base: Option<u8>, index: Option<u8>, scale, disp, rip| Mem {
        base: base.map(Reg),
        index: index.map(Reg),
        scale,
        disp,
        rip,
    };
    assert_eq!(accept("8b 05 10 00 00 00").mem, mem(None, None, 1, IP as i64 + 0x16, true));
    assert_eq!(accept_on(Ia32, "8b 05 10 00 00 00").mem, mem(None, None, 1, 0x10, false));
    assert_eq!(accept("8b 04 25 10 00 00 00").mem, mem(None, None, 1, 0x10, false));
    assert_eq!(accept("8b 04 25 00 00 00 80").mem, mem(None, None, 1, -0x8000_0000, false));
    assert_eq!(accept("8b 04 24").mem, mem(Some(4), None, 1, 0, false));
    assert_eq!(accept("41 8b 04 24").mem, mem(Some(12), None, 1, 0, false));
    assert_eq!(accept("8b 45 00").mem, mem(Some(5), None, 1, 0, false));
    assert_eq!(accept("41 8b 45 00").mem, mem(Some(13), None, 1, 0, false));
    assert_eq!(accept("8b 04 8d 01 00 00 00").mem, mem(None, Some(1), 4, 1, false));
    assert_eq!(accept("42 8b 04 e5 01 00 00 00").mem, mem(None, Some(12), 8, 1, false));
    assert_eq!(accept("43 8b 44 65 ff").mem, mem(Some(13), Some(12), 2, -1, false));
    // No index: a scale, or a base that needs no SIB byte.
    reject_both("8b 04 64", Sib);
    reject_both("8b 04 e4", Sib);
    reject_both("8b 04 20", Sib);
    reject_both("8b 44 25 00", Sib);
    reject_both("8b 04 65", Sib);
    reject_on(Ia32, "8b 04 25", Sib);
}

/// class: A18 on amd64, ia32
#[test]
fn a18_immediates() {
    assert_eq!(accept("48 c7 c0 ff ff ff ff").imm, -1);
    assert_eq!(accept_both("6a ff").imm, -1);
    assert_eq!(accept_both("68 00 00 00 80").imm, -0x8000_0000);
    assert_eq!(accept("48 83 c0 80").imm, -128);
    assert_eq!(accept("48 6b c0 80").imm, -128);
    assert_eq!(accept_both("c1 e0 ff").imm, 255);
    assert_eq!(accept_both("d1 e0").imm, 1);
    assert_eq!(accept_both("c2 ff ff").imm, 0xFFFF);
    assert_eq!(accept_both("66 81 c0 34 12").imm, 0x1234);
    reject_both("c8 00 00 00", Opcode);
    assert_eq!(accept_both("66 b8 34 12").len, 4);
}

#[test]
fn a19_relative_to_the_next_instruction() {
    assert_eq!(accept("eb fe").imm, IP as i64);
    assert_eq!(accept("0f 84 00 00 00 80").imm, IP as i64 + 6 - 0x8000_0000);
    // The bytes of the immediate count.
    assert_eq!(accept("c7 05 00 00 00 00 01 00 00 00").mem.disp, IP as i64 + 10);
    // Targets wrap as the hardware wraps them.
    let bytes = bytes("e9 fa ff ff ff");
    assert_eq!(decode(Amd64, &bytes, 0).unwrap().imm, -1);
    assert_eq!(decode(Ia32, &bytes, 0).unwrap().imm, 0xFFFF_FFFF);
    assert_eq!(decode(Amd64, &bytes, u64::MAX).unwrap().imm, -2);
}

#[test]
fn conditions() {
    for (i, cond) in Cond::ALL.into_iter().enumerate() {
        let code = format!("{:x}", i);
        assert_eq!(accept(&format!("7{code} 00")).cond, cond);
        assert_eq!(accept(&format!("0f 8{code} 00 00 00 00")).cond, cond);
        assert_eq!(accept(&format!("0f 9{code} c0")).cond, cond);
        assert_eq!(accept(&format!("0f 4{code} c0")).cond, cond);
    }
}

/// class: F9 on amd64, ia32
#[test]
fn f9_bit_tests_only_on_registers() {
    for hex in
        ["0f a3 00", "0f ab 00", "0f b3 00", "0f bb 00", "0f ba 20 00", "0f ba 28 00", "f0 0f ba 28 00"]
    {
        reject_both(hex, Form);
    }
    assert_eq!(accept_both("0f a3 c8").op, Op::Bt);
    assert_eq!(accept("48 0f ba f8 3f").imm, 0x3F);
}

/// class: K1 on amd64, ia32
#[test]
fn k1_privileged() {
    for hex in [
        "fa",
        "fb",
        "f4",
        "e4 00",
        "e5 00",
        "e6 00",
        "e7 00",
        "ec",
        "ed",
        "ee",
        "ef",
        "6c",
        "6d",
        "6e",
        "6f",
        "0f 20 c0",
        "0f 22 c0",
        "0f 21 c0",
        "0f 23 c0",
        "0f 06",
        "0f 08",
        "0f 09",
        "0f 30",
        "0f 32",
        "0f 33",
        "0f 00 d8",
        "0f 00 d0",
        "0f 01 10",
        "0f 01 18",
        "0f 01 f0",
        "0f 01 38",
        "0f 01 f8",
        "0f 01 f9",
        "0f 01 d0",
        "0f 01 d1",
        "0f 01 ca",
        "0f 01 cb",
        "0f 01 c8",
        "0f 01 c9",
        "0f 01 c1",
        "0f 01 d8",
        "0f 01 ee",
        "0f 01 ef",
        "0f 01 c0",
        "0f 01 cf",
        "0f 01 d7",
        "0f aa",
        "0f 37",
        "0f 07",
        "0f 35",
        "cf",
        "0f 78 c0",
        "0f 79 c0",
        "0f a2",
        "0f 38 f0 00",
        "0f 3a 0f c0 00",
        "0f 0f c0",
    ] {
        reject_both(hex, Opcode);
    }
    reject("48 0f 07", Opcode);
    reject("48 cf", Opcode);
    // `wrfsbase` and its family; `xsave`, `fxsave`, `ldmxcsr`, `clflush`.
    for hex in ["f3 0f ae c0", "f3 0f ae d0", "f3 0f ae d8", "f3 48 0f ae d0"] {
        assert!(decode(Amd64, &bytes(hex), IP).is_err(), "{hex}");
    }
    for hex in
        ["0f ae 00", "0f ae 08", "0f ae 10", "0f ae 18", "0f ae 20", "0f ae 28", "0f ae 30", "0f ae 38"]
    {
        assert!(matches!(decode(Amd64, &bytes(hex), IP), Err(Opcode | Form)), "{hex}");
    }
    for hex in ["0f ae e9", "0f ae f1", "0f ae ff"] {
        reject_both(hex, Opcode);
    }
    for (hex, op) in
        [("0f ae e8", Op::Fence), ("0f ae f0", Op::Fence), ("0f ae f8", Op::Fence), ("0f 31", Op::Rdtsc)]
    {
        assert_eq!(accept_both(hex).op, op);
    }
}

/// class: K2, B8 on amd64, ia32
#[test]
fn k2_flags() {
    for hex in ["9c", "9d", "9e", "9f", "fd"] {
        reject_both(hex, Opcode);
    }
    assert_eq!(accept_both("fc").op, Op::Cld);
    assert_eq!(accept_both("f8").op, Op::Carry);
}

/// class: K3 on amd64, ia32
#[test]
fn k3_segments_and_far_control() {
    for hex in [
        "8c d8", "8e d8", "8e 00", "0f a0", "0f a1", "0f a8", "0f a9", "0f b2 00", "0f b4 00", "0f b5 00",
        "ca 00 00", "cb", "ff 18", "ff 28", "ff d8", "ff e8", "06", "07", "0e", "16", "17", "1e", "1f", "9a",
        "ea", "d7", "27", "2f", "37", "3f", "60", "61", "d4 0a", "d5 0a", "63 c0",
    ] {
        reject_on(Ia32, hex, Opcode);
    }
    for hex in
        ["8c d8", "8e d8", "0f a0", "0f a9", "ca 00 00", "cb", "ff 18", "ff 28", "9a", "ea", "d7", "63 c0"]
    {
        reject(hex, Opcode);
    }
    assert_eq!(accept("48 63 c0").op, Op::Movsx);
}

/// class: K4 on amd64, ia32
#[test]
fn k4_interrupts_and_system_calls() {
    for hex in ["cd 03", "cd 2e", "cd 81", "ce", "f1", "0f 34"] {
        reject_both(hex, Opcode);
    }
    reject("cd 80", Opcode);
    reject_on(Ia32, "0f 05", Opcode);
    // For the stub; the rules reject them everywhere else.
    assert_eq!(accept("0f 05").op, Op::Syscall);
    assert_eq!(accept_on(Ia32, "cd 80").op, Op::Syscall);
    assert_eq!(accept_both("cc").op, Op::Int3);
    assert_eq!(accept_both("0f 0b").op, Op::Ud2);
}

/// class: B10 on amd64, ia32
#[test]
fn b10_x87_mmx_and_implied_stores() {
    for hex in ["d8 c0", "d9 00", "da 00", "db e3", "dc 00", "dd 20", "de c1", "df e0", "9b"] {
        reject_both(hex, Opcode);
    }
    for hex in ["0f 77", "0f f7 c8", "66 0f f7 c8", "0f e7 00", "66 0f e7 00", "0f 2b 00", "0f c3 00"] {
        for arch in [Amd64, Ia32] {
            assert!(decode(arch, &bytes(hex), IP).is_err(), "{hex}");
        }
    }
    // Floating-point arithmetic.
    for hex in
        ["0f 58 c0", "66 0f 58 c0", "f3 0f 58 c0", "f2 0f 58 c0", "0f 2e c0", "f2 0f 2a c0", "0f c2 c0 00"]
    {
        for arch in [Amd64, Ia32] {
            assert!(decode(arch, &bytes(hex), IP).is_err(), "{hex}");
        }
    }
    // Vector registers hold bits, which are moved and compared.
    accept_both("66 0f ef c0");
}

#[test]
fn nops_and_padding() {
    let nops = [
        "90",
        "66 90",
        "0f 1f 00",
        "0f 1f 40 00",
        "0f 1f 44 00 00",
        "66 0f 1f 44 00 00",
        "0f 1f 80 00 00 00 00",
        "0f 1f 84 00 00 00 00 00",
        "66 0f 1f 84 00 00 00 00 00",
        "66 2e 0f 1f 84 00 00 00 00 00",
        "66 66 2e 0f 1f 84 00 00 00 00 00",
        "66 66 66 2e 0f 1f 84 00 00 00 00 00",
        "66 66 66 66 2e 0f 1f 84 00 00 00 00 00",
        "66 66 66 66 66 2e 0f 1f 84 00 00 00 00 00",
        "66 66 66 66 66 66 2e 0f 1f 84 00 00 00 00 00",
    ];
    for (i, nop) in nops.into_iter().enumerate() {
        for arch in [Amd64, Ia32] {
            let insn = accept_on(arch, nop);
            assert_eq!((insn.op, usize::from(insn.len)), (Op::Nop, i + 1));
            let mut longer = bytes(nop);
            longer.extend([0xCC, 0x90]);
            assert_eq!(is_padding(arch, &longer), Some(i + 1));
            for cut in 0..=i {
                assert_eq!(decode(arch, &bytes(nop)[..cut], IP), Err(Truncated), "{nop} cut at {cut}");
            }
        }
    }
    assert_eq!(is_padding(Amd64, &[0xCC]), Some(1));
    assert_eq!(is_padding(Amd64, &[]), None);
    assert_eq!(is_padding(Amd64, &[0xC3]), None);
    assert_eq!(is_padding(Amd64, &bytes("f3 90")), None);
    for hex in ["0f 1f 01", "0f 1f 40 01", "0f 1f 44 08 00", "66 0f 1f 00", "0f 1f 80 00 00 00 01"] {
        reject_both(hex, Nop);
    }
    reject_both("0f 1f c0", Form);
    reject_both("0f 1f 08", Opcode);
    reject("48 0f 1f 00", Nop);
    reject_both("2e 0f 1f 84 00 00 00 00 00", Segment);
    reject_both("66 2e 0f 1f 84 00 00 00 00 01", Segment);
    reject_both("66 2e 90", Segment);
    reject_both("66 66 90", DuplicatePrefix);
}

#[test]
fn the_table_describes_itself() {
    use talcore::x86::table::rows;
    let find = |op: Op, opcode| rows().iter().find(|row| row.op == op && row.opcode == opcode).unwrap();
    let show = |op, opcode| {
        let row = find(op, opcode);
        format!("{} {} | {} | {}", row.mnemonic, row.operands(), row.encoding(), row.rule())
    };
    assert_eq!(show(Op::Add, 0x83), "add r/m16/32/64, imm8 | [66|REX.W] 83 /0 ib | linear arithmetic");
    assert_eq!(show(Op::Movzx, 0xB6), "movzx r16/32/64, r/m8 | [66|REX.W] 0F B6 /r | extend");
    assert_eq!(show(Op::VecLoad, 0x6F), "movdqa xmm, xmm/m128 | 66 0F 6F /r | vector load");
    assert_eq!(show(Op::Mov, 0xB8), "mov r16/32/64, imm16/32/64 | [66|REX.W] B8+r iw/id/iq | copy");
    assert_eq!(show(Op::Setcc, 0x90), "setcc r/m8 | 0F 90+cc /0 | condition to byte");
    assert_eq!(show(Op::Movs, 0xA4), "movs  | [F3] A4 | string");
    assert_eq!(find(Op::Mul, 0xF7).writes.to_string(), "ax dx");
    for row in rows() {
        assert!(!row.rule().is_empty() && !row.manual.is_empty() && !row.mnemonic.is_empty(), "{row:?}");
    }
}
