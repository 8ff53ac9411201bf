//! Memory that belongs to one function alone (`own`, `&uniq`): strong updates, moves, and giving it away.
//!
//! Words are copied freely; the capability is the location in the state. What a location holds is its layout, but
//! for the *held* words, which stores have put there or loads have opened. When the memory is given away, the held
//! words are packed: each must have the type of the cell that the wanted layout has at its place.

use crate::engine::{Checked, Engine, under};
use crate::facts::Interval;
use crate::guide::Guide;
use crate::limits;
use crate::matching::{Blame, NO_POINTER, Subst};
use crate::memory::Leaf;
use crate::rules::Lent;
use crate::state::{Env, Guard, Held, Lay, LocId, STATIC, Word};
use crate::term::Term;
use crate::types::{Kept, Layout, LayoutId, Mode, Sig, WordId, WordTy};
use crate::verdict::Code;
use crate::x86::insn::{Reg, Width};
use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;

/// How an access lies to a word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Lies {
    Exactly,
    Apart,
    Perhaps,
}

/// What memory that is being packed has.
struct Contents {
    /// Its layout.
    have: Lay,
    /// Where words have been matched that replace what the layout says.
    known: Vec<Term>,
    /// Elsewhere it is 0.
    zero: bool,
    /// What a mismatch is called.
    blame: Blame,
}

/// What a layout that memory is packed to has at some place.
enum Wanted {
    /// Raw bytes.
    Raw,
    /// One word.
    Cell(crate::types::WordId, Env),
}

/// Whether a word whose value lies in `known` is outside of `range`.
fn apart_from(known: &Interval, range: &Interval, words: &Interval) -> bool {
    known.within(words) && (known.hi < range.lo || known.lo > range.hi)
}

impl<'a, G: Guide> Engine<'a, G> {
    /// Nobody may use the location any more: every word that mentions it becomes an integer.
    pub fn kill(&mut self, l: LocId) -> Checked {
        self.spend(self.state.parts() as u64)?;
        let mentioned = self.state.words().any(|w| matches!(w, Word::Ptr(k, _) if *k == l));
        let addr = if mentioned { self.addr(l)? } else { Term::zero() };
        let Some(loc) = self.state.locs.get_mut(l as usize) else { return Ok(()) };
        loc.live = false;
        loc.cells.clear();
        for w in self.state.words_mut() {
            if let Word::Ptr(k, e) = w
                && *k == l
            {
                *w = addr.add(e).map_or(Word::Any, Word::Int);
            }
        }
        Ok(())
    }

    /// The capability of an untested word has been given away: every copy of the word becomes an integer.
    pub fn kill_untested(&mut self, v: u32) -> Checked {
        self.spend(self.state.parts() as u64)?;
        for w in self.state.words_mut() {
            if matches!(w, Word::Opt(u, ..) if *u == v) {
                *w = Word::Int(Term::var(v));
            }
        }
        Ok(())
    }

    /// Gives a whole object away as one of the layout `want`.
    pub fn take(
        &mut self,
        s: &mut Subst,
        want: (LayoutId, &Env),
        l: LocId,
        e: &Term,
        blame: Blame,
    ) -> Checked {
        // What is inside of it does not come back by itself.
        let suspend = core::mem::take(&mut self.suspend);
        if self.lent.iter().any(|lent| matches!(lent, Lent::Object(k, _) if *k == l)) {
            return self.reject(Code::BorrowConflict, "one object is lent or kept, and given away at once");
        }
        self.unify(s, &Term::zero(), e, false, blame)?;
        self.pack(s, want, l, &[], blame)?;
        if !suspend {
            return self.kill(l);
        }
        self.addr(l)?;
        if let Some(loc) = self.state.locs.get_mut(l as usize) {
            loc.live = false;
            loc.cells.clear();
        }
        Ok(())
    }

    /// After a call: what was given away belongs to us again for some values of a result, whatever we know of it yet.
    pub fn come_back(&mut self, sig: &Sig, s: &Subst) -> Checked {
        for (l, i) in core::mem::take(&mut self.suspended) {
            let Some(kept) = sig.kept.get(i) else { continue };
            let var = match self.get(Reg(kept.result)) {
                Word::Opt(v, ..) => Some(v),
                Word::Int(t) => t.as_var(),
                _ => None,
            };
            let lay = self.canonical(&Lay { id: kept.layout, env: s.env() })?;
            match (var, self.state.locs.get_mut(l as usize)) {
                (Some(var), Some(loc)) => {
                    loc.lay = lay;
                    loc.guard = Some(Guard { var, range: kept.range });
                    self.untested = true;
                }
                _ => self.kill(l)?,
            }
        }
        self.resolve_guards()
    }

