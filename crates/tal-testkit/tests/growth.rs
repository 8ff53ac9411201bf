//! J: inputs that grow in one dimension at a time cost no more than their size pays for. Steps of the checker and bytes
//! of memory are counted, time is not: `cargo xtask bench growth` measures that.

use peak_alloc::PeakAlloc;
use tal_testkit::growth::{Family, Made, families};
use talcore::arch::Arch;
use talcore::limits;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// The size of the inputs for the checker and for the linker, about, in bytes.
const SIZE: usize = 40_000;
/// That of sources: inference takes its time.
const SOURCE: usize = 8_000;

/// Bytes of memory that a tool may have at once for each byte of its input, and for any input. `docs/security.md` names
/// these numbers.
fn allowed(family: &Family) -> (usize, usize) {
    match family.make {
        Made::Executable(_) => (1_000, 16 << 20),
        Made::Objects(_) => (100, 1 << 20),
        Made::Source(_) => (5_000, 4 << 20),
    }
}

/// One test: all threads of a process share its memory.
#[test]
fn steps_and_memory() {
    for arch in [Arch::Amd64, Arch::Ia32] {
        for family in families() {
            let size = if matches!(family.make, Made::Source(_)) { SOURCE } else { SIZE };
            let member = family.member(arch, size);
            let (before, bytes) = (MEMORY.current_usage(), member.bytes());
            MEMORY.reset_peak_usage();
            let (verdict, steps) = member.judge();
            let memory = MEMORY.peak_usage() - before;
            eprintln!(
                "{arch:?} {}: {bytes} bytes, {memory} of memory, {steps:?} steps, {verdict}",
                family.name
            );
            let (each, base) = allowed(&family);
            let most = each * bytes + base;
            assert!(memory <= most, "{}: {memory} bytes of memory, {most} are allowed", family.name);
            let most = limits::FILE_FUEL_BASE + limits::FILE_FUEL_PER_BYTE * bytes as u64;
            assert!(steps.is_none_or(|s| s <= most), "{}: {steps:?} steps, {most} are paid for", family.name);
        }
    }
}
