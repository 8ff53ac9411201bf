//! Attacks on the checker, with the interpreter as the judge of what it accepts.
//!
//! A case takes an accepted function, lies somewhere (in its code, in the states of its labels, in its proofs, in
//! the types of its note, in data, in headers), and asks the core. What an attack needs for the rest to fit, it looks
//! for: where another state asks for another proof, the assembler's search gives one. So lies are not refused just
//! because the annotations do not fit any more, and what is accepted is mostly false somewhere, or would be if a rule
//! were wrong. Then the function runs under [the interpreter that watches](crate::interp), which also looks whether
//! the states of the mutant's own labels are true.
//!
//! Cases come in batches of one subject. The number of a batch decides everything in it.

mod code;
mod coverage;
mod guide;
mod labels;
mod note;
mod subject;
mod terms;

pub use coverage::Coverage;

use crate::generate;
use crate::interp::{Claims, Machine};
use crate::toolchain::modules;
use code::Donors;
use fastrand::Rng;
use guide::{Attacker, Recorded};
use note::Items;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use subject::{Part, Subject, read_labels, with_segments};
use talcore::annot::{Label, Reading};
use talcore::arch::Arch;
use talcore::check::{self, fuel_for};
use talcore::data;
use talcore::elf;
use talcore::engine::Engine;
use talcore::guide::Step;
use talcore::program::{Program, Segment};
use talcore::state::State;
use talcore::verdict::{Code, Reject};
use talcore::walk::{self, NoGuide};
use talnote::stream::{self, Answers};

use super::{Corpus, Seed};

/// What is lied about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Class {
    /// Instructions.
    Code,
    /// States of labels.
    Labels,
    /// Proofs, witnesses, and which constants are addresses.
    Answers,
    /// Steps without machine code.
    Steps,
    /// Bytes of the annotations, whatever they mean.
    Stream,
    /// States of another function's labels.
    Cross,
    /// Types and definitions in a note.
    Note,
    /// Types of another note.
    Types,
    /// Initial data.
    Data,
    /// The headers of an executable.
    Headers,
}

/// How many in 100 cases are of a class.
const SHARES: [(Class, u8); 10] = [
    (Class::Code, 34),
    (Class::Labels, 30),
    (Class::Answers, 10),
    (Class::Steps, 6),
    (Class::Stream, 6),
    (Class::Cross, 4),
    (Class::Note, 5),
    (Class::Types, 2),
    (Class::Data, 2),
    (Class::Headers, 1),
];

/// How often something became of the cases of a class.
#[derive(Clone, Copy, Default, Debug)]
pub struct Count {
    /// All.
    pub cases: u64,
    /// Accepted.
    pub accepted: u64,
    /// Accepted, and some function of it was run.
    pub run: u64,
}

/// What became of cases.
#[derive(Clone, Default)]
pub struct Tally {
    /// By class.
    pub classes: BTreeMap<Class, Count>,
    /// How many instructions the interpreter ran.
    pub steps: u64,
    /// Which rules were reached.
    pub coverage: Coverage,
}

impl Tally {
    /// Takes up what became of others.
    pub fn merge(&mut self, other: Tally) {
        for (class, n) in other.classes {
            let sum = self.classes.entry(class).or_default();
            sum.cases += n.cases;
            sum.accepted += n.accepted;
            sum.run += n.run;
        }
        self.steps += other.steps;
        self.coverage.merge(other.coverage);
    }

    /// How many cases.
    #[must_use]
    pub fn cases(&self) -> u64 {
        self.classes.values().map(|n| n.cases).sum()
    }
}

/// A mutant of a function.
#[derive(Clone)]
struct Mutant {
    labels: Vec<Label>,
    ghosts: Vec<Step>,
    /// Which questions are answered with a lie.
    lies: Vec<usize>,
    /// Whether labels or steps are not those of the function.
    restated: bool,
}

impl Mutant {
    fn of(part: &Part) -> Mutant {
        let (labels, ghosts) = (part.labels.clone(), part.ghosts.clone());
        Mutant { labels, ghosts, lies: Vec::new(), restated: false }
    }
}

/// Something that must not be.
#[derive(Clone, Debug)]
pub struct Find {
    /// What was attacked.
    pub subject: String,
    /// What was lied about.
    pub class: Class,
    /// What was changed, and what is wrong.
    pub what: String,
}

