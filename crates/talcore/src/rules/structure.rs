//! Structures that the kernel reads and that hold lengths or addresses.
//!
//! The kernel follows what stands there, so the checker must know it: fields are words that loads find, in memory that
//! nobody else writes. Raw bytes would not do, since a raw byte is a number about which nothing is known; and what
//! others may write could change between the moment of the check and the one in which the kernel reads it. No signal
//! handler and no other task reaches the frame, owned or constant memory.

use super::gate::SYSCALL;
use crate::abi::LENGTH_BYTES;
use crate::engine::{Checked, Engine, under};
use crate::facts::Interval;
use crate::guide::Guide;
use crate::matching::Subst;
use crate::rules::Lent;
use crate::state::{LocId, Word};
use crate::term::{Term, Var};
use crate::types::{Layout, Mode, Sig, SigId, WordId, WordTy};
use crate::verdict::Code;
use crate::x86::insn::Width;
use alloc::vec::Vec;

/// The most parts of an array for the kernel that is looked at word by word.
const MOST_PARTS: i64 = 64;
/// The size of a set of signals.
const MASK_BYTES: i64 = 8;

/// Where a structure lies that the kernel reads and the checker knows.
pub enum Spot {
    /// At this offset of the frame.
    Frame(i64),
    /// At this offset of an object.
    Object(LocId, Term),
}

impl<'a, G: Guide> Engine<'a, G> {
    /// Where a structure lies whose fields the checker must know: in the frame, or in an object that nobody else
    /// writes. The kernel may read it again after a signal handler ran, so others must not even be able to.
    fn spot(&mut self, word: &Word) -> Checked<Spot> {
        match word {
            Word::Sp(e) => match e.as_const().and_then(|c| i64::try_from(c).ok()) {
                Some(at) => Ok(Spot::Frame(at)),
                None => self.reject(Code::ArgType, "the structure is not at a fixed place of the frame"),
            },
            Word::Ptr(l, e) if self.loc(*l)?.mode.stable() => {
                self.not_foreign(self.loc(*l)?.lay.id, Code::ArgType)?;
                Ok(Spot::Object(*l, e.clone()))
            }
            Word::Ptr(..) => self.reject(
                Code::ArgType,
                "the structure lies in memory that others may write: it must be in the frame, owned or constant",
            ),
            _ => self.reject(Code::ArgType, "the word is not a pointer to the structure"),
        }
    }

    /// What a field of such a structure holds.
    fn structure_field(&mut self, spot: &Spot, at: i64, width: Width) -> Checked<Word> {
        match spot {
            Spot::Frame(base) => {
                let off = Term::from(i128::from(*base) + i128::from(at));
                self.load_frame(&off, width)
            }
            Spot::Object(l, off) => {
                let off = self.term(off.offset(at.into()))?;
                self.load_object(*l, &off, width)
            }
        }
    }

    /// The bytes that the kernel reads or writes there take part in the borrows of the call.
    fn lend_spot(&mut self, spot: &Spot, bytes: i64, mode: Mode) {
        self.lent.push(match spot {
            Spot::Frame(at) => Lent::Frame(*at, at.saturating_add(bytes), mode),
            Spot::Object(l, _) => Lent::Object(*l, mode),
        });
    }

    /// A length that the kernel reads and writes: raw bytes would not do, since the checker must know the number, and
    /// nobody may change it between this moment and the one in which the kernel reads it.
    pub fn length(&mut self, s: &mut Subst, k: Var, word: &Word, written: &mut Vec<Spot>) -> Checked {
        let spot = self.spot(word)?;
        let own = match &spot {
            Spot::Frame(at) => *at < 0,
            Spot::Object(l, _) => self.loc(*l)?.exclusive(),
        };
        if !own {
            return self
                .reject(Code::ReadOnly, "the kernel writes the length back: the memory may only be read");
        }
        let width = Width::of_bytes(LENGTH_BYTES).unwrap_or_default();
        let known = self.structure_field(&spot, 0, width)?;
        let t = self.integer(&known)?;
        self.unify(s, &Term::var(k), &t, true, SYSCALL)?;
        self.lend_spot(&spot, i64::from(LENGTH_BYTES), Mode::Uniq);
        written.push(spot);
        Ok(())
    }

    /// The kernel has written some length: it may be larger than the one it was given, if the answer was cut off.
    pub fn length_written(&mut self, spot: &Spot) -> Checked {
        let width = Width::of_bytes(LENGTH_BYTES).unwrap_or_default();
        let answer = Word::Int(self.fresh(Interval::unsigned(width.bits())));
        match spot {
            Spot::Frame(at) => self.store_frame(&Term::from(i128::from(*at)), width, answer),
            Spot::Object(l, off) => self.store_object(*l, off, width, answer),
        }
    }

