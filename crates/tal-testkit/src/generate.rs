//! Programs at random that mostly are well-typed.
//!
//! The generator keeps a rough account of what each register holds and writes statements that suit it: arithmetic,
//! tests, loops over arrays, fields of structs, lists that own their nodes, calls of what it has written before. It
//! need not be right: what `talasm` refuses is not run. Now and then it makes a mistake on purpose, of the kind that a
//! wrong rule would let through; then either the checker refuses the program or
//! [the interpreter](crate::interp) shows that the checker should have.

mod body;
mod values;

use body::Body;
use fastrand::Rng;
use std::fmt::Write;
use talcore::arch::Arch;
use values::{Field, Lay, Len, Mode, REGISTERS, Ty, Val};

/// A struct of the module, and what its fields are.
pub(crate) struct Struct {
    /// Name, and what lies there; offsets follow from the order.
    pub(crate) fields: Vec<Field>,
    /// In bytes, a multiple of a word.
    pub(crate) size: u32,
}

/// A static object.
pub(crate) struct Object {
    pub(crate) ty: Ty,
}

/// A function as others see it.
pub(crate) struct Function {
    /// How many index variables it has.
    pub(crate) vars: usize,
    /// Registers and types, in the order of the signature.
    pub(crate) params: Vec<(usize, Ty)>,
    /// What `rax` holds afterwards.
    pub(crate) result: Option<Ty>,
}

/// What the module declares.
pub(crate) struct Module {
    pub(crate) arch: Arch,
    /// Bytes in a word.
    pub(crate) word: u32,
    pub(crate) structs: Vec<Struct>,
    pub(crate) objects: Vec<Object>,
    pub(crate) functions: Vec<Function>,
}

/// The text of a module, for this architecture or for any. The same numbers give the same text.
#[must_use]
pub fn module(arch: Option<Arch>, rng: &mut Rng) -> String {
    let any = if rng.u8(..3) == 0 { Arch::Ia32 } else { Arch::Amd64 };
    let arch = arch.unwrap_or(any);
    let word = arch.word_bytes();
    let mut module = Module { arch, word, structs: Vec::new(), objects: Vec::new(), functions: Vec::new() };
    let mut text = String::new();
    for i in 0..rng.usize(1..4) {
        let one = structure(rng, word, i);
        declare(&mut text, i, &one);
        module.structs.push(one);
    }
    for i in 0..rng.usize(1..4) {
        let ty = object(rng, &module);
        let _ = writeln!(text, "bss o{i}: {}", ty.layout());
        module.objects.push(Object { ty });
    }
    for _ in 0..rng.usize(1..5) {
        let function = signature(rng, &module);
        text.push_str(&Body::write(rng, &module, &function));
        module.functions.push(function);
    }
    match arch {
        Arch::Amd64 => format!("arch amd64\n{text}"),
        Arch::Ia32 => format!("arch ia32\n{}", narrowed(&text)),
    }
}

/// The same text with the names that words have on IA-32.
fn narrowed(text: &str) -> String {
    let mut out = text.replace("qword", "dword");
    for (wide, narrow, ..) in &REGISTERS[..8] {
        out = out.replace(wide, narrow);
    }
    out
}

/// Fields of words first, so that all are aligned; then narrow numbers, filled up to a whole word.
fn structure(rng: &mut Rng, word: u32, index: usize) -> Struct {
    let mut fields = Vec::new();
    let mut at = 0;
    for _ in 0..rng.usize(1..5) {
        let field = match rng.u8(..8) {
            0 | 1 => Field::Word(Ty::Int),
            2 => Field::Word(Ty::Range(0, rng.i64(1..100))),
            3 => Field::Word(Ty::To(Mode::Ref, Lay::Struct(rng.usize(..=index)), true)),
            4 | 5 => Field::Word(Ty::To(Mode::Own, Lay::Struct(rng.usize(..=index)), true)),
            6 => Field::Word(Ty::To(Mode::Ref, Lay::Bytes(Len::Const(rng.u32(1..40))), false)),
            _ => Field::Words(rng.u32(1..5)),
        };
        at += field.size(word);
        fields.push(field);
    }
    if rng.bool() {
        let width = if word == 8 { [1, 2, 4][rng.usize(..3)] } else { [1, 2][rng.usize(..2)] };
        let high = rng.i64(0..1 << (8 * width - 1));
        fields.push(Field::Narrow(width, high));
        fields.push(Field::Pad(word - width));
        at += word;
    }
    Struct { fields, size: at }
}

