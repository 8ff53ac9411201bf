//! Arguments that a function may be called with: memory of exactly the size that its type promises.

use super::alu::cut;
use super::memory::Holds;
use super::sigs::{Vars, holds, value};
use super::step::BACK;
use super::{Frame, Machine, RSP};
use talcore::engine::under;
use talcore::facts::Interval;
use talcore::program::{Object, ObjectKind};
use talcore::state::Env;
use talcore::term::Term;
use talcore::types::{Body, Exists, Layout, LayoutId, Mode, Struct, StructId, Types, WordId, WordTy};

/// How large objects may become, in bytes.
const LARGE: i128 = 1 << 16;
/// How deep pointers lead to pointers.
const DEEP: u32 = 4;

impl Machine<'_> {
    /// Puts arguments into registers and on the stack, and goes to the function.
    pub(super) fn arrange(&mut self, function: usize) -> Option<()> {
        let f = self.program.functions.get(function)?;
        let sig = self.program.types.sig(f.sig).clone();
        if sig.start {
            return None;
        }
        let vars = self.variables(&sig.vars, &sig.facts)?;
        let words: Vec<u64> = (0..sig.word_vars).map(|_| self.any_word()).collect();
        // A caller's frame, so that stack arguments have a place.
        self.regs[RSP] -= 4096;
        for (i, ty) in sig.stack.iter().enumerate() {
            let x = self.made(*ty, &None, &vars, &words, 0)?;
            let word = self.word_bytes();
            self.memory.write(self.regs[RSP] + word * i as u64, word as usize, x).ok()?;
        }
        for &(r, ty) in &sig.params {
            self.regs[usize::from(r)] = self.made(ty, &None, &vars, &words, 0)?;
        }
        self.regs[RSP] -= self.word_bytes();
        let slot = self.regs[RSP];
        self.memory.write(slot, self.word_bytes() as usize, BACK).ok()?;
        self.memory.slots.push(slot);
        let words = words.into_iter().map(Some).collect();
        let frame =
            |function, vars, words| Frame { slot, back: BACK, function, regs: self.regs, vars, words };
        self.frames = vec![frame(self.function, Vec::new(), Vec::new()), frame(function, vars, words)];
        (self.function, self.rip) = (function, f.addr);
        self.others_wrote();
        Some(())
    }

    /// Before the function was called, others left anything in the program's shared objects that their types allow.
    fn others_wrote(&mut self) {
        for object in &self.program.objects {
            if self.rng.u8(..4) != 0 {
                self.others_write(object, LARGE as u64);
            }
        }
    }

    /// Others leave anything in a shared object that its type allows; of more raw bytes than `most`, in some of them.
    pub(super) fn others_write(&mut self, object: &Object, most: u64) {
        let program = self.program;
        let ObjectKind::Data(Mode::Shared, layout) = object.kind else { return };
        let (mut addr, mut bytes) = (object.addr, Vec::new());
        if program.shapes.raw_size(layout).is_some() {
            let size = object.size.min(most);
            addr += self.rng.u64(..=object.size - size);
            bytes.resize(size as usize, 0);
            self.rng.fill(&mut bytes);
        } else if object.size > LARGE as u64
            || self.fill(layout, &Some([].into()), &Vec::new(), 1, &mut bytes).is_none()
        {
            return;
        }
        self.memory.put(addr, &bytes);
    }

    /// Values for index variables that satisfy all facts.
    fn variables(&mut self, ranges: &[Interval], facts: &[Term]) -> Option<Vars> {
        for attempt in 0..500u32 {
            let mut vars = Vars::new();
            for range in ranges {
                let x = self.choose(*range, attempt % 4 == 3);
                vars.push(Some(x));
            }
            let inside = ranges.iter().zip(&vars).all(|(range, x)| x.is_some_and(|x| holds(*range, x)));
            if inside && facts.iter().all(|f| value(f, &vars).is_some_and(|x| x >= 0)) {
                return Some(vars);
            }
        }
        None
    }

    /// The environment inside an existential, with values for what it hides that satisfy its facts.
    fn witnesses<B>(&mut self, e: &Exists<B>, env: &Env, vars: &Vars) -> Option<Env> {
        let outer = |v| value(&under(&Term::var(v), env)?, vars).map(Term::from);
        let outer = (0..e.first).map(outer).collect::<Option<Vec<Term>>>()?;
        for attempt in 0..100u32 {
            let mut known = outer.clone();
            for range in &e.vars {
                known.push(Term::from(self.choose(*range, attempt % 4 == 3)));
            }
            let values: Vars = known.iter().map(Term::as_const).collect();
            let own = values.iter().skip(outer.len());
            let inside = e.vars.iter().zip(own).all(|(range, x)| x.is_some_and(|x| holds(*range, x)));
            if inside && e.facts.iter().all(|f| value(f, &values).is_some_and(|x| x >= 0)) {
                return Some(Some(known.into()));
            }
        }
        None
    }

    /// A number in an interval: mostly small, often at an end. Of an interval without words, anything.
    fn choose(&mut self, range: Interval, wide: bool) -> i128 {
        let (signed, unsigned) = (Interval::signed(self.bits), Interval::unsigned(self.bits));
        let (lo, hi) = (range.lo.max(signed.lo), range.hi.min(unsigned.hi));
        if lo > hi {
            return lo;
        }
        let near = 0i128.clamp(lo, hi);
        match self.rng.u8(..8) {
            0 => near,
            1 => (near + 1).min(hi),
            2 if wide => hi,
            3 if wide => lo,
            4 if wide => self.rng.i128(lo..=hi),
            5 if wide => {
                // What wraps around when it is scaled or cut.
                let start = 1i128 << [8, 16, 32, 32, 60, 61, 62, 63][self.rng.usize(..8)];
                (start + self.rng.i128(-2..20)).clamp(lo, hi)
            }
            _ => self.rng.i128(near..=hi.min(near + 40)),
        }
    }

    /// A word of a type.
    fn made(&mut self, ty: WordId, env: &Env, vars: &Vars, words: &[u64], depth: u32) -> Option<u64> {
        let program = self.program;
        match program.types.word(ty) {
            WordTy::Int(t) => value(&under(t, env)?, vars).map(|x| cut(x as u64, self.bits)),
            WordTy::Range(range) => {
                let wide = self.rng.bool();
                let range = told(*range, self.bits)?;
                Some(cut(self.choose(range, wide) as u64, self.bits))
            }
            WordTy::Var(v) => words.get(*v as usize).copied(),
            // Every number is the code of some type.
            WordTy::Of(t, linear) => {
                let code = Term::from(value(&under(t, env)?, vars)?);
                let ty = program.decode(&code, *linear, self.scope())?;
                self.made(ty, &Some([].into()), vars, words, depth)
            }
            WordTy::Opt(inner) => match depth >= DEEP || self.rng.u8(..3) == 0 {
                true => Some(0),
                false => self.made(*inner, env, vars, words, depth),
            },
            // Nobody writes it while the function runs.
            WordTy::During(_, inner) => self.made(*inner, env, vars, words, depth),
            WordTy::Fn(sig) => {
                let fits = |f: &&talcore::program::Function| {
                    program.sig_at(f.addr).is_some_and(|s| program.same_sig(*sig, s))
                };
                program.functions.iter().find(fits).map(|f| f.addr)
            }
            WordTy::Res(inner) => match depth >= DEEP || self.rng.u8(..3) == 0 {
                true => Some(cut(self.rng.u64(1..=4095).wrapping_neg(), self.bits)),
                false => self.made(*inner, env, vars, words, depth),
            },
            WordTy::Exists(e) => {
                let inside = self.witnesses(e, env, vars)?;
                self.made(e.body, &inside, vars, words, depth)
            }
            WordTy::When(t, range, inner) => {
                let told = value(&under(t, env)?, vars)?;
                match (range.lo..=range.hi).contains(&told) {
                    true => self.made(*inner, env, vars, words, depth),
                    false => Some(cut(self.rng.u64(..), self.bits)),
                }
            }
            // What fits the arguments is not looked for.
            WordTy::FnAt(..) => None,
            WordTy::Ptr(mode, layout) => {
                if depth > DEEP {
                    return None;
                }
                // No rule makes a string of memory that others may write.
                if matches!(program.types.layout(*layout), Layout::Cstr(_)) && !mode.stable() {
                    return None;
                }
                let mut bytes = Vec::new();
                let over = self.over.take();
                let filled = self.fill(*layout, env, vars, depth, &mut bytes);
                self.over = over;
                filled?;
                let size = program.shapes.size(*layout).and_then(Term::as_const);
                let holds = match program.types.layout(*layout) {
                    _ if size.is_some() => Holds::Layout(*layout),
                    Layout::Cstr(_) => Holds::String,
                    _ => Holds::Hidden,
                };
                self.memory.allocate(bytes, *mode, holds)
            }
        }
    }

    /// Memory of a layout.
    fn fill(&mut self, id: LayoutId, env: &Env, vars: &Vars, depth: u32, out: &mut Vec<u8>) -> Option<()> {
        let program = self.program;
        let size = |t: &Term| {
            let n = value(&under(t, env)?, vars)?;
            (0..=LARGE).contains(&n).then_some(n as usize)
        };
        match program.types.layout(id) {
            Layout::Bytes(n) => {
                for _ in 0..size(n)? {
                    out.push(self.rng.u8(..));
                }
            }
            Layout::Cstr(m) => {
                let length = match m {
                    Some(m) => size(m)?,
                    None => self.rng.usize(..20),
                };
                for _ in 0..length {
                    out.push(if self.rng.bool() { self.rng.u8(1..) } else { self.rng.u8(b'-'..b':') });
                }
                out.push(0);
            }
            Layout::Cell(word) => {
                let x = self.made(*word, env, vars, &[], depth + 1)?;
                out.extend(x.to_le_bytes().into_iter().take(self.word_bytes() as usize));
            }
            Layout::Num(width, range) => {
                let range = told(*range, width.bits())?;
                let x = self.choose(range, true) as u64;
                out.extend(&x.to_le_bytes()[..width.bytes() as usize]);
            }
            Layout::Foreign(n) => {
                for _ in 0..size(n)? {
                    out.push(self.rng.u8(..));
                }
            }
            // What a word owns whose type has this code, if it is as large; else raw bytes.
            Layout::Of(t, n) => {
                let code = Term::from(value(&under(t, env)?, vars)?);
                let (size, scope) = (size(n)?, self.scope());
                let owned = program.decode(&code, true, scope).map(|ty| program.types.word(ty));
                let known = match owned {
                    Some(WordTy::Ptr(Mode::Own, l)) => {
                        let of = program.shapes.size(*l).and_then(Term::as_const);
                        Some(*l).filter(|_| of == Some(size as i128))
                    }
                    _ => None,
                };
                match known {
                    // A struct may be an argument of itself.
                    Some(_) if depth > DEEP => return None,
                    Some(l) => self.fill(l, &Some([].into()), vars, depth + 1, out)?,
                    None => out.extend((0..size).map(|_| self.rng.u8(..))),
                }
            }
            Layout::Exact(width, signed, n) => {
                let x = value(&under(n, env)?, vars)?;
                // Not every number fits into the cell.
                Interval::new(x, x).within(&Interval::number(width.bits(), *signed)).then_some(())?;
                out.extend(&x.to_le_bytes()[..width.bytes() as usize]);
            }
            Layout::Array(n, each) => {
                for _ in 0..size(n)? {
                    self.fill(*each, env, vars, depth, out)?;
                    if out.len() as i128 > LARGE {
                        return None;
                    }
                }
            }
            Layout::NullTerm(k, word) => {
                let length = match k {
                    Some(k) => size(k)?,
                    None => self.rng.usize(..5),
                };
                for _ in 0..length {
                    let x = self.made(*word, env, vars, &[], depth + 1)?;
                    out.extend(x.to_le_bytes().into_iter().take(self.word_bytes() as usize));
                }
                out.extend([0; 8].into_iter().take(self.word_bytes() as usize));
            }
            Layout::Struct(s, args) => {
                let args = args.iter().map(|t| value(&under(t, env)?, vars).map(Term::from));
                let args: Option<Vec<Term>> = args.collect();
                let args = args?;
                // Memory of an abstract type is what its module says, whoever holds it.
                let body = definition(&program.types, *s)?;
                let known: Vars = args.iter().map(Term::as_const).collect();
                if body.facts.iter().any(|f| value(f, &known).is_none_or(|x| x < 0)) {
                    return None;
                }
                let env: Env = Some(args.into());
                let parts = body.body.parts();
                let parts = match body.body {
                    Body::Fields(_) => parts,
                    Body::Hidden => return None,
                    // One of the variants, with its tag: the one that is there, if others may look at the memory.
                    Body::Union { .. } => {
                        let there = match self.over {
                            Some(start) => {
                                let u = program.shapes.union(*s)?;
                                let at = start + out.len() as u64 + u.off as u64;
                                let tag = i128::from(self.memory.read(at, u.width.bytes() as usize).ok()?);
                                Some(u.variant(Interval::new(tag, tag))?)
                            }
                            None => None,
                        };
                        let i = there.unwrap_or_else(|| self.rng.usize(..parts.len()));
                        &parts[i..=i]
                    }
                };
                for part in parts {
                    self.fill(*part, &env, vars, depth, out)?;
                }
            }
            Layout::Exists(e) => {
                let inside = self.witnesses(e, env, vars)?;
                self.fill(e.body, &inside, vars, depth, out)?;
            }
            Layout::Seq(parts) => {
                for part in parts {
                    self.fill(*part, env, vars, depth, out)?;
                }
            }
        }
        Some(())
    }
}

/// The part of an interval that words of so many bits are without doubt: with a sign if it has negative numbers.
fn told(range: Interval, bits: u32) -> Option<Interval> {
    let words = Interval::number(bits, range.lo < 0);
    let (lo, hi) = (range.lo.max(words.lo), range.hi.min(words.hi));
    (lo <= hi).then_some(Interval::new(lo, hi))
}

/// What a struct consists of: for an abstract type of another note the definition, if it is there.
fn definition(types: &Types, id: StructId) -> Option<&Struct> {
    let s = types.strukt(id);
    if s.body != Body::Hidden {
        return Some(s);
    }
    types.structs.iter().find(|d| d.brand == s.brand && d.body != Body::Hidden)
}

/// Types as one sees them who knows all definitions.
pub(super) fn reveal(types: &mut Types) {
    for i in 0..types.structs.len() {
        if types.structs[i].body == Body::Hidden
            && let Some(found) = definition(types, StructId(i as u32))
            && let Some(found) = types.structs.iter().position(|s| std::ptr::eq(s, found))
        {
            for layout in &mut types.layouts {
                if let Layout::Struct(id, _) = layout
                    && id.index() == i
                {
                    *id = StructId(found as u32);
                }
            }
        }
    }
}
