//! Every byte string up to the length that decides: `cargo xtask sweep`.
//!
//! Prefixes, REX, opcode map, opcode, ModRM and SIB decide; displacements and immediates do not, and are random. The
//! decoder refuses a prefix that is repeated or forbidden at once, so there all further bytes but SIB are tried, and
//! nothing may be accepted but the longest `nop`.

use super::again::Counts;
use super::oracle::{IP, Oracles, objdump};
use super::sweep::{ALL_PREFIXES, Bytes, operands, rex_prefixes};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use talcore::arch::Arch;
use talcore::x86::decode::decode;
use talcore::x86::insn::Op;

/// All sequences of up to three prefixes.
fn prefixes() -> Vec<Vec<u8>> {
    let mut all = vec![vec![]];
    let mut last = all.clone();
    for _ in 0..3 {
        last = last.iter().flat_map(|p| ALL_PREFIXES.map(|byte| [&p[..], &[byte]].concat())).collect();
        all.extend(last.clone());
    }
    all
}

/// Whether an instruction may have them: each once, and none that is forbidden.
fn allowed(prefixes: &[u8]) -> bool {
    let once = |byte: &u8| prefixes.iter().filter(|other| *other == byte).count() == 1;
    prefixes.iter().all(|byte| [0x66, 0xF2, 0xF3, 0xF0].contains(byte) && once(byte))
}

const MAPS: [&[u8]; 4] = [&[], &[0x0F], &[0x0F, 0x38], &[0x0F, 0x3A]];

fn everything(arch: Arch) {
    assert!(objdump::installed(), "this needs objdump of GNU binutils");
    let seed = std::env::var("TAL_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(1);
    let (may, never): (Vec<_>, Vec<_>) = prefixes().into_iter().partition(|p| allowed(p));
    let starts: Vec<Vec<u8>> = may
        .iter()
        .flat_map(|p| rex_prefixes(arch).into_iter().map(move |rex| [p, rex.as_slice()].concat()))
        .flat_map(|p| MAPS.map(|map| [&p[..], map].concat()))
        .collect();
    let sibs: Vec<u8> = (0..=255).collect();
    let (next, total) = (AtomicUsize::new(0), Mutex::new((0, Counts::default())));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                let mut oracles = Oracles::new(arch);
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    let Some(start) = starts.get(n) else { break };
                    let mut bytes = Bytes::new(seed + n as u64);
                    let before = oracles.accepted;
                    for opcode in 0..=255 {
                        operands(&mut oracles, &mut bytes, &[&start[..], &[opcode]].concat(), &sibs);
                    }
                    // The longer maps have none that is on the list.
                    let long = start.ends_with(&[0x0F, 0x38]) || start.ends_with(&[0x0F, 0x3A]);
                    assert!(!long || oracles.accepted == before, "{start:02x?}");
                }
                let (accepted, again) = oracles.finish();
                let mut total = total.lock().unwrap();
                total.0 += accepted;
                total.1.same += again.same;
                total.1.other += again.other;
                total.1.none += again.none;
            });
        }
    });
    let mut bytes = Bytes::new(seed);
    for prefix in &never {
        for map in MAPS {
            for opcode in 0..=255 {
                for modrm in 0..=255 {
                    let start = bytes.start(&[prefix, map, &[opcode, modrm]]);
                    if let Ok(insn) = decode(arch, start.finish(), IP) {
                        assert_eq!(insn.op, Op::Nop, "{prefix:02x?} {opcode:02x}");
                    }
                }
            }
        }
    }
    let (accepted, again) = total.into_inner().unwrap();
    println!(
        "{accepted} byte strings are accepted; of these talasm writes {} as they are, {} shorter or in another form,\n\
         {} it has no source for (addresses that a label or a symbol stands for, forms that it never chooses)",
        again.same, again.other, again.none
    );
}

#[test]
#[ignore = "minutes; after a change of the decoder: cargo xtask sweep"]
fn everything_on_amd64() {
    everything(Arch::Amd64);
}

#[test]
#[ignore = "minutes; after a change of the decoder: cargo xtask sweep"]
fn everything_on_ia32() {
    everything(Arch::Ia32);
}