    /// An array of pairs: where bytes are, and how many.
    pub fn vector(&mut self, s: &mut Subst, vars: (Var, Var), part: WordId, word: &Word) -> Checked {
        let count =
            s.apply(&Term::var(vars.0)).and_then(|t| t.as_const()).and_then(|c| i64::try_from(c).ok());
        let Some(count) = count.filter(|n| (0..=MOST_PARTS).contains(n)) else {
            return self.reject(Code::ArgFact, "the number of parts is not a known constant, at most 64");
        };
        let (step, width) = (self.word(), self.word_width());
        let mut total = Term::zero();
        if count > 0 {
            let spot = self.spot(word)?;
            self.lend_spot(&spot, 2 * step * count, Mode::Frozen);
            // All pairs are read before anything is lent that might be written.
            let mut pairs = Vec::new();
            for i in 0..count {
                self.spend(8)?;
                let pointer = self.structure_field(&spot, 2 * step * i, width)?;
                let size = self.structure_field(&spot, 2 * step * i + step, width)?;
                pairs.push((pointer, size));
            }
            let sizes = Interval { lo: 0, hi: Interval::signed(self.program.arch.word_bits()).hi };
            for (pointer, size) in &pairs {
                let size = self.integer(size)?;
                self.require_in(
                    &size,
                    sizes,
                    Code::ArgFact,
                    "a size of the array is not known to be a number of bytes",
                )?;
                total = self.term(total.add(&size))?;
                // Of no bytes the address does not matter.
                if size.as_const() != Some(0) {
                    let mut one = Subst { terms: Vec::from([Some(size)]), ..Subst::default() };
                    self.match_word(&mut one, (part, &None), pointer, SYSCALL)?;
                }
            }
        }
        self.unify(s, &Term::var(vars.1), &total, false, SYSCALL)
    }

    /// An array of strings that ends with 0: the block at the start of the process from some string on, an array that
    /// is known to end, or words in known places.
    pub fn strings(&mut self, word: &Word) -> Checked {
        let types = &self.program.types;
        if let Word::Ptr(l, e) = word
            && let loc = self.loc(*l)?
            && loc.mode.stable()
        {
            let string = |ty: WordId| matches!(types.pointer(ty), Some((Mode::Imm, l)) if matches!(types.layout(l), Layout::Cstr(_)));
            // The first index and the one of the last 0.
            let ends = match types.layout(loc.lay.id) {
                // The count of arguments, the arguments, 0, the environment, 0.
                _ if loc.lay.id == self.program.shapes.block() => {
                    let (args, names) =
                        (under(&Term::var(0), &loc.lay.env), under(&Term::var(1), &loc.lay.env));
                    let last = args.and_then(|a| a.add(&names?)).and_then(|t| t.offset(2));
                    Some((1, self.term(last)?))
                }
                Layout::NullTerm(Some(k), ty) if string(*ty) => Some((0, self.term(under(k, &loc.lay.env))?)),
                _ => None,
            };
            if let Some((first, last)) = ends {
                let (index, rest) = self.split_offset(e, i128::from(self.word()))?;
                if rest.as_const() != Some(0) {
                    return self.reject(Code::ArgType, "the pointer does not point to one of the strings");
                }
                let after = self.term(index.offset(-first))?;
                self.require(&after, Code::ArgFact, "the pointer may lie before the strings")?;
                let left = self.term(last.sub(&index))?;
                return self.require(
                    &left,
                    Code::ArgFact,
                    "the pointer may lie behind the 0 that ends the strings",
                );
            }
        }
        let spot = self.spot(word)?;
        if let Spot::Object(l, e) = &spot
            && e.as_const() == Some(0)
            && self.ended_strings(*l)?
        {
            return Ok(());
        }
        let (step, width) = (self.word(), self.word_width());
        for i in 0..MOST_PARTS {
            self.spend(8)?;
            match self.structure_field(&spot, step * i, width)? {
                Word::Int(t) if t.as_const() == Some(0) => return Ok(()),
                // A string, or the 0 that ends the array early.
                Word::Opt(_, ty, _) if matches!(types.pointer(ty), Some((Mode::Imm, l)) if matches!(types.layout(l), Layout::Cstr(_))) =>
                    {}
                Word::Ptr(l, e) => match self.string_left(l, &e)? {
                    Some(left) => {
                        self.require(&e, Code::ArgFact, "the pointer may lie before the string")?;
                        self.require(&left, Code::ArgFact, "the pointer may lie behind the string's end")?;
                        self.lent.push(Lent::Object(l, Mode::Frozen));
                    }
                    None => {
                        return self.reject(Code::ArgType, "a word of the array does not point to a string");
                    }
                },
                Word::Sp(e) => {
                    if self.lend_frame_text(&e)?.is_none() {
                        return self.reject(Code::ArgType, "a word of the array does not point to a string");
                    }
                }
                _ => return self.reject(Code::ArgType, "a word of the array is neither a string nor 0"),
            }
        }
        self.reject(Code::ArgType, "no 0 ends the array within 64 words")
    }

