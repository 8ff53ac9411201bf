//! The engine: one state, one guide, and the steps that every rule is made of.

use crate::arith::{Flags, Prove};
use crate::facts::{Facts, Interval};
use crate::guide::{Ghost, Guide};
use crate::matching::Subst;
use crate::program::{EQ_STEPS, Function, Program};
use crate::state::{Env, Lay, Loc, LocId, STATIC, State, Word};
use crate::term::{Term, Var};
use crate::types::{Layout, Mode, Sig, SigId, WordId, WordTy};
use crate::verdict::{Code, Reject};
use crate::x86::insn::{Insn, Width};
use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;

/// Checks one function, one instruction after the other.
pub struct Engine<'a, G> {
    /// Everything that may be looked up.
    pub program: &'a Program<'a>,
    /// The function.
    pub function: &'a Function,
    /// Where the answers come from.
    pub guide: G,
    /// The state before the instruction at `ip`.
    pub state: State,
    /// The address of the present instruction.
    pub ip: u64,
    /// How many index variables (those of the signature) mean the same at every label.
    pub rigid_vars: usize,
    /// How many locations (those of the parameters) mean the same at every label.
    pub rigid_locs: usize,
    /// The location of the first owned static that the function uses; the others follow, as its signature lists them.
    pub first_static: LocId,
    /// Whether some word of the state may be of a type `opt`; see [`Engine::resolve`].
    pub untested: bool,
    /// What the present call borrows.
    pub lent: Vec<crate::rules::Lent>,
    /// The locations that the present call borrows exclusively and gives back with new contents.
    pub unique: Vec<(LocId, crate::types::LayoutId)>,
    /// Typed memory of the frame that the present call may write.
    pub loans: Vec<crate::rules::Loan>,
    /// The next object that is given away may come back: it is not ended.
    pub suspend: bool,
    /// The objects of the present call that may come back, and which of [`Sig::kept`] says when.
    pub suspended: Vec<(LocId, usize)>,
    /// Untested words that own memory and that the label which is being matched keeps: the label's variable, ours.
    pub kept: Vec<(crate::term::Var, crate::term::Var)>,
    /// What type variables of the function stand for that is called next.
    pub chosen: Vec<(u32, Term)>,
    /// How many objects are being packed, one inside the other.
    pub packing: usize,
    /// Locations that were packed to unions whose tags had been written: what was known of tags in them is not true of
    /// what they hold then.
    pub retagged: Vec<LocId>,
    /// The state at the function's entry.
    pub entry: Rc<State>,
    /// Memory for matching labels.
    pub subst: Subst,
    /// Steps left.
    pub fuel: u64,
    /// Proofs by certificate so far.
    pub certificates: u64,
}

/// Where control goes after an instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flow {
    /// To the next instruction.
    Next,
    /// Elsewhere: the next instruction is not reached from here.
    Away,
    /// A function that does not return was called: `ud2` must follow.
    Trap,
}

/// The result of a rule.
pub type Checked<T = ()> = Result<T, Box<Reject>>;

/// Proofs on demand for the arithmetic rules, by the guide.
pub struct Prover<'g, G> {
    guide: &'g mut G,
    certificates: &'g mut u64,
    fuel: &'g mut u64,
}

impl<G: Guide> Prove for Prover<'_, G> {
    fn prove(&mut self, facts: &Facts, goal: &Term) -> bool {
        if facts.evident(goal) {
            return true;
        }
        let Some(cert) = self.guide.optional(facts, goal) else { return false };
        self.pay(cert.uses.len() as u64 * 4);
        let proved = facts.certified(goal, &cert);
        *self.certificates += u64::from(proved);
        proved
    }

    /// Whoever has nothing left is rejected at the next step.
    fn pay(&mut self, steps: u64) {
        *self.fuel = self.fuel.saturating_sub(steps);
    }
}

