//! Finding what an address means: which part of an object lies at an offset.
//!
//! The effective address of `[base + s*index + d]` with `base: ptr(l, e)` is `addr(l) + off` with
//! `off = e + s*index + d` in ℤ. If `0 <= off` and `off + width <= size(l)` hold as integers, then
//! the access lies exactly inside the object; nothing needs a separate check for wrap-around.

use crate::engine::{Checked, Engine, under};
use crate::facts::Interval;
use crate::guide::Guide;
use crate::limits;
use crate::matching::{Blame, Subst};
use crate::scope::HIDDEN;
use crate::state::{Env, Lay, LocId};
use crate::term::Term;
use crate::types::{Body, Layout, LayoutId, StructId, WordId};
use crate::verdict::Code;
use crate::x86::insn::Width;
use alloc::rc::Rc;
use alloc::vec::Vec;

/// What an access meets.
#[derive(Clone, Debug)]
pub enum Leaf {
    /// Raw data: the access lies inside it (proved).
    Raw,
    /// Exactly one word cell of this type.
    Cell(WordId, Env),
    /// Exactly one ranged integer cell.
    Num(Width, Interval),
    /// Exactly one cell of a known number, with a sign or without.
    Exact(Width, bool, Term),
    /// Exactly the tag of a union.
    Tag(StructId),
    /// A string with its first NUL at `m`; the access is at `at` (nothing proved yet).
    Cstr {
        /// Index of the first NUL.
        m: Term,
        /// Offset of the access from the start of the string.
        at: Term,
    },
    /// A null-terminated array with its first 0 at index `k`; the access is at index `index`
    /// (nothing proved yet).
    NullTerm {
        /// Index of the first 0.
        k: Term,
        /// Index of the access.
        index: Term,
        /// The type of the words.
        word: WordId,
        /// Under this environment.
        env: Env,
    },
}

/// A place: a location, and an offset from its start.
pub type Spot<'s> = (LocId, &'s Term);

/// What a search for part of an object stops at.
enum Part {
    /// One step down.
    Inside(Lay, Term),
    /// Nothing below.
    Leaf,
}

impl<'a, G: Guide> Engine<'a, G> {
    /// The part of `lay` that lies at `off`, one step down; `None` at its leaves. `spot` is what is looked for: its
    /// location and its offset from the start of that, which tell which variant of a union is there.
    pub fn inside_of(&mut self, spot: Spot<'_>, lay: &Lay, off: &Term) -> Checked<Option<(Lay, Term)>> {
        let blame = Blame { shape: Code::Straddle, fact: Code::Bounds };
        Ok(match self.part(spot, lay, off, blame)? {
            Part::Inside(l, o) => Some((l, o)),
            Part::Leaf => None,
        })
    }