/// Everything that is attacked.
pub struct Arena<'c> {
    arch: Option<Arch>,
    subjects: Vec<Subject<'c>>,
    donors: [Donors; 2],
    /// The notes of subjects in items.
    notes: Vec<Items>,
}

/// Cases in a batch: of a program that is made up, which takes some time to assemble, and of others.
const BATCH: usize = 64;
const BATCH_MADE_UP: usize = 400;
/// Of how many batches one has a program that is made up.
const MADE_UP: u8 = 8;
/// Runs of an accepted function, and how many instructions of each.
const RUNS: u64 = 2;
const STEPS: u64 = 300;
/// Functions with more code, in bytes, are left to `fuzz executable`.
const LARGE: u64 = 1_500;

impl<'c> Arena<'c> {
    /// Of all images of a corpus.
    #[must_use]
    pub fn of(corpus: &'c Corpus) -> Arena<'c> {
        let images = corpus.seeds.iter().flat_map(|s| s.images.iter().map(|i| (&*s.name, i)));
        let subjects: Vec<_> = images
            .filter_map(|(name, image)| Subject::of(name, image))
            .filter(|s| s.program.functions.iter().map(|f| f.size).sum::<u64>() <= 4 * LARGE)
            .collect();
        let mut donors = [Donors::default(), Donors::default()];
        for s in &subjects {
            for (part, f) in s.parts.iter().zip(&s.program.functions) {
                donors[usize::from(s.program.arch == Arch::Ia32)]
                    .add(part, walk::code(&s.program, f).unwrap_or(&[]));
            }
        }
        let items = |s: &Subject<'_>| s.notes.first().and_then(|n| Items::of(n.1, s.program.arch));
        let notes = subjects.iter().filter_map(items).collect();
        Arena { arch: corpus.arch, subjects, donors, notes }
    }

    /// How many modules and programs, functions, and functions that can be run.
    #[must_use]
    pub fn size(&self) -> (usize, usize, usize) {
        let parts = || self.subjects.iter().flat_map(|s| &s.parts);
        (self.subjects.len(), parts().count(), parts().filter(|p| p.runs).count())
    }

    /// The names of what is attacked.
    #[must_use]
    pub fn seeds(&self) -> usize {
        let names: std::collections::BTreeSet<&str> = self.subjects.iter().map(|s| s.name).collect();
        names.len()
    }

    /// Runs the cases of a batch.
    pub fn batch(&self, number: u64, tally: &mut Tally) -> Vec<Find> {
        let mut rng = Rng::with_seed(number);
        if rng.u8(..MADE_UP) > 0 && !self.subjects.is_empty() {
            let subject = &self.subjects[rng.usize(..self.subjects.len())];
            return self.cases(subject, BATCH, &mut rng, tally);
        }
        let text = generate::module(self.arch, &mut rng);
        let Ok(seed) = Seed::new("made up".into(), modules(&text)) else { return Vec::new() };
        let mut finds = Vec::new();
        for image in &seed.images {
            if let Some(subject) = Subject::of("made up", image) {
                finds.extend(self.cases(&subject, BATCH_MADE_UP, &mut rng, tally));
            }
        }
        finds
    }

    fn cases(&self, subject: &Subject<'_>, n: usize, rng: &mut Rng, tally: &mut Tally) -> Vec<Find> {
        let mut finds = Vec::new();
        let mut spare = None;
        for _ in 0..n {
            let mut draw = rng.u8(..100);
            let class = SHARES.iter().find(|(_, share)| {
                let found = draw < *share;
                draw = draw.saturating_sub(*share);
                found
            });
            let class = class.map_or(Class::Code, |c| c.0);
            let mut own = rng.fork();
            let mut case = Case {
                arena: self,
                subject,
                class,
                rng: &mut own,
                tally,
                what: "nothing",
                spare: spare.take(),
            };
            let result = catch_unwind(AssertUnwindSafe(|| case.run()));
            let what = case.what;
            spare = case.spare;
            let find = |text: String| Find { subject: subject.name.into(), class, what: text };
            let count = tally.classes.entry(class).or_default();
            count.cases += 1;
            match result {
                Ok(Ok(None)) => {}
                Ok(Ok(Some(ran))) => {
                    count.accepted += 1;
                    count.run += u64::from(ran);
                }
                Ok(Err(text)) => finds.push(find(format!("{what}: {text}"))),
                Err(panic) => {
                    let text = panic.downcast_ref::<String>().cloned();
                    let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
                    finds.push(find(format!("{what}: a panic: {}", text.unwrap_or_default())));
                }
            }
        }
        finds
    }
}

/// `None`: refused; else whether something was run. An error is what is wrong.
type Outcome = Result<Option<bool>, String>;

struct Case<'s, 't> {
    arena: &'s Arena<'s>,
    subject: &'s Subject<'s>,
    class: Class,
    rng: &'t mut Rng,
    tally: &'t mut Tally,
    /// What was changed.
    what: &'static str,
    /// A copy of the program that may get other memory.
    spare: Option<Program<'s>>,
}

impl Case<'_, '_> {
    fn run(&mut self) -> Outcome {
        let subject = self.subject;
        match self.class {
            Class::Note | Class::Types => return self.note(),
            Class::Data => return self.data(),
            Class::Headers => return self.headers(),
            _ => {}
        }
        let f = self.rng.usize(..subject.parts.len());
        let part = &subject.parts[f];
        if subject.program.functions[f].size > LARGE {
            return Ok(None);
        }
        let mut mutant = Mutant::of(part);
        match self.class {
            Class::Code => return self.code(f, mutant),
            Class::Stream => return self.stream(f),
            Class::Labels => {
                self.what = labels::mutate(subject, f, &mut mutant.labels, self.rng);
                mutant.restated = true;
            }
            Class::Steps => {
                labels::ghosts(subject, f, &mut mutant.ghosts, self.rng);
                self.what = "a step";
                mutant.restated = true;
            }
            Class::Cross => {
                self.what = self.cross(f, &mut mutant);
                mutant.restated = true;
            }
            _ => {
                let questions = part.recorded.count.max(1);
                mutant.lies = (0..self.rng.usize(1..3)).map(|_| self.rng.usize(..questions)).collect();
                self.what = "an answer";
            }
        }
        self.judge(&subject.program, f, &part.entry, &part.recorded, mutant)
    }

