//! The instructions that TAL source may use, by mnemonic, with their forms in order of preference:
//! shorter encodings first. One list has the forms of both architectures.
//!
//! Nothing here is trusted: what is emitted is decoded and judged by `talcore` like anybody's code.

use super::form::*;
use iced_x86::Code;
use std::collections::HashMap;
use std::sync::LazyLock;
use talcore::arch::Arch;
use talcore::x86::insn::Cond;

/// What a mnemonic means to the encoder.
pub(super) enum Entry {
    /// An instruction with operands.
    Forms(Vec<Form>),
    /// An instruction without operands: its bytes.
    Fixed(&'static [u8]),
    /// `jmp`: a label, a function, or a register or memory.
    Jmp(Vec<Form>),
    /// `call`: a function, or a register or memory.
    Call(Vec<Form>),
    /// A conditional jump.
    Jcc(Cond),
    /// `jrcxz`, `jecxz`.
    Jcxz,
}

/// Which prefixes a mnemonic may carry.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Prefixes {
    #[default]
    None,
    /// `lock`, if the destination is memory.
    Lock,
    /// `rep`.
    Rep,
    /// `repe` and `repne`.
    RepCompare,
}

/// A mnemonic's row.
pub(super) struct Row {
    pub(super) entry: Entry,
    pub(super) prefixes: Prefixes,
}

/// The row of a mnemonic in lower case.
pub(super) fn find(arch: Arch, mnemonic: &str) -> Option<&'static Row> {
    table(arch).get(mnemonic)
}

/// All mnemonics, sorted.
pub(super) fn mnemonics(arch: Arch) -> Vec<&'static str> {
    let mut names: Vec<&str> = table(arch).keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

/// Suffixes of conditional instructions and what they test.
pub(super) const CONDITIONS: [(&str, Cond); 30] = [
    ("o", Cond::O),
    ("no", Cond::No),
    ("b", Cond::B),
    ("c", Cond::B),
    ("nae", Cond::B),
    ("ae", Cond::Ae),
    ("nb", Cond::Ae),
    ("nc", Cond::Ae),
    ("e", Cond::E),
    ("z", Cond::E),
    ("ne", Cond::Ne),
    ("nz", Cond::Ne),
    ("be", Cond::Be),
    ("na", Cond::Be),
    ("a", Cond::A),
    ("nbe", Cond::A),
    ("s", Cond::S),
    ("ns", Cond::Ns),
    ("p", Cond::P),
    ("pe", Cond::P),
    ("np", Cond::Np),
    ("po", Cond::Np),
    ("l", Cond::L),
    ("nge", Cond::L),
    ("ge", Cond::Ge),
    ("nl", Cond::Ge),
    ("le", Cond::Le),
    ("ng", Cond::Le),
    ("g", Cond::G),
    ("nle", Cond::G),
];

