//! Branches, relocations, data and the provisional image.

use super::build::*;
use crate::encode::image::layout_provisional;
use crate::encode::{Encoded, RelocKind, Target, encode};
use crate::ir::*;
use iced_x86::{Code, Decoder, DecoderOptions, Instruction};
use talnote::write::SectionKind;

fn encoded(m: &Module) -> Encoded {
    encode(m).unwrap_or_else(|problems| panic!("{}", problems[0].message))
}

fn label(n: u32) -> Item {
    Item::Label(LabelId(n))
}

fn nops(n: usize) -> impl Iterator<Item = Item> {
    std::iter::repeat_n(instr("nop", vec![]), n)
}

#[test]
fn branches_are_short_where_they_reach() {
    let mut body = vec![label(0), jump("je", 1), jump("jmp", 0)];
    body.extend(nops(124));
    body.push(label(1));
    body.push(jump("jrcxz", 1));
    body.extend(nops(124));
    body.push(jump("jne", 1));
    body.push(jump("jl", 0));
    let e = encoded(&module(vec![body]));
    let mut d = Decoder::with_ip(64, &e.text, 0, DecoderOptions::NONE);
    let branches: Vec<Instruction> = d.iter().filter(|i| i.code() != Code::Nopd).collect();
    let found: Vec<(Code, u64, u64)> =
        branches.iter().map(|b| (b.code(), b.ip(), b.near_branch_target())).collect();
    let f = &e.functions[0];
    assert_eq!(f.labels, [0, 128]);
    assert_eq!(
        found,
        [
            (Code::Je_rel8_64, 0, 128),
            (Code::Jmp_rel8_64, 2, 0),
            (Code::Jrcxz_rel8_64, 128, 128),
            (Code::Jne_rel8_64, 254, 128),
            (Code::Jl_rel32_64, 256, 0),
        ]
    );
    assert_eq!(f.size as usize, e.text.len());
    for i in &branches {
        let at = i.ip() as u32;
        let item = f.item_at(at).unwrap();
        assert!(matches!(&f.insns.iter().find(|x| x.offset == at), Some(x) if x.item == item));
    }
}

#[test]
fn one_byte_more_makes_a_long_branch() {
    for (n, length) in [(127, 2), (128, 6)] {
        let mut body = vec![jump("je", 0)];
        body.extend(nops(n));
        body.push(label(0));
        let e = encoded(&module(vec![body]));
        assert_eq!(e.text.len(), n + length);
    }
}

#[test]
fn places_are_relocated() {
    let mut m = module(vec![vec![], vec![instr("ret", vec![])]]);
    let import = import(&mut m, "strlen");
    let o = object(&mut m, Section::Rodata, vec![]);
    let z = object(&mut m, Section::Bss, vec![]);
    let local = m.functions[1].sym;
    let table_of =
        DataReloc { at: 0, target: DataTarget::Label { function: 0, label: LabelId(0) }, addend: 0 };
    object(&mut m, Section::Rodata, vec![table_of]);
    m.functions[0].labels = vec![(".0".into(), S)];
    m.functions[0].body = vec![
        instr("call", vec![Operand::Func(import, S)]),
        instr("call", vec![Operand::Func(local, S)]),
        instr("lea", vec![r64(7), mem_sym(o, None, 3)]),
        label(0),
        instr("mov", vec![r64(7), Operand::SymAddr(z, 1, S)]),
        instr(
            "movzx",
            vec![reg(0, 4), {
                let Operand::Mem(m) = mem_sym(z, Some((1, 1)), 2) else { unreachable!() };
                Operand::Mem(MemOp { size: Some(1), ..m })
            }],
        ),
        Item::Sys { name: "write".into(), number: 1, noreturn: false, span: S },
        instr("cmp", vec![mem_sym(z, None, 0), r64(1)]),
        instr(
            "cmp",
            vec![
                {
                    let Operand::Mem(m) = mem_sym(z, None, 0) else { unreachable!() };
                    Operand::Mem(MemOp { size: Some(4), ..m })
                },
                imm(0x1234_5678),
            ],
        ),
    ];
    let e = encoded(&m);
    let image = layout_provisional(&m, &e);
    let base = image.text_base();
    let text = &image.sections[image.section(SectionKind::Code).unwrap()].bytes;
    let code: Vec<Instruction> = Decoder::with_ip(64, text, base, DecoderOptions::NONE).iter().collect();
    assert_eq!(code[0].near_branch_target(), image.symbol(import));
    assert_eq!(code[1].near_branch_target(), base + u64::from(e.functions[1].start));
    assert_eq!((code[2].code(), code[2].ip_rel_memory_address()), (Code::Lea_r64_m, image.symbol(o) + 3));
    assert_eq!((code[3].code(), code[3].immediate(1)), (Code::Mov_r32_imm32, image.symbol(z) + 1));
    assert_eq!(code[4].memory_displacement64(), image.symbol(z) + 2);
    assert_eq!((code[5].code(), code[5].immediate(1)), (Code::Mov_r32_imm32, 1));
    assert_eq!((code[6].code(), code[6].ip_rel_memory_address()), (Code::Call_rm64, image.gate));
    assert_eq!(code[7].ip_rel_memory_address(), image.symbol(z));
    assert_eq!((code[8].ip_rel_memory_address(), code[8].immediate(1)), (image.symbol(z), 0x1234_5678));
    assert_eq!(e.functions[0].insns.len(), 9);

    let kinds: Vec<RelocKind> = e.relocs.iter().map(|r| r.kind).collect();
    use RelocKind::*;
    assert_eq!(kinds, [Plt32, Pc32, Abs32, Abs32S, Pc32, Pc32, Pc32], "the call of f1 needs none");
    let rodata = &image.sections[image.section(SectionKind::Rodata).unwrap()];
    let entry = u64::from_le_bytes(rodata.bytes[8..16].try_into().unwrap());
    assert_eq!(entry, code[3].ip());
    assert_eq!(e.data[0].relocs[0].target, Target::Text);
    assert!(image.sections.iter().all(|s| s.base % 4096 == 0 && s.base >= 65536));
    assert_eq!(image.words().len(), 3 + 1);
}

#[test]
fn functions_start_aligned_with_traps_between() {
    let e = encoded(&module(vec![vec![instr("ret", vec![])], vec![instr("ret", vec![])]]));
    assert_eq!((e.functions[1].start, e.text.len()), (16, 17));
    assert!(e.text[1..16].iter().all(|&b| b == 0xcc));
}

#[test]
fn a_large_function_with_many_branches_is_laid_out() {
    // 100 000 branches over blocks of varying size; a pass per grown branch would never end.
    let mut body = Vec::new();
    let n = 100_000;
    for i in 0..n {
        body.push(label(i));
        body.push(jump(if i % 3 == 0 { "jmp" } else { "jb" }, (i + 37 + i % 29).min(n - 1)));
        body.extend(nops((i % 5) as usize));
    }
    let e = encoded(&module(vec![body]));
    let f = &e.functions[0];
    assert!(f.labels.windows(2).all(|w| w[0] < w[1]));
    assert_eq!(f.size as usize, e.text.len());
}
