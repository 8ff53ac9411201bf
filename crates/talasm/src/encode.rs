//! From resolved functions to machine code, data sections and relocations.
//!
//! Each function is encoded once. Branches to local labels are left out at first and put in
//! between when their lengths are known ([`relax`]), so the work is linear in the code.

mod data;
mod form;
pub mod image;
mod linear;
mod relax;
mod select;
mod table;
#[cfg(test)]
mod tests;

use crate::ir::{
    Function, Instr, Item, LabelId, MemOp, Module, Operand, Place, Prefix, Section, Span, SymId,
};
use crate::problem::Problem;
use relax::Kind;
use select::{Field, Selector};
use table::Entry;
use talcore::arch::Arch;
use talcore::guide::{Ghost, Step};

/// How a place in the bytes depends on an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RelocKind {
    /// 8 bytes: the address.
    Abs64,
    /// 4 bytes: the address, zero-extended on AMD64.
    Abs32,
    /// 4 bytes, sign-extended: the address.
    Abs32S,
    /// 4 bytes: the address minus that of the place.
    Pc32,
    /// Like [`RelocKind::Pc32`], of a function that is called.
    Plt32,
}

impl RelocKind {
    /// The bytes that are filled in.
    pub const fn bytes(self) -> usize {
        if matches!(self, RelocKind::Abs64) { 8 } else { 4 }
    }

    /// The one that fills in a word with an address.
    pub const fn word(arch: Arch) -> RelocKind {
        match arch {
            Arch::Amd64 => RelocKind::Abs64,
            Arch::Ia32 => RelocKind::Abs32,
        }
    }
}

/// Whose address a relocation asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    /// A symbol.
    Sym(SymId),
    /// The module's code; the addend is the offset in it.
    Text,
    /// The gate slot.
    Gate,
}

/// A place whose bytes depend on an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reloc {
    /// Offset in the section, bytes.
    pub at: u32,
    /// What is filled in.
    pub kind: RelocKind,
    /// Whose address.
    pub target: Target,
    /// Added to it, bytes.
    pub addend: i64,
}

/// An instruction of a function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InsnAt {
    /// Offset from the function's first byte.
    pub offset: u32,
    /// The item of [`Function::body`] it comes from. `sys` gives two instructions.
    pub item: u32,
}

/// The code of one function.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FunctionCode {
    /// Offset in [`Encoded::text`].
    pub start: u32,
    /// Size in bytes.
    pub size: u32,
    /// The instructions in order.
    pub insns: Vec<InsnAt>,
    /// Offset of each label from the function's first byte, by [`LabelId`].
    pub labels: Vec<u32>,
    /// Steps without machine code, at the offsets of the instructions that follow.
    pub ghosts: Vec<Step>,
}

impl FunctionCode {
    /// The item that the instruction at (or around) this offset comes from.
    pub fn item_at(&self, offset: u32) -> Option<u32> {
        let next = self.insns.partition_point(|i| i.offset <= offset);
        (offset < self.size).then(|| self.insns.get(next.checked_sub(1)?).map(|i| i.item))?
    }
}

/// A data section.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DataSection {
    /// Which.
    pub kind: Section,
    /// Alignment in bytes.
    pub align: u64,
    /// Size in bytes; 0 if the module has no such data.
    pub size: u64,
    /// The bytes; empty for bss.
    pub bytes: Vec<u8>,
    /// Addresses in the data.
    pub relocs: Vec<Reloc>,
}

/// An encoded module.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Encoded {
    /// The code. Bytes of [`Encoded::relocs`] are 0.
    pub text: Vec<u8>,
    /// By function of the module.
    pub functions: Vec<FunctionCode>,
    /// What remains to be filled in in the code, in increasing order of offsets.
    pub relocs: Vec<Reloc>,
    /// Read-only data, data, zeroed data.
    pub data: [DataSection; 3],
    /// Offset of each object in its section, by object of the module.
    pub objects: Vec<u64>,
}

/// Functions start at multiples of this; what lies between is [`TRAP`].
pub(crate) const FUNCTION_ALIGN: usize = 16;
/// `int3`.
pub(crate) const TRAP: u8 = 0xcc;
/// Code and data of a module together stay below this, so that all of a program has a chance to lie
/// below 2 GiB.
const MAX_BYTES: u64 = 1 << 30;

