//! Initial data against its declared type, word for word.

use crate::engine::{Checked, Engine, under};
use crate::facts::Interval;
use crate::limits;
use crate::matching::{Blame, Subst};
use crate::program::{Function, Object, ObjectKind, Program};
use crate::rules::{Cell, Place};
use crate::scope::HIDDEN;
use crate::state::{Env, Word};
use crate::term::Term;
use crate::types::{Body, Layout, LayoutId, WordId, WordTy};
use crate::verdict::{Code, Reject};
use crate::walk::NoGuide;
use crate::x86::insn::Width;
use alloc::rc::Rc;
use alloc::vec::Vec;

/// Checks all objects. Answers what is left of the program's steps.
pub fn check_objects(program: &Program<'_>) -> Checked<u64> {
    let mut left = program.fuel;
    for object in &program.objects {
        // What a module imports lies in no segment: it is checked where it is defined. All that a file
        // defines lies in one.
        if let ObjectKind::Data(_, layout) = object.kind
            && program.segment(object.addr, object.size).is_some()
        {
            check_object(program, object, layout, &mut left)?;
        }
    }
    Ok(left)
}

fn check_object(program: &Program<'_>, object: &Object, layout: LayoutId, left: &mut u64) -> Checked {
    if program.shapes.raw_size(layout).is_some() {
        return Ok(());
    }
    let nowhere = Function {
        addr: object.addr,
        size: 1,
        sig: crate::types::SigId(0),
        stream: 0..0,
        scope: object.scope,
        types: Default::default(),
    };
    let file = program.segment(object.addr, object.size).map_or(0, |s| s.bytes_at(object.addr).len() as u64);
    let fuel = crate::check::fuel_for(file.min(object.size)).min(*left);
    let engine = Engine::blank(program, &nowhere, NoGuide, fuel);
    let end = object.addr.saturating_add(object.size);
    let file_end = object.addr.saturating_add(file);
    let mut data = Data { engine, s: Subst::identity(), end, file_end };
    data.layout(layout, &Some(Rc::from([])), object.addr, 0)?;
    *left -= fuel.saturating_sub(data.engine.fuel);
    Ok(())
}

/// What a mismatch is called.
const DATA: Blame = Blame { shape: Code::Data, fact: Code::Data };

struct Data<'a> {
    engine: Engine<'a, NoGuide>,
    /// What hidden sizes stand for.
    s: Subst,
    /// One past the last byte of the object.
    end: u64,
    /// From here on everything is zero.
    file_end: u64,
}

