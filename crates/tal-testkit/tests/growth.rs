//! J: inputs that grow in one dimension at a time cost no more than their size pays for. Steps of the checker and bytes
//! of memory are counted, time is not: `cargo xtask bench growth` measures that.

use peak_alloc::PeakAlloc;
use std::sync::Mutex;
use tal_testkit::growth::{Family, Made, families};
use talcore::arch::Arch;
use talcore::limits;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// The size of the inputs, about, in bytes.
const SIZE: usize = 50_000;

/// Bytes of memory that a tool may have at once for each byte of its input, and for any input.
fn allowed(family: &Family, bytes: usize) -> usize {
    let (each, base) = match family.make {
        Made::Executable(_) => (CHECKER, CHECKER_BASE),
        Made::Objects(_) => (LINKER, BASE),
        Made::Source(_) => (ASSEMBLER, BASE),
    };
    each * bytes + base
}

/// `docs/security.md` names these.
const CHECKER: usize = 2_500;
const CHECKER_BASE: usize = 16 << 20;
const LINKER: usize = 200;
const ASSEMBLER: usize = 4_000;
const BASE: usize = 1 << 20;

/// All threads of a process share its memory, so tests run one after the other.
static ALONE: Mutex<()> = Mutex::new(());

#[test]
fn steps_and_memory() {
    let _alone = ALONE.lock();
    for arch in [Arch::Amd64, Arch::Ia32] {
        for family in families() {
            let member = family.member(arch, SIZE);
            let (before, bytes) = (MEMORY.current_usage(), member.bytes());
            MEMORY.reset_peak_usage();
            let (verdict, steps) = member.judge();
            let memory = MEMORY.peak_usage() - before;
            eprintln!(
                "{arch:?} {}: {bytes} bytes, {memory} of memory, {steps:?} steps, {verdict}",
                family.name
            );
            let most = allowed(&family, bytes);
            assert!(memory <= most, "{}: {memory} bytes of memory, {most} are allowed", family.name);
            let most = limits::FILE_FUEL_BASE + limits::FILE_FUEL_PER_BYTE * bytes as u64;
            assert!(steps.is_none_or(|s| s <= most), "{}: {steps:?} steps, {most} are paid for", family.name);
        }
    }
}

/// Steps double when the input does: what is left to a small input by [`limits::FILE_FUEL_BASE`] hides nothing.
#[test]
fn steps_grow_as_inputs_do() {
    let _alone = ALONE.lock();
    for family in families().into_iter().filter(|f| matches!(f.make, Made::Executable(_))) {
        let steps = |size| {
            let member = family.member(Arch::Amd64, size);
            let (bytes, (_, steps)) = (member.bytes(), member.judge());
            steps.map(|steps| (bytes as f64, steps as f64))
        };
        if let (Some(small), Some(large)) = (steps(SIZE / 4), steps(SIZE / 2)) {
            // Both begin with what every file has.
            let grown = (large.1 + 1000.0) / (small.1 + 1000.0);
            assert!(grown < 2.5, "{}: {grown:.2} times the steps for twice the bytes", family.name);
        }
    }
}
