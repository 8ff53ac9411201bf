//! What signatures say of the words in registers, looked at with the words at hand.

use super::alu::{cut, signed};
use super::{Frame, Machine, RSP, Watched};
use talcore::engine::under;
use talcore::facts::Interval;
use talcore::term::Term;
use talcore::types::{Layout, LayoutId, Mode, Sig, WordId, WordTy};

/// What variables stand for, as far as it is known.
pub(crate) type Vars = Vec<Option<i128>>;

/// The value of a term.
pub(crate) fn value(t: &Term, vars: &Vars) -> Option<i128> {
    let mut sum = t.konst();
    for &(v, c) in t.summands().iter() {
        sum = sum.checked_add(i128::from(c).checked_mul((*vars.get(v as usize)?)?)?)?;
    }
    Some(sum)
}

/// Whether a number lies in an interval.
pub(crate) fn holds(range: Interval, x: i128) -> bool {
    range.lo <= x && x <= range.hi
}

/// The number that a word of so many bits is, in an interval: with or without sign, as fits.
pub(crate) fn number(word: u64, bits: u32, range: Interval) -> i128 {
    let plain = i128::from(word);
    if holds(range, plain) { plain } else { signed(word, bits).into() }
}

impl Machine<'_> {
    /// What the function sees that runs.
    pub(super) fn scope(&self) -> u32 {
        self.program.functions.get(self.function).map_or(0, |f| f.scope)
    }

    /// The words of a signature: binds what integers tell, then looks at everything.
    pub(crate) fn agree(
        &mut self,
        list: &[(u8, WordId)],
        ranges: &[Interval],
        facts: &[Term],
        vars: &mut Vars,
    ) -> Watched<()> {
        let (mut either, bits) = (Vec::new(), self.bits);
        for &(r, ty) in list {
            if let WordTy::Int(t) = self.program.types.word(ty)
                && let Some(v) = t.as_var()
                && let Some(slot) = vars.get_mut(v as usize)
                && slot.is_none()
            {
                let (word, range) = (self.regs[usize::from(r)], ranges[v as usize]);
                *slot = Some(number(word, bits, range));
                let negative = i128::from(signed(word, bits));
                if negative < 0 && holds(range, word.into()) && holds(range, negative) {
                    either.push(v);
                }
            }
        }
        // A word that may be read in two ways is read as the facts say.
        while let Some(fact) = facts.iter().find(|f| value(f, vars).is_some_and(|x| x < 0))
            && let Some(i) = either.iter().position(|v| fact.coefficient(*v) != 0)
        {
            if let Some(Some(x)) = vars.get_mut(either.swap_remove(i) as usize) {
                *x -= 1 << bits;
            }
        }
        for (v, range) in ranges.iter().enumerate() {
            if let Some(Some(x)) = vars.get(v)
                && !holds(*range, *x)
            {
                return Err(format!("variable {v} is {x}, outside of {}..{}", range.lo, range.hi));
            }
        }
        for fact in facts {
            if value(fact, vars).is_some_and(|x| x < 0) {
                return Err(format!("a fact of the signature is false: {fact:?} under {vars:?}"));
            }
        }
        for &(r, ty) in list {
            let word = self.regs[usize::from(r)];
            self.word(ty, word, vars).map_err(|e| format!("r{r} = {word:#x}: {e}"))?;
        }
        Ok(())
    }

    /// Whether a word has a type.
    fn word(&mut self, ty: WordId, word: u64, vars: &Vars) -> Watched<()> {
        let program = self.program;
        match program.types.word(ty) {
            WordTy::Int(t) => match value(t, vars) {
                Some(x) if cut(x as u64, self.bits) != word => Err(format!("is not {x}")),
                _ => Ok(()),
            },
            WordTy::Range(range) => match holds(*range, number(word, self.bits, *range)) {
                true => Ok(()),
                false => Err(format!("lies outside of {}..{}", range.lo, range.hi)),
            },
            WordTy::Opt(inner) => {
                if word == 0 {
                    Ok(())
                } else {
                    self.word(*inner, word, vars)
                }
            }
            WordTy::Res(_) if word >= cut(4095u64.wrapping_neg(), self.bits) => Ok(()),
            WordTy::When(t, range, inner) => match value(t, vars) {
                Some(x) if (range.lo..=range.hi).contains(&x) => self.word(*inner, word, vars),
                _ => Ok(()),
            },
            // As long as the call, it is a pointer.
            WordTy::Res(inner) | WordTy::During(_, inner) => self.word(*inner, word, vars),
            // What it hides is not known here; but it is a pointer.
            WordTy::Exists(_) if word == 0 => Err("is 0".into()),
            WordTy::Exists(_) => Ok(()),
            WordTy::Fn(sig) => match program.sig_at(word) {
                Some(found) if program.same_sig(*sig, found) => Ok(()),
                _ => Err("is no function of that type".into()),
            },
            // What it is applied to is not known here; but it is a function.
            WordTy::FnAt(..) => match program.sig_at(word) {
                Some(_) => Ok(()),
                None => Err("is no function".into()),
            },
            WordTy::Ptr(mode, layout) => self.pointee(*mode, *layout, word, vars),
            WordTy::Of(t, linear) => {
                match value(t, vars).and_then(|x| program.decode(&Term::from(x), *linear, self.scope())) {
                    Some(known) => self.word(known, word, vars),
                    None => Ok(()),
                }
            }
            // The first word of a variable decides.
            WordTy::Var(v) => match self.words.get_mut(*v as usize) {
                Some(slot) if slot.is_none_or(|w| w == word) => {
                    *slot = Some(word);
                    Ok(())
                }
                _ => Err("is not the word that the variable stands for".into()),
            },
        }
    }

    fn pointee(&mut self, mode: Mode, layout: LayoutId, word: u64, vars: &Vars) -> Watched<()> {
        let program = self.program;
        let strings = matches!(program.types.layout(layout), Layout::Cstr(_) | Layout::NullTerm(..));
        let size = program.shapes.size(layout).and_then(|t| under(t, &None)).and_then(|t| value(&t, vars));
        match size {
            // Strings are looked at up to their end.
            _ if strings => self.terminated(layout, word, vars),
            Some(size) => {
                let size = u64::try_from(size).map_err(|_| "a negative size".to_string())?;
                let write = mode.writable();
                self.memory.allowed(program, self.regs[RSP], word, size, write)
            }
            None => Ok(()),
        }
    }

    fn terminated(&mut self, layout: LayoutId, word: u64, vars: &Vars) -> Watched<()> {
        let program = self.program;
        let step =
            if matches!(program.types.layout(layout), Layout::Cstr(_)) { 1 } else { self.word_bytes() };
        let expected = match program.types.layout(layout) {
            Layout::Cstr(Some(m)) | Layout::NullTerm(Some(m), _) => value(m, vars),
            _ => None,
        };
        for i in 0u64.. {
            let at = word.wrapping_add(i * step);
            self.memory.allowed(program, self.regs[RSP], at, step, false)?;
            if self.memory.read(at, step as usize)? == 0 {
                return match expected {
                    Some(m) if m != i128::from(i) => Err(format!("a string of length {i}, not {m}")),
                    _ => Ok(()),
                };
            }
        }
        Ok(())
    }

    /// A function is entered: its return address is on the stack already.
    pub(crate) fn enter(&mut self, function: usize) -> Watched<Vars> {
        let sig = self.signature(function);
        let mut vars = vec![None; sig.vars.len()];
        self.words = vec![None; sig.word_vars as usize];
        let what = |e: String| format!("at the entry of the function: {e}");
        self.agree(&sig.params, &sig.vars, &sig.facts, &mut vars).map_err(what)?;
        Ok(vars)
    }

    /// A function returns: rsp is above the return address.
    pub(crate) fn leave(&mut self, frame: &Frame) -> Watched<()> {
        let sig = self.signature(frame.function);
        if sig.noreturn {
            return Err("a function returns that does not".into());
        }
        self.words = frame.words.clone();
        // Annotations may speak of registers that the architecture does not have.
        let registers = usize::from(self.program.arch.registers());
        for r in (0..registers).filter(|r| sig.preserved >> r & 1 == 1 && *r != RSP) {
            if self.regs[r] != frame.regs[r] {
                return Err(format!("r{r} is not preserved"));
            }
        }
        let mut vars = frame.vars.clone();
        vars.resize(sig.vars.len() + sig.result_vars.len(), None);
        let ranges: Vec<Interval> = sig.vars.iter().chain(&sig.result_vars).copied().collect();
        let what = |e: String| format!("at the return: {e}");
        self.agree(&sig.results, &ranges, &sig.result_facts, &mut vars).map_err(what)?;
        // Another function of this type would have left something else.
        let kept =
            |r: usize| sig.preserved >> r & 1 == 1 || sig.results.iter().any(|x| usize::from(x.0) == r);
        for r in (0..16).filter(|r| *r != RSP && !kept(*r)) {
            self.regs[r] = self.any_word();
        }
        self.flags = self.any_flags();
        Ok(())
    }

    fn signature(&self, function: usize) -> Sig {
        self.program.types.sig(self.program.functions[function].sig).clone()
    }
}
