//! docs/types.md, "The gate and system calls", and docs/syscalls.md: calls through the gate, by the interface table.

use super::fit::{Binding, PATTERN};
use super::know::Range;
use super::lin::Lin;
use super::state::Word;
use super::types::{Env, Lay, Node};
use super::{Judge, Stop, no, todo};
use std::collections::BTreeMap;
use talcore::abi::{Entry, PATH_BYTES, ParamKind};
use talcore::types::Mode;

impl Judge<'_> {
    /// The word that a register is known to hold, as a number without sign.
    fn known_word(&mut self, r: u8) -> Result<Option<i128>, Stop> {
        let word = self.s.regs[usize::from(r)].clone();
        let t = match &word {
            Word::Int(_) | Word::Static(..) => self.number(&word)?,
            _ => return Ok(None),
        };
        let value = |t: &Lin| {
            let r = self.s.known.interval(t);
            r.lo.filter(|lo| Some(*lo) == r.hi)
        };
        Ok(t.constant().or_else(|| value(&t)).map(|c| c.rem_euclid(self.w.period())))
    }

    /// A call through the gate; whether it returns.
    pub(super) fn system_call(&mut self) -> Result<bool, Stop> {
        let Some(number) = self.known_word(0)? else { return no("a system call whose number is not known") };
        let program = self.w.program;
        let mut form = None;
        for entry in program.abi.iter().filter(|e| i128::from(e.number) == number) {
            let mut all = true;
            for p in entry.params.iter().filter(|p| p.kind.is_key()) {
                let word = self.known_word(p.reg)?;
                all &= p.kind.admits(word, self.w.bits());
            }
            if all {
                form = Some(entry);
                break;
            }
        }
        let Some(entry) = form else { return no("a system call without a type") };
        self.typed_call(entry)?;
        Ok(!entry.noreturn)
    }

    fn typed_call(&mut self, entry: &Entry) -> Result<(), Stop> {
        self.for_ever.clear();
        let base = self.pattern.max(PATTERN + (1 << 20));
        self.pattern = base + entry.vars.len() as u32;
        let mut b = Binding::default();
        let mut env: BTreeMap<u32, Lin> = BTreeMap::new();
        for (i, r) in (0..).zip(&entry.vars) {
            b.ranges.insert(base + i, Range::read(r));
            env.insert(i, Lin::var(base + i));
        }
        let env: Env = env.into();
        let (mut lent, mut uniq, mut frames) = (Vec::new(), Vec::new(), Vec::new());
        for p in &entry.params {
            let word = self.s.regs[usize::from(p.reg)].clone();
            let ok = match &p.kind {
                ParamKind::Const(_) | ParamKind::OneOf(_) | ParamKind::Mask(_) => true,
                ParamKind::Word(ty) | ParamKind::Nullable(ty) => {
                    let null =
                        matches!(&word, Word::Int(t) if self.w.congruent(&self.s.known, t, &Lin::default()));
                    if null && matches!(p.kind, ParamKind::Nullable(_)) {
                        continue;
                    }
                    let ty = Node { id: *ty, env: env.clone() };
                    self.argument(&word, &ty, &mut b, None, &mut lent, &mut uniq, &mut frames)?
                }
                ParamKind::Path => self.path(&word, &mut lent)?,
                _ => return todo("a system call with known words"),
            };
            if !ok {
                return no(&format!("argument {} of {} does not have its type: {word:?}", p.reg, entry.name));
            }
        }
        if !self.w.settle(&self.s.known, &mut b)? {
            return no("an equation of the arguments does not hold");
        }
        for (i, r) in (0..).zip(&entry.vars) {
            let Some(t) = b.found.get(&(base + i)).cloned() else {
                return todo("a variable of a system call that nothing tells");
            };
            let (r, k) = (Range::read(r), &self.s.known);
            if r.lo.is_some_and(|lo| !k.proves(&t.add(-lo)))
                || r.hi.is_some_and(|hi| !k.proves(&t.times(-1).add(hi)))
            {
                return no("a variable of the system call is not in its range");
            }
        }
        for fact in &entry.facts {
            if !self.s.known.proves(&b.apply(&self.w.term(fact, &env))) {
                return no("a fact of the system call is not proved");
            }
        }
        self.conflicts(&lent)?;
        for (from, size) in &frames {
            self.lend_frame(&b.apply(from), &b.apply(size))?;
        }
        self.s.touched = self.s.touched.min(self.s.depth - self.w.word);
        self.s.flags = Default::default();
        for r in 0..self.s.regs.len() {
            if self.w.program.abi.clobbers >> r & 1 != 0 {
                self.s.regs[r] = Word::Any;
            }
        }
        let mut out: BTreeMap<u32, Lin> = env.iter().map(|(v, t)| (*v, b.apply(t))).collect();
        for (i, r) in (entry.vars.len() as u32..).zip(&entry.result_vars) {
            out.insert(i, Lin::var(self.s.known.fresh(Range::read(r))));
        }
        let out: Env = out.into();
        for fact in &entry.result_facts {
            let fact = self.w.term(fact, &out);
            self.s.known.assume(&fact);
        }
        for (r, ty) in &entry.results {
            let ty = Node { id: *ty, env: out.clone() };
            self.s.regs[usize::from(*r)] = self.w.word_of(&mut self.s, &ty, None)?;
        }
        self.refine()
    }

    /// Whether a word is a string for the kernel, or enough bytes.
    fn path(&mut self, word: &Word, lent: &mut Vec<(usize, Mode)>) -> Result<bool, Stop> {
        let string = Lay::Cstr(None);
        let (mode, lay, off) = match word {
            Word::Ptr(l, off) => {
                let loc = self.s.locs[*l].clone();
                if !loc.live {
                    return Ok(false);
                }
                if matches!(loc.mode, Mode::Own | Mode::Uniq) {
                    return todo("a path in exclusive memory");
                }
                lent.push((*l, Mode::Read));
                (loc.mode, loc.lay, off.clone())
            }
            Word::Static(i, off) => {
                let (mode, lay) = self.object(*i)?;
                (mode, lay, off.clone())
            }
            Word::Frame(_) => return todo("a path in the frame"),
            _ => return Ok(false),
        };
        let mut b = Binding::default();
        let string = matches!(mode, Mode::Imm | Mode::Frozen)
            && self.w.reaches(&self.s.known, &mut b, &lay, &off, &string)?;
        if string {
            return Ok(true);
        }
        let bytes = Lay::Bytes(Lin::of(PATH_BYTES.into()));
        self.as_bytes(&lay, &off, &bytes, Mode::Read, &mut b)
    }
}
