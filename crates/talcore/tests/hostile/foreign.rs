//! Attacks on foreign memory: labels that know what it holds, or that make other memory of it.

use crate::lab::{Lab, Label, accepted, code, rejected};
use iced_x86::code_asm::*;
use talcore::facts::Interval;
use talcore::state::{Held, Lay, State, Word};
use talcore::term::Term;
use talcore::types::{Layout, LayoutId, Mode, Sig, WordTy};
use talcore::verdict::{Code, Reject};
use talcore::x86::insn::Width;

const BYTES: LayoutId = LayoutId(0);

/// `fn f(rdi: own foreign(16), rdx: &[8]) -> (rax: int)` that stores 4 and uses what lies there as an index behind a label.
fn attack(label: Label, foreign: bool) -> Result<(), Box<Reject>> {
    let mut lab = Lab::default();
    lab.layout(Layout::Bytes(Term::var(0)));
    let bytes = lab.layout(Layout::Bytes(Term::from(8)));
    let mapped = Term::from(16);
    let mapped = lab.layout(if foreign { Layout::Foreign(mapped) } else { Layout::Bytes(mapped) });
    let own = lab.word(WordTy::Ptr(Mode::Own, mapped));
    let read = lab.word(WordTy::Ptr(Mode::Read, bytes));
    let any = lab.any();
    let body = code(|a| {
        a.mov(dword_ptr(rdi + 4), 4)?; // 7 bytes
        a.mov(eax, dword_ptr(rdi + 4))?;
        a.and(eax, 4)?;
        a.mov(eax, dword_ptr(rdx + rax))?;
        a.ret()
    });
    lab.labels.push((7, label));
    lab.check(Sig { params: vec![(2, read), (7, own)], results: vec![(0, any)], ..Sig::default() }, &body)
}

fn with(entry: &State, held: Option<Term>, bytes: bool) -> State {
    let mut label = entry.clone();
    let Word::Ptr(l, _) = label.regs[7] else { return label };
    let loc = &mut label.locs[l as usize];
    let held = held.map(|t| Held { off: Term::from(4), width: Width::B4, word: Word::Int(t) });
    loc.cells.extend(held);
    if bytes {
        loc.lay = Lay { id: BYTES, env: Some([Term::from(16)].into()) };
    }
    label
}

/// class: C9 on amd64
#[test]
fn a_label_knows_nothing_of_foreign_memory() {
    accepted(attack(|entry| entry.clone(), true));
    // What was stored is the label's business in memory of its own only.
    let four: Label = |entry| with(entry, Some(Term::from(4)), false);
    accepted(attack(four, false));
    rejected(attack(four, true), Code::LabelType);
    // Any number is a lie too: it would be the same one for ever.
    let any: Label = |entry| {
        let mut label = entry.clone();
        let v = label.facts.fresh(Interval::unsigned(32));
        with(&label, Some(Term::var(v)), false)
    };
    accepted(attack(any, false));
    rejected(attack(any, true), Code::LabelType);
}

/// class: C9 on amd64
#[test]
fn foreign_memory_stays_foreign() {
    let bytes: Label = |entry| with(entry, None, true);
    accepted(attack(bytes, false));
    rejected(attack(bytes, true), Code::LabelType);
    let held: Label = |entry| with(entry, Some(Term::from(4)), true);
    accepted(attack(held, false));
    rejected(attack(held, true), Code::LabelFact);
}

/// Inside of other memory it would have to be asked for at every place.
/// class: C9 on amd64
#[test]
fn foreign_memory_is_no_part() {
    let nested = |layout: fn(LayoutId) -> Layout| {
        let mut lab = Lab::default();
        let foreign = lab.layout(Layout::Foreign(Term::from(8)));
        lab.layout(layout(foreign));
        lab.check(Sig::default(), &[0xc3])
    };
    accepted(nested(|_| Layout::Bytes(Term::from(8))));
    rejected(nested(|f| Layout::Array(Term::from(2), f)), Code::IllFormedType);
    rejected(nested(|f| Layout::Seq([f].into())), Code::IllFormedType);
}