impl Data<'_> {
    fn fail<T>(&self, at: u64, why: &'static str) -> Checked<T> {
        Err(Reject::new(Code::Data, at, why))
    }

    fn constant(&mut self, t: &Term, env: &Env, at: u64) -> Checked<i128> {
        self.engine.spend(t.summands().len() as u64)?;
        match under(t, env).and_then(|t| self.s.apply(&t)).and_then(|t| t.as_const()) {
            Some(c) => Ok(c),
            None => self.fail(at, "the size of an object is not a constant"),
        }
    }

    fn byte(&self, at: u64) -> u8 {
        let program = self.engine.program;
        program.segment(at, 1).and_then(|s| s.bytes_at(at).first().copied()).unwrap_or(0)
    }

    fn layout(&mut self, id: LayoutId, env: &Env, at: u64, depth: usize) -> Checked {
        self.engine.ip = at;
        self.engine.spend(4)?;
        let program = self.engine.program;
        if depth > 2 * limits::NESTING {
            return self.fail(at, "types are nested too deeply");
        }
        // A part of negative size would make room for others that are larger than the object.
        if let Some(size) = program.shapes.size(id) {
            let size = u64::try_from(self.constant(size, env, at)?).ok();
            if size.and_then(|size| at.checked_add(size)).is_none_or(|end| end > self.end) {
                return self.fail(at, "a part of negative size, or one that is larger than its object");
            }
        }
        if program.shapes.raw_size(id).is_some() {
            return Ok(());
        }
        match program.types.layout(id) {
            Layout::Bytes(_) | Layout::Foreign(_) => Ok(()),
            // A struct may be applied to any number, which says nothing of what lies there.
            Layout::Of(..) => match self.engine.stands_for(id, env) {
                Some(known) => self.layout(known, &Some([].into()), at, depth + 1),
                None => self.fail(at, "initial memory whose layout is not known"),
            },
            Layout::Cell(word) => {
                let value = program.initial_word(at).unwrap_or(0);
                self.word(*word, env, value, at)
            }
            Layout::Num(width, range) => self.number(*width, *range, at),
            Layout::Exact(width, signed, t) => {
                let is = self.constant(t, env, at)?;
                if !Interval::new(is, is).within(&Interval::number(width.bits(), *signed)) {
                    return self.fail(at, "the number does not fit into its cell");
                }
                self.number(*width, Interval { lo: is, hi: is }, at)
            }
            Layout::Cstr(m) => {
                let Some(m) = m else { return self.fail(at, "the length of a string must be given") };
                let m = self.constant(m, env, at)?;
                let Ok(m) = u64::try_from(m) else { return self.fail(at, "a string of negative length") };
                for i in 0..=m {
                    self.engine.spend(1)?;
                    if (self.byte(at + i) == 0) != (i == m) {
                        return self.fail(at + i, "the first NUL of the string is not where its type says");
                    }
                }
                Ok(())
            }
            Layout::Array(n, elem) => {
                let n = self.constant(n, env, at)?;
                let size = program.shapes.size(*elem).map(|s| self.constant(s, env, at)).transpose()?;
                let (Some(size), Ok(n)) = (size.and_then(|s| u64::try_from(s).ok()), u64::try_from(n)) else {
                    return self.fail(at, "an array of negative length");
                };
                for i in 0..n {
                    let place = at + i * size;
                    self.layout(*elem, env, place, depth + 1)?;
                    // From the first wholly zero element on, all are alike.
                    if place >= self.file_end {
                        break;
                    }
                }
                Ok(())
            }
            Layout::NullTerm(k, word) => {
                let Some(k) = k else { return self.fail(at, "the length of an array must be given") };
                let k = self.constant(k, env, at)?;
                let Ok(k) = u64::try_from(k) else { return self.fail(at, "an array of negative length") };
                let step = u64::from(program.arch.word_bytes());
                for i in 0..=k {
                    let place = at + i * step;
                    let value = program.initial_word(place).unwrap_or(0);
                    if (value == 0) != (i == k) {
                        return self.fail(place, "the first 0 of the array is not where its type says");
                    }
                    self.word(*word, env, value, place)?;
                }
                Ok(())
            }
            Layout::Struct(id, args) => {
                let inner = self.engine.compose(args, env)?;
                match &program.types.strukt(*id).body {
                    Body::Fields(fields) => self.sequence(fields, &inner, at, depth),
                    Body::Hidden => self.fail(at, HIDDEN),
                    Body::Union { variants, .. } => {
                        let variant = program.shapes.union(*id).and_then(|u| {
                            let tag =
                                self.value(u.width, false, at.saturating_add(u64::try_from(u.off).ok()?));
                            variants.get(u.variant(Interval::new(tag, tag))?)
                        });
                        match variant {
                            Some(variant) => self.layout(*variant, &inner, at, depth + 1),
                            None => self.fail(at, "the tag of a union is that of none of its variants"),
                        }
                    }
                }
            }
            Layout::Seq(parts) => self.sequence(parts, env, at, depth),
            Layout::Exists(e) => {
                let open = self.s.terms.len();
                let names = self.engine.open_names(&mut self.s, e)?;
                let env = self.engine.binding(e, env, names)?;
                // Numbers first: they say what is hidden.
                let mut cells = Vec::new();
                self.engine.hidden_cells(e.body, &env, 0, 0, &mut cells)?;
                for (c, cell) in cells {
                    let place = u64::try_from(c).ok().and_then(|c| at.checked_add(c));
                    let Some(place) = place.filter(|p| *p < self.end) else { continue };
                    match cell {
                        Cell::Word(ty, env) if matches!(program.types.word(ty), WordTy::Int(_)) => {
                            self.word(ty, &env, program.initial_word(place).unwrap_or(0), place)?;
                        }
                        Cell::Word(..) => {}
                        Cell::Number(width, signed, t) => {
                            let is = Term::from(self.value(width, signed, place));
                            self.engine.unify(&mut self.s, &t, &is, false, DATA)?;
                        }
                    }
                }
                self.layout(e.body, &env, at, depth + 1)?;
                self.engine.prove_hidden(&mut self.s, e, &env, open, DATA)
            }
        }
    }

    fn sequence(&mut self, parts: &[LayoutId], env: &Env, at: u64, depth: usize) -> Checked {
        let mut place = at;
        for part in parts {
            self.layout(*part, env, place, depth + 1)?;
            let size =
                self.engine.program.shapes.size(*part).map(|s| self.constant(s, env, place)).transpose()?;
            let Some(size) = size.and_then(|s| u64::try_from(s).ok()) else {
                return self.fail(place, "a part of negative size");
            };
            place = place.saturating_add(size);
        }
        Ok(())
    }

    /// The number of `width` bytes that lies at an address.
    fn value(&self, width: Width, signed: bool, at: u64) -> i128 {
        let mut value = 0i128;
        for i in 0..u64::from(width.bytes()) {
            value |= i128::from(self.byte(at.saturating_add(i))) << (8 * i);
        }
        if signed && value >> (width.bits() - 1) & 1 == 1 { value - (1 << width.bits()) } else { value }
    }

    fn number(&mut self, width: Width, range: Interval, at: u64) -> Checked {
        let value = self.value(width, range.lo < 0, at);
        if value < range.lo || value > range.hi {
            return self.fail(at, "the number lies outside its declared range");
        }
        Ok(())
    }

    /// A word: 0, the address of a function or of part of an object, or a number.
    fn word(&mut self, ty: WordId, env: &Env, value: u64, at: u64) -> Checked {
        let word = match self.engine.absolute(value) {
            Some(Place::Object(l, off)) => Word::Ptr(l, off),
            Some(Place::Code(addr)) => self.engine.sig_at(addr).map_or(Word::Any, Word::Fn),
            _ => Word::Int(Term::from(i128::from(value))),
        };
        let (ty, env) = match self.engine.plain(ty, env) {
            Some(known) => (known, &Some([].into())),
            None => (ty, env),
        };
        let number = |n: i128| Word::Int(Term::from(n));
        // A number may happen to look like an address.
        let word = match self.engine.program.types.word(ty) {
            WordTy::Int(_) => number(value.into()),
            // Any number that the word is congruent to may be the one in the interval: with a sign, if that fits.
            WordTy::Range(range) => {
                let signed = i128::from(value) - self.engine.word_range().hi - 1;
                number(if range.lo <= signed { signed } else { value.into() })
            }
            _ => word,
        };
        self.engine.ip = at;
        self.engine.match_word(&mut self.s, (ty, env), &word, DATA)
    }
}
