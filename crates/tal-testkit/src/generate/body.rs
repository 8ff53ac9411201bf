//! Bodies of functions: statements that suit what the registers hold.

mod access;
mod control;

use super::values::{Field, Lay, Len, Mode, REGISTERS, Ty, Val, register};
use super::{Function, Module};
use fastrand::Rng;
use std::fmt::{Display, Write};
use talcore::arch::Arch;

const RSP: usize = 4;

/// Registers that a call leaves as they were.
fn preserved(arch: Arch) -> &'static [usize] {
    match arch {
        Arch::Amd64 => &[3, 5, 12, 13, 14, 15],
        Arch::Ia32 => &[3, 5, 6, 7],
    }
}

/// Registers that a call changes.
fn changed(arch: Arch) -> &'static [usize] {
    match arch {
        Arch::Amd64 => &[0, 1, 2, 6, 7, 8, 9, 10, 11],
        Arch::Ia32 => &[0, 1, 2],
    }
}

/// What is where at one point of a function.
#[derive(Clone, Default)]
pub(super) struct Env {
    regs: [Option<Val>; 16],
    /// Registers that statements must leave alone.
    locked: u16,
    /// Words in the frame: how many bytes below the start it lies, and what it is.
    frame: Vec<(u32, Val)>,
    /// How many bytes the frame has.
    depth: u32,
    /// Values whose memory belongs to the function.
    owned: Vec<u32>,
    /// Objects that were taken out of a field of another, or put into it: the other, the field's offset, the object.
    parts: Vec<(u32, u32, u32)>,
    /// Registers that are less than a length.
    bounds: Vec<(usize, Len)>,
    /// Inside of a loop nothing is given away that was there before.
    keep: bool,
}

impl Env {
    fn all(&mut self) -> impl Iterator<Item = &mut Val> {
        self.regs.iter_mut().flatten().chain(self.frame.iter_mut().map(|(_, v)| v))
    }
    fn locks(&self, r: usize) -> bool {
        self.locked >> r & 1 == 1
    }
    /// What both ways to a place agree on.
    fn join(&mut self, other: &Env) {
        for (a, b) in self.regs.iter_mut().zip(&other.regs) {
            *a = both(*a, *b);
        }
        for ((_, a), (_, b)) in self.frame.iter_mut().zip(&other.frame) {
            *a = both(Some(*a), Some(*b)).unwrap_or(Val { ty: Ty::Int, id: a.id });
        }
        self.owned.retain(|id| other.owned.contains(id));
        self.parts.retain(|p| other.parts.contains(p));
        self.bounds.retain(|b| other.bounds.contains(b));
        let owned = self.owned.clone();
        for v in self.all().filter(|v| v.ty.owns() && !owned.contains(&v.id)) {
            v.ty = Ty::Int;
        }
    }
}

/// What is known of a sum or product.
fn mixed(a: Ty, b: Option<Val>) -> Ty {
    if a == Ty::Known && b.is_some_and(|b| b.ty == Ty::Known) { Ty::Known } else { Ty::Int }
}

fn both(a: Option<Val>, b: Option<Val>) -> Option<Val> {
    let (a, b) = (a?, b?);
    let ty = match (a.ty, b.ty) {
        (x, y) if x == y => x,
        (Ty::To(m, l, _), Ty::To(n, k, _)) if (m, l) == (n, k) => Ty::To(m, l, true),
        (x, y) if x.number() && y.number() => Ty::Int,
        _ => return None,
    };
    (a.id == b.id || !ty.owns()).then_some(Val { ty, id: a.id })
}

/// A function in the making.
pub(super) struct Body<'a> {
    rng: &'a mut Rng,
    module: &'a Module,
    text: String,
    labels: usize,
    ids: u32,
    /// Registers that may be written.
    usable: Vec<usize>,
    /// How deep statements may nest.
    nesting: u32,
    /// One statement in so many has a mistake; 0 is none.
    slips: u32,
    /// The function's number.
    name: usize,
}

