//! An interpreter that watches: it runs an executable on made-up input, with a kernel that answers whatever the
//! interface table allows, and stops at the first thing that an accepted program must never do.
//!
//! It knows nothing of states, facts and annotations, unless it is asked to look whether what they claim is so. It decodes with iced-x86 and has its own meaning of every
//! instruction, so that a wrong rule of the checker and a wrong instruction here would have to agree to hide. What it
//! watches:
//!
//! - every access lies inside one object of the notes, inside the stack above rsp, or inside one string or the vector
//!   of the argument block; only objects of mode `ref` and the stack are written; return addresses are neither read
//!   nor written;
//! - control goes to the start of instructions of the same function, to starts of functions that are called, back to
//!   the caller, or through the gate with a call that the table has;
//! - at calls, returns and system calls, what the signature says of words, intervals, facts and sizes is so; preserved
//!   registers are preserved;
//! - rsp never runs ahead of what was touched by more than the guard gap allows;
//!
//! What an accepted program may not rely on changes at random: shared objects (as signal handlers and other threads
//! write them), registers and flags after calls, results of the kernel, what fresh stack holds. It watches also that
//!
//! - typed objects hold values of their types, whenever the kernel is entered and at the end.

mod alu;
mod arguments;
mod claims;
mod host;
mod kernel;
mod memory;
mod network;
mod sigs;
mod status;
mod step;
mod vector;

pub use claims::Claims;
pub use host::Host;
pub use memory::Memory;
pub use network::{Network, Peer};

use alu::cut;
use fastrand::Rng;
use iced_x86::{Decoder, DecoderOptions, Formatter, Instruction, NasmFormatter};
use std::collections::{HashMap, VecDeque};
use talcore::program::Program;

/// What stopped a run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Stop {
    /// The program ended itself, or the function that was called returned.
    Exit,
    /// An instruction trapped: `ud2`, `int3`, a division, an access when the stack is full.
    Trap,
    /// It ran for as many steps as it was given.
    Steps,
}

/// Something that an accepted program must never do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// What.
    pub what: String,
    /// Where.
    pub rip: u64,
    /// The last instructions, registers, and where they are.
    pub history: String,
}

/// The flags. Those that an instruction leaves undefined are random.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Flags {
    pub(crate) cf: bool,
    pub(crate) pf: bool,
    pub(crate) zf: bool,
    pub(crate) sf: bool,
    pub(crate) of: bool,
}

/// A call that has not returned.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    /// Where the return address lies.
    pub(crate) slot: u64,
    /// The return address.
    pub(crate) back: u64,
    /// The called function.
    pub(crate) function: usize,
    /// The registers at its entry.
    pub(crate) regs: [u64; 16],
    /// What its index variables stand for, as far as the arguments tell.
    pub(crate) vars: Vec<Option<i128>>,
    /// What its word variables stand for.
    pub(crate) words: Vec<Option<u64>>,
}

/// A machine in the middle of a run.
pub struct Machine<'p> {
    pub(crate) program: &'p Program<'p>,
    /// The width of a word. Registers that are narrower than 64 bits have zeros above.
    pub(crate) bits: u32,
    pub(crate) memory: Memory,
    pub(crate) regs: [u64; 16],
    /// Vector registers.
    pub(crate) vectors: [u128; 16],
    pub(crate) flags: Flags,
    pub(crate) rip: u64,
    pub(crate) function: usize,
    pub(crate) frames: Vec<Frame>,
    pub(crate) rng: Rng,
    /// Whether others write to shared objects in between.
    others: bool,
    /// Where the memory lies that others are writing: tags of unions stay as they are there.
    over: Option<u64>,
    /// A kernel that does what it is asked for, in place of one that answers anything.
    host: Option<Host>,
    /// What the word variables of the signature at hand stand for.
    pub(crate) words: Vec<Option<u64>>,
    decoded: HashMap<u64, Instruction>,
    starts: HashMap<usize, Vec<u64>>,
    history: VecDeque<u64>,
    claims: Claims,
    /// How many instructions have been run.
    done: u64,
}

pub(crate) const RSP: usize = 4;
/// How far rsp may run ahead of what was touched: the checker's limit, and one page.
const GAP: u64 = talcore::limits::PROBE_DEBT as u64 + 4096;

type Watched<T> = Result<T, String>;

