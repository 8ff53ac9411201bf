//! Where the answers of an attack come from: the annotations of the function as it was, a search for proofs, and
//! chance.

use fastrand::Rng;
use std::collections::HashMap;
use std::rc::Rc;
use talasm::prove::{Budget, prove};
use talcore::annot::{Label, Reading};
use talcore::codes::is_code;
use talcore::facts::{Cert, Facts, Uses};
use talcore::guide::{Constant, Edge, Guide, Step};
use talcore::program::Program;
use talcore::state::State;
use talcore::term::Term;
use talnote::stream::Answers;

/// How much work one proof may be; what is not found then is not there for the attack.
const WORK: Budget = Budget(3_000);
/// How many proofs are looked for in one attack.
const PROOFS: usize = 24;

/// What was answered at one instruction, each kind in order.
#[derive(Clone, Default)]
struct Site {
    required: Vec<Cert>,
    optional: Vec<Option<Cert>>,
    witnesses: Vec<Term>,
    addends: Vec<Option<i64>>,
}

/// What was answered in a function that is accepted, by the offsets of the instructions.
#[derive(Clone, Default)]
pub(super) struct Recorded {
    sites: HashMap<u64, Site>,
    /// How many answers there are.
    pub(super) count: usize,
}

/// Reads, and writes down what it reads.
pub(super) struct Recording<'a> {
    pub(super) reading: Reading<'a>,
    pub(super) recorded: Recorded,
    pub(super) ghosts: Vec<Step>,
    at: u64,
}

impl<'a> Recording<'a> {
    pub(super) fn new(reading: Reading<'a>) -> Recording<'a> {
        Recording { reading, recorded: Recorded::default(), ghosts: Vec::new(), at: 0 }
    }

    fn site(&mut self) -> &mut Site {
        self.recorded.count += 1;
        self.recorded.sites.entry(self.at).or_default()
    }
}

impl Guide for Recording<'_> {
    fn required(&mut self, facts: &Facts, goal: &Term) -> Option<Cert> {
        let cert = self.reading.required(facts, goal)?;
        self.site().required.push(cert.clone());
        Some(cert)
    }
    fn optional(&mut self, facts: &Facts, goal: &Term) -> Option<Cert> {
        let cert = self.reading.optional(facts, goal);
        self.site().optional.push(cert.clone());
        cert
    }
    fn label(&mut self, at: u64) -> Option<Rc<State>> {
        self.reading.label(at)
    }
    fn ghost(&mut self, at: u64, falls: bool) -> Option<Step> {
        self.at = at;
        let ghost = self.reading.ghost(at, falls)?;
        self.ghosts.push(ghost);
        Some(ghost)
    }
    fn next_label(&mut self, at: u64) -> Option<u64> {
        self.reading.next_label(at)
    }
    fn witness(&mut self, facts: &Facts, var: usize) -> Option<Term> {
        let t = self.reading.witness(facts, var)?;
        self.site().witnesses.push(t.clone());
        Some(t)
    }
    fn addend(&mut self, at: u64, constant: Constant) -> Option<i64> {
        let addend = self.reading.addend(at, constant);
        self.site().addends.push(addend);
        addend
    }
    fn edge(&mut self, target: u64, state: &State) -> Edge {
        self.reading.edge(target, state)
    }
}

/// Answers as well as it can, with a lie now and then, and writes the answers down.
pub(super) struct Attacker<'s> {
    program: &'s Program<'s>,
    /// The word types of the function's note.
    words: (u32, u32),
    labels: &'s [Label],
    ghosts: &'s [Step],
    recorded: &'s Recorded,
    /// Which questions are answered with something else, counted from 0.
    lies: Vec<usize>,
    rng: &'s mut Rng,
    asked: usize,
    proofs: usize,
    next_ghost: usize,
    at: u64,
    /// The answers at this instruction so far: required, optional, witnesses, addends.
    used: [usize; 4],
    pub(super) answers: Answers,
}

