//! Calls, tail calls, returns, and the state at a function's entry.

use crate::arith::Flags;
use crate::engine::{Checked, Engine, Flow, under};
use crate::facts::Interval;
use crate::guide::Guide;
use crate::limits;
use crate::matching::{Blame, Subst};
use crate::state::{Env, Lay, Word};
use crate::term::Term;
use crate::types::{Layout, LayoutId, Mode, RegSet, Sig, SigId, WordId, WordTy};
use crate::verdict::Code;
use crate::x86::insn::Reg;
use alloc::vec;
use alloc::vec::Vec;

/// Failures of arguments.
pub const CALL: Blame = Blame { shape: Code::ArgType, fact: Code::ArgFact };
/// Failures of results.
pub const RETURN: Blame = Blame { shape: Code::ResultType, fact: Code::ResultFact };

/// The order in which arguments and results are matched: integers bind variables exactly, while memory may be larger
/// than what is asked for; and what is given away is gone before anything is lent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Integer,
    Owned,
    Other,
}

impl Kind {
    const ORDER: [Kind; 3] = [Kind::Integer, Kind::Owned, Kind::Other];
}

/// Memory that one call borrows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lent {
    /// A location.
    Object(u32, Mode),
    /// Bytes of the frame, `lo..hi` relative to rsp at entry.
    Frame(i64, i64, Mode),
    /// What an untested word owns.
    Untested(u32, Mode),
}

impl Lent {
    fn mode(self) -> Mode {
        match self {
            Lent::Object(_, m) | Lent::Frame(_, _, m) | Lent::Untested(_, m) => m,
        }
    }
    fn overlaps(self, other: Lent) -> bool {
        match (self, other) {
            (Lent::Object(a, _), Lent::Object(b, _)) | (Lent::Untested(a, _), Lent::Untested(b, _)) => a == b,
            (Lent::Frame(a, b, _), Lent::Frame(c, d, _)) => a < d && c < b,
            _ => false,
        }
    }
}

impl<'a, G: Guide> Engine<'a, G> {
    /// Builds the state at the function's entry from its signature.
    pub fn start(&mut self) -> Checked {
        let sig = self.sig();
        self.spend((sig.vars.len() + sig.params.len() + sig.stack.len() + sig.facts.len()) as u64)?;
        self.state.clear();
        for range in &sig.vars {
            self.state.facts.fresh(*range);
        }
        if sig.start {
            self.start_process()?;
            self.open_statics(sig)?;
            self.close_entry();
            return Ok(());
        }
        for r in 0..self.program.arch.registers() {
            if sig.preserved >> r & 1 == 1 {
                self.set(Reg(r), Word::Entry(r));
            }
        }
        for &(r, ty) in &sig.params {
            let word = self.load_word(ty, &None)?;
            self.set(Reg(r), word);
        }
        for &ty in &sig.stack {
            let word = self.load_word(ty, &None)?;
            self.state.incoming.push(word);
        }
        for fact in &sig.facts {
            self.state.facts.assume(fact);
        }
        self.open_statics(sig)?;
        self.close_entry();
        Ok(())
    }

    /// The process's first state: rsp points to the block that the kernel writes (argument count,
    /// argument strings, 0, environment strings, 0), location 0, which never changes.
    fn start_process(&mut self) -> Checked {
        let most = Interval::new(0, (1 << 31) - 1);
        self.state.facts.fresh(most);
        self.state.facts.fresh(most);
        let lay = crate::state::Lay { id: self.program.shapes.block(), env: None };
        self.open(Mode::Imm, lay)?;
        Ok(())
    }

    fn close_entry(&mut self) {
        self.rigid_vars = self.state.facts.var_count();
        self.rigid_locs = self.state.locs.len();
        alloc::rc::Rc::make_mut(&mut self.entry).copy_from(&self.state);
    }