    /// Objects that came back, or did not, as far as that is known now.
    pub fn resolve_guards(&mut self) -> Checked {
        self.spend(self.state.locs.len() as u64)?;
        let words = self.word_range();
        for l in 0..self.state.locs.len() {
            let Some(guard) = self.state.locs.get(l).and_then(|loc| loc.guard) else { continue };
            let known = self.state.facts.interval(guard.var);
            let back = known.within(&guard.range);
            if !back && !apart_from(&known, &guard.range, &words) {
                continue;
            }
            if let Some(loc) = self.state.locs.get_mut(l) {
                loc.guard = None;
                loc.live = back;
            }
            if !back {
                self.kill(l as LocId)?;
            }
        }
        Ok(())
    }

    /// At a return: what the signature says that the caller keeps is there, unless the result, which was `word`, tells
    /// that it is not.
    pub fn give_back(&mut self, s: &mut Subst, kept: &Kept, l: LocId, word: &Word, blame: Blame) -> Checked {
        let words = self.word_range();
        let (known, var) = match word {
            Word::Int(t) => {
                let range = self.state.facts.range(t);
                // The word is only congruent to the term.
                let wraps = range.hi < 0 && range.lo >= -words.hi - 1;
                let range = match wraps {
                    true => Interval::new(range.lo + words.hi + 1, range.hi + words.hi + 1),
                    false => range,
                };
                (range, t.as_var())
            }
            Word::Opt(v, ..) => (self.state.facts.interval(*v), Some(*v)),
            Word::Ptr(_, e) if e.as_const() == Some(0) => (Interval::new(1, self.pointer_range().hi), None),
            _ => (words, None),
        };
        if apart_from(&known, &kept.range, &words) {
            return Ok(());
        }
        // Another call promised the same, by the same word.
        if let Some(loc) = self.state.locs.get_mut(l as usize)
            && loc.guard.is_some_and(|g| Some(g.var) == var && kept.range.within(&g.range))
        {
            loc.guard = None;
            loc.live = true;
        }
        self.take(s, (kept.layout, &None), l, &Term::zero(), blame)
    }

    /// Owned memory becomes shared or unchanging for ever, where a type asks for that. It is another location from here on,
    /// to which all words that pointed to the old one point: what a label or a signature says of the old one must not
    /// find it.
    pub fn publish(
        &mut self,
        s: &mut Subst,
        mode: Mode,
        want: (LayoutId, &Env),
        l: LocId,
        e: &Term,
        blame: Blame,
    ) -> Checked {
        if self.lent.iter().any(|lent| matches!(lent, Lent::Object(k, _) if *k == l)) {
            return self.reject(Code::BorrowConflict, "one object is lent or kept, and given away at once");
        }
        self.unify(s, &Term::zero(), e, false, blame)?;
        self.pack(s, want, l, &[], blame)?;
        let program = self.program;
        let known = |t: &Term| s.apply(&under(t, want.1)?);
        let lay = match program.types.layout(want.0) {
            Layout::Struct(id, args) => program.shapes.generic(*id).zip(args.iter().map(known).collect()),
            Layout::Bytes(n) => Some(program.shapes.bytes()).zip(known(n).map(|n| vec![n])),
            _ if program.shapes.scope(want.0) == Some(0) => Some((want.0, Vec::new())),
            _ => None,
        };
        let Some((id, env)) = lay else {
            return self.reject(blame.shape, "owned memory of this type cannot become shared or unchanging");
        };
        let addr = self.addr(l)?.as_var();
        let new = self.open(mode, Lay { id, env: Some(env.into()) })?;
        if let Some(loc) = self.state.locs.get_mut(new as usize) {
            loc.addr = addr;
        }
        self.spend(self.state.parts() as u64)?;
        for w in self.state.words_mut() {
            if let Word::Ptr(k, _) = w
                && *k == l
            {
                *k = new;
            }
        }
        self.kill(l)
    }

