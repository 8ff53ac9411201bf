//! The rules of single instructions against the processor.
//!
//! A round makes up a state and numbers of which it is true, and a few instructions. Each instruction goes through the
//! checker's rules, and through the processor, in a process that is [traced](tracee). What the rules say then must be
//! true of what the processor did: the words in registers, in the frame and in memory, every interval and every fact,
//! and, behind a conditional jump, those of the edge that was taken. What the rules refuse is not executed.
//!
//! Nothing of this knows what an instruction does, so it cannot share a mistake with the rules.

mod compare;
mod coverage;
mod draw;
mod state;
mod tracee;
mod truth;

pub use coverage::Coverage;
pub(crate) use draw::encoding;

use fastrand::Rng;
use std::io;
use std::rc::Rc;
use talcore::arch::Arch;
use talcore::engine::{Engine, Flow};
use talcore::facts::{Cert, Facts};
use talcore::guide::{Constant, Edge, Guide, Step as Ghost};
use talcore::program::Function;
use talcore::state::{State, Word};
use talcore::term::Term;
use talcore::types::SigId;
use talcore::x86::decode::decode;
use talcore::x86::insn::{Insn, Op, Reg, Width};
use talcore::x86::table::rows;
use tracee::{CODE, DATA, FLAGS, Registers, STACK, Step, Tracee};
use truth::Truth;

/// How many instructions a round has at most.
const INSTRUCTIONS: usize = 5;
/// The size of the object that rounds work with, in bytes.
const OBJECT: u64 = 4096;
/// The depth of the frame, in bytes.
const FRAME: i64 = 256;
/// Instructions lie this far in the function, so that jumps go both ways.
const OFFSET: u64 = 256;

/// Of about so many instructions the rarest that the rules accept is taken.
const CANDIDATES: usize = 8;

/// Rounds for one architecture.
pub struct Laboratory {
    arch: Arch,
    image: Vec<u8>,
    tracee: Tracee,
    /// What was executed so far.
    pub coverage: Coverage,
}

impl Laboratory {
    /// # Errors
    /// If the process cannot be started or traced, or there is no program to borrow tables from.
    pub fn new(arch: Arch) -> io::Result<Laboratory> {
        let image = crate::toolchain::build(
            &PROGRAM.replace("ARCH", if arch == Arch::Amd64 { "amd64" } else { "ia32" }),
        )
        .map_err(|refusal| io::Error::other(refusal.text))?
        .ok_or_else(|| io::Error::other("the laboratory is no program"))?;
        Ok(Laboratory { arch, image, tracee: Tracee::start(arch)?, coverage: Coverage::new(arch) })
    }

    /// One round: its number decides everything. Answers how many instructions were executed.
    ///
    /// # Errors
    /// What is not as the rules say, or what went wrong with the process.
    pub fn round(&mut self, round: u64) -> Result<u64, String> {
        let program = talcore::check::load(&self.image).map_err(|r| r.why.to_string())?;
        // The stack of `_start` holds the program's arguments.
        let plain = program.functions.iter().find(|f| !program.types.sig(f.sig).start);
        let plain = plain.ok_or("there is no function")?;
        let function = Function { addr: CODE, size: 4096, ..plain.clone() };
        let callee =
            Callee { at: plain.addr, sig: plain.sig, preserved: program.types.sig(plain.sig).preserved };
        let rng = &mut Rng::with_seed(round);
        let mut round = Round::new(self.arch, &program, &function, callee, rng)?;
        let mut done = 0;
        for _ in 0..INSTRUCTIONS {
            let Some((bytes, insn)) = round.choose(&self.coverage, rng) else { break };
            let goes_on = round
                .execute(&mut self.tracee, &bytes, &insn, rng)
                .map_err(|e| format!("{e}\n{}", round.told()))?;
            self.coverage.add(&insn, round.flags_of);
            round.flags_of = coverage::writer(&insn).or(round.flags_of);
            done += 1;
            if !goes_on {
                break;
            }
        }
        Ok(done)
    }
}

/// A program whose tables of types a laboratory uses; its code is of no interest.
const PROGRAM: &str = "arch ARCH\npub fn _start: start\n        mov     xdi, 0\n        sys     exit_group\n        ud2\npub fn f()\n        ret\n";

/// A function that may be called.
#[derive(Clone, Copy)]
struct Callee {
    at: u64,
    sig: SigId,
    /// The registers that it preserves, bit `n` for register `n`.
    preserved: u16,
}

fn reads_flags(op: Op) -> bool {
    use Op::{Adc, Cmovcc, Jcc, Rcl, Rcr, Sbb, Setcc};
    matches!(op, Adc | Cmovcc | Jcc | Rcl | Rcr | Sbb | Setcc)
}