    /// States of labels of another function of the same note.
    fn cross(&mut self, f: usize, mutant: &mut Mutant) -> &'static str {
        let subject = self.subject;
        let (here, g) = (&subject.parts[f], self.rng.usize(..subject.parts.len()));
        let there = &subject.parts[g];
        if there.labels.is_empty() || mutant.labels.is_empty() {
            mutant.labels.clone_from(&there.labels);
            mutant.labels.retain(|l| here.insns.iter().any(|i| i.start as u64 == l.0));
        } else {
            let i = self.rng.usize(..mutant.labels.len());
            mutant.labels[i].1 = there.labels[self.rng.usize(..there.labels.len())].1.clone();
        }
        // What the function itself has comes first in every state.
        let entry = &here.entry;
        let fits = |s: &State| {
            s.locs.len() >= entry.locs.len()
                && s.facts.var_count() >= entry.facts.var_count()
                && s.facts.list().len() >= entry.facts.list().len()
                && s.incoming.len() == entry.incoming.len()
        };
        if mutant.labels.iter().any(|l| !fits(&l.1)) {
            mutant.labels.clone_from(&here.labels);
            return "nothing";
        }
        "the states of another function"
    }

    /// Other instructions.
    fn code(&mut self, f: usize, mutant: Mutant) -> Outcome {
        let subject = self.subject;
        let (part, function) = (&subject.parts[f], &subject.program.functions[f]);
        let Ok(old) = walk::code(&subject.program, function) else { return Ok(None) };
        let mut code = old.to_vec();
        let donors = &self.arena.donors[usize::from(subject.program.arch == Arch::Ia32)];
        self.what = code::mutate(subject.program.arch, part, donors, &mut code, self.rng);
        if code == old {
            return Ok(None);
        }
        let program = &subject.program;
        let holds = |s: &Segment<'_>| s.contains(function.addr, function.size);
        let Some(k) = program.segments.iter().position(holds) else { return Ok(None) };
        let mut bytes = program.segments[k].bytes.to_vec();
        let at = (function.addr - program.segments[k].addr) as usize;
        bytes[at..at + code.len()].copy_from_slice(&code);
        self.with_memory(k, &bytes, |case, changed| {
            case.judge(changed, f, &part.entry, &part.recorded, mutant)
        })
    }

