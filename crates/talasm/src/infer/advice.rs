//! What an instruction does at the place where it is rejected, and what can be done about it.

use super::Failure;
use super::words::{Names, View};
use crate::encode::image::Image;
use crate::ir::{Item, Module};
use talcore::Policy;
use talcore::facts::Interval;
use talcore::guide::Ghost;
use talcore::program::Program;
use talcore::state::{LocId, STATIC, State, Word};
use talcore::term::{Term, Var};
use talcore::types::Mode;
use talcore::verdict::{Code, Reject};
use talcore::x86::decode::decode;
use talcore::x86::insn::{Arg, Insn, Op, Reg};
use talnote::print::register;

/// A rejected instruction, and what was known there.
pub(super) struct Scene<'a> {
    pub(super) reject: &'a Reject,
    pub(super) names: Names<'a>,
    program: &'a Program<'a>,
    module: &'a Module,
    structs: &'a [String],
    image: &'a Image,
    function: usize,
    insn: Option<Insn>,
}

impl<'a> Scene<'a> {
    pub(super) fn new(
        program: &'a Program<'a>,
        (module, structs): (&'a Module, &'a [String]),
        image: &'a Image,
        function: usize,
        failure: &'a Failure,
    ) -> Scene<'a> {
        let signature = &module.functions[function].var_names;
        let stored = match failure.reject.goal.as_ref().map(|g| g.summands()).as_deref() {
            Some(&[(v, _)]) if failure.reject.code == Code::StoreType => Some(v),
            _ => None,
        };
        let names = Names { arch: module.arch, signature, state: &failure.state, stored };
        let at = failure.reject.at;
        let code = program.segment(at, 1).map_or(&[][..], |s| s.bytes_at(at));
        let insn = decode(program.arch, code, at).ok();
        Scene { reject: &failure.reject, names, program, module, structs, image, function, insn }
    }

    /// What was known.
    pub(super) fn state(&self) -> &'a State {
        self.names.state
    }

    pub(super) fn view(&self) -> View<'_> {
        View {
            program: self.program,
            module: self.module,
            structs: self.structs,
            image: self.image,
            names: &self.names,
        }
    }

    fn word(&self, r: Reg) -> &Word {
        self.state().regs.get(r.index()).unwrap_or(&Word::Any)
    }

    /// The interval of what a register holds.
    pub(super) fn interval(&self, r: usize) -> Interval {
        match self.state().regs.get(r) {
            Some(Word::Int(t)) => self.state().facts.range(t),
            _ => Interval::ALL,
        }
    }

    /// What a register holds in an example.
    pub(super) fn value(&self, r: usize, example: &[(Var, i128)]) -> Option<i128> {
        let Some(Word::Int(t)) = self.state().regs.get(r) else { return None };
        let mut sum = t.konst();
        for &(v, c) in t.summands().iter() {
            let value = example.iter().find(|e| e.0 == v)?.1;
            sum = sum.checked_add(value.checked_mul(c.into())?)?;
        }
        Some(sum)
    }

    /// The memory operand: the object, the offset in it, how many bytes, and whether they are written.
    fn access(&self) -> Option<(LocId, Term, u32, bool)> {
        let i = self.insn.as_ref().filter(|i| i.args.contains(&Arg::Mem))?;
        let narrow = matches!(i.op, Op::Movzx | Op::Movsx | Op::VecLoad | Op::VecStore);
        let width = if narrow { i.src_width } else { i.width }.bytes();
        let reads =
            matches!(i.op, Op::Cmp | Op::Test | Op::Push | Op::Call | Op::CallInd | Op::JmpInd | Op::Bt);
        let writes = i.args[0] == Arg::Mem && !reads;
        let mut off = Term::from(i128::from(i.mem.disp));
        let mut object = None;
        let index = i.mem.index.map(|r| (r, i128::from(i.mem.scale)));
        for (r, k) in i.mem.base.map(|r| (r, 1)).into_iter().chain(index) {
            let t = match self.word(r) {
                Word::Int(t) => t,
                Word::Ptr(l, e) if object.is_none() && k == 1 => {
                    object = Some(*l);
                    e
                }
                _ => return None,
            };
            off = off.add_scaled(t, k)?;
        }
        if object.is_none() {
            // Without a pointer the displacement is the address.
            let (o, start) = self.program.object_at(u64::try_from(i.mem.disp).ok()?)?;
            off = off.offset(i128::from(start) - i128::from(i.mem.disp))?;
            object = Some(STATIC + o);
        }
        Some((object?, off, width, writes))
    }

    /// The register that should hold the pointer, and its word.
    fn pointer(&self) -> Option<(Reg, &Word)> {
        let i = self.insn.as_ref().filter(|i| i.args.contains(&Arg::Mem))?;
        let r = i.mem.base.or(i.mem.index)?;
        Some((r, self.word(r)))
    }

    /// Whether the function lends memory for a stretch.
    fn lends(&self) -> bool {
        let lend = |item: &Item| matches!(item, Item::Ghost(Ghost::Lend(..), _));
        self.module.functions[self.function].body.iter().any(lend)
    }

    /// Whether the function calls something.
    fn calls(&self) -> bool {
        self.module.functions[self.function].body.iter().any(|item| match item {
            Item::Sys { .. } => true,
            Item::Instr(i) => i.mnemonic == "call",
            _ => false,
        })
    }
}

