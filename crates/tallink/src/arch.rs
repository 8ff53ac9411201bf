//! What differs between architectures: the ELF class and the meaning of relocations.

use object::elf;

/// An ELF class.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Class {
    /// ELFCLASS32.
    Elf32,
    /// ELFCLASS64.
    Elf64,
}

impl Class {
    /// Bytes in a machine word.
    pub const fn word(self) -> u64 {
        match self {
            Class::Elf32 => 4,
            Class::Elf64 => 8,
        }
    }
}

/// How a relocation changes its place, with `S` the symbol's address, `A` the addend and `P` the
/// address of the place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fixup {
    /// Nothing.
    None,
    /// `S + A`, eight bytes.
    Abs64,
    /// `S + A`, four bytes, zero-extended by the instruction where words are longer: must be in `[0, 2^32)`.
    Abs32,
    /// `S + A`, four bytes, sign-extended by the instruction: must be in `[-2^31, 2^31)`.
    Abs32Signed,
    /// `S + A - P`, four bytes, sign-extended: must be in `[-2^31, 2^31)`.
    Pc32,
}

impl Fixup {
    /// Bytes that the relocation writes.
    pub const fn width(self) -> u64 {
        match self {
            Fixup::None => 0,
            Fixup::Abs64 => 8,
            Fixup::Abs32 | Fixup::Abs32Signed | Fixup::Pc32 => 4,
        }
    }
}

/// An architecture that can be linked.
#[derive(Debug)]
pub struct Arch {
    /// Its name for people.
    pub name: &'static str,
    /// ELF class.
    pub class: Class,
    /// `e_machine`.
    pub machine: elf::Machine,
    /// What TAL notes call it.
    pub note: talnote::write::Arch,
    /// The meaning of a relocation type, or why it is not supported.
    pub fixup: fn(u32) -> Result<Fixup, &'static str>,
    /// The relocation type that fills an address word.
    pub word_fixup: Fixup,
    /// A code byte that traps: fills gaps in executable sections.
    pub trap: u8,
    /// The user-mode system call stub, as the checker compares it.
    pub stub: &'static [u8],
    /// The signal restorer stub, as the checker compares it.
    pub restorer: &'static [u8],
}

impl Arch {
    /// What the checker calls it.
    pub const fn core(&self) -> talcore::arch::Arch {
        match self.class {
            Class::Elf32 => talcore::arch::Arch::Ia32,
            Class::Elf64 => talcore::arch::Arch::Amd64,
        }
    }
}

/// AMD64.
pub static AMD64: Arch = Arch {
    name: "AMD64",
    class: Class::Elf64,
    machine: elf::EM_X86_64,
    note: talnote::write::Arch::Amd64,
    fixup: amd64_fixup,
    word_fixup: Fixup::Abs64,
    trap: 0xcc,
    // syscall; ret
    stub: &[0x0f, 0x05, 0xc3],
    // mov eax, 15 (rt_sigreturn); syscall
    restorer: &[0xb8, 0x0f, 0x00, 0x00, 0x00, 0x0f, 0x05],
};

/// IA-32.
pub static IA32: Arch = Arch {
    name: "IA-32",
    class: Class::Elf32,
    machine: elf::EM_386,
    note: talnote::write::Arch::Ia32,
    fixup: ia32_fixup,
    word_fixup: Fixup::Abs32,
    trap: 0xcc,
    // int 0x80; ret
    stub: &[0xcd, 0x80, 0xc3],
    // mov eax, 173 (rt_sigreturn); int 0x80
    restorer: &[0xb8, 0xad, 0x00, 0x00, 0x00, 0xcd, 0x80],
};

/// The architectures that can be linked.
pub static ARCHS: [&Arch; 2] = [&AMD64, &IA32];

fn ia32_fixup(kind: u32) -> Result<Fixup, &'static str> {
    match elf::RelocationType(kind) {
        elf::R_386_NONE => Ok(Fixup::None),
        elf::R_386_32 => Ok(Fixup::Abs32),
        elf::R_386_PC32 | elf::R_386_PLT32 => Ok(Fixup::Pc32),
        elf::R_386_GOT32 | elf::R_386_GOT32X | elf::R_386_GOTOFF | elf::R_386_GOTPC => {
            Err("it goes through a global offset table, which a static typed program does not have")
        }
        elf::R_386_TLS_TPOFF
        | elf::R_386_TLS_IE
        | elf::R_386_TLS_GOTIE
        | elf::R_386_TLS_LE
        | elf::R_386_TLS_GD
        | elf::R_386_TLS_LDM => {
            Err("thread-local storage needs a segment register, which typed code never uses")
        }
        elf::R_386_8 | elf::R_386_16 | elf::R_386_PC8 | elf::R_386_PC16 => {
            Err("an address does not fit in one or two bytes")
        }
        elf::R_386_COPY
        | elf::R_386_GLOB_DAT
        | elf::R_386_JMP_SLOT
        | elf::R_386_RELATIVE
        | elf::R_386_IRELATIVE => Err("it is for a dynamic linker"),
        _ => Err("only R_386_32, PC32 and PLT32 are supported"),
    }
}

