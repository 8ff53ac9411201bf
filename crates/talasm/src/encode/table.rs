//! The instructions that TAL source may use, by mnemonic, with their forms in order of preference:
//! shorter encodings first.
//!
//! Nothing here is trusted: what is emitted is decoded and judged by `talcore` like anybody's code.

use super::form::*;
use iced_x86::Code;
use std::collections::HashMap;
use std::sync::LazyLock;
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
    /// `jrcxz`.
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
pub(super) fn find(mnemonic: &str) -> Option<&'static Row> {
    TABLE.get(mnemonic)
}

/// All mnemonics, sorted.
pub(super) fn mnemonics() -> Vec<&'static str> {
    let mut names: Vec<&str> = TABLE.keys().map(String::as_str).collect();
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
const FIXED: [(&str, &[u8], Prefixes); 41] = [
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

macro_rules! arithmetic {
    ($rm64r:ident $rm32r:ident $rm16r:ident $rm8r:ident $r64m:ident $r32m:ident $r16m:ident $r8m:ident
     $i64s:ident $i32s:ident $i16s:ident $al:ident $eax:ident $rax:ident $ax:ident
     $i8:ident $i32:ident $i64:ident $i16:ident) => {
        forms! {
            $rm64r [RM64, R64]; $rm32r [RM32, R32]; $rm8r [RM8, R8]; $rm16r [RM16, R16];
            $r64m [R64, M64]; $r32m [R32, M32]; $r8m [R8, M8]; $r16m [R16, M16];
            $i64s [RM64, S64]; $i32s [RM32, S32]; $al [AL, I8]; $i8 [RM8, I8]; $i16s [RM16, S16];
            $eax [EAX, I32]; $rax [RAX, X32]; $ax [AX, I16];
            $i32 [RM32, I32]; $i64 [RM64, X32]; $i16 [RM16, I16];
        }
    };
}

macro_rules! unary {
    ($rm8:ident $rm16:ident $rm32:ident $rm64:ident) => {
        forms! { $rm64 [RM64]; $rm32 [RM32]; $rm8 [RM8]; $rm16 [RM16]; }
    };
}

macro_rules! shift {
    ($o8:ident $o16:ident $o32:ident $o64:ident $c8:ident $c16:ident $c32:ident $c64:ident
     $i8:ident $i16:ident $i32:ident $i64:ident) => {
        forms! {
            $o64 [RM64, ONE]; $o32 [RM32, ONE]; $o8 [RM8, ONE]; $o16 [RM16, ONE];
            $i64 [RM64, U8]; $i32 [RM32, U8]; $i8 [RM8, U8]; $i16 [RM16, U8];
            $c64 [RM64, CL]; $c32 [RM32, CL]; $c8 [RM8, CL]; $c16 [RM16, CL];
        }
    };
}

macro_rules! reg_rm {
    ($r16:ident $r32:ident $r64:ident) => {
        forms! { $r64 [R64, RM64]; $r32 [R32, RM32]; $r16 [R16, RM16]; }
    };
}

macro_rules! rm_reg {
    ($r8:ident $r16:ident $r32:ident $r64:ident) => {
        forms! { $r64 [RM64, R64]; $r32 [RM32, R32]; $r8 [RM8, R8]; $r16 [RM16, R16]; }
    };
}

macro_rules! bit_test {
    ($r16:ident $r32:ident $r64:ident $i16:ident $i32:ident $i64:ident) => {
        // Registers only: with a register offset, a memory operand reaches anywhere.
        forms! {
            $r64 [R64, R64]; $r32 [R32, R32]; $r16 [R16, R16];
            $i64 [R64, U8]; $i32 [R32, U8]; $i16 [R16, U8];
        }
    };
}

macro_rules! double_shift {
    ($i16:ident $i32:ident $i64:ident $c16:ident $c32:ident $c64:ident) => {
        forms! {
            $i64 [RM64, R64, U8]; $i32 [RM32, R32, U8]; $i16 [RM16, R16, U8];
            $c64 [RM64, R64, CL]; $c32 [RM32, R32, CL]; $c16 [RM16, R16, CL];
        }
    };
}

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

/// SSE2 instructions on raw data of the form `op xmm, xmm/m128`.
const VECTOR: &[(&str, Code)] = &[
    ("paddb", Code::Paddb_xmm_xmmm128),
    ("paddw", Code::Paddw_xmm_xmmm128),
    ("paddd", Code::Paddd_xmm_xmmm128),
    ("paddq", Code::Paddq_xmm_xmmm128),
    ("paddsb", Code::Paddsb_xmm_xmmm128),
    ("paddsw", Code::Paddsw_xmm_xmmm128),
    ("paddusb", Code::Paddusb_xmm_xmmm128),
    ("paddusw", Code::Paddusw_xmm_xmmm128),
    ("psubb", Code::Psubb_xmm_xmmm128),
    ("psubw", Code::Psubw_xmm_xmmm128),
    ("psubd", Code::Psubd_xmm_xmmm128),
    ("psubq", Code::Psubq_xmm_xmmm128),
    ("psubsb", Code::Psubsb_xmm_xmmm128),
    ("psubsw", Code::Psubsw_xmm_xmmm128),
    ("psubusb", Code::Psubusb_xmm_xmmm128),
    ("psubusw", Code::Psubusw_xmm_xmmm128),
    ("pmullw", Code::Pmullw_xmm_xmmm128),
    ("pmulhw", Code::Pmulhw_xmm_xmmm128),
    ("pmulhuw", Code::Pmulhuw_xmm_xmmm128),
    ("pmuludq", Code::Pmuludq_xmm_xmmm128),
    ("pmaddwd", Code::Pmaddwd_xmm_xmmm128),
    ("pand", Code::Pand_xmm_xmmm128),
    ("pandn", Code::Pandn_xmm_xmmm128),
    ("por", Code::Por_xmm_xmmm128),
    ("pxor", Code::Pxor_xmm_xmmm128),
    ("pcmpeqb", Code::Pcmpeqb_xmm_xmmm128),
    ("pcmpeqw", Code::Pcmpeqw_xmm_xmmm128),
    ("pcmpeqd", Code::Pcmpeqd_xmm_xmmm128),
    ("pcmpgtb", Code::Pcmpgtb_xmm_xmmm128),
    ("pcmpgtw", Code::Pcmpgtw_xmm_xmmm128),
    ("pcmpgtd", Code::Pcmpgtd_xmm_xmmm128),
    ("pavgb", Code::Pavgb_xmm_xmmm128),
    ("pavgw", Code::Pavgw_xmm_xmmm128),
    ("pminub", Code::Pminub_xmm_xmmm128),
    ("pmaxub", Code::Pmaxub_xmm_xmmm128),
    ("pminsw", Code::Pminsw_xmm_xmmm128),
    ("pmaxsw", Code::Pmaxsw_xmm_xmmm128),
    ("psadbw", Code::Psadbw_xmm_xmmm128),
    ("punpcklbw", Code::Punpcklbw_xmm_xmmm128),
    ("punpcklwd", Code::Punpcklwd_xmm_xmmm128),
    ("punpckldq", Code::Punpckldq_xmm_xmmm128),
    ("punpcklqdq", Code::Punpcklqdq_xmm_xmmm128),
    ("punpckhbw", Code::Punpckhbw_xmm_xmmm128),
    ("punpckhwd", Code::Punpckhwd_xmm_xmmm128),
    ("punpckhdq", Code::Punpckhdq_xmm_xmmm128),
    ("punpckhqdq", Code::Punpckhqdq_xmm_xmmm128),
    ("packsswb", Code::Packsswb_xmm_xmmm128),
    ("packssdw", Code::Packssdw_xmm_xmmm128),
    ("packuswb", Code::Packuswb_xmm_xmmm128),
];

/// SSE2 moves of 16 bytes: load or copy, and store.
const VECTOR_MOVES: &[(&str, Code, Code)] = &[
    ("movdqa", Code::Movdqa_xmm_xmmm128, Code::Movdqa_xmmm128_xmm),
    ("movdqu", Code::Movdqu_xmm_xmmm128, Code::Movdqu_xmmm128_xmm),
    ("movaps", Code::Movaps_xmm_xmmm128, Code::Movaps_xmmm128_xmm),
    ("movups", Code::Movups_xmm_xmmm128, Code::Movups_xmmm128_xmm),
    ("movapd", Code::Movapd_xmm_xmmm128, Code::Movapd_xmmm128_xmm),
    ("movupd", Code::Movupd_xmm_xmmm128, Code::Movupd_xmmm128_xmm),
];

/// Vector shifts: by a vector, and by a constant.
const VECTOR_SHIFTS: &[(&str, Code, Code)] = &[
    ("psllw", Code::Psllw_xmm_xmmm128, Code::Psllw_xmm_imm8),
    ("pslld", Code::Pslld_xmm_xmmm128, Code::Pslld_xmm_imm8),
    ("psllq", Code::Psllq_xmm_xmmm128, Code::Psllq_xmm_imm8),
    ("psrlw", Code::Psrlw_xmm_xmmm128, Code::Psrlw_xmm_imm8),
    ("psrld", Code::Psrld_xmm_xmmm128, Code::Psrld_xmm_imm8),
    ("psrlq", Code::Psrlq_xmm_xmmm128, Code::Psrlq_xmm_imm8),
    ("psraw", Code::Psraw_xmm_xmmm128, Code::Psraw_xmm_imm8),
    ("psrad", Code::Psrad_xmm_xmmm128, Code::Psrad_xmm_imm8),
];

static TABLE: LazyLock<HashMap<String, Row>> = LazyLock::new(build);

fn build() -> HashMap<String, Row> {
    let mut table = HashMap::new();
    let mut add = |name: &str, entry: Entry, prefixes: Prefixes| {
        let old = table.insert(name.to_string(), Row { entry, prefixes });
        debug_assert!(old.is_none(), "`{name}` twice");
    };
    for (name, bytes, prefixes) in FIXED {
        // Those that also have a form with operands come with it.
        if !matches!(name, "ret" | "nop") {
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
    add("jmp", Entry::Jmp(forms! { Jmp_rm64 [RM64]; }), Prefixes::None);
    add("call", Entry::Call(forms! { Call_rm64 [RM64]; }), Prefixes::None);
    add("jrcxz", Entry::Jcxz, Prefixes::None);
    for (name, forms, prefixes) in integer() {
        add(name, Entry::Forms(forms), prefixes);
    }
    for (name, forms) in vector() {
        add(name, Entry::Forms(forms), Prefixes::None);
    }
    table
}

fn integer() -> Vec<(&'static str, Vec<Form>, Prefixes)> {
    use Prefixes::{Lock, None};
    vec![
        ("mov", moves(), None),
        ("lea", forms! { Lea_r64_m [R64, ANY]; Lea_r32_m [R32, ANY]; Lea_r16_m [R16, ANY]; }, None),
        (
            "movzx",
            forms! {
                Movzx_r32_rm8 [R32, RM8]; Movzx_r64_rm8 [R64, RM8]; Movzx_r16_rm8 [R16, RM8];
                Movzx_r32_rm16 [R32, RM16]; Movzx_r64_rm16 [R64, RM16];
            },
            None,
        ),
        (
            "movsx",
            forms! {
                Movsx_r32_rm8 [R32, RM8]; Movsx_r64_rm8 [R64, RM8]; Movsx_r16_rm8 [R16, RM8];
                Movsx_r32_rm16 [R32, RM16]; Movsx_r64_rm16 [R64, RM16]; Movsxd_r64_rm32 [R64, RM32];
            },
            None,
        ),
        ("movsxd", forms! { Movsxd_r64_rm32 [R64, RM32]; }, None),
        ("xchg", exchanges(), Lock),
        ("push", forms! { Push_r64 [R64]; Push_rm64 [M64]; Pushq_imm8 [S64]; Pushq_imm32 [X32]; }, None),
        ("pop", forms! { Pop_r64 [R64]; Pop_rm64 [M64]; }, None),
        (
            "add",
            arithmetic! { Add_rm64_r64 Add_rm32_r32 Add_rm16_r16 Add_rm8_r8
            Add_r64_rm64 Add_r32_rm32 Add_r16_rm16 Add_r8_rm8 Add_rm64_imm8 Add_rm32_imm8 Add_rm16_imm8
            Add_AL_imm8 Add_EAX_imm32 Add_RAX_imm32 Add_AX_imm16
            Add_rm8_imm8 Add_rm32_imm32 Add_rm64_imm32 Add_rm16_imm16 },
            Lock,
        ),
        (
            "adc",
            arithmetic! { Adc_rm64_r64 Adc_rm32_r32 Adc_rm16_r16 Adc_rm8_r8
            Adc_r64_rm64 Adc_r32_rm32 Adc_r16_rm16 Adc_r8_rm8 Adc_rm64_imm8 Adc_rm32_imm8 Adc_rm16_imm8
            Adc_AL_imm8 Adc_EAX_imm32 Adc_RAX_imm32 Adc_AX_imm16
            Adc_rm8_imm8 Adc_rm32_imm32 Adc_rm64_imm32 Adc_rm16_imm16 },
            Lock,
        ),
        (
            "sub",
            arithmetic! { Sub_rm64_r64 Sub_rm32_r32 Sub_rm16_r16 Sub_rm8_r8
            Sub_r64_rm64 Sub_r32_rm32 Sub_r16_rm16 Sub_r8_rm8 Sub_rm64_imm8 Sub_rm32_imm8 Sub_rm16_imm8
            Sub_AL_imm8 Sub_EAX_imm32 Sub_RAX_imm32 Sub_AX_imm16
            Sub_rm8_imm8 Sub_rm32_imm32 Sub_rm64_imm32 Sub_rm16_imm16 },
            Lock,
        ),
        (
            "sbb",
            arithmetic! { Sbb_rm64_r64 Sbb_rm32_r32 Sbb_rm16_r16 Sbb_rm8_r8
            Sbb_r64_rm64 Sbb_r32_rm32 Sbb_r16_rm16 Sbb_r8_rm8 Sbb_rm64_imm8 Sbb_rm32_imm8 Sbb_rm16_imm8
            Sbb_AL_imm8 Sbb_EAX_imm32 Sbb_RAX_imm32 Sbb_AX_imm16
            Sbb_rm8_imm8 Sbb_rm32_imm32 Sbb_rm64_imm32 Sbb_rm16_imm16 },
            Lock,
        ),
        (
            "and",
            arithmetic! { And_rm64_r64 And_rm32_r32 And_rm16_r16 And_rm8_r8
            And_r64_rm64 And_r32_rm32 And_r16_rm16 And_r8_rm8 And_rm64_imm8 And_rm32_imm8 And_rm16_imm8
            And_AL_imm8 And_EAX_imm32 And_RAX_imm32 And_AX_imm16
            And_rm8_imm8 And_rm32_imm32 And_rm64_imm32 And_rm16_imm16 },
            Lock,
        ),
        (
            "or",
            arithmetic! { Or_rm64_r64 Or_rm32_r32 Or_rm16_r16 Or_rm8_r8
            Or_r64_rm64 Or_r32_rm32 Or_r16_rm16 Or_r8_rm8 Or_rm64_imm8 Or_rm32_imm8 Or_rm16_imm8
            Or_AL_imm8 Or_EAX_imm32 Or_RAX_imm32 Or_AX_imm16
            Or_rm8_imm8 Or_rm32_imm32 Or_rm64_imm32 Or_rm16_imm16 },
            Lock,
        ),
        (
            "xor",
            arithmetic! { Xor_rm64_r64 Xor_rm32_r32 Xor_rm16_r16 Xor_rm8_r8
            Xor_r64_rm64 Xor_r32_rm32 Xor_r16_rm16 Xor_r8_rm8 Xor_rm64_imm8 Xor_rm32_imm8 Xor_rm16_imm8
            Xor_AL_imm8 Xor_EAX_imm32 Xor_RAX_imm32 Xor_AX_imm16
            Xor_rm8_imm8 Xor_rm32_imm32 Xor_rm64_imm32 Xor_rm16_imm16 },
            Lock,
        ),
        (
            "cmp",
            arithmetic! { Cmp_rm64_r64 Cmp_rm32_r32 Cmp_rm16_r16 Cmp_rm8_r8
            Cmp_r64_rm64 Cmp_r32_rm32 Cmp_r16_rm16 Cmp_r8_rm8 Cmp_rm64_imm8 Cmp_rm32_imm8 Cmp_rm16_imm8
            Cmp_AL_imm8 Cmp_EAX_imm32 Cmp_RAX_imm32 Cmp_AX_imm16
            Cmp_rm8_imm8 Cmp_rm32_imm32 Cmp_rm64_imm32 Cmp_rm16_imm16 },
            None,
        ),
        ("test", tests(), None),
        ("inc", unary! { Inc_rm8 Inc_rm16 Inc_rm32 Inc_rm64 }, Lock),
        ("dec", unary! { Dec_rm8 Dec_rm16 Dec_rm32 Dec_rm64 }, Lock),
        ("neg", unary! { Neg_rm8 Neg_rm16 Neg_rm32 Neg_rm64 }, Lock),
        ("not", unary! { Not_rm8 Not_rm16 Not_rm32 Not_rm64 }, Lock),
        ("mul", unary! { Mul_rm8 Mul_rm16 Mul_rm32 Mul_rm64 }, None),
        ("div", unary! { Div_rm8 Div_rm16 Div_rm32 Div_rm64 }, None),
        ("idiv", unary! { Idiv_rm8 Idiv_rm16 Idiv_rm32 Idiv_rm64 }, None),
        ("imul", multiplications(), None),
        (
            "shl",
            shift! { Shl_rm8_1 Shl_rm16_1 Shl_rm32_1 Shl_rm64_1 Shl_rm8_CL Shl_rm16_CL Shl_rm32_CL Shl_rm64_CL
            Shl_rm8_imm8 Shl_rm16_imm8 Shl_rm32_imm8 Shl_rm64_imm8 },
            None,
        ),
        (
            "sal",
            shift! { Shl_rm8_1 Shl_rm16_1 Shl_rm32_1 Shl_rm64_1 Shl_rm8_CL Shl_rm16_CL Shl_rm32_CL Shl_rm64_CL
            Shl_rm8_imm8 Shl_rm16_imm8 Shl_rm32_imm8 Shl_rm64_imm8 },
            None,
        ),
        (
            "shr",
            shift! { Shr_rm8_1 Shr_rm16_1 Shr_rm32_1 Shr_rm64_1 Shr_rm8_CL Shr_rm16_CL Shr_rm32_CL Shr_rm64_CL
            Shr_rm8_imm8 Shr_rm16_imm8 Shr_rm32_imm8 Shr_rm64_imm8 },
            None,
        ),
        (
            "sar",
            shift! { Sar_rm8_1 Sar_rm16_1 Sar_rm32_1 Sar_rm64_1 Sar_rm8_CL Sar_rm16_CL Sar_rm32_CL Sar_rm64_CL
            Sar_rm8_imm8 Sar_rm16_imm8 Sar_rm32_imm8 Sar_rm64_imm8 },
            None,
        ),
        (
            "rol",
            shift! { Rol_rm8_1 Rol_rm16_1 Rol_rm32_1 Rol_rm64_1 Rol_rm8_CL Rol_rm16_CL Rol_rm32_CL Rol_rm64_CL
            Rol_rm8_imm8 Rol_rm16_imm8 Rol_rm32_imm8 Rol_rm64_imm8 },
            None,
        ),
        (
            "ror",
            shift! { Ror_rm8_1 Ror_rm16_1 Ror_rm32_1 Ror_rm64_1 Ror_rm8_CL Ror_rm16_CL Ror_rm32_CL Ror_rm64_CL
            Ror_rm8_imm8 Ror_rm16_imm8 Ror_rm32_imm8 Ror_rm64_imm8 },
            None,
        ),
        (
            "rcl",
            shift! { Rcl_rm8_1 Rcl_rm16_1 Rcl_rm32_1 Rcl_rm64_1 Rcl_rm8_CL Rcl_rm16_CL Rcl_rm32_CL Rcl_rm64_CL
            Rcl_rm8_imm8 Rcl_rm16_imm8 Rcl_rm32_imm8 Rcl_rm64_imm8 },
            None,
        ),
        (
            "rcr",
            shift! { Rcr_rm8_1 Rcr_rm16_1 Rcr_rm32_1 Rcr_rm64_1 Rcr_rm8_CL Rcr_rm16_CL Rcr_rm32_CL Rcr_rm64_CL
            Rcr_rm8_imm8 Rcr_rm16_imm8 Rcr_rm32_imm8 Rcr_rm64_imm8 },
            None,
        ),
        (
            "shld",
            double_shift! { Shld_rm16_r16_imm8 Shld_rm32_r32_imm8 Shld_rm64_r64_imm8
            Shld_rm16_r16_CL Shld_rm32_r32_CL Shld_rm64_r64_CL },
            None,
        ),
        (
            "shrd",
            double_shift! { Shrd_rm16_r16_imm8 Shrd_rm32_r32_imm8 Shrd_rm64_r64_imm8
            Shrd_rm16_r16_CL Shrd_rm32_r32_CL Shrd_rm64_r64_CL },
            None,
        ),
        (
            "bt",
            bit_test! { Bt_rm16_r16 Bt_rm32_r32 Bt_rm64_r64 Bt_rm16_imm8 Bt_rm32_imm8 Bt_rm64_imm8 },
            None,
        ),
        (
            "bts",
            bit_test! { Bts_rm16_r16 Bts_rm32_r32 Bts_rm64_r64 Bts_rm16_imm8 Bts_rm32_imm8 Bts_rm64_imm8 },
            None,
        ),
        (
            "btr",
            bit_test! { Btr_rm16_r16 Btr_rm32_r32 Btr_rm64_r64 Btr_rm16_imm8 Btr_rm32_imm8 Btr_rm64_imm8 },
            None,
        ),
        (
            "btc",
            bit_test! { Btc_rm16_r16 Btc_rm32_r32 Btc_rm64_r64 Btc_rm16_imm8 Btc_rm32_imm8 Btc_rm64_imm8 },
            None,
        ),
        ("bsf", reg_rm! { Bsf_r16_rm16 Bsf_r32_rm32 Bsf_r64_rm64 }, None),
        ("bsr", reg_rm! { Bsr_r16_rm16 Bsr_r32_rm32 Bsr_r64_rm64 }, None),
        ("popcnt", reg_rm! { Popcnt_r16_rm16 Popcnt_r32_rm32 Popcnt_r64_rm64 }, None),
        ("bswap", forms! { Bswap_r64 [R64]; Bswap_r32 [R32]; }, None),
        ("cmpxchg", rm_reg! { Cmpxchg_rm8_r8 Cmpxchg_rm16_r16 Cmpxchg_rm32_r32 Cmpxchg_rm64_r64 }, Lock),
        ("xadd", rm_reg! { Xadd_rm8_r8 Xadd_rm16_r16 Xadd_rm32_r32 Xadd_rm64_r64 }, Lock),
        ("ret", forms! { Retnq []; Retnq_imm16 [U16]; }, None),
        ("nop", forms! { Nopd []; }, None),
    ]
}

fn moves() -> Vec<Form> {
    forms! {
        Mov_rm64_r64 [RM64, R64]; Mov_rm32_r32 [RM32, R32]; Mov_rm8_r8 [RM8, R8]; Mov_rm16_r16 [RM16, R16];
        Mov_r64_rm64 [R64, M64]; Mov_r32_rm32 [R32, M32]; Mov_r8_rm8 [R8, M8]; Mov_r16_rm16 [R16, M16];
        Mov_r32_imm32 [R32, I32];
        Mov_r32_imm32 [R64, Z32] Narrowed; Mov_rm64_imm32 [RM64, X32]; Mov_r64_imm64 [R64, I64];
        Mov_r8_imm8 [R8, I8]; Mov_r16_imm16 [R16, I16];
        Mov_rm32_imm32 [M32, I32]; Mov_rm8_imm8 [M8, I8]; Mov_rm16_imm16 [M16, I16];
    }
}

fn exchanges() -> Vec<Form> {
    forms! {
        Xchg_r64_RAX [R64, RAX]; Xchg_r32_EAX [R32, EAX]; Xchg_r16_AX [R16, AX];
        Xchg_r64_RAX [RAX, R64] Swapped; Xchg_r32_EAX [EAX, R32] Swapped; Xchg_r16_AX [AX, R16] Swapped;
        Xchg_rm64_r64 [RM64, R64]; Xchg_rm32_r32 [RM32, R32]; Xchg_rm8_r8 [RM8, R8]; Xchg_rm16_r16 [RM16, R16];
        Xchg_rm64_r64 [R64, M64] Swapped; Xchg_rm32_r32 [R32, M32] Swapped;
        Xchg_rm8_r8 [R8, M8] Swapped; Xchg_rm16_r16 [R16, M16] Swapped;
    }
}

fn tests() -> Vec<Form> {
    forms! {
        Test_rm64_r64 [RM64, R64]; Test_rm32_r32 [RM32, R32]; Test_rm8_r8 [RM8, R8]; Test_rm16_r16 [RM16, R16];
        Test_rm64_r64 [R64, M64] Swapped; Test_rm32_r32 [R32, M32] Swapped;
        Test_rm8_r8 [R8, M8] Swapped; Test_rm16_r16 [R16, M16] Swapped;
        Test_AL_imm8 [AL, I8]; Test_EAX_imm32 [EAX, I32]; Test_RAX_imm32 [RAX, X32]; Test_AX_imm16 [AX, I16];
        Test_rm8_imm8 [RM8, I8]; Test_rm32_imm32 [RM32, I32]; Test_rm64_imm32 [RM64, X32]; Test_rm16_imm16 [RM16, I16];
    }
}

fn multiplications() -> Vec<Form> {
    forms! {
        Imul_r64_rm64 [R64, RM64]; Imul_r32_rm32 [R32, RM32]; Imul_r16_rm16 [R16, RM16];
        Imul_r64_rm64_imm8 [R64, RM64, S64]; Imul_r32_rm32_imm8 [R32, RM32, S32]; Imul_r16_rm16_imm8 [R16, RM16, S16];
        Imul_r64_rm64_imm32 [R64, RM64, X32]; Imul_r32_rm32_imm32 [R32, RM32, I32]; Imul_r16_rm16_imm16 [R16, RM16, I16];
        Imul_r64_rm64_imm8 [R64, S64] Doubled; Imul_r32_rm32_imm8 [R32, S32] Doubled; Imul_r16_rm16_imm8 [R16, S16] Doubled;
        Imul_r64_rm64_imm32 [R64, X32] Doubled; Imul_r32_rm32_imm32 [R32, I32] Doubled; Imul_r16_rm16_imm16 [R16, I16] Doubled;
        Imul_rm64 [RM64]; Imul_rm32 [RM32]; Imul_rm8 [RM8]; Imul_rm16 [RM16];
    }
}

fn vector() -> Vec<(&'static str, Vec<Form>)> {
    let mut all: Vec<(&str, Vec<Form>)> = Vec::new();
    for &(name, code) in VECTOR {
        all.push((name, vec![Form::new(code, [XMM, XM, 0])]));
    }
    for &(name, load, store) in VECTOR_MOVES {
        all.push((name, vec![Form::new(load, [XMM, XM, 0]), Form::new(store, [M128, XMM, 0])]));
    }
    for &(name, by_vector, by_constant) in VECTOR_SHIFTS {
        all.push((name, vec![Form::new(by_constant, [XMM, U8, 0]), Form::new(by_vector, [XMM, XM, 0])]));
    }
    all.extend([
        ("pslldq", forms! { Pslldq_xmm_imm8 [XMM, U8]; }),
        ("psrldq", forms! { Psrldq_xmm_imm8 [XMM, U8]; }),
        ("pshufd", forms! { Pshufd_xmm_xmmm128_imm8 [XMM, XM, U8]; }),
        ("pshuflw", forms! { Pshuflw_xmm_xmmm128_imm8 [XMM, XM, U8]; }),
        ("pshufhw", forms! { Pshufhw_xmm_xmmm128_imm8 [XMM, XM, U8]; }),
        ("pmovmskb", forms! { Pmovmskb_r32_xmm [R32, XMM]; }),
        ("movd", forms! { Movd_xmm_rm32 [XMM, RM32]; Movd_rm32_xmm [RM32, XMM]; }),
        (
            "movq",
            forms! {
                Movq_xmm_xmmm64 [XMM, XMM | M64]; Movq_xmmm64_xmm [M64, XMM];
                Movq_xmm_rm64 [XMM, R64]; Movq_rm64_xmm [R64, XMM];
            },
        ),
    ]);
    all
}