/// One round.
struct Round<'a> {
    arch: Arch,
    engine: Engine<'a, Finder>,
    truth: Truth,
    /// Where the object lies.
    base: u64,
    /// The value of rsp at the function's entry.
    top: u64,
    registers: Registers,
    data: Vec<u8>,
    stack: Vec<u8>,
    /// What the registers were said to hold, and held, before the last instruction.
    before: ([Word; 16], Registers),
    /// The instructions so far.
    history: Vec<Vec<u8>>,
    callee: Callee,
    /// Whether this round is about flags: some that are left by one instruction, perhaps kept by a second, and read.
    about_flags: bool,
    /// The last instruction that wrote flags.
    flags_of: Option<(Op, Width)>,
}

impl Round<'_> {
    /// An instruction that the rules accept in this state: of some, the one that was executed most seldom.
    fn choose(&mut self, coverage: &Coverage, rng: &mut Rng) -> Option<(Vec<u8>, Insn)> {
        let rows = rows();
        let mut best: Option<(u64, Vec<u8>, Insn)> = None;
        let mut candidates = 0;
        // What an instruction leaves in the flags is seen only by those that read them.
        let step = self.history.len();
        let writes = self.about_flags && step == 0;
        let reads = step > 0 && if self.about_flags && step > 1 { rng.u8(..4) > 0 } else { rng.bool() };
        for _ in 0..4000 {
            let mut draw = || rng.usize(..rows.len());
            let drawn = [draw(), draw(), draw(), draw()];
            let seldom = drawn.iter().min_by_key(|n| coverage.of_row(**n as u16));
            let row = &rows[if rng.bool() { drawn[0] } else { *seldom.unwrap_or(&0) }];
            let fits = (!reads || reads_flags(row.op)) && (!writes || !row.flags.writes.is_empty());
            if !row.archs.has(self.arch) || coverage::elsewhere(row.op).is_some() || !fits {
                continue;
            }
            let bytes = match row.op {
                Op::Call => {
                    let distance = self.callee.at.wrapping_sub(self.registers.rip + 5) as u32;
                    [&[row.opcode][..], &distance.to_le_bytes()].concat()
                }
                _ => encoding(self.arch, row, rng),
            };
            let Ok(insn) = decode(self.arch, &bytes, self.registers.rip) else { continue };
            let times = coverage.of(&insn, self.flags_of);
            if best.as_ref().is_none_or(|b| times < b.0) {
                if self.leaves(&insn) || !self.allowed(&insn) {
                    continue;
                }
                best = Some((times, bytes[..usize::from(insn.len)].to_vec(), insn));
            }
            candidates += 1;
            if candidates == CANDIDATES {
                break;
            }
        }
        best.map(|(_, bytes, insn)| (bytes, insn))
    }

    /// Whether it is a jump of which the place does not tell whether it was taken.
    fn leaves(&self, i: &Insn) -> bool {
        let target = i.imm as u64;
        let next = self.registers.rip + u64::from(i.len);
        matches!(i.op, Op::Jcc | Op::Jcxz | Op::Jmp)
            && (target == next || target == self.registers.rip || !(CODE + 1..CODE + 4096).contains(&target))
    }

    /// Whether the rules accept it. The state stays what it is.
    fn allowed(&mut self, insn: &Insn) -> bool {
        let saved = self.engine.state.clone();
        self.engine.ip = self.registers.rip;
        let fine = self.engine.step(insn).is_ok();
        self.engine.state = saved;
        self.engine.guide = Finder::default();
        fine
    }

    /// Executes it in both worlds. Answers whether the round can go on.
    fn execute(
        &mut self,
        tracee: &mut Tracee,
        bytes: &[u8],
        insn: &Insn,
        rng: &mut Rng,
    ) -> Result<bool, String> {
        let io = |e: io::Error| format!("the traced process: {e}");
        let before = self.registers;
        self.before = (self.engine.state.regs.clone(), before);
        self.history.push(bytes.to_vec());
        self.engine.ip = before.rip;
        let flow = self.engine.step(insn).map_err(|r| format!("it is refused the second time: {}", r.why))?;
        tracee.write(before.rip, bytes).map_err(io)?;
        tracee.write(DATA, &self.data).map_err(io)?;
        tracee.write(STACK, &self.stack).map_err(io)?;
        let mut after = match tracee.step(&before).map_err(io)? {
            Step::Done(after) => after,
            // An instruction that this processor does not have, and a division that ends in a signal: nothing to compare.
            Step::Unknown | Step::Divide => return Ok(false),
            // Vectors in memory are aligned, or there is a signal too.
            Step::Fault(_) if self.crooked(insn) => return Ok(false),
            Step::Fault(signal) => return Err(format!("the processor faults: {signal}")),
        };
        let next = before.rip + u64::from(insn.len);
        let mut frame = before.general[4].min(after.general[4]);
        if matches!(insn.op, Op::Call | Op::CallInd) {
            frame = after.general[4];
            after = self.called(tracee, after, next, rng).map_err(io)??;
        }
        self.registers = after;
        let object = self.base..self.base + OBJECT;
        changed(tracee, DATA, &mut self.data, object).map_err(io)??;
        changed(tracee, STACK, &mut self.stack, frame..self.top).map_err(io)??;
        match self.engine.guide.taken.take() {
            Some(taken) if after.rip == insn.imm as u64 => self.engine.state = taken,
            _ if after.rip == next && flow == Flow::Next => {}
            _ => return Err(format!("the processor goes to {:#x}", after.rip)),
        }
        self.compare()?;
        Ok(true)
    }

    /// A function was called. It does what functions may: whatever it does not preserve is something else when it
    /// returns, registers, flags, and memory below the return address.
    fn called(
        &mut self,
        tracee: &mut Tracee,
        mut inside: Registers,
        next: u64,
        rng: &mut Rng,
    ) -> io::Result<Result<Registers, String>> {
        if inside.rip != self.callee.at {
            return Ok(Err(format!("the processor calls {:#x}", inside.rip)));
        }
        let n = if self.arch == Arch::Amd64 { 16 } else { 8 };
        for r in (0..n).filter(|r| *r != 4 && self.callee.preserved >> r & 1 == 0) {
            inside.general[r] = draw::number(self.arch.word_bits(), rng);
        }
        inside.flags = rng.u64(..) & FLAGS;
        tracee.write(self.callee.at, &[0xc3])?;
        Ok(match tracee.step(&inside)? {
            Step::Done(after) if after.rip == next => Ok(after),
            other => Err(format!("the function returns elsewhere: {other:?}")),
        })
    }

    /// Whether a vector of 16 bytes does not lie where such vectors lie.
    fn crooked(&self, i: &Insn) -> bool {
        let at = |r: Option<Reg>| r.map_or(0, |r| self.registers.general[r.index()]);
        let scaled = at(i.mem.index).wrapping_mul(i.mem.scale.into());
        let address = at(i.mem.base).wrapping_add(scaled).wrapping_add_signed(i.mem.disp);
        matches!(i.op, Op::VecLoad | Op::VecStore) && i.src_width == Width::B16 && address % 16 != 0
    }
}

