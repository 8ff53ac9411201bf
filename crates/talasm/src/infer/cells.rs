//! What lies where: the cell of a layout at an offset, and of unions the variant.

use super::label::Frame;
use super::terms::under;
use talcore::facts::Interval;
use talcore::state::{Env, Held, Lay, Loc, State, Word};
use talcore::term::Term;
use talcore::types::{Layout, LayoutId, StructId, WordId, WordTy};
use talcore::x86::insn::Width;

/// What a layout has at some place, if it is not raw.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Cell {
    /// A word of this type.
    Word(WordId, Env),
    /// A number of this width and interval.
    Num(Width, Interval),
    /// A number of this width, with a sign or without, that is the term.
    Exact(Width, bool, Term),
    /// Part of a union of which the variant is not known.
    Unknown,
    /// A part of it hides sizes.
    Hidden,
}

impl Cell {
    /// The width of a number.
    pub(super) fn width(&self) -> Option<Width> {
        match self {
            Cell::Word(..) | Cell::Unknown | Cell::Hidden => None,
            Cell::Num(w, _) | Cell::Exact(w, ..) => Some(*w),
        }
    }
}

impl Frame<'_> {
    /// What lies at an offset of `lay` where the memory `loc` is packed to it: a constant offset, or one that depends on
    /// the index of an array's element. Which part of a struct is meant by such an offset is guessed.
    pub(super) fn cell_at(&self, s: &State, loc: &Loc, lay: &Lay, at: &Term, width: Width) -> Option<Cell> {
        self.find(s, (loc, true), lay, at, width)
    }

    /// The same, in memory of which words are held: whether their tags count, or only those of the layout.
    pub(super) fn find(
        &self,
        s: &State,
        (loc, held): (&Loc, bool),
        lay: &Lay,
        place: &Term,
        width: Width,
    ) -> Option<Cell> {
        let (mut id, mut env) = (lay.id, lay.env.clone());
        let (mut off, mut index) = (place.konst(), place.offset(-place.konst())?);
        let program = self.program;
        let size_of = |id: LayoutId, env: &Env| under(program.shapes.size(id)?, env)?.as_const();
        loop {
            let fields = match program.types.layout(id) {
                Layout::Cell(word) if off == 0 && index.as_const() == Some(0) => {
                    return (!self.narrow(width)).then_some(Cell::Word(*word, env));
                }
                Layout::Num(..) | Layout::Exact(..) if off == 0 && index.as_const() == Some(0) => {
                    return self.number_cell(id, &env).filter(|c| c.width() == Some(width));
                }
                Layout::Array(_, elem) => {
                    let size = size_of(*elem, &env)?;
                    if index.summands().iter().any(|s| i128::from(s.1) % size != 0) {
                        return None;
                    }
                    (off, id, index) = (off.rem_euclid(size), *elem, Term::zero());
                    continue;
                }
                Layout::Struct(nominal, args) => {
                    let terms = args.iter().map(|t| under(t, &env)).collect::<Option<Vec<Term>>>()?;
                    env = Some(terms.into());
                    match program.types.strukt(*nominal).fields() {
                        Some(fields) => fields,
                        None => {
                            let base = place.offset(-off)?;
                            let Some(variant) = self.variant(s, loc, *nominal, &base, held) else {
                                return Some(Cell::Unknown);
                            };
                            id = variant;
                            continue;
                        }
                    }
                }
                Layout::Seq(fields) => fields,
                Layout::Exists(_) => return Some(Cell::Hidden),
                _ => return None,
            };
            let mut found = None;
            for &field in fields {
                found = Some(field);
                let Some(size) = size_of(field, &env) else { break };
                if off < size {
                    break;
                }
                off -= size;
                found = None;
            }
            id = found?;
        }
    }

    pub(super) fn raw_at(&self, s: &State, loc: &Loc, lay: &Lay, off: &Term, width: Width) -> bool {
        self.program.shapes.raw_size(lay.id).is_some() || self.cell_at(s, loc, lay, off, width).is_none()
    }

    /// Whether a width is less than that of a word.
    pub(super) fn narrow(&self, width: Width) -> bool {
        width < self.program.arch.word_width()
    }

    /// A layout that is a number which not any bytes are.
    pub(super) fn number_cell(&self, id: LayoutId, env: &Env) -> Option<Cell> {
        match self.program.types.layout(id) {
            Layout::Num(w, range) => {
                self.program.shapes.raw_size(id).is_none().then_some(Cell::Num(*w, *range))
            }
            Layout::Exact(w, signed, t) => Some(Cell::Exact(*w, *signed, under(t, env)?)),
            _ => None,
        }
    }

    /// The interval of the numbers that the cell of a held word may have by its type.
    pub(super) fn declared_range(&self, s: &State, loc: &Loc, held: &Held) -> Option<Interval> {
        match self.cell_at(s, loc, &loc.lay, &held.off, held.width)? {
            Cell::Num(_, range) => Some(range),
            Cell::Word(ty, _) => match self.program.types.word(ty) {
                WordTy::Range(range) => {
                    Some(Interval::new(range.lo.max(self.words().lo), range.hi.min(self.words().hi)))
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether a word can be packed to the cell at its place.
    pub(super) fn conforms(&self, s: &State, held: &Held, loc: &Loc, lay: &Lay) -> bool {
        match self.cell_at(s, loc, lay, &held.off, held.width) {
            Some(Cell::Word(ty, env)) => self.fits(s, &held.word, ty, &env, 0),
            Some(Cell::Hidden) => true,
            Some(number) => self.number_fits(s, &held.word, &number),
            None => false,
        }
    }

    /// The same for cells of numbers.
    pub(super) fn number_fits(&self, s: &State, w: &Word, cell: &Cell) -> bool {
        let (Cell::Num(width, _) | Cell::Exact(width, ..), Word::Int(t)) = (cell, w) else { return false };
        let low = |c: i128| c.rem_euclid(1 << width.bits());
        let range = s.facts.range(t);
        match cell {
            Cell::Num(_, want) if want.lo < 0 => match t.as_const().map(low) {
                Some(c) => [c, c - (1 << width.bits())].iter().any(|c| want.lo <= *c && *c <= want.hi),
                None => range.within(want),
            },
            Cell::Num(_, want) => range.within(want),
            Cell::Exact(_, _, is) => {
                t == is || t.as_const().map(low).is_some_and(|c| is.as_const().map(low) == Some(c))
            }
            Cell::Word(..) | Cell::Unknown | Cell::Hidden => false,
        }
    }

    /// The variant of a union that begins at `base`, as far as its tag is held (if that counts) or known.
    pub(super) fn variant(
        &self,
        s: &State,
        loc: &Loc,
        id: StructId,
        base: &Term,
        held: bool,
    ) -> Option<LayoutId> {
        let u = self.program.shapes.union(id)?;
        let t = base.offset(u.off)?;
        let stored = loc.cells.iter().find(|c| held && c.off == t && c.width == u.width).map(|c| &c.word);
        let range = match stored {
            Some(Word::Int(t)) => s.facts.range(t),
            Some(_) => return None,
            None => loc.tags.iter().find(|k| k.off == t).map_or(u.hull(), |k| s.facts.range(&k.value)),
        };
        self.program.types.strukt(id).body.parts().get(u.variant(range)?).copied()
    }

    /// Whether the tag of a union may lie at an offset: a number in memory that has unions in it.
    pub(super) fn tag_at(&self, s: &State, loc: &Loc, off: &Term, width: Width) -> bool {
        loc.tags.iter().any(|t| t.off == *off)
            || self.unions_in(&loc.lay)
                && self.cell_at(s, loc, &loc.lay, off, width).is_some_and(|cell| self.numeric(&cell))
    }

    /// Whether a layout has unions in it, not through pointers.
    fn unions_in(&self, lay: &Lay) -> bool {
        let types = &self.program.types;
        let mut open = vec![lay.id];
        let mut steps = 256;
        while let Some(id) = open.pop() {
            steps -= 1;
            match types.layout(id) {
                Layout::Struct(..) if types.opaque(id) => {}
                Layout::Struct(s, _) if types.strukt(*s).fields().is_none() => return true,
                _ if steps == 0 => return true,
                Layout::Struct(s, _) => open.extend(types.strukt(*s).body.parts()),
                Layout::Seq(parts) => open.extend(parts.iter()),
                Layout::Array(_, l) => open.push(*l),
                _ => {}
            }
        }
        false
    }

    fn numeric(&self, cell: &Cell) -> bool {
        match cell {
            Cell::Word(ty, _) => matches!(self.program.types.word(*ty), WordTy::Int(_) | WordTy::Range(_)),
            Cell::Num(..) | Cell::Exact(..) => true,
            Cell::Unknown | Cell::Hidden => false,
        }
    }
}
