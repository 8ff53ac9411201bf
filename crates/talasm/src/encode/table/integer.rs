//! Instructions on general registers and memory.

use super::super::form::*;
use super::{Prefixes, ops};
use iced_x86::Code;

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

/// Mnemonics with their forms and prefixes.
pub(super) fn rows() -> Vec<(&'static str, Vec<Form>, Prefixes)> {
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
        (
            "push",
            forms! {
                Push_r64 [R64]; Push_rm64 [M64]; Pushq_imm8 [S64]; Pushq_imm32 [X32];
                Push_r32 [R32]; Push_rm32 [M32]; Pushd_imm8 [S32]; Pushd_imm32 [I32];
            },
            None,
        ),
        ("pop", forms! { Pop_r64 [R64]; Pop_rm64 [M64]; Pop_r32 [R32]; Pop_rm32 [M32]; }, None),
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
        (
            "inc",
            forms! { Inc_r32 [R32]; Inc_r16 [R16]; Inc_rm64 [RM64]; Inc_rm32 [RM32]; Inc_rm8 [RM8]; Inc_rm16 [RM16]; },
            Lock,
        ),
        (
            "dec",
            forms! { Dec_r32 [R32]; Dec_r16 [R16]; Dec_rm64 [RM64]; Dec_rm32 [RM32]; Dec_rm8 [RM8]; Dec_rm16 [RM16]; },
            Lock,
        ),
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
        ("ret", forms! { Retnq []; Retnq_imm16 [U16]; Retnd []; Retnd_imm16 [U16]; }, None),
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
