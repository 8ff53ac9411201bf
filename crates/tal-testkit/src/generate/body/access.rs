//! Loads and stores.

use super::{Arch, Body, Env, Field, Lay, Len, Mode, REGISTERS, Ty, Val, register};

/// Raw memory of fewer bytes is not given to the kernel.
const SOME: u32 = 8;

impl Body<'_> {
    /// A register that points to a struct: the register, its value, and one of the fields with its offset.
    fn field(&mut self, env: &Env, is: impl Fn(&Val) -> bool) -> Option<(usize, Val, Field, u32)> {
        let p = self.find(env, |v| matches!(v.ty, Ty::To(_, Lay::Struct(_), false)) && is(v))?;
        let v = env.regs[p]?;
        let Ty::To(_, Lay::Struct(s), _) = v.ty else { return None };
        let fields = &self.module.structs[s].fields;
        let i = self.rng.usize(..fields.len());
        let at = fields[..i].iter().map(|f| f.size(self.module.word)).sum::<u32>();
        let wrong = if self.slip() { self.rng.u32(1..12) } else { 0 };
        Some((p, v, fields[i], at + wrong))
    }

    pub(super) fn load_field(&mut self, env: &mut Env) -> Option<()> {
        let (p, parent, field, at) = self.field(env, |_| true)?;
        let Ty::To(mode, ..) = parent.ty else { return None };
        let (r, p) = (self.target(env)?, REGISTERS[p].0);
        let name = REGISTERS[r].0;
        let number = match field {
            Field::Narrow(4, high) => {
                self.line(format_args!("mov     {}, [{p} + {at}]", register(r, 4)));
                Ty::Range(0, high)
            }
            Field::Narrow(width, high) => {
                let size = if width == 1 { "byte" } else { "word" };
                self.line(format_args!("movzx   {}, {size} [{p} + {at}]", register(r, 4)));
                Ty::Range(0, high)
            }
            Field::Pad(_) => {
                self.line(format_args!("movzx   {}, byte [{p} + {at}]", register(r, 4)));
                Ty::Range(0, 255)
            }
            Field::Words(n) => {
                let at = at + self.module.word * self.rng.u32(..n);
                self.line(format_args!("mov     {name}, [{p} + {at}]"));
                Ty::Int
            }
            Field::Word(ty @ Ty::To(Mode::Own, lay, opt)) => {
                self.line(format_args!("mov     {name}, [{p} + {at}]"));
                if !mode.exclusive() {
                    let seen = if mode == Mode::Ref { Ty::Int } else { Ty::To(mode, lay, opt) };
                    self.set(env, r, seen);
                } else if let Some(part) =
                    env.parts.iter().find(|x| (x.0, x.1) == (parent.id, at)).map(|x| x.2)
                {
                    // It is what was taken out or put in before.
                    let ty = env.all().find(|v| v.id == part).map_or(Ty::Int, |v| v.ty);
                    self.put(env, r, Some(Val { ty, id: part }));
                } else {
                    self.set(env, r, ty);
                    env.parts.push((parent.id, at, self.ids));
                }
                return Some(());
            }
            Field::Word(ty) => {
                self.line(format_args!("mov     {name}, [{p} + {at}]"));
                ty
            }
        };
        self.set(env, r, number);
        Some(())
    }

    pub(super) fn store_field(&mut self, env: &mut Env) -> Option<()> {
        let careless = self.slip();
        let (p, parent, field, at) = self.field(env, |v| match v.ty {
            Ty::To(mode, ..) => mode.writable() || careless,
            _ => false,
        })?;
        self.store_into(env, p, parent, field, at)
    }

    fn store_into(&mut self, env: &mut Env, p: usize, parent: Val, field: Field, at: u32) -> Option<()> {
        let Ty::To(mode, ..) = parent.ty else { return None };
        let base = REGISTERS[p].0;
        match field {
            Field::Narrow(width, high) => {
                let size = ["byte", "word", "", "dword"][width as usize - 1];
                let high = if self.slip() { high + 1 } else { high };
                let n = self.rng.i64(0..=high.min(i64::from(i32::MAX)));
                self.line(format_args!("mov     {size} [{base} + {at}], {n}"));
            }
            Field::Pad(_) => {
                let s = self.number(env).filter(|s| self.has_byte(*s))?;
                self.line(format_args!("mov     byte [{base} + {at}], {}", register(s, 1)));
            }
            Field::Words(n) => {
                let (s, at) = (self.number(env)?, at + self.module.word * self.rng.u32(..n));
                self.line(format_args!("mov     [{base} + {at}], {}", REGISTERS[s].0));
            }
            Field::Word(Ty::Range(lo, hi)) => {
                let n = self.rng.i64(lo..=hi) + i64::from(self.slip());
                self.line(format_args!("mov     qword [{base} + {at}], {n}"));
            }
            Field::Word(ty) if ty.number() => {
                let s = self.find(env, |_| true)?;
                self.line(format_args!("mov     [{base} + {at}], {}", REGISTERS[s].0));
            }
            Field::Word(ty) => return self.store_pointer(env, (base, parent.id, mode), ty, at),
        }
        Some(())
    }

    /// A pointer of the field's type, or 0.
    fn store_pointer(
        &mut self,
        env: &mut Env,
        (base, parent, mode): (&str, u32, Mode),
        ty: Ty,
        at: u32,
    ) -> Option<()> {
        let Ty::To(want, lay, opt) = ty else { return None };
        let owns = want == Mode::Own;
        if owns && !mode.exclusive() && !self.slip() {
            return None;
        }
        let source = self.find(env, |v| match v.ty {
            Ty::To(m, l, o) => (m, l) == (want, lay) && (opt || !o),
            _ => false,
        });
        // Nothing is put into itself, or into two places.
        let source = source.filter(|r| {
            let id = env.regs[*r].map_or(0, |v| v.id);
            let free = env.owned.contains(&id) && env.parts.iter().all(|x| x.2 != id);
            !owns || free && !Self::within(env, parent, id, 8)
        });
        match source {
            Some(s) => {
                env.parts.retain(|x| (x.0, x.1) != (parent, at));
                self.line(format_args!("mov     [{base} + {at}], {}", REGISTERS[s].0));
                if let Some(v) = env.regs[s].filter(|_| owns) {
                    env.parts.push((parent, at, v.id));
                }
            }
            None if opt => {
                env.parts.retain(|x| (x.0, x.1) != (parent, at));
                self.line(format_args!("mov     qword [{base} + {at}], 0"));
            }
            None => return None,
        }
        Some(())
    }

    /// Raw memory becomes a struct: its fields are written.
    pub(super) fn build(&mut self, env: &mut Env) -> Option<()> {
        let p = self.find(env, |v| matches!(v.ty, Ty::To(Mode::Own, Lay::Bytes(Len::Const(_)), false)))?;
        let v = env.regs[p]?;
        let Ty::To(_, Lay::Bytes(Len::Const(size)), _) = v.ty else { return None };
        let module = self.module;
        let s = module.structs.iter().position(|s| s.size == size)?;
        let mut at = 0;
        for field in &module.structs[s].fields {
            let plain = matches!(field, Field::Pad(_) | Field::Words(_));
            if !plain && !self.slip() {
                self.store_into(env, p, v, *field, at)?;
            }
            at += field.size(module.word);
        }
        for copy in env.all().filter(|c| c.id == v.id) {
            copy.ty = Ty::To(Mode::Own, Lay::Struct(s), false);
        }
        Some(())
    }

    /// Shared cells that own memory: something in, something out.
    pub(super) fn exchange(&mut self, env: &mut Env) -> Option<()> {
        let (p, _, field, at) = self.field(env, |v| matches!(v.ty, Ty::To(Mode::Ref, ..)))?;
        let Field::Word(ty @ Ty::To(Mode::Own, lay, _)) = field else { return None };
        let r = self.find(env, |v| matches!(v.ty, Ty::To(Mode::Own, l, _) if l == lay))?;
        let v = env.regs[r]?;
        if env.keep || env.locks(r) || r == p || !env.owned.contains(&v.id) {
            return None;
        }
        if env.parts.iter().any(|x| x.2 == v.id) && !self.slip() {
            return None;
        }
        self.consume(env, v.id);
        self.line(format_args!("xchg    [{} + {at}], {}", REGISTERS[p].0, REGISTERS[r].0));
        self.set(env, r, ty);
        Some(())
    }

    /// An element of an array at an index that is known to be inside.
    pub(super) fn element(&mut self, env: &mut Env) -> Option<()> {
        let p = self.find(env, |v| matches!(v.ty, Ty::To(_, Lay::Words(_) | Lay::Bytes(_), false)))?;
        let v = env.regs[p]?;
        let Ty::To(mode, lay, _) = v.ty else { return None };
        let (len, words) = match lay {
            Lay::Words(n) => (n, true),
            Lay::Bytes(n) => (n, false),
            Lay::Struct(_) => return None,
        };
        let word = self.module.word;
        let index = match (len, env.bounds.iter().find(|b| b.1 == len)) {
            (_, Some(b)) => {
                let one = if self.slip() { " + 1" } else { "" };
                let scale = if words { format!("{word}*") } else { String::new() };
                format!("{scale}{}{one}", REGISTERS[b.0].0)
            }
            (Len::Const(n), None) => {
                let i = self.rng.u32(..n.max(1)) + u32::from(self.slip());
                (if words { word * i } else { i }).to_string()
            }
            _ => return None,
        };
        let base = REGISTERS[p].0;
        if mode.writable() && self.rng.bool() {
            let s = self.number(env).filter(|s| words || self.has_byte(*s))?;
            let short = register(s, if words { 8 } else { 1 });
            match self.rng.u8(..4) {
                0 if words && !env.locks(s) && self.usable.contains(&s) => {
                    self.line(format_args!("lock xadd [{base} + {index}], {short}"));
                    self.set(env, s, Ty::Int);
                }
                1 => self.line(format_args!("add     [{base} + {index}], {short}")),
                _ => self.line(format_args!("mov     [{base} + {index}], {short}")),
            }
            return Some(());
        }
        let r = self.target(env)?;
        let ty = if words {
            self.line(format_args!("mov     {}, [{base} + {index}]", REGISTERS[r].0));
            Ty::Int
        } else {
            self.line(format_args!("movzx   {}, byte [{base} + {index}]", REGISTERS[r].1));
            Ty::Range(0, 255)
        };
        self.set(env, r, ty);
        Some(())
    }

    /// `rep stosb` over raw memory.
    pub(super) fn fill(&mut self, env: &mut Env) -> Option<()> {
        if [0, 1, 7].iter().any(|r| env.locks(*r) || !self.usable.contains(r)) {
            return None;
        }
        let p = self.find(env, |v| matches!(v.ty, Ty::To(m, Lay::Bytes(_), false) if m.writable()))?;
        let Ty::To(_, Lay::Bytes(len), _) = env.regs[p]?.ty else { return None };
        let count = match len {
            Len::Const(n) => (n + u32::from(self.slip())).to_string(),
            Len::Var(v) => REGISTERS[self.find(env, |x| x.ty == Ty::Size(v))?].0.to_string(),
        };
        self.line(format_args!("push    {}", REGISTERS[p].0));
        if count != "rcx" {
            self.line(format_args!("mov     rcx, {count}"));
        }
        self.line("pop     rdi");
        self.line("xor     eax, eax");
        self.line("rep stosb");
        for r in [0, 1, 7] {
            self.put(env, r, None);
        }
        Some(())
    }

    /// A system call that reads or writes memory.
    pub(super) fn kernel(&mut self, env: &mut Env) -> Option<()> {
        // Where the kernel looks for the descriptor, the memory and its size.
        let (fd, memory, used): (_, _, &[usize]) = match self.module.arch {
            Arch::Amd64 => (7, 6, &[0, 1, 2, 6, 7, 11]),
            Arch::Ia32 => (3, 1, &[0, 1, 2, 3]),
        };
        if used.iter().any(|r| env.locks(*r) || !self.usable.contains(r)) {
            return None;
        }
        let reads = self.rng.bool();
        let p = self.find(env, |v| match v.ty {
            Ty::To(m, Lay::Bytes(Len::Const(n)), false) => n >= SOME && (m.writable() || !reads),
            _ => false,
        })?;
        let Ty::To(_, Lay::Bytes(Len::Const(n)), _) = env.regs[p]?.ty else { return None };
        let count = n + u32::from(self.slip());
        self.line(format_args!("mov     {}, {}", REGISTERS[memory].0, REGISTERS[p].0));
        self.line(format_args!("mov     {}, 1", REGISTERS[fd].1));
        self.line(format_args!("mov     edx, {count}"));
        self.line(format_args!("sys     {}", if reads { "read" } else { "write" }));
        for &r in used {
            self.put(env, r, None);
        }
        self.set(env, 0, Ty::Int);
        Some(())
    }
}
