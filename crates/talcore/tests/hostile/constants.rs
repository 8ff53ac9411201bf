//! Lies about constants: which are addresses, and of what.

use crate::lab::{DATA, Lab, accepted, code_for, rejected};
use iced_x86::code_asm::*;
use talcore::arch::Arch;
use talcore::term::Term;
use talcore::types::{Layout, Sig};
use talcore::verdict::{Code, Reject};

/// Pushes a constant, which is said to lie `addend` bytes behind what is meant, and reads a byte at `off` from there.
/// The object at [`DATA`] has 16 bytes.
fn read_pushed(arch: Arch, constant: u64, addend: Option<i64>, off: i64) -> Result<(), Box<Reject>> {
    let mut lab = Lab { arch, addend, ..Lab::default() };
    let layout = lab.layout(Layout::Bytes(Term::from(16)));
    lab.shared(layout, 16);
    let constant = constant as u32 as i32;
    let code = code_for(arch, |a| {
        a.push(constant)?;
        match arch {
            Arch::Amd64 => {
                a.pop(rcx)?;
                a.movzx(eax, byte_ptr(rcx + off))?;
            }
            Arch::Ia32 => {
                a.pop(ecx)?;
                a.movzx(eax, byte_ptr(ecx + off))?;
            }
        }
        a.ret()
    });
    lab.check(Sig::default(), &code)
}

const BOTH: [Arch; 2] = [Arch::Amd64, Arch::Ia32];

/// class: F8 on amd64, ia32
#[test]
fn a_pushed_address_is_that_of_its_object() {
    for arch in BOTH {
        accepted(read_pushed(arch, DATA, Some(0), 15));
        rejected(read_pushed(arch, DATA, Some(0), 16), Code::Bounds);
        rejected(read_pushed(arch, DATA, Some(0), -1), Code::Bounds);
        // As a number it is none.
        rejected(read_pushed(arch, DATA, None, 0), Code::NotPointer);
        // One past the end, and one before the start.
        accepted(read_pushed(arch, DATA + 16, Some(16), -1));
        rejected(read_pushed(arch, DATA + 16, Some(16), 0), Code::Bounds);
        accepted(read_pushed(arch, DATA - 1, Some(-1), 1));
        rejected(read_pushed(arch, DATA - 1, Some(-1), 0), Code::Bounds);
    }
}

/// class: F8, H6 on amd64, ia32
#[test]
fn an_addend_that_is_made_up() {
    for arch in BOTH {
        for addend in [8, -17, 0x1000] {
            rejected(read_pushed(arch, DATA, Some(addend), 0), Code::NotPointer);
        }
        // Far away from it: the address is what it is.
        let far = DATA + 0x10_0000;
        accepted(read_pushed(arch, far, Some(0x10_0000), -0x10_0000));
        rejected(read_pushed(arch, far, Some(0x10_0000), 0), Code::Bounds);
        // Numbers at which nothing can lie are never asked about.
        rejected(read_pushed(arch, 8, Some(8), 0), Code::NotPointer);
    }
    // Addresses have 32 bits, offsets have not: a whole turn away is no access.
    for turns in [1 << 32, -1 << 32, 1 << 40, i64::MIN, i64::MAX] {
        rejected(read_pushed(Arch::Ia32, DATA, Some(turns), 0), Code::Bounds);
        rejected(read_pushed(Arch::Amd64, DATA, Some(turns), 0), Code::NotPointer);
    }
}
