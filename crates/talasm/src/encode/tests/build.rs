//! Modules made by hand.

use crate::ir::*;

pub(super) const S: Span = Span { file: 0, start: 0, end: 0 };

pub(super) fn instr(mnemonic: &str, operands: Vec<Operand>) -> Item {
    let (prefix, mnemonic) = match mnemonic.split_once(' ') {
        Some(("lock", rest)) => (Some(Prefix::Lock), rest),
        Some(("rep" | "repe", rest)) => (Some(Prefix::Rep), rest),
        Some(("repne", rest)) => (Some(Prefix::Repne), rest),
        _ => (None, mnemonic),
    };
    Item::Instr(Instr { prefix, mnemonic: mnemonic.into(), operands, span: S })
}

pub(super) fn r64(n: u8) -> Operand {
    Operand::Reg(RegOp::Gpr(n, 8), S)
}

pub(super) fn reg(n: u8, bytes: u8) -> Operand {
    Operand::Reg(RegOp::Gpr(n, bytes), S)
}

pub(super) fn imm(v: i128) -> Operand {
    Operand::Imm(v, S)
}

pub(super) fn mem(size: Option<u8>, base: Option<u8>, index: Option<(u8, u8)>, disp: i64) -> Operand {
    Operand::Mem(MemOp { size, base, index, disp, sym: None, span: S })
}

pub(super) fn mem_sym(sym: SymId, index: Option<(u8, u8)>, disp: i64) -> Operand {
    Operand::Mem(MemOp { size: None, base: None, index, disp, sym: Some(sym), span: S })
}

pub(super) fn jump(mnemonic: &str, label: u32) -> Item {
    instr(mnemonic, vec![Operand::Label(LabelId(label), S)])
}

/// A module of functions with these bodies; labels are `.0`, `.1`, ...
pub(super) fn module(bodies: Vec<Vec<Item>>) -> Module {
    let mut m = Module { files: vec![("test.tal".into(), String::new())], ..Module::default() };
    for (i, body) in bodies.into_iter().enumerate() {
        let sym = SymId(m.symbols.len() as u32);
        let place = Place::Function(i as u32);
        m.symbols.push(Symbol { name: format!("f{i}"), global: i == 0, place, span: S });
        let count = body.iter().filter(|i| matches!(i, Item::Label(_))).count();
        let labels = (0..count).map(|l| (format!(".{l}"), S)).collect();
        m.functions.push(Function { sym, sig: 0, labels, body, span: S, var_names: vec![] });
    }
    m
}

/// Adds a data object of 8 zero bytes and answers its symbol.
pub(super) fn object(m: &mut Module, section: Section, relocs: Vec<DataReloc>) -> SymId {
    let sym = SymId(m.symbols.len() as u32);
    let place = Place::Object(m.objects.len() as u32);
    m.symbols.push(Symbol { name: format!("o{}", m.objects.len()), global: false, place, span: S });
    let bytes = if section == Section::Bss { vec![] } else { vec![0; 8] };
    m.objects.push(Object {
        sym,
        section,
        align: 8,
        size: 8,
        bytes,
        relocs,
        layout: 0,
        owned: false,
        table_of: None,
        span: S,
    });
    sym
}

/// Adds an imported function.
pub(super) fn import(m: &mut Module, name: &str) -> SymId {
    let sym = SymId(m.symbols.len() as u32);
    let place = Place::Import(m.imports.len() as u32);
    m.symbols.push(Symbol { name: name.into(), global: true, place, span: S });
    m.imports.push(Import { sym, kind: ImportKind::Function(0) });
    sym
}