impl<'a> Body<'a> {
    /// The text of a function.
    pub(super) fn write(rng: &'a mut Rng, module: &'a Module, function: &Function) -> String {
        let name = module.functions.len();
        let arch = module.arch;
        let saved: Vec<usize> = preserved(arch).iter().copied().filter(|_| rng.u8(..3) == 0).collect();
        let usable = changed(arch).iter().chain(&saved).copied().collect();
        let slips = if rng.u8(..3) == 0 { 12 } else { 0 };
        let text = function.header(name);
        let mut body = Body { rng, module, text, labels: 0, ids: 100, usable, nesting: 3, slips, name };
        let mut env = Env { regs: function.entry(), ..Env::default() };
        env.owned = env.regs.iter().flatten().filter(|v| v.ty.owns()).map(|v| v.id).collect();
        for r in &saved {
            body.line(format_args!("push    {}", REGISTERS[*r].0));
        }
        let count = body.rng.usize(2..14);
        body.block(&mut env, count);
        body.leave(&mut env, function);
        for r in saved.iter().rev() {
            body.line(format_args!("pop     {}", REGISTERS[*r].0));
        }
        body.line("ret");
        body.text
    }

    fn line(&mut self, line: impl Display) {
        let _ = writeln!(self.text, "        {line}");
    }
    fn label(&mut self) -> String {
        self.labels += 1;
        format!(".l{}", self.labels)
    }
    fn place(&mut self, label: &str) {
        let _ = writeln!(self.text, "{label}:");
    }
    fn fresh(&mut self) -> u32 {
        self.ids += 1;
        self.ids
    }
    /// Whether to make a mistake here.
    fn slip(&mut self) -> bool {
        self.slips > 0 && self.rng.u32(..self.slips) == 0
    }

    /// A register that holds such a value.
    fn find(&mut self, env: &Env, is: impl Fn(&Val) -> bool) -> Option<usize> {
        let all: Vec<usize> = (0..16).filter(|r| env.regs[*r].as_ref().is_some_and(&is)).collect();
        (!all.is_empty()).then(|| all[self.rng.usize(..all.len())])
    }
    fn number(&mut self, env: &Env) -> Option<usize> {
        self.find(env, |v| v.ty.number())
    }
    /// One that may be anything.
    fn unknown(&mut self, env: &Env) -> Option<usize> {
        self.find(env, |v| v.ty == Ty::Int)
    }
    /// Whether the low byte of a register is one itself.
    fn has_byte(&self, r: usize) -> bool {
        self.module.arch == Arch::Amd64 || r < 4
    }
    /// A register that may be written.
    fn target(&mut self, env: &Env) -> Option<usize> {
        let all: Vec<usize> = self.usable.iter().copied().filter(|r| !env.locks(*r)).collect();
        (!all.is_empty()).then(|| all[self.rng.usize(..all.len())])
    }
    fn set(&mut self, env: &mut Env, r: usize, ty: Ty) {
        let id = self.fresh();
        self.put(env, r, Some(Val { ty, id }));
        if ty.owns() {
            env.owned.push(id);
        }
    }
    fn put(&mut self, env: &mut Env, r: usize, v: Option<Val>) {
        env.regs[r] = v;
        env.bounds.retain(|b| b.0 != r);
    }

    fn block(&mut self, env: &mut Env, count: usize) {
        for _ in 0..count {
            // What does not suit this place is replaced by something else.
            for _ in 0..10 {
                if self.statement(env).is_some() {
                    break;
                }
            }
        }
    }

    /// Writes a statement, if the one that was chosen is possible here.
    fn statement(&mut self, env: &mut Env) -> Option<()> {
        match self.rng.u8(..32) {
            0..3 => self.arithmetic(env),
            3 => self.copy(env),
            4 => self.choose(env),
            5..9 => self.load_field(env),
            9..13 => self.store_field(env),
            13 => self.build(env),
            14 => self.exchange(env),
            15..18 => self.element(env),
            18 => self.fill(env),
            19 => self.address(env),
            20 => self.spill(env),
            21 => self.reload(env),
            22 => self.kernel(env),
            23..26 => self.call(env),
            26 | 27 => self.tested(env),
            28 => self.either(env),
            29 => self.cases(env),
            30 => self.counted(env),
            _ => self.checked(env),
        }
    }