/// Instructions without operands.
const FIXED: [(&str, &[u8], Prefixes); 42] = [
    ("movsb", &[0xa4], Prefixes::Rep),
    ("movsw", &[0x66, 0xa5], Prefixes::Rep),
    ("movsd", &[0xa5], Prefixes::Rep),
    ("movsq", &[0x48, 0xa5], Prefixes::Rep),
    ("stosb", &[0xaa], Prefixes::Rep),
    ("stosw", &[0x66, 0xab], Prefixes::Rep),
    ("stosd", &[0xab], Prefixes::Rep),
    ("stosq", &[0x48, 0xab], Prefixes::Rep),
    ("lodsb", &[0xac], Prefixes::None),
    ("lodsw", &[0x66, 0xad], Prefixes::None),
    ("lodsd", &[0xad], Prefixes::None),
    ("lodsq", &[0x48, 0xad], Prefixes::None),
    ("cmpsb", &[0xa6], Prefixes::RepCompare),
    ("cmpsw", &[0x66, 0xa7], Prefixes::RepCompare),
    ("cmpsd", &[0xa7], Prefixes::RepCompare),
    ("cmpsq", &[0x48, 0xa7], Prefixes::RepCompare),
    ("scasb", &[0xae], Prefixes::RepCompare),
    ("scasw", &[0x66, 0xaf], Prefixes::RepCompare),
    ("scasd", &[0xaf], Prefixes::RepCompare),
    ("scasq", &[0x48, 0xaf], Prefixes::RepCompare),
    ("cbw", &[0x66, 0x98], Prefixes::None),
    ("cwde", &[0x98], Prefixes::None),
    ("cdqe", &[0x48, 0x98], Prefixes::None),
    ("cwd", &[0x66, 0x99], Prefixes::None),
    ("cdq", &[0x99], Prefixes::None),
    ("cqo", &[0x48, 0x99], Prefixes::None),
    ("leave", &[0xc9], Prefixes::None),
    ("nop", &[0x90], Prefixes::None),
    ("endbr64", &[0xf3, 0x0f, 0x1e, 0xfa], Prefixes::None),
    ("endbr32", &[0xf3, 0x0f, 0x1e, 0xfb], Prefixes::None),
    ("ud2", &[0x0f, 0x0b], Prefixes::None),
    ("int3", &[0xcc], Prefixes::None),
    ("pause", &[0xf3, 0x90], Prefixes::None),
    ("lfence", &[0x0f, 0xae, 0xe8], Prefixes::None),
    ("mfence", &[0x0f, 0xae, 0xf0], Prefixes::None),
    ("sfence", &[0x0f, 0xae, 0xf8], Prefixes::None),
    ("rdtsc", &[0x0f, 0x31], Prefixes::None),
    ("cmc", &[0xf5], Prefixes::None),
    ("clc", &[0xf8], Prefixes::None),
    ("stc", &[0xf9], Prefixes::None),
    ("cld", &[0xfc], Prefixes::None),
    ("ret", &[0xc3], Prefixes::None),
];

/// `[(code, [operands])]` as forms.
macro_rules! forms {
    ($($code:ident [$($op:expr),*] $($shape:ident)?;)*) => {
        vec![$(form!($code [$($op),*] $($shape)?)),*]
    };
}
macro_rules! form {
    ($code:ident [$($op:expr),*]) => { Form::new(Code::$code, ops(&[$($op),*])) };
    ($code:ident [$($op:expr),*] $shape:ident) => {
        Form { shape: Shape::$shape, ..Form::new(Code::$code, ops(&[$($op),*])) }
    };
}

const fn ops(list: &[Props]) -> [Props; 3] {
    let mut all = [0; 3];
    let mut i = 0;
    while i < list.len() {
        all[i] = list[i];
        i += 1;
    }
    all
}

mod integer;
mod vector;

macro_rules! by_condition {
    ($($name:ident)*) => { [$(Code::$name),*] };
}

/// `setcc r/m8` in hardware order of the conditions.
const SETCC: [Code; 16] = by_condition! {
    Seto_rm8 Setno_rm8 Setb_rm8 Setae_rm8 Sete_rm8 Setne_rm8 Setbe_rm8 Seta_rm8
    Sets_rm8 Setns_rm8 Setp_rm8 Setnp_rm8 Setl_rm8 Setge_rm8 Setle_rm8 Setg_rm8
};
const CMOV16: [Code; 16] = by_condition! {
    Cmovo_r16_rm16 Cmovno_r16_rm16 Cmovb_r16_rm16 Cmovae_r16_rm16
    Cmove_r16_rm16 Cmovne_r16_rm16 Cmovbe_r16_rm16 Cmova_r16_rm16
    Cmovs_r16_rm16 Cmovns_r16_rm16 Cmovp_r16_rm16 Cmovnp_r16_rm16
    Cmovl_r16_rm16 Cmovge_r16_rm16 Cmovle_r16_rm16 Cmovg_r16_rm16
};
const CMOV32: [Code; 16] = by_condition! {
    Cmovo_r32_rm32 Cmovno_r32_rm32 Cmovb_r32_rm32 Cmovae_r32_rm32
    Cmove_r32_rm32 Cmovne_r32_rm32 Cmovbe_r32_rm32 Cmova_r32_rm32
    Cmovs_r32_rm32 Cmovns_r32_rm32 Cmovp_r32_rm32 Cmovnp_r32_rm32
    Cmovl_r32_rm32 Cmovge_r32_rm32 Cmovle_r32_rm32 Cmovg_r32_rm32
};
const CMOV64: [Code; 16] = by_condition! {
    Cmovo_r64_rm64 Cmovno_r64_rm64 Cmovb_r64_rm64 Cmovae_r64_rm64
    Cmove_r64_rm64 Cmovne_r64_rm64 Cmovbe_r64_rm64 Cmova_r64_rm64
    Cmovs_r64_rm64 Cmovns_r64_rm64 Cmovp_r64_rm64 Cmovnp_r64_rm64
    Cmovl_r64_rm64 Cmovge_r64_rm64 Cmovle_r64_rm64 Cmovg_r64_rm64
};

