//! Attacks on addresses at labels: labels that say where objects lie, and are wrong.

use crate::lab::{Lab, Label, accepted, code, rejected};
use iced_x86::code_asm::*;
use talcore::facts::Interval;
use talcore::guide::Ghost;
use talcore::state::{Lay, Loc, State, Word};
use talcore::term::{Term, Var};
use talcore::types::{Mode, Sig};
use talcore::verdict::{Code, Reject};
use talcore::x86::insn::Reg;

/// `fn f(rdi: own bytes(32), r8: own bytes(16))` cuts its first argument in two, of which rsi points to the second. Behind
/// the label `a` and `b` are joined, and the 32 bytes are written. The second half is what rsi points to, or, if
/// `elsewhere`, r8 is in rsi at the label.
fn check(elsewhere: bool, (a, b): (u8, u8), label: Label) -> Result<(), Box<Reject>> {
    let mut lab = Lab::default();
    let (whole, other) = (lab.bytes(Mode::Own, Term::from(32)), lab.bytes(Mode::Own, Term::from(16)));
    let body = code(|c| {
        c.lea(rsi, qword_ptr(rdi + 16))?; // 4 bytes
        c.nop()?; // cut in front of this
        // 3 bytes
        if elsewhere {
            c.mov(rsi, r8)?
        } else {
            (0..3).try_for_each(|_| c.nop())?
        }
        c.mov(qword_ptr(rdi), rcx)?; // the label, and joined
        c.mov(qword_ptr(rdi + 24), rcx)?;
        c.ret()
    });
    lab.ghosts.extend([(4, Ghost::Split(Reg(6))), (8, Ghost::Join(Reg(a), Reg(b)))]);
    lab.labels.push((8, label));
    lab.check(Sig { params: vec![(7, whole), (8, other)], ..Sig::default() }, &body)
}

/// The second half.
fn half(entry: &State) -> Loc {
    Loc::new(Mode::Own, Lay { env: Some([Term::from(16)].into()), ..entry.locs[0].lay.clone() })
}

/// Two halves, and variables for their addresses.
fn halves(entry: &State) -> (State, Var, Var) {
    let mut label = entry.clone();
    label.locs[0].lay.env = Some([Term::from(16)].into());
    label.locs.push(half(entry));
    label.regs[6] = Word::Ptr(2, Term::zero());
    // The second argument is forgotten.
    label.locs[1].live = false;
    label.regs[8] = Word::Any;
    let every = Interval::new(1, (1 << 47) - 1);
    let (low, high) = (label.facts.fresh(every), label.facts.fresh(every));
    (label, low, high)
}

/// The second of two variables is 16 more than the first.
fn behind(label: &mut State, low: Var, high: Var) {
    let gap = Term::var(high).sub(&Term::var(low)).and_then(|t| t.offset(-16)).unwrap();
    label.facts.declare(gap.clone()).unwrap();
    label.facts.declare(gap.neg().unwrap()).unwrap();
}

const GOOD: Label = |entry| {
    let (mut label, low, high) = halves(entry);
    (label.locs[0].addr, label.locs[2].addr) = (Some(low), Some(high));
    behind(&mut label, low, high);
    label
};

/// What is known where the memory was cut is known behind the label; but only of these objects.
/// class: F8 on amd64
#[test]
fn a_label_may_tell_that_objects_are_neighbours() {
    accepted(check(false, (7, 6), GOOD));
    rejected(check(true, (7, 6), GOOD), Code::LabelFact);
    // Without the addresses the facts say nothing of the objects.
    let silent: Label = |entry| {
        let mut label = GOOD(entry);
        label.locs.iter_mut().for_each(|l| l.addr = None);
        (label.regs[9], label.regs[10]) = (Word::Int(Term::var(0)), Word::Int(Term::var(1)));
        label
    };
    rejected(check(false, (7, 6), silent), Code::LabelFact);
    let unequal: Label = |entry| halves(entry).0;
    rejected(check(false, (7, 6), unequal), Code::LabelType);
}

/// The halves cannot change places.
/// class: F8 on amd64
#[test]
fn a_label_cannot_exchange_addresses() {
    let exchanged: Label = |entry| {
        let (mut label, low, high) = halves(entry);
        (label.locs[0].addr, label.locs[2].addr) = (Some(high), Some(low));
        behind(&mut label, low, high);
        label
    };
    rejected(check(false, (6, 7), exchanged), Code::LabelFact);
}

/// Two objects do not have one address because a label has one name for both.
/// class: F8 on amd64
#[test]
fn a_label_cannot_name_two_addresses_alike() {
    let alike: Label = |entry| {
        let (mut label, low, high) = halves(entry);
        (label.locs[0].addr, label.locs[2].addr) = (Some(low), Some(low));
        label.facts.declare_range(high, Interval::new(0, 0));
        label
    };
    rejected(check(false, (7, 6), alike), Code::LabelFact);
}

/// A variable that something else binds is no address.
/// class: F8 on amd64
#[test]
fn a_label_cannot_make_an_address_of_a_number() {
    let number: Label = |entry| {
        let mut label = GOOD(entry);
        label.regs[1] = Word::Int(Term::var(label.locs[2].addr.unwrap()));
        label
    };
    rejected(check(false, (7, 6), number), Code::LabelFact);
}

/// Nobody would say which object is meant.
/// class: F8 on amd64
#[test]
fn a_label_cannot_tell_addresses_of_what_is_not_there() {
    // The second argument lies behind the first half, it is said.
    let dead: Label = |entry| {
        let mut label = GOOD(entry);
        label.locs[1].addr = label.locs[2].addr;
        label
    };
    rejected(check(false, (7, 6), dead), Code::Stream);
    // No word finds the location.
    let unseen: Label = |entry| {
        let mut label = GOOD(entry);
        label.locs.push(half(entry));
        label.locs[3].addr = label.locs[2].addr;
        label
    };
    rejected(check(false, (7, 6), unseen), Code::Stream);
}