impl<'a, G: Guide> Engine<'a, G> {
    /// At the entry of a function: its state is that of its signature.
    pub fn new(program: &'a Program<'a>, function: &'a Function, guide: G, fuel: u64) -> Checked<Self> {
        let mut engine = Engine::blank(program, function, guide, fuel);
        engine.start()?;
        Ok(engine)
    }

    /// With an empty state.
    pub fn blank(program: &'a Program<'a>, function: &'a Function, guide: G, fuel: u64) -> Self {
        Engine::in_place_of((State::default(), Rc::default()), program, function, guide, fuel)
    }

    /// With any state, in the memory of a state and an entry state that are not needed any more.
    pub fn in_place_of(
        (state, entry): (State, Rc<State>),
        program: &'a Program<'a>,
        function: &'a Function,
        guide: G,
        fuel: u64,
    ) -> Self {
        Engine {
            program,
            function,
            guide,
            state,
            ip: function.addr,
            rigid_vars: 0,
            rigid_locs: 0,
            first_static: 0,
            untested: false,
            lent: Vec::new(),
            unique: Vec::new(),
            loans: Vec::new(),
            suspend: false,
            suspended: Vec::new(),
            kept: Vec::new(),
            chosen: Vec::new(),
            packing: 0,
            retagged: Vec::new(),
            entry,
            subst: Subst::default(),
            fuel,
            certificates: 0,
        }
    }