    /// Packs what a location holds to the layout `want` of a pattern, but for the words at the offsets `but`,
    /// which have been matched. The location's layout is not changed: whoever needs it again says what it is now.
    pub fn pack(
        &mut self,
        s: &mut Subst,
        want: (LayoutId, &Env),
        l: LocId,
        but: &[Term],
        blame: Blame,
    ) -> Checked {
        let have = self.loc(l)?.lay;
        if self.packing >= limits::NESTING {
            return self.reject(Code::Limit, "owned memory is nested too deeply");
        }
        self.packing += 1;
        // A cell must not hold the memory that it lies in.
        self.alive(l, false);
        if let Some(size) = self.program.shapes.size(want.0) {
            let size = self.term(under(size, want.1))?;
            let Some(is) = self.size_of(&have) else {
                return self.reject(blame.shape, "the object's size is not known");
            };
            self.unify(s, &size, &is, false, blame)?;
        }
        let mut known = but.to_vec();
        self.pack_numbers(s, want, l, &have, &mut known, blame)?;
        let held = self.state.locs.get(l as usize).map_or(0, |loc| loc.cells.len());
        for i in 0..held {
            // Packing one word may end the capability of the next one, so each is looked up in its turn.
            let Some(cell) = self.state.locs.get(l as usize).and_then(|loc| loc.cells.get(i)).cloned() else {
                break;
            };
            self.spend(4)?;
            if known.contains(&cell.off) {
                continue;
            }
            match self.wanted(s, want, &cell.off, blame)? {
                Wanted::Cell(ty, env) => {
                    self.match_word(s, (ty, &env), &cell.word, blame).map_err(|mut e| {
                        if e.why == NO_POINTER {
                            e.why = "a cell of the memory does not hold what its type says: it was moved out, or given away";
                        }
                        e
                    })?;
                    known.push(cell.off);
                }
                Wanted::Raw => {}
            }
        }
        let zero = self.program.zeros(have.id);
        self.rest(s, want, &Term::zero(), 0, &Contents { have, known, zero, blame })?;
        self.alive(l, true);
        self.packing -= 1;
        Ok(())
    }

    /// The numbers of a struct that is packed go first: they say which arguments it has, while memory may be larger than
    /// what is asked for.
    fn pack_numbers(
        &mut self,
        s: &mut Subst,
        want: (LayoutId, &Env),
        l: LocId,
        have: &Lay,
        known: &mut Vec<Term>,
        blame: Blame,
    ) -> Checked {
        let program = self.program;
        let Layout::Struct(id, args) = program.types.layout(want.0) else { return Ok(()) };
        if s.terms.iter().all(Option::is_some) {
            return Ok(());
        }
        let env = self.compose(args, want.1)?;
        let mut at = Term::zero();
        for &field in &program.types.strukt(*id).fields {
            self.spend(2)?;
            if let Layout::Cell(ty) = program.types.layout(field)
                && let WordTy::Int(p) = program.types.word(*ty)
                && !known.contains(&at)
            {
                let held = self.state.locs.get(l as usize).and_then(|l| l.cells.iter().find(|c| c.off == at));
                if let Some(word) = held.map(|c| c.word.clone()) {
                    self.match_word(s, (*ty, &env), &word, blame)?;
                    known.push(at.clone());
                } else if program.zeros(have.id) {
                    let p = self.term(under(p, &env))?;
                    self.unify(s, &p, &Term::zero(), true, blame)?;
                } else if let Some(same) = self.same_part(field, &at, have)?
                    && let Layout::Cell(is) = program.types.layout(same.id)
                    && let WordTy::Int(a) = program.types.word(*is)
                {
                    let (p, a) = (self.term(under(p, &env))?, self.term(under(a, &same.env))?);
                    self.unify(s, &p, &a, true, blame)?;
                }
            }
            let size = program.shapes.size(field).and_then(|t| under(t, &env)).and_then(|t| s.apply(&t));
            match size.and_then(|size| at.add(&size)) {
                Some(next) => at = next,
                None => break,
            }
        }
        // What no number tells stays as it is.
        if let Layout::Struct(same, given) = program.types.layout(have.id)
            && same == id
        {
            for (p, t) in args.iter().zip(given.iter()) {
                let p = self.term(under(p, want.1))?;
                if p.as_var().is_some() && s.apply(&p).is_none() {
                    let t = self.term(under(t, &have.env))?;
                    self.unify(s, &p, &t, false, blame)?;
                }
            }
        }
        Ok(())
    }

    fn alive(&mut self, l: LocId, live: bool) {
        if let Some(loc) = self.state.locs.get_mut(l as usize) {
            loc.live = live;
        }
    }

