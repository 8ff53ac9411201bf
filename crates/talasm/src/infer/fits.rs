//! What memory of the function alone can be packed to: which layouts and types fit what lies there.

use super::cells::Cell;
use super::join::BUDGET;
use super::label::Frame;
use super::terms::under;
use crate::prove::prove;
use std::rc::Rc;
use talcore::shapes::ZERO;
use talcore::state::{Env, Lay, Loc, LocId, STATIC, State, Word};
use talcore::term::Term;
use talcore::types::{Layout, LayoutId, WordId, WordTy};

/// How deep packed memory is looked at.
const DEEP: usize = 8;

/// Whether two numbers are known to be equal.
fn equal(s: &State, a: &Term, b: &Term) -> bool {
    let Some(d) = a.sub(b) else { return false };
    let proved = |t: &Term| s.facts.evident(t) || prove(&s.facts, t, BUDGET).is_some();
    d == Term::zero() || d.as_const().is_none() && proved(&d) && d.neg().is_some_and(|d| proved(&d))
}

/// The only note of a module that is assembled.
const MODULE: u32 = 0;

impl Frame<'_> {
    /// What a location holds and how it may be used.
    pub(super) fn holding(&self, s: &State, l: LocId) -> Option<Loc> {
        match l.checked_sub(STATIC) {
            None => s.locs.get(l as usize).map(|l| Loc { addr: None, ..l.clone() }),
            Some(o) => match self.program.objects.get(o as usize)?.kind {
                talcore::program::ObjectKind::Data(mode, id) => {
                    Some(Loc::new(mode, Lay { id, env: Some(Rc::from([])) }))
                }
                talcore::program::ObjectKind::Table(..) => None,
            },
        }
    }

    /// Memory of zeros as raw memory, if it holds other words.
    pub(super) fn without_zeros(&self, loc: &Loc) -> Loc {
        if self.program.zeros(loc.lay.id) && !loc.cells.is_empty() { self.plain(loc) } else { loc.clone() }
    }

    /// Memory as raw memory.
    pub(super) fn plain(&self, loc: &Loc) -> Loc {
        let shapes = &self.program.shapes;
        let mut out = loc.clone();
        if let Some(size) = shapes.size(loc.lay.id).and_then(|t| under(t, &loc.lay.env)) {
            out.lay = Lay { id: shapes.bytes(), env: Some([size].into()) };
        }
        out
    }

    /// Whether memory is all zeros, and a layout one whose cells may be 0.
    pub(super) fn cleared(&self, loc: &Loc, lay: &Lay) -> bool {
        let types = &self.program.types;
        let mut open = vec![lay.id];
        let mut seen = 0;
        while let Some(id) = open.pop() {
            seen += 1;
            let fine = match types.layout(id) {
                Layout::Bytes(_) => true,
                Layout::Cell(ty) => match types.word(*ty) {
                    WordTy::Opt(_) => true,
                    WordTy::Range(r) => ZERO.within(r),
                    _ => false,
                },
                Layout::Num(_, r) => ZERO.within(r),
                Layout::Array(_, elem) => {
                    open.push(*elem);
                    true
                }
                Layout::Struct(..) if types.opaque(id) => false,
                Layout::Struct(s, _) => match self.program.shapes.union(*s) {
                    None => {
                        open.extend(types.strukt(*s).body.parts());
                        true
                    }
                    // The variant whose tag is 0.
                    Some(u) => match u.variant(ZERO).and_then(|i| types.strukt(*s).body.parts().get(i)) {
                        Some(variant) => {
                            open.push(*variant);
                            true
                        }
                        None => false,
                    },
                },
                Layout::Seq(parts) => {
                    open.extend(parts.iter());
                    true
                }
                _ => false,
            };
            if !fine || seen > 1000 {
                return false;
            }
        }
        self.program.zeros(loc.lay.id) && loc.cells.is_empty()
    }

    /// Whether memory may be an instance of what a pointer type points to: of the same kind, whatever its arguments.
    pub(super) fn instance(&self, pointer: WordId, loc: &Loc) -> bool {
        let types = &self.program.types;
        let WordTy::Ptr(mode, id) = types.word(pointer) else { return false };
        let same = match (types.layout(*id), types.layout(loc.lay.id)) {
            (Layout::Struct(a, _), Layout::Struct(b, _)) => a == b,
            (Layout::Bytes(_), _) if self.program.zeros(loc.lay.id) => true,
            (Layout::Cstr(None), Layout::Cstr(_)) => true,
            (Layout::Foreign(_), Layout::Foreign(_)) | (Layout::Of(..), Layout::Of(..)) => true,
            (Layout::Array(..), _) if self.program.shapes.array(*id) == Some(loc.lay.id) => true,
            (Layout::Seq(_), _) if self.program.shapes.tail(*id) == Some(loc.lay.id) => true,
            (a, b) => *id == loc.lay.id || matches!((a, b), (Layout::Bytes(_), Layout::Bytes(_))),
        };
        *mode == loc.mode && same
    }

    /// Whether raw memory holds a word for each cell of the struct that a pointer type points to. What the struct's
    /// arguments are is not looked at.
    pub(super) fn filled(&self, s: &State, loc: &Loc, pointer: WordId) -> bool {
        let program = self.program;
        let WordTy::Ptr(_, id) = program.types.word(pointer) else { return false };
        if program.types.opaque(*id) {
            return false;
        }
        let Layout::Struct(mut id, _) = *program.types.layout(*id) else { return false };
        if program.shapes.union(id).is_some() {
            let variant = self.variant(s, loc, id, &Term::zero(), true).map(|v| program.types.layout(v));
            let Some(Layout::Struct(inner, _)) = variant else { return false };
            id = *inner;
        }
        let mut at = 0;
        for &field in program.types.strukt(id).fields().unwrap_or(&[]) {
            let off = Term::from(at);
            let fine = match program.types.layout(field) {
                Layout::Cell(ty) => {
                    loc.cells.iter().find(|c| c.off == off && !self.narrow(c.width)).is_some_and(|c| {
                        matches!((program.types.word(*ty), &c.word), (WordTy::Int(_), Word::Int(_)))
                            || self.sized(s, &c.word, *ty)
                            || self.fits(s, &c.word, *ty, &None, 1)
                    })
                }
                Layout::Exact(w, ..) => loc.cells.iter().any(|c| c.off == off && c.width == *w),
                Layout::Num(w, _) if program.shapes.raw_size(field).is_none() => {
                    let held = loc.cells.iter().find(|c| c.off == off && c.width == *w);
                    let cell = self.number_cell(field, &None);
                    held.zip(cell).is_some_and(|(c, cell)| self.number_fits(s, &c.word, &cell))
                }
                _ => program.shapes.raw_size(field).is_some(),
            };
            if !fine {
                return false;
            }
            let Some(size) = program.shapes.size(field).and_then(Term::as_const) else { return true };
            at += size;
        }
        true
    }

    /// Whether a word points to raw memory, and the type is one of such pointers of any size.
    pub(super) fn sized(&self, s: &State, w: &Word, ty: WordId) -> bool {
        let (WordTy::Ptr(mode, id), Word::Ptr(l, e)) = (self.program.types.word(ty), w) else { return false };
        let raw = |id: LayoutId| self.program.shapes.raw_size(id);
        let any = raw(*id).is_some_and(|t| t.as_const().is_none());
        let same = |loc: Loc| loc.mode == *mode && raw(loc.lay.id).is_some();
        any && e.as_const() == Some(0) && self.holding(s, *l).is_some_and(same)
    }

    pub(super) fn fits(&self, s: &State, w: &Word, ty: WordId, env: &Env, depth: usize) -> bool {
        let types = &self.program.types;
        match (types.word(ty), w) {
            _ if depth > DEEP => false,
            (WordTy::Range(r), Word::Int(t)) => s.facts.range(t).within(r) || r.hi - r.lo >= self.words().hi,
            (WordTy::Range(r), _) => r.hi - r.lo >= self.words().hi,
            (WordTy::Int(e), Word::Int(t)) => under(e, env).as_ref() == Some(t),
            (WordTy::Of(t, linear), Word::Opt(_, other, found)) if matches!(types.word(*other), WordTy::Of(_, kind) if kind == linear) =>
            {
                let WordTy::Of(u, _) = types.word(*other) else { return false };
                under(t, env).is_some_and(|t| under(u, found) == Some(t))
            }
            (WordTy::Of(t, linear), _) => under(t, env)
                .and_then(|t| self.program.decode(&t, *linear, MODULE))
                .is_some_and(|known| self.fits(s, w, known, &Some(Rc::from([])), depth + 1)),
            (WordTy::FnAt(..), Word::Opt(_, other, found)) => ty == *other && env == found,
            // Whether it is that type for these arguments is seen where it is matched.
            (WordTy::FnAt(..), Word::Fn(_)) => true,
            (WordTy::Opt(_), Word::Int(t)) if t.as_const() == Some(0) => true,
            (WordTy::Opt(_), Word::Opt(_, other, _)) => ty == *other || types.word(ty) == types.word(*other),
            (WordTy::Opt(inner), _) => self.fits(s, w, *inner, env, depth),
            (WordTy::Exists(e), _) => self.fits(s, w, e.body, env, depth),
            (WordTy::During(t, inner), Word::Ptr(l, _)) => {
                let stretch = self.holding(s, *l).and_then(|loc| loc.stretch);
                let same = stretch.is_some_and(|v| under(t, env) == Some(Term::var(v)));
                same && self.fits(s, w, *inner, env, depth)
            }
            (WordTy::Fn(sig), Word::Fn(other)) => self.program.same_sig(*sig, *other),
            (WordTy::Ptr(mode, id), Word::Ptr(l, e)) => {
                let Some(loc) = self.holding(s, *l) else { return false };
                let shapes = &self.program.shapes;
                let sized = |raw: &Term| {
                    let is = shapes.size(loc.lay.id).and_then(|t| under(t, &loc.lay.env));
                    // Where a size is hidden it is found when the word is packed.
                    under(raw, env).is_none_or(|want| is.is_some_and(|is| equal(s, &want, &is)))
                };
                e.as_const() == Some(0)
                    && shapes.raw_size(*id).is_none_or(sized)
                    && loc.mode == *mode
                    && (self.instance(ty, &loc) || self.filled(s, &loc, ty))
                    && loc.cells.iter().all(|c| match self.cell_at(s, &loc, &loc.lay, &c.off, c.width) {
                        _ if shapes.raw_size(loc.lay.id).is_some() => true,
                        None | Some(Cell::Exact(..) | Cell::Hidden) => true,
                        Some(Cell::Word(t, env)) => {
                            self.fits(s, &c.word, t, &env, depth + 1)
                                || matches!(types.word(t), WordTy::Int(_))
                        }
                        Some(number) => self.number_fits(s, &c.word, &number),
                    })
            }
            _ => false,
        }
    }
}
