//! The system-call conventions of the architectures.

use crate::arch;
use crate::types::RegSet;
use crate::x86::insn::Reg;

/// What the parser must know of an architecture.
pub(super) struct Arch {
    /// As written in the table.
    pub(super) name: &'static str,
    /// Which it is.
    pub(super) id: arch::Arch,
    /// The result and argument registers of a system call.
    pub(super) regs: &'static [(&'static str, Reg)],
    /// Registers that a system call changes.
    pub(super) clobbers: RegSet,
    /// See [`super::Abi::handler`].
    pub(super) handler: &'static [(Reg, u32)],
    /// See [`super::Abi::handler_flags`].
    pub(super) handler_flags: u64,
}

const SA_SIGINFO: u64 = 4;
const SA_RESTORER: u64 = 0x0400_0000;

const AX: RegSet = 1 << 0;
const CX: RegSet = 1 << 1;
const R11: RegSet = 1 << 11;

/// The architectures that a table can be for.
pub(super) const ARCHS: [Arch; 2] = [
    Arch {
        name: "amd64",
        id: arch::Arch::Amd64,
        regs: &[
            ("rax", Reg::AX),
            ("rdi", Reg::DI),
            ("rsi", Reg::SI),
            ("rdx", Reg::DX),
            ("r10", Reg(10)),
            ("r8", Reg(8)),
            ("r9", Reg(9)),
        ],
        clobbers: AX | CX | R11,
        // siginfo_t and struct ucontext, which lie in the frame of the signal.
        handler: &[(Reg::DI, 0), (Reg::SI, 128), (Reg::DX, 304)],
        handler_flags: SA_RESTORER,
    },
    Arch {
        name: "ia32",
        id: arch::Arch::Ia32,
        regs: &[
            ("eax", Reg::AX),
            ("ebx", Reg::BX),
            ("ecx", Reg::CX),
            ("edx", Reg::DX),
            ("esi", Reg::SI),
            ("edi", Reg::DI),
            ("ebp", Reg::BP),
        ],
        clobbers: AX,
        // Arguments of handlers lie on the stack, which is not typed.
        handler: &[],
        // Without SA_SIGINFO the kernel makes another frame, which `sigreturn` takes away and `rt_sigreturn` does not.
        handler_flags: SA_RESTORER | SA_SIGINFO,
    },
];