    /// The part of `lay`, which is the location's, that an access of `width` bytes at offset `off` meets.
    /// Accesses that read raw bits of typed memory are [`Leaf::Raw`] if `write` is false.
    pub fn leaf(&mut self, l: LocId, lay: &Lay, off: &Term, width: Width, write: bool) -> Checked<Leaf> {
        let blame = Blame { shape: Code::Straddle, fact: Code::Bounds };
        if let Some(size) = self.program.shapes.raw_size(lay.id) {
            let size = self.term(under(size, &lay.env))?;
            self.inside(off, width, &size)?;
            return Ok(Leaf::Raw);
        }
        let whole = (lay.clone(), off.clone());
        let (mut lay, mut off) = whole.clone();
        for _ in 0..=limits::NESTING {
            self.spend(2)?;
            lay = self.plain_lay(lay);
            if let Some(size) = self.program.shapes.raw_size(lay.id) {
                let size = self.term(under(size, &lay.env))?;
                self.inside(&off, width, &size)?;
                return Ok(Leaf::Raw);
            }
            let program = self.program;
            match program.types.layout(lay.id) {
                Layout::Cell(word) => {
                    if off.as_const() == Some(0) && i64::from(width.bytes()) == self.word() {
                        return Ok(match self.plain(*word, &lay.env) {
                            Some(known) => Leaf::Cell(known, Some(Rc::from([]))),
                            None => Leaf::Cell(*word, lay.env),
                        });
                    }
                    return self.raw_read(&whole, width, write);
                }
                Layout::Num(w, range) => {
                    if off.as_const() == Some(0) && *w == width {
                        return Ok(Leaf::Num(*w, *range));
                    }
                    return self.raw_read(&whole, width, write);
                }
                Layout::Foreign(n) => {
                    let n = self.term(under(n, &lay.env))?;
                    self.inside(&off, width, &n)?;
                    return Ok(Leaf::Raw);
                }
                Layout::Exact(w, signed, t) => {
                    if off.as_const() == Some(0) && *w == width {
                        return Ok(Leaf::Exact(*w, *signed, self.term(under(t, &lay.env))?));
                    }
                    return self.raw_read(&whole, width, write);
                }
                Layout::Cstr(Some(m)) => {
                    let m = self.term(under(m, &lay.env))?;
                    return Ok(Leaf::Cstr { m, at: off });
                }
                Layout::NullTerm(Some(k), word) => {
                    let k = self.term(under(k, &lay.env))?;
                    let bytes = self.word() as i128;
                    let (index, rest) = self.split_offset(&off, bytes)?;
                    if rest.as_const() != Some(0) || i64::from(width.bytes()) != self.word() {
                        return self.reject(Code::Straddle, "the access does not fit one element");
                    }
                    return Ok(Leaf::NullTerm { k, index, word: *word, env: lay.env });
                }
                // This access alone sees these names: another one may meet other contents.
                Layout::Exists(e) => {
                    let env = self.name_hidden(e, &lay.env)?;
                    lay = Lay { id: e.body, env };
                    continue;
                }
                Layout::Struct(id, _) => {
                    if let Some(u) = program.shapes.union(*id)
                        && off.as_const() == Some(u.off)
                        && u.width == width
                    {
                        return Ok(Leaf::Tag(*id));
                    }
                }
                _ => {}
            }
            match self.part((l, &whole.1), &lay, &off, blame)? {
                Part::Inside(l, o) => (lay, off) = (l, o),
                Part::Leaf => return self.reject(Code::Content, "the contents are not known"),
            }
        }
        self.reject(Code::Limit, "types are nested too deeply")
    }

    /// A read that does not fit a cell gives raw bits, if it lies inside the object.
    fn raw_read(&mut self, whole: &(Lay, Term), width: Width, write: bool) -> Checked<Leaf> {
        if write {
            return self.reject(Code::Straddle, "the store does not fit the cell");
        }
        let Some(size) = self.size_of(&whole.0) else {
            return self.reject(Code::Bounds, "the object's size is not known");
        };
        self.inside(&whole.1, width, &size)?;
        Ok(Leaf::Raw)
    }

    /// Proves that `width` bytes at `off` lie in an object of `size` bytes.
    pub fn inside(&mut self, off: &Term, width: Width, size: &Term) -> Checked {
        self.require(off, Code::Bounds, "the access may lie before the object")?;
        let last = self.term(size.sub(off).and_then(|t| t.offset(-i128::from(width.bytes()))))?;
        self.require(&last, Code::Bounds, "the access may run past the end of the object")
    }

    /// Splits an offset into `size * index + rest`: coefficients that `size` divides go to the
    /// index, and the constant so that `0 <= constant of rest < size`.
    pub fn split_offset(&self, off: &Term, size: i128) -> Checked<(Term, Term)> {
        let (mut index, mut rest) = (Vec::new(), Vec::new());
        for &(v, c) in off.summands().iter() {
            if (c as i128) % size == 0 {
                index.push((v, (c as i128 / size) as i64));
            } else {
                rest.push((v, c));
            }
        }
        let index = self.term(Term::from_parts(off.konst().div_euclid(size), &index))?;
        let rest = self.term(Term::from_parts(off.konst().rem_euclid(size), &rest))?;
        Ok((index, rest))
    }