    /// Looks for annotations with which a mutant is accepted, and runs it.
    fn judge(
        &mut self,
        program: &Program<'_>,
        f: usize,
        entry: &State,
        recorded: &Recorded,
        mut mutant: Mutant,
    ) -> Outcome {
        let function = &program.functions[f];
        if mutant.restated {
            // The states as the core reads them.
            let (labels, ghosts) = (&mutant.labels, &mutant.ghosts);
            let written = stream::write(program, function, entry, labels, ghosts, &Answers::default());
            let Some(written) = written else { return Ok(None) };
            match read_labels(program, function, entry, &written) {
                Some(labels) => mutant.labels = labels,
                None => return Ok(None),
            }
        }
        let Mutant { labels, ghosts, lies, .. } = &mutant;
        let places = (&labels[..], &ghosts[..]);
        let guide = Attacker::new(program, function.types.words, places, recorded, lies.clone(), self.rng);
        let fuel = fuel_for(function.size + 256);
        let mut engine = match Engine::new(program, function, guide, fuel) {
            Ok(engine) => engine,
            Err(reject) => return self.refused(&reject),
        };
        if let Err(reject) = walk::run(&mut engine) {
            return self.refused(&reject);
        }
        let answers = std::mem::take(&mut engine.guide.answers);
        // What the core says about the same as a stream of bytes.
        let Some(bytes) = stream::write(program, function, entry, labels, ghosts, &answers) else {
            return Ok(None);
        };
        drop(engine);
        match verdict(program, f, entry, &bytes) {
            Ok(_) => {}
            Err(reject) if matches!(reject.code, Code::Limit | Code::Fuel) => return self.refused(&reject),
            Err(reject) => {
                return Err(format!("accepted, and refused when it is written down: {}", reject.why));
            }
        }
        self.accepted(program, f, mutant, &bytes)
    }

    fn refused(&mut self, reject: &Reject) -> Outcome {
        self.tally.coverage.refused(reject);
        Ok(None)
    }

    /// Bytes of the annotations.
    fn stream(&mut self, f: usize) -> Outcome {
        let subject = self.subject;
        let function = &subject.program.functions[f];
        let mut bytes = subject.file.get(function.stream.clone()).unwrap_or(&[]).to_vec();
        self.what = "a byte of the annotations";
        for _ in 0..self.rng.usize(1..3) {
            let all = 0..bytes.len();
            match self.rng.u8(..6) {
                _ if bytes.is_empty() => return Ok(None),
                0 => super::bytes::shift(&mut bytes, all, self.rng),
                _ => super::bytes::nudge(&mut bytes, all, self.rng),
            }
        }
        let part = &subject.parts[f];
        match verdict(&subject.program, f, &part.entry, &bytes) {
            Err(reject) => self.refused(&reject),
            Ok((labels, ghosts)) => {
                let mutant = Mutant { labels, ghosts, lies: Vec::new(), restated: false };
                self.accepted(&subject.program, f, mutant, &bytes)
            }
        }
    }

    /// A note that says something else: all functions are checked anew.
    fn note(&mut self) -> Outcome {
        let subject = self.subject;
        let arch = subject.program.arch;
        let n = self.rng.usize(..subject.notes.len().max(1));
        let Some(mut items) = subject.notes.get(n).and_then(|d| Items::of(d.1, arch)) else {
            return Ok(None);
        };
        let other = match self.class {
            Class::Types => self.arena.notes.get(self.rng.usize(..self.arena.notes.len().max(1))),
            _ => None,
        };
        self.what = items.mutate(other, self.rng);
        let mut file = Vec::new();
        let mut places = Vec::new();
        for (i, (_, desc)) in subject.notes.iter().enumerate() {
            let start = file.len();
            match i == n {
                true => file.extend(items.bytes()),
                false => file.extend(*desc),
            }
            places.push(start..file.len());
        }
        let descs: Vec<_> = places.into_iter().map(|p| (p.start, &file[p])).collect();
        let old = &subject.program;
        let stubs = (old.gate, old.restorer.unwrap_or(0));
        let program = match check::load_module(arch, old.segments.clone(), &descs, stubs) {
            Ok(program) => program,
            Err(reject) => return self.refused(&reject),
        };
        let mut all = Vec::new();
        for f in 0..program.functions.len() {
            let stream = file.get(program.functions[f].stream.clone()).unwrap_or(&[]);
            match self.again(&program, f, stream)? {
                Some(labels) => all.push(labels),
                None => return Ok(None),
            }
        }
        let Some(f) = (0..program.functions.len()).nth(self.rng.usize(..program.functions.len().max(1)))
        else {
            return Ok(None);
        };
        let claims = Claims::at(
            all.iter()
                .zip(&program.functions)
                .flat_map(|(labels, f)| labels.iter().map(|(at, state)| (f.addr + at, state.clone()))),
        );
        let mutant =
            Mutant { labels: all.swap_remove(f), ghosts: Vec::new(), lies: Vec::new(), restated: false };
        self.execute(&program, f, claims, mutant, b"")
    }

