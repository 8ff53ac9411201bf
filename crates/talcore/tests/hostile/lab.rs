//! A laboratory for attacks on the rules: hand-made types, states and code, and a guide that answers
//! whatever the attacker likes.

use iced_x86::code_asm::CodeAssembler;
use std::collections::BTreeMap;
use std::rc::Rc;
use talcore::abi::Abi;
use talcore::arch::Arch;
use talcore::engine::Engine;
use talcore::facts::{Cert, Facts, Interval};
use talcore::guide::{Edge, Guide};
use talcore::program::{Function, Object, Program, Segment};
use talcore::shapes::Shapes;
use talcore::state::State;
use talcore::term::Term;
use talcore::types::{Layout, LayoutId, Mode, Sig, SigId, Types, WordId, WordTy};
use talcore::verdict::{Code, Reject};
use talcore::walk;

const CODE: u64 = 0x40_0000;
/// Functions that are only called lie here, one behind the other.
const OTHERS: u64 = 0x41_0000;
const DATA: u64 = 0x50_0000;
static ZEROS: [u8; 4096] = [0; 4096];

/// Bytes of machine code at the address of the function under test.
pub(crate) fn code(body: impl FnOnce(&mut CodeAssembler) -> Result<(), iced_x86::IcedError>) -> Vec<u8> {
    let mut a = CodeAssembler::new(64).unwrap();
    body(&mut a).unwrap();
    a.assemble(CODE).unwrap()
}

/// Types and objects of a program with one function to check.
#[derive(Default)]
pub(crate) struct Lab {
    pub(crate) types: Types,
    pub(crate) objects: Vec<Object>,
    pub(crate) others: Vec<SigId>,
    /// The states of labels, made from the state at the entry.
    pub(crate) labels: Vec<(u64, fn(&State) -> State)>,
    pub(crate) witnesses: Vec<Term>,
}

impl Lab {
    pub(crate) fn word(&mut self, w: WordTy) -> WordId {
        self.types.words.push(w);
        WordId(self.types.words.len() as u32 - 1)
    }

    pub(crate) fn layout(&mut self, l: Layout) -> LayoutId {
        self.types.layouts.push(l);
        LayoutId(self.types.layouts.len() as u32 - 1)
    }

    /// A pointer to `size` raw bytes.
    pub(crate) fn bytes(&mut self, mode: Mode, size: Term) -> WordId {
        let layout = self.layout(Layout::Bytes(size));
        self.word(WordTy::Ptr(mode, layout))
    }

    pub(crate) fn any(&mut self) -> WordId {
        self.word(WordTy::Range(Interval::unsigned(64)))
    }

    /// Another function, which exists with this signature; its address.
    pub(crate) fn other(&mut self, sig: Sig) -> u64 {
        self.types.sigs.push(sig);
        self.others.push(SigId(self.types.sigs.len() as u32 - 1));
        OTHERS + self.others.len() as u64 - 1
    }

    /// Checks a function of this signature with this code.
    pub(crate) fn check(mut self, sig: Sig, code: &[u8]) -> Result<(), Reject> {
        self.types.sigs.push(sig);
        let sig = SigId(self.types.sigs.len() as u32 - 1);
        let abi = Abi::amd64(&mut self.types);
        let shapes = Shapes::of(&mut self.types, Arch::Amd64)
            .map_err(|why| Reject::new(Code::IllFormedType, 0, why))?;
        let function = |addr, size, sig| Function {
            addr,
            size,
            sig,
            stream: 0..0,
            statics: [].into(),
            types: Default::default(),
        };
        let mut functions = vec![function(CODE, code.len() as u64, sig)];
        functions.extend(self.others.iter().zip(OTHERS..).map(|(&sig, at)| function(at, 1, sig)));
        let exec = |addr, bytes| Segment { addr, bytes, size: 4096, write: false, exec: true };
        let program = Program {
            arch: Arch::Amd64,
            segments: vec![
                Segment { size: code.len() as u64, ..exec(CODE, code) },
                exec(OTHERS, &ZEROS),
                Segment { write: true, exec: false, ..exec(DATA, &ZEROS) },
            ],
            types: self.types,
            functions,
            objects: self.objects,
            externs: vec![],
            gate: 0,
            restorer: None,
            stubs: vec![],
            note_bytes: 0,
            abi,
            shapes,
        };
        let function = &program.functions[0];
        let entry = Engine::new(&program, function, walk::NoGuide, 1 << 20)?.entry;
        let labels = self.labels.iter().map(|(at, make)| (*at, Rc::new(make(&entry)))).collect();
        let guide = Liar { labels, witnesses: self.witnesses.into_iter() };
        let mut engine = Engine::new(&program, function, guide, 1 << 20)?;
        walk::run(&mut engine).map(|_| ())
    }
}

/// Answers what the attacker wants; proofs are tried from single facts and pairs.
struct Liar {
    labels: BTreeMap<u64, Rc<State>>,
    witnesses: std::vec::IntoIter<Term>,
}

impl Guide for Liar {
    fn required(&mut self, facts: &Facts, goal: &Term) -> Option<Cert> {
        let n = facts.list().len() as u32;
        let one = (0..n).map(|i| vec![(i, 1)]);
        let two = (0..n).flat_map(|i| (0..i).map(move |j| vec![(i, 1), (j, 1)]));
        one.chain(two).map(|uses| Cert { goal_factor: 1, uses }).find(|c| facts.certified(goal, c))
    }
    fn optional(&mut self, facts: &Facts, goal: &Term) -> Option<Cert> {
        self.required(facts, goal)
    }
    fn label(&mut self, at: u64) -> Option<Rc<State>> {
        self.labels.get(&at).cloned()
    }
    fn next_label(&mut self, at: u64) -> Option<u64> {
        self.labels.range(at..).next().map(|l| *l.0)
    }
    fn witness(&mut self, _: &Facts, _: usize) -> Option<Term> {
        self.witnesses.next()
    }
    fn addend(&mut self, _: u64) -> Option<i64> {
        Some(0)
    }
    fn edge(&mut self, _: u64, _: &State) -> Edge {
        Edge::Match
    }
}

/// Asserts the verdict of one file, or of an attack.
#[track_caller]
pub(crate) fn accepted(verdict: Result<(), Reject>) {
    assert_eq!(verdict, Ok(()));
}

/// Asserts that an attack is rejected with one of these codes.
#[track_caller]
pub(crate) fn rejected(verdict: Result<(), Reject>, code: Code) {
    assert_eq!(verdict.map_err(|r| r.code), Err(code));
}
