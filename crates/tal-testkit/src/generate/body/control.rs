//! Tests, loops and calls.

use super::{Body, CONDITIONS, Env, Function, Lay, Len, Mode, REGISTERS, RSP, Ty, Val, changed};

impl Body<'_> {
    /// A pointer that may be 0 is tested; where it is not, something is done with it.
    pub(super) fn tested(&mut self, env: &mut Env) -> Option<()> {
        if self.nesting == 0 {
            return None;
        }
        let r = self.find(env, |v| matches!(v.ty, Ty::To(_, _, true)))?;
        let (v, name, out) = (env.regs[r]?, REGISTERS[r].0, self.label());
        let Ty::To(mode, lay, _) = v.ty else { return None };
        self.line(format_args!("test    {name}, {name}"));
        let jump = if self.slip() { "jnz" } else { "jz" };
        self.line(format_args!("{jump:7} {out}"));
        let mut inside = env.clone();
        for copy in inside.all().filter(|c| c.id == v.id) {
            copy.ty = Ty::To(mode, lay, false);
        }
        self.nested(&mut inside, 6);
        self.meet(env, inside, &out);
        Some(())
    }

    /// The end of one of two ways; on the other one nothing was done.
    fn meet(&mut self, env: &mut Env, mut inside: Env, label: &str) {
        self.settle(env, &mut inside);
        self.place(label);
        env.join(&inside);
    }

    /// What was opened on one way only becomes whole again there.
    fn settle(&mut self, env: &Env, inside: &mut Env) {
        let new: Vec<u32> = inside.parts.iter().filter(|p| !env.parts.contains(p)).map(|p| p.0).collect();
        for id in new {
            self.fold(inside, id);
        }
    }

    pub(super) fn either(&mut self, env: &mut Env) -> Option<()> {
        if self.nesting == 0 {
            return None;
        }
        let a = self.unknown(env)?;
        let b = match self.rng.bool() {
            true => REGISTERS[self.unknown(env).filter(|b| env.regs[*b] != env.regs[a])?].0.to_string(),
            false => self.rng.i8(..).to_string(),
        };
        let (other, out) = (self.label(), self.label());
        let cc = CONDITIONS[self.rng.usize(..CONDITIONS.len())];
        self.line(format_args!("cmp     {}, {b}", REGISTERS[a].0));
        self.line(format_args!("j{cc:6} {other}"));
        let (mut one, mut two) = (env.clone(), env.clone());
        self.nested(&mut one, 5);
        self.settle(env, &mut one);
        self.line(format_args!("jmp     {out}"));
        self.place(&other);
        self.nested(&mut two, 5);
        self.settle(env, &mut two);
        self.place(&out);
        one.join(&two);
        *env = one;
        Some(())
    }

    /// A jump table.
    pub(super) fn cases(&mut self, env: &mut Env) -> Option<()> {
        if self.nesting == 0 {
            return None;
        }
        let r = self.target(env).filter(|r| env.regs[*r].is_some_and(|v| v.ty == Ty::Int))?;
        let (a, b, out) = (self.label(), self.label(), self.label());
        let mask = if self.slip() { 7 } else { 3 };
        self.line(format_args!("and     {}, {mask}", REGISTERS[r].1));
        self.set(env, r, Ty::Range(0, 3));
        let table = format!("t{}_{}", self.name, self.labels);
        self.line(format_args!("jmp     [{table} + {}*{}]", self.module.word, REGISTERS[r].0));
        self.line(format_args!("table {table}: {a}, {b}, {out}, {a}"));
        let (mut one, mut two) = (env.clone(), env.clone());
        self.place(&a);
        self.nested(&mut one, 4);
        self.settle(env, &mut one);
        self.line(format_args!("jmp     {out}"));
        self.place(&b);
        self.nested(&mut two, 4);
        self.settle(env, &mut two);
        self.place(&out);
        env.join(&one);
        env.join(&two);
        Some(())
    }

    /// A loop over the indices of an array.
    pub(super) fn counted(&mut self, env: &mut Env) -> Option<()> {
        if self.nesting == 0 {
            return None;
        }
        let (p, len) = self.array(env)?;
        let (end, size) = self.length(env, len)?;
        let i = self.target(env).filter(|i| *i != p && Some(*i) != size)?;
        let (next, test, name) = (self.label(), self.label(), REGISTERS[i].0);
        self.line(format_args!("xor     {0}, {0}", REGISTERS[i].1));
        self.line(format_args!("jmp     {test}"));
        self.place(&next);
        let mut head = env.clone();
        head.locked |= 1 << p | 1 << i | size.map_or(0, |s| 1 << s);
        head.keep = true;
        for r in (0..16).filter(|r| *r != RSP) {
            // Some registers are the same in all rounds, the others are not known at the beginning.
            if !head.locks(r) {
                match self.rng.bool() {
                    true => head.locked |= 1 << r,
                    false => self.put(&mut head, r, None),
                }
            }
        }
        let mut inside = head.clone();
        self.set(&mut inside, i, Ty::Int);
        inside.bounds.push((i, len));
        self.nested(&mut inside, 5);
        self.settle(env, &mut inside);
        self.line(format_args!("inc     {name}"));
        self.place(&test);
        self.line(format_args!("cmp     {name}, {end}"));
        let jump = if self.slip() { "jbe" } else { "jb" };
        self.line(format_args!("{jump:7} {next}"));
        *env = Env { locked: env.locked, keep: env.keep, frame: inside.frame, ..head };
        self.put(env, i, None);
        Some(())
    }

    /// A register that points to an array, and its length.
    fn array(&mut self, env: &Env) -> Option<(usize, Len)> {
        let p = self.find(env, |v| matches!(v.ty, Ty::To(_, Lay::Words(_) | Lay::Bytes(_), false)))?;
        match env.regs[p]?.ty {
            Ty::To(_, Lay::Words(len) | Lay::Bytes(len), _) => Some((p, len)),
            _ => None,
        }
    }

    /// How a length is written in a comparison, and the register that has it.
    fn length(&mut self, env: &Env, len: Len) -> Option<(String, Option<usize>)> {
        match len {
            Len::Const(n) => Some((n.to_string(), None)),
            Len::Var(v) => {
                let r = self.find(env, |x| x.ty == Ty::Size(v))?;
                Some((REGISTERS[r].0.to_string(), Some(r)))
            }
        }
    }

    /// A number is compared with a length; where it is below, something is done.
    pub(super) fn checked(&mut self, env: &mut Env) -> Option<()> {
        if self.nesting == 0 {
            return None;
        }
        let (_, len) = self.array(env)?;
        let (end, _) = self.length(env, len)?;
        let i = self.unknown(env)?;
        let out = self.label();
        self.line(format_args!("cmp     {}, {end}", REGISTERS[i].0));
        let jump = match self.slip() {
            true => ["ja", "jge", "jg"][self.rng.usize(..3)],
            false => "jae",
        };
        self.line(format_args!("{jump:7} {out}"));
        let mut inside = env.clone();
        inside.bounds.push((i, len));
        self.nested(&mut inside, 4);
        inside.bounds.retain(|b| *b != (i, len));
        self.meet(env, inside, &out);
        Some(())
    }

    /// Calls a function that was written before.
    pub(super) fn call(&mut self, env: &mut Env) -> Option<()> {
        let module = self.module;
        let changed = changed(module.arch);
        if changed.iter().any(|r| env.locks(*r)) || module.functions.is_empty() {
            return None;
        }
        let name = self.rng.usize(..module.functions.len());
        let function = &module.functions[name];
        if function.params.iter().any(|(r, _)| env.locks(*r) || !self.usable.contains(r)) {
            return None;
        }
        let given = self.arguments(env, function)?;
        for one in &given {
            if let Some((id, _)) = one.object {
                self.fold(env, id);
            }
        }
        for one in &given {
            self.line(format_args!("push    {}", one.word));
        }
        for one in given.iter().rev() {
            self.line(format_args!("pop     {}", REGISTERS[one.to].0));
        }
        for one in &given {
            if let Some((id, Mode::Own)) = one.object {
                self.consume(env, id);
            }
        }
        self.line(format_args!("call    f{name}"));
        for &r in changed {
            self.put(env, r, None);
        }
        // Those that are preserved hold the arguments.
        for one in given.iter().filter(|g| !changed.contains(&g.to)) {
            self.put(env, one.to, None);
        }
        if let Some(ty) = function.result {
            self.set(env, 0, ty);
        }
        Some(())
    }

    /// Words for all parameters.
    fn arguments(&mut self, env: &Env, function: &Function) -> Option<Vec<Argument>> {
        let mut lens: Vec<Option<Len>> = vec![None; function.vars];
        let mut given: Vec<Argument> = Vec::new();
        for &(to, ty) in &function.params {
            let mut object = None;
            let word = match ty {
                Ty::Size(v) => match lens[v]? {
                    Len::Const(n) => self.rng.u32(..=n).to_string(),
                    Len::Var(w) => REGISTERS[self.find(env, |x| x.ty == Ty::Size(w))?].0.to_string(),
                },
                Ty::Int | Ty::Known => {
                    self.find(env, |_| true).map_or("7".into(), |r| REGISTERS[r].0.to_string())
                }
                Ty::Range(lo, hi) => (self.rng.i64(lo..=hi) + i64::from(self.slip())).to_string(),
                Ty::To(mode, lay, opt) => {
                    let busy: Vec<u32> = given.iter().filter_map(|g| Some(g.object?.0)).collect();
                    let fits = |v: &Val| self.fits(env, v, (mode, lay, opt)) && !busy.contains(&v.id);
                    let fitting: Vec<usize> =
                        (0..16).filter(|r| env.regs[*r].as_ref().is_some_and(fits)).collect();
                    match (fitting.is_empty(), opt) {
                        (true, true) => "0".into(),
                        (true, false) => return None,
                        _ => {
                            let r = fitting[self.rng.usize(..fitting.len())];
                            let v = env.regs[r]?;
                            let actual = match v.ty {
                                Ty::To(_, Lay::Words(n) | Lay::Bytes(n), _) => Some(n),
                                _ => None,
                            };
                            if let Lay::Words(Len::Var(x)) | Lay::Bytes(Len::Var(x)) = lay {
                                lens[x] = actual;
                            }
                            object = Some((v.id, mode));
                            REGISTERS[r].0.to_string()
                        }
                    }
                }
            };
            given.push(Argument { to, word, object });
        }
        Some(given)
    }

    /// Whether a value may be passed as such a pointer.
    fn fits(&self, env: &Env, v: &Val, (mode, lay, opt): (Mode, Lay, bool)) -> bool {
        let Ty::To(m, l, o) = v.ty else { return false };
        let size = |s: usize| self.module.structs[s].size;
        let place = match (lay, l) {
            (Lay::Struct(a), Lay::Struct(b)) => a == b,
            (Lay::Bytes(Len::Const(a)), Lay::Bytes(Len::Const(b))) => a == b,
            (Lay::Bytes(Len::Const(a)), Lay::Struct(s)) => mode == Mode::Own && size(s) == a,
            (Lay::Words(_), Lay::Words(_)) | (Lay::Bytes(_), Lay::Bytes(_)) => true,
            _ => false,
        };
        let own = m != Mode::Own || env.owned.contains(&v.id);
        let free = mode != Mode::Own || !env.keep && env.parts.iter().all(|x| x.2 != v.id);
        place && m.gives(mode) && (opt || !o) && own && free
    }
}

/// One argument of a call.
struct Argument {
    /// The register in which it goes.
    to: usize,
    /// How it is written.
    word: String,
    /// What it points to, and as what that is passed.
    object: Option<(u32, Mode)>,
}