    /// One step down: the element of an array, the field of a struct or sequence, at `off`.
    /// Bounds of array indices are proved.
    fn part(&mut self, spot: Spot<'_>, lay: &Lay, off: &Term, blame: Blame) -> Checked<Part> {
        self.spend(2)?;
        let program = self.program;
        match program.types.layout(lay.id) {
            Layout::Array(n, elem) => {
                let elem = Lay { id: *elem, env: lay.env.clone() };
                let n = self.term(under(n, &lay.env))?;
                let Some(size) = self.size_of(&elem).and_then(|s| s.as_const()).filter(|s| *s > 0) else {
                    return self.reject(Code::IllFormedType, "the size of an element is not known");
                };
                let (index, rest) = self.split_offset(off, size)?;
                self.require(&index, blame.fact, "the index may be negative")?;
                let left = self.term(n.sub(&index).and_then(|t| t.offset(-1)))?;
                self.require(&left, blame.fact, "the index may be too large")?;
                Ok(Part::Inside(elem, rest))
            }
            Layout::Struct(id, args) => {
                let env = self.compose(args, &lay.env)?;
                match &program.types.strukt(*id).body {
                    Body::Fields(fields) => self.field(fields, &env, off),
                    Body::Hidden => self.reject(Code::Abstract, HIDDEN),
                    Body::Union { variants, .. } => {
                        let base = self.term(spot.1.sub(off))?;
                        let i = self.refined(spot.0, *id, &base)?;
                        let Some(variant) = variants.get(i) else {
                            return self.reject(Code::IllFormedType, "a union without variants");
                        };
                        Ok(Part::Inside(Lay { id: *variant, env }, off.clone()))
                    }
                }
            }
            Layout::Seq(fields) => self.field(fields, &lay.env, off),
            _ => Ok(Part::Leaf),
        }
    }

    /// The last field that evidently starts at or before `off`.
    fn field(&mut self, fields: &[LayoutId], env: &Env, off: &Term) -> Checked<Part> {
        let mut start = Term::zero();
        let mut best = None;
        for &id in fields {
            self.spend(1 + off.summands().len() as u64)?;
            let rest = self.term(off.sub(&start))?;
            if best.is_some() && self.state.facts.range(&rest).lo < 0 {
                break;
            }
            let lay = Lay { id, env: env.clone() };
            let size = self.size_of(&lay);
            best = Some((lay, rest));
            let Some(size) = size else { break };
            start = self.term(start.add(&size))?;
        }
        match best {
            Some((lay, rest)) => Ok(Part::Inside(lay, rest)),
            None => self.reject(Code::Bounds, "the struct is empty"),
        }
    }

    /// The same, as a layout and the offset in it.
    pub(crate) fn field_at(
        &mut self,
        fields: &[LayoutId],
        env: &Env,
        off: &Term,
    ) -> Checked<Option<(Lay, Term)>> {
        Ok(match self.field(fields, env, off)? {
            Part::Inside(lay, rest) => Some((lay, rest)),
            Part::Leaf => None,
        })
    }

    /// The string that `lay` is at an offset, if it is one there: the index of its first NUL, and the offset in it.
    pub fn string_at(&mut self, spot: Spot<'_>, lay: &Lay) -> Checked<Option<(Term, Term)>> {
        let (mut lay, mut off) = (lay.clone(), spot.1.clone());
        for _ in 0..=limits::NESTING {
            self.spend(2)?;
            lay = self.plain_lay(lay);
            match self.program.types.layout(lay.id) {
                Layout::Cstr(Some(m)) => return Ok(Some((self.term(under(m, &lay.env))?, off))),
                Layout::Struct(..) | Layout::Seq(_) => match self.inside_of(spot, &lay, &off)? {
                    Some(inner) => (lay, off) = inner,
                    None => return Ok(None),
                },
                _ => return Ok(None),
            }
        }
        self.reject(Code::Limit, "types are nested too deeply")
    }

