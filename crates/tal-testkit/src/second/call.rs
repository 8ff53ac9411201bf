//! docs/types.md, "Functions"; docs/owned-memory.md, "Order of one call", "Owned statics": calls and returns.

use super::fit::{Binding, PATTERN};
use super::know::Range;
use super::lin::Lin;
use super::state::Word;
use super::types::{Env, LayNode, Node, Ty, TyNode};
use super::{Judge, Stop, no, todo};
use std::collections::BTreeMap;
use talcore::types::{LayoutId, Mode, SigId, WordId};

impl Judge<'_> {
    /// In which order parameters are matched: integers, what is given away, borrows.
    fn order(&self, ty: &TyNode) -> Result<u8, Stop> {
        Ok(match self.w.ty(ty)? {
            Ty::Int(_) | Ty::Range(_) => 0,
            _ if self.w.owns_word(ty) => 1,
            _ => 2,
        })
    }

    /// A call of a function of this signature, through its return.
    pub(super) fn call(&mut self, id: SigId) -> Result<(), Stop> {
        let sig = self.w.program.types.sig(id).clone();
        if !sig.kept.is_empty() {
            return todo("a call that may give memory back");
        }
        if !sig.stretches.is_empty() {
            return todo("a call with a stretch");
        }
        self.for_ever.clear();
        let base = self.pattern.max(PATTERN + (1 << 20));
        self.pattern = base + sig.vars.len() as u32 + sig.result_vars.len() as u32;
        let mut b = Binding::default();
        let mut env: BTreeMap<u32, Lin> = BTreeMap::new();
        for (i, r) in sig.vars.iter().enumerate() {
            b.ranges.insert(base + i as u32, Range::read(r));
            env.insert(i as u32, Lin::var(base + i as u32));
        }
        let env: Env = env.into();
        let node = |id: WordId| Node { id, env: env.clone() };
        // Arguments: on the stack just above where the return address will be.
        let mut arguments: Vec<(Option<u8>, TyNode)> =
            sig.params.iter().map(|(r, ty)| (Some(*r), node(*ty))).collect();
        arguments.extend(sig.stack.iter().map(|ty| (None, node(*ty))));
        let stack = sig.params.len();
        let mut lent: Vec<(usize, Mode)> = Vec::new();
        let mut uniq: Vec<(u8, usize)> = Vec::new();
        let mut frames: Vec<(Lin, Lin)> = Vec::new();
        for phase in 0..3 {
            for (i, (reg, ty)) in arguments.iter().enumerate() {
                if self.order(ty)? != phase {
                    continue;
                }
                let word = match reg {
                    Some(r) => self.s.regs[usize::from(*r)].clone(),
                    None => {
                        let at = self.s.depth + (i - stack) as i128 * self.w.word;
                        match self.s.frame.get(&at) {
                            Some((size, word)) if *size == self.w.word => word.clone(),
                            _ if at + self.w.word <= 0 => Word::Int(self.unknown(self.w.word)),
                            _ => return no("an argument on the stack that is not in the frame"),
                        }
                    }
                };
                if !self.argument(&word, ty, &mut b, *reg, &mut lent, &mut uniq, &mut frames)? {
                    return no(&format!(
                        "argument {i} ({reg:?}) does not have its type: {word:?}, wanted {:?}",
                        self.w.ty(ty)
                    ));
                }
            }
        }
        if !self.w.settle(&self.s.known, &mut b)? {
            return no("an equation of the arguments does not hold");
        }
        for (i, r) in sig.vars.iter().enumerate() {
            let v = base + i as u32;
            let Some(t) = b.found.get(&v).cloned() else {
                return todo("a variable of a call that nothing tells");
            };
            let r = Range::read(r);
            let k = &self.s.known;
            if r.lo.is_some_and(|lo| !k.proves(&t.add(-lo)))
                || r.hi.is_some_and(|hi| !k.proves(&t.times(-1).add(hi)))
            {
                return no("a variable of the call is not in its range");
            }
        }
        for fact in &sig.facts {
            if !self.s.known.proves(&b.apply(&self.w.term(fact, &env))) {
                return no("a fact of the call is not proved");
            }
        }
        self.conflicts(&lent)?;
        let uses = self.statics_complete(&sig.uses)?;
        if lent.iter().any(|(l, _)| uses.contains(l)) {
            return no("a static that the function uses is lent to it");
        }
        for (from, size) in &frames {
            self.lend_frame(&b.apply(from), &b.apply(size))?;
        }
        // Behind the call.
        self.s.touched = self.s.touched.min(self.s.depth - self.w.word);
        self.s.flags = Default::default();
        for r in 0..self.s.regs.len() {
            if sig.preserved >> r & 1 == 0 {
                self.s.regs[r] = Word::Any;
            }
        }
        let mut out: BTreeMap<u32, Lin> = env.iter().map(|(v, t)| (*v, b.apply(t))).collect();
        for (i, r) in sig.result_vars.iter().enumerate() {
            let v = self.s.known.fresh(Range::read(r));
            out.insert((sig.vars.len() + i) as u32, Lin::var(v));
        }
        let out: Env = out.into();
        for fact in &sig.result_facts {
            let fact = self.w.term(fact, &out);
            self.s.known.assume(&fact);
        }
        for (r, ty) in &sig.results {
            let ty = Node { id: *ty, env: out.clone() };
            self.s.regs[usize::from(*r)] = match self.w.ty(&ty)? {
                Ty::Var(v) => {
                    b.words.get(&v).cloned().map_or_else(|| no("a word variable that no argument has"), Ok)?
                }
                _ => self.w.word_of(&mut self.s, &ty, None)?,
            };
        }
        for (r, l) in uniq {
            // What is not said to come back as something else comes back as it was.
            let node: LayNode = match sig.gives_back.iter().find(|g| g.0 == r) {
                Some(back) => Node::<LayoutId> { id: back.1, env: out.clone() },
                None => {
                    let Some((_, ty)) = sig.params.iter().find(|p| p.0 == r) else {
                        return no("no parameter");
                    };
                    let Ty::Ptr(_, node) = self.w.ty(&Node { id: *ty, env: out.clone() })? else {
                        return no("no pointer");
                    };
                    node
                }
            };
            let lay = self.w.opened(&mut self.s, Mode::Own, &node);
            self.s.locs[l].lay = lay;
            self.s.locs[l].held.clear();
        }
        for l in uses {
            self.reopen_static(l)?;
        }
        self.refine()
    }

    /// What is lent in one call must not contradict itself.
    pub(super) fn conflicts(&self, lent: &[(usize, Mode)]) -> Result<(), Stop> {
        // What becomes shared or unchanging for ever in this call is not lent by it.
        if lent.iter().any(|(l, _)| !self.s.locs[*l].live || self.for_ever.contains(l)) {
            return no("memory is lent and given away in one call");
        }
        for (i, (l, mode)) in lent.iter().enumerate() {
            for (m, other) in &lent[i + 1..] {
                if l != m {
                    continue;
                }
                let writes = |m: Mode| matches!(m, Mode::Mut | Mode::Uniq);
                if *mode == Mode::Uniq || *other == Mode::Uniq {
                    return no("exclusive memory is lent twice");
                }
                if (*mode == Mode::Frozen && writes(*other)) || (*other == Mode::Frozen && writes(*mode)) {
                    return no("what is frozen is lent for writing");
                }
            }
        }
        Ok(())
    }

    /// One argument.
    #[expect(clippy::too_many_arguments, reason = "what one call collects")]
    pub(super) fn argument(
        &mut self,
        word: &Word,
        ty: &TyNode,
        b: &mut Binding,
        reg: Option<u8>,
        lent: &mut Vec<(usize, Mode)>,
        uniq: &mut Vec<(u8, usize)>,
        frames: &mut Vec<(Lin, Lin)>,
    ) -> Result<bool, Stop> {
        match self.w.ty(ty)? {
            Ty::Var(v) => {
                if let Word::Opt(_, have) = word
                    && self.w.owns_word(have)
                {
                    return todo("an untested owner as a word variable");
                }
                return Ok(match b.words.get(&v) {
                    Some(old) => old == word,
                    None => {
                        b.words.insert(v, word.clone());
                        true
                    }
                });
            }
            Ty::Ptr(mode, lay) if mode.borrow() => {
                let want = self.w.lay(&lay);
                match word {
                    Word::Ptr(l, off) => {
                        let have = self.s.locs[*l].clone();
                        if !have.live || !have.mode.gives(mode) {
                            return Ok(false);
                        }
                        if have.mode == Mode::Shared && self.w.owns(&want) {
                            return Ok(false);
                        }
                        lent.push((*l, mode));
                        if mode == Mode::Uniq {
                            let Some(r) = reg else {
                                return todo("exclusive memory as an argument on the stack");
                            };
                            uniq.push((r, *l));
                            if off.constant() != Some(0) {
                                return todo("part of an array, lent exclusively");
                            }
                            let mut trial = b.clone();
                            if self.pack(*l, &want, &mut trial, false)? {
                                *b = trial;
                                return Ok(true);
                            }
                            let arrays = matches!(
                                (&have.lay, &want),
                                (super::types::Lay::Array(..), super::types::Lay::Array(..))
                            );
                            return if arrays {
                                todo("part of an array, lent exclusively")
                            } else {
                                Ok(false)
                            };
                        }
                        if matches!(have.mode, Mode::Own | Mode::Uniq) {
                            if matches!(want, super::types::Lay::Exists(_)) {
                                return todo("memory with hidden numbers that is lent");
                            }
                            let size = match &want {
                                super::types::Lay::Cstr(None) | super::types::Lay::NullTerm(None, _) => None,
                                want => Some(b.apply(&self.w.size(want)?)).filter(|n| !Self::open(n)),
                            };
                            self.lend_own(*l, mode, off, size)?;
                        }
                        let lay = self.s.locs[*l].lay.clone();
                        let raw = matches!(lay, super::types::Lay::Bytes(_));
                        if matches!(have.mode, Mode::Own | Mode::Uniq)
                            && raw
                            && !matches!(want, super::types::Lay::Bytes(_))
                        {
                            return todo("raw memory that is lent as a struct or string");
                        }
                        if self.zeros_lent(&lay, mode) {
                            return todo("zeros that are lent");
                        }
                        if self.w.reaches(&self.s.known, b, &lay, off, &want)? {
                            return Ok(true);
                        }
                        return self.as_bytes(&lay, off, &want, mode, b);
                    }
                    Word::Frame(off) => {
                        return match &want {
                            super::types::Lay::Bytes(n) if mode != Mode::Uniq => {
                                if !b.known(n) {
                                    return todo("a buffer in the frame whose size nothing tells");
                                }
                                let n = b.apply(n);
                                if !self.in_frame(off, &n) {
                                    return Ok(false);
                                }
                                if mode == Mode::Frozen {
                                    return todo("a buffer in the frame that is lent as frozen");
                                }
                                if mode == Mode::Mut {
                                    frames.push((off.clone(), n));
                                }
                                Ok(true)
                            }
                            _ => todo("a typed borrow of the frame"),
                        };
                    }
                    Word::Static(i, off) => {
                        if self.owned_static(*i).is_some() {
                            return todo("the address of an owned static");
                        }
                        let (have, lay) = self.object(*i)?;
                        if !have.gives(mode) || (have == Mode::Shared && self.w.owns(&want)) {
                            return Ok(false);
                        }
                        if self.w.reaches(&self.s.known, b, &lay, off, &want)? {
                            return Ok(true);
                        }
                        return self.as_bytes(&lay, off, &want, mode, b);
                    }
                    _ => {}
                }
            }
            Ty::Opt(inner) => {
                if let Ty::Ptr(mode, _) = self.w.ty(&inner)?
                    && mode.borrow()
                    && !matches!(word, Word::Opt(..))
                {
                    if let Word::Int(t) = word {
                        return Ok(self.w.congruent(&self.s.known, t, &Lin::default()));
                    }
                    return self.argument(word, &inner, b, reg, lent, uniq, frames);
                }
            }
            Ty::Exists(_) => {
                if let Word::Ptr(l, _) = word
                    && self.s.locs[*l].mode == Mode::Uniq
                {
                    return todo("exclusive memory with hidden numbers, lent");
                }
            }
            _ => {}
        }
        self.fits(word, ty, b)
    }

    fn zeros_lent(&self, lay: &super::types::Lay, mode: Mode) -> bool {
        self.is_zero(lay) && mode == Mode::Mut
    }

    /// Memory of any layout for reading, as raw bytes.
    pub(super) fn as_bytes(
        &mut self,
        lay: &super::types::Lay,
        off: &Lin,
        want: &super::types::Lay,
        mode: Mode,
        b: &mut Binding,
    ) -> Result<bool, Stop> {
        if let (Mode::Read, super::types::Lay::Bytes(n)) = (mode, want) {
            let size = self.w.size(lay)?;
            let left = size.minus(off);
            if b.known(n) {
                return Ok(self.s.known.proves(off) && self.s.known.proves(&left.minus(&b.apply(n))));
            }
            return Ok(self.s.known.proves(off) && self.w.unify(&self.s.known, b, n, &left, false));
        }
        Ok(false)
    }

    /// Exclusive memory that is lent without being exclusive then: what is held in the part that is lent must have the types
    /// of its cells, and becomes part of the memory.
    fn lend_own(&mut self, l: usize, mode: Mode, off: &Lin, size: Option<Lin>) -> Result<(), Stop> {
        let loc = self.s.locs[l].clone();
        let meets = |h: &super::state::Held| size.as_ref().is_none_or(|n| self.may_meet_range(h, off, n));
        let (lent, kept): (Vec<_>, Vec<_>) = loc.held.iter().cloned().partition(meets);
        if lent.is_empty() {
            return Ok(());
        }
        if matches!(loc.lay, super::types::Lay::Bytes(_)) {
            if mode == Mode::Mut {
                self.s.locs[l].held = kept;
            }
            return Ok(());
        }
        self.s.locs[l].held = lent;
        let mut b = Binding::default();
        if !self.pack(l, &loc.lay, &mut b, false)? {
            return no("what is lent is not complete");
        }
        self.s.locs[l].held = kept;
        Ok(())
    }

    /// What a call may have written in the frame is raw behind it.
    pub(super) fn lend_frame(&mut self, from: &Lin, size: &Lin) -> Result<(), Stop> {
        let k = &self.s.known;
        let met: Vec<i128> = self
            .s
            .frame
            .iter()
            .filter(|(at, (n, _))| {
                let behind = Lin::of(**at).minus(from).minus(size);
                let before = from.add(-(**at + *n));
                !k.proves(&behind) && !k.proves(&before)
            })
            .map(|(at, _)| *at)
            .collect();
        met.iter().for_each(|at| drop(self.s.frame.remove(at)));
        Ok(())
    }

    /// The owned statics that a function uses are complete; their locations.
    fn statics_complete(&mut self, uses: &[u64]) -> Result<Vec<usize>, Stop> {
        let mut all = Vec::new();
        for address in uses {
            let index = self
                .w
                .program
                .object_at(*address)
                .map_or_else(|| no("a static that is not there"), |o| Ok(o.0))?;
            let Some(l) = self.owned_static(index as usize) else {
                return no("a static that this function does not use");
            };
            let Some((_, id)) = self.w.program.object_for(self.f.scope, index) else {
                return no("a static that is not seen");
            };
            let want = self.w.lay(&Node { id, env: Default::default() });
            if !self.s.locs[l].live || !self.pack(l, &want, &mut Binding::default(), false)? {
                return no("an owned static is not complete");
            }
            all.push(l);
        }
        Ok(all)
    }

    fn reopen_static(&mut self, l: usize) -> Result<(), Stop> {
        let uses = &self.w.program.types.sig(self.f.sig).uses;
        let address = uses[l - (self.first_locs - uses.len())];
        let index = self.w.program.object_at(address).map_or(0, |o| o.0);
        let Some((_, id)) = self.w.program.object_for(self.f.scope, index) else {
            return no("a static that is not seen");
        };
        self.s.locs[l].lay = self.w.opened(&mut self.s, Mode::Uniq, &Node { id, env: Default::default() });
        self.s.locs[l].held.clear();
        Ok(())
    }

    /// A jump to a function: its results are ours.
    pub(super) fn tail(&mut self, id: SigId) -> Result<(), Stop> {
        let sig = self.w.program.types.sig(id);
        if self.s.depth != 0 {
            return no("a tail call with a frame");
        }
        if !sig.stack.is_empty() {
            return no("a tail call with arguments on the stack");
        }
        let noreturn = sig.noreturn;
        self.call(id)?;
        if noreturn { Ok(()) } else { self.leave() }
    }

    /// A return.
    pub(super) fn leave(&mut self) -> Result<(), Stop> {
        let sig = self.w.program.types.sig(self.f.sig).clone();
        if sig.noreturn || sig.start {
            return no("a function that does not return returns");
        }
        if self.s.depth != 0 {
            return no("the return address is not on top");
        }
        for r in 0..self.s.regs.len() {
            if r == 4 || sig.preserved >> r & 1 == 0 {
                continue;
            }
            let same = match (&self.s.regs[r], &self.first_regs[r]) {
                (Word::Int(a), Word::Int(b)) => self.w.congruent(&self.s.known, a, b),
                (Word::Ptr(l, a), Word::Ptr(m, b)) => l == m && self.s.known.equal(a, b),
                (a, b) => a == b && *a != Word::Any,
            };
            if !same {
                return no("a register is not what it was at entry");
            }
        }
        let base = self.pattern.max(PATTERN + (1 << 20));
        self.pattern = base + sig.result_vars.len() as u32;
        let mut b = Binding::default();
        let mut env: BTreeMap<u32, Lin> = BTreeMap::new();
        let first = sig.vars.len() as u32;
        for (i, r) in (0..).zip(&sig.result_vars) {
            b.ranges.insert(base + i, Range::read(r));
            env.insert(first + i, Lin::var(base + i));
        }
        let env: Env = env.into();
        for phase in 0..3 {
            for (r, ty) in &sig.results {
                let ty = Node { id: *ty, env: env.clone() };
                if self.order(&ty)? != phase {
                    continue;
                }
                let word = self.s.regs[usize::from(*r)].clone();
                if !self.fits(&word, &ty, &mut b)? {
                    return no(&format!("result {r} does not have its type"));
                }
            }
        }
        for (r, ty) in &sig.params {
            let Ty::Ptr(Mode::Uniq, lay) = self.w.ty(&Node { id: *ty, env: env.clone() })? else { continue };
            let Word::Ptr(l, _) = self.first_regs[usize::from(*r)].clone() else {
                return todo("exclusive memory that is no pointer at entry");
            };
            let back = sig.gives_back.iter().find(|g| g.0 == *r);
            let lay = back.map_or(lay, |back| Node { id: back.1, env: env.clone() });
            let want = self.w.lay(&lay);
            if !self.s.locs[l].live || !self.pack(l, &want, &mut b, false)? {
                return no("exclusive memory is not given back as promised");
            }
        }
        self.statics_complete(&sig.uses)?;
        if !self.w.settle(&self.s.known, &mut b)? {
            return no("an equation of the results does not hold");
        }
        for (i, r) in (0..).zip(&sig.result_vars) {
            let Some(t) = b.found.get(&(base + i)).cloned() else {
                return todo("a result variable that nothing tells");
            };
            let (r, k) = (Range::read(r), &self.s.known);
            if r.lo.is_some_and(|lo| !k.proves(&t.add(-lo)))
                || r.hi.is_some_and(|hi| !k.proves(&t.times(-1).add(hi)))
            {
                return no("a result is not in its range");
            }
        }
        for fact in &sig.result_facts {
            if !self.s.known.proves(&b.apply(&self.w.term(fact, &env))) {
                return no("a promised fact is not proved");
            }
        }
        Ok(())
    }
}
