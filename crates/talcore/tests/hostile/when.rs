//! Attacks on results that are of their type sometimes: labels and signatures that let something else tell.

use crate::lab::{Lab, Label, accepted, code, rejected};
use crate::owners::node;
use iced_x86::code_asm::*;
use talcore::facts::Interval;
use talcore::state::{Lay, Loc, Slot, State, Word};
use talcore::term::Term;
use talcore::types::{Layout, LayoutId, Mode, Sig, WordId, WordTy};
use talcore::verdict::{Code, Reject};

const BIT: Interval = Interval { lo: 0, hi: 1 };
const ZERO: Interval = Interval { lo: 0, hi: 0 };
/// The types behind those of [`node`].
const TOLD: WordId = WordId(3);
const WHEN: WordId = WordId(4);

/// `fn () -> (rax: int(r), rdx: own node when r = 0) {0 <= r <= 1}`.
fn sometimes(lab: &mut Lab) -> Sig {
    let (_, own, _) = node(lab);
    assert_eq!(lab.word(WordTy::Int(Term::var(0))), TOLD);
    assert_eq!(lab.word(WordTy::When(Term::var(0), ZERO, own)), WHEN);
    Sig { results: vec![(0, TOLD), (2, WHEN)], result_vars: vec![BIT], preserved: 1 << 3, ..Sig::default() }
}

/// Two calls, of which rbx and rax tell; the node of the first is used behind a label and the test of one of them.
fn two_calls(first: bool, label: Option<Label>) -> Result<(), Box<Reject>> {
    let mut lab = Lab::default();
    let sig = sometimes(&mut lab);
    let target = lab.other(sig);
    let body = code(|a| {
        let mut end = a.create_label();
        a.call(target)?; // 5 bytes
        a.mov(rbx, rax)?; // 3 bytes
        a.push(rdx)?; // 1 byte
        a.call(target)?; // 5 bytes
        a.pop(rdx)?; // 1 byte, at 14
        if first {
            a.test(rbx, rbx)?
        } else {
            a.test(rax, rax)?
        } // 3 bytes
        a.jne(end)?; // 2 bytes
        a.mov(rcx, qword_ptr(rdx + 8))?; // 4 bytes
        a.set_label(&mut end)?; // at 24
        a.ret()
    });
    if let Some(label) = label {
        lab.labels.push((14, label));
    }
    lab.labels.push((24, |entry| State { regs: Default::default(), ..entry.clone() }));
    lab.check(Sig::default(), &body)
}

/// rbx and rax are numbers with names of their own, and the word in the frame is told by one of them.
fn label(entry: &State, told: u32) -> State {
    let mut label = entry.clone();
    let (x, y) = (label.facts.fresh(BIT), label.facts.fresh(BIT));
    let value = label.facts.fresh(Interval::unsigned(64));
    label.regs[3] = Word::Int(Term::var(x));
    label.regs[0] = Word::Int(Term::var(y));
    let by = if told == 0 { x } else { y };
    let word = Some(Word::Opt(value, WHEN, Some([Term::var(by)].into())));
    label.frame.push(Slot { off: -8, size: 8, word });
    (label.depth, label.touched) = (-8, -8);
    label
}

/// class: F4 on amd64
#[test]
fn only_its_own_number_tells() {
    accepted(two_calls(true, None));
    rejected(two_calls(false, None), Code::NotPointer);
    accepted(two_calls(true, Some(|entry| label(entry, 0))));
    rejected(two_calls(false, Some(|entry| label(entry, 0))), Code::NotPointer);
    rejected(two_calls(false, Some(|entry| label(entry, 1))), Code::LabelFact);
}

/// A label does not decide: neither by a range, nor by a word of the type.
/// class: F4 on amd64
#[test]
fn a_label_does_not_tell() {
    let narrower: Label = |entry| {
        let mut label = label(entry, 0);
        label.facts.declare_range(label.facts.var_count() as u32 - 3, ZERO);
        label
    };
    rejected(two_calls(true, Some(narrower)), Code::LabelFact);
    let there: Label = |entry| {
        let mut label = label(entry, 0);
        label.locs.push(Loc::new(Mode::Own, Lay { id: LayoutId(0), env: Some([].into()) }));
        label.frame[0].word = Some(Word::Ptr(0, Term::zero()));
        label
    };
    rejected(two_calls(true, Some(there)), Code::LabelType);
}

/// Such words are results, and nothing else: they lie in no memory, and are no arguments.
/// class: F4 on amd64
#[test]
fn only_results_are_of_a_type_sometimes() {
    let nothing = code(|a| a.ret());
    for kind in 0..5 {
        let mut lab = Lab::default();
        let sig = sometimes(&mut lab);
        let mut own = Sig::default();
        match kind {
            0 => own.params = vec![(7, WHEN)],
            1 => own.stack = vec![WHEN],
            2 => {
                lab.layout(Layout::Cell(WHEN));
            }
            3 => {
                // Of itself, sometimes.
                let twice = lab.word(WordTy::When(Term::var(0), ZERO, WHEN));
                own = Sig { results: vec![(0, TOLD), (2, twice)], ..sig.clone() };
            }
            // A variable that the signature does not bind.
            _ => own.results = vec![(2, WHEN)],
        }
        lab.other(sig);
        rejected(lab.check(own, &nothing), Code::IllFormedType);
    }
}