    fn arithmetic(&mut self, env: &mut Env) -> Option<()> {
        let r = self.target(env)?;
        let name = REGISTERS[r].0;
        if !env.regs[r].is_some_and(|v| v.ty.number()) || self.rng.u8(..4) == 0 {
            let n: i64 = match self.rng.u8(..4) {
                0 => 0,
                1 => self.rng.i64(-100..100),
                2 => self.rng.i64(0..10),
                _ => {
                    self.rng.i64(..)
                        >> (64 - 8 * self.module.word)
                        >> self.rng.u32(..8 * self.module.word - 1)
                }
            };
            self.line(format_args!("mov     {name}, {n}"));
            self.set(env, r, Ty::Known);
            return Some(());
        }
        let width = if self.rng.bool() { self.module.word } else { [1, 2, 4][self.rng.usize(..3)] };
        if width == 1 && !self.has_byte(r) {
            return None;
        }
        let short = register(r, width);
        let c = self.rng.u32(0..8);
        let mut result = env.regs[r].map_or(Ty::Int, |v| v.ty);
        match self.rng.u8(..8) {
            0..3 => {
                let s = self.number(env).filter(|s| width > 1 || self.has_byte(*s))?;
                let op = ["add", "sub", "and", "or", "xor", "cmp"][self.rng.usize(..6)];
                self.line(format_args!("{op:7} {short}, {}", register(s, width)));
                if op == "cmp" {
                    return Some(());
                }
                result = if s == r { Ty::Known } else { mixed(result, env.regs[s]) };
            }
            3 => {
                let op = ["inc", "dec", "neg", "not"][self.rng.usize(..4)];
                self.line(format_args!("{op:7} {short}"));
            }
            4 => {
                let op = ["shl", "shr", "sar", "rol"][self.rng.usize(..4)];
                self.line(format_args!("{op:7} {short}, {c}"));
            }
            5 => {
                let mask = [1, 3, 7, 15, 31, 255][self.rng.usize(..6)];
                self.line(format_args!("and     {}, {mask}", register(r, 4)));
                let known = result == Ty::Known;
                self.set(env, r, if known { Ty::Known } else { Ty::Range(0, mask) });
                return Some(());
            }
            6 => {
                let s = self.number(env)?;
                let k = [1, 2, 4, 8][self.rng.usize(..4)];
                self.line(format_args!("lea     {name}, [{name} + {k}*{} + {c}]", REGISTERS[s].0));
                result = mixed(result, env.regs[s]);
            }
            _ => {
                let s = self.number(env)?;
                self.line(format_args!("imul    {name}, {}", REGISTERS[s].0));
                result = mixed(result, env.regs[s]);
            }
        }
        self.set(env, r, if result == Ty::Known { Ty::Known } else { Ty::Int });
        Some(())
    }

    fn copy(&mut self, env: &mut Env) -> Option<()> {
        let (r, s) = (self.target(env)?, self.find(env, |_| true)?);
        self.line(format_args!("mov     {}, {}", REGISTERS[r].0, REGISTERS[s].0));
        let v = env.regs[s];
        self.put(env, r, v);
        Some(())
    }

    /// `cmov` and `setcc`.
    fn choose(&mut self, env: &mut Env) -> Option<()> {
        let (r, s) = (self.target(env)?, self.number(env)?);
        let old = env.regs[r].filter(|v| v.ty.number())?;
        let cc = CONDITIONS[self.rng.usize(..CONDITIONS.len())];
        self.line(format_args!("cmp     {}, {}", REGISTERS[s].0, REGISTERS[r].0));
        if self.rng.bool() {
            self.line(format_args!("cmov{cc:4}{}, {}", REGISTERS[r].0, REGISTERS[s].0));
            let ty = both(Some(old), env.regs[s]).map_or(Ty::Int, |v| v.ty);
            self.set(env, r, if matches!(ty, Ty::Size(_)) { Ty::Int } else { ty });
        } else if self.has_byte(r) {
            self.line(format_args!("set{cc:5}{}", REGISTERS[r].3));
            self.line(format_args!("movzx   {}, {}", REGISTERS[r].1, REGISTERS[r].3));
            self.set(env, r, Ty::Range(0, 1));
        }
        Some(())
    }

    /// The address of a static object.
    fn address(&mut self, env: &mut Env) -> Option<()> {
        let r = self.target(env)?;
        let object = self.rng.usize(..self.module.objects.len());
        self.line(format_args!("lea     {}, [o{object}]", REGISTERS[r].0));
        self.set(env, r, self.module.objects[object].ty);
        Some(())
    }