    /// Matches arguments in the order of their kinds.
    fn arguments(&mut self, sig: &Sig) -> Checked<Subst> {
        let lists = sig.params.len() + sig.stack.len() + sig.vars.len() + sig.word_vars as usize;
        self.spend(16 + lists as u64)?;
        let mut s = Subst::new(0, sig.vars.len());
        s.words = vec![None; sig.word_vars as usize];
        self.lent.clear();
        let word = self.word();
        self.unique.clear();
        self.loans.clear();
        self.whole_words(&sig.params, CALL)?;
        for (v, t) in core::mem::take(&mut self.chosen) {
            if let Some(slot) = s.terms.get_mut(v as usize) {
                *slot = Some(t);
            }
        }
        self.bind_types(sig, &mut s)?;
        self.suspended.clear();
        for kind in Kind::ORDER {
            for &(r, ty) in &sig.params {
                if self.kind(ty) == kind {
                    let w = self.get(Reg(r));
                    let kept = sig.kept.iter().position(|k| k.param == r);
                    let unique = self.unique_layout(ty).map(|layout| {
                        (layout, sig.gives_back.iter().find(|g| g.0 == r).map_or(layout, |g| g.1))
                    });
                    if let (Some(unique), Word::Ptr(l, at)) = (unique, &w)
                        && self.lends_part(&mut s, unique, (*l, at), CALL).map_err(|e| e.reg(r))?
                    {
                        continue;
                    }
                    self.suspend = kept.is_some();
                    self.match_word(&mut s, (ty, &None), &w, CALL).map_err(|e| e.reg(r))?;
                    self.suspend = false;
                    if let (Some(i), Word::Ptr(l, _)) = (kept, &w) {
                        self.suspended.push((*l, i));
                    }
                    if let Some((_, gives)) = unique {
                        match (w, self.loans.last_mut()) {
                            (Word::Ptr(l, _), _) => self.unique.push((l, gives)),
                            // The one that matching has just made.
                            (Word::Sp(_), Some(loan)) => loan.layout = gives,
                            _ => {}
                        }
                    }
                }
            }
            // What they own is given away; no borrow of them, or of what is in them, is found afterwards.
            if kind == Kind::Owned {
                self.close_statics(&sig.uses, CALL)?;
            }
            for (i, &ty) in sig.stack.iter().enumerate() {
                if self.kind(ty) == kind {
                    let at = self.state.depth + word * i as i64;
                    let slot = self.state.slot_at(at).and_then(|i| self.state.frame.get(i));
                    let w = match slot {
                        Some(f) if f.off == at && f.size == word => f.word.clone().unwrap_or_default(),
                        _ => return self.reject(Code::ArgType, "an argument on the stack is missing"),
                    };
                    self.match_word(&mut s, (ty, &None), &w, CALL)?;
                }
            }
        }
        self.discharge(&mut s, &sig.vars, &sig.facts, CALL)?;
        self.stretches_last(sig, &s, CALL)?;
        self.borrows(sig.stack.len())?;
        self.no_static_lent(&sig.uses)?;
        Ok(s)
    }

    /// What the type variables stand for that type words in registers, and the variables that function values mention, as
    /// far as memory that is passed tells: a word itself never does, and may have to be given away before anything is
    /// lent. Matching makes goals of it later.
    fn bind_types(&mut self, sig: &Sig, s: &mut Subst) -> Checked {
        let types = &self.program.types;
        let wanted = |ty: WordId| match types.word(ty) {
            WordTy::Of(t, _) => t.as_var(),
            _ => match types.layout(types.pointer(ty)?.1) {
                Layout::Of(t, _) => t.as_var(),
                _ => None,
            },
        };
        let mut open: Vec<u32> = Vec::new();
        for ty in sig.params.iter().map(|p| p.1).chain(sig.stack.iter().copied()) {
            match types.word(ty) {
                WordTy::FnAt(_, args) => open.extend(args.iter().filter_map(Term::as_var)),
                _ => open.extend(wanted(ty)),
            }
        }
        if open.is_empty() {
            return Ok(());
        }
        self.spend(open.len() as u64)?;
        open.sort_unstable();
        open.dedup();
        let open = |t: &Term, outer: u32| {
            t.as_var().filter(|v| *v < outer && open.binary_search(v).is_ok()).map(|v| v as usize)
        };
        for &(r, ty) in &sig.params {
            let Word::Ptr(l, _) = self.get(Reg(r)) else { continue };
            let Ok(loc) = self.loc(l) else { continue };
            self.spend(8)?;
            let ty = match types.word(ty) {
                WordTy::During(t, inner) => {
                    if let (Some(v), Some(stretch)) = (open(t, u32::MAX), loc.stretch)
                        && let Some(slot @ None) = s.terms.get_mut(v)
                    {
                        *slot = Some(Term::var(stretch));
                    }
                    *inner
                }
                _ => ty,
            };
            let Some((_, mut want)) = types.pointer(ty) else { continue };
            // What is hidden on either side says nothing.
            let (mut have, mut env) = (loc.lay.id, loc.lay.env);
            let (mut outer, mut known) = (u32::MAX, u32::MAX);
            for _ in 0..=limits::NESTING {
                self.spend(1)?;
                match (types.layout(want), types.layout(have)) {
                    (Layout::Exists(e), _) => (want, outer) = (e.body, outer.min(e.first)),
                    (_, Layout::Exists(e)) => (have, known) = (e.body, known.min(e.first)),
                    (Layout::Struct(a, want), Layout::Struct(b, have)) if a == b => {
                        for (p, t) in want.iter().zip(have.iter()) {
                            self.spend(1 + sig.params.len() as u64)?;
                            if let Some(slot @ None) = open(p, outer).and_then(|v| s.terms.get_mut(v))
                                && t.scope() <= known
                            {
                                *slot = under(t, &env);
                            }
                        }
                        break;
                    }
                    // Part of it, as far as that can be told.
                    (_, Layout::Struct(strukt, args)) if known == u32::MAX => {
                        let fields = types.strukt(*strukt).fields().unwrap_or(&[]);
                        self.spend(fields.len() as u64)?;
                        let like = |f: &&LayoutId| self.program.head(**f) == self.program.head(want);
                        let Some(field) = fields.iter().find(like) else { break };
                        env = self.compose(args, &env)?;
                        have = *field;
                    }
                    (Layout::Array(_, p), Layout::Array(_, h)) => (want, have) = (*p, *h),
                    (Layout::Cell(p), Layout::Cell(h)) => {
                        if let WordTy::Of(p, _) = types.word(*p)
                            && let Some(slot @ None) = open(p, outer).and_then(|v| s.terms.get_mut(v))
                        {
                            *slot = match types.word(*h) {
                                WordTy::Of(t, _) if t.scope() <= known => under(t, &env),
                                WordTy::Of(..) => None,
                                _ => self.program.code(*h),
                            };
                        }
                        break;
                    }
                    _ => break,
                }
            }
        }
        Ok(())
    }