/// What to write at the instruction itself.
pub(super) fn label(s: &Scene<'_>) -> String {
    if let Some(r) = s.reject.reg {
        return format!("{} is {}", register(s.names.arch, r.into()), s.view().word(s.word(Reg(r))));
    }
    let about_memory = matches!(
        s.reject.code,
        Code::Bounds
            | Code::ReadOnly
            | Code::Straddle
            | Code::StoreType
            | Code::Content
            | Code::Variant
            | Code::Abstract
    );
    if about_memory && let Some((object, off, width, writes)) = s.access() {
        let verb = if writes { "writes" } else { "reads" };
        let what = if width == 1 { "a byte".to_string() } else { format!("{width} bytes") };
        let to = if writes { "to" } else { "of" };
        return format!("{verb} {what} at offset {} {to} {}", s.names.term(&off), s.view().object(object));
    }
    match (s.reject.code, s.pointer()) {
        (Code::NotPointer, Some((r, word))) => {
            format!("{} is {}", register(s.names.arch, r.0.into()), s.view().word(word))
        }
        (Code::FrameOpen, _) => {
            format!("{} is {} bytes below the return address", s.names.stack(), -s.state().depth)
        }
        _ => String::new(),
    }
}

/// What a union may be of which the variant is not known.
pub(super) fn variants(s: &Scene<'_>) -> Option<String> {
    let id = s.reject.union?;
    s.view().printer().variants(id, s.program.shapes.union(id)?)
}

/// What to do about it.
pub(super) fn helps(s: &Scene<'_>) -> Vec<String> {
    let mut all: Vec<String> = general(s.reject).into_iter().map(String::from).collect();
    let zero = s.reject.why.contains("may be 0");
    match (s.reject.code, s.pointer()) {
        (Code::NotPointer, Some((r, _))) if zero => {
            let r = register(s.names.arch, r.0.into());
            all = vec![format!("leave before this if it is: `test {r}, {r}`, `jz .none`")];
        }
        (Code::NotPointer, Some((r, _))) if s.reject.why.contains("may be an error number") => {
            let r = register(s.names.arch, r.0.into());
            all = vec![format!("leave before this if it is one: `cmp {r}, -4095`, `jae .failed`")];
        }
        (Code::NotPointer, Some((r, Word::Any))) if s.calls() => {
            let r = register(s.names.arch, r.0.into());
            all = vec![format!(
                "calls change {r}: keep the pointer in rbx, rbp or r12 to r15 (saved with `push` and restored with `pop`), or on the stack"
            )];
        }
        _ => {}
    }
    if s.reject.code == Code::NotPointer && s.lends() {
        all.push(
            "what was lent is a pointer until `restore`, or a label to which another way leads where it is not lent"
                .to_string(),
        );
    }
    if s.reject.code == Code::ReadOnly
        && s.reject.why != talcore::rules::LENT
        && let Some((object, ..)) = s.access()
    {
        all.extend(writable(s, object));
    }
    let callee = s.insn.as_ref().filter(|i| matches!(i.op, Op::Call | Op::Jmp | Op::Jcc));
    if matches!(s.reject.code, Code::ArgType | Code::ArgFact)
        && let Some(sig) = callee.and_then(|i| s.program.sig_at(i.imm as u64))
    {
        all.insert(0, format!("the function is {}", s.view().printer().sig(sig)));
        let open = s.reject.why == "nothing says what an index variable stands for";
        if open && s.program.types.sig(sig).vars.contains(&Interval::ALL) {
            all.push("if it is a type, say it at the call: `call name[own thing]`".into());
        }
    }
    let goal = s.reject.goal.iter().flat_map(|g| g.summands());
    if goal.into_iter().any(|(v, _)| s.state().facts.interval(v).lo == -4095) {
        all.push(
            "a result in -4095..-1 is an error of the kernel: test it first (`test rax, rax`, `js .error`)"
                .into(),
        );
    }
    if s.program.policy == Policy::Speculative && s.reject.code != Code::Speculation {
        all.push(
            "with --spectre a branch teaches nothing unless the instruction that it leads to is `lfence`"
                .into(),
        );
    }
    all
}