impl<'p> Machine<'p> {
    /// At the entry point, with these arguments. `seed` decides what the kernel answers.
    pub fn new(program: &'p Program<'p>, args: &[&[u8]], seed: u64) -> Machine<'p> {
        let mut rng = Rng::with_seed(seed);
        let memory = Memory::new(program, args, &mut rng);
        let bits = program.arch.word_bits();
        let mut regs = [0; 16];
        regs.fill_with(|| cut(rng.u64(..), bits));
        regs[RSP] = memory.block;
        let entry = program.functions.iter().position(|f| program.types.sig(f.sig).start);
        let function = entry.unwrap_or(0);
        let rip = program.functions.get(function).map_or(0, |f| f.addr);
        Machine {
            program,
            bits,
            memory,
            regs,
            vectors: std::array::from_fn(|_| rng.u128(..)),
            flags: Flags::default(),
            rip,
            function,
            frames: Vec::new(),
            others: rng.bool(),
            over: None,
            host: None,
            rng,
            words: Vec::new(),
            decoded: HashMap::new(),
            starts: HashMap::new(),
            history: VecDeque::new(),
            claims: Claims::default(),
            done: 0,
        }
    }

    /// Looks also at what the program's annotations claim at labels.
    #[must_use]
    pub fn with_claims(self, claims: &Claims) -> Machine<'p> {
        Machine { claims: claims.clone(), ..self }
    }

    /// At the start of any function, with arguments of its type. `None` if there are none, or none were found.
    pub fn at(program: &'p Program<'p>, function: usize, seed: u64) -> Option<Machine<'p>> {
        let mut machine = Machine::new(program, &[], seed);
        machine.arrange(function)?;
        Some(machine)
    }

    /// How many instructions have been run.
    #[must_use]
    pub fn done(&self) -> u64 {
        self.done
    }

    /// Runs for so many steps.
    ///
    /// # Errors
    /// The first violation.
    pub fn run(&mut self, steps: u64) -> Result<Stop, Box<Violation>> {
        let result = self.steps(steps).and_then(|stop| self.memory.typed(self.program).map(|()| stop));
        result.map_err(|what| Box::new(Violation { what, rip: self.rip, history: self.history() }))
    }

    fn steps(&mut self, steps: u64) -> Watched<Stop> {
        for _ in 0..steps {
            // Endless recursion runs into the guard gap.
            if self.regs[RSP] < self.memory.lowest() + 2 * GAP {
                return Ok(Stop::Trap);
            }
            self.check_claims()?;
            let insn = self.fetch()?;
            self.done += 1;
            self.history.push_back(self.rip);
            if self.history.len() > 24 {
                self.history.pop_front();
            }
            if self.others && self.rng.u8(..8) == 0 {
                let objects = &self.program.objects;
                if let Some(object) = objects.get(self.rng.usize(..objects.len().max(1))) {
                    self.over = Some(object.addr);
                    self.others_write(object, 64);
                    self.over = None;
                }
            }
            match self.step(&insn) {
                Ok(None) => {}
                Ok(Some(stop)) => return Ok(stop),
                Err(what) if what == step::OUTSIDE => return Ok(Stop::Exit),
                Err(what) => return Err(what),
            }
            let low = self.memory.touched;
            if self.regs[RSP].saturating_add(GAP) < low {
                return Err(format!(
                    "rsp is {} bytes below what was touched",
                    low.wrapping_sub(self.regs[RSP])
                ));
            }
        }
        Ok(Stop::Steps)
    }

    /// Bytes in a word.
    pub(crate) fn word_bytes(&self) -> u64 {
        u64::from(self.bits / 8)
    }

    /// A word about which nothing is known.
    pub(crate) fn any_word(&mut self) -> u64 {
        cut(self.rng.u64(..), self.bits)
    }

    pub(crate) fn any_flags(&mut self) -> Flags {
        let mut any = || self.rng.bool();
        Flags { cf: any(), pf: any(), zf: any(), sf: any(), of: any() }
    }

    /// The instruction at `rip`, which must be one of the present function.
    fn fetch(&mut self) -> Watched<Instruction> {
        let f = &self.program.functions[self.function];
        if !(f.addr..f.addr + f.size).contains(&self.rip) {
            return Err("control left the function".into());
        }
        if let Some(insn) = self.decoded.get(&self.rip) {
            return Ok(*insn);
        }
        let (program, bits) = (self.program, self.bits);
        let starts = self.starts.entry(self.function).or_insert_with(|| {
            let code = talcore::walk::code(program, f).unwrap_or(&[]);
            Decoder::with_ip(bits, code, f.addr, DecoderOptions::NONE).iter().map(|i| i.ip()).collect()
        });
        if starts.binary_search(&self.rip).is_err() {
            return Err("control goes into the middle of an instruction".into());
        }
        let code = self.program.segment(self.rip, 1).map_or(&[][..], |s| s.bytes_at(self.rip));
        let insn = Decoder::with_ip(self.bits, code, self.rip, DecoderOptions::NONE).decode();
        if insn.is_invalid() {
            return Err("no instruction".into());
        }
        self.decoded.insert(self.rip, insn);
        Ok(insn)
    }

    fn history(&self) -> String {
        let mut text = String::new();
        let mut formatter = NasmFormatter::new();
        for ip in &self.history {
            let mut line = String::new();
            if let Some(insn) = self.decoded.get(ip) {
                formatter.format(insn, &mut line);
            }
            text.push_str(&format!("  {ip:#x}: {line}\n"));
        }
        for (r, value) in self.regs.iter().enumerate() {
            let end = if r % 4 == 3 { '\n' } else { ' ' };
            text.push_str(&format!("  r{r}={value:#x}{end}"));
        }
        text
    }
}