    fn kind(&self, ty: WordId) -> Kind {
        match self.program.types.word(ty) {
            // What a function is applied to says which types its words have.
            WordTy::Int(_) | WordTy::FnAt(..) => Kind::Integer,
            _ if self.program.types.linear(ty) => Kind::Owned,
            _ => Kind::Other,
        }
    }

    /// What an exclusive borrow of typed memory takes.
    fn unique_layout(&self, ty: WordId) -> Option<LayoutId> {
        match self.program.types.word(ty) {
            WordTy::Ptr(Mode::Uniq, layout) if self.program.shapes.raw_size(*layout).is_none() => {
                Some(*layout)
            }
            _ => None,
        }
    }

    /// What one call borrows must not contradict itself: exclusive memory is lent once, and memory
    /// that is lent as unchanging is not lent for writing too.
    pub fn borrows(&mut self, stack_args: usize) -> Checked {
        let floor = self.state.depth + self.word() * stack_args as i64;
        for (i, &a) in self.lent.iter().enumerate() {
            if let Lent::Frame(lo, hi, _) = a
                && lo < floor
                && hi > lo
            {
                return self.reject(Code::BorrowConflict, "lent frame memory contains arguments of the call");
            }
            for &b in &self.lent[..i] {
                let (m, n) = (a.mode(), b.mode());
                let exclusive = m == Mode::Uniq || n == Mode::Uniq;
                let torn = (m == Mode::Frozen && n.writable()) || (n == Mode::Frozen && m.writable());
                if a.overlaps(b) && (exclusive || torn) {
                    return self
                        .reject(Code::BorrowConflict, "one object is lent twice, and not only for reading");
                }
            }
        }
        let steps = self.lent.len() as u64;
        self.spend(steps * steps)
    }

    /// What holds after a call. The call itself touched the stack: it pushed the return address.
    fn after_call(&mut self, sig: &Sig, mut s: Subst) -> Checked {
        let word = self.word();
        let args = word * sig.stack.len() as i64;
        if args > 0 {
            self.state.forget_frame(self.state.depth, self.state.depth + args);
        }
        self.state.touched = self.state.touched.min(self.state.depth - word);
        self.clobber(!sig.preserved);
        self.results(&sig.result_vars, &sig.result_facts, &sig.results, &mut s)?;
        for (l, layout) in core::mem::take(&mut self.unique) {
            let lay = self.canonical(&Lay { id: layout, env: s.env() })?;
            if let Some(loc) = self.state.locs.get_mut(l as usize) {
                loc.empty();
                loc.lay = lay;
            }
            self.state.forget_tags(l);
            self.unfold(l)?;
        }
        self.loans_return(&s, CALL)?;
        self.come_back(sig, &s)
    }

    /// Registers that a call may change hold nothing known afterwards.
    pub fn clobber(&mut self, set: RegSet) {
        // Who was called may have written what he was lent.
        self.state.byte = None;
        self.state.flags = Flags::unknown();
        for r in 0..16 {
            if set >> r & 1 == 1 {
                self.set(Reg(r), Word::Any);
            }
        }
    }