fn amd64_fixup(kind: u32) -> Result<Fixup, &'static str> {
    match elf::RelocationType(kind) {
        elf::R_X86_64_NONE => Ok(Fixup::None),
        elf::R_X86_64_64 => Ok(Fixup::Abs64),
        elf::R_X86_64_32 => Ok(Fixup::Abs32),
        elf::R_X86_64_32S => Ok(Fixup::Abs32Signed),
        elf::R_X86_64_PC32 | elf::R_X86_64_PLT32 => Ok(Fixup::Pc32),
        elf::R_X86_64_GOT32
        | elf::R_X86_64_GOTPCREL
        | elf::R_X86_64_GOTPCRELX
        | elf::R_X86_64_REX_GOTPCRELX
        | elf::R_X86_64_GOTPC32
        | elf::R_X86_64_GOT64
        | elf::R_X86_64_GOTPCREL64
        | elf::R_X86_64_GOTOFF64 => {
            Err("it goes through a global offset table, which a static typed program does not have")
        }
        elf::R_X86_64_TLSGD
        | elf::R_X86_64_TLSLD
        | elf::R_X86_64_GOTTPOFF
        | elf::R_X86_64_TPOFF32
        | elf::R_X86_64_TPOFF64
        | elf::R_X86_64_DTPOFF32
        | elf::R_X86_64_DTPOFF64
        | elf::R_X86_64_DTPMOD64 => {
            Err("thread-local storage needs a segment register, which typed code never uses")
        }
        elf::R_X86_64_8 | elf::R_X86_64_16 | elf::R_X86_64_PC8 | elf::R_X86_64_PC16 => {
            Err("an address does not fit in one or two bytes")
        }
        elf::R_X86_64_COPY
        | elf::R_X86_64_GLOB_DAT
        | elf::R_X86_64_JUMP_SLOT
        | elf::R_X86_64_RELATIVE
        | elf::R_X86_64_IRELATIVE => Err("it is for a dynamic linker"),
        _ => Err("only R_X86_64_64, 32, 32S, PC32 and PLT32 are supported"),
    }
}

/// The name of a relocation type, for messages.
pub fn relocation_name(machine: elf::Machine, kind: u32) -> String {
    let name = match (machine, elf::RelocationType(kind)) {
        (elf::EM_X86_64, k) => match k {
            elf::R_X86_64_64 => "R_X86_64_64",
            elf::R_X86_64_PC32 => "R_X86_64_PC32",
            elf::R_X86_64_PLT32 => "R_X86_64_PLT32",
            elf::R_X86_64_32 => "R_X86_64_32",
            elf::R_X86_64_32S => "R_X86_64_32S",
            elf::R_X86_64_GOTPCREL => "R_X86_64_GOTPCREL",
            elf::R_X86_64_GOTPCRELX => "R_X86_64_GOTPCRELX",
            elf::R_X86_64_REX_GOTPCRELX => "R_X86_64_REX_GOTPCRELX",
            elf::R_X86_64_GOTTPOFF => "R_X86_64_GOTTPOFF",
            elf::R_X86_64_TPOFF32 => "R_X86_64_TPOFF32",
            elf::R_X86_64_TLSGD => "R_X86_64_TLSGD",
            elf::R_X86_64_TLSLD => "R_X86_64_TLSLD",
            elf::R_X86_64_8 => "R_X86_64_8",
            elf::R_X86_64_16 => "R_X86_64_16",
            elf::R_X86_64_PC8 => "R_X86_64_PC8",
            elf::R_X86_64_PC16 => "R_X86_64_PC16",
            elf::R_X86_64_PC64 => "R_X86_64_PC64",
            elf::R_X86_64_SIZE32 => "R_X86_64_SIZE32",
            elf::R_X86_64_SIZE64 => "R_X86_64_SIZE64",
            _ => "",
        },
        (elf::EM_386, k) => match k {
            elf::R_386_32 => "R_386_32",
            elf::R_386_PC32 => "R_386_PC32",
            elf::R_386_PLT32 => "R_386_PLT32",
            elf::R_386_GOT32 => "R_386_GOT32",
            elf::R_386_GOT32X => "R_386_GOT32X",
            elf::R_386_GOTOFF => "R_386_GOTOFF",
            elf::R_386_GOTPC => "R_386_GOTPC",
            elf::R_386_TLS_LE => "R_386_TLS_LE",
            elf::R_386_TLS_IE => "R_386_TLS_IE",
            elf::R_386_TLS_GD => "R_386_TLS_GD",
            elf::R_386_8 => "R_386_8",
            elf::R_386_16 => "R_386_16",
            elf::R_386_PC8 => "R_386_PC8",
            elf::R_386_PC16 => "R_386_PC16",
            _ => "",
        },
        _ => "",
    };
    if name.is_empty() { format!("relocation type {kind}") } else { name.to_string() }
}