    /// Checks a function under other types: with its own answers, and those that are found. Answers its labels.
    fn again(
        &mut self,
        program: &Program<'_>,
        f: usize,
        stream: &[u8],
    ) -> Result<Option<Vec<Label>>, String> {
        let function = &program.functions[f];
        let fuel = fuel_for(function.size + stream.len() as u64);
        let entry = match Engine::new(program, function, NoGuide, fuel) {
            Ok(engine) => engine.entry,
            Err(reject) => return self.refused(&reject).map(|_| None),
        };
        let Ok(reading) = Reading::new(stream, program, function, &entry) else { return Ok(None) };
        let labels = reading.labels().to_vec();
        let old = &self.subject.program.functions;
        let part = old.iter().position(|o| o.addr == function.addr).map(|i| &self.subject.parts[i]);
        let nothing = (Recorded::default(), Vec::new());
        let (recorded, ghosts) = part.map_or((&nothing.0, &nothing.1), |p| (&p.recorded, &p.ghosts));
        let guide =
            Attacker::new(program, function.types.words, (&labels, ghosts), recorded, Vec::new(), self.rng);
        let mut engine = match Engine::new(program, function, guide, fuel) {
            Ok(engine) => engine,
            Err(reject) => return self.refused(&reject).map(|_| None),
        };
        if let Err(reject) = walk::run(&mut engine) {
            return self.refused(&reject).map(|_| None);
        }
        let answers = std::mem::take(&mut engine.guide.answers);
        drop(engine);
        let Some(bytes) = stream::write(program, function, &entry, &labels, ghosts, &answers) else {
            return Ok(None);
        };
        match verdict(program, f, &entry, &bytes) {
            Ok(_) => Ok(Some(labels)),
            Err(reject) if matches!(reject.code, Code::Limit | Code::Fuel) => Ok(None),
            Err(reject) => Err(format!("accepted, and refused when it is written down: {}", reject.why)),
        }
    }

    /// Initial data.
    fn data(&mut self) -> Outcome {
        let subject = self.subject;
        let old = &subject.program;
        let spots: Vec<usize> = (0..old.segments.len())
            .filter(|s| !old.segments[*s].exec && !old.segments[*s].bytes.is_empty())
            .collect();
        let objects: Vec<_> = old.objects.iter().filter(|o| old.segment(o.addr, o.size).is_some()).collect();
        if spots.is_empty() || objects.is_empty() {
            return Ok(None);
        }
        let object = objects[self.rng.usize(..objects.len())];
        let Some(k) = spots.iter().copied().find(|s| old.segments[*s].contains(object.addr, object.size))
        else {
            return Ok(None);
        };
        let mut bytes = old.segments[k].bytes.to_vec();
        let start = (object.addr - old.segments[k].addr) as usize;
        let range = start..(start + object.size as usize).min(bytes.len());
        if range.is_empty() {
            return Ok(None);
        }
        self.what = "initial data";
        super::bytes::nudge(&mut bytes, range.clone(), self.rng);
        if self.rng.u8(..3) == 0 && range.len() >= 8 {
            // The address of something.
            let all: Vec<u64> =
                old.functions.iter().map(|f| f.addr).chain(old.objects.iter().map(|o| o.addr)).collect();
            let word = old.arch.word_bytes() as usize;
            let at = range.start + self.rng.usize(..range.len() / word) * word;
            let to = all[self.rng.usize(..all.len())];
            bytes[at..at + word].copy_from_slice(&to.to_le_bytes()[..word]);
        }
        self.with_memory(k, &bytes, Self::with_data)
    }

    fn with_data(&mut self, changed: &Program<'_>) -> Outcome {
        let subject = self.subject;
        if let Err(reject) = data::check_objects(changed) {
            return self.refused(&reject);
        }
        // Code may read constants: jump tables are part of what a function's rules look at.
        for g in 0..subject.parts.len() {
            let stream = subject.file.get(changed.functions[g].stream.clone()).unwrap_or(&[]);
            if let Err(reject) = verdict(changed, g, &subject.parts[g].entry, stream) {
                return self.refused(&reject);
            }
        }
        let f = self.rng.usize(..subject.parts.len());
        let mutant = Mutant::of(&subject.parts[f]);
        self.execute(changed, f, subject.claims.clone(), mutant, b"")
    }