    /// What the layout of a pattern has at the offset of a held word, all of which lies there.
    fn wanted(&mut self, s: &Subst, want: (LayoutId, &Env), off: &Term, blame: Blame) -> Checked<Wanted> {
        let (mut id, mut env, mut off) = (want.0, want.1.clone(), off.clone());
        let (program, word) = (self.program, i128::from(self.word()));
        for _ in 0..=limits::NESTING {
            self.spend(2)?;
            if program.shapes.raw_size(id).is_some() {
                return Ok(Wanted::Raw);
            }
            let fields = match program.types.layout(id) {
                Layout::Cell(ty) if off.as_const() == Some(0) => return Ok(Wanted::Cell(*ty, env)),
                Layout::Array(_, elem) => {
                    let size = program.shapes.size(*elem).and_then(Term::as_const).filter(|c| *c > 0);
                    let Some(size) = size else {
                        return self.reject(blame.shape, "an element's size is hidden");
                    };
                    (id, off) = (*elem, self.split_offset(&off, size)?.1);
                    if off.as_const().is_none_or(|at| at > size - word) {
                        return self.reject(blame.shape, "a word was stored where no single element lies");
                    }
                    continue;
                }
                Layout::Struct(id, args) => {
                    env = self.compose(args, &env)?;
                    &program.types.strukt(*id).fields[..]
                }
                Layout::Seq(fields) => fields,
                _ => {
                    return self
                        .reject(blame.shape, "a word was stored where another kind of contents is wanted");
                }
            };
            // The field that all of the word lies in.
            let mut start = Some(Term::zero());
            let mut found = None;
            for (i, &field) in fields.iter().enumerate() {
                self.spend(2)?;
                // A start that is still open says nothing of what follows.
                let Some(at) = start.take() else { break };
                let rest = self.term(off.sub(&at))?;
                let size =
                    program.shapes.size(field).and_then(|size| under(size, &env)).and_then(|t| s.apply(&t));
                let last = i + 1 == fields.len();
                let inside = match &size {
                    // Everything that is held lies in the object, whose end this is.
                    None => last,
                    Some(size) => {
                        last || size
                            .sub(&rest)
                            .and_then(|t| t.offset(-word))
                            .is_some_and(|t| self.try_prove(&t))
                    }
                };
                if inside && self.try_prove(&rest) {
                    found = Some((field, rest));
                    break;
                }
                start = size.and_then(|size| at.add(&size));
            }
            let Some((field, rest)) = found else {
                return self.reject(blame.shape, "a word was stored where no single field lies");
            };
            (id, off) = (field, rest);
        }
        self.reject(Code::Limit, "types are nested too deeply")
    }

    /// Matches what no held word has replaced: the part of the pattern that starts `at` bytes into the object.
    fn rest(
        &mut self,
        s: &mut Subst,
        want: (LayoutId, &Env),
        at: &Term,
        depth: usize,
        is: &Contents,
    ) -> Checked {
        self.spend(2 + is.known.len() as u64)?;
        if depth > limits::NESTING {
            return self.reject(Code::Limit, "types are nested too deeply");
        }
        let program = self.program;
        if program.shapes.raw_size(want.0).is_some() {
            return Ok(()); // every content may be forgotten
        }
        let fields = match program.types.layout(want.0) {
            Layout::Cell(_) if is.known.contains(at) => return Ok(()),
            Layout::Cell(ty) if is.zero => return self.zero_word(s, (*ty, want.1), is.blame),
            Layout::Num(_, range) if is.zero && crate::shapes::ZERO.within(range) => return Ok(()),
            // All elements are alike, but for those whose words are known.
            Layout::Array(_, elem) if is.zero => {
                let all = Contents { have: is.have.clone(), known: Vec::new(), zero: true, blame: is.blame };
                return self.rest(s, (*elem, want.1), at, depth + 1, &all);
            }
            Layout::Cstr(_) | Layout::NullTerm(..) | Layout::Num(..) if is.zero => {
                return self.reject(is.blame.shape, "memory of zeros is no value of what is wanted there");
            }
            Layout::Struct(id, args) => {
                let env = self.compose(args, want.1)?;
                if is.known.is_empty()
                    && !is.zero
                    && let Some(same) = self.same_part(want.0, at, &is.have)?
                    && let Layout::Struct(_, given) = program.types.layout(same.id)
                {
                    let have = self.compose(given, &same.env)?;
                    let pairs = env.iter().flat_map(|e| e.iter()).zip(have.iter().flat_map(|e| e.iter()));
                    // With other arguments it may have the same fields, or shorter arrays.
                    if pairs.into_iter().all(|(p, a)| s.apply(p).is_none_or(|p| p == *a)) {
                        return self.same_layout(s, want, (same.id, &same.env), 0, is.blame);
                    }
                }
                return self.fields(s, (&program.types.strukt(*id).fields, &env), at, depth, is);
            }
            Layout::Seq(fields) => fields,
            Layout::Array(n, elem) => return self.array(s, want, (n, *elem), at, depth, is),
            _ => {
                let Some(same) = self.same_part(want.0, at, &is.have)? else {
                    return self.reject(is.blame.shape, "the memory does not hold what is wanted there");
                };
                return self.same_layout(s, want, (same.id, &same.env), 0, is.blame);
            }
        };
        self.fields(s, (fields, want.1), at, depth, is)
    }

