//! A state that is made up, and numbers of which it is true.

use super::tracee::{CODE, DATA, FLAGS, ROOM, Registers, STACK};
use super::truth::Truth;
use super::{Callee, FRAME, Finder, OBJECT, OFFSET, Round, draw};
use fastrand::Rng;
use std::rc::Rc;
use talcore::arch::Arch;
use talcore::engine::Engine;
use talcore::facts::Interval;
use talcore::program::{Function, Program};
use talcore::state::{Held, Lay, State, Word};
use talcore::term::Term;
use talcore::types::Mode;
use talcore::x86::insn::Width;

impl<'a> Round<'a> {
    pub(super) fn new(
        arch: Arch,
        program: &'a Program<'a>,
        function: &'a Function,
        callee: Callee,
        rng: &mut Rng,
    ) -> Result<Self, String> {
        let bits = arch.word_bits();
        let mut engine =
            Engine::new(program, function, Finder::default(), 1 << 24).map_err(|r| r.why.to_string())?;
        let mut bytes =
            |size| (0..size).map(|_| if rng.bool() { rng.u8(..) } else { 0 }).collect::<Vec<u8>>();
        let (data, stack) = (bytes(ROOM), bytes(ROOM));
        // The processor and the rules agree about where the stack is aligned.
        let top = STACK + ROOM as u64 - 512 - u64::from(arch.word_bytes());
        let base = DATA + 4096 + rng.u64(..64);
        let registers = Registers { general: [0; 16], rip: CODE + OFFSET, flags: rng.u64(..) & FLAGS };
        engine.state = State::default();
        let size = Term::from(i128::from(OBJECT));
        let lay = Lay { id: program.shapes.bytes(), env: Some(Rc::from([size])) };
        let object = engine.open(Mode::Uniq, lay).map_err(|r| r.why.to_string())?;
        if !engine.state.allocate(FRAME) {
            return Err("the frame is too large".into());
        }
        let truth = Truth::new(bits);
        let mut round = Round {
            arch,
            engine,
            truth,
            base,
            top,
            registers,
            data,
            stack,
            before: Default::default(),
            history: Vec::new(),
            callee,
            about_flags: rng.u8(..3) > 0,
            flags_of: None,
        };
        round.engine.state.touched = round.engine.state.depth;
        round.registers.general[4] = top.wrapping_add_signed(round.engine.state.depth);
        for r in (0..if bits == 64 { 16 } else { 8 }).filter(|r| *r != 4) {
            let (word, is) = round.word(object, rng);
            round.engine.state.regs[r] = word;
            round.registers.general[r] = is;
        }
        // Now and then what `leave` wants.
        if rng.u8(..6) == 0 {
            let off = i64::from(arch.word_bytes()) * rng.i64(0..16) - FRAME;
            round.engine.state.regs[5] = Word::Sp(Term::from(i128::from(off)));
            round.registers.general[5] = top.wrapping_add_signed(off);
        }
        // And now and then what string instructions want.
        if rng.u8(..8) == 0 {
            for r in [6, 7] {
                let at = rng.u64(..OBJECT / 2);
                round.engine.state.regs[r] = Word::Ptr(object, Term::from(i128::from(at)));
                round.registers.general[r] = base + at;
            }
            let count = rng.u64(..16);
            round.engine.state.regs[1] = Word::Int(Term::from(i128::from(count)));
            round.registers.general[1] = count;
        }
        round.fill(object, rng);
        round.relate(rng);
        Ok(round)
    }