const UNKNOWN_INSTRUCTION: u16 = 1301;
const WRONG_OPERANDS: u16 = 1302;
const PREFIX: u16 = 1307;
const TOO_FAR: u16 = 1308;
const TOO_LARGE: u16 = 1310;

/// Encodes a module.
pub fn encode(module: &Module) -> Result<Encoded, Vec<Problem>> {
    let mut a = Assembler { module, selector: Selector::new(module.arch), problems: Vec::new() };
    let drafts: Vec<Draft> = module.functions.iter().map(|f| a.function(f)).collect();
    let raw = a.selector.take_buffer();
    let mut problems = a.problems;
    let mut out = linear::Linearizer::new(module, raw, problems.is_empty());
    for (function, draft) in module.functions.iter().zip(drafts) {
        out.place(function, draft, &mut problems);
    }
    let (data, objects) = data::lay_out(module, &out.functions, &mut problems);
    let total = data.iter().fold(out.text.len() as u64, |sum, s| sum.saturating_add(s.size));
    if total > MAX_BYTES && problems.is_empty() {
        let span = module.objects.first().map(|o| o.span).unwrap_or_default();
        problems.push(
            Problem::new(TOO_LARGE, span, format!("this module has {total} bytes of code and data"))
                .note(format!("a module may have at most {MAX_BYTES} bytes, since programs lie below 2 GiB")),
        );
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let relocs = out.finish();
    Ok(Encoded { text: out.text, functions: out.functions, relocs, data, objects })
}

/// Where something is in a function before the branches have lengths.
#[derive(Clone, Copy)]
struct DraftPos {
    /// Offset in the buffer of encoded instructions, without branches.
    raw: u32,
    /// How many instructions come before.
    insns: u32,
    /// How many branches come before.
    branches: u32,
}

/// A function whose branches have no lengths yet.
struct Draft {
    start: u32,
    end: u32,
    /// `(offset in the buffer, item)`; a branch takes no room in the buffer.
    insns: Vec<(u32, u32)>,
    labels: Vec<Option<DraftPos>>,
    /// Whether a label stands behind it, before the next instruction.
    ghosts: Vec<(DraftPos, bool, Ghost)>,
    branches: Vec<DraftBranch>,
    /// Fields to relocate; `at` counts in the buffer. The number is that of the instruction.
    fields: Vec<(u32, Reloc)>,
}

struct DraftBranch {
    kind: Kind,
    target: LabelId,
    at: DraftPos,
    span: Span,
}

struct Assembler<'m> {
    module: &'m Module,
    selector: Selector,
    problems: Vec<Problem>,
}