    /// Whether 0 is a word of the type that a cell of zeros shall have.
    fn zero_word(&mut self, s: &mut Subst, ty: (WordId, &Env), blame: Blame) -> Checked {
        match self.program.types.word(ty.0) {
            WordTy::Opt(_) => Ok(()),
            WordTy::Range(range) if crate::shapes::ZERO.within(range) => Ok(()),
            WordTy::Int(p) => {
                let p = self.term(under(p, ty.1))?;
                self.unify(s, &p, &Term::zero(), true, blame)
            }
            _ => self.reject(blame.shape, "0 is no value of a cell that the memory shall have"),
        }
    }

    /// The same for fields that lie one behind the other.
    fn fields(
        &mut self,
        s: &mut Subst,
        (fields, env): (&[LayoutId], &Env),
        at: &Term,
        depth: usize,
        is: &Contents,
    ) -> Checked {
        let mut at = Some(at.clone());
        for &field in fields {
            let Some(start) = at.take() else {
                return self.reject(is.blame.shape, "the size of a field is not known");
            };
            self.rest(s, (field, env), &start, depth + 1, is)?;
            let size =
                self.program.shapes.size(field).and_then(|size| under(size, env)).and_then(|t| s.apply(&t));
            let Some(size) = size else {
                return self.reject(is.blame.shape, "the size of a field is not known");
            };
            // A part of negative size would make room for others that are larger than the object.
            self.require(&size, is.blame.fact, "a field may have a negative size")?;
            at = start.add(&size);
        }
        Ok(())
    }

    /// The same for an array. Memory that has an array of such elements there has all shorter ones too: what lies behind
    /// them belongs to the next part. A longer one is there if words are known for each element that is new.
    fn array(
        &mut self,
        s: &mut Subst,
        want: (LayoutId, &Env),
        (n, elem): (&Term, LayoutId),
        at: &Term,
        depth: usize,
        is: &Contents,
    ) -> Checked {
        let program = self.program;
        let mut have = Term::zero();
        if let Some(same) = self.same_part(want.0, at, &is.have)?
            && let Layout::Array(m, e) = program.types.layout(same.id)
        {
            self.same_layout(s, (elem, want.1), (*e, &same.env), 0, is.blame)?;
            have = self.term(under(m, &same.env))?;
        }
        let n = self.term(under(n, want.1))?;
        let Some(n) = s.apply(&n) else { return self.unify(s, &n, &have, false, is.blame) };
        let left = self.term(have.sub(&n))?;
        if left.as_const() == Some(0) || self.try_prove(&left) {
            return Ok(());
        }
        let (Some(new), Some(size)) = (
            left.as_const().and_then(|c| usize::try_from(-c).ok()).filter(|new| *new <= limits::HELD),
            program.shapes.size(elem).and_then(Term::as_const),
        ) else {
            return Err(self
                .fail(is.blame.fact, "the array is longer than what is known to lie there")
                .goal(&left));
        };
        let mut at = self.term(have.scale(size).and_then(|t| t.add(at)))?;
        for _ in 0..new {
            self.rest(s, (elem, want.1), &at, depth + 1, is)?;
            at = self.term(at.offset(size))?;
        }
        Ok(())
    }

    /// The part of `have` that starts at an offset and is of the same kind as `want`.
    fn same_part(&mut self, want: LayoutId, at: &Term, have: &Lay) -> Checked<Option<Lay>> {
        let (mut lay, mut off) = (have.clone(), at.clone());
        for _ in 0..=limits::NESTING {
            self.spend(2)?;
            if off.as_const() == Some(0) && self.program.head(lay.id) == self.program.head(want) {
                return Ok(Some(lay));
            }
            match self.inside_of(&lay, &off)? {
                Some((l, o)) => (lay, off) = (l, o),
                None => return Ok(None),
            }
        }
        self.reject(Code::Limit, "types are nested too deeply")
    }

    /// How `width` bytes at `off` lie to a whole word at `held`.
    fn lies(&mut self, off: &Term, width: Width, held: &Term) -> Checked<Lies> {
        if off == held {
            let exactly = i64::from(width.bytes()) == self.word();
            return Ok(if exactly { Lies::Exactly } else { Lies::Perhaps });
        }
        let apart = self.apart(off, &Term::from(i128::from(width.bytes())), held)?;
        Ok(if apart { Lies::Apart } else { Lies::Perhaps })
    }