    /// Results with fresh variables for what the postcondition binds.
    pub fn results(
        &mut self,
        vars: &[Interval],
        facts: &[Term],
        results: &[(u8, WordId)],
        s: &mut Subst,
    ) -> Checked {
        self.spend((s.terms.len() + vars.len()) as u64)?;
        for range in vars {
            let t = self.fresh(*range);
            s.terms.push(Some(t));
        }
        for fact in facts {
            self.spend(1 + fact.summands().len() as u64)?;
            // A fact that overflows is not known: less is proved.
            if let Some(fact) = s.apply(fact) {
                self.state.facts.assume(&fact);
            }
        }
        let env: Env = s.env();
        for &(r, ty) in results {
            let word = match self.program.types.word(ty) {
                WordTy::Var(v) => {
                    let word = s.words.get(*v as usize).cloned().flatten().unwrap_or_default();
                    // The call may have taken what it points to.
                    match word {
                        Word::Ptr(l, _) if self.loc(l).is_err() => Word::Any,
                        word => word,
                    }
                }
                _ => self.load_word(ty, &env)?,
            };
            self.set(Reg(r), word);
        }
        Ok(())
    }

    /// Calls a function of this signature; the return address has not been pushed.
    pub fn call_sig(&mut self, id: SigId) -> Checked<Flow> {
        let sig = self.program.types.sig(id);
        let s = self.arguments(sig)?;
        if sig.noreturn {
            return Ok(Flow::Trap);
        }
        self.after_call(sig, s)?;
        Ok(Flow::Next)
    }

    /// `jmp` to a function: a call whose return is our own.
    pub fn tail_call(&mut self, id: SigId) -> Checked<Flow> {
        let sig = self.program.types.sig(id);
        if self.state.depth != 0 {
            return self.reject(Code::FrameOpen, "a tail call while the frame is not empty");
        }
        if !sig.stack.is_empty() {
            return self.reject(Code::TailCall, "a tail call cannot pass arguments on the stack");
        }
        // The entry function has no return address, and neither has a function that does not return
        // and that the entry function has jumped to.
        if (self.sig().start || self.sig().noreturn) && !sig.noreturn {
            return self
                .reject(Code::TailCall, "a function that does not return ends in one that does not either");
        }
        let s = self.arguments(sig)?;
        if !sig.noreturn {
            self.after_call(sig, s)?;
            self.returning()?;
        }
        Ok(Flow::Away)
    }

    /// `ret`: the return slot is on top, and the postcondition holds.
    pub fn ret(&mut self) -> Checked<Flow> {
        let sig = self.sig();
        if sig.start {
            return self.reject(Code::FrameOpen, "the entry function has no return address");
        }
        if sig.noreturn {
            return self.reject(Code::ResultType, "the signature says that the function does not return");
        }
        if self.state.depth != 0 {
            return self.reject(Code::FrameOpen, "the return address is not on top of the stack");
        }
        self.returning()?;
        Ok(Flow::Away)
    }

    /// The postcondition and the preserved registers.
    fn returning(&mut self) -> Checked {
        let sig = self.sig();
        let entry = self.entry.clone();
        self.end_stretches()?;
        self.end_cursors()?;
        for r in 0..self.program.arch.registers() {
            if sig.preserved >> r & 1 == 1
                && Reg(r) != Reg::SP
                && self.state.regs.get(r as usize) != entry.regs.get(r as usize)
            {
                return Err(self
                    .fail(Code::Preserved, "the register does not hold what the caller had in it")
                    .reg(r));
            }
        }
        self.whole_words(&sig.results, RETURN)?;
        let telling: Vec<Word> = sig.kept.iter().map(|k| self.get(Reg(k.result))).collect();
        let mut s = Subst::new(sig.vars.len() as u32, sig.result_vars.len());
        s.words = (0..sig.word_vars).map(|v| Some(Word::Var(v))).collect();
        for kind in Kind::ORDER {
            for &(r, ty) in &sig.results {
                if self.kind(ty) == kind {
                    let w = self.get(Reg(r));
                    self.match_word(&mut s, (ty, &None), &w, RETURN).map_err(|e| e.reg(r))?;
                }
            }
        }
        self.close_statics(&sig.uses, RETURN)?;
        for (kept, word) in sig.kept.iter().zip(telling) {
            if let Some(Word::Ptr(l, _)) = entry.regs.get(usize::from(kept.param)) {
                self.give_back(&mut s, kept, *l, &word, RETURN).map_err(|e| e.reg(kept.param))?;
            }
        }
        for &(r, ty) in &sig.params {
            let (Some(layout), Some(Word::Ptr(l, _))) = (self.unique_layout(ty), entry.regs.get(r as usize))
            else {
                continue;
            };
            let gives = sig.gives_back.iter().find(|g| g.0 == r).map_or(layout, |g| g.1);
            self.whole(*l, RETURN)?;
            self.pack(&mut s, (gives, &None), *l, &[], RETURN).map_err(|e| e.reg(r))?;
        }
        self.discharge(&mut s, &sig.result_vars, &sig.result_facts, RETURN)
    }
}
