//! States in words.

use crate::encode::image::Image;
use crate::ir::Module;
use talcore::arch::Arch;
use talcore::engine::under;
use talcore::facts::Interval;
use talcore::program::{ObjectKind, Program};
use talcore::state::{Lay, LocId, STATIC, State, Word};
use talcore::term::{Term, Var};
use talcore::types::{Mode, WordTy};
use talnote::print::{Printer, number, register};

/// Names for the variables of a state: those of the signature, else where the value is.
pub(super) struct Names<'a> {
    pub(super) arch: Arch,
    pub(super) signature: &'a [String],
    pub(super) state: &'a State,
    /// The variable that is the value which the instruction stores.
    pub(super) stored: Option<Var>,
}

impl Names<'_> {
    /// The stack pointer.
    pub(super) fn stack(&self) -> &'static str {
        register(self.arch, 4)
    }

    /// A variable.
    pub(super) fn var(&self, v: Var) -> String {
        if let Some(name) = self.signature.get(v as usize) {
            return name.clone();
        }
        let holds = |w: &Word| matches!(w, Word::Int(t) if t.as_var() == Some(v));
        if let Some(r) = self.state.regs.iter().position(holds) {
            return register(self.arch, r).to_string();
        }
        if let Some(slot) = self.state.frame.iter().find(|s| s.word.as_ref().is_some_and(holds)) {
            return format!("[{} + {}]", self.stack(), slot.off - self.state.depth);
        }
        match self.stored == Some(v) {
            true => "the value".to_string(),
            false => format!("x{v}"),
        }
    }

    /// A term.
    pub(super) fn term(&self, t: &Term) -> String {
        let mut out = String::new();
        for &(v, c) in t.summands().iter() {
            let name = self.var(v);
            let sign = if c < 0 { "-" } else { "+" };
            match (out.is_empty(), c < 0) {
                (true, true) => out.push('-'),
                (true, false) => {}
                _ => out.push_str(&format!(" {sign} ")),
            }
            match c.unsigned_abs() {
                1 => out.push_str(&name),
                k => out.push_str(&format!("{k}*{name}")),
            }
        }
        match t.konst() {
            0 if !out.is_empty() => {}
            c if out.is_empty() => out = number(c),
            c if c < 0 => out.push_str(&format!(" - {}", number(-c))),
            c => out.push_str(&format!(" + {}", number(c))),
        }
        out
    }

    /// `e >= 0` with everything on the side where it is positive.
    pub(super) fn fact(&self, t: &Term) -> String {
        let positive: Vec<_> = t.summands().iter().copied().filter(|s| s.1 > 0).collect();
        let negative: Vec<_> = t.summands().iter().map(|s| (s.0, -s.1)).filter(|s| s.1 > 0).collect();
        let (left, right) = if t.konst() >= 0 { (0, t.konst()) } else { (-t.konst(), 0) };
        let small = Term::from_parts(left, &negative).unwrap_or_default();
        let large = Term::from_parts(right, &positive).unwrap_or_default();
        format!("{} <= {}", self.term(&small), self.term(&large))
    }

    /// `name in lo..hi`.
    pub(super) fn range(&self, name: &str, i: Interval) -> String {
        if i == Interval::unsigned(64) {
            return format!("{name} is any number");
        }
        let end = |c: i128| if c == i128::MIN || c == i128::MAX { "∞".to_string() } else { number(c) };
        format!("{name} in {}..{}", end(i.lo), end(i.hi))
    }

    /// If the goal is a bound of what one register holds, and that is a sum: the register, and the goal about it.
    pub(super) fn register(&self, goal: &Term) -> Option<(usize, String)> {
        self.state.regs.iter().enumerate().find_map(|(r, w)| {
            let Word::Int(t) = w else { return None };
            if t.summands().len() < 2 {
                return None;
            }
            let name = register(self.arch, r);
            let above = goal.sub(t)?.as_const().map(|c| format!("{} <= {name}", number(-c)));
            let below = goal.add(t)?.as_const().map(|c| format!("{name} <= {}", number(c)));
            Some((r, above.or(below)?))
        })
    }
}

/// What words are about: needed for their names.
pub(super) struct View<'a> {
    pub(super) program: &'a Program<'a>,
    pub(super) module: &'a Module,
    /// Names of structs by their numbers.
    pub(super) structs: &'a [String],
    pub(super) image: &'a Image,
    pub(super) names: &'a Names<'a>,
}