    /// Whether a whole word at `off` is proved not to meet another one at `held`.
    pub fn meets_not(&mut self, off: &Term, held: &Term) -> Checked<bool> {
        self.apart(off, &Term::from(i128::from(self.word())), held)
    }

    /// Whether `size` bytes at `off` are proved not to meet a whole word at `held`.
    fn apart(&mut self, off: &Term, size: &Term, held: &Term) -> Checked<bool> {
        let behind = self.term(off.sub(held))?;
        let before = self.term(held.sub(off))?;
        let behind = self.term(behind.offset(-i128::from(self.word())))?;
        let before = self.term(before.sub(size))?;
        Ok(self.try_prove(&behind) || self.try_prove(&before))
    }

    /// The word that a load of `width` bytes at `off` finds held; `Err` says why there is none: no held word lies
    /// there (true), or one perhaps does.
    pub fn held_at(&mut self, l: LocId, off: &Term, width: Width) -> Checked<Result<Word, bool>> {
        let mut free = true;
        for i in 0..self.held(l) {
            self.spend(2)?;
            let Some(held) = self.held_word(l, i) else { break };
            match self.lies(off, width, &held.off)? {
                Lies::Exactly => return Ok(Ok(held.word)),
                Lies::Apart => {}
                Lies::Perhaps => free = false,
            }
        }
        Ok(Err(free))
    }

    fn held(&self, l: LocId) -> usize {
        if l >= STATIC { 0 } else { self.state.locs.get(l as usize).map_or(0, |loc| loc.cells.len()) }
    }

    fn held_word(&self, l: LocId, i: usize) -> Option<Held> {
        self.state.locs.get(l as usize)?.cells.get(i).cloned()
    }

    /// Remembers a word in exclusive memory; false at the limit.
    pub fn hold(&mut self, l: LocId, off: &Term, word: Word) -> bool {
        match self.state.locs.get_mut(l as usize) {
            Some(loc) if loc.cells.len() < limits::HELD => {
                loc.cells.push(Held { off: off.clone(), word });
                true
            }
            _ => false,
        }
    }

    /// Writes to exclusive memory: a strong update. A whole word at a constant offset is remembered with its type;
    /// elements of arrays keep the declared one unless it owns memory.
    pub fn store_exclusive(&mut self, l: LocId, off: &Term, width: Width, value: Word) -> Checked {
        let mut lay = self.loc(l)?.lay;
        if matches!(self.program.types.layout(lay.id), Layout::Cstr(_)) {
            lay = self.forget(l)?;
        }
        if self.program.zeros(lay.id) {
            if self.store_in_zeros(l, &lay, off, width, &value)? {
                return Ok(());
            }
            lay = self.forget(l)?;
        }
        let leaf = self.leaf(&lay, off, width, true)?;
        if matches!(leaf, Leaf::Raw) {
            self.forget_words(l, &lay, Some((off, &Term::from(i128::from(width.bytes())))))?;
            // What was written at some index of raw memory is worth remembering only if it is a pointer.
            let plain = self.program.shapes.raw_size(lay.id).is_some();
            let remember = !plain || off.as_const().is_some() || !matches!(value, Word::Int(_) | Word::Any);
            if self.full(width) && remember {
                self.hold(l, off, value);
            }
            return Ok(());
        }
        let Leaf::Cell(ty, env) = leaf else { return self.weak_store(leaf, value) };
        let linear = self.program.types.linear(ty);
        let weak = off.as_const().is_none() && !linear;
        let mut i = 0;
        while let Some(held) = self.held_word(l, i) {
            self.spend(2)?;
            match self.lies(off, width, &held.off)? {
                Lies::Exactly => {
                    if let Some(loc) = self.state.locs.get_mut(l as usize) {
                        loc.cells.remove(i);
                    }
                    continue;
                }
                Lies::Apart => {}
                Lies::Perhaps => {
                    return self.reject(Code::Straddle, "it is not known which element is overwritten");
                }
            }
            i += 1;
        }
        if weak {
            return self.weak_store(Leaf::Cell(ty, env), value);
        }
        if self.hold(l, off, value) {
            return Ok(());
        }
        self.reject(Code::Limit, "too many words of one object differ from its type")
    }

