//! Attacks on arguments that lie on the stack: labels that say that they still own what was given away.

use crate::lab::{Lab, Label, accepted, code, rejected};
use crate::owners::{OPT, node};
use iced_x86::code_asm::*;
use talcore::facts::Interval;
use talcore::state::{State, Word};
use talcore::term::Term;
use talcore::types::Sig;
use talcore::verdict::Code;

/// `fn f([rsp + 8]: opt own node) -> (rax: opt own node)`, which gives its argument away or not, and returns what lies where
/// the argument did. Between both there may be a label.
fn give(away: bool, label: Option<Label>) -> Result<(), Box<talcore::verdict::Reject>> {
    let mut lab = Lab::default();
    node(&mut lab);
    let taker = lab.other(Sig { params: vec![(7, OPT)], ..Sig::default() });
    let body = code(|a| {
        a.mov(rdi, qword_ptr(rsp + 8))?; // 5 bytes
        if away {
            a.call(taker)?; // 5 bytes
        } else {
            a.mov(ecx, 1)?; // 5 bytes
        }
        a.mov(rax, qword_ptr(rsp + 8))?; // at 10
        a.ret()
    });
    lab.labels.extend(label.map(|label| (10, label)));
    lab.check(Sig { stack: vec![OPT], results: vec![(0, OPT)], ..Sig::default() }, &body)
}

/// Nothing is known in registers.
fn bare(entry: &State) -> State {
    State { regs: Default::default(), ..entry.clone() }
}

/// The argument is a word with a name of its own.
fn renamed(entry: &State) -> State {
    let mut label = bare(entry);
    let v = label.facts.fresh(Interval::unsigned(64));
    label.incoming[0] = Word::Opt(v, OPT, Some([].into()));
    label
}

/// The argument is a number.
fn spent(entry: &State) -> State {
    let mut label = bare(entry);
    let v = label.facts.fresh(Interval::unsigned(64));
    label.incoming[0] = Word::Int(Term::var(v));
    label
}

/// class: F1 on amd64
#[test]
fn what_was_given_away_is_gone() {
    accepted(give(false, None));
    rejected(give(true, None), Code::ResultType);
    accepted(give(false, Some(bare)));
    rejected(give(true, Some(bare)), Code::LabelType);
    accepted(give(false, Some(renamed)));
    rejected(give(true, Some(renamed)), Code::LabelType);
    rejected(give(false, Some(spent)), Code::ResultType);
    rejected(give(true, Some(spent)), Code::ResultType);
}

/// The argument, and the register that it was loaded into, are one word.
/// class: F2 on amd64
#[test]
fn a_label_does_not_make_two_of_it() {
    let twice: Label = |entry| {
        let mut label = renamed(entry);
        let v = label.facts.fresh(Interval::unsigned(64));
        label.regs[7] = Word::Opt(v, OPT, Some([].into()));
        label
    };
    rejected(give(false, Some(twice)), Code::LabelType);
    let once: Label = |entry| {
        let mut label = renamed(entry);
        label.regs[7] = label.incoming[0].clone();
        label
    };
    accepted(give(false, Some(once)));
}