impl Assembler<'_> {
    fn function(&mut self, f: &Function) -> Draft {
        let start = self.selector.position();
        let mut d = Draft {
            start,
            end: start,
            insns: Vec::with_capacity(f.body.len()),
            labels: vec![None; f.labels.len()],
            ghosts: Vec::new(),
            branches: Vec::new(),
            fields: Vec::new(),
        };
        for (item, i) in f.body.iter().zip(0u32..) {
            match item {
                Item::Label(label) => {
                    let here = self.here(&d);
                    for step in d.ghosts.iter_mut().rev().take_while(|g| g.0.insns == here.insns) {
                        step.1 = true;
                    }
                    self.label(*label, &mut d);
                }
                Item::Annotation(_) => {}
                Item::Ghost(ghost, _) => {
                    let here = self.here(&d);
                    d.ghosts.push((here, false, *ghost));
                }
                Item::Instr(instr) => {
                    d.insns.push((self.selector.position(), i));
                    if let Err(problem) = self.instr(instr, &mut d) {
                        self.problems.push(*problem);
                    }
                }
                Item::Sys { number, noreturn, .. } => self.sys(*number, *noreturn, i, &mut d),
            }
        }
        d.end = self.selector.position();
        d
    }

    fn here(&self, d: &Draft) -> DraftPos {
        DraftPos {
            raw: self.selector.position(),
            insns: d.insns.len() as u32,
            branches: d.branches.len() as u32,
        }
    }

    fn label(&mut self, label: LabelId, d: &mut Draft) {
        let here = self.here(d);
        if let Some(slot) = d.labels.get_mut(label.0 as usize) {
            debug_assert!(slot.is_none(), "the front end lets no two labels have one name");
            *slot = Some(here);
        }
    }

    /// Whether an address that is made of a symbol alone may lie outside of what the symbol names, as the end of an
    /// object does: what lies there is another object or none, so that such an address is not told by itself.
    fn beyond(&self, operand: &Operand) -> bool {
        let Operand::Mem(MemOp { base: None, index: None, sym: Some(sym), disp, .. }) = operand else {
            return false;
        };
        match self.module.symbols.get(sym.0 as usize).map(|s| s.place) {
            Some(Place::Object(o)) => {
                let size = self.module.objects.get(o as usize).map_or(0, |o| o.size);
                u64::try_from(*disp).is_ok_and(|d| d >= size) || *disp < 0
            }
            Some(Place::Import(_)) => *disp != 0,
            _ => false,
        }
    }

    /// `mov eax, number` and `call [gate]`, relative to the instruction on AMD64.
    fn sys(&mut self, number: u32, noreturn: bool, item: u32, d: &mut Draft) {
        d.insns.push((self.selector.position(), item));
        self.selector.bytes(&[0xb8]);
        self.selector.bytes(&number.to_le_bytes());
        let insn = d.insns.len() as u32;
        d.insns.push((self.selector.position(), item));
        self.selector.bytes(&[0xff, 0x15]);
        match self.module.arch {
            Arch::Amd64 => self.field(RelocKind::Pc32, Target::Gate, -4, insn, d),
            Arch::Ia32 => self.field(RelocKind::Abs32, Target::Gate, 0, insn, d),
        }
        if noreturn {
            d.insns.push((self.selector.position(), item));
            self.selector.bytes(&[0x0f, 0x0b]);
        }
    }

    /// Four bytes that a relocation fills in.
    fn field(&mut self, kind: RelocKind, target: Target, addend: i64, insn: u32, d: &mut Draft) {
        d.fields.push((insn, Reloc { at: self.selector.position(), kind, target, addend }));
        self.selector.bytes(&[0; 4]);
    }

    fn instr(&mut self, i: &Instr, d: &mut Draft) -> Result<(), Box<Problem>> {
        let arch = self.module.arch;
        let Some(row) = table::find(arch, &i.mnemonic) else { return Err(Box::new(unknown(arch, i))) };
        let prefix = prefix_byte(i, row)?;
        let insn = d.insns.len() as u32 - 1;
        match (&row.entry, i.operands.as_slice()) {
            (Entry::Fixed(bytes), []) => {
                self.selector.bytes(prefix.as_slice());
                self.selector.bytes(bytes);
            }
            (Entry::Fixed(_), [first, ..]) => {
                let message = format!("`{}` takes no operands", i.mnemonic);
                return Err(Box::new(Problem::new(WRONG_OPERANDS, first.span(), message)));
            }
            (Entry::Jmp(_), [Operand::Label(label, _)]) => self.branch(Kind::Jmp, *label, i, d),
            (Entry::Jcc(cond), [Operand::Label(label, _)]) => self.branch(Kind::Jcc(*cond), *label, i, d),
            (Entry::Jcxz, [Operand::Label(label, _)]) => self.branch(Kind::Jcxz, *label, i, d),
            (Entry::Jmp(_), [Operand::Func(f, _)]) => {
                self.selector.bytes(&[0xe9]);
                self.field(RelocKind::Plt32, Target::Sym(*f), -4, insn, d);
            }
            (Entry::Call(_), [Operand::Func(f, _)]) => {
                self.selector.bytes(&[0xe8]);
                self.field(RelocKind::Plt32, Target::Sym(*f), -4, insn, d);
            }
            (Entry::Jcc(cond), [Operand::Func(f, _)]) => {
                self.selector.bytes(&[0x0f, 0x80 + *cond as u8]);
                self.field(RelocKind::Plt32, Target::Sym(*f), -4, insn, d);
            }
            (Entry::Call(_), [Operand::Label(_, span)]) => {
                return Err(Box::new(
                    Problem::new(WRONG_OPERANDS, *span, "a local label cannot be called")
                        .label("not a function")
                        .help("make it a function with a signature, or use `jmp`"),
                ));
            }
            (Entry::Jcc(_) | Entry::Jcxz, _) => {
                return Err(Box::new(
                    Problem::new(WRONG_OPERANDS, i.span, format!("`{}` takes a label", i.mnemonic))
                        .help(format!("write `{} .label`", i.mnemonic)),
                ));
            }
            (Entry::Forms(forms) | Entry::Jmp(forms) | Entry::Call(forms), operands) => {
                let at = self.selector.position();
                let beyond = i.mnemonic == "lea" && operands.iter().any(|o| self.beyond(o));
                for Field { offset, kind, sym, addend } in self.selector.emit(i, operands, forms, beyond)? {
                    d.fields.push((insn, Reloc { at: at + offset, kind, target: Target::Sym(sym), addend }));
                }
            }
        }
        Ok(())
    }

    fn branch(&mut self, kind: Kind, target: LabelId, i: &Instr, d: &mut Draft) {
        let mut at = self.here(d);
        at.insns -= 1;
        d.branches.push(DraftBranch { kind, target, at, span: i.span });
    }
}