type Table = HashMap<String, Row>;

fn table(arch: Arch) -> &'static Table {
    static AMD64: LazyLock<Table> = LazyLock::new(|| build(Arch::Amd64));
    static IA32: LazyLock<Table> = LazyLock::new(|| build(Arch::Ia32));
    match arch {
        Arch::Amd64 => &AMD64,
        Arch::Ia32 => &IA32,
    }
}

/// The forms that exist in the architecture: both share one list.
fn existing(arch: Arch, mut forms: Vec<Form>) -> Vec<Form> {
    forms.retain(|f| match arch {
        Arch::Amd64 => f.code.op_code().mode64(),
        Arch::Ia32 => f.code.op_code().mode32() && f.shape != Shape::Narrowed,
    });
    forms
}

/// Whether an instruction without operands exists only in the other architecture.
fn foreign(arch: Arch, name: &str, bytes: &[u8]) -> bool {
    match arch {
        Arch::Amd64 => name == "endbr32",
        // A REX prefix; in the other mode it is an instruction.
        Arch::Ia32 => name == "endbr64" || bytes[0] == 0x48,
    }
}

fn build(arch: Arch) -> Table {
    let mut table = HashMap::new();
    let mut add = |name: &str, entry: Entry, prefixes: Prefixes| {
        let entry = match entry {
            Entry::Forms(forms) => Entry::Forms(existing(arch, forms)),
            Entry::Jmp(forms) => Entry::Jmp(existing(arch, forms)),
            Entry::Call(forms) => Entry::Call(existing(arch, forms)),
            other => other,
        };
        if matches!(&entry, Entry::Forms(forms) if forms.is_empty()) {
            return;
        }
        let old = table.insert(name.to_string(), Row { entry, prefixes });
        debug_assert!(old.is_none(), "`{name}` twice");
    };
    for (name, bytes, prefixes) in FIXED {
        // Those that also have a form with operands come with it.
        if !matches!(name, "ret" | "nop") && !foreign(arch, name, bytes) {
            add(name, Entry::Fixed(bytes), prefixes);
        }
    }
    for (suffix, cond) in CONDITIONS {
        let i = cond as usize;
        add(&format!("j{suffix}"), Entry::Jcc(cond), Prefixes::None);
        let set = vec![Form::new(SETCC[i], [RM8, 0, 0])];
        add(&format!("set{suffix}"), Entry::Forms(set), Prefixes::None);
        let cmov = vec![
            Form::new(CMOV64[i], [R64, RM64, 0]),
            Form::new(CMOV32[i], [R32, RM32, 0]),
            Form::new(CMOV16[i], [R16, RM16, 0]),
        ];
        add(&format!("cmov{suffix}"), Entry::Forms(cmov), Prefixes::None);
    }
    add("jmp", Entry::Jmp(forms! { Jmp_rm64 [RM64]; Jmp_rm32 [RM32]; }), Prefixes::None);
    add("call", Entry::Call(forms! { Call_rm64 [RM64]; Call_rm32 [RM32]; }), Prefixes::None);
    let counter = if arch == Arch::Amd64 { "jrcxz" } else { "jecxz" };
    add(counter, Entry::Jcxz, Prefixes::None);
    for (name, forms, prefixes) in integer::rows() {
        add(name, Entry::Forms(forms), prefixes);
    }
    for (name, forms) in vector::rows() {
        add(name, Entry::Forms(forms), Prefixes::None);
    }
    table
}