impl<'s> Attacker<'s> {
    pub(super) fn new(
        program: &'s Program<'s>,
        words: (u32, u32),
        (labels, ghosts): (&'s [Label], &'s [Step]),
        recorded: &'s Recorded,
        lies: Vec<usize>,
        rng: &'s mut Rng,
    ) -> Attacker<'s> {
        Attacker {
            program,
            words,
            labels,
            ghosts,
            recorded,
            lies,
            rng,
            asked: 0,
            proofs: 0,
            next_ghost: 0,
            at: 0,
            used: [0; 4],
            answers: Answers::default(),
        }
    }

    fn lie(&mut self) -> bool {
        self.asked += 1;
        self.lies.contains(&(self.asked - 1))
    }

    /// What was answered here, the next of its kind.
    fn known<T: Clone + 's>(&mut self, kind: usize, list: impl Fn(&'s Site) -> &'s [T]) -> Option<T> {
        let n = self.used[kind];
        self.used[kind] += 1;
        let recorded = self.recorded;
        list(recorded.sites.get(&self.at)?).get(n).cloned()
    }

    fn search(&mut self, facts: &Facts, goal: &Term) -> Option<Cert> {
        self.proofs += 1;
        if self.proofs > PROOFS { None } else { prove(facts, goal, WORK) }
    }

    fn any_cert(&mut self, facts: &Facts, cert: Option<Cert>) -> Option<Cert> {
        let n = facts.list().len() as u32;
        let rng = &mut *self.rng;
        if n == 0 {
            return None;
        }
        let mut cert = cert.unwrap_or_default();
        let many = [0, 1, 2, u64::MAX, 1 << 63, 1 << 32, 3];
        match rng.u8(..5) {
            0 => cert.goal_factor = many[rng.usize(..7)],
            1 => cert.uses.push(rng.u32(..n), many[rng.usize(..7)]),
            2 if !cert.uses.is_empty() => {
                let mut uses = cert.uses.to_vec();
                let i = rng.usize(..uses.len());
                match rng.bool() {
                    true => uses[i].0 = rng.u32(..n),
                    false => uses[i].1 = many[rng.usize(..7)],
                }
                cert.uses = uses.into();
            }
            3 if !cert.uses.is_empty() => {
                let uses: Vec<_> = cert.uses.iter().skip(1).copied().collect();
                cert.uses = uses.into();
            }
            _ => cert.uses = [(rng.u32(..n), 1)].into_iter().collect::<Uses>(),
        }
        // The format has no other: see `talcore::annot`.
        let there = |c: &Cert| c.uses.iter().all(|(fact, _)| *fact < n);
        Some(cert).filter(|c| c.uses.len() <= talcore::limits::CERT_FACTS && !c.uses.is_empty() && there(c))
    }
}

impl Guide for Attacker<'_> {
    fn required(&mut self, facts: &Facts, goal: &Term) -> Option<Cert> {
        let known = self.known(0, |s| &s.required);
        let cert = match self.lie() {
            true => self.any_cert(facts, known)?,
            false => match known.filter(|c| facts.certified(goal, c)) {
                Some(cert) => cert,
                None => self.search(facts, goal)?,
            },
        };
        if facts.list().is_empty() {
            return None;
        }
        self.answers.proof(facts, &cert);
        Some(cert)
    }

    fn optional(&mut self, facts: &Facts, goal: &Term) -> Option<Cert> {
        let known = self.known(1, |s| &s.optional);
        let cert = match (self.lie(), known) {
            (true, known) => self.any_cert(facts, known.flatten()),
            (false, Some(Some(cert))) if facts.certified(goal, &cert) => Some(cert),
            // What could not be proved before can seldom be proved now.
            (false, Some(None)) if self.rng.u8(..8) > 0 => None,
            (false, _) => self.search(facts, goal),
        };
        let cert = cert.filter(|_| !facts.list().is_empty());
        self.answers.maybe(facts, cert.as_ref());
        cert
    }

    fn label(&mut self, at: u64) -> Option<Rc<State>> {
        let i = self.labels.binary_search_by_key(&at, |l| l.0).ok()?;
        self.labels.get(i).map(|l| l.1.clone())
    }

    fn ghost(&mut self, at: u64, falls: bool) -> Option<Step> {
        if at != self.at {
            (self.at, self.used) = (at, [0; 4]);
        }
        let now = |s: &&Step| s.at < at || s.at == at && (s.falls || !falls);
        let next = self.ghosts.get(self.next_ghost).filter(now)?;
        self.next_ghost += 1;
        Some(*next)
    }

    fn next_label(&mut self, at: u64) -> Option<u64> {
        let i = self.labels.partition_point(|l| l.0 < at);
        self.labels.get(i).map(|l| l.0)
    }

    fn witness(&mut self, facts: &Facts, _: usize) -> Option<Term> {
        let known = self.known(2, |s| &s.witnesses);
        let vars = facts.var_count() as u32;
        let lie = self.lie();
        let t = match known.filter(|t| t.scope() <= vars) {
            Some(t) if !lie => t,
            Some(t) => super::terms::term(&t, vars, facts.list(), self.rng),
            None if vars > 0 && self.rng.u8(..4) > 0 => Term::var(self.rng.u32(..vars)),
            None => Term::from(self.rng.i128(..9)),
        };
        // Larger ones cannot be written, but for codes of types.
        if t.konst().unsigned_abs() > 1 << 100 && !is_code(&t) {
            return None;
        }
        self.answers.witness(&self.program.local_code(&t, self.words)?);
        Some(t)
    }

    fn addend(&mut self, _: u64, _: Constant) -> Option<i64> {
        let known = self.known(3, |s| &s.addends).flatten();
        let addend = match self.lie() {
            false => known,
            true if self.rng.u8(..3) == 0 => known.map_or(Some(0), |_| None),
            true => Some(known.unwrap_or(0).wrapping_add([-8, -1, 1, 8, 64][self.rng.usize(..5)])),
        };
        self.answers.addend(addend);
        addend
    }

    fn edge(&mut self, _: u64, _: &State) -> Edge {
        Edge::Match
    }
}