    /// Does something with the program, of which a segment holds other bytes.
    fn with_memory(
        &mut self,
        segment: usize,
        bytes: &[u8],
        then: impl FnOnce(&mut Self, &Program<'_>) -> Outcome,
    ) -> Outcome {
        let original = self.subject.program.segments.clone();
        let program = self.spare.take().unwrap_or_else(|| self.subject.program.clone());
        let mut segments = original.clone();
        segments[segment].bytes = bytes;
        let changed = with_segments(program, segments);
        let outcome = then(self, &changed);
        self.spare = Some(with_segments(changed, original));
        outcome
    }

    /// Headers: the whole file is judged.
    fn headers(&mut self) -> Outcome {
        let subject = self.subject;
        if !subject.whole {
            return Ok(None);
        }
        self.what = "a field of a header";
        let mut bytes = subject.file.to_vec();
        match self.rng.bool() {
            true => super::executable::header(&mut bytes, self.rng),
            false => super::executable::table(&mut bytes, self.rng),
        }
        if let Err(reject) = check::check(&bytes, talcore::Policy::default()) {
            return self.refused(&reject);
        }
        let program =
            check::load(&bytes).map_err(|r| format!("is accepted and cannot be loaded: {}", r.why))?;
        if elf::read(&bytes).is_err() || program.segments.iter().map(|s| s.size).sum::<u64>() > 1 << 22 {
            return Ok(Some(false));
        }
        let f = self.rng.usize(..program.functions.len());
        let claims = Claims::of(&program, &bytes);
        let nothing = Mutant { labels: Vec::new(), ghosts: Vec::new(), lies: Vec::new(), restated: false };
        self.execute(&program, f, claims, nothing, b"")
    }

    fn accepted(&mut self, program: &Program<'_>, f: usize, mutant: Mutant, stream: &[u8]) -> Outcome {
        let function = &program.functions[f];
        let range = function.addr..function.addr + function.size;
        let labels = mutant.labels.iter().map(|(at, state)| (function.addr + at, state.clone()));
        let claims = self.subject.claims.with(&range, labels);
        self.execute(program, f, claims, mutant, stream)
    }

    /// Runs a function of a mutant that is accepted.
    fn execute(
        &mut self,
        program: &Program<'_>,
        f: usize,
        claims: Claims,
        mutant: Mutant,
        stream: &[u8],
    ) -> Outcome {
        let function = &program.functions[f];
        let start = program.types.sig(function.sig).start;
        let mut ran = false;
        for _ in 0..RUNS {
            let seed = self.rng.u64(..);
            let machine = match start {
                true if self.subject.whole => {
                    let args: [&[u8]; 4] = [b"prog", b"-n", b"12", b""];
                    Some(Machine::new(program, &args[..self.rng.usize(..5)], seed))
                }
                true => None,
                false => Machine::at(program, f, seed),
            };
            let Some(mut machine) = machine.map(|m| m.with_claims(&claims)) else { continue };
            ran = true;
            let result = machine.run(STEPS);
            self.tally.steps += machine.done();
            if let Err(violation) = result {
                let code = walk::code(program, function).unwrap_or(&[]);
                return Err(format!(
                    "{}, in the function at {:#x}:\n{}code: {code:02x?}\nannotations: {stream:02x?}\nlabels: {:?}",
                    violation.what, function.addr, violation.history, mutant.labels
                ));
            }
        }
        if ran {
            let code = walk::code(program, function).unwrap_or(&[]);
            self.tally.coverage.accepted(self.subject.name, program, code, &mutant);
        }
        Ok(Some(ran))
    }
}

/// What the core says about a function with these annotations; its labels and steps.
fn verdict(
    program: &Program<'_>,
    f: usize,
    entry: &State,
    stream: &[u8],
) -> Result<(Vec<Label>, Vec<Step>), Box<Reject>> {
    let function = &program.functions[f];
    let bad = || Reject::new(Code::Stream, function.addr, "the annotations cannot be read");
    let reading = Reading::new(stream, program, function, entry).map_err(|_| bad())?;
    let labels = reading.labels().to_vec();
    let fuel = fuel_for(function.size + stream.len() as u64);
    let mut engine = Engine::new(program, function, guide::Recording::new(reading), fuel)?;
    walk::run(&mut engine)?;
    Ok((labels, engine.guide.ghosts))
}
