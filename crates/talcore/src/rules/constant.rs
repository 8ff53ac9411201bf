//! Constants in instructions: numbers, or addresses of objects and functions.
//!
//! Nothing in the bytes says which. The guide does, and which object is meant: it is believed only if that object is
//! there, and a word that is called an address has exactly the value that the instruction gives it.

use super::place::Place;
use crate::engine::{Checked, Engine};
use crate::guide::{Constant, Guide};
use crate::limits;
use crate::state::Word;
use crate::term::Term;
use crate::verdict::Code;

impl<'a, G: Guide> Engine<'a, G> {
    /// The word that an immediate operand as wide as a word is: `mov r, imm`, `mov [m], imm`, `push imm`.
    pub fn immediate(&mut self, imm: i64) -> Checked<Word> {
        let address = self.address_constant(imm)?;
        Ok(address.unwrap_or_else(|| Word::Int(Term::from(i128::from(imm)))))
    }

    /// The address that an immediate operand is, if it is one.
    pub fn address_constant(&mut self, imm: i64) -> Checked<Option<Word>> {
        let Some(addend) = self.addend(imm, Constant::Immediate) else { return Ok(None) };
        let place = match self.absolute_behind(imm, addend) {
            Some(Place::Object(l, off)) => Some(Place::Object(l, self.term(off.offset(i128::from(addend)))?)),
            Some(place) if addend == 0 => Some(place),
            _ => None,
        };
        match place {
            Some(place) => self.address_of(place).map(Some),
            None => self.reject(Code::NotPointer, "no object or function lies at this address"),
        }
    }

    /// How many bytes a constant lies behind the address that it means, if the guide says that it is one. Small
    /// numbers, and those that are negative as words, are not asked about: nothing lies there.
    pub fn addend(&mut self, constant: i64, which: Constant) -> Option<i64> {
        let arch = self.program.arch;
        let word = i128::from(constant).rem_euclid(1 << arch.word_bits());
        let at = self.offset();
        let possible = (i128::from(limits::LOWEST_ADDRESS)..arch.max_object()).contains(&word);
        if possible { self.guide.addend(at, which) } else { None }
    }

    /// What is meant by the address that a constant lies `addend` bytes behind. Addresses are counted modulo 2^W, as
    /// the processor does: where words have 32 bits, those from 2^31 on are negative displacements.
    pub fn absolute_behind(&self, constant: i64, addend: i64) -> Option<Place> {
        let addr = i128::from(constant) - i128::from(addend);
        self.absolute(u64::try_from(addr.rem_euclid(1 << self.program.arch.word_bits())).ok()?)
    }
}
