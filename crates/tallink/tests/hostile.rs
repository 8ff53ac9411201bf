//! Damaged inputs give errors with codes, never a panic.

mod common;
use common::*;
use object::{SectionKind, elf};
use tallink::{Diagnostic, Input, InputFile, Options};

/// An object with everything: several sections, all relocations, notes, debugging information.
fn rich() -> Vec<u8> {
    let mut o = hello("hello\n", 7);
    let data = o.section(".data", SectionKind::Data, &[0; 32]);
    let there = o.data("there", data, 8, 8);
    o.section(".bss", SectionKind::UninitializedData, &[0; 64]);
    o.reloc(data, 0, elf::R_X86_64_64, there, 3);
    let debug = o.section(".debug_info", SectionKind::Debug, &[0; 16]);
    o.reloc(debug, 8, elf::R_X86_64_64, there, 0);
    o.section(".comment", SectionKind::OtherString, b"made by hand\0");
    o.bytes()
}

fn check(result: Result<impl Sized, Vec<Diagnostic>>) -> bool {
    match result {
        Ok(_) => true,
        Err(errors) => {
            assert!(!errors.is_empty());
            for e in &errors {
                assert!((2001..2100).contains(&e.code.0) || e.code.0 < 1000, "{e:?}");
                assert!(!e.message.is_empty());
            }
            assert!(!render(&errors).is_empty());
            false
        }
    }
}

/// Links a damaged file in all ways.
fn all_ways(bytes: Vec<u8>) -> bool {
    let module = InputFile { name: "bad.o".into(), bytes: bytes.clone() };
    check(tallink::link_module(module));
    let inputs = [input("bad", bytes), hello("x", 0).input("hello.o"), exit_with().input("exit.o")];
    for gc_sections in [false, true] {
        check(tallink::link(&inputs, &Options { gc_sections, map: true, ..Options::default() }));
    }
    let alone: [Input; 2] = [inputs[0].clone(), inputs[2].clone()];
    check(tallink::link(&alone, &Options { strip: true, ..Options::default() }))
}

#[test]
fn the_undamaged_input_links() {
    assert!(all_ways(rich()));
}

#[test]
fn truncated() {
    let whole = rich();
    for len in 0..whole.len() {
        assert!(!all_ways(whole[..len].to_vec()), "{len} of {} bytes", whole.len());
    }
}

#[test]
fn single_bytes_changed() {
    let whole = rich();
    for at in 0..whole.len() {
        for value in [0, 1, 0x7f, 0x80, 0xff, whole[at] ^ 1, whole[at].wrapping_add(8)] {
            let mut bytes = whole.clone();
            bytes[at] = value;
            all_ways(bytes);
        }
    }
}

/// Random changes of bytes, words, and swaps of pieces.
fn mutate(rng: &mut fastrand::Rng, bytes: &mut [u8]) {
    for _ in 0..rng.usize(1..6) {
        let at = rng.usize(0..bytes.len() - 8);
        match rng.u8(0..5) {
            0 => bytes[at] = rng.u8(..),
            1 => bytes[at..at + 8].copy_from_slice(&rng.u64(..).to_le_bytes()),
            2 => bytes[at..at + 4].copy_from_slice(&[0xff; 4]),
            3 => {
                let from = rng.usize(0..bytes.len() - 8);
                let piece: [u8; 8] = bytes[from..from + 8].try_into().unwrap();
                bytes[at..at + 8].copy_from_slice(&piece);
            }
            _ => {
                let value = u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
                let near = value.wrapping_add(rng.u64(0..32)).wrapping_sub(16);
                bytes[at..at + 8].copy_from_slice(&near.to_le_bytes());
            }
        }
    }
}

#[test]
fn random_changes() {
    let mut rng = fastrand::Rng::with_seed(1);
    let members = [("b.o", rich()), ("c.o", exit_with().bytes())];
    let seeds = [
        rich(),
        typed("hello\n", 7).bytes(),
        tallink::gate::object_bytes(&tallink::arch::AMD64).to_vec(),
        archive(&members, &[("exit_with", 1), ("there", 0)]),
        archive(&members, &[]),
    ];
    let mut linked = 0;
    for i in 0..10_000 {
        let mut bytes = seeds[i % seeds.len()].clone();
        mutate(&mut rng, &mut bytes);
        linked += u32::from(all_ways(bytes));
    }
    // The changes are small enough that the linker is reached behind the parser.
    assert!(linked > 100, "{linked}");
}

/// class: I4 on amd64
#[test]
fn damaged_types_are_checked_again() {
    let mut rng = fastrand::Rng::with_seed(3);
    let (mut accepted, mut rejected) = (0, 0);
    for _ in 0..600 {
        let mut bytes = typed("hello\n", 7).bytes();
        mutate(&mut rng, &mut bytes);
        let inputs = [input("bad.o", bytes)];
        // Whatever was made, the checker has an answer, and a code if it is no.
        if let Ok(out) = tallink::link(&inputs, &Options::default()) {
            match check(tallink::recheck::recheck(&inputs, &Options::default(), &out.image)) {
                true => accepted += 1,
                false => rejected += 1,
            }
        }
    }
    // Both happen: damage in symbols does no harm, damage in code and notes does.
    assert!(accepted > 10 && rejected > 10, "{accepted} {rejected}");
}

#[test]
fn random_bytes() {
    let mut rng = fastrand::Rng::with_seed(2);
    for start in [&b""[..], b"\x7fELF\x02\x01\x01", b"!<arch>\n", b"!<arch>\n/               "] {
        for _ in 0..500 {
            let mut bytes = start.to_vec();
            bytes.extend((0..rng.usize(0..400)).map(|_| rng.u8(..)));
            assert!(!all_ways(bytes));
        }
    }
}

/// class: J5 on amd64
#[test]
fn sections_that_share_their_bytes_cost_nothing() {
    // 20,000 section headers that all name the same megabyte: 20 GB if it were believed.
    let mut o = exit_named("_start");
    o.section(".data", SectionKind::Data, &vec![1; 1 << 20]);
    let mut bytes = o.bytes();
    let table = u64::from_le_bytes(bytes[40..48].try_into().unwrap()) as usize;
    let count = usize::from(u16::from_le_bytes(bytes[60..62].try_into().unwrap()));
    let header = |i: usize| table + 64 * i..table + 64 * (i + 1);
    let size = |b: &[u8], i: usize| u64::from_le_bytes(b[header(i)][32..40].try_into().unwrap());
    let large = (0..count).find(|&i| size(&bytes, i) == 1 << 20).unwrap();
    let large = bytes[header(large)].to_vec();
    bytes.truncate(table + 64 * count);
    (0..20_000).for_each(|_| bytes.extend_from_slice(&large));
    let all = (count + 20_000) as u16;
    bytes[60..62].copy_from_slice(&all.to_le_bytes());
    let text = errors(&[input("bomb.o", bytes)]);
    assert!(text.contains("TAL2002") && text.contains("overlaps other sections"), "{text}");
}
