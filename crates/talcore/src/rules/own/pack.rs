//! Packing: whether owned memory, as it is, is of a layout that somebody wants.
//!
//! Held words are matched with the cells that the layout has at their places; everywhere else the layouts are compared,
//! field by field, so that a struct may come into being from raw memory whose cells have been written.

use crate::engine::{Checked, Engine, under};
use crate::facts::Interval;
use crate::guide::Guide;
use crate::limits;
use crate::matching::{Blame, NO_POINTER, Subst};
use crate::rules::unions::From;
use crate::scope::{HIDDEN, MADE_ELSEWHERE};
use crate::state::{Env, Held, Lay, LocId, Word};
use crate::term::Term;
use crate::types::{Exists, Layout, LayoutId, WordId, WordTy};
use crate::verdict::Code;
use crate::x86::insn::Width;
use alloc::vec::Vec;

/// What memory that is being packed has.
pub(super) struct Contents<'t> {
    /// Its location.
    pub(super) l: LocId,
    /// Where the tags of unions come from.
    pub(super) tags: From<'t>,
    /// Unions whose tags were held: where they begin, and their variants.
    pub(super) retagged: Vec<(Term, LayoutId, Env)>,
    /// Its layout.
    pub(super) have: Lay,
    /// Where words and numbers have been matched that replace what the layout says.
    pub(super) known: Vec<(Term, Width)>,
    /// Where existential parts begin that have been matched, and which. (One of no size may begin there too.)
    pub(super) closed: Vec<(Term, LayoutId)>,
    /// Elsewhere it is 0.
    pub(super) zero: bool,
    /// What a mismatch is called.
    pub(super) blame: Blame,
}

/// The number that a cell holds by its type: its width and whether it has a sign, unless it is a whole word.
type Number = (Option<(Width, bool)>, Term);

impl Contents<'_> {
    fn knows(&self, at: &Term, width: Width) -> bool {
        self.known.iter().any(|k| k.0 == *at && k.1 == width)
    }
}

/// What a layout that memory is packed to has at some place.
pub(super) enum Wanted<'a> {
    /// Raw bytes.
    Raw,
    /// One word.
    Cell(WordId, Env),
    /// One number of a range, of this width.
    Num(Width, Interval),
    /// One number that is the term, of this width, with a sign or without.
    Exact(Width, bool, Term),
    /// An existential part, which begins there.
    Hidden(LayoutId, &'a Exists<LayoutId>, Env, Term),
}

