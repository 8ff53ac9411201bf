//! docs/types.md, "Functions" and "Types as parameters"; docs/owned-memory.md, "Existentials": what a word of a type is when it
//! comes into a state, and the state at a function's entry.

use super::know::Range;
use super::lin::{Lin, Var};
use super::state::{Loc, State, Word};
use super::types::{Env, Lay, LayNode, Node, Ty, TyNode, World};
use super::{Stop, no, todo};
use std::rc::Rc;
use talcore::arch::Arch;
use talcore::program::{Function, ObjectKind};
use talcore::types::{Layout, Mode, WordId, WordTy};

impl World<'_> {
    /// The last address that a program can have.
    pub(super) fn last(&self) -> i128 {
        if self.program.arch == Arch::Amd64 { (1 << 47) - 1 } else { (1 << 32) - 1 }
    }

    /// Hidden numbers get names, their facts are known.
    pub(super) fn hidden(
        &self,
        s: &mut State,
        env: &Env,
        first: Var,
        vars: &[talcore::facts::Interval],
        facts: &[talcore::term::Term],
    ) -> Env {
        let mut env = (**env).clone();
        for (i, range) in (first..).zip(vars) {
            let v = s.known.fresh(Range::read(range));
            env.insert(i, Lin::var(v));
        }
        let env = Rc::new(env);
        for fact in facts {
            s.known.assume(&self.term(fact, &env));
        }
        env
    }

    /// Memory that a pointer of this mode leads to, opened where nobody else writes.
    pub(super) fn opened(&self, s: &mut State, mode: Mode, node: &LayNode) -> Lay {
        let lay = self.lay(node);
        let stable = matches!(mode, Mode::Own | Mode::Uniq | Mode::Imm | Mode::Frozen);
        match &lay {
            Lay::Cstr(None) if stable => Lay::Cstr(Some(Lin::var(s.known.fresh(Range::new(0, self.last()))))),
            Lay::NullTerm(None, w) if stable => {
                let k = s.known.fresh(Range::new(0, self.last() / self.word));
                Lay::NullTerm(Some(Lin::var(k)), w.clone())
            }
            Lay::Exists(node) if stable => match self.program.types.layout(node.id) {
                Layout::Exists(e) => {
                    let env = self.hidden(s, &node.env, e.first, &e.vars, &e.facts);
                    self.opened(s, mode, &Node { id: e.body, env })
                }
                _ => lay,
            },
            _ => lay,
        }
    }

    /// A new location.
    pub(super) fn location(&self, s: &mut State, mode: Mode, node: &LayNode) -> usize {
        let lay = self.opened(s, mode, node);
        // What exists lies between the first address and the last.
        if !matches!(lay, Lay::Cstr(None) | Lay::NullTerm(None, _))
            && let Ok(size) = self.size(&lay)
        {
            s.known.assume(&size);
            s.known.assume(&Lin::of(self.program.arch.max_object()).minus(&size));
        }
        s.locs.push(Loc { mode, lay, addr: None, held: Vec::new(), live: true });
        s.locs.len() - 1
    }

    /// A word of a type. Where the word owns memory and was found through a borrow, it is a borrow of the same mode.
    pub(super) fn word_of(&self, s: &mut State, node: &TyNode, borrow: Option<Mode>) -> Result<Word, Stop> {
        Ok(match self.ty(node)? {
            Ty::Int(t) => Word::Int(t),
            Ty::Range(r) => Word::Int(Lin::var(s.known.fresh(r))),
            Ty::Ptr(mode, lay) => {
                let mode = borrow.filter(|_| mode == Mode::Own).unwrap_or(mode);
                Word::Ptr(self.location(s, mode, &lay), Lin::default())
            }
            Ty::Opt(_) => {
                if borrow.is_some() && self.owns_word(node) {
                    return todo("an untested borrow");
                }
                Word::Opt(s.known.fresh(Range::new(0, self.last())), node.clone())
            }
            Ty::Res(_) => Word::Opt(s.known.fresh(Range::new(0, self.period() - 1)), node.clone()),
            Ty::Exists(at) => match self.program.types.word(at.id) {
                WordTy::Exists(e) => {
                    let env = self.hidden(s, &at.env, e.first, &e.vars, &e.facts);
                    self.word_of(s, &Node { id: e.body, env }, borrow)?
                }
                _ => return todo("no existential"),
            },
            Ty::Fn(sig) => Word::Fn(sig),
            Ty::Var(v) => Word::Var(v),
            Ty::Of(..) => return todo("a type that is a variable"),
            Ty::FnAt(..) => return todo("a function type of the surroundings"),
            Ty::During(..) => return todo("a stretch"),
            Ty::When(..) => return todo("a word that is there sometimes"),
        })
    }

    /// The pointer type that an untested word has once it is tested.
    pub(super) fn tested(&self, node: &TyNode) -> Result<TyNode, Stop> {
        match self.ty(node)? {
            Ty::Opt(inner) | Ty::Res(inner) => Ok(inner),
            _ => todo("an untested word of another type"),
        }
    }

    /// The state at the entry of a function.
    pub(super) fn entry(&self, function: &Function) -> Result<State, Stop> {
        let registers = usize::from(self.program.arch.registers());
        let mut s = State {
            known: Default::default(),
            locs: Vec::new(),
            regs: vec![Word::Any; registers],
            depth: 0,
            frame: Default::default(),
            touched: 0,
            stack: Vec::new(),
            sp: None,
            flags: Default::default(),
        };
        let sig = self.program.types.sig(function.sig);
        if sig.start {
            // What the kernel wrote: how many arguments and strings of the environment there are, and the pointers.
            s.known.fresh(Range::new(0, i32::MAX.into()));
            s.known.fresh(Range::new(0, i32::MAX.into()));
            let id = self.program.shapes.block();
            self.location(&mut s, Mode::Imm, &Node { id, env: Env::default() });
        }
        if !sig.stretches.is_empty() {
            return todo("a stretch of the signature");
        }
        if !sig.kept.is_empty() {
            return todo("memory that comes back");
        }
        for i in &sig.vars {
            s.known.fresh(Range::read(i));
        }
        let env: Env = Rc::default();
        let node = |id: WordId| Node { id, env: env.clone() };
        for r in 0..registers {
            if sig.preserved >> r & 1 != 0 {
                s.regs[r] = Word::Caller(r as u8);
            }
        }
        for (r, ty) in &sig.params {
            s.regs[usize::from(*r)] = self.word_of(&mut s, &node(*ty), None)?;
        }
        for ty in &sig.stack {
            let word = self.word_of(&mut s, &node(*ty), None)?;
            s.stack.push(word);
        }
        for fact in &sig.facts {
            s.known.assume(&Lin::read(fact));
        }
        for address in &sig.uses {
            let Some((index, 0)) = self.program.object_at(*address) else {
                return no("the signature uses what is not there");
            };
            let Some((Mode::Uniq, id)) = self.program.object_for(function.scope, index) else {
                return match self.program.objects[index as usize].kind {
                    ObjectKind::Data(..) => todo("an owned static that is imported"),
                    ObjectKind::Table(..) => no("a table is no owned static"),
                };
            };
            self.location(&mut s, Mode::Uniq, &Node { id, env: env.clone() });
        }
        Ok(s)
    }
}
