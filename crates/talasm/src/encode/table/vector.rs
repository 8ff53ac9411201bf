//! SSE2 instructions on raw data.

use super::super::form::*;
use super::ops;
use iced_x86::Code;

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

/// Mnemonics with their forms.
pub(super) fn rows() -> Vec<(&'static str, Vec<Form>)> {
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