impl<'a, G: Guide> Engine<'a, G> {
    /// Packs what a location holds to the layout `want` of a pattern, but for the words at the offsets `but`,
    /// which have been matched. The location's layout is not changed: whoever needs it again says what it is now.
    pub fn pack(
        &mut self,
        s: &mut Subst,
        want: (LayoutId, &Env),
        l: LocId,
        but: &[(Term, Width)],
        blame: Blame,
    ) -> Checked {
        self.unfold(l)?;
        if matches!(self.program.types.layout(want.0), Layout::Of(..)) {
            return self.pack_by_code(s, want, l, but, blame);
        }
        if self.begins_with_text(want.0) {
            self.becomes_text(l)?;
        }
        if self.packing >= limits::NESTING {
            return self.reject(Code::Limit, "owned memory is nested too deeply");
        }
        if let Layout::Exists(e) = self.program.types.layout(want.0) {
            self.packing += 1;
            self.hiding(s, e, want.1, blame, |g, s, env| g.pack(s, (e.body, env), l, but, blame))?;
            self.packing -= 1;
            return Ok(());
        }
        let have = self.loc(l)?.lay;
        if self.foreign(want.0) {
            // Any memory may be forgotten so far.
            return self.foreign_as(s, want, &have, blame);
        }
        self.not_foreign(have.id, blame.shape)?;
        if self.program.types.opaque(want.0) || self.program.types.opaque(have.id) {
            return self.pack_abstract(s, want, l, &have, blame);
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
        let (zero, text) = (self.program.zeros(have.id), have.id == self.program.shapes.text());
        let mut is = Contents {
            l,
            tags: From::Held(but),
            retagged: Vec::new(),
            have,
            known: but.to_vec(),
            closed: Vec::new(),
            zero,
            blame,
        };
        self.pack_numbers(s, want, &mut is)?;
        let held = self.state.locs.get(l as usize).map_or(0, |loc| loc.cells.len());
        for i in 0..held {
            // Packing one word may end the capability of the next one, so each is looked up in its turn.
            let Some(cell) = self.state.locs.get(l as usize).and_then(|loc| loc.cells.get(i)).cloned() else {
                break;
            };
            self.spend(4)?;
            let place = (cell.off, cell.width);
            // What is held beside a string replaces nothing of it.
            if text || is.known.contains(&place) {
                continue;
            }
            match self.wanted(s, want, &Term::zero(), &place, &mut is)? {
                Wanted::Hidden(id, e, env, start) => {
                    self.pack_hidden(s, (id, e, &env), &start, l, &mut is)?
                }
                wanted => {
                    if self.match_held(s, wanted, &cell.word, blame)? {
                        is.known.push(place);
                    }
                }
            }
        }
        self.rest(s, want, &Term::zero(), 0, &is)?;
        // In an element of an array all parts must be those of the new variant too.
        for (base, variant, env) in core::mem::take(&mut is.retagged) {
            self.rest(s, (variant, &env), &base, 0, &is)?;
        }
        self.alive(l, true);
        self.packing -= 1;
        Ok(())
    }

    /// Memory of an abstract type of another module is that, and nothing else is. Nothing is ever held there, since
    /// nothing can be stored.
    fn pack_abstract(
        &mut self,
        s: &mut Subst,
        want: (LayoutId, &Env),
        l: LocId,
        have: &Lay,
        blame: Blame,
    ) -> Checked {
        let program = self.program;
        if program.head(want.0) != program.head(have.id) || self.holds(l) {
            let why = if program.types.opaque(have.id) { HIDDEN } else { MADE_ELSEWHERE };
            return self.reject(Code::Abstract, why);
        }
        self.same_layout(s, want, (have.id, &have.env), 0, blame)
    }

    /// Matches a held word or number with what the layout has at its place; false: raw bytes.
    pub(super) fn match_held(
        &mut self,
        s: &mut Subst,
        wanted: Wanted<'a>,
        word: &Word,
        blame: Blame,
    ) -> Checked<bool> {
        match wanted {
            Wanted::Cell(ty, env) => {
                self.match_word(s, (ty, &env), word, blame).map_err(|mut e| {
                    if e.why == NO_POINTER {
                        e.why = "a cell of the memory does not hold what its type says: it was moved out, or given away";
                    }
                    e
                })?;
            }
            Wanted::Num(width, range) => {
                let t = self.narrow(width, range.lo < 0, word)?;
                self.require_in(&t, range, blame.fact, "a number in the memory may lie outside its range")?;
            }
            Wanted::Exact(width, signed, t) => self.match_number(s, (width, signed, &t), word, blame)?,
            Wanted::Raw => return Ok(false),
            Wanted::Hidden(..) => {
                return self.reject(blame.shape, "a word was stored where sizes are hidden twice");
            }
        }
        Ok(true)
    }

    /// The numbers of a struct that is packed go first: they say which arguments it has, while memory may be larger than
    /// what is asked for.
    fn pack_numbers(&mut self, s: &mut Subst, want: (LayoutId, &Env), is: &mut Contents<'_>) -> Checked {
        let Contents { l, have, known, tags, blame, .. } = is;
        let (l, tags, blame) = (*l, *tags, *blame);
        let program = self.program;
        let Layout::Struct(id, args) = program.types.layout(want.0) else { return Ok(()) };
        if s.terms.iter().all(Option::is_some) {
            return Ok(());
        }
        let mut env = self.compose(args, want.1)?;
        let mut strukt = *id;
        if program.shapes.union(*id).is_some() {
            // As it is the union says its arguments itself.
            if matches!(program.types.layout(have.id), Layout::Struct(same, _) if same == id)
                && !self.holds(l)
            {
                return Ok(());
            }
            let variant = self.variant_now(l, have, *id, &Term::zero(), tags)?.0;
            let Layout::Struct(of, inner) = program.types.layout(variant) else { return Ok(()) };
            env = self.compose(inner, &env)?;
            strukt = *of;
        }
        let mut at = Term::zero();
        for &field in program.types.strukt(strukt).fields().unwrap_or(&[]) {
            self.spend(2)?;
            let number = self.number_in(field, &env)?;
            if let Some((kind, p)) = number
                && let place = (at.clone(), kind.map_or(self.word_width(), |k| k.0))
                && !known.contains(&place)
            {
                let here = |c: &&Held| c.off == at && c.width == place.1;
                let held = self.state.locs.get(l as usize).and_then(|l| l.cells.iter().find(here));
                match (held.map(|c| c.word.clone()), kind) {
                    (Some(word), Some((width, signed))) => {
                        self.match_number(s, (width, signed, &p), &word, blame)?;
                        known.push(place);
                    }
                    (Some(word), None) => {
                        // As `match_word` takes a cell of an integer.
                        let t = self.integer(&word)?;
                        self.unify(s, &p, &t, true, blame)?;
                        known.push(place);
                    }
                    (None, _) if program.zeros(have.id) => {
                        self.unify(s, &p, &Term::zero(), kind.is_none(), blame)?;
                    }
                    (None, _) => {
                        if let Some(same) = self.same_part(l, field, &at, have)?
                            && let Some((_, a)) = self.number_in(same.id, &same.env)?
                        {
                            self.unify(s, &p, &a, kind.is_none(), blame)?;
                        }
                    }
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

    /// The number that a cell holds by its type.
    fn number_in(&self, field: LayoutId, env: &Env) -> Checked<Option<Number>> {
        let program = self.program;
        Ok(match program.types.layout(field) {
            Layout::Exact(width, signed, t) => Some((Some((*width, *signed)), self.term(under(t, env))?)),
            Layout::Cell(ty) => match program.types.word(*ty) {
                WordTy::Int(t) => Some((None, self.term(under(t, env))?)),
                _ => None,
            },
            _ => None,
        })
    }

    /// Whether words are held.
    fn holds(&self, l: LocId) -> bool {
        self.state.locs.get(l as usize).is_some_and(|l| !l.cells.is_empty())
    }

    pub(in crate::rules) fn alive(&mut self, l: LocId, live: bool) {
        if let Some(loc) = self.state.locs.get_mut(l as usize) {
            loc.live = live;
        }
    }

    /// What the layout of a pattern, which begins `start` bytes into the memory, has at an offset from there of a held word,
    /// all of which lies there.
    pub(super) fn wanted(
        &mut self,
        s: &Subst,
        want: (LayoutId, &Env),
        start: &Term,
        (at, width): &(Term, Width),
        is: &mut Contents<'_>,
    ) -> Checked<Wanted<'a>> {
        let blame = is.blame;
        let (mut id, mut env, mut off) = (want.0, want.1.clone(), at.clone());
        let (program, bytes) = (self.program, i128::from(width.bytes()));
        for _ in 0..=limits::NESTING {
            self.spend(2)?;
            if let Some(known) = self.wanted_by_code(s, (id, &env)) {
                (id, env) = (known, Some([].into()));
            }
            if program.shapes.raw_size(id).is_some() {
                return Ok(Wanted::Raw);
            }
            let fields = match program.types.layout(id) {
                Layout::Cell(ty) if off.as_const() == Some(0) && self.full(*width) => {
                    return Ok(Wanted::Cell(*ty, env));
                }
                Layout::Num(w, range) if off.as_const() == Some(0) && w == width => {
                    return Ok(Wanted::Num(*w, *range));
                }
                Layout::Exact(w, signed, t) if off.as_const() == Some(0) && w == width => {
                    return Ok(Wanted::Exact(*w, *signed, self.term(under(t, &env))?));
                }
                Layout::Exists(e) => return Ok(Wanted::Hidden(id, e, env, self.term(at.sub(&off))?)),
                Layout::Array(_, elem) => {
                    let size = program.shapes.size(*elem).and_then(Term::as_const).filter(|c| *c > 0);
                    let Some(size) = size else {
                        return self.reject(blame.shape, "an element's size is hidden");
                    };
                    (id, off) = (*elem, self.split_offset(&off, size)?.1);
                    if off.as_const().is_none_or(|at| at > size - bytes) {
                        return self.reject(blame.shape, "a word was stored where no single element lies");
                    }
                    continue;
                }
                Layout::Struct(nominal, args) => {
                    env = self.compose(args, &env)?;
                    match program.types.strukt(*nominal).fields() {
                        Some(fields) => fields,
                        None => {
                            let base = self.term(at.sub(&off).and_then(|t| t.add(start)))?;
                            let (variant, held) =
                                self.variant_now(is.l, &is.have, *nominal, &base, is.tags)?;
                            if held {
                                self.retagged.push(is.l);
                                if !is.retagged.iter().any(|r| r.0 == base) {
                                    is.retagged.push((base, variant, env.clone()));
                                }
                            }
                            id = variant;
                            continue;
                        }
                    }
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
                            .and_then(|t| t.offset(-bytes))
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
    pub(super) fn rest(
        &mut self,
        s: &mut Subst,
        want: (LayoutId, &Env),
        at: &Term,
        depth: usize,
        is: &Contents<'_>,
    ) -> Checked {
        self.spend(2 + is.known.len() as u64)?;
        if depth > limits::NESTING {
            return self.reject(Code::Limit, "types are nested too deeply");
        }
        let program = self.program;
        if program.shapes.raw_size(want.0).is_some() {
            return Ok(()); // every content may be forgotten
        }
        if self.rest_is_part(s, want, at, is)? {
            return Ok(());
        }
        if let Some(known) = self.wanted_by_code(s, want) {
            return self.rest(s, (known, &Some([].into())), at, depth + 1, is);
        }
        let fields = match program.types.layout(want.0) {
            Layout::Cell(_) if is.knows(at, self.word_width()) => return Ok(()),
            Layout::Num(w, _) | Layout::Exact(w, ..) if is.knows(at, *w) => return Ok(()),
            Layout::Cell(ty) if is.zero => return self.zero_word(s, (*ty, want.1), is.blame),
            Layout::Exact(_, _, t) if is.zero => {
                let t = self.term(under(t, want.1))?;
                return self.unify(s, &t, &Term::zero(), false, is.blame);
            }
            Layout::Num(_, range) if is.zero && crate::shapes::ZERO.within(range) => return Ok(()),
            // All elements are alike, but for those whose words are known.
            Layout::Array(_, elem) if is.zero => {
                let all = Contents {
                    l: is.l,
                    tags: From::Declared,
                    retagged: Vec::new(),
                    have: is.have.clone(),
                    known: Vec::new(),
                    closed: Vec::new(),
                    zero: true,
                    blame: is.blame,
                };
                return self.rest(s, (*elem, want.1), at, depth + 1, &all);
            }
            Layout::Cstr(_) | Layout::NullTerm(..) | Layout::Num(..) if is.zero => {
                return self.reject(is.blame.shape, "memory of zeros is no value of what is wanted there");
            }
            Layout::Struct(id, args) => {
                let env = self.compose(args, want.1)?;
                let fields = program.types.strukt(*id).fields();
                // Of a union that nothing held lies in the variant need not be known.
                let whole = is.known.is_empty() || fields.is_none() && self.untouched(s, want, at, is)?;
                let mut other = None;
                if whole
                    && !is.zero
                    && let Some(same) = self.same_part(is.l, want.0, at, &is.have)?
                    && let Layout::Struct(_, given) = program.types.layout(same.id)
                {
                    let have = self.compose(given, &same.env)?;
                    let pairs = env.iter().flat_map(|e| e.iter()).zip(have.iter().flat_map(|e| e.iter()));
                    // With other arguments it may have the same fields, or shorter arrays.
                    if pairs.into_iter().all(|(p, a)| s.apply(p).is_none_or(|p| p == *a)) {
                        return self.same_layout(s, want, (same.id, &same.env), 0, is.blame);
                    }
                    other = Some(same);
                }
                let Some(fields) = fields else {
                    let (variant, held) = match (self.variant_now(is.l, &is.have, *id, at, is.tags), other) {
                        (Err(e), Some(same)) if e.code == Code::Variant => {
                            return self.same_layout(s, want, (same.id, &same.env), 0, is.blame);
                        }
                        (found, _) => found?,
                    };
                    if held {
                        self.retagged.push(is.l);
                    }
                    return self.rest(s, (variant, &env), at, depth + 1, is);
                };
                return self.fields(s, (fields, &env), at, depth, is);
            }
            Layout::Seq(fields) => fields,
            Layout::Exists(_) if is.closed.iter().any(|c| c.0 == *at && c.1 == want.0) => return Ok(()),
            Layout::Exists(e) => {
                if !is.zero
                    && let Some(same) = self.same_part(is.l, want.0, at, &is.have)?
                {
                    return self.same_layout(s, want, (same.id, &same.env), 0, is.blame);
                }
                return self
                    .hiding(s, e, want.1, is.blame, |g, s, env| g.rest(s, (e.body, env), at, depth + 1, is));
            }
            Layout::Array(n, elem) => return self.array(s, want, (n, *elem), at, depth, is),
            _ => {
                let Some(same) = self.same_part(is.l, want.0, at, &is.have)? else {
                    return self.reject(is.blame.shape, "the memory does not hold what is wanted there");
                };
                return self.same_layout(s, want, (same.id, &same.env), 0, is.blame);
            }
        };
        self.fields(s, (fields, want.1), at, depth, is)
    }

    /// Whether all held words are proved to lie outside of a union that begins at `at`.
    fn untouched(
        &mut self,
        s: &Subst,
        want: (LayoutId, &Env),
        at: &Term,
        is: &Contents<'_>,
    ) -> Checked<bool> {
        let size = self.program.shapes.size(want.0).and_then(|t| under(t, want.1)).and_then(|t| s.apply(&t));
        let Some(size) = size else { return Ok(false) };
        for i in 0.. {
            self.spend(2)?;
            let held = self.state.locs.get(is.l as usize).and_then(|l| l.cells.get(i)).cloned();
            let Some(held) = held else { break };
            // Those that stay held lie above of what is packed.
            if !is.tags.stays(&held) && !self.apart(at, &size, &held)? {
                return Ok(false);
            }
        }
        Ok(true)
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
        is: &Contents<'_>,
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
        is: &Contents<'_>,
    ) -> Checked {
        let program = self.program;
        let mut have = Term::zero();
        if let Some(same) = self.same_part(is.l, want.0, at, &is.have)?
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
    fn same_part(&mut self, l: LocId, want: LayoutId, at: &Term, have: &Lay) -> Checked<Option<Lay>> {
        let (mut lay, mut off) = (have.clone(), at.clone());
        for _ in 0..=limits::NESTING {
            self.spend(2)?;
            lay = self.plain_lay(lay);
            if off.as_const() == Some(0) && self.program.head(lay.id) == self.program.head(want) {
                return Ok(Some(lay));
            }
            let ranged = matches!(self.program.types.layout(want), Layout::Num(..));
            match (self.inside_of((l, at), &lay, &off)?, self.program.types.layout(lay.id)) {
                (Some((l, o)), _) => (lay, off) = (l, o),
                // What lies there is for one of many values of what is hidden; but ranges mention none of them.
                (None, Layout::Exists(e)) if ranged => {
                    let env = self.name_hidden(e, &lay.env)?;
                    lay = Lay { id: e.body, env };
                }
                (None, _) => return Ok(None),
            }
        }
        self.reject(Code::Limit, "types are nested too deeply")
    }
}