    /// A word and what it is: a number that is known, or in an interval, or a sum, or a pointer.
    fn word(&mut self, object: u32, rng: &mut Rng) -> (Word, u64) {
        let bits = self.arch.word_bits();
        let term = match rng.u8(..10) {
            0 => {
                let x = draw::number(bits, rng);
                return (Word::Any, x);
            }
            1 if rng.u8(..3) == 0 => return (Word::Fn(self.callee.sig), self.callee.at),
            1 | 2 => Term::from(self.signed_or_not(draw::number(bits, rng), rng)),
            3..=5 => self.variable(rng),
            6 => {
                let (a, b) = (self.variable(rng), self.variable(rng));
                let k = *rng.choice(&[1i128, -1, 2, 4, 8, 256, -256, 3, 1 << 32, -(1 << 31)]).unwrap_or(&1);
                a.add_scaled(&b, k).unwrap_or(a)
            }
            7 => {
                let a = self.variable(rng);
                let c = self.signed_or_not(draw::number(bits, rng), rng);
                a.offset(c).unwrap_or(a)
            }
            kind => {
                let off =
                    if kind == 8 { Term::from(i128::from(rng.u64(..OBJECT))) } else { self.variable(rng) };
                let is = self.truth.value(&off).unwrap_or(0) as u64;
                let frame = rng.u8(..4) == 0;
                let word = if frame {
                    Word::Sp(off.offset(-i128::from(FRAME)).unwrap_or(off))
                } else {
                    Word::Ptr(object, off)
                };
                let base = if frame { self.top.wrapping_add_signed(-FRAME) } else { self.base };
                return (word, self.cut(base.wrapping_add(is)));
            }
        };
        let is = self.truth.value(&term).unwrap_or(0) as u64;
        (Word::Int(term), self.cut(is))
    }

    fn cut(&self, x: u64) -> u64 {
        if self.truth.bits < 64 { x & ((1 << self.truth.bits) - 1) } else { x }
    }

    fn signed_or_not(&self, x: u64, rng: &mut Rng) -> i128 {
        let plain = i128::from(x);
        let half = 1i128 << (self.truth.bits - 1);
        if rng.bool() && plain >= half { plain - 2 * half } else { plain }
    }

    /// A variable that is some number, in an interval in which that is.
    fn variable(&mut self, rng: &mut Rng) -> Term {
        let bits = self.arch.word_bits();
        let x = self.signed_or_not(draw::number(bits, rng), rng);
        let known = [8, 16, 32, bits].map(|b| [Interval::unsigned(b), Interval::signed(b)]);
        let near = |rng: &mut Rng| i128::from(draw::number(rng.u32(1..12), rng));
        let range = match rng.u8(..4) {
            0 => Interval::new(x - near(rng), x + near(rng)),
            1 if x >= 0 => Interval::new(0, x + near(rng)),
            _ => {
                let fit: Vec<Interval> =
                    known.into_iter().flatten().filter(|i| i.lo <= x && x <= i.hi).collect();
                // The narrowest most of the time.
                fit[if rng.bool() { 0 } else { rng.usize(..fit.len()) }]
            }
        };
        let v = self.engine.state.facts.fresh(range);
        self.truth.set(v, x);
        Term::var(v)
    }

    /// Numbers and words that are known to lie in the object and in the frame.
    fn fill(&mut self, object: u32, rng: &mut Rng) {
        let word = self.arch.word_bytes();
        for at in (0..rng.u64(..6)).map(|i| 64 * i) {
            let width =
                [Width::B1, Width::B2, Width::B4, Width::B8][rng.usize(..if word == 8 { 4 } else { 3 })];
            let term = self.variable(rng);
            let is = (self.truth.value(&term).unwrap_or(0) as u64).to_le_bytes();
            let place = (self.base - DATA + at) as usize;
            self.data[place..place + width.bytes() as usize].copy_from_slice(&is[..width.bytes() as usize]);
            let off = Term::from(i128::from(at));
            self.engine.state.locs[object as usize].cells.push(Held { off, width, word: Word::Int(term) });
        }
        for i in 0..rng.i64(0..12) {
            let off = self.engine.state.depth + i64::from(word) * i;
            let (entry, is) = self.word(object, rng);
            let place = self.top.wrapping_add_signed(off) - STACK;
            self.stack[place as usize..][..word as usize].copy_from_slice(&is.to_le_bytes()[..word as usize]);
            self.engine.state.put_word(off, i64::from(word), entry);
        }
    }

    /// Facts that are true between two variables.
    fn relate(&mut self, rng: &mut Rng) {
        let n = self.truth.len();
        for _ in 0..if n < 2 { 0 } else { rng.usize(..6) } {
            let (a, b) = (Term::var(rng.u32(..n as u32)), Term::var(rng.u32(..n as u32)));
            let k = *rng.choice(&[-1i128, 1, -2, 8]).unwrap_or(&1);
            let Some(sum) = a.add_scaled(&b, k) else { continue };
            let Some(is) = self.truth.value(&sum) else { continue };
            let slack = i128::from(rng.u8(..3));
            if let Some(fact) = sum.offset(slack - is) {
                self.engine.state.facts.assume(&fact);
            }
        }
    }
}