    /// How a signal is handled: handler, flags, restorer, mask.
    pub fn action(&mut self, word: &Word, flags: u64) -> Checked {
        let spot = self.spot(word)?;
        let (step, width) = (self.word(), self.word_width());
        let handler = self.structure_field(&spot, 0, width)?;
        let set = self.structure_field(&spot, step, width)?;
        let restorer = self.structure_field(&spot, 2 * step, width)?;
        self.lend_spot(&spot, 3 * step + MASK_BYTES, Mode::Frozen);
        for at in (0..MASK_BYTES).step_by(step as usize) {
            self.structure_field(&spot, 3 * step + at, width)?;
        }
        let bits = self.program.arch.word_bits();
        let set = match &set {
            Word::Int(t) => t.as_const().map(|c| c.rem_euclid(1 << bits)),
            _ => None,
        };
        let Some(set) = set.and_then(|c| u64::try_from(c).ok()).filter(|c| c & !flags == 0) else {
            return self.reject(
                Code::ArgType,
                "the flags of the action are not known, or have bits that are not typed",
            );
        };
        match handler {
            // SIG_DFL and SIG_IGN.
            Word::Int(t) if matches!(t.as_const(), Some(0 | 1)) => Ok(()),
            Word::Fn(sig) if self.handles(sig) => {
                let needs = self.program.abi.handler_flags;
                if set & needs != needs || restorer != Word::Restorer {
                    return self.reject(
                        Code::ArgType,
                        "a handler needs SA_RESTORER (0x04000000), on IA-32 also SA_SIGINFO (4), and the address of `__tal_restorer`",
                    );
                }
                Ok(())
            }
            Word::Fn(_) => self.reject(
                Code::ArgType,
                "a handler takes at most `rdi: int`, `rsi: &[128]` and `rdx: &[304]`, on IA-32 nothing, and needs nothing else",
            ),
            _ => self.reject(Code::ArgType, "the handler is neither a function nor 0 or 1"),
        }
    }

    /// Whether the kernel may call a function of this signature at any moment: it passes the number of the signal, and
    /// the addresses of what it tells about it, which can only be read. What the function gives back does not matter,
    /// and which registers it changes neither: the kernel restores all of them.
    fn handles(&self, sig: SigId) -> bool {
        let types = &self.program.types;
        // Field by field, so that whoever adds something that a function may need must look here.
        let Sig {
            vars,
            word_vars,
            params,
            stack,
            facts,
            gives_back,
            uses,
            stretches,
            start,
            result_vars: _,
            results: _,
            result_facts: _,
            kept: _,
            preserved: _,
            noreturn: _,
        } = types.sig(sig);
        let signals = Interval::new(1, 64);
        let told = |reg: u8, ty: WordId| match (
            self.program.abi.handler.iter().find(|h| h.0.0 == reg),
            types.word(ty),
        ) {
            (Some((_, 0)), WordTy::Range(range)) => signals.within(range),
            (Some((_, 0)), WordTy::Int(t)) => t.as_var() == Some(0) && vars.iter().all(|v| signals.within(v)),
            (Some((_, bytes)), WordTy::Ptr(Mode::Read, l)) => match types.layout(*l) {
                Layout::Bytes(n) => n.as_const().is_some_and(|n| (0..=i128::from(*bytes)).contains(&n)),
                _ => false,
            },
            _ => false,
        };
        vars.len() <= 1
            && *word_vars == 0
            && stack.is_empty()
            && facts.is_empty()
            && gives_back.is_empty()
            && uses.is_empty()
            && stretches.is_empty()
            && !start
            && params.iter().all(|(r, ty)| told(*r, *ty))
            // A variable that nothing binds could not be chosen.
            && (vars.is_empty() || params.iter().any(|(_, ty)| matches!(types.word(*ty), WordTy::Int(_))))
    }
}