/// Reads memory anew. Nothing may have changed outside of a range of addresses.
fn changed(
    tracee: &Tracee,
    at: u64,
    memory: &mut [u8],
    allowed: std::ops::Range<u64>,
) -> io::Result<Result<(), String>> {
    let old = memory.to_vec();
    tracee.read(at, memory)?;
    let differs =
        (at..).zip(old.iter().zip(memory.iter())).find(|(a, (x, y))| x != y && !allowed.contains(a));
    Ok(match differs {
        Some((a, _)) => Err(format!("the byte at {a:#x} has changed, which no rule allows")),
        None => Ok(()),
    })
}

/// Finds proofs from single facts and pairs, and takes the state of each edge.
#[derive(Default)]
struct Finder {
    taken: Option<State>,
}

impl Guide for Finder {
    fn required(&mut self, facts: &Facts, goal: &Term) -> Option<Cert> {
        let n = facts.list().len().min(24) as u32;
        let one = (0..n).map(|i| vec![(i, 1)]);
        let two = (0..n).flat_map(|i| (0..i).map(move |j| vec![(i, 1), (j, 1)]));
        one.chain(two)
            .map(|uses| Cert { goal_factor: 1, uses: uses.into() })
            .find(|c| facts.certified(goal, c))
    }
    fn optional(&mut self, facts: &Facts, goal: &Term) -> Option<Cert> {
        self.required(facts, goal)
    }
    fn label(&mut self, _: u64) -> Option<Rc<State>> {
        None
    }
    fn ghost(&mut self, _: u64, _: bool) -> Option<Ghost> {
        None
    }
    fn next_label(&mut self, _: u64) -> Option<u64> {
        None
    }
    fn witness(&mut self, _: &Facts, _: usize) -> Option<Term> {
        None
    }
    fn addend(&mut self, _: u64, _: Constant) -> Option<i64> {
        None
    }
    fn edge(&mut self, _: u64, state: &State) -> Edge {
        self.taken = Some(state.clone());
        Edge::Taken
    }
}