impl View<'_> {
    /// For types.
    pub(super) fn printer(&self) -> Printer<'_> {
        let word_bits = self.program.arch.word_bits();
        Printer { structs: self.structs, word_bits, ..Printer::new(&self.program.types) }
    }

    /// A word for people.
    pub(super) fn word(&self, w: &Word) -> String {
        match w {
            Word::Any => "a word about which nothing is known".to_string(),
            Word::Int(t) => self.number(t),
            Word::Ptr(l, e) => {
                let what = self.object(*l);
                match e.as_const() {
                    Some(0) => format!("the address of {what}"),
                    _ => format!("the address of {what}, plus {}", self.names.term(e)),
                }
            }
            Word::Sp(e) => {
                let above = e.offset(-i128::from(self.names.state.depth)).unwrap_or_default();
                format!("an address in the frame, {} + {}", self.names.stack(), self.names.term(&above))
            }
            Word::Opt(_, ty, _) => match self.program.types.word(*ty) {
                WordTy::Of(..) => "a word of the type that a variable stands for".to_string(),
                WordTy::FnAt(..) => "a code pointer".to_string(),
                WordTy::When(..) => "a word of which another result tells what it is".to_string(),
                WordTy::Res(_) => "an address, or an error number in -4095..-1".to_string(),
                _ => "a pointer that may be 0".to_string(),
            },
            Word::Fn(sig) => format!("a code pointer, {}", self.printer().sig(*sig)),
            Word::Entry(r) => format!("what the caller had in {}", register(self.names.arch, (*r).into())),
            Word::Var(_) => "a word of a type variable".to_string(),
            Word::Restorer => "the address of the signal restorer".to_string(),
        }
    }

    fn number(&self, t: &Term) -> String {
        if let Some(c) = t.as_const() {
            return format!("the number {}", number(c));
        }
        let gone = |v: Var| self.names.state.locs.iter().any(|l| !l.live && l.addr == Some(v));
        if let [(v, 1)] = *t.summands()
            && gone(v)
        {
            return "an address in memory that was given away before".to_string();
        }
        match t.as_var().filter(|v| *v as usize >= self.names.signature.len()) {
            Some(v) => {
                let range = self.names.state.facts.interval(v);
                match range.within(&Interval::new(0, u64::MAX.into())) && range.hi < u64::MAX.into() {
                    true => format!("a number in {}..{}", number(range.lo), number(range.hi)),
                    false => "any number".to_string(),
                }
            }
            None => format!("int({})", self.names.term(t)),
        }
    }

    /// The size of an object in bytes.
    pub(super) fn size(&self, l: LocId) -> Option<Term> {
        match l.checked_sub(STATIC) {
            Some(o) => Some(Term::from(i128::from(self.program.objects.get(o as usize)?.size))),
            None => self.layout_size(&self.names.state.locs.get(l as usize)?.lay),
        }
    }

    fn layout_size(&self, lay: &Lay) -> Option<Term> {
        under(self.program.shapes.size(lay.id)?, &lay.env)
    }

    /// The name of a static object.
    pub(super) fn static_name(&self, l: LocId) -> Option<&str> {
        let addr = self.program.objects.get(l.checked_sub(STATIC)? as usize)?.addr;
        let object = self.module.objects.iter().find(|o| self.image.symbol(o.sym) == addr)?;
        Some(self.module.symbols.get(object.sym.0 as usize)?.name.as_str())
    }

    /// Whether an object may be written.
    pub(super) fn mode(&self, l: LocId) -> Option<Mode> {
        match l.checked_sub(STATIC) {
            Some(o) => match self.program.objects.get(o as usize)?.kind {
                ObjectKind::Data(mode, _) => Some(mode),
                ObjectKind::Table(..) => None,
            },
            None => Some(self.names.state.locs.get(l as usize)?.mode),
        }
    }

    /// An object: its name and size.
    pub(super) fn object(&self, l: LocId) -> String {
        let lay = |l: LocId| self.names.state.locs.get(l as usize).map(|loc| loc.lay.id);
        if let Some(lay) = lay(l).filter(|id| self.program.types.opaque(*id)) {
            return format!("memory of the abstract type `{}`", self.printer().layout(lay));
        }
        let size = self.size(l).map_or_else(|| "unknown size".to_string(), |t| bytes(&self.names.term(&t)));
        match self.static_name(l) {
            Some(name) => format!("`{name}` ({size})"),
            None => match self.mode(l) {
                Some(mode) if !mode.writable() => format!("read-only memory of {size}"),
                _ => format!("memory of {size}"),
            },
        }
    }
}

/// `n bytes`.
fn bytes(n: &str) -> String {
    if n == "1" { "1 byte".to_string() } else { format!("{n} bytes") }
}
