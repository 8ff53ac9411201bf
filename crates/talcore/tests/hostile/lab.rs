//! A laboratory for attacks on the rules: hand-made types, states and code, and a guide that answers
//! whatever the attacker likes.

use iced_x86::code_asm::CodeAssembler;
use std::collections::BTreeMap;
use std::rc::Rc;
use talcore::abi::Abi;
use talcore::annot::TypeBase;
use talcore::arch::Arch;
use talcore::data;
use talcore::engine::Engine;
use talcore::eq::{United, unite_words};
use talcore::facts::{Cert, Facts, Interval};
use talcore::guide::{Edge, Ghost, Guide, Step};
use talcore::program::{Function, Object, ObjectKind, Program, Segment};
use talcore::scope::Scope;
use talcore::shapes::Shapes;
use talcore::state::State;
use talcore::term::Term;
use talcore::types::{Layout, LayoutId, Mode, Sig, SigId, Types, WordId, WordTy};
use talcore::verdict::{Code, Reject};
use talcore::walk;

const CODE: u64 = 0x40_0000;
/// Functions that are only called lie here, one behind the other.
const OTHERS: u64 = 0x41_0000;
/// Where the object of a laboratory lies.
pub(crate) const DATA: u64 = 0x50_0000;
static ZEROS: [u8; 4096] = [0; 4096];

/// Bytes of machine code at the address of the function under test.
pub(crate) fn code(body: impl FnOnce(&mut CodeAssembler) -> Result<(), iced_x86::IcedError>) -> Vec<u8> {
    code_for(Arch::Amd64, body)
}

/// The same for any architecture.
pub(crate) fn code_for(
    arch: Arch,
    body: impl FnOnce(&mut CodeAssembler) -> Result<(), iced_x86::IcedError>,
) -> Vec<u8> {
    let mut a = CodeAssembler::new(arch.word_bits()).unwrap();
    body(&mut a).unwrap();
    a.assemble(CODE).unwrap()
}

/// Makes the state of a label from the one at the entry.
pub(crate) type Label = fn(&State) -> State;

/// Types and objects of a program with one function to check.
#[derive(Default)]
pub(crate) struct Lab {
    pub(crate) types: Types,
    pub(crate) objects: Vec<Object>,
    pub(crate) others: Vec<SigId>,
    /// Labels by their offsets.
    pub(crate) labels: Vec<(u64, Label)>,
    pub(crate) witnesses: Vec<Term>,
    /// Steps without machine code, by the offsets that they stand before.
    pub(crate) ghosts: Vec<(u64, Ghost)>,
    /// The other functions and the objects are those of another note, from which these functions are imported.
    pub(crate) apart: Option<Vec<(u64, SigId)>>,
    /// The word types of the function's note, if those are not all.
    pub(crate) own_words: Option<(u32, u32)>,
    /// Constants are addresses, not numbers, and lie so many bytes behind the ones that are meant.
    pub(crate) addend: Option<i64>,
    /// Word size and instructions.
    pub(crate) arch: Arch,
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

    /// A shared object of this layout at [`DATA`], which is zero in the file.
    pub(crate) fn shared(&mut self, layout: LayoutId, size: u64) {
        self.objects.push(Object {
            addr: DATA,
            size,
            kind: ObjectKind::Data(Mode::Shared, layout),
            scope: 0,
        });
    }

    /// An owned static of this layout at [`DATA`], which is zero in the file.
    pub(crate) fn owned(&mut self, layout: LayoutId, size: u64) {
        self.objects.push(Object { addr: DATA, size, kind: ObjectKind::Data(Mode::Uniq, layout), scope: 0 });
        self.addend = Some(0);
    }

    /// Checks a function of this signature with this code and the lying guide.
    pub(crate) fn check(mut self, sig: Sig, code: &[u8]) -> Result<(), Box<Reject>> {
        let labels = std::mem::take(&mut self.labels);
        let witnesses = std::mem::take(&mut self.witnesses).into_iter();
        let addend = self.addend;
        let ghosts: std::collections::VecDeque<_> = std::mem::take(&mut self.ghosts).into();
        self.program(sig, code, |program| {
            let function = &program.functions[0];
            let entry = Engine::new(program, function, walk::NoGuide, 1 << 20)?.entry;
            let labels = labels.iter().map(|(at, make)| (*at, Rc::new(make(&entry)))).collect();
            let mut engine =
                Engine::new(program, function, Liar { labels, witnesses, addend, ghosts }, 1 << 20)?;
            walk::run(&mut engine).map(|_| ())
        })
    }