    /// The raw region of `lay` around offset `off`: `(start, size)`, both from the object's start.
    pub fn raw_region(&mut self, l: LocId, lay: &Lay, off: &Term, blame: Blame) -> Checked<(Term, Term)> {
        let (mut lay, mut rel) = (lay.clone(), off.clone());
        for _ in 0..=limits::NESTING {
            lay = self.plain_lay(lay);
            if let Some(size) = self.program.shapes.raw_size(lay.id) {
                let size = self.term(under(size, &lay.env))?;
                return Ok((self.term(off.sub(&rel))?, size));
            }
            if let Layout::Foreign(n) = self.program.types.layout(lay.id) {
                return Ok((self.term(off.sub(&rel))?, self.term(under(n, &lay.env))?));
            }
            match self.part((l, off), &lay, &rel, blame)? {
                Part::Inside(l, o) => (lay, rel) = (l, o),
                Part::Leaf => return self.reject(blame.shape, "the memory is not raw bytes"),
            }
        }
        self.reject(Code::Limit, "types are nested too deeply")
    }

    /// Finds the part of `lay` at `off` that has the layout `want`, and matches it. An array may
    /// be longer than asked for and may start at any element. `write`: it may be written afterwards.
    pub fn part_at(
        &mut self,
        s: &mut Subst,
        want: (LayoutId, &Env),
        (l, at): Spot<'_>,
        write: bool,
        blame: Blame,
    ) -> Checked {
        if let Some(known) = self.wanted_by_code(s, want) {
            return self.part_at(s, (known, &Some(Rc::from([]))), (l, at), write, blame);
        }
        let (mut lay, mut off) = (self.loc(l)?.lay, at.clone());
        let program = self.program;
        let target = program.types.layout(want.0);
        let open = matches!(target, Layout::Of(t, _) if under(t, want.1).and_then(|t| s.apply(&t)).is_none());
        for _ in 0..=limits::NESTING {
            self.spend(2)?;
            lay = self.plain_lay(lay);
            let here = program.types.layout(lay.id);
            if let (Layout::Array(want_n, want_elem), Layout::Array(n, elem)) = (target, here) {
                let elem_lay = Lay { id: *elem, env: lay.env.clone() };
                if program.head(*want_elem) == program.head(*elem)
                    && let Some(size) = self.size_of(&elem_lay).and_then(|t| t.as_const()).filter(|c| *c > 0)
                {
                    let (index, rest) = self.split_offset(&off, size)?;
                    if rest.as_const() == Some(0) {
                        self.same_layout(s, (*want_elem, want.1), (*elem, &lay.env), 0, blame)?;
                        self.require(&index, blame.fact, "the pointer may lie before the array")?;
                        let n = self.term(under(n, &lay.env))?;
                        let left = self.term(n.sub(&index))?;
                        let want_n = self.term(under(want_n, want.1))?;
                        return self.at_least(s, &want_n, &left, blame);
                    }
                }
            } else if off.as_const() == Some(0)
                && (program.head(want.0) == program.head(lay.id)
                    || open && matches!(here, Layout::Struct(..)))
            {
                return self.same_layout(s, want, (lay.id, &lay.env), 0, blame);
            } else if let Layout::Exists(e) = target
                && off.as_const() == Some(0)
                && program.head(e.body) == program.head(lay.id)
            {
                // Whoever sees the memory as this keeps what it is: a store through an existential is right for all
                // values of what is hidden.
                return self.hiding(s, e, want.1, blame, |g, s, env| {
                    g.same_layout(s, (e.body, env), (lay.id, &lay.env), 0, blame)
                });
            }
            if program.types.opaque(lay.id) {
                return self.reject(blame.shape, "the memory is of an abstract type of another module");
            }
            let inside = self.part((l, at), &lay, &off, blame)?;
            if write && let Layout::Struct(id, _) = here {
                self.tag_stays(*id, (l, at), &off, blame)?;
            }
            match inside {
                Part::Inside(l, o) => (lay, off) = (l, o),
                Part::Leaf => return self.reject(blame.shape, "the memory holds something else"),
            }
        }
        self.reject(Code::Limit, "types are nested too deeply")
    }
}