    /// Writes to memory of zeros; false: it is only raw bytes afterwards. Words are never dropped as long as it is one of
    /// zeros.
    fn store_in_zeros(
        &mut self,
        l: LocId,
        lay: &Lay,
        off: &Term,
        width: Width,
        value: &Word,
    ) -> Checked<bool> {
        let size = self.size_of(lay).unwrap_or_default();
        self.inside(off, width, &size)?;
        if !self.full(width) || off.as_const().is_none() {
            return Ok(false);
        }
        let mut old = None;
        for i in 0..self.held(l) {
            self.spend(2)?;
            let Some(held) = self.held_word(l, i) else { break };
            match self.lies(off, width, &held.off)? {
                Lies::Exactly => old = Some(i),
                Lies::Apart => {}
                Lies::Perhaps => return Ok(false),
            }
        }
        let zero = matches!(value, Word::Int(t) if t.as_const() == Some(0));
        if old.is_none() && !zero && self.held(l) >= limits::HELD {
            return Ok(false);
        }
        if let (Some(i), Some(loc)) = (old, self.state.locs.get_mut(l as usize)) {
            loc.cells.remove(i);
        }
        Ok(zero || self.hold(l, off, value.clone()))
    }

    /// Forgets that memory is known to be zeros, before it is written in a way that leaves only raw bytes.
    pub fn forget_zeros(&mut self, l: LocId) -> Checked {
        if self.program.zeros(self.loc(l)?.lay.id) {
            self.forget(l)?;
        }
        Ok(())
    }

    /// All of an owned object has been written with zeros.
    pub fn becomes_zeros(&mut self, word: &Word, size: &Term) -> Checked {
        if let Word::Ptr(l, e) = word
            && e.as_const() == Some(0)
            && *l < STATIC
        {
            let loc = self.loc(*l)?;
            let raw = self.program.shapes.raw_size(loc.lay.id).is_some();
            if loc.mode == Mode::Own
                && raw
                && loc.cells.is_empty()
                && self.size_of(&loc.lay).as_ref() == Some(size)
            {
                self.becomes(
                    *l,
                    Lay { id: self.program.shapes.zeros(), env: Some(Rc::from(vec![size.clone()])) },
                );
            }
        }
        Ok(())
    }

    /// Forgets what an object holds: only its bytes are left, and the words that are held at known places.
    fn forget(&mut self, l: LocId) -> Checked<Lay> {
        let have = self.loc(l)?.lay;
        let Some(size) = self.size_of(&have) else {
            return self.reject(Code::Content, "the object's size is not known");
        };
        Ok(self.becomes(l, Lay { id: self.program.shapes.bytes(), env: Some(Rc::from(vec![size])) }))
    }

    /// Gives a location another layout.
    pub fn becomes(&mut self, l: LocId, lay: Lay) -> Lay {
        if let Some(loc) = self.state.locs.get_mut(l as usize) {
            loc.lay = lay.clone();
        }
        lay
    }

    /// Forgets the words that lie in raw parts of `lay` and that an access, an offset and a size in bytes, may meet (`None`:
    /// all of them). Words in
    /// cells stay: an access to raw parts does not reach them, and without them the cells would seem to hold again
    /// what they held before.
    pub fn forget_words(&mut self, l: LocId, lay: &Lay, access: Option<(&Term, &Term)>) -> Checked {
        let mut i = 0;
        while let Some(held) = self.held_word(l, i) {
            self.spend(2)?;
            let meets = match access {
                Some((off, size)) => !self.apart(off, size, &held.off)?,
                None => true,
            };
            let word = self.word_width();
            if meets && matches!(self.leaf(lay, &held.off, word, true)?, Leaf::Raw) {
                if let Some(loc) = self.state.locs.get_mut(l as usize) {
                    loc.cells.remove(i);
                }
            } else {
                i += 1;
            }
        }
        Ok(())
    }

    /// Makes exclusive memory hold what its own layout says, so that it can be lent.
    pub fn fold(&mut self, l: LocId, blame: Blame) -> Checked {
        if self.held(l) == 0 {
            return Ok(());
        }
        let lay = self.loc(l)?.lay;
        self.pack(&mut Subst::identity(), (lay.id, &lay.env), l, &[], blame)?;
        if let Some(loc) = self.state.locs.get_mut(l as usize) {
            loc.cells.clear();
        }
        Ok(())
    }

    /// The object that a register points to, which must be owned, and the offset.
    fn owned(&self, r: Reg) -> Checked<(LocId, Term)> {
        match self.get(r) {
            Word::Ptr(l, e) if l < STATIC && self.loc(l)?.mode == Mode::Own => Ok((l, e)),
            _ => Err(self.fail(Code::Ghost, "the register does not point to owned memory").reg(r.0)),
        }
    }

