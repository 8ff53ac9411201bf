//! Effective addresses.

use crate::engine::{Checked, Engine};
use crate::guide::{Constant, Guide};
use crate::program::ObjectKind;
use crate::state::{LocId, STATIC, Word};
use crate::term::Term;
use crate::types::Mode;
use crate::verdict::Code;
use crate::x86::insn::{Mem, Reg};

/// What a memory operand refers to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// An offset in an object.
    Object(LocId, Term),
    /// An offset from rsp at entry.
    Frame(Term),
    /// No object: an integer (the value of `lea`, or the address of code).
    Number(Term),
    /// The first byte of a function, or of the signal restorer.
    Code(u64),
}

impl<'a, G: Guide> Engine<'a, G> {
    /// What an absolute address refers to.
    pub fn absolute(&self, addr: u64) -> Option<Place> {
        if let Some((object, off)) = self.program.object_at(addr) {
            let found = self.program.objects.get(object as usize)?;
            let seen = self.program.object_for(self.function.scope, object);
            if let ObjectKind::Data(mode, _) = found.kind {
                // What the module does not import is nothing that it could name.
                seen?;
                if mode == Mode::Uniq {
                    return Some(Place::Object(self.static_loc(found.addr)?, Term::from(i128::from(off))));
                }
            }
            return Some(Place::Object(STATIC + object, Term::from(i128::from(off))));
        }
        let code = self.program.restorer == Some(addr) || self.sig_at(addr).is_some();
        code.then_some(Place::Code(addr))
    }

    /// The effective address of a memory operand: one pointer at most, everything else integers.
    ///
    /// Without a pointer the displacement of an access must be the address of an object. For `lea`
    /// (`access` is false) it may also be a number: RIP-relative ones are addresses, others are if
    /// the guide says so.
    pub fn place(&mut self, mem: &Mem, access: bool) -> Checked<Place> {
        if mem.rip {
            return match self.absolute(mem.disp as u64) {
                Some(place) => Ok(place),
                None => self.reject(Code::NotPointer, "no object or function lies at this address"),
            };
        }
        let scale = i128::from(mem.scale.max(1));
        let mut off = Term::from(i128::from(mem.disp));
        // The pointer is the base, or an unscaled index whose base is an integer.
        let pointer = |r: Option<Reg>| r.is_some_and(|r| self.points(r));
        let (first, second) = if !pointer(mem.base) && scale == 1 && pointer(mem.index) {
            (mem.index, mem.base.map(|r| (r, 1)))
        } else {
            (mem.base, mem.index.map(|r| (r, scale)))
        };
        if let Some((r, k)) = second {
            let t = self.integer_in(r)?;
            off = self.address_sum(&t, k, off);
        }
        let Some(first) = first else { return self.absolute_place(mem, off, access) };
        match self.get(first) {
            Word::Ptr(l, e) => Ok(Place::Object(l, self.address_sum(&e, 1, off))),
            Word::Sp(e) => {
                let off = self.address_sum(&e, 1, off);
                Ok(self.stack_place(off))
            }
            Word::Opt(_, ty, _) if access => self.reject(Code::NotPointer, self.untested_word(ty)),
            w => {
                let t = self.integer(&w)?;
                let off = self.address_sum(&t, 1, off);
                self.absolute_place(mem, off, access)
            }
        }
    }

    /// `off + k*t`. Terms of an address that overflow leave an unknown number.
    fn address_sum(&mut self, t: &Term, k: i128, mut off: Term) -> Term {
        match off.accumulate(t, k) {
            Some(()) => off,
            None => self.fresh(self.word_range()),
        }
    }

    /// Without a pointer: the displacement is the address.
    fn absolute_place(&mut self, mem: &Mem, off: Term, access: bool) -> Checked<Place> {
        let addend = self.addend(mem.disp, Constant::Displacement);
        if !access && addend.is_none() {
            return Ok(Place::Number(off));
        }
        // Which object is meant only matters for what can be proved: the access must lie in it.
        match addend.and_then(|addend| Some((addend, self.absolute_behind(mem.disp, addend)?))) {
            Some((addend, Place::Object(l, start))) => {
                let base = i128::from(mem.disp) - i128::from(addend);
                let rest = self.address_sum(&Term::from(-base), 1, off);
                Ok(Place::Object(l, self.address_sum(&start, 1, rest)))
            }
            // `lea eax, [f]`: the first byte of a function, with nothing added to it.
            Some((0, code @ Place::Code(_))) if !access && off.as_const() == Some(i128::from(mem.disp)) => {
                Ok(code)
            }
            _ => self.reject(Code::NotPointer, "the address is an integer, not a pointer to an object"),
        }
    }

    /// An address relative to rsp at entry. In the program's entry function everything from there
    /// upwards is the block that the kernel wrote: location 0.
    pub fn stack_place(&self, off: Term) -> Place {
        if self.sig().start && self.state.facts.range(&off).lo >= 0 {
            return Place::Object(0, off);
        }
        Place::Frame(off)
    }

    /// The word that is the address of a place.
    pub fn address_of(&mut self, place: Place) -> Checked<Word> {
        Ok(match place {
            Place::Object(l, off) => {
                self.loc(l)?;
                Word::Ptr(l, off)
            }
            Place::Frame(off) => Word::Sp(off),
            Place::Number(t) => Word::Int(t),
            Place::Code(addr) if self.program.restorer == Some(addr) => Word::Restorer,
            Place::Code(addr) => match self.sig_at(addr) {
                Some(sig) => Word::Fn(sig),
                None => return self.reject(Code::NotPointer, "no function starts at this address"),
            },
        })
    }

    /// `lea dst, mem`: integers stay exact, pointers stay pointers into the same object.
    pub fn lea(&mut self, i: &crate::x86::insn::Insn) -> Checked {
        let crate::x86::insn::Arg::Reg(dst) = i.args[0] else {
            return self.reject(Code::NotAllowed, "`lea` needs a register");
        };
        let place = self.place(&i.mem, false)?;
        let word = self.address_of(place)?;
        if self.full(i.width) {
            if dst == Reg::SP {
                return self.set_sp(word);
            }
            let word = match word {
                Word::Int(t) => Word::Int(self.num(|n| n.write(i.width.bits(), &Term::zero(), &t))),
                w => w,
            };
            self.set(dst, word);
            return Ok(());
        }
        let t = self.integer(&word)?;
        self.write_reg(dst, i.width, t)
    }
}