    /// Checks it with a stream of annotations.
    pub(crate) fn check_stream(self, sig: Sig, code: &[u8], stream: &[u8]) -> Result<(), Box<Reject>> {
        self.program(sig, code, |program| {
            program.functions[0].stream = 0..stream.len();
            walk::check_function(program, 0, stream).map(|_| ())
        })
    }

    /// Checks the initial data alone.
    pub(crate) fn check_data(self) -> Result<(), Box<Reject>> {
        self.program(Sig::default(), &[0xc3], |program| data::check_objects(program).map(|_| ()))
    }

    fn program(
        mut self,
        sig: Sig,
        code: &[u8],
        body: impl FnOnce(&mut Program<'_>) -> Result<(), Box<Reject>>,
    ) -> Result<(), Box<Reject>> {
        self.types.sigs.push(sig);
        let sig = SigId(self.types.sigs.len() as u32 - 1);
        let all = |n: usize| (0, n as u32);
        let Types { words, layouts, sigs, .. } = &self.types;
        let types = TypeBase { words: all(words.len()), layouts: all(layouts.len()), sigs: all(sigs.len()) };
        let notes = 0..types.words.1;
        let types = TypeBase { words: self.own_words.unwrap_or(types.words), ..types };
        let arch = self.arch;
        let abi = Abi::of(arch, &mut self.types);
        let shapes =
            Shapes::of(&mut self.types, arch).map_err(|why| Reject::new(Code::IllFormedType, 0, why))?;
        let United { first: codes, views } = unite_words(&mut self.types, 1 << 20, notes);
        let there = u32::from(self.apart.is_some());
        let function = |addr, size, sig, scope| Function { addr, size, sig, stream: 0..0, scope, types };
        let mut functions = vec![function(CODE, code.len() as u64, sig, 0)];
        functions.extend(self.others.iter().zip(OTHERS..).map(|(&sig, at)| function(at, 1, sig, there)));
        self.objects.iter_mut().for_each(|o| o.scope = there);
        let imported = self.apart.take().unwrap_or_default().into();
        let here = Scope { types, functions: imported, ..Scope::default() };
        let exec = |addr, bytes| Segment { addr, bytes, size: 4096, write: false, exec: true };
        let mut program = Program {
            arch,
            policy: talcore::Policy::default(),
            owners: talcore::program::owners(&self.types),
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
            fuel: 1 << 24,
            abi,
            shapes,
            codes,
            views,
            scopes: vec![here, Scope { types, ..Scope::default() }],
        };
        body(&mut program)
    }
}

/// Answers what the attacker wants: all constants are numbers, proofs are tried from single facts and pairs.
struct Liar {
    labels: BTreeMap<u64, Rc<State>>,
    witnesses: std::vec::IntoIter<Term>,
    addend: Option<i64>,
    ghosts: std::collections::VecDeque<(u64, Ghost)>,
}

impl Guide for Liar {
    fn required(&mut self, facts: &Facts, goal: &Term) -> Option<Cert> {
        let n = facts.list().len() as u32;
        let one = (0..n).map(|i| vec![(i, 1)]);
        let two = (0..n).flat_map(|i| (0..i).map(move |j| vec![(i, 1), (j, 1)]));
        one.chain(two)
            .map(|uses| Cert { goal_factor: 1, uses: uses.into() })
            .find(|c| facts.certified(goal, c))
    }
    fn optional(&mut self, facts: &Facts, goal: &Term) -> Option<Cert> {
        self.required(facts, goal)
    }
    fn label(&mut self, at: u64) -> Option<Rc<State>> {
        self.labels.get(&at).cloned()
    }
    fn ghost(&mut self, at: u64, falls: bool) -> Option<Step> {
        self.ghosts.front().filter(|g| g.0 < at || g.0 == at && !falls)?;
        self.ghosts.pop_front().map(|(at, ghost)| Step { at, falls: false, ghost })
    }
    fn next_label(&mut self, at: u64) -> Option<u64> {
        self.labels.range(at..).next().map(|l| *l.0)
    }
    fn witness(&mut self, _: &Facts, _: usize) -> Option<Term> {
        self.witnesses.next()
    }
    fn addend(&mut self, _: u64, _: talcore::guide::Constant) -> Option<i64> {
        self.addend
    }
    fn edge(&mut self, _: u64, _: &State) -> Edge {
        Edge::Match
    }
}

/// Asserts the verdict of one file, or of an attack.
#[track_caller]
pub(crate) fn accepted(verdict: Result<(), Box<Reject>>) {
    assert_eq!(verdict, Ok(()));
}

/// Asserts that an attack is rejected with one of these codes.
#[track_caller]
pub(crate) fn rejected(verdict: Result<(), Box<Reject>>, code: Code) {
    assert_eq!(verdict.map_err(|r| r.code), Err(code));
}