    fn spill(&mut self, env: &mut Env) -> Option<()> {
        if env.frame.is_empty() || self.rng.bool() {
            // A new word, for as long as some statements take.
            if self.nesting == 0 {
                return None;
            }
            let r = self.find(env, |_| true)?;
            let v = env.regs[r]?;
            self.line(format_args!("push    {}", REGISTERS[r].0));
            env.depth += self.module.word;
            env.frame.push((env.depth, v));
            self.nested(env, 4);
            let v = env.frame.pop().map(|(_, v)| v);
            env.depth -= self.module.word;
            match self.target(env) {
                Some(r) => {
                    self.line(format_args!("pop     {}", REGISTERS[r].0));
                    self.put(env, r, v);
                }
                None => self.line(format_args!("add     rsp, {}", self.module.word)),
            }
            return Some(());
        }
        let slot = self.rng.usize(..env.frame.len());
        let r = self.find(env, |_| true)?;
        let at = env.depth - env.frame[slot].0;
        self.line(format_args!("mov     [rsp + {at}], {}", REGISTERS[r].0));
        env.frame[slot].1 = env.regs[r]?;
        Some(())
    }

    fn reload(&mut self, env: &mut Env) -> Option<()> {
        let r = self.target(env)?;
        let slot = *env.frame.get(self.rng.usize(..env.frame.len().max(1)))?;
        self.line(format_args!("mov     {}, [rsp + {}]", REGISTERS[r].0, env.depth - slot.0));
        self.put(env, r, Some(slot.1));
        Some(())
    }

    /// A few statements inside of another one.
    fn nested(&mut self, env: &mut Env, most: usize) {
        self.nesting -= 1;
        let count = self.rng.usize(..most);
        self.block(env, count);
        self.nesting += 1;
    }

    /// The memory of a value goes elsewhere: what was taken out of it must be back, and goes with it.
    fn consume(&mut self, env: &mut Env, id: u32) {
        self.fold(env, id);
        env.owned.retain(|o| *o != id);
        for v in env.all().filter(|v| v.id == id) {
            v.ty = Ty::Int;
        }
    }

    /// Makes an object whole.
    fn fold(&mut self, env: &mut Env, id: u32) {
        while let Some(i) = env.parts.iter().position(|p| p.0 == id) {
            let (_, at, part) = env.parts.remove(i);
            if env.owned.contains(&part) {
                self.consume(env, part);
            } else if let Some(r) =
                (0..16).find(|r| env.regs[*r].is_some_and(|v| v.id == id && !v.ty.number()))
                && !self.slip()
            {
                self.line(format_args!("mov     qword [{} + {at}], 0", REGISTERS[r].0));
            }
        }
    }

    /// Whether an object lies in another one, or in something that does.
    fn within(env: &Env, id: u32, of: u32, deep: u32) -> bool {
        id == of || deep == 0 || env.parts.iter().any(|p| p.2 == id && Self::within(env, p.0, of, deep - 1))
    }

    /// The result, and what was lent exclusively as a whole.
    fn leave(&mut self, env: &mut Env, function: &Function) {
        let uniq: Vec<u32> = env
            .regs
            .iter()
            .flatten()
            .chain(env.frame.iter().map(|f| &f.1))
            .filter(|v| matches!(v.ty, Ty::To(Mode::Uniq, ..)))
            .map(|v| v.id)
            .collect();
        for id in uniq {
            self.fold(env, id);
        }
        let Some(ty) = function.result else { return };
        let gives = |v: &Val| match (v.ty, ty) {
            (Ty::To(m, l, opt), Ty::To(n, k, may)) => (m, l) == (n, k) && (may || !opt),
            (x, y) => x.number() && y.number(),
        };
        match self.find(env, gives) {
            Some(r) => {
                let v = env.regs[r];
                if r != 0 {
                    self.line(format_args!("mov     rax, {}", REGISTERS[r].0));
                    self.put(env, 0, v);
                }
                if let Some(v) = v.filter(|v| v.ty.owns()) {
                    self.fold(env, v.id);
                }
            }
            None if matches!(ty, Ty::To(_, _, false)) => self.line("ud2"),
            None => self.line("xor     eax, eax"),
        }
    }
}

const CONDITIONS: [&str; 12] = ["e", "ne", "b", "ae", "be", "a", "l", "ge", "le", "g", "s", "ns"];