    /// `split r`: raw owned memory is cut in two where `r` points. `r` and its copies point to the start of the
    /// second object then, all other pointers into the first.
    pub fn split_memory(&mut self, r: Reg) -> Checked {
        let (l, k) = self.owned(r)?;
        // A word that lies across the cut would be lost, and not be 0.
        let zeros = self.program.zeros(self.loc(l)?.lay.id) && self.held(l) == 0;
        let lay = self.forget(l)?;
        let size = self.size_of(&lay).unwrap_or_default();
        let left = self.term(size.sub(&k))?;
        self.require(&k, Code::Ghost, "the cut may lie before the object")?;
        self.require(&left, Code::Ghost, "the cut may lie behind the object")?;
        let shapes = &self.program.shapes;
        let id = if zeros { shapes.zeros() } else { shapes.bytes() };
        let bytes = |n: &Term| Lay { id, env: Some(Rc::from(vec![n.clone()])) };
        let (low, high) = (bytes(&k), bytes(&left));
        let from = self.addr(l)?;
        let second = self.open(Mode::Own, high)?;
        self.becomes(l, low);
        let at = self.addr(second)?;
        self.assume_equal(&at, &self.term(from.add(&k))?)?;
        let mut stay = Vec::new();
        for i in 0..self.held(l) {
            let Some(held) = self.held_word(l, i) else { break };
            let room = self.term(k.sub(&held.off).and_then(|t| t.offset(-i128::from(self.word()))))?;
            let behind = self.term(held.off.sub(&k))?;
            if self.try_prove(&room) {
                stay.push(held);
            } else if self.try_prove(&behind) {
                self.hold(second, &behind, held.word);
            }
        }
        if let Some(loc) = self.state.locs.get_mut(l as usize) {
            loc.cells = stay;
        }
        self.spend(self.state.parts() as u64)?;
        for w in self.state.words_mut() {
            if matches!(w, Word::Ptr(x, e) if *x == l && *e == k) {
                *w = Word::Ptr(second, Term::zero());
            }
        }
        Ok(())
    }

    /// `join a, b`: two raw owned objects of which the second starts where the first ends become one. Pointers into
    /// the second point into the first then.
    pub fn join_memory(&mut self, a: Reg, b: Reg) -> Checked {
        let ((l, _), (k, _)) = (self.owned(a)?, self.owned(b)?);
        if l == k {
            return self.reject(Code::Ghost, "an object cannot be joined with itself");
        }
        let zeros = |e: &Self, l| {
            Ok::<_, alloc::boxed::Box<crate::verdict::Reject>>(
                e.program.zeros(e.loc(l)?.lay.id) && e.held(l) == 0,
            )
        };
        let zeros = zeros(self, l)? && zeros(self, k)?;
        let (first, second) = (self.forget(l)?, self.forget(k)?);
        let n = self.size_of(&first).unwrap_or_default();
        let both = self.term(n.add(&self.size_of(&second).unwrap_or_default()))?;
        let (from, to) = (self.addr(l)?, self.addr(k)?);
        let gap = self.term(from.add(&n).and_then(|t| t.sub(&to)))?;
        let why = "the second object is not proved to start where the first one ends";
        self.require(&gap, Code::Ghost, why)?;
        self.require(&self.term(gap.neg())?, Code::Ghost, why)?;
        let room = self.term(Term::from(self.max_object()).sub(&both))?;
        self.require(&room, Code::Ghost, "together the objects may be larger than any object may be")?;
        for i in 0..self.held(k) {
            let Some(held) = self.held_word(k, i) else { break };
            let off = self.term(held.off.add(&n))?;
            self.hold(l, &off, held.word);
        }
        let shapes = &self.program.shapes;
        let id = if zeros { shapes.zeros() } else { shapes.bytes() };
        self.becomes(l, Lay { id, env: Some(Rc::from(vec![both])) });
        self.spend(self.state.parts() as u64)?;
        let moved = |e: &Term| e.add(&n).map_or(Word::Any, |e| Word::Ptr(l, e));
        for w in self.state.words_mut() {
            if let Word::Ptr(x, e) = w
                && *x == k
            {
                *w = moved(e);
            }
        }
        self.kill(k)
    }

    fn assume_equal(&mut self, a: &Term, b: &Term) -> Checked {
        let more = self.term(a.sub(b))?;
        let less = self.term(b.sub(a))?;
        self.state.facts.assume(&more);
        self.state.facts.assume(&less);
        Ok(())
    }
}