/// The byte of the instruction's prefix, if it may have it.
fn prefix_byte(i: &Instr, row: &table::Row) -> Result<Option<u8>, Box<Problem>> {
    use table::Prefixes;
    let Some(prefix) = i.prefix else { return Ok(None) };
    let wrong = |why: &str| {
        let name = match prefix {
            Prefix::Lock => "lock",
            Prefix::Rep => "rep",
            Prefix::Repne => "repne",
        };
        let message = format!("`{}` cannot have the prefix `{name}`", i.mnemonic);
        Box::new(Problem::new(PREFIX, i.span, message).note(why))
    };
    match (prefix, row.prefixes) {
        (Prefix::Lock, Prefixes::Lock) if matches!(i.operands.first(), Some(Operand::Mem(_))) => {
            Ok(Some(0xf0))
        }
        // `xchg` is symmetric: its memory operand may come second.
        (Prefix::Lock, Prefixes::Lock)
            if i.mnemonic == "xchg" && matches!(i.operands.last(), Some(Operand::Mem(_))) =>
        {
            Ok(Some(0xf0))
        }
        (Prefix::Lock, _) => {
            Err(wrong("`lock` goes before an instruction that reads and writes memory, its first operand"))
        }
        (Prefix::Rep, Prefixes::Rep | Prefixes::RepCompare) => Ok(Some(0xf3)),
        (Prefix::Repne, Prefixes::RepCompare) => Ok(Some(0xf2)),
        _ => Err(wrong("`rep` goes before `movs` and `stos`, `repe` and `repne` before `cmps` and `scas`")),
    }
}

fn unknown(arch: Arch, i: &Instr) -> Problem {
    let name = &i.mnemonic;
    if matches!(name.as_str(), "syscall" | "sysenter" | "int") {
        return Problem::new(UNKNOWN_INSTRUCTION, i.span, format!("`{name}` cannot be used in checked code"))
            .help("make system calls with `sys NAME`, which goes through the gate");
    }
    let exists = iced_x86::Mnemonic::values().any(|m| format!("{m:?}").eq_ignore_ascii_case(name));
    if exists {
        return Problem::new(
            UNKNOWN_INSTRUCTION,
            i.span,
            format!("`{name}` is not on the list of allowed instructions"),
        )
        .note("`talcheck --list-instructions` prints the list");
    }
    let problem = Problem::new(UNKNOWN_INSTRUCTION, i.span, format!("there is no instruction `{name}`"));
    match nearest(name, &table::mnemonics(arch)) {
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None => problem,
    }
}

/// The word at most two edits away from `name`, if there is one.
fn nearest<'a>(name: &str, words: &[&'a str]) -> Option<&'a str> {
    if name.len() > 32 {
        return None;
    }
    let scored = words.iter().map(|w| (edits(name.as_bytes(), w.as_bytes()), *w));
    scored.min().filter(|s| s.0 <= 2 && s.0 < name.len()).map(|s| s.1)
}

/// How many letters must be changed, added, dropped or swapped with their neighbour.
fn edits(a: &[u8], b: &[u8]) -> usize {
    let mut table = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            table[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let replaced = table[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                let mut best = replaced.min(table[i - 1][j] + 1).min(table[i][j - 1] + 1);
                if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                    best = best.min(table[i - 2][j - 2] + 1);
                }
                best
            };
        }
    }
    table[a.len()][b.len()]
}
