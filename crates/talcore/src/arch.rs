//! The two word sizes of the x86 family.

use crate::types::RegSet;
use crate::x86::insn::Width;

/// An architecture that the checker knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Default)]
pub enum Arch {
    /// 64-bit mode: 16 registers of 8 bytes, REX prefixes, RIP-relative addresses.
    #[default]
    Amd64,
    /// 32-bit protected mode with flat segments: 8 registers of 4 bytes.
    Ia32,
}

impl Arch {
    /// The size of a machine word (a register, an address) in bits.
    pub const fn word_bits(self) -> u32 {
        match self {
            Arch::Amd64 => 64,
            Arch::Ia32 => 32,
        }
    }

    /// The size of a machine word in bytes.
    pub const fn word_bytes(self) -> u32 {
        self.word_bits() / 8
    }

    /// The width of a machine word.
    pub const fn word_width(self) -> Width {
        match self {
            Arch::Amd64 => Width::B8,
            Arch::Ia32 => Width::B4,
        }
    }

    /// The number of general registers (and of vector registers).
    pub const fn registers(self) -> u8 {
        match self {
            Arch::Amd64 => 16,
            Arch::Ia32 => 8,
        }
    }

    /// The registers that a function preserves by the platform's calling convention, but for the stack
    /// pointer.
    pub const fn preserved(self) -> RegSet {
        match self {
            Arch::Amd64 => 1 << 3 | 1 << 5 | 0xf << 12,
            Arch::Ia32 => 1 << 3 | 1 << 5 | 1 << 6 | 1 << 7,
        }
    }

    /// The code that stands for this architecture in a note.
    pub const fn code(self) -> u8 {
        match self {
            Arch::Amd64 => 1,
            Arch::Ia32 => 2,
        }
    }

    /// The architecture that `code` stands for in a note, if there is one.
    pub const fn of_code(code: u8) -> Option<Arch> {
        match code {
            1 => Some(Arch::Amd64),
            2 => Some(Arch::Ia32),
            _ => None,
        }
    }

    /// The largest size of an object in bytes (section 5 of the type system).
    pub const fn max_object(self) -> i128 {
        match self {
            Arch::Amd64 => 1 << 47,
            Arch::Ia32 => (1 << 32) - 65536,
        }
    }

    /// The largest address of a byte that a program can have. On AMD64, where page tables may have five levels, the
    /// kernel gives memory above 2^47 only to those who ask for an address there
    /// (Documentation/arch/x86/x86_64/5level-paging.rst), which no typed system call does. `mremap` could grow memory in
    /// place across that line, so it is not typed.
    pub const fn max_address(self) -> i128 {
        match self {
            Arch::Amd64 => (1 << 47) - 1,
            Arch::Ia32 => (1 << 32) - 1,
        }
    }
}