    /// The same engine with another source of answers.
    pub fn guided_by<H>(self, guide: H) -> Engine<'a, H> {
        Engine {
            program: self.program,
            function: self.function,
            guide,
            state: self.state,
            ip: self.ip,
            rigid_vars: self.rigid_vars,
            rigid_locs: self.rigid_locs,
            first_static: self.first_static,
            untested: self.untested,
            lent: self.lent,
            unique: self.unique,
            loans: self.loans,
            suspend: self.suspend,
            suspended: self.suspended,
            kept: self.kept,
            chosen: self.chosen,
            packing: self.packing,
            retagged: self.retagged,
            entry: self.entry,
            subst: self.subst,
            fuel: self.fuel,
            certificates: self.certificates,
        }
    }

    /// The size of a word in bytes.
    pub fn word(&self) -> i64 {
        i64::from(self.program.arch.word_bytes())
    }

    /// The width of a word.
    pub fn word_width(&self) -> Width {
        self.program.arch.word_width()
    }

    /// The words as unsigned numbers.
    pub fn word_range(&self) -> Interval {
        Interval::unsigned(self.program.arch.word_bits())
    }

    /// The words that are addresses in the user's half of the address space.
    pub fn pointer_range(&self) -> Interval {
        Interval::new(0, self.program.arch.max_address())
    }

    /// The largest size of an object (2^47 bytes on AMD64, 2^32 - 65536 on IA-32).
    pub fn max_object(&self) -> i128 {
        self.program.arch.max_object()
    }

    /// The signature of the function.
    pub fn sig(&self) -> &'a Sig {
        self.program.types.sig(self.function.sig)
    }

    /// The offset of the present instruction in the function.
    pub fn offset(&self) -> u64 {
        self.ip.wrapping_sub(self.function.addr)
    }

    /// A rejection of the present instruction.
    #[cold]
    pub fn fail(&self, code: Code, why: &'static str) -> Box<Reject> {
        Reject::new(code, self.ip, why)
    }

    /// Rejects.
    pub fn reject<T>(&self, code: Code, why: &'static str) -> Checked<T> {
        Err(self.fail(code, why))
    }

    /// The value, or a rejection because the arithmetic of terms overflowed.
    #[inline]
    pub fn term<T>(&self, t: Option<T>) -> Checked<T> {
        t.ok_or_else(|| self.fail(Code::Limit, "a term is too large"))
    }

    /// Goes back to the facts of a mark.
    pub fn rollback(&mut self, mark: crate::facts::Mark) {
        self.state.facts.rollback(mark);
        self.state.forget_addresses();
    }

    /// Pays for `steps` steps.
    #[inline]
    pub fn spend(&mut self, steps: u64) -> Checked {
        match self.fuel.checked_sub(steps) {
            Some(left) => self.fuel = left,
            None => return self.reject(Code::Fuel, "out of fuel"),
        }
        Ok(())
    }

    /// Whether two signatures are the same.
    pub fn same_sig(&mut self, a: SigId, b: SigId) -> Checked<bool> {
        if a == b {
            return Ok(true);
        }
        let most = EQ_STEPS.min(self.fuel);
        let mut left = most;
        let same = crate::eq::same_sig(&self.program.types, a, b, &mut left);
        self.spend(most - left)?;
        Ok(same)
    }

    /// The terms that a type mentions under the environment that it is used in.
    pub fn compose(&mut self, inner: &[Term], outer: &Env) -> Checked<Env> {
        self.spend(inner.iter().map(|t| 1 + t.summands().len() as u64).sum())?;
        compose(inner, outer).ok_or_else(|| self.fail(Code::Limit, "a term is too large"))
    }

    /// Proves `goal >= 0` or rejects with `code`.
    pub fn require(&mut self, goal: &Term, code: Code, why: &'static str) -> Checked {
        self.spend(1 + goal.summands().len() as u64)?;
        if self.state.facts.evident(goal) { Ok(()) } else { self.demand(goal, code, why) }
    }

    /// Proves a goal that is not evident.
    fn demand(&mut self, goal: &Term, code: Code, why: &'static str) -> Checked {
        // Where no execution comes, everything holds.
        if self.state.facts.contradictory() {
            return Ok(());
        }
        if let Some(cert) = self.guide.required(&self.state.facts, goal) {
            self.spend(cert.uses.len() as u64 * 4)?;
            if self.state.facts.certified(goal, &cert) {
                self.certificates += 1;
                return Ok(());
            }
        }
        Err(self.fail(code, why).goal(goal))
    }

    /// Proves `lo <= t <= hi` or rejects.
    pub fn require_in(&mut self, t: &Term, range: Interval, code: Code, why: &'static str) -> Checked {
        self.spend(2 + 2 * t.summands().len() as u64)?;
        let known = self.state.facts.range(t);
        if known.lo < range.lo {
            let goal = self.term(range.lo.checked_neg().and_then(|c| t.offset(c)))?;
            self.demand(&goal, code, why)?;
        }
        if known.hi > range.hi {
            let goal = self.term(t.neg().and_then(|n| n.offset(range.hi)))?;
            self.demand(&goal, code, why)?;
        }
        Ok(())
    }

    /// Whether `goal >= 0` can be proved; used where a result is only made more precise.
    pub fn try_prove(&mut self, goal: &Term) -> bool {
        let (_, facts, mut prover) = self.split();
        prover.prove(facts, goal)
    }

    /// The flags and facts, and proofs for the arithmetic rules.
    pub fn split(&mut self) -> (&Flags, &mut Facts, Prover<'_, G>) {
        let prover =
            Prover { guide: &mut self.guide, certificates: &mut self.certificates, fuel: &mut self.fuel };
        (&self.state.flags, &mut self.state.facts, prover)
    }

    /// A word about which only its interval is known.
    pub fn fresh(&mut self, range: Interval) -> Term {
        self.state.fresh(range)
    }

    /// The signature that the function at an address has for this one.
    pub fn sig_at(&self, addr: u64) -> Option<SigId> {
        self.program.sig_for(self.function.scope, addr)
    }

    /// The word type of which a term is the code, as this function sees it.
    pub fn decode(&self, t: &Term, linear: bool) -> Option<WordId> {
        self.program.decode(t, linear, self.function.scope)
    }

    /// What a location holds and how it may be used.
    pub fn loc(&self, id: LocId) -> Checked<Loc> {
        let found = if id >= STATIC {
            // Owned statics are locations of the functions that use them, and nothing else.
            let found = self.program.object_for(self.function.scope, id - STATIC);
            found
                .filter(|(mode, _)| *mode != Mode::Uniq)
                .map(|(mode, layout)| Loc::new(mode, Lay { id: layout, env: Some(Rc::from([])) }))
        } else {
            match self.state.locs.get(id as usize) {
                Some(l) if !l.live => {
                    let why = match l.guard {
                        Some(_) => {
                            "the memory was given away, and what tells whether it is back was not tested"
                        }
                        None if self.state.locs.iter().any(|c| c.hole.is_some_and(|h| h.root == id)) => {
                            "a cursor is in this memory: `end` it first"
                        }
                        None => "the memory was given away before, or is part of itself",
                    };
                    return self.reject(Code::NotPointer, why);
                }
                l => l.cloned(),
            }
        };
        found.ok_or_else(|| {
            self.fail(
                Code::NotPointer,
                "a jump table, or an owned static that the function does not use, is not data",
            )
        })
    }

    /// The size of a layout in bytes, where it is known.
    pub fn size_of(&self, lay: &Lay) -> Option<Term> {
        let size = self.program.shapes.size(lay.id)?;
        under(size, &lay.env)
    }

    /// The address of a location as a variable: `1 <= addr(l)`, and the object ends where programs have memory: every
    /// object lies in the address space and not at 0. So two neighbours on AMD64 are together no larger than one object
    /// may be.
    pub fn addr(&mut self, id: LocId) -> Checked<Term> {
        if id >= STATIC {
            if let Some(&(_, v)) = self.state.static_addrs.iter().find(|a| a.0 == id - STATIC) {
                return Ok(Term::var(v));
            }
        } else if let Some(v) = self.state.locs.get(id as usize).and_then(|l| l.addr) {
            return Ok(Term::var(v));
        }
        let loc = self.loc(id)?;
        let v = self.state.facts.fresh(Interval::new(1, self.pointer_range().hi));
        self.ends_in_memory(&loc.lay, v);
        if id >= STATIC {
            // The list is searched from end to end, so it stays short.
            if self.state.static_addrs.len() < crate::limits::LOCATIONS {
                self.state.static_addrs.push((id - STATIC, v));
            }
        } else if let Some(l) = self.state.locs.get_mut(id as usize) {
            l.addr = Some(v);
        }
        Ok(Term::var(v))
    }

    /// What is known of the address of every object.
    pub fn ends_in_memory(&mut self, lay: &Lay, addr: Var) {
        let room = self.size_of(lay).and_then(|s| Term::from(self.pointer_range().hi).sub(&s));
        if let Some(fact) = room.and_then(|r| r.sub(&Term::var(addr))) {
            self.state.facts.assume(&fact);
        }
    }

    /// The value of rsp at the function's entry as a variable. The stack lies above the program's segments,
    /// so what has been touched of it is no lower than they are; and at most the probe debt, which is not
    /// larger than the lowest address, lies below that. So every address in the frame is a positive number.
    fn stack_addr(&mut self) -> Term {
        const STACK: u32 = u32::MAX;
        if let Some(&(_, v)) = self.state.static_addrs.iter().find(|a| a.0 == STACK) {
            return Term::var(v);
        }
        let lowest = i128::from(crate::limits::LOWEST_ADDRESS) - i128::from(self.state.touched).min(0);
        let v = self.state.facts.fresh(Interval::new(lowest, self.pointer_range().hi));
        if self.state.static_addrs.len() < crate::limits::LOCATIONS {
            self.state.static_addrs.push((STACK, v));
        }
        Term::var(v)
    }

    /// A word read as an integer of full width: any term congruent to it.
    pub fn integer(&mut self, word: &Word) -> Checked<Term> {
        Ok(match word {
            Word::Int(t) => t.clone(),
            Word::Opt(v, ..) => Term::var(*v),
            Word::Ptr(l, e) => {
                let addr = self.addr(*l)?;
                match addr.add(e) {
                    Some(t) => t,
                    None => self.fresh(self.word_range()),
                }
            }
            Word::Sp(e) => {
                let top = self.stack_addr();
                match top.add(e) {
                    Some(t) => t,
                    None => self.fresh(self.word_range()),
                }
            }
            _ => self.fresh(self.word_range()),
        })
    }

    /// Makes a location for memory that the function may use from here on, and assumes what holds
    /// of every object: `0 <= size(l) <= MAXOBJ`.
    pub fn open(&mut self, mode: Mode, mut lay: Lay) -> Checked<LocId> {
        // What the kernel maps has a type of the interface table, which labels cannot name.
        let bytes = matches!(self.program.types.layout(lay.id), Layout::Bytes(n) if n.as_const().is_none());
        if matches!(mode, Mode::Own | Mode::Uniq) || mode == Mode::Shared && bytes {
            lay = self.canonical(&lay)?;
        }
        if let Some(size) = self.size_of(&lay) {
            self.state.facts.assume(&size);
            if let Some(room) = Term::from(self.max_object()).sub(&size) {
                self.state.facts.assume(&room);
            }
        }
        self.state.new_loc(mode, lay).ok_or_else(|| self.fail(Code::Limit, "too many locations"))
    }

    /// The form in which states have layouts of exclusive memory; see [`Program::canonical`].
    pub fn canonical(&mut self, lay: &Lay) -> Checked<Lay> {
        let lay = self.term(self.program.canonical(&self.plain_lay(lay.clone())))?;
        self.spend(lay.parts() as u64)?;
        Ok(lay)
    }

    /// Between two instructions nothing is lent and nothing is being packed.
    fn between(&mut self) {
        self.lent.clear();
        self.loans.clear();
        self.kept.clear();
        self.suspended.clear();
        self.suspend = false;
        self.packing = 0;
        self.retagged.clear();
    }

    /// Runs a step without an instruction.
    pub fn ghost(&mut self, ghost: Ghost) -> Checked {
        self.spend(8)?;
        self.between();
        match ghost {
            Ghost::Split(r) => self.split_memory(r),
            Ghost::Cursor(r) => self.cursor(r),
            Ghost::Advance(r) => self.advance_cursor(r),
            Ghost::End(r) => self.end_cursor(r),
            Ghost::Lend(r, place) => self.lend(r, place),
            Ghost::Restore(place) => self.restore(place),
            Ghost::Join(a, b) => self.join_memory(a, b),
            Ghost::Choose(v, ty) => self.choose(v, ty),
        }
    }

    /// Says what a type variable stands for in the call that follows.
    fn choose(&mut self, v: u32, ty: WordId) -> Checked {
        let term = match self.program.types.word(ty) {
            WordTy::Of(t, _) if t.scope() as usize <= self.rigid_vars => Some(t.clone()),
            _ => self.program.code(ty),
        };
        match term {
            Some(t) if self.chosen.len() < crate::limits::BINDERS => self.chosen.push((v, t)),
            _ => return self.reject(Code::Ghost, "this is no type that a variable can stand for"),
        }
        Ok(())
    }

    /// Runs one instruction.
    pub fn step(&mut self, insn: &Insn) -> Checked<Flow> {
        self.spend(8)?;
        self.between();
        let flow = crate::rules::step(self, insn);
        self.chosen.clear();
        flow
    }
}

/// A term of a type under the environment that the type is used in.
pub fn under(t: &Term, env: &Env) -> Option<Term> {
    match env {
        None => Some(t.clone()),
        Some(_) if t.summands().is_empty() => Some(t.clone()),
        Some(env) => t.subst(env),
    }
}

/// An environment under another one.
fn compose(inner: &[Term], outer: &Env) -> Option<Env> {
    let terms = inner.iter().map(|t| under(t, outer)).collect::<Option<Vec<_>>>()?;
    Some(Some(Rc::from(terms)))
}
