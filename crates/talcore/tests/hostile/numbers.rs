//! Attacks on numbers narrower than words that exclusive memory holds: labels that know more than was stored, and other
//! pieces of the same bytes.

use crate::lab::{Lab, Label, accepted, code, rejected};
use crate::owners::node;
use iced_x86::code_asm::*;
use talcore::facts::Interval;
use talcore::state::{Held, State, Word};
use talcore::term::Term;
use talcore::types::{Layout, Mode, Sig, WordTy};
use talcore::verdict::{Code, Reject};
use talcore::x86::insn::Width;

/// `fn f(rcx: int, rdi: own bytes(16), rdx: &[8]) -> (rax: int)` that stores 4 as a number of four bytes, has a label at
/// offset 7, and uses the number as an index, if `changed` after it stored `ecx` there.
fn stored(changed: bool, label: Label) -> Result<(), Box<Reject>> {
    let mut lab = Lab::default();
    let bytes = [16, 8].map(|n| lab.layout(Layout::Bytes(Term::from(n))));
    let own = lab.word(WordTy::Ptr(Mode::Own, bytes[0]));
    let read = lab.word(WordTy::Ptr(Mode::Read, bytes[1]));
    let any = lab.any();
    let body = code(|a| {
        a.mov(dword_ptr(rdi + 4), 4)?; // 7 bytes
        if changed {
            a.mov(dword_ptr(rdi + 4), ecx)?;
        }
        a.mov(eax, dword_ptr(rdi + 4))?;
        a.mov(eax, dword_ptr(rdx + rax))?;
        a.ret()
    });
    lab.labels.push((7, label));
    let params = vec![(1, any), (2, read), (7, own)];
    lab.check(Sig { params, results: vec![(0, any)], ..Sig::default() }, &body)
}

fn indexed(label: Label) -> Result<(), Box<Reject>> {
    stored(false, label)
}

fn held(off: i128, width: Width, t: Term) -> Held {
    Held { off: Term::from(off), width, word: Word::Int(t) }
}

/// The label's memory holds these numbers; rdi points to it.
fn with(entry: &State, cells: Vec<Held>) -> State {
    let mut label = entry.clone();
    let Word::Ptr(l, _) = label.regs[7] else { return label };
    label.locs[l as usize].cells = cells;
    label
}

/// class: C9 on amd64
#[test]
fn a_label_knows_the_number_that_was_stored() {
    accepted(indexed(|entry| with(entry, vec![held(4, Width::B4, Term::from(4))])));
    // Nothing, another number, one that is congruent modulo its width only.
    rejected(indexed(|entry| entry.clone()), Code::Bounds);
    rejected(indexed(|entry| with(entry, vec![held(4, Width::B4, Term::from(3))])), Code::LabelFact);
    rejected(
        indexed(|entry| with(entry, vec![held(4, Width::B4, Term::from(4 + (1 << 32)))])),
        Code::LabelFact,
    );
}

/// class: C9 on amd64
#[test]
fn a_label_cannot_cut_numbers() {
    // Its bytes in other pieces: nothing is known of them.
    for (off, width) in [(4, Width::B2), (4, Width::B1), (4, Width::B8), (0, Width::B8), (6, Width::B2)] {
        let Ok(n) = usize::try_from(off) else { return };
        let label: Label = match (n, width) {
            (4, Width::B2) => |entry| with(entry, vec![held(4, Width::B2, Term::from(4))]),
            (4, Width::B1) => |entry| with(entry, vec![held(4, Width::B1, Term::from(4))]),
            (4, _) => |entry| with(entry, vec![held(4, Width::B8, Term::from(4))]),
            (0, _) => |entry| with(entry, vec![held(0, Width::B8, Term::from(4 << 32))]),
            _ => |entry| with(entry, vec![held(6, Width::B2, Term::from(0))]),
        };
        rejected(indexed(label), Code::LabelFact);
    }
}

/// Numbers that overlap may be said to lie there, since they do; but what is known of one does not follow from the
/// other, and a store ends both.
/// class: C9 on amd64
#[test]
fn numbers_that_overlap() {
    let both: Label = |entry| {
        let mut label = with(entry, Vec::new());
        let v = label.facts.fresh(Interval::unsigned(16));
        let cells = vec![held(4, Width::B4, Term::from(4)), held(4, Width::B2, Term::var(v))];
        with(&label, cells)
    };
    accepted(indexed(both));
    let known: Label =
        |entry| with(entry, vec![held(4, Width::B4, Term::from(4)), held(5, Width::B2, Term::from(0))]);
    rejected(indexed(known), Code::LabelFact);
    // The number twice, and once changed behind the label.
    let twice: Label = |entry| with(entry, vec![held(4, Width::B4, Term::from(4)); 2]);
    accepted(stored(false, twice));
    rejected(stored(true, twice), Code::Bounds);
}

/// A number that is said to lie in half of a cell that owns memory: the cell is no cell of its type then.
/// class: F3 on amd64
#[test]
fn half_of_a_cell() {
    let attack = |label: Label| {
        let mut lab = Lab::default();
        let (_, own, _) = node(&mut lab);
        let body = code(|a| {
            a.mov(rax, rdi)?; // 3 bytes
            a.ret()
        });
        lab.labels.push((3, label));
        lab.check(Sig { params: vec![(7, own)], results: vec![(0, own)], ..Sig::default() }, &body)
    };
    let half: Label = |entry| {
        let mut label = entry.clone();
        let v = label.facts.fresh(Interval::unsigned(32));
        label.regs[0] = label.regs[7].clone();
        with(&label, vec![held(0, Width::B4, Term::var(v))])
    };
    accepted(attack(|entry| {
        let mut label = entry.clone();
        label.regs[0] = label.regs[7].clone();
        label
    }));
    rejected(attack(half), Code::ResultType);
}