fn declare(text: &mut String, index: usize, one: &Struct) {
    let _ = writeln!(text, "struct s{index} {{");
    for (i, field) in one.fields.iter().enumerate() {
        let _ = writeln!(text, "        f{i}: {},", field.text());
    }
    text.push_str("}\n");
}

/// Statics begin as zeros, so 0 must be a value of their type.
fn object(rng: &mut Rng, module: &Module) -> Ty {
    let zero = |i: &usize| module.structs[*i].fields.iter().all(Field::may_be_zero);
    let fitting: Vec<usize> = (0..module.structs.len()).filter(zero).collect();
    let lay = match (rng.u8(..4), fitting.is_empty()) {
        (0 | 1, false) => Lay::Struct(fitting[rng.usize(..fitting.len())]),
        (2, _) => Lay::Words(Len::Const(rng.u32(1..9))),
        _ => Lay::Bytes(Len::Const(rng.u32(1..64))),
    };
    Ty::To(Mode::Ref, lay, false)
}

/// Parameters: arrays and their lengths, objects of all kinds, numbers.
fn signature(rng: &mut Rng, module: &Module) -> Function {
    let mut free = match module.arch {
        Arch::Amd64 => vec![7, 6, 2, 1, 8, 9],
        Arch::Ia32 => vec![1, 2, 0, 6, 7],
    };
    let mut params = Vec::new();
    let vars = rng.usize(..3);
    for var in 0..vars {
        let len = Len::Var(var);
        let lay = if rng.bool() { Lay::Bytes(len) } else { Lay::Words(len) };
        let mode = [Mode::Read, Mode::Mut, Mode::Frozen][rng.usize(..3)];
        params.push((free.remove(0), Ty::To(mode, lay, false)));
        params.push((free.remove(0), Ty::Size(var)));
    }
    for _ in 0..rng.usize(..3) {
        let to = Lay::Struct(rng.usize(..module.structs.len()));
        let ty = match rng.u8(..10) {
            0 => Ty::Int,
            1 => Ty::Range(0, rng.i64(1..64)),
            2 => Ty::To(Mode::Ref, to, false),
            3 => Ty::To(Mode::Ref, to, true),
            4 | 5 => Ty::To(Mode::Own, to, false),
            6 => Ty::To(Mode::Own, to, true),
            7 => Ty::To(Mode::Uniq, to, false),
            8 => Ty::To(Mode::Read, to, false),
            _ => match to {
                Lay::Struct(s) => Ty::To(Mode::Own, Lay::Bytes(Len::Const(module.structs[s].size)), false),
                _ => Ty::Int,
            },
        };
        if let Some(reg) = (!free.is_empty()).then(|| free.remove(0)) {
            params.push((reg, ty));
        }
    }
    let result = match rng.u8(..6) {
        0 => None,
        1 | 2 => Some(Ty::Int),
        // What came in may go out.
        _ => params.iter().map(|p| p.1).find(|t| t.may_be_result()).or(Some(Ty::Int)),
    };
    Function { vars, params, result }
}

impl Function {
    /// The text of its header.
    pub(crate) fn header(&self, name: usize) -> String {
        let list = |all: Vec<String>| all.join(", ");
        let mut text = format!("fn f{name}");
        if self.vars > 0 {
            // Small enough that a sum of two is still a size.
            let _ = write!(text, "[{}]", list((0..self.vars).map(|v| format!("n{v}: 0..1 << 28")).collect()));
        }
        let params = self.params.iter().map(|(r, ty)| format!("{}: {}", REGISTERS[*r].0, ty.text()));
        let _ = write!(text, "({})", list(params.collect()));
        if let Some(ty) = self.result {
            let _ = write!(text, " -> (rax: {})", ty.text());
        }
        text.push('\n');
        text
    }

    /// What the registers hold at its entry.
    pub(crate) fn entry(&self) -> [Option<Val>; 16] {
        let mut regs = [None; 16];
        for (i, &(r, ty)) in self.params.iter().enumerate() {
            regs[r] = Some(Val { ty, id: i as u32 });
        }
        regs
    }
}