fn writable(s: &Scene<'_>, object: LocId) -> Option<String> {
    Some(match (s.view().static_name(object), s.view().mode(object)?) {
        (Some(name), _) => format!("declare `{name}` with `data` in place of `rodata` if it is to change"),
        (None, Mode::Imm) => "take it as `ref` in place of `imm` if it is to change".into(),
        (None, _) => "take it as `&mut` in place of `&` if it is to change".into(),
    })
}

/// Advice that depends on the reason only.
fn general(r: &Reject) -> Option<&'static str> {
    if r.types().is_some() {
        return Some("the arguments of a type are never converted: write the same type on both sides");
    }
    Some(match r.code {
        Code::Bounds => {
            "test the index against the bound on every path to this access, with an unsigned comparison"
        }
        Code::NotPointer => {
            "only what was given as a pointer, or was loaded from a cell of pointer type, can be dereferenced"
        }
        Code::Abstract => {
            "call a function of that module which makes it, looks at it, or gives its memory back"
        }
        Code::StoreType => "test or mask the value before the store, or give the cell a type that takes it",
        Code::Variant => {
            "load or compare the tag, and branch, on every way to this; after the memory was lent as `&uniq` or packed, again"
        }
        Code::Straddle => "cells that hold pointers or ranged numbers are read and written as a whole",
        Code::ArgFact => "a test before the call, or a fact in this function's signature, would prove it",
        Code::ResultType => "every way to a return must leave in the registers what the signature promises",
        Code::ResultFact => "promise less in the signature, or test the value before the return",
        Code::Preserved => "save it with `push` at the start and restore it with `pop` before the return",
        Code::BorrowConflict => "pass two objects, or let the function take both for reading",
        Code::NotFunction => "what is called is the name of a function, or a word of type `fn (...)`",
        Code::NoReturn => "write `ud2` behind the call",
        Code::LabelFact => {
            "what holds at a label must hold on every edge to it; a label can be annotated by hand: `.name: {rcx: int(i), i <= n}`"
        }
        Code::LabelStack => "push and pop the same on every way to the label",
        Code::FallsOff => "end the function with `ret`, `jmp` or a call that does not return and `ud2`",
        Code::JumpTable => {
            "compare the index with the number of entries and leave with `jae` before the jump"
        }
        Code::Speculation => {
            "write `lfence` behind the system call; for an indirect jump or call, compare and use direct ones"
        }
        Code::FrameAccess => "allocate first: `sub rsp, 16` (and `add rsp, 16` at the end), or `push`",
        Code::StackPointer => {
            "rsp moves by `push`, `pop`, `add rsp, 8`, `sub rsp, 8`; `mov rsp, rbp` and `leave` restore it"
        }
        Code::FrameOpen => "`pop` what was pushed, or `add rsp` what was subtracted, on every way to this",
        Code::ProbeDebt => {
            "allocate at most 65536 bytes at a time, and touch each part: `mov qword [rsp], 0`"
        }
        _ => return None,
    })
}
